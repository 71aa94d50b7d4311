/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Points in time as people and mail programs write them, to seconds UTC and
 * back.
 * Those of certificates and CMS are util/der.h's.
 */
#ifndef UTIL_WHEN_H
#define UTIL_WHEN_H

#include <stdint.h>

#include "util/buf.h"

/* "2026-11-21T10:00:00Z", "2026-11-21T11:00:00+01:00" (RFC 3339 5.6, in
 * capitals, without fractions). -1: it is none; *out unchanged. */
int when_rfc3339(const char *s, int64_t *out) MUST_CHECK;

/* The value of a Date field (RFC 5322 3.3; of the obsolete forms only the
 * zones UT, GMT and Z). -1: it is none; *out unchanged. */
int when_rfc5322(struct view raw_value, int64_t *out) MUST_CHECK;

/* "2026-11-21" and "2026-11-21T10:15:00Z"; dst of WHEN_SIZE octets, returned.
 * "?" for what no calendar has. */
#define WHEN_SIZE 32
const char *when_date(char *dst, int64_t t);
const char *when_timestamp(char *dst, int64_t t);
/* "Sat, 21 Nov 2026 10:15:00 +0000" (RFC 5322 3.3). */
const char *when_mail(char *dst, int64_t t);

#endif
