/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What replies mean for one message: sender and recipients, then the data.
 * What the next hop does not offer and the message needs is found before
 * anything is said of it.
 */
#include "smtp/single.h"

#include <stdlib.h>
#include <string.h>

#include "smtp/sender.h"

struct smtp_single {
	struct smtp_mail *m;
	struct smtp_sender *sender;
	bool lmtp;
	bool is_over, in_body;
	size_t replied;	 /* recipients whose RCPT was answered */
	size_t accepted; /* that were taken by RCPT, and have no answer yet */
};

/* ---- what replies mean ---- */

static bool is_good(const struct smtp_reply *r)
{
	return r->code >= 200 && r->code < 300;
}

static void finish(struct smtp_single *s, const struct smtp_reply *r)
{
	s->m->reply = *r;
	s->is_over = true;
}

/* It would take no mail at all (RFC 5321 3.1). */
static void turned_away(struct smtp_single *s, const struct smtp_reply *r)
{
	s->m->is_turned_away = true;
	finish(s, r);
}

static bool wants_dsn(const struct smtp_mail *m)
{
	if (m->ret != NULL || m->envid != NULL)
		return true;
	for (size_t i = 0; i < m->rcpts; i++)
		if (m->rcpt[i].notify != NULL || m->rcpt[i].orcpt != NULL)
			return true;
	return false;
}

static int say_envelope(struct smtp_single *s, struct err *e)
{
	struct smtp_mail *m = s->m;
	const struct smtp_sender_mail mail = {.from = m->from, .ret = m->ret,
	    .envid = m->envid, .utf8 = m->utf8, .is_8bit = m->is_8bit,
	    .require_tls = m->require_tls};

	if (smtp_sender_mail(s->sender, &mail, e) != 0)
		return -1;
	m->lacks_dsn = !smtp_sender_offers(s->sender)->dsn && wants_dsn(m);
	for (size_t i = 0; i < m->rcpts; i++) {
		const struct smtp_rcpt *r = &m->rcpt[i];
		const struct smtp_sender_rcpt to = {r->path, r->notify,
		    r->orcpt, i};

		if (smtp_sender_rcpt(s->sender, &to, e) != 0)
			return -1;
	}
	return 0;
}

/* All have been asked for: over SMTP all or none. */
static void after_rcpts(struct smtp_single *s)
{
	struct smtp_mail *m = s->m;

	if (s->accepted == m->rcpts || (s->lmtp && s->accepted > 0)) {
		smtp_sender_data(s->sender);
		return;
	}
	for (size_t i = 0; i < m->rcpts; i++) {
		if (is_good(&m->rcpt[i].reply))
			continue;
		finish(s, &m->rcpt[i].reply);
		return;
	}
}

static void on_rcpt(struct smtp_single *s, const struct sender_news *n)
{
	s->m->rcpt[n->rcpt].reply = n->reply;
	s->accepted += is_good(&n->reply);
	if (++s->replied == s->m->rcpts)
		after_rcpts(s);
}

/* One reply for all (SMTP), or one for each that was taken (RFC 2033 4.2). */
static void on_end(struct smtp_single *s, const struct sender_news *n)
{
	for (size_t i = 0; i < s->m->rcpts; i++) {
		struct smtp_rcpt *to = &s->m->rcpt[i];

		if (s->lmtp ? i != n->rcpt : !is_good(&to->reply))
			continue;
		to->reply = n->reply;
		to->accepted = is_good(&n->reply);
		s->accepted--;
	}
	if (s->accepted > 0)
		return;
	s->m->is_unknown = false;
	finish(s, &n->reply);
}

static int on_reply(struct smtp_single *s, const struct sender_news *n,
    struct err *e)
{
	const struct smtp_reply *r = &n->reply;

	switch (n->to) {
	case SENDER_GREETING:
		if (r->code != 220)
			turned_away(s, r);
		return 0;
	case SENDER_HELO:
		if (is_good(r))
			return say_envelope(s, e);
		turned_away(s, r);
		return 0;
	case SENDER_RCPT:
		on_rcpt(s, n);
		return 0;
	case SENDER_END:
		on_end(s, n);
		return 0;
	case SENDER_MAIL:
		if (!is_good(r))
			finish(s, r);
		return 0;
	case SENDER_DATA:
		s->in_body = r->code == 354;
		if (!s->in_body)
			finish(s, r);
		return 0;
	default: /* it gives up in the middle */
		finish(s, r);
		return 0;
	}
}

/* ---- the outside ---- */

static int not_smtp(struct smtp_single *s, const char *why, struct err *e)
{
	s->is_over = true;
	return err_set(e, FAIL_TEMP, "the next hop: %s", why);
}

int smtp_single_input(struct smtp_single *s, struct view v, struct err *e)
{
	struct sender_news news;
	enum sender_event ev;

	while (!s->is_over) {
		ev = smtp_sender_next(s->sender, &v, &news);
		if (ev == SENDER_MORE)
			break;
		if (ev == SENDER_BROKEN)
			return not_smtp(s, news.why, e);
		if (news.enhanced_is_ours)
			news.reply.enhanced[0] = '\0';
		if (on_reply(s, &news, e) != 0) {
			s->is_over = true;
			return -1;
		}
		/* 421: what is not answered by now is never */
		if (smtp_sender_is_over(s->sender) && !s->is_over) {
			if (s->m->is_unknown)
				return not_smtp(s, "it ended the connection",
				    e);
			finish(s, &news.reply);
		}
	}
	return 0;
}

enum smtp_step smtp_single_step(const struct smtp_single *s)
{
	if (s->is_over)
		return SMTP_END;
	if (smtp_sender_output(s->sender).n > 0)
		return SMTP_WRITE;
	return s->in_body ? SMTP_DATA : SMTP_READ;
}

struct view smtp_single_output(const struct smtp_single *s)
{
	return smtp_sender_output(s->sender);
}

void smtp_single_sent(struct smtp_single *s)
{
	smtp_sender_sent(s->sender);
}

void smtp_single_data_sent(struct smtp_single *s)
{
	s->in_body = false;
	smtp_sender_dot(s->sender);
	/* from now on only an answer tells */
	s->m->is_unknown = true;
}

/* ---- its life ---- */

static bool params_ok(const struct smtp_mail *m)
{
	const char *const of_mail[] = {m->ret, m->envid};

	for (size_t i = 0; i < ARRAY_LEN(of_mail); i++)
		if (of_mail[i] != NULL && !smtp_param_ok(of_mail[i]))
			return false;
	for (size_t i = 0; i < m->rcpts; i++) {
		const struct smtp_rcpt *r = &m->rcpt[i];

		if ((r->notify != NULL && !smtp_param_ok(r->notify)) ||
		    (r->orcpt != NULL && !smtp_param_ok(r->orcpt)))
			return false;
	}
	return true;
}

/* Before there is a connection: the sender says the same of each. */
static int check_mail(const struct smtp_mail *m, struct err *e)
{
	char quoted[ERR_QUOTED];

	if (!smtp_path_ok(m->from))
		return err_set(e, FAIL_INPUT, "RFC 5321 4.1.2: sender %s may "
		    "not stand in a command", err_quote(quoted,
		    sizeof(quoted), m->from, strlen(m->from)));
	for (size_t i = 0; i < m->rcpts; i++)
		if (!smtp_path_ok(m->rcpt[i].path))
			return err_set(e, FAIL_INPUT, "RFC 5321 4.1.2: "
			    "recipient %s may not stand in a command",
			    err_quote(quoted, sizeof(quoted),
			    m->rcpt[i].path, strlen(m->rcpt[i].path)));
	if (m->rcpts == 0)
		return err_set(e, FAIL_BUG, "a message for nobody");
	if (!params_ok(m))
		return err_set(e, FAIL_INPUT, "RFC 3461 4: a parameter of the "
		    "envelope may not stand in a command");
	return 0;
}

static void forget_results(struct smtp_mail *m)
{
	memset(&m->reply, 0, sizeof(m->reply));
	m->is_unknown = m->is_turned_away = m->lacks_dsn = false;
	for (size_t i = 0; i < m->rcpts; i++) {
		memset(&m->rcpt[i].reply, 0, sizeof(m->rcpt[i].reply));
		m->rcpt[i].accepted = false;
	}
}

int smtp_single_new(struct smtp_single **out, struct smtp_mail *m,
    const char *helo, bool lmtp, struct err *e)
{
	const struct smtp_sender_setup setup = {helo, lmtp, false};
	struct smtp_single *s;

	*out = NULL;
	forget_results(m);
	if (check_mail(m, e) != 0)
		return -1;
	s = calloc(1, sizeof(*s));
	if (s == NULL || smtp_sender_new(&s->sender, &setup, e) != 0) {
		free(s);
		return err_set(e, FAIL_TEMP, "SMTP: out of memory");
	}
	s->m = m;
	s->lmtp = lmtp;
	*out = s;
	return 0;
}

void smtp_single_free(struct smtp_single **sp)
{
	struct smtp_single *s = *sp;

	if (s == NULL)
		return;
	smtp_sender_free(&s->sender);
	free(s);
	*sp = NULL;
}
