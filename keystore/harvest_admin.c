/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What an administrator does with harvested certificates: look, approve,
 * reject; and importing one makes it his own.
 */
#include "keystore/harvest_int.h"

#include <string.h>

/* ---- looking ---- */

static int visit_harvested(struct keystore *ks, sqlite3_stmt *st,
    harvest_visit *visit, void *arg, struct err *e)
{
	struct ks_harvested x;
	struct harvest_row h;
	const char *reason;
	int rc;

	if (st == NULL)
		return -1;
	while ((rc = ks_step(ks, st, e)) == 1) {
		rc = ks_harvest_read(st, &x, e);
		reason = (const char *)sqlite3_column_text(st, 5);
		h = (struct harvest_row){ .address = x.who,
			.first_seen = x.first, .last_seen = x.last,
			.days = x.days, .reason = reason == NULL ? "" :
			reason };
		memcpy(h.cert, x.cert, sizeof(h.cert));
		if (rc == 0)
			rc = visit(arg, &h, e);
		if (rc != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	return rc;
}

int harvest_list_pending(struct keystore *ks, harvest_visit *visit, void *arg,
    struct err *e)
{
	if (ks->schema < KS_SCHEMA_LIFE)
		return 0;
	return visit_harvested(ks, ks_stmt(ks, ST_HARVEST_PENDING, e), visit,
	    arg, e);
}

int harvest_list_of(struct keystore *ks, const unsigned char sha256[32],
    harvest_visit *visit, void *arg, struct err *e)
{
	if (ks->schema < KS_SCHEMA_LIFE)
		return 0;
	return visit_harvested(ks, ks_harvest_stmt(ks, ST_HARVEST_OF, NULL,
	    sha256, e), visit, arg, e);
}

int harvest_count(struct keystore *ks, size_t *pending, size_t *used,
    struct err *e)
{
	sqlite3_stmt *st;
	int64_t all, serving;

	*pending = 0;
	if (used != NULL)
		*used = 0;
	if (ks->schema < KS_SCHEMA_LIFE)
		return 0;
	st = ks_stmt(ks, ST_HARVEST_COUNTS, e);
	if (st == NULL || ks_step(ks, st, e) != 1)
		return -1;
	all = sqlite3_column_int64(st, 0);
	serving = sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	*pending = (size_t)(all - serving);
	if (used != NULL)
		*used = (size_t)serving;
	return 0;
}

/* ---- deciding ---- */

/* What a walk over a table finds, to be changed after it. */
struct found {
	struct ks_harvested x[CAP_CERT_ADDRESSES];
	size_t n;
	size_t waiting;
};

static int take_harvested(void *arg, const struct harvest_row *h,
    struct err *e)
{
	struct found *f = arg;
	struct ks_harvested *x = &f->x[f->n];

	(void)e;
	if (f->n == ARRAY_LEN(f->x))
		return 0;
	memset(x, 0, sizeof(*x));
	text_set(x->who, sizeof(x->who), h->address);
	memcpy(x->cert, h->cert, sizeof(x->cert));
	x->is = true;
	x->first = h->first_seen;
	x->last = h->last_seen;
	x->days = h->days;
	x->serves = h->reason[0] == '\0';
	f->waiting += !x->serves;
	f->n++;
	return 0;
}

/* Certificates with another key, of one address. */
struct others {
	unsigned char spki[32];
	unsigned char sha256[KS_CANDIDATES][32];
	size_t n;
};

static int take_other(void *arg, const struct ks_row *r, struct err *e)
{
	struct others *o = arg;

	(void)e;
	if (o->n < KS_CANDIDATES &&
	    (r->state == KS_USABLE || r->state == KS_PENDING) &&
	    memcmp(cert_spki_sha256(r->cert), o->spki, 32) != 0)
		memcpy(o->sha256[o->n++], cert_sha256(r->cert), 32);
	return 0;
}

static int run_on(struct keystore *ks, enum ks_stmt which,
    const unsigned char sha256[32], int value, struct err *e)
{
	sqlite3_stmt *st = ks_harvest_stmt(ks, which, NULL, sha256, e);

	if (st == NULL)
		return -1;
	if (sqlite3_bind_parameter_count(st) > 1)
		sqlite3_bind_int(st, 2, value);
	return ks_run(ks, st, e);
}

/* It serves this address no more; with its last one it is superseded. */
static int replace_one(struct keystore *ks, const char *who,
    const unsigned char sha256[32], size_t *replaced, struct err *e)
{
	struct ks_harvested x, left;
	sqlite3_stmt *st;

	if (ks_harvest_one(ks, ks_harvest_stmt(ks, ST_HARVEST_GET, who,
	    sha256, e), &x, e) != 0)
		return -1;
	if (!x.is)
		return 0; /* imported: not for us to replace */
	st = ks_harvest_stmt(ks, ST_HARVEST_DELETE, who, sha256, e);
	if (st == NULL || ks_run(ks, st, e) != 0 ||
	    ks_harvest_note(ks, "replace certificate", sha256, who, e) != 0 ||
	    ks_harvest_one(ks, ks_harvest_stmt(ks, ST_HARVEST_OF, NULL,
	    sha256, e), &left, e) != 0)
		return -1;
	(*replaced)++;
	if (!left.is)
		return run_on(ks, ST_CERT_STATE, sha256, KS_SUPERSEDED, e);
	return ks_harvest_index(ks, sha256, true, e);
}

static int replace_others(struct keystore *ks, const char *who,
    const unsigned char spki[32], size_t *replaced, struct err *e)
{
	struct others o = { .n = 0 };
	sqlite3_stmt *st = ks_harvest_stmt(ks, ST_HARVEST_OTHERS, who, NULL,
	    e);
	size_t i;

	memcpy(o.spki, spki, sizeof(o.spki));
	if (st != NULL)
		sqlite3_bind_int(st, 2, KS_CANDIDATES);
	if (ks_visit_rows(ks, st, take_other, &o, e) != 0)
		return -1;
	for (i = 0; i < o.n; i++)
		if (replace_one(ks, who, o.sha256[i], replaced, e) != 0)
			return -1;
	return 0;
}

static int find_waiting(struct keystore *ks, const unsigned char sha256[32],
    struct ks_row *r, struct found *f, struct err *e)
{
	if (ks_cert_get(ks, sha256, r, e) != 0)
		return -1;
	if (harvest_list_of(ks, sha256, take_harvested, f, e) == 0 &&
	    f->waiting > 0)
		return 0;
	if (e == NULL || e->kind == 0)
		(void)err_set(e, FAIL_INPUT, "certificate %.16s does not "
		    "wait: it is %s (source %s)", cert_sha256_hex(r->cert),
		    ks_state_str(r->state), ks_source_str(r->source));
	ks_row_free(r);
	return -1;
}

static int approve(struct keystore *ks, const struct ks_row *r,
    struct found *f, bool replace, size_t *replaced, struct err *e)
{
	const unsigned char *sha256 = cert_sha256(r->cert);
	size_t i;

	for (i = 0; i < f->n; i++) {
		f->x[i].serves = true;
		if (ks_harvest_put(ks, &f->x[i], "", e) != 0 ||
		    ks_harvest_note(ks, "approve certificate", sha256,
		    f->x[i].who, e) != 0)
			return -1;
		if (replace && replace_others(ks, f->x[i].who,
		    cert_spki_sha256(r->cert), replaced, e) != 0)
			return -1;
	}
	if (run_on(ks, ST_CERT_SOURCE, sha256, KS_IMPORT, e) != 0 ||
	    run_on(ks, ST_CERT_STATE, sha256, KS_USABLE, e) != 0 ||
	    ks_harvest_index(ks, sha256, true, e) != 0)
		return -1;
	return ks_bump(ks, false, e);
}

int harvest_approve(struct keystore *ks, const unsigned char sha256[32],
    bool replace, size_t *replaced, struct err *e)
{
	struct found f = { .n = 0 };
	size_t none = 0;
	struct ks_row r;
	bool began;
	int rc;

	if (replaced == NULL)
		replaced = &none;
	*replaced = 0;
	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = find_waiting(ks, sha256, &r, &f, e);
	if (rc == 0) {
		rc = approve(ks, &r, &f, replace, replaced, e);
		ks_row_free(&r);
	}
	return ks_end(ks, began, rc, e);
}

static int reject(struct keystore *ks, const unsigned char sha256[32],
    struct err *e)
{
	struct found f = { .n = 0 };
	struct ks_row r;
	int rc = -1;
	size_t i;

	if (ks_cert_get(ks, sha256, &r, e) != 0)
		return -1;
	if (harvest_list_of(ks, sha256, take_harvested, &f, e) != 0)
		goto out;
	if (f.n == 0) {
		(void)err_set(e, FAIL_INPUT, "certificate %.16s was not "
		    "harvested (source %s, %s); \"postseal cert distrust\" "
		    "is for any", cert_sha256_hex(r.cert),
		    ks_source_str(r.source), ks_state_str(r.state));
		goto out;
	}
	for (i = 0; i < f.n; i++)
		if (ks_harvest_note(ks, "reject certificate", sha256,
		    f.x[i].who, e) != 0)
			goto out;
	rc = keystore_set_state(ks, sha256, KS_DISTRUSTED, e);
out:
	ks_row_free(&r);
	return rc;
}

int harvest_reject(struct keystore *ks, const unsigned char sha256[32],
    struct err *e)
{
	bool began;
	int rc;

	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = reject(ks, sha256, e);
	return ks_end(ks, began, rc, e);
}

/* ---- with the rest of the store ---- */

int ks_harvest_forget(struct keystore *ks, const unsigned char sha256[32],
    struct err *e)
{
	return run_on(ks, ST_HARVEST_FORGET, sha256, 0, e);
}

int ks_harvest_adopt(struct keystore *ks, const unsigned char sha256[32],
    enum ks_source source, bool *adopted, struct err *e)
{
	struct ks_harvested any;
	struct ks_row r;
	enum ks_state state;

	*adopted = false;
	if (source != KS_IMPORT && source != KS_CA)
		return 0;
	if (ks_harvest_one(ks, ks_harvest_stmt(ks, ST_HARVEST_OF, NULL,
	    sha256, e), &any, e) != 0)
		return -1;
	/* of ten thousand duplicates that are imported, hardly any */
	if (!any.is)
		return 0;
	if (ks_cert_get(ks, sha256, &r, e) != 0)
		return -1;
	state = r.state;
	ks_row_free(&r);
	*adopted = true;
	if (run_on(ks, ST_CERT_SOURCE, sha256, (int)source, e) != 0 ||
	    (state == KS_PENDING && run_on(ks, ST_CERT_STATE, sha256,
	    KS_USABLE, e) != 0))
		return -1;
	return ks_harvest_forget(ks, sha256, e);
}
