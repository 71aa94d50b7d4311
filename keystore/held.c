/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Held mail in rows and parts. What it says is sealed before it comes here;
 * only the envelope can be read in the file.
 */
#include "keystore/held.h"

#include <stdlib.h>
#include <string.h>

#include "keystore/keystore_int.h"

/* Octets of a part: a row is read and written whole. */
#define PART (1u << 20)
#define RCPTS_MAX (16u << 20)

enum {
	H_ID,
	H_AT,
	H_DIRECTION,
	H_SENDER,
	H_RCPTS,
	H_LOGIN,
	H_CLIENT,
	H_REASON,
	H_SIZE,
	H_CERT,
	H_TELL
};

/* An older store that nothing was written to since has no such tables. */
static bool has_tables(const struct keystore *ks)
{
	return ks->schema >= KS_SCHEMA_TRAFFIC;
}

static sqlite3_stmt *about(struct keystore *ks, enum ks_stmt which,
    const char *id, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, which, e);

	if (st != NULL)
		sqlite3_bind_text(st, 1, id, -1, SQLITE_TRANSIENT);
	return st;
}

static int no_such(const char *id, struct err *e)
{
	char quoted[ERR_QUOTED];

	return err_set(e, FAIL_INPUT, "no held mail with the id %s",
	    err_quote(quoted, sizeof(quoted), id, strlen(id)));
}

/* ---- keeping ---- */

/* As ?nth: one a line. */
static int bind_rcpts(sqlite3_stmt *st, int nth, const char *const *rcpt,
    size_t n, struct err *e)
{
	struct buf lines;
	int rc;

	buf_init(&lines, RCPTS_MAX);
	for (size_t i = 0; i < n; i++)
		buf_printf(&lines, "%s\n", rcpt[i]);
	rc = buf_ok(&lines, e);
	sqlite3_bind_text(st, nth, buf_str(&lines), -1, SQLITE_TRANSIENT);
	buf_free(&lines);
	return rc;
}

static int add_row(struct keystore *ks, const struct held_mail *m,
    struct err *e)
{
	sqlite3_stmt *st = about(ks, ST_HELD_ADD, m->id, e);

	if (st == NULL || bind_rcpts(st, 5, m->rcpt, m->rcpts, e) != 0)
		return -1;
	sqlite3_bind_int64(st, 2, m->at);
	sqlite3_bind_int(st, 3, m->direction);
	sqlite3_bind_text(st, 4, m->sender, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(st, 6, m->login, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(st, 7, m->client, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(st, 8, m->reason, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 9, (int64_t)m->size);
	ks_bind_view(st, 10, view_make(m->cert, sizeof(m->cert)));
	sqlite3_bind_int(st, 11, m->may_tell);
	return ks_run(ks, st, e);
}

static int add_part(struct keystore *ks, const char *id, int n,
    struct view octets, struct err *e)
{
	sqlite3_stmt *st = about(ks, ST_HELD_PART_ADD, id, e);

	if (st == NULL)
		return -1;
	sqlite3_bind_int(st, 2, n);
	ks_bind_view(st, 3, octets);
	return ks_run(ks, st, e);
}

static int add_parts(struct keystore *ks, const struct held_mail *m,
    const struct spool *s, uint64_t off, struct err *e)
{
	unsigned char *p = malloc(PART);
	uint64_t end = off + m->size;
	size_t n, got;
	int rc = 0;

	if (p == NULL)
		return err_set(e, FAIL_TEMP, "held mail: out of memory");
	for (int i = 0; rc == 0 && off < end; i++, off += got) {
		n = end - off < PART ? (size_t)(end - off) : PART;
		rc = spool_read(s, off, p, n, &got, e);
		if (rc == 0 && got != n)
			rc = err_set(e, FAIL_BUG, "held mail: cut short");
		if (rc == 0)
			rc = add_part(ks, m->id, i, view_make(p, n), e);
	}
	free(p);
	return rc;
}

/* 1 it is there, 0 not. */
static int is_held(struct keystore *ks, const char *id, uint64_t *size,
    struct err *e)
{
	sqlite3_stmt *st = about(ks, ST_HELD_SIZE, id, e);
	int rc;

	if (st == NULL)
		return -1;
	rc = ks_step(ks, st, e);
	if (rc == 1) {
		*size = (uint64_t)sqlite3_column_int64(st, 0);
		sqlite3_reset(st);
	}
	return rc;
}

static int check_room(struct keystore *ks, uint64_t size, uint64_t most,
    struct err *e)
{
	uint64_t n, octets;

	if (keystore_held_total(ks, &n, &octets, e) != 0)
		return -1;
	if (size > most || octets > most - size)
		return err_set(e, FAIL_LIMIT, "quarantine: %llu octets of "
		    "%llu are used, %llu more do not fit",
		    (unsigned long long)octets, (unsigned long long)most,
		    (unsigned long long)size);
	return 0;
}

int keystore_held_add(struct keystore *ks, const struct held_mail *m,
    const struct spool *s, uint64_t off, uint64_t most, struct err *e)
{
	uint64_t size;
	bool began;
	int rc;

	if (ks->in_tx)
		return err_set(e, FAIL_BUG, "held mail: in a transaction");
	if (strpbrk(m->sender, "\r\n") != NULL || m->rcpts == 0)
		return err_set(e, FAIL_BUG, "held mail: envelope");
	for (size_t i = 0; i < m->rcpts; i++)
		if (strpbrk(m->rcpt[i], "\r\n") != NULL)
			return err_set(e, FAIL_BUG, "held mail: envelope");
	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = is_held(ks, m->id, &size, e);
	if (rc == 0) {
		rc = check_room(ks, m->size, most, e);
		if (rc == 0)
			rc = add_row(ks, m, e);
		if (rc == 0)
			rc = add_parts(ks, m, s, off, e);
	}
	return ks_end(ks, began, rc < 0 ? -1 : 0, e);
}

/* ---- reading ---- */

static const char *text_at(sqlite3_stmt *st, int i)
{
	const char *s = (const char *)sqlite3_column_text(st, i);

	return s != NULL ? s : "";
}

/* The lines of rcpts into an array of strings in one piece of memory. */
static const char **split_lines(struct view lines, size_t *n)
{
	const char **v;
	size_t count = 0, nl, at = 0;
	char *text;

	for (size_t i = 0; i < lines.n; i++)
		count += lines.p[i] == '\n';
	v = malloc((count + 1) * sizeof(*v) + lines.n + 1);
	if (v == NULL)
		return NULL;
	text = (char *)(v + count + 1);
	if (lines.n > 0)
		memcpy(text, lines.p, lines.n);
	text[lines.n] = '\0';
	for (*n = 0; *n < count; at = nl + 1) {
		nl = view_chr(lines, '\n', at);
		text[nl] = '\0';
		v[(*n)++] = text + at;
	}
	return v;
}

static int visit_row(sqlite3_stmt *st, held_visit *visit, void *arg,
    struct err *e)
{
	struct view cert = ks_column(st, H_CERT);
	struct held_mail m = { .id = text_at(st, H_ID) };
	const char **rcpt;
	int rc;

	if (cert.n != sizeof(m.cert))
		return err_set(e, FAIL_CONFIG, "keystore: damaged row of held "
		    "mail");
	rcpt = split_lines(ks_column(st, H_RCPTS), &m.rcpts);
	if (rcpt == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	memcpy(m.cert, cert.p, sizeof(m.cert));
	m.rcpt = rcpt;
	m.at = sqlite3_column_int64(st, H_AT);
	m.direction = sqlite3_column_int(st, H_DIRECTION);
	m.sender = text_at(st, H_SENDER);
	m.login = text_at(st, H_LOGIN);
	m.client = text_at(st, H_CLIENT);
	m.reason = text_at(st, H_REASON);
	m.size = (uint64_t)sqlite3_column_int64(st, H_SIZE);
	m.may_tell = sqlite3_column_int(st, H_TELL) != 0;
	rc = visit(arg, &m, e);
	free(rcpt);
	return rc;
}

int keystore_held_list(struct keystore *ks, const char *id, int64_t before,
    held_visit *visit, void *arg, struct err *e)
{
	sqlite3_stmt *st;
	size_t n = 0;
	int rc;

	if (!has_tables(ks))
		return id == NULL ? 0 : no_such(id, e);
	if (id != NULL)
		st = about(ks, ST_HELD_GET, id, e);
	else
		st = ks_stmt(ks, ST_HELD_LIST, e);
	if (st == NULL)
		return -1;
	if (id == NULL)
		sqlite3_bind_int64(st, 1, before);
	for (; (rc = ks_step(ks, st, e)) == 1; n++)
		if (visit_row(st, visit, arg, e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
	return rc == 0 && id != NULL && n == 0 ? no_such(id, e) : rc;
}

/* 1, 0 no such part, -1. */
static int read_part(struct keystore *ks, const char *id, int n,
    struct spool *out, struct err *e)
{
	sqlite3_stmt *st = about(ks, ST_HELD_PART, id, e);
	struct view v;
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int(st, 2, n);
	rc = ks_step(ks, st, e);
	if (rc != 1)
		return rc;
	v = ks_column(st, 0);
	rc = spool_write(out, v.p, v.n, e) == 0 ? 1 : -1;
	sqlite3_reset(st);
	return rc;
}

int keystore_held_read(struct keystore *ks, const char *id,
    struct spool *out, struct err *e)
{
	uint64_t size, was = spool_size(out);
	int rc = 0;

	if (has_tables(ks))
		rc = is_held(ks, id, &size, e);
	if (rc <= 0)
		return rc == 0 ? no_such(id, e) : -1;
	for (int i = 0; rc == 1; i++)
		rc = read_part(ks, id, i, out, e);
	if (rc == 0 && spool_size(out) - was != size)
		return err_set(e, FAIL_INPUT, "held mail %s: parts of it are "
		    "missing", id);
	return rc;
}

int keystore_held_total(struct keystore *ks, uint64_t *n, uint64_t *octets,
    struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	*n = *octets = 0;
	if (!has_tables(ks))
		return 0;
	st = ks_stmt(ks, ST_HELD_TOTAL, e);
	if (st == NULL)
		return -1;
	rc = ks_step(ks, st, e);
	if (rc != 1)
		return -1;
	*n = (uint64_t)sqlite3_column_int64(st, 0);
	*octets = (uint64_t)sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	return 0;
}

/* ---- removing ---- */

static int run_about(struct keystore *ks, enum ks_stmt which, const char *id,
    struct err *e)
{
	sqlite3_stmt *st = about(ks, which, id, e);

	return st == NULL ? -1 : ks_run(ks, st, e);
}

int keystore_held_remove(struct keystore *ks, const char *id,
    const char *action, const char *detail, struct err *e)
{
	uint64_t size;
	bool began;
	int rc;

	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = is_held(ks, id, &size, e);
	if (rc == 0)
		rc = no_such(id, e);
	if (rc == 1 && run_about(ks, ST_HELD_PARTS_DELETE, id, e) == 0 &&
	    run_about(ks, ST_HELD_DELETE, id, e) == 0)
		rc = ks_note(ks, action, id, detail, e);
	else
		rc = -1;
	return ks_end(ks, began, rc, e);
}

int keystore_held_left(struct keystore *ks, const char *id,
    const char *const *rcpt, size_t rcpts, struct err *e)
{
	sqlite3_stmt *st;
	bool began;
	int rc = -1;

	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	st = about(ks, ST_HELD_LEFT, id, e);
	if (st != NULL && bind_rcpts(st, 2, rcpt, rcpts, e) == 0)
		rc = ks_run(ks, st, e);
	return ks_end(ks, began, rc, e);
}

int keystore_held_note(struct keystore *ks, const char *id,
    const char *action, const char *detail, struct err *e)
{
	bool began;

	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	return ks_end(ks, began, ks_note(ks, action, id, detail, e), e);
}
