/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Whole reads, writes and files. Spools (mail content) are in util/spool.c.
 */
#include "util/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP 65536

int io_write_all(int fd, const void *p, size_t n, struct err *e)
{
	const unsigned char *from = p;
	ssize_t k;

	while (n > 0) {
		k = write(fd, from, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return err_sys(e, FAIL_TEMP, "write");
		from += k;
		n -= (size_t)k;
	}
	return 0;
}

int io_read_all(int fd, void *p, size_t n, struct err *e)
{
	unsigned char *to = p;
	ssize_t k;

	while (n > 0) {
		k = read(fd, to, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(e, FAIL_TEMP, "read");
		if (k == 0)
			return err_set(e, FAIL_TEMP, "read: the end comes "
			    "%zu octets early", n);
		to += k;
		n -= (size_t)k;
	}
	return 0;
}

/* Append all of fd to b: 0, or -1 with e naming name. */
static int read_to_end(int fd, const char *name, struct buf *b, size_t step,
    struct err *e)
{
	unsigned char *to;
	unsigned char one;
	size_t room;
	ssize_t k;

	for (;;) {
		room = b->max - b->n < step ? b->max - b->n : step;
		/* at the ceiling one more octet tells whether that is all */
		to = room == 0 ? &one : buf_room(b, room);
		if (to == NULL)
			return buf_ok(b, e) != 0 ? err_add(e, "%s", name) : -1;
		k = read(fd, to, room == 0 ? 1 : room);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(e, FAIL_INPUT, "%s", name);
		if (k == 0)
			return 0;
		if (room == 0)
			return err_set(e, FAIL_LIMIT, "%s: more than the %zu "
			    "octets allowed", name, b->max);
		b->n += (size_t)k;
	}
}

int io_read_file(const char *path, struct buf *b, struct err *e)
{
	size_t step = READ_STEP;
	struct stat st;
	int fd, rc;

	if (buf_ok(b, e) != 0)
		return -1;
	if (strcmp(path, "-") == 0)
		return read_to_end(STDIN_FILENO, "standard input", b,
		    READ_STEP, e);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, FAIL_INPUT, "%s", path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= 0 &&
	    st.st_size < INT_MAX)
		step = (size_t)st.st_size + 1; /* one read, then the end */
	rc = read_to_end(fd, path, b, step, e);
	close(fd);
	return rc;
}

/* A64: who else could read or replace it? */
static int check_secret(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(e, FAIL_CONFIG, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, FAIL_CONFIG, "%s: not a regular file", path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return err_set(e, FAIL_CONFIG, "%s: belongs to user %ld, "
		    "wanted root or %ld; \"chown %ld %s\" mends it", path,
		    (long)st.st_uid, (long)geteuid(), (long)geteuid(), path);
	if ((st.st_mode & 07777 & ~(mode_t)0640) != 0)
		return err_set(e, FAIL_CONFIG, "%s: mode %04o, wanted 0640 or "
		    "less; \"chmod 600 %s\" mends it, and if others could "
		    "read it, change it", path,
		    (unsigned)(st.st_mode & 07777), path);
	if (st.st_nlink != 1)
		return err_set(e, FAIL_CONFIG, "%s: has %lu names, wanted 1, "
		    "because who has another name of it can put another "
		    "content there; \"cp -p\" it to a new file and rename "
		    "that", path, (unsigned long)st.st_nlink);
	return 0;
}

int io_read_secret(const char *path, struct buf *b, struct err *e)
{
	int fd, rc = -1;

	/* O_NONBLOCK: a pipe must not hang the start */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ELOOP)
		return err_set(e, FAIL_CONFIG, "%s: a link, wanted the file "
		    "itself", path);
	if (fd < 0)
		return err_sys(e, FAIL_CONFIG, "%s", path);
	if (check_secret(fd, path, e) != 0)
		goto out;
	rc = read_to_end(fd, path, b, READ_STEP, e);
	if (rc != 0 && e != NULL)
		e->kind = FAIL_CONFIG;
out:
	close(fd);
	return rc;
}

/* After a rename the folder must reach the disk too. */
void io_sync_folder(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 1 : (size_t)(slash - path);
	int fd;

	if (n >= sizeof(dir))
		return;
	if (n == 0)
		n = 1; /* the root */
	memcpy(dir, slash == NULL ? "." : path, n);
	dir[n] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

int io_write_file(const char *path, mode_t mode, struct view v,
    struct err *e)
{
	static const char suffix[] = ".XXXXXX";
	char name[PATH_MAX];
	size_t n = strlen(path);
	int fd = -1, rc = -1;

	if (n + sizeof(suffix) > sizeof(name))
		return err_set(e, FAIL_TEMP, "path of %zu octets", n);
	memcpy(name, path, n);
	memcpy(name + n, suffix, sizeof(suffix));
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, FAIL_TEMP, "%s", path);
	if (io_write_all(fd, v.p, v.n, e) != 0) {
		(void)err_add(e, "%s", path);
		goto out;
	}
	if (fchmod(fd, mode) != 0 || fsync(fd) != 0 ||
	    rename(name, path) != 0) {
		(void)err_sys(e, FAIL_TEMP, "%s", path);
		goto out;
	}
	io_sync_folder(path);
	rc = 0;
out:
	if (rc != 0)
		(void)unlink(name);
	close(fd);
	return rc;
}

/*
 * Who may write in the folder could have put a file of his own, or a link,
 * into its place, to be given the new content: then it has another content,
 * because he does not know this one.
 */
static int check_content(const char *path, struct view was, struct stat *st,
    struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct buf now;
	int rc = 0;

	buf_init_secret(&now, was.n + READ_STEP);
	if (fd == -1 || fstat(fd, st) != 0)
		rc = err_sys(e, FAIL_TEMP, "%s", path);
	else if (!S_ISREG(st->st_mode) ||
	    read_to_end(fd, path, &now, READ_STEP, e) != 0 ||
	    !view_eq(buf_view(&now), was))
		rc = err_set(e, FAIL_TEMP, "%s: was changed by somebody else "
		    "since it was read", path);
	if (fd != -1)
		close(fd);
	buf_free(&now);
	return rc;
}

static int fill_secret(int fd, const struct stat *st, struct view v,
    struct err *e)
{
	if (io_write_all(fd, v.p, v.n, e) != 0)
		return -1;
	if ((fchown(fd, st->st_uid, st->st_gid) != 0 &&
	    (geteuid() == 0 || st->st_uid != geteuid())) ||
	    fchmod(fd, st->st_mode & 07777) != 0 || fsync(fd) != 0)
		return err_sys(e, FAIL_TEMP, "write");
	return 0;
}

int io_rewrite_secret(const char *path, struct view was, struct view v,
    struct err *e)
{
	struct stat st;
	struct buf name;
	int fd = -1, rc = -1;

	buf_init(&name, PATH_MAX);
	buf_printf(&name, "%s.new", path);
	if (buf_ok(&name, e) != 0)
		goto out;
	if (check_content(path, was, &st, e) != 0)
		goto out;
	if (unlink(buf_str(&name)) == 0 || errno == ENOENT)
		fd = open(buf_str(&name), O_WRONLY | O_CREAT | O_EXCL |
		    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1) {
		(void)err_sys(e, FAIL_TEMP, "%s", path);
		goto out;
	}
	rc = fill_secret(fd, &st, v, e);
	if (rc != 0)
		(void)err_add(e, "%s", path);
	else if (rename(buf_str(&name), path) != 0)
		rc = err_sys(e, FAIL_TEMP, "%s", path);
	if (rc == 0)
		io_sync_folder(path);
	else
		(void)unlink(buf_str(&name));
out:
	if (fd != -1)
		close(fd);
	buf_free(&name);
	return rc;
}
