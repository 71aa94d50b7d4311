/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Who may send as whom (RFC 6409 6.1): an address as itself, and what the
 * senders file says: statements LOGIN ADDRESS|@DOMAIN...
 */
#include "relay/auth.h"

#include <stdlib.h>
#include <string.h>

#include "util/addr.h"

struct right {
	char *login;
	struct addr address; /* text "": a whole domain */
	char domain[TLS_NAME_MAX];
};

struct auth_senders {
	bool any;
	struct right *right; /* sorted by login */
	size_t n;
};

void auth_senders_free(struct auth_senders **s)
{
	size_t i;

	if (*s == NULL)
		return;
	for (i = 0; i < (*s)->n; i++)
		free((*s)->right[i].login);
	free((*s)->right);
	free(*s);
	*s = NULL;
}

static void add(struct auth_senders *s, const struct conf_stmt *st, size_t w,
    struct conf_errors *ce)
{
	struct view text = view_of(st->word[w].s);
	struct err e = { 0 };
	struct right *more, *r;
	int rc;

	if ((s->n & (s->n - 1)) == 0) {
		more = realloc(s->right, (s->n == 0 ? 1 : 2 * s->n) *
		    sizeof(*more));
		if (more == NULL) {
			conf_error(ce, st, w, "out of memory");
			return;
		}
		s->right = more;
	}
	r = &s->right[s->n];
	memset(r, 0, sizeof(*r));
	if (text.n > 0 && text.p[0] == '@')
		rc = addr_domain_parse(r->domain, sizeof(r->domain),
		    view_sub(text, 1, text.n), &e);
	else
		rc = addr_parse(&r->address, text, &e);
	if (rc != 0) {
		conf_error(ce, st, w, "expected ADDRESS or @DOMAIN: %s",
		    e.msg);
		return;
	}
	r->login = strdup(st->word[0].s);
	if (r->login == NULL)
		conf_error(ce, st, w, "out of memory");
	else
		s->n++;
}

static int by_login(const void *a, const void *b)
{
	const struct right *x = a, *y = b;

	return strcmp(x->login, y->login);
}

static void read_statement(struct auth_senders *s,
    const struct conf_stmt *st, struct conf_errors *ce)
{
	size_t w;

	if (st->has_block)
		conf_error(ce, st, 0, "no block may stand here");
	if (st->words < 2)
		conf_error(ce, st, 1, "expected LOGIN ADDRESS|@DOMAIN...");
	for (w = 1; w < st->words; w++)
		add(s, st, w, ce);
}

static int read_file(struct auth_senders *s, const char *path, struct err *e)
{
	struct conf_errors ce;
	struct conf *c = NULL;
	int rc = 0;
	size_t i;

	conf_errors_init(&ce);
	if (conf_read(&c, path, &ce) == 0)
		for (i = 0; i < c->stmts; i++)
			read_statement(s, &c->stmt[i], &ce);
	if (ce.n > 0) { /* the first; the others are for the next time */
		i = view_chr(buf_view(&ce.text), '\n', 0);
		rc = err_set(e, FAIL_CONFIG, "%.*s", i > 400 ? 400 : (int)i,
		    buf_str(&ce.text));
	}
	conf_free(&c);
	conf_errors_free(&ce);
	return rc;
}

int auth_senders_load(struct auth_senders **out, const struct listener *l,
    struct err *e)
{
	struct auth_senders *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (s == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	s->any = l->auth.any_sender;
	if (l->auth.senders != NULL &&
	    read_file(s, l->auth.senders, e) != 0) {
		auth_senders_free(&s);
		return err_add(e, "senders");
	}
	if (s->n > 1)
		qsort(s->right, s->n, sizeof(*s->right), by_login);
	*out = s;
	return 0;
}

/* The first line of login; s->n when there is none. */
static size_t find(const struct auth_senders *s, const char *login)
{
	size_t low = 0, high = s->n, at;

	while (low < high) {
		at = low + (high - low) / 2;
		if (strcmp(s->right[at].login, login) < 0)
			low = at + 1;
		else
			high = at;
	}
	return low;
}

/* T32: the domain however it is written, the local part to the letter. */
static bool is_same(const char *who, const struct addr *from)
{
	struct addr a;

	return addr_parse(&a, view_of(who), NULL) == 0 &&
	    addr_eq(&a, from, ADDR_EXACT);
}

static bool login_may(const struct auth_senders *s, const char *login,
    const struct addr *from)
{
	const struct right *r;
	size_t i;

	if (is_same(login, from))
		return true;
	for (i = find(s, login); i < s->n; i++) {
		r = &s->right[i];
		if (strcmp(r->login, login) != 0)
			break;
		if (r->address.text[0] != '\0' ?
		    addr_eq(&r->address, from, ADDR_EXACT) :
		    strcmp(r->domain, addr_domain(from)) == 0)
			return true;
	}
	return false;
}

bool auth_may_send(const struct auth_senders *s, const char *login,
    const char *const *identity, size_t identities, const char *from)
{
	struct addr a;
	size_t i;

	if (from[0] == '\0' || s->any) /* T27: the null sender is nobody */
		return true;
	if (addr_parse(&a, view_of(from), NULL) != 0)
		return false;
	if (login != NULL && login[0] != '\0' && login_may(s, login, &a))
		return true;
	for (i = 0; i < identities; i++)
		if (is_same(identity[i], &a) ||
		    login_may(s, identity[i], &a))
			return true;
	return false;
}
