/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Who may use which key. Every comparison is exact (T32): a login that
 * differs in case is another login.
 */
#include "gateway/authority.h"

#include <string.h>

/* who: "a@b" or "@b" in lower-case key form. The local part of an address
 * is compared as the administrator wrote the row: folded. */
static bool who_is(const char *who, const struct addr *a)
{
	char key[sizeof(a->text)];

	if (who[0] == '@')
		return strcmp(who + 1, addr_domain(a)) == 0;
	addr_key(a, key);
	return strcmp(who, key) == 0;
}

/* login = address, or at a local domain its local part. */
static bool login_is(const struct config *c, const char *login,
    const struct addr *a)
{
	struct addr as;
	size_t n;
	const char *local = addr_local(a, &n);

	if (strchr(login, '@') != NULL)
		return addr_parse(&as, view_of(login), NULL) == 0 &&
		    addr_eq(&as, a, ADDR_EXACT);
	return config_is_local(c, a) && strlen(login) == n &&
	    memcmp(login, local, n) == 0;
}

bool authority_may_sign(const struct config *c, const char *login,
    const char *client_ip, const struct addr *a)
{
	if (a->text[0] == '\0')
		return false;
	if (login != NULL && *login != '\0') {
		if (login_is(c, login, a))
			return true;
		for (size_t i = 0; i < c->authorities; i++)
			if (strcmp(c->authority[i].login, login) == 0 &&
			    who_is(c->authority[i].who, a))
				return true;
	}
	for (size_t i = 0; i < c->sign_fors; i++)
		if (net_has(&c->sign_for[i].net, client_ip) &&
		    who_is(c->sign_for[i].who, a))
			return true;
	return false;
}

bool authority_may_sign_cert(const struct config *c, const char *login,
    const char *client_ip, const struct cert *cert)
{
	for (size_t i = 0; i < cert_addresses(cert); i++)
		if (authority_may_sign(c, login, client_ip,
		    cert_address(cert, i)))
			return true;
	return false;
}

bool authority_may_open(const struct config *c, const struct addr *rcpt,
    size_t n, const struct cert *cert)
{
	struct addr plain;

	for (size_t i = 0; i < n; i++) {
		if (rcpt[i].text[0] == '\0')
			continue;
		if (cert_has_address(cert, &rcpt[i], ADDR_FOLD_LOCAL))
			return true;
		/* the delimiter is ours: it means nothing elsewhere */
		if (c->delimiter == 0 || !config_is_local(c, &rcpt[i]))
			continue;
		addr_strip_detail(&rcpt[i], c->delimiter, &plain);
		if (cert_has_address(cert, &plain, ADDR_FOLD_LOCAL))
			return true;
	}
	return false;
}
