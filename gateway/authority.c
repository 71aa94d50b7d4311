/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Who may use which key. Every comparison is exact (T32): a login that
 * differs in case is another login.
 */
#include "gateway/authority.h"

#include <string.h>

#include "gateway/lists.h"

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

static bool rows_let_sign(const struct config *c, const struct asker *who,
    const struct addr *a)
{
	const char *login = who->login;

	if (login != NULL && *login != '\0') {
		if (login_is(c, login, a))
			return true;
		for (size_t i = 0; i < c->authorities; i++)
			if (strcmp(c->authority[i].login, login) == 0 &&
			    who_is(c->authority[i].who, a))
				return true;
	}
	for (size_t i = 0; i < c->sign_fors; i++)
		if (net_has(&c->sign_for[i].net, who->client_ip) &&
		    who_is(c->sign_for[i].who, a))
			return true;
	return false;
}

struct look {
	const struct addr *a;
	bool found;
};

static int compare_value(void *arg, const char *value, struct err *e)
{
	struct look *l = arg;

	(void)e;
	l->found = l->found || who_is(value, l->a);
	return 0;
}

/* *unknown: one that might say yes was never fetched. */
static int lists_let_sign(const struct authority *au, const char *login,
    struct look *l, bool *unknown, struct err *e)
{
	const struct config *c = au->config;
	char name[LIST_NAME_SIZE];

	*unknown = false;
	for (size_t i = 0; i < c->lists && !l->found; i++) {
		enum listed_answer known = LISTED_UNKNOWN;

		if (c->list[i].kind != LIST_AUTHORITY)
			continue;
		lists_name(&c->list[i], name);
		if (au->lists != NULL && au->lists->values(au->lists->ctx,
		    name, login, compare_value, l, &known, e) != 0)
			return -1;
		*unknown = *unknown || known == LISTED_UNKNOWN;
	}
	return 0;
}

int authority_signs(const struct authority *au, const struct asker *who,
    const struct addr *a, bool *may, struct err *e)
{
	struct look l = {a, false};
	bool unknown;

	*may = false;
	if (a->text[0] == '\0')
		return 0;
	*may = rows_let_sign(au->config, who, a);
	if (*may || who->login == NULL || *who->login == '\0')
		return 0;
	if (lists_let_sign(au, who->login, &l, &unknown, e) != 0)
		return -1;
	*may = l.found;
	if (!l.found && unknown)
		return err_set(e, FAIL_TEMP, "who may sign as %s is not known "
		    "yet: the directory was never reached", a->text);
	return 0;
}

int authority_signs_cert(const struct authority *au,
    const struct asker *who, const struct cert *cert, bool *may,
    struct err *e)
{
	struct err first = {0};

	*may = false;
	for (size_t i = 0; i < cert_addresses(cert) && !*may; i++)
		if (authority_signs(au, who, cert_address(cert, i), may,
		    &first) != 0 && e != NULL)
			*e = first;
	return *may || first.kind == 0 ? 0 : -1;
}

bool authority_may_sign(const struct config *c, const char *login,
    const char *client_ip, const struct addr *a)
{
	const struct authority au = {c, NULL};
	const struct asker who = {login, client_ip};
	bool may;

	return authority_signs(&au, &who, a, &may, NULL) == 0 && may;
}

bool authority_may_sign_cert(const struct config *c, const char *login,
    const char *client_ip, const struct cert *cert)
{
	const struct authority au = {c, NULL};
	const struct asker who = {login, client_ip};
	bool may;

	return authority_signs_cert(&au, &who, cert, &may, NULL) == 0 && may;
}

/* ---- opening ---- */

struct owner {
	const struct cert *cert;
	enum opens opens;
};

static int is_owner(void *arg, const struct addr *address, enum opens_by by,
    struct err *e)
{
	struct owner *o = arg;

	(void)e;
	if (!cert_has_address(o->cert, address, ADDR_FOLD_LOCAL))
		return 0;
	o->opens = by == OPENS_BY_DOMAIN ? OPENS_DOMAIN : OPENS_RCPT;
	return 1; /* what is for the recipient comes first */
}

int authority_opens(const struct authority *au, const struct addr *rcpt,
    const struct cert *cert, enum opens *out, struct err *e)
{
	const struct map_query q = {au->config, au->lists, rcpt};
	struct owner o = {cert, OPENS_NOT};
	bool unknown;

	*out = OPENS_NOT;
	if (address_map_each(&q, is_owner, &o, &unknown, e) < 0)
		return -1;
	*out = o.opens;
	if (o.opens == OPENS_NOT && unknown)
		return err_set(e, FAIL_TEMP, "whose keys open mail for %s is "
		    "not known yet: the directory was never reached",
		    rcpt->text);
	return 0;
}

bool authority_may_open(const struct config *c, const struct addr *rcpt,
    size_t n, const struct cert *cert)
{
	const struct authority au = {c, NULL};
	enum opens opens;

	for (size_t i = 0; i < n; i++)
		if (authority_opens(&au, &rcpt[i], cert, &opens, NULL) == 0 &&
		    opens != OPENS_NOT)
			return true;
	return false;
}
