/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Answers that a worker keeps: for which questions, which of them, how long;
 * and what its questions are then, to a policy process that the test plays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "relay/kept.h"
#include "util/clock.h"
#include "util/proc.h"

static struct tls_rule rule[2];
static struct relay_config config;
static const struct route_query bob = { "out", "bob@b.example",
	"alice@a.example", false, false, false };

static void use_config(const char *from, size_t certs)
{
	memset(rule, 0, sizeof(rule));
	rule[1].from = from == NULL ? NULL : strdup(from);
	memset(&config, 0, sizeof(config));
	config.rules.rule = rule;
	config.rules.n = 2;
	config.sender_certs = certs;
}

static void forget_config(void)
{
	free(rule[1].from);
}

/* ---- which question, which answer ---- */

static bool same(const struct route_query *a, const struct route_query *b)
{
	struct kept *k = NULL;
	struct buf x, y;
	bool is_same;

	assert_int_equal(kept_new(&k, &config, NULL), 0);
	buf_init(&x, 4096);
	buf_init(&y, 4096);
	assert_int_equal(kept_key(k, a, &x), 0);
	assert_int_equal(kept_key(k, b, &y), 0);
	is_same = view_eq(buf_view(&x), buf_view(&y));
	buf_free(&x);
	buf_free(&y);
	kept_free(&k);
	return is_same;
}

static void T38_all_that_counts_is_in_the_key(void **state)
{
	static const struct {
		struct route_query q;
		bool is_same, also_by_sender;
	} c[] = {
		{ { "out", "bob@b.example", "alice@a.example", false, false,
		    false }, true, true },
		{ { "out", "carol@B.Example", "alice@a.example", false, false,
		    false }, true, true },
		{ { "out", "bob@b.example", "dave@a.example", false, false,
		    false }, true, false },
		{ { "out", "bob@b.example", "", false, false, false }, true,
		    false },
		{ { "out", "bob@c.example", "alice@a.example", false, false,
		    false }, false, false },
		{ { "in", "bob@b.example", "alice@a.example", false, false,
		    false }, false, false },
		{ { "out", "bob@b.example", "alice@a.example", true, false,
		    false }, false, false },
		{ { "out", "bob@b.example", "alice@a.example", false, true,
		    false }, false, false },
		{ { "out", "bob@b.example", "alice@a.example", false, false,
		    true }, false, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		use_config(NULL, 0);
		assert_int_equal(same(&bob, &c[i].q), c[i].is_same);
		use_config(NULL, 1);
		assert_int_equal(same(&bob, &c[i].q), c[i].also_by_sender);
		use_config("@z.example", 0);
		assert_int_equal(same(&bob, &c[i].q), c[i].also_by_sender);
		forget_config();
	}
}

static void what_is_no_address_is_asked(void **state)
{
	static const char *const bad[] = { "", "bob", "bob@", "@b.example",
		"bo b@b.example", "bob@b..example", "bob@-b.example" };
	struct kept *k = NULL;
	struct buf key;
	size_t i;

	(void)state;
	use_config(NULL, 0);
	assert_int_equal(kept_new(&k, &config, NULL), 0);
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		struct route_query q = bob;

		q.rcpt = bad[i];
		buf_init(&key, 4096);
		assert_int_equal(kept_key(k, &q, &key), -1);
		buf_free(&key);
	}
	kept_free(&k);
}

static void only_ways_are_kept_and_only_for_a_moment(void **state)
{
	static unsigned char large[KEPT_REPLY + 1];
	struct route_host host[2] = { { .is_barred = false } };
	struct route way = { .host = host, .hosts = 2 };
	const struct view key = view_of("key"), reply = view_of("reply");
	struct kept *k = NULL;
	struct view got;

	(void)state;
	use_config(NULL, 0);
	assert_int_equal(kept_new(&k, &config, NULL), 0);
	assert_false(kept_find(k, key, 0, &got));
	way.code = 451;
	kept_put(k, key, &way, reply, 5000);
	assert_false(kept_find(k, key, 5000, &got));
	way.code = 550;
	kept_put(k, key, &way, reply, 5000);
	assert_false(kept_find(k, key, 5000, &got));
	way.code = 0;
	host[1].is_barred = true; /* one host failed DANE, maybe not for long */
	kept_put(k, key, &way, reply, 5000);
	assert_false(kept_find(k, key, 5000, &got));
	host[1].is_barred = false;
	kept_put(k, key, &way, view_make(large, sizeof(large)), 5000);
	assert_false(kept_find(k, key, 5000, &got));
	kept_put(k, key, &way, view_make(large, KEPT_REPLY), 5000);
	assert_true(kept_find(k, key, 5000, &got));
	kept_put(k, key, &way, reply, 5000);
	assert_true(kept_find(k, key, 5000 + KEPT_MS - 1, &got));
	assert_true(view_eq(got, reply));
	assert_false(kept_find(k, key, 5000 + KEPT_MS, &got));
	assert_false(kept_find(k, view_of("kez"), 5000, &got));
	kept_free(&k);
}

static void places_are_shared_answers_are_not(void **state)
{
	struct route_host host = { .is_barred = false };
	const struct route way = { .host = &host, .hosts = 1 };
	struct kept *k = NULL;
	size_t i, found = 0;
	struct view got;
	char key[32];

	(void)state;
	use_config(NULL, 0);
	assert_int_equal(kept_new(&k, &config, NULL), 0);
	for (i = 0; i < KEPT_PLACES * 4; i++) {
		(void)snprintf(key, sizeof(key), "%zu.example", i);
		kept_put(k, view_of(key), &way, view_of(key), 5000);
	}
	for (i = 0; i < KEPT_PLACES * 4; i++) {
		(void)snprintf(key, sizeof(key), "%zu.example", i);
		if (!kept_find(k, view_of(key), 5000, &got))
			continue;
		assert_true(view_eq_str(got, key));
		found++;
	}
	assert_in_range(found, KEPT_PLACES / 2, KEPT_PLACES);
	kept_free(&k);
}

/* ---- a worker's questions ---- */

static struct setting {
	struct event_base *base;
	struct ask *ask;
	struct routes *routes;
	int policy; /* our end */
	size_t asked, answered, last_code;
	int64_t since; /* the last question that was answered */
} at;

static void start(void)
{
	int pair[2];

	memset(&at, 0, sizeof(at));
	use_config(NULL, 0);
	at.base = event_base_new();
	assert_non_null(at.base);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	at.policy = pair[1];
	assert_int_equal(ask_new(&at.ask, at.base, pair[0], "policy", NULL),
	    0);
	assert_int_equal(routes_new(&at.routes, at.ask, &config, NULL, NULL),
	    0);
}

static void stop(void)
{
	routes_free(&at.routes);
	ask_free(&at.ask);
	if (at.policy >= 0)
		close(at.policy);
	event_base_free(at.base);
}

static void on_route(void *arg, struct route *take_route)
{
	assert_ptr_equal(arg, &at);
	at.answered++;
	at.last_code = (size_t)take_route->code;
	route_free(&take_route);
}

/* One question came: this is the answer. */
static void answer(int code)
{
	struct route_host host = { .name = "mx.b.example",
		.sa = { .ss_family = AF_INET } };
	struct route r = { .code = code, .enhanced = "4.4.3", .host = &host,
		.hosts = code == 0 ? 1 : 0 };
	unsigned char q[4096];
	struct buf body, frame;
	ssize_t n = recv(at.policy, q, sizeof(q), MSG_DONTWAIT);

	assert_true(n > 8); /* length, number, and the whole of it */
	assert_int_equal(n, 4 + ((size_t)q[2] << 8 | q[3]));
	at.asked++;
	at.since = clock_ms();
	buf_init(&body, 65536);
	buf_init(&frame, 65536);
	buf_put(&body, q + 4, 4);
	ipc_put_u8(&body, 0);
	assert_int_equal(route_put(&body, &r), 0);
	ipc_put_view(&frame, buf_view(&body));
	assert_int_equal(send(at.policy, frame.p, frame.n, MSG_NOSIGNAL),
	    frame.n);
	buf_free(&body);
	buf_free(&frame);
}

static bool is_asked(void)
{
	char c;

	return recv(at.policy, &c, 1, MSG_DONTWAIT | MSG_PEEK) == 1;
}

/* Ask; code: what the policy process will say, -1: it is not asked, unless
 * this machine stood still for too long. */
static void ask_for(const char *rcpt, int code)
{
	struct route_query q = bob;
	size_t before = at.answered;

	q.rcpt = rcpt;
	assert_int_not_equal(routes_ask(at.routes, &q, on_route, &at), 0);
	assert_int_equal(at.answered, before); /* never from within */
	if (code >= 0) {
		answer(code);
	} else if (is_asked()) {
		assert_true(clock_ms() - at.since >= KEPT_MS);
		answer(0);
		at.asked--;
	}
	while (at.answered == before)
		assert_int_equal(event_base_loop(at.base, EVLOOP_ONCE), 0);
	assert_false(is_asked());
}

static void a_domain_is_asked_for_once(void **state)
{
	(void)state;
	start();
	ask_for("bob@b.example", 451);
	assert_int_equal(at.last_code, 451);
	ask_for("bob@b.example", 0);
	ask_for("carol@b.example", -1);
	assert_int_equal(at.last_code, 0);
	ask_for("bob@c.example", 550);
	ask_for("bob@c.example", 0);
	ask_for("dave@b.example", -1);
	stop();
	assert_int_equal(at.asked, 4);
}

/* To be asked for again and again does not keep it for ever. */
static void what_is_used_is_not_kept_for_longer(void **state)
{
	const int64_t half = KEPT_MS / 2;

	(void)state;
	start();
	ask_for("bob@b.example", 0);
	(void)poll(NULL, 0, (int)half);
	ask_for("bob@b.example", -1);
	(void)poll(NULL, 0, (int)half + 1);
	if (clock_ms() - at.since >= KEPT_MS)
		ask_for("bob@b.example", 0);
	stop();
}

/* attack T34: the policy process is gone
 * verdict: 451, also for what it has allowed a moment ago */
static void T34_without_policy_nothing_is_known(void **state)
{
	(void)state;
	start();
	ask_for("bob@b.example", 0);
	close(at.policy);
	at.policy = -1;
	while (!ask_is_away(at.ask))
		(void)event_base_loop(at.base, EVLOOP_ONCE);
	at.answered = 0;
	(void)routes_ask(at.routes, &bob, on_route, &at);
	while (at.answered == 0)
		assert_int_equal(event_base_loop(at.base, EVLOOP_ONCE), 0);
	assert_int_equal(at.last_code, 451);
	stop();
}

static void what_is_known_can_be_cancelled(void **state)
{
	uint32_t number;

	(void)state;
	start();
	ask_for("bob@b.example", 0);
	number = routes_ask(at.routes, &bob, on_route, &at);
	assert_int_not_equal(number, 0);
	routes_cancel(at.routes, number);
	routes_cancel(at.routes, number);
	(void)event_base_loop(at.base, EVLOOP_NONBLOCK);
	assert_int_equal(at.answered, 1);
	/* and one that waits when all ends */
	(void)routes_ask(at.routes, &bob, on_route, &at);
	stop();
	assert_int_equal(at.answered, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T38_all_that_counts_is_in_the_key),
		cmocka_unit_test(what_is_no_address_is_asked),
		cmocka_unit_test(only_ways_are_kept_and_only_for_a_moment),
		cmocka_unit_test(places_are_shared_answers_are_not),
		cmocka_unit_test(a_domain_is_asked_for_once),
		cmocka_unit_test(what_is_used_is_not_kept_for_longer),
		cmocka_unit_test(T34_without_policy_nothing_is_known),
		cmocka_unit_test(what_is_known_can_be_cancelled),
	};

	return cmocka_run_group_tests_name("relay_kept", tests, NULL, NULL);
}
