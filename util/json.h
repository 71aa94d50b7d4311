/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * JSON writer (RFC 8259): output is always valid, strings are escaped,
 * octets that are no UTF-8 become U+FFFD. Commas are its own business.
 */
#ifndef UTIL_JSON_H
#define UTIL_JSON_H

#include "util/buf.h"

struct json {
	struct buf *out; /* borrowed */
	bool comma;
	int depth;
};

void json_init(struct json *j, struct buf *out);
/* key is NULL inside arrays and at the top. */
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end_object(struct json *j);
void json_end_array(struct json *j);
void json_str(struct json *j, const char *key, const char *s); /* NULL: null */
void json_view(struct json *j, const char *key, struct view v);
void json_int(struct json *j, const char *key, int64_t x);
void json_bool(struct json *j, const char *key, bool x);
void json_null(struct json *j, const char *key);
/* A finished JSON value as is. */
void json_raw(struct json *j, const char *key, struct view v);

#endif
