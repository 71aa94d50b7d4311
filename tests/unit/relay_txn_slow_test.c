/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Transactions of slow clients with scripted next hops: for how long they may
 * have one, and what becomes of recipients that are asked anew when the
 * message is whole.
 */
#include "relay_txn.h"
#include "util/clock.h"

/* So much later: what txn_time.c does by then. */
static int64_t later(int64_t s)
{
	return txn_rcpt_time(x.t, clock_ms() + s * 1000);
}

/* attack T11: a client whose recipients are all refused keeps the connection
 *   to the next hop, and says nothing more
 * verdict: after 20 s others may have it */
static void T11_nobody_was_taken_and_nobody_is_waited_for(void **state)
{
	(void)state;
	begin();
	rcpt("<nobody@b.example>");
	fake_answer_routes();
	fake_say_rcpt(0, 0, 550, "5.1.1");
	expect("0:550 5.1.1;");
	assert_true(later(10) > 0);
	assert_false(fake_hop[0]->is_freed);
	assert_int_equal(later(21), 0);
	assert_true(fake_hop[0]->is_freed);
	rcpt("<bob@b.example>");
	fake_answer_routes();
	fake_say_rcpt(1, 0, 250, "2.1.5");
	send_text(TEXT);
	fake_result(1, 0, HOP_ANSWERED, 250);
	expect("1:250 2.1.5;=250 2.0.0;");
}

/* attack T11: a recipient now and then, so that the connection is never let go
 * verdict: all that a next hop waited for the client together is 20 s */
static void T11_a_recipient_now_and_then_holds_no_next_hop(void **state)
{
	(void)state;
	begin();
	rcpt("<bob@b.example>");
	fake_answer_routes();
	fake_say_rcpt(0, 0, 250, "2.1.5");
	x.t->hop->since_ms -= 15000;
	rcpt("<carol@b.example>");
	fake_answer_routes();
	x.t->hop->since_ms -= 50000; /* that is the next hop's own time */
	fake_say_rcpt(0, 1, 250, "2.1.5");
	expect("0:250 2.1.5;1:250 2.1.5;");
	assert_true(later(4) > 0);
	assert_false(fake_hop[0]->is_freed);
	assert_int_equal(later(6), 0);
	assert_true(fake_hop[0]->is_freed);
	send_text(TEXT);
	fake_answer_routes();
	assert_int_equal(fake_hop[1]->rcpts, 2);
	fake_take_all();
	fake_result(1, 0, HOP_ANSWERED, 250);
	fake_result(1, 1, HOP_ANSWERED, 250);
	expect("=250 2.0.0;=250 2.0.0;");
}

/* Who came a moment after the slow ones gets what they had to give up. */
static void a_turn_is_waited_for_until_the_slow_are_gone(void **state)
{
	int64_t now = clock_ms(), hold;

	(void)state;
	x.l.protocol = RELAY_SUBMISSION;
	begin();
	rcpt("<bob@b.example>");
	fake_answer_routes();
	fake_say_rcpt(0, 0, 250, "2.1.5");
	hold = txn_rcpt_time(x.t, now) - now;
	assert_in_range(hold, 1000, fake_hop[0]->env.turn_ms - 5000);
}

/* Connections that were given up do not count against those of the end. */
static void however_often_it_was_let_go_it_arrives(void **state)
{
	char path[50];
	size_t i;

	(void)state;
	begin();
	for (i = 0; i < 30; i++) {
		(void)snprintf(path, sizeof(path), "<u%zu@b.example>", i);
		rcpt(path);
		fake_answer_routes();
		fake_say_rcpt(i, 0, 250, "2.1.5");
		assert_int_equal(later(21), 0);
	}
	for (i = 0; i < 25; i++) {
		(void)snprintf(path, sizeof(path), "<u@c%zu.example>", i);
		rcpt(path);
		fake_answer_routes();
		if (fake_hops == 31 + i)
			fake_say_rcpt(30 + i, 0, 250, "2.1.5");
		(void)later(21);
	}
	/* b.example is one of the twenty */
	assert_int_equal(fake_hops, 30 + 19);
	assert_non_null(strstr(buf_str(&x.said),
	    "48:250 2.1.5;49:452 4.5.3;"));
	buf_clear(&x.said);
	send_text(TEXT);
	fake_answer_routes();
	assert_int_equal(fake_hops, 49 + 20);
	expect("");
}

/* RFC 8689 4.2.2: what the message says holds also where TLS is lost between
 * RCPT and the end of the data; and never against REQUIRETLS. */
static void T55_TLS_Required_No_when_asked_anew(void **state)
{
	static const struct {
		bool requiretls, verified, is_hop;
		const char *said;
	} c[] = {
		{ false, false, false, "=250 2.0.0;" },
		{ false, false, true, "=250 2.0.0;" },
		{ true, false, false, "=451 4.7.5;" },
		{ false, true, true, "=451 4.7.5;" },
	};
	struct hop_reply no = fake_reply(HOP_FAILED, 451, "4.7.5");

	(void)state;
	no.is_tls_failure = true;
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		x.mail.require_tls = c[i].requiretls;
		x.l.verified = c[i].verified;
		x.l.ledger = false;
		begin();
		taken(two, 1);
		assert_int_equal(later(21), 0);
		send_text("TLS-Required: No\r\n\r\ntext\r\n");
		assert_false(fake_route[1].q.tls_optional);
		fake_answer_route(1, c[i].is_hop ? 0 : 451, "4.7.5");
		if (c[i].is_hop)
			fake_hop[1]->use.on_rcpt(fake_hop[1]->use.arg, 0, &no);
		if (fake_routes == 3) {
			assert_true(fake_route[2].q.tls_optional);
			fake_answer_routes();
			fake_say_rcpt(fake_hops - 1, 0, 250, "2.1.5");
			fake_result(fake_hops - 1, 0, HOP_ANSWERED, 250);
		}
		expect(c[i].said);
		assert_int_equal(fakes_open(), 0);
		txn_free(&x.t, false);
		fakes_reset();
	}
}

static const char *const both[] = { "<bob@b.example>", "<dave@b.example>" };

/* One is taken, and the hop is let go; then the other is. */
static void one_by_one(void)
{
	x.l.protocol = RELAY_SUBMISSION;
	begin();
	rcpt(both[0]);
	fake_answer_routes();
	fake_say_rcpt(0, 0, 250, "2.1.5");
	assert_int_equal(later(21), 0);
	rcpt(both[1]);
	fake_answer_routes();
	fake_say_rcpt(1, 0, 250, "2.1.5");
	expect("0:250 2.1.5;1:250 2.1.5;");
	send_text(TEXT);
}

/* There is one answer, so there is one transaction. */
static void SMTP_is_one_message_again(void **state)
{
	(void)state;
	one_by_one();
	assert_false(fake_hop[1]->has_data);
	fake_answer_routes();
	assert_int_equal(fake_hops, 2);
	assert_int_equal(fake_hop[1]->rcpts, 2);
	assert_false(fake_hop[1]->has_data);
	fake_say_rcpt(1, 1, 250, "2.1.5");
	assert_true(fake_hop[1]->has_data);
	fake_result(1, 0, HOP_ANSWERED, 250);
	fake_result(1, 1, HOP_ANSWERED, 250);
	expect("=250 2.0.0;");
}

/* Who is not taken any more would get nothing, the others would get it again
 * when it comes again: so nobody gets it, where no ledger helps. */
static void SMTP_without_a_ledger_is_for_all_or_for_nobody(void **state)
{
	static const struct {
		int code;
		bool has_ledger;
		const char *said;
	} c[] = {
		{ 450, false, "=450 4.0.0;" },
		{ 550, false, "=451 4.3.0;" },
		{ 550, true, "=451 4.3.0;" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		x.l.ledger = c[i].has_ledger;
		one_by_one();
		fake_answer_routes();
		fake_say_rcpt(1, 1, c[i].code, "");
		assert_int_equal(fake_hop[1]->has_data, c[i].has_ledger);
		if (c[i].has_ledger)
			fake_result(1, 0, HOP_ANSWERED, 250);
		expect(c[i].said);
		assert_int_equal(fakes_open(), 0);
		txn_free(&x.t, false);
		fakes_reset();
	}
}

/* Also where it is no next hop that says no, but the policy of today. */
static void SMTP_without_a_route_is_for_nobody(void **state)
{
	(void)state;
	x.l.ledger = false;
	one_by_one();
	fake_answer_route(2, 451, "4.7.5");
	assert_false(fake_hop[1]->has_data);
	assert_int_equal(fakes_open(), 0);
	expect("=451 4.7.5;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(T11_nobody_was_taken_and_nobody_is_waited_for),
		T(T11_a_recipient_now_and_then_holds_no_next_hop),
		T(a_turn_is_waited_for_until_the_slow_are_gone),
		T(however_often_it_was_let_go_it_arrives),
		T(T55_TLS_Required_No_when_asked_anew),
		T(SMTP_is_one_message_again),
		T(SMTP_without_a_ledger_is_for_all_or_for_nobody),
		T(SMTP_without_a_route_is_for_nobody),
	};

	return cmocka_run_group_tests_name("relay_txn_slow", tests, NULL,
	    NULL);
}
