/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Backups: what was changed, cut, moved or made by somebody hostile who
 * knows the passphrase is found before it does anything.
 */
#include "tests/unit/keystore_util.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "keystore/archive.h"
#include "keystore/backup.h"
#include "util/proc.h"

#define PASS "correct horse"
#define HEAD 64
#define CHUNK (4 + 65536 + 16)

/* ---- files in memory ---- */

static int file_new(void)
{
	char name[] = "/tmp/backup-test-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	unlink(name);
	return fd;
}

static int file_of(struct view v)
{
	int fd = file_new();

	must(io_write_all(fd, v.p, v.n, e));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void file_read(int fd, struct buf *out)
{
	off_t n = lseek(fd, 0, SEEK_END);
	unsigned char *room = buf_room(out, (size_t)n);

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	must(io_read_all(fd, room, (size_t)n, e));
	out->n += (size_t)n;
}

/* ---- the stream ---- */

static void make_stream(struct buf *out, size_t n)
{
	struct archive *a;
	unsigned char *p = malloc(n + 1);
	int fd = file_new();
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (unsigned char)(i * 31 >> 3);
	must(archive_create(&a, fd, view_of(PASS), ARCHIVE_COST_MIN, NOW,
	    e));
	must(archive_put(a, p, n / 2, e));
	must(archive_put(a, p + n / 2, n - n / 2, e));
	must(archive_finish(a, e));
	archive_free(&a);
	file_read(fd, out);
	close(fd);
	free(p);
}

/* Read n octets and the end: 0, or -1 with why. */
static int read_stream(struct view v, const char *pass, size_t n,
    struct err *why)
{
	unsigned char *p = malloc(n + 1);
	struct archive *a = NULL;
	int fd = file_of(v), rc;
	size_t i;

	err_clear(why);
	rc = archive_open(&a, fd, view_of(pass), why);
	if (rc == 0)
		rc = archive_get(a, p, n, why);
	for (i = 0; rc == 0 && i < n; i++)
		assert_int_equal(p[i], (unsigned char)(i * 31 >> 3));
	if (rc == 0)
		rc = archive_end(a, why);
	if (rc == 0)
		assert_int_equal(archive_when(a), NOW);
	archive_free(&a);
	close(fd);
	free(p);
	return rc;
}

static void what_is_written_is_read(void **state)
{
	static const size_t size[] = { 0, 1, 65535, 65536, 65537, 200000 };
	struct err why = { 0 };
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(size); i++) {
		buf_init(&b, 1u << 20);
		make_stream(&b, size[i]);
		if (read_stream(buf_view(&b), PASS, size[i], &why) != 0)
			fail_msg("%zu: %s", size[i], why.msg);
		buf_free(&b);
	}
}

static void expect(struct view v, const char *pass, size_t n,
    const char *wanted)
{
	struct err why = { 0 };

	assert_int_equal(read_stream(v, pass, n, &why), -1);
	if (strstr(why.msg, wanted) == NULL)
		fail_msg("wanted \"%s\", found \"%s\"", wanted, why.msg);
}

static void wrong_passphrases_and_headers(void **state)
{
	static const struct {
		size_t at;
		unsigned char value;
		const char *wanted;
	} row[] = {
		{ 0, 'x', "not a backup" },
		{ 11, 2, "version 2" },
		{ 15, 13, "costs of scrypt" },
		{ 15, 21, "costs of scrypt" },
		{ 12, 1, "costs of scrypt" },
		{ 19, 9, "costs of scrypt" },
		{ 23, 2, "costs of scrypt" },
		{ 15, 15, "wrong passphrase" },
		{ 32, 0, "wrong passphrase" },
		{ 63, 0, "wrong passphrase" },
		{ 31, 99, "damaged in chunk 1" }, /* the time */
	};
	struct buf b, was;
	size_t i;

	(void)state;
	buf_init(&b, 1u << 20);
	buf_init(&was, 1u << 20);
	make_stream(&was, 100);
	expect(buf_view(&was), "Correct horse", 100, "wrong passphrase");
	expect(buf_view(&was), "", 100, "empty passphrase");
	for (i = 0; i < HEAD; i += 21)
		expect(view_sub(buf_view(&was), 0, i), PASS, 100,
		    "not a backup");
	for (i = 0; i < ARRAY_LEN(row); i++) {
		struct err why = { 0 };

		buf_clear(&b);
		buf_putv(&b, buf_view(&was));
		b.p[row[i].at] = (unsigned char)(row[i].value ^
		    (row[i].value == 0 ? b.p[row[i].at] ^ 1 : 0));
		assert_int_equal(read_stream(buf_view(&b), PASS, 100, &why),
		    -1);
		if (strstr(why.msg, row[i].wanted) == NULL)
			fail_msg("row %zu: %s", i, why.msg);
	}
	buf_free(&b);
	buf_free(&was);
}

/* attack A64: a backup that was changed, cut, or whose parts were moved
 * verdict: found, and nothing of the part is given out */
static void A64_changed_cut_and_moved_chunks(void **state)
{
	const size_t n = 200000; /* four chunks */
	static const size_t flip[] = { HEAD, HEAD + 3, HEAD + 4, HEAD + 9999,
		HEAD + CHUNK - 1, HEAD + CHUNK, HEAD + 2 * CHUNK + 77 };
	struct buf b, was;
	struct view v, one, two;
	size_t i;

	(void)state;
	buf_init(&b, 1u << 20);
	buf_init(&was, 1u << 20);
	make_stream(&was, n);
	v = buf_view(&was);
	for (i = 0; i < ARRAY_LEN(flip); i++) {
		was.p[flip[i]] ^= 1;
		expect(v, PASS, n, flip[i] == HEAD ? "damaged" : "in chunk");
		was.p[flip[i]] ^= 1;
	}
	was.p[was.n - 1] ^= 1;
	expect(v, PASS, n, "damaged in chunk 4");
	was.p[was.n - 1] ^= 1;
	expect(view_sub(v, 0, HEAD), PASS, n, "cut short in chunk 1");
	expect(view_sub(v, 0, HEAD + 2), PASS, n, "cut short in chunk 1");
	expect(view_sub(v, 0, HEAD + 3 * CHUNK), PASS, n,
	    "cut short in chunk 4");
	expect(view_sub(v, 0, v.n - 1), PASS, n, "cut short in chunk 4");
	/* whole chunks, wanted octets all there, but not the last one */
	expect(view_sub(v, 0, HEAD + CHUNK), PASS, 65536, "cut short");
	expect(v, PASS, 65536, "than its list says");
	expect(v, PASS, n - 1, "than its list says");
	expect(v, PASS, n + 1, "ends early");
	one = view_sub(v, HEAD, CHUNK);
	two = view_sub(v, HEAD + CHUNK, CHUNK);
	buf_putv(&b, view_sub(v, 0, HEAD));
	buf_putv(&b, two);
	buf_putv(&b, one);
	buf_putv(&b, view_sub(v, HEAD + 2 * CHUNK, v.n));
	expect(buf_view(&b), PASS, n, "not at its place");
	buf_clear(&b);
	buf_putv(&b, view_sub(v, 0, HEAD + CHUNK));
	buf_putv(&b, one);
	buf_putv(&b, view_sub(v, HEAD + 2 * CHUNK, v.n));
	expect(buf_view(&b), PASS, n, "damaged in chunk 2");
	buf_clear(&b);
	buf_putv(&b, v);
	buf_putc(&b, 0);
	expect(buf_view(&b), PASS, n, "octets behind its end");
	buf_free(&b);
	buf_free(&was);
}

/* ---- members ---- */

static void names_of_members(void **state)
{
	static const char *const good[] = { "keystore.db", "secret", "rules",
		"postseal.conf", "authority", "file-001", "file-999.orig",
		"postseal.conf.orig", "rules.orig" };
	static const char *const bad[] = { "", ".", "..", "/etc/passwd",
		"../rules", "rules/", "file-1", "file-0001", "file-00a",
		"file-001/../x", "keystore.db-wal", "keystore.db.orig",
		"secret.orig", ".orig", "rules.orig.orig", "Rules",
		"postseal.conf\n" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(good); i++)
		if (!backup_is_name(good[i]))
			fail_msg("%s", good[i]);
	for (i = 0; i < ARRAY_LEN(bad); i++)
		if (backup_is_name(bad[i]))
			fail_msg("%s", bad[i]);
}

static void put_text(struct buf *b, const char *s, size_t n)
{
	ipc_put_view(b, view_make(s, n));
}

/* A list as somebody hostile writes it; octets of contents: n. */
struct hostile {
	const char *name[3];
	uint64_t size[3];
	uint32_t count; /* 0: as many as there are names */
	const char *wanted;
};

static void write_hostile(struct buf *out, const struct hostile *h)
{
	struct archive *a;
	struct buf list;
	uint32_t n = 0;
	int fd = file_new();

	buf_init(&list, 1u << 20);
	while (n < 3 && h->name[n] != NULL)
		n++;
	ipc_put_u32(&list, h->count != 0 ? h->count : n);
	for (n = 0; n < 3 && h->name[n] != NULL; n++) {
		put_text(&list, h->name[n], strlen(h->name[n]));
		put_text(&list, "/x", 2);
		ipc_put_u64(&list, h->size[n]);
	}
	must(archive_create(&a, fd, view_of(PASS), ARCHIVE_COST_MIN, NOW,
	    e));
	must(archive_put(a, list.p, list.n, e));
	must(archive_finish(a, e));
	archive_free(&a);
	file_read(fd, out);
	close(fd);
	buf_free(&list);
}

/* attack A64: a backup by somebody who knows the passphrase, with names of
 * his choice, names twice, sizes beyond all measure, an endless list
 * verdict: refused by its list, before anything is written */
static void A64_hostile_lists(void **state)
{
	static const struct hostile row[] = {
		{ { "keystore.db", "../../etc/passwd" }, { 0 }, 0,
		    "which no backup has" },
		{ { "keystore.db", "postseal.conf", "/etc/shadow" }, { 0 }, 0,
		    "which no backup has" },
		{ { "keystore.db", "postseal.conf", "postseal.conf" }, { 0 },
		    0, "two members named" },
		{ { "keystore.db" }, { 0 }, 0, "without postseal.conf" },
		{ { "postseal.conf" }, { 0 }, 0, "without keystore.db" },
		{ { "keystore.db", "postseal.conf" }, { (uint64_t)1 << 41 },
		    0, "octets" },
		{ { "keystore.db", "postseal.conf" }, { 0, 1u << 30 }, 0,
		    "octets" },
		{ { "keystore.db", "postseal.conf" }, { 0 }, 0xffffffff,
		    "at most" },
		{ { "keystore.db", "postseal.conf" }, { 0 }, 2000,
		    "ends early" },
		{ { NULL }, { 0 }, 0, "a list of 0" },
		{ { "keystore.db-and-more-than-fits-into-it",
		    "postseal.conf" }, { 0 }, 0, "a name of" },
	};
	struct backup *b = NULL;
	struct err why = { 0 };
	struct buf file;
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		buf_init(&file, 1u << 20);
		write_hostile(&file, &row[i]);
		fd = file_of(buf_view(&file));
		assert_int_equal(backup_open(&b, fd, view_of(PASS), &why),
		    -1);
		if (strstr(why.msg, row[i].wanted) == NULL)
			fail_msg("row %zu: %s", i, why.msg);
		assert_null(b);
		close(fd);
		buf_free(&file);
	}
}

static void what_is_refused_to_be_written(void **state)
{
	struct backup_member m[2] = { { .name = "keystore.db" },
		{ .name = "conf" } };
	int fd = file_new();

	(void)state;
	must_fail(backup_write(fd, view_of(PASS), NOW, m, 1, -1, e),
	    FAIL_INPUT);
	must_fail(backup_write(fd, view_of(PASS), NOW, m, 2, -1, e),
	    FAIL_INPUT);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	close(fd);
}

/* ---- the database ---- */

static int sql(const char *db, const char *text)
{
	sqlite3 *c = NULL;
	int rc = sqlite3_open(db, &c);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(c, text, NULL, NULL, NULL);
	sqlite3_close(c);
	return rc;
}

static void whole_way_of_a_store(void **state)
{
	static const struct spec spec = { .san = "email:alice@example.com" };
	struct backup_member m[2] = { { .name = "postseal.conf",
		.path = (char *)(uintptr_t)"/etc/x", .size = 5 },
		{ .name = "keystore.db",
		.path = (char *)(uintptr_t)"/var/x" } };
	struct keystore_sum sum;
	struct keystore *ks, *other;
	struct backup *b;
	struct place p, q;
	struct made made;
	struct stat st;
	struct buf text;
	int db, fd = file_new(), conf = file_new(), out;

	(void)state;
	buf_init(&text, 4096);
	ks = store_make(&p);
	cert_make(&made, &spec, NULL);
	add_cert(ks, &made, KS_SIGN);
	add_private(ks, &made);
	must(keystore_note(ks, "make backup", "x", "", e));
	must(keystore_open(&other, p.db, KS_WRITE, e));
	must(keystore_begin(other, e)); /* somebody is writing */
	must(keystore_copy(ks, p.dir, &db, e));
	keystore_close(&other);
	assert_int_equal(fstat(db, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	m[0].text = view_of("hello");
	m[1].size = (uint64_t)st.st_size;
	must(backup_write(fd, view_of(PASS), NOW, m, 2, db, e));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	must(backup_open(&b, fd, view_of(PASS), e));
	assert_int_equal(backup_when(b), NOW);
	assert_int_equal(backup_members(b), 2);
	assert_string_equal(backup_member(b, 1)->path, "/var/x");
	must(backup_next(b, conf, e));
	must_fail(backup_end(b, e), FAIL_BUG);
	place_make(&q);
	out = open(q.db, O_WRONLY | O_CREAT | O_EXCL, 0600);
	must(backup_next(b, out, e));
	must(backup_end(b, e));
	must_fail(backup_next(b, conf, e), FAIL_TEMP);
	close(out);
	file_read(conf, &text);
	assert_string_equal(buf_str(&text), "hello");
	must(keystore_open(&other, q.db, KS_WRITE, e));
	must(keystore_verify(other, &sum, e));
	assert_int_equal(sum.certs, 1);
	assert_int_equal(sum.keys, 1);
	keystore_close(&other);
	backup_close(&b);
	buf_free(&text);
	close(db);
	close(fd);
	close(conf);
	made_free(&made);
	place_clear(&q);
	store_clear(&p, &ks);
}

static void a_database_that_is_not_whole(void **state)
{
	static const char *const bad[] = {
		"INSERT INTO cert_address (address, domain, cert)"
		" VALUES ('a@b', 'b', 77)",
		"INSERT INTO crl (name, issuer, subject, this_update,"
		" next_update, sha256, added, entries)"
		" VALUES (1, x'', 's', 1, 2, x'', 3, 9)",
		"CREATE VIEW v AS SELECT 1",
		"CREATE VIRTUAL TABLE v USING fts4(x)",
		"CREATE TRIGGER t AFTER INSERT ON key BEGIN"
		" DELETE FROM cert; END",
	};
	struct keystore_sum sum;
	struct keystore *ks;
	struct place p;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		ks = store_make(&p);
		must(keystore_verify(ks, &sum, e));
		keystore_close(&ks);
		assert_int_equal(sql(p.db, bad[i]), SQLITE_OK);
		must(keystore_open(&ks, p.db, KS_WRITE, e));
		must_fail(keystore_verify(ks, &sum, e), FAIL_CONFIG);
		store_clear(&p, &ks);
	}
}

static void a_held_store_has_nobody_else(void **state)
{
	struct sqlite3 *held;
	struct keystore *ks;
	struct place p;
	char wal[128];
	struct stat st;

	(void)state;
	ks = store_make(&p);
	must_fail(keystore_hold(p.db, &held, e), FAIL_TEMP);
	assert_null(held);
	keystore_close(&ks);
	must(keystore_hold(p.db, &held, e));
	snprintf(wal, sizeof(wal), "%s-wal", p.db);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_not_equal(sql(p.db, "SELECT * FROM meta"), SQLITE_OK);
	keystore_let_go(&held);
	must(keystore_open(&ks, p.db, KS_WRITE, e));
	store_clear(&p, &ks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(wrong_passphrases_and_headers),
		cmocka_unit_test(A64_changed_cut_and_moved_chunks),
		cmocka_unit_test(names_of_members),
		cmocka_unit_test(A64_hostile_lists),
		cmocka_unit_test(what_is_refused_to_be_written),
		cmocka_unit_test(whole_way_of_a_store),
		cmocka_unit_test(a_database_that_is_not_whole),
		cmocka_unit_test(a_held_store_has_nobody_else),
	};

	return cmocka_run_group_tests_name("keystore_backup", tests, NULL,
	    NULL);
}
