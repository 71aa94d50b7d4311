/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The pipeline without consequences: what it would decide about a message, or
 * about mail in general between these people. Nothing is sent, kept or
 * remembered.
 */
#ifndef CLI_DRY_H
#define CLI_DRY_H

#include "cli/cli.h"
#include "fetch/find.h"
#include "gateway/gateway.h"

struct dry {
	struct cli *c;
	struct rules *rules;
	struct finder *finder;	/* NULL: no directories */
	struct envelope env;	/* all but id, time, and what is possible */
	size_t visible;		/* of env.rcpt: so many stand in To */
	struct spool *msg;	/* dry_read(); owned */
	char id[20];
};

/* The caller's own file ("-": standard input), before root is given up. 0 or
 * an exit code. */
int dry_read(struct dry *d, const char *path);
/* With d->msg: all of it, as the milter would, with keys. After
 * cli_keystore(). */
int dry_run(struct dry *d, struct verdict *v);
/* Without: who would share a copy of an ordinary message. */
int dry_plan(struct dry *d, const struct addr *from, struct verdict *v);
void dry_free(struct dry *d);

#endif
