/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A table of bounded size from SHA-256 to a pointer; when it is full, what
 * was not asked for longest goes. Keys are hashes, so their first octets
 * spread them and nobody can aim at one bucket without work.
 */
#include "keystore/keystore_int.h"

#include <stdlib.h>
#include <string.h>

struct node {
	unsigned char key[32];
	void *value;
	struct node *next;	   /* in the bucket */
	struct node *older, *newer; /* in order of use */
};

struct lru {
	struct node **bucket;
	size_t buckets; /* a power of two */
	size_t n;
	size_t max;
	struct node *newest, *oldest;
	lru_drop *drop;
};

struct lru *lru_new(size_t max, lru_drop *drop)
{
	struct lru *l;

	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return NULL;
	l->max = max;
	l->drop = drop;
	l->buckets = 16;
	while (l->buckets < max)
		l->buckets *= 2;
	l->bucket = calloc(l->buckets, sizeof(*l->bucket));
	if (l->bucket == NULL) {
		free(l);
		return NULL;
	}
	return l;
}

static struct node **find_slot(struct lru *l, const unsigned char key[32])
{
	struct node **p;
	uint64_t h;

	memcpy(&h, key, sizeof(h));
	p = &l->bucket[h & (l->buckets - 1)];
	while (*p != NULL && memcmp((*p)->key, key, 32) != 0)
		p = &(*p)->next;
	return p;
}

static void unlink_use(struct lru *l, struct node *n)
{
	if (n->newer != NULL)
		n->newer->older = n->older;
	else
		l->newest = n->older;
	if (n->older != NULL)
		n->older->newer = n->newer;
	else
		l->oldest = n->newer;
	n->older = n->newer = NULL;
}

static void link_newest(struct lru *l, struct node *n)
{
	n->older = l->newest;
	if (l->newest != NULL)
		l->newest->newer = n;
	l->newest = n;
	if (l->oldest == NULL)
		l->oldest = n;
}

static void remove_node(struct lru *l, struct node *n)
{
	struct node **slot = find_slot(l, n->key);

	*slot = n->next;
	unlink_use(l, n);
	l->n--;
	l->drop(n->value);
	free(n);
}

void *lru_get(struct lru *l, const unsigned char key[32])
{
	struct node *n = *find_slot(l, key);

	if (n == NULL)
		return NULL;
	if (l->newest != n) {
		unlink_use(l, n);
		link_newest(l, n);
	}
	return n->value;
}

void lru_put(struct lru *l, const unsigned char key[32], void *take_value)
{
	struct node *n = *find_slot(l, key);
	struct node **slot;

	if (n != NULL)
		remove_node(l, n);
	if (l->n >= l->max)
		remove_node(l, l->oldest);
	n = calloc(1, sizeof(*n));
	if (n == NULL) {
		/* A cache that cannot grow is slow, not wrong. */
		l->drop(take_value);
		return;
	}
	memcpy(n->key, key, 32);
	n->value = take_value;
	slot = find_slot(l, key);
	*slot = n;
	link_newest(l, n);
	l->n++;
}

void lru_clear(struct lru *l)
{
	while (l->oldest != NULL)
		remove_node(l, l->oldest);
}

void lru_free(struct lru **l)
{
	if (*l == NULL)
		return;
	lru_clear(*l);
	free((*l)->bucket);
	free(*l);
	*l = NULL;
}
