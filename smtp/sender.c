/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Replies: lines, codes, texts (RFC 5321 4.2), and which command each one
 * answers. Whoever is at the other end may write anything: everything has a
 * limit, and what is not a reply ends the connection.
 */
#include "smtp/sender_int.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX (8u << 20) /* octets of commands that wait */

int smtp_sender_new(struct smtp_sender **out,
    const struct smtp_sender_setup *setup, struct err *e)
{
	struct smtp_sender *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (s == NULL)
		return err_set(e, FAIL_TEMP, "SMTP: out of memory");
	s->lmtp = setup->lmtp;
	s->may_helo = setup->may_helo && !setup->lmtp;
	text_set(s->helo, sizeof(s->helo), setup->helo);
	buf_init(&s->queue, QUEUE_MAX);
	buf_init(&s->out, QUEUE_MAX);
	buf_init(&s->line, SMTP_LINE);
	/* the greeting is a reply to nothing that we say */
	sender_queued(s, SENDER_GREETING, (size_t)-1, 0);
	if (s->no_memory) {
		smtp_sender_free(&s);
		return err_set(e, FAIL_TEMP, "SMTP: out of memory");
	}
	*out = s;
	return 0;
}

void smtp_sender_free(struct smtp_sender **sp)
{
	struct smtp_sender *s = *sp;

	if (s == NULL)
		return;
	buf_free(&s->queue);
	buf_free(&s->out);
	buf_free(&s->line);
	free(s->command);
	free(s->taken);
	free(s);
	*sp = NULL;
}

struct view smtp_sender_output(const struct smtp_sender *s)
{
	return buf_view(&s->out);
}

void smtp_sender_sent(struct smtp_sender *s)
{
	buf_clear(&s->out);
}

const struct smtp_offers *smtp_sender_offers(const struct smtp_sender *s)
{
	return &s->offers;
}

bool smtp_sender_is_idle(const struct smtp_sender *s)
{
	return !s->is_over && s->commands == 0 && !s->in_body &&
	    s->line.n == 0 && s->lines == 0 && s->out.n == 0;
}

bool smtp_sender_is_over(const struct smtp_sender *s)
{
	return s->is_over;
}

static void say_ehlo(struct smtp_sender *s)
{
	memset(&s->offers, 0, sizeof(s->offers));
	s->tried_helo = false;
	sender_say_helo(s, s->lmtp ? "LHLO" : "EHLO");
}

void smtp_sender_in_tls(struct smtp_sender *s)
{
	say_ehlo(s);
}

void sender_take(struct smtp_sender *s, size_t rcpt)
{
	if (s->takens == s->taken_room) {
		size_t room = s->taken_room == 0 ? 8 : 2 * s->taken_room;
		size_t *p = realloc(s->taken, room * sizeof(*p));

		if (p == NULL) {
			s->no_memory = true;
			return;
		}
		s->taken = p;
		s->taken_room = room;
	}
	s->taken[s->takens++] = rcpt;
}

/* ---- what is offered ---- */

static uint64_t number_of(struct view v)
{
	uint64_t n = 0;

	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9' || i == 18)
			return 0;
		n = n * 10 + (unsigned)(v.p[i] - '0');
	}
	return n;
}

static bool next_word(struct view *v, struct view *word)
{
	size_t n;

	*v = view_trim(*v);
	if (v->n == 0)
		return false;
	n = view_chr(*v, ' ', 0);
	if (n == (size_t)-1)
		n = v->n;
	*word = view_sub(*v, 0, n);
	*v = view_sub(*v, n, v->n);
	return true;
}

/* "MAILMAX=20" of LIMITS (RFC 9422). */
static void learn_limit(struct smtp_offers *o, struct view word)
{
	size_t eq = view_chr(word, '=', 0);
	struct view name = view_sub(word, 0, eq);
	uint64_t n;

	if (eq == (size_t)-1)
		return;
	n = number_of(view_sub(word, eq + 1, word.n));
	if (n > 1000000)
		n = 1000000;
	if (view_ieq_str(name, "MAILMAX"))
		o->mail_max = (unsigned)n;
	else if (view_ieq_str(name, "RCPTMAX"))
		o->rcpt_max = (unsigned)n;
	else if (view_ieq_str(name, "RCPTDOMAINMAX"))
		o->domain_max = (unsigned)n;
}

static void learn_xclient(struct smtp_offers *o, struct view word)
{
	o->x_name = o->x_name || view_ieq_str(word, "NAME");
	o->x_addr = o->x_addr || view_ieq_str(word, "ADDR");
	o->x_helo = o->x_helo || view_ieq_str(word, "HELO");
	o->x_login = o->x_login || view_ieq_str(word, "LOGIN");
}

static void learn_words(struct smtp_offers *o, struct view rest)
{
	struct view word;

	while (next_word(&rest, &word)) {
		if (o->xclient)
			learn_xclient(o, word);
		else
			learn_limit(o, word);
	}
}

void sender_learn(struct smtp_offers *o, struct view line)
{
	const struct {
		const char *name;
		bool *is_offered;
	} known[] = {{"PIPELINING", &o->pipelining}, {"8BITMIME", &o->mime8},
	    {"SMTPUTF8", &o->utf8}, {"DSN", &o->dsn}, {"AUTH", &o->auth},
	    {"STARTTLS", &o->starttls}, {"REQUIRETLS", &o->require_tls},
	    {"SIZE", &o->size}, {"ENHANCEDSTATUSCODES", &o->enhanced}};
	struct smtp_offers words = {0};
	struct view word;

	/* a blank in front is no word at the start of the line */
	if (line.n == 0 || line.p[0] == ' ' || line.p[0] == '\t' ||
	    !next_word(&line, &word))
		return;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (view_ieq_str(word, known[i].name))
			*known[i].is_offered = true;
	if (view_ieq_str(word, "SIZE"))
		o->size_max = number_of(view_trim(line));
	if (view_ieq_str(word, "LIMITS")) {
		learn_words(&words, line);
		o->mail_max = words.mail_max;
		o->rcpt_max = words.rcpt_max;
		o->domain_max = words.domain_max;
	}
	if (view_ieq_str(word, "XCLIENT")) {
		o->xclient = true;
		learn_words(o, line);
	}
}

/* ---- one reply ---- */

static enum sender_event broken(struct smtp_sender *s,
    struct sender_news *news, const char *why)
{
	s->is_over = true;
	text_set(news->why, sizeof(news->why), why);
	return SENDER_BROKEN;
}

/* "5.7.1 " at the start of the text: RFC 2034 4. */
static struct view take_enhanced(struct smtp_reply *r, struct view text)
{
	size_t n = view_chr(text, ' ', 0), dots = 0;

	if (n == (size_t)-1)
		n = text.n;
	if (n < 5 || n >= sizeof(r->enhanced) ||
	    text.p[0] != '0' + r->code / 100 || text.p[1] != '.' ||
	    text.p[n - 1] == '.')
		return text;
	for (size_t i = 0; i < n; i++) {
		if (text.p[i] != '.' && (text.p[i] < '0' || text.p[i] > '9'))
			return text;
		dots += text.p[i] == '.';
	}
	if (dots != 2)
		return text;
	if (view_cstr(view_sub(text, 0, n), r->enhanced,
	    sizeof(r->enhanced)) != 0)
		r->enhanced[0] = '\0';
	return view_sub(text, n + 1, text.n);
}

/* Printable ASCII: it goes to logs and to other people's replies. */
static void add_text(struct smtp_reply *r, struct view text)
{
	size_t at = strlen(r->text);

	if (at > 0 && at + 1 < sizeof(r->text))
		r->text[at++] = ' ';
	for (size_t i = 0; i < text.n && at + 1 < sizeof(r->text); i++) {
		unsigned char c = text.p[i];

		r->text[at++] = c >= ' ' && c <= '~' ? (char)c : '?';
	}
	r->text[at] = '\0';
}

static bool is_code(struct view l)
{
	for (size_t i = 0; i < 3; i++)
		if (i >= l.n || l.p[i] < '0' || l.p[i] > '9')
			return false;
	return l.p[0] >= '2' && l.p[0] <= '5' &&
	    (l.n == 3 || l.p[3] == ' ' || l.p[3] == '-');
}

/* What a server that gives no enhanced codes would have said. */
static void synthesise(struct sender_news *news, enum sender_to to)
{
	struct smtp_reply *r = &news->reply;
	char *p = r->enhanced;

	if (p[0] != '\0')
		return;
	news->enhanced_is_ours = true;
	text_set(p, sizeof(r->enhanced), "2.0.0");
	if (r->code / 100 == 2 && to == SENDER_MAIL)
		p[2] = '1';
	else if (r->code / 100 == 2 && to == SENDER_RCPT)
		text_set(p, sizeof(r->enhanced), "2.1.5");
	else if (r->code / 100 != 3)
		p[0] = (char)('0' + r->code / 100);
}

/* What nobody asked for: only that it ends makes sense. */
static enum sender_event on_unasked(struct smtp_sender *s,
    struct sender_news *news)
{
	s->is_over = true;
	news->to = s->in_body ? SENDER_BODY : SENDER_NOTHING;
	if (news->reply.code >= 400 || s->in_body)
		return SENDER_REPLY;
	return broken(s, news, "RFC 5321 4.2: a reply without a command");
}

static void on_helo(struct smtp_sender *s, struct sender_news *news,
    bool *is_ours)
{
	*is_ours = false;
	if (news->reply.code / 100 == 2) {
		s->offers = s->learnt;
		s->offers.esmtp = !s->tried_helo;
		if (s->tried_helo)
			memset(&s->offers, 0, sizeof(s->offers));
	} else if (news->reply.code >= 500 && s->may_helo && !s->tried_helo) {
		s->tried_helo = true;
		*is_ours = true;
		sender_say_helo(s, "HELO");
	}
}

/* The commands behind a MAIL that was refused make no sense any more. */
static void drop_unsent(struct smtp_sender *s)
{
	s->commands = s->sent;
	buf_clear(&s->queue);
}

static enum sender_event after_tls_go(struct smtp_sender *s,
    const struct view *in, size_t lines, struct sender_news *news)
{
	if (lines > 1)
		return broken(s, news, "RFC 3207 4: 220 to STARTTLS has "
		    "several lines");
	if (in->n > 0)
		return broken(s, news, "RFC 3207 6: octets behind the reply "
		    "to STARTTLS, before TLS");
	return SENDER_REPLY;
}

/* Whole: which command is it for? is_ours: nobody needs to know. */
static enum sender_event on_reply(struct smtp_sender *s,
    const struct view *in, size_t lines, struct sender_news *news,
    bool *is_ours)
{
	struct smtp_reply *r = &news->reply;
	enum sender_event ev = SENDER_REPLY;
	struct sender_command c;

	*is_ours = false;
	if (s->sent == 0) {
		synthesise(news, SENDER_NOTHING);
		return on_unasked(s, news);
	}
	c = s->command[0];
	s->sent--;
	s->commands--;
	memmove(s->command, s->command + 1, s->commands * sizeof(c));
	news->to = c.to;
	news->rcpt = c.rcpt;
	synthesise(news, c.to);
	if (r->code == 421) {
		s->is_over = true;
		return SENDER_REPLY;
	}
	if (c.to == SENDER_HELO)
		on_helo(s, news, is_ours);
	else if ((c.to == SENDER_GREETING && r->code == 220) ||
	    (c.to == SENDER_XCLIENT && r->code / 100 == 2))
		say_ehlo(s);
	else if (c.to == SENDER_STARTTLS && r->code == 220)
		ev = after_tls_go(s, in, lines, news);
	else if (c.to == SENDER_MAIL && r->code / 100 != 2)
		drop_unsent(s);
	else if (c.to == SENDER_RCPT && r->code / 100 == 2)
		sender_take(s, c.rcpt);
	else if (c.to == SENDER_DATA && r->code == 354)
		s->in_body = true;
	sender_release(s);
	return ev;
}

/* ---- lines ---- */

static const char *add_line(struct smtp_sender *s, struct view l,
    bool *is_last)
{
	struct smtp_reply *r = &s->reply;
	int code;

	if (l.n == 0 || l.p[l.n - 1] != '\r')
		return "RFC 5321 2.3.8: a line of a reply ends without CRLF";
	l.n--;
	if (!is_code(l))
		return "RFC 5321 4.2: a line of a reply has no code";
	code = (l.p[0] - '0') * 100 + (l.p[1] - '0') * 10 + (l.p[2] - '0');
	if (s->lines > 0 && code != r->code)
		return "RFC 5321 4.2.1: a reply has two codes";
	if (++s->lines > SENDER_LINES)
		return "a reply has too many lines";
	r->code = code;
	if (s->lines == 1)
		memset(&s->learnt, 0, sizeof(s->learnt));
	else
		sender_learn(&s->learnt, view_sub(l, 4, l.n));
	add_text(r, take_enhanced(r, view_sub(l, 4, l.n)));
	*is_last = l.n == 3 || l.p[3] == ' ';
	return NULL;
}

/* Octets of *in up to a line's end; false: it has not come yet. */
static bool take_line(struct smtp_sender *s, struct view *in)
{
	size_t n = view_chr(*in, '\n', 0);

	if (n == (size_t)-1) {
		buf_putv(&s->line, *in);
		*in = view_sub(*in, in->n, 0);
		return false;
	}
	buf_putv(&s->line, view_sub(*in, 0, n));
	*in = view_sub(*in, n + 1, in->n);
	return true;
}

static enum sender_event on_line(struct smtp_sender *s, struct view *in,
    struct sender_news *news, bool *is_ours)
{
	bool is_last = false;
	const char *why = add_line(s, buf_view(&s->line), &is_last);
	size_t lines = s->lines;

	*is_ours = true;
	buf_clear(&s->line);
	if (why != NULL)
		return broken(s, news, why);
	if (!is_last)
		return SENDER_MORE;
	news->reply = s->reply;
	memset(&s->reply, 0, sizeof(s->reply));
	s->lines = 0;
	return on_reply(s, in, lines, news, is_ours);
}

enum sender_event smtp_sender_next(struct smtp_sender *s, struct view *in,
    struct sender_news *news)
{
	enum sender_event ev;
	bool is_ours;

	memset(news, 0, sizeof(*news));
	news->rcpt = (size_t)-1;
	while (!s->is_over) {
		bool is_whole = take_line(s, in);

		if (s->line.failed)
			return broken(s, news, "RFC 5321 4.5.3.1.5: a line of "
			    "a reply is too long");
		if (!is_whole)
			break;
		ev = on_line(s, in, news, &is_ours);
		if (s->no_memory)
			return broken(s, news, "out of memory");
		if (ev == SENDER_BROKEN || (ev == SENDER_REPLY && !is_ours))
			return ev;
	}
	return s->no_memory && !s->is_over ? broken(s, news,
	    "out of memory") : SENDER_MORE;
}
