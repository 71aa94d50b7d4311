/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Making the sockets of doors.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "milter/door.h"
#include "milter/listen.h"

static int open_door(const struct door *d, const struct ids *ids,
    struct door_sock *s, struct err *e)
{
	struct listen_place p = { d->listen, d->listen_mode, d->listen_group };

	s->fd = -1;
	s->listen = strdup(d->listen);
	if (s->listen == NULL)
		return err_set(e, FAIL_TEMP, "door %s: out of memory",
		    d->name);
	if (listen_at(&p, ids, &s->fd, &s->made, e) != 0)
		return err_add(e, "door %s", d->name);
	return 0;
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
