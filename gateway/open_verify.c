/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Signatures at the root of a layer: steps 1 to 10 are smime/verify.h's, here
 * is the path (S72), from here revoked.c and author.c are asked (S73, S74);
 * and whether what is inside may stand in for the signed object.
 */
#include "gateway/author.h"
#include "gateway/opening.h"
#include "gateway/revoked.h"

static struct cert *find_cert(void *ctx, bool by_ski, struct view id)
{
	const struct txn *t = ctx;
	struct cert *c = NULL;

	if (keystore_find_cert(t->g->ks, by_ski, id, &c, NULL) != 0)
		return NULL;
	return c;
}

static int parse_cert(void *ctx, struct cert **out, struct view der,
    struct err *e)
{
	const struct txn *t = ctx;

	return keystore_parse_cert(t->g->ks, der, out, e);
}

/* A path to an anchor that is trusted for signatures of this domain; NULL:
 * of any. */
static struct path_query query_for(const struct cert *c,
    struct cert *const *extra, size_t n, int64_t now, const char *domain)
{
	return (struct path_query){.leaf = c, .extra = extra, .extra_n = n,
	    .at = now, .purpose = KS_FOR_SIGN, .domain = domain};
}

static const char *author_domain(const struct txn *t)
{
	return t->has_from ? addr_domain(&t->from) : NULL;
}

/* Is there a path now? What fails for a time is none, and fails again
 * where it is reported. */
static bool believe(void *ctx, const struct cert *c,
    struct cert *const *extra, size_t n, int64_t now)
{
	const struct txn *t = ctx;
	struct path_query q = query_for(c, extra, n, now, author_domain(t));
	struct path p = {0};
	struct err e = {0};
	bool ok;

	ok = keystore_path_for(t->g->ks, &q, &p, &e) == 0 && p.ok;
	path_free(&p);
	return ok;
}

struct verify_policy open_policy(struct txn *t)
{
	struct verify_policy p = {0};

	p.now = t->now;
	p.find = find_cert;
	p.parse = parse_cert;
	p.believe = believe;
	p.find_ctx = t;
	author_policy(t, &p);
	return p;
}

/* To an anchor that is trusted for the author's mail; else, as it is not yet
 * said that he signed, to one that is for anybody's. */
static int find_path(struct txn *t, const struct verification *ver,
    const struct cert *c, struct path *p, struct err *e)
{
	struct path_query q = query_for(c, ver->cert, ver->certs, t->now,
	    author_domain(t));
	bool is_scoped;

	if (keystore_path_for(t->g->ks, &q, p, e) != 0 ||
	    keystore_is_scoped(t->g->ks, &is_scoped, e) != 0)
		return -1;
	if (p->ok || !is_scoped || q.domain == NULL)
		return 0;
	path_free(p);
	q.domain = NULL;
	return keystore_path_for(t->g->ks, &q, p, e);
}

/* Steps 11 and 12. FAIL_TEMP of the store is a temperror of the signature. */
static void check_path(struct txn *t, const struct verification *ver,
    struct signer_finding *f)
{
	struct path p = {0};
	struct err e = {0};

	if (find_path(t, ver, f->cert, &p, &e) != 0)
		(void)finding_fail(f, SIG_TEMPERROR, 72, e.msg);
	else if (!p.ok)
		(void)finding_fail(f, SIG_POLICY, 72, p.reason);
	else
		text_set(f->anchor, sizeof(f->anchor), p.anchor);
	if (f->result == SIG_PASS)
		check_revocation(t, &p, f);
	path_free(&p);
}

/*
 * Is there a path to an anchor that is trusted for mail of this author? A
 * certificate may have addresses of several domains, its root be trusted for
 * one of them.
 */
static void check_scope(struct txn *t, const struct verification *ver,
    struct signer_finding *f)
{
	struct path_query q = query_for(f->cert, ver->cert, ver->certs,
	    t->now, author_domain(t));
	struct path p = {0};
	struct err e = {0};
	bool is_scoped;

	if (keystore_is_scoped(t->g->ks, &is_scoped, &e) != 0 || (is_scoped &&
	    keystore_path_for(t->g->ks, &q, &p, &e) != 0)) {
		(void)finding_fail(f, SIG_TEMPERROR, 72, e.msg);
	} else if (is_scoped && !p.ok) {
		(void)finding_fail(f, SIG_POLICY, 74, p.reason);
	} else if (is_scoped) {
		text_set(f->anchor, sizeof(f->anchor), p.anchor);
		recheck_revocation(t, &p, f);
	}
	path_free(&p);
}

void open_author(struct txn *t, const struct verification *ver,
    struct signer_finding *f)
{
	author_check(t, f);
	if (f->result == SIG_PASS && f->cert != NULL)
		check_scope(t, ver, f);
	if (f->result != SIG_PASS) {
		f->from_match = false;
		f->for_domain[0] = '\0';
	}
	demand_revocation(t, f);
}

void open_judge(struct opening *o, struct verification *ver, bool at_root)
{
	for (size_t i = 0; i < ver->signers; i++) {
		struct signer_finding *f = &ver->signer[i];

		if (f->result == SIG_PASS && f->cert != NULL)
			check_path(o->t, ver, f);
		open_author(o->t, ver, f);
	}
	verify_conclude(ver, at_root, o->t->now);
}

/* cms_read's faults are results of step 2 (S63). */
static int unreadable(struct opening *o, struct err *e)
{
	struct err why = *e;

	if (err_is_ours(e))
		return -1;
	err_clear(e);
	return finding_plain(o, SIG_NEUTRAL, 63, why.msg, e);
}

/* Is what it signs worth a look? Not when it is not what was signed. */
static bool is_whole(const struct verification *ver)
{
	for (size_t i = 0; i < ver->signers; i++)
		if (ver->signer[i].crypto_failed)
			return false;
	return ver->signers > 0 && ver->result != SIG_FAIL;
}

/*
 * Text before the first delimiter or after the last one is not signed, and
 * stays without effect on the result (S75): no MIME reader shows it, openssl
 * and others write a preamble of their own ("This is an S/MIME signed
 * message"), lists append an epilogue.
 */
int open_clear(struct opening *o, struct err *e)
{
	struct layer *l = layer_top(o);
	struct verify_policy p = open_policy(o->t);
	struct verification *ver = NULL;
	struct cms *c = NULL;
	bool is_good;
	int rc = -1;

	if (layer_cms(l, &c, e) != 0)
		return unreadable(o, e);
	if (cms_type(c) != CMS_SIGNED) {
		rc = finding_plain(o, SIG_PERMERROR, 63,
		    "RFC 8551 3.5.3: the signature part is no SignedData", e);
		goto out;
	}
	if (verify_detached(c, l->s, l->sh.part, l->sh.part_end, &p, &ver,
	    e) != 0 || author_look_inside(ver, l->s, l->sh.part,
	    l->sh.part_end, e) != 0)
		goto out;
	open_judge(o, ver, true);
	is_good = is_whole(ver);
	finding_note(o, &ver, "", true);
	/* sign around encrypt, as in a triple wrap (RFC 2634 1.1) */
	rc = is_good ? layer_look(o, l->sh.part, l->sh.part_end, e) : 0;
out:
	verification_free(&ver);
	cms_free(&c);
	return rc;
}

/* May the content stand in for the signed object? Not when it is not what
 * was signed, nor when nobody can say, nor a receipt or the like (S137).
 * Nobody signed: it is what it is (RFC 3183 3, the empty signature). */
static bool is_releasable(const struct verification *ver)
{
	if (ver->result == SIG_NONE)
		return ver->step == 66;
	return (ver->result == SIG_PASS || ver->result == SIG_POLICY) &&
	    ver->step != 65 && ver->best >= 0 &&
	    ver->signer[ver->best].is_verified;
}

/* What is no mail was not signed as mail: a document of the author's, which
 * anybody can put under his name (RFC 8551 3.1). */
static int demand_entity(struct verification *ver, const struct spool *inside,
    struct err *e)
{
	bool is = false;

	if (ver->result != SIG_PASS)
		return 0;
	if (layer_is_entity(inside, &is, e) != 0)
		return -1;
	if (!is)
		finding_demote(ver, SIG_POLICY, 65,
		    "what is signed is no MIME entity (RFC 8551 3.1)");
	return 0;
}

int open_opaque(struct opening *o, const struct cms *c, struct err *e)
{
	struct verify_policy p = open_policy(o->t);
	struct verification *ver = NULL;
	struct spool *inside = NULL;
	bool release;
	int rc = -1;

	if (cms_signers(c) == 0 && !cms_has_content(c))
		return 0; /* certs-only: nothing is signed */
	if (txn_spool(o->t, &inside, e) != 0)
		return -1;
	if (verify_opaque(c, &p, inside, &ver, e) != 0 ||
	    author_look_inside(ver, inside, 0, spool_size(inside), e) != 0)
		goto out;
	open_judge(o, ver, true);
	if (demand_entity(ver, inside, e) != 0)
		goto out;
	release = is_releasable(ver) && o->may_unwrap;
	finding_note(o, &ver, "", false);
	rc = 0;
	if (!release)
		goto out;
	rc = layer_enter(o, &inside, e);
	if (rc == 0) {
		rc = 1;
	} else if (e->kind == FAIL_INPUT || e->kind == FAIL_LIMIT) {
		err_clear(e); /* no entity: stays as it arrived */
		rc = 0;
	}
out:
	verification_free(&ver);
	spool_free(&inside);
	return rc;
}
