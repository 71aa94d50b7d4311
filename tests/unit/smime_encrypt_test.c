/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What we encrypt: read by libcrypto and by ourselves, with the algorithms
 * that were ordered, to exactly those who were ordered.
 */
#include "smime/encrypt.h"

#include <sys/wait.h>
#include <unistd.h>

#include "smime/ctype.h"
#include "smime/decrypt.h"
#include "smime/shape.h"
#include "smime_help.h"
#include "testca.h"

static struct testca ca;
static struct testca_id rsa, rsa2, p256, p384, p521, x25519, ed, pss, weak;
static struct testca_keys keys;

static const char text[] = "Content-Type: text/plain\r\n\r\nA secret for"
    " alice, bob and carol.\r\n";

static const enum enc_cipher ciphers[] = { ENC_AES128_CBC, ENC_AES256_CBC,
	ENC_AES128_GCM, ENC_AES256_GCM };

static int setup(void **state)
{
	static const char *const kinds[] = { "rsa:2048", "ec:P-256",
		"ec:P-384", "ec:P-521", "x25519", "ed25519", "rsa-pss",
		"rsa:1024", "rsa:2048" };
	struct testca_id *ids[] = { &rsa, &p256, &p384, &p521, &x25519, &ed,
		&pss, &weak, &rsa2 };

	(void)state;
	testca_init(&ca);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		testca_issue(&ca, &(struct testca_leaf){ .key = kinds[i],
		    .mail = "alice@example.com" }, ids[i]);
	keys = (struct testca_keys){ { &rsa, &p256, &p384, &p521 }, 4, 0, 0,
		0 };
	return 0;
}

static int teardown(void **state)
{
	struct testca_id *ids[] = { &rsa, &p256, &p384, &p521, &x25519, &ed,
		&pss, &weak, &rsa2 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		testca_id_free(ids[i]);
	testca_free(&ca);
	return 0;
}

static struct spool *encrypt(struct view data, const struct enc_to *to,
    size_t n, enum enc_cipher cipher)
{
	struct spool *in = spool_with(data), *out = spool_empty();
	struct err e;

	if (encrypt_entity(in, to, n, cipher, out, &e) == -1)
		fail_msg("%s", e.msg);
	if (encrypt_self_check(out, to, n, cipher, &e) == -1)
		fail_msg("%s", e.msg);
	spool_free(&in);
	return out;
}

static void read_shape(const struct spool *s, struct shape *sh)
{
	struct header h;
	struct ctype ct;
	struct err e;

	assert_int_equal(header_read(&h, s, 0, spool_size(s), &e), 0);
	assert_int_equal(ctype_read(&ct, &h, &e), 0);
	assert_int_equal(shape_read(sh, s, &h, &ct, spool_size(s), &e), 0);
	ctype_free(&ct);
	header_free(&h);
}

/* DER of the body, by libcrypto's base64. */
static void get_der(const struct spool *s, struct buf *der)
{
	struct shape sh;
	struct buf b64;
	struct sink k;
	struct err e;
	unsigned char *to;
	BIO *b;
	int n;

	read_shape(s, &sh);
	assert_int_equal(sh.kind, SHAPE_PKCS7);
	buf_init(&b64, BIG);
	k = sink_to_buf(&b64);
	assert_int_equal(spool_copy(s, sh.body, sh.end, &k, &e), 0);
	b = BIO_push(BIO_new(BIO_f_base64()), BIO_new_mem_buf(b64.p,
	    (int)b64.n));
	do {
		to = buf_room(der, 4096);
		assert_non_null(to);
		n = BIO_read(b, to, 4096);
		der->n += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	BIO_free_all(b);
	buf_free(&b64);
}

static void ossl_decrypts(struct view der, const struct testca_id *id,
    struct view want)
{
	CMS_ContentInfo *c = ossl_cms(der);
	BIO *out = BIO_new(BIO_s_mem());
	char *p = NULL;
	long n;

	assert_non_null(c);
	if (CMS_decrypt(c, id->key, cert_x509(id->cert), NULL, out,
	    CMS_BINARY) != 1) {
		ERR_print_errors_fp(stderr);
		fail_msg("libcrypto does not decrypt");
	}
	n = BIO_get_mem_data(out, &p);
	assert_true(view_eq(view_make(p, (size_t)n), want));
	BIO_free(out);
	CMS_ContentInfo_free(c);
}

static void we_decrypt(struct view der, const struct testca_id *id,
    struct view want)
{
	struct key_ops ops = testca_key_ops(&keys);
	struct spool *q = spool_empty();
	struct cms *c = NULL;
	struct buf plain;
	struct err e;
	size_t i;

	buf_init(&plain, BIG);
	assert_int_equal(read_der(&c, der, &e), 0);
	for (i = 0; i < cms_rids(c); i++)
		if (view_eq(cms_rid(c, i)->id, cert_ias(id->cert)))
			break;
	assert_true(i < cms_rids(c));
	if (cms_decrypt(c, cms_rid(c, i), cert_sha256(id->cert), &ops, q,
	    &e) == -1)
		fail_msg("%s", e.msg);
	spool_get(q, &plain);
	assert_true(view_eq(buf_view(&plain), want));
	cms_free(&c);
	spool_free(&q);
	buf_free(&plain);
}

static void S85_S94_everybody_ordered_can_read(void **state)
{
	const struct testca_id *ids[] = { &rsa, &p256, &p384, &p521 };
	struct enc_to to[ARRAY_LEN(ids)];
	struct spool *s;
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		to[i] = (struct enc_to){ ids[i]->cert, false };
	for (size_t k = 0; k < ARRAY_LEN(ciphers); k++) {
		for (size_t i = 0; i <= ARRAY_LEN(ids); i++) {
			bool all = i == ARRAY_LEN(ids);

			buf_clear(&der);
			s = encrypt(view_of(text), all ? to : &to[i], all ?
			    ARRAY_LEN(ids) : 1, ciphers[k]);
			get_der(s, &der);
			for (size_t j = 0; j < ARRAY_LEN(ids); j++) {
				if (!all && j != i)
					continue;
				ossl_decrypts(buf_view(&der), ids[j],
				    view_of(text));
				we_decrypt(buf_view(&der), ids[j],
				    view_of(text));
			}
			spool_free(&s);
		}
	}
	buf_free(&der);
}

static bool has(const struct buf *b, const char *p, size_t n)
{
	return memmem(b->p, b->n, p, n) != NULL;
}

/* OAEP for who reads it, PKCS#1 for the other, EC beside them. */
static void S93_S94_key_transport_for_each_recipient(void **state)
{
	/* id-RSAES-OAEP with SHA-256 in both places, no label (RFC 3560) */
	static const char oaep[] = "\x30\x38\x06\x09\x2a\x86\x48\x86\xf7\x0d"
	    "\x01\x01\x07\x30\x2b\xa0\x0d\x30\x0b\x06\x09\x60\x86\x48\x01"
	    "\x65\x03\x04\x02\x01\xa1\x1a\x30\x18\x06\x09\x2a\x86\x48\x86"
	    "\xf7\x0d\x01\x01\x08\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03"
	    "\x04\x02\x01";
	static const char pkcs1[] = "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d"
	    "\x01\x01\x01\x05\x00\x04\x82";
	struct enc_to to[] = { { rsa.cert, true }, { rsa2.cert, false },
		{ p256.cert, true } };
	struct err e;
	struct spool *s;
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	for (size_t k = 0; k < ARRAY_LEN(ciphers); k++) {
		buf_clear(&der);
		s = encrypt(view_of(text), to, 3, ciphers[k]);
		get_der(s, &der);
		assert_true(has(&der, oaep, sizeof(oaep) - 1));
		assert_true(has(&der, pkcs1, sizeof(pkcs1) - 1));
		ossl_decrypts(buf_view(&der), &rsa, view_of(text));
		ossl_decrypts(buf_view(&der), &rsa2, view_of(text));
		ossl_decrypts(buf_view(&der), &p256, view_of(text));
		to[0].oaep = false;
		assert_int_equal(encrypt_self_check(s, to, 3, ciphers[k], &e),
		    -1);
		assert_int_equal(e.kind, FAIL_BUG);
		to[0].oaep = true;
		spool_free(&s);
	}
	/* named twice, what all its names can read is taken */
	to[1] = (struct enc_to){ rsa.cert, false };
	buf_clear(&der);
	s = encrypt(view_of(text), to, 2, ENC_AES256_CBC);
	get_der(s, &der);
	assert_false(has(&der, oaep, sizeof(oaep) - 1));
	spool_free(&s);
	buf_free(&der);
}

static void contents_of_all_sizes(void **state)
{
	static const size_t sizes[] = { 1, 15, 16, 17, 4096, 65535, 65536,
		65537, 3000001 };
	unsigned char *data = malloc(3000001);
	const struct enc_to to[] = { { p256.cert, false } };
	struct spool *s;
	struct buf der;

	(void)state;
	assert_non_null(data);
	for (size_t i = 0; i < 3000001; i++)
		data[i] = (unsigned char)(i * 13 + i / 256);
	buf_init(&der, BIG);
	for (size_t k = 1; k < 4; k += 2) {
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			struct view v = view_make(data, sizes[i]);

			buf_clear(&der);
			s = encrypt(v, to, 1, ciphers[k]);
			get_der(s, &der);
			ossl_decrypts(buf_view(&der), &p256, v);
			we_decrypt(buf_view(&der), &p256, v);
			spool_free(&s);
		}
	}
	free(data);
	buf_free(&der);
}

/* S26, S31 */
static void S26_S31_headers_are_exact(void **state)
{
	static const char *const types[] = { "enveloped-data",
		"enveloped-data", "authEnveloped-data", "authEnveloped-data" };
	const struct enc_to to[] = { { rsa.cert, false } };
	struct buf want, got;
	struct spool *s;

	(void)state;
	buf_init(&want, 4096);
	buf_init(&got, BIG);
	for (size_t k = 0; k < ARRAY_LEN(ciphers); k++) {
		buf_clear(&want);
		buf_clear(&got);
		buf_printf(&want, "Content-Type: application/pkcs7-mime;"
		    " smime-type=%s;\r\n\tname=smime.p7m\r\n"
		    "Content-Transfer-Encoding: base64\r\n"
		    "Content-Disposition: attachment; filename=smime.p7m\r\n"
		    "\r\n", types[k]);
		s = encrypt(view_of(text), to, 1, ciphers[k]);
		spool_get(s, &got);
		assert_memory_equal(got.p, want.p, want.n);
		assert_int_equal(got.p[got.n - 1], '\n');
		spool_free(&s);
	}
	buf_free(&want);
	buf_free(&got);
}

/* S90, S91: KDF SHA-256 and a wrap of the cipher's size; S94: PKCS#1. */
static void S90_S91_key_agreement_is_as_ordered(void **state)
{
	static const char kdf256[] = "\x2b\x81\x04\x01\x0b\x01";
	static const char sha1kdf[] = "\x2b\x81\x05\x10\x86\x48\x3f\x00\x02";
	static const char wrap128[] = "\x60\x86\x48\x01\x65\x03\x04\x01\x05";
	static const char wrap256[] = "\x60\x86\x48\x01\x65\x03\x04\x01\x2d";
	const struct testca_id *ids[] = { &p256, &p384, &p521 };
	struct enc_to to[1] = { { NULL, false } };
	struct spool *s;
	struct buf der;
	bool small;

	(void)state;
	buf_init(&der, BIG);
	for (size_t k = 0; k < ARRAY_LEN(ciphers); k++) {
		small = ciphers[k] == ENC_AES128_CBC || ciphers[k] ==
		    ENC_AES128_GCM;
		for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
			to[0].cert = ids[i]->cert;
			buf_clear(&der);
			s = encrypt(view_of(text), to, 1, ciphers[k]);
			get_der(s, &der);
			assert_true(has(&der, kdf256, 6));
			assert_false(has(&der, sha1kdf, 9));
			assert_int_equal(has(&der, wrap128, 9), small);
			assert_int_equal(has(&der, wrap256, 9), !small);
			spool_free(&s);
		}
	}
	buf_free(&der);
}

/* The identifiers in the order of the message. */
static void get_ids(struct view der, struct buf *out)
{
	struct cms *c = NULL;
	struct err e;

	assert_int_equal(read_der(&c, der, &e), 0);
	for (size_t i = 0; i < cms_rids(c); i++)
		buf_putv(out, cms_rid(c, i)->id);
	cms_free(&c);
}

static void recipients_once_and_in_an_order_that_says_nothing(void **state)
{
	const struct enc_to a[] = { { rsa.cert, false }, { p256.cert, false },
		{ p384.cert, false }, { p256.cert, false },
		{ rsa.cert, false } };
	const struct enc_to b[] = { { p384.cert, false }, { rsa.cert, false },
		{ p256.cert, false } };
	struct buf der, x, y;
	struct cms *c = NULL;
	struct spool *s;
	struct err e;

	(void)state;
	buf_init(&der, BIG);
	buf_init(&x, BIG);
	buf_init(&y, BIG);
	s = encrypt(view_of(text), a, 5, ENC_AES256_CBC);
	get_der(s, &der);
	assert_int_equal(read_der(&c, buf_view(&der), &e), 0);
	assert_int_equal(cms_rids(c), 3);
	cms_free(&c);
	get_ids(buf_view(&der), &x);
	spool_free(&s);
	buf_clear(&der);
	s = encrypt(view_of(text), b, 3, ENC_AES256_CBC);
	get_der(s, &der);
	get_ids(buf_view(&der), &y);
	assert_true(view_eq(buf_view(&x), buf_view(&y)));
	spool_free(&s);
	buf_free(&der);
	buf_free(&x);
	buf_free(&y);
}

static void S92_keys_that_libcrypto_does_wrong_are_refused(void **state)
{
	static const struct {
		const struct testca_id *id;
		const char *says;
	} rows[] = {
		{ &x25519, NULL },
		{ &ed, "ed25519" },
		{ &pss, NULL },
		{ &weak, "1024" },
	};
	struct spool *in = spool_with(view_of(text)), *out = spool_empty();
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct enc_to to[] = { { rsa.cert, false },
			{ rows[i].id->cert, false } };

		assert_int_equal(encrypt_entity(in, to, 2, ENC_AES256_CBC,
		    out, &e), -1);
		assert_int_equal(e.kind, FAIL_POLICY);
		assert_int_equal(spool_size(out), 0);
		if (rows[i].says != NULL)
			assert_non_null(strstr(e.msg, rows[i].says));
	}
	assert_int_equal(encrypt_entity(in, NULL, 0, ENC_AES256_CBC, out,
	    &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
	spool_free(&in);
	spool_free(&out);
}

static void full_output_is_emptied(void **state)
{
	const struct enc_to to[] = { { p256.cert, false } };
	struct spool *in, *out;
	struct err e;
	char *data = calloc(1, 200000);

	(void)state;
	assert_non_null(data);
	in = spool_with(view_make(data, 200000));
	for (uint64_t room = 5; room < 250000; room = room * 3 + 1) {
		assert_int_equal(spool_new(&out, room, &e), 0);
		assert_int_equal(encrypt_entity(in, to, 1, ENC_AES256_GCM,
		    out, &e), -1);
		assert_int_equal(e.kind, FAIL_LIMIT);
		assert_int_equal(spool_size(out), 0);
		spool_free(&out);
	}
	spool_free(&in);
	free(data);
}

/* S89: another key, IV and ephemeral key every time. */
static void S89_nothing_repeats(void **state)
{
	const struct enc_to to[] = { { p256.cert, false } };
	enum { N = 50 };
	struct buf got[N];
	struct spool *s;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		buf_init(&got[i], BIG);
		s = encrypt(view_of(text), to, 1, ENC_AES256_GCM);
		get_der(s, &got[i]);
		spool_free(&s);
		/* mac: last element before three ends */
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(got[i].p + got[i].n - 22,
			    got[k].p + got[k].n - 22, 16);
	}
	for (size_t i = 0; i < N; i++)
		buf_free(&got[i]);
}

/* attack A63: two processes that were one a moment ago draw the same content
 * key and nonce
 * verdict: they do not: random octets come from the system, not from state
 * that a fork copies */
static void A63_a_fork_does_not_repeat_keys(void **state)
{
	const struct enc_to to[] = { { p256.cert, false } };
	unsigned char mac[16];
	struct spool *s;
	struct buf der;
	int ends[2], status;
	pid_t child;

	(void)state;
	buf_init(&der, BIG);
	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_int_not_equal(child, -1);
	s = encrypt(view_of(text), to, 1, ENC_AES256_GCM);
	get_der(s, &der);
	spool_free(&s);
	/* mac: last element before three ends */
	if (child == 0)
		_exit(write(ends[1], der.p + der.n - 22, 16) == 16 ? 0 : 1);
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(read(ends[0], mac, 16), 16);
	close(ends[0]);
	assert_memory_not_equal(der.p + der.n - 22, mac, 16);
	buf_free(&der);
}

static void self_check_wants_what_was_ordered(void **state)
{
	const struct enc_to a[] = { { rsa.cert, false }, { p256.cert, false } };
	const struct enc_to b[] = { { rsa.cert, false }, { p384.cert, false } };
	struct spool *s = encrypt(view_of(text), a, 2, ENC_AES256_CBC), *t;
	struct buf all;
	struct err e;

	(void)state;
	buf_init(&all, BIG);
	assert_int_equal(encrypt_self_check(s, a, 1, ENC_AES256_CBC, &e),
	    -1);
	assert_int_equal(e.kind, FAIL_BUG);
	assert_int_equal(encrypt_self_check(s, b, 2, ENC_AES256_CBC, &e),
	    -1);
	assert_int_equal(encrypt_self_check(s, a, 2, ENC_AES128_CBC, &e),
	    -1);
	assert_int_equal(encrypt_self_check(s, a, 2, ENC_AES256_GCM, &e),
	    -1);
	assert_int_equal(e.kind, FAIL_BUG);
	spool_get(s, &all);
	/* cut anywhere in the body; the last line alone may lose its end */
	for (size_t n = 20; n < all.n - 6; n += 97) {
		t = spool_with(view_make(all.p, n));
		assert_int_equal(encrypt_self_check(t, a, 2, ENC_AES256_CBC,
		    &e), -1);
		assert_int_equal(e.kind, FAIL_BUG);
		spool_free(&t);
	}
	spool_free(&s);
	buf_free(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S85_S94_everybody_ordered_can_read),
		cmocka_unit_test(S93_S94_key_transport_for_each_recipient),
		cmocka_unit_test(contents_of_all_sizes),
		cmocka_unit_test(S26_S31_headers_are_exact),
		cmocka_unit_test(S90_S91_key_agreement_is_as_ordered),
		cmocka_unit_test(
		    recipients_once_and_in_an_order_that_says_nothing),
		cmocka_unit_test(
		    S92_keys_that_libcrypto_does_wrong_are_refused),
		cmocka_unit_test(full_output_is_emptied),
		cmocka_unit_test(S89_nothing_repeats),
		cmocka_unit_test(A63_a_fork_does_not_repeat_keys),
		cmocka_unit_test(self_check_wants_what_was_ordered),
	};

	return cmocka_run_group_tests_name("smime_encrypt", tests, setup,
	    teardown);
}
