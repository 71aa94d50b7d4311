/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A spool whose first octets were dropped travels without them, as octets
 * and as a file; a start that the file does not have is refused.
 */
#include "milter/parcel.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void without_its_front(size_t n, size_t dropped)
{
	unsigned char *octets = malloc(n), *back = malloc(n);
	struct spool *s = NULL, *t = NULL;
	int fd, fds[IPC_FDS];
	struct view payload;
	struct buf b;
	size_t got;

	assert_non_null(octets);
	assert_non_null(back);
	for (size_t i = 0; i < n; i++)
		octets[i] = (unsigned char)(i * 7 + (i >> 8));
	assert_int_equal(spool_new(&s, n, NULL), 0);
	assert_int_equal(spool_write(s, octets, n, NULL), 0);
	assert_int_equal(spool_drop(s, dropped, NULL), 0);
	buf_init(&b, CAP_IPC);
	assert_int_equal(parcel_put(&b, s, &fd, NULL), 0);
	buf_puts(&b, "payload");
	for (size_t i = 0; i < IPC_FDS; i++)
		fds[i] = -1;
	if (fd >= 0)
		fds[0] = dup(fd);
	assert_int_equal(parcel_get(buf_view(&b), fds, &payload, &t, NULL),
	    0);
	assert_true(view_eq_str(payload, "payload"));
	assert_int_equal(spool_size(t), n - dropped);
	assert_int_equal(spool_read(t, 0, back, n, &got, NULL), 0);
	assert_int_equal(got, n - dropped);
	assert_memory_equal(octets + dropped, back, got);
	spool_free(&s);
	spool_free(&t);
	buf_free(&b);
	free(octets);
	free(back);
}

static void dropped_octets_do_not_travel(void **state)
{
	(void)state;
	without_its_front(5000, 1);
	without_its_front(5000, 5000);
	without_its_front(PARCEL_INLINE + 300, 299);
	without_its_front(PARCEL_INLINE + 300, 300);
	without_its_front(SPOOL_MEMORY, 300);
	without_its_front(SPOOL_MEMORY + 1, 300);
	without_its_front(1000000, 300);
	without_its_front(1000000, 700000);
}

static void A55_a_start_behind_the_end_is_refused(void **state)
{
	struct spool *s = NULL, *t = NULL;
	struct err e = { 0 };
	int fd, fds[IPC_FDS];
	struct view payload;

	(void)state;
	assert_int_equal(spool_new(&s, 100, NULL), 0);
	assert_int_equal(spool_write(s, "abc", 3, NULL), 0);
	assert_int_equal(spool_fd(s, &fd, NULL), 0);
	for (size_t i = 0; i < IPC_FDS; i++)
		fds[i] = -1;
	fds[0] = dup(fd);
	assert_int_equal(parcel_get(view_make("\2\0\0\0\0\0\0\0\4", 9), fds,
	    &payload, &t, &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
	assert_null(t);
	assert_int_equal(fds[0], -1);
	fds[0] = dup(fd);
	assert_int_equal(parcel_get(view_make("\2\0\0\0\0\0\0\0", 8), fds,
	    &payload, &t, &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
	fds[0] = dup(fd);
	assert_int_equal(parcel_get(view_make("\2\0\0\0\0\0\0\0\3", 9), fds,
	    &payload, &t, &e), 0);
	assert_int_equal(spool_size(t), 0);
	spool_free(&t);
	spool_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dropped_octets_do_not_travel),
		cmocka_unit_test(A55_a_start_behind_the_end_is_refused),
	};

	return cmocka_run_group_tests_name("milter_parcel_start", tests,
	    NULL, NULL);
}
