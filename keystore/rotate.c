/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A new secret for all private keys of a store, in one transaction, so that
 * a secret file that has both lines fits before and after it.
 */
#include "keystore/rotate.h"

#include <string.h>

#include "keystore/sealing.h"
#include "util/ossl.h"

#define SEALED_MAX (SEAL_MAX + 256)
#define PROGRESS_STEP 256
/* Identifiers of secrets that were replaced, in hex, newest first. */
#define RETIRED "retired-secrets"
#define RETIRED_MAX 16

int secret_lines(struct view secret, size_t *n, struct err *e)
{
	struct seal_keys k;

	if (seal_keys_read(&k, secret, e) != 0)
		return -1;
	*n = k.n;
	seal_keys_wipe(&k);
	return 0;
}

bool secret_same(struct view a, struct view b)
{
	struct seal_keys x, y;
	bool same = false;

	if (seal_keys_read(&x, a, NULL) != 0)
		return false;
	if (seal_keys_read(&y, b, NULL) == 0) {
		same = ossl_same(x.k[0].key, y.k[0].key, sizeof(x.k[0].key));
		seal_keys_wipe(&y);
	}
	seal_keys_wipe(&x);
	return same;
}

/* ---- one key after the other ---- */

/* Of the key behind spki (by SHA-256): 1, 0 at the end, -1. */
static int next_key(struct keystore *ks, unsigned char spki[32], struct buf
    *sealed, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_KEY_NEXT, e);
	struct view id;
	int rc;

	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, view_make(spki, sealed->n == 0 ? 0 : 32));
	rc = ks_step(ks, st, e);
	if (rc <= 0)
		return rc;
	id = ks_column(st, 0);
	buf_clear(sealed);
	buf_putv(sealed, ks_column(st, 1));
	if (id.n == 32)
		memcpy(spki, id.p, 32);
	sqlite3_reset(st);
	if (id.n != 32 || sealed->n == 0)
		return err_set(e, FAIL_CONFIG, "keystore: a private key "
		    "without name or content");
	return buf_ok(sealed, e) != 0 ? -1 : 1;
}

struct walk {
	const struct seal_keys *keys;
	struct key_count *count;
	unsigned char spki[32];
	struct buf sealed, plain;
	size_t which; /* secret that opened it */
};

static void walk_start(struct walk *w, const struct seal_keys *keys,
    struct key_count *count)
{
	memset(w, 0, sizeof(*w));
	memset(count, 0, sizeof(*count));
	w->keys = keys;
	w->count = count;
	buf_init(&w->sealed, SEALED_MAX);
	buf_init_secret(&w->plain, SEAL_MAX);
}

static void walk_end(struct walk *w)
{
	buf_free(&w->sealed);
	buf_free(&w->plain);
}

/* Count it; -1: it does not open, why says so. */
static int look_at(struct walk *w, struct err *why)
{
	struct view sealed = buf_view(&w->sealed);
	struct key_count *c = w->count;

	c->keys++;
	buf_clear(&w->plain);
	if (seal_form(sealed) == SEAL_PASSPHRASE) {
		c->passphrase++;
		return 0;
	}
	if (seal_open(w->keys, sealed, &w->plain, &w->which, why) != 0) {
		c->closed++;
		return -1;
	}
	c->unnamed += seal_form(sealed) == SEAL_UNNAMED;
	if (w->which == 0)
		c->current++;
	else
		c->old++;
	return 0;
}

static int take_label(void *arg, const struct ks_row *r, struct err *e)
{
	struct buf *out = arg;

	(void)e;
	if (out->n == 0)
		buf_puts(out, cert_addresses(r->cert) > 0 ?
		    cert_address(r->cert, 0)->text : cert_subject(r->cert));
	return 0;
}

static int tell(struct keystore *ks, const struct walk *w, key_visit *visit,
    void *arg, const struct err *why, struct err *e)
{
	struct key_state k = { .why = why->msg };
	struct buf label;
	char hex[65];
	int rc;

	buf_init(&label, 4096);
	k.spki = hex_encode(hex, w->spki, 32);
	rc = ks_list_spki(ks, w->spki, take_label, &label, e);
	k.label = label.n > 0 ? buf_str(&label) : "no certificate";
	if (rc == 0)
		rc = visit(arg, &k, e);
	buf_free(&label);
	return rc;
}

static int check_all(struct keystore *ks, struct walk *w, key_visit *visit,
    void *arg, struct err *e)
{
	struct err why;
	int rc;

	while ((rc = next_key(ks, w->spki, &w->sealed, e)) == 1) {
		err_clear(&why);
		if (look_at(w, &why) == 0)
			continue;
		if (why.kind == FAIL_TEMP)
			return err_set(e, why.kind, "%s", why.msg);
		if (tell(ks, w, visit, arg, &why, e) != 0)
			return -1;
	}
	return rc;
}

int keystore_check_keys(struct keystore *ks, struct view secret, key_visit
    *visit, void *arg, struct key_count *out, struct err *e)
{
	struct seal_keys keys;
	struct walk w;
	int rc;

	if (seal_keys_read(&keys, secret, e) != 0)
		return -1;
	walk_start(&w, &keys, out);
	rc = check_all(ks, &w, visit, arg, e);
	walk_end(&w);
	seal_keys_wipe(&keys);
	return rc;
}

/* 1: is one of them, 0: cannot be told, -1: is another. */
static int compare_id(const struct seal_keys *keys, struct view sealed)
{
	struct view id = seal_id(sealed);
	size_t i;

	if (seal_form(sealed) != SEAL_NAMED)
		return 0;
	for (i = 0; i < keys->n; i++)
		if (view_eq(id, view_make(keys->k[i].id, SEAL_ID)))
			return 1;
	return -1;
}

int keystore_secret_fits(struct keystore *ks, struct view secret, bool *fits,
    struct err *e)
{
	struct seal_keys keys;
	struct key_count none;
	struct walk w;
	int rc = 0, same = 0;

	*fits = true;
	if (seal_keys_read(&keys, secret, e) != 0)
		return -1;
	walk_start(&w, &keys, &none);
	while (same != 1 && (rc = next_key(ks, w.spki, &w.sealed, e)) == 1) {
		same = compare_id(&keys, buf_view(&w.sealed));
		if (same != 0)
			*fits = same == 1;
	}
	walk_end(&w);
	seal_keys_wipe(&keys);
	return same != 1 && rc == -1 ? -1 : 0;
}

/* ---- secrets that were replaced ---- */

int seal_check_current(struct keystore *ks, struct view sealed, struct err *e)
{
	struct view id = seal_id(sealed);
	char hex[2 * SEAL_ID + 1];
	struct buf list;
	bool found;
	int rc;

	if (id.n == 0)
		return 0;
	buf_init(&list, 4096);
	rc = ks_meta_get(ks, RETIRED, NULL, &list, &found, e);
	if (rc == 0 && strstr(buf_str(&list), hex_encode(hex, id.p, id.n)) !=
	    NULL)
		rc = err_set(e, FAIL_TEMP, "private key: the secret was "
		    "changed meanwhile; do it again");
	buf_free(&list);
	return rc;
}

/* The old one is retired, the new one is not; a few are remembered. */
static int retire(struct keystore *ks, const struct seal_keys *keys,
    struct err *e)
{
	char current[2 * SEAL_ID + 1], hex[2 * SEAL_ID + 1];
	struct buf was, now;
	struct view one;
	size_t i;
	bool found;
	int rc;

	buf_init(&was, 4096);
	buf_init(&now, 4096);
	hex_encode(current, keys->k[0].id, SEAL_ID);
	rc = ks_meta_get(ks, RETIRED, NULL, &was, &found, e);
	hex_encode(hex, keys->k[keys->n - 1].id, SEAL_ID);
	if (strcmp(hex, current) != 0)
		buf_printf(&now, "%s ", hex);
	for (i = 0; i < RETIRED_MAX; i++) {
		one = view_sub(buf_view(&was), i * (2 * SEAL_ID + 1),
		    2 * SEAL_ID);
		if (one.n == 2 * SEAL_ID && !view_eq_str(one, current) &&
		    !view_eq_str(one, hex)) {
			buf_putv(&now, one);
			buf_putc(&now, ' ');
		}
	}
	if (rc == 0)
		rc = ks_meta_set(ks, RETIRED, 0, buf_str(&now), e);
	buf_free(&was);
	buf_free(&now);
	return rc;
}

/* ---- sealing anew ---- */

static int put_key(struct keystore *ks, const unsigned char spki[32],
    struct view sealed, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_KEY_RESEAL, e);

	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, view_make(spki, 32));
	ks_bind_view(st, 2, sealed);
	return ks_run(ks, st, e);
}

static int reseal(struct keystore *ks, struct walk *w, struct err *e)
{
	bool named = seal_form(buf_view(&w->sealed)) == SEAL_NAMED;
	struct buf again;
	char hex[65];
	int rc;

	if (look_at(w, e) != 0)
		return err_add(e, "key %.16s", hex_encode(hex, w->spki, 32));
	if (w->plain.n == 0 || (w->which == 0 && named))
		return 0;
	buf_init(&again, SEALED_MAX);
	rc = seal_close(&w->keys->k[0], buf_view(&w->plain), &again, e);
	if (rc == 0)
		rc = put_key(ks, w->spki, buf_view(&again), e);
	buf_free(&again);
	return rc;
}

static int reseal_all(struct keystore *ks, struct walk *w, size_t all,
    rotate_progress *progress, void *arg, struct err *e)
{
	int rc;

	while ((rc = next_key(ks, w->spki, &w->sealed, e)) == 1) {
		if (reseal(ks, w, e) != 0)
			return -1;
		if (progress != NULL && w->count->keys % PROGRESS_STEP == 0)
			progress(arg, w->count->keys, all);
	}
	return rc;
}

static int count_keys(struct keystore *ks, size_t *n, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_KEY_COUNT, e);

	if (st == NULL || ks_step(ks, st, e) != 1)
		return -1;
	*n = (size_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

static int note_rotation(struct keystore *ks, const struct key_count *n,
    struct err *e)
{
	struct buf detail;
	int rc;

	buf_init(&detail, 1024);
	buf_printf(&detail, "%zu keys sealed under a new secret", n->old);
	rc = ks_note(ks, "change secret", "secret", buf_str(&detail), e);
	buf_free(&detail);
	return rc;
}

int keystore_rotate(struct keystore *ks, struct view secret, rotate_progress
    *progress, void *arg, struct key_count *out, struct err *e)
{
	struct seal_keys keys;
	struct walk w;
	size_t all;
	bool began;
	int rc;

	if (seal_keys_read(&keys, secret, e) != 0)
		return -1;
	walk_start(&w, &keys, out);
	rc = ks_change(ks, &began, true, e);
	if (rc == 0) {
		rc = count_keys(ks, &all, e);
		if (rc == 0)
			rc = reseal_all(ks, &w, all, progress, arg, e);
		if (rc == 0)
			rc = retire(ks, &keys, e);
		if (rc == 0)
			rc = note_rotation(ks, out, e);
		rc = ks_end(ks, began, rc, e);
	}
	walk_end(&w);
	seal_keys_wipe(&keys);
	return rc;
}
