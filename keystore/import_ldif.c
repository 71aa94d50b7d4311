/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * LDIF (RFC 2849) of an import: the base64 values of the attributes that
 * hold certificates (RFC 4523, RFC 2798). URLs in it are never fetched.
 */
#include "keystore/import_int.h"

#include <string.h>

#define LINE_MAX_OCTETS (1u << 20) /* one unfolded value */

static const char *const attributes[] = {
	"userCertificate",
	"cACertificate",
	"userSMIMECertificate",
	"crossCertificatePair",
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

static bool is_certificate(struct view line, struct view *value)
{
	size_t colon = view_chr(line, ':', 0), semi;
	struct view name;
	size_t i;

	if (colon == (size_t)-1 || colon + 1 >= line.n ||
	    line.p[colon + 1] != ':')
		return false;
	name = view_sub(line, 0, colon);
	semi = view_chr(name, ';', 0);
	if (semi != (size_t)-1)
		name = view_sub(name, 0, semi);
	for (i = 0; i < ARRAY_LEN(attributes); i++)
		if (view_ieq_str(name, attributes[i])) {
			*value = view_sub(line, colon + 2, line.n);
			return true;
		}
	return false;
}

static int read_line(struct batch *b, struct view line, struct err *e)
{
	struct err why = { 0 };
	struct view value;
	struct buf der;
	int rc;

	if (!is_certificate(line, &value))
		return 0;
	buf_init(&der, LINE_MAX_OCTETS);
	if (import_base64(value, &der)) {
		rc = import_der(b, buf_view(&der), e);
	} else {
		(void)err_set(&why, FAIL_INPUT,
		    "value is not base64 (RFC 2849)");
		rc = batch_skip(b, "LDIF attribute", &why, e);
	}
	buf_free(&der);
	return rc;
}

int import_ldif(struct batch *b, struct view text, struct err *e)
{
	struct buf line;
	struct view part;
	int rc = 0;

	buf_init(&line, LINE_MAX_OCTETS);
	while (rc == 0 && next_line(&text, &part)) {
		/* A blank at the start continues the line before. */
		if (part.n > 0 && part.p[0] == ' ') {
			buf_putv(&line, view_sub(part, 1, part.n));
			continue;
		}
		rc = buf_ok(&line, e);
		if (rc == 0)
			rc = read_line(b, buf_view(&line), e);
		buf_clear(&line);
		buf_putv(&line, part);
	}
	if (rc == 0)
		rc = buf_ok(&line, e);
	if (rc == 0)
		rc = read_line(b, buf_view(&line), e);
	buf_free(&line);
	return rc;
}
