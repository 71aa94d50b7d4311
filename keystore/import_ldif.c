/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * LDIF (RFC 2849) of an import: the base64 values of the attributes that
 * hold certificates (RFC 4523, RFC 2798). Values at URLs are never read.
 */
#include "keystore/import_int.h"

#include <string.h>

#define LINE_MAX_OCTETS (1u << 20) /* one unfolded value */

static const char *const attributes[] = {
	"userCertificate",
	"cACertificate",
	"userSMIMECertificate",
	"crossCertificatePair",
	"userPKCS12",
};

/* The next line without its end; false at the end of v. */
static bool next_line(struct view *v, struct view *line)
{
	size_t n;

	if (v->n == 0)
		return false;
	n = view_chr(*v, '\n', 0);
	if (n == (size_t)-1)
		n = v->n;
	*line = view_sub(*v, 0, n);
	*v = view_sub(*v, n + 1, v->n);
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

bool import_is_ldif(struct view data)
{
	struct view line;

	while (next_line(&data, &line)) {
		if (line.n == 0 || line.p[0] == '#' ||
		    view_istarts(line, "version:"))
			continue;
		return view_istarts(line, "dn:");
	}
	return false;
}

/* Does the line begin with a name that matters? *value: behind its colon. */
static bool is_certificate(struct view line, struct view *value)
{
	size_t colon = view_chr(line, ':', 0), semi;
	struct view name;
	size_t i;

	if (colon == (size_t)-1)
		return false;
	name = view_sub(line, 0, colon);
	semi = view_chr(name, ';', 0);
	if (semi != (size_t)-1)
		name = view_sub(name, 0, semi);
	for (i = 0; i < ARRAY_LEN(attributes); i++)
		if (view_ieq_str(name, attributes[i])) {
			*value = view_sub(line, colon + 1, line.n);
			return true;
		}
	return false;
}

static int read_value(struct batch *b, struct view value, struct err *e)
{
	char quoted[ERR_QUOTED];
	struct err why = { 0 };
	struct buf der;
	int rc;

	if (value.n > 0 && value.p[0] == '<') {
		value = view_trim(view_sub(value, 1, value.n));
		(void)err_set(&why, FAIL_INPUT, "value at the URL %s, which "
		    "is not read (RFC 2849)", err_quote(quoted,
		    sizeof(quoted), value.p, value.n));
		return batch_skip(b, "LDIF attribute", &why, e);
	}
	buf_init_secret(&der, LINE_MAX_OCTETS);
	if (value.n > 0 && value.p[0] == ':' &&
	    import_base64(view_sub(value, 1, value.n), &der))
		rc = import_der_named(b, "LDIF attribute", buf_view(&der), e);
	else
		rc = batch_skip_as(b, "LDIF attribute",
		    "value is not base64 (RFC 2849)", e);
	buf_free(&der);
	return rc;
}

/* One unfolded line; what was too long was cut. */
static int read_line(struct batch *b, struct buf *line, struct err *e)
{
	struct view value;
	int rc = 0;

	if (line->no_memory)
		return buf_ok(line, e);
	if (line->failed)
		rc = batch_skip_as(b, "LDIF attribute",
		    "value is longer than a certificate can be", e);
	else if (is_certificate(buf_view(line), &value))
		rc = read_value(b, value, e);
	buf_clear(line);
	return rc;
}

int import_ldif(struct batch *b, struct view text, bool last, size_t *used,
    struct err *e)
{
	struct view part, value, from = text;
	struct buf line;
	bool wanted = false;
	size_t begin = 0, at;
	int rc = 0;

	buf_init_secret(&line, LINE_MAX_OCTETS);
	while (rc == 0) {
		at = text.n - from.n;
		if ((!last && view_chr(from, '\n', 0) == (size_t)-1) ||
		    !next_line(&from, &part))
			break;
		/* A blank at the start continues the line before. */
		if (part.n > 0 && part.p[0] == ' ') {
			if (wanted)
				buf_putv(&line, view_sub(part, 1, part.n));
			continue;
		}
		rc = read_line(b, &line, e);
		begin = at;
		wanted = is_certificate(part, &value);
		if (wanted)
			buf_putv(&line, part);
	}
	/* The last line may go on. */
	if (rc == 0 && last)
		rc = read_line(b, &line, e);
	*used = last ? text.n : begin;
	buf_free(&line);
	return rc;
}
