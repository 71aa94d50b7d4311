/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Capabilities from signed mail to the cipher of the next mail: whose word
 * counts and when, what is kept, what is looked up, what comes of it.
 */
#include "tests/unit/gateway_forge.h"

#include "caps_list.h"
#include "gateway/gateway_int.h"
#include "gateway/learn.h"
#include "util/when.h"

#define ALICE "alice@example.com"
#define BOB "bob@example.org"
#define DAY 86400

static struct world w;
static struct testca ca, stranger;
static struct testca_id alice, second, carol, weak, unknown;
static struct testca_id says_gcm, says_rc2, garbage, critical;

/* A certificate of alice's whose extension holds this. */
static void with_extension(const char *hex, const char *how, int64_t from,
    struct testca_id *out)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = forge_x509(key, view_of("Alice"));
	struct buf b;

	buf_init(&b, 1000);
	buf_printf(&b, "%sDER:%s", how, hex);
	forge_extend(x, NID_SMIMECapabilities, buf_str(&b));
	forge_extend(x, NID_subject_alt_name, "email:" ALICE);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), (long)from));
	forge_issue(x, &ca.sub, key, out);
	buf_free(&b);
}

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, ALICE, "rsa:2048");
	world_person(&w, BOB, "ec:p256");
	testca_init(&ca);
	testca_init(&stranger);
	testca_issue(&ca, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = ALICE}, &alice);
	testca_issue(&ca, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = ALICE}, &second);
	testca_issue(&ca, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = "carol@example.com"}, &carol);
	testca_issue(&ca, &(struct testca_leaf){.key = "rsa:1024",
	    .mail = ALICE}, &weak);
	testca_issue(&stranger, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = ALICE}, &unknown);
	with_extension("300d" GCM256, "", -DAY, &says_gcm);
	with_extension("300f" RC2_40, "", -DAY, &says_rc2);
	with_extension("02:01:07", "", -DAY, &garbage);
	with_extension("300d" GCM256, "critical,", -DAY, &critical);
	forge_trust(&w, ca.root.cert);
	return 0;
}

static int end_world(void **state)
{
	struct testca_id *const id[] = {&alice, &second, &carol, &weak,
	    &unknown, &says_gcm, &says_rc2, &garbage, &critical};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(id); i++)
		testca_id_free(id[i]);
	testca_free(&ca);
	testca_free(&stranger);
	world_end(&w);
	return 0;
}

/* Nothing is known of anybody. */
static int forget_all(void **state)
{
	const struct testca_id *const id[] = {&alice, &second, &says_gcm};

	(void)state;
	world_config(&w, NULL);
	world_rules(&w, "outbound : sign, encrypt\n"
	    "inbound : decrypt, verify\n");
	for (size_t i = 0; i < ARRAY_LEN(id); i++) {
		bool added;

		if (keystore_add(w.ks, id[i]->cert, 0, KS_IMPORT, &added,
		    &w.e) != 0 || keystore_remove(w.ks,
		    cert_sha256(id[i]->cert), &w.e) != 0)
			fail_msg("%s", w.e.msg);
	}
	return 0;
}

/* ---- what is learned ---- */

/* A message of alice's as f says, with this list. */
static void open_saying(struct forge f, struct view list)
{
	const struct forge_attr a = {oid_view(OID_A_SMIME_CAPS), list,
	    AS_IS};

	if (f.id == NULL)
		f.id = &alice;
	f.certs[0] = f.id->cert;
	f.certs[1] = ca.sub.cert;
	f.certs[2] = stranger.sub.cert;
	if (f.at == 0)
		f.at = time(NULL);
	if (f.caps == AS_IS) {
		f.caps = LEFT_OUT;
		f.extra = &a;
		f.extra_n = list.n > 0 ? 1 : 0;
	}
	forge_open(&w, &f, 1);
}

/* What the store process does. */
static void keep(void)
{
	if (learn_keep(w.ks, &w.v.learned, w.env.now, &w.e) != 0)
		fail_msg("%s", w.e.msg);
}

static void learned_nothing(const char *name)
{
	if (w.v.learned.address[0] != '\0' || w.v.learned.list_n != 0)
		fail_msg("%s: learned %zu octets (%s at %s, %s)", name,
		    w.v.learned.list_n, w.v.sig_result, w.v.sig_step,
		    w.v.sig_reason);
}

/* attack A32: mail with a list of RC2 that is not, or not validly, signed by
 * its author now
 * verdict: nothing is learned */
static void S106_S112_A32_what_nothing_is_learned_from(void **state)
{
	const struct {
		const char *name;
		struct forge f;
		const char *result;
	} rows[] = {
		{"wrong signature", {.wrong_signature = true}, "fail"},
		{"other content", {.said = "other"}, "fail"},
		{"not trusted", {.id = &unknown}, "policy"},
		{"somebody else", {.id = &carol}, "policy"},
		{"short key", {.id = &weak}, "policy"},
		{"SHA-1", {.digest = OID_SHA1}, "policy"},
		{"key preference twice", {.pref = TWICE}, "fail"},
		{"two days ahead", {.at = time(NULL) + 2 * DAY}, "pass"},
		{"a day and a minute", {.at = time(NULL) + DAY + 60},
		    "pass"},
		{"no time", {.time = LEFT_OUT}, "pass"},
		{"before 1970", {.at = -1000}, "pass"},
		{"no signed content type", {.type = LEFT_OUT}, "policy"},
		{"list twice", {.caps = TWICE}, "fail"},
		{"two lists in one", {.caps = TWO_VALUES}, "fail"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
		struct forge f = rows[i / 2].f;

		f.opaque = i % 2 == 1;
		open_saying(f, caps_list(RC2_40));
		if (strcmp(w.v.sig_result, rows[i / 2].result) != 0)
			fail_msg("%s: %s (%s)", rows[i / 2].name,
			    w.v.sig_result, w.v.sig_reason);
		learned_nothing(rows[i / 2].name);
	}
	world_open_view(&w, ALICE, BOB, view_of(FORGE_FROM "\r\nhello\r\n"));
	learned_nothing("unsigned");
}

/* The signature is as good as ever; there is nothing in it to go by. */
static void S106_garbage_and_caps_in_the_list(void **state)
{
	(void)state;
	open_saying((struct forge){0}, view_make("\x02\x01\x07", 3));
	assert_string_equal(w.v.sig_result, "pass");
	learned_nothing("an INTEGER");
	open_saying((struct forge){0}, caps_list(GCM256 "3003020101"));
	assert_string_equal(w.v.sig_result, "pass");
	learned_nothing("an entry without OID");
	open_saying((struct forge){0}, view_of(""));
	assert_string_equal(w.v.sig_result, "pass");
	learned_nothing("no list");
	open_saying((struct forge){0}, caps_long(CAP_CAPABILITIES + 1));
	assert_string_equal(w.v.sig_result, "pass");
	learned_nothing("one octet too long");
	open_saying((struct forge){0}, caps_long(CAP_CAPABILITIES));
	assert_int_equal(w.v.learned.list_n, CAP_CAPABILITIES);
}

static void S106_learned_from_a_pass(void **state)
{
	struct view list = caps_list(GCM256 CBC128);

	(void)state;
	for (int opaque = 0; opaque < 2; opaque++) {
		int64_t at = time(NULL) - 100 + opaque;

		open_saying((struct forge){.opaque = opaque == 1, .at = at},
		    list);
		assert_string_equal(w.v.sig_result, "pass");
		assert_string_equal(w.v.learned.address, ALICE);
		assert_memory_equal(w.v.learned.cert,
		    cert_sha256(alice.cert), 32);
		assert_int_equal(w.v.learned.signed_at, at);
		assert_int_equal(w.v.learned.list_n, list.n);
		assert_memory_equal(w.v.learned.list, list.p, list.n);
	}
	/* a clock that is a little ahead */
	open_saying((struct forge){.at = time(NULL) + DAY - 60}, list);
	assert_int_equal(w.v.learned.list_n, list.n);
}

/* S81: he may speak for alice, but his software is his own. */
static void S106_nobody_speaks_for_the_authors_software(void **state)
{
	(void)state;
	world_config(&w, "speaks-for " ALICE " address carol@example.com");
	open_saying((struct forge){.id = &carol}, caps_list(GCM256));
	assert_string_equal(w.v.sig_result, "pass");
	learned_nothing("spoken for");
}

/* Two signers: the author's list, whichever stands first; the other one is
 * somebody else, or has the author's address from a CA of his own. */
static void S106_the_authors_list_of_two(void **state)
{
	const struct forge_attr gcm = {oid_view(OID_A_SMIME_CAPS),
	    caps_list(GCM256), AS_IS};
	const struct forge_attr rc2 = {oid_view(OID_A_SMIME_CAPS),
	    caps_list(RC2_40), AS_IS};
	int64_t now = time(NULL);

	(void)state;
	for (int how = 0; how < 4; how++) {
		const struct testca_id *other = how < 2 ? &carol : &unknown;
		struct forge f[2] = {{0}};
		int i = how % 2;

		f[i] = (struct forge){.id = &alice, .caps = LEFT_OUT,
		    .extra = &gcm, .extra_n = 1, .at = now};
		f[1 - i] = (struct forge){.id = other, .caps = LEFT_OUT,
		    .extra = &rc2, .extra_n = 1, .at = now};
		f[0].certs[0] = alice.cert;
		f[0].certs[1] = other->cert;
		f[0].certs[2] = ca.sub.cert;
		f[0].certs[3] = stranger.sub.cert;
		forge_open(&w, f, 2);
		assert_string_equal(w.v.sig_result, "pass");
		assert_string_equal(w.v.learned.address, ALICE);
		assert_memory_equal(w.v.learned.cert,
		    cert_sha256(alice.cert), 32);
		assert_true(view_eq(view_make(w.v.learned.list,
		    w.v.learned.list_n), caps_list(GCM256)));
	}
}

/* attack A32: a signed part of somebody's old mail inside another one
 * verdict: it is not the whole message, and says nothing (S75) */
static void S106_A32_a_signed_part_is_not_the_message(void **state)
{
	const struct forge_attr a = {oid_view(OID_A_SMIME_CAPS),
	    caps_list(RC2_40), AS_IS};
	struct forge f = {.id = &alice, .caps = LEFT_OUT, .extra = &a,
	    .extra_n = 1, .at = time(NULL)};
	struct buf der, part, b;

	(void)state;
	f.certs[0] = alice.cert;
	f.certs[1] = ca.sub.cert;
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
	assert_string_equal(w.v.sig_step, "S75");
	learned_nothing("part");
	buf_free(&der);
	buf_free(&part);
	buf_free(&b);
}

/* attack A32 A11: a signature around ciphertext that somebody else made
 * verdict: it says nothing of who wrote what is inside (S65) */
static void S106_A32_a_signature_around_ciphertext(void **state)
{
	const struct forge_attr a = {oid_view(OID_A_SMIME_CAPS),
	    caps_list(RC2_40), AS_IS};
	struct forge f = {.id = &alice, .caps = LEFT_OUT, .extra = &a,
	    .extra_n = 1, .at = time(NULL)};
	struct buf der, part, b;
	const unsigned char *body;

	(void)state;
	world_seal_with(&w, "encrypt", ALICE, BOB, "From: " ALICE "\nTo: "
	    BOB "\n\nHello\n");
	body = memmem(w.out.p, w.out.n, "\r\n\r\n", 4);
	assert_non_null(body);
	buf_init(&der, BIG);
	buf_init(&part, BIG);
	buf_init(&b, BIG);
	buf_puts(&part, "Content-Type: application/pkcs7-mime; smime-type="
	    "enveloped-data; name=smime.p7m\r\n"
	    "Content-Transfer-Encoding: base64");
	buf_put(&part, body, w.out.n - (size_t)(body - w.out.p));
	f.certs[0] = alice.cert;
	f.certs[1] = ca.sub.cert;
	f.said = buf_str(&part);
	make_signed(&f, 1, &der);
	forge_clear(&b, FORGE_FROM FORGE_TOP FORGE_CLEAR, buf_view(&part),
	    buf_view(&der));
	world_open_view(&w, ALICE, BOB, buf_view(&b));
	assert_string_equal(w.v.dec_result, "decrypted");
	assert_string_equal(w.v.sig_result, "policy");
	assert_string_equal(w.v.sig_step, "S65");
	learned_nothing("around ciphertext");
	buf_free(&der);
	buf_free(&part);
	buf_free(&b);
}

/* Mail that is held is as if it had not come yet. */
static void S106_nothing_from_mail_that_is_held(void **state)
{
	struct sink to;
	struct buf b;

	(void)state;
	open_saying((struct forge){0}, caps_list(GCM256));
	assert_string_equal(w.v.learned.address, ALICE);
	buf_init(&b, BIG);
	to = sink_to_buf(&b);
	assert_int_equal(spool_copy(w.msg, 0, spool_size(w.msg), &to, NULL),
	    0);
	world_rules(&w, "outbound : pass\ninbound : verify, "
	    "store-encrypted\n");
	world_open_view(&w, ALICE, "dave@example.com", buf_view(&b));
	assert_string_equal(w.v.sig_result, "pass");
	assert_int_equal(w.v.action, ACT_QUARANTINED);
	learned_nothing("held");
	buf_free(&b);
}

/* What we say of ourselves, through sealed mail of our own (S52). */
static void S52_S106_our_own_list_comes_back(void **state)
{
	static const char mail[] = "From: " ALICE "\nTo: " BOB
	    "\nSubject: x\nMIME-Version: 1.0\nContent-Type: text/plain\n\n"
	    "Hello\n";

	(void)state;
	world_seal(&w, ALICE, BOB, mail);
	assert_int_equal(w.v.code, 0);
	learned_nothing("what goes out");
	world_open_again(&w, ALICE, BOB);
	assert_string_equal(w.v.sig_result, "pass");
	assert_string_equal(w.v.dec_result, "decrypted");
	assert_string_equal(w.v.learned.address, ALICE);
	assert_true(view_eq(view_make(w.v.learned.list, w.v.learned.list_n),
	    caps_list(GCM256 GCM128 CBC256 CBC128)));
}

/* ---- what is looked up ---- */

/* Of alice as a recipient with this certificate: ciphers and why. */
static void lookup(const struct testca_id *id, const char *to,
    struct capabilities *c, char why[100])
{
	struct gateway g = {w.config, w.rules, w.ks, NULL, NULL};
	struct txn_rcpt r = {0};
	struct txn t = {.g = &g, .rcpt = &r, .now = time(NULL)};
	struct writing_words none = {{NULL}};
	struct writing x;
	struct reader known;

	assert_int_equal(addr_parse(&r.addr, view_of(to), NULL), 0);
	r.cert = id == NULL ? NULL : id->cert;
	if (learn_get(&t, 0, &known, &w.e) != 0)
		fail_msg("%s", w.e.msg);
	*c = known.caps;
	writing_resolve(&none, &x);
	learn_why(&known, &x, why, 100);
}

static void expect_first(const char *name, const struct testca_id *id,
    int first, const char *why)
{
	struct capabilities c;
	char got[100];

	lookup(id, ALICE, &c, got);
	if (strcmp(got, why) != 0)
		fail_msg("%s: %s, wanted %s", name, got, why);
	assert_int_equal(c.is_known, first != -1);
	assert_int_equal(c.ciphers, first != -1);
	if (first != -1)
		assert_int_equal(c.cipher[0], first);
}

/* "learned from signed mail of 2026-11-21" */
static const char *mail_of(int64_t at)
{
	static char text[100];
	char date[WHEN_SIZE];
	struct buf b;

	buf_init(&b, sizeof(text) - 1);
	buf_printf(&b, "learned from signed mail of %s", when_date(date, at));
	text_set(text, sizeof(text), buf_str(&b));
	buf_free(&b);
	return text;
}

static void S106_older_mail_does_not_lower(void **state)
{
	int64_t now = time(NULL);

	(void)state;
	expect_first("at first", &alice, -1, "nothing known");
	open_saying((struct forge){.at = now - 10}, caps_list(GCM256));
	keep();
	expect_first("learned", &alice, ENC_AES256_GCM, mail_of(now - 10));
	open_saying((struct forge){.at = now - 11}, caps_list(CBC128));
	assert_string_equal(w.v.learned.address, ALICE);
	keep();
	expect_first("older", &alice, ENC_AES256_GCM, mail_of(now - 10));
	open_saying((struct forge){.at = now - 9}, caps_list(CBC256));
	keep();
	expect_first("newer", &alice, ENC_AES256_CBC, mail_of(now - 9));
	open_saying((struct forge){.at = now, .wrong_signature = true},
	    caps_list(RC2_40));
	keep();
	world_open_view(&w, ALICE, BOB, view_of(FORGE_FROM "\r\nhello\r\n"));
	keep();
	expect_first("worthless", &alice, ENC_AES256_CBC, mail_of(now - 9));
}

static void S106_own_certificate_before_others(void **state)
{
	int64_t now = time(NULL);
	struct capabilities c;
	char why[100];

	(void)state;
	open_saying((struct forge){.at = now - 20}, caps_list(GCM256));
	keep();
	expect_first("of the other", &second, ENC_AES256_GCM,
	    mail_of(now - 20));
	open_saying((struct forge){.id = &second, .at = now - 10},
	    caps_list(CBC128));
	keep();
	expect_first("second", &second, ENC_AES128_CBC, mail_of(now - 10));
	expect_first("first", &alice, ENC_AES256_GCM, mail_of(now - 20));
	expect_first("without", NULL, ENC_AES128_CBC, mail_of(now - 10));
	/* it is alice's, nobody else's; but her details are hers */
	lookup(&alice, BOB, &c, why);
	assert_string_equal(why, "nothing known");
	assert_false(c.is_known);
	lookup(&alice, "alice+x@example.com", &c, why);
	assert_string_equal(why, "nothing known");
	world_config(&w, "recipient-delimiter +");
	lookup(&alice, "alice+x@example.com", &c, why);
	assert_true(c.is_known);
}

static void S109_the_certificates_own_list(void **state)
{
	int64_t now = time(NULL);

	(void)state;
	expect_first("GCM", &says_gcm, ENC_AES256_GCM,
	    "from the certificate");
	expect_first("garbage", &garbage, -1, "nothing known");
	expect_first("critical", &critical, -1, "nothing known");
	/* from before the certificate was made: the extension is newer */
	open_saying((struct forge){.at = now - 30 * DAY}, caps_list(CBC128));
	keep();
	expect_first("newer", &says_gcm, ENC_AES256_GCM,
	    "from the certificate");
	expect_first("no list", &garbage, ENC_AES128_CBC,
	    mail_of(now - 30 * DAY));
	/* and mail that is newer than the certificate */
	open_saying((struct forge){.at = now - 10}, caps_list(CBC256));
	keep();
	expect_first("older", &says_gcm, ENC_AES256_CBC, mail_of(now - 10));
	/* its own word in signed mail */
	open_saying((struct forge){.id = &says_gcm, .at = now - 20},
	    caps_list(CBC128));
	keep();
	expect_first("own", &says_gcm, ENC_AES128_CBC, mail_of(now - 20));
}

static void S109_S111_only_weak_ciphers_in_the_certificate(void **state)
{
	struct capabilities c;
	char why[100];

	(void)state;
	lookup(&says_rc2, ALICE, &c, why);
	assert_string_equal(why, "from the certificate");
	assert_true(c.is_known);
	assert_int_equal(c.ciphers, 0);
}

/* attack A32: a process that mail broke makes lists up
 * verdict: FAIL_BUG, nothing is kept */
static void S106_A32_keep_checks_again(void **state)
{
	struct learned good, bad;
	struct capabilities c;
	char why[100];

	(void)state;
	open_saying((struct forge){0}, caps_list(GCM256));
	good = w.v.learned;
	for (int i = 0; i < 5; i++) {
		bad = good;
		if (i == 0)
			text_set(bad.address, sizeof(bad.address), "@");
		else if (i == 1)
			bad.signed_at = w.env.now + DAY + 1;
		else if (i == 2)
			bad.signed_at = -1;
		else if (i == 3)
			bad.list_n--;
		else
			bad.list_n = sizeof(bad.list) + 1;
		assert_int_equal(learn_keep(w.ks, &bad, w.env.now, &w.e),
		    -1);
		assert_int_equal(w.e.kind, FAIL_BUG);
	}
	lookup(&alice, ALICE, &c, why);
	assert_false(c.is_known);
	memset(&bad, 0, sizeof(bad));
	assert_int_equal(learn_keep(w.ks, &bad, w.env.now, &w.e), 0);
	good.signed_at = w.env.now + DAY;
	assert_int_equal(learn_keep(w.ks, &good, w.env.now, &w.e), 0);
	lookup(&alice, ALICE, &c, why);
	assert_true(c.is_known);
}

/* ---- the next mail ---- */

static void seal_to_alice(const char *cipher, const char *why)
{
	world_seal(&w, BOB, ALICE, "From: " BOB "\nTo: " ALICE
	    "\nMIME-Version: 1.0\nContent-Type: text/plain\n\nHello\n");
	assert_int_equal(w.v.code, 0);
	assert_string_equal(w.v.rcpt[0].cipher, cipher);
	assert_string_equal(w.v.rcpt[0].capabilities, why);
	assert_true(has(&w, strstr(cipher, "GCM") != NULL
	    ? "smime-type=authEnveloped-data"
	    : "smime-type=enveloped-data"));
}

static void S106_S107_S108_the_next_mail_goes_by_it(void **state)
{
	int64_t now = time(NULL);

	(void)state;
	seal_to_alice("AES-256-CBC", "nothing known");
	open_saying((struct forge){.at = now - 10}, caps_list(GCM256));
	seal_to_alice("AES-256-CBC", "nothing known"); /* not kept yet */
	open_saying((struct forge){.at = now - 10}, caps_list(GCM256));
	keep();
	seal_to_alice("AES-256-GCM", mail_of(now - 10));
	open_saying((struct forge){.at = now - 5}, caps_list(UNKNOWN_CAP
	    CBC128));
	keep();
	seal_to_alice("AES-128-CBC", mail_of(now - 5));
}

/* attack A32: whoever can sign as alice says that she reads RC2 only
 * verdict: AES-128 all the same; with min-cipher the mail is refused */
static void S105_S111_A32_never_below_the_floor(void **state)
{
	int64_t now = time(NULL);

	(void)state;
	open_saying((struct forge){.at = now}, caps_list(RC2_40));
	keep();
	seal_to_alice("AES-128-CBC", mail_of(now));
	world_rules(&w, "outbound : sign, encrypt, min-cipher aes-256-cbc\n"
	    "inbound : decrypt, verify\n");
	world_seal(&w, BOB, ALICE, "From: " BOB "\nTo: " ALICE "\n\nHello\n");
	assert_int_equal(w.v.code, 550);
	assert_string_equal(w.v.enhanced, "5.7.6");
	assert_non_null(strstr(w.v.text, ALICE " (known to read nothing as "
	    "strong as AES-256-CBC)"));
	assert_false(has(&w, "smime-type"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, forget_all)
	const struct CMUnitTest tests[] = {
		T(S106_S112_A32_what_nothing_is_learned_from),
		T(S106_garbage_and_caps_in_the_list),
		T(S106_learned_from_a_pass),
		T(S106_nobody_speaks_for_the_authors_software),
		T(S106_the_authors_list_of_two),
		T(S106_A32_a_signed_part_is_not_the_message),
		T(S106_A32_a_signature_around_ciphertext),
		T(S106_nothing_from_mail_that_is_held),
		T(S52_S106_our_own_list_comes_back),
		T(S106_older_mail_does_not_lower),
		T(S106_own_certificate_before_others),
		T(S109_the_certificates_own_list),
		T(S109_S111_only_weak_ciphers_in_the_certificate),
		T(S106_A32_keep_checks_again),
		T(S106_S107_S108_the_next_mail_goes_by_it),
		T(S105_S111_A32_never_below_the_floor),
	};

	return cmocka_run_group_tests_name("gateway_learn", tests,
	    make_world, end_world);
}
