/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The conversation: greeting, EHLO or LHLO, sender and recipients in one go
 * where PIPELINING is offered (RFC 2920), then the data. What the next hop
 * does not offer and the message needs is found before anything is sent.
 */
#include "smtp/client.h"

#include <stdlib.h>
#include <string.h>

#define LINES_MAX 100 /* of one reply */

enum state {
	ST_GREETING,
	ST_HELO,
	ST_MAIL,
	ST_RCPT,
	ST_DATA,
	ST_BODY,
	ST_FINAL,
	ST_OVER
};

struct smtp_client {
	struct smtp_mail *m;
	bool lmtp;
	char *helo;
	enum state state;
	bool can_dsn, can_utf8, can_8bit, can_tls, can_pipeline;
	size_t next_rcpt;  /* whose reply comes next */
	size_t sent_rcpt;  /* so many RCPT were sent */
	size_t accepted;   /* recipients that were taken by RCPT */
	struct buf out;
	bool has_output;
	struct buf line;   /* not ended yet */
	struct smtp_reply reply; /* in the making */
	size_t lines;
};

/* ---- commands ---- */

static void command(struct smtp_client *c)
{
	buf_puts(&c->out, "\r\n");
	c->has_output = true;
}

static void put_param(struct smtp_client *c, const char *s)
{
	if (s != NULL)
		buf_printf(&c->out, " %s", s);
}

static void put_rcpt(struct smtp_client *c)
{
	const struct smtp_rcpt *r = &c->m->rcpt[c->sent_rcpt++];

	buf_printf(&c->out, "RCPT TO:%s", r->path);
	if (c->can_dsn) {
		put_param(c, r->notify);
		put_param(c, r->orcpt);
	}
	command(c);
}

static void put_envelope(struct smtp_client *c)
{
	const struct smtp_mail *m = c->m;

	buf_printf(&c->out, "MAIL FROM:%s", m->from);
	if (m->is_8bit)
		buf_puts(&c->out, " BODY=8BITMIME");
	if (m->utf8)
		buf_puts(&c->out, " SMTPUTF8");
	if (m->require_tls)
		buf_puts(&c->out, " REQUIRETLS");
	if (c->can_dsn) {
		put_param(c, m->ret);
		put_param(c, m->envid);
	}
	command(c);
	c->state = ST_MAIL;
	while (c->can_pipeline && c->sent_rcpt < m->rcpts)
		put_rcpt(c);
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

/* ---- what is offered ---- */

static void note_offer(struct smtp_client *c, struct view text)
{
	size_t n = view_chr(text, ' ', 0);
	struct view word = view_sub(text, 0, n);

	c->can_dsn = c->can_dsn || view_ieq_str(word, "DSN");
	c->can_utf8 = c->can_utf8 || view_ieq_str(word, "SMTPUTF8");
	c->can_8bit = c->can_8bit || view_ieq_str(word, "8BITMIME");
	c->can_tls = c->can_tls || view_ieq_str(word, "REQUIRETLS");
	c->can_pipeline = c->can_pipeline || view_ieq_str(word, "PIPELINING");
}

static int check_offers(struct smtp_client *c, struct err *e)
{
	const struct smtp_mail *m = c->m;
	const char *lack = NULL;

	if (m->utf8 && !c->can_utf8)
		lack = "SMTPUTF8 (RFC 6531)";
	else if (m->require_tls && !c->can_tls)
		lack = "REQUIRETLS (RFC 8689)";
	else if (m->is_8bit && !c->can_8bit)
		lack = "8BITMIME (RFC 6152)";
	if (lack == NULL)
		return 0;
	c->state = ST_OVER;
	return err_set(e, FAIL_INPUT, "the next hop does not offer %s, which "
	    "the message needs", lack);
}

/* ---- replies ---- */

static bool is_good(const struct smtp_reply *r)
{
	return r->code >= 200 && r->code < 300;
}

static void finish(struct smtp_client *c, const struct smtp_reply *r)
{
	c->m->reply = *r;
	c->state = ST_OVER;
}

/* It would take no mail at all (RFC 5321 3.1). */
static int turned_away(struct smtp_client *c, const struct smtp_reply *r)
{
	c->m->is_turned_away = true;
	finish(c, r);
	return 0;
}

static int on_helo(struct smtp_client *c, const struct smtp_reply *r,
    struct err *e)
{
	if (!is_good(r))
		return turned_away(c, r);
	if (check_offers(c, e) != 0)
		return -1;
	c->m->lacks_dsn = !c->can_dsn && wants_dsn(c->m);
	put_envelope(c);
	return 0;
}

/* All have been asked for: over SMTP all or none. */
static void after_rcpts(struct smtp_client *c)
{
	struct smtp_mail *m = c->m;

	if (c->accepted == m->rcpts || (c->lmtp && c->accepted > 0)) {
		buf_puts(&c->out, "DATA");
		command(c);
		c->state = ST_DATA;
		return;
	}
	for (size_t i = 0; i < m->rcpts; i++) {
		if (is_good(&m->rcpt[i].reply))
			continue;
		finish(c, &m->rcpt[i].reply);
		return;
	}
}

static void on_rcpt(struct smtp_client *c, const struct smtp_reply *r)
{
	c->m->rcpt[c->next_rcpt++].reply = *r;
	c->accepted += is_good(r);
	if (c->next_rcpt == c->m->rcpts)
		after_rcpts(c);
	else if (c->sent_rcpt == c->next_rcpt)
		put_rcpt(c);
}

static void on_mail(struct smtp_client *c, const struct smtp_reply *r)
{
	if (!is_good(r)) {
		finish(c, r);
		return;
	}
	c->state = ST_RCPT;
	if (c->sent_rcpt == 0)
		put_rcpt(c);
}

static void on_data(struct smtp_client *c, const struct smtp_reply *r)
{
	if (r->code == 354)
		c->state = ST_BODY;
	else
		finish(c, r);
}

/* The next one that RCPT had taken. */
static struct smtp_rcpt *next_accepted(struct smtp_client *c)
{
	while (c->next_rcpt < c->m->rcpts) {
		struct smtp_rcpt *r = &c->m->rcpt[c->next_rcpt++];

		if (is_good(&r->reply))
			return r;
	}
	return NULL;
}

/* One reply for all (SMTP), or one for each that was taken (RFC 2033 4.2). */
static void on_final(struct smtp_client *c, const struct smtp_reply *r)
{
	struct smtp_rcpt *to;

	if (!c->lmtp) {
		while ((to = next_accepted(c)) != NULL) {
			to->reply = *r;
			to->accepted = is_good(r);
		}
		c->m->is_unknown = false;
		finish(c, r);
		return;
	}
	to = next_accepted(c);
	if (to != NULL) {
		to->reply = *r;
		to->accepted = is_good(r);
		c->accepted--;
	}
	if (c->accepted == 0) {
		c->m->is_unknown = false;
		finish(c, r);
	}
}

static int on_reply(struct smtp_client *c, const struct smtp_reply *r,
    struct err *e)
{
	switch (c->state) {
	case ST_GREETING:
		if (r->code != 220)
			return turned_away(c, r);
		buf_printf(&c->out, "%s %s", c->lmtp ? "LHLO" : "EHLO",
		    c->helo);
		command(c);
		c->state = ST_HELO;
		return 0;
	case ST_HELO:
		return on_helo(c, r, e);
	case ST_MAIL:
		on_mail(c, r);
		return 0;
	case ST_RCPT:
		on_rcpt(c, r);
		return 0;
	case ST_DATA:
		on_data(c, r);
		return 0;
	case ST_FINAL:
		on_final(c, r);
		return 0;
	case ST_BODY: /* it gives up in the middle of the message */
		finish(c, r);
		return 0;
	case ST_OVER:
		break;
	}
	return 0;
}

/* ---- lines ---- */

static int nonsense(struct smtp_client *c, const char *what, struct err *e)
{
	c->state = ST_OVER;
	return err_set(e, FAIL_TEMP, "RFC 5321 4.2: the next hop's reply %s",
	    what);
}

/* "5.7.1 " at the start of the text: RFC 2034 4. */
static struct view take_enhanced(struct smtp_reply *r, struct view text)
{
	static const char digits[] = "0123456789.";
	size_t n = view_chr(text, ' ', 0), dots = 0;

	if (n == (size_t)-1 || n < 5 || n >= sizeof(r->enhanced) ||
	    text.p[0] != '0' + r->code / 100 || text.p[1] != '.')
		return text;
	for (size_t i = 0; i < n; i++) {
		if (strchr(digits, text.p[i]) == NULL || text.p[i] == '\0')
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

static int on_line(struct smtp_client *c, struct view l, struct err *e)
{
	struct smtp_reply *r = &c->reply, whole;
	int code;

	if (!is_code(l))
		return nonsense(c, "has no code", e);
	code = (l.p[0] - '0') * 100 + (l.p[1] - '0') * 10 + (l.p[2] - '0');
	if (c->lines > 0 && code != r->code)
		return nonsense(c, "has two codes", e);
	if (++c->lines > LINES_MAX)
		return nonsense(c, "has too many lines", e);
	r->code = code;
	if (c->state == ST_HELO && c->lines > 1)
		note_offer(c, view_sub(l, 4, l.n));
	add_text(r, take_enhanced(r, view_sub(l, 4, l.n)));
	if (l.n > 3 && l.p[3] == '-')
		return 0;
	whole = *r;
	memset(r, 0, sizeof(*r));
	c->lines = 0;
	return on_reply(c, &whole, e);
}

int smtp_client_input(struct smtp_client *c, struct view v, struct err *e)
{
	for (size_t i = 0; i < v.n && c->state != ST_OVER; i++) {
		int rc;

		if (v.p[i] != '\n') {
			buf_putc(&c->line, v.p[i]);
			if (c->line.failed)
				return nonsense(c, "has a line that is too "
				    "long", e);
			continue;
		}
		rc = on_line(c, view_trim(buf_view(&c->line)), e);
		buf_clear(&c->line);
		if (rc != 0)
			return -1;
	}
	if (c->state != ST_OVER && buf_ok(&c->out, e) != 0) {
		c->state = ST_OVER;
		return -1;
	}
	return 0;
}

/* ---- the outside ---- */

enum smtp_step smtp_client_step(const struct smtp_client *c)
{
	if (c->state == ST_OVER)
		return SMTP_END;
	if (c->has_output)
		return SMTP_WRITE;
	return c->state == ST_BODY ? SMTP_DATA : SMTP_READ;
}

struct view smtp_client_output(const struct smtp_client *c)
{
	return buf_view(&c->out);
}

void smtp_client_sent(struct smtp_client *c)
{
	buf_clear(&c->out);
	c->has_output = false;
}

void smtp_client_data_sent(struct smtp_client *c)
{
	buf_puts(&c->out, ".");
	command(c);
	c->state = ST_FINAL;
	c->next_rcpt = 0;
	/* from now on only an answer tells */
	c->m->is_unknown = true;
}

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

int smtp_client_new(struct smtp_client **out, struct smtp_mail *m,
    const char *helo, bool lmtp, struct err *e)
{
	struct smtp_client *c;

	*out = NULL;
	memset(&m->reply, 0, sizeof(m->reply));
	m->is_unknown = m->is_turned_away = m->lacks_dsn = false;
	for (size_t i = 0; i < m->rcpts; i++) {
		memset(&m->rcpt[i].reply, 0, sizeof(m->rcpt[i].reply));
		m->rcpt[i].accepted = false;
	}
	if (check_mail(m, e) != 0)
		return -1;
	c = calloc(1, sizeof(*c));
	if (c == NULL || (c->helo = strdup(helo)) == NULL) {
		free(c);
		return err_set(e, FAIL_TEMP, "SMTP: out of memory");
	}
	c->m = m;
	c->lmtp = lmtp;
	/* a path and its parameters, for each recipient */
	buf_init(&c->out, (m->rcpts + 2) * 4096);
	buf_init(&c->line, SMTP_LINE);
	*out = c;
	return 0;
}

void smtp_client_free(struct smtp_client **cp)
{
	struct smtp_client *c = *cp;

	if (c == NULL)
		return;
	buf_free(&c->out);
	buf_free(&c->line);
	free(c->helo);
	free(c);
	*cp = NULL;
}
