/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Which CRLs are taken, and which are refused by name.
 */
#include "tests/unit/keystore_revocation.h"

#include "util/der.h"

/* ---- which lists are taken ---- */

static const struct {
	const char *name;
	const char *oid;
	const char *value;
	size_t n;
	bool critical;
	const char *refused;
} scopes[] = {
	{ "delta", "2.5.29.27", "\2\1\1", 3, true, "5.2.4: a delta CRL" },
	{ "indirect", "2.5.29.28", "\x30\3\x84\1\xff", 5, true,
	    "5.2.5: this CRL is an indirect one" },
	{ "users and CAs", "2.5.29.28", "\x30\6\x81\1\xff\x82\1\xff", 8,
	    true, "malformed issuingDistributionPoint" },
	{ "reasons", "2.5.29.28", "\x30\4\x83\2\1\6", 6, true,
	    "one for some reasons only" },
	{ "attributes", "2.5.29.28", "\x30\3\x85\1\xff", 5, true,
	    "one for attribute certificates" },
	{ "point by a name", "2.5.29.28", "\x30\4\xa0\2\xa1\0", 6, true,
	    "named relative to the issuer" },
	{ "point without a URL", "2.5.29.28", "\x30\6\xa0\4\xa0\2\x82\0", 8,
	    true, "a distribution point that has no URL" },
	{ "point with two lines", "2.5.29.28",
	    "\x30\xb\xa0\x9\xa0\7\x86\5h\nttp", 13, true,
	    "malformed issuingDistributionPoint" },
	{ "indirect, not critical", "2.5.29.28", "\x30\3\x84\1\xff", 5,
	    false, "an indirect one" },
	{ "point of an indirect one", "2.5.29.28",
	    "\x30\xe\xa0\x9\xa0\7\x86\5http:\x84\1\xff", 16, true,
	    "an indirect one" },
	{ "of the future", "2.5.29.28", "\x30\3\x86\1\xff", 5, true,
	    "one of unknown scope" },
	{ "empty", "2.5.29.28", "\x30\0", 2, true, "one of unknown scope" },
	{ "broken", "2.5.29.28", "\x04\0", 2, true,
	    "malformed issuingDistributionPoint" },
	{ "unknown", "1.3.6.1.4.1.99999.1", "\5\0", 2, true,
	    "critical extension 1.3.6.1.4.1.99999.1 is not known" },
	{ "number", "2.5.29.20", "\2\1\xff", 3, false,
	    "malformed cRLNumber" },
	{ "long number", "2.5.29.20",
	    "\2\x16\x1" "234567890123456789012", 24, false,
	    "5.2.3: cRLNumber of 22 octets" },
	{ "AKI", "2.5.29.35", "\4\1x", 3, false,
	    "malformed authorityKeyIdentifier" },
};

static void S73_S118_A58_narrow_lists_are_refused_by_name(void **state)
{
	struct rv_crl c;

	(void)state;
	bring_root_list();
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		c = crl_of(&sub, 0);
		c.oid = scopes[i].oid;
		c.value = scopes[i].value;
		c.value_n = scopes[i].n;
		c.critical = scopes[i].critical;
		rv_bring(ks, &c, NOW, scopes[i].refused);
		expect(REVOCATION_UNKNOWN, "no CRL");
	}
	c = crl_of(&sub, 0);
	c.oid = "1.3.6.1.4.1.99999.1";
	c.value = "\5\0";
	c.value_n = 2; /* not critical */
	rv_bring(ks, &c, NOW, NULL);
	expect(REVOCATION_GOOD, NULL);
}

/* "http:" is where they lie. */
#define POINT "\xa0\x9\xa0\7\x86\5http:"

static const struct {
	const char *name;
	const char *idp;
	size_t n;
	const char *cdp;
	enum revocation_status status; /* of one that is not on it */
} covered[] = {
	{ "of users", "\x30\3\x81\1\xff", 5, NULL, REVOCATION_GOOD },
	{ "of CAs", "\x30\3\x82\1\xff", 5, NULL, REVOCATION_UNKNOWN },
	{ "said to be of all", "\x30\6\x81\1\0\x84\1\0", 8, NULL,
	    REVOCATION_GOOD },
	{ "its point", "\x30\xb" POINT, 13, "URI:http:", REVOCATION_GOOD },
	{ "the second of its points", "\x30\xb" POINT, 13,
	    "URI:ldap:,URI:http:", REVOCATION_GOOD },
	{ "another point", "\x30\xb" POINT, 13, "URI:http:/",
	    REVOCATION_UNKNOWN },
	{ "it names none", "\x30\xb" POINT, 13, NULL, REVOCATION_UNKNOWN },
	{ "its point, of users", "\x30\xe" POINT "\x81\1\xff", 16,
	    "URI:http:", REVOCATION_GOOD },
	{ "its point, of CAs", "\x30\xe" POINT "\x82\1\xff", 16,
	    "URI:http:", REVOCATION_UNKNOWN },
};

/* RFC 5280 6.3.3 (b)(2): of whom a list with a scope speaks. Who is on it is
 * revoked in any case: a serial number is given once. */
static void S73_S118_a_list_of_a_distribution_point(void **state)
{
	struct spec s = { .cn = "bob", .san = "email:bob@example.com" };
	struct cert *chain[] = { sub.cert };
	struct revocation r;
	struct rv_entry x;
	struct rv_crl c;
	struct made m;

	bring_root_list();
	for (size_t i = 0; i < ARRAY_LEN(covered); i++) {
		s.cdp = covered[i].cdp;
		cert_make(&m, &s, &sub);
		c = crl_of(&sub, 1);
		c.oid = "2.5.29.28";
		c.value = covered[i].idp;
		c.value_n = covered[i].n;
		c.critical = true;
		rv_bring(ks, &c, NOW, NULL);
		must(keystore_revocation(ks, m.cert, chain, 1, NOW, &r, e));
		if (r.status != covered[i].status)
			fail_msg("%s: %s", covered[i].name,
			    revocation_str(r.status));
		x = (struct rv_entry){ m.x, NOW - DAY, 1, 0, NULL };
		c.entry = &x;
		c.n = 1;
		c.number = 2;
		rv_bring(ks, &c, NOW, NULL);
		must(keystore_revocation(ks, m.cert, chain, 1, NOW, &r, e));
		assert_int_equal(r.status, REVOCATION_REVOKED);
		made_free(&m);
		(void)clear_store(state);
		(void)make_store(state);
		bring_root_list();
	}
}

/* Lists of one issuer with different scopes stand side by side; each is
 * replaced by its own successor alone. */
static void S118_lists_of_several_scopes(void **state)
{
	struct rv_entry x = { leaf.x, NOW - DAY, 1, 0, NULL };
	struct rv_crl users = crl_of(&sub, 7), cas = crl_of(&sub, 3);

	(void)state;
	bring_root_list();
	users.oid = cas.oid = "2.5.29.28";
	users.value = "\x30\3\x81\1\xff";
	cas.value = "\x30\3\x82\1\xff";
	users.value_n = cas.value_n = 5;
	users.entry = &x;
	users.n = 1;
	rv_bring(ks, &users, NOW, NULL);
	rv_bring(ks, &cas, NOW, NULL); /* its number is not compared */
	expect(REVOCATION_REVOKED, "keyCompromise");
	users.number = 8;
	users.n = 0;
	rv_bring(ks, &users, NOW, NULL);
	expect(REVOCATION_GOOD, NULL);
	users.number = 7;
	rv_bring(ks, &users, NOW, "not newer than the one in the keystore");
}

static const struct {
	struct rv_entry x;
	const char *refused;
} entries[] = {
	{ { NULL, NOW, 8, 0, NULL }, "5.3.1: removeFromCRL" },
	{ { NULL, NOW, -1, 0, "2.5.29.29" }, "5.3.3: an indirect CRL" },
	{ { NULL, NOW, -1, 0, "1.2.3.4" },
	    "entry: critical extension 1.2.3.4 is not known" },
};

static void S73_entries_that_cannot_be_understood(void **state)
{
	struct rv_crl c = crl_of(&sub, 1);
	struct rv_entry x[2];

	(void)state;
	x[0] = (struct rv_entry){ leaf.x, NOW - DAY, 1, 0, NULL };
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		x[1] = entries[i].x;
		x[1].x = sub.x;
		c.entry = x;
		c.n = 2;
		rv_bring(ks, &c, NOW, entries[i].refused);
		expect(REVOCATION_UNKNOWN, "no CRL");
	}
}

/* attack A59: lists signed by somebody else, or of another time
 * verdict: refused by name when they are brought, nothing changes */
static void A59_S118_lists_that_nobody_vouches_for(void **state)
{
	struct spec no_crl = CA_SPEC("no crl sign");
	struct made m;
	struct rv_crl c;

	(void)state;
	bring_root_list();
	c = crl_of(&sub, 1);
	c.key = other.key;
	rv_bring(ks, &c, NOW, "signature does not verify with the key of "
	    "CN=sub");
	c = crl_of(&other, 1);
	rv_bring(ks, &c, NOW, "no CA certificate with the name of its issuer");
	c = crl_of(&leaf, 1); /* no CA */
	rv_bring(ks, &c, NOW, "no CA certificate with the name of its issuer");
	c = crl_of(&sub, 1);
	c.aki_of = other.x;
	rv_bring(ks, &c, NOW, "5.2.1: its authority key identifier names");
	c = crl_of(&sub, 1);
	c.md = "SHA1";
	rv_bring(ks, &c, NOW, "not known or too weak");
	no_crl.ku = "critical,keyCertSign";
	cert_make(&m, &no_crl, &root);
	add_cert(ks, &m, 0);
	c = crl_of(&m, 1);
	rv_bring(ks, &c, NOW, "does not allow to sign CRLs");
	made_free(&m);
	c = crl_of(&sub, 1);
	must(keystore_set_state(ks, cert_sha256(sub.cert), KS_DISTRUSTED, e));
	rv_bring(ks, &c, NOW, "CA certificate of CN=sub is distrusted");
	must(keystore_set_state(ks, cert_sha256(sub.cert), KS_USABLE, e));
	expect(REVOCATION_UNKNOWN, "no CRL");
	/* a CA without key usage may sign lists */
	no_crl.ku = NULL;
	no_crl.cn = "no ku";
	cert_make(&m, &no_crl, &root);
	add_cert(ks, &m, 0);
	c = crl_of(&m, 1);
	rv_bring(ks, &c, NOW, NULL);
	made_free(&m);
	c = crl_of(&sub, 1);
	c.aki_of = sub.x;
	rv_bring(ks, &c, NOW, NULL);
	expect(REVOCATION_GOOD, NULL);
}

static void A59_S118_times_of_a_list(void **state)
{
	struct rv_crl c = crl_of(&sub, 1);

	(void)state;
	c.from = NOW + 301;
	rv_bring(ks, &c, NOW, "thisUpdate is in the future (2027-01-15)");
	c.from = NOW + 300;
	rv_bring(ks, &c, NOW, NULL);
	c.number = 2;
	c.until = 0;
	rv_bring(ks, &c, NOW, "5.1.2.5: no nextUpdate");
}

/* Any octet of a list that is changed is noticed. */
static void A59_S118_a_changed_list_is_refused(void **state)
{
	struct rv_entry x = { leaf.x, NOW - DAY, 1, 0, NULL };
	struct rv_crl c = crl_of(&sub, 3);
	struct rv_seen seen;
	struct err e = { 0 };
	size_t good, taken = 0;
	struct buf b;

	(void)state;
	c.entry = &x;
	c.n = 1;
	bring_root_list();
	b = rv_der(&c);
	for (size_t i = 0; i < b.n; i++) {
		b.p[i] ^= 1;
		memset(&seen, 0, sizeof(seen));
		err_clear(&e);
		(void)!revocation_import(ks, buf_view(&b), NOW, rv_report,
		    &seen, &good, &e);
		taken += good;
		b.p[i] ^= 1;
	}
	assert_int_equal(taken, 0);
	expect(REVOCATION_UNKNOWN, "no CRL");
	/* nor cut anywhere, nor with something behind it */
	for (size_t n = 0; n < b.n; n += 7) {
		(void)!revocation_import(ks, view_make(b.p, n), NOW,
		    rv_report, &seen, &good, &e);
		assert_int_equal(good, 0);
	}
	buf_putc(&b, 0);
	rv_import(ks, buf_view(&b), NOW, "octets after the object");
	b.n--;
	rv_import(ks, buf_view(&b), NOW, NULL);
	expect(REVOCATION_REVOKED, NULL);
	buf_free(&b);
}

/* A list whose inside names one algorithm, signed rightly with another. */
static void A59_S118_two_algorithms_in_one_list(void **state)
{
	unsigned char mem[4096], sig[128] = { 0 };
	struct rv_crl c = crl_of(&sub, 1);
	struct buf b;
	struct view in;
	struct der all, tbs, alg;
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	size_t n = sizeof(sig) - 1;
	struct der_w w;

	(void)state;
	c.md = "SHA384";
	b = rv_der(&c);
	in = buf_view(&b);
	assert_int_equal(der_get(&in, DER_SEQUENCE, &all), 0);
	assert_int_equal(der_get(&all.val, DER_SEQUENCE, &tbs), 0);
	assert_int_equal(der_get(&all.val, DER_SEQUENCE, &alg), 0);
	/* ecdsa-with-SHA384 becomes ecdsa-with-SHA256 */
	assert_int_equal(alg.whole.p[alg.whole.n - 1], 3);
	b.p[alg.whole.p - b.p + (ptrdiff_t)alg.whole.n - 1] = 2;
	assert_int_equal(EVP_DigestSignInit(m, NULL, EVP_sha256(), NULL,
	    sub.key), 1);
	assert_int_equal(EVP_DigestSign(m, sig + 1, &n, tbs.whole.p,
	    tbs.whole.n), 1);
	der_w_init(&w, mem, sizeof(mem));
	der_w_tlv(&w, DER_BIT_STRING, sig, n + 1);
	der_w_view(&w, alg.whole);
	der_w_view(&w, tbs.whole);
	der_w_wrap(&w, DER_SEQUENCE, 0);
	rv_import(ks, der_w_result(&w), NOW, "5.1.1.2: two different "
	    "signature algorithms");
	EVP_MD_CTX_free(m);
	buf_free(&b);
}

static void S118_newer_lists_replace_older_ones(void **state)
{
	struct rv_entry x = { leaf.x, NOW - DAY, 6, 0, NULL };
	struct rv_crl held = crl_of(&sub, 300), freed = crl_of(&sub, 301);

	(void)state;
	bring_root_list();
	held.entry = &x;
	held.n = 1;
	freed.from += 60;
	rv_bring(ks, &held, NOW, NULL);
	expect(REVOCATION_REVOKED, "certificateHold");
	rv_bring(ks, &freed, NOW, NULL);
	expect(REVOCATION_GOOD, NULL);
	rv_bring(ks, &held, NOW, "not newer than the one in the keystore (of "
	    "2027-01-15, number 012d)");
	/* the same number once more; a larger one of an earlier time; a
	 * smaller one of a later time; one without, of the same time */
	freed.until += 1;
	rv_bring(ks, &freed, NOW, "not newer");
	held.number = 302;
	rv_bring(ks, &held, NOW, "not newer");
	held.number = 299;
	held.from = freed.from + 60;
	rv_bring(ks, &held, NOW, "not newer");
	held.number = 0;
	held.from = freed.from;
	rv_bring(ks, &held, NOW, "not newer");
	expect(REVOCATION_GOOD, NULL);
	held.from = freed.from + 1;
	rv_bring(ks, &held, NOW, NULL);
	expect(REVOCATION_REVOKED, "certificateHold");
	held.number = 65536; /* the one here has none: time decides */
	held.from++;
	held.n = 0;
	rv_bring(ks, &held, NOW, NULL);
	expect(REVOCATION_GOOD, NULL);
}

static void the_same_list_again_is_known(void **state)
{
	struct rv_crl c = crl_of(&sub, 1);
	struct buf b = rv_der(&c);
	struct rv_seen seen = { 0 };
	size_t good;

	(void)state;
	must(revocation_import(ks, buf_view(&b), NOW, rv_report, &seen, &good,
	    e));
	assert_true(seen.last.added);
	assert_string_equal(seen.last.kind, "CRL");
	assert_string_equal(seen.last.what, "CN=sub");
	assert_string_equal(seen.last.text, "number 01, until 2027-01-16, 0 "
	    "revoked");
	must(revocation_import(ks, buf_view(&b), NOW + 3 * DAY, rv_report,
	    &seen, &good, e));
	assert_false(seen.last.added);
	assert_int_equal(good, 1);
	assert_string_equal(seen.last.text, "number 01, STALE since "
	    "2027-01-16, 0 revoked");
	buf_free(&b);
}

/* ---- forms of files ---- */

static void put_pem(struct buf *out, const char *name, struct view der)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;

	assert_true(PEM_write_bio(bio, name, "", der.p, (long)der.n) > 0);
	n = BIO_get_mem_data(bio, &text);
	buf_put(out, text, (size_t)n);
	BIO_free(bio);
}

static void pem_with_several_objects(void **state)
{
	struct rv_crl a = crl_of(&sub, 1), b = crl_of(&root, 1);
	struct buf x = rv_der(&a), y = rv_der(&b), pem;
	struct rv_seen seen = { 0 };
	size_t good;

	(void)state;
	buf_init(&pem, 1u << 20);
	buf_puts(&pem, "The lists of two CAs\n");
	put_pem(&pem, "X509 CRL", buf_view(&x));
	put_pem(&pem, "CERTIFICATE", cert_der(sub.cert));
	put_pem(&pem, "X509 CRL", buf_view(&y));
	must(revocation_import(ks, buf_view(&pem), NOW, rv_report, &seen,
	    &good, e));
	assert_int_equal(seen.n, 3);
	assert_int_equal(good, 2);
	expect(REVOCATION_GOOD, NULL);
	buf_puts(&pem, "-----BEGIN X509 CRL-----\nMIIB\n");
	must(revocation_import(ks, buf_view(&pem), NOW, rv_report, &seen,
	    &good, e));
	assert_int_equal(seen.n, 7);
	assert_int_equal(good, 2);
	assert_non_null(strstr(seen.last.refused, "malformed PEM"));
	buf_free(&x);
	buf_free(&y);
	buf_free(&pem);
}

static void what_is_no_list_is_named(void **state)
{
	struct rv_seen seen = { 0 };
	struct err e = { 0 };
	size_t good = 9;

	(void)state;
	assert_int_equal(revocation_import(ks, view_of("%PDF-1.4\n"), NOW,
	    rv_report, &seen, &good, &e), -1);
	assert_int_equal(e.kind, FAIL_INPUT);
	assert_non_null(strstr(e.msg, "PDF document"));
	assert_int_equal(good, 0);
	assert_int_equal(revocation_import(ks, view_make(NULL, 0), NOW,
	    rv_report, &seen, &good, &e), -1);
	rv_import(ks, cert_der(leaf.cert), NOW, "\"postseal cert import\"");
	rv_import(ks, view_make("\x30\0", 2), NOW, "neither a CRL nor");
}

static void A58_size_of_a_list_at_the_cap(void **state)
{
	struct rv_crl c = crl_of(&sub, 1);
	struct made big;
	struct spec s = CA_SPEC("big");
	struct buf b;

	(void)state;
	s.alg = "rsa:2048"; /* signatures of one length */
	cert_make(&big, &s, &root);
	add_cert(ks, &big, 0);
	c = crl_of(&big, 1);
	c.pad = CAP_CRL - 2000;
	b = rv_der(&c);
	c.pad += CAP_CRL - b.n;
	buf_free(&b);
	b = rv_der(&c);
	assert_int_equal(b.n, CAP_CRL);
	rv_import(ks, buf_view(&b), NOW, NULL);
	buf_free(&b);
	c.pad++;
	c.number = 2;
	rv_bring(ks, &c, NOW, "20971521 octets, at most 20971520 are taken");
	made_free(&big);
}

static void A59_size_of_a_response_at_the_cap(void **state)
{
	unsigned char *mem = calloc(1, CAP_OCSP + 1);

	(void)state;
	memcpy(mem, "\x30\x84\0\0\0\0\x0a\1\0", 9);
	for (size_t n = CAP_OCSP; n <= CAP_OCSP + 1; n++) {
		mem[2] = 0;
		mem[3] = (unsigned char)((n - 6) >> 16);
		mem[4] = (unsigned char)((n - 6) >> 8);
		mem[5] = (unsigned char)(n - 6);
		rv_import(ks, view_make(mem, n), NOW, n == CAP_OCSP ?
		    "malformed responseBytes" :
		    "262145 octets, at most 262144 are taken");
	}
	free(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(S73_S118_A58_narrow_lists_are_refused_by_name),
		T(S73_S118_a_list_of_a_distribution_point),
		T(S118_lists_of_several_scopes),
		T(S73_entries_that_cannot_be_understood),
		T(A59_S118_lists_that_nobody_vouches_for),
		T(A59_S118_times_of_a_list),
		T(A59_S118_a_changed_list_is_refused),
		T(A59_S118_two_algorithms_in_one_list),
		T(S118_newer_lists_replace_older_ones),
		T(the_same_list_again_is_known),
		T(pem_with_several_objects),
		T(what_is_no_list_is_named),
		T(A58_size_of_a_list_at_the_cap),
		T(A59_size_of_a_response_at_the_cap),
	};

	return cmocka_run_group_tests_name("keystore_crl", tests,
	    setup, teardown);
}
