/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of relay/proxy.c: what is refused first, then what is read, in every
 * split, and that what is written is read again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/proxy.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define LIT(s) { (s), sizeof(s) - 1 }
#define IP4 "\xc0\x00\x02\x07\x7f\x00\x00\x01\xc0\x01\x00\x6e"
#define U36 "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define UNIX216 U36 U36 U36 U36 U36 U36

struct octets {
	const char *p;
	size_t n;
};

static int read_all(struct proxy_header *h, const char *p, size_t n,
    size_t *used, struct err *e)
{
	/* an exact copy, so that a read behind it is seen */
	unsigned char *copy = malloc(n == 0 ? 1 : n);
	int rc;

	assert_non_null(copy);
	memcpy(copy, p, n);
	err_clear(e);
	rc = proxy_read(h, view_make(copy, n), used, e);
	free(copy);
	return rc;
}

static const struct octets bad[] = {
	LIT("GET / HTTP/1.1\r\n"),
	LIT("proxy TCP4 192.0.2.7 127.0.0.1 1 2\r\n"),
	LIT("PROXY\tTCP4 192.0.2.7 127.0.0.1 1 2\r\n"),
	LIT("PROXY  TCP4 192.0.2.7 127.0.0.1 1 2\r\n"),
	LIT("PROXY TCP4  192.0.2.7 127.0.0.1 1 2\r\n"),
	LIT("PROXY TCP4 192.0.2.7 127.0.0.1 1 2 \r\n"),
	LIT("PROXY TCP4 192.0.2.7 127.0.0.1 1 2 3\r\n"),
	LIT("PROXY TCP4 192.0.2.7 127.0.0.1 1 2\n"),
	LIT("PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\r\n"),
	LIT("PROXY TCP4 192.0.2.7 127.0.0.1 1\r 2\r\n"),
	LIT("PROXY TCP4 192.0.2.7 127.0.0.1 01 2\r\n"),
	LIT("PROXY TCP4 192.0.2.7 127.0.0.1 1 65536\r\n"),
	LIT("PROXY TCP4 192.0.2.7 127.0.0.1 -1 2\r\n"),
	LIT("PROXY TCP4 192.0.2.7 127.0.0.1 1\r\n"),
	LIT("PROXY TCP4 192.0.2.7 127.0.0.1\r\n"),
	LIT("PROXY TCP4 192.0.2.007 127.0.0.1 1 2\r\n"),
	LIT("PROXY TCP4 192.0.2.7\0 127.0.0.1 1 2\r\n"),
	LIT("PROXY TCP4 2001:db8::1 127.0.0.1 1 2\r\n"),
	LIT("PROXY TCP6 192.0.2.7 127.0.0.1 1 2\r\n"),
	LIT("PROXY TCP6 fe80::1%lo ::1 1 2\r\n"),
	LIT("PROXY UDP4 192.0.2.7 127.0.0.1 1 2\r\n"),
	LIT("PROXY \r\n"),
	LIT("PROXY UNKNOWN a\rb\r\n"),
	LIT("PROXY UNKNOWN a\0b\r\n"),
	LIT("\r\n\r\n\1"),
	LIT(SIG "\x11\x11\0\x0c" IP4),	   /* version 1 in binary */
	LIT(SIG "\x22\x11\0\x0c" IP4),	   /* command 2 */
	LIT(SIG "\x21\x12\0\x0c" IP4),	   /* UDP */
	LIT(SIG "\x21\x10\0\x0c" IP4),
	LIT(SIG "\x21\x41\0\x0c" IP4),
	LIT(SIG "\x20\x41\0\x0c" IP4),
	LIT(SIG "\x21\x11\0\x0b" IP4),	   /* shorter than its addresses */
	LIT(SIG "\x21\x21\0\x0c" IP4),
	LIT(SIG "\x21\x31\0\x0c" IP4),
	LIT(SIG "\x21\x11\0\0"),
	LIT(SIG "\x21\x11\x02\x09"),	   /* 521 and 65535 octets */
	LIT(SIG "\x21\x11\xff\xff"),
	LIT(SIG "\x21\x11\0\x0d" IP4 "\x04"),  /* TLVs that are cut */
	LIT(SIG "\x21\x11\0\x0e" IP4 "\x04\0"),
	LIT(SIG "\x21\x11\0\x0f" IP4 "\x04\0\x01"),
	LIT(SIG "\x21\x11\0\x10" IP4 "\x04\xff\xffz"),
	LIT(SIG "\x21\x11\0\x13" IP4 "\x20\0\4\1\0\0\0"),
	LIT(SIG "\x21\x11\0\x17" IP4 "\x20\0\x08\1\0\0\0\0\x21\0\1"),
	LIT(SIG "\x21\x11\0\x1c" IP4 "\x20\0\5\1\0\0\0\0"
	    "\x20\0\5\1\0\0\0\0"),
};

/* attack A73: headers of the PROXY protocol that overflow, lie or are cut
 * verdict: refused, and no address of them is kept */
static void T66_A73_what_is_no_header_is_refused(void **state)
{
	struct proxy_header h, none;
	struct err e;
	size_t used;

	(void)state;
	memset(&none, 0, sizeof(none));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (read_all(&h, bad[i].p, bad[i].n, &used, &e) != -1)
			fail_msg("taken: case %zu, %s", i, bad[i].p);
		assert_int_equal(e.kind, FAIL_INPUT);
		assert_int_equal(used, 0);
		assert_memory_equal(&h, &none, sizeof(h));
	}
}

struct good {
	struct octets in;
	const char *ip, *local_ip;
	int port, local_port;
	bool is_local, has_tls;
};

static const struct good good[] = {
	{ LIT("PROXY TCP4 192.0.2.7 127.0.0.1 49153 110\r\n"), "192.0.2.7",
	    "127.0.0.1", 49153, 110, false, false },
	{ LIT("PROXY TCP6 2001:DB8:0::1 ::1 0 65535\r\n"), "2001:db8::1",
	    "::1", 0, 65535, false, false },
	{ LIT("PROXY UNKNOWN\r\n"), "", "", 0, 0, true, false },
	{ LIT("PROXY UNKNOWN ffff::1 what else\r\n"), "", "", 0, 0, true,
	    false },
	{ LIT(SIG "\x21\x11\0\x0c" IP4), "192.0.2.7", "127.0.0.1", 49153, 110,
	    false, false },
	{ LIT(SIG "\x20\0\0\0"), "", "", 0, 0, true, false },
	{ LIT(SIG "\x20\x11\0\x0c" IP4), "", "", 0, 0, true, false },
	{ LIT(SIG "\x20\x11\0\3abc"), "", "", 0, 0, true, false },
	{ LIT(SIG "\x21\0\0\0"), "", "", 0, 0, true, false },
	{ LIT(SIG "\x21\x31\0\xd8" UNIX216), "", "", 0, 0, true, false },
	{ LIT(SIG "\x21\x11\0\x10" IP4 "\x04\0\1x"), "192.0.2.7",
	    "127.0.0.1", 49153, 110, false, false },
	{ LIT(SIG "\x21\x11\0\x14" IP4 "\x20\0\5\1\0\0\0\0"), "192.0.2.7",
	    "127.0.0.1", 49153, 110, false, true },
	{ LIT(SIG "\x21\x11\0\x14" IP4 "\x20\0\5\6\0\0\0\0"), "192.0.2.7",
	    "127.0.0.1", 49153, 110, false, false },
	{ LIT(SIG "\x21\x11\0\x19" IP4 "\x20\0\x0a\1\0\0\0\0\x21\0\2v1"),
	    "192.0.2.7", "127.0.0.1", 49153, 110, false, true },
};

static void check_good(const struct good *g, const char *p, size_t n)
{
	struct proxy_header h;
	struct err e;
	size_t used;

	assert_int_equal(read_all(&h, p, n, &used, &e), 1);
	assert_int_equal(used, g->in.n);
	assert_string_equal(h.ip, g->ip);
	assert_string_equal(h.local_ip, g->local_ip);
	assert_int_equal(h.port, g->port);
	assert_int_equal(h.local_port, g->local_port);
	assert_int_equal(h.is_local, g->is_local);
	assert_int_equal(h.has_tls, g->has_tls);
}

static void T66_headers_are_read_and_what_follows_is_left(void **state)
{
	char more[600];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		check_good(&good[i], good[i].in.p, good[i].in.n);
		memcpy(more, good[i].in.p, good[i].in.n);
		memcpy(more + good[i].in.n, "PROXY \r\n\r\n", 10);
		check_good(&good[i], more, good[i].in.n + 10);
	}
}

static void T66_every_part_of_a_header_asks_for_more(void **state)
{
	struct proxy_header h;
	struct err e;
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		for (size_t n = 0; n < good[i].in.n; n++) {
			assert_int_equal(read_all(&h, good[i].in.p, n, &used,
			    &e), 0);
			assert_int_equal(used, 0);
		}
}

static void T66_a_line_has_107_octets_at_most(void **state)
{
	char line[120];
	struct proxy_header h;
	struct err e;
	size_t used;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	assert_int_equal(read_all(&h, line, 106, &used, &e), 0);
	assert_int_equal(read_all(&h, line, 107, &used, &e), -1);
	memcpy(line + 105, "\r\n", 2);
	assert_int_equal(read_all(&h, line, 107, &used, &e), 1);
	memcpy(line + 105, "x\r\n", 3);
	assert_int_equal(read_all(&h, line, 108, &used, &e), -1);
}

static void T66_a_binary_header_has_536_octets_at_most(void **state)
{
	unsigned char in[600];
	struct proxy_header h;
	struct err e;
	size_t used;

	(void)state;
	memset(in, 0, sizeof(in));
	memcpy(in, SIG "\x21\x11\x02\x08" IP4, 28);
	in[28] = 4; /* NOOP, to the end */
	in[29] = (520 - 12 - 3) >> 8;
	in[30] = (520 - 12 - 3) & 0xff;
	assert_int_equal(read_all(&h, (char *)in, 536, &used, &e), 1);
	assert_int_equal(used, 536);
	assert_int_equal(read_all(&h, (char *)in, 535, &used, &e), 0);
	in[15]++;
	assert_int_equal(read_all(&h, (char *)in, 537, &used, &e), -1);
}

struct writing {
	const char *name, *ip, *local_ip, *v1;
	const char *read_ip, *read_local_ip; /* NULL: the same */
	bool is_local;
};

static const struct writing writing[] = {
	{ "IPv4", "192.0.2.7", "198.51.100.1",
	    "PROXY TCP4 192.0.2.7 198.51.100.1 50000 995\r\n", NULL, NULL,
	    false },
	{ "IPv6", "2001:db8::7", "2001:db8::1",
	    "PROXY TCP6 2001:db8::7 2001:db8::1 50000 995\r\n", NULL, NULL,
	    false },
	{ "mixed", "192.0.2.7", "2001:db8::1",
	    "PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 50000 995\r\n",
	    "::ffff:192.0.2.7", NULL, false },
	{ "unix", "unix", "", "PROXY UNKNOWN\r\n", "", "", false },
	{ "local", "", "", "PROXY UNKNOWN\r\n", "", "", true },
};

static void check_writing(const struct writing *w, int version, bool tls)
{
	struct proxy_header h, got;
	struct buf b;
	struct err e;
	size_t used;

	memset(&h, 0, sizeof(h));
	text_set(h.ip, sizeof(h.ip), w->ip);
	text_set(h.local_ip, sizeof(h.local_ip), w->local_ip);
	h.port = 50000;
	h.local_port = 995;
	h.is_local = w->is_local;
	buf_init(&b, 1000);
	proxy_write(&b, version, &h, tls ? "TLSv1.3" : NULL,
	    tls ? "TLS_AES_256_GCM_SHA384" : NULL);
	assert_int_equal(buf_ok(&b, &e), 0);
	if (version == 1)
		assert_string_equal(buf_str(&b), w->v1);
	assert_int_equal(proxy_read(&got, buf_view(&b), &used, &e), 1);
	assert_int_equal(used, b.n);
	assert_string_equal(got.ip, w->read_ip ? w->read_ip : w->ip);
	assert_string_equal(got.local_ip, w->read_local_ip ?
	    w->read_local_ip : w->local_ip);
	assert_int_equal(got.is_local, got.ip[0] == '\0');
	if (!got.is_local)
		assert_int_equal(got.port, 50000);
	assert_int_equal(got.has_tls, tls && version == 2 && !w->is_local);
	buf_free(&b);
}

static void what_is_written_is_read_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(writing) / sizeof(writing[0]); i++) {
		check_writing(&writing[i], 1, false);
		check_writing(&writing[i], 1, true);
		check_writing(&writing[i], 2, false);
		check_writing(&writing[i], 2, true);
	}
}

static void the_binary_form_is_that_of_the_specification(void **state)
{
	static const char wanted[] = SIG "\x21\x11\0\x1f" IP4
	    "\x20\0\x10\1\0\0\0\1\x21\0\3tls\x23\0\2ci";
	struct proxy_header h = { .ip = "192.0.2.7", .local_ip = "127.0.0.1",
		.port = 49153, .local_port = 110 };
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	proxy_write(&b, 2, &h, "tls", "ci");
	assert_int_equal(b.n, sizeof(wanted) - 1);
	assert_memory_equal(b.p, wanted, b.n);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T66_A73_what_is_no_header_is_refused),
		cmocka_unit_test(
		    T66_headers_are_read_and_what_follows_is_left),
		cmocka_unit_test(T66_every_part_of_a_header_asks_for_more),
		cmocka_unit_test(T66_a_line_has_107_octets_at_most),
		cmocka_unit_test(T66_a_binary_header_has_536_octets_at_most),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(
		    the_binary_form_is_that_of_the_specification),
	};

	return cmocka_run_group_tests_name("relay_proxy", tests, NULL, NULL);
}
