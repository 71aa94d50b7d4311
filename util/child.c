/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The first steps of a process.
 */
#include "util/child.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "util/log.h"

int child_user(const char *user, const char *where, struct ids *out,
    struct err *e)
{
	out->uid = (uid_t)-1;
	out->gid = (gid_t)-1;
	if (user == NULL && geteuid() == 0)
		return err_set(e, FAIL_CONFIG, "started by root: say in "
		    "%s who it runs as, \"user NAME\"", where);
	if (user == NULL)
		return 0;
	if (proc_user(user, &out->uid, &out->gid, e) != 0)
		return -1;
	if (out->uid == 0)
		return err_set(e, FAIL_CONFIG, "user %s: that is root, a user "
		    "without rights is wanted", user);
	if (geteuid() != 0 && geteuid() != out->uid)
		return err_set(e, FAIL_CONFIG, "user %s: to become that it "
		    "must be started by root", user);
	return 0;
}

/* Close all descriptors from 3 on but those in keep. */
static void close_others(const int *keep, size_t n)
{
	unsigned from = 3;
	int next;
	size_t i;

	for (;;) {
		next = -1;
		for (i = 0; i < n; i++)
			if (keep[i] >= (int)from &&
			    (next < 0 || keep[i] < next))
				next = keep[i];
		if (next < 0)
			break;
		if ((unsigned)next > from)
			(void)close_range(from, (unsigned)next - 1, 0);
		from = (unsigned)next + 1;
	}
	(void)close_range(from, ~0u, 0);
}

void child_start(const struct child_start *s)
{
	static const int own[] = { SIGHUP, SIGINT, SIGTERM, SIGUSR1 };
	static char title[64];
	struct buf b;
	sigset_t none;
	size_t i;

	(void)setpgid(0, 0);
	/* A signal for all of a service is the parent's business: they end
	 * when their sockets close. */
	for (i = 0; i < ARRAY_LEN(own); i++)
		(void)signal(own[i], s->takes_signals ? SIG_DFL : SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* else the log would be written to whatever gets its number */
	closelog();
	close_others(s->keep, s->keeps);
	log_set_name(s->program);
	buf_init(&b, sizeof(title) - 1);
	buf_printf(&b, "%s: %s", s->program, s->what);
	memcpy(title, buf_str(&b), b.n + 1);
	buf_free(&b);
	proc_title(title);
}

void child_drop(const struct ids *ids)
{
	struct err e = { 0 };

	if (ids->uid != (uid_t)-1 && proc_drop(ids->uid, ids->gid, &e) != 0) {
		log_err("event=start error=\"%s\"", e.msg);
		_exit(EX_CONFIG);
	}
	proc_no_core();
	proc_die_with_parent();
}

bool child_chroot(const char *dir)
{
	struct err e = { 0 };

	if (geteuid() != 0)
		return false;
	if (chroot(dir) == 0 && chdir("/") == 0)
		return true;
	(void)err_sys(&e, FAIL_CONFIG, "%s", dir);
	log_warn("event=start chroot=none reason=\"%s\"", e.msg);
	return false;
}

void child_sandbox(enum sandbox kind)
{
	struct err e = { 0 };

	if (proc_sandbox(kind, &e) != 0)
		log_warn("event=start sandbox=none reason=\"%s\"", e.msg);
}

int child_pair(int type, int sock[2], struct err *e)
{
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sock) != 0)
		return err_sys(e, FAIL_TEMP, "socketpair");
	return 0;
}

pid_t child_fork(int *ctl, struct err *e)
{
	int pair[2], ours;
	pid_t pid;

	if (child_pair(SOCK_STREAM, pair, e) != 0)
		return -1;
	pid = fork();
	if (pid < 0) {
		(void)err_sys(e, FAIL_TEMP, "fork");
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	ours = pid == 0 ? 1 : 0;
	close(pair[1 - ours]);
	*ctl = pair[ours];
	return pid;
}

int child_signals(int *fd, struct err *e)
{
	sigset_t s;

	(void)sigemptyset(&s);
	(void)sigaddset(&s, SIGHUP);
	(void)sigaddset(&s, SIGTERM);
	(void)sigaddset(&s, SIGINT);
	(void)sigaddset(&s, SIGCHLD);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &s, NULL) != 0)
		return err_sys(e, FAIL_TEMP, "sigprocmask");
	*fd = signalfd(-1, &s, SFD_CLOEXEC | SFD_NONBLOCK);
	return *fd < 0 ? err_sys(e, FAIL_TEMP, "signalfd") : 0;
}

int child_next_signal(int fd)
{
	struct signalfd_siginfo si;

	return read(fd, &si, sizeof(si)) == (ssize_t)sizeof(si) ?
	    (int)si.ssi_signo : 0;
}
