/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * POP3 before a tunnel is open: STLS (RFC 2595 4) in front of a daemon that
 * has none, CAPA (RFC 2449) that says so.
 */
#include "relay/tunnel_gate_int.h"

static enum gate_command command(struct gate *g, struct view line,
    struct buf *to_client)
{
	struct view verb = gate_next_word(&line);
	bool is_alone = view_trim(line).n == 0;

	if (view_ieq_str(verb, "CAPA") && is_alone)
		return COMMAND_ASKS;
	/* A daemon that trusts us would believe it. */
	if (view_ieq_str(verb, "XCLIENT")) {
		buf_puts(to_client, "-ERR not for you\r\n");
		return COMMAND_ANSWERED;
	}
	if (view_ieq_str(verb, "STLS")) {
		if (g->offers && !g->is_tls && is_alone)
			return COMMAND_TLS;
		buf_puts(to_client, !is_alone ? "-ERR no arguments\r\n" :
		    g->is_tls ? "-ERR TLS is active already\r\n" :
		    "-ERR TLS is not available\r\n");
		return COMMAND_ANSWERED;
	}
	if (g->is_tls)
		return COMMAND_OTHER;
	if (view_ieq_str(verb, "QUIT")) {
		buf_puts(to_client, "+OK bye\r\n");
		return COMMAND_ENDS;
	}
	if (view_ieq_str(verb, "NOOP")) {
		buf_puts(to_client, "+OK\r\n");
		return COMMAND_ANSWERED;
	}
	return COMMAND_OTHER;
}

static void must_tls(const struct gate *g, struct view line,
    struct buf *to_client)
{
	(void)g;
	(void)line;
	buf_puts(to_client, "-ERR TLS is required, begin it with STLS\r\n");
}

static void syntax(const struct gate *g, struct buf *to_client)
{
	(void)g;
	buf_puts(to_client, "-ERR that is no command\r\n");
}

static void go_ahead(const struct gate *g, struct buf *to_client)
{
	(void)g;
	buf_puts(to_client, "+OK begin TLS\r\n");
}

static int is_last(const struct gate *g, struct view line)
{
	bool is_ok = view_istarts(line, "+OK"), is_err =
	    view_istarts(line, "-ERR");

	if (g->lines == 0 && !is_ok && !is_err)
		return -1;
	if (g->asks != ASKS_CAPABILITIES || (g->lines == 0 && is_err))
		return 1;
	return g->lines > 0 && view_eq_str(view_trim(line), ".");
}

/* RFC 1939 7: a timestamp in the greeting offers APOP. */
static void put_without_apop(struct view line, struct buf *to_client)
{
	struct view text = view_trim(line);
	size_t from = view_chr(text, '<', 0);
	size_t to = from == (size_t)-1 ? from : view_chr(text, '>', from);

	if (to == (size_t)-1) {
		buf_putv(to_client, line);
		return;
	}
	buf_putv(to_client, view_trim(view_sub(text, 0, from)));
	buf_putv(to_client, view_sub(text, to + 1, text.n - to - 1));
	buf_puts(to_client, "\r\n");
}

static int greeting(struct gate *g, struct buf *to_client)
{
	struct view line = buf_view(&g->reply);
	bool is_ok = view_istarts(line, "+OK");

	if (!is_ok)
		g->why = "the backend refuses the client";
	if (g->is_fresh && is_ok)
		return 0;
	if (g->hides_apop)
		put_without_apop(line, to_client);
	else
		buf_putv(to_client, line);
	return is_ok ? 0 : -1;
}

/* What the client must not see: TLS that is not offered (any more), ways to
 * log in that are refused. */
static bool is_hidden(const struct gate *g, struct view line)
{
	static const char *const logins[] = { "USER", "SASL", NULL };
	struct view word = gate_next_word(&line);

	return view_ieq_str(word, "STLS") || (g->must && !g->is_tls &&
	    gate_is_one_of(word, logins));
}

static void capabilities(const struct gate *g, struct buf *to_client)
{
	struct view v = buf_view(&g->reply), line = gate_next_line(&v), text;

	if (!view_istarts(line, "+OK")) {
		/* a daemon from before RFC 2449 */
		if (g->offers && !g->is_tls)
			buf_puts(to_client, g->must ? "+OK\r\nSTLS\r\n.\r\n" :
			    "+OK\r\nUSER\r\nSTLS\r\n.\r\n");
		else
			buf_putv(to_client, line);
		return;
	}
	buf_putv(to_client, line);
	while (v.n > 0) {
		line = gate_next_line(&v);
		text = view_trim(line);
		if (view_eq_str(text, ".") && g->offers && !g->is_tls)
			buf_puts(to_client, "STLS\r\n");
		if (!is_hidden(g, text))
			buf_putv(to_client, line);
	}
}

static void sorry(const char *hostname, const char *why,
    struct buf *to_client)
{
	(void)hostname;
	buf_printf(to_client, "-ERR [SYS/TEMP] %s\r\n", why); /* RFC 3206 */
}

static void refuse(const char *why, struct buf *to_client)
{
	buf_printf(to_client, "-ERR [AUTH] %s\r\n", why);
}

const struct gate_protocol gate_pop3 = {
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
