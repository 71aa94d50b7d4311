/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Profiles and the words that choose algorithms: what they come to, and
 * that sealed mail is really written so.
 */
#include "gateway/learn.h"
#include "tests/unit/gateway_make.h"

static struct world w;

#define ALICE "alice@example.com"	/* RSA */
#define ERIN "erin@example.com"		/* P-384 */
#define RSA "bob@example.org"
#define EC "carol@example.org"

#define PLAIN(from)                                                         \
	"From: " from "\nTo: bob@example.org, carol@example.org\n"          \
	"Subject: Plans\nMIME-Version: 1.0\nContent-Type: text/plain\n\n"   \
	"Secret plans\n"

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, ALICE, "rsa:2048");
	world_person(&w, ERIN, "ec:p384");
	world_person(&w, RSA, "rsa:2048");
	world_person(&w, EC, "ec:p256");
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

/* ---- words ---- */

static void resolve(const char *text, struct treatment *out)
{
	struct rule_input in = {.direction = DIR_OUTBOUND};
	struct rule_ref ref;
	struct addr to;
	struct buf b;

	buf_init(&b, 4096);
	buf_printf(&b, "%s\ninbound : pass\n", text);
	world_rules(&w, buf_str(&b));
	buf_free(&b);
	assert_int_equal(addr_parse(&to, view_of(RSA), NULL), 0);
	in.to = &to;
	rules_decide(w.rules, &in, out, &ref);
}

static void S55_S100_S105_S108_words_and_profiles(void **state)
{
	static const struct {
		const char *rules; /* before "outbound : sign, encrypt" */
		const char *words; /* behind it */
		const char *digest;
		bool pss;
		enum enc_cipher unknown, floor;
		bool is_fixed, oaep, learns_oaep;
	} rows[] = {
		{"", "", NULL, false, ENC_AES256_CBC, ENC_AES128_CBC, false,
		    false, true},
		{"", ", profile compat", NULL, false, ENC_AES256_CBC,
		    ENC_AES128_CBC, false, false, true},
		{"", ", profile modern", NULL, false, ENC_AES256_GCM,
		    ENC_AES128_CBC, false, true, false},
		{"", ", profile edi-energy", "sha-256", true, ENC_AES128_GCM,
		    ENC_AES128_CBC, true, true, false},
		{"", ", profile legacy", "sha-256", false, ENC_AES128_CBC,
		    ENC_AES128_CBC, true, false, false},
		/* a word of the line beats the profile, wherever it stands */
		{"", ", digest sha-512, profile edi-energy", "sha-512", true,
		    ENC_AES128_GCM, ENC_AES128_CBC, true, true, false},
		{"", ", profile edi-energy, signature pkcs1, key-transport "
		    "pkcs1", "sha-256", false, ENC_AES128_GCM, ENC_AES128_CBC,
		    true, false, false},
		/* a cipher that is named is the one that is written */
		{"", ", cipher aes-256-gcm", NULL, false, ENC_AES256_GCM,
		    ENC_AES128_CBC, true, false, true},
		{"", ", cipher aes-256-gcm, capabilities use", NULL, false,
		    ENC_AES256_GCM, ENC_AES128_CBC, false, false, true},
		{"", ", profile modern, cipher aes-128-cbc", NULL, false,
		    ENC_AES128_CBC, ENC_AES128_CBC, true, true, false},
		{"", ", capabilities ignore", NULL, false, ENC_AES256_CBC,
		    ENC_AES128_CBC, true, false, false},
		/* a floor raises what is written to strangers */
		{"", ", min-cipher aes-256-gcm", NULL, false, ENC_AES256_GCM,
		    ENC_AES256_GCM, false, false, true},
		{"", ", min-cipher aes-256-cbc", NULL, false, ENC_AES256_CBC,
		    ENC_AES256_CBC, false, false, true},
		/* profiles of one's own, on each other */
		{"profile a edi-energy, digest sha-384\nprofile b a, "
		    "min-cipher aes-128-gcm\n", ", profile b", "sha-384",
		    true, ENC_AES128_GCM, ENC_AES128_GCM, true, true, false},
		{"profile digest signature pss\nprofile c digest sha-512\n",
		    ", profile c", "sha-512", false, ENC_AES256_CBC,
		    ENC_AES128_CBC, false, false, true},
	};
	struct treatment t;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct writing *x = &t.writing;

		buf_init(&b, 4096);
		buf_printf(&b, "%soutbound : sign, encrypt%s", rows[i].rules,
		    rows[i].words);
		resolve(buf_str(&b), &t);
		buf_free(&b);
		if ((x->digest == NULL) != (rows[i].digest == NULL) ||
		    (x->digest != NULL &&
		    strcmp(x->digest, rows[i].digest) != 0) ||
		    x->pss != rows[i].pss ||
		    x->cipher.unknown != rows[i].unknown ||
		    x->cipher.floor != rows[i].floor ||
		    x->cipher.is_fixed != rows[i].is_fixed ||
		    x->oaep != rows[i].oaep ||
		    x->learns_oaep != rows[i].learns_oaep)
			fail_msg("row %zu", i);
	}
}

/* A new cipher has a word, in both places where one is expected. */
static void S105_every_cipher_has_its_word(void **state)
{
	struct treatment t;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ENC_CIPHERS; i++) {
		char name[32];

		text_set(name, sizeof(name),
		    enc_cipher_str((enum enc_cipher)i));
		for (char *s = name; *s != '\0'; s++)
			*s = (char)(*s >= 'A' && *s <= 'Z' ? *s + 32 : *s);
		buf_init(&b, 4096);
		buf_printf(&b, "outbound : encrypt, cipher %s, min-cipher %s",
		    name, name);
		resolve(buf_str(&b), &t);
		buf_free(&b);
		assert_int_equal(t.writing.cipher.unknown, i);
		assert_int_equal(t.writing.cipher.floor, i);
	}
}

/* As the administrator wrote it, in the report. */
static void words_are_printed(void **state)
{
	struct treatment t;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	resolve("outbound : sign, profile edi-energy, digest sha-512, encrypt "
	    "or plain, cipher aes-256-gcm, protect-headers shy", &t);
	treatment_print(&t, &b);
	assert_string_equal(buf_str(&b), "sign, encrypt or plain, profile "
	    "edi-energy, digest sha-512, cipher aes-256-gcm, protect-headers "
	    "shy");
	buf_free(&b);
}

/* ---- mail ---- */

struct sealing {
	const char *words;
	const char *from;
	const char *to;
	const char *cipher;
	const char *transport[2]; /* of each recipient */
	const char *made; /* as the verdict of sealing says it */
	const char *signature;
	const char *digest; /* micalg */
};

static const struct sealing sealing[] = {
	{"", ALICE, RSA " " EC, "AES-256-CBC",
	    {"RSAES-PKCS1-v1_5", "ECDH-SHA256"},
	    "RSASSA-PKCS1-v1_5-SHA256", "rsa-pkcs1-v1_5", "sha-256"},
	{"", ERIN, RSA, "AES-256-CBC", {"RSAES-PKCS1-v1_5", ""},
	    "ECDSA-SHA384", "ecdsa-p384", "sha-384"},
	{", profile modern", ALICE, RSA " " EC, "AES-256-GCM",
	    {"RSAES-OAEP-SHA256", "ECDH-SHA256"},
	    "RSASSA-PKCS1-v1_5-SHA256", "rsa-pkcs1-v1_5",
	    "sha-256"},
	{", profile edi-energy", ALICE, RSA " " EC, "AES-128-GCM",
	    {"RSAES-OAEP-SHA256", "ECDH-SHA256"},
	    "RSASSA-PSS-SHA256", "rsa-pss", "sha-256"},
	{", profile edi-energy, digest sha-512", ALICE, RSA, "AES-128-GCM",
	    {"RSAES-OAEP-SHA256", ""},
	    "RSASSA-PSS-SHA512", "rsa-pss", "sha-512"},
	/* words about RSA do not hinder another key */
	{", profile edi-energy", ERIN, EC, "AES-128-GCM",
	    {"ECDH-SHA256", ""},
	    "ECDSA-SHA256", "ecdsa-p384", "sha-256"},
	{", profile legacy", ALICE, RSA " " EC, "AES-128-CBC",
	    {"RSAES-PKCS1-v1_5", "ECDH-SHA256"},
	    "RSASSA-PKCS1-v1_5-SHA256", "rsa-pkcs1-v1_5",
	    "sha-256"},
	{", opaque, signature pss, digest sha-384, cipher aes-256-gcm", ALICE,
	    RSA " " EC, "AES-256-GCM", {"RSAES-PKCS1-v1_5", "ECDH-SHA256"},
	    "RSASSA-PSS-SHA384", "rsa-pss", ""},
};

static void seal_and_open(const struct sealing *x)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_printf(&b, "sign, encrypt%s", x->words);
	world_seal_with(&w, buf_str(&b), x->from, x->to,
	    strcmp(x->from, ALICE) == 0 ? PLAIN(ALICE) : PLAIN(ERIN));
	buf_free(&b);
	assert_int_equal(w.v.action, ACT_REPLACED);
	assert_false(has(&w, "Secret"));
	for (size_t i = 0; i < w.v.rcpts; i++) {
		assert_string_equal(w.v.rcpt[i].cipher, x->cipher);
		assert_string_equal(w.v.rcpt[i].key_transport,
		    x->transport[i]);
	}
	assert_int_equal(has(&w, "authEnveloped-data"),
	    strstr(x->cipher, "GCM") != NULL);
	assert_string_equal(w.v.made_algorithm, x->made);
	assert_int_equal(strlen(w.v.made_by.sha256), 64);
	world_open_again(&w, x->from, x->to);
	assert_string_equal(w.v.dec_result, "decrypted");
	assert_string_equal(w.v.dec_cipher, x->cipher);
	world_signature(&w, "pass", "");
	assert_string_equal(w.v.sig_algorithm, x->signature);
	assert_true(has(&w, "\r\n\r\nSecret plans\r\n"));
	buf_init(&b, 100);
	buf_printf(&b, "micalg=%s;", x->digest);
	assert_int_equal(has(&w, buf_str(&b)), x->digest[0] != '\0');
	buf_free(&b);
}

static void S22_S55_S90_S93_mail_is_written_as_the_words_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sealing); i++)
		seal_and_open(&sealing[i]);
}

/* One body, two ciphers: this version has one copy for all (S110). */
static void S110_recipients_of_different_profiles_are_refused(void **state)
{
	(void)state;
	world_rules(&w, "outbound to " RSA " : encrypt, cipher aes-256-gcm\n"
	    "outbound : encrypt\ninbound : pass\n");
	world_seal(&w, ALICE, RSA " " EC, PLAIN(ALICE));
	assert_int_equal(w.v.code, 550);
	assert_non_null(strstr(w.v.text, EC));
	assert_true(is_untouched(&w));
	/* the same cipher by other words is the same */
	world_rules(&w, "outbound to " RSA " : encrypt, key-transport oaep\n"
	    "outbound : encrypt, profile compat\ninbound : pass\n");
	world_seal(&w, ALICE, RSA " " EC, PLAIN(ALICE));
	assert_int_equal(w.v.code, 0);
	assert_string_equal(w.v.rcpt[0].key_transport, "RSAES-OAEP-SHA256");
	assert_string_equal(w.v.rcpt[1].key_transport, "ECDH-SHA256");
}

/* What comes to the same octets is one copy, whatever the words. */
static void S129_other_words_for_the_same_are_one_copy(void **state)
{
	static const struct {
		const char *bob, *all; /* what the two lines say */
		bool is_one;
	} rows[] = {
		{"sign, digest sha-256", "sign", true},
		{"sign, signature pkcs1", "sign, profile modern", true},
		{"sign, digest sha-512", "sign", false},
		{"sign, signature pss", "sign", false},
		{"encrypt, profile edi-energy", "encrypt, cipher aes-128-gcm, "
		    "min-cipher aes-128-gcm", true},
		{"encrypt, profile legacy", "encrypt, cipher aes-128-cbc",
		    true},
		{"encrypt, profile legacy", "encrypt, cipher aes-128-cbc, "
		    "capabilities use", false},
		{"encrypt, min-cipher aes-256-cbc", "encrypt", false},
		{"sign, encrypt, profile legacy, cipher aes-256-cbc",
		    "sign, encrypt, capabilities ignore", true},
	};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_init(&b, 4096);
		buf_printf(&b, "outbound to " RSA " : %s\noutbound : %s\n"
		    "inbound : pass\n", rows[i].bob, rows[i].all);
		world_rules(&w, buf_str(&b));
		buf_free(&b);
		world_seal(&w, ALICE, RSA " " EC, PLAIN(ALICE));
		if ((w.v.code == 0) != rows[i].is_one)
			fail_msg("row %zu: %d %s", i, w.v.code, w.v.text);
	}
}

static void the_verdict_says_what_the_choice_went_by(void **state)
{
	static const struct {
		const char *words, *why;
	} rows[] = {
		{"", "nothing known"},
		{", profile modern", "nothing known"},
		{", cipher aes-256-gcm", "nothing known"},
		{", cipher aes-256-gcm, key-transport pkcs1", "not used, as "
		    "the rule says"},
		{", profile edi-energy", "not used, as the rule says"},
		{", capabilities ignore", "not used, as the rule says"},
	};
	struct reader known = {.source = LEARN_CERT};
	struct treatment t;
	struct buf b;
	char why[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_init(&b, 4096);
		buf_printf(&b, "encrypt%s", rows[i].words);
		world_seal_with(&w, buf_str(&b), ALICE, RSA, PLAIN(ALICE));
		buf_free(&b);
		assert_string_equal(w.v.rcpt[0].capabilities, rows[i].why);
	}
	resolve("outbound : encrypt, cipher aes-256-gcm", &t);
	learn_why(&known, &t.writing, why, sizeof(why));
	assert_string_equal(why, "key transport only: from the certificate");
	known.source = LEARN_MAIL;
	learn_why(&known, &t.writing, why, sizeof(why));
	assert_string_equal(why, "key transport only: learned from signed mail "
	    "of 1970-01-01");
}

/* The warning says which of the two reasons it is. */
static void S43_S105_why_encrypted_mail_is_encrypted_again(void **state)
{
	static const struct {
		const char *words, *to, *warning;
	} rows[] = {
		{"encrypt, min-cipher aes-256-cbc", RSA, "encrypted already, "
		    "but with a broken cipher, or less than min-cipher: "},
		{"encrypt", EC, "encrypted already, but not to a certificate "
		    "of every recipient: "},
		{"encrypt", RSA, "encrypted already: left as it is\n"},
	};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_init(&b, MAKE_MAX);
		buf_puts(&b, "Content-Type: text/plain\r\n\r\nSecret\r\n");
		make_sealed(&w, RSA, ENC_AES128_CBC, &b);
		make_between(&b, "From: " ALICE "\r\nMIME-Version: 1.0\r\n",
		    "");
		world_seal_with(&w, rows[i].words, ALICE, rows[i].to,
		    buf_str(&b));
		if (strncmp(buf_str(&w.v.warnings), rows[i].warning,
		    strlen(rows[i].warning)) != 0)
			fail_msg("row %zu: %s", i, buf_str(&w.v.warnings));
		buf_free(&b);
	}
}

/* attack S43: encrypted to somebody else, or badly, where a rule says encrypt
 * or quarantine
 * verdict: that is no encryption for its recipients; it is encrypted once
 * more */
static void S43_S105_or_quarantine_looks_at_it_too(void **state)
{
	static const struct {
		const char *words, *to;
	} rows[] = {
		{"encrypt or quarantine, min-cipher aes-256-cbc", RSA},
		{"encrypt or quarantine", EC},
	};
	struct buf b;

	(void)state;
	world_config(&w, "quarantine {\nsize 1M\n}\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_init(&b, MAKE_MAX);
		buf_puts(&b, "Content-Type: text/plain\r\n\r\nSecret\r\n");
		make_sealed(&w, RSA, ENC_AES128_CBC, &b);
		make_between(&b, "From: " ALICE "\r\nMIME-Version: 1.0\r\n",
		    "");
		world_seal_with(&w, rows[i].words, ALICE, rows[i].to,
		    buf_str(&b));
		if (w.v.rcpt[0].outcome != OUT_SEALED)
			fail_msg("row %zu: %d %s %s", i, w.v.code, w.v.text,
			    buf_str(&w.v.warnings));
		buf_free(&b);
	}
	world_config(&w, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S55_S100_S105_S108_words_and_profiles),
		cmocka_unit_test(S105_every_cipher_has_its_word),
		cmocka_unit_test(words_are_printed),
		cmocka_unit_test(
		    S22_S55_S90_S93_mail_is_written_as_the_words_say),
		cmocka_unit_test(
		    S110_recipients_of_different_profiles_are_refused),
		cmocka_unit_test(S129_other_words_for_the_same_are_one_copy),
		cmocka_unit_test(the_verdict_says_what_the_choice_went_by),
		cmocka_unit_test(
		    S43_S105_why_encrypted_mail_is_encrypted_again),
		cmocka_unit_test(S43_S105_or_quarantine_looks_at_it_too),
	};

	return cmocka_run_group_tests_name("gateway_writing", tests,
	    make_world, end_world);
}
