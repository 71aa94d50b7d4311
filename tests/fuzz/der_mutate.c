/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Reading, changing and writing BER as a list of elements in the order in
 * which they stand, each with its depth: an element and all that it holds is
 * a range of the list.
 */
#include "tests/fuzz/der_mutate.h"

#include "smime/oid.h"

/* ---- reading ---- */

struct reader {
	struct view v;
	size_t pos;
	/* of each open element: where it ends; NONE with end-of-contents */
	size_t end[DER_DEPTH + 1];
	struct der_node *open[DER_DEPTH + 1];
	size_t depth;
	size_t flat; /* definite elements of this depth are not entered */
};
#define NONE SIZE_MAX

/* Tag and length at pos; *len NONE for indefinite length. */
static bool read_head(struct reader *r, unsigned char *tag, size_t *len)
{
	size_t octets;

	if (r->v.n - r->pos < 2)
		return false;
	*tag = r->v.p[r->pos++];
	*len = r->v.p[r->pos++];
	if ((*tag & 0x1f) == 0x1f)
		return false;
	if (*len < 0x80)
		return *len <= r->v.n - r->pos;
	octets = *len & 0x7f;
	if (octets == 0) {
		*len = NONE;
		return (*tag & 0x20) != 0;
	}
	if (octets > 4 || octets > r->v.n - r->pos)
		return false;
	for (*len = 0; octets > 0; octets--)
		*len = *len << 8 | r->v.p[r->pos++];
	return *len <= r->v.n - r->pos;
}

/* Leave the elements that end here. */
static void leave(struct reader *r)
{
	for (; r->depth > 0; r->depth--) {
		struct der_node *x = r->open[r->depth];
		size_t end = r->end[r->depth];

		if (end == NONE) {
			if (r->v.n - r->pos < 2 || r->v.p[r->pos] != 0 ||
			    r->v.p[r->pos + 1] != 0)
				return;
			r->pos += 2;
		} else if (end != r->pos) {
			return;
		}
		x->whole.n = (size_t)(r->v.p + r->pos - x->whole.p);
	}
}

static bool read_node(struct reader *r, struct der_node *x)
{
	size_t len = 0, end = r->depth > 0 ? r->end[r->depth] : r->v.n;

	memset(x, 0, sizeof(*x));
	x->whole = view_sub(r->v, r->pos, 0);
	if (!read_head(r, &x->tag, &len))
		return false;
	if (end == NONE)
		end = r->v.n;
	if (r->pos > end || (len != NONE && len > end - r->pos))
		return false;
	x->depth = (unsigned char)r->depth;
	x->constructed = (x->tag & 0x20) != 0;
	x->indefinite = len == NONE;
	if (!x->constructed || (x->depth == r->flat && len != NONE)) {
		x->val = view_sub(r->v, r->pos, len);
		r->pos += len;
		x->whole.n = (size_t)(r->v.p + r->pos - x->whole.p);
		return true;
	}
	if (r->depth == DER_DEPTH)
		return false;
	r->end[++r->depth] = len == NONE ? NONE : r->pos + len;
	r->open[r->depth] = x;
	return true;
}

static bool read_all(struct der_tree *t, struct view v, size_t flat)
{
	struct reader r = { .v = v, .flat = flat };

	t->n = 0;
	t->owned = 0;
	while (r.pos < v.n || r.depth > 0) {
		if (t->n == DER_NODES || !read_node(&r, &t->node[t->n]))
			return false;
		t->n++;
		leave(&r);
	}
	return t->n > 0;
}

bool der_tree_read(struct der_tree *t, struct view v)
{
	return read_all(t, v, NONE);
}

bool der_tree_read_flat(struct der_tree *t, struct view v, size_t depth)
{
	size_t n = 0;

	if (!read_all(t, v, depth))
		return false;
	for (size_t i = 0; i < t->n; i++) {
		struct der_node *x = &t->node[i];

		if (x->depth > depth)
			continue;
		if (x->depth == depth) {
			x->raw = true;
			x->val = x->whole;
		}
		t->node[n++] = *x;
	}
	t->n = n;
	return true;
}

/* ---- writing ---- */

static size_t length_octets(const struct der_node *x, size_t len)
{
	size_t n = 1;

	if (x->indefinite)
		return 1;
	if (len < 0x80 && x->pad == 0)
		return 1;
	for (n = 1; len > 0xff; n++)
		len >>= 8;
	return 1 + n + (x->pad > 2 ? 2 : x->pad);
}

/* Octets inside of each element: those at the end are in the list behind
 * what they are in. */
static void measure(const struct der_tree *t, size_t *len)
{
	size_t sum[DER_DEPTH + 2] = { 0 }; /* of the open one at a depth */

	for (size_t i = t->n; i-- > 0;) {
		const struct der_node *x = &t->node[i];
		size_t d = x->depth;

		len[i] = x->val.n;
		if (x->raw) {
			sum[d] += x->val.n;
			continue;
		}
		if (x->constructed) {
			len[i] = sum[d + 1];
			sum[d + 1] = 0;
		}
		sum[d] += 1 + length_octets(x, len[i]) + len[i] +
		    (x->indefinite ? 2 : 0);
	}
}

static void put_head(struct buf *out, const struct der_node *x, size_t len)
{
	size_t octets = length_octets(x, len) - 1;
	size_t said = len + (size_t)(ptrdiff_t)x->lie;

	buf_putc(out, x->tag);
	if (x->indefinite) {
		buf_putc(out, 0x80);
	} else if (octets == 0) {
		buf_putc(out, (int)(said & 0x7f));
	} else {
		buf_putc(out, (int)(0x80 | octets));
		while (octets-- > 0)
			buf_putc(out, octets >= sizeof(size_t) ? 0 :
			    (int)(said >> (8 * octets) & 0xff));
	}
}

void der_tree_write(const struct der_tree *t, struct buf *out)
{
	static size_t len[DER_NODES];
	bool eoc[DER_DEPTH + 2] = { false };
	size_t depth = 0; /* elements that are open */

	measure(t, len);
	for (size_t i = 0; i < t->n; i++) {
		const struct der_node *x = &t->node[i];

		for (; depth > x->depth; depth--)
			if (eoc[depth - 1])
				buf_put(out, "\0\0", 2);
		if (!x->raw)
			put_head(out, x, len[i]);
		if (x->raw || !x->constructed) {
			buf_putv(out, x->val);
			continue;
		}
		eoc[depth++] = x->indefinite;
	}
	for (; depth > 0; depth--)
		if (eoc[depth - 1])
			buf_put(out, "\0\0", 2);
}

/* ---- changing ---- */

size_t der_tree_end(const struct der_tree *t, size_t i)
{
	size_t j = i + 1;

	while (j < t->n && t->node[j].depth > t->node[i].depth)
		j++;
	return j;
}

void der_tree_remove(struct der_tree *t, size_t i)
{
	size_t end = der_tree_end(t, i);

	memmove(&t->node[i], &t->node[end], (t->n - end) *
	    sizeof(t->node[0]));
	t->n -= end - i;
}

/* Room for n elements at i; false when there is none. */
static bool make_room(struct der_tree *t, size_t i, size_t n)
{
	if (n > DER_NODES - t->n)
		return false;
	memmove(&t->node[i + n], &t->node[i], (t->n - i) *
	    sizeof(t->node[0]));
	t->n += n;
	return true;
}

/* Element k of from and what it holds, before i and as deep as depth. */
static void insert(struct der_tree *t, size_t i, size_t depth,
    const struct der_tree *from, size_t k)
{
	static struct der_node copy[DER_NODES];
	size_t n = der_tree_end(from, k) - k;
	size_t up = from->node[k].depth, d;

	memcpy(copy, &from->node[k], n * sizeof(copy[0]));
	for (size_t j = 0; j < n; j++) {
		d = copy[j].depth - up + depth;
		if (d >= DER_DEPTH)
			return;
		copy[j].depth = (unsigned char)d;
	}
	if (make_room(t, i, n))
		memcpy(&t->node[i], copy, n * sizeof(copy[0]));
}

/* n octets of the tree's own, or NULL. */
static unsigned char *own_octets(struct der_tree *t, size_t n)
{
	unsigned char *p = t->own + t->owned;

	if (n > sizeof(t->own) - t->owned)
		return NULL;
	t->owned += n;
	return p;
}

static void cut_in_chunks(struct der_tree *t, size_t i, size_t each)
{
	struct view v = t->node[i].val;
	size_t n = each == 0 ? 0 : (v.n + each - 1) / each;
	struct der_node chunk = { .tag = 0x04 };

	if (t->node[i].depth + 1u >= DER_DEPTH || !make_room(t, i + 1, n))
		return;
	t->node[i].constructed = t->node[i].indefinite = true;
	t->node[i].tag |= 0x20;
	chunk.depth = (unsigned char)(t->node[i].depth + 1);
	for (size_t k = 0; k < n; k++) {
		chunk.val = view_sub(v, k * each, each);
		t->node[i + 1 + k] = chunk;
	}
}

void der_tree_to_ber(struct der_tree *t, size_t n)
{
	bool in_content = false;

	for (size_t i = 0; i < t->n; i++) {
		struct der_node *x = &t->node[i];

		if (x->constructed) {
			x->indefinite = true;
			continue;
		}
		/* [0] behind a cipher, or what is alone in [0] EXPLICIT */
		in_content = x->depth == 4 && x->tag == 0x80;
		in_content = in_content || (x->depth == 5 && x->tag == 0x04 &&
		    i > 0 && t->node[i - 1].tag == 0xa0);
		if (in_content)
			cut_in_chunks(t, i, n);
	}
}

static void change_tag(struct der_node *x, struct draw *d)
{
	static const unsigned char tags[] = { 0x02, 0x03, 0x04, 0x05, 0x06,
		0x0c, 0x13, 0x16, 0x17, 0x18, 0x24, 0x30, 0x31, 0x80, 0x81,
		0x82, 0x83, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0x00, 0x1f, 0x3f };

	if (draw(d, 2) == 0)
		x->tag ^= (unsigned char)(1u << draw(d, 8));
	else
		x->tag = tags[draw(d, sizeof(tags))];
}

/* New octets for a primitive element. */
static void change_value(struct der_tree *t, struct der_node *x,
    struct draw *d)
{
	size_t n = x->val.n, at = draw(d, n == 0 ? 1 : n);
	unsigned char *p = own_octets(t, n + 2);

	if (p == NULL)
		return;
	memset(p, 0, n + 2);
	if (n > 0)
		memcpy(p, x->val.p, n);
	switch (draw(d, 8)) {
	case 0:
		n = draw(d, 3) == 0 ? 0 : at;
		break;
	case 1:
		p[n++] = (unsigned char)draw(d, 256);
		break;
	case 2: /* in front */
		memmove(p + 1, p, n);
		p[0] = draw(d, 2) == 0 ? 0 : (unsigned char)draw(d, 256);
		n++;
		break;
	case 3:
		if (n > 0)
			memmove(p, p + 1, --n);
		break;
	case 4:
		p[at] = (unsigned char)(p[at] + 1 - 2 * draw(d, 2));
		break;
	case 5: /* from behind: the ends of OIDs tell them apart */
		if (n > 0)
			p[n - 1] = (unsigned char)draw(d, 128);
		break;
	case 6:
		p[at] = (unsigned char)draw(d, 256);
		break;
	default:
		p[at] ^= (unsigned char)(1u << draw(d, 8));
	}
	x->val = view_make(p, n);
}

static void change_length(struct der_node *x, struct draw *d)
{
	switch (draw(d, 4)) {
	case 0:
		x->pad = (unsigned char)(1 + draw(d, 2));
		break;
	case 1:
		x->lie = (signed char)(draw(d, 2) == 0 ? 1 : -1);
		break;
	case 2:
		x->lie = (signed char)((int)draw(d, 255) - 127);
		break;
	default:
		x->indefinite = x->constructed && !x->indefinite;
	}
}

/* Another OID that means something somewhere in CMS. */
static void change_oid(struct der_node *x, struct draw *d)
{
	x->val = oid_view((enum oid)(1 + draw(d, OID_N - 1)));
}

/* Sisters change places. */
static void swap(struct der_tree *t, size_t i)
{
	static struct der_node copy[DER_NODES];
	size_t mid = der_tree_end(t, i), end, n = mid - i;

	if (mid == t->n || t->node[mid].depth != t->node[i].depth)
		return;
	end = der_tree_end(t, mid);
	memcpy(copy, &t->node[i], n * sizeof(copy[0]));
	memmove(&t->node[i], &t->node[mid], (end - mid) *
	    sizeof(copy[0]));
	memcpy(&t->node[i + end - mid], copy, n * sizeof(copy[0]));
}

/* One more element around, or this one away from around its children. */
static void change_depth(struct der_tree *t, size_t i, struct draw *d)
{
	static const unsigned char tags[] = { 0x30, 0x31, 0xa0, 0xa1, 0x24 };
	size_t end = der_tree_end(t, i);
	struct der_node around = { .tag = tags[draw(d, sizeof(tags))],
		.constructed = true, .depth = t->node[i].depth };

	if (t->node[i].constructed && draw(d, 2) == 0) {
		for (size_t k = i + 1; k < end; k++)
			t->node[k].depth--;
		end = i + 1;
		memmove(&t->node[i], &t->node[end], (t->n - end) *
		    sizeof(t->node[0]));
		t->n--;
		return;
	}
	for (size_t k = i; k < end; k++)
		if (t->node[k].depth + 1 >= DER_DEPTH)
			return;
	for (size_t k = i; k < end; k++)
		t->node[k].depth++;
	if (make_room(t, i, 1))
		t->node[i] = around;
}

/* An element of the donor with the same tag, if there is one; beside the
 * one here or in its place. */
static void splice(struct der_tree *t, size_t i, const struct der_tree *donor,
    struct draw *d)
{
	size_t k = draw(d, donor->n), tries = draw(d, 8) == 0 ? 0 : donor->n;
	size_t depth = t->node[i].depth;

	while (tries-- > 0 && donor->node[k].tag != t->node[i].tag)
		k = (k + 1) % donor->n;
	if (draw(d, 3) > 0)
		der_tree_remove(t, i);
	insert(t, i, depth, donor, k);
}

void der_tree_change(struct der_tree *t, const struct der_tree *donor,
    struct draw *d)
{
	size_t i = draw(d, t->n);
	struct der_node *x = &t->node[i];

	if (t->n == 0)
		return;
	switch (draw(d, 14)) {
	case 0:
		change_tag(x, d);
		break;
	case 1:
		der_tree_remove(t, i);
		break;
	case 2:
		insert(t, i, x->depth, t, i);
		break;
	case 3:
		swap(t, i);
		break;
	case 4:
	case 5:
		if (donor->n > 0)
			splice(t, i, donor, d);
		break;
	case 6:
		change_length(x, d);
		break;
	case 7:
		change_depth(t, i, d);
		break;
	case 8:
		if (x->tag == 0x04 || x->tag == 0x80)
			cut_in_chunks(t, i, 1 + draw(d, x->val.n + 1));
		break;
	case 9: /* the next OID */
		while (i < t->n && t->node[i].tag != 0x06)
			i++;
		if (i < t->n)
			change_oid(&t->node[i], d);
		break;
	default:
		if (!x->constructed)
			change_value(t, x, d);
		else
			change_length(x, d);
	}
}

size_t der_mutate(uint8_t *data, size_t n, size_t room, struct view donor,
    unsigned seed)
{
	static struct der_tree t, from;
	struct draw d = { seed * 0x9e3779b97f4a7c15u + 88172645463325252u };
	size_t changes = 1 + draw(&d, 3);
	struct buf out;

	if (draw(&d, 5) == 0 || !der_tree_read(&t, view_make(data, n))) {
		for (size_t i = 0; i < changes; i++)
			n = LLVMFuzzerMutate(data, n, room);
		return n;
	}
	if (!der_tree_read(&from, donor))
		from.n = 0;
	buf_init(&out, room);
	for (size_t i = 0; i < changes; i++)
		der_tree_change(&t, &from, &d);
	der_tree_write(&t, &out);
	if (!out.failed && out.n > 0) {
		n = out.n;
		memcpy(data, out.p, n);
	}
	buf_free(&out);
	return n;
}
