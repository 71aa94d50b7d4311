/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Room in front of a spool, octets dropped from its front, and spools that
 * may have more in memory: at every border between memory and file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/segs.h"
#include "util/spool.h"

#define EACH (2u << 20)
#define TOGETHER (4u << 20)

static unsigned char pattern(uint64_t i)
{
	return (unsigned char)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

static void fill(struct spool *s, uint64_t from, size_t n, size_t step)
{
	unsigned char *p = malloc(step);
	struct err e = { 0 };

	assert_non_null(p);
	while (n > 0) {
		size_t k = n < step ? n : step;

		for (size_t i = 0; i < k; i++)
			p[i] = pattern(from + i);
		assert_int_equal(spool_write(s, p, k, &e), 0);
		from += k;
		n -= k;
	}
	free(p);
}

/* The spool is head, then the pattern from its octet from on. */
static void check(const struct spool *s, const char *head, uint64_t from)
{
	size_t head_n = strlen(head);
	struct err e = { 0 };
	struct spool_rd r;
	uint64_t off = 0;
	struct view v;

	spool_rd_init(&r, s, 0, UINT64_MAX);
	for (;;) {
		unsigned char *p;
		size_t got;

		assert_int_equal(spool_next(&r, &v, &e), 0);
		if (v.n == 0)
			break;
		p = malloc(v.n);
		assert_non_null(p);
		assert_int_equal(spool_read(s, off, p, v.n, &got, &e), 0);
		assert_int_equal(got, v.n);
		assert_memory_equal(p, v.p, v.n);
		free(p);
		for (size_t i = 0; i < v.n; i++, off++)
			assert_int_equal(v.p[i], off < head_n
			    ? (unsigned char)head[off]
			    : pattern(from + off - head_n));
	}
	assert_int_equal(off, spool_size(s));
	spool_rd_free(&r);
}

/* As another process gets it. */
static void check_sent(struct spool *s, const char *head, uint64_t from)
{
	struct err e = { 0 };
	struct spool *t;
	int fd;

	assert_int_equal(spool_fd(s, &fd, &e), 0);
	assert_int_equal(spool_from_fd(&t, dup(fd), UINT64_MAX, &e), 0);
	assert_int_equal(spool_drop(t, spool_fd_start(s), &e), 0);
	assert_int_equal(spool_size(t), spool_size(s));
	check(t, head, from);
	spool_free(&t);
}

static void no_room_is_a_bug(void **state)
{
	struct err e = { 0 };
	struct spool *s;

	(void)state;
	assert_int_equal(spool_new(&s, 5000, &e), 0);
	assert_int_equal(spool_room(s), 0);
	assert_int_equal(spool_prepend(s, "x", 1, &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
	assert_int_equal(spool_reserve(s, SPOOL_RESERVE + 1, &e), -1);
	assert_int_equal(spool_write(s, "x", 1, &e), 0);
	assert_int_equal(spool_reserve(s, 1, &e), -1); /* not empty */
	assert_int_equal(e.kind, FAIL_BUG);
	assert_int_equal(spool_drop(s, 2, &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
	assert_int_equal(spool_size(s), 1);
	assert_int_equal(spool_clear(s, &e), 0);
	assert_int_equal(spool_reserve(s, 4, &e), 0);
	assert_int_equal(spool_size(s), 0);
	assert_int_equal(spool_room(s), 4);
	assert_int_equal(spool_prepend(s, "abcde", 5, &e), -1);
	assert_int_equal(spool_prepend(s, "cd", 2, &e), 0);
	assert_int_equal(spool_prepend(s, "ab", 2, &e), 0);
	assert_int_equal(spool_size(s), 4);
	check(s, "abcd", 0);
	assert_int_equal(spool_prepend(s, "x", 1, &e), -1);
	assert_int_equal(spool_clear(s, &e), 0);
	assert_int_equal(spool_room(s), 0);
	spool_free(&s);
}

static void a_received_one_gets_nothing_in_front(void **state)
{
	struct err e = { 0 };
	struct spool *s, *t;
	int fd;

	(void)state;
	assert_int_equal(spool_new(&s, 100, &e), 0);
	fill(s, 0, 50, 50);
	assert_int_equal(spool_fd(s, &fd, &e), 0);
	assert_int_equal(spool_from_fd(&t, dup(fd), 100, &e), 0);
	assert_int_equal(spool_drop(t, 10, &e), 0);
	assert_int_equal(spool_room(t), 0);
	assert_int_equal(spool_prepend(t, "x", 1, &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
	check(t, "", 10);
	spool_free(&t);
	spool_free(&s);
}

static const size_t sizes[] = {
	0, 1, 8192 - SPOOL_RESERVE, SPOOL_CHUNK - SPOOL_RESERVE,
	SPOOL_CHUNK, SPOOL_MEMORY - SPOOL_RESERVE - 1,
	SPOOL_MEMORY - SPOOL_RESERVE, SPOOL_MEMORY - SPOOL_RESERVE + 1,
	SPOOL_MEMORY, 700001, EACH - SPOOL_RESERVE, EACH, EACH + 300001,
};

static void around_borders(size_t step)
{
	static const char head[] = "Content-Type: multipart/signed\r\n\r\n";
	struct err e = { 0 };
	struct spool *s;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		assert_int_equal(spool_new(&s, 2 * EACH, &e), 0);
		assert_int_equal(spool_reserve(s, SPOOL_RESERVE, &e), 0);
		fill(s, 0, sizes[i], step);
		assert_int_equal(spool_size(s), sizes[i]);
		check(s, "", 0);
		if (i % 2 == 0)
			check_sent(s, "", 0);
		assert_int_equal(spool_prepend(s, head, strlen(head), &e), 0);
		check(s, head, 0);
		fill(s, sizes[i], 777, 100);
		check(s, head, 0);
		check_sent(s, head, 0);
		assert_int_equal(spool_size(s), strlen(head) + sizes[i] + 777);
		assert_int_equal(spool_drop(s, strlen(head) + 5, &e), 0);
		check(s, "", 5);
		check_sent(s, "", 5);
		fill(s, sizes[i] + 777, 10, 3);
		check_sent(s, "", 5);
		spool_free(&s);
	}
}

static void in_front_of_every_size(void **state)
{
	(void)state;
	around_borders(5000);
	around_borders(300000);
}

static bool has_file(struct spool *s)
{
	struct err e = { 0 };
	struct stat st;
	int fd;

	assert_int_equal(spool_fd(s, &fd, &e), 0);
	assert_int_equal(fstat(fd, &st), 0);
	return st.st_size > SPOOL_MEMORY;
}

static void freed_pieces_are_wiped(void **state)
{
	struct segs s = { 0 };
	unsigned char *p;
	size_t k;

	(void)state;
	for (int i = 0; i < 3 * SEGS_PIECE; i += 16)
		assert_int_equal(segs_put(&s, "a secret of 16 o", 16, NULL),
		    0);
	assert_int_equal(segs_in_use(), 3 * SEGS_PIECE);
	segs_cut(&s, SEGS_PIECE + 32);
	assert_int_equal(segs_in_use(), 2 * SEGS_PIECE);
	segs_free(&s);
	assert_int_equal(segs_in_use(), 0);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(segs_room(&s, &p, &k, NULL), 0);
		assert_int_equal(k, SEGS_PIECE);
		for (size_t i = sizeof(void *); i < k; i++)
			assert_int_equal(p[i], 0);
		s.n += k;
	}
	memset(p, 0, SEGS_PIECE);
	segs_free(&s);
}

/* Memory for all spools together is bounded: who grows beyond goes into a
 * file; who is small does not. */
static void all_together_are_bounded(void **state)
{
	struct spool *s[6];
	struct err e = { 0 };
	size_t before;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(s); i++) {
		assert_int_equal(spool_new(&s[i], 2 * EACH, &e), 0);
		fill(s[i], 0, EACH - 10, 65000);
		assert_true(segs_in_use() <= TOGETHER + 4 * SPOOL_MEMORY);
	}
	for (size_t i = 0; i < ARRAY_LEN(s); i++)
		check(s[i], "", 0);
	before = segs_in_use();
	spool_free(&s[0]);
	assert_int_equal(spool_new(&s[0], 2 * EACH, &e), 0);
	fill(s[0], 0, EACH - 10, 65000);
	assert_true(segs_in_use() <= before);
	check(s[0], "", 0);
	assert_true(has_file(s[5]));
	for (size_t i = 0; i < ARRAY_LEN(s); i++)
		spool_free(&s[i]);
	assert_int_equal(segs_in_use(), 0);
}

static void one_alone_is_bounded(void **state)
{
	struct err e = { 0 };
	struct spool *s;

	(void)state;
	assert_int_equal(spool_new(&s, 4 * EACH, &e), 0);
	fill(s, 0, EACH, 65000);
	assert_int_equal(segs_in_use(), EACH);
	fill(s, EACH, 1, 1);
	assert_int_equal(segs_in_use(), SEGS_PIECE);
	fill(s, EACH + 1, EACH, 1000);
	assert_true(segs_in_use() <= 4 * SEGS_PIECE);
	check(s, "", 0);
	spool_free(&s);
}

/* Each with spools of its own; free pieces go from one to the other. */
static void *use_spools(void *arg)
{
	size_t bad = 0;

	for (size_t round = 0; round < 300; round++) {
		unsigned char mark = (unsigned char)(round + (size_t)arg);
		struct segs s = { 0 };
		size_t k;

		for (size_t i = 0; i < 3 * SEGS_PIECE + round; i += 100) {
			unsigned char p[100];

			memset(p, mark, sizeof(p));
			bad += segs_put(&s, p, sizeof(p), NULL) != 0;
		}
		for (size_t off = 0; off < s.n; off += k) {
			const unsigned char *p = segs_at(&s, off, &k);

			for (size_t i = 0; i < k; i++)
				bad += p[i] != mark;
		}
		segs_free(&s);
	}
	return bad == 0 ? NULL : arg;
}

static void threads_share_free_pieces(void **state)
{
	pthread_t t[4];
	void *bad;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, use_spools,
		    (void *)(1 + i)), 0);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_int_equal(pthread_join(t[i], &bad), 0);
		assert_null(bad);
	}
	assert_int_equal(segs_in_use(), 0);
}

static void with_much_memory(void **state)
{
	(void)state;
	spool_set_memory(EACH, TOGETHER, TOGETHER);
	around_borders(5000);
	around_borders(300000);
	assert_int_equal(segs_in_use(), 0);
}

int main(void)
{
	/* The rest runs with more memory, once it was set. */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_room_is_a_bug),
		cmocka_unit_test(a_received_one_gets_nothing_in_front),
		cmocka_unit_test(in_front_of_every_size),
		cmocka_unit_test(with_much_memory),
		cmocka_unit_test(freed_pieces_are_wiped),
		cmocka_unit_test(threads_share_free_pieces),
		cmocka_unit_test(all_together_are_bounded),
		cmocka_unit_test(one_alone_is_bounded),
	};

	return cmocka_run_group_tests_name("util_spool_room", tests, NULL,
	    NULL);
}
