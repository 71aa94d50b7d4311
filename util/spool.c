/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Octets that start in memory and move to an unlinked file when they grow.
 * After the move the memory is a write buffer for the tail of the file, so
 * that small writes cost no system call each.
 */
#include "util/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPOOL_FIRST 8192

struct spool {
	unsigned char *mem; /* octets [file_n, file_n + n) */
	size_t n;
	size_t mem_size;
	uint64_t file_n; /* octets in fd */
	uint64_t max;
	int fd;	   /* the file, or -1 while all is in memory */
	int lent;  /* memory file made for spool_fd, or -1 */
	size_t lent_n;
	bool read_only;
};

/* Set once, before the threads start. */
static char spool_dir[PATH_MAX];

int spool_set_dir(const char *dir, struct err *e)
{
	struct stat st;
	size_t n = strlen(dir);

	if (n == 0 || n >= sizeof(spool_dir) - sizeof("/spool.XXXXXX"))
		return err_set(e, FAIL_CONFIG,
		    "spool folder: a path of %zu octets", n);
	if (stat(dir, &st) != 0)
		return err_sys(e, FAIL_CONFIG, "spool folder %s", dir);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, FAIL_CONFIG, "spool folder %s: no folder",
		    dir);
	if (access(dir, W_OK | X_OK) != 0)
		return err_sys(e, FAIL_CONFIG, "spool folder %s", dir);
	memcpy(spool_dir, dir, n + 1);
	return 0;
}

static const char *folder(void)
{
	const char *dir;

	if (spool_dir[0] != '\0')
		return spool_dir;
	dir = getenv("TMPDIR");
	if (dir == NULL || dir[0] != '/' ||
	    strlen(dir) >= sizeof(spool_dir) - sizeof("/spool.XXXXXX"))
		return "/tmp";
	return dir;
}

/* A file that has a name for a moment: for file systems without O_TMPFILE. */
static int open_named(const char *dir, struct err *e)
{
	char path[PATH_MAX];
	size_t n = strlen(dir);
	int fd;

	memcpy(path, dir, n);
	memcpy(path + n, "/spool.XXXXXX", sizeof("/spool.XXXXXX"));
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, FAIL_TEMP, "spool file in %s", dir);
	if (unlink(path) != 0) {
		(void)err_sys(e, FAIL_TEMP, "spool file in %s", dir);
		close(fd);
		return -1;
	}
	return fd;
}

static int open_file(struct err *e)
{
	const char *dir = folder();
	int fd;

	/* O_EXCL: no link may ever be made to it */
	fd = open(dir, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return err_sys(e, FAIL_TEMP, "spool file in %s", dir);
	return open_named(dir, e);
}

int spool_new(struct spool **out, uint64_t max, struct err *e)
{
	struct spool *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (s == NULL)
		return err_set(e, FAIL_TEMP, "spool: out of memory");
	s->max = max;
	s->fd = -1;
	s->lent = -1;
	*out = s;
	return 0;
}

static void wipe_memory(struct spool *s)
{
	if (s->n > 0)
		explicit_bzero(s->mem, s->n);
	s->n = 0;
}

static void drop_files(struct spool *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->lent >= 0)
		close(s->lent);
	s->fd = -1;
	s->lent = -1;
	s->lent_n = 0;
	s->file_n = 0;
	s->read_only = false;
}

void spool_free(struct spool **sp)
{
	struct spool *s = *sp;

	if (s == NULL)
		return;
	wipe_memory(s);
	free(s->mem);
	drop_files(s);
	free(s);
	*sp = NULL;
}

int spool_clear(struct spool *s, struct err *e)
{
	(void)e;
	wipe_memory(s);
	drop_files(s);
	return 0;
}

static int pread_all(int fd, void *p, size_t n, uint64_t off, struct err *e)
{
	unsigned char *to = p;
	ssize_t k;

	while (n > 0) {
		k = pread(fd, to, n, (off_t)off);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(e, FAIL_TEMP, "spool: read");
		if (k == 0)
			return err_set(e, FAIL_TEMP, "spool: file ends at %llu",
			    (unsigned long long)off);
		to += k;
		n -= (size_t)k;
		off += (uint64_t)k;
	}
	return 0;
}

/* With an offset, so that a reader who gets the descriptor begins at 0. */
static int pwrite_all(int fd, const void *p, size_t n, uint64_t off,
    struct err *e)
{
	const unsigned char *from = p;
	ssize_t k;

	while (n > 0) {
		k = pwrite(fd, from, n, (off_t)off);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return err_sys(e, FAIL_TEMP, "spool: write");
		from += k;
		n -= (size_t)k;
		off += (uint64_t)k;
	}
	return 0;
}

static int size_memory(struct spool *s, size_t size, struct err *e)
{
	unsigned char *p = malloc(size);

	/* not realloc: it could leave a copy of the mail behind */
	if (p == NULL)
		return err_set(e, FAIL_TEMP, "spool: out of memory");
	if (s->n > 0) {
		memcpy(p, s->mem, s->n);
		explicit_bzero(s->mem, s->n);
	}
	free(s->mem);
	s->mem = p;
	s->mem_size = size;
	return 0;
}

/*
 * A file of ours is small (a message that a neighbour process spooled in
 * memory): one read now instead of one for each look into it.
 */
static int load_small(struct spool *s, size_t n, struct err *e)
{
	if (n > 0 && size_memory(s, n, e) != 0)
		return -1;
	if (pread_all(s->fd, s->mem, n, 0, e) != 0)
		return -1;
	s->n = n;
	return 0;
}

int spool_from_fd(struct spool **out, int take_fd, uint64_t max,
    struct err *e)
{
	struct spool *s = NULL;
	struct stat st;
	uint64_t n;

	*out = NULL;
	if (spool_new(&s, max, e) != 0) {
		close(take_fd);
		return -1;
	}
	s->fd = take_fd;
	s->read_only = true;
	if (fstat(take_fd, &st) != 0) {
		(void)err_sys(e, FAIL_TEMP, "spool: descriptor");
		goto fail;
	}
	if (!S_ISREG(st.st_mode) || st.st_size < 0) {
		(void)err_set(e, FAIL_TEMP, "spool: descriptor of no file");
		goto fail;
	}
	n = (uint64_t)st.st_size;
	if (n > max) {
		(void)err_set(e, FAIL_LIMIT, "message of %llu octets, at most "
		    "%llu allowed", (unsigned long long)n,
		    (unsigned long long)max);
		goto fail;
	}
	if (n > SPOOL_MEMORY)
		s->file_n = n;
	else if (load_small(s, (size_t)n, e) != 0)
		goto fail;
	*out = s;
	return 0;
fail:
	spool_free(&s);
	return -1;
}

/* Move what is in memory to the file. */
static int flush(struct spool *s, struct err *e)
{
	bool first = s->fd < 0;
	unsigned char *p;

	if (first && (s->fd = open_file(e)) < 0)
		return -1;
	if (pwrite_all(s->fd, s->mem, s->n, s->file_n, e) != 0)
		return -1;
	s->file_n += s->n;
	wipe_memory(s);
	if (!first || s->mem_size <= SPOOL_CHUNK)
		return 0;
	/* from now on it is a write buffer, and that may be smaller */
	p = malloc(SPOOL_CHUNK);
	if (p != NULL) {
		free(s->mem);
		s->mem = p;
		s->mem_size = SPOOL_CHUNK;
	}
	return 0;
}

/* Room for n more octets in memory, n at most the limit for memory. */
static int grow(struct spool *s, size_t n, size_t limit, struct err *e)
{
	size_t want = s->n + n;
	size_t size = s->mem_size < SPOOL_FIRST ? SPOOL_FIRST : s->mem_size;

	if (want <= s->mem_size)
		return 0;
	while (size < want)
		size *= 2;
	return size_memory(s, size > limit ? limit : size, e);
}

int spool_write(struct spool *s, const void *p, size_t n, struct err *e)
{
	size_t limit = s->fd < 0 ? SPOOL_MEMORY : SPOOL_CHUNK;
	uint64_t size = spool_size(s);

	if (s->read_only)
		return err_set(e, FAIL_BUG, "spool: write to a received one");
	if (size > s->max || n > s->max - size)
		return err_set(e, FAIL_LIMIT, "more than the %llu octets "
		    "allowed", (unsigned long long)s->max);
	if (n == 0)
		return 0;
	/* after a full disk there may be more in memory than the limit */
	if (s->n > limit || n > limit - s->n) {
		if (flush(s, e) != 0)
			return -1;
		limit = SPOOL_CHUNK;
	}
	if (n > limit) {
		if (pwrite_all(s->fd, p, n, s->file_n, e) != 0)
			return -1;
		s->file_n += n;
		return 0;
	}
	if (grow(s, n, limit, e) != 0)
		return -1;
	memcpy(s->mem + s->n, p, n);
	s->n += n;
	return 0;
}

uint64_t spool_size(const struct spool *s)
{
	return s->file_n + s->n;
}

static int put_in_spool(void *arg, const void *p, size_t n, struct err *e)
{
	return spool_write(arg, p, n, e);
}

struct sink spool_sink(struct spool *s)
{
	struct sink k = { put_in_spool, s };

	return k;
}

int spool_read(const struct spool *s, uint64_t off, void *p, size_t n,
    size_t *got, struct err *e)
{
	uint64_t size = spool_size(s);
	unsigned char *to = p;
	size_t k = 0;

	*got = 0;
	if (off >= size || n == 0)
		return 0;
	if (n > size - off)
		n = (size_t)(size - off);
	if (off < s->file_n) {
		k = n > s->file_n - off ? (size_t)(s->file_n - off) : n;
		if (pread_all(s->fd, to, k, off, e) != 0)
			return -1;
	}
	if (k < n)
		memcpy(to + k, s->mem + (off + k - s->file_n), n - k);
	*got = n;
	return 0;
}

/* Bring the memory file up to date. */
static int lend_memory(struct spool *s, struct err *e)
{
	if (s->lent < 0) {
		s->lent = memfd_create("spool", MFD_CLOEXEC);
		if (s->lent < 0)
			return err_sys(e, FAIL_TEMP, "spool: memory file");
	}
	if (s->lent_n < s->n && pwrite_all(s->lent, s->mem + s->lent_n,
	    s->n - s->lent_n, s->lent_n, e) != 0)
		return -1;
	s->lent_n = s->n;
	return 0;
}

int spool_fd(struct spool *s, int *fd, struct err *e)
{
	if (s->fd < 0) {
		if (lend_memory(s, e) != 0)
			return -1;
		*fd = s->lent;
		return 0;
	}
	if (!s->read_only && s->n > 0 && flush(s, e) != 0)
		return -1;
	*fd = s->fd;
	return 0;
}

int spool_copy(const struct spool *s, uint64_t off, uint64_t end,
    const struct sink *to, struct err *e)
{
	struct spool_rd r;
	struct view v;
	int rc = -1;

	spool_rd_init(&r, s, off, end);
	for (;;) {
		if (spool_next(&r, &v, e) != 0)
			goto out;
		if (v.n == 0)
			break;
		if (sink_put(to, v.p, v.n, e) != 0)
			goto out;
	}
	rc = 0;
out:
	spool_rd_free(&r);
	return rc;
}

void spool_rd_init(struct spool_rd *r, const struct spool *s, uint64_t off,
    uint64_t end)
{
	r->s = s;
	r->off = off;
	r->end = end;
	r->chunk = NULL;
}

int spool_next(struct spool_rd *r, struct view *chunk, struct err *e)
{
	const struct spool *s = r->s;
	uint64_t size = spool_size(s);
	uint64_t end = r->end < size ? r->end : size;
	size_t n, got;

	*chunk = view_make(NULL, 0);
	if (r->off >= end)
		return 0;
	n = end - r->off > SPOOL_CHUNK ? SPOOL_CHUNK : (size_t)(end - r->off);
	if (r->off >= s->file_n) {
		*chunk = view_make(s->mem + (r->off - s->file_n), n);
		r->off += n;
		return 0;
	}
	if (n > s->file_n - r->off)
		n = (size_t)(s->file_n - r->off);
	if (r->chunk == NULL && (r->chunk = malloc(SPOOL_CHUNK)) == NULL)
		return err_set(e, FAIL_TEMP, "spool: out of memory");
	if (spool_read(s, r->off, r->chunk, n, &got, e) != 0)
		return -1;
	*chunk = view_make(r->chunk, got);
	r->off += got;
	return 0;
}

void spool_rd_free(struct spool_rd *r)
{
	if (r->chunk != NULL)
		explicit_bzero(r->chunk, SPOOL_CHUNK);
	free(r->chunk);
	r->chunk = NULL;
}
