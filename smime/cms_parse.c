/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Reads the skeleton: recipients, signers, algorithms. Every element that
 * RFC 5652 describes is followed to its end, also those of other
 * recipients, so that we accept nothing that libcrypto would refuse.
 */
#include "smime/cms_int.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/x509.h>

#include "util/ossl.h"

static int bad(const char *what, struct err *e)
{
	return err_set(e, FAIL_INPUT, "CMS: malformed %s", what);
}

int cms_alg_content(struct view content, struct cms_alg *a)
{
	struct der oid, param = { 0 };

	if (der_get(&content, DER_OID, &oid) == -1 || !oid_is_valid(oid.val))
		return -1;
	if (content.n > 0 && (der_next(&content, &param) == -1 ||
	    content.n > 0))
		return -1;
	a->oid = oid.val;
	a->param = param.whole;
	return 0;
}

int cms_alg_get(struct view *in, struct cms_alg *a)
{
	struct view left = *in;
	struct der seq;

	if (der_get(&left, DER_SEQUENCE, &seq) == -1 ||
	    cms_alg_content(seq.val, a) == -1)
		return -1;
	*in = left;
	return 0;
}

bool cms_alg_is_plain(const struct cms_alg *a)
{
	return a->param.n == 0 || (a->param.n == 2 &&
	    a->param.p[0] == DER_NULL && a->param.p[1] == 0);
}

bool cms_alg_eq(const struct cms_alg *a, const struct cms_alg *b)
{
	if (!view_eq(a->oid, b->oid))
		return false;
	return (cms_alg_is_plain(a) && cms_alg_is_plain(b)) ||
	    view_eq(a->param, b->param);
}

void cms_put_as_set(struct buf *out, struct view attrs)
{
	buf_putc(out, DER_SET);
	buf_putv(out, view_sub(attrs, 1, attrs.n - 1));
}

/* CMSVersion: one octet, 0 to 5. */
static int get_version(struct view *in)
{
	struct der d;

	return der_get(in, DER_INTEGER, &d) == -1 || d.val.n != 1 ||
	    d.val.p[0] > 5 ? -1 : 0;
}

/* By libcrypto, which reads names of certificates all day: its rules for
 * the string types are longer than all of this file. */
static bool name_is_valid(struct view name)
{
	const unsigned char *p = name.p;
	X509_NAME *x = d2i_X509_NAME(NULL, &p, (long)name.n);
	bool ok = x != NULL && p == name.p + name.n;

	X509_NAME_free(x);
	if (!ok)
		ossl_clear();
	return ok;
}

static bool ias_is_valid(struct view ias)
{
	struct der name, serial;

	return der_get(&ias, DER_SEQUENCE, &name) == 0 &&
	    der_get(&ias, DER_INTEGER, &serial) == 0 && ias.n == 0 &&
	    name_is_valid(name.whole);
}

/* SignerIdentifier and RecipientIdentifier (RFC 5652 5.3, 6.2.1). */
static int get_sid(struct view *in, bool *by_ski, struct view *id)
{
	struct der d;

	if (der_next(in, &d) == -1)
		return -1;
	*by_ski = d.tag == DER_CTX0_PRIM;
	*id = *by_ski ? d.val : d.whole;
	if (*by_ski)
		return d.val.n > 0 ? 0 : -1;
	return d.tag == DER_SEQUENCE && ias_is_valid(d.val) ? 0 : -1;
}

static int add_rid(struct cms *c, const struct cms_rid *rid, struct err *e)
{
	struct cms_rid *p;
	size_t room;

	if (c->rids == CAP_CMS_RECIPIENTS)
		return err_set(e, FAIL_LIMIT, "CMS: more than %d recipients",
		    CAP_CMS_RECIPIENTS);
	if (c->rids == c->rid_room) {
		room = c->rid_room == 0 ? 8 : c->rid_room * 2;
		if ((p = realloc(c->rid, room * sizeof(*p))) == NULL)
			return err_set(e, FAIL_TEMP, "out of memory");
		c->rid = p;
		c->rid_room = room;
	}
	c->rid[c->rids++] = *rid;
	return 0;
}

/* RFC 5652 6.2.1. */
static int parse_ktri(struct cms *c, const struct der *ri, struct err *e)
{
	struct cms_rid rid = { .ri = ri->whole };
	struct view in = ri->val;
	struct cms_alg alg;
	struct der key;

	if (get_version(&in) == -1 ||
	    get_sid(&in, &rid.by_ski, &rid.id) == -1 ||
	    cms_alg_get(&in, &alg) == -1 ||
	    der_get(&in, DER_OCTET_STRING, &key) == -1 || in.n > 0)
		return bad("KeyTransRecipientInfo (RFC 5652 6.2.1)", e);
	return add_rid(c, &rid, e);
}

/* KEKIdentifier and RecipientKeyIdentifier (RFC 5652 6.2.2, 6.2.3): key
 * identifier, date and OtherKeyAttribute. */
static int key_id_content(struct view in, struct view *id)
{
	struct der key, date, other, d;
	int r;

	if (der_get(&in, DER_OCTET_STRING, &key) == -1 ||
	    der_opt(&in, DER_GENTIME, &date) == -1 ||
	    (r = der_opt(&in, DER_SEQUENCE, &other)) == -1 || in.n > 0)
		return -1;
	*id = key.val;
	if (r == 0)
		return 0;
	if (der_get(&other.val, DER_OID, &d) == -1 ||
	    (other.val.n > 0 && der_next(&other.val, &d) == -1))
		return -1;
	return other.val.n > 0 ? -1 : 0;
}

/* KeyAgreeRecipientIdentifier. */
static int get_agree_id(struct view *in, struct cms_rid *rid)
{
	struct der d;

	if (der_next(in, &d) == -1)
		return -1;
	if (d.tag == DER_SEQUENCE) {
		rid->id = d.whole;
		return ias_is_valid(d.val) ? 0 : -1;
	}
	rid->by_ski = true;
	return d.tag == DER_CTX0 && key_id_content(d.val, &rid->id) == 0 &&
	    rid->id.n > 0 ? 0 : -1;
}

/* OriginatorIdentifierOrKey, inside its [0]. */
static int skip_originator(struct view in)
{
	struct der d, key;
	struct cms_alg alg;

	if (der_next(&in, &d) == -1 || in.n > 0)
		return -1;
	if (d.tag == DER_SEQUENCE)
		return ias_is_valid(d.val) ? 0 : -1;
	if (d.tag == DER_CTX0_PRIM)
		return 0;
	return d.tag == DER_CTX0 + 1 && cms_alg_get(&d.val, &alg) == 0 &&
	    der_get(&d.val, DER_BIT_STRING, &key) == 0 && d.val.n == 0 ?
	    0 : -1;
}

/* RFC 5652 6.2.2. */
static int parse_kari(struct cms *c, const struct der *ri, struct err *e)
{
	static const char what[] = "KeyAgreeRecipientInfo (RFC 5652 6.2.2)";
	struct der orig, ukm, ukm_octets, reks, rek, key;
	struct view in = ri->val;
	struct cms_rid rid;
	struct cms_alg alg;
	int r;

	if (get_version(&in) == -1 || der_get(&in, DER_CTX0, &orig) == -1 ||
	    skip_originator(orig.val) == -1 ||
	    (r = der_opt(&in, DER_CTX0 + 1, &ukm)) == -1)
		return bad(what, e);
	if (r == 1 && (der_get(&ukm.val, DER_OCTET_STRING, &ukm_octets) ==
	    -1 || ukm.val.n > 0))
		return bad(what, e);
	if (cms_alg_get(&in, &alg) == -1 ||
	    der_get(&in, DER_SEQUENCE, &reks) == -1 || in.n > 0)
		return bad(what, e);
	while (reks.val.n > 0) {
		rid = (struct cms_rid){ .agree = true, .ri = ri->whole };
		if (der_get(&reks.val, DER_SEQUENCE, &rek) == -1 ||
		    get_agree_id(&rek.val, &rid) == -1 ||
		    der_get(&rek.val, DER_OCTET_STRING, &key) == -1 ||
		    rek.val.n > 0)
			return bad(what, e);
		if (add_rid(c, &rid, e) == -1)
			return -1;
	}
	return 0;
}

/* kekri, pwri and ori are followed but give no recipient (S96). */
static int skip_other_ri(const struct der *ri, struct err *e)
{
	struct view in = ri->val;
	struct cms_alg alg;
	struct view id;
	struct der d;
	int r;

	switch (ri->tag) {
	case DER_CTX0 + 2: /* KEKRecipientInfo, RFC 5652 6.2.3 */
		if (get_version(&in) == 0 &&
		    der_get(&in, DER_SEQUENCE, &d) == 0 &&
		    key_id_content(d.val, &id) == 0 &&
		    cms_alg_get(&in, &alg) == 0 &&
		    der_get(&in, DER_OCTET_STRING, &d) == 0 && in.n == 0)
			return 0;
		break;
	case DER_CTX0 + 3: /* PasswordRecipientInfo, 6.2.4 */
		if (get_version(&in) == 0 &&
		    (r = der_opt(&in, DER_CTX0, &d)) != -1 &&
		    (r == 0 || cms_alg_content(d.val, &alg) == 0) &&
		    cms_alg_get(&in, &alg) == 0 &&
		    der_get(&in, DER_OCTET_STRING, &d) == 0 && in.n == 0)
			return 0;
		break;
	case DER_CTX0 + 4: /* OtherRecipientInfo, 6.2.5 */
		if (der_get(&in, DER_OID, &d) == 0 &&
		    der_next(&in, &d) == 0 && in.n == 0)
			return 0;
		break;
	}
	return bad("RecipientInfo (RFC 5652 6.2)", e);
}

static int parse_recipients(struct cms *c, struct view in, struct err *e)
{
	struct der ri;
	int r;

	if (in.n == 0)
		return bad("recipientInfos: none (RFC 5652 6.1)", e);
	while (in.n > 0) {
		if (der_next(&in, &ri) == -1)
			return bad("recipientInfos", e);
		if (ri.tag == DER_SEQUENCE)
			r = parse_ktri(c, &ri, e);
		else if (ri.tag == DER_CTX0 + 1)
			r = parse_kari(c, &ri, e);
		else
			r = skip_other_ri(&ri, e);
		if (r == -1)
			return -1;
	}
	return 0;
}

/* SET OF Attribute that nobody reads, but that must be one. */
static int skip_attributes(struct view in)
{
	struct der attr, d;

	while (in.n > 0)
		if (der_get(&in, DER_SEQUENCE, &attr) == -1 ||
		    der_get(&attr.val, DER_OID, &d) == -1 ||
		    der_get(&attr.val, DER_SET, &d) == -1 || attr.val.n > 0)
			return -1;
	return 0;
}

/* originatorInfo [0]: only certificates and CRLs may be inside. */
static int skip_originator_info(struct view *in)
{
	struct der info, d;
	int r = der_opt(in, DER_CTX0, &info);

	if (r != 1)
		return r;
	return der_opt(&info.val, DER_CTX0, &d) == -1 ||
	    der_opt(&info.val, DER_CTX0 + 1, &d) == -1 || info.val.n > 0 ?
	    -1 : 0;
}

static int skip_opt_attributes(struct view *in, int tag, struct view *whole)
{
	struct der d;
	int r = der_opt(in, tag, &d);

	if (r != 1)
		return r;
	if (whole != NULL)
		*whole = d.whole;
	return skip_attributes(d.val);
}

static int parse_enveloped(struct cms *c, struct view in, struct err *e)
{
	bool auth = c->type == CMS_AUTH_ENVELOPED;
	const char *what = auth ? "AuthEnvelopedData (RFC 5083 2.1)" :
	    "EnvelopedData (RFC 5652 6.1)";
	struct der ris, eci, d, mac = { 0 };

	if (get_version(&in) == -1 || skip_originator_info(&in) == -1 ||
	    der_get(&in, DER_SET, &ris) == -1 ||
	    der_get(&in, DER_SEQUENCE, &eci) == -1 ||
	    der_get(&eci.val, DER_OID, &d) == -1 ||
	    cms_alg_get(&eci.val, &c->cipher_alg) == -1 || eci.val.n > 0 ||
	    skip_opt_attributes(&in, DER_CTX0 + 1, auth ? &c->auth_attrs :
	    NULL) == -1)
		return bad(what, e);
	if (auth && (der_get(&in, DER_OCTET_STRING, &mac) == -1 ||
	    skip_opt_attributes(&in, DER_CTX0 + 2, NULL) == -1))
		return bad(what, e);
	if (in.n > 0)
		return bad(what, e);
	c->mac = mac.val;
	cms_judge_cipher(c);
	return parse_recipients(c, ris.val, e);
}

/* RFC 5652 5.3. */
static int parse_signer(struct cms_signer *s, const struct der *si,
    struct err *e)
{
	struct view in = si->val;
	struct der d;
	int r;

	if (si->tag != DER_SEQUENCE || get_version(&in) == -1 ||
	    get_sid(&in, &s->by_ski, &s->id) == -1 ||
	    cms_alg_get(&in, &s->digest) == -1 ||
	    (r = der_opt(&in, DER_CTX0, &d)) == -1)
		return bad("SignerInfo (RFC 5652 5.3)", e);
	if (r == 1)
		s->attrs = d.whole;
	if (cms_alg_get(&in, &s->sig_alg) == -1 ||
	    der_get(&in, DER_OCTET_STRING, &d) == -1)
		return bad("SignerInfo (RFC 5652 5.3)", e);
	s->signature = d.val;
	if (skip_opt_attributes(&in, DER_CTX0 + 1, NULL) == -1 || in.n > 0)
		return bad("SignerInfo (RFC 5652 5.3)", e);
	return 0;
}

static int parse_signers(struct cms *c, struct view in, struct err *e)
{
	struct der si;

	c->signer = calloc(CAP_CMS_SIGNERS, sizeof(*c->signer));
	if (c->signer == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	while (in.n > 0 && c->signers < CAP_CMS_SIGNERS) {
		if (der_next(&in, &si) == -1)
			return bad("signerInfos", e);
		if (parse_signer(&c->signer[c->signers], &si, e) == -1)
			return -1;
		c->signers++;
	}
	return 0;
}

static int parse_signed(struct cms *c, struct view in, struct err *e)
{
	static const char what[] = "SignedData (RFC 5652 5.1)";
	struct der algs, eci, type, d, sis;
	struct cms_alg alg;
	struct view v;
	int r;

	if (get_version(&in) == -1 || der_get(&in, DER_SET, &algs) == -1 ||
	    der_get(&in, DER_SEQUENCE, &eci) == -1 ||
	    der_get(&eci.val, DER_OID, &type) == -1 || eci.val.n > 0 ||
	    (r = der_opt(&in, DER_CTX0, &d)) == -1)
		return bad(what, e);
	if (r == 1)
		c->certs = d.val;
	if (der_opt(&in, DER_CTX0 + 1, &d) == -1 ||
	    der_get(&in, DER_SET, &sis) == -1 || in.n > 0)
		return bad(what, e);
	for (v = algs.val; v.n > 0;)
		if (cms_alg_get(&v, &alg) == -1)
			return bad(what, e);
	c->digests = algs.val;
	c->econtent_type = type.val;
	return parse_signers(c, sis.val, e);
}

/* RFC 3274 1.1. The version is judged by who expands. */
static int parse_compressed(struct cms *c, struct view in, struct err *e)
{
	static const char what[] = "CompressedData (RFC 3274 1.1)";
	struct der version, eci, type;

	if (der_get(&in, DER_INTEGER, &version) == -1 ||
	    der_uint(&version, &c->version) == -1 ||
	    cms_alg_get(&in, &c->compression) == -1 ||
	    der_get(&in, DER_SEQUENCE, &eci) == -1 || in.n > 0 ||
	    der_get(&eci.val, DER_OID, &type) == -1 || eci.val.n > 0)
		return bad(what, e);
	c->econtent_type = type.val;
	return 0;
}

int cms_parse(struct cms *c, struct err *e)
{
	struct view in = buf_view(&c->skel);
	struct der d;

	if (der_get(&in, DER_SEQUENCE, &d) == -1 || in.n > 0)
		return bad("ContentInfo", e);
	in = d.val;
	if (der_get(&in, DER_OID, &d) == -1 ||
	    der_get(&in, DER_CTX0, &d) == -1 || in.n > 0)
		return bad("ContentInfo", e);
	in = d.val;
	if (der_get(&in, DER_SEQUENCE, &d) == -1 || in.n > 0)
		return bad("ContentInfo", e);
	if (c->type == CMS_SIGNED)
		return parse_signed(c, d.val, e);
	if (c->type == CMS_COMPRESSED)
		return parse_compressed(c, d.val, e);
	return parse_enveloped(c, d.val, e);
}
