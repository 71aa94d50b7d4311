/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What rules demand of signatures holds whatever the message does to be
 * taken for another one: authors and recipients that cannot be read, fields
 * inside, objects that are no mail, layers in layers.
 */
#include "milter/wire.h"
#include "tests/unit/gateway_forge.h"

static struct world w;
static struct testca ca;
static struct testca_id alice, mallory;

#define ALICE "alice@example.com"
#define PLAIN_RULES "outbound : pass\ninbound : decrypt, verify\n"

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	testca_init(&ca);
	testca_issue(&ca, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = ALICE}, &alice);
	testca_issue(&ca, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = "mallory@evil.example"}, &mallory);
	forge_trust(&w, ca.root.cert);
	world_rules(&w, PLAIN_RULES);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	testca_id_free(&alice);
	testca_id_free(&mallory);
	testca_free(&ca);
	world_end(&w);
	return 0;
}

static void open_to(const char *from, const char *to)
{
	struct buf b;

	buf_init(&b, 1u << 20);
	buf_printf(&b, "%sTo: bob@example.org\nSubject: pay\n\nPay now\n",
	    from);
	world_open_view(&w, "x@evil.example", to, buf_view(&b));
	buf_free(&b);
}

/* attack A22 A24: an author whose mail must be signed, written so that it
 * cannot be read strictly, and no rule for him applies
 * verdict: every rule that may be meant counts: 550 5.7.1 */
static void A22_A24_S83_an_author_who_cannot_be_read(void **state)
{
	static const char *const from[] = {
		"From: treasurer@bank.example\n",
		"From: treasurer@bank.example\nFrom: treasurer@bank.example\n",
		"From: Treasurer <treasurer@bank.example>, x@evil.example\n",
		"From: \"Treasurer\" <treasurer@bank.example\n",
		"From: Treasurer: treasurer@bank.example;\n",
		"From: Treasurer <@x.example:treasurer@bank.example>\n",
		"From: Treasurer <treasurer@bank.example>,\n",
		"From: Treas\xfcrer <treasurer@bank.example>\n",
		"From: =?utf-8?q?Treasurer?= <treasurer @ bank.example>\n",
		"From: Treasurer (a) <treasurer@bank.example> (b\n",
		"From: treasurer@bank.example.\n", "From:\n", ""};

	(void)state;
	world_rules(&w, "outbound : pass\n"
	    "inbound from @bank.example : decrypt, verify or reject\n"
	    "inbound : decrypt, verify\n");
	for (size_t i = 0; i < ARRAY_LEN(from); i++) {
		open_to(from[i], FORGE_TO);
		if (w.v.code != 550 || strcmp(w.v.enhanced, "5.7.1") != 0)
			fail_msg("%d %s: %s", w.v.code, w.v.text, from[i]);
	}
	open_to("From: someone@else.example\n", FORGE_TO);
	assert_int_equal(w.v.code, 0);
	/* a rule whose other conditions do not hold is not meant */
	world_rules(&w, "outbound : pass\n"
	    "inbound from @bank.example to carol@example.com : "
	    "verify or reject\ninbound : decrypt, verify\n");
	open_to(from[2], FORGE_TO);
	assert_int_equal(w.v.code, 0);
	world_rules(&w, PLAIN_RULES);
}

/* attack A14 A24: a header beyond the caps, so that nobody reads its From
 * verdict: every rule that may be meant counts: 550 5.7.1 */
static void A14_A24_a_header_that_is_not_read(void **state)
{
	struct buf b;

	(void)state;
	world_rules(&w, "outbound : pass\n"
	    "inbound from @bank.example : decrypt, verify or reject\n"
	    "inbound : decrypt, verify\n");
	buf_init(&b, 8u << 20);
	buf_puts(&b, "From: treasurer@bank.example\n");
	for (int i = 0; i < CAP_HEADER_FIELDS; i++)
		buf_printf(&b, "X-%d: a\n", i);
	open_to(buf_str(&b), FORGE_TO);
	assert_int_equal(w.v.code, 550);
	buf_free(&b);
	world_rules(&w, PLAIN_RULES);
}

/* attack A55: a message on which workers die, so that rules are not asked
 * verdict: they are, by the envelope: 550 5.7.1; without a demand it is
 * delivered untouched with smime=permerror */
static void S83_A55_poisoned_mail_meets_the_demands(void **state)
{
	static const char *const rules[] = {
		"inbound from @bank.example : decrypt, verify or reject\n",
		"inbound to bob@example.org : decrypt, verify or reject\n",
		"inbound to carol@example.com : verify or reject\n",
		"inbound : decrypt, verify or quarantine\n#"};
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		buf_clear(&b);
		buf_printf(&b, "outbound : pass\n%sinbound : decrypt, "
		    "verify\n", rules[i]);
		world_rules(&w, buf_str(&b));
		world_envelope(&w, "x@evil.example", FORGE_TO);
		w.env.client_ip = "192.0.2.7";
		world_message(&w, "From: x@evil.example\n\nHello\n");
		verdict_free(&w.v);
		world_poisoned(&w);
		assert_string_equal(w.v.sig_result, "permerror");
		assert_int_equal(w.v.code, i < 2 ? 550 : 0);
		assert_int_equal(w.v.action == ACT_QUARANTINED, i == 3);
	}
	buf_free(&b);
	world_rules(&w, PLAIN_RULES);
}

/* attack A24 A47: a recipient whose mail must be signed, in a form that the
 * mail server reads and we do not
 * verdict: every rule that may be meant counts: 550 5.7.1 */
static void A24_A47_a_recipient_who_cannot_be_read(void **state)
{
	static const char *const to[] = {"bob@example.org",
		"@x.example:bob@example.org", "bob@example.org.",
		"b\\ob@example.org", "bob(x)@example.org",
		"bob%example.org@example.org"};

	(void)state;
	world_rules(&w, "outbound : pass\n"
	    "inbound to bob@example.org : decrypt, verify or reject\n"
	    "inbound : decrypt, verify\n");
	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		open_to("From: x@else.example\n", to[i]);
		if (w.v.code < 550)
			fail_msg("%d: %s", w.v.code, to[i]);
	}
	open_to("From: x@else.example\n", "carol@example.com");
	assert_int_equal(w.v.code, 0);
	world_rules(&w, PLAIN_RULES);
}

#define INSIDE                                                              \
	"Content-Type: text/plain; hp=\"clear\"\r\n"                        \
	"From: Alice <alice@example.com>\r\nTo: bob@example.org\r\n"        \
	"Subject: Protected\r\n\r\nHello\r\n"

static struct forge by_alice(const char *text)
{
	struct forge f = {.id = &alice, .certs = {alice.cert, ca.sub.cert},
	    .opaque = true, FEW};

	f.inside = view_of(text);
	f.said = text;
	return f;
}

/* attack A28: another From outside, so that the rule for the author inside,
 * who must not be revoked, is not asked
 * verdict: it is asked before From inside is taken; it stays inside */
static void S155_S73_A28_the_author_inside_has_rules_too(void **state)
{
	struct forge f = by_alice(INSIDE);

	(void)state;
	world_rules(&w, "outbound : pass\n"
	    "inbound from alice@example.com : decrypt, verify or reject, "
	    "revocation hard\ninbound : decrypt, verify\n");
	forge_open_as(&w, FORGE_FROM, &f, 1);
	assert_int_equal(w.v.code, 451); /* no CRL: not known */
	forge_open_as(&w, "From: Alice via <list@x.example>\r\n", &f, 1);
	world_signature(&w, "policy", "S74");
	assert_false(has(&w, "From: Alice <alice@example.com>"));
	assert_false(has(&w, "Subject: Protected"));
	world_rules(&w, PLAIN_RULES);
	forge_open_as(&w, "From: Alice via <list@x.example>\r\n", &f, 1);
	world_signature(&w, "pass", "");
	assert_true(has(&w, "From: Alice <alice@example.com>"));
}

/* attack A5 A12: a signature that cannot pass, whose revocation is not
 * known, in encrypted mail: does the reply tell that it was opened?
 * verdict: the same 550 as for any other mail that is not signed */
static void S73_S74_A5_others_are_not_deferred(void **state)
{
	struct forge f = {.id = &mallory, FEW, .certs = {mallory.cert,
	    ca.sub.cert}};

	(void)state;
	world_rules(&w, "outbound : pass\n"
	    "inbound : decrypt, verify or reject, revocation hard\n");
	forge_open(&w, &f, 1);
	assert_int_equal(w.v.code, 550);
	assert_string_equal(w.v.sig_step, "S74");
	f.id = &alice;
	f.certs[0] = alice.cert;
	forge_open(&w, &f, 1);
	assert_int_equal(w.v.code, 451);
	world_rules(&w, PLAIN_RULES);
}

/* attack A16: content that was changed, under a signature of a kind that is
 * not computed
 * verdict: policy; the layer stays, so that its reader sees it fail */
static void S68_A16_what_nobody_computed_is_not_unwrapped(void **state)
{
	struct forge f = by_alice("Content-Type: text/plain\r\n\r\nEVIL\r\n");

	(void)state;
	f.said = content;
	f.digest = OID_SHA1;
	forge_open(&w, &f, 1);
	world_signature(&w, "policy", "S68");
	assert_null(w.v.body);
	f.digest = 0;
	f.type = LEFT_OUT;
	forge_open(&w, &f, 1);
	world_signature(&w, "policy", "S67");
	assert_null(w.v.body);
}

/* attack A16 A34: a document that she signed once, as the body of a message
 * that she never wrote
 * verdict: policy at S65: what is signed is no mail */
static void S65_A16_a_document_is_no_mail(void **state)
{
	static const char *const doc[] = {"%PDF-1.4 I owe you 100",
		"I, Alice, owe the bearer 100 EUR.\r\n", ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(doc); i++) {
		struct forge f = by_alice(doc[i]);

		forge_open(&w, &f, 1);
		world_signature(&w, "policy", "S65");
		assert_false(has(&w, "smime-identifier"));
		assert_null(w.v.body);
	}
}

static const unsigned char type_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
	0x01, 0x09, 0x10, 0x02, 0x1c};
static const unsigned char review[] = {0x30, 0x0d, 0x06, 0x0b, 0x2a, 0x86,
	0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x09, 0x04};

/* attack A28: a signature that is not the author's word (a review) around
 * protected fields
 * verdict: policy at S74, nothing restored */
static void S154_A28_fields_need_the_authors_signature(void **state)
{
	const struct forge_attr type = {view_make(type_oid,
	    sizeof(type_oid)), view_make(review, sizeof(review)), AS_IS};
	struct forge f = by_alice(INSIDE);

	(void)state;
	f.extra = &type;
	f.extra_n = 1;
	forge_open_as(&w, FORGE_FROM, &f, 1);
	world_signature(&w, "policy", "S74");
	assert_false(has(&w, "Subject: Protected"));
	assert_true(has(&w, "Subject: Plans"));
}

/* attack A41: multipart/signed without protocol under a transfer encoding
 * that nobody knows
 * verdict: permerror at S62, as with protocol */
static void S62_A41_encodings_of_the_whole(void **state)
{
	static const char *const type[] = {"boundary=b", "boundary=b; "
	    "protocol=\"application/pkcs7-signature\""};
	const struct forge f = {.id = &alice, FEW, .certs = {alice.cert,
	    ca.sub.cert}};
	struct buf der, b, top;

	(void)state;
	buf_init(&der, BIG);
	buf_init(&b, BIG);
	buf_init(&top, BIG);
	make_signed(&f, 1, &der);
	for (size_t i = 0; i < ARRAY_LEN(type); i++) {
		buf_clear(&top);
		buf_printf(&top, FORGE_FROM FORGE_TOP "Content-Type: "
		    "multipart/signed; %s\r\n"
		    "Content-Transfer-Encoding: x-uuencode\r\n", type[i]);
		forge_clear(&b, buf_str(&top), view_of(content),
		    buf_view(&der));
		world_open_view(&w, ALICE, FORGE_TO, buf_view(&b));
		world_signature(&w, "permerror", "S62");
	}
	buf_free(&der);
	buf_free(&b);
	buf_free(&top);
}

/* attack A14: as many Content- fields outside and inside as are read: more
 * edits than the front takes from a worker would look like a dead one
 * verdict: rebuilt; the front takes twice the fields of a header */
static void A14_fields_of_two_headers(void **state)
{
	struct forge f = by_alice("");
	struct buf inside, b, der;

	(void)state;
	buf_init(&inside, BIG);
	buf_init(&b, BIG);
	buf_init(&der, BIG);
	buf_puts(&b, FORGE_FROM);
	for (int i = 0; i < CAP_HEADER_FIELDS - 1; i++)
		buf_printf(&inside, "Content-X%d: a\r\n", i);
	for (int i = 0; i < CAP_HEADER_FIELDS - 3; i++)
		buf_printf(&b, "Content-Y%d: a\r\n", i);
	buf_puts(&inside, "Content-Type: text/plain\r\n\r\nHello\r\n");
	f.inside = buf_view(&inside);
	f.said = buf_str(&inside);
	make_signed(&f, 1, &der);
	forge_opaque(&inside, buf_str(&b), buf_view(&der));
	world_open_view(&w, ALICE, FORGE_TO, buf_view(&inside));
	world_signature(&w, "pass", "");
	assert_non_null(w.v.body);
	assert_in_range(w.v.edits, 2 * CAP_HEADER_FIELDS, WIRE_EDITS_MAX);
	buf_free(&inside);
	buf_free(&b);
	buf_free(&der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A22_A24_S83_an_author_who_cannot_be_read),
		cmocka_unit_test(A14_A24_a_header_that_is_not_read),
		cmocka_unit_test(S83_A55_poisoned_mail_meets_the_demands),
		cmocka_unit_test(A24_A47_a_recipient_who_cannot_be_read),
		cmocka_unit_test(S155_S73_A28_the_author_inside_has_rules_too),
		cmocka_unit_test(S73_S74_A5_others_are_not_deferred),
		cmocka_unit_test(
		    S68_A16_what_nobody_computed_is_not_unwrapped),
		cmocka_unit_test(S65_A16_a_document_is_no_mail),
		cmocka_unit_test(S154_A28_fields_need_the_authors_signature),
		cmocka_unit_test(S62_A41_encodings_of_the_whole),
		cmocka_unit_test(A14_fields_of_two_headers),
	};

	return cmocka_run_group_tests_name("gateway_demand", tests,
	    make_world, end_world);
}
