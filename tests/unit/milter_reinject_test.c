/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 * runner: waits
 *
 * Copies of a message that are sent on: what the next hop is told, and what
 * becomes of them when it refuses, dies or is slow.
 */
#include "milter_hop.h"

/* ---- in order ---- */

static void M23_A53_each_copy_goes_to_its_recipients_alone(void **state)
{
	(void)state;
	assert_int_equal(try(), 0);
	assert_int_equal(answer.action, ACT_SPLIT);
	assert_int_equal(answer.here, 2);
	assert_int_equal(count(&stats.reinjected), 2);
	assert_int_equal(hop.connections, 2);
	assert_string_equal(buf_str(&hop.data),
	    "Received: x\r\nSubject: one\r\n\r\nfirst copy\r\n"
	    "Received: x\r\nSubject: one\r\n\r\n..second\r\n");
	assert_int_equal(told("RCPT TO"), 3);
	assert_int_equal(told("bob@") + told("carol@"), 0);
}

/* What the sender asked of delivery reports, letter for letter; bounces of
 * what was decrypted come without content. */
static void S49_S47_M22_parameters_are_kept(void **state)
{
	(void)state;
	assert_int_equal(try(), 0);
	assert_int_equal(told("MAIL FROM:<alice@a.example> RET=HDRS "
	    "ENVID=QQ+31x\r\n"), 1);
	assert_int_equal(told("MAIL FROM:<alice@a.example> RET=FULL "
	    "ENVID=QQ+31x\r\n"), 1);
	assert_int_equal(told("RCPT TO:<Dave@D.example> NOTIFY=SUCCESS,DELAY "
	    "ORCPT=rfc822;Dave+2BX@Old.example\r\n"), 1);
	assert_int_equal(told("RCPT TO:<eve@e.example> notify=NEVER\r\n"), 1);
	assert_int_equal(told("RCPT TO:<frank@e.example>\r\n"), 1);
}

static void M28_M29_requiretls_and_smtputf8_where_needed(void **state)
{
	(void)state;
	begin("SMTPUTF8", "REQUIRETLS");
	add("<bob@b.example>", NULL, NULL);
	add("<d\xc3\xa4ve@d.example>", NULL, NULL);
	add("<carol@b.example>", NULL, NULL);
	add("<eve@e.example>", NULL, NULL);
	add("<frank@e.example>", NULL, NULL);
	assert_int_equal(try(), 0);
	assert_int_equal(told("MAIL FROM:<alice@a.example> SMTPUTF8 "
	    "REQUIRETLS RET=HDRS\r\n"), 1);
	assert_int_equal(told("MAIL FROM:<alice@a.example> REQUIRETLS\r\n"),
	    1);
	assert_int_equal(told("8BITMIME"), 0);
}

static void M28_requiretls_that_is_not_offered_is_final(void **state)
{
	(void)state;
	begin("REQUIRETLS", NULL);
	add("<bob@b.example>", NULL, NULL);
	add("<dave@d.example>", NULL, NULL);
	add("<carol@b.example>", NULL, NULL);
	add("<eve@e.example>", NULL, NULL);
	add("<frank@e.example>", NULL, NULL);
	hop.how[0] = BARE;
	assert_int_equal(try(), -1);
	expect(550, "5.7.30");
	assert_int_equal(told("MAIL"), 0);
}

/* Reports cannot be as asked for; the mail goes. */
static void S49_next_hop_without_dsn(void **state)
{
	(void)state;
	hop.how[0] = hop.how[1] = BARE;
	assert_int_equal(try(), 0);
	assert_int_equal(told("RET="), 0);
	assert_int_equal(hop_taken(), 2);
}

/* attack T56: where there is no tls-route, or another one
 * verdict: what must have a verified hop goes by it, or nowhere */
static void T56_a_copy_by_tls_takes_no_other_route(void **state)
{
	(void)state;
	/* the rest has a route, it has none */
	answer_split();
	answer.copy[0].copy.by_tls = true;
	assert_int_equal(go(), -1);
	expect(451, "4.3.0");
	assert_int_equal(hop.connections, 0);
	/* it has one, the rest has none: it went, and will not go again */
	answer_split();
	answer.copy[0].copy.by_tls = true;
	tls_spec = hop.spec;
	no_spec = true;
	assert_int_equal(go(), -1);
	expect(451, "4.3.0");
	assert_int_equal(hop.connections, 1);
	assert_int_equal(told("RCPT TO:<Dave@D.example>"), 1);
	assert_int_equal(told("eve@") + told("frank@"), 0);
	/* each has its own */
	answer_split();
	answer.copy[0].copy.by_tls = true;
	no_spec = false;
	assert_int_equal(go(), 0);
	assert_int_equal(hop.connections, 2);
	assert_int_equal(told("RCPT TO:<Dave@D.example>"), 1);
	tls_spec = NULL;
}

/* ---- what may not be sent ---- */

/* attack A47: a recipient with a line end or a blank, a parameter with one
 * verdict: 5xx; the next hop is not even called */
static void A47_commands_in_addresses(void **state)
{
	static const struct {
		const char *path, *notify;
		int code;
	} row[] = {
		{ "<x@y>\r\nDATA", NULL, 553 },
		{ "<\"a\r\nDATA\"@x.example>", NULL, 553 },
		{ "<a b@x.example>", NULL, 553 },
		{ "<a@x.example> ORCPT=x", NULL, 553 },
		{ "<a@x.example", NULL, 553 },
		{ "<a\x7f@x.example>", NULL, 553 },
		{ "<a@x.example>", "NOTIFY=NEVER\r\nRCPT TO:<z@z>", 501 },
		{ "<a@x.example>", "NOTIFY=a b", 501 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		begin(NULL, NULL);
		add("<bob@b.example>", NULL, NULL);
		add(row[i].path, row[i].notify, NULL);
		add("<carol@b.example>", NULL, NULL);
		add("<eve@e.example>", NULL, NULL);
		add("<frank@e.example>", NULL, NULL);
		assert_int_equal(try(), -1);
		if (answer.code != row[i].code)
			fail_msg("row %zu: %d", i, answer.code);
	}
	assert_int_equal(hop.connections, 0);
}

static void A47_path_without_brackets_gets_them(void **state)
{
	(void)state;
	begin(NULL, NULL);
	add("bob@b.example", NULL, NULL);
	add("dave@d.example", NULL, NULL);
	add("carol@b.example", NULL, NULL);
	add("eve@e.example", NULL, NULL);
	add("frank@e.example", NULL, NULL);
	assert_int_equal(try(), 0);
	assert_int_equal(told("RCPT TO:<dave@d.example>\r\n"), 1);
}

/* attack A45: a worker that was taken over hides a second message
 * verdict: that copy is not sent, 451 */
static void A45_bare_line_end_in_a_copy(void **state)
{
	(void)state;
	answer_split();
	spool_free(&answer.body);
	assert_int_equal(spool_new(&answer.body, 1000, NULL), 0);
	while (spool_size(answer.body) < answer.body_at)
		assert_int_equal(spool_write(answer.body, "\n.\n", 1, NULL),
		    0);
	assert_int_equal(go(), -1);
	expect(451, "4.3.0");
	assert_int_equal(hop_taken(), 0);
}

/* attack M10: a message beyond all limits, of which only the beginning was
 * kept, is to be sent on (incoming and too large: left as it is)
 * verdict: 552; the beginning is not the mail */
static void M10_beginning_of_a_message_is_not_sent(void **state)
{
	(void)state;
	txn.is_cut = true;
	assert_int_equal(try(), -1);
	expect(552, "5.3.4");
	assert_int_equal(hop.connections, 0);
}

/* ---- failures ---- */

static void M24_second_try_skips_who_has_it(void **state)
{
	(void)state;
	hop.how[1] = BUSY;
	assert_int_equal(try(), -1);
	expect(452, "4.3.1");
	assert_int_equal(hop_taken(), 1);
	store_stop(); /* as after a restart */
	store_start();
	assert_int_equal(try(), 0);
	assert_int_equal(hop_taken(), 2);
	assert_int_equal(count(&stats.journal_skipped), 1);
	assert_int_equal(told("RCPT TO:<Dave@D.example>"), 1);
	/* nobody knows that we answered: once more */
	assert_int_equal(try(), 0);
	assert_int_equal(hop_taken(), 2);
	assert_int_equal(count(&stats.duplicates_possible), 0);
}

/* Another grouping, because a rule or a certificate changed: who has it has
 * it. */
static void M24_other_groups_the_second_time(void **state)
{
	static const int group[5] = { 1, 2, 1, 2, 3 };

	(void)state;
	hop.how[1] = BUSY;
	assert_int_equal(try(), -1);
	answer_split();
	answer.copy[0].copy.group = 1;
	memcpy(answer.group, group, sizeof(group));
	assert_int_equal(go(), 0);
	/* Dave would be here now, but has his copy; eve stays */
	assert_int_equal(answer.group[1], 0);
	assert_int_equal(answer.group[3], 2);
	assert_int_equal(answer.here, 2);
	assert_int_equal(told("TO:<Dave"), 1);
	assert_int_equal(told("bob"), 1);
	assert_int_equal(told("frank"), 2); /* refused once */
}

static void M24_M10_final_only_while_nobody_has_anything(void **state)
{
	(void)state;
	hop.how[0] = REFUSES;
	assert_int_equal(try(), -1);
	expect(550, "5.1.1");
	assert_non_null(strstr(answer.text, "nobody of that name"));
	assert_int_equal(answer.action, ACT_REJECTED);
	hop.how[2] = REFUSES; /* Dave gets his, then eve is refused */
	assert_int_equal(try(), -1);
	expect(451, "4.3.0");
	assert_int_equal(answer.action, ACT_DEFERRED);
	/* and so it stays while the client tries */
	hop.how[3] = REFUSES;
	assert_int_equal(try(), -1);
	expect(451, "4.3.0");
	assert_int_equal(told("TO:<Dave"), 2);
}

/* attack M10: the next hop wants nothing of us: greeting, EHLO, no login
 * verdict: 451; it said nothing of the mail, and no sender gets it back */
static void M10_next_hop_that_turns_us_away(void **state)
{
	static const enum how how[] = { TURNS_AWAY, NO_HELLO, WANTS_AUTH };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(how); i++) {
		hop.how[i] = how[i];
		assert_int_equal(try(), -1);
		if (answer.code != 451 || answer.enhanced[0] != '4')
			fail_msg("row %zu: %d %s", i, answer.code,
			    answer.enhanced);
	}
	assert_int_equal(hop_taken(), 0);
	assert_int_equal(try(), 0);
	assert_int_equal(hop_taken(), 2);
}

/* attack M24: mail that nothing was done to went out by one door, and comes
 * in by another with the same envelope
 * verdict: it goes on; who got it from the first door has not got it yet */
static void M24_what_one_door_sent_another_may_receive(void **state)
{
	(void)state;
	door = DIR_OUTBOUND;
	assert_int_equal(try(), 0);
	door = DIR_INBOUND;
	assert_int_equal(try(), 0);
	assert_int_equal(hop_taken(), 4);
	assert_int_equal(count(&stats.journal_skipped), 0);
	/* and there, once */
	assert_int_equal(try(), 0);
	assert_int_equal(hop_taken(), 4);
}

static void take_body(const char *header, const char *body)
{
	txn_reset(&txn);
	five();
	txn_put_body(&txn, header, strlen(header));
	txn_put_body(&txn, "\r\n", 2);
	txn_put_body(&txn, body, strlen(body));
}

/* attack M24: a worker that was taken over calls its message by the name of
 * another one, so that that one be passed over when it comes
 * verdict: not where the body is another; the header is the worker's word,
 * because each server on the way may add to it */
static void M24_worker_that_lies_what_message_it_is(void **state)
{
	(void)state;
	take_body("Received: one\r\nSubject: x\r\n", "the attacker's\r\n");
	assert_int_equal(try(), 0);
	assert_int_equal(hop_taken(), 2);
	take_body("Received: one\r\nSubject: x\r\n", "another's\r\n");
	assert_int_equal(try(), 0);
	assert_int_equal(hop_taken(), 4);
	assert_int_equal(count(&stats.journal_skipped), 0);
	/* tried again, by another way */
	take_body("Received: two\r\nReceived: one\r\nSubject: x\r\n",
	    "another's\r\n");
	assert_int_equal(try(), 0);
	assert_int_equal(hop_taken(), 4);
}

static void M24_hop_that_dies_before_the_end_has_nothing(void **state)
{
	(void)state;
	hop.how[0] = DIES_BEFORE;
	assert_int_equal(try(), -1);
	expect(451, "4.3.0");
	store_stop(); /* until it is known that there is no answer */
	store_start();
	assert_int_equal(try(), 0);
	assert_int_equal(hop_taken(), 2);
}

/* RFC 1047: it has it and did not say so. The one case of two copies, and
 * it is counted. */
static void M24_hop_that_dies_with_the_message_is_counted(void **state)
{
	(void)state;
	hop.how[1] = DIES_ACCEPTED; /* eve and frank */
	assert_int_equal(try(), -1);
	expect(451, "4.3.0");
	assert_int_equal(count(&stats.duplicates_possible), 0);
	store_stop();
	store_start();
	assert_int_equal(try(), 0);
	assert_int_equal(hop_taken(), 3);
	assert_int_equal(count(&stats.duplicates_possible), 2);
	assert_int_equal(try(), 0);
	assert_int_equal(count(&stats.duplicates_possible), 2);
	assert_int_equal(hop_taken(), 3);
}

/* Time is up, the answer comes later: the store reads it. */
static void M13_M24_answer_after_the_deadline_counts(void **state)
{
	(void)state;
	deadline_ms = 3000; /* for all up to that answer */
	hop.how[0] = SLOW;
	assert_int_equal(try(), -1);
	atomic_store(&hop.may_answer, true);
	expect(451, "4.3.0");
	assert_true(atomic_load(&ticks) > 1);
	store_stop();
	store_start();
	deadline_ms = 20000;
	assert_int_equal(try(), 0);
	assert_int_equal(told("TO:<Dave"), 1);
	assert_int_equal(count(&stats.duplicates_possible), 0);
}

static int keep_socket(void *arg, int sock, struct err *e)
{
	int *kept = arg;

	(void)e;
	*kept = dup(sock);
	return 0;
}

/* Between its reading and our noting it nothing may be lost: whoever has the
 * socket, too, reads the same. */
static void M24_answer_is_left_in_the_socket(void **state)
{
	struct smtp_rcpt to = { .path = "<dave@d.example>" };
	struct smtp_mail m = { .from = from, .rcpt = &to, .rcpts = 1 };
	int kept = -1;
	struct hop_call call = { hop.spec, "localhost", clock_ms() + 20000,
		1000, NULL, keep_socket, &kept };
	char said[64] = "";

	(void)state;
	answer_split();
	assert_int_equal(hop_send(&call, &m, answer.body, 0,
	    sizeof(FIRST) - 1, NULL), 0);
	assert_true(to.accepted && kept >= 0);
	assert_true(recv(kept, said, sizeof(said) - 1, 0) > 0);
	assert_memory_equal(said, "250 2.0.0 ok\r\n", 14);
	close(kept);
}

static void M24_no_store_no_copy(void **state)
{
	(void)state;
	store_stop();
	deadline_ms = 200;
	assert_int_equal(try(), -1);
	expect(451, "4.3.0");
	assert_int_equal(hop.connections, 0);
	store_start();
}

static void M24_equal_mail_without_message_id_is_another(void **state)
{
	(void)state;
	has_message_id = false;
	assert_int_equal(try(), 0);
	assert_int_equal(try(), 0);
	assert_int_equal(hop_taken(), 4);
	assert_int_equal(count(&stats.journal_skipped), 0);
	/* but one that was not finished is the same */
	hop.how[5] = BUSY;
	assert_int_equal(try(), -1);
	assert_int_equal(try(), 0);
	assert_int_equal(count(&stats.journal_skipped), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(A47_commands_in_addresses),
		T(A47_path_without_brackets_gets_them),
		T(A45_bare_line_end_in_a_copy),
		T(M10_beginning_of_a_message_is_not_sent),
		T(M23_A53_each_copy_goes_to_its_recipients_alone),
		T(S49_S47_M22_parameters_are_kept),
		T(M28_M29_requiretls_and_smtputf8_where_needed),
		T(M28_requiretls_that_is_not_offered_is_final),
		T(S49_next_hop_without_dsn),
		T(T56_a_copy_by_tls_takes_no_other_route),
		T(M24_second_try_skips_who_has_it),
		T(M24_other_groups_the_second_time),
		T(M24_M10_final_only_while_nobody_has_anything),
		T(M24_worker_that_lies_what_message_it_is),
		T(M10_next_hop_that_turns_us_away),
		T(M24_what_one_door_sent_another_may_receive),
		T(M24_hop_that_dies_before_the_end_has_nothing),
		T(M24_hop_that_dies_with_the_message_is_counted),
		T(M13_M24_answer_after_the_deadline_counts),
		T(M24_answer_is_left_in_the_socket),
		T(M24_no_store_no_copy),
		T(M24_equal_mail_without_message_id_is_another),
	};

	return cmocka_run_group_tests_name("milter_reinject", tests, NULL,
	    NULL);
}
