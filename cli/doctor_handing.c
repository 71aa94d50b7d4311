/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Does Postfix hand its mail to the relay, and ask it, where the relay waits
 * for that? What a lookup table of Postfix says is not seen.
 */
#include "cli/doctor_mail.h"

#include <string.h>

#include "cli/postconf.h"
#include "relay/config.h"

/* How Postfix writes a place of ours: its path, also within
 * queue_directory, where a chrooted process sees it; or host and port. */
struct place {
	struct buf path, short_path, port;
};

static void place_init(struct place *l, const struct postconf *p,
    const char *where)
{
	const char *queue = postconf_get(p, NULL, "queue_directory");
	const char *path = doctor_unix_path(where);
	size_t n = queue == NULL ? 0 : strlen(queue);

	buf_init(&l->path, 4096);
	buf_init(&l->short_path, 4096);
	buf_init(&l->port, 64);
	if (path == NULL) {
		buf_printf(&l->port, ":%d", doctor_port(where));
		return;
	}
	buf_printf(&l->path, "unix:%s", path);
	if (n > 0 && strncmp(path, queue, n) == 0 && path[n] == '/')
		buf_printf(&l->short_path, "unix:%s", path + n + 1);
}

static void place_free(struct place *l)
{
	buf_free(&l->path);
	buf_free(&l->short_path);
	buf_free(&l->port);
}

/* As a word of its own: ":2500" is not in ":25000". */
static bool has_word(const char *value, const struct buf *word)
{
	const char *at = value;

	if (word->n == 0 || word->failed)
		return false;
	while ((at = strstr(at, buf_str(word))) != NULL) {
		at += word->n;
		if (*at == '\0' || strchr(":,} \t\n", *at) != NULL)
			return true;
	}
	return false;
}

static bool names(const struct postconf_setting *s, const struct place *l)
{
	return s->value != NULL && (has_word(s->value, &l->path) ||
	    has_word(s->value, &l->short_path) ||
	    has_word(s->value, &l->port));
}

static bool is_named(const struct postconf *p, const struct place *l)
{
	for (size_t i = 0; i < p->sets; i++)
		if (names(&p->set[i], l))
			return true;
	for (size_t i = 0; i < p->services; i++)
		for (size_t k = 0; k < p->service[i].os; k++)
			if (names(&p->service[i].o[k], l))
				return true;
	return false;
}

/* Is there a table of Postfix that may have it? */
static bool may_be_in_table(const struct postconf *p)
{
	static const char *const tables[] = {"transport_maps",
		"sender_dependent_default_transport_maps",
		"sender_dependent_relayhost_maps"};

	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		const char *v = postconf_get(p, NULL, tables[i]);

		if (v != NULL && *v != '\0')
			return true;
	}
	return false;
}

/* Other machines may be who comes by a port. */
static bool is_for_us(const char *where)
{
	const char *colon = strrchr(where, ':');

	return doctor_unix_path(where) != NULL || (colon != NULL &&
	    doctor_is_loopback(view_make(where, (size_t)(colon - where))));
}

static void check_egress(struct doctor *d, const struct postconf *p,
    const struct listener *l)
{
	bool table = may_be_in_table(p), named = false;
	struct place at;

	for (size_t i = 0; i < l->ons; i++) {
		if (!is_for_us(l->on[i].where))
			return;
		place_init(&at, p, l->on[i].where);
		named = named || is_named(p, &at);
		place_free(&at);
	}
	if (!named)
		doctor_say(d, table ? DOCTOR_HINT : DOCTOR_WARNING,
		    "relay-unused", l->on[0].where, table
		    ? "no setting of Postfix hands mail to this place, so that "
		    "it leaves past the relay unless a table says otherwise"
		    : "no setting of Postfix hands mail to this place: it "
		    "leaves past the relay", "contrib/postfix/relay.main.cf");
}

static void check_socketmap(struct doctor *d, const struct postconf *p,
    const char *where)
{
	struct place at;

	if (!is_for_us(where))
		return;
	place_init(&at, p, where);
	if (!is_named(p, &at))
		doctor_say(d, DOCTOR_WARNING, "relay-unused", where,
		    "no setting of Postfix asks here: mail leaves with the TLS "
		    "that main.cf says, whatever tls-policy does",
		    "contrib/postfix/tls-policy.main.cf");
	place_free(&at);
}

static void check_places(struct doctor *d, const struct postconf *p,
    const struct relay_config *c)
{
	for (size_t i = 0; i < c->listeners; i++)
		if (c->listener[i].protocol == RELAY_LMTP)
			check_egress(d, p, &c->listener[i]);
	if (c->socketmap != NULL)
		check_socketmap(d, p, c->socketmap);
}

void doctor_relay_postfix(struct doctor *d, const struct postconf *p)
{
	struct relay_config *c = NULL;
	struct conf_errors ce;
	struct buf where;

	buf_init(&where, 4096);
	buf_printf(&where, "%.150s/main.cf", p->dir);
	mail_check_networks(d, p, buf_str(&where));
	buf_free(&where);
	conf_errors_init(&ce);
	if (relay_config_read(&c, d->config->path, &ce) == 0)
		check_places(d, p, c);
	relay_config_free(&c);
	conf_errors_free(&ce);
}
