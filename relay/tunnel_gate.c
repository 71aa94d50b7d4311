/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The part of a gate that is the same for POP3, IMAP and SMTP: lines, the
 * order of command and answer, and what must not stand behind STARTTLS.
 */
#include "relay/tunnel_gate_int.h"

#include <string.h>

static const struct gate_protocol *protocol_of(enum relay_protocol p)
{
	switch (p) {
	case RELAY_POP3:
		return &gate_pop3;
	case RELAY_IMAP:
		return &gate_imap;
	case RELAY_SMTP_TUNNEL:
		return &gate_smtp;
	default:
		return NULL;
	}
}

struct view gate_next_line(struct view *v)
{
	size_t lf = view_chr(*v, '\n', 0);
	size_t n = lf == (size_t)-1 ? v->n : lf + 1;
	struct view line = view_sub(*v, 0, n);

	*v = view_sub(*v, n, v->n - n);
	return line;
}

struct view gate_next_word(struct view *v)
{
	size_t from = 0, to;
	struct view word;

	while (from < v->n && (v->p[from] == ' ' || v->p[from] == '\t'))
		from++;
	to = from;
	while (to < v->n && v->p[to] != ' ' && v->p[to] != '\t')
		to++;
	word = view_sub(*v, from, to - from);
	*v = view_sub(*v, to, v->n - to);
	return word;
}

bool gate_is_one_of(struct view word, const char *const *of)
{
	for (; *of != NULL; of++)
		if (view_ieq_str(word, *of))
			return true;
	return false;
}

void gate_init(struct gate *g, enum relay_protocol p, enum listen_tls tls,
    const char *hostname)
{
	memset(g, 0, sizeof(*g));
	g->p = protocol_of(p);
	g->hostname = hostname;
	g->offers = tls == LISTEN_STARTTLS || tls == LISTEN_STARTTLS_MUST;
	g->must = tls == LISTEN_STARTTLS_MUST;
	g->is_tls = tls == LISTEN_IMPLICIT || tls == LISTEN_EXTERNAL;
	g->asks = ASKS_GREETING;
	buf_init(&g->reply, GATE_REPLY);
}

void gate_free(struct gate *g)
{
	buf_free(&g->reply);
}

void gate_sorry(enum relay_protocol p, const char *hostname, const char *why,
    struct buf *to_client)
{
	const struct gate_protocol *of = protocol_of(p);

	if (of != NULL)
		of->sorry(hostname, why, to_client);
}

void gate_refuse(enum relay_protocol p, const char *why,
    struct buf *to_client)
{
	const struct gate_protocol *of = protocol_of(p);

	if (of != NULL)
		of->refuse(why, to_client);
}

bool gate_may_open(const struct gate *g)
{
	return g->asks == ASKS_NOTHING && (g->is_tls || !g->must);
}

void gate_tls(struct gate *g, bool is_fresh)
{
	g->is_tls = true;
	g->is_fresh = is_fresh;
	g->asks = is_fresh ? ASKS_GREETING : ASKS_NOTHING;
	g->lines = 0;
	buf_clear(&g->reply);
}

static enum gate_step over(struct gate *g, const char *why)
{
	g->why = why;
	return GATE_CLOSE;
}

/* ---- the client ---- */

/* Before TLS a line ends in CRLF and has no other CR, LF or NUL: what one
 * side takes for a line, the other must as well (T63). */
static bool is_clean(struct view line)
{
	return line.n >= 2 && line.p[line.n - 2] == '\r' &&
	    view_chr(line, '\r', 0) == line.n - 2 &&
	    view_chr(line, '\0', 0) == (size_t)-1;
}

/* Other protocols, whose clients can be brought to talk to us (ALPACA), and
 * a header that this listener does not want (T66). */
static bool is_foreign(struct view line)
{
	static const char *const verbs[] = { "GET", "POST", "HEAD", "PUT",
		"OPTIONS", "CONNECT", "DELETE", "HOST:", "PROXY", NULL };

	return gate_is_one_of(gate_next_word(&line), verbs);
}

static enum gate_step no_line_yet(struct gate *g, struct view in,
    struct buf *to_client)
{
	if (in.n < GATE_LINE && (g->is_tls ||
	    view_chr(in, '\0', 0) == (size_t)-1))
		return GATE_MORE;
	if (in.n >= GATE_LINE && gate_may_open(g))
		return GATE_OPEN;
	g->p->syntax(g, to_client);
	return over(g, "no line of the protocol");
}

static enum gate_step begin_tls(struct gate *g, struct view behind,
    struct buf *to_client)
{
	if (behind.n > 0) { /* T7, A65 */
		g->p->syntax(g, to_client);
		return over(g, "octets behind the command that begins TLS");
	}
	g->p->go_ahead(g, to_client);
	return GATE_TLS;
}

/* Does no octet end a line, for anybody, but the last ones? */
static bool is_one_line(struct view line)
{
	size_t cr = view_chr(line, '\r', 0);

	return cr == (size_t)-1 || cr + 2 == line.n;
}

static enum gate_step ask(struct gate *g, enum gate_asks what,
    struct view line, struct buf *to_server)
{
	buf_putv(to_server, line);
	g->asks = what;
	return GATE_AGAIN;
}

static enum gate_step other(struct gate *g, struct view text, size_t *used,
    struct buf *to_client)
{
	if (gate_may_open(g)) {
		*used = 0;
		return GATE_OPEN;
	}
	g->p->must_tls(g, text, to_client);
	return GATE_AGAIN;
}

/* A line that is not to be taken for a command. */
static const char *unwanted(struct gate *g, struct view line)
{
	if (is_foreign(line))
		return "another protocol than this listener's";
	if (g->is_tls)
		return NULL;
	if (!is_clean(line) || line.n > GATE_LINE)
		return "no line of the protocol";
	return ++g->commands > GATE_COMMANDS ?
	    "too many commands before TLS" : NULL;
}

enum gate_step gate_client(struct gate *g, struct view in, size_t *used,
    struct buf *to_client, struct buf *to_server)
{
	struct view rest = in, line, text;

	*used = 0;
	if (g->asks != ASKS_NOTHING)
		return GATE_MORE;
	line = gate_next_line(&rest);
	if (line.n == 0 || line.p[line.n - 1] != '\n')
		return no_line_yet(g, line, to_client);
	g->why = unwanted(g, line);
	if (g->why != NULL) {
		g->p->syntax(g, to_client);
		return GATE_CLOSE;
	}
	*used = line.n;
	text = view_trim(line);
	switch (is_one_line(line) ? g->p->command(g, text, to_client) :
	    COMMAND_OTHER) {
	case COMMAND_ASKS:
		return ask(g, ASKS_CAPABILITIES, line, to_server);
	case COMMAND_PASSES:
		return ask(g, ASKS_OTHER, line, to_server);
	case COMMAND_ANSWERED:
		return GATE_AGAIN;
	case COMMAND_TLS:
		return begin_tls(g, rest, to_client);
	case COMMAND_ENDS:
		return over(g, "the client has enough");
	case COMMAND_OTHER:
		break;
	}
	return other(g, text, used, to_client);
}

/* ---- the daemon ---- */

/* The answer is whole. */
static enum gate_step answered(struct gate *g, struct buf *to_client)
{
	enum gate_asks asked = g->asks;
	enum gate_step step = GATE_AGAIN;

	g->asks = ASKS_NOTHING;
	if (asked == ASKS_GREETING) {
		if (g->p->greeting(g, to_client) != 0)
			step = GATE_CLOSE;
	} else if (asked == ASKS_CAPABILITIES)
		g->p->capabilities(g, to_client);
	else
		buf_putv(to_client, buf_view(&g->reply));
	g->lines = 0;
	g->is_fresh = false;
	buf_clear(&g->reply);
	return step;
}

enum gate_step gate_server(struct gate *g, struct view in, size_t *used,
    struct buf *to_client)
{
	struct view rest = in, line = gate_next_line(&rest);
	int last;

	*used = 0;
	if (line.n > GATE_LINE || g->reply.n + line.n > GATE_REPLY)
		return over(g, "the backend's answer has no end");
	if (line.n == 0 || line.p[line.n - 1] != '\n')
		return GATE_MORE;
	*used = line.n;
	if (g->asks == ASKS_NOTHING) {
		/* nobody asked: "-ERR too long idle" */
		buf_putv(to_client, line);
		return GATE_AGAIN;
	}
	last = g->p->is_last(g, line);
	if (last < 0)
		return over(g, "the backend does not speak the protocol");
	buf_putv(&g->reply, line);
	g->lines++;
	return last > 0 ? answered(g, to_client) : GATE_AGAIN;
}
