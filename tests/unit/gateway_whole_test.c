/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a door asks of the pipeline: the whole new message in place of edits,
 * and a direction that no address decides.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/gateway.h"

#define MESSAGE "Subject: x\r\nX-Old: 1\r\nX-Old: 2\r\n\r\nbody\r\n"

static struct spool *spool_of(const char *text)
{
	struct spool *s = NULL;

	assert_int_equal(spool_new(&s, 1u << 20, NULL), 0);
	assert_int_equal(spool_write(s, text, strlen(text), NULL), 0);
	return s;
}

static void expect(const struct spool *s, const char *want)
{
	char got[4096];
	size_t n;

	assert_non_null(s);
	assert_int_equal(spool_read(s, 0, got, sizeof(got) - 1, &n, NULL), 0);
	got[n] = '\0';
	assert_string_equal(got, want);
}

static void M25_nothing_to_be_changed_stays_so(void **state)
{
	struct spool *msg = spool_of(MESSAGE);
	struct verdict v;

	(void)state;
	verdict_init(&v);
	assert_int_equal(verdict_whole(&v, msg, 1u << 20, NULL), 0);
	assert_null(v.body);
	verdict_free(&v);
	spool_free(&msg);
}

static void M25_edits_and_body_become_the_whole(void **state)
{
	struct spool *msg = spool_of(MESSAGE);
	struct verdict v;

	(void)state;
	verdict_init(&v);
	assert_int_equal(verdict_delete(&v, "X-Old", 2, NULL), 0);
	assert_int_equal(verdict_delete(&v, "X-Old", 1, NULL), 0);
	assert_int_equal(verdict_insert(&v, "X-New", " a\n b", NULL), 0);
	v.body = spool_of("other\r\n");
	assert_int_equal(verdict_whole(&v, msg, 1u << 20, NULL), 0);
	assert_int_equal(v.edits, 0);
	expect(v.body, "X-New: a\r\n b\r\nSubject: x\r\n\r\nother\r\n");
	verdict_free(&v);
	/* edits alone */
	verdict_init(&v);
	assert_int_equal(verdict_insert(&v, "X-New", " a", NULL), 0);
	assert_int_equal(verdict_whole(&v, msg, 1u << 20, NULL), 0);
	expect(v.body, "X-New: a\r\n" MESSAGE);
	verdict_free(&v);
	spool_free(&msg);
}

/* Beside copies there is always a body: theirs are the only other octets. */
static void M23_beside_copies_it_is_there(void **state)
{
	struct spool *msg = spool_of(MESSAGE);
	struct verdict v;

	(void)state;
	verdict_init(&v);
	v.copy = calloc(1, sizeof(*v.copy));
	v.copy_n = 1;
	/* nobody is here: nothing may go on */
	assert_int_equal(verdict_whole(&v, msg, 1u << 20, NULL), 0);
	assert_null(v.body);
	v.here = 1;
	assert_int_equal(verdict_whole(&v, msg, 1u << 20, NULL), 0);
	expect(v.body, MESSAGE);
	verdict_free(&v);
	spool_free(&msg);
}

static void what_cannot_be_made_is_an_error(void **state)
{
	struct spool *msg = spool_of(MESSAGE);
	struct verdict v;
	struct err e = { 0 };

	(void)state;
	verdict_init(&v);
	assert_int_equal(verdict_insert(&v, "X-New", " a", NULL), 0);
	assert_int_equal(verdict_whole(&v, msg, 20, &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
	assert_int_equal(v.edits, 1);
	assert_null(v.body);
	verdict_free(&v);
	spool_free(&msg);
}

static void M20_the_door_says_which_way(void **state)
{
	static char domain[] = "b.example";
	static char *domains[] = { domain };
	struct net near;
	struct config c = { .domain = domains, .domains = 1,
		.outbound = &near, .outbounds = 1 };
	struct envelope env = { .client_ip = "127.0.0.1" };
	struct addr ours, theirs;

	(void)state;
	assert_int_equal(net_parse(&near, "127.0.0.0/8", NULL), 0);
	assert_int_equal(addr_parse(&ours, view_of("x@b.example"), NULL), 0);
	assert_int_equal(addr_parse(&theirs, view_of("x@a.example"), NULL),
	    0);
	assert_int_equal(gateway_direction(&c, &env, &theirs), DIR_OUTBOUND);
	/* inbound: neither address nor login make it one of ours */
	env.side = DIR_INBOUND;
	assert_int_equal(gateway_direction(&c, &env, &theirs), DIR_INBOUND);
	env.auth = ENV_AUTH_LOGIN;
	assert_int_equal(gateway_direction(&c, &env, &ours), DIR_INBOUND);
	/* outbound: whoever sends is ours */
	env.auth = ENV_AUTH_NONE;
	env.side = DIR_OUTBOUND;
	env.client_ip = NULL;
	assert_int_equal(gateway_direction(&c, &env, &theirs), DIR_OUTBOUND);
	assert_int_equal(gateway_direction(&c, &env, &ours), DIR_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(M25_nothing_to_be_changed_stays_so),
		cmocka_unit_test(M25_edits_and_body_become_the_whole),
		cmocka_unit_test(M23_beside_copies_it_is_there),
		cmocka_unit_test(what_cannot_be_made_is_an_error),
		cmocka_unit_test(M20_the_door_says_which_way),
	};

	return cmocka_run_group_tests_name("gateway_whole", tests, NULL,
	    NULL);
}
