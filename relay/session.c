/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One connection of a mail client: its octets go through the engine
 * (smtp/server.h), what the engine asks goes to the other files, and all
 * deadlines are here.
 */
#include "relay/session_int.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "relay/keys.h"
#include "util/clock.h"
#include "util/log.h"

#define COMMAND_MS 300000   /* RFC 5321 4.5.3.2.7 */
#define HANDSHAKE_MS 60000  /* T11 */
#define DATA_MS 60000	    /* before the first octet counts */
#define BLOCK_MS 180000	    /* RFC 5321 4.5.3.2.5 */
#define FINISH_MS 10000	    /* for the last reply */
#define NEWCOMER_MS 5000    /* to begin a message, when we go away */
#define GOING_AWAY "Service is going away"

static LIST_HEAD(, session) sessions = LIST_HEAD_INITIALIZER(sessions);

/* ---- life ---- */

static void destroy(struct session *s)
{
	struct session gone = *s;

	LIST_REMOVE(s, all);
	session_auth_free(s);
	txn_free(&s->txn, false);
	txn_free(&s->told, false);
	smtp_server_free(&s->s);
	conn_free(&s->c);
	free(s);
	worker_gone(gone.w, gone.l, &gone.who);
}

void session_end(struct session *s)
{
	s->is_over = true;
	if (!s->is_pumping)
		destroy(s);
}

/* ---- octets ---- */

static void flush(struct session *s)
{
	struct view v = smtp_server_output(s->s);

	if (v.n == 0)
		return;
	conn_write(s->c, v);
	smtp_server_sent(s->s);
	/* every reply is a turn of his: he has so long for the next one */
	if (!s->in_data)
		conn_deadline(s->c, clock_ms() + COMMAND_MS);
}

static bool is_idle(const struct session *s)
{
	return s->txn == NULL && !s->is_answering && !s->in_handshake;
}

/* true: there is more to do */
static bool wait_more(struct session *s)
{
	flush(s);
	if (s->is_eof) {
		if (s->txn != NULL)
			log_info("event=client-lost id=%s client=%s "
			    "reason=\"ended before the end of its message\"",
			    s->id, s->ip);
		txn_free(&s->told, true); /* given to who was gone */
		conn_finish(&s->c, FINISH_MS);
		session_end(s);
		return false;
	}
	if (!s->w->is_stopping || !is_idle(s))
		return false;
	if (s->messages == 0 && clock_ms() < s->since_ms + NEWCOMER_MS) {
		/* He came to us and not to who follows us by chance, and 421
		 * would make his MTA wait for minutes. */
		conn_deadline(s->c, s->since_ms + NEWCOMER_MS);
		return false;
	}
	smtp_server_quit(s->s, GOING_AWAY);
	return true;
}

static bool wait_output(struct session *s)
{
	flush(s);
	if (!conn_is_full(s->c))
		return true;
	s->is_stuck = true;
	conn_pause(s->c);
	return false;
}

static void close_in_order(struct session *s)
{
	flush(s);
	conn_finish(&s->c, FINISH_MS);
	session_end(s);
}

static bool begin_tls(struct session *s)
{
	struct err e = { 0 };

	flush(s);
	if (conn_tls_server(s->c, session_tls(s), &e) != 0) {
		/* T7: he spoke behind STARTTLS */
		log_warn("event=no-tls id=%s client=%s reason=\"%s\"",
		    s->who.id, s->ip, e.msg);
		relay_stats_add(s->w->stats, COUNT_TLS_IN_FAILED);
		session_end(s);
		return false;
	}
	s->in_handshake = true;
	conn_deadline(s->c, clock_ms() + HANDSHAKE_MS);
	return false;
}

static void begin_data(struct session *s)
{
	s->in_data = true;
	conn_deadline(s->c, clock_ms() + DATA_MS);
	conn_min_rate(s->c, s->l->l->min_rate, BLOCK_MS);
	session_on_begin(s);
}

static void end_data(struct session *s)
{
	s->in_data = false;
	s->is_answering = true;
	conn_min_rate(s->c, 0, 0);
	conn_deadline(s->c, 0); /* our turn */
	session_on_end_of_data(s);
}

static void take_chunk(struct session *s, struct view chunk)
{
	if (s->l->l->min_rate == 0)
		conn_deadline(s->c, clock_ms() + BLOCK_MS);
	session_on_data(s, chunk);
}

/* true: go on */
static bool handle(struct session *s, enum smtp_event ev, struct view chunk)
{
	switch (ev) {
	case SMTP_MORE:
		return wait_more(s);
	case SMTP_FLUSH:
		return wait_output(s);
	case SMTP_WAIT:
		flush(s);
		conn_deadline(s->c, 0);
		return false;
	case SMTP_ASK_MAIL:
		session_on_mail(s);
		break;
	case SMTP_ASK_RCPT:
		session_on_rcpt(s);
		break;
	case SMTP_AUTH:
		session_on_auth(s);
		break;
	case SMTP_XCLIENT:
		session_on_xclient(s);
		break;
	case SMTP_STARTTLS:
		return begin_tls(s);
	case SMTP_BEGIN:
		begin_data(s);
		break;
	case SMTP_CHUNK:
		take_chunk(s, chunk);
		break;
	case SMTP_MAIL:
		end_data(s);
		break;
	case SMTP_CLOSE:
		close_in_order(s);
		return false;
	}
	return true;
}

/* What the last command did away with (RSET, EHLO, STARTTLS, a refusal). */
static void drop_old(struct session *s, bool has_come)
{
	if (s->told != NULL && has_come)
		txn_free(&s->told, false); /* he heard, and goes on */
	if (s->txn != NULL && smtp_server_mail(s->s)->from == NULL)
		txn_free(&s->txn, false);
}

static bool step(struct session *s)
{
	struct view in, before, chunk;
	enum smtp_event ev;
	size_t used;
	bool goes_on;

	if (s->is_answering && smtp_server_owed(s->s) > 0) {
		flush(s);
		conn_deadline(s->c, 0);
		return false;
	}
	s->is_answering = false;
	in = before = conn_input(s->c);
	ev = smtp_server_next(s->s, &in, &chunk);
	used = before.n - in.n;
	drop_old(s, used > 0);
	/* TLS begins behind what was used */
	if (ev == SMTP_STARTTLS)
		conn_used(s->c, used);
	goes_on = handle(s, ev, chunk);
	if (ev != SMTP_STARTTLS && s->c != NULL)
		conn_used(s->c, used);
	return goes_on;
}

void session_pump(struct session *s)
{
	if (s->is_pumping || s->is_over || s->s == NULL || s->is_stuck ||
	    s->in_handshake)
		return;
	s->is_pumping = true;
	while (!s->is_over && step(s))
		;
	s->is_pumping = false;
	if (s->is_over)
		destroy(s);
}

/* ---- from the connection ---- */

static void on_input(void *arg)
{
	struct session *s = arg;

	/* T2: without the keys process no handshake could end well */
	if (s->s != NULL && !s->is_tls)
		smtp_server_starttls_away(s->s, session_tls(s) == NULL ||
		    !tls_keys_are_there(s->w->keys));
	session_pump(s);
}

static void on_drained(void *arg)
{
	struct session *s = arg;

	if (!s->is_stuck)
		return;
	s->is_stuck = false;
	conn_resume(s->c);
	session_pump(s);
}

static const char *end_str(enum conn_end how)
{
	static const char *const word[] = { "eof", "cut", "late", "no-tls",
		"fault" };

	return word[how];
}

static void log_end(const struct session *s, bool has_txn, enum conn_end how,
    const char *why)
{
	char line[700];
	size_t n;

	n = log_value(line, sizeof(line), 0, "client", s->ip);
	n = log_value(line, sizeof(line), n, "how", end_str(how));
	(void)log_value(line, sizeof(line), n, "reason", why);
	if (!has_txn && how == CONN_EOF)
		log_debug("event=client-lost id=%s %s", s->who.id, line);
	else
		log_info("event=client-lost id=%s %s", has_txn ? s->id :
		    s->who.id, line);
}

/* Did he hear the answers to his last message? Who ends in order has read
 * them: otherwise his system would have reset the connection. To remember more
 * than that would be to hold back a message that is only equal. */
static void note_unheard(struct session *s, enum conn_end how)
{
	txn_free(&s->told, how != CONN_EOF);
	if (s->is_answering && how != CONN_EOF)
		txn_free(&s->txn, true);
}

static void on_end(void *arg, enum conn_end how, const char *why)
{
	struct session *s = arg;
	bool has_txn = s->txn != NULL;

	note_unheard(s, how);
	log_end(s, has_txn, how, why); /* what is said is in the ledger */
	if (how == CONN_NO_TLS)
		relay_stats_add(s->w->stats, COUNT_TLS_IN_FAILED);
	/* T10: nothing more is said. Nor to somebody who would have to, and
	 * went away. */
	if (s->s == NULL || s->in_handshake ||
	    (s->talk != NULL && how != CONN_LATE)) {
		session_end(s);
		return;
	}
	if (how == CONN_EOF) {
		/* he may still listen: what he asked is answered */
		s->is_eof = true;
		conn_half_open(s->c);
		session_pump(s);
		return;
	}
	if (how == CONN_LATE) {
		conn_last_words(s->c);
		smtp_server_quit(s->s, s->w->is_stopping && is_idle(s) ?
		    GOING_AWAY : "Too slow, closing");
		flush(s);
		conn_finish(&s->c, FINISH_MS);
	}
	session_end(s);
}

/* The conversation begins: at once, or inside TLS. */
static void greet(struct session *s)
{
	struct smtp_server_setup setup;
	struct err e = { 0 };
	char octet;

	session_setup(s, &setup);
	if (smtp_server_new(&s->s, &setup, &e) != 0) {
		log_err("event=no-session id=%s error=\"%s\"", s->who.id,
		    e.msg);
		session_end(s);
		return;
	}
	/* A46: who does not wait for the greeting is no mail client */
	if (conn_input(s->c).n > 0 || (!s->facts &&
	    recv(conn_fd(s->c), &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0))
		smtp_server_early(s->s);
	session_pump(s);
}

static void on_tls(void *arg)
{
	struct session *s = arg;
	struct smtp_server_channel channel;

	s->in_handshake = false;
	/* RFC 3207 4.2: whoever he said he is, he did not say it here */
	text_set(s->ip, sizeof(s->ip), s->who.ip);
	s->login[0] = '\0';
	session_read_channel(s);
	session_log_tls(s);
	if (s->s == NULL) {
		greet(s);
		return;
	}
	session_channel(s, &channel);
	smtp_server_secured(s->s, &channel);
	conn_deadline(s->c, clock_ms() + COMMAND_MS);
	session_pump(s);
}

/* ---- the worker's ---- */

static bool begin(struct session *s)
{
	struct err e = { 0 };

	if (s->tls != LISTEN_IMPLICIT) {
		greet(s);
		return true;
	}
	conn_deadline(s->c, clock_ms() + HANDSHAKE_MS);
	if (session_tls(s) == NULL)
		(void)err_set(&e, FAIL_CONFIG, "no certificate");
	else if (conn_tls_server(s->c, session_tls(s), &e) == 0)
		return true;
	log_err("event=no-tls id=%s client=%s reason=\"%s\"", s->who.id,
	    s->ip, e.msg);
	return false;
}

void session_start(struct worker *w, struct worker_listener *l,
    enum listen_tls tls, struct conn *take_conn, const struct client *who)
{
	struct session *s = calloc(1, sizeof(*s));
	struct conn *c = take_conn;
	struct conn_use use = { NULL, on_tls, on_input, on_drained, on_end,
		s };

	if (s == NULL) {
		conn_free(&c);
		worker_gone(w, l, who);
		return;
	}
	s->w = w;
	s->l = l;
	s->tls = tls;
	s->c = c;
	s->who = *who;
	s->since_ms = clock_ms();
	text_set(s->ip, sizeof(s->ip), who->ip);
	LIST_INSERT_HEAD(&sessions, s, all);
	conn_use(s->c, &use);
	log_info("event=connect id=%s listen=%s client=%s", who->id,
	    l->l->name, who->ip);
	session_read_channel(s);
	if (!begin(s))
		session_end(s);
}

void sessions_stop(struct worker *w)
{
	struct session *s, *next;

	for (s = LIST_FIRST(&sessions); s != NULL; s = next) {
		next = LIST_NEXT(s, all);
		if (s->w == w)
			session_pump(s);
	}
}
