/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Spools beside payloads: inside to the limit, as a descriptor above it, and
 * what a process that was taken over could send instead.
 */
#include "milter/parcel.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void no_fds(int fds[IPC_FDS])
{
	for (size_t i = 0; i < IPC_FDS; i++)
		fds[i] = -1;
}

static void there_and_back(size_t n, bool as_fd)
{
	static unsigned char octets[PARCEL_INLINE + 1], back[sizeof(octets)];
	struct spool *s = NULL, *t = NULL;
	int fd, fds[IPC_FDS];
	struct view payload;
	struct buf b;
	size_t got;

	memset(octets, 'x', sizeof(octets));
	assert_int_equal(spool_new(&s, sizeof(octets), NULL), 0);
	assert_int_equal(spool_write(s, octets, n, NULL), 0);
	buf_init(&b, CAP_IPC);
	assert_int_equal(parcel_put(&b, s, &fd, NULL), 0);
	assert_int_equal(fd >= 0, as_fd);
	buf_puts(&b, "payload");
	no_fds(fds);
	if (fd >= 0)
		fds[0] = dup(fd);
	assert_int_equal(parcel_get(buf_view(&b), fds, &payload, &t, NULL),
	    0);
	assert_true(view_eq_str(payload, "payload"));
	assert_int_equal(fds[0], -1);
	assert_int_equal(spool_size(t), n);
	assert_int_equal(spool_read(t, 0, back, n, &got, NULL), 0);
	assert_memory_equal(octets, back, n);
	spool_free(&s);
	spool_free(&t);
	buf_free(&b);
}

static void inside_to_the_limit_and_beside_above_it(void **state)
{
	(void)state;
	there_and_back(0, false);
	there_and_back(PARCEL_INLINE - 1, false);
	there_and_back(PARCEL_INLINE, false);
	there_and_back(PARCEL_INLINE + 1, true);
}

static void refused(const char *octets, size_t n, int take_fd)
{
	struct err e = { 0 };
	struct spool *s;
	struct view payload;
	int fds[IPC_FDS];

	no_fds(fds);
	fds[0] = take_fd;
	assert_int_equal(parcel_get(view_make(octets, n), fds, &payload, &s,
	    &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
	assert_null(s);
	if (take_fd >= 0)
		assert_int_equal(fcntl(take_fd, F_GETFD), -1);
}

static void A55_what_does_not_fit_is_refused(void **state)
{
	(void)state;
	refused("", 0, -1);
	refused("\3", 1, -1);
	refused("\1", 1, -1);
	refused("\1\0\0\0\5abcd", 9, -1);
	refused("\1\0\3\0\0", 5, -1);
	refused("\2", 1, -1);
	refused("\0", 1, open("/dev/null", O_RDONLY));
	refused("\1\0\0\0\0", 5, open("/dev/null", O_RDONLY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inside_to_the_limit_and_beside_above_it),
		cmocka_unit_test(A55_what_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests_name("milter_parcel", tests, NULL,
	    NULL);
}
