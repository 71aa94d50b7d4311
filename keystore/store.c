/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Rows of the keystore: certificates with their addresses, state and use,
 * anchors, sealed private keys. Decides nothing about their fitness.
 */
#include "keystore/keystore_int.h"

#include <string.h>
#include <time.h>

#include "keystore/sealing.h"
#include "util/ossl.h"

static const char *const state_name[] = {
	[KS_USABLE] = "usable",
	[KS_PENDING] = "pending",
	[KS_DISTRUSTED] = "distrusted",
	[KS_SUPERSEDED] = "superseded",
};
static const char *const state_note[] = {
	[KS_USABLE] = ": usable",
	[KS_PENDING] = ": pending",
	[KS_DISTRUSTED] = ": distrusted",
	[KS_SUPERSEDED] = ": superseded",
};
static const char *const source_name[] = {
	[KS_IMPORT] = "import",
	[KS_HARVEST] = "harvest",
	[KS_LDAP] = "ldap",
	[KS_SMIMEA] = "smimea",
	[KS_CA] = "ca",
};

const char *ks_state_str(enum ks_state s)
{
	return (size_t)s < ARRAY_LEN(state_name) ? state_name[s] : "?";
}

const char *ks_source_str(enum ks_source s)
{
	return (size_t)s < ARRAY_LEN(source_name) ? source_name[s] : "?";
}

void ks_row_free(struct ks_row *r)
{
	cert_free(&r->cert);
	memset(r, 0, sizeof(*r));
}

void ks_text(char *dst, size_t size, const struct err *text)
{
	size_t n = strlen(text->msg);

	if (n >= size) {
		n = size - 1;
		/* Not in the middle of a UTF-8 character. */
		while (n > 0 && ((unsigned char)text->msg[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(dst, text->msg, n);
	dst[n] = '\0';
}

/* ---- reading ---- */

/* From the cache if it was parsed before: that costs 0.1 ms on 3.0. */
static int parse_kept(struct keystore *ks, const unsigned char sha256[32],
    struct view der, struct cert **out, struct err *e)
{
	struct cert *c = lru_get(ks->certs, sha256);

	if (c != NULL) {
		*out = cert_ref(c);
		return 0;
	}
	if (cert_parse(&c, der, e) != 0)
		return -1;
	*out = cert_ref(c);
	lru_put(ks->certs, cert_sha256(c), c);
	return 0;
}

/* The certificate of the row. */
static int read_cert(struct keystore *ks, sqlite3_stmt *st, struct cert **out,
    struct err *e)
{
	struct view sha = ks_column(st, COL_SHA256);

	if (sha.n != 32)
		return err_set(e, FAIL_CONFIG, "keystore: damaged row");
	if (parse_kept(ks, sha.p, ks_column(st, COL_DER), out, e) != 0)
		return err_add(e, "keystore");
	return 0;
}

int keystore_parse_cert(struct keystore *ks, struct view der,
    struct cert **out, struct err *e)
{
	unsigned char sha256[32];

	ossl_sha256(der.p, der.n, sha256);
	return parse_kept(ks, sha256, der, out, e);
}

int ks_row_read(struct keystore *ks, sqlite3_stmt *st, struct ks_row *r, struct
    err *e)
{
	memset(r, 0, sizeof(*r));
	if (read_cert(ks, st, &r->cert, e) != 0)
		return -1;
	r->state = (enum ks_state)sqlite3_column_int(st, COL_STATE);
	r->use = (unsigned)sqlite3_column_int(st, COL_USE);
	r->source = (enum ks_source)sqlite3_column_int(st, COL_SOURCE);
	r->added = sqlite3_column_int64(st, COL_ADDED);
	r->is_anchor = sqlite3_column_int(st, COL_ANCHOR) != 0;
	r->has_key = sqlite3_column_int(st, COL_HAS_KEY) != 0;
	return 0;
}

static sqlite3_stmt *stmt_for_sha(struct keystore *ks, enum ks_stmt which, const
    unsigned char sha256[32], struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, which, e);

	if (st != NULL)
		ks_bind_view(st, 1, view_make(sha256, 32));
	return st;
}

int ks_cert_get(struct keystore *ks, const unsigned char sha256[32], struct
    ks_row *r, struct err *e)
{
	sqlite3_stmt *st = stmt_for_sha(ks, ST_CERT_BY_SHA, sha256, e);
	char hex[65];
	int rc;

	memset(r, 0, sizeof(*r));
	if (st == NULL)
		return -1;
	rc = ks_step(ks, st, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(e, FAIL_INPUT,
		    "keystore: no certificate with SHA-256 %s",
		    hex_encode(hex, sha256, 32));
	rc = ks_row_read(ks, st, r, e);
	sqlite3_reset(st);
	return rc;
}

int ks_visit_rows(struct keystore *ks, sqlite3_stmt *st, ks_visit *visit,
    void *arg, struct err *e)
{
	struct ks_row r;
	int rc;

	if (st == NULL)
		return -1;
	while ((rc = ks_step(ks, st, e)) == 1) {
		rc = ks_row_read(ks, st, &r, e);
		if (rc == 0)
			rc = visit(arg, &r, e);
		ks_row_free(&r);
		if (rc != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	return rc;
}

int ks_list_spki(struct keystore *ks, const unsigned char spki[32], ks_visit
    *visit, void *arg, struct err *e)
{
	sqlite3_stmt *st = stmt_for_sha(ks, ST_LIST_SPKI, spki, e);

	return ks_visit_rows(ks, st, visit, arg, e);
}

int ks_bind_hex(sqlite3_stmt *st, const char *what, struct err *e)
{
	unsigned char low[32], high[32];
	char digits[65];
	size_t n = strlen(what), i;

	if (n < 8 || n > 64 || strspn(what, "0123456789abcdefABCDEF") != n)
		return err_set(e, FAIL_INPUT, "neither an address, nor "
		    "@domain, nor 8 to 64 hex digits of a SHA-256");
	for (i = 0; i < 64; i++)
		digits[i] = i < n ? what[i] : '0';
	digits[64] = '\0';
	if (hex_decode(low, 32, digits) != 0)
		return err_set(e, FAIL_BUG, "hex digits");
	memset(digits + n, 'f', 64 - n);
	if (hex_decode(high, 32, digits) != 0)
		return err_set(e, FAIL_BUG, "hex digits");
	ks_bind_view(st, 1, view_make(low, 32));
	ks_bind_view(st, 2, view_make(high, 32));
	return 0;
}

static int prepare_list(struct keystore *ks, const char *what, sqlite3_stmt
    **st, struct err *e)
{
	char key[sizeof(((struct addr *)0)->text)];
	struct addr a;

	if (what == NULL) {
		*st = ks_stmt(ks, ST_LIST_ALL, e);
		return *st == NULL ? -1 : 0;
	}
	if (what[0] == '@') {
		*st = ks_stmt(ks, ST_LIST_DOMAIN, e);
		if (*st == NULL || addr_domain_parse(key, sizeof(key),
		    view_of(what + 1), e) != 0)
			return -1;
	} else if (strchr(what, '@') != NULL) {
		*st = ks_stmt(ks, ST_LIST_ADDRESS, e);
		if (*st == NULL || addr_parse(&a, view_of(what), e) != 0)
			return -1;
		addr_key(&a, key);
	} else {
		*st = ks_stmt(ks, ST_LIST_HEX, e);
		return *st == NULL ? -1 : ks_bind_hex(*st, what, e);
	}
	sqlite3_bind_text(*st, 1, key, -1, SQLITE_TRANSIENT);
	return 0;
}

int keystore_list(struct keystore *ks, const char *what, ks_visit *visit, void
    *arg, struct err *e)
{
	char quoted[ERR_QUOTED];
	sqlite3_stmt *st;

	if (prepare_list(ks, what, &st, e) != 0)
		return err_add(e, "%s", what == NULL ? "list" :
		    err_quote(quoted, sizeof(quoted), what, strlen(what)));
	return ks_visit_rows(ks, st, visit, arg, e);
}

/* ---- changing ---- */

/* What a certificate is called in a note: its address, else its subject. */
static const char *label_of(const struct cert *c)
{
	return cert_addresses(c) > 0 ? cert_address(c, 0)->text :
	    cert_subject(c);
}

/* Of one that is there; who reads the notes later may not find it. */
static int note_sha(struct keystore *ks, const char *action, const unsigned
    char sha256[32], const char *more, struct err *e)
{
	struct ks_row r;
	struct buf detail;
	int rc;

	if (ks_cert_get(ks, sha256, &r, e) != 0)
		return -1;
	buf_init(&detail, 4096);
	buf_printf(&detail, "%s%s", label_of(r.cert), more);
	rc = ks_note(ks, action, cert_sha256_hex(r.cert), buf_str(&detail),
	    e);
	buf_free(&detail);
	ks_row_free(&r);
	return rc;
}

int ks_insert_cert(struct keystore *ks, const struct cert *c, unsigned use,
    enum ks_source source, enum ks_state state, struct err *e)
{
	sqlite3_stmt *st = stmt_for_sha(ks, ST_CERT_ADD, cert_sha256(c), e);
	struct view ski = cert_ski(c);

	if (st == NULL)
		return -1;
	ks_bind_view(st, 2, cert_der(c));
	ks_bind_view(st, 3, cert_ias(c));
	sqlite3_bind_text(st, 4, cert_serial_hex(c), -1, SQLITE_TRANSIENT);
	if (ski.n > 0)
		ks_bind_view(st, 5, ski);
	ks_bind_view(st, 6, view_make(cert_spki_sha256(c), 32));
	sqlite3_bind_int64(st, 7, ks_name_hash(c, false));
	sqlite3_bind_int64(st, 8, cert_not_before(c));
	sqlite3_bind_int64(st, 9, cert_not_after(c));
	sqlite3_bind_int(st, 10, (int)use);
	sqlite3_bind_int(st, 11, (int)source);
	sqlite3_bind_int64(st, 12, (int64_t)time(NULL));
	sqlite3_bind_int(st, 13, cert_is_ca(c));
	sqlite3_bind_int(st, 14, (int)state);
	return ks_run(ks, st, e);
}

/* Row id and use; *found false when the certificate is not there. */
static int find_id(struct keystore *ks, const unsigned char sha256[32], int64_t
    *id, unsigned *use, bool *found, struct err *e)
{
	sqlite3_stmt *st = stmt_for_sha(ks, ST_CERT_ID, sha256, e);
	int rc;

	*found = false;
	if (st == NULL)
		return -1;
	rc = ks_step(ks, st, e);
	if (rc <= 0)
		return rc;
	*id = sqlite3_column_int64(st, 0);
	*use = (unsigned)sqlite3_column_int(st, 1);
	*found = true;
	sqlite3_reset(st);
	return 0;
}

static int insert_addresses(struct keystore *ks, const struct cert *c, int64_t
    id, struct err *e)
{
	char key[sizeof(((struct addr *)0)->text)];
	sqlite3_stmt *st;
	size_t i;

	for (i = 0; i < cert_addresses(c); i++) {
		st = ks_stmt(ks, ST_ADDRESS_ADD, e);
		if (st == NULL)
			return -1;
		addr_key(cert_address(c, i), key);
		sqlite3_bind_text(st, 1, key, -1, SQLITE_TRANSIENT);
		sqlite3_bind_text(st, 2, addr_domain(cert_address(c, i)), -1,
		    SQLITE_TRANSIENT);
		sqlite3_bind_int64(st, 3, id);
		if (ks_run(ks, st, e) != 0)
			return -1;
	}
	return 0;
}

/* An UPDATE of one column of one row; FAIL_INPUT when there is no row. */
static int update_cert(struct keystore *ks, enum ks_stmt which, const unsigned
    char sha256[32], int value, struct err *e)
{
	sqlite3_stmt *st = stmt_for_sha(ks, which, sha256, e);
	char hex[65];

	if (st == NULL)
		return -1;
	sqlite3_bind_int(st, 2, value);
	if (ks_run(ks, st, e) != 0)
		return -1;
	if (sqlite3_changes(ks->db) == 0)
		return err_set(e, FAIL_INPUT,
		    "keystore: no certificate with SHA-256 %s",
		    hex_encode(hex, sha256, 32));
	return 0;
}

/* What mail brought serves only the addresses that were proven, until a
 * person brings it. */
static int adopt_known(struct keystore *ks, const struct cert *c, int64_t id,
    enum ks_source source, struct err *e)
{
	bool adopted;

	if (ks_harvest_adopt(ks, cert_sha256(c), source, &adopted, e) != 0)
		return -1;
	if (!adopted)
		return 0;
	if (insert_addresses(ks, c, id, e) != 0 || ks_note(ks,
	    "import harvested certificate", cert_sha256_hex(c), label_of(c),
	    e) != 0)
		return -1;
	return ks_bump(ks, false, e);
}

static int add_cert(struct keystore *ks, const struct cert *c, unsigned use,
    enum ks_source source, bool *added, struct err *e)
{
	unsigned old_use = 0;
	int64_t id = 0;
	bool found;

	if (find_id(ks, cert_sha256(c), &id, &old_use, &found, e) != 0)
		return -1;
	*added = !found;
	if (found) {
		if (adopt_known(ks, c, id, source, e) != 0)
			return -1;
		if (old_use == use)
			return 0;
		if (update_cert(ks, ST_CERT_USE, cert_sha256(c), (int)use,
		    e) != 0 || ks_note(ks, "change use",
		    cert_sha256_hex(c), label_of(c), e) != 0)
			return -1;
		return ks_bump(ks, false, e);
	}
	if (ks_insert_cert(ks, c, use, source, KS_USABLE, e) != 0)
		return -1;
	id = sqlite3_last_insert_rowid(ks->db);
	if (insert_addresses(ks, c, id, e) != 0)
		return -1;
	if (ks_note(ks, "add certificate", cert_sha256_hex(c),
	    label_of(c), e) != 0)
		return -1;
	return ks_bump(ks, cert_is_ca(c), e);
}

int keystore_add(struct keystore *ks, const struct cert *c, unsigned use, enum
    ks_source source, bool *added, struct err *e)
{
	bool began;
	int rc;

	*added = false;
	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = add_cert(ks, c, use, source, added, e);
	return ks_end(ks, began, rc, e);
}

static int add_key(struct keystore *ks, const unsigned char spki_sha256[32],
    struct view sealed, struct err *e)
{
	sqlite3_stmt *st = stmt_for_sha(ks, ST_KEY_ADD, spki_sha256, e);
	char hex[65];

	if (st == NULL)
		return -1;
	ks_bind_view(st, 2, sealed);
	if (seal_check_current(ks, sealed, e) != 0)
		return -1;
	if (ks_run(ks, st, e) != 0 || ks_note(ks, "add private key",
	    hex_encode(hex, spki_sha256, 32), "", e) != 0)
		return -1;
	return ks_bump(ks, false, e);
}

int keystore_add_key(struct keystore *ks, const unsigned char spki_sha256[32],
    struct view encrypted_pkcs8, struct err *e)
{
	bool began;
	int rc;

	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = add_key(ks, spki_sha256, encrypted_pkcs8, e);
	return ks_end(ks, began, rc, e);
}

int keystore_get_key(struct keystore *ks, const unsigned char spki_sha256[32],
    struct buf *out, struct err *e)
{
	sqlite3_stmt *st = stmt_for_sha(ks, ST_KEY_GET, spki_sha256, e);
	int rc;

	if (st == NULL)
		return -1;
	rc = ks_step(ks, st, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(e, FAIL_INPUT,
		    "keystore: no private key for this certificate");
	buf_putv(out, ks_column(st, 0));
	sqlite3_reset(st);
	return buf_ok(out, e);
}

static int set_anchor(struct keystore *ks, const unsigned char sha256[32], bool
    on, struct err *e)
{
	struct ks_row r;
	int rc = -1;

	if (ks_cert_get(ks, sha256, &r, e) != 0)
		return -1;
	if (on && !(cert_is_ca(r.cert) && ks_self_signed(r.cert)))
		(void)err_set(e, FAIL_INPUT, "%s: not a self-signed CA "
		    "certificate, so it cannot be an anchor (RFC 5280 "
		    "6.1.1)", cert_subject(r.cert));
	else
		rc = update_cert(ks, ST_CERT_ANCHOR, sha256, on, e);
	if (rc == 0)
		rc = ks_scopes_drop(ks, sha256, e);
	if (rc == 0)
		rc = ks_note(ks, on ? "trust" : "distrust",
		    cert_sha256_hex(r.cert), label_of(r.cert), e);
	if (rc == 0)
		rc = ks_bump(ks, true, e);
	ks_row_free(&r);
	return rc;
}

int keystore_set_anchor(struct keystore *ks, const unsigned char sha256[32],
    bool on, struct err *e)
{
	bool began;
	int rc;

	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = set_anchor(ks, sha256, on, e);
	return ks_end(ks, began, rc, e);
}

int keystore_set_state(struct keystore *ks, const unsigned char sha256[32], enum
    ks_state state, struct err *e)
{
	bool began;
	int rc;

	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = update_cert(ks, ST_CERT_STATE, sha256, (int)state, e);
	if (rc == 0)
		rc = note_sha(ks, "change state", sha256,
		    state_note[state], e);
	if (rc == 0 && state == KS_DISTRUSTED)
		rc = ks_caps_forget(ks, sha256, e);
	if (rc == 0 && state == KS_DISTRUSTED)
		rc = ks_harvest_forget(ks, sha256, e);
	if (rc == 0)
		rc = ks_bump(ks, true, e);
	return ks_end(ks, began, rc, e);
}

static int remove_cert(struct keystore *ks, const unsigned char sha256[32],
    struct err *e)
{
	sqlite3_stmt *st;
	struct ks_row r;
	int rc = -1;

	if (ks_cert_get(ks, sha256, &r, e) != 0)
		return -1;
	if (ks_note(ks, r.has_key ? "remove certificate and key" :
	    "remove certificate", cert_sha256_hex(r.cert), label_of(r.cert),
	    e) != 0)
		goto out;
	st = stmt_for_sha(ks, ST_ADDRESS_DELETE, sha256, e);
	if (st == NULL || ks_run(ks, st, e) != 0)
		goto out;
	st = stmt_for_sha(ks, ST_CERT_DELETE, sha256, e);
	if (st == NULL || ks_run(ks, st, e) != 0)
		goto out;
	st = stmt_for_sha(ks, ST_KEY_DELETE, cert_spki_sha256(r.cert), e);
	if (st == NULL || ks_run(ks, st, e) != 0)
		goto out;
	rc = ks_caps_forget(ks, sha256, e);
	if (rc == 0)
		rc = ks_harvest_forget(ks, sha256, e);
	if (rc == 0)
		rc = ks_bindings_drop(ks, sha256, e);
	if (rc == 0)
		rc = ks_scopes_drop(ks, sha256, e);
	if (rc == 0)
		rc = ks_bump(ks, true, e);
out:
	ks_row_free(&r);
	return rc;
}

int keystore_remove(struct keystore *ks, const unsigned char sha256[32], struct
    err *e)
{
	bool began;
	int rc;

	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = remove_cert(ks, sha256, e);
	return ks_end(ks, began, rc, e);
}
