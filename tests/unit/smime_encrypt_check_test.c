/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The self-check of encryption looks at all of the base64, wherever in the
 * message the odd octet is.
 */
#include "smime/encrypt.h"

#include "smime_help.h"
#include "testca.h"

static struct testca ca;
static struct testca_id p256;

static int setup(void **state)
{
	(void)state;
	testca_init(&ca);
	testca_issue(&ca, &(struct testca_leaf){ .key = "ec:P-256",
	    .mail = "bob@example.com" }, &p256);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	testca_id_free(&p256);
	testca_free(&ca);
	return 0;
}

static int check(struct view sealed, const struct enc_to *to, struct err *e)
{
	struct spool *s = spool_with(sealed);
	int rc = encrypt_self_check(s, to, 1, ENC_AES256_CBC, e);

	spool_free(&s);
	return rc;
}

static void S201_an_odd_octet_in_the_content_is_seen(void **state)
{
	static const char odd[] = "!-= \r\n\200";
	struct enc_to to = { .cert = p256.cert };
	struct spool *in = spool_empty(), *out = spool_empty();
	static unsigned char text[300000];
	struct err e = { 0 };
	struct buf b;

	(void)state;
	assert_int_equal(spool_write(in, text, sizeof(text), &e), 0);
	assert_int_equal(encrypt_entity(in, &to, 1, ENC_AES256_CBC, out, &e),
	    0);
	buf_init(&b, BIG);
	spool_get(out, &b);
	assert_int_equal(check(buf_view(&b), &to, &e), 0);
	for (size_t at = 2000; at + 200 < b.n; at += 7919) {
		for (const char *c = odd; *c != '\0'; c++) {
			unsigned char good = b.p[at];

			if (good == '\r' || good == '\n')
				continue;
			b.p[at] = (unsigned char)*c;
			assert_int_equal(check(buf_view(&b), &to, &e), -1);
			assert_int_equal(e.kind, FAIL_BUG);
			b.p[at] = good;
		}
	}
	assert_int_equal(check(buf_view(&b), &to, &e), 0);
	buf_free(&b);
	spool_free(&in);
	spool_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S201_an_odd_octet_in_the_content_is_seen),
	};

	return cmocka_run_group_tests_name("smime_encrypt_check", tests,
	    setup, teardown);
}
