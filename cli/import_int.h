/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the files of an import share: the list of what is read, the passwords
 * that were given for it, and the report.
 */
#ifndef CLI_IMPORT_INT_H
#define CLI_IMPORT_INT_H

#include <sys/types.h>

#include "cli/import.h"
#include "util/json.h"

/* ---- import_files.c ---- */

#define IMPORT_FILES 1000000
#define IMPORT_DEPTH 16 /* folders within folders */

struct source {
	char *name;
	char *shown;	/* the same without controls; may be name itself */
	int fd;		/* opened while we were root; -1: when needed */
	size_t folder;	/* octets of name that were named, the rest was found
			 * below, so never through a link; 0: all */
};

struct files {
	struct source *v; /* owned */
	size_t n;
	size_t failed; /* folders and names that could not be read */
	pid_t opener;  /* a child that is root still, or 0 */
	int sock;      /* to it, or -1 */
};

/* All files of these names and folders, by name; those that cannot be read
 * are said. Root's are opened now. An exit code. */
int files_collect(struct files *f, const struct cli_list *path);
/* The file's descriptor, at its start, closed by the caller; -1: FAIL_INPUT.
 * *size 0: not known. */
int files_open(struct files *f, struct source *s, uint64_t *size,
    struct err *e) MUST_CHECK;
void files_free(struct files *f);

/* ---- import_passwords.c ---- */

struct pass_line {
	const char *who; /* file name or address */
	const char *password;
	size_t number;
	bool used;
};

struct pass_list {
	struct buf text; /* secret; the lines point into it */
	struct pass_line *v; /* owned, by who */
	size_t n;
};

void passwords_init(struct pass_list *l);
void passwords_free(struct pass_list *l);
/* The file as postseal(1) says, under the rules for secret files. An exit
 * code. */
int passwords_read(struct pass_list *l, const char *file);
/* For a file: the line with its path, its name, or its name without what is
 * behind the last dot (*by_stem). NULL: no line. */
struct pass_line *passwords_find(struct pass_list *l, const char *name,
    bool *by_stem);

/* ---- import_report.c ---- */

struct sums {
	size_t added, known, keys, skipped;
};

struct report {
	const struct import_job *job;
	const struct files *files;
	struct sums sum;
	struct buf lines;   /* said when it is true: after the commit */
	struct buf skipped; /* JSON */
	struct json json;
	size_t objects;
	size_t done; /* files */
	uint64_t size, pos; /* of the file at hand */
	int64_t began, last; /* milliseconds */
	bool show;	/* a line for each object */
	bool progress;
};

/* To come back to when a file is begun anew. */
struct report_mark {
	struct sums sum;
	size_t lines_n, skipped_n, objects;
	bool comma;
};

void report_init(struct report *r, const struct import_job *job,
    const struct files *files);
void report_free(struct report *r);
void report_progress(struct report *r, bool end);
/* One that was taken. */
void report_item(struct report *r, const char *file,
    const struct import_item *it);
/* One that was not, or (it NULL) a whole file. */
void report_skipped(struct report *r, const char *file,
    const struct import_item *it, const char *why);
struct report_mark report_mark(const struct report *r);
/* What was taken since then was taken back; what was skipped stays. */
void report_untake(struct report *r, const struct report_mark *m);
void report_back(struct report *r, const struct report_mark *m);
/* Everything is stored (or taken back, stored false): say what it was. An
 * exit code. */
int report_end(struct report *r, bool stored);

#endif
