/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Commands: their text, and when each may be sent (RFC 2920 3.1). What stands
 * in one is checked here once more, whoever wrote it (A47).
 */
#include "smtp/sender_int.h"

#include <stdlib.h>
#include <string.h>

static bool may_group(enum sender_to to)
{
	return to == SENDER_MAIL || to == SENDER_RCPT;
}

void sender_release(struct smtp_sender *s)
{
	size_t off = 0;

	while (s->sent < s->commands) {
		const struct sender_command *c = &s->command[s->sent];

		if (s->sent > 0 && (!s->offers.pipelining ||
		    !may_group(c->to) ||
		    !may_group(s->command[s->sent - 1].to)))
			break;
		buf_put(&s->out, s->queue.p + off, c->octets);
		off += c->octets;
		s->sent++;
	}
	if (off > 0) {
		s->queue.n -= off;
		memmove(s->queue.p, s->queue.p + off, s->queue.n);
	}
	if (s->out.failed)
		s->no_memory = true;
}

void sender_queued(struct smtp_sender *s, enum sender_to to, size_t rcpt,
    size_t at)
{
	if (s->commands == s->room) {
		size_t room = s->room == 0 ? 8 : 2 * s->room;
		struct sender_command *p = realloc(s->command,
		    room * sizeof(*p));

		if (p == NULL) {
			s->no_memory = true;
			return;
		}
		s->command = p;
		s->room = room;
	}
	if (s->queue.failed) {
		s->no_memory = true;
		return;
	}
	s->command[s->commands++] = (struct sender_command){to, rcpt,
	    s->queue.n - at};
	sender_release(s);
}

static void say(struct smtp_sender *s, enum sender_to to, const char *text)
{
	size_t at = s->queue.n;

	buf_puts(&s->queue, text);
	buf_puts(&s->queue, "\r\n");
	sender_queued(s, to, (size_t)-1, at);
}

void sender_say_helo(struct smtp_sender *s, const char *verb)
{
	size_t at = s->queue.n;

	buf_printf(&s->queue, "%s %s\r\n", verb, s->helo);
	sender_queued(s, SENDER_HELO, (size_t)-1, at);
}

void smtp_sender_starttls(struct smtp_sender *s)
{
	say(s, SENDER_STARTTLS, "STARTTLS");
}

void smtp_sender_data(struct smtp_sender *s)
{
	say(s, SENDER_DATA, "DATA");
}

void smtp_sender_quit(struct smtp_sender *s)
{
	say(s, SENDER_QUIT, "QUIT");
}

/* The dot itself is no command: replies are due at once, in LMTP one for each
 * recipient that was taken (RFC 2033 4.2). */
void smtp_sender_dot(struct smtp_sender *s)
{
	size_t n = s->lmtp ? s->takens : 1;

	s->in_body = false;
	buf_puts(&s->queue, ".\r\n");
	for (size_t i = 0; i < n && !s->no_memory; i++) {
		sender_queued(s, SENDER_END, s->lmtp ? s->taken[i] :
		    (size_t)-1, i == 0 ? 0 : s->queue.n);
		/* only the first has a text; the others are sent with it */
		s->sent = s->commands;
	}
	if (s->out.failed)
		s->no_memory = true;
}

/* ---- XCLIENT ---- */

/* xtext of RFC 3461 4, as Postfix's XCLIENT_README has it. */
static void put_xtext(struct buf *b, const char *value)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = strlen(value);

	if (n == 0 || n > 255) {
		buf_puts(b, "[UNAVAILABLE]");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)value[i];

		if (c > ' ' && c < 0x7f && c != '+' && c != '=') {
			buf_putc(b, c);
			continue;
		}
		buf_putc(b, '+');
		buf_putc(b, hex[c >> 4]);
		buf_putc(b, hex[c & 15]);
	}
}

static void put_attribute(struct smtp_sender *s, bool is_offered,
    const char *name, const char *value)
{
	if (!is_offered)
		return;
	buf_printf(&s->queue, " %s=", name);
	put_xtext(&s->queue, value == NULL ? "" : value);
}

static void put_address(struct smtp_sender *s, const char *addr)
{
	if (!s->offers.x_addr)
		return;
	buf_puts(&s->queue, " ADDR=");
	if (addr != NULL && strchr(addr, ':') != NULL &&
	    strncmp(addr, "IPv6:", 5) != 0)
		buf_puts(&s->queue, "IPv6:");
	put_xtext(&s->queue, addr == NULL ? "" : addr);
}

void smtp_sender_xclient(struct smtp_sender *s,
    const struct smtp_sender_client *c)
{
	size_t at = s->queue.n;

	buf_puts(&s->queue, "XCLIENT");
	put_attribute(s, s->offers.x_name, "NAME", c->name);
	put_address(s, c->addr);
	put_attribute(s, s->offers.x_helo, "HELO", c->helo);
	put_attribute(s, s->offers.x_login, "LOGIN", c->login);
	buf_puts(&s->queue, "\r\n");
	sender_queued(s, SENDER_XCLIENT, (size_t)-1, at);
}

/* ---- the envelope ---- */

static int check_offers(const struct smtp_sender *s,
    const struct smtp_sender_mail *m, struct err *e)
{
	const char *lack = NULL;

	if (m->utf8 && !s->offers.utf8)
		lack = "SMTPUTF8 (RFC 6531)";
	else if (m->require_tls && !s->offers.require_tls)
		lack = "REQUIRETLS (RFC 8689)";
	else if (m->is_8bit && !s->offers.mime8)
		lack = "8BITMIME (RFC 6152)";
	if (lack == NULL)
		return 0;
	return err_set(e, FAIL_INPUT, "the next hop does not offer %s, which "
	    "the message needs", lack);
}

static int check_path(const char *path, const char *whose, struct err *e)
{
	char quoted[ERR_QUOTED];

	if (smtp_path_ok(path))
		return 0;
	return err_set(e, FAIL_INPUT, "RFC 5321 4.1.2: %s %s may not stand "
	    "in a command", whose, err_quote(quoted, sizeof(quoted), path,
	    strlen(path)));
}

static int check_params(const char *a, const char *b, struct err *e)
{
	if ((a == NULL || smtp_param_ok(a)) && (b == NULL ||
	    smtp_param_ok(b)))
		return 0;
	return err_set(e, FAIL_INPUT, "RFC 3461 4: a parameter of the "
	    "envelope may not stand in a command");
}

static bool is_xtext(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > 500)
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~' || s[i] == '=')
			return false;
	return true;
}

static void put_param(struct smtp_sender *s, const char *param)
{
	if (s->offers.dsn && param != NULL)
		buf_printf(&s->queue, " %s", param);
}

int smtp_sender_mail(struct smtp_sender *s, const struct smtp_sender_mail *m,
    struct err *e)
{
	const struct smtp_offers *o = &s->offers;
	size_t at = s->queue.n;

	if (check_offers(s, m, e) != 0 ||
	    check_path(m->from, "sender", e) != 0 ||
	    check_params(m->ret, m->envid, e) != 0)
		return -1;
	if (m->auth != NULL && !is_xtext(m->auth))
		return err_set(e, FAIL_INPUT, "RFC 4954 5: AUTH= of the "
		    "envelope is no xtext");
	s->takens = 0;
	buf_printf(&s->queue, "MAIL FROM:%s", m->from);
	if (o->size && m->size > 0)
		buf_printf(&s->queue, " SIZE=%llu",
		    (unsigned long long)m->size);
	if (m->is_8bit)
		buf_puts(&s->queue, " BODY=8BITMIME");
	if (m->utf8)
		buf_puts(&s->queue, " SMTPUTF8");
	if (m->require_tls)
		buf_puts(&s->queue, " REQUIRETLS");
	put_param(s, m->ret);
	put_param(s, m->envid);
	if (o->auth && m->auth != NULL)
		buf_printf(&s->queue, " AUTH=%s", m->auth);
	buf_puts(&s->queue, "\r\n");
	sender_queued(s, SENDER_MAIL, (size_t)-1, at);
	return 0;
}

int smtp_sender_rcpt(struct smtp_sender *s, const struct smtp_sender_rcpt *r,
    struct err *e)
{
	size_t at = s->queue.n;

	if (check_path(r->path, "recipient", e) != 0 ||
	    check_params(r->notify, r->orcpt, e) != 0)
		return -1;
	buf_printf(&s->queue, "RCPT TO:%s", r->path);
	put_param(s, r->notify);
	put_param(s, r->orcpt);
	buf_puts(&s->queue, "\r\n");
	sender_queued(s, SENDER_RCPT, r->number, at);
	return 0;
}
