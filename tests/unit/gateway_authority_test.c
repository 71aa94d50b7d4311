/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of gateway/authority.c: who may sign as whom, whose key may open.
 */
#include "tests/unit/gateway_world.h"

static struct world w;

static int make_world(void **state)
{
	struct buf b;
	char list[100];

	(void)state;
	world_make(&w);
	set_path(list, sizeof(list), w.dir, "list");
	write_text(list, "secretary ceo@example.com\n"
	    "shared @example.org info@example.com\n");
	buf_init(&b, 1000);
	buf_printf(&b, "recipient-delimiter +\nauthority file \"%s\"\n"
	    "sign-for printer@example.com network 192.0.2.8/32\n"
	    "sign-for @example.org network 2001:db8::/32\n", list);
	world_config(&w, buf_str(&b));
	buf_free(&b);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

struct row {
	const char *login, *ip, *as;
	bool may;
};

static const struct row row[] = {
	{NULL, NULL, "alice@example.com", false},
	{"", NULL, "alice@example.com", false},
	{NULL, "127.0.0.1", "alice@example.com", false}, /* A35 */
	{"alice@example.com", NULL, "alice@example.com", true},
	{"alice@EXAMPLE.com", NULL, "alice@example.com", true},
	{"Alice@example.com", NULL, "alice@example.com", false},
	{"alice", NULL, "alice@example.com", true},
	{"alice", NULL, "alice@example.org", true},
	{"alice", NULL, "alice@else.example", false}, /* not local */
	{"alice", NULL, "alice+x@example.com", false},
	{"alic", NULL, "alice@example.com", false},
	{"alicex", NULL, "alice@example.com", false},
	{"ALICE", NULL, "alice@example.com", false},
	{"bob", NULL, "ceo@example.com", false},
	{"secretary", NULL, "ceo@example.com", true},
	{"Secretary", NULL, "ceo@example.com", false},
	{"secretary", NULL, "cfo@example.com", false},
	{"shared", NULL, "anybody@example.org", true},
	{"shared", NULL, "anybody@example.com", false},
	{"shared", NULL, "anybody@sub.example.org", false},
	{"shared", NULL, "info@example.com", true},
	{NULL, "192.0.2.8", "printer@example.com", true},
	{NULL, "192.0.2.9", "printer@example.com", false},
	{NULL, "unknown", "printer@example.com", false},
	{NULL, "192.0.2.8", "alice@example.com", false},
	{"bob", "192.0.2.8", "printer@example.com", true},
	{NULL, "IPv6:2001:db8::1", "x@example.org", true},
};

/* attack A35: a local client or login signs as somebody else
 * verdict: no right, but by login, by the authority table or by an explicit
 * network */
static void S59_A35_T32_who_may_sign_as_whom(void **state)
{
	struct addr a, empty = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		assert_int_equal(addr_parse(&a, view_of(row[i].as), NULL), 0);
		if (authority_may_sign(w.config, row[i].login, row[i].ip,
		    &a) != row[i].may)
			fail_msg("row %zu: %s as %s", i,
			    row[i].login == NULL ? "nobody" : row[i].login,
			    row[i].as);
	}
	assert_false(authority_may_sign(w.config, "alice", NULL, &empty));
}

static void keys_process_asks_for_any_address_of_the_certificate(
    void **state)
{
	struct cert *c = world_issue(&w, "alice@example.com", "ec:p256",
	    KS_SIGN | KS_ENCRYPT, 0, 10);

	(void)state;
	assert_true(authority_may_sign_cert(w.config, "alice", NULL, c));
	assert_false(authority_may_sign_cert(w.config, "bob", NULL, c));
	assert_false(authority_may_sign_cert(w.config, NULL, NULL, c));
	cert_free(&c);
}

/* attack A9: ciphertext for one sent to another in the house
 * verdict: no right to a key but its own mailbox's */
static void A9_whose_key_may_open(void **state)
{
	struct {
		const char *to;
		bool may;
	} k[] = {
		{"alice@example.com", true},
		{"ALICE@example.com", true},
		{"alice+lists@example.com", true},
		{"alice@example.org", false},
		{"mallory@example.com", false},
		{"alicex@example.com", false},
	};
	struct cert *c = world_issue(&w, "alice@example.com", "ec:p256",
	    KS_SIGN | KS_ENCRYPT, 0, 10);
	struct cert *far;
	struct addr a[2] = {{{0}, 0, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		assert_int_equal(addr_parse(&a[1], view_of(k[i].to), NULL), 0);
		/* the first recipient cannot be read */
		assert_int_equal(authority_may_open(w.config, a, 2, c),
		    k[i].may);
		assert_false(authority_may_open(w.config, a, 1, c));
		assert_false(authority_may_open(w.config, a, 0, c));
	}
	/* our delimiter means nothing in other domains */
	far = world_issue(&w, "carol@else.example", "ec:p256",
	    KS_SIGN | KS_ENCRYPT, 0, 10);
	assert_int_equal(addr_parse(a, view_of("carol+x@else.example"), NULL),
	    0);
	assert_false(authority_may_open(w.config, a, 1, far));
	cert_free(&far);
	cert_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S59_A35_T32_who_may_sign_as_whom),
		cmocka_unit_test(
		    keys_process_asks_for_any_address_of_the_certificate),
		cmocka_unit_test(A9_whose_key_may_open),
	};

	return cmocka_run_group_tests_name("gateway_authority", tests,
	    make_world, end_world);
}
