/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Findings that are the same for every mail server.
 */
#include "cli/doctor_mail.h"

#include <stdlib.h>
#include <string.h>

static bool is_separator(int c)
{
	return c == ' ' || c == '\t' || c == ',' || c == '\n' || c == '\r';
}

bool mail_next_word(struct view *all, struct view *word)
{
	size_t n = 0;

	while (all->n > 0 && is_separator(all->p[0]))
		*all = view_sub(*all, 1, all->n);
	while (n < all->n && !is_separator(all->p[n]))
		n++;
	*word = view_sub(*all, 0, n);
	*all = view_sub(*all, n, all->n);
	return n > 0;
}

void mail_check_action(struct doctor *d, const char *where,
    const char *action, const char *fix)
{
	if (strcmp(action, "tempfail") == 0 ||
	    strcmp(action, "shutdown") == 0) {
		doctor_say(d, DOCTOR_OK, "default-action", where,
		    "while postseal does not answer, mail waits", "");
		return;
	}
	if (strcmp(action, "accept") == 0 && d->config->observe)
		doctor_say(d, DOCTOR_HINT, "default-action", where,
		    "accept is right while postseal only observes, and "
		    "dangerous afterwards", fix);
	else if (strcmp(action, "accept") == 0)
		doctor_say(d, DOCTOR_DANGER, "default-action", where,
		    "while postseal does not answer, mail goes out in clear",
		    fix);
	else if (strcmp(action, "reject") == 0)
		doctor_say(d, DOCTOR_WARNING, "default-action", where,
		    "while postseal does not answer, mail is refused for "
		    "good", fix);
	else if (strcmp(action, "quarantine") == 0)
		doctor_say(d, DOCTOR_WARNING, "default-action", where,
		    "while postseal does not answer, mail is held in clear, "
		    "and released in clear", fix);
	else
		doctor_say(d, DOCTOR_WARNING, "default-action", where,
		    "not a default action that is known here", fix);
}

void mail_check_order(struct doctor *d, const char *where, bool outgoing,
    bool dkim_first)
{
	if (outgoing == !dkim_first) {
		doctor_say(d, DOCTOR_OK, "dkim-order", where, outgoing
		    ? "DKIM signs what postseal made"
		    : "DKIM is verified before postseal opens", "");
		return;
	}
	doctor_say(d, outgoing ? DOCTOR_DANGER : DOCTOR_WARNING, "dkim-order",
	    where, outgoing
	    ? "DKIM signs before postseal changes the message: its "
	    "signature will be broken"
	    : "DKIM is verified after postseal opened the message: it can "
	    "only fail", outgoing
	    ? "put the DKIM milter behind postseal in the list"
	    : "put the DKIM milter before postseal in the list");
}

void mail_check_size(struct doctor *d, const char *where, uint64_t limit,
    const char *name)
{
	uint64_t max = d->config->max_message;
	struct buf why, fix;

	/* base64 twice: signed opaque, then encrypted (M39) */
	if (limit == 0 || limit / 37 * 20 >= max)
		return;
	buf_init(&why, 400);
	buf_init(&fix, 200);
	buf_printf(&why, "a message grows up to 1.85 times by sealing: of "
	    "max-message-size %llu, %s %llu takes only %llu",
	    (unsigned long long)max, name, (unsigned long long)limit,
	    (unsigned long long)(limit / 37 * 20));
	buf_printf(&fix, "%s = %llu, or in postseal.conf: max-message-size "
	    "%llu", name, (unsigned long long)(max / 20 * 37 + 65536),
	    (unsigned long long)(limit / 37 * 20));
	doctor_say(d, DOCTOR_HINT, "message-size", where, buf_str(&why),
	    buf_str(&fix));
	buf_free(&why);
	buf_free(&fix);
}

bool doctor_is_dkim(const char *text)
{
	return strstr(text, "dkim") != NULL || strstr(text, "8891") != NULL;
}

/* ---- sockets ---- */

const char *doctor_unix_path(const char *endpoint)
{
	if (strncmp(endpoint, "unix:", 5) == 0)
		return endpoint + 5;
	if (strncmp(endpoint, "local:", 6) == 0)
		return endpoint + 6;
	return *endpoint == '/' ? endpoint : NULL;
}

/* "inet:PORT@HOST" (ours, Sendmail) or "inet:HOST:PORT" (Postfix). */
static int inet_port(const char *endpoint, struct view *host)
{
	const char *p = strchr(endpoint, ':'), *at, *colon;
	char *end;
	long port;

	if (strncmp(endpoint, "inet", 4) != 0 || p == NULL)
		return 0;
	p++;
	at = strchr(p, '@');
	colon = strrchr(p, ':');
	if (at != NULL) {
		*host = view_of(at + 1);
	} else {
		*host = view_make(p, colon == NULL ? 0 : (size_t)(colon - p));
		p = colon == NULL ? p : colon + 1;
	}
	port = strtol(p, &end, 10);
	return end != p && (*end == '\0' || *end == '@') && port > 0 &&
	    port < 65536 ? (int)port : 0;
}

static bool is_same_host(struct view a, struct view b)
{
	return view_ieq(a, b) ||
	    (doctor_is_loopback(a) && doctor_is_loopback(b));
}

static bool is_under(const char *ours, const char *path, const char *chroot)
{
	size_t n = strlen(chroot);

	while (*path == '/')
		path++;
	return strncmp(ours, chroot, n) == 0 && ours[n] == '/' &&
	    strcmp(ours + n + 1, path) == 0;
}

bool doctor_is_ours(const struct config *c, const char *endpoint,
    const char *chroot)
{
	struct view a, b;
	const char *path, *ours;
	int port;

	if (c->listen == NULL)
		return false;
	path = doctor_unix_path(endpoint);
	ours = doctor_unix_path(c->listen);
	if (path != NULL && ours != NULL)
		return strcmp(path, ours) == 0 || (chroot != NULL &&
		    is_under(ours, path, chroot));
	port = inet_port(endpoint, &a);
	return port != 0 && port == inet_port(c->listen, &b) &&
	    is_same_host(a, b);
}

bool doctor_is_loopback(struct view host)
{
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = view_sub(host, 1, host.n - 2);
	return view_ieq_str(host, "localhost") || view_eq_str(host, "::1") ||
	    view_istarts(host, "127.");
}

int doctor_port(const char *host_port)
{
	const char *colon = strrchr(host_port, ':');
	const char *digits = colon == NULL ? host_port : colon + 1;
	char *end;
	long port = strtol(digits, &end, 10);

	return end != digits && *end == '\0' && port > 0 && port < 65536
	    ? (int)port : 0;
}
