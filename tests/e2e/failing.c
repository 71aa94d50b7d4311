/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Preloaded into a program: counts its calls of one kind, and makes one of
 * them fail, or all from that one on. No program of ours contains any of
 * this. What is to fail stands in a file that tests/e2e/failing.py writes and
 * all processes share (POSTSEAL_FAIL_FILE), so that a fault can be ordered
 * for the next message of a daemon that runs.
 *
 * The library's calls are counted, too: what SQLite reads and what OpenSSL
 * allocates. The frame around each function keeps its arguments whatever they
 * are, which wants to know the machine: x86-64 only.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum kind { ALLOC = 1, CRYPTO, FILES, DISK, SOCKETS, LOCK, CLOCK };

/* The shared file; failing.py writes and reads it. */
struct control {
	long kind;	  /* 0: nothing is counted */
	long at;	  /* the call that fails; 0: none */
	long stays;	  /* so do all calls after it */
	long seen, fired; /* so many were counted, did fail */
	long jump;	  /* seconds, of CLOCK */
	char process[16]; /* what its title ends in; "" every one */
	char what[64];	  /* the call that failed first */
};

static struct control *control;
static char process[16]; /* of this one */
static __thread int inside;

static void __attribute__((constructor)) start(void)
{
	const char *file = getenv("POSTSEAL_FAIL_FILE");
	int fd;

	if (file == NULL || control != NULL)
		return;
	inside++;
	fd = open(file, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		abort();
	control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	if (control == MAP_FAILED)
		abort();
	close(fd);
	inside--;
}

static void *real(const char *name)
{
	void *p;

	inside++;
	p = dlsym(RTLD_NEXT, name);
	inside--;
	if (p == NULL)
		abort();
	return p;
}

static int is_meant(void)
{
	size_t n, m;

	if (control->process[0] == '\0')
		return 1;
	n = strlen(process);
	m = strnlen(control->process, sizeof(control->process));
	return n >= m && memcmp(process + n - m, control->process, m) == 0;
}

/* Does this call of that kind fail? */
static int fails(enum kind kind, const char *name)
{
	long n;

	if (control == NULL || control->kind != (long)kind || inside > 0 ||
	    !is_meant())
		return 0;
	n = __atomic_add_fetch(&control->seen, 1, __ATOMIC_SEQ_CST);
	if (control->at == 0 || n < control->at ||
	    (n > control->at && !control->stays))
		return 0;
	if (__atomic_add_fetch(&control->fired, 1, __ATOMIC_SEQ_CST) == 1)
		memcpy(control->what, name, strnlen(name,
		    sizeof(control->what) - 1));
	return 1;
}

/* ---- memory: what finds functions needs some itself ---- */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static void *none(void)
{
	errno = ENOMEM;
	return NULL;
}

void *malloc(size_t n)
{
	return fails(ALLOC, "malloc") ? none() : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails(ALLOC, "calloc") ? none() : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return fails(ALLOC, "realloc") ? none() : __libc_realloc(p, n);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t all;

	if (fails(ALLOC, "reallocarray") ||
	    __builtin_mul_overflow(n, size, &all))
		return none();
	return __libc_realloc(p, all);
}

/* ---- clocks ---- */

static long jump(void)
{
	return fails(CLOCK, "clock") ? control->jump : 0;
}

time_t time(time_t *out)
{
	static time_t (*f)(time_t *);
	time_t t;

	if (f == NULL)
		f = (time_t (*)(time_t *))real("time");
	t = f(NULL) + jump();
	if (out != NULL)
		*out = t;
	return t;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*f)(clockid_t, struct timespec *);
	int rc;

	if (f == NULL)
		f = (int (*)(clockid_t, struct timespec *))
		    real("clock_gettime");
	rc = f(id, ts);
	if (rc == 0 && id == CLOCK_REALTIME)
		ts->tv_sec += jump();
	return rc;
}

/* ---- which process this is ---- */

int prctl(int option, ...)
{
	static int (*f)(int, ...);
	unsigned long arg[4];
	va_list ap;
	int i;

	va_start(ap, option);
	for (i = 0; i < 4; i++)
		arg[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (f == NULL)
		f = (int (*)(int, ...))real("prctl");
	if (option == PR_SET_NAME) {
		memset(process, 0, sizeof(process));
		memcpy(process, (const char *)arg[0], strnlen((const char *)
		    arg[0], sizeof(process) - 1));
	}
	return f(option, arg[0], arg[1], arg[2], arg[3]);
}

/* ---- functions that fail with a value ---- */

struct framed {
	const char *name;
	enum kind kind;
	int error; /* errno */
	void *function;
};

/* Those that give 0 for a failure (a pointer or a truth), those that give -1
 * with errno, and those of SQLite that say that the store is busy. */
#define ALL_ZERO(F)							    \
	F(CMS_encrypt) F(CMS_add1_recipient_cert)			    \
	F(CMS_RecipientInfo_get0_pkey_ctx)				    \
	F(CMS_RecipientInfo_kari_get0_ctx) F(BIO_new) F(BIO_new_CMS)	    \
	F(BIO_new_mem_buf) F(BIO_meth_new) F(EVP_CIPHER_CTX_new)	    \
	F(EVP_CIPHER_fetch) F(EVP_DecryptInit_ex2) F(EVP_DecryptUpdate)	    \
	F(EVP_DecryptFinal_ex) F(EVP_EncryptInit_ex2) F(EVP_EncryptUpdate)  \
	F(EVP_EncryptFinal_ex) F(EVP_Digest) F(EVP_DigestInit_ex)	    \
	F(EVP_DigestUpdate) F(EVP_DigestFinal_ex) F(EVP_DigestSignInit)	    \
	F(EVP_DigestSign) F(EVP_DigestVerifyInit) F(EVP_DigestVerify)	    \
	F(EVP_KDF_fetch) F(EVP_KDF_CTX_new) F(EVP_MD_CTX_new)		    \
	F(EVP_MD_fetch) F(EVP_PKEY_CTX_new) F(EVP_PKEY_decrypt_init)	    \
	F(EVP_PKEY_decrypt) F(EVP_PKEY_derive_init) F(EVP_PKEY_derive)	    \
	F(EVP_PKEY_derive_set_peer) F(EVP_PKEY_new)			    \
	F(EVP_PKEY_CTX_set_rsa_padding) F(EVP_PKEY_CTX_set_rsa_pss_saltlen) \
	F(OPENSSL_sk_new_null) F(OPENSSL_sk_push) F(OSSL_PROVIDER_load)	    \
	F(X509_STORE_new) F(X509_STORE_CTX_new) F(X509_STORE_CTX_init)	    \
	F(X509_STORE_add_cert) F(X509_verify_cert) F(X509_verify)	    \
	F(X509_pubkey_digest) F(d2i_X509) F(d2i_AutoPrivateKey)		    \
	F(d2i_X509_ALGOR) F(d2i_X509_NAME) F(i2d_X509) F(i2d_PUBKEY)	    \
	F(ASN1_item_verify)
#define ALL_FILES(F)							    \
	F(open) F(open64) F(openat) F(openat64) F(memfd_create) F(read)	    \
	F(pread) F(pread64)
#define ALL_DISK(F)							    \
	F(write) F(pwrite) F(pwrite64) F(pwritev) F(pwritev64) F(writev)    \
	F(ftruncate) F(ftruncate64) F(fsync) F(fdatasync)
#define ALL_SOCKETS(F)							    \
	F(socket) F(connect) F(send) F(sendto) F(sendmsg) F(recv)	    \
	F(recvmsg) F(accept) F(accept4)
#define ALL_BUSY(F)							    \
	F(sqlite3_step) F(sqlite3_prepare_v2) F(sqlite3_prepare_v3)	    \
	F(sqlite3_exec)

enum {
#define NUMBER(f) N_##f,
	ALL_ZERO(NUMBER) ALL_FILES(NUMBER) ALL_DISK(NUMBER)
	ALL_SOCKETS(NUMBER) ALL_BUSY(NUMBER) N_ALL
};

static struct framed framed[N_ALL] = {
#define CRYPTO_ROW(f) { #f, CRYPTO, 0, NULL },
#define FILES_ROW(f) { #f, FILES, EIO, NULL },
#define DISK_ROW(f) { #f, DISK, ENOSPC, NULL },
#define SOCKETS_ROW(f) { #f, SOCKETS, ECONNRESET, NULL },
#define BUSY_ROW(f) { #f, LOCK, 0, NULL },
	ALL_ZERO(CRYPTO_ROW) ALL_FILES(FILES_ROW) ALL_DISK(DISK_ROW)
	ALL_SOCKETS(SOCKETS_ROW) ALL_BUSY(BUSY_ROW)
};

/* The real one, or NULL: it is to fail. Called from the frames below. */
void *postseal_framed(long n);

void *postseal_framed(long n)
{
	struct framed *f = &framed[n];
	int before = errno;

	if (fails(f->kind, f->name)) {
		errno = f->error;
		return NULL;
	}
	if (f->function == NULL)
		f->function = real(f->name);
	errno = before;
	return f->function;
}

/* Keeps what the caller put into registers, asks, and goes on there. The
 * numbers of an enum are no strings, so they are counted along. */
#define FRAME(f, value)							    \
	__asm__(".globl " #f "\n"					    \
	    ".type " #f ", @function\n"					    \
	    #f ":\n"							    \
	    "push %rdi\n push %rsi\n push %rdx\n push %rcx\n"		    \
	    "push %r8\n push %r9\n push %rax\n"				    \
	    "mov $.Lframe, %edi\n"					    \
	    "call postseal_framed\n"					    \
	    "mov %rax, %r11\n"						    \
	    "pop %rax\n pop %r9\n pop %r8\n"				    \
	    "pop %rcx\n pop %rdx\n pop %rsi\n pop %rdi\n"		    \
	    "test %r11, %r11\n jz 1f\n jmp *%r11\n"			    \
	    "1: mov $" value ", %rax\n ret\n"				    \
	    ".size " #f ", .-" #f "\n"					    \
	    ".set .Lframe, .Lframe + 1\n");
#define FRAME_ZERO(f) FRAME(f, "0")
#define FRAME_MINUS(f) FRAME(f, "-1")
#define FRAME_BUSY(f) FRAME(f, "5")

__asm__(".text\n .set .Lframe, 0\n");
ALL_ZERO(FRAME_ZERO)
ALL_FILES(FRAME_MINUS)
ALL_DISK(FRAME_MINUS)
ALL_SOCKETS(FRAME_MINUS)
ALL_BUSY(FRAME_BUSY)
