/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * How often wrong passwords came from where, so that guessing becomes slow
 * and then impossible: for each client's /32 or /64. Bounded; any thread; the
 * time is given (milliseconds of a clock that never goes back).
 */
#ifndef RELAY_AUTH_GUARD_H
#define RELAY_AUTH_GUARD_H

#include "util/buf.h"

#define GUARD_FAILURES 10	/* different guesses, then nothing is tried */
#define GUARD_WINDOW_MS 600000	/* without a guess: forgotten */
#define GUARD_DELAY_MS 1000	/* after the first; doubles */
#define GUARD_DELAY_MAX_MS 16000
#define GUARD_AT_ONCE 10	/* being tried, where nothing was wrong yet */
#define GUARD_AT_ONCE_BAD 4	/* elsewhere: wrong ones hold up Dovecot */
#define GUARD_PREFIXES 8192	/* known; then the least suspicious goes */

enum guard_verdict {
	GUARD_TRY,	 /* guard_done() must follow */
	GUARD_BUSY,	 /* too many at once from there */
	GUARD_THROTTLED	 /* too many were wrong */
};

struct guard;
/* FAIL_TEMP. */
int guard_new(struct guard **out, struct err *e) MUST_CHECK;
void guard_free(struct guard **g);

/* Would it be tried? ip as text; what is none ("unix") is one place. */
enum guard_verdict guard_look(struct guard *g, const char *ip, int64_t now);
enum guard_verdict guard_begin(struct guard *g, const char *ip, int64_t now);
/*
 * It was tried. what: login and password, or what else tells two guesses
 * apart; the same wrong one again counts once, as it does in a telephone with
 * yesterday's password. A right one clears nothing: it says nothing about
 * guesses at other logins. Returns how long the answer must wait.
 */
int64_t guard_done(struct guard *g, const char *ip, bool is_right,
    struct view what, int64_t now);
/* Once a minute for each place: is this throttling worth a line? */
bool guard_is_news(struct guard *g, const char *ip, int64_t now);

#endif
