/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A recipient's certificate out of a directory, where the keystore has none.
 * What comes is judged as any other and forgotten with the message. Only
 * addresses of the envelope are asked for; what mail or a certificate in it
 * names is never fetched (A56).
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/lookup.h"
#include "gateway/plan_int.h"
#include "util/clock.h"

/* What was passed over, behind what the keystore's choice passed over. */
static int add_over(struct verdict_rcpt *r, const struct selection *s,
    struct err *e)
{
	struct verdict_over *over;

	if (s->over_n == 0)
		return 0;
	over = reallocarray(r->over, r->overs + s->over_n, sizeof(*over));
	if (over == NULL)
		return err_set(e, FAIL_TEMP, "plan: out of memory");
	r->over = over;
	for (size_t i = 0; i < s->over_n; i++) {
		over = &r->over[r->overs++];
		text_set(over->sha256, sizeof(over->sha256),
		    s->over[i].sha256);
		text_set(over->reason, sizeof(over->reason),
		    s->over[i].reason);
	}
	return 0;
}

static int take(struct txn *t, size_t i, const struct found_certs *f,
    const struct selection *s, struct err *e)
{
	struct verdict_rcpt *r = &t->v->rcpt[i];

	if (add_over(r, s, e) != 0)
		return -1;
	if (s->cert == NULL) {
		if (s->over_n != 0)
			text_set(r->reason, sizeof(r->reason),
			    s->over[0].reason);
		return 0;
	}
	free(r->cert);
	r->certs = 0;
	r->cert = calloc(1, sizeof(*r->cert));
	if (r->cert == NULL)
		return err_set(e, FAIL_TEMP, "plan: out of memory");
	r->certs = 1;
	plan_describe(r->cert, s->cert);
	lookup_source(f, r->cert->source, sizeof(r->cert->source));
	r->reason[0] = '\0';
	cert_free(&t->rcpt[i].cert);
	t->rcpt[i].cert = cert_ref(s->cert);
	return 0;
}

static int judge(struct txn *t, size_t i, const struct addr *who,
    const struct found_certs *f, struct err *e)
{
	struct selection s = {0};
	int rc = -1;

	if (lookup_select(t->g->ks, who, f,
	    t->v->rcpt[i].wanted.revocation_hard, t->now, &s, e) == 0)
		rc = take(t, i, f, &s, e);
	selection_free(&s);
	return rc;
}

/* Who answers may have been taken over: that DNSSEC vouches is for our own
 * configuration to let him say, and of SMIMEA alone. */
static void doubt(const struct config *c, const struct addr *who,
    struct found_certs *f)
{
	if (f->source == FIND_SMIMEA &&
	    directories_vouch(c->directory, c->directories, who))
		return;
	for (size_t i = 0; i < f->n; i++)
		f->is_vouched[i] = false;
}

/* -1 with why: could not be known. */
static int ask(struct txn *t, const struct addr *who, struct found_certs *f,
    struct err *why)
{
	int64_t start = clock_ms();
	int rc;

	if (t->lookup_ms >= CAP_LOOKUP_MS)
		return err_set(why, FAIL_TEMP, "the directories took too long "
		    "for the recipients before this one");
	rc = t->g->lookup->find(t->g->lookup->ctx, who, f, why);
	t->lookup_ms += clock_ms() - start;
	doubt(t->g->config, who, f);
	return rc;
}

int plan_lookup(struct txn *t, size_t i, bool *unknown, struct err *e)
{
	const struct config *c = t->g->config;
	struct verdict_rcpt *r = &t->v->rcpt[i];
	struct found_certs f;
	struct err why = {0};
	struct addr who;
	int rc = 0;

	*unknown = false;
	txn_mailbox(t, i, &who);
	if (t->g->lookup == NULL || !directories_serve(c->directory,
	    c->directories, &who))
		return 0;
	found_certs_init(&f);
	if (ask(t, &who, &f, &why) != 0) {
		text_set(r->reason, sizeof(r->reason), why.msg);
		*unknown = true;
		goto out;
	}
	if (f.warning[0] != '\0')
		txn_warn(t, "looking for a certificate of %s: %s", who.text,
		    f.warning);
	rc = judge(t, i, &who, &f, e);
out:
	found_certs_free(&f);
	return rc;
}
