/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * From the signature of a message into its verdict, from there into the
 * store, and from the store back when a cipher is chosen.
 */
#include "gateway/learn.h"

#include <string.h>

#include "gateway/author.h"
#include "gateway/gateway_int.h"
#include "util/when.h"

#define DAY 86400

/* ---- noting ---- */

/* RFC 8551 2.5.1: what claims to be of tomorrow would be the newest for
 * good. */
static bool is_time(int64_t signed_at, int64_t now)
{
	return signed_at >= 0 && signed_at <= now + DAY;
}

static bool is_list(struct view der)
{
	struct capabilities c;

	return der.n > 0 && capabilities_read(&c, der, NULL) == 0;
}

/* The author's own word: the certificate has his address, nobody vouches
 * for him. */
static bool is_authors(const struct txn *t, const struct signer_finding *f)
{
	return f->result == SIG_PASS && f->is_verified && f->from_match &&
	    f->for_domain[0] == '\0' && author_proven(t, f) != NULL &&
	    is_time(f->signing_time, t->now) &&
	    is_list(view_make(f->caps, f->caps_n));
}

void learn_note(struct txn *t, const struct verification *ver)
{
	struct learned *l = &t->v->learned;

	if (ver == NULL || ver->result != SIG_PASS)
		return;
	for (size_t i = 0; i < ver->signers; i++) {
		const struct signer_finding *f = &ver->signer[i];

		if (!is_authors(t, f))
			continue;
		text_set(l->address, sizeof(l->address),
		    author_proven(t, f));
		memcpy(l->cert, cert_sha256(f->cert), sizeof(l->cert));
		l->signed_at = f->signing_time;
		memcpy(l->list, f->caps, f->caps_n);
		l->list_n = f->caps_n;
		return;
	}
}

/* ---- keeping ---- */

int learn_keep(struct keystore *ks, const struct learned *l, int64_t now,
    struct err *e)
{
	struct addr a;

	if (l->address[0] == '\0')
		return 0;
	if (addr_parse(&a, view_of(l->address), NULL) != 0 ||
	    !is_time(l->signed_at, now) || l->list_n > sizeof(l->list) ||
	    !is_list(view_make(l->list, l->list_n)))
		return err_set(e, FAIL_BUG, "capabilities that nobody may "
		    "have signed");
	return keystore_caps_learn(ks, &a, l->cert, l->signed_at,
	    view_make(l->list, l->list_n), e);
}

/* ---- looking up ---- */

/* What cannot be read counts as not there. */
static void read_list(struct reader *out, struct view der,
    enum learn_source source)
{
	out->source = der.n > 0 &&
	    capabilities_read(&out->caps, der, NULL) == 0 ? source :
	    LEARN_NOTHING;
}

/* Of another certificate's time, which this one came after? */
static bool is_outdated(const struct ks_caps *k, const struct cert *c)
{
	return !k->is_own && c != NULL && k->signed_at < cert_not_before(c);
}

int learn_lookup(struct keystore *ks, const struct addr *a,
    const struct cert *c, struct reader *out, struct err *e)
{
	struct ks_caps k;
	bool found;

	memset(out, 0, sizeof(*out));
	if (keystore_caps_get(ks, a, c == NULL ? NULL : cert_sha256(c), &k,
	    &found, e) != 0)
		return -1;
	if (c != NULL && (!found || is_outdated(&k, c)))
		read_list(out, cert_smime_caps(c), LEARN_CERT);
	if (out->source != LEARN_NOTHING || !found)
		return 0;
	read_list(out, view_make(k.list, k.n), LEARN_MAIL);
	out->signed_at = k.signed_at;
	return 0;
}

int learn_get(struct txn *t, size_t i, struct reader *out, struct err *e)
{
	struct addr who;

	txn_mailbox(t, i, &who);
	return learn_lookup(t->g->ks, &who, t->rcpt[i].cert, out, e);
}

void learn_why(const struct reader *l, const struct writing *x, char *why,
    size_t n)
{
	char date[WHEN_SIZE];
	struct buf b;

	buf_init(&b, 200);
	if (x->cipher.is_fixed && l->source != LEARN_NOTHING)
		buf_puts(&b, "key transport only: ");
	switch (l->source) {
	case LEARN_MAIL:
		buf_printf(&b, "learned from signed mail of %s",
		    when_date(date, l->signed_at));
		break;
	case LEARN_CERT:
		buf_puts(&b, "from the certificate");
		break;
	case LEARN_NOTHING:
		buf_puts(&b, "nothing known");
		break;
	}
	text_set(why, n, x->cipher.is_fixed && !x->learns_oaep
	    ? "not used, as the rule says" : buf_str(&b));
	buf_free(&b);
}
