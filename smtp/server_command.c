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

static void refuse_syntax(struct smtp_server *s)
{
	server_refuse(s, 501, "5.5.4", "Syntax error in arguments");
}

static void refuse_order(struct smtp_server *s)
{
	server_refuse(s, 503, "5.5.1", "Bad sequence of commands");
}

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

static void offer(struct smtp_server *s, const char *words, bool is_last)
{
	buf_printf(&s->out, "250%c%s\r\n", is_last ? ' ' : '-', words);
}

static void offer_extensions(struct smtp_server *s)
{
	buf_printf(&s->out, "250-%s\r\n", s->setup.name);
	offer(s, "PIPELINING", false);
	buf_printf(&s->out, "250-SIZE %llu\r\n",
	    (unsigned long long)s->setup.max_size);
	if (s->setup.require_tls)
		offer(s, "REQUIRETLS", false);
	offer(s, "ENHANCEDSTATUSCODES", false);
	offer(s, "8BITMIME", false);
	if (s->setup.dsn)
		offer(s, "DSN", false);
	offer(s, "SMTPUTF8", false);
	offer(s, "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE", true);
}

static void on_hello(struct smtp_server *s, const char *arg, bool is_esmtp)
{
	if (*arg == '\0' || strlen(arg) >= sizeof(s->helo)) {
		refuse_syntax(s);
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

/* ---- XFORWARD ---- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* xtext (RFC 3461 4); false: it is none, or does not fit. */
static bool decode_xtext(char *dst, size_t size, const char *text)
{
	size_t n = 0;
	int c;

	for (; *text != '\0'; text++) {
		c = (unsigned char)*text;
		if (c == '+') {
			if (hex(text[1]) < 0 || hex(text[2]) < 0)
				return false;
			c = hex(text[1]) * 16 + hex(text[2]);
			text += 2;
		}
		if (c < '!' || c > '~' || n + 1 >= size)
			return false;
		dst[n++] = (char)c;
	}
	dst[n] = '\0';
	return true;
}

static bool forward_value(char *dst, size_t size, const char *value)
{
	if (strcasecmp(value, "[UNAVAILABLE]") == 0 ||
	    strcasecmp(value, "[TEMPUNAVAIL]") == 0) {
		dst[0] = '\0';
		return true;
	}
	return decode_xtext(dst, size, value);
}

static bool is_address(const char *s)
{
	if (strncasecmp(s, "IPv6:", 5) == 0)
		s += 5;
	return s[strspn(s, "0123456789abcdefABCDEF:.")] == '\0';
}

/* One attribute; those that nobody here needs are only looked at. */
static bool forward_attribute(struct smtp_forward *f, const char *word)
{
	char other[256];

	if (strncasecmp(word, "ADDR=", 5) == 0)
		return forward_value(f->addr, sizeof(f->addr), word + 5) &&
		    is_address(f->addr);
	if (strncasecmp(word, "NAME=", 5) == 0)
		return forward_value(f->name, sizeof(f->name), word + 5);
	if (strncasecmp(word, "HELO=", 5) == 0)
		return forward_value(f->helo, sizeof(f->helo), word + 5);
	if (strncasecmp(word, "IDENT=", 6) == 0)
		return forward_value(f->ident, sizeof(f->ident), word + 6);
	if (strncasecmp(word, "PORT=", 5) == 0 ||
	    strncasecmp(word, "PROTO=", 6) == 0 ||
	    strncasecmp(word, "SOURCE=", 7) == 0)
		return forward_value(other, sizeof(other),
		    strchr(word, '=') + 1);
	return false;
}

/* The next word of *at, apart by single blanks, into word; false: none, or
 * too long. */
static bool next_word(const char **at, char *word, size_t size)
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

static void on_xforward(struct smtp_server *s, const char *arg)
{
	struct smtp_forward f = s->mail.forward;
	char word[1024];

	s->must_end = false;
	if (!s->is_esmtp || s->mail.from != NULL) {
		refuse_order(s);
		return;
	}
	do {
		if (!next_word(&arg, word, sizeof(word)) ||
		    !forward_attribute(&f, word)) {
			refuse_syntax(s);
			return;
		}
	} while (*arg != '\0');
	s->mail.forward = f;
	server_reply(s, 250, "2.0.0", "Ok");
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
		if (*s == '+' && (hex(s[1]) < 0 || hex(s[2]) < 0))
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
	refuse_syntax(s);
	return false;
}

static bool size_fits(struct smtp_server *s, const char *digits)
{
	uint64_t n = 0;

	for (; *digits >= '0' && *digits <= '9' && n < UINT64_MAX / 16;
	    digits++)
		n = n * 10 + (uint64_t)(*digits - '0');
	if (*digits != '\0' && (*digits < '0' || *digits > '9')) {
		refuse_syntax(s);
		return false;
	}
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
	if (strcasecmp(p, "REQUIRETLS") == 0 && s->setup.require_tls)
		return m->require_tls = true;
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
		if (!next_word(&arg, word, sizeof(word)) ||
		    !smtp_param_ok(word) || ++n > PARAMS_MAX) {
			refuse_syntax(s);
			return false;
		}
		if (!s->is_esmtp || !(r == NULL ? mail_param(s, word) :
		    rcpt_param(s, r, word))) {
			if (!s->is_esmtp)
				refuse_syntax(s);
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
		refuse_syntax(s);
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

static void on_mail(struct smtp_server *s, const char *arg)
{
	char path[1024];

	s->must_end = !s->is_esmtp;
	if (!s->has_greeted || s->mail.from != NULL)
		refuse_order(s);
	else if (take_argument(s, &arg, "FROM:", path, sizeof(path)) &&
	    take_params(s, NULL, arg) && fits_ascii(s, path) &&
	    keep(s, &s->mail.from, path))
		server_reply(s, 250, "2.1.0", "Ok");
	else
		forget_mail(s);
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

static void on_rcpt(struct smtp_server *s, const char *arg)
{
	struct smtp_server_rcpt r = { NULL, NULL, NULL }, *slot;
	char path[1024];

	s->must_end = !s->is_esmtp;
	if (s->mail.from == NULL) {
		refuse_order(s);
		return;
	}
	if (++s->rcpts_said <= RCPTS_SAID)
		s->idle--; /* they have a limit of their own */
	if (s->mail.rcpts >= s->setup.max_rcpts) {
		server_reply(s, 452, "4.5.3", "Too many recipients");
		return;
	}
	if (!take_argument(s, &arg, "TO:", path, sizeof(path)) ||
	    !take_params(s, &r, arg) || !fits_ascii(s, path))
		goto out;
	if (strcmp(path, "<>") == 0) {
		server_refuse(s, 501, "5.1.3", "Bad address syntax");
		goto out;
	}
	slot = new_rcpt(s);
	if (slot == NULL) {
		server_refuse(s, 452, "4.3.1", "Not enough memory");
	} else if (keep(s, &r.path, path)) {
		*slot = r;
		s->mail.rcpts++;
		server_reply(s, 250, "2.1.5", "Ok");
		return;
	}
out:
	free(r.notify);
	free(r.orcpt);
}

/* ---- the rest ---- */

static void on_data(struct smtp_server *s, const char *arg)
{
	if (*arg != '\0')
		refuse_syntax(s);
	else if (s->mail.from == NULL)
		refuse_order(s);
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
	s->must_end = !s->is_esmtp;
	if (*arg != '\0') {
		refuse_syntax(s);
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

static const struct command {
	const char *verb;
	void (*run)(struct smtp_server *s, const char *arg);
} command[] = {
	{ "HELO", on_helo }, { "EHLO", on_ehlo }, { "LHLO", on_lhlo },
	{ "XFORWARD", on_xforward }, { "MAIL", on_mail }, { "RCPT", on_rcpt },
	{ "DATA", on_data }, { "RSET", on_rset }, { "NOOP", on_noop },
	{ "VRFY", on_vrfy }, { "QUIT", on_quit },
};

void server_command(struct smtp_server *s, const char *line)
{
	size_t n = strcspn(line, " ");
	size_t i;

	for (i = 0; i < ARRAY_LEN(command); i++) {
		const struct command *c = &command[i];

		if (strlen(c->verb) != n || strncasecmp(line, c->verb, n) != 0)
			continue;
		if (line[n] == ' ' && line[n + 1] == '\0')
			n++; /* a blank at the end */
		c->run(s, line[n] == ' ' ? line + n + 1 : line + n);
		return;
	}
	server_refuse(s, 500, "5.5.2", "Command not known");
}
