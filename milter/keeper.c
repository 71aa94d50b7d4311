/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One job at a time between the plan and the fetch process.
 */
#include "milter/keeper.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gateway/lists.h"
#include "gateway/notice.h"
#include "keystore/held.h"
#include "util/clock.h"
#include "milter/ctl.h"
#include "milter/fetch_wire.h"
#include "util/log.h"

/* Between two requests, so that nobody is flooded (A56). */
#define GAP_MS 250
#define LONG_MS 3600000
#define AFTER_FAULT_MS 60000
/* Between two looks whether there is something to say, which reads the whole
 * store; and after one that could not be sent. */
#define NOTICE_MS (6 * 3600000)
#define NOTICE_AGAIN_MS 3600000
/* Between two looks for mail to senders; after one that nobody took, twice as
 * long each time would be no better: who takes mail is on this host. */
#define TOLD_MS 5000
#define TOLD_AGAIN_S 600
/* For the answer, beyond the time that the transfer has. */
#define GRACE_MS 30000
#define FAULTS_MAX 10 /* of one fetch process */
/* For all of a list, and then some. */
#define LIST_WAIT_MS 150000

struct keeper {
	const struct config *config;
	struct keystore *ks;
	struct fetching *plan; /* NULL: nothing is fetched */
	struct lists *lists;   /* NULL: none */
	int ctl;	       /* -1: closed */
	int fetch;	       /* -1: not there */
	struct fetch_job job;
	int faults;
	bool is_busy;
	uint32_t seq;
	int64_t at_ms; /* of the next step; of giving up when busy */
	int64_t notice_at_ms; /* of the next look */
	struct life_notice notice; /* that is being sent */
	int64_t told;	    /* mail to a sender that is being sent; 0: none */
	int64_t told_at_ms; /* of the next look for one */
};

static bool has_duties(const struct keeper *k)
{
	return k->plan != NULL || k->lists != NULL ||
	    k->config->notice_to != NULL;
}

int keeper_new(struct keeper **out, const struct config *c,
    struct keystore *ks, int ctl, struct err *e)
{
	struct keeper *k = calloc(1, sizeof(*k));

	*out = NULL;
	if (k == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	k->config = c;
	k->ks = ks;
	k->ctl = ctl;
	k->fetch = -1;
	fetch_job_init(&k->job);
	if (c->fetch.is_set && fetching_new(&k->plan, c, ks, e) != 0) {
		keeper_free(&k);
		return -1;
	}
	*out = k;
	return 0;
}

void keeper_free(struct keeper **kp)
{
	struct keeper *k = *kp;

	if (k == NULL)
		return;
	if (k->fetch >= 0)
		close(k->fetch);
	fetching_free(&k->plan);
	lists_free(&k->lists);
	fetch_job_free(&k->job);
	free(k);
	*kp = NULL;
}

void keeper_take_lists(struct keeper *k, struct lists *take)
{
	k->lists = take;
}

size_t keeper_watch(const struct keeper *k, struct pollfd fd[KEEPER_FDS])
{
	size_t n = 0;

	if (k->ctl >= 0)
		fd[n++] = (struct pollfd) { k->ctl, POLLIN, 0 };
	if (k->fetch >= 0)
		fd[n++] = (struct pollfd) { k->fetch, POLLIN, 0 };
	return n;
}

int64_t keeper_wait_ms(const struct keeper *k)
{
	int64_t left = k->at_ms - clock_ms();

	if (!has_duties(k) || k->fetch < 0)
		return LONG_MS;
	return left < 0 ? 0 : left;
}

/* What was asked for is lost; the plan has it still. */
static void drop_fetch(struct keeper *k)
{
	if (k->fetch >= 0)
		close(k->fetch);
	k->fetch = -1;
	k->is_busy = false;
	k->told = 0; /* it is in the store */
}

static void on_parent(struct keeper *k)
{
	struct err e = { 0 };
	struct ctl m;

	if (ctl_recv(k->ctl, &m, &e) <= 0) {
		k->ctl = -1; /* another store process takes over */
		drop_fetch(k);
	} else if (m.kind == CTL_FETCH && m.fd >= 0) {
		drop_fetch(k);
		k->fetch = m.fd;
		k->faults = 0;
		k->at_ms = clock_ms();
	} else if (m.fd >= 0) {
		close(m.fd);
	}
}

static void conclude_notice(struct keeper *k, const struct err *why)
{
	struct err e = { 0 };

	k->notice_at_ms = clock_ms() + NOTICE_MS;
	if (why->kind != 0) {
		k->notice_at_ms = clock_ms() + NOTICE_AGAIN_MS;
		log_warn("event=notice-failed to=%s reason=\"%s\"",
		    k->config->notice_to, why->msg);
		return;
	}
	k->notice.sent = (int64_t)time(NULL);
	if (life_notice_set(k->ks, &k->notice, &e) != 0)
		log_err("event=notice error=\"%s\"", e.msg);
	log_notice("event=notice-sent to=%s", k->config->notice_to);
}

/* A fault of the store: looked at again later. */
static void conclude_told(struct keeper *k, const struct err *why)
{
	int64_t now = (int64_t)time(NULL);
	struct err e = { 0 };
	bool lost = false;

	if (keystore_told_done(k->ks, k->told, now, why->kind == 0 ? 0 :
	    now + TOLD_AGAIN_S, &lost, &e) != 0)
		log_err("event=notice error=\"%s\"", e.msg);
	else if (why->kind == 0)
		log_info("event=notice-sent to=%s", k->job.url);
	else
		log_warn("event=%s to=%s reason=\"%s\"", lost ?
		    "notice-lost" : "notice-failed", k->job.url, why->msg);
	k->told = 0;
	k->told_at_ms = clock_ms() + (why->kind == 0 ? 0 : TOLD_MS);
}

/* The keys process has a copy of the lists that say who may sign or open. */
static void tell_parent(struct keeper *k)
{
	struct ctl m = { .kind = CTL_LISTS, .fd = -1 };
	struct err e = { 0 };

	if (k->ctl >= 0 && ctl_send(k->ctl, &m, &e) != 0)
		log_err("event=list error=\"%s\"", e.msg);
}

static void conclude_list(struct keeper *k, struct view body,
    const struct err *why)
{
	struct lists_outcome o;
	struct err e = { 0 };

	if (lists_done(k->lists, &k->job, (int64_t)time(NULL), body, why, &o,
	    &e) != 0) {
		log_err("event=list error=\"%s\"", e.msg);
		k->at_ms = clock_ms() + AFTER_FAULT_MS;
		return;
	}
	lists_log(&k->job, &o);
	if (o.changed && o.is_rights)
		tell_parent(k);
}

static void conclude(struct keeper *k, struct view body,
    const struct err *why)
{
	struct fetch_outcome o;
	struct err e = { 0 };

	k->is_busy = false;
	k->at_ms = clock_ms() + GAP_MS;
	if (k->job.kind == FETCH_NOTICE) {
		if (k->told != 0)
			conclude_told(k, why);
		else
			conclude_notice(k, why);
		return;
	}
	if (k->job.kind == FETCH_LIST) {
		conclude_list(k, body, why);
		return;
	}
	if (fetching_done(k->plan, &k->job, (int64_t)time(NULL), body, why,
	    &o, &e) != 0) {
		log_err("event=fetch error=\"%s\"", e.msg);
		k->at_ms = clock_ms() + AFTER_FAULT_MS;
		return;
	}
	fetching_log(&k->job, &o);
}

/* Packets are whole or not at all, so the next one may be right; from a
 * process that was taken over not many are listened to. */
static void on_fault(struct keeper *k, const struct err *e)
{
	log_warn("event=fetch error=\"%s\"", e->msg);
	if (++k->faults < FAULTS_MAX)
		return;
	log_err("event=fetch error=\"the fetch process talks nonsense, it is "
	    "not listened to any more\"");
	drop_fetch(k);
}

static void on_answer(struct keeper *k)
{
	struct err why = { 0 }, e = { 0 };
	struct buf head, body;
	uint32_t seq = 0;
	int rc;

	buf_init(&head, CAP_IPC);
	buf_init(&body, fetch_max(FETCH_CRL)); /* if late: not looked at */
	rc = packet_recv(k->fetch, &head, &body, &e);
	if (rc == 1)
		rc = wire_get_fetched(&seq, &why, buf_view(&head), &e) == 0 ?
		    1 : -1;
	if (rc < 0)
		on_fault(k, &e);
	else if (rc == 0)
		drop_fetch(k);
	else if (k->is_busy && seq == k->seq)
		conclude(k, buf_view(&body), &why);
	buf_free(&head);
	buf_free(&body);
}

static void send_job(struct keeper *k, struct view octets)
{
	struct err e = { 0 };
	struct buf head;

	buf_init(&head, PACKET_MAX);
	wire_put_fetch(&head, ++k->seq, &k->job);
	if (buf_ok(&head, &e) != 0 || packet_send(k->fetch, buf_view(&head),
	    octets, &e) != 0) {
		log_warn("event=fetch error=\"%s\"", e.msg);
		drop_fetch(k);
	} else {
		k->is_busy = true;
		k->at_ms = clock_ms() + (k->job.kind == FETCH_LIST ?
		    LIST_WAIT_MS : k->config->fetch.timeout_s * 1000 +
		    GRACE_MS);
	}
	buf_free(&head);
}

/* True: a notice is on its way to fetch. */
static bool send_notice(struct keeper *k)
{
	int64_t now = (int64_t)time(NULL);
	struct life_notice last;
	struct notice n = { 0 };
	struct err e = { 0 };
	bool is_due = false;

	k->notice_at_ms = clock_ms() + NOTICE_MS;
	if (life_notice_get(k->ks, &last, &e) != 0 ||
	    (notice_may_be_due(k->config, &last, now) &&
	    notice_compose(k->ks, k->config, now, &n, &e) != 0))
		log_err("event=notice error=\"%s\"", e.msg);
	else
		is_due = notice_is_due(k->config, &n, &last, now);
	if (is_due) {
		k->job.kind = FETCH_NOTICE;
		text_set(k->job.url, sizeof(k->job.url), "");
		buf_clear(&k->job.request);
		memcpy(k->notice.hash, n.hash, sizeof(n.hash));
		send_job(k, buf_view(&n.mail));
	}
	notice_free(&n);
	return is_due;
}

/* True: mail to a sender is on its way to fetch. */
static bool send_told(struct keeper *k)
{
	struct buf to, mail;
	struct err e = { 0 };
	int64_t id, next;

	k->told_at_ms = clock_ms() + TOLD_MS;
	buf_init(&to, sizeof(k->job.url) - 1);
	buf_init(&mail, NOTICE_MAX);
	if (keystore_told_next(k->ks, (int64_t)time(NULL), &id, &next, &to,
	    &mail, &e) != 0) {
		log_err("event=notice error=\"%s\"", e.msg);
	} else if (id != 0) {
		k->job.kind = FETCH_NOTICE;
		text_set(k->job.url, sizeof(k->job.url), buf_str(&to));
		buf_clear(&k->job.request);
		k->told = id;
		send_job(k, buf_view(&mail));
	}
	buf_free(&to);
	buf_free(&mail);
	return k->is_busy;
}

/* True: one is on its way to fetch; else *next_ms is not later than the next
 * one is due. */
static bool send_list(struct keeper *k, int64_t *next_ms)
{
	struct err e = { 0 };
	int64_t again_s = 0;
	int rc;

	rc = lists_next(k->lists, (int64_t)time(NULL), &k->job, &again_s, &e);
	if (rc == 1) {
		send_job(k, view_make(NULL, 0));
		return true;
	}
	if (rc < 0)
		log_err("event=list error=\"%s\"", e.msg);
	*next_ms = clock_ms() + (rc < 0 ? AFTER_FAULT_MS : again_s == 0 ? 5 :
	    again_s * 1000);
	return false;
}

static void next_fetch(struct keeper *k)
{
	struct err e = { 0 };
	int64_t again_s = 0;
	int rc;

	rc = fetching_next(k->plan, (int64_t)time(NULL), &k->job, &again_s,
	    &e);
	if (rc == 1) {
		send_job(k, view_make(NULL, 0));
	} else if (rc == 0) {
		/* while it looks at certificates records come between */
		k->at_ms = clock_ms() + (again_s == 0 ? 5 : again_s * 1000);
	} else {
		log_err("event=fetch error=\"%s\"", e.msg);
		k->at_ms = clock_ms() + AFTER_FAULT_MS;
	}
}

static void next_job(struct keeper *k)
{
	bool has_notices = k->config->notice_to != NULL;
	int64_t list_ms = INT64_MAX;

	if (has_notices && clock_ms() >= k->notice_at_ms && send_notice(k))
		return;
	if (has_notices && clock_ms() >= k->told_at_ms && send_told(k))
		return;
	if (k->lists != NULL && send_list(k, &list_ms))
		return;
	k->at_ms = clock_ms() + LONG_MS;
	if (k->plan != NULL)
		next_fetch(k);
	if (!k->is_busy && list_ms < k->at_ms)
		k->at_ms = list_ms;
	if (has_notices && !k->is_busy && k->notice_at_ms < k->at_ms)
		k->at_ms = k->notice_at_ms;
	if (has_notices && !k->is_busy && k->told_at_ms < k->at_ms)
		k->at_ms = k->told_at_ms;
}

void keeper_step(struct keeper *k)
{
	if (k->ctl >= 0 && packet_wait(k->ctl, 0))
		on_parent(k);
	if (k->fetch >= 0 && packet_wait(k->fetch, 0))
		on_answer(k);
	if (!has_duties(k) || k->fetch < 0 || clock_ms() < k->at_ms)
		return;
	if (k->is_busy) {
		struct err why = { FAIL_TEMP, "the fetch process gave no "
		    "answer" };

		conclude(k, view_make(NULL, 0), &why);
		return;
	}
	next_job(k);
}
