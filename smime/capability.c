/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Lists of capabilities and the choice between them. A list is somebody's
 * word about his own software: it can make what we write stronger or, down
 * to the floor, older, and nothing else.
 */
#include "smime/capability.h"

#include <string.h>

#include "smime/cms_int.h"

static const struct {
	enum oid oid;
	size_t key_len;
	bool is_authenticated;
} ciphers[ENC_CIPHERS] = {
	[ENC_AES128_CBC] = { OID_AES128_CBC, 16, false },
	[ENC_AES256_CBC] = { OID_AES256_CBC, 32, false },
	[ENC_AES128_GCM] = { OID_AES128_GCM, 16, true },
	[ENC_AES256_GCM] = { OID_AES256_GCM, 32, true },
};

/* ---- reading ---- */

/* id-sha256 as an AlgorithmIdentifier that fills v. */
static bool is_sha256(struct view v)
{
	struct cms_alg alg;

	return cms_alg_get(&v, &alg) == 0 && v.n == 0 &&
	    oid_find(alg.oid) == OID_SHA256 && cms_alg_is_plain(&alg);
}

static bool is_mgf1_sha256(struct view v)
{
	struct cms_alg alg;

	return cms_alg_get(&v, &alg) == 0 && v.n == 0 &&
	    oid_find(alg.oid) == OID_MGF1 && is_sha256(alg.param);
}

static bool is_empty_label(struct view v)
{
	struct cms_alg alg;
	struct der d;

	return cms_alg_get(&v, &alg) == 0 && v.n == 0 &&
	    oid_find(alg.oid) == OID_P_SPECIFIED &&
	    der_get(&alg.param, DER_OCTET_STRING, &d) == 0 && d.val.n == 0;
}

/* RSAES-OAEP-params (RFC 4055 4.1) of what we write. Those that are left out
 * mean SHA-1. */
static bool is_our_oaep(struct view param)
{
	struct der seq, hash, mgf, label;
	int rc;

	if (der_get(&param, DER_SEQUENCE, &seq) == -1 || param.n > 0 ||
	    der_get(&seq.val, DER_CTX0, &hash) == -1 ||
	    der_get(&seq.val, DER_CTX0 + 1, &mgf) == -1)
		return false;
	rc = der_opt(&seq.val, DER_CTX0 + 2, &label);
	return rc != -1 && seq.val.n == 0 && is_sha256(hash.val) &&
	    is_mgf1_sha256(mgf.val) && (rc == 0 || is_empty_label(label.val));
}

static void add_cipher(struct capabilities *c, enum enc_cipher cipher)
{
	for (size_t i = 0; i < c->ciphers; i++)
		if (c->cipher[i] == cipher)
			return;
	c->cipher[c->ciphers++] = cipher;
}

static void take(struct capabilities *c, const struct cms_alg *alg)
{
	enum oid oid = oid_find(alg->oid);

	if (oid == OID_RSA_OAEP && is_our_oaep(alg->param))
		c->oaep = true;
	if (!cms_alg_is_plain(alg))
		return;
	if (oid == OID_CEK_HKDF)
		c->has_cek_hkdf = true;
	for (int i = 0; i < ENC_CIPHERS; i++)
		if (oid == ciphers[i].oid)
			add_cipher(c, (enum enc_cipher)i);
}

int capabilities_read(struct capabilities *out, struct view der,
    struct err *e)
{
	struct capabilities c = { .is_known = true };
	struct cms_alg alg;
	struct der list;

	memset(out, 0, sizeof(*out));
	if (der.n > CAP_CAPABILITIES)
		return err_set(e, FAIL_LIMIT, "SMIMECapabilities of %zu "
		    "octets, at most %d allowed", der.n, CAP_CAPABILITIES);
	if (der_get(&der, DER_SEQUENCE, &list) == -1 || der.n > 0)
		return err_set(e, FAIL_INPUT, "SMIMECapabilities are no list "
		    "(RFC 8551 2.5.2)");
	while (list.val.n > 0) {
		if (cms_alg_get(&list.val, &alg) == -1)
			return err_set(e, FAIL_INPUT, "a malformed "
			    "SMIMECapability (RFC 8551 2.5.2)");
		take(&c, &alg);
	}
	*out = c;
	return 0;
}

/* ---- choosing ---- */

bool cipher_meets(size_t key_len, bool is_authenticated, enum enc_cipher b)
{
	return key_len >= ciphers[b].key_len &&
	    (is_authenticated || !ciphers[b].is_authenticated);
}

bool cipher_at_least(enum enc_cipher a, enum enc_cipher b)
{
	return cipher_meets(ciphers[a].key_len, ciphers[a].is_authenticated,
	    b);
}

/* What one reads, as a list, his first choice first. */
static size_t list_of(const struct capabilities *c,
    const struct cipher_policy *p, enum enc_cipher list[ENC_CIPHERS])
{
	struct capabilities all = *c;

	if (!c->is_known) {
		all.ciphers = 0;
		add_cipher(&all, p->unknown);
		add_cipher(&all, ENC_AES256_CBC);
		add_cipher(&all, ENC_AES128_CBC);
	} else if (c->ciphers == 0) {
		add_cipher(&all, ENC_AES128_CBC);
	}
	memcpy(list, all.cipher, sizeof(all.cipher));
	return all.ciphers;
}

/* The first of his that is at least the floor; false: none. Also which of
 * them all he reads, as bits. */
static bool read_one(const struct capabilities *c,
    const struct cipher_policy *p, enum enc_cipher *first, unsigned *reads)
{
	enum enc_cipher list[ENC_CIPHERS];
	size_t n = list_of(c, p, list);
	bool any = false;

	*reads = 0;
	for (size_t i = 0; i < n; i++) {
		if (!cipher_at_least(list[i], p->floor))
			continue;
		if (!any)
			*first = list[i];
		any = true;
		*reads |= 1u << list[i];
	}
	return any;
}

static int choose_fixed(const struct cipher_policy *p, enum enc_cipher *out)
{
	if (!cipher_at_least(p->unknown, p->floor))
		return -1;
	*out = p->unknown;
	return 0;
}

/* Authenticated before longer. */
static bool is_stronger(enum enc_cipher a, enum enc_cipher b)
{
	if (ciphers[a].is_authenticated != ciphers[b].is_authenticated)
		return ciphers[a].is_authenticated;
	return ciphers[a].key_len > ciphers[b].key_len;
}

/* -1: none of these. */
static int strongest(unsigned common, enum enc_cipher *out)
{
	bool any = false;

	for (unsigned i = 0; i < ENC_CIPHERS; i++) {
		if ((common & 1u << i) == 0 ||
		    (any && !is_stronger((enum enc_cipher)i, *out)))
			continue;
		*out = (enum enc_cipher)i;
		any = true;
	}
	return any ? 0 : -1;
}

int capabilities_choose(const struct capabilities *c, size_t n,
    const struct cipher_policy *p, enum enc_cipher *out)
{
	enum enc_cipher first = p->unknown, other;
	unsigned common = ~0u, reads;
	bool is_same = true;

	if (n == 0)
		return -1;
	if (p->is_fixed)
		return choose_fixed(p, out);
	for (size_t i = 0; i < n; i++) {
		if (!read_one(&c[i], p, &other, &reads))
			return -1;
		if (i == 0)
			first = other;
		is_same = is_same && other == first;
		common &= reads;
	}
	if (!is_same)
		return strongest(common, out);
	*out = first;
	return 0;
}
