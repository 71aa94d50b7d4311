/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The process that starts backends.
 * May: fork, become the user that the configuration names, exec what it names.
 * May not: be told by a worker what to exec, or as whom.
 * Ends when: no worker has its socket any more; programs go on until their
 * own end.
 */
#include "relay/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/log.h"
#include "util/proc.h"

#define EXEC_WAIT_S 5	/* for the rest of a worker's message */
#define EXEC_POLL_MS 1000 /* then children are looked after */
#define EXEC_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:" \
	"/sbin:/bin"
#define EXIT_NOT_STARTED 111 /* as tcpserver: temporary */

struct launcher {
	const struct relay_config *c;
	uid_t *uid; /* by listener; 0: as we are */
	gid_t *gid;
	struct pollfd *poll;
	size_t n;
	size_t children;
};

bool exec_is_needed(const struct relay_config *c)
{
	for (size_t i = 0; i < c->listeners; i++)
		if (c->listener[i].backend.argv != NULL)
			return true;
	return false;
}

/* ---- the worker's side ---- */

int exec_start(int sock, const struct listener *l, struct view environment,
    int *fd, struct err *e)
{
	struct buf question;
	int pair[2], rc = -1;

	*fd = -1;
	if (sock < 0)
		return err_set(e, FAIL_BUG, "there is no process that starts "
		    "programs");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(e, FAIL_TEMP, "socketpair");
	buf_init(&question, EXEC_ENVIRONMENT + 16);
	ipc_put_u32(&question, (uint32_t)l->index);
	ipc_put_view(&question, environment);
	if (buf_ok(&question, e) == 0)
		rc = ipc_send(sock, buf_view(&question), &pair[1], 1, e);
	buf_free(&question);
	close(pair[1]);
	if (rc == 0)
		*fd = pair[0];
	else
		close(pair[0]);
	return rc;
}

/* ---- the process ---- */

struct request {
	const struct listener *l;
	char *env[EXEC_VALUES + 2]; /* into the message */
};

/* Only names that a worker has reason to give: LD_PRELOAD is none. */
static bool is_value(const char *s)
{
	static const char *const starts[] = { "PROTO=", "TCPREMOTEIP=",
		"TCPREMOTEPORT=", "TCPLOCALIP=", "TCPLOCALPORT=",
		"REMOTE_HOST=", "REMOTE_PORT=", "SSL_PROTOCOL=",
		"SSL_CIPHER=", "SSL_CIPHER_USEKEYSIZE=", "SSL_SERVER_NAME=",
		"SSL_CLIENT_VERIFY=", "SSL_CLIENT_S_DN=", "SSL_CLIENT_I_DN=",
		"SSL_CLIENT_S_DN_Email=" };

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (strncmp(s, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

static int read_environment(struct request *r, struct view v, struct err *e)
{
	static char path[] = EXEC_PATH;
	size_t n = 0, nul;

	r->env[n++] = path;
	while (v.n > 0) {
		nul = view_chr(v, '\0', 0);
		if (nul == (size_t)-1 || n > EXEC_VALUES ||
		    !is_value((const char *)v.p))
			return err_set(e, FAIL_BUG, "a worker asks for an "
			    "environment that is none");
		memcpy(&r->env[n++], &v.p, sizeof(v.p));
		v = view_sub(v, nul + 1, v.n - nul - 1);
	}
	r->env[n] = NULL;
	return 0;
}

/* question lives as long as r. */
static int read_request(struct request *r, const struct launcher *x,
    struct view question, struct err *e)
{
	struct view environment;
	uint32_t index;
	struct rd rd;

	rd_init(&rd, question);
	if (rd_u32(&rd, &index) != 0 || ipc_get_view(&rd, &environment) != 0 ||
	    rd_left(&rd) != 0)
		return err_set(e, FAIL_BUG, "a worker asks for a program in "
		    "words that are none");
	if (index >= x->c->listeners ||
	    x->c->listener[index].backend.argv == NULL)
		return err_set(e, FAIL_BUG, "a worker asks for a program that "
		    "listener %u does not have", (unsigned)index);
	r->l = &x->c->listener[index];
	return read_environment(r, environment, e);
}

static void __attribute__((noreturn)) not_started(const char *what,
    const char *why)
{
	log_err("event=exec-failed program=%s why=\"%s\"", what, why);
	_exit(EXIT_NOT_STARTED);
}

/* Descriptors 0 and 1 are the client, 2 is our log; no other is left. */
static int take_descriptors(int fd)
{
	if (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
		return -1;
	return close_range(STDERR_FILENO + 1, ~0u, 0);
}

static void forget_signals(void)
{
	struct sigaction sa;
	sigset_t none;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_DFL;
	for (int s = 1; s < NSIG; s++)
		(void)sigaction(s, &sa, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child. */
static void __attribute__((noreturn)) become(const struct launcher *x,
    const struct request *r, int fd)
{
	char **argv = r->l->backend.argv;
	uid_t uid = x->uid[r->l->index];
	struct err e;

	if (take_descriptors(fd) != 0)
		not_started(argv[0], strerror(errno));
	if (uid != 0 && proc_drop(uid, x->gid[r->l->index], &e) != 0)
		not_started(argv[0], e.msg);
	if (chdir("/") != 0 || setsid() < 0)
		not_started(argv[0], strerror(errno));
	forget_signals();
	execve(argv[0], argv, r->env);
	not_started(argv[0], strerror(errno));
}

static int start(struct launcher *x, const struct request *r, int fd,
    struct err *e)
{
	pid_t pid;

	if (x->children >= EXEC_CHILDREN)
		return err_set(e, FAIL_LIMIT, "%zu programs run already, no "
		    "more are started", x->children);
	pid = fork();
	if (pid < 0)
		return err_sys(e, FAIL_TEMP, "fork");
	if (pid == 0)
		become(x, r, fd);
	x->children++;
	return 0;
}

static void reap(struct launcher *x)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		if (x->children > 0)
			x->children--;
}

static void close_all(int *fds)
{
	for (size_t i = 0; i < IPC_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* One message of a worker; -1: it is gone, or not to be understood. */
static int serve(struct launcher *x, int sock, struct buf *question)
{
	int fds[IPC_FDS] = { -1, -1, -1, -1 };
	struct request r;
	struct err e;
	int rc;

	err_clear(&e);
	buf_clear(question);
	rc = ipc_recv(sock, question, fds, &e);
	if (rc == 1) {
		rc = fds[0] < 0 || fds[1] >= 0 ? err_set(&e, FAIL_BUG,
		    "a worker asks for a program without its socket") :
		    read_request(&r, x, buf_view(question), &e);
		if (rc == 0 && start(x, &r, fds[0], &e) != 0)
			log_warn("event=exec-refused why=\"%s\"", e.msg);
	} else
		rc = -1;
	close_all(fds);
	if (rc != 0 && e.kind != 0)
		log_warn("event=exec-worker why=\"%s\"", e.msg);
	return rc;
}

/* Until all are at their end. */
static int serve_all(struct launcher *x, struct err *e)
{
	size_t left = x->n;
	struct buf question;
	int rc = 0;

	buf_init_secret(&question, CAP_IPC);
	while (left > 0) {
		if (poll(x->poll, (nfds_t)x->n, EXEC_POLL_MS) < 0 &&
		    errno != EINTR) {
			rc = err_sys(e, FAIL_TEMP, "poll");
			break;
		}
		reap(x);
		for (size_t i = 0; i < x->n; i++) {
			if (x->poll[i].fd < 0 || x->poll[i].revents == 0)
				continue;
			x->poll[i].revents = 0;
			if (serve(x, x->poll[i].fd, &question) == 0)
				continue;
			close(x->poll[i].fd);
			x->poll[i].fd = -1;
			left--;
		}
	}
	buf_free(&question);
	return rc;
}

/* Who runs the program of l, and whether it is there. */
static int find_user(const struct relay_config *c, const struct listener *l,
    uid_t *uid, gid_t *gid, struct err *e)
{
	const struct backend *b = &l->backend;
	const char *user = b->user != NULL ? b->user : c->user;

	if (b->argv == NULL)
		return 0;
	if (access(b->argv[0], X_OK) != 0)
		return err_sys(e, FAIL_CONFIG, "listen %s: backend exec "
		    "\"%s\"", l->name, b->argv[0]);
	if (user != NULL && proc_user(user, uid, gid, e) != 0)
		return err_add(e, "listen %s: backend", l->name);
	if (user != NULL && *uid == 0)
		return err_set(e, FAIL_CONFIG, "listen %s: backend as user "
		    "root, wanted one without rights", l->name);
	if (user == NULL && geteuid() == 0)
		return err_set(e, FAIL_CONFIG, "listen %s: backend exec would "
		    "be root, wanted \"user\"", l->name);
	return 0;
}

/* While we can still read who they are. */
static int find_users(struct launcher *x, struct err *e)
{
	for (size_t i = 0; i < x->c->listeners; i++)
		if (find_user(x->c, &x->c->listener[i], &x->uid[i],
		    &x->gid[i], e) != 0)
			return -1;
	return 0;
}

int exec_check(const struct relay_config *c, struct err *e)
{
	uid_t uid;
	gid_t gid;

	for (size_t i = 0; i < c->listeners; i++)
		if (find_user(c, &c->listener[i], &uid, &gid, e) != 0)
			return -1;
	return 0;
}

/* One user for all of them: then we become it at once. */
static int give_up(const struct launcher *x, struct err *e)
{
	uid_t uid = 0;
	gid_t gid = 0;

	if (geteuid() != 0)
		return 0;
	for (size_t i = 0; i < x->c->listeners; i++) {
		if (x->c->listener[i].backend.argv == NULL)
			continue;
		if (uid != 0 && uid != x->uid[i])
			return 0;
		uid = x->uid[i];
		gid = x->gid[i];
	}
	if (uid == 0)
		return 0;
	if (proc_drop(uid, gid, e) != 0)
		return -1;
	proc_no_core(); /* a change of user undoes both */
	proc_die_with_parent();
	return 0;
}

static int make_ready(struct launcher *x, const int *sock, struct err *e)
{
	const struct timeval within = { .tv_sec = EXEC_WAIT_S };

	x->uid = calloc(x->c->listeners + 1, sizeof(*x->uid));
	x->gid = calloc(x->c->listeners + 1, sizeof(*x->gid));
	x->poll = calloc(x->n + 1, sizeof(*x->poll));
	if (x->uid == NULL || x->gid == NULL || x->poll == NULL)
		return err_set(e, FAIL_TEMP, "no memory");
	for (size_t i = 0; i < x->n; i++) {
		x->poll[i].fd = sock[i];
		x->poll[i].events = POLLIN;
		/* a worker that stops in mid-message holds up no other */
		(void)setsockopt(sock[i], SOL_SOCKET, SO_RCVTIMEO, &within,
		    sizeof(within));
	}
	if (find_users(x, e) != 0)
		return -1;
	return give_up(x, e);
}

int exec_run(const struct relay_config *c, const int *sock, size_t n,
    struct err *e)
{
	struct launcher x;
	int rc;

	memset(&x, 0, sizeof(x));
	x.c = c;
	x.n = n;
	(void)signal(SIGCHLD, SIG_DFL); /* ignored, nobody is counted out */
	rc = make_ready(&x, sock, e);
	if (rc == 0)
		rc = serve_all(&x, e);
	for (size_t i = 0; i < n; i++)
		if (x.poll == NULL || x.poll[i].fd >= 0)
			close(sock[i]);
	free(x.uid);
	free(x.gid);
	free(x.poll);
	return rc;
}
