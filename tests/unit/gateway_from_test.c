/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Games with From, Sender and Reply-To (A22 to A24): whole headers over one
 * genuine signature, either the victim's, alice@example.com, or that of
 * eve@evil.example, who wants to be taken for her.
 */
#include "tests/unit/gateway_author.h"

static struct world w;
static struct authors who;
static struct buf by_alice, by_eve; /* the signed entities */

#define ALICE "alice@example.com"
#define EVE "eve@evil.example"

static void sign_as(struct buf *b, const struct name *names)
{
	struct cert *c = author_issue(&who, names, NULL);
	struct signature_of g = { .by = c };

	buf_init(b, BIG);
	buf_puts(b, author_text);
	author_sign(&who, &g, 1, false, b);
	cert_free(&c);
}

static int make_all(void **state)
{
	static const struct name alice[NAMES] = { NAME(SAN_MAIL, ALICE) };
	static const struct name eve[NAMES] = { NAME(SAN_MAIL, EVE) };

	(void)state;
	world_make(&w);
	authors_make(&who, &w);
	sign_as(&by_alice, alice);
	sign_as(&by_eve, eve);
	return 0;
}

static int end_all(void **state)
{
	(void)state;
	buf_free(&by_alice);
	buf_free(&by_eve);
	authors_end(&who);
	world_end(&w);
	return 0;
}

struct row {
	const char *fields; /* may hold NUL; without the last line end */
	size_t n;
	const char *result; /* of alice's signature, and of eve's */
	const char *result_eve;
};

#define ROW(fields, alice, eve) { fields, sizeof(fields) - 1, alice, eve }
/* Nobody is the author. */
#define NONE(value) ROW("From: " value, "policy", "policy")
#define BROKEN(value) ROW("From: " value, "permerror", "permerror")
#define IS_ALICE(value) ROW("From: " value, "pass", "policy")
#define IS_EVE(value) ROW("From: " value, "policy", "pass")

/* What may be in a From of one mailbox that all readers read alike. */
static const struct row honest[] = {
	IS_ALICE(ALICE),
	IS_ALICE("<" ALICE ">"),
	IS_ALICE("Alice <" ALICE ">"),
	IS_ALICE("Alice A. Doe <" ALICE ">"),
	IS_ALICE("\"Doe, Alice\" <" ALICE ">"),
	IS_ALICE("\"Alice \\\"A\\\" \\\\ Doe\" <" ALICE ">"),
	IS_ALICE("Alice (at work) <" ALICE ">"),
	IS_ALICE(ALICE " (Alice)"),
	IS_ALICE("(Alice (in (a nest))) " ALICE),
	IS_ALICE("Alice\r\n <" ALICE ">"),
	IS_ALICE("\r\n\t" ALICE),
	IS_ALICE("\t " ALICE " \t"),
	IS_ALICE("=?utf-8?q?Alice?= <" ALICE ">"),
	IS_ALICE("\303\204lice <" ALICE ">"),
	IS_ALICE("ALICE@EXAMPLE.COM"),
	IS_ALICE("\"alice\"@example.com"),
	ROW("from:" ALICE, "pass", "policy"),
	ROW("FROM: " ALICE, "pass", "policy"),
	ROW("Reply-To: " EVE "\r\nFrom: " ALICE, "pass", "policy"),
	ROW("Sender: " EVE "\r\nFrom: " ALICE, "pass", "policy"),
	ROW("Resent-From: " EVE "\r\nFrom: " ALICE, "pass", "policy"),
	/* it is still hers that count, not those in front of it */
	ROW("X-From: " EVE "\r\nFrom: " ALICE, "pass", "policy"),
	ROW("Subject: x\r\n From: " EVE "\r\nFrom: " ALICE, "pass",
	    "policy"),
};

/* Names that look like an address: eve is eve, and is reported so. */
static const struct row names[] = {
	IS_EVE("\"" ALICE "\" <" EVE ">"),
	IS_EVE("\"<" ALICE ">\" <" EVE ">"),
	IS_EVE("\"" ALICE "                                              "
	    "                                                  \" <" EVE ">"),
	IS_EVE("\"" ALICE "\\\"\" <" EVE ">"),
	IS_EVE("\"" ALICE ",\" <" EVE ">"),
	IS_EVE("=?utf-8?q?alice=40example.com?= <" EVE ">"),
	IS_EVE("=?utf-8?q?=3Calice=40example.com=3E?= <" EVE ">"),
	IS_EVE("=?utf-8?b?PGFsaWNlQGV4YW1wbGUuY29tPg==?= <" EVE ">"),
	IS_EVE("=?utf-8?q?=22alice=40example.com=22_?=\r\n"
	    " =?utf-8?q?=3Calice=40example.com=3E=00?= <" EVE ">"),
	IS_EVE("=?utf-8?q?alice=40example.com=0A?= <" EVE ">"),
	IS_EVE("(" ALICE ") " EVE),
	IS_EVE("(" ALICE ") <" EVE ">"),
	IS_EVE(EVE " (" ALICE ")"),
	IS_EVE(EVE " (<" ALICE ">)"),
	IS_EVE("(\\) <" ALICE ">) " EVE),
	IS_EVE("alice\357\274\240example.com <" EVE ">"),
	IS_EVE("alice\342\200\213\357\271\253example.com <" EVE ">"),
	ROW("From: " EVE "\r\nSender: " ALICE, "policy", "pass"),
	ROW("From: " EVE "\r\nReply-To: " ALICE, "policy", "pass"),
	ROW("From: Alice <" EVE ">\r\nReply-To: Alice <" ALICE ">\r\n"
	    "Sender: Alice <" ALICE ">", "policy", "pass"),
};

/* What two readers could read in two ways, or none reads. */
static const struct row odd[] = {
	/* nothing there */
	NONE(""),
	NONE(" \t "),
	NONE("<>"),
	NONE("\"\" <>"),
	NONE("Alice"),
	NONE("\"" ALICE "\""),
	NONE("(" ALICE ")"),
	NONE("=?utf-8?q?=3Calice=40example.com=3E?="),
	NONE("=?utf-8?q?alice=40example.com?="),
	NONE("=?utf-8?q?alice?=@example.com"),
	NONE("<=?utf-8?q?alice=40example.com?=>"),
	NONE("alice"),
	NONE("@example.com"),
	/* several mailboxes, also hidden ones */
	NONE(ALICE ", " EVE),
	NONE(EVE ", " ALICE),
	NONE(ALICE "," ALICE),
	NONE("Alice <" ALICE ">, Eve <" EVE ">"),
	NONE(ALICE ",\r\n " EVE),
	NONE(ALICE "; " EVE),
	NONE("<" ALICE "> <" EVE ">"),
	NONE("<" EVE "><" ALICE ">"),
	NONE(ALICE " <" EVE ">"),
	NONE(EVE " <" ALICE ">"),
	NONE(ALICE "                                                     "
	    "                                       <" EVE ">"),
	NONE("\"" ALICE "\" " EVE),
	NONE("Alice " ALICE),
	NONE("<" ALICE "> " EVE),
	NONE(ALICE ","),
	NONE("," ALICE),
	NONE(",," ALICE),
	/* groups */
	NONE("Friends: " ALICE ";"),
	NONE("Friends: " EVE ";"),
	NONE("Friends: " ALICE ", " EVE ";"),
	NONE("undisclosed-recipients:;"),
	NONE("Friends:; " ALICE),
	NONE("\"a\": <" ALICE ">;"),
	NONE("mailto:" ALICE),
	/* routes */
	NONE("<@evil.example:" ALICE ">"),
	NONE("<@example.com:" EVE ">"),
	NONE("<@example.com,@x.example:" EVE ">"),
	NONE("Alice <@evil.example:" ALICE ">"),
	NONE("@evil.example:" ALICE),
	/* comments and blanks inside of an address */
	NONE("alice(x)@example.com"),
	NONE("alice@(x)example.com"),
	NONE("alice@example(x).com"),
	NONE("alice @example.com"),
	NONE("alice@ example.com"),
	NONE("alice@example .com"),
	NONE("alice@example. com"),
	NONE("< " ALICE ">"),
	NONE("<" ALICE " >"),
	NONE("<alice\r\n @example.com>"),
	NONE("<alice@example.com\r\n >"),
	NONE("<alice@exam\r\n ple.com>"),
	NONE("<(x)" ALICE ">"),
	NONE("<" ALICE "(" EVE ")>"),
	/* brackets, quotes, comments without their other half */
	NONE("Alice <" ALICE),
	NONE("Alice " ALICE ">"),
	NONE("<<" ALICE ">>"),
	NONE("<" ALICE ">>"),
	NONE("\"Alice <" ALICE ">"),
	NONE("Alice\" <" ALICE ">"),
	NONE("\"Alice\\\" <" ALICE ">"),
	NONE("\"" ALICE "\\\" <" EVE ">"),
	NONE("(Alice <" ALICE ">"),
	NONE("Alice) <" ALICE ">"),
	NONE("(" ALICE " <" EVE ">"),
	NONE("(\\" ALICE ") (x <" EVE ">"),
	/* quoted pairs outside of quotes */
	NONE("alice\\@evil.example@example.com"),
	NONE("al\\ice@example.com"),
	NONE("<alice@example.com\\>"),
	/* two @, other hosts in the local part */
	NONE("alice@example.com@evil.example"),
	NONE("\"alice@example.com\"@evil.example"),
	NONE("alice%example.com@evil.example"),
	NONE("evil.example!alice@example.com"),
	NONE("\"" EVE "\"@example.com"),
	NONE("\" alice\"@example.com"),
	NONE("\"alice \"@example.com"),
	NONE("\"alice\\ \"@example.com"),
	/* dots */
	NONE("alice@example.com."),
	NONE("alice@.example.com"),
	NONE("alice@example..com"),
	NONE(".alice@example.com"),
	NONE("alice.@example.com"),
	/* octets that are no text; with NUL or a lone CR it is no
	 * header at all */
	BROKEN("alice@example.com\0 <" EVE ">"),
	BROKEN("\0" ALICE),
	BROKEN("alice\0@example.com"),
	BROKEN("\"\0\" <" ALICE ">"),
	NONE("\377 <" ALICE ">"),
	NONE("\"\300\200\" <" ALICE ">"),
	NONE("alice\300\200@example.com"),
	NONE("alice\342\200\256@example.com"),
	NONE("alice\342\200\213@example.com"),
	NONE("alice@ex\302\255ample.com"),
	NONE("alice\357\274\240example.com"),
	NONE("alice@example\343\200\202com"),
	NONE("alice@\357\275\205xample.com"),
	NONE("alice\033[2K@example.com"),
	NONE("\033[2K <" ALICE ">"),
	BROKEN("alice@example.com\r <" EVE ">"),
	BROKEN("Alice\r<" ALICE ">"),
	NONE("alice@[127.0.0.1]"),
	NONE("alice@192.0.2.1"),
	/* Sender is nobody's From */
	ROW("From:\r\nSender: " ALICE, "policy", "policy"),
	ROW("From: x@else.example\r\nSender: " ALICE "\r\nReply-To: " EVE,
	    "policy", "policy"),
};

/* How many From fields? RFC 5322 3.6 wants one. */
static const struct row fields[] = {
	ROW("Subject: x", "permerror", "permerror"),
	ROW("Sender: " ALICE, "permerror", "permerror"),
	ROW("Resent-From: " ALICE "\r\nReply-To: " ALICE, "permerror",
	    "permerror"),
	ROW("X: y\r\n From: " ALICE, "permerror", "permerror"),
	ROW("From: " ALICE "\r\nFrom: " EVE, "permerror", "permerror"),
	ROW("From: " EVE "\r\nFrom: " ALICE, "permerror", "permerror"),
	ROW("From: " ALICE "\r\nFrom: " ALICE, "permerror", "permerror"),
	ROW("From: " ALICE "\r\nfrom: " EVE, "permerror", "permerror"),
	ROW("FROM: " EVE "\r\nSubject: x\r\nFrom : " ALICE, "permerror",
	    "permerror"),
	ROW("From: " ALICE "\r\nFrom:", "permerror", "permerror"),
	ROW("From:\r\nFrom: " ALICE, "permerror", "permerror"),
	ROW("From: " ALICE "\r\nFrom\t: " EVE, "permerror", "permerror"),
};

static const char *step_of(const char *result)
{
	return strcmp(result, "pass") == 0 ? ""
	    : strcmp(result, "permerror") == 0 ? "S62" : "S74";
}

static void check(const struct row *x, const struct buf *entity,
    const char *signer, const char *result)
{
	struct buf b;

	buf_init(&b, BIG);
	buf_put(&b, x->fields, x->n);
	buf_puts(&b, "\r\n");
	author_open(&w, buf_view(&b), entity);
	buf_clear(&b);
	buf_printf(&b, "signed by %s, %s", signer, x->fields);
	author_expect(&w, buf_str(&b), result, step_of(result));
	if (strcmp(result, "pass") == 0) {
		assert_true(w.v.sig_from_match);
		assert_string_equal(w.v.sig_signer, signer);
		buf_clear(&b);
		buf_printf(&b, "body.smime-identifier=%s\r\n", signer);
		assert_true(has(&w, buf_str(&b)));
	} else {
		assert_false(has(&w, "body.smime-identifier"));
	}
	buf_free(&b);
}

static void check_all(const struct row *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		check(&x[i], &by_alice, ALICE, x[i].result);
		check(&x[i], &by_eve, EVE, x[i].result_eve);
	}
}

static void S79_A24_honest_authors_pass(void **state)
{
	(void)state;
	check_all(honest, ARRAY_LEN(honest));
}

/* attack A22: the name beside the address, a comment or another field shows
 * the victim's address
 * verdict: pass, for the signer's own address and nothing else */
static void A22_A24_names_and_comments_are_nobody(void **state)
{
	(void)state;
	check_all(names, ARRAY_LEN(names));
}

/* attack A22 A24: From is empty or such that one parser sees the victim and
 * another one the signer: groups, routes, comments, encoded words, several
 * mailboxes, unbalanced quotes, NUL, folds
 * verdict: policy at S74; permerror at S62 with NUL or a lone CR */
static void A22_A24_odd_authors_never_pass(void **state)
{
	(void)state;
	check_all(odd, ARRAY_LEN(odd));
}

/* attack A23: several From fields, or none
 * verdict: permerror at S62 */
static void A23_one_From_field(void **state)
{
	(void)state;
	check_all(fields, ARRAY_LEN(fields));
}

static void open_reason(const char *header, const struct buf *entity)
{
	struct buf b;

	buf_init(&b, BIG);
	buf_puts(&b, header);
	author_open(&w, buf_view(&b), entity);
	buf_free(&b);
	world_signature(&w, "policy", "S74");
}

/* attack A23: the signer is Sender, or one of several authors
 * verdict: policy at S74, and the reason says which */
static void S80_A23_the_reason_says_who_signed(void **state)
{
	(void)state;
	open_reason("From: " ALICE "\r\nSender: Eve <" EVE ">\r\n", &by_eve);
	assert_non_null(strstr(w.v.sig_reason, "matches Sender, " EVE
	    ", not From"));
	assert_false(w.v.sig_from_match);
	open_reason("From: " ALICE "\r\nSender: " EVE "\r\nSender: " EVE
	    "\r\n", &by_eve);
	assert_null(strstr(w.v.sig_reason, "Sender"));
	open_reason("From: " ALICE "\r\nSender: " EVE ", " ALICE "\r\n",
	    &by_eve);
	assert_null(strstr(w.v.sig_reason, "Sender"));
	open_reason("From: " ALICE "\r\nSender: x@else.example\r\n", &by_eve);
	assert_null(strstr(w.v.sig_reason, "Sender"));
	open_reason("From: " ALICE ", " EVE "\r\nSender: " EVE "\r\n",
	    &by_eve);
	assert_non_null(strstr(w.v.sig_reason, "more than one mailbox"));
	open_reason("From: a <" ALICE "\r\n", &by_eve);
	assert_non_null(strstr(w.v.sig_reason, "does not name exactly one"));
}

/* A From of many mailboxes, of a long name: no more than policy, or pass. */
static void A23_A24_long_authors(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BIG);
	buf_puts(&b, "From: " ALICE);
	for (int i = 0; i < 1000; i++)
		buf_puts(&b, ",\r\n " ALICE);
	buf_puts(&b, "\r\n");
	author_open(&w, buf_view(&b), &by_alice);
	world_signature(&w, "policy", "S74");
	buf_clear(&b);
	buf_puts(&b, "From: \"");
	for (int i = 0; i < 1000; i++)
		buf_puts(&b, ALICE "   \r\n ");
	buf_puts(&b, "\" <" EVE ">\r\n");
	author_open(&w, buf_view(&b), &by_eve);
	world_signature(&w, "pass", "");
	assert_string_equal(w.v.sig_signer, EVE);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S79_A24_honest_authors_pass),
		cmocka_unit_test(A22_A24_names_and_comments_are_nobody),
		cmocka_unit_test(A22_A24_odd_authors_never_pass),
		cmocka_unit_test(A23_one_From_field),
		cmocka_unit_test(S80_A23_the_reason_says_who_signed),
		cmocka_unit_test(A23_A24_long_authors),
	};

	return cmocka_run_group_tests_name("gateway_from", tests, make_all,
	    end_all);
}
