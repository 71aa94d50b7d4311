/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Content ciphers: which are opened, which only where somebody allows them,
 * which never; old ones against what libcrypto makes with them. The content
 * key is handed out by a stand-in that counts.
 */
#include "smime/decrypt.h"

#include "smime/oid.h"
#include "smime_help.h"
#include "testca.h"
#include "util/ossl.h"

static struct testca ca;
static struct testca_id rsa;
static struct testca_keys keys;

static const char text[] = "Content-Type: text/plain\r\n\r\n"
    "Old ciphers for alice, odd ones for bob.\r\n";

static int setup(void **state)
{
	(void)state;
	testca_init(&ca);
	testca_issue(&ca, &(struct testca_leaf){ .key = "rsa:2048",
	    .mail = "alice@example.com" }, &rsa);
	keys = (struct testca_keys){ .id = { &rsa }, .n = 1 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	testca_id_free(&rsa);
	testca_free(&ca);
	return 0;
}

/* ---- objects by hand ---- */

struct made {
	enum oid type;	 /* of the object; 0: EnvelopedData */
	struct view oid; /* content octets of the cipher's */
	struct view param;
	struct view body;
	struct view mac; /* AuthEnvelopedData */
	size_t chunk;	 /* octets of each string; 0: all in one */
	struct view ris; /* before the one for alice */
};

static void put_oid(struct buf *b, struct view oid)
{
	put_tlv(b, DER_OID, oid);
}

static void put_ktri(struct buf *b)
{
	struct buf t;

	buf_init(&t, 4096);
	put_tlv(&t, DER_INTEGER, view_make("", 1));
	buf_putv(&t, cert_ias(rsa.cert));
	put_tlv(&t, DER_SEQUENCE, view_make("\x06\x09\x2a\x86\x48\x86\xf7"
	    "\x0d\1\1\1\5\0", 13));
	put_tlv(&t, DER_OCTET_STRING, view_of("encrypted key"));
	put_tlv(b, DER_SEQUENCE, buf_view(&t));
	buf_free(&t);
}

static void put_content(struct buf *b, const struct made *m)
{
	struct buf t;

	buf_init(&t, BIG);
	for (size_t i = 0; m->chunk > 0 && i < m->body.n; i += m->chunk)
		put_tlv(&t, DER_OCTET_STRING, view_sub(m->body, i,
		    m->chunk < m->body.n - i ? m->chunk : m->body.n - i));
	if (m->chunk > 0)
		put_tlv(b, DER_CTX0, buf_view(&t));
	else
		put_tlv(b, DER_CTX0_PRIM, m->body);
	buf_free(&t);
}

static void make(const struct made *m, struct buf *b)
{
	enum oid type = m->type == OID_UNKNOWN ? OID_ENVELOPED_DATA : m->type;
	struct buf t, eci;

	buf_init(&t, BIG);
	buf_init(&eci, BIG);
	buf_clear(b);
	put_tlv(b, DER_INTEGER, view_make("", 1));
	buf_putv(&t, m->ris);
	put_ktri(&t);
	put_tlv(b, DER_SET, buf_view(&t));
	buf_clear(&t);
	put_oid(&t, m->oid);
	buf_putv(&t, m->param);
	put_oid(&eci, oid_view(OID_DATA));
	put_tlv(&eci, DER_SEQUENCE, buf_view(&t));
	put_content(&eci, m);
	put_tlv(b, DER_SEQUENCE, buf_view(&eci));
	if (type == OID_AUTH_ENVELOPED_DATA)
		put_tlv(b, DER_OCTET_STRING, m->mac);
	wrap_buf(b, DER_SEQUENCE);
	wrap_buf(b, DER_CTX0);
	buf_clear(&t);
	put_oid(&t, oid_view(type));
	buf_putv(&t, buf_view(b));
	buf_clear(b);
	put_tlv(b, DER_SEQUENCE, buf_view(&t));
	buf_free(&t);
	buf_free(&eci);
}

/* A key service that always has the key "kkk...". */
struct stand_in {
	size_t opens;
	size_t cek_len; /* asked for last */
};

static int open_any(void *ctx, const unsigned char sha256[32], struct view ri,
    size_t cek_len, unsigned char cek[CAP_CEK], struct err *e)
{
	struct stand_in *s = ctx;

	(void)sha256;
	(void)e;
	assert_int_equal(ri.p[0], DER_SEQUENCE);
	s->opens++;
	s->cek_len = cek_len;
	memset(cek, 'k', cek_len);
	return 0;
}

/* 0 when der opens with what is allowed. */
static int open_der(struct view der, unsigned allow, struct stand_in *s,
    struct buf *plain, struct err *e)
{
	struct key_ops ops = { .ctx = s, .open = open_any };
	struct spool *q = spool_empty();
	struct cms *c = NULL;
	int r;

	if (read_der(&c, der, e) == -1)
		fail_msg("%s", e->msg);
	cms_allow(c, allow);
	assert_int_equal(cms_rids(c), 1);
	r = cms_decrypt(c, cms_rid(c, 0), cert_sha256(rsa.cert), &ops, q, e);
	buf_clear(plain);
	spool_get(q, plain);
	if (r == -1)
		assert_int_equal(plain->n, 0);
	spool_free(&q);
	cms_free(&c);
	return r;
}

/* GCM of text under "kkk...": ciphertext, then n octets of tag. */
static void encrypt_gcm(struct view data, struct view nonce, size_t tag,
    struct buf *out)
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	unsigned char key[16], *to;
	int n = 0, last = 0;

	memset(key, 'k', sizeof(key));
	buf_clear(out);
	to = buf_room(out, data.n + 16);
	assert_true(x != NULL && to != NULL);
	assert_int_equal(EVP_EncryptInit_ex2(x, EVP_aes_128_gcm(), NULL, NULL,
	    NULL), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_IVLEN,
	    (int)nonce.n, NULL), 1);
	assert_int_equal(EVP_EncryptInit_ex2(x, NULL, key, nonce.p, NULL), 1);
	assert_int_equal(EVP_EncryptUpdate(x, to, &n, data.p, (int)data.n),
	    1);
	assert_int_equal(EVP_EncryptFinal_ex(x, to + n, &last), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG,
	    (int)tag, to + n), 1);
	out->n = (size_t)n + tag;
	EVP_CIPHER_CTX_free(x);
}

/* GCMParameters; icv 0: left out. */
static void put_gcm_param(struct buf *b, struct view nonce, size_t icv)
{
	unsigned char x = (unsigned char)icv;
	struct buf t;

	buf_init(&t, 256);
	put_tlv(&t, DER_OCTET_STRING, nonce);
	if (icv > 0)
		put_tlv(&t, DER_INTEGER, view_make(&x, 1));
	buf_clear(b);
	put_tlv(b, DER_SEQUENCE, buf_view(&t));
	buf_free(&t);
}

static const struct view nonces = { (const unsigned char *)
    "0123456789abcdef", 16 };

/* ---- what is known of a cipher before any key ---- */

#define BYTES(s) { (const unsigned char *)(s), sizeof(s) - 1 }
#define IV8 "\x04\x08" "01234567"
#define DES_OID "\x2b\x0e\x03\x02\x07"
#define RC2_OID "\x2a\x86\x48\x86\xf7\x0d\x03\x02"
#define DES3_OID "\x2a\x86\x48\x86\xf7\x0d\x03\x07"
#define AES_OID "\x60\x86\x48\x01\x65\x03\x04\x01"

struct row {
	struct view oid, param;
	const char *name;
	size_t cek_len;
	bool weak, supported;
	unsigned needs;
	const char *says;
};

static const struct row rows[] = {
	{ BYTES(AES_OID "\x02"), BYTES("\x04\x10" "0123456789abcdef"),
	    "AES-128-CBC", 16, false, true, 0, "" },
	{ BYTES(DES3_OID), BYTES(IV8), "3DES-CBC", 24, true, true, 0, "" },
	{ BYTES(DES3_OID), BYTES("\x04\x07" "0123456"), "3DES-CBC", 24, true,
	    false, 0, "IV" },
	{ BYTES(DES_OID), BYTES(IV8), "DES-CBC", 8, true, false,
	    CMS_ALLOW_LEGACY, "obsolete" },
	{ BYTES(DES_OID), BYTES("\x05\x00"), "DES-CBC", 8, true, false, 0,
	    "IV" },
	{ BYTES(RC2_OID), BYTES("\x30\x0d\x02\x01\x3a" IV8), "RC2-CBC", 16,
	    true, false, CMS_ALLOW_LEGACY, "obsolete" },
	{ BYTES(RC2_OID), BYTES("\x30\x0d\x02\x01\x78" IV8), "RC2-64-CBC", 8,
	    true, false, CMS_ALLOW_LEGACY, "obsolete" },
	{ BYTES(RC2_OID), BYTES("\x30\x0e\x02\x02\x00\xa0" IV8),
	    "RC2-40-CBC", 5, true, false, CMS_ALLOW_LEGACY, "obsolete" },
	{ BYTES(RC2_OID), BYTES("\x30\x0d\x02\x01\x39" IV8), "RC2-CBC", 16,
	    true, false, 0, "other than 40, 64 or 128" },
	{ BYTES(RC2_OID), BYTES("\x30\x0e\x02\x02\x01\x00" IV8), "RC2-CBC",
	    16, true, false, 0, "other than 40, 64 or 128" },
	/* 40 bits as a negative number */
	{ BYTES(RC2_OID), BYTES("\x30\x0d\x02\x01\xa0" IV8), "RC2-CBC", 16,
	    true, false, 0, "malformed" },
	{ BYTES(RC2_OID), BYTES(IV8), "RC2-CBC", 16, true, false, 0,
	    "malformed" },
	{ BYTES(RC2_OID), BYTES("\x30\x0a" IV8), "RC2-CBC", 16, true, false,
	    0, "malformed" },
	{ BYTES(RC2_OID), BYTES("\x30\x0c\x02\x01\x3a\x04\x07" "0123456"),
	    "RC2-CBC", 16, true, false, 0, "malformed" },
	{ BYTES(RC2_OID), BYTES("\x30\x0f\x02\x01\x3a" IV8 "\x05\x00"),
	    "RC2-CBC", 16, true, false, 0, "malformed" },
	{ BYTES(AES_OID "\x06"), BYTES("\x30\x11\x04\x0c" "0123456789ab"
	    "\x02\x01\x10"), "AES-128-GCM", 16, false, false,
	    CMS_ALLOW_BARE_GCM, "outside AuthEnvelopedData" },
	{ BYTES(AES_OID "\x06"), BYTES("\x30\x0c\x04\x07" "0123456"
	    "\x02\x01\x10"), "AES-128-GCM", 16, false, false,
	    CMS_ALLOW_BARE_GCM | CMS_ALLOW_LEGACY,
	    "outside AuthEnvelopedData" },
	{ BYTES(AES_OID "\x06"), BYTES("\x30\x0b\x04\x06" "012345"
	    "\x02\x01\x10"), "AES-128-GCM", 16, false, false, 0, "7 to 13" },
	/* id-aes128-CCM; ChaCha20-Poly1305; an arc of 50 bits */
	{ BYTES(AES_OID "\x07"), BYTES("\x05\x00"),
	    "2.16.840.1.101.3.4.1.7", 0, false, false, 0,
	    "2.16.840.1.101.3.4.1.7" },
	{ BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x03\x12"),
	    BYTES("\x05\x00"), "1.2.840.113549.1.9.16.3.18", 0, false, false,
	    0, "cipher 1.2.840.113549.1.9.16.3.18 is not" },
	{ BYTES("\x2a\x83\x86\xad\xb7\xf0\xd2\x05"), BYTES("\x05\x00"),
	    "1.2.13412494747909", 0, false, false, 0,
	    "1.2.13412494747909" },
};

static void check_row(const struct row *row)
{
	struct made m = { .oid = row->oid, .param = row->param, .body =
	    BYTES("12345678123456781234567812345678") };
	static const unsigned all = CMS_ALLOW_LEGACY | CMS_ALLOW_BARE_GCM;
	const struct cms_cipher *x;
	struct cms *c = NULL;
	struct buf der;
	struct err e;

	buf_init(&der, 4096);
	make(&m, &der);
	if (read_der(&c, buf_view(&der), &e) == -1)
		fail_msg("%s: %s", row->name, e.msg);
	x = cms_cipher(c);
	assert_string_equal(x->name, row->name);
	assert_int_equal(x->cek_len, row->cek_len);
	assert_int_equal(x->weak, row->weak);
	assert_int_equal(x->supported, row->supported);
	assert_int_equal(x->needs, row->needs);
	if (strstr(x->unsupported, row->says) == NULL)
		fail_msg("%s: %s", row->name, x->unsupported);
	/* nothing but what it needs helps, and that does */
	for (unsigned a = 0; a <= all; a++) {
		cms_allow(c, a);
		assert_int_equal(x->supported, row->supported ||
		    (row->needs != 0 && (row->needs & ~a) == 0));
		assert_int_equal(x->unsupported[0] == '\0', x->supported);
		assert_string_equal(x->name, row->name);
	}
	cms_allow(c, 0);
	assert_int_equal(x->supported, row->supported);
	cms_free(&c);
	buf_free(&der);
}

static void S88_S100_S196_ciphers_and_what_they_need(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&rows[i]);
}

/* Refused before anybody is asked for the key. */
static void S88_S100_what_is_refused_needs_no_key(void **state)
{
	struct stand_in s = { 0 };
	struct buf der, plain;
	struct err e;

	(void)state;
	buf_init(&der, 4096);
	buf_init(&plain, 4096);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct made m = { .oid = rows[i].oid, .param = rows[i].param,
			.body = BYTES("12345678123456781234567812345678") };

		if (rows[i].supported)
			continue;
		make(&m, &der);
		assert_int_equal(open_der(buf_view(&der), 0, &s, &plain, &e),
		    -1);
		assert_int_equal(e.kind, FAIL_INPUT);
		if (strstr(e.msg, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].name, e.msg);
	}
	assert_int_equal(s.opens, 0);
	buf_free(&der);
	buf_free(&plain);
}

/* Runs before anybody loads it. */
static void S100_without_the_legacy_provider(void **state)
{
	const struct made m = { .oid = BYTES(DES_OID), .param = BYTES(IV8),
		.body = BYTES("1234567812345678") };
	struct stand_in s = { 0 };
	struct buf der, plain;
	struct err e;

	(void)state;
	assert_null(ossl_legacy());
	buf_init(&der, 4096);
	buf_init(&plain, 4096);
	make(&m, &der);
	assert_int_equal(open_der(buf_view(&der), CMS_ALLOW_LEGACY, &s,
	    &plain, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	assert_non_null(strstr(e.msg, "legacy provider"));
	assert_int_equal(s.opens, 0);
	buf_free(&der);
	buf_free(&plain);
}

/* ---- what libcrypto makes ---- */

static void make_old(const char *name, bool stream, struct buf *der)
{
	EVP_CIPHER *k = EVP_CIPHER_fetch(ossl_legacy(), name, NULL);
	BIO *in = BIO_new_mem_buf(text, (int)sizeof(text) - 1);
	const struct view v = view_of(text);
	CMS_ContentInfo *c;

	assert_non_null(k);
	c = CMS_encrypt_ex(NULL, NULL, k, CMS_PARTIAL | CMS_BINARY |
	    (stream ? CMS_STREAM : 0), ossl_legacy(), NULL);
	assert_non_null(c);
	assert_non_null(CMS_add1_recipient_cert(c, cert_x509(rsa.cert), 0));
	if (!stream)
		assert_int_equal(CMS_final(c, in, NULL, CMS_BINARY), 1);
	buf_clear(der);
	ossl_der(c, stream ? &v : NULL, der);
	CMS_ContentInfo_free(c);
	EVP_CIPHER_free(k);
	BIO_free(in);
}

static int open_old(struct view der, unsigned allow, const char *name,
    struct buf *plain, struct err *e)
{
	struct key_ops ops = testca_key_ops(&keys);
	struct spool *q = spool_empty();
	struct cms *c = NULL;
	int r;

	assert_int_equal(read_der(&c, der, e), 0);
	assert_string_equal(cms_cipher(c)->name, name);
	assert_true(cms_cipher(c)->weak);
	cms_allow(c, allow);
	r = cms_decrypt(c, cms_rid(c, 0), cert_sha256(rsa.cert), &ops, q, e);
	buf_clear(plain);
	spool_get(q, plain);
	spool_free(&q);
	cms_free(&c);
	return r;
}

static void S100_old_ciphers_where_they_are_allowed(void **state)
{
	static const struct {
		const char *cipher, *name;
	} t[] = {
		{ "RC2-40-CBC", "RC2-40-CBC" }, { "RC2-64-CBC", "RC2-64-CBC" },
		{ "RC2-CBC", "RC2-CBC" }, { "DES-CBC", "DES-CBC" },
	};
	struct buf der, plain;
	struct err e;

	(void)state;
	if (ossl_legacy_load(&e) == -1)
		skip(); /* package openssl-provider-legacy */
	buf_init(&der, BIG);
	buf_init(&plain, BIG);
	for (size_t i = 0; i < ARRAY_LEN(t) * 2; i++) {
		make_old(t[i / 2].cipher, i % 2 == 1, &der);
		assert_int_equal(open_old(buf_view(&der), 0, t[i / 2].name,
		    &plain, &e), -1);
		assert_non_null(strstr(e.msg, "obsolete"));
		if (open_old(buf_view(&der), CMS_ALLOW_LEGACY,
		    t[i / 2].name, &plain, &e) == -1)
			fail_msg("%s: %s", t[i / 2].cipher, e.msg);
		assert_string_equal(buf_str(&plain), text);
	}
	buf_free(&der);
	buf_free(&plain);
}

/* The effective bits are part of the parameters: another number of them is
 * another cipher. */
static void S100_bits_of_RC2_are_what_is_written(void **state)
{
	struct buf der, plain;
	unsigned char *p;
	struct err e;

	(void)state;
	if (ossl_legacy_load(&e) == -1)
		skip(); /* package openssl-provider-legacy */
	buf_init(&der, BIG);
	buf_init(&plain, BIG);
	make_old("RC2-CBC", false, &der);
	p = memmem(der.p, der.n, RC2_OID, 8);
	assert_non_null(p);
	assert_int_equal(p[8 + 4], 58); /* 30 0d 02 01 3a */
	p[8 + 4] = 120;
	if (open_old(buf_view(&der), CMS_ALLOW_LEGACY, "RC2-64-CBC", &plain,
	    &e) == 0) /* the padding may be good by chance */
		assert_string_not_equal(buf_str(&plain), text);
	buf_free(&der);
	buf_free(&plain);
}

/* ---- GCM with its tag inside ---- */

static void check_bare(struct view data, size_t icv, bool said, size_t chunk)
{
	const struct view nonce = view_sub(nonces, 0, 12);
	struct made m = { .oid = BYTES(AES_OID "\x06"), .chunk = chunk };
	struct buf body, param, der, plain;
	struct stand_in s = { 0 };
	struct err e;

	buf_init(&body, BIG);
	buf_init(&param, 256);
	buf_init(&der, BIG);
	buf_init(&plain, BIG);
	encrypt_gcm(data, nonce, icv, &body);
	put_gcm_param(&param, nonce, said ? icv : 0);
	m.param = buf_view(&param);
	m.body = buf_view(&body);
	make(&m, &der);
	assert_int_equal(open_der(buf_view(&der), CMS_ALLOW_LEGACY, &s,
	    &plain, &e), -1);
	assert_int_equal(s.opens, 0);
	if (open_der(buf_view(&der), CMS_ALLOW_BARE_GCM, &s, &plain,
	    &e) == -1)
		fail_msg("%zu octets in %zu: %s", data.n, chunk, e.msg);
	assert_int_equal(s.opens, 1);
	assert_int_equal(s.cek_len, 16);
	assert_true(view_eq(buf_view(&plain), data));
	/* any octet of tag or text; the tag cut short */
	for (size_t i = 0; i < 3; i++) {
		size_t at = i == 0 ? body.n - 1 : i == 1 ? body.n - icv : 0;

		body.p[at] ^= 1;
		make(&m, &der);
		assert_int_equal(open_der(buf_view(&der), CMS_ALLOW_BARE_GCM,
		    &s, &plain, &e), -1);
		body.p[at] ^= 1;
	}
	m.body.n--;
	make(&m, &der);
	assert_int_equal(open_der(buf_view(&der), CMS_ALLOW_BARE_GCM, &s,
	    &plain, &e), -1);
	m.body.n = icv - 1;
	make(&m, &der);
	assert_int_equal(open_der(buf_view(&der), CMS_ALLOW_BARE_GCM, &s,
	    &plain, &e), -1);
	assert_int_equal(e.kind, FAIL_INPUT);
	buf_free(&body);
	buf_free(&param);
	buf_free(&der);
	buf_free(&plain);
}

static void S88_tag_behind_the_ciphertext(void **state)
{
	static const size_t sizes[] = { 0, 1, 40, 65536 - 16, 65536 - 8,
		65536, 65536 + 5, 200000 };
	unsigned char *data = calloc(1, 200000);

	(void)state;
	assert_non_null(data);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		check_bare(view_make(data, sizes[i]), 16, true, 0);
		check_bare(view_make(data, sizes[i]), 12, false, 4096);
	}
	check_bare(view_of(text), 13, true, 1);
	free(data);
}

/* attack A3: a GCM message relabelled as the CBC of the same key
 * verdict: delivered as it arrived, the reply of every failure; no plaintext
 * even where GCM without AuthEnvelopedData is allowed */
static void A3_relabelled_ciphers_never_open(void **state)
{
	static const struct made t[] = {
		/* CBC in AuthEnvelopedData */
		{ .type = OID_AUTH_ENVELOPED_DATA, .oid = BYTES(AES_OID
		    "\x02"), .param = BYTES("\x04\x10" "0123456789abcdef"),
		    .mac = BYTES("0123456789abcdef") },
		{ .type = OID_AUTH_ENVELOPED_DATA, .oid = BYTES(DES3_OID),
		    .param = BYTES(IV8), .mac = BYTES("0123456789abcdef") },
		{ .type = OID_AUTH_ENVELOPED_DATA, .oid = BYTES(RC2_OID),
		    .param = BYTES("\x30\x0d\x02\x01\x3a" IV8), .mac =
		    BYTES("0123456789abcdef") },
		/* CBC with the parameters of GCM, GCM with those of CBC */
		{ .oid = BYTES(AES_OID "\x02"), .param = BYTES("\x30\x11\x04"
		    "\x0c" "0123456789ab" "\x02\x01\x10") },
		{ .oid = BYTES(AES_OID "\x06"), .param = BYTES("\x04\x10"
		    "0123456789abcdef") },
		/* short tags */
		{ .type = OID_AUTH_ENVELOPED_DATA, .oid = BYTES(AES_OID
		    "\x06"), .param = BYTES("\x30\x11\x04\x0c" "0123456789ab"
		    "\x02\x01\x04"), .mac = BYTES("0123") },
		{ .oid = BYTES(AES_OID "\x06"), .param = BYTES("\x30\x11\x04"
		    "\x0c" "0123456789ab" "\x02\x01\x04") },
	};
	struct stand_in s = { 0 };
	struct buf der, plain;
	struct err e;

	(void)state;
	buf_init(&der, 4096);
	buf_init(&plain, 4096);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct made m = t[i];

		m.body = view_of("0123456789abcdef0123456789abcdef");
		make(&m, &der);
		if (open_der(buf_view(&der), CMS_ALLOW_LEGACY |
		    CMS_ALLOW_BARE_GCM, &s, &plain, &e) == 0)
			fail_msg("row %zu", i);
		assert_int_equal(e.kind, FAIL_INPUT);
	}
	assert_int_equal(s.opens, 0);
	buf_free(&der);
	buf_free(&plain);
}

static void S87_nonces_of_other_lengths_by_option(void **state)
{
	struct buf body, param, der, plain;
	struct stand_in s = { 0 };
	struct err e;

	(void)state;
	buf_init(&body, 4096);
	buf_init(&param, 256);
	buf_init(&der, 4096);
	buf_init(&plain, 4096);
	for (size_t n = 6; n <= 14; n++) {
		const struct view nonce = view_sub(nonces, 0, n);
		struct made m = { .type = OID_AUTH_ENVELOPED_DATA, .oid =
		    BYTES(AES_OID "\x06") };

		encrypt_gcm(view_of(text), nonce, 16, &body);
		put_gcm_param(&param, nonce, 16);
		m.param = buf_view(&param);
		m.body = view_sub(buf_view(&body), 0, body.n - 16);
		m.mac = view_sub(buf_view(&body), body.n - 16, 16);
		make(&m, &der);
		assert_int_equal(open_der(buf_view(&der), 0, &s, &plain, &e),
		    n == 12 ? 0 : -1);
		assert_int_equal(open_der(buf_view(&der), CMS_ALLOW_LEGACY,
		    &s, &plain, &e), n >= 7 && n <= 13 ? 0 : -1);
		if (n >= 7 && n <= 13)
			assert_string_equal(buf_str(&plain), text);
	}
	buf_free(&body);
	buf_free(&param);
	buf_free(&der);
	buf_free(&plain);
}

/* A wrong tag is no question of soundness: nothing comes out of the half
 * that the gateway calls alone. */
static void A4_S86_wrong_tag_leaves_nothing_to_look_at(void **state)
{
	const struct view nonce = view_sub(nonces, 0, 12);
	struct made m = { .oid = BYTES(AES_OID "\x06") };
	struct buf body, param, der;
	unsigned char cek[CAP_CEK];
	struct cms *c = NULL;
	struct spool *q;
	bool is_sound;
	struct err e;

	(void)state;
	buf_init(&body, 4096);
	buf_init(&param, 256);
	buf_init(&der, 4096);
	memset(cek, 'k', sizeof(cek));
	encrypt_gcm(view_of(text), nonce, 16, &body);
	put_gcm_param(&param, nonce, 16);
	m.param = buf_view(&param);
	for (int i = 0; i < 4; i++) { /* good and bad; mac, tag inside */
		m.type = i < 2 ? OID_AUTH_ENVELOPED_DATA : OID_UNKNOWN;
		m.mac = view_sub(buf_view(&body), body.n - 16, 16);
		m.body = view_sub(buf_view(&body), 0, i < 2 ? body.n - 16 :
		    body.n);
		body.p[body.n - 1] ^= (unsigned char)(i % 2);
		make(&m, &der);
		body.p[body.n - 1] ^= (unsigned char)(i % 2);
		assert_int_equal(read_der(&c, buf_view(&der), &e), 0);
		cms_allow(c, CMS_ALLOW_BARE_GCM);
		q = spool_empty();
		is_sound = i % 2 == 1;
		assert_int_equal(cms_decrypt_content(c, cek, q, &is_sound,
		    &e), i % 2 == 0 ? 0 : -1);
		assert_int_equal(is_sound, i % 2 == 0);
		assert_int_equal(spool_size(q), i % 2 == 0 ? strlen(text) :
		    0);
		spool_free(&q);
		cms_free(&c);
	}
	buf_free(&body);
	buf_free(&param);
	buf_free(&der);
}

/* ---- recipients of other kinds ---- */

/* kekri, pwri, and KEMRecipientInfo (RFC 9629 3) inside ori. */
static void put_others(struct buf *b)
{
	static const unsigned char kekri[] = "\xa2\x1c\x02\x01\x04\x30\x04"
	    "\x04\x02id\x30\x0b\x06\x09\x60\x86\x48\1\x65\3\4\1\x05\x04\x04"
	    "wrap";
	static const unsigned char pwri[] = "\xa3\x14\x02\x01\x00\x30\x0b\x06"
	    "\x09\x60\x86\x48\1\x65\3\4\1\x05\x04\x02pw";
	static const unsigned char alg[] = "\x30\x0b\x06\x09\x60\x86\x48\1"
	    "\x65\3\4\4\x02";
	static const unsigned char ori_kem[] = "\x2a\x86\x48\x86\xf7\x0d\1"
	    "\x09\x10\x0d\x03";
	struct buf kem, t;

	buf_init(&kem, 8192);
	buf_init(&t, 8192);
	buf_put(b, kekri, sizeof(kekri) - 1);
	buf_put(b, pwri, sizeof(pwri) - 1);
	put_tlv(&kem, DER_INTEGER, view_make("", 1));
	buf_putv(&kem, cert_ias(rsa.cert));
	buf_put(&kem, alg, sizeof(alg) - 1);
	put_tlv(&kem, DER_OCTET_STRING, view_of("kem ciphertext"));
	buf_put(&kem, alg, sizeof(alg) - 1);
	put_tlv(&kem, DER_INTEGER, view_make("\x20", 1));
	buf_put(&kem, alg, sizeof(alg) - 1);
	put_tlv(&kem, DER_OCTET_STRING, view_of("wrapped key"));
	put_tlv(&t, DER_OID, view_make(ori_kem, sizeof(ori_kem) - 1));
	put_tlv(&t, DER_SEQUENCE, buf_view(&kem));
	put_tlv(b, DER_CTX0 + 4, buf_view(&t));
	buf_free(&kem);
	buf_free(&t);
}

static void S96_S192_other_recipients_do_not_disturb(void **state)
{
	const struct view nonce = view_sub(nonces, 0, 12);
	struct made m = { .type = OID_AUTH_ENVELOPED_DATA, .oid =
	    BYTES(AES_OID "\x06") };
	struct buf body, param, ris, der, plain;
	struct stand_in s = { 0 };
	struct err e;

	(void)state;
	buf_init(&body, 4096);
	buf_init(&param, 256);
	buf_init(&ris, 4096);
	buf_init(&der, 8192);
	buf_init(&plain, 4096);
	put_others(&ris);
	encrypt_gcm(view_of(text), nonce, 16, &body);
	put_gcm_param(&param, nonce, 16);
	m.param = buf_view(&param);
	m.body = view_sub(buf_view(&body), 0, body.n - 16);
	m.mac = view_sub(buf_view(&body), body.n - 16, 16);
	m.ris = buf_view(&ris);
	make(&m, &der);
	if (open_der(buf_view(&der), 0, &s, &plain, &e) == -1)
		fail_msg("%s", e.msg);
	assert_string_equal(buf_str(&plain), text);
	assert_int_equal(s.opens, 1);
	buf_free(&body);
	buf_free(&param);
	buf_free(&ris);
	buf_free(&der);
	buf_free(&plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S100_without_the_legacy_provider),
		cmocka_unit_test(S88_S100_S196_ciphers_and_what_they_need),
		cmocka_unit_test(S88_S100_what_is_refused_needs_no_key),
		cmocka_unit_test(A3_relabelled_ciphers_never_open),
		cmocka_unit_test(S100_old_ciphers_where_they_are_allowed),
		cmocka_unit_test(S100_bits_of_RC2_are_what_is_written),
		cmocka_unit_test(S88_tag_behind_the_ciphertext),
		cmocka_unit_test(A4_S86_wrong_tag_leaves_nothing_to_look_at),
		cmocka_unit_test(S87_nonces_of_other_lengths_by_option),
		cmocka_unit_test(S96_S192_other_recipients_do_not_disturb),
	};

	return cmocka_run_group_tests_name("smime_cipher", tests, setup,
	    teardown);
}
