/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What of Postfix's settings endangers sealed mail.
 */
#include "cli/doctor.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor_mail.h"
#include "cli/postconf.h"

struct look {
	struct doctor *d;
	const struct postconf *p;
	const struct postconf_service *s; /* at hand; NULL: main.cf */
	char where[200];
	size_t asked; /* services that ask us */
};

static const char *get(const struct look *l, const char *name)
{
	return postconf_get(l->p, l->s, name);
}

static bool is_set(const struct look *l, const char *name)
{
	const char *v = get(l, name);

	return v != NULL && *v != '\0';
}

static bool is_yes(const struct look *l, const char *name)
{
	const char *v = get(l, name);

	return v != NULL && strcmp(v, "yes") == 0;
}

static bool is_smtpd(const struct postconf_service *s)
{
	return strcmp(s->command, "smtpd") == 0;
}

/* Postfix 3.0 turned the default round. */
static bool is_chrooted(const struct look *l)
{
	const char *level = postconf_get(l->p, NULL, "compatibility_level");

	if (l->s == NULL || strcmp(l->s->chroot, "n") == 0)
		return false;
	return strcmp(l->s->chroot, "y") == 0 || level == NULL ||
	    strcmp(level, "0") == 0;
}

static const char *chroot_of(const struct look *l)
{
	return postconf_get(l->p, NULL, "queue_directory");
}

static bool is_ours(const struct look *l, const char *endpoint)
{
	return doctor_is_ours(l->d->config, endpoint, chroot_of(l));
}

/* The address part of "ADDRESS:PORT", and the port's name or number. */
static struct view service_port(const char *name)
{
	const char *colon = strrchr(name, ':');

	return view_of(colon == NULL ? name : colon + 1);
}

static struct view service_address(const char *name)
{
	const char *colon = strrchr(name, ':');

	return view_make(name, colon == NULL ? 0 : (size_t)(colon - name));
}

static bool is_port(const char *name, const char *const *ports)
{
	for (; *ports != NULL; ports++)
		if (view_eq_str(service_port(name), *ports))
			return true;
	return false;
}

static bool is_submission(const struct look *l)
{
	static const char *const ports[] = {"submission", "587",
		"submissions", "smtps", "465", NULL};

	return l->s != NULL && (is_port(l->s->name, ports) ||
	    postconf_is_override(l->s, "smtpd_tls_wrappermode") ||
	    (postconf_is_override(l->s, "smtpd_sasl_auth_enable") &&
	    is_yes(l, "smtpd_sasl_auth_enable")));
}

static bool is_incoming(const struct look *l)
{
	static const char *const ports[] = {"smtp", "25", NULL};

	return l->s != NULL && !is_submission(l) &&
	    is_port(l->s->name, ports);
}

/* Only when nobody else can reach it. */
static bool is_on_loopback(const struct look *l)
{
	struct view address = service_address(l->s->name), word;
	struct view all;
	const char *v = postconf_get(l->p, NULL, "inet_interfaces");
	bool any = false;

	if (address.n > 0)
		return doctor_is_loopback(address);
	all = view_of(v == NULL ? "" : v);
	while (mail_next_word(&all, &word)) {
		any = true;
		if (!view_eq_str(word, "loopback-only") &&
		    !doctor_is_loopback(word))
			return false;
	}
	return any;
}

/* ---- our milter, as a service asks it ---- */

static void check_action(struct look *l, const struct postconf_milter *m)
{
	bool own = m->action[0] != '\0';
	const char *v = own ? m->action : get(l, "milter_default_action");

	mail_check_action(l->d, l->where, v == NULL ? "tempfail" : v, own
	    ? "{ SOCKET, default_action=tempfail }"
	    : "milter_default_action = tempfail");
}

/* A chrooted smtpd sees its queue_directory as the root. */
static void check_chroot(struct look *l, const char *endpoint)
{
	const char *path = doctor_unix_path(endpoint);
	const char *queue = chroot_of(l), *ours;
	size_t n;

	ours = l->d->config->listen == NULL ? NULL
	    : doctor_unix_path(l->d->config->listen);
	if (path == NULL || ours == NULL || queue == NULL ||
	    !is_chrooted(l))
		return;
	n = strlen(queue);
	if (strncmp(ours, queue, n) != 0 || ours[n] != '/')
		doctor_say(l->d, DOCTOR_WARNING, "chroot", l->where,
		    "smtpd runs chrooted in queue_directory and cannot "
		    "reach a socket outside of it: all mail would wait",
		    "in postseal.conf: listen \"unix:/var/spool/postfix/"
		    "postseal/milter.sock\"");
	else if (*path == '/' && strcmp(path, ours) == 0)
		doctor_say(l->d, DOCTOR_WARNING, "chroot", l->where,
		    "smtpd runs chrooted in queue_directory: the path of "
		    "the socket must be relative to it",
		    "smtpd_milters = unix:postseal/milter.sock");
}

struct order {
	size_t ours, dkim; /* places from 1; 0 not there */
};

static struct order read_order(struct look *l, const char *list)
{
	struct view all = view_of(list == NULL ? "" : list);
	struct order o = {0, 0};
	struct postconf_milter m;

	for (size_t n = 1; postconf_next_milter(&all, &m); n++) {
		if (is_ours(l, m.endpoint)) {
			o.ours = n;
			check_action(l, &m);
			check_chroot(l, m.endpoint);
		} else if (doctor_is_dkim(m.endpoint)) {
			o.dkim = n;
		}
	}
	return o;
}

static void check_order(struct look *l, const struct order *o)
{
	bool out = is_submission(l) || l->s == NULL;

	if (o->ours == 0 || o->dkim == 0 || (!out && !is_incoming(l)))
		return;
	mail_check_order(l->d, l->where, out, o->dkim < o->ours);
}

static bool has_ours(const struct look *l)
{
	const char *options = get(l, "receive_override_options");
	const char *list = get(l, "smtpd_milters");
	struct view all = view_of(list == NULL ? "" : list);
	struct postconf_milter m;

	if (options != NULL && strstr(options, "no_milters") != NULL)
		return false;
	while (postconf_next_milter(&all, &m))
		if (is_ours(l, m.endpoint))
			return true;
	return false;
}

/* ---- the port for copies ---- */

static bool is_reinject(const struct look *l)
{
	const struct config *c = l->d->config;

	return c->reinject != NULL && doctor_port(l->s->name) != 0 &&
	    doctor_port(l->s->name) == doctor_port(c->reinject);
}

/* Where a door hands on what it did: the same is asked of it. */
static bool is_behind_door(const struct look *l)
{
	const struct config *c = l->d->config;

	for (size_t i = 0; i < c->doors; i++)
		if (doctor_port(l->s->name) != 0 && c->door[i].next_hop !=
		    NULL && doctor_port(l->s->name) ==
		    doctor_port(c->door[i].next_hop))
			return true;
	return false;
}

/* Where mail comes to that must have a verified hop. */
static bool is_tls_route(const struct look *l)
{
	const struct config *c = l->d->config;
	int port = doctor_port(l->s->name);
	bool is = c->tls_route != NULL && port == doctor_port(c->tls_route);

	for (size_t i = 0; i < c->doors; i++)
		is = is || (c->door[i].tls_route != NULL &&
		    port == doctor_port(c->door[i].tls_route));
	return is && port != 0;
}

/* A net that has everybody in it. */
static bool is_open(const char *networks)
{
	struct view all = view_of(networks == NULL ? "" : networks), word;

	while (mail_next_word(&all, &word))
		if (word.n >= 2 && word.p[0] != '!' &&
		    view_eq_str(view_sub(word, word.n - 2, 2), "/0"))
			return true;
	return false;
}

/* Copies of the milter go to the addresses that the client gave, those of a
 * door to what aliases became in the queue before it. */
static void check_mappings(struct look *l)
{
	const char *options = get(l, "receive_override_options");
	bool off = options != NULL &&
	    strstr(options, "no_address_mappings") != NULL;

	if (is_behind_door(l) && !off)
		doctor_say(l->d, DOCTOR_HINT, "reinject-mappings", l->where,
		    "aliases were expanded before the door, and would be "
		    "expanded once more",
		    "  -o receive_override_options=no_address_mappings");
	else if (!is_behind_door(l) && off)
		doctor_say(l->d, DOCTOR_HINT, "reinject-mappings", l->where,
		    "copies go to the addresses that the client gave, and "
		    "nobody expands aliases among them",
		    "  -o receive_override_options=");
}

/* Of a port that mail comes to from postseal. */
static void check_ours_only(struct look *l)
{
	if (has_ours(l))
		doctor_say(l->d, DOCTOR_DANGER, "reinject-loop", l->where,
		    "copies that are sent on come back to postseal: a loop",
		    "  -o smtpd_milters=");
	if (!is_on_loopback(l))
		doctor_say(l->d, DOCTOR_DANGER, "reinject-open", l->where,
		    "others can reach the port that passes mail on without "
		    "postseal: mail in clear, and an open relay",
		    "name it 127.0.0.1:PORT in master.cf");
	if (is_open(get(l, "mynetworks")))
		doctor_say(l->d, DOCTOR_DANGER, "reinject-networks",
		    l->where, "mynetworks lets everybody relay through the "
		    "port for copies", "  -o mynetworks=127.0.0.0/8,[::1]/128");
}

static void check_reinject(struct look *l)
{
	check_ours_only(l);
	if (is_set(l, "content_filter"))
		doctor_say(l->d, DOCTOR_DANGER, "reinject-filter", l->where,
		    "what is sent on goes through the content filter once "
		    "more: a loop", "  -o content_filter=");
	check_mappings(l);
}

/* ---- services ---- */

static void set_where(struct look *l, const struct postconf_service *s)
{
	struct buf b;

	l->s = s;
	buf_init(&b, sizeof(l->where) - 1);
	if (s == NULL)
		buf_printf(&b, "%.150s/main.cf", l->p->dir);
	else
		buf_printf(&b, "%.100s/master.cf %.60s", l->p->dir, s->name);
	text_set(l->where, sizeof(l->where), buf_str(&b));
	buf_free(&b);
}

static void check_without(struct look *l)
{
	if (is_submission(l))
		doctor_say(l->d, DOCTOR_DANGER, "milter-missing", l->where,
		    "mail of users goes out here without postseal: in "
		    "clear, whatever the rules say",
		    "  -o smtpd_milters=unix:postseal/milter.sock");
	else if (is_incoming(l) && l->d->config->doors == 0)
		doctor_say(l->d, DOCTOR_HINT, "milter-missing", l->where,
		    "mail that arrives here is not opened or verified",
		    "smtpd_milters = unix:postseal/milter.sock");
}

static void check_service(struct look *l)
{
	struct order o;

	if (is_tls_route(l)) {
		check_ours_only(l);
		doctor_tls_route(l->d, l->p, l->s, l->where);
		return;
	}
	if (is_reinject(l) || is_behind_door(l)) {
		check_reinject(l);
		return;
	}
	if (!has_ours(l)) {
		check_without(l);
		return;
	}
	l->asked++;
	o = read_order(l, get(l, "smtpd_milters"));
	check_order(l, &o);
	if (is_submission(l) && !is_set(l, "smtpd_sender_login_maps"))
		doctor_say(l->d, DOCTOR_HINT, "sender-login", l->where,
		    "a login may use any envelope sender; postseal checks "
		    "From only",
		    "smtpd_sender_login_maps = ..., and "
		    "reject_sender_login_mismatch");
}

static void check_services(struct look *l)
{
	bool reinject = false, route = false;

	for (size_t i = 0; i < l->p->services; i++) {
		if (!is_smtpd(&l->p->service[i]))
			continue;
		set_where(l, &l->p->service[i]);
		reinject |= is_reinject(l);
		route |= is_tls_route(l);
		check_service(l);
	}
	set_where(l, NULL);
	if (l->d->config->reinject != NULL && !reinject)
		doctor_say(l->d, DOCTOR_WARNING, "reinject-missing",
		    l->where, "no smtpd listens where postseal sends copies: "
		    "mail that must be split waits",
		    "127.0.0.1:10026 inet n - n - - smtpd -o smtpd_milters=");
	if (l->d->config->tls_route != NULL && !route)
		doctor_say(l->d, DOCTOR_WARNING, "tls-route-missing",
		    l->where, "no smtpd listens where postseal sends what "
		    "must have a verified hop: it waits",
		    "contrib/postfix/tls-route.master.cf");
	if (l->d->config->listen != NULL && l->asked == 0)
		doctor_say(l->d, DOCTOR_DANGER, "milter-unused", l->where,
		    "no smtpd asks postseal: nothing is sealed",
		    "smtpd_milters = unix:postseal/milter.sock");
}

static void check_local(struct look *l)
{
	struct order o = read_order(l, get(l, "non_smtpd_milters"));

	if (o.ours == 0 && l->asked > 0)
		doctor_say(l->d, DOCTOR_WARNING, "non-smtpd", l->where,
		    "mail by sendmail(1) goes out without postseal",
		    "non_smtpd_milters = $smtpd_milters");
	check_order(l, &o);
}

static bool is_member(const struct passwd *who, gid_t group)
{
	gid_t list[64];
	int n = ARRAY_LEN(list);

	if (getgrouplist(who->pw_name, who->pw_gid, list, &n) < 0)
		n = ARRAY_LEN(list);
	for (int i = 0; i < n; i++)
		if (list[i] == group)
			return true;
	return false;
}

/* smtpd runs as mail_owner, and to connect is to write. */
static void check_owner(struct look *l)
{
	const char *owner = get(l, "mail_owner"), *path;
	const struct passwd *who;
	struct stat st;

	path = l->d->config->listen == NULL ? NULL
	    : doctor_unix_path(l->d->config->listen);
	who = owner == NULL ? NULL : getpwnam(owner);
	if (path == NULL || who == NULL || l->asked == 0 ||
	    stat(path, &st) != 0 || (st.st_mode & S_IWOTH) != 0)
		return;
	if (st.st_uid == who->pw_uid ? (st.st_mode & S_IWUSR) == 0
	    : (st.st_mode & S_IWGRP) == 0 || !is_member(who, st.st_gid))
		doctor_say(l->d, DOCTOR_WARNING, "socket-owner", path,
		    "Postfix's account may not connect to the socket: all "
		    "mail waits", "listen ... mode 0660 group postfix");
}

void doctor_postfix(struct doctor *d, const struct postconf *p)
{
	struct look l = {.d = d, .p = p};

	check_services(&l);
	check_local(&l);
	check_owner(&l);
	mail_check_settings(d, p, l.where);
}
