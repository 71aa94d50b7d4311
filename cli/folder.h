/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A folder to be filled by init; see folder.c.
 */
#ifndef CLI_FOLDER_H
#define CLI_FOLDER_H

#include <limits.h>

struct folder {
	char path[PATH_MAX]; /* without links */
	int fd;		     /* -1: not open */
};

/*
 * Make dir, or open one that is there: refused (73, the reason said) when it
 * does not belong to root or us, or others may write in it; for root also
 * when somebody else could exchange a folder above it. f->fd is -1 before.
 */
int folder_make(struct folder *f, const char *dir);
void folder_close(struct folder *f);

#endif
