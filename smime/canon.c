/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Canonical entities. A first pass reads the MIME tree into a table of
 * parts (survey.c) in which it is then decided for each part what happens
 * to it; a second pass over the table writes. Neither holds more of a
 * message than one header section.
 */
#include "smime/canon.h"

#include <string.h>

#include "smime/codec.h"
#include "smime/hdrenc.h"
#include "smime/survey.h"
#include "util/caps.h"
#include "util/utf8.h"

/* The writing pass. */
struct canon {
	struct survey *sv;
	struct spool *out;
	unsigned char last; /* octet written, 0 at first */
	bool is_outbound;
	bool in_qp; /* what was written last is quoted-printable */
	size_t open[CAP_MIME_DEPTH + 1]; /* multiparts, by their place */
	char boundary[CAP_MIME_DEPTH + 1][CAP_MIME_BOUNDARY + 1];
	size_t opened;
};

static int out_put(void *arg, const void *p, size_t n, struct err *e)
{
	struct canon *c = arg;

	if (n == 0)
		return 0;
	c->last = ((const unsigned char *)p)[n - 1];
	return spool_write(c->out, p, n, e);
}

static struct sink out_sink(struct canon *c)
{
	return (struct sink){out_put, c};
}

static int out_puts(struct canon *c, const char *s, struct err *e)
{
	return out_put(c, s, strlen(s), e);
}

/* Octets [off, end) of a part as they are, but for LF line ends. */
static int copy_lines(struct canon *c, const struct part *p, uint64_t off,
    uint64_t end, struct err *e)
{
	struct crlf x = {out_sink(c), false};
	/* flags are those of just these octets */
	bool is_clean = p->kind == PART_LEAF && !p->is_frozen &&
	    (p->flags & SCAN_LF) == 0;
	struct sink in = p->is_raw || is_clean ? x.to : crlf_sink(&x);

	return spool_copy(c->sv->s, off, end, &in, e);
}

/* Lines without blanks at their ends; a line of blanks alone, which would
 * then end the section, goes. */
static void put_lines(struct buf *out, struct view whole)
{
	size_t off = 0;

	while (off < whole.n) {
		size_t nl = view_chr(whole, '\n', off);
		size_t n = nl == (size_t)-1 ? whole.n - off : nl + 1 - off;
		struct view line = view_sub(whole, off, n);

		while (line.n > 0 &&
		    strchr(" \t\r\n", line.p[line.n - 1]) != NULL &&
		    line.p[line.n - 1] != '\0')
			line.n--;
		if (line.n > 0) {
			buf_putv(out, line);
			buf_puts(out, "\r\n");
		}
		off += n;
	}
}

static int put_field(const struct canon *c, const struct field *f,
    struct buf *out, struct err *e)
{
	struct view text = f->whole;
	bool done = false;
	bool has_8bit = false;

	for (size_t i = 0; i < f->whole.n && !has_8bit; i++)
		has_8bit = f->whole.p[i] >= 0x80;
	if (has_8bit && c->is_outbound &&
	    hdrenc_field(f, out, &done, e) != 0)
		return -1;
	if (done)
		return 0;
	/* RFC 5322 4.5 lets "From :" begin a field. */
	if (f->name.n > 0 && view_istarts(text, "From ")) {
		buf_putv(out, f->name);
		text = view_sub(text, view_chr(text, ':', 0), text.n);
	}
	put_lines(out, text);
	return 0;
}

static const char *cte_name(enum cte cte)
{
	static const char *const name[] = {"7bit", "8bit", "binary",
	    "quoted-printable", "base64"};

	return cte < CTE_UNKNOWN ? name[cte] : NULL;
}

/* Chunks of text, a character of up to four octets carried over. */
static int text_is_utf8(const struct canon *c, const struct part *p,
    bool *is_utf8, struct err *e)
{
	unsigned char window[SPOOL_CHUNK];
	struct view left;
	uint64_t off = p->body;
	size_t n, held = 0, k;

	*is_utf8 = false;
	for (;;) {
		k = sizeof(window) - held;
		if (k > p->end - off)
			k = (size_t)(p->end - off);
		if (spool_read(c->sv->s, off, window + held, k, &n, e) != 0)
			return -1;
		off += n;
		left = view_make(window, held + n);
		while ((k = utf8_first(left, NULL)) > 0)
			left = view_sub(left, k, left.n - k);
		if (n == 0 || left.n > 3) {
			*is_utf8 = left.n == 0;
			return 0;
		}
		memmove(window, left.p, left.n);
		held = left.n;
	}
}

/*
 * The type of a message without one (S16): RFC 2045 5.2 says us-ascii, which
 * would make 8-bit text unreadable once it is encoded, so that says what it
 * is (UTF-8), or that nobody knows (RFC 1428).
 */
static int put_default_type(const struct canon *c, const struct part *p,
    struct buf *out, struct err *e)
{
	const char *charset = "us-ascii";
	bool is_utf8;

	if (p->flags & SCAN_8BIT) {
		if (text_is_utf8(c, p, &is_utf8, e) != 0)
			return -1;
		charset = is_utf8 ? "utf-8" : "unknown-8bit";
	}
	buf_printf(out, "Content-Type: text/plain; charset=%s\r\n", charset);
	return 0;
}

/*
 * The header section of a part as it will be written, without the blank
 * line. Of an outbound root only the Content-* fields belong to the entity
 * (RFC 8551 3.1); Content-Length is no MIME field and would be wrong.
 */
static int make_header(const struct canon *c, const struct part *p,
    const struct header *h, struct buf *out, struct err *e)
{
	bool is_filtered = c->is_outbound && p->depth == 0;
	bool needs_cte = p->new_cte != p->cte;

	for (size_t i = 0; i < h->n; i++) {
		const struct field *f = &h->field[i];

		if (f->name.n == 0)
			continue;
		if (is_filtered && (!view_istarts(f->name, "Content-") ||
				       view_ieq_str(f->name, "Content-Length")))
			continue;
		if (p->new_cte == p->cte ||
		    !view_ieq_str(f->name, "Content-Transfer-Encoding")) {
			if (put_field(c, f, out, e) != 0)
				return -1;
			continue;
		}
		if (needs_cte)
			buf_printf(out, "Content-Transfer-Encoding: %s\r\n",
			    cte_name(p->new_cte));
		needs_cte = false;
	}
	if (is_filtered && header_count(h, "Content-Type") == 0 &&
	    put_default_type(c, p, out, e) != 0)
		return -1;
	if (needs_cte)
		buf_printf(out, "Content-Transfer-Encoding: %s\r\n",
		    cte_name(p->new_cte));
	return buf_ok(out, e);
}

/* The header of a part, read again: too many to keep them all. */
static int read_header(struct canon *c, const struct part *p, struct header *h,
    struct buf *out, struct err *e)
{
	buf_clear(out);
	if (header_read(h, c->sv->s, p->start, p->body, e) != 0)
		return -1;
	return make_header(c, p, h, out, e);
}

/* What stays in the header that 7-bit transport cannot take. */
static int judge_header(struct canon *c, struct part *p, struct err *e)
{
	struct scan scan = {0};
	struct header h;
	struct buf b;
	int rc;

	if (!p->has_odd_header)
		return 0;
	buf_init(&b, 2 * CAP_HEADER_SECTION);
	rc = read_header(c, p, &h, &b, e);
	if (rc == 0) {
		scan_put(&scan, buf_view(&b));
		p->dirty |= scan_end(&scan) & SCAN_FRAGILE;
	}
	header_free(&h);
	buf_free(&b);
	return rc;
}

static void decide_leaf(const struct canon *c, struct part *p)
{
	unsigned bad = SCAN_BINARY;
	bool is_coded = p->cte == CTE_QP || p->cte == CTE_BASE64;

	if (c->is_outbound)
		bad = SCAN_FRAGILE;
	if (p->cte == CTE_BINARY)
		bad |= SCAN_LF; /* not a line end, but an octet */
	if ((p->flags & bad) == 0) {
		if (p->cte == CTE_BINARY)
			p->new_cte = p->flags & SCAN_8BIT ? CTE_8BIT : CTE_7BIT;
		else if (p->cte == CTE_8BIT && c->is_outbound)
			p->new_cte = CTE_7BIT;
		return;
	}
	if (p->cte == CTE_UNKNOWN || p->is_message) {
		/* It may not be encoded (RFC 2045 6.4), or nobody knows what
		 * the octets are. */
		p->dirty |= p->flags & SCAN_FRAGILE;
		if (c->is_outbound && p->flags & SCAN_8BIT &&
		    p->cte == CTE_7BIT)
			p->new_cte = CTE_8BIT;
		return;
	}
	p->is_recoded = true;
	if (is_coded)
		return;
	p->new_cte = p->is_text ? CTE_QP : CTE_BASE64;
	if (p->flags & SCAN_NUL || (p->cte == CTE_BINARY &&
				       p->flags & SCAN_LF))
		p->new_cte = CTE_BASE64;
}

/* The widest thing inside says what a composite is (RFC 2045 6.4). */
static void label_composite(const struct canon *c, struct part *p)
{
	enum cte want = CTE_7BIT;

	if (p->dirty & (SCAN_BINARY | SCAN_LF))
		want = CTE_BINARY;
	else if (p->dirty & SCAN_8BIT)
		want = CTE_8BIT;
	if (!c->is_outbound)
		want = p->cte == CTE_BINARY ? CTE_8BIT : p->cte;
	p->new_cte = want;
}

/* Children stand behind their parent in the table. */
static int decide(struct canon *c, struct err *e)
{
	struct survey *sv = c->sv;

	for (size_t i = sv->n; i-- > 0;) {
		struct part *p = &sv->part[i];

		if (p->is_skipped)
			continue;
		p->new_cte = p->cte;
		if (p->is_frozen && survey_scan_frozen(sv, p, e) != 0)
			return -1;
		if (!p->is_frozen && p->kind == PART_LEAF)
			decide_leaf(c, p);
		/* The header of a frozen root is still written anew. */
		if ((!p->is_frozen || i == 0) && p->kind != PART_LEAF)
			label_composite(c, p);
		if ((!p->is_frozen || i == 0) && judge_header(c, p, e) != 0)
			return -1;
		if (i > 0)
			sv->part[p->parent].dirty |= p->dirty;
	}
	return 0;
}

static int write_header(struct canon *c, const struct part *p,
    struct err *e)
{
	struct header h;
	struct ctype ct;
	struct buf b;
	const char *name;
	int rc;

	memset(&ct, 0, sizeof(ct));
	buf_init(&b, 2 * CAP_HEADER_SECTION);
	rc = read_header(c, p, &h, &b, e);
	if (rc == 0)
		rc = out_put(c, b.p, b.n, e);
	if (rc == 0)
		rc = out_puts(c, "\r\n", e);
	if (rc == 0 && p->kind == PART_MULTIPART && !p->is_frozen) {
		rc = ctype_read(&ct, &h, e);
		name = rc == 0 ? ctype_param(&ct, "boundary") : NULL;
		if (rc == 0 && name == NULL)
			rc = err_set(e, FAIL_BUG, "boundary was lost");
		if (rc == 0)
			rc = view_cstr(view_of(name), c->boundary[c->opened],
			    sizeof(c->boundary[0]));
	}
	ctype_free(&ct);
	header_free(&h);
	buf_free(&b);
	return rc;
}

/* Decode and encode anew. */
static int write_recoded(struct canon *c, const struct part *p, struct err *e)
{
	struct b64_enc b64e;
	struct qp_enc qpe;
	struct b64_dec b64d;
	struct qp_dec qpd;
	struct crlf lines;
	struct sink in;

	b64_enc_init(&b64e, out_sink(c));
	qp_enc_init(&qpe, out_sink(c));
	in = p->new_cte == CTE_QP ? qp_enc_sink(&qpe) : b64_enc_sink(&b64e);
	b64_dec_init(&b64d, in);
	qp_dec_init(&qpd, in);
	if (p->cte == CTE_BASE64)
		in = b64_dec_sink(&b64d);
	if (p->cte == CTE_QP)
		in = qp_dec_sink(&qpd);
	lines = (struct crlf){in, false};
	if (p->cte != CTE_BINARY)
		in = crlf_sink(&lines);
	if (spool_copy(c->sv->s, p->body, p->end, &in, e) != 0)
		return -1;
	if (b64_dec_end(&b64d, e) != 0 || qp_dec_end(&qpd, e) != 0)
		return -1;
	c->in_qp = p->new_cte == CTE_QP;
	if (b64_enc_end(&b64e, e) != 0)
		return -1;
	return qp_enc_end(&qpe, e);
}

static int write_body(struct canon *c, const struct part *p, struct err *e)
{
	uint64_t end = p->end;
	uint64_t off = p->body;

	if (p->is_recoded)
		return write_recoded(c, p, e);
	/* S14, without touching what is signed in it */
	if (p->is_frozen && p->kind == PART_MULTIPART && p->close > 0) {
		off = p->first;
		end = p->close;
	}
	return copy_lines(c, p, off, end, e);
}

/* Text around the parts of an inner multipart stays, if it may. */
static bool keeps_remarks(const struct canon *c, const struct part *p)
{
	unsigned bad = SCAN_BINARY;

	if (c->is_outbound)
		bad = SCAN_FRAGILE;
	return (p->depth > 0 || !c->is_outbound) && (p->flags & bad) == 0;
}

static int write_delimiter(struct canon *c, size_t level, bool is_close,
    struct err *e)
{
	c->in_qp = false;
	if (out_puts(c, "--", e) != 0 ||
	    out_puts(c, c->boundary[level], e) != 0)
		return -1;
	return out_puts(c, is_close ? "--" : "\r\n", e);
}

/* Close the multiparts and messages that do not hold the part of depth. */
static int close_parts(struct canon *c, int depth, struct err *e)
{
	while (c->opened > 0) {
		size_t level = c->opened - 1;
		const struct part *p = &c->sv->part[c->open[level]];

		if (p->depth < depth)
			break;
		c->opened--;
		if (out_puts(c, "\r\n", e) != 0 ||
		    write_delimiter(c, level, true, e) != 0)
			return -1;
		if (p->close > 0 && keeps_remarks(c, p) &&
		    copy_lines(c, p, p->close, p->end, e) != 0)
			return -1;
	}
	return 0;
}

/* The delimiter before a part whose parent is the innermost open one. */
static int open_part(struct canon *c, size_t i, struct err *e)
{
	const struct part *p = &c->sv->part[i];
	const struct part *up = &c->sv->part[p->parent];

	if (i == 0 || up->kind != PART_MULTIPART)
		return 0;
	if (p->is_first && keeps_remarks(c, up) &&
	    copy_lines(c, up, up->body, up->first, e) != 0)
		return -1;
	if (!p->is_first && out_puts(c, "\r\n", e) != 0)
		return -1;
	return write_delimiter(c, c->opened - 1, false, e);
}

static int write_part(struct canon *c, size_t i, struct err *e)
{
	const struct part *p = &c->sv->part[i];

	if (close_parts(c, p->depth, e) != 0 || open_part(c, i, e) != 0)
		return -1;
	if (p->is_frozen && i > 0)
		return copy_lines(c, p, p->start, p->end, e);
	if (write_header(c, p, e) != 0)
		return -1;
	if (p->is_frozen || p->kind == PART_LEAF)
		return write_body(c, p, e);
	if (p->kind == PART_MULTIPART)
		c->open[c->opened++] = i;
	return 0;
}

static int write_all(struct canon *c, struct err *e)
{
	const struct part *root;
	bool is_qp;

	for (size_t i = 0; i < c->sv->n; i++)
		if (!c->sv->part[i].is_skipped && write_part(c, i, e) != 0)
			return -1;
	if (close_parts(c, 0, e) != 0)
		return -1;
	root = &c->sv->part[0];
	if (c->last == '\n' || (root->kind == PART_LEAF &&
	    root->new_cte != CTE_QP && root->new_cte != CTE_BASE64))
		return 0; /* a line end would be one more octet (S13) */
	/* A soft line break does not change the text. */
	is_qp = c->in_qp || (root->kind == PART_LEAF &&
	    root->new_cte == CTE_QP && c->last != '=');
	return out_puts(c, is_qp ? "=\r\n" : "\r\n", e);
}

static void report(const struct survey *sv, struct canon_info *info)
{
	memset(info, 0, sizeof(*info));
	for (size_t i = 0; i < sv->n; i++) {
		info->leaves += sv->part[i].kind == PART_LEAF;
		info->reencoded += sv->part[i].is_recoded;
		if (sv->part[i].is_sealed)
			info->has_signature = true;
	}
	info->is_7bit = sv->part[0].dirty == 0;
}

int canon_entity(const struct spool *msg, uint64_t off, uint64_t end,
    struct spool *out, struct canon_info *info, struct err *e)
{
	struct canon c = {.out = out, .is_outbound = true};
	int rc = -1;

	if (survey_read(&c.sv, msg, off, end, true, e) != 0)
		return -1;
	if (decide(&c, e) != 0 || write_all(&c, e) != 0)
		goto out;
	report(c.sv, info);
	rc = 0;
out:
	survey_free(&c.sv);
	return rc;
}

static int scan_range(const struct spool *s, uint64_t off, uint64_t end,
    unsigned *flags, struct err *e)
{
	struct scan scan = {0};
	struct sink to = survey_scan_sink(&scan);

	if (spool_copy(s, off, end, &to, e) != 0)
		return -1;
	*flags = scan_end(&scan);
	return 0;
}

int canon_deliverable(const struct spool *s, uint64_t off, uint64_t end,
    struct spool *out, struct err *e)
{
	struct canon c = {.out = out, .is_outbound = false};
	struct sink to = spool_sink(out);
	unsigned flags = 0;
	int rc = -1;

	if (scan_range(s, off, end, &flags, e) != 0)
		return -1;
	if ((flags & (SCAN_BINARY | SCAN_LF)) == 0)
		return spool_copy(s, off, end, &to, e);
	if (survey_read(&c.sv, s, off, end, false, e) != 0)
		return -1;
	if (decide(&c, e) != 0)
		goto out;
	if (c.sv->part[0].dirty & SCAN_BINARY) {
		err_set(e, FAIL_INPUT, "NUL, bare CR or overlong line where it "
				       "cannot be encoded (RFC 5321 2.3.8)");
		goto out;
	}
	rc = write_all(&c, e);
out:
	survey_free(&c.sv);
	return rc;
}
