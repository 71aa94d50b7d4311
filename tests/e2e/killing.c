/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Preloaded into a program: counts its calls that change files, and kills it
 * at one of them. No program of ours contains any of this. The variables of
 * the environment (tests/e2e/killing.py sets them):
 *
 *   POSTSEAL_KILL_FILE  shared by all processes of the program; counts and
 *                       names the calls; without it nothing is done
 *   POSTSEAL_KILL_AT    the number of the call at which it ends; 0: none
 *   POSTSEAL_KILL_MODE  before the call, after it, or half (of what would be
 *                       written)
 *
 * Nothing waits for the disk: a killed process loses nothing that it wrote.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define LINE 64
#define LINES 16384

/* The shared file; killing.py reads it. */
struct shared {
	unsigned long calls;
	long first; /* the process that began */
	long over;  /* all of it is to end */
	char unused[LINE - 3 * sizeof(long)];
	char line[LINES][LINE]; /* call and what it is about */
};

enum mode { BEFORE, AFTER, HALF };

static struct shared *shared;
static unsigned long kill_at;
static enum mode kill_mode;
static __thread int inside; /* the C library calls some of them itself */

/* The real function of this name, whose type is the wrapper's. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void __attribute__((constructor)) start(void)
{
	const char *file = getenv("POSTSEAL_KILL_FILE");
	const char *at = getenv("POSTSEAL_KILL_AT");
	const char *mode = getenv("POSTSEAL_KILL_MODE");
	int fd;

	if (file == NULL || shared != NULL)
		return;
	inside++;
	fd = open(file, O_RDWR | O_CLOEXEC);
	if (fd == -1 || ftruncate(fd, sizeof(*shared)) != 0)
		abort();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		abort();
	close(fd);
	if (shared->first == 0)
		shared->first = getpid();
	kill_at = at != NULL ? strtoul(at, NULL, 10) : 0;
	if (mode != NULL && strcmp(mode, "after") == 0)
		kill_mode = AFTER;
	if (mode != NULL && strcmp(mode, "half") == 0)
		kill_mode = HALF;
	inside--;
}

static void end_it(void)
{
	/* It may be a child that writes, and one without rights cannot end
	 * the others: killing.py ends them all, this one does no more. */
	shared->over = 1;
	if (shared->first == getpid())
		(void)kill(getpid(), SIGKILL);
	for (;;)
		(void)pause();
}

/* A call about to happen: its number, 0 when it does not count. */
static unsigned long count(const char *call, const char *what)
{
	unsigned long n;

	if (shared == NULL || inside > 0)
		return 0;
	n = __atomic_add_fetch(&shared->calls, 1, __ATOMIC_SEQ_CST);
	if (n <= LINES) {
		size_t c = strlen(call), w = strlen(what);
		size_t room = LINE - 2 - c;
		char *to = shared->line[n - 1];

		memcpy(to, call, c);
		to[c] = ' ';
		memcpy(to + c + 1, w > room ? what + w - room : what,
		    w > room ? room : w);
	}
	if (n == kill_at && kill_mode == BEFORE)
		end_it();
	return n;
}

static void counted(unsigned long n)
{
	if (n != 0 && n == kill_at)
		end_it();
}

static const char *name_of(int fd, char *buf, size_t size)
{
	char link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, buf, size - 1);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

/* A call on an open file; terminals, pipes and sockets do not count. */
static unsigned long count_fd(const char *call, int fd)
{
	struct stat st;
	char name[512];

	if (shared == NULL || inside > 0 || fstat(fd, &st) != 0 ||
	    !S_ISREG(st.st_mode))
		return 0;
	return count(call, name_of(fd, name, sizeof(name)));
}

static size_t part(unsigned long n, size_t size)
{
	return n != 0 && n == kill_at && kill_mode == HALF ? size / 2 : size;
}

/* ---- writing ---- */

ssize_t write(int fd, const void *p, size_t size)
{
	unsigned long n = count_fd("write", fd);
	ssize_t k = REAL(write)(fd, p, part(n, size));

	counted(n);
	return k;
}

#define PWRITE(name, offset)                                                 \
	ssize_t name(int fd, const void *p, size_t size, offset at)          \
	{                                                                    \
		unsigned long n = count_fd(#name, fd);                       \
		ssize_t k = REAL(name)(fd, p, part(n, size), at);            \
                                                                             \
		counted(n);                                                  \
		return k;                                                    \
	}
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *v, int vs)
{
	unsigned long n = count_fd("writev", fd);
	ssize_t k = REAL(writev)(fd, v, vs);

	counted(n);
	return k;
}

#define ON_FD(name)                                                          \
	int name(int fd)                                                     \
	{                                                                    \
		unsigned long n = count_fd(#name, fd);                       \
                                                                             \
		counted(n);                                                  \
		return n != 0 ? 0 : REAL(name)(fd);                          \
	}
ON_FD(fsync)
ON_FD(fdatasync)

#define TRUNCATE(name, offset)                                               \
	int name(int fd, offset size)                                        \
	{                                                                    \
		unsigned long n = count_fd(#name, fd);                       \
		int rc = REAL(name)(fd, size);                               \
                                                                             \
		counted(n);                                                  \
		return rc;                                                   \
	}
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

/* ---- names ---- */

/* call: the real one with its arguments; what: the name to note */
#define CALL(name, what, call)                                               \
	{                                                                    \
		unsigned long n = count(#name, what);                        \
		int rc;                                                      \
                                                                             \
		inside++;                                                    \
		rc = REAL(name) call;                                        \
		inside--;                                                    \
		counted(n);                                                  \
		return rc;                                                   \
	}

int rename(const char *a, const char *b)
CALL(rename, b, (a, b))

int renameat(int x, const char *a, int y, const char *b)
CALL(renameat, b, (x, a, y, b))

int renameat2(int x, const char *a, int y, const char *b, unsigned flags)
CALL(renameat2, b, (x, a, y, b, flags))

int link(const char *a, const char *b)
CALL(link, b, (a, b))

int linkat(int x, const char *a, int y, const char *b, int flags)
CALL(linkat, b, (x, a, y, b, flags))

int symlink(const char *a, const char *b)
CALL(symlink, b, (a, b))

int unlink(const char *a)
CALL(unlink, a, (a))

int unlinkat(int x, const char *a, int flags)
CALL(unlinkat, a, (x, a, flags))

int mkdir(const char *a, mode_t mode)
CALL(mkdir, a, (a, mode))

int mkdirat(int x, const char *a, mode_t mode)
CALL(mkdirat, a, (x, a, mode))

int rmdir(const char *a)
CALL(rmdir, a, (a))

int mkstemp(char *a)
CALL(mkstemp, a, (a))

int mkstemp64(char *a)
CALL(mkstemp64, a, (a))

int mkostemp(char *a, int flags)
CALL(mkostemp, a, (a, flags))

int mkostemp64(char *a, int flags)
CALL(mkostemp64, a, (a, flags))

/* Opening counts when it may make or empty a file. */
#define OPEN_FLAGS (O_CREAT | O_TRUNC)

#define MODE_ARGUMENT(mode)                                                  \
	do {                                                                 \
		va_list ap;                                                  \
                                                                             \
		va_start(ap, flags);                                         \
		if ((flags & (O_CREAT | O_TMPFILE)) != 0)                    \
			mode = (mode_t)va_arg(ap, int);                      \
		va_end(ap);                                                  \
	} while (0)

#define OPEN(name)                                                           \
	int name(const char *path, int flags, ...)                           \
	{                                                                    \
		mode_t mode = 0;                                             \
		unsigned long n = 0;                                         \
		int fd;                                                      \
                                                                             \
		MODE_ARGUMENT(mode);                                         \
		if ((flags & OPEN_FLAGS) != 0)                               \
			n = count(#name, path);                              \
		fd = REAL(name)(path, flags, mode);                          \
		counted(n);                                                  \
		return fd;                                                   \
	}
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                         \
	int name(int dir, const char *path, int flags, ...)                  \
	{                                                                    \
		mode_t mode = 0;                                             \
		unsigned long n = 0;                                         \
		int fd;                                                      \
                                                                             \
		MODE_ARGUMENT(mode);                                         \
		if ((flags & OPEN_FLAGS) != 0)                               \
			n = count(#name, path);                              \
		fd = REAL(name)(dir, path, flags, mode);                     \
		counted(n);                                                  \
		return fd;                                                   \
	}
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name)                                                          \
	FILE *name(const char *path, const char *how)                        \
	{                                                                    \
		unsigned long n = 0;                                         \
		FILE *f;                                                     \
                                                                             \
		if (how[0] != 'r')                                           \
			n = count(#name, path);                              \
		inside++;                                                    \
		f = REAL(name)(path, how);                                   \
		inside--;                                                    \
		counted(n);                                                  \
		return f;                                                    \
	}
FOPEN(fopen)
FOPEN(fopen64)
