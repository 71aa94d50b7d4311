/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the store knows of revocation when a message comes: facts by issuer's
 * key and serial, kept in memory, judged for the time in question. Reads
 * only. Lists themselves are read in crl.c and ocsp.c.
 */
#include "keystore/revocation.h"

#include <stdlib.h>
#include <string.h>

#include "keystore/revocation_int.h"
#include "util/ossl.h"
#include "util/when.h"

enum source { BY_CRL, BY_OCSP, SOURCES };
static const char *const source_name[] = { "CRL", "OCSP" };

/* What one source says of one certificate. */
struct fact {
	bool is_there;
	bool revoked;
	int64_t this_update, until;
	int64_t at;
	int reason;
};

struct facts {
	struct fact by[SOURCES];
};

const char *revocation_str(enum revocation_status s)
{
	static const char *const name[] = {
		[REVOCATION_UNKNOWN] = "unknown",
		[REVOCATION_GOOD] = "good",
		[REVOCATION_REVOKED] = "revoked",
	};

	return name[s];
}

/* ---- facts ---- */

/* Its serial number as the tables have it; empty when it cannot be. */
static struct view serial_of(const struct cert *c)
{
	struct view ias = cert_ias(c);
	struct der seq, name, serial;

	if (der_get(&ias, DER_SEQUENCE, &seq) != 0 ||
	    der_get(&seq.val, DER_SEQUENCE, &name) != 0 ||
	    der_get(&seq.val, DER_INTEGER, &serial) != 0)
		return view_make(NULL, 0);
	return rev_integer(serial.val);
}

static bool is_issued_by(const struct cert *c, const struct cert *ca)
{
	EVP_PKEY *key = X509_get0_pubkey(cert_x509(ca));
	bool yes;

	yes = key != NULL && cert_key_bits(ca) <= CAP_RSA_MAX &&
	    X509_check_issued(cert_x509(ca), cert_x509(c)) == X509_V_OK &&
	    X509_verify(cert_x509(c), key) == 1;
	ossl_clear();
	return yes;
}

/* The key above the topmost certificate of a path is that of an anchor,
 * which a path does not carry: of the CA here that really signed it. */
static int find_issuer(struct keystore *ks, const struct cert *c,
    unsigned char spki[32], bool *found, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_ISSUERS, e);
	struct ks_row r;
	int rc = 0;

	*found = false;
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, ks_name_hash(c, true));
	sqlite3_bind_int(st, 2, KS_PATH_ISSUERS);
	while (!*found && (rc = ks_step(ks, st, e)) == 1) {
		rc = ks_row_read(ks, st, &r, e);
		*found = rc == 0 && is_issued_by(c, r.cert);
		if (*found)
			memcpy(spki, cert_spki_sha256(r.cert), 32);
		ks_row_free(&r);
		if (rc != 0)
			break;
	}
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

/* The row under the cursor. Of several lists of one issuer: to be on any is
 * to be revoked, and of those that speak of c the freshest counts. */
static void add_fact(struct fact *x, const struct cert *c, sqlite3_stmt *st)
{
	struct fact row = {
		.is_there = true,
		.this_update = sqlite3_column_int64(st, 1),
		.until = sqlite3_column_int64(st, 2),
		.revoked = sqlite3_column_type(st, 3) != SQLITE_NULL,
		.at = sqlite3_column_int64(st, 3),
		.reason = sqlite3_column_int(st, 4),
	};

	if (row.revoked ? !x->revoked || row.at < x->at :
	    !x->revoked && row.until > x->until &&
	    crl_scope_has(sqlite3_column_int(st, 5), ks_column(st, 6), c))
		*x = row;
}

static int query_facts(struct keystore *ks, const struct cert *c,
    const unsigned char spki[32], struct facts *f, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ks->schema < KS_SCHEMA_LIFE ?
	    ST_REVOKED_OLD : ST_REVOKED, e);
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, ks_name_hash(c, true));
	ks_bind_view(st, 2, serial_of(c));
	ks_bind_view(st, 3, view_make(spki, 32));
	while ((rc = ks_step(ks, st, e)) == 1)
		add_fact(&f->by[sqlite3_column_int(st, 0) == 0 ? BY_CRL :
		    BY_OCSP], c, st);
	return rc;
}

static int ask_store(struct keystore *ks, const struct cert *c,
    const struct cert *issuer, struct facts *f, struct err *e)
{
	unsigned char spki[32];
	bool found = true;

	if (issuer != NULL)
		memcpy(spki, cert_spki_sha256(issuer), 32);
	else if (find_issuer(ks, c, spki, &found, e) != 0)
		return -1;
	return found ? query_facts(ks, c, spki, f, e) : 0;
}

/* issuer NULL: it is to be found. */
static int get_facts(struct keystore *ks, const struct cert *c,
    const struct cert *issuer, struct facts *f, struct err *e)
{
	unsigned char both[64] = { 0 }, key[32];
	struct facts *kept;

	memset(f, 0, sizeof(*f));
	if (ks->schema < KS_SCHEMA_REVOCATION)
		return 0;
	memcpy(both, cert_sha256(c), 32);
	if (issuer != NULL)
		memcpy(both + 32, cert_spki_sha256(issuer), 32);
	ossl_sha256(both, sizeof(both), key);
	kept = lru_get(ks->revoked, key);
	if (kept != NULL) {
		*f = *kept;
		return 0;
	}
	if (ask_store(ks, c, issuer, f, e) != 0)
		return -1;
	kept = malloc(sizeof(*kept));
	if (kept == NULL)
		return 0; /* asked again next time */
	*kept = *f;
	lru_put(ks->revoked, key, kept);
	return 0;
}

/* ---- judging ---- */

static bool is_revoked(const struct fact *x, int64_t at)
{
	return x->is_there && x->revoked && x->at <= at + REV_SKEW_S;
}

static bool is_good(const struct fact *x, int64_t at)
{
	return x->is_there && !is_revoked(x, at) && x->until >= at &&
	    x->this_update <= at + REV_SKEW_S;
}

/* The source by whose word it is revoked, or SOURCES. What is only on hold
 * may have been let go since, by the word of the other one. */
static enum source revoked_by(const struct facts *f, int64_t at)
{
	const struct fact *x, *other;
	int i;

	for (i = 0; i < SOURCES; i++) {
		x = &f->by[i];
		other = &f->by[1 - i];
		if (is_revoked(x, at) && !(x->reason == REASON_HOLD &&
		    is_good(other, at) &&
		    other->this_update > x->this_update))
			return (enum source)i;
	}
	return SOURCES;
}

static void say_revoked(const struct facts *f, enum source by,
    const char *name, struct revocation *out)
{
	const struct fact *x = &f->by[by];
	struct err text = { 0 };
	char since[32], of[32];

	out->status = REVOCATION_REVOKED;
	out->date = x->at;
	out->why = rev_reason_str(x->reason);
	out->source = source_name[by];
	(void)err_set(&text, FAIL_POLICY, "%.100s was revoked on %s (%s), by "
	    "the %s of %s", name, when_date(since, x->at), out->why,
	    by == BY_CRL ? "CRL" : "OCSP response",
	    when_date(of, x->this_update));
	ks_text(out->text, sizeof(out->text), &text);
}

static void say_unknown(const struct facts *f, int64_t at, const char *name,
    struct revocation *out)
{
	const struct fact *x = f->by[BY_CRL].is_there ? &f->by[BY_CRL] :
	    &f->by[BY_OCSP];
	struct err text = { 0 };
	char date[32];

	out->status = REVOCATION_UNKNOWN;
	if (!x->is_there)
		(void)err_set(&text, FAIL_POLICY, "whether %.100s is revoked "
		    "is not known: no CRL of its issuer here", name);
	else
		(void)err_set(&text, FAIL_POLICY, "whether %.100s is revoked "
		    "is not known: what is here %s %s", name,
		    x->until < at ? "is stale since" : "begins only on",
		    when_date(date, x->until < at ? x->until :
		    x->this_update));
	ks_text(out->text, sizeof(out->text), &text);
}

/* One certificate; out only changes for the worse. */
static void judge(const struct facts *f, int64_t at, const char *name,
    struct revocation *out)
{
	enum source by = revoked_by(f, at);

	if (by != SOURCES)
		say_revoked(f, by, name, out);
	else if (out->status == REVOCATION_GOOD &&
	    !is_good(&f->by[BY_CRL], at) && !is_good(&f->by[BY_OCSP], at))
		say_unknown(f, at, name, out);
}

int keystore_revocation(struct keystore *ks, const struct cert *leaf,
    struct cert *const *chain, size_t n, int64_t at, struct revocation *out,
    struct err *e)
{
	const struct cert *c = leaf;
	struct facts f;
	size_t i;
	bool was_good;

	memset(out, 0, sizeof(*out));
	out->status = REVOCATION_GOOD;
	for (i = 0; i <= n && out->status != REVOCATION_REVOKED; i++) {
		if (i > 0)
			c = chain[i - 1];
		if (get_facts(ks, c, i < n ? chain[i] : NULL, &f, e) != 0)
			return -1;
		was_good = out->status == REVOCATION_GOOD;
		judge(&f, at, i == 0 ? "the certificate" : cert_subject(c),
		    out);
		if (was_good || out->status == REVOCATION_REVOKED)
			out->which = i;
	}
	if (out->status == REVOCATION_GOOD)
		out->which = 0;
	return 0;
}

/* Could it be on any list? Names and serials alone, without its issuer. */
static int is_suspect(struct keystore *ks, const struct cert *c, bool *yes,
    struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	*yes = false;
	if (ks->schema < KS_SCHEMA_REVOCATION)
		return 0;
	st = ks_stmt(ks, ST_REVOKED_QUICK, e);
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, ks_name_hash(c, true));
	ks_bind_view(st, 2, serial_of(c));
	rc = ks_step(ks, st, e);
	if (rc < 0)
		return -1;
	sqlite3_reset(st);
	*yes = rc == 1;
	return 0;
}

int keystore_revoked(struct keystore *ks, const struct cert *c, int64_t at,
    struct revocation *out, struct err *e)
{
	struct facts f;
	bool suspect;

	memset(out, 0, sizeof(*out));
	if (is_suspect(ks, c, &suspect, e) != 0)
		return -1;
	if (!suspect)
		return 0;
	if (get_facts(ks, c, NULL, &f, e) != 0)
		return -1;
	judge(&f, at, "the certificate", out);
	return 0;
}

/* ---- looking after them ---- */

static void put_hex(struct buf *b, struct view v)
{
	size_t i;

	for (i = 0; i < v.n; i++)
		buf_printf(b, "%02x", v.p[i]);
}

static int visit_row(sqlite3_stmt *st, revocation_visit *visit, void *arg,
    struct err *e)
{
	struct view sha = ks_column(st, 1);
	struct revocation_row r = { .kind = "CRL" };
	struct buf number, serial;
	int rc;

	if (sha.n != 32)
		return err_set(e, FAIL_CONFIG, "keystore: damaged row");
	buf_init(&number, 4096);
	buf_init(&serial, 4096);
	hex_encode(r.sha256, sha.p, sha.n);
	r.issuer = (const char *)sqlite3_column_text(st, 2);
	put_hex(&serial, ks_column(st, 3));
	put_hex(&number, ks_column(st, 4));
	r.this_update = sqlite3_column_int64(st, 5);
	r.next_update = sqlite3_column_int64(st, 6);
	r.added = sqlite3_column_int64(st, 7);
	r.entries = sqlite3_column_int64(st, 8);
	if (sqlite3_column_int(st, 0) != 0) {
		r.kind = "OCSP";
		r.serial = buf_str(&serial);
		r.revoked = sqlite3_column_type(st, 9) != SQLITE_NULL;
	} else if (number.n > 0) {
		r.number = buf_str(&number);
	}
	rc = visit(arg, &r, e);
	buf_free(&number);
	buf_free(&serial);
	return rc;
}

int revocation_list(struct keystore *ks, revocation_visit *visit, void *arg,
    struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (ks->schema < KS_SCHEMA_REVOCATION)
		return 0;
	st = ks_stmt(ks, ST_REVOKED_LIST, e);
	if (st == NULL)
		return -1;
	while ((rc = ks_step(ks, st, e)) == 1)
		if (visit_row(st, visit, arg, e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
	return rc;
}

static int remove_range(struct keystore *ks, const char *what, size_t *removed,
    struct err *e)
{
	static const enum ks_stmt remove[] = { ST_REMOVE_ENTRIES,
		ST_REMOVE_CRLS, ST_REMOVE_OCSP };
	sqlite3_stmt *st;
	size_t i;

	*removed = 0;
	for (i = 0; i < ARRAY_LEN(remove); i++) {
		st = ks_stmt(ks, remove[i], e);
		if (st == NULL || ks_bind_hex(st, what, e) != 0 ||
		    ks_run(ks, st, e) != 0)
			return -1;
		if (remove[i] != ST_REMOVE_ENTRIES)
			*removed += (size_t)sqlite3_changes(ks->db);
	}
	return ks_bump(ks, false, e);
}

int revocation_remove(struct keystore *ks, const char *what, size_t *removed,
    struct err *e)
{
	bool began;
	int rc;

	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = remove_range(ks, what, removed, e);
	return ks_end(ks, began, rc, e);
}
