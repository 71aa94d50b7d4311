/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Audit records in batches: a commit for each message would bound the
 * message rate by the disk.
 */
#include "milter/store_proc.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "gateway/harvest.h"
#include "gateway/held.h"
#include "gateway/learn.h"
#include "gateway/lists.h"
#include "keystore/revocation.h"
#include "util/clock.h"
#include "milter/keeper.h"
#include "milter/store_serve.h"
#include "milter/wire.h"
#include "util/log.h"
#include "util/proc.h"

#define BATCH_MS 200
#define BATCH_RECORDS 200
#define EXPIRE_MS 3600000
/* Between the first record and reading: the socket's buffer takes what comes
 * meanwhile. */
#define GATHER_NS 3000000

struct store {
	struct keystore *ks;
	int sock;
	const struct store_policy *policy;
	int64_t expire_at_ms;
	size_t open; /* records in the transaction that runs */
	struct ipc_stream in;
	struct keeper *keeper; /* NULL: nothing is fetched */
};

/* A record that cannot be kept is said once, here; mail goes on. */
static void lost(const char *id, const struct err *e)
{
	log_err("id=%s event=audit-lost reason=\"%s\"", id, e->msg);
}

/* One message's; views into what came in. */
struct record {
	char *id, *queue_id; /* owned */
	int64_t when;
	struct view json, opened;
	struct learned learned;
	struct harvested harvested; /* der is owned */
};

static int get_record(struct record *x, struct view v, struct err *e)
{
	uint64_t when;
	struct rd r;

	rd_init(&r, v);
	if (ipc_get_str(&r, &x->id) != 0 || x->id == NULL ||
	    ipc_get_str(&r, &x->queue_id) != 0 || rd_u64(&r, &when) != 0 ||
	    ipc_get_view(&r, &x->json) != 0 ||
	    ipc_get_view(&r, &x->opened) != 0 ||
	    (x->opened.n != 0 && x->opened.n != 32) ||
	    wire_get_learned(&x->learned, &r) != 0 ||
	    wire_get_harvested(&x->harvested, &r) != 0 ||
	    rd_left(&r) != 0 || when > INT64_MAX)
		return err_set(e, FAIL_BUG, "audit record: malformed");
	x->when = (int64_t)when;
	return 0;
}

/* Whose mail shows a certificate that another one is used instead of. */
static void say_harvest(const struct record *x, const char *event,
    const char *reason)
{
	char line[1000];
	size_t n;

	n = log_value(line, sizeof(line), 0, "address", x->harvested.address);
	n = log_value(line, sizeof(line), n, "reason", reason);
	log_warn("id=%s event=%s %.*s", x->id, event, (int)n, line);
}

static void keep_harvested(const struct store *s, const struct record *x,
    int64_t now)
{
	struct harvest_outcome out;
	struct err e = { 0 };

	if (x->harvested.der.n == 0)
		return;
	if (!s->policy->may_harvest)
		say_harvest(x, "harvest-refused", "no rule says harvest");
	else if (harvest_store(s->ks, &x->harvested, s->policy->harvest,
	    now, &out, &e) != 0)
		say_harvest(x, "harvest-refused", e.msg);
	else if (out.has_news && out.is_conflict)
		say_harvest(x, "harvest-pending", out.reason);
}

/*
 * In the transaction that runs. What mail makes us believe counts from our
 * own clock: who says another time would have the days of a harvest at once,
 * and records that never expire.
 */
static void keep_record(const struct store *s, const struct record *x)
{
	int64_t clock = (int64_t)time(NULL), now = s->policy->fixed_time;
	int64_t when = x->when < clock ? x->when : clock;
	struct keystore *ks = s->ks;
	struct err why = { 0 };

	if (now == 0)
		now = clock;
	if (keystore_audit_add(ks, x->id, when, x->queue_id, x->json,
	    &why) != 0 || (x->opened.n != 0 && keystore_opened_add(ks,
	    x->opened.p, when, &why) != 0))
		lost(x->id, &why);
	if (learn_keep(ks, &x->learned, now, &why) != 0)
		log_err("id=%s event=capabilities-lost reason=\"%s\"", x->id,
		    why.msg);
	keep_harvested(s, x, now);
}

static int add_record(struct store *s, struct view record, struct err *e)
{
	struct record x = { 0 };
	struct err why = { 0 };
	int rc;

	rc = get_record(&x, record, e);
	if (rc == 0 && s->open == 0 && keystore_begin(s->ks, &why) != 0) {
		lost(x.id, &why);
	} else if (rc == 0) {
		s->open++;
		keep_record(s, &x);
	}
	free(x.id);
	free(x.queue_id);
	buf_free(&x.harvested.der);
	return rc;
}

static void commit(struct store *s)
{
	struct err e = { 0 };

	if (s->open == 0)
		return;
	if (keystore_commit(s->ks, &e) != 0) {
		log_err("event=audit-lost records=%zu reason=\"%s\"", s->open,
		    e.msg);
		keystore_rollback(s->ks);
	}
	s->open = 0;
}

static void expire(struct store *s)
{
	struct err e = { 0 };
	int64_t now = (int64_t)time(NULL), before = now - s->policy->keep_s;
	size_t n = 0;

	if (clock_ms() < s->expire_at_ms)
		return;
	s->expire_at_ms = clock_ms() + EXPIRE_MS;
	if (keystore_audit_expire(s->ks, before, &n, &e) != 0 ||
	    keystore_opened_expire(s->ks, before, &e) != 0)
		log_err("event=audit-expire reason=\"%s\"", e.msg);
	else if (n > 0)
		log_info("event=audit-expire records=%zu", n);
	err_clear(&e);
	if (harvest_expire(s->ks, s->policy->harvest, now, &n, &e) != 0)
		log_err("event=harvest-expire reason=\"%s\"", e.msg);
	else if (n > 0)
		log_info("event=harvest-expire certificates=%zu", n);
	err_clear(&e);
	if (s->policy->config != NULL && held_expire(s->ks,
	    s->policy->config, now, &n, &e) != 0)
		log_err("event=held-expire reason=\"%s\"", e.msg);
}

/* 1 there is something, 0 not in this time, or others have to do. */
static int wait_record(const struct store *s, int64_t ms)
{
	struct pollfd p[1 + KEEPER_FDS + SERVE_FDS];
	size_t fds = 1;
	int n;

	p[0].fd = s->sock;
	p[0].events = POLLIN;
	p[0].revents = 0;
	if (s->policy->serve != NULL) {
		fds += store_serve_watch(s->policy->serve, p + fds);
		if (store_serve_wait_ms(s->policy->serve) < ms)
			ms = store_serve_wait_ms(s->policy->serve);
	}
	if (s->policy->keeper != NULL) {
		fds += keeper_watch(s->policy->keeper, p + fds);
		if (keeper_wait_ms(s->policy->keeper) < ms)
			ms = keeper_wait_ms(s->policy->keeper);
	}
	do
		n = poll(p, fds, ms < 0 ? 0 : (int)ms);
	while (n < 0 && errno == EINTR);
	return n < 0 || p[0].revents != 0;
}

/* Is there one, whatever the keeper has to do? */
static bool wait_record_now(const struct store *s)
{
	struct pollfd p = { s->sock, POLLIN, 0 };

	return poll(&p, 1, 0) == 1;
}

/* There is something now: more of it in a moment, with one wake-up. */
static void gather(void)
{
	const struct timespec pause = { 0, GATHER_NS };

	(void)nanosleep(&pause, NULL);
}

/* Records until the batch is full, its time is up, or the end. */
static int take_batch(struct store *s, struct err *e)
{
	int64_t until = 0;
	struct view record;
	int rc;

	while (s->open < BATCH_RECORDS) {
		if (!ipc_stream_has(&s->in)) {
			if (!wait_record(s, s->open > 0 ? until - clock_ms() :
			    EXPIRE_MS))
				return 1;
			gather();
		}
		rc = ipc_stream_next(s->sock, &s->in, &record, e);
		if (rc <= 0)
			return rc;
		if (s->open == 0)
			until = clock_ms() + BATCH_MS;
		if (add_record(s, record, e) != 0)
			return -1;
	}
	return 1;
}

/* While the keeper writes a long list: what came meanwhile. The end of file
 * and faults are met again by the loop. */
static void serve_between(void *arg)
{
	struct store *s = arg;

	if (s->policy->serve != NULL)
		store_serve_step(s->policy->serve);
	if (!ipc_stream_has(&s->in) && !wait_record_now(s))
		return;
	(void)take_batch(s, NULL);
	commit(s);
}

/* What the front began: until it has let go of it, or, if it is no more,
 * until it is known what became of it. */
static void serve_rest(struct store_serve *serve)
{
	struct pollfd fd[SERVE_FDS];
	size_t n;

	while (store_serve_is_busy(serve)) {
		n = store_serve_watch(serve, fd);
		(void)poll(fd, n, (int)store_serve_wait_ms(serve));
		store_serve_step(serve);
	}
}

int store_loop(struct keystore *ks, int records,
    const struct store_policy *policy, struct err *e)
{
	struct store s = { .ks = ks, .sock = records, .policy = policy };
	int rc;

	ipc_stream_init(&s.in);
	keystore_between(ks, serve_between, &s);
	do {
		expire(&s);
		rc = take_batch(&s, e);
		commit(&s);
		if (policy->serve != NULL)
			store_serve_step(policy->serve);
		if (rc == 1 && policy->keeper != NULL)
			keeper_step(policy->keeper);
	} while (rc == 1);
	if (rc == 0 && policy->serve != NULL)
		serve_rest(policy->serve);
	keystore_between(ks, NULL, NULL);
	ipc_stream_free(&s.in);
	return rc;
}

/* Also when fetch { } is absent: lists come out of directories. */
static int plan_lists(const struct store_start *s, struct keystore *ks,
    struct keeper *k, struct err *e)
{
	struct lists *lists;

	if (lists_new(&lists, s->config, s->rules, ks, e) != 0)
		return -1;
	if (lists_count(lists) > 0)
		keeper_take_lists(k, lists);
	else
		lists_free(&lists);
	return 0;
}

void store_proc(const struct store_start *s)
{
	struct store_policy policy = {
		.keep_s = s->config->keep_audit_s,
		.fixed_time = s->config->fixed_time,
		.may_harvest = rules_harvest(s->rules),
		.harvest = &s->config->harvest,
		.config = s->config };
	struct keystore *ks = NULL;
	struct err e = { 0 };

	child_drop(&s->ids);
	if (keystore_open(&ks, s->config->keystore, KS_WRITE, &e) != 0) {
		log_err("event=start process=store error=\"%s\"", e.msg);
		_exit(e.kind == FAIL_TEMP ? EX_TEMPFAIL : EX_CONFIG);
	}
	child_sandbox(SANDBOX_STORE);
	child_ready(s->ctl);
	keystore_set_actor(ks, "store process", "mail");
	if (store_serve_new(&policy.serve, ks, s->config, s->requests,
	    &e) != 0 ||
	    keeper_new(&policy.keeper, s->config, ks, s->ctl, &e) != 0 ||
	    plan_lists(s, ks, policy.keeper, &e) != 0 ||
	    store_loop(ks, s->records, &policy, &e) != 0)
		log_err("event=store error=\"%s\"", e.msg);
	store_serve_free(&policy.serve);
	keeper_free(&policy.keeper);
	keystore_close(&ks);
	_exit(e.kind == 0 ? 0 : EX_SOFTWARE);
}
