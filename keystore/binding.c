/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates that an administrator tied to an address or a domain. What
 * follows from that for a choice is in select.c and fitness.c.
 */
#include "keystore/keystore_int.h"

#include <string.h>
#include <time.h>

#include "util/ossl.h"

#define WHO_SIZE sizeof(((struct addr *)0)->text)

/* The one form in which who is kept: as addr_key(), or "@domain". */
static int read_who(enum ks_binding kind, const char *who, char key[WHO_SIZE],
    struct err *e)
{
	struct addr a;

	if (kind == KS_DOMAIN) {
		if (who[0] != '@')
			return err_set(e, FAIL_INPUT, "\"%s\": want @domain",
			    who);
		key[0] = '@';
		return addr_domain_parse(key + 1, WHO_SIZE - 1,
		    view_of(who + 1), e);
	}
	if (addr_parse(&a, view_of(who), e) != 0)
		return -1;
	addr_key(&a, key);
	return 0;
}

static sqlite3_stmt *stmt_for_who(struct keystore *ks, enum ks_stmt which,
    const char *key, enum ks_binding kind, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, which, e);

	if (st == NULL)
		return NULL;
	sqlite3_bind_text(st, 1, key, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(st, 2, (int)kind);
	return st;
}

static int check_room(struct keystore *ks, enum ks_binding kind,
    const char *key, struct err *e)
{
	sqlite3_stmt *st = stmt_for_who(ks, ST_BINDING_COUNT, key, kind, e);
	int n;

	if (st == NULL || ks_step(ks, st, e) != 1)
		return -1;
	n = sqlite3_column_int(st, 0);
	sqlite3_reset(st);
	if (n >= CAP_BINDINGS)
		return err_set(e, FAIL_LIMIT, "%s: %d certificates are tied to "
		    "it already, at most %d allowed", key, n, CAP_BINDINGS);
	return 0;
}

static int check_cert(struct keystore *ks, const unsigned char sha256[32],
    struct err *e)
{
	struct ks_row r;
	int rc = 0;

	if (ks_cert_get(ks, sha256, &r, e) != 0)
		return -1;
	if (cert_is_ca(r.cert))
		rc = err_set(e, FAIL_INPUT, "%s: a CA certificate, nobody "
		    "encrypts to it (RFC 8550 4.4.1)", cert_subject(r.cert));
	ks_row_free(&r);
	return rc;
}

static int tie(struct keystore *ks, enum ks_binding kind, const char *key,
    const unsigned char sha256[32], struct err *e)
{
	sqlite3_stmt *st;

	if (check_cert(ks, sha256, e) != 0 ||
	    check_room(ks, kind, key, e) != 0)
		return -1;
	st = stmt_for_who(ks, ST_BINDING_ADD, key, kind, e);
	if (st == NULL)
		return -1;
	ks_bind_view(st, 3, view_make(sha256, 32));
	sqlite3_bind_int64(st, 4, (int64_t)time(NULL));
	return ks_run(ks, st, e);
}

static int untie(struct keystore *ks, enum ks_binding kind, const char *key,
    const unsigned char sha256[32], struct err *e)
{
	sqlite3_stmt *st = stmt_for_who(ks, ST_BINDING_DELETE, key, kind, e);

	if (st == NULL)
		return -1;
	ks_bind_view(st, 3, view_make(sha256, 32));
	if (ks_run(ks, st, e) != 0)
		return -1;
	if (sqlite3_changes(ks->db) == 0)
		return err_set(e, FAIL_INPUT, kind == KS_PIN
		    ? "%s: this certificate is not pinned for it"
		    : "%s: this certificate is not assigned to it", key);
	return 0;
}

int keystore_bind(struct keystore *ks, enum ks_binding kind, const char *who,
    const unsigned char sha256[32], bool on, struct err *e)
{
	static const char *const action[][2] = {
		[KS_PIN] = { "unpin certificate", "pin certificate" },
		[KS_DOMAIN] = { "unassign certificate",
		    "assign certificate" },
	};
	char key[WHO_SIZE], hex[65];
	bool began;
	int rc;

	if (read_who(kind, who, key, e) != 0 ||
	    ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = on ? tie(ks, kind, key, sha256, e) :
	    untie(ks, kind, key, sha256, e);
	if (rc == 0)
		rc = ks_note(ks, action[kind][on], key,
		    hex_encode(hex, sha256, 32), e);
	if (rc == 0)
		rc = ks_bump(ks, false, e);
	return ks_end(ks, began, rc, e);
}

int ks_bindings_drop(struct keystore *ks, const unsigned char sha256[32],
    struct err *e)
{
	return ks_run_about(ks, ST_BINDING_DROP, sha256, e);
}

static int read_row(sqlite3_stmt *st, struct ks_binding_row *r, struct err *e)
{
	struct view sha = ks_column(st, 2);

	r->who = (const char *)sqlite3_column_text(st, 0);
	if (sha.n != 32 || r->who == NULL)
		return err_set(e, FAIL_CONFIG, "keystore: damaged binding");
	r->kind = (enum ks_binding)sqlite3_column_int(st, 1);
	memcpy(r->sha256, sha.p, 32);
	r->added = sqlite3_column_int64(st, 3);
	return 0;
}

int keystore_bindings(struct keystore *ks, const unsigned char *sha256,
    ks_binding_visit *visit, void *arg, struct err *e)
{
	struct ks_binding_row r;
	sqlite3_stmt *st;
	int rc;

	if (ks->schema < KS_SCHEMA_LIFE)
		return 0;
	st = ks_stmt(ks, sha256 != NULL ? ST_BINDING_OF : ST_BINDING_LIST, e);
	if (st == NULL)
		return -1;
	if (sha256 != NULL)
		ks_bind_view(st, 1, view_make(sha256, 32));
	while ((rc = ks_step(ks, st, e)) == 1)
		if (read_row(st, &r, e) != 0 || visit(arg, &r, e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
	return rc;
}
