/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * When octets go: those that are many at once, others with the rest of their
 * turn, what is gathered with what follows, and the last ones when time is up.
 */
#include "relay_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>

#include "util/clock.h"

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

static void last_words(void *arg, enum conn_end how, const char *why)
{
	struct owner *o = arg;

	(void)why;
	o->how = how;
	o->ends++;
	conn_last_words(o->c);
	conn_write(o->c, view_of("421 bye\r\n"));
	conn_finish(&o->c, 100);
}

/* To a peer that reads or does not, and has ended its side or has not. */
static void speak_last(bool reads, bool half_open)
{
	struct conn_use u = { .on_end = last_words };
	struct event_base *base = event_base_new();
	static char big[900000];
	struct peer p = { .fd = -1 };
	struct owner o;
	int tries = 20000;
	int fd;

	memset(&o, 0, sizeof(o));
	peer_pair(&p, &fd);
	owner_new(&o, base, fd);
	p.is_silent = !reads;
	if (half_open) {
		o.half_opens = true;
		(void)shutdown(p.fd, SHUT_WR);
		assert_true(peer_until(base, &p, &o.ends));
		o.ends = 0;
	}
	u.arg = &o;
	conn_use(o.c, &u);
	if (!reads)
		conn_write(o.c, view_make(big, sizeof(big)));
	conn_deadline(o.c, clock_ms() + 10);
	assert_true(peer_until(base, &p, &o.ends));
	assert_int_equal(o.how, CONN_LATE);
	assert_null(o.c);
	while (conn_finishing() > 0 && tries-- > 0)
		peer_while(base, &p, 1);
	assert_int_equal(conn_finishing(), 0);
	if (reads)
		assert_string_equal(buf_str(&p.in), "421 bye\r\n");
	owner_free(&o);
	peer_free(&p);
	event_base_free(base);
}

/* RFC 5321 3.8: who is too slow hears it, once and not for ever. */
static void last_words_come_to_an_end(void **state)
{
	(void)state;
	speak_last(true, false);
	speak_last(true, true);
	speak_last(false, false);
	speak_last(false, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(octets_go_when_they_should),
		cmocka_unit_test(last_words_come_to_an_end),
	};

	return cmocka_run_group_tests_name("relay_conn_io", tests, NULL,
	    NULL);
}
