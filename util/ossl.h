/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What everyone needs of libcrypto: its error queue as text, digests and
 * random octets, and all differences between its versions. This and
 * util/cert.c are the only files of util/ that include <openssl/...>.
 */
#ifndef UTIL_OSSL_H
#define UTIL_OSSL_H

#include <stdint.h>

#include "util/buf.h"

typedef struct ossl_lib_ctx_st OSSL_LIB_CTX; /* as OpenSSL declares it */

/*
 * Once, first of all: without memory for its beginnings libcrypto would crash
 * later. FAIL_TEMP.
 */
int ossl_start(struct err *e) MUST_CHECK;
/* err_set plus the reasons in the error queue, which is emptied; -1. */
int err_ossl(struct err *e, enum fail kind, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Empty the queue before a call whose errors matter. */
void ossl_clear(void);

void ossl_sha256(const void *p, size_t n, unsigned char out[32]);
/* Octets of the system's CSPRNG; dies (log_fatal) when there are none. */
void ossl_random(void *p, size_t n);
void ossl_wipe(void *p, size_t n);
/* Constant-time: equal? */
bool ossl_same(const void *a, const void *b, size_t n);
/* size_t to int for libcrypto; -1 FAIL_LIMIT beyond INT_MAX. */
int ossl_len(size_t n, int *out, struct err *e) MUST_CHECK;

/*
 * A library context of its own with OpenSSL's old algorithms (RC2, DES)
 * beside the usual ones; the rest of the program never has them. Loading is
 * done once in a process, by dlopen: before its sandbox. Safe to repeat and
 * in threads. FAIL_CONFIG names the package that is missing.
 */
int ossl_legacy_load(struct err *e) MUST_CHECK;
/* Borrowed, never freed; NULL unless it was loaded. */
OSSL_LIB_CTX *ossl_legacy(void);

/* "3.0.22"; and a sentence when it is older than the fixes we rely on
 * (REQUIREMENTS F.2: 3.0.22, 3.5.7, 3.6.3, 4.0.2), else NULL. Debian
 * back-ports without changing the version, so it is a warning only. */
const char *ossl_version(void);
const char *ossl_version_warning(void);
/* The same of any version. */
const char *ossl_version_judge(unsigned major, unsigned minor,
    unsigned patch);
/* Does it check the MAC of PKCS#12 files that RFC 9579 brought (3.4)? */
bool ossl_has_pbmac1(void);

/* Lower-case hex; dst has 2n+1 octets. Returns dst. */
char *hex_encode(char *dst, const void *p, size_t n);
/* -1 unless text is exactly 2n hex digits. */
int hex_decode(void *dst, size_t n, const char *text) MUST_CHECK;
/* A fingerprint as people write it, with or without colons: its octets, at
 * most size. 0: something else is in it, half an octet, or more. */
size_t hex_fingerprint(void *dst, size_t size, struct view text);

#endif
