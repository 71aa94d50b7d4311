/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * With the vectors of 16 octets that GCC and clang have for every machine.
 */
#include "util/find.h"

#include <string.h>

#define LANES 16
#define BLOCK ((size_t)4 * LANES) /* FIND_STEP */

/* Octets side by side; where a comparison holds, all bits are set. */
struct lanes {
	unsigned char v __attribute__((vector_size(LANES)));
};

static inline bool is_any(const struct lanes *x)
{
	uint64_t w[LANES / 8];

	memcpy(w, x, sizeof(w));
	return (w[0] | w[1]) != 0;
}

static inline void or_pairs(struct lanes *hit, const unsigned char *p,
    unsigned char a, unsigned char b)
{
	struct lanes x, y;

	memcpy(&x, p, sizeof(x));
	memcpy(&y, p + 1, sizeof(y));
	hit->v |= (x.v == a) & (y.v == b);
}

size_t find_pair(struct view v, size_t off, unsigned char a, unsigned char b)
{
	size_t i = off;

	for (; i < v.n && v.n - i > BLOCK; i += BLOCK) {
		struct lanes hit = { 0 };

		or_pairs(&hit, v.p + i, a, b);
		or_pairs(&hit, v.p + i + LANES, a, b);
		or_pairs(&hit, v.p + i + 2 * LANES, a, b);
		or_pairs(&hit, v.p + i + 3 * LANES, a, b);
		if (is_any(&hit))
			break;
	}
	for (; i + 1 < v.n; i++)
		if (v.p[i] == a && v.p[i + 1] == b)
			return i;
	return v.n;
}

static inline void or_bare_lf(struct lanes *hit, const unsigned char *p)
{
	struct lanes x, y;

	memcpy(&x, p, sizeof(x));
	memcpy(&y, p + 1, sizeof(y));
	hit->v |= (x.v != '\r') & (y.v == '\n');
}

size_t find_bare_lf(struct view v, size_t off, unsigned char before)
{
	size_t i = off;

	if (off >= v.n)
		return v.n;
	if (v.p[i] == '\n' && (i > 0 ? v.p[i - 1] : before) != '\r')
		return i;
	for (; v.n - i > BLOCK; i += BLOCK) {
		struct lanes hit = { 0 };

		or_bare_lf(&hit, v.p + i);
		or_bare_lf(&hit, v.p + i + LANES);
		or_bare_lf(&hit, v.p + i + 2 * LANES);
		or_bare_lf(&hit, v.p + i + 3 * LANES);
		if (is_any(&hit))
			break;
	}
	for (i++; i < v.n; i++)
		if (v.p[i] == '\n' && v.p[i - 1] != '\r')
			return i;
	return v.n;
}

/* Octets that text does not have, among them all of 8 bits. */
static inline void or_controls(struct lanes *odd, const struct lanes *x)
{
	odd->v |= (x->v - 32 > 126 - 32) & (x->v - '\b' > '\r' - '\b');
}

size_t find_text_end(struct view v)
{
	size_t i = 0;

	for (; v.n - i >= LANES; i += LANES) {
		struct lanes odd = { 0 }, x;

		memcpy(&x, v.p + i, sizeof(x));
		or_controls(&odd, &x);
		if (is_any(&odd))
			break;
	}
	return i;
}

/* What find_plain_lines stops at; the octet behind is read as well. */
static inline void or_odd(struct lanes *odd, struct lanes *lf,
    const unsigned char *p)
{
	struct lanes x, y, ends;

	memcpy(&x, p, sizeof(x));
	memcpy(&y, p + 1, sizeof(y));
	or_controls(odd, &x);
	ends.v = x.v == '\n';
	lf->v |= ends.v;
	odd->v |= (x.v == '\r') ^ (y.v == '\n');
	odd->v |= ((x.v == ' ') | (x.v == '\t')) & (y.v == '\r');
	odd->v |= ends.v & ((y.v == '.') | (y.v == '>') | (y.v == 'F'));
}

/* The end of the last line in p. */
static size_t last_line_end(const unsigned char *p, size_t n)
{
	const unsigned char *nl = memrchr(p, '\n', n);

	return nl == NULL ? 0 : (size_t)(nl - p) + 1;
}

size_t find_plain_lines(struct view v, size_t most)
{
	size_t far = most / BLOCK < 2 ? 0 : most / BLOCK - 2;
	size_t since = 0; /* blocks without a line end */
	size_t i = 0;

	if (v.n == 0 || v.p[0] == '.' || v.p[0] == '>' || v.p[0] == 'F' ||
	    v.p[0] == '\n')
		return 0;
	for (; v.n - i > BLOCK && since <= far; i += BLOCK) {
		struct lanes odd = { 0 }, lf = { 0 };

		or_odd(&odd, &lf, v.p + i);
		or_odd(&odd, &lf, v.p + i + LANES);
		or_odd(&odd, &lf, v.p + i + 2 * LANES);
		or_odd(&odd, &lf, v.p + i + 3 * LANES);
		if (is_any(&odd))
			break;
		since = is_any(&lf) ? 0 : since + 1;
	}
	return last_line_end(v.p, i);
}

static inline void or_broken(struct lanes *odd, const unsigned char *p)
{
	struct lanes x, y;

	memcpy(&x, p, sizeof(x));
	memcpy(&y, p + 1, sizeof(y));
	odd->v |= ((x.v == '\r') ^ (y.v == '\n')) |
	    ((x.v == '\n') & (y.v == '.'));
}

size_t find_smtp_lines(struct view v)
{
	size_t i = 0;

	for (; v.n - i > BLOCK; i += BLOCK) {
		struct lanes odd = { 0 };

		or_broken(&odd, v.p + i);
		or_broken(&odd, v.p + i + LANES);
		or_broken(&odd, v.p + i + 2 * LANES);
		or_broken(&odd, v.p + i + 3 * LANES);
		if (is_any(&odd))
			break;
	}
	return i;
}
