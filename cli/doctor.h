/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal doctor: what is set up dangerously. One finding is one row: what,
 * where, why, and the line that mends it. The files doctor_*.c look, each at
 * one thing; none changes anything.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "cli/cli.h"

enum doctor_level { DOCTOR_DANGER, DOCTOR_WARNING, DOCTOR_HINT, DOCTOR_OK };

struct doctor_row {
	enum doctor_level level;
	char *check; /* a name that stays: "default-action" */
	char *where; /* file, service, parameter */
	char *why;   /* one sentence */
	char *fix;   /* the exact line, or what to run; "" none */
};

struct doctor {
	const struct config *config;
	struct doctor_row *row; /* owned */
	size_t rows, size;
	bool no_memory;
};

/* Add a finding; the strings are copied. */
void doctor_add(struct doctor *d, const struct doctor_row *row);
/* The same in one line. */
#define doctor_say(d, l, c, w, y, f)                                      \
	doctor_add((d), &(const struct doctor_row){(l),                   \
	    (char *)(uintptr_t)(c), (char *)(uintptr_t)(w),               \
	    (char *)(uintptr_t)(y), (char *)(uintptr_t)(f)})
void doctor_free(struct doctor *d);
const char *doctor_level_str(enum doctor_level l);

/* Is it a milter that signs or verifies DKIM, by its name or address? */
bool doctor_is_dkim(const char *text);
/* Is a socket of the MTA's ("unix:/p", "local:/p", "inet:...") the same as
 * our listen? chroot: folder that a relative or chrooted path is under, or
 * NULL. */
bool doctor_is_ours(const struct config *c, const char *endpoint,
    const char *chroot);
/* The path of a unix socket, or NULL. */
const char *doctor_unix_path(const char *endpoint);
/* "127.0.0.1", "[::1]", "localhost", "127.9.9.9". */
bool doctor_is_loopback(struct view host);
/* The port of "ADDRESS:PORT" or "PORT", or 0. */
int doctor_port(const char *host_port);

/* ---- doctor_postfix.c ---- */

struct postconf;
void doctor_postfix(struct doctor *d, const struct postconf *p);

/* ---- doctor_sendmail.c ---- */

/* text: a whole sendmail.cf; name: its path. */
void doctor_sendmail(struct doctor *d, const char *name, struct view text);

/* ---- doctor_own.c ---- */

/* Files, modes, sockets: while we may still see all of them. */
void doctor_files(struct doctor *d);
/* Does somebody answer at a unix socket, or may we not know? */
bool doctor_answers(const char *path);
/* What the keystore holds. */
void doctor_keystore(struct doctor *d, struct keystore *ks, int64_t now);

/* ---- doctor_relay.c ---- */

/* The block relay { }, where there is one; as root, before rights go. */
void doctor_relay(struct doctor *d, int64_t now);

/* ---- doctor_handing.c ---- */

/* What of Postfix matters where there is no milter. */
void doctor_relay_postfix(struct doctor *d, const struct postconf *p);

#endif
