/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Collecting a transaction: the spool holds what the MTA said, octet for
 * octet, and nothing survives a reset.
 */
#include "milter/txn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect(const struct txn *t, const char *want)
{
	char got[4096];
	size_t n;

	assert_int_equal(spool_read(t->msg, 0, got, sizeof(got) - 1, &n,
	    NULL), 0);
	got[n] = '\0';
	assert_string_equal(got, want);
}

static void begin(struct txn *t, uint64_t max)
{
	char from[] = "<alice@a.example>";
	char *argv[] = { from, NULL };

	txn_begin(t, argv, max);
	assert_int_equal(t->fault, TXN_OK);
}

static void M3_header_octets_are_kept(void **state)
{
	struct txn t = { 0 };

	(void)state;
	begin(&t, 100000);
	txn_put_header(&t, "Subject", "x", true);
	txn_put_header(&t, "Subject", "  x", true);
	txn_put_header(&t, "Subject", " ", true);
	txn_put_header(&t, "Subject", "", true);
	txn_end_header(&t);
	expect(&t, "Subject:x\r\nSubject:  x\r\nSubject: \r\nSubject:\r\n"
	    "\r\n");
	txn_reset(&t);
}

static void M3_without_the_option_one_blank_was_eaten(void **state)
{
	struct txn t = { 0 };

	(void)state;
	begin(&t, 100000);
	txn_put_header(&t, "Subject", "x", false);
	txn_put_header(&t, "Subject", " x", false);
	expect(&t, "Subject: x\r\nSubject:  x\r\n");
	txn_reset(&t);
}

static void M4_folds_become_crlf_once(void **state)
{
	struct txn t = { 0 };

	(void)state;
	begin(&t, 100000);
	txn_put_header(&t, "A", " 1\n\t2\n 3", true);
	txn_put_header(&t, "B", " 1\r\n 2", true);
	txn_put_header(&t, "C", " a\rb", true); /* a bare CR is not ours */
	expect(&t, "A: 1\r\n\t2\r\n 3\r\nB: 1\r\n 2\r\nC: a\rb\r\n");
	txn_reset(&t);
}

static void M38_end_of_header_only_once(void **state)
{
	struct txn t = { 0 };

	(void)state;
	begin(&t, 100000);
	txn_put_header(&t, "A", " 1", true);
	txn_end_header(&t);
	txn_end_header(&t);
	expect(&t, "A: 1\r\n\r\n");
	txn_reset(&t);
}

static void body_with_any_octets(void **state)
{
	static const char body[] = "a\0b\r\n\xff\r\n.\r\n";
	struct txn t = { 0 };
	char got[64];
	size_t n;

	(void)state;
	begin(&t, 100000);
	txn_end_header(&t);
	txn_put_body(&t, body, sizeof(body) - 1);
	assert_int_equal(spool_read(t.msg, 2, got, sizeof(got), &n, NULL), 0);
	assert_int_equal(n, sizeof(body) - 1);
	assert_memory_equal(got, body, n);
	txn_reset(&t);
}

/* Too much is not kept, and its size says that it was too much. */
static void M10_message_above_the_limit_is_cut_above_it(void **state)
{
	char *chunk = calloc(1, 65536);
	struct txn t = { 0 };
	size_t i;

	(void)state;
	assert_non_null(chunk);
	begin(&t, 1000);
	txn_put_body(&t, chunk, 65536);
	assert_false(t.is_cut);
	for (i = 0; i < 32; i++)
		txn_put_body(&t, chunk, 65536);
	assert_int_equal(t.fault, TXN_OK);
	assert_true(spool_size(t.msg) > 1000);
	assert_true(t.is_cut);
	assert_true(spool_size(t.msg) <= 1000 + CAP_HEADER_SECTION + 1);
	txn_reset(&t);
	free(chunk);
}

static void recipients_at_the_cap(void **state)
{
	struct txn t = { 0 };
	size_t i;

	(void)state;
	begin(&t, 1000);
	for (i = 0; i < CAP_RECIPIENTS; i++)
		txn_add_rcpt(&t, "<x@y.example>");
	assert_int_equal(t.fault, TXN_OK);
	assert_int_equal(t.rcpts, CAP_RECIPIENTS);
	txn_add_rcpt(&t, "<x@y.example>");
	assert_int_equal(t.fault, TXN_RECIPIENTS);
	assert_int_equal(t.rcpts, CAP_RECIPIENTS);
	txn_reset(&t);
}

static void M19_absent_or_empty_login_is_none(void **state)
{
	struct envelope env;
	struct txn t = { 0 };

	(void)state;
	begin(&t, 1000);
	txn_set_login(&t, NULL);
	txn_set_login(&t, "");
	txn_set_queue_id(&t, NULL);
	txn_add_rcpt(&t, "<bob@b.example>");
	txn_envelope(&t, "id", NULL, &env);
	assert_int_equal(env.auth, ENV_AUTH_NONE);
	assert_null(env.login);
	assert_null(env.queue_id);
	assert_null(env.client_ip);
	txn_reset(&t);
}

/* What MAIL said is not changed by what comes later. */
static void A35_first_login_counts(void **state)
{
	struct envelope env;
	struct txn t = { 0 };

	(void)state;
	begin(&t, 1000);
	txn_set_login(&t, "bob");
	txn_set_login(&t, "alice");
	txn_envelope(&t, "id", "192.0.2.1", &env);
	assert_int_equal(env.auth, ENV_AUTH_LOGIN);
	assert_string_equal(env.login, "bob");
	assert_string_equal(env.client_ip, "192.0.2.1");
	txn_reset(&t);
}

static void M1_nothing_survives_a_reset_or_a_new_mail(void **state)
{
	char from[] = "<carol@c.example>", envid[] = "envid=QQ314159";
	char *argv[] = { from, envid, NULL };
	struct envelope env;
	struct txn t = { 0 };

	(void)state;
	begin(&t, 1000);
	txn_set_login(&t, "alice");
	txn_set_queue_id(&t, "4F2");
	txn_add_rcpt(&t, "<bob@b.example>");
	txn_put_header(&t, "A", " 1", true);
	txn_end_header(&t);
	txn_begin(&t, argv, 1000); /* without an abort between */
	txn_envelope(&t, "id", NULL, &env);
	assert_string_equal(env.mail_from, "<carol@c.example>");
	assert_string_equal(t.envid, "envid=QQ314159");
	assert_null(env.login);
	assert_null(env.queue_id);
	assert_int_equal(env.rcpts, 0);
	assert_false(t.has_end_of_header);
	expect(&t, "");
	txn_reset(&t);
	assert_false(t.is_live);
	assert_null(t.msg);
	txn_reset(&t); /* twice */
	txn_put_body(&t, "x", 1); /* outside a transaction: nothing */
	txn_end_header(&t);
	assert_null(t.msg);
}

/* As they came, for whoever sends a copy on. */
static void M22_S49_parameters_are_kept_as_they_came(void **state)
{
	char from[] = "<a@c.example>", ret[] = "ret=HDRS", utf8[] = "smtputf8",
	    tls[] = "REQUIRETLS", envid[] = "ENVID=x", again[] = "ENVID=y",
	    other[] = "RETURN=FULL", size[] = "SIZE=100";
	char *mail[] = { from, size, other, ret, utf8, envid, again, tls,
		NULL };
	char notify[] = "NOTIFY=Success", orcpt[] = "ORCPT=rfc822;Bob@X";
	char *rcpt[] = { orcpt, size, notify, NULL }, *none[] = { NULL };
	struct txn t = { 0 };

	(void)state;
	txn_begin(&t, mail, 1000);
	assert_string_equal(t.ret, "ret=HDRS");
	assert_string_equal(t.envid, "ENVID=x");
	assert_true(t.utf8 && t.require_tls);
	txn_add_params(&t, rcpt); /* of nobody */
	txn_add_rcpt(&t, "<bob@x.example>");
	txn_add_params(&t, rcpt);
	txn_add_rcpt(&t, "<carol@x.example>");
	txn_add_params(&t, none);
	txn_add_rcpt(&t, "<dave@x.example>");
	assert_string_equal(t.param[0].notify, "NOTIFY=Success");
	assert_string_equal(t.param[0].orcpt, "ORCPT=rfc822;Bob@X");
	assert_true(t.param[1].notify == NULL && t.param[1].orcpt == NULL);
	assert_true(t.param[2].notify == NULL);
	txn_begin(&t, mail + 8, 1000);
	assert_null(t.ret);
	assert_false(t.utf8 || t.require_tls);
	txn_reset(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(M3_header_octets_are_kept),
		cmocka_unit_test(M3_without_the_option_one_blank_was_eaten),
		cmocka_unit_test(M4_folds_become_crlf_once),
		cmocka_unit_test(M38_end_of_header_only_once),
		cmocka_unit_test(body_with_any_octets),
		cmocka_unit_test(M10_message_above_the_limit_is_cut_above_it),
		cmocka_unit_test(recipients_at_the_cap),
		cmocka_unit_test(M19_absent_or_empty_login_is_none),
		cmocka_unit_test(A35_first_login_counts),
		cmocka_unit_test(M1_nothing_survives_a_reset_or_a_new_mail),
		cmocka_unit_test(M22_S49_parameters_are_kept_as_they_came),
	};

	return cmocka_run_group_tests_name("milter_txn", tests, NULL, NULL);
}
