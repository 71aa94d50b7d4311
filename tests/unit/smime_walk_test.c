/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The BER walker: what it refuses, where it stops, and strings in pieces.
 */
#include "smime/walk.h"

#include "smime_help.h"

#define B(s) { (const unsigned char *)(s), sizeof(s) - 1 }

static void bad_octets_are_refused(void **state)
{
	static const struct {
		const char *name;
		struct view v;
	} rows[] = {
		{ "one octet", B("\x30") },
		{ "longer than the data", B("\x30\x03\x02\x01") },
		{ "no length octets", B("\x30\x82\x01") },
		{ "nine length octets",
		    B("\x30\x89\0\0\0\0\0\0\0\0\0") },
		{ "reserved length ff", B("\x30\xff\x00") },
		{ "length that wraps",
		    B("\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff") },
		{ "high tag", B("\x3f\x81\x01\x00") },
		{ "primitive indefinite", B("\x04\x80\x00\x00") },
		{ "end-of-contents alone", B("\x00\x00") },
		{ "constructed tag zero", B("\x20\x00") },
		{ "no end-of-contents", B("\x30\x80\x02\x01\x00") },
		{ "half an end-of-contents", B("\x30\x80\x00") },
		{ "child beyond its parent", B("\x30\x03\x04\x02xy") },
		{ "indefinite child beyond its definite parent",
		    B("\x30\x04\x30\x80\x04\x00\x00\x00") },
		{ "empty integer", B("\x30\x02\x02\x00") },
		{ "padded integer", B("\x30\x04\x02\x02\x00\x01") },
		{ "padded negative integer", B("\x02\x02\xff\xff") },
		{ "long boolean", B("\x01\x02\x00\x00") },
		{ "null with content", B("\x05\x01\x00") },
		{ "empty OID", B("\x06\x00") },
		{ "unfinished OID", B("\x06\x02\x2a\x86") },
		{ "padded OID", B("\x06\x03\x2a\x80\x01") },
		{ "primitive sequence", B("\x10\x00") },
		{ "primitive set", B("\x11\x00") },
		{ "constructed integer", B("\x22\x03\x02\x01\x00") },
		{ "constructed BMPString", B("\x3e\x00") },
		{ "odd BMPString", B("\x1e\x01x") },
		{ "constructed OID", B("\x26\x80\x00\x00") },
		{ "empty bit string", B("\x03\x00") },
		{ "nine unused bits", B("\x03\x02\x09\x00") },
		{ "unused bits of nothing", B("\x03\x01\x01") },
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (walk_check(rows[i].v, &e) == 0)
			fail_msg("accepted: %s", rows[i].name);
		assert_int_equal(e.kind, FAIL_INPUT);
	}
}

static void good_octets_are_taken(void **state)
{
	static const struct view rows[] = {
		{ NULL, 0 },
		B("\x30\x00"),
		B("\x30\x80\x00\x00"),
		B("\x30\x80\x30\x80\x00\x00\x00\x00\x05\x00"),
		B("\x30\x06\x24\x80\x00\x00\x05\x00"),
		B("\x30\x84\x00\x00\x00\x03\x02\x01\x7f"),
		B("\x02\x02\x00\x80"),
		B("\x02\x02\xff\x7f"),
		B("\x80\x01\x00"),
		B("\x03\x02\x07\x80"),
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (walk_check(rows[i], &e) == -1)
			fail_msg("row %zu: %s", i, e.msg);
	}
}

/* n elements of indefinite or definite length inside each other. */
static void nest(struct buf *b, int n, bool indefinite)
{
	buf_clear(b);
	for (int i = 0; i < n; i++) {
		if (indefinite) {
			buf_put(b, "\x30\x80", 2);
			continue;
		}
		wrap_buf(b, DER_SEQUENCE);
	}
	for (int i = 0; indefinite && i < n; i++)
		buf_put(b, "\0\0", 2);
}

static void depth_is_capped_in_memory(void **state)
{
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, BIG);
	for (int indefinite = 0; indefinite < 2; indefinite++) {
		nest(&b, CAP_CMS_DEPTH - 1, indefinite == 1);
		assert_int_equal(walk_check(buf_view(&b), &e), 0);
		nest(&b, CAP_CMS_DEPTH, indefinite == 1);
		assert_int_equal(walk_check(buf_view(&b), &e), -1);
		assert_int_equal(e.kind, FAIL_LIMIT);
		nest(&b, 100000 / (1 + 99 * !indefinite), indefinite == 1);
		assert_int_equal(walk_check(buf_view(&b), &e), -1);
	}
	buf_free(&b);
}

/* attack A14: CMS elements nested beyond measure
 * verdict: refused beyond 32 levels, without recursion */
static void A14_depth_is_capped_in_a_spool(void **state)
{
	struct walk *w = malloc(sizeof(*w));
	struct walk_in in;
	struct walk_el el;
	struct spool *s;
	struct buf b;
	struct err e;

	(void)state;
	assert_non_null(w);
	buf_init(&b, BIG);
	for (int n = CAP_CMS_DEPTH - 1; n < CAP_CMS_DEPTH + 2; n++) {
		nest(&b, n, true);
		s = spool_with(buf_view(&b));
		walk_init(w, s);
		in = walk_root(w);
		assert_int_equal(walk_next(w, &in, &el, &e), 1);
		if (n <= CAP_CMS_DEPTH) {
			assert_int_equal(walk_pass(w, &in, &el, &e), 0);
			assert_int_equal(in.pos, b.n);
			assert_int_equal(walk_next(w, &in, &el, &e), 0);
		} else {
			assert_int_equal(walk_pass(w, &in, &el, &e), -1);
			assert_int_equal(e.kind, FAIL_LIMIT);
		}
		spool_free(&s);
	}
	buf_free(&b);
	free(w);
}

/* Children are bounded by their parent, in the spool as well. */
static void child_may_not_leave_its_parent(void **state)
{
	struct walk *w = malloc(sizeof(*w));
	struct spool *s = spool_with(view_make("\x30\x03\x04\x05"
	    "abcde", 9));
	struct walk_in in, child;
	struct walk_el el;
	struct err e;

	(void)state;
	assert_non_null(w);
	walk_init(w, s);
	in = walk_root(w);
	assert_int_equal(walk_next(w, &in, &el, &e), 1);
	child = walk_enter(&el);
	assert_int_equal(walk_next(w, &child, &el, &e), -1);
	assert_int_equal(e.kind, FAIL_INPUT);
	spool_free(&s);
	free(w);
}

/* Joined segments of the string in v, or NULL. after: where it ends. */
static char *join(struct view v, uint64_t *after, struct err *e)
{
	struct walk *w = malloc(sizeof(*w));
	struct spool *s = spool_with(v);
	struct walk_str x;
	struct walk_in in;
	struct walk_el el;
	uint64_t off, end;
	struct buf b;
	char *out = NULL;
	int r;

	assert_non_null(w);
	buf_init(&b, BIG);
	walk_init(w, s);
	in = walk_root(w);
	r = walk_next(w, &in, &el, e);
	if (r == 1) {
		walk_str_init(&x, &el);
		while ((r = walk_str_next(&x, w, &off, &end, e)) == 1) {
			unsigned char *to = buf_room(&b, end - off);

			assert_int_equal(walk_read(w, off, to, end - off, e),
			    0);
			b.n += end - off;
		}
		*after = x.after;
	}
	if (r == 0)
		out = view_strdup(buf_view(&b));
	buf_free(&b);
	spool_free(&s);
	free(w);
	return out;
}

static void strings_in_pieces_are_joined(void **state)
{
	static const struct {
		struct view v;
		const char *want;
	} rows[] = {
		{ B("\x04\x03" "abc"), "abc" },
		{ B("\x80\x03" "abc"), "abc" },
		{ B("\x04\x00"), "" },
		{ B("\x24\x80\x00\x00"), "" },
		{ B("\x24\x00"), "" },
		{ B("\x24\x80\x04\x01" "a\x04\x00\x04\x02" "bc\x00\x00"),
		    "abc" },
		{ B("\xa0\x80\x24\x03\x04\x01" "a\x24\x80\x04\x01"
		    "b\x00\x00\x04\x01" "c\x00\x00"), "abc" },
		{ B("\x24\x05\x24\x03\x04\x01" "a"), "a" },
	};
	uint64_t after = 0;
	struct err e;
	char *got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		got = join(rows[i].v, &after, &e);
		if (got == NULL)
			fail_msg("row %zu: %s", i, e.msg);
		assert_string_equal(got, rows[i].want);
		assert_int_equal(after, rows[i].v.n);
		free(got);
	}
}

static void odd_strings_are_refused(void **state)
{
	static const struct view rows[] = {
		B("\x24\x03\x0c\x01" "a"),	   /* UTF8String inside */
		B("\x24\x03\x80\x01" "a"),	   /* context tag inside */
		B("\x24\x02\x00\x00"),		   /* EOC in definite */
		B("\x24\x80\x04\x05" "a\x00\x00"), /* too long */
		B("\x24\x80\x04\x01" "a"),	   /* no end */
		B("\x24\x03\x24\x80\x00\x00"),	   /* EOC outside parent */
	};
	uint64_t after = 0;
	struct err e;
	char *got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		got = join(rows[i], &after, &e);
		if (got != NULL)
			fail_msg("row %zu is taken", i);
	}
}

static void string_nesting_is_capped_like_in_libcrypto(void **state)
{
	uint64_t after = 0;
	struct buf b;
	struct err e;
	char *got;

	(void)state;
	buf_init(&b, 4096);
	for (int n = WALK_STRINGS - 1; n <= WALK_STRINGS + 1; n++) {
		buf_clear(&b);
		put_tlv(&b, DER_OCTET_STRING, view_of("x"));
		for (int i = 0; i < n; i++)
			wrap_buf(&b, 0x24);
		got = join(buf_view(&b), &after, &e);
		if (n <= WALK_STRINGS) {
			assert_non_null(got);
			assert_string_equal(got, "x");
		} else {
			assert_null(got);
			assert_int_equal(e.kind, FAIL_LIMIT);
		}
		free(got);
	}
	buf_free(&b);
}

/* Reads across the window's edges and beyond the end. */
static void octets_are_read_through_the_window(void **state)
{
	unsigned char *data = malloc(3 * WALK_WINDOW), *got;
	struct walk *w = malloc(sizeof(*w));
	size_t n = 3 * WALK_WINDOW;
	struct spool *s;
	struct err e;

	(void)state;
	got = malloc(n);
	assert_true(data != NULL && w != NULL && got != NULL);
	for (size_t i = 0; i < n; i++)
		data[i] = (unsigned char)(i * 7 + i / 256);
	s = spool_with(view_make(data, n));
	walk_init(w, s);
	for (size_t off = 0; off < n; off += 1000) {
		for (size_t len = 1; off + len <= n; len = len * 5 + 3) {
			assert_int_equal(walk_read(w, off, got, len, &e), 0);
			assert_memory_equal(got, data + off, len);
		}
	}
	assert_int_equal(walk_read(w, n - 1, got, 2, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	spool_free(&s);
	free(data);
	free(got);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_octets_are_refused),
		cmocka_unit_test(good_octets_are_taken),
		cmocka_unit_test(depth_is_capped_in_memory),
		cmocka_unit_test(A14_depth_is_capped_in_a_spool),
		cmocka_unit_test(child_may_not_leave_its_parent),
		cmocka_unit_test(strings_in_pieces_are_joined),
		cmocka_unit_test(odd_strings_are_refused),
		cmocka_unit_test(string_nesting_is_capped_like_in_libcrypto),
		cmocka_unit_test(octets_are_read_through_the_window),
	};

	return cmocka_run_group_tests_name("smime_walk", tests, NULL, NULL);
}
