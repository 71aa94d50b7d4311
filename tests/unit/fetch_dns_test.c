/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Records of the DNS as those write them who want to crash a reader, and the
 * resolver without a network.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fetch/dns.h"
#include "fetch/find_int.h"
#include "util/clock.h"
#include "util/proc.h"

/* At the end of its memory, so that a sanitizer sees one octet too many. */
static unsigned char *exactly(const char *octets, size_t n)
{
	unsigned char *p = malloc(n == 0 ? 1 : n);

	assert_non_null(p);
	if (n > 0)
		memcpy(p, octets, n);
	return p;
}

/* attack T46: a TLSA record of zero to three octets, or one without data
 * verdict: it is no record; it neither crashes nor proves anything */
static void T46_short_tlsa_records_are_none(void **state)
{
	static const char rdata[] = "\x03\x01\x01\xaa";
	struct dns_tlsa t;

	(void)state;
	for (size_t n = 0; n <= 4; n++) {
		unsigned char *p = exactly(rdata, n);

		assert_int_equal(dns_read_tlsa(&t, view_make(p, n)),
		    n < 4 ? -1 : 0);
		assert_int_equal(t.data.n, n < 4 ? 0 : 1);
		free(p);
	}
}

static const struct name_row {
	const char *what, *wire;
	size_t n;
	const char *wanted; /* NULL: refused */
} names[] = {
	{ "nothing", "", 0, NULL },
	{ "the root", "", 1, "" },
	{ "a host", "\2mx\1a\7example", 14, "mx.a.example" },
	{ "capitals", "\2MX\1A\7EXAMPLE", 14, "mx.a.example" },
	{ "no end", "\2mx\1a\7example", 13, NULL },
	{ "a label beyond the end", "\77mx", 3, NULL },
	{ "octets behind the end", "\2mx\0x", 5, NULL },
	{ "a pointer", "\300\0", 2, NULL },
	{ "a pointer after a label", "\2mx\300\0", 5, NULL },
	{ "NUL in a label", "\3m\0x\0", 5, NULL },
	{ "a dot in a label", "\3m.x\0", 5, NULL },
	{ "a blank in a label", "\3m x\0", 5, NULL },
	{ "a line end in a label", "\3m\nx\0", 5, NULL },
	{ "a service", "\3_25\4_tcp\2mx", 13, "_25._tcp.mx" },
};

static void names_are_read_strictly(void **state)
{
	char out[DNS_NAME];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct name_row *r = &names[i];
		unsigned char *p = exactly(r->wire, r->n);
		int rc = dns_read_name(out, view_make(p, r->n));

		if ((rc == 0) != (r->wanted != NULL) || (rc == 0 &&
		    strcmp(out, r->wanted) != 0))
			fail_msg("%s: %d %s", r->what, rc, out);
		free(p);
	}
}

static void names_end_at_what_the_dns_has(void **state)
{
	unsigned char wire[400];
	char out[DNS_NAME];
	size_t n = 0;

	(void)state;
	/* three labels of 63, one of 61: 253 octets of text */
	for (int i = 0; i < 4; i++) {
		wire[n] = i < 3 ? 63 : 61;
		memset(wire + n + 1, 'a', wire[n]);
		n += 1u + wire[n];
	}
	wire[n++] = 0;
	assert_int_equal(dns_read_name(out, view_make(wire, n)), 0);
	assert_int_equal(strlen(out), 253);
	wire[n - 1] = 1;
	wire[n++] = 'b';
	wire[n++] = 0;
	assert_int_equal(dns_read_name(out, view_make(wire, n)), -1);
	wire[0] = 64;
	assert_int_equal(dns_read_name(out, view_make(wire, n)), -1);
}

/* attack T48: an MX record whose name ends beyond the record
 * verdict: it is left out */
static void T48_mx_records_are_not_read_beyond_their_end(void **state)
{
	static const char rdata[] = "\0\12\2mx\7example";
	struct dns_mx mx;

	(void)state;
	for (size_t n = 0; n <= sizeof(rdata); n++) {
		unsigned char *p = exactly(rdata, n > 14 ? 14 : n);
		int rc = dns_read_mx(&mx, view_make(p, n > 14 ? 14 : n));

		assert_int_equal(rc, n < 14 ? -1 : 0);
		free(p);
	}
	assert_int_equal(mx.preference, 10);
	assert_string_equal(mx.name, "mx.example");
	assert_int_equal(dns_read_mx(&mx, view_make("\0\0\0", 3)), 0);
	assert_string_equal(mx.name, "");
}

static void strings_of_txt_are_joined(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(dns_read_txt(&b, view_make("\1a\0\2bc", 6)), 0);
	assert_string_equal(buf_str(&b), "abc");
	buf_clear(&b);
	assert_int_equal(dns_read_txt(&b, view_make("\4abc", 4)), -1);
	assert_int_equal(dns_read_txt(&b, view_make("", 0)), -1);
	buf_free(&b);
}

static void addresses_have_four_or_sixteen_octets(void **state)
{
	static const unsigned char octets[17] = { 192, 0, 2, 1 };
	struct sockaddr_storage sa;
	unsigned len;

	(void)state;
	for (size_t n = 0; n <= sizeof(octets); n++) {
		int rc = dns_read_address(&sa, &len, view_make(octets, n),
		    25);

		assert_int_equal(rc, n == 4 || n == 16 ? 0 : -1);
	}
}

static void an_answer_keeps_what_it_can(void **state)
{
	struct dns_answer a;

	(void)state;
	dns_answer_init(&a, "example.com", DNS_SECURE);
	for (size_t i = 0; i < DNS_RECORDS; i++)
		dns_answer_add(&a, &i, sizeof(i));
	assert_false(a.has_more);
	assert_int_equal(a.n, DNS_RECORDS);
	dns_answer_add(&a, "x", 1);
	assert_true(a.has_more);
	for (size_t i = 0; i < a.n; i++)
		assert_memory_equal(a.rdata[i].p, &i, sizeof(i));
	dns_answer_free(&a);
}

/* Nothing would be secure without an anchor, so nothing is answered. */
static void T46_without_an_anchor_there_is_no_answer(void **state)
{
	struct dns_resolver *r = NULL;
	struct dns_answer a;
	struct dns dns;

	(void)state;
	assert_int_equal(dns_resolver_new(&r, "/nonexistent/anchor", NULL,
	    NULL), 0);
	dns = dns_resolver_use(r);
	dns.ask(dns.arg, "example.com", DNS_MX, clock_ms() + 60000, &a);
	assert_int_equal(a.state, DNS_FAILED);
	assert_non_null(strstr(a.why, "/nonexistent/anchor"));
	dns_answer_free(&a);
	dns_resolver_free(&r);
}

/* attack T46: a resolver that takes questions and never answers
 * verdict: no answer, in our time; nothing is left behind */
static void T46_a_resolver_that_never_answers(void **state)
{
	static const char anchor[] = ". 300 IN DS 20326 8 2 E06D44B80B8F1D39"
	    "A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n";
	struct sockaddr_in sa = { .sin_family = AF_INET };
	char path[] = "/tmp/postseal-anchor-XXXXXX", forward[40];
	int fd = mkstemp(path), udp = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t n = sizeof(sa);
	struct dns_resolver *r = NULL;
	struct dns_answer a;
	struct dns dns;

	(void)state;
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(io_write_all(fd, anchor, sizeof(anchor) - 1, NULL),
	    0);
	assert_int_equal(bind(udp, (struct sockaddr *)&sa, n), 0);
	assert_int_equal(getsockname(udp, (struct sockaddr *)&sa, &n), 0);
	(void)snprintf(forward, sizeof(forward), "127.0.0.1@%d",
	    ntohs(sa.sin_port));
	assert_int_equal(dns_resolver_new(&r, path, forward, NULL), 0);
	dns = dns_resolver_use(r);
	for (int i = 0; i < 3; i++) {
		dns.ask(dns.arg, "example.com", DNS_MX, clock_ms() + 50,
		    &a);
		assert_int_equal(a.state, DNS_FAILED);
		assert_string_equal(a.why, "no answer in time");
		assert_int_equal(a.n, 0);
		dns_answer_free(&a);
	}
	dns_resolver_free(&r);
	(void)close(udp);
	(void)close(fd);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T46_short_tlsa_records_are_none),
		cmocka_unit_test(names_are_read_strictly),
		cmocka_unit_test(names_end_at_what_the_dns_has),
		cmocka_unit_test(
		    T48_mx_records_are_not_read_beyond_their_end),
		cmocka_unit_test(strings_of_txt_are_joined),
		cmocka_unit_test(addresses_have_four_or_sixteen_octets),
		cmocka_unit_test(an_answer_keeps_what_it_can),
		cmocka_unit_test(T46_without_an_anchor_there_is_no_answer),
		cmocka_unit_test(T46_a_resolver_that_never_answers),
	};

	return cmocka_run_group_tests_name("fetch_dns", tests, NULL, NULL);
}
