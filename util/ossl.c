/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The error queue of libcrypto, digests, random octets, hex, and all that
 * depends on its version. Certificates are in util/cert.c.
 */
#include "util/ossl.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include "util/log.h"

#define REASONS 3 /* of the queue, enough to see the cause */

static const char *reason_text(unsigned long code)
{
	const char *s;

	if (ERR_SYSTEM_ERROR(code))
		return strerror((int)ERR_GET_REASON(code));
	s = ERR_reason_error_string(code);
	return s == NULL ? "unknown reason" : s;
}

/* ---- memory ---- */

static void *note(void *p, size_t n)
{
	if (p == NULL && n != 0)
		memory_note_lack();
	return p;
}

static void *get_memory(size_t n, const char *file UNUSED, int line UNUSED)
{
	return note(malloc(n), n);
}

static void *change_memory(void *p, size_t n, const char *file UNUSED,
    int line UNUSED)
{
	if (n == 0) { /* as CRYPTO_realloc() has it */
		free(p);
		return NULL;
	}
	return note(realloc(p, n), n);
}

static void give_memory(void *p, const char *file UNUSED, int line UNUSED)
{
	free(p);
}

int ossl_start(struct err *e)
{
	/* only as long as nothing was allocated: tests may have */
	(void)CRYPTO_set_mem_functions(get_memory, change_memory,
	    give_memory);
	if (OPENSSL_init_crypto(0, NULL) == 1 &&
	    OSSL_LIB_CTX_get0_global_default() != NULL)
		return 0;
	return err_set(e, FAIL_TEMP, "libcrypto does not start: out of "
	    "memory");
}

int err_ossl(struct err *e, enum fail kind, const char *fmt, ...)
{
	char text[sizeof(e->msg)];
	unsigned long code, last = 0;
	struct buf b;
	va_list ap;
	int shown = 0;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	buf_init(&b, sizeof(text));
	while ((code = ERR_get_error()) != 0) {
		if (code == last || shown == REASONS)
			continue;
		buf_printf(&b, "%s%s", shown == 0 ? ": " : ", ",
		    reason_text(code));
		last = code;
		shown++;
	}
	(void)err_set(e, kind, "%s%s", text, buf_str(&b));
	buf_free(&b);
	return -1;
}

void ossl_clear(void)
{
	ERR_clear_error();
}

static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void fetch_sha256(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

void ossl_sha256(const void *p, size_t n, unsigned char out[32])
{
	/* fetched once: on 3.0 a look-up by name costs more than the hash */
	(void)pthread_once(&sha256_once, fetch_sha256);
	if (sha256 == NULL ||
	    EVP_Digest(p, n, out, NULL, sha256, NULL) != 1)
		log_fatal("libcrypto has no SHA-256");
}

void ossl_random(void *p, size_t n)
{
	unsigned char *to = p;
	ssize_t k;

	/* Not RAND_bytes: it seeds a generator for each new thread, and the
	 * front has one for each connection. */
	while (n > 0) {
		k = getrandom(to, n, 0);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			log_fatal("the system has no random octets");
		to += k;
		n -= (size_t)k;
	}
}

void ossl_wipe(void *p, size_t n)
{
	if (p != NULL && n > 0)
		OPENSSL_cleanse(p, n);
}

bool ossl_same(const void *a, const void *b, size_t n)
{
	return n == 0 || CRYPTO_memcmp(a, b, n) == 0;
}

int ossl_len(size_t n, int *out, struct err *e)
{
	if (n > INT_MAX)
		return err_set(e, FAIL_LIMIT, "%zu octets at once, libcrypto "
		    "takes %d", n, INT_MAX);
	*out = (int)n;
	return 0;
}

/* Never unloaded: keys and ciphers made with it may live as long as the
 * process. */
static OSSL_LIB_CTX *old_algorithms;
static pthread_once_t old_once = PTHREAD_ONCE_INIT;

static void load_old_algorithms(void)
{
	OSSL_LIB_CTX *lib = OSSL_LIB_CTX_new();
	OSSL_PROVIDER *basic = NULL, *old = NULL;

	if (lib == NULL)
		return;
	basic = OSSL_PROVIDER_load(lib, "default");
	if (basic != NULL)
		old = OSSL_PROVIDER_load(lib, "legacy");
	if (old != NULL) {
		old_algorithms = lib;
		return;
	}
	if (basic != NULL)
		(void)OSSL_PROVIDER_unload(basic);
	OSSL_LIB_CTX_free(lib);
}

int ossl_legacy_load(struct err *e)
{
	(void)pthread_once(&old_once, load_old_algorithms);
	ERR_clear_error();
	if (old_algorithms != NULL)
		return 0;
	return err_set(e, FAIL_CONFIG, "OpenSSL's legacy provider (RC2, DES) "
	    "does not load; since Debian 13 it is in the package "
	    "openssl-provider-legacy");
}

OSSL_LIB_CTX *ossl_legacy(void)
{
	return old_algorithms;
}

const char *ossl_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION_STRING);
}

const char *ossl_version_warning(void)
{
	return ossl_version_judge(OPENSSL_version_major(),
	    OPENSSL_version_minor(), OPENSSL_version_patch());
}

const char *ossl_version_judge(unsigned major, unsigned minor, unsigned patch)
{
	/* the first release of each line with the fixes that we rely on */
	static const unsigned fixed[][3] = {
		{ 3, 0, 22 }, { 3, 5, 7 }, { 3, 6, 3 }, { 4, 0, 2 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(fixed); i++)
		if (major == fixed[i][0] && minor == fixed[i][1])
			return patch >= fixed[i][2] ? NULL :
			    "this OpenSSL may lack CMS security fixes of "
			    "2025 and 2026 (3.0.22, 3.5.7, 3.6.3, 4.0.2), "
			    "unless the distributor has back-ported them";
	if (major > 4 || (major == 4 && minor > 0))
		return NULL;
	return "this OpenSSL is of a line that gets no CMS security fixes "
	    "from its authors; 3.0.22, 3.5.7, 3.6.3 or 4.0.2 is wanted";
}

bool ossl_has_pbmac1(void)
{
	return OPENSSL_version_major() > 3 || OPENSSL_version_minor() >= 4;
}

char *hex_encode(char *dst, const void *p, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	const unsigned char *s = p;
	size_t i;

	for (i = 0; i < n; i++) {
		dst[2 * i] = digit[s[i] >> 4];
		dst[2 * i + 1] = digit[s[i] & 15];
	}
	dst[2 * n] = '\0';
	return dst;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(void *dst, size_t n, const char *text)
{
	unsigned char *to = dst;
	size_t i;
	int hi, lo;

	if (strlen(text) != 2 * n)
		return -1;
	for (i = 0; i < n; i++) {
		hi = hex_value(text[2 * i]);
		lo = hex_value(text[2 * i + 1]);
		if (hi < 0 || lo < 0)
			return -1;
		to[i] = (unsigned char)(hi << 4 | lo);
	}
	return 0;
}

size_t hex_fingerprint(void *dst, size_t size, struct view text)
{
	unsigned char *to = dst;
	size_t digits = 0, i;

	for (i = 0; i < text.n; i++) {
		int v = hex_value((char)text.p[i]);

		if (text.p[i] == ':')
			continue;
		if (v < 0 || digits == 2 * size)
			return 0;
		if (digits % 2 == 0)
			to[digits / 2] = (unsigned char)(v << 4);
		else
			to[digits / 2] |= (unsigned char)v;
		digits++;
	}
	return digits % 2 == 0 ? digits / 2 : 0;
}
