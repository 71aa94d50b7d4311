/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What is said to a backend before a tunnel carries octets: STLS, STARTTLS and
 * XCLIENT, answer by answer. Nothing that came before TLS is believed
 * (RFC 3207 4.2, RFC 9051 6.2.1), but that TLS may begin.
 */
#include "relay/tunnel_dial.h"

#include <string.h>

#include "relay/tunnel_gate_int.h"

void dial_init(struct dial *d, const struct listener *l,
    const struct client *who, const char *hostname)
{
	const struct backend *b = &l->backend;

	memset(d, 0, sizeof(*d));
	d->l = l;
	d->who = who;
	d->hostname = hostname;
	d->starttls = b->tls && !b->implicit && l->protocol != RELAY_ANY;
	d->xclient = b->real == REAL_XCLIENT &&
	    l->protocol == RELAY_SMTP_TUNNEL;
	d->state = d->starttls || d->xclient ? DIAL_GREETING : DIAL_READY;
	buf_init(&d->reply, DIAL_REPLY);
	buf_init(&d->greeting, DIAL_REPLY);
}

void dial_free(struct dial *d)
{
	buf_free(&d->reply);
	buf_free(&d->greeting);
}

bool dial_is_needed(const struct dial *d)
{
	return d->state != DIAL_READY;
}

static enum dial_step failed(const char *what, struct view line,
    struct err *e)
{
	char q[ERR_QUOTED];

	line = view_trim(line);
	err_quote(q, sizeof(q), line.p, line.n);
	err_set(e, FAIL_POLICY, "backend: %s, it says \"%s\"", what, q);
	return DIAL_FAILED;
}

static enum dial_step say(struct dial *d, enum dial_state next,
    const char *line, struct buf *to_server)
{
	buf_puts(to_server, line);
	d->state = next;
	return DIAL_MORE;
}

static enum dial_step say_ehlo(struct dial *d, struct buf *to_server)
{
	buf_printf(to_server, "EHLO %s\r\n", d->hostname);
	d->state = DIAL_EHLO;
	return DIAL_MORE;
}

static bool is_ip(const char *ip)
{
	struct net n;

	return net_parse(&n, ip, NULL) == 0;
}

static bool knows(const struct dial *d, const char *attribute)
{
	struct view v = view_of(d->attributes), word;

	while ((word = gate_next_word(&v)).n > 0)
		if (view_ieq_str(word, attribute))
			return true;
	return false;
}

/* Postfix's XCLIENT: an address of IPv6 has a prefix. */
static void put_address(const struct dial *d, struct buf *b, const char *key,
    const char *ip)
{
	if (!knows(d, key))
		return;
	if (!is_ip(ip))
		buf_printf(b, " %s=[UNAVAILABLE]", key);
	else
		buf_printf(b, " %s=%s%s", key, strchr(ip, ':') != NULL ?
		    "IPV6:" : "", ip);
}

static void put_port(const struct dial *d, struct buf *b, const char *key,
    int port)
{
	if (knows(d, key) && port > 0)
		buf_printf(b, " %s=%d", key, port);
}

static enum dial_step say_xclient(struct dial *d, struct buf *to_server)
{
	buf_puts(to_server, "XCLIENT");
	if (knows(d, "NAME"))
		buf_puts(to_server, " NAME=[UNAVAILABLE]");
	put_address(d, to_server, "ADDR", d->who->ip);
	put_port(d, to_server, "PORT", d->who->port);
	put_address(d, to_server, "DESTADDR", d->who->local_ip);
	put_port(d, to_server, "DESTPORT", d->who->local_port);
	buf_puts(to_server, "\r\n");
	d->state = DIAL_XCLIENT;
	return DIAL_MORE;
}

/* ---- the answers ---- */

static void note_offers(struct dial *d)
{
	struct view v = buf_view(&d->reply), line, word;

	d->has_starttls = d->has_xclient = false;
	(void)gate_next_line(&v); /* its name */
	while (v.n > 0) {
		line = gate_next_line(&v);
		line = view_trim(view_sub(line, 4, line.n));
		word = gate_next_word(&line);
		if (view_ieq_str(word, "STARTTLS"))
			d->has_starttls = true;
		/* without the address it is of no use */
		if (view_ieq_str(word, "XCLIENT") &&
		    view_cstr(line, d->attributes, sizeof(d->attributes)) ==
		    0)
			d->has_xclient = knows(d, "ADDR");
	}
}

static enum dial_step smtp_answer(struct dial *d, struct buf *to_server,
    struct err *e)
{
	struct view all = buf_view(&d->reply);
	bool is_220 = view_istarts(all, "220");

	if (d->state == DIAL_GREETING)
		return is_220 ? say_ehlo(d, to_server) :
		    failed("no greeting 220", all, e);
	if (d->state == DIAL_EHLO) {
		if (!view_istarts(all, "250"))
			return failed("EHLO is refused", all, e);
		note_offers(d);
		if (d->starttls)
			return d->has_starttls ? say(d, DIAL_STARTTLS,
			    "STARTTLS\r\n", to_server) :
			    failed("STARTTLS is not offered", all, e);
		return d->has_xclient ? say_xclient(d, to_server) :
		    failed("XCLIENT is not offered", all, e);
	}
	/* T37: 220 alone, on one line */
	if (!is_220 || (d->state == DIAL_STARTTLS && d->lines > 1))
		return failed(d->state == DIAL_STARTTLS ?
		    "STARTTLS is refused" : "XCLIENT is refused", all, e);
	if (d->state == DIAL_STARTTLS)
		return DIAL_TLS;
	buf_clear(&d->greeting);
	buf_putv(&d->greeting, all);
	d->state = DIAL_READY;
	return DIAL_DONE;
}

static enum dial_step pop3_answer(struct dial *d, struct buf *to_server,
    struct err *e)
{
	struct view all = buf_view(&d->reply);
	bool is_ok = view_istarts(all, "+OK");

	if (d->state == DIAL_GREETING)
		return is_ok ? say(d, DIAL_STARTTLS, "STLS\r\n", to_server) :
		    failed("no greeting +OK", all, e);
	return is_ok ? DIAL_TLS : failed("STLS is refused", all, e);
}

/* T71: with PREAUTH there is no login, and whose mail it is was said in
 * clear. */
static enum dial_step imap_answer(struct dial *d, struct buf *to_server,
    struct err *e)
{
	struct view all = buf_view(&d->reply), line = all, word, status;

	if (d->state == DIAL_GREETING) {
		(void)gate_next_word(&line);
		status = view_trim(gate_next_word(&line));
		return view_ieq_str(status, "OK") ?
		    say(d, DIAL_STARTTLS, "tls STARTTLS\r\n", to_server) :
		    failed("no greeting * OK", all, e);
	}
	/* the last line is the tagged one */
	while (all.n > 0)
		line = gate_next_line(&all);
	word = line;
	(void)gate_next_word(&word);
	return view_ieq_str(view_trim(gate_next_word(&word)), "OK") ?
	    DIAL_TLS : failed("STARTTLS is refused", line, e);
}

/* As gate_protocol.is_last, which knows how answers end. */
static int is_last(struct dial *d, struct view line)
{
	const struct gate_protocol *p = d->l->protocol == RELAY_POP3 ?
	    &gate_pop3 : d->l->protocol == RELAY_IMAP ? &gate_imap :
	    &gate_smtp;
	struct gate g;

	memset(&g, 0, sizeof(g));
	g.asks = d->state == DIAL_GREETING ? ASKS_GREETING :
	    d->l->protocol == RELAY_IMAP ? ASKS_CAPABILITIES : ASKS_OTHER;
	g.lines = d->lines;
	g.reply = d->reply; /* looked at only */
	text_set(g.tag, sizeof(g.tag), "tls");
	return p->is_last(&g, line);
}

enum dial_step dial_server(struct dial *d, struct view in, size_t *used,
    struct buf *to_server, struct err *e)
{
	struct view rest = in, line = gate_next_line(&rest);
	enum dial_step step;
	int last;

	*used = 0;
	if (line.n > DIAL_LINE || d->lines >= DIAL_LINES)
		return failed("its answer has no end", view_sub(line, 0, 80),
		    e);
	if (line.n == 0 || line.p[line.n - 1] != '\n')
		return DIAL_MORE;
	*used = line.n;
	last = is_last(d, line);
	if (last < 0)
		return failed("it does not speak the protocol", line, e);
	buf_putv(&d->reply, line);
	d->lines++;
	if (buf_ok(&d->reply, e) != 0)
		return DIAL_FAILED;
	if (last == 0)
		return DIAL_MORE;
	if (d->l->protocol == RELAY_SMTP_TUNNEL)
		step = smtp_answer(d, to_server, e);
	else if (d->l->protocol == RELAY_IMAP)
		step = imap_answer(d, to_server, e);
	else
		step = pop3_answer(d, to_server, e);
	d->lines = 0;
	buf_clear(&d->reply);
	return step;
}

enum dial_step dial_tls(struct dial *d, struct buf *to_server)
{
	d->starttls = d->has_starttls = d->has_xclient = false;
	switch (d->l->protocol) {
	case RELAY_POP3:
		buf_puts(&d->greeting, "+OK ready\r\n");
		break;
	case RELAY_IMAP:
		buf_puts(&d->greeting, "* OK ready\r\n");
		break;
	default:
		if (d->xclient)
			return say_ehlo(d, to_server);
		buf_printf(&d->greeting, "220 %s ESMTP\r\n", d->hostname);
		break;
	}
	d->state = DIAL_READY;
	return DIAL_DONE;
}
