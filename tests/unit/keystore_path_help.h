/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Paths asked for in a store that trusts one root, for the tests of them.
 * For inclusion by one test program at a time.
 */
#ifndef TESTS_UNIT_KEYSTORE_PATH_HELP_H
#define TESTS_UNIT_KEYSTORE_PATH_HELP_H

#include "tests/unit/keystore_util.h"

#define MAIL .san = "email:alice@example.com"

static struct made root, other;

/* A store with the root as anchor. */
static UNUSED struct keystore *trusting(struct place *p)
{
	struct keystore *ks = store_make(p);

	add_anchor(ks, &root);
	return ks;
}

/* "" when the path is good, else the reason. */
static UNUSED const char *try_path(struct keystore *ks, const struct made *leaf,
    struct cert *const *extra, size_t n, int64_t at)
{
	static char text[200];
	struct path p;

	must(keystore_path(ks, leaf->cert, extra, n, at, &p, e));
	assert_int_equal(p.ok, p.reason[0] == '\0');
	snprintf(text, sizeof(text), "%s", p.reason);
	path_free(&p);
	return text;
}

static UNUSED void expect(struct keystore *ks, const struct made *leaf,
    struct cert *const *extra, size_t n, const char *want)
{
	const char *got = try_path(ks, leaf, extra, n, NOW);

	if (want[0] == '\0' ? got[0] != '\0' : strstr(got, want) == NULL)
		fail_msg("got \"%s\", want \"%s\"", got, want);
}

#endif
