/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What fuzz targets share: the calls that libFuzzer makes, the hooks that
 * driver.c adds for runs without it, numbers from a seed, spools from and to
 * memory. A broken promise aborts: that is how a fuzzer notices.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/spool.h"

#define FUZZ_SPOOL (64u << 20)
#define FUZZ_INPUT (1u << 20) /* longest input, octets */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/*
 * Optional. One mutant of what is in data, in place; at most room octets.
 * libFuzzer knows it, and driver.c does, too.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t room,
    unsigned seed);
/* libFuzzer's own mutation; the driver has a simple one. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t room);

/* Optional: the input number i of those that the target makes itself;
 * false when there are no more. */
bool fuzz_seed(size_t i, struct buf *out);
/* Optional: a folder of the test data of others with more inputs. */
const char *fuzz_testdata(void);
/* Optional: print counts as TAP remarks; false when they are bad. */
bool fuzz_report(void);
/* A finding of a target that goes on after it. Under libFuzzer, where
 * driver.c is not linked, this is NULL and the target has to abort. */
void fuzz_keep(const char *what) __attribute__((weak));

#define MUST(x)                                                           \
	do {                                                              \
		if (!(x)) {                                               \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__,  \
			    __LINE__, #x);                                \
			abort();                                          \
		}                                                         \
	} while (0)

/* xorshift64: good enough to hit octets, and everywhere the same. */
struct draw {
	uint64_t x; /* not 0 */
};

UNUSED static size_t draw(struct draw *d, size_t below)
{
	d->x ^= d->x << 13;
	d->x ^= d->x >> 7;
	d->x ^= d->x << 17;
	return below == 0 ? 0 : (size_t)((d->x >> 11) % below);
}

UNUSED static struct spool *fuzz_spool(struct view v)
{
	struct spool *s = NULL;
	struct err e;

	MUST(spool_new(&s, FUZZ_SPOOL, &e) == 0);
	MUST(spool_write(s, v.p, v.n, &e) == 0);
	return s;
}

/* All of s in place of what is in b. */
UNUSED static void fuzz_get(const struct spool *s, struct buf *b)
{
	struct sink to = sink_to_buf(b);
	struct err e;

	buf_clear(b);
	MUST(spool_copy(s, 0, spool_size(s), &to, &e) == 0);
	MUST(!b->failed);
}

#endif
