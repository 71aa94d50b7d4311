/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: everything that cert import and key import read: PEM, DER,
 * PKCS#7, PKCS#12, LDIF, keys; into a store that is taken back after each
 * input. Whole and in pieces must come to the same.
 */
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "keystore/import.h"
#include "tests/fuzz/cms_world.h"
#include "tests/fuzz/der_mutate.h"

#define SECRET                                                            \
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define PASSWORD "pw"
#define WORK 5000 /* iterations for one input, else it is slow */

static struct keystore *store;

static void close_store(void)
{
	keystore_close(&store);
}

/* A file without a name is no database, so it goes when it is open. */
static struct keystore *open_store(void)
{
	char dir[] = "/tmp/fuzz-import-XXXXXX", path[64], more[80];
	struct err e;

	if (store != NULL)
		return store;
	MUST(mkdtemp(dir) != NULL);
	(void)snprintf(path, sizeof(path), "%s/db", dir);
	MUST(keystore_create(path, &e) == 0);
	MUST(keystore_open(&store, path, KS_WRITE, &e) == 0);
	MUST(unlink(path) == 0);
	(void)snprintf(more, sizeof(more), "%s-wal", path);
	(void)unlink(more);
	(void)snprintf(more, sizeof(more), "%s-shm", path);
	(void)unlink(more);
	(void)rmdir(dir);
	(void)atexit(close_store);
	return store;
}

/* ---- inputs ---- */

static void put_bio(BIO *bio, struct buf *out)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	buf_put(out, p, (size_t)n);
	BIO_free(bio);
}

static void put_p12(int who, int key_nid, int cert_nid, int mac,
    struct buf *out)
{
	const struct testca_id *id = &world()->id[who];
	BIO *bio = BIO_new(BIO_s_mem());
	PKCS12 *p12 = PKCS12_create(PASSWORD, "x", id->key,
	    cert_x509(id->cert), NULL, key_nid, cert_nid, 10, mac, 0);

	MUST(p12 != NULL && i2d_PKCS12_bio(bio, p12) == 1);
	put_bio(bio, out);
	PKCS12_free(p12);
}

static void put_key(int who, bool locked, bool pem, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	EVP_PKEY *key = world()->id[who].key;
	const EVP_CIPHER *c = locked ? EVP_aes_128_cbc() : NULL;

	if (pem)
		MUST(PEM_write_bio_PKCS8PrivateKey(bio, key, c, PASSWORD, 2,
		    NULL, NULL) == 1);
	else
		MUST(i2d_PKCS8PrivateKey_bio(bio, key, c, PASSWORD, 2, NULL,
		    NULL) == 1);
	put_bio(bio, out);
}

static void put_text(bool ldif, int who, struct buf *out)
{
	struct view der = cert_der(world()->id[who].cert);
	unsigned char text[8192];

	MUST(der.n < 4096);
	(void)EVP_EncodeBlock(text, der.p, (int)der.n);
	if (ldif)
		buf_printf(out, "dn: cn=x\nuserCertificate;binary:: %s\n"
		    "userCertificate:< file:x\n", (char *)text);
	else
		buf_printf(out, "-----BEGIN CERTIFICATE-----\n%s\n"
		    "-----END CERTIFICATE-----\n", (char *)text);
}

static bool make_seed(size_t i, struct buf *out)
{
	const int tdes = NID_pbe_WithSHA1And3_Key_TripleDES_CBC;
	const int aes = NID_aes_128_cbc;

	switch (i) {
	case 0:
		buf_putv(out, cert_der(world()->id[ALICE].cert));
		return true;
	case 1:
		put_p12(ALICE, aes, aes, 10, out);
		return true;
	case 2:
		put_p12(ALICE, tdes, tdes, 10, out);
		return true;
	case 3:
		put_p12(BOB, -1, -1, -1, out);
		return true;
	case 4:
		put_p12(ALICE, aes, -1, -1, out);
		return true;
	case 5:
		put_key(ALICE, false, false, out);
		return true;
	case 6:
		put_key(ALICE, true, false, out);
		return true;
	case 7:
		put_text(false, ALICE, out);
		put_key(ALICE, true, true, out);
		put_text(false, BOB, out);
		return true;
	case 8:
		put_text(true, BOB, out);
		put_text(true, ALICE, out);
		return true;
	default: /* signed ones, with certificates */
		return world_seed(i - 9, out);
	}
}

bool fuzz_seed(size_t i, struct buf *out)
{
	(void)world();
	world_rewind();
	return make_seed(i, out);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t room,
    unsigned seed)
{
	struct buf donor;

	if (n == 0 || data[0] != 0x30 || seed % 4 == 0)
		return LLVMFuzzerMutate(data, n, room);
	buf_init(&donor, FUZZ_INPUT);
	MUST(fuzz_seed(seed / 4 % 9, &donor));
	if (donor.p[0] == 0x30)
		n = der_mutate(data, n, room, buf_view(&donor), seed);
	else
		n = LLVMFuzzerMutate(data, n, room);
	buf_free(&donor);
	return n;
}

/* ---- running ---- */

struct count {
	size_t taken, skipped;
};

static int count_item(void *arg, const char *file,
    const struct import_item *it)
{
	struct count *c = arg;

	(void)file;
	MUST(it->kind != NULL && it->note != NULL);
	MUST(it->skipped[0] == '\0' || !it->added);
	if (it->skipped[0] != '\0')
		c->skipped++;
	else
		c->taken++;
	return 0;
}

static int in_pieces(struct keystore *ks, struct view v,
    const struct import_opts *o, struct err *e)
{
	size_t used, from = 0, to = 0, good;
	struct import *im = NULL;
	int rc = import_begin(&im, ks, "input", o, e);

	while (rc == 0) {
		to = v.n - to < 97 ? v.n : to + 97;
		rc = import_feed(im, view_sub(v, from, to - from),
		    to == v.n, &used, e);
		MUST(used <= to - from);
		from += used;
		if (to == v.n)
			break;
	}
	if (rc == 0)
		rc = import_keep(im, &good, e);
	import_end(&im);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct count whole = { 0, 0 }, pieces = { 0, 0 };
	struct import_opts o = { .secret = view_of(SECRET "\n"),
		.password = PASSWORD, .report = count_item, .arg = &whole,
		.kdf = WORK };
	struct keystore *ks = open_store();
	struct err e = { 0 };
	size_t good = 0;
	int rc;

	(void)world();
	world_rewind();
	MUST(keystore_begin(ks, &e) == 0);
	rc = import_data(ks, "input", view_make(data, n), &o, &good, &e);
	MUST(rc == 0 ? good == whole.taken && good > 0 :
	    good == 0 && (e.kind == FAIL_INPUT || e.kind == FAIL_LIMIT));
	keystore_rollback(ks);
	o.arg = &pieces;
	MUST(keystore_begin(ks, &e) == 0);
	MUST(in_pieces(ks, view_make(data, n), &o, &e) == rc);
	MUST(pieces.taken == whole.taken && pieces.skipped == whole.skipped);
	keystore_rollback(ks);
	return 0;
}
