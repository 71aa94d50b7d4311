/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What we sign: its form to the octet, libcrypto as the verifier, and the
 * self-check that must see every broken octet.
 */
#include "smime/sign.h"

#include "smime/ctype.h"
#include "smime/oid.h"
#include "smime/shape.h"
#include "smime_help.h"
#include "testca.h"

#define NOW 1795000000 /* 2026 */

static struct testca ca;
static struct testca_id rsa, p256, p384, p521, ed, weak;
static struct testca_keys keys;

static const char entity_text[] = "Content-Type: text/plain;"
    " charset=us-ascii\r\n\r\nDear bob,\r\n\r\n"
    "trailing text =20\r\n--\r\nalice\r\n";

static int setup(void **state)
{
	(void)state;
	testca_init(&ca);
	testca_issue(&ca, &(struct testca_leaf){ .key = "rsa:2048",
	    .mail = "alice@example.com", .ku = "digitalSignature" }, &rsa);
	testca_issue(&ca, &(struct testca_leaf){ .key = "ec:P-256",
	    .mail = "bob@example.com" }, &p256);
	testca_issue(&ca, &(struct testca_leaf){ .key = "ec:P-384",
	    .mail = "carol@example.com" }, &p384);
	testca_issue(&ca, &(struct testca_leaf){ .key = "ec:P-521",
	    .mail = "carol@example.com" }, &p521);
	testca_issue(&ca, &(struct testca_leaf){ .key = "ed25519",
	    .mail = "dave@example.com" }, &ed);
	testca_issue(&ca, &(struct testca_leaf){ .key = "rsa:1024",
	    .mail = "dave@example.com" }, &weak);
	keys = (struct testca_keys){ { &rsa, &p256, &p384, &p521, &ed, &weak },
		6, 0, 0, 0 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	testca_id_free(&rsa);
	testca_id_free(&p256);
	testca_id_free(&p384);
	testca_id_free(&p521);
	testca_id_free(&ed);
	testca_id_free(&weak);
	testca_free(&ca);
	return 0;
}

static const struct cert *chain[1];

static struct signer signer_of(const struct testca_id *id, const char *digest)
{
	chain[0] = ca.sub.cert;
	return (struct signer){ id->cert, chain, 1, NULL, digest, false };
}

static struct spool *sign(const struct signer *who, enum sign_form form,
    struct view entity)
{
	struct key_ops ops = testca_key_ops(&keys);
	struct spool *in = spool_with(entity), *out = spool_empty();
	struct err e;

	if (sign_entity(in, who, &ops, form, NOW, out, &e) == -1)
		fail_msg("%s", e.msg);
	spool_free(&in);
	return out;
}

static void read_shape(const struct spool *s, struct shape *sh)
{
	struct header h;
	struct ctype ct;
	struct err e;

	assert_int_equal(header_read(&h, s, 0, spool_size(s), &e), 0);
	assert_int_equal(ctype_read(&ct, &h, &e), 0);
	assert_int_equal(shape_read(sh, s, &h, &ct, spool_size(s), &e), 0);
	ctype_free(&ct);
	header_free(&h);
}

/* The DER of the signature part or the opaque body. */
static void get_der(const struct spool *s, const struct shape *sh,
    struct buf *der)
{
	struct cms *c = NULL;
	struct spool *t = NULL;
	struct err e;
	struct buf b64;
	BIO *b;
	unsigned char *to;
	int n;

	(void)c;
	(void)t;
	buf_init(&b64, BIG);
	{
		struct sink k = sink_to_buf(&b64);
		uint64_t from = sh->kind == SHAPE_PKCS7 ? sh->body : sh->sig;
		uint64_t end = sh->kind == SHAPE_PKCS7 ? sh->end :
		    sh->sig_end;

		assert_int_equal(spool_copy(s, from, end, &k, &e), 0);
	}
	/* libcrypto's decoder, not ours: it wants newlines as they come. */
	b = BIO_push(BIO_new(BIO_f_base64()), BIO_new_mem_buf(b64.p,
	    (int)b64.n));
	do {
		to = buf_room(der, 4096);
		assert_non_null(to);
		n = BIO_read(b, to, 4096);
		der->n += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	assert_true(der->n > 0);
	BIO_free_all(b);
	buf_free(&b64);
}

/* libcrypto verifies; chain to the root is checked as well. */
static void ossl_verify(struct view der, const struct view *content,
    struct view want)
{
	X509_STORE *store = X509_STORE_new();
	BIO *in = content == NULL ? NULL : BIO_new_mem_buf(content->p,
	    (int)content->n);
	BIO *out = BIO_new(BIO_s_mem());
	CMS_ContentInfo *c = ossl_cms(der);
	char *p = NULL;
	long n;

	assert_non_null(c);
	assert_int_equal(X509_STORE_add_cert(store, cert_x509(ca.root.cert)),
	    1);
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), time(NULL));
	if (CMS_verify(c, NULL, store, in, out, CMS_BINARY) != 1) {
		ERR_print_errors_fp(stderr);
		fail_msg("libcrypto does not verify");
	}
	n = BIO_get_mem_data(out, &p);
	assert_true(view_eq(view_make(p, (size_t)n), want));
	BIO_free(in);
	BIO_free(out);
	X509_STORE_free(store);
	CMS_ContentInfo_free(c);
}

static void interop_one(const struct signer *who, enum sign_form form,
    const char *want_micalg)
{
	struct spool *s = sign(who, form, view_of(entity_text));
	struct view part = { NULL, 0 };
	struct buf all, der;
	struct shape sh;
	struct err e;

	buf_init(&all, BIG);
	buf_init(&der, BIG);
	read_shape(s, &sh);
	spool_get(s, &all);
	get_der(s, &sh, &der);
	if (form == SIGN_CLEAR) {
		assert_int_equal(sh.kind, SHAPE_CLEAR_SIGNED);
		assert_string_equal(sh.micalg, want_micalg);
		part = view_sub(buf_view(&all), sh.part,
		    sh.part_end - sh.part);
		assert_true(view_eq_str(part, entity_text)); /* S12 */
	} else {
		assert_int_equal(sh.kind, SHAPE_PKCS7);
		assert_string_equal(sh.smime_type, "signed-data");
	}
	ossl_verify(buf_view(&der), form == SIGN_CLEAR ? &part : NULL,
	    view_of(entity_text));
	if (sign_self_check(s, who, &e) == -1)
		fail_msg("%s", e.msg);
	spool_free(&s);
	buf_free(&all);
	buf_free(&der);
}

static void S22_S24_S55_libcrypto_verifies_what_we_sign(void **state)
{
	static const struct {
		const struct testca_id *id;
		const char *digest;
		bool pss;
		const char *micalg;
	} rows[] = {
		{ &rsa, NULL, false, "sha-256" },
		{ &rsa, "sha-256", false, "sha-256" },
		{ &rsa, "sha-384", false, "sha-384" },
		{ &rsa, "sha-512", false, "sha-512" },
		{ &rsa, NULL, true, "sha-256" },
		{ &rsa, "sha-256", true, "sha-256" },
		{ &rsa, "sha-384", true, "sha-384" },
		{ &rsa, "sha-512", true, "sha-512" },
		{ &p256, NULL, false, "sha-256" },
		{ &p256, "sha-512", false, "sha-512" },
		{ &p384, NULL, true, "sha-384" }, /* pss is about RSA */
		{ &p384, "sha-256", false, "sha-256" },
		{ &p521, NULL, false, "sha-512" },
	};
	struct signer who;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		who = signer_of(rows[i].id, rows[i].digest);
		who.pss = rows[i].pss;
		interop_one(&who, SIGN_CLEAR, rows[i].micalg);
		interop_one(&who, SIGN_OPAQUE, rows[i].micalg);
	}
}

/* The salt as long as the digest, MGF1 with the same digest (RFC 4056 3). */
static void S55_pss_parameters_are_exact(void **state)
{
	static const unsigned char alg[] = { 0x30, 0x41, 0x06, 0x09, 0x2a,
		0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, 0x30, 0x34,
		0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
		0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0xa1, 0x1c, 0x30,
		0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
		0x01, 0x08, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
		0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0xa2, 0x03, 0x02,
		0x01, 0x40 };
	struct signer who = signer_of(&rsa, "sha-512");
	struct shape sh;
	struct spool *s;
	struct buf der;
	struct err e;

	(void)state;
	buf_init(&der, BIG);
	who.pss = true;
	s = sign(&who, SIGN_CLEAR, view_of(entity_text));
	read_shape(s, &sh);
	get_der(s, &sh, &der);
	/* of the signature, and in CMSAlgorithmProtection under its tag */
	assert_non_null(memmem(der.p, der.n, alg, sizeof(alg)));
	assert_non_null(memmem(der.p, der.n, "\xa1\x41\x06\x09\x2a", 5));
	/* one that was made with the other padding is another signature */
	who.pss = false;
	assert_int_equal(sign_self_check(s, &who, &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
	spool_free(&s);
	buf_free(&der);
}

static void opaque_content_of_all_sizes(void **state)
{
	static const size_t sizes[] = { 1, 4095, 4096, 4097, 65535, 65536,
		65537, 70000, 1000003 };
	struct signer who = signer_of(&p256, NULL);
	unsigned char *data = malloc(1000003);
	struct shape sh;
	struct spool *s;
	struct buf der;
	struct err e;

	(void)state;
	assert_non_null(data);
	for (size_t i = 0; i < 1000003; i++)
		data[i] = (unsigned char)('A' + i * 7 % 26);
	buf_init(&der, BIG);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		buf_clear(&der);
		s = sign(&who, SIGN_OPAQUE, view_make(data, sizes[i]));
		read_shape(s, &sh);
		get_der(s, &sh, &der);
		ossl_verify(buf_view(&der), NULL, view_make(data, sizes[i]));
		assert_int_equal(sign_self_check(s, &who, &e), 0);
		spool_free(&s);
	}
	buf_free(&der);
	free(data);
}

/* S24, S25, S26: header fields octet for octet. */
static void S24_S25_S26_headers_are_exact(void **state)
{
	static const char opaque[] =
	    "Content-Type: application/pkcs7-mime; smime-type=signed-data;"
	    " name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n"
	    "Content-Disposition: attachment; filename=smime.p7m\r\n\r\n";
	static const char head[] = "Content-Type: multipart/signed;"
	    " protocol=\"application/pkcs7-signature\";\r\n"
	    "\tmicalg=sha-256; boundary=\"=_";
	static const char part[] =
	    "Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "Content-Disposition: attachment; filename=smime.p7s\r\n\r\n";
	struct signer who = signer_of(&rsa, NULL);
	char boundary[64] = "--=_";
	struct buf a, b, want;
	struct spool *s;

	(void)state;
	buf_init(&a, BIG);
	buf_init(&b, BIG);
	buf_init(&want, BIG);
	s = sign(&who, SIGN_OPAQUE, view_of(entity_text));
	spool_get(s, &a);
	assert_memory_equal(a.p, opaque, strlen(opaque));
	spool_free(&s);
	buf_clear(&a);
	s = sign(&who, SIGN_CLEAR, view_of(entity_text));
	spool_get(s, &a);
	spool_free(&s);
	s = sign(&who, SIGN_CLEAR, view_of(entity_text));
	spool_get(s, &b);
	spool_free(&s);
	assert_memory_equal(a.p, head, strlen(head));
	memcpy(boundary + 4, a.p + strlen(head), 32);
	/* another boundary every time */
	assert_memory_not_equal(boundary + 4, b.p + strlen(head), 32);
	buf_printf(&want, "%s%s\"\r\n\r\n%s\r\n%s\r\n%s\r\n%s", head,
	    boundary + 4, boundary, entity_text, boundary, part);
	assert_memory_equal(a.p, want.p, want.n);
	buf_clear(&want);
	buf_printf(&want, "\r\n%s--\r\n", boundary);
	assert_memory_equal(a.p + a.n - want.n, want.p, want.n);
	buf_free(&a);
	buf_free(&b);
	buf_free(&want);
}

/* No line beyond 78 octets and none but CRLF ends in what we add. */
static void lines_fit_for_mail(void **state)
{
	struct signer who = signer_of(&rsa, NULL);
	struct buf a;
	struct spool *s;

	(void)state;
	buf_init(&a, BIG);
	for (int form = SIGN_CLEAR; form <= SIGN_OPAQUE; form++) {
		size_t col = 0;

		buf_clear(&a);
		s = sign(&who, (enum sign_form)form, view_of(entity_text));
		spool_get(s, &a);
		for (size_t i = 0; i < a.n; i++) {
			assert_true(a.p[i] != '\n' || a.p[i - 1] == '\r');
			assert_true(a.p[i] != '\r' || a.p[i + 1] == '\n');
			col = a.p[i] == '\n' ? 0 : col + 1;
			assert_true(col <= 79);
		}
		spool_free(&s);
	}
	buf_free(&a);
}

/* The SignerInfo's attributes by libcrypto. */
static void S50_S51_S52_S54_S146_attributes_and_certificates(void **state)
{
	static const unsigned char caps[] = { 0x30, 0x34,
		0x30, 0x0b, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 0x2e,
		0x30, 0x0b, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 0x06,
		0x30, 0x0b, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 0x2a,
		0x30, 0x0b, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 0x02 };
	static const enum oid wanted[] = { OID_A_CONTENT_TYPE,
		OID_A_SIGNING_TIME, OID_A_MESSAGE_DIGEST, OID_A_SMIME_CAPS,
		OID_A_ALG_PROTECT, OID_A_SIGNING_CERT_V2,
		OID_A_ENC_KEY_PREF };
	struct signer who = signer_of(&rsa, NULL);
	STACK_OF(CMS_SignerInfo) *sis;
	STACK_OF(X509) *certs;
	CMS_SignerInfo *si;
	CMS_ContentInfo *c;
	struct shape sh;
	struct spool *s;
	struct buf der;
	ASN1_OBJECT *o;

	(void)state;
	buf_init(&der, BIG);
	for (int pref = 0; pref < 3; pref++) {
		/* 1: the same certificate is no other one */
		who.encryption_cert = pref == 0 ? NULL : pref == 1 ?
		    rsa.cert : p256.cert;
		buf_clear(&der);
		s = sign(&who, SIGN_CLEAR, view_of(entity_text));
		read_shape(s, &sh);
		get_der(s, &sh, &der);
		c = ossl_cms(buf_view(&der));
		assert_non_null(c);
		sis = CMS_get0_SignerInfos(c);
		assert_int_equal(sk_CMS_SignerInfo_num(sis), 1);
		si = sk_CMS_SignerInfo_value(sis, 0);
		assert_int_equal(CMS_signed_get_attr_count(si), pref == 2 ?
		    7 : 6);
		for (size_t i = 0; i < (pref == 2 ? 7u : 6u); i++) {
			struct view v = oid_view(wanted[i]);
			unsigned char raw[32] = { 6, (unsigned char)v.n };
			const unsigned char *p = raw;

			memcpy(raw + 2, v.p, v.n);
			o = d2i_ASN1_OBJECT(NULL, &p, (long)v.n + 2);
			assert_true(CMS_signed_get_attr_by_OBJ(si, o, -1) >=
			    0);
			ASN1_OBJECT_free(o);
		}
		assert_non_null(memmem(der.p, der.n, caps, sizeof(caps)));
		certs = CMS_get1_certs(c);
		assert_int_equal(sk_X509_num(certs), pref == 2 ? 3 : 2);
		sk_X509_pop_free(certs, X509_free);
		CMS_ContentInfo_free(c);
		spool_free(&s);
	}
	buf_free(&der);
}

/* One value, UTCTime until 2049, seconds said (RFC 5652 11.3). */
static void S50_S61_signing_time(void **state)
{
	static const char attr[] = "\x30\x1c\x06\x09\x2a\x86\x48\x86\xf7\x0d"
	    "\x01\x09\x05\x31\x0f\x17\x0d" "261118110640Z";
	struct signer who = signer_of(&p256, NULL);
	struct shape sh;
	struct spool *s;
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	s = sign(&who, SIGN_CLEAR, view_of(entity_text));
	read_shape(s, &sh);
	get_der(s, &sh, &der);
	assert_non_null(memmem(der.p, der.n, attr, sizeof(attr) - 1));
	spool_free(&s);
	buf_free(&der);
}

/* Clear signatures are DER through and through. */
static void detached_object_is_der(void **state)
{
	struct signer who = signer_of(&rsa, NULL);
	struct spool *s = sign(&who, SIGN_CLEAR, view_of(entity_text));
	struct shape sh;
	struct buf der;

	(void)state;
	buf_init(&der, BIG);
	read_shape(s, &sh);
	get_der(s, &sh, &der);
	assert_true(der_is_strict(buf_view(&der)));
	spool_free(&s);
	buf_free(&der);
}

static void S55_S56_keys_and_digests_refused(void **state)
{
	static const struct {
		const struct testca_id *id;
		const char *digest;
		const char *says;
	} rows[] = {
		{ &rsa, "sha-1", "sha-1" },
		{ &rsa, "md5", "md5" },
		{ &rsa, "SHA-256", "SHA-256" },
		{ &rsa, "", "digest" },
		{ &ed, NULL, "ed25519" },
		{ &weak, NULL, "1024" },
	};
	struct key_ops ops = testca_key_ops(&keys);
	struct spool *in = spool_with(view_of(entity_text)), *out;
	struct signer who;
	enum sig_alg alg;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		who = signer_of(rows[i].id, rows[i].digest);
		assert_int_equal(sign_alg(&who, &alg, &e), -1);
		assert_int_equal(e.kind, FAIL_POLICY);
		if (strstr(e.msg, rows[i].says) == NULL)
			fail_msg("row %zu: %s", i, e.msg);
		out = spool_empty();
		assert_int_equal(sign_entity(in, &who, &ops, SIGN_CLEAR, NOW,
		    out, &e), -1);
		assert_int_equal(e.kind, FAIL_POLICY);
		assert_int_equal(spool_size(out), 0);
		spool_free(&out);
	}
	spool_free(&in);
}

static void key_service_failures_leave_nothing(void **state)
{
	static const enum fail kinds[] = { FAIL_TEMP, FAIL_POLICY,
		FAIL_INPUT };
	struct key_ops ops = testca_key_ops(&keys);
	struct spool *in = spool_with(view_of(entity_text));
	struct spool *out = spool_empty();
	struct signer who = signer_of(&p256, NULL);
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		keys.fail = kinds[i];
		assert_int_equal(sign_entity(in, &who, &ops, SIGN_OPAQUE,
		    NOW, out, &e), -1);
		assert_int_equal(e.kind, kinds[i]);
		assert_int_equal(spool_size(out), 0);
	}
	keys.fail = 0;
	spool_free(&in);
	spool_free(&out);
}

/* attack A16: content that begins like signed attributes is given to be signed
 * verdict: refused, the key is not used */
static void A16_odd_content_is_not_signed(void **state)
{
	static const struct {
		struct view v;
		enum fail kind;
	} rows[] = {
		{ { (const unsigned char *)"1 is tag 31", 11 }, FAIL_POLICY },
		{ { NULL, 0 }, FAIL_BUG },
	};
	struct key_ops ops = testca_key_ops(&keys);
	struct signer who = signer_of(&p256, NULL);
	struct spool *in, *out = spool_empty();
	struct err e;
	size_t signs = keys.signs;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		in = spool_with(rows[i].v);
		assert_int_equal(sign_entity(in, &who, &ops, SIGN_CLEAR, NOW,
		    out, &e), -1);
		assert_int_equal(e.kind, rows[i].kind);
		spool_free(&in);
	}
	assert_int_equal(keys.signs, signs);
	spool_free(&out);
}

/* Output that has no room: emptied, kind kept. */
static void full_output_is_emptied(void **state)
{
	struct key_ops ops = testca_key_ops(&keys);
	struct signer who = signer_of(&p256, NULL);
	struct spool *in = spool_with(view_of(entity_text)), *out;
	struct err e;

	(void)state;
	for (uint64_t room = 10; room < 2000; room += 331) {
		for (int form = SIGN_CLEAR; form <= SIGN_OPAQUE; form++) {
			assert_int_equal(spool_new(&out, room, &e), 0);
			assert_int_equal(sign_entity(in, &who, &ops,
			    (enum sign_form)form, NOW, out, &e), -1);
			assert_int_equal(e.kind, FAIL_LIMIT);
			assert_int_equal(spool_size(out), 0);
			spool_free(&out);
		}
	}
	spool_free(&in);
}

static int check_changed(const struct buf *b, const struct signer *who,
    struct err *e)
{
	struct spool *s = spool_with(buf_view(b));
	int r = sign_self_check(s, who, e);

	spool_free(&s);
	return r;
}

/* S201: a serialiser that writes one wrong octet is found out. */
static void S201_self_check_sees_every_change(void **state)
{
	struct signer who = signer_of(&p256, NULL);
	struct signer other = signer_of(&rsa, NULL);
	struct spool *s;
	struct shape sh;
	struct buf b;
	struct err e;
	size_t from, step;

	(void)state;
	buf_init(&b, BIG);
	for (int form = SIGN_CLEAR; form <= SIGN_OPAQUE; form++) {
		buf_clear(&b);
		s = sign(&who, (enum sign_form)form, view_of(entity_text));
		spool_get(s, &b);
		read_shape(s, &sh);
		spool_free(&s);
		assert_int_equal(check_changed(&b, &other, &e), -1);
		assert_int_equal(e.kind, FAIL_BUG);
		/* the signed octets */
		for (size_t i = 0; form == SIGN_CLEAR && i < sh.part_end -
		    sh.part; i += 3) {
			b.p[sh.part + i] ^= 2;
			assert_int_equal(check_changed(&b, &who, &e), -1);
			assert_int_equal(e.kind, FAIL_BUG);
			b.p[sh.part + i] ^= 2;
		}
		/* SignerInfo: the last 500 letters of base64 */
		from = (size_t)(form == SIGN_CLEAR ? sh.sig_end : sh.end) -
		    500;
		step = 0;
		for (size_t i = from; i < from + 480; i++) {
			unsigned char keep = b.p[i];

			if (keep == '\r' || keep == '\n')
				continue;
			b.p[i] = keep == 'A' ? 'Q' : 'A';
			if (check_changed(&b, &who, &e) == 0)
				step++;
			else
				assert_int_equal(e.kind, FAIL_BUG);
			b.p[i] = keep;
		}
		/* Only bits that base64 does not use may be free. */
		assert_true(step <= 1);
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S22_S24_S55_libcrypto_verifies_what_we_sign),
		cmocka_unit_test(S55_pss_parameters_are_exact),
		cmocka_unit_test(opaque_content_of_all_sizes),
		cmocka_unit_test(S24_S25_S26_headers_are_exact),
		cmocka_unit_test(lines_fit_for_mail),
		cmocka_unit_test(
		    S50_S51_S52_S54_S146_attributes_and_certificates),
		cmocka_unit_test(S50_S61_signing_time),
		cmocka_unit_test(detached_object_is_der),
		cmocka_unit_test(S55_S56_keys_and_digests_refused),
		cmocka_unit_test(key_service_failures_leave_nothing),
		cmocka_unit_test(A16_odd_content_is_not_signed),
		cmocka_unit_test(full_output_is_emptied),
		cmocka_unit_test(S201_self_check_sees_every_change),
	};

	return cmocka_run_group_tests_name("smime_sign", tests, setup,
	    teardown);
}
