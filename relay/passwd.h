/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Password files: a line "LOGIN:YESCRYPT-HASH:SCRAM-SHA-256 VERIFIER" for
 * each login, "#" comments, empty lines. The verifier may be missing, the
 * colon before it may not. One bad line and the whole file is refused.
 * passwd_make() is in relay/auth.h.
 */
#ifndef RELAY_PASSWD_H
#define RELAY_PASSWD_H

#include "relay/scram.h"

#define PASSWD_FILE (16u << 20) /* octets of a file; beyond: refused */
#define PASSWD_LOGIN 256	/* octets of a login, with NUL */
#define PASSWD_HASH 256		/* of a hash, with NUL */
#define PASSWD_PASSWORD 255	/* octets of a password; beyond: it is wrong */
#define PASSWD_SHORTEST 12	/* characters of a new one */

/* ---- lines ---- */

struct passwd_line {
	struct view login, hash;
	struct scram_verifier verifier;
	bool has_verifier;
};

/* 0, or -1 FAIL_INPUT. line: without its newline, no comment. */
int passwd_parse_line(struct passwd_line *out, struct view line,
    struct err *e) MUST_CHECK;
/* Is it a login that may stand in a file: UTF-8, no colon, no blank at the
 * ends, no control, not "#..."? FAIL_INPUT. */
int passwd_check_login(struct view login, struct err *e) MUST_CHECK;
/* The next line of a file that is no comment; false at the end. *number is
 * its number, and begins with 0. */
bool passwd_next(struct view *text, struct view *line, size_t *number);
/* Why a password is weak: FAIL_POLICY. */
int passwd_check_strength(const char *login, struct view password,
    struct err *e) MUST_CHECK;

/* ---- a file in use; any thread ---- */

struct passwd;
/* seed: see scram_mock(). FAIL_CONFIG. */
int passwd_open(struct passwd **out, const char *path,
    const unsigned char seed[32], struct err *e) MUST_CHECK;
void passwd_free(struct passwd **p);
/* Read it again if it is another one now; what cannot be read, or is wrong,
 * changes nothing, and is logged once. */
void passwd_refresh(struct passwd *p);
/* Is it the password of login? As much work when there is no such login.
 * -1 FAIL_TEMP: cannot be said. */
int passwd_verify(struct passwd *p, const char *login, struct view password,
    bool *is_right, struct err *e) MUST_CHECK;
/* The verifier of login, or one that nobody can meet. FAIL_TEMP. */
int passwd_verifier(struct passwd *p, const char *login,
    struct scram_verifier *out, struct err *e) MUST_CHECK;

#endif
