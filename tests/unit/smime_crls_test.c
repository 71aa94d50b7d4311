/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * CRLs inside of a CMS object: counted, left out when they are large, never
 * more than octets.
 */
#include "smime/cms.h"

#include "smime/oid.h"
#include "smime_help.h"

/* SignedData without signers, with n CRLs whose element [1] has this many
 * octets in all. */
static void make_signed(struct buf *b, size_t n, size_t octets)
{
	struct buf t, fill;

	buf_init(&t, 64u << 20);
	buf_init(&fill, 64u << 20);
	buf_clear(b);
	put_tlv(b, DER_INTEGER, view_make("\1", 1));
	put_tlv(b, DER_SET, view_make(NULL, 0));
	put_tlv(&t, DER_OID, oid_view(OID_DATA));
	put_tlv(b, DER_SEQUENCE, buf_view(&t));
	buf_clear(&t);
	for (size_t i = 1; i < n; i++)
		buf_put(&t, "\x30\0", 2);
	/* two headers of five octets, [1] and SEQUENCE, one of the string */
	assert_non_null(buf_room(&fill, octets));
	fill.n = octets - t.n - 15;
	memset(fill.p, 'x', fill.n);
	wrap_buf(&fill, DER_OCTET_STRING);
	wrap_buf(&fill, DER_SEQUENCE);
	buf_putv(&t, buf_view(&fill));
	wrap_buf(&t, DER_CTX0 + 1);
	assert_int_equal(t.n, octets);
	buf_putv(b, buf_view(&t));
	put_tlv(b, DER_SET, view_make(NULL, 0));
	wrap_buf(b, DER_SEQUENCE);
	wrap_buf(b, DER_CTX0);
	buf_clear(&t);
	put_tlv(&t, DER_OID, oid_view(OID_SIGNED_DATA));
	buf_putv(&t, buf_view(b));
	buf_clear(b);
	put_tlv(b, DER_SEQUENCE, buf_view(&t));
	assert_int_equal(buf_ok(b, NULL), 0);
	buf_free(&t);
	buf_free(&fill);
}

static void A58_crls_of_more_than_1_mib_are_left_out(void **state)
{
	static const struct {
		size_t n, octets;
		bool is_kept;
	} rows[] = {
		{ 1, CAP_CMS_CRL_SIZE - 1, true },
		{ 1, CAP_CMS_CRL_SIZE, true },
		{ 1, CAP_CMS_CRL_SIZE + 1, false },
		{ CAP_CMS_CRLS, CAP_CMS_CRL_SIZE, true },
		{ CAP_CMS_CRLS, CAP_CMS_CRL_SIZE + 1, false },
		/* more than a skeleton may have */
		{ 1, CAP_CMS_SKELETON + (1u << 20), false },
	};
	struct cms *c = NULL;
	struct err e = { 0 };
	struct buf b;

	(void)state;
	buf_init(&b, 64u << 20);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		make_signed(&b, rows[i].n, rows[i].octets);
		if (read_der(&c, buf_view(&b), &e) != 0)
			fail_msg("row %zu: %s", i, e.msg);
		assert_int_equal(cms_type(c), CMS_SIGNED);
		assert_int_equal(cms_signers(c), 0);
		assert_int_equal(cms_skeleton(c).n > rows[i].octets,
		    rows[i].is_kept);
		assert_true(rows[i].is_kept || cms_skeleton(c).n < 200);
		cms_free(&c);
	}
	buf_free(&b);
}

static void A58_nine_crls_are_too_many_whatever_their_size(void **state)
{
	static const size_t octets[] = { 70000, CAP_CMS_CRL_SIZE + 1 };
	struct cms *c = NULL;
	struct err e = { 0 };
	struct buf b;

	(void)state;
	buf_init(&b, 64u << 20);
	for (size_t i = 0; i < ARRAY_LEN(octets); i++) {
		make_signed(&b, CAP_CMS_CRLS + 1, octets[i]);
		assert_int_equal(read_der(&c, buf_view(&b), &e), -1);
		assert_int_equal(e.kind, FAIL_LIMIT);
		assert_non_null(strstr(e.msg, "more than 8 elements in crls"));
		err_clear(&e);
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A58_crls_of_more_than_1_mib_are_left_out),
		cmocka_unit_test(
		    A58_nine_crls_are_too_many_whatever_their_size),
	};

	return cmocka_run_group_tests_name("smime_crls", tests, NULL, NULL);
}
