/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Incoming mail whose recipients need different copies: who may open it, who
 * is not to have it yet, whose mailbox is sealed.
 */
#include "tests/unit/gateway_make.h"
#include "tests/unit/gateway_split.h"

#include "gateway/lists.h"
#include "keystore/listed.h"

static struct world w;

#define ALICE "alice@example.com"
#define BOB "bob@example.org"
#define CAROL "carol@example.com"
#define DAVE "dave@example.com"
#define NOBODY "nobody@example.com"

#define TEXT                                                                \
	"From: alice@example.com\nTo: bob@example.org, carol@example.com\n" \
	"Cc: nobody@example.com\nSubject: Plans\nMIME-Version: 1.0\n"       \
	"Content-Type: text/plain\n\nSecret plans\n"
#define QUARANTINE "quarantine {\n size 1M\n}\n"
#define PASS "outbound : pass\n"

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_config(&w, QUARANTINE);
	world_person(&w, ALICE, "rsa:2048");
	world_person(&w, BOB, "ec:p256");
	world_person(&w, CAROL, "rsa:2048");
	world_person(&w, DAVE, "rsa:2048");
	can_hold(&w);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

/* w.out, to these. */
static void arrive(const char *to)
{
	struct buf copy;

	buf_init(&copy, 1u << 20);
	buf_putv(&copy, buf_view(&w.out));
	split_open(&w, ALICE, to, buf_view(&copy));
	if (w.v.code != 0)
		fail_msg("%d %s (%s)", w.v.code, w.v.text, w.e.msg);
	buf_free(&copy);
}

/* What that recipient gets has this, or has it not. */
static void expect_in(const char *who, const char *piece, bool is)
{
	struct buf m;

	message_of(&w, who, &m);
	if (buf_has(&m, piece) != is)
		fail_msg("%s: \"%s\" is%s there", who, piece, is ? " not"
								 : "");
	buf_free(&m);
}

static void seal_for(const char *to)
{
	world_rules(&w, "outbound : sign, encrypt\ninbound : pass\n");
	world_seal(&w, ALICE, to, TEXT);
	assert_int_equal(w.v.code, 0);
}

/* ---- who may open ---- */

static void S203_who_has_a_key_gets_it_opened_others_as_it_arrived(
    void **state)
{
	static const char *const to[] = {BOB " " NOBODY, NOBODY " " BOB,
	    NOBODY " " BOB " x@example.com"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		seal_for(BOB);
		world_rules(&w, PASS "inbound : decrypt, verify\n");
		arrive(to[i]);
		assert_int_equal(w.v.action, ACT_SPLIT);
		assert_int_equal(w.v.copy_n, 1);
		assert_int_equal(w.key_ops, 1);
		assert_int_equal(outcome_of(&w, BOB), OUT_OPENED);
		assert_int_equal(outcome_of(&w, NOBODY), OUT_PASSED);
		assert_string_equal(w.v.dec_result, "decrypted");
		assert_string_equal(w.v.sig_result, "pass");
		/* his is the one in place, and a bounce has no text (S47) */
		assert_int_equal(w.v.here, group_of(&w, BOB));
		assert_true(w.v.ret_hdrs);
		assert_false(w.v.copy[0].ret_hdrs);
		expect_in(BOB, "Secret plans", true);
		expect_in(NOBODY, "Secret plans", false);
		expect_in(NOBODY, "enveloped-data", true);
		expect_in(NOBODY, "smime=pass", false);
		if (i == 2)
			assert_int_equal(group_of(&w, NOBODY), group_of(&w,
			    "x@example.com"));
	}
	/* one body: for all or nobody */
	seal_for(BOB);
	world_rules(&w, PASS "inbound : decrypt, verify\n");
	world_open_again(&w, ALICE, BOB " " NOBODY);
	assert_true(is_untouched(&w));
	assert_int_equal(w.v.copy_n, 0);
}

static void S203_keys_that_agree_are_one_group(void **state)
{
	(void)state;
	seal_for(BOB " " CAROL);
	world_rules(&w, PASS "inbound : decrypt, verify\n");
	arrive(BOB " " CAROL);
	assert_int_equal(w.v.action, ACT_REPLACED);
	assert_int_equal(w.v.copy_n, 0);
	assert_int_equal(w.key_ops, 2);
	assert_int_equal(outcome_of(&w, CAROL), OUT_OPENED);
}

/* The encrypted key of his RecipientInfo is another one's now. */
static void spoil_key_of(struct buf *der, const char *who)
{
	struct cert *c = make_cert(&w, who, KS_ENCRYPT);
	struct view ias = cert_ias(c);
	unsigned char *p = memmem(der->p, der->n, ias.p, ias.n);
	bool rsa = cert_key_type(c) == CERT_KEY_RSA;

	assert_non_null(p);
	p = memmem(p, 400, rsa ? "\x04\x82\x01\x00" : "\x04\x28", rsa ? 4
								      : 2);
	assert_non_null(p);
	p[30] ^= 0x55;
	cert_free(&c);
}

/* attack A9: captured ciphertext with a RecipientInfo added that names
 * another recipient, who gets it too
 * verdict: opened for whom its key is sound, as it arrived for the other */
static void A9_S203_to_be_named_opens_nothing_for_him(void **state)
{
	static const char *const spoilt[] = {BOB, CAROL};
	struct buf der;

	(void)state;
	buf_init(&der, 1u << 20);
	for (size_t i = 0; i < ARRAY_LEN(spoilt); i++) {
		const char *sound = spoilt[1 - i];

		seal_for(BOB " " CAROL);
		buf_clear(&der);
		buf_putv(&der, buf_view(&w.out));
		make_bare(&der);
		spoil_key_of(&der, spoilt[i]);
		make_base64(&der, "From: alice@example.com\r\n"
		    "MIME-Version: 1.0\r\nContent-Type: "
		    "application/pkcs7-mime; smime-type=enveloped-data\r\n");
		buf_clear(&w.out);
		buf_putv(&w.out, buf_view(&der));
		world_rules(&w, PASS "inbound : decrypt, verify\n");
		arrive(BOB " " CAROL);
		assert_int_equal(w.v.action, ACT_SPLIT);
		assert_int_equal(outcome_of(&w, sound), OUT_OPENED);
		assert_int_equal(outcome_of(&w, spoilt[i]), OUT_PASSED);
		expect_in(sound, "Secret plans", true);
		expect_in(spoilt[i], "Secret plans", false);
		/* who gave no key was asked again, alone */
		assert_int_equal(w.key_ops, 3);
		assert_string_equal(w.v.dec_result, "decrypted");
	}
	buf_free(&der);
}

static void rules_that_differ_are_groups(void **state)
{
	(void)state;
	seal_for(BOB " " CAROL);
	world_rules(&w, PASS "inbound to " CAROL " : leave-sealed\n"
	    "inbound : decrypt, verify\n");
	arrive(CAROL " " BOB);
	assert_int_equal(w.v.action, ACT_SPLIT);
	assert_int_equal(outcome_of(&w, BOB), OUT_OPENED);
	assert_int_equal(outcome_of(&w, CAROL), OUT_PASSED);
	expect_in(CAROL, "Secret plans", false);
	/* both open it, one keeps the signature unread */
	seal_for(BOB " " CAROL);
	world_rules(&w, PASS "inbound to " CAROL " : decrypt\n"
	    "inbound : decrypt, verify\n");
	arrive(CAROL " " BOB);
	assert_int_equal(w.v.copy_n, 1);
	assert_true(w.v.copy[0].ret_hdrs && w.v.ret_hdrs); /* S47 */
	expect_in(CAROL, "Secret plans", true);
	expect_in(BOB, "smime=pass", true);
	expect_in(CAROL, "smime=pass", false);
}

/* ---- what rules demand ---- */

#define DEMAND(word)                                                        \
	PASS "inbound to " CAROL " : decrypt, verify or " word "\n"         \
	"inbound : decrypt, verify\n"

static void verify_or_quarantine_holds_only_whose_rule_says_so(void **state)
{
	const struct copy *c;

	(void)state;
	world_rules(&w, DEMAND("quarantine"));
	split_open(&w, ALICE, CAROL " " BOB, view_of(TEXT));
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.action, ACT_SPLIT);
	assert_int_equal(w.v.copy_n, 1);
	c = copy_of(&w, group_of(&w, CAROL));
	assert_int_equal(c->kind, COPY_HELD);
	assert_int_equal(outcome_of(&w, CAROL), OUT_QUARANTINED);
	assert_non_null(strstr(w.v.rcpt[0].reason,
	    "a valid signature is required, and it is none"));
	assert_int_equal(outcome_of(&w, BOB), OUT_PASSED);
	expect_in(BOB, "Secret plans", true);
	/* alone: nobody gets it */
	split_open(&w, ALICE, CAROL, view_of(TEXT));
	assert_int_equal(w.v.action, ACT_QUARANTINED);
	assert_int_equal(w.v.here, 0);
	assert_int_equal(w.v.copy_n, 1);
	assert_int_equal(w.v.edits, 0);
	/* the mail server's own hold queue is for all */
	world_envelope(&w, ALICE, CAROL " " BOB);
	w.env.forced = DIR_INBOUND;
	w.env.can_split = true;
	world_message(&w, TEXT);
	world_run(&w);
	assert_int_equal(w.v.action, ACT_QUARANTINED);
	assert_int_equal(w.v.copy_n, 0);
	assert_int_equal(outcome_of(&w, BOB), OUT_QUARANTINED);
}

static void S202_verify_or_reject_of_one_refuses_all(void **state)
{
	(void)state;
	world_rules(&w, DEMAND("reject"));
	split_open(&w, ALICE, BOB " " CAROL " " NOBODY, view_of(TEXT));
	assert_int_equal(w.v.code, 550);
	assert_int_equal(w.v.action, ACT_REJECTED);
	assert_int_equal(w.v.copy_n, 0);
	assert_int_equal(outcome_of(&w, BOB), OUT_REFUSED);
}

static void what_is_too_large_is_held_whole(void **state)
{
	struct buf b;

	(void)state;
	world_config(&w, QUARANTINE "max-message-size 1K\n");
	world_rules(&w, DEMAND("quarantine"));
	buf_init(&b, 4096);
	buf_printf(&b, "%s%1024s\n", TEXT, "x");
	split_open(&w, ALICE, CAROL " " BOB, buf_view(&b));
	buf_free(&b);
	assert_int_equal(w.v.action, ACT_QUARANTINED);
	assert_int_equal(w.v.copy_n, 1);
	assert_int_equal(w.v.copy[0].kind, COPY_HELD);
	assert_int_equal(group_of(&w, CAROL), 1);
	assert_int_equal(group_of(&w, BOB), 1);
	world_config(&w, QUARANTINE);
}

/* attack A55: a message that workers die on, to a rule that holds what is not
 * validly signed
 * verdict: held, sealed, unread */
static void A55_what_nobody_can_work_on_is_held_sealed(void **state)
{
	struct gateway g = {w.config, NULL, w.ks, NULL, NULL};

	(void)state;
	world_rules(&w, DEMAND("quarantine"));
	g.rules = w.rules;
	world_envelope(&w, ALICE, CAROL " " BOB);
	w.env.forced = DIR_INBOUND;
	w.env.can_split = w.env.can_hold = true;
	world_message(&w, TEXT);
	verdict_free(&w.v);
	gateway_poisoned(&g, &w.env, w.msg, &w.v);
	assert_int_equal(w.v.action, ACT_QUARANTINED);
	assert_int_equal(w.v.copy_n, 1);
	assert_int_equal(w.v.copy[0].kind, COPY_HELD);
	assert_int_equal(w.v.edits, 0);
	/* without the store the mail server holds it */
	verdict_free(&w.v);
	world_poisoned(&w);
	assert_int_equal(w.v.action, ACT_QUARANTINED);
	assert_int_equal(w.v.copy_n, 0);
}

/* attack A55: workers die on a message for somebody of a group out of a
 * directory, whose mail may not be stored in clear
 * verdict: the list is asked, and what it does not say yet is waited for */
static void A55_S83_who_is_in_a_list_is_asked_all_the_same(void **state)
{
	static const struct listed_pair bob = {BOB, ""};
	const struct listed_news none = {NULL, 0, 1, 2}, news = {&bob, 1, 1,
	    2};
	struct gateway g = {NULL, NULL, w.ks, NULL, NULL};
	char name[LIST_NAME_SIZE];
	const struct list_source *const *lists;
	bool changed;
	size_t n;

	(void)state;
	world_config(&w, QUARANTINE "directory {\nldap \"ldap://127.0.0.1\"\n"
	    "name staff\n}\n");
	world_rules(&w, PASS "group guests ldap staff \"(x=y)\"\n"
	    "inbound to guests : pass\ninbound : store-encrypted\n");
	g.config = w.config;
	g.rules = w.rules;
	lists = rules_lists(w.rules, &n);
	assert_int_equal(n, 1);
	lists_name(lists[0], name);
	for (int i = 0; i < 3; i++) {
		world_envelope(&w, ALICE, BOB);
		w.env.forced = DIR_INBOUND;
		w.env.can_split = w.env.can_hold = true;
		world_message(&w, TEXT);
		verdict_free(&w.v);
		gateway_poisoned(&g, &w.env, w.msg, &w.v);
		if (i == 0)
			assert_int_equal(w.v.code, 451);
		else
			assert_int_equal(w.v.code, 0);
		assert_int_equal(w.v.action, i == 0 ? ACT_DEFERRED :
		    i == 1 ? ACT_QUARANTINED : ACT_REPLACED);
		assert_int_equal(listed_replace(w.ks, name, i == 0 ? &none :
		    &news, &changed, &w.e), 0);
	}
	world_config(&w, QUARANTINE);
}

/* ---- store-encrypted ---- */

static void store_encrypted_seals_for_each_what_is_his(void **state)
{
	(void)state;
	world_rules(&w, PASS "inbound to " NOBODY " : verify\n"
	    "inbound : verify, store-encrypted\n");
	/* bob (EC) and carol (RSA) are shown, dave and alice are not, x has
	 * no certificate, nobody wants none */
	split_open(&w, ALICE, BOB " " DAVE " " CAROL " " NOBODY
	    " x@example.com " ALICE, view_of(TEXT));
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.action, ACT_SPLIT);
	assert_int_equal(w.v.copy_n, 5);
	assert_int_equal(outcome_of(&w, NOBODY), OUT_PASSED);
	assert_int_equal(outcome_of(&w, "x@example.com"), OUT_QUARANTINED);
	expect_in(NOBODY, "Secret plans", true);
	for (size_t i = 0; i < w.v.rcpts; i++) {
		struct buf m;

		if (w.v.rcpt[i].outcome != OUT_STORE_ENCRYPTED)
			continue;
		message_of(&w, w.v.rcpt[i].address, &m);
		assert_false(buf_has(&m, "Secret plans"));
		assert_int_equal(rids_of(&m, NULL), 1);
		buf_free(&m);
	}
	assert_string_equal(w.v.rcpt[4].reason, "no certificate is known");
	/* the first one's kind of key is no reason to share with her */
	split_open(&w, ALICE, CAROL " " DAVE, view_of(TEXT));
	assert_int_equal(w.v.action, ACT_SPLIT);
	assert_int_equal(w.v.copy_n, 1);
	split_open(&w, ALICE, DAVE " " CAROL, view_of(TEXT));
	assert_int_equal(w.v.copy_n, 1);
	/* in one body it cannot be */
	world_open_view(&w, ALICE, BOB " " NOBODY, view_of(TEXT));
	assert_int_equal(w.v.code, 550);
}

static void store_encrypted_is_shared_by_those_who_are_shown(void **state)
{
	struct buf m;

	(void)state;
	world_rules(&w, PASS "inbound : verify, store-encrypted\n");
	split_open(&w, ALICE, DAVE " " CAROL, view_of(
	    "From: alice@example.com\nTo: dave@example.com, "
	    "carol@example.com\n\nSecret plans\n"));
	assert_int_equal(w.v.action, ACT_REPLACED);
	message_of(&w, DAVE, &m);
	assert_int_equal(rids_of(&m, NULL), 2);
	buf_free(&m);
}

/* ---- both ways in one transaction ---- */

static void sealed_and_opened_copies_of_one_message(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign, encrypt or plain\n"
	    "internal to " CAROL " : encrypt\ninternal : decrypt, verify\n"
	    "inbound : verify\n");
	world_envelope(&w, ALICE, "x@partner.example " BOB " " CAROL);
	w.env.auth = ENV_AUTH_LOGIN;
	w.env.login = ALICE;
	w.env.can_split = true;
	world_message(&w, TEXT);
	world_run(&w);
	if (w.v.code != 0)
		fail_msg("%d %s (%s)", w.v.code, w.v.text, w.e.msg);
	assert_true(w.v.mixed);
	assert_int_equal(w.v.action, ACT_SPLIT);
	assert_int_equal(w.v.copy_n, 2);
	assert_int_equal(outcome_of(&w, "x@partner.example"), OUT_SIGNED);
	assert_int_equal(outcome_of(&w, BOB), OUT_PASSED);
	assert_int_equal(outcome_of(&w, CAROL), OUT_SEALED);
	expect_in(BOB, "Secret plans", true);
	expect_in(BOB, "pkcs7", false);
	expect_in("x@partner.example", "pkcs7-signature", true);
	expect_in(CAROL, "Secret plans", false);
	assert_non_null(w.v.made_algorithm);
}

static void internal_mail(const char *from, const char *rules)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_printf(&b, PASS "inbound : verify\n%s", rules);
	world_rules(&w, buf_str(&b));
	buf_clear(&b);
	buf_printf(&b, "From: %s\nTo: " BOB "\nSubject: x\n\n"
	    "Secret plans\n", from);
	world_envelope(&w, ALICE, BOB);
	w.env.auth = ENV_AUTH_LOGIN;
	w.env.login = ALICE;
	w.env.can_split = w.env.can_hold = true;
	world_message(&w, buf_str(&b));
	world_run(&w);
	buf_free(&b);
}

#define TWO ALICE ", " CAROL

/* attack A24: internal mail of two authors, of whom one's rule refuses what is
 * not signed, and all others' mail is sealed
 * verdict: what may be meant is demanded of what is sealed, too */
static void A24_A51_to_be_sealed_is_no_way_round_a_demand(void **state)
{
	static const char reject[] = "internal from " CAROL " : verify or "
	    "reject\ninternal : encrypt\n";
	static const char hold[] = "internal from " CAROL " : verify or "
	    "quarantine\ninternal : encrypt\n";

	(void)state;
	internal_mail(ALICE, reject);
	assert_int_equal(outcome_of(&w, BOB), OUT_SEALED);
	internal_mail(TWO, reject);
	assert_int_equal(w.v.code, 550);
	internal_mail(TWO, hold);
	assert_int_equal(outcome_of(&w, BOB), OUT_QUARANTINED);
	assert_int_equal(w.v.copy_n, 1);
	assert_int_equal(w.v.copy[0].kind, COPY_HELD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    S203_who_has_a_key_gets_it_opened_others_as_it_arrived),
		cmocka_unit_test(S203_keys_that_agree_are_one_group),
		cmocka_unit_test(A9_S203_to_be_named_opens_nothing_for_him),
		cmocka_unit_test(rules_that_differ_are_groups),
		cmocka_unit_test(
		    verify_or_quarantine_holds_only_whose_rule_says_so),
		cmocka_unit_test(S202_verify_or_reject_of_one_refuses_all),
		cmocka_unit_test(what_is_too_large_is_held_whole),
		cmocka_unit_test(A55_what_nobody_can_work_on_is_held_sealed),
		cmocka_unit_test(store_encrypted_seals_for_each_what_is_his),
		cmocka_unit_test(
		    store_encrypted_is_shared_by_those_who_are_shown),
		cmocka_unit_test(sealed_and_opened_copies_of_one_message),
		cmocka_unit_test(
		    A24_A51_to_be_sealed_is_no_way_round_a_demand),
		cmocka_unit_test(
		    A55_S83_who_is_in_a_list_is_asked_all_the_same),
	};

	return cmocka_run_group_tests_name("gateway_groups_open", tests,
	    make_world, end_world);
}
