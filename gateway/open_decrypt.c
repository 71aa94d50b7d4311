/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Opening an encrypted layer: only with keys of the envelope's recipients
 * (A9), only for those who have one that opens it, or where copies cannot
 * differ only if every one of them has (S203), and whatever fails fails in
 * the same way (A5).
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/address_map.h"
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
	/* Whose keys may open it, and for which recipient: his own address,
	 * what address-map gives for it, or for all of its domain. */
	struct addr *who;
	struct owned {
		size_t rcpt;
		enum opens_by by;
	} *owned; /* as many */
	size_t n, room;
	bool *unknown; /* per recipient: a list was never fetched */
	int *key_of;	  /* per recipient: 1 + which of key[] is his; 0 */
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

struct owner {
	struct opener *op;
	size_t rcpt;
};

static int add_owner(void *arg, const struct addr *address, enum opens_by by,
    struct err *e)
{
	const struct owner *o = arg;
	struct opener *op = o->op;

	if (op->n == op->room) {
		size_t room = op->room == 0 ? 8 : op->room * 2;
		struct owned *owned = reallocarray(op->owned, room,
		    sizeof(*owned));
		struct addr *who;

		if (owned == NULL)
			return err_set(e, FAIL_TEMP, "decryption: out of "
			    "memory");
		op->owned = owned;
		who = reallocarray(op->who, room, sizeof(*who));
		if (who == NULL)
			return err_set(e, FAIL_TEMP, "decryption: out of "
			    "memory");
		op->who = who;
		op->room = room;
	}
	op->who[op->n] = *address;
	op->owned[op->n].rcpt = o->rcpt;
	op->owned[op->n].by = by;
	op->n++;
	return 0;
}

static int find_owners(struct opener *op, struct err *e)
{
	struct txn *t = op->o->t;
	const struct list_reader lists = list_reader_of_store(t->g->ks);

	op->key_of = calloc(t->v->rcpts + 1, sizeof(*op->key_of));
	op->unknown = calloc(t->v->rcpts + 1, sizeof(*op->unknown));
	if (op->key_of == NULL || op->unknown == NULL)
		return err_set(e, FAIL_TEMP, "decryption: out of memory");
	for (size_t i = 0; i < t->v->rcpts; i++) {
		struct map_query q = {t->g->config, &lists, &t->rcpt[i].addr};
		struct owner o = {op, i};

		if (!txn_has(t, i))
			continue;
		t->rcpt[i].by_domain = false;
		/* Whose mailbox a bare name is only the mail server knows. */
		if (t->rcpt[i].form == RCPT_ADDRESS && address_map_each(&q,
		    add_owner, &o, &op->unknown[i], e) != 0)
			return -1;
	}
	return 0;
}

/* Where it is among key[]; op->keys: it is not. */
static size_t place_of(const struct opener *op, const struct cert *c)
{
	size_t i;

	for (i = 0; i < op->keys; i++)
		if (memcmp(cert_sha256(op->key[i].cert), cert_sha256(c),
		    32) == 0)
			break;
	return i;
}

static bool is_owner(const struct opener *op, size_t i, bool by_domain,
    const struct cert *c)
{
	return (op->owned[i].by == OPENS_BY_DOMAIN) == by_domain &&
	    cert_has_address(c, &op->who[i], ADDR_FOLD_LOCAL);
}

/* One key for each recipient, the first that is named. */
static void note_key(struct opener *op, const struct cms_rid *rid,
    struct cert *c, bool by_domain)
{
	struct txn *t = op->o->t;
	size_t place = place_of(op, c);
	bool is_used = false;

	for (size_t i = 0; i < op->n; i++) {
		size_t rcpt = op->owned[i].rcpt;

		if (op->key_of[rcpt] != 0 || !is_owner(op, i, by_domain, c))
			continue;
		op->key_of[rcpt] = 1 + (int)place;
		t->rcpt[rcpt].by_domain = by_domain;
		is_used = true;
	}
	if (!is_used || place < op->keys)
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
	    is_same_key(op->key[0].cert, c) || txn_members(t, NULL) != 1)
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

static bool may_own(const struct opener *op, bool by_domain,
    const struct cert *c)
{
	for (size_t i = 0; i < op->n; i++)
		if (is_owner(op, i, by_domain, c))
			return true;
	return false;
}

static int find_keys(struct opener *op, bool by_domain, struct err *e)
{
	const struct txn *t = op->o->t;

	for (size_t i = 0; i < cms_rids(op->c); i++) {
		const struct cms_rid *rid = cms_rid(op->c, i);
		struct cert *found[CAP_KEY_OPS] = {NULL};
		size_t n = 0;

		if (keystore_find_key(t->g->ks, rid->by_ski, rid->id, op->who,
		    op->n, found, &n, e) != 0)
			return -1;
		for (size_t k = 0; k < n; k++) {
			note_key(op, rid, found[k], by_domain);
			if (may_own(op, by_domain, found[k]))
				note_other(op, rid, found[k]);
			cert_free(&found[k]);
		}
	}
	return 0;
}

/* Does somebody have none, of those for whom that matters? */
static bool lacks_key(const struct opener *op, const bool *of)
{
	const struct txn *t = op->o->t;

	for (size_t i = 0; i < t->v->rcpts; i++)
		if (txn_has(t, i) && op->key_of[i] == 0 &&
		    (of == NULL || of[i]))
			return true;
	return false;
}

/* Keys for all of a domain only for those who have no other. */
static int find_all_keys(struct opener *op, struct err *e)
{
	if (find_keys(op, false, e) != 0)
		return -1;
	if (lacks_key(op, NULL) && find_keys(op, true, e) != 0)
		return -1;
	if (lacks_key(op, op->unknown))
		return err_set(e, FAIL_TEMP, "decryption: address-map: a "
		    "directory was never reached");
	return 0;
}

/*
 * Who has no key, or a bad one, gets it as it arrived, or tries alone: with
 * another group (S203). False: copies cannot differ.
 */
static bool leave_out(struct opener *op, const bool bad[CAP_KEY_OPS + 1])
{
	struct txn *t = op->o->t;
	int group = 0;

	if (!t->env->can_split)
		return false;
	for (size_t i = 0; i < t->v->rcpts; i++) {
		if (!txn_has(t, i) || !bad[op->key_of[i]])
			continue;
		if (group == 0 && txn_new_group(t, &group, NULL) != 0)
			return false;
		t->v->rcpt[i].group = group;
	}
	return true;
}

static bool all_have_keys(struct opener *op)
{
	static const bool none[CAP_KEY_OPS + 1] = {true};
	const struct txn *t = op->o->t;

	if (op->keys == 0)
		return false;
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (txn_has(t, i) && op->key_of[i] == 0)
			return !op->too_many && leave_out(op, none);
	return true;
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

/* The content key out of one RecipientInfo: 1, 0 not, -1. */
static int ask_key(struct opener *op, const struct named *k,
    unsigned char cek[CAP_CEK], struct err *e)
{
	if (cms_open_key(op->c, k->rid, cert_sha256(k->cert),
	    &op->o->t->keys, cek, e) == 0)
		return 1;
	if (e->kind == FAIL_POLICY) /* what, by its OID */
		text_set(op->why, sizeof(op->why), e->msg);
	return is_his_fault(e) ? 0 : -1;
}

/* Those whose key is not the first good one's are left out. 1, 0 as below. */
static int part(struct opener *op, const bool bad[CAP_KEY_OPS + 1],
    size_t good)
{
	struct named first = op->key[0];

	if (good == op->keys || !leave_out(op, bad))
		return 0;
	op->key[0] = op->key[good];
	op->key[good] = first;
	return 1;
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
	bool bad[CAP_KEY_OPS + 1] = {false}, is_good = true;
	unsigned char other[CAP_CEK];
	size_t first = op->keys;
	int rc = 1;

	for (size_t i = 0; i < op->keys && rc >= 0; i++) {
		rc = ask_key(op, &op->key[i], other, e);
		if (rc == 1 && first == op->keys) {
			first = i;
			memcpy(cek, other, CAP_CEK);
		} else if (rc != 1 || !ossl_same(cek, other, CAP_CEK)) {
			bad[1 + i] = true;
			is_good = false;
		}
		ossl_wipe(other, sizeof(other));
	}
	if (rc < 0)
		return -1;
	return is_good ? 1 : part(op, bad, first);
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
	free(op->owned);
	free(op->unknown);
	free(op->key_of);
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
	if (find_owners(&op, e) != 0 || find_all_keys(&op, e) != 0)
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

/* ---- keys for all of a domain (S203) ---- */

/* A message for one colleague, sent to another: the key would open it for
 * both. What the author signed says for whom it is, or a rule for mail of
 * this partner says that it is for whoever gets it. */
static bool is_meant(const struct txn *t, size_t i,
    const struct addr_list *named)
{
	struct addr plain;

	if (!t->rcpt[i].by_domain || t->v->rcpt[i].rule.has_from)
		return true;
	txn_mailbox(t, i, &plain);
	for (size_t k = 0; k < named->n; k++)
		if (addr_eq(&named->a[k], &plain, ADDR_FOLD_LOCAL) ||
		    addr_eq(&named->a[k], &t->rcpt[i].addr, ADDR_FOLD_LOCAL))
			return true;
	return false;
}

/* Those for whom it is not meant get it as it arrived: by themselves, if
 * copies can differ. True: it is opened for the others. */
static bool part_strangers(struct txn *t, const struct addr_list *named)
{
	size_t meant = 0, strangers = 0;
	int group = 0;

	for (size_t i = 0; i < t->v->rcpts; i++) {
		meant += txn_has(t, i) && is_meant(t, i, named);
		strangers += txn_has(t, i) && !is_meant(t, i, named);
	}
	if (strangers == 0)
		return true;
	if (meant == 0 || !t->env->can_split ||
	    txn_new_group(t, &group, NULL) != 0)
		return false;
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (txn_has(t, i) && !is_meant(t, i, named))
			t->v->rcpt[i].group = group;
	return true;
}

int open_confirm(struct opening *o, struct err *e)
{
	struct addr_list named = {NULL, 0};
	bool any = false;
	int rc = 1;

	for (size_t i = 0; i < o->t->v->rcpts; i++)
		any = any || (txn_has(o->t, i) && o->t->rcpt[i].by_domain);
	if (!o->is_decrypted || !any)
		return 1;
	if (open_named(o, &named, e) != 0)
		rc = -1;
	else if (!part_strangers(o->t, &named))
		rc = 0;
	addr_list_free(&named);
	return rc;
}
