/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 * runner: waits
 *
 * A worker's questions about routes, to an engine behind a service as in the
 * policy process; and what becomes of them when that process is away.
 */
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "relay/service.h"
#include "relay/stats.h"
#include "tests/unit/relay_world.h"

static struct setting {
	struct event_base *base;
	struct ask *ask;
	struct routes *routes;
	struct relay_stats *stats;
	int pair[2];
	pthread_t thread;
	char got[8][600]; /* verdicts, in the order of coming */
	size_t n;
} at;

static void *serve(void *arg)
{
	const struct service s = { .sock = &at.pair[1], .socks = 1,
		.threads = 2, .waiting = 16, .answer = engine_answer,
		.arg = arg, .listen = { { .fd = -1 }, { .fd = -1 } } };
	struct err e;

	if (service_run(&s, &e) != 0)
		print_error("%s\n", e.msg);
	return NULL;
}

static void on_route(void *arg, struct route *take_route)
{
	assert_ptr_equal(arg, &at);
	assert_non_null(take_route);
	text_set(at.got[at.n++], sizeof(at.got[0]), verdict(take_route));
	route_free(&take_route);
}

static void start(bool with_service)
{
	memset(&at, 0, sizeof(at));
	begin("default may\n");
	say_mx("b.example", 10, "mx.b.example", DNS_INSECURE);
	(void)say_a("mx.b.example", "8.8.8.8", DNS_INSECURE);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, at.pair), 0);
	at.base = event_base_new();
	assert_non_null(at.base);
	if (with_service)
		assert_int_equal(pthread_create(&at.thread, NULL, serve,
		    engine), 0);
	else
		(void)close(at.pair[1]);
	assert_int_equal(ask_new(&at.ask, at.base, at.pair[0], "policy",
	    NULL), 0);
	assert_int_equal(relay_stats_new(&at.stats, NULL), 0);
	assert_int_equal(routes_new(&at.routes, at.ask, NULL, at.stats, NULL),
	    0);
}

static void stop(bool with_service)
{
	routes_free(&at.routes);
	ask_free(&at.ask);
	if (with_service)
		(void)pthread_join(at.thread, NULL);
	event_base_free(at.base);
	finish();
}

static uint32_t ask_for(const char *rcpt, bool verified)
{
	const struct route_query q = { "egress", rcpt, "alice@a.example",
		false, false, verified };
	uint32_t number = routes_ask(at.routes, &q, on_route, &at);

	assert_int_not_equal(number, 0);
	return number;
}

static void run_until(size_t n)
{
	while (at.n < n)
		if (event_base_loop(at.base, EVLOOP_ONCE) != 0)
			fail_msg("nothing is waited for: %zu of %zu", at.n,
			    n);
}

static void T38_questions_are_answered(void **state)
{
	(void)state;
	start(true);
	(void)ask_for("bob@b.example", false);
	run_until(1);
	(void)ask_for("bob@b.example", true);
	run_until(2);
	(void)ask_for("bob@c.example", false);
	run_until(3);
	assert_string_equal(at.got[0], "may");
	assert_string_equal(at.got[1], "secure b.example,.b.example");
	assert_string_equal(at.got[2], "550 5.1.2");
	assert_int_equal(relay_stats_get(at.stats, COUNT_POLICY_QUESTIONS), 3);
	stop(true);
}

/* attack T34: the policy process is gone, or cannot understand a question
 * verdict: 451, and the mail stays where it is */
static void T34_without_policy_no_mail_goes(void **state)
{
	char long_one[ROUTE_ADDRESS + 20];

	(void)state;
	start(false);
	(void)ask_for("bob@b.example", false);
	(void)ask_for("carol@b.example", false);
	run_until(2);
	assert_string_equal(at.got[0], "451 4.3.5");
	assert_string_equal(at.got[1], "451 4.3.5");
	stop(false);

	memset(long_one, 'a', sizeof(long_one));
	text_set(long_one + ROUTE_ADDRESS, 20, "@b.example");
	start(true);
	(void)ask_for(long_one, false);
	run_until(1);
	assert_string_equal(at.got[0], "451 4.3.5");
	stop(true);
}

static void a_cancelled_question_is_forgotten(void **state)
{
	uint32_t first;

	(void)state;
	start(true);
	first = ask_for("bob@b.example", false);
	(void)ask_for("bob@c.example", false);
	routes_cancel(at.routes, first);
	routes_cancel(at.routes, first);
	run_until(1);
	assert_string_equal(at.got[0], "550 5.1.2");
	/* and one that waits when all ends */
	(void)ask_for("bob@b.example", false);
	stop(true);
	assert_int_equal(at.n, 1);
}

static void T42_what_is_told_has_no_answer(void **state)
{
	struct route_host h = { .is_barred = false };
	const struct tls_got got = { .is_tls = true };
	struct route to = { .code = 0 };

	(void)state;
	start(true);
	routes_tell(at.routes, &to, &h, &got);
	(void)ask_for("bob@b.example", false);
	run_until(1);
	assert_string_equal(at.got[0], "may");
	stop(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T38_questions_are_answered),
		cmocka_unit_test(T34_without_policy_no_mail_goes),
		cmocka_unit_test(a_cancelled_question_is_forgotten),
		cmocka_unit_test(T42_what_is_told_has_no_answer),
	};

	return cmocka_run_group_tests_name("relay_routes", tests, NULL,
	    NULL);
}
