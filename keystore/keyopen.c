/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Opens one RecipientInfo (RFC 5652 6.2) with one private key: RSA PKCS#1
 * v1.5 without an oracle, RSAES-OAEP (RFC 3560), ephemeral-static ECDH (RFC
 * 5753). Knows nothing of content, message or rights.
 */
#include "keystore/keystore_int.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "util/der.h"
#include "util/ossl.h"

#define MODULUS_MAX (CAP_RSA_MAX / 8)
#define UKM_MAX 1024
#define SHARED_MAX 80 /* P-521 gives 66 octets */

#define OID(...) { (const unsigned char[]){ __VA_ARGS__ },                 \
	sizeof((const unsigned char[]){ __VA_ARGS__ }) }

struct oid_name {
	struct view oid;
	const char *name;
	size_t size;
};

static const struct view oid_rsa =
    OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1);
static const struct view oid_oaep =
    OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 7);
static const struct view oid_mgf1 =
    OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8);
static const struct view oid_specified =
    OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 9);
static const struct view oid_ec = OID(0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1);

static const struct oid_name digests[] = {
	{ OID(0x2b, 0x0e, 3, 2, 0x1a), "SHA1", 0 },
	{ OID(0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 4), "SHA224", 0 },
	{ OID(0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1), "SHA256", 0 },
	{ OID(0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2), "SHA384", 0 },
	{ OID(0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3), "SHA512", 0 },
};

/* dhSinglePass-stdDH and -cofactorDH with the X9.63 KDF (RFC 5753 7.1.4):
 * the same thing on curves whose cofactor is one. */
static const struct oid_name kdfs[] = {
	{ OID(0x2b, 0x81, 5, 0x10, 0x86, 0x48, 0x3f, 0, 2), "SHA1", 0 },
	{ OID(0x2b, 0x81, 4, 1, 11, 0), "SHA224", 0 },
	{ OID(0x2b, 0x81, 4, 1, 11, 1), "SHA256", 0 },
	{ OID(0x2b, 0x81, 4, 1, 11, 2), "SHA384", 0 },
	{ OID(0x2b, 0x81, 4, 1, 11, 3), "SHA512", 0 },
	{ OID(0x2b, 0x81, 5, 0x10, 0x86, 0x48, 0x3f, 0, 3), "SHA1", 0 },
	{ OID(0x2b, 0x81, 4, 1, 14, 0), "SHA224", 0 },
	{ OID(0x2b, 0x81, 4, 1, 14, 1), "SHA256", 0 },
	{ OID(0x2b, 0x81, 4, 1, 14, 2), "SHA384", 0 },
	{ OID(0x2b, 0x81, 4, 1, 14, 3), "SHA512", 0 },
};

/* RFC 3394; RFC 3217 3, as senders of 3DES still use it. Which size goes
 * with which content key is the sender's affair (S90 is about ours). */
static const struct oid_name wraps[] = {
	{ OID(0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 5), "AES-128-WRAP", 16 },
	{ OID(0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 25), "AES-192-WRAP", 24 },
	{ OID(0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 45), "AES-256-WRAP", 32 },
	{ OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 3, 6),
	    "DES3-WRAP", 24 },
};

/* Names as cert_key_name() has them. */
static const struct oid_name curves[] = {
	{ OID(0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7), "ec:p256", 0 },
	{ OID(0x2b, 0x81, 4, 0, 0x22), "ec:p384", 0 },
	{ OID(0x2b, 0x81, 4, 0, 0x23), "ec:p521", 0 },
};

static const struct oid_name *find_oid(const struct oid_name *table, size_t n,
    struct view oid)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (view_eq(table[i].oid, oid))
			return &table[i];
	return NULL;
}

/* S196. What everybody can read in the message: said before the key does
 * anything, and in another kind than that it does not open (A5). */
static int unsupported(struct err *e, const char *what, struct view oid)
{
	char dotted[128];

	return err_set(e, FAIL_POLICY, "recipient: %s %s is not supported",
	    what, der_oid_str(oid, dotted, sizeof(dotted)));
}

static int malformed(struct err *e)
{
	return err_set(e, FAIL_INPUT,
	    "recipient: malformed RecipientInfo (RFC 5652 6.2)");
}

/* AlgorithmIdentifier at in: its OID, and what follows the OID, which is one
 * element or none. */
static int take_algorithm(struct view *in, struct view *oid, struct view
    *params, struct view *whole)
{
	struct der alg, id, param;
	struct view rest;

	if (der_get(in, DER_SEQUENCE, &alg) != 0 ||
	    der_get(&alg.val, DER_OID, &id) != 0)
		return -1;
	rest = alg.val;
	if (rest.n > 0 && (der_next(&rest, &param) != 0 || rest.n > 0))
		return -1;
	*oid = id.val;
	*params = alg.val;
	if (whole != NULL)
		*whole = alg.whole;
	return 0;
}

/* Does an element naming a key by issuer and serial or by key identifier
 * (rid, RFC 5652 6.2.1; rKeyId, 6.2.2) mean this certificate? */
static bool is_named(const struct cert *c, const struct der *rid)
{
	struct view in = rid->val, ski = cert_ski(c);
	struct der id;

	if (rid->tag == DER_SEQUENCE)
		return ks_ias_match(c, rid->whole);
	if (ski.n == 0)
		return false;
	if (rid->tag == DER_CTX0_PRIM)
		return view_eq(rid->val, ski);
	return rid->tag == DER_CTX0 &&
	    der_get(&in, DER_OCTET_STRING, &id) == 0 && view_eq(id.val, ski);
}

/* ---- RSA PKCS#1 v1.5 ---- */

/* 0xff when any bit of x is set, else 0; no branch. */
static unsigned char mask_of(unsigned x)
{
	return (unsigned char)(0u - ((x | (0u - x)) >> 31));
}

/*
 * 00 02 PS 00 CEK. The length of the CEK is known from the content cipher,
 * so every position is fixed: no search for the separator, no branch on a
 * secret, the same on every version of libcrypto. A block of another form
 * yields the substitute.
 */
static void select_cek(const unsigned char *em, size_t n, const unsigned char
    *substitute, size_t cek_len, unsigned char *cek)
{
	unsigned bad = em[0] | (em[1] ^ 2u) | em[n - cek_len - 1];
	unsigned char mask;
	size_t i;

	for (i = 2; i < n - cek_len - 1; i++)
		bad |= ((unsigned)em[i] - 1) >> 31; /* 1 when em[i] is 0 */
	mask = mask_of(bad);
	for (i = 0; i < cek_len; i++)
		cek[i] = (unsigned char)((em[n - cek_len + i] & ~mask) |
		    (substitute[i] & mask));
}

/* The same for the same message again, so that repeating one tells
 * nothing; computed always, so that time tells nothing. */
static int make_substitute(const struct ring_key *k, struct view ek, size_t
    cek_len, unsigned char out[32], struct err *e)
{
	unsigned char in[MODULUS_MAX + 1];
	unsigned n = 32;

	memcpy(in, ek.p, ek.n);
	in[ek.n] = (unsigned char)cek_len;
	if (HMAC(EVP_sha256(), k->reject, sizeof(k->reject), in, ek.n + 1,
	    out, &n) == NULL || n != 32)
		return err_ossl(e, FAIL_TEMP, "recipient");
	return 0;
}

static int raw_decrypt(EVP_PKEY *pkey, struct view ek, unsigned char *em)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	size_t n = MODULUS_MAX;
	int rc = -1;

	if (ctx != NULL && EVP_PKEY_decrypt_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1 &&
	    EVP_PKEY_decrypt(ctx, em, &n, ek.p, ek.n) == 1 && n == ek.n)
		rc = 0;
	EVP_PKEY_CTX_free(ctx);
	return rc;
}

static int open_rsa15(const struct ring_key *k, struct view ek, size_t cek_len,
    unsigned char *cek, struct err *e)
{
	unsigned char em[MODULUS_MAX], substitute[32];
	int rc = -1;

	/* Facts that everybody sees: no secret decides here. */
	if (ek.n != (size_t)EVP_PKEY_get_size(k->pkey) ||
	    ek.n > sizeof(em) || ek.n < cek_len + 11)
		return err_set(e, FAIL_INPUT, "recipient: encrypted key of "
		    "%zu octets does not fit the key", ek.n);
	if (make_substitute(k, ek, cek_len, substitute, e) != 0)
		return -1;
	memset(em, 0, sizeof(em));
	/* Fails only when the number is not below the modulus. */
	if (raw_decrypt(k->pkey, ek, em) != 0)
		(void)err_set(e, FAIL_INPUT,
		    "recipient: encrypted key is no number for the key");
	else {
		select_cek(em, ek.n, substitute, cek_len, cek);
		rc = 0;
	}
	ossl_wipe(em, sizeof(em));
	ossl_wipe(substitute, sizeof(substitute));
	return rc;
}

/* ---- RSAES-OAEP ---- */

struct oaep {
	const char *digest;
	const char *mgf_digest;
	struct view label;
};

static int read_digest(struct view in, const char **name, struct err *e)
{
	const struct oid_name *d;
	struct view oid, params;

	if (take_algorithm(&in, &oid, &params, NULL) != 0 || in.n != 0)
		return malformed(e);
	d = find_oid(digests, ARRAY_LEN(digests), oid);
	if (d == NULL)
		return unsupported(e, "OAEP digest", oid);
	*name = d->name;
	return 0;
}

static int read_mgf(struct view in, const char **name, struct err *e)
{
	struct view oid, params;

	if (take_algorithm(&in, &oid, &params, NULL) != 0 || in.n != 0)
		return malformed(e);
	if (!view_eq(oid, oid_mgf1))
		return unsupported(e, "mask generation", oid);
	return read_digest(params, name, e);
}

static int read_label(struct view in, struct view *label, struct err *e)
{
	struct view oid, params;
	struct der d;

	if (take_algorithm(&in, &oid, &params, NULL) != 0 || in.n != 0)
		return malformed(e);
	if (!view_eq(oid, oid_specified))
		return unsupported(e, "OAEP label source", oid);
	if (der_get(&params, DER_OCTET_STRING, &d) != 0 || params.n != 0)
		return malformed(e);
	*label = d.val;
	return 0;
}

/* RSAES-OAEP-params (RFC 4055 4.1): three optional fields, SHA-1 if
 * absent. With an encrypted value the parameters must be there. */
static int read_oaep(struct view params, struct oaep *o, struct err *e)
{
	struct der seq, d;
	int rc;

	o->digest = o->mgf_digest = "SHA1";
	o->label = view_make(NULL, 0);
	if (der_get(&params, DER_SEQUENCE, &seq) != 0 || params.n != 0)
		return malformed(e);
	rc = der_opt(&seq.val, DER_CTX0, &d);
	if (rc == 1 && read_digest(d.val, &o->digest, e) != 0)
		return -1;
	if (rc >= 0)
		rc = der_opt(&seq.val, DER_CTX0 + 1, &d);
	if (rc == 1 && read_mgf(d.val, &o->mgf_digest, e) != 0)
		return -1;
	if (rc >= 0)
		rc = der_opt(&seq.val, DER_CTX0 + 2, &d);
	if (rc == 1 && read_label(d.val, &o->label, e) != 0)
		return -1;
	return rc < 0 || seq.val.n != 0 ? malformed(e) : 0;
}

static int set_label(EVP_PKEY_CTX *ctx, struct view label)
{
	void *copy;

	if (label.n == 0)
		return 1;
	if (label.n > UKM_MAX)
		return 0;
	copy = OPENSSL_memdup(label.p, label.n);
	if (copy == NULL)
		return 0;
	/* Takes the copy when it succeeds. */
	if (EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, copy, (int)label.n) == 1)
		return 1;
	OPENSSL_free(copy);
	return 0;
}

static int open_oaep(const struct ring_key *k, struct view params, struct view
    ek, size_t cek_len, unsigned char *cek, struct err *e)
{
	unsigned char out[MODULUS_MAX];
	EVP_PKEY_CTX *ctx;
	size_t n = sizeof(out);
	struct oaep o;
	int rc = -1;

	if (read_oaep(params, &o, e) != 0)
		return -1;
	if (ek.n != (size_t)EVP_PKEY_get_size(k->pkey) || ek.n > sizeof(out))
		return err_set(e, FAIL_INPUT, "recipient: encrypted key of "
		    "%zu octets does not fit the key", ek.n);
	ctx = EVP_PKEY_CTX_new(k->pkey, NULL);
	if (ctx != NULL && EVP_PKEY_decrypt_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, o.digest, NULL) == 1 &&
	    EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, o.mgf_digest, NULL) == 1 &&
	    set_label(ctx, o.label) == 1 &&
	    EVP_PKEY_decrypt(ctx, out, &n, ek.p, ek.n) == 1 && n == cek_len)
		rc = 0;
	if (rc == 0)
		memcpy(cek, out, cek_len);
	else
		(void)err_set(e, FAIL_INPUT, "recipient: does not open");
	EVP_PKEY_CTX_free(ctx);
	ossl_wipe(out, sizeof(out));
	return rc;
}

/* KeyTransRecipientInfo (RFC 5652 6.2.1). */
static int open_transport(const struct ring_key *k, struct view ktri, size_t
    cek_len, unsigned char *cek, struct err *e)
{
	struct der version, rid, ek;
	struct view oid, params;

	if (der_get(&ktri, DER_INTEGER, &version) != 0 ||
	    der_next(&ktri, &rid) != 0 ||
	    take_algorithm(&ktri, &oid, &params, NULL) != 0 ||
	    der_get(&ktri, DER_OCTET_STRING, &ek) != 0 || ktri.n != 0)
		return malformed(e);
	if (!is_named(k->cert, &rid) || cert_key_type(k->cert) != CERT_KEY_RSA)
		return err_set(e, FAIL_INPUT, "recipient: not this key");
	if (view_eq(oid, oid_rsa))
		return open_rsa15(k, ek.val, cek_len, cek, e);
	if (view_eq(oid, oid_oaep))
		return open_oaep(k, params, ek.val, cek_len, cek, e);
	return unsupported(e, "key transport", oid);
}

/* ---- ECDH ---- */

struct agreement {
	struct view point; /* the sender's ephemeral key */
	struct view ukm;   /* p NULL: absent */
	struct view wrap_alg; /* AlgorithmIdentifier as received */
	const struct oid_name *kdf, *wrap;
	struct view ek;
};

/* RFC 5753 3.1.1: none, NULL, or the name of the curve, which is that of our
 * key. Curves written out as numbers get no arithmetic (A15). */
static int check_curve(const struct cert *c, struct view params, struct err *e)
{
	const struct oid_name *curve;
	struct der d;

	if (params.n == 0)
		return 0;
	if (der_next(&params, &d) != 0 || params.n != 0)
		return malformed(e);
	if (d.tag == DER_NULL && d.val.n == 0)
		return 0;
	if (d.tag != DER_OID)
		return err_set(e, FAIL_INPUT, "recipient: curve that is not "
		    "named (RFC 5480 2.1.1)");
	curve = find_oid(curves, ARRAY_LEN(curves), d.val);
	if (curve == NULL)
		return unsupported(e, "curve", d.val);
	return strcmp(curve->name, cert_key_name(c)) == 0 ? 0 : err_set(e,
	    FAIL_INPUT, "recipient: key on another curve than ours (RFC 5753 "
	    "3.1.1)");
}

/* originator: [0] { [1] { AlgorithmIdentifier, BIT STRING } }. */
static int read_originator(const struct cert *c, struct view in, struct
    agreement *a, struct err *e)
{
	struct view oid, params;
	struct der key, bits;

	if (der_get(&in, DER_CTX0 + 1, &key) != 0)
		return err_set(e, FAIL_POLICY, "recipient: static originator "
		    "keys are not supported (RFC 5753 3.1.1)");
	if (in.n != 0 || take_algorithm(&key.val, &oid, &params, NULL) != 0 ||
	    der_get(&key.val, DER_BIT_STRING, &bits) != 0 ||
	    key.val.n != 0 || bits.val.n < 2 || bits.val.p[0] != 0)
		return malformed(e);
	if (!view_eq(oid, oid_ec))
		return unsupported(e, "key agreement with", oid);
	a->point = view_sub(bits.val, 1, bits.val.n - 1);
	return check_curve(c, params, e);
}

static int read_algorithms(struct view *in, struct agreement *a, struct err *e)
{
	struct view oid, params, rest;

	if (take_algorithm(in, &oid, &params, NULL) != 0)
		return malformed(e);
	a->kdf = find_oid(kdfs, ARRAY_LEN(kdfs), oid);
	if (a->kdf == NULL)
		return unsupported(e, "key agreement", oid);
	if (take_algorithm(&params, &oid, &rest, &a->wrap_alg) != 0 ||
	    params.n != 0)
		return malformed(e);
	a->wrap = find_oid(wraps, ARRAY_LEN(wraps), oid);
	if (a->wrap == NULL)
		return unsupported(e, "key wrap", oid);
	return 0;
}

/* Our RecipientEncryptedKey, wherever it is in the list. */
static int find_encrypted_key(const struct cert *c, struct view list, struct
    view *ek, struct err *e)
{
	struct der rek, rid, key;

	while (list.n > 0) {
		if (der_get(&list, DER_SEQUENCE, &rek) != 0 ||
		    der_next(&rek.val, &rid) != 0 ||
		    der_get(&rek.val, DER_OCTET_STRING, &key) != 0)
			return malformed(e);
		if (is_named(c, &rid)) {
			*ek = key.val;
			return 0;
		}
	}
	return err_set(e, FAIL_INPUT, "recipient: not this key");
}

/* KeyAgreeRecipientInfo (RFC 5652 6.2.2). */
static int read_agreement(const struct cert *c, struct view kari, struct
    agreement *a, struct err *e)
{
	struct der version, originator, ukm, octets, list;
	int rc;

	memset(a, 0, sizeof(*a));
	if (der_get(&kari, DER_INTEGER, &version) != 0 ||
	    der_get(&kari, DER_CTX0, &originator) != 0)
		return malformed(e);
	if (read_originator(c, originator.val, a, e) != 0)
		return -1;
	rc = der_opt(&kari, DER_CTX0 + 1, &ukm);
	if (rc < 0 || (rc == 1 && (der_get(&ukm.val, DER_OCTET_STRING,
	    &octets) != 0 || ukm.val.n != 0 || octets.val.n > UKM_MAX)))
		return malformed(e);
	if (rc == 1)
		a->ukm = octets.whole;
	if (read_algorithms(&kari, a, e) != 0)
		return -1;
	if (der_get(&kari, DER_SEQUENCE, &list) != 0 || kari.n != 0)
		return malformed(e);
	return find_encrypted_key(c, list.val, &a->ek, e);
}

/* ECC-CMS-SharedInfo (RFC 5753 7.2). keyInfo is copied as received, because
 * senders differ about absent and NULL parameters. */
static struct view shared_info(const struct agreement *a, unsigned char *mem,
    size_t size)
{
	unsigned char bits[4] = { 0 };
	struct der_w w;
	size_t mark;

	bits[2] = (unsigned char)((a->wrap->size * 8) >> 8);
	bits[3] = (unsigned char)(a->wrap->size * 8);
	der_w_init(&w, mem, size);
	der_w_tlv(&w, DER_OCTET_STRING, bits, sizeof(bits));
	der_w_wrap(&w, DER_CTX0 + 2, 0);
	if (a->ukm.p != NULL) {
		mark = der_w_mark(&w);
		der_w_view(&w, a->ukm);
		der_w_wrap(&w, DER_CTX0, mark);
	}
	der_w_view(&w, a->wrap_alg);
	der_w_wrap(&w, DER_SEQUENCE, 0);
	return w.failed ? view_make(NULL, 0) : der_w_result(&w);
}

/* The raw shared secret; also refuses a point that is not on the curve. */
static int agree(EVP_PKEY *own, struct view point, unsigned char *z, size_t *zn)
{
	EVP_PKEY *peer = EVP_PKEY_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	int rc = -1;

	if (peer != NULL && ctx != NULL &&
	    EVP_PKEY_copy_parameters(peer, own) == 1 &&
	    EVP_PKEY_set1_encoded_public_key(peer, point.p, point.n) == 1 &&
	    EVP_PKEY_derive_init(ctx) == 1 &&
	    EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
	    EVP_PKEY_derive(ctx, z, zn) == 1)
		rc = 0;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	return rc;
}

static int x963_kdf(const char *digest, struct view z, struct view info,
    unsigned char *kek, size_t n)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "X963KDF", NULL);
	EVP_KDF_CTX *ctx = NULL;
	char md[16];
	unsigned char *zp, *ip;
	OSSL_PARAM p[4];
	int rc = -1;

	if (kdf != NULL)
		ctx = EVP_KDF_CTX_new(kdf);
	/* OSSL_PARAM wants pointers to what it could write. */
	zp = OPENSSL_memdup(z.p, z.n);
	ip = OPENSSL_memdup(info.p, info.n);
	if (ctx != NULL && zp != NULL && ip != NULL &&
	    view_cstr(view_of(digest), md, sizeof(md)) == 0) {
		p[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
		    md, 0);
		p[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
		    zp, z.n);
		p[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
		    ip, info.n);
		p[3] = OSSL_PARAM_construct_end();
		rc = EVP_KDF_derive(ctx, kek, n, p) == 1 ? 0 : -1;
	}
	OPENSSL_clear_free(zp, z.n);
	OPENSSL_free(ip);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return rc;
}

/* Is an encrypted key of n octets one of cek_len? */
static bool is_wrapped_size(const struct oid_name *wrap, size_t n,
    size_t cek_len)
{
	if (strcmp(wrap->name, "DES3-WRAP") == 0)
		return cek_len == 24 && n == 40;
	return cek_len >= 16 && n == cek_len + 8;
}

static int unwrap(const struct oid_name *wrap, const unsigned char *kek, struct
    view ek, size_t cek_len, unsigned char *cek)
{
	EVP_CIPHER *cipher = NULL;
	EVP_CIPHER_CTX *ctx = NULL;
	unsigned char out[CAP_CEK + 16]; /* never less than the input */
	int n = 0, rc = -1;

	if (!is_wrapped_size(wrap, ek.n, cek_len))
		return -1;
	cipher = EVP_CIPHER_fetch(NULL, wrap->name, NULL);
	ctx = EVP_CIPHER_CTX_new();
	if (cipher != NULL && ctx != NULL) {
		EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
		if (EVP_DecryptInit_ex2(ctx, cipher, kek, NULL, NULL) == 1 &&
		    EVP_DecryptUpdate(ctx, out, &n, ek.p, (int)ek.n) == 1 &&
		    (size_t)n == cek_len)
			rc = 0;
	}
	if (rc == 0)
		memcpy(cek, out, cek_len);
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
	ossl_wipe(out, sizeof(out));
	return rc;
}

static int open_agreement(const struct ring_key *k, struct view kari, size_t
    cek_len, unsigned char *cek, struct err *e)
{
	unsigned char z[SHARED_MAX], kek[32], mem[UKM_MAX + 256];
	size_t zn = sizeof(z);
	struct agreement a;
	struct view info;
	int rc = -1;

	if (read_agreement(k->cert, kari, &a, e) != 0)
		return -1;
	if (cert_key_type(k->cert) != CERT_KEY_EC)
		return err_set(e, FAIL_INPUT, "recipient: not this key");
	info = shared_info(&a, mem, sizeof(mem));
	if (info.n == 0)
		return malformed(e);
	if (agree(k->pkey, a.point, z, &zn) == 0 &&
	    x963_kdf(a.kdf->name, view_make(z, zn), info, kek,
	    a.wrap->size) == 0 &&
	    unwrap(a.wrap, kek, a.ek, cek_len, cek) == 0)
		rc = 0;
	else
		(void)err_set(e, FAIL_INPUT, "recipient: does not open");
	ossl_wipe(z, sizeof(z));
	ossl_wipe(kek, sizeof(kek));
	return rc;
}

/* Of a content cipher: AES and 3DES, and RC2 and DES (5, 8). */
static bool is_key_size(size_t n)
{
	return n == 5 || n == 8 || n == 16 || n == 24 || n == 32;
}

int keyring_open(const struct keyring *kr, const unsigned char cert_sha256[32],
    struct view ri, size_t cek_len, unsigned char cek[CAP_CEK], struct err *e)
{
	const struct ring_key *k = ring_find(kr, cert_sha256);
	struct der d;
	int rc;

	if (k == NULL)
		return err_set(e, FAIL_INPUT, "recipient: no such key");
	if (!is_key_size(cek_len))
		return err_set(e, FAIL_INPUT,
		    "recipient: content key of %zu octets", cek_len);
	if (der_next(&ri, &d) != 0 || ri.n != 0)
		return malformed(e);
	ossl_clear();
	if (d.tag == DER_SEQUENCE)
		rc = open_transport(k, d.val, cek_len, cek, e);
	else if (d.tag == DER_CTX0 + 1)
		rc = open_agreement(k, d.val, cek_len, cek, e);
	else
		rc = err_set(e, FAIL_INPUT, "recipient: neither key "
		    "transport nor key agreement (RFC 5652 6.2)");
	/* What the library thinks of a padding stays here. */
	ossl_clear();
	return rc;
}
