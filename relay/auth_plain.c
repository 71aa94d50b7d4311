/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * SASL PLAIN (RFC 4616): [authzid] NUL authcid NUL passwd.
 */
#include "relay/auth_int.h"

static bool split(struct view in, struct view part[3])
{
	size_t a = view_chr(in, '\0', 0), b;

	if (a == (size_t)-1)
		return false;
	b = view_chr(in, '\0', a + 1);
	if (b == (size_t)-1)
		return false;
	part[0] = view_sub(in, 0, a);
	part[1] = view_sub(in, a + 1, b - a - 1);
	part[2] = view_sub(in, b + 1, in.n);
	return part[1].n > 0 && part[2].n > 0 &&
	    view_chr(part[2], '\0', 0) == (size_t)-1;
}

void auth_plain_step(struct exchange *x, const struct view *input,
    struct verdict *v)
{
	struct view part[3];

	if (input == NULL && x->step == 0) {
		x->step = 1;
		auth_challenge(v, "");
		return;
	}
	if (input == NULL || !split(*input, part)) {
		auth_refuse(v, AUTH_MALFORMED, "malformed");
		return;
	}
	auth_check(x, part[1], part[2], v);
	/* looked up first: whether a password is right is no shorter to
	 * find out when one asks to be somebody else */
	if (v->answer->result == AUTH_YES && part[0].n > 0 &&
	    !view_eq(part[0], part[1]))
		auth_refuse(v, AUTH_NO, "authzid");
}
