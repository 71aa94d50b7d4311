/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Signing in the entity's own spool: the same message as into another one,
 * in memory and in files; nothing is left where it fails.
 */
#include "smime/sign.h"

#include "smime_help.h"
#include "testca.h"

#define NOW 1795000000 /* 2026 */

static struct testca ca;
static struct testca_id rsa, ed;
static struct testca_keys keys;

static int setup(void **state)
{
	(void)state;
	testca_init(&ca);
	testca_issue(&ca, &(struct testca_leaf){ .key = "rsa:2048",
	    .mail = "alice@example.com" }, &rsa);
	testca_issue(&ca, &(struct testca_leaf){ .key = "ed25519",
	    .mail = "dave@example.com" }, &ed);
	keys = (struct testca_keys){ { &rsa, &ed }, 2, 0, 0, 0 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	testca_id_free(&rsa);
	testca_id_free(&ed);
	testca_free(&ca);
	return 0;
}

static void put_entity(struct spool *s, size_t n)
{
	static const char head[] = "Content-Type: text/plain\r\n\r\n";
	static const char line[] = "Dear bob, this is one line of many.\r\n";
	struct err e = { 0 };

	assert_int_equal(spool_write(s, head, sizeof(head) - 1, &e), 0);
	for (; n > 0; n -= sizeof(line) - 1 < n ? sizeof(line) - 1 : n)
		assert_int_equal(spool_write(s, line, sizeof(line) - 1, &e),
		    0);
}

static struct spool *with_room(size_t room, size_t n)
{
	struct spool *s = spool_empty();
	struct err e = { 0 };

	assert_int_equal(spool_reserve(s, room, &e), 0);
	put_entity(s, n);
	return s;
}

static void without_room_nothing_is_left(void **state)
{
	struct key_ops ops = testca_key_ops(&keys);
	struct signer who = { .cert = rsa.cert };
	struct spool *s = with_room(100, 1000);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(sign_in_place(s, &who, &ops, NOW, &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
	assert_int_equal(spool_size(s), 0);
	spool_free(&s);
}

static void a_key_that_cannot_sign_leaves_nothing(void **state)
{
	struct key_ops ops = testca_key_ops(&keys);
	struct signer who = { .cert = ed.cert };
	struct spool *s = with_room(SPOOL_RESERVE, 1000);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(sign_in_place(s, &who, &ops, NOW, &e), -1);
	assert_int_equal(e.kind, FAIL_POLICY);
	assert_int_equal(spool_size(s), 0);
	spool_free(&s);
}

/* But for the boundary, which is random; RSA signs alike each time. */
static void hide_boundary(struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i + 34 <= b->n; i++) {
		if (memcmp(b->p + i, "=_", 2) != 0)
			continue;
		memset(b->p + i + 2, 'x', 32);
		n++;
	}
	assert_int_equal(n, 4);
}

static void S201_the_same_as_in_another_spool(void **state)
{
	static const size_t size[] = { 0, 1, 5000, 65536, 262144, 1000000 };
	struct key_ops ops = testca_key_ops(&keys);
	struct signer who = { .cert = rsa.cert };
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(size); i++) {
		struct spool *s = with_room(SPOOL_RESERVE, size[i]);
		struct spool *in = spool_empty(), *out = spool_empty();
		struct buf a, b;

		buf_init(&a, BIG);
		buf_init(&b, BIG);
		put_entity(in, size[i]);
		assert_int_equal(sign_entity(in, &who, &ops, SIGN_CLEAR, NOW,
		    out, &e), 0);
		assert_int_equal(sign_in_place(s, &who, &ops, NOW, &e), 0);
		assert_int_equal(sign_self_check(s, &who, &e), 0);
		spool_get(s, &a);
		spool_get(out, &b);
		hide_boundary(&a);
		hide_boundary(&b);
		assert_int_equal(a.n, b.n);
		assert_memory_equal(a.p, b.p, a.n);
		buf_free(&a);
		buf_free(&b);
		spool_free(&s);
		spool_free(&in);
		spool_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_room_nothing_is_left),
		cmocka_unit_test(a_key_that_cannot_sign_leaves_nothing),
		cmocka_unit_test(S201_the_same_as_in_another_spool),
	};

	return cmocka_run_group_tests_name("smime_sign_place", tests, setup,
	    teardown);
}
