/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * DER writer (from the end of an array) and BER reader. Nothing recurses:
 * depth is counted against CAP_CMS_DEPTH.
 */
#include "util/der.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/caps.h"

void der_w_init(struct der_w *w, void *mem, size_t cap)
{
	w->b = mem;
	w->cap = cap;
	w->pos = cap;
	w->failed = false;
}

size_t der_w_mark(const struct der_w *w)
{
	return w->cap - w->pos;
}

void der_w_raw(struct der_w *w, const void *p, size_t n)
{
	if (w->failed || n > w->pos) {
		w->failed = true;
		return;
	}
	w->pos -= n;
	if (n > 0)
		memcpy(w->b + w->pos, p, n);
}

void der_w_view(struct der_w *w, struct view v)
{
	der_w_raw(w, v.p, v.n);
}

static void put_front(struct der_w *w, unsigned char c)
{
	der_w_raw(w, &c, 1);
}

void der_w_wrap(struct der_w *w, int tag, size_t mark)
{
	size_t n = der_w_mark(w);
	int octets = 0;

	if (w->failed || mark > n) {
		w->failed = true;
		return;
	}
	n -= mark;
	if (n < 0x80) {
		put_front(w, (unsigned char)n);
	} else {
		for (; n > 0; n >>= 8, octets++)
			put_front(w, (unsigned char)(n & 0xff));
		put_front(w, (unsigned char)(0x80 | octets));
	}
	put_front(w, (unsigned char)tag);
}

void der_w_tlv(struct der_w *w, int tag, const void *p, size_t n)
{
	size_t mark = der_w_mark(w);

	der_w_raw(w, p, n);
	der_w_wrap(w, tag, mark);
}

/* X.690 11.6: as octet strings, the shorter one first when it is a prefix. */
static int compare_views(const void *pa, const void *pb)
{
	const struct view *a = pa, *b = pb;
	size_t n = a->n < b->n ? a->n : b->n;
	int c = n == 0 ? 0 : memcmp(a->p, b->p, n);

	if (c != 0)
		return c;
	return a->n < b->n ? -1 : a->n > b->n;
}

void der_w_set_of(struct der_w *w, int tag, struct view *v, size_t n)
{
	size_t mark = der_w_mark(w);

	if (n > 1)
		qsort(v, n, sizeof(*v), compare_views);
	while (n > 0)
		der_w_view(w, v[--n]);
	der_w_wrap(w, tag, mark);
}

static void put_two(char *to, int x)
{
	to[0] = (char)('0' + x / 10 % 10);
	to[1] = (char)('0' + x % 10);
}

void der_w_time(struct der_w *w, int64_t t)
{
	char s[15];
	struct tm tm;
	time_t when = (time_t)t;
	int year;

	if (gmtime_r(&when, &tm) == NULL || tm.tm_year < -1900 ||
	    tm.tm_year > 9999 - 1900) {
		w->failed = true;
		return;
	}
	year = tm.tm_year + 1900;
	put_two(s, year / 100);
	put_two(s + 2, year % 100);
	put_two(s + 4, tm.tm_mon + 1);
	put_two(s + 6, tm.tm_mday);
	put_two(s + 8, tm.tm_hour);
	put_two(s + 10, tm.tm_min);
	put_two(s + 12, tm.tm_sec);
	s[14] = 'Z';
	if (year >= 1950 && year < 2050)
		der_w_tlv(w, DER_UTCTIME, s + 2, sizeof(s) - 2);
	else
		der_w_tlv(w, DER_GENTIME, s, sizeof(s));
}

struct view der_w_result(const struct der_w *w)
{
	if (w->failed)
		return view_make(NULL, 0);
	return view_make(w->b + w->pos, w->cap - w->pos);
}

/* Tag and length of one element. */
struct head {
	int tag;
	size_t n;    /* octets of the header */
	size_t len;  /* of the content, when not indefinite */
	bool indefinite;
	bool minimal; /* the length has its DER form */
};

static int read_long_length(struct view in, struct head *h)
{
	size_t octets = in.p[1] & 0x7f, i;
	uint64_t len = 0;

	if (octets > 8 || octets > in.n - 2)
		return -1;
	for (i = 0; i < octets; i++)
		len = len << 8 | in.p[2 + i];
	h->n = 2 + octets;
	if (len > in.n - h->n)
		return -1;
	h->len = (size_t)len;
	h->minimal = in.p[2] != 0 && len >= 0x80;
	return 0;
}

static int read_head(struct view in, struct head *h)
{
	if (in.n < 2 || (in.p[0] & 0x1f) == 0x1f)
		return -1;
	h->tag = in.p[0];
	h->n = 2;
	h->len = 0;
	h->indefinite = in.p[1] == 0x80;
	h->minimal = !h->indefinite;
	if (h->indefinite)
		return (h->tag & 0x20) != 0 ? 0 : -1;
	if (in.p[1] > 0x80)
		return read_long_length(in, h);
	h->len = in.p[1];
	return h->len > in.n - 2 ? -1 : 0;
}

static bool is_end_of_contents(struct view v)
{
	return v.n >= 2 && v.p[0] == 0 && v.p[1] == 0;
}

/* Octets of the content of an indefinite-length element at the start of v,
 * without its end-of-contents octets. */
static int find_end(struct view v, size_t *content)
{
	size_t off = 0;
	int depth = 1;
	struct view rest;
	struct head h;

	for (;;) {
		rest = view_sub(v, off, v.n);
		if (is_end_of_contents(rest)) {
			if (--depth == 0)
				break;
			off += 2;
			continue;
		}
		if (read_head(rest, &h) != 0 || h.tag == 0)
			return -1;
		if (h.indefinite && ++depth > CAP_CMS_DEPTH)
			return -1;
		off += h.n + h.len;
	}
	*content = off;
	return 0;
}

int der_next(struct view *in, struct der *out)
{
	struct view v = *in;
	struct head h;
	size_t whole;

	if (read_head(v, &h) != 0 || h.tag == 0)
		return -1;
	whole = h.n + h.len;
	if (h.indefinite) {
		if (find_end(view_sub(v, h.n, v.n), &h.len) != 0)
			return -1;
		whole = h.n + h.len + 2;
	}
	*in = view_sub(v, whole, v.n);
	out->tag = h.tag; /* after *in, which may be a member of *out */
	out->val = view_sub(v, h.n, h.len);
	out->whole = view_sub(v, 0, whole);
	return 0;
}

int der_get(struct view *in, int tag, struct der *out)
{
	return der_opt(in, tag, out) == 1 ? 0 : -1;
}

int der_opt(struct view *in, int tag, struct der *out)
{
	if (in->n == 0 || in->p[0] != tag)
		return 0;
	return der_next(in, out) == 0 ? 1 : -1;
}

int der_uint(const struct der *d, uint32_t *x)
{
	struct view v = d->val;
	uint32_t y = 0;
	size_t i;

	if (v.n == 0 || v.n > 4 || (v.p[0] & 0x80) != 0)
		return -1;
	if (v.n > 1 && v.p[0] == 0 && (v.p[1] & 0x80) == 0)
		return -1; /* X.690 8.3.2: not the shortest form */
	for (i = 0; i < v.n; i++)
		y = y << 8 | v.p[i];
	*x = y;
	return 0;
}

static bool is_strict_integer(struct view v)
{
	if (v.n < 2)
		return v.n == 1;
	return !(v.p[0] == 0 && (v.p[1] & 0x80) == 0) &&
	    !(v.p[0] == 0xff && (v.p[1] & 0x80) != 0);
}

static bool is_strict_bits(struct view v)
{
	if (v.n == 0 || v.p[0] > 7 || (v.n == 1 && v.p[0] != 0))
		return false;
	return v.n == 1 || (v.p[v.n - 1] & ((1u << v.p[0]) - 1)) == 0;
}

/* X.690 10 and 11 for one primitive of the universal class. */
static bool is_strict_primitive(int tag, struct view v)
{
	switch (tag) {
	case DER_BOOLEAN:
		return v.n == 1 && (v.p[0] == 0 || v.p[0] == 0xff);
	case DER_INTEGER:
		return is_strict_integer(v);
	case DER_BIT_STRING:
		return is_strict_bits(v);
	case DER_NULL:
		return v.n == 0;
	case DER_OID:
		return v.n > 0 && (v.p[v.n - 1] & 0x80) == 0;
	case 0x10: /* SEQUENCE and SET are constructed */
	case 0x11:
		return false;
	default:
		return true;
	}
}

struct level {
	struct view left;
	struct view last; /* element before, in a SET OF */
	bool is_set;
};

/* One element of a level: 1 go down into d, 0 go on, -1 not DER. */
static int check_element(struct level *l, struct der *d)
{
	struct head h;
	struct view last = l->last;

	if (read_head(l->left, &h) != 0 || !h.minimal ||
	    der_next(&l->left, d) != 0)
		return -1;
	l->last = d->whole;
	if (l->is_set && compare_views(&last, &d->whole) > 0)
		return -1;
	if ((d->tag & 0x20) != 0) {
		/* of the universal ones only these are constructed in DER */
		if ((d->tag & 0xc0) == 0 && d->tag != DER_SEQUENCE &&
		    d->tag != DER_SET)
			return -1;
		return 1;
	}
	if ((d->tag & 0xc0) == 0 && !is_strict_primitive(d->tag, d->val))
		return -1;
	return 0;
}

bool der_is_strict(struct view v)
{
	struct level at[CAP_CMS_DEPTH];
	size_t depth = 0;
	struct der d;
	int what;

	if (v.n == 0)
		return false;
	at[0].left = v;
	at[0].last = view_make(NULL, 0);
	at[0].is_set = false;
	for (;;) {
		if (at[depth].left.n == 0) {
			if (depth == 0)
				return true;
			depth--;
			continue;
		}
		what = check_element(&at[depth], &d);
		if (what < 0)
			return false;
		if (what == 0)
			continue;
		if (++depth == CAP_CMS_DEPTH)
			return false;
		at[depth].left = d.val;
		at[depth].last = view_make(NULL, 0);
		at[depth].is_set = d.tag == DER_SET;
	}
}

static int two_digits(const unsigned char *p)
{
	return (p[0] - '0') * 10 + (p[1] - '0');
}

static bool is_date(const struct tm *tm)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	int y = tm->tm_year + 1900;
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	int last;

	if (tm->tm_mon < 0 || tm->tm_mon > 11)
		return false;
	last = days[tm->tm_mon] + (tm->tm_mon == 1 && leap ? 1 : 0);
	return tm->tm_mday >= 1 && tm->tm_mday <= last && tm->tm_hour <= 23 &&
	    tm->tm_min <= 59 && tm->tm_sec <= 59;
}

int der_time(const struct der *d, int64_t *t)
{
	size_t year_n = d->tag == DER_GENTIME ? 4 : 2, i;
	const unsigned char *p = d->val.p;
	struct tm tm;
	int year;

	if ((d->tag != DER_GENTIME && d->tag != DER_UTCTIME) ||
	    d->val.n != year_n + 11 || p[year_n + 10] != 'Z')
		return -1;
	for (i = 0; i < year_n + 10; i++)
		if (p[i] < '0' || p[i] > '9')
			return -1;
	year = two_digits(p);
	if (year_n == 4)
		year = year * 100 + two_digits(p + 2);
	else
		year += year < 50 ? 2000 : 1900; /* RFC 5280 4.1.2.5.1 */
	p += year_n;
	memset(&tm, 0, sizeof(tm));
	tm.tm_year = year - 1900;
	tm.tm_mon = two_digits(p) - 1;
	tm.tm_mday = two_digits(p + 2);
	tm.tm_hour = two_digits(p + 4);
	tm.tm_min = two_digits(p + 6);
	tm.tm_sec = two_digits(p + 8);
	if (!is_date(&tm))
		return -1;
	*t = (int64_t)timegm(&tm);
	return 0;
}

/* One base-128 number: its octets, 0 when malformed. */
static size_t read_arc(struct view v, uint64_t *x)
{
	size_t i;
	uint64_t y = 0;

	for (i = 0; i < v.n && i < 9; i++) {
		if (i == 0 && v.p[0] == 0x80)
			return 0;
		y = y << 7 | (v.p[i] & 0x7f);
		if ((v.p[i] & 0x80) == 0) {
			*x = y;
			return i + 1;
		}
	}
	return 0;
}

const char *der_oid_str(struct view oid, char *dst, size_t size)
{
	struct buf b;
	struct view v = oid;
	uint64_t x = 0, first;
	size_t n;

	buf_init(&b, 1024);
	while (v.n > 0 && (n = read_arc(v, &x)) > 0) {
		if (v.p == oid.p) {
			first = x < 80 ? x / 40 : 2;
			buf_printf(&b, "%llu.%llu", (unsigned long long)first,
			    (unsigned long long)(x - first * 40));
		} else {
			buf_printf(&b, ".%llu", (unsigned long long)x);
		}
		v = view_sub(v, n, v.n);
	}
	if (oid.n == 0 || v.n > 0 || b.failed ||
	    view_cstr(buf_view(&b), dst, size) != 0) {
		if (size > 0)
			dst[0] = size > 1 ? '?' : '\0';
		if (size > 1)
			dst[1] = '\0';
	}
	buf_free(&b);
	return dst;
}
