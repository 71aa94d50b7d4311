/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A folder that root may fill for another user: nobody else can put a link
 * or another folder into its place (A64). What goes into it is not known
 * here.
 */
#include "cli/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

static const char *owner_name(uid_t uid, char *dst, size_t size)
{
	const struct passwd *pw = getpwuid(uid);
	struct buf b;

	buf_init(&b, size - 1);
	if (pw != NULL)
		buf_printf(&b, "%s", pw->pw_name);
	else
		buf_printf(&b, "uid %lu", (unsigned long)uid);
	if (view_cstr(buf_view(&b), dst, size) != 0)
		dst[0] = '\0';
	buf_free(&b);
	return dst;
}

static bool is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/* Whoever can write in the folder could put links where we make files. */
static int check_folder(const char *dir, const struct stat *st)
{
	char who[64];

	if (!is_ours(st))
		return cli_say(EX_CANTCREAT, "%s belongs to %s, wanted: to "
		    "you or root; give it to root (chown) or name "
		    "another folder", dir, owner_name(st->st_uid, who,
		    sizeof(who)));
	if ((st->st_mode & 022) != 0)
		return cli_say(EX_CANTCREAT, "%s has mode %04o, wanted: not "
		    "writable by group or others; run \"chmod go-w %s\" or "
		    "name another folder", dir,
		    (unsigned)(st->st_mode & 07777), dir);
	return EX_OK;
}

/*
 * For root: the owner of a folder above could put another in the place of
 * ours. One with the sticky bit, like /tmp, is safe for what root owns.
 */
static int check_above(const struct folder *f)
{
	char dir[PATH_MAX], who[64];
	struct stat st;
	char *slash;

	memcpy(dir, f->path, sizeof(dir));
	while ((slash = strrchr(dir, '/')) != NULL && slash != dir) {
		*slash = '\0';
		if (lstat(dir, &st) != 0)
			return cli_say(EX_CANTCREAT, "%s: %s", dir,
			    strerror(errno));
		if (!is_ours(&st))
			return cli_say(EX_CANTCREAT, "%s belongs to %s, who "
			    "could exchange what root makes in it; name "
			    "another folder", dir,
			    owner_name(st.st_uid, who, sizeof(who)));
		if ((st.st_mode & 02) != 0 && (st.st_mode & S_ISVTX) == 0)
			return cli_say(EX_CANTCREAT, "%s is writable by "
			    "everybody, who could exchange what root makes in "
			    "it; name another folder", dir);
	}
	return EX_OK;
}

static int open_safely(struct folder *f)
{
	struct stat st;
	int rc = EX_OK;

	if (geteuid() == 0)
		rc = check_above(f);
	if (rc != EX_OK)
		return rc;
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (f->fd == -1 || fstat(f->fd, &st) != 0)
		return cli_say(EX_CANTCREAT, "%s: %s", f->path,
		    strerror(errno));
	return check_folder(f->path, &st);
}

int folder_make(struct folder *f, const char *dir)
{
	char *real;
	size_t n;
	int why = mkdir(dir, 0755) == 0 ? 0 : errno;

	if (why == ENOENT)
		return cli_say(EX_CANTCREAT, "%s: the folder that it would "
		    "be in is not there; make that first (mkdir -p)", dir);
	if (why != 0 && why != EEXIST)
		return cli_say(EX_CANTCREAT, "%s: %s", dir, strerror(why));
	real = realpath(dir, NULL);
	if (real == NULL)
		return cli_say(EX_CANTCREAT, "%s: %s", dir, strerror(errno));
	n = strlen(real);
	if (n >= sizeof(f->path) - 32 || strpbrk(real, "\"\\\n\r\t") != NULL) {
		free(real);
		return cli_say(EX_USAGE,
		    "%s: a path that a configuration file cannot hold", dir);
	}
	memcpy(f->path, real, n + 1);
	free(real);
	if (open_safely(f) != EX_OK)
		return EX_CANTCREAT;
	/* The service's user must get through, whatever the umask is. */
	if (why == 0 && fchmod(f->fd, 0755) != 0)
		return cli_say(EX_CANTCREAT, "%s: %s", dir, strerror(errno));
	return EX_OK;
}

void folder_close(struct folder *f)
{
	if (f->fd != -1)
		close(f->fd);
	f->fd = -1;
}
