/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of relay/tunnel_gate.c, tunnel_pop3.c, tunnel_imap.c, tunnel_smtp.c:
 * conversations with a daemon that answers at once, each in one piece, octet
 * by octet, and cut in two at every place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/tunnel_gate.h"

#define ANSWERS 8

struct talk {
	const char *name;
	enum relay_protocol p;
	enum listen_tls tls;
	const char *answer[ANSWERS]; /* the greeting first */
	const char *client;	     /* all that it says */
	const char *to_client;	     /* all that it hears */
	const char *to_server;
	enum gate_step last; /* GATE_MORE: it waits */
	const char *left;    /* octets that were not used */
};

static const struct talk talks[] = {
	/* ---- POP3 ---- */
	{ "POP3 CAPA gets STLS, logins are hidden", RELAY_POP3,
	    LISTEN_STARTTLS_MUST,
	    { "+OK <1.2@h> hi\r\n",
	    "+OK list\r\nUSER\r\nTOP\r\nSASL PLAIN\r\nUIDL\r\n.\r\n" },
	    "CAPA\r\n",
	    "+OK <1.2@h> hi\r\n+OK list\r\nTOP\r\nUIDL\r\nSTLS\r\n.\r\n",
	    "CAPA\r\n", GATE_MORE, "" },
	{ "POP3 an old daemon has no CAPA", RELAY_POP3, LISTEN_STARTTLS_MUST,
	    { "+OK hi\r\n", "-ERR what\r\n" }, "capa\r\n",
	    "+OK hi\r\n+OK\r\nSTLS\r\n.\r\n", "capa\r\n", GATE_MORE, "" },
	{ "POP3 STLS of the daemon is ours", RELAY_POP3, LISTEN_STARTTLS,
	    { "+OK hi\r\n", "+OK\r\nSTLS\r\nUSER\r\n.\r\n" }, "CAPA\r\n",
	    "+OK hi\r\n+OK\r\nUSER\r\nSTLS\r\n.\r\n", "CAPA\r\n", GATE_MORE,
	    "" },
	{ "POP3 STLS begins TLS", RELAY_POP3, LISTEN_STARTTLS_MUST,
	    { "+OK hi\r\n" }, "STLS\r\n", "+OK hi\r\n+OK begin TLS\r\n", "",
	    GATE_TLS, "" },
	{ "POP3 stls with blanks", RELAY_POP3, LISTEN_STARTTLS,
	    { "+OK hi\r\n" }, "stls \r\n", "+OK hi\r\n+OK begin TLS\r\n", "",
	    GATE_TLS, "" },
	{ "POP3 STLS has no argument", RELAY_POP3, LISTEN_STARTTLS_MUST,
	    { "+OK hi\r\n" }, "STLS now\r\n",
	    "+OK hi\r\n-ERR no arguments\r\n", "", GATE_MORE, "" },
	{ "POP3 in clear if it may", RELAY_POP3, LISTEN_STARTTLS,
	    { "+OK hi\r\n" }, "USER alice\r\nPASS x\r\n", "+OK hi\r\n", "",
	    GATE_OPEN, "USER alice\r\nPASS x\r\n" },
	{ "POP3 ours before TLS", RELAY_POP3, LISTEN_STARTTLS_MUST,
	    { "+OK hi\r\n" }, "NOOP\r\nQUIT\r\nUSER alice\r\n",
	    "+OK hi\r\n+OK\r\n+OK bye\r\n", "", GATE_CLOSE,
	    "USER alice\r\n" },
	{ "POP3 with TLS no STLS is offered", RELAY_POP3, LISTEN_IMPLICIT,
	    { "+OK hi\r\n", "+OK\r\nSTLS\r\nUSER\r\n.\r\n" },
	    "CAPA\r\nSTLS\r\nUSER alice\r\nPASS STLS\r\n",
	    "+OK hi\r\n+OK\r\nUSER\r\n.\r\n-ERR TLS is active already\r\n",
	    "CAPA\r\n", GATE_OPEN, "USER alice\r\nPASS STLS\r\n" },
	{ "POP3 with TLS a timestamp stays", RELAY_POP3, LISTEN_IMPLICIT,
	    { "+OK hi <1@h>\r\n" }, "APOP a b\r\n", "+OK hi <1@h>\r\n", "",
	    GATE_OPEN, "APOP a b\r\n" },
	{ "POP3 the daemon refuses", RELAY_POP3, LISTEN_STARTTLS,
	    { "-ERR too many\r\n" }, "", "-ERR too many\r\n", "", GATE_CLOSE,
	    "" },
	{ "POP3 no daemon of POP3", RELAY_POP3, LISTEN_IMPLICIT,
	    { "220 hi\r\n" }, "", "", "", GATE_CLOSE, "" },
	{ "POP3 nobody believes a client", RELAY_POP3, LISTEN_EXTERNAL,
	    { "+OK hi\r\n" }, "XCLIENT ADDR=192.0.2.1\r\n",
	    "+OK hi\r\n-ERR not for you\r\n", "", GATE_MORE, "" },
	/* ---- IMAP ---- */
	{ "IMAP capabilities before TLS", RELAY_IMAP, LISTEN_STARTTLS_MUST,
	    { "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN ID] hi\r\n",
	    "* CAPABILITY IMAP4rev1 SASL-IR ID auth=plain AUTH=LOGIN\r\n"
	    "a OK done\r\n" }, "a CAPABILITY\r\n",
	    "* OK [CAPABILITY IMAP4rev1 ID STARTTLS LOGINDISABLED] hi\r\n"
	    "* CAPABILITY IMAP4rev1 ID STARTTLS LOGINDISABLED\r\n"
	    "a OK done\r\n", "a CAPABILITY\r\n", GATE_MORE, "" },
	{ "IMAP capabilities where clear is allowed", RELAY_IMAP,
	    LISTEN_STARTTLS, { "* OK hi\r\n",
	    "* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\n"
	    "b OK [CAPABILITY IMAP4rev1 STARTTLS] done\r\n" },
	    "b capability\r\n",
	    "* OK hi\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN STARTTLS\r\n"
	    "b OK [CAPABILITY IMAP4rev1 STARTTLS] done\r\n",
	    "b capability\r\n", GATE_MORE, "" },
	{ "IMAP STARTTLS begins TLS", RELAY_IMAP, LISTEN_STARTTLS_MUST,
	    { "* OK hi\r\n" }, "x.1 StartTLS\r\n",
	    "* OK hi\r\nx.1 OK begin TLS\r\n", "", GATE_TLS, "" },
	{ "IMAP PREAUTH before TLS", RELAY_IMAP, LISTEN_STARTTLS,
	    { "* PREAUTH hi\r\n" }, "",
	    "* BYE the backend wants no login\r\n", "", GATE_CLOSE, "" },
	{ "IMAP PREAUTH with TLS", RELAY_IMAP, LISTEN_IMPLICIT,
	    { "* PREAUTH hi\r\n" }, "a SELECT x\r\n", "* PREAUTH hi\r\n", "",
	    GATE_OPEN, "a SELECT x\r\n" },
	{ "IMAP BYE", RELAY_IMAP, LISTEN_IMPLICIT, { "* BYE full\r\n" }, "",
	    "* BYE full\r\n", "", GATE_CLOSE, "" },
	{ "IMAP the daemon talks nonsense", RELAY_IMAP, LISTEN_IMPLICIT,
	    { "+OK hi\r\n" }, "", "", "", GATE_CLOSE, "" },
	{ "IMAP literal before TLS", RELAY_IMAP, LISTEN_STARTTLS_MUST,
	    { "* OK hi\r\n" }, "a LOGIN {5}\r\nalice x\r\n",
	    "* OK hi\r\na BAD [PRIVACYREQUIRED] TLS is required\r\n", "",
	    GATE_CLOSE, "alice x\r\n" },
	{ "IMAP literal+ before TLS", RELAY_IMAP, LISTEN_STARTTLS_MUST,
	    { "* OK hi\r\n" }, "a ID {12+}\r\na STARTTLS\r\n",
	    "* OK hi\r\na BAD [PRIVACYREQUIRED] TLS is required\r\n", "",
	    GATE_CLOSE, "a STARTTLS\r\n" },
	{ "IMAP what we can answer", RELAY_IMAP, LISTEN_STARTTLS_MUST,
	    { "* OK hi\r\n" }, "a NOOP\r\nb LOGOUT\r\n",
	    "* OK hi\r\na OK NOOP done\r\n* BYE bye\r\n"
	    "b OK LOGOUT done\r\n", "", GATE_CLOSE, "" },
	{ "IMAP no tag", RELAY_IMAP, LISTEN_STARTTLS_MUST,
	    { "* OK hi\r\n" }, "+ NOOP\r\n",
	    "* OK hi\r\n* BAD no tag\r\n", "", GATE_MORE, "" },
	{ "IMAP ID does not open where TLS may come", RELAY_IMAP,
	    LISTEN_STARTTLS,
	    { "* OK hi\r\n", "* ID {3}\r\nabc\r\na OK x\r\n" },
	    "a ID NIL\r\nb STARTTLS\r\n",
	    "* OK hi\r\n* ID {3}\r\nabc\r\na OK x\r\nb OK begin TLS\r\n",
	    "a ID NIL\r\n", GATE_TLS, "" },
	{ "IMAP ID with a literal opens", RELAY_IMAP, LISTEN_STARTTLS,
	    { "* OK hi\r\n" }, "a ID {3}\r\n", "* OK hi\r\n", "",
	    GATE_OPEN, "a ID {3}\r\n" },
	{ "IMAP with TLS no STARTTLS is offered", RELAY_IMAP,
	    LISTEN_EXTERNAL,
	    { "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] hi\r\n",
	    "* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\na OK x\r\n" },
	    "a CAPABILITY\r\nb STARTTLS\r\nc LOGIN a b\r\n",
	    "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n"
	    "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\na OK x\r\n"
	    "b BAD TLS is active already\r\n", "a CAPABILITY\r\n", GATE_OPEN,
	    "c LOGIN a b\r\n" },
	/* ---- SMTP ---- */
	{ "SMTP EHLO gets STARTTLS, loses AUTH", RELAY_SMTP_TUNNEL,
	    LISTEN_STARTTLS_MUST,
	    { "220-h\r\n220 ESMTP\r\n", "250-h\r\n250-SIZE 9\r\n"
	    "250-AUTH PLAIN\r\n250-XCLIENT NAME\r\n250 AUTH=PLAIN\r\n" },
	    "EHLO c\r\n", "220-h\r\n220 ESMTP\r\n250-h\r\n250-SIZE 9\r\n"
	    "250 STARTTLS\r\n", "EHLO c\r\n", GATE_MORE, "" },
	{ "SMTP EHLO of one line", RELAY_SMTP_TUNNEL, LISTEN_STARTTLS,
	    { "220 h\r\n", "250 h\r\n" }, "ehlo c\r\n",
	    "220 h\r\n250-h\r\n250 STARTTLS\r\n", "ehlo c\r\n", GATE_MORE,
	    "" },
	{ "SMTP EHLO is refused", RELAY_SMTP_TUNNEL, LISTEN_STARTTLS,
	    { "220 h\r\n", "502-no\r\n502 no\r\n" }, "EHLO c\r\n",
	    "220 h\r\n502-no\r\n502 no\r\n", "EHLO c\r\n", GATE_MORE, "" },
	{ "SMTP HELO passes", RELAY_SMTP_TUNNEL, LISTEN_STARTTLS_MUST,
	    { "220 h\r\n", "250 STARTTLS\r\n" }, "HELO c\r\n",
	    "220 h\r\n250 STARTTLS\r\n", "HELO c\r\n", GATE_MORE, "" },
	{ "SMTP with TLS no STARTTLS is offered", RELAY_SMTP_TUNNEL,
	    LISTEN_IMPLICIT, { "220 h\r\n",
	    "250-h\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n" },
	    "EHLO c\r\nSTARTTLS\r\nMAIL FROM:<a@b>\r\n",
	    "220 h\r\n250-h\r\n250 AUTH PLAIN\r\n"
	    "554 5.5.1 Error: TLS already active\r\n", "EHLO c\r\n",
	    GATE_OPEN, "MAIL FROM:<a@b>\r\n" },
	{ "SMTP STARTTLS begins TLS", RELAY_SMTP_TUNNEL, LISTEN_STARTTLS,
	    { "220 h\r\n" }, "starttls\r\n",
	    "220 h\r\n220 2.0.0 Ready to start TLS\r\n", "", GATE_TLS, "" },
	{ "SMTP RSET does not open where TLS may come", RELAY_SMTP_TUNNEL,
	    LISTEN_STARTTLS, { "220 h\r\n", "250 ok\r\n" },
	    "RSET\r\nSTARTTLS\r\n", "220 h\r\n250 ok\r\n"
	    "220 2.0.0 Ready to start TLS\r\n", "RSET\r\n", GATE_TLS, "" },
	{ "SMTP T1 STARTTLS has no argument", RELAY_SMTP_TUNNEL,
	    LISTEN_STARTTLS, { "220 h\r\n" }, "STARTTLS foo\r\n",
	    "220 h\r\n501 5.5.4 Syntax: STARTTLS\r\n", "", GATE_MORE, "" },
	{ "SMTP T67 XCLIENT is not for clients", RELAY_SMTP_TUNNEL,
	    LISTEN_IMPLICIT, { "220 h\r\n" }, "XCLIENT ADDR=192.0.2.1\r\n",
	    "220 h\r\n550 5.7.0 Error: insufficient authorization\r\n", "",
	    GATE_MORE, "" },
	{ "SMTP the daemon refuses", RELAY_SMTP_TUNNEL, LISTEN_STARTTLS,
	    { "554-no\r\n554 no\r\n" }, "", "554-no\r\n554 no\r\n", "",
	    GATE_CLOSE, "" },
	{ "SMTP codes change in an answer", RELAY_SMTP_TUNNEL,
	    LISTEN_STARTTLS, { "220-a\r\n250 b\r\n" }, "", "", "",
	    GATE_CLOSE, "" },
	{ "SMTP bare LF with TLS is the daemon's matter", RELAY_SMTP_TUNNEL,
	    LISTEN_IMPLICIT, { "220 h\r\n" }, "MAIL FROM:<a@b>\n", "220 h\r\n",
	    "", GATE_OPEN, "MAIL FROM:<a@b>\n" },
};

struct world {
	struct gate g;
	struct buf heard, asked; /* all of it */
	struct buf in;		 /* of the client, not used yet */
	struct buf out;		 /* of the daemon, not used yet */
	size_t answers, lines;
	enum gate_step last;
	size_t chunk; /* of the daemon's octets */
};

static void begin(struct world *w, const struct talk *t)
{
	memset(w, 0, sizeof(*w));
	gate_init(&w->g, t->p, t->tls, "mx.a.example");
	buf_init(&w->heard, 1u << 20);
	buf_init(&w->asked, 1u << 20);
	buf_init(&w->in, 1u << 20);
	buf_init(&w->out, 1u << 20);
	w->chunk = 1u << 20;
	w->last = GATE_AGAIN;
}

static void end(struct world *w)
{
	gate_free(&w->g);
	buf_free(&w->heard);
	buf_free(&w->asked);
	buf_free(&w->in);
	buf_free(&w->out);
}

static void drop(struct buf *b, size_t n)
{
	assert_true(n <= b->n);
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

/* What the daemon has ready, as far as it goes. */
static void hear_daemon(struct world *w)
{
	size_t seen = 0, used;

	while (w->last == GATE_AGAIN || w->last == GATE_MORE) {
		size_t n = seen + w->chunk < w->out.n ? seen + w->chunk :
		    w->out.n;

		w->last = gate_server(&w->g, view_make(w->out.p, n), &used,
		    &w->heard);
		drop(&w->out, used);
		seen = n - used;
		if (w->last == GATE_MORE && seen == w->out.n)
			return;
	}
}

/* One answer for each line that came through. */
static void ask_daemon(struct world *w, const struct talk *t)
{
	size_t lines = 0;

	for (size_t i = 0; i < w->asked.n; i++)
		lines += w->asked.p[i] == '\n';
	for (; w->lines < lines; w->lines++) {
		assert_true(w->answers < ANSWERS);
		assert_non_null(t->answer[w->answers]);
		buf_puts(&w->out, t->answer[w->answers++]);
	}
}

static bool is_open_still(const struct world *w)
{
	return w->last == GATE_AGAIN || w->last == GATE_MORE;
}

static void hear_client(struct world *w, const struct talk *t)
{
	size_t used;

	do {
		if (w->in.n > 0)
			w->last = gate_client(&w->g, buf_view(&w->in), &used,
			    &w->heard, &w->asked);
		else
			break;
		drop(&w->in, used);
		ask_daemon(w, t);
		if (is_open_still(w) && w->out.n > 0) {
			hear_daemon(w);
			if (w->last == GATE_MORE)
				w->last = GATE_AGAIN;
		}
	} while (w->last == GATE_AGAIN);
}

static void run(struct world *w, const struct talk *t, size_t cut,
    size_t chunk)
{
	size_t n = strlen(t->client), at = 0, step;

	begin(w, t);
	w->chunk = chunk;
	buf_puts(&w->out, t->answer[w->answers++]);
	hear_daemon(w);
	while (at < n && is_open_still(w)) {
		step = cut == 0 ? 1 : at < cut ? cut - at : n - at;
		if (step > n - at)
			step = n - at;
		buf_put(&w->in, t->client + at, step);
		at += step;
		hear_client(w, t);
	}
	buf_put(&w->in, t->client + at, n - at);
}

static void check(const struct world *w, const struct talk *t, size_t cut)
{
	enum gate_step last = w->last == GATE_AGAIN ? GATE_MORE : w->last;

	if (strcmp(buf_str(&w->heard), t->to_client) != 0)
		fail_msg("%s, cut at %zu: heard %s", t->name, cut,
		    buf_str(&w->heard));
	if (strcmp(buf_str(&w->asked), t->to_server) != 0)
		fail_msg("%s, cut at %zu: asked %s", t->name, cut,
		    buf_str(&w->asked));
	if (last != t->last)
		fail_msg("%s, cut at %zu: step %d", t->name, cut, last);
	if (w->in.n != strlen(t->left) ||
	    memcmp(w->in.p == NULL ? (unsigned char *)"" : w->in.p, t->left,
	    w->in.n) != 0)
		fail_msg("%s, cut at %zu: %zu octets left", t->name, cut,
		    w->in.n);
	if (last == GATE_CLOSE)
		assert_non_null(w->g.why);
}

static void T71_T4_T19_conversations_in_every_split(void **state)
{
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
		const struct talk *t = &talks[i];

		for (size_t cut = 0; cut <= strlen(t->client); cut++) {
			run(&w, t, cut, 1u << 20);
			check(&w, t, cut);
			end(&w);
			run(&w, t, cut, 1);
			check(&w, t, cut);
			end(&w);
		}
	}
}

/* ---- injection ---- */

struct injection {
	enum relay_protocol p;
	const char *greeting, *command, *behind, *answer;
};

static const struct injection injections[] = {
	{ RELAY_POP3, "+OK hi\r\n", "STLS\r\n", "USER mallory\r\n",
	    "-ERR that is no command\r\n" },
	{ RELAY_IMAP, "* OK hi\r\n", "a STARTTLS\r\n", "b NOOP\r\n",
	    "* BYE that is no command\r\n" },
	{ RELAY_SMTP_TUNNEL, "220 h\r\n", "STARTTLS\r\n",
	    "EHLO x\r\nMAIL FROM:<a@b>\r\n",
	    "501 5.5.0 Error: bad syntax\r\n" },
};

static void inject(const struct injection *j, size_t behind, size_t cut)
{
	struct buf to_client, to_server, in;
	enum gate_step step = GATE_AGAIN;
	struct gate g;
	size_t used, n;

	buf_init(&to_client, 10000);
	buf_init(&to_server, 10000);
	buf_init(&in, 10000);
	gate_init(&g, j->p, LISTEN_STARTTLS_MUST, "mx.a.example");
	assert_int_equal(gate_server(&g, view_of(j->greeting), &used,
	    &to_client), GATE_AGAIN);
	buf_clear(&to_client);
	buf_puts(&in, j->command);
	buf_put(&in, j->behind, behind);
	n = in.n;
	/* first a part of the command, then all the rest in one piece */
	if (cut > 0)
		assert_int_equal(gate_client(&g, view_make(in.p, cut), &used,
		    &to_client, &to_server), GATE_MORE);
	step = gate_client(&g, view_make(in.p, n), &used, &to_client,
	    &to_server);
	assert_int_equal(step, GATE_CLOSE);
	assert_string_equal(buf_str(&to_client), j->answer);
	assert_string_equal(g.why, "octets behind the command that begins "
	    "TLS");
	assert_int_equal(to_server.n, 0);
	gate_free(&g);
	buf_free(&to_client);
	buf_free(&to_server);
	buf_free(&in);
}

/* attack A65: commands in one segment with STLS or STARTTLS, which came in
 * pieces before, cut at each octet
 * verdict: an error and the end; nothing reaches the backend */
static void T7_A65_nothing_may_stand_behind_starttls(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (size_t n = 1; n <= strlen(injections[i].behind); n++)
			for (size_t cut = 0;
			    cut < strlen(injections[i].command); cut++)
				inject(&injections[i], n, cut);
}

/* ---- verbs before TLS ---- */

static const char *const smtp_verbs[] = { "MAIL FROM:<a@b>", "RCPT TO:<a@b>",
	"DATA", "BDAT 5 LAST", "AUTH PLAIN AGEAYg==", "VRFY a", "EXPN a",
	"RSET", "ETRN a", "XYZZY", "", "mail", "TURN", "BURL x", NULL };
static const char *const pop3_verbs[] = { "USER a", "PASS b", "APOP a b",
	"AUTH", "AUTH PLAIN AGEAYg==", "STAT", "LIST", "RETR 1", "DELE 1",
	"RSET", "TOP 1 0", "UIDL", "UTF8", "LANG", "XYZZY", "", NULL };
static const char *const imap_verbs[] = { "a LOGIN a b",
	"a AUTHENTICATE PLAIN", "a AUTHENTICATE PLAIN AGEAYg==",
	"a SELECT INBOX", "a ID NIL", "a ENABLE UTF8=ACCEPT", "a IDLE",
	"a LIST \"\" *", "a STATUS INBOX (MESSAGES)", "a XYZZY", "a", NULL };

static void refuse_all(enum relay_protocol p, const char *greeting,
    const char *const *verb, const char *answer)
{
	struct buf to_client, to_server, line;
	struct gate g;
	size_t used;

	buf_init(&to_client, 10000);
	buf_init(&to_server, 10000);
	buf_init(&line, 100);
	for (; *verb != NULL; verb++) {
		gate_init(&g, p, LISTEN_STARTTLS_MUST, "mx.a.example");
		(void)gate_server(&g, view_of(greeting), &used, &to_client);
		buf_clear(&to_client);
		buf_clear(&line);
		buf_printf(&line, "%s\r\n", *verb);
		assert_int_equal(gate_client(&g, buf_view(&line), &used,
		    &to_client, &to_server), GATE_AGAIN);
		if (strncmp(buf_str(&to_client), answer, strlen(answer)) != 0)
			fail_msg("%s: %s", *verb, buf_str(&to_client));
		assert_int_equal(used, line.n);
		assert_int_equal(to_server.n, 0);
		gate_free(&g);
	}
	buf_free(&to_client);
	buf_free(&to_server);
	buf_free(&line);
}

/* attack A72: each verb before TLS, logins among them, where TLS is a must
 * verdict: 530, -ERR or NO, and not one octet of it reaches the backend */
static void T4_T19_A72_no_verb_passes_before_tls(void **state)
{
	(void)state;
	refuse_all(RELAY_SMTP_TUNNEL, "220 h\r\n", smtp_verbs,
	    "530 5.7.0 Must issue a STARTTLS command first\r\n");
	refuse_all(RELAY_POP3, "+OK h\r\n", pop3_verbs, "-ERR TLS is "
	    "required");
	refuse_all(RELAY_IMAP, "* OK h\r\n", imap_verbs, "a NO "
	    "[PRIVACYREQUIRED] TLS is required");
}

/* ---- what is no command ---- */

struct nonsense {
	const char *p;
	size_t n;
	const char *why;
};
#define LIT(s) (s), sizeof(s) - 1

static const struct nonsense nonsense[] = {
	{ LIT("NOOP\n"), "no line of the protocol" },
	{ LIT("NOOP\rX\r\n"), "no line of the protocol" },
	{ LIT("NOOP\r\r\n"), "no line of the protocol" },
	{ LIT("NO\0P\r\n"), "no line of the protocol" },
	{ LIT("STLS\nUSER alice\r\n"), "no line of the protocol" },
	{ LIT("\x16\x03\x01\x02\x00\x01"), "no line of the protocol" },
	{ LIT("GET / HTTP/1.1\r\n"),
	    "another protocol than this listener's" },
	{ LIT("POST /\r\n"), "another protocol than this listener's" },
	{ LIT("host: x\r\n"), "another protocol than this listener's" },
	{ LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),
	    "another protocol than this listener's" },
};

static void check_nonsense(const struct nonsense *x, enum listen_tls tls)
{
	struct buf to_client, to_server;
	struct gate g;
	size_t used;

	buf_init(&to_client, 10000);
	buf_init(&to_server, 10000);
	gate_init(&g, RELAY_POP3, tls, "mx.a.example");
	(void)gate_server(&g, view_of("+OK hi\r\n"), &used, &to_client);
	assert_int_equal(gate_client(&g, view_make(x->p, x->n), &used,
	    &to_client, &to_server), GATE_CLOSE);
	assert_string_equal(g.why, x->why);
	assert_string_equal(buf_str(&to_client),
	    "+OK hi\r\n-ERR that is no command\r\n");
	assert_int_equal(to_server.n, 0);
	gate_free(&g);
	buf_free(&to_client);
	buf_free(&to_server);
}

/* attack A73: another protocol, a PROXY header where none is wanted, lines
 * that two readers would cut in two ways
 * verdict: an error and the end */
static void T63_T66_A73_what_is_no_line_ends_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		check_nonsense(&nonsense[i], LISTEN_STARTTLS_MUST);
		check_nonsense(&nonsense[i], LISTEN_STARTTLS);
	}
}

static enum gate_step say_line(enum listen_tls tls, size_t octets, bool whole)
{
	struct buf to_client, to_server, line;
	enum gate_step step;
	struct gate g;
	size_t used;

	buf_init(&to_client, 10000);
	buf_init(&to_server, 10000);
	buf_init(&line, 10000);
	gate_init(&g, RELAY_POP3, tls, "mx.a.example");
	(void)gate_server(&g, view_of("+OK hi\r\n"), &used, &to_client);
	while (line.n < octets - (whole ? 2 : 0))
		buf_putc(&line, 'x');
	if (whole)
		buf_puts(&line, "\r\n");
	step = gate_client(&g, buf_view(&line), &used, &to_client,
	    &to_server);
	gate_free(&g);
	buf_free(&to_client);
	buf_free(&to_server);
	buf_free(&line);
	return step;
}

static void T11_a_line_has_an_end(void **state)
{
	(void)state;
	assert_int_equal(say_line(LISTEN_STARTTLS_MUST, GATE_LINE, true),
	    GATE_AGAIN);
	assert_int_equal(say_line(LISTEN_STARTTLS_MUST, GATE_LINE + 1, true),
	    GATE_CLOSE);
	assert_int_equal(say_line(LISTEN_STARTTLS_MUST, GATE_LINE - 1,
	    false), GATE_MORE);
	assert_int_equal(say_line(LISTEN_STARTTLS_MUST, GATE_LINE, false),
	    GATE_CLOSE);
	assert_int_equal(say_line(LISTEN_IMPLICIT, GATE_LINE, false),
	    GATE_OPEN);
	assert_int_equal(say_line(LISTEN_STARTTLS, GATE_LINE, false),
	    GATE_OPEN);
}

static void T11_twenty_commands_before_tls(void **state)
{
	struct buf to_client, to_server;
	struct gate g;
	size_t used;

	(void)state;
	buf_init(&to_client, 10000);
	buf_init(&to_server, 10000);
	gate_init(&g, RELAY_POP3, LISTEN_STARTTLS_MUST, "mx.a.example");
	(void)gate_server(&g, view_of("+OK hi\r\n"), &used, &to_client);
	for (int i = 0; i < GATE_COMMANDS; i++)
		assert_int_equal(gate_client(&g, view_of("NOOP\r\n"), &used,
		    &to_client, &to_server), GATE_AGAIN);
	assert_int_equal(gate_client(&g, view_of("STLS\r\n"), &used,
	    &to_client, &to_server), GATE_CLOSE);
	assert_string_equal(g.why, "too many commands before TLS");
	gate_free(&g);
	buf_free(&to_client);
	buf_free(&to_server);
}

/* ---- the daemon ---- */

static void an_answer_without_an_end_is_cut(void **state)
{
	struct buf to_client, to_server;
	enum gate_step step = GATE_AGAIN;
	char line[GATE_LINE + 2];
	struct gate g;
	size_t used, lines = 0;

	(void)state;
	buf_init(&to_client, 100000);
	buf_init(&to_server, 10000);
	memset(line, 'x', sizeof(line));
	gate_init(&g, RELAY_POP3, LISTEN_IMPLICIT, "mx.a.example");
	memcpy(line, "+OK", 3);
	assert_int_equal(gate_server(&g, view_make(line, GATE_LINE), &used,
	    &to_client), GATE_MORE);
	assert_int_equal(gate_server(&g, view_make(line, GATE_LINE + 1),
	    &used, &to_client), GATE_CLOSE);
	gate_free(&g);
	gate_init(&g, RELAY_POP3, LISTEN_IMPLICIT, "mx.a.example");
	(void)gate_server(&g, view_of("+OK\r\n"), &used, &to_client);
	(void)gate_client(&g, view_of("CAPA\r\n"), &used, &to_client,
	    &to_server);
	(void)gate_server(&g, view_of("+OK\r\n"), &used, &to_client);
	while (step == GATE_AGAIN && lines++ < GATE_REPLY)
		step = gate_server(&g, view_of("CAPABILITY\r\n"), &used,
		    &to_client);
	assert_int_equal(step, GATE_CLOSE);
	assert_int_equal(lines, (GATE_REPLY - 5) / 12 + 1);
	gate_free(&g);
	buf_free(&to_client);
	buf_free(&to_server);
}

static void T8_a_new_daemon_greets_nobody(void **state)
{
	static const struct {
		enum relay_protocol p;
		const char *hi, *no, *told;
	} t[] = {
		{ RELAY_POP3, "+OK <2@h>\r\n", "-ERR full\r\n",
		    "-ERR full\r\n" },
		{ RELAY_IMAP, "* OK [CAPABILITY X] hi\r\n", "* BYE full\r\n",
		    "* BYE full\r\n" },
		{ RELAY_SMTP_TUNNEL, "220 h\r\n", "421 full\r\n",
		    "421 4.3.2 mx.a.example\r\n" },
	};
	struct buf to_client;
	struct gate g;
	size_t used;

	(void)state;
	buf_init(&to_client, 10000);
	for (size_t i = 0; i < 3; i++)
		for (int no = 0; no < 2; no++) {
			gate_init(&g, t[i].p, LISTEN_STARTTLS,
			    "mx.a.example");
			gate_tls(&g, true);
			buf_clear(&to_client);
			assert_int_equal(gate_server(&g, view_of(no ?
			    t[i].no : t[i].hi), &used, &to_client), no ?
			    GATE_CLOSE : GATE_AGAIN);
			assert_string_equal(buf_str(&to_client), no ?
			    t[i].told : "");
			gate_free(&g);
		}
	buf_free(&to_client);
}

static void T3_tls_begins_once(void **state)
{
	static const struct {
		enum relay_protocol p;
		const char *hi, *command, *answer;
	} t[] = {
		{ RELAY_POP3, "+OK\r\n", "STLS\r\n",
		    "-ERR TLS is active already\r\n" },
		{ RELAY_IMAP, "* OK hi\r\n", "a STARTTLS\r\n",
		    "a BAD TLS is active already\r\n" },
		{ RELAY_SMTP_TUNNEL, "220 h\r\n", "STARTTLS\r\n",
		    "554 5.5.1 Error: TLS already active\r\n" },
	};
	struct buf to_client, to_server;
	struct gate g;
	size_t used;

	(void)state;
	buf_init(&to_client, 10000);
	buf_init(&to_server, 10000);
	for (size_t i = 0; i < 3; i++) {
		gate_init(&g, t[i].p, LISTEN_STARTTLS_MUST, "mx.a.example");
		(void)gate_server(&g, view_of(t[i].hi), &used, &to_client);
		assert_int_equal(gate_client(&g, view_of(t[i].command),
		    &used, &to_client, &to_server), GATE_TLS);
		gate_tls(&g, false);
		buf_clear(&to_client);
		assert_int_equal(gate_client(&g, view_of(t[i].command),
		    &used, &to_client, &to_server), GATE_AGAIN);
		assert_string_equal(buf_str(&to_client), t[i].answer);
		assert_int_equal(to_server.n, 0);
		gate_free(&g);
	}
	buf_free(&to_client);
	buf_free(&to_server);
}

static void a_timestamp_that_will_change_is_hidden(void **state)
{
	static const char *const t[][2] = {
		{ "+OK hi <1.2@h>\r\n", "+OK hi\r\n" },
		{ "+OK <1.2@h>\r\n", "+OK\r\n" },
		{ "+OK hi <1.2@h> there\r\n", "+OK hi there\r\n" },
		{ "+OK hi <there\r\n", "+OK hi <there\r\n" },
		{ "+OK hi\r\n", "+OK hi\r\n" },
	};
	struct buf to_client;
	struct gate g;
	size_t used;

	(void)state;
	buf_init(&to_client, 10000);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		gate_init(&g, RELAY_POP3, LISTEN_STARTTLS, "mx.a.example");
		g.hides_apop = true;
		buf_clear(&to_client);
		(void)gate_server(&g, view_of(t[i][0]), &used, &to_client);
		assert_string_equal(buf_str(&to_client), t[i][1]);
		gate_free(&g);
	}
	buf_free(&to_client);
}

static void what_nobody_asked_for_is_passed_on(void **state)
{
	struct buf to_client;
	struct gate g;
	size_t used;

	(void)state;
	buf_init(&to_client, 10000);
	gate_init(&g, RELAY_IMAP, LISTEN_IMPLICIT, "mx.a.example");
	(void)gate_server(&g, view_of("* OK hi\r\n"), &used, &to_client);
	assert_int_equal(gate_server(&g, view_of("* BYE late\r\n"), &used,
	    &to_client), GATE_AGAIN);
	assert_string_equal(buf_str(&to_client), "* OK hi\r\n* BYE late\r\n");
	gate_free(&g);
	buf_free(&to_client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T71_T4_T19_conversations_in_every_split),
		cmocka_unit_test(T7_A65_nothing_may_stand_behind_starttls),
		cmocka_unit_test(T4_T19_A72_no_verb_passes_before_tls),
		cmocka_unit_test(T63_T66_A73_what_is_no_line_ends_it),
		cmocka_unit_test(T11_a_line_has_an_end),
		cmocka_unit_test(T11_twenty_commands_before_tls),
		cmocka_unit_test(an_answer_without_an_end_is_cut),
		cmocka_unit_test(T8_a_new_daemon_greets_nobody),
		cmocka_unit_test(T3_tls_begins_once),
		cmocka_unit_test(a_timestamp_that_will_change_is_hidden),
		cmocka_unit_test(what_nobody_asked_for_is_passed_on),
	};

	return cmocka_run_group_tests_name("relay_tunnel_gate", tests, NULL,
	    NULL);
}
