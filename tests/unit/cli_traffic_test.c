/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of cli/traffic.c and cli/tally.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/traffic.h"

static void count(struct traffic *t, const char *id, const char *json)
{
	struct err e = {0};

	assert_int_equal(traffic_count(t, id, view_of(json), &e), 0);
}

static const struct tally_row *row_of(const struct tally *t, const char *key)
{
	for (size_t i = 0; i < t->rows; i++)
		if (strcmp(t->row[i].key, key) == 0)
			return &t->row[i];
	fail_msg("no row %s", key);
	return NULL;
}

static void what_is_no_verdict_is_counted_apart(void **state)
{
	static const char *const bad[] = {"", "{", "[]", "1", "{}",
		"{\"action\":1}", "{\"action\":null}", "\"action\"",
		"{\"action\":[\"rejected\"]}"};
	struct traffic t = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		count(&t, "x", bad[i]);
	assert_int_equal(t.messages, ARRAY_LEN(bad));
	assert_int_equal(t.unreadable, ARRAY_LEN(bad));
	assert_int_equal(t.flow.rows, 0);
	traffic_free(&t);
}

/* Members of wrong kinds, or missing: nothing but the count. */
static void odd_members_do_no_harm(void **state)
{
	struct traffic t = {0};

	(void)state;
	count(&t, "a", "{\"action\":\"rejected\"}");
	count(&t, "b", "{\"action\":\"rejected\",\"direction\":7,\"reply\":"
	    "[],\"recipients\":{\"x\":1},\"signature\":null}");
	count(&t, "c", "{\"action\":\"unchanged\",\"observed\":true,"
	    "\"would\":null,\"recipients\":[null,1,{}]}");
	assert_int_equal(t.unreadable, 0);
	assert_int_equal(t.messages, 3);
	assert_int_equal(t.observed, 1);
	assert_int_equal(row_of(&t.flow, "unknown rejected")->n[0], 2);
	traffic_free(&t);
}

#define RCPT(address, outcome, certs, reason)                              \
	"{\"address\":\"" address "\",\"wanted\":[\"sign\",\"encrypt or "  \
	"plain\"],\"outcome\":\"" outcome "\",\"certificates\":[" certs    \
	"],\"reason\":" reason "}"
#define CERT "{\"sha256\":\"00\"}"

static void outgoing_mail_is_counted_by_domain_partner_and_user(void **state)
{
	struct traffic t = {0};
	const struct tally_row *r;

	(void)state;
	count(&t, "m1", "{\"action\":\"replaced\",\"direction\":\"outbound\","
	    "\"class\":\"normal\",\"sender\":\"Alice@example.com\","
	    "\"login\":null,\"recipients\":["
	    RCPT("bob@A.example", "sealed", CERT, "null") ","
	    RCPT("Carol@a.example", "signed", "", "null") "]}");
	count(&t, "m2", "{\"action\":\"rejected\",\"direction\":\"outbound\","
	    "\"class\":\"normal\",\"sender\":\"alice@example.com\","
	    "\"reply\":{\"code\":550,\"text\":\"Not sent (id m2)\"},"
	    "\"recipients\":["
	    RCPT("carol@a.example", "refused", "", "\"no certificate\"") ","
	    RCPT("bob@a.example", "refused", CERT, "null") "]}");
	count(&t, "m3", "{\"action\":\"replaced\",\"direction\":\"inbound\","
	    "\"recipients\":[" RCPT("alice@example.com", "opened", CERT,
	    "null") "]}");
	traffic_sort(&t);
	r = row_of(&t.domain, "a.example");
	assert_int_equal(r->n[COLUMN_ALL], 4);
	assert_int_equal(r->n[COLUMN_SEALED], 1);
	assert_int_equal(r->n[COLUMN_CLEAR], 1);
	assert_int_equal(r->n[COLUMN_REFUSED], 2);
	assert_int_equal(r->n[COLUMN_LACKING], 2);
	assert_int_equal(t.domain.rows, 1);
	assert_int_equal(t.partner.rows, 1);
	r = row_of(&t.partner, "carol@a.example");
	assert_int_equal(r->n[COLUMN_ALL], 2);
	assert_string_equal(r->example[0], "m1");
	assert_string_equal(r->example[1], "m2");
	assert_string_equal(r->example[2], "");
	r = row_of(&t.user, "alice@example.com");
	assert_int_equal(t.user.rows, 1);
	assert_int_equal(r->n[COLUMN_ALL], 2);
	assert_int_equal(r->n[COLUMN_SEALED], 1);
	assert_int_equal(r->n[COLUMN_REFUSED], 1);
	r = row_of(&t.reason, "550 no certificate");
	assert_int_equal(r->n[0], 1);
	assert_string_equal(r->example[0], "m2");
	assert_int_equal(t.fate[FATE_OPENED], 1);
	traffic_free(&t);
}

/* It is protected on its way, and neither sealed nor in clear. */
static void what_needs_tls_is_counted_apart(void **state)
{
	struct traffic t = {0};
	const struct tally_row *r;

	(void)state;
	count(&t, "m1", "{\"action\":\"replaced\",\"direction\":\"outbound\","
	    "\"class\":\"normal\",\"sender\":\"alice@example.com\","
	    "\"recipients\":["
	    RCPT("bob@a.example", "tls-required", "", "null") ","
	    RCPT("carol@a.example", "plain", "", "null") "]}");
	assert_int_equal(t.fate[FATE_TLS], 1);
	assert_int_equal(t.fate[FATE_PLAIN], 1);
	r = row_of(&t.domain, "a.example");
	assert_int_equal(r->n[COLUMN_ALL], 2);
	assert_int_equal(r->n[COLUMN_TLS], 1);
	assert_int_equal(r->n[COLUMN_CLEAR], 1);
	assert_int_equal(r->n[COLUMN_LACKING], 2);
	r = row_of(&t.partner, "bob@a.example");
	assert_int_equal(r->n[COLUMN_TLS], 1);
	assert_int_equal(r->n[COLUMN_CLEAR], 0);
	r = row_of(&t.user, "alice@example.com");
	assert_int_equal(r->n[COLUMN_TLS], 1);
	assert_int_equal(r->n[COLUMN_CLEAR], 1);
	traffic_free(&t);
}

static void what_was_observed_counts_as_what_would_have_been(void **state)
{
	struct traffic t = {0};
	const struct tally_row *r;

	(void)state;
	count(&t, "m1", "{\"action\":\"unchanged\",\"observed\":true,"
	    "\"would\":{\"action\":\"rejected\",\"code\":550,\"text\":"
	    "\"No way (id m1)\"},\"direction\":\"outbound\","
	    "\"recipients\":[]}");
	count(&t, "m2", "{\"action\":\"rejected\",\"observed\":false,"
	    "\"would\":null,\"reply\":{\"code\":550,\"text\":\"No way (id "
	    "m2)\"},\"direction\":\"outbound\",\"recipients\":[]}");
	r = row_of(&t.reason, "550 No way");
	assert_int_equal(r->n[0], 2);
	assert_int_equal(r->n[1], 1);
	r = row_of(&t.flow, "outbound rejected");
	assert_int_equal(r->n[0], 2);
	assert_int_equal(r->n[1], 1);
	traffic_free(&t);
}

static void signatures_that_did_not_pass_say_why(void **state)
{
	struct traffic t = {0};

	(void)state;
#define SIG(result, step, reason) "{\"action\":\"replaced\",\"direction\":" \
	"\"inbound\",\"signature\":{\"result\":\"" result                   \
	"\",\"failed_step\":" step ",\"reason\":" reason "}}"
	count(&t, "a", SIG("pass", "null", "null"));
	count(&t, "b", SIG("none", "null", "null"));
	count(&t, "c", SIG("fail", "\"S70\"", "\"changed\""));
	count(&t, "d", SIG("fail", "\"S70\"", "\"changed\""));
	count(&t, "e", SIG("policy", "\"S72\"", "null"));
	traffic_sort(&t);
	assert_int_equal(t.signature.rows, 2);
	assert_string_equal(t.signature.row[0].key, "fail S70: changed");
	assert_int_equal(t.signature.row[0].n[0], 2);
	assert_string_equal(t.signature.row[1].key, "policy S72");
	traffic_free(&t);
}

/* Names come from mail: their number and length end somewhere. */
static void a_tally_is_bounded(void **state)
{
	struct tally t = {0};
	char key[TALLY_KEY + 50], *end;

	(void)state;
	for (size_t i = 0; i < TALLY_ROWS + 10; i++) {
		struct buf b;

		buf_init(&b, 40);
		buf_printf(&b, "user%zu@example.org", i);
		(void)tally_row(&t, buf_str(&b));
		buf_free(&b);
	}
	assert_true(t.rows <= TALLY_ROWS);
	assert_int_equal(t.rows + t.left_out, TALLY_ROWS + 10);
	assert_true(t.left_out >= 10 && t.left_out < 1000);
	assert_false(t.no_memory);
	assert_non_null(tally_row(&t, "user7@example.org"));
	tally_free(&t);
	memset(key, 'a', sizeof(key));
	end = key + sizeof(key) - 1;
	*end = '\0';
	assert_non_null(tally_row(&t, key));
	end[-1] = 'b'; /* beyond what is kept: the same name */
	assert_non_null(tally_row(&t, key));
	assert_int_equal(t.rows, 1);
	assert_int_equal(strlen(t.row[0].key), TALLY_KEY - 1);
	tally_free(&t);
}

static void examples_are_the_first_three_once_each(void **state)
{
	struct tally t = {0};
	struct tally_row *r = tally_row(&t, "k");

	(void)state;
	tally_example(r, "a");
	tally_example(r, "a");
	tally_example(r, "b");
	tally_example(r, "c");
	tally_example(r, "d");
	assert_string_equal(r->example[0], "a");
	assert_string_equal(r->example[1], "b");
	assert_string_equal(r->example[2], "c");
	tally_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_verdict_is_counted_apart),
		cmocka_unit_test(odd_members_do_no_harm),
		cmocka_unit_test(
		    outgoing_mail_is_counted_by_domain_partner_and_user),
		cmocka_unit_test(what_needs_tls_is_counted_apart),
		cmocka_unit_test(
		    what_was_observed_counts_as_what_would_have_been),
		cmocka_unit_test(signatures_that_did_not_pass_say_why),
		cmocka_unit_test(a_tally_is_bounded),
		cmocka_unit_test(examples_are_the_first_three_once_each),
	};

	return cmocka_run_group_tests_name("cli_traffic", tests, NULL, NULL);
}
