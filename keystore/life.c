/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Counts and dates of the keystore. SQL does the work: a store may have a
 * hundred thousand certificates, and these are asked every minute.
 */
#include "keystore/life.h"

#include <string.h>

#include "keystore/keystore_int.h"

#define NOTICE_META "notice"

/* A statement with times bound in order. */
static sqlite3_stmt *with_times(struct keystore *ks, enum ks_stmt which,
    int64_t a, int64_t b, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, which, e);

	if (st != NULL && sqlite3_bind_parameter_count(st) > 0)
		sqlite3_bind_int64(st, 1, a);
	if (st != NULL && sqlite3_bind_parameter_count(st) > 1)
		sqlite3_bind_int64(st, 2, b);
	return st;
}

/* One row of numbers. */
static int numbers(struct keystore *ks, enum ks_stmt which, int64_t now,
    int64_t *out, size_t n, struct err *e)
{
	sqlite3_stmt *st = with_times(ks, which, now, 0, e);
	size_t i;
	int rc;

	if (st == NULL)
		return -1;
	rc = ks_step(ks, st, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(e, FAIL_BUG, "keystore: a count without row");
	for (i = 0; i < n; i++)
		out[i] = sqlite3_column_int64(st, (int)i);
	sqlite3_reset(st);
	return 0;
}

int life_count(struct keystore *ks, int64_t now, struct life_counts *out,
    struct err *e)
{
	int64_t x[13] = { 0 };

	memset(out, 0, sizeof(*out));
	if (numbers(ks, ST_LIFE_CERTS, now, x, 8, e) != 0)
		return -1;
	out->certs = (size_t)x[0];
	out->with_key = (size_t)x[1];
	out->anchors = (size_t)x[2];
	out->expired = (size_t)x[3];
	out->pending = (size_t)x[4];
	out->distrusted = (size_t)x[5];
	out->superseded = (size_t)x[6];
	out->harvested = (size_t)x[7];
	if (ks->schema < KS_SCHEMA_LIFE)
		return 0;
	if (numbers(ks, ST_LIFE_LISTS, now, x, 7, e) != 0)
		return -1;
	out->requests = (size_t)x[0];
	out->oldest_request = x[1];
	out->crls = (size_t)x[2];
	out->stale_crls = (size_t)x[3];
	out->next_crl = x[4];
	out->fetches = (size_t)x[5];
	out->failed_fetches = (size_t)x[6];
	return 0;
}

int life_partners(struct keystore *ks, int64_t now, int64_t soon_s, struct
    life_partners *out, struct err *e)
{
	sqlite3_stmt *st = with_times(ks, ST_LIFE_PARTNERS, INT64_MIN,
	    INT64_MAX, e);
	int64_t ends;
	int rc;

	memset(out, 0, sizeof(*out));
	if (st == NULL)
		return -1;
	while ((rc = ks_step(ks, st, e)) == 1) {
		ends = sqlite3_column_int64(st, 1);
		if (ends <= now)
			out->expired++;
		else if (ends - now <= soon_s)
			out->soon++;
		else
			out->valid++;
		if (ends > now && (out->next == 0 || ends < out->next))
			out->next = ends;
	}
	return rc;
}

static int each_end(struct keystore *ks, sqlite3_stmt *st, size_t most,
    life_visit *visit, void *arg, struct err *e)
{
	size_t n = 0;
	int rc = 0;

	if (st == NULL)
		return -1;
	while (n++ < most && (rc = ks_step(ks, st, e)) == 1)
		if (visit(arg, (const char *)sqlite3_column_text(st, 0),
		    sqlite3_column_int64(st, 1), e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

int life_partners_ending(struct keystore *ks, int64_t from, int64_t until,
    size_t most, life_visit *visit, void *arg, struct err *e)
{
	return each_end(ks, with_times(ks, ST_LIFE_PARTNERS, from, until, e),
	    most, visit, arg, e);
}

int life_fetch_failures(struct keystore *ks, life_visit *visit, void *arg,
    struct err *e)
{
	return ks->schema < KS_SCHEMA_LIFE ? 0 : each_end(ks,
	    with_times(ks, ST_LIFE_FAILED, 0, 0, e), SIZE_MAX, visit, arg, e);
}

struct ending {
	life_visit *visit;
	void *arg;
};

static int on_ca(void *arg, const struct ks_row *r, struct err *e)
{
	struct ending *x = arg;

	return x->visit(x->arg, cert_subject(r->cert),
	    cert_not_after(r->cert), e);
}

int life_cas_ending(struct keystore *ks, int64_t from, int64_t until,
    life_visit *visit, void *arg, struct err *e)
{
	struct ending x = { visit, arg };

	return ks_visit_rows(ks, with_times(ks, ST_LIFE_CAS, from, until, e),
	    on_ca, &x, e);
}

int life_own(struct keystore *ks, ks_visit *visit, void *arg, struct err *e)
{
	return ks_visit_rows(ks, with_times(ks, ST_LIFE_OWN, 0, 0, e), visit,
	    arg, e);
}

/* ---- notices ---- */

int life_notice_get(struct keystore *ks, struct life_notice *out, struct err
    *e)
{
	struct buf text;
	bool found;
	int rc;

	memset(out, 0, sizeof(*out));
	buf_init(&text, sizeof(out->hash));
	rc = ks_meta_get(ks, NOTICE_META, &out->sent, &text, &found, e);
	if (rc == 0 && found && text.n == sizeof(out->hash) - 1)
		memcpy(out->hash, text.p, text.n);
	buf_free(&text);
	return rc;
}

int life_notice_set(struct keystore *ks, const struct life_notice *n, struct
    err *e)
{
	bool began;
	int rc;

	if (ks_change(ks, &began, false, e) != 0)
		return -1;
	rc = ks_meta_set(ks, NOTICE_META, n->sent, n->hash, e);
	return ks_end(ks, began, rc, e);
}
