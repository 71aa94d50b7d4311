/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What is known of a single recipient: whether the message shows him, which
 * certificate is his, whether his copy is sealed or opened.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway_int.h"
#include "smime/cms.h"

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

	if (t->is_marked)
		return 0;
	t->is_marked = true;
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

void plan_describe(struct verdict_cert *out, const struct cert *c)
{
	text_set(out->sha256, sizeof(out->sha256), cert_sha256_hex(c));
	text_set(out->subject, sizeof(out->subject), cert_subject(c));
	out->not_after = cert_not_after(c);
}

int plan_note_cert(struct verdict_rcpt *r, const struct cert *c,
    struct err *e)
{
	struct verdict_cert *more;

	more = reallocarray(r->cert, r->certs + 1, sizeof(*more));
	if (more == NULL)
		return err_set(e, FAIL_TEMP, "plan: out of memory");
	r->cert = more;
	memset(&more[r->certs], 0, sizeof(*more));
	plan_describe(&more[r->certs++], c);
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
	struct addr who;
	int rc = 0;

	clear_notes(r);
	txn_mailbox(t, i, &who);
	if (who.text[0] == '\0') {
		text_set(r->reason, sizeof(r->reason),
		    "the address cannot be read");
		return 0;
	}
	if (keystore_select(t->g->ks, &who, use, t->now, &s, e) != 0)
		return -1;
	if (note_over(r, &s, e) != 0) {
		rc = -1;
	} else if (s.cert != NULL) {
		r->reason[0] = '\0';
		cert_free(&t->rcpt[i].cert);
		t->rcpt[i].cert = cert_ref(s.cert);
		rc = plan_note_cert(r, s.cert, e);
	} else {
		text_set(r->reason, sizeof(r->reason), s.over_n == 0
		    ? "no certificate is known"
		    : s.over[0].reason);
	}
	selection_free(&s);
	return rc;
}

void plan_note_encryption(struct verdict_rcpt *r, const struct enc_to *to,
    enum enc_cipher cipher)
{
	text_set(r->cipher, sizeof(r->cipher), enc_cipher_str(cipher));
	text_set(r->key_transport, sizeof(r->key_transport),
	    writing_transport(to->cert, to->oaep));
}

/* ---- mail that is encrypted already ---- */

struct naming {
	const struct cms *cms;
	const struct addr *who;
	bool *is_named; /* per RecipientInfo, by any recipient's certificate */
	bool has_one;
};

static bool rid_names(const struct cms_rid *rid, const struct cert *c)
{
	return view_eq(rid->id, rid->by_ski ? cert_ski(c) : cert_ias(c)) &&
	    rid->id.n != 0;
}

static void look_at(struct naming *n, const struct cert *c)
{
	for (size_t i = 0; i < cms_rids(n->cms); i++)
		if (rid_names(cms_rid(n->cms, i), c))
			n->is_named[i] = n->has_one = true;
}

/* One that the store believes in; a superseded one has its key still. */
static int look_for(void *arg, const struct ks_row *r, struct err *e)
{
	struct naming *n = arg;

	(void)e;
	if ((r->state != KS_USABLE && r->state != KS_SUPERSEDED) ||
	    (r->use & KS_ENCRYPT) == 0 ||
	    !cert_has_address(r->cert, n->who, ADDR_FOLD_LOCAL))
		return 0;
	look_at(n, r->cert);
	return 0;
}

/* 1: named, or no certificate of his is known (*unknown then), 0, -1. */
static int is_named(struct txn *t, struct naming *n, size_t i, bool *unknown,
    struct err *e)
{
	struct selection s = {0};
	struct addr who;

	txn_mailbox(t, i, &who);
	if (keystore_select(t->g->ks, &who, KS_ENCRYPT, t->now, &s, e) != 0)
		return -1;
	*unknown = s.cert == NULL;
	n->has_one = false;
	/* it may be pinned, or the domain's, and name somebody else */
	if (s.cert != NULL)
		look_at(n, s.cert);
	selection_free(&s);
	if (*unknown)
		return 1;
	n->who = &who;
	if (keystore_list(t->g->ks, who.text, look_for, n, e) != 0)
		return -1;
	return n->has_one;
}

/* Is it known to be less than a rule allows (min-cipher)? */
static bool is_weaker(const struct cms_cipher *x, enum enc_cipher floor)
{
	if (x->weak)
		return true;
	/* Of a cipher that we do not have nobody here knows more. */
	if (!x->supported)
		return !cipher_meets(16, false, floor);
	return !cipher_meets(x->cek_len, x->authenticated, floor);
}

int plan_is_enough(struct txn *t, const char **lack, struct err *e)
{
	const struct cms *c = t->inside != NULL ? t->inside : t->cms;
	struct naming n = {c, NULL, NULL, false};
	size_t strangers = 0, left = 0;
	bool unknown;
	int rc = 1;

	*lack = NULL;
	n.is_named = calloc(cms_rids(c) + 1, sizeof(*n.is_named));
	if (n.is_named == NULL)
		return err_set(e, FAIL_TEMP, "plan: out of memory");
	for (size_t i = 0; i < t->v->rcpts && rc == 1; i++) {
		const struct treatment *w = &t->v->rcpt[i].wanted;

		if (!plan_seals(t, i) || w->pass || !w->encrypt ||
		    w->encrypt_or == OR_PLAIN)
			continue;
		if (is_weaker(cms_cipher(c), w->writing.cipher.floor)) {
			*lack = "with a broken cipher, or less than min-cipher";
			break;
		}
		rc = is_named(t, &n, i, &unknown, e);
		strangers += rc == 1 && unknown;
	}
	/* of those whom we do not know, no more than the rest can be for */
	for (size_t i = 0; i < cms_rids(c); i++)
		left += !n.is_named[i];
	if (*lack == NULL && (rc != 1 || strangers > left))
		*lack = "not to a certificate of every recipient";
	free(n.is_named);
	return rc < 0 ? -1 : 0;
}
