/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Counters and their Prometheus text. What is counted is decided by the
 * callers.
 */
#include "milter/stats.h"

#include <string.h>
#include <sys/mman.h>

#include "gateway/verdict.h"

/* Upper bounds in microseconds; the last bucket has none. */
static const int64_t bound_us[STATS_BUCKETS - 1] = {
	1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
	1000000, 5000000, 30000000, 100000000, 250000000
};
static const char *const bound_text[STATS_BUCKETS] = {
	"0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
	"0.5", "1", "5", "30", "100", "250", "+Inf"
};

int stats_new(struct stats **out, struct err *e)
{
	void *p = mmap(NULL, sizeof(**out), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*out = NULL;
	if (p == MAP_FAILED)
		return err_sys(e, FAIL_TEMP, "memory for counters");
	*out = p;
	return 0;
}

void stats_drop(struct stats **s)
{
	if (*s != NULL)
		(void)munmap(*s, sizeof(**s));
	*s = NULL;
}

void stats_add(atomic_uint_fast64_t *n)
{
	atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

void stats_message(struct stats *s, int direction, int action, int64_t us)
{
	size_t i = 0;

	if (direction < 0 || direction >= STATS_DIRECTIONS || action < 0 ||
	    action >= STATS_ACTIONS)
		return;
	stats_add(&s->messages[direction][action]);
	while (i < STATS_BUCKETS - 1 && us > bound_us[i])
		i++;
	stats_add(&s->bucket[i]);
	atomic_fetch_add_explicit(&s->latency_us, (uint_fast64_t)us,
	    memory_order_relaxed);
}

void stats_reply(struct stats *s, int code, const char *enhanced)
{
	unsigned used = atomic_load(&s->replies), i;
	struct buf b;

	buf_init(&b, sizeof(s->reply[0].name) - 1);
	buf_printf(&b, "%d %s", code, enhanced);
	if (b.failed)
		goto out;
	for (i = 0; i < used; i++)
		if (strcmp(s->reply[i].name, buf_str(&b)) == 0)
			break;
	if (i == STATS_REPLIES)
		goto out;
	if (i == used) {
		memcpy(s->reply[i].name, b.p, b.n + 1);
		atomic_store(&s->replies, used + 1);
	}
	stats_add(&s->reply[i].n);
out:
	buf_free(&b);
}

static unsigned long long load(const atomic_uint_fast64_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static void head(struct buf *out, const char *name, const char *type,
    const char *help)
{
	buf_printf(out, "# HELP postseal_%s %s\n# TYPE postseal_%s %s\n", name,
	    help, name, type);
}

static void counter(struct buf *out, const char *name, const char *help,
    const atomic_uint_fast64_t *n)
{
	head(out, name, "counter", help);
	buf_printf(out, "postseal_%s %llu\n", name, load(n));
}

static void gauge(struct buf *out, const char *name, const char *help,
    const atomic_int *n)
{
	head(out, name, "gauge", help);
	buf_printf(out, "postseal_%s %d\n", name, atomic_load(n));
}

static void print_messages(const struct stats *s, struct buf *out)
{
	int d, a;
	unsigned i, used = atomic_load(&s->replies);

	head(out, "messages_total", "counter",
	    "Messages answered, by direction and action");
	for (d = 0; d < STATS_DIRECTIONS; d++)
		for (a = 0; a < STATS_ACTIONS; a++)
			buf_printf(out, "postseal_messages_total{direction="
			    "\"%s\",action=\"%s\"} %llu\n", d == 0 ? "mixed" :
			    direction_str((enum direction)d),
			    action_str((enum action)a),
			    load(&s->messages[d][a]));
	head(out, "replies_total", "counter",
	    "Messages not accepted, by reply");
	for (i = 0; i < used && i < STATS_REPLIES; i++)
		buf_printf(out, "postseal_replies_total{reply=\"%s\"} %llu\n",
		    s->reply[i].name, load(&s->reply[i].n));
}

static void print_latency(const struct stats *s, struct buf *out)
{
	unsigned long long sum = load(&s->latency_us), n = 0;
	size_t i;

	head(out, "message_seconds", "histogram",
	    "Time from the end of a message to its answer");
	for (i = 0; i < STATS_BUCKETS; i++) {
		n += load(&s->bucket[i]);
		buf_printf(out, "postseal_message_seconds_bucket{le=\"%s\"} "
		    "%llu\n", bound_text[i], n);
	}
	buf_printf(out, "postseal_message_seconds_sum %llu.%06llu\n",
	    sum / 1000000, sum % 1000000);
	buf_printf(out, "postseal_message_seconds_count %llu\n", n);
}

void stats_print(const struct stats *s, struct buf *out)
{
	print_messages(s, out);
	print_latency(s, out);
	counter(out, "worker_deaths_total", "Workers that died at work",
	    &s->worker_deaths);
	counter(out, "worker_timeouts_total",
	    "Workers ended because a message took too long",
	    &s->worker_timeouts);
	counter(out, "poisoned_total",
	    "Messages that killed a worker twice", &s->poisoned);
	counter(out, "keys_deaths_total", "Deaths of the keys process",
	    &s->keys_deaths);
	counter(out, "front_deaths_total", "Deaths of the front",
	    &s->front_deaths);
	counter(out, "audit_lost_total", "Audit records that were lost",
	    &s->audit_lost);
	counter(out, "reinjected_total", "Copies that were sent on",
	    &s->reinjected);
	counter(out, "held_total", "Copies that are held", &s->held);
	counter(out, "copies_failed_total",
	    "Messages refused because a copy could not be sent or held",
	    &s->copies_failed);
	counter(out, "journal_skipped_total",
	    "Recipients who had their copy already", &s->journal_skipped);
	counter(out, "duplicates_possible_total",
	    "Recipients who may have a copy twice",
	    &s->duplicates_possible);
	counter(out, "reloads_total", "Configuration read anew",
	    &s->reloads);
	counter(out, "reloads_failed_total",
	    "New configuration refused, the old one kept",
	    &s->reloads_failed);
	gauge(out, "workers", "Workers", &s->workers);
	gauge(out, "workers_busy", "Workers at work", &s->busy);
	gauge(out, "messages_waiting", "Messages that wait for a worker",
	    &s->waiting);
}
