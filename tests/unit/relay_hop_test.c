/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 * runner: waits
 *
 * Transactions with next hops that refuse, lie, stall, die and never end:
 * nothing is lost, nothing is sent twice unless nobody can know, and no final
 * dot ever follows a message that is not whole.
 */
#include "relay_hop.h"
#include "util/clock.h"

static bool has(const char *text, const char *what)
{
	return strstr(text, what) != NULL;
}

static void expect(const struct hop_reply *r, int code, const char *enhanced)
{
	if (r->reply.code != code || strcmp(r->reply.enhanced, enhanced) != 0)
		fail_msg("%d %s %s", r->reply.code, r->reply.enhanced,
		    r->reply.text);
}

/* More than the kernel takes at once, where it is to end in the middle. */
static void fill_more(bool is_large)
{
	if (is_large)
		fill("0123456789\r\n", 1000000);
	else
		fill(MAIL, 1);
}

/* ---- as it should be ---- */

static void T62_a_message_arrives_as_it_is(void **state)
{
	struct seen s;

	(void)state;
	TALK(0, {.rcpt = "250 ok\r\n|550 5.1.1 no\x1b such\r\n|250 ok\r\n"});
	deliver(&s, route_to(1, TLS_NONE), &plain_env, 3);
	expect(&s.rcpt[0], 250, "2.1.5");
	expect(&s.rcpt[1], 550, "5.1.1");
	assert_string_equal(s.rcpt[1].reply.text, "no? such");
	assert_true(s.rcpt[1].state == HOP_ANSWERED);
	expect(&s.result[0], 250, "2.0.0");
	expect(&s.result[2], 250, "2.0.0");
	assert_string_equal(seen_mails(0), "Subject: x\r\n\r\n..\r\n"
	    "...two\r\nCANARY\r\n.\r\n");
	hop_free(&s.h);
	hop_free(&s.h);
}

static void replies_octet_by_octet(void **state)
{
	struct seen s;

	(void)state;
	TALK(0, {.rcpt = "250-2.1.5 o\r\n250 2.1.5 k\r\n"});
	sink[0].is_split = true;
	deliver(&s, route_to(1, TLS_ENCRYPT), &plain_env, 2);
	expect(&s.result[1], 250, "2.0.0");
	hop_free(&s.h);
}

static void a_large_message_in_pieces(void **state)
{
	struct seen s;

	(void)state;
	TALK(0, {NULL});
	fill(".0123456789012345678901234567890123456789012345678901234\r\n",
	    80000);
	deliver(&s, route_to(1, TLS_ENCRYPT), &plain_env, 1);
	expect(&s.result[0], 250, "2.0.0");
	assert_int_equal(strlen(seen_mails(0)), 80000 * 59 + 3);
	hop_free(&s.h);
}

static void LMTP_has_an_answer_for_each(void **state)
{
	struct route *r;
	struct seen s;

	(void)state;
	TALK(0, {.rcpt = "250 a\r\n|550 b\r\n|250 c\r\n|250 d\r\n",
	    .end = "250 a\r\n452 4.2.2 c is full\r\n550 5.7.1 d\r\n"});
	r = route_to(1, TLS_NONE);
	r->lmtp = true;
	deliver(&s, r, &plain_env, 4);
	expect(&s.result[0], 250, "2.0.0");
	expect(&s.result[2], 452, "4.2.2");
	expect(&s.result[3], 550, "5.7.1");
	assert_true(has(seen_plain(0), "LHLO me.example"));
	hop_free(&s.h);
}

static void recipients_come_while_it_goes_on(void **state)
{
	struct seen s;

	(void)state;
	TALK(0, {NULL});
	fill(MAIL, 1);
	begin(&s, route_to(1, TLS_NONE), &plain_env);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(hop_rcpt(s.h, "<b@b.example>",
		    "NOTIFY=NEVER", NULL), i);
		until(&s.rcpts, i + 1);
	}
	send_data(&s, 20000);
	s.frees = true;
	until(&s.results, 1);
	assert_null(s.h);
	assert_int_equal(sink[0].dots, 1);
}

static void the_real_client_is_told(void **state)
{
	struct hop_envelope env = plain_env;
	struct route *r;
	struct seen s;

	(void)state;
	TALK(0, {.ehlo = "250-next\r\n250 XCLIENT NAME ADDR HELO LOGIN\r\n"},
	    {.ehlo = NO_TLS},
	    {.ehlo = "250-next\r\n250 XCLIENT ADDR\r\n",
	    .xclient = "550 5.7.0 not you\r\n"});
	env.client_addr = "192.0.2.7";
	env.client_helo = "c";
	env.client_login = "alice";
	for (int i = 0; i < 3; i++) {
		r = route_to(1, TLS_NONE);
		r->xclient = true;
		env.client_name = i == 0 ? "c.example" : "other.example";
		deliver(&s, r, &env, 1);
		if (i == 0)
			expect(&s.result[0], 250, "2.0.0");
		else
			expect(&s.rcpt[0], 451, "4.3.5");
		hop_free(&s.h);
	}
	/* not on the connection where another client was told */
	assert_int_equal(sink[0].connections, 3);
	assert_true(has(seen_plain(0), "XCLIENT NAME=c.example "
	    "ADDR=192.0.2.7 HELO=c LOGIN=alice\r\nEHLO me.example\r\nMAIL"));
}

/* ---- refusals ---- */

static void rows_of_the_failure_table(void **state)
{
	static const struct {
		struct talk t;
		int code;
		const char *enhanced;
		enum hop_state state;
		bool at_end;
	} row[] = {
		{{.greeting = "554 5.3.2 no\r\n"}, 554, "5.3.2",
		    HOP_ANSWERED, false},
		{{.greeting = "521 no\r\n"}, 554, "5.0.0", HOP_ANSWERED,
		    false},
		{{.greeting = "450 later\r\n"}, 451, "4.3.2", HOP_FAILED,
		    false},
		{{.greeting = "421 later\r\n\1"}, 451, "4.3.2", HOP_FAILED,
		    false},
		{{.ehlo = "421 later\r\n"}, 451, "4.3.2", HOP_FAILED, false},
		{{.mail = "550 5.7.1 not from you\r\n"}, 550, "5.7.1",
		    HOP_ANSWERED, false},
		{{.mail = "452 full\r\n"}, 452, "4.0.0", HOP_ANSWERED, false},
		{{.mail = "421 4.7.0 away\r\n"}, 451, "4.3.2", HOP_FAILED,
		    false},
		{{.mail = "530 5.7.0 Authentication required\r\n"}, 451,
		    "4.3.5", HOP_FAILED, false},
		{{.mail = "354 what?\r\n"}, 451, "4.5.0", HOP_FAILED, false},
		{{.rcpt = "450 4.2.0 grey\r\n"}, 450, "4.2.0", HOP_ANSWERED,
		    false},
		{{.rcpt = "421 4.7.0 away\r\n"}, 451, "4.3.2", HOP_FAILED,
		    false},
		{{.rcpt = "530 5.7.0 STARTTLS first\r\n"}, 451, "4.3.5",
		    HOP_FAILED, false},
		{{.data = "451 4.3.0 no\r\n"}, 451, "4.3.0", HOP_ANSWERED,
		    true},
		{{.data = "550 5.7.1 no\r\n"}, 550, "5.7.1", HOP_ANSWERED,
		    true},
		{{.data = "250 taken\r\n"}, 451, "4.5.0", HOP_FAILED, true},
		{{.data = "421 4.3.2 away\r\n"}, 451, "4.3.2", HOP_FAILED,
		    true},
		{{.end = "552 5.3.4 large\r\n"}, 552, "5.3.4", HOP_ANSWERED,
		    true},
		{{.end = "421 4.3.2 no\r\n"}, 451, "4.3.2", HOP_ANSWERED,
		    true},
		{{.end = "354 more?\r\n"}, 451, "4.4.2", HOP_UNKNOWN, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		const struct hop_reply *got;
		struct seen s;

		sink_start(0, &row[i].t, 1);
		deliver(&s, route_to(1, TLS_NONE), &plain_env, 2);
		got = row[i].at_end ? &s.result[1] : &s.rcpt[1];
		if (got->reply.code != row[i].code || got->state !=
		    row[i].state || strcmp(got->reply.enhanced,
		    row[i].enhanced) != 0)
			fail_msg("row %zu: %d %s %s", i, got->reply.code,
			    got->reply.enhanced, got->reply.text);
		hop_free(&s.h);
		world_stop(NULL);
		world_start(NULL);
	}
}

static void the_next_MX_gets_it(void **state)
{
	static const struct talk bad[] = {{.greeting = "554 no\r\n"},
	    {.greeting = "450 later\r\n"}, {.greeting = "-"},
	    {.greeting = "!"}, {.greeting = "*"}, {.greeting = "#"},
	    {.greeting = "hello\r\n"}, {.ehlo = "-"}, {.ehlo = "*"},
	    {.mail = "421 no\r\n"}, {.mail = "-"}, {.rcpt = "!"},
	    {.data = "-"}, {.data = "421 no\r\n"}, {.data = "*"},
	    {.body_most = 10, .end = "-"}, {.body_most = 10, .end = "!"}};
	struct seen s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		sink_start(0, &bad[i], 1);
		TALK(1, {NULL});
		fill_more(bad[i].body_most > 0);
		deliver(&s, route_to(2, TLS_NONE), &plain_env, 2);
		if (s.result[1].reply.code != 250)
			fail_msg("row %zu: %d %s", i, s.result[1].reply.code,
			    s.rcpt[1].reply.text);
		assert_int_equal(sink[0].dots, 0);
		assert_int_equal(sink[1].dots, 1);
		hop_free(&s.h);
		world_stop(NULL);
		world_start(NULL);
	}
}

static void what_the_message_needs_is_offered_or_not(void **state)
{
	static const struct {
		struct hop_envelope env;
		int code;
		const char *enhanced;
	} row[] = {
		{{.utf8 = true}, 550, "5.6.7"},
		{{.is_8bit = true}, 554, "5.6.3"},
		{{.size = 999000}, 552, "5.3.4"},
		{{.size = 998976}, 250, "2.1.5"},
	};
	struct seen s;

	(void)state;
	TALK(0, {.ehlo = "250-next\r\n250 SIZE 1000000\r\n"});
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct hop_envelope env = row[i].env;

		env.from = "<>";
		env.id = "t2";
		env.ret = "RET=FULL";
		begin(&s, route_to(1, TLS_NONE), &env);
		add_rcpts(&s, 1);
		until(&s.rcpts, 1);
		expect(&s.rcpt[0], row[i].code, row[i].enhanced);
		hop_free(&s.h);
	}
	assert_true(has(seen_plain(0), "MAIL FROM:<> SIZE=1000000\r\n"));
	assert_false(has(seen_plain(0), "RET="));
}

static void a_greeting_with_our_name_is_a_loop(void **state)
{
	struct route *r;
	struct seen s;

	(void)state;
	TALK(0, {.greeting = "220 ME.example ESMTP\r\n"});
	deliver(&s, route_to(1, TLS_NONE), &plain_env, 1);
	expect(&s.rcpt[0], 554, "5.4.6");
	hop_free(&s.h);
	/* a host that is configured may be beside us, and have our name */
	r = route_to(1, TLS_NONE);
	text_set(r->nexthop, sizeof(r->nexthop), "[127.0.0.1]:10025");
	deliver(&s, r, &plain_env, 1);
	expect(&s.result[0], 250, "2.0.0");
	hop_free(&s.h);
}

/* ---- caps ---- */

static void a_destination_can_be_busy(void **state)
{
	struct seen s[3];
	struct route *r;

	(void)state;
	TALK(0, {NULL});
	for (int i = 0; i < 3; i++) {
		r = route_to(1, TLS_NONE);
		r->concurrency = 2;
		begin(&s[i], r, &plain_env);
		add_rcpts(&s[i], 1);
	}
	until(&s[2].rcpts, 1);
	expect(&s[2].rcpt[0], 451, "4.3.2");
	until(&s[0].rcpts, 1);
	until(&s[1].rcpts, 1);
	expect(&s[1].rcpt[0], 250, "2.1.5");
	hop_free(&s[0].h);
	hop_free(&s[2].h);
	r = route_to(1, TLS_NONE);
	r->concurrency = 2;
	deliver(&s[0], r, &plain_env, 1);
	expect(&s[0].result[0], 250, "2.0.0");
	hop_free(&s[0].h);
	hop_free(&s[1].h);
}

static struct route *narrow(void)
{
	struct route *r = route_to(1, TLS_NONE);

	r->concurrency = 1;
	return r;
}

/* One after the other, in the order in which they came; who goes away does
 * not hold up the rest. */
static void who_may_wait_has_his_turn(void **state)
{
	struct hop_envelope env = plain_env;
	struct seen s[4];

	(void)state;
	TALK(0, {NULL});
	env.turn_ms = 60000;
	for (int i = 0; i < 4; i++) {
		begin(&s[i], narrow(), &env);
		add_rcpts(&s[i], 1);
	}
	until(&s[0].rcpts, 1);
	expect(&s[0].rcpt[0], 250, "2.1.5");
	hop_free(&s[1].h); /* he waits, and does not any more */
	for (int i = 0; i < 20; i++)
		(void)event_base_loop(world.base, EVLOOP_NONBLOCK);
	assert_int_equal(s[2].rcpts, 0);
	hop_free(&s[0].h);
	until(&s[2].rcpts, 1);
	expect(&s[2].rcpt[0], 250, "2.1.5");
	assert_int_equal(s[3].rcpts, 0);
	hop_free(&s[2].h);
	until(&s[3].rcpts, 1);
	expect(&s[3].rcpt[0], 250, "2.1.5");
	hop_free(&s[3].h);
}

static void a_turn_that_does_not_come_is_451(void **state)
{
	struct hop_envelope env = plain_env;
	struct seen s[2];

	(void)state;
	TALK(0, {NULL});
	begin(&s[0], narrow(), &env);
	add_rcpts(&s[0], 1);
	env.turn_ms = 50;
	begin(&s[1], narrow(), &env);
	add_rcpts(&s[1], 1);
	until(&s[1].rcpts, 1);
	expect(&s[1].rcpt[0], 451, "4.3.2");
	hop_free(&s[1].h);
	hop_free(&s[0].h);
	/* and nobody waits there any more */
	deliver(&s[0], narrow(), &plain_env, 1);
	expect(&s[0].result[0], 250, "2.0.0");
	hop_free(&s[0].h);
}

static void a_dead_host_is_left_alone_for_a_while(void **state)
{
	struct route *r;
	struct seen s;
	int port;
	int fd = bound(&port); /* nobody listens */

	(void)state;
	sink[0].port = port;
	r = route_to(1, TLS_NONE);
	deliver(&s, r, &plain_env, 1);
	expect(&s.rcpt[0], 451, "4.4.1");
	assert_false(has(s.rcpt[0].reply.text, "cached"));
	hop_free(&s.h);
	deliver(&s, route_to(1, TLS_NONE), &plain_env, 1);
	expect(&s.rcpt[0], 451, "4.4.1");
	assert_true(has(s.rcpt[0].reply.text, "(cached, retry in 60 s)"));
	hop_free(&s.h);
	assert_int_equal(relay_stats_get(world.stats, COUNT_HOP_CONNECTIONS),
	    1);
	/* under another policy it is another host */
	deliver(&s, route_to(1, TLS_ENCRYPT), &plain_env, 1);
	assert_false(has(s.rcpt[0].reply.text, "cached"));
	hop_free(&s.h);
	/* and the next MX is asked */
	TALK(1, {NULL});
	deliver(&s, route_to(2, TLS_NONE), &plain_env, 1);
	expect(&s.result[0], 250, "2.0.0");
	hop_free(&s.h);
	sink[0].port = 0;
	close(fd);
}

static void kept_connections(void **state)
{
	struct seen s;

	(void)state;
	/* the first is closed behind our back, the second speaks unasked */
	TALK(0, {.end = "250 ok\r\n\1"}, {.end = "250 ok\r\n421 idle\r\n"},
	    {.mail = "250 ok\r\n|-"}, {NULL});
	for (int i = 0; i < 5; i++) {
		deliver(&s, route_to(1, TLS_NONE), &plain_env, 1);
		expect(&s.result[0], 250, "2.0.0");
		hop_free(&s.h);
		turn_ms(50);
	}
	assert_int_equal(sink[0].connections, 4);
	assert_int_equal(sink[0].dots, 5);
	hops_stop(world.hops);
}

/* ---- lost ---- */

static void lost_before_the_dot_is_said_again(void **state)
{
	struct seen s;

	(void)state;
	TALK(0, {.rcpt = "250 ok\r\n|550 no\r\n|250 ok\r\n\1"},
	    {.rcpt = "250 ok\r\n|250 ok\r\n"});
	fill(MAIL, 1);
	begin(&s, route_to(1, TLS_NONE), &plain_env);
	add_rcpts(&s, 3);
	until(&s.rcpts, 3);
	turn_ms(100); /* meanwhile it ends the connection */
	send_data(&s, 20000);
	until(&s.results, 2);
	expect(&s.result[0], 250, "2.0.0");
	expect(&s.result[2], 250, "2.0.0");
	assert_int_equal(sink[0].connections, 2);
	assert_int_equal(sink[0].dots, 1);
	hop_free(&s.h);
}

static void other_replies_the_second_time(void **state)
{
	struct seen s;

	(void)state;
	TALK(0, {.data = "-"}, {.rcpt = "250 ok\r\n|550 5.1.1 no\r\n"});
	deliver(&s, route_to(1, TLS_NONE), &plain_env, 2);
	expect(&s.result[0], 250, "2.0.0");
	expect(&s.result[1], 451, "4.4.2");
	assert_true(s.result[1].state == HOP_FAILED);
	hop_free(&s.h);
}

static void lost_again_and_again(void **state)
{
	static const struct talk row[] = {{.mail = "-"}, {.rcpt = "!"},
	    {.data = "-"}, {.data = "#"}, {.body_most = 20, .end = "!"}};
	struct seen s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		sink_start(0, &row[i], 1);
		fill_more(row[i].body_most > 0);
		deliver(&s, route_to(1, TLS_NONE), &plain_env, 1);
		assert_true(i < 2 || s.result[0].state == HOP_FAILED);
		expect(i < 2 ? &s.rcpt[0] : &s.result[0], 451, "4.4.2");
		assert_int_equal(sink[0].dots, 0);
		hop_free(&s.h);
		world_stop(NULL);
		world_start(NULL);
	}
}

static void nobody_knows_after_the_dot(void **state)
{
	static const struct talk row[] = {{.end = "-"}, {.end = "!"},
	    {.end = "*"}, {.end = "#"}, {.end = "xyz\r\n"},
	    {.end = "250-half\r\n\1"}};
	struct seen s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		sink_start(0, &row[i], 1);
		TALK(1, {NULL});
		deliver(&s, route_to(2, TLS_NONE), &plain_env, 1);
		expect(&s.result[0], 451, "4.4.2");
		assert_true(s.result[0].state == HOP_UNKNOWN);
		assert_true(has(s.result[0].reply.text, "may be duplicated"));
		/* never to the next MX: it may have it */
		assert_int_equal(sink[0].dots, 1);
		assert_int_equal(sink[1].connections, 0);
		hop_free(&s.h);
		world_stop(NULL);
		world_start(NULL);
	}
}

static void LMTP_may_end_in_the_middle_of_its_answers(void **state)
{
	static const struct talk row[] = {{.end = "250 a\r\n\1"},
	    {.end = "250 a\r\n421 away\r\n"}};
	struct route *r;
	struct seen s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		sink_start(0, &row[i], 1);
		r = route_to(1, TLS_NONE);
		r->lmtp = true;
		deliver(&s, r, &plain_env, 3);
		expect(&s.result[0], 250, "2.0.0");
		assert_true(s.result[2].state == HOP_UNKNOWN);
		assert_true(s.result[1].state == (i == 0 ? HOP_UNKNOWN :
		    HOP_ANSWERED));
		hop_free(&s.h);
		world_stop(NULL);
		world_start(NULL);
	}
}

/* attack T12: a next hop takes a message before it has it, in the middle or
 * when all of it still waits here
 * verdict: that is no answer to the end of the data; our client keeps it */
static void an_early_answer(void **state)
{
	static const struct talk row[] = {
		{.body_most = 10, .end = "552 5.3.4 large\r\n\1"},
		{.body_most = 10, .end = "250 taken\r\n\1"},
		{.data = "354 go\r\n250 taken\r\n"}};
	struct seen s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		sink_start(0, &row[i], 1);
		if (row[i].data == NULL)
			fill_more(true);
		else /* all of it waits to be sent */
			fill(MAIL, 1);
		deliver(&s, route_to(1, TLS_NONE), &plain_env, 1);
		assert_true(s.result[0].reply.code >= 400);
		assert_true(s.result[0].state != HOP_UNKNOWN);
		if (row[i].data == NULL)
			assert_int_equal(sink[0].dots, 0);
		hop_free(&s.h);
		world_stop(NULL);
		world_start(NULL);
	}
}

/* ---- time, and who goes away ---- */

static void learn(void *arg, const unsigned char key[32], bool accepted)
{
	struct seen *s = arg;

	assert_int_equal(key[0], 7);
	s->accepted = accepted;
	s->lates++;
}

/* The sink answers when it is let go. */
static void late(const char *reply, bool is_freed, bool accepted)
{
	static const unsigned char key[32] = {7};
	struct talk t = {.end = reply};
	struct seen s;

	sink_start(0, &t, 1);
	sink[0].is_held = true;
	fill(MAIL, 1);
	begin(&s, route_to(1, TLS_NONE), &plain_env);
	add_rcpts(&s, 1);
	until(&s.rcpts, 1);
	hop_on_late(s.h, 0, key, learn, &s);
	send_data(&s, is_freed ? 20000 : 1000);
	if (!is_freed) {
		until(&s.results, 1);
		assert_true(s.result[0].state == HOP_UNKNOWN);
	} else {
		turn_ms(100);
		assert_int_equal(s.results, 0);
	}
	assert_int_equal(s.lates, 0);
	hop_free(&s.h);
	sink[0].is_held = false;
	until(&s.lates, 1);
	assert_int_equal(s.accepted, accepted);
	assert_int_equal(s.results, !is_freed);
	world_stop(NULL);
	world_start(NULL);
}

static void T65_the_truth_may_come_late(void **state)
{
	struct buf b;

	(void)state;
	for (int code = 250; code <= 550; code += 300) {
		buf_init(&b, 10000);
		for (int i = 0; i < 60; i++)
			buf_printf(&b, "%d-0123456789012345678901234567890123"
			    "456789\r\n", code);
		buf_printf(&b, "%d ok\r\n", code);
		late(buf_str(&b), false, code == 250);
		late(buf_str(&b), true, code == 250);
		buf_free(&b);
	}
}

/* The client is gone, or gives up, before the message is whole. */
static void T12_given_up_before_the_dot(void **state)
{
	static const struct talk row[] = {{.greeting = "~"}, {.ehlo = "~"},
	    {.mail = "~"}, {.rcpt = "~"}, {.data = "~"},
	    {.body_most = 100, .dozes = true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct seen s;

		sink_start(0, &row[i], 1);
		sink[0].is_held = row[i].dozes;
		fill_more(i == 5);
		begin(&s, route_to(1, TLS_NONE), &plain_env);
		add_rcpts(&s, 1);
		if (i > 3) {
			until(&s.rcpts, 1);
			send_data(&s, 20000);
		}
		turn_ms(50);
		assert_int_equal(s.results, 0);
		hop_free(&s.h);
		turn_ms(50);
		sink[0].is_held = false;
		turn_ms(300);
		assert_int_equal(sink[0].dots, 0);
		world_stop(NULL);
		world_start(NULL);
	}
}

static void T65_no_time_before_the_dot(void **state)
{
	struct seen s;

	(void)state;
	TALK(0, {.data = "~"});
	fill(MAIL, 1);
	begin(&s, route_to(1, TLS_NONE), &plain_env);
	add_rcpts(&s, 1);
	until(&s.rcpts, 1);
	send_data(&s, 100);
	until(&s.results, 1);
	expect(&s.result[0], 451, "4.4.2");
	assert_true(s.result[0].state == HOP_FAILED);
	assert_int_equal(sink[0].dots, 0);
	hop_free(&s.h);
}

static void a_message_that_cannot_be_sent(void **state)
{
	struct seen s;

	(void)state;
	TALK(0, {NULL});
	/* shorter than it is said to be; a bare LF */
	fill("Subject: x\r\n\r\na\nb\r\n", 1);
	for (int i = 0; i < 2; i++) {
		begin(&s, route_to(1, TLS_NONE), &plain_env);
		add_rcpts(&s, 1);
		until(&s.rcpts, 1);
		hop_data(s.h, world.spool, 0, i == 0 ? 14 + 10 : 18,
		    clock_ms() + 20000);
		until(&s.results, 1);
		expect(&s.result[0], 451, "4.3.0");
		hop_free(&s.h);
	}
	turn_ms(50);
	assert_int_equal(sink[0].dots, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_start, world_stop)
	const struct CMUnitTest tests[] = {
		T(T62_a_message_arrives_as_it_is),
		T(replies_octet_by_octet),
		T(a_large_message_in_pieces),
		T(LMTP_has_an_answer_for_each),
		T(recipients_come_while_it_goes_on),
		T(the_real_client_is_told),
		T(rows_of_the_failure_table),
		T(the_next_MX_gets_it),
		T(what_the_message_needs_is_offered_or_not),
		T(a_greeting_with_our_name_is_a_loop),
		T(a_destination_can_be_busy),
		T(who_may_wait_has_his_turn),
		T(a_turn_that_does_not_come_is_451),
		T(a_dead_host_is_left_alone_for_a_while),
		T(kept_connections),
		T(lost_before_the_dot_is_said_again),
		T(other_replies_the_second_time),
		T(lost_again_and_again),
		T(nobody_knows_after_the_dot),
		T(LMTP_may_end_in_the_middle_of_its_answers),
		T(an_early_answer),
		T(T65_the_truth_may_come_late),
		T(T12_given_up_before_the_dot),
		T(T65_no_time_before_the_dot),
		T(a_message_that_cannot_be_sent),
	};

	return cmocka_run_group_tests_name("relay_hop", tests, sinks_begin,
	    sinks_end);
}
