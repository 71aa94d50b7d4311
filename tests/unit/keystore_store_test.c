/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The store itself: opening, schema, rows, transactions, generation,
 * several processes, a writer that dies, the audit table.
 */
#include "tests/unit/keystore_util.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <sqlite3.h>

#define MAIL .san = "email:alice@example.com"

/* ---- opening ---- */

static void exec_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void open_faults(void **state)
{
	struct keystore *ks = NULL;
	char link[128];
	struct place p;

	(void)state;
	place_make(&p);
	must_fail(keystore_open(&ks, p.db, KS_READ, e), FAIL_CONFIG);
	assert_null(ks);
	write_file(p.db, "this is no database, whatever its name says, and "
	    "it is long enough to be looked at");
	must_fail(keystore_open(&ks, p.db, KS_READ, e), FAIL_CONFIG);
	must_fail(keystore_create(p.db, e), FAIL_CONFIG);
	unlink(p.db);
	write_file(p.db, "");
	must_fail(keystore_open(&ks, p.db, KS_READ, e), FAIL_CONFIG);
	unlink(p.db);
	must_fail(keystore_open(&ks, p.dir, KS_READ, e), FAIL_CONFIG);
	must(keystore_create(p.db, e));
	snprintf(link, sizeof(link), "%s/link", p.dir);
	assert_int_equal(symlink(p.db, link), 0);
	must_fail(keystore_open(&ks, link, KS_READ, e), FAIL_CONFIG); /* A64 */
	unlink(link);
	must(keystore_open(&ks, p.db, KS_READ, e));
	store_clear(&p, &ks);
	must_fail(keystore_create("/nonexistent/keystore.db", e),
	    FAIL_CONFIG);
}

static void create_does_not_overwrite(void **state)
{
	struct keystore *ks;
	struct stat st;
	struct place p;

	(void)state;
	umask(077);
	ks = store_make(&p);
	umask(022);
	must_fail(keystore_create(p.db, e), FAIL_CONFIG);
	assert_int_equal(stat(p.db, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	store_clear(&p, &ks);
}

static void unknown_schema_is_named(void **state)
{
	struct err why = { 0 };
	struct keystore *ks;
	struct place p;

	(void)state;
	ks = store_make(&p);
	keystore_close(&ks);
	exec_sql(p.db, "UPDATE meta SET number = 6 WHERE name = 'schema'");
	assert_int_equal(keystore_open(&ks, p.db, KS_READ, &why), -1);
	assert_int_equal(why.kind, FAIL_CONFIG);
	assert_non_null(strstr(why.msg, "version 6"));
	assert_non_null(strstr(why.msg, "versions 1 to 5"));
	must_fail(keystore_open(&ks, p.db, KS_WRITE, e), FAIL_CONFIG);
	exec_sql(p.db, "UPDATE meta SET number = 0 WHERE name = 'schema'");
	must_fail(keystore_open(&ks, p.db, KS_WRITE, e), FAIL_CONFIG);
	exec_sql(p.db, "DROP TABLE meta");
	must_fail(keystore_open(&ks, p.db, KS_READ, e), FAIL_CONFIG);
	store_clear(&p, &ks);
}

static void reader_cannot_write(void **state)
{
	const struct spec s = { MAIL };
	struct keystore *ks, *reader;
	struct made m;
	struct place p;
	bool added;

	(void)state;
	ks = store_make(&p);
	cert_make(&m, &s, NULL);
	must(keystore_open(&reader, p.db, KS_READ, e));
	must_fail(keystore_add(reader, m.cert, KS_SIGN, KS_IMPORT, &added, e),
	    FAIL_BUG);
	must_fail(keystore_begin(reader, e), FAIL_BUG);
	must_fail(keystore_audit_add(reader, "a", 1, NULL, view_of("{}"), e),
	    FAIL_BUG);
	keystore_close(&reader);
	made_free(&m);
	store_clear(&p, &ks);
}

/* ---- rows ---- */

struct seen {
	size_t n;
	struct ks_row last; /* cert not owned */
	size_t stop_after;
};

static int see(void *arg, const struct ks_row *r, struct err *e)
{
	struct seen *s = arg;

	s->n++;
	s->last = *r;
	s->last.cert = NULL;
	if (s->n == s->stop_after)
		return err_set(e, FAIL_INPUT, "enough");
	return 0;
}

static size_t count(struct keystore *ks, const char *what)
{
	struct seen s = { 0 };

	must(keystore_list(ks, what, see, &s, e));
	return s.n;
}

static void list_by_everything(void **state)
{
	const struct spec one = { .san = "email:alice@example.com,"
	    "email:a.smith@example.org" };
	const struct spec two = { .san = "email:ALICE@example.com",
	    .key = "two" };
	struct seen s = { .stop_after = 1 };
	struct keystore *ks;
	struct made a, b;
	char hex[80];
	struct place p;

	(void)state;
	ks = store_make(&p);
	assert_int_equal(count(ks, NULL), 0);
	cert_make(&a, &one, NULL);
	cert_make(&b, &two, NULL);
	add_cert(ks, &a, KS_SIGN);
	add_cert(ks, &b, KS_SIGN);
	assert_int_equal(count(ks, NULL), 2);
	assert_int_equal(count(ks, "alice@example.com"), 2);
	assert_int_equal(count(ks, "Alice@EXAMPLE.com"), 2);
	assert_int_equal(count(ks, "a.smith@example.org"), 1);
	assert_int_equal(count(ks, "@example.com"), 2);
	assert_int_equal(count(ks, "@Example.ORG"), 1);
	assert_int_equal(count(ks, "@sub.example.com"), 0);
	assert_int_equal(count(ks, "bob@example.com"), 0);
	snprintf(hex, sizeof(hex), "%s", cert_sha256_hex(a.cert));
	assert_int_equal(count(ks, hex), 1);
	hex[9] = '\0';
	assert_int_equal(count(ks, hex), 1);
	hex[8] = '\0';
	assert_int_equal(count(ks, hex), 1);
	hex[7] = '\0';
	must_fail(keystore_list(ks, hex, see, &s, e), FAIL_INPUT);
	snprintf(hex, sizeof(hex), "%s0", cert_sha256_hex(a.cert));
	must_fail(keystore_list(ks, hex, see, &s, e), FAIL_INPUT);
	must_fail(keystore_list(ks, "", see, &s, e), FAIL_INPUT);
	must_fail(keystore_list(ks, "@", see, &s, e), FAIL_INPUT);
	must_fail(keystore_list(ks, "a b@example.com", see, &s, e),
	    FAIL_INPUT);
	must_fail(keystore_list(ks, "x' OR 1=1 --", see, &s, e), FAIL_INPUT);
	s.n = 0;
	must_fail(keystore_list(ks, NULL, see, &s, e), FAIL_INPUT);
	assert_int_equal(s.n, 1); /* the visitor stopped it */
	made_free(&a);
	made_free(&b);
	store_clear(&p, &ks);
}

static void add_change_remove(void **state)
{
	const struct spec s = { MAIL };
	unsigned char none[32] = { 0 };
	struct seen seen = { 0 };
	struct keystore *ks;
	struct made m;
	struct buf key;
	struct place p;
	bool added;

	(void)state;
	ks = store_make(&p);
	buf_init(&key, 65536);
	cert_make(&m, &s, NULL);
	must(keystore_add(ks, m.cert, KS_SIGN, KS_LDAP, &added, e));
	assert_true(added);
	must(keystore_add(ks, m.cert, KS_ENCRYPT, KS_IMPORT, &added, e));
	assert_false(added);
	must(keystore_list(ks, NULL, see, &seen, e));
	assert_int_equal(seen.last.use, KS_ENCRYPT);
	assert_int_equal(seen.last.source, KS_LDAP);
	assert_int_equal(seen.last.state, KS_USABLE);
	assert_false(seen.last.has_key);
	assert_false(seen.last.is_anchor);
	assert_true(seen.last.added > 1700000000);
	must_fail(keystore_get_key(ks, cert_spki_sha256(m.cert), &key, e),
	    FAIL_INPUT);
	add_private(ks, &m);
	must(keystore_set_state(ks, cert_sha256(m.cert), KS_PENDING, e));
	must(keystore_list(ks, NULL, see, &seen, e));
	assert_true(seen.last.has_key);
	assert_int_equal(seen.last.state, KS_PENDING);
	must_fail(keystore_set_state(ks, none, KS_USABLE, e), FAIL_INPUT);
	must_fail(keystore_set_anchor(ks, none, true, e), FAIL_INPUT);
	must_fail(keystore_remove(ks, none, e), FAIL_INPUT);
	must(keystore_get_key(ks, cert_spki_sha256(m.cert), &key, e));
	must(keystore_remove(ks, cert_sha256(m.cert), e));
	assert_int_equal(count(ks, "alice@example.com"), 0);
	must_fail(keystore_get_key(ks, cert_spki_sha256(m.cert), &key, e),
	    FAIL_INPUT);
	buf_free(&key);
	made_free(&m);
	store_clear(&p, &ks);
}

static void removing_one_of_two_keeps_the_key(void **state)
{
	const struct spec s = { MAIL };
	struct keystore *ks;
	struct made a, b;
	struct buf key;
	struct place p;

	(void)state;
	ks = store_make(&p);
	buf_init(&key, 65536);
	cert_make(&a, &s, NULL);
	cert_make(&b, &s, NULL); /* renewed: the same key */
	add_cert(ks, &a, KS_SIGN);
	add_cert(ks, &b, KS_SIGN);
	add_private(ks, &a);
	must(keystore_remove(ks, cert_sha256(a.cert), e));
	must(keystore_get_key(ks, cert_spki_sha256(b.cert), &key, e));
	must(keystore_remove(ks, cert_sha256(b.cert), e));
	must_fail(keystore_get_key(ks, cert_spki_sha256(b.cert), &key, e),
	    FAIL_INPUT);
	buf_free(&key);
	made_free(&a);
	made_free(&b);
	store_clear(&p, &ks);
}

static void certificate_of_the_largest_size(void **state)
{
	struct spec s = { MAIL };
	unsigned char *der = NULL;
	EVP_PKEY *key;
	struct keystore *ks;
	struct cert *c;
	struct place p;
	bool added;
	X509 *x;
	int n, want;

	(void)state;
	ks = store_make(&p);
	for (want = (int)CAP_CMS_CERT_SIZE - 1;
	     want <= (int)CAP_CMS_CERT_SIZE + 1; want++) {
		/* ECDSA signatures vary by an octet or two. */
		s.pad = want - 500;
		do {
			x = x509_make(&s, NULL, &key);
			OPENSSL_free(der);
			der = NULL;
			n = i2d_X509(x, &der);
			X509_free(x);
			s.pad += want - n;
		} while (n != want);
		if (want > (int)CAP_CMS_CERT_SIZE) {
			must_fail(cert_parse(&c, view_make(der, (size_t)n),
			    e), FAIL_INPUT);
			continue;
		}
		must(cert_parse(&c, view_make(der, (size_t)n), e));
		must(keystore_add(ks, c, KS_SIGN, KS_IMPORT, &added, e));
		cert_free(&c);
	}
	OPENSSL_free(der);
	assert_int_equal(count(ks, "alice@example.com"), 2);
	store_clear(&p, &ks);
}

/* ---- transactions and generation ---- */

static int64_t generation(const char *path)
{
	sqlite3_stmt *st;
	sqlite3 *db;
	int64_t g;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT number FROM meta "
	    "WHERE name = 'generation'", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	g = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return g;
}

static void generation_moves_with_changes_only(void **state)
{
	const struct spec s = { MAIL };
	struct keystore *ks;
	struct made m, ca;
	struct place p;
	int64_t g;
	bool added;

	(void)state;
	ks = store_make(&p);
	cert_make(&m, &s, NULL);
	ca_make(&ca, "root", NULL);
	g = generation(p.db);
#define MOVED(yes)                                                        \
	do {                                                              \
		int64_t g2 = generation(p.db);                            \
		assert_int_equal(g2 > g, yes);                            \
		g = g2;                                                   \
	} while (0)
	must(keystore_add(ks, m.cert, KS_SIGN, KS_IMPORT, &added, e));
	MOVED(true);
	must(keystore_add(ks, m.cert, KS_SIGN, KS_IMPORT, &added, e));
	MOVED(false);
	must(keystore_add(ks, m.cert, KS_ENCRYPT, KS_IMPORT, &added, e));
	MOVED(true);
	add_private(ks, &m);
	MOVED(true);
	must(keystore_audit_add(ks, "id", 1, "Q", view_of("{}"), e));
	MOVED(false);
	must(keystore_audit_expire(ks, 5, NULL, e));
	MOVED(false);
	add_cert(ks, &ca, 0);
	MOVED(true);
	must(keystore_set_anchor(ks, cert_sha256(ca.cert), true, e));
	MOVED(true);
	must(keystore_set_state(ks, cert_sha256(m.cert), KS_PENDING, e));
	MOVED(true);
	must(keystore_remove(ks, cert_sha256(m.cert), e));
	MOVED(true);
	must(keystore_begin(ks, e));
	add_cert(ks, &m, KS_SIGN);
	keystore_rollback(ks);
	MOVED(false);
	made_free(&m);
	made_free(&ca);
	store_clear(&p, &ks);
}

static void transaction_all_or_none(void **state)
{
	const struct spec s = { MAIL };
	struct keystore *ks, *reader;
	struct made a, b;
	struct place p;

	(void)state;
	ks = store_make(&p);
	must(keystore_open(&reader, p.db, KS_READ, e));
	cert_make(&a, &s, NULL);
	cert_make(&b, &s, NULL);
	must(keystore_begin(ks, e));
	must_fail(keystore_begin(ks, e), FAIL_BUG);
	add_cert(ks, &a, KS_SIGN);
	add_cert(ks, &b, KS_SIGN);
	assert_int_equal(count(ks, NULL), 2);
	assert_int_equal(count(reader, NULL), 0);
	keystore_rollback(ks);
	keystore_rollback(ks); /* nothing to do */
	assert_int_equal(count(ks, NULL), 0);
	must(keystore_begin(ks, e));
	add_cert(ks, &a, KS_SIGN);
	add_cert(ks, &b, KS_SIGN);
	must(keystore_commit(ks, e));
	assert_int_equal(count(reader, NULL), 2);
	keystore_close(&reader);
	made_free(&a);
	made_free(&b);
	store_clear(&p, &ks);
}

/* ---- several processes ---- */

/* In a child: add n certificates, each a change of its own. */
static void add_many(const char *path, int who, int n)
{
	struct keystore *ks;
	struct spec s = { MAIL };
	struct made m;
	char cn[32];
	bool added;
	int i;

	if (keystore_open(&ks, path, KS_WRITE, NULL) != 0)
		_exit(1);
	for (i = 0; i < n; i++) {
		snprintf(cn, sizeof(cn), "%d of %d", i, who);
		s.cn = cn;
		cert_make(&m, &s, NULL);
		if (keystore_add(ks, m.cert, KS_SIGN, KS_IMPORT, &added,
		    NULL) != 0 || !added)
			_exit(2);
		made_free(&m);
	}
	keystore_close(&ks);
	_exit(0);
}

static void several_writers_and_a_reader(void **state)
{
	enum { WRITERS = 3, EACH = 20 };
	pid_t pid[WRITERS];
	struct keystore *ks, *reader;
	size_t last = 0, now;
	struct place p;
	int i, status, alive = WRITERS;

	(void)state;
	ks = store_make(&p);
	keystore_close(&ks);
	fflush(NULL);
	for (i = 0; i < WRITERS; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0)
			add_many(p.db, i, EACH);
	}
	must(keystore_open(&reader, p.db, KS_READ, e));
	while (alive > 0) {
		must(keystore_refresh(reader, e));
		now = count(reader, "alice@example.com");
		assert_true(now >= last); /* never a step back */
		last = now;
		if (waitpid(-1, &status, WNOHANG) > 0) {
			assert_true(WIFEXITED(status));
			assert_int_equal(WEXITSTATUS(status), 0);
			alive--;
		}
	}
	assert_int_equal(count(reader, NULL), WRITERS * EACH);
	store_clear(&p, &reader);
}

/* A writer is killed in the middle of an import of many files. */
static void killed_writer_leaves_nothing_half_done(void **state)
{
	const struct spec s = { MAIL };
	struct keystore *ks;
	struct made m;
	struct place p;
	int pipe_fd[2], status;
	pid_t pid;
	char c;

	(void)state;
	ks = store_make(&p);
	cert_make(&m, &s, NULL);
	keystore_close(&ks);
	assert_int_equal(pipe(pipe_fd), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (keystore_open(&ks, p.db, KS_WRITE, NULL) != 0 ||
		    keystore_begin(ks, NULL) != 0)
			_exit(1);
		add_cert(ks, &m, KS_SIGN);
		add_private(ks, &m);
		(void)!write(pipe_fd[1], "x", 1);
		pause();
		_exit(1);
	}
	assert_int_equal(read(pipe_fd[0], &c, 1), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	must(keystore_open(&ks, p.db, KS_WRITE, e));
	assert_int_equal(count(ks, NULL), 0);
	add_cert(ks, &m, KS_SIGN); /* and nothing is locked */
	assert_int_equal(count(ks, NULL), 1);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	made_free(&m);
	store_clear(&p, &ks);
}

/* Another user who may read the files but not make any. */
static void reader_without_rights_to_write(void **state)
{
	struct keystore *ks;
	const struct spec s = { MAIL };
	struct made m;
	struct place p;
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	ks = store_make(&p);
	cert_make(&m, &s, NULL);
	add_cert(ks, &m, KS_SIGN);
	keystore_close(&ks);
	assert_int_equal(chmod(p.dir, 0755), 0);
	exec_sql(p.db, "SELECT 1"); /* leaves the log as it is */
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* The group may read (0640), nobody else. */
		gid_t gid = getegid();

		if (setgroups(1, &gid) != 0 || setuid(65534) != 0)
			_exit(1);
		if (keystore_open(&ks, p.db, KS_READ, NULL) != 0)
			_exit(2);
		if (count(ks, NULL) != 1)
			_exit(3);
		keystore_close(&ks);
		_exit(keystore_open(&ks, p.db, KS_WRITE, NULL) == -1 ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	made_free(&m);
	must(keystore_open(&ks, p.db, KS_READ, e));
	store_clear(&p, &ks);
}

/* ---- an index that a reader may not write ---- */

#define SECOND_HEADER 48 /* in the index; both must be equal */

static unsigned char *map_index(const struct place *p)
{
	char name[128];
	void *index;
	int fd;

	snprintf(name, sizeof(name), "%s-shm", p->db);
	fd = open(name, O_RDWR);
	index = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return index == MAP_FAILED ? NULL : index;
}

static void *finish_later(void *index)
{
	usleep(20000);
	((unsigned char *)index)[SECOND_HEADER + 8] ^= 1;
	return NULL;
}

/* In the child, when the parent has opened the store. -> exit status */
static int read_half_written(const struct place *p, int told)
{
	unsigned char *index;
	struct keystore *ks = NULL;
	gid_t gid = getegid();
	struct err e = { 0 };
	pthread_t t;
	int rc = -1;
	char c;

	if (read(told, &c, 1) != 1)
		return 1;
	index = map_index(p);
	if (index == NULL || setgroups(1, &gid) != 0 || setuid(65534) != 0 ||
	    keystore_open(&ks, p->db, KS_READ, NULL) != 0)
		return 1;
	/* a thread that comes too late by chance is no fault of ours */
	for (int i = 0; rc != 0 && i < 20; i++) {
		index[SECOND_HEADER + 8] ^= 1;
		if (pthread_create(&t, NULL, finish_later, index) != 0)
			return 2;
		rc = keystore_refresh(ks, &e);
		(void)pthread_join(t, NULL);
	}
	if (rc != 0)
		return 3;
	index[SECOND_HEADER + 8] ^= 1; /* and stays so */
	if (keystore_refresh(ks, &e) == 0)
		return 4;
	index[SECOND_HEADER + 8] ^= 1;
	if (e.kind != FAIL_TEMP)
		return 5;
	keystore_close(&ks);
	return 0;
}

/* A reader looks while a writer writes, or after one died in that. */
static void reader_waits_for_what_is_half_written(void **state)
{
	struct keystore *ks;
	struct place p;
	int status, told[2];
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	ks = store_make(&p);
	keystore_close(&ks);
	assert_int_equal(chmod(p.dir, 0755), 0);
	assert_int_equal(pipe(told), 0);
	fflush(NULL);
	pid = fork(); /* SQLite knows its process's files */
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(read_half_written(&p, told[0]));
	must(keystore_open(&ks, p.db, KS_WRITE, e));
	must(keystore_refresh(ks, e));
	assert_int_equal(write(told[1], "x", 1), 1);
	close(told[0]);
	close(told[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	store_clear(&p, &ks);
}

/* ---- audit ---- */

static const char *audit(struct keystore *ks, const char *id)
{
	static char text[100];
	struct err e = { 0 };
	struct buf out;

	buf_init(&out, 100);
	if (keystore_audit_get(ks, id, &out, &e) != 0) {
		assert_int_equal(e.kind, FAIL_INPUT);
		return NULL;
	}
	snprintf(text, sizeof(text), "%s", buf_str(&out));
	buf_free(&out);
	return text;
}

static void audit_records(void **state)
{
	struct keystore *ks;
	struct place p;
	size_t n;

	(void)state;
	ks = store_make(&p);
	assert_null(audit(ks, "one"));
	must(keystore_audit_add(ks, "one", 100, "Q1", view_of("{1}"), e));
	must(keystore_audit_add(ks, "two", 200, "Q1", view_of("{2}"), e));
	must(keystore_audit_add(ks, "three", 300, NULL, view_of("{3}"), e));
	must(keystore_audit_add(ks, "empty", 300, NULL, view_of(""), e));
	assert_string_equal(audit(ks, "one"), "{1}");
	assert_string_equal(audit(ks, "three"), "{3}");
	assert_string_equal(audit(ks, "empty"), "");
	assert_string_equal(audit(ks, "Q1"), "{2}"); /* the newest */
	assert_null(audit(ks, "' OR 1=1 --"));
	assert_null(audit(ks, ""));
	must(keystore_audit_add(ks, "one", 100, "Q1", view_of("{1b}"), e));
	assert_string_equal(audit(ks, "one"), "{1b}");
	must(keystore_audit_expire(ks, 100, &n, e));
	assert_int_equal(n, 0);
	must(keystore_audit_expire(ks, 201, &n, e));
	assert_int_equal(n, 2);
	assert_null(audit(ks, "Q1"));
	assert_string_equal(audit(ks, "three"), "{3}");
	store_clear(&p, &ks);
}

static void words_for_states_and_sources(void **state)
{
	(void)state;
	assert_string_equal(ks_state_str(KS_USABLE), "usable");
	assert_string_equal(ks_state_str(KS_SUPERSEDED), "superseded");
	assert_string_equal(ks_state_str((enum ks_state)99), "?");
	assert_string_equal(ks_source_str(KS_CA), "ca");
	assert_string_equal(ks_source_str((enum ks_source)99), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_faults),
		cmocka_unit_test(create_does_not_overwrite),
		cmocka_unit_test(unknown_schema_is_named),
		cmocka_unit_test(reader_cannot_write),
		cmocka_unit_test(list_by_everything),
		cmocka_unit_test(add_change_remove),
		cmocka_unit_test(removing_one_of_two_keeps_the_key),
		cmocka_unit_test(certificate_of_the_largest_size),
		cmocka_unit_test(generation_moves_with_changes_only),
		cmocka_unit_test(transaction_all_or_none),
		cmocka_unit_test(several_writers_and_a_reader),
		cmocka_unit_test(killed_writer_leaves_nothing_half_done),
		cmocka_unit_test(reader_without_rights_to_write),
		cmocka_unit_test(reader_waits_for_what_is_half_written),
		cmocka_unit_test(audit_records),
		cmocka_unit_test(words_for_states_and_sources),
	};

	return cmocka_run_group_tests_name("keystore_store", tests, NULL,
	    NULL);
}
