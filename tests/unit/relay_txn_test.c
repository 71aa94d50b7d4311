/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Transactions with scripted next hops: the table of what a client hears of
 * their failures, fan-out, ledger, TLS-Required.
 */
#include "relay_txn.h"
#include "util/clock.h"

/* ---- recipients ---- */

static void recipients_are_grouped_by_next_hop(void **state)
{
	(void)state;
	begin();
	rcpt("<bob@b.example>");
	rcpt("<carol@c.example>");
	rcpt("<dave@b.example>");
	assert_string_equal(fake_route[0].from, "alice@a.example");
	assert_string_equal(fake_route[0].q.route, "out");
	fake_answer_routes();
	assert_int_equal(fake_hops, 2);
	assert_int_equal(fake_hop[0]->rcpts, 2);
	assert_string_equal(fake_hop[0]->rcpt[1], "<dave@b.example>");
	expect("");
	fake_say_rcpt(0, 1, 250, "2.1.5");
	fake_say_rcpt(1, 0, 550, "5.1.1");
	fake_say_rcpt(0, 0, 450, "4.2.1");
	expect("2:250 2.1.5;1:550 5.1.1;0:450 4.2.1;");
	send_text(TEXT);
	assert_true(fake_hop[0]->has_data);
	assert_false(fake_hop[1]->has_data);
	assert_true(fake_hop[1]->is_freed);
	assert_string_equal(fake_hop[0]->body, FIELD TEXT);
	expect("");
	fake_result(0, 1, HOP_ANSWERED, 250);
	expect("=250 2.0.0;");
	assert_int_equal(fakes_open(), 0);
	assert_int_equal(count(COUNT_RCPT_SENT), 1);
	assert_int_equal(count(COUNT_RCPT_REFUSED), 1);
	assert_int_equal(count(COUNT_RCPT_DEFERRED), 1);
}

static void what_routes_refuse_the_client_hears(void **state)
{
	static const struct {
		int code;
		const char *enhanced, *said;
	} c[] = {
		{ 451, "4.4.3", "0:451 4.4.3;" },
		{ 550, "5.1.2", "0:550 5.1.2;" },
		{ 556, "5.1.10", "0:556 5.1.10;" },
		{ 451, "4.3.5", "0:451 4.3.5;" },
		{ 550, "5.7.30", "0:550 5.7.30;" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		begin();
		rcpt("<bob@b.example>");
		fake_answer_route(0, c[i].code, c[i].enhanced);
		expect(c[i].said);
		assert_int_equal(fake_hops, 0);
		txn_free(&x.t, false);
		fakes_reset();
	}
	begin();
	rcpt("<bob>");
	expect("0:550 5.1.3;");
}

static void what_hops_say_is_made_fit(void **state)
{
	static const struct {
		int code;
		const char *enhanced, *said;
	} c[] = {
		{ 250, "", "0:250 2.0.0;" },
		{ 251, "2.1.5", "0:251 2.1.5;" },
		{ 421, "4.3.2", "0:451 4.3.2;" },
		{ 450, "5.1.1", "0:450 4.0.0;" },
		{ 550, "", "0:550 5.0.0;" },
		{ 530, "5.7.0", "0:451 4.3.5;" },
		{ 535, "5.7.8", "0:451 4.3.5;" },
		{ 354, "", "0:451 4.5.0;" },
		{ 150, "", "0:451 4.5.0;" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		begin();
		rcpt("<bob@b.example>");
		fake_answer_routes();
		fake_say_rcpt(0, 0, c[i].code, c[i].enhanced);
		expect(c[i].said);
		txn_free(&x.t, false);
		assert_int_equal(fakes_open(), 0);
		fakes_reset();
	}
}

static void LMTP_goes_to_twenty_hops_at_most(void **state)
{
	char path[50];
	size_t i;

	(void)state;
	begin();
	for (i = 0; i < 21; i++) {
		(void)snprintf(path, sizeof(path), "<bob@b%zu.example>", i);
		rcpt(path);
	}
	fake_answer_routes();
	assert_int_equal(fake_hops, 20);
	expect("20:452 4.5.3;");
	rcpt("<carol@b3.example>");
	fake_answer_routes();
	assert_int_equal(fake_hop[3]->rcpts, 2);
}

static void SMTP_goes_one_way(void **state)
{
	(void)state;
	x.l.protocol = RELAY_SMTP;
	begin();
	rcpt("<bob@b.example>");
	rcpt("<carol@c.example>");
	fake_answer_routes();
	expect("1:452 4.5.3;");
	fake_say_rcpt(0, 0, 550, "5.1.1");
	expect("0:550 5.1.1;");
	rcpt("<carol@c.example>"); /* nobody is in its way now */
	fake_answer_routes();
	assert_true(fake_hop[0]->is_freed);
	fake_say_rcpt(1, 0, 250, "2.1.5");
	expect("2:250 2.1.5;");
	send_text(TEXT);
	fake_result(1, 0, HOP_ANSWERED, 250);
	expect("=250 2.0.0;");
}

static void the_envelope_reaches_the_hop(void **state)
{
	char auth[] = "AUTH=bob@b.example", ret[] = "RET=HDRS";

	(void)state;
	x.mail.auth = auth;
	x.mail.ret = ret;
	x.mail.require_tls = true;
	x.mail.size = 77;
	x.l.verified = true;
	begin();
	rcpt("<bob@b.example>");
	assert_true(fake_route[0].q.require_tls);
	assert_true(fake_route[0].q.verified);
	assert_false(fake_route[0].q.tls_optional);
	fake_answer_routes();
	assert_string_equal(fake_hop[0]->env.auth, "<>"); /* T24 */
	assert_string_equal(fake_hop[0]->env.ret, "RET=HDRS");
	assert_true(fake_hop[0]->env.require_tls);
	assert_int_equal(fake_hop[0]->env.size, 77);
	assert_string_equal(fake_hop[0]->env.client_addr, "192.0.2.1");
}

static void T30_RCPT_is_answered_before_clients_give_up(void **state)
{
	static const char *const both[] = { "<bob@b.example>",
		"<dave@b.example>" };
	int64_t now = clock_ms();

	(void)state;
	begin();
	rcpt(both[0]);
	fake_answer_routes();
	fake_say_rcpt(0, 0, 250, "2.1.5");
	rcpt(both[1]); /* never gets an answer of the hop */
	fake_answer_route(1, 0, "");
	rcpt("<carol@c.example>"); /* nor this one a route */
	expect("0:250 2.1.5;");
	assert_in_range(txn_rcpt_time(x.t, now), now + 239000, now + 245000);
	expect("");
	rcpt(both[1]); /* later, and on the same hop */
	fake_answer_route(3, 0, "");
	x.t->rcpt[3]->since_ms += 20000;
	assert_int_equal(txn_rcpt_time(x.t, now + 250000), 0);
	expect("1:451 4.4.1;2:451 4.4.1;3:451 4.4.1;");
	/* it might take dave yet, so it gets no data; bob begins anew */
	assert_true(fake_hop[0]->is_freed);
	send_text(TEXT);
	fake_answer_routes();
	assert_int_equal(fake_hop[1]->rcpts, 1);
	assert_string_equal(fake_hop[1]->rcpt[0], "<bob@b.example>");
	fake_say_rcpt(1, 0, 250, "2.1.5");
	fake_result(1, 0, HOP_ANSWERED, 250);
	expect("=250 2.0.0;");
	txn_free(&x.t, false);
	fakes_reset();
	x.l.protocol = RELAY_SUBMISSION;
	begin();
	rcpt(both[0]);
	assert_in_range(txn_rcpt_time(x.t, now), now + 109000, now + 115000);
}

/* attack T11: a client that was given its recipients sends a message octet by
 *   octet, or not at all, on all connections that a destination may have
 * verdict: after 20 s others may have the connection; the message goes over
 *   another one when it is whole */
static void T11_a_slow_client_holds_no_next_hop(void **state)
{
	int64_t now = clock_ms();

	(void)state;
	begin();
	rcpt("<bob@b.example>");
	fake_answer_routes();
	assert_int_equal(fake_hop[0]->env.turn_ms, 0);
	fake_say_rcpt(0, 0, 250, "2.1.5");
	expect("0:250 2.1.5;");
	assert_in_range(txn_rcpt_time(x.t, now), now + 19000, now + 25000);
	assert_false(fake_hop[0]->is_freed);
	assert_int_equal(txn_rcpt_time(x.t, now + 30000), 0);
	assert_true(fake_hop[0]->is_freed);
	rcpt("<dave@b.example>"); /* as if nothing had happened */
	fake_answer_routes();
	fake_say_rcpt(1, 0, 250, "2.1.5");
	expect("1:250 2.1.5;");
	send_text(TEXT);
	fake_answer_routes();
	assert_int_equal(fake_hop[2]->rcpts, 1);
	assert_string_equal(fake_hop[2]->rcpt[0], "<bob@b.example>");
	assert_in_range(fake_hop[2]->env.turn_ms, 1000, 40000);
	fake_result(1, 0, HOP_ANSWERED, 250);
	fake_say_rcpt(2, 0, 250, "2.1.5");
	assert_string_equal(fake_hop[2]->body, FIELD TEXT);
	fake_result(2, 0, HOP_ANSWERED, 250);
	expect("=250 2.0.0;=250 2.0.0;");
}

/* And has its turn, if it has to wait for one then. */
static void T11_SMTP_goes_one_way_also_after_its_hop_was_let_go(void **state)
{
	(void)state;
	x.l.protocol = RELAY_SMTP;
	begin();
	rcpt("<bob@b.example>");
	fake_answer_routes();
	fake_say_rcpt(0, 0, 250, "2.1.5");
	assert_int_equal(txn_rcpt_time(x.t, clock_ms() + 30000), 0);
	rcpt("<carol@c.example>");
	fake_answer_routes();
	expect("0:250 2.1.5;1:452 4.5.3;");
	send_text(TEXT);
	fake_answer_routes();
	assert_int_equal(fake_hops, 2);
	assert_in_range(fake_hop[1]->env.turn_ms, 1000, 40000);
	fake_say_rcpt(1, 0, 250, "2.1.5");
	fake_result(1, 0, HOP_ANSWERED, 250);
	expect("=250 2.0.0;");
	txn_free(&x.t, false);
	fakes_reset();
	x.l.protocol = RELAY_SUBMISSION;
	begin();
	rcpt("<bob@b.example>");
	fake_answer_routes();
	assert_in_range(fake_hop[0]->env.turn_ms, 1000, 40000);
}

/* ---- the end of the data ---- */

/* attack A45: the client goes away in the middle of a message, whose first
 *   half is another message
 * verdict: no hop ever gets data, and each connection is closed */
static void T12_a_message_that_is_not_whole_goes_nowhere(void **state)
{
	size_t k;

	(void)state;
	for (k = 0; k <= strlen(TEXT); k++) {
		begin();
		taken(two, 2);
		txn_begin(x.t, view_of(FIELD));
		txn_put(x.t, view_sub(view_of(TEXT), 0, k));
		txn_free(&x.t, false);
		assert_int_equal(fakes_open(), 0);
		assert_false(fake_hop[0]->has_data);
		assert_false(fake_hop[1]->has_data);
		expect("");
		fakes_reset();
	}
}

static void LMTP_answers_come_in_the_order_of_RCPT(void **state)
{
	(void)state;
	begin();
	taken(two, 2);
	send_text(TEXT);
	fake_result(1, 0, HOP_ANSWERED, 554);
	expect("");
	fake_result(0, 0, HOP_ANSWERED, 250);
	expect("=250 2.0.0;=554 5.0.0;");
}

static void SMTP_has_one_answer(void **state)
{
	static const char *const both[] = { "<bob@b.example>",
		"<dave@b.example>" };
	static const struct {
		int one, two;
		const char *said;
	} c[] = {
		{ 250, 250, "=250 2.0.0;" }, { 554, 554, "=554 5.0.0;" },
		{ 554, 451, "=451 4.3.0;" }, { 451, 554, "=451 4.3.0;" },
		{ 250, 554, "=451 4.3.0;" },
	};
	size_t i;

	(void)state;
	x.l.protocol = RELAY_SMTP;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		begin();
		taken(both, 2);
		send_text(TEXT);
		fake_result(0, 0, HOP_ANSWERED, c[i].one);
		expect("");
		fake_result(0, 1, HOP_ANSWERED, c[i].two);
		expect(c[i].said);
		txn_free(&x.t, false);
		fakes_reset();
	}
	/* the last one again: who took it is in the ledger */
	begin();
	taken(both, 2);
	send_text(TEXT);
	fake_answer_routes();
	assert_int_equal(fake_hops, 2);
	assert_string_equal(fake_hop[1]->rcpt[0], "<dave@b.example>");
	assert_int_equal(count(COUNT_LEDGER_HITS), 1);
}

static void budgets_nest_in_those_of_clients(void **state)
{
	int64_t now = clock_ms();

	(void)state;
	begin();
	taken(two, 1);
	send_text(TEXT);
	assert_in_range(fake_hop[0]->until_ms, now + 539000, now + 545000);
	txn_free(&x.t, false);
	fake_result(0, 0, HOP_ANSWERED, 250);
	x.l.protocol = RELAY_SUBMISSION;
	x.l.ledger = false;
	begin();
	rcpt(two[0]);
	fake_answer_routes();
	fake_say_rcpt(1, 0, 250, "2.1.5");
	send_text(TEXT);
	assert_in_range(fake_hop[1]->until_ms, now + 54000, now + 60000);
}

static void an_unknown_fate_says_so(void **state)
{
	(void)state;
	begin();
	taken(two, 2);
	send_text(TEXT);
	fake_result(0, 0, HOP_UNKNOWN, 451);
	expect("=451 4.4.2;");
	assert_non_null(strstr(buf_str(&x.words),
	    "status unknown, may be duplicated"));
	assert_int_equal(count(COUNT_RCPT_UNKNOWN), 1);
	/* and what is learned later is in the ledger */
	assert_true(fake_hop[0]->has_late[0]);
	fake_hop[0]->late(fake_hop[0]->late_arg, fake_hop[0]->late_key[0],
	    true);
	fake_hop[0]->late(fake_hop[0]->late_arg, fake_hop[1]->late_key[0],
	    false);
	assert_true(ledger_take(x.w.ledger, fake_hop[0]->late_key[0],
	    (int64_t)time(NULL)));
	assert_false(ledger_take(x.w.ledger, fake_hop[1]->late_key[0],
	    (int64_t)time(NULL)));
}

static void hops_that_fail_defer(void **state)
{
	(void)state;
	begin();
	taken(two, 2);
	send_text(TEXT);
	fake_result(0, 0, HOP_FAILED, 451);
	fake_result(1, 0, HOP_ANSWERED, 421);
	expect("=451 4.3.0;=451 4.3.2;");
}

/* attack A46: a message goes round and round
 * verdict: 554 5.4.6 when it has more than fifty Received fields */
static void A46_loops_and_sizes_end_at_the_end_of_data(void **state)
{
	static const struct {
		unsigned received, filler;
		const char *said;
	} c[] = {
		{ 50, 0, "" }, { 51, 0, "=554 5.4.6;" },
		{ 0, 1000 - 20, "" }, { 0, 1000 - 19, "=552 5.3.4;" },
	};
	struct buf b;
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		begin();
		taken(two, 1);
		buf_init(&b, 1u << 20);
		for (k = 0; k < c[i].received; k++)
			buf_puts(&b, "RECEIVED : x\r\n");
		buf_puts(&b, TEXT);
		for (k = 0; k < c[i].filler; k++)
			buf_putc(&b, 'x');
		assert_int_equal(strlen(TEXT), 20);
		send_text(buf_str(&b));
		buf_free(&b);
		expect(c[i].said);
		assert_int_equal(fake_hop[0]->has_data, *c[i].said == '\0');
		if (*c[i].said == '\0')
			fake_result(0, 0, HOP_ANSWERED, 250);
		txn_free(&x.t, false);
		buf_clear(&x.said);
		assert_int_equal(fakes_open(), 0);
		fakes_reset();
	}
}

/* ---- clients that are gone ---- */

static void M24_what_is_taken_for_nobody_is_in_the_ledger_once(void **state)
{
	(void)state;
	begin();
	taken(two, 2);
	send_text(TEXT);
	txn_free(&x.t, true);
	assert_int_equal(txn_orphans(), 1);
	assert_int_equal(fakes_open(), 2);
	fake_result(0, 0, HOP_ANSWERED, 250);
	fake_result(1, 0, HOP_ANSWERED, 451);
	assert_int_equal(txn_orphans(), 0);
	assert_int_equal(fakes_open(), 0);
	expect("");
	assert_int_equal(count(COUNT_ORPHANS), 1);
	/* it comes again: bob is answered, carol is sent to */
	begin();
	rcpt(two[0]);
	rcpt(two[1]);
	fake_answer_routes();
	fake_say_rcpt(2, 0, 250, "2.1.5");
	fake_say_rcpt(3, 0, 250, "2.1.5");
	buf_clear(&x.said);
	send_text(TEXT);
	expect("=250 2.0.0;");
	assert_false(fake_hop[2]->has_data);
	assert_true(fake_hop[2]->is_freed);
	fake_result(3, 0, HOP_ANSWERED, 250);
	expect("=250 2.0.0;");
	txn_free(&x.t, false);
	/* and a third time: all is sent */
	begin();
	rcpt(two[0]);
	fake_answer_routes();
	fake_say_rcpt(4, 0, 250, "2.1.5");
	send_text(TEXT);
	assert_true(fake_hop[4]->has_data);
}

/* Whoever was not sent to yet is not, when nobody would hear of it. */
static void M24_nothing_more_is_sent_for_a_client_that_is_gone(void **state)
{
	(void)state;
	begin();
	rcpt(two[0]);
	rcpt(two[1]);
	fake_answer_route(0, 0, "");
	fake_answer_route(1, 451, "4.7.5");
	fake_say_rcpt(0, 0, 250, "2.1.5");
	send_text("TLS-Required: No\r\n" TEXT);
	fake_answer_routes();
	assert_int_equal(fake_hops, 2);
	txn_free(&x.t, true);
	assert_int_equal(txn_orphans(), 1);
	fake_say_rcpt(1, 0, 250, "2.1.5");
	assert_false(fake_hop[1]->has_data);
	fake_result(0, 0, HOP_ANSWERED, 250);
	assert_int_equal(fakes_open(), 0);
}

/* A hop some of whose recipients have it already begins anew. */
static void a_ledger_hit_among_others_begins_the_hop_anew(void **state)
{
	static const char *const both[] = { "<bob@b.example>",
		"<dave@b.example>" };

	(void)state;
	begin();
	taken(both, 2);
	send_text(TEXT);
	txn_free(&x.t, true);
	fake_result(0, 1, HOP_ANSWERED, 250);
	fake_result(0, 0, HOP_ANSWERED, 451);
	begin();
	rcpt(both[0]);
	rcpt(both[1]);
	fake_answer_routes();
	fake_say_rcpt(1, 0, 250, "2.1.5");
	fake_say_rcpt(1, 1, 250, "2.1.5");
	buf_clear(&x.said);
	send_text(TEXT);
	assert_true(fake_hop[1]->is_freed);
	assert_false(fake_hop[1]->has_data);
	fake_answer_routes();
	assert_int_equal(fake_hops, 3);
	assert_int_equal(fake_hop[2]->rcpts, 1);
	assert_string_equal(fake_hop[2]->rcpt[0], "<bob@b.example>");
	fake_say_rcpt(2, 0, 250, "2.1.5");
	assert_true(fake_hop[2]->has_data);
	expect("");
	fake_result(2, 0, HOP_ANSWERED, 250);
	expect("=250 2.0.0;=250 2.0.0;");
	assert_int_equal(count(COUNT_LEDGER_HITS), 1);
}

static void answers_that_were_not_heard_are_in_the_ledger(void **state)
{
	unsigned char message[32], key[32];

	(void)state;
	begin();
	taken(two, 1);
	send_text(TEXT);
	fake_result(0, 0, HOP_ANSWERED, 250);
	assert_int_equal(txn_digest(x.t, message, NULL), 0);
	ledger_key(key, "egress", "alice@a.example", "bob@b.example",
	    message);
	txn_free(&x.t, true);
	assert_true(ledger_take(x.w.ledger, key, (int64_t)time(NULL)));
	/* those that were are not */
	begin();
	rcpt(two[0]);
	fake_answer_routes();
	fake_say_rcpt(1, 0, 250, "2.1.5");
	send_text(TEXT);
	fake_result(1, 0, HOP_ANSWERED, 250);
	txn_free(&x.t, false);
	assert_false(ledger_take(x.w.ledger, key, (int64_t)time(NULL)));
}

static void without_a_ledger_nothing_is_remembered(void **state)
{
	(void)state;
	x.l.ledger = false;
	begin();
	taken(two, 1);
	send_text(TEXT);
	txn_free(&x.t, true);
	fake_result(0, 0, HOP_ANSWERED, 250);
	begin();
	rcpt(two[0]);
	fake_answer_routes();
	fake_say_rcpt(1, 0, 250, "2.1.5");
	send_text(TEXT);
	assert_true(fake_hop[1]->has_data);
}

static void the_digest_does_not_depend_on_how_octets_came(void **state)
{
	unsigned char one[32], other[32];
	struct buf b;
	size_t i;

	(void)state;
	x.l.max_message = 200000;
	buf_init(&b, 1u << 20);
	for (i = 0; i < 9000; i++)
		buf_printf(&b, "line %zu\r\n", i);
	begin();
	txn_begin(x.t, view_of(FIELD));
	txn_put(x.t, buf_view(&b));
	assert_int_equal(txn_digest(x.t, one, NULL), 0);
	txn_free(&x.t, false);
	begin();
	txn_begin(x.t, view_of("Received: another one\r\n"));
	for (i = 0; i < b.n; i += 777)
		txn_put(x.t, view_sub(buf_view(&b), i, 777));
	assert_int_equal(txn_digest(x.t, other, NULL), 0);
	assert_memory_equal(one, other, 32);
	txn_put(x.t, view_of("x"));
	assert_int_equal(txn_digest(x.t, other, NULL), 0);
	assert_memory_not_equal(one, other, 32);
	buf_free(&b);
}

/* Nor does what the header is seen to have. */
static void a_header_is_watched_however_octets_come(void **state)
{
	static const char *const text[] = {
		"Received: a\r\n b:\r\n\tc\r\nRECEIVED : d\r\nA: b\r\n\r\n"
		    "Received: body\r\n",
		"TLS-Required: No\r\nX: Received:\r\n\r\nTLS-Required: No",
		"TLS-Required:\r\n\tno \r\nReceived: a\r\n", "A\r\n:b\r\n\r\n",
		"A-very-long-name-of-a-field: TLS-Required:\r\n"
		    "TLS-Required: no, never\r\nReceived: x\r\n\r\n", "\r\n",
		"A: b\r\r\nReceived: x\r\n \r\n\r\nReceived: y\r\n",
	};
	static const unsigned received[] = { 2, 0, 1, 0, 1, 0, 1 };
	static const bool no[] = { false, true, true, false, false, false,
		false };
	size_t i, step, at;

	(void)state;
	for (i = 0; i < ARRAY_LEN(text); i++) {
		for (step = 1; step < 90; step++) {
			struct header_watch w = { .is_start = true };

			for (at = 0; at < strlen(text[i]); at += step)
				header_watch_put(&w, view_sub(
				    view_of(text[i]), at, step));
			assert_int_equal(w.received, received[i]);
			header_watch_put(&w, view_of("\r\n\r\n"));
			assert_int_equal(header_watch_no_tls(&w), no[i]);
		}
	}
}

/* ---- TLS-Required ---- */

static void refuse_by_policy(size_t i)
{
	fake_answer_route(i, 451, "4.7.5");
}

#define NO "TLS-Required: No\r\n"

static void T55_TLS_Required_No_is_heard_after_the_message(void **state)
{
	static const struct {
		const char *header;
		bool counts;
	} c[] = {
		{ NO, true }, { "tls-required:no \r\n", true },
		{ "TLS-Required: \r\n No\r\n", true }, { "", false },
		{ NO NO, false }, { "TLS-Required: Yes\r\n", false },
		{ "TLS-Required: No, really\r\n", false },
		{ "TLS-Required: No\r\n x\r\n", false },
		{ "X-TLS-Required: No\r\n", false },
		{ "\r\n" NO, false }, { NO "TLS-Required: x\r\n", false },
		{ "TLS-Required: No                            x\r\n", false },
	};
	char text[200];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		begin();
		rcpt("<bob@b.example>");
		refuse_by_policy(0);
		expect("0:250 2.1.5;");
		(void)snprintf(text, sizeof(text), "%s%s", c[i].header, TEXT);
		send_text(text);
		if (!c[i].counts) {
			expect("=451 4.7.5;");
			assert_int_equal(fake_routes, 1);
		} else {
			expect("");
			assert_true(fake_route[1].q.tls_optional);
			fake_answer_routes();
			fake_say_rcpt(0, 0, 250, "2.1.5");
			fake_result(0, 0, HOP_ANSWERED, 250);
			expect("=250 2.0.0;");
		}
		txn_free(&x.t, false);
		assert_int_equal(fakes_open(), 0);
		fakes_reset();
	}
}

static void T55_a_hop_that_failed_may_be_mended_too(void **state)
{
	struct hop_reply r = fake_reply(HOP_FAILED, 451, "4.7.4");

	(void)state;
	begin();
	rcpt("<bob@b.example>");
	rcpt("<carol@c.example>");
	fake_answer_routes();
	r.is_tls_failure = true;
	fake_hop[0]->use.on_rcpt(fake_hop[0]->use.arg, 0, &r);
	fake_say_rcpt(1, 0, 250, "2.1.5");
	expect("0:250 2.1.5;1:250 2.1.5;");
	send_text(NO TEXT);
	assert_true(fake_hop[1]->has_data); /* does not wait for bob */
	fake_answer_routes();
	assert_int_equal(fake_hops, 3);
	r.is_tls_failure = true; /* again: now it is said */
	fake_hop[2]->use.on_rcpt(fake_hop[2]->use.arg, 0, &r);
	expect("=451 4.7.4;");
	fake_result(1, 0, HOP_ANSWERED, 250);
	expect("=250 2.0.0;");
}

/* attack A67: a header field of a message is to take the protection away that
 *   somebody bound it to
 * verdict: it says nothing where REQUIRETLS was given, where the listener
 *   demands a verified hop, or where there is one answer for all */
static void T54_T55_T56_what_is_a_must_stays_one(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		x.mail.require_tls = i == 0;
		x.l.verified = i == 1;
		x.l.protocol = i == 2 ? RELAY_SMTP : i == 3 ?
		    RELAY_SUBMISSION : RELAY_LMTP;
		begin();
		rcpt("<bob@b.example>");
		refuse_by_policy(0);
		expect("0:451 4.7.5;");
		txn_free(&x.t, false);
		fakes_reset();
	}
}

/* ---- life ---- */

static void a_reset_ends_questions_and_hops(void **state)
{
	(void)state;
	begin();
	rcpt("<bob@b.example>");
	fake_answer_routes();
	rcpt("<carol@c.example>");
	txn_free(&x.t, false);
	assert_int_equal(fake_route[1].number, 0); /* cancelled */
	assert_int_equal(fakes_open(), 0);
	assert_int_equal(txn_orphans(), 0);
	expect("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(recipients_are_grouped_by_next_hop),
		T(what_routes_refuse_the_client_hears),
		T(what_hops_say_is_made_fit),
		T(LMTP_goes_to_twenty_hops_at_most),
		T(SMTP_goes_one_way),
		T(T30_RCPT_is_answered_before_clients_give_up),
		T(T11_a_slow_client_holds_no_next_hop),
		T(T11_SMTP_goes_one_way_also_after_its_hop_was_let_go),
		T(the_envelope_reaches_the_hop),
		T(T12_a_message_that_is_not_whole_goes_nowhere),
		T(LMTP_answers_come_in_the_order_of_RCPT),
		T(SMTP_has_one_answer),
		T(budgets_nest_in_those_of_clients),
		T(an_unknown_fate_says_so),
		T(hops_that_fail_defer),
		T(A46_loops_and_sizes_end_at_the_end_of_data),
		T(M24_what_is_taken_for_nobody_is_in_the_ledger_once),
		T(M24_nothing_more_is_sent_for_a_client_that_is_gone),
		T(a_ledger_hit_among_others_begins_the_hop_anew),
		T(answers_that_were_not_heard_are_in_the_ledger),
		T(without_a_ledger_nothing_is_remembered),
		T(the_digest_does_not_depend_on_how_octets_came),
		T(a_header_is_watched_however_octets_come),
		T(T55_TLS_Required_No_is_heard_after_the_message),
		T(T55_a_hop_that_failed_may_be_mended_too),
		T(T54_T55_T56_what_is_a_must_stays_one),
		T(a_reset_ends_questions_and_hops),
	};

	return cmocka_run_group_tests_name("relay_txn", tests, NULL, NULL);
}
