/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the verbs of postseal quarantine share: one held mail, opened.
 */
#ifndef CLI_QUARANTINE_H
#define CLI_QUARANTINE_H

#include "cli/cli.h"
#include "gateway/held.h"

/* What is known of one, and the message. */
struct held_copy {
	struct held_mail m; /* its strings are in memory */
	char **rcpt;	    /* owned */
	char *id, *sender, *login, *client, *reason; /* owned */
	struct spool *msg; /* after held_load(); owned */
};
/* 0 or an exit code, the reason printed. Free it also on failure. */
int held_find(struct cli *c, const char *id, struct held_copy *out);
/* Its message, opened with the secret. */
int held_load(struct cli *c, const struct keyring *ring,
    struct held_copy *h);
void held_copy_free(struct held_copy *h);
/* The keys that held mail is sealed for. After cli_keystore(). */
int held_ring(struct cli *c, struct keyring **out);

/*
 * It is over with it: its sender is told, and it is removed, together.
 * action for postseal audit.
 */
int held_finish(struct cli *c, const struct held_copy *h, bool is_released,
    const char *action);
/* A word typed on the terminal; without a terminal --yes is the only way. */
int held_confirm(const char *question, const char *word);

cli_function release_verb; /* release.c */

#endif
