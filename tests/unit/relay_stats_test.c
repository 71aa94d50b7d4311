/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Counters: what is counted is printed, and memory that all workers share
 * leads nobody astray.
 */
#include "relay/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void count_all(struct relay_stats *s, const char *partner)
{
	const struct tls_want w = { .level = TLS_DANE, .asked = TLS_DANE };
	struct tls_got g = { .is_tls = true, .level = TLS_DANE };

	text_set(g.result, sizeof(g.result), "successful");
	relay_stats_add(s, COUNT_ORPHANS);
	relay_stats_hop(s, partner, &w, &g);
	relay_stats_cert(s, "mx", 1800000000);
}

static void print(const struct relay_stats *s, struct buf *b)
{
	buf_init(b, 16u << 20);
	relay_stats_print(s, b);
	assert_false(b->failed);
}

static void what_is_counted_is_printed(void **state)
{
	struct relay_stats *s;
	struct buf b;
	struct err e;

	(void)state;
	assert_int_equal(relay_stats_new(&s, &e), 0);
	count_all(s, "b.example");
	count_all(s, "b.example");
	print(s, &b);
	assert_non_null(strstr(buf_str(&b), "hop_tls_total{partner="
	    "\"b.example\",asked=\"dane\",got=\"dane\",result="
	    "\"successful\"} 2\n"));
	assert_non_null(strstr(buf_str(&b), "orphans_total 2\n"));
	assert_non_null(strstr(buf_str(&b), "{pki=\"mx\"} 1800000000\n"));
	buf_free(&b);
}

/* Names come and go with reloads; there is room for 64 at a time. */
static void a_certificate_that_is_gone_is_forgotten(void **state)
{
	struct relay_stats *s;
	char name[20];
	struct buf b;
	struct err e;
	int i;

	(void)state;
	assert_int_equal(relay_stats_new(&s, &e), 0);
	relay_stats_cert(s, "never", 0);
	for (i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "pki%d", i);
		relay_stats_cert(s, name, 1800000000 + i);
		if (i < 199)
			relay_stats_cert(s, name, 0);
		relay_stats_cert(s, "mx", 1700000000 + i);
	}
	print(s, &b);
	assert_non_null(strstr(buf_str(&b), "{pki=\"mx\"} 1700000199\n"));
	assert_non_null(strstr(buf_str(&b), "{pki=\"pki199\"} "
	    "1800000199\n"));
	assert_null(strstr(buf_str(&b), "{pki=\"pki198\"}"));
	assert_null(strstr(buf_str(&b), "never"));
	buf_free(&b);
}

/* Octets of the mapping that begins at p. */
static size_t mapped(const void *p)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from, to, at = (unsigned long)p;
	char line[500];
	size_t n = 0;

	assert_non_null(f);
	while (n == 0 && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && from <= at &&
		    at < to)
			n = to - at;
	fclose(f);
	return n;
}

/* attack A73: a worker that was taken over writes into the counters that all
 * share: how many there are, names without an end, a lock that is never free
 * verdict: the numbers are wrong; nobody waits for it, reads or writes
 * elsewhere
 */
static void A73_false_numbers_lead_nobody_astray(void **state)
{
	static const int octet[] = { 0x41, 0xff, 0x7f };
	struct relay_stats *s;
	struct buf b;
	struct err e;
	size_t i;

	(void)state;
	assert_int_equal(relay_stats_new(&s, &e), 0);
	for (i = 0; i < ARRAY_LEN(octet); i++) {
		memset((void *)s, octet[i], mapped(s));
		count_all(s, "b.example");
		count_all(s, "c.example");
		print(s, &b);
		assert_non_null(strstr(buf_str(&b), "orphans_total"));
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_counted_is_printed),
		cmocka_unit_test(a_certificate_that_is_gone_is_forgotten),
		cmocka_unit_test(A73_false_numbers_lead_nobody_astray),
	};

	return cmocka_run_group_tests_name("relay_stats", tests, NULL, NULL);
}
