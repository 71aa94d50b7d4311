/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What we encrypt is not what we take for noise when we read it again: for
 * random trees, and octet for octet. Transit is in smime_damage_test.c.
 */
#include "gateway/noise.h"

#include "smime/canon.h"
#include "smime_trees.h"

/* -1: refused; else whether it is noise, and what is known of it. */
static int is_noise_after(struct view msg, struct canon_info *info)
{
	struct spool *in = spool_with(msg), *out = spool_empty();
	bool is_noise = false;
	struct err e;
	int rc;

	rc = canon_entity(in, 0, msg.n, out, info, &e);
	if (rc == 0)
		assert_int_equal(noise_look(out, &is_noise, &e), 0);
	else if (e.kind != FAIL_INPUT)
		fail_msg("%s", e.msg);
	spool_free(&in);
	spool_free(&out);
	return rc != 0 ? -1 : is_noise;
}

static void A1_random_trees_are_no_noise(void **state)
{
	struct canon_info info;
	size_t clear = 0, noise = 0;
	struct buf b;

	(void)state;
	tree_seed = 11;
	buf_init(&b, BIG);
	for (long i = trees_wanted(2000); i > 0; i--) {
		int r;

		put_random_mail(&b);
		r = is_noise_after(buf_view(&b), &info);
		clear += r == 0 && info.is_7bit;
		noise += r == 1;
		/* Only what may not be encoded, and is not in clear. */
		if (r == 1 && info.is_7bit) {
			keep_mutant(buf_view(&b));
			fail_msg("7-bit, and noise");
		}
	}
	print_message("# %zu clear, %zu noise\n", clear, noise);
	assert_true(clear > 1000);
	buf_free(&b);
}

static void A1_every_octet_of_text_comes_back(void **state)
{
	static const char *const head[] = {"", "Content-Type: text/plain\r\n",
	    "Content-Type: text/plain; charset=iso-8859-1\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n",
	    "Content-Type: application/x-foo\r\n",
	    "Content-Type: application/x-foo\r\n"
	    "Content-Transfer-Encoding: x-uuencode\r\n"};
	struct canon_info info;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < ARRAY_LEN(head); i++) {
		for (int c = 1; c < 256; c++) {
			/* what nobody can encode */
			if (i == 4 && (c < 32 || c == 127))
				continue;
			buf_clear(&b);
			buf_printf(&b, "Subject: x\r\n%s\r\nab", head[i]);
			buf_putc(&b, c);
			buf_puts(&b, "cd\r\n");
			if (is_noise_after(buf_view(&b), &info) != 0)
				fail_msg("octet %d behind %s", c, head[i]);
		}
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A1_random_trees_are_no_noise),
		cmocka_unit_test(A1_every_octet_of_text_comes_back),
	};

	return cmocka_run_group_tests_name("gateway_damage", tests, NULL,
	    NULL);
}
