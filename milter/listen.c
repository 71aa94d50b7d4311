/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Making the socket that the MTA connects to.
 */
#include "milter/listen.h"

#include <errno.h>
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/log.h"

#define BACKLOG 512
#define FDS_LOOKED_AT 1024

/* Of the socket that we made, so that we remove no other. */
static struct stat made;

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

void listen_remove(const struct config *c)
{
	if (c->listen != NULL && listen_path(c->listen) != NULL)
		listen_unlink(listen_path(c->listen), &made);
}
