/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A thread per connection; each opens one, sends its share, quits, and
 * begins again. Figures are kept by thread and put together at the end.
 */
#include "tests/bench/mfrun.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECTIONS_MAX 4096

struct run {
	const struct mf_plan *p;
	double start; /* counting starts */
	double end;   /* and stops; 0: by number */
	atomic_ullong next; /* number of the next message */
};

struct thread {
	pthread_t id;
	struct run *run;
	double *latency;
	size_t latencies, room;
	double last; /* when the last message was done */
	struct mf_tally tally[MF_TALLY_MAX];
	size_t tallies;
	bool failed; /* out of memory */
};

static double
get_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

const char *
mf_outcome_word(char *dst, const struct mf_result *r)
{
	static const char *const word[] = { "unchanged", "edited",
		"replaced", "refused", "discarded", "quarantined", "aborted",
		"dropped", "broken" };
	size_t n;

	if (r->outcome != MF_REFUSED) {
		(void)snprintf(dst, 48, "%s", word[r->outcome]);
		return dst;
	}
	n = 4 + strcspn(r->reply + 4, " ");
	(void)snprintf(dst, 48, "%.*s", (int)(n < 40 ? n : 40), r->reply);
	dst[3] = ' ';
	return dst;
}

static void
add_tally(struct mf_tally *t, size_t *n, const char *what,
    const char *first, uint64_t count)
{
	size_t i = 0;

	while (i < *n && strcmp(t[i].what, what) != 0)
		i++;
	if (i == MF_TALLY_MAX)
		return;
	if (i == *n) {
		(void)snprintf(t[i].what, sizeof(t[i].what), "%s", what);
		(void)snprintf(t[i].first, sizeof(t[i].first), "%s", first);
		t[i].n = 0;
		(*n)++;
	}
	t[i].n += count;
}

static void
note(struct thread *t, const struct mf_result *r)
{
	double now = get_now();
	char word[48];

	add_tally(t->tally, &t->tallies, mf_outcome_word(word, r), r->reply,
	    1);
	if (now < t->run->start || (t->run->end > 0 && now > t->run->end))
		return;
	t->last = now;
	if (t->latencies == t->room) {
		size_t room = t->room * 2 + 1024;
		double *p = realloc(t->latency, room * sizeof(*p));

		if (p == NULL) {
			t->failed = true;
			return;
		}
		t->latency = p;
		t->room = room;
	}
	t->latency[t->latencies++] = r->seconds;
}

/* The next message's number, or false when all is done. */
static bool
take_number(struct run *run, uint64_t *n)
{
	*n = atomic_fetch_add(&run->next, 1);
	if (run->end > 0)
		return get_now() < run->end;
	return *n < run->p->count;
}

static void *
serve(void *arg)
{
	struct thread *t = arg;
	const struct mf_plan *p = t->run->p;
	struct mf_client c;
	struct mf_result r;
	struct err e;
	uint64_t n;

	mf_result_init(&r, false);
	t->failed = mfclient_init(&c, p->setup, &e) == -1;
	while (!t->failed && take_number(t->run, &n)) {
		mfclient_send(&c, &p->message[n % p->messages], &r);
		note(t, &r);
		if (c.message >= p->per_connection)
			mfclient_quit(&c);
		/* Do not spin when the filter is away. */
		if (r.outcome == MF_BROKEN)
			nanosleep(&(struct timespec){ .tv_nsec = 10000000 },
			    NULL);
	}
	mfclient_quit(&c);
	mfclient_free(&c);
	mf_result_free(&r);
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int
collect(struct thread *t, unsigned threads, struct mf_score *s,
    struct err *e)
{
	size_t total = 0;

	for (unsigned i = 0; i < threads; i++) {
		if (t[i].failed)
			return err_set(e, FAIL_TEMP, "out of memory");
		total += t[i].latencies;
	}
	s->latency = calloc(total + 1, sizeof(*s->latency));
	if (s->latency == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	for (unsigned i = 0; i < threads; i++) {
		if (t[i].latencies > 0)
			memcpy(s->latency + s->counted, t[i].latency,
			    t[i].latencies * sizeof(*s->latency));
		s->counted += t[i].latencies;
		for (size_t j = 0; j < t[i].tallies; j++)
			add_tally(s->tally, &s->tallies, t[i].tally[j].what,
			    t[i].tally[j].first, t[i].tally[j].n);
	}
	qsort(s->latency, total, sizeof(*s->latency), compare);
	return 0;
}

int
mfrun(const struct mf_plan *p, struct mf_score *s, struct err *e)
{
	struct run run = { .p = p };
	unsigned started = 0;
	struct thread *t;
	double last = 0;
	int rc = -1;

	memset(s, 0, sizeof(*s));
	if (p->connections == 0 || p->connections > CONNECTIONS_MAX)
		return err_set(e, FAIL_CONFIG, "connections: 1 to %d",
		    CONNECTIONS_MAX);
	t = calloc(p->connections, sizeof(*t));
	if (t == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	run.start = get_now() + p->warm_up;
	run.end = p->seconds > 0 ? run.start + p->seconds : 0;
	for (; started < p->connections; started++) {
		t[started].run = &run;
		if (pthread_create(&t[started].id, NULL, serve,
		    &t[started]) != 0)
			break;
	}
	for (unsigned i = 0; i < started; i++) {
		pthread_join(t[i].id, NULL);
		last = t[i].last > last ? t[i].last : last;
	}
	if (started < p->connections) {
		err_set(e, FAIL_TEMP, "only %u threads", started);
		goto out;
	}
	rc = collect(t, started, s, e);
	s->seconds = p->seconds > 0 ? p->seconds : last - run.start;
out:
	for (unsigned i = 0; i < started; i++)
		free(t[i].latency);
	free(t);
	return rc;
}

void
mfscore_free(struct mf_score *s)
{
	free(s->latency);
	s->latency = NULL;
}

double
mfscore_quantile(const struct mf_score *s, double q)
{
	size_t i = (size_t)(q * (double)s->counted);

	if (s->counted == 0)
		return 0;
	return s->latency[i < s->counted ? i : s->counted - 1];
}
