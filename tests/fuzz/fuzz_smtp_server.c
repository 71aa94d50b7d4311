/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: the server's side of SMTP and LMTP, as a door and as a relay.
 * In whatever pieces the octets come, the same messages come out; what is said
 * is lines of replies; a message has CRLF line ends only; nothing is a
 * transaction before TLS and AUTH where they are a must.
 */
#include "smtp/server.h"
#include "tests/fuzz/fuzz.h"

struct result {
	struct buf said;
	struct buf now; /* the message that comes */
	struct buf got; /* those that were accepted */
	size_t answers, mails;
	unsigned mode;
	bool has_tls, has_login;
};

enum { MODE_LMTP = 1, MODE_RELAY = 2, MODE_MUST = 4, MODE_XCLIENT = 8 };

static const struct smtp_server_channel inside = { .is_tls = true,
	.mechanisms = "PLAIN LOGIN", .auth_must = true };

static void take_output(struct smtp_server *s, struct result *r)
{
	buf_putv(&r->said, smtp_server_output(s));
	smtp_server_sent(s);
}

static void check_mail(const struct smtp_server *s)
{
	const struct smtp_server_mail *m = smtp_server_mail(s);

	MUST(m->from != NULL && smtp_path_ok(m->from));
	MUST(m->rcpts > 0 && m->rcpts <= 5);
	MUST(m->ret == NULL || smtp_param_ok(m->ret));
	MUST(m->envid == NULL || smtp_param_ok(m->envid));
	for (size_t i = 0; i < m->rcpts; i++) {
		const struct smtp_server_rcpt *to = &m->rcpt[i];

		MUST(to->path != NULL && smtp_path_ok(to->path));
		MUST(to->notify == NULL || smtp_param_ok(to->notify));
		MUST(to->orcpt == NULL || smtp_param_ok(to->orcpt));
	}
}

/* Half of what a relay asks is refused. */
static void ask(struct smtp_server *s, enum smtp_event ev, struct result *r)
{
	const struct smtp_server_mail *m = smtp_server_mail(s);
	const char *path = ev == SMTP_ASK_MAIL ? m->from :
	    m->rcpt[m->rcpts - 1].path;
	int code = strlen(path) % 2 == 0 ? 250 : 550;

	MUST((r->mode & MODE_MUST) == 0 || (r->has_tls && r->has_login));
	MUST(smtp_path_ok(path));
	MUST(ev != SMTP_ASK_MAIL || m->rcpts == 0);
	if (ev == SMTP_ASK_MAIL)
		smtp_server_answer(s, code, "", "Ok");
	else
		smtp_server_answer_rcpt(s, m->rcpt[m->rcpts - 1].number, code,
		    "", "Ok");
}

static void auth(struct smtp_server *s, struct result *r)
{
	const struct smtp_server_auth *a = smtp_server_auth(s);

	MUST(r->has_tls);
	MUST(strcmp(a->mechanism, "PLAIN") == 0 ||
	    strcmp(a->mechanism, "LOGIN") == 0);
	if (a->is_first && a->mechanism[0] == 'L') {
		smtp_server_challenge(s, a->response);
		return;
	}
	r->has_login = a->response.n % 2 == 0;
	smtp_server_answer(s, r->has_login ? 235 : 535, "", "so");
}

static void relay_event(struct smtp_server *s, enum smtp_event ev,
    struct result *r)
{
	MUST((r->mode & MODE_RELAY) != 0);
	switch (ev) {
	case SMTP_ASK_MAIL:
	case SMTP_ASK_RCPT:
		ask(s, ev, r);
		break;
	case SMTP_AUTH:
		auth(s, r);
		break;
	case SMTP_STARTTLS:
		MUST(!r->has_tls);
		r->has_tls = true;
		smtp_server_secured(s, &inside);
		break;
	case SMTP_XCLIENT:
		MUST((r->mode & MODE_XCLIENT) != 0);
		r->has_login = false;
		break;
	default: /* nobody is asked without an answer */
		abort();
	}
}

/* false: it is closed */
static bool feed(struct smtp_server *s, struct view in, struct result *r)
{
	struct view chunk;
	enum smtp_event ev;

	for (;;) {
		ev = smtp_server_next(s, &in, &chunk);
		switch (ev) {
		case SMTP_MORE:
			MUST(in.n == 0);
			take_output(s, r);
			return true;
		case SMTP_FLUSH:
			take_output(s, r);
			break;
		case SMTP_BEGIN:
			check_mail(s);
			buf_clear(&r->now);
			break;
		case SMTP_CHUNK:
			MUST(chunk.n > 0);
			buf_putv(&r->now, chunk);
			break;
		case SMTP_MAIL:
			check_mail(s);
			r->mails++;
			buf_putv(&r->got, buf_view(&r->now));
			buf_puts(&r->got, "\r\n");
			MUST(smtp_server_owed(s) > 0);
			while (smtp_server_owed(s) > 0) {
				r->answers++;
				smtp_server_answer(s, 250, "2.0.0", "Ok\r\n");
			}
			break;
		case SMTP_CLOSE:
			take_output(s, r);
			return false;
		default:
			relay_event(s, ev, r);
			break;
		}
	}
}

/* Lines of "250 text", nothing else. */
static void check_said(struct view v)
{
	size_t i = 0, nl;

	while (i < v.n) {
		nl = view_chr(v, '\n', i);
		MUST(nl != (size_t)-1 && nl >= i + 5 && v.p[nl - 1] == '\r');
		MUST(v.p[i] >= '2' && v.p[i] <= '5');
		MUST(v.p[i + 3] == ' ' || v.p[i + 3] == '-');
		for (; i < nl - 1; i++)
			MUST(v.p[i] >= ' ' && v.p[i] <= '~');
		i = nl + 1;
	}
}

/* A message that was accepted has no CR and LF but as CRLF. */
static void check_got(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '\n')
			MUST(i > 0 && v.p[i - 1] == '\r');
		if (v.p[i] == '\r')
			MUST(i + 1 < v.n && v.p[i + 1] == '\n');
	}
}

/* Turns are apart by octets 0x1e: there a client waits. */
static void run(struct view v, unsigned mode, size_t piece, struct result *r)
{
	bool lmtp = (mode & MODE_LMTP) != 0, relay = (mode & MODE_RELAY) != 0;
	struct smtp_server_setup setup = {
		.name = "mx.example", .lmtp = lmtp,
		.require_tls = lmtp && !relay, .dsn = true, .max_size = 5000,
		.max_rcpts = 5, .xforward = true, .relay = relay,
		.starttls = relay, .starttls_must = (mode & MODE_MUST) != 0,
		.auth = relay, .qualified = (mode & MODE_MUST) != 0,
		.xclient = (mode & MODE_XCLIENT) != 0
	};
	struct smtp_server *s = NULL;
	size_t i = 0, n, stop;
	bool is_open = true;

	memset(r, 0, sizeof(*r));
	r->mode = mode;
	buf_init(&r->said, 64u << 20);
	buf_init(&r->now, 64u << 20);
	buf_init(&r->got, 64u << 20);
	MUST(smtp_server_new(&s, &setup, NULL) == 0);
	while (is_open && i < v.n) {
		stop = view_chr(v, 0x1e, i);
		if (stop == (size_t)-1)
			stop = v.n;
		for (; is_open && i < stop; i += n) {
			n = piece == 0 || piece > stop - i ? stop - i : piece;
			is_open = feed(s, view_sub(v, i, n), r);
		}
		i = stop + 1;
	}
	smtp_server_quit(s, "away");
	MUST(!feed(s, view_of(""), r));
	MUST(!r->said.failed && !r->got.failed);
	smtp_server_free(&s);
	MUST(s == NULL);
}

static void drop(struct result *r)
{
	buf_free(&r->said);
	buf_free(&r->now);
	buf_free(&r->got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct view v = view_make(data, n);
	struct result a, b;
	unsigned mode;

	if (n < 1)
		return 0;
	mode = data[0] & 15;
	v = view_sub(v, 1, n - 1);
	run(v, mode, 0, &a);
	run(v, mode, 1, &b);
	check_said(buf_view(&a.said));
	check_said(buf_view(&b.said));
	check_got(buf_view(&a.got));
	check_got(buf_view(&b.got));
	MUST(a.answers >= a.mails && b.answers >= b.mails);
	/* what was refused because it came at once is taken one by one */
	if (strstr(buf_str(&a.said), "503 5.5.0") == NULL &&
	    strstr(buf_str(&a.said), "501 5.5.0") == NULL) {
		MUST(view_eq(buf_view(&a.said), buf_view(&b.said)));
		MUST(view_eq(buf_view(&a.got), buf_view(&b.got)));
	}
	drop(&a);
	drop(&b);
	return 0;
}
