/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * PEM (RFC 7468) of an import: blocks are cut out by ourselves and read
 * singly, so that one broken block does not hide those after it; base64
 * without armour.
 */
#include "keystore/import_int.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "util/ossl.h"

#define BEGIN "-----BEGIN "
#define END "-----END "

/* Offset of the next line at or after off that begins with "-----". */
static size_t next_dashes(struct view v, size_t off)
{
	while (off < v.n) {
		if (v.n - off >= 5 && memcmp(v.p + off, "-----", 5) == 0 &&
		    (off == 0 || v.p[off - 1] == '\n' ||
		    v.p[off - 1] == '\r'))
			return off;
		off = view_chr(v, '-', off + 1);
		if (off == (size_t)-1)
			break;
	}
	return (size_t)-1;
}

static bool starts(struct view v, size_t off, const char *with)
{
	size_t n = strlen(with);

	return v.n - off >= n && memcmp(v.p + off, with, n) == 0;
}

bool import_is_pem(struct view data)
{
	size_t off = 0;

	while ((off = next_dashes(data, off)) != (size_t)-1) {
		if (starts(data, off, BEGIN))
			return true;
		off += 5;
	}
	return false;
}

/* The user's password, and never a prompt. */
static int give_password(char *dst, int size, int writing, void *arg)
{
	const char *password = arg;
	size_t n;

	(void)writing;
	if (password == NULL)
		return -1;
	n = strlen(password);
	if (size < 0 || n > (size_t)size)
		return -1;
	memcpy(dst, password, n);
	return (int)n;
}

static int read_key(struct batch *b, struct view block, struct err *e)
{
	bool encrypted = false;
	BIO *bio = NULL;
	EVP_PKEY *key = NULL;
	char password[1024];
	int n;

	if (ossl_len(block.n, &n, e) != 0)
		return -1;
	password[0] = '\0';
	if (b->o->password != NULL && view_cstr(view_of(b->o->password),
	    password, sizeof(password)) != 0)
		return batch_skip_as(b, "private key",
		    "password is too long", e);
	ossl_clear();
	bio = BIO_new_mem_buf(block.p, n);
	if (bio == NULL)
		return err_ossl(e, FAIL_TEMP, "private key");
	key = PEM_read_bio_PrivateKey(bio, NULL, give_password,
	    b->o->password != NULL ? password : NULL);
	BIO_free(bio);
	ossl_wipe(password, sizeof(password));
	ossl_clear();
	if (key != NULL)
		return batch_key(b, key, e);
	encrypted = memmem(block.p, block.n, "ENCRYPTED", 9) != NULL;
	return batch_skip_as(b, "private key", !encrypted ?
	    "not a key of a kind that we know" : b->o->password == NULL ?
	    IMPORT_LOCKED : "does not open with this password", e);
}

static int read_decoded(struct batch *b, const char *label, struct view der,
    struct err *e)
{
	if (strcmp(label, "CERTIFICATE") == 0 ||
	    strcmp(label, "X509 CERTIFICATE") == 0)
		return batch_cert(b, der, e);
	/* "TRUSTED CERTIFICATE" has OpenSSL's own words after it. */
	if (strcmp(label, "TRUSTED CERTIFICATE") == 0)
		return batch_skip_as(b, "certificate", "in OpenSSL's own "
		    "format TRUSTED CERTIFICATE; export it without", e);
	if (strcmp(label, "EC PARAMETERS") == 0)
		return 0; /* stands before many EC keys, says nothing new */
	return import_der_named(b, "PEM block", der, e);
}

static int read_block(struct batch *b, struct view block, struct err *e)
{
	char *label = NULL, *header = NULL;
	unsigned char *data = NULL;
	long size = 0;
	BIO *bio;
	int n, rc;

	if (ossl_len(block.n, &n, e) != 0)
		return -1;
	ossl_clear();
	bio = BIO_new_mem_buf(block.p, n);
	if (bio == NULL)
		return err_ossl(e, FAIL_TEMP, "PEM");
	rc = PEM_read_bio(bio, &label, &header, &data, &size);
	BIO_free(bio);
	ossl_clear();
	if (rc != 1)
		return batch_skip_as(b, "PEM block", "damaged (RFC 7468)", e);
	if (strcmp(label, "ENCRYPTED PRIVATE KEY") == 0)
		rc = import_encrypted_key(b, view_make(data, (size_t)size),
		    e);
	else if (strstr(label, "PRIVATE KEY") != NULL)
		rc = read_key(b, block, e);
	else if (header[0] != '\0')
		rc = batch_skip_as(b, "PEM block", "encrypted", e);
	else
		rc = read_decoded(b, label, view_make(data, (size_t)size), e);
	OPENSSL_free(label);
	OPENSSL_free(header);
	OPENSSL_clear_free(data, (size_t)size);
	return rc;
}

/* One behind the last whole line. */
static size_t whole_lines(struct view text)
{
	size_t n = text.n;

	while (n > 0 && text.p[n - 1] != '\n')
		n--;
	return n;
}

int import_pem(struct batch *b, struct view text, bool last, size_t *used,
    struct err *e)
{
	size_t off = 0, end, stop;
	int rc = 0;

	if (!last)
		text.n = whole_lines(text);
	*used = text.n;
	while (rc == 0 && (off = next_dashes(text, off)) != (size_t)-1) {
		if (!starts(text, off, BEGIN)) {
			off += 5;
			continue;
		}
		end = next_dashes(text, off + 5);
		if (end == (size_t)-1 && !last) {
			*used = off; /* its end may follow */
			break;
		}
		if (end == (size_t)-1 || !starts(text, end, END)) {
			rc = batch_skip_as(b, "PEM block", "has no end", e);
			off += 5;
			continue;
		}
		stop = view_chr(text, '\n', end);
		stop = stop == (size_t)-1 ? text.n : stop + 1;
		rc = read_block(b, view_sub(text, off, stop - off), e);
		off = stop;
	}
	return rc;
}

bool import_base64(struct view text, struct buf *out)
{
	EVP_ENCODE_CTX *ctx;
	unsigned char *room;
	int in, n = 0, final = 0;
	bool ok = false;

	text = view_trim(text);
	if (text.n < 16 || ossl_len(text.n, &in, NULL) != 0)
		return false;
	room = buf_room(out, text.n);
	ctx = EVP_ENCODE_CTX_new();
	if (room != NULL && ctx != NULL) {
		EVP_DecodeInit(ctx);
		ok = EVP_DecodeUpdate(ctx, room, &n, text.p, in) >= 0 &&
		    EVP_DecodeFinal(ctx, room + n, &final) == 1;
	}
	EVP_ENCODE_CTX_free(ctx);
	ossl_clear();
	if (ok)
		out->n += (size_t)(n + final);
	return ok;
}
