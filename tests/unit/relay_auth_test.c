/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of the auth process: mechanisms, throttling, answers that do not tell
 * who is there. The lines that are logged meanwhile are read by
 * tests/e2e/relay_auth_test.py with the filter of contrib/fail2ban.
 */
#include "tests/unit/relay_auth.h"

#include <pthread.h>

#include "relay/auth_guard.h"
#include "smtp/base64.h"
#include "util/ossl.h"

/* ---- mechanisms ---- */

static void T21_plain_messages(void **state)
{
	static const struct {
		const char *name;
		struct view input;
		enum auth_result want;
	} t[] = {
		{ "right", V("\0alice@a.example\0" GOOD), AUTH_YES },
		{ "authzid the same", V("alice@a.example\0alice@a.example\0"
		    GOOD), AUTH_YES },
		{ "authzid another", V("bob\0alice@a.example\0" GOOD),
		    AUTH_NO },
		{ "authzid in other case", V("Alice@a.example\0"
		    "alice@a.example\0" GOOD), AUTH_NO },
		{ "wrong", V("\0alice@a.example\0wrong"), AUTH_NO },
		{ "unknown", V("\0eve\0" GOOD), AUTH_NO },
		{ "empty", V(""), AUTH_MALFORMED },
		{ "no NUL", V("alice"), AUTH_MALFORMED },
		{ "one NUL", V("alice\0" GOOD), AUTH_MALFORMED },
		{ "no name", V("\0\0" GOOD), AUTH_MALFORMED },
		{ "no password", V("\0alice@a.example\0"), AUTH_MALFORMED },
		{ "NUL in the password", V("\0alice@a.example\0staple\0x"),
		    AUTH_MALFORMED },
		{ "NUL behind", V("\0alice@a.example\0" GOOD "\0"),
		    AUTH_MALFORMED },
		{ "three", V("\0\0\0"), AUTH_MALFORMED },
	};
	struct world *w = *state;
	struct auth_answer a;
	struct from f = here;
	char ip[30];
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++) {
		(void)snprintf(ip, sizeof(ip), "192.0.2.%zu", i);
		f.ip = ip;
		if (begin(w, &f, MECH_PLAIN, t[i].input, &a) != t[i].want)
			fail_msg("%s: %d", t[i].name, (int)a.result);
		if (a.result == AUTH_YES)
			assert_string_equal(a.login, "alice@a.example");
		else
			assert_string_equal(a.login, "");
		assert_int_equal(a.delay_ms > 0, a.result == AUTH_NO);
	}
	/* without an initial response: an empty challenge first */
	assert_int_equal(begin(w, &here, MECH_PLAIN, view_make(NULL, 0),
	    NULL), AUTH_CHALLENGE);
	assert_string_equal(text, "");
	assert_int_equal(go_on(w, t[0].input, NULL), AUTH_YES);
	assert_int_equal(go_on(w, t[0].input, NULL), AUTH_LATER);
}

static void T21_login_messages(void **state)
{
	struct world *w = *state;
	struct auth_answer a;
	const struct view none = view_make(NULL, 0);

	assert_int_equal(begin(w, &here, MECH_LOGIN, none, NULL),
	    AUTH_CHALLENGE);
	assert_string_equal(text, "Username:");
	assert_int_equal(go_on(w, view_of("alice@a.example"), NULL),
	    AUTH_CHALLENGE);
	assert_string_equal(text, "Password:");
	assert_int_equal(go_on(w, view_of(GOOD), &a), AUTH_YES);
	assert_string_equal(a.login, "alice@a.example");
	/* the name as initial response */
	assert_int_equal(begin(w, &here, MECH_LOGIN,
	    view_of("alice@a.example"), NULL), AUTH_CHALLENGE);
	assert_string_equal(text, "Password:");
	assert_int_equal(go_on(w, view_of("wrong"), &a), AUTH_NO);
	/* nothing, and NUL */
	assert_int_equal(begin(w, &here, MECH_LOGIN, view_make("", 0), NULL),
	    AUTH_MALFORMED);
	assert_int_equal(begin(w, &here, MECH_LOGIN, view_of("eve"), NULL),
	    AUTH_CHALLENGE);
	assert_int_equal(go_on(w, view_make("a\0b", 3), NULL),
	    AUTH_MALFORMED);
	assert_int_equal(begin(w, &here, MECH_LOGIN, view_of("eve"), NULL),
	    AUTH_CHALLENGE);
	assert_int_equal(go_on(w, view_make("", 0), NULL), AUTH_MALFORMED);
	assert_int_equal(begin(w, &here, MECH_LOGIN, view_make("a\0b", 3),
	    NULL), AUTH_MALFORMED);
}

static void T31_external_takes_addresses_of_the_certificate(void **state)
{
	static const struct {
		const char *authzid, *identity;
		enum auth_result want;
	} t[] = {
		{ "", "alice@a.example", AUTH_YES },
		{ "alice@a.example", "alice@a.example", AUTH_YES },
		{ "alice@A.Example", "alice@a.example", AUTH_YES },
		{ "Alice@a.example", "alice@a.example", AUTH_NO },
		{ "bob@a.example", "alice@a.example", AUTH_NO },
		{ "alice", "alice@a.example", AUTH_NO },
		{ "alice@a.example ", "alice@a.example", AUTH_NO },
	};
	struct world *w = *state;
	struct auth_answer a;
	struct from f = { .listener = 2 };
	char ip[30];
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++) {
		(void)snprintf(ip, sizeof(ip), "192.0.2.%zu", i);
		f.ip = ip;
		f.identity = t[i].identity;
		if (begin(w, &f, MECH_EXTERNAL, view_of(t[i].authzid), &a)
		    != t[i].want)
			fail_msg("\"%s\": %d", t[i].authzid, (int)a.result);
		if (a.result == AUTH_YES)
			assert_string_equal(a.login, t[i].identity);
	}
	assert_int_equal(begin(w, &f, MECH_EXTERNAL, view_make("a\0b", 3),
	    NULL), AUTH_MALFORMED);
	/* RFC 4422 A: an empty challenge asks for it */
	assert_int_equal(begin(w, &f, MECH_EXTERNAL, view_make(NULL, 0),
	    NULL), AUTH_CHALLENGE);
	assert_int_equal(go_on(w, view_make("", 0), NULL), AUTH_YES);
	/* no certificate, no EXTERNAL */
	f.identity = NULL;
	assert_int_equal(begin(w, &f, MECH_EXTERNAL, view_make("", 0), NULL),
	    AUTH_MALFORMED);
}

/* The client's side of SCRAM, by the verifier's own arithmetic. */
static void scram_proof(const char *first_bare, const char *challenge,
    const char *password, struct buf *out)
{
	unsigned char salted[32], client[32], stored[32], sign[32];
	const char *s = strstr(challenge, ",s="), *i = strstr(challenge,
	    ",i=");
	struct buf salt, message;
	size_t k;

	buf_init(&salt, 100);
	buf_init(&message, 4096);
	assert_int_equal(base64_decode(&salt, view_make(s + 3,
	    (size_t)(i - s) - 3)), 0);
	assert_int_equal(tls_scram_salted(view_of(password),
	    buf_view(&salt), (unsigned)strtoul(i + 3, NULL, 10), salted,
	    NULL), 0);
	assert_int_equal(tls_scram_hmac(salted, 32, view_of("Client Key"),
	    client, NULL), 0);
	ossl_sha256(client, 32, stored);
	buf_printf(out, "c=biws,%.*s", (int)(s - challenge), challenge);
	buf_printf(&message, "%s,%s,%s", first_bare, challenge,
	    buf_str(out));
	assert_int_equal(tls_scram_hmac(stored, 32, buf_view(&message), sign,
	    NULL), 0);
	for (k = 0; k < 32; k++)
		client[k] ^= sign[k];
	buf_puts(out, ",p=");
	base64_encode(out, view_make(client, 32));
	buf_free(&salt);
	buf_free(&message);
}

static enum auth_result scram(struct world *w, const struct from *f,
    const char *login, const char *password, struct auth_answer *a)
{
	char first[300], challenge[1000];
	enum auth_result r;
	struct buf last;

	(void)snprintf(first, sizeof(first), "n,,n=%s,r=abcdef", login);
	r = begin(w, f, MECH_SCRAM, view_of(first), a);
	if (r != AUTH_CHALLENGE)
		return r;
	text_set(challenge, sizeof(challenge), text);
	buf_init(&last, 4096);
	scram_proof(first + 3, challenge, password, &last);
	r = go_on(w, buf_view(&last), a);
	buf_free(&last);
	return r;
}

static void scram_exchange(void **state)
{
	struct world *w = *state;
	struct auth_answer a;

	assert_int_equal(scram(w, &here, "alice@a.example", GOOD, &a),
	    AUTH_CHALLENGE);
	assert_int_equal(strncmp(text, "v=", 2), 0);
	assert_string_equal(a.login, "");
	assert_int_equal(go_on(w, view_make("", 0), &a), AUTH_YES);
	assert_string_equal(a.login, "alice@a.example");
	/* something where nothing has to be */
	assert_int_equal(scram(w, &here, "alice@a.example", GOOD, &a),
	    AUTH_CHALLENGE);
	assert_int_equal(go_on(w, view_of("x"), &a), AUTH_MALFORMED);
	assert_int_equal(scram(w, &here, "alice@a.example", "wrong", &a),
	    AUTH_NO);
	assert_string_equal(text, "");
	assert_int_equal(begin(w, &here, MECH_SCRAM, view_of("x"), NULL),
	    AUTH_MALFORMED);
	assert_int_equal(begin(w, &here, MECH_SCRAM, view_make(NULL, 0),
	    NULL), AUTH_CHALLENGE);
	assert_string_equal(text, "");
	assert_int_equal(go_on(w, view_of("n,,n=eve,r=abc"), NULL),
	    AUTH_CHALLENGE);
}

/* Tried: answers are compared to find out which logins there are
 * Answered: an unknown login, a wrong password and a login without verifier
 * get the same answers, delays and challenges
 */
static void T20_answers_do_not_tell_who_is_there(void **state)
{
	static const char *const logins[] = { "alice@a.example", "eve",
		"bob", "", "alice@a.example\x01", "m\xc3\xbcller" };
	struct world *w = *state;
	struct auth_answer a, first = { 0 };
	char ip[30], salt[2][1000];
	struct from f = here;
	size_t i, round;

	for (round = 0; round < 3; round++)
		for (i = 0; i < ARRAY_LEN(logins); i++) {
			if (logins[i][0] == '\0')
				continue;
			(void)snprintf(ip, sizeof(ip), "192.0.2.%zu", i);
			(void)plain(w, ip, logins[i], round == 0 ? "wrong" :
			    round == 1 ? "x" : "y", &a);
			if (i == 0)
				first = a;
			assert_int_equal(a.result, AUTH_NO);
			assert_int_equal(a.delay_ms, first.delay_ms);
			assert_string_equal(a.login, first.login);
		}
	/* SCRAM: the same form, and for one login always the same salt */
	for (i = 0; i < 2; i++) {
		f.ip = "198.51.100.1";
		assert_int_equal(begin(w, &f, MECH_SCRAM, i == 0 ?
		    view_of("n,,n=alice@a.example,r=abc") :
		    view_of("n,,n=eve,r=abc"), NULL), AUTH_CHALLENGE);
		text_set(salt[0], sizeof(salt[0]), strstr(text, ",s="));
		assert_int_equal(begin(w, &f, MECH_SCRAM, i == 0 ?
		    view_of("n,,n=alice@a.example,r=xyz") :
		    view_of("n,,n=eve,r=xyz"), NULL), AUTH_CHALLENGE);
		text_set(salt[1], sizeof(salt[1]), strstr(text, ",s="));
		assert_string_equal(salt[0], salt[1]);
		assert_int_equal(strlen(salt[0]), strlen(",s=,i=100000") +
		    24);
	}
	/* after a restart, too */
	auth_server_free(&w->server);
	assert_int_equal(auth_server_new(&w->server, &w->config, NULL), 0);
	assert_int_equal(begin(w, &f, MECH_SCRAM, view_of("n,,n=eve,r=abc"),
	    NULL), AUTH_CHALLENGE);
	assert_string_equal(strstr(text, ",s="), salt[1]);
}

static void T19_nothing_without_tls(void **state)
{
	struct world *w = *state;
	struct listener *l = &w->listener[0];
	char words[100];

	auth_mechanisms(l, false, true, words, sizeof(words));
	assert_string_equal(words, "");
	auth_mechanisms(l, true, false, words, sizeof(words));
	assert_string_equal(words, "PLAIN LOGIN SCRAM-SHA-256");
	auth_mechanisms(l, true, true, words, sizeof(words));
	assert_string_equal(words, "PLAIN LOGIN EXTERNAL SCRAM-SHA-256");
	auth_mechanisms(&w->listener[1], true, false, words, sizeof(words));
	assert_string_equal(words, "PLAIN");
	auth_mechanisms(&w->listener[2], true, true, words, sizeof(words));
	assert_string_equal(words, "EXTERNAL");
	auth_mechanisms(&w->listener[2], true, false, words, sizeof(words));
	assert_string_equal(words, "");
}

/* attack A72: a worker in wrong hands asks for what its listener has not
 * verdict: refused by the auth process, too, whatever the password
 */
static void A72_process_itself_refuses(void **state)
{
	struct world *w = *state;
	struct auth_question q = {
		.op = AUTH_OP_BEGIN, .number = 1, .mech = MECH_PLAIN,
		.has_input = true, .input = V("\0alice@a.example\0" GOOD),
	};
	char ip[] = "192.0.2.1";
	struct auth_answer a;

	q.ip = ip;
	a = ask_server(w, &q); /* no TLS */
	assert_int_equal(a.result, AUTH_MALFORMED);
	q.is_tls = true;
	a = ask_server(w, &q);
	assert_int_equal(a.result, AUTH_YES);
	q.number = 2;
	q.listener = 3; /* there is none */
	a = ask_server(w, &q);
	assert_int_equal(a.result, AUTH_MALFORMED);
	q.listener = 1;
	q.mech = MECH_LOGIN; /* not there */
	a = ask_server(w, &q);
	assert_int_equal(a.result, AUTH_MALFORMED);
	q.mech = MECH_EXTERNAL; /* without a certificate */
	a = ask_server(w, &q);
	assert_int_equal(a.result, AUTH_MALFORMED);
}

static void malformed_questions_are_faults(void **state)
{
	struct world *w = *state;
	struct auth_question q = {
		.op = AUTH_OP_BEGIN, .number = 1, .mech = MECH_PLAIN,
		.has_input = true, .input = V("\0a\0b"), .is_tls = true,
		.identities = 1,
	};
	char ip[] = "192.0.2.1", identity[] = "a@b.example";
	struct buf b, reply;
	struct err e;
	size_t n;

	q.ip = ip;
	q.identity[0] = identity;
	buf_init(&b, 4096);
	buf_init(&reply, 4096);
	auth_question_put(&b, &q);
	for (n = 0; n < b.n; n++) {
		memset(&e, 0, sizeof(e));
		if (auth_server_answer(w->server, view_make(b.p, n), &reply,
		    &e) == 0)
			fail_msg("taken: %zu of %zu octets", n, b.n);
		assert_int_equal(e.kind, FAIL_BUG);
	}
	buf_putc(&b, 0);
	assert_int_equal(auth_server_answer(w->server, buf_view(&b), &reply,
	    &e), -1);
	assert_int_equal(reply.n, 0);
	b.p[0] = 4;
	assert_int_equal(auth_server_answer(w->server, buf_view(&b), &reply,
	    &e), -1);
	buf_free(&b);
	buf_free(&reply);
}

/* attack A72: many begin a login and say nothing more, so that nobody else
 * can begin one
 * verdict: who is silent for longest loses his; all others go on
 */
static void T11_A72_silent_logins_keep_nobody_out(void **state)
{
	struct world *w = *state;
	struct auth_question q = { .op = AUTH_OP_CANCEL };
	const struct view none = view_make(NULL, 0);
	struct from f = here;
	char ip[30];
	size_t i;

	/* of one address */
	for (i = 0; i < 40; i++)
		assert_int_equal(begin(w, &here, MECH_LOGIN, none, NULL),
		    i < 32 ? AUTH_CHALLENGE : AUTH_LATER);
	/* another has room */
	f.ip = "192.0.2.2";
	assert_int_equal(begin(w, &f, MECH_LOGIN, none, NULL),
	    AUTH_CHALLENGE);
	/* what was called off makes room */
	q.number = 1;
	(void)ask_server(w, &q);
	assert_int_equal(begin(w, &here, MECH_LOGIN, none, NULL),
	    AUTH_CHALLENGE);
	for (i = 0; i < 2000; i++) {
		(void)snprintf(ip, sizeof(ip), "203.0.%zu.%zu", i / 200,
		    i % 200);
		f.ip = ip;
		assert_int_equal(begin(w, &f, MECH_LOGIN, none, NULL),
		    AUTH_CHALLENGE);
	}
	/* the last one is there, the first ones are not */
	assert_int_equal(go_on(w, view_of("alice"), NULL), AUTH_CHALLENGE);
	w->last = 2;
	assert_int_equal(go_on(w, view_of("alice"), NULL), AUTH_LATER);
}

static void input_that_is_too_long(void **state)
{
	struct world *w = *state;
	struct buf b;
	size_t n, i;

	for (n = AUTH_INPUT - 1; n <= AUTH_INPUT + 1; n++) {
		buf_init(&b, 2 * AUTH_INPUT);
		buf_put(&b, "\0eve\0", 5);
		for (i = b.n; i < n; i++)
			buf_putc(&b, 'x');
		assert_int_equal(begin(w, &here, MECH_PLAIN, buf_view(&b),
		    NULL), n <= AUTH_INPUT ? AUTH_NO : AUTH_MALFORMED);
		buf_free(&b);
	}
}

/* ---- guessing ---- */

/* Tried: passwords are guessed from one place
 * Answered: each wrong one is answered later than the one before, and after
 * ten nothing is tried any more: 454 4.7.0, the right one, too
 */
static void T23_guessing_is_slowed_and_stopped(void **state)
{
	struct world *w = *state;
	struct auth_answer a;
	int64_t delay = 0;
	char guess[30];
	int i;

	for (i = 0; i < GUARD_FAILURES; i++) {
		(void)snprintf(guess, sizeof(guess), "guess %d", i);
		assert_int_equal(plain(w, "192.0.2.1", "alice@a.example",
		    guess, &a), AUTH_NO);
		assert_true(a.delay_ms >= delay);
		assert_true(i == 0 || i > 4 || a.delay_ms == 2 * delay);
		delay = a.delay_ms;
	}
	assert_int_equal(delay, GUARD_DELAY_MAX_MS);
	assert_int_equal(plain(w, "192.0.2.1", "alice@a.example", GOOD, &a),
	    AUTH_THROTTLED);
	/* not before it is asked for a name, either */
	assert_int_equal(begin(w, &here, MECH_LOGIN, view_make(NULL, 0),
	    NULL), AUTH_THROTTLED);
	assert_int_equal(scram(w, &here, "alice@a.example", GOOD, &a),
	    AUTH_THROTTLED);
	/* others are not concerned */
	assert_int_equal(plain(w, "192.0.2.2", "alice@a.example", GOOD, &a),
	    AUTH_YES);
	assert_int_equal(a.delay_ms, 0);
}

/* Tried: who has a login of his own uses it between his guesses at
 * those of others
 * Answered: that clears nothing
 */
static void own_login_clears_nothing(void **state)
{
	struct world *w = *state;
	char guess[30];
	int i;

	for (i = 0; i < GUARD_FAILURES; i++) {
		(void)snprintf(guess, sizeof(guess), "guess %d", i);
		assert_int_equal(plain(w, "192.0.2.1", "bob", guess, NULL),
		    AUTH_NO);
		if (i + 1 < GUARD_FAILURES)
			assert_int_equal(plain(w, "192.0.2.1",
			    "alice@a.example", GOOD, NULL), AUTH_YES);
	}
	assert_int_equal(plain(w, "192.0.2.1", "alice@a.example", GOOD,
	    NULL), AUTH_THROTTLED);
}

static void old_password_again_and_again_is_one_guess(void **state)
{
	struct world *w = *state;
	struct auth_answer a;
	int i;

	for (i = 0; i < 3 * GUARD_FAILURES; i++) {
		assert_int_equal(plain(w, "192.0.2.1", "alice@a.example",
		    "of last year", &a), AUTH_NO);
		assert_int_equal(a.delay_ms, GUARD_DELAY_MS);
	}
	assert_int_equal(plain(w, "192.0.2.1", "alice@a.example", GOOD,
	    NULL), AUTH_YES);
}

/* attack A30: a login is written so that its log line names another address,
 * or begins another line
 * verdict: escaped, and behind the address (tests/e2e/relay_auth_test.py
 * reads these lines)
 */
static void A30_log_lines_cannot_be_forged(void **state)
{
	static const char *const logins[] = {
		"alice\r\npostseal: notice: event=auth-failed "
		"ip=203.0.113.66 listener=x",
		"x ip=203.0.113.66", "x\" ip=203.0.113.66 \"",
		"ip=203.0.113.66", "event=auth-failed ip=203.0.113.66",
		"\x1b[2Kevent=auth-failed ip=203.0.113.66 listener=a",
		"x\xe2\x80\xae" "203.0.113.66", "\\\" ip=203.0.113.66",
		"203.0.113.66",
	};
	struct world *w = *state;
	char ip[40];
	size_t i;

	for (i = 0; i < ARRAY_LEN(logins); i++) {
		(void)snprintf(ip, sizeof(ip), i % 2 == 0 ? "198.51.100.%zu" :
		    "2001:db8:%zu::7", i);
		assert_int_equal(plain(w, ip, logins[i], GOOD, NULL),
		    AUTH_NO);
	}
}

/* ---- several threads ---- */

#define THREADS 6

struct caller {
	pthread_t thread;
	struct world *w;
	unsigned number;
	size_t wrong; /* answers that are not as they should be */
};

static void expect(struct caller *c, const struct auth_question *q,
    enum auth_result want)
{
	struct auth_answer a;
	struct buf b, reply;

	buf_init(&b, 4096);
	buf_init(&reply, 4096);
	auth_answer_init(&a);
	auth_question_put(&b, q);
	if (auth_server_answer(c->w->server, buf_view(&b), &reply, NULL) !=
	    0 || auth_answer_get(&a, buf_view(&reply), NULL) != 0 ||
	    a.result != want)
		c->wrong++;
	auth_answer_free(&a);
	buf_free(&b);
	buf_free(&reply);
}

static void *log_in_and_out(void *arg)
{
	struct caller *c = arg;
	struct auth_question q = { .mech = MECH_LOGIN, .is_tls = true };
	char ip[30];
	int i;

	(void)snprintf(ip, sizeof(ip), "192.0.2.%u", c->number);
	q.ip = ip;
	for (i = 0; i < 10; i++) {
		q.number = c->number * 1000 + (unsigned)i;
		q.op = AUTH_OP_BEGIN;
		q.has_input = false;
		expect(c, &q, AUTH_CHALLENGE);
		q.op = AUTH_OP_GO_ON;
		q.has_input = true;
		q.input = view_of("alice@a.example");
		expect(c, &q, AUTH_CHALLENGE);
		q.input = view_of(i % 2 == 0 ? GOOD : "wrong");
		if (i % 3 == 2) {
			q.op = AUTH_OP_CANCEL;
			expect(c, &q, AUTH_LATER);
		} else
			expect(c, &q, i % 2 == 0 ? AUTH_YES : AUTH_NO);
		if (c->number == 1)
			auth_server_second(c->w->server);
	}
	return NULL;
}

static void several_threads_at_once(void **state)
{
	struct caller c[THREADS];
	size_t i;

	for (i = 0; i < THREADS; i++) {
		c[i] = (struct caller){ .w = *state,
		    .number = (unsigned)i + 1 };
		assert_int_equal(pthread_create(&c[i].thread, NULL,
		    log_in_and_out, &c[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		(void)pthread_join(c[i].thread, NULL);
		assert_int_equal(c[i].wrong, 0);
	}
}

static void server_that_cannot_start(void **state)
{
	struct world *w = *state;
	struct auth_server *s = NULL;
	struct err e = { 0 };
	char nowhere[] = "/nowhere/passwd";

	w->listener[1].auth.path = nowhere;
	assert_int_equal(auth_server_new(&s, &w->config, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	assert_non_null(strstr(e.msg, nowhere));
	assert_null(s);
	w->listener[1].auth.path = w->path;
}

static void dovecot_that_is_away_is_454(void **state)
{
	struct world *w = *state;
	char nowhere[] = "/nowhere/auth-client";
	struct auth_answer a;

	auth_server_free(&w->server);
	w->listener[0].auth.kind = AUTH_DOVECOT;
	w->listener[0].auth.path = nowhere;
	assert_int_equal(auth_server_new(&w->server, &w->config, NULL), 0);
	assert_int_equal(plain(w, "192.0.2.1", "alice", GOOD, &a),
	    AUTH_LATER);
	assert_int_equal(a.delay_ms, 0);
	assert_int_equal(begin(w, &here, MECH_SCRAM,
	    view_of("n,,n=alice,r=abc"), NULL), AUTH_LATER);
	/* it says nothing about the password: nothing is counted */
	w->listener[0].auth.kind = AUTH_PASSWD;
	w->listener[0].auth.path = w->path;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(malformed_questions_are_faults),
		IN_WORLD(T21_plain_messages),
		IN_WORLD(T21_login_messages),
		IN_WORLD(T31_external_takes_addresses_of_the_certificate),
		IN_WORLD(scram_exchange),
		IN_WORLD(T20_answers_do_not_tell_who_is_there),
		IN_WORLD(T19_nothing_without_tls),
		IN_WORLD(A72_process_itself_refuses),
		IN_WORLD(T11_A72_silent_logins_keep_nobody_out),
		IN_WORLD(input_that_is_too_long),
		IN_WORLD(T23_guessing_is_slowed_and_stopped),
		IN_WORLD(own_login_clears_nothing),
		IN_WORLD(old_password_again_and_again_is_one_guess),
		IN_WORLD(A30_log_lines_cannot_be_forged),
		IN_WORLD(several_threads_at_once),
		IN_WORLD(server_that_cannot_start),
		IN_WORLD(dovecot_that_is_away_is_454),
	};

	return cmocka_run_group_tests_name("relay_auth", tests, group_set_up,
	    group_tear_down);
}
