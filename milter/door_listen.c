/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Making the sockets of doors.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "milter/door.h"
#include "milter/listen.h"

#define BACKLOG 512

static int open_unix(const struct door *d, const struct ids *ids,
    struct door_sock *s, struct err *e)
{
	const char *path = listen_path(d->listen);
	struct sockaddr_un sa;
	mode_t old;
	int rc;

	memset(&sa, 0, sizeof(sa));
	sa.sun_family = AF_UNIX;
	if (view_cstr(view_of(path), sa.sun_path, sizeof(sa.sun_path)) != 0)
		return err_set(e, FAIL_CONFIG, "door %s: path too long",
		    d->name);
	if (listen_check_folder(d->listen, e) != 0 ||
	    listen_clear_stale(path, e) != 0)
		return err_add(e, "door %s", d->name);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	if (s->fd < 0)
		return err_sys(e, FAIL_TEMP, "door %s: socket", d->name);
	old = umask((mode_t)~d->listen_mode & 0777);
	rc = bind(s->fd, (const struct sockaddr *)(const void *)&sa,
	    sizeof(sa));
	(void)umask(old);
	if (rc != 0)
		return err_sys(e, FAIL_CONFIG, "door %s: %s", d->name, path);
	return listen_set_owner(path, d->listen_mode, d->listen_group, ids,
	    &s->made, e);
}

/* "127.0.0.1:25", "[::1]:25"; the configuration was checked. */
static int open_inet(const struct door *d, struct door_sock *s, struct err *e)
{
	const char *colon = strrchr(d->listen, ':');
	struct view host = view_make(d->listen, (size_t)(colon - d->listen));
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
		return err_set(e, FAIL_CONFIG, "door %s: %s is no address",
		    d->name, d->listen);
	s->fd = socket(is_v6 ? AF_INET6 : AF_INET,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return err_sys(e, FAIL_TEMP, "door %s: socket", d->name);
	(void)setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* accepted sockets inherit it */
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (is_v6)
		(void)setsockopt(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one,
		    sizeof(one));
	rc = is_v6 ? bind(s->fd, (const struct sockaddr *)(const void *)&v6,
	    sizeof(v6)) : bind(s->fd,
	    (const struct sockaddr *)(const void *)&v4, sizeof(v4));
	return rc == 0 ? 0 : err_sys(e, FAIL_CONFIG, "door %s: %s", d->name,
	    d->listen);
}

static int open_door(const struct door *d, const struct ids *ids,
    struct door_sock *s, struct err *e)
{
	int rc;

	s->fd = -1;
	s->listen = strdup(d->listen);
	if (s->listen == NULL)
		return err_set(e, FAIL_TEMP, "door %s: out of memory",
		    d->name);
	rc = listen_path(d->listen) != NULL ? open_unix(d, ids, s, e) :
	    open_inet(d, s, e);
	if (rc == 0 && listen(s->fd, BACKLOG) != 0)
		rc = err_sys(e, FAIL_CONFIG, "door %s: %s", d->name,
		    d->listen);
	return rc;
}

int doors_open(const struct config *c, const struct ids *ids,
    struct door_socks *out, struct err *e)
{
	size_t i;

	for (i = 0; i < c->doors; i++) {
		if (out->n == DOORS_MAX)
			return err_set(e, FAIL_CONFIG, "more than %d doors",
			    DOORS_MAX);
		memset(&out->sock[out->n], 0, sizeof(out->sock[0]));
		out->n++;
		if (open_door(&c->door[i], ids, &out->sock[out->n - 1], e)
		    != 0)
			return -1;
	}
	return 0;
}

void doors_remove(struct door_socks *s)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		struct door_sock *k = &s->sock[i];

		if (k->fd >= 0)
			close(k->fd);
		if (k->listen != NULL && listen_path(k->listen) != NULL)
			listen_unlink(listen_path(k->listen), &k->made);
		free(k->listen);
	}
	s->n = 0;
}

int doors_check(const struct config *c, struct err *e)
{
	size_t i;

	if (c->doors > DOORS_MAX)
		return err_set(e, FAIL_CONFIG, "more than %d doors",
		    DOORS_MAX);
	for (i = 0; i < c->doors; i++)
		if (listen_check_folder(c->door[i].listen, e) != 0)
			return err_add(e, "door %s", c->door[i].name);
	return 0;
}
