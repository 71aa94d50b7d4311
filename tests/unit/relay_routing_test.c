/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * From a recipient to hosts and addresses; answers that are kept; what
 * administrators are told.
 */
#include <pthread.h>
#include <unistd.h>

#include "tests/unit/relay_world.h"
#include "util/caps.h"

/* ---- MX ---- */

static void T58_no_route_at_all(void **state)
{
	static const struct {
		const char *what;
		enum dns_state state;
		bool is_nxdomain;
		const char *wanted;
	} row[] = {
		{ "no such domain", DNS_SECURE, true, "550 5.1.2" },
		{ "no such domain, unsigned", DNS_INSECURE, true,
		    "550 5.1.2" },
		{ "SERVFAIL", DNS_FAILED, false, "451 4.4.3" },
		{ "bogus", DNS_BOGUS, false, "451 4.7.5" },
		/* attack 11: a bogus answer is no insecure one */
		{ "bogus NXDOMAIN", DNS_BOGUS, true, "451 4.7.5" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct route *r;

		begin("default may then dane then sts\n");
		say("b.example", DNS_MX, row[i].state, "", 0)->is_nxdomain =
		    row[i].is_nxdomain;
		r = route();
		if (strcmp(verdict(r), row[i].wanted) != 0)
			fail_msg("%s: %s", row[i].what, verdict(r));
		assert_int_equal(r->hosts, 0);
		route_free(&r);
		finish();
	}
}

static void T58_null_mx(void **state)
{
	(void)state;
	begin("default may\n");
	say_mx("b.example", 0, "", DNS_INSECURE);
	expect("556 5.1.10");
	/* beside others it is none (RFC 7505 3) */
	say_mx("b.example", 10, "mx.b.example", DNS_INSECURE);
	(void)say_a("mx.b.example", "8.8.8.8", DNS_INSECURE);
	expect("may");
	finish();
}

static void T48_without_mx_the_domain_itself(void **state)
{
	struct route *r;

	(void)state;
	begin("default secure match hostname\n");
	say_nothing("b.example", DNS_MX, DNS_INSECURE);
	(void)say_a("b.example", "8.8.8.8", DNS_INSECURE);
	r = route();
	/* the name is the recipient's, not the DNS's */
	assert_string_equal(verdict(r), "secure b.example");
	assert_string_equal(r->host[0].name, "b.example");
	route_free(&r);
	records--;
	expect("550 5.1.2");
	finish();
}

static void T48_mx_records_that_cannot_be_read(void **state)
{
	(void)state;
	begin("default may\n");
	(void)say("b.example", DNS_MX, DNS_INSECURE, "\0\12\77mx", 5);
	expect("451 4.4.3");
	say_mx("b.example", 10, "mx.b.example", DNS_INSECURE);
	(void)say_a("mx.b.example", "8.8.8.8", DNS_INSECURE);
	expect("may");
	finish();
}

static void T48_preference_orders_and_equals_are_shuffled(void **state)
{
	static const char *const host[] = { "c.b.example", "a.b.example",
	    "b.b.example" };
	bool first_a = false, first_b = false;

	(void)state;
	begin("default may\n");
	say_mx("b.example", 20, host[0], DNS_INSECURE);
	say_mx("b.example", 10, host[1], DNS_INSECURE);
	say_mx("b.example", 10, host[2], DNS_INSECURE);
	for (size_t i = 0; i < 3; i++)
		(void)say_a(host[i], "8.8.8.8", DNS_INSECURE);
	for (int i = 0; i < 64; i++) {
		struct route *r = route();

		assert_int_equal(r->hosts, 3);
		assert_string_equal(r->host[2].name, host[0]);
		first_a |= strcmp(r->host[0].name, host[1]) == 0;
		first_b |= strcmp(r->host[0].name, host[2]) == 0;
		route_free(&r);
	}
	assert_true(first_a && first_b);
	finish();
}

static void T48_families_alternate_and_addresses_end(void **state)
{
	char ip[64];
	struct route *r;

	(void)state;
	begin("default may\n");
	say_mx("b.example", 10, "mx.b.example", DNS_INSECURE);
	for (int i = 0; i < 15; i++) {
		(void)snprintf(ip, sizeof(ip), "8.8.8.%d", i);
		(void)say_a("mx.b.example", ip, DNS_INSECURE);
		(void)snprintf(ip, sizeof(ip), "2600::%d", i);
		(void)say_a("mx.b.example", ip, DNS_INSECURE);
	}
	r = route();
	assert_int_equal(r->hosts, ROUTE_HOSTS);
	for (size_t i = 0; i < r->hosts; i++)
		assert_int_equal(r->host[i].sa.ss_family, i % 2 == 0 ?
		    AF_INET6 : AF_INET);
	route_free(&r);
	finish();
}

static void T48_addresses_that_cannot_be_found_out(void **state)
{
	static const struct {
		enum dns_state a, aaaa;
		bool has_a;
		const char *wanted;
	} row[] = {
		{ DNS_FAILED, DNS_INSECURE, false, "451 4.4.3" },
		{ DNS_BOGUS, DNS_INSECURE, false, "451 4.7.5" },
		{ DNS_INSECURE, DNS_FAILED, true, "may" },
		/* what DNSSEC forbids is not set aside */
		{ DNS_SECURE, DNS_BOGUS, true, "451 4.7.5" },
		{ DNS_INSECURE, DNS_INSECURE, false, "550 5.4.4" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		begin("default may then dane\n");
		say_mx("b.example", 10, "mx.b.example", DNS_INSECURE);
		if (row[i].has_a)
			(void)say_a("mx.b.example", "8.8.8.8", row[i].a);
		else
			say_nothing("mx.b.example", DNS_A, row[i].a);
		say_nothing("mx.b.example", DNS_AAAA, row[i].aaaa);
		if (row[i].aaaa == DNS_FAILED)
			say_nothing("_25._tcp.mx.b.example", DNS_TLSA,
			    DNS_INSECURE);
		expect(row[i].wanted);
		finish();
	}
}

/* ---- which addresses ---- */

/* attack A71: an MX record that leads to this machine, the network behind it,
 * or the address where a cloud keeps its secrets
 * verdict: no connection, unless nearby says so */
static void A71_addresses_that_are_not_public(void **state)
{
	static const char *const ip[] = { "127.0.0.1", "10.1.2.3",
	    "169.254.169.254", "192.168.1.1", "::1", "fe80::1", "fc00::1",
	    "::ffff:127.0.0.1", "0.0.0.0", "224.0.0.1" };
	struct net loopback;

	(void)state;
	assert_int_equal(net_parse(&loopback, "127.0.0.0/8", NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(ip); i++) {
		begin("default may\n");
		say_mx("b.example", 10, "mx.b.example", DNS_INSECURE);
		(void)say_a("mx.b.example", ip[i], DNS_INSECURE);
		expect("451 4.4.4");
		/* the public one beside it is used */
		(void)say_a("mx.b.example", "8.8.8.8", DNS_INSECURE);
		expect("may");
		finish();
	}
	begin("default may\n");
	routes[0].nearby = &loopback;
	routes[0].nearbys = 1;
	say_mx("b.example", 10, "mx.b.example", DNS_INSECURE);
	(void)say_a("mx.b.example", "127.0.0.1", DNS_INSECURE);
	expect("may");
	finish();
}

/* The engine reads listeners when it is made. */
static void begin_listening(struct listen_on *on)
{
	const struct engine_world world = { .dns = { .ask = world_ask } };
	static struct listener l;

	begin("default may\n");
	engine_free(&engine);
	l = (struct listener){ .on = on, .ons = 1 };
	config.listener = &l;
	config.listeners = 1;
	assert_int_equal(engine_new_in(&engine, &config, &world, NULL), 0);
}

static void T48_our_own_addresses_are_a_loop(void **state)
{
	static char any[] = "0.0.0.0:25", one[] = "[2600::1]:25",
	    other[] = "0.0.0.0:587";
	static struct listen_on on[3] = { { .where = any },
	    { .where = one }, { .where = other } };
	static const char *const ip[] = { "127.0.0.1", "2600::1",
	    "127.0.0.1" };
	static const char *const wanted[] = { "554 5.4.6", "554 5.4.6",
	    "451 4.4.4" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		begin_listening(&on[i]);
		say_mx("b.example", 10, "mx.b.example", DNS_INSECURE);
		(void)say_a("mx.b.example", ip[i], DNS_INSECURE);
		say_mx("b.example", 20, "mx2.b.example", DNS_INSECURE);
		(void)say_a("mx2.b.example", "8.8.8.8", DNS_INSECURE);
		/* a backup behind us would send it back */
		expect(i == 2 ? "barred private-address" : wanted[i]);
		record[2].rdata[1] = 5; /* mx2 is better than we are */
		expect("may");
		finish();
	}
}

/* ---- routes ---- */

static struct route *by_host(char *host, int level, bool lmtp)
{
	const struct route_query q = { .route = "local" };

	text_set(routes[1].name, RELAY_NAME, "local");
	routes[1].host = host;
	routes[1].level = level;
	routes[1].lmtp = lmtp;
	config.routes = 2;
	return route_with(&q);
}

static void T38_hosts_of_the_configuration(void **state)
{
	static const struct {
		const char *host;
		int level;
		const char *nexthop, *wanted;
		int family, port;
	} row[] = {
		{ "[127.0.0.1]:10025", TLS_NONE, "[127.0.0.1]:10025",
		    "none", AF_INET, 10025 },
		{ "127.0.0.1:24", TLS_NONE, "[127.0.0.1]:24", "none",
		    AF_INET, 24 },
		{ "[::1]:25", TLS_MAY, "[::1]", "may", AF_INET6, 25 },
		{ "smart.example:587", -1, "smart.example:587",
		    "secure smart.example,.smart.example", AF_INET, 587 },
		{ "[smart.example]:587", -1, "[smart.example]:587",
		    "encrypt", AF_INET, 587 },
		{ "unix:/run/lmtp", -1, "unix:/run/lmtp", "none", AF_UNIX,
		    0 },
		{ "127.0.0.1:25", TLS_SECURE, "[127.0.0.1]",
		    "secure 127.0.0.1", AF_INET, 25 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		char host[64];
		struct route *r;

		begin("default may\nto smart.example:587 secure\n"
		    "to [smart.example]:587 encrypt\n");
		(void)say_a("smart.example", "10.0.0.1", DNS_INSECURE);
		text_set(host, sizeof(host), row[i].host);
		r = by_host(host, row[i].level, row[i].family == AF_UNIX);
		assert_string_equal(verdict(r), row[i].wanted);
		assert_string_equal(r->nexthop, row[i].nexthop);
		assert_int_equal(r->host[0].sa.ss_family, row[i].family);
		if (row[i].family == AF_INET)
			assert_int_equal(ntohs(((struct sockaddr_in *)
			    &r->host[0].sa)->sin_port), row[i].port);
		/* never of an address (T45) */
		assert_string_equal(r->host[0].want.sni, i == 3 || i == 4 ?
		    "smart.example" : "");
		assert_int_equal(r->lmtp, row[i].family == AF_UNIX);
		route_free(&r);
		finish();
	}
}

static void T56_a_host_without_a_name_cannot_be_proven(void **state)
{
	const struct route_query q = { .route = "local", .verified = true };
	char host[] = "unix:/run/lmtp";
	struct route *r;

	(void)state;
	begin("default may\n");
	r = by_host(host, -1, true);
	route_free(&r);
	expect_with(&q, "451 4.7.5");
	finish();
}

static void T38_via_another_route(void **state)
{
	static const struct {
		const char *rcpt, *route;
	} row[] = {
		{ "bob@b.example", "local" }, { "bob@x.c.example", "local" },
		{ "bob@c.example", "egress" },
		{ "bob@ab.example", "egress" },
	};
	char host[] = "127.0.0.1:25", first[] = "b.example",
	    below[] = ".c.example", *domain[] = { first, below };
	char via[2][RELAY_NAME] = { "local", "local" };

	(void)state;
	begin("default may\n");
	text_set(routes[1].name, RELAY_NAME, "local");
	routes[1].host = host;
	routes[1].level = TLS_NONE;
	config.routes = 2;
	routes[0].via_domain = domain;
	routes[0].via = via;
	routes[0].vias = 2;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		const struct route_query q = { .rcpt = row[i].rcpt };
		struct route *r = route_with(&q);

		assert_string_equal(r->name, row[i].route);
		route_free(&r);
	}
	/* in a circle */
	text_set(via[0], RELAY_NAME, "egress");
	routes[1].via_domain = domain;
	routes[1].via = via;
	routes[1].vias = 1;
	text_set(via[0], RELAY_NAME, "local");
	expect("none");
	finish();
}

static void T28_recipients_that_are_none(void **state)
{
	static const char *const rcpt[] = { "", "bob", "bob@", "@b.example",
	    "bob@b..example", "bob@b.example\r\nX: y", "<bob@b.example>" };

	(void)state;
	begin("default may\n");
	for (size_t i = 0; i < ARRAY_LEN(rcpt); i++) {
		const struct route_query q = { .rcpt = rcpt[i] };

		expect_with(&q, "550 5.1.3");
	}
	assert_string_equal(asked, "");
	finish();
}

/* ---- answers that are kept ---- */

static int ask_engine(const struct route_query *q, struct route **r)
{
	struct buf question, reply;
	struct err e = {0};
	int rc;

	buf_init(&question, 8192);
	buf_init(&reply, CAP_IPC);
	assert_int_equal(route_query_put(&question, q), 0);
	rc = engine_answer(engine, buf_view(&question), &reply, &e);
	if (rc == 0)
		rc = route_get(r, buf_view(&reply), &e);
	buf_free(&question);
	buf_free(&reply);
	return rc;
}

static void answers_are_kept_for_their_time(void **state)
{
	struct route_query q = { "egress", "bob@b.example",
	    "alice@a.example", false, false, false };
	struct route *r;

	(void)state;
	begin("default may\n");
	say_mx("b.example", 10, "mx.b.example", DNS_INSECURE);
	(void)say_a("mx.b.example", "8.8.8.8", DNS_INSECURE);
	assert_int_equal(ask_engine(&q, &r), 0);
	assert_string_equal(verdict(r), "may");
	route_free(&r);
	asked[0] = '\0';
	q.rcpt = "carol@B.example";
	assert_int_equal(ask_engine(&q, &r), 0);
	assert_string_equal(verdict(r), "may");
	assert_string_equal(asked, "");
	route_free(&r);
	/* what asks for more is another question */
	q.verified = true;
	assert_int_equal(ask_engine(&q, &r), 0);
	assert_string_equal(verdict(r), "secure b.example,.b.example");
	route_free(&r);
	q.rcpt = "carol@c.example";
	assert_int_equal(ask_engine(&q, &r), 0);
	assert_string_equal(verdict(r), "550 5.1.2");
	route_free(&r);
	finish();
}

/* T61: what differs by sender is never shared. */
static void T61_answers_differ_by_what_the_line_says(void **state)
{
	static const struct {
		const char *from, *wanted;
	} row[] = { { "alice@a.example", "secure x.example" },
	    { "bob@c.example", "secure y.example" },
	    { "bob@d.example", "may" },
	    { "alice@a.example", "secure x.example" } };
	struct route *r;

	(void)state;
	begin("default may\n"
	    "to b.example from @a.example secure match x.example\n"
	    "to b.example from @c.example secure match y.example\n");
	say_mx("b.example", 10, "mx.b.example", DNS_INSECURE);
	(void)say_a("mx.b.example", "8.8.8.8", DNS_INSECURE);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		const struct route_query q = { "egress", "bob@b.example",
		    row[i].from, false, false, false };

		assert_int_equal(ask_engine(&q, &r), 0);
		assert_string_equal(verdict(r), row[i].wanted);
		route_free(&r);
	}
	finish();
}

struct crowd {
	struct answers *a;
	int made;
	size_t served;
	pthread_mutex_t lock;
};

static int64_t make_slowly(void *arg, struct buf *reply)
{
	struct crowd *c = arg;

	(void)usleep(50000);
	(void)pthread_mutex_lock(&c->lock);
	c->made++;
	(void)pthread_mutex_unlock(&c->lock);
	buf_puts(reply, "answer");
	return 60;
}

static void *ask_in_crowd(void *arg)
{
	static const unsigned char key[32] = "key";
	struct crowd *c = arg;
	struct buf b;

	buf_init(&b, 100);
	if (answers_get(c->a, key, make_slowly, c, &b) == 0 &&
	    strcmp(buf_str(&b), "answer") == 0) {
		(void)pthread_mutex_lock(&c->lock);
		c->served++;
		(void)pthread_mutex_unlock(&c->lock);
	}
	buf_free(&b);
	return NULL;
}

static void equal_questions_are_asked_once(void **state)
{
	struct crowd c = { .made = 0, .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t t[16];

	(void)state;
	assert_int_equal(answers_new(&c.a, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, ask_in_crowd,
		    &c), 0);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		(void)pthread_join(t[i], NULL);
	assert_int_equal(c.made, 1);
	assert_int_equal(c.served, ARRAY_LEN(t));
	answers_free(&c.a);
}

static void questions_that_are_none_are_refused(void **state)
{
	struct buf reply;
	struct err e;

	(void)state;
	begin("default may\n");
	buf_init(&reply, 4096);
	assert_int_equal(engine_answer(engine, view_of(""), &reply, &e), -1);
	assert_int_equal(engine_answer(engine, view_of("\2x"), &reply, &e),
	    -1);
	buf_free(&reply);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T58_no_route_at_all),
		cmocka_unit_test(T58_null_mx),
		cmocka_unit_test(T48_without_mx_the_domain_itself),
		cmocka_unit_test(T48_mx_records_that_cannot_be_read),
		cmocka_unit_test(
		    T48_preference_orders_and_equals_are_shuffled),
		cmocka_unit_test(T48_families_alternate_and_addresses_end),
		cmocka_unit_test(T48_addresses_that_cannot_be_found_out),
		cmocka_unit_test(A71_addresses_that_are_not_public),
		cmocka_unit_test(T48_our_own_addresses_are_a_loop),
		cmocka_unit_test(T38_hosts_of_the_configuration),
		cmocka_unit_test(T56_a_host_without_a_name_cannot_be_proven),
		cmocka_unit_test(T38_via_another_route),
		cmocka_unit_test(T28_recipients_that_are_none),
		cmocka_unit_test(answers_are_kept_for_their_time),
		cmocka_unit_test(T61_answers_differ_by_what_the_line_says),
		cmocka_unit_test(equal_questions_are_asked_once),
		cmocka_unit_test(questions_that_are_none_are_refused),
	};

	return cmocka_run_group_tests_name("relay_routing", tests, NULL,
	    NULL);
}
