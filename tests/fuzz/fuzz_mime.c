/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: the MIME reader, which must say the same however its input is
 * cut, and what shape.c makes of an entity.
 */
#include "smime/mime.h"
#include "smime/shape.h"
#include "tests/fuzz/fuzz.h"
#include "util/caps.h"

/* Events as a running sum; how bodies are cut does not count. */
struct sum {
	uint64_t x;
	uint64_t at; /* offset that the events have reached */
	size_t parts, ends;
	int depth;
};

static void add(struct sum *s, const void *p, size_t n)
{
	const unsigned char *c = p;

	for (size_t i = 0; i < n; i++)
		s->x = (s->x ^ c[i]) * 1099511628211u;
}

static int sum_event(void *arg, enum mime_event ev,
    const struct mime_part *p, struct view data, struct err *e)
{
	struct sum *s = arg;

	(void)e;
	if (ev != MIME_BODY && ev != MIME_PREAMBLE)
		add(s, &ev, sizeof(ev));
	add(s, data.p, data.n);
	MUST(p->depth >= 0 && p->depth <= CAP_MIME_DEPTH);
	MUST(p->start <= p->body);
	if (ev == MIME_PART) {
		MUST(p->header != NULL && p->ctype != NULL);
		MUST(p->depth == s->depth++ && p->start >= s->at);
		s->at = p->start;
		s->parts++;
		add(s, p->number, strlen(p->number));
	}
	if (ev == MIME_END) {
		MUST(p->depth == --s->depth);
		MUST(p->start <= p->end && p->body <= p->end);
		/* an empty attached message lies behind a blank line that
		 * also belongs to the delimiter after it */
		MUST(p->end + 2 >= s->at);
		s->at = p->end;
		s->ends++;
		add(s, &p->end, sizeof(p->end));
		add(s, p->defect, strlen(p->defect));
	}
	return 0;
}

static int finish(struct sum *s, struct mime_findings *f, int rc)
{
	if (rc != 0)
		return -1;
	MUST(s->parts == s->ends && s->parts == f->parts && s->depth == 0);
	add(s, f->defect, strlen(f->defect));
	return 0;
}

/* The sum, or 0 when it is too much. */
static uint64_t read_cut(struct view v, size_t cut, bool enter)
{
	struct sum s = { 1, 0, 0, 0, 0 };
	struct mime_handler h = { &s, sum_event };
	struct mime_reader *r = NULL;
	struct mime_findings f;
	struct err e;
	int rc = mime_reader_new(&r, enter, &h, &e);

	for (size_t i = 0; rc == 0 && i < v.n; i += cut)
		rc = mime_reader_put(r, v.p + i, cut < v.n - i ? cut :
		    v.n - i, &e);
	if (rc == 0)
		rc = mime_reader_end(r, &f, &e);
	mime_reader_free(&r);
	MUST(rc == 0 || e.kind == FAIL_LIMIT);
	return finish(&s, &f, rc) == 0 ? s.x : 0;
}

static uint64_t read_spool(const struct spool *sp, bool flat)
{
	struct sum s = { 1, 0, 0, 0, 0 };
	struct mime_handler h = { &s, sum_event };
	struct mime_findings f;
	struct err e;
	int rc;

	rc = flat ? mime_read_flat(sp, 0, spool_size(sp), &h, &f, &e) :
	    mime_read(sp, 0, spool_size(sp), true, &h, &f, &e);
	MUST(rc == 0 || e.kind == FAIL_LIMIT);
	return finish(&s, &f, rc) == 0 ? s.x : 0;
}

static void check_shape(const struct shape *sh, const struct spool *s)
{
	MUST(sh->body <= sh->end && sh->end <= spool_size(s));
	MUST((sh->kind == SHAPE_BROKEN) == (sh->defect[0] != '\0'));
	if (sh->kind == SHAPE_CLEAR_SIGNED)
		MUST(sh->part <= sh->part_end && sh->part_end <= sh->sig &&
		    sh->sig <= sh->sig_end && sh->sig_end <= sh->end);
}

static void run_shape(const struct spool *s)
{
	struct header h;
	struct ctype ct;
	struct shape sh;
	struct err e;

	memset(&ct, 0, sizeof(ct));
	if (header_read(&h, s, 0, spool_size(s), &e) == 0 &&
	    ctype_read(&ct, &h, &e) == 0 &&
	    shape_read(&sh, s, &h, &ct, spool_size(s), &e) == 0)
		check_shape(&sh, s);
	ctype_free(&ct);
	header_free(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct view v = view_make(data, n);
	struct spool *s;
	uint64_t x;

	if (n > FUZZ_INPUT)
		return 0;
	s = fuzz_spool(v);
	x = read_cut(v, n + 1, true);
	MUST(x == read_cut(v, 1, true));
	MUST(x == read_spool(s, false));
	(void)read_cut(v, 7, false);
	(void)read_spool(s, true);
	run_shape(s);
	spool_free(&s);
	return 0;
}
