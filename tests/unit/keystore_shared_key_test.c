/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A62: one key for mail and for TLS, found when key or certificate comes.
 */
#include "tests/unit/keystore_import.h"

#include "keystore/keystore_int.h"

#define KEY "shared"

/* The same key in all of them. */
static const struct spec mail = { .san = "email:alice@example.com",
	.eku = "emailProtection", .key = KEY };
static const struct spec mail_client = { .san = "email:alice@example.com",
	.eku = "emailProtection,clientAuth", .key = KEY };
static const struct spec server = { .cn = "mx.example.com",
	.eku = "serverAuth", .key = KEY };
static const struct spec client = { .cn = "mx.example.com",
	.eku = "clientAuth", .key = KEY };
static const struct spec all = { .san = "email:alice@example.com",
	.eku = "emailProtection,serverAuth", .key = KEY };
static const struct spec any = { .san = "email:alice@example.com",
	.key = KEY };

static void put(const struct spec *s, bool key, struct buf *out)
{
	struct made m;

	cert_make(&m, s, NULL);
	put_cert_pem(&m, out);
	if (key)
		put_key_pem(&m, NULL, out);
	made_free(&m);
}

/* attack A62: one private key for a TLS server (or client) and for mail
 * verdict: the key is not taken, whichever certificate comes first */
static void A62_key_in_both(void **state)
{
	static const struct {
		const struct spec *first, *second;
		size_t keys;
	} cases[] = {
		{ &mail, &server, 0 },
		{ &server, &mail, 0 },
		{ &mail, &client, 0 },
		{ &mail_client, &client, 0 },
		{ &any, &server, 0 }, /* no EKU: good for mail */
		{ &all, NULL, 0 },
		{ &mail, NULL, 1 },
		{ &mail_client, NULL, 1 }, /* as public CAs issue them */
		{ &mail_client, &mail, 1 },
		{ &server, &client, 1 },
	};
	struct buf data;
	struct bench b;
	size_t i;

	(void)state;
	buf_init_secret(&data, 65536);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		bench_make(&b);
		buf_clear(&data);
		put(cases[i].first, true, &data);
		if (cases[i].second != NULL)
			put(cases[i].second, false, &data);
		assert_int_equal(run(&b, buf_view(&data)), 0);
		if (b.seen.keys != cases[i].keys)
			fail_msg("case %zu: %zu keys", i, b.seen.keys);
		if (cases[i].keys == 0)
			said(&b, "in a certificate for mail and in one for "
			    "TLS");
		assert_int_equal(stored(&b), cases[i].second != NULL ? 2 : 1);
		bench_clear(&b);
	}
	buf_free(&data);
}

/* attack A62: the key is here, and a certificate for the other use comes
 * verdict: the certificate is not taken */
static void A62_certificate_for_the_other_use(void **state)
{
	static const struct spec *const first[] = { &mail, &server };
	static const struct spec *const second[] = { &client, &mail };
	struct buf data;
	struct bench b;
	size_t i;

	(void)state;
	buf_init_secret(&data, 65536);
	for (i = 0; i < 2; i++) {
		bench_make(&b);
		buf_clear(&data);
		put(first[i], true, &data);
		assert_int_equal(run(&b, buf_view(&data)), 0);
		assert_int_equal(b.seen.keys, 1);
		buf_clear(&data);
		put(second[i], false, &data);
		assert_int_equal(run(&b, buf_view(&data)), -1);
		said(&b, "would be one for mail and for TLS");
		assert_int_equal(stored(&b), 1);
		bench_clear(&b);
	}
	buf_free(&data);
}

/* What partners do with their keys is not ours to say. */
static void certificates_of_others_are_taken(void **state)
{
	struct buf data;
	struct bench b;

	(void)state;
	bench_make(&b);
	buf_init_secret(&data, 65536);
	put(&mail, false, &data);
	put(&server, false, &data);
	assert_int_equal(run(&b, buf_view(&data)), 0);
	assert_int_equal(b.good, 2);
	assert_string_equal(b.seen.note, "for TLS only, not used for mail");
	buf_free(&data);
	bench_clear(&b);
}

static void for_tls_by_its_extended_key_usage(void **state)
{
	static const struct {
		const struct spec *s;
		bool tls;
	} cases[] = {
		{ &mail, false }, { &mail_client, false }, { &server, true },
		{ &client, true }, { &all, true }, { &any, false },
	};
	struct made m;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		cert_make(&m, cases[i].s, NULL);
		assert_int_equal(ks_is_for_tls(m.cert), cases[i].tls);
		made_free(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A62_key_in_both),
		cmocka_unit_test(A62_certificate_for_the_other_use),
		cmocka_unit_test(certificates_of_others_are_taken),
		cmocka_unit_test(for_tls_by_its_extended_key_usage),
	};

	return cmocka_run_group_tests_name("keystore_shared_key", tests,
	    NULL, NULL);
}
