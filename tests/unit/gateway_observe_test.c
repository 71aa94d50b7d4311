/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of gateway/observe.c: everything is decided, nothing is done.
 */
#include "gateway/observe.h"
#include "tests/unit/gateway_world.h"

static struct world w;

#define MAIL "From: alice@example.com\nTo: bob@example.org\nSubject: x\n\n" \
	"hello\n"

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, "alice@example.com", "ec:p256");
	world_person(&w, "bob@example.org", "ec:p256");
	world_rules(&w, "outbound to carol@example.org : sign, encrypt\n"
	    "outbound : sign or plain, encrypt or plain\n"
	    "inbound from carol@example.org : verify or reject\n"
	    "inbound : decrypt, verify, harvest\n");
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

static void observe(const char *from, const char *to, bool out,
    const char *text)
{
	world_envelope(&w, from, to);
	w.env.forced = out ? DIR_OUTBOUND : DIR_INBOUND;
	w.env.auth = out ? ENV_AUTH_CALLER : ENV_AUTH_NONE;
	w.env.queue_id = "4XyZ";
	w.env.observe = true;
	world_message(&w, text);
	world_run(&w);
}

/* Nothing that anybody could act on is left. */
static void assert_nothing_done(void)
{
	assert_true(w.v.observed);
	assert_int_equal(w.v.action, ACT_UNCHANGED);
	assert_int_equal(w.v.code, 0);
	assert_string_equal(w.v.enhanced, "");
	assert_string_equal(w.v.text, "");
	assert_int_equal(w.v.edits, 0);
	assert_null(w.v.body);
	assert_int_equal(w.v.copy_n, 0);
	assert_null(w.v.copies);
	assert_int_equal(w.v.here, 0);
	assert_false(w.v.ret_hdrs);
	assert_false(w.v.may_tell);
	assert_false(w.v.has_opened);
	assert_string_equal(w.v.learned.address, "");
	assert_null(w.v.harvested.state);
	assert_int_equal(w.v.harvested.der.n, 0);
	assert_int_equal(w.v.size_out, w.v.size_in);
	assert_true(is_untouched(&w));
}

static void what_would_be_sealed_is_left(void **state)
{
	(void)state;
	observe("alice@example.com", "bob@example.org", true, MAIL);
	assert_nothing_done();
	assert_int_equal(w.v.would, ACT_REPLACED);
	assert_int_equal(w.v.would_code, 0);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_SEALED);
	assert_int_equal(w.v.rcpt[0].certs, 1);
	assert_true(w.v.rcpt[0].cipher[0] != '\0');
	assert_string_equal(w.v.sender, "alice@example.com");
	assert_string_equal(w.v.queue_id, "4XyZ");
	assert_int_equal(w.v.at, w.env.now);
}

static void what_would_be_refused_passes(void **state)
{
	(void)state;
	observe("alice@example.com", "carol@example.org", true, MAIL);
	assert_nothing_done();
	assert_int_equal(w.v.would, ACT_REJECTED);
	assert_int_equal(w.v.would_code, 550);
	assert_non_null(strstr(w.v.would_text, "carol@example.org"));
	assert_int_equal(w.v.rcpt[0].outcome, OUT_REFUSED);
}

static void what_would_be_opened_stays_sealed(void **state)
{
	struct buf sealed;

	(void)state;
	world_seal(&w, "bob@example.org", "alice@example.com",
	    "From: bob@example.org\nTo: alice@example.com\n\nsecret\n");
	buf_init(&sealed, 1u << 20);
	buf_putv(&sealed, buf_view(&w.out));
	observe("bob@example.org", "alice@example.com", false,
	    buf_str(&sealed));
	assert_nothing_done();
	assert_int_equal(w.v.would, ACT_REPLACED);
	assert_string_equal(w.v.dec_result, "decrypted");
	assert_false(has(&w, "secret"));
	observe("carol@example.org", "alice@example.com", false,
	    "From: carol@example.org\n\nx\n");
	assert_nothing_done();
	assert_int_equal(w.v.would, ACT_REJECTED);
	buf_free(&sealed);
}

/* attack A50: the keystore is away, workers died on the octets
 * verdict: observed mail passes, and the record says 451 and 554 */
static void A50_faults_pass_too(void **state)
{
	static const char *const odd[] = {"", "\n", "no header", "From: a@b\n"
	    "From: c@d\n\nx\n", "Content-Type: multipart/signed\n\n--"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		observe("alice@example.com", "a%b@example.org", true, odd[i]);
		assert_nothing_done();
		observe("x@y.example", "alice@example.com", false, odd[i]);
		assert_nothing_done();
	}
	observe("alice@example.com", "bob@example.org", true, MAIL);
	verdict_free(&w.v);
	world_poisoned(&w);
	assert_nothing_done();
	assert_int_equal(w.v.would, ACT_REJECTED);
	assert_int_equal(w.v.would_code, 554);
}

static void a_second_look_changes_nothing(void **state)
{
	(void)state;
	observe("alice@example.com", "carol@example.org", true, MAIL);
	verdict_observe(&w.v, &w.env);
	assert_int_equal(w.v.would, ACT_REJECTED);
	assert_int_equal(w.v.would_code, 550);
}

static void without_the_word_nothing_is_observed(void **state)
{
	(void)state;
	world_seal(&w, "alice@example.com", "carol@example.org", MAIL);
	verdict_observe(&w.v, &w.env);
	assert_false(w.v.observed);
	assert_int_equal(w.v.action, ACT_REJECTED);
	assert_int_equal(w.v.code, 550);
}

static void null_sender_and_long_ones_are_kept(void **state)
{
	char address[600];
	struct verdict v;

	(void)state;
	world_envelope(&w, "<>", "bob@example.org");
	verdict_init(&v);
	verdict_note_envelope(&v, &w.env);
	assert_string_equal(v.sender, "");
	w.env.mail_from = "<a@b.example>";
	verdict_note_envelope(&v, &w.env);
	assert_string_equal(v.sender, "a@b.example");
	memset(address, 'a', sizeof(address));
	address[sizeof(address) - 1] = '\0';
	w.env.mail_from = address;
	w.env.id = w.env.queue_id = w.env.login = NULL;
	verdict_note_envelope(&v, &w.env);
	assert_true(strlen(v.sender) < sizeof(v.sender));
	assert_string_equal(v.queue_id, "");
	verdict_free(&v);
}

/* What programs and people are told of it. */
static void record_and_log_line_say_it(void **state)
{
	struct buf b;

	(void)state;
	observe("alice@example.com", "carol@example.org", true, MAIL);
	buf_init(&b, 1u << 20);
	verdict_json(&w.v, &b);
	assert_non_null(strstr(buf_str(&b), "\"observed\":true,\"would\":{"
	    "\"action\":\"rejected\",\"code\":550,\"text\":\"Not sent"));
	assert_non_null(strstr(buf_str(&b), "\"action\":\"unchanged\","
	    "\"reply\":null"));
	buf_clear(&b);
	verdict_log_line(&w.v, "Q", &b);
	assert_non_null(strstr(buf_str(&b), " action=unchanged observe=yes "
	    "would=rejected would-reply=550 "));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_would_be_sealed_is_left),
		cmocka_unit_test(what_would_be_refused_passes),
		cmocka_unit_test(what_would_be_opened_stays_sealed),
		cmocka_unit_test(A50_faults_pass_too),
		cmocka_unit_test(a_second_look_changes_nothing),
		cmocka_unit_test(without_the_word_nothing_is_observed),
		cmocka_unit_test(null_sender_and_long_ones_are_kept),
		cmocka_unit_test(record_and_log_line_say_it),
	};

	return cmocka_run_group_tests_name("gateway_observe", tests,
	    make_world, end_world);
}
