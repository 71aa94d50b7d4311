/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What of a sendmail.cf endangers sealed mail: the lines X (milters), the
 * options InputMailFilters, DaemonPortOptions and MaxMessageSize. In the file
 * as m4 made it; a .mc is not read.
 */
#include "cli/doctor.h"

#include <stdlib.h>
#include <string.h>

#include "cli/doctor_mail.h"

#define MILTERS_MAX 64
#define DAEMONS_MAX 64
#define NAME 80
#define LINE 2000
#define TIMES "T=C:30s;S:2m;R:2m;E:10m"

struct milter {
	char name[NAME];
	char socket[300];
	char flags[8];
	char times[200];
};

struct daemon_options {
	char text[LINE];
};

struct sendmail {
	struct doctor *d;
	const char *file;
	struct milter milter[MILTERS_MAX];
	size_t milters;
	struct daemon_options port[DAEMONS_MAX];
	size_t ports;
	char filters[LINE]; /* InputMailFilters */
	char max_size[40];
	const struct milter *ours;
	size_t asked;
};

/* ---- reading ---- */

/* The next part up to a separator, trimmed. */
static bool next_part(struct view *all, int separator, struct view *part)
{
	size_t n;

	if (all->n == 0)
		return false;
	n = view_chr(*all, separator, 0);
	*part = view_trim(view_sub(*all, 0, n));
	*all = n == (size_t)-1 ? view_sub(*all, all->n, 0)
	    : view_sub(*all, n + 1, all->n);
	return true;
}

static void copy(char *dst, size_t size, struct view v)
{
	if (view_cstr(v, dst, size) != 0)
		text_set(dst, size, "?");
}

/* "K=value", the key known by its first letter. */
static bool read_pair(struct view part, char *key, struct view *value)
{
	size_t n = view_chr(part, '=', 0);

	if (n == (size_t)-1 || n == 0)
		return false;
	*key = (char)part.p[0];
	*value = view_trim(view_sub(part, n + 1, part.n));
	return true;
}

/* Xname, S=..., F=T, T=... */
static void read_milter(struct sendmail *s, struct view line)
{
	struct milter *m = &s->milter[s->milters];
	struct view part, value;
	char key;

	if (s->milters == MILTERS_MAX || !next_part(&line, ',', &part))
		return;
	memset(m, 0, sizeof(*m));
	copy(m->name, sizeof(m->name), part);
	while (next_part(&line, ',', &part)) {
		if (!read_pair(part, &key, &value))
			continue;
		if (key == 'S')
			copy(m->socket, sizeof(m->socket), value);
		else if (key == 'F')
			copy(m->flags, sizeof(m->flags), value);
		else if (key == 'T')
			copy(m->times, sizeof(m->times), value);
	}
	s->milters++;
}

/* O Name=value */
static void read_option(struct sendmail *s, struct view line)
{
	size_t n = view_chr(line, '=', 0);
	struct view name, value;

	if (n == (size_t)-1)
		return;
	name = view_trim(view_sub(line, 0, n));
	value = view_trim(view_sub(line, n + 1, line.n));
	if (view_ieq_str(name, "InputMailFilters"))
		copy(s->filters, sizeof(s->filters), value);
	else if (view_ieq_str(name, "MaxMessageSize"))
		copy(s->max_size, sizeof(s->max_size), value);
	else if (view_ieq_str(name, "DaemonPortOptions") &&
	    s->ports < DAEMONS_MAX)
		copy(s->port[s->ports++].text, LINE, value);
}

static void read_line(struct sendmail *s, struct view line)
{
	if (line.n < 2)
		return;
	if (line.p[0] == 'X')
		read_milter(s, view_sub(line, 1, line.n));
	else if (line.p[0] == 'O' && line.p[1] == ' ')
		read_option(s, view_sub(line, 2, line.n));
}

/* A line that begins with a blank continues the one above. */
static void read_all(struct sendmail *s, struct view text)
{
	struct buf joined;
	struct view line;
	size_t n;

	buf_init(&joined, LINE);
	while (text.n > 0) {
		n = view_chr(text, '\n', 0);
		line = view_sub(text, 0, n);
		text = n == (size_t)-1 ? view_sub(text, text.n, 0)
		    : view_sub(text, n + 1, text.n);
		if (line.n == 0 || (line.p[0] != ' ' && line.p[0] != '\t')) {
			read_line(s, buf_view(&joined));
			buf_clear(&joined);
		}
		buf_putv(&joined, line);
	}
	read_line(s, buf_view(&joined));
	buf_free(&joined);
}

/* ---- looking ---- */

static void find_ours(struct sendmail *s)
{
	for (size_t i = 0; i < s->milters; i++)
		if (doctor_is_ours(s->d->config, s->milter[i].socket, NULL))
			s->ours = &s->milter[i];
}

static bool is_dkim(const struct sendmail *s, struct view name)
{
	for (size_t i = 0; i < s->milters; i++)
		if (view_eq_str(name, s->milter[i].name))
			return doctor_is_dkim(s->milter[i].name) ||
			    doctor_is_dkim(s->milter[i].socket);
	return false;
}

/* Seconds of one key in "C:30s;S:2m", else what is the default. */
static long time_of(const char *times, char key, long otherwise)
{
	struct view all = view_of(times), part;
	char text[40], *end;
	long x;

	while (next_part(&all, ';', &part)) {
		if (part.n < 3 || part.p[0] != (unsigned char)key ||
		    part.p[1] != ':' || view_cstr(view_sub(part, 2, part.n),
		    text, sizeof(text)) != 0)
			continue;
		x = strtol(text, &end, 10);
		if (end == text || x < 0 || x > 1000000)
			return otherwise;
		return x * (*end == 'm' ? 60 : *end == 'h' ? 3600 : 1);
	}
	return otherwise;
}

/* F=T tempfail, F=R reject, F=4 421; none: accept. */
static const char *action_of(const struct milter *m)
{
	switch (m->flags[0]) {
	case 'T':
	case '4':
		return "tempfail";
	case 'R':
		return "reject";
	case '\0':
		return "accept";
	default:
		return m->flags;
	}
}

static void check_ours(struct sendmail *s)
{
	char where[400];
	struct buf b;

	buf_init(&b, sizeof(where) - 1);
	buf_printf(&b, "%.200s X%.80s", s->file, s->ours->name);
	text_set(where, sizeof(where), buf_str(&b));
	buf_free(&b);
	mail_check_action(s->d, where, action_of(s->ours), "F=T");
	if (time_of(s->ours->times, 'R', 10) < 60 ||
	    time_of(s->ours->times, 'E', 300) < 300)
		doctor_say(s->d, DOCTOR_WARNING, "content-timeout", where,
		    "sendmail gives up before postseal answers (250 s, with "
		    "a sign of life every 30 s)", TIMES);
}

/* A list of filters: are we in it, and where is DKIM? */
static bool check_list(struct sendmail *s, const char *list, int separator,
    const char *where)
{
	struct view all = view_of(list), name;
	size_t ours = 0, dkim = 0;

	for (size_t n = 1; next_part(&all, separator, &name); n++) {
		if (s->ours != NULL && view_eq_str(name, s->ours->name))
			ours = n;
		else if (is_dkim(s, name))
			dkim = n;
	}
	/* One list serves both ways: what breaks mail counts. */
	if (ours != 0 && dkim != 0)
		mail_check_order(s->d, where, true, dkim < ours);
	return ours != 0;
}

struct port {
	char name[NAME], number[NAME], address[NAME];
	char filters[LINE];
	bool has_filters;
};

static void read_port(const char *text, struct port *p)
{
	struct view all = view_of(text), part, value;
	char key;

	memset(p, 0, sizeof(*p));
	text_set(p->number, sizeof(p->number), "25");
	while (next_part(&all, ',', &part)) {
		if (!read_pair(part, &key, &value))
			continue;
		if (key == 'N')
			copy(p->name, sizeof(p->name), value);
		else if (key == 'P')
			copy(p->number, sizeof(p->number), value);
		else if (key == 'A')
			copy(p->address, sizeof(p->address), value);
		else if (key == 'I')
			copy(p->filters, sizeof(p->filters), value);
		p->has_filters |= key == 'I';
	}
}

static bool is_port(const struct port *p, const char *spec)
{
	char *end;
	long port = strtol(p->number, &end, 10);

	return spec != NULL && *end == '\0' && port == doctor_port(spec);
}

/* What comes in by any port goes to one queue, from there by any mailer. */
static void say_no_route(struct sendmail *s, const char *where)
{
	doctor_say(s->d, DOCTOR_DANGER, "tls-route-open", where,
	    "Sendmail sends what comes in by a port over any hop: what had to "
	    "be encrypted can leave in clear",
	    "no \"or tls\" in the rules, or a Postfix for tls-route");
}

static void check_reinject(struct sendmail *s, const struct port *p,
    const char *where, bool ours)
{
	if (ours)
		doctor_say(s->d, DOCTOR_DANGER, "reinject-loop", where,
		    "copies that are sent on come back to postseal: a loop",
		    "InputMailFilters= in the options of this port");
	if (!doctor_is_loopback(view_of(p->address)))
		doctor_say(s->d, DOCTOR_DANGER, "reinject-open", where,
		    "others can reach the port that passes mail on without "
		    "postseal: mail in clear, and an open relay",
		    "Addr=127.0.0.1");
}

static void check_port(struct sendmail *s, const char *text,
    bool *has_reinject)
{
	struct port p;
	struct buf where;
	bool ours;

	read_port(text, &p);
	buf_init(&where, 400);
	buf_printf(&where, "%.150s port %.40s %.60s", s->file, p.number,
	    p.name);
	ours = check_list(s, p.has_filters ? p.filters : s->filters,
	    p.has_filters ? ';' : ',', buf_str(&where));
	if (is_port(&p, s->d->config->tls_route)) {
		say_no_route(s, buf_str(&where));
	} else if (is_port(&p, s->d->config->reinject)) {
		*has_reinject = true;
		check_reinject(s, &p, buf_str(&where), ours);
	} else if (ours) {
		s->asked++;
	} else if (s->ours != NULL) {
		doctor_say(s->d, DOCTOR_DANGER, "milter-missing",
		    buf_str(&where), "mail that comes by this port goes on "
		    "without postseal: in clear, whatever the rules say",
		    "postseal in InputMailFilters");
	}
	buf_free(&where);
}

void doctor_sendmail(struct doctor *d, const char *name, struct view text)
{
	struct sendmail *s = calloc(1, sizeof(*s));
	bool reinject = false;

	if (s == NULL) {
		d->no_memory = true;
		return;
	}
	s->d = d;
	s->file = name;
	read_all(s, text);
	find_ours(s);
	if (s->ours != NULL)
		check_ours(s);
	else if (d->config->listen != NULL)
		doctor_say(d, DOCTOR_DANGER, "milter-unused", name,
		    "no milter of sendmail is postseal: nothing is sealed",
		    "INPUT_MAIL_FILTER(`postseal', `S=SOCKET, F=T, " TIMES
		    "')dnl");
	for (size_t i = 0; i < s->ports; i++)
		check_port(s, s->port[i].text, &reinject);
	if (s->ports == 0 && s->ours != NULL &&
	    !check_list(s, s->filters, ',', name))
		doctor_say(d, DOCTOR_DANGER, "milter-missing", name,
		    "postseal is defined, but not asked",
		    "O InputMailFilters=postseal");
	if (d->config->reinject != NULL && !reinject)
		doctor_say(d, DOCTOR_WARNING, "reinject-missing", name,
		    "no daemon listens where postseal sends copies: mail "
		    "that must be split waits",
		    "DAEMON_OPTIONS(`Port=10026, Addr=127.0.0.1, Name=back, "
		    "InputMailFilters=')dnl");
	mail_check_size(d, name, s->max_size[0] == '\0' ? 0
	    : strtoull(s->max_size, NULL, 10), "MaxMessageSize");
	free(s);
}
