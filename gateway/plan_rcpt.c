/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What is known of a single recipient: whether the message shows him, which
 * certificate is his, whether his copy is sealed or opened.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway_int.h"

bool plan_seals(const struct txn *t, size_t i)
{
	const struct treatment *w = &t->v->rcpt[i].wanted;

	if (t->rcpt[i].direction == DIR_OUTBOUND)
		return true;
	return t->rcpt[i].direction == DIR_INTERNAL && (w->sign || w->encrypt);
}

static void mark(struct txn *t, const struct addr_list *l)
{
	for (size_t i = 0; i < t->v->rcpts; i++)
		for (size_t k = 0; k < l->n && !t->rcpt[i].visible; k++)
			t->rcpt[i].visible = addr_eq(&t->rcpt[i].addr,
			    &l->a[k], ADDR_FOLD_LOCAL);
}

int plan_mark_visible(struct txn *t, struct err *e)
{
	static const char *const name[] = {"To", "Cc"};
	const struct field *f;

	for (size_t i = 0; i < ARRAY_LEN(name); i++) {
		for (size_t n = 0; (f = header_get(&t->h, name[i], n)) != NULL;
		    n++) {
			struct addr_list l = {0};

			if (addr_list_collect(&l, f->value, e) != 0)
				return -1;
			mark(t, &l);
			addr_list_free(&l);
		}
	}
	return 0;
}

static int note_cert(struct verdict_rcpt *r, const struct cert *c,
    struct err *e)
{
	r->cert = calloc(1, sizeof(*r->cert));
	if (r->cert == NULL)
		return err_set(e, FAIL_TEMP, "plan: out of memory");
	r->certs = 1;
	text_set(r->cert->sha256, sizeof(r->cert->sha256),
	    cert_sha256_hex(c));
	text_set(r->cert->subject, sizeof(r->cert->subject), cert_subject(c));
	r->cert->not_after = cert_not_after(c);
	return 0;
}

static int note_over(struct verdict_rcpt *r, const struct selection *s,
    struct err *e)
{
	if (s->over_n == 0)
		return 0;
	r->over = calloc(s->over_n, sizeof(*r->over));
	if (r->over == NULL)
		return err_set(e, FAIL_TEMP, "plan: out of memory");
	r->overs = s->over_n;
	for (size_t i = 0; i < s->over_n; i++) {
		text_set(r->over[i].sha256, sizeof(r->over[i].sha256),
		    s->over[i].sha256);
		text_set(r->over[i].reason, sizeof(r->over[i].reason),
		    s->over[i].reason);
	}
	return 0;
}

static void clear_notes(struct verdict_rcpt *r)
{
	free(r->cert);
	free(r->over);
	r->cert = NULL;
	r->over = NULL;
	r->certs = r->overs = 0;
}

int plan_choose(struct txn *t, size_t i, unsigned use, struct err *e)
{
	struct verdict_rcpt *r = &t->v->rcpt[i];
	struct selection s = {0};
	struct addr who = t->rcpt[i].addr;
	int rc = 0;

	clear_notes(r);
	if (who.text[0] == '\0') {
		text_set(r->reason, sizeof(r->reason),
		    "the address cannot be read");
		return 0;
	}
	/* Our own users' details are ours to strip. */
	if (t->g->config->delimiter != 0 &&
	    config_is_local(t->g->config, &who))
		addr_strip_detail(&t->rcpt[i].addr, t->g->config->delimiter,
		    &who);
	if (keystore_select(t->g->ks, &who, use, t->now, &s, e) != 0)
		return -1;
	if (note_over(r, &s, e) != 0) {
		rc = -1;
	} else if (s.cert != NULL) {
		r->reason[0] = '\0';
		cert_free(&t->rcpt[i].cert);
		t->rcpt[i].cert = cert_ref(s.cert);
		rc = note_cert(r, s.cert, e);
	} else {
		text_set(r->reason, sizeof(r->reason), s.over_n == 0
		    ? "no certificate is known"
		    : s.over[0].reason);
	}
	selection_free(&s);
	return rc;
}
