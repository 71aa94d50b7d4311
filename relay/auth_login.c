/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The LOGIN mechanism, which no standard has, and old clients know alone: a
 * name, then a password. The name may come as initial response.
 */
#include "relay/auth_int.h"

static bool is_text(const struct view *v)
{
	return v != NULL && v->n > 0 && view_chr(*v, '\0', 0) == (size_t)-1;
}

void auth_login_step(struct exchange *x, const struct view *input,
    struct verdict *v)
{
	if (x->step == 0 && input == NULL) {
		auth_challenge(v, "Username:");
		return;
	}
	if (!is_text(input)) {
		auth_refuse(v, AUTH_MALFORMED, "malformed");
		return;
	}
	if (x->step == 0) {
		if (view_cstr(*input, x->login, sizeof(x->login)) != 0)
			text_set(x->login, sizeof(x->login), "");
		x->step = 1;
		auth_challenge(v, "Password:");
		return;
	}
	auth_check(x, view_of(x->login), *input, v);
}
