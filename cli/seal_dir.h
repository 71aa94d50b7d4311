/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What postseal seal and open make for each group of recipients, as files of
 * a folder: group-N.eml and group-N.rcpt, held.p7m and held.rcpt.
 */
#ifndef CLI_SEAL_DIR_H
#define CLI_SEAL_DIR_H

#include "cli/out.h"
#include "gateway/verdict.h"

/* A new folder, or an empty one of ours that nobody else can read. d:
 * OUT_DIR_INIT. 0 or an exit code. */
int seal_dir_open(struct out_dir *d, const char *path);
/* Everybody's message, with CRLF or LF. 0 or an exit code. */
int seal_dir_write(struct out_dir *d, const struct verdict *v,
    const struct spool *msg, bool has_crlf);
/* verdict.json. */
int seal_dir_verdict(struct out_dir *d, struct view json);

#endif
