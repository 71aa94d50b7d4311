/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The resolver of many threads. The library answers in a thread of its own;
 * one of ours takes the answers from it and wakes whoever waits.
 */
#include "fetch/dns.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <unbound.h>

#include "fetch/resolver.h"

#define CLASS_IN 1
#define RCODE_NXDOMAIN 3
#define TTL_MAX 86400

struct dns_resolver {
	const char *anchor_file, *forward;
	pthread_mutex_t lock;
	pthread_cond_t answered;
	struct ub_ctx *ub; /* NULL: nobody asked yet */
	pthread_t pump;
	int stop; /* eventfd: the pump ends */
};

/* Belongs to who waits and to the library, and goes with the second one. */
struct question {
	struct dns_resolver *r;
	int owners;
	bool done;
	int failed;
	struct ub_result *result;
};

static int init_lock(struct dns_resolver *r)
{
	pthread_condattr_t a;
	int rc;

	if (pthread_mutex_init(&r->lock, NULL) != 0)
		return -1;
	if (pthread_condattr_init(&a) != 0) {
		(void)pthread_mutex_destroy(&r->lock);
		return -1;
	}
	(void)pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	rc = pthread_cond_init(&r->answered, &a);
	(void)pthread_condattr_destroy(&a);
	if (rc != 0)
		(void)pthread_mutex_destroy(&r->lock);
	return rc == 0 ? 0 : -1;
}

int dns_resolver_new(struct dns_resolver **out, const char *anchor_file,
    const char *forward, struct err *e)
{
	struct dns_resolver *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (r == NULL || init_lock(r) != 0) {
		free(r);
		return err_set(e, FAIL_TEMP, "resolver: out of memory");
	}
	r->anchor_file = anchor_file;
	r->forward = forward;
	r->stop = -1;
	*out = r;
	return 0;
}

void dns_resolver_free(struct dns_resolver **rp)
{
	struct dns_resolver *r = *rp;
	const uint64_t one = 1;

	if (r == NULL)
		return;
	if (r->ub != NULL) {
		if (write(r->stop, &one, sizeof(one)) == sizeof(one))
			(void)pthread_join(r->pump, NULL);
		ub_ctx_delete(r->ub);
	}
	if (r->stop != -1)
		(void)close(r->stop);
	(void)pthread_cond_destroy(&r->answered);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
	*rp = NULL;
}

/* ---- the library ---- */

static void *take_answers(void *arg)
{
	struct dns_resolver *r = arg;
	struct pollfd p[2] = {{ub_fd(r->ub), POLLIN, 0},
	    {r->stop, POLLIN, 0}};

	for (;;) {
		if (poll(p, 2, -1) == -1 && errno != EINTR)
			return NULL;
		if (p[1].revents != 0)
			return NULL;
		if (p[0].revents != 0)
			(void)ub_process(r->ub);
	}
}

static int start(struct dns_resolver *r, struct err *e)
{
	const struct resolver_setup s = { .anchor_file = r->anchor_file,
	    .forward = r->forward, .cache = "8m" };

	if (r->ub != NULL)
		return 0;
	if (r->stop == -1)
		r->stop = eventfd(0, EFD_CLOEXEC);
	if (r->stop == -1)
		return err_sys(e, FAIL_TEMP, "resolver");
	if (resolver_open(&r->ub, &s, e) != 0)
		return -1;
	if (pthread_create(&r->pump, NULL, take_answers, r) == 0)
		return 0;
	ub_ctx_delete(r->ub);
	r->ub = NULL;
	return err_set(e, FAIL_TEMP, "resolver: no thread");
}

static void question_leave(struct question *q)
{
	if (--q->owners > 0)
		return;
	ub_resolve_free(q->result);
	free(q);
}

static void on_answer(void *arg, int failed, struct ub_result *result)
{
	struct question *q = arg;
	struct dns_resolver *r = q->r;

	(void)pthread_mutex_lock(&r->lock);
	q->done = true;
	q->failed = failed;
	q->result = result;
	question_leave(q);
	(void)pthread_cond_broadcast(&r->answered);
	(void)pthread_mutex_unlock(&r->lock);
}

/* With the lock. */
static void wait_done(struct dns_resolver *r, struct question *q,
    int64_t deadline)
{
	const struct timespec until = { .tv_sec = deadline / 1000,
	    .tv_nsec = deadline % 1000 * 1000000 };

	while (!q->done)
		if (pthread_cond_timedwait(&r->answered, &r->lock, &until) ==
		    ETIMEDOUT)
			return;
}

/* ---- answers ---- */

void dns_answer_init(struct dns_answer *a, const char *name,
    enum dns_state state)
{
	memset(a, 0, sizeof(*a));
	a->state = state;
	text_set(a->name, sizeof(a->name), name);
	buf_init(&a->octets, DNS_OCTETS);
}

void dns_answer_free(struct dns_answer *a)
{
	buf_free(&a->octets);
	a->n = 0;
}

/* The buffer may move, so views are of it from the start. */
void dns_answer_add(struct dns_answer *a, const void *rdata, size_t n)
{
	size_t off = 0, i;

	if (a->n == DNS_RECORDS) {
		a->has_more = true;
		return;
	}
	buf_put(&a->octets, rdata, n);
	if (a->octets.failed) {
		a->has_more = true;
		return;
	}
	a->rdata[a->n++].n = n;
	for (i = 0; i < a->n; i++) {
		a->rdata[i] = view_sub(buf_view(&a->octets), off,
		    a->rdata[i].n);
		off += a->rdata[i].n;
	}
}

static void fail(struct dns_answer *a, enum dns_state state, const char *why)
{
	a->state = state;
	text_set(a->why, sizeof(a->why), why);
}

/* The library's text has escapes for what no host name has. */
static void take_name(struct dns_answer *a, const char *text)
{
	static const char usual[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t n = strlen(text), i;

	if (n > 0 && text[n - 1] == '.')
		n--;
	a->name[0] = '\0';
	if (strspn(text, usual) < n ||
	    view_cstr(view_make(text, n), a->name, sizeof(a->name)) != 0)
		return;
	for (i = 0; i < n; i++)
		if (a->name[i] >= 'A' && a->name[i] <= 'Z')
			a->name[i] = (char)(a->name[i] - 'A' + 'a');
}

static void take_result(struct dns_answer *a, const struct ub_result *r)
{
	struct buf b;

	a->ttl_s = r->ttl < 0 ? 0 : r->ttl > TTL_MAX ? TTL_MAX : r->ttl;
	if (r->bogus) {
		fail(a, DNS_BOGUS, r->why_bogus == NULL ? "DNSSEC does not "
		    "hold" : r->why_bogus);
		return;
	}
	if (r->rcode != 0 && r->rcode != RCODE_NXDOMAIN) {
		buf_init(&b, 80);
		buf_printf(&b, "the servers fail (code %d)", r->rcode);
		fail(a, DNS_FAILED, buf_str(&b));
		buf_free(&b);
		return;
	}
	a->state = r->secure ? DNS_SECURE : DNS_INSECURE;
	a->is_nxdomain = r->rcode == RCODE_NXDOMAIN;
	if (r->canonname != NULL && r->canonname[0] != '\0')
		take_name(a, r->canonname);
	for (int i = 0; r->havedata && r->data[i] != NULL; i++)
		dns_answer_add(a, r->data[i], (size_t)r->len[i]);
}

static void conclude(struct dns_resolver *r, struct question *q, int id,
    int64_t deadline, struct dns_answer *out)
{
	(void)pthread_mutex_lock(&r->lock);
	wait_done(r, q, deadline);
	if (!q->done) {
		(void)pthread_mutex_unlock(&r->lock);
		/* 0: the library will not call any more; else it is about to */
		if (ub_cancel(r->ub, id) != 0)
			id = -1;
		(void)pthread_mutex_lock(&r->lock);
		if (id != -1)
			q->owners--;
		fail(out, DNS_FAILED, "no answer in time");
	} else if (q->failed != 0) {
		fail(out, DNS_FAILED, ub_strerror(q->failed));
	} else {
		take_result(out, q->result);
	}
	question_leave(q);
	(void)pthread_mutex_unlock(&r->lock);
}

static void resolve(void *arg, const char *name, enum dns_type type,
    int64_t deadline, struct dns_answer *out)
{
	struct dns_resolver *r = arg;
	struct question *q = calloc(1, sizeof(*q));
	struct err e = {0};
	int id = 0, rc;

	dns_answer_init(out, name, DNS_FAILED);
	(void)pthread_mutex_lock(&r->lock);
	rc = start(r, &e);
	(void)pthread_mutex_unlock(&r->lock);
	if (rc != 0 || q == NULL) {
		fail(out, DNS_FAILED, rc == 0 ? "out of memory" : e.msg);
		free(q);
		return;
	}
	q->r = r;
	q->owners = 2;
	rc = ub_resolve_async(r->ub, name, (int)type, CLASS_IN, q, on_answer,
	    &id);
	if (rc != 0) {
		fail(out, DNS_FAILED, ub_strerror(rc));
		free(q);
		return;
	}
	conclude(r, q, id, deadline, out);
}

struct dns dns_resolver_use(struct dns_resolver *r)
{
	return (struct dns){ .ask = resolve, .arg = r };
}

const char *dns_state_str(enum dns_state s)
{
	static const char *const word[] = { "failed", "bogus", "insecure",
	    "secure" };

	return word[s];
}
