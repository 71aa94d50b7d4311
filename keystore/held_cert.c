/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The certificate that held mail is sealed for. It has no address and no
 * purpose but this one, and is in no table that mail looks into; its key is
 * sealed under the secret like every other.
 */
#include "keystore/held.h"

#include "keystore/ca_int.h"
#include "keystore/keystore_int.h"
#include "keystore/make_int.h"
#include "util/ossl.h"

/* It ends when nobody holds mail any more (RFC 5280 4.1.2.5: 99991231235959Z
 * has no well-defined expiration). */
#define NEVER INT64_C(253402300799)

static int sign_it(X509 *x, EVP_PKEY *key, struct cert **out, struct err *e)
{
	X509_NAME *name = X509_get_subject_name(x);

	if (make_common_name(name, "postseal quarantine") != 1 ||
	    X509_set_issuer_name(x, name) != 1 ||
	    ca_add_ext(x, x, NID_basic_constraints, "critical,CA:FALSE") != 1
	    || ca_add_ext(x, x, NID_key_usage, "critical,keyAgreement") != 1
	    || ca_add_ext(x, x, NID_subject_key_identifier, "hash") != 1)
		return err_ossl(e, FAIL_TEMP, "certificate");
	return ca_finish(x, key, out, e);
}

static int add_row(struct keystore *ks, const struct cert *c, int64_t now,
    struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_HELD_CERT_ADD, e);

	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, view_make(cert_sha256(c), 32));
	ks_bind_view(st, 2, cert_der(c));
	ks_bind_view(st, 3, view_make(cert_spki_sha256(c), 32));
	sqlite3_bind_int64(st, 4, now);
	return ks_run(ks, st, e);
}

int keystore_held_make(struct keystore *ks, struct view secret, int64_t now,
    struct cert **out, struct err *e)
{
	EVP_PKEY *key = NULL;
	X509 *x = NULL;
	bool began;
	int rc = -1;

	*out = NULL;
	if (make_key(&key, "ec:p256", e) != 0 ||
	    ca_begin(&x, key, now, NEVER, e) != 0 ||
	    sign_it(x, key, out, e) != 0)
		goto out;
	if (ks_change(ks, &began, true, e) != 0)
		goto out;
	rc = key_store(ks, secret, key, *out, e);
	if (rc == 0)
		rc = add_row(ks, *out, now, e);
	if (rc == 0)
		rc = ks_note(ks, "add quarantine key", cert_sha256_hex(*out),
		    "mail is held sealed for it", e);
	rc = ks_end(ks, began, rc, e);
out:
	X509_free(x);
	EVP_PKEY_free(key);
	if (rc != 0)
		cert_free(out);
	return rc;
}

int keystore_held_cert(struct keystore *ks, struct cert **out, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	*out = NULL;
	if (ks->schema < KS_SCHEMA_TRAFFIC)
		return 0; /* a store that nothing was written to since */
	st = ks_stmt(ks, ST_HELD_CERT, e);
	if (st == NULL)
		return -1;
	rc = ks_step(ks, st, e);
	if (rc == 1) {
		rc = keystore_parse_cert(ks, ks_column(st, 0), out, e);
		sqlite3_reset(st);
	}
	return rc;
}
