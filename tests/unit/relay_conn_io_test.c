/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * When octets go: those that are many at once, others with the rest of their
 * turn, and what is gathered with what follows.
 */
#include "relay_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static const char dot[] = "\r\n.\r\n";

static void octets_go_when_they_should(void **state)
{
	static char big[5000];
	struct event_base *base = event_base_new();
	struct peer p = { .fd = -1 };
	struct owner o;
	int fd;

	(void)state;
	memset(big, 'x', sizeof(big));
	memset(&o, 0, sizeof(o));
	peer_pair(&p, &fd);
	owner_new(&o, base, fd);
	conn_write(o.c, view_make(big, sizeof(big)));
	assert_int_equal(conn_waiting(o.c), 0);
	conn_gather(o.c, view_make(big, sizeof(big)));
	assert_int_equal(conn_waiting(o.c), sizeof(big));
	conn_write(o.c, view_of(dot));
	assert_int_equal(conn_waiting(o.c), sizeof(big) + 5);
	assert_true(peer_hears(base, &p, 2 * sizeof(big) + 5));
	assert_memory_equal(p.in.p + 2 * sizeof(big), dot, 5);
	assert_int_equal(conn_waiting(o.c), 0);
	conn_end_output(o.c);
	conn_gather(o.c, view_of(dot));
	assert_int_equal(conn_waiting(o.c), 0);
	owner_free(&o);
	peer_free(&p);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(octets_go_when_they_should),
	};

	return cmocka_run_group_tests_name("relay_conn_io", tests, NULL,
	    NULL);
}
