/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Import: finds out by parsing what a file holds, then stores all of it or
 * nothing. The single formats are read in import_der.c, import_pem.c,
 * import_p12.c and import_ldif.c.
 */
#include "keystore/import_int.h"

#include <magic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "util/ossl.h"

#define MAGIC_LOOK (1u << 20) /* octets that libmagic sees */

/* ---- what was found ---- */

static struct found *new_item(struct batch *b, const char *kind, struct err *e)
{
	size_t size = b->size == 0 ? 8 : 2 * b->size;
	struct found *bigger;

	if (b->n == IMPORT_OBJECTS) {
		(void)err_set(e, FAIL_LIMIT, "more than %d objects",
		    IMPORT_OBJECTS);
		return NULL;
	}
	if (b->n == b->size) {
		bigger = realloc(b->item, size * sizeof(*bigger));
		if (bigger == NULL) {
			(void)err_set(e, FAIL_TEMP, "import: out of memory");
			return NULL;
		}
		b->item = bigger;
		b->size = size;
	}
	memset(&b->item[b->n], 0, sizeof(*b->item));
	b->item[b->n].kind = kind;
	return &b->item[b->n++];
}

int batch_skip(struct batch *b, const char *kind, const struct err *why, struct
    err *e)
{
	struct found *f = new_item(b, kind, e);

	if (f == NULL)
		return -1;
	ks_text(f->skipped, sizeof(f->skipped), why);
	return 0;
}

int batch_cert(struct batch *b, struct view der, struct err *e)
{
	struct err why = { 0 };
	struct found *f;
	struct cert *c;

	if (cert_parse(&c, der, &why) != 0) {
		if (why.kind == FAIL_TEMP)
			return err_set(e, FAIL_TEMP, "%s", why.msg);
		return batch_skip(b, "certificate", &why, e);
	}
	f = new_item(b, "certificate", e);
	if (f == NULL) {
		cert_free(&c);
		return -1;
	}
	f->cert = c;
	return 0;
}

int batch_key(struct batch *b, EVP_PKEY *take_key, struct err *e)
{
	struct found *f = new_item(b, "private key", e);

	if (f == NULL) {
		EVP_PKEY_free(take_key);
		return -1;
	}
	f->key = take_key;
	return 0;
}

static void free_batch(struct batch *b)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		cert_free(&b->item[i].cert);
		EVP_PKEY_free(b->item[i].key);
	}
	free(b->item);
	memset(b, 0, sizeof(*b));
}

/* ---- storing ---- */

struct storing {
	struct keystore *ks;
	const char *name;
	const struct import_opts *o;
	struct batch *b;
	size_t good;
};

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

static void skip(struct import_item *it, const struct err *why)
{
	ks_text(it->skipped, sizeof(it->skipped), why);
}

static int is_known(struct keystore *ks, const struct cert *c, bool *known,
    struct err *e)
{
	struct err mine = { 0 };
	struct ks_row r;

	*known = ks_cert_get(ks, cert_sha256(c), &r, &mine) == 0;
	ks_row_free(&r);
	if (!*known && mine.kind != FAIL_INPUT)
		return err_set(e, mine.kind, "%s", mine.msg);
	return 0;
}

static int store_cert(struct storing *s, const struct cert *c, struct
    import_item *it, struct err *e)
{
	unsigned use = natural_use(c);
	struct err why = { 0 };
	bool known;

	name_item(it, c);
	if (s->o->anchor && !(cert_is_ca(c) && ks_self_signed(c))) {
		(void)err_set(&why, FAIL_INPUT, "not a self-signed CA "
		    "certificate, so it cannot be an anchor (RFC 5280 "
		    "6.1.1)");
		skip(it, &why);
		return 0;
	}
	if (is_known(s->ks, c, &known, e) != 0)
		return -1;
	if (s->o->use != 0) {
		use &= s->o->use;
		if (use == 0 && !cert_is_ca(c)) {
			(void)err_set(&why, FAIL_INPUT, "its key usage does "
			    "not allow what it is to be used for");
			skip(it, &why);
			return 0;
		}
	}
	/* A known one keeps the use that somebody gave it. */
	if ((!known || s->o->use != 0) && keystore_add(s->ks, c, use,
	    KS_IMPORT, &it->added, e) != 0)
		return -1;
	return s->o->anchor ? keystore_set_anchor(s->ks, cert_sha256(c),
	    true, e) : 0;
}

struct match {
	EVP_PKEY *key;
	const struct addr *address; /* or NULL */
	struct cert *cert;	    /* owned */
	bool other_address; /* the key fits, but not the address */
};

static int match_cert(struct match *m, struct cert *c)
{
	if (m->cert != NULL || !key_matches(m->key, c))
		return 0;
	if (m->address != NULL &&
	    !cert_has_address(c, m->address, ADDR_FOLD_LOCAL))
		m->other_address = true;
	else
		m->cert = cert_ref(c);
	return 0;
}

static int match_row(void *arg, const struct ks_row *r, struct err *e)
{
	(void)e;
	return match_cert(arg, r->cert);
}

static int match_store(struct storing *s, struct match *m, struct err *e)
{
	unsigned char *der = NULL, sha256[32];
	int n = i2d_PUBKEY(m->key, &der);

	if (n <= 0)
		return err_ossl(e, FAIL_TEMP, "private key");
	ossl_sha256(der, (size_t)n, sha256);
	OPENSSL_free(der);
	return ks_list_spki(s->ks, sha256, match_row, m, e);
}

static int find_match(struct storing *s, struct match *m, struct err *e)
{
	size_t i;

	for (i = 0; i < s->b->n; i++)
		if (s->b->item[i].cert != NULL)
			(void)match_cert(m, s->b->item[i].cert);
	return m->cert != NULL ? 0 : match_store(s, m, e);
}

static int store_matched_key(struct storing *s, EVP_PKEY *key, const struct cert
    *c, struct import_item *it, struct err *e)
{
	struct err why = { 0 };
	struct buf old;
	bool known;

	name_item(it, c);
	it->sha256[0] = '\0';
	if (cert_key_opens(c, &why) != 0) {
		skip(it, &why);
		return 0;
	}
	buf_init(&old, 1u << 20);
	known = keystore_get_key(s->ks, cert_spki_sha256(c), &old, NULL) == 0;
	buf_free(&old);
	it->added = !known;
	/* Sealed anew even so: the secret may be another one by now. */
	return key_store(s->ks, s->o->secret, key, c, e);
}

static int store_key(struct storing *s, EVP_PKEY *key, struct import_item *it,
    struct err *e)
{
	struct err why = { 0 };
	struct match m = { key, NULL, NULL, false };
	struct addr a;
	int rc;

	if (s->o->secret.n == 0) {
		(void)err_set(&why, FAIL_POLICY, "private keys are not taken "
		    "here");
		skip(it, &why);
		return 0;
	}
	if (s->o->address != NULL) {
		if (addr_parse(&a, view_of(s->o->address), e) != 0)
			return -1;
		m.address = &a;
	}
	if (find_match(s, &m, e) != 0)
		return -1;
	if (m.cert != NULL) {
		rc = store_matched_key(s, key, m.cert, it, e);
		cert_free(&m.cert);
		return rc;
	}
	if (m.other_address)
		(void)err_set(&why, FAIL_INPUT,
		    "its certificate is not for %s", s->o->address);
	else
		(void)err_set(&why, FAIL_INPUT, "no certificate for this key "
		    "in the file or the keystore");
	skip(it, &why);
	return 0;
}

static int store_item(struct storing *s, struct found *f, struct err *e)
{
	struct import_item it = { .kind = f->kind };
	int rc = 0;

	if (f->cert != NULL)
		rc = store_cert(s, f->cert, &it, e);
	else if (f->key != NULL)
		rc = store_key(s, f->key, &it, e);
	else
		memcpy(it.skipped, f->skipped, sizeof(it.skipped));
	if (rc != 0)
		return -1;
	if (it.skipped[0] == '\0')
		s->good++;
	else if (f->skipped[0] == '\0')
		memcpy(f->skipped, it.skipped, sizeof(f->skipped));
	if (s->o->report != NULL &&
	    s->o->report(s->o->arg, s->name, &it) != 0)
		return err_set(e, FAIL_INPUT, "stopped");
	return 0;
}

/* Certificates before keys, which need them. */
static int store_batch(struct storing *s, struct err *e)
{
	size_t i;

	for (i = 0; i < s->b->n; i++)
		if (s->b->item[i].key == NULL &&
		    store_item(s, &s->b->item[i], e) != 0)
			return -1;
	for (i = 0; i < s->b->n; i++)
		if (s->b->item[i].key != NULL &&
		    store_item(s, &s->b->item[i], e) != 0)
			return -1;
	return 0;
}

/* ---- what it is ---- */

static int read_data(struct batch *b, struct view data, struct err *e)
{
	struct buf der;
	int rc;

	if (data.n > 0 && data.p[0] == 0x30)
		return import_der(b, data, e);
	if (import_is_pem(data))
		return import_pem(b, data, e);
	if (import_is_ldif(data))
		return import_ldif(b, data, e);
	buf_init_secret(&der, CAP_IMPORT_FILE);
	rc = import_base64(data, &der) ? import_der(b, buf_view(&der), e) : 0;
	buf_free(&der);
	return rc;
}

const char *import_magic(struct view data, char *dst, size_t size)
{
	magic_t m = magic_open(MAGIC_NONE);
	const char *text = NULL;
	struct err e = { 0 };
	size_t i;

	data = view_sub(data, 0, MAGIC_LOOK);
	if (m != NULL && magic_load(m, NULL) == 0)
		text = magic_buffer(m, data.p != NULL ? (const void *)data.p :
		    "", data.n);
	(void)err_set(&e, FAIL_INPUT, "%s",
	    text != NULL ? text : "of unknown kind");
	for (i = 0; e.msg[i] != '\0'; i++)
		if ((unsigned char)e.msg[i] < 0x20 || e.msg[i] == 0x7f)
			e.msg[i] = '?';
	ks_text(dst, size, &e);
	if (m != NULL)
		magic_close(m);
	return dst;
}

static int nothing_good(const struct batch *b, const char *name, struct view
    data, struct err *e)
{
	char magic[160];
	size_t i;

	for (i = 0; i < b->n; i++)
		if (b->item[i].skipped[0] != '\0')
			return err_set(e, FAIL_INPUT, "%s: %s: %s", name,
			    b->item[i].kind, b->item[i].skipped);
	return err_set(e, FAIL_INPUT, "%s: %s, not a certificate, private "
	    "key, PKCS#7, PKCS#12, LDIF or signed mail", name,
	    import_magic(data, magic, sizeof(magic)));
}

int import_data(struct keystore *ks, const char *name, struct view data, const
    struct import_opts *o, size_t *good, struct err *e)
{
	struct batch b = { .password = o->password };
	struct storing s = { ks, name, o, &b, 0 };
	bool began;
	int rc = -1;

	*good = 0;
	if (data.n > CAP_IMPORT_FILE)
		return err_set(e, FAIL_LIMIT, "%s: larger than %u octets",
		    name, CAP_IMPORT_FILE);
	if (read_data(&b, data, e) != 0) {
		(void)err_add(e, "%s", name);
		goto out;
	}
	if (ks_change(ks, &began, true, e) != 0)
		goto out;
	rc = store_batch(&s, e);
	if (rc != 0)
		(void)err_add(e, "%s", name);
	rc = ks_end(ks, began, rc, e);
	if (rc == 0)
		*good = s.good;
	if (rc == 0 && s.good == 0)
		rc = nothing_good(&b, name, data, e);
out:
	free_batch(&b);
	return rc;
}
