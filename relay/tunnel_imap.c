/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * IMAP before a tunnel is open: STARTTLS (RFC 9051 6.2.1) in front of a
 * daemon that has none, capabilities wherever they are said.
 */
#include "relay/tunnel_gate_int.h"
#include "relay/tunnel_watch.h"

#include <string.h>

/* RFC 9051 9: what a tag may not have, besides controls and blanks. */
static bool is_tag(struct view v)
{
	if (v.n == 0 || v.n >= GATE_WORD)
		return false;
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] >= 0x7f ||
		    strchr("(){%*\"\\+", v.p[i]) != NULL)
			return false;
	return true;
}

static void tagged(const char *tag, const char *text, struct buf *to_client)
{
	buf_printf(to_client, "%s %s\r\n", tag, text);
}

/* LOGIN {5}: the octets that follow are part of the command. */
static bool has_literal(struct view line)
{
	return line.n > 0 && line.p[line.n - 1] == '}' &&
	    view_chr(line, '{', 0) != (size_t)-1;
}

/* Nothing that only a proxy may say; what is not passed on here opens the
 * gate, and is looked at there. */
static bool is_own_word(struct view line)
{
	struct watch w = { .is_imap = true };

	return watch_client(&w, line) == line.n;
}

static enum gate_command starttls(struct gate *g, bool is_alone,
    struct buf *to_client)
{
	if (g->offers && !g->is_tls && is_alone)
		return COMMAND_TLS;
	tagged(g->tag, !is_alone ? "BAD no arguments" : g->is_tls ?
	    "BAD TLS is active already" : "BAD TLS is not available",
	    to_client);
	return COMMAND_ANSWERED;
}

/* Before TLS, what we can answer ourselves. */
static enum gate_command in_clear(struct gate *g, struct view verb,
    struct view line, struct buf *to_client)
{
	if (view_ieq_str(verb, "LOGOUT")) {
		buf_puts(to_client, "* BYE bye\r\n");
		tagged(g->tag, "OK LOGOUT done", to_client);
		return COMMAND_ENDS;
	}
	if (view_ieq_str(verb, "NOOP")) {
		tagged(g->tag, "OK NOOP done", to_client);
		return COMMAND_ANSWERED;
	}
	if (g->must && has_literal(line)) {
		/* what follows must not be taken for a command */
		tagged(g->tag, "BAD [PRIVACYREQUIRED] TLS is required",
		    to_client);
		return COMMAND_ENDS;
	}
	return COMMAND_OTHER;
}

static enum gate_command command(struct gate *g, struct view line,
    struct buf *to_client)
{
	struct view rest = line, tag = gate_next_word(&rest);
	struct view verb = gate_next_word(&rest);
	bool is_alone = view_trim(rest).n == 0;

	text_set(g->tag, sizeof(g->tag), "*");
	if (is_tag(tag))
		(void)!view_cstr(tag, g->tag, sizeof(g->tag));
	else if (!g->is_tls) {
		buf_puts(to_client, "* BAD no tag\r\n");
		return COMMAND_ANSWERED;
	} else
		return COMMAND_OTHER;
	if (view_ieq_str(verb, "CAPABILITY") && is_alone)
		return COMMAND_ASKS;
	if (view_ieq_str(verb, "STARTTLS"))
		return starttls(g, is_alone, to_client);
	/* asked before STARTTLS, or before CAPABILITY, by some */
	if (view_ieq_str(verb, "ID") && gate_may_open(g) &&
	    !has_literal(line) && is_own_word(line))
		return COMMAND_PASSES;
	return g->is_tls ? COMMAND_OTHER : in_clear(g, verb, line,
	    to_client);
}

static void must_tls(const struct gate *g, struct view line,
    struct buf *to_client)
{
	(void)line;
	tagged(g->tag, "NO [PRIVACYREQUIRED] TLS is required, begin it with "
	    "STARTTLS", to_client);
}

static void syntax(const struct gate *g, struct buf *to_client)
{
	(void)g;
	buf_puts(to_client, "* BYE that is no command\r\n");
}

static void go_ahead(const struct gate *g, struct buf *to_client)
{
	tagged(g->tag, "OK begin TLS", to_client);
}

static int is_last(const struct gate *g, struct view line)
{
	struct view tag = gate_next_word(&line);

	if (g->asks == ASKS_GREETING)
		return view_eq_str(tag, "*") ? 1 : -1;
	if (view_eq_str(tag, g->tag))
		return 1;
	/* the lines of a literal may be anything */
	return g->asks == ASKS_OTHER || view_eq_str(tag, "*") ? 0 : -1;
}

static bool is_hidden(const struct gate *g, struct view word)
{
	static const char *const ours[] = { "STARTTLS", "SASL-IR",
		"LOGINDISABLED", NULL };

	if (view_ieq_str(word, "STARTTLS"))
		return true;
	return g->must && !g->is_tls && (view_istarts(word, "AUTH=") ||
	    gate_is_one_of(word, ours));
}

static void put_capabilities(const struct gate *g, struct view words,
    struct buf *to_client)
{
	struct view word;

	buf_puts(to_client, "CAPABILITY");
	while ((word = gate_next_word(&words)).n > 0) {
		if (is_hidden(g, word))
			continue;
		buf_putc(to_client, ' ');
		buf_putv(to_client, word);
	}
	if (g->offers && !g->is_tls)
		buf_puts(to_client, g->must ? " STARTTLS LOGINDISABLED" :
		    " STARTTLS");
}

/* Where the words of "[CAPABILITY IMAP4rev1 ...]" stand; (size_t)-1: there
 * are none. RFC 9051 7.1: a code stands behind the status. */
static size_t find_code(struct view text)
{
	struct view rest = text;

	(void)gate_next_word(&rest); /* tag */
	(void)gate_next_word(&rest); /* OK */
	while (rest.n > 0 && rest.p[0] == ' ')
		rest = view_sub(rest, 1, rest.n - 1);
	if (!view_istarts(rest, "[CAPABILITY "))
		return (size_t)-1;
	return (size_t)(rest.p - text.p) + 1;
}

/* One line of the daemon, its capabilities as they are with us. */
static void put_line(const struct gate *g, struct view line,
    struct buf *to_client)
{
	struct view text = view_trim(line), rest = text;
	size_t at, end;

	if (view_eq_str(gate_next_word(&rest), "*") &&
	    view_ieq_str(gate_next_word(&rest), "CAPABILITY")) {
		buf_puts(to_client, "* ");
		put_capabilities(g, rest, to_client);
		buf_puts(to_client, "\r\n");
		return;
	}
	at = find_code(text);
	end = at == (size_t)-1 ? at : view_chr(text, ']', at);
	if (end == (size_t)-1) {
		buf_putv(to_client, line);
		return;
	}
	buf_putv(to_client, view_sub(text, 0, at));
	put_capabilities(g, view_sub(text, at + 10, end - at - 10),
	    to_client);
	buf_putv(to_client, view_sub(text, end, text.n - end));
	buf_puts(to_client, "\r\n");
}

static int greeting(struct gate *g, struct buf *to_client)
{
	struct view line = buf_view(&g->reply), rest = line, status;

	(void)gate_next_word(&rest);
	status = view_trim(gate_next_word(&rest));
	if (view_ieq_str(status, "PREAUTH") && !g->is_tls) {
		/* RFC 9051 11.1, A68: no login, so no TLS either */
		g->why = "PREAUTH before TLS";
		buf_puts(to_client, "* BYE the backend wants no login\r\n");
		return -1;
	}
	if (view_ieq_str(status, "OK") || view_ieq_str(status, "PREAUTH")) {
		if (!g->is_fresh)
			put_line(g, line, to_client);
		return 0;
	}
	g->why = "the backend refuses the client";
	if (view_ieq_str(status, "BYE"))
		buf_putv(to_client, line);
	return -1;
}

static void capabilities(const struct gate *g, struct buf *to_client)
{
	struct view v = buf_view(&g->reply);

	while (v.n > 0)
		put_line(g, gate_next_line(&v), to_client);
}

static void sorry(const char *hostname, const char *why,
    struct buf *to_client)
{
	(void)hostname;
	buf_printf(to_client, "* BYE [UNAVAILABLE] %s\r\n", why);
}

static void refuse(const char *why, struct buf *to_client)
{
	buf_printf(to_client, "* BYE %s\r\n", why);
}

const struct gate_protocol gate_imap = {
	.command = command,
	.must_tls = must_tls,
	.syntax = syntax,
	.go_ahead = go_ahead,
	.is_last = is_last,
	.greeting = greeting,
	.capabilities = capabilities,
	.sorry = sorry,
	.refuse = refuse,
};
