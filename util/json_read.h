/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * JSON reader (RFC 8259) for texts that are held in memory: a flat tree whose
 * nodes borrow from the text. Strict, without recursion, capped in depth and
 * nodes. A tree may be used again for the next text, and keeps its memory.
 */
#ifndef UTIL_JSON_READ_H
#define UTIL_JSON_READ_H

#include "util/buf.h"

enum json_kind {
	JSON_OBJECT,
	JSON_ARRAY,
	JSON_STRING,
	JSON_NUMBER,
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL
};

struct json_node {
	enum json_kind kind;
	struct view key;  /* between the quotes, escapes and all; or empty */
	struct view text; /* of strings and numbers, likewise */
	uint32_t next;	  /* index of the next in the same container; 0 none */
	uint32_t first;	  /* of a container's first; 0 none */
};

struct json_tree {
	struct json_node *node; /* owned; node[0] is the whole */
	size_t n, size;
};

#define JSON_DEPTH 32
#define JSON_NODES (1u << 20)

/*
 * Read one text into t, which is zeroed before its first use. text must live
 * as long as the tree is looked at. FAIL_INPUT (offset and what is wrong),
 * FAIL_LIMIT, FAIL_TEMP; t is empty then.
 */
int json_read(struct json_tree *t, struct view text, struct err *e)
    MUST_CHECK;
void json_tree_free(struct json_tree *t);

/* The member of an object, or NULL: x is NULL or no object, or it has none.
 * Keys with escapes are never found. Of equal ones the first. */
const struct json_node *json_get(const struct json_tree *t,
    const struct json_node *x, const char *key);
/* To walk a container: NULL at the end. */
const struct json_node *json_first(const struct json_tree *t,
    const struct json_node *x);
const struct json_node *json_next(const struct json_tree *t,
    const struct json_node *x);
bool json_is(const struct json_node *x, enum json_kind kind);

/* The string itself, escapes undone, NUL as U+FFFD, cut at a character to
 * what fits; "" when x is no string. Returns dst. */
const char *json_text(const struct json_node *x, char *dst, size_t size);
/* A whole number; otherwise this. */
int64_t json_number(const struct json_node *x, int64_t otherwise);

#endif
