/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * SMIMEA without a network: names, records, and what has no answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fetch/find_int.h"
#include "fetch/smimea.h"
#include "tests/unit/testca.h"

static struct testca ca;
static struct testca_id bob;

static struct addr address(const char *text)
{
	struct addr a;
	struct err e = {0};

	if (addr_parse(&a, view_of(text), &e) != 0)
		fail_msg("%s: %s", text, e.msg);
	return a;
}

static void S181_names_are_those_of_the_rfc(void **state)
{
	static const struct {
		const char *who, *wanted;
	} row[] = {
		/* RFC 8162 3 */
		{"hugh@example.com", "c93f1e400f26708f98cb19d936620da35eec8f7"
		    "2e57f9eec01c1afd6._smimecert.example.com"},
		{"hugh@Example.COM", "c93f1e400f26708f98cb19d936620da35eec8f7"
		    "2e57f9eec01c1afd6._smimecert.example.com"},
		/* no mapping of the local part */
		{"Hugh@example.com", "7063a398942ba5c6125429518d0608563f3974b"
		    "b48013ddf58fb01d4._smimecert.example.com"},
		/* UTF-8 as it is; the domain in A-labels */
		{"\xc3\xa4@M\xc3\xbcller.example", "33e6d73fee82904c8d7afb78"
		    "de1154d1e8dc2a0edb08120e63df5b93._smimecert."
		    "xn--mller-kva.example"},
	};
	char name[SMIMEA_NAME];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct addr a = address(row[i].who);

		assert_int_equal(smimea_name(name, &a, NULL), 0);
		assert_string_equal(name, row[i].wanted);
	}
}

static void S181_a_name_that_cannot_be_is_said(void **state)
{
	char name[SMIMEA_NAME];
	struct err e = {0};
	struct addr a = {.local_n = 1, .text = "a@"};
	size_t at = 2;

	(void)state;
	/* 57 octets before "_smimecert.", 253 in all: 185 for the domain */
	for (; at < 2 + 185; at++)
		a.text[at] = at % 50 == 0 ? '.' : 'd';
	assert_int_equal(smimea_name(name, &a, &e), 0);
	assert_int_equal(strlen(name), 253);
	a.text[at] = 'd';
	assert_int_equal(smimea_name(name, &a, &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
	assert_string_equal(name, "");
}

/* Usage, selector, matching type, and the certificate or less of it. */
static struct found_certs take(int usage, int selector, int matching,
    struct view rest, bool trust)
{
	struct found_certs f;
	struct buf b;

	found_certs_init(&f);
	buf_init(&b, 70000);
	buf_putc(&b, usage);
	buf_putc(&b, selector);
	buf_putc(&b, matching);
	buf_putv(&b, rest);
	smimea_take(&f, buf_view(&b), trust);
	buf_free(&b);
	return f;
}

static void S184_only_full_certificates_can_be_encrypted_to(void **state)
{
	const struct view der = cert_der(bob.cert);
	struct view hash = view_make(cert_sha256(bob.cert), 32);

	(void)state;
	for (int usage = 0; usage <= 4; usage++)
		for (int selector = 0; selector <= 2; selector++)
			for (int matching = 0; matching <= 3; matching++) {
				bool full = usage <= 3 && selector == 0 &&
				    matching == 0;
				struct found_certs f = take(usage, selector,
				    matching, matching == 0 ? der : hash,
				    false);

				if (f.n != full || (f.warning[0] == '\0') !=
				    full)
					fail_msg("%d %d %d: %zu, %s", usage,
					    selector, matching, f.n,
					    f.warning);
				if (!full && usage <= 3 && selector <= 1 &&
				    matching <= 2)
					assert_non_null(strstr(f.warning,
					    "hash or key only"));
				if (full)
					assert_true(view_eq(der,
					    buf_view(&f.der[0])));
				found_certs_free(&f);
			}
}

static void S184_DNSSEC_vouches_for_usage_3_alone(void **state)
{
	(void)state;
	for (int usage = 0; usage <= 3; usage++)
		for (int trust = 0; trust <= 1; trust++) {
			struct found_certs f = take(usage, 0, 0,
			    cert_der(bob.cert), trust == 1);

			assert_int_equal(f.n, 1);
			assert_int_equal(f.is_vouched[0],
			    usage == 3 && trust == 1);
			found_certs_free(&f);
		}
}

static void records_that_hold_nothing_are_left_out(void **state)
{
	static const unsigned char octets[] = {3, 0, 0, 0x30, 0x03, 1, 1, 1};
	struct found_certs f;

	(void)state;
	for (size_t n = 0; n <= sizeof(octets); n++) {
		found_certs_init(&f);
		smimea_take(&f, view_make(octets, n), true);
		assert_int_equal(f.n, 0);
		assert_non_null(strstr(f.warning, n < 4 ? "too short"
		    : "holds no certificate"));
		found_certs_free(&f);
	}
}

/* Without an anchor everything would be insecure, and so: nothing found. */
static void S182_without_an_anchor_there_is_no_answer(void **state)
{
	char none[] = "/nonexistent/anchor", all[] = "any", *every[] = {all};
	struct directory d = {.source = FIND_SMIMEA, .domain = every,
	    .domains = 1, .anchor_file = none, .timeout_ms = 60000,
	    .defers = true};
	struct addr a = address("bob@example.org");
	struct finder *f = NULL;
	struct found_certs out;
	struct err e = {0};

	(void)state;
	found_certs_init(&out);
	assert_int_equal(finder_new(&f, &d, 1, &e), 0);
	for (int i = 0; i < 2; i++) {
		err_clear(&e);
		assert_int_equal(finder_find(f, &a, 60000, &out, &e), -1);
		assert_int_equal(e.kind, FAIL_TEMP);
		assert_non_null(strstr(e.msg, none));
	}
	finder_free(&f);
	found_certs_free(&out);
}

/* attack A56: a file of keys that has none, as a full disk leaves it; the
 * library takes it, and nothing would be secured any more
 * verdict: no answer, so that mail is deferred and nothing goes in clear */
static void S182_A56_an_anchor_file_without_a_key(void **state)
{
	static const char *const text[] = {"", "\n", "; DS in a comment\n",
	    ". 86400 IN NS DSx.\n", "$TTL 1\n;. IN DNSKEY\n"};
	char path[] = "/tmp/fetch-smimea-XXXXXX", all[] = "any";
	char *every[] = {all};
	struct directory d = {.source = FIND_SMIMEA, .domain = every,
	    .domains = 1, .anchor_file = path, .timeout_ms = 60000};
	struct addr a = address("bob@example.org");
	int fd = mkstemp(path);

	(void)state;
	assert_int_not_equal(fd, -1);
	d.defers = true;
	for (size_t i = 0; i < ARRAY_LEN(text); i++) {
		struct finder *f = NULL;
		struct found_certs out;
		struct err e = {0};

		found_certs_init(&out);
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, text[i], strlen(text[i]), 0),
		    strlen(text[i]));
		assert_int_equal(finder_new(&f, &d, 1, &e), 0);
		assert_int_equal(finder_find(f, &a, 60000, &out, &e), -1);
		assert_int_equal(e.kind, FAIL_TEMP);
		if (strstr(e.msg, "no key is in it") == NULL)
			fail_msg("row %zu: %s", i, e.msg);
		finder_free(&f);
		found_certs_free(&out);
	}
	close(fd);
	unlink(path);
}

static int setup(void **state)
{
	struct testca_leaf l = {.key = "ec:P-256", .mail = "bob@example.org"};

	(void)state;
	testca_init(&ca);
	testca_issue(&ca, &l, &bob);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	testca_id_free(&bob);
	testca_free(&ca);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S181_names_are_those_of_the_rfc),
		cmocka_unit_test(S181_a_name_that_cannot_be_is_said),
		cmocka_unit_test(
		    S184_only_full_certificates_can_be_encrypted_to),
		cmocka_unit_test(S184_DNSSEC_vouches_for_usage_3_alone),
		cmocka_unit_test(records_that_hold_nothing_are_left_out),
		cmocka_unit_test(S182_without_an_anchor_there_is_no_answer),
		cmocka_unit_test(S182_A56_an_anchor_file_without_a_key),
	};

	return cmocka_run_group_tests_name("fetch_smimea", tests, setup,
	    teardown);
}
