/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What is allowed in tls-policy { }, but protects less than it seems to
 * (T14, T39, T59), or lets nothing through.
 */
#include <string.h>
#include <strings.h>

#include "smtp/tls_policy_int.h"

#define SENTENCE_MAX 1200

struct teller {
	void (*say)(void *arg, const char *sentence);
	void *arg;
	const struct tls_rules *rules;
};

static void tell(const struct teller *t, const struct tls_rule *r,
    const char *what)
{
	struct buf b;

	buf_init(&b, SENTENCE_MAX);
	buf_printf(&b, "%s:%d: %s %s: %s", r->file, r->line,
	    r->is_default ? "default" : r->to, tls_level_str(r->level), what);
	t->say(t->arg, buf_str(&b));
	buf_free(&b);
}

static bool has_match(const struct tls_rule *r, const char *keyword)
{
	for (size_t i = 0; i < r->matches; i++)
		if (strcmp(r->match[i], keyword) == 0)
			return true;
	return false;
}

/* A host's name that an insecure MX record gave is the attacker's (T39). */
static void tell_names(const struct teller *t, const struct tls_rule *r)
{
	if (r->level == TLS_SECURE && has_match(r, "hostname"))
		tell(t, r, "match hostname: the name comes from MX records "
		    "and is believed only where DNSSEC protects them; other "
		    "mail stays in the queue");
	else if (r->level == TLS_VERIFY && !r->is_default &&
	    r->to[0] != '[' && (r->matches == 0 || has_match(r, "hostname")))
		tell(t, r, "the name that is verified comes from MX records: "
		    "without DNSSEC an attacker chooses it; secure with match "
		    "does not believe them");
}

/* As relay import writes it for what it cannot keep. */
static void tell_held(const struct teller *t, const struct tls_rule *r)
{
	for (size_t i = 0; i < r->matches; i++) {
		const char *top = strrchr(r->match[i], '.');

		if (top == NULL || strcasecmp(top, ".invalid") != 0)
			continue;
		tell(t, r, "this mail waits and comes back in the end: no "
		    "certificate has a name below .invalid (RFC 6761 6.4); "
		    "write what the line is for");
		return;
	}
}

static void tell_old(const struct teller *t, const struct tls_rule *r)
{
	if (r->min == TLS_V_1_0 || r->min == TLS_V_1_1)
		tell(t, r, "protocols before TLS 1.2 are broken (RFC 8996)");
}

/* Mail for the domain itself goes by a weaker line than mail below it. */
static void tell_parent(const struct teller *t, const struct tls_rule *r)
{
	const struct tls_rule *own;

	if (r->is_default || r->to[0] != '.' || !tls_level_is_must(r->level))
		return;
	own = tls_rules_find(t->rules, r->to + 1, 25, "");
	if (own != NULL && tls_level_is_must(own->level))
		return;
	tell(t, r, "this is what lies below the domain; the domain itself has "
	    "no line that asks for TLS");
}

static void tell_default(const struct teller *t, const struct tls_rule *r)
{
	if (r->level == TLS_NONE)
		tell(t, r, "mail for all other destinations is sent in "
		    "plaintext, also where TLS is offered");
}

void tls_rules_warn(const struct tls_rules *r,
    void (*say)(void *arg, const char *sentence), void *arg)
{
	const struct teller t = { say, arg, r };

	for (size_t i = 0; i < r->n; i++) {
		tell_names(&t, &r->rule[i]);
		tell_held(&t, &r->rule[i]);
		tell_old(&t, &r->rule[i]);
		tell_parent(&t, &r->rule[i]);
		if (r->rule[i].is_default)
			tell_default(&t, &r->rule[i]);
	}
}
