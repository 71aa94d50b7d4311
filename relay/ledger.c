/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Slots in shared memory, found by the key's first octets: a key may lie in
 * one of WAYS slots, the oldest of them gives way. No lock, and nothing in it
 * is a place or a size: a worker in wrong hands can make it forget, but
 * neither hold up the others nor lead them astray.
 */
#include "relay/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/ossl.h"

#define WAYS 8
#define DAY_S 86400
#define MAGIC "postseal ledger1"

#define BUSY -1 /* somebody writes its key; older than all, if he died */

struct slot {
	unsigned char key[32];
	atomic_int_fast64_t at_s; /* 0: empty */
};

struct shared {
	char magic[16];
	uint64_t entries;
	struct slot slot[];
};

struct ledger {
	struct shared *m;
	size_t size;
	uint64_t sets; /* ours, not what the shared memory says */
};

static int open_file(const char *path, size_t size, struct err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;

	if (fd < 0)
		return err_sys(e, FAIL_CONFIG, "ledger: %s", path);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1) {
		close(fd);
		return err_set(e, FAIL_CONFIG, "ledger: %s is no plain file",
		    path);
	}
	/* all of it on the disk, so that a full one shows now */
	if (ftruncate(fd, (off_t)size) != 0 ||
	    posix_fallocate(fd, 0, (off_t)size) != 0) {
		(void)err_sys(e, FAIL_CONFIG, "ledger: %s", path);
		close(fd);
		return -1;
	}
	return fd;
}

int ledger_open(struct ledger **out, const char *path, size_t entries,
    struct err *e)
{
	struct ledger *l = calloc(1, sizeof(*l));
	int fd = -1;

	*out = NULL;
	if (l == NULL)
		return err_set(e, FAIL_TEMP, "ledger: out of memory");
	entries = entries < WAYS ? WAYS : entries / WAYS * WAYS;
	l->size = sizeof(*l->m) + entries * sizeof(struct slot);
	l->sets = entries / WAYS;
	if (path != NULL && (fd = open_file(path, l->size, e)) < 0) {
		ledger_free(&l);
		return -1;
	}
	l->m = mmap(NULL, l->size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
	if (fd >= 0)
		close(fd);
	if (l->m == MAP_FAILED) {
		l->m = NULL;
		ledger_free(&l);
		return err_sys(e, FAIL_TEMP, "ledger: memory");
	}
	if (memcmp(l->m->magic, MAGIC, sizeof(l->m->magic)) != 0 ||
	    l->m->entries != entries) {
		memset(l->m, 0, l->size);
		memcpy(l->m->magic, MAGIC, sizeof(l->m->magic));
		l->m->entries = entries;
	}
	*out = l;
	return 0;
}

void ledger_free(struct ledger **l)
{
	if (*l == NULL)
		return;
	if ((*l)->m != NULL)
		(void)munmap((*l)->m, (*l)->size);
	free(*l);
	*l = NULL;
}

static void put_text(struct buf *b, const char *s)
{
	buf_printf(b, "%zu:%s,", strlen(s), s);
}

void ledger_key(unsigned char key[32], const char *listener,
    const char *from, const char *rcpt, const unsigned char message[32])
{
	struct buf b;

	buf_init(&b, 1u << 16);
	put_text(&b, listener);
	put_text(&b, from);
	put_text(&b, rcpt);
	buf_put(&b, message, 32);
	/* no memory: a key that nobody else has */
	if (buf_ok(&b, NULL) == 0)
		ossl_sha256(b.p, b.n, key);
	else
		ossl_random(key, 32);
	buf_free(&b);
}

/* The first of the slots where a key may lie. */
static struct slot *place(struct ledger *l, const unsigned char key[32])
{
	uint64_t h;

	memcpy(&h, key, sizeof(h));
	return &l->m->slot[h % l->sets * WAYS];
}

/* The slot for a key: its own, if it was told before, or the oldest; *at is
 * what it says. A time to come is older than all. */
static struct slot *choose(struct slot *s, const unsigned char key[32],
    int64_t now_s, int_fast64_t *at)
{
	int_fast64_t this, oldest = INT64_MAX;
	struct slot *best = s;
	size_t i;

	for (i = 0; i < WAYS; i++) {
		this = atomic_load(&s[i].at_s);
		if (this > 0 && memcmp(s[i].key, key, 32) == 0) {
			*at = this;
			return &s[i];
		}
		if ((this > now_s ? BUSY : this) >= oldest)
			continue;
		oldest = this > now_s ? BUSY : this;
		best = &s[i];
		*at = this;
	}
	return best;
}

void ledger_put(struct ledger *l, const unsigned char key[32], int64_t now_s)
{
	struct slot *s = place(l, key), *to;
	int_fast64_t at = 0;
	int tries = WAYS;

	do
		to = choose(s, key, now_s, &at);
	while (!atomic_compare_exchange_strong(&to->at_s, &at, BUSY) &&
	    --tries > 0);
	if (tries == 0)
		return; /* all of them are written at once: a duplicate */
	memcpy(to->key, key, 32);
	atomic_store(&to->at_s, now_s);
}

bool ledger_take(struct ledger *l, const unsigned char key[32],
    int64_t now_s)
{
	struct slot *s = place(l, key);
	int_fast64_t at;
	size_t i;

	for (i = 0; i < WAYS; i++) {
		at = atomic_load(&s[i].at_s);
		if (at > 0 && at > now_s - DAY_S && at <= now_s &&
		    memcmp(s[i].key, key, 32) == 0 &&
		    atomic_compare_exchange_strong(&s[i].at_s, &at, 0))
			return true;
	}
	return false;
}
