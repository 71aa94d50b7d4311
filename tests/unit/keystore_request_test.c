/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Keys that wait for a certificate: what is asked for, who answers, what
 * goes; who lacks what; and certificates on their way out.
 */
#include "tests/unit/keystore_util.h"

#include <openssl/pkcs12.h>

#include "keystore/keystore_int.h"
#include "keystore/life.h"
#include "keystore/request.h"
#include "util/ossl.h"

/* ---- making ---- */

static void names_that_no_certificate_carries_are_refused(void **state)
{
	char longest[2 * REQUEST_NAME + 3] = "";
	size_t i;

	(void)state;
	must_fail(request_check_name(view_of("a\xff"), e), FAIL_INPUT);
	must_fail(request_check_name(view_of("\xc0\x80"), e), FAIL_INPUT);
	must_fail(request_check_name(view_of("a\nb"), e), FAIL_INPUT);
	must_fail(request_check_name(view_of("a\x7f"), e), FAIL_INPUT);
	must_fail(request_check_name(view_of("a\xc2\x85"), e), FAIL_INPUT);
	must_fail(request_check_name(view_make("a\0b", 3), e), FAIL_INPUT);
	/* characters are counted, not octets */
	for (i = 0; i < REQUEST_NAME; i++)
		memcpy(longest + 2 * i, "\xc3\xa4", 3);
	must(request_check_name(view_make(longest, 2 * REQUEST_NAME - 2), e));
	must(request_check_name(view_of(longest), e));
	memcpy(longest + 2 * REQUEST_NAME, "x", 2);
	must_fail(request_check_name(view_of(longest), e), FAIL_INPUT);
	must(request_check_name(view_of(""), e));
}

static void what_cannot_be_made_is_refused(void **state)
{
	struct addr a = address("alice@example.com");
	struct request_new r = { .email = &a, .name = "", .use = KS_SIGN,
	    .algorithm = "rsa:1024" };

	(void)state;
	must_fail(request_make(&r, secret_view(), e), FAIL_INPUT);
	request_free(&r);
	must_fail(request_check_algorithm("ec:p521", e), FAIL_INPUT);
	must(request_check_algorithm("rsa:3072", e));
	r.algorithm = "ec:p256";
	r.use = 0;
	must_fail(request_make(&r, secret_view(), e), FAIL_INPUT);
	request_free(&r);
	r.use = KS_SIGN;
	must_fail(request_make(&r, view_of("short"), e), FAIL_CONFIG);
	request_free(&r);
}

/* The key and its request in the store. */
static void wait_for(struct keystore *ks, const char *who, unsigned use,
    unsigned char spki[32])
{
	struct addr a = address(who);
	struct request_new r = { .email = &a, .name = "Somebody",
	    .algorithm = "ec:p256", .use = use };

	must(request_make(&r, secret_view(), e));
	must(request_add(ks, &r, e));
	memcpy(spki, r.spki, 32);
	request_free(&r);
}

struct seen {
	size_t n;
	unsigned use;
	char first[256];
	char name[256];
	struct buf csr;
};

static int see(void *arg, const struct request *r, struct err *e)
{
	struct seen *s = arg;

	if (s->n++ > 0)
		return 0;
	text_set(s->first, sizeof(s->first), r->email.text);
	text_set(s->name, sizeof(s->name), r->name);
	s->use = r->use;
	buf_init(&s->csr, 65536);
	buf_putv(&s->csr, r->csr);
	assert_true(r->added > 1700000000);
	return buf_ok(&s->csr, e);
}

static size_t count(struct keystore *ks, const char *what)
{
	struct seen s = { .n = 0 };

	must(request_list(ks, what, see, &s, e));
	buf_free(&s.csr);
	return s.n;
}

static X509_REQ *request_of(struct keystore *ks, const char *who)
{
	struct seen s = { .n = 0 };
	const unsigned char *p;
	X509_REQ *req;

	must(request_list(ks, who, see, &s, e));
	assert_int_equal(s.n, 1);
	p = s.csr.p;
	req = d2i_X509_REQ(NULL, &p, (long)s.csr.n);
	assert_non_null(req);
	assert_ptr_equal(p, s.csr.p + s.csr.n);
	assert_int_equal(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)), 1);
	buf_free(&s.csr);
	return req;
}

static void a_request_is_listed_by_what_names_it(void **state)
{
	unsigned char spki[32];
	struct seen s = { .n = 0 };
	struct keystore *ks;
	struct place p;
	char hex[65];

	(void)state;
	ks = store_make(&p);
	assert_int_equal(count(ks, NULL), 0);
	wait_for(ks, "Alice@Example.COM", KS_SIGN | KS_ENCRYPT, spki);
	wait_for(ks, "bob@example.org", KS_SIGN, spki);
	assert_int_equal(count(ks, NULL), 2);
	assert_int_equal(count(ks, "aLICE@example.com"), 1);
	assert_int_equal(count(ks, "lice@example.com"), 0);
	assert_int_equal(count(ks, "@EXAMPLE.org"), 1);
	assert_int_equal(count(ks, "@ample.org"), 0);
	hex_encode(hex, spki, 32);
	assert_int_equal(count(ks, hex), 1);
	hex[8] = '\0';
	assert_int_equal(count(ks, hex), 1);
	hex[7] = '\0';
	must_fail(request_list(ks, hex, see, &s, e), FAIL_INPUT);
	must_fail(request_list(ks, "a b@example.org", see, &s, e),
	    FAIL_INPUT);
	must_fail(request_list(ks, "@", see, &s, e), FAIL_INPUT);
	must(request_list(ks, NULL, see, &s, e));
	assert_string_equal(s.first, "alice@example.com");
	assert_string_equal(s.name, "Somebody");
	assert_int_equal(s.use, KS_SIGN | KS_ENCRYPT);
	buf_free(&s.csr);
	/* A store of the version before, opened for reading. */
	ks->schema = KS_SCHEMA_LIFE - 1;
	assert_int_equal(count(ks, NULL), 0);
	store_clear(&p, &ks);
}

/* ---- what is asked for ---- */

static ASN1_BIT_STRING *key_usage_of(X509_REQ *req)
{
	STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(req);
	EXTENDED_KEY_USAGE *eku;
	ASN1_BIT_STRING *ku;
	int critical;

	ku = X509V3_get_d2i(list, NID_key_usage, &critical, NULL);
	assert_non_null(ku);
	assert_int_equal(critical, 1);
	eku = X509V3_get_d2i(list, NID_ext_key_usage, NULL, NULL);
	assert_non_null(eku);
	assert_int_equal(sk_ASN1_OBJECT_num(eku), 1);
	assert_int_equal(OBJ_obj2nid(sk_ASN1_OBJECT_value(eku, 0)),
	    NID_email_protect);
	EXTENDED_KEY_USAGE_free(eku);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return ku;
}

static void S102_a_request_asks_for_the_usage_of_its_key(void **state)
{
	static const struct {
		const char *algorithm;
		unsigned use;
		int sign, encipher, agree; /* bits 0, 2, 4 */
	} cases[] = {
		{ "ec:p256", KS_SIGN, 1, 0, 0 },
		{ "ec:p384", KS_ENCRYPT, 0, 0, 1 },
		{ "ec:p256", KS_SIGN | KS_ENCRYPT, 1, 0, 1 },
		{ "rsa:2048", KS_SIGN | KS_ENCRYPT, 1, 1, 0 },
		{ "rsa:2048", KS_ENCRYPT, 0, 1, 0 },
	};
	struct addr a = address("alice@example.com");
	const unsigned char *p;
	ASN1_BIT_STRING *ku;
	X509_REQ *req;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct request_new r = { .email = &a, .name = "",
		    .algorithm = cases[i].algorithm, .use = cases[i].use };

		must(request_make(&r, secret_view(), e));
		p = r.csr.p;
		req = d2i_X509_REQ(NULL, &p, (long)r.csr.n);
		ku = key_usage_of(req);
		assert_int_equal(ASN1_BIT_STRING_get_bit(ku, 0),
		    cases[i].sign);
		assert_int_equal(ASN1_BIT_STRING_get_bit(ku, 2),
		    cases[i].encipher);
		assert_int_equal(ASN1_BIT_STRING_get_bit(ku, 4),
		    cases[i].agree);
		ASN1_BIT_STRING_free(ku);
		X509_REQ_free(req);
		request_free(&r);
	}
}

static GENERAL_NAME *san_of(X509_REQ *req, GENERAL_NAMES **names)
{
	STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(req);

	*names = X509V3_get_d2i(list, NID_subject_alt_name, NULL, NULL);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	assert_non_null(*names);
	assert_int_equal(sk_GENERAL_NAME_num(*names), 1);
	return sk_GENERAL_NAME_value(*names, 0);
}

static void S188_the_address_is_in_the_form_that_it_needs(void **state)
{
	unsigned char spki[32];
	GENERAL_NAMES *names;
	GENERAL_NAME *gn;
	ASN1_STRING *s;
	struct keystore *ks;
	struct place p;
	X509_REQ *req;

	(void)state;
	ks = store_make(&p);
	wait_for(ks, "Alice@example.com", KS_SIGN, spki);
	wait_for(ks, "J\xc3\xb6rg@example.com", KS_SIGN, spki);
	req = request_of(ks, "alice@example.com");
	gn = san_of(req, &names);
	assert_int_equal(gn->type, GEN_EMAIL);
	assert_int_equal(gn->d.rfc822Name->length, 17);
	assert_memory_equal(gn->d.rfc822Name->data, "Alice@example.com", 17);
	GENERAL_NAMES_free(names);
	X509_REQ_free(req);
	/* Octet for octet: a lower-case j is somebody else. */
	assert_int_equal(count(ks, "j\xc3\xb6rg@example.com"), 0);
	req = request_of(ks, "J\xc3\xb6rg@example.com");
	gn = san_of(req, &names);
	assert_int_equal(gn->type, GEN_OTHERNAME);
	assert_int_equal(OBJ_obj2nid(gn->d.otherName->type_id),
	    NID_id_on_SmtpUTF8Mailbox);
	s = gn->d.otherName->value->value.utf8string;
	assert_int_equal(s->length, 17);
	assert_memory_equal(s->data, "J\xc3\xb6rg@example.com", 17);
	GENERAL_NAMES_free(names);
	X509_REQ_free(req);
	store_clear(&p, &ks);
}

/* ---- answers ---- */

/* A certificate for the key of the request of who. */
static struct cert *answer(struct keystore *ks, const char *who,
    const struct spec *s, const struct made *issuer)
{
	X509_REQ *req = request_of(ks, who);
	EVP_PKEY *key;
	struct cert *c;
	X509 *x;

	x = x509_make(s, issuer, &key);
	assert_int_equal(X509_set_pubkey(x, X509_REQ_get0_pubkey(req)), 1);
	assert_true(X509_sign(x, issuer->key, EVP_sha256()) > 0);
	c = parse_x509(x);
	X509_free(x);
	X509_REQ_free(req);
	return c;
}

static void waiting_keys_are_in_no_keyring(void **state)
{
	unsigned char spki[32];
	struct keyring *kr;
	struct keystore *ks;
	int64_t before, after;
	struct place p;
	bool found;

	(void)state;
	ks = store_make(&p);
	must(ks_meta_get(ks, "generation", &before, NULL, &found, e));
	wait_for(ks, "alice@example.com", KS_SIGN, spki);
	must(ks_meta_get(ks, "generation", &after, NULL, &found, e));
	assert_int_equal(before, after);
	must(keyring_load(&kr, ks, secret_view(), e));
	assert_int_equal(keyring_keys(kr), 0);
	keyring_free(&kr);
	store_clear(&p, &ks);
}

static int see_change(void *arg, const struct change *c, struct err *e)
{
	struct buf *b = arg;

	(void)e;
	buf_printf(b, "%s: %s;", c->action, c->detail);
	return 0;
}

static void check_notes(struct keystore *ks, const char *want)
{
	struct change_query q = { 0, NULL, 0 };
	struct buf b;

	buf_init(&b, 65536);
	must(keystore_changes(ks, &q, see_change, &b, e));
	if (strstr(buf_str(&b), want) == NULL)
		fail_msg("no \"%s\" in: %s", want, buf_str(&b));
	buf_free(&b);
}

/* attack A32: a certificate comes for the public key of a waiting request,
 * but for another address, as a CA, or for no mail at all
 * verdict: none of them is an answer; the request waits on */
static void A32_only_the_address_that_was_asked_for_answers(void **state)
{
	static const struct {
		const char *name;
		struct spec spec;
		enum request_found want;
	} cases[] = {
		{ "another address", { .san = "email:boss@example.com",
		    .eku = "emailProtection" }, REQUEST_OTHER },
		{ "no address", { .eku = "emailProtection" },
		    REQUEST_OTHER },
		{ "a CA", { .san = "email:alice@example.com",
		    .bc = "critical,CA:TRUE" }, REQUEST_OTHER },
		{ "TLS", { .san = "email:alice@example.com",
		    .eku = "serverAuth" }, REQUEST_NONE },
		{ "two addresses", { .san = "email:boss@example.com,"
		    "email:ALICE@example.com" }, REQUEST_MATCHED },
	};
	struct request_answer got;
	unsigned char spki[32];
	struct keystore *ks;
	struct made ca;
	struct place p;
	struct cert *c;
	size_t i;

	(void)state;
	ks = store_make(&p);
	ca_make(&ca, "request ca", NULL);
	must(request_match(ks, ca.cert, &got, e));
	assert_int_equal(got.found, REQUEST_NONE);
	wait_for(ks, "alice@example.com", KS_SIGN, spki);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		c = answer(ks, "alice@example.com", &cases[i].spec, &ca);
		must(keystore_begin(ks, e));
		must(request_match(ks, c, &got, e));
		if (got.found != cases[i].want)
			fail_msg("%s: %d", cases[i].name, (int)got.found);
		if (got.found != REQUEST_NONE)
			assert_string_equal(got.email.text,
			    "alice@example.com");
		assert_int_equal(count(ks, NULL),
		    cases[i].want == REQUEST_MATCHED ? 0 : 1);
		keystore_rollback(ks);
		assert_int_equal(count(ks, NULL), 1);
		cert_free(&c);
	}
	made_free(&ca);
	store_clear(&p, &ks);
}

static void an_imported_answer_finds_its_key(void **state)
{
	struct spec good = { .san = "email:alice@example.com",
	    .ku = "digitalSignature", .eku = "emailProtection" };
	struct spec bad = { .san = "email:bob@example.com",
	    .eku = "emailProtection" };
	struct import_opts o = { .secret = secret_view() };
	unsigned char spki[32];
	struct keyring *kr;
	struct keystore *ks;
	struct cert *c, *wrong;
	struct made ca;
	struct place p;
	size_t n;

	(void)state;
	ks = store_make(&p);
	ca_make(&ca, "import ca", NULL);
	wait_for(ks, "alice@example.com", KS_SIGN, spki);
	wrong = answer(ks, "alice@example.com", &bad, &ca);
	c = answer(ks, "alice@example.com", &good, &ca);
	must_fail(import_data(ks, "wrong", cert_der(wrong), &o, &n, e),
	    FAIL_INPUT);
	assert_int_equal(count(ks, NULL), 1);
	must(import_data(ks, "right", cert_der(c), &o, &n, e));
	assert_int_equal(n, 1);
	assert_int_equal(count(ks, NULL), 0);
	must(keyring_load(&kr, ks, secret_view(), e));
	assert_int_equal(keyring_keys(kr), 1);
	assert_non_null(keyring_cert(kr, cert_sha256(c)));
	keyring_free(&kr);
	check_notes(ks, "match certificate to key: alice@example.com");
	check_notes(ks, "generate key: alice@example.com");
	/* Not a second time. */
	must_fail(request_drop(ks, spki, e), FAIL_INPUT);
	cert_free(&c);
	cert_free(&wrong);
	made_free(&ca);
	store_clear(&p, &ks);
}

static void a_dropped_request_takes_its_key_along(void **state)
{
	unsigned char spki[32], other[32];
	struct keystore *ks;
	struct place p;
	struct buf b;

	(void)state;
	ks = store_make(&p);
	wait_for(ks, "alice@example.com", KS_SIGN, spki);
	wait_for(ks, "bob@example.com", KS_SIGN, other);
	buf_init(&b, 65536);
	must(keystore_get_key(ks, spki, &b, e));
	must(request_drop(ks, spki, e));
	must_fail(keystore_get_key(ks, spki, &b, e), FAIL_INPUT);
	must(keystore_get_key(ks, other, &b, e));
	must_fail(request_drop(ks, spki, e), FAIL_INPUT);
	assert_int_equal(count(ks, NULL), 1);
	check_notes(ks, "drop key: alice@example.com");
	buf_free(&b);
	store_clear(&p, &ks);
}

static void the_own_ca_answers_too(void **state)
{
	struct ca_request rq = { .kind = CA_MAIL, .use = KS_SIGN };
	struct seen s = { .n = 0 };
	unsigned char spki[32];
	struct keystore *ks;
	struct keyring *kr;
	struct cert *c = NULL;
	struct place p;

	(void)state;
	ks = store_make(&p);
	must(ca_init(ks, secret_view(), "Own CA", e));
	wait_for(ks, "alice@example.com", KS_SIGN, spki);
	must(request_list(ks, NULL, see, &s, e));
	rq.csr = buf_view(&s.csr);
	rq.email = address("alice@example.com");
	must(ca_issue(ks, secret_view(), &rq, &c, e));
	assert_int_equal(count(ks, NULL), 0);
	must(keyring_load(&kr, ks, secret_view(), e));
	assert_non_null(keyring_cert(kr, cert_sha256(c)));
	keyring_free(&kr);
	cert_free(&c);
	buf_free(&s.csr);
	store_clear(&p, &ks);
}

/* A certificate for TLS came and goes: that is nothing to the key. */
static void a_key_that_waits_outlives_other_certificates(void **state)
{
	struct spec tls = { .san = "DNS:example.com", .eku = "serverAuth" };
	struct import_opts o = { .secret = secret_view() };
	unsigned char spki[32];
	struct keystore *ks;
	struct made ca;
	struct place p;
	struct cert *c;
	struct buf b;
	size_t n;

	(void)state;
	ks = store_make(&p);
	ca_make(&ca, "tls ca", NULL);
	wait_for(ks, "alice@example.com", KS_SIGN, spki);
	c = answer(ks, "alice@example.com", &tls, &ca);
	must(import_data(ks, "tls", cert_der(c), &o, &n, e));
	assert_int_equal(count(ks, NULL), 1);
	must(keystore_remove(ks, cert_sha256(c), e));
	buf_init(&b, 65536);
	must(keystore_get_key(ks, spki, &b, e));
	assert_int_equal(count(ks, NULL), 1);
	buf_free(&b);
	cert_free(&c);
	made_free(&ca);
	store_clear(&p, &ks);
}

/* ---- who lacks what ---- */

static void own(struct keystore *ks, const struct spec *s,
    const struct made *ca, bool with_key)
{
	unsigned use = KS_SIGN | KS_ENCRYPT | KS_STORAGE;
	struct made m;
	bool added;

	cert_make(&m, s, ca);
	must(keystore_add(ks, m.cert, use, KS_IMPORT, &added, e));
	if (with_key)
		must(key_store(ks, secret_view(), m.key, m.cert, e));
	made_free(&m);
}

#define BOTH "digitalSignature,keyAgreement"

static void fill_for_lacking(struct keystore *ks, const struct made *ca)
{
	const struct spec good = { .san = "email:good@example.com",
	    .ku = BOTH, .key = "1" };
	const struct spec signs = { .san = "email:signs@example.com",
	    .ku = "digitalSignature", .key = "2" };
	const struct spec nokey = { .san = "email:nokey@example.com",
	    .ku = BOTH, .key = "3" };
	const struct spec soon = { .san = "email:soon@example.com",
	    .ku = BOTH, .key = "4", .until = NOW + 10 * DAY };
	const struct spec next1 = { .san = "email:next@example.com",
	    .ku = BOTH, .key = "5", .until = NOW + 10 * DAY };
	const struct spec next2 = { .san = "email:next@example.com",
	    .ku = BOTH, .key = "6", .from = NOW + 5 * DAY };
	const struct spec over = { .san = "email:over@example.com",
	    .ku = BOTH, .key = "7", .until = NOW - DAY };
	const struct spec far = { .san = "email:over@example.org",
	    .ku = BOTH, .key = "8", .until = NOW - DAY };
	const struct spec utf8 = { .utf8 = "J\xc3\xb6rg@example.com",
	    .ku = BOTH, .key = "9" };
	unsigned char spki[32];

	own(ks, &utf8, ca, true);
	own(ks, &good, ca, true);
	own(ks, &signs, ca, true);
	own(ks, &nokey, ca, false);
	own(ks, &soon, ca, true);
	own(ks, &next1, ca, true);
	own(ks, &next2, ca, true);
	own(ks, &over, ca, true);
	own(ks, &far, ca, true);
	wait_for(ks, "waits@example.com", KS_SIGN, spki);
	wait_for(ks, "over@example.com", KS_SIGN, spki);
	wait_for(ks, "waits@example.org", KS_SIGN, spki);
}

static int see_lacking(void *arg, const struct lacking *l, struct err *e)
{
	struct buf *b = arg;

	(void)e;
	buf_printf(b, "%s%s sign=%s encrypt=%s%s ends=%lld\n", l->address,
	    l->waiting != 0 ? " waits" : "", l->sign, l->encrypt,
	    l->no_key ? " nokey" : "", (long long)l->ends);
	return 0;
}

#define EXPIRED "expired on 2027-01-14 (RFC 5280 4.1.2.5)"

static void who_lacks_what_is_said_of_local_addresses_only(void **state)
{
	char domain[] = "example.com", *domains[] = { domain };
	struct lacking_query q = { domains, 1, NOW, 30 * DAY };
	struct keystore *ks;
	struct made ca;
	struct place p;
	struct buf b;
	size_t seen;
	bool added;

	(void)state;
	ks = store_make(&p);
	ca_make(&ca, "lacking ca", NULL);
	must(keystore_add(ks, ca.cert, 0, KS_IMPORT, &added, e));
	must(keystore_set_anchor(ks, cert_sha256(ca.cert), true, e));
	fill_for_lacking(ks, &ca);
	buf_init(&b, 65536);
	must(keystore_lacking(ks, &q, see_lacking, &b, &seen, e));
	assert_int_equal(seen, 8);
	assert_string_equal(buf_str(&b),
	    "nokey@example.com sign=its private key is not in the keystore "
	    "encrypt= nokey ends=0\n"
	    "over@example.com waits sign=" EXPIRED " encrypt=" EXPIRED
	    " ends=0\n"
	    "signs@example.com sign= encrypt=key usage does not allow key "
	    "agreement (RFC 8550 4.4.2) ends=0\n"
	    "soon@example.com sign= encrypt= ends=1800864000\n"
	    "waits@example.com waits sign=no certificate encrypt=no "
	    "certificate ends=0\n");
	buf_free(&b);
	made_free(&ca);
	store_clear(&p, &ks);
}

/* ---- on their way out ---- */

static size_t certs_in(struct keystore *ks, struct view v)
{
	struct import_opts o = { .secret = view_make(NULL, 0) };
	size_t n;

	must(import_data(ks, "out", v, &o, &n, e));
	return n;
}

static void what_goes_out_comes_in_again(void **state)
{
	struct spec one = { .san = "email:alice@example.com", .key = "1",
		.until = NOW + 1000 * DAY };
	struct spec two = { .utf8 = "j\xc3\xb6rg@example.com", .key = "2",
		.until = NOW + 1000 * DAY };
	struct export_set set = { NULL, 0, 0 };
	struct keystore *ks;
	struct made ca, a, b;
	struct place p;
	struct buf out;
	bool added;

	(void)state;
	ks = store_make(&p);
	ca_make(&ca, "export ca", NULL);
	cert_make(&a, &one, &ca);
	cert_make(&b, &two, &ca);
	must(keystore_add(ks, ca.cert, 0, KS_IMPORT, &added, e));
	must(keystore_set_anchor(ks, cert_sha256(ca.cert), true, e));
	must(export_collect(ks, a.cert, true, &set, e));
	must(export_collect(ks, b.cert, true, &set, e));
	must(export_collect(ks, b.cert, true, &set, e));
	assert_int_equal(set.n, 3); /* the CA once */
	buf_init(&out, 1u << 20);
	must(export_p7b(set.v, set.n, &out, e));
	assert_int_equal(certs_in(ks, buf_view(&out)), 3);
	buf_clear(&out);
	must(export_ldif(a.cert, &out, e));
	must(export_ldif(b.cert, &out, e));
	assert_int_equal(certs_in(ks, buf_view(&out)), 2);
	/* No line is longer than LDIF has them; no octet is 8-bit. */
	assert_int_equal(strspn(buf_str(&out), "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/=:; \n"), out.n);
	export_set_free(&set);
	buf_free(&out);
	made_free(&a);
	made_free(&b);
	made_free(&ca);
	store_clear(&p, &ks);
}

static void old_programs_get_3des_and_sha1(void **state)
{
	struct spec one = { .san = "email:alice@example.com", .key = "1" };
	const unsigned char *at;
	EVP_PKEY *key = NULL;
	const X509_ALGOR *mac;
	const ASN1_OBJECT *oid;
	struct keystore *ks;
	X509 *x = NULL;
	struct made m;
	struct place p;
	struct buf out;
	PKCS12 *p12;
	bool added;

	(void)state;
	ks = store_make(&p);
	cert_make(&m, &one, NULL);
	must(keystore_add(ks, m.cert, KS_SIGN, KS_IMPORT, &added, e));
	must(key_store(ks, secret_view(), m.key, m.cert, e));
	buf_init_secret(&out, 1u << 20);
	must_fail(export_p12_old(ks, secret_view(), m.cert, "", &out, e),
	    FAIL_INPUT);
	must(export_p12_old(ks, secret_view(), m.cert, "pw", &out, e));
	at = out.p;
	p12 = d2i_PKCS12(NULL, &at, (long)out.n);
	assert_non_null(p12);
	PKCS12_get0_mac(NULL, &mac, NULL, NULL, p12);
	X509_ALGOR_get0(&oid, NULL, NULL, mac);
	assert_int_equal(OBJ_obj2nid(oid), NID_sha1);
	assert_int_equal(PKCS12_parse(p12, "pw", &key, &x, NULL), 1);
	assert_int_equal(EVP_PKEY_eq(key, m.key), 1);
	PKCS12_free(p12);
	EVP_PKEY_free(key);
	X509_free(x);
	buf_free(&out);
	made_free(&m);
	store_clear(&p, &ks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_no_certificate_carries_are_refused),
		cmocka_unit_test(what_cannot_be_made_is_refused),
		cmocka_unit_test(a_request_is_listed_by_what_names_it),
		cmocka_unit_test(S102_a_request_asks_for_the_usage_of_its_key),
		cmocka_unit_test(
		    S188_the_address_is_in_the_form_that_it_needs),
		cmocka_unit_test(waiting_keys_are_in_no_keyring),
		cmocka_unit_test(
		    A32_only_the_address_that_was_asked_for_answers),
		cmocka_unit_test(an_imported_answer_finds_its_key),
		cmocka_unit_test(a_dropped_request_takes_its_key_along),
		cmocka_unit_test(the_own_ca_answers_too),
		cmocka_unit_test(a_key_that_waits_outlives_other_certificates),
		cmocka_unit_test(
		    who_lacks_what_is_said_of_local_addresses_only),
		cmocka_unit_test(what_goes_out_comes_in_again),
		cmocka_unit_test(old_programs_get_3des_and_sha1),
	};

	return cmocka_run_group_tests_name("keystore_request", tests, NULL,
	    NULL);
}
