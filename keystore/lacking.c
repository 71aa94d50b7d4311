/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Who of the local addresses lacks what. Only the rows of the local domains
 * are looked at; the choice of a certificate is that of the message path, so
 * what is said here is what happens to mail.
 */
#include "keystore/request.h"

#include <stdlib.h>
#include <string.h>

#include "keystore/keystore_int.h"

#define BETWEEN 16 /* users, some milliseconds each */

struct known {
	char *address; /* owned */
	int64_t waiting;
};

struct looking {
	struct keystore *ks;
	const struct lacking_query *q;
	struct known *known; /* owned */
	size_t n, size;
};

/* ---- whom the store knows ---- */

static int add_known(struct looking *l, const char *address, int64_t waiting,
    struct err *e)
{
	size_t size = l->size == 0 ? 64 : 2 * l->size;
	struct known *bigger;

	if (l->n == l->size) {
		bigger = realloc(l->known, size * sizeof(*bigger));
		if (bigger == NULL)
			return err_set(e, FAIL_TEMP, "out of memory");
		l->known = bigger;
		l->size = size;
	}
	l->known[l->n].address = strdup(address);
	l->known[l->n].waiting = waiting;
	if (l->known[l->n].address == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	l->n++;
	return 0;
}

int keystore_addresses(struct keystore *ks, const char *domain, address_visit
    *visit, void *arg, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_LOCAL_ADDRESSES, e);
	const char *text;
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_text(st, 1, domain, -1, SQLITE_TRANSIENT);
	while ((rc = ks_step(ks, st, e)) == 1) {
		text = (const char *)sqlite3_column_text(st, 0);
		if (text != NULL && visit(arg, text, e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	return rc;
}

static int add_certified(void *arg, const char *address, struct err *e)
{
	return add_known(arg, address, 0, e);
}

static int add_waiting(void *arg, const struct request *r, struct err *e)
{
	char key[sizeof(r->email.text)];
	struct looking *l = arg;
	size_t i;

	for (i = 0; i < l->q->domains; i++)
		if (strcmp(addr_domain(&r->email), l->q->domain[i]) == 0) {
			addr_key(&r->email, key);
			return add_known(l, key, r->added, e);
		}
	return 0;
}

static int compare_known(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	return strcmp(x->address, y->address);
}

/* One row an address, with the time of its oldest request. */
static void merge_known(struct looking *l)
{
	struct known *last = NULL;
	size_t i, n = 0;

	if (l->n == 0)
		return;
	qsort(l->known, l->n, sizeof(*l->known), compare_known);
	for (i = 0; i < l->n; i++) {
		struct known *k = &l->known[i];

		if (last == NULL || strcmp(last->address, k->address) != 0) {
			last = &l->known[n++];
			*last = *k;
			continue;
		}
		if (k->waiting != 0 && (last->waiting == 0 ||
		    k->waiting < last->waiting))
			last->waiting = k->waiting;
		free(k->address);
	}
	l->n = n;
}

static int find_known(struct looking *l, struct err *e)
{
	size_t i;

	for (i = 0; i < l->q->domains; i++)
		if (keystore_addresses(l->ks, l->q->domain[i], add_certified,
		    l, e) != 0)
			return -1;
	if (request_list(l->ks, NULL, add_waiting, l, e) != 0)
		return -1;
	merge_known(l);
	return 0;
}

/* ---- what one lacks ---- */

static void set_reason(char dst[160], const struct selection *sel)
{
	text_set(dst, 160, sel->over_n > 0 ? sel->over[0].reason :
	    "no certificate");
}

/* One use of one address: the reason, and the end of what is chosen now
 * unless something is chosen then, too. */
static int look(struct looking *l, const struct addr *a, unsigned use, struct
    lacking *out, struct err *e)
{
	char *reason = use == KS_SIGN ? out->sign : out->encrypt;
	struct selection sel, then;
	struct ks_row row;
	int64_t ends;
	int rc = 0;

	if (keystore_select(l->ks, a, use, l->q->now, &sel, e) != 0)
		return -1;
	if (sel.cert == NULL) {
		set_reason(reason, &sel);
		goto out;
	}
	rc = ks_cert_get(l->ks, cert_sha256(sel.cert), &row, e);
	if (rc != 0)
		goto out;
	if (!row.has_key)
		out->no_key = true;
	ks_row_free(&row);
	ends = cert_not_after(sel.cert);
	if (ends - l->q->now >= l->q->soon_s)
		goto out;
	rc = keystore_select(l->ks, a, use, ends + 1, &then, e);
	if (rc != 0)
		goto out;
	if (then.cert == NULL && (out->ends == 0 || ends < out->ends))
		out->ends = ends;
	selection_free(&then);
out:
	selection_free(&sel);
	return rc;
}

static int take_spelling(void *arg, const struct ks_row *r, struct err *e)
{
	struct addr *a = arg;
	char want[sizeof(a->text)], key[sizeof(a->text)];
	size_t i;

	(void)e;
	addr_key(a, want);
	for (i = 0; i < cert_addresses(r->cert); i++) {
		addr_key(cert_address(r->cert, i), key);
		if (strcmp(key, want) == 0)
			*a = *cert_address(r->cert, i);
	}
	return 0;
}

static int look_at(struct looking *l, const struct known *k, struct lacking
    *out, struct err *e)
{
	struct addr a;

	memset(out, 0, sizeof(*out));
	out->address = k->address;
	out->waiting = k->waiting;
	if (addr_parse(&a, view_of(k->address), e) != 0)
		return err_add(e, "keystore");
	/* The index folds case, which such a local part must not (RFC 9598
	 * 5): as the certificates have it. */
	if (a.utf8 && keystore_list(l->ks, k->address, take_spelling, &a, e)
	    != 0)
		return -1;
	if (look(l, &a, KS_SIGN, out, e) != 0)
		return -1;
	return look(l, &a, KS_ENCRYPT, out, e);
}

static bool is_lacking(const struct lacking *l)
{
	return l->waiting != 0 || l->sign[0] != '\0' ||
	    l->encrypt[0] != '\0' || l->no_key || l->ends != 0;
}

int keystore_lacking(struct keystore *ks, const struct lacking_query *q,
    lacking_visit *visit, void *arg, size_t *seen, struct err *e)
{
	struct looking l = { .ks = ks, .q = q };
	struct lacking one;
	size_t i;
	int rc;

	*seen = 0;
	rc = find_known(&l, e);
	for (i = 0; rc == 0 && i < l.n; i++) {
		rc = look_at(&l, &l.known[i], &one, e);
		if (rc == 0 && is_lacking(&one))
			rc = visit(arg, &one, e);
		if (i % BETWEEN == BETWEEN - 1)
			ks_between(ks);
	}
	if (rc == 0)
		*seen = l.n;
	for (i = 0; i < l.n; i++)
		free(l.known[i].address);
	free(l.known);
	return rc;
}
