/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The table of checks. What costs least comes first, and what an
 * administrator decided before what the certificate says of itself.
 */
#include "keystore/fitness.h"

#include <string.h>

#include "keystore/revocation.h"
#include "util/when.h"

#define ENCRYPTS (KS_ENCRYPT | KS_STORAGE)
#define NOW_USED (KS_SIGN | ENCRYPTS)
#define EVERY (NOW_USED | FIT_OPEN)

typedef int fit(struct candidate *c, struct err *e);

/* ---- what the administrator said ---- */

static int fit_state(struct candidate *c, struct err *e)
{
	switch (c->row->state) {
	case KS_USABLE:
		return 0;
	case KS_PENDING:
		return err_set(e, FAIL_POLICY, "pending: nobody has approved "
		    "it yet");
	case KS_SUPERSEDED:
		return err_set(e, FAIL_POLICY, "superseded by another one");
	default:
		return err_set(e, FAIL_POLICY, "%s here",
		    ks_state_str(c->row->state));
	}
}

static int fit_use(struct candidate *c, struct err *e)
{
	unsigned lack = c->use & NOW_USED & ~c->row->use;

	if (lack == 0)
		return 0;
	return err_set(e, FAIL_POLICY, "not to be used for %s here",
	    (lack & KS_SIGN) != 0 ? "signing" :
	    (lack & KS_ENCRYPT) != 0 ? "encryption" : "storage");
}

static int fit_pin(struct candidate *c, struct err *e)
{
	if (!c->has_pins || c->is_bound)
		return 0;
	return err_set(e, FAIL_POLICY,
	    "another certificate is pinned for this address");
}

/* ---- dates (RFC 5280 4.1.2.5) ---- */

static int fit_not_after(struct candidate *c, struct err *e)
{
	char date[32];

	/* As libcrypto: expired in the last second, too. */
	if (c->now < cert_not_after(c->row->cert))
		return 0;
	return err_set(e, FAIL_POLICY, "expired on %s (RFC 5280 4.1.2.5)",
	    when_date(date, cert_not_after(c->row->cert)));
}

static int fit_not_before(struct candidate *c, struct err *e)
{
	char date[32];

	if (c->now >= cert_not_before(c->row->cert))
		return 0;
	return err_set(e, FAIL_POLICY, "valid only from %s (RFC 5280 4.1.2.5)",
	    when_date(date, cert_not_before(c->row->cert)));
}

/* ---- what it says that it is for ---- */

static int fit_end_entity(struct candidate *c, struct err *e)
{
	if (!cert_is_ca(c->row->cert))
		return 0;
	return err_set(e, FAIL_POLICY, "a CA certificate (RFC 8550 4.4.1)");
}

static int fit_eku(struct candidate *c, struct err *e)
{
	if (cert_eku_mail(c->row->cert))
		return 0;
	return err_set(e, FAIL_POLICY, "extended key usage does not include "
	    "e-mail protection (RFC 8550 4.4.4)");
}

static int fit_ku_sign(struct candidate *c, struct err *e)
{
	if ((cert_ku(c->row->cert) & CERT_KU_SIGN) != 0)
		return 0;
	return err_set(e, FAIL_POLICY, "key usage does not allow signatures "
	    "(RFC 8550 4.4.2)");
}

/* RFC 5652 6.2.1 and 6.2.2: transport for RSA, agreement for curves. */
static int fit_ku_encrypt(struct candidate *c, struct err *e)
{
	const struct cert *cert = c->row->cert;
	unsigned ku = cert_ku(cert);

	if (cert_key_type(cert) == CERT_KEY_EC && (ku & CERT_KU_AGREE) == 0)
		return err_set(e, FAIL_POLICY, "key usage does not allow key "
		    "agreement (RFC 8550 4.4.2)");
	if (cert_key_type(cert) == CERT_KEY_RSA &&
	    (ku & CERT_KU_ENCIPHER) == 0)
		return err_set(e, FAIL_POLICY, "key usage does not allow "
		    "encryption (RFC 8550 4.4.2)");
	return 0;
}

static int fit_key(struct candidate *c, struct err *e)
{
	return cert_key_check(c->row->cert, e);
}

/* ---- whose it is ---- */

/* The index folds case; a UTF-8 local part must equal (RFC 9598 5). */
static int fit_address(struct candidate *c, struct err *e)
{
	size_t i;

	if (c->is_bound)
		return 0;
	for (i = 0; i < c->n; i++)
		if (cert_has_address(c->row->cert, &c->any_of[i],
		    ADDR_FOLD_LOCAL))
			return 0;
	return err_set(e, FAIL_POLICY, "address differs (RFC 8550 3)");
}

static int fit_private_key(struct candidate *c, struct err *e)
{
	if (c->row->has_key)
		return 0;
	return err_set(e, FAIL_POLICY,
	    "its private key is not in the keystore");
}

/* S103, no fault of its own. */
static int fit_newest(struct candidate *c, struct err *e)
{
	if (!c->has_better)
		return 0;
	return err_set(e, FAIL_POLICY, c->row->source == KS_HARVEST ?
	    "a newer one, or one that was imported, is used" :
	    "a newer one is used");
}

/* ---- who vouches for it ---- */

static int fit_path(struct candidate *c, struct err *e)
{
	const struct path_query q = { .leaf = c->row->cert, .extra = c->extra,
	    .extra_n = c->extra_n, .at = c->now, .no_message = true,
	    .purpose = c->use == KS_SIGN ? KS_FOR_SIGN : KS_FOR_ENCRYPT,
	    .domain = addr_domain(&c->any_of[0]), .is_named = c->is_bound,
	    .is_vouched = c->is_vouched };

	if (keystore_path_for(c->ks, &q, &c->path, e) != 0)
		return -1;
	return c->path.ok ? 0 :
	    err_set(e, FAIL_POLICY, "%s", c->path.reason);
}

/* By the last known status (S60, S102): what is not known stops nobody,
 * unless a rule says that it must be known. */
static int fit_revocation(struct candidate *c, struct err *e)
{
	struct revocation rev;

	/* one that was named by hand: who issued nothing revokes nothing */
	if (c->is_bound && ks_self_signed(c->row->cert))
		return 0;
	if (keystore_revocation(c->ks, c->row->cert, c->path.chain,
	    c->path.chain_n, c->now, &rev, e) != 0)
		return -1;
	if (rev.status == REVOCATION_REVOKED ||
	    (rev.status == REVOCATION_UNKNOWN && c->must_know))
		return err_set(e, FAIL_POLICY, "%s", rev.text);
	return 0;
}

/* ---- the table ---- */

static const struct {
	const char *name;
	unsigned uses; /* that it applies to */
	fit *check;
} table[] = {
	{ "state", NOW_USED, fit_state },
	{ "not-after", NOW_USED, fit_not_after },
	{ "not-before", NOW_USED, fit_not_before },
	{ "end-entity", NOW_USED, fit_end_entity },
	{ "extended-key-usage", NOW_USED, fit_eku },
	{ "key-usage-sign", KS_SIGN, fit_ku_sign },
	{ "key-usage-encrypt", ENCRYPTS, fit_ku_encrypt },
	{ "use", NOW_USED, fit_use },
	{ "address", EVERY, fit_address },
	{ "key", NOW_USED, fit_key },
	{ "private-key", KS_SIGN | FIT_OPEN, fit_private_key },
	{ "pin", ENCRYPTS, fit_pin },
	{ "newest", NOW_USED, fit_newest },
	{ "path", NOW_USED, fit_path },
	{ "revocation", NOW_USED, fit_revocation },
};

const char *fitness_name(size_t i)
{
	return i < ARRAY_LEN(table) ? table[i].name : NULL;
}

int fitness_check(struct candidate *c, struct err *e)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++)
		if ((table[i].uses & c->use) != 0 && table[i].check(c, e) != 0)
			return -1;
	return 0;
}
