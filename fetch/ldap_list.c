/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * LDAP: a whole list, page by page (RFC 2696). Runs in a thread of the fetch
 * process, beside lookups.
 */
#include "fetch/ldap.h"

#include <string.h>

#include "fetch/ldap_int.h"
#include "util/clock.h"
#include "util/proc.h"

#define PAGE 500
#define PAGES_MAX 10000 /* a server that goes on without an end */

struct listing {
	struct ldap_server *s;
	const struct ldap_directory *l;
	const struct ldap_list *q;
	int64_t deadline;
	struct buf *out;
	size_t pairs;
	struct berval cookie; /* of the next page; owned by the library */
};

static int too_much(const struct listing *g, struct err *e)
{
	return err_set(e, FAIL_LIMIT, "directory %s: the list is larger than "
	    "%d entries or %u octets", g->s->url, CAP_LIST_PAIRS, CAP_LIST);
}

static int put_pair(struct listing *g, struct view what, struct view value,
    struct err *e)
{
	if (++g->pairs > CAP_LIST_PAIRS)
		return too_much(g, e);
	ipc_put_view(g->out, what);
	ipc_put_view(g->out, value);
	return g->out->failed ? too_much(g, e) : 0;
}

static struct view view_of_value(const struct berval *v)
{
	return view_make(v->bv_val, v->bv_len);
}

static int put_entry(struct listing *g, struct berval **what,
    struct berval **value, struct err *e)
{
	for (size_t i = 0; what != NULL && what[i] != NULL; i++) {
		if (g->q->value == NULL && put_pair(g, view_of_value(what[i]),
		    view_make(NULL, 0), e) != 0)
			return -1;
		for (size_t k = 0; value != NULL && value[k] != NULL; k++)
			if (put_pair(g, view_of_value(what[i]),
			    view_of_value(value[k]), e) != 0)
				return -1;
	}
	return 0;
}

static int take_entry(struct listing *g, LDAPMessage *m, struct err *e)
{
	struct berval **what, **value = NULL;
	int rc;

	what = ldap_get_values_len(g->s->ld, m, g->q->what);
	if (g->q->value != NULL)
		value = ldap_get_values_len(g->s->ld, m, g->q->value);
	rc = put_entry(g, what, value, e);
	ldap_value_free_len(what);
	ldap_value_free_len(value);
	return rc;
}

/* What goes on after this page; a server that knows no pages gave all. */
static int keep_cookie(struct listing *g, LDAPMessage *m, struct err *e)
{
	LDAPControl **all = NULL, *page;
	ber_int_t total;
	int rc;

	ber_memfree(g->cookie.bv_val);
	memset(&g->cookie, 0, sizeof(g->cookie));
	rc = ldap_parse_result(g->s->ld, m, NULL, NULL, NULL, NULL, &all, 0);
	if (rc != LDAP_SUCCESS)
		return ldap_server_fail(g->s, "list", rc, e);
	page = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, all, NULL);
	if (page != NULL)
		rc = ldap_parse_pageresponse_control(g->s->ld, page, &total,
		    &g->cookie);
	ldap_controls_free(all);
	return rc == LDAP_SUCCESS ? 0 : ldap_server_fail(g->s, "list", rc, e);
}

static int collect_page(struct listing *g, int id, struct err *e)
{
	LDAPMessage *m;
	int rc = 0, type;

	do {
		if (ldap_server_wait(g->s, id, "list", g->deadline, &m,
		    e) != 0)
			return -1;
		type = ldap_msgtype(m);
		if (type == LDAP_RES_SEARCH_RESULT) {
			rc = keep_cookie(g, m, e);
			if (rc == 0)
				return ldap_server_conclude(g->s, "list", m,
				    e);
		}
		if (type == LDAP_RES_SEARCH_ENTRY)
			rc = take_entry(g, m, e);
		(void)ldap_msgfree(m);
	} while (rc == 0);
	return -1;
}

static int ask_page(struct listing *g, struct err *e)
{
	union {
		const char *in;
		char *out;
	} what = {g->q->what}, value = {g->q->value};
	char *attributes[] = {what.out, value.out, NULL};
	LDAPControl *page = NULL, *controls[2];
	int id = -1, rc;

	rc = ldap_create_page_control(g->s->ld, PAGE,
	    g->cookie.bv_len == 0 ? NULL : &g->cookie, 0, &page);
	if (rc != LDAP_SUCCESS)
		return ldap_server_fail(g->s, "list", rc, e);
	controls[0] = page;
	controls[1] = NULL;
	rc = ldap_search_ext(g->s->ld, g->l->d->base, LDAP_SCOPE_SUBTREE,
	    g->q->filter, attributes, 0, controls, NULL, NULL,
	    LDAP_NO_LIMIT, &id);
	ldap_control_free(page);
	if (rc != LDAP_SUCCESS)
		return ldap_server_fail(g->s, "list", rc, e);
	return collect_page(g, id, e);
}

static int ask_all(struct listing *g, struct err *e)
{
	g->s->deadline = g->deadline;
	if (ldap_server_connect(g->l, g->s, g->deadline, e) != 0)
		return -1;
	for (int i = 0; i < PAGES_MAX; i++) {
		if (ask_page(g, e) != 0)
			return -1;
		if (g->cookie.bv_len == 0)
			return 0;
	}
	return too_much(g, e);
}

int ldap_directory_list(struct ldap_directory *l, const struct ldap_list *q,
    int64_t deadline, struct buf *out, struct err *e)
{
	struct err first = {0};

	for (size_t i = 0; i < l->servers; i++) {
		/* one that hangs leaves time for the others */
		int64_t share = find_left_ms(deadline) /
		    (int64_t)(l->servers - i);
		struct listing g = {.s = &l->server[i], .l = l, .q = q,
		    .deadline = clock_ms() + share, .out = out};
		struct err why = {0};
		int rc;

		buf_clear(out);
		rc = ask_all(&g, &why);
		ber_memfree(g.cookie.bv_val);
		ldap_server_hang_up(g.s);
		if (rc == 0)
			return 0;
		if (first.kind == 0)
			first = why;
	}
	buf_clear(out);
	return err_set(e, first.kind, "%s", first.msg);
}
