/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Slots in shared memory, found by the key's first octets: a key may lie in
 * one of WAYS slots, the oldest of them gives way. A lock of the processes'
 * own; whoever dies with it leaves it to the next.
 */
#include "relay/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/ossl.h"

#define WAYS 8
#define DAY_S 86400
#define MAGIC "postseal ledger1"

struct slot {
	unsigned char key[32];
	int64_t at_s; /* 0: empty */
};

struct shared {
	char magic[16];
	uint64_t entries;
	struct slot slot[];
};

struct ledger {
	struct shared *m;
	size_t size;
	pthread_mutex_t *lock; /* in memory of its own, not in the file */
};

static int make_lock(struct ledger *l, struct err *e)
{
	pthread_mutexattr_t a;

	l->lock = mmap(NULL, sizeof(*l->lock), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (l->lock == MAP_FAILED) {
		l->lock = NULL;
		return err_sys(e, FAIL_TEMP, "ledger: memory");
	}
	(void)pthread_mutexattr_init(&a);
	(void)pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	(void)pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	if (pthread_mutex_init(l->lock, &a) != 0)
		return err_set(e, FAIL_TEMP, "ledger: no lock");
	return 0;
}

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
	if (make_lock(l, e) != 0 ||
	    (path != NULL && (fd = open_file(path, l->size, e)) < 0)) {
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
	if ((*l)->lock != NULL)
		(void)munmap((*l)->lock, sizeof(*(*l)->lock));
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

static void lock(struct ledger *l)
{
	if (pthread_mutex_lock(l->lock) == EOWNERDEAD)
		(void)pthread_mutex_consistent(l->lock);
}

/* The first of the slots where a key may lie. */
static struct slot *place(struct ledger *l, const unsigned char key[32])
{
	uint64_t h;

	memcpy(&h, key, sizeof(h));
	return &l->m->slot[h % (l->m->entries / WAYS) * WAYS];
}

void ledger_put(struct ledger *l, const unsigned char key[32], int64_t now_s)
{
	struct slot *s = place(l, key), *oldest = s;
	size_t i;

	lock(l);
	for (i = 1; i < WAYS; i++)
		if (s[i].at_s < oldest->at_s)
			oldest = &s[i];
	/* told twice, it still counts once */
	for (i = 0; i < WAYS; i++)
		if (s[i].at_s != 0 && memcmp(s[i].key, key, 32) == 0)
			oldest = &s[i];
	memcpy(oldest->key, key, 32);
	oldest->at_s = now_s;
	(void)pthread_mutex_unlock(l->lock);
}

bool ledger_take(struct ledger *l, const unsigned char key[32],
    int64_t now_s)
{
	struct slot *s = place(l, key);
	bool found = false;
	size_t i;

	lock(l);
	for (i = 0; i < WAYS && !found; i++) {
		found = s[i].at_s > now_s - DAY_S && s[i].at_s <= now_s &&
		    memcmp(s[i].key, key, 32) == 0;
		if (found)
			memset(&s[i], 0, sizeof(s[i]));
	}
	(void)pthread_mutex_unlock(l->lock);
	return found;
}
