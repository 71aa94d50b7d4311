/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What comes after issuing: lists, renewing, revoking, CRLs, and the notes
 * of all that.
 */
#include "tests/unit/keystore_ca.h"

#include "keystore/keystore_int.h"
#include "keystore/revocation.h"
#include "util/ossl.h"

/* ---- looking ---- */

struct seen {
	const unsigned char *sha256; /* whom we look for */
	size_t n;
	bool found;
	enum ca_kind kind;
	bool revoked, in_store;
	char reason[32];
};

static int look(void *arg, const struct ca_issued *i, struct err *e)
{
	struct seen *s = arg;
	char hex[65];

	(void)e;
	s->n++;
	if (s->sha256 == NULL || strcmp(i->sha256, hex_encode(hex, s->sha256,
	    32)) != 0)
		return 0;
	s->found = true;
	s->kind = i->kind;
	s->revoked = i->revoked;
	s->in_store = i->cert != NULL;
	text_set(s->reason, sizeof(s->reason), i->reason);
	return 0;
}

static struct seen listed(struct office *o, const struct cert *c)
{
	struct seen s = { .sha256 = c != NULL ? cert_sha256(c) : NULL };

	must(ca_list(o->ks, look, &s, e));
	return s;
}

static size_t notes(struct office *o, const char *action)
{
	sqlite3_stmt *st;
	size_t n;

	assert_int_equal(sqlite3_prepare_v2(o->ks->db, "SELECT COUNT(*) FROM "
	    "change WHERE action = ?1", -1, &st, NULL), SQLITE_OK);
	sqlite3_bind_text(st, 1, action, -1, SQLITE_TRANSIENT);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = (size_t)sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return n;
}

static enum ks_state state_of(struct office *o, const struct cert *c)
{
	enum ks_state state;
	struct ks_row r;

	must(ks_cert_get(o->ks, cert_sha256(c), &r, e));
	state = r.state;
	ks_row_free(&r);
	return state;
}

static enum revocation_status status_of(struct office *o,
    const struct cert *c)
{
	struct revocation rev;
	struct path path;

	must(keystore_path(o->ks, c, NULL, 0, now_s(), &path, e));
	assert_true(path.ok);
	must(keystore_revocation(o->ks, c, path.chain, path.chain_n, now_s(),
	    &rev, e));
	path_free(&path);
	return rev.status;
}

/* ---- list ---- */

static void what_was_issued_is_listed(void **state)
{
	struct office o;
	struct cert *c;
	struct seen s;

	(void)state;
	office_make(&o);
	assert_int_equal(listed(&o, NULL).n, 1); /* the issuing CA */
	c = mail_cert(&o, "alice@example.com");
	s = listed(&o, c);
	assert_int_equal(s.n, 2);
	assert_true(s.found && s.kind == CA_MAIL && !s.revoked &&
	    s.in_store);
	/* a certificate goes, that it was issued does not */
	must(keystore_remove(o.ks, cert_sha256(c), e));
	s = listed(&o, c);
	assert_true(s.found && !s.in_store);
	assert_int_equal(notes(&o, "make CA"), 1);
	assert_int_equal(notes(&o, "issue certificate"), 1);
	cert_free(&c);
	office_end(&o);
}

/* ---- revoking ---- */

static void reasons_have_the_names_of_the_rfc(void **state)
{
	static const struct {
		const char *name;
		int code;
	} rows[] = { { "unspecified", 0 }, { "keyCompromise", 1 },
		{ "affiliationChanged", 3 }, { "superseded", 4 },
		{ "cessationOfOperation", 5 } };
	int code;
	size_t i;

	(void)state;
	refused(ca_reason_parse("keycompromise", &code, e), FAIL_INPUT,
	    "want keyCompromise, superseded,");
	refused(ca_reason_parse("", &code, e), FAIL_INPUT, "reason");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		must(ca_reason_parse(rows[i].name, &code, e));
		assert_int_equal(code, rows[i].code);
	}
}

static void revoked_it_counts_here_at_once(void **state)
{
	struct office o;
	struct cert *alice, *bob;
	struct seen s;

	(void)state;
	office_make(&o);
	alice = mail_cert(&o, "alice@example.com");
	bob = mail_cert(&o, "bob@example.com");
	assert_int_equal(status_of(&o, alice), REVOCATION_UNKNOWN);
	must(ca_crl(o.ca, true, 30, NULL, e));
	must(ca_crl(o.ca, false, 30, NULL, e));
	assert_int_equal(status_of(&o, alice), REVOCATION_GOOD);
	must(ca_revoke(o.ca, alice, 1, e));
	assert_int_equal(status_of(&o, alice), REVOCATION_REVOKED);
	assert_int_equal(status_of(&o, bob), REVOCATION_GOOD);
	s = listed(&o, alice);
	assert_true(s.revoked);
	assert_string_equal(s.reason, "keyCompromise");
	assert_false(listed(&o, bob).revoked);
	refused(ca_revoke(o.ca, alice, 1, e), FAIL_INPUT, "revoked already");
	assert_int_equal(notes(&o, "revoke certificate"), 1);
	assert_int_equal(notes(&o, "make CRL"), 3);
	cert_free(&alice);
	cert_free(&bob);
	office_end(&o);
}

static void what_others_issued_is_not_ours_to_revoke(void **state)
{
	const struct spec leaf = { .san = "email:bob@example.org" };
	struct made root, m;
	struct office o;
	struct cert *c;
	const struct ca_renewal how = { .days = 5 };

	(void)state;
	office_make(&o);
	ca_make(&root, "Office (issuing)", NULL);
	cert_make(&m, &leaf, &root);
	add_cert(o.ks, &m, KS_ENCRYPT);
	refused(ca_revoke(o.ca, m.cert, 0, e), FAIL_INPUT, "not issued by");
	refused(ca_renew(o.ca, m.cert, &how, &c, e), FAIL_INPUT,
	    "not issued by");
	assert_int_equal(listed(&o, NULL).n, 1);
	made_free(&root);
	made_free(&m);
	office_end(&o);
}

/* As after an upgrade: the rows of what was issued before are not there. */
static void one_of_before_is_known_by_its_signature(void **state)
{
	struct office o;
	struct cert *c;
	sqlite3_stmt *st;
	struct seen s;

	(void)state;
	office_make(&o);
	c = mail_cert(&o, "alice@example.com");
	assert_int_equal(sqlite3_prepare_v2(o.ks->db, "DELETE FROM issued",
	    -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_DONE);
	sqlite3_finalize(st);
	assert_false(listed(&o, c).found);
	must(ca_revoke(o.ca, c, 4, e));
	s = listed(&o, c);
	assert_true(s.found && s.revoked && s.kind == CA_MAIL);
	assert_string_equal(s.reason, "superseded");
	cert_free(&c);
	office_end(&o);
}

/* ---- the CRL ---- */

static X509_CRL *read_crl(const struct buf *der)
{
	const unsigned char *p = der->p;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der->n);

	assert_non_null(crl);
	assert_ptr_equal(p, der->p + der->n);
	return crl;
}

static long number_of(X509_CRL *crl)
{
	ASN1_INTEGER *n = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL,
	    NULL);
	long x;

	assert_non_null(n);
	x = ASN1_INTEGER_get(n);
	ASN1_INTEGER_free(n);
	return x;
}

/* The issuing CA itself: the root's list takes it, and all below; its own
 * list does not name it. */
static void the_issuing_ca_can_be_revoked(void **state)
{
	struct office o;
	struct cert *c;
	struct buf der;
	X509_CRL *crl;

	(void)state;
	office_make(&o);
	buf_init(&der, 1u << 20);
	c = mail_cert(&o, "alice@example.com");
	must(ca_revoke(o.ca, ca_cert(o.ca), 1, e));
	must(ca_crl(o.ca, false, 30, &der, e));
	crl = read_crl(&der);
	assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), -1);
	assert_int_equal(status_of(&o, c), REVOCATION_REVOKED);
	X509_CRL_free(crl);
	cert_free(&c);
	buf_free(&der);
	office_end(&o);
}

/* attack A58: the CA's store is put back to an earlier backup, and its next
 * lists have the numbers of lists that others have already, so that what they
 * revoke is passed over
 * verdict: a number is at least the time, and one more than the last */
static void A58_numbers_grow_also_after_a_restore(void **state)
{
	const long now = (long)time(NULL);
	struct office o;
	struct buf der;
	X509_CRL *crl;
	long number = now - 1;
	int i;

	(void)state;
	office_make(&o);
	buf_init(&der, 1u << 20);
	for (i = 0; i < 3; i++) {
		buf_clear(&der);
		must(ca_crl(o.ca, false, 10, &der, e));
		crl = read_crl(&der);
		assert_true(number_of(crl) > number);
		number = number_of(crl);
		X509_CRL_free(crl);
	}
	buf_free(&der);
	office_end(&o);
}

static void crl_of_rfc_5280(void **state)
{
	const long now = (long)time(NULL);
	int days = 0, seconds = 0;
	struct office o;
	struct cert *c;
	struct buf der, pem;
	X509_REVOKED *r;
	X509_CRL *crl;

	(void)state;
	office_make(&o);
	buf_init(&der, 1u << 20);
	buf_init(&pem, 1u << 20);
	refused(ca_crl(o.ca, false, 0, &der, e), FAIL_INPUT, "want 1 to 366");
	refused(ca_crl(o.ca, false, 367, &der, e), FAIL_INPUT, "want 1 to");
	assert_int_equal(der.n, 0);
	c = mail_cert(&o, "alice@example.com");
	must(ca_revoke(o.ca, c, 1, e));
	must(ca_crl(o.ca, false, 10, &der, e));
	crl = read_crl(&der);
	assert_int_equal(X509_CRL_get_version(crl), X509_CRL_VERSION_2);
	assert_true(number_of(crl) > now);
	assert_int_equal(X509_CRL_verify(crl,
	    X509_get0_pubkey(cert_x509(ca_cert(o.ca)))), 1);
	assert_int_equal(X509_NAME_cmp(X509_CRL_get_issuer(crl),
	    X509_get_subject_name(cert_x509(ca_cert(o.ca)))), 0);
	assert_int_equal(ASN1_TIME_diff(&days, &seconds,
	    X509_CRL_get0_lastUpdate(crl), X509_CRL_get0_nextUpdate(crl)), 1);
	assert_int_equal(days, 10);
	assert_true(X509_CRL_get_ext_by_NID(crl,
	    NID_authority_key_identifier, -1) >= 0);
	assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), 1);
	assert_int_equal(X509_CRL_get0_by_serial(crl, &r,
	    X509_get_serialNumber(cert_x509(c))), 1);
	must(ca_crl_pem(buf_view(&der), &pem, e));
	assert_memory_equal(pem.p, "-----BEGIN X509 CRL-----\n", 25);
	X509_CRL_free(crl);
	buf_clear(&der);
	must(ca_crl(o.ca, true, 10, &der, e));
	crl = read_crl(&der);
	assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), -1);
	assert_true(number_of(crl) >= now);
	X509_CRL_free(crl);
	cert_free(&c);
	buf_free(&der);
	buf_free(&pem);
	office_end(&o);
}

/* ---- renewing ---- */

static struct cert *renewed(struct office *o, const struct cert *old,
    const struct ca_renewal *how)
{
	struct cert *c = NULL;

	must(ca_renew(o->ca, old, how, &c, e));
	assert_string_equal(cert_subject(c), cert_subject(old));
	assert_string_equal(cert_key_name(c), cert_key_name(old));
	assert_int_equal(cert_ku(c), cert_ku(old));
	assert_int_equal(cert_addresses(c), cert_addresses(old));
	if (cert_addresses(c) > 0)
		assert_string_equal(cert_address(c, 0)->text,
		    cert_address(old, 0)->text);
	return c;
}

static bool same_key(const struct cert *a, const struct cert *b)
{
	return memcmp(cert_spki_sha256(a), cert_spki_sha256(b), 32) == 0;
}

static void renewed_it_has_the_same_names_and_use(void **state)
{
	struct ca_renewal how = { .days = 0 };
	struct ca_request rq = mail_request("Alice@example.com");
	struct cert *old, *c;
	struct office o;
	struct ks_row r;

	(void)state;
	office_make(&o);
	rq.use = KS_ENCRYPT;
	rq.days = 20;
	rq.name = "Alice";
	must(ca_certify(o.ca, &rq, &old, e));
	c = renewed(&o, old, &how);
	assert_true(same_key(c, old));
	assert_int_equal(cert_not_after(c) - cert_not_before(c), 20 * DAY);
	assert_int_equal(state_of(&o, old), KS_USABLE);
	must(ks_cert_get(o.ks, cert_sha256(c), &r, e));
	assert_int_equal(r.use, KS_ENCRYPT | KS_STORAGE);
	assert_true(r.has_key);
	ks_row_free(&r);
	cert_free(&c);
	how.days = 7;
	how.new_key = how.replace = true;
	c = renewed(&o, old, &how);
	assert_false(same_key(c, old));
	assert_int_equal(cert_not_after(c) - cert_not_before(c), 7 * DAY);
	assert_int_equal(state_of(&o, old), KS_SUPERSEDED);
	must(ks_cert_get(o.ks, cert_sha256(c), &r, e));
	assert_true(r.has_key);
	ks_row_free(&r);
	assert_int_equal(notes(&o, "renew certificate"), 2);
	cert_free(&c);
	cert_free(&old);
	office_end(&o);
}

static void an_expired_one_is_superseded(void **state)
{
	struct ca_request rq = mail_request("alice@example.com");
	const struct ca_renewal how = { .days = 0 };
	struct cert *old, *c;
	struct office o;

	(void)state;
	office_make(&o);
	rq.not_before = now_s() - 60 * DAY;
	rq.days = 30;
	must(ca_certify(o.ca, &rq, &old, e));
	c = renewed(&o, old, &how);
	assert_true(cert_not_before(c) >= now_s() - 60);
	assert_int_equal(state_of(&o, old), KS_SUPERSEDED);
	cert_free(&c);
	cert_free(&old);
	office_end(&o);
}

static void what_is_not_renewed(void **state)
{
	struct ca_renewal how = { .days = 3653 };
	struct cert *old, *c;
	struct office o;

	(void)state;
	office_make(&o);
	old = mail_cert(&o, "alice@example.com");
	refused(ca_renew(o.ca, old, &how, &c, e), FAIL_INPUT, "days: 3653");
	assert_null(c);
	how.days = 0;
	refused(ca_renew(o.ca, ca_cert(o.ca), &how, &c, e), FAIL_INPUT,
	    "ca init --replace");
	must(ca_revoke(o.ca, old, 1, e));
	refused(ca_renew(o.ca, old, &how, &c, e), FAIL_POLICY, "is revoked");
	assert_null(c);
	cert_free(&old);
	office_end(&o);
}

/* With a key that is elsewhere only the owner can make a new one. */
static void a_key_that_is_elsewhere(void **state)
{
	static const char *const host = "mx.example.com";
	struct ca_renewal how = { .new_key = true };
	struct cert *old, *c;
	struct office o;
	struct buf key;
	struct ca_request rq = { .kind = CA_TLS_SERVER, .tls = &host,
	    .tls_n = 1, .algorithm = "ec:p384", .key_out = &key };

	(void)state;
	office_make(&o);
	buf_init_secret(&key, 65536);
	must(ca_certify(o.ca, &rq, &old, e));
	buf_clear(&key);
	how.key_out = &key;
	c = renewed(&o, old, &how);
	assert_true(key.n > 0);
	assert_false(same_key(c, old));
	assert_int_equal(X509_check_host(cert_x509(c), host, 0, 0, NULL), 1);
	assert_int_equal(listed(&o, c).kind, CA_TLS_SERVER);
	cert_free(&c);
	cert_free(&old);
	/* mail, its key taken out of the store */
	old = mail_cert(&o, "alice@example.com");
	must(keystore_remove(o.ks, cert_sha256(old), e));
	{
		bool added;

		must(keystore_add(o.ks, old, KS_SIGN, KS_CA, &added, e));
	}
	refused(ca_renew(o.ca, old, &how, &c, e), FAIL_INPUT,
	    "its key is not here");
	how.new_key = false;
	c = renewed(&o, old, &how);
	assert_true(same_key(c, old));
	cert_free(&c);
	cert_free(&old);
	buf_free(&key);
	office_end(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_issued_is_listed),
		cmocka_unit_test(reasons_have_the_names_of_the_rfc),
		cmocka_unit_test(revoked_it_counts_here_at_once),
		cmocka_unit_test(what_others_issued_is_not_ours_to_revoke),
		cmocka_unit_test(the_issuing_ca_can_be_revoked),
		cmocka_unit_test(one_of_before_is_known_by_its_signature),
		cmocka_unit_test(crl_of_rfc_5280),
		cmocka_unit_test(A58_numbers_grow_also_after_a_restore),
		cmocka_unit_test(renewed_it_has_the_same_names_and_use),
		cmocka_unit_test(an_expired_one_is_superseded),
		cmocka_unit_test(what_is_not_renewed),
		cmocka_unit_test(a_key_that_is_elsewhere),
	};

	return cmocka_run_group_tests_name("keystore_ca_crl", tests, NULL,
	    NULL);
}
