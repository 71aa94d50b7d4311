/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Opening and closing of listening sockets.
 */
#include "relay/places.h"

#include <string.h>
#include <unistd.h>

#include "util/log.h"

static struct place *find(struct places *p, const char *where)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (strcmp(p->place[i].where, where) == 0)
			return &p->place[i];
	return NULL;
}

/* What is done to each place of a configuration. */
typedef int place_do(struct places *p, const struct listen_place *l,
    const struct ids *ids, struct err *e);

static int want(struct places *p, const struct listen_place *l,
    const struct ids *ids, struct err *e)
{
	struct place *x = find(p, l->where);

	if (x != NULL)
		return 0;
	if (p->n == RELAY_SOCKS_MAX)
		return err_set(e, FAIL_CONFIG, "relay: more than %d places to "
		    "listen on", RELAY_SOCKS_MAX);
	x = &p->place[p->n];
	memset(x, 0, sizeof(*x));
	text_set(x->where, sizeof(x->where), l->where);
	if (listen_at(l, ids, &x->fd, &x->made, e) != 0)
		return -1;
	p->n++;
	return 0;
}

/* One that cannot be is no reason not to look at the others. */
static int own(struct places *p, const struct listen_place *l,
    const struct ids *ids, struct err *e)
{
	struct place *x = find(p, l->where);

	if (x != NULL && listen_path(l->where) != NULL &&
	    listen_change_owner(listen_path(l->where), l->mode, l->group, ids,
	    &x->made, e) != 0)
		log_warn("event=reload error=\"%s\"", e->msg);
	return 0;
}

static int for_all(struct places *p, const struct relay_config *c,
    const struct ids *ids, place_do *f, struct err *e)
{
	struct listen_place l = { NULL, 0600, NULL };
	size_t i, k;

	/* no place is there twice: relay_config_check() */
	for (i = 0; i < c->listeners; i++)
		for (k = 0; k < c->listener[i].ons; k++) {
			const struct listen_on *on = &c->listener[i].on[k];

			l.where = on->where;
			l.mode = on->mode;
			l.group = on->group;
			if (f(p, &l, ids, e) != 0)
				return -1;
		}
	l.where = c->socketmap;
	l.mode = c->socketmap_mode;
	l.group = c->socketmap_group;
	if (l.where != NULL && f(p, &l, ids, e) != 0)
		return -1;
	l.where = c->metrics;
	return l.where == NULL ? 0 : f(p, &l, ids, e);
}

int places_open(struct places *p, const struct relay_config *c,
    const struct ids *ids, struct err *e)
{
	return for_all(p, c, ids, want, e);
}

void places_own(struct places *p, const struct relay_config *c,
    const struct ids *ids)
{
	struct err e = { 0 };

	(void)for_all(p, c, ids, own, &e);
}

static void close_place(struct place *x)
{
	close(x->fd);
	if (listen_path(x->where) != NULL)
		listen_unlink(listen_path(x->where), &x->made);
}

static bool is_wanted(const struct relay_config *c, const char *where)
{
	size_t i, k;

	for (i = 0; i < c->listeners; i++)
		for (k = 0; k < c->listener[i].ons; k++)
			if (strcmp(c->listener[i].on[k].where, where) == 0)
				return true;
	return (c->socketmap != NULL && strcmp(c->socketmap, where) == 0) ||
	    (c->metrics != NULL && strcmp(c->metrics, where) == 0);
}

void places_sweep(struct places *p, const struct relay_config *c)
{
	size_t i = 0;

	while (i < p->n) {
		if (is_wanted(c, p->place[i].where)) {
			i++;
			continue;
		}
		close_place(&p->place[i]);
		p->place[i] = p->place[--p->n];
	}
}

void places_close(struct places *p)
{
	while (p->n > 0)
		close_place(&p->place[--p->n]);
}

int places_fd(const struct places *p, const char *where)
{
	size_t i;

	for (i = 0; where != NULL && i < p->n; i++)
		if (strcmp(p->place[i].where, where) == 0)
			return p->place[i].fd;
	return -1;
}

size_t places_socks(const struct places *p, const struct relay_config *c,
    struct relay_sock *out)
{
	size_t i, k, n = 0;

	for (i = 0; i < c->listeners; i++)
		for (k = 0; k < c->listener[i].ons; k++)
			out[n++] = (struct relay_sock){ places_fd(p,
			    c->listener[i].on[k].where), i, k };
	return n;
}
