/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Name constraints on addresses beyond ASCII (RFC 9598 6). libcrypto checks
 * the rest; of SmtpUTF8Mailbox it compares a domain in U-labels only, in the
 * case that it has, and knows no constraint with a leading dot, so that what
 * a CA may not issue for passes. Here nothing more is allowed than there.
 */
#include "keystore/keystore_int.h"

#include <string.h>

#include <openssl/x509v3.h>

#include "util/ossl.h"

enum match { NO_MATCH, MATCH, UNREADABLE };

/* RFC 5280 4.2.1.10: "host", ".domain" for what is below it. A mailbox is of
 * ASCII and none of these (RFC 9598 6). */
static enum match match_base(struct view base, const char *domain)
{
	size_t n = strlen(domain), m;
	char text[256];
	bool below;

	if (base.n == 0)
		return MATCH;
	if (view_chr(base, '@', 0) != (size_t)-1)
		return NO_MATCH;
	below = base.p[0] == '.';
	if (below)
		base = view_sub(base, 1, base.n - 1);
	if (addr_domain_parse(text, sizeof(text), base, NULL) != 0)
		return UNREADABLE;
	if (!below)
		return strcmp(text, domain) == 0 ? MATCH : NO_MATCH;
	m = strlen(text);
	return n > m && domain[n - m - 1] == '.' &&
	    strcmp(domain + n - m, text) == 0 ? MATCH : NO_MATCH;
}

static enum match match_subtree(const GENERAL_SUBTREE *t, const char *domain)
{
	const ASN1_IA5STRING *s = t->base->d.rfc822Name;

	return match_base(view_make(ASN1_STRING_get0_data(s),
	    (size_t)ASN1_STRING_length(s)), domain);
}

static bool is_for_mail(const GENERAL_SUBTREE *t)
{
	return t->base != NULL && t->base->type == GEN_EMAIL;
}

/* What cannot be read excludes, and permits nothing. */
static bool is_excluded(const NAME_CONSTRAINTS *nc, const char *domain)
{
	int i;

	for (i = 0; i < sk_GENERAL_SUBTREE_num(nc->excludedSubtrees); i++) {
		const GENERAL_SUBTREE *t =
		    sk_GENERAL_SUBTREE_value(nc->excludedSubtrees, i);

		if (is_for_mail(t) && match_subtree(t, domain) != NO_MATCH)
			return true;
	}
	return false;
}

static bool is_permitted(const NAME_CONSTRAINTS *nc, const char *domain)
{
	bool any = false;
	int i;

	for (i = 0; i < sk_GENERAL_SUBTREE_num(nc->permittedSubtrees); i++) {
		const GENERAL_SUBTREE *t =
		    sk_GENERAL_SUBTREE_value(nc->permittedSubtrees, i);

		if (!is_for_mail(t))
			continue;
		if (match_subtree(t, domain) == MATCH)
			return true;
		any = true;
	}
	return !any;
}

static bool has_utf8(const struct cert *c)
{
	size_t i;

	for (i = 0; i < cert_addresses(c); i++)
		if (cert_address(c, i)->utf8)
			return true;
	return false;
}

int ks_constraints_check(const struct cert *leaf, const struct cert *ca,
    struct err *why)
{
	NAME_CONSTRAINTS *nc;
	const char *domain;
	size_t i;
	int rc = 0;

	if (!has_utf8(leaf))
		return 0;
	nc = X509_get_ext_d2i(cert_x509(ca), NID_name_constraints, NULL, NULL);
	for (i = 0; nc != NULL && rc == 0 && i < cert_addresses(leaf); i++) {
		if (!cert_address(leaf, i)->utf8)
			continue;
		domain = addr_domain(cert_address(leaf, i));
		if (is_excluded(nc, domain) || !is_permitted(nc, domain))
			rc = err_set(why, FAIL_POLICY, "%s may not issue for "
			    "%s: its name constraints (RFC 9598 6)",
			    cert_subject(ca), domain);
	}
	NAME_CONSTRAINTS_free(nc);
	ossl_clear();
	return rc;
}
