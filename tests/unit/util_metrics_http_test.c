/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The metrics address: each request gets its status and the end of its
 * connection, and whoever holds one loses it.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/metrics_http.h"

#define WAIT_MS 60000
#define LONG_MS 60000
#define PAGE "GET /metrics HTTP/1.1\r\nHost: a\r\n"

/* ---- requests ---- */

static void each_request_has_its_status(void **state)
{
	static const struct {
		const char *head;
		int status;
	} row[] = {
		{ PAGE "\r\n", 200 },
		{ "GET /metrics HTTP/1.0\r\n\r\n", 200 },
		{ "GET /metrics HTTP/1.0\n\n", 200 },
		{ "HEAD /metrics HTTP/1.1\r\nhost:\r\n\r\n", 200 },
		{ "GET /metrics?x=/y HTTP/1.1\r\nHost: a\r\n\r\n", 200 },
		{ "GET http://a:1/metrics HTTP/1.1\r\nHost: a\r\n\r\n", 200 },
		{ PAGE "Content-Length: 0\r\n\r\n", 200 },
		{ PAGE "Content-Length: 1\r\n\r\n", 413 },
		{ PAGE "content-length: 00\r\n\r\n", 413 },
		{ PAGE "Content-Length: 0, 5\r\n\r\n", 413 },
		{ PAGE "Transfer-Encoding: chunked\r\n\r\n", 413 },
		{ "POST /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 405 },
		{ "get /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 405 },
		{ "HEADS /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 405 },
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 404 },
		{ "GET /metrics/ HTTP/1.1\r\nHost: a\r\n\r\n", 404 },
		{ "GET /metric HTTP/1.1\r\nHost: a\r\n\r\n", 404 },
		{ "GET //metrics HTTP/1.1\r\nHost: a\r\n\r\n", 404 },
		{ "GET /%6detrics HTTP/1.1\r\nHost: a\r\n\r\n", 404 },
		{ "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", 404 },
		{ "GET /metrics HTTP/1.1\r\n\r\n", 400 },
		{ "GET /metrics\r\n\r\n", 400 },
		{ "GET  /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET /metrics HTTP/1.1 \r\nHost: a\r\n\r\n", 400 },
		{ "GET /metrics HTTP/1.1 x\r\nHost: a\r\n\r\n", 400 },
		{ "GET /metrics HTCP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ PAGE " folded: x\r\n\r\n", 400 },
		{ PAGE "a : x\r\n\r\n", 400 },
		{ PAGE ": x\r\n\r\n", 400 },
		{ PAGE "x\r\n\r\n", 400 },
		{ "\r\n\r\n", 400 },
		{ "GET /metrics HTTP/2.0\r\n\r\n", 505 },
		{ "GET /metrics HTTP/1.10\r\n\r\n", 505 },
		{ "PRI * HTTP/2.0\r\n\r\n", 505 },
	};
	bool is_head;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		int status = metrics_judge(view_of(row[i].head), &is_head);

		if (status != row[i].status)
			fail_msg("%d, wanted %d: %s", status, row[i].status,
			    row[i].head);
		assert_int_equal(is_head, row[i].head[0] == 'H' &&
		    row[i].head[4] == ' ');
	}
	assert_int_equal(metrics_judge(view_make("GET /metrics HTTP/1.0\r\n"
	    "a: \0\r\n\r\n", 31), &is_head), 400);
}

/* ---- a server ---- */

struct world {
	struct metrics_http m;
	struct sockaddr_un sa;
	socklen_t sa_len;
	int parent;
	size_t size; /* of the text; 0: a short one */
	int prints, rc;
	pthread_t thread;
};

static void print(void *arg, struct buf *out)
{
	struct world *w = arg;

	w->prints++;
	if (w->size == 0)
		buf_puts(out, "postseal_x 1\n");
	for (size_t i = 0; i < w->size; i++)
		buf_putc(out, 'x');
}

static void *run(void *arg)
{
	struct world *w = arg;
	struct err e;

	w->rc = metrics_serve(&w->m, &e);
	return NULL;
}

static void begin(struct world *w, int ms, size_t size)
{
	int pair[2];

	memset(w, 0, sizeof(*w));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	w->parent = pair[1];
	w->size = size;
	w->rc = 1;
	w->sa.sun_family = AF_UNIX; /* with a name that the kernel chooses */
	w->sa_len = sizeof(w->sa);
	w->m = (struct metrics_http){ .parent = pair[0], .ms = ms,
		.print = print, .arg = w,
		.listen = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0) };
	assert_int_equal(bind(w->m.listen, (struct sockaddr *)&w->sa,
	    sizeof(sa_family_t)), 0);
	assert_int_equal(getsockname(w->m.listen, (struct sockaddr *)&w->sa,
	    &w->sa_len), 0);
	assert_int_equal(listen(w->m.listen, 64), 0);
	assert_int_equal(pthread_create(&w->thread, NULL, run, w), 0);
}

static void end(struct world *w)
{
	close(w->parent);
	assert_int_equal(pthread_join(w->thread, NULL), 0);
	assert_int_equal(w->rc, 0);
	close(w->m.parent);
	close(w->m.listen);
}

static int call(const struct world *w, const char *text)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&w->sa,
	    w->sa_len), 0);
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
	    strlen(text));
	return fd;
}

/* All that comes until the end of the connection, which must come. */
static void hear(int fd, struct buf *said)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char some[65536];
	ssize_t n = 1;

	buf_init(said, METRICS_TEXT + 65536);
	while (n > 0) {
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		n = recv(fd, some, sizeof(some), 0);
		if (n > 0)
			buf_put(said, some, (size_t)n);
	}
	assert_false(said->failed);
	close(fd);
}

static void check_said(const struct world *w, const char *text,
    const char *wanted)
{
	struct buf said;

	hear(call(w, text), &said);
	assert_string_equal(buf_str(&said), wanted);
	buf_free(&said);
}

static void a_request_gets_its_answer_and_the_end(void **state)
{
	struct world w;

	(void)state;
	begin(&w, LONG_MS, 0);
	check_said(&w, PAGE "\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 13"
	    "\r\nConnection: close\r\nContent-Type: text/plain; "
	    "version=0.0.4\r\n\r\npostseal_x 1\n");
	check_said(&w, "HEAD /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n"
	    "Content-Length: 13\r\nConnection: close\r\nContent-Type: "
	    "text/plain; version=0.0.4\r\n\r\n");
	check_said(&w, "PUT /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 405 Method "
	    "Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n"
	    "Allow: GET, HEAD\r\n\r\n");
	check_said(&w, "GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 404 Not Found\r\n"
	    "Content-Length: 0\r\nConnection: close\r\n\r\n");
	/* one request a connection, whatever comes behind it */
	check_said(&w, "GET / HTTP/1.0\r\n\r\n" PAGE "\r\n" PAGE "\r\n",
	    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"
	    "Connection: close\r\n\r\n");
	end(&w);
	assert_int_equal(w.prints, 2);
}

static void one_that_says_it_is_done_gets_its_answer(void **state)
{
	struct world w;
	struct buf said;
	int fd;

	(void)state;
	begin(&w, LONG_MS, METRICS_TEXT);
	fd = call(&w, PAGE "\r\n");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	hear(fd, &said);
	assert_true(said.n > METRICS_TEXT);
	buf_free(&said);
	/* half a request, and gone */
	fd = call(&w, PAGE);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	hear(fd, &said);
	assert_int_equal(said.n, 0);
	buf_free(&said);
	end(&w);
}

static void a_text_beyond_the_cap_is_an_error(void **state)
{
	struct world w;

	(void)state;
	begin(&w, LONG_MS, METRICS_TEXT + 1);
	check_said(&w, PAGE "\r\n", "HTTP/1.1 500 Internal Server Error\r\n"
	    "Content-Length: 0\r\nConnection: close\r\n\r\n");
	end(&w);
}

static void a_head_without_an_end(void **state)
{
	static const struct {
		size_t n;
		const char *says;
	} row[] = { { METRICS_HEAD, "HTTP/1.1 200" },
		{ METRICS_HEAD + 1, "HTTP/1.1 431" },
		{ METRICS_HEAD * 4, "HTTP/1.1 431" } };
	struct world w;
	struct buf b;
	int fd;

	(void)state;
	begin(&w, LONG_MS, 0);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		buf_init(&b, 1u << 20);
		buf_puts(&b, PAGE "X: ");
		while (b.n < row[i].n - 4)
			buf_putc(&b, 'x');
		buf_puts(&b, "\r\n\r\n");
		fd = call(&w, buf_str(&b));
		buf_free(&b);
		hear(fd, &b);
		assert_true(view_istarts(buf_view(&b), row[i].says));
		buf_free(&b);
	}
	end(&w);
}

static void silent_connections_keep_nobody_out(void **state)
{
	int fd[METRICS_CONNECTIONS * 2];
	struct world w;
	struct buf said;

	(void)state;
	begin(&w, LONG_MS, 0);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		fd[i] = call(&w, "GET ");
	hear(call(&w, PAGE "\r\n"), &said);
	assert_true(view_istarts(buf_view(&said), "HTTP/1.1 200"));
	buf_free(&said);
	/* those are gone, without a word */
	for (size_t i = 0; i <= METRICS_CONNECTIONS; i++) {
		hear(fd[i], &said);
		assert_int_equal(said.n, 0);
		buf_free(&said);
	}
	for (size_t i = METRICS_CONNECTIONS + 1; i < ARRAY_LEN(fd); i++) {
		assert_int_equal(recv(fd[i], &said, 1, MSG_DONTWAIT), -1);
		assert_int_equal(errno, EAGAIN);
		close(fd[i]);
	}
	end(&w);
}

static void time_is_for_all_of_a_connection(void **state)
{
	struct world w;
	struct buf said;
	ssize_t n;
	int fd, unread;

	(void)state;
	begin(&w, 1500, METRICS_TEXT);
	unread = call(&w, PAGE "\r\n");
	fd = call(&w, "GET /");
	do {
		(void)poll(NULL, 0, 20);
		n = send(fd, "x", 1, MSG_NOSIGNAL);
	} while (n == 1);
	close(fd);
	hear(unread, &said); /* what the kernel had taken */
	assert_true(said.n < METRICS_TEXT);
	buf_free(&said);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_has_its_status),
		cmocka_unit_test(a_request_gets_its_answer_and_the_end),
		cmocka_unit_test(one_that_says_it_is_done_gets_its_answer),
		cmocka_unit_test(a_text_beyond_the_cap_is_an_error),
		cmocka_unit_test(a_head_without_an_end),
		cmocka_unit_test(silent_connections_keep_nobody_out),
		cmocka_unit_test(time_is_for_all_of_a_connection),
	};

	return cmocka_run_group_tests_name("util_metrics_http", tests, NULL,
	    NULL);
}
