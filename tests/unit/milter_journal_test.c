/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The store's part in copies: mail that is held, claims, and the next hop's
 * answer when the front is dead.
 */
#include "milter_hop.h"

#include "milter/poison.h"
#include "util/ossl.h"

static const unsigned char keys_whole[JOURNAL_KEY];

/* ---- held mail ---- */

static void with_quarantine(const char *size)
{
	struct cert *cert = NULL;
	struct buf b;

	store_stop();
	buf_init(&b, 200);
	buf_printf(&b, "quarantine {\n size %s\n keep 30d\n}\n", size);
	world_config(&w, buf_str(&b));
	buf_free(&b);
	if (keystore_held_make(w.ks, buf_view(&w.secret), time(NULL), &cert,
	    &w.e) != 0)
		fail_msg("%s", w.e.msg);
	cert_free(&cert);
	store_start();
}

static int held_rcpts;

static int see_held(void *arg, const struct held_mail *m, struct err *e)
{
	(void)arg;
	(void)e;
	held_rcpts += (int)m->rcpts;
	assert_string_equal(m->sender, "<alice@a.example>");
	assert_string_equal(m->reason, "somebody must look at it");
	assert_string_equal(m->rcpt[0], "<eve@e.example> notify=NEVER");
	assert_int_equal(m->size, sizeof(SECOND) - 1);
	return 0;
}

static void hold_second(void)
{
	answer_split();
	answer.copy[1].copy.kind = COPY_HELD;
	text_set(answer.copy[1].reason, sizeof(answer.copy[1].reason),
	    "somebody must look at it");
}

static void M24_held_copy_is_kept_once(void **state)
{
	uint64_t n, octets;

	(void)state;
	with_quarantine("1M");
	hold_second();
	assert_int_equal(go(), 0);
	assert_int_equal(hop_taken(), 1);
	assert_int_equal(count(&stats.held), 1);
	hold_second(); /* nobody knows that we answered */
	assert_int_equal(go(), 0);
	assert_int_equal(hop_taken(), 1);
	store_stop();
	held_rcpts = 0;
	if (keystore_held_list(w.ks, NULL, INT64_MAX, see_held, NULL,
	    &w.e) != 0 || keystore_held_total(w.ks, &n, &octets, &w.e) != 0)
		fail_msg("%s", w.e.msg);
	assert_int_equal(n, 1);
	assert_int_equal(held_rcpts, 2);
	store_start();
}

static void key_of(unsigned char key[JOURNAL_KEY], const char *rcpt)
{
	unsigned char body[32];
	struct buf b;

	assert_int_equal(poison_hash(txn.msg, body, NULL), 0); /* no header */

	buf_init(&b, 1000);
	buf_put(&b, answer.content, sizeof(answer.content));
	buf_put(&b, body, sizeof(body));
	buf_putc(&b, 0); /* through no door */
	buf_puts(&b, "<alice@a.example>");
	buf_putc(&b, '\0');
	buf_puts(&b, rcpt);
	ossl_sha256(b.p, b.n, key);
	buf_free(&b);
}

/* It was kept, and the store died before the journal knew. */
static void M24_held_copy_is_found_again(void **state)
{
	struct journal_keys k = { NULL, 2, keys_whole, "testid",
		time(NULL) };
	unsigned char key[2 * JOURNAL_KEY];
	uint64_t n, octets;

	(void)state;
	with_quarantine("1M");
	hold_second();
	assert_int_equal(go(), 0);
	store_stop();
	key_of(key, "<eve@e.example>");
	key_of(key + JOURNAL_KEY, "<frank@e.example>");
	k.key = key;
	assert_int_equal(journal_drop(w.ks, &k, true, NULL), 0);
	assert_int_equal(journal_set(w.ks, &k, JOURNAL_SENT, NULL), 0);
	store_start();
	hold_second();
	our_id = "otherid";
	assert_int_equal(go(), 0);
	store_stop();
	assert_int_equal(keystore_held_total(w.ks, &n, &octets, NULL), 0);
	assert_int_equal(n, 1);
	store_start();
}

/* attack M24: Dave's copy is held, the next hop dies over that of eve and
 * frank; then they are to be held, too, under the number Dave's group had
 * verdict: held beside his, for them; nobody's mail passes for another's */
static void M24_held_under_the_number_of_another_group(void **state)
{
	static const int group[5] = { 2, 3, 2, 1, 1 };
	uint64_t n, octets;

	(void)state;
	with_quarantine("1M");
	hop.how[0] = DIES_ACCEPTED;
	answer_split();
	answer.copy[0].copy.kind = COPY_HELD;
	assert_int_equal(go(), -1);
	store_stop();
	store_start();
	our_id = "otherid";
	answer_split();
	answer.copy[0].copy.kind = COPY_HELD;
	answer.copy[1].copy.kind = COPY_HELD;
	memcpy(answer.group, group, sizeof(group));
	assert_int_equal(go(), 0);
	store_stop();
	assert_int_equal(keystore_held_total(w.ks, &n, &octets, NULL), 0);
	assert_int_equal(n, 2);
	store_start();
}

static void quarantine_that_is_full_is_a_452(void **state)
{
	(void)state;
	with_quarantine("1M");
	w.config->quarantine.size = 10;
	hold_second();
	assert_int_equal(go(), -1);
	expect(452, "4.3.1");
	assert_int_equal(count(&stats.held), 0);
}

static void M24_no_quarantine_no_250(void **state)
{
	(void)state;
	hold_second();
	assert_int_equal(go(), -1);
	expect(451, "4.3.0");
}

/* ---- the front dies ---- */

static unsigned char keys[2 * JOURNAL_KEY];

static void open_line(struct store_line *l)
{
	const struct store_keys k = { keys, 2 };
	unsigned char said[2];

	memset(l, 0, sizeof(*l));
	memset(keys, 'a', JOURNAL_KEY);
	memset(keys + JOURNAL_KEY, 'b', JOURNAL_KEY);
	l->client = &client;
	l->wait.until_ms = clock_ms() + 20000;
	l->wait.tick_ms = 1000;
	l->wait.tick = tick;
	l->id = "front";
	if (store_line_open(l, &w.e) != 0 ||
	    store_line_claim(l, &k, said, &w.e) != 0)
		fail_msg("%s", w.e.msg);
	assert_int_equal(said[0], STORE_NEW);
}

/* What the store knows at last of both recipients. */
static void front_dies(bool lmtp, const char *answer_of_hop,
    enum journal_state first, enum journal_state second)
{
	const struct store_keys k = { keys, 2 };
	enum journal_state state;
	struct store_line l;
	int pair[2];

	open_line(&l);
	assert_int_equal(child_pair(SOCK_STREAM, pair, NULL), 0);
	if (store_line_sent(&l, &k, lmtp, pair[0], &w.e) != 0)
		fail_msg("%s", w.e.msg);
	close(pair[0]);
	store_line_close(&l);
	if (answer_of_hop != NULL)
		assert_true(write(pair[1], answer_of_hop,
		    strlen(answer_of_hop)) > 0);
	close(pair[1]);
	store_stop();
	assert_int_equal(journal_get(w.ks, keys, &state, NULL, NULL), 0);
	assert_int_equal(state, first);
	assert_int_equal(journal_get(w.ks, keys + JOURNAL_KEY, &state, NULL,
	    NULL), 0);
	assert_int_equal(state, second);
	store_start();
}

static void M24_store_reads_the_answer_when_the_front_is_dead(void **state)
{
	(void)state;
	front_dies(false, "250 2.0.0 queued\r\n", JOURNAL_DONE,
	    JOURNAL_DONE);
}

static void M24_store_reads_an_answer_of_many_lines(void **state)
{
	(void)state;
	front_dies(false, "250-2.0.0 queued\r\n250 2.0.0 yes\r\n221 bye\r\n",
	    JOURNAL_DONE, JOURNAL_DONE);
}

static void M24_store_reads_a_refusal(void **state)
{
	(void)state;
	front_dies(false, "552 5.3.4 too large\r\n", JOURNAL_NONE,
	    JOURNAL_NONE);
}

static void M24_store_reads_each_answer_of_lmtp(void **state)
{
	(void)state;
	front_dies(true, "250 2.0.0 ok\r\n452 4.2.2 full\r\n", JOURNAL_DONE,
	    JOURNAL_NONE);
}

static void M24_no_answer_is_not_known(void **state)
{
	(void)state;
	front_dies(false, NULL, JOURNAL_SENT, JOURNAL_SENT);
}

static void M24_nonsense_is_not_known(void **state)
{
	(void)state;
	front_dies(false, "hello\r\n250 ok\r\n", JOURNAL_SENT, JOURNAL_SENT);
}

static void M24_claims_are_nobody_elses(void **state)
{
	const struct store_keys k = { keys, 2 };
	struct store_line l, other;
	unsigned char said[2];

	(void)state;
	open_line(&l);
	other = l;
	assert_int_equal(store_line_open(&other, NULL), 0);
	assert_int_equal(store_line_claim(&other, &k, said, NULL), 0);
	assert_int_equal(said[0], STORE_BUSY);
	assert_int_equal(said[1], STORE_BUSY);
	store_line_close(&l);
	store_line_close(&other);
	store_stop();
	store_start();
	open_line(&l);
	store_line_close(&l);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(M24_held_copy_is_kept_once),
		T(M24_held_copy_is_found_again),
		T(M24_held_under_the_number_of_another_group),
		T(quarantine_that_is_full_is_a_452),
		T(M24_no_quarantine_no_250),
		T(M24_store_reads_the_answer_when_the_front_is_dead),
		T(M24_store_reads_an_answer_of_many_lines),
		T(M24_store_reads_a_refusal),
		T(M24_store_reads_each_answer_of_lmtp),
		T(M24_no_answer_is_not_known),
		T(M24_nonsense_is_not_known),
		T(M24_claims_are_nobody_elses),
	};

	return cmocka_run_group_tests_name("milter_journal", tests, NULL,
	    NULL);
}
