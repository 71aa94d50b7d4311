/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of util/spool.c at every border between memory and file.
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "util/spool.h"

static unsigned char pattern(uint64_t i)
{
	return (unsigned char)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

/* Append n octets of the pattern in pieces of step. */
static void fill(struct spool *s, size_t n, size_t step)
{
	unsigned char *p = malloc(step);
	uint64_t off = spool_size(s);
	struct err e = { 0 };
	size_t i, k;

	assert_non_null(p);
	while (n > 0) {
		k = n < step ? n : step;
		for (i = 0; i < k; i++)
			p[i] = pattern(off + i);
		assert_int_equal(spool_write(s, p, k, &e), 0);
		off += k;
		n -= k;
	}
	free(p);
}

static void check_at(const struct spool *s, uint64_t off, size_t n)
{
	unsigned char *p = malloc(n + 1);
	uint64_t size = spool_size(s);
	size_t want = off >= size ? 0 : n > size - off ?
	    (size_t)(size - off) : n;
	struct err e = { 0 };
	size_t got, i;

	assert_non_null(p);
	assert_int_equal(spool_read(s, off, p, n, &got, &e), 0);
	assert_int_equal(got, want);
	for (i = 0; i < got; i++)
		assert_int_equal(p[i], pattern(off + i));
	free(p);
}

/* Everything by the sequential reader, in [off, end). */
static void check_chunks(const struct spool *s, uint64_t off, uint64_t end)
{
	uint64_t size = spool_size(s);
	struct err e = { 0 };
	struct spool_rd r;
	struct view v;
	size_t i;

	spool_rd_init(&r, s, off, end);
	for (;;) {
		assert_int_equal(spool_next(&r, &v, &e), 0);
		if (v.n == 0)
			break;
		assert_true(v.n <= SPOOL_CHUNK);
		for (i = 0; i < v.n; i++)
			assert_int_equal(v.p[i], pattern(off + i));
		off += v.n;
	}
	if (end > size)
		end = size;
	assert_true(off >= end);
	spool_rd_free(&r);
	spool_rd_free(&r);
}

static void more_than_max_writes_nothing(void **state)
{
	struct err e = { 0 };
	struct spool *s;

	(void)state;
	assert_int_equal(spool_new(&s, 10, &e), 0);
	assert_int_equal(spool_write(s, "12345678901", 11, &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
	assert_int_equal(spool_size(s), 0);
	assert_int_equal(spool_write(s, "1234567890", 10, &e), 0);
	assert_int_equal(spool_write(s, "1", 1, &e), -1);
	assert_int_equal(spool_size(s), 10);
	assert_int_equal(spool_write(s, "", 0, &e), 0);
	spool_free(&s);
	assert_null(s);
	spool_free(&s);
}

static void bad_folder_is_refused(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(spool_set_dir("/nonexistent/x", &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	assert_int_equal(spool_set_dir("/dev/null", &e), -1);
	assert_int_equal(spool_set_dir("", &e), -1);
}

static void from_fd_refuses(void **state)
{
	struct err e = { 0 };
	struct spool *s, *t;
	int fds[2], fd;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(spool_from_fd(&s, fds[0], 10, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	assert_null(s);
	assert_int_equal(fcntl(fds[0], F_GETFD), -1); /* taken all the same */
	close(fds[1]);
	assert_int_equal(spool_from_fd(&s, -1, 10, &e), -1);
	assert_int_equal(spool_new(&t, 100, &e), 0);
	fill(t, 11, 11);
	assert_int_equal(spool_fd(t, &fd, &e), 0);
	assert_int_equal(spool_from_fd(&s, dup(fd), 10, &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
	assert_int_equal(spool_from_fd(&s, dup(fd), 11, &e), 0);
	assert_int_equal(spool_write(s, "x", 1, &e), -1); /* read-only */
	check_at(s, 0, 20);
	spool_free(&s);
	spool_free(&t);
}

static void sizes_around_every_border(void **state)
{
	static const size_t size[] = {
		0, 1, 5000, 8191, 8192, 8193, SPOOL_CHUNK - 1, SPOOL_CHUNK,
		SPOOL_CHUNK + 1, SPOOL_MEMORY - 1, SPOOL_MEMORY,
		SPOOL_MEMORY + 1, SPOOL_MEMORY + SPOOL_CHUNK,
		SPOOL_MEMORY + SPOOL_CHUNK + 1, 700001,
	};
	static const size_t step[] = { 77, 5000, 70000, 300000, 800000 };
	struct err e = { 0 };
	struct spool *s, *t;
	size_t i, j;
	int fd;

	(void)state;
	for (i = 0; i < ARRAY_LEN(size); i++) {
		for (j = 0; j < ARRAY_LEN(step); j++) {
			assert_int_equal(spool_new(&s, size[i], &e), 0);
			fill(s, size[i], step[j]);
			assert_int_equal(spool_size(s), size[i]);
			check_at(s, 0, size[i] + 1);
			check_at(s, size[i] / 2, 1000);
			check_at(s, size[i], 1);
			check_chunks(s, 0, UINT64_MAX);
			check_chunks(s, 3, size[i] > 9 ? size[i] - 5 : 9);
			assert_int_equal(spool_fd(s, &fd, &e), 0);
			assert_int_equal(spool_from_fd(&t, dup(fd), size[i],
			    &e), 0);
			assert_int_equal(spool_size(t), size[i]);
			check_chunks(t, 0, UINT64_MAX);
			check_at(t, size[i] / 3, 100);
			spool_free(&t);
			spool_free(&s);
		}
	}
}

static void grows_after_its_descriptor_was_lent(void **state)
{
	struct err e = { 0 };
	struct spool *s, *t;
	int fd, again;

	(void)state;
	assert_int_equal(spool_new(&s, 1u << 20, &e), 0);
	fill(s, 5000, 5000);
	assert_int_equal(spool_fd(s, &fd, &e), 0);
	fill(s, 2000, 100);
	assert_int_equal(spool_fd(s, &again, &e), 0);
	assert_int_equal(fd, again);
	assert_int_equal(spool_from_fd(&t, dup(fd), 1u << 20, &e), 0);
	assert_int_equal(spool_size(t), 7000);
	check_chunks(t, 0, UINT64_MAX);
	spool_free(&t);
	fill(s, 500000, 3000);
	assert_int_equal(spool_fd(s, &again, &e), 0);
	assert_int_equal(spool_from_fd(&t, dup(again), 1u << 20, &e), 0);
	assert_int_equal(spool_size(t), 507000);
	check_chunks(t, 0, UINT64_MAX);
	fill(s, 10, 10);
	check_chunks(s, 0, UINT64_MAX);
	spool_free(&t);
	spool_free(&s);
}

static void a_reader_of_the_descriptor_begins_at_0(void **state)
{
	struct err e = { 0 };
	struct spool *s;
	char c[4];
	int fd;

	(void)state;
	assert_int_equal(spool_new(&s, 10, &e), 0);
	assert_int_equal(spool_write(s, "abcd", 4, &e), 0);
	assert_int_equal(spool_fd(s, &fd, &e), 0);
	assert_int_equal(read(fd, c, 4), 4);
	assert_memory_equal(c, "abcd", 4);
	spool_free(&s);
}

/* attack A54: plaintext in files that others can open
 * verdict: an unlinked file of mode 0600 */
static void A54_file_has_no_name_and_mode_0600(void **state)
{
	struct err e = { 0 };
	struct spool *s;
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(spool_new(&s, 1u << 20, &e), 0);
	fill(s, SPOOL_MEMORY + 1, 1000);
	assert_int_equal(spool_fd(s, &fd, &e), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	spool_free(&s);
}

static void clear_begins_anew(void **state)
{
	struct err e = { 0 };
	struct spool *s;

	(void)state;
	assert_int_equal(spool_new(&s, 1u << 20, &e), 0);
	fill(s, 400000, 1000);
	assert_int_equal(spool_clear(s, &e), 0);
	assert_int_equal(spool_size(s), 0);
	check_chunks(s, 0, UINT64_MAX);
	fill(s, 300000, 1000);
	check_chunks(s, 0, UINT64_MAX);
	spool_free(&s);
}

static int stop_after(void *arg, const void *p, size_t n, struct err *e)
{
	size_t *left = arg;

	(void)p;
	if (n > *left)
		return err_set(e, FAIL_LIMIT, "full");
	*left -= n;
	return 0;
}

static void copy_to_a_sink(void **state)
{
	size_t left = 100000;
	struct sink full = { stop_after, &left };
	struct err e = { 0 };
	struct spool *s, *t;
	struct sink k;

	(void)state;
	assert_int_equal(spool_new(&s, 1u << 20, &e), 0);
	assert_int_equal(spool_new(&t, 1u << 20, &e), 0);
	fill(s, 500000, 4096);
	k = spool_sink(t);
	assert_int_equal(spool_copy(s, 0, 300, &k, &e), 0);
	assert_int_equal(spool_copy(s, 300, UINT64_MAX, &k, &e), 0);
	assert_int_equal(spool_size(t), 500000);
	check_chunks(t, 0, UINT64_MAX);
	assert_int_equal(spool_copy(s, 0, 500000, &full, &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
	spool_free(&s);
	spool_free(&t);
}

static void full_disk_is_temporary_and_loses_nothing(void **state)
{
	struct rlimit old, small;
	struct err e = { 0 };
	struct spool *s;
	uint64_t size;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 100000;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(spool_new(&s, 1u << 20, &e), 0);
	fill(s, SPOOL_MEMORY, 4096);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(spool_write(s, "x", 1, &e), -1);
	assert_int_equal(spool_write(s, "x", 1, &e), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(e.kind, FAIL_TEMP);
	size = spool_size(s);
	assert_int_equal(size, SPOOL_MEMORY);
	fill(s, 5000, 1000);
	check_chunks(s, 0, UINT64_MAX);
	spool_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_than_max_writes_nothing),
		cmocka_unit_test(bad_folder_is_refused),
		cmocka_unit_test(from_fd_refuses),
		cmocka_unit_test(sizes_around_every_border),
		cmocka_unit_test(grows_after_its_descriptor_was_lent),
		cmocka_unit_test(a_reader_of_the_descriptor_begins_at_0),
		cmocka_unit_test(A54_file_has_no_name_and_mode_0600),
		cmocka_unit_test(clear_begins_anew),
		cmocka_unit_test(copy_to_a_sink),
		cmocka_unit_test(full_disk_is_temporary_and_loses_nothing),
	};

	return cmocka_run_group_tests_name("util_spool", tests, NULL, NULL);
}
