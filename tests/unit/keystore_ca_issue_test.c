/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the small CA issues: for mail and TLS, of keys made here and of
 * requests from elsewhere.
 */
#include "tests/unit/keystore_ca.h"

#include <sys/wait.h>

#include <openssl/pem.h>

#include "keystore/advice.h"
#include "util/ossl.h"

/* ---- requests (PKCS#10) ---- */

struct csr {
	const char *key;   /* as key_named() */
	const char *cn;
	const char *email; /* in the subject */
	const char *san;   /* "email:..." */
	const char *more;  /* basicConstraints asked for */
	bool broken;	   /* signature */
};

static void add_asked(X509_REQ *req, int nid, const char *value,
    STACK_OF(X509_EXTENSION) *exts)
{
	X509_EXTENSION *x;

	(void)req;
	if (value == NULL)
		return;
	x = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	assert_non_null(x);
	sk_X509_EXTENSION_push(exts, x);
}

static void put_csr(const struct csr *c, struct buf *der)
{
	STACK_OF(X509_EXTENSION) *exts = sk_X509_EXTENSION_new_null();
	EVP_PKEY *key = key_named(c->key != NULL ? c->key : "ec:p256",
	    "theirs");
	X509_REQ *req = X509_REQ_new();
	unsigned char *p = NULL;
	int n;

	X509_REQ_set_version(req, X509_REQ_VERSION_1);
	put_name(X509_REQ_get_subject_name(req), "CN", c->cn);
	put_name(X509_REQ_get_subject_name(req), "emailAddress", c->email);
	assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
	add_asked(req, NID_subject_alt_name, c->san, exts);
	add_asked(req, NID_basic_constraints, c->more, exts);
	if (sk_X509_EXTENSION_num(exts) > 0)
		assert_int_equal(X509_REQ_add_extensions(req, exts), 1);
	assert_true(X509_REQ_sign(req, key, EVP_PKEY_is_a(key, "ED25519") == 1
	    ? NULL : EVP_sha256()) > 0);
	n = i2d_X509_REQ(req, &p);
	assert_true(n > 0);
	if (c->broken)
		p[n - 1] ^= 1;
	buf_put(der, p, (size_t)n);
	OPENSSL_free(p);
	X509_REQ_free(req);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
}

static int certify_csr(struct office *o, const struct csr *c,
    struct cert **out, struct err *e)
{
	struct ca_request rq = mail_request("alice@example.com");
	struct buf der;
	int rc;

	buf_init(&der, 65536);
	put_csr(c, &der);
	rq.csr = buf_view(&der);
	rc = ca_certify(o->ca, &rq, out, e);
	buf_free(&der);
	return rc;
}

static void requests_that_are_refused(void **state)
{
	static const struct {
		struct csr csr;
		enum fail kind;
		const char *text;
	} rows[] = {
		{ { .cn = "alice", .broken = true }, FAIL_INPUT,
		    "its signature does not verify" },
		{ { .cn = "bob@example.com" }, FAIL_INPUT,
		    "is for bob@example.com, not for alice@example.com" },
		{ { .cn = "x", .email = "bob@example.com" }, FAIL_INPUT,
		    "not for alice" },
		{ { .cn = "x", .san = "email:bob@example.com" }, FAIL_INPUT,
		    "not for alice" },
		{ { .cn = "x", .san = "email:alice@example.com.evil.example" },
		    FAIL_INPUT, "not for alice" },
		{ { .cn = "x", .key = "rsa:1024" }, FAIL_POLICY, "1024" },
		{ { .cn = "x", .key = "ed25519" }, FAIL_POLICY, "alice" },
		{ { .cn = "x", .key = "ec:k256" }, FAIL_POLICY, "alice" },
	};
	static const char *const garbage[] = { "0", "x", "-----BEGIN "
		"CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE "
		"REQUEST-----\n" };
	struct office o;
	struct cert *c;
	size_t i;

	(void)state;
	office_make(&o);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		refused(certify_csr(&o, &rows[i].csr, &c, e), rows[i].kind,
		    rows[i].text);
		assert_null(c);
	}
	for (i = 0; i < ARRAY_LEN(garbage); i++) {
		struct ca_request rq = mail_request("alice@example.com");

		rq.csr = view_of(garbage[i]);
		refused(ca_certify(o.ca, &rq, &c, e), FAIL_INPUT,
		    "not PKCS#10");
	}
	office_end(&o);
}

/* Only key and address count; a CA that was asked for is none. */
static void requests_give_their_key_alone(void **state)
{
	static const struct csr good[] = {
		{ .cn = "Alice" },
		{ .cn = "alice@example.com" },
		{ .cn = "x", .email = "Alice@Example.com" },
		{ .cn = "x", .san = "email:alice@example.com",
		    .more = "CA:TRUE" },
		{ .cn = "x", .san = "email:bob@example.com,"
		    "email:alice@example.com" },
	};
	struct office o;
	struct cert *c;
	struct addr bob = address("bob@example.com");
	struct buf sealed;
	size_t i;

	(void)state;
	office_make(&o);
	buf_init(&sealed, 65536);
	for (i = 0; i < ARRAY_LEN(good); i++) {
		must(certify_csr(&o, &good[i], &c, e));
		assert_false(cert_is_ca(c));
		assert_int_equal(cert_addresses(c), 1);
		assert_string_equal(cert_address(c, 0)->text,
		    "alice@example.com");
		assert_false(cert_has_address(c, &bob, ADDR_FOLD_LOCAL));
		assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(cert_x509(c)),
		    key_named("ec:p256", "theirs")), 1);
		must_fail(keystore_get_key(o.ks, cert_spki_sha256(c),
		    &sealed, e), FAIL_INPUT);
		cert_free(&c);
	}
	buf_free(&sealed);
	office_end(&o);
}

/* ---- TLS ---- */

static struct cert *tls_cert(struct office *o, enum ca_kind kind,
    const char *const *names, size_t n, struct buf *key)
{
	struct ca_request rq = { .kind = kind, .tls = names, .tls_n = n,
	    .algorithm = "ec:p256", .key_out = key };
	struct cert *c = NULL;

	must(ca_certify(o->ca, &rq, &c, e));
	return c;
}

static bool key_fits(const struct buf *pem, const struct cert *c)
{
	BIO *bio = BIO_new_mem_buf(pem->p, (int)pem->n);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	bool fits = key != NULL && EVP_PKEY_eq(key,
	    X509_get0_pubkey(cert_x509(c))) == 1;

	EVP_PKEY_free(key);
	BIO_free(bio);
	return fits;
}

static int is_unused(void *arg, const struct ks_row *r, struct err *e)
{
	(void)e;
	if (memcmp(cert_sha256(r->cert), arg, 32) == 0) {
		assert_int_equal(r->use, 0);
		assert_false(r->has_key);
	}
	return 0;
}

static void for_tls_and_not_for_mail(void **state)
{
	static const char *const hosts[] = { "MX.example.com",
		"*.example.com" };
	X509 *x;
	struct office o;
	struct selection sel;
	struct addr alice = address("alice@example.com");
	struct ca_request rq = { .kind = CA_TLS_CLIENT, .email = alice,
	    .algorithm = "rsa:2048" };
	struct buf key;
	struct cert *c;
	unsigned char sha[32];

	(void)state;
	office_make(&o);
	buf_init_secret(&key, 65536);
	c = tls_cert(&o, CA_TLS_SERVER, hosts, 2, &key);
	x = cert_x509(c);
	assert_true(key_fits(&key, c));
	assert_int_equal(X509_get_extended_key_usage(x), XKU_SSL_SERVER);
	assert_int_equal(X509_get_key_usage(x), KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_check_host(x, "mx.example.com", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "a.example.com", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "example.com", 0, 0, NULL), 0);
	assert_int_equal(cert_not_after(c) - cert_not_before(c), 397 * DAY);
	assert_false(cert_eku_mail(c));
	memcpy(sha, cert_sha256(c), 32);
	must(keystore_list(o.ks, NULL, is_unused, sha, e));
	cert_free(&c);
	buf_clear(&key);
	rq.key_out = &key;
	must(ca_certify(o.ca, &rq, &c, e));
	assert_true(key_fits(&key, c));
	assert_int_equal(X509_get_extended_key_usage(cert_x509(c)),
	    XKU_SSL_CLIENT);
	assert_true(cert_has_address(c, &alice, ADDR_EXACT));
	must(keystore_select(o.ks, &alice, KS_SIGN, now_s(), &sel, e));
	assert_null(sel.cert);
	selection_free(&sel);
	cert_free(&c);
	buf_free(&key);
	office_end(&o);
}

static void tls_names_that_are_none(void **state)
{
	static const char *const odd[] = { "", "a b", "*", "*.", "a*.example",
		"-", "192.0.2", "mx.example.com\nx", "*.*.example.com",
		"http://mx.example.com", "::1::" };
	const char *many[CA_NAMES + 1];
	struct office o;
	struct buf key;
	struct cert *c;
	struct ca_request rq = { .kind = CA_TLS_SERVER, .tls_n = 1,
	    .algorithm = "ec:p256", .key_out = &key };
	size_t i;

	(void)state;
	office_make(&o);
	buf_init_secret(&key, 65536);
	for (i = 0; i < ARRAY_LEN(odd); i++) {
		struct err e = { 0 };

		rq.tls = &odd[i];
		if (ca_certify(o.ca, &rq, &c, &e) == 0)
			fail_msg("\"%s\" was certified", odd[i]);
		assert_true(e.kind == FAIL_INPUT || e.kind == FAIL_POLICY);
	}
	for (i = 0; i < ARRAY_LEN(many); i++)
		many[i] = "mx.example.com";
	rq.tls = many;
	rq.tls_n = CA_NAMES;
	must(ca_certify(o.ca, &rq, &c, e));
	cert_free(&c);
	rq.tls_n = CA_NAMES + 1;
	refused(ca_certify(o.ca, &rq, &c, e), FAIL_LIMIT, "33 names");
	rq.tls_n = 0;
	refused(ca_certify(o.ca, &rq, &c, e), FAIL_INPUT, "no name");
	buf_free(&key);
	office_end(&o);
}

/* attack A62: a TLS server's key is certified for mail too, so that what
 * the server can be made to do with it opens or signs mail, and the reverse
 * verdict: refused, whichever of the two came first */
static void A62_one_key_is_not_certified_for_mail_and_tls(void **state)
{
	static const char *const host = "mx.example.com";
	const struct csr csr = { .cn = "x" };
	struct ca_request tls = { .kind = CA_TLS_SERVER, .tls = &host,
	    .tls_n = 1 };
	struct ca_request mail = mail_request("alice@example.com");
	struct office o;
	struct cert *c;
	struct buf der;
	int first;

	(void)state;
	buf_init(&der, 65536);
	put_csr(&csr, &der);
	tls.csr = mail.csr = buf_view(&der);
	for (first = 0; first < 2; first++) {
		office_make(&o);
		must(ca_certify(o.ca, first == 0 ? &tls : &mail, &c, e));
		cert_free(&c);
		refused(ca_certify(o.ca, first == 0 ? &mail : &tls, &c, e),
		    FAIL_POLICY, first == 0 ? "for TLS already" :
		    "for mail already");
		/* again for the same is no harm */
		must(ca_certify(o.ca, first == 0 ? &tls : &mail, &c, e));
		cert_free(&c);
		office_end(&o);
	}
	buf_free(&der);
}

/* ---- mail ---- */

static void a_name_and_a_crl_url_go_in(void **state)
{
	struct ca_request rq = mail_request("alice@example.com");
	struct advice a[ADVICE_MAX];
	struct path path;
	struct office o;
	struct cert *c;
	size_t n, i;

	(void)state;
	office_make(&o);
	rq.name = "Alice \xc3\x84rmel";
	must(ca_certify(o.ca, &rq, &c, e));
	assert_string_equal(cert_subject(c), "CN=Alice \xc3\x84rmel");
	assert_int_equal(cert_not_after(c) - cert_not_before(c), 730 * DAY);
	/* our own are such that only gpgsm has something to say */
	must(keystore_path(o.ks, c, NULL, 0, now_s(), &path, e));
	n = advice_find(c, &path, a);
	for (i = 0; i < n; i++)
		if (strcmp(a[i].code, "name-constraints") != 0)
			fail_msg("%s: %s", a[i].code, a[i].text);
	path_free(&path);
	cert_free(&c);
	rq.name = "a\tb";
	must_fail(ca_certify(o.ca, &rq, &c, e), FAIL_INPUT);
	rq.name = "";
	must_fail(ca_certify(o.ca, &rq, &c, e), FAIL_INPUT);
	office_end(&o);
}

/* ---- random octets ---- */

static void read_all(int fd, unsigned char *p, size_t n)
{
	ssize_t got;

	while (n > 0) {
		got = read(fd, p, n);
		assert_true(got > 0);
		p += got;
		n -= (size_t)got;
	}
}

#define DRAWN (32 + 16)

/* In a child: octets, and the serial of a certificate. */
static void draw(struct office *o, int fd)
{
	struct ca_request rq = mail_request("alice@example.com");
	unsigned char out[DRAWN];
	struct cert *c = NULL;

	ossl_random(out, 32);
	rq.csr = view_make(NULL, 0);
	if (ca_certify(o->ca, &rq, &c, NULL) != 0 ||
	    hex_decode(out + 32, 16, cert_serial_hex(c)) != 0)
		_exit(1);
	_exit(write(fd, out, sizeof(out)) == DRAWN ? 0 : 1);
}

/* attack A63: a process that has used its random numbers forks, and its
 * children draw the same nonces, content keys and serials
 * verdict: two children and their parent draw different ones */
static void A63_children_draw_their_own_octets(void **state)
{
	unsigned char got[3][DRAWN];
	struct office o[2];
	int fd[2], status, i;
	pid_t pid;

	(void)state;
	ossl_random(got[2], 32); /* in use before the fork */
	for (i = 0; i < 2; i++)
		office_make(&o[i]);
	for (i = 0; i < 2; i++) {
		assert_int_equal(pipe(fd), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			draw(&o[i], fd[1]);
		close(fd[1]);
		read_all(fd[0], got[i], DRAWN);
		close(fd[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	ossl_random(got[2], 32);
	assert_memory_not_equal(got[0], got[1], 32);
	assert_memory_not_equal(got[0], got[2], 32);
	assert_memory_not_equal(got[1], got[2], 32);
	assert_memory_not_equal(got[0] + 32, got[1] + 32, 16);
	for (i = 0; i < 2; i++)
		office_end(&o[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_that_are_refused),
		cmocka_unit_test(requests_give_their_key_alone),
		cmocka_unit_test(for_tls_and_not_for_mail),
		cmocka_unit_test(tls_names_that_are_none),
		cmocka_unit_test(
		    A62_one_key_is_not_certified_for_mail_and_tls),
		cmocka_unit_test(a_name_and_a_crl_url_go_in),
		cmocka_unit_test(A63_children_draw_their_own_octets),
	};

	return cmocka_run_group_tests_name("keystore_ca_issue", tests, NULL,
	    NULL);
}
