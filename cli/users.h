/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A whole company in one file: address and name, a line each. All of it is
 * checked before anything is made.
 */
#ifndef CLI_USERS_H
#define CLI_USERS_H

#include "cli/cli.h"

struct user {
	struct addr email;
	size_t name; /* offset in the names */
	size_t line; /* of the file; 0: of no file */
};
struct users {
	struct user *v; /* owned */
	size_t n;
	struct buf names; /* owned; each with its NUL */
};

/*
 * Read a CSV file (RFC 4180: "address,name", a line of headings or not).
 * Every mistake is printed with its line: what is no address, a name that no
 * certificate can carry, an address that stands twice, one of a domain that
 * is not local unless foreign ones are welcome. After cli_config(), before
 * root is given up. u is zero before; free it always. 0, or EX_DATAERR.
 */
int users_read(struct cli *c, const char *file, bool foreign,
    struct users *u);
/* One user, by --email and --name; checked the same way. */
int users_one(struct cli *c, const char *email, const char *name,
    bool foreign, struct users *u);
/* Every local address that certificates of the store name. After
 * cli_keystore(). */
int users_local(struct cli *c, struct users *u);
const char *users_name(const struct users *u, const struct user *one);
void users_free(struct users *u);

/*
 * Has the address a certificate with its key here that is in use for this
 * (KS_SIGN | KS_ENCRYPT: both) for more than thirty days to come? *ends: when
 * the first of them ends, or 0: no. own_ca: only those of the CA here.
 */
int users_certified(struct cli *c, const struct addr *a, unsigned use,
    bool own_ca, int64_t *ends, struct err *e) MUST_CHECK;

/* "12 of 300 keys" on the terminal, once a second and at the end. */
struct progress {
	const char *what; /* "keys" */
	size_t of;
	int64_t last;
};
void progress_show(struct progress *p, size_t done);

/* both, sign or encrypt; NULL: both. 0, or EX_USAGE with the reason. */
int users_use(struct cli *c, const char *text, unsigned *use);

#endif
