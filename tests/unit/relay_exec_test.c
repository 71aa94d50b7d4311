/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of relay/exec.c: the process that starts backends, asked by a worker
 * that is honest, and by one that is not any more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/exec.h"
#include "util/log.h"
#include "util/proc.h"

static char sh[] = "/bin/sh", dash_c[] = "-c", nobody[] = "nobody",
    daemon_user[] = "daemon";
/* What a program finds: its user, descriptors, arguments, environment. */
static char script[] = "echo user $(id -u); for f in 0 1 2 3 4 5 6 7 8 9; "
	"do test -e /proc/$$/fd/$f && echo fd $f; done; pwd; read x; "
	"echo got $x; env";
static char ends[] = "cat; exit 3";
static char *argv_show[] = { sh, dash_c, script, NULL };
static char *argv_cat[] = { sh, dash_c, ends, NULL };

static struct listener listeners[3];
static struct relay_config config;

struct world {
	pid_t pid;
	int sock; /* the worker's */
};

static void make_config(void)
{
	memset(listeners, 0, sizeof(listeners));
	memset(&config, 0, sizeof(config));
	for (size_t i = 0; i < 3; i++)
		listeners[i].index = i;
	listeners[0].backend.argv = argv_show;
	listeners[1].backend.argv = argv_cat;
	if (geteuid() == 0)
		config.user = nobody;
	config.listener = listeners;
	config.listeners = 3;
}

/* As the configuration is. */
static void start_again(struct world *w)
{
	int pair[2];
	struct err e;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	fflush(NULL);
	w->pid = fork();
	assert_true(w->pid >= 0);
	if (w->pid == 0) {
		close(pair[0]);
		(void)open("/dev/null", O_RDONLY); /* for nobody below */
		_exit(exec_run(&config, &pair[1], 1, &e) == 0 ? 0 : 1);
	}
	close(pair[1]);
	w->sock = pair[0];
}

static void start(struct world *w)
{
	make_config();
	start_again(w);
}

static int stop(struct world *w)
{
	int status = -1;

	close(w->sock);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	return status;
}

/* All that comes until the end, which must come. */
static void read_all(int fd, struct buf *b)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned char some[1000];
	ssize_t n;

	buf_init(b, 100000);
	for (;;) {
		assert_int_equal(poll(&p, 1, 20000), 1);
		n = read(fd, some, sizeof(some));
		if (n <= 0)
			break;
		buf_put(b, some, (size_t)n);
	}
	close(fd);
}

static void put(struct buf *b, const char *value)
{
	buf_put(b, value, strlen(value) + 1);
}

static bool has_line(const struct buf *b, const char *line)
{
	struct buf l;
	bool found;

	buf_init(&l, 1000);
	buf_printf(&l, "\n%s\n", line);
	found = strstr(buf_str(b), buf_str(&l)) != NULL;
	buf_free(&l);
	return found;
}

static void T69_a_program_gets_socket_user_and_environment(void **state)
{
	struct world w;
	struct buf env, out;
	uid_t uid = geteuid();
	gid_t gid;
	struct buf line;
	struct err e;
	int fd = -1;

	(void)state;
	start(&w);
	buf_init(&env, EXEC_ENVIRONMENT);
	put(&env, "PROTO=TCP");
	put(&env, "TCPREMOTEIP=192.0.2.7");
	assert_int_equal(exec_start(w.sock, &listeners[0], buf_view(&env),
	    &fd, &e), 0);
	assert_int_equal(io_write_all(fd, "hello\n", 6, &e), 0);
	read_all(fd, &out);
	if (uid == 0)
		assert_int_equal(proc_user(nobody, &uid, &gid, &e), 0);
	buf_init(&line, 100);
	buf_printf(&line, "user %u\n", (unsigned)uid);
	assert_memory_equal(out.p, line.p, line.n);
	assert_true(has_line(&out, "fd 1\nfd 2\n/"));
	assert_true(has_line(&out, "/"));
	assert_true(has_line(&out, "got hello"));
	assert_true(has_line(&out, "PROTO=TCP"));
	assert_true(has_line(&out, "TCPREMOTEIP=192.0.2.7"));
	assert_null(strstr(buf_str(&out), "HOME="));
	buf_free(&line);
	buf_free(&out);
	buf_free(&env);
	assert_int_equal(stop(&w), 0);
}

static void each_program_is_its_own_user(void **state)
{
	static char *const of[] = { nobody, daemon_user };
	struct buf out, line;
	struct world w;
	struct err e;
	uid_t uid;
	gid_t gid;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	make_config();
	for (size_t i = 0; i < 2; i++) {
		listeners[i].backend.argv = argv_show;
		listeners[i].backend.user = of[i];
	}
	start_again(&w);
	buf_init(&line, 100);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(exec_start(w.sock, &listeners[i],
		    view_make(NULL, 0), &fd, &e), 0);
		assert_int_equal(shutdown(fd, SHUT_WR), 0);
		read_all(fd, &out);
		assert_int_equal(proc_user(of[i], &uid, &gid, &e), 0);
		buf_clear(&line);
		buf_printf(&line, "user %u\n", (unsigned)uid);
		assert_memory_equal(out.p, line.p, line.n);
		buf_free(&out);
	}
	buf_free(&line);
	assert_int_equal(stop(&w), 0);
}

static void several_run_at_once_and_outlive_the_worker(void **state)
{
	struct view none = view_make(NULL, 0);
	struct world w;
	struct buf out;
	struct err e;
	int fd[5];

	(void)state;
	start(&w);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(exec_start(w.sock, &listeners[1], none,
		    &fd[i], &e), 0);
	assert_int_equal(stop(&w), 0);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(io_write_all(fd[i], "abc", 3, &e), 0);
		assert_int_equal(shutdown(fd[i], SHUT_WR), 0);
		read_all(fd[i], &out);
		assert_string_equal(buf_str(&out), "abc");
		buf_free(&out);
	}
}

/* Ask for anything; what the other end of the socket hears. */
static void ask(uint32_t index, const char *values, size_t n, bool with_fd)
{
	struct world w;
	struct buf q, out;
	struct err e;
	int pair[2];

	start(&w);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	buf_init(&q, 1u << 20);
	ipc_put_u32(&q, index);
	ipc_put_view(&q, view_make(values, n));
	assert_int_equal(ipc_send(w.sock, buf_view(&q), &pair[1], with_fd,
	    &e), 0);
	close(pair[1]);
	read_all(pair[0], &out);
	assert_int_equal(out.n, 0);
	buf_free(&out);
	buf_free(&q);
	/* and that worker is not listened to any more */
	assert_int_equal(recv(w.sock, &(char){ 0 }, 1, 0), 0);
	assert_int_equal(stop(&w), 0);
}

/* A worker that was taken over asks for another program, for a library to be
 * loaded, or without a socket. */
static void T72_nothing_but_the_configuration_is_started(void **state)
{
	char many[40 * 8];

	(void)state;
	ask(2, "", 0, true);  /* has no program */
	ask(3, "", 0, true);  /* is no listener */
	ask(0xffffffffu, "", 0, true);
	ask(0, "LD_PRELOAD=/tmp/x", 18, true);
	ask(0, "PATH=/tmp\0", 10, true);
	ask(0, "PROTO", 6, true);
	ask(0, "PROTO=TCP", 9, true); /* without its NUL */
	ask(0, "PROTO=TCP", 10, false);
	for (size_t i = 0; i < 40; i++)
		memcpy(many + 8 * i, "PROTO=X", 8);
	ask(0, many, 8 * (EXEC_VALUES + 1), true);
}

static void a_program_that_is_not_there_is_no_configuration(void **state)
{
	char missing[] = "/nowhere/popd", root[] = "root";
	char *argv[] = { missing, NULL };
	int pair[2];
	struct err e;

	(void)state;
	make_config();
	assert_false(exec_is_needed(&(struct relay_config){ 0 }));
	assert_true(exec_is_needed(&config));
	listeners[0].backend.argv = argv;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(exec_run(&config, &pair[1], 1, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	assert_non_null(strstr(e.msg, "/nowhere/popd"));
	assert_int_equal(recv(pair[0], &(char){ 0 }, 1, 0), 0); /* taken */
	close(pair[0]);
	listeners[0].backend.argv = argv_show;
	listeners[0].backend.user = root;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(exec_run(&config, &pair[1], 1, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	close(pair[0]);
}

static void without_its_process_nothing_is_started(void **state)
{
	struct err e;
	int fd = 5;

	(void)state;
	make_config();
	assert_int_equal(exec_start(-1, &listeners[0], view_make(NULL, 0),
	    &fd, &e), -1);
	assert_int_equal(fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    T69_a_program_gets_socket_user_and_environment),
		cmocka_unit_test(each_program_is_its_own_user),
		cmocka_unit_test(several_run_at_once_and_outlive_the_worker),
		cmocka_unit_test(
		    T72_nothing_but_the_configuration_is_started),
		cmocka_unit_test(
		    a_program_that_is_not_there_is_no_configuration),
		cmocka_unit_test(without_its_process_nothing_is_started),
	};

	log_init("relay_exec_test", LOG_L_ERR, 0);
	return cmocka_run_group_tests_name("relay_exec", tests, NULL, NULL);
}
