/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The small CA, and what leaves the store: PEM and PKCS#12.
 */
#include "tests/unit/keystore_util.h"

#include <time.h>

#include <openssl/pem.h>
#include <openssl/pkcs12.h>

static struct ca_request request(const char *email, const char *algorithm,
    unsigned use)
{
	struct ca_request rq = { .algorithm = algorithm, .use = use,
	    .days = 30 };

	rq.email = address(email);
	return rq;
}

static struct keystore *with_ca(struct place *p)
{
	struct keystore *ks = store_make(p);

	must(ca_init(ks, secret_view(), "test CA", e));
	return ks;
}

static void faults(void **state)
{
	struct ca_request rq = request("alice@example.com", "ec:p256",
	    KS_SIGN);
	char name[70];
	struct keystore *ks;
	struct cert *c;
	struct place p;

	(void)state;
	ks = store_make(&p);
	must_fail(ca_issue(ks, secret_view(), &rq, &c, e), FAIL_CONFIG);
	assert_null(c);
	must_fail(ca_init(ks, secret_view(), "", e), FAIL_INPUT);
	memset(name, 'x', sizeof(name));
	name[65] = '\0';
	must_fail(ca_init(ks, secret_view(), name, e), FAIL_INPUT);
	must_fail(ca_init(ks, view_of("short"), "test", e), FAIL_CONFIG);
	name[64] = '\0';
	must(ca_init(ks, secret_view(), name, e));
	must_fail(ca_init(ks, secret_view(), "again", e), FAIL_CONFIG);
	rq.algorithm = "rsa:1024";
	must_fail(ca_issue(ks, secret_view(), &rq, &c, e), FAIL_INPUT);
	rq.algorithm = "dsa";
	must_fail(ca_issue(ks, secret_view(), &rq, &c, e), FAIL_INPUT);
	rq.algorithm = "ec:p256";
	rq.days = -1;
	must_fail(ca_issue(ks, secret_view(), &rq, &c, e), FAIL_INPUT);
	rq.days = 3653;
	must_fail(ca_issue(ks, secret_view(), &rq, &c, e), FAIL_INPUT);
	rq.days = 30;
	rq.use = 0;
	must_fail(ca_issue(ks, secret_view(), &rq, &c, e), FAIL_INPUT);
	rq.use = KS_SIGN;
	must_fail(ca_issue(ks, view_of("wrong"), &rq, &c, e), FAIL_CONFIG);
	store_clear(&p, &ks);
}

static void check_issue(struct keystore *ks, const char *algorithm,
    unsigned use, unsigned want_ku)
{
	struct ca_request rq = request("alice@example.com", algorithm, use);
	struct addr a = address("alice@example.com");
	struct selection sel;
	struct cert *c;

	must(ca_issue(ks, secret_view(), &rq, &c, e));
	assert_string_equal(cert_key_name(c), algorithm);
	assert_int_equal(cert_ku(c), want_ku);
	assert_true(cert_eku_mail(c));
	assert_false(cert_is_ca(c));
	assert_true(cert_has_address(c, &a, ADDR_EXACT));
	assert_int_equal(cert_bad_addresses(c), 0);
	assert_in_range(cert_not_after(c) - cert_not_before(c), 30 * DAY,
	    30 * DAY);
	must(keystore_select(ks, &a, use, (int64_t)time(NULL), &sel, e));
	assert_non_null(sel.cert);
	assert_memory_equal(cert_sha256(sel.cert), cert_sha256(c), 32);
	selection_free(&sel);
	must(keystore_remove(ks, cert_sha256(c), e));
	cert_free(&c);
}

static void S55_issued_certificates_serve_at_once(void **state)
{
	struct keystore *ks;
	struct place p;

	(void)state;
	ks = with_ca(&p);
	check_issue(ks, "rsa:2048", KS_SIGN, CERT_KU_SIGN);
	check_issue(ks, "rsa:2048", KS_SIGN | KS_ENCRYPT,
	    CERT_KU_SIGN | CERT_KU_ENCIPHER);
	check_issue(ks, "ec:p256", KS_ENCRYPT, CERT_KU_AGREE);
	check_issue(ks, "ec:p256", KS_SIGN | KS_ENCRYPT,
	    CERT_KU_SIGN | CERT_KU_AGREE);
	check_issue(ks, "ec:p384", KS_SIGN, CERT_KU_SIGN);
	store_clear(&p, &ks);
}

static void odd_addresses(void **state)
{
	static const char *const odd[] = {
		"j\xc3\xb6rg@example.com",
		"o'hara,DNS:evil.example@example.com",
		"a-local-part-that-is-quite-long-but-allowed@a-domain-that-is"
		"-rather-long-too.example.com",
	};
	struct keystore *ks;
	struct ca_request rq;
	struct cert *c;
	struct addr a;
	struct place p;
	size_t i;

	(void)state;
	ks = with_ca(&p);
	for (i = 0; i < ARRAY_LEN(odd); i++) {
		if (addr_parse(&a, view_of(odd[i]), NULL) != 0)
			continue; /* refused before it comes here */
		rq = request(odd[i], "ec:p256", KS_SIGN);
		must(ca_issue(ks, secret_view(), &rq, &c, e));
		assert_int_equal(cert_addresses(c), 1);
		assert_string_equal(cert_address(c, 0)->text, a.text);
		assert_int_equal(cert_address(c, 0)->utf8, a.utf8);
		cert_free(&c);
	}
	store_clear(&p, &ks);
}

static void expired_ones_for_tests(void **state)
{
	struct ca_request rq = request("alice@example.com", "ec:p256",
	    KS_SIGN);
	struct addr a = address("alice@example.com");
	struct selection sel;
	struct keystore *ks;
	struct cert *c;
	struct place p;

	(void)state;
	ks = with_ca(&p);
	rq.not_before = (int64_t)time(NULL) - 60 * DAY;
	must(ca_issue(ks, secret_view(), &rq, &c, e));
	cert_free(&c);
	must(keystore_select(ks, &a, KS_SIGN, (int64_t)time(NULL), &sel, e));
	assert_null(sel.cert);
	assert_non_null(strstr(sel.over[0].reason, "expired on"));
	selection_free(&sel);
	store_clear(&p, &ks);
}

static void never_longer_than_the_ca(void **state)
{
	struct ca_request rq = request("alice@example.com", "ec:p256",
	    KS_SIGN);
	struct keystore *ks;
	struct cert *c;
	struct place p;

	(void)state;
	ks = with_ca(&p);
	rq.days = 3652;
	rq.not_before = (int64_t)time(NULL) + 300 * DAY;
	must(ca_issue(ks, secret_view(), &rq, &c, e));
	assert_true(cert_not_after(c) - cert_not_before(c) <
	    (3652 - 299) * (int64_t)DAY);
	cert_free(&c);
	rq.not_before = (int64_t)time(NULL) + 4000 * (int64_t)DAY;
	must_fail(ca_issue(ks, secret_view(), &rq, &c, e), FAIL_INPUT);
	store_clear(&p, &ks);
}

/* ---- export ---- */

static void pem_with_chain(void **state)
{
	struct ca_request rq = request("alice@example.com", "ec:p256",
	    KS_SIGN);
	const struct import_opts o = { .use = 0 };
	struct keystore *ks, *ks2;
	struct cert *c;
	struct buf one, chain;
	struct place p, p2;
	size_t good;

	(void)state;
	ks = with_ca(&p);
	ks2 = store_make(&p2);
	buf_init(&one, 65536);
	buf_init(&chain, 65536);
	must(ca_issue(ks, secret_view(), &rq, &c, e));
	must(export_pem(ks, c, false, &one, e));
	must(export_pem(ks, c, true, &chain, e));
	assert_true(chain.n > one.n);
	assert_memory_equal(chain.p, one.p, one.n);
	must(import_data(ks2, "x", buf_view(&one), &o, &good, e));
	assert_int_equal(good, 1);
	must(import_data(ks2, "x", buf_view(&chain), &o, &good, e));
	assert_int_equal(good, 2);
	cert_free(&c);
	buf_free(&one);
	buf_free(&chain);
	store_clear(&p, &ks);
	store_clear(&p2, &ks2);
}

static void p12_goes_out_and_comes_in(void **state)
{
	struct ca_request rq = request("alice@example.com", "rsa:2048",
	    KS_SIGN | KS_ENCRYPT);
	struct import_opts o = { .secret = secret_view() };
	struct keyring *kr;
	struct keystore *ks, *ks2;
	struct cert *c;
	struct buf p12;
	struct place p, p2;
	size_t good;

	(void)state;
	ks = with_ca(&p);
	ks2 = store_make(&p2);
	buf_init_secret(&p12, 65536);
	must(ca_issue(ks, secret_view(), &rq, &c, e));
	must_fail(export_p12(ks, secret_view(), c, "", &p12, e), FAIL_INPUT);
	must_fail(export_p12(ks, secret_view(), c, NULL, &p12, e),
	    FAIL_INPUT);
	must_fail(export_p12(ks, view_of(SECRET_HEX "00"), c, "pw", &p12, e),
	    FAIL_CONFIG);
	must(export_p12(ks, secret_view(), c, "pw", &p12, e));
	must_fail(import_data(ks2, "x", buf_view(&p12), &o, &good, e),
	    FAIL_INPUT); /* no password */
	o.password = "wrong";
	must_fail(import_data(ks2, "x", buf_view(&p12), &o, &good, e),
	    FAIL_INPUT);
	o.password = "pw";
	must(import_data(ks2, "x", buf_view(&p12), &o, &good, e));
	assert_int_equal(good, 3); /* leaf, root, key */
	must(keyring_load(&kr, ks2, secret_view(), e));
	assert_non_null(keyring_cert(kr, cert_sha256(c)));
	keyring_free(&kr);
	cert_free(&c);
	buf_free(&p12);
	store_clear(&p, &ks);
	store_clear(&p2, &ks2);
}

static void no_key_to_export(void **state)
{
	const struct spec s = { .san = "email:bob@example.com" };
	struct keystore *ks;
	struct made m;
	struct buf out;
	struct place p;

	(void)state;
	ks = store_make(&p);
	buf_init_secret(&out, 65536);
	cert_make(&m, &s, NULL);
	add_cert(ks, &m, KS_ENCRYPT);
	must_fail(export_p12(ks, secret_view(), m.cert, "pw", &out, e),
	    FAIL_INPUT);
	made_free(&m);
	buf_free(&out);
	store_clear(&p, &ks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults),
		cmocka_unit_test(S55_issued_certificates_serve_at_once),
		cmocka_unit_test(odd_addresses),
		cmocka_unit_test(expired_ones_for_tests),
		cmocka_unit_test(never_longer_than_the_ca),
		cmocka_unit_test(pem_with_chain),
		cmocka_unit_test(p12_goes_out_and_comes_in),
		cmocka_unit_test(no_key_to_export),
	};

	return cmocka_run_group_tests_name("keystore_ca", tests, NULL, NULL);
}
