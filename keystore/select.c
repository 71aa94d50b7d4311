/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Which certificate serves an address now, and which key opens a
 * RecipientInfo. Every certificate passed over gets its reason, because
 * "no certificate" is the one answer that people always ask back about.
 */
#include "keystore/fitness.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/x509.h>

#include "util/der.h"
#include "util/ossl.h"

/* A result kept until the store changes or time makes it wrong. */
struct select_verdict {
	int64_t from, until;
	struct selection sel;
};

struct picking {
	struct keystore *ks;
	const struct addr *a;
	unsigned use;
	bool must_know; /* whether it is revoked */
	int64_t now;
	int64_t until; /* the result holds */
	struct cert *const *extra;
	size_t extra_n;
	const bool *is_vouched; /* of the extra ones, or NULL */
	unsigned char pin[CAP_BINDINGS][32];
	size_t pins;
	struct selection *sel;
};

void selection_free(struct selection *s)
{
	size_t i;

	cert_free(&s->cert);
	for (i = 0; i < s->chain_n; i++)
		cert_free(&s->chain[i]);
	free(s->chain);
	free(s->over);
	memset(s, 0, sizeof(*s));
}

void ks_select_drop(void *value)
{
	struct select_verdict *v = value;

	selection_free(&v->sel);
	free(v);
}

/* ---- picking ---- */

/* Of libraries and people's terminals: one line, cut to fit. */
static int pass_over(struct selection *sel, const struct cert *c, const struct
    err *why, struct err *e)
{
	struct passed_over *po;

	if (sel->over_n == KS_OVER)
		return 0;
	po = realloc(sel->over, (sel->over_n + 1) * sizeof(*po));
	if (po == NULL)
		return err_set(e, FAIL_TEMP, "selection: out of memory");
	sel->over = po;
	po = &sel->over[sel->over_n++];
	memcpy(po->sha256, cert_sha256_hex(c), sizeof(po->sha256));
	ks_text(po->reason, sizeof(po->reason), why);
	return 0;
}

/* The result changes when a certificate begins or ends. */
static void bound_life(struct picking *p, const struct cert *c)
{
	int64_t begins = cert_not_before(c), ends = cert_not_after(c);

	if (begins > p->now && begins - 1 < p->until)
		p->until = begins - 1;
	if (ends > p->now && ends - 1 < p->until)
		p->until = ends - 1;
}

static bool is_pinned(const struct picking *p, const struct cert *c)
{
	size_t i;

	for (i = 0; i < p->pins; i++)
		if (memcmp(p->pin[i], cert_sha256(c), 32) == 0)
			return true;
	return false;
}

static bool is_vouched(const struct picking *p, const struct cert *c)
{
	size_t i;

	for (i = 0; i < p->extra_n && p->is_vouched != NULL; i++)
		if (p->is_vouched[i] && memcmp(cert_sha256(p->extra[i]),
		    cert_sha256(c), 32) == 0)
			return true;
	return false;
}

/* Rows come newest first (S103): the first that fits is the one. */
static int judge(struct picking *p, const struct ks_row *r, bool is_bound,
    struct err *e)
{
	struct candidate c = { .ks = p->ks, .row = r, .any_of = p->a, .n = 1,
	    .use = p->use, .must_know = p->must_know, .is_bound = is_bound,
	    .is_vouched = is_vouched(p, r->cert),
	    .has_pins = p->pins > 0, .has_better = p->sel->cert != NULL,
	    .now = p->now, .extra = p->extra, .extra_n = p->extra_n };
	struct err why = { 0 };
	int rc = 0;

	bound_life(p, r->cert);
	if (fitness_check(&c, &why) != 0) {
		rc = why.kind == FAIL_POLICY ?
		    pass_over(p->sel, r->cert, &why, e) :
		    err_set(e, why.kind, "%s", why.msg);
	} else {
		p->sel->cert = cert_ref(r->cert);
		p->sel->chain = c.path.chain;
		p->sel->chain_n = c.path.chain_n;
		c.path.chain = NULL;
		c.path.chain_n = 0;
	}
	path_free(&c.path);
	return rc;
}

typedef int consider(struct picking *p, const struct ks_row *r,
    struct err *e);

static int each_row(struct picking *p, sqlite3_stmt *st, consider *fn,
    struct err *e)
{
	struct ks_row r;
	int rc;

	while ((rc = ks_step(p->ks, st, e)) == 1) {
		rc = ks_row_read(p->ks, st, &r, e);
		if (rc == 0)
			rc = fn(p, &r, e);
		ks_row_free(&r);
		if (rc != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	return rc;
}

static int consider_bound(struct picking *p, const struct ks_row *r,
    struct err *e)
{
	return judge(p, r, true, e);
}

static int consider_pin(struct picking *p, const struct ks_row *r,
    struct err *e)
{
	if (p->pins < CAP_BINDINGS)
		memcpy(p->pin[p->pins++], cert_sha256(r->cert), 32);
	return judge(p, r, true, e);
}

static int note_pin(struct picking *p, const struct ks_row *r, struct err *e)
{
	(void)e;
	if (p->pins < CAP_BINDINGS)
		memcpy(p->pin[p->pins++], cert_sha256(r->cert), 32);
	return 0;
}

/* Those with the address; pinned ones were looked at. */
static int consider_own(struct picking *p, const struct ks_row *r,
    struct err *e)
{
	return is_pinned(p, r->cert) ? 0 : judge(p, r, false, e);
}

static int each_bound(struct picking *p, const char *who,
    enum ks_binding kind, consider *fn, struct err *e)
{
	sqlite3_stmt *st;

	if ((p->use & (KS_ENCRYPT | KS_STORAGE)) == 0 ||
	    p->ks->schema < KS_SCHEMA_LIFE)
		return 0;
	st = ks_stmt(p->ks, ST_SELECT_BOUND, e);
	if (st == NULL)
		return -1;
	sqlite3_bind_text(st, 1, who, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(st, 2, (int)kind);
	sqlite3_bind_int(st, 3, CAP_BINDINGS);
	return each_row(p, st, fn, e);
}

/* Pinned ones, those of the address, those of its domain (S126). */
static int pick(struct picking *p, struct err *e)
{
	char key[sizeof(p->a->text)], domain[sizeof(p->a->text)];
	sqlite3_stmt *st;

	addr_key(p->a, key);
	if (each_bound(p, key, KS_PIN, consider_pin, e) != 0)
		return -1;
	st = ks_stmt(p->ks, ST_SELECT, e);
	if (st == NULL)
		return -1;
	sqlite3_bind_text(st, 1, key, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(st, 2, KS_CANDIDATES);
	if (each_row(p, st, consider_own, e) != 0)
		return -1;
	if (p->sel->cert != NULL || p->pins > 0)
		return 0;
	domain[0] = '@';
	memcpy(domain + 1, addr_domain(p->a), strlen(addr_domain(p->a)) + 1);
	return each_bound(p, domain, KS_DOMAIN, consider_bound, e);
}

/*
 * That there is none decides between sealed and refused, or in clear. Where
 * some were passed over it is found a second time, from the beginning: a
 * fault that passes must not decide it.
 */
static int pick_twice(struct picking *p, struct selection *sel,
    struct err *e)
{
	struct picking again = *p;

	p->sel = sel;
	if (pick(p, e) != 0)
		return -1;
	if (sel->cert != NULL || sel->over_n == 0)
		return 0;
	keystore_forget(p->ks);
	selection_free(sel);
	*p = again;
	p->sel = sel;
	return pick(p, e);
}

static int copy_selection(const struct selection *s, struct selection *out,
    struct err *e)
{
	size_t i;

	memset(out, 0, sizeof(*out));
	if (s->chain_n > 0)
		out->chain = calloc(s->chain_n, sizeof(*out->chain));
	if (s->over_n > 0)
		out->over = calloc(s->over_n, sizeof(*out->over));
	if ((s->chain_n > 0 && out->chain == NULL) ||
	    (s->over_n > 0 && out->over == NULL)) {
		selection_free(out);
		return err_set(e, FAIL_TEMP, "selection: out of memory");
	}
	out->cert = s->cert != NULL ? cert_ref(s->cert) : NULL;
	for (i = 0; i < s->chain_n; i++)
		out->chain[out->chain_n++] = cert_ref(s->chain[i]);
	if (s->over_n > 0)
		memcpy(out->over, s->over, s->over_n * sizeof(*s->over));
	out->over_n = s->over_n;
	return 0;
}

static void cache_key(const struct addr *a, unsigned use, unsigned char
    sha256[32])
{
	unsigned char text[sizeof(a->text) + 1];
	size_t n = strlen(a->text);

	/* The address as written: a UTF-8 local part must not fold. */
	text[0] = (unsigned char)use;
	memcpy(text + 1, a->text, n);
	ossl_sha256(text, n + 1, sha256);
}

int keystore_select(struct keystore *ks, const struct addr *a, unsigned use,
    int64_t now, struct selection *out, struct err *e)
{
	struct picking p = { .ks = ks, .a = a, .use = use & ~(unsigned)KS_HARD,
	    .must_know = (use & KS_HARD) != 0, .now = now,
	    .until = now + KS_SELECT_TTL_S };
	unsigned char sha256[32];
	struct select_verdict *v;
	int rc;

	memset(out, 0, sizeof(*out));
	cache_key(a, use, sha256);
	v = lru_get(ks->select, sha256);
	if (v != NULL && now >= v->from && now <= v->until)
		return copy_selection(&v->sel, out, e);
	v = calloc(1, sizeof(*v));
	if (v == NULL)
		return err_set(e, FAIL_TEMP, "selection: out of memory");
	rc = pick_twice(&p, &v->sel, e);
	v->from = now;
	v->until = p.until;
	if (rc == 0)
		rc = copy_selection(&v->sel, out, e);
	if (rc == 0)
		lru_put(ks->select, sha256, v);
	else
		ks_select_drop(v);
	return rc;
}

/* ---- among certificates from elsewhere ---- */

static int newest_first(const void *a, const void *b)
{
	const struct cert *x = *(struct cert *const *)a;
	const struct cert *y = *(struct cert *const *)b;
	int64_t s = cert_not_before(x), t = cert_not_before(y);

	if (s != t)
		return s > t ? -1 : 1;
	return memcmp(cert_sha256(x), cert_sha256(y), 32);
}

/*
 * What somebody said of this one holds; else it is a stranger that may be
 * used for what it says. That mail brought it as well, and not yet on enough
 * days, is nobody's word against it: who sends signed mail again would decide
 * that mail to its author is not encrypted.
 */
static int judge_stranger(struct picking *p, struct cert *c, struct err *e)
{
	struct ks_row r = { .use = KS_ENCRYPT | KS_STORAGE };
	struct err mine = { 0 };
	int rc;

	if (ks_cert_get(p->ks, cert_sha256(c), &r, &mine) != 0) {
		if (mine.kind != FAIL_INPUT)
			return err_set(e, mine.kind, "%s", mine.msg);
		r = (struct ks_row){ .cert = cert_ref(c),
		    .use = KS_ENCRYPT | KS_STORAGE };
	} else if (r.state == KS_PENDING && r.source == KS_HARVEST) {
		r.state = KS_USABLE;
		r.use = KS_ENCRYPT | KS_STORAGE;
	}
	rc = judge(p, &r, is_pinned(p, c), e);
	ks_row_free(&r);
	return rc;
}

int keystore_select_strangers(struct keystore *ks, const struct addr *a,
    const struct ks_strangers *s, int64_t now, struct selection *out,
    struct err *e)
{
	struct picking p = { .ks = ks, .a = a, .use = KS_ENCRYPT, .now = now,
	    .until = now, .sel = out, .extra = s->from,
	    .is_vouched = s->is_vouched, .must_know = s->must_know };
	char key[sizeof(a->text)];
	struct cert *sorted[CAP_CMS_CERTS];
	size_t i, n = s->n;

	memset(out, 0, sizeof(*out));
	if (n > CAP_CMS_CERTS)
		n = CAP_CMS_CERTS;
	p.extra_n = n;
	if (n > 0)
		memcpy(sorted, s->from, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), newest_first);
	addr_key(a, key);
	if (each_bound(&p, key, KS_PIN, note_pin, e) != 0)
		return -1;
	for (i = 0; i < n; i++)
		if (judge_stranger(&p, sorted[i], e) != 0) {
			selection_free(out);
			return -1;
		}
	return 0;
}

/* ---- by identifier ---- */

/* IssuerAndSerialNumber into its parts. */
static int split_ias(struct view ias, struct view *name, struct view *serial)
{
	struct der seq, issuer, number;

	if (der_get(&ias, DER_SEQUENCE, &seq) != 0 || ias.n != 0 ||
	    der_get(&seq.val, DER_SEQUENCE, &issuer) != 0 ||
	    der_get(&seq.val, DER_INTEGER, &number) != 0 ||
	    seq.val.n != 0 || number.val.n == 0 || number.val.n > 64)
		return -1;
	*name = issuer.whole;
	*serial = number.val;
	return 0;
}

static bool is_same_name(struct view der, const struct cert *c)
{
	const unsigned char *p = der.p;
	X509_NAME *name;
	bool same;

	name = d2i_X509_NAME(NULL, &p, (long)der.n);
	same = name != NULL && p == der.p + der.n && X509_NAME_cmp(name,
	    X509_get_issuer_name(cert_x509(c))) == 0;
	X509_NAME_free(name);
	ossl_clear();
	return same;
}

bool ks_ias_match(const struct cert *c, struct view ias)
{
	struct view name, serial, own_name, own_serial;

	if (view_eq(cert_ias(c), ias))
		return true;
	if (split_ias(ias, &name, &serial) != 0 ||
	    split_ias(cert_ias(c), &own_name, &own_serial) != 0)
		return false;
	return view_eq(serial, own_serial) && is_same_name(name, c);
}

typedef int hit(void *arg, const struct ks_row *r, struct err *e);

/* *rows: how many came, whether or not ias is theirs. */
static int each_hit(struct keystore *ks, sqlite3_stmt *st, const struct view
    *ias, hit *fn, void *arg, size_t *rows, struct err *e)
{
	struct ks_row r;
	int rc;

	*rows = 0;
	while ((rc = ks_step(ks, st, e)) == 1) {
		(*rows)++;
		rc = ks_row_read(ks, st, &r, e);
		if (rc == 0 && (ias == NULL || ks_ias_match(r.cert, *ias)))
			rc = fn(arg, &r, e);
		ks_row_free(&r);
		if (rc != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	return rc;
}

/* For senders that wrote the issuer's name in another encoding. */
static int each_by_serial(struct keystore *ks, struct view ias, hit *fn, void
    *arg, struct err *e)
{
	struct view name, serial;
	sqlite3_stmt *st;
	size_t rows;
	char hex[129];

	if (split_ias(ias, &name, &serial) != 0)
		return 0;
	if (serial.n > 1 && serial.p[0] == 0)
		serial = view_sub(serial, 1, serial.n - 1);
	hex_encode(hex, serial.p, serial.n);
	st = ks_stmt(ks, ST_FIND_SERIAL, e);
	if (st == NULL)
		return -1;
	sqlite3_bind_text(st, 1, hex, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(st, 2, KS_CANDIDATES);
	return each_hit(ks, st, &ias, fn, arg, &rows, e);
}

/* All certificates with this identifier, newest first. */
static int each_by_id(struct keystore *ks, bool by_ski, struct view id, hit *fn,
    void *arg, struct err *e)
{
	sqlite3_stmt *st;
	size_t rows;

	st = ks_stmt(ks, by_ski ? ST_FIND_SKI : ST_FIND_IAS, e);
	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, id);
	if (by_ski)
		sqlite3_bind_int(st, 2, KS_CANDIDATES);
	if (each_hit(ks, st, NULL, fn, arg, &rows, e) != 0)
		return -1;
	return by_ski || rows > 0 ? 0 : each_by_serial(ks, id, fn, arg, e);
}

struct key_search {
	const struct addr *any_of;
	size_t n;
	struct cert **out;
	size_t found;
};

static int keep_key(void *arg, const struct ks_row *r, struct err *e)
{
	struct key_search *s = arg;
	struct candidate c = { .row = r, .any_of = s->any_of, .n = s->n,
	    .use = FIT_OPEN };

	(void)e;
	if (s->found < CAP_KEY_OPS && fitness_check(&c, NULL) == 0)
		s->out[s->found++] = cert_ref(r->cert);
	return 0;
}

int keystore_find_key(struct keystore *ks, bool by_ski, struct view id, const
    struct addr *for_any_of, size_t n, struct cert **out, size_t *found, struct
    err *e)
{
	struct key_search s = { for_any_of, n, out, 0 };
	int rc;

	*found = 0;
	rc = each_by_id(ks, by_ski, id, keep_key, &s, e);
	if (rc != 0) {
		while (s.found > 0)
			cert_free(&out[--s.found]);
		return -1;
	}
	*found = s.found;
	return 0;
}

/* The first usable one, else the first. */
struct cert_search {
	struct cert *cert;
	bool usable;
};

static int keep_cert(void *arg, const struct ks_row *r, struct err *e)
{
	struct cert_search *s = arg;

	(void)e;
	if (s->cert != NULL && (s->usable || r->state != KS_USABLE))
		return 0;
	cert_free(&s->cert);
	s->cert = cert_ref(r->cert);
	s->usable = r->state == KS_USABLE;
	return 0;
}

int keystore_find_cert(struct keystore *ks, bool by_ski, struct view id, struct
    cert **out, struct err *e)
{
	struct cert_search s = { NULL, false };

	*out = NULL;
	if (each_by_id(ks, by_ski, id, keep_cert, &s, e) != 0) {
		cert_free(&s.cert);
		return -1;
	}
	*out = s.cert;
	return 0;
}
