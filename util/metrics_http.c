/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * As little HTTP as a scraper needs.
 */
#include "util/metrics_http.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/clock.h"

#define FIRST 2	     /* descriptors before those of connections */
#define REST_MS 1000 /* where nothing can be accepted */

struct client {
	int fd;
	int64_t until_ms;
	struct buf in, out;
	size_t sent;
	bool is_answered;
	bool is_ended; /* nothing more comes from there */
};

struct server {
	const struct metrics_http *m;
	struct client client[METRICS_CONNECTIONS];
	size_t n;
	int64_t rests_until_ms;
};

/* ---- the request ---- */

static bool next_line(struct view *head, struct view *line)
{
	size_t end = view_chr(*head, '\n', 0);

	if (end == (size_t)-1)
		return false;
	*line = view_sub(*head, 0, end);
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	*head = view_sub(*head, end + 1, head->n);
	return true;
}

static bool next_word(struct view *line, struct view *word)
{
	size_t end = view_chr(*line, ' ', 0);

	if (end == (size_t)-1)
		end = line->n;
	*word = view_sub(*line, 0, end);
	*line = view_sub(*line, end + 1, line->n);
	return word->n > 0;
}

static bool is_page(struct view target)
{
	size_t end;

	/* RFC 9112 3.2.2: as to a proxy */
	if (view_istarts(target, "http://")) {
		end = view_chr(target, '/', 7);
		target = view_sub(target, end, target.n);
	}
	end = view_chr(target, '?', 0);
	return view_eq_str(view_sub(target, 0, end), "/metrics");
}

/* Fields that a request without a body may have; -1: none of HTTP. */
static int read_fields(struct view head, bool *has_host, bool *has_body)
{
	struct view line, name;
	size_t colon;

	while (next_line(&head, &line) && line.n > 0) {
		colon = view_chr(line, ':', 0);
		name = view_sub(line, 0, colon);
		if (colon == (size_t)-1 || colon == 0 ||
		    view_trim(name).n != colon)
			return -1;
		if (view_ieq_str(name, "Host"))
			*has_host = true;
		else if (view_ieq_str(name, "Transfer-Encoding") ||
		    (view_ieq_str(name, "Content-Length") && !view_eq_str(
		    view_trim(view_sub(line, colon + 1, line.n)), "0")))
			*has_body = true;
	}
	return 0;
}

int metrics_judge(struct view head, bool *is_head)
{
	struct view version, method, target;
	bool has_host = false, has_body = false, is_first;

	*is_head = false;
	if (view_chr(head, '\0', 0) != (size_t)-1 ||
	    !next_line(&head, &version) || !next_word(&version, &method) ||
	    !next_word(&version, &target) ||
	    view_chr(version, ' ', 0) != (size_t)-1 ||
	    !view_istarts(version, "HTTP/"))
		return 400;
	is_first = view_eq_str(version, "HTTP/1.0");
	if (!is_first && !view_eq_str(version, "HTTP/1.1"))
		return 505;
	if (read_fields(head, &has_host, &has_body) != 0 ||
	    (!has_host && !is_first))
		return 400;
	*is_head = view_eq_str(method, "HEAD");
	if (!*is_head && !view_eq_str(method, "GET"))
		return 405;
	if (has_body)
		return 413;
	return is_page(target) ? 200 : 404;
}

/* ---- the answer ---- */

static const char *reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} of[] = {
		{ 200, "OK" }, { 400, "Bad Request" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 413, "Content Too Large" },
		{ 431, "Request Header Fields Too Large" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ARRAY_LEN(of); i++)
		if (of[i].status == status)
			return of[i].reason;
	return "Internal Server Error";
}

static void answer(struct server *s, struct client *c, int status,
    bool is_head)
{
	struct buf text;

	buf_init(&text, METRICS_TEXT);
	if (status == 200)
		s->m->print(s->m->arg, &text);
	if (text.failed) {
		buf_clear(&text);
		status = 500;
	}
	buf_printf(&c->out, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n"
	    "Connection: close\r\n", status, reason(status), text.n);
	if (status == 200)
		buf_puts(&c->out, "Content-Type: text/plain; "
		    "version=0.0.4\r\n");
	else if (status == 405)
		buf_puts(&c->out, "Allow: GET, HEAD\r\n");
	buf_puts(&c->out, "\r\n");
	if (!is_head)
		buf_putv(&c->out, buf_view(&text));
	c->is_answered = true;
	buf_free(&text);
	buf_free(&c->in);
}

/* ---- connections ---- */

static void drop(struct server *s, size_t i)
{
	struct client *c = &s->client[i];

	close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	s->n--;
	memmove(c, c + 1, (s->n - i) * sizeof(*c));
}

/* The first one is the oldest. */
static void take_client(struct server *s)
{
	int fd = accept4(s->m->listen, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;

	if (fd == -1) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			s->rests_until_ms = clock_ms() + REST_MS;
		return;
	}
	if (s->n == METRICS_CONNECTIONS)
		drop(s, 0);
	c = &s->client[s->n++];
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->until_ms = clock_ms() + (s->m->ms > 0 ? s->m->ms : METRICS_MS);
	buf_init(&c->in, METRICS_HEAD);
	buf_init(&c->out, METRICS_TEXT + 1024);
}

static size_t end_of_head(struct view in)
{
	for (size_t at = view_chr(in, '\n', 0); at != (size_t)-1;
	    at = view_chr(in, '\n', at + 1)) {
		if (at + 1 < in.n && in.p[at + 1] == '\n')
			return at + 2;
		if (at + 2 < in.n && in.p[at + 1] == '\r' &&
		    in.p[at + 2] == '\n')
			return at + 3;
	}
	return 0;
}

/* What comes after the answer was begun is of no interest, but has to be read:
 * with it unread close() would take back the answer. -1: it is over. */
static int read_client(struct server *s, struct client *c)
{
	unsigned char some[4096];
	bool is_head = false;
	size_t end;
	ssize_t n = recv(c->fd, some, sizeof(some), 0);

	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0) {
		c->is_ended = true;
		return c->sent < c->out.n ? 0 : -1;
	}
	if (c->is_answered)
		return 0;
	buf_put(&c->in, some, (size_t)n);
	end = end_of_head(buf_view(&c->in));
	if (end > 0) {
		int status = metrics_judge(view_sub(buf_view(&c->in), 0, end),
		    &is_head);

		answer(s, c, status, is_head);
	} else if (c->in.failed) {
		answer(s, c, 431, false);
	}
	return c->out.failed ? -1 : 0;
}

static int write_client(struct client *c)
{
	ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent,
	    MSG_NOSIGNAL);

	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	c->sent += (size_t)n;
	if (c->sent < c->out.n)
		return 0;
	(void)shutdown(c->fd, SHUT_WR);
	return c->is_ended ? -1 : 0;
}

/* ---- all of them ---- */

static int prepare(const struct server *s, struct pollfd *p)
{
	int64_t now = clock_ms(), next = INT64_MAX;
	bool rests = now < s->rests_until_ms;

	p[0] = (struct pollfd){ .fd = s->m->parent, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = rests ? -1 : s->m->listen,
		.events = POLLIN };
	if (rests)
		next = s->rests_until_ms;
	for (size_t i = 0; i < s->n; i++) {
		const struct client *c = &s->client[i];

		p[FIRST + i] = (struct pollfd){ .fd = c->fd, .events =
			(short)((c->is_ended ? 0 : POLLIN) |
			(c->sent < c->out.n ? POLLOUT : 0)) };
		if (c->until_ms < next)
			next = c->until_ms;
	}
	if (next == INT64_MAX)
		return -1;
	return next <= now ? 0 : (int)(next - now);
}

/* From the last to the first: those that go move the ones behind them. */
static void serve_clients(struct server *s, const struct pollfd *p)
{
	int64_t now = clock_ms();

	for (size_t i = s->n; i-- > 0;) {
		struct client *c = &s->client[i];
		short what = p[FIRST + i].revents;
		int rc = now >= c->until_ms ? -1 : 0;

		if (c->is_ended && (what & (POLLHUP | POLLERR)) != 0)
			rc = -1;
		else if (rc == 0 && (what & (POLLIN | POLLHUP | POLLERR)) != 0)
			rc = read_client(s, c);
		if (rc == 0 && c->sent < c->out.n && (what & POLLOUT) != 0)
			rc = write_client(c);
		if (rc != 0)
			drop(s, i);
	}
}

int metrics_serve(const struct metrics_http *m, struct err *e)
{
	struct server s = { .m = m };
	struct pollfd p[FIRST + METRICS_CONNECTIONS];
	int rc = 0, ms;

	for (;;) {
		ms = prepare(&s, p);
		if (poll(p, FIRST + s.n, ms) == -1) {
			if (errno == EINTR)
				continue;
			rc = err_sys(e, FAIL_TEMP, "poll");
			break;
		}
		if (p[0].revents != 0)
			break;
		serve_clients(&s, p);
		if (p[1].revents != 0)
			take_client(&s);
	}
	while (s.n > 0)
		drop(&s, s.n - 1);
	return rc;
}
