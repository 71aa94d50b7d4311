/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Signed attributes of strangers (RFC 5652 5.3, 11): required, DER, each
 * type once. Without this step a signature over attributes can be shown as
 * a signature over content (A16).
 */
#include "smime/verify_int.h"

#include <string.h>

struct reading {
	struct attrs *a;
	struct signer_finding *f;
	struct view seen[CAP_CMS_ATTRIBUTES]; /* types */
	size_t n;
	bool has_type;
	bool has_digest;
};

static int weak(struct signer_finding *f, const char *why)
{
	return finding_fail(f, SIG_POLICY, 67, why);
}

/* The only value of a SET OF; -1 when there is not exactly one. */
static int one_value(struct view values, struct der *v)
{
	return der_next(&values, v) == -1 || values.n > 0 ? -1 : 0;
}

static int is_once(const struct reading *r, enum oid type, struct view oid)
{
	bool caps = type == OID_A_SMIME_CAPS || type == OID_A_ENC_KEY_PREF;

	for (size_t i = 0; i < r->n; i++) {
		if (!view_eq(r->seen[i], oid))
			continue;
		if (caps)
			return finding_fail(r->f, SIG_FAIL, 112,
			    "SMIMECapabilities or key preference twice (RFC "
			    "8551 2.5.2)");
		return weak(r->f, "signed attribute twice (RFC 5652 5.3)");
	}
	return 0;
}

static int read_content_type(struct reading *r, const struct der *v)
{
	if (v->tag != DER_OID || oid_find(v->val) != OID_DATA)
		return weak(r->f, "contentType is not id-data (RFC 5652 "
		    "11.1)");
	r->has_type = true;
	return 0;
}

static int read_digest(struct reading *r, const struct der *v)
{
	if (v->tag != DER_OCTET_STRING)
		return weak(r->f, "messageDigest is no OCTET STRING (RFC "
		    "5652 11.2)");
	r->a->digest = v->val;
	r->has_digest = true;
	return 0;
}

static int read_time(struct reading *r, const struct der *v)
{
	if (der_time(v, &r->f->signing_time) == 0)
		return 0;
	r->f->signing_time = -1;
	return weak(r->f, "signingTime is no time (RFC 5652 11.3)");
}

/* id-sti and one arc more: what kind of signature this is. */
static unsigned type_bit(struct view oid)
{
	static const unsigned char sti[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7,
		0x0d, 1, 9, 16, 9 };

	if (oid.n != sizeof(sti) + 1 ||
	    memcmp(oid.p, sti, sizeof(sti)) != 0 || oid.p[sizeof(sti)] < 1 ||
	    oid.p[sizeof(sti)] > 4)
		return SIG_TYPE_OTHER;
	return 1u << (oid.p[sizeof(sti)] - 1);
}

/* SignatureType ::= SEQUENCE OF OBJECT IDENTIFIER (RFC 3183 3.1.2) */
static int read_signature_type(struct reading *r, const struct der *v)
{
	struct view in = v->val;
	struct der oid;

	if (v->tag != DER_SEQUENCE || in.n == 0)
		return weak(r->f, "SignatureType is no list of types (RFC "
		    "3183 3.1.2)");
	while (in.n > 0) {
		if (der_get(&in, DER_OID, &oid) == -1)
			return weak(r->f, "SignatureType is no list of types "
			    "(RFC 3183 3.1.2)");
		r->f->types |= type_bit(oid.val);
	}
	return 0;
}

/* RFC 8551 2.5.2, 2.5.3: exactly one value, else the signature fails. */
static int read_preference(struct reading *r, enum oid type,
    struct view values)
{
	struct der v;

	if (one_value(values, &v) == -1)
		return finding_fail(r->f, SIG_FAIL, 112, "SMIMECapabilities "
		    "or key preference without exactly one value (RFC 8551 "
		    "2.5.2)");
	if (type == OID_A_SMIME_CAPS && v.whole.n <= sizeof(r->f->caps)) {
		memcpy(r->f->caps, v.whole.p, v.whole.n);
		r->f->caps_n = v.whole.n;
	}
	if (type == OID_A_ENC_KEY_PREF && v.whole.n <= sizeof(r->f->pref)) {
		memcpy(r->f->pref, v.whole.p, v.whole.n);
		r->f->pref_n = v.whole.n;
	}
	return 0;
}

/* An attribute that has exactly one value. */
static int read_value(struct reading *r, enum oid type, const struct der *v)
{
	switch (type) {
	case OID_A_CONTENT_TYPE:
		return read_content_type(r, v);
	case OID_A_MESSAGE_DIGEST:
		return read_digest(r, v);
	case OID_A_SIGNING_TIME:
		return read_time(r, v);
	case OID_A_SIGNING_CERT:
		r->a->signing_cert = v->whole;
		return 0;
	case OID_A_SIGNING_CERT_V2:
		r->a->signing_cert_v2 = v->whole;
		return 0;
	case OID_A_SIGNATURE_TYPE:
		return read_signature_type(r, v);
	case OID_A_ML_HISTORY:
		r->f->has_list = true;
		return 0;
	case OID_A_RECEIPT_REQUEST:
		r->f->wants_receipt = true;
		return 0;
	case OID_A_SECURITY_LABEL:
	case OID_A_CONTENT_HINTS:
		return 0;
	default:
		r->a->alg_protect = v->whole;
		return 0;
	}
}

static int read_known(struct reading *r, enum oid type, struct view values)
{
	struct der v;

	switch (type) {
	case OID_A_SMIME_CAPS:
	case OID_A_ENC_KEY_PREF:
		return read_preference(r, type, values);
	case OID_A_CONTENT_TYPE:
	case OID_A_MESSAGE_DIGEST:
	case OID_A_SIGNING_TIME:
	case OID_A_SIGNING_CERT:
	case OID_A_SIGNING_CERT_V2:
	case OID_A_ALG_PROTECT:
	case OID_A_RECEIPT_REQUEST: /* these four: RFC 2634 1.3.4 */
	case OID_A_SECURITY_LABEL:
	case OID_A_CONTENT_HINTS:
	case OID_A_ML_HISTORY:
	case OID_A_SIGNATURE_TYPE:
		break;
	default:
		return 0;
	}
	if (one_value(values, &v) == -1)
		return weak(r->f, "signed attribute without exactly one "
		    "value (RFC 5652 11)");
	return read_value(r, type, &v);
}

static int read_one(struct reading *r, struct view *in)
{
	struct der attr, type, values;
	enum oid oid;

	if (der_get(in, DER_SEQUENCE, &attr) == -1 ||
	    der_get(&attr.val, DER_OID, &type) == -1 ||
	    der_get(&attr.val, DER_SET, &values) == -1 || attr.val.n > 0 ||
	    values.val.n == 0)
		return weak(r->f, "malformed signed attribute (RFC 5652 "
		    "5.3)");
	if (r->n == CAP_CMS_ATTRIBUTES)
		return finding_fail(r->f, SIG_NEUTRAL, 62, "too many signed "
		    "attributes");
	oid = oid_find(type.val);
	if (is_once(r, oid, type.val) == -1)
		return -1;
	r->seen[r->n++] = type.val;
	return read_known(r, oid, values.val);
}

int attrs_read(struct attrs *a, const struct cms_signer *s,
    struct signer_finding *f)
{
	struct reading r = { .a = a, .f = f };
	struct view in;
	struct der set;

	memset(a, 0, sizeof(*a));
	buf_init(&a->set, CAP_CMS_SKELETON + 1);
	if (s->attrs.n == 0)
		return weak(f, "no signed attributes (RFC 8551 2.5)");
	cms_put_as_set(&a->set, s->attrs);
	if (a->set.failed)
		return finding_fail(f, SIG_TEMPERROR, 67, "out of memory");
	in = buf_view(&a->set);
	if (!der_is_strict(in) || der_get(&in, DER_SET, &set) == -1)
		return weak(f, "signed attributes are not DER (RFC 5652 "
		    "5.3)");
	for (in = set.val; in.n > 0;)
		if (read_one(&r, &in) == -1)
			return -1;
	if (!r.has_type)
		return weak(f, "no contentType attribute (RFC 5652 11.1)");
	if (!r.has_digest)
		return weak(f, "no messageDigest attribute (RFC 5652 11.2)");
	return 0;
}
