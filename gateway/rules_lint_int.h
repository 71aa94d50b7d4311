/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Shared by the files that look for what is hardly meant in rules.
 */
#ifndef GATEWAY_RULES_LINT_INT_H
#define GATEWAY_RULES_LINT_INT_H

#include "gateway/rules_int.h"
#include "gateway/rules_lint.h"

struct lint {
	const struct rules *r;
	const struct config *c; /* or NULL */
	rules_say *say;
	void *arg;
};

/* about: its file and line; other: 0, or a line; then as for printf. */
#define lint_say(l, kind, about, other, ...)                              \
	do {                                                              \
		struct buf text_;                                         \
		buf_init(&text_, 65536);                                  \
		buf_printf(&text_, __VA_ARGS__);                          \
		lint_put(l, kind, about, other, &text_);                  \
	} while (0)
/* Takes what is in text. */
void lint_put(const struct lint *l, const char *kind,
    const struct rule_ref *about, int other, struct buf *text);
/* "a@b", "@b", "@*.b" */
const char *lint_who(const struct who *w, char *dst, size_t size);

/* Lines that an earlier one leaves nothing, or takes somebody from. */
void lint_order(const struct lint *l);

#endif
