/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Which files an import reads: those named, and those in folders, as deep as
 * IMPORT_DEPTH and never through a link.
 */
#include "cli/import_int.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/proc.h"
#include "util/utf8.h"

#define OPEN_FILES 500 /* kept open; with more, a child opens them */

/* Names in a folder are those of whoever filled it: no controls on a
 * terminal. */
static char *showable(char *name)
{
	char *copy = strdup(name);

	if (copy == NULL)
		return NULL;
	utf8_mask(copy);
	if (strcmp(copy, name) != 0)
		return copy;
	free(copy);
	return name;
}

static int add_source(struct files *f, const char *name, size_t folder)
{
	struct source *bigger, *s;

	if (f->n == IMPORT_FILES)
		return cli_say(EX_DATAERR, "more than %d files", IMPORT_FILES);
	if ((f->n & (f->n - 1)) == 0) {
		bigger = realloc(f->v, (f->n == 0 ? 1 : 2 * f->n) *
		    sizeof(*bigger));
		if (bigger == NULL)
			return cli_say(EX_OSERR, "out of memory");
		f->v = bigger;
	}
	s = &f->v[f->n];
	s->fd = -1;
	s->folder = folder;
	s->name = strdup(name);
	s->shown = s->name == NULL ? NULL : showable(s->name);
	if (s->shown == NULL) {
		free(s->name);
		return cli_say(EX_OSERR, "out of memory");
	}
	f->n++;
	return EX_OK;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void say_unread(struct files *f, const char *path, const char *why)
{
	char *name = strdup(path), *shown = NULL;

	if (name != NULL)
		shown = showable(name);
	f->failed++;
	(void)cli_say(0, "%s: %s", shown != NULL ? shown : "?", why);
	if (shown != name)
		free(shown);
	free(name);
}

/* Hidden files and what is no file are left out of folders; a link is
 * followed only when it was named. */
static int add_entry(struct files *f, FTS *fts, FTSENT *entry, size_t folder)
{
	switch (entry->fts_info) {
	case FTS_D:
		if (entry->fts_level <= IMPORT_DEPTH)
			return EX_OK;
		(void)fts_set(fts, entry, FTS_SKIP);
		say_unread(f, entry->fts_path, "too many folders within "
		    "folders");
		return EX_OK;
	case FTS_F:
	case FTS_DEFAULT:
	case FTS_SL:
		if (entry->fts_level > 0 && (entry->fts_name[0] == '.' ||
		    entry->fts_info != FTS_F))
			return EX_OK;
		return add_source(f, entry->fts_path, entry->fts_level > 0 ?
		    folder : 0);
	case FTS_NS:
	case FTS_DNR:
	case FTS_ERR:
	case FTS_SLNONE:
		say_unread(f, entry->fts_path, strerror(entry->fts_errno !=
		    0 ? entry->fts_errno : ENOENT));
		return EX_OK;
	default:
		return EX_OK;
	}
}

static int add_path(struct files *f, const char *path)
{
	char *name, *names[2] = { NULL, NULL };
	FTSENT *entry;
	FTS *fts;
	int rc = EX_OK;

	if (strcmp(path, "-") == 0)
		return add_source(f, path, 0);
	name = strdup(path); /* fts wants one that it might change */
	names[0] = name;
	fts = name == NULL ? NULL : fts_open(names, FTS_PHYSICAL |
	    FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
	if (fts == NULL)
		rc = cli_say(EX_OSERR, "%s: %s", path, strerror(errno));
	while (rc == EX_OK && (entry = fts_read(fts)) != NULL)
		rc = add_entry(f, fts, entry, strlen(path));
	if (fts != NULL)
		fts_close(fts);
	free(name);
	return rc;
}

/*
 * Below the folder that was named: whoever may write there could have put a
 * link into the place of a folder since it was looked at (A64).
 */
static int open_below(const struct source *s)
{
	const char *at = s->name + s->folder, *slash;
	char part[NAME_MAX + 1];
	struct buf top;
	int dir, fd;

	buf_init(&top, strlen(s->name) + 1);
	buf_put(&top, s->name, s->folder);
	dir = open(buf_str(&top), O_PATH | O_DIRECTORY | O_CLOEXEC);
	buf_free(&top);
	for (at += strspn(at, "/"); dir != -1 && (slash = strchr(at, '/')) !=
	    NULL; at = slash + 1) {
		fd = -1;
		if (view_cstr(view_make(at, (size_t)(slash - at)), part,
		    sizeof(part)) == 0)
			fd = openat(dir, part, O_PATH | O_DIRECTORY |
			    O_NOFOLLOW | O_CLOEXEC);
		close(dir);
		dir = fd;
	}
	if (dir == -1)
		return -1;
	fd = openat(dir, at, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
	    O_NOFOLLOW);
	close(dir);
	return fd;
}

/* -1 with errno set. */
static int open_source(const struct source *s)
{
	return s->folder > 0 ? open_below(s) : open(s->name, O_RDONLY |
	    O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/*
 * For more files than may be open at once: a child that stays root and opens
 * what is on the list, by its number, and nothing else. It ends with us.
 */
static void serve(const struct files *f, int sock)
{
	int fds[IPC_FDS], fd;
	struct buf ask;
	uint32_t i;
	struct rd r;

	buf_init(&ask, CAP_IPC);
	while (ipc_recv(sock, &ask, fds, NULL) == 1) {
		rd_init(&r, buf_view(&ask));
		if (rd_u32(&r, &i) != 0 || i >= f->n)
			break;
		buf_clear(&ask);
		fd = open_source(&f->v[i]);
		ipc_put_u32(&ask, fd == -1 ? (uint32_t)errno : 0);
		if (ipc_send(sock, buf_view(&ask), &fd, fd != -1, NULL) != 0)
			break;
		if (fd != -1)
			close(fd);
		buf_clear(&ask);
	}
	_exit(0);
}

static int start_opener(struct files *f)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return cli_say(EX_OSERR, "socketpair: %s", strerror(errno));
	f->opener = fork();
	if (f->opener == 0) {
		proc_die_with_parent();
		close(pair[0]);
		serve(f, pair[1]);
	}
	close(pair[1]);
	f->sock = pair[0];
	if (f->opener == -1)
		return cli_say(EX_OSERR, "fork: %s", strerror(errno));
	return EX_OK;
}

/* -1 with errno set. */
static int ask_opener(const struct files *f, const struct source *s)
{
	int fds[IPC_FDS] = { -1, -1, -1, -1 };
	uint32_t error = EPIPE;
	struct buf b;
	struct rd r;

	buf_init(&b, CAP_IPC);
	ipc_put_u32(&b, (uint32_t)(s - f->v));
	if (ipc_send(f->sock, buf_view(&b), NULL, 0, NULL) == 0) {
		buf_clear(&b);
		if (ipc_recv(f->sock, &b, fds, NULL) == 1) {
			rd_init(&r, buf_view(&b));
			if (rd_u32(&r, &error) != 0)
				error = EPROTO;
		}
	}
	buf_free(&b);
	errno = (int)error;
	return fds[0];
}

/* Root's files cannot be opened any more once root is given up. */
static int open_as_root(struct files *f)
{
	size_t i;

	if (geteuid() != 0)
		return EX_OK;
	if (f->n > OPEN_FILES)
		return start_opener(f);
	for (i = 0; i < f->n; i++)
		if (strcmp(f->v[i].name, "-") != 0)
			f->v[i].fd = open_source(&f->v[i]);
	return EX_OK;
}

int files_collect(struct files *f, const struct cli_list *path)
{
	size_t i;
	int rc = EX_OK;

	f->sock = -1;
	for (i = 0; rc == EX_OK && i < path->n; i++)
		rc = add_path(f, path->v[i]);
	return rc == EX_OK ? open_as_root(f) : rc;
}

int files_open(struct files *f, struct source *s, uint64_t *size, struct err *e)
{
	struct stat st;
	int fd = s->fd;

	*size = 0;
	s->fd = -1;
	if (strcmp(s->name, "-") == 0)
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	else if (fd == -1)
		fd = f->sock != -1 ? ask_opener(f, s) : open_source(s);
	if (fd == -1 || fstat(fd, &st) != 0) {
		(void)err_sys(e, FAIL_INPUT, "%s", s->shown);
	} else if (strcmp(s->name, "-") == 0) {
		return fd;
	} else if (!S_ISREG(st.st_mode) && (s->folder > 0 ||
	    !S_ISFIFO(st.st_mode))) {
		/* one in a folder, put there since, would stop us for ever */
		(void)err_set(e, FAIL_INPUT, "%s: not a file", s->shown);
	} else if (fcntl(fd, F_SETFL, 0) != 0) {
		(void)err_sys(e, FAIL_INPUT, "%s", s->shown);
	} else {
		*size = st.st_size > 0 ? (uint64_t)st.st_size : 0;
		return fd;
	}
	if (fd != -1)
		close(fd);
	return -1;
}

void files_free(struct files *f)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		if (f->v[i].fd != -1)
			close(f->v[i].fd);
		if (f->v[i].shown != f->v[i].name)
			free(f->v[i].shown);
		free(f->v[i].name);
	}
	if (f->sock != -1 && f->opener > 0) {
		close(f->sock);
		/* in a sandbox: whoever comes after us does it */
		(void)waitpid(f->opener, NULL, 0);
	}
	free(f->v);
	f->v = NULL;
	f->n = 0;
}
