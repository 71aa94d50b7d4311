/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Between the conversation and the transaction: envelope, octets, answers,
 * and our Received field.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "relay/session_int.h"
#include "util/log.h"
#include "util/when.h"

#define RECEIVED_MAX 4096
#define TOO_MUCH (16u << 20) /* octets beyond the limit, then it is cut */

/* ---- answers ---- */

static void on_rcpt(void *arg, size_t number, const struct smtp_reply *r)
{
	struct session *s = arg;

	smtp_server_answer_rcpt(s->s, number, r->code, r->enhanced, r->text);
	session_pump(s);
}

static void on_answer(void *arg, const struct smtp_reply *r)
{
	struct session *s = arg;

	smtp_server_answer(s->s, r->code, r->enhanced, r->text);
	if (smtp_server_owed(s->s) == 0) {
		txn_free(&s->told, false);
		s->told = s->txn;
		s->txn = NULL;
	}
	session_pump(s);
}

/* ---- the envelope ---- */

static const char *or_null(const char *text)
{
	return *text == '\0' ? NULL : text;
}

/* The client's own client, where it may say so. */
static int begin_txn(struct session *s, struct err *e)
{
	const struct smtp_server_mail *m = smtp_server_mail(s->s);
	const struct smtp_xclient *x = smtp_server_xclient(s->s);
	const struct smtp_forward *f = &m->forward;
	const struct txn_use use = { on_rcpt, on_answer, s };
	struct txn_setup setup = {
		.w = s->w,
		.l = s->l->l,
		.id = s->id,
		.client_addr = strcmp(s->ip, "unix") == 0 ? NULL : s->ip,
		.client_name = or_null(f->name[0] != '\0' ? f->name :
		    x->name),
		.client_helo = or_null(f->helo[0] != '\0' ? f->helo :
		    x->helo[0] != '\0' ? x->helo : smtp_server_helo(s->s)),
		.client_login = or_null(s->login),
		.is_trusted = session_is_trusted(s),
		.queue_id = f->ident
	};

	if (strcmp(s->ip, SMTP_UNKNOWN) == 0)
		setup.client_addr = ""; /* the next hop hears just that */
	if (f->addr[0] != '\0')
		setup.client_addr = strncasecmp(f->addr, "IPv6:", 5) == 0 ?
		    f->addr + 5 : f->addr;
	return txn_new(&s->txn, &setup, m, &use, e);
}

static void set_id(struct session *s)
{
	struct buf b;

	buf_init(&b, sizeof(s->id));
	buf_printf(&b, "%s.%u", s->who.id, ++s->messages);
	text_set(s->id, sizeof(s->id), buf_str(&b));
	buf_free(&b);
}

void session_on_mail(struct session *s)
{
	const struct smtp_server_mail *m = smtp_server_mail(s->s);
	char line[700];
	struct err e = { 0 };
	size_t n;

	txn_free(&s->txn, false);
	auth_free(&s->talk); /* one that the client called off */
	if (!session_may_send(s, m->from)) {
		n = log_value(line, sizeof(line), 0, "login", s->login);
		(void)log_value(line, sizeof(line), n, "from", m->from);
		log_info("event=not-your-sender id=%s client=%s %s",
		    s->who.id, s->ip, line);
		smtp_server_answer(s->s, 550, "5.7.1", "You may not send as "
		    "this sender (RFC 6409 6.1)");
		return;
	}
	set_id(s);
	if (begin_txn(s, &e) == 0) {
		smtp_server_answer(s->s, 250, "2.1.0", "Ok");
		return;
	}
	log_err("event=no-transaction id=%s error=\"%s\"", s->id, e.msg);
	smtp_server_answer(s->s, 452, "4.3.1", "Not enough memory");
}

void session_on_rcpt(struct session *s)
{
	const struct smtp_server_mail *m = smtp_server_mail(s->s);

	txn_rcpt(s->txn, &m->rcpt[m->rcpts - 1]);
}

/* ---- Received ---- */

/* RFC 3848, RFC 6531 4.3 */
static void put_protocol(const struct session *s, struct buf *b)
{
	bool is_utf8 = smtp_server_mail(s->s)->utf8;

	if (!smtp_server_is_esmtp(s->s)) {
		buf_puts(b, "SMTP");
		return;
	}
	buf_puts(b, is_utf8 ? "UTF8" : "");
	if (s->l->l->protocol == RELAY_LMTP)
		buf_puts(b, "LMTP");
	else
		buf_puts(b, is_utf8 ? "SMTP" : "ESMTP");
	if (s->facts != NULL || s->who.proxy_tls)
		buf_putc(b, 'S');
	if (smtp_server_is_authenticated(s->s))
		buf_putc(b, 'A');
}

/* What a client calls itself, as far as it is a name or an address. */
static void put_name(struct buf *b, const char *raw)
{
	size_t n = strspn(raw, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]_");

	buf_puts(b, raw[n] == '\0' && n > 0 ? raw : "unknown");
}

/* Inside a comment: nothing that ends it, or the line (pitfall 16). */
static void put_comment(struct buf *b, const char *raw)
{
	for (; *raw != '\0'; raw++)
		buf_putc(b, *raw < ' ' || *raw > '~' || *raw == '(' ||
		    *raw == ')' || *raw == '\\' || *raw == '"' ? '?' : *raw);
}

static void put_client(const struct session *s, struct buf *b)
{
	const struct smtp_xclient *x = smtp_server_xclient(s->s);

	buf_puts(b, "from ");
	put_name(b, x->helo[0] != '\0' ? x->helo : smtp_server_helo(s->s));
	if (strcmp(s->ip, "unix") == 0)
		buf_puts(b, " (local)");
	else
		buf_printf(b, " ([%s%s])", strchr(s->ip, ':') == NULL ? "" :
		    "IPv6:", s->ip);
	if (s->facts != NULL && s->facts->has_cert) {
		buf_puts(b, "\r\n\t(client certificate \"");
		put_comment(b, s->facts->subject);
		buf_puts(b, s->facts->cert_is_good ? "\" verified)" :
		    "\" not verified)");
	}
	buf_puts(b, "\r\n\t");
}

void session_received(const struct session *s, int64_t now_s,
    struct buf *out)
{
	const struct tls_facts *f = s->facts;
	char date[WHEN_SIZE];

	buf_puts(out, "Received: ");
	if (!s->l->l->hide_client) /* T33 */
		put_client(s, out);
	buf_printf(out, "by %s (postseal) with ", s->w->config->hostname);
	put_protocol(s, out);
	buf_printf(out, " id %s", s->id);
	if (f != NULL) {
		/* RFC 8314 4.3 */
		buf_puts(out, "\r\n\ttls ");
		put_name(out, f->cipher);
		buf_puts(out, " (");
		put_comment(out, f->version);
		buf_putc(out, ')');
	}
	buf_printf(out, ";\r\n\t%s\r\n", when_mail(date, now_s));
}

/* ---- the message ---- */

void session_on_begin(struct session *s)
{
	struct buf b;

	buf_init(&b, RECEIVED_MAX);
	session_received(s, (int64_t)time(NULL), &b);
	txn_begin(s->txn, b.failed ? view_of("") : buf_view(&b));
	buf_free(&b);
}

void session_on_data(struct session *s, struct view chunk)
{
	txn_put(s->txn, chunk);
	/* He hears 552 at the end of it, unless there is none. */
	if (txn_octets(s->txn) < s->l->l->max_message ||
	    txn_octets(s->txn) - s->l->l->max_message < TOO_MUCH)
		return;
	log_info("event=too-large id=%s client=%s", s->id, s->ip);
	smtp_server_cut(s->s, 552, "5.3.4", "Message too large");
}

void session_on_end_of_data(struct session *s)
{
	txn_end(s->txn);
}
