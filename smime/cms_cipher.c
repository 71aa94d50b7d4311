/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Which content encryption is allowed where, with which parameters (RFC
 * 8551 2.7, RFC 5084 3). Decided before any key is touched, because
 * libcrypto takes four-octet tags and the content type is what an attacker
 * swaps to turn GCM into CBC.
 */
#include "smime/cms_int.h"

#include <string.h>

#define NONCE 12 /* octets of a GCM nonce, RFC 5084 3.2 */

struct content_cipher {
	enum oid oid;
	size_t cek_len; /* of RC2: what its parameters say */
	size_t iv_len;
	bool authenticated;
	bool weak;
	bool old; /* only in OpenSSL's legacy provider */
};

static const struct content_cipher ciphers[] = {
	{ OID_AES128_CBC, 16, 16, false, false, false },
	{ OID_AES192_CBC, 24, 16, false, false, false },
	{ OID_AES256_CBC, 32, 16, false, false, false },
	{ OID_AES128_GCM, 16, NONCE, true, false, false },
	{ OID_AES192_GCM, 24, NONCE, true, false, false },
	{ OID_AES256_GCM, 32, NONCE, true, false, false },
	{ OID_DES3_CBC, 24, 8, false, true, false },
	{ OID_DES_CBC, 8, 8, false, true, true },
	{ OID_RC2_CBC, 16, 8, false, true, true },
};

/* rc2ParameterVersion for effective key bits (RFC 2268 6, RFC 3370 5.2). */
static const struct {
	uint32_t version;
	size_t cek_len;
	const char *name;
} rc2_sizes[] = {
	{ 160, 5, "RC2-40-CBC" },
	{ 120, 8, "RC2-64-CBC" },
	{ 58, 16, "RC2-CBC" },
};

static const char *judge_cbc(struct cms *c, const struct content_cipher *k)
{
	struct view in = c->cipher_alg.param;
	struct der iv;

	if (der_get(&in, DER_OCTET_STRING, &iv) == -1 || in.n > 0 ||
	    iv.val.n != k->iv_len)
		return "CBC without an IV of one block (RFC 3565 2.3)";
	c->iv = iv.val;
	return NULL;
}

/* RC2CBCParameter ::= SEQUENCE { rc2ParameterVersion INTEGER, iv }. */
static const char *judge_rc2(struct cms *c, const struct content_cipher *k)
{
	struct view in = c->cipher_alg.param;
	struct der seq, version, iv;
	uint32_t x = 0;

	if (der_get(&in, DER_SEQUENCE, &seq) == -1 || in.n > 0 ||
	    der_get(&seq.val, DER_INTEGER, &version) == -1 ||
	    der_uint(&version, &x) == -1 ||
	    der_get(&seq.val, DER_OCTET_STRING, &iv) == -1 ||
	    seq.val.n > 0 || iv.val.n != k->iv_len)
		return "malformed RC2CBCParameter (RFC 3370 5.2)";
	for (size_t i = 0; i < ARRAY_LEN(rc2_sizes); i++) {
		if (rc2_sizes[i].version != x)
			continue;
		c->iv = iv.val;
		c->cipher.cek_len = rc2_sizes[i].cek_len;
		text_set(c->cipher.name, sizeof(c->cipher.name),
		    rc2_sizes[i].name);
		return NULL;
	}
	return "RC2 with other than 40, 64 or 128 bits (RFC 3370 5.2)";
}

static bool attrs_are_der(struct view attrs)
{
	struct buf set;
	bool ok;

	buf_init(&set, CAP_CMS_SKELETON);
	cms_put_as_set(&set, attrs);
	ok = !set.failed && der_is_strict(buf_view(&set));
	buf_free(&set);
	return ok;
}

/* GCMParameters ::= SEQUENCE { nonce, ICVlen INTEGER DEFAULT 12 }. */
static const char *judge_gcm(struct cms *c, const struct content_cipher *k)
{
	struct view in = c->cipher_alg.param;
	struct der seq, nonce, len;
	uint32_t icv = 12;
	int r;

	if (der_get(&in, DER_SEQUENCE, &seq) == -1 || in.n > 0 ||
	    der_get(&seq.val, DER_OCTET_STRING, &nonce) == -1)
		return "malformed GCMParameters (RFC 5084 3.2)";
	r = der_opt(&seq.val, DER_INTEGER, &len);
	if (r == -1 || (r == 1 && der_uint(&len, &icv) == -1) ||
	    seq.val.n > 0)
		return "malformed GCMParameters (RFC 5084 3.2)";
	if (nonce.val.n < 7 || nonce.val.n > 13)
		return "GCM nonce is not of 7 to 13 octets (RFC 5084 3.2)";
	if (icv < 12 || icv > 16)
		return "GCM tag is not of 12 to 16 octets (RFC 5084 3.2)";
	if (c->type == CMS_AUTH_ENVELOPED && c->mac.n != icv)
		return "GCM tag is not as long as announced (RFC 5084 3.2)";
	/* Their DER is the associated data; we do not re-encode. */
	if (c->auth_attrs.n > 0 && !attrs_are_der(c->auth_attrs))
		return "authAttrs are not DER (RFC 5083 2.2)";
	if (nonce.val.n != k->iv_len)
		c->cipher.needs |= CMS_ALLOW_LEGACY;
	if (c->type == CMS_ENVELOPED) {
		c->cipher.needs |= CMS_ALLOW_BARE_GCM;
		c->tag_inside = icv;
	}
	c->iv = nonce.val;
	return NULL;
}

/* Why it cannot be opened whatever is allowed; NULL: it can. */
static const char *judge(struct cms *c, const struct content_cipher *k)
{
	if (k->authenticated)
		return judge_gcm(c, k);
	if (c->type == CMS_AUTH_ENVELOPED)
		return "CBC inside AuthEnvelopedData (RFC 5083)";
	if (k->old)
		c->cipher.needs = CMS_ALLOW_LEGACY;
	return k->oid == OID_RC2_CBC ? judge_rc2(c, k) : judge_cbc(c, k);
}

/* Why it is not opened as long as nothing more is allowed. */
static const char *not_allowed(const struct cms *c)
{
	unsigned lacks = c->cipher.needs & ~c->allowed;

	if ((lacks & CMS_ALLOW_BARE_GCM) != 0)
		return "GCM outside AuthEnvelopedData (RFC 5083)";
	if ((lacks & CMS_ALLOW_LEGACY) == 0)
		return NULL;
	return c->cipher.authenticated ?
	    "GCM nonce is not of 12 octets (RFC 5084 3.2)" :
	    "obsolete cipher, only read where legacy is allowed (RFC 8551 "
	    "B)";
}

static void name_cipher(struct cms *c)
{
	struct cms_cipher *x = &c->cipher;

	memset(x, 0, sizeof(*x));
	c->iv = view_make(NULL, 0);
	c->tag_inside = 0;
	c->cipher_oid = oid_find(c->cipher_alg.oid);
	if (c->cipher_oid == OID_UNKNOWN)
		der_oid_str(c->cipher_alg.oid, x->name, sizeof(x->name));
	else
		text_set(x->name, sizeof(x->name), oid_name(c->cipher_oid));
}

/* S196: by its identifier. */
static void refuse_unknown(struct cms_cipher *x)
{
	struct buf b;

	buf_init(&b, sizeof(x->unsupported) - 1);
	buf_printf(&b, "content cipher %s is not supported (RFC 8551 2.7)",
	    x->name);
	text_set(x->unsupported, sizeof(x->unsupported), buf_str(&b));
	buf_free(&b);
}

void cms_judge_cipher(struct cms *c)
{
	const struct content_cipher *k = NULL;
	struct cms_cipher *x = &c->cipher;
	const char *why;

	name_cipher(c);
	for (size_t i = 0; i < ARRAY_LEN(ciphers); i++)
		if (ciphers[i].oid == c->cipher_oid)
			k = &ciphers[i];
	if (k == NULL) {
		refuse_unknown(x);
		return;
	}
	x->cek_len = k->cek_len;
	x->authenticated = k->authenticated;
	x->weak = k->weak;
	why = judge(c, k);
	if (why != NULL)
		x->needs = 0;
	else
		why = not_allowed(c);
	x->supported = why == NULL;
	if (why != NULL)
		text_set(x->unsupported, sizeof(x->unsupported), why);
}

void cms_allow(struct cms *c, unsigned what)
{
	c->allowed = what;
	if (c->type == CMS_ENVELOPED || c->type == CMS_AUTH_ENVELOPED)
		cms_judge_cipher(c);
}
