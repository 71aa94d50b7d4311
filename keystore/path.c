/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certification paths (RFC 5280 6) to an anchor of the store. The search
 * for issuers is ours, iterative and counted, because libcrypto takes the
 * first issuer with a fitting name and never tries another; whether a chain
 * that was found is valid, libcrypto alone decides. Of valid ones, one
 * without a revoked intermediate is preferred: whoever sends a message along
 * chooses its certificates.
 */
#include "keystore/keystore_int.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "keystore/revocation.h"
#include "util/ossl.h"
#include "util/when.h"

#define LEVELS (CAP_PATH_DEPTH + 1) /* leaf and intermediates */
#define LEVEL_MAX (KS_PATH_ISSUERS + CAP_CMS_CERTS)
#define KS_DOUBT_S 60 /* how long a failure is believed */

struct path_verdict {
	int64_t from, until; /* times for which it holds */
	struct path path;
	struct cert *anchor;
	bool own;	/* all of it is in the store, the leaf aside */
	bool revoked;	/* an intermediate is, and there is no other path */
	uint64_t epoch; /* when that was asked */
};

/* Possible issuers of the certificate at this level. */
struct level {
	struct cert *cert[LEVEL_MAX]; /* owned */
	bool own[LEVEL_MAX];	      /* the store has it */
	size_t n;
	size_t anchors; /* the first so many */
	size_t next;
};

/* Of a certificate that the message brought. */
enum barred { NOT_ASKED, IS_BARRED, NOT_BARRED };

struct search {
	struct keystore *ks;
	const struct path_query *q;
	enum barred barred[CAP_CMS_CERTS];
	const struct cert *chain[LEVELS]; /* borrowed; [0] is the leaf */
	struct level level[LEVELS];
	size_t depth; /* intermediates in chain */
	int attempts;
	bool gave_up;	/* after KS_PATH_ATTEMPTS */
	bool has_spent; /* the message's budget */
	struct err why; /* first verification failure */
};

int64_t ks_hash_of_name(const X509_NAME *name)
{
	int ok = 0;
	unsigned long h = X509_NAME_hash_ex(name, NULL, NULL, &ok);

	/* Without a hash nothing is found: the path fails, nothing opens. */
	return ok == 1 ? (int64_t)h : -1;
}

int64_t ks_name_hash(const struct cert *c, bool issuer)
{
	X509 *x = cert_x509(c);

	return ks_hash_of_name(issuer ? X509_get_issuer_name(x) :
	    X509_get_subject_name(x));
}

bool ks_self_signed(const struct cert *c)
{
	return X509_self_signed(cert_x509(c), 0) == 1;
}

/* ---- issuers ---- */

static bool is_in_chain(const struct search *s, const struct cert *c)
{
	size_t i;

	for (i = 0; i <= s->depth; i++)
		if (memcmp(cert_sha256(s->chain[i]), cert_sha256(c), 32) == 0)
			return true;
	return false;
}

static bool has_candidate(const struct level *lv, const struct cert *c)
{
	size_t i;

	for (i = 0; i < lv->n; i++)
		if (memcmp(cert_sha256(lv->cert[i]), cert_sha256(c), 32) == 0)
			return true;
	return false;
}

/*
 * RFC 8550 4.3: keys beyond what we work with sign nothing here, whatever
 * libcrypto would calculate. Ed25519 signs certificates, though it does not
 * encrypt; what is too short, level 2 refuses.
 */
static bool has_sane_key(struct search *s, const struct cert *c)
{
	if (cert_key_type(c) != CERT_KEY_RSA ||
	    (cert_key_bits(c) <= CAP_RSA_MAX &&
	    cert_rsa_exponent_bits(c) <= CAP_RSA_EXPONENT))
		return true;
	if (s->why.kind == 0)
		(void)err_set(&s->why, FAIL_POLICY, "%s has an RSA key of %d "
		    "bits with an exponent of %d, at most %d and %d allowed",
		    cert_subject(c), cert_key_bits(c),
		    cert_rsa_exponent_bits(c), CAP_RSA_MAX, CAP_RSA_EXPONENT);
	return false;
}

/*
 * An intermediate's extended key usage bounds what it may issue for: who is
 * a CA for TLS alone never checked who reads a mailbox (RFC 8550 4.4.4).
 * libcrypto looks at it only when given a purpose, which then judges the
 * leaf, too, and differs from our rules there. Anchors are excepted: trust
 * in them is the administrator's word.
 */
static bool may_issue_for_mail(struct search *s, const struct cert *c)
{
	if (cert_eku_mail(c))
		return true;
	if (s->why.kind == 0)
		(void)err_set(&s->why, FAIL_POLICY, "%s may not issue for "
		    "e-mail: its extended key usage (RFC 8550 4.4.4)",
		    cert_subject(c));
	return false;
}

static bool may_be_issuer(struct search *s, const struct cert *c, bool anchor)
{
	const struct level *lv = &s->level[s->depth];
	const struct cert *subject = s->chain[s->depth];

	if (lv->n == LEVEL_MAX || has_candidate(lv, c))
		return false;
	if (X509_check_issued(cert_x509(c), cert_x509(subject)) != X509_V_OK ||
	    !has_sane_key(s, c))
		return false;
	return anchor || (s->depth < CAP_PATH_DEPTH && !ks_self_signed(c) &&
	    !is_in_chain(s, c) && may_issue_for_mail(s, c));
}

/* An anchor outside of its scope is nothing: it is self-signed, and so no
 * intermediate either. Other certificates of its key are what they are. */
static int consider_own(struct search *s, const struct ks_row *r,
    struct err *e)
{
	struct level *lv = &s->level[s->depth];
	bool admitted = true;

	if (r->state != KS_USABLE || !may_be_issuer(s, r->cert, r->is_anchor))
		return 0;
	if (r->is_anchor && ks_scope_admits(s->ks, r->cert, s->q, &admitted,
	    &s->why, e) != 0)
		return -1;
	if (!admitted)
		return 0;
	lv->own[lv->n] = true;
	lv->cert[lv->n++] = cert_ref(r->cert);
	if (r->is_anchor)
		lv->anchors++;
	return 0;
}

/* A certificate that came with the message may be one that we distrust. */
static int is_distrusted(struct keystore *ks, const struct cert *c, bool *yes,
    struct err *e)
{
	struct err mine = { 0 };
	struct ks_row r;

	*yes = false;
	if (ks_cert_get(ks, cert_sha256(c), &r, &mine) != 0) {
		if (mine.kind == FAIL_INPUT)
			return 0; /* not in the store */
		return err_set(e, mine.kind, "%s", mine.msg);
	}
	*yes = r.state == KS_DISTRUSTED;
	ks_row_free(&r);
	return 0;
}

/* Asked last, and once: a maze leads past the same one many times. */
static int consider_extra(struct search *s, size_t i, struct err *e)
{
	struct level *lv = &s->level[s->depth];
	struct cert *c = s->q->extra[i];
	bool distrusted;

	if (!may_be_issuer(s, c, false))
		return 0;
	if (s->barred[i] == NOT_ASKED) {
		if (is_distrusted(s->ks, c, &distrusted, e) != 0)
			return -1;
		s->barred[i] = distrusted ? IS_BARRED : NOT_BARRED;
	}
	if (s->barred[i] == IS_BARRED)
		return 0;
	lv->own[lv->n] = false;
	lv->cert[lv->n++] = cert_ref(c);
	return 0;
}

static int find_issuers(struct search *s, struct err *e)
{
	struct level *lv = &s->level[s->depth];
	sqlite3_stmt *st = ks_stmt(s->ks, ST_ISSUERS, e);
	struct ks_row r;
	size_t i;
	int rc;

	lv->n = lv->anchors = lv->next = 0;
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, ks_name_hash(s->chain[s->depth], true));
	sqlite3_bind_int(st, 2, KS_PATH_ISSUERS);
	while ((rc = ks_step(s->ks, st, e)) == 1) {
		rc = ks_row_read(s->ks, st, &r, e);
		if (rc == 0)
			rc = consider_own(s, &r, e);
		ks_row_free(&r);
		if (rc != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	for (i = 0; rc == 0 && i < s->q->extra_n; i++)
		rc = consider_extra(s, i, e);
	return rc;
}

static void leave_level(struct level *lv)
{
	size_t i;

	for (i = 0; i < lv->n; i++)
		cert_free(&lv->cert[i]);
	lv->n = 0;
}

/* ---- one chain ---- */

static void explain(struct search *s, X509_STORE_CTX *ctx, const struct cert
    *anchor)
{
	int code = X509_STORE_CTX_get_error(ctx);
	int depth = X509_STORE_CTX_get_error_depth(ctx);
	const struct cert *c = anchor;
	char date[32];

	if (s->why.kind != 0)
		return;
	if (depth >= 0 && (size_t)depth <= s->depth)
		c = s->chain[depth];
	if (code == X509_V_ERR_CERT_HAS_EXPIRED)
		(void)err_set(&s->why, FAIL_POLICY, "%s expired on %s",
		    depth == 0 ? "certificate" : cert_subject(c),
		    when_date(date, cert_not_after(c)));
	else if (code == X509_V_ERR_CERT_NOT_YET_VALID)
		(void)err_set(&s->why, FAIL_POLICY, "%s is valid only from %s",
		    depth == 0 ? "certificate" : cert_subject(c),
		    when_date(date, cert_not_before(c)));
	else
		(void)err_set(&s->why, FAIL_POLICY, "%s (%s)",
		    X509_verify_cert_error_string(code), cert_subject(c));
}

static int init_context(struct search *s, X509_STORE_CTX *ctx, X509_STORE
    *store, STACK_OF(X509) *untrusted)
{
	X509_VERIFY_PARAM *param;

	if (X509_STORE_CTX_init(ctx, store, cert_x509(s->chain[0]),
	    untrusted) != 1)
		return -1;
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)s->q->at);
	X509_VERIFY_PARAM_set_depth(param, CAP_PATH_DEPTH);
	if (s->q->is_vouched)
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	/* Level 2: RSA from 2048 bits, no SHA-1 or MD5 (RFC 8550 4.3). */
	X509_VERIFY_PARAM_set_auth_level(param, 2);
	return 0;
}

static bool is_within_constraints(struct search *s, const struct cert *anchor)
{
	struct err why = { 0 };
	size_t i;

	for (i = 1; i <= s->depth; i++)
		if (ks_constraints_check(s->chain[0], s->chain[i], &why) != 0)
			goto out;
	if (ks_constraints_check(s->chain[0], anchor, &why) == 0)
		return true;
out:
	if (s->why.kind == 0)
		s->why = why;
	return false;
}

/* 1 valid, 0 not, -1 FAIL_TEMP. */
static int verify_chain(struct search *s, const struct cert *anchor, struct err
    *e)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *untrusted = sk_X509_new_null();
	size_t i;
	int rc = -1;

	ossl_clear();
	if (store == NULL || ctx == NULL || untrusted == NULL ||
	    X509_STORE_add_cert(store, cert_x509(anchor)) != 1)
		goto out;
	for (i = 1; i <= s->depth; i++)
		if (sk_X509_push(untrusted, cert_x509(s->chain[i])) <= 0)
			goto out;
	if (init_context(s, ctx, store, untrusted) != 0)
		goto out;
	rc = X509_verify_cert(ctx) == 1;
	if (rc == 0)
		explain(s, ctx, anchor);
	else
		rc = is_within_constraints(s, anchor);
out:
	if (rc < 0)
		(void)err_ossl(e, FAIL_TEMP, "path of %s",
		    cert_subject(s->chain[0]));
	ossl_clear();
	sk_X509_free(untrusted);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return rc;
}

/* ---- what was found ---- */

static void clear_verdict(struct path_verdict *v)
{
	path_free(&v->path);
	cert_free(&v->anchor);
}

/* By the last known status: what is not known stops nobody here. */
static int check_revoked(struct keystore *ks, struct path_verdict *v,
    int64_t at, struct err *e)
{
	const struct path *p = &v->path;
	struct revocation rev;

	v->revoked = false;
	if (p->chain_n == 0)
		return 0;
	if (keystore_revocation(ks, p->chain[0], p->chain + 1,
	    p->chain_n - 1, at, &rev, e) != 0)
		return -1;
	v->revoked = rev.status == REVOCATION_REVOKED;
	return 0;
}

static int fill_found(struct search *s, struct cert *anchor,
    struct path_verdict *v, struct err *e)
{
	struct err subject = { 0 };
	const struct level *lv;
	const struct cert *c;
	size_t i;

	v->path.ok = v->own = true;
	v->epoch = s->ks->epoch;
	v->anchor = cert_ref(anchor);
	v->from = cert_not_before(anchor);
	/* libcrypto holds a certificate for expired in its last second. */
	v->until = cert_not_after(anchor) - 1;
	if (s->depth > 0) {
		v->path.chain = calloc(s->depth, sizeof(*v->path.chain));
		if (v->path.chain == NULL)
			return err_set(e, FAIL_TEMP, "path: out of memory");
	}
	for (i = 0; i <= s->depth; i++) {
		c = s->chain[i];
		if (cert_not_before(c) > v->from)
			v->from = cert_not_before(c);
		if (cert_not_after(c) - 1 < v->until)
			v->until = cert_not_after(c) - 1;
	}
	/* The chain is in the levels above, which own it. */
	for (i = 0; i < s->depth; i++) {
		lv = &s->level[i];
		v->own = v->own && lv->own[lv->next - 1];
		v->path.chain[v->path.chain_n++] =
		    cert_ref(lv->cert[lv->next - 1]);
	}
	(void)err_set(&subject, FAIL_POLICY, "%s", cert_subject(anchor));
	ks_text(v->path.anchor, sizeof(v->path.anchor), &subject);
	return check_revoked(s->ks, v, s->q->at, e);
}

/* 1 that is it, 0 with a revoked intermediate: kept for want of a better
 * one, -1. */
static int take_chain(struct search *s, struct cert *anchor,
    struct path_verdict *v, struct err *e)
{
	struct path_verdict found = { 0 };
	int rc = fill_found(s, anchor, &found, e);

	if (rc != 0 || (found.revoked && v->path.ok)) {
		clear_verdict(&found);
		return rc;
	}
	clear_verdict(v);
	*v = found;
	return !v->revoked;
}

/* ---- the search ---- */

/* One more of all that one message may cost. */
static bool spend(struct search *s)
{
	struct keystore *ks = s->ks;

	if (ks->budget == 0 || s->q->extra_n == 0 || s->q->no_message)
		return true;
	s->has_spent = ks->spent == ks->budget;
	if (!s->has_spent)
		ks->spent++;
	return !s->has_spent;
}

static bool may_try(struct search *s)
{
	s->gave_up = s->attempts == KS_PATH_ATTEMPTS;
	if (s->gave_up || !spend(s))
		return false;
	s->attempts++;
	return true;
}

/* v has what was found, if anything. Depth first; chain and levels are its
 * stack. */
static int search_path(struct search *s, struct path_verdict *v,
    struct err *e)
{
	struct level *lv;
	struct cert *c;
	int rc;

	if (find_issuers(s, e) != 0)
		return -1;
	for (;;) {
		lv = &s->level[s->depth];
		if (lv->next == lv->n) {
			leave_level(lv);
			if (s->depth == 0)
				return 0;
			s->depth--;
			continue;
		}
		if (!may_try(s))
			return 0;
		c = lv->cert[lv->next++];
		if (lv->next <= lv->anchors) {
			rc = verify_chain(s, c, e);
			if (rc == 1)
				rc = take_chain(s, c, v, e);
			if (rc != 0)
				return rc < 0 ? -1 : 0;
			continue;
		}
		s->chain[++s->depth] = c;
		if (find_issuers(s, e) != 0)
			return -1;
	}
}

static void word_failure(struct search *s, struct path *p)
{
	const struct cert *leaf = s->chain[0];
	struct err why = s->why;

	if (s->has_spent)
		(void)err_set(&why, FAIL_POLICY, "path to a trusted root not "
		    "found within %d attempts for one message", s->ks->budget);
	else if (s->gave_up)
		(void)err_set(&why, FAIL_POLICY, "path to a trusted root not "
		    "found in %d attempts", KS_PATH_ATTEMPTS);
	else if (why.kind == 0 && ks_self_signed(leaf))
		(void)err_set(&why, FAIL_POLICY,
		    "self-signed and not a trusted root");
	else if (why.kind == 0)
		(void)err_set(&why, FAIL_POLICY, "no path to a trusted root "
		    "(issuer %s)", cert_issuer(leaf));
	ks_text(p->reason, sizeof(p->reason), &why);
}

static int find_verdict(struct search *s, struct path_verdict *v, struct err *e)
{
	bool distrusted;

	if (!spend(s))
		goto failed;
	if (is_distrusted(s->ks, s->chain[0], &distrusted, e) != 0)
		return -1;
	if (distrusted)
		(void)err_set(&s->why, FAIL_POLICY, "distrusted here");
	else if (search_path(s, v, e) != 0)
		return -1;
	if (v->path.ok)
		return 0;
failed:
	v->from = s->q->at;
	v->until = s->q->at + KS_DOUBT_S;
	word_failure(s, &v->path);
	return 0;
}

static struct path_verdict *new_verdict(struct keystore *ks,
    const struct path_query *q, struct err *e)
{
	struct path_verdict *v = calloc(1, sizeof(*v));
	struct search *s = calloc(1, sizeof(*s));
	size_t i;

	if (v == NULL || s == NULL) {
		(void)err_set(e, FAIL_TEMP, "path: out of memory");
		free(v);
		free(s);
		return NULL;
	}
	s->ks = ks;
	s->q = q;
	s->chain[0] = q->leaf;
	if (find_verdict(s, v, e) != 0) {
		ks_path_drop(v);
		v = NULL;
	}
	for (i = 0; i < LEVELS; i++)
		leave_level(&s->level[i]);
	free(s);
	return v;
}

/* ---- verdicts ---- */

void path_free(struct path *p)
{
	size_t i;

	for (i = 0; i < p->chain_n; i++)
		cert_free(&p->chain[i]);
	free(p->chain);
	memset(p, 0, sizeof(*p));
}

void ks_path_drop(void *value)
{
	clear_verdict(value);
	free(value);
}

static int copy_path(const struct path *p, struct path *out, struct err *e)
{
	size_t i;

	*out = *p;
	out->chain = NULL;
	out->chain_n = 0;
	if (p->chain_n == 0)
		return 0;
	out->chain = calloc(p->chain_n, sizeof(*out->chain));
	if (out->chain == NULL)
		return err_set(e, FAIL_TEMP, "path: out of memory");
	for (i = 0; i < p->chain_n; i++)
		out->chain[out->chain_n++] = cert_ref(p->chain[i]);
	return 0;
}

/* Does a verdict of the cache answer this? Extra certificates may bring
 * what was missing. */
static bool answers(const struct path_verdict *v, const struct path_query *q)
{
	return v != NULL && q->at >= v->from && q->at <= v->until &&
	    ((v->path.ok && !v->revoked) || q->extra_n == 0);
}

/* A query, and the names of its answer in the caches. */
struct asking {
	struct keystore *ks;
	const struct path_query *q;
	unsigned char key[32];	 /* in paths */
	unsigned char asked[32]; /* in asked, of a query of a message */
};

/* *out, borrowed, or NULL. Lists may have come since it was found. */
static int find_cached(const struct asking *a, struct path_verdict **out,
    struct err *e)
{
	struct path_verdict *v = lru_get(a->ks->paths, a->key);

	*out = NULL;
	if (!answers(v, a->q))
		return 0;
	if (v->path.chain_n > 0 && v->epoch != a->ks->epoch) {
		if (!v->revoked && check_revoked(a->ks, v, a->q->at, e) != 0)
			return -1;
		if (v->revoked)
			return 0; /* there may be another now */
		v->epoch = a->ks->epoch;
	}
	*out = v;
	return 0;
}

/* Only the store's word is kept beyond a message. */
static bool may_be_cached(const struct path_verdict *v,
    const struct path_query *q)
{
	return q->extra_n == 0 || (v->path.ok && v->own && !v->revoked);
}

static bool is_of_message(const struct asking *a)
{
	return a->ks->budget != 0 && a->q->extra_n > 0 && !a->q->no_message;
}

/* The leaf; with the scope where there are scopes: what is trusted for one
 * partner must not answer for another. */
static void name_leaf(struct asking *a, bool scoped)
{
	unsigned char text[32 + 2 + 256];
	const char *domain = a->q->domain;
	size_t n = domain != NULL ? strlen(domain) : 0;

	memcpy(a->key, cert_sha256(a->q->leaf), 32);
	if (!scoped || a->q->purpose == 0)
		return;
	memcpy(text, a->key, 32);
	text[32] = (unsigned char)a->q->purpose;
	text[33] = domain != NULL;
	if (n > 256)
		n = 256; /* no domain is longer */
	if (n > 0)
		memcpy(text + 34, domain, n);
	ossl_sha256(text, 34 + n, a->key);
}

/* Everything that the answer depends on while one message is looked at. */
static void name_query(struct asking *a)
{
	const struct path_query *q = a->q;
	unsigned char text[sizeof(q->at) + 32 * (1 + CAP_CMS_CERTS)];
	size_t n = sizeof(q->at), i;

	memcpy(text, &q->at, n);
	memcpy(text + n, a->key, 32);
	n += 32;
	for (i = 0; i < q->extra_n; i++) {
		memcpy(text + n, cert_sha256(q->extra[i]), 32);
		n += 32;
	}
	ossl_sha256(text, n, a->asked);
}

static void keep_verdict(const struct asking *a, struct path_verdict *v)
{
	if (may_be_cached(v, a->q))
		lru_put(a->ks->paths, a->key, v);
	else if (is_of_message(a))
		lru_put(a->ks->asked, a->asked, v);
	else
		ks_path_drop(v);
}

static int answer_path(struct keystore *ks, const struct path_query *q,
    struct path *out, struct cert **anchor, struct err *e)
{
	struct asking a = { .ks = ks, .q = q };
	struct path_verdict *v, *new = NULL;
	bool scoped;
	int rc;

	memset(out, 0, sizeof(*out));
	if (keystore_is_scoped(ks, &scoped, e) != 0)
		return -1;
	name_leaf(&a, scoped);
	if (find_cached(&a, &v, e) != 0)
		return -1;
	if (v == NULL && is_of_message(&a)) {
		name_query(&a);
		v = lru_get(ks->asked, a.asked);
	}
	if (v == NULL) {
		v = new = new_verdict(ks, q, e);
		if (v == NULL)
			return -1;
	}
	rc = copy_path(&v->path, out, e);
	if (anchor != NULL)
		*anchor = v->anchor != NULL ? cert_ref(v->anchor) : NULL;
	if (new != NULL)
		keep_verdict(&a, new);
	return rc;
}

void keystore_budget(struct keystore *ks, int attempts)
{
	ks->budget = attempts;
	ks->spent = 0;
	lru_clear(ks->asked);
}

/* Of one that was named by hand nobody else's word is needed, if nobody else
 * gave one. What somebody issued he may revoke: that has a path. */
static int answer_itself(struct keystore *ks, const struct path_query *q,
    struct path *out, struct err *e)
{
	struct search *s = calloc(1, sizeof(*s));
	struct err subject = { 0 };
	int rc;

	memset(out, 0, sizeof(*out));
	if (s == NULL)
		return err_set(e, FAIL_TEMP, "path: out of memory");
	s->ks = ks;
	s->q = q;
	s->chain[0] = q->leaf;
	rc = verify_chain(s, q->leaf, e);
	if (rc == 1) {
		out->ok = true;
		(void)err_set(&subject, FAIL_POLICY, "%s",
		    cert_subject(q->leaf));
		ks_text(out->anchor, sizeof(out->anchor), &subject);
	} else if (rc == 0) {
		word_failure(s, out);
	}
	free(s);
	return rc < 0 ? -1 : 0;
}

int keystore_path_for(struct keystore *ks, const struct path_query *q,
    struct path *out, struct err *e)
{
	struct path_query cut = *q;

	/* more than a message may bring are not looked at */
	if (cut.extra_n > CAP_CMS_CERTS)
		cut.extra_n = CAP_CMS_CERTS;
	if (q->is_named && ks_self_signed(q->leaf))
		return answer_itself(ks, &cut, out, e);
	if (answer_path(ks, &cut, out, NULL, e) != 0)
		return -1;
	if (out->ok || !q->is_vouched)
		return 0;
	path_free(out);
	return answer_itself(ks, &cut, out, e);
}

int keystore_path(struct keystore *ks, const struct cert *leaf, struct cert
    *const *extra, size_t extra_n, int64_t at, struct path *out, struct err *e)
{
	const struct path_query q = { .leaf = leaf, .extra = extra,
	    .extra_n = extra_n, .at = at };

	return keystore_path_for(ks, &q, out, e);
}

/* For what is exported: whatever the anchor is trusted for. */
int ks_path_anchor(struct keystore *ks, const struct cert *leaf, int64_t at,
    struct path *out, struct cert **anchor, struct err *e)
{
	const struct path_query q = { .leaf = leaf, .at = at,
	    .purpose = KS_FOR_ALL };

	*anchor = NULL;
	return answer_path(ks, &q, out, anchor, e);
}
