/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of util/proc*.c: framing, files with secrets, the sandbox.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "util/proc.h"
#include "util/spool.h"

static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[128];
	struct buf b;

	buf_init(&b, sizeof(path) - 1);
	buf_printf(&b, "%s/%s", dir, name);
	assert_int_equal(view_cstr(buf_view(&b), path, sizeof(path)), 0);
	buf_free(&b);
	return path;
}

static int make_dir(void **state)
{
	static const char template[] = "/tmp/util_proc.XXXXXX";

	(void)state;
	memcpy(dir, template, sizeof(template));
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int remove_dir(void **state)
{
	static const char *const names[] = { "f", "g", "link", "big" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(names); i++)
		(void)unlink(in_dir(names[i]));
	return rmdir(dir);
}

static void pair(int s[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
}

static void ipc_malformed(void **state)
{
	static const struct {
		const char *p;
		size_t n;
		int rc;
		enum fail kind;
	} c[] = {
		{ "", 0, 0, 0 },
		{ "\0", 1, -1, FAIL_TEMP },
		{ "\0\0\0\x05" "abc", 7, -1, FAIL_TEMP },
		{ "\0\x40\0\x01", 4, -1, FAIL_BUG },
		{ "\xff\xff\xff\xff", 4, -1, FAIL_BUG },
	};
	int s[2], fds[IPC_FDS];
	struct err e;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, SIZE_MAX);
	for (i = 0; i < ARRAY_LEN(c); i++) {
		memset(&e, 0, sizeof(e));
		pair(s);
		assert_int_equal(write(s[0], c[i].p, c[i].n), c[i].n);
		close(s[0]);
		assert_int_equal(ipc_recv(s[1], &b, fds, &e), c[i].rc);
		assert_int_equal(e.kind, c[i].kind);
		assert_int_equal(fds[0], -1);
		close(s[1]);
	}
	buf_free(&b);
}

static void ipc_beyond_the_buffer(void **state)
{
	int s[2], fds[IPC_FDS];
	struct err e = { 0 };
	struct buf b;

	(void)state;
	buf_init(&b, 3);
	pair(s);
	assert_int_equal(ipc_send(s[0], view_of("abc"), NULL, 0, &e), 0);
	assert_int_equal(ipc_send(s[0], view_of("abcd"), NULL, 0, &e), 0);
	assert_int_equal(ipc_recv(s[1], &b, fds, &e), 1);
	assert_string_equal(buf_str(&b), "abc");
	assert_int_equal(ipc_recv(s[1], &b, fds, &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
	close(s[0]);
	close(s[1]);
	buf_free(&b);
}

static void ipc_too_much_is_not_sent(void **state)
{
	int none[IPC_FDS + 1] = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(ipc_send(-1, view_make("", CAP_IPC + 1), NULL, 0,
	    &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
	assert_int_equal(ipc_send(-1, view_of(""), none, IPC_FDS + 1, &e),
	    -1);
	assert_int_equal(e.kind, FAIL_BUG);
	assert_int_equal(ipc_send(-1, view_of(""), NULL, 0, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
}

static void ipc_dead_peer_gives_no_signal(void **state)
{
	struct err e = { 0 };
	int s[2];

	(void)state;
	pair(s);
	close(s[1]);
	assert_int_equal(ipc_send(s[0], view_of("x"), NULL, 0, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	close(s[0]);
}

/* More descriptors than allowed, from a peer that does not play fair. */
static void ipc_too_many_descriptors(void **state)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(6 * sizeof(int))];
	} c;
	struct iovec iov = { (void *)(uintptr_t)"\0\0\0\0", 4 };
	struct msghdr m = { 0 };
	int s[2], fds[IPC_FDS], next, i;
	struct err e = { 0 };
	struct buf b;

	(void)state;
	pair(s);
	memset(&c, 0, sizeof(c));
	m.msg_iov = &iov;
	m.msg_iovlen = 1;
	m.msg_control = c.room;
	m.msg_controllen = sizeof(c.room);
	CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
	CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
	CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(6 * sizeof(int));
	for (i = 0; i < 6; i++)
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)) +
		    (size_t)i * sizeof(int), &s[0], sizeof(int));
	assert_int_equal(sendmsg(s[0], &m, 0), 4);
	buf_init(&b, 10);
	next = dup(0);
	close(next);
	assert_int_equal(ipc_recv(s[1], &b, fds, &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
	for (i = 0; i < IPC_FDS; i++)
		assert_int_equal(fds[i], -1);
	assert_int_equal(dup(0), next); /* none was leaked */
	close(next);
	buf_free(&b);
	close(s[0]);
	close(s[1]);
}

static void ipc_descriptors_arrive_once(void **state)
{
	int s[2], fds[IPC_FDS], p[2];
	struct err e = { 0 };
	struct buf b;
	char c;

	(void)state;
	pair(s);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(ipc_send(s[0], view_of("one"), p, 2, &e), 0);
	assert_int_equal(ipc_send(s[0], view_of(""), NULL, 0, &e), 0);
	buf_init(&b, 100);
	assert_int_equal(ipc_recv(s[1], &b, fds, &e), 1);
	assert_string_equal(buf_str(&b), "one");
	assert_int_equal(fds[2], -1);
	assert_true((fcntl(fds[0], F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(read(p[0], &c, 1), 1);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(ipc_recv(s[1], &b, fds, &e), 1);
	assert_int_equal(b.n, 0);
	assert_int_equal(fds[0], -1);
	close(s[0]);
	assert_int_equal(ipc_recv(s[1], &b, fds, &e), 0);
	close(s[1]);
	close(p[0]);
	close(p[1]);
	buf_free(&b);
}

static void *send_big(void *arg)
{
	int *s = arg;
	unsigned char *p = malloc(CAP_IPC);
	size_t i;
	long rc;

	for (i = 0; p != NULL && i < CAP_IPC; i++)
		p[i] = (unsigned char)(i * 31);
	rc = ipc_send(s[0], view_make(p, CAP_IPC), s, 1, NULL);
	free(p);
	return (void *)(intptr_t)rc;
}

static void ipc_largest_message(void **state)
{
	int s[2], fds[IPC_FDS];
	struct err e = { 0 };
	struct buf b;
	pthread_t t;
	void *rc;
	size_t i;

	(void)state;
	pair(s);
	buf_init(&b, CAP_IPC);
	assert_int_equal(pthread_create(&t, NULL, send_big, s), 0);
	assert_int_equal(ipc_recv(s[1], &b, fds, &e), 1);
	assert_int_equal(pthread_join(t, &rc), 0);
	assert_null(rc);
	assert_int_equal(b.n, CAP_IPC);
	for (i = 0; i < CAP_IPC; i++)
		if (b.p[i] != (unsigned char)(i * 31))
			fail_msg("octet %zu", i);
	assert_true(fds[0] >= 0);
	assert_int_equal(fds[1], -1);
	close(fds[0]);
	close(s[0]);
	close(s[1]);
	buf_free(&b);
}

static void ipc_fields_malformed(void **state)
{
	static const struct {
		const char *p;
		size_t n;
	} bad[] = {
		{ "", 0 }, { "\x02", 1 }, { "\x01", 1 },
		{ "\x01\0\0\0", 4 }, { "\x01\0\0\0\x02" "a", 6 },
		{ "\x01\0\0\0\x02" "a\0", 7 }, { "\x01\xff\xff\xff\xff", 5 },
	};
	struct view v;
	struct rd r;
	char *s;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		rd_init(&r, view_make(bad[i].p, bad[i].n));
		assert_int_equal(ipc_get_str(&r, &s), -1);
		assert_null(s);
		assert_int_equal(r.pos, 0);
	}
	rd_init(&r, view_make("\0\0\0\x02" "a", 5));
	assert_int_equal(ipc_get_view(&r, &v), -1);
	assert_int_equal(r.pos, 0);
}

static void ipc_fields(void **state)
{
	struct buf b;
	struct view v;
	struct rd r;
	uint8_t x;
	uint32_t y;
	uint64_t z;
	char *s;

	(void)state;
	buf_init(&b, 1000);
	ipc_put_u8(&b, 200);
	ipc_put_u32(&b, 0xfffffffe);
	ipc_put_u64(&b, 0x123456789abcdef0);
	ipc_put_view(&b, view_make("a\0b", 3));
	ipc_put_str(&b, NULL);
	ipc_put_str(&b, "");
	ipc_put_str(&b, "text");
	rd_init(&r, buf_view(&b));
	assert_int_equal(rd_u8(&r, &x), 0);
	assert_int_equal(x, 200);
	assert_int_equal(rd_u32(&r, &y), 0);
	assert_true(y == 0xfffffffe);
	assert_int_equal(rd_u64(&r, &z), 0);
	assert_true(z == 0x123456789abcdef0);
	assert_int_equal(ipc_get_view(&r, &v), 0);
	assert_true(view_eq(v, view_make("a\0b", 3)));
	assert_int_equal(ipc_get_str(&r, &s), 0);
	assert_null(s);
	assert_int_equal(ipc_get_str(&r, &s), 0);
	assert_string_equal(s, "");
	free(s);
	assert_int_equal(ipc_get_str(&r, &s), 0);
	assert_string_equal(s, "text");
	free(s);
	assert_int_equal(rd_left(&r), 0);
	buf_free(&b);
}

/* attack A64: a secret file that others may read or write, or that is no file
 * verdict: refused at start */
static void A64_secret_with_wrong_rights(void **state)
{
	static const mode_t bad[] = { 0644, 0604, 0660, 0700, 0641, 04600 };
	static const mode_t good[] = { 0600, 0400, 0640, 0440 };
	char first[128];
	struct err e = { 0 };
	struct buf b;
	size_t i;

	(void)state;
	buf_init_secret(&b, 6);
	assert_int_equal(io_read_secret(in_dir("none"), &b, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	assert_int_equal(io_read_secret("/dev/null", &b, &e), -1);
	assert_int_equal(io_read_secret(dir, &b, &e), -1);
	assert_int_equal(io_write_file(in_dir("f"), 0600, view_of("secret"),
	    &e), 0);
	assert_int_equal(symlink("f", in_dir("link")), 0);
	assert_int_equal(io_read_secret(in_dir("link"), &b, &e), -1);
	assert_non_null(strstr(e.msg, "a link"));
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(chmod(in_dir("f"), bad[i]), 0);
		assert_int_equal(io_read_secret(in_dir("f"), &b, &e), -1);
		assert_int_equal(e.kind, FAIL_CONFIG);
		assert_int_equal(b.n, 0);
	}
	for (i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(chmod(in_dir("f"), good[i]), 0);
		if (geteuid() != 0 && (good[i] & 0400) == 0)
			continue;
		buf_clear(&b);
		assert_int_equal(io_read_secret(in_dir("f"), &b, &e), 0);
		assert_string_equal(buf_str(&b), "secret");
	}
	text_set(first, sizeof(first), in_dir("f"));
	assert_int_equal(link(first, in_dir("second")), 0);
	assert_int_equal(io_read_secret(in_dir("f"), &b, &e), -1);
	assert_non_null(strstr(e.msg, "has 2 names"));
	assert_int_equal(unlink(in_dir("second")), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(in_dir("f"), 12345, 0), 0);
		assert_int_equal(io_read_secret(in_dir("f"), &b, &e), -1);
	}
	buf_free(&b);
}

static void file_at_its_limit(void **state)
{
	struct err e = { 0 };
	struct buf b;
	size_t max;

	(void)state;
	assert_int_equal(io_write_file(in_dir("big"), 0644,
	    view_of("0123456789"), &e), 0);
	for (max = 9; max <= 11; max++) {
		buf_init(&b, max);
		assert_int_equal(io_read_file(in_dir("big"), &b, &e),
		    max < 10 ? -1 : 0);
		if (max < 10)
			assert_int_equal(e.kind, FAIL_LIMIT);
		else
			assert_string_equal(buf_str(&b), "0123456789");
		buf_free(&b);
	}
	buf_init(&b, 100);
	assert_int_equal(io_read_file(in_dir("none"), &b, &e), -1);
	assert_int_equal(e.kind, FAIL_INPUT);
	assert_int_equal(io_read_file(dir, &b, &e), -1);
	buf_free(&b);
}

static void file_is_replaced_whole(void **state)
{
	struct err e = { 0 };
	struct stat st;
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(io_write_file(in_dir("g"), 0640, view_of("old"),
	    &e), 0);
	assert_int_equal(io_write_file(in_dir("g"), 0600, view_of("newer"),
	    &e), 0);
	assert_int_equal(io_read_file(in_dir("g"), &b, &e), 0);
	assert_string_equal(buf_str(&b), "newer");
	assert_int_equal(stat(in_dir("g"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(io_write_file("/nonexistent/x", 0600, view_of(""),
	    &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	buf_free(&b);
}

static void read_all_and_write_all(void **state)
{
	struct err e = { 0 };
	char c[8];
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(io_write_all(p[1], "abcd", 4, &e), 0);
	close(p[1]);
	assert_int_equal(io_read_all(p[0], c, 4, &e), 0);
	assert_memory_equal(c, "abcd", 4);
	assert_int_equal(io_read_all(p[0], c, 1, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	assert_int_equal(io_write_all(p[0], "x", 1, &e), -1);
	close(p[0]);
}

/* Run f in a child: its result, or -1 when a signal ended it. */
static int in_child(int (*f)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(f());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define REFUSED(call) (errno = 0, (call) == -1 && errno == EPERM)

static void *thread_works(void *arg)
{
	free(malloc(1000));
	return arg;
}

/* What no sandbox allows; 0 when all of it was refused. */
static int try_forbidden(void)
{
	char *const argv[] = { NULL };
	pid_t pid;

	if (!REFUSED(socket(AF_INET, SOCK_STREAM, 0)))
		return 1;
	if (!REFUSED(socket(AF_UNIX, SOCK_STREAM, 0)))
		return 2;
	if (!REFUSED(connect(0, NULL, 0)) || !REFUSED(bind(0, NULL, 0)))
		return 3;
	if (!REFUSED(execve("/bin/true", argv, argv)))
		return 4;
	if (!REFUSED((int)ptrace(PTRACE_TRACEME, 0, NULL, NULL)))
		return 5;
	errno = 0;
	pid = fork();
	if (pid == 0)
		_exit(0);
	if (pid != -1 || errno != EPERM)
		return 6;
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE |
	    MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		return 7;
	if (!REFUSED(kill(getppid(), 0)))
		return 8;
	if (!REFUSED(rename("/tmp/a", "/tmp/b")))
		return 9;
	if (!REFUSED(setuid(0)))
		return 10;
	return 0;
}

/* What every sandboxed process needs; 0 when all of it works. */
static int try_allowed(void)
{
	pthread_t t;
	int s[2] = { 0, 1 };
	char *p = malloc(10 << 20);

	if (p == NULL)
		return 20;
	memset(p, 1, 10 << 20);
	free(p);
	if (pthread_create(&t, NULL, thread_works, NULL) != 0 ||
	    pthread_join(t, NULL) != 0)
		return 21;
	if (write(s[1], "", 0) != 0)
		return 22;
	proc_title("postseal-milter: keys");
	if (raise(0) != 0)
		return 23;
	return 0;
}

static int keys_child(void)
{
	struct err e = { 0 };
	int rc;

	if (proc_sandbox(SANDBOX_KEYS, &e) != 0)
		return 99;
	if ((rc = try_forbidden()) != 0 || (rc = try_allowed()) != 0)
		return rc;
	if (!REFUSED(open("/etc/passwd", O_RDONLY)))
		return 30;
	if (!REFUSED(unlink("/tmp/nothing")))
		return 31;
	return 0;
}

static int import_child(void)
{
	struct termios t;
	struct err e;
	int fd, rc;

	if (proc_sandbox(SANDBOX_IMPORT, &e) != 0)
		return 99;
	if ((rc = try_forbidden()) != 0 || (rc = try_allowed()) != 0)
		return rc;
	fd = open("/dev/null", O_RDWR);
	if (fd < 0 || fsync(fd) == 0 || errno != EINVAL)
		return 50;
	/* asked, and answered that this is none; not refused */
	if (tcgetattr(fd, &t) == 0 || errno != ENOTTY)
		return 51;
	if (!REFUSED(ioctl(fd, TIOCSTI, "x")))
		return 52;
	return 0;
}

/* Out to others by TCP and UDP; nobody here, no files to write. */
static int fetch_child(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct err e = { 0 };
	int fd;

	if (proc_sandbox(SANDBOX_FETCH, &e) != 0)
		return 99;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_port = htons(1);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0 &&
	    errno == EPERM) || socket(AF_INET6, SOCK_DGRAM, 0) < 0)
		return 60;
	if (!REFUSED(listen(fd, 1)) || !REFUSED(accept(fd, NULL, NULL)) ||
	    !REFUSED(socket(AF_UNIX, SOCK_STREAM, 0)) ||
	    !REFUSED(socket(AF_PACKET, SOCK_RAW, 0)))
		return 61;
	if (!REFUSED(fork()) || !REFUSED(execl("/bin/true", "true", NULL)) ||
	    !REFUSED(kill(getppid(), 0)))
		return 62;
	if (open("/etc/passwd", O_RDONLY) < 0 ||
	    !REFUSED(open("/dev/null", O_WRONLY)) ||
	    !REFUSED(open("/tmp/postseal-x", O_RDWR | O_CREAT, 0600)) ||
	    !REFUSED(unlink("/tmp/postseal-x")))
		return 63;
	return try_allowed();
}

static int worker_child(void)
{
	struct err e = { 0 };
	struct spool *s = NULL;
	char big[70000];
	size_t i, got;
	int rc, fd;

	if (proc_sandbox(SANDBOX_WORKER, &e) != 0)
		return 99;
	if ((rc = try_forbidden()) != 0 || (rc = try_allowed()) != 0)
		return rc;
	/* nothing with a name can be changed or made */
	if (open("/tmp", O_RDONLY | O_DIRECTORY) < 0 ||
	    open("/dev/null", O_WRONLY) >= 0 ||
	    open("/dev/null", O_RDWR) >= 0 ||
	    open("/dev/null", O_RDONLY | O_TRUNC) >= 0 ||
	    open("/tmp/postseal-x", O_RDONLY | O_CREAT | O_EXCL, 0600) >= 0 ||
	    open("/tmp/postseal-x", O_RDWR | O_CREAT, 0600) >= 0 ||
	    unlink("/tmp/postseal-x") == 0 || errno != EPERM)
		return 39;
	fd = open("/etc/passwd", O_RDONLY);
	if (fd < 0 || pread(fd, big, 10, 0) != 10 || close(fd) != 0)
		return 40;
	memset(big, 'x', sizeof(big));
	if (spool_new(&s, 1u << 20, &e) != 0)
		return 41;
	if (spool_write(s, "x", 1, &e) != 0 || spool_fd(s, &fd, &e) != 0)
		return 42; /* memory file */
	for (i = 0; i < 10; i++)
		if (spool_write(s, big, sizeof(big), &e) != 0)
			return 43; /* unlinked file */
	if (spool_read(s, 600000, big, 10, &got, &e) != 0 || got != 10 ||
	    spool_fd(s, &fd, &e) != 0)
		return 44;
	spool_free(&s);
	return 0;
}

/* attack A56: the fetch process, taken over, listens, starts programs, talks
 * to services of this machine, writes files
 * verdict: denied by its sandbox; connecting to others is what it is for */
static void A56_fetch_sandbox(void **state)
{
	int rc = in_child(fetch_child);

	(void)state;
	if (rc == 99)
		skip();
	assert_int_equal(rc, 0);
}

/* attack A55: the keys process, taken over, opens files, sockets or programs
 * verdict: killed or denied by its sandbox */
static void A55_keys_sandbox(void **state)
{
	int rc = in_child(keys_child);

	(void)state;
	if (rc == 99)
		skip();
	assert_int_equal(rc, 0);
}

/* attack A61: a parser of the import is taken over
 * verdict: no network, no other program, no words into the terminal */
static void A61_import_sandbox(void **state)
{
	int rc = in_child(import_child);

	(void)state;
	if (rc == 99)
		skip();
	assert_int_equal(rc, 0);
}

/* attack A55: a worker, taken over by a message, opens files, sockets or
 * programs
 * verdict: killed or denied by its sandbox */
static void A55_worker_sandbox(void **state)
{
	int rc = in_child(worker_child);

	(void)state;
	if (rc == 99)
		skip();
	assert_int_equal(rc, 0);
}

static int drop_child(void)
{
	struct err e = { 0 };
	gid_t groups[10];

	if (proc_drop(0, 0, &e) != -1 || e.kind != FAIL_CONFIG)
		return 1;
	if (proc_drop(65534, 65534, &e) != 0)
		return 2;
	if (getuid() != 65534 || getegid() != 65534 || setuid(0) == 0 ||
	    getgroups(10, groups) != 1 || groups[0] != 65534)
		return 3;
	if (proc_drop(65534, 65534, &e) != 0) /* already that user */
		return 4;
	if (proc_drop(1, 1, &e) != -1 || e.kind != FAIL_CONFIG)
		return 5;
	return 0;
}

static void rights_are_dropped_for_good(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(in_child(drop_child), 0);
}

static int no_core_child(void)
{
	proc_no_core();
	proc_die_with_parent();
	return open("/proc/self/mem", O_RDONLY) >= 0 && geteuid() != 0;
}

/* attack A54: plaintext and keys in core files
 * verdict: none is written */
static void A54_no_core(void **state)
{
	(void)state;
	assert_int_equal(in_child(no_core_child), 0);
}

static void users_by_name(void **state)
{
	struct err e = { 0 };
	uid_t u = 1;
	gid_t g = 1;

	(void)state;
	assert_int_equal(proc_user("no-such-user-here", &u, &g, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	assert_int_equal(proc_user("root", &u, &g, &e), 0);
	assert_int_equal(u, 0);
	assert_int_equal(g, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipc_malformed),
		cmocka_unit_test(ipc_beyond_the_buffer),
		cmocka_unit_test(ipc_too_much_is_not_sent),
		cmocka_unit_test(ipc_dead_peer_gives_no_signal),
		cmocka_unit_test(ipc_too_many_descriptors),
		cmocka_unit_test(ipc_descriptors_arrive_once),
		cmocka_unit_test(ipc_largest_message),
		cmocka_unit_test(ipc_fields_malformed),
		cmocka_unit_test(ipc_fields),
		cmocka_unit_test(A64_secret_with_wrong_rights),
		cmocka_unit_test(file_at_its_limit),
		cmocka_unit_test(file_is_replaced_whole),
		cmocka_unit_test(read_all_and_write_all),
		cmocka_unit_test(A55_keys_sandbox),
		cmocka_unit_test(A56_fetch_sandbox),
		cmocka_unit_test(A55_worker_sandbox),
		cmocka_unit_test(A61_import_sandbox),
		cmocka_unit_test(rights_are_dropped_for_good),
		cmocka_unit_test(A54_no_core),
		cmocka_unit_test(users_by_name),
	};

	return cmocka_run_group_tests_name("util_proc", tests, make_dir,
	    remove_dir);
}
