/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Many messages over many connections, counted and timed.
 */
#ifndef TESTS_BENCH_MFRUN_H
#define TESTS_BENCH_MFRUN_H

#include "tests/bench/mfclient.h"

#define MF_TALLY_MAX 64

struct mf_plan {
	const struct mf_setup *setup;
	const struct mf_message *message; /* taken in turn */
	size_t messages;
	unsigned connections;	 /* at once */
	uint64_t count;		 /* messages to send, unless seconds is set */
	double seconds;		 /* or for how long */
	double warm_up;		 /* seconds before counting starts */
	unsigned per_connection; /* messages on one connection */
};

/* How often which outcome came. */
struct mf_tally {
	char what[48]; /* "replaced", "550 5.7.3" */
	char first[256]; /* text of the first one */
	uint64_t n;
};

struct mf_score {
	double seconds; /* that were counted */
	uint64_t counted; /* messages done in them */
	double *latency; /* seconds, sorted; of the counted ones */
	struct mf_tally tally[MF_TALLY_MAX]; /* of all messages */
	size_t tallies;
};

/* Outcome as a word, or the reply's code and enhanced code. dst of 48. */
const char *mf_outcome_word(char *dst, const struct mf_result *r);

int mfrun(const struct mf_plan *p, struct mf_score *s, struct err *e)
    MUST_CHECK;
void mfscore_free(struct mf_score *s);
/* The q-quantile (0..1) of the latencies, seconds; 0 without any. */
double mfscore_quantile(const struct mf_score *s, double q);

#endif
