/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The cache of answers: a hash table, and a list by last use.
 */
#include "fetch/find_cache.h"

#include <stdlib.h>
#include <string.h>

#include "util/ossl.h"

#define SLOTS 1024 /* a power of two */

struct entry {
	struct entry *next;	     /* in the slot */
	struct entry *older, *newer; /* by last use */
	size_t slot;
	size_t directory;
	char *key;
	int64_t until;
	struct err failure; /* kind 0: an answer */
	struct found_certs found;
	size_t octets;
};

struct find_cache {
	struct entry *slot[SLOTS];
	struct entry *oldest, *newest;
	size_t entries, octets;
	size_t max_entries, max_octets;
	uint64_t seed;
};

int find_cache_new(struct find_cache **out, size_t entries, size_t octets,
    struct err *e)
{
	struct find_cache *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (c == NULL)
		return err_set(e, FAIL_TEMP, "directories: out of memory");
	c->max_entries = entries;
	c->max_octets = octets;
	ossl_random(&c->seed, sizeof(c->seed));
	*out = c;
	return 0;
}

/* FNV-1a, seeded: what is asked for comes from mail. */
static size_t slot_of(const struct find_cache *c, size_t directory,
    const char *key)
{
	uint64_t h = c->seed ^ (14695981039346656037u + directory);

	for (; *key != '\0'; key++)
		h = (h ^ (unsigned char)*key) * 1099511628211u;
	return (size_t)(h >> 32) & (SLOTS - 1);
}

static void unlist(struct find_cache *c, struct entry *x)
{
	*(x->older != NULL ? &x->older->newer : &c->oldest) = x->newer;
	*(x->newer != NULL ? &x->newer->older : &c->newest) = x->older;
	x->older = x->newer = NULL;
}

static void enlist(struct find_cache *c, struct entry *x)
{
	x->older = c->newest;
	*(c->newest != NULL ? &c->newest->newer : &c->oldest) = x;
	c->newest = x;
}

static void entry_free(struct entry *x)
{
	found_certs_free(&x->found);
	free(x->key);
	free(x);
}

static void drop(struct find_cache *c, struct entry *x)
{
	struct entry **p = &c->slot[x->slot];

	while (*p != x)
		p = &(*p)->next;
	*p = x->next;
	unlist(c, x);
	c->entries--;
	c->octets -= x->octets;
	entry_free(x);
}

void find_cache_free(struct find_cache **cp)
{
	struct find_cache *c = *cp;

	if (c == NULL)
		return;
	while (c->oldest != NULL)
		drop(c, c->oldest);
	free(c);
	*cp = NULL;
}

static struct entry *look(struct find_cache *c, size_t directory,
    const char *key)
{
	struct entry *x = c->slot[slot_of(c, directory, key)];

	while (x != NULL && (x->directory != directory ||
	    strcmp(x->key, key) != 0))
		x = x->next;
	return x;
}

static int copy(const struct found_certs *f, struct found_certs *out)
{
	bool ok = true;

	found_certs_free(out);
	found_certs_init(out);
	out->source = f->source;
	text_set(out->from, sizeof(out->from), f->from);
	text_set(out->warning, sizeof(out->warning), f->warning);
	for (size_t i = 0; i < f->n; i++) {
		buf_putv(&out->der[i], buf_view(&f->der[i]));
		ok = ok && buf_ok(&out->der[i], NULL) == 0;
		out->is_vouched[i] = f->is_vouched[i];
	}
	out->n = f->n;
	if (!ok)
		found_certs_free(out);
	return ok ? 0 : -1;
}

enum find_cached find_cache_get(struct find_cache *c, size_t directory,
    const char *key, int64_t now, struct found_certs *out, struct err *e)
{
	struct entry *x = look(c, directory, key);

	if (x != NULL && x->until <= now) {
		drop(c, x);
		x = NULL;
	}
	if (x == NULL)
		return FIND_UNKNOWN;
	unlist(c, x);
	enlist(c, x);
	if (x->failure.kind != 0) {
		(void)err_set(e, x->failure.kind, "%s", x->failure.msg);
		return FIND_FAILURE;
	}
	return copy(&x->found, out) == 0 ? FIND_ANSWER : FIND_UNKNOWN;
}

static void keep(struct find_cache *c, struct entry *x)
{
	struct entry *old = look(c, x->directory, x->key);

	if (old != NULL)
		drop(c, old);
	x->octets = sizeof(*x) + strlen(x->key);
	for (size_t i = 0; i < x->found.n; i++)
		x->octets += x->found.der[i].n;
	if (x->octets > c->max_octets || c->max_entries == 0) {
		entry_free(x);
		return;
	}
	while (c->entries >= c->max_entries ||
	    c->octets + x->octets > c->max_octets)
		drop(c, c->oldest);
	x->slot = slot_of(c, x->directory, x->key);
	x->next = c->slot[x->slot];
	c->slot[x->slot] = x;
	enlist(c, x);
	c->entries++;
	c->octets += x->octets;
}

static struct entry *entry_new(size_t directory, const char *key,
    int64_t until)
{
	struct entry *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	found_certs_init(&x->found);
	x->directory = directory;
	x->until = until;
	x->key = strdup(key);
	if (x->key == NULL) {
		free(x);
		return NULL;
	}
	return x;
}

void find_cache_put(struct find_cache *c, size_t directory, const char *key,
    const struct found_certs *f, int64_t until)
{
	struct entry *x = entry_new(directory, key, until);

	if (x == NULL)
		return;
	if (copy(f, &x->found) != 0)
		entry_free(x);
	else
		keep(c, x);
}

void find_cache_put_failure(struct find_cache *c, size_t directory,
    const char *key, const struct err *why, int64_t until)
{
	struct entry *x = entry_new(directory, key, until);

	if (x == NULL)
		return;
	x->failure = *why;
	keep(c, x);
}

size_t find_cache_entries(const struct find_cache *c)
{
	return c->entries;
}

size_t find_cache_octets(const struct find_cache *c)
{
	return c->octets;
}
