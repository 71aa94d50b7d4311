/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The next certificate of who has one: same names, use and kind, the same
 * key or a new one. The old one goes on until it ends, unless told.
 */
#include "keystore/ca_int.h"

#include <string.h>
#include <time.h>

#include "util/ossl.h"

static unsigned use_of(const struct cert *c)
{
	unsigned ku = cert_ku(c), use = 0;

	if ((ku & CERT_KU_SIGN) != 0)
		use |= KS_SIGN;
	if ((ku & (CERT_KU_ENCIPHER | CERT_KU_AGREE)) != 0)
		use |= KS_ENCRYPT;
	return use;
}

static int fill_times(struct ca_leaf *l, const struct cert *old,
    const struct ca_renewal *how, struct err *e)
{
	int64_t span = cert_not_after(old) - cert_not_before(old);

	if (how->days < 0 || how->days > CA_DAYS)
		return err_set(e, FAIL_INPUT, "days: %d, want 1 to %d",
		    how->days, CA_DAYS);
	if (how->days > 0)
		span = (int64_t)how->days * CA_DAY_S;
	l->from = (int64_t)time(NULL);
	l->until = l->from + span;
	return 0;
}

/* A new key serves only where it is kept, or handed out. */
static int fill_key(struct ca *ca, struct ca_leaf *l, const struct cert *old,
    const struct ca_renewal *how, struct err *e)
{
	bool shared, own;

	if (!how->new_key) {
		l->key = X509_get_pubkey(cert_x509(old));
		return l->key != NULL ? 0 : err_ossl(e, FAIL_TEMP, "key");
	}
	if (ks_key_is_shared(ca->ks, cert_spki_sha256(old), NULL, &shared,
	    &own, e) != 0)
		return -1;
	if (l->kind == CA_MAIL && !own)
		return err_set(e, FAIL_INPUT, "its key is not here, so its "
		    "owner makes the new one and sends a request; \"postseal "
		    "ca issue --csr\" takes it");
	if (l->kind != CA_MAIL && how->key_out == NULL)
		return err_set(e, FAIL_BUG, "CA: nowhere to put the key");
	l->own_key = true;
	l->key_out = how->key_out;
	return make_key(&l->key, cert_key_name(old), e);
}

static int fill_leaf(struct ca *ca, struct ca_leaf *l, const struct cert *old,
    const struct ca_renewal *how, struct err *e)
{
	l->use = use_of(old);
	l->names = X509_get_ext_d2i(cert_x509(old), NID_subject_alt_name,
	    NULL, NULL);
	if (l->names == NULL)
		return err_set(e, FAIL_INPUT, "%s: has no subjectAltName",
		    cert_sha256_hex(old));
	return fill_times(l, old, how, e) != 0 ? -1 :
	    fill_key(ca, l, old, how, e);
}

static int check_old(struct ca *ca, const struct cert *old, struct ca_leaf *l,
    struct err *e)
{
	struct ca_state st;

	if (ca_adopt(ca, old, &st, e) != 0)
		return -1;
	if (st.kind == CA_AUTHORITY)
		return err_set(e, FAIL_INPUT, "%s: a CA; \"postseal ca init "
		    "--replace\" makes the next one", cert_subject(old));
	if (st.revoked)
		return err_set(e, FAIL_POLICY, "%s: is revoked; \"postseal "
		    "ca issue\" makes one with a new key",
		    cert_sha256_hex(old));
	l->kind = st.kind;
	return 0;
}

static int renew(struct ca *ca, const struct cert *old,
    const struct ca_renewal *how, struct cert **out, struct err *e)
{
	char cn[4 * 64 + 1];
	struct ca_leaf l = { .cn = cn };
	struct view name;
	int rc;

	rc = check_old(ca, old, &l, e);
	if (rc == 0)
		rc = fill_leaf(ca, &l, old, how, e);
	if (rc == 0 && (cert_common_names(old, &name) != 1 ||
	    view_cstr(name, cn, sizeof(cn)) != 0))
		rc = err_set(e, FAIL_INPUT, "%s: its common name is odd",
		    cert_sha256_hex(old));
	if (rc == 0)
		rc = ca_leaf_make(ca, &l, "renew certificate", out, e);
	if (rc == 0 && (how->replace || cert_not_after(old) < l.from))
		rc = keystore_set_state(ca->ks, cert_sha256(old),
		    KS_SUPERSEDED, e);
	ca_leaf_free(&l);
	return rc;
}

int ca_renew(struct ca *ca, const struct cert *old,
    const struct ca_renewal *how, struct cert **out, struct err *e)
{
	bool began;
	int rc;

	*out = NULL;
	if (ks_change(ca->ks, &began, true, e) != 0)
		return -1;
	rc = renew(ca, old, how, out, e);
	rc = ks_end(ca->ks, began, rc, e);
	if (rc != 0)
		cert_free(out);
	return rc;
}
