/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Collects from the keystore what an administrator should look at.
 */
#include "gateway/attention.h"

#include <string.h>

#include "keystore/held.h"
#include "keystore/life.h"
#include "keystore/listed.h"
#include "keystore/request.h"
#include "keystore/revocation.h"
#include "util/when.h"

#define CRL_BEFORE_S ((int64_t)7 * 86400)
/* What ended longer ago is no news: nobody writes to that partner. */
#define PARTNER_PAST_S ((int64_t)90 * 86400)

static const char *const kind_name[ATTENTION_KINDS] = {
	[ATTENTION_USER] = "user",
	[ATTENTION_PARTNER] = "partner",
	[ATTENTION_CA] = "ca",
	[ATTENTION_CRL] = "crl",
	[ATTENTION_FETCH] = "fetch",
	[ATTENTION_PENDING] = "pending",
	[ATTENTION_HELD] = "held",
};
static const char *const kind_title[ATTENTION_KINDS] = {
	[ATTENTION_USER] = "Users of ours who lack something",
	[ATTENTION_PARTNER] = "Partners whose last certificate ends",
	[ATTENTION_CA] = "Roots and CAs that end",
	[ATTENTION_CRL] = "CRLs that are stale or soon will be",
	[ATTENTION_FETCH] = "What could not be fetched",
	[ATTENTION_PENDING] = "Waiting for a decision",
	[ATTENTION_HELD] = "Mail that is held",
};

const char *attention_str(enum attention_kind k)
{
	return (size_t)k < ARRAY_LEN(kind_name) ? kind_name[k] : "?";
}

const char *attention_title(enum attention_kind k)
{
	return (size_t)k < ARRAY_LEN(kind_title) ? kind_title[k] : "?";
}

struct looking {
	struct keystore *ks;
	int64_t now;
	enum attention_kind kind;
	attention_visit *visit;
	void *arg;
	size_t n; /* of this kind */
};

static int tell(struct looking *l, const char *what, int64_t at, const char
    *text, struct err *e)
{
	struct attention a = {l->kind, what, at, text};

	l->n++;
	return l->visit(l->arg, &a, e);
}

static int on_end(void *arg, const char *what, int64_t ends, struct err *e)
{
	struct looking *l = arg;

	return tell(l, what, ends, ends <= l->now ? "ended" : "ends", e);
}

static int on_failure(void *arg, const char *what, int64_t tried,
    struct err *e)
{
	return tell(arg, what, tried, "tried", e);
}

/* One that could not be fetched: the old one holds, or nobody knows. */
static int on_directory_list(void *arg, const char *list,
    const struct listed_state *s, struct err *e)
{
	struct looking *l = arg;
	struct buf text;
	int rc;

	if (s->error[0] == '\0')
		return 0;
	buf_init(&text, 1024);
	if (s->fetched == 0)
		buf_printf(&text, "never fetched, mail that needs it waits: "
		    "%s", s->error);
	else
		buf_printf(&text, "the list of then holds: %s", s->error);
	rc = tell(l, list, s->fetched, buf_str(&text), e);
	buf_free(&text);
	return rc;
}

/* A stored OCSP response lives for days by its nature: none is named. */
static int on_list(void *arg, const struct revocation_row *r, struct err *e)
{
	struct looking *l = arg;

	if (r->serial != NULL || r->next_update >= l->now + CRL_BEFORE_S)
		return 0;
	return tell(l, r->issuer, r->next_update, r->next_update <= l->now ?
	    "is stale since then" : "becomes stale", e);
}

/* What a user lacks, as one sentence. */
static void put_lack(struct buf *b, const struct lacking *l, int64_t now)
{
	bool same = strcmp(l->sign, l->encrypt) == 0;
	char date[WHEN_SIZE];
	const char *sep = "";

	if (l->waiting != 0) {
		buf_printf(b, "a key waits for its certificate since %s",
		    when_date(date, l->waiting));
		sep = "; ";
	}
	if (l->sign[0] != '\0') {
		buf_printf(b, "%scannot sign%s: %s", sep, same ?
		    " and cannot be encrypted to" : "", l->sign);
		sep = "; ";
	}
	if (l->encrypt[0] != '\0' && !same) {
		buf_printf(b, "%scannot be encrypted to: %s", sep,
		    l->encrypt);
		sep = "; ";
	}
	if (l->no_key) {
		buf_printf(b, "%sthe key that mail is encrypted to is not "
		    "here", sep);
		sep = "; ";
	}
	if (l->ends != 0)
		buf_printf(b, "%scertificate %s %s, and none follows", sep,
		    l->ends <= now ? "ended" : "ends",
		    when_date(date, l->ends));
}

static int on_lacking(void *arg, const struct lacking *x, struct err *e)
{
	struct looking *l = arg;
	struct buf text;
	int rc;

	buf_init(&text, 1024);
	put_lack(&text, x, l->now);
	rc = tell(l, x->address, 0, buf_str(&text), e);
	buf_free(&text);
	return rc;
}

static int look_at_users(struct looking *l, const struct config *c,
    int64_t before_s, struct err *e)
{
	struct lacking_query q = {c->domain, c->domains, l->now, before_s};
	size_t seen;

	return keystore_lacking(l->ks, &q, on_lacking, l, &seen, e);
}

static int look_at_partners(struct looking *l, int64_t before_s,
    struct err *e)
{
	struct life_partners p;
	struct buf text;
	size_t all;
	int rc;

	if (life_partners_ending(l->ks, l->now - PARTNER_PAST_S,
	    l->now + before_s, ATTENTION_MOST, on_end, l, e) != 0)
		return -1;
	if (l->n < ATTENTION_MOST)
		return 0;
	if (life_partners(l->ks, l->now, before_s, &p, e) != 0)
		return -1;
	all = p.soon + p.expired;
	if (all <= l->n)
		return 0;
	buf_init(&text, 100);
	buf_printf(&text, "and %zu more", all - l->n);
	rc = tell(l, "", 0, buf_str(&text), e);
	buf_free(&text);
	return rc;
}

static int look_at_pending(struct looking *l, struct err *e)
{
	struct life_counts n;
	struct buf text;
	int rc = 0;

	if (life_count(l->ks, l->now, &n, e) != 0)
		return -1;
	buf_init(&text, 200);
	if (n.pending > 0) {
		buf_printf(&text, "%zu harvested %s; see \"postseal cert "
		    "pending\"", n.pending, n.pending == 1 ? "certificate" :
		    "certificates");
		rc = tell(l, "", 0, buf_str(&text), e);
	}
	buf_free(&text);
	return rc;
}

static int look_at_held(struct looking *l, struct err *e)
{
	uint64_t n, octets;
	struct buf text;
	int rc = 0;

	if (keystore_held_total(l->ks, &n, &octets, e) != 0)
		return -1;
	buf_init(&text, 200);
	if (n > 0) {
		buf_printf(&text, "%llu %s; see \"postseal quarantine "
		    "list\"", (unsigned long long)n, n == 1 ? "message" :
		    "messages");
		rc = tell(l, "", 0, buf_str(&text), e);
	}
	buf_free(&text);
	return rc;
}

static int look_at(struct looking *l, const struct config *c,
    int64_t before_s, struct err *e)
{
	switch (l->kind) {
	case ATTENTION_USER:
		return look_at_users(l, c, before_s, e);
	case ATTENTION_PARTNER:
		return look_at_partners(l, before_s, e);
	case ATTENTION_CA:
		return life_cas_ending(l->ks, l->now - PARTNER_PAST_S,
		    l->now + before_s, on_end, l, e);
	case ATTENTION_CRL:
		return revocation_list(l->ks, on_list, l, e);
	case ATTENTION_FETCH:
		if (life_fetch_failures(l->ks, on_failure, l, e) != 0)
			return -1;
		return listed_each(l->ks, on_directory_list, l, e);
	case ATTENTION_PENDING:
		return look_at_pending(l, e);
	case ATTENTION_HELD:
		return look_at_held(l, e);
	case ATTENTION_KINDS:
		break;
	}
	return 0;
}

int attention_list(struct keystore *ks, const struct config *c, int64_t now,
    int64_t before_s, attention_visit *visit, void *arg, struct err *e)
{
	struct looking l = {ks, now, ATTENTION_USER, visit, arg, 0};

	for (int k = 0; k < ATTENTION_KINDS; k++) {
		l.kind = (enum attention_kind)k;
		l.n = 0;
		if (look_at(&l, c, before_s, e) != 0)
			return -1;
	}
	return 0;
}

/* ---- as text ---- */

struct printing {
	struct buf *out;
	enum attention_kind last;
	size_t n;
};

static int print_one(void *arg, const struct attention *a, struct err *e)
{
	struct printing *p = arg;
	char date[WHEN_SIZE];

	(void)e;
	if (p->n++ == 0 || p->last != a->kind)
		buf_printf(p->out, "%s:\n", attention_title(a->kind));
	p->last = a->kind;
	buf_puts(p->out, "  ");
	if (a->at != 0)
		buf_printf(p->out, "%s  ", when_date(date, a->at));
	buf_printf(p->out, "%s%s%s\n", a->what,
	    a->what[0] != '\0' && a->text[0] != '\0' ? ": " : "", a->text);
	return 0;
}

int attention_print(struct keystore *ks, const struct config *c, int64_t now,
    int64_t before_s, struct buf *out, size_t *n, struct err *e)
{
	struct printing p = {out, ATTENTION_USER, 0};

	*n = 0;
	if (attention_list(ks, c, now, before_s, print_one, &p, e) != 0)
		return -1;
	*n = p.n;
	return buf_ok(out, e);
}
