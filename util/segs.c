/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Pieces, and the list of free ones. Memory taken from the system page by
 * page and given back for each message cost more than what was done with
 * it, hence the list.
 */
#include "util/segs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FIRST 8192

/* A free piece; wiped but for this. */
struct spare {
	struct spare *next;
};

/* What is in it, but for is_on and most, belongs to who holds the lock. */
static struct {
	pthread_mutex_t lock;
	bool is_on;
	size_t most; /* octets kept */
	size_t kept;
	size_t in_use;
	struct spare *list;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

void segs_keep(size_t octets)
{
	pool.is_on = true;
	pool.most = octets;
}

static void lock_pool(void)
{
	(void)pthread_mutex_lock(&pool.lock);
}

static void unlock_pool(void)
{
	(void)pthread_mutex_unlock(&pool.lock);
}

size_t segs_in_use(void)
{
	size_t n;

	lock_pool();
	n = pool.in_use;
	unlock_pool();
	return n;
}

/* Of *size octets, or a free one that has more. */
static unsigned char *take_piece(size_t *size)
{
	struct spare *x;
	unsigned char *p;

	if (!pool.is_on)
		return malloc(*size);
	lock_pool();
	x = pool.list;
	if (x != NULL) {
		pool.list = x->next;
		pool.kept -= SEGS_PIECE;
		*size = SEGS_PIECE;
	}
	pool.in_use += *size;
	unlock_pool();
	p = x == NULL ? malloc(*size) : (unsigned char *)x;
	if (p == NULL) {
		lock_pool();
		pool.in_use -= *size;
		unlock_pool();
	}
	return p;
}

/* n octets of it were used. */
static void give_piece(unsigned char *p, size_t n, size_t size)
{
	struct spare *x = (void *)p;
	bool is_kept;

	explicit_bzero(p, n);
	if (!pool.is_on) {
		free(p);
		return;
	}
	lock_pool();
	pool.in_use -= size;
	is_kept = size == SEGS_PIECE && pool.kept < pool.most;
	if (is_kept) {
		x->next = pool.list;
		pool.list = x;
		pool.kept += SEGS_PIECE;
	}
	unlock_pool();
	if (!is_kept)
		free(p);
}

static int no_memory(struct err *e)
{
	return err_set(e, FAIL_TEMP, "spool: out of memory");
}

static int add_entry(struct segs *s, struct err *e)
{
	size_t room = s->room == 0 ? 8 : 2 * s->room;
	unsigned char **p;

	if (s->pieces < s->room)
		return 0;
	p = realloc(s->piece, room * sizeof(*p));
	if (p == NULL)
		return no_memory(e);
	s->piece = p;
	s->room = room;
	return 0;
}

static int add_piece(struct segs *s, size_t size, struct err *e)
{
	unsigned char *p;

	if (add_entry(s, e) != 0)
		return -1;
	p = take_piece(&size);
	if (p == NULL)
		return no_memory(e);
	if (s->pieces == 0)
		s->first = size;
	s->piece[s->pieces++] = p;
	return 0;
}

/* Not realloc: it could leave a copy of the mail behind. */
static int grow_first(struct segs *s, struct err *e)
{
	size_t size = 2 * s->first;
	unsigned char *p = take_piece(&size);

	if (p == NULL)
		return no_memory(e);
	memcpy(p, s->piece[0], s->n);
	give_piece(s->piece[0], s->n, s->first);
	s->piece[0] = p;
	s->first = size;
	return 0;
}

int segs_room(struct segs *s, unsigned char **p, size_t *k, struct err *e)
{
	size_t i = s->n / SEGS_PIECE;
	int rc = 0;

	if (s->pieces == 0)
		rc = add_piece(s, FIRST, e);
	else if (i == 0 && s->n == s->first)
		rc = grow_first(s, e);
	else if (i == s->pieces)
		rc = add_piece(s, SEGS_PIECE, e);
	if (rc != 0)
		return -1;
	*p = s->piece[i] + s->n % SEGS_PIECE;
	*k = (i == 0 ? s->first : SEGS_PIECE) - s->n % SEGS_PIECE;
	return 0;
}

int segs_put(struct segs *s, const void *data, size_t n, struct err *e)
{
	const unsigned char *from = data;
	size_t before = s->n;
	unsigned char *p;
	size_t k;

	while (n > 0) {
		if (segs_room(s, &p, &k, e) != 0) {
			segs_cut(s, before);
			return -1;
		}
		k = k < n ? k : n;
		memcpy(p, from, k);
		s->n += k;
		from += k;
		n -= k;
	}
	return 0;
}

unsigned char *segs_at(const struct segs *s, size_t off, size_t *k)
{
	size_t in = off % SEGS_PIECE;

	*k = SEGS_PIECE - in < s->n - off ? SEGS_PIECE - in : s->n - off;
	return s->piece[off / SEGS_PIECE] + in;
}

/* Octets in use of piece i. */
static size_t used_of(const struct segs *s, size_t i)
{
	size_t from = i * SEGS_PIECE;

	if (s->n <= from)
		return 0;
	return s->n - from < SEGS_PIECE ? s->n - from : SEGS_PIECE;
}

/* The last one. */
static void drop_piece(struct segs *s)
{
	size_t i = s->pieces - 1;

	give_piece(s->piece[i], used_of(s, i), i == 0 ? s->first
	    : SEGS_PIECE);
	s->pieces--;
}

void segs_cut(struct segs *s, size_t n)
{
	size_t left = n / SEGS_PIECE + (n % SEGS_PIECE > 0);
	size_t k;

	if (n >= s->n)
		return;
	while (s->pieces > left && s->pieces > 1)
		drop_piece(s);
	if (n < s->pieces * SEGS_PIECE) {
		k = used_of(s, s->pieces - 1) - n % SEGS_PIECE;
		explicit_bzero(s->piece[s->pieces - 1] + n % SEGS_PIECE, k);
	}
	s->n = n;
}

void segs_free(struct segs *s)
{
	while (s->pieces > 0)
		drop_piece(s);
	free(s->piece);
	memset(s, 0, sizeof(*s));
}
