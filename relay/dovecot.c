/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Lines of Dovecot's authentication protocol: fields between TABs, with TAB,
 * CR, LF, NUL and 0x01 escaped by 0x01. Connections are in
 * relay/dovecot_io.c.
 */
#include "relay/dovecot.h"

#include <string.h>

#include "smtp/base64.h"
#include "util/utf8.h"

#define FIELDS 200 /* in one line */
#define DATA_MAX 12288

void dovecot_reply_init(struct dovecot_reply *r)
{
	memset(r, 0, sizeof(*r));
	buf_init_secret(&r->data, DATA_MAX);
}

void dovecot_reply_free(struct dovecot_reply *r)
{
	buf_free(&r->data);
}

/* ---- reading ---- */

/* The next field, still escaped; false at the end. */
static bool next_field(struct view *line, struct view *field)
{
	size_t tab;

	if (line->p == NULL)
		return false;
	tab = view_chr(*line, '\t', 0);
	*field = view_sub(*line, 0, tab == (size_t)-1 ? line->n : tab);
	*line = tab == (size_t)-1 ? view_make(NULL, 0) :
	    view_sub(*line, tab + 1, line->n);
	return true;
}

static int take_number(struct view v, uint32_t *out)
{
	uint64_t x = 0;
	size_t i;

	if (v.n == 0 || v.n > 10)
		return -1;
	for (i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return -1;
		x = x * 10 + (uint64_t)(v.p[i] - '0');
	}
	if (x > UINT32_MAX)
		return -1;
	*out = (uint32_t)x;
	return 0;
}

/* Unescape into a string; -1: too long, a bad escape, or NUL. */
static int take_text(struct view v, char *dst, size_t size)
{
	static const char code[] = "1trn", octet[] = "\001\t\r\n";
	const char *at;
	size_t i, n = 0;

	for (i = 0; i < v.n; i++) {
		if (n + 1 >= size || v.p[i] == '\0')
			return -1;
		dst[n++] = (char)v.p[i];
		if (v.p[i] != '\001')
			continue;
		at = ++i < v.n && v.p[i] != '\0' ? strchr(code, v.p[i]) :
		    NULL;
		if (at == NULL)
			return -1;
		dst[n - 1] = octet[at - code];
	}
	dst[n] = '\0';
	return 0;
}

/* A name that may go into logs and headers. */
static int take_user(struct view v, char user[DOVECOT_NAME])
{
	struct view rest;
	uint32_t cp;
	size_t k;

	if (take_text(v, user, DOVECOT_NAME) != 0)
		return -1;
	rest = view_of(user);
	for (; rest.n > 0; rest = view_sub(rest, k, rest.n)) {
		k = utf8_first(rest, &cp);
		if (k == 0 || cp < 0x20 || cp == 0x7f || utf8_is_unsafe(cp))
			return -1;
	}
	return user[0] != '\0' ? 0 : -1;
}

static bool starts(struct view v, const char *key, struct view *value)
{
	size_t n = strlen(key);

	if (v.n < n || memcmp(v.p, key, n) != 0)
		return false;
	*value = view_sub(v, n, v.n);
	return true;
}

static int read_ok(struct dovecot_reply *r, struct view line, struct err *e)
{
	struct view field, value;
	size_t n = 0;

	while (next_field(&line, &field)) {
		if (++n > FIELDS)
			return err_set(e, FAIL_INPUT, "Dovecot: OK of more "
			    "than %d fields", FIELDS);
		if (view_eq_str(field, "nologin"))
			r->is_nologin = true;
		if (!starts(field, "user=", &value))
			continue;
		if (r->user[0] != '\0' || take_user(value, r->user) != 0)
			return err_set(e, FAIL_INPUT, "Dovecot: OK with a "
			    "user that is none");
	}
	return 0;
}

static int read_fail(struct dovecot_reply *r, struct view line,
    struct err *e)
{
	struct view field;
	size_t n = 0;

	while (next_field(&line, &field)) {
		if (++n > FIELDS)
			return err_set(e, FAIL_INPUT, "Dovecot: FAIL of more "
			    "than %d fields", FIELDS);
		if (view_eq_str(field, "temp") ||
		    view_eq_str(field, "code=temp_fail"))
			r->is_temporary = true;
		if (view_eq_str(field, "authz") ||
		    view_eq_str(field, "code=authz"))
			r->is_authz = true;
	}
	return 0;
}

static int read_cont(struct dovecot_reply *r, struct view line,
    struct err *e)
{
	struct view field;

	if (!next_field(&line, &field))
		return 0; /* an empty challenge */
	if (line.p != NULL || base64_decode(&r->data, field) != 0)
		return err_set(e, FAIL_INPUT, "Dovecot: CONT, wanted one "
		    "field of base64");
	return 0;
}

static int read_version(struct dovecot_reply *r, struct view line,
    struct err *e)
{
	struct view major, minor;
	uint32_t x, y;

	if (!next_field(&line, &major) || !next_field(&line, &minor) ||
	    line.p != NULL || take_number(major, &x) != 0 ||
	    take_number(minor, &y) != 0)
		return err_set(e, FAIL_INPUT, "Dovecot: VERSION, wanted two "
		    "numbers");
	r->version = x;
	return 0;
}

static int read_mech(struct dovecot_reply *r, struct view line,
    struct err *e)
{
	struct view name;

	if (!next_field(&line, &name) || name.n == 0 ||
	    take_text(name, r->mech, sizeof(r->mech)) != 0)
		return err_set(e, FAIL_INPUT, "Dovecot: MECH without a name");
	return 0;
}

static int read_by_id(struct dovecot_reply *r, struct view line,
    struct err *e)
{
	struct view id;

	if (!next_field(&line, &id) || take_number(id, &r->id) != 0 ||
	    r->id == 0)
		return err_set(e, FAIL_INPUT, "Dovecot: an answer without "
		    "the number of a request");
	if (r->word == DOVECOT_OK)
		return read_ok(r, line, e);
	return r->word == DOVECOT_CONT ? read_cont(r, line, e) :
	    read_fail(r, line, e);
}

int dovecot_reply_parse(struct dovecot_reply *r, struct view line,
    struct err *e)
{
	static const struct {
		const char *text;
		enum dovecot_word word;
		int (*read)(struct dovecot_reply *r, struct view line,
		    struct err *e);
	} words[] = {
		{ "VERSION", DOVECOT_VERSION, read_version },
		{ "MECH", DOVECOT_MECH, read_mech },
		{ "DONE", DOVECOT_DONE, NULL },
		{ "OK", DOVECOT_OK, read_by_id },
		{ "CONT", DOVECOT_CONT, read_by_id },
		{ "FAIL", DOVECOT_FAIL, read_by_id },
	};
	struct view word;
	size_t i;

	dovecot_reply_free(r);
	dovecot_reply_init(r);
	if (view_chr(line, 0, 0) != (size_t)-1)
		return err_set(e, FAIL_INPUT, "Dovecot: NUL in a line");
	if (!next_field(&line, &word) || word.n == 0)
		return err_set(e, FAIL_INPUT, "Dovecot: an empty line");
	for (i = 0; i < ARRAY_LEN(words); i++) {
		if (!view_eq_str(word, words[i].text))
			continue;
		r->word = words[i].word;
		return words[i].read == NULL ? 0 : words[i].read(r, line, e);
	}
	return 0; /* SPID, CUID, COOKIE, and what is to come */
}

/* ---- writing ---- */

static void put_text(struct buf *b, const char *s)
{
	static const char octet[] = "\001\t\r\n", code[] = "1trn";
	const char *at;

	for (; *s != '\0'; s++) {
		at = strchr(octet, *s);
		if (at != NULL)
			buf_putc(b, '\001');
		buf_putc(b, at != NULL ? code[at - octet] : *s);
	}
}

static void put_field(struct buf *b, const char *key, const char *value)
{
	if (value == NULL)
		return;
	buf_putc(b, '\t');
	buf_puts(b, key);
	put_text(b, value);
}

int dovecot_put_auth(struct buf *b, uint32_t id, const char *mech,
    const struct dovecot_who *who, const struct view *initial, struct err *e)
{
	size_t had = b->n;

	buf_printf(b, "AUTH\t%lu\t", (unsigned long)id);
	put_text(b, mech);
	/* of guessing we keep count ourselves; TLS there is */
	buf_puts(b, "\tservice=smtp\tsecured\tno-penalty");
	put_field(b, "rip=", who->ip);
	put_field(b, "lip=", who->local_ip);
	if (who->cert_user != NULL)
		buf_puts(b, "\tvalid-client-cert");
	put_field(b, "cert_username=", who->cert_user);
	if (initial != NULL) {
		buf_puts(b, "\tresp="); /* must be the last */
		base64_encode(b, *initial);
	}
	buf_putc(b, '\n');
	if (buf_ok(b, e) != 0)
		return -1;
	if (b->n - had > DOVECOT_SENT)
		return err_set(e, FAIL_LIMIT, "Dovecot: request of %zu "
		    "octets, at most %d", b->n - had, DOVECOT_SENT);
	return 0;
}
