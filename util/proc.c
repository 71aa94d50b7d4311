/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Rights of a process: user, core dumps, title, system-call filter. All that
 * differs between systems is here; framing is in proc_ipc.c, files are in
 * proc_io.c.
 */
#include "util/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PASSWD_ENTRY 16384
#define TITLE_MAX 16 /* with NUL; the kernel's limit for PR_SET_NAME */

int proc_user(const char *name, uid_t *uid, gid_t *gid, struct err *e)
{
	struct passwd pw, *found = NULL;
	char mem[PASSWD_ENTRY];
	int rc;

	rc = getpwnam_r(name, &pw, mem, sizeof(mem), &found);
	if (rc != 0) {
		errno = rc;
		return err_sys(e, FAIL_CONFIG, "user %s", name);
	}
	if (found == NULL)
		return err_set(e, FAIL_CONFIG, "user %s: there is none", name);
	*uid = pw.pw_uid;
	*gid = pw.pw_gid;
	return 0;
}

/* Are all three ids these, with no way back to root? */
static bool is_dropped(uid_t uid, gid_t gid)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (getresuid(&r, &e, &s) != 0 || getresgid(&rg, &eg, &sg) != 0)
		return false;
	if (r != uid || e != uid || s != uid || rg != gid || eg != gid ||
	    sg != gid)
		return false;
	return setuid(0) != 0 && seteuid(0) != 0;
}

int proc_drop(uid_t uid, gid_t gid, struct err *e)
{
	if (uid == 0)
		return err_set(e, FAIL_CONFIG, "user: root is not allowed, a "
		    "user without rights is wanted");
	if (geteuid() != 0) {
		if (getuid() == uid && geteuid() == uid && getegid() == gid)
			return 0;
		return err_set(e, FAIL_CONFIG, "cannot become user %ld: "
		    "started as user %ld, root is wanted", (long)uid,
		    (long)geteuid());
	}
	if (setgroups(1, &gid) != 0)
		return err_sys(e, FAIL_CONFIG, "setgroups %ld", (long)gid);
	if (setresgid(gid, gid, gid) != 0)
		return err_sys(e, FAIL_CONFIG, "setresgid %ld", (long)gid);
	if (setresuid(uid, uid, uid) != 0)
		return err_sys(e, FAIL_CONFIG, "setresuid %ld", (long)uid);
	if (!is_dropped(uid, gid))
		return err_set(e, FAIL_CONFIG, "rights of root are still there "
		    "after becoming user %ld", (long)uid);
	return 0;
}

void proc_no_core(void)
{
	struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void proc_die_with_parent(void)
{
	/* No look at getppid(): in a container the parent may be number 1.
	 * If it went before this, its sockets tell. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

void proc_title(const char *what)
{
	const char *last = strrchr(what, ' ');
	char name[TITLE_MAX];
	struct buf b;

	/* "postseal-milter: keys" has no room: "postseal:keys" */
	buf_init(&b, 256);
	buf_printf(&b, "postseal:%.*s", TITLE_MAX, last == NULL ? what :
	    last + 1);
	if (view_cstr(view_sub(buf_view(&b), 0, sizeof(name) - 1), name,
	    sizeof(name)) == 0)
		(void)prctl(PR_SET_NAME, name, 0, 0, 0);
	buf_free(&b);
}

/*
 * System calls by name, because not every machine has all of them. What is
 * not listed fails with EPERM. Calls on descriptors and on our own memory
 * and threads: nothing here opens, connects or starts anything.
 */
static const char *const base_calls[] = {
	"brk", "clock_getres", "clock_gettime",
	"clock_nanosleep", "close", "dup", "dup2", "dup3", "epoll_create1",
	"epoll_ctl", "epoll_pwait", "epoll_wait", "eventfd2", "exit",
	"exit_group", "fcntl", "fcntl64", "fstat", "fstat64", "futex",
	"futex_time64", "get_robust_list", "getegid", "geteuid", "getgid",
	"getpid", "getppid", "getpriority", "getrandom", "getrlimit",
	"getrusage", "getsockopt", "gettid", "gettimeofday", "getuid",
	"madvise", "membarrier", "mlock", "mlock2", "mremap", "msync",
	"munlock", "munmap", "nanosleep", "newfstatat", "pipe2", "poll",
	"ppoll", "pselect6", "read", "readv", "recv", "recvfrom", "recvmsg",
	"restart_syscall", "rseq", "rt_sigaction", "rt_sigpending",
	"rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend",
	"rt_sigtimedwait", "sched_getaffinity", "sched_getparam",
	"sched_getscheduler", "sched_yield", "select", "send", "sendmsg",
	"sendto", "set_robust_list", "set_tid_address", "shutdown",
	"sigaltstack", "sigreturn", "sysinfo", "time", "times", "uname",
	"write", "writev",
};

/*
 * Files that are open, and looking for files: SQLite in WAL mode (also its
 * locks and shared memory), libmagic's database, spools. No rename, link,
 * chmod by path, mkdir.
 */
static const char *const file_calls[] = {
	"_llseek", "access", "faccessat", "faccessat2",
	"fadvise64", "fallocate", "fdatasync", "flock",
	"fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate",
	"ftruncate64", "getcwd", "getdents64", "lseek", "lstat", "lstat64",
	"memfd_create", "pread64", "preadv", "pwrite64",
	"pwritev", "readlink", "readlinkat", "stat", "stat64", "statx",
	"umask",
};

/* Names that lead to a change: for who may write files. */
static const char *const store_calls[] = {
	"fchmod", "fchown", "open", "openat", "unlink", "unlinkat",
};

/* Connections to others, by who asks for things. No listening. */
static const char *const network_calls[] = {
	"bind", "connect", "getpeername", "getsockname", "recvmmsg",
	"sendmmsg", "setsockopt", "socketpair",
};

/* Connections of others to us, on sockets that listen already. */
static const char *const server_calls[] = {
	"accept", "accept4",
};

static int allow(scmp_filter_ctx f, const char *const *name, size_t n)
{
	size_t i;
	int nr;

	for (i = 0; i < n; i++) {
		nr = seccomp_syscall_resolve_name(name[i]);
		if (nr == __NR_SCMP_ERROR)
			continue;
		if (seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 0) != 0)
			return -1;
	}
	return 0;
}

/* Allow a call only if the bits of mask have this value in argument arg. */
static int allow_bits(scmp_filter_ctx f, int nr, unsigned arg,
    unsigned long mask, unsigned long value)
{
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 1,
	    SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, mask, value));
}

/* Allow a call only if argument arg has this value. */
static int allow_value(scmp_filter_ctx f, int nr, unsigned arg,
    unsigned long value)
{
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 1,
	    SCMP_CMP(arg, SCMP_CMP_EQ, value, 0));
}

/* What depends on arguments: threads but no processes, no new code, signals
 * only to ourselves. */
static int allow_some(scmp_filter_ctx f)
{
	unsigned long self = (unsigned long)getpid();

	if (allow_bits(f, SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD) != 0)
		return -1;
	/* its flags are behind a pointer; glibc then falls back to clone */
	if (seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3),
	    0) != 0)
		return -1;
	if (allow_bits(f, SCMP_SYS(mmap), 2, PROT_EXEC, 0) != 0 ||
	    allow_bits(f, SCMP_SYS(mprotect), 2, PROT_EXEC, 0) != 0)
		return -1;
	if (allow_value(f, SCMP_SYS(tgkill), 0, self) != 0 ||
	    allow_value(f, SCMP_SYS(kill), 0, self) != 0 ||
	    allow_value(f, SCMP_SYS(prctl), 0, PR_SET_NAME) != 0)
		return -1;
	/* reading limits, never setting them */
	return allow_value(f, SCMP_SYS(prlimit64), 2, 0);
}

/*
 * A process that parses mail opens files to read, or nameless ones for its
 * spools: a worker that was taken over has the user of the keystore, and must
 * not put an anchor into it. (openat2 hides its flags behind a pointer and
 * is not allowed.)
 */
static int allow_nameless(scmp_filter_ctx f)
{
	return allow_bits(f, SCMP_SYS(open), 1, O_TMPFILE | O_CREAT,
	    O_TMPFILE) != 0 ||
	    allow_bits(f, SCMP_SYS(openat), 2, O_TMPFILE | O_CREAT,
	    O_TMPFILE) != 0 ? -1 : 0;
}

static int allow_reading(scmp_filter_ctx f)
{
	const unsigned long writes = O_ACCMODE | O_CREAT | O_TRUNC;

	return allow_bits(f, SCMP_SYS(open), 1, writes, O_RDONLY) != 0 ||
	    allow_bits(f, SCMP_SYS(openat), 2, writes, O_RDONLY) != 0 ?
	    -1 : allow_nameless(f);
}

/* The resolver asks how much there is to read. */
static int allow_network(scmp_filter_ctx f)
{
	if (allow(f, network_calls, ARRAY_LEN(network_calls)) != 0 ||
	    allow_value(f, SCMP_SYS(ioctl), 1, FIONREAD) != 0)
		return -1;
	/* netlink: which kinds of address this machine has */
	return allow_value(f, SCMP_SYS(ioctl), 1, FIONBIO) != 0 ||
	    allow_value(f, SCMP_SYS(socket), 0, AF_INET) != 0 ||
	    allow_value(f, SCMP_SYS(socket), 0, AF_INET6) != 0 ||
	    allow_value(f, SCMP_SYS(socket), 0, AF_NETLINK) != 0 ? -1 : 0;
}

/* The echo of a terminal; never words put into it. */
static int allow_terminal(scmp_filter_ctx f)
{
	static const unsigned long request[] = { TCGETS, TCSETS, TCSETSW,
		TCSETSF };
	size_t i;

	for (i = 0; i < ARRAY_LEN(request); i++)
		if (allow_value(f, SCMP_SYS(ioctl), 1, request[i]) != 0)
			return -1;
	return 0;
}

static int allow_unix(scmp_filter_ctx f)
{
	return allow_value(f, SCMP_SYS(socket), 0, AF_UNIX);
}

/* Of the relay's: who talks to others. */
static int allow_relay(scmp_filter_ctx f, enum sandbox kind)
{
	if (allow(f, file_calls, ARRAY_LEN(file_calls)) != 0 ||
	    allow_network(f) != 0 || allow_unix(f) != 0)
		return -1;
	if (kind == SANDBOX_AUTH)
		return allow_reading(f);
	if (allow(f, server_calls, ARRAY_LEN(server_calls)) != 0)
		return -1;
	if (kind == SANDBOX_RELAY)
		return allow_nameless(f);
	return allow(f, store_calls, ARRAY_LEN(store_calls)) != 0 ||
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(rename), 0) != 0 ||
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(renameat), 0) != 0 ?
	    -1 : 0;
}

static int allow_files(scmp_filter_ctx f, enum sandbox kind)
{
	if (kind == SANDBOX_KEYS)
		return 0;
	if (kind == SANDBOX_RELAY || kind == SANDBOX_POLICY ||
	    kind == SANDBOX_AUTH)
		return allow_relay(f, kind);
	if (allow(f, file_calls, ARRAY_LEN(file_calls)) != 0)
		return -1;
	if (kind == SANDBOX_IMPORT && allow_terminal(f) != 0)
		return -1;
	if (kind == SANDBOX_STORE || kind == SANDBOX_IMPORT)
		return allow(f, store_calls, ARRAY_LEN(store_calls));
	if (kind == SANDBOX_FETCH && allow_network(f) != 0)
		return -1;
	return allow_reading(f);
}

int proc_sandbox(enum sandbox kind, struct err *e)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = -1;

	if (f == NULL)
		return err_set(e, FAIL_TEMP, "sandbox: no filter");
	if (allow(f, base_calls, ARRAY_LEN(base_calls)) != 0 ||
	    allow_some(f) != 0 || allow_files(f, kind) != 0) {
		(void)err_set(e, FAIL_TEMP, "sandbox: cannot make the filter");
		goto out;
	}
	/* threads that run already get it too */
	(void)seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	rc = seccomp_load(f);
	if (rc != 0) {
		errno = rc < 0 ? -rc : rc;
		rc = err_sys(e, FAIL_TEMP, "sandbox: the kernel refuses it");
	}
out:
	seccomp_release(f);
	return rc;
}
