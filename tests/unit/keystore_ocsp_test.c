/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Which OCSP responses are taken, whose word counts, and for how long.
 */
#include "tests/unit/keystore_revocation.h"

/* ---- OCSP ---- */

static struct made delegate;

static struct rv_ocsp by_delegate(const char *eku)
{
	struct spec s = { .cn = "responder", .key = "responder",
		.ku = "digitalSignature", .eku = eku };

	made_free(&delegate);
	cert_make(&delegate, &s, &sub);
	return ocsp_of(&delegate);
}

static void S73_A59_ocsp_of_the_issuer(void **state)
{
	struct rv_ocsp o = ocsp_of(&sub);
	struct revocation r;

	(void)state;
	bring_root_list();
	rv_bring_ocsp(ks, &o, NOW, NULL);
	expect(REVOCATION_GOOD, NULL);
	o.status = V_OCSP_CERTSTATUS_REVOKED;
	o.reason = 3;
	o.from += 1;
	o.md = "SHA256";
	o.by_key = true;
	o.nonce = true;
	rv_bring_ocsp(ks, &o, NOW, NULL);
	r = ask_at(NOW);
	assert_int_equal(r.status, REVOCATION_REVOKED);
	assert_int_equal(r.date, NOW - 2 * DAY);
	assert_string_equal(r.why, "affiliationChanged");
	assert_string_equal(r.source, "OCSP");
	assert_string_equal(r.text, "the certificate was revoked on "
	    "2027-01-13 (affiliationChanged), by the OCSP response of "
	    "2027-01-15");
	/* last known status */
	expect_at(NOW + 90 * DAY, REVOCATION_REVOKED, NULL);
}

static void S73_A59_ocsp_of_a_delegate(void **state)
{
	struct rv_ocsp o = by_delegate("OCSPSigning");

	(void)state;
	bring_root_list();
	rv_bring_ocsp(ks, &o, NOW, NULL);
	expect(REVOCATION_GOOD, NULL);
	o.by_key = true;
	o.from++;
	o.md = "SHA512";
	rv_bring_ocsp(ks, &o, NOW, NULL);
	o.from++;
	o.no_certs = true;
	rv_bring_ocsp(ks, &o, NOW, "signed neither by the CA nor by a "
	    "delegate");
}

/* What is said of a response, or of its refusal. */
static struct revocation_item item_of(const struct rv_ocsp *o)
{
	struct rv_seen seen = { 0 };
	struct buf b = rv_ocsp_der(o);
	struct err e = { 0 };
	size_t good;

	if (revocation_import(ks, buf_view(&b), NOW, rv_report, &seen, &good,
	    &e) != 0)
		fail_msg("%s", e.msg);
	assert_int_equal(seen.n, 1);
	buf_free(&b);
	return seen.last;
}

static void S73_all_that_a_response_says_is_counted(void **state)
{
	struct rv_ocsp o = ocsp_of(&sub);
	struct revocation_item it;
	char want[200];

	(void)state;
	it = item_of(&o);
	snprintf(want, sizeof(want), "%s of CN=sub",
	    cert_serial_hex(leaf.cert));
	assert_string_equal(it.what, want);
	assert_string_equal(it.text, "good, of 2027-01-15, until 2027-01-16");
	o.status = V_OCSP_CERTSTATUS_REVOKED;
	o.reason = 3;
	o.from++;
	it = item_of(&o);
	assert_string_equal(it.text, "revoked, affiliationChanged, of "
	    "2027-01-15, until 2027-01-16");
	o.also = other.x;
	o.from++;
	it = item_of(&o);
	assert_string_equal(it.refused, "");
	assert_string_equal(it.what, want);
	assert_string_equal(it.text, "and 1 more; 1 revoked, 1 good, until "
	    "2027-01-16");
	/* a refusal names the one that it is about: here the first */
	o.from = NOW - 3 * DAY;
	o.until = NOW - DAY;
	it = item_of(&o);
	assert_string_equal(it.what, cert_serial_hex(other.cert));
	assert_true(strncmp(it.refused, "stale: ", 7) == 0);
	/* and what it is, is not said twice */
	o = ocsp_of(&sub);
	o.sign_md = "SHA1";
	it = item_of(&o);
	assert_true(strncmp(it.refused, "its signature algorithm", 23) == 0);
}

/* attack A59: an OCSP answer by somebody whom the CA never made a responder
 * verdict: refused by name when it is brought, nothing changes */
static void A59_wrong_responders(void **state)
{
	struct spec s = { .cn = "responder", .key = "responder",
		.eku = "OCSPSigning", .ku = "digitalSignature" };
	struct spec of_twin = CA_SPEC("sub");
	struct made twin;
	struct rv_ocsp o;

	(void)state;
	o = by_delegate(NULL);
	rv_bring_ocsp(ks, &o, NOW, "does not say OCSPSigning");
	o = by_delegate("anyExtendedKeyUsage");
	rv_bring_ocsp(ks, &o, NOW, "does not say OCSPSigning");
	o = by_delegate("emailProtection");
	rv_bring_ocsp(ks, &o, NOW, "does not say OCSPSigning");
	/* of another CA: also of the one above */
	made_free(&delegate);
	cert_make(&delegate, &s, &root);
	o = ocsp_of(&delegate);
	rv_bring_ocsp(ks, &o, NOW, "who is not the CA's delegate");
	made_free(&delegate);
	cert_make(&delegate, &s, NULL);
	o = ocsp_of(&delegate);
	rv_bring_ocsp(ks, &o, NOW, "who is not the CA's delegate");
	/* by a CA of the same name, but another key */
	made_free(&delegate);
	of_twin.key = "twin";
	cert_make(&twin, &of_twin, NULL);
	cert_make(&delegate, &s, &twin);
	o = ocsp_of(&delegate);
	rv_bring_ocsp(ks, &o, NOW, "certificate of the responder: signature "
	    "does not verify with the key of CN=sub");
	o = ocsp_of(&twin);
	rv_bring_ocsp(ks, &o, NOW, "signature does not verify");
	made_free(&twin);
	made_free(&delegate);
	s.until = NOW;
	cert_make(&delegate, &s, &sub);
	o = ocsp_of(&delegate);
	rv_bring_ocsp(ks, &o, NOW, "certificate is not valid now");
	made_free(&delegate);
	s.until = 0;
	s.ku = "keyEncipherment";
	cert_make(&delegate, &s, &sub);
	o = ocsp_of(&delegate);
	rv_bring_ocsp(ks, &o, NOW, "does not allow signatures");
	o = ocsp_of(&other);
	rv_bring_ocsp(ks, &o, NOW, "does not say OCSPSigning");
	expect(REVOCATION_UNKNOWN, "no CRL");
}

static void A59_a_revoked_responder_is_not_believed(void **state)
{
	struct rv_ocsp o = by_delegate("OCSPSigning");
	struct rv_entry x = { delegate.x, NOW - DAY, 1, 0, NULL };
	struct rv_crl c = crl_of(&sub, 1);

	(void)state;
	c.entry = &x;
	c.n = 1;
	rv_bring(ks, &c, NOW, NULL);
	rv_bring_ocsp(ks, &o, NOW, "responder CN=responder: the certificate "
	    "was revoked on");
}

static void A59_ocsp_that_cannot_be_used(void **state)
{
	struct rv_ocsp o = ocsp_of(&sub);
	OCSP_RESPONSE *later = OCSP_response_create(
	    OCSP_RESPONSE_STATUS_TRYLATER, NULL);
	unsigned char *der = NULL;
	int n = i2d_OCSP_RESPONSE(later, &der);

	(void)state;
	rv_import(ks, view_make(der, (size_t)n), NOW,
	    "the responder answered tryLater");
	OPENSSL_free(der);
	OCSP_RESPONSE_free(later);
	o.status = V_OCSP_CERTSTATUS_UNKNOWN;
	rv_bring_ocsp(ks, &o, NOW, "does not know the certificate");
	o.status = V_OCSP_CERTSTATUS_GOOD;
	o.critical = "1.2.3.4";
	rv_bring_ocsp(ks, &o, NOW, "critical extension 1.2.3.4");
	o.critical = NULL;
	o.md = "MD5";
	rv_bring_ocsp(ks, &o, NOW, "CertID: hash is not SHA-1 or SHA-2");
	o.md = NULL;
	o.sign_md = "SHA1";
	rv_bring_ocsp(ks, &o, NOW, "not known or too weak");
	o.sign_md = NULL;
	o.ca = other.x;
	o.by = other.x;
	o.key = other.key;
	rv_bring_ocsp(ks, &o, NOW, "no CA certificate that its CertID names");
	/* one CA's word about another's certificates */
	o.ca = sub.x;
	o.by = root.x;
	o.key = root.key;
	rv_bring_ocsp(ks, &o, NOW, "does not say OCSPSigning");
	o.no_certs = true;
	rv_bring_ocsp(ks, &o, NOW, "signed neither by the CA nor");
	expect(REVOCATION_UNKNOWN, "no CRL");
}

/* attack A59: an old OCSP answer brought again
 * verdict: refused as stale, unknown at S73 after seven days at most */
static void A59_ocsp_is_believed_for_seven_days_at_most(void **state)
{
	struct rv_ocsp o = ocsp_of(&sub);

	(void)state;
	bring_root_list();
	o.from = NOW + 301;
	rv_bring_ocsp(ks, &o, NOW, "thisUpdate is in the future");
	o.from = NOW - 7 * DAY - 1;
	o.until = NOW + 30 * DAY;
	rv_bring_ocsp(ks, &o, NOW, "stale: it was to be believed until "
	    "2027-01-15, 7 days at most");
	o.until = 0;
	rv_bring_ocsp(ks, &o, NOW, "stale");
	o.from = NOW - DAY;
	o.until = NOW - 1;
	rv_bring_ocsp(ks, &o, NOW, "stale");
	o.until = NOW - 2 * DAY;
	rv_bring_ocsp(ks, &o, NOW, "malformed nextUpdate");
	expect(REVOCATION_UNKNOWN, "no CRL");
	o.from = NOW - 7 * DAY;
	o.until = NOW + 30 * DAY;
	rv_bring_ocsp(ks, &o, NOW, NULL);
	expect(REVOCATION_GOOD, NULL);
	expect_at(NOW + 1, REVOCATION_UNKNOWN, "is stale since");
	o.from = NOW - DAY;
	o.until = NOW + HOUR;
	rv_bring_ocsp(ks, &o, NOW, NULL);
	expect_at(NOW + HOUR, REVOCATION_GOOD, NULL);
	expect_at(NOW + HOUR + 1, REVOCATION_UNKNOWN, "is stale since");
}

/* attack A59: the older answer, good, after the newer one, revoked
 * verdict: refused when it is brought; fail at S73 as before */
static void A59_an_older_answer_does_not_come_back(void **state)
{
	struct rv_ocsp old = ocsp_of(&sub), fresh = ocsp_of(&sub);

	(void)state;
	bring_root_list();
	rv_bring_ocsp(ks, &old, NOW, NULL);
	fresh.from += 600;
	fresh.status = V_OCSP_CERTSTATUS_REVOKED;
	fresh.reason = 1;
	rv_bring_ocsp(ks, &fresh, NOW, NULL);
	expect(REVOCATION_REVOKED, "keyCompromise");
	rv_bring_ocsp(ks, &old, NOW, "not newer than the one in the keystore "
	    "(of 2027-01-15)");
	expect(REVOCATION_REVOKED, "keyCompromise");
	old.from = fresh.from; /* of the same second */
	rv_bring_ocsp(ks, &old, NOW, "not newer");
	expect(REVOCATION_REVOKED, "keyCompromise");
}

/* One source says revoked: it is, unless it was on hold and the other one
 * knows better. */
static void S73_two_sources(void **state)
{
	struct rv_entry x = { leaf.x, NOW - DAY, 1, 0, NULL };
	struct rv_crl c = crl_of(&sub, 1);
	struct rv_ocsp o = ocsp_of(&sub);

	(void)state;
	bring_root_list();
	c.entry = &x;
	c.n = 1;
	rv_bring(ks, &c, NOW, NULL);
	o.from += 60;
	rv_bring_ocsp(ks, &o, NOW, NULL);
	expect(REVOCATION_REVOKED, "by the CRL");
	x.reason = 6;
	c.number = 2;
	rv_bring(ks, &c, NOW, NULL);
	expect(REVOCATION_GOOD, NULL);
	expect_at(o.until + 1, REVOCATION_REVOKED, "certificateHold");
	c.number = 3;
	c.from = o.from + 60; /* on hold again since */
	rv_bring(ks, &c, NOW, NULL);
	expect(REVOCATION_REVOKED, "certificateHold");
}

static void A59_a_changed_response_is_refused(void **state)
{
	struct rv_ocsp o = by_delegate("OCSPSigning");
	struct rv_seen seen;
	struct err e = { 0 };
	size_t good, taken = 0;
	struct buf b;

	(void)state;
	bring_root_list();
	b = rv_ocsp_der(&o);
	for (size_t i = 0; i < b.n; i++) {
		b.p[i] ^= 1;
		err_clear(&e);
		(void)!revocation_import(ks, buf_view(&b), NOW, rv_report,
		    &seen, &good, &e);
		taken += good;
		b.p[i] ^= 1;
	}
	assert_int_equal(taken, 0);
	expect(REVOCATION_UNKNOWN, "no CRL");
	rv_import(ks, buf_view(&b), NOW, NULL);
	expect(REVOCATION_GOOD, NULL);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(S73_A59_ocsp_of_the_issuer),
		T(S73_A59_ocsp_of_a_delegate),
		T(S73_all_that_a_response_says_is_counted),
		T(A59_wrong_responders),
		T(A59_a_revoked_responder_is_not_believed),
		T(A59_ocsp_that_cannot_be_used),
		T(A59_ocsp_is_believed_for_seven_days_at_most),
		T(A59_an_older_answer_does_not_come_back),
		T(S73_two_sources),
		T(A59_a_changed_response_is_refused),
	};

	return cmocka_run_group_tests_name("keystore_ocsp", tests,
	    setup, teardown);
}
