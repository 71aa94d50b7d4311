/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The file: a header of 64 octets, then chunks. A chunk is its length (the
 * top bit: it is the last), as much ciphertext, and the tag, which also
 * covers the header and the length; the nonce is the chunk's number. The key
 * is of this file alone, because the salt is.
 */
#include "keystore/archive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "util/ossl.h"
#include "util/proc.h"

#define VERSION 1
#define SALT 16
#define HEAD 64
#define LENGTH 4
#define LAST 0x80000000u
#define CHUNK 65536
#define TAG 16
#define KEY 32
#define CHECK 16 /* of the passphrase */

#define SCRYPT_R 8
#define SCRYPT_P 1
#define SCRYPT_MEMORY ((uint64_t)1 << 31)

static const unsigned char magic[8] = { 'P', 'S', 'B', 'A', 'C', 'K', 'U',
	'P' };

struct archive {
	EVP_CIPHER_CTX *ctx;
	int fd;
	bool last; /* the last chunk was read or written */
	int64_t when;
	uint64_t number; /* of the next chunk */
	size_t n, pos;	 /* octets in plain, and how many were taken */
	unsigned char head[HEAD];
	unsigned char key[KEY];
	unsigned char plain[CHUNK];
	unsigned char coded[LENGTH + CHUNK + TAG];
};

void archive_free(struct archive **ap)
{
	struct archive *a = *ap;

	if (a == NULL)
		return;
	EVP_CIPHER_CTX_free(a->ctx);
	ossl_wipe(a, sizeof(*a));
	free(a);
	*ap = NULL;
}

static struct archive *new_archive(int fd, struct err *e)
{
	struct archive *a = calloc(1, sizeof(*a));

	if (a != NULL)
		a->ctx = EVP_CIPHER_CTX_new();
	if (a == NULL || a->ctx == NULL) {
		archive_free(&a);
		(void)err_set(e, FAIL_TEMP, "backup: out of memory");
		return NULL;
	}
	a->fd = fd;
	return a;
}

/* ---- the header ---- */

static void put_u32(unsigned char *p, uint32_t x)
{
	p[0] = (unsigned char)(x >> 24);
	p[1] = (unsigned char)(x >> 16);
	p[2] = (unsigned char)(x >> 8);
	p[3] = (unsigned char)x;
}

static uint32_t get_u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

enum { AT_VERSION = 8, AT_LOG_N = 12, AT_R = 16, AT_P = 20, AT_WHEN = 24,
	AT_SALT = 32, AT_CHECK = 48 };

/* Key and check value from passphrase, salt and costs of the header. */
static int derive(struct archive *a, struct view pass, unsigned char
    check[CHECK], struct err *e)
{
	unsigned char out[KEY + CHECK];
	uint64_t n = (uint64_t)1 << get_u32(a->head + AT_LOG_N);

	if (pass.n == 0)
		return err_set(e, FAIL_CONFIG,
		    "backup: an empty passphrase protects nothing");
	ossl_clear();
	if (EVP_PBE_scrypt((const char *)pass.p, pass.n, a->head + AT_SALT,
	    SALT, n, SCRYPT_R, SCRYPT_P, SCRYPT_MEMORY, out, sizeof(out))
	    != 1)
		return err_ossl(e, FAIL_TEMP, "backup: scrypt");
	memcpy(a->key, out, KEY);
	memcpy(check, out + KEY, CHECK);
	ossl_wipe(out, sizeof(out));
	return 0;
}

int archive_create(struct archive **out, int fd, struct view passphrase,
    int cost, int64_t when, struct err *e)
{
	struct archive *a = new_archive(fd, e);

	*out = NULL;
	if (a == NULL)
		return -1;
	memcpy(a->head, magic, sizeof(magic));
	put_u32(a->head + AT_VERSION, VERSION);
	put_u32(a->head + AT_LOG_N, (uint32_t)cost);
	put_u32(a->head + AT_R, SCRYPT_R);
	put_u32(a->head + AT_P, SCRYPT_P);
	put_u32(a->head + AT_WHEN, (uint32_t)((uint64_t)when >> 32));
	put_u32(a->head + AT_WHEN + 4, (uint32_t)when);
	ossl_random(a->head + AT_SALT, SALT);
	a->when = when;
	if (derive(a, passphrase, a->head + AT_CHECK, e) != 0 ||
	    io_write_all(fd, a->head, HEAD, e) != 0) {
		archive_free(&a);
		return -1;
	}
	*out = a;
	return 0;
}

/* As many octets as there are, up to n; -1 with e set. */
static ssize_t read_some(int fd, unsigned char *p, size_t n, struct err *e)
{
	size_t got = 0;
	ssize_t k;

	while (got < n) {
		k = read(fd, p + got, n - got);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(e, FAIL_TEMP, "backup: read");
		if (k == 0)
			break;
		got += (size_t)k;
	}
	return (ssize_t)got;
}

static int read_head(struct archive *a, struct err *e)
{
	ssize_t n = read_some(a->fd, a->head, HEAD, e);
	uint32_t version = get_u32(a->head + AT_VERSION);
	uint32_t log_n = get_u32(a->head + AT_LOG_N);

	if (n < 0)
		return -1;
	if (n != HEAD || memcmp(a->head, magic, sizeof(magic)) != 0)
		return err_set(e, FAIL_CONFIG, "not a backup of postseal");
	if (version != VERSION)
		return err_set(e, FAIL_CONFIG, "a backup of version %lu, this "
		    "program knows version %d", (unsigned long)version,
		    VERSION);
	if (log_n < ARCHIVE_COST_MIN || log_n > ARCHIVE_COST_MAX ||
	    get_u32(a->head + AT_R) != SCRYPT_R ||
	    get_u32(a->head + AT_P) != SCRYPT_P)
		return err_set(e, FAIL_CONFIG, "a backup with costs of scrypt "
		    "that we do not take: damaged, or not of this program");
	a->when = (int64_t)((uint64_t)get_u32(a->head + AT_WHEN) << 32 |
	    get_u32(a->head + AT_WHEN + 4));
	return 0;
}

int archive_open(struct archive **out, int fd, struct view passphrase,
    struct err *e)
{
	struct archive *a = new_archive(fd, e);
	unsigned char check[CHECK];
	int rc = -1;

	*out = NULL;
	if (a == NULL)
		return -1;
	if (read_head(a, e) != 0 || derive(a, passphrase, check, e) != 0)
		goto out;
	if (!ossl_same(check, a->head + AT_CHECK, CHECK)) {
		(void)err_set(e, FAIL_CONFIG, "wrong passphrase, or the first "
		    "%d octets of the backup are damaged", HEAD);
		goto out;
	}
	*out = a;
	a = NULL;
	rc = 0;
out:
	archive_free(&a);
	return rc;
}

int64_t archive_when(const struct archive *a)
{
	return a->when;
}

/* ---- chunks ---- */

static void make_nonce(struct archive *a, unsigned char nonce[12])
{
	put_u32(nonce, 0);
	put_u32(nonce + 4, (uint32_t)(a->number >> 32));
	put_u32(nonce + 8, (uint32_t)a->number);
	a->number++;
}

static int write_chunk(struct archive *a, bool last, struct err *e)
{
	unsigned char nonce[12], *out = a->coded + LENGTH;
	int n, final;

	put_u32(a->coded, (uint32_t)a->n | (last ? LAST : 0));
	make_nonce(a, nonce);
	ossl_clear();
	if (EVP_EncryptInit_ex2(a->ctx, EVP_aes_256_gcm(), a->key, nonce,
	    NULL) != 1 || EVP_EncryptUpdate(a->ctx, NULL, &n, a->head, HEAD)
	    != 1 || EVP_EncryptUpdate(a->ctx, NULL, &n, a->coded, LENGTH) != 1
	    || EVP_EncryptUpdate(a->ctx, out, &n, a->plain, (int)a->n) != 1 ||
	    EVP_EncryptFinal_ex(a->ctx, out + a->n, &final) != 1 ||
	    EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_GET_TAG, TAG,
	    out + a->n) != 1)
		return err_ossl(e, FAIL_TEMP, "backup");
	if (io_write_all(a->fd, a->coded, LENGTH + a->n + TAG, e) != 0)
		return err_add(e, "backup");
	a->n = 0;
	return 0;
}

int archive_put(struct archive *a, const void *p, size_t n, struct err *e)
{
	const unsigned char *from = p;
	size_t k;

	while (n > 0) {
		if (a->n == CHUNK && write_chunk(a, false, e) != 0)
			return -1;
		k = CHUNK - a->n < n ? CHUNK - a->n : n;
		memcpy(a->plain + a->n, from, k);
		a->n += k;
		from += k;
		n -= k;
	}
	return 0;
}

int archive_finish(struct archive *a, struct err *e)
{
	if (a->last)
		return err_set(e, FAIL_BUG, "backup: finished twice");
	a->last = true;
	return write_chunk(a, true, e);
}

static int decrypt(struct archive *a, size_t n, struct err *e)
{
	unsigned char nonce[12], *in = a->coded + LENGTH;
	int k, final;

	make_nonce(a, nonce);
	ossl_clear();
	if (EVP_DecryptInit_ex2(a->ctx, EVP_aes_256_gcm(), a->key, nonce,
	    NULL) == 1 && EVP_DecryptUpdate(a->ctx, NULL, &k, a->head, HEAD)
	    == 1 && EVP_DecryptUpdate(a->ctx, NULL, &k, a->coded, LENGTH) == 1
	    && EVP_DecryptUpdate(a->ctx, a->plain, &k, in, (int)n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_SET_TAG, TAG, in + n)
	    == 1 && EVP_DecryptFinal_ex(a->ctx, a->plain + k, &final) == 1)
		return 0;
	ossl_wipe(a->plain, CHUNK);
	ossl_clear();
	return err_set(e, FAIL_INPUT, "backup: damaged in chunk %llu: changed, "
	    "or not at its place", (unsigned long long)a->number);
}

static int cut_short(struct archive *a, struct err *e)
{
	return err_set(e, FAIL_INPUT, "backup: cut short in chunk %llu",
	    (unsigned long long)a->number + 1);
}

static int read_chunk(struct archive *a, struct err *e)
{
	uint32_t length;
	ssize_t got;
	size_t n;

	if (a->last)
		return err_set(e, FAIL_INPUT, "backup: ends early");
	got = read_some(a->fd, a->coded, LENGTH, e);
	if (got < 0)
		return -1;
	if (got != LENGTH)
		return cut_short(a, e);
	length = get_u32(a->coded);
	n = length & ~LAST;
	if (n > CHUNK)
		return err_set(e, FAIL_INPUT, "backup: damaged in chunk %llu",
		    (unsigned long long)a->number + 1);
	got = read_some(a->fd, a->coded + LENGTH, n + TAG, e);
	if (got < 0)
		return -1;
	if ((size_t)got != n + TAG)
		return cut_short(a, e);
	if (decrypt(a, n, e) != 0)
		return -1;
	a->last = (length & LAST) != 0;
	a->n = n;
	a->pos = 0;
	return 0;
}

int archive_get(struct archive *a, void *p, size_t n, struct err *e)
{
	unsigned char *to = p;
	size_t k;

	while (n > 0) {
		if (a->pos == a->n && read_chunk(a, e) != 0)
			return -1;
		k = a->n - a->pos < n ? a->n - a->pos : n;
		memcpy(to, a->plain + a->pos, k);
		a->pos += k;
		to += k;
		n -= k;
	}
	return 0;
}

int archive_end(struct archive *a, struct err *e)
{
	unsigned char one;
	ssize_t k;

	if (a->pos == a->n && !a->last && read_chunk(a, e) != 0)
		return -1;
	if (a->pos != a->n || !a->last)
		return err_set(e, FAIL_INPUT,
		    "backup: has more than its list says");
	k = read_some(a->fd, &one, 1, e);
	if (k < 0)
		return -1;
	return k == 0 ? 0 : err_set(e, FAIL_INPUT,
	    "backup: octets behind its end");
}
