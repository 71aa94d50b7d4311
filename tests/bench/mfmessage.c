/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Reads a message file into fields and body; applies a filter's edits.
 * Knows no sockets.
 */
#include "tests/bench/mfmessage.h"

#include <libmilter/mfdef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/bench/mfclient.h"
#include "util/proc.h"

#define FILE_MAX (1u << 30)

/* ---- reading ---- */

/* End of the line that starts at off, its line end included. */
static size_t
find_line_end(struct view v, size_t off)
{
	size_t nl = view_chr(v, '\n', off);

	return nl == (size_t)-1 ? v.n : nl + 1;
}

/* Length of the field name when a field starts at off, else 0. */
static size_t
measure_name(struct view v, size_t off, size_t end)
{
	size_t i = off;

	while (i < end && v.p[i] > ' ' && v.p[i] < 127 && v.p[i] != ':')
		i++;
	if (i == off || i == end || v.p[i] != ':')
		return 0;
	return i - off;
}

/* Header text between two offsets: CR before LF gone, NUL to space as in
 * Postfix, no line end at the end. */
static char *
copy_value(struct view v, size_t off, size_t end)
{
	char *s = malloc(end - off + 1);
	size_t n = 0;

	if (s == NULL)
		return NULL;
	for (size_t i = off; i < end; i++) {
		if (v.p[i] == '\r' && i + 1 < v.n && v.p[i + 1] == '\n')
			continue;
		s[n++] = v.p[i] != '\0' ? (char)v.p[i] : ' ';
	}
	if (n > 0 && s[n - 1] == '\n')
		n--;
	s[n] = '\0';
	return s;
}

static int
add_field(struct mf_message *m, char *name, char *value)
{
	struct mf_header *h;

	h = realloc(m->header, (m->headers + 1) * sizeof(*h));
	if (h != NULL)
		m->header = h;
	if (h == NULL || name == NULL || value == NULL) {
		free(name);
		free(value);
		return -1;
	}
	h[m->headers].name = name;
	h[m->headers++].value = value;
	return 0;
}

/* Fields into m; *off is where the body starts. */
static int
read_fields(struct mf_message *m, struct view v, size_t *off, struct err *e)
{
	size_t pos = 0, end, n;

	while (pos < v.n) {
		end = find_line_end(v, pos);
		n = measure_name(v, pos, end);
		if (n == 0)
			break;
		while (end < v.n && (v.p[end] == ' ' || v.p[end] == '\t'))
			end = find_line_end(v, end);
		if (add_field(m, copy_value(v, pos, pos + n),
		    copy_value(v, pos + n + 1, end)) == -1)
			return err_set(e, FAIL_TEMP, "out of memory");
		pos = end;
	}
	/* What is no field starts the body; an empty line is dropped. */
	if (pos < v.n && v.p[pos] == '\n')
		pos++;
	else if (pos + 1 < v.n && v.p[pos] == '\r' && v.p[pos + 1] == '\n')
		pos += 2;
	*off = pos;
	return 0;
}

static void
read_body(struct mf_message *m, struct view v, size_t pos)
{
	while (pos < v.n) {
		size_t end = find_line_end(v, pos), n = end - pos;

		if (v.p[end - 1] == '\n')
			n -= n > 1 && v.p[end - 2] == '\r' ? 2 : 1;
		buf_put(&m->body, v.p + pos, n);
		buf_puts(&m->body, "\r\n");
		pos = end;
	}
}

int
mfmessage_read(struct mf_message *m, const char *path, struct err *e)
{
	struct buf file;
	size_t off = 0, nl;
	int rc = -1;

	memset(m, 0, sizeof(*m));
	buf_init(&m->body, 2 * (size_t)FILE_MAX);
	buf_init(&file, FILE_MAX);
	if (io_read_file(path, &file, e) == -1)
		goto out;
	m->size = file.n;
	nl = view_chr(buf_view(&file), '\n', 0);
	m->lf = nl == (size_t)-1 || nl == 0 || file.p[nl - 1] != '\r';
	if (read_fields(m, buf_view(&file), &off, e) == -1)
		goto out;
	read_body(m, buf_view(&file), off);
	rc = buf_ok(&m->body, e);
out:
	buf_free(&file);
	if (rc == -1)
		mfmessage_free(m);
	return rc;
}

void
mfmessage_free(struct mf_message *m)
{
	for (size_t i = 0; i < m->headers; i++) {
		free(m->header[i].name);
		free(m->header[i].value);
	}
	free(m->header);
	m->header = NULL;
	m->headers = 0;
	buf_free(&m->body);
}

/* ---- applying edits ---- */

/* A place in the header section. Strings are borrowed. */
struct slot {
	const char *name;
	const char *value;
	bool spaced;  /* value brings its leading space */
	bool deleted; /* Sendmail only: gone, but still counted */
	bool hidden;  /* Sendmail only: its own Received */
};

struct slots {
	struct slot *v;
	size_t n;
	bool sendmail;
};

/* Position in l of the index-th field of that name, or l->n. */
static size_t
find_slot(const struct slots *l, const char *name, uint32_t index)
{
	uint32_t seen = 0;

	if (index == 0)
		index = 1;
	for (size_t i = 0; i < l->n; i++)
		if (!l->v[i].hidden && strcasecmp(l->v[i].name, name) == 0 &&
		    ++seen == index)
			return i;
	return l->n;
}

static void
insert_slot(struct slots *l, size_t at, const struct mf_edit *ed,
    bool spaced)
{
	if (at > l->n)
		at = l->n;
	memmove(l->v + at + 1, l->v + at, (l->n - at) * sizeof(*l->v));
	l->v[at] = (struct slot){ .name = ed->name,
		.value = ed->value != NULL ? ed->value : "",
		.spaced = spaced };
	l->n++;
}

static void
change_slot(struct slots *l, const struct mf_edit *ed, bool spaced)
{
	size_t at = find_slot(l, ed->name, ed->index);
	bool empty = ed->value == NULL || ed->value[0] == '\0';

	if (at == l->n) {
		if (!empty)
			insert_slot(l, at, ed, spaced);
		return;
	}
	if (!empty) {
		l->v[at].value = ed->value;
		l->v[at].spaced = spaced;
		l->v[at].deleted = false;
	} else if (l->sendmail) {
		l->v[at].deleted = true;
	} else {
		l->n--;
		memmove(l->v + at, l->v + at + 1,
		    (l->n - at) * sizeof(*l->v));
	}
}

static void
apply_edit(struct slots *l, const struct mf_edit *ed, bool spaced)
{
	switch (ed->op) {
	case SMFIR_ADDHEADER:
		insert_slot(l, l->n, ed, spaced);
		break;
	case SMFIR_INSHEADER:
		insert_slot(l, ed->index, ed, spaced);
		break;
	case SMFIR_CHGHEADER:
		change_slot(l, ed, spaced);
		break;
	default: /* envelope */
		break;
	}
}

/* CRLF to LF unless the message has CRLF. */
static void
write_body(const struct buf *body, bool lf, FILE *out)
{
	if (!lf) {
		fwrite(body->p, 1, body->n, out);
		return;
	}
	for (size_t i = 0; i < body->n; i++)
		if (body->p[i] != '\r' || i + 1 == body->n ||
		    body->p[i + 1] != '\n')
			fputc(body->p[i], out);
}

static void
write_field(const struct slot *s, bool lf, FILE *out)
{
	if (s->deleted || s->hidden)
		return;
	fprintf(out, "%s:%s", s->name, s->spaced ? "" : " ");
	for (const char *p = s->value; *p != '\0'; p++) {
		if (*p == '\n' && !lf)
			fputc('\r', out);
		fputc(*p, out);
	}
	fputs(lf ? "\n" : "\r\n", out);
}

int
mfmessage_write(const struct mf_message *m, const struct mf_result *r,
    bool sendmail, FILE *out, struct err *e)
{
	struct slots l = { .sendmail = sendmail };

	l.v = calloc(m->headers + r->edits + 2, sizeof(*l.v));
	if (l.v == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	/* Sendmail counts its own Received, which the filter never saw. */
	if (sendmail)
		l.v[l.n++] = (struct slot){ .name = "Received", .value = "",
			.hidden = true };
	for (size_t i = 0; i < m->headers; i++)
		l.v[l.n++] = (struct slot){ .name = m->header[i].name,
			.value = m->header[i].value, .spaced = true };
	for (size_t i = 0; i < r->edits; i++)
		apply_edit(&l, &r->edit[i], r->leadspc);
	for (size_t i = 0; i < l.n; i++)
		write_field(&l.v[i], m->lf, out);
	free(l.v);
	fputs(m->lf ? "\n" : "\r\n", out);
	write_body(r->replaced ? &r->body : &m->body, m->lf,
	    out);
	if (fflush(out) != 0 || ferror(out))
		return err_sys(e, FAIL_TEMP, "write");
	return 0;
}
