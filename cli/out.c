/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Files for people. Nothing is ever written over, no link is followed, and a
 * file in a folder appears under its name when it is whole.
 */
#include "cli/out.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/folder.h"
#include "util/ossl.h"
#include "util/proc.h"

#define PREFIX 80 /* octets of an escaped address in a file name */

/* ---- one file ---- */

static const char *name_now(struct out_file *f)
{
	return f->temp.n > 0 ? buf_str(&f->temp) : f->path;
}

static int conclude(struct out_file *f, char what)
{
	return what == 'p' ? rename(name_now(f), f->path) :
	    unlink(name_now(f));
}

/*
 * May: remove one file or give it its name, as root. May not: anything else.
 * Ends when: it is told, or the command ends.
 */
static _Noreturn void wait_to_conclude(int from, struct out_file *f)
{
	char c;

	if (read(from, &c, 1) == 1 && conclude(f, c) != 0)
		_exit(1);
	_exit(0);
}

/* Root is given up soon, and an empty file should not stay behind. */
static int start_concluder(struct out_file *f)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) != 0)
		return cli_say(EX_OSERR, "pipe: %s", strerror(errno));
	fflush(stdout);
	f->pid = fork();
	if (f->pid == 0) {
		close(pair[1]);
		wait_to_conclude(pair[0], f);
	}
	close(pair[0]);
	f->helper = pair[1];
	return f->pid != -1 ? EX_OK : cli_say(EX_OSERR, "fork: %s",
	    strerror(errno));
}

static int make_file(struct out_file *f, mode_t mode)
{
	f->fd = open(name_now(f), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, mode);
	if (f->fd != -1)
		return geteuid() == 0 ? start_concluder(f) : EX_OK;
	return cli_say(EX_CANTCREAT, "%s: %s", name_now(f),
	    errno == EEXIST ? "is there already; name another file" :
	    strerror(errno));
}

int out_file_open(struct out_file *f, const char *path, mode_t mode)
{
	f->path = path;
	return make_file(f, mode);
}

int out_file_replace(struct out_file *f, const char *path, mode_t mode)
{
	f->path = path;
	buf_init(&f->temp, strlen(path) + 16);
	buf_printf(&f->temp, "%s.unfinished", path);
	(void)unlink(buf_str(&f->temp)); /* of a run that was killed */
	return make_file(f, mode);
}

int out_file_write(struct out_file *f, struct view v)
{
	struct err e = { 0 };

	if (io_write_all(f->fd, v.p, v.n, &e) != 0)
		return cli_say(EX_IOERR, "%s: %s", f->path, e.msg);
	if (fsync(f->fd) != 0 && errno != EINVAL)
		return cli_say(EX_IOERR, "%s: %s", f->path, strerror(errno));
	return EX_OK;
}

static bool have_concluded(struct out_file *f, char what)
{
	int status = -1;

	if (f->helper == -1)
		return conclude(f, what) == 0;
	return write(f->helper, &what, 1) == 1 &&
	    waitpid(f->pid, &status, 0) == f->pid && status == 0;
}

int out_file_place(struct out_file *f)
{
	if (!have_concluded(f, 'p'))
		return cli_say(EX_CANTCREAT, "%s: cannot take its place",
		    f->path);
	out_file_close(f, true);
	return EX_OK;
}

void out_file_close(struct out_file *f, bool keep)
{
	if (f->fd == -1)
		return;
	if (!keep && !have_concluded(f, 'x'))
		(void)cli_say(0, "%s: empty, remove it", name_now(f));
	if (f->helper != -1) {
		close(f->helper);
		(void)waitpid(f->pid, NULL, 0);
	}
	close(f->fd);
	f->fd = f->helper = -1;
	buf_free(&f->temp);
}

/* ---- a folder ---- */

static int fill(int fd, mode_t mode, struct view v)
{
	return fchmod(fd, mode) == 0 &&
	    io_write_all(fd, v.p, v.n, NULL) == 0 ? 0 : -1;
}

/* A file without a name gets one when it is whole. -1 with errno; *is false:
 * this file system has no such files. */
static int put_nameless(int dir, const char *name, mode_t mode, struct view v,
    bool *is)
{
	char self[64];
	struct buf b;
	int fd = openat(dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, mode);
	int rc = -1, why;

	*is = fd != -1;
	if (fd == -1)
		return -1;
	buf_init(&b, sizeof(self) - 1);
	buf_printf(&b, "/proc/self/fd/%d", fd);
	text_set(self, sizeof(self), buf_str(&b));
	buf_free(&b);
	if (fill(fd, mode, v) == 0)
		rc = linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW);
	why = errno;
	*is = rc == 0 || why != ENOENT; /* ENOENT: no /proc here */
	close(fd);
	errno = why;
	return rc;
}

static int put_hidden(int dir, const char *name, mode_t mode, struct view v)
{
	char hidden[OUT_NAME + 32];
	struct buf b;
	int fd, rc = -1, why;

	buf_init(&b, sizeof(hidden) - 1);
	buf_printf(&b, ".%s.%ld", name, (long)getpid());
	text_set(hidden, sizeof(hidden), buf_str(&b));
	buf_free(&b);
	fd = openat(dir, hidden, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, mode);
	if (fd == -1)
		return -1;
	if (fill(fd, mode, v) == 0)
		rc = linkat(dir, hidden, dir, name, 0);
	why = errno;
	close(fd);
	(void)unlinkat(dir, hidden, 0);
	errno = why;
	return rc;
}

/* 0, or an errno; EEXIST: the name is taken. Of mode 0: only asked. */
static int put_file(int dir, const char *name, mode_t mode, struct view v)
{
	struct stat st;
	bool is;

	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
		return EINVAL;
	if (strlen(name) >= OUT_NAME)
		return ENAMETOOLONG;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return EEXIST;
	if (mode == 0 || put_nameless(dir, name, mode, v, &is) == 0)
		return 0;
	if (is)
		return errno;
	return put_hidden(dir, name, mode, v) == 0 ? 0 : errno;
}

/* The same; an empty part cannot be mapped. */
static int put_mapped(int dir, const char *name, mode_t mode,
    const struct out_part *part)
{
	size_t whole = (size_t)(part->off + part->size);
	void *p;
	int why;

	if (part->size == 0)
		return put_file(dir, name, mode, view_make(NULL, 0));
	p = mmap(NULL, whole, PROT_READ, MAP_PRIVATE, part->fd, 0);
	if (p == MAP_FAILED)
		return errno;
	why = put_file(dir, name, mode, view_make((unsigned char *)p +
	    part->off, (size_t)part->size));
	(void)munmap(p, whole);
	return why;
}

static int answer_one(int sock, int dir, struct view request, int fd)
{
	struct out_part part = { fd, 0, 0 };
	struct rd r;
	struct view v;
	struct buf out;
	uint32_t mode;
	char name[OUT_NAME];
	int rc, why = EINVAL;

	rd_init(&r, request);
	if (rd_u32(&r, &mode) == 0 && ipc_get_view(&r, &v) == 0 &&
	    view_cstr(v, name, sizeof(name)) == 0 &&
	    ipc_get_view(&r, &v) == 0 && rd_u64(&r, &part.off) == 0 &&
	    rd_u64(&r, &part.size) == 0 && rd_left(&r) == 0)
		why = fd == -1
		    ? put_file(dir, name, (mode_t)mode & 0666, v)
		    : put_mapped(dir, name, (mode_t)mode & 0666, &part);
	buf_init(&out, 64);
	ipc_put_u32(&out, (uint32_t)why);
	rc = ipc_send(sock, buf_view(&out), NULL, 0, NULL);
	buf_free(&out);
	return rc;
}

/*
 * May: make files in one folder, as root. May not: anything else; it is told
 * names and content by the command alone. Ends when: the command does.
 */
static _Noreturn void write_for_others(int sock, int dir)
{
	int fds[IPC_FDS];
	struct buf in;

	proc_die_with_parent();
	buf_init_secret(&in, CAP_IPC);
	while (ipc_recv(sock, &in, fds, NULL) == 1) {
		int rc = answer_one(sock, dir, buf_view(&in), fds[0]);

		for (size_t i = 0; i < IPC_FDS; i++)
			if (fds[i] != -1)
				close(fds[i]);
		if (rc != 0)
			break;
		buf_clear(&in);
	}
	buf_free(&in);
	_exit(0);
}

static int start_helper(struct out_dir *d)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return cli_say(EX_OSERR, "socket: %s", strerror(errno));
	fflush(stdout);
	d->pid = fork();
	if (d->pid == 0) {
		close(pair[0]);
		write_for_others(pair[1], d->fd);
	}
	close(pair[1]);
	if (d->pid == -1) {
		close(pair[0]);
		return cli_say(EX_OSERR, "fork: %s", strerror(errno));
	}
	d->helper = pair[0];
	return EX_OK;
}

int out_dir_open(struct out_dir *d, const char *path, mode_t mode)
{
	struct folder f = { .fd = -1 };

	d->path = path;
	/* Else folder_make() makes it for everybody to read. */
	if (mkdir(path, mode) != 0 && errno != EEXIST && errno != ENOENT)
		return cli_say(EX_CANTCREAT, "%s: %s", path,
		    strerror(errno));
	if (folder_make(&f, path) != EX_OK) {
		folder_close(&f);
		return EX_CANTCREAT;
	}
	d->fd = f.fd;
	return geteuid() == 0 ? start_helper(d) : EX_OK;
}

/* part NULL: content. */
static int ask_helper(struct out_dir *d, const char *name, mode_t mode, struct
    view content, const struct out_part *part, struct err *e)
{
	int fds[IPC_FDS], why = EIO;
	struct buf b;
	struct rd r;
	uint32_t x;

	buf_init_secret(&b, CAP_IPC);
	ipc_put_u32(&b, (uint32_t)mode);
	ipc_put_view(&b, view_of(name));
	ipc_put_view(&b, content);
	ipc_put_u64(&b, part == NULL ? 0 : part->off);
	ipc_put_u64(&b, part == NULL ? 0 : part->size);
	if (buf_ok(&b, e) != 0 || ipc_send(d->helper, buf_view(&b),
	    part == NULL ? NULL : &part->fd, part != NULL, e) != 0)
		goto out;
	buf_clear(&b);
	if (ipc_recv(d->helper, &b, fds, e) != 1)
		goto out;
	rd_init(&r, buf_view(&b));
	if (rd_u32(&r, &x) == 0 && rd_left(&r) == 0)
		why = (int)x;
out:
	buf_free(&b);
	return why;
}

static int conclude_put(const struct out_dir *d, const char *name, int why,
    bool *there, struct err *e)
{
	*there = why == EEXIST;
	if (why == 0 || why == EEXIST)
		return 0;
	return err_set(e, FAIL_TEMP, "%s/%s: %s", d->path, name,
	    strerror(why));
}

int out_dir_put(struct out_dir *d, const char *name, mode_t mode, struct view
    content, bool *there, struct err *e)
{
	int why = d->helper != -1
	    ? ask_helper(d, name, mode, content, NULL, e)
	    : put_file(d->fd, name, mode, content);

	return conclude_put(d, name, why, there, e);
}

int out_dir_put_part(struct out_dir *d, const char *name, mode_t mode,
    const struct out_part *part, bool *there, struct err *e)
{
	int why = d->helper != -1
	    ? ask_helper(d, name, mode, view_make(NULL, 0), part, e)
	    : put_mapped(d->fd, name, mode, part);

	return conclude_put(d, name, why, there, e);
}

int out_dir_has(struct out_dir *d, const char *name, bool *there, struct err
    *e)
{
	return out_dir_put(d, name, 0, view_make(NULL, 0), there, e);
}

void out_dir_close(struct out_dir *d)
{
	if (d->helper != -1) {
		close(d->helper);
		(void)waitpid(d->pid, NULL, 0);
	}
	if (d->fd != -1) {
		(void)syncfs(d->fd);
		close(d->fd);
	}
	d->fd = d->helper = -1;
}

/* ---- names ---- */

static bool is_plain(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	    (!first && c != '\0' && strchr("@._-+=", c) != NULL);
}

const char *out_name(char dst[OUT_NAME], const struct addr *a, const unsigned
    char id[32], const char *end)
{
	char key[sizeof(a->text)], hex[65];
	struct buf b;
	size_t i;

	addr_key(a, key);
	buf_init(&b, OUT_NAME - 1);
	for (i = 0; key[i] != '\0' && b.n + 3 <= PREFIX; i++)
		if (is_plain(key[i], i == 0))
			buf_putc(&b, key[i]);
		else
			buf_printf(&b, "%%%02x", (unsigned char)key[i]);
	buf_printf(&b, "-%.16s%s", hex_encode(hex, id, 32), end);
	text_set(dst, OUT_NAME, buf_str(&b));
	buf_free(&b);
	return dst;
}
