/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Challenges and responses by which a CA proves an address (RFC 8823): in
 * both directions octet for octet, or refused by name, never in another form.
 */
#include "tests/unit/gateway_world.h"

#define ALICE "alice@example.com"
#define CA "acme@ca.example"
#define TOKEN "-----BEGIN ACME RESPONSE-----\n"                              \
	"LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0\n"                    \
	"-----END ACME RESPONSE-----\n"
#define RESPONSE "From: alice@example.com\nTo: acme@ca.example\n"            \
	"Subject: Re: ACME: LgYemJLy3F1LDkiJrdIGbEzyFJyOyf6vBdyZ1TG3sME=\n"  \
	"In-Reply-To: <1@ca.example>\nMIME-Version: 1.0\n"

static struct world w;

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, ALICE, "ec:p256");
	world_person(&w, CA, "ec:p256");
	return 0;
}

static int drop_world(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

static const char *const response[] = {
	RESPONSE "Content-Type: text/plain\n\n" TOKEN,
	/* a client that adds HTML, and words of its own */
	RESPONSE "Content-Type: multipart/alternative; boundary=b\n\n--b\n"
	    "Content-Type: text/plain\n\n" TOKEN "\n--b\n"
	    "Content-Type: text/html\n\n<p>x</p>\n--b--\n",
	"From: alice@example.com\nSubject: RE: re: Acme: x\n"
	    "Auto-Submitted: auto-replied; type=acme\n\nx\n",
};

static void S185_a_response_leaves_as_it_is(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign, encrypt or plain, protect-headers "
	    "shy\ninbound : verify\n");
	for (size_t i = 0; i < ARRAY_LEN(response); i++) {
		world_seal(&w, ALICE, CA, response[i]);
		assert_int_equal(w.v.class, CLASS_ACME);
		assert_int_equal(w.v.code, 0);
		assert_true(is_untouched(&w));
		assert_int_equal(w.v.edits, 0);
		assert_int_equal(w.key_ops, 0);
		assert_int_equal(w.v.rcpt[0].outcome, OUT_PLAIN);
	}
}

/* attack S185: mail that calls itself an ACME response, to somebody to whom
 * mail must be encrypted
 * verdict: refused by name, as any mail that cannot be sealed */
static void S185_S45_must_is_stronger(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign, encrypt\ninbound : verify\n");
	for (size_t i = 0; i < ARRAY_LEN(response); i++) {
		world_seal(&w, ALICE, CA, response[i]);
		assert_int_equal(w.v.code, 550);
		assert_non_null(strstr(w.v.text, "acme"));
	}
}

static void S185_a_challenge_comes_in_as_it_is(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign\n"
	    "inbound : decrypt, verify\n");
	world_open_view(&w, CA, ALICE, view_of("From: acme@ca.example\n"
	    "To: alice@example.com\nAuto-Submitted: auto-generated; type=acme"
	    "\nSubject: ACME: LgYemJLy3F1LDkiJrdIGbEzyFJyOyf6vBdyZ1TG3sME=\n"
	    "Reply-To: acme+1@ca.example\nContent-Type: text/plain\n\n"
	    "This is an automatically generated ACME challenge.\n"));
	assert_int_equal(w.v.class, CLASS_ACME);
	assert_int_equal(w.v.code, 0);
	assert_true(is_untouched(&w));
}

/* A subject alone makes nobody's letter a response. */
static void S185_what_only_looks_like_one(void **state)
{
	static const char *const text[] = {
		"From: alice@example.com\nSubject: ACME: lunch\n\nToday?\n",
		"From: alice@example.com\nSubject: the ACME: x\n\n" TOKEN,
		"From: alice@example.com\nSubject: Re: ACME\n"
		    "Auto-Submitted: auto-replied\n\nx\n",
		"From: alice@example.com\nSubject: ACME: x\n"
		    "Auto-Submitted: no\n\nx\n",
	};

	(void)state;
	world_rules(&w, "outbound : sign or plain, encrypt or plain\n"
	    "inbound : verify\n");
	for (size_t i = 0; i < ARRAY_LEN(text); i++) {
		world_seal(&w, ALICE, CA, text[i]);
		assert_int_not_equal(w.v.class, CLASS_ACME);
		assert_int_equal(w.v.action, ACT_REPLACED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S185_a_response_leaves_as_it_is),
		cmocka_unit_test(S185_S45_must_is_stronger),
		cmocka_unit_test(S185_a_challenge_comes_in_as_it_is),
		cmocka_unit_test(S185_what_only_looks_like_one),
	};

	return cmocka_run_group_tests_name("gateway_acme", tests, make_world,
	    drop_world);
}
