/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the files of smtp/tls_policy.h share.
 */
#ifndef SMTP_TLS_POLICY_INT_H
#define SMTP_TLS_POLICY_INT_H

#include "smtp/tls_policy.h"

/* What a line owns. */
void tls_rule_clear(struct tls_rule *r);
/* An address literal, with or without brackets, in the one form that lines
 * and next hops are compared in. -1: it is none. */
int tls_address_text(const char *host, char *dst, size_t size) MUST_CHECK;

/* One statement that is being read. */
struct tls_line {
	struct tls_rules *out;
	const struct conf_stmt *st;
	struct conf_errors *ce;
	size_t w;	      /* the next word */
	size_t level_at;      /* word of the level */
	size_t at[16];	      /* of attributes[], 0: not said */
	struct tls_rule rule; /* all but .to */
};

/* The next word, "" at the end. */
const char *tls_line_word(const struct tls_line *l);
/* Is word w this one? A keyword is never in quotes. */
bool tls_line_is(const struct tls_line *l, size_t w, const char *s);
/* Is word w the name of one that stands behind the level? */
bool tls_line_is_attribute(const struct tls_line *l, size_t w);
/* The words behind the level, and whether they agree. */
int tls_line_attributes(struct tls_line *l) MUST_CHECK;
/* Copy of s; -1: reported. */
int tls_line_text(struct tls_line *l, char **out, const char *s) MUST_CHECK;
int tls_line_no_memory(const struct tls_line *l);

#endif
