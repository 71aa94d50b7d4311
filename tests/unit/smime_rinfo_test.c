/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * RecipientInfos that we never open: stepped over, but only when they are
 * well-formed to their ends, as libcrypto wants them.
 */
#include "smime/cms.h"

#include "smime_enveloped.h"

/* A KEKRecipientInfo (tag [2]) or PasswordRecipientInfo ([3]) that begins
 * with this element behind its version; is the object read? */
static bool reads_other(int tag, int first, struct view inside)
{
	struct buf ris, t;
	struct cms *c = NULL;
	struct err e = { 0 };
	bool ok;

	buf_init(&ris, BIG);
	buf_init(&t, BIG);
	put_tlv(&t, DER_INTEGER, view_make("\4", 1));
	put_tlv(&t, first, inside);
	put_alg(&t, OID_AES256_CBC, view_make(NULL, 0));
	put_tlv(&t, DER_OCTET_STRING, view_of("key"));
	put_tlv(&ris, tag, buf_view(&t));
	ok = read_enveloped(buf_view(&ris), &c, &e) == 0;
	assert_true(ok || e.kind == FAIL_INPUT);
	cms_free(&c);
	buf_free(&ris);
	buf_free(&t);
	return ok;
}

static void S96_other_recipients_are_followed_to_their_ends(void **state)
{
	static const struct {
		int tag, first;
		bool ok;
		const char *inside;
		size_t n;
	} rows[] = {
		/* keyIdentifier, date, OtherKeyAttribute */
		{ 2, DER_SEQUENCE, true, "\4\1x", 3 },
		{ 2, DER_SEQUENCE, true, "\4\1x\x18\1y", 6 },
		{ 2, DER_SEQUENCE, true, "\4\1x\x30\3\6\1*", 8 },
		{ 2, DER_SEQUENCE, true, "\4\1x\x30\5\6\1*\5\0", 10 },
		{ 2, DER_SEQUENCE, false, "\4\1x\x30\7\6\1*\5\0\5\0", 12 },
		{ 2, DER_SEQUENCE, false, "\4\1x\x30\3\4\1*", 8 },
		{ 2, DER_SEQUENCE, false, "\4\1x\x30\3\6\1*\x18\1y", 11 },
		{ 2, DER_SEQUENCE, false, "\2\1x", 3 },
		/* keyDerivationAlgorithm */
		{ 3, DER_CTX0, true, "\6\1*", 3 },
		{ 3, DER_CTX0, true, "\6\1*\5\0", 5 },
		{ 3, DER_CTX0, false, "\6\1*\5\0\5\0", 7 },
		{ 3, DER_CTX0, false, "\4\1*", 3 },
		{ 3, DER_CTX0, false, "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (reads_other(DER_CTX0 + rows[i].tag, rows[i].first,
		    view_make(rows[i].inside, rows[i].n)) != rows[i].ok)
			fail_msg("row %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    S96_other_recipients_are_followed_to_their_ends),
	};

	return cmocka_run_group_tests_name("smime_rinfo", tests, NULL, NULL);
}
