/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Which MTA-STS policy holds for a domain: what is known, and when it is
 * asked for again.
 */
#include "fetch/sts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fetch/sts_int.h"
#include "util/hash.h"

#define REST_FAILED_S 300 /* RFC 8461 3.3 */
#define REST_S 60	  /* an id that changes all the time changes nothing */
#define DAY_S 86400

int64_t sts_now(const struct sts *s)
{
	return s->setup.now != NULL ? s->setup.now(s->setup.arg) :
	    (int64_t)time(NULL);
}

static int init_lock(struct sts *s)
{
	pthread_condattr_t a;
	int rc = -1;

	if (pthread_mutex_init(&s->lock, NULL) != 0)
		return -1;
	if (pthread_condattr_init(&a) == 0) {
		(void)pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
		rc = pthread_cond_init(&s->fetched, &a);
		(void)pthread_condattr_destroy(&a);
	}
	if (rc != 0)
		(void)pthread_mutex_destroy(&s->lock);
	return rc;
}

int sts_new(struct sts **out, const struct sts_setup *setup, struct err *e)
{
	struct sts *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (s == NULL || init_lock(s) != 0) {
		free(s);
		return err_set(e, FAIL_TEMP, "MTA-STS: out of memory");
	}
	s->setup = *setup;
	if (setup->state != NULL)
		sts_load(s);
	*out = s;
	return 0;
}

static void free_entry(struct sts_entry *t)
{
	sts_policy_free(&t->policy);
	free(t);
}

void sts_free(struct sts **sp)
{
	struct sts *s = *sp;
	struct sts_entry *t;
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < STS_BUCKETS; i++) {
		while ((t = s->bucket[i]) != NULL) {
			s->bucket[i] = t->next;
			free_entry(t);
		}
	}
	(void)pthread_cond_destroy(&s->fetched);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
	*sp = NULL;
}

/* ---- what is known ---- */

static struct sts_entry **bucket_of(struct sts *s, const char *domain)
{
	return &s->bucket[hash_view(HASH_START, view_of(domain)) %
	    STS_BUCKETS];
}

struct sts_entry *sts_entry_find(struct sts *s, const char *domain)
{
	struct sts_entry *t = *bucket_of(s, domain);

	while (t != NULL && strcmp(t->domain, domain) != 0)
		t = t->next;
	return t;
}

/* Never one that is being fetched; without a policy first. */
static bool goes_before(const struct sts_entry *t, const struct sts_entry *u)
{
	if (t->is_fetched)
		return false;
	if (u == NULL || t->has_policy != u->has_policy)
		return u == NULL || !t->has_policy;
	return t->used_s < u->used_s;
}

static void make_room(struct sts *s)
{
	struct sts_entry **link, **oldest = NULL, *t;
	size_t i;

	if (s->n < STS_DOMAINS)
		return;
	for (i = 0; i < STS_BUCKETS; i++)
		for (link = &s->bucket[i]; *link != NULL;
		    link = &(*link)->next)
			if (goes_before(*link, oldest == NULL ? NULL :
			    *oldest))
				oldest = link;
	if (oldest == NULL)
		return;
	t = *oldest;
	*oldest = t->next;
	free_entry(t);
	s->n--;
}

struct sts_entry *sts_entry_add(struct sts *s, const char *domain,
    int64_t now)
{
	struct sts_entry **b, *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	make_room(s);
	b = bucket_of(s, domain);
	text_set(t->domain, sizeof(t->domain), domain);
	sts_policy_init(&t->policy);
	t->used_s = now;
	t->next = *b;
	*b = t;
	s->n++;
	return t;
}

static bool is_valid(const struct sts_entry *t, int64_t now)
{
	return t != NULL && t->has_policy && now < t->policy.until_s;
}

/* ---- asking ---- */

static int ask_id(struct sts *s, const char *domain, int64_t deadline,
    char id[STS_ID], struct err *e)
{
	struct dns_answer *a = malloc(sizeof(*a));
	struct buf name;
	int rc;

	if (a == NULL)
		return err_set(e, FAIL_TEMP, "MTA-STS: out of memory");
	buf_init(&name, DNS_NAME);
	buf_printf(&name, "_mta-sts.%s", domain);
	rc = buf_ok(&name, e);
	if (rc == 0) {
		s->setup.dns.ask(s->setup.dns.arg, buf_str(&name), DNS_TXT,
		    deadline, a);
		rc = a->state == DNS_FAILED || a->state == DNS_BOGUS ?
		    err_set(e, FAIL_TEMP, "%s: %s", buf_str(&name), a->why) :
		    sts_txt_id(id, a, e);
		dns_answer_free(a);
	}
	buf_free(&name);
	free(a);
	return rc;
}

static int fetch(struct sts *s, const char *domain, struct sts_policy *p,
    struct err *e)
{
	struct buf text;
	int rc;

	sts_policy_init(p);
	buf_init(&text, STS_POLICY_MAX);
	rc = s->setup.fetch != NULL ?
	    s->setup.fetch(s->setup.arg, domain, &text, e) :
	    sts_fetch(s, domain, &text, e);
	if (rc == 0)
		rc = sts_policy_parse(p, buf_view(&text), e);
	buf_free(&text);
	return rc;
}

static void tell_change(const struct sts *s, const char *domain,
    enum sts_mode was, enum sts_mode is)
{
	if (was != is && s->setup.changed != NULL)
		s->setup.changed(s->setup.arg, domain, was, is);
}

/* Fetch for t, which nobody else does meanwhile; with the lock, which is
 * given up in between. id NULL: as it was. */
static void renew(struct sts *s, struct sts_entry *t, const char *id)
{
	enum sts_mode was = t->has_policy ? t->policy.mode : STS_NONE;
	struct sts_policy p;
	struct err e = {0};
	int64_t now;
	int rc;

	t->is_fetched = true;
	(void)pthread_mutex_unlock(&s->lock);
	rc = fetch(s, t->domain, &p, &e);
	if (rc == 0)
		tell_change(s, t->domain, was, p.mode);
	(void)pthread_mutex_lock(&s->lock);
	now = sts_now(s);
	t->is_fetched = false;
	if (rc == 0) /* it may say what did not matter in the end */
		err_clear(&e);
	t->why = e;
	t->rests_until_s = now + (rc == 0 ? REST_S : REST_FAILED_S);
	if (rc == 0) {
		text_set(p.id, sizeof(p.id), id == NULL ? t->policy.id : id);
		p.fetched_s = now;
		p.until_s = now + p.max_age_s;
		sts_policy_free(&t->policy);
		t->policy = p;
		t->has_policy = s->is_dirty = true;
	} else {
		sts_policy_free(&p);
	}
	(void)pthread_cond_broadcast(&s->fetched);
}

/* With the lock: the entry, when nobody fetches for it; it may be NULL. */
static struct sts_entry *wait_entry(struct sts *s, const char *domain,
    int64_t deadline)
{
	const struct timespec until = { .tv_sec = deadline / 1000,
	    .tv_nsec = deadline % 1000 * 1000000 };
	struct sts_entry *t;

	while ((t = sts_entry_find(s, domain)) != NULL && t->is_fetched)
		if (pthread_cond_timedwait(&s->fetched, &s->lock, &until) ==
		    ETIMEDOUT)
			break;
	return t;
}

static bool needs_fetch(const struct sts_entry *t, const char *id,
    int64_t now)
{
	if (t->is_fetched || now < t->rests_until_s)
		return false;
	return !is_valid(t, now) || strcmp(t->policy.id, id) != 0;
}

bool sts_find(struct sts *s, const char *domain, int64_t deadline,
    struct sts_policy *out, struct err *why)
{
	int64_t now = sts_now(s);
	struct sts_entry *t;
	char id[STS_ID] = "";
	bool found;

	err_clear(why);
	/* without a record what is known holds on (RFC 8461 3.1) */
	(void)ask_id(s, domain, deadline, id, why);
	(void)pthread_mutex_lock(&s->lock);
	t = wait_entry(s, domain, deadline);
	if (t == NULL && id[0] != '\0')
		t = sts_entry_add(s, domain, now);
	if (t != NULL && id[0] != '\0') {
		if (needs_fetch(t, id, now))
			renew(s, t, id);
		*why = t->why;
	}
	found = is_valid(t, now) && sts_policy_copy(out, &t->policy) == 0;
	if (found)
		t->used_s = now;
	(void)pthread_mutex_unlock(&s->lock);
	return found;
}

static bool is_due(const struct sts_entry *t, int64_t now)
{
	int64_t half = t->policy.max_age_s / 2;

	return is_valid(t, now) && !t->is_fetched &&
	    now >= t->policy.fetched_s + (half < DAY_S ? half : DAY_S) &&
	    now >= t->rests_until_s;
}

bool sts_refresh(struct sts *s)
{
	int64_t now = sts_now(s);
	struct sts_entry *due = NULL, *t;
	size_t i;

	(void)pthread_mutex_lock(&s->lock);
	/* whoever was not tried for longest: policies that want to be fetched
	 * all the time, from slow servers, do not keep others from it */
	for (i = 0; i < STS_BUCKETS; i++)
		for (t = s->bucket[i]; t != NULL; t = t->next)
			if (is_due(t, now) && (due == NULL ||
			    t->rests_until_s < due->rests_until_s))
				due = t;
	if (due != NULL)
		renew(s, due, NULL);
	(void)pthread_mutex_unlock(&s->lock);
	return due != NULL;
}
