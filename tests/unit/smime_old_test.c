/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What old and other programs send: BER of every form, algorithms and types
 * of S/MIME 2 and 3 (REQUIREMENTS A.18).
 */
#include "smime/shape.h"

#include "smime/decrypt.h"
#include "smime_forge.h"

static struct testca ca;
static struct testca_id rsa, p256;
static struct testca_keys keys;

static int setup(void **state)
{
	(void)state;
	testca_init(&ca);
	testca_issue(&ca, &(struct testca_leaf){ .key = "rsa:2048",
	    .mail = "alice@example.com" }, &rsa);
	testca_issue(&ca, &(struct testca_leaf){ .key = "ec:P-256",
	    .mail = "bob@example.com" }, &p256);
	keys = (struct testca_keys){ .id = { &rsa, &p256 }, .n = 2 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	testca_id_free(&rsa);
	testca_id_free(&p256);
	testca_free(&ca);
	return 0;
}

/* ---- BER ---- */

/* v with this tag and indefinite length, appended. */
static void put_open(struct buf *b, int tag, struct view v)
{
	buf_putc(b, (unsigned char)tag);
	buf_putc(b, 0x80);
	buf_putv(b, v);
	buf_put(b, "\0\0", 2);
}

/* An OCTET STRING of octets by seven, so many constructed strings deep, the
 * outermost under this tag. */
static void put_string(struct buf *b, int tag, int deep, struct view v)
{
	struct buf in, out;

	buf_init(&in, BIG);
	buf_init(&out, BIG);
	for (size_t i = 0; i < v.n; i += 7)
		put_tlv(&in, DER_OCTET_STRING, view_sub(v, i, v.n - i < 7 ?
		    v.n - i : 7));
	for (int i = 1; i < deep; i++) {
		buf_clear(&out);
		put_open(&out, DER_OCTET_STRING | 0x20, buf_view(&in));
		put_tlv(&out, DER_OCTET_STRING | 0x20, view_make("", 0));
		buf_clear(&in);
		buf_putv(&in, buf_view(&out));
	}
	put_open(b, tag, buf_view(&in));
	buf_free(&in);
	buf_free(&out);
}

static struct der take(struct view *in, int tag)
{
	struct der d;

	if (tag == 0)
		assert_int_equal(der_next(in, &d), 0);
	else
		assert_int_equal(der_get(in, tag, &d), 0);
	return d;
}

/* The DER object der again, all around its content of indefinite length,
 * the content given as strings within strings. signed_ SignedData without
 * content gets it, EnvelopedData has it. */
static void make_ber(struct view der, bool signed_, int deep, struct view
    said_, struct buf *out)
{
	struct der ci = take(&der, DER_SEQUENCE), type, body, first, second;
	struct buf eci, x;
	struct view in;

	buf_init(&eci, BIG);
	buf_init(&x, BIG);
	type = take(&ci.val, DER_OID);
	body = take(&ci.val, DER_CTX0);
	in = body.val;
	in = take(&in, DER_SEQUENCE).val;
	first = take(&in, DER_INTEGER);
	second = take(&in, DER_SET);
	body = take(&in, DER_SEQUENCE);
	buf_putv(&eci, take(&body.val, DER_OID).whole);
	if (signed_) {
		put_string(&x, DER_OCTET_STRING | 0x20, deep, said_);
		put_open(&eci, DER_CTX0, buf_view(&x));
	} else {
		buf_putv(&eci, take(&body.val, DER_SEQUENCE).whole);
		put_string(&eci, DER_CTX0, deep, take(&body.val,
		    DER_CTX0_PRIM).val);
	}
	buf_clear(&x);
	buf_putv(&x, first.whole);
	put_open(&x, DER_SET, second.val);
	put_open(&x, DER_SEQUENCE, buf_view(&eci));
	buf_putv(&x, in);
	buf_clear(&eci);
	put_open(&eci, DER_SEQUENCE, buf_view(&x));
	buf_clear(&x);
	buf_putv(&x, type.whole);
	put_open(&x, DER_CTX0, buf_view(&eci));
	buf_clear(out);
	put_open(out, DER_SEQUENCE, buf_view(&x));
	buf_free(&eci);
	buf_free(&x);
}

#define DEEPEST 5 /* constructed strings; libcrypto takes one more */

static void check_too_deep(struct view der)
{
	struct cms *c = NULL;
	struct err e;

	assert_int_equal(read_der(&c, der, &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
}

static void S199_signed_content_in_nested_strings(void **state)
{
	struct forge f = { .id = &rsa, .certs = { rsa.cert } };
	struct verification *v;
	CMS_ContentInfo *o;
	struct buf der, ber;

	(void)state;
	buf_init(&der, BIG);
	buf_init(&ber, BIG);
	make_signed(&f, 1, &der);
	for (int deep = 1; deep <= DEEPEST; deep++) {
		make_ber(buf_view(&der), true, deep, said, &ber);
		v = verify(buf_view(&ber), NULL);
		expect("nested", v, SIG_PASS, 0);
		verification_free(&v);
		o = ossl_cms(buf_view(&ber));
		assert_non_null(o);
		assert_int_equal(CMS_verify(o, NULL, NULL, NULL, NULL,
		    CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY), 1);
		CMS_ContentInfo_free(o);
	}
	make_ber(buf_view(&der), true, DEEPEST + 1, said, &ber);
	check_too_deep(buf_view(&ber));
	/* one octet of the content is another */
	make_ber(buf_view(&der), true, 3, view_of("Content-Type: text/plain"
	    "\r\n\r\nHullo\r\n"), &ber);
	v = verify(buf_view(&ber), NULL);
	expect("changed", v, SIG_FAIL, 70);
	verification_free(&v);
	buf_free(&der);
	buf_free(&ber);
}

static void encrypt_to(const struct testca_id *id, const EVP_CIPHER *k,
    struct buf *out)
{
	BIO *in = BIO_new_mem_buf(content, (int)sizeof(content) - 1);
	CMS_ContentInfo *c = CMS_encrypt(NULL, in, k, CMS_PARTIAL |
	    CMS_BINARY);

	assert_non_null(c);
	assert_non_null(CMS_add1_recipient_cert(c, cert_x509(id->cert), 0));
	assert_int_equal(CMS_final(c, in, NULL, CMS_BINARY), 1);
	buf_clear(out);
	ossl_der(c, NULL, out);
	CMS_ContentInfo_free(c);
	BIO_free(in);
}

static void check_opens(struct view der, const struct testca_id *id)
{
	struct key_ops ops = testca_key_ops(&keys);
	struct spool *q = spool_empty();
	struct cms *c = NULL;
	struct buf plain;
	struct err e;

	buf_init(&plain, BIG);
	if (read_der(&c, der, &e) == -1 || cms_decrypt(c, cms_rid(c, 0),
	    cert_sha256(id->cert), &ops, q, &e) == -1)
		fail_msg("%s", e.msg);
	spool_get(q, &plain);
	assert_string_equal(buf_str(&plain), content);
	buf_free(&plain);
	spool_free(&q);
	cms_free(&c);
}

static void S199_encrypted_content_in_nested_strings(void **state)
{
	const struct testca_id *to[] = { &rsa, &p256 };
	const EVP_CIPHER *k[] = { EVP_aes_256_cbc(), EVP_aes_128_gcm() };
	struct buf der, ber;
	CMS_ContentInfo *o;

	(void)state;
	buf_init(&der, BIG);
	buf_init(&ber, BIG);
	for (size_t i = 0; i < 4; i++) {
		encrypt_to(to[i / 2], k[i % 2], &der);
		for (int deep = 1; deep <= DEEPEST; deep++) {
			make_ber(buf_view(&der), false, deep, said, &ber);
			check_opens(buf_view(&ber), to[i / 2]);
			o = ossl_cms(buf_view(&ber));
			assert_non_null(o);
			CMS_ContentInfo_free(o);
		}
		make_ber(buf_view(&der), false, DEEPEST + 1, said, &ber);
		check_too_deep(buf_view(&ber));
	}
	buf_free(&der);
	buf_free(&ber);
}

/* ---- signed attributes, signed as DER but sent as something else ---- */

enum form { FORM_DER, FORM_INDEFINITE, FORM_LONG_LENGTH, FORM_INNER_LONG,
	FORM_INNER_INDEFINITE };

/* The first attribute of attrs in this form, the others as they are. */
static void put_first_attr(struct buf *b, struct view attrs, enum form form)
{
	struct der d = take(&attrs, DER_SEQUENCE);

	if (form == FORM_INNER_LONG) {
		assert_true(d.val.n < 128);
		buf_put(b, "\x30\x81", 2);
		buf_putc(b, (unsigned char)d.val.n);
		buf_putv(b, d.val);
	} else if (form == FORM_INNER_INDEFINITE) {
		put_open(b, DER_SEQUENCE, d.val);
	} else {
		buf_putv(b, d.whole);
	}
	buf_putv(b, attrs);
}

static void put_attrs(struct buf *b, struct view attrs, enum form form)
{
	struct buf x;

	buf_init(&x, BIG);
	put_first_attr(&x, attrs, form);
	if (form == FORM_INDEFINITE) {
		put_open(b, DER_CTX0, buf_view(&x));
	} else if (form == FORM_LONG_LENGTH) {
		assert_true(x.n > 127 && x.n < 65536);
		buf_put(b, "\xa0\x83\0", 3);
		buf_putc(b, (unsigned char)(x.n >> 8));
		buf_putc(b, (unsigned char)x.n);
		buf_putv(b, buf_view(&x));
	} else {
		put_tlv(b, DER_CTX0, buf_view(&x));
	}
	buf_free(&x);
}

/* The SignedData der with its only SignerInfo's attributes in this form. */
static void with_attrs(struct view der, enum form form, struct buf *out)
{
	struct der ci = take(&der, DER_SEQUENCE), type, d, si;
	struct buf x, y;
	struct view in;

	buf_init(&x, BIG);
	buf_init(&y, BIG);
	type = take(&ci.val, DER_OID);
	in = take(&ci.val, DER_CTX0).val;
	in = take(&in, DER_SEQUENCE).val;
	while (in.n > 0) {
		d = take(&in, 0);
		if (in.n > 0)
			buf_putv(&x, d.whole);
	}
	si = take(&d.val, DER_SEQUENCE);
	while (si.val.n > 0) {
		d = take(&si.val, 0);
		if (d.tag == DER_CTX0)
			put_attrs(&y, d.val, form);
		else
			buf_putv(&y, d.whole);
	}
	wrap_buf(&y, DER_SEQUENCE);
	put_tlv(&x, DER_SET, buf_view(&y));
	wrap_buf(&x, DER_SEQUENCE);
	wrap_buf(&x, DER_CTX0);
	buf_clear(&y);
	buf_putv(&y, type.whole);
	buf_putv(&y, buf_view(&x));
	buf_clear(out);
	put_tlv(out, DER_SEQUENCE, buf_view(&y));
	buf_free(&x);
	buf_free(&y);
}

static void S199_signed_attributes_must_be_DER(void **state)
{
	struct forge f = { .id = &rsa, .certs = { rsa.cert } };
	struct verification *v;
	struct buf der, odd;

	(void)state;
	buf_init(&der, BIG);
	buf_init(&odd, BIG);
	make_signed(&f, 1, &der);
	for (int form = FORM_DER; form <= FORM_INNER_INDEFINITE; form++) {
		with_attrs(buf_view(&der), (enum form)form, &odd);
		assert_int_equal(view_eq(buf_view(&der), buf_view(&odd)),
		    form == FORM_DER);
		v = verify(buf_view(&odd), &said);
		if (form == FORM_DER)
			expect("DER", v, SIG_PASS, 0);
		else
			expect("not DER", v, SIG_POLICY, 67);
		verification_free(&v);
	}
	f.unsorted = true; /* and signed so */
	make_signed(&f, 1, &der);
	v = verify(buf_view(&der), &said);
	expect("not sorted", v, SIG_POLICY, 67);
	verification_free(&v);
	buf_free(&der);
	buf_free(&odd);
}

/* ---- algorithms and types of S/MIME 2 and 3 ---- */

static void S197_old_digests_never_pass(void **state)
{
	static const struct {
		const char *name;
		enum oid digest, sig;
		bool allow;
		enum sig_result result;
	} t[] = {
		{ "SHA-256", OID_SHA256, OID_RSA, false, SIG_PASS },
		{ "sha256WithRSA", OID_SHA256, OID_RSA_SHA256, false,
		    SIG_PASS },
		{ "SHA-1", OID_SHA1, OID_RSA, false, SIG_POLICY },
		{ "SHA-1 allowed", OID_SHA1, OID_RSA, true, SIG_POLICY },
		{ "sha1WithRSA allowed", OID_SHA1, OID_RSA_SHA1, true,
		    SIG_POLICY },
		{ "MD5", OID_MD5, OID_RSA, false, SIG_POLICY },
		{ "MD5, SHA-1 allowed", OID_MD5, OID_RSA, true, SIG_POLICY },
		{ "md5WithRSA", OID_MD5, OID_RSA_MD5, true, SIG_POLICY },
		{ "md5WithRSA over SHA-256", OID_SHA256, OID_RSA_MD5, true,
		    SIG_POLICY },
		{ "md5WithRSA over SHA-1", OID_SHA1, OID_RSA_MD5, true,
		    SIG_POLICY },
	};
	struct verify_policy p = policy();
	struct verification *v;
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct forge f = { .id = &rsa, .certs = { rsa.cert },
			.digest = t[i].digest, .sig_alg = t[i].sig };

		p.allow_sha1 = t[i].allow;
		make_signed(&f, 1, &der);
		v = verify_with(&p, buf_view(&der), &said);
		expect(t[i].name, v, t[i].result, t[i].result == SIG_PASS ?
		    0 : 68);
		/* MD5 is not even computed, but SHA-1 is by option */
		f.wrong_signature = true;
		make_signed(&f, 1, &der);
		verification_free(&v);
		v = verify_with(&p, buf_view(&der), &said);
		if (t[i].result == SIG_PASS || (t[i].allow && t[i].digest ==
		    OID_SHA1 && t[i].sig != OID_RSA_MD5))
			expect(t[i].name, v, SIG_FAIL, 70);
		else
			expect(t[i].name, v, SIG_POLICY, 68);
		verification_free(&v);
	}
	buf_free(&der);
}

static enum shape_kind shape_of(const char *message, struct shape *sh)
{
	struct spool *s = spool_with(view_of(message));
	size_t n = strlen(message);
	struct header h;
	struct ctype ct;
	struct err e;

	assert_int_equal(header_read(&h, s, 0, n, &e), 0);
	assert_int_equal(ctype_read(&ct, &h, &e), 0);
	assert_int_equal(shape_read(sh, s, &h, &ct, n, &e), 0);
	ctype_free(&ct);
	header_free(&h);
	spool_free(&s);
	return sh->kind;
}

#define BASE64 "Content-Transfer-Encoding: base64\r\n\r\nMAAA\r\n"

static void S197_S200_types_of_version_2(void **state)
{
	static const char *const pkcs7[] = {
		"Content-Type: application/pkcs7-mime\r\n" BASE64,
		"Content-Type: application/x-pkcs7-mime\r\n" BASE64,
		"Content-Type: application/X-PKCS7-MIME; name=smime.p7m\r\n"
		BASE64,
		"Content-Type: application/pkcs7-mime; name=\"smime.p7m\"\r\n"
		BASE64,
	};
	static const char clear[] = "Content-Type: multipart/signed; "
	    "protocol=\"application/x-pkcs7-signature\"; micalg=sha1; "
	    "boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: "
	    "application/x-pkcs7-signature\r\n" BASE64 "--b--\r\n";
	struct shape sh;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pkcs7); i++) {
		assert_int_equal(shape_of(pkcs7[i], &sh), SHAPE_PKCS7);
		assert_int_equal(sh.cte, CTE_BASE64);
		assert_string_equal(sh.smime_type, "");
	}
	assert_int_equal(shape_of(clear, &sh), SHAPE_CLEAR_SIGNED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S199_signed_attributes_must_be_DER),
		cmocka_unit_test(S199_signed_content_in_nested_strings),
		cmocka_unit_test(S199_encrypted_content_in_nested_strings),
		cmocka_unit_test(S197_old_digests_never_pass),
		cmocka_unit_test(S197_S200_types_of_version_2),
	};

	return cmocka_run_group_tests_name("smime_old", tests, setup,
	    teardown);
}
