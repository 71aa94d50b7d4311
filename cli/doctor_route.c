/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a port for "encrypt or tls" must be like in Postfix: one transport, and
 * that one verifies whom it talks to.
 */
#include "cli/doctor_mail.h"

#include <string.h>

#include "cli/postconf.h"

#define MENDS "contrib/postfix/tls-route.master.cf"

static const struct postconf_service *find_transport(const struct postconf *p,
    struct view name)
{
	for (size_t i = 0; i < p->services; i++)
		if (view_eq_str(name, p->service[i].name) &&
		    strcmp(p->service[i].type, "inet") != 0)
			return &p->service[i];
	return NULL;
}

/* Levels that prove who the next server is. */
static bool is_verified(const char *level)
{
	static const char *const levels[] = {"secure", "verify",
		"fingerprint", "dane-only"};

	for (size_t i = 0; level != NULL && i < ARRAY_LEN(levels); i++)
		if (strcmp(level, levels[i]) == 0)
			return true;
	return false;
}

static void say_danger(struct doctor *d, const char *where, const char *what)
{
	doctor_say(d, DOCTOR_DANGER, "tls-route-open", where, what, MENDS);
}

static void check_smtp(struct doctor *d, const struct postconf *p,
    const struct postconf_service *t, const char *where)
{
	const char *maps = postconf_get(p, t, "smtp_tls_policy_maps");
	const char *fallback = postconf_get(p, t, "smtp_fallback_relay");

	if (!is_verified(postconf_get(p, t, "smtp_tls_security_level")))
		say_danger(d, where, "the transport of its content_filter "
		    "does not verify its hops: what had to be encrypted can "
		    "leave in clear");
	else if (maps != NULL && *maps != '\0')
		doctor_say(d, DOCTOR_WARNING, "tls-route-maps", where,
		    "smtp_tls_policy_maps can make the level of a destination "
		    "less", "  -o smtp_tls_policy_maps=, in the transport of "
		    "its content_filter");
	else if (fallback != NULL && *fallback != '\0')
		doctor_say(d, DOCTOR_HINT, "tls-route-fallback", where,
		    "what a hop does not take goes to smtp_fallback_relay, "
		    "which is another system that reads it",
		    "  -o smtp_fallback_relay=, in the transport of its "
		    "content_filter");
}

void doctor_tls_route(struct doctor *d, const struct postconf *p,
    const struct postconf_service *s, const char *where)
{
	const char *filter = postconf_get(p, s, "content_filter");
	const struct postconf_service *t;
	struct view name;
	size_t colon;

	if (filter == NULL || *filter == '\0') {
		say_danger(d, where, "it has no content_filter: what must "
		    "have a verified hop leaves as any other mail");
		return;
	}
	name = view_of(filter);
	colon = view_chr(name, ':', 0);
	if (colon != (size_t)-1)
		name.n = colon;
	t = find_transport(p, name);
	if (t == NULL)
		say_danger(d, where, "its content_filter is a transport that "
		    "master.cf does not have: what comes here waits");
	else if (strcmp(t->command, "smtp") == 0)
		check_smtp(d, p, t, where);
	else if (strcmp(t->command, "lmtp") != 0)
		say_danger(d, where, "its content_filter is neither smtp with "
		    "a level that verifies, nor lmtp to postseal-relay");
}
