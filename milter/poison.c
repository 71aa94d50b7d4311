/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A small ring of hashes; the oldest is forgotten first. An attacker who can
 * kill workers at will can flush it, but each flush costs him as many 451.
 */
#include "milter/poison.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/ossl.h"

#define POISON_ENTRIES 256
#define POISON_FINAL 2
#define POISON_BLOCK 65536

struct poison {
	pthread_mutex_t lock;
	struct {
		unsigned char hash[32];
		uint64_t size;
		unsigned deaths; /* 0: free */
	} entry[POISON_ENTRIES];
	size_t next;
};

int poison_new(struct poison **out, struct err *e)
{
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	(void)pthread_mutex_init(&(*out)->lock, NULL);
	return 0;
}

void poison_free(struct poison **p)
{
	if (*p != NULL)
		(void)pthread_mutex_destroy(&(*p)->lock);
	free(*p);
	*p = NULL;
}

int poison_hash(const struct spool *msg, unsigned char out[32],
    struct err *e)
{
	return poison_hash_from(msg, 0, out, e);
}

int poison_hash_from(const struct spool *msg, uint64_t off,
    unsigned char out[32], struct err *e)
{
	unsigned char *b = malloc(32 + POISON_BLOCK);
	size_t n;
	int rc = -1;

	if (b == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	memset(b, 0, 32);
	do {
		if (spool_read(msg, off, b + 32, POISON_BLOCK, &n, e) != 0)
			goto out;
		ossl_sha256(b, 32 + n, b);
		off += n;
	} while (n > 0);
	memcpy(out, b, 32);
	rc = 0;
out:
	ossl_wipe(b, 32 + POISON_BLOCK);
	free(b);
	return rc;
}

static unsigned find(const struct poison *p, const unsigned char hash[32],
    size_t *at)
{
	size_t i;

	for (i = 0; i < POISON_ENTRIES; i++)
		if (p->entry[i].deaths > 0 &&
		    memcmp(p->entry[i].hash, hash, 32) == 0) {
			*at = i;
			return p->entry[i].deaths;
		}
	return 0;
}

unsigned poison_death(struct poison *p, const unsigned char hash[32],
    uint64_t size)
{
	unsigned n;
	size_t i;

	(void)pthread_mutex_lock(&p->lock);
	if (find(p, hash, &i) == 0) {
		i = p->next;
		p->next = (i + 1) % POISON_ENTRIES;
		memcpy(p->entry[i].hash, hash, 32);
		p->entry[i].size = size;
		p->entry[i].deaths = 0;
	}
	n = ++p->entry[i].deaths;
	(void)pthread_mutex_unlock(&p->lock);
	return n;
}

bool poison_maybe(struct poison *p, uint64_t size)
{
	bool maybe = false;
	size_t i;

	(void)pthread_mutex_lock(&p->lock);
	for (i = 0; i < POISON_ENTRIES && !maybe; i++)
		maybe = p->entry[i].deaths >= POISON_FINAL &&
		    p->entry[i].size == size;
	(void)pthread_mutex_unlock(&p->lock);
	return maybe;
}

bool poison_is(struct poison *p, const unsigned char hash[32])
{
	unsigned n;
	size_t i;

	(void)pthread_mutex_lock(&p->lock);
	n = find(p, hash, &i);
	(void)pthread_mutex_unlock(&p->lock);
	return n >= POISON_FINAL;
}
