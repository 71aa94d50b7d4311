/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Making the sockets that others connect to.
 */
#include "util/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/log.h"

#define BACKLOG 512
#define GROUP_ENTRY 16384

const char *listen_path(const char *spec)
{
	if (strncmp(spec, "unix:", 5) == 0)
		return spec + 5;
	if (strncmp(spec, "local:", 6) == 0)
		return spec + 6;
	return NULL;
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

int listen_check_group(const char *group, struct err *e)
{
	gid_t gid;

	return find_group(group, &gid, e);
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

static bool is_same(const struct stat *st, const struct stat *is)
{
	return S_ISSOCK(st->st_mode) && st->st_dev == is->st_dev &&
	    st->st_ino == is->st_ino;
}

/* fchmod() takes no O_PATH, which is the only way to open a socket. */
static int change_owner(int fd, uid_t uid, gid_t gid, int mode)
{
	char name[64];
	struct buf b;
	int rc;

	buf_init(&b, sizeof(name) - 1);
	buf_printf(&b, "/proc/self/fd/%d", fd);
	text_set(name, sizeof(name), buf_str(&b));
	buf_free(&b);
	rc = fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
	return rc == 0 ? chmod(name, (mode_t)mode) : rc;
}

int listen_change_owner(const char *path, int mode, const char *group,
    const struct ids *ids, const struct stat *made, struct err *e)
{
	uid_t uid = geteuid() == 0 ? ids->uid : (uid_t)-1;
	gid_t gid = geteuid() == 0 ? ids->gid : (gid_t)-1;
	struct stat st;
	int fd, rc = 0;

	if (group != NULL && find_group(group, &gid, e) != 0)
		return -1;
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, FAIL_CONFIG, "listen: %s", path);
	if (fstat(fd, &st) != 0 || !is_same(&st, made))
		rc = err_set(e, FAIL_CONFIG, "listen: %s is not the socket "
		    "that was made there", path);
	else if (change_owner(fd, uid, gid, mode) != 0)
		rc = err_sys(e, FAIL_CONFIG, "listen: mode of %s", path);
	close(fd);
	return rc;
}

void listen_unlink(const char *path, const struct stat *is)
{
	struct stat st;

	if (lstat(path, &st) == 0 && is_same(&st, is))
		(void)unlink(path);
}

static int open_unix(const struct listen_place *p, const struct ids *ids,
    int *fd, struct stat *made, struct err *e)
{
	const char *path = listen_path(p->where);
	struct sockaddr_un sa;
	mode_t old;
	int rc;

	memset(&sa, 0, sizeof(sa));
	sa.sun_family = AF_UNIX;
	if (view_cstr(view_of(path), sa.sun_path, sizeof(sa.sun_path)) != 0)
		return err_set(e, FAIL_CONFIG, "listen: %s: path "
		    "too long", path);
	if (listen_check_folder(p->where, e) != 0 ||
	    listen_clear_stale(path, e) != 0)
		return -1;
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	if (*fd < 0)
		return err_sys(e, FAIL_TEMP, "listen: %s: socket",
		    p->where);
	old = umask((mode_t)~p->mode & 0777);
	rc = bind(*fd, (const struct sockaddr *)(const void *)&sa,
	    sizeof(sa));
	(void)umask(old);
	if (rc != 0)
		return err_sys(e, FAIL_CONFIG, "listen: %s", path);
	return listen_set_owner(path, p->mode, p->group, ids,
	    made, e);
}

/* "127.0.0.1:25", "[::1]:25"; the configuration was checked. */
static int open_inet(const struct listen_place *p, int *fd, struct err *e)
{
	const char *colon = strrchr(p->where, ':');
	struct view host = view_make(p->where, (size_t)(colon - p->where));
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	in_port_t port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	bool is_v6 = host.n > 0 && host.p[0] == '[';
	char text[INET6_ADDRSTRLEN];
	int one = 1, rc;

	v4.sin_port = v6.sin6_port = port;
	if (is_v6)
		host = view_sub(host, 1, host.n - 2);
	if (view_cstr(host, text, sizeof(text)) != 0 ||
	    inet_pton(is_v6 ? AF_INET6 : AF_INET, text, is_v6 ?
	    (void *)&v6.sin6_addr : (void *)&v4.sin_addr) != 1)
		return err_set(e, FAIL_CONFIG, "listen: %s is no "
		    "address", p->where);
	*fd = socket(is_v6 ? AF_INET6 : AF_INET,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return err_sys(e, FAIL_TEMP, "listen: %s: socket",
		    p->where);
	(void)setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* accepted sockets inherit it */
	(void)setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (is_v6)
		(void)setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &one,
		    sizeof(one));
	rc = is_v6 ? bind(*fd, (const struct sockaddr *)(const void *)&v6,
	    sizeof(v6)) : bind(*fd,
	    (const struct sockaddr *)(const void *)&v4, sizeof(v4));
	return rc == 0 ? 0 : err_sys(e, FAIL_CONFIG, "listen: %s", p->where);
}

int listen_at(const struct listen_place *p, const struct ids *ids, int *fd,
    struct stat *made, struct err *e)
{
	int rc;

	*fd = -1;
	rc = listen_path(p->where) != NULL ? open_unix(p, ids, fd, made, e) :
	    open_inet(p, fd, e);
	if (rc == 0 && listen(*fd, BACKLOG) != 0)
		rc = err_sys(e, FAIL_CONFIG, "listen: %s", p->where);
	if (rc != 0 && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}
