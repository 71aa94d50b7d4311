/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The one error object: on the caller's stack, no allocation, no
 * thread-local state. Who finds a fault words it; who decides what happens
 * to the message logs it, once.
 */
#ifndef UTIL_ERR_H
#define UTIL_ERR_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

enum fail {
	FAIL_INPUT = 1, /* what we were given is wrong; will not change */
	FAIL_POLICY,	/* well-formed, but not allowed */
	FAIL_LIMIT,	/* beyond a cap of util/caps.h */
	FAIL_TEMP,	/* may work later: service away, memory, disk */
	FAIL_CONFIG,	/* configuration or rules */
	FAIL_BUG	/* ours */
};

struct err {
	enum fail kind; /* 0 while nothing failed */
	char msg[512];	/* no final dot, no newline, no secrets */
};

/*
 * Set kind and text. Always returns -1, so that a failing site is one
 * line: return err_set(e, FAIL_INPUT, "RFC 8551 3.5.3: ...").
 * e may be NULL (the caller does not care why).
 */
int err_set(struct err *e, enum fail kind, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Put context in front of the text ("context: old text"); always -1. */
int err_add(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Set from errno: "text: strerror". Always -1. */
int err_sys(struct err *e, enum fail kind, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Is it no fault of what we were given (memory, disk, a bug)? Then it says
 * nothing about a message. */
bool err_is_ours(const struct err *e);

/* Forget an error that was dealt with. */
void err_clear(struct err *e);

/*
 * Untrusted octets for an error or log text: printable ASCII stays, the rest
 * becomes \xNN, quotes and backslashes are escaped, cut at 80 octets with
 * "...". The result is in dst, NUL-terminated, at most dst_size octets.
 * Returns dst.
 */
const char *err_quote(char *dst, size_t dst_size, const void *p, size_t n);

#define ERR_QUOTED 340 /* room that err_quote never needs more than */

#endif
