/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Algorithms, keys, signing-certificate attributes and the arithmetic of
 * one signature. Weak algorithms and absurd keys are refused before any
 * arithmetic is done.
 */
#include "smime/verify_int.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "util/ossl.h"

/* A digest algorithm that signatures may use; its octets, or 0. */
static int digest_size(enum oid o)
{
	return o == OID_SHA256 ? 32 : o == OID_SHA384 ? 48 :
	    o == OID_SHA512 ? 64 : o == OID_SHA1 ? 20 : 0;
}

static const EVP_MD *md_of(enum oid o)
{
	return o == OID_SHA256 ? EVP_sha256() : o == OID_SHA384 ?
	    EVP_sha384() : o == OID_SHA512 ? EVP_sha512() : EVP_sha1();
}

/* Which digest does this signature algorithm name? OID_UNKNOWN: none. */
static enum oid digest_of_sig(enum oid sig)
{
	switch (sig) {
	case OID_RSA_SHA1:
	case OID_ECDSA_SHA1:
		return OID_SHA1;
	case OID_RSA_SHA256:
	case OID_ECDSA_SHA256:
		return OID_SHA256;
	case OID_RSA_SHA384:
	case OID_ECDSA_SHA384:
		return OID_SHA384;
	case OID_RSA_SHA512:
	case OID_ECDSA_SHA512:
		return OID_SHA512;
	default:
		return OID_UNKNOWN;
	}
}

static int bad_alg(struct signer_finding *f, const char *why)
{
	return finding_fail(f, SIG_POLICY, 68, why);
}

/* RFC 5652 5.1: libcrypto insists on it as well. */
static bool is_announced(const struct cms *c, enum oid digest)
{
	struct view in = c->digests;
	struct cms_alg a;

	while (in.n > 0) {
		if (cms_alg_get(&in, &a) == -1)
			return false;
		if (oid_find(a.oid) == digest)
			return true;
	}
	return false;
}

static int read_digest_alg(struct sig_suite *x, const struct cms *c,
    const struct cms_signer *s, const struct verify_policy *p,
    struct signer_finding *f)
{
	char dotted[64];
	struct err why;

	x->digest = oid_find(s->digest.oid);
	text_set(f->digest, sizeof(f->digest), oid_name(x->digest));
	if (digest_size(x->digest) == 0) {
		err_set(&why, FAIL_POLICY, "digest algorithm not allowed: %s "
		    "(RFC 8551 2.1)", der_oid_str(s->digest.oid, dotted,
		    sizeof(dotted)));
		return bad_alg(f, why.msg);
	}
	if (x->digest == OID_SHA1 && !p->allow_sha1)
		return bad_alg(f, "digest SHA-1 not allowed (RFC 8551 2.1)");
	if (!cms_alg_is_plain(&s->digest))
		return bad_alg(f, "digest algorithm with parameters (RFC "
		    "5754 2)");
	if (!is_announced(c, x->digest))
		return bad_alg(f, "digest is not among digestAlgorithms "
		    "(RFC 5652 5.1)");
	return 0;
}

/* Algorithm at the only place of an EXPLICIT tag, with this digest. */
static bool explicit_alg(struct view in, struct cms_alg *a)
{
	return cms_alg_get(&in, a) == 0 && in.n == 0;
}

/* RSASSA-PSS-params (RFC 4055 3.1), all but salt and trailer being SHA-1
 * by default, which then differs from the digest and is refused. */
static int read_pss(struct sig_suite *x, const struct cms_signer *s,
    struct signer_finding *f)
{
	struct view in = s->sig_alg.param;
	struct cms_alg hash = { 0 }, mgf = { 0 }, mgf_hash = { 0 };
	struct der seq, d, n;
	uint32_t salt = 20, trailer = 1;
	int r;

	if (der_get(&in, DER_SEQUENCE, &seq) == -1 || in.n > 0)
		return bad_alg(f, "PSS without parameters (RFC 4056 3)");
	in = seq.val;
	if ((r = der_opt(&in, DER_CTX0, &d)) == -1 ||
	    (r == 1 && !explicit_alg(d.val, &hash)))
		return bad_alg(f, "malformed PSS hash (RFC 4055 3.1)");
	if ((r = der_opt(&in, DER_CTX0 + 1, &d)) == -1 ||
	    (r == 1 && !explicit_alg(d.val, &mgf)))
		return bad_alg(f, "malformed PSS mask (RFC 4055 3.1)");
	if ((r = der_opt(&in, DER_CTX0 + 2, &d)) == -1 ||
	    (r == 1 && (der_get(&d.val, DER_INTEGER, &n) == -1 ||
	    der_uint(&n, &salt) == -1 || d.val.n > 0)))
		return bad_alg(f, "malformed PSS salt (RFC 4055 3.1)");
	if ((r = der_opt(&in, DER_CTX0 + 3, &d)) == -1 ||
	    (r == 1 && (der_get(&d.val, DER_INTEGER, &n) == -1 ||
	    der_uint(&n, &trailer) == -1 || d.val.n > 0)) || in.n > 0)
		return bad_alg(f, "malformed PSS trailer (RFC 4055 3.1)");
	if (oid_find(hash.oid) != x->digest ||
	    oid_find(mgf.oid) != OID_MGF1 ||
	    !explicit_alg(mgf.param, &mgf_hash) ||
	    oid_find(mgf_hash.oid) != x->digest)
		return bad_alg(f, "PSS with another hash than the digest "
		    "(RFC 4056 3)");
	if (salt > (uint32_t)digest_size(x->digest) || trailer != 1)
		return bad_alg(f, "PSS with an odd salt or trailer (RFC 4055 "
		    "3.1)");
	x->kind = SIG_KIND_PSS;
	x->salt = (int)salt;
	return 0;
}

/* RFC 8419 2.3, 3.1: SHA-512 and no parameters. */
static int read_ed25519(struct sig_suite *x, const struct cms_signer *s,
    struct signer_finding *f)
{
	text_set(f->algorithm, sizeof(f->algorithm), "ed25519");
	if (x->digest != OID_SHA512)
		return bad_alg(f, "Ed25519 with another digest than SHA-512 "
		    "(RFC 8419 2.3)");
	if (s->sig_alg.param.n != 0)
		return bad_alg(f, "Ed25519 with parameters (RFC 8419 3.1)");
	x->kind = SIG_KIND_ED25519;
	return 0;
}

static int unknown_alg(struct signer_finding *f, struct view oid)
{
	char dotted[64];
	struct err why;

	err_set(&why, FAIL_POLICY, "unsupported signature algorithm %s",
	    der_oid_str(oid, dotted, sizeof(dotted)));
	return finding_fail(f, SIG_NEUTRAL, 68, why.msg);
}

static int read_sig_alg(struct sig_suite *x, const struct cms_signer *s,
    struct signer_finding *f)
{
	enum oid o = oid_find(s->sig_alg.oid), named = digest_of_sig(o);
	char dotted[sizeof(f->algorithm)];

	text_set(f->algorithm, sizeof(f->algorithm), o != OID_UNKNOWN ?
	    oid_name(o) : der_oid_str(s->sig_alg.oid, dotted,
	    sizeof(dotted)));
	switch (o) {
	case OID_RSA:
	case OID_RSA_SHA1:
	case OID_RSA_SHA256:
	case OID_RSA_SHA384:
	case OID_RSA_SHA512:
		x->kind = SIG_KIND_PKCS1;
		text_set(f->algorithm, sizeof(f->algorithm),
		    "rsa-pkcs1-v1_5");
		break;
	case OID_ECDSA_SHA1:
	case OID_ECDSA_SHA256:
	case OID_ECDSA_SHA384:
	case OID_ECDSA_SHA512:
		x->kind = SIG_KIND_ECDSA;
		text_set(f->algorithm, sizeof(f->algorithm), "ecdsa");
		break;
	case OID_RSA_PSS:
		text_set(f->algorithm, sizeof(f->algorithm), "rsa-pss");
		return read_pss(x, s, f);
	case OID_RSA_MD5:
		return bad_alg(f, "signature with MD5 (RFC 8551 2.2)");
	case OID_ED25519:
		return read_ed25519(x, s, f);
	default:
		return unknown_alg(f, s->sig_alg.oid);
	}
	if (named != OID_UNKNOWN && named != x->digest)
		return bad_alg(f, "signature algorithm names another digest "
		    "(RFC 8933 2)");
	if (!cms_alg_is_plain(&s->sig_alg))
		return bad_alg(f, "signature algorithm with parameters (RFC "
		    "3370 3.2, RFC 5754 3.3)");
	return 0;
}

int suite_read(struct sig_suite *x, const struct cms *c,
    const struct cms_signer *s, const struct verify_policy *p,
    struct signer_finding *f, unsigned *weak)
{
	memset(x, 0, sizeof(*x));
	if (read_digest_alg(x, c, s, p, f) == -1 ||
	    read_sig_alg(x, s, f) == -1)
		return -1;
	*weak = x->digest == OID_SHA1 ? WEAK_DIGEST : 0;
	return 0;
}

static bool exponent_is_sane(const struct cert *c)
{
	int bits = cert_rsa_exponent_bits(c);

	return X509_get0_pubkey(cert_x509(c)) != NULL && bits > 0 &&
	    bits <= CAP_RSA_EXPONENT;
}

static int rsa_allowed(const struct cert *c, const struct verify_policy *p,
    struct signer_finding *f, unsigned *weak)
{
	int bits = cert_key_bits(c);
	bool is_short = bits < p->min_rsa_bits;
	struct err why;

	if (bits < CAP_RSA_MIN_OLD || (is_short && !p->allow_short) ||
	    bits > CAP_RSA_MAX) {
		err_set(&why, FAIL_POLICY, "RSA key of %d bits, %d to %d are "
		    "allowed (RFC 8551 4.3)", bits, p->min_rsa_bits,
		    CAP_RSA_MAX);
		return bad_alg(f, why.msg);
	}
	if (!exponent_is_sane(c))
		return bad_alg(f, "RSA exponent too large (RFC 8551 6)");
	if (is_short)
		*weak |= WEAK_KEY;
	return 0;
}

int key_allowed(const struct cert *c, const struct sig_suite *x,
    const struct verify_policy *p, struct signer_finding *f, unsigned *weak)
{
	enum cert_key want = x->kind == SIG_KIND_ECDSA ? CERT_KEY_EC :
	    CERT_KEY_RSA;
	struct buf b;
	struct err why;

	*weak &= ~(unsigned)WEAK_KEY;
	if (x->kind == SIG_KIND_ED25519)
		return strcmp(cert_key_name(c), "ed25519") == 0 ? 0
		    : bad_alg(f, "signature algorithm does not belong to "
		    "the signer's key");
	if (cert_key_type(c) != want)
		return bad_alg(f, "signature algorithm does not belong to "
		    "the signer's key");
	if (want == CERT_KEY_RSA)
		return rsa_allowed(c, p, f, weak);
	buf_init(&b, sizeof(f->algorithm) - 1);
	buf_printf(&b, "ecdsa-%s", strncmp(cert_key_name(c), "ec:", 3) == 0 ?
	    cert_key_name(c) + 3 : cert_key_name(c));
	text_set(f->algorithm, sizeof(f->algorithm), buf_str(&b));
	buf_free(&b);
	if (cert_key_check(c, &why) == -1)
		return bad_alg(f, why.msg);
	return 0;
}

/* IssuerSerial: the issuer is GeneralNames with one directoryName. */
static bool issuer_serial_matches(struct view in, const struct cert *c)
{
	struct view ias = cert_ias(c);
	struct der seq, names, dn, name, serial, own;

	if (der_get(&ias, DER_SEQUENCE, &own) == -1 ||
	    der_get(&own.val, DER_SEQUENCE, &name) == -1 ||
	    der_get(&own.val, DER_INTEGER, &serial) == -1 ||
	    der_get(&in, DER_SEQUENCE, &seq) == -1 || in.n > 0 ||
	    der_get(&seq.val, DER_SEQUENCE, &names) == -1 ||
	    der_get(&names.val, DER_CTX0 + 4, &dn) == -1 || names.val.n > 0)
		return false;
	return view_eq(dn.val, name.whole) &&
	    view_eq(seq.val, serial.whole);
}

/* ESSCertID or ESSCertIDv2 against the certificate (RFC 5035 4, 5.4). */
static bool ess_id_matches(struct view in, bool v2, const struct cert *c)
{
	struct view der = cert_der(c);
	unsigned char md[EVP_MAX_MD_SIZE];
	enum oid o = v2 ? OID_SHA256 : OID_SHA1;
	struct view own = { NULL, 0 };
	struct cms_alg alg;
	struct der hash;
	unsigned n = 0;

	if (v2 && in.n > 0 && in.p[0] == DER_SEQUENCE) {
		if (cms_alg_get(&in, &alg) == -1)
			return false;
		o = oid_find(alg.oid);
	}
	if (digest_size(o) == 0 || (v2 && o == OID_SHA1) ||
	    der_get(&in, DER_OCTET_STRING, &hash) == -1)
		return false;
	if (o == OID_SHA256) /* known since it was parsed */
		own = view_make(cert_sha256(c), 32);
	else if (EVP_Digest(der.p, der.n, md, &n, md_of(o), NULL) == 1)
		own = view_make(md, n);
	if (own.n == 0 || !view_eq(hash.val, own))
		return false;
	return in.n == 0 || issuer_serial_matches(in, c);
}

/* SigningCertificate(V2): the first of its certs is the signer's. */
static bool ess_matches(struct view value, bool v2, const struct cert *c)
{
	struct der seq, ids, id;

	return der_get(&value, DER_SEQUENCE, &seq) == 0 &&
	    der_get(&seq.val, DER_SEQUENCE, &ids) == 0 &&
	    der_get(&ids.val, DER_SEQUENCE, &id) == 0 &&
	    ess_id_matches(id.val, v2, c);
}

bool ess_selects(const struct attrs *a, const struct cert *c)
{
	if (a->signing_cert.n > 0 && !ess_matches(a->signing_cert, false, c))
		return false;
	return a->signing_cert_v2.n == 0 ||
	    ess_matches(a->signing_cert_v2, true, c);
}

static bool set_pss(EVP_PKEY_CTX *pc, const struct sig_suite *x)
{
	return EVP_PKEY_CTX_set_rsa_padding(pc, RSA_PKCS1_PSS_PADDING) > 0 &&
	    EVP_PKEY_CTX_set_rsa_mgf1_md(pc, md_of(x->digest)) > 0 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(pc, x->salt) > 0;
}

bool signature_is_good(const struct attrs *a, const struct cms_signer *s,
    const struct sig_suite *x, const struct cert *c)
{
	EVP_PKEY *pk = X509_get0_pubkey(cert_x509(c));
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pc = NULL; /* m's */
	bool ok;

	ossl_clear();
	/* No copy of the state: nothing comes after the one octet string. */
	if (m != NULL)
		EVP_MD_CTX_set_flags(m, EVP_MD_CTX_FLAG_FINALISE);
	ok = pk != NULL && m != NULL &&
	    EVP_DigestVerifyInit(m, &pc, x->kind == SIG_KIND_ED25519 ? NULL
	    : md_of(x->digest), NULL, pk) == 1 &&
	    (x->kind != SIG_KIND_PSS || set_pss(pc, x)) &&
	    EVP_DigestVerify(m, s->signature.p, s->signature.n, a->set.p,
	    a->set.n) == 1;
	EVP_MD_CTX_free(m);
	ossl_clear();
	return ok;
}
