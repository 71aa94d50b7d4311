/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: the canonical entity that is signed, and its inbound sister.
 * What comes out is read again: without a defect, fit for transit, the same
 * leaves as before, and canonical already.
 */
#include "smime/canon.h"
#include "smime/codec.h"
#include "smime/scan.h"
#include "tests/fuzz/fuzz.h"

/* Decoded leaves of an entity, one behind the other, as a sum. */
struct leaves {
	const struct spool *s;
	uint64_t x;
	size_t n;
	bool is_fixed; /* one may not be encoded (RFC 2045 6.4) */
	bool is_stub;  /* a header without its blank line gets one */
};

static int add(void *arg, const void *p, size_t n, struct err *e)
{
	struct leaves *l = arg;
	const unsigned char *c = p;

	(void)e;
	for (size_t i = 0; i < n; i++)
		l->x = (l->x ^ c[i]) * 1099511628211u;
	return 0;
}

/* Line ends of what is no binary are CRLF before it is decoded. */
static int take_leaf(void *arg, enum mime_event ev,
    const struct mime_part *p, struct view data, struct err *e)
{
	struct leaves *l = arg;
	struct sink sum = { add, l }, to;
	struct spool *s;
	struct crlf x;

	(void)data;
	if (ev == MIME_PART)
		l->is_stub = l->is_stub || p->header->no_blank_line;
	if (ev != MIME_END || !p->is_leaf)
		return 0;
	s = fuzz_spool(view_make(NULL, 0));
	x = (struct crlf){ spool_sink(s), false };
	to = p->ctype->cte == CTE_BINARY ? x.to : crlf_sink(&x);
	MUST(spool_copy(l->s, p->body, p->end, &to, e) == 0);
	MUST(codec_decode(s, 0, spool_size(s), p->ctype->cte, &sum, NULL,
	    e) == 0);
	MUST(add(l, "|", 1, e) == 0);
	l->n++;
	l->is_fixed = l->is_fixed || p->ctype->cte == CTE_UNKNOWN ||
	    ctype_is_message(p->ctype) || ctype_is_multipart(p->ctype);
	spool_free(&s);
	return 0;
}

static void read_leaves(struct leaves *l, const struct spool *s,
    struct mime_findings *f)
{
	struct mime_handler h = { l, take_leaf };
	struct err e;

	*l = (struct leaves){ s, 1, 0, false, false };
	MUST(mime_read(s, 0, spool_size(s), true, &h, f, &e) == 0);
}

static unsigned scan_all(const struct spool *s)
{
	struct scan scan = { 0 };
	struct spool_rd r;
	struct view v;
	struct err e;

	spool_rd_init(&r, s, 0, spool_size(s));
	do {
		MUST(spool_next(&r, &v, &e) == 0);
		scan_put(&scan, v);
	} while (v.n > 0);
	spool_rd_free(&r);
	return scan_end(&scan);
}

static bool is_same(const struct spool *a, const struct spool *b)
{
	struct buf x, y;
	bool same;

	buf_init(&x, FUZZ_SPOOL);
	buf_init(&y, FUZZ_SPOOL);
	fuzz_get(a, &x);
	fuzz_get(b, &y);
	same = view_eq(buf_view(&x), buf_view(&y));
	buf_free(&x);
	buf_free(&y);
	return same;
}

static int last_octet(const struct spool *s)
{
	uint64_t n = spool_size(s);
	size_t got = 0;
	char c = 0;
	struct err e;

	if (n > 0)
		MUST(spool_read(s, n - 1, &c, 1, &got, &e) == 0);
	return c;
}

/* What of the promises holds. */
struct kept {
	bool is_fixed; /* something is copied as it is: a leaf that may not be
			  encoded, a message with a defect */
	bool is_stub;  /* or there is a defect: it may be read otherwise when
			  what is around it is written anew */
};

/* The same leaves? */
static struct kept compare(const struct spool *in, const struct spool *out)
{
	struct mime_findings f, g;
	struct leaves a, b;
	int last;

	read_leaves(&a, in, &f);
	if (a.is_stub)
		return (struct kept){ true, true };
	read_leaves(&b, out, &g);
	MUST(a.n == b.n && f.parts == g.parts);
	/* Where the last part has no end, the line end that an entity ends
	 * in belongs to it; but not to one leaf (S13), unless blanks that
	 * quoted-printable does not count are before it. */
	last = last_octet(in);
	if (last == '\n' || (f.parts == 1 && strchr(" \t\r", last) == NULL))
		MUST(a.x == b.x);
	MUST(f.defect[0] != '\0' || g.defect[0] == '\0');
	return (struct kept){ a.is_fixed || f.defect[0] != '\0',
		f.defect[0] != '\0' };
}

static void run_entity(const struct spool *s)
{
	struct spool *out = fuzz_spool(view_make(NULL, 0)), *again;
	unsigned bad = SCAN_8BIT | SCAN_BINARY | SCAN_LF | SCAN_FROM |
	    SCAN_WIDE;
	struct canon_info info, second;
	struct kept kept;
	struct err e;

	if (canon_entity(s, 0, spool_size(s), out, &info, &e) != 0) {
		MUST(e.kind == FAIL_INPUT || e.kind == FAIL_LIMIT);
		spool_free(&out);
		return;
	}
	kept = compare(s, out);
	if (info.is_7bit) {
		MUST((scan_all(out) & bad) == 0);
		if (!info.has_signature && !kept.is_fixed)
			MUST((scan_all(out) & SCAN_BLANK) == 0);
		again = fuzz_spool(view_make(NULL, 0));
		MUST(canon_entity(out, 0, spool_size(out), again, &second,
		    &e) == 0);
		MUST(second.is_7bit && second.reencoded == 0);
		MUST(kept.is_stub || second.leaves == info.leaves);
		MUST(kept.is_stub || is_same(out, again));
		spool_free(&again);
	}
	spool_free(&out);
}

static void run_deliverable(const struct spool *s)
{
	struct spool *out = fuzz_spool(view_make(NULL, 0)), *again;
	bool is_clean = (scan_all(s) & (SCAN_BINARY | SCAN_LF)) == 0;
	struct kept kept;
	struct err e;

	if (canon_deliverable(s, 0, spool_size(s), out, &e) != 0) {
		MUST(!is_clean && (e.kind == FAIL_INPUT ||
		    e.kind == FAIL_LIMIT));
		spool_free(&out);
		return;
	}
	MUST((scan_all(out) & (SCAN_BINARY | SCAN_LF)) == 0);
	if (is_clean) {
		MUST(is_same(s, out));
	} else {
		kept = compare(s, out);
		again = fuzz_spool(view_make(NULL, 0));
		MUST(canon_deliverable(out, 0, spool_size(out), again, &e) ==
		    0);
		MUST(kept.is_stub || is_same(out, again));
		spool_free(&again);
	}
	spool_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct spool *s;

	if (n > FUZZ_INPUT)
		return 0;
	s = fuzz_spool(view_make(data, n));
	run_entity(s);
	run_deliverable(s);
	spool_free(&s);
	return 0;
}
