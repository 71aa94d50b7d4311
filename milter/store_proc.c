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

#include "gateway/learn.h"
#include "milter/clock.h"
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
	int64_t keep_s;
	int64_t expire_at_ms;
	size_t open; /* records in the transaction that runs */
	struct ipc_stream in;
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
	    wire_get_learned(&x->learned, &r) != 0 || rd_left(&r) != 0 ||
	    when > INT64_MAX)
		return err_set(e, FAIL_BUG, "audit record: malformed");
	x->when = (int64_t)when;
	return 0;
}

/* In the transaction that runs. */
static void keep_record(struct keystore *ks, const struct record *x)
{
	struct err why = { 0 };

	if (keystore_audit_add(ks, x->id, x->when, x->queue_id, x->json,
	    &why) != 0 || (x->opened.n != 0 && keystore_opened_add(ks,
	    x->opened.p, x->when, &why) != 0))
		lost(x->id, &why);
	if (learn_keep(ks, &x->learned, x->when, &why) != 0)
		log_err("id=%s event=capabilities-lost reason=\"%s\"", x->id,
		    why.msg);
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
		keep_record(s->ks, &x);
	}
	free(x.id);
	free(x.queue_id);
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
	size_t n = 0;

	if (clock_ms() < s->expire_at_ms)
		return;
	s->expire_at_ms = clock_ms() + EXPIRE_MS;
	if (keystore_audit_expire(s->ks, (int64_t)time(NULL) - s->keep_s, &n,
	    &e) != 0 || keystore_opened_expire(s->ks, (int64_t)time(NULL) -
	    s->keep_s, &e) != 0)
		log_err("event=audit-expire reason=\"%s\"", e.msg);
	else if (n > 0)
		log_info("event=audit-expire records=%zu", n);
}

/* 1 there is something, 0 not in this time. */
static int wait_record(const struct store *s, int64_t ms)
{
	struct pollfd p = { .fd = s->sock, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, ms < 0 ? 0 : (int)ms);
	while (n < 0 && errno == EINTR);
	return n != 0;
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

int store_loop(struct keystore *ks, int records, int64_t keep_s,
    struct err *e)
{
	struct store s = { .ks = ks, .sock = records, .keep_s = keep_s };
	int rc;

	ipc_stream_init(&s.in);
	do {
		expire(&s);
		rc = take_batch(&s, e);
		commit(&s);
	} while (rc == 1);
	ipc_stream_free(&s.in);
	return rc;
}

void store_proc(const struct store_start *s)
{
	struct keystore *ks = NULL;
	struct err e = { 0 };

	child_drop(&s->ids);
	if (keystore_open(&ks, s->config->keystore, KS_WRITE, &e) != 0) {
		log_err("event=start process=store error=\"%s\"", e.msg);
		_exit(e.kind == FAIL_TEMP ? EX_TEMPFAIL : EX_CONFIG);
	}
	child_sandbox(SANDBOX_STORE);
	child_ready(s->ctl);
	if (store_loop(ks, s->records, s->config->keep_audit_s, &e) != 0)
		log_err("event=store error=\"%s\"", e.msg);
	keystore_close(&ks);
	_exit(e.kind == 0 ? 0 : EX_SOFTWARE);
}
