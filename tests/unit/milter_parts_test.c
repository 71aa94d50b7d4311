/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The small parts of the processes: control messages, counters, the listening
 * socket, systemd's notifications, back-off.
 */
#include "milter/parent_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/clock.h"
#include "milter/ctl.h"
#include "milter/listen.h"
#include "util/notify.h"
#include "util/log.h"

/* ---- control messages ---- */

static void control_messages_that_are_malformed(void **state)
{
	static const char good[21] = "\1\0\0\0\1\0\0\0\2\0\0\0\3"
	    "\0\0\0\0\0\0\0\4";
	static const struct {
		const char *what;
		size_t n;
		char kind;
	} row[] = { { "empty", 0, 1 }, { "short", 20, 1 },
		{ "kind 0", 21, 0 }, { "kind beyond", 21, CTL_FETCH + 1 } };
	struct ctl m;
	char p[22];
	size_t i;
	int s[2];

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		memcpy(p, good, sizeof(good));
		p[0] = row[i].kind;
		assert_int_equal(child_pair(SOCK_STREAM, s, NULL), 0);
		assert_int_equal(ipc_send(s[0], view_make(p, row[i].n), &s[0],
		    1, NULL), 0);
		if (ctl_recv(s[1], &m, NULL) != -1)
			fail_msg("%s: taken", row[i].what);
		assert_int_equal(m.fd, -1);
		close(s[0]);
		close(s[1]);
	}
}

static void control_message_round_trip(void **state)
{
	struct ctl m = { .kind = CTL_GENERATION, .generation = 7,
		.number = 8, .waiting = 9, .max_message = 1ull << 40,
		.fd = 0 }, got;
	int s[2];

	(void)state;
	assert_int_equal(child_pair(SOCK_STREAM, s, NULL), 0);
	assert_int_equal(ctl_send(s[0], &m, NULL), 0);
	assert_int_equal(ctl_recv(s[1], &got, NULL), 1);
	assert_int_equal(got.kind, CTL_GENERATION);
	assert_int_equal(got.generation, 7);
	assert_int_equal(got.number, 8);
	assert_int_equal(got.waiting, 9);
	assert_true(got.max_message == 1ull << 40);
	assert_true(got.fd > 0);
	close(got.fd);
	m.fd = -1;
	assert_int_equal(ctl_send(s[0], &m, NULL), 0);
	assert_int_equal(ctl_recv(s[1], &got, NULL), 1);
	assert_int_equal(got.fd, -1);
	close(s[0]);
	assert_int_equal(ctl_recv(s[1], &got, NULL), 0);
	close(s[1]);
}

/* ---- counters ---- */

static void expect_line(const struct stats *st, const char *line)
{
	struct buf b;

	buf_init(&b, 1u << 20);
	stats_print(st, &b);
	assert_int_equal(buf_ok(&b, NULL), 0);
	if (strstr(buf_str(&b), line) == NULL)
		fail_msg("no line %s", line);
	buf_free(&b);
}

static void counters_as_prometheus_text(void **state)
{
	struct stats *st;
	int i;

	(void)state;
	assert_int_equal(stats_new(&st, NULL), 0);
	stats_message(st, 1, 1, 1000);	      /* le 0.001 */
	stats_message(st, 1, 1, 1001);	      /* le 0.0025 */
	stats_message(st, 0, 2, 999000000);   /* le +Inf */
	stats_message(st, 4, 0, 1);	      /* no such direction */
	stats_message(st, -1, 0, 1);
	stats_message(st, 0, 6, 1);	      /* no such action */
	expect_line(st, "\npostseal_messages_total{direction=\"outbound\","
	    "action=\"replaced\"} 2\n");
	expect_line(st, "\npostseal_messages_total{direction=\"mixed\","
	    "action=\"rejected\"} 1\n");
	expect_line(st, "_bucket{le=\"0.001\"} 1\n");
	expect_line(st, "_bucket{le=\"0.0025\"} 2\n");
	expect_line(st, "_bucket{le=\"250\"} 2\n");
	expect_line(st, "_bucket{le=\"+Inf\"} 3\n");
	expect_line(st, "\npostseal_message_seconds_count 3\n");
	expect_line(st, "\npostseal_message_seconds_sum 999.002001\n");
	for (i = 0; i < STATS_REPLIES + 5; i++)
		stats_reply(st, 500 + i, "5.7.1");
	stats_reply(st, 500, "5.7.1");
	stats_reply(st, 550, "an enhanced code that is too long");
	assert_int_equal(atomic_load(&st->replies), STATS_REPLIES);
	expect_line(st, "\npostseal_replies_total{reply=\"500 5.7.1\"} 2\n");
	stats_drop(&st);
	assert_null(st);
	stats_drop(&st);
}

/* ---- the listening socket ---- */

static char dir[64], path[100];

static int make_dir(void **state)
{
	(void)state;
	memcpy(dir, "/tmp/milter-test-XXXXXX", 24);
	assert_non_null(mkdtemp(dir));
	memcpy(path, dir, strlen(dir));
	memcpy(path + strlen(dir), "/s", 3);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

static int bind_there(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(view_cstr(view_of(path), sa.sun_path,
	    sizeof(sa.sun_path)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void M16_only_a_socket_that_nobody_answers_is_removed(void **state)
{
	struct err e = { 0 };
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(listen_clear_stale(path, &e), 0); /* none there */
	fd = bind_there();
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(listen_clear_stale(path, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	assert_int_equal(lstat(path, &st), 0);
	close(fd); /* its owner died: the file stays */
	assert_int_equal(listen_clear_stale(path, &e), 0);
	assert_int_equal(lstat(path, &st), -1);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(listen_clear_stale(path, &e), -1);
	assert_int_equal(lstat(path, &st), 0);
}

static void M16_public_listening_is_known(void **state)
{
	static const struct {
		const char *spec;
		bool is_public;
	} row[] = {
		{ "unix:/x", false }, { "local:/x", false },
		{ "inet:1@127.0.0.1", false }, { "inet:1@localhost", false },
		{ "inet6:1@::1", false }, { "inet6:1@[::1]", false },
		{ "inet:1@0.0.0.0", true }, { "inet:1", true },
		{ "inet6:1@::", true }, { "inet:1@192.0.2.1", true },
		{ "inet:1@localhost.example", true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++)
		if (listen_is_public(row[i].spec) != row[i].is_public)
			fail_msg("%s", row[i].spec);
	assert_string_equal(listen_path("unix:/a:b"), "/a:b");
	assert_null(listen_path("inet:1@unix:/x"));
}

/* ---- systemd ---- */

static void notifications_are_datagrams(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char got[200];
	ssize_t n;

	(void)state;
	assert_int_equal(view_cstr(view_of(path), sa.sun_path,
	    sizeof(sa.sun_path)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	unsetenv("NOTIFY_SOCKET");
	notify_send("READY=1"); /* nobody wants to know */
	setenv("NOTIFY_SOCKET", path, 1);
	notify_send("READY=1");
	n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
	assert_int_equal(n, 7);
	assert_memory_equal(got, "READY=1", 7);
	notify_reloading();
	n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	got[n] = '\0';
	assert_non_null(strstr(got, "RELOADING=1\nMONOTONIC_USEC="));
	unsetenv("NOTIFY_SOCKET");
	close(fd);
}

/* ---- back-off ---- */

static void back_off_grows_and_is_forgotten(void **state)
{
	struct backoff b = { 0 };
	int64_t now = clock_ms(), wait = 0, last = -1;
	int i;

	(void)state;
	assert_int_equal(backoff_next(&b, now), 0); /* the first at once */
	for (i = 0; i < 20; i++) {
		wait = backoff_next(&b, now);
		assert_true(wait >= last);
		assert_true(wait >= 100 && wait <= 10000);
		last = wait;
	}
	assert_int_equal(wait, 10000);
	assert_int_equal(backoff_next(&b, now - 20000), 0);
}

static void M17_users_for_children(void **state)
{
	char nobody[] = "nobody", root[] = "root", none[] = "no-such-user";
	struct config c = { 0 };
	struct err e = { 0 };
	struct ids ids;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(child_ids(&c, ROLE_FRONT, &ids, &e), -1); /* M17 */
	c.user = root;
	assert_int_equal(child_ids(&c, ROLE_FRONT, &ids, &e), -1);
	c.user = none;
	assert_int_equal(child_ids(&c, ROLE_FRONT, &ids, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	c.user = nobody;
	assert_int_equal(child_ids(&c, ROLE_FRONT, &ids, &e), 0);
	assert_true(ids.uid != 0 && ids.uid != (uid_t)-1);
	c.keys_user = root;
	assert_int_equal(child_ids(&c, ROLE_WORKER, &ids, &e), 0);
	assert_int_equal(child_ids(&c, ROLE_KEYS, &ids, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_messages_that_are_malformed),
		cmocka_unit_test(control_message_round_trip),
		cmocka_unit_test(counters_as_prometheus_text),
		cmocka_unit_test_setup_teardown(
		    M16_only_a_socket_that_nobody_answers_is_removed,
		    make_dir, remove_dir),
		cmocka_unit_test(M16_public_listening_is_known),
		cmocka_unit_test_setup_teardown(notifications_are_datagrams,
		    make_dir, remove_dir),
		cmocka_unit_test(back_off_grows_and_is_forgotten),
		cmocka_unit_test(M17_users_for_children),
	};

	log_init("milter_parts", LOG_L_ERR, 0);
	return cmocka_run_group_tests_name("milter_parts", tests, NULL, NULL);
}
