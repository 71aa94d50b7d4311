/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fills the table of parts from MIME reader events and decides what is out
 * of bounds: signed content, and attached messages that hold such or cannot
 * be read in one way only.
 */
#include "smime/survey.h"

#include <stdlib.h>
#include <string.h>

#include "smime/params.h"

static bool is_sealed_type(const struct ctype *ct)
{
	return ctype_is(ct, "multipart/signed") ||
	    ctype_is(ct, "multipart/encrypted") ||
	    ctype_is(ct, "application/pkcs7-mime") ||
	    ctype_is(ct, "application/x-pkcs7-mime");
}

/* The outermost attached message that holds part i, or i itself. */
static size_t outermost_message(const struct survey *sv, size_t i)
{
	size_t found = i;

	while (i > 0) {
		i = sv->part[i].parent;
		if (sv->part[i].kind == PART_MESSAGE)
			found = i;
	}
	return found;
}

static void refuse(struct survey *sv, const struct mime_part *mp,
    const char *what)
{
	struct err text;

	if (mp->number[0] != '\0' && strncmp(what, "part ", 5) != 0)
		err_set(&text, FAIL_INPUT, "part %s: %s", mp->number, what);
	else
		err_set(&text, FAIL_INPUT, "%s", what);
	defect_note(sv->defect, sizeof(sv->defect), text.msg);
}

/* A defect inside an attached message is that message's own affair: it is
 * copied as it is. */
static void judge_part(struct survey *sv, size_t i,
    const struct mime_part *mp, const char *what)
{
	size_t holder = outermost_message(sv, i);

	if (holder == i && sv->part[i].kind == PART_MESSAGE && i > 0 &&
	    mp->ctype->defect[0] == '\0')
		sv->part[i].is_frozen = true;
	else if (holder == i)
		refuse(sv, mp, what);
	else
		sv->part[holder].is_frozen = true;
}

static int grow(struct survey *sv, struct err *e)
{
	size_t size = sv->size == 0 ? 8 : 2 * sv->size;
	struct part *p;

	if (sv->n < sv->size)
		return 0;
	p = realloc(sv->part, size * sizeof(*p));
	if (p == NULL)
		return err_set(e, FAIL_TEMP, "MIME parts: out of memory");
	sv->part = p;
	sv->size = size;
	return 0;
}

static enum part_kind kind_of(const struct mime_part *mp)
{
	const struct ctype *ct = mp->ctype;

	if (mp->is_leaf || mp->header->no_blank_line)
		return PART_LEAF;
	if (ctype_is_multipart(ct))
		return ctype_param(ct, "boundary") ? PART_MULTIPART : PART_LEAF;
	return ct->cte == CTE_QP || ct->cte == CTE_BASE64 ? PART_LEAF
							  : PART_MESSAGE;
}

static void describe(struct part *p, const struct mime_part *mp)
{
	const struct ctype *ct = mp->ctype;
	const struct header *h = mp->header;
	struct scan scan = {0};

	p->kind = kind_of(mp);
	p->depth = mp->depth;
	p->start = mp->start;
	p->body = mp->body;
	p->cte = ct->cte;
	p->is_text = strncmp(ct->type, "text/", 5) == 0 ||
	    strncmp(ct->type, "message/global-", 15) == 0;
	p->is_message = (ctype_is_message(ct) &&
			    strncmp(ct->type, "message/global", 14) != 0) ||
	    ctype_is_multipart(ct);
	p->is_sealed = is_sealed_type(ct);
	scan_put(&scan, buf_view(&h->text));
	p->has_odd_header = (scan_end(&scan) & SCAN_FRAGILE &
	    ~(unsigned)SCAN_BLANK) != 0; /* blanks are not written */
}

static int begin_part(struct survey *sv, const struct mime_part *mp,
    struct err *e)
{
	const struct ctype *ct = mp->ctype;
	size_t holder;
	struct part *p;
	size_t i = sv->n;

	if (grow(sv, e) != 0)
		return -1;
	p = &sv->part[sv->n++];
	memset(p, 0, sizeof(*p));
	describe(p, mp);
	sv->open[p->depth] = i;
	p->parent = p->depth > 0 ? sv->open[p->depth - 1] : 0;
	p->is_first = i == p->parent + 1;
	if (!sv->is_outbound)
		return 0;
	holder = outermost_message(sv, i);
	if (p->is_sealed && (holder != i || ctype_is_multipart(ct))) {
		sv->part[holder].is_frozen = true;
		sv->part[holder].has_sealed = true;
	}
	if (holder == i && (ctype_is(ct, "message/partial") ||
			       ctype_is(ct, "message/external-body"))) {
		struct err text;

		err_set(&text, FAIL_INPUT, "%s is no complete content (RFC "
					   "2046 5.2)", ct->type);
		refuse(sv, mp, text.msg);
	}
	return 0;
}

/* Blanks behind a close-delimiter stand before the epilogue. */
static void take_close(struct part *p, const struct mime_part *mp,
    struct view data)
{
	size_t n = 4 + strlen(ctype_param(mp->ctype, "boundary"));
	size_t dash = view_chr(data, '-', 0); /* behind the line end before */

	p->close = mp->delim + n;
	scan_put(&p->scan, view_sub(data, dash + n, data.n));
}

static int take_event(void *arg, enum mime_event ev,
    const struct mime_part *mp, struct view data, struct err *e)
{
	struct survey *sv = arg;
	struct part *p;

	if (ev == MIME_PART)
		return begin_part(sv, mp, e);
	p = &sv->part[sv->open[mp->depth]];
	switch (ev) {
	case MIME_BODY:
	case MIME_PREAMBLE:
		scan_put(&p->scan, data);
		break;
	case MIME_DELIMITER:
		if (p->first == 0)
			p->first = mp->delim;
		if (mp->is_close)
			take_close(p, mp, data);
		break;
	case MIME_END:
		p->body = mp->body;
		p->end = mp->end;
		p->flags = scan_end(&p->scan);
		if (mp->defect[0] != '\0')
			judge_part(sv, sv->open[mp->depth], mp, mp->defect);
		break;
	default:
		break;
	}
	return 0;
}

static void mark_skipped(struct survey *sv)
{
	for (size_t i = 1; i < sv->n; i++) {
		const struct part *up = &sv->part[sv->part[i].parent];

		sv->part[i].is_skipped = up->is_frozen || up->is_skipped;
	}
}

int survey_read(struct survey **out, const struct spool *s, uint64_t off,
    uint64_t end, bool is_outbound, struct err *e)
{
	struct survey *sv = calloc(1, sizeof(*sv));
	struct mime_handler h = {sv, take_event};
	struct mime_findings found;
	int rc = -1;

	if (sv == NULL)
		return err_set(e, FAIL_TEMP, "MIME parts: out of memory");
	sv->s = s;
	sv->is_outbound = is_outbound;
	if (mime_read(s, off, end, true, &h, &found, e) != 0)
		goto out;
	if (sv->defect[0] != '\0') {
		err_set(e, FAIL_INPUT, "ambiguous MIME structure: %s",
		    sv->defect);
		goto out;
	}
	mark_skipped(sv);
	*out = sv;
	sv = NULL;
	rc = 0;
out:
	survey_free(&sv);
	return rc;
}

void survey_free(struct survey **sv)
{
	if (*sv == NULL)
		return;
	free((*sv)->part);
	free(*sv);
	*sv = NULL;
}

static int scan_take(void *scan, const void *p, size_t n, struct err *e)
{
	(void)e;
	scan_put(scan, view_make(p, n));
	return 0;
}

struct sink survey_scan_sink(struct scan *scan)
{
	return (struct sink){scan_take, scan};
}

int survey_scan_frozen(const struct survey *sv, struct part *p, struct err *e)
{
	struct scan scan = {0};
	struct sink to = survey_scan_sink(&scan);
	bool is_root = p == sv->part;

	if (spool_copy(sv->s, is_root ? p->body : p->start, p->end, &to, e))
		return -1;
	p->flags = scan_end(&scan);
	p->dirty = p->flags & (p->has_sealed ? PART_DIRT : SCAN_FRAGILE);
	/* LF alone everywhere is the line end of the source. Among CRLF it
	 * is part of what was signed, as far as anybody can know. */
	p->is_raw = sv->is_outbound && (p->flags & SCAN_LF) != 0 &&
	    (p->flags & SCAN_CRLF) != 0;
	if (p->is_raw)
		p->dirty |= SCAN_LF;
	return 0;
}
