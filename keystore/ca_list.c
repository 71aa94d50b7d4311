/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the CA issued, a row each, kept also when the certificate leaves the
 * store: a list of revoked ones needs them.
 */
#include "keystore/ca_int.h"

#include <string.h>

#include "keystore/revocation_int.h"
#include "util/ossl.h"

enum { COL_SERIAL, COL_CERT, COL_KIND, COL_NOT_AFTER, COL_AT, COL_REASON,
	COL_CERT_DER };

/* ---- one ---- */

static struct view serial_of(const struct cert *c)
{
	const ASN1_INTEGER *n = X509_get0_serialNumber(cert_x509(c));

	return view_make(ASN1_STRING_get0_data(n),
	    (size_t)ASN1_STRING_length(n));
}

int ca_issued_add(struct keystore *ks, const struct cert *c,
    enum ca_kind kind, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_ISSUED_ADD, e);

	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, serial_of(c));
	ks_bind_view(st, 2, view_make(cert_sha256(c), 32));
	sqlite3_bind_int(st, 3, (int)kind);
	sqlite3_bind_int64(st, 4, cert_not_after(c));
	return ks_run(ks, st, e);
}

int ca_state_get(struct keystore *ks, const struct cert *c,
    struct ca_state *out, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_ISSUED_GET, e);
	int rc;

	memset(out, 0, sizeof(*out));
	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, view_make(cert_sha256(c), 32));
	rc = ks_step(ks, st, e);
	if (rc <= 0)
		return rc;
	out->known = true;
	out->kind = (enum ca_kind)sqlite3_column_int(st, 0);
	out->revoked = sqlite3_column_type(st, 1) != SQLITE_NULL;
	sqlite3_reset(st);
	return 0;
}

static enum ca_kind kind_of(const struct cert *c)
{
	uint32_t xku = X509_get_extended_key_usage(cert_x509(c));

	if (cert_is_ca(c))
		return CA_AUTHORITY;
	if (cert_eku_mail(c))
		return CA_MAIL;
	return (xku & XKU_SSL_SERVER) != 0 ? CA_TLS_SERVER : CA_TLS_CLIENT;
}

int ca_adopt(struct ca *ca, const struct cert *c, struct ca_state *st,
    struct err *e)
{
	bool mine;

	if (ca_state_get(ca->ks, c, st, e) != 0)
		return -1;
	ossl_clear();
	mine = memcmp(cert_sha256(c), cert_sha256(ca->root), 32) != 0 &&
	    X509_verify(cert_x509(c), X509_get0_pubkey(cert_x509(cert_is_ca(c)
	    ? ca->root : ca->cert))) == 1;
	ossl_clear();
	if (!mine)
		return err_set(e, FAIL_INPUT, "%s: not issued by %s, which is "
		    "the CA here; \"postseal ca list\" shows what is",
		    cert_sha256_hex(c), cert_subject(ca->cert));
	if (st->known)
		return 0;
	st->kind = kind_of(c);
	return ca_issued_add(ca->ks, c, st->kind, e);
}

/* ---- all ---- */

struct shown {
	char serial[2 * REV_SERIAL_MAX + 1];
	char sha256[65];
	struct cert *cert;
	struct ca_issued i;
};

static int read_row(struct keystore *ks, sqlite3_stmt *st, struct shown *s,
    struct err *e)
{
	struct view serial = view_sub(ks_column(st, COL_SERIAL), 0,
	    REV_SERIAL_MAX);
	struct view sha = ks_column(st, COL_CERT);
	struct view der = ks_column(st, COL_CERT_DER);

	memset(s, 0, sizeof(*s));
	if (sha.n != 32)
		return err_set(e, FAIL_CONFIG, "keystore: damaged row");
	s->i.serial = hex_encode(s->serial, serial.p, serial.n);
	s->i.sha256 = hex_encode(s->sha256, sha.p, 32);
	s->i.kind = (enum ca_kind)sqlite3_column_int(st, COL_KIND);
	s->i.not_after = sqlite3_column_int64(st, COL_NOT_AFTER);
	s->i.revoked = sqlite3_column_type(st, COL_AT) != SQLITE_NULL;
	s->i.revoked_at = sqlite3_column_int64(st, COL_AT);
	s->i.reason = rev_reason_str(sqlite3_column_int(st, COL_REASON));
	if (der.n > 0 && keystore_parse_cert(ks, der, &s->cert, e) != 0)
		return -1;
	s->i.cert = s->cert;
	return 0;
}

int ca_list(struct keystore *ks, ca_visit *visit, void *arg, struct err *e)
{
	sqlite3_stmt *st;
	struct shown s;
	int rc;

	if (ks->schema < KS_SCHEMA_LIFE)
		return 0; /* a store that nothing was written to since */
	st = ks_stmt(ks, ST_ISSUED_LIST, e);
	if (st == NULL)
		return -1;
	while ((rc = ks_step(ks, st, e)) == 1) {
		rc = read_row(ks, st, &s, e);
		if (rc == 0)
			rc = visit(arg, &s.i, e);
		cert_free(&s.cert);
		if (rc != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	return rc;
}
