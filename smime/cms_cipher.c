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

struct content_cipher {
	enum oid oid;
	size_t cek_len;
	size_t iv_len;
	bool authenticated;
};

static const struct content_cipher ciphers[] = {
	{ OID_AES128_CBC, 16, 16, false },
	{ OID_AES192_CBC, 24, 16, false },
	{ OID_AES256_CBC, 32, 16, false },
	{ OID_AES128_GCM, 16, 12, true },
	{ OID_AES192_GCM, 24, 12, true },
	{ OID_AES256_GCM, 32, 12, true },
	{ OID_DES3_CBC, 24, 8, false },
};

static void set_text(char *dst, size_t size, const char *s)
{
	if (view_cstr(view_of(s), dst, size) == -1)
		dst[0] = '\0';
}

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
	if (nonce.val.n != k->iv_len)
		return "GCM nonce is not of 12 octets (RFC 5084 3.2)";
	if (icv < 12 || icv > 16)
		return "GCM tag is not of 12 to 16 octets (RFC 5084 3.2)";
	if (c->mac.n != icv)
		return "GCM tag is not as long as announced (RFC 5084 3.2)";
	/* Their DER is the associated data; we do not re-encode. */
	if (c->auth_attrs.n > 0 && !attrs_are_der(c->auth_attrs))
		return "authAttrs are not DER (RFC 5083 2.2)";
	c->iv = nonce.val;
	return NULL;
}

void cms_judge_cipher(struct cms *c)
{
	const struct content_cipher *k = NULL;
	enum oid o = oid_find(c->cipher_alg.oid);
	struct cms_cipher *x = &c->cipher;
	const char *why = NULL;

	memset(x, 0, sizeof(*x));
	c->cipher_oid = o;
	if (o == OID_UNKNOWN)
		der_oid_str(c->cipher_alg.oid, x->name, sizeof(x->name));
	else
		set_text(x->name, sizeof(x->name), oid_name(o));
	for (size_t i = 0; i < ARRAY_LEN(ciphers); i++)
		if (ciphers[i].oid == o)
			k = &ciphers[i];
	if (k == NULL) {
		why = "cipher not allowed (RFC 8551 2.7)";
	} else {
		x->cek_len = k->cek_len;
		x->authenticated = k->authenticated;
		if (k->authenticated != (c->type == CMS_AUTH_ENVELOPED))
			why = k->authenticated ?
			    "GCM outside AuthEnvelopedData (RFC 5083)" :
			    "CBC inside AuthEnvelopedData (RFC 5083)";
		else
			why = k->authenticated ? judge_gcm(c, k) :
			    judge_cbc(c, k);
	}
	x->supported = why == NULL;
	if (why != NULL)
		set_text(x->unsupported, sizeof(x->unsupported), why);
}
