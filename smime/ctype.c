/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Reads the structural fields of one header section. All judgement about
 * "one reading or a defect" that concerns a single section is here or in
 * params.c; what concerns several parts is in mime.c.
 */
#include "smime/ctype.h"

#include <stdlib.h>
#include <string.h>

#include "smime/params.h"
#include "util/caps.h"

static void note(struct ctype *ct, const char *text)
{
	defect_note(ct->defect, sizeof(ct->defect), text);
}

static void note_field(struct ctype *ct, const char *field, const char *what)
{
	struct err text;

	err_set(&text, FAIL_INPUT, "%s: %s", field, what);
	note(ct, text.msg);
}

bool ctype_is(const struct ctype *ct, const char *type)
{
	return strcmp(ct->type, type) == 0;
}

bool ctype_is_multipart(const struct ctype *ct)
{
	return strncmp(ct->type, "multipart/", 10) == 0;
}

bool ctype_is_message(const struct ctype *ct)
{
	return strncmp(ct->type, "message/", 8) == 0;
}

const char *ctype_param(const struct ctype *ct, const char *name)
{
	for (size_t i = 0; i < ct->params; i++)
		if (strcmp(ct->param[i].name, name) == 0)
			return ct->param[i].value;
	return NULL;
}

void ctype_free(struct ctype *ct)
{
	struct params p = {.param = ct->param, .n = ct->params};

	params_free(&p);
	ct->param = NULL;
	ct->params = 0;
}

/* What speaks against the whole section (A41). */
static void judge_section(struct ctype *ct, const struct header *h)
{
	static const char *const once[] = {"Content-Type",
	    "Content-Transfer-Encoding", "Content-Disposition",
	    "MIME-Version"};

	if (h->has_nul)
		note(ct, "NUL in the header section (RFC 5322 2.2)");
	if (h->has_bare_cr)
		note(ct, "CR without LF in the header section (RFC 5322 2.2)");
	for (size_t i = 0; i < ARRAY_LEN(once); i++) {
		const struct field *f = header_get(h, once[i], 0);

		if (f == NULL)
			continue;
		if (header_get(h, once[i], 1) != NULL)
			note_field(ct, once[i], "given twice (RFC 2045 3)");
		if (f->whole.p[f->name.n] != ':')
			note_field(ct, once[i],
			    "blank before the colon (RFC 5322 4.5)");
	}
	if (h->has_junk)
		note(ct, "line that is no field in the header section "
			 "(RFC 5322 2.2)");
}

/* RFC 2046 5.1.1: 1 to 70 bchars, no blank at the end. We bear more, as
 * long as no reader can take it for something else. */
static void judge_boundary(struct ctype *ct)
{
	const char *b = ctype_param(ct, "boundary");
	size_t n = b == NULL ? 0 : strlen(b);

	if (n == 0) {
		note(ct, "multipart without boundary (RFC 2046 5.1.1)");
		return;
	}
	if (n > CAP_MIME_BOUNDARY)
		note(ct, "boundary is too long (RFC 2046 5.1.1)");
	if (b[n - 1] == ' ' || b[0] == ' ')
		note(ct, "boundary with blanks around it (RFC 2046 5.1.1)");
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)b[i];

		if (c < 32 || c > 126)
			note(ct, "odd octet in a boundary (RFC 2046 5.1.1)");
	}
}

static int read_type(struct ctype *ct, const struct header *h, struct buf *b,
    struct params *p, struct err *e)
{
	const struct field *f = header_get(h, "Content-Type", 0);
	struct view v = view_of("text/plain; charset=us-ascii");

	if (f != NULL) {
		buf_clear(b);
		field_unfold(f, b);
		if (buf_ok(b, e) != 0)
			return -1;
		v = buf_view(b);
	}
	if (params_read(p, v, true, e) != 0)
		return -1;
	if (p->defect[0] != '\0')
		note_field(ct, "Content-Type", p->defect);
	memcpy(ct->type, p->head, sizeof(ct->type));
	if (ct->type[0] == '\0') /* RFC 2045 5.2 */
		memcpy(ct->type, "text/plain", sizeof("text/plain"));
	ct->param = p->param;
	ct->params = p->n;
	p->param = NULL;
	p->n = 0;
	if (ctype_is_multipart(ct))
		judge_boundary(ct);
	return 0;
}

static enum cte cte_of(struct view token)
{
	static const struct {
		const char *name;
		enum cte cte;
	} table[] = {{"7bit", CTE_7BIT}, {"8bit", CTE_8BIT},
	    {"binary", CTE_BINARY}, {"quoted-printable", CTE_QP},
	    {"base64", CTE_BASE64}};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (view_ieq_str(token, table[i].name))
			return table[i].cte;
	return CTE_UNKNOWN;
}

static int read_cte(struct ctype *ct, const struct header *h, struct buf *b,
    struct err *e)
{
	const struct field *f = header_get(h, "Content-Transfer-Encoding", 0);
	bool odd = false;
	size_t pos = 0;
	size_t from;
	struct view v;

	ct->cte = CTE_7BIT;
	if (f == NULL)
		return 0;
	buf_clear(b);
	field_unfold(f, b);
	if (buf_ok(b, e) != 0)
		return -1;
	v = buf_view(b);
	if (cfws_skip(v, &pos, &odd) != 0)
		odd = true;
	from = pos;
	while (pos < v.n && params_is_tchar(v.p[pos]))
		pos++;
	ct->cte = cte_of(view_sub(v, from, pos - from));
	if (pos == from)
		odd = true;
	if (cfws_skip(v, &pos, &odd) != 0 || pos < v.n)
		odd = true;
	if (odd)
		note(ct, "Content-Transfer-Encoding: unparsable "
			 "(RFC 2045 6.1)");
	return 0;
}

/* RFC 2045 6.4, S18. RFC 6532 3.7 frees message/global and its kin. */
static void judge_composite(struct ctype *ct)
{
	bool is_composite = ctype_is_multipart(ct) ||
	    (ctype_is_message(ct) &&
		strncmp(ct->type, "message/global", 14) != 0);

	if (is_composite && (ct->cte == CTE_QP || ct->cte == CTE_BASE64))
		note_field(ct, ct->type, "transfer encoding on a composite "
					 "type (RFC 2045 6.4)");
}

static int read_version(struct ctype *ct, const struct header *h,
    struct buf *b, struct err *e)
{
	const struct field *f = header_get(h, "MIME-Version", 0);
	bool odd = false;
	size_t pos = 0;
	int step = 0; /* digits, '.', digits */
	struct view v;

	if (f == NULL)
		return 0;
	buf_clear(b);
	field_unfold(f, b);
	if (buf_ok(b, e) != 0)
		return -1;
	v = buf_view(b);
	for (;;) {
		size_t from;

		if (cfws_skip(v, &pos, &odd) != 0)
			step = 9;
		if (pos == v.n)
			break;
		from = pos;
		while (pos < v.n && v.p[pos] >= '0' && v.p[pos] <= '9')
			pos++;
		if (step == 1 && v.p[pos] == '.' && pos == from)
			pos++;
		else if (step == 1 || pos == from)
			step = 9;
		if (step++ >= 9)
			break;
	}
	if (step != 3)
		note(ct, "MIME-Version: unparsable (RFC 2045 4)");
	return 0;
}

/* The end of a long name is kept: the suffix is what it is read for. */
static void keep_filename(struct ctype *ct, const char *name)
{
	size_t n = strlen(name);

	if (n >= sizeof(ct->filename)) {
		name += n - (sizeof(ct->filename) - 1);
		n = sizeof(ct->filename) - 1;
	}
	memcpy(ct->filename, name, n);
	ct->filename[n] = '\0';
}

static int read_disposition(struct ctype *ct, const struct header *h,
    struct buf *b, struct err *e)
{
	const struct field *f = header_get(h, "Content-Disposition", 0);
	const struct ctype_param *name = NULL;
	struct params p;

	memset(&p, 0, sizeof(p));
	if (f != NULL) {
		buf_clear(b);
		field_unfold(f, b);
		if (buf_ok(b, e) != 0)
			return -1;
		if (params_read(&p, buf_view(b), false, e) != 0) {
			params_free(&p);
			return -1;
		}
		if (p.head[0] != '\0' && p.defect[0] != '\0')
			note_field(ct, "Content-Disposition", p.defect);
		/* RFC 2183 2.8: an unknown one is an attachment */
		ct->is_attachment = p.head[0] != '\0' &&
		    strcmp(p.head, "inline") != 0;
		name = params_get(&p, "filename");
	}
	if (name != NULL)
		keep_filename(ct, name->value);
	else if (ctype_param(ct, "name") != NULL)
		keep_filename(ct, ctype_param(ct, "name"));
	params_free(&p);
	return 0;
}

int ctype_read(struct ctype *ct, const struct header *h, struct err *e)
{
	struct params p;
	struct buf b;
	int rc = -1;

	memset(ct, 0, sizeof(*ct));
	memset(&p, 0, sizeof(p));
	buf_init(&b, CAP_HEADER_FIELD);
	judge_section(ct, h);
	if (read_type(ct, h, &b, &p, e) != 0)
		goto out;
	if (read_cte(ct, h, &b, e) != 0)
		goto out;
	judge_composite(ct);
	if (read_version(ct, h, &b, e) != 0)
		goto out;
	if (read_disposition(ct, h, &b, e) != 0)
		goto out;
	rc = 0;
out:
	params_free(&p);
	buf_free(&b);
	return rc;
}
