/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Storing a CRL. One of 200,000 entries takes seconds to write; so it is
 * written beside the one that is in use, some entries at a time, and then
 * takes its place in one small transaction. A list that is being written or
 * being dropped has no name (0) and is seen by nobody; if we are killed, the
 * next import clears it away.
 */
#include "keystore/crl_int.h"

#include <string.h>
#include <time.h>

#include "util/ossl.h"
#include "util/when.h"

#define SLICE 4000 /* entries in one transaction */

struct known {
	bool is_there;
	int64_t id;
	int64_t this_update;
	unsigned char number[CRL_NUMBER_MAX + 1];
	size_t number_n; /* 0: none */
	bool is_same;	 /* octet for octet */
};

static int read_known(struct rev_import *im, const struct crl *c,
    const struct cert *ca, struct known *k, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(im->ks, ST_CRL_GET, e);
	unsigned char key[32];
	struct view number;
	int rc;

	memset(k, 0, sizeof(*k));
	if (st == NULL)
		return -1;
	crl_scope_key(&c->scope, cert_spki_sha256(ca), key);
	sqlite3_bind_int64(st, 1, ks_hash_of_name(c->name));
	ks_bind_view(st, 2, view_make(key, 32));
	rc = ks_step(im->ks, st, e);
	if (rc <= 0)
		return rc;
	k->is_there = true;
	k->id = sqlite3_column_int64(st, 0);
	k->this_update = sqlite3_column_int64(st, 1);
	k->is_same = view_eq(ks_column(st, 3), view_make(im->sha256, 32));
	number = view_sub(ks_column(st, 2), 0, sizeof(k->number));
	if (number.n > 0)
		memcpy(k->number, number.p, number.n);
	k->number_n = number.n;
	sqlite3_reset(st);
	return 0;
}

static int compare_numbers(struct view a, struct view b)
{
	if (a.n != b.n)
		return a.n < b.n ? -1 : 1;
	return memcmp(a.p, b.p, a.n);
}

/* RFC 5280 5.2.3: numbers decide where both have one. */
static bool is_newer(const struct crl *c, const struct known *k)
{
	if (c->this_update < k->this_update)
		return false;
	if (c->number.n > 0 && k->number_n > 0)
		return compare_numbers(c->number, view_make(k->number,
		    k->number_n)) > 0;
	return c->this_update > k->this_update;
}

static int refuse_older(const struct known *k, struct err *e)
{
	char date[32];
	char hex[2 * sizeof(k->number) + 1];

	return err_set(e, FAIL_POLICY, "not newer than the one in the "
	    "keystore (of %s, number %s); if it is right after all, "
	    "\"postseal crl remove\" drops that one first",
	    when_date(date, k->this_update), k->number_n == 0 ? "none" :
	    hex_encode(hex, k->number, k->number_n));
}

/* ---- statements ---- */

static int insert_list(struct rev_import *im, const struct crl *c,
    const struct cert *ca, int64_t *id, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(im->ks, ST_CRL_ADD, e);
	unsigned char key[33] = { 0 };

	if (st == NULL)
		return -1;
	memcpy(key, im->sha256, 32); /* longer than any that is asked for */
	sqlite3_bind_int64(st, 1, 0);
	ks_bind_view(st, 2, view_make(key, sizeof(key)));
	sqlite3_bind_text(st, 3, im->item->what, -1, SQLITE_TRANSIENT);
	if (c->number.n > 0)
		ks_bind_view(st, 4, c->number);
	sqlite3_bind_int64(st, 5, c->this_update);
	sqlite3_bind_int64(st, 6, c->next_update);
	ks_bind_view(st, 7, view_make(im->sha256, 32));
	sqlite3_bind_int64(st, 8, (int64_t)time(NULL));
	sqlite3_bind_int64(st, 9, (int64_t)c->n);
	ks_bind_view(st, 10, view_make(cert_spki_sha256(ca), 32));
	sqlite3_bind_int(st, 11, c->scope.covers);
	sqlite3_bind_text(st, 12, buf_str(&c->scope.points), -1,
	    SQLITE_TRANSIENT);
	if (ks_run(im->ks, st, e) != 0)
		return -1;
	*id = sqlite3_last_insert_rowid(im->ks->db);
	return 0;
}

/* Some entries off the front of list. */
static int insert_entries(struct keystore *ks, struct view *list, int64_t id,
    struct err *e)
{
	struct crl_entry x;
	sqlite3_stmt *st;
	size_t n;

	for (n = 0; list->n > 0 && n < SLICE; n++) {
		st = ks_stmt(ks, ST_CRL_ENTRY_ADD, e);
		if (st == NULL || crl_next_entry(list, &x, e) != 0)
			return -1;
		sqlite3_bind_int64(st, 1, id);
		ks_bind_view(st, 2, x.serial);
		sqlite3_bind_int64(st, 3, x.at);
		sqlite3_bind_int(st, 4, x.reason);
		if (ks_run(ks, st, e) != 0)
			return -1;
	}
	return 0;
}

static int run_for_id(struct keystore *ks, enum ks_stmt which, int64_t id,
    struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, which, e);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, id);
	if (which == ST_CRL_ENTRIES_DELETE)
		sqlite3_bind_int64(st, 2, SLICE);
	return ks_run(ks, st, e);
}

/* ---- parts, each a transaction ---- */

/* The next list without a name, or 0. */
static int find_nameless(struct keystore *ks, int64_t *id, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_CRL_NAMELESS, e);
	int rc;

	*id = 0;
	if (st == NULL)
		return -1;
	rc = ks_step(ks, st, e);
	if (rc != 1)
		return rc;
	*id = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

/* Drop some of its entries; *gone: that was all of it. */
static int drop_part(struct keystore *ks, int64_t id, bool *gone,
    struct err *e)
{
	bool began;
	int rc;

	if (ks_change(ks, &began, false, e) != 0)
		return -1;
	rc = run_for_id(ks, ST_CRL_ENTRIES_DELETE, id, e);
	*gone = rc == 0 && sqlite3_changes(ks->db) < SLICE;
	if (*gone)
		rc = run_for_id(ks, ST_CRL_DELETE, id, e);
	return ks_end(ks, began, rc, e);
}

/* What was replaced, or what somebody left half-done. */
static int drop_nameless(struct keystore *ks, struct err *e)
{
	int64_t id;
	bool gone;

	for (;;) {
		if (find_nameless(ks, &id, e) != 0)
			return -1;
		for (gone = id == 0; !gone; ks_between(ks))
			if (drop_part(ks, id, &gone, e) != 0)
				return -1;
		if (id == 0)
			return 0;
	}
}

static int begin_list(struct rev_import *im, const struct crl *c,
    const struct cert *ca, int64_t *id, struct err *e)
{
	bool began;
	int rc;

	if (ks_change(im->ks, &began, false, e) != 0)
		return -1;
	rc = insert_list(im, c, ca, id, e);
	return ks_end(im->ks, began, rc, e);
}

static int write_entries(struct keystore *ks, const struct crl *c, int64_t id,
    struct err *e)
{
	struct view list = c->entries;
	bool began;
	int rc;

	while (list.n > 0) {
		if (ks_change(ks, &began, false, e) != 0)
			return -1;
		rc = insert_entries(ks, &list, id, e);
		if (ks_end(ks, began, rc, e) != 0)
			return -1;
		ks_between(ks);
	}
	return 0;
}

/* Is there anything to do? *needed false: it is here octet for octet. */
static int check_newer(struct rev_import *im, const struct crl *c,
    const struct cert *ca, struct known *k, bool *needed, struct err *e)
{
	if (read_known(im, c, ca, k, e) != 0)
		return -1;
	*needed = !k->is_there || !k->is_same;
	return *needed && k->is_there && !is_newer(c, k) ?
	    refuse_older(k, e) : 0;
}

static int unname(struct keystore *ks, int64_t id, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_CRL_UNNAME, e);
	unsigned char key[sizeof(id)];

	if (st == NULL)
		return -1;
	memcpy(key, &id, sizeof(id)); /* no hash is that short */
	sqlite3_bind_int64(st, 1, id);
	ks_bind_view(st, 2, view_make(key, sizeof(key)));
	return ks_run(ks, st, e);
}

/* The old one loses its name, the new one gets it. */
static int swap(struct rev_import *im, const struct crl *c,
    const struct cert *ca, int64_t id, struct err *e)
{
	unsigned char key[32];
	sqlite3_stmt *st;
	struct known k;
	bool needed;

	/* somebody else may have brought one meanwhile */
	if (check_newer(im, c, ca, &k, &needed, e) != 0)
		return -1;
	if (!needed)
		return 0;
	if (k.is_there && unname(im->ks, k.id, e) != 0)
		return -1;
	st = ks_stmt(im->ks, ST_CRL_NAME, e);
	if (st == NULL)
		return -1;
	crl_scope_key(&c->scope, cert_spki_sha256(ca), key);
	sqlite3_bind_int64(st, 1, id);
	sqlite3_bind_int64(st, 2, ks_hash_of_name(c->name));
	ks_bind_view(st, 3, view_make(key, 32));
	if (ks_run(im->ks, st, e) != 0)
		return -1;
	if (sqlite3_changes(im->ks->db) != 1)
		return err_set(e, FAIL_TEMP, "the list was removed by somebody "
		    "while it was written");
	im->item->added = true;
	return ks_bump(im->ks, false, e);
}

static int put_in_place(struct rev_import *im, const struct crl *c,
    const struct cert *ca, int64_t id, struct err *e)
{
	bool began;
	int rc;

	if (ks_change(im->ks, &began, true, e) != 0)
		return -1;
	rc = swap(im, c, ca, id, e);
	return ks_end(im->ks, began, rc, e);
}

int crl_store(struct rev_import *im, const struct crl *c,
    const struct cert *ca, struct err *e)
{
	struct known k;
	int64_t id = 0;
	bool needed;
	int rc;

	if (check_newer(im, c, ca, &k, &needed, e) != 0)
		return -1;
	if (!needed)
		return 0;
	if (drop_nameless(im->ks, e) != 0 ||
	    begin_list(im, c, ca, &id, e) != 0)
		return -1;
	rc = write_entries(im->ks, c, id, e);
	if (rc == 0)
		rc = put_in_place(im, c, ca, id, e);
	/* its space is all that is at stake: the next import tries again */
	(void)drop_nameless(im->ks, NULL);
	return rc;
}
