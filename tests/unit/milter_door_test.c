/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Connections to doors, without a worker behind them: so whatever is right
 * with a message, it is answered with 451 after a moment.
 */
#include "milter/door_int.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/clock.h"
#include "util/log.h"

#define ROOM 8192
#define LIMIT 6
#define PATIENCE_MS 60000

static char dir[] = "/tmp/milter-door-XXXXXX";
static struct front front;
static struct stats stats;
static struct config conf;
static struct door door[2];
static struct door_socks socks;
static struct net anybody;

static void make_door(struct door *d, char *name, bool lmtp)
{
	static char next[] = "lmtp:unix:/nonexistent/next";
	struct buf b;

	buf_init(&b, 200);
	buf_printf(&b, "unix:%s/%s", dir, name);
	d->name = name;
	d->lmtp = lmtp;
	d->listen = view_strdup(buf_view(&b));
	assert_non_null(d->listen);
	buf_free(&b);
	d->listen_mode = 0600;
	d->next_hop = next;
	d->side = DOOR_INBOUND;
	d->client = &anybody;
	d->clients = 1;
	d->limit = LIMIT;
}

static int setup(void **state)
{
	static char lmtp[] = "lmtp", smtp[] = "smtp", id[] = "mx.example";
	struct ids ids = { (uid_t)-1, (gid_t)-1 };
	struct err e = { 0 };

	(void)state;
	log_init("test", LOG_L_ERR, 0);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(net_parse(&anybody, "0.0.0.0/0", &e), 0);
	make_door(&door[0], lmtp, true);
	make_door(&door[1], smtp, false);
	conf.door = door;
	conf.doors = 2;
	conf.authserv_id = id;
	if (doors_open(&conf, &ids, &socks, &e) != 0)
		fail_msg("%s", e.msg);
	assert_int_equal(front_init(&front, &stats, -1, &e), 0);
	front.deadline_ms = 50;
	front.progress_ms = 10;
	return doors_start(&front, &conf, &socks, &e);
}

static int teardown(void **state)
{
	(void)state;
	doors_remove(&socks);
	free(door[0].listen);
	free(door[1].listen);
	return rmdir(dir); /* no socket is left in it */
}

/* ---- a client ---- */

static int dial(const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	/* of the two doors that never change; "unix:" is not of the path */
	const char *path = door[strcmp(name, "smtp") == 0].listen + 5;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(view_cstr(view_of(path), sa.sun_path,
	    sizeof(sa.sun_path)), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)
	    &sa, sizeof(sa)), 0);
	return fd;
}

static void put(int fd, const char *s)
{
	assert_int_equal(send(fd, s, strlen(s), MSG_NOSIGNAL),
	    (ssize_t)strlen(s));
}

/* Replies until one begins with wanted, or the end: false. */
static bool hear(int fd, const char *wanted)
{
	char line[ROOM];
	size_t n = 0;

	while (n + 1 < sizeof(line) && recv(fd, line + n, 1, 0) == 1) {
		if (line[n++] != '\n')
			continue;
		line[n] = '\0';
		if (strncmp(line, wanted, strlen(wanted)) == 0)
			return true;
		n = 0;
	}
	return false;
}

static void ask(int fd, const char *s, const char *wanted)
{
	put(fd, s);
	if (!hear(fd, wanted))
		fail_msg("to %s: no %s", s, wanted);
}

static int to_data(bool lmtp, const char *rcpts)
{
	int fd = dial(lmtp ? "lmtp" : "smtp");

	assert_true(hear(fd, "220 postseal.mx.example "));
	ask(fd, lmtp ? "LHLO x\r\n" : "EHLO x\r\n", "250 XFORWARD ");
	ask(fd, "MAIL FROM:<a@a.example>\r\n", "250 2.1.0");
	ask(fd, rcpts, "250 2.1.5");
	ask(fd, "DATA\r\n", "354 ");
	return fd;
}

/* ---- tests ---- */

static void received_fields_are_counted(void **state)
{
	static const struct {
		const char *text;
		unsigned n;
	} c[] = {
		{ "", 0 },
		{ "Received: a\r\n", 1 },
		{ "RECEIVED:\r\nreceived: x\r\n", 2 },
		{ "Receive: a\r\nReceivedX: b\r\nX-Received: c\r\n", 0 },
		{ "Received-SPF: a\r\n", 0 },
		{ "X: y\r\n Received: folded\r\nReceived:z\r\n", 1 },
		{ "Received: a\r\n\r\nReceived: body\r\n", 1 },
		{ "\r\nReceived: body\r\n", 0 },
	};
	struct hop_count whole, h;
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		memset(&whole, 0, sizeof(whole));
		hop_count_put(&whole, view_of(c[i].text));
		assert_int_equal(whole.n, c[i].n);
		memset(&h, 0, sizeof(h));
		for (k = 0; c[i].text[k] != '\0'; k++)
			hop_count_put(&h, view_make(c[i].text + k, 1));
		assert_int_equal(h.n, c[i].n);
	}
}

static void M25_each_recipient_has_an_answer(void **state)
{
	int fd = to_data(true, "RCPT TO:<b@b.example>\r\n"
	    "RCPT TO:<c@b.example>\r\n");

	(void)state;
	ask(fd, "Subject: x\r\n\r\nx\r\n.\r\n", "451 4.3.");
	assert_true(hear(fd, "451 4.3."));
	ask(fd, "QUIT\r\n", "221 ");
	assert_false(hear(fd, "2"));
	close(fd);
	fd = to_data(false, "RCPT TO:<b@b.example>\r\n");
	ask(fd, "Subject: x\r\n\r\nx\r\n.\r\nNOOP\r\n", "451 4.3.");
	assert_true(hear(fd, "250 "));
	close(fd);
}

static void *one_message(void *arg)
{
	int fd = to_data(true, "RCPT TO:<b@b.example>\r\n");

	(void)arg;
	ask(fd, "Subject: x\r\n\r\nx\r\n.\r\n", "451 4.3.");
	close(fd);
	return NULL;
}

/* A place at the door; who has gone may hold his for a moment yet. */
static int let_in(void)
{
	int64_t until = clock_ms() + PATIENCE_MS;
	int fd;

	while (!hear(fd = dial("smtp"), "220 ")) {
		close(fd);
		assert_true(clock_ms() < until);
		(void)poll(NULL, 0, 5);
	}
	return fd;
}

/* More connections than there may be are told so, and later served. */
static void M45_many_at_once(void **state)
{
	pthread_t t[LIMIT - 1];
	int idle[LIMIT], fd, i;

	(void)state;
	for (i = 0; i < LIMIT - 1; i++)
		assert_int_equal(pthread_create(&t[i], NULL, one_message,
		    NULL), 0);
	for (i = 0; i < LIMIT - 1; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	for (i = 0; i < LIMIT; i++)
		idle[i] = let_in();
	fd = dial("smtp");
	assert_true(hear(fd, "421 4.3.2 Too many"));
	close(fd);
	for (i = 0; i < LIMIT; i++)
		close(idle[i]);
	close(let_in());
}

/* attack M10: a message above all limits, its SIZE not declared
 * verdict: 552 for each; the part of it that was kept goes nowhere */
static void M10_message_that_is_cut_is_refused(void **state)
{
	static char line[65536];
	int fd = to_data(true, "RCPT TO:<b@b.example>\r\n");
	uint64_t n, all = CAP_MESSAGE_DEFAULT + CAP_HEADER_SECTION + 2;

	(void)state;
	memset(line, 'x', sizeof(line) - 3);
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	put(fd, "Subject: x\r\n\r\n");
	for (n = 0; n < all; n += sizeof(line) - 1)
		put(fd, line);
	ask(fd, ".\r\n", "552 5.3.4");
	close(fd);
}

static void a_loop_is_refused(void **state)
{
	int fd = to_data(true, "RCPT TO:<b@b.example>\r\n"), i;

	(void)state;
	for (i = 0; i < 101; i++)
		put(fd, "Received: from a by b; now\r\n");
	ask(fd, "\r\nx\r\n.\r\n", "554 5.4.6");
	close(fd);
}

static void A44_a_bare_LF_closes(void **state)
{
	int fd = to_data(true, "RCPT TO:<b@b.example>\r\n");

	(void)state;
	ask(fd, "x\n.\r\nMAIL FROM:<e@e.example>\r\n.\r\n", "550 5.5.2");
	assert_false(hear(fd, ""));
	close(fd);
}

/* The last one: nobody is served after it. */
static void M18_a_stop_is_told(void **state)
{
	int idle = dial("lmtp"), fd = to_data(true,
	    "RCPT TO:<b@b.example>\r\n");

	(void)state;
	assert_true(hear(idle, "220 "));
	put(fd, "half");
	assert_true(doors_stop(clock_ms() + PATIENCE_MS));
	assert_true(hear(idle, "421 4.3.2"));
	assert_true(hear(fd, "421 4.3.2"));
	assert_false(hear(fd, ""));
	close(idle);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(received_fields_are_counted),
		cmocka_unit_test(M25_each_recipient_has_an_answer),
		cmocka_unit_test(M45_many_at_once),
		cmocka_unit_test(M10_message_that_is_cut_is_refused),
		cmocka_unit_test(a_loop_is_refused),
		cmocka_unit_test(A44_a_bare_LF_closes),
		cmocka_unit_test(M18_a_stop_is_told),
	};

	return cmocka_run_group_tests_name("milter_door", tests, setup,
	    teardown);
}
