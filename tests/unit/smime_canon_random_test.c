/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Random MIME trees from a fixed seed through canon.c: decoded leaves are
 * the same octets before and after, and nothing is left that transit could
 * change. What transit does to them is in smime_damage_test.c.
 */
#include "smime/canon.h"

#include "smime_trees.h"

struct result {
	int rc;
	struct err e;
	struct canon_info info;
	struct buf out;
};

static struct result run_view(struct view msg, bool is_outbound)
{
	struct spool *in = spool_with(msg);
	struct spool *out;
	struct result r;

	memset(&r, 0, sizeof(r));
	buf_init(&r.out, BIG);
	out = spool_empty();
	if (is_outbound)
		r.rc = canon_entity(in, 0, msg.n, out, &r.info, &r.e);
	else
		r.rc = canon_deliverable(in, 0, msg.n, out, &r.e);
	if (r.rc == 0)
		spool_get(out, &r.out);
	spool_free(&in);
	spool_free(&out);
	return r;
}

static void check_clean(struct view v, bool is_7bit)
{
	size_t col = 0;

	assert_true(v.n > 1 && v.p[v.n - 1] == '\n');
	for (size_t i = 0; i < v.n; i++) {
		bool lf = i + 1 < v.n && v.p[i + 1] == '\n';

		assert_int_not_equal(v.p[i], 0);
		if (is_7bit)
			assert_true(v.p[i] < 0x80);
		if (v.p[i] == '\r')
			assert_true(lf);
		if (v.p[i] == '\n') {
			assert_true(i > 0 && v.p[i - 1] == '\r');
			assert_true(col <= (is_7bit ? 991 : 999));
		}
		col = v.p[i] == '\n' ? 0 : col + 1;
	}
}

static void check_no_hazard(const struct buf *b)
{
	assert_null(strstr(buf_str(b), "\r\n."));
	assert_null(strstr(buf_str(b), " \r\n"));
	assert_null(strstr(buf_str(b), "\t\r\n"));
}

static void S3_random_trees_say_the_same(void **state)
{
	size_t clean = 0, opaque = 0, refused = 0;
	struct buf b;

	(void)state;
	tree_seed = 7;
	buf_init(&b, 1u << 20);
	for (int i = 0; i < 4000; i++) {
		struct result r, again;

		put_random_mail(&b);
		r = run_view(buf_view(&b), true);
		if (r.rc != 0) {
			refused++;
			continue;
		}
		compare_leaves(buf_view(&b), buf_view(&r.out));
		if (!r.info.is_7bit) {
			opaque++;
			buf_free(&r.out);
			continue;
		}
		clean++;
		check_clean(buf_view(&r.out), true);
		assert_null(strstr(buf_str(&r.out), "\r\nFrom "));
		assert_null(strstr(buf_str(&r.out), "\r\n>From "));
		assert_null(strstr(buf_str(&r.out), "\r\n>>From "));
		if (!r.info.has_signature)
			check_no_hazard(&r.out);
		again = run_view(buf_view(&r.out), true);
		assert_int_equal(again.rc, 0);
		assert_string_equal(buf_str(&again.out), buf_str(&r.out));
		assert_int_equal(again.info.reencoded, 0);
		buf_free(&again.out);
		buf_free(&r.out);
	}
	buf_free(&b);
	assert_true(clean > 2000);
	assert_true(opaque > 20);
	assert_true(refused < 200);
}

/* attack A45: decrypted content with bare line ends, lines of any length and
 * octets of any kind, in random trees
 * verdict: what is delivered has CRLF only, no line over 998 octets, nothing
 * that a next hop could split */
static void A45_random_trees_are_deliverable(void **state)
{
	size_t refused = 0;
	struct buf b;

	(void)state;
	tree_seed = 8;
	buf_init(&b, 1u << 20);
	for (int i = 0; i < 2000; i++) {
		struct result r;

		put_random_mail(&b);
		r = run_view(buf_view(&b), false);
		if (r.rc != 0) {
			refused++;
			continue;
		}
		compare_leaves(buf_view(&b), buf_view(&r.out));
		check_clean(buf_view(&r.out), false);
		buf_free(&r.out);
	}
	buf_free(&b);
	assert_true(refused < 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S3_random_trees_say_the_same),
		cmocka_unit_test(A45_random_trees_are_deliverable),
	};

	return cmocka_run_group_tests_name("smime_canon_random", tests, NULL,
	    NULL);
}
