/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Files that a verb makes for people: one that must not be there yet, or
 * many in a folder. Opened before the keystore, because that gives up root,
 * and still written with the rights of whoever ran the command.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <sys/types.h>

#include "util/addr.h"

struct out_file {
	const char *path; /* borrowed */
	int fd;		  /* -1: not open */
	int helper;	  /* pipe to who can remove or rename it, or -1 */
	pid_t pid;	  /* of that one */
	struct buf temp;  /* its name until it is whole; empty: path */
};
#define OUT_FILE_INIT { .fd = -1, .helper = -1 }
/* Make a file that is not there. f: OUT_FILE_INIT. 0 or an exit code. */
int out_file_open(struct out_file *f, const char *path, mode_t mode);
/* The same for what takes the place of an older one, as a CRL does: path is
 * touched by out_file_place() only. */
int out_file_replace(struct out_file *f, const char *path, mode_t mode);
/* It is whole: under its name with it. 0 or an exit code. */
int out_file_place(struct out_file *f);
/* All of it to the disk. */
int out_file_write(struct out_file *f, struct view v);
/* Close; when nothing was written, the file goes again. */
void out_file_close(struct out_file *f, bool keep);

struct out_dir {
	const char *path; /* borrowed */
	int fd;		  /* of the folder, or -1 */
	int helper;	  /* socket to who writes for us, or -1 */
	pid_t pid;	  /* of that one */
};
#define OUT_DIR_INIT { .fd = -1, .helper = -1 }
/*
 * Make the folder with this mode, or take one that is there (A64: nobody else
 * may write in it). When we are root, a process of ours keeps that right for
 * the files. d: OUT_DIR_INIT. 0 or an exit code.
 */
int out_dir_open(struct out_dir *d, const char *path, mode_t mode);
/* A file there, whole or not at all; *there: it was there already and stays
 * as it is. FAIL_TEMP. */
int out_dir_put(struct out_dir *d, const char *name, mode_t mode,
    struct view content, bool *there, struct err *e) MUST_CHECK;
/* Octets of an open file. */
struct out_part {
	int fd;
	uint64_t off, size;
};
/* The same of them. */
int out_dir_put_part(struct out_dir *d, const char *name, mode_t mode,
    const struct out_part *part, bool *there, struct err *e) MUST_CHECK;
int out_dir_has(struct out_dir *d, const char *name, bool *there,
    struct err *e) MUST_CHECK;
/* What was written is on the disk. */
void out_dir_close(struct out_dir *d);

/*
 * A file name for an address (A48): lower-case, what is not plain escaped as
 * %XX, cut, and 16 hex digits of id, so that no two are the same even where
 * file names ignore case. end: ".csr".
 */
#define OUT_NAME 160
const char *out_name(char dst[OUT_NAME], const struct addr *a,
    const unsigned char id[32], const char *end);

#endif
