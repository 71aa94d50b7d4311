/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * SMTP before a tunnel is open: STARTTLS (RFC 3207) in front of an smtpd that
 * has none. From MAIL or AUTH on it is octets, whatever they mean: nothing of
 * a message is read, so nothing can be smuggled by us.
 */
#include "relay/tunnel_gate_int.h"

static enum gate_command starttls(const struct gate *g, bool is_alone,
    struct buf *to_client)
{
	if (!is_alone) /* T1 */
		buf_puts(to_client, "501 5.5.4 Syntax: STARTTLS\r\n");
	else if (g->is_tls) /* T3 */
		buf_puts(to_client,
		    "554 5.5.1 Error: TLS already active\r\n");
	else if (!g->offers)
		buf_puts(to_client, "502 5.5.1 Error: command not "
		    "implemented\r\n");
	else
		return COMMAND_TLS;
	return COMMAND_ANSWERED;
}

/* Before TLS, what we can answer ourselves (T4). */
static enum gate_command in_clear(struct view verb, struct buf *to_client)
{
	if (view_ieq_str(verb, "NOOP")) {
		buf_puts(to_client, "250 2.0.0 Ok\r\n");
		return COMMAND_ANSWERED;
	}
	if (view_ieq_str(verb, "HELP")) {
		buf_puts(to_client, "214 2.0.0 STARTTLS\r\n");
		return COMMAND_ANSWERED;
	}
	if (view_ieq_str(verb, "QUIT")) {
		buf_puts(to_client, "221 2.0.0 Bye\r\n");
		return COMMAND_ENDS;
	}
	return COMMAND_OTHER;
}

static enum gate_command command(struct gate *g, struct view line,
    struct buf *to_client)
{
	static const char *const ours[] = { "XCLIENT", "XFORWARD", NULL };
	struct view verb = gate_next_word(&line);

	if (view_ieq_str(verb, "EHLO"))
		return COMMAND_ASKS;
	if (view_ieq_str(verb, "HELO") ||
	    (view_ieq_str(verb, "RSET") && gate_may_open(g)))
		return COMMAND_PASSES;
	if (view_ieq_str(verb, "STARTTLS"))
		return starttls(g, view_trim(line).n == 0, to_client);
	/* An smtpd that trusts us would believe it (T67). */
	if (gate_is_one_of(verb, ours)) {
		buf_puts(to_client, "550 5.7.0 Error: insufficient "
		    "authorization\r\n");
		return COMMAND_ANSWERED;
	}
	return g->is_tls ? COMMAND_OTHER : in_clear(verb, to_client);
}

static void must_tls(const struct gate *g, struct view line,
    struct buf *to_client)
{
	(void)g;
	(void)line;
	buf_puts(to_client,
	    "530 5.7.0 Must issue a STARTTLS command first\r\n");
}

static void syntax(const struct gate *g, struct buf *to_client)
{
	(void)g;
	buf_puts(to_client, "501 5.5.0 Error: bad syntax\r\n");
}

static void go_ahead(const struct gate *g, struct buf *to_client)
{
	(void)g;
	buf_puts(to_client, "220 2.0.0 Ready to start TLS\r\n");
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 5321 4.2.1: one code, a hyphen on all lines but the last. */
static int is_last(const struct gate *g, struct view line)
{
	struct view text = view_trim(line);

	if (text.n < 3 || !is_digit(text.p[0]) || !is_digit(text.p[1]) ||
	    !is_digit(text.p[2]) ||
	    (text.n > 3 && text.p[3] != ' ' && text.p[3] != '-'))
		return -1;
	if (g->lines > 0 && !view_eq(view_sub(text, 0, 3),
	    view_sub(buf_view(&g->reply), 0, 3)))
		return -1;
	return text.n == 3 || text.p[3] == ' ';
}

static int greeting(struct gate *g, struct buf *to_client)
{
	struct view all = buf_view(&g->reply);
	bool is_ok = view_istarts(all, "220");

	if (!is_ok)
		g->why = "the backend refuses the client";
	if (!is_ok && g->is_fresh) /* in the place of an answer to EHLO */
		buf_printf(to_client, "421 4.3.2 %s\r\n", g->hostname);
	else if (!g->is_fresh)
		buf_putv(to_client, all);
	return is_ok ? 0 : -1;
}

static bool is_hidden(const struct gate *g, struct view keyword)
{
	/* BDAT: nobody could tell its message from commands */
	static const char *const never[] = { "STARTTLS", "XCLIENT",
		"XFORWARD", "CHUNKING", "BINARYMIME", NULL };

	if (gate_is_one_of(keyword, never))
		return true;
	return g->must && !g->is_tls && (view_ieq_str(keyword, "AUTH") ||
	    view_istarts(keyword, "AUTH="));
}

/* "250-SIZE 100" without its end; the hyphen is a blank on the last one. */
static void put_line(struct view text, bool is_final, struct buf *to_client)
{
	buf_putv(to_client, view_sub(text, 0, 3));
	buf_putc(to_client, is_final ? ' ' : '-');
	if (text.n > 4)
		buf_putv(to_client, view_sub(text, 4, text.n - 4));
	buf_puts(to_client, "\r\n");
}

static void capabilities(const struct gate *g, struct buf *to_client)
{
	struct view v = buf_view(&g->reply), kept, text, rest;
	bool offers = g->offers && !g->is_tls;

	if (!view_istarts(v, "250")) {
		buf_putv(to_client, v);
		return;
	}
	kept = view_trim(gate_next_line(&v)); /* its name */
	while (v.n > 0) {
		text = view_trim(gate_next_line(&v));
		rest = view_sub(text, 4, text.n < 4 ? 0 : text.n - 4);
		if (is_hidden(g, gate_next_word(&rest)))
			continue;
		put_line(kept, false, to_client);
		kept = text;
	}
	put_line(kept, !offers, to_client);
	if (offers)
		buf_puts(to_client, "250 STARTTLS\r\n");
}

static void sorry(const char *hostname, const char *why,
    struct buf *to_client)
{
	buf_printf(to_client, "421 4.3.2 %s %s\r\n", hostname, why);
}

static void refuse(const char *why, struct buf *to_client)
{
	buf_printf(to_client, "554 5.7.0 %s\r\n", why);
}

const struct gate_protocol gate_smtp = {
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
