/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A report that goes out with a whole message inside: of what is returned
 * the header fields alone go on (RFC 3461 4.3, RFC 6522 4), where classes
 * { dsn headers } says so. The report itself stays as it is (S46).
 */
#include <string.h>

#include "gateway/gateway_int.h"
#include "smime/mime.h"

#define RETURNED_MAX 8 /* messages in one report; more: nothing is changed */

struct returned {
	struct {
		uint64_t start, body, end;
		bool is_global, is_encoded;
	} part[RETURNED_MAX];
	size_t n;
	bool too_many, is_open;
};

static int part_event(void *arg, enum mime_event ev,
    const struct mime_part *part, struct view data UNUSED, struct err *e)
{
	struct returned *r = arg;
	const struct ctype *ct = part->ctype;

	(void)e;
	if (part->depth != 1)
		return 0;
	if (ev == MIME_END && r->is_open) {
		r->part[r->n++].end = part->end;
		r->is_open = false;
	}
	if (ev != MIME_PART || (!ctype_is(ct, "message/rfc822") &&
	    !ctype_is(ct, "message/global")))
		return 0;
	if (r->n == RETURNED_MAX) {
		r->too_many = true;
		return 0;
	}
	r->is_open = true;
	r->part[r->n].start = part->start;
	r->part[r->n].body = part->body;
	r->part[r->n].is_global = ctype_is(ct, "message/global");
	r->part[r->n].is_encoded = ct->cte != CTE_7BIT &&
	    ct->cte != CTE_8BIT && ct->cte != CTE_BINARY;
	return 0;
}

/* The header section of the i-th, under a header of its own. */
static int put_header(struct txn *t, const struct returned *r, size_t i,
    const struct sink *to, struct err *e)
{
	struct header h = {0};
	struct err local = {0};
	int rc;

	rc = sink_puts(to, r->part[i].is_global
	    ? "Content-Type: message/global-headers\r\n"
	      "Content-Transfer-Encoding: 8bit\r\n\r\n"
	    : "Content-Type: text/rfc822-headers\r\n\r\n", e);
	if (rc != 0 || r->part[i].is_encoded)
		return rc;
	if (header_read(&h, t->msg, r->part[i].body, r->part[i].end,
	    &local) == 0)
		rc = spool_copy(t->msg, r->part[i].body, h.body_off <
		    r->part[i].end ? h.body_off : r->part[i].end, to, e);
	else if (err_is_ours(&local)) /* else of what cannot be read nothing */
		rc = err_set(e, local.kind, "%s", local.msg);
	header_free(&h);
	return rc;
}

static int rewrite(struct txn *t, const struct returned *r, struct err *e)
{
	struct spool *out = NULL;
	uint64_t at = t->h.body_off;
	struct sink to;
	int rc;

	if (txn_spool(t, &out, e) != 0)
		return -1;
	to = spool_sink(out);
	rc = 0;
	for (size_t i = 0; i < r->n && rc == 0; i++) {
		rc = spool_copy(t->msg, at, r->part[i].start, &to, e);
		if (rc == 0)
			rc = put_header(t, r, i, &to, e);
		at = r->part[i].end;
	}
	if (rc == 0)
		rc = spool_copy(t->msg, at, spool_size(t->msg), &to, e);
	if (rc == 0) {
		t->v->body = out;
		out = NULL;
		t->v->size_out = txn_size_after(t);
		txn_warn(t, "of the message that is returned only its header "
		    "goes on (classes { dsn headers })");
	}
	spool_free(&out);
	return rc;
}

int returned_strip(struct txn *t, struct err *e)
{
	struct returned r = {.n = 0};
	const struct mime_handler h = {&r, part_event};
	struct mime_findings f = {0};
	struct err local = {0};

	if (t->v->class != CLASS_DSN ||
	    t->g->config->class_word[CLASS_DSN] != DO_HEADERS)
		return 0;
	if (mime_read(t->msg, 0, spool_size(t->msg), false, &h, &f,
	    &local) != 0) {
		if (!err_is_ours(&local))
			return 0;
		*e = local;
		return -1;
	}
	if (r.n == 0 || r.too_many || r.is_open)
		return 0;
	return rewrite(t, &r, e);
}
