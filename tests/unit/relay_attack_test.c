/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Lines of messages, in and out, against readers that look at the whole at
 * once and know nothing of pieces, states or vectors: whatever the octets
 * are, both see the same end and the same message.
 */
#include "smtp/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/stuff.h"

#define ROUNDS 20000
#define LONGEST 700
#define EHLO "EHLO a.example\r\n"
#define BEGIN "MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n"

static uint64_t seed;

static size_t draw(size_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed >> 11) % below;
}

/* Mostly text, lines that end well, and what is neither. */
static void put_octets(struct buf *b, size_t n)
{
	static const char *const odd[] = { "\r", "\n", "\r\r\n", "\n.\r\n",
		"\r\n.\n", "\r\n.\r", ".\r\n", "\r.\r\n", "\r\n..\r\n" };
	static const char *const even[] = { "\r\n", "\r\n.", "\r\n..", ".",
		"\r\n\r\n", "\r\n.a" };
	bool is_odd = draw(3) == 0;

	while (b->n < n) {
		size_t what = draw(100);

		if (what < 6)
			buf_puts(b, even[draw(ARRAY_LEN(even))]);
		else if (is_odd && what < 8)
			buf_puts(b, odd[draw(ARRAY_LEN(odd))]);
		else
			buf_putc(b, 'a' + (int)(what % 26));
	}
}

/* No CR without LF behind it, no LF without CR before it. */
static bool is_clean(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '\r' && (i + 1 == v.n || v.p[i + 1] != '\n'))
			return false;
		if (v.p[i] == '\n' && (i == 0 || v.p[i - 1] != '\r'))
			return false;
	}
	return true;
}

/* What of v, behind "\r\n", is the message: its end is what the RFC says. */
static bool read_whole(struct view v, struct buf *message, size_t *used)
{
	const unsigned char *end = memmem(v.p, v.n, "\r\n.\r\n", 5);

	*used = (size_t)(end - v.p) + 5;
	for (const unsigned char *p = v.p + 2; p < end + 2; p++)
		if (*p != '.' || memcmp(p - 2, "\r\n", 2) != 0)
			buf_putc(message, *p);
	return is_clean(view_sub(v, 0, *used));
}

static struct smtp_server *at_data(void)
{
	static const struct smtp_server_setup setup = { .name = "x",
		.max_size = 1000000, .max_rcpts = 1 };
	struct view hello = view_of(EHLO), rest = view_of(BEGIN), chunk;
	struct smtp_server *s = NULL;

	assert_int_equal(smtp_server_new(&s, &setup, NULL), 0);
	assert_int_equal(smtp_server_next(s, &hello, &chunk), SMTP_MORE);
	assert_int_equal(smtp_server_next(s, &rest, &chunk), SMTP_BEGIN);
	assert_int_equal(rest.n, 0);
	return s;
}

/* The same in pieces by the server; 1: taken, 0: refused. */
static int read_pieces(struct view v, struct buf *message, size_t *used)
{
	struct smtp_server *s = at_data();
	struct view in = view_sub(v, 0, 0), chunk;
	enum smtp_event ev = SMTP_MORE;
	size_t n;

	for (*used = 0; ev != SMTP_MAIL && ev != SMTP_CLOSE;) {
		if (ev == SMTP_MORE && in.n == 0) {
			assert_true(*used < v.n);
			in = view_sub(v, *used, 1 + draw(draw(4) == 0 ? 3 :
			    300));
		}
		n = in.n;
		ev = smtp_server_next(s, &in, &chunk);
		*used += n - in.n;
		if (ev == SMTP_CHUNK)
			buf_putv(message, chunk);
	}
	smtp_server_free(&s);
	return ev == SMTP_MAIL;
}

/* attack A44: line ends and dots of every kind, cut into pieces anywhere, so
 * that a fast reader and a simple one see different ends of the message
 * verdict: one end, one message; what is not clean is refused
 */
static void T62_A44_every_reader_sees_the_same_end(void **state)
{
	struct buf v, whole, pieces;
	size_t a = 0, b = 0, taken = 0;

	(void)state;
	for (seed = 1; taken < ROUNDS / 4;) {
		buf_init(&v, 4096);
		buf_init(&whole, 4096);
		buf_init(&pieces, 4096);
		buf_puts(&v, "\r\n");
		put_octets(&v, draw(LONGEST));
		buf_puts(&v, "\r\n.\r\n");
		if (read_whole(buf_view(&v), &whole, &a)) {
			assert_int_equal(read_pieces(view_sub(buf_view(&v), 2,
			    v.n), &pieces, &b), 1);
			assert_true(view_eq(buf_view(&whole),
			    buf_view(&pieces)));
			taken++;
		} else {
			assert_int_equal(read_pieces(view_sub(buf_view(&v), 2,
			    v.n), &pieces, &b), 0);
		}
		assert_int_equal(a, b + 2);
		buf_free(&v);
		buf_free(&whole);
		buf_free(&pieces);
	}
}

static int stuff_pieces(struct view v, struct buf *out)
{
	struct smtp_stuff s;
	size_t n;
	int rc = 0;

	smtp_stuff_init(&s);
	for (; rc == 0 && v.n > 0; v = view_sub(v, n, v.n)) {
		n = 1 + draw(draw(4) == 0 ? 3 : 300);
		n = n < v.n ? n : v.n;
		rc = smtp_stuff_put(&s, view_sub(v, 0, n), out, NULL);
	}
	if (rc == 0)
		smtp_stuff_end(&s, out);
	return rc;
}

/* attack A45: a dot or a line end that a fast writer passes over, at the edge
 * of what it looks at at once
 * verdict: every dot at the start of a line is doubled; bare CR and LF are
 * never written
 */
static void T62_A45_every_dot_is_doubled(void **state)
{
	struct buf v, out, back;
	size_t sent = 0, used = 0;
	bool is_good;

	(void)state;
	for (seed = 7; sent < ROUNDS / 4;) {
		buf_init(&v, 4096);
		buf_init(&out, 4096);
		buf_init(&back, 4096);
		put_octets(&v, draw(LONGEST) + 1);
		is_good = stuff_pieces(buf_view(&v), &out) == 0;
		if (v.p[v.n - 1] == '\r')
			buf_putc(&v, '\n'); /* as the writer ends it */
		assert_int_equal(is_good, is_clean(buf_view(&v)));
		if (is_good) {
			if (v.p[v.n - 1] != '\n')
				buf_puts(&v, "\r\n");
			buf_puts(&out, ".\r\n");
			/* read back by the simple reader */
			buf_clear(&back);
			buf_puts(&back, "\r\n");
			buf_putv(&back, buf_view(&out));
			buf_clear(&out);
			assert_true(read_whole(buf_view(&back), &out, &used));
			assert_int_equal(used, back.n);
			assert_true(view_eq(buf_view(&out), buf_view(&v)));
			sent++;
		}
		buf_free(&v);
		buf_free(&out);
		buf_free(&back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T62_A44_every_reader_sees_the_same_end),
		cmocka_unit_test(T62_A45_every_dot_is_doubled),
	};

	return cmocka_run_group_tests_name("relay_attack", tests, NULL, NULL);
}
