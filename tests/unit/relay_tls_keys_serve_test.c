/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The keys process: what it answers, and to whom that was taken over it does
 * not.
 */
#include "relay_keys.h"

static struct view good_tbs(void)
{
	static unsigned char p[64 + 34 + 32];

	memset(p, ' ', 64);
	memcpy(p + 64, "TLS 1.3, server CertificateVerify", 34);
	memset(p + 98, 7, 32);
	return view_make(p, sizeof(p));
}

static void put_question(struct buf *q, uint8_t op, uint32_t number,
    uint8_t sig, struct view tbs)
{
	buf_clear(q);
	ipc_put_u32(q, 77);
	ipc_put_u8(q, op);
	ipc_put_u32(q, number);
	if (op == KEYS_OP_SPKI)
		return;
	ipc_put_u8(q, sig);
	ipc_put_view(q, tbs);
}

/* enum fail of the answer; -1: cut off. result is good until the next. */
static int asked(struct there *t, const struct buf *q, struct view *result)
{
	static unsigned char p[KEYS_ANSWER_MAX];
	uint8_t status = 0;
	uint32_t seq = 0;
	struct rd r;
	ssize_t n;

	if (send(t->sock, q->p, q->n, MSG_NOSIGNAL) < 0)
		return -1;
	n = recv(t->sock, p, sizeof(p), 0);
	if (n <= 0)
		return -1;
	rd_init(&r, view_make(p, (size_t)n));
	assert_int_equal(rd_u32(&r, &seq), 0);
	assert_int_equal(seq, 77);
	assert_int_equal(rd_u8(&r, &status), 0);
	assert_int_equal(ipc_get_view(&r, result), 0);
	assert_int_equal(rd_left(&r), 0);
	return status;
}

static void check_signature(size_t kind, enum tls_sig alg, struct view sig)
{
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pc = NULL;

	assert_int_equal(EVP_DigestVerifyInit_ex(m, &pc, tls_sig_digest(alg),
	    NULL, NULL, w.id[kind].key, NULL), 1);
	if (tls_sig_is_pss(alg))
		assert_true(EVP_PKEY_CTX_set_rsa_padding(pc,
		    RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(pc, 48) == 1);
	assert_int_equal(EVP_DigestVerify(m, sig.p, sig.n, good_tbs().p,
	    good_tbs().n), 1);
	EVP_MD_CTX_free(m);
}

/* Each one more than once: what was begun for the first is used again. */
static void signatures_and_public_keys(void **state)
{
	static const struct {
		uint32_t kind;
		enum tls_sig alg;
	} c[] = {
		{ 0, TLS_SIG_PSS_SHA384 }, { 1, TLS_SIG_ECDSA_SHA256 },
		{ 2, TLS_SIG_ECDSA_SHA384 }, { 3, TLS_SIG_ED25519 },
		{ 0, TLS_SIG_RSA_SHA256 }, { 0, TLS_SIG_PSS_SHA384 },
		{ 1, TLS_SIG_ECDSA_SHA256 }, { 1, TLS_SIG_ECDSA_SHA256 },
		{ 3, TLS_SIG_ED25519 }, { 0, TLS_SIG_RSA_SHA256 },
	};
	struct there t = start(serve, true);
	struct view sig;
	struct buf q;
	size_t i;

	(void)state;
	buf_init(&q, KEYS_QUESTION_MAX);
	for (i = 0; i < ARRAY_LEN(c); i++) {
		put_question(&q, KEYS_OP_SPKI, c[i].kind, 0, good_tbs());
		assert_int_equal(asked(&t, &q, &sig), 0);
		assert_true(view_eq(sig, view_make(
		    cert_spki_sha256(w.id[c[i].kind].cert), 32)));
		put_question(&q, KEYS_OP_SIGN, c[i].kind, (uint8_t)c[i].alg,
		    good_tbs());
		assert_int_equal(asked(&t, &q, &sig), 0);
		check_signature(c[i].kind, c[i].alg, sig);
	}
	buf_free(&q);
	end(&t);
}

/* attack A62: a worker that was taken over asks for other keys, other
 * algorithms, and signatures under mail and certificates
 * verdict: refused, and the next good question is answered */
static void A62_what_is_refused(void **state)
{
	static const unsigned char attrs[] = { 0x31, 0x0b, 0x30, 0x09, 0x06,
		0x03, 0x2a, 0x03, 0x04, 0x31, 0x02, 0x05, 0x00 };
	struct there t = start(serve, true);
	struct view none = { NULL, 0 }, v;
	struct buf q;

	(void)state;
	buf_init(&q, KEYS_QUESTION_MAX);
	put_question(&q, KEYS_OP_SIGN, KINDS, TLS_SIG_PSS_SHA256, good_tbs());
	assert_int_equal(asked(&t, &q, &v), FAIL_INPUT);
	put_question(&q, KEYS_OP_SPKI, UINT32_MAX, 0, none);
	assert_int_equal(asked(&t, &q, &v), FAIL_INPUT);
	put_question(&q, KEYS_OP_SIGN, 0, TLS_SIG_ECDSA_SHA256, good_tbs());
	assert_int_equal(asked(&t, &q, &v), FAIL_POLICY);
	put_question(&q, KEYS_OP_SIGN, 1, TLS_SIG_PSS_SHA256, good_tbs());
	assert_int_equal(asked(&t, &q, &v), FAIL_POLICY);
	put_question(&q, KEYS_OP_SIGN, 0, 0, good_tbs());
	assert_int_equal(asked(&t, &q, &v), FAIL_POLICY);
	put_question(&q, KEYS_OP_SIGN, 0, 255, good_tbs());
	assert_int_equal(asked(&t, &q, &v), FAIL_POLICY);
	put_question(&q, KEYS_OP_SIGN, 0, TLS_SIG_RSA_SHA256,
	    view_make(attrs, sizeof(attrs)));
	assert_int_equal(asked(&t, &q, &v), FAIL_POLICY);
	put_question(&q, KEYS_OP_SIGN, 0, TLS_SIG_RSA_SHA256,
	    cert_der(w.id[0].cert));
	assert_int_equal(asked(&t, &q, &v), FAIL_POLICY);
	put_question(&q, KEYS_OP_SIGN, 0, TLS_SIG_PSS_SHA256, none);
	assert_int_equal(asked(&t, &q, &v), FAIL_POLICY);
	put_question(&q, KEYS_OP_SIGN, 0, TLS_SIG_PSS_SHA256, good_tbs());
	assert_int_equal(asked(&t, &q, &v), 0);
	buf_free(&q);
	end(&t);
}

static void malformed_questions_end_it(void **state)
{
	static unsigned char big[KEYS_QUESTION_MAX + 1];
	struct there t;
	struct view v;
	struct buf q;
	size_t i, n;

	(void)state;
	buf_init(&q, sizeof(big));
	put_question(&q, KEYS_OP_SIGN, 0, TLS_SIG_PSS_SHA256, good_tbs());
	n = q.n;
	for (i = 0; i < 6; i++) {
		t = start(serve, true);
		put_question(&q, KEYS_OP_SIGN, 0, TLS_SIG_PSS_SHA256,
		    good_tbs());
		if (i == 0)
			q.n = n - 1;
		else if (i == 1)
			buf_putc(&q, 0);
		else if (i == 2)
			q.p[4] = 3; /* no operation */
		else if (i == 3)
			q.p[10] = 0xff; /* length */
		else if (i == 4)
			q.n = 3;
		else {
			buf_clear(&q);
			buf_put(&q, big, sizeof(big));
		}
		if (asked(&t, &q, &v) != -1)
			fail_msg("case %zu was answered", i);
		end(&t);
	}
	buf_free(&q);
}

/* attack A62: a worker in wrong hands has octets of its choice signed that
 * look like three numbers of DH, or like a point, and are a certificate
 * verdict: refused; DH is not spoken, and points have their curve's length */
static void A62_what_only_looks_like_a_handshake(void **state)
{
	static unsigned char p[KEYS_TBS_MAX];

	(void)state;
	memset(p, '0', sizeof(p));
	memcpy(p + 64, "\1\0", 2);
	memcpy(p + 64 + 2 + 256, "\0\1\2\0\1x", 6);
	assert_false(keys_is_handshake(view_make(p, 64 + 2 + 256 + 6)));
	memcpy(p + 64, "\x03\x00\x17\xff\x04", 5);
	assert_false(keys_is_handshake(view_make(p, 64 + 4 + 255)));
	memcpy(p + 64, "\x03\x00\x16\x41\x04", 5);
	assert_false(keys_is_handshake(view_make(p, 64 + 4 + 65)));
	memcpy(p + 64, "\x03\x00\x17\x41\x02", 5);
	assert_false(keys_is_handshake(view_make(p, 64 + 4 + 65)));
	memcpy(p + 64, "\x03\x00\x1d\x20", 4);
	assert_true(keys_is_handshake(view_make(p, 64 + 4 + 32)));
}

static void the_form_of_a_handshake(void **state)
{
	static unsigned char p[KEYS_TBS_MAX];
	struct view v = good_tbs();

	(void)state;
	assert_true(keys_is_handshake(v));
	memcpy(p, v.p, v.n);
	assert_true(keys_is_handshake(view_make(p, 98 + 48)));
	assert_false(keys_is_handshake(view_make(p, 98 + 33)));
	assert_false(keys_is_handshake(view_make(p, 98)));
	assert_false(keys_is_handshake(view_make(p, 64)));
	p[0] = 'x';
	assert_false(keys_is_handshake(view_make(p, 98 + 32)));
	/* ServerKeyExchange: two randoms, curve 23, a point of 65 octets */
	memset(p, 9, sizeof(p));
	memcpy(p + 64, "\x03\x00\x17\x41\x04", 5);
	assert_true(keys_is_handshake(view_make(p, 64 + 4 + 65)));
	assert_false(keys_is_handshake(view_make(p, 64 + 4 + 64)));
	assert_false(keys_is_handshake(view_make(p, 64 + 4 + 66)));
	p[64] = 1; /* explicit_prime */
	assert_false(keys_is_handshake(view_make(p, 64 + 4 + 65)));
	/* a client: from ClientHello to ClientKeyExchange */
	memcpy(p, "\1\0\0\2xx\13\0\0\0\20\0\0\1y", 15);
	assert_true(keys_is_handshake(view_make(p, 15)));
	assert_false(keys_is_handshake(view_make(p, 14)));
	assert_false(keys_is_handshake(view_make(p, 10)));
	assert_false(keys_is_handshake(view_make(p, 0)));
}

/* ---- mail's keys ---- */

static void put_in_store(size_t kind, const struct testca_id *id,
    const unsigned char spki[32])
{
	struct keystore *ks = NULL;
	struct err e = { 0 };
	bool added;

	(void)kind;
	assert_int_equal(keystore_open(&ks, w.store, KS_WRITE, &e), 0);
	if (id != NULL)
		assert_int_equal(keystore_add(ks, id->cert, KS_ENCRYPT,
		    KS_IMPORT, &added, &e), 0);
	if (spki != NULL && keystore_add_key(ks, spki, view_of("sealed"),
	    &e) != 0)
		fail_msg("%s", e.msg);
	keystore_close(&ks);
}

static int refused(const struct keys_held *k, struct err *e)
{
	err_clear(e);
	return keys_refuse_shared(k, w.store, e);
}

/* attack A62: the TLS server is used as an oracle for mail (DROWN, ROBOT)
 * verdict: one key for both is refused by name when the relay starts */
static void A62_a_key_of_mail_is_refused(void **state)
{
	struct testca_leaf leaf = { .mail = "alice@example.com",
		.use_key = w.id[0].key };
	struct keys_held *k = NULL;
	struct err e = { 0 };
	struct testca_id mail;

	(void)state;
	testca_issue(&w.ca, &leaf, &mail);
	assert_int_equal(keys_load(&k, &w.config, &e), 0);
	assert_int_equal(keys_count(k), KINDS);
	assert_int_equal(keys_refuse_shared(k, NULL, &e), 0);
	assert_int_equal(refused(k, &e), -1); /* there is no such store */
	assert_int_equal(e.kind, FAIL_CONFIG);
	assert_int_equal(keystore_create(w.store, &e), 0);
	assert_int_equal(refused(k, &e), 0);
	/* a key for TLS that the keystore made: it may be there */
	put_in_store(1, &w.id[1], cert_spki_sha256(w.id[1].cert));
	assert_int_equal(refused(k, &e), 0);
	/* anybody can have certified whatever key */
	put_in_store(0, &mail, NULL);
	assert_int_equal(refused(k, &e), 0);
	put_in_store(0, NULL, cert_spki_sha256(mail.cert));
	assert_int_equal(refused(k, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	assert_non_null(strstr(e.msg, "pki p0: the key in "));
	assert_non_null(strstr(e.msg, w.key[0]));
	testca_id_free(&mail);
	keys_free(&k);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures_and_public_keys),
		cmocka_unit_test(A62_what_is_refused),
		cmocka_unit_test(malformed_questions_end_it),
		cmocka_unit_test(A62_what_only_looks_like_a_handshake),
		cmocka_unit_test(the_form_of_a_handshake),
		cmocka_unit_test(A62_a_key_of_mail_is_refused),
	};

	return cmocka_run_group_tests_name("relay_tls_keys_serve", tests,
	    make_world, end_world);
}
