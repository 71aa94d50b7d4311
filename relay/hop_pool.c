/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What transactions of a worker share: connections that wait for the next
 * message to the same address under the same policy (T61), how many go to one
 * destination at a time, and hosts that failed a moment ago.
 */
#include "relay/hop_int.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/hash.h"

#define TICK_S 5

struct dest {
	char *name;
	int active;
	TAILQ_HEAD(, hop) waiting; /* until others leave */
	struct dest *next;
};

/* ---- kept connections ---- */

static bool same_key(const struct link_key *a, const struct link_key *b)
{
	return a->sa_len == b->sa_len && a->lmtp == b->lmtp &&
	    memcmp(&a->sa, &b->sa, a->sa_len) == 0 &&
	    memcmp(a->want, b->want, sizeof(a->want)) == 0 &&
	    memcmp(a->client, b->client, sizeof(a->client)) == 0;
}

static bool same_host(const struct link_key *a, const struct link_key *b)
{
	return a->sa_len == b->sa_len && a->lmtp == b->lmtp &&
	    memcmp(&a->sa, &b->sa, a->sa_len) == 0;
}

void pool_remove(struct hop_link *l)
{
	LIST_REMOVE(l, kept);
	l->hops->kepts--;
}

static void close_kept(struct hop_link *l)
{
	pool_remove(l);
	link_quit(&l);
}

/* Octets that wait, an end, or an error: it is not what it was. */
static bool is_quiet(const struct hop_link *l)
{
	char c;

	if (conn_input(l->conn).n > 0 || !smtp_sender_is_idle(l->smtp))
		return false;
	return recv(conn_fd(l->conn), &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	    (errno == EAGAIN || errno == EWOULDBLOCK);
}

struct hop_link *pool_take(struct hops *hs, const struct link_key *k)
{
	struct hop_link *l, *next;

	for (l = LIST_FIRST(&hs->kept); l != NULL; l = next) {
		next = LIST_NEXT(l, kept);
		if (!same_host(&l->key, k))
			continue;
		if (same_key(&l->key, k) && is_quiet(l)) {
			pool_remove(l);
			l->is_reused = true;
			return l;
		}
		/* the policy for that address is another one now, or the
		 * host had something to say */
		if (memcmp(l->key.want, k->want, sizeof(k->want)) != 0 ||
		    !is_quiet(l))
			close_kept(l);
	}
	return NULL;
}

static struct hop_link *oldest(const struct hops *hs)
{
	struct hop_link *l, *found = NULL;

	LIST_FOREACH(l, &hs->kept, kept)
		if (found == NULL || l->idle_since < found->idle_since)
			found = l;
	return found;
}

void pool_keep(struct hop_link *l)
{
	const struct smtp_offers *o = smtp_sender_offers(l->smtp);
	struct hops *hs = l->hops;

	l->hop = NULL;
	if (hs->is_stopping || l->is_plain || l->messages >= HOP_MESSAGES ||
	    (o->mail_max > 0 && l->messages >= o->mail_max) ||
	    conn_input(l->conn).n > 0 || !smtp_sender_is_idle(l->smtp)) {
		link_quit(&l);
		return;
	}
	if (hs->kepts >= HOP_KEPT)
		close_kept(oldest(hs));
	conn_deadline(l->conn, 0);
	l->idle_since = clock_ms();
	LIST_INSERT_HEAD(&hs->kept, l, kept);
	hs->kepts++;
}

static void drop_kept(struct hops *hs, int64_t older_ms)
{
	struct hop_link *l, *next;
	int64_t now = clock_ms();

	for (l = LIST_FIRST(&hs->kept); l != NULL; l = next) {
		next = LIST_NEXT(l, kept);
		if (now - l->idle_since >= older_ms)
			close_kept(l);
	}
}

/* ---- hosts that are left alone ---- */

static struct rest *find_rest(struct hops *hs, const struct link_key *k)
{
	for (size_t i = 0; i < HOP_RESTS; i++)
		if (hs->rest[i].until_ms != 0 &&
		    same_key(&hs->rest[i].key, k))
			return &hs->rest[i];
	return NULL;
}

const struct hop_failure *pool_rests(struct hops *hs,
    const struct link_key *k, int64_t *left_ms)
{
	struct rest *r = find_rest(hs, k);

	if (r == NULL)
		return NULL;
	*left_ms = r->until_ms - clock_ms();
	if (*left_ms > 0)
		return &r->f;
	r->until_ms = 0;
	return NULL;
}

void pool_rest(struct hops *hs, const struct link_key *k,
    const struct hop_failure *f, int64_t ms)
{
	struct rest *r = find_rest(hs, k);

	if (ms <= 0)
		return;
	/* a free one, or the one that ends first */
	if (r == NULL) {
		r = &hs->rest[0];
		for (size_t i = 1; i < HOP_RESTS; i++)
			if (hs->rest[i].until_ms < r->until_ms)
				r = &hs->rest[i];
	}
	r->key = *k;
	r->f = *f;
	r->until_ms = clock_ms() + ms;
}

void pool_rested(struct hops *hs, const struct link_key *k)
{
	struct rest *r = find_rest(hs, k);

	if (r != NULL)
		r->until_ms = 0;
}

/* ---- destinations ---- */

static struct dest **find_dest(struct hops *hs, const char *name)
{
	uint32_t sum = hash_view(HASH_START, view_of(name));
	struct dest **d;

	for (d = &hs->dest[sum % HOP_DESTS]; *d != NULL; d = &(*d)->next)
		if (strcmp((*d)->name, name) == 0)
			break;
	return d;
}

bool dest_enter(struct hop *h)
{
	const struct route *r = h->route;
	struct dest **d, *new;
	struct buf name;
	bool is_full;

	buf_init(&name, RELAY_NAME + TLS_NAME_MAX);
	buf_printf(&name, "%s %s", r->name, r->nexthop);
	d = find_dest(h->hops, buf_str(&name));
	if (*d == NULL) {
		new = calloc(1, sizeof(*new));
		if (new != NULL)
			new->name = strdup(buf_str(&name));
		if (new == NULL || new->name == NULL) {
			free(new);
		} else {
			TAILQ_INIT(&new->waiting);
			*d = new;
		}
	}
	buf_free(&name);
	if (*d == NULL)
		return false;
	is_full = r->concurrency > 0 && (*d)->active >= r->concurrency;
	if (is_full && h->env.turn_ms == 0)
		return false;
	h->dest = *d;
	h->waits = is_full;
	if (is_full)
		TAILQ_INSERT_TAIL(&h->dest->waiting, h, turn);
	else
		h->dest->active++;
	return true;
}

static void stop_waiting(struct hop *h)
{
	TAILQ_REMOVE(&h->dest->waiting, h, turn);
	h->waits = false;
}

void dest_leave(struct hop *h)
{
	struct dest *gone = h->dest, **d;
	struct hop *next;

	if (gone == NULL)
		return;
	if (h->waits) {
		stop_waiting(h);
	} else {
		gone->active--;
		next = TAILQ_FIRST(&gone->waiting);
		if (next != NULL) {
			stop_waiting(next);
			gone->active++;
			hop_has_turn(next);
		}
	}
	h->dest = NULL;
	if (gone->active > 0)
		return;
	d = find_dest(h->hops, gone->name);
	*d = gone->next;
	free(gone->name);
	free(gone);
}

/* ---- all of a worker ---- */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	drop_kept(arg, HOP_KEPT_MS);
}

int hops_new(struct hops **out, const struct hops_setup *s, struct err *e)
{
	static const struct timeval tick = {TICK_S, 0};
	struct hops *hs = calloc(1, sizeof(*hs));

	*out = NULL;
	if (hs == NULL)
		return err_set(e, FAIL_TEMP, "next hops: out of memory");
	hs->setup = *s;
	text_set(hs->helo, sizeof(hs->helo), s->helo);
	hs->setup.helo = hs->helo;
	LIST_INIT(&hs->kept);
	LIST_INIT(&hs->all);
	hs->rest = calloc(HOP_RESTS, sizeof(*hs->rest));
	hs->tick = event_new(s->base, -1, EV_PERSIST, on_tick, hs);
	if (hs->rest == NULL || hs->tick == NULL ||
	    event_add(hs->tick, &tick) != 0) {
		hops_free(&hs);
		return err_set(e, FAIL_TEMP, "next hops: out of memory");
	}
	*out = hs;
	return 0;
}

void hops_stop(struct hops *hs)
{
	hs->is_stopping = true;
	drop_kept(hs, 0);
}

void hops_free(struct hops **hp)
{
	struct hops *hs = *hp;
	struct hop_link *l;
	struct hop *h;

	if (hs == NULL)
		return;
	hs->is_stopping = true;
	while ((l = LIST_FIRST(&hs->kept)) != NULL) {
		pool_remove(l);
		link_free(&l);
	}
	while ((h = LIST_FIRST(&hs->all)) != NULL)
		hop_destroy(h);
	if (hs->tick != NULL)
		event_free(hs->tick);
	free(hs->rest);
	free(hs);
	*hp = NULL;
}
