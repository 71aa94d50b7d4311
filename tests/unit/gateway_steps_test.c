/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The fixed procedure of verification on whole messages: one crafted
 * message for each step and way to fail, clear and opaque, what verdict and
 * Authentication-Results say of it, and that rules take what does not pass
 * for unsigned.
 */
#include "tests/unit/gateway_forge.h"

static struct world w;
static struct testca ca, stranger;
static struct testca_id alice, ec, p384, carol, nobody, weak, tls, seal_only,
    issuer, expired, early, unknown, self, lonely, ed;

#define DAY 86400L

static int make_world(void **state)
{
	const int64_t now = time(NULL);
	const struct {
		struct testca *by;
		struct testca_id *id;
		struct testca_leaf leaf;
	} rows[] = {
		{&ca, &alice, {.key = "rsa:2048",
		    .mail = "alice@example.com"}},
		{&ca, &ec, {.key = "ec:P-256", .mail = "alice@example.com"}},
		{&ca, &p384, {.key = "ec:P-384",
		    .mail = "alice@example.com"}},
		{&ca, &carol, {.key = "ec:P-256",
		    .mail = "carol@example.com"}},
		{&ca, &nobody, {.key = "ec:P-256"}},
		{&ca, &weak, {.key = "rsa:1024",
		    .mail = "alice@example.com"}},
		{&ca, &tls, {.key = "ec:P-256", .mail = "alice@example.com",
		    .eku = "serverAuth"}},
		{&ca, &seal_only, {.key = "ec:P-256",
		    .mail = "alice@example.com", .ku = "keyAgreement"}},
		{&ca, &issuer, {.key = "ec:P-256",
		    .mail = "alice@example.com",
		    .basic = "critical,CA:TRUE"}},
		{&ca, &expired, {.key = "ec:P-256",
		    .mail = "alice@example.com", .not_before = now - 9 * DAY,
		    .not_after = now - 2 * DAY}},
		{&ca, &early, {.key = "ec:P-256",
		    .mail = "alice@example.com", .not_before = now + DAY,
		    .not_after = now + 9 * DAY}},
		{&stranger, &unknown, {.key = "ec:P-256",
		    .mail = "alice@example.com"}},
		{&ca, &self, {.key = "ec:P-256", .mail = "alice@example.com",
		    .self_signed = true}},
		{&ca, &lonely, {.key = "ec:P-256",
		    .mail = "alice@example.com"}},
		{&ca, &ed, {.key = "ed25519", .mail = "alice@example.com"}},
	};

	(void)state;
	world_make(&w);
	world_rules(&w, "outbound : pass\ninbound : decrypt, verify\n");
	testca_init(&ca);
	testca_init(&stranger);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		testca_issue(rows[i].by, &rows[i].leaf, rows[i].id);
	forge_trust(&w, ca.root.cert);
	return 0;
}

static int end_world(void **state)
{
	struct testca_id *const id[] = {&alice, &ec, &p384, &carol, &nobody,
	    &weak, &tls, &seal_only, &issuer, &expired, &early, &unknown,
	    &self, &lonely, &ed};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(id); i++)
		testca_id_free(id[i]);
	testca_free(&ca);
	testca_free(&stranger);
	world_end(&w);
	return 0;
}

struct row {
	const char *name;
	struct forge f;
	const char *result, *step, *comment;
	enum form only; /* 0: both */
};

static bool is_unwrapped(const struct row *r)
{
	/* a receipt, say, is no message (S137); and what nobody computed
	 * may be anything */
	if (strcmp(r->step, "S65") == 0 || strcmp(r->step, "S67") == 0 ||
	    strcmp(r->step, "S68") == 0)
		return false;
	return r->f.opaque && (strcmp(r->result, "pass") == 0 ||
	    strcmp(r->result, "policy") == 0 ||
	    strcmp(r->result, "none") == 0);
}

/* The row's signer with his certificate and its issuer's, now. */
static struct forge filled(const struct row *r, bool opaque)
{
	struct forge f = r->f;

	f.opaque = opaque;
	if (f.at == 0)
		f.at = time(NULL);
	if (f.certs[0] == NULL) {
		f.certs[0] = f.id->cert;
		f.certs[1] = f.id == &unknown ? stranger.sub.cert :
		    ca.sub.cert;
	}
	return f;
}

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < 2 * n; i++) {
		struct row r = rows[i / 2];

		r.f = filled(&r, i % 2 == 1);
		if (r.only != 0 && (r.only == OPAQUE) != r.f.opaque)
			continue;
		forge_open(&w, &r.f, 1);
		forge_expect(&w, r.name, r.result, r.step, r.comment);
		if (is_unwrapped(&r))
			forge_unwrapped(&w, "\r\n\r\nHello\r\n");
		else
			forge_same(&w);
	}
}

/* As rows, but with a demand for a signature: what does not pass is as good
 * as unsigned. */
static void check_demands(const struct row *rows, size_t n)
{
	world_rules(&w, "outbound : pass\ninbound : verify or reject\n");
	for (size_t i = 0; i < n; i++) {
		struct forge f = filled(&rows[i], i % 2 == 1);

		forge_open(&w, &f, 1);
		if (w.v.code != 550 || strcmp(w.v.enhanced, "5.7.1") != 0 ||
		    w.v.action != ACT_REJECTED)
			fail_msg("%s: %d %s", rows[i].name, w.v.code,
			    w.v.text);
		/* nothing of the reason goes out */
		assert_string_equal(w.v.text, "Refused: a valid signature of "
		    "the author is required (id testid)");
	}
	world_rules(&w, "outbound : pass\ninbound : verify or quarantine\n");
	for (size_t i = 0; i < n; i++) {
		struct forge f = filled(&rows[i], i % 2 == 0);

		forge_open(&w, &f, 1);
		assert_int_equal(w.v.code, 0);
		if (w.v.action != ACT_QUARANTINED)
			fail_msg("%s: %s", rows[i].name,
			    action_str(w.v.action));
	}
	world_rules(&w, "outbound : pass\ninbound : decrypt, verify\n");
}

#define check(rows)                                                         \
	do {                                                                \
		check_rows(rows, ARRAY_LEN(rows));                          \
		check_demands(rows, ARRAY_LEN(rows));                       \
	} while (0)

/* ---- step 1 ---- */

struct shape {
	const char *name;
	const char *from, *type; /* fields */
	const char *before, *after; /* the parts */
	const char *result, *step;
};

#define TWICE_FROM FORGE_FROM "From: carol@example.com\r\n"
#define CT FORGE_CLEAR

static const struct shape shapes[] = {
	{"as it should be", FORGE_FROM, CT, "", "", "pass", ""},
	{"preamble", FORGE_FROM, CT, "This is signed\r\n", "", "pass", ""},
	{"three parts", FORGE_FROM, CT, "",
	    "\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b--\r\n",
	    "permerror", "S62"},
	{"signature first", FORGE_FROM, CT,
	    "--b\r\n" FORGE_SIG "\r\nAAAA\r\n", "", "permerror", "S62"},
	{"two Content-Type", FORGE_FROM, "Content-Type: text/plain\r\n" CT,
	    "", "", "permerror", "S62"},
	{"the other order", FORGE_FROM, CT "Content-Type: text/plain\r\n",
	    "", "", "permerror", "S62"},
	{"two boundaries", FORGE_FROM, "Content-Type: multipart/signed; "
	    "boundary=b; boundary=c; micalg=sha-256;\r\n"
	    "\tprotocol=\"application/pkcs7-signature\"\r\n", "", "",
	    "permerror", "S62"},
	{"two MIME-Versions", FORGE_FROM "MIME-Version: 1.0\r\n", CT, "", "",
	    "permerror", "S62"},
	{"base64 on the whole", FORGE_FROM "Content-Transfer-Encoding: "
	    "base64\r\n", CT, "", "", "permerror", "S62"},
	{"no From", "", CT, "", "", "permerror", "S62"},
	{"two From", TWICE_FROM, CT, "", "", "permerror", "S62"},
	{"an empty From", "From:\r\n", CT, "", "", "policy", "S74"},
};

/* Clear, with something else about its shape. */
static void open_shape(const struct shape *s)
{
	struct forge f = {.id = &alice, .certs = {alice.cert, ca.sub.cert},
	    .at = time(NULL)};
	struct buf der, b, top;

	buf_init(&der, BIG);
	buf_init(&b, BIG);
	buf_init(&top, BIG);
	make_signed(&f, 1, &der);
	buf_printf(&top, "%s" FORGE_TOP "%s\r\n%s", s->from, s->type,
	    s->before);
	forge_clear(&b, buf_str(&top), said, buf_view(&der));
	if (s->after[0] != '\0') {
		b.n -= strlen("\r\n--b--\r\n");
		buf_puts(&b, s->after);
	}
	world_open_view(&w, "alice@example.com", FORGE_TO, buf_view(&b));
	buf_free(&der);
	buf_free(&b);
	buf_free(&top);
}

static void S62_S17_S23_the_shape_of_the_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		const struct shape *s = &shapes[i];

		open_shape(s);
		forge_expect(&w, s->name, s->result, s->step,
		    strcmp(s->result, "permerror") == 0 ?
		    "malformed message" : strcmp(s->result, "pass") == 0 ?
		    NULL : "signer does not match From");
		forge_same(&w);
		world_rules(&w, "outbound : pass\ninbound : verify or "
		    "reject\n");
		open_shape(s);
		assert_int_equal(w.v.code, strcmp(s->result, "pass") == 0 ?
		    0 : 550);
		world_rules(&w, "outbound : pass\ninbound : decrypt, "
		    "verify\n");
	}
}

/* The header of the opaque form: only its own fields. */
static void S62_S17_an_opaque_message_with_two_types(void **state)
{
	static const char *const top[] = {
		FORGE_FROM FORGE_TOP "Content-Type: text/plain\r\n",
		FORGE_FROM FORGE_TOP "Content-Transfer-Encoding: 7bit\r\n",
		TWICE_FROM FORGE_TOP,
	};
	struct forge f = {.id = &alice, .certs = {alice.cert, ca.sub.cert},
	    .at = time(NULL), .opaque = true};
	struct buf der, b;

	(void)state;
	buf_init(&der, BIG);
	buf_init(&b, BIG);
	make_signed(&f, 1, &der);
	for (size_t i = 0; i < ARRAY_LEN(top); i++) {
		forge_opaque(&b, top[i], buf_view(&der));
		world_open_view(&w, "alice@example.com", FORGE_TO,
		    buf_view(&b));
		forge_expect(&w, top[i], "permerror", "S62",
		    "malformed message");
		forge_same(&w);
	}
	buf_free(&der);
	buf_free(&b);
}

static void S62_more_attributes_than_are_read(void **state)
{
	const struct row rows[] = {
		{"64 attributes", {.id = &alice, FEW, .more_attrs =
		    CAP_CMS_ATTRIBUTES - 3}, "pass", "", NULL, 0},
		{"65 attributes", {.id = &alice, FEW, .more_attrs =
		    CAP_CMS_ATTRIBUTES - 2}, "neutral", "S62",
		    "malformed message", 0},
	};

	(void)state;
	check_rows(rows, 1);
	check_rows(rows + 1, 1);
	check_demands(rows + 1, 1);
}

/* ---- steps 2 to 5 ---- */

/* der with this at its end, clear and opaque. */
static void check_object(const char *name, struct view der, const char *tail)
{
	struct buf bad, b;

	buf_init(&bad, BIG);
	buf_init(&b, BIG);
	buf_putv(&bad, der);
	buf_puts(&bad, tail);
	forge_opaque(&b, FORGE_FROM FORGE_TOP, buf_view(&bad));
	world_open_view(&w, "alice@example.com", FORGE_TO, buf_view(&b));
	forge_expect(&w, name, "neutral", "S63", "signature cannot be read");
	forge_same(&w);
	forge_clear(&b, FORGE_FROM FORGE_TOP FORGE_CLEAR, said,
	    buf_view(&bad));
	world_open_view(&w, "alice@example.com", FORGE_TO, buf_view(&b));
	forge_expect(&w, name, "neutral", "S63", "signature cannot be read");
	forge_same(&w);
	buf_free(&bad);
	buf_free(&b);
}

static void S63_objects_that_cannot_be_read(void **state)
{
	struct forge f = {.id = &alice, .certs = {alice.cert},
	    .at = time(NULL)};
	const struct cert *many[CAP_CMS_CERTS];
	struct forge sixteen[CAP_CMS_SIGNERS + 1];
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	make_signed(&f, 1, &der);
	check_object("trailing", buf_view(&der), "x");
	check_object("another behind it", buf_view(&der), "0");
	check_object("cut", view_sub(buf_view(&der), 0, der.n - 1), "");
	check_object("nothing", view_of(""), "");
	check_object("text", view_of("Hello"), "");
	f.trailing = true;
	make_signed(&f, 1, &der);
	check_object("SignerInfo with more", buf_view(&der), "");
	f.trailing = false;
	for (size_t i = 0; i < CAP_CMS_CERTS; i++)
		many[i] = carol.cert;
	f.more_certs = many;
	f.more_n = CAP_CMS_CERTS;
	make_signed(&f, 1, &der);
	check_object("65 certificates", buf_view(&der), "");
	f.more_n = 0;
	for (size_t i = 0; i < ARRAY_LEN(sixteen); i++)
		sixteen[i] = f;
	make_signed(sixteen, ARRAY_LEN(sixteen), &der);
	check_object("17 signers", buf_view(&der), "");
	buf_free(&der);
}

static void S63_another_object_in_place_of_a_signature(void **state)
{
	CMS_ContentInfo *env = CMS_encrypt(NULL, NULL, EVP_aes_128_cbc(),
	    CMS_PARTIAL);
	struct view text = said;
	struct buf der, b;

	(void)state;
	buf_init(&der, BIG);
	buf_init(&b, BIG);
	assert_non_null(CMS_add1_recipient_cert(env, cert_x509(alice.cert),
	    0));
	ossl_der(env, &text, &der);
	forge_clear(&b, FORGE_FROM FORGE_TOP FORGE_CLEAR, said,
	    buf_view(&der));
	world_open_view(&w, "alice@example.com", FORGE_TO, buf_view(&b));
	forge_expect(&w, "enveloped", "permerror", "S63",
	    "signature cannot be read");
	forge_same(&w);
	assert_int_equal(w.key_ops, 0);
	CMS_ContentInfo_free(env);
	buf_free(&der);
	buf_free(&b);
}

/* The forms are exchanged: a detached signature as an opaque object and the
 * other way round. */
static void S64_content_is_where_it_belongs(void **state)
{
	struct forge f = {.id = &alice, .certs = {alice.cert, ca.sub.cert},
	    .at = time(NULL)};
	struct buf der, b;

	(void)state;
	buf_init(&der, BIG);
	buf_init(&b, BIG);
	make_signed(&f, 1, &der);
	forge_opaque(&b, FORGE_FROM FORGE_TOP, buf_view(&der));
	world_open_view(&w, "alice@example.com", FORGE_TO, buf_view(&b));
	forge_expect(&w, "opaque without content", "permerror", "S64",
	    "content where none may be, or none");
	forge_same(&w);
	f.opaque = true;
	make_signed(&f, 1, &der);
	forge_clear(&b, FORGE_FROM FORGE_TOP FORGE_CLEAR, said,
	    buf_view(&der));
	world_open_view(&w, "alice@example.com", FORGE_TO, buf_view(&b));
	forge_expect(&w, "detached with content", "permerror", "S64",
	    "content where none may be, or none");
	forge_same(&w);
	buf_free(&der);
	buf_free(&b);
}

static void S65_S83_the_content_is_mail(void **state)
{
	const struct row rows[] = {
		{"signedData", {.id = &alice, .econtent = OID_SIGNED_DATA},
		    "policy", "S65", "not a signature on mail content", 0},
		{"envelopedData", {.id = &ec, .econtent =
		    OID_ENVELOPED_DATA}, "policy", "S65",
		    "not a signature on mail content", 0},
	};

	(void)state;
	check(rows);
}

static void S66_S83_no_signer(void **state)
{
	const struct row rows[] = {
		{"no signer", {.id = &alice, .no_signer = true}, "none",
		    "S66", "nobody signed", 0},
		{"nor digests", {.id = &alice, .no_signer = true,
		    .no_digest_algs = true}, "none", "S66", "nobody signed",
		    0},
	};

	(void)state;
	check(rows);
}

/* ---- steps 6 to 10 ---- */

#define BAD_ATTRS "signed attributes are missing or wrong"

static void S67_S83_signed_attributes(void **state)
{
	const struct row rows[] = {
		{"none", {.id = &alice, .no_attrs = true}, "policy", "S67",
		    BAD_ATTRS, 0},
		{"no contentType", {.id = &alice, .type = LEFT_OUT},
		    "policy", "S67", BAD_ATTRS, 0},
		{"contentType twice", {.id = &alice, .type = TWICE},
		    "policy", "S67", BAD_ATTRS, 0},
		{"contentType with two values", {.id = &alice, .type =
		    TWO_VALUES}, "policy", "S67", BAD_ATTRS, 0},
		{"another contentType", {.id = &alice, .type = WRONG},
		    "policy", "S67", BAD_ATTRS, 0},
		{"no messageDigest", {.id = &alice, .md = LEFT_OUT},
		    "policy", "S67", BAD_ATTRS, 0},
		{"messageDigest twice", {.id = &alice, .md = TWICE},
		    "policy", "S67", BAD_ATTRS, 0},
		{"messageDigest with two values", {.id = &alice, .md =
		    TWO_VALUES}, "policy", "S67", BAD_ATTRS, 0},
		{"no DER", {.id = &alice, .unsorted = true}, "policy", "S67",
		    BAD_ATTRS, 0},
	};

	(void)state;
	check(rows);
}

#define BAD_ALG "algorithm or key not acceptable"

static void S68_S83_algorithms_and_keys(void **state)
{
	const struct row rows[] = {
		{"SHA-1", {.id = &alice, .digest = OID_SHA1}, "policy",
		    "S68", BAD_ALG, 0},
		{"MD5", {.id = &alice, .digest = OID_MD5}, "policy", "S68",
		    BAD_ALG, 0},
		{"RSA 1024", {.id = &weak}, "policy", "S68", BAD_ALG, 0},
		{"two digests", {.id = &alice, .sig_alg = OID_RSA_SHA512},
		    "policy", "S68", BAD_ALG, 0},
		{"PSS without parameters", {.id = &alice, .sig_alg =
		    OID_RSA_PSS}, "policy", "S68", BAD_ALG, 0},
		{"ECDSA with an RSA key", {.id = &alice, .sig_alg =
		    OID_ECDSA_SHA256}, "policy", "S68", BAD_ALG, 0},
	};

	(void)state;
	check(rows);
}

/* Nobody can say: neither good nor bad. */
static void S196_S68_an_algorithm_that_is_not_known(void **state)
{
	const struct row rows[] = {
		{"an odd one", {.id = &ed, .sig_alg = OID_ZLIB, .digest =
		    OID_SHA512}, "neutral", "S68", BAD_ALG, 0},
	};

	(void)state;
	check(rows);
	assert_string_equal(w.v.sig_reason, "unsupported signature "
	    "algorithm 1.2.840.113549.1.9.16.3.8");
}

#define BAD_CERT "certificate of the signer is missing or wrong"

static void S69_S83_the_signers_certificate(void **state)
{
	const struct row rows[] = {
		{"not there", {.id = &alice, .certs = {ec.cert,
		    ca.sub.cert}}, "permerror", "S69", BAD_CERT, 0},
		{"not there, by SKI", {.id = &alice, .by_ski = true,
		    .certs = {ec.cert, ca.sub.cert}}, "permerror", "S69",
		    BAD_CERT, 0},
		{"another hash", {.id = &alice, .ess = WRONG}, "fail", "S69",
		    BAD_CERT, 0},
		{"another old hash", {.id = &alice, .ess1 = WRONG}, "fail",
		    "S69", BAD_CERT, 0},
	};
	const struct row by_ski[] = {
		{"by SKI", {.id = &alice, .by_ski = true}, "pass", "", NULL,
		    0},
	};

	(void)state;
	check(rows);
	check_rows(by_ski, 1);
}

#define BAD_SIG "signature does not verify"

static void S70_S83_the_mathematics(void **state)
{
	const struct row rows[] = {
		{"RSA", {.id = &alice, .wrong_signature = true}, "fail",
		    "S70", BAD_SIG, 0},
		{"EC", {.id = &ec, .wrong_signature = true}, "fail", "S70",
		    BAD_SIG, 0},
		{"content", {.id = &alice, .said = "other"}, "fail", "S70",
		    BAD_SIG, 0},
		{"protection", {.id = &alice, .protect = WRONG}, "fail",
		    "S70", BAD_SIG, 0},
		{"another one's key", {.id = &carol, .named = &ec, .certs =
		    {ec.cert, ca.sub.cert}, FEW}, "fail", "S70", BAD_SIG, 0},
	};
	const struct row good[] = {
		{"RSA", {.id = &alice}, "pass", "", NULL, 0},
		{"P-256", {.id = &ec}, "pass", "", NULL, 0},
		{"P-384", {.id = &p384, .digest = OID_SHA384}, "pass", "",
		    NULL, 0},
		{"SHA-512", {.id = &alice, .digest = OID_SHA512}, "pass", "",
		    NULL, 0},
	};

	(void)state;
	check(rows);
	check_rows(good, ARRAY_LEN(good));
	assert_string_equal(w.v.sig_signer, "alice@example.com");
	assert_true(w.v.sig_from_match);
	assert_non_null(strstr(w.v.sig_chain, "CN=Root"));
	assert_true(has(&w, "body.smime-identifier=alice@example.com"));
}

#define BAD_USE "certificate is not for signing mail"

static void S71_S83_what_the_certificate_is_for(void **state)
{
	const struct row rows[] = {
		{"TLS", {.id = &tls}, "policy", "S71", BAD_USE, 0},
		{"encryption", {.id = &seal_only}, "policy", "S71", BAD_USE,
		    0},
		{"a CA", {.id = &issuer}, "policy", "S71", BAD_USE, 0},
	};

	(void)state;
	check(rows);
}

/* libcrypto alone takes all of these (OpenSSL's CMS_verify with the chain
 * checked apart). */
static void S78_what_libcrypto_accepts(void **state)
{
	const struct forge f[] = {
		{.id = &alice, .no_attrs = true},
		{.id = &alice, .digest = OID_SHA1},
		{.id = &alice, .digest = OID_MD5},
		{.id = &weak},
		{.id = &carol},
		{.id = &tls},
	};
	X509_STORE *store = X509_STORE_new();
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	for (size_t i = 0; i < ARRAY_LEN(f); i++) {
		struct row r = {.f = f[i]};
		BIO *in = BIO_new_mem_buf(content, sizeof(content) - 1);
		BIO *null = BIO_new(BIO_s_null());
		CMS_ContentInfo *c;

		r.f = filled(&r, false);
		make_signed(&r.f, 1, &der);
		c = ossl_cms(buf_view(&der));
		assert_int_equal(CMS_verify(c, NULL, store, in, null,
		    CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY), 1);
		forge_open(&w, &r.f, 1);
		assert_string_equal(w.v.sig_result, "policy");
		CMS_ContentInfo_free(c);
		BIO_free(in);
		BIO_free(null);
	}
	X509_STORE_free(store);
	buf_free(&der);
}

/* ---- steps 11 to 16 ---- */

#define NO_TRUST "certificate is not trusted"

static void S72_S83_the_path_at_receipt_time(void **state)
{
	const int64_t now = time(NULL);
	const struct row rows[] = {
		{"expired", {.id = &expired}, "policy", "S72", NO_TRUST, 0},
		/* what signingTime claims is no time of trust */
		{"expired, signed before", {.id = &expired,
		    .at = now - 4 * DAY}, "policy", "S72", NO_TRUST, 0},
		{"not yet", {.id = &early}, "policy", "S72", NO_TRUST, 0},
		{"not yet, signed later", {.id = &early, .at = now + 2 * DAY},
		    "policy", "S72", NO_TRUST, 0},
		/* one that was never seen with it */
		{"no intermediate", {.id = &lonely, .certs = {lonely.cert}},
		    "policy", "S72", NO_TRUST, 0},
		{"unknown root", {.id = &unknown}, "policy", "S72", NO_TRUST,
		    0},
		{"self-signed", {.id = &self, .certs = {self.cert}},
		    "policy", "S72", NO_TRUST, 0},
	};

	(void)state;
	check(rows);
}

static void S74_S79_S83_the_signer_is_the_author(void **state)
{
	const struct row rows[] = {
		{"another", {.id = &carol}, "policy", "S74",
		    "signer does not match From", 0},
		/* S81: no address, no mapping */
		{"no address", {.id = &nobody}, "policy", "S74",
		    "signer does not match From", 0},
	};

	(void)state;
	check(rows);
}

/* S80: Sender is no From. */
static void S80_a_sender_is_not_the_author(void **state)
{
	struct row r = {.f = {.id = &carol}};
	struct forge f;

	(void)state;
	for (int i = 0; i < 2; i++) {
		f = filled(&r, i == 1);
		forge_open_as(&w, FORGE_FROM "Sender: carol@example.com\r\n"
		    "Reply-To: carol@example.com\r\n", &f, 1);
		forge_expect(&w, "Sender", "policy", "S74",
		    "signer does not match From");
		assert_false(w.v.sig_from_match);
	}
}

static void S75_below_the_root(void **state)
{
	struct forge f = {.id = &alice, .certs = {alice.cert, ca.sub.cert},
	    .at = time(NULL)};
	struct buf der, b, all;

	(void)state;
	buf_init(&der, BIG);
	buf_init(&b, BIG);
	buf_init(&all, BIG);
	for (int i = 0; i < 2; i++) {
		f.opaque = i == 1;
		make_signed(&f, 1, &der);
		if (f.opaque)
			forge_opaque(&b, "", buf_view(&der));
		else
			forge_clear(&b, FORGE_CLEAR, said, buf_view(&der));
		buf_clear(&all);
		buf_puts(&all, FORGE_FROM FORGE_TOP "Content-Type: "
		    "multipart/mixed; boundary=m\r\n\r\n--m\r\n");
		buf_putv(&all, buf_view(&b));
		buf_puts(&all, "\r\n--m\r\nContent-Type: text/plain\r\n\r\n"
		    "Pay the bill\r\n--m--\r\n");
		world_open_view(&w, "alice@example.com", FORGE_TO,
		    buf_view(&all));
		forge_expect(&w, "nested", "neutral", "S75",
		    "signed part is not the whole message");
		assert_string_equal(w.v.sig_part, i == 0 ? "1.2" : "1");
		forge_same(&w);
	}
	buf_free(&der);
	buf_free(&b);
	buf_free(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S62_S17_S23_the_shape_of_the_message),
		cmocka_unit_test(S62_S17_an_opaque_message_with_two_types),
		cmocka_unit_test(S62_more_attributes_than_are_read),
		cmocka_unit_test(S63_objects_that_cannot_be_read),
		cmocka_unit_test(
		    S63_another_object_in_place_of_a_signature),
		cmocka_unit_test(S64_content_is_where_it_belongs),
		cmocka_unit_test(S65_S83_the_content_is_mail),
		cmocka_unit_test(S66_S83_no_signer),
		cmocka_unit_test(S67_S83_signed_attributes),
		cmocka_unit_test(S68_S83_algorithms_and_keys),
		cmocka_unit_test(S196_S68_an_algorithm_that_is_not_known),
		cmocka_unit_test(S69_S83_the_signers_certificate),
		cmocka_unit_test(S70_S83_the_mathematics),
		cmocka_unit_test(S71_S83_what_the_certificate_is_for),
		cmocka_unit_test(S78_what_libcrypto_accepts),
		cmocka_unit_test(S72_S83_the_path_at_receipt_time),
		cmocka_unit_test(S74_S79_S83_the_signer_is_the_author),
		cmocka_unit_test(S80_a_sender_is_not_the_author),
		cmocka_unit_test(S75_below_the_root),
	};

	return cmocka_run_group_tests_name("gateway_steps", tests,
	    make_world, end_world);
}
