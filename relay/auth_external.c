/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * SASL EXTERNAL (RFC 4422 A): who it is was shown by a client certificate
 * that the worker found good; here one of its addresses is chosen.
 */
#include "relay/auth_int.h"

#include "util/addr.h"

/* T32: the local part octet for octet. */
static const char *find(const struct exchange *x, struct view wanted)
{
	struct addr a, b;
	size_t i;

	if (wanted.n == 0)
		return x->identities > 0 ? x->identity[0] : NULL;
	if (addr_parse(&a, wanted, NULL) != 0)
		return NULL;
	for (i = 0; i < x->identities; i++)
		if (addr_parse(&b, view_of(x->identity[i]), NULL) == 0 &&
		    addr_eq(&a, &b, ADDR_EXACT))
			return x->identity[i];
	return NULL;
}

void auth_external_step(struct exchange *x, const struct view *input,
    struct verdict *v)
{
	const char *who;

	if (input == NULL && x->step == 0) {
		x->step = 1;
		auth_challenge(v, "");
		return;
	}
	if (input == NULL || view_chr(*input, '\0', 0) != (size_t)-1) {
		auth_refuse(v, AUTH_MALFORMED, "malformed");
		return;
	}
	if (view_cstr(*input, x->login, sizeof(x->login)) != 0)
		text_set(x->login, sizeof(x->login), "");
	buf_putv(&v->guess, *input);
	who = find(x, *input);
	if (who != NULL)
		auth_accept(v, who);
	else
		auth_refuse(v, AUTH_NO, "identity");
}
