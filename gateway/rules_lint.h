/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What is allowed in a rules file, and hardly meant. Reads rules that were
 * checked; changes nothing.
 */
#ifndef GATEWAY_RULES_LINT_H
#define GATEWAY_RULES_LINT_H

#include "gateway/rules.h"

struct rules_remark {
	const char *kind; /* a word for programs, such as "never-matches" */
	const char *file;
	int line;
	int other; /* line that has to do with it, or 0 */
	const char *text; /* a sentence without its dot; borrowed */
};
typedef void rules_say(void *arg, const struct rules_remark *x);

/*
 * Say what was found, in no order. c NULL: what needs to know the local
 * domains is left out. FAIL_TEMP.
 */
int rules_lint(const struct rules *r, const struct config *c, rules_say *say,
    void *arg, struct err *e) MUST_CHECK;

#endif
