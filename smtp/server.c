/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The conversation: lines, the octets of a message, replies. What commands
 * say is read in server_command.c.
 *
 * A message ends with CRLF.CRLF and with nothing else; a CR or LF alone makes
 * it void, and the conversation with it, because other servers would see
 * another end and further commands there (A44).
 */
#include "smtp/server.h"

#include <stdlib.h>
#include <string.h>

#include "smtp/server_int.h"
#include "util/find.h"

#define OUT_MAX (1u << 20)  /* answers of all recipients */
#define OUT_FLUSH 4096	    /* octets after which it is to be sent */
#define TEXT_LINE 400	    /* of an answer, octets */
#define TEXT_LINES 8
#define SLOT_MAX 4096	/* octets of the replies to one RCPT */
#define SLOTS_MAX 100	/* RCPT that wait for their answers */
#define FAULTS_MAX 20
#define IDLE_MAX 100 /* commands without a message, but RCPT */

/* ---- replies ---- */

/* The end of the first line of text: at a blank, when it is long. */
static size_t line_end(const char *text)
{
	size_t n = strlen(text), i;

	if (n <= TEXT_LINE)
		return n;
	for (i = TEXT_LINE; i > TEXT_LINE / 2; i--)
		if (text[i] == ' ')
			return i;
	return TEXT_LINE;
}

void server_reply(struct smtp_server *s, int code, const char *enhanced,
    const char *text)
{
	struct buf *out = s->to == NULL ? &s->out : s->to;
	int lines = 0;
	size_t n, i;

	do {
		n = line_end(text);
		buf_printf(out, "%03d%c%s%s", code, text[n] != '\0' &&
		    lines + 1 < TEXT_LINES ? '-' : ' ', enhanced,
		    *enhanced == '\0' ? "" : " ");
		for (i = 0; i < n; i++)
			buf_putc(out, text[i] >= ' ' && text[i] <= '~' ?
			    text[i] : '?');
		buf_puts(out, "\r\n");
		text += n;
		while (*text == ' ')
			text++;
	} while (*text != '\0' && ++lines < TEXT_LINES);
}

static void close_now(struct smtp_server *s)
{
	s->state = SERVER_CLOSED;
}

/* What was not answered is not any more. */
static void drop_slots(struct smtp_server *s)
{
	while (s->slots > 0)
		buf_free(&s->slot[--s->slots].text);
	s->to = NULL;
}

void server_close(struct smtp_server *s, int code, const char *enhanced,
    const char *text)
{
	drop_slots(s);
	server_reply(s, code, enhanced, text);
	close_now(s);
}

void server_refuse(struct smtp_server *s, int code, const char *enhanced,
    const char *text)
{
	server_reply(s, code, enhanced, text);
	if (++s->faults < FAULTS_MAX)
		return;
	server_close(s, 421, "4.7.0", "Too many errors");
}

void server_refuse_syntax(struct smtp_server *s)
{
	server_refuse(s, 501, "5.5.4", "Syntax error in arguments");
}

void server_refuse_order(struct smtp_server *s)
{
	server_refuse(s, 503, "5.5.1", "Bad sequence of commands");
}

void server_event(struct smtp_server *s, enum smtp_event ev,
    enum server_state state)
{
	s->event = ev;
	s->has_event = true;
	s->state = state;
}

struct server_slot *server_slot_new(struct smtp_server *s)
{
	struct server_slot *more;
	size_t room;

	if (s->slots == s->slot_room) {
		room = s->slot_room == 0 ? 4 : s->slot_room * 2;
		more = reallocarray(s->slot, room, sizeof(*more));
		if (more == NULL)
			return NULL;
		s->slot = more;
		s->slot_room = room;
	}
	more = &s->slot[s->slots++];
	memset(more, 0, sizeof(*more));
	buf_init(&more->text, SLOT_MAX);
	s->to = &more->text;
	return more;
}

void server_slots_flush(struct smtp_server *s)
{
	size_t n = 0;

	s->to = NULL;
	while (n < s->slots && !s->slot[n].is_open) {
		s->out.failed |= s->slot[n].text.failed;
		buf_putv(&s->out, buf_view(&s->slot[n].text));
		buf_free(&s->slot[n].text);
		n++;
	}
	s->slots -= n;
	if (n > 0 && s->slots > 0)
		memmove(s->slot, s->slot + n, s->slots * sizeof(*s->slot));
}

/* ---- life ---- */

int smtp_server_new(struct smtp_server **out,
    const struct smtp_server_setup *setup, struct err *e)
{
	struct smtp_server *s = calloc(1, sizeof(*s));
	struct buf text;

	*out = NULL;
	if (s == NULL)
		return err_set(e, FAIL_TEMP, "conversation: out of memory");
	s->setup = *setup;
	s->channel = setup->channel;
	s->channel.require_tls |= setup->require_tls;
	buf_init_secret(&s->line, SERVER_AUTH_LINE);
	buf_init_secret(&s->response, SERVER_AUTH_LINE);
	buf_init(&s->out, OUT_MAX);
	buf_init(&text, 512);
	buf_printf(&text, "%s %s postseal", setup->name, setup->lmtp ? "LMTP" :
	    "ESMTP");
	server_reply(s, 220, "", buf_str(&text));
	buf_free(&text);
	*out = s;
	return 0;
}

void server_reset(struct smtp_server *s)
{
	struct smtp_server_mail *m = &s->mail;

	free(m->from);
	free(m->ret);
	free(m->envid);
	free(m->auth);
	for (size_t i = 0; i < m->rcpts; i++) {
		free(m->rcpt[i].path);
		free(m->rcpt[i].notify);
		free(m->rcpt[i].orcpt);
	}
	free(m->rcpt);
	memset(m, 0, sizeof(*m));
	s->room = s->taken = s->owed = s->numbers = 0;
	s->rcpts_said = 0;
}

void server_forget(struct smtp_server *s)
{
	drop_slots(s);
	server_reset(s);
	server_auth_forget(s);
	s->is_authenticated = false;
	s->has_greeted = s->is_esmtp = false;
	s->helo[0] = '\0';
}

void smtp_server_free(struct smtp_server **sp)
{
	struct smtp_server *s = *sp;

	if (s != NULL) {
		server_forget(s);
		free(s->slot);
		buf_free(&s->response);
		buf_free(&s->line);
		buf_free(&s->out);
	}
	free(s);
	*sp = NULL;
}

/* ---- command lines ---- */

/* Carry out what is in line; more: octets are behind it. */
static void run_line(struct smtp_server *s, bool has_more)
{
	s->is_held = false;
	s->must_end = true;
	if (++s->idle > IDLE_MAX) {
		server_close(s, 421, "4.7.0", "Too many commands");
		return;
	}
	if (s->state == SERVER_AUTH)
		server_auth_line(s, buf_str(&s->line));
	else
		server_command(s, buf_str(&s->line));
	buf_clear(&s->line);
	if (!has_more || !s->must_end || s->state == SERVER_CLOSED)
		return;
	buf_clear(&s->out);
	if (s->state == SERVER_TLS) /* CVE-2011-0411 */
		server_close(s, 501, "5.5.0", "Pipelining after STARTTLS");
	else
		/* RFC 2920 3.1: behind this command he must wait (A46); what
		 * stands there is a message, or another protocol */
		server_close(s, 503, "5.5.0", "Improper command pipelining");
	s->has_event = false;
}

/* May it be carried out before earlier RCPT are answered? */
static bool may_overtake(const struct smtp_server *s)
{
	return view_istarts(buf_view(&s->line), "RCPT ");
}

/* The line that is complete now, CR and LF at its end. */
static void end_line(struct smtp_server *s, bool has_more)
{
	s->line.n -= 2;
	s->line.p[s->line.n] = '\0';
	if (s->slots > 0 && !may_overtake(s))
		s->is_held = true;
	else
		run_line(s, has_more);
}

static bool is_auth_line(const struct smtp_server *s)
{
	return s->state == SERVER_AUTH || (s->setup.relay &&
	    view_istarts(buf_view(&s->line), "AUTH "));
}

/* Why the octets so far are no command line, or NULL. */
static const char *line_fault(const struct smtp_server *s, unsigned char c)
{
	bool after_cr = s->line.n > 0 && s->line.p[s->line.n - 1] == '\r';

	if ((c == '\n') != after_cr)
		return c == '\n' ? "Bare LF in a command" :
		    "Bare CR in a command";
	if (c != '\n' && c != '\r' && (c < ' ' || c == 0x7f))
		return "Control character in a command";
	if (c != '\n' && s->line.n + 1 >= SMTP_LINE &&
	    (!is_auth_line(s) || s->line.n + 1 >= SERVER_AUTH_LINE))
		return "Line too long";
	return NULL;
}

static void close_line(struct smtp_server *s, const char *why)
{
	if (is_auth_line(s) && s->line.n + 1 >= SERVER_AUTH_LINE)
		server_close(s, 500, "5.5.6", "Authentication exchange line "
		    "is too long");
	else
		server_close(s, 500, "5.5.2", why);
}

/* Up to the end of a line, which is carried out; false: there is none yet. */
static bool take_line(struct smtp_server *s, struct view *in)
{
	const char *why;
	unsigned char c;

	while (in->n > 0) {
		c = in->p[0];
		*in = view_sub(*in, 1, in->n - 1);
		why = line_fault(s, c);
		if (why != NULL) {
			close_line(s, why);
			return true;
		}
		buf_putc(&s->line, c);
		if (s->line.failed) {
			server_close(s, 421, "4.3.0", "Out of memory");
			return true;
		}
		if (c == '\n') {
			end_line(s, in->n > 0);
			return true;
		}
	}
	return false;
}

/* What comes of commands; SMTP_BEGIN: look at the state. */
static enum smtp_event take_commands(struct smtp_server *s, struct view *in)
{
	while (s->state == SERVER_COMMANDS || s->state == SERVER_AUTH) {
		if (s->has_event)
			break;
		if (s->out.n >= OUT_FLUSH)
			return SMTP_FLUSH;
		if (s->is_held && s->slots == 0)
			run_line(s, in->n > 0);
		else if (s->is_held || s->slots >= SLOTS_MAX)
			return SMTP_WAIT;
		else if (!take_line(s, in))
			return SMTP_MORE;
	}
	return SMTP_BEGIN;
}

/* ---- the message ---- */

static void take_octet(struct smtp_server *s, unsigned char c)
{
	if (s->at == AT_CR) {
		s->is_bad |= c != '\n';
		s->at = c == '\n' ? AT_START : c == '\r' ? AT_CR : AT_MID;
		return;
	}
	s->is_bad |= c == '\n';
	s->at = c == '\r' ? AT_CR : AT_MID;
}

/* Octets of lines, up to a dot that begins one; what they are in the end is
 * in at. */
static size_t run_of_octets(struct smtp_server *s, struct view v)
{
	size_t i, n;

	for (i = 0; i < v.n; i++) {
		if (s->at == AT_START && v.p[i] == '.')
			break;
		take_octet(s, v.p[i]);
		n = i % FIND_STEP != 0 ? 0 :
		    find_smtp_lines(view_sub(v, i, v.n));
		if (n == 0)
			continue;
		i += n;
		s->at = v.p[i] == '\r' ? AT_CR : v.p[i] == '\n' ? AT_START :
		    AT_MID;
	}
	return i;
}

/* One octet behind a dot at the start of a line (RFC 5321 4.5.2). Is it the
 * end? The octet is used up where true is given, or it is the CR. */
static bool behind_dot(struct smtp_server *s, struct view *in)
{
	unsigned char c = in->p[0];

	if (s->at == AT_DOT && c != '\r') {
		s->at = AT_MID; /* the dot was stuffed */
		return false;
	}
	if (s->at == AT_DOT) {
		s->at = AT_DOT_CR;
	} else if (c != '\n') {
		s->is_bad = true;
		s->at = AT_CR;
		return false;
	}
	in->p++;
	in->n--;
	return s->at == AT_DOT_CR && c == '\n';
}

static enum smtp_event end_message(struct smtp_server *s)
{
	size_t i;

	s->owed = s->setup.lmtp ? s->mail.rcpts : 1;
	s->idle = 0;
	if (!s->is_bad) {
		s->state = SERVER_ANSWERS;
		return SMTP_MAIL;
	}
	for (i = 0; i < s->owed; i++)
		server_reply(s, 550, "5.5.2",
		    "Bare CR or LF in the message (RFC 5321 2.3.8)");
	close_now(s);
	return SMTP_CLOSE;
}

static enum smtp_event take_data(struct smtp_server *s, struct view *in,
    struct view *chunk)
{
	size_t n;

	while (in->n > 0) {
		if (s->at == AT_DOT || s->at == AT_DOT_CR) {
			if (behind_dot(s, in))
				return end_message(s);
			continue;
		}
		n = run_of_octets(s, *in);
		*chunk = view_sub(*in, 0, n);
		if (n < in->n) {
			s->at = AT_DOT;
			n++;
		}
		*in = view_sub(*in, n, in->n - n);
		if (chunk->n > 0 && !s->is_bad)
			return SMTP_CHUNK;
	}
	return SMTP_MORE;
}

/* ---- the conversation ---- */

enum smtp_event smtp_server_next(struct smtp_server *s, struct view *in,
    struct view *chunk)
{
	enum smtp_event ev;

	*chunk = view_make(NULL, 0);
	if (s->out.failed)
		close_now(s);
	ev = take_commands(s, in);
	if (ev != SMTP_BEGIN)
		return ev;
	if (s->has_event && s->state != SERVER_CLOSED) {
		s->has_event = false;
		return s->event;
	}
	switch (s->state) {
	case SERVER_BEGIN:
		s->state = SERVER_DATA;
		s->at = AT_START;
		s->is_bad = false;
		return SMTP_BEGIN;
	case SERVER_DATA:
		return take_data(s, in, chunk);
	case SERVER_ANSWERS:
		return SMTP_MAIL;
	case SERVER_ASKED:
	case SERVER_AUTH_ASKED:
	case SERVER_TLS:
		return SMTP_WAIT;
	case SERVER_COMMANDS:
	case SERVER_AUTH:
	case SERVER_CLOSED:
		break;
	}
	return SMTP_CLOSE;
}

struct view smtp_server_output(const struct smtp_server *s)
{
	return buf_view(&s->out);
}

void smtp_server_sent(struct smtp_server *s)
{
	buf_clear(&s->out);
}

void smtp_server_early(struct smtp_server *s)
{
	buf_clear(&s->out);
	server_close(s, 521, "5.5.0", "You spoke before the greeting");
}

void smtp_server_quit(struct smtp_server *s, const char *text)
{
	s->has_quit = true;
	if (s->owed > 0 || s->slots > 0 || s->state == SERVER_CLOSED)
		return;
	server_close(s, 421, "4.3.2", text);
}

void smtp_server_cut(struct smtp_server *s, int code, const char *enhanced,
    const char *text)
{
	if (s->state != SERVER_CLOSED)
		server_close(s, code, enhanced, text);
}

const struct smtp_server_mail *smtp_server_mail(const struct smtp_server *s)
{
	return &s->mail;
}

const char *smtp_server_helo(const struct smtp_server *s)
{
	return s->helo;
}

bool smtp_server_is_esmtp(const struct smtp_server *s)
{
	return s->is_esmtp;
}

static void answer_mail(struct smtp_server *s, int code,
    const char *enhanced, const char *text)
{
	server_reply(s, code, enhanced, text);
	s->state = SERVER_COMMANDS;
	if (code / 100 != 2)
		server_reset(s);
}

void smtp_server_answer(struct smtp_server *s, int code, const char *enhanced,
    const char *text)
{
	if (s->state == SERVER_ASKED)
		answer_mail(s, code, enhanced, text);
	if (s->state == SERVER_AUTH_ASKED)
		server_auth_answer(s, code, enhanced, text);
	if (s->state != SERVER_ANSWERS || s->owed == 0)
		return;
	server_reply(s, code, enhanced, text);
	if (--s->owed > 0)
		return;
	server_reset(s);
	s->state = SERVER_COMMANDS;
	if (s->has_quit)
		smtp_server_quit(s, "Going away");
}

static void remove_rcpt(struct smtp_server *s, size_t number)
{
	struct smtp_server_mail *m = &s->mail;
	size_t i = 0;

	while (i < m->rcpts && m->rcpt[i].number != number)
		i++;
	if (i == m->rcpts)
		return;
	free(m->rcpt[i].path);
	free(m->rcpt[i].notify);
	free(m->rcpt[i].orcpt);
	m->rcpts--;
	memmove(&m->rcpt[i], &m->rcpt[i + 1],
	    (m->rcpts - i) * sizeof(m->rcpt[0]));
}

void smtp_server_answer_rcpt(struct smtp_server *s, size_t number, int code,
    const char *enhanced, const char *text)
{
	size_t i = 0;

	while (i < s->slots && (!s->slot[i].is_open ||
	    s->slot[i].number != number))
		i++;
	if (i == s->slots)
		return;
	s->to = &s->slot[i].text;
	server_reply(s, code, enhanced, text);
	s->slot[i].is_open = false;
	if (code / 100 != 2)
		remove_rcpt(s, number);
	server_slots_flush(s);
	if (s->has_quit)
		smtp_server_quit(s, "Going away");
}

size_t smtp_server_owed(const struct smtp_server *s)
{
	return s->owed;
}

size_t smtp_server_asked(const struct smtp_server *s)
{
	return s->slots;
}

void smtp_server_starttls_away(struct smtp_server *s, bool is_away)
{
	s->setup.starttls_away = is_away;
}

void smtp_server_secured(struct smtp_server *s,
    const struct smtp_server_channel *c)
{
	if (s->state != SERVER_TLS)
		return;
	server_forget(s);
	memset(&s->xclient, 0, sizeof(s->xclient));
	s->channel = *c;
	s->faults = s->idle = 0;
	s->state = SERVER_COMMANDS;
}

bool smtp_server_is_authenticated(const struct smtp_server *s)
{
	return s->is_authenticated;
}

void smtp_server_demand_auth(struct smtp_server *s, bool is_needed)
{
	s->channel.auth_must = is_needed;
}

const struct smtp_xclient *smtp_server_xclient(const struct smtp_server *s)
{
	return &s->xclient;
}
