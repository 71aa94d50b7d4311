/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates and private keys of TLS out of PEM files.
 */
#include "relay/tls_pem.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "util/ossl.h"
#include "util/proc.h"

#define FILE_MAX (1u << 20)

/* In place of the prompt that libcrypto would show. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static bool has_text(const struct buf *b, const char *text)
{
	return b->n > 0 && memmem(b->p, b->n, text, strlen(text)) != NULL;
}

static int read_chain(STACK_OF(X509) *chain, const struct buf *b,
    const char *path, struct err *e)
{
	BIO *in = BIO_new_mem_buf(b->p, (int)b->n);
	X509 *x = NULL;
	int rc = -1;

	ossl_clear();
	while (in != NULL && sk_X509_num(chain) <= TLS_PEM_CHAIN) {
		x = PEM_read_bio_X509(in, NULL, no_password, NULL);
		if (x == NULL || sk_X509_push(chain, x) <= 0)
			break;
		x = NULL;
	}
	if (in == NULL || x != NULL)
		(void)err_ossl(e, FAIL_TEMP, "%s", path);
	else if (sk_X509_num(chain) > TLS_PEM_CHAIN)
		(void)err_set(e, FAIL_CONFIG, "%s: more than %d certificates",
		    path, TLS_PEM_CHAIN);
	else if (ERR_GET_REASON(ERR_peek_last_error()) !=
	    PEM_R_NO_START_LINE)
		(void)err_ossl(e, FAIL_CONFIG, "%s: certificate %d", path,
		    sk_X509_num(chain) + 1);
	else if (sk_X509_num(chain) == 0)
		(void)err_set(e, FAIL_CONFIG, "%s: no certificate in PEM is "
		    "in it", path);
	else
		rc = 0;
	ossl_clear();
	X509_free(x);
	BIO_free(in);
	return rc;
}

int tls_pem_chain(STACK_OF(X509) **out, const char *path, struct err *e)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct buf b;
	int rc = -1;

	*out = NULL;
	buf_init(&b, FILE_MAX);
	if (chain == NULL)
		(void)err_set(e, FAIL_TEMP, "out of memory");
	else if (io_read_file(path, &b, e) != 0)
		(void)(e != NULL && (e->kind = FAIL_CONFIG));
	else if (has_text(&b, "PRIVATE KEY-----"))
		(void)err_set(e, FAIL_CONFIG, "%s: a private key is in it, "
		    "wanted certificates alone: who reads them must not read "
		    "keys", path);
	else
		rc = read_chain(chain, &b, path, e);
	buf_free(&b);
	if (rc == 0) {
		*out = chain;
		chain = NULL;
	}
	sk_X509_pop_free(chain, X509_free);
	return rc;
}

int tls_pem_key(EVP_PKEY **out, const char *path, struct err *e)
{
	BIO *in = NULL;
	struct buf b;
	int rc = -1;

	*out = NULL;
	buf_init_secret(&b, FILE_MAX);
	if (io_read_secret(path, &b, e) != 0)
		goto out;
	if (has_text(&b, "ENCRYPTED")) {
		(void)err_set(e, FAIL_CONFIG, "%s: it is encrypted, and nobody "
		    "is there to be asked for a password; wanted a key that is "
		    "not, in a file that only its owner reads", path);
		goto out;
	}
	ossl_clear();
	in = BIO_new_mem_buf(b.p, (int)b.n);
	if (in != NULL)
		*out = PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);
	if (*out == NULL)
		(void)err_ossl(e, FAIL_CONFIG, "%s: no private key in PEM",
		    path);
	else
		rc = 0;
out:
	BIO_free(in);
	buf_free(&b);
	return rc;
}

int tls_pem_spki(const EVP_PKEY *k, unsigned char out[32], struct err *e)
{
	unsigned char *der = NULL;
	int n;

	ossl_clear();
	n = i2d_PUBKEY(k, &der);
	if (n <= 0)
		return err_ossl(e, FAIL_TEMP, "public key");
	ossl_sha256(der, (size_t)n, out);
	OPENSSL_free(der);
	return 0;
}
