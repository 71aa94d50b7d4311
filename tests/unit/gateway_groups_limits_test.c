/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Many recipients in many groups, up to the caps and one beyond.
 */
#include "tests/unit/gateway_split.h"

static struct world w;

#define ALICE "alice@example.com"
#define MOST 2000

static const char *rcpt[MOST];
static struct buf names, text;

/* One certificate is everybody's at partner.example. */
static int make_world(void **state)
{
	struct cert *c;

	(void)state;
	world_make(&w);
	world_person(&w, ALICE, "rsa:2048");
	c = world_issue(&w, "gateway@partner.example", "ec:p256",
	    KS_SIGN | KS_ENCRYPT, 0, 300);
	if (keystore_bind(w.ks, KS_DOMAIN, "@partner.example",
	    cert_sha256(c), true, &w.e) != 0)
		fail_msg("%s", w.e.msg);
	cert_free(&c);
	buf_init(&names, 1u << 20);
	buf_init(&text, 1u << 20);
	for (size_t i = 0; i < MOST; i++)
		buf_printf(&names, "user%04zu@partner.example%c", i, '\0');
	for (size_t i = 0; i < MOST; i++)
		rcpt[i] = buf_str(&names) + i * strlen("user0000@"
		    "partner.example.");
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	buf_free(&names);
	buf_free(&text);
	world_end(&w);
	return 0;
}

/* n recipients, of whom To shows the first ones. */
static void seal_many(size_t n, size_t shown)
{
	world_rules(&w, "outbound : sign, encrypt\ninbound : decrypt, "
	    "verify\n");
	memset(&w.env, 0, sizeof(w.env));
	w.env.id = "testid";
	w.env.now = time(NULL);
	w.env.mail_from = ALICE;
	w.env.rcpt = rcpt;
	w.env.rcpts = n;
	w.env.forced = DIR_OUTBOUND;
	w.env.auth = ENV_AUTH_CALLER;
	w.env.can_split = true;
	buf_clear(&text);
	buf_puts(&text, "From: alice@example.com\nMIME-Version: 1.0\n"
	    "Content-Type: text/plain\nTo: alice@example.com");
	for (size_t i = 0; i < shown; i++)
		buf_printf(&text, ",\n %s", rcpt[i]);
	buf_puts(&text, "\n\nSecret plans\n");
	assert_int_equal(buf_ok(&text, NULL), 0);
	world_message_view(&w, buf_view(&text));
	world_run(&w);
}

static void S97_a_thousand_recipients_in_fifty_groups(void **state)
{
	(void)state;
	seal_many(1000, 951);
	if (w.v.code != 0)
		fail_msg("%d %s (%s)", w.v.code, w.v.text, w.e.msg);
	assert_int_equal(w.v.action, ACT_SPLIT);
	assert_int_equal(w.v.copy_n, 49);
	assert_int_equal(w.key_ops, 1);
	for (size_t i = 0; i < w.v.rcpts; i++) {
		assert_int_equal(w.v.rcpt[i].outcome, OUT_SEALED);
		assert_int_equal(w.v.rcpt[i].group, i < 951 ? 1
		    : (int)(i - 949));
	}
	for (size_t i = 0; i < w.v.copy_n; i++) {
		assert_int_equal(w.v.copy[i].kind, COPY_SENT);
		assert_int_equal(w.v.copy[i].off, i == 0 ? 0
		    : w.v.copy[i - 1].off + w.v.copy[i - 1].size);
	}
}

static void as_many_groups_as_the_cap_and_not_one_more(void **state)
{
	(void)state;
	seal_many(CAP_GROUPS, 0);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.copy_n, CAP_GROUPS - 1);
	assert_int_equal(w.key_ops, 1);
	seal_many(CAP_GROUPS + 1, 0);
	assert_int_equal(w.v.code, 550);
	assert_string_equal(w.v.enhanced, "5.7.3");
	assert_non_null(strstr(w.v.rcpt[0].reason, "more different copies"));
	assert_int_equal(w.v.copy_n, 0);
	assert_int_equal(w.key_ops, 0);
}

/* All copies of a message are equally long here, but for the message in
 * place, which has no trace field. */
static void M10_as_many_octets_as_the_cap_and_not_one_more(void **state)
{
	uint64_t max = 16384, n;

	(void)state;
	world_config(&w, "max-message-size 16K");
	seal_many(3, 0);
	assert_int_equal(w.v.copy_n, 2);
	assert_int_equal(w.v.copy[0].size, w.v.copy[1].size);
	n = max * CAP_COPIES / w.v.copy[0].size;
	assert_true(n > 16 && n < MOST);
	seal_many((size_t)n + 1, 0);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.copy_n, n);
	seal_many((size_t)n + 2, 0);
	assert_int_equal(w.v.code, 552);
	assert_string_equal(w.v.enhanced, "5.3.4");
	assert_int_equal(w.v.copy_n, 0);
	assert_null(w.v.copies);
	world_config(&w, NULL);
}

/* Each with a certificate of his own. */
static void S97_as_many_in_one_copy_as_its_reader_takes(void **state)
{
	struct cert *c;

	(void)state;
	assert_int_equal(keystore_begin(w.ks, &w.e), 0);
	for (size_t i = 0; i <= CAP_CMS_RECIPIENTS; i++) {
		c = world_issue(&w, rcpt[i], "ec:p256", KS_ENCRYPT, 0, 300);
		cert_free(&c);
	}
	assert_int_equal(keystore_commit(w.ks, &w.e), 0);
	seal_many(CAP_CMS_RECIPIENTS, CAP_CMS_RECIPIENTS);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.action, ACT_REPLACED);
	assert_int_equal(rids_of(&w.out, NULL), CAP_CMS_RECIPIENTS);
	seal_many(CAP_CMS_RECIPIENTS + 1, CAP_CMS_RECIPIENTS + 1);
	if (w.v.code != 0)
		fail_msg("%d %s (%s)", w.v.code, w.v.text, w.e.msg);
	assert_int_equal(w.v.action, ACT_SPLIT);
	assert_int_equal(w.v.copy_n, 1);
	assert_int_equal(w.key_ops, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S97_a_thousand_recipients_in_fifty_groups),
		cmocka_unit_test(as_many_groups_as_the_cap_and_not_one_more),
		cmocka_unit_test(
		    M10_as_many_octets_as_the_cap_and_not_one_more),
		cmocka_unit_test(S97_as_many_in_one_copy_as_its_reader_takes),
	};

	return cmocka_run_group_tests_name("gateway_groups_limits", tests,
	    make_world, end_world);
}
