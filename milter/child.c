/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What children have in common.
 */
#include "milter/child.h"

#include <sysexits.h>
#include <unistd.h>

#include "milter/ctl.h"

const char *role_str(enum role r)
{
	static const char *const name[] = {
		[ROLE_FRONT] = "front",
		[ROLE_KEYS] = "keys",
		[ROLE_WORKER] = "worker",
		[ROLE_STORE] = "store",
		[ROLE_METRICS] = "metrics",
		[ROLE_FETCH] = "fetch",
	};

	return name[r];
}

int child_ids(const struct config *c, enum role r, struct ids *out,
    struct err *e)
{
	const char *user = c->user;

	if (r == ROLE_KEYS && c->keys_user != NULL)
		user = c->keys_user;
	if (r == ROLE_FETCH && c->fetch.user != NULL)
		user = c->fetch.user;
	return child_user(user, "milter { }", out, e);
}

void child_begin(enum role r, const int *keep, size_t n)
{
	/* in the front libmilter takes the signals */
	child_start(&(struct child_start){ "postseal-milter", role_str(r),
	    r == ROLE_FRONT, keep, n });
}

void child_ready(int ctl)
{
	struct ctl m = { .kind = CTL_READY, .fd = -1 };

	if (ctl_send(ctl, &m, NULL) != 0)
		_exit(EX_TEMPFAIL);
}
