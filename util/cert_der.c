/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What we read from the octets of a certificate ourselves: exact parts, key
 * sizes before any arithmetic, and addresses (libcrypto's matching knows
 * other rules, OPENSSL 3.0 to 4.0 even different ones).
 */
#include "util/cert_int.h"

#include <stdlib.h>
#include <string.h>

static const unsigned char oid_san[] = { 0x55, 0x1d, 0x11 };
/* 1.2.840.113549.1.9.1 */
static const unsigned char oid_email[] = {
	0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01
};
/* 1.3.6.1.5.5.7.8.9, RFC 9598 3 */
static const unsigned char oid_utf8_mailbox[] = {
	0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x09
};
/* 1.2.840.113549.1.9.15, RFC 4262 2 */
static const unsigned char oid_caps[] = {
	0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0f
};
static const unsigned char oid_rsa[] = {
	0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01
};
static const unsigned char oid_ec[] = {
	0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01
};
static const unsigned char oid_ed25519[] = { 0x2b, 0x65, 0x70 };
static const unsigned char oid_p256[] = {
	0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07
};
static const unsigned char oid_p384[] = { 0x2b, 0x81, 0x04, 0x00, 0x22 };
static const unsigned char oid_p521[] = { 0x2b, 0x81, 0x04, 0x00, 0x23 };

#define IS_OID(v, oid) view_eq((v), view_make((oid), sizeof(oid)))

static int read_validity(struct cert_parts *p, struct view v)
{
	struct der from, to;

	if (der_next(&v, &from) != 0 || der_next(&v, &to) != 0 || v.n != 0)
		return -1;
	return der_time(&from, &p->not_before) != 0 ||
	    der_time(&to, &p->not_after) != 0 ? -1 : 0;
}

/* RFC 4262 2: not critical, and once as every extension (RFC 5280 4.2). */
static void read_caps(struct cert_parts *p, bool is_critical, struct view v)
{
	p->caps_ignored = p->has_caps || is_critical;
	p->has_caps = true;
	p->caps = v;
}

/* Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } */
static int read_extension(struct cert_parts *p, struct view v)
{
	struct der oid, critical, value, names;
	int rc;

	if (der_get(&v, DER_OID, &oid) != 0)
		return -1;
	rc = der_opt(&v, DER_BOOLEAN, &critical);
	if (rc < 0 || der_get(&v, DER_OCTET_STRING, &value) != 0 || v.n != 0)
		return -1;
	if (IS_OID(oid.val, oid_caps))
		read_caps(p, rc == 1 && (critical.val.n != 1 ||
		    critical.val.p[0] != 0), value.val);
	if (!IS_OID(oid.val, oid_san))
		return 0;
	p->san_twice = p->has_san;
	p->has_san = true;
	if (der_get(&value.val, DER_SEQUENCE, &names) != 0 ||
	    value.val.n != 0)
		return -1;
	p->san = names.val;
	return 0;
}

static int read_extensions(struct cert_parts *p, struct view v)
{
	struct der list, one;

	if (der_get(&v, DER_SEQUENCE, &list) != 0 || v.n != 0)
		return -1;
	while (list.val.n > 0)
		if (der_get(&list.val, DER_SEQUENCE, &one) != 0 ||
		    read_extension(p, one.val) != 0)
			return -1;
	return 0;
}

/* TBSCertificate, RFC 5280 4.1.2 */
static int read_tbs(struct cert_parts *p, struct view v)
{
	struct der d;

	if (der_opt(&v, DER_CTX0, &d) < 0 ||
	    der_get(&v, DER_INTEGER, &d) != 0 || d.val.n == 0)
		return -1;
	p->serial = d.val;
	p->serial_whole = d.whole;
	if (der_get(&v, DER_SEQUENCE, &d) != 0 ||
	    der_get(&v, DER_SEQUENCE, &d) != 0)
		return -1;
	p->issuer = d.whole;
	if (der_get(&v, DER_SEQUENCE, &d) != 0 ||
	    read_validity(p, d.val) != 0 ||
	    der_get(&v, DER_SEQUENCE, &d) != 0)
		return -1;
	p->subject = d.whole;
	if (der_get(&v, DER_SEQUENCE, &d) != 0)
		return -1;
	p->spki = d.whole;
	if (der_opt(&v, DER_CTX0_PRIM + 1, &d) < 0 ||
	    der_opt(&v, DER_CTX0_PRIM + 2, &d) < 0)
		return -1;
	switch (der_opt(&v, DER_CTX0 + 3, &d)) {
	case 1:
		return v.n == 0 ? read_extensions(p, d.val) : -1;
	case 0:
		return v.n == 0 ? 0 : -1;
	default:
		return -1;
	}
}

int cert_der_parts(struct cert_parts *p, struct view der, struct err *e)
{
	struct der cert, tbs;

	memset(p, 0, sizeof(*p));
	if (der_get(&der, DER_SEQUENCE, &cert) != 0)
		return err_set(e, FAIL_INPUT, "RFC 5280 4.1: no certificate");
	if (der.n != 0)
		return err_set(e, FAIL_INPUT, "RFC 5280 4.1: %zu octets after "
		    "the certificate", der.n);
	if (der_get(&cert.val, DER_SEQUENCE, &tbs) != 0 ||
	    read_tbs(p, tbs.val) != 0)
		return err_set(e, FAIL_INPUT, "RFC 5280 4.1.2: a malformed "
		    "certificate");
	return 0;
}

/* Bits of a positive INTEGER; 0 when it is none. */
static int integer_bits(struct view v)
{
	unsigned char first;
	int bits;

	if (v.n > 1 && v.p[0] == 0)
		v = view_sub(v, 1, v.n);
	if (v.n == 0 || v.n > 65536 || v.p[0] == 0)
		return 0;
	bits = (int)(v.n - 1) * 8;
	for (first = v.p[0]; first != 0; first >>= 1)
		bits++;
	return bits;
}

/* RSAPublicKey ::= SEQUENCE { modulus, publicExponent }, RFC 8017 A.1.1 */
static void read_rsa(struct cert_spki *k, struct view bits)
{
	struct der key, n, e;

	if (bits.n == 0 || bits.p[0] != 0)
		return;
	bits = view_sub(bits, 1, bits.n);
	if (der_get(&bits, DER_SEQUENCE, &key) != 0 || bits.n != 0 ||
	    der_get(&key.val, DER_INTEGER, &n) != 0 ||
	    der_get(&key.val, DER_INTEGER, &e) != 0 || key.val.n != 0)
		return;
	k->type = CERT_KEY_RSA;
	k->name = "rsa";
	k->bits = integer_bits(n.val);
	k->exponent_bits = integer_bits(e.val);
}

/* RFC 5480 2.1.1: namedCurve and nothing else. */
static void read_ec(struct cert_spki *k, struct view params)
{
	struct der curve;

	k->type = CERT_KEY_EC;
	k->name = "other";
	if (der_get(&params, DER_OID, &curve) != 0 || params.n != 0)
		return;
	if (IS_OID(curve.val, oid_p256)) {
		k->name = "ec:p256";
		k->bits = 256;
	} else if (IS_OID(curve.val, oid_p384)) {
		k->name = "ec:p384";
		k->bits = 384;
	} else if (IS_OID(curve.val, oid_p521)) {
		k->name = "ec:p521";
		k->bits = 521;
	}
}

bool cert_der_has_own_curve(struct view spki)
{
	struct der all, alg, oid, curve;

	return der_get(&spki, DER_SEQUENCE, &all) == 0 &&
	    der_get(&all.val, DER_SEQUENCE, &alg) == 0 &&
	    der_get(&alg.val, DER_OID, &oid) == 0 &&
	    IS_OID(oid.val, oid_ec) &&
	    der_get(&alg.val, DER_SEQUENCE, &curve) == 0;
}

void cert_der_spki(struct cert_spki *k, struct view spki)
{
	struct der all, alg, oid, bits;

	memset(k, 0, sizeof(*k));
	k->type = CERT_KEY_OTHER;
	k->name = "other";
	if (der_get(&spki, DER_SEQUENCE, &all) != 0 ||
	    der_get(&all.val, DER_SEQUENCE, &alg) != 0 ||
	    der_get(&all.val, DER_BIT_STRING, &bits) != 0 ||
	    all.val.n != 0 || der_get(&alg.val, DER_OID, &oid) != 0)
		return;
	if (IS_OID(oid.val, oid_rsa)) {
		read_rsa(k, bits.val);
	} else if (IS_OID(oid.val, oid_ec)) {
		read_ec(k, alg.val);
	} else if (IS_OID(oid.val, oid_ed25519)) {
		k->name = "ed25519";
		k->bits = 256;
	}
}

/* Addresses under collection. */
struct found {
	struct addr *a;
	size_t n;
	size_t size;
	size_t bad;
};

static int add_address(struct found *f, const struct addr *a, struct err *e)
{
	struct addr *more;
	size_t i;

	for (i = 0; i < f->n; i++)
		if (addr_eq(&f->a[i], a, ADDR_EXACT))
			return 0;
	if (f->n == CAP_CERT_ADDRESSES) {
		f->bad++;
		return 0;
	}
	if (f->n == f->size) {
		f->size = f->size == 0 ? 1 : f->size * 2;
		more = reallocarray(f->a, f->size, sizeof(*more));
		if (more == NULL)
			return err_set(e, FAIL_TEMP, "certificate: out of "
			    "memory");
		f->a = more;
	}
	f->a[f->n++] = *a;
	return 0;
}

/* S82: IA5String without NUL, control, blank, <, > or ;. */
static bool is_plain_ia5(struct view v)
{
	size_t i;

	for (i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] >= 0x7f || v.p[i] == '<' ||
		    v.p[i] == '>' || v.p[i] == ';')
			return false;
	return true;
}

/* A25: "*@example.com" is nobody's mailbox, and no pattern either. */
static bool is_wildcard(const struct addr *a)
{
	return a->local_n == 1 && a->text[0] == '*';
}

static int take_ia5(struct found *f, struct view v, struct err *e)
{
	struct addr a;

	if (is_plain_ia5(v) && addr_parse(&a, v, NULL) == 0 &&
	    !is_wildcard(&a))
		return add_address(f, &a, e);
	f->bad++;
	return 0;
}

/* RFC 9598 3: only for local parts that are not ASCII. */
static int take_utf8(struct found *f, struct view v, struct err *e)
{
	struct addr a;

	if (addr_parse(&a, v, NULL) == 0 && a.utf8)
		return add_address(f, &a, e);
	f->bad++;
	return 0;
}

/* OtherName ::= { type-id OID, value [0] EXPLICIT ANY }; 1 when it is an
 * address, 0 when it is something else. */
static int take_other_name(struct found *f, struct view v, struct err *e)
{
	struct der oid, value, text;

	if (der_get(&v, DER_OID, &oid) != 0 ||
	    !IS_OID(oid.val, oid_utf8_mailbox))
		return 0;
	if (der_get(&v, DER_CTX0, &value) != 0 || v.n != 0 ||
	    der_get(&value.val, DER_UTF8, &text) != 0 || value.val.n != 0) {
		f->bad++;
		return 1;
	}
	return take_utf8(f, text.val, e) == 0 ? 1 : -1;
}

/* GeneralNames: 1 when there was an address, good or bad; 0; -1. */
static int take_san(struct found *f, struct view names, struct err *e)
{
	int any = 0, rc;
	struct der d;

	while (names.n > 0) {
		if (der_next(&names, &d) != 0) {
			f->bad++;
			return 1;
		}
		if (d.tag == DER_CTX0_PRIM + 1) {
			rc = take_ia5(f, d.val, e) == 0 ? 1 : -1;
		} else if (d.tag == DER_CTX0 + 1) {
			f->bad++; /* in pieces: BER, no DER */
			rc = 1;
		} else {
			rc = d.tag != DER_CTX0 ? 0 :
			    take_other_name(f, d.val, e);
		}
		if (rc < 0)
			return -1;
		any |= rc;
	}
	return any;
}

/* One RelativeDistinguishedName of the subject. */
static int take_rdn(struct found *f, struct view rdn, struct err *e)
{
	struct der pair, oid, text;

	while (rdn.n > 0) {
		if (der_get(&rdn, DER_SEQUENCE, &pair) != 0 ||
		    der_get(&pair.val, DER_OID, &oid) != 0 ||
		    der_next(&pair.val, &text) != 0)
			return 0;
		if (!IS_OID(oid.val, oid_email))
			continue;
		/* IA5String by RFC 2985 5.2.1; UTF8String is met */
		if (text.tag != DER_IA5 && text.tag != DER_UTF8)
			f->bad++;
		else if (take_ia5(f, text.val, e) != 0)
			return -1;
	}
	return 0;
}

static int take_subject(struct found *f, struct view subject, struct err *e)
{
	struct der name, rdn;

	if (der_get(&subject, DER_SEQUENCE, &name) != 0)
		return 0;
	while (name.val.n > 0) {
		if (der_get(&name.val, DER_SET, &rdn) != 0)
			return 0;
		if (take_rdn(f, rdn.val, e) != 0)
			return -1;
	}
	return 0;
}

int cert_der_addresses(const struct cert_parts *p, struct addr **a, size_t *n,
    size_t *bad, struct err *e)
{
	struct found f = { 0 };
	int any = 0;

	if (p->san_twice) {
		/* which of them counts differs between parsers: none */
		f.bad = 1;
		any = 1;
	} else if (p->has_san) {
		any = take_san(&f, p->san, e);
	}
	/* S79: the subject speaks only when the SAN has no address at all */
	if (any < 0 || (any == 0 && take_subject(&f, p->subject, e) != 0)) {
		free(f.a);
		return -1;
	}
	*a = f.a;
	*n = f.n;
	*bad = f.bad;
	return 0;
}
