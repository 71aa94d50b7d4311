/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Commands of a client (RFC 5321 4.1): what they may say and when.
 */
#include "smtp/server_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Octets that all paths and parameters of one envelope may take. */
#define ENVELOPE_MAX (4u << 20)
#define PARAMS_MAX 8
#define RCPTS_SAID 10000 /* taken or not; RCPT beyond is idle talk */

/* Copied into *at, which must be free; counts what the envelope takes. */
static bool keep(struct smtp_server *s, char **at, const char *text)
{
	s->taken += strlen(text) + 1;
	*at = s->taken > ENVELOPE_MAX ? NULL : strdup(text);
	if (*at == NULL)
		server_refuse(s, 452, "4.3.1", "Not enough memory");
	return *at != NULL;
}

/* ---- greetings ---- */

/* One line of the reply to EHLO; the last one gets its blank afterwards. */
static void offer(struct smtp_server *s, bool is_offered, const char *words)
{
	if (is_offered)
		buf_printf(&s->out, "250-%s\r\n", words);
}

/* What can be passed on (T29): never ETRN, CHUNKING, BINARYMIME. */
static void offer_extensions(struct smtp_server *s)
{
	const char *mechanisms = s->channel.mechanisms;
	size_t start = s->out.n, last;

	offer(s, true, s->setup.name);
	offer(s, true, "PIPELINING");
	buf_printf(&s->out, "250-SIZE %llu\r\n",
	    (unsigned long long)s->setup.max_size);
	if (s->setup.one_domain) {
		/* RFC 9422 4 */
		buf_printf(&s->out, "250-LIMITS RCPTMAX=%zu "
		    "RCPTDOMAINMAX=1\r\n", s->setup.max_rcpts);
	}
	offer(s, s->setup.starttls && !s->channel.is_tls &&
	    !s->setup.starttls_away, "STARTTLS");
	if (mechanisms != NULL && *mechanisms != '\0' && !s->is_authenticated)
		buf_printf(&s->out, "250-AUTH %s\r\n", mechanisms);
	offer(s, s->channel.require_tls, "REQUIRETLS");
	offer(s, true, "ENHANCEDSTATUSCODES");
	offer(s, true, "8BITMIME");
	offer(s, s->setup.dsn, "DSN");
	offer(s, true, "SMTPUTF8");
	offer(s, s->setup.xclient,
	    "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT");
	offer(s, s->setup.xforward,
	    "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE");
	for (last = start; last + 2 < s->out.n; last++)
		if (s->out.p[last] == '\n')
			start = last + 1;
	if (!s->out.failed)
		s->out.p[start + 3] = ' ';
}

static void on_hello(struct smtp_server *s, const char *arg, bool is_esmtp)
{
	if (*arg == '\0' || strlen(arg) >= sizeof(s->helo)) {
		server_refuse_syntax(s);
		return;
	}
	server_reset(s);
	s->has_greeted = true;
	s->is_esmtp = is_esmtp;
	memcpy(s->helo, arg, strlen(arg) + 1);
	if (is_esmtp)
		offer_extensions(s);
	else
		server_reply(s, 250, "", s->setup.name);
}

static void on_ehlo(struct smtp_server *s, const char *arg)
{
	/* RFC 2033 4.1: LHLO, and no other */
	if (s->setup.lmtp)
		server_refuse(s, 500, "5.5.1", "This is LMTP: say LHLO");
	else
		on_hello(s, arg, true);
}

static void on_helo(struct smtp_server *s, const char *arg)
{
	if (s->setup.lmtp)
		server_refuse(s, 500, "5.5.1", "This is LMTP: say LHLO");
	else
		on_hello(s, arg, false);
}

static void on_lhlo(struct smtp_server *s, const char *arg)
{
	if (!s->setup.lmtp)
		server_refuse(s, 500, "5.5.1", "This is SMTP: say EHLO");
	else
		on_hello(s, arg, true);
}

bool server_next_word(const char **at, char *word, size_t size)
{
	size_t n = strcspn(*at, " ");

	if (n == 0 || n >= size)
		return false;
	memcpy(word, *at, n);
	word[n] = '\0';
	*at += n;
	if (**at == ' ')
		(*at)++;
	return true;
}

/* ---- MAIL and RCPT ---- */

/* "<...>" at the start of *at, copied into path; *at moves behind it and one
 * blank. Blanks in it are for smtp_path_ok to refuse. */
static bool take_path(const char **at, char *path, size_t size)
{
	const char *p = *at;
	bool is_quoted = false;
	size_t n;

	for (; *p != '\0' && (is_quoted || *p != '>'); p++) {
		if (is_quoted && *p == '\\' && p[1] != '\0')
			p++;
		else if (*p == '"')
			is_quoted = !is_quoted;
	}
	if (*p != '>' || (p[1] != '\0' && p[1] != ' '))
		return false;
	n = (size_t)(p + 1 - *at);
	if (n >= size)
		return false;
	memcpy(path, *at, n);
	path[n] = '\0';
	*at = p + 1;
	if (**at == ' ')
		(*at)++;
	return smtp_path_ok(path);
}

static bool is_ascii(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s > 0x7f)
			return false;
	return true;
}

/* xtext, as ENVID and ORCPT have it, of at most max octets. */
static bool is_xtext(const char *s, size_t max)
{
	if (*s == '\0' || strlen(s) > max)
		return false;
	for (; *s != '\0'; s++) {
		if (*s == '+' && (server_hex(s[1]) < 0 || server_hex(s[2]) < 0))
			return false;
		if (*s < '!' || *s > '~' || *s == '=')
			return false;
	}
	return true;
}

/* Keep param in *at; false: it was there already, or memory is out, and that
 * was said. */
static bool keep_once(struct smtp_server *s, char **at, const char *param)
{
	if (*at == NULL)
		return keep(s, at, param);
	server_refuse_syntax(s);
	return false;
}

/* xtext (RFC 4954 5), or "<>". */
static bool is_auth(const char *value)
{
	return strcmp(value, "<>") == 0 || is_xtext(value, 500);
}

static bool size_fits(struct smtp_server *s, const char *digits)
{
	uint64_t n = 0;

	for (; *digits >= '0' && *digits <= '9' && n < UINT64_MAX / 16;
	    digits++)
		n = n * 10 + (uint64_t)(*digits - '0');
	if (*digits != '\0' && (*digits < '0' || *digits > '9')) {
		server_refuse_syntax(s);
		return false;
	}
	s->mail.size = n;
	if (n <= s->setup.max_size)
		return true;
	server_refuse(s, 552, "5.3.4", "Message too large");
	return false;
}

/* A parameter of MAIL; false: it was refused. */
static bool mail_param(struct smtp_server *s, const char *p)
{
	struct smtp_server_mail *m = &s->mail;

	if (strncasecmp(p, "SIZE=", 5) == 0)
		return size_fits(s, p + 5);
	if (strcasecmp(p, "BODY=7BIT") == 0)
		return true;
	if (strcasecmp(p, "BODY=8BITMIME") == 0)
		return m->is_8bit = true;
	if (strcasecmp(p, "SMTPUTF8") == 0)
		return m->utf8 = true;
	if (s->setup.dsn && (strcasecmp(p, "RET=FULL") == 0 ||
	    strcasecmp(p, "RET=HDRS") == 0))
		return keep_once(s, &m->ret, p);
	if (s->setup.dsn && strncasecmp(p, "ENVID=", 6) == 0 &&
	    is_xtext(p + 6, 100))
		return keep_once(s, &m->envid, p);
	if (s->setup.auth && strncasecmp(p, "AUTH=", 5) == 0 &&
	    is_auth(p + 5))
		return keep_once(s, &m->auth, p);
	if (strcasecmp(p, "REQUIRETLS") == 0 && s->channel.require_tls)
		return m->require_tls = true;
	if (strcasecmp(p, "REQUIRETLS") == 0 && s->setup.require_tls_known) {
		server_refuse(s, 550, "5.7.10", "REQUIRETLS is for TLS only "
		    "(RFC 8689 4.1)");
		return false;
	}
	server_refuse(s, 555, "5.5.4", "Parameter not known or not allowed");
	return false;
}

/* NEVER, or a list of the other three (RFC 3461 4.1). */
static bool is_notify(const char *s)
{
	static const char *const word[] = { "SUCCESS", "FAILURE", "DELAY" };
	size_t i, n;

	if (strcasecmp(s, "NEVER") == 0)
		return true;
	for (;;) {
		n = strcspn(s, ",");
		for (i = 0; i < ARRAY_LEN(word); i++)
			if (strlen(word[i]) == n &&
			    strncasecmp(s, word[i], n) == 0)
				break;
		if (i == ARRAY_LEN(word))
			return false;
		if (s[n] == '\0')
			return true;
		s += n + 1;
	}
}

/* ORCPT=TYPE;ADDRESS, of which the address is xtext or UTF-8 (RFC 6533). */
static bool is_orcpt(const struct smtp_server *s, const char *p)
{
	size_t n = strcspn(p, ";");

	if (n == 0 || p[n] == '\0' || strlen(p) > 500)
		return false;
	if (s->mail.utf8 && strncasecmp(p, "utf-8;", 6) == 0)
		return p[6] != '\0';
	return is_xtext(p + n + 1, 500);
}

static bool rcpt_param(struct smtp_server *s, struct smtp_server_rcpt *r,
    const char *p)
{
	if (s->setup.dsn && strncasecmp(p, "NOTIFY=", 7) == 0 &&
	    is_notify(p + 7))
		return keep_once(s, &r->notify, p);
	if (s->setup.dsn && strncasecmp(p, "ORCPT=", 6) == 0 &&
	    is_orcpt(s, p + 6))
		return keep_once(s, &r->orcpt, p);
	server_refuse(s, 555, "5.5.4", "Parameter not known or not allowed");
	return false;
}

/* All parameters, of MAIL where r is NULL. */
static bool take_params(struct smtp_server *s, struct smtp_server_rcpt *r,
    const char *arg)
{
	char word[1024];
	size_t n = 0;

	while (*arg != '\0') {
		if (!server_next_word(&arg, word, sizeof(word)) ||
		    !smtp_param_ok(word) || ++n > PARAMS_MAX) {
			server_refuse_syntax(s);
			return false;
		}
		if (!s->is_esmtp || !(r == NULL ? mail_param(s, word) :
		    rcpt_param(s, r, word))) {
			if (!s->is_esmtp)
				server_refuse_syntax(s);
			return false;
		}
	}
	return true;
}

/* The path of MAIL or RCPT and what is behind it. */
static bool take_argument(struct smtp_server *s, const char **arg,
    const char *word, char *path, size_t size)
{
	size_t n = strlen(word);

	if (strncasecmp(*arg, word, n) != 0) {
		server_refuse_syntax(s);
		return false;
	}
	*arg += n;
	if (take_path(arg, path, size))
		return true;
	server_refuse(s, 501, "5.1.3", "Bad address syntax");
	return false;
}

static void forget_mail(struct smtp_server *s)
{
	struct smtp_forward f = s->mail.forward;

	server_reset(s);
	s->mail.forward = f;
}

static bool fits_ascii(struct smtp_server *s, const char *path)
{
	if (is_ascii(path) || s->mail.utf8)
		return true;
	server_refuse(s, 553, "5.6.7", "Needs SMTPUTF8 (RFC 6531)");
	return false;
}

bool server_is_qualified(const char *path)
{
	const char *at = strrchr(path, '@');
	size_t n;

	if (at == NULL)
		return false;
	at++;
	n = strcspn(at, ">");
	if (*at == '[')
		return n > 2 && at[n - 1] == ']';
	return n > 2 && *at != '.' && at[n - 1] != '.' &&
	    memchr(at, '.', n) != NULL;
}

/* May this one begin a transaction? false: it was refused. */
static bool may_begin(struct smtp_server *s)
{
	const struct smtp_server_mail *m = &s->mail;

	if (!s->has_greeted || m->from != NULL) {
		server_refuse_order(s);
		return false;
	}
	/* a transaction that was left in pieces would be mixed with this */
	if (m->rcpt != NULL || m->ret != NULL || m->envid != NULL ||
	    m->auth != NULL || s->slots > 0 || s->owed > 0) {
		server_close(s, 421, "4.3.0", "Internal fault");
		return false;
	}
	if (s->channel.auth_must && !s->is_authenticated) {
		server_refuse(s, 530, "5.7.0", "Authentication required");
		return false;
	}
	return true;
}

static bool is_whole(struct smtp_server *s, const char *path, bool is_from)
{
	if (!s->setup.qualified || server_is_qualified(path) ||
	    (is_from && strcmp(path, "<>") == 0)) /* RFC 6409 3.2 */
		return true;
	server_refuse(s, 550, is_from ? "5.1.8" : "5.1.2",
	    "The domain is not fully qualified (RFC 6409 4.2)");
	return false;
}

static void on_mail(struct smtp_server *s, const char *arg)
{
	char path[1024];

	if (!may_begin(s))
		return;
	if (!take_argument(s, &arg, "FROM:", path, sizeof(path)) ||
	    !take_params(s, NULL, arg) || !fits_ascii(s, path) ||
	    !is_whole(s, path, true) || !keep(s, &s->mail.from, path))
		forget_mail(s);
	else if (s->setup.relay)
		server_event(s, SMTP_ASK_MAIL, SERVER_ASKED);
	else
		server_reply(s, 250, "2.1.0", "Ok");
}

static struct smtp_server_rcpt *new_rcpt(struct smtp_server *s)
{
	struct smtp_server_mail *m = &s->mail;
	struct smtp_server_rcpt *more;
	size_t room;

	if (m->rcpts == s->room) {
		room = s->room == 0 ? 4 : s->room * 2;
		more = reallocarray(m->rcpt, room, sizeof(*more));
		if (more == NULL)
			return NULL;
		m->rcpt = more;
		s->room = room;
	}
	memset(&m->rcpt[m->rcpts], 0, sizeof(m->rcpt[0]));
	return &m->rcpt[m->rcpts];
}

/* Read one; true: it is the last of mail.rcpt now. */
static bool take_rcpt(struct smtp_server *s, const char *arg)
{
	struct smtp_server_rcpt r = { NULL, NULL, NULL, 0 }, *at;
	char path[1024];

	if (!take_argument(s, &arg, "TO:", path, sizeof(path)) ||
	    !take_params(s, &r, arg) || !fits_ascii(s, path))
		goto out;
	if (strcmp(path, "<>") == 0) {
		server_refuse(s, 501, "5.1.3", "Bad address syntax");
		goto out;
	}
	if (!is_whole(s, path, false))
		goto out;
	at = new_rcpt(s);
	if (at == NULL) {
		server_refuse(s, 452, "4.3.1", "Not enough memory");
	} else if (keep(s, &r.path, path)) {
		r.number = s->numbers++;
		*at = r;
		s->mail.rcpts++;
		return true;
	}
out:
	free(r.notify);
	free(r.orcpt);
	return false;
}

static void on_rcpt(struct smtp_server *s, const char *arg)
{
	struct server_slot *slot;

	if (s->mail.from == NULL) {
		server_refuse_order(s);
		return;
	}
	if (++s->rcpts_said <= RCPTS_SAID)
		s->idle--; /* they have a limit of their own */
	slot = server_slot_new(s);
	if (slot == NULL) {
		server_close(s, 421, "4.3.0", "Out of memory");
	} else if (s->mail.rcpts >= s->setup.max_rcpts) {
		server_reply(s, 452, "4.5.3", "Too many recipients");
	} else if (take_rcpt(s, arg)) {
		slot->number = s->mail.rcpt[s->mail.rcpts - 1].number;
		slot->is_open = s->setup.relay;
		if (slot->is_open)
			server_event(s, SMTP_ASK_RCPT, SERVER_COMMANDS);
		else
			server_reply(s, 250, "2.1.5", "Ok");
	}
	server_slots_flush(s);
}

/* ---- the rest ---- */

static void on_data(struct smtp_server *s, const char *arg)
{
	if (*arg != '\0')
		server_refuse_syntax(s);
	else if (s->mail.from == NULL)
		server_refuse_order(s);
	else if (s->mail.rcpts == 0)
		server_refuse(s, s->setup.lmtp ? 503 : 554, "5.5.1",
		    "No valid recipients");
	else {
		server_reply(s, 354, "", "End with CRLF.CRLF");
		s->state = SERVER_BEGIN;
	}
}

static void on_rset(struct smtp_server *s, const char *arg)
{
	if (*arg != '\0') {
		server_refuse_syntax(s);
		return;
	}
	server_reset(s);
	server_reply(s, 250, "2.0.0", "Ok");
}

static void on_noop(struct smtp_server *s, const char *arg)
{
	(void)arg;
	server_reply(s, 250, "2.0.0", "Ok");
}

static void on_vrfy(struct smtp_server *s, const char *arg)
{
	(void)arg;
	server_reply(s, 252, "2.5.0", "Send it, and see");
}

static void on_quit(struct smtp_server *s, const char *arg)
{
	(void)arg;
	s->must_end = false; /* nothing behind it counts */
	server_reply(s, 221, "2.0.0", "Bye");
	s->state = SERVER_CLOSED;
}

static void on_help(struct smtp_server *s, const char *arg)
{
	(void)arg;
	server_reply(s, 214, "2.0.0", "RFC 5321 tells it");
}

static void on_not_here(struct smtp_server *s, const char *arg)
{
	(void)arg;
	server_refuse(s, 502, "5.5.1", "Command not implemented");
}

/* RFC 3207 4 */
static void on_starttls(struct smtp_server *s, const char *arg)
{
	if (*arg != '\0') {
		server_refuse(s, 501, "5.5.4", "STARTTLS has no parameters");
	} else if (s->channel.is_tls) {
		server_refuse(s, 554, "5.5.1", "Error: TLS already active");
	} else if (s->setup.starttls_away) {
		server_refuse(s, 454, "4.7.0",
		    "TLS not available due to temporary reason");
	} else if (!s->setup.starttls) {
		on_not_here(s, arg);
	} else {
		server_reply(s, 220, "2.0.0", "Ready to start TLS");
		server_event(s, SMTP_STARTTLS, SERVER_TLS);
	}
}

/* ---- all of them ---- */

enum {
	IN_GROUP = 1,	 /* others may follow before its reply (RFC 2920 3.1) */
	BEFORE_TLS = 2,	 /* also where TLS is a must (RFC 3207 4) */
	OF_RELAY = 4	 /* known to a relay only */
};

static const struct command {
	const char *verb;
	void (*run)(struct smtp_server *s, const char *arg);
	unsigned is;
} command[] = {
	{ "HELO", on_helo, BEFORE_TLS },
	{ "EHLO", on_ehlo, BEFORE_TLS },
	{ "LHLO", on_lhlo, BEFORE_TLS },
	{ "XFORWARD", server_on_xforward, IN_GROUP },
	{ "MAIL", on_mail, IN_GROUP },
	{ "RCPT", on_rcpt, IN_GROUP },
	{ "DATA", on_data, 0 },
	{ "RSET", on_rset, IN_GROUP },
	{ "NOOP", on_noop, BEFORE_TLS },
	{ "VRFY", on_vrfy, 0 },
	{ "QUIT", on_quit, BEFORE_TLS },
	{ "STARTTLS", on_starttls, BEFORE_TLS | OF_RELAY },
	{ "AUTH", server_on_auth, OF_RELAY },
	{ "XCLIENT", server_on_xclient, OF_RELAY },
	{ "HELP", on_help, BEFORE_TLS | OF_RELAY },
	{ "EXPN", on_not_here, OF_RELAY },
	{ "ETRN", on_not_here, OF_RELAY },
	{ "BDAT", on_not_here, OF_RELAY },
	{ "TURN", on_not_here, OF_RELAY },
};

#define PLAIN_MAX 20 /* commands before a STARTTLS that must come (T11) */

static const struct command *find_command(const struct smtp_server *s,
    const char *line, size_t n)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(command); i++)
		if (strlen(command[i].verb) == n &&
		    strncasecmp(line, command[i].verb, n) == 0 &&
		    (s->setup.relay || (command[i].is & OF_RELAY) == 0))
			return &command[i];
	return NULL;
}

/* Another protocol's first words or header (ALPACA), or of a proxy that this
 * listener does not know (T66). */
static bool is_foreign(const char *line, size_t n)
{
	static const char *const verb[] = { "GET", "POST", "PUT", "HEAD",
		"DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH", "PRI",
		"PROXY" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(verb); i++)
		if (strlen(verb[i]) == n &&
		    strncasecmp(line, verb[i], n) == 0)
			return true;
	return n > 1 && line[n - 1] == ':';
}

/* What the channel forbids; true: it was refused. */
static bool is_barred(struct smtp_server *s, const struct command *c)
{
	bool is_early = s->setup.starttls_must && !s->channel.is_tls;

	if (s->channel.is_weak && (c == NULL || c->run != on_quit)) {
		server_refuse(s, 554, "5.7.0",
		    "Command refused due to lack of security");
		return true;
	}
	if (is_early && ++s->plain > PLAIN_MAX) {
		server_close(s, 421, "4.7.0", "Too many commands before TLS");
		return true;
	}
	if (!is_early || (c != NULL && (c->is & BEFORE_TLS) != 0) ||
	    (c != NULL && c->run == server_on_xclient && s->setup.xclient))
		return false;
	server_refuse(s, 530, "5.7.0", "Must issue a STARTTLS command first");
	return true;
}

void server_command(struct smtp_server *s, const char *line)
{
	size_t n = strcspn(line, " ");
	const struct command *c = find_command(s, line, n);

	if (c == NULL && s->setup.relay && is_foreign(line, n)) {
		server_close(s, 500, "5.5.1", "This is no such server");
		return;
	}
	if (c != NULL)
		s->must_end = (c->is & IN_GROUP) == 0 || !s->is_esmtp;
	if (is_barred(s, c))
		return;
	if (c == NULL) {
		server_refuse(s, 500, "5.5.2", "Command not known");
		return;
	}
	if (line[n] == ' ' && line[n + 1] == '\0')
		n++; /* a blank at the end */
	c->run(s, line[n] == ' ' ? line + n + 1 : line + n);
}
