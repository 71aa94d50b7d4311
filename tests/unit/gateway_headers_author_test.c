/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Whose From comes out when the signature is odd: step 13 is asked again
 * for the inner author, and its word counts.
 */
#include "tests/unit/gateway_forge.h"
#include "tests/unit/gateway_split.h"

static struct world w;
static struct testca ca;
static struct testca_id alice, carol;

static const char inside[] = "Content-Type: text/plain; hp=\"clear\"\r\n"
    "From: Alice <alice@example.com>\r\nTo: bob@example.org\r\n"
    "Subject: Protected\r\n\r\nHello\r\n";

/* RFC 3183 3.1.2: signatureType, and a SEQUENCE of one id-sti-reviewSig or
 * id-sti-domainSig */
static const unsigned char type_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
    0x01, 0x09, 0x10, 0x02, 0x1c};
static const unsigned char review[] = {0x30, 0x0d, 0x06, 0x0b, 0x2a, 0x86,
    0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x09, 0x04};

static const unsigned char domain[] = {0x30, 0x0d, 0x06, 0x0b, 0x2a, 0x86,
    0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x09, 0x02};

#define LIST "From: Alice via list <list@x.example>\r\n"

static int make_world(void **state)
{
	static const struct testca_leaf a = {.key = "ec:P-256",
	    .mail = "alice@example.com"}, c = {.key = "ec:P-256",
	    .mail = "carol@example.com"};

	(void)state;
	world_make(&w);
	world_rules(&w, "outbound : pass\ninbound : decrypt, verify\n");
	testca_init(&ca);
	testca_issue(&ca, &a, &alice);
	testca_issue(&ca, &c, &carol);
	forge_trust(&w, ca.root.cert);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	testca_id_free(&alice);
	testca_id_free(&carol);
	testca_free(&ca);
	world_end(&w);
	return 0;
}

static struct forge by(const struct testca_id *id)
{
	struct forge f = {.id = id, .certs = {alice.cert, carol.cert,
	    ca.sub.cert}, .opaque = true, FEW};

	f.inside = view_make(inside, sizeof(inside) - 1);
	f.said = inside;
	return f;
}

static void expect_out(const char *restored, const char *from)
{
	assert_string_equal(buf_str(&w.v.restored), restored);
	if (!has(&w, from))
		fail_msg("no %s in\n%.*s", from, (int)w.out.n,
		    (const char *)w.out.p);
	assert_true(has(&w, "\r\n\r\nHello\r\n"));
}

static void S155_an_ordinary_signature_claims_From(void **state)
{
	struct forge f = by(&alice);

	(void)state;
	forge_open_as(&w, LIST, &f, 1);
	world_signature(&w, "pass", "");
	expect_out("From\nSubject\n",
	    "\r\nFrom: Alice <alice@example.com>\r\n");
	assert_string_equal(w.v.sig_signer, "alice@example.com");
}

/* attack A22: a review signature of alice's under her From inside
 * verdict: policy at S74, From outside stays */
static void S155_A22_a_review_signature_claims_nothing(void **state)
{
	const struct forge_attr type = {view_make(type_oid,
	    sizeof(type_oid)), view_make(review, sizeof(review)), AS_IS};
	struct forge f = by(&alice);

	(void)state;
	f.extra = &type;
	f.extra_n = 1;
	forge_open_as(&w, LIST, &f, 1);
	world_signature(&w, "policy", "S74");
	expect_out("", LIST);
	assert_true(has(&w, "Subject: Plans\r\n"));
	assert_false(w.v.sig_from_match);
}

/* Who may speak for carol by configuration, and did so, is not alice. */
static void S155_S168_a_claim_that_fails_changes_nothing(void **state)
{
	const struct forge_attr type = {view_make(type_oid,
	    sizeof(type_oid)), view_make(domain, sizeof(domain)), AS_IS};
	struct forge f = by(&alice);

	(void)state;
	world_config(&w, "speaks-for carol@example.com address "
	    "alice@example.com");
	world_rules(&w, "outbound : pass\ninbound : decrypt, verify\n");
	f.extra = &type;
	f.extra_n = 1;
	forge_open_as(&w, "From: carol@example.com\r\n", &f, 1);
	world_signature(&w, "pass", "");
	expect_out("", "\r\nFrom: carol@example.com\r\n");
	assert_true(has(&w, "signed for carol@example.com"));
	assert_false(w.v.sig_from_match);
	world_config(&w, NULL);
	world_rules(&w, "outbound : pass\ninbound : decrypt, verify\n");
}

/* attack A22: two signers, the author outside and the author inside
 * verdict: the one that counts is not moved to another author */
static void S155_A22_the_second_signer_claims_nothing(void **state)
{
	struct forge f[] = {by(&carol), by(&alice)};

	(void)state;
	forge_open_as(&w, "From: carol@example.com\r\n", f, 2);
	world_signature(&w, "pass", "");
	expect_out("Subject\n", "\r\nFrom: carol@example.com\r\n");
	assert_string_equal(w.v.sig_signer, "carol@example.com");
	assert_true(has(&w, "smime=pass (From inside differs)"));
}

/* attack A22: the inner author's signature beside one that is broken
 * verdict: fail at S70, nothing comes out of it */
static void S155_S76_a_broken_signature_beside_it(void **state)
{
	struct forge f[] = {by(&alice), by(&carol)};

	(void)state;
	f[1].wrong_signature = true;
	forge_open_as(&w, LIST, f, 2);
	world_signature(&w, "fail", "S70");
	assert_string_equal(buf_str(&w.v.restored), "");
	assert_true(has(&w, LIST));
}

/* attack A22: From is somebody else's, the signer's own stands inside; one
 * recipient's rule unwraps, the other one's stores it sealed as it arrived
 * verdict: whose From inside did not come out is not told that it is valid */
static void S155_A22_a_claim_is_for_one_copy_only(void **state)
{
	static const char *const to[] = {"bob@example.org dave@example.org",
	    "dave@example.org bob@example.org"};
	struct forge f = by(&alice);
	struct buf m, text;
	struct sink all = sink_to_buf(&text);

	(void)state;
	world_person(&w, "dave@example.org", "ec:p256");
	world_rules(&w, "outbound : pass\n"
	    "inbound to dave@example.org : verify, store-encrypted\n"
	    "inbound : decrypt, verify\n");
	forge_open_as(&w, "From: carol@example.com\r\n", &f, 1);
	buf_init(&text, BIG);
	assert_int_equal(spool_copy(w.msg, 0, spool_size(w.msg),
	    &all, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		split_open(&w, "alice@example.com", to[i], buf_view(&text));
		assert_int_equal(w.v.action, ACT_SPLIT);
		message_of(&w, "bob@example.org", &m);
		assert_true(buf_has(&m, "From: Alice <alice@example.com>"));
		assert_true(buf_has(&m, "smime=pass"));
		buf_free(&m);
		message_of(&w, "dave@example.org", &m);
		assert_true(buf_has(&m, "From: carol@example.com"));
		assert_false(buf_has(&m, "smime=pass"));
		buf_free(&m);
	}
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(S155_an_ordinary_signature_claims_From),
	    cmocka_unit_test(S155_A22_a_review_signature_claims_nothing),
	    cmocka_unit_test(S155_S168_a_claim_that_fails_changes_nothing),
	    cmocka_unit_test(S155_A22_the_second_signer_claims_nothing),
	    cmocka_unit_test(S155_S76_a_broken_signature_beside_it),
	    cmocka_unit_test(S155_A22_a_claim_is_for_one_copy_only),
	};

	return cmocka_run_group_tests_name("gateway_headers_author", tests,
	    make_world, end_world);
}
