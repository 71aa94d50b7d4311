/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A small CA of one's own: a root, and end-entity certificates for mail by
 * RFC 8550. No requests, no revocation yet.
 */
#include "keystore/ca.h"

#include <string.h>
#include <time.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "keystore/keystore_int.h"
#include "util/ossl.h"

#define CA_META "ca" /* SHA-256 of the CA's certificate, in the meta table */
#define CA_DAYS 3652
#define CN_MAX 64 /* ub-common-name, RFC 5280 A.1 */
#define DAY_S 86400

struct issuing {
	struct keystore *ks;
	struct cert *ca; /* owned; NULL while the CA itself is made */
	EVP_PKEY *ca_key;
	EVP_PKEY *key; /* of the new certificate */
	X509 *x;
};

static void free_issuing(struct issuing *is)
{
	cert_free(&is->ca);
	EVP_PKEY_free(is->ca_key);
	EVP_PKEY_free(is->key);
	X509_free(is->x);
}

/* ---- keys ---- */

static const struct {
	const char *name;
	const char *curve; /* or RSA bits */
	unsigned bits;
} algorithms[] = {
	{ "rsa:2048", NULL, 2048 },
	{ "rsa:3072", NULL, 3072 },
	{ "rsa:4096", NULL, 4096 },
	{ "ec:p256", "P-256", 0 },
	{ "ec:p384", "P-384", 0 },
};

static int make_key(EVP_PKEY **out, const char *algorithm, struct err *e)
{
	char quoted[ERR_QUOTED];
	size_t i;

	for (i = 0; i < ARRAY_LEN(algorithms); i++)
		if (strcmp(algorithms[i].name, algorithm) == 0)
			break;
	if (i == ARRAY_LEN(algorithms))
		return err_set(e, FAIL_INPUT, "algorithm %s: want rsa:2048, "
		    "rsa:3072, rsa:4096, ec:p256 or ec:p384",
		    err_quote(quoted, sizeof(quoted), algorithm,
		    strlen(algorithm)));
	ossl_clear();
	*out = algorithms[i].curve != NULL ?
	    EVP_EC_gen(algorithms[i].curve) :
	    EVP_RSA_gen((size_t)algorithms[i].bits);
	if (*out == NULL)
		return err_ossl(e, FAIL_TEMP, "key generation");
	return 0;
}

/* ---- the certificate ---- */

/* 127 random bits, never negative, never zero (RFC 5280 4.1.2.2). */
static int set_serial(X509 *x)
{
	unsigned char raw[16];
	BIGNUM *bn;
	int ok = 0;

	ossl_random(raw, sizeof(raw));
	raw[0] = (unsigned char)((raw[0] & 0x7f) | 0x40);
	bn = BN_bin2bn(raw, sizeof(raw), NULL);
	if (bn != NULL)
		ok = BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x)) != NULL;
	BN_free(bn);
	return ok;
}

static int set_times(X509 *x, int64_t from, int64_t until)
{
	ASN1_TIME *a = ASN1_TIME_set(NULL, (time_t)from);
	ASN1_TIME *b = ASN1_TIME_set(NULL, (time_t)until);
	int ok;

	ok = a != NULL && b != NULL && X509_set1_notBefore(x, a) == 1 &&
	    X509_set1_notAfter(x, b) == 1;
	ASN1_TIME_free(a);
	ASN1_TIME_free(b);
	return ok;
}

static int set_common_name(X509_NAME *name, const char *cn)
{
	return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
	    (const unsigned char *)cn, -1, -1, 0);
}

/* Extensions from constant texts only: their little language is no place
 * for what people type. */
static int add_text_ext(X509 *x, X509 *issuer, int nid, const char *constant)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;
	int ok;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, constant);
	ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

static int make_smtp_utf8(GENERAL_NAME *gn, const char *address)
{
	ASN1_OBJECT *oid = OBJ_nid2obj(NID_id_on_SmtpUTF8Mailbox);
	ASN1_UTF8STRING *s = ASN1_UTF8STRING_new();
	ASN1_TYPE *t = ASN1_TYPE_new();

	if (oid == NULL || s == NULL || t == NULL ||
	    ASN1_STRING_set(s, address, -1) != 1) {
		ASN1_UTF8STRING_free(s);
		ASN1_TYPE_free(t);
		return 0;
	}
	ASN1_TYPE_set(t, V_ASN1_UTF8STRING, s);
	if (GENERAL_NAME_set0_othername(gn, oid, t) == 1)
		return 1;
	ASN1_TYPE_free(t);
	return 0;
}

static int make_rfc822(GENERAL_NAME *gn, const char *address)
{
	ASN1_IA5STRING *s = ASN1_IA5STRING_new();

	if (s == NULL || ASN1_STRING_set(s, address, -1) != 1) {
		ASN1_IA5STRING_free(s);
		return 0;
	}
	GENERAL_NAME_set0_value(gn, GEN_EMAIL, s);
	return 1;
}

/* rfc822Name, or SmtpUTF8Mailbox when the local part needs it (RFC 9598
 * 3). */
static int add_address(X509 *x, const struct addr *a)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *gn = GENERAL_NAME_new();
	int ok = 0;

	if (names != NULL && gn != NULL &&
	    (a->utf8 ? make_smtp_utf8(gn, a->text) :
	    make_rfc822(gn, a->text)) == 1 &&
	    sk_GENERAL_NAME_push(names, gn) > 0) {
		gn = NULL;
		ok = X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0,
		    X509V3_ADD_DEFAULT);
	}
	GENERAL_NAME_free(gn);
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	return ok == 1;
}

static int begin_cert(struct issuing *is, int64_t from, int64_t until, struct
    err *e)
{
	is->x = X509_new();
	if (is->x == NULL || X509_set_version(is->x, X509_VERSION_3) != 1 ||
	    set_serial(is->x) != 1 || set_times(is->x, from, until) != 1 ||
	    X509_set_pubkey(is->x, is->key) != 1)
		return err_ossl(e, FAIL_TEMP, "certificate");
	return 0;
}

/* Sign, and read back what was made: no certificate leaves us that our own
 * reader would refuse. */
static int finish_cert(struct issuing *is, EVP_PKEY *signer, struct cert **out,
    struct err *e)
{
	const EVP_MD *md = EVP_PKEY_get_bits(signer) == 384 ? EVP_sha384() :
	    EVP_sha256();
	unsigned char *der = NULL;
	int n = -1, rc;

	if (X509_sign(is->x, signer, md) > 0)
		n = i2d_X509(is->x, &der);
	if (n <= 0)
		return err_ossl(e, FAIL_TEMP, "certificate: signing");
	rc = cert_parse(out, view_make(der, (size_t)n), e);
	OPENSSL_free(der);
	return rc;
}

/* ---- the CA ---- */

static int make_root(struct issuing *is, const char *name, struct cert **out,
    struct err *e)
{
	int64_t now = (int64_t)time(NULL);
	X509_NAME *subject;

	if (make_key(&is->key, "ec:p256", e) != 0 ||
	    begin_cert(is, now, now + (int64_t)CA_DAYS * DAY_S, e) != 0)
		return -1;
	subject = X509_get_subject_name(is->x);
	if (set_common_name(subject, name) != 1 ||
	    X509_set_issuer_name(is->x, subject) != 1 ||
	    add_text_ext(is->x, is->x, NID_basic_constraints,
	    "critical,CA:TRUE,pathlen:0") != 1 ||
	    add_text_ext(is->x, is->x, NID_key_usage,
	    "critical,keyCertSign,cRLSign") != 1 ||
	    add_text_ext(is->x, is->x, NID_subject_key_identifier,
	    "hash") != 1)
		return err_ossl(e, FAIL_INPUT, "CA certificate");
	return finish_cert(is, is->key, out, e);
}

static int store_root(struct keystore *ks, struct view secret, struct issuing
    *is, const struct cert *root, struct err *e)
{
	bool added;

	if (keystore_add(ks, root, 0, KS_CA, &added, e) != 0 ||
	    key_store(ks, secret, is->key, root, e) != 0 ||
	    keystore_set_anchor(ks, cert_sha256(root), true, e) != 0)
		return -1;
	return ks_meta_set(ks, CA_META, 1, cert_sha256_hex(root), e);
}

int ca_init(struct keystore *ks, struct view secret, const char *name, struct
    err *e)
{
	struct issuing is = { .ks = ks };
	struct cert *root = NULL;
	bool began, found;
	int rc = -1;

	if (name[0] == '\0' || strlen(name) > CN_MAX)
		return err_set(e, FAIL_INPUT, "name of the CA: want 1 to %d "
		    "characters (RFC 5280 A.1)", CN_MAX);
	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	if (ks_meta_get(ks, CA_META, NULL, NULL, &found, e) != 0)
		goto out;
	if (found) {
		(void)err_set(e, FAIL_CONFIG,
		    "the keystore has a CA already; \"postseal ca issue\" "
		    "uses it");
		goto out;
	}
	ossl_clear();
	rc = make_root(&is, name, &root, e);
	if (rc == 0)
		rc = store_root(ks, secret, &is, root, e);
out:
	rc = ks_end(ks, began, rc, e);
	free_issuing(&is);
	cert_free(&root);
	return rc;
}

static int load_ca(struct issuing *is, struct view secret, struct err *e)
{
	unsigned char sha256[32];
	struct buf hex, sealed, pkcs8;
	struct ks_row r = { 0 };
	bool found;
	int rc = -1;

	buf_init(&hex, 64);
	buf_init(&sealed, 1u << 20);
	buf_init_secret(&pkcs8, 1u << 20);
	if (ks_meta_get(is->ks, CA_META, NULL, &hex, &found, e) != 0)
		goto out;
	if (!found || hex_decode(sha256, 32, buf_str(&hex)) != 0) {
		(void)err_set(e, FAIL_CONFIG, "the keystore has no CA; "
		    "\"postseal ca init\" makes one");
		goto out;
	}
	if (ks_cert_get(is->ks, sha256, &r, e) != 0 ||
	    keystore_get_key(is->ks, cert_spki_sha256(r.cert), &sealed,
	    e) != 0 || keyring_unseal_key(buf_view(&sealed), secret, &pkcs8,
	    e) != 0 || key_from_pkcs8(&is->ca_key, buf_view(&pkcs8), e) != 0)
		goto out;
	is->ca = cert_ref(r.cert);
	rc = 0;
out:
	ks_row_free(&r);
	buf_free(&hex);
	buf_free(&sealed);
	buf_free(&pkcs8);
	return rc;
}

/* ---- end entities ---- */

/* KU by use and kind of key (RFC 8550 4.4.2). */
static const char *key_usage(unsigned use, bool is_ec)
{
	switch (use & (KS_SIGN | KS_ENCRYPT)) {
	case KS_SIGN:
		return "critical,digitalSignature";
	case KS_ENCRYPT:
		return is_ec ? "critical,keyAgreement" :
		    "critical,keyEncipherment";
	default:
		return is_ec ? "critical,digitalSignature,keyAgreement" :
		    "critical,digitalSignature,keyEncipherment";
	}
}

static int add_leaf_extensions(struct issuing *is, const struct ca_request *rq)
{
	X509 *ca = cert_x509(is->ca);
	bool is_ec = EVP_PKEY_is_a(is->key, "EC") == 1;

	return add_text_ext(is->x, ca, NID_basic_constraints,
	    "critical,CA:FALSE") == 1 &&
	    add_text_ext(is->x, ca, NID_key_usage,
	    key_usage(rq->use, is_ec)) == 1 &&
	    add_text_ext(is->x, ca, NID_ext_key_usage,
	    "emailProtection") == 1 &&
	    add_text_ext(is->x, ca, NID_subject_key_identifier,
	    "hash") == 1 &&
	    add_text_ext(is->x, ca, NID_authority_key_identifier,
	    "keyid:always") == 1 &&
	    add_address(is->x, &rq->email) == 1;
}

static int make_leaf(struct issuing *is, const struct ca_request *rq, struct
    cert **out, struct err *e)
{
	int64_t from = rq->not_before != 0 ? rq->not_before :
	    (int64_t)time(NULL);
	int64_t until = from + (int64_t)rq->days * DAY_S;
	const char *cn = strlen(rq->email.text) <= CN_MAX ? rq->email.text :
	    "mailbox";

	/* A certificate that outlives its CA would only confuse. */
	if (until > cert_not_after(is->ca))
		until = cert_not_after(is->ca);
	if (until <= from)
		return err_set(e, FAIL_INPUT, "the CA ends before that");
	if (make_key(&is->key, rq->algorithm, e) != 0 ||
	    begin_cert(is, from, until, e) != 0)
		return -1;
	if (set_common_name(X509_get_subject_name(is->x), cn) != 1 ||
	    X509_set_issuer_name(is->x,
	    X509_get_subject_name(cert_x509(is->ca))) != 1 ||
	    add_leaf_extensions(is, rq) != 1)
		return err_ossl(e, FAIL_TEMP, "certificate");
	return finish_cert(is, is->ca_key, out, e);
}

static int check_request(const struct ca_request *rq, struct err *e)
{
	if (rq->days < 1 || rq->days > CA_DAYS)
		return err_set(e, FAIL_INPUT, "days: %d, want 1 to %d",
		    rq->days, CA_DAYS);
	if ((rq->use & (KS_SIGN | KS_ENCRYPT)) == 0)
		return err_set(e, FAIL_INPUT, "use: want sign or encrypt");
	if (rq->email.text[0] == '\0')
		return err_set(e, FAIL_INPUT, "no address");
	return 0;
}

int ca_issue(struct keystore *ks, struct view secret, const struct ca_request
    *rq, struct cert **out, struct err *e)
{
	struct issuing is = { .ks = ks };
	struct cert *c = NULL;
	unsigned use = rq->use;
	bool began, added;
	int rc;

	*out = NULL;
	if (check_request(rq, e) != 0 || ks_change(ks, &began, true, e) != 0)
		return -1;
	ossl_clear();
	if ((use & KS_ENCRYPT) != 0)
		use |= KS_STORAGE;
	rc = load_ca(&is, secret, e);
	if (rc == 0)
		rc = make_leaf(&is, rq, &c, e);
	if (rc == 0)
		rc = keystore_add(ks, c, use, KS_CA, &added, e);
	if (rc == 0)
		rc = key_store(ks, secret, is.key, c, e);
	rc = ks_end(ks, began, rc, e);
	free_issuing(&is);
	if (rc != 0) {
		cert_free(&c);
		return -1;
	}
	*out = c;
	return 0;
}
