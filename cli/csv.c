/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Reading and writing comma-separated values. Knows no meaning of a field.
 */
#include "cli/csv.h"

#include <string.h>

void csv_init(struct csv *c, struct view text)
{
	bool quoted = false;
	size_t i;

	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		text = view_sub(text, 3, text.n - 3);
	c->v = text;
	c->line = 1;
	c->separator = ',';
	for (i = 0; i < text.n && (quoted || text.p[i] != '\n'); i++) {
		if (text.p[i] == '"')
			quoted = !quoted;
		if (quoted || text.p[i] == '\0' ||
		    strchr(",;\t", text.p[i]) == NULL)
			continue;
		c->separator = (char)text.p[i];
		break;
	}
}

void csv_record_free(struct csv_record *r)
{
	buf_free(&r->text);
	memset(r, 0, sizeof(*r));
}

const char *csv_field(const struct csv_record *r, size_t i)
{
	return i < r->n ? buf_str(&r->text) + r->start[i] : "";
}

/* ---- reading ---- */

static void step(struct csv *c)
{
	if (c->v.p[0] == '\n')
		c->line++;
	c->v = view_sub(c->v, 1, c->v.n - 1);
}

static bool at_end_of_line(const struct csv *c)
{
	return c->v.n == 0 || c->v.p[0] == '\n' ||
	    (c->v.p[0] == '\r' && (c->v.n == 1 || c->v.p[1] == '\n'));
}

static void skip_line(struct csv *c)
{
	while (c->v.n > 0 && c->v.p[0] != '\n')
		step(c);
	if (c->v.n > 0)
		step(c);
}

static int read_quoted(struct csv *c, struct csv_record *r, struct err *e)
{
	unsigned char x;

	step(c);
	while (c->v.n > 0) {
		x = c->v.p[0];
		if (x == '\0')
			return err_set(e, FAIL_INPUT, "line %zu: a NUL octet",
			    c->line);
		step(c);
		if (x == '"') {
			if (c->v.n == 0 || c->v.p[0] != '"')
				return 0; /* the closing one */
			step(c);
		}
		buf_putc(&r->text, x);
	}
	return err_set(e, FAIL_INPUT, "line %zu: a quote that is never closed "
	    "(RFC 4180 2)", r->line);
}

static int read_plain(struct csv *c, struct csv_record *r, struct err *e)
{
	while (!at_end_of_line(c) && c->v.p[0] != c->separator) {
		if (c->v.p[0] == '\0')
			return err_set(e, FAIL_INPUT, "line %zu: a NUL octet",
			    c->line);
		if (c->v.p[0] == '"')
			return err_set(e, FAIL_INPUT, "line %zu: a quote "
			    "within a field that is not quoted (RFC 4180 2)",
			    c->line);
		buf_putc(&r->text, c->v.p[0]);
		step(c);
	}
	return 0;
}

static int read_field(struct csv *c, struct csv_record *r, struct err *e)
{
	int rc;

	if (r->n == CSV_FIELDS)
		return err_set(e, FAIL_INPUT, "line %zu: more than %d fields",
		    r->line, CSV_FIELDS);
	r->start[r->n++] = r->text.n;
	rc = c->v.n > 0 && c->v.p[0] == '"' ? read_quoted(c, r, e) :
	    read_plain(c, r, e);
	if (rc != 0)
		return -1;
	if (!at_end_of_line(c) && c->v.p[0] != c->separator)
		return err_set(e, FAIL_INPUT, "line %zu: text behind a "
		    "closing quote (RFC 4180 2)", c->line);
	buf_putc(&r->text, '\0');
	return 0;
}

static int read_record(struct csv *c, struct csv_record *r, struct err *e)
{
	for (;;) {
		if (read_field(c, r, e) != 0)
			return -1;
		if (at_end_of_line(c))
			break;
		step(c); /* the separator */
	}
	skip_line(c);
	if (r->text.n > CSV_RECORD)
		return err_set(e, FAIL_INPUT, "line %zu: a record of more "
		    "than %d octets", r->line, CSV_RECORD);
	return buf_ok(&r->text, e);
}

static bool is_empty(const struct csv_record *r)
{
	return r->n == 1 && r->text.n == 1;
}

int csv_next(struct csv *c, struct csv_record *r, struct err *e)
{
	do {
		buf_free(&r->text);
		/* A quoted field may run to the end of the file. */
		buf_init(&r->text, c->v.n + 2 * CSV_FIELDS);
		r->n = 0;
		r->line = c->line;
		if (c->v.n == 0)
			return 0;
		if (read_record(c, r, e) != 0) {
			skip_line(c);
			return -1;
		}
	} while (is_empty(r));
	return 1;
}

/* ---- writing ---- */

void csv_put(struct buf *out, const char *field)
{
	size_t i;

	if (strpbrk(field, ",;\t\"\r\n") == NULL) {
		buf_puts(out, field);
		return;
	}
	buf_putc(out, '"');
	for (i = 0; field[i] != '\0'; i++) {
		if (field[i] == '"')
			buf_putc(out, '"');
		buf_putc(out, field[i]);
	}
	buf_putc(out, '"');
}
