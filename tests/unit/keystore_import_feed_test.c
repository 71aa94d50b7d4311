/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 * runner: long
 *
 * Import in pieces: what is found does not depend on where a file is cut,
 * and it is stored whole or not at all, however long it is.
 */
#include "tests/unit/keystore_import.h"

static struct made alice, bob;

/* As the command does it: step octets more each time. */
static int run_steps(struct bench *b, struct view data, size_t step)
{
	struct import *im = NULL;
	size_t used, from = 0, to = 0;
	int rc;

	memset(&b->seen, 0, sizeof(b->seen));
	memset(&b->e, 0, sizeof(b->e));
	rc = import_begin(&im, b->ks, "file", &b->o, &b->e);
	while (rc == 0) {
		to = data.n - to < step ? data.n : to + step;
		rc = import_feed(im, view_sub(data, from, to - from),
		    to == data.n, &used, &b->e);
		from += used;
		assert_true(from <= to);
		if (to == data.n)
			break;
	}
	if (rc == 0)
		rc = import_keep(im, &b->good, &b->e);
	import_end(&im);
	return rc;
}

static void put_ldif(const struct made *m, struct buf *out)
{
	unsigned char text[8192];
	struct view der = cert_der(m->cert);
	int n = EVP_EncodeBlock(text, der.p, (int)der.n), i;

	buf_puts(out, "dn: cn=x,o=y\nuserCertificate;binary::\n");
	for (i = 0; i < n; i += 60)
		buf_printf(out, " %.60s\n", (char *)text + i);
	buf_puts(out, "userCertificate;binary:< http://ldap.example/x\n"
	    "jpegPhoto:: AAAA\n AAAA\n\n");
}

static const size_t steps[] = { 1, 2, 7, 64, 100, 500, 999, 100000 };

static void pem_cut_anywhere(void **state)
{
	struct buf data;
	struct bench b;
	size_t i;

	(void)state;
	buf_init(&data, 1u << 20);
	buf_puts(&data, "-----  no block\nSubject: CN = x\n");
	put_cert_pem(&alice, &data);
	buf_puts(&data, "-----BEGIN CERTIFICATE-----\nMIIB\n");
	put_cert_pem(&bob, &data);
	buf_puts(&data, "-----BEGIN NONSENSE-----\nAAAA\n"
	    "-----END NONSENSE-----\ntext\n");
	put_cert_pem(&alice, &data);
	data.n--; /* no newline at the end */
	for (i = 0; i < ARRAY_LEN(steps); i++) {
		bench_make(&b);
		assert_int_equal(run_steps(&b, buf_view(&data), steps[i]), 0);
		assert_int_equal(b.good, 3);
		assert_int_equal(b.seen.added, 2);
		assert_int_equal(b.seen.skipped, 2);
		assert_int_equal(stored(&b), 2);
		bench_clear(&b);
	}
	buf_free(&data);
}

static void ldif_cut_anywhere(void **state)
{
	struct buf data;
	struct bench b;
	size_t i;

	(void)state;
	buf_init(&data, 1u << 20);
	buf_puts(&data, "version: 1\n\n");
	put_ldif(&alice, &data);
	put_ldif(&bob, &data);
	for (i = 0; i < ARRAY_LEN(steps); i++) {
		bench_make(&b);
		assert_int_equal(run_steps(&b, buf_view(&data), steps[i]), 0);
		assert_int_equal(b.good, 2);
		assert_int_equal(b.seen.skipped, 2);
		said(&b, "http://ldap.example/x, which is not read");
		assert_int_equal(stored(&b), 2);
		bench_clear(&b);
	}
	buf_free(&data);
}

static void ldif_values_that_are_none(void **state)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		{ "userCertificate: text", "not base64 (RFC 2849)" },
		{ "userCertificate;binary::", "not base64 (RFC 2849)" },
		{ "usersmimecertificate:< file:///etc/shadow",
		    "value at the URL file:///etc/shadow, which" },
		{ "userPKCS12:< ftp://x/", "ftp://x/" },
		{ "cACertificate;binary:: MDAwMDAwMDAwMDAwMDAwMDAw",
		    "LDIF attribute: holds nothing that we know" },
	};
	struct buf data;
	struct bench b;
	size_t i;

	(void)state;
	buf_init(&data, 3u << 20);
	bench_make(&b);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&data);
		buf_printf(&data, "dn: cn=x\n%s\n", cases[i].line);
		assert_int_equal(run(&b, buf_view(&data)), -1);
		assert_int_equal(b.seen.skipped, 1);
		if (strstr(b.e.msg, cases[i].want) == NULL)
			fail_msg("%s: %s", cases[i].line, b.e.msg);
	}
	/* A photo of any size is no matter, a certificate of it is. */
	for (i = 0; i < 2; i++) {
		buf_clear(&data);
		buf_printf(&data, "dn: cn=x\n%s:: ", i == 0 ? "jpegPhoto" :
		    "userCertificate");
		while (data.n < (1u << 20) + 100)
			buf_puts(&data, "AAAAAAAAAAAAAAAAAAAAAAAA\n ");
		buf_puts(&data, "\n");
		put_ldif(&bob, &data);
		assert_int_equal(run(&b, buf_view(&data)), 0);
		assert_int_equal(b.good, 1);
		assert_int_equal(b.seen.skipped, 1 + i);
	}
	buf_free(&data);
	bench_clear(&b);
}

static void pair_of_two_cas(void **state)
{
	static const unsigned char head[] = { 0x30, 0x82, 0, 0, 0xa0, 0x82, 0,
		0 };
	struct view der = cert_der(alice.cert);
	struct buf data;
	struct bench b;

	(void)state;
	bench_make(&b);
	buf_init(&data, 65536);
	buf_put(&data, head, sizeof(head));
	buf_putv(&data, der);
	data.p[2] = (unsigned char)((der.n + 4) >> 8);
	data.p[3] = (unsigned char)(der.n + 4);
	data.p[6] = (unsigned char)(der.n >> 8);
	data.p[7] = (unsigned char)der.n;
	assert_int_equal(run(&b, buf_view(&data)), 0);
	assert_int_equal(b.good, 1);
	assert_int_equal(stored(&b), 1);
	data.p[8] = 0x31;
	assert_int_equal(run(&b, buf_view(&data)), -1);
	said(&b, "RFC 4523 2.3");
	buf_free(&data);
	bench_clear(&b);
}

/* More than is held between reading and storing; the key stands before all
 * of them. */
static void many_in_one_file(void **state)
{
	struct buf data;
	struct bench b;
	int i;

	(void)state;
	bench_make(&b);
	buf_init_secret(&data, 4u << 20);
	put_key_pem(&alice, NULL, &data);
	for (i = 0; i < 1000; i++)
		put_cert_pem(i % 2 == 0 ? &bob : &alice, &data);
	assert_int_equal(run_steps(&b, buf_view(&data), 5000), 0);
	assert_int_equal(b.good, 1001);
	assert_int_equal(b.seen.added, 3); /* the key is one of them */
	assert_int_equal(b.seen.keys, 1);
	assert_int_equal(stored(&b), 2);
	buf_free(&data);
	bench_clear(&b);
}

struct stopping {
	size_t left;
};

static int stop_later(void *arg, const char *file,
    const struct import_item *it)
{
	struct stopping *s = arg;

	(void)file;
	(void)it;
	return s->left-- == 0 ? -1 : 0;
}

/* In a transaction of somebody else, too: that goes on without the file. */
static void a_long_file_is_stored_whole_or_not(void **state)
{
	struct stopping s;
	struct buf data;
	struct bench b;
	int i;

	(void)state;
	bench_make(&b);
	buf_init(&data, 4u << 20);
	for (i = 0; i < 700; i++)
		put_cert_pem(&bob, &data);
	b.o.report = stop_later;
	b.o.arg = &s;
	s.left = 600;
	assert_int_equal(run_steps(&b, buf_view(&data), 5000), -1);
	assert_int_equal(b.e.kind, FAIL_INPUT);
	assert_int_equal(stored(&b), 0);
	must(keystore_begin(b.ks, e));
	s.left = 1;
	assert_int_equal(run_steps(&b, cert_der(alice.cert), 5000), 0);
	s.left = 600;
	assert_int_equal(run_steps(&b, buf_view(&data), 5000), -1);
	must(keystore_commit(b.ks, e));
	assert_int_equal(stored(&b), 1);
	buf_free(&data);
	bench_clear(&b);
}

/* attack A57: a file of more objects than anybody has
 * verdict: refused at the cap, nothing of it is stored */
static void A57_objects_in_a_file(void **state)
{
	struct bench b;
	struct buf data;
	size_t i;

	(void)state;
	bench_make(&b);
	b.o.report = NULL;
	buf_init(&data, 4 * CAP_IMPORT_OBJECTS);
	buf_putv(&data, cert_der(alice.cert));
	for (i = 1; i < CAP_IMPORT_OBJECTS; i++)
		buf_put(&data, "0\0", 2);
	assert_int_equal(run(&b, buf_view(&data)), 0);
	assert_int_equal(b.good, 1);
	must(keystore_remove(b.ks, cert_sha256(alice.cert), e));
	buf_put(&data, "0\0", 2);
	assert_int_equal(run(&b, buf_view(&data)), -1);
	assert_int_equal(b.e.kind, FAIL_LIMIT);
	assert_non_null(strstr(b.e.msg, "more than 1000000 objects"));
	assert_int_equal(stored(&b), 0);
	buf_free(&data);
	bench_clear(&b);
}

static void A57_keys_in_a_file(void **state)
{
	unsigned char *der = NULL;
	struct bench b;
	struct buf data;
	int n, i;

	(void)state;
	bench_make(&b);
	b.o.secret = view_make(NULL, 0);
	n = i2d_PrivateKey(alice.key, &der);
	assert_true(n > 0);
	buf_init_secret(&data, 4u << 20);
	buf_putv(&data, cert_der(alice.cert));
	for (i = 0; i < CAP_IMPORT_KEYS; i++)
		buf_put(&data, der, (size_t)n);
	assert_int_equal(run(&b, buf_view(&data)), 0);
	assert_int_equal(b.seen.skipped, CAP_IMPORT_KEYS);
	said(&b, "not taken here");
	must(keystore_remove(b.ks, cert_sha256(alice.cert), e));
	buf_put(&data, der, (size_t)n);
	assert_int_equal(run(&b, buf_view(&data)), -1);
	assert_int_equal(b.e.kind, FAIL_LIMIT);
	assert_int_equal(stored(&b), 0);
	OPENSSL_free(der);
	buf_free(&data);
	bench_clear(&b);
}

/* A known one is not parsed, and what was decided of it stays. */
static void known_ones_stay_as_they_are(void **state)
{
	static const struct {
		enum ks_state state;
		const char *note;
	} cases[] = {
		{ KS_USABLE, "" },
		{ KS_PENDING, "waits to be approved" },
		{ KS_DISTRUSTED, "distrusted" },
		{ KS_SUPERSEDED, "superseded" },
	};
	struct bench b;
	size_t i;

	(void)state;
	bench_make(&b);
	assert_int_equal(run(&b, cert_der(alice.cert)), 0);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		must(keystore_set_state(b.ks, cert_sha256(alice.cert),
		    cases[i].state, e));
		assert_int_equal(run(&b, cert_der(alice.cert)), 0);
		assert_int_equal(b.seen.added, 0);
		assert_string_equal(b.seen.what, "alice@example.com");
		assert_string_equal(b.seen.note, cases[i].note);
	}
	bench_clear(&b);
}

static int setup(void **state)
{
	const struct spec a = { .san = "email:alice@example.com" };
	const struct spec bb = { .san = "email:bob@example.com" };

	(void)state;
	cert_make(&alice, &a, NULL);
	cert_make(&bob, &bb, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	made_free(&alice);
	made_free(&bob);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ldif_values_that_are_none),
		cmocka_unit_test(A57_objects_in_a_file),
		cmocka_unit_test(A57_keys_in_a_file),
		cmocka_unit_test(pem_cut_anywhere),
		cmocka_unit_test(ldif_cut_anywhere),
		cmocka_unit_test(pair_of_two_cas),
		cmocka_unit_test(many_in_one_file),
		cmocka_unit_test(a_long_file_is_stored_whole_or_not),
		cmocka_unit_test(known_ones_stay_as_they_are),
	};

	return cmocka_run_group_tests_name("keystore_import_feed", tests,
	    setup, teardown);
}
