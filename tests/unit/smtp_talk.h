/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A conversation with the server's side as a relay uses it: what it says, and
 * which events it had. Decisions are taken at once unless is_slow.
 */
#ifndef TESTS_UNIT_SMTP_TALK_H
#define TESTS_UNIT_SMTP_TALK_H

#include <stdio.h>
#include <string.h>

#include "smtp/server.h"

#define EHLO "EHLO a.example\r\n"
#define LHLO "LHLO a.example\r\n"
#define MAIL "MAIL FROM:<alice@a.example>\r\n"
#define RCPT "RCPT TO:<bob@b.example>\r\n"

struct talk {
	struct smtp_server *s;
	struct smtp_server_channel inside; /* TLS, when it is begun */
	struct buf said; /* by the server */
	struct buf seen; /* events: "mail <a@b>;rcpt 0 <c@d>;" */
	struct buf got;	 /* messages, each ended by "|" */
	size_t mails, tls;
	bool is_slow;	 /* RCPT is answered by the test */
	bool is_closed, is_waiting;
	const char *challenge; /* to AUTH, once; then the verdict */
	int auth_code;
};

static const struct smtp_server_setup relay_smtp = {
	.name = "mx.example", .dsn = true, .max_size = 1000, .max_rcpts = 5,
	.relay = true, .starttls = true, .auth = true, .qualified = true
};

static inline void talk_begin(struct talk *t,
    const struct smtp_server_setup *setup)
{
	memset(t, 0, sizeof(*t));
	t->inside = (struct smtp_server_channel){ .is_tls = true,
		.mechanisms = "PLAIN LOGIN", .auth_must = true };
	t->auth_code = 235;
	assert_int_equal(smtp_server_new(&t->s, setup, NULL), 0);
	buf_init(&t->said, 1u << 20);
	buf_init(&t->seen, 1u << 20);
	buf_init(&t->got, 1u << 20);
}

static inline void talk_end(struct talk *t)
{
	smtp_server_free(&t->s);
	buf_free(&t->said);
	buf_free(&t->seen);
	buf_free(&t->got);
}

static inline void talk_output(struct talk *t)
{
	buf_putv(&t->said, smtp_server_output(t->s));
	smtp_server_sent(t->s);
}

static inline void talk_auth(struct talk *t)
{
	const struct smtp_server_auth *a = smtp_server_auth(t->s);

	buf_printf(&t->seen, "auth %s %s[", a->mechanism, a->is_first ?
	    "first " : "");
	if (a->response.p == NULL)
		buf_puts(&t->seen, "none");
	buf_putv(&t->seen, a->response);
	buf_puts(&t->seen, "];");
	if (t->challenge != NULL) {
		smtp_server_challenge(t->s, view_of(t->challenge));
		t->challenge = NULL;
	} else if (t->auth_code == 235) {
		smtp_server_answer(t->s, 235, "2.7.0", "yes");
	} else {
		smtp_server_answer(t->s, t->auth_code, "5.7.8", "no");
	}
}

static inline void talk_ask(struct talk *t, enum smtp_event ev)
{
	const struct smtp_server_mail *m = smtp_server_mail(t->s);

	if (ev == SMTP_ASK_MAIL) {
		assert_int_equal(m->rcpts, 0);
		buf_printf(&t->seen, "mail %s;", m->from);
		if (strstr(m->from, "bad") == NULL)
			smtp_server_answer(t->s, 250, "2.1.0", "Ok");
		else
			smtp_server_answer(t->s, 550, "5.7.1", "bad");
		return;
	}
	buf_printf(&t->seen, "rcpt %zu %s;", m->rcpt[m->rcpts - 1].number,
	    m->rcpt[m->rcpts - 1].path);
	if (t->is_slow)
		return;
	if (strstr(m->rcpt[m->rcpts - 1].path, "bad") == NULL)
		smtp_server_answer_rcpt(t->s, m->rcpt[m->rcpts - 1].number,
		    250, "2.1.5", "Ok");
	else
		smtp_server_answer_rcpt(t->s, m->rcpt[m->rcpts - 1].number,
		    550, "5.1.1", "bad");
}

/* true: go on */
static inline bool talk_event(struct talk *t, enum smtp_event ev,
    struct view chunk)
{
	const struct smtp_server_mail *m = smtp_server_mail(t->s);

	switch (ev) {
	case SMTP_MORE:
	case SMTP_WAIT:
	case SMTP_CLOSE:
		talk_output(t);
		t->is_closed = ev == SMTP_CLOSE;
		t->is_waiting = ev == SMTP_WAIT;
		return false;
	case SMTP_FLUSH:
		talk_output(t);
		break;
	case SMTP_ASK_MAIL:
	case SMTP_ASK_RCPT:
		talk_ask(t, ev);
		break;
	case SMTP_AUTH:
		talk_auth(t);
		break;
	case SMTP_STARTTLS:
		talk_output(t);
		t->tls++;
		smtp_server_secured(t->s, &t->inside);
		break;
	case SMTP_XCLIENT:
		buf_printf(&t->seen, "xclient %s;",
		    smtp_server_xclient(t->s)->addr);
		break;
	case SMTP_BEGIN:
		buf_printf(&t->seen, "begin %zu;", m->rcpts);
		break;
	case SMTP_CHUNK:
		buf_putv(&t->got, chunk);
		break;
	case SMTP_MAIL:
		t->mails++;
		buf_putc(&t->got, '|');
		while (smtp_server_owed(t->s) > 0)
			smtp_server_answer(t->s, 250, "2.6.0", "yes");
		break;
	}
	return true;
}

/* How many octets were used up: all, but for SMTP_WAIT and the end. */
static inline size_t talk_feed_view(struct talk *t, struct view in)
{
	struct view chunk, all = in;
	enum smtp_event ev;

	do
		ev = smtp_server_next(t->s, &in, &chunk);
	while (!t->is_closed && talk_event(t, ev, chunk));
	return all.n - in.n;
}

static inline void talk_feed(struct talk *t, const char *text)
{
	(void)talk_feed_view(t, view_of(text));
}

/* Line by line, as somebody does who waits for each reply. */
static inline void talk_lines(struct talk *t, const char *text)
{
	const char *nl;

	for (; (nl = strchr(text, '\n')) != NULL; text = nl + 1)
		(void)talk_feed_view(t, view_make(text,
		    (size_t)(nl + 1 - text)));
}

/* What one step says, on its own. */
static inline const char *talk_say(struct talk *t, const char *text)
{
	buf_clear(&t->said);
	talk_feed(t, text);
	return buf_str(&t->said);
}

static inline void talk_expect(struct talk *t, const char *text,
    const char *begins)
{
	const char *said = talk_say(t, text);

	if (strncmp(said, begins, strlen(begins)) != 0)
		fail_msg("to %s: %s, wanted %s", text, said, begins);
}

#endif
