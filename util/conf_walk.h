/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What who reads configuration needs: a table of statements, and the usual
 * kinds of value, checked and copied; faults are reported at the word.
 */
#ifndef UTIL_CONF_WALK_H
#define UTIL_CONF_WALK_H

#include "util/conf.h"

struct conf_key {
	const char *word;
	size_t min, max;      /* values after the word; max 0: no ceiling */
	const char *expected; /* the values in words, for messages */
	bool block;	      /* has { } */
	bool many;	      /* may be repeated */
	bool required;
	/* arg is of conf_table; NULL: conf_table.set is called */
	void (*set)(void *arg, const struct conf_stmt *st,
	    struct conf_errors *ce);
};

#define CONF_KEYS_MAX 48

struct conf_table {
	const struct conf_key *key;
	size_t keys;
	const char *path; /* of the file, for what is missing in it */
	int line;	  /* of the block; 1: the file itself */
	/* for keys without a setter of their own; i: which */
	void (*set)(void *arg, size_t i, const struct conf_stmt *st,
	    struct conf_errors *ce);
	void *arg;
};
/* Check every statement against the table and call its setter. */
void conf_walk(const struct conf_table *t, const struct conf_stmt *st,
    size_t n, struct conf_errors *ce);

/* Copy of the word w into *out. */
void conf_string(char **out, const struct conf_stmt *st, size_t w,
    struct conf_errors *ce);
/* The same for a path; a relative one is relative to the file's folder. */
void conf_path(char **out, const struct conf_stmt *st, size_t w,
    struct conf_errors *ce);
/* Whole number in [min, max]. */
void conf_number(int *out, const struct conf_stmt *st, size_t w, int min,
    int max, struct conf_errors *ce);
/* "host:port"; reports and gives -1 when it is not. */
int conf_host_port(const struct conf_stmt *st, size_t w,
    struct conf_errors *ce);
/* Its value, yes or no. */
void conf_yes_no(bool *out, const struct conf_stmt *st,
    struct conf_errors *ce);
/* A mode of a socket, octal as chmod(1) has it. */
void conf_mode(int *out, const struct conf_stmt *st, size_t w,
    struct conf_errors *ce);
/* One more element in an array of elements of this size, zeroed; NULL
 * (reported) when memory is out. */
void *conf_grow(void **array, size_t *n, size_t size,
    const struct conf_stmt *st, struct conf_errors *ce);

#endif
