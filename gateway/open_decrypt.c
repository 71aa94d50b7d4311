/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Opening an encrypted layer: only with keys of the envelope's recipients
 * (A9), only if every one of them has one that opens it (S203), and whatever
 * fails fails in the same way (A5).
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/authority.h"
#include "gateway/noise.h"
#include "gateway/opening.h"
#include "smime/decrypt.h"
#include "util/ossl.h"

/* A RecipientInfo, and the certificate that it names. */
struct named {
	const struct cms_rid *rid;
	struct cert *cert; /* owned */
};

struct opener {
	struct opening *o;
	const struct cms *c;
	struct addr *who; /* recipients, details stripped */
	bool *has_key;	  /* per recipient: one of key[] is his */
	struct named key[CAP_KEY_OPS]; /* no certificate twice */
	size_t keys;
	/* Other keys that the first RecipientInfo may mean: several can have
	 * the same subject key identifier (S95). */
	struct named other[CAP_KEY_OPS];
	size_t others;
	bool too_many; /* certificates */
	char why[256]; /* it does not open, for the verdict; "" generic */
};

static void dec_result(struct txn *t, const char *result, const char *reason)
{
	t->v->dec_result = result;
	text_set(t->v->dec_reason, sizeof(t->v->dec_reason), reason);
}

static int own_addresses(struct opener *op, struct err *e)
{
	const struct txn *t = op->o->t;

	op->who = calloc(t->v->rcpts + 1, sizeof(*op->who));
	op->has_key = calloc(t->v->rcpts + 1, sizeof(*op->has_key));
	if (op->who == NULL || op->has_key == NULL)
		return err_set(e, FAIL_TEMP, "decryption: out of memory");
	for (size_t i = 0; i < t->v->rcpts; i++) {
		/* Whose mailbox a bare name is only the mail server knows. */
		if (t->rcpt[i].form == RCPT_ADDRESS)
			txn_mailbox(t, i, &op->who[i]);
	}
	return 0;
}

static bool is_noted(const struct opener *op, const struct cert *c)
{
	for (size_t i = 0; i < op->keys; i++)
		if (memcmp(cert_sha256(op->key[i].cert), cert_sha256(c),
		    32) == 0)
			return true;
	return false;
}

/* One key for each recipient, the first that is named. */
static void note_key(struct opener *op, const struct cms_rid *rid,
    struct cert *c)
{
	const struct txn *t = op->o->t;
	bool is_new = false;

	if (is_noted(op, c))
		return;
	for (size_t i = 0; i < t->v->rcpts; i++) {
		if (op->has_key[i] ||
		    !authority_may_open(t->g->config, &op->who[i], 1, c))
			continue;
		op->has_key[i] = true;
		is_new = true;
	}
	if (!is_new)
		return;
	if (op->keys == CAP_KEY_OPS) {
		op->too_many = true;
		return;
	}
	op->key[op->keys].rid = rid;
	op->key[op->keys].cert = cert_ref(c);
	op->keys++;
}

static bool is_same_key(const struct cert *a, const struct cert *b)
{
	return memcmp(cert_spki_sha256(a), cert_spki_sha256(b), 32) == 0;
}

/* Another key of the same person under the same identifier. */
static void note_other(struct opener *op, const struct cms_rid *rid,
    struct cert *c)
{
	const struct txn *t = op->o->t;

	if (!rid->by_ski || op->keys != 1 || op->key[0].rid != rid ||
	    is_same_key(op->key[0].cert, c) || t->v->rcpts != 1)
		return;
	for (size_t i = 0; i < op->others; i++)
		if (is_same_key(op->other[i].cert, c))
			return;
	if (op->others + 1 == CAP_KEY_OPS)
		return;
	op->other[op->others].rid = rid;
	op->other[op->others].cert = cert_ref(c);
	op->others++;
}

static int find_keys(struct opener *op, struct err *e)
{
	const struct txn *t = op->o->t;

	for (size_t i = 0; i < cms_rids(op->c); i++) {
		const struct cms_rid *rid = cms_rid(op->c, i);
		struct cert *found[CAP_KEY_OPS] = {NULL};
		size_t n = 0;

		if (keystore_find_key(t->g->ks, rid->by_ski, rid->id, op->who,
		    t->v->rcpts, found, &n, e) != 0)
			return -1;
		for (size_t k = 0; k < n; k++) {
			note_key(op, rid, found[k]);
			note_other(op, rid, found[k]);
			cert_free(&found[k]);
		}
	}
	return 0;
}

static bool all_have_keys(const struct opener *op)
{
	size_t n = op->o->t->v->rcpts;

	for (size_t i = 0; i < n; i++)
		if (!op->has_key[i])
			return false;
	return n > 0 && op->keys > 0;
}

/*
 * The plaintext becomes the layer if it is an entity. 1, 0 (it is none),
 * -1. What is not sound is looked through all the same: the time that it
 * takes is not to say whether the padding was good (A5).
 */
static int accept(struct opener *op, struct spool **take_inside,
    bool is_sound, struct err *e)
{
	struct opening *o = op->o;
	bool noise = false;

	if (!cms_cipher(op->c)->authenticated &&
	    noise_look(*take_inside, &noise, e) != 0)
		return -1;
	if (noise || !is_sound)
		return 0;
	if (layer_enter(o, take_inside, e) == 0)
		return 1;
	if (err_is_ours(e))
		return -1;
	err_clear(e);
	return 0;
}

static void note_success(struct opener *op)
{
	struct txn *t = op->o->t;
	const struct cms_cipher *k = cms_cipher(op->c);
	const struct cert *c = op->key[0].cert;

	dec_result(t, "decrypted", "");
	text_set(t->v->dec_cipher, sizeof(t->v->dec_cipher), k->name);
	text_set(t->v->dec_transport, sizeof(t->v->dec_transport),
	    op->key[0].rid->agree ? "ecdh" : "rsa");
	t->v->dec_authenticated = k->authenticated;
	if (k->weak)
		txn_warn(t, "%s is a weak cipher: others may be able to read "
		    "this message", k->name);
	if (cert_addresses(c) > 0)
		text_set(t->v->dec_recipient, sizeof(t->v->dec_recipient),
		    cert_address(c, 0)->text);
}

/* Does it only not open (true), or is something wrong here? */
static bool is_his_fault(struct err *e)
{
	if (err_is_ours(e))
		return false;
	err_clear(e);
	return true;
}

/*
 * The content key out of every recipient's own RecipientInfo: 1 one and the
 * same, 0 not, -1. To be named costs an attacker nothing; to be given the
 * key says that the sender knew it (A9, S203). All are asked, whatever the
 * first ones say.
 */
static int agree_on_key(struct opener *op, unsigned char cek[CAP_CEK],
    struct err *e)
{
	unsigned char other[CAP_CEK];
	bool is_good = true;

	for (size_t i = 0; i < op->keys; i++) {
		const struct named *k = &op->key[i];

		if (cms_open_key(op->c, k->rid, cert_sha256(k->cert),
		    &op->o->t->keys, i == 0 ? cek : other, e) != 0) {
			if (e->kind == FAIL_POLICY) /* what, by its OID */
				text_set(op->why, sizeof(op->why), e->msg);
			if (!is_his_fault(e))
				return -1;
			is_good = false;
		} else if (i > 0 && !ossl_same(cek, other, CAP_CEK)) {
			is_good = false;
		}
		ossl_wipe(other, sizeof(other));
	}
	return is_good;
}

/* 1 opened, 0 does not open, -1 FAIL_TEMP. */
static int decrypt(struct opener *op, const unsigned char cek[CAP_CEK],
    struct err *e)
{
	struct spool *inside = NULL;
	bool is_sound;
	int rc = -1;

	if (txn_spool(op->o->t, &inside, e) != 0)
		return -1;
	if (cms_decrypt_content(op->c, cek, inside, &is_sound, e) == 0)
		rc = accept(op, &inside, is_sound, e);
	else if (is_his_fault(e))
		rc = 0;
	spool_free(&inside);
	return rc;
}

/* With key[], all of them. 1, 0, -1 as decrypt(). */
static int try_keys(struct opener *op, struct err *e)
{
	unsigned char cek[CAP_CEK] = {0};
	int rc;

	rc = agree_on_key(op, cek, e);
	if (rc == 1)
		rc = decrypt(op, cek, e);
	ossl_wipe(cek, sizeof(cek));
	return rc;
}

static int try_open(struct opener *op, struct err *e)
{
	int rc = try_keys(op, e);

	for (size_t i = 0; rc == 0 && i < op->others; i++) {
		struct named first = op->key[0];

		op->key[0] = op->other[i];
		op->other[i] = first;
		rc = try_keys(op, e);
	}
	if (rc == 1) {
		note_success(op);
	} else if (rc == 0) {
		dec_result(op->o->t, "failed", op->why[0] != '\0' ? op->why
		    : "the message does not open");
		op->o->has_failed = true;
	}
	return rc;
}

static void opener_free(struct opener *op)
{
	for (size_t i = 0; i < op->keys; i++)
		cert_free(&op->key[i].cert);
	for (size_t i = 0; i < op->others; i++)
		cert_free(&op->other[i].cert);
	free(op->who);
	free(op->has_key);
}

/* Old ciphers, where an administrator asked for them (S88, S100). */
static void allow(const struct opening *o, struct cms *c)
{
	const struct config *conf = o->t->g->config;
	unsigned what = 0;
	struct err e = {0};

	if (conf->gcm_in_enveloped)
		what |= CMS_ALLOW_BARE_GCM;
	if (conf->legacy_ciphers && ossl_legacy_load(&e) == 0)
		what |= CMS_ALLOW_LEGACY;
	if (e.kind != 0)
		txn_warn(o->t, "%s", e.msg);
	cms_allow(c, what);
}

int open_decrypt(struct opening *o, struct cms *c, struct err *e)
{
	struct opener op = {0};
	int rc = -1;

	op.o = o;
	op.c = c;
	allow(o, c);
	if (!cms_cipher(c)->supported) {
		dec_result(o->t, "failed", cms_cipher(c)->unsupported);
		o->has_failed = true;
		return 0;
	}
	if (own_addresses(&op, e) != 0 || find_keys(&op, e) != 0)
		goto out;
	rc = 0;
	if (!all_have_keys(&op))
		dec_result(o->t, "no-key", op.keys == 0
		    ? "no recipient has a key for it here"
		    : "not every recipient has a key for it here");
	else if (op.too_many)
		dec_result(o->t, "limit", "its recipients have more keys "
		    "than are tried for one message");
	else
		rc = try_open(&op, e);
out:
	opener_free(&op);
	return rc;
}
