/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * From the signature of a message into its verdict, and from there, checked
 * again, into the store.
 */
#include "gateway/harvest.h"

#include <string.h>

#include "gateway/author.h"
#include "gateway/gateway_int.h"
#include "util/der.h"

#define DAY 86400
/* An old message sent again is no sign of life of its author: how old its
 * signature may be, and how far a clock may be ahead. */
#define OLDEST (7 * DAY)
#define AHEAD DAY

/* ---- which certificate ---- */

/* Any copy's rule: what is taken serves all of this gateway's mail. */
static bool is_wanted(const struct txn *t)
{
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (txn_has(t, i) && t->v->rcpt[i].wanted.harvest)
			return true;
	return false;
}

/* Is this the certificate that SMIMEEncryptionKeyPreference names (RFC 8551
 * 2.5.3)? All three of its forms have implicit tags. */
static bool is_named(struct view pref, const struct cert *c)
{
	struct view ias = cert_ias(c), ski = cert_ski(c);
	struct der name, seq, id;

	if (der_next(&pref, &name) != 0 || pref.n != 0)
		return false;
	switch (name.tag) {
	case DER_CTX0:
		return der_get(&ias, DER_SEQUENCE, &seq) == 0 &&
		    view_eq(seq.val, name.val);
	case DER_CTX0 + 1:
		return ski.n > 0 &&
		    der_get(&name.val, DER_OCTET_STRING, &id) == 0 &&
		    view_eq(id.val, ski);
	case DER_CTX0_PRIM + 2:
		return ski.n > 0 && view_eq(name.val, ski);
	default:
		return false;
	}
}

/* The one that he wants to be written to with, else the one he signed with.
 * It has to be his by itself: only the other is proven by the signature. */
static const struct cert *find_preferred(const struct txn *t,
    const struct verification *ver, const struct signer_finding *f)
{
	struct view pref = view_make(f->pref, f->pref_n);

	for (size_t i = 0; pref.n > 0 && i < ver->certs; i++)
		if (is_named(pref, ver->cert[i]) && cert_has_address(
		    ver->cert[i], &t->from, ADDR_FOLD_LOCAL))
			return ver->cert[i];
	return f->cert;
}

static bool is_fresh(const struct txn *t, const struct signer_finding *f)
{
	return f->signing_time >= t->now - OLDEST &&
	    f->signing_time <= t->now + AHEAD;
}

/* The author's own signature, and nobody's beside it. */
static const struct signer_finding *find_author(const struct txn *t,
    const struct verification *ver)
{
	const struct signer_finding *f;

	if (ver == NULL || ver->result != SIG_PASS || ver->signers != 1)
		return NULL;
	f = &ver->signer[0];
	return f->result == SIG_PASS && f->is_verified && f->from_match &&
	    f->for_domain[0] == '\0' && t->has_from &&
	    author_proven(t, f) != NULL ? f : NULL;
}

/* ---- noting ---- */

static void say(struct harvested *h, const char *state, const char *reason)
{
	h->state = state;
	text_set(h->reason, sizeof(h->reason), reason);
}

/* The signature passed, so the message itself brings what is missing. */
static void say_path(struct harvested *h, const char *reason)
{
	struct err text = {0};

	(void)err_set(&text, FAIL_POLICY, "%s; import the CA certificates "
	    "that the message brings", reason);
	text_set(h->reason, sizeof(h->reason), text.msg);
}

static void look(struct txn *t, const struct cert *c)
{
	const struct sighting s = {&t->from, c, t->now};
	struct harvested *h = &t->v->harvested;
	struct harvest_outcome out;
	struct err e = {0};

	if (harvest_look(t->g->ks, &s, &t->g->config->harvest, &out, &e) !=
	    0) {
		say(h, "refused", e.msg);
		return;
	}
	say(h, harvest_state_str(out.state), out.reason);
	if (out.has_no_path)
		say_path(h, out.reason);
	if (!out.has_news)
		return;
	buf_putv(&h->der, cert_der(c));
	if (h->der.failed)
		buf_clear(&h->der);
	if (out.is_conflict)
		txn_warn(t, "%s signed with another certificate than the one "
		    "in use: %s", t->from.text, cert_sha256_hex(c));
}

void harvest_note(struct txn *t, const struct verification *ver)
{
	const struct signer_finding *f = find_author(t, ver);
	struct harvested *h = &t->v->harvested;
	const struct cert *c;

	if (f == NULL || !is_wanted(t))
		return;
	c = find_preferred(t, ver, f);
	text_set(h->address, sizeof(h->address), t->from.text);
	text_set(h->sha256, sizeof(h->sha256), cert_sha256_hex(c));
	if (!is_fresh(t, f))
		say(h, "refused", f->signing_time == -1
		    ? "the signature has no signingTime"
		    : "the signature is not of these days (signingTime)");
	else
		look(t, c);
}

/* ---- keeping ---- */

int harvest_store(struct keystore *ks, const struct harvested *h,
    const struct harvest_policy *p, int64_t now, struct harvest_outcome *out,
    struct err *e)
{
	struct cert *c = NULL;
	struct sighting s = {.at = now};
	struct addr who;
	int rc = -1;

	memset(out, 0, sizeof(*out));
	if (h->der.n == 0)
		return 0;
	if (addr_parse(&who, view_of(h->address), NULL) != 0 ||
	    keystore_parse_cert(ks, buf_view(&h->der), &c, NULL) != 0)
		return err_set(e, FAIL_BUG, "a certificate that nobody may "
		    "have signed with");
	s.who = &who;
	s.cert = c;
	/* anchors and lists may have changed */
	rc = keystore_refresh(ks, e);
	if (rc == 0)
		rc = harvest_keep(ks, &s, p, out, e);
	if (rc == 0 && out->state == HARVEST_REFUSED)
		rc = err_set(e, FAIL_POLICY, "not taken: %s", out->reason);
	cert_free(&c);
	return rc;
}
