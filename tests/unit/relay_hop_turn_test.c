/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Turns at a busy destination, whatever becomes of those who wait: each place
 * is given to the next one, and none is lost.
 */
#include "relay_hop.h"

static struct route *narrow(void)
{
	struct route *r = route_to(1, TLS_NONE);

	r->concurrency = 1;
	return r;
}

static struct hop_envelope waiting(int ms)
{
	struct hop_envelope env = plain_env;

	env.turn_ms = ms;
	return env;
}

/* There is one place, and it is free. */
static void is_free_now(void)
{
	struct seen a, b;

	begin(&a, narrow(), &plain_env);
	add_rcpts(&a, 1);
	begin(&b, narrow(), &plain_env);
	add_rcpts(&b, 1);
	until(&b.rcpts, 1);
	assert_int_equal(b.rcpt[0].reply.code, 451);
	until(&a.rcpts, 1);
	assert_int_equal(a.rcpt[0].reply.code, 250);
	hop_free(&a.h);
	hop_free(&b.h);
}

/* Four of them; the first one has heard of its recipient. */
static void crowd(struct seen s[4], const struct hop_envelope *env)
{
	for (int i = 0; i < 4; i++) {
		begin(&s[i], narrow(), env);
		add_rcpts(&s[i], 1);
	}
	until(&s[0].rcpts, 1);
}

static void who_has_his_turn_may_go_at_once(void **state)
{
	const struct hop_envelope env = waiting(60000);
	struct seen s[4];

	(void)state;
	TALK(0, {NULL});
	crowd(s, &env);
	hop_free(&s[0].h);
	hop_free(&s[1].h); /* it was about to begin */
	hop_free(&s[2].h);
	until(&s[3].rcpts, 1);
	assert_int_equal(s[3].rcpt[0].reply.code, 250);
	hop_free(&s[3].h);
	is_free_now();
}

static void who_cannot_use_his_turn_gives_it_on(void **state)
{
	const struct hop_envelope env = waiting(60000);
	struct seen s[3];
	struct route *r;

	(void)state;
	TALK(0, {NULL});
	for (int i = 0; i < 3; i++) {
		r = narrow();
		r->host[0].is_barred = i == 1;
		begin(&s[i], r, &env);
		add_rcpts(&s[i], 1);
	}
	until(&s[0].rcpts, 1);
	hop_free(&s[0].h);
	until(&s[1].rcpts, 1);
	assert_string_equal(s[1].rcpt[0].reply.enhanced, "4.7.5");
	until(&s[2].rcpts, 1);
	assert_int_equal(s[2].rcpt[0].reply.code, 250);
	hop_free(&s[1].h);
	hop_free(&s[2].h);
	is_free_now();
}

/* The message comes while it waits, and its time ends before its turn. */
static void a_message_that_waits_ends_in_its_time(void **state)
{
	const struct hop_envelope env = waiting(60000);
	struct seen s[2];

	(void)state;
	TALK(0, {NULL});
	fill(MAIL, 1);
	for (int i = 0; i < 2; i++) {
		begin(&s[i], narrow(), &env);
		add_rcpts(&s[i], 1);
	}
	until(&s[0].rcpts, 1);
	send_data(&s[1], 30);
	until(&s[1].rcpts, 1);
	assert_int_equal(s[1].rcpt[0].reply.code, 451);
	assert_string_equal(s[1].rcpt[0].reply.enhanced, "4.3.2");
	hop_free(&s[1].h);
	hop_free(&s[0].h);
	is_free_now();
}

static void the_end_of_all_with_some_that_wait(void **state)
{
	const struct hop_envelope env = waiting(60000);
	static struct seen s[4];

	(void)state;
	TALK(0, {NULL});
	crowd(s, &env);
	hop_free(&s[0].h);
}

static void until_heard(const char *word)
{
	for (int i = 0; i < 3000 && (sink[0].connections == 0 ||
	    strstr(seen_plain(0), word) == NULL); i++)
		turn_ms(10);
}

/* Nobody who goes says DATA, and no word of ours is a message's. */
static void QUIT_is_said_where_it_is_a_command(void **state)
{
	static const struct {
		struct talk t;
		const char *heard; /* before he goes; NULL: it has answered */
		bool quits;
	} row[] = {
		{{NULL}, NULL, true},
		{{.mail = "~"}, "MAIL", false},
		{{.rcpt = "~"}, "RCPT", false},
		{{.rcpt = "550 5.1.1 no\r\n"}, NULL, true},
		{{.data = "~"}, NULL, false},
		{{.greeting = "~"}, "", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct seen s;

		sink_start(0, &row[i].t, 1);
		fill(MAIL, 1);
		begin(&s, route_to(1, TLS_NONE), &plain_env);
		add_rcpts(&s, 1);
		if (row[i].heard == NULL)
			until(&s.rcpts, 1);
		else
			until_heard(row[i].heard);
		if (row[i].t.data != NULL) {
			send_data(&s, 20000);
			until_heard("DATA");
		}
		hop_free(&s.h);
		until_closed(0);
		if ((strstr(seen_plain(0), "\r\nQUIT\r\n") != NULL) !=
		    row[i].quits)
			fail_msg("row %zu: %s", i, seen_plain(0));
		assert_int_equal(sink[0].dots, 0);
		world_stop(NULL);
		world_start(NULL);
	}
}

/* ---- at random ---- */

#define MANY 12

static uint32_t dice(uint32_t n)
{
	static uint32_t x = 7;

	x = x * 1664525 + 1013904223;
	return (x >> 8) % n;
}

static void whatever(struct seen *s)
{
	struct hop_envelope env = waiting(dice(3) == 0 ? 0 : dice(2) == 0 ?
	    5 : 60000);
	struct route *r;

	if (s->h != NULL) {
		hop_free(&s->h);
		return;
	}
	r = route_to(1, TLS_NONE);
	r->concurrency = 2;
	r->rest_ms = 0;
	r->host[0].is_barred = dice(5) == 0;
	begin(s, r, &env);
	add_rcpts(s, 1 + (int)dice(2));
	if (dice(3) == 0)
		send_data(s, (int)dice(40));
}

static void no_place_is_lost_whatever_happens(void **state)
{
	static struct seen s[MANY];
	struct seen a[3];

	(void)state;
	TALK(0, {NULL}, {.rcpt = "550 no\r\n"}, {.greeting = "-"},
	    {.mail = "-"}, {.data = "-"}, {NULL});
	fill(MAIL, 1);
	memset(s, 0, sizeof(s));
	for (int i = 0; i < 600; i++) {
		whatever(&s[dice(MANY)]);
		if (dice(4) == 0)
			(void)event_base_loop(world.base, EVLOOP_NONBLOCK);
		if (dice(40) == 0)
			turn_ms(10);
	}
	for (int i = 0; i < MANY; i++)
		hop_free(&s[i].h);
	turn_ms(30);
	for (int i = 0; i < 3; i++) {
		struct route *r = route_to(1, TLS_NONE);

		r->concurrency = 2;
		begin(&a[i], r, &plain_env);
		add_rcpts(&a[i], 1);
	}
	until(&a[2].rcpts, 1);
	assert_string_equal(a[2].rcpt[0].reply.text, "destination busy");
	until(&a[0].rcpts, 1);
	until(&a[1].rcpts, 1);
	assert_string_not_equal(a[0].rcpt[0].reply.text, "destination busy");
	assert_string_not_equal(a[1].rcpt[0].reply.text, "destination busy");
	for (int i = 0; i < 3; i++)
		hop_free(&a[i].h);
}

#define T(name)                                                             \
	cmocka_unit_test_setup_teardown(name, world_start, world_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(who_has_his_turn_may_go_at_once),
		T(who_cannot_use_his_turn_gives_it_on),
		T(a_message_that_waits_ends_in_its_time),
		T(the_end_of_all_with_some_that_wait),
		T(QUIT_is_said_where_it_is_a_command),
		T(no_place_is_lost_whatever_happens),
	};

	return cmocka_run_group_tests_name("relay_hop_turn", tests,
	    sinks_begin, sinks_end);
}
