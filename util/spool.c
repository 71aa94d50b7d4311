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
#include <sys/uio.h>
#include <unistd.h>

#include "util/segs.h"

/*
 * What is written, in this order: the file, then memory. What readers count
 * from is base: room before it is filled by spool_prepend, and octets before
 * it were dropped.
 */
struct spool {
	struct segs mem; /* octets [file_n, file_n + mem.n) */
	uint64_t file_n; /* octets in fd */
	uint64_t base;
	uint64_t max;
	int fd;	   /* the file, or -1 while all is in memory */
	int lent;  /* memory file made for spool_fd, or -1 */
	size_t lent_n;
	bool read_only;
};

/* Octets of a file that a reader looks at without copying them. */
#define WINDOW ((size_t)1 << 20)

/* Set once, before the threads start. */
static char spool_dir[PATH_MAX];
static size_t most_each = SPOOL_MEMORY;
static size_t most_together = SIZE_MAX;

void spool_set_memory(size_t each, size_t together, size_t keep)
{
	most_each = each;
	most_together = together;
	segs_keep(keep);
}

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

static void drop_lent(struct spool *s)
{
	if (s->lent >= 0)
		close(s->lent);
	s->lent = -1;
	s->lent_n = 0;
}

static void drop_files(struct spool *s)
{
	if (s->fd >= 0)
		close(s->fd);
	drop_lent(s);
	s->fd = -1;
	s->file_n = 0;
	s->base = 0;
	s->read_only = false;
}

void spool_free(struct spool **sp)
{
	struct spool *s = *sp;

	if (s == NULL)
		return;
	segs_free(&s->mem);
	drop_files(s);
	free(s);
	*sp = NULL;
}

int spool_clear(struct spool *s, struct err *e)
{
	(void)e;
	segs_cut(&s->mem, 0);
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

/*
 * A file of ours is small (a message that a neighbour process spooled in
 * memory): one read now instead of one for each look into it.
 */
static int load_small(struct spool *s, size_t n, struct err *e)
{
	unsigned char *p;
	size_t k;

	while (s->mem.n < n) {
		if (segs_room(&s->mem, &p, &k, e) != 0)
			return -1;
		k = k < n - s->mem.n ? k : n - s->mem.n;
		if (pread_all(s->fd, p, k, s->mem.n, e) != 0)
			return -1;
		s->mem.n += k;
	}
	return 0;
}

/* May a spool have so many octets in memory? */
static bool fits_memory(const struct spool *s, uint64_t n)
{
	if (n > most_each)
		return false;
	return n <= SPOOL_MEMORY || n <= s->mem.n ||
	    segs_in_use() + (n - s->mem.n) <= most_together;
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
	if (!fits_memory(s, n))
		s->file_n = n;
	else if (load_small(s, (size_t)n, e) != 0)
		goto fail;
	*out = s;
	return 0;
fail:
	spool_free(&s);
	return -1;
}

/* What is in memory from off on, or some of it; as pwritev. */
static ssize_t write_pieces(const struct spool *s, size_t off)
{
	struct iovec v[16];
	uint64_t at = s->file_n + off;
	int n = 0;

	for (; n < (int)ARRAY_LEN(v) && off < s->mem.n; n++) {
		v[n].iov_base = segs_at(&s->mem, off, &v[n].iov_len);
		off += v[n].iov_len;
	}
	return pwritev(s->fd, v, n, (off_t)at);
}

/* Move what is in memory to the file. */
static int flush(struct spool *s, struct err *e)
{
	size_t off = 0;
	ssize_t k;

	if (s->fd < 0 && (s->fd = open_file(e)) < 0)
		return -1;
	while (off < s->mem.n) {
		k = write_pieces(s, off);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return err_sys(e, FAIL_TEMP, "spool: write");
		off += (size_t)k;
	}
	s->file_n += s->mem.n;
	segs_cut(&s->mem, 0);
	return 0;
}

/* Through memory, in which so much is gathered for one write to the file;
 * what is as large as that goes there at once. */
#define GATHER (4 * SEGS_PIECE)

static int append(struct spool *s, const unsigned char *p, size_t n,
    struct err *e)
{
	while (n > 0) {
		size_t k = n - n % GATHER;

		if (s->mem.n == 0 && k > 0) {
			if (pwrite_all(s->fd, p, k, s->file_n, e) != 0)
				return -1;
			s->file_n += k;
		} else {
			k = GATHER - s->mem.n;
			k = k < n ? k : n;
			if (segs_put(&s->mem, p, k, e) != 0)
				return -1;
		}
		p += k;
		n -= k;
		if (s->mem.n == GATHER && flush(s, e) != 0)
			return -1;
	}
	return 0;
}

/* As it was before a write that failed. */
static void undo(struct spool *s, uint64_t size)
{
	if (s->file_n > size) {
		s->file_n = size;
		segs_cut(&s->mem, 0);
	} else {
		segs_cut(&s->mem, (size_t)(size - s->file_n));
	}
}

int spool_write(struct spool *s, const void *p, size_t n, struct err *e)
{
	uint64_t size = s->file_n + s->mem.n;

	if (s->read_only)
		return err_set(e, FAIL_BUG, "spool: write to a received one");
	if (size > s->max || n > s->max - size)
		return err_set(e, FAIL_LIMIT, "more than the %llu octets "
		    "allowed", (unsigned long long)s->max);
	if (n == 0)
		return 0;
	if (s->fd < 0 && fits_memory(s, size + n))
		return segs_put(&s->mem, p, n, e);
	/* after a full disk there may be more in memory */
	if ((s->fd < 0 || s->mem.n >= GATHER) && flush(s, e) != 0)
		return -1;
	if (append(s, p, n, e) == 0)
		return 0;
	undo(s, size);
	return -1;
}

int spool_reserve(struct spool *s, size_t n, struct err *e)
{
	static const unsigned char none[SPOOL_RESERVE];

	if (n > sizeof(none) || s->file_n + s->mem.n > 0)
		return err_set(e, FAIL_BUG, "spool: no room can be reserved");
	if (spool_write(s, none, n, e) != 0)
		return -1;
	s->base = n;
	return 0;
}

int spool_prepend(struct spool *s, const void *data, size_t n, struct err *e)
{
	const unsigned char *p = data;
	uint64_t to = s->base - n;
	size_t k;

	if (s->read_only || n > s->base)
		return err_set(e, FAIL_BUG, "spool: no room for %zu octets "
		    "in front", n);
	drop_lent(s);
	if (to < s->file_n) {
		k = n < s->file_n - to ? n : (size_t)(s->file_n - to);
		if (pwrite_all(s->fd, p, k, to, e) != 0)
			return -1;
		p += k;
	}
	for (uint64_t at = to + (size_t)(p - (const unsigned char *)data);
	    at < s->base; at += k, p += k) {
		unsigned char *o = segs_at(&s->mem, (size_t)(at - s->file_n),
		    &k);

		k = k < s->base - at ? k : (size_t)(s->base - at);
		memcpy(o, p, k);
	}
	s->base = to;
	return 0;
}

size_t spool_room(const struct spool *s)
{
	return s->read_only ? 0 : (size_t)s->base;
}

int spool_drop(struct spool *s, uint64_t n, struct err *e)
{
	if (n > spool_size(s))
		return err_set(e, FAIL_BUG, "spool: shorter than what is "
		    "dropped");
	drop_lent(s);
	s->base += n;
	return 0;
}

uint64_t spool_size(const struct spool *s)
{
	return s->file_n + s->mem.n - s->base;
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
	*got = n;
	off += s->base;
	if (off < s->file_n) {
		k = n > s->file_n - off ? (size_t)(s->file_n - off) : n;
		if (pread_all(s->fd, to, k, off, e) != 0)
			return -1;
	}
	for (to += k, off += k, n -= k; n > 0; to += k, off += k, n -= k) {
		const unsigned char *from = segs_at(&s->mem,
		    (size_t)(off - s->file_n), &k);

		k = k < n ? k : n;
		memcpy(to, from, k);
	}
	return 0;
}

/* Bring the memory file up to date. */
static int lend_memory(struct spool *s, struct err *e)
{
	size_t k;

	if (s->lent < 0) {
		s->lent = memfd_create("spool", MFD_CLOEXEC);
		if (s->lent < 0)
			return err_sys(e, FAIL_TEMP, "spool: memory file");
	}
	for (size_t n = (size_t)spool_size(s); s->lent_n < n;) {
		const unsigned char *p = segs_at(&s->mem,
		    (size_t)s->base + s->lent_n, &k);

		if (pwrite_all(s->lent, p, k, s->lent_n, e) != 0)
			return -1;
		s->lent_n += k;
	}
	return 0;
}

int spool_fd(struct spool *s, int *fd, struct err *e)
{
	/* Of many octets a memory file costs twice what a file does. */
	if (s->fd < 0 && s->mem.n <= SPOOL_MEMORY) {
		if (lend_memory(s, e) != 0)
			return -1;
		*fd = s->lent;
		return 0;
	}
	if (!s->read_only && s->mem.n > 0 && flush(s, e) != 0)
		return -1;
	drop_lent(s);
	*fd = s->fd;
	return 0;
}

uint64_t spool_fd_start(const struct spool *s)
{
	return s->fd < 0 ? 0 : s->base;
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
	memset(r, 0, sizeof(*r));
	r->s = s;
	r->off = off;
	r->end = end;
}

static void unmap(struct spool_rd *r)
{
	if (r->map != NULL)
		(void)munmap(r->map, r->map_n);
	r->map = NULL;
	r->map_n = 0;
}

/*
 * The window of the file in which octet at is, at < file_n. Reading it where
 * it is costs half of copying it out. NULL: it must be copied.
 */
static const unsigned char *window(struct spool_rd *r, uint64_t at)
{
	const struct spool *s = r->s;
	uint64_t left;
	void *p;

	if (r->map != NULL && at - r->map_at < r->map_n)
		return r->map + (at - r->map_at);
	unmap(r);
	r->map_at = at - at % SPOOL_CHUNK;
	left = s->file_n - r->map_at;
	/* of a few octets not */
	if (left < WINDOW / 4)
		return NULL;
	r->map_n = left < WINDOW ? (size_t)left : WINDOW;
	p = mmap(NULL, r->map_n, PROT_READ, MAP_SHARED, s->fd,
	    (off_t)r->map_at);
	if (p == MAP_FAILED) {
		r->map_n = 0;
		return NULL;
	}
	r->map = p;
	return r->map + (at - r->map_at);
}

/* n octets at, in the file and at most a chunk; fewer come at the end of a
 * window. */
static int next_of_file(struct spool_rd *r, uint64_t at, size_t n,
    struct view *chunk, struct err *e)
{
	const unsigned char *p = window(r, at);
	size_t k = n;

	if (p != NULL) {
		k = (size_t)(r->map_at + r->map_n - at);
		*chunk = view_make(p, k < n ? k : n);
		return 0;
	}
	if (r->chunk == NULL && (r->chunk = malloc(SPOOL_CHUNK)) == NULL)
		return err_set(e, FAIL_TEMP, "spool: out of memory");
	*chunk = view_make(r->chunk, n);
	return pread_all(r->s->fd, r->chunk, n, at, e);
}

int spool_next(struct spool_rd *r, struct view *chunk, struct err *e)
{
	const struct spool *s = r->s;
	uint64_t size = spool_size(s);
	uint64_t end = r->end < size ? r->end : size;
	uint64_t at = s->base + r->off;
	size_t n, k;

	*chunk = view_make(NULL, 0);
	if (r->off >= end)
		return 0;
	n = end - r->off > SPOOL_CHUNK ? SPOOL_CHUNK : (size_t)(end - r->off);
	if (at >= s->file_n) {
		const unsigned char *p = segs_at(&s->mem,
		    (size_t)(at - s->file_n), &k);

		*chunk = view_make(p, k < n ? k : n);
	} else {
		if (n > s->file_n - at)
			n = (size_t)(s->file_n - at);
		if (next_of_file(r, at, n, chunk, e) != 0)
			return -1;
	}
	r->off += chunk->n;
	return 0;
}

void spool_rd_free(struct spool_rd *r)
{
	unmap(r);
	if (r->chunk != NULL)
		explicit_bzero(r->chunk, SPOOL_CHUNK);
	free(r->chunk);
	r->chunk = NULL;
}
