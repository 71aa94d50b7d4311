/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Octets of messages, many at a time and one at a time: what a server takes
 * and what is stuffed must not depend on it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smtp/stuff.h"
#include "smtp_talk.h"

#define MOST 400

static uint32_t seed;

static uint32_t dice(uint32_t sides)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % sides;
}

/* Mostly lines, dots at some starts, now and then what may not be there. */
static void make_text(struct buf *b, bool may_be_bad)
{
	static const char *const odd[] = { "\r", "\n", "\r\r\n", "\n.\r\n",
		"\r\n.\r", ".", "\r\n.\n" };
	size_t want = dice(MOST);
	uint32_t rare = 1 + dice(90);
	const char *end;

	buf_clear(b);
	while (b->n < want) {
		if (may_be_bad && dice(150) == 0)
			buf_puts(b, odd[dice(ARRAY_LEN(odd))]);
		else if (dice(rare) == 0)
			buf_puts(b, dice(3) == 0 ? "\r\n." : "\r\n");
		else
			buf_putc(b, dice(20) == 0 ? '.' : 'x');
	}
	buf_puts(b, "\r\n");
	/* no end in the middle: what follows would be commands */
	while ((end = strstr(buf_str(b), "\r\n.\r\n")) != NULL)
		b->p[end + 2 - buf_str(b)] = 'y';
	if (b->p[0] == '.')
		b->p[0] = 'y';
}

static void begin(struct talk *t)
{
	static const struct smtp_server_setup setup = {
		.name = "mx.example", .max_size = 1u << 20, .max_rcpts = 5
	};

	talk_begin(t, &setup);
	talk_lines(t, EHLO MAIL RCPT "DATA\r\n");
	buf_clear(&t->said);
}

static void a_server_takes_the_same(void **state)
{
	size_t round, i, good = 0;
	struct buf text;

	(void)state;
	seed = 11;
	buf_init(&text, 4096);
	for (round = 0; round < 6000; round++) {
		struct talk whole, one;
		size_t used = 0;

		make_text(&text, round % 2 == 0);
		buf_puts(&text, ".\r\n");
		begin(&whole);
		begin(&one);
		i = talk_feed_view(&whole, buf_view(&text));
		while (used < text.n && !one.is_closed)
			used += talk_feed_view(&one,
			    view_sub(buf_view(&text), used, 1));
		assert_string_equal(buf_str(&whole.said), buf_str(&one.said));
		assert_int_equal(whole.is_closed, one.is_closed);
		assert_int_equal(i, used);
		if (!whole.is_closed)
			assert_string_equal(buf_str(&whole.got),
			    buf_str(&one.got));
		good += whole.mails == 1 && !whole.is_closed;
		talk_end(&whole);
		talk_end(&one);
	}
	buf_free(&text);
	assert_in_range(good, 3000, 5900); /* the test has both kinds */
}

/* -1: it may not be sent. */
static int stuff(struct view v, size_t step, struct buf *out)
{
	struct smtp_stuff s;
	size_t i;

	smtp_stuff_init(&s);
	buf_clear(out);
	for (i = 0; i < v.n; i += step)
		if (smtp_stuff_put(&s, view_sub(v, i, step), out, NULL) != 0)
			return -1;
	smtp_stuff_end(&s, out);
	return 0;
}

static void A45_the_same_is_stuffed(void **state)
{
	struct buf text, whole, one;
	size_t round, bad = 0;
	int rc;

	(void)state;
	seed = 23;
	buf_init(&text, 4096);
	buf_init(&whole, 8192);
	buf_init(&one, 8192);
	for (round = 0; round < 6000; round++) {
		make_text(&text, round % 2 == 0);
		rc = stuff(buf_view(&text), text.n, &whole);
		assert_int_equal(stuff(buf_view(&text), 1, &one), rc);
		if (rc == 0)
			assert_string_equal(buf_str(&whole), buf_str(&one));
		bad += rc != 0;
	}
	buf_free(&text);
	buf_free(&whole);
	buf_free(&one);
	assert_in_range(bad, 500, 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_takes_the_same),
		cmocka_unit_test(A45_the_same_is_stuffed),
	};

	return cmocka_run_group_tests_name("smtp_octets", tests, NULL, NULL);
}
