/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * BER walker over a spool. Nothing here recurses: nesting lives in counters
 * and small stacks, so that hostile input costs time linear in its size and
 * no stack.
 */
#include "smime/walk.h"

#include <inttypes.h>
#include <string.h>

#include "smime/oid.h"
#include "util/der.h"

#define HOP 256
#define HEADER_MAX 10 /* tag, length of length, eight length octets */
#define DER_ENUMERATED 0x0a
#define DER_UNIVERSAL_STRING 0x1c
#define DER_BMP 0x1e

/* One header from at most HEADER_MAX octets; NULL or what is wrong. */
struct hdr {
	int tag;
	bool indefinite;
	size_t n;
	uint64_t len;
};

static const char *parse_header(const unsigned char *b, uint64_t avail,
    struct hdr *h)
{
	size_t k;

	if (avail < 2)
		return "cut off in a header";
	h->tag = b[0];
	h->indefinite = false;
	h->len = b[1];
	h->n = 2;
	if ((b[0] & 0x1f) == 0x1f)
		return "high tag number, which CMS never has";
	if ((b[0] & 0xdf) == 0)
		return "end-of-contents octets in the wrong place";
	if (b[1] == 0x80) {
		h->indefinite = true;
		h->len = 0;
		return (b[0] & 0x20) != 0 ? NULL :
		    "primitive element of indefinite length";
	}
	if (b[1] > 0x80) {
		k = b[1] & 0x7f;
		if (k > 8)
			return "length of more than eight octets";
		if (avail < 2 + k)
			return "cut off in a length";
		h->n += k;
		h->len = 0;
		for (size_t i = 0; i < k; i++)
			h->len = h->len << 8 | b[2 + i];
	}
	return h->len > avail - h->n ? "longer than its parent" : NULL;
}

void walk_init_octets(struct walk *w, const struct octets *o)
{
	w->o = *o;
	w->at = 0;
	w->n = 0;
}

void walk_init(struct walk *w, const struct spool *s)
{
	struct octets o = octets_of(s);

	walk_init_octets(w, &o);
}

struct walk_in walk_root(const struct walk *w)
{
	return (struct walk_in){ 0, w->o.size, false };
}

/* A full window for who reads on; who hops from header to header, over what
 * he does not look at, gets a few octets. */
static size_t window_at(const struct walk *w, uint64_t off)
{
	return off <= w->at + w->n ? sizeof(w->window) : HOP;
}

int walk_read(struct walk *w, uint64_t off, void *p, size_t n, struct err *e)
{
	unsigned char *to = p;
	size_t k;

	while (n > 0) {
		if (off >= w->at && off - w->at < w->n) {
			k = w->n - (size_t)(off - w->at);
			if (k > n)
				k = n;
			memcpy(to, w->window + (off - w->at), k);
		} else if (n >= sizeof(w->window)) {
			if (octets_read(&w->o, off, to, n, &k, e) == -1)
				return -1;
		} else {
			size_t size = n > HOP ? sizeof(w->window) :
			    window_at(w, off);

			w->n = 0;
			if (octets_read(&w->o, off, w->window, size, &k,
			    e) == -1)
				return -1;
			w->at = off;
			w->n = k;
			if (k > 0)
				continue;
		}
		if (k == 0)
			return err_set(e, FAIL_TEMP, "CMS spool is shorter "
			    "than it was");
		to += k;
		off += k;
		n -= k;
	}
	return 0;
}

int walk_next(struct walk *w, struct walk_in *in, struct walk_el *el,
    struct err *e)
{
	unsigned char b[HEADER_MAX] = { 0 };
	uint64_t avail = in->end - in->pos;
	const char *bad;
	struct hdr h;

	if (avail == 0 && !in->indefinite)
		return 0;
	if (walk_read(w, in->pos, b, avail < HEADER_MAX ? (size_t)avail :
	    HEADER_MAX, e) == -1)
		return -1;
	if (in->indefinite && avail >= 2 && b[0] == 0 && b[1] == 0) {
		in->pos += 2;
		in->end = in->pos;
		in->indefinite = false;
		return 0;
	}
	if ((bad = parse_header(b, avail, &h)) != NULL)
		return err_set(e, FAIL_INPUT, "CMS: %s, octet %" PRIu64
		    " (X.690 8.1)", bad, in->pos);
	el->tag = h.tag;
	el->indefinite = h.indefinite;
	el->off = in->pos;
	el->val = in->pos + h.n;
	el->end = h.indefinite ? in->end : el->val + h.len;
	return 1;
}

int walk_pass(struct walk *w, struct walk_in *in, const struct walk_el *el,
    struct err *e)
{
	struct walk_in x = { el->val, in->end, true };
	struct walk_el inner;
	int r, depth = 1;

	if (!el->indefinite) {
		in->pos = el->end;
		return 0;
	}
	/* Definite elements inside are hopped over, so the bound is the
	 * same at every depth and a counter is all the stack we need. */
	while (depth > 0) {
		if ((r = walk_next(w, &x, &inner, e)) == -1)
			return -1;
		if (r == 0) {
			depth--;
			x.end = in->end;
			x.indefinite = true;
		} else if (!inner.indefinite) {
			x.pos = inner.end;
		} else {
			if (++depth > CAP_CMS_DEPTH)
				return err_set(e, FAIL_LIMIT, "CMS: more "
				    "than %d nested elements", CAP_CMS_DEPTH);
			x.pos = inner.val;
		}
	}
	in->pos = x.pos;
	return 0;
}

struct walk_in walk_enter(const struct walk_el *el)
{
	return (struct walk_in){ el->val, el->end, el->indefinite };
}

void walk_leave(struct walk_in *parent, const struct walk_in *child)
{
	parent->pos = child->pos;
}

void walk_str_init(struct walk_str *x, const struct walk_el *el)
{
	memset(x, 0, sizeof(*x));
	if ((el->tag & 0x20) == 0) {
		x->has_single = true;
		x->off = el->val;
		x->end = x->after = el->end;
		return;
	}
	x->level[0] = walk_enter(el);
	x->depth = 1;
}

int walk_str_next(struct walk_str *x, struct walk *w, uint64_t *off,
    uint64_t *end, struct err *e)
{
	struct walk_el el;
	struct walk_in *in;
	int r;

	if (x->has_single) {
		x->has_single = false;
		*off = x->off;
		*end = x->end;
		return 1;
	}
	while (x->depth > 0) {
		in = &x->level[x->depth - 1];
		if ((r = walk_next(w, in, &el, e)) == -1)
			return -1;
		if (r == 0) {
			x->after = in->pos;
			if (--x->depth > 0)
				walk_leave(&x->level[x->depth - 1], in);
		} else if (el.tag == DER_OCTET_STRING) {
			in->pos = el.end;
			*off = el.val;
			*end = el.end;
			return 1;
		} else if (el.tag != (DER_OCTET_STRING | 0x20)) {
			return err_set(e, FAIL_INPUT, "CMS: content has an "
			    "element of tag %02x among its strings (X.690 "
			    "8.7.3)", (unsigned)el.tag);
		} else if (x->depth == WALK_STRINGS) {
			return err_set(e, FAIL_LIMIT, "CMS: content strings "
			    "nested more than %d deep", WALK_STRINGS);
		} else {
			x->level[x->depth++] = walk_enter(&el);
		}
	}
	return 0;
}

/* What X.690 says about the contents of a universal primitive. */
static bool content_is_valid(int tag, struct view v)
{
	switch (tag) {
	case DER_BOOLEAN:
		return v.n == 1;
	case DER_INTEGER:
	case DER_ENUMERATED:
		if (v.n == 0)
			return false;
		return v.n == 1 || (v.p[0] != 0 && v.p[0] != 0xff) ||
		    ((v.p[0] ^ v.p[1]) & 0x80) != 0;
	case DER_BIT_STRING:
		return v.n > 0 && v.p[0] <= 7 && (v.n > 1 || v.p[0] == 0);
	case DER_NULL:
		return v.n == 0;
	case DER_OID:
		return oid_is_valid(v);
	case DER_BMP:
		return v.n % 2 == 0;
	case DER_UNIVERSAL_STRING:
		return v.n % 4 == 0;
	case DER_SEQUENCE & ~0x20:
	case DER_SET & ~0x20:
		return false;
	default:
		return true;
	}
}

/* Of the universal types only these are ever constructed in CMS; what else
 * BER allows, nobody sends and libcrypto mostly refuses. */
static bool may_be_constructed(int tag)
{
	return (tag & 0xc0) != 0 || tag == DER_SEQUENCE || tag == DER_SET ||
	    tag == (DER_OCTET_STRING | 0x20);
}

int walk_check(struct view v, struct err *e)
{
	struct walk_in level[CAP_CMS_DEPTH] = { { 0, v.n, false } }, *in;
	const char *bad;
	int strings[CAP_CMS_DEPTH] = { 0 }; /* within each other, to here */
	size_t pos = 0, end;
	struct hdr h;
	int d = 0;

	for (;;) {
		in = &level[d];
		if (!in->indefinite && pos == in->end) {
			if (d-- == 0)
				return 0;
			continue;
		}
		end = (size_t)in->end;
		if (in->indefinite && end - pos >= 2 && v.p[pos] == 0 &&
		    v.p[pos + 1] == 0) {
			pos += 2;
			d--;
			continue;
		}
		if ((bad = parse_header(v.p + pos, end - pos, &h)) != NULL)
			return err_set(e, FAIL_INPUT, "CMS: %s (X.690 8.1)",
			    bad);
		pos += h.n;
		if (strings[d] > 0 && (h.tag & ~0x20) != DER_OCTET_STRING)
			return err_set(e, FAIL_INPUT, "CMS: tag %02x in a "
			    "constructed string (X.690 8.7.3)",
			    (unsigned)h.tag);
		if ((h.tag & 0x20) == 0) {
			if (!content_is_valid(h.tag, view_sub(v, pos,
			    (size_t)h.len)))
				return err_set(e, FAIL_INPUT, "CMS: malformed "
				    "value of tag %02x (X.690 8)",
				    (unsigned)h.tag);
			pos += (size_t)h.len;
			continue;
		}
		if (!may_be_constructed(h.tag))
			return err_set(e, FAIL_INPUT, "CMS: constructed "
			    "element of tag %02x (X.690 8)",
			    (unsigned)h.tag);
		if (++d == CAP_CMS_DEPTH)
			return err_set(e, FAIL_LIMIT, "CMS: more than %d "
			    "nested elements", CAP_CMS_DEPTH);
		strings[d] = h.tag == (DER_OCTET_STRING | 0x20) ?
		    strings[d - 1] + 1 : 0;
		if (strings[d] > WALK_STRINGS)
			return err_set(e, FAIL_LIMIT, "CMS: strings nested "
			    "more than %d deep", WALK_STRINGS);
		level[d] = (struct walk_in){ pos, h.indefinite ? end :
		    pos + h.len, h.indefinite };
	}
}
