/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 * runner: long
 *
 * Making the small CA: its two certificates, its name constraints, and its
 * keys under a passphrase that no daemon has.
 */
#include "tests/unit/keystore_ca.h"

#include "keystore/keystore_int.h"
#include "keystore/sealing.h"

#define PASS "correct horse"
#define OTHER "battery staple"

static void faults(void **state)
{
	static const char *const no_domain[] = { "192.0.2.0/24" };
	static const char *const odd[] = { "example.com", "@", "@*", "@a b",
		"@*.", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0", "::/129",
		"10.0.0.0/8x", "10.0.0/8", "any", "" };
	char name[70];
	struct ca_options o = { .name = name };
	struct keystore *ks;
	struct place p;
	size_t i;

	(void)state;
	ks = store_make(&p);
	memset(name, 'x', sizeof(name));
	name[55] = '\0';
	refused(ca_create(ks, secret_view(), NULL, &o, e), FAIL_INPUT,
	    "name of the CA: want 1 to 54 octets");
	text_set(name, sizeof(name), "a\nb");
	refused(ca_create(ks, secret_view(), NULL, &o, e), FAIL_INPUT,
	    "name of the CA");
	text_set(name, sizeof(name), "Test");
	o.algorithm = "rsa:2048";
	refused(ca_create(ks, secret_view(), NULL, &o, e), FAIL_INPUT,
	    "too weak for a CA");
	o.algorithm = NULL;
	o.days = -1;
	refused(ca_create(ks, secret_view(), NULL, &o, e), FAIL_INPUT,
	    "days of the CA");
	o.days = 0;
	o.depth = 5;
	refused(ca_create(ks, secret_view(), NULL, &o, e), FAIL_INPUT,
	    "depth below the CA");
	o.depth = 0;
	o.crl_url = "https://pki.example.com/ca.crl";
	refused(ca_create(ks, secret_view(), NULL, &o, e), FAIL_INPUT,
	    "want http://");
	o.crl_url = "http://pki.example.com/a b";
	refused(ca_create(ks, secret_view(), NULL, &o, e), FAIL_INPUT,
	    "want http://");
	o.crl_url = NULL;
	refused(ca_create(ks, secret_view(), "7 chars", &o, e), FAIL_INPUT,
	    "passphrase of the CA: want 8 to 1023");
	o.permit_n = 1;
	for (i = 0; i < ARRAY_LEN(odd); i++) {
		o.permit = &odd[i];
		refused(ca_create(ks, secret_view(), NULL, &o, e), FAIL_INPUT,
		    "permit ");
	}
	o.permit = no_domain;
	refused(ca_create(ks, secret_view(), NULL, &o, e), FAIL_INPUT,
	    "networks alone");
	refused(ca_open(&(struct ca *){ NULL }, ks, secret_view(), NULL, e),
	    FAIL_CONFIG, "the keystore has no CA");
	store_clear(&p, &ks);
}

/* ---- what is made ---- */

struct found {
	struct cert *root, *issuing;
	size_t n;
};

static int take(void *arg, const struct ks_row *r, struct err *e)
{
	struct found *f = arg;

	(void)e;
	f->n++;
	if (r->is_anchor)
		f->root = cert_ref(r->cert);
	else
		f->issuing = cert_ref(r->cert);
	return 0;
}

static struct found find_both(struct keystore *ks)
{
	struct found f = { NULL, NULL, 0 };

	must(keystore_list(ks, NULL, take, &f, e));
	return f;
}

static long pathlen_of(const struct cert *c)
{
	return X509_get_pathlen(cert_x509(c));
}

static void is_ca(const struct cert *c, long pathlen)
{
	static const int nids[] = { NID_basic_constraints, NID_key_usage,
		NID_name_constraints };
	X509 *x = cert_x509(c);
	size_t i;
	int at;

	assert_true(cert_is_ca(c));
	assert_int_equal(pathlen_of(c), pathlen);
	assert_int_equal(X509_get_key_usage(x),
	    KU_KEY_CERT_SIGN | KU_CRL_SIGN);
	assert_true(cert_ski(c).n == 20);
	for (i = 0; i < ARRAY_LEN(nids); i++) {
		at = X509_get_ext_by_NID(x, nids[i], -1);
		if (at < 0 || X509_EXTENSION_get_critical(
		    X509_get_ext(x, at)) != 1)
			fail_msg("extension %d", nids[i]);
	}
	/* 127 bits, positive (RFC 5280 4.1.2.2) */
	assert_int_equal(strlen(cert_serial_hex(c)), 32);
	assert_true(cert_serial_hex(c)[0] >= '4' &&
	    cert_serial_hex(c)[0] <= '7');
}

static void S128_a_root_and_a_ca_that_issues(void **state)
{
	struct office o;
	struct found f;
	struct cert *c;
	struct path path;

	(void)state;
	office_make(&o);
	f = find_both(o.ks);
	assert_int_equal(f.n, 2);
	is_ca(f.root, 1);
	is_ca(f.issuing, 0);
	assert_string_equal(cert_subject(f.root), "CN=Office");
	assert_string_equal(cert_issuer(f.issuing), "CN=Office");
	assert_string_equal(cert_subject(f.issuing), "CN=Office (issuing)");
	assert_memory_equal(cert_sha256(ca_cert(o.ca)),
	    cert_sha256(f.issuing), 32);
	c = mail_cert(&o, "alice@example.com");
	must(keystore_path(o.ks, c, NULL, 0, now_s(), &path, e));
	assert_true(path.ok);
	assert_int_equal(path.chain_n, 1);
	assert_memory_equal(cert_sha256(path.chain[0]),
	    cert_sha256(f.issuing), 32);
	path_free(&path);
	cert_free(&c);
	cert_free(&f.root);
	cert_free(&f.issuing);
	office_end(&o);
}

/* As stores of before have it, and as --pathlen 0 wants it. */
static void a_root_that_issues_itself(void **state)
{
	struct office o = { .ca = NULL };
	struct ca_request rq = mail_request("alice@anywhere.example");
	struct cert *c;
	struct path path;

	(void)state;
	o.ks = store_make(&o.p);
	must(ca_init(o.ks, secret_view(), "Old", e));
	/* what a store of before does not have */
	must(keystore_begin(o.ks, e));
	{
		sqlite3_stmt *st;

		assert_int_equal(sqlite3_prepare_v2(o.ks->db, "DELETE FROM "
		    "meta WHERE name IN ('ca-root', 'ca-crl-url')", -1, &st,
		    NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(st), SQLITE_DONE);
		assert_int_equal(sqlite3_changes(o.ks->db), 2);
		sqlite3_finalize(st);
	}
	must(keystore_commit(o.ks, e));
	office_open(&o, NULL);
	assert_int_equal(pathlen_of(ca_cert(o.ca)), 0);
	must(ca_certify(o.ca, &rq, &c, e));
	must(keystore_path(o.ks, c, NULL, 0, now_s(), &path, e));
	assert_true(path.ok);
	assert_int_equal(path.chain_n, 0);
	must(ca_revoke(o.ca, c, 0, e));
	path_free(&path);
	cert_free(&c);
	office_end(&o);
}

static void replaced_the_old_one_stays_trusted(void **state)
{
	const struct ca_options again = { .name = "Office", .replace = true };
	const struct ca_options second = { .name = "Office" };
	struct cert *old, *new;
	struct path path;
	struct office o;

	(void)state;
	office_make(&o);
	old = mail_cert(&o, "alice@example.com");
	refused(ca_create(o.ks, secret_view(), NULL, &second, e),
	    FAIL_CONFIG, "has a CA already");
	must(ca_create(o.ks, secret_view(), NULL, &again, e));
	office_open(&o, NULL);
	new = mail_cert(&o, "dave@anywhere.example");
	must(keystore_path(o.ks, old, NULL, 0, now_s(), &path, e));
	assert_true(path.ok);
	path_free(&path);
	must(keystore_path(o.ks, new, NULL, 0, now_s(), &path, e));
	assert_true(path.ok);
	path_free(&path);
	refused(ca_revoke(o.ca, old, 0, e), FAIL_INPUT, "not issued by");
	cert_free(&old);
	cert_free(&new);
	office_end(&o);
}

static void its_end_is_told_before(void **state)
{
	const struct ca_options opt = { .name = "Short", .days = 100 };
	struct office o = { .ca = NULL };
	struct cert *c;
	char text[256];

	(void)state;
	o.ks = store_make(&o.p);
	must(ca_create(o.ks, secret_view(), NULL, &opt, e));
	office_open(&o, NULL);
	ca_expiry(o.ca, now_s(), 99, text, sizeof(text));
	assert_string_equal(text, "");
	ca_expiry(o.ca, now_s(), 101, text, sizeof(text));
	assert_non_null(strstr(text, "the CA ends on "));
	ca_expiry(o.ca, now_s() + 101 * DAY, 1, text, sizeof(text));
	assert_non_null(strstr(text, "the CA ended on "));
	c = mail_cert(&o, "alice@example.com");
	assert_int_equal(cert_not_after(c), cert_not_after(ca_cert(o.ca)));
	cert_free(&c);
	office_end(&o);
}

/* ---- name constraints ---- */

struct wanted {
	const char *name; /* with @: mail, else a TLS server */
	bool ok;
};

static void try_names(const char *const *permit, size_t n,
    const struct wanted *w, size_t count)
{
	const struct ca_options opt = { .name = "Bound", .permit = permit,
	    .permit_n = n };
	struct office o = { .ca = NULL };
	struct buf key;
	size_t i;

	o.ks = store_make(&o.p);
	must(ca_create(o.ks, secret_view(), NULL, &opt, e));
	office_open(&o, NULL);
	buf_init_secret(&key, 65536);
	for (i = 0; i < count; i++) {
		struct ca_request rq = { .algorithm = "ec:p256",
		    .use = KS_SIGN, .key_out = &key };
		struct err e = { 0 };
		struct cert *c = NULL;
		int rc;

		if (strchr(w[i].name, '@') != NULL) {
			rq.email = address(w[i].name);
		} else {
			rq.kind = CA_TLS_SERVER;
			rq.tls = &w[i].name;
			rq.tls_n = 1;
		}
		rc = ca_certify(o.ca, &rq, &c, &e);
		if ((rc == 0) != w[i].ok || (rc != 0 &&
		    (e.kind != FAIL_POLICY ||
		    strstr(e.msg, "outside of the names") == NULL ||
		    strstr(e.msg, w[i].name) == NULL)))
			fail_msg("%s: %d %s", w[i].name, rc, e.msg);
		assert_true((c != NULL) == (rc == 0));
		cert_free(&c);
	}
	buf_free(&key);
	office_end(&o);
}

static void names_outside_are_refused_by_name(void **state)
{
	static const char *const one[] = { "@example.com" };
	static const char *const below[] = { "@*.example.com" };
	static const char *const nets[] = { "@example.com", "192.0.2.0/25",
		"2001:db8::/32" };
	static const struct wanted of_one[] = {
		{ "alice@example.com", true },
		{ "alice@sub.example.com", false },
		{ "alice@example.org", false },
		{ "alice@notexample.com", false },
		{ "example.com", true },
		{ "mx.example.com", true },
		{ "*.example.com", true },
		{ "mx.example.org", false },
		{ "notexample.com", false },
		{ "192.0.2.1", false },
		{ "2001:db8::1", false },
	};
	static const struct wanted of_below[] = {
		{ "alice@example.com", false },
		{ "alice@sub.example.com", true },
		{ "alice@a.b.example.com", true },
		{ "mx.sub.example.com", true },
		{ "mx.example.org", false },
	};
	static const struct wanted of_nets[] = {
		{ "192.0.2.1", true },
		{ "192.0.2.127", true },
		{ "192.0.2.128", false },
		{ "2001:db8::1", true },
		{ "2001:db9::1", false },
	};

	(void)state;
	try_names(one, 1, of_one, ARRAY_LEN(of_one));
	try_names(below, 1, of_below, ARRAY_LEN(of_below));
	try_names(nets, 3, of_nets, ARRAY_LEN(of_nets));
}

/* ---- the passphrase ---- */

static void make_locked(struct office *o)
{
	const struct ca_options opt = { .name = "Locked" };

	memset(o, 0, sizeof(*o));
	o->ks = store_make(&o->p);
	must(ca_create(o->ks, secret_view(), PASS, &opt, e));
}

static void only_the_passphrase_opens_it(void **state)
{
	struct ca *ca = NULL;
	struct buf sealed, key;
	struct found f;
	struct office o;
	struct cert *c;
	bool locked;

	(void)state;
	make_locked(&o);
	must(ca_is_locked(o.ks, &locked, e));
	assert_true(locked);
	refused(ca_open(&ca, o.ks, secret_view(), NULL, e), FAIL_POLICY,
	    "is under a passphrase");
	assert_null(ca);
	refused(ca_open(&ca, o.ks, secret_view(), "correct hors", e),
	    FAIL_POLICY, "does not open with this passphrase");
	assert_null(ca);
	/* neither does the secret open what is in the table */
	f = find_both(o.ks);
	buf_init(&sealed, 65536);
	buf_init_secret(&key, 65536);
	must(keystore_get_key(o.ks, cert_spki_sha256(f.root), &sealed, e));
	assert_memory_equal(sealed.p, KS_PASSPHRASE_MAGIC, 4);
	assert_int_equal(seal_form(buf_view(&sealed)), SEAL_PASSPHRASE);
	must_fail(keyring_unseal_key(buf_view(&sealed), secret_view(), &key,
	    e), FAIL_CONFIG);
	assert_int_equal(key.n, 0);
	office_open(&o, PASS);
	c = mail_cert(&o, "alice@example.com");
	cert_free(&c);
	cert_free(&f.root);
	cert_free(&f.issuing);
	buf_free(&sealed);
	buf_free(&key);
	office_end(&o);
}

/* What the keys process loads: alice's key, and no CA's. */
static void no_daemon_holds_the_cas_key(void **state)
{
	struct keyring *kr;
	struct office o;
	struct found f;
	struct cert *c;

	(void)state;
	make_locked(&o);
	f = find_both(o.ks);
	must(keyring_load(&kr, o.ks, secret_view(), e));
	assert_int_equal(keyring_keys(kr), 0);
	keyring_free(&kr);
	office_open(&o, PASS);
	c = mail_cert(&o, "alice@example.com");
	must(keyring_load(&kr, o.ks, secret_view(), e));
	assert_int_equal(keyring_keys(kr), 1);
	assert_non_null(keyring_cert(kr, cert_sha256(c)));
	assert_null(keyring_cert(kr, cert_sha256(f.root)));
	assert_null(keyring_cert(kr, cert_sha256(f.issuing)));
	keyring_free(&kr);
	cert_free(&c);
	cert_free(&f.root);
	cert_free(&f.issuing);
	office_end(&o);
}

static void the_passphrase_changes(void **state)
{
	struct ca *ca = NULL;
	struct office o;
	struct cert *c;
	bool locked;

	(void)state;
	make_locked(&o);
	office_open(&o, PASS);
	refused(ca_set_passphrase(o.ca, "short", e), FAIL_INPUT, "want 8 to");
	must(ca_set_passphrase(o.ca, OTHER, e));
	/* the handle goes on, with the root's key too */
	must(ca_crl(o.ca, true, 5, NULL, e));
	must_fail(ca_open(&ca, o.ks, secret_view(), PASS, e), FAIL_POLICY);
	office_open(&o, OTHER);
	must(ca_crl(o.ca, true, 5, NULL, e));
	must(ca_set_passphrase(o.ca, NULL, e));
	must(ca_is_locked(o.ks, &locked, e));
	assert_false(locked);
	office_open(&o, NULL);
	c = mail_cert(&o, "alice@example.com");
	cert_free(&c);
	office_end(&o);
}

/* Whoever may write to the store gains nothing by exchanging the CA's key. */
static void another_ones_key_is_refused(void **state)
{
	struct ca *ca = NULL;
	struct office a, b;
	struct buf sealed;

	(void)state;
	make_locked(&a);
	make_locked(&b);
	office_open(&a, PASS);
	office_open(&b, PASS);
	buf_init(&sealed, 65536);
	must(keystore_get_key(b.ks, cert_spki_sha256(ca_cert(b.ca)), &sealed,
	    e));
	must(keystore_add_key(a.ks, cert_spki_sha256(ca_cert(a.ca)),
	    buf_view(&sealed), e));
	refused(ca_open(&ca, a.ks, secret_view(), PASS, e), FAIL_CONFIG,
	    "belongs to another certificate");
	buf_free(&sealed);
	office_end(&a);
	office_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults),
		cmocka_unit_test(S128_a_root_and_a_ca_that_issues),
		cmocka_unit_test(a_root_that_issues_itself),
		cmocka_unit_test(replaced_the_old_one_stays_trusted),
		cmocka_unit_test(its_end_is_told_before),
		cmocka_unit_test(names_outside_are_refused_by_name),
		cmocka_unit_test(only_the_passphrase_opens_it),
		cmocka_unit_test(no_daemon_holds_the_cas_key),
		cmocka_unit_test(the_passphrase_changes),
		cmocka_unit_test(another_ones_key_is_refused),
	};

	return cmocka_run_group_tests_name("keystore_ca_create", tests, NULL,
	    NULL);
}
