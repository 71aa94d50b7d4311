/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates, keys and key_ops for tests. No care is taken to be safe
 * against padding oracles here: that is tested where the real one lives.
 */
#include "testca.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "util/der.h"

#define MUST(x) \
	do { \
		if (!(x)) \
			die(#x, __LINE__); \
	} while (0)

static void die(const char *what, int line)
{
	fprintf(stderr, "testca.c:%d: %s failed\n", line, what);
	abort();
}

static EVP_PKEY *make_key(const char *kind)
{
	EVP_PKEY *k = NULL;

	if (strncmp(kind, "rsa:", 4) == 0)
		k = EVP_PKEY_Q_keygen(NULL, NULL, "RSA",
		    (size_t)strtoul(kind + 4, NULL, 10));
	else if (strncmp(kind, "ec:", 3) == 0)
		k = EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind + 3);
	else if (strcmp(kind, "ed25519") == 0)
		k = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else if (strcmp(kind, "x25519") == 0)
		k = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	else if (strcmp(kind, "rsa-pss") == 0) {
		EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS",
		    NULL);

		MUST(c != NULL && EVP_PKEY_keygen_init(c) == 1 &&
		    EVP_PKEY_CTX_set_rsa_keygen_bits(c, 2048) == 1 &&
		    EVP_PKEY_keygen(c, &k) == 1);
		EVP_PKEY_CTX_free(c);
	}
	MUST(k != NULL);
	return k;
}

static void add_ext(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	if (value == NULL || *value == '\0')
		return;
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	MUST(ext != NULL && X509_add_ext(x, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

static void add_ski(X509 *x, const EVP_PKEY *of)
{
	ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
	unsigned char *der = NULL, md[32];
	unsigned n = 0;
	int len = i2d_PUBKEY(of, &der);

	MUST(s != NULL && len > 0 && EVP_Digest(der, (size_t)len, md, &n,
	    EVP_sha256(), NULL) == 1 && ASN1_OCTET_STRING_set(s, md, 20));
	MUST(X509_add1_ext_i2d(x, NID_subject_key_identifier, s, 0, 0) == 1);
	ASN1_OCTET_STRING_free(s);
	OPENSSL_free(der);
}

static void set_name(X509_NAME *n, const char *cn)
{
	MUST(X509_NAME_add_entry_by_txt(n, "O", MBSTRING_UTF8,
	    (const unsigned char *)"Test", -1, -1, 0) == 1);
	MUST(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8,
	    (const unsigned char *)cn, -1, -1, 0) == 1);
}

/* Parsed from DER again: objects built in memory lack what d2i fills in. */
static struct cert *finish(X509 *x)
{
	unsigned char *der = NULL;
	int n = i2d_X509(x, &der);
	struct cert *c = NULL;
	struct err e;

	MUST(n > 0);
	if (cert_parse(&c, view_make(der, (size_t)n), &e) == -1)
		die(e.msg, __LINE__);
	OPENSSL_free(der);
	X509_free(x);
	return c;
}

static X509 *begin(const char *cn, EVP_PKEY *key, long serial, int64_t from,
    int64_t to)
{
	X509 *x = X509_new();
	int64_t now = (int64_t)time(NULL);
	X509_NAME *name = X509_NAME_new();

	MUST(x != NULL && name != NULL);
	set_name(name, cn);
	MUST(X509_set_version(x, 2) == 1);
	MUST(X509_set_subject_name(x, name) == 1);
	MUST(ASN1_INTEGER_set(X509_get_serialNumber(x), serial) == 1);
	MUST(ASN1_TIME_set(X509_getm_notBefore(x),
	    (time_t)(from == 0 ? TESTCA_SINCE : from)) != NULL);
	MUST(ASN1_TIME_set(X509_getm_notAfter(x),
	    (time_t)(to == 0 ? now + 365 * 86400L : to)) != NULL);
	MUST(X509_set_pubkey(x, key) == 1);
	X509_NAME_free(name);
	return x;
}

static void sign_cert(X509 *x, const X509_NAME *issuer, EVP_PKEY *key)
{
	bool ed = EVP_PKEY_is_a(key, "ED25519") == 1;

	MUST(X509_set_issuer_name(x, issuer) == 1);
	MUST(X509_sign(x, key, ed ? NULL : EVP_sha256()) > 0);
}

static void issue_ca(struct testca_id *out, const char *cn, long serial,
    const struct testca_id *by)
{
	EVP_PKEY *key = make_key("ec:P-256");
	X509 *x = begin(cn, key, serial, 0, 0);

	add_ext(x, NID_basic_constraints, "critical,CA:TRUE");
	add_ext(x, NID_key_usage, "critical,keyCertSign,cRLSign");
	add_ski(x, key);
	sign_cert(x, by == NULL ? X509_get_subject_name(x) :
	    X509_get_subject_name(cert_x509(by->cert)), by == NULL ? key :
	    by->key);
	out->key = key;
	out->cert = finish(x);
}

void testca_init(struct testca *ca)
{
	issue_ca(&ca->root, "Root", 1, NULL);
	issue_ca(&ca->sub, "Intermediate", 2, &ca->root);
}

void testca_id_free(struct testca_id *id)
{
	cert_free(&id->cert);
	EVP_PKEY_free(id->key);
	id->key = NULL;
}

void testca_free(struct testca *ca)
{
	testca_id_free(&ca->root);
	testca_id_free(&ca->sub);
}

static void add_leaf_exts(X509 *x, const struct testca_leaf *l,
    const EVP_PKEY *key)
{
	struct buf san;

	buf_init(&san, 1024);
	if (l->mail != NULL)
		buf_printf(&san, "email:%s", l->mail);
	add_ext(x, NID_basic_constraints, l->basic == NULL ? "CA:FALSE" :
	    l->basic);
	add_ext(x, NID_key_usage, l->ku);
	add_ext(x, NID_ext_key_usage, l->eku == NULL ? "emailProtection" :
	    l->eku);
	add_ext(x, NID_subject_alt_name, buf_str(&san));
	if (!l->no_ski)
		add_ski(x, l->ski_of == NULL ? key : l->ski_of);
	buf_free(&san);
}

void testca_issue(struct testca *ca, const struct testca_leaf *l,
    struct testca_id *out)
{
	static long next = 100;
	EVP_PKEY *key = l->use_key;
	X509 *x;

	if (key == NULL)
		key = make_key(l->key);
	else
		EVP_PKEY_up_ref(key);
	x = begin(l->mail == NULL ? "Leaf" : l->mail, key,
	    l->serial == 0 ? ++next : l->serial, l->not_before,
	    l->not_after);
	add_leaf_exts(x, l, key);
	sign_cert(x, l->self_signed ? X509_get_subject_name(x) :
	    X509_get_subject_name(cert_x509(ca->sub.cert)),
	    l->self_signed ? key : ca->sub.key);
	out->key = key;
	out->cert = finish(x);
}

static const struct testca_id *find_id(const struct testca_keys *k,
    const unsigned char *sha256)
{
	for (size_t i = 0; i < k->n; i++)
		if (memcmp(cert_sha256(k->id[i]->cert), sha256, 32) == 0)
			return k->id[i];
	return NULL;
}

static int sign_attrs(void *ctx, const unsigned char cert_sha256_[32],
    enum sig_alg alg, struct view attrs, struct buf *sig, struct err *e)
{
	struct testca_keys *k = ctx;
	const struct testca_id *id = find_id(k, cert_sha256_);
	/* three of each kind: sha-256, sha-384, sha-512 */
	int size = (int)(alg - SIG_RSA_SHA256) % 3;
	const EVP_MD *md = size == 0 ? EVP_sha256() : size == 1 ?
	    EVP_sha384() : EVP_sha512();
	EVP_PKEY_CTX *pc = NULL;
	EVP_MD_CTX *m;
	unsigned char *to;
	size_t n = 1024;

	k->signs++;
	if (k->fail != 0)
		return err_set(e, k->fail, "told to fail");
	if (id == NULL)
		return err_set(e, FAIL_INPUT, "no such key");
	to = buf_room(sig, n);
	MUST((m = EVP_MD_CTX_new()) != NULL && to != NULL);
	MUST(EVP_DigestSignInit(m, &pc, md, NULL, id->key) == 1);
	MUST(alg < SIG_RSA_PSS_SHA256 ||
	    (EVP_PKEY_CTX_set_rsa_padding(pc, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(pc, -1) == 1));
	MUST(EVP_DigestSign(m, to, &n, attrs.p, attrs.n) == 1);
	sig->n += n;
	EVP_MD_CTX_free(m);
	return 0;
}

static int open_ktri(const struct testca_id *id, struct view in, size_t len,
    unsigned char *cek, struct err *e)
{
	unsigned char out[1024];
	size_t n = sizeof(out);
	EVP_PKEY_CTX *c;
	struct der d, key;
	int ok;

	MUST(der_get(&in, DER_INTEGER, &d) == 0 && der_next(&in, &d) == 0 &&
	    der_next(&in, &d) == 0 &&
	    der_get(&in, DER_OCTET_STRING, &key) == 0);
	if (EVP_PKEY_is_a(id->key, "RSA") != 1)
		return err_set(e, FAIL_INPUT, "not for this key");
	MUST((c = EVP_PKEY_CTX_new(id->key, NULL)) != NULL);
	ok = EVP_PKEY_decrypt_init(c) == 1 &&
	    EVP_PKEY_decrypt(c, out, &n, key.val.p, key.val.n) == 1 &&
	    n == len;
	EVP_PKEY_CTX_free(c);
	if (ok)
		memcpy(cek, out, len);
	else /* a substitute: the content will not open */
		MUST(RAND_bytes(cek, (int)len) == 1);
	return 0;
}

/* RFC 5753 7.2: ECC-CMS-SharedInfo without ukm. */
static void derive_kek(const unsigned char *z, size_t zn, struct view alg,
    const char *md, unsigned char *kek, size_t kek_n)
{
	unsigned char mem[256], bits[4] = { 0, 0, (unsigned char)(kek_n * 8 >>
	    8), (unsigned char)(kek_n * 8) };
	char name[16];
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "X963KDF", NULL);
	EVP_KDF_CTX *c = EVP_KDF_CTX_new(kdf);
	unsigned char secret[80];
	struct der_w w;
	struct view info;
	OSSL_PARAM p[4];

	der_w_init(&w, mem, sizeof(mem));
	der_w_tlv(&w, DER_OCTET_STRING, bits, sizeof(bits));
	der_w_wrap(&w, DER_CTX0 + 2, 0);
	der_w_view(&w, alg);
	der_w_wrap(&w, DER_SEQUENCE, 0);
	info = der_w_result(&w);
	MUST(view_cstr(view_of(md), name, sizeof(name)) == 0);
	memcpy(secret, z, zn);
	p[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, name,
	    0);
	p[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret,
	    zn);
	p[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
	    mem + sizeof(mem) - info.n, info.n);
	p[3] = OSSL_PARAM_construct_end();
	MUST(c != NULL && EVP_KDF_derive(c, kek, kek_n, p) == 1);
	EVP_KDF_CTX_free(c);
	EVP_KDF_free(kdf);
}

static size_t shared_secret(const struct testca_id *id, struct view point,
    unsigned char *z, size_t room)
{
	EVP_PKEY *peer = EVP_PKEY_new();
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(id->key, NULL);
	size_t n = room;

	MUST(peer != NULL && c != NULL);
	if (EVP_PKEY_copy_parameters(peer, id->key) != 1 ||
	    EVP_PKEY_set1_encoded_public_key(peer, point.p, point.n) != 1 ||
	    EVP_PKEY_derive_init(c) != 1 ||
	    EVP_PKEY_derive_set_peer(c, peer) != 1 ||
	    EVP_PKEY_derive(c, z, &n) != 1)
		n = 0;
	EVP_PKEY_free(peer);
	EVP_PKEY_CTX_free(c);
	return n;
}

static int unwrap(const unsigned char *kek, size_t kek_n, struct view in,
    size_t len, unsigned char *cek)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	unsigned char out[64];
	int n = 0, ok;

	MUST(c != NULL);
	EVP_CIPHER_CTX_set_flags(c, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	ok = in.n == len + 8 && EVP_DecryptInit_ex(c, kek_n == 16 ?
	    EVP_aes_128_wrap() : kek_n == 24 ? EVP_aes_192_wrap() :
	    EVP_aes_256_wrap(), NULL, kek, NULL) == 1 &&
	    EVP_DecryptUpdate(c, out, &n, in.p, (int)in.n) == 1 &&
	    (size_t)n == len;
	EVP_CIPHER_CTX_free(c);
	if (ok)
		memcpy(cek, out, len);
	return ok ? 0 : -1;
}

/* The encrypted key of our certificate. */
static bool find_rek(struct view reks, const struct cert *c, struct view *ek)
{
	struct der rek, rid, key, ski;

	while (der_get(&reks, DER_SEQUENCE, &rek) == 0) {
		if (der_next(&rek.val, &rid) == -1 ||
		    der_get(&rek.val, DER_OCTET_STRING, &key) == -1)
			return false;
		*ek = key.val;
		if (view_eq(rid.whole, cert_ias(c)))
			return true;
		if (rid.tag == DER_CTX0 &&
		    der_get(&rid.val, DER_OCTET_STRING, &ski) == 0 &&
		    view_eq(ski.val, cert_ski(c)))
			return true;
	}
	return false;
}

/* Key derivation by name, or NULL (RFC 5753 7.1.4). */
static const char *kdf_digest(struct view oid)
{
	static const unsigned char sha1[] = { 0x2b, 0x81, 5, 0x10, 0x86, 0x48,
		0x3f, 0, 2 };
	static const unsigned char sha2[] = { 0x2b, 0x81, 4, 1, 0x0b };
	static const char *const names[] = { "SHA224", "SHA256", "SHA384",
		"SHA512" };

	if (view_eq(oid, view_make(sha1, sizeof(sha1))))
		return "SHA1";
	if (oid.n != 6 || memcmp(oid.p, sha2, sizeof(sha2)) != 0 ||
	    oid.p[5] > 3)
		return NULL;
	return names[oid.p[5]];
}

/* Size of the key-encryption key of an AES wrap, or 0 (RFC 3394). */
static size_t kek_size(struct view oid)
{
	static const unsigned char aes[] = { 0x60, 0x86, 0x48, 1, 0x65, 3, 4,
		1 };

	if (oid.n != 9 || memcmp(oid.p, aes, sizeof(aes)) != 0)
		return 0;
	return oid.p[8] == 5 ? 16 : oid.p[8] == 0x19 ? 24 :
	    oid.p[8] == 0x2d ? 32 : 0;
}

static int open_kari(const struct testca_id *id, struct view in, size_t len,
    unsigned char *cek, struct err *e)
{
	unsigned char z[80], kek[32];
	struct der d, key, pub, alg, kdf, wrap, oid;
	struct view ek;
	size_t zn, kek_n;

	MUST(der_get(&in, DER_INTEGER, &d) == 0 &&
	    der_get(&in, DER_CTX0, &d) == 0);
	if (der_get(&d.val, DER_CTX0 + 1, &key) == -1 ||
	    der_next(&key.val, &d) == -1 ||
	    der_get(&d.val, DER_OID, &oid) == -1 ||
	    !view_eq(oid.val, view_make("\x2a\x86\x48\xce\x3d\x02\x01",
	    7)) ||
	    der_get(&key.val, DER_BIT_STRING, &pub) == -1 ||
	    pub.val.n < 2 || pub.val.p[0] != 0 ||
	    EVP_PKEY_is_a(id->key, "EC") != 1)
		return err_set(e, FAIL_INPUT, "not for this key");
	/* A ukm would have to go into the derivation: not for tests. */
	if (der_get(&in, DER_SEQUENCE, &alg) == -1 ||
	    der_get(&alg.val, DER_OID, &kdf) == -1 ||
	    der_get(&alg.val, DER_SEQUENCE, &wrap) == -1 ||
	    alg.val.n > 0 || der_get(&in, DER_SEQUENCE, &d) == -1 ||
	    !find_rek(d.val, id->cert, &ek))
		return err_set(e, FAIL_INPUT, "not for this key");
	if (der_get(&wrap.val, DER_OID, &oid) == -1)
		return err_set(e, FAIL_INPUT, "no key wrap");
	kek_n = kek_size(oid.val);
	zn = shared_secret(id, view_sub(pub.val, 1, pub.val.n), z,
	    sizeof(z));
	if (kek_n == 0 || zn == 0 || kdf_digest(kdf.val) == NULL)
		return err_set(e, FAIL_INPUT, "does not open");
	derive_kek(z, zn, wrap.whole, kdf_digest(kdf.val), kek, kek_n);
	return unwrap(kek, kek_n, ek, len, cek) == 0 ? 0 :
	    err_set(e, FAIL_INPUT, "does not unwrap");
}

static int open_ri(void *ctx, const unsigned char cert_sha256_[32],
    struct view ri, size_t cek_len, unsigned char cek[CAP_CEK],
    struct err *e)
{
	struct testca_keys *k = ctx;
	const struct testca_id *id = find_id(k, cert_sha256_);
	struct der d;

	k->opens++;
	if (k->fail != 0)
		return err_set(e, k->fail, "told to fail");
	if (id == NULL)
		return err_set(e, FAIL_POLICY, "no right to this key");
	MUST(der_next(&ri, &d) == 0);
	if (d.tag == DER_SEQUENCE)
		return open_ktri(id, d.val, cek_len, cek, e);
	return open_kari(id, d.val, cek_len, cek, e);
}

struct key_ops testca_key_ops(struct testca_keys *k)
{
	return (struct key_ops){ k, sign_attrs, open_ri };
}
