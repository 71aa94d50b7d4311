/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of relay/scram.c: the example of RFC 7677, and every way a client
 * may say something else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "relay/scram.h"
#include "smtp/base64.h"
#include "util/ossl.h"

/* RFC 7677 3 */
#define SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define CLIENT_FIRST "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define BOTH_NONCES "rOprNGfwEbeRWgbNEkqO" SERVER_NONCE
#define CHALLENGE "r=" BOTH_NONCES ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define PROOF "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define CLIENT_FINAL "c=biws,r=" BOTH_NONCES ",p=" PROOF
#define SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static void make_verifier(struct scram_verifier *v, const char *password)
{
	unsigned char salted[SCRAM_HASH], client[SCRAM_HASH];
	struct buf salt;

	buf_init(&salt, 100);
	assert_int_equal(base64_decode(&salt,
	    view_of("W22ZaJ0SNY7soEsUEjb6gQ==")), 0);
	memset(v, 0, sizeof(*v));
	v->iterations = 4096;
	memcpy(v->salt, salt.p, salt.n);
	v->salt_n = salt.n;
	assert_int_equal(tls_scram_salted(view_of(password), buf_view(&salt),
	    4096, salted, NULL), 0);
	assert_int_equal(tls_scram_hmac(salted, 32, view_of("Client Key"),
	    client, NULL), 0);
	assert_int_equal(tls_scram_hmac(salted, 32, view_of("Server Key"),
	    v->server_key, NULL), 0);
	ossl_sha256(client, sizeof(client), v->stored_key);
	buf_free(&salt);
}

/* Up to the client's last message, and its verdict; *kind 0: it is him. */
static void run_final(const char *first, const char *last,
    const char *password, enum fail *kind)
{
	struct scram_verifier v;
	struct scram *s = NULL;
	struct err e = { 0 };
	struct buf out;

	buf_init(&out, 4096);
	make_verifier(&v, password);
	assert_int_equal(scram_new(&s, SERVER_NONCE, NULL), 0);
	assert_int_equal(scram_first(s, view_of(first), NULL), 0);
	assert_int_equal(scram_challenge(s, &v, &out, NULL), 0);
	buf_clear(&out);
	if (scram_final(s, view_of(last), &out, &e) == 0)
		assert_string_equal(buf_str(&out), SERVER_FINAL);
	else
		assert_int_equal(out.n, 0);
	*kind = e.kind;
	buf_free(&out);
	scram_free(&s);
}

static void rfc_7677_example(void **state)
{
	struct scram_verifier v;
	struct scram *s = NULL;
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	make_verifier(&v, "pencil");
	assert_int_equal(scram_new(&s, SERVER_NONCE, NULL), 0);
	assert_int_equal(scram_first(s, view_of(CLIENT_FIRST), NULL), 0);
	assert_string_equal(scram_name(s), "user");
	assert_int_equal(scram_challenge(s, &v, &out, NULL), 0);
	assert_string_equal(buf_str(&out), CHALLENGE);
	buf_clear(&out);
	assert_int_equal(scram_final(s, view_of(CLIENT_FINAL), &out, NULL),
	    0);
	assert_string_equal(buf_str(&out), SERVER_FINAL);
	buf_free(&out);
	scram_free(&s);
}

static void malformed_first_messages(void **state)
{
	static const struct {
		const char *text;
		enum fail kind;
	} t[] = {
		{ "", FAIL_INPUT }, { "n", FAIL_INPUT }, { "n,", FAIL_INPUT },
		{ "n,,", FAIL_INPUT }, { "n,,n=user", FAIL_INPUT },
		{ "n,,n=user,", FAIL_INPUT }, { "n,,n=user,r=", FAIL_INPUT },
		{ "n,,n=,r=abc", FAIL_INPUT }, { "n,,r=abc", FAIL_INPUT },
		{ "n,,r=abc,n=user", FAIL_INPUT },
		{ "x,,n=user,r=abc", FAIL_INPUT },
		{ "N,,n=user,r=abc", FAIL_INPUT },
		{ ",,n=user,r=abc", FAIL_INPUT },
		{ "nn,,n=user,r=abc", FAIL_INPUT },
		/* there is no PLUS, so nobody may bind to a channel */
		{ "p=tls-unique,,n=user,r=abc", FAIL_INPUT },
		{ "p=tls-server-end-point,,n=user,r=abc", FAIL_INPUT },
		{ "p,,n=user,r=abc", FAIL_INPUT },
		{ "n,,m=ext,n=user,r=abc", FAIL_INPUT },
		{ "n,b=x,n=user,r=abc", FAIL_INPUT },
		{ "n,a=,n=user,r=abc", FAIL_INPUT },
		{ "n,a,n=user,r=abc", FAIL_INPUT },
		{ "n,,n=us=er,r=abc", FAIL_INPUT },
		{ "n,,n=us=2cer,r=abc", FAIL_INPUT },
		{ "n,,n=user=,r=abc", FAIL_INPUT },
		{ "n,,n=us\xff,r=abc", FAIL_INPUT },
		{ "n,,n=user,r=a bc", FAIL_INPUT },
		{ "n,,n=user,r=a\tbc", FAIL_INPUT },
		{ "n,,n=user,r=ab\xc3\xa4", FAIL_INPUT },
		{ "n,,n=user,r=abc,", FAIL_INPUT },
		{ "n,,n=user,r=abc,x", FAIL_INPUT },
		{ "n,,n=user,r=abc,1=x", FAIL_INPUT },
		{ "n,,n=user,r=abc,x=", FAIL_INPUT },
		{ "n,a=bob,n=user,r=abc", FAIL_POLICY },
		{ "n,a=user=2C,n=user,r=abc", FAIL_POLICY },
	};
	struct scram *s;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++) {
		s = NULL;
		memset(&e, 0, sizeof(e));
		assert_int_equal(scram_new(&s, NULL, NULL), 0);
		if (scram_first(s, view_of(t[i].text), &e) == 0)
			fail_msg("taken: %s", t[i].text);
		if (e.kind != t[i].kind)
			fail_msg("%s: kind %d", t[i].text, (int)e.kind);
		/* nothing goes on after that */
		assert_int_equal(scram_first(s, view_of(CLIENT_FIRST), &e),
		    -1);
		scram_free(&s);
	}
}

static void first_messages_that_are_right(void **state)
{
	static const struct {
		const char *text, *name;
	} t[] = {
		{ "n,,n=user,r=abc", "user" },
		{ "y,,n=user,r=abc", "user" },
		{ "n,a=user,n=user,r=abc", "user" },
		{ "n,,n=a=2Cb=3Dc,r=abc", "a,b=c" },
		{ "n,,n=alice@a.example,r=abc,x=new,Y=z", "alice@a.example" },
		{ "n,,n=m\xc3\xbcller,r=abc", "m\xc3\xbcller" },
	};
	struct scram *s;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++) {
		s = NULL;
		assert_int_equal(scram_new(&s, NULL, NULL), 0);
		assert_int_equal(scram_first(s, view_of(t[i].text), NULL),
		    0);
		assert_string_equal(scram_name(s), t[i].name);
		scram_free(&s);
	}
}

static void malformed_and_wrong_proofs(void **state)
{
	static const struct {
		const char *name, *text;
		enum fail kind;
	} t[] = {
		{ "right", CLIENT_FINAL, 0 },
		{ "empty", "", FAIL_INPUT },
		{ "no proof", "c=biws,r=" BOTH_NONCES, FAIL_INPUT },
		{ "no binding", "r=" BOTH_NONCES ",p=" PROOF, FAIL_INPUT },
		{ "no nonce", "c=biws,p=" PROOF, FAIL_INPUT },
		{ "order", "r=" BOTH_NONCES ",c=biws,p=" PROOF, FAIL_INPUT },
		{ "bad base64", "c=biw,r=" BOTH_NONCES ",p=" PROOF,
		    FAIL_INPUT },
		{ "short proof", "c=biws,r=" BOTH_NONCES ",p=YWJj",
		    FAIL_INPUT },
		{ "long proof", "c=biws,r=" BOTH_NONCES
		    ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQA",
		    FAIL_INPUT },
		{ "proof with bits behind", "c=biws,r=" BOTH_NONCES
		    ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVR=",
		    FAIL_INPUT },
		{ "proof not last", CLIENT_FINAL ",x=y", FAIL_INPUT },
		{ "comma behind", CLIENT_FINAL ",", FAIL_INPUT },
		{ "client's nonce alone", "c=biws,r=rOprNGfwEbeRWgbNEkqO,p="
		    PROOF, FAIL_POLICY },
		{ "another nonce", "c=biws,r=" BOTH_NONCES "x,p=" PROOF,
		    FAIL_POLICY },
		{ "binding of y", "c=eSws,r=" BOTH_NONCES ",p=" PROOF,
		    FAIL_POLICY },
		{ "binding with data", "c=biwsYWJj,r=" BOTH_NONCES ",p="
		    PROOF, FAIL_POLICY },
		{ "wrong proof", "c=biws,r=" BOTH_NONCES
		    ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		    FAIL_POLICY },
		{ "extension that is not signed", "c=biws,r=" BOTH_NONCES
		    ",x=y,p=" PROOF, FAIL_POLICY },
		{ "empty extension", "c=biws,r=" BOTH_NONCES ",x=,p=" PROOF,
		    FAIL_INPUT },
	};
	enum fail kind;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++) {
		run_final(CLIENT_FIRST, t[i].text, "pencil", &kind);
		if (kind != t[i].kind)
			fail_msg("%s: kind %d", t[i].name, (int)kind);
	}
	run_final(CLIENT_FIRST, CLIENT_FINAL, "Pencil", &kind);
	assert_int_equal(kind, FAIL_POLICY);
}

/* attack A72: on the way a client's "y" (I could bind to a channel, you
 * offer none) becomes "n", so that nobody notices that PLUS was cut out
 * verdict: the last message repeats it, signed: 535 5.7.8
 */
static void A72_flag_changed_on_the_way_is_refused(void **state)
{
	enum fail kind;

	(void)state;
	/* the client said y: its last message has "y,,", whatever came here */
	run_final(CLIENT_FIRST, "c=eSws,r=" BOTH_NONCES ",p=" PROOF,
	    "pencil", &kind);
	assert_int_equal(kind, FAIL_POLICY);
	run_final("y,,n=user,r=rOprNGfwEbeRWgbNEkqO", CLIENT_FINAL,
	    "pencil", &kind);
	assert_int_equal(kind, FAIL_POLICY);
	/* and a y that nobody touched is fine, because there is no PLUS; the
	 * proof is of another message, though */
	run_final("y,,n=user,r=rOprNGfwEbeRWgbNEkqO", "c=eSws,r="
	    BOTH_NONCES ",p=" PROOF, "pencil", &kind);
	assert_int_equal(kind, FAIL_POLICY);
}

/* Tried: what a client sent once is sent again
 * Answered: the nonce is another one each time: 535 5.7.8
 */
static void replayed_messages_are_refused(void **state)
{
	struct scram_verifier v;
	struct scram *s = NULL;
	struct err e = { 0 };
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	make_verifier(&v, "pencil");
	assert_int_equal(scram_new(&s, NULL, NULL), 0);
	assert_int_equal(scram_first(s, view_of(CLIENT_FIRST), NULL), 0);
	assert_int_equal(scram_challenge(s, &v, &out, NULL), 0);
	assert_int_equal(scram_final(s, view_of(CLIENT_FINAL), &out, &e),
	    -1);
	assert_int_equal(e.kind, FAIL_POLICY);
	/* in the same exchange, too */
	scram_free(&s);
	buf_clear(&out);
	assert_int_equal(scram_new(&s, SERVER_NONCE, NULL), 0);
	assert_int_equal(scram_first(s, view_of(CLIENT_FIRST), NULL), 0);
	assert_int_equal(scram_challenge(s, &v, &out, NULL), 0);
	assert_int_equal(scram_final(s, view_of(CLIENT_FINAL), &out, NULL),
	    0);
	assert_int_equal(scram_final(s, view_of(CLIENT_FINAL), &out, &e),
	    -1);
	assert_int_equal(scram_challenge(s, &v, &out, &e), -1);
	scram_free(&s);
	buf_free(&out);
}

/* He knows the password, and signs what he says; it is not what he heard. */
static void signed_lies_are_refused(void **state)
{
	static const struct {
		const char *name, *last;
		enum fail kind;
	} t[] = {
		{ "the truth", "c=biws,r=" BOTH_NONCES, 0 },
		{ "with an extension", "c=biws,r=" BOTH_NONCES ",x=y", 0 },
		{ "his nonce alone", "c=biws,r=rOprNGfwEbeRWgbNEkqO",
		    FAIL_POLICY },
		{ "a longer nonce", "c=biws,r=" BOTH_NONCES "x",
		    FAIL_POLICY },
		{ "another header", "c=eSws,r=" BOTH_NONCES, FAIL_POLICY },
	};
	unsigned char salted[SCRAM_HASH], key[SCRAM_HASH], sign[SCRAM_HASH];
	struct scram_verifier v;
	struct buf m, out;
	struct scram *s;
	struct err e;
	size_t i, k;

	(void)state;
	make_verifier(&v, "pencil");
	for (i = 0; i < ARRAY_LEN(t); i++) {
		s = NULL;
		memset(&e, 0, sizeof(e));
		buf_init(&m, 4096);
		buf_init(&out, 4096);
		buf_printf(&m, "%s,%s,%s", &CLIENT_FIRST[3], CHALLENGE,
		    t[i].last);
		assert_int_equal(tls_scram_salted(view_of("pencil"),
		    view_make(v.salt, v.salt_n), 4096, salted, NULL), 0);
		assert_int_equal(tls_scram_hmac(salted, 32,
		    view_of("Client Key"), key, NULL), 0);
		assert_int_equal(tls_scram_hmac(v.stored_key, 32,
		    buf_view(&m), sign, NULL), 0);
		for (k = 0; k < SCRAM_HASH; k++)
			key[k] ^= sign[k];
		buf_clear(&m);
		buf_printf(&m, "%s,p=", t[i].last);
		base64_encode(&m, view_make(key, sizeof(key)));
		assert_int_equal(scram_new(&s, SERVER_NONCE, NULL), 0);
		assert_int_equal(scram_first(s, view_of(CLIENT_FIRST), NULL),
		    0);
		assert_int_equal(scram_challenge(s, &v, &out, NULL), 0);
		(void)!scram_final(s, buf_view(&m), &out, &e);
		if (e.kind != t[i].kind)
			fail_msg("%s: kind %d", t[i].name, (int)e.kind);
		scram_free(&s);
		buf_free(&m);
		buf_free(&out);
	}
}

static void nonces_are_new_each_time(void **state)
{
	struct scram_verifier v;
	struct buf out[2];
	struct scram *s;
	size_t i;

	(void)state;
	make_verifier(&v, "pencil");
	for (i = 0; i < 2; i++) {
		s = NULL;
		buf_init(&out[i], 4096);
		assert_int_equal(scram_new(&s, NULL, NULL), 0);
		assert_int_equal(scram_first(s, view_of(CLIENT_FIRST), NULL),
		    0);
		assert_int_equal(scram_challenge(s, &v, &out[i], NULL), 0);
		assert_true(out[i].n > 80);
		scram_free(&s);
	}
	assert_string_not_equal(buf_str(&out[0]), buf_str(&out[1]));
	buf_free(&out[0]);
	buf_free(&out[1]);
}

static void lengths_at_their_caps(void **state)
{
	static const struct {
		size_t name, nonce;
		int rc;
	} t[] = {
		{ SCRAM_NAME - 2, 10, 0 }, { SCRAM_NAME - 1, 10, 0 },
		{ SCRAM_NAME, 10, -1 },
		{ 4, SCRAM_NONCE_MAX - 1, 0 }, { 4, SCRAM_NONCE_MAX, 0 },
		{ 4, SCRAM_NONCE_MAX + 1, -1 },
		{ SCRAM_MESSAGE, 4, -1 },
	};
	struct scram *s;
	struct buf m;
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++) {
		s = NULL;
		buf_init(&m, 2 * SCRAM_MESSAGE);
		buf_puts(&m, "n,,n=");
		for (k = 0; k < t[i].name; k++)
			buf_putc(&m, 'u');
		buf_puts(&m, ",r=");
		for (k = 0; k < t[i].nonce; k++)
			buf_putc(&m, 'r');
		assert_int_equal(scram_new(&s, NULL, NULL), 0);
		assert_int_equal(scram_first(s, buf_view(&m), NULL),
		    t[i].rc);
		scram_free(&s);
		buf_free(&m);
	}
}

static void octet_nul_is_refused(void **state)
{
	static const char first[] = "n,,n=user,r=abc,x=a\0b";
	static const char name[] = "n,,n=us\0er,r=abc";
	struct scram *s = NULL;

	(void)state;
	assert_int_equal(scram_new(&s, NULL, NULL), 0);
	assert_int_equal(scram_first(s, view_make(first, sizeof(first) - 1),
	    NULL), -1);
	scram_free(&s);
	assert_int_equal(scram_new(&s, NULL, NULL), 0);
	assert_int_equal(scram_first(s, view_make(name, sizeof(name) - 1),
	    NULL), -1);
	scram_free(&s);
}

static void verifiers_are_written_and_read(void **state)
{
	struct scram_verifier v, w;
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	assert_int_equal(scram_make(&v, view_of("pencil"), 4096, NULL), 0);
	scram_verifier_print(&v, &b);
	assert_int_equal(scram_verifier_parse(&w, buf_view(&b), NULL), 0);
	assert_memory_equal(&v, &w, sizeof(v));
	buf_free(&b);
}

static void malformed_verifiers(void **state)
{
#define KEYS "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:" \
	     "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define SALT "W22ZaJ0SNY7soEsUEjb6gQ=="
	static const struct {
		const char *text;
		int rc;
	} t[] = {
		{ "SCRAM-SHA-256$4096:" SALT KEYS, 0 },
		{ "SCRAM-SHA-256$10000000:" SALT KEYS, 0 },
		{ "SCRAM-SHA-256$10000001:" SALT KEYS, -1 },
		{ "SCRAM-SHA-256$4095:" SALT KEYS, -1 },
		{ "SCRAM-SHA-256$04096:" SALT KEYS, -1 },
		{ "SCRAM-SHA-256$+4096:" SALT KEYS, -1 },
		{ "SCRAM-SHA-256$:" SALT KEYS, -1 },
		{ "SCRAM-SHA-256$99999999999999999999:" SALT KEYS, -1 },
		{ "SCRAM-SHA-1$4096:" SALT KEYS, -1 },
		{ "scram-sha-256$4096:" SALT KEYS, -1 },
		{ "SCRAM-SHA-256$4096:" KEYS, -1 },
		{ "SCRAM-SHA-256$4096:YWJj" KEYS, -1 },
		{ "SCRAM-SHA-256$4096:" SALT KEYS "=", -1 },
		{ "SCRAM-SHA-256$4096:" SALT KEYS "\r", -1 },
		{ "SCRAM-SHA-256$4096:" SALT "$YWJj:YWJj", -1 },
		{ "SCRAM-SHA-256$4096:" SALT, -1 },
		{ "SCRAM-SHA-256", -1 }, { "", -1 },
	};
	struct scram_verifier v;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++)
		if (scram_verifier_parse(&v, view_of(t[i].text), NULL) !=
		    t[i].rc)
			fail_msg("%s: wanted %d", t[i].text, t[i].rc);
}

static void mock_is_the_same_for_a_name(void **state)
{
	static const unsigned char seed[32] = "a seed that is kept somewhere";
	static const unsigned char other[32] = "another one";
	struct scram_verifier a, b;

	(void)state;
	assert_int_equal(scram_mock(&a, seed, "eve", 4096, NULL), 0);
	assert_int_equal(scram_mock(&b, seed, "eve", 4096, NULL), 0);
	assert_int_equal(a.salt_n, 16);
	assert_memory_equal(a.salt, b.salt, a.salt_n);
	assert_memory_not_equal(a.stored_key, b.stored_key, SCRAM_HASH);
	assert_int_equal(scram_mock(&b, seed, "eva", 4096, NULL), 0);
	assert_memory_not_equal(a.salt, b.salt, a.salt_n);
	assert_int_equal(scram_mock(&b, other, "eve", 4096, NULL), 0);
	assert_memory_not_equal(a.salt, b.salt, a.salt_n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_first_messages),
		cmocka_unit_test(first_messages_that_are_right),
		cmocka_unit_test(malformed_and_wrong_proofs),
		cmocka_unit_test(A72_flag_changed_on_the_way_is_refused),
		cmocka_unit_test(replayed_messages_are_refused),
		cmocka_unit_test(signed_lies_are_refused),
		cmocka_unit_test(nonces_are_new_each_time),
		cmocka_unit_test(lengths_at_their_caps),
		cmocka_unit_test(octet_nul_is_refused),
		cmocka_unit_test(rfc_7677_example),
		cmocka_unit_test(verifiers_are_written_and_read),
		cmocka_unit_test(malformed_verifiers),
		cmocka_unit_test(mock_is_the_same_for_a_name),
	};

	return cmocka_run_group_tests_name("relay_scram", tests, NULL, NULL);
}
