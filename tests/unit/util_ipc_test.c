/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Messages between processes read in few calls: one alone, and many at once.
 */
#include "util/proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static int sock[2];

static int setup(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_STREAM, 0, sock);
}

static int teardown(void **state)
{
	(void)state;
	close(sock[0]);
	if (sock[1] >= 0)
		close(sock[1]);
	return 0;
}

static void put(const char *octets, size_t n)
{
	assert_int_equal(send(sock[1], octets, n, 0), (ssize_t)n);
}

static void end(void)
{
	close(sock[1]);
	sock[1] = -1;
}

/* ---- one message alone ---- */

static void only_one_message_may_come(void **state)
{
	static const struct {
		const char *what;
		const char *octets;
		size_t n;
		int rc;
		enum fail kind;
	} row[] = {
		{ "nothing", "", 0, 0, 0 },
		{ "head cut", "\0\0", 2, -1, FAIL_TEMP },
		{ "payload cut", "\0\0\0\3ab", 6, -1, FAIL_TEMP },
		{ "an octet too much", "\0\0\0\3abcd", 8, -1, FAIL_BUG },
		{ "a second message", "\0\0\0\1a\0\0\0\1b", 10, -1,
		    FAIL_BUG },
		{ "something behind an empty one", "\0\0\0\0a", 5, -1,
		    FAIL_BUG },
		{ "too long", "\0\100\0\1a", 5, -1, FAIL_BUG },
		{ "right", "\0\0\0\3abc", 7, 1, 0 },
		{ "empty", "\0\0\0\0", 4, 1, 0 },
	};
	int fds[IPC_FDS];
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, CAP_IPC);
	for (i = 0; i < ARRAY_LEN(row); i++) {
		struct err e = { 0 };

		put(row[i].octets, row[i].n);
		end();
		if (ipc_recv_only(sock[0], &b, fds, &e) != row[i].rc ||
		    e.kind != row[i].kind)
			fail_msg("%s: %d %s", row[i].what, e.kind, e.msg);
		assert_int_equal(b.n, row[i].rc == 1 ? row[i].n - 4 : 0);
		assert_int_equal(fds[0], -1);
		if (row[i].rc == 1)
			assert_memory_equal(b.p, row[i].octets + 4, b.n);
		close(sock[0]);
		assert_int_equal(setup(NULL), 0);
	}
	buf_free(&b);
}

static void *send_large(void *arg)
{
	const struct buf *b = arg;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (ipc_send(sock[1], buf_view(b), &fd, 1, NULL) != 0)
		abort();
	close(fd);
	return NULL;
}

/* Around what is read at once, and far above it; with a descriptor. */
static void alone_of_any_size(void **state)
{
	static const size_t size[] = { 1, 31999, 32000, 32001, 200000,
		CAP_IPC };
	int fds[IPC_FDS];
	struct buf in, out;
	pthread_t t;
	size_t i, k;

	(void)state;
	buf_init(&in, CAP_IPC);
	buf_init(&out, CAP_IPC);
	for (i = 0; i < ARRAY_LEN(size); i++) {
		buf_clear(&out);
		for (k = 0; k < size[i]; k++)
			buf_putc(&out, (int)(k * 7 % 251));
		assert_int_equal(pthread_create(&t, NULL, send_large, &out),
		    0);
		assert_int_equal(ipc_recv_only(sock[0], &in, fds, NULL), 1);
		assert_int_equal(pthread_join(t, NULL), 0);
		assert_int_equal(in.n, size[i]);
		assert_memory_equal(in.p, out.p, in.n);
		assert_int_equal(in.p[in.n], 0);
		assert_true(fds[0] >= 0);
		assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
		close(fds[0]);
	}
	buf_free(&in);
	buf_free(&out);
}

/* ---- many at once ---- */

static void expect(struct ipc_stream *s, const char *text)
{
	struct view v;

	assert_int_equal(ipc_stream_next(sock[0], s, &v, NULL), 1);
	if (!view_eq_str(v, text))
		fail_msg("%.*s for %s", (int)v.n, (const char *)v.p, text);
}

static void many_in_one_read(void **state)
{
	struct ipc_stream s;
	struct view v;

	(void)state;
	ipc_stream_init(&s);
	assert_false(ipc_stream_has(&s));
	put("\0\0\0\1a\0\0\0\2bc\0\0\0\0\0\0\0\3d", 20);
	expect(&s, "a");
	assert_true(ipc_stream_has(&s));
	expect(&s, "bc");
	assert_true(ipc_stream_has(&s));
	expect(&s, "");
	assert_false(ipc_stream_has(&s));
	put("ef\0\0\0\1g", 7);
	expect(&s, "def");
	expect(&s, "g");
	end();
	assert_int_equal(ipc_stream_next(sock[0], &s, &v, NULL), 0);
	ipc_stream_free(&s);
	ipc_stream_free(&s);
}

static void a_stream_that_breaks(void **state)
{
	static const struct {
		const char *octets;
		size_t n;
		enum fail kind;
	} row[] = {
		{ "\0", 1, FAIL_TEMP },
		{ "\0\0\0\3ab", 6, FAIL_TEMP },
		{ "\0\100\0\1", 4, FAIL_BUG },
		{ "\377\377\377\377abc", 7, FAIL_BUG },
	};
	struct ipc_stream s;
	struct view v;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		struct err e = { 0 };

		ipc_stream_init(&s);
		put("\0\0\0\1a", 5);
		put(row[i].octets, row[i].n);
		end();
		expect(&s, "a");
		assert_int_equal(ipc_stream_next(sock[0], &s, &v, &e), -1);
		assert_int_equal(e.kind, row[i].kind);
		ipc_stream_free(&s);
		close(sock[0]);
		assert_int_equal(setup(NULL), 0);
	}
}

static void *send_all(void *arg)
{
	struct buf *b = arg;

	for (size_t n = 0; n < 400; n++)
		if (ipc_send(sock[1], view_sub(buf_view(b), 0, n * n), NULL, 0,
		    NULL) != 0)
			abort();
	return NULL;
}

static void a_stream_of_all_sizes(void **state)
{
	struct ipc_stream s;
	struct view v;
	struct buf b;
	pthread_t t;
	size_t n;

	(void)state;
	ipc_stream_init(&s);
	buf_init(&b, 400 * 400);
	for (n = 0; n < 400 * 400; n++)
		buf_putc(&b, (int)(n * 7 % 251));
	assert_int_equal(pthread_create(&t, NULL, send_all, &b), 0);
	for (n = 0; n < 400; n++) {
		assert_int_equal(ipc_stream_next(sock[0], &s, &v, NULL), 1);
		assert_int_equal(v.n, n * n);
		assert_memory_equal(v.p, b.p, v.n);
	}
	assert_int_equal(pthread_join(t, NULL), 0);
	ipc_stream_free(&s);
	buf_free(&b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(only_one_message_may_come),
		T(alone_of_any_size),
		T(many_in_one_read),
		T(a_stream_that_breaks),
		T(a_stream_of_all_sizes),
	};

	return cmocka_run_group_tests_name("util_ipc", tests, NULL, NULL);
}
