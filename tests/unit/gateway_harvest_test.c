/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Whose certificate a message proves, what of it reaches the store, and what
 * the next mail to the author is encrypted with.
 */
#include "tests/unit/gateway_forge.h"

#include "gateway/harvest.h"

#define ALICE "alice@example.com"
#define CAROL "carol@example.com"
#define BOB "bob@example.org"
#define DAY 86400
#define OTHER_KEY "another key is in use for this address"

static struct world w;
static struct testca ca, second_ca, stranger;
static struct testca_id alice, prefers, carol, short_key, unknown, evil;
static struct testca_id signs_only, expired, both;
static struct buf json;

/* Valid since ten days. */
static void issue(struct testca *by, const char *mail, const char *ku,
    struct testca_id *out)
{
	testca_issue(by, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = mail, .ku = ku, .not_before = time(NULL) - 10 * DAY},
	    out);
}

static void import(const struct cert *c)
{
	bool added;

	if (keystore_add(w.ks, c, 0, KS_IMPORT, &added, &w.e) != 0)
		fail_msg("%s", w.e.msg);
}

static int make_people(void **state)
{
	(void)state;
	testca_init(&ca);
	testca_init(&second_ca);
	testca_init(&stranger);
	issue(&ca, ALICE, NULL, &alice);
	issue(&ca, ALICE, "keyAgreement", &prefers);
	issue(&ca, CAROL, NULL, &carol);
	issue(&stranger, ALICE, NULL, &unknown);
	issue(&second_ca, ALICE, NULL, &evil);
	issue(&ca, ALICE, "digitalSignature", &signs_only);
	issue(&ca, "x@example.com", NULL, &both);
	testca_issue(&ca, &(struct testca_leaf){.key = "rsa:1024",
	    .mail = ALICE}, &short_key);
	testca_issue(&ca, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = ALICE, .not_before = time(NULL) - 10 * DAY,
	    .not_after = time(NULL) - DAY}, &expired);
	buf_init(&json, BIG);
	return 0;
}

static int end_people(void **state)
{
	struct testca_id *const id[] = {&alice, &prefers, &carol, &short_key,
	    &unknown, &evil, &signs_only, &expired, &both};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(id); i++)
		testca_id_free(id[i]);
	testca_free(&ca);
	testca_free(&second_ca);
	testca_free(&stranger);
	buf_free(&json);
	return 0;
}

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, BOB, "ec:p256");
	forge_trust(&w, ca.root.cert);
	forge_trust(&w, second_ca.root.cert);
	import(ca.sub.cert);
	import(second_ca.sub.cert);
	world_rules(&w, "outbound : sign, encrypt\n"
	    "inbound : decrypt, verify, harvest\n");
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

/* ---- what is noted ---- */

static struct forge complete(struct forge f)
{
	if (f.id == NULL)
		f.id = &alice;
	if (f.certs[0] == NULL)
		f.certs[0] = f.id->cert;
	if (f.pref == AS_IS)
		f.pref = LEFT_OUT;
	if (f.at == 0)
		f.at = time(NULL);
	return f;
}

static void open_from(const char *from, struct forge f)
{
	f = complete(f);
	forge_open_as(&w, from, &f, 1);
}

static void open_of(struct forge f)
{
	open_from(FORGE_FROM, f);
}

static void open_by(const struct testca_id *id)
{
	open_of((struct forge){.id = id});
}

static bool json_has(const char *s)
{
	buf_clear(&json);
	verdict_json(&w.v, &json);
	return strstr(buf_str(&json), s) != NULL;
}

static void nothing(const char *name)
{
	if (w.v.harvested.state != NULL || w.v.harvested.der.n != 0)
		fail_msg("%s: %s (%s)", name, w.v.harvested.state,
		    w.v.sig_result);
	assert_true(json_has("\"harvest\":null"));
}

static void noted(const struct testca_id *id, const char *state,
    const char *reason)
{
	const struct harvested *h = &w.v.harvested;

	if (h->state == NULL || strcmp(h->state, state) != 0 ||
	    strstr(h->reason, reason) == NULL)
		fail_msg("%s (%s), wanted %s (%s); signature %s (%s)",
		    h->state, h->reason, state, reason, w.v.sig_result,
		    w.v.sig_reason);
	assert_string_equal(h->address, ALICE);
	assert_string_equal(h->sha256, cert_sha256_hex(id->cert));
	if (strcmp(state, "refused") == 0)
		assert_int_equal(h->der.n, 0);
	else
		assert_true(h->der.n == 0 ||
		    view_eq(buf_view(&h->der), cert_der(id->cert)));
}

/* As the store process does, after so many days. */
static void keep(int days)
{
	struct harvest_outcome out;

	if (harvest_store(w.ks, &w.v.harvested, &w.config->harvest,
	    w.env.now + (int64_t)days * DAY, &out, &w.e) != 0)
		fail_msg("%s", w.e.msg);
}

static void never_without_the_word(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign, encrypt\n"
	    "inbound : decrypt, verify\n");
	open_by(&alice);
	assert_string_equal(w.v.sig_result, "pass");
	nothing("no harvest");
	world_rules(&w, "outbound : sign, encrypt\ninbound from " CAROL
	    " : verify, harvest\ninbound : decrypt, verify\n");
	open_by(&alice);
	nothing("harvest from others");
}

static void S123_the_authors_certificate(void **state)
{
	(void)state;
	for (int opaque = 0; opaque < 2; opaque++) {
		open_of((struct forge){.opaque = opaque == 1});
		assert_string_equal(w.v.sig_result, "pass");
		noted(&alice, "pending", "seen on 1 of 3 days");
		assert_int_equal(w.v.harvested.der.n,
		    cert_der(alice.cert).n);
		assert_true(json_has("\"harvest\":{\"address\":\"" ALICE
		    "\",\"sha256\":\""));
		assert_true(json_has("\"state\":\"pending\",\"reason\":"
		    "\"seen on 1 of 3 days\"}"));
	}
	keep(0);
	/* known today: nothing is sent to the store */
	open_by(&alice);
	noted(&alice, "pending", "seen on 1 of 3 days");
	assert_int_equal(w.v.harvested.der.n, 0);
}

/* attack A32: mail that is not, or not validly, signed by its author now
 * verdict: nothing is noted, whatever certificates it brings */
static void S123_A32_what_nothing_is_harvested_from(void **state)
{
	const struct {
		const char *name;
		struct forge f;
		const char *result;
	} rows[] = {
		{"wrong signature", {.wrong_signature = true}, "fail"},
		{"other content", {.said = "other"}, "fail"},
		{"not trusted", {.id = &unknown,
		    .certs = {unknown.cert, stranger.sub.cert}}, "policy"},
		{"somebody else", {.id = &carol,
		    .certs = {carol.cert, alice.cert}}, "policy"},
		{"short key", {.id = &short_key}, "policy"},
		{"expired", {.id = &expired}, "policy"},
		{"SHA-1", {.digest = OID_SHA1}, "policy"},
		{"key preference twice", {.pref = TWICE}, "fail"},
		{"no signed content type", {.type = LEFT_OUT}, "policy"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
		struct forge f = rows[i / 2].f;

		f.opaque = i % 2 == 1;
		open_of(f);
		if (strcmp(w.v.sig_result, rows[i / 2].result) != 0)
			fail_msg("%s: %s (%s)", rows[i / 2].name,
			    w.v.sig_result, w.v.sig_reason);
		nothing(rows[i / 2].name);
	}
	world_open_view(&w, ALICE, BOB, view_of(FORGE_FROM "\r\nhello\r\n"));
	nothing("unsigned");
}

/* attack A24 A32: From shows alice, but is carol's or nobody's; carol signs
 * verdict: alice gets no certificate */
static void A24_S123_A32_froms_that_show_somebody_else(void **state)
{
	static const char *const from[] = {
		"From: \"alice@example.com\" <carol@evil.example>\r\n",
		"From: alice@example.com <carol@example.com>\r\n",
		"From: Alice <alice@example.com>, Carol "
		    "<carol@example.com>\r\n",
		"From: carol@example.com, alice@example.com\r\n",
		"From: carol@example.com\r\nFrom: alice@example.com\r\n",
		"From: alice@example.com\r\nFrom: carol@example.com\r\n",
		"From: x: alice@example.com;\r\n",
		"From: <@example.com:alice@example.com>\r\n",
		"From: =?utf-8?q?=3Calice=40example.com=3E?= "
		    "<carol@evil.example>\r\n",
		"From: alice@example.com\\0@evil.example\r\n",
		"From: alice @example.com\r\n",
		"From:\r\n",
		"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(from); i++)
		for (int who = 0; who < 2; who++) {
			open_from(from[i], (struct forge){.id = who == 0 ?
			    &carol : &alice});
			if (w.v.harvested.state != NULL &&
			    strcmp(w.v.harvested.address, CAROL) == 0 &&
			    who == 0 && i == 1)
				continue; /* it is carol's mail */
			nothing(from[i]);
		}
}

/* attack A32: an old message, sent again each day
 * verdict: no sign of life of its author */
static void S123_A32_old_mail_makes_no_days(void **state)
{
	int64_t now = time(NULL);
	const struct {
		struct forge f;
		const char *state, *reason;
	} row[] = {
		{{.at = now - 7 * DAY + 60}, "pending", ""},
		{{.at = now - 7 * DAY - 60}, "refused", "not of these days"},
		{{.at = now + DAY - 60}, "pending", ""},
		{{.at = now + DAY + 60}, "refused", "not of these days"},
		{{.time = LEFT_OUT}, "refused", "no signingTime"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		open_of(row[i].f);
		assert_string_equal(w.v.sig_result, "pass");
		noted(&alice, row[i].state, row[i].reason);
	}
}

/* attack A32: two signers, and who is taken is a matter of order
 * verdict: nobody */
static void S123_A32_two_signers(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct forge f[2] = {
			complete((struct forge){.id = i == 0 ? &alice :
			    &evil}),
			complete((struct forge){.id = i == 0 ? &evil :
			    &alice}),
		};

		f[0].certs[0] = alice.cert;
		f[0].certs[1] = evil.cert;
		forge_open(&w, f, 2);
		assert_string_equal(w.v.sig_result, "pass");
		nothing("two");
	}
}

static void S81_S123_who_speaks_for_others_brings_nothing(void **state)
{
	(void)state;
	world_config(&w, "speaks-for " ALICE " address " CAROL);
	open_by(&carol);
	assert_string_equal(w.v.sig_result, "pass");
	nothing("spoken for");
}

/* attack A32: a signed part of somebody's old mail inside another one
 * verdict: it is not the whole message */
static void S75_S123_A32_a_signed_part_is_not_the_message(void **state)
{
	struct forge f = complete((struct forge){.id = &alice});
	struct buf der, part, b;

	(void)state;
	buf_init(&der, BIG);
	buf_init(&part, BIG);
	buf_init(&b, BIG);
	make_signed(&f, 1, &der);
	forge_clear(&part, FORGE_CLEAR, view_of(content), buf_view(&der));
	buf_puts(&b, FORGE_FROM FORGE_TOP "Content-Type: multipart/mixed; "
	    "boundary=outer\r\n\r\n--outer\r\n");
	buf_putv(&b, buf_view(&part));
	buf_puts(&b, "\r\n--outer\r\nContent-Type: text/plain\r\n\r\nmore"
	    "\r\n--outer--\r\n");
	world_open_view(&w, ALICE, BOB, buf_view(&b));
	assert_string_equal(w.v.sig_result, "neutral");
	nothing("part");
	buf_free(&der);
	buf_free(&part);
	buf_free(&b);
}

/* The signature stands inside of the encryption, as most mail has it. */
static void S123_signed_then_encrypted(void **state)
{
	struct forge f = complete((struct forge){.id = &alice});
	struct buf der, b;

	(void)state;
	buf_init(&der, BIG);
	buf_init(&b, BIG);
	make_signed(&f, 1, &der);
	forge_clear(&b, FORGE_FROM FORGE_TOP FORGE_CLEAR, view_of(content),
	    buf_view(&der));
	world_rules(&w, "outbound : encrypt\n"
	    "inbound : decrypt, verify, harvest\n");
	world_seal(&w, ALICE, BOB, buf_str(&b));
	assert_true(has(&w, "enveloped"));
	nothing("what goes out");
	world_open_again(&w, ALICE, BOB);
	assert_string_equal(w.v.dec_result, "decrypted");
	assert_string_equal(w.v.sig_result, "pass");
	noted(&alice, "pending", "seen on 1");
	buf_free(&der);
	buf_free(&b);
}

static void S123_not_our_own(void **state)
{
	(void)state;
	world_person(&w, ALICE, "ec:p256");
	world_seal_with(&w, "sign", ALICE, BOB, "From: " ALICE "\nTo: " BOB
	    "\n\nHello\n");
	world_rules(&w, "outbound : sign\ninbound : verify, harvest\n");
	world_open_again(&w, ALICE, BOB);
	assert_string_equal(w.v.sig_result, "pass");
	assert_string_equal(w.v.harvested.reason, "the administrator's");
	assert_int_equal(w.v.harvested.der.n, 0);
}

static void S123_nothing_from_mail_that_is_held(void **state)
{
	struct sink to;
	struct buf b;

	(void)state;
	open_by(&alice);
	buf_init(&b, BIG);
	to = sink_to_buf(&b);
	assert_int_equal(spool_copy(w.msg, 0, spool_size(w.msg), &to, NULL),
	    0);
	world_rules(&w, "outbound : pass\ninbound : verify, harvest, "
	    "store-encrypted\n");
	world_open_view(&w, ALICE, "dave@example.com", buf_view(&b));
	assert_string_equal(w.v.sig_result, "pass");
	assert_int_equal(w.v.action, ACT_QUARANTINED);
	nothing("held");
	buf_free(&b);
}

/* attack A32: the message brings the issuer along
 * verdict: believed for this message; taken is nothing that the store could
 * not find a path for by itself */
static void S123_A32_the_messages_intermediates_are_not_taken(void **state)
{
	(void)state;
	if (keystore_remove(w.ks, cert_sha256(ca.sub.cert), &w.e) != 0)
		fail_msg("%s", w.e.msg);
	open_of((struct forge){.certs = {alice.cert, ca.sub.cert}});
	assert_string_equal(w.v.sig_result, "pass");
	noted(&alice, "refused", "; import the CA certificates that the "
	    "message brings");
}

/* ---- the key that he prefers ---- */

/* SMIMEEncryptionKeyPreference of one of its three forms. */
static struct view preference(const struct cert *c, int form)
{
	static unsigned char text[512];
	struct view ias = cert_ias(c);
	struct der seq;
	struct der_w out;

	der_w_init(&out, text, sizeof(text));
	assert_int_equal(der_get(&ias, DER_SEQUENCE, &seq), 0);
	if (form == 0) {
		der_w_view(&out, seq.val);
		der_w_wrap(&out, DER_CTX0, 0);
	} else if (form == 1) {
		der_w_tlv(&out, DER_OCTET_STRING, cert_ski(c).p,
		    cert_ski(c).n);
		der_w_wrap(&out, DER_CTX0 + 1, 0);
	} else {
		der_w_tlv(&out, DER_CTX0_PRIM + 2, cert_ski(c).p,
		    cert_ski(c).n);
	}
	assert_false(out.failed);
	return der_w_result(&out);
}

static void open_preferring(const struct testca_id *by, const struct cert *c,
    int form, bool brings)
{
	const struct forge_attr a = {oid_view(OID_A_ENC_KEY_PREF),
	    preference(c, form), AS_IS};

	open_of((struct forge){.id = by, .extra = &a, .extra_n = 1,
	    .certs = {by->cert, brings ? c : NULL}});
	assert_string_equal(w.v.sig_result, "pass");
}

static void S122_S123_the_key_that_the_author_prefers(void **state)
{
	(void)state;
	for (int form = 0; form < 3; form++) {
		open_preferring(&signs_only, prefers.cert, form, true);
		noted(&prefers, "pending", "seen on 1 of 3 days");
	}
	open_preferring(&alice, prefers.cert, 0, false);
	noted(&alice, "pending", "seen on 1 of 3 days");
	open_by(&signs_only);
	noted(&signs_only, "refused", "key usage does not allow");
}

/* attack A32: the preference names somebody else's certificate, or one that
 * nobody vouches for
 * verdict: the signature proves the signer's; the other needs address and
 * path of its own */
static void S123_A32_a_preferred_key_proves_itself(void **state)
{
	(void)state;
	open_preferring(&alice, carol.cert, 0, true);
	noted(&alice, "pending", "seen on 1 of 3 days");
	open_preferring(&alice, unknown.cert, 0, true);
	noted(&unknown, "refused", "");
}

/* ---- keeping ---- */

static void refuse_to_keep(const struct harvested *h, enum fail kind)
{
	struct harvest_outcome out;
	size_t pending, used;

	if (harvest_store(w.ks, h, &w.config->harvest, w.env.now, &out,
	    &w.e) == 0)
		fail_msg("%s taken: %s", h->address, out.reason);
	assert_int_equal(w.e.kind, kind);
	assert_int_equal(harvest_count(w.ks, &pending, &used, &w.e), 0);
	assert_int_equal(pending + used, 0);
}

static void made_up(const char *who, struct view der, enum fail kind)
{
	struct harvested h = {.state = "usable"};

	buf_init(&h.der, BIG);
	text_set(h.address, sizeof(h.address), who);
	buf_putv(&h.der, der);
	refuse_to_keep(&h, kind);
	buf_free(&h.der);
}

/* attack A32: a process that mail broke makes records up
 * verdict: what the store itself would not take is not kept, and nothing is
 * used before its days */
static void S123_A32_keep_checks_again(void **state)
{
	struct view der = cert_der(alice.cert);

	(void)state;
	open_by(&alice);
	made_up(ALICE, view_of("garbage"), FAIL_BUG);
	made_up(ALICE, view_sub(der, 0, der.n - 1), FAIL_BUG);
	made_up("@", der, FAIL_BUG);
	made_up("", der, FAIL_BUG);
	made_up(CAROL, der, FAIL_POLICY);
	made_up("*@example.com", der, FAIL_POLICY);
	made_up(ALICE, cert_der(unknown.cert), FAIL_POLICY);
	made_up(ALICE, cert_der(expired.cert), FAIL_POLICY);
	made_up(ALICE, cert_der(signs_only.cert), FAIL_POLICY);
	made_up(ALICE, cert_der(stranger.root.cert), FAIL_POLICY);
	for (int i = 0; i < 100; i++)
		keep(0);
	open_by(&alice);
	noted(&alice, "pending", "seen on 1 of 3 days");
}

/* ---- the next mail ---- */

static void seal_to_alice(const struct testca_id *with)
{
	world_seal(&w, BOB, ALICE, "From: " BOB "\nTo: " ALICE
	    "\nMIME-Version: 1.0\nContent-Type: text/plain\n\nHello\n");
	if (with == NULL) {
		assert_int_equal(w.v.code, 550);
		return;
	}
	if (w.v.code != 0)
		fail_msg("%s", w.v.text);
	assert_string_equal(w.v.rcpt[0].cert[0].sha256,
	    cert_sha256_hex(with->cert));
}

static void keep_this(const struct harvested *h, int day,
    enum harvest_state state)
{
	struct harvest_outcome out;

	if (harvest_store(w.ks, h, &w.config->harvest, w.env.now +
	    (int64_t)day * DAY, &out, &w.e) != 0)
		fail_msg("%s", w.e.msg);
	assert_int_equal(out.state, state);
}

/* attack A32: "Mailto: me your secrets": when alice's certificate is in use,
 * somebody signs as her with one of another CA
 * verdict: pending, with a warning; the old one is used on */
static void S123_A32_key_replacement_by_signed_mail(void **state)
{
	struct harvested h;

	(void)state;
	seal_to_alice(NULL);
	open_by(&alice);
	h = w.v.harvested;
	buf_init(&h.der, BIG);
	buf_putv(&h.der, cert_der(alice.cert));
	for (int day = 0; day < 3; day++) {
		seal_to_alice(NULL);
		keep_this(&h, day, day < 2 ? HARVEST_PENDING :
		    HARVEST_USABLE);
	}
	seal_to_alice(&alice);
	open_by(&evil);
	assert_string_equal(w.v.sig_result, "pass");
	noted(&evil, "pending", OTHER_KEY);
	assert_true(json_has("signed with another certificate than the one "
	    "in use"));
	buf_clear(&h.der);
	buf_putv(&h.der, cert_der(evil.cert));
	for (int day = 0; day < 10; day++)
		keep_this(&h, day, HARVEST_PENDING);
	buf_free(&h.der);
	seal_to_alice(&alice);
}

static void S123_two_days_as_configured(void **state)
{
	(void)state;
	world_config(&w, "harvest { days 2 }");
	open_by(&alice);
	noted(&alice, "pending", "seen on 1 of 2 days");
	keep(-1);
	seal_to_alice(NULL);
	open_by(&alice);
	noted(&alice, "usable", "");
	assert_true(w.v.harvested.der.n > 0);
	keep(0);
	seal_to_alice(&alice);
	open_by(&alice);
	noted(&alice, "usable", "");
	assert_int_equal(w.v.harvested.der.n, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_world, end_world)
	const struct CMUnitTest tests[] = {
		T(never_without_the_word),
		T(S123_A32_what_nothing_is_harvested_from),
		T(A24_S123_A32_froms_that_show_somebody_else),
		T(S123_A32_old_mail_makes_no_days),
		T(S123_A32_two_signers),
		T(S81_S123_who_speaks_for_others_brings_nothing),
		T(S75_S123_A32_a_signed_part_is_not_the_message),
		T(S123_the_authors_certificate),
		T(S123_signed_then_encrypted),
		T(S123_not_our_own),
		T(S123_nothing_from_mail_that_is_held),
		T(S123_A32_the_messages_intermediates_are_not_taken),
		T(S122_S123_the_key_that_the_author_prefers),
		T(S123_A32_a_preferred_key_proves_itself),
		T(S123_A32_keep_checks_again),
		T(S123_A32_key_replacement_by_signed_mail),
		T(S123_two_days_as_configured),
	};

	return cmocka_run_group_tests_name("gateway_harvest", tests,
	    make_people, end_people);
}
