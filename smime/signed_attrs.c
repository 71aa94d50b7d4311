/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The signed attributes that we make. Each is written into its own piece of
 * one array and then sorted into the SET OF; libcrypto's own list would
 * advertise ciphers that nobody should use (requirement S52).
 */
#include "smime/signed_attrs.h"

#include <stdlib.h>

#include "smime/oid.h"
#include "util/ossl.h"

/* What the keys process takes at most in one request. */
#define ATTRS_MAX (CAP_KEY_REQUEST / 2)
#define ATTRS_N 7

struct attrs {
	struct der_w w;
	struct view v[ATTRS_N];
	size_t n;
	size_t mark; /* where the attribute under construction ends */
	unsigned char mem[ATTRS_MAX];
	unsigned char set[ATTRS_MAX];
};

struct sign_suite sign_suite_of(enum sig_alg alg)
{
	static const struct {
		enum oid digest, sig;
		int salt;
	} map[] = {
		[SIG_RSA_SHA256] = { OID_SHA256, OID_RSA, 0 },
		[SIG_RSA_SHA384] = { OID_SHA384, OID_RSA, 0 },
		[SIG_RSA_SHA512] = { OID_SHA512, OID_RSA, 0 },
		[SIG_ECDSA_SHA256] = { OID_SHA256, OID_ECDSA_SHA256, 0 },
		[SIG_ECDSA_SHA384] = { OID_SHA384, OID_ECDSA_SHA384, 0 },
		[SIG_ECDSA_SHA512] = { OID_SHA512, OID_ECDSA_SHA512, 0 },
		[SIG_RSA_PSS_SHA256] = { OID_SHA256, OID_RSA_PSS, 32 },
		[SIG_RSA_PSS_SHA384] = { OID_SHA384, OID_RSA_PSS, 48 },
		[SIG_RSA_PSS_SHA512] = { OID_SHA512, OID_RSA_PSS, 64 },
	};

	return (struct sign_suite){ alg, oid_name(map[alg].digest),
		oid_view(map[alg].digest), oid_view(map[alg].sig),
		map[alg].sig == OID_RSA, map[alg].salt };
}

void sign_put_digest_alg(struct der_w *w, const struct sign_suite *s)
{
	size_t mark = der_w_mark(w);

	/* RFC 5754 2: parameters are absent. */
	der_w_tlv(w, DER_OID, s->digest.p, s->digest.n);
	der_w_wrap(w, DER_SEQUENCE, mark);
}

/* The digest inside the parameters has NULL, as RFC 4055 6 writes it. */
static void put_pss_digest(struct der_w *w, const struct sign_suite *s)
{
	size_t mark = der_w_mark(w);

	der_w_tlv(w, DER_NULL, NULL, 0);
	der_w_tlv(w, DER_OID, s->digest.p, s->digest.n);
	der_w_wrap(w, DER_SEQUENCE, mark);
}

/* RSASSA-PSS-params (RFC 4055 3.1); trailerField 1 is the default. */
static void put_pss(struct der_w *w, const struct sign_suite *s)
{
	unsigned char salt = (unsigned char)s->pss_salt;
	struct view mgf1 = oid_view(OID_MGF1);
	size_t all = der_w_mark(w), mark;

	der_w_tlv(w, DER_INTEGER, &salt, 1);
	der_w_wrap(w, DER_CTX0 + 2, all);
	mark = der_w_mark(w);
	put_pss_digest(w, s);
	der_w_tlv(w, DER_OID, mgf1.p, mgf1.n);
	der_w_wrap(w, DER_SEQUENCE, mark);
	der_w_wrap(w, DER_CTX0 + 1, mark);
	mark = der_w_mark(w);
	put_pss_digest(w, s);
	der_w_wrap(w, DER_CTX0, mark);
	der_w_wrap(w, DER_SEQUENCE, all);
}

static void put_sig_alg(struct der_w *w, const struct sign_suite *s, int tag)
{
	size_t mark = der_w_mark(w);

	if (s->pss_salt != 0)
		put_pss(w, s);
	if (s->has_null) /* RFC 3370 3.2 */
		der_w_tlv(w, DER_NULL, NULL, 0);
	der_w_tlv(w, DER_OID, s->sig.p, s->sig.n);
	der_w_wrap(w, tag, mark);
}

void sign_put_sig_alg(struct der_w *w, const struct sign_suite *s)
{
	put_sig_alg(w, s, DER_SEQUENCE);
}

static void begin(struct attrs *a)
{
	a->mark = der_w_mark(&a->w);
}

/* Wrap the one value since begin() and keep the attribute. */
static void finish(struct attrs *a, enum oid type)
{
	struct view oid = oid_view(type);
	struct view all;

	der_w_wrap(&a->w, DER_SET, a->mark);
	der_w_tlv(&a->w, DER_OID, oid.p, oid.n);
	der_w_wrap(&a->w, DER_SEQUENCE, a->mark);
	all = der_w_result(&a->w);
	a->v[a->n++] = view_sub(all, 0, der_w_mark(&a->w) - a->mark);
}

static void put_capabilities(struct der_w *w)
{
	/* Strongest first; written from the last one on. */
	static const enum oid caps[] = { OID_AES128_CBC, OID_AES256_CBC,
		OID_AES128_GCM, OID_AES256_GCM };
	size_t all = der_w_mark(w), one;
	struct view oid;

	for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
		oid = oid_view(caps[i]);
		one = der_w_mark(w);
		der_w_tlv(w, DER_OID, oid.p, oid.n);
		der_w_wrap(w, DER_SEQUENCE, one);
	}
	der_w_wrap(w, DER_SEQUENCE, all);
}

/* RFC 6211 2: [1] signatureAlgorithm, behind digestAlgorithm. */
static void put_alg_protection(struct der_w *w, const struct sign_suite *s)
{
	size_t mark = der_w_mark(w);

	put_sig_alg(w, s, DER_CTX0 + 1);
	sign_put_digest_alg(w, s);
	der_w_wrap(w, DER_SEQUENCE, mark);
}

/* RFC 5035 4: one ESSCertIDv2, hash SHA-256 (the default, so absent), with
 * issuerSerial, whose issuer is a GeneralName. */
static int put_signing_cert(struct der_w *w, const struct cert *c,
    struct err *e)
{
	struct view ias = cert_ias(c);
	size_t mark = der_w_mark(w), name_mark;
	struct der seq, name, serial;

	if (der_get(&ias, DER_SEQUENCE, &seq) == -1 ||
	    der_get(&seq.val, DER_SEQUENCE, &name) == -1 ||
	    der_get(&seq.val, DER_INTEGER, &serial) == -1)
		return err_set(e, FAIL_BUG, "issuerAndSerialNumber of our "
		    "certificate does not parse");
	der_w_view(w, serial.whole);
	name_mark = der_w_mark(w);
	der_w_view(w, name.whole);
	der_w_wrap(w, DER_CTX0 + 4, name_mark);
	der_w_wrap(w, DER_SEQUENCE, name_mark);
	der_w_wrap(w, DER_SEQUENCE, mark);
	der_w_tlv(w, DER_OCTET_STRING, cert_sha256(c), 32);
	der_w_wrap(w, DER_SEQUENCE, mark); /* ESSCertIDv2 */
	der_w_wrap(w, DER_SEQUENCE, mark); /* certs */
	der_w_wrap(w, DER_SEQUENCE, mark); /* SigningCertificateV2 */
	return 0;
}

/* RFC 8551 2.5.3: issuerAndSerialNumber [0], implicit. */
static void put_enc_key_pref(struct der_w *w, const struct cert *c)
{
	struct view ias = cert_ias(c);
	struct der seq;
	size_t mark = der_w_mark(w);

	if (der_get(&ias, DER_SEQUENCE, &seq) == -1)
		return;
	der_w_view(w, seq.val);
	der_w_wrap(w, DER_CTX0, mark);
}

static bool has_own_enc_cert(const struct signer *who)
{
	return who->encryption_cert != NULL &&
	    !ossl_same(cert_sha256(who->encryption_cert),
	    cert_sha256(who->cert), 32);
}

static int fill(struct attrs *a, const struct signer *who,
    const struct sign_suite *s, struct view digest, struct err *e)
{
	struct view data = oid_view(OID_DATA);

	begin(a);
	der_w_tlv(&a->w, DER_OID, data.p, data.n);
	finish(a, OID_A_CONTENT_TYPE);
	begin(a);
	der_w_tlv(&a->w, DER_OCTET_STRING, digest.p, digest.n);
	finish(a, OID_A_MESSAGE_DIGEST);
	begin(a);
	put_capabilities(&a->w);
	finish(a, OID_A_SMIME_CAPS);
	begin(a);
	put_alg_protection(&a->w, s);
	finish(a, OID_A_ALG_PROTECT);
	begin(a);
	if (put_signing_cert(&a->w, who->cert, e) == -1)
		return -1;
	finish(a, OID_A_SIGNING_CERT_V2);
	if (has_own_enc_cert(who)) {
		begin(a);
		put_enc_key_pref(&a->w, who->encryption_cert);
		finish(a, OID_A_ENC_KEY_PREF);
	}
	return 0;
}

int signed_attrs_make(const struct signer *who, const struct sign_suite *s,
    struct view content_digest, int64_t now, struct buf *out, struct err *e)
{
	struct attrs *a = malloc(sizeof(*a)); /* large: not wiped */
	struct der_w set;
	int r = -1;

	if (a == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	a->n = 0;
	der_w_init(&a->w, a->mem, sizeof(a->mem));
	begin(a);
	der_w_time(&a->w, now);
	finish(a, OID_A_SIGNING_TIME);
	if (fill(a, who, s, content_digest, e) == -1)
		goto out;
	der_w_init(&set, a->set, sizeof(a->set));
	der_w_set_of(&set, DER_SET, a->v, a->n);
	if (a->w.failed || set.failed) {
		err_set(e, FAIL_LIMIT, "signed attributes of more than %d "
		    "octets: names in the certificate are too long",
		    ATTRS_MAX);
		goto out;
	}
	buf_putv(out, der_w_result(&set));
	r = buf_ok(out, e);
out:
	free(a);
	return r;
}
