/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One object of an import into the store, with its report: what a
 * certificate is good for by its own words, which certificate a key belongs
 * to, and what is not taken.
 */
#include "keystore/import_int.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "keystore/request.h"
#include "util/ossl.h"

#define NOTE_TLS "for TLS only, not used for mail"
#define NOTE_OTHER "not for mail by its key usage"
#define NOTE_ROOT "a root; it is not trusted until \"postseal cert trust\""

int import_is_known(struct keystore *ks, const unsigned char sha256[32], bool
    *known, struct found *f, struct err *e)
{
	static const char *const note[] = {
		[KS_USABLE] = "",
		[KS_PENDING] = "waits to be approved",
		[KS_DISTRUSTED] = "distrusted",
		[KS_SUPERSEDED] = "superseded",
	};
	sqlite3_stmt *st = ks_stmt(ks, ST_IMPORT_KNOWN, e);
	size_t state;
	int rc;

	*known = false;
	f->note = "";
	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, view_make(sha256, 32));
	rc = ks_step(ks, st, e);
	if (rc <= 0)
		return rc;
	*known = true;
	state = (size_t)sqlite3_column_int(st, 0);
	if (state < ARRAY_LEN(note))
		f->note = note[state];
	if (view_cstr(ks_column(st, 1), f->what, sizeof(f->what)) != 0)
		f->what[0] = '\0';
	sqlite3_reset(st);
	return 0;
}

/* What a certificate can be used for, by its own words. */
static unsigned natural_use(const struct cert *c)
{
	unsigned ku = cert_ku(c), use = 0;

	if (cert_is_ca(c) || !cert_eku_mail(c))
		return 0;
	if ((ku & CERT_KU_SIGN) != 0)
		use |= KS_SIGN;
	if ((cert_key_type(c) == CERT_KEY_RSA &&
	    (ku & CERT_KU_ENCIPHER) != 0) ||
	    (cert_key_type(c) == CERT_KEY_EC && (ku & CERT_KU_AGREE) != 0))
		use |= KS_ENCRYPT | KS_STORAGE;
	return use;
}

static void name_item(struct import_item *it, const struct cert *c)
{
	struct err text = { 0 };

	(void)err_set(&text, FAIL_INPUT, "%s", cert_addresses(c) > 0 ?
	    cert_address(c, 0)->text : cert_subject(c));
	ks_text(it->what, sizeof(it->what), &text);
	memcpy(it->sha256, cert_sha256_hex(c), sizeof(it->sha256));
}

static void skip(struct import_item *it, const char *why)
{
	text_set(it->skipped, sizeof(it->skipped), why);
}

/* ---- certificates ---- */

/* Of one that is new: may it stand beside the keys that are here? */
static int check_keys(struct batch *b, const struct cert *c, struct
    import_item *it, struct err *e)
{
	struct request_answer answer;
	struct err why = { 0 };
	bool shared, own;

	if (cert_is_ca(c))
		return 0;
	if (ks_key_is_shared(b->ks, cert_spki_sha256(c), c, &shared, &own,
	    e) != 0)
		return -1;
	/* Before a request is answered: it waits on for one that is taken. */
	if (own && shared) {
		skip(it, "its private key is here, and would be one for mail "
		    "and for TLS; keys of the two are to be apart");
		return 0;
	}
	if (request_match(b->ks, c, &answer, e) != 0)
		return -1;
	if (answer.found == REQUEST_OTHER) {
		(void)err_set(&why, FAIL_INPUT, "answers the request for %s, "
		    "but names another address", answer.email.text);
		ks_text(it->skipped, sizeof(it->skipped), &why);
	} else if (answer.found == REQUEST_MATCHED) {
		it->note = "answers a request";
	}
	return 0;
}

/* What it may be used for; skipped when that is nothing that was asked. */
static unsigned choose_use(const struct batch *b, const struct cert *c,
    struct import_item *it)
{
	unsigned use = natural_use(c);

	if (use == 0 && !cert_is_ca(c))
		it->note = ks_is_for_tls(c) ? NOTE_TLS : NOTE_OTHER;
	if (!b->o->anchor && cert_is_ca(c) && ks_self_signed(c))
		it->note = NOTE_ROOT;
	if (b->o->use == 0)
		return use;
	use &= b->o->use;
	if (use == 0 && !cert_is_ca(c))
		skip(it, "its key usage does not allow what it is to be used "
		    "for");
	return use;
}

static int store_cert(struct batch *b, const struct cert *c, struct import_item
    *it, struct err *e)
{
	struct found look = { 0 };
	unsigned use;
	bool known;

	name_item(it, c);
	if (b->o->anchor && !(cert_is_ca(c) && ks_self_signed(c))) {
		skip(it, "not a self-signed CA certificate, so it cannot be "
		    "an anchor (RFC 5280 6.1.1)");
		return 0;
	}
	if (import_is_known(b->ks, cert_sha256(c), &known, &look, e) != 0)
		return -1;
	use = choose_use(b, c, it);
	if (known)
		it->note = look.note;
	else if (it->skipped[0] == '\0' && check_keys(b, c, it, e) != 0)
		return -1;
	if (it->skipped[0] != '\0')
		return 0;
	/* A known one keeps the use that somebody gave it. */
	if ((!known || b->o->use != 0) && keystore_add(b->ks, c, use,
	    KS_IMPORT, &it->added, e) != 0)
		return -1;
	return b->o->anchor ? keystore_trust(b->ks, cert_sha256(c),
	    b->o->scope, b->o->scopes, e) : 0;
}

/* ---- keys ---- */

struct match {
	EVP_PKEY *key;
	const struct addr *address; /* or NULL */
	struct cert *cert;	    /* owned */
	bool other_address; /* the key fits, but not the address */
};

static int match_row(void *arg, const struct ks_row *r, struct err *e)
{
	struct match *m = arg;

	(void)e;
	if (m->cert != NULL || !key_matches(m->key, r->cert))
		return 0;
	if (m->address != NULL &&
	    !cert_has_address(r->cert, m->address, ADDR_FOLD_LOCAL))
		m->other_address = true;
	else
		m->cert = cert_ref(r->cert);
	return 0;
}

/* The certificates of its file are in the store by now. */
static int find_match(struct batch *b, struct match *m, struct err *e)
{
	unsigned char *der = NULL, sha256[32];
	int n = i2d_PUBKEY(m->key, &der);

	if (n <= 0)
		return err_ossl(e, FAIL_TEMP, "private key");
	ossl_sha256(der, (size_t)n, sha256);
	OPENSSL_free(der);
	return ks_list_spki(b->ks, sha256, match_row, m, e);
}

static int store_matched_key(struct batch *b, EVP_PKEY *key, const struct cert
    *c, struct import_item *it, struct err *e)
{
	struct err why = { 0 };
	bool shared, known;

	name_item(it, c);
	it->sha256[0] = '\0';
	if (cert_key_opens(c, &why) != 0) {
		ks_text(it->skipped, sizeof(it->skipped), &why);
		return 0;
	}
	if (ks_key_is_shared(b->ks, cert_spki_sha256(c), NULL, &shared,
	    &known, e) != 0)
		return -1;
	if (shared) {
		skip(it, "it is in a certificate for mail and in one for "
		    "TLS; keys of the two are to be apart");
		return 0;
	}
	it->added = !known;
	/* Sealed anew even so: the secret may be another one by now. */
	return key_store(b->ks, b->o->secret, key, c, e);
}

static int store_key(struct batch *b, EVP_PKEY *key, struct import_item *it,
    struct err *e)
{
	struct err why = { 0 };
	struct match m = { key, NULL, NULL, false };
	struct addr a;
	int rc;

	if (b->o->secret.n == 0) {
		skip(it, "private keys are not taken here");
		return 0;
	}
	if (b->o->address != NULL) {
		if (addr_parse(&a, view_of(b->o->address), e) != 0)
			return -1;
		m.address = &a;
	}
	if (find_match(b, &m, e) != 0)
		return -1;
	if (m.cert != NULL) {
		rc = store_matched_key(b, key, m.cert, it, e);
		cert_free(&m.cert);
		return rc;
	}
	if (m.other_address)
		(void)err_set(&why, FAIL_INPUT,
		    "its certificate is not for %s", b->o->address);
	else
		(void)err_set(&why, FAIL_INPUT, "no certificate for this key "
		    "in the file or the keystore");
	ks_text(it->skipped, sizeof(it->skipped), &why);
	return 0;
}

/* ---- all ---- */

static void copy_known(struct import_item *it, const struct found *f)
{
	it->note = f->note;
	memcpy(it->what, f->what, sizeof(it->what));
	memcpy(it->sha256, f->sha256, sizeof(it->sha256));
}

int import_store(struct batch *b, struct found *f, struct err *e)
{
	struct import_item it = { .kind = f->kind, .note = "" };
	int rc = 0;

	if (f->cert != NULL)
		rc = store_cert(b, f->cert, &it, e);
	else if (f->key != NULL)
		rc = store_key(b, f->key, &it, e);
	else if (f->known)
		copy_known(&it, f);
	else
		memcpy(it.skipped, f->skipped, sizeof(it.skipped));
	if (rc != 0)
		return -1;
	if (it.skipped[0] == '\0') {
		b->good++;
	} else if (b->first_skipped.kind == NULL) {
		b->first_skipped.kind = f->kind;
		memcpy(b->first_skipped.skipped, it.skipped,
		    sizeof(it.skipped));
	}
	if (b->o->report != NULL && b->o->report(b->o->arg, b->name, &it) !=
	    0)
		return err_set(e, FAIL_INPUT, "stopped");
	return 0;
}
