/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What certificates of the store name, the request to a responder, and the
 * table of what was fetched.
 */
#include "tests/unit/keystore_revocation.h"

#include <sys/wait.h>
#include <unistd.h>

#include "keystore/fetched.h"

struct urls {
	struct buf text; /* "crl URL" or "ocsp URL", one a line */
	size_t stop_at;	 /* -1 at this one; 0: never */
	size_t n;
};

static int keep_url(void *arg, const struct cert *c, bool is_ocsp,
    const char *url, struct err *e)
{
	struct urls *u = arg;

	assert_non_null(c);
	buf_printf(&u->text, "%s %s\n", is_ocsp ? "ocsp" : "crl", url);
	return ++u->n == u->stop_at ? err_set(e, FAIL_TEMP, "stopped") : 0;
}

static void expect_urls(const char *want)
{
	struct source_scan scan = { .most = 2 };
	struct urls u = { .n = 0 };

	buf_init(&u.text, 65536);
	while (!scan.end)
		must(revocation_sources(ks, &scan, NOW, keep_url, &u, e));
	assert_string_equal(buf_str(&u.text), want);
	buf_free(&u.text);
}

/* A certificate of sub with these URLs goes into the store. */
static void add_with(struct made *m, const char *cdp, const char *aia)
{
	const struct spec s = { .cn = "bob", .san = "email:bob@example.com",
		.cdp = cdp, .aia = aia };

	cert_make(m, &s, &sub);
	add_cert(ks, m, KS_ENCRYPT);
}

static void A56_nothing_is_named_by_nobody(void **state)
{
	struct spec ca = CA_SPEC("named");
	struct made m, old;
	const struct spec s = { .cn = "old", .san = "email:old@example.com",
		.cdp = "URI:http://old/", .from = NOW - 20 * DAY,
		.until = NOW - DAY };

	(void)state;
	expect_urls("");
	add_with(&m, NULL, NULL);
	made_free(&m);
	/* one that has ended, one that is not usable, and an anchor */
	cert_make(&old, &s, &sub);
	add_cert(ks, &old, KS_ENCRYPT);
	made_free(&old);
	add_with(&m, "URI:http://distrusted/", NULL);
	must(keystore_set_state(ks, cert_sha256(m.cert), KS_DISTRUSTED, e));
	made_free(&m);
	ca.cdp = "URI:http://anchor/";
	cert_make(&m, &ca, NULL);
	add_anchor(ks, &m);
	made_free(&m);
	expect_urls("");
}

static void S118_distribution_points_and_responders(void **state)
{
	struct made a, b;

	(void)state;
	add_with(&a, "URI:http://a/1,URI:ldap://a/2",
	    "OCSP;URI:http://a/o,caIssuers;URI:http://a/i");
	add_with(&b, "URI:http://b/", "OCSP;URI:file:///etc/passwd");
	/* of any scheme: who asks decides */
	expect_urls("crl http://a/1\ncrl ldap://a/2\nocsp http://a/o\n"
	    "crl http://b/\nocsp file:///etc/passwd\n");
	made_free(&a);
	made_free(&b);
}

static void a_visitor_that_stops(void **state)
{
	struct source_scan scan = { .most = 10 };
	struct urls u = { .stop_at = 1 };
	struct err why = { 0 };
	struct made a;

	(void)state;
	add_with(&a, "URI:http://a/1,URI:http://a/2", NULL);
	buf_init(&u.text, 1000);
	assert_int_equal(revocation_sources(ks, &scan, NOW, keep_url, &u,
	    &why), -1);
	assert_string_equal(why.msg, "stopped");
	assert_string_equal(buf_str(&u.text), "crl http://a/1\n");
	buf_free(&u.text);
	made_free(&a);
}

/* ---- requests ---- */

static void A59_a_request_asks_about_one_certificate(void **state)
{
	OCSP_CERTID *want, *id;
	const unsigned char *p;
	OCSP_REQUEST *req;
	struct made m;
	struct buf b;

	(void)state;
	add_with(&m, NULL, "OCSP;URI:http://a/");
	buf_init(&b, 4096);
	must(revocation_request(ks, cert_sha256(m.cert), NOW, &b, e));
	p = b.p;
	req = d2i_OCSP_REQUEST(NULL, &p, (long)b.n);
	assert_non_null(req);
	assert_ptr_equal(p, b.p + b.n);
	assert_int_equal(OCSP_request_onereq_count(req), 1);
	id = OCSP_onereq_get0_id(OCSP_request_onereq_get0(req, 0));
	want = OCSP_cert_to_id(EVP_sha1(), m.x, sub.x);
	assert_int_equal(OCSP_id_cmp(id, want), 0);
	OCSP_CERTID_free(want);
	OCSP_REQUEST_free(req);
	buf_free(&b);
	made_free(&m);
}

/* attack A56: a certificate in the store that nobody vouches for names a
 * responder and a list
 * verdict: nothing is asked about it */
static void A56_no_path_no_request(void **state)
{
	const struct spec s = { .cn = "mallory",
		.san = "email:mallory@example.com",
		.aia = "OCSP;URI:http://evil/", .cdp = "URI:http://evil/c" };
	struct err why = { 0 };
	unsigned char none[32] = { 0 };
	struct made m;
	struct buf b;

	(void)state;
	cert_make(&m, &s, &other);
	add_cert(ks, &m, KS_ENCRYPT);
	buf_init(&b, 4096);
	assert_int_equal(revocation_request(ks, cert_sha256(m.cert), NOW, &b,
	    &why), -1);
	assert_int_equal(why.kind, FAIL_POLICY);
	assert_int_equal(b.n, 0);
	err_clear(&why);
	assert_int_equal(revocation_is_anchored(ks, cert_sha256(m.cert), NOW,
	    &why), -1);
	assert_int_equal(why.kind, FAIL_POLICY);
	assert_non_null(strstr(why.msg, "ends in no anchor"));
	err_clear(&why);
	assert_int_equal(revocation_is_anchored(ks, none, NOW, &why), -1);
	assert_int_equal(why.kind, FAIL_INPUT);
	buf_free(&b);
	made_free(&m);
	add_with(&m, NULL, NULL);
	must(revocation_is_anchored(ks, cert_sha256(m.cert), NOW, e));
	made_free(&m);
}

/* ---- the table ---- */

static int keep_name(void *arg, const char *name, const struct fetched *f,
    struct err *e)
{
	(void)e;
	buf_printf(arg, "%s %lld %lld|", name, (long long)f->failures,
	    (long long)f->next);
	return 0;
}

static void how_fetching_went(void **state)
{
	struct fetched f = { 10, 0, 20, 3, "no answer" }, got;
	struct buf b;
	bool found;

	(void)state;
	must(fetched_get(ks, "http://a/", &got, &found, e));
	assert_false(found);
	must(fetched_set(ks, "http://a/", &f, e));
	f.got = f.tried = 100;
	f.failures = 0;
	f.error[0] = '\0';
	must(fetched_set(ks, "http://b/ 00ff", &f, e));
	must(fetched_get(ks, "http://a/", &got, &found, e));
	assert_true(found);
	assert_int_equal(got.tried, 10);
	assert_int_equal(got.got, 0);
	assert_int_equal(got.failures, 3);
	assert_string_equal(got.error, "no answer");
	must(fetched_set(ks, "http://a/", &f, e));
	must(fetched_get(ks, "http://a/", &got, &found, e));
	assert_int_equal(got.got, 100);
	assert_string_equal(got.error, "");
	buf_init(&b, 1000);
	must(fetched_list(ks, keep_name, &b, e));
	assert_string_equal(buf_str(&b), "http://a/ 0 20|http://b/ 00ff 0 "
	    "20|");
	must(fetched_expire(ks, 100, e));
	buf_clear(&b);
	must(fetched_expire(ks, 101, e));
	must(fetched_list(ks, keep_name, &b, e));
	assert_string_equal(buf_str(&b), "");
	buf_free(&b);
}

/* ---- a long list, in parts ---- */

struct pauses {
	size_t n;
	bool was_in_use; /* the list from before, at each of them */
};

static void look(void *arg)
{
	struct pauses *p = arg;
	struct keystore *reader;
	struct cert *chain[] = { sub.cert };
	struct revocation r;

	p->n++;
	/* nobody waits: another process writes, another one reads */
	must(keystore_open(&reader, place.db, KS_WRITE, e));
	must(fetched_set(reader, "x", &(struct fetched) { .tried = 1 }, e));
	must(keystore_revocation(reader, leaf.cert, chain, 1, NOW, &r, e));
	p->was_in_use &= r.status == REVOCATION_REVOKED;
	keystore_close(&reader);
}

static void many_entries(struct rv_crl *c, struct buf *der, int64_t n)
{
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	ASN1_TIME *t = ASN1_TIME_set(NULL, NOW - DAY);
	X509_CRL *crl = rv_make(c);
	unsigned char *p = NULL;
	int len;

	for (int64_t i = 0; i < n; i++) {
		X509_REVOKED *r = X509_REVOKED_new();

		ASN1_INTEGER_set_int64(number, 5000000 + i * 3);
		X509_REVOKED_set_serialNumber(r, number);
		X509_REVOKED_set_revocationDate(r, t);
		X509_CRL_add0_revoked(crl, r);
	}
	assert_true(X509_CRL_sign(crl, sub.key, EVP_sha256()) > 0);
	len = i2d_X509_CRL(crl, &p);
	buf_init(der, 20u << 20);
	buf_put(der, p, (size_t)len);
	OPENSSL_free(p);
	X509_CRL_free(crl);
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(t);
}

static int64_t count(const char *sql)
{
	sqlite3_stmt *st;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(ks->db, sql, -1, &st, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

#define ENTRIES "SELECT COUNT(*) FROM crl_entry"
#define LISTS "SELECT COUNT(*) FROM crl"

static void S73_A58_nobody_waits_while_a_long_list_is_written(void **state)
{
	struct rv_entry x = { leaf.x, NOW - DAY, 1, 0, NULL };
	struct rv_crl c = crl_of(&sub, 1);
	struct pauses p = { 0, true };
	struct buf der;

	(void)state;
	bring_root_list();
	c.entry = &x;
	c.n = 1;
	many_entries(&c, &der, 9000);
	rv_import(ks, buf_view(&der), NOW, NULL);
	buf_free(&der);
	expect(REVOCATION_REVOKED, NULL);
	c.number = 2;
	c.n = 0;
	many_entries(&c, &der, 9000);
	keystore_between(ks, look, &p);
	rv_import(ks, buf_view(&der), NOW, NULL);
	keystore_between(ks, NULL, NULL);
	buf_free(&der);
	/* three parts are written; then the old one goes, in three */
	assert_int_equal(p.n, 6);
	assert_false(p.was_in_use); /* from the moment that it took over */
	expect(REVOCATION_GOOD, NULL);
	assert_int_equal(count(ENTRIES), 9000);
	assert_int_equal(count(LISTS), 2);
}

static void die_at(void *arg)
{
	size_t *left = arg;

	if ((*left)-- == 0)
		_exit(7);
}

/* A list that is half written, or half dropped, when somebody dies: the one
 * before, or the new one, and nothing else is seen. */
static void S73_killed_at_every_part(void **state)
{
	struct rv_entry x = { leaf.x, NOW - DAY, 1, 0, NULL };
	struct rv_crl c = crl_of(&sub, 1);
	bool is_new = false;
	struct buf der;
	int status;
	pid_t pid;

	(void)state;
	bring_root_list();
	c.entry = &x;
	c.n = 1;
	many_entries(&c, &der, 9000);
	rv_import(ks, buf_view(&der), NOW, NULL);
	buf_free(&der);
	c.number = 2;
	c.n = 0;
	many_entries(&c, &der, 9000);
	keystore_close(&ks);
	for (size_t at = 0, end = 0; end == 0; at++) {
		assert_true(at < 30);
		pid = fork();
		if (pid == 0) {
			struct rv_seen seen;
			struct err why = { 0 };
			size_t good;

			if (keystore_open(&ks, place.db, KS_WRITE, &why) != 0)
				_exit(1);
			keystore_between(ks, die_at, &at);
			_exit(revocation_import(ks, buf_view(&der), NOW,
			    rv_report, &seen, &good, &why) == 0 ? 0 : 2);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		must(keystore_open(&ks, place.db, KS_WRITE, e));
		assert_true(status == 0 || WEXITSTATUS(status) == 7);
		end = status == 0;
		is_new = is_new || ask_at(NOW).status == REVOCATION_GOOD;
		expect(is_new ? REVOCATION_GOOD : REVOCATION_REVOKED, NULL);
		assert_int_equal(count(LISTS " WHERE name <> 0"), 2);
		/* the one that is seen has all of its entries */
		assert_int_equal(count(LISTS " WHERE name <> 0 AND entries <>"
		    " (SELECT COUNT(*) FROM crl_entry r WHERE r.crl = crl.id)"),
		    0);
		keystore_close(&ks);
	}
	assert_true(is_new);
	must(keystore_open(&ks, place.db, KS_WRITE, e));
	c.number = 3;
	rv_bring(ks, &c, NOW, NULL);
	assert_int_equal(count(ENTRIES), 0);
	assert_int_equal(count(LISTS), 2);
	buf_free(&der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(A56_nothing_is_named_by_nobody),
		T(S118_distribution_points_and_responders),
		T(a_visitor_that_stops),
		T(A59_a_request_asks_about_one_certificate),
		T(A56_no_path_no_request),
		T(how_fetching_went),
		T(S73_A58_nobody_waits_while_a_long_list_is_written),
		T(S73_killed_at_every_part),
	};

	return cmocka_run_group_tests_name("keystore_sources", tests, setup,
	    teardown);
}
