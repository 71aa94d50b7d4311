/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What an anchor is trusted for: some uses, some partners' domains. Who
 * asks says what for; an anchor outside of its scope is none.
 */
#include "keystore/keystore_int.h"

#include <string.h>

#include "util/ossl.h"

int ks_scopes_drop(struct keystore *ks, const unsigned char sha256[32],
    struct err *e)
{
	return ks_run_about(ks, ST_SCOPE_DROP, sha256, e);
}

static int add_scope(struct keystore *ks, const unsigned char sha256[32],
    const struct ks_scope *s, struct err *e)
{
	sqlite3_stmt *st;

	if (s->purpose == 0 || (s->purpose & ~(unsigned)KS_FOR_ALL) != 0)
		return err_set(e, FAIL_BUG, "scope with purpose %u",
		    s->purpose);
	st = ks_stmt(ks, ST_SCOPE_ADD, e);
	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, view_make(sha256, 32));
	sqlite3_bind_text(st, 2, s->domain, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(st, 3, (int)s->purpose);
	return ks_run(ks, st, e);
}

static bool is_everything(const struct ks_scope *s)
{
	return s->domain[0] == '\0' && s->purpose == KS_FOR_ALL;
}

static int note_scopes(struct keystore *ks, const unsigned char sha256[32],
    const struct ks_scope *scope, size_t n, struct err *e)
{
	struct buf text;
	char hex[65];
	int rc;

	buf_init(&text, CAP_SCOPES * 300);
	ks_scope_text(scope, n, &text);
	rc = ks_note(ks, "limit trust", hex_encode(hex, sha256, 32),
	    buf_str(&text), e);
	buf_free(&text);
	return rc;
}

int keystore_trust(struct keystore *ks, const unsigned char sha256[32],
    const struct ks_scope *scope, size_t n, struct err *e)
{
	bool began;
	size_t i;
	int rc;

	if (n > CAP_SCOPES)
		return err_set(e, FAIL_LIMIT, "%zu domains for one root, at "
		    "most %d allowed", n, CAP_SCOPES);
	if (n == 1 && is_everything(scope))
		n = 0;
	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	/* drops what was said before, and the caches */
	rc = keystore_set_anchor(ks, sha256, true, e);
	for (i = 0; rc == 0 && i < n; i++)
		rc = add_scope(ks, sha256, &scope[i], e);
	if (rc == 0 && n > 0)
		rc = note_scopes(ks, sha256, scope, n, e);
	return ks_end(ks, began, rc, e);
}

int keystore_scopes(struct keystore *ks, const unsigned char sha256[32],
    struct ks_scope *out, size_t *n, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	*n = 0;
	if (ks->schema < KS_SCHEMA_LIFE)
		return 0;
	st = ks_stmt(ks, ST_SCOPE_OF, e);
	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, view_make(sha256, 32));
	sqlite3_bind_int(st, 2, CAP_SCOPES);
	while ((rc = ks_step(ks, st, e)) == 1) {
		if (view_cstr(ks_column(st, 0), out[*n].domain,
		    sizeof(out->domain)) != 0) {
			sqlite3_reset(st);
			return err_set(e, FAIL_CONFIG,
			    "keystore: damaged scope");
		}
		out[(*n)++].purpose = (unsigned)sqlite3_column_int(st, 1);
	}
	return rc;
}

int keystore_is_scoped(struct keystore *ks, bool *yes, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	*yes = false;
	if (ks->schema < KS_SCHEMA_LIFE)
		return 0;
	if (ks->scopes == SCOPES_NOT_ASKED) {
		st = ks_stmt(ks, ST_SCOPE_ANY, e);
		if (st == NULL || (rc = ks_step(ks, st, e)) < 0)
			return -1;
		sqlite3_reset(st);
		ks->scopes = rc == 1 ? SCOPES_SOME : SCOPES_NONE;
	}
	*yes = ks->scopes == SCOPES_SOME;
	return 0;
}

/* ---- does it cover? ---- */

/* "*.d" is what is below d, by label. */
static bool covers_domain(const char *scope, const char *domain)
{
	size_t n, m;

	if (scope[0] == '\0')
		return true;
	if (scope[0] != '*')
		return strcmp(scope, domain) == 0;
	n = strlen(domain);
	m = strlen(scope) - 1;
	return n > m && strcmp(domain + n - m, scope + 1) == 0;
}

static bool covers(const struct ks_scope *s, const struct path_query *q)
{
	return (s->purpose & q->purpose) != 0 &&
	    (q->domain == NULL || covers_domain(s->domain, q->domain));
}

/* "signatures and encryption"; nothing when it is everything. */
static void put_purposes(unsigned purpose, struct buf *out)
{
	static const struct {
		unsigned bit;
		const char *name;
	} purposes[] = {
		{ KS_FOR_SIGN, "signatures" },
		{ KS_FOR_ENCRYPT, "encryption" },
		{ KS_FOR_TLS, "TLS" },
	};
	bool any = false;
	size_t i;

	for (i = 0; purpose != KS_FOR_ALL && i < ARRAY_LEN(purposes); i++) {
		if ((purpose & purposes[i].bit) == 0)
			continue;
		buf_printf(out, "%s%s", any ? " and " : "", purposes[i].name);
		any = true;
	}
}

void ks_scope_text(const struct ks_scope *scope, size_t n, struct buf *out)
{
	size_t i;

	if (n == 0) {
		buf_puts(out, "everything");
		return;
	}
	for (i = 0; i < n; i++) {
		bool same = i > 0 && scope[i].purpose == scope[i - 1].purpose;

		if (i > 0)
			buf_puts(out, same ? ", " : "; ");
		if (!same)
			put_purposes(scope[i].purpose, out);
		if (scope[i].domain[0] == '\0')
			continue;
		if (!same && scope[i].purpose != KS_FOR_ALL)
			buf_puts(out, " of ");
		buf_printf(out, "@%s", scope[i].domain);
	}
}

static void say_scope(const struct cert *anchor, const struct ks_scope *scope,
    size_t n, struct err *why)
{
	struct buf text;

	buf_init(&text, CAP_SCOPES * 300);
	ks_scope_text(scope, n, &text);
	(void)err_set(why, FAIL_POLICY, "its root is trusted for %.100s%s only "
	    "(%.60s)", buf_str(&text), text.n > 100 ? "..." : "",
	    cert_subject(anchor));
	buf_free(&text);
}

int ks_scope_admits(struct keystore *ks, const struct cert *anchor,
    const struct path_query *q, bool *yes, struct err *why, struct err *e)
{
	struct ks_scope scope[CAP_SCOPES];
	size_t n, i;
	bool any;

	*yes = true;
	if (keystore_is_scoped(ks, &any, e) != 0)
		return -1;
	if (!any)
		return 0;
	if (keystore_scopes(ks, cert_sha256(anchor), scope, &n, e) != 0)
		return -1;
	*yes = n == 0;
	for (i = 0; i < n && !*yes; i++)
		*yes = covers(&scope[i], q);
	if (!*yes && why->kind == 0)
		say_scope(anchor, scope, n, why);
	return 0;
}
