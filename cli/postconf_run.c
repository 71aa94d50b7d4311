/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postconf(1) as a process: found in fixed places, without shell or
 * environment, ended when it takes too long or says too much.
 */
#include "cli/postconf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/clock.h"

#define SECONDS 10

static const char *const places[] = {"/usr/sbin/postconf",
	"/usr/local/sbin/postconf", "/sbin/postconf", "/usr/bin/postconf"};

struct child {
	pid_t pid;
	int fd;
};

static const char *find_program(void)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

/* In the child: standard output and error into the pipe. */
static _Noreturn void run(const char *program, const char *dir,
    const char *what, int fd)
{
	char *argv[5] = {(char *)(uintptr_t)program, NULL, NULL, NULL, NULL};
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang[] =
	    "LC_ALL=C";
	char *env[] = {path, lang, NULL};
	char c[] = "-c";
	size_t n = 1;
	int null = open("/dev/null", O_RDONLY);

	if (dir != NULL) {
		argv[n++] = c;
		argv[n++] = (char *)(uintptr_t)dir;
	}
	argv[n] = (char *)(uintptr_t)what;
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(126);
	execve(program, argv, env);
	_exit(127);
}

static int start(struct child *c, const char *program, const char *dir,
    const char *what, struct err *e)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) != 0)
		return err_sys(e, FAIL_TEMP, "pipe");
	c->pid = fork();
	if (c->pid == 0)
		run(program, dir, what, pair[1]);
	close(pair[1]);
	c->fd = pair[0];
	if (c->pid > 0)
		return 0;
	close(pair[0]);
	return err_sys(e, FAIL_TEMP, "fork");
}

/* All that it says, until it ends. */
static int collect(int fd, struct buf *out, struct err *e)
{
	int64_t end = clock_ms() + SECONDS * 1000, left;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	unsigned char *room;
	ssize_t n = 1;

	while (n > 0 || (n < 0 && errno == EINTR)) {
		left = end - clock_ms();
		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return err_set(e, FAIL_CONFIG, "postconf: no answer "
			    "within %d seconds", SECONDS);
		room = buf_room(out, 65536);
		if (room == NULL)
			return buf_ok(out, e);
		n = read(fd, room, 65536);
		if (n > 0)
			out->n += (size_t)n;
	}
	return n == 0 ? 0 : err_sys(e, FAIL_TEMP, "postconf");
}

static int finish(struct child *c, const struct buf *out, int rc,
    struct err *e)
{
	char quoted[ERR_QUOTED];
	struct view said = buf_view(out);
	int status = 0;

	close(c->fd);
	if (rc != 0)
		(void)kill(c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (rc != 0)
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	said = view_sub(said, 0, view_chr(said, '\n', 0));
	return err_set(e, FAIL_CONFIG, "postconf fails: %s", err_quote(quoted,
	    sizeof(quoted), said.p, said.n));
}

static int run_one(const char *program, const char *dir, const char *what,
    struct buf *out, struct err *e)
{
	struct child c;

	buf_init(out, POSTCONF_TEXT);
	if (start(&c, program, dir, what, e) != 0)
		return -1;
	return finish(&c, out, collect(c.fd, out, e), e);
}

int postconf_read(struct postconf *p, const char *program, const char *dir,
    struct err *e)
{
	struct buf main_cf = {0}, master = {0}, override = {0};
	int rc = -1;

	if (program == NULL)
		program = find_program();
	if (program == NULL)
		return err_set(e, FAIL_CONFIG, "postconf is in none of the "
		    "usual places; --postconf PATH says where it is");
	if (run_one(program, dir, "-x", &main_cf, e) == 0 &&
	    run_one(program, dir, "-M", &master, e) == 0 &&
	    run_one(program, dir, "-Px", &override, e) == 0)
		rc = postconf_parse(p, buf_view(&main_cf), buf_view(&master),
		    buf_view(&override), e);
	buf_free(&main_cf);
	buf_free(&master);
	buf_free(&override);
	return rc;
}
