/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Making the socket that the MTA connects to.
 */
#include "milter/listen.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/log.h"

#define BACKLOG 512
#define FDS_LOOKED_AT 1024
#define GROUP_ENTRY 16384

/* Of the socket that we made, so that we remove no other. */
static struct stat made;

const char *listen_path(const char *spec)
{
	if (strncmp(spec, "unix:", 5) == 0)
		return spec + 5;
	if (strncmp(spec, "local:", 6) == 0)
		return spec + 6;
	return NULL;
}

bool listen_is_public(const char *spec)
{
	const char *at = strchr(spec, '@');

	if (listen_path(spec) != NULL)
		return false;
	if (at == NULL)
		return true;
	return strncmp(at + 1, "127.", 4) != 0 &&
	    strcmp(at + 1, "localhost") != 0 && strcmp(at + 1, "::1") != 0 &&
	    strcmp(at + 1, "[::1]") != 0;
}

/* Does anybody answer there? */
static bool is_answered(const char *path)
{
	struct sockaddr_un sa;
	int fd, rc;

	memset(&sa, 0, sizeof(sa));
	sa.sun_family = AF_UNIX;
	if (view_cstr(view_of(path), sa.sun_path, sizeof(sa.sun_path)) != 0)
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return true; /* not known: touch nothing */
	rc = connect(fd, (const struct sockaddr *)(const void *)&sa,
	    sizeof(sa));
	if (rc != 0 && errno == EAGAIN)
		rc = 0; /* its backlog is full: somebody is there */
	close(fd);
	return rc == 0;
}

int listen_check_folder(const char *spec, struct err *e)
{
	const char *path = listen_path(spec);
	const char *slash = path == NULL ? NULL : strrchr(path, '/');
	char folder[PATH_MAX];
	struct stat st;

	if (slash == NULL || slash == path)
		return 0;
	if (view_cstr(view_make(path, (size_t)(slash - path)), folder,
	    sizeof(folder)) != 0)
		return err_set(e, FAIL_CONFIG, "listen: path too long");
	if (stat(folder, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return err_set(e, FAIL_CONFIG, "listen: the folder %s for the socket "
	    "is missing; make it with: install -d -o USER -g GROUP -m 0750 %s",
	    folder, folder);
}

int listen_clear_stale(const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 :
		    err_sys(e, FAIL_CONFIG, "listen: %s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, FAIL_CONFIG, "listen: %s is there and no "
		    "socket", path);
	if (is_answered(path))
		return err_set(e, FAIL_CONFIG, "listen: somebody listens on "
		    "%s already", path);
	if (unlink(path) != 0)
		return err_sys(e, FAIL_CONFIG, "listen: old socket %s", path);
	log_notice("event=start stale-socket=%s removed=yes", path);
	return 0;
}

static int find_group(const char *name, gid_t *gid, struct err *e)
{
	struct group g, *found = NULL;
	char mem[GROUP_ENTRY];

	if (getgrnam_r(name, &g, mem, sizeof(mem), &found) != 0 ||
	    found == NULL)
		return err_set(e, FAIL_CONFIG, "listen: group %s: there is "
		    "none", name);
	*gid = g.gr_gid;
	return 0;
}

int listen_set_owner(const char *path, int mode, const char *group,
    const struct ids *ids, struct stat *is, struct err *e)
{
	uid_t uid = geteuid() == 0 ? ids->uid : (uid_t)-1;
	gid_t gid = geteuid() == 0 ? ids->gid : (gid_t)-1;

	if (group != NULL && find_group(group, &gid, e) != 0)
		return -1;
	if (lchown(path, uid, gid) != 0)
		return err_sys(e, FAIL_CONFIG, "listen: owner of %s", path);
	if (chmod(path, (mode_t)mode) != 0)
		return err_sys(e, FAIL_CONFIG, "listen: mode of %s", path);
	return lstat(path, is) == 0 ? 0 :
	    err_sys(e, FAIL_CONFIG, "listen: %s", path);
}

/* libmilter keeps its descriptor to itself. */
static int find_listening(void)
{
	socklen_t n;
	int fd, on;

	for (fd = 3; fd < FDS_LOOKED_AT; fd++) {
		n = sizeof(on);
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) == 0 &&
		    on != 0)
			return fd;
	}
	return -1;
}

int listen_open(const struct config *c, const struct ids *ids, int *fd,
    struct err *e)
{
	const char *path = listen_path(c->listen);
	mode_t old;
	int rc, one = 1;

	if (listen_check_folder(c->listen, e) != 0 ||
	    (path != NULL && listen_clear_stale(path, e) != 0))
		return -1;
	if (listen_is_public(c->listen))
		log_warn("event=start listen=%s warning=\"anybody who reaches "
		    "it can use it as a mail server does\"", c->listen);
	old = umask((mode_t)~c->listen_mode & 0777);
	rc = smfi_setconn(c->listen);
	if (rc == MI_SUCCESS)
		rc = smfi_setbacklog(BACKLOG);
	if (rc == MI_SUCCESS)
		rc = smfi_opensocket(false);
	(void)umask(old);
	*fd = rc == MI_SUCCESS ? find_listening() : -1;
	if (*fd < 0)
		return err_set(e, FAIL_CONFIG, "listen: cannot open %s (the "
		    "system log has libmilter's reason)", c->listen);
	if (path != NULL)
		return listen_set_owner(path, c->listen_mode,
		    c->listen_group, ids, &made, e);
	/* Accepted sockets inherit it; without, each message costs 44 ms. */
	(void)setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return 0;
}

void listen_unlink(const char *path, const struct stat *is)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    st.st_dev == is->st_dev && st.st_ino == is->st_ino)
		(void)unlink(path);
}

void listen_remove(const struct config *c)
{
	if (c->listen != NULL && listen_path(c->listen) != NULL)
		listen_unlink(listen_path(c->listen), &made);
}
