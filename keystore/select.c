/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Which certificate serves an address now, and which key opens a
 * RecipientInfo. Every certificate passed over gets its reason, because
 * "no certificate" is the one answer that people always ask back about.
 */
#include "keystore/keystore_int.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/x509.h>

#include "keystore/revocation.h"
#include "util/der.h"
#include "util/ossl.h"
#include "util/when.h"

/* A result kept until the store changes or time makes it wrong. */
struct select_verdict {
	int64_t from, until;
	struct selection sel;
};

struct picking {
	struct keystore *ks;
	const struct addr *a;
	unsigned use;
	int64_t now;
	struct select_verdict *v;
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

/* ---- fitness ---- */

/* RFC 8550 4.4.2, RFC 5652 6.2: what the key is for. */
static int check_usage(const struct cert *c, unsigned use, struct err *e)
{
	unsigned ku = cert_ku(c);

	if (cert_is_ca(c))
		return err_set(e, FAIL_POLICY, "a CA certificate");
	if (!cert_eku_mail(c))
		return err_set(e, FAIL_POLICY, "extended key usage does not "
		    "include e-mail protection (RFC 8550 4.4.4)");
	if ((use & KS_SIGN) != 0 && (ku & CERT_KU_SIGN) == 0)
		return err_set(e, FAIL_POLICY, "key usage does not allow "
		    "signatures (RFC 8550 4.4.2)");
	if ((use & (KS_ENCRYPT | KS_STORAGE)) == 0)
		return 0;
	if (cert_key_type(c) == CERT_KEY_EC && (ku & CERT_KU_AGREE) == 0)
		return err_set(e, FAIL_POLICY, "key usage does not allow "
		    "key agreement (RFC 8550 4.4.2)");
	if (cert_key_type(c) == CERT_KEY_RSA && (ku & CERT_KU_ENCIPHER) == 0)
		return err_set(e, FAIL_POLICY, "key usage does not allow "
		    "encryption (RFC 8550 4.4.2)");
	return 0;
}

static int check_row(const struct picking *p, const struct ks_row *r, struct err
    *e)
{
	char date[32];

	if (r->state != KS_USABLE)
		return err_set(e, FAIL_POLICY, "%s", ks_state_str(r->state));
	/* As libcrypto: expired in the last second, too. */
	if (p->now >= cert_not_after(r->cert))
		return err_set(e, FAIL_POLICY, "expired on %s",
		    when_date(date, cert_not_after(r->cert)));
	if (p->now < cert_not_before(r->cert))
		return err_set(e, FAIL_POLICY, "valid only from %s",
		    when_date(date, cert_not_before(r->cert)));
	if (check_usage(r->cert, p->use, e) != 0)
		return -1;
	if ((r->use & p->use) != p->use)
		return err_set(e, FAIL_POLICY, "not to be used for %s here",
		    (p->use & ~r->use & KS_SIGN) != 0 ? "signing" :
		    (p->use & ~r->use & KS_ENCRYPT) != 0 ? "encryption" :
		    "storage");
	/* The index folds case; a UTF-8 local part must equal (RFC 9598). */
	if (!cert_has_address(r->cert, p->a, ADDR_FOLD_LOCAL))
		return err_set(e, FAIL_POLICY, "address differs");
	if (cert_key_check(r->cert, e) != 0)
		return -1;
	if ((p->use & KS_SIGN) != 0 && !r->has_key)
		return err_set(e, FAIL_POLICY,
		    "its private key is not in the keystore");
	return 0;
}

/* ---- picking ---- */

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

	if (begins > p->now && begins - 1 < p->v->until)
		p->v->until = begins - 1;
	if (ends > p->now && ends - 1 < p->v->until)
		p->v->until = ends - 1;
}

/* By the last known status (S60, S102): what is not known stops nobody. */
static int check_revoked(struct picking *p, const struct cert *c, const struct
    path *path, struct err *why, struct err *e)
{
	struct revocation rev;

	if (keystore_revocation(p->ks, c, path->chain, path->chain_n, p->now,
	    &rev, e) != 0)
		return -1;
	if (rev.status == REVOCATION_REVOKED)
		(void)err_set(why, FAIL_POLICY, "%s", rev.text);
	return 0;
}

static int take_if_path(struct picking *p, const struct ks_row *r, struct err
    *why, struct err *e)
{
	struct selection *sel = &p->v->sel;
	struct path path;

	if (keystore_path(p->ks, r->cert, NULL, 0, p->now, &path, e) != 0)
		return -1;
	if (!path.ok)
		(void)err_set(why, FAIL_POLICY, "%s", path.reason);
	else if (check_revoked(p, r->cert, &path, why, e) != 0) {
		path_free(&path);
		return -1;
	}
	if (why->kind != 0) {
		path_free(&path);
		return 0;
	}
	sel->cert = cert_ref(r->cert);
	sel->chain = path.chain;
	sel->chain_n = path.chain_n;
	path.chain = NULL;
	path.chain_n = 0;
	path_free(&path);
	return 0;
}

/* Rows come newest first (S103): the first that fits is the one. */
static int judge(struct picking *p, const struct ks_row *r, struct err *e)
{
	struct selection *sel = &p->v->sel;
	struct err why = { 0 };

	bound_life(p, r->cert);
	if (check_row(p, r, &why) != 0)
		return pass_over(sel, r->cert, &why, e);
	if (sel->cert != NULL) {
		(void)err_set(&why, FAIL_POLICY, "a newer one is used");
		return pass_over(sel, r->cert, &why, e);
	}
	if (take_if_path(p, r, &why, e) != 0)
		return -1;
	return sel->cert != NULL ? 0 : pass_over(sel, r->cert, &why, e);
}

static int pick(struct picking *p, const char *key, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(p->ks, ST_SELECT, e);
	struct ks_row r;
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_text(st, 1, key, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(st, 2, KS_CANDIDATES);
	while ((rc = ks_step(p->ks, st, e)) == 1) {
		rc = ks_row_read(p->ks, st, &r, e);
		if (rc == 0)
			rc = judge(p, &r, e);
		ks_row_free(&r);
		if (rc != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	return rc;
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
	char key[sizeof(a->text)];
	unsigned char sha256[32];
	struct picking p = { ks, a, use, now, NULL };
	int rc;

	memset(out, 0, sizeof(*out));
	cache_key(a, use, sha256);
	p.v = lru_get(ks->select, sha256);
	if (p.v != NULL && now >= p.v->from && now <= p.v->until)
		return copy_selection(&p.v->sel, out, e);
	p.v = calloc(1, sizeof(*p.v));
	if (p.v == NULL)
		return err_set(e, FAIL_TEMP, "selection: out of memory");
	p.v->from = now;
	p.v->until = now + KS_SELECT_TTL_S;
	addr_key(a, key);
	rc = pick(&p, key, e);
	if (rc == 0)
		rc = copy_selection(&p.v->sel, out, e);
	if (rc == 0)
		lru_put(ks->select, sha256, p.v);
	else
		ks_select_drop(p.v);
	return rc;
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

static bool is_for_any(const struct key_search *s, const struct cert *c)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (cert_has_address(c, &s->any_of[i], ADDR_FOLD_LOCAL))
			return true;
	return false;
}

static int keep_key(void *arg, const struct ks_row *r, struct err *e)
{
	struct key_search *s = arg;

	(void)e;
	if (r->has_key && s->found < CAP_KEY_OPS && is_for_any(s, r->cert))
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
