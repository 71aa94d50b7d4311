/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The model MTA: what becomes of a message when the edits of a verdict are
 * carried out.
 *
 * An index counts the fields of a name from 1 (milter protocol). When a
 * field is deleted, Postfix moves the later ones up, Sendmail leaves an
 * empty place; edits delete from the highest index down, so both come to
 * the same. This model moves them up, as Postfix does, so that a wrong
 * order shows.
 */
#include "gateway/verdict.h"

#include <stdlib.h>
#include <string.h>

#include "smime/header.h"

struct model {
	const struct verdict *v;
	const struct header *h;
	bool *gone; /* per field of h */
	struct sink to;
};

static int delete_field(struct model *m, const struct edit *x, struct err *e)
{
	int nth = 0;

	for (size_t i = 0; i < m->h->n; i++) {
		if (m->gone[i] || !view_ieq_str(m->h->field[i].name, x->name))
			continue;
		if (++nth == x->index) {
			m->gone[i] = true;
			return 0;
		}
	}
	return err_set(e, FAIL_BUG, "edits: no field %s number %d", x->name,
	    x->index);
}

/* "Name: value" with its folds as CRLF. */
static int put_field(struct model *m, const struct edit *x, struct err *e)
{
	struct view v = view_of(x->value);
	size_t start = 0, n;

	if (sink_puts(&m->to, x->name, e) != 0 ||
	    sink_puts(&m->to, ":", e) != 0)
		return -1;
	while ((n = view_chr(v, '\n', start)) != (size_t)-1) {
		if (sink_put(&m->to, v.p + start, n - start, e) != 0 ||
		    sink_puts(&m->to, "\r\n", e) != 0)
			return -1;
		start = n + 1;
	}
	if (sink_put(&m->to, v.p + start, v.n - start, e) != 0)
		return -1;
	return sink_puts(&m->to, "\r\n", e);
}

static int put_fields(struct model *m, struct err *e)
{
	const struct edit *x = m->v->edit;

	for (size_t i = m->v->edits; i-- > 0;)
		if (x[i].kind == EDIT_INSERT_TOP &&
		    put_field(m, &x[i], e) != 0)
			return -1;
	for (size_t i = 0; i < m->h->n; i++) {
		struct view f = m->h->field[i].whole;

		if (!m->gone[i] && sink_put(&m->to, f.p, f.n, e) != 0)
			return -1;
	}
	for (size_t i = 0; i < m->v->edits; i++)
		if (x[i].kind == EDIT_ADD && put_field(m, &x[i], e) != 0)
			return -1;
	return 0;
}

static int put_all(struct model *m, const struct spool *msg, struct err *e)
{
	const struct verdict *v = m->v;

	for (size_t i = 0; i < v->edits; i++)
		if (v->edit[i].kind == EDIT_DELETE &&
		    delete_field(m, &v->edit[i], e) != 0)
			return -1;
	if (put_fields(m, e) != 0)
		return -1;
	if (v->body == NULL && m->h->no_blank_line)
		return 0;
	if (sink_puts(&m->to, "\r\n", e) != 0)
		return -1;
	if (v->body != NULL)
		return spool_copy(v->body, 0, spool_size(v->body), &m->to, e);
	return spool_copy(msg, m->h->body_off, spool_size(msg), &m->to, e);
}

int verdict_apply(const struct verdict *v, const struct spool *msg,
    struct spool *out, struct err *e)
{
	struct model m = {v, NULL, NULL, spool_sink(out)};
	struct header h;
	int rc = -1;

	if (v->edits == 0 && v->body == NULL)
		return spool_copy(msg, 0, spool_size(msg), &m.to, e);
	if (header_read(&h, msg, 0, spool_size(msg), e) != 0)
		goto out;
	m.h = &h;
	m.gone = calloc(h.n + 1, sizeof(*m.gone));
	if (m.gone == NULL) {
		err_set(e, FAIL_TEMP, "edits: out of memory");
		goto out;
	}
	rc = put_all(&m, msg, e);
out:
	free(m.gone);
	header_free(&h);
	return rc;
}

int verdict_whole(struct verdict *v, const struct spool *msg, uint64_t max,
    struct err *e)
{
	struct spool *whole = NULL;

	if (v->copy_n == 0 ? v->edits == 0 && v->body == NULL : v->here == 0)
		return 0;
	if (spool_new(&whole, max, e) != 0 ||
	    verdict_apply(v, msg, whole, e) != 0) {
		spool_free(&whole);
		return -1;
	}
	verdict_cut_edits(v, 0);
	spool_free(&v->body);
	v->body = whole;
	return 0;
}
