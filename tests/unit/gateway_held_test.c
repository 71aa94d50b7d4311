/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What is held is sealed, opens again, goes when its time is over; and what
 * its sender reads about it.
 */
#include "tests/unit/gateway_world.h"

#include "gateway/held.h"
#include "gateway/sender_notice.h"
#include "gateway/texts.h"
#include "keystore/held.h"

#define CANARY "canary-7f3a91"
#define SUBJECT "Subject: " CANARY " subject\n"
#define DAY 86400

static const char *const one[] = {"<bob@example.net> NOTIFY=NEVER"};

static void make_held_cert(struct world *w)
{
	struct cert *c = NULL;

	if (keystore_held_make(w->ks, buf_view(&w->secret), time(NULL), &c,
	    &w->e) != 0)
		fail_msg("%s", w->e.msg);
	cert_free(&c);
}

#define NOTICES                                                            \
	"administrator admin@example.com\n"                                \
	"notices {\n to admin@example.com\n via \"127.0.0.1:25\"\n}\n"

static void world_with(struct world *w, const char *config)
{
	world_make(w);
	make_held_cert(w);
	world_config(w, config);
}

static struct keyring *held_keys(struct world *w)
{
	struct keyring *kr = NULL;

	if (keyring_load_held(&kr, w->ks, buf_view(&w->secret), &w->e) != 0)
		fail_msg("%s", w->e.msg);
	return kr;
}

static struct spool *new_spool(void)
{
	struct spool *s = NULL;

	assert_int_equal(spool_new(&s, 1u << 30, NULL), 0);
	return s;
}

static bool spool_has(const struct spool *s, const char *what)
{
	struct buf b;
	struct sink to;
	bool is;

	buf_init(&b, 64u << 20);
	to = sink_to_buf(&b);
	assert_int_equal(spool_copy(s, 0, spool_size(s), &to, NULL), 0);
	is = memmem(b.p, b.n, what, strlen(what)) != NULL;
	buf_free(&b);
	return is;
}

static const char message[] =
    "From: alice@example.com\nTo: bob@example.net\n" SUBJECT
    "Message-ID: <1@example.com>\n\n" CANARY " body\n";

static struct held_mail mail_of(const char *id, int64_t at, uint64_t size)
{
	struct held_mail m = {.id = id, .at = at, .direction = DIR_OUTBOUND,
	    .sender = "<alice@example.com>", .rcpt = one, .rcpts = 1,
	    .login = "alice", .client = "127.0.0.1",
	    .reason = "bob@example.net has no certificate", .size = size,
	    .may_tell = true};

	return m;
}

/* ---- sealing ---- */

static void A54_what_is_sealed_shows_no_word_of_it(void **state)
{
	struct spool *sealed = new_spool(), *out = new_spool();
	struct keyring *kr;
	struct world w;

	(void)state;
	world_with(&w, "quarantine {\n}\n");
	world_message(&w, message);
	assert_int_equal(spool_write(sealed, "before", 6, NULL), 0);
	if (held_seal(w.ks, w.msg, 0, sealed, &w.e) != 0)
		fail_msg("%s", w.e.msg);
	assert_false(spool_has(sealed, CANARY));
	assert_false(spool_has(sealed, "alice"));
	kr = held_keys(&w);
	if (held_open(kr, sealed, 6, spool_size(sealed) - 6, out, &w.e) != 0)
		fail_msg("%s", w.e.msg);
	assert_int_equal(spool_size(out), spool_size(w.msg));
	assert_true(spool_has(out, CANARY " body\r\n"));
	keyring_free(&kr);
	spool_free(&sealed);
	spool_free(&out);
	world_end(&w);
}

static void every_octet_that_is_damaged_is_noticed(void **state)
{
	struct spool *sealed = new_spool(), *out = new_spool(), *bad;
	unsigned char octets[8192];
	struct keyring *kr;
	struct world w;
	size_t n;

	(void)state;
	world_with(&w, "quarantine {\n}\n");
	world_message(&w, message);
	assert_int_equal(held_seal(w.ks, w.msg, 0, sealed, &w.e), 0);
	kr = held_keys(&w);
	assert_int_equal(spool_read(sealed, 0, octets, sizeof(octets), &n,
	    NULL), 0);
	assert_int_equal(n, spool_size(sealed));
	for (size_t i = 0; i < n; i += 7) {
		bad = new_spool();
		octets[i] ^= 0x10;
		assert_int_equal(spool_write(bad, octets, n, NULL), 0);
		octets[i] ^= 0x10;
		err_clear(&w.e);
		if (held_open(kr, bad, 0, n, out, &w.e) == 0 &&
		    !(spool_size(out) == spool_size(w.msg) &&
		    spool_has(out, CANARY " body")))
			fail_msg("octet %zu", i);
		assert_int_equal(spool_clear(out, NULL), 0);
		spool_free(&bad);
	}
	err_clear(&w.e);
	assert_int_equal(held_open(kr, sealed, 0, n - 1, out, &w.e), -1);
	keyring_free(&kr);
	spool_free(&sealed);
	spool_free(&out);
	world_end(&w);
}

static void without_a_certificate_the_command_is_named(void **state)
{
	struct spool *sealed = new_spool();
	struct world w;

	(void)state;
	world_make(&w);
	world_message(&w, message);
	assert_int_equal(held_seal(w.ks, w.msg, 0, sealed, &w.e), -1);
	assert_int_equal(w.e.kind, FAIL_CONFIG);
	assert_non_null(strstr(w.e.msg, "postseal quarantine init"));
	err_clear(&w.e);
	assert_int_equal(held_check(w.ks, w.config, &w.e), 0);
	world_config(&w, "quarantine {\n}\n");
	assert_int_equal(held_check(w.ks, w.config, &w.e), -1);
	assert_non_null(strstr(w.e.msg, "postseal quarantine init"));
	spool_free(&sealed);
	world_end(&w);
}

static void a_large_message_is_sealed_and_opened(void **state)
{
	struct spool *sealed = new_spool(), *out = new_spool();
	struct keyring *kr;
	struct world w;
	char chunk[65536];

	(void)state;
	world_with(&w, "quarantine {\n}\n");
	world_message(&w, message);
	memset(chunk, 'x', sizeof(chunk));
	for (int i = 0; i < 80; i++)
		assert_int_equal(spool_write(w.msg, chunk, sizeof(chunk),
		    NULL), 0);
	assert_int_equal(held_seal(w.ks, w.msg, 0, sealed, &w.e), 0);
	kr = held_keys(&w);
	if (held_open(kr, sealed, 0, spool_size(sealed), out, &w.e) != 0)
		fail_msg("%s", w.e.msg);
	assert_int_equal(spool_size(out), spool_size(w.msg));
	keyring_free(&kr);
	spool_free(&sealed);
	spool_free(&out);
	world_end(&w);
}

/* ---- who is told ---- */

struct told_mail {
	char to[200];
	struct buf text;
};

static int64_t next_told(struct world *w, struct told_mail *m)
{
	int64_t id, next;
	struct buf to;
	bool lost;

	buf_init(&to, 199);
	buf_init(&m->text, 1u << 20);
	if (keystore_told_next(w->ks, INT64_MAX, &id, &next, &to, &m->text,
	    &w->e) != 0)
		fail_msg("%s", w->e.msg);
	text_set(m->to, sizeof(m->to), buf_str(&to));
	buf_free(&to);
	if (id != 0)
		assert_int_equal(keystore_told_done(w->ks, id, time(NULL), 0,
		    &lost, NULL), 0);
	return id;
}

static bool is_told(struct world *w)
{
	struct told_mail m;
	int64_t id = next_told(w, &m);

	buf_free(&m.text);
	return id != 0;
}

/* attack A49: mail of programs, lists and bounces is held, so that notices
 * about it go round in circles.
 * verdict: nobody is told. */
static void A49_S48_programs_and_lists_are_not_told(void **state)
{
	static const struct {
		const char *from, *fields;
		bool wanted;
	} cases[] = {
		{"<alice@example.com>", "", true},
		{"<alice@example.com>", "Auto-Submitted: no\n", true},
		{"<alice@example.com>", "Precedence: normal\n", true},
		{"<>", "", false},
		{"<alice@example.com>", "Auto-Submitted: auto-replied\n",
		    false},
		{"<alice@example.com>", "Auto-Submitted: no\n"
		    "Auto-Submitted: auto-generated\n", false},
		{"<alice@example.com>", "Precedence: bulk\n", false},
		{"<alice@example.com>", "Precedence:  LIST\n", false},
		{"<alice@example.com>", "Precedence: junk\n", false},
		{"<alice@example.com>", "List-Id: <a.example.com>\n", false},
		{"<alice@example.com>", "List-Unsubscribe: <mailto:a@b>\n",
		    false},
		{"<alice@example.com>", "X-Auto-Response-Suppress: All\n",
		    false},
		{"<alice@example.com>", "MIME-Version: 1.0\nContent-Type: "
		    "multipart/report; report-type=x; boundary=b\n", false},
	};
	struct world w;
	struct buf b;

	(void)state;
	world_with(&w, "quarantine {\n}\n" NOTICES);
	world_rules(&w, "outbound : sign or plain, encrypt or plain\n"
	    "inbound : verify\n");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_init(&b, 4096);
		buf_printf(&b, "From: alice@example.com\n%sSubject: x\n\n"
		    "x\n", cases[i].fields);
		world_seal(&w, cases[i].from, "<bob@example.net>",
		    buf_str(&b));
		if (w.v.may_tell != cases[i].wanted)
			fail_msg("%s %s", cases[i].from, cases[i].fields);
		buf_free(&b);
	}
	world_end(&w);
}

static void S48_only_local_senders_who_logged_in_are_told(void **state)
{
	struct held_mail m = mail_of("id-1", time(NULL), 1);
	struct world w;
	struct addr a;

	(void)state;
	world_with(&w, "quarantine {\n}\n" NOTICES);
	assert_true(sender_notice_to(w.config, &m, &a));
	assert_string_equal(a.text, "alice@example.com");
	m.login = "alice@example.com";
	assert_true(sender_notice_to(w.config, &m, &a));
	m.login = "";
	assert_false(sender_notice_to(w.config, &m, &a));
	m.login = "bob"; /* writes under her name */
	assert_false(sender_notice_to(w.config, &m, &a));
	m = mail_of("id-1", time(NULL), 1);
	m.sender = "<mallory@elsewhere.example>";
	m.login = "mallory@elsewhere.example";
	assert_false(sender_notice_to(w.config, &m, &a));
	m = mail_of("id-1", time(NULL), 1);
	m.direction = DIR_INBOUND;
	assert_false(sender_notice_to(w.config, &m, &a));
	m = mail_of("id-1", time(NULL), 1);
	m.may_tell = false;
	assert_false(sender_notice_to(w.config, &m, &a));
	m = mail_of("id-1", time(NULL), 1);
	m.sender = "<>";
	assert_false(sender_notice_to(w.config, &m, &a));
	m = mail_of("id-1", time(NULL), 1);
	world_config(&w, "quarantine {\n notify-sender no\n}\n" NOTICES);
	assert_false(sender_notice_to(w.config, &m, &a));
	world_config(&w, "quarantine {\n}\n");
	assert_false(sender_notice_to(w.config, &m, &a));
	world_end(&w);
}

/* attack A31: names and parameters of addresses are chosen so that they
 * write into the notice.
 * verdict: addresses alone stand in it, one a line. */
static void A31_S48_a_notice_has_addresses_and_no_content(void **state)
{
	static const char *const rcpt[] = {
		"<bob@example.net> ORCPT=rfc822;evil",
		"<\"click here http://evil\"@example.net>", "nonsense",
		"<carol@example.net>"};
	struct held_mail m = mail_of("id-1", 1800000000, 1);
	struct buf mail;
	struct world w;

	(void)state;
	world_with(&w, "quarantine {\n keep 7d\n}\n" NOTICES);
	m.rcpt = rcpt;
	m.rcpts = ARRAY_LEN(rcpt);
	buf_init(&mail, 1u << 20);
	if (sender_notice_compose(w.config, TOLD_HELD, &m, 1800000100, &mail,
	    &w.e) != 0)
		fail_msg("%s", w.e.msg);
	for (const char *s = buf_str(&mail); *s != '\0'; s++)
		assert_true((unsigned char)*s < 0x7f);
	assert_non_null(strstr(buf_str(&mail), "To: <alice@example.com>\r\n"
	    "Subject: Your message has not been sent yet\r\nDate: "));
	assert_non_null(strstr(buf_str(&mail),
	    "\r\nAuto-Submitted: auto-generated\r\n"));
	assert_non_null(strstr(buf_str(&mail), "2027-01-15 08:00 UTC"));
	assert_non_null(strstr(buf_str(&mail), "2027-01-22"));
	assert_non_null(strstr(buf_str(&mail), "    bob@example.net\r\n"));
	assert_non_null(strstr(buf_str(&mail), "    carol@example.net\r\n"));
	assert_null(strstr(buf_str(&mail), "evil;"));
	assert_null(strstr(buf_str(&mail), "rfc822"));
	assert_null(strstr(buf_str(&mail), "nonsense"));
	assert_null(strstr(buf_str(&mail), CANARY));
	assert_non_null(strstr(buf_str(&mail), "Reason: bob@example.net has "
	    "no certificate\r\n"));
	assert_non_null(strstr(buf_str(&mail), "id-1"));
	assert_non_null(strstr(buf_str(&mail), "admin@example.com"));
	buf_free(&mail);
	world_end(&w);
}

static void a_notice_is_in_the_senders_language(void **state)
{
	struct held_mail m = mail_of("id-1", 1800000000, 1);
	char here[1500];
	struct buf b;
	struct world w;

	(void)state;
	world_with(&w, NULL);
	assert_non_null(getcwd(here, sizeof(here)));
	buf_init(&b, 8192);
	buf_printf(&b, "quarantine {\n}\nlanguage pl\ntexts "
	    "\"%s/share/texts\"\n" NOTICES, here);
	world_config(&w, buf_str(&b));
	buf_clear(&b);
	if (sender_notice_compose(w.config, TOLD_EXPIRED, &m, 1800000100, &b,
	    &w.e) != 0)
		fail_msg("%s", w.e.msg);
	assert_non_null(strstr(buf_str(&b), "Subject: =?utf-8?"));
	assert_non_null(strstr(buf_str(&b), "zosta=C5=82a"));
	buf_free(&b);
	world_end(&w);
}

/* ---- keeping and the end ---- */

static void keep(struct world *w, const char *id, int64_t at, int expected)
{
	struct spool *sealed = new_spool();
	struct held_mail m;

	world_message(w, message);
	assert_int_equal(held_seal(w->ks, w->msg, 0, sealed, &w->e), 0);
	m = mail_of(id, at, spool_size(sealed));
	err_clear(&w->e);
	if (held_keep(w->ks, w->config, &m, sealed, 0, &w->e) != expected)
		fail_msg("%s: %s", id, w->e.msg);
	spool_free(&sealed);
}

static void S48_the_sender_is_told_once_it_is_kept(void **state)
{
	struct told_mail m;
	struct world w;

	(void)state;
	world_with(&w, "quarantine {\n notify admin@example.com\n}\n"
	    NOTICES);
	keep(&w, "id-1", time(NULL), 0);
	assert_int_not_equal(next_told(&w, &m), 0);
	assert_string_equal(m.to, "alice@example.com");
	buf_free(&m.text);
	assert_int_not_equal(next_told(&w, &m), 0);
	assert_string_equal(m.to, "admin@example.com");
	assert_non_null(strstr(buf_str(&m.text),
	    "Subject: A message waits for a decision\r\n"));
	assert_non_null(strstr(buf_str(&m.text), "alice@example.com"));
	buf_free(&m.text);
	assert_false(is_told(&w));
	world_end(&w);
}

static void nothing_is_kept_beyond_its_size(void **state)
{
	int64_t now = time(NULL);
	uint64_t n, octets;
	struct world w;

	(void)state;
	world_with(&w, "quarantine {\n size 1M\n}\n" NOTICES);
	keep(&w, "id-1", now, 0);
	assert_int_equal(keystore_held_total(w.ks, &n, &octets, &w.e), 0);
	w.config->quarantine.size = 2 * octets;
	keep(&w, "id-2", now, 0);
	keep(&w, "id-3", now, -1);
	assert_int_equal(w.e.kind, FAIL_LIMIT);
	world_end(&w);
}

static uint64_t held_number(struct world *w)
{
	uint64_t n, octets;

	assert_int_equal(keystore_held_total(w->ks, &n, &octets, &w->e), 0);
	return n;
}

static void what_is_held_too_long_goes_and_its_sender_hears(void **state)
{
	int64_t now = time(NULL);
	struct told_mail m;
	struct world w;
	size_t n;

	(void)state;
	world_with(&w, "quarantine {\n keep 7d\n}\n" NOTICES);
	keep(&w, "old", now - 7 * DAY, 0);
	keep(&w, "new", now - 7 * DAY + 100, 0);
	while (is_told(&w))
		;
	assert_int_equal(held_expire(w.ks, w.config, now - 1, &n, &w.e), 0);
	assert_int_equal(n, 0);
	assert_int_equal(held_expire(w.ks, w.config, now, &n, &w.e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(held_number(&w), 1);
	assert_int_not_equal(next_told(&w, &m), 0);
	assert_non_null(strstr(buf_str(&m.text),
	    "Subject: Your message was not sent\r\n"));
	buf_free(&m.text);
	assert_false(is_told(&w));
	world_end(&w);
}

/* Nothing is lost silently: who was told too often is told later. */
static void A49_it_stays_until_its_sender_can_be_told(void **state)
{
	int64_t now = time(NULL);
	struct world w;
	char id[20];
	size_t n;

	(void)state;
	world_with(&w, "quarantine {\n keep 7d\n notify-sender no\n}\n"
	    NOTICES);
	for (int i = 0; i < TOLD_EACH + 3; i++) {
		set_path(id, sizeof(id), "id", (const char[]){
		    (char)('a' + i), '\0'});
		keep(&w, id, now - 8 * DAY, 0);
	}
	w.config->quarantine.notify_sender = true;
	assert_int_equal(held_expire(w.ks, w.config, now, &n, &w.e), 0);
	assert_int_equal(n, TOLD_EACH);
	assert_int_equal(held_number(&w), 3);
	assert_int_equal(held_expire(w.ks, w.config, now + 10, &n, &w.e), 0);
	assert_int_equal(n, 0);
	assert_int_equal(held_expire(w.ks, w.config, now + 3601, &n, &w.e),
	    0);
	assert_int_equal(n, 3);
	assert_int_equal(held_number(&w), 0);
	world_end(&w);
}

/* ---- the pipeline ---- */

static void S47_M42_what_cannot_be_encrypted_waits_sealed(void **state)
{
	struct spool *out = new_spool();
	struct keyring *kr;
	struct world w;

	(void)state;
	world_with(&w, "quarantine {\n}\n" NOTICES);
	world_rules(&w, "outbound : sign or plain, encrypt or quarantine\n"
	    "inbound : verify\n");
	world_envelope(&w, "<alice@example.com>", "<bob@example.net>");
	w.env.auth = ENV_AUTH_LOGIN;
	w.env.login = "alice";
	w.env.can_split = w.env.can_hold = true;
	world_message(&w, message);
	world_run(&w);
	if (w.v.action != ACT_QUARANTINED)
		fail_msg("%s: %d %s (%s)", action_str(w.v.action), w.v.code,
		    w.v.text, w.e.msg);
	assert_int_equal(w.v.copy_n, 1);
	assert_int_equal(w.v.copy[0].kind, COPY_HELD);
	assert_true(w.v.may_tell);
	assert_false(spool_has(w.v.copies, CANARY));
	kr = held_keys(&w);
	if (held_open(kr, w.v.copies, w.v.copy[0].off, w.v.copy[0].size, out,
	    &w.e) != 0)
		fail_msg("%s", w.e.msg);
	assert_true(spool_has(out, CANARY " body"));
	assert_int_equal(spool_size(out), spool_size(w.msg));
	keyring_free(&kr);
	spool_free(&out);
	world_end(&w);
}

static void paths_end_where_parameters_begin(void **state)
{
	static const struct {
		const char *raw, *path, *rest;
	} cases[] = {
		{"<a@b>", "<a@b>", ""},
		{"<a@b> NOTIFY=NEVER ORCPT=rfc822;x", "<a@b>",
		    "NOTIFY=NEVER ORCPT=rfc822;x"},
		{"<\"a b\"@c> X=1", "<\"a b\"@c>", "X=1"},
		{"<\"a\\\" b\"@c> X", "<\"a\\\" b\"@c>", "X"},
		{"", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b;

		buf_init(&b, 100);
		assert_string_equal(held_path(cases[i].raw, &b),
		    cases[i].rest);
		assert_string_equal(buf_str(&b), cases[i].path);
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_certificate_the_command_is_named),
		cmocka_unit_test(A54_what_is_sealed_shows_no_word_of_it),
		cmocka_unit_test(every_octet_that_is_damaged_is_noticed),
		cmocka_unit_test(a_large_message_is_sealed_and_opened),
		cmocka_unit_test(A49_S48_programs_and_lists_are_not_told),
		cmocka_unit_test(
		    S48_only_local_senders_who_logged_in_are_told),
		cmocka_unit_test(
		    A31_S48_a_notice_has_addresses_and_no_content),
		cmocka_unit_test(a_notice_is_in_the_senders_language),
		cmocka_unit_test(S48_the_sender_is_told_once_it_is_kept),
		cmocka_unit_test(nothing_is_kept_beyond_its_size),
		cmocka_unit_test(
		    what_is_held_too_long_goes_and_its_sender_hears),
		cmocka_unit_test(A49_it_stays_until_its_sender_can_be_told),
		cmocka_unit_test(
		    S47_M42_what_cannot_be_encrypted_waits_sealed),
		cmocka_unit_test(paths_end_where_parameters_begin),
	};

	return cmocka_run_group_tests_name("gateway_held", tests, NULL, NULL);
}
