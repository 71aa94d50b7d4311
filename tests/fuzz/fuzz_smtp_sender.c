/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: the client's side of SMTP and LMTP. In whatever pieces the
 * octets of a next hop come, the same is said to it; what is said is lines of
 * ours; where TLS is a must nothing but EHLO, STARTTLS and QUIT is said
 * before it; DATA only for somebody who was taken.
 */
#include "smtp/sender.h"
#include "tests/fuzz/fuzz.h"

enum { MODE_LMTP = 1, MODE_TLS = 2, MODE_XCLIENT = 4, MODE_HELO = 8 };

/* Whoever uses the engine, as simple as can be. */
struct user {
	struct smtp_sender *s;
	unsigned mode;
	bool in_tls, waits_for_tls, has_xclient, is_broken;
	int asked, taken, owed, mails;
	struct buf said, news;
};

static void take_output(struct user *u)
{
	buf_putv(&u->said, smtp_sender_output(u->s));
	smtp_sender_sent(u->s);
}

static void next_mail(struct user *u)
{
	const struct smtp_sender_mail m = {.from = "<a@a.example>",
	    .size = 1000, .ret = "RET=HDRS", .auth = "<>"};
	struct smtp_sender_rcpt r = {.path = "<b@b.example>",
	    .notify = "NOTIFY=NEVER"};

	if (u->mails++ == 3) {
		smtp_sender_quit(u->s);
		return;
	}
	u->taken = 0;
	u->asked = 3;
	MUST(smtp_sender_mail(u->s, &m, NULL) == 0);
	for (; r.number < 3; r.number++)
		MUST(smtp_sender_rcpt(u->s, &r, NULL) == 0);
}

static void after_helo(struct user *u)
{
	static const struct smtp_sender_client c = {"192.0.2.1", "c x", "h",
	    NULL};
	const struct smtp_offers *o = smtp_sender_offers(u->s);

	if ((u->mode & MODE_TLS) != 0 && !u->in_tls) {
		if (o->starttls)
			smtp_sender_starttls(u->s);
		else
			smtp_sender_quit(u->s);
	} else if ((u->mode & MODE_XCLIENT) != 0 && !u->has_xclient &&
	    o->x_addr) {
		u->has_xclient = true;
		smtp_sender_xclient(u->s, &c);
	} else {
		next_mail(u);
	}
}

static void after_data(struct user *u, int code)
{
	if (code != 354) {
		smtp_sender_quit(u->s);
		return;
	}
	buf_puts(&u->said, "(data)\r\n");
	u->owed = (u->mode & MODE_LMTP) != 0 ? u->taken : 1;
	smtp_sender_dot(u->s);
}

static void on_reply(struct user *u, const struct sender_news *n)
{
	bool is_good = n->reply.code / 100 == 2;

	switch (n->to) {
	case SENDER_HELO:
		if (is_good)
			after_helo(u);
		break;
	case SENDER_STARTTLS:
		if (n->reply.code == 220)
			u->waits_for_tls = true;
		else
			smtp_sender_quit(u->s);
		break;
	case SENDER_MAIL:
		if (!is_good)
			smtp_sender_quit(u->s);
		break;
	case SENDER_RCPT:
		MUST(n->rcpt < 3);
		u->taken += is_good;
		if (--u->asked == 0 && u->taken > 0)
			smtp_sender_data(u->s);
		break;
	case SENDER_DATA:
		after_data(u, n->reply.code);
		break;
	case SENDER_END:
		MUST(u->owed > 0);
		if (--u->owed == 0)
			next_mail(u);
		break;
	default:
		break;
	}
}

static void check_news(const struct sender_news *n)
{
	const struct smtp_reply *r = &n->reply;

	MUST(r->code >= 200 && r->code <= 599);
	MUST(r->enhanced[0] == r->code / 100 + '0' || r->code / 100 == 3);
	MUST(strlen(r->enhanced) >= 5 && r->enhanced[1] == '.');
	for (const char *p = r->text; *p != '\0'; p++)
		MUST(*p >= ' ' && *p <= '~');
}

/* false: it is over */
static bool feed(struct user *u, struct view in)
{
	struct sender_news news;
	enum sender_event ev;

	/* what stands behind a 220 came before TLS */
	if (u->waits_for_tls && in.n > 0)
		u->is_broken = true;
	while (!u->is_broken) {
		ev = smtp_sender_next(u->s, &in, &news);
		if (ev == SENDER_MORE)
			break;
		if (ev == SENDER_BROKEN) {
			MUST(news.why[0] != '\0');
			u->is_broken = true;
			break;
		}
		check_news(&news);
		buf_printf(&u->news, "%d %d %zu %s\n", (int)news.to,
		    news.reply.code, news.rcpt, news.reply.text);
		if (!smtp_sender_is_over(u->s))
			on_reply(u, &news);
		take_output(u);
	}
	return !u->is_broken && !smtp_sender_is_over(u->s);
}

static void end_turn(struct user *u)
{
	if (!u->waits_for_tls || u->is_broken)
		return;
	u->waits_for_tls = false;
	u->in_tls = true;
	buf_puts(&u->said, "(tls)\r\n");
	smtp_sender_in_tls(u->s);
	take_output(u);
}

/* Turns are apart by octets 0x1e: there the next hop waits. */
static void run(struct view v, unsigned mode, size_t piece, struct user *u)
{
	const struct smtp_sender_setup setup = {"me.example",
	    (mode & MODE_LMTP) != 0, (mode & MODE_HELO) != 0};
	size_t i = 0, n, stop;
	bool is_open = true;

	memset(u, 0, sizeof(*u));
	u->mode = mode;
	buf_init(&u->said, 64u << 20);
	buf_init(&u->news, 64u << 20);
	MUST(smtp_sender_new(&u->s, &setup, NULL) == 0);
	while (is_open && i < v.n) {
		stop = view_chr(v, 0x1e, i);
		if (stop == (size_t)-1)
			stop = v.n;
		for (; is_open && i < stop; i += n) {
			n = piece == 0 || piece > stop - i ? stop - i : piece;
			is_open = feed(u, view_sub(v, i, n));
		}
		if (is_open)
			end_turn(u);
		i = stop + 1;
	}
	smtp_sender_free(&u->s);
	MUST(u->s == NULL);
}

static bool is_allowed(struct view line, bool is_clear)
{
	static const char *const early[] = {"EHLO ", "LHLO ", "HELO ",
	    "STARTTLS", "QUIT", "(tls)"};
	static const char *const verbs[] = {"MAIL FROM:<", "RCPT TO:<",
	    "DATA", "(data)", ".", "RSET", "XCLIENT "};

	for (size_t i = 0; i < ARRAY_LEN(early); i++)
		if (view_istarts(line, early[i]))
			return true;
	for (size_t i = 0; !is_clear && i < ARRAY_LEN(verbs); i++)
		if (view_istarts(line, verbs[i]))
			return true;
	return false;
}

static void check_said(const struct user *u)
{
	struct view v = buf_view(&u->said), line;
	bool is_clear = (u->mode & MODE_TLS) != 0;
	size_t i = 0, nl;

	for (; i < v.n; i = nl + 1) {
		nl = view_chr(v, '\n', i);
		MUST(nl != (size_t)-1 && nl > i && v.p[nl - 1] == '\r');
		line = view_sub(v, i, nl - 1 - i);
		for (size_t k = 0; k < line.n; k++)
			MUST(line.p[k] >= ' ' && line.p[k] <= '~');
		is_clear = is_clear && !view_ieq_str(line, "(tls)");
		MUST(is_allowed(line, is_clear));
	}
}

static void drop(struct user *u)
{
	buf_free(&u->said);
	buf_free(&u->news);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const size_t piece[] = {1, 2, 7, 100};
	struct user whole, cut;
	struct view v;
	unsigned mode;

	if (n == 0)
		return 0;
	mode = data[0] & 15;
	v = view_make(data + 1, n - 1);
	run(v, mode, 0, &whole);
	check_said(&whole);
	for (size_t i = 0; i < ARRAY_LEN(piece); i++) {
		run(v, mode, piece[i], &cut);
		MUST(whole.is_broken == cut.is_broken);
		MUST(view_eq(buf_view(&whole.said), buf_view(&cut.said)));
		drop(&cut);
	}
	drop(&whole);
	return 0;
}

bool fuzz_seed(size_t i, struct buf *out)
{
	static const char hi[] = "220 next\r\n\x1e" "250-next\r\n"
	    "250-PIPELINING\r\n250-SIZE 1000\r\n250-DSN\r\n250-STARTTLS\r\n"
	    "250-AUTH PLAIN\r\n250-LIMITS MAILMAX=2\r\n"
	    "250 XCLIENT ADDR NAME HELO LOGIN\r\n\x1e";
	static const char mail[] = "250 2.1.0 a\r\n250 b\r\n550-5.1.1 no\r\n"
	    "550 5.1.1 such\r\n250 c\r\n\x1e" "354 go\r\n\x1e"
	    "250 2.0.0 x\r\n452 4.2.2 y\r\n\x1e";

	if (i >= 16)
		return false;
	buf_putc(out, (int)i);
	buf_puts(out, hi);
	if ((i & MODE_TLS) != 0) {
		buf_puts(out, "220 go\r\n\x1e");
		buf_puts(out, strchr(hi, '\x1e') + 1);
	}
	if ((i & MODE_XCLIENT) != 0) {
		buf_puts(out, "220 again\r\n\x1e");
		buf_puts(out, strchr(hi, '\x1e') + 1);
	}
	for (int k = 0; k < 3; k++)
		buf_puts(out, mail);
	buf_puts(out, "221 bye\r\n");
	return true;
}
