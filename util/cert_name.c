/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Pieces of a certificate's subject that decide something: common names and
 * domain components. Read from the octets; what they mean is the caller's.
 */
#include "util/cert_int.h"

/* 2.5.4.3 */
static const unsigned char oid_cn[] = { 0x55, 0x04, 0x03 };
/* 0.9.2342.19200300.100.1.25, RFC 4519 2.4 */
static const unsigned char oid_dc[] = {
	0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19
};

enum { PRINTABLE = 0x13, T61 = 0x14 };

/* One attribute of the subject: what it is and its value. Those of a
 * RelativeDistinguishedName with several follow each other. */
struct names {
	struct view rdns; /* still to come */
	struct view rdn;  /* of the current one, still to come */
	struct view oid;
	struct der value;
	bool is_alone; /* in its RelativeDistinguishedName */
	bool is_bad;   /* malformed: nothing follows */
};

static void start(struct names *x, const struct cert *c)
{
	struct cert_parts p;
	struct der name;

	*x = (struct names){ .is_bad = true };
	if (cert_der_parts(&p, cert_der(c), NULL) != 0 ||
	    der_get(&p.subject, DER_SEQUENCE, &name) != 0)
		return;
	x->rdns = name.val;
	x->is_bad = false;
}

static bool next(struct names *x)
{
	struct der set, pair, oid;
	bool is_first = x->rdn.n == 0;

	if (x->is_bad || (is_first && x->rdns.n == 0))
		return false;
	x->is_bad = true;
	if (is_first) {
		if (der_get(&x->rdns, DER_SET, &set) != 0 || set.val.n == 0)
			return false;
		x->rdn = set.val;
	}
	if (der_get(&x->rdn, DER_SEQUENCE, &pair) != 0 ||
	    der_get(&pair.val, DER_OID, &oid) != 0 ||
	    der_next(&pair.val, &x->value) != 0 || pair.val.n != 0)
		return false;
	x->oid = oid.val;
	x->is_alone = is_first && x->rdn.n == 0;
	x->is_bad = false;
	return true;
}

static bool is_octets(int tag)
{
	return tag == DER_UTF8 || tag == DER_IA5 || tag == PRINTABLE ||
	    tag == T61;
}

size_t cert_common_names(const struct cert *c, struct view *first)
{
	struct names x;
	size_t n = 0;

	*first = view_of("");
	for (start(&x, c); next(&x);) {
		if (!view_eq(x.oid, view_make(oid_cn, sizeof(oid_cn))))
			continue;
		if (n == 0 && is_octets(x.value.tag))
			*first = x.value.val;
		n++;
	}
	return n;
}

/* The least significant label stands last in the certificate, first in the
 * name. */
static bool put_label(struct buf *b, const struct names *x)
{
	struct buf longer;

	if (!x->is_alone || !is_octets(x->value.tag) ||
	    view_chr(x->value.val, '.', 0) != (size_t)-1)
		return false;
	buf_init(&longer, 512);
	buf_putv(&longer, x->value.val);
	if (b->n > 0)
		buf_putc(&longer, '.');
	buf_putv(&longer, buf_view(b));
	buf_clear(b);
	buf_putv(b, buf_view(&longer));
	b->failed = b->failed || longer.failed;
	buf_free(&longer);
	return !b->failed;
}

bool cert_subject_domain(const struct cert *c, char *dst, size_t size)
{
	struct names x;
	struct buf b;
	bool ok = true;

	buf_init(&b, 512);
	for (start(&x, c); ok && next(&x);)
		if (view_eq(x.oid, view_make(oid_dc, sizeof(oid_dc))))
			ok = put_label(&b, &x);
	ok = ok && !x.is_bad && b.n > 0 &&
	    addr_domain_parse(dst, size, buf_view(&b), NULL) == 0;
	buf_free(&b);
	return ok;
}
