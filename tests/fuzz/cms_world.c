/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Keys, key operations and seeds of the CMS fuzz targets. Whatever fails
 * here is a broken target, so it aborts.
 */
#include "tests/fuzz/cms_world.h"

#include <unistd.h>

#include <openssl/cms.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <zlib.h>

#include "keystore/keystore_int.h"
#include "smime/cms.h"
#include "smime/oid.h"
#include "tests/fuzz/der_mutate.h"
#include "tests/fuzz/keys.h"
#include "util/der.h"

#define TEXT_SIZE 9000 /* more than two of libcrypto's chunks */
#define POOL 32768
#define SECRET                                                            \
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static struct world w;
static struct keyring *ring;
static unsigned char text[TEXT_SIZE];
static unsigned char pool[POOL];

/* ---- random numbers ---- */

static void rewind_one(EVP_RAND_CTX *r)
{
	OSSL_PARAM p[2] = { OSSL_PARAM_construct_octet_string(
	    OSSL_RAND_PARAM_TEST_ENTROPY, pool, sizeof(pool)),
		OSSL_PARAM_construct_end() };

	MUST(r != NULL && EVP_RAND_CTX_set_params(r, p) == 1);
}

void world_rewind(void)
{
	rewind_one(RAND_get0_public(NULL));
	rewind_one(RAND_get0_private(NULL));
}

static void tame_random(void)
{
	struct draw d = { 0x9e3779b97f4a7c15u };

	for (size_t i = 0; i < sizeof(pool); i++)
		pool[i] = (unsigned char)draw(&d, 256);
	MUST(RAND_set_DRBG_type(NULL, "TEST-RAND", NULL, NULL, NULL) == 1);
	world_rewind();
}

/* ---- people ---- */

static EVP_PKEY *read_key(const char *pem)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *k = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);

	MUST(k != NULL);
	BIO_free(b);
	return k;
}

static void make_people(void)
{
	static const struct {
		const char *pem, *mail;
	} rows[PEOPLE] = { { alice_pem, "alice@example.com" },
		{ bob_pem, "bob@example.com" },
		{ carol_pem, "carol@example.com" } };

	for (int i = 0; i < PEOPLE; i++) {
		struct testca_leaf l = { .mail = rows[i].mail,
			.use_key = read_key(rows[i].pem), .serial = 1000 + i,
			.not_before = 1577836800, .not_after = 2500000000,
			.self_signed = true };

		testca_issue(NULL, &l, &w.id[i]);
		EVP_PKEY_free(l.use_key);
	}
}

/* The ring needs a keystore only for as long as it is filled. */
static void make_ring(void)
{
	static const char *const files[] = { "", "-wal", "-shm" };
	char dir[] = "/tmp/fuzz-XXXXXX", db[64], path[80];
	struct keystore *ks = NULL;
	bool added;
	struct err e;

	MUST(mkdtemp(dir) != NULL);
	(void)snprintf(db, sizeof(db), "%s/keystore.db", dir);
	MUST(keystore_create(db, &e) == 0);
	MUST(keystore_open(&ks, db, KS_WRITE, &e) == 0);
	for (int i = 0; i < PEOPLE; i++)
		MUST(keystore_add(ks, w.id[i].cert, KS_SIGN | KS_ENCRYPT,
		    KS_IMPORT, &added, &e) == 0 && key_store(ks,
		    view_of(SECRET), w.id[i].key, w.id[i].cert, &e) == 0);
	MUST(keyring_load(&ring, ks, view_of(SECRET), &e) == 0);
	MUST(keyring_keys(ring) == PEOPLE);
	keystore_close(&ks);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", db, files[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
}

static int no_sign(void *ctx, const unsigned char sha256[32],
    enum sig_alg alg, struct view attrs, struct buf *sig, struct err *e)
{
	(void)ctx;
	(void)sha256;
	(void)alg;
	(void)attrs;
	(void)sig;
	return err_set(e, FAIL_POLICY, "no signing here");
}

/* KeyTransRecipientInfo with rsaEncryption? */
static bool is_pkcs1(struct view ri)
{
	struct der d, alg, oid;

	return der_get(&ri, DER_SEQUENCE, &d) == 0 &&
	    der_next(&d.val, &alg) == 0 && der_next(&d.val, &alg) == 0 &&
	    der_get(&d.val, DER_SEQUENCE, &alg) == 0 &&
	    der_get(&alg.val, DER_OID, &oid) == 0 &&
	    oid_find(oid.val) == OID_RSA;
}

static int open_key(void *ctx, const unsigned char sha256[32],
    struct view ri, size_t cek_len, unsigned char cek[CAP_CEK],
    struct err *e)
{
	(void)ctx;
	if (is_pkcs1(ri))
		return err_set(e, FAIL_INPUT, "not here");
	return keyring_open(ring, sha256, ri, cek_len, cek, e);
}

const struct world *world(void)
{
	if (ring != NULL)
		return &w;
	tame_random();
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char)(i % 40 == 38 ? '\r' : i % 40 == 39 ?
		    '\n' : 'a' + i % 23);
	w.text = view_make(text, sizeof(text));
	w.ops = (struct key_ops){ NULL, no_sign, open_key };
	make_people();
	make_ring();
	ERR_clear_error();
	return &w;
}

/* ---- seeds ---- */

struct seed {
	unsigned who;	/* bits of 1 << ALICE ...; 0: certificates alone */
	size_t size;	/* of the content */
	unsigned flags; /* of libcrypto */
	const char *md; /* of OAEP, the key derivation, the signature */
	const EVP_CIPHER *(*cipher)(void); /* NULL: signed */
	bool stream;	/* BER, else DER */
	bool pss;
	bool others;	 /* a KEK and a password as well */
	bool with_attrs; /* authAttrs */
	size_t chunks;	 /* everything in chunks of so many octets */
};

#define A (1u << ALICE)
#define B (1u << BOB)
#define C (1u << CAROL)

static const struct seed seeds[] = {
	{ .who = A, .size = 100, .cipher = EVP_aes_256_cbc },
	{ .who = A, .size = 9000, .cipher = EVP_aes_128_cbc, .stream = true,
		.md = "SHA256" },
	{ .who = A | B, .size = 64, .cipher = EVP_aes_192_cbc, .stream =
		true, .flags = CMS_USE_KEYID, .md = "SHA384" },
	{ .who = A, .size = 100, .cipher = EVP_aes_128_gcm },
	{ .who = B, .size = 5000, .cipher = EVP_aes_256_gcm, .stream = true,
		.md = "SHA512" },
	{ .who = A, .size = 77, .cipher = EVP_aes_256_gcm, .with_attrs =
		true },
	{ .who = A | B, .size = 300, .cipher = EVP_aes_128_gcm, .with_attrs =
		true, .chunks = 50 },
	{ .who = A, .size = 48, .cipher = EVP_aes_256_cbc, .chunks = 7 },
	{ .who = C, .size = 100, .cipher = EVP_aes_256_cbc, .md = "SHA256" },
	{ .who = C, .size = 16, .cipher = EVP_aes_256_gcm, .md = "SHA1" },
	{ .who = C, .size = 50, .cipher = EVP_des_ede3_cbc, .md = "SHA512",
		.flags = CMS_USE_KEYID },
	{ .who = A, .size = 30, .cipher = EVP_aes_128_cbc, .others = true },
	{ .who = B | C, .size = 30, .cipher = EVP_aes_192_gcm, .others =
		true, .stream = true, .md = "SHA384", .chunks = 9 },
	{ .who = A, .size = 100, .md = "SHA256" },
	{ .who = A, .size = 100, .md = "SHA256", .chunks = 11 },
	{ .who = C, .size = 9000, .md = "SHA256", .stream = true },
	{ .who = C, .size = 100, .md = "SHA512", .pss = true },
	{ .who = A | C, .size = 64, .md = "SHA384", .stream = true, .flags =
		CMS_USE_KEYID },
	{ .who = B, .size = 100, .md = "SHA384", .flags = CMS_NOCERTS },
	{ .who = A, .size = 100, .md = "SHA256", .flags = CMS_DETACHED },
	{ .who = A | B, .size = 100, .md = "SHA512", .flags = CMS_DETACHED,
		.chunks = 5 },
	{ .who = A, .size = 100, .md = "SHA256", .flags = CMS_NOATTR },
	{ .who = A, .size = 100, .md = "SHA1" },
	{ .size = 0 },
};

static void set_key_param(EVP_PKEY_CTX *x, const EVP_MD *md, bool is_rsa)
{
	MUST(x != NULL);
	if (is_rsa)
		MUST(EVP_PKEY_CTX_set_rsa_padding(x,
		    RSA_PKCS1_OAEP_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_oaep_md(x, md) == 1);
	else if (md != NULL)
		MUST(EVP_PKEY_CTX_set_ecdh_kdf_md(x, md) == 1);
}

static void add_others(CMS_ContentInfo *c)
{
	static unsigned char kek[] = "0123456789abcdef", id[] = "id";
	static unsigned char password[] = "password";

	MUST(CMS_add0_recipient_key(c, NID_id_aes128_wrap, OPENSSL_memdup(
	    kek, 16), 16, OPENSSL_memdup(id, 2), 2, NULL, NULL, NULL) !=
	    NULL);
	MUST(CMS_add0_recipient_password(c, 1, NID_id_alg_PWRI_KEK,
	    NID_undef, OPENSSL_memdup(password, 8), 8, EVP_aes_128_cbc()) !=
	    NULL);
}

static CMS_ContentInfo *begin_enveloped(const struct seed *s)
{
	CMS_ContentInfo *c = CMS_encrypt(NULL, NULL, s->cipher(),
	    CMS_PARTIAL | CMS_STREAM | CMS_BINARY);
	const EVP_MD *md = s->md == NULL ? NULL : EVP_get_digestbyname(s->md);
	CMS_RecipientInfo *ri;

	MUST(c != NULL);
	for (int i = 0; i < PEOPLE; i++) {
		if ((s->who & 1u << i) == 0)
			continue;
		ri = CMS_add1_recipient_cert(c, cert_x509(w.id[i].cert),
		    s->flags | CMS_KEY_PARAM);
		MUST(ri != NULL);
		set_key_param(CMS_RecipientInfo_get0_pkey_ctx(ri), md, i ==
		    CAROL);
	}
	if (s->others)
		add_others(c);
	return c;
}

static CMS_ContentInfo *begin_signed(const struct seed *s)
{
	static const unsigned char at[] = "261121120000Z";
	unsigned flags = s->flags | CMS_PARTIAL | CMS_STREAM | CMS_BINARY;
	CMS_ContentInfo *c = CMS_sign(NULL, NULL, NULL, NULL, flags);
	CMS_SignerInfo *si;

	MUST(c != NULL);
	for (int i = 0; i < PEOPLE; i++) {
		if (s->who == 0)
			MUST(CMS_add1_cert(c, cert_x509(w.id[i].cert)) == 1);
		if ((s->who & 1u << i) == 0)
			continue;
		si = CMS_add1_signer(c, cert_x509(w.id[i].cert), w.id[i].key,
		    EVP_get_digestbyname(s->md), flags | (s->pss ?
		    CMS_KEY_PARAM : 0));
		MUST(si != NULL);
		if (s->pss)
			MUST(EVP_PKEY_CTX_set_rsa_padding(
			    CMS_SignerInfo_get0_pkey_ctx(si),
			    RSA_PKCS1_PSS_PADDING) == 1);
		/* or it would be the time of the run */
		if ((s->flags & CMS_NOATTR) == 0)
			MUST(CMS_signed_add1_attr_by_NID(si,
			    NID_pkcs9_signingTime, V_ASN1_UTCTIME, at,
			    sizeof(at) - 1) == 1);
	}
	return c;
}

static void write_seed(const struct seed *s, CMS_ContentInfo *c,
    struct buf *out)
{
	unsigned flags = CMS_BINARY | (s->flags & CMS_DETACHED);
	BIO *in = BIO_new_mem_buf(text, (int)s->size);
	BIO *to = BIO_new(BIO_s_mem());
	char *p = NULL;
	long n;

	if (s->who == 0) {
		MUST(i2d_CMS_bio(to, c) == 1);
	} else if (s->stream) {
		MUST(i2d_CMS_bio_stream(to, c, in, (int)(flags | CMS_STREAM))
		    == 1);
	} else {
		MUST(CMS_final(c, in, NULL, flags) == 1);
		MUST(i2d_CMS_bio(to, c) == 1);
	}
	n = BIO_get_mem_data(to, &p);
	MUST(n > 0);
	buf_put(out, p, (size_t)n);
	BIO_free(in);
	BIO_free(to);
}

/* id-contentType with id-data, as [1] and in DER. */
static const unsigned char auth_attrs[] = { 0xa1, 0x1a, 0x30, 0x18, 0x06,
	0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3, 0x31, 0x0b, 0x06,
	0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1 };

/* The tag of GCM anew, over attributes and the same ciphertext. */
static void tag_anew(const struct seed *s, struct view iv,
    const unsigned char *cek, unsigned char *tag)
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	unsigned char set[sizeof(auth_attrs)], out[TEXT_SIZE];
	int n;

	memcpy(set, auth_attrs, sizeof(set));
	set[0] = 0x31;
	MUST(x != NULL && iv.n == 12 && EVP_EncryptInit_ex(x, s->cipher(),
	    NULL, cek, iv.p) == 1);
	MUST(EVP_EncryptUpdate(x, NULL, &n, set, sizeof(set)) == 1);
	MUST(EVP_EncryptUpdate(x, out, &n, text, (int)s->size) == 1);
	MUST(EVP_EncryptFinal_ex(x, out, &n) == 1);
	MUST(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1);
	EVP_CIPHER_CTX_free(x);
}

/* libcrypto reads authAttrs but writes none. */
static void add_auth_attrs(const struct seed *s, struct der_tree *t,
    struct view der)
{
	static struct der_tree attrs;
	static unsigned char tag[16];
	unsigned char cek[CAP_CEK];
	struct spool *sp = fuzz_spool(der);
	struct cms *c = NULL;
	size_t mac = t->n - 1, iv = mac;
	struct err e;

	MUST(cms_read(&c, sp, 0, der.n, CTE_BINARY, &e) == 0);
	for (size_t i = 0; open_key(NULL, cert_sha256(w.id[ALICE].cert),
	    cms_rid(c, i)->ri, cms_cipher(c)->cek_len, cek, &e) != 0; i++)
		MUST(i + 1 < cms_rids(c));
	cms_free(&c);
	spool_free(&sp);
	while (t->node[iv].tag != 0x04 || t->node[iv].val.n != 12)
		MUST(--iv > 0);
	tag_anew(s, t->node[iv].val, cek, tag);
	MUST(t->node[mac].tag == 0x04 && t->node[mac].depth == 3);
	t->node[mac].val = view_make(tag, sizeof(tag));
	MUST(der_tree_read(&attrs, view_make(auth_attrs,
	    sizeof(auth_attrs))));
	memmove(&t->node[mac + attrs.n], &t->node[mac],
	    sizeof(t->node[0]));
	t->n += attrs.n;
	for (size_t i = 0; i < attrs.n; i++) {
		t->node[mac + i] = attrs.node[i];
		t->node[mac + i].depth = (unsigned char)(3 +
		    attrs.node[i].depth);
	}
}

/* RFC 3274, with some octets of the text. */
static void make_compressed(struct buf *out)
{
	unsigned char mem[1024], z[512];
	uLongf n = sizeof(z);
	struct der_w x;

	MUST(compress2(z, &n, text, 1000, 9) == Z_OK);
	der_w_init(&x, mem, sizeof(mem));
	der_w_tlv(&x, DER_OCTET_STRING, z, n);
	der_w_wrap(&x, DER_CTX0, 0);
	der_w_tlv(&x, DER_OID, oid_view(OID_DATA).p, oid_view(OID_DATA).n);
	der_w_wrap(&x, DER_SEQUENCE, 0);
	n = der_w_mark(&x);
	der_w_tlv(&x, DER_OID, oid_view(OID_ZLIB).p, oid_view(OID_ZLIB).n);
	der_w_wrap(&x, DER_SEQUENCE, n);
	der_w_tlv(&x, DER_INTEGER, "", 1);
	der_w_wrap(&x, DER_SEQUENCE, 0);
	der_w_wrap(&x, DER_CTX0, 0);
	der_w_tlv(&x, DER_OID, oid_view(OID_COMPRESSED_DATA).p,
	    oid_view(OID_COMPRESSED_DATA).n);
	der_w_wrap(&x, DER_SEQUENCE, 0);
	buf_putv(out, der_w_result(&x));
}

bool world_seed(size_t i, struct buf *out)
{
	static struct der_tree t;
	const struct seed *s;
	CMS_ContentInfo *c;
	struct buf plain;

	(void)world();
	world_rewind();
	if (i >= ARRAY_LEN(seeds)) {
		if (i == ARRAY_LEN(seeds))
			make_compressed(out);
		return i == ARRAY_LEN(seeds);
	}
	s = &seeds[i];
	c = s->cipher != NULL ? begin_enveloped(s) : begin_signed(s);
	buf_init(&plain, FUZZ_INPUT);
	write_seed(s, c, &plain);
	CMS_ContentInfo_free(c);
	if (s->with_attrs || s->chunks > 0) {
		MUST(der_tree_read(&t, buf_view(&plain)));
		if (s->with_attrs)
			add_auth_attrs(s, &t, buf_view(&plain));
		if (s->chunks > 0)
			der_tree_to_ber(&t, s->chunks);
		der_tree_write(&t, out);
	} else {
		buf_putv(out, buf_view(&plain));
	}
	MUST(!plain.failed && !out->failed);
	buf_free(&plain);
	ERR_clear_error();
	return true;
}

size_t world_mutate(uint8_t *data, size_t n, size_t room, unsigned seed)
{
	static struct buf donor[ARRAY_LEN(seeds) + 1];
	struct buf *b = &donor[seed % ARRAY_LEN(donor)];

	if (b->p == NULL) {
		buf_init(b, FUZZ_INPUT);
		MUST(world_seed(seed % ARRAY_LEN(donor), b));
	}
	return der_mutate(data, n, room, buf_view(b), seed);
}
