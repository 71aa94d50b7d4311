/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The statements of the keystore as text.
 */
#ifndef KEYSTORE_SQL_H
#define KEYSTORE_SQL_H

#include "keystore/keystore_int.h"

extern const char *const sql_schema;	/* version 1 */
extern const char *const sql_version_2; /* what version 2 adds */
extern const char *const sql_version_3;
extern const char *const sql_version_4;
extern const char *const sql_version_5;
extern const char *const sql_text[ST_N];

#endif
