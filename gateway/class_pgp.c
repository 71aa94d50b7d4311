/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * multipart/encrypted of PGP: has it the form of RFC 3156 4? Nothing of PGP
 * is decrypted or believed here.
 */
#include <string.h>

#include "gateway/gateway_int.h"
#include "smime/mime.h"

struct pgp_scan {
	size_t children;
	bool is_odd;
	uint64_t body, end; /* of the second part */
	enum cte cte;
};

static int pgp_event(void *arg, enum mime_event ev,
    const struct mime_part *part, struct view data UNUSED, struct err *e)
{
	struct pgp_scan *s = arg;
	const char *wanted = s->children == 0 ? "application/pgp-encrypted" :
	    "application/octet-stream";

	(void)e;
	if (ev == MIME_END && part->depth == 1 && s->children == 2)
		s->end = part->end;
	if (ev != MIME_PART || part->depth == 0)
		return 0;
	s->is_odd = s->is_odd || !ctype_is(part->ctype, wanted);
	s->children++;
	s->body = part->body;
	s->cte = part->ctype->cte;
	return 0;
}

static bool is_base64_line(struct view line)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/=";

	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == '\0' || strchr(set, line.p[i]) == NULL)
			return false;
	return line.n > 0 && line.n <= 76;
}

struct armour {
	enum { BEFORE, HEADERS, INSIDE, AFTER, NEVER } at;
	struct buf line;
};

/* RFC 9580 6.2: a line of what is to be nothing but one armoured message. */
static void armour_line(struct armour *a, struct view line)
{
	bool is_begin = view_eq(line, view_of("-----BEGIN PGP MESSAGE-----"));
	bool is_end = view_eq(line, view_of("-----END PGP MESSAGE-----"));

	if (a->at == BEFORE || a->at == AFTER) {
		if (is_begin && a->at == BEFORE)
			a->at = HEADERS;
		else if (line.n != 0)
			a->at = NEVER;
	} else if (a->at == HEADERS) {
		/* Version, Comment and the like: room for words, so none */
		if (line.n == 0)
			a->at = INSIDE;
		else if (!view_istarts(line, "Version: ") || line.n > 76)
			a->at = NEVER;
	} else if (a->at == INSIDE) {
		if (is_end)
			a->at = AFTER;
		else if (!is_base64_line(line))
			a->at = NEVER;
	}
}

static int armour_octets(void *arg, const void *p, size_t n, struct err *e)
{
	struct armour *a = arg;
	const unsigned char *octet = p;

	(void)e;
	for (size_t i = 0; i < n && a->at != NEVER; i++) {
		if (octet[i] != '\n') {
			buf_put(&a->line, &octet[i], 1);
			if (a->line.failed)
				a->at = NEVER;
			continue;
		}
		armour_line(a, view_trim(buf_view(&a->line)));
		buf_clear(&a->line);
	}
	return 0;
}

/* RFC 3156 4: two parts, the second of them nothing but armour. Whether it is
 * encrypted for anybody only they can say. */
int class_look_at_pgp(struct txn *t, struct err *e)
{
	struct pgp_scan s = {0};
	const struct mime_handler h = {&s, pgp_event};
	struct armour a = {.at = BEFORE};
	const struct sink lines = {armour_octets, &a};
	struct mime_findings f = {0};
	struct err local = {0};
	int rc;

	rc = mime_read(t->msg, 0, spool_size(t->msg), false, &h, &f, &local);
	if (rc == 0 && (s.children != 2 || s.is_odd || f.defect[0] != '\0' ||
	    (s.cte != CTE_7BIT && s.cte != CTE_8BIT)))
		return 0;
	buf_init(&a.line, 200);
	if (rc == 0)
		rc = spool_copy(t->msg, s.body, s.end, &lines, &local);
	if (rc == 0)
		armour_line(&a, view_trim(buf_view(&a.line)));
	buf_free(&a.line);
	t->is_armoured = rc == 0 && a.at == AFTER;
	if (rc == 0 || !err_is_ours(&local))
		return 0;
	*e = local;
	return -1;
}
