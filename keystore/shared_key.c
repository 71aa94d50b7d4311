/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One key for mail and for TLS (A62): what a TLS server can be made to do
 * with its key must not open or sign mail. Looked for where a key or a
 * certificate of it comes in.
 */
#include "keystore/keystore_int.h"

#include <openssl/x509v3.h>

#include "util/ossl.h"

struct uses {
	bool mail;
	bool tls;
};

/* Many certificates for mail are good for TLS clients, too; a client signs
 * only what it chose. */
bool ks_is_for_tls(const struct cert *c)
{
	uint32_t xku = X509_get_extended_key_usage(cert_x509(c));

	if (xku == UINT32_MAX)
		return false; /* no extension */
	return (xku & XKU_SSL_SERVER) != 0 ||
	    ((xku & XKU_SSL_CLIENT) != 0 && !cert_eku_mail(c));
}

static void add_uses(struct uses *u, const struct cert *c)
{
	if (cert_is_ca(c))
		return;
	u->mail = u->mail || cert_eku_mail(c);
	u->tls = u->tls || ks_is_for_tls(c);
}

static int add_row(void *arg, const struct ks_row *r, struct err *e)
{
	(void)e;
	add_uses(arg, r->cert);
	return 0;
}

static int has_key(struct keystore *ks, const unsigned char spki[32],
    bool *own, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_KEY_GET, e);
	int rc;

	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, view_make(spki, 32));
	rc = ks_step(ks, st, e);
	*own = rc == 1;
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

int ks_key_is_shared(struct keystore *ks, const unsigned char spki[32],
    const struct cert *also, bool *shared, bool *own, struct err *e)
{
	struct uses u = { false, false };

	*shared = false;
	if (has_key(ks, spki, own, e) != 0)
		return -1;
	if (also != NULL && !*own)
		return 0; /* somebody else's; there are many */
	if (ks_list_spki(ks, spki, add_row, &u, e) != 0)
		return -1;
	if (also != NULL)
		add_uses(&u, also);
	*shared = u.mail && u.tls;
	ossl_clear();
	return 0;
}

int keystore_key_is_for_mail(struct keystore *ks,
    const unsigned char spki[32], bool *yes, struct err *e)
{
	struct uses u = { false, false };
	bool own;

	*yes = false;
	if (has_key(ks, spki, &own, e) != 0 ||
	    (own && ks_list_spki(ks, spki, add_row, &u, e) != 0))
		return -1;
	*yes = own && (u.mail || !u.tls);
	ossl_clear();
	return 0;
}
