/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * HMAC and PBKDF2 with SHA-256.
 */
#include "relay/tls_scram.h"

#include <limits.h>

#include <openssl/evp.h>

#include "util/ossl.h"

int tls_scram_hmac(const void *key, size_t key_n, struct view text,
    unsigned char out[SCRAM_HASH], struct err *e)
{
	size_t n = 0;

	ossl_clear();
	if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, key_n,
	    text.p, text.n, out, SCRAM_HASH, &n) == NULL || n != SCRAM_HASH)
		return err_ossl(e, FAIL_TEMP, "HMAC-SHA-256");
	return 0;
}

int tls_scram_salted(struct view password, struct view salt,
    unsigned iterations, unsigned char out[SCRAM_HASH], struct err *e)
{
	int pn, sn;

	if (ossl_len(password.n, &pn, e) != 0 ||
	    ossl_len(salt.n, &sn, e) != 0)
		return -1;
	if (iterations == 0 || iterations > INT_MAX)
		return err_set(e, FAIL_BUG, "%u iterations", iterations);
	ossl_clear();
	if (PKCS5_PBKDF2_HMAC(pn == 0 ? "" : (const char *)password.p, pn,
	    salt.p, sn, (int)iterations, EVP_sha256(), SCRAM_HASH, out) != 1)
		return err_ossl(e, FAIL_TEMP, "PBKDF2");
	return 0;
}
