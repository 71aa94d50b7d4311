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

#include "milter/clock.h"
#include "util/log.h"

#define BATCH_MS 200
#define BATCH_RECORDS 200
#define EXPIRE_MS 3600000

struct store {
	struct keystore *ks;
	int sock;
	int64_t keep_s;
	int64_t expire_at_ms;
	size_t open; /* records in the transaction that runs */
	struct buf in;
};

static void close_all(const int fds[IPC_FDS])
{
	size_t i;

	for (i = 0; i < IPC_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* A record that cannot be kept is said once, here; mail goes on. */
static void lost(const char *id, const struct err *e)
{
	log_err("id=%s event=audit-lost reason=\"%s\"", id, e->msg);
}

static int add_record(struct store *s, struct err *e)
{
	char *id = NULL, *queue_id = NULL;
	struct err why = { 0 };
	struct view json, opened;
	uint64_t when;
	struct rd r;
	int rc = 0;

	rd_init(&r, buf_view(&s->in));
	if (ipc_get_str(&r, &id) != 0 || id == NULL ||
	    ipc_get_str(&r, &queue_id) != 0 || rd_u64(&r, &when) != 0 ||
	    ipc_get_view(&r, &json) != 0 || ipc_get_view(&r, &opened) != 0 ||
	    (opened.n != 0 && opened.n != 32) || rd_left(&r) != 0 ||
	    when > INT64_MAX) {
		rc = err_set(e, FAIL_BUG, "audit record: malformed");
		goto out;
	}
	if (s->open == 0 && keystore_begin(s->ks, &why) != 0) {
		lost(id, &why);
		goto out;
	}
	s->open++;
	if (keystore_audit_add(s->ks, id, (int64_t)when, queue_id, json,
	    &why) != 0 || (opened.n != 0 && keystore_opened_add(s->ks,
	    opened.p, (int64_t)when, &why) != 0))
		lost(id, &why);
out:
	free(id);
	free(queue_id);
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

/* Records until the batch is full, its time is up, or the end. */
static int take_batch(struct store *s, struct err *e)
{
	int64_t until = 0;
	int fds[IPC_FDS], rc;

	while (s->open < BATCH_RECORDS) {
		if (s->open > 0 && !wait_record(s, until - clock_ms()))
			return 1;
		if (s->open == 0 && !wait_record(s, EXPIRE_MS))
			return 1;
		rc = ipc_recv(s->sock, &s->in, fds, e);
		if (rc <= 0)
			return rc;
		close_all(fds);
		if (s->open == 0)
			until = clock_ms() + BATCH_MS;
		if (add_record(s, e) != 0)
			return -1;
	}
	return 1;
}

int store_loop(struct keystore *ks, int records, int64_t keep_s,
    struct err *e)
{
	struct store s = { .ks = ks, .sock = records, .keep_s = keep_s };
	int rc;

	buf_init(&s.in, CAP_IPC);
	do {
		expire(&s);
		rc = take_batch(&s, e);
		commit(&s);
	} while (rc == 1);
	buf_free(&s.in);
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
