/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Mail addresses: strict parsing into a type, and the comparison rules of
 * RFC 8550 3 and RFC 9598 5. What is odd or obsolete is refused, because two
 * parsers that differ are how identities get forged.
 */
#ifndef UTIL_ADDR_H
#define UTIL_ADDR_H

#include "util/buf.h"
#include "util/caps.h"

/*
 * An addr-spec. text is local@domain: the local part as written (quotes
 * only where RFC 5321 needs them), the domain in lower-case A-labels.
 */
struct addr {
	char text[CAP_ADDRESS * 2 + 2];
	size_t local_n; /* octets of the local part; domain at local_n + 1 */
	bool utf8;	/* local part has non-ASCII octets (SmtpUTF8) */
};

/*
 * Parse one addr-spec (RFC 5321 4.1.2 Mailbox; UTF-8 local parts of RFC
 * 6531; U-labels are converted): no comment, no blank, no route, no NUL, no
 * control. FAIL_INPUT.
 */
int addr_parse(struct addr *a, struct view raw, struct err *e) MUST_CHECK;

/* The same for an envelope path: <a@b> or a@b. "<>" gives an empty text. */
int addr_parse_path(struct addr *a, const char *raw_path, struct err *e)
    MUST_CHECK;

const char *addr_local(const struct addr *a, size_t *n);
const char *addr_domain(const struct addr *a);

enum addr_case {
	ADDR_EXACT,	/* local part octet for octet: authorisation */
	ADDR_FOLD_LOCAL /* ASCII case-insensitive; never for utf8 parts */
};
bool addr_eq(const struct addr *a, const struct addr *b, enum addr_case how);

/* Lower-case key for lookups: whole address, ASCII only folded. dst has
 * sizeof(((struct addr *)0)->text) octets. */
void addr_key(const struct addr *a, char *dst);

/* a without its +detail when delimiter is not 0. */
void addr_strip_detail(const struct addr *a, int delimiter, struct addr *out);

/*
 * A domain name to lower-case A-labels, no final dot. FAIL_INPUT for
 * anything that is no host-name-like domain. size >= 256.
 */
int addr_domain_parse(char *dst, size_t size, struct view raw, struct err *e)
    MUST_CHECK;

/* Addresses of a From, To, Cc or Reply-To field. */
struct addr_list {
	struct addr *a; /* owned */
	size_t n;
};
void addr_list_free(struct addr_list *l);

/*
 * Strict mailbox-list of RFC 5322 3.4 (display names, comments and quoted
 * strings are stepped over, never believed; encoded words are not decoded).
 * Groups, routes, obsolete forms, NUL, unbalanced quotes or blanks inside an
 * address: FAIL_INPUT, list empty. raw_value may be folded.
 */
int addr_list_parse(struct addr_list *l, struct view raw_value,
    struct err *e) MUST_CHECK;

/*
 * The lenient sister, for deciding only who is visible in To and Cc:
 * collects what it can, skips what it cannot. FAIL_TEMP only.
 */
int addr_list_collect(struct addr_list *l, struct view raw_value,
    struct err *e) MUST_CHECK;

#endif
