/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * For tests of who the author is: certificates with any name in them, from a
 * CA that the world trusts, and genuine signatures made by libcrypto with
 * any signed attributes. For inclusion after gateway_world.h.
 */
#ifndef TESTS_UNIT_GATEWAY_AUTHOR_H
#define TESTS_UNIT_GATEWAY_AUTHOR_H

#include "tests/unit/gateway_world.h"

#include <openssl/x509v3.h>

#include "smime/codec.h"
#include "smime/oid.h"
#include "tests/unit/smime_help.h"
#include "tests/unit/testca.h"

/* A certificate's names; texts may hold NUL, so they have lengths. */
enum name_kind {
	NAME_END,
	SAN_MAIL,   /* rfc822Name */
	SAN_UTF8,   /* SmtpUTF8Mailbox (RFC 9598) */
	SAN_DNS,
	SAN_URI,
	DN_MAIL,    /* emailAddress as IA5String */
	DN_MAIL8,   /* as UTF8String */
	DN_MAIL_BMP,
	DN_CN,
	DN_CN_BMP,
	DN_DC
};
struct name {
	enum name_kind kind;
	const char *p;
	size_t n;
};
#define NAME(kind, text) { kind, text, sizeof(text) - 1 }
#define NAMES 6

struct authors {
	struct testca ca;
	EVP_PKEY *key; /* of everybody: only names matter here */
};

static UNUSED void authors_make(struct authors *a, struct world *w)
{
	bool added;

	testca_init(&a->ca);
	assert_int_equal(keystore_add(w->ks, a->ca.root.cert, 0, KS_IMPORT,
	    &added, NULL), 0);
	assert_int_equal(keystore_add(w->ks, a->ca.sub.cert, 0, KS_IMPORT,
	    &added, NULL), 0);
	assert_int_equal(keystore_set_anchor(w->ks,
	    cert_sha256(a->ca.root.cert), true, NULL), 0);
	a->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	assert_non_null(a->key);
}

static UNUSED void authors_end(struct authors *a)
{
	testca_free(&a->ca);
	EVP_PKEY_free(a->key);
}

/* ---- certificates ---- */

static void put_general_name(struct buf *san, const struct name *x)
{
	struct view v = view_make(x->p, x->n);
	struct buf t;

	if (x->kind != SAN_UTF8) {
		put_tlv(san, DER_CTX0_PRIM + (x->kind == SAN_MAIL ? 1
		    : x->kind == SAN_DNS ? 2 : 6), v);
		return;
	}
	buf_init(&t, BIG);
	put_tlv(&t, DER_UTF8, v);
	wrap_buf(&t, DER_CTX0);
	put_tlv(san, DER_OID, view_make("\x2b\6\1\5\5\7\x08\x09", 8));
	buf_putv(san, buf_view(&t));
	buf_free(&t);
}

/* One otherName is [0] of two elements: built apart, then wrapped. */
static void put_san(struct buf *san, const struct name *x)
{
	struct buf t;

	buf_init(&t, BIG);
	put_general_name(&t, x);
	if (x->kind == SAN_UTF8)
		wrap_buf(&t, DER_CTX0);
	buf_putv(san, buf_view(&t));
	buf_free(&t);
}

static void put_dn(X509_NAME *dn, const struct name *x)
{
	bool mail = x->kind == DN_MAIL || x->kind == DN_MAIL8 ||
	    x->kind == DN_MAIL_BMP;
	int nid = mail ? NID_pkcs9_emailAddress
	    : x->kind == DN_DC ? NID_domainComponent : NID_commonName;
	int type = x->kind == DN_MAIL || x->kind == DN_DC ? V_ASN1_IA5STRING
	    : x->kind == DN_MAIL_BMP || x->kind == DN_CN_BMP
	    ? V_ASN1_BMPSTRING : V_ASN1_UTF8STRING;

	assert_int_equal(X509_NAME_add_entry_by_NID(dn, nid, type,
	    (const unsigned char *)x->p, (int)x->n, -1, 0), 1);
}

static void add_names(X509 *x, const struct name *name)
{
	X509_NAME *dn = X509_NAME_new();
	ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext;
	struct buf san;

	buf_init(&san, BIG);
	for (int i = 0; i < NAMES && name[i].kind != NAME_END; i++) {
		if (name[i].kind <= SAN_URI)
			put_san(&san, &name[i]);
		else
			put_dn(dn, &name[i]);
	}
	assert_int_equal(X509_set_subject_name(x, dn), 1);
	if (san.n > 0) {
		wrap_buf(&san, DER_SEQUENCE);
		assert_int_equal(ASN1_OCTET_STRING_set(s, san.p,
		    (int)san.n), 1);
		ext = X509_EXTENSION_create_by_NID(NULL,
		    NID_subject_alt_name, 0, s);
		assert_int_equal(X509_add_ext(x, ext, -1), 1);
		X509_EXTENSION_free(ext);
	}
	ASN1_OCTET_STRING_free(s);
	X509_NAME_free(dn);
	buf_free(&san);
}

/* A certificate with these names; key NULL: everybody's. */
static UNUSED struct cert *author_issue(const struct authors *a,
    const struct name *name, EVP_PKEY *key)
{
	static long serial = 5000;
	X509 *x = X509_new();
	struct cert *c = NULL;
	unsigned char *der = NULL;
	int n;

	assert_int_equal(X509_set_version(x, 2), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(x), -400 * 86400L);
	X509_gmtime_adj(X509_getm_notAfter(x), 300 * 86400L);
	assert_int_equal(X509_set_pubkey(x, key == NULL ? a->key : key), 1);
	assert_int_equal(X509_set_issuer_name(x,
	    X509_get_subject_name(cert_x509(a->ca.sub.cert))), 1);
	add_names(x, name);
	assert_true(X509_sign(x, a->ca.sub.key, EVP_sha256()) > 0);
	n = i2d_X509(x, &der);
	assert_true(n > 0);
	assert_int_equal(cert_parse(&c, view_make(der, (size_t)n), NULL), 0);
	OPENSSL_free(der);
	X509_free(x);
	return c;
}

/* ---- signatures ---- */

/* An attribute: its OID in dotted form, its value as DER. */
struct extra {
	const char *oid;
	const char *p;
	size_t n;
	int times; /* 0: once */
};
#define EXTRA(oid, der) { oid, der, sizeof(der) - 1, 0 }
#define EXTRAS 3

struct signature_of {
	const struct cert *by;
	EVP_PKEY *key;	  /* NULL: everybody's */
	const EVP_MD *md; /* NULL: SHA-256 */
	int64_t time;	  /* 0: now */
	struct extra signed_attr[EXTRAS];
	struct extra unsigned_attr;
};

static void add_extra(CMS_SignerInfo *si, const struct extra *x, bool sign)
{
	ASN1_OBJECT *o;

	if (x->oid == NULL)
		return;
	o = OBJ_txt2obj(x->oid, 1);
	for (int i = 0; i < (x->times == 0 ? 1 : x->times); i++)
		assert_int_equal(sign
		    ? CMS_signed_add1_attr_by_OBJ(si, o, V_ASN1_SEQUENCE,
		    x->p, (int)x->n)
		    : CMS_unsigned_add1_attr_by_OBJ(si, o, V_ASN1_SEQUENCE,
		    x->p, (int)x->n), 1);
	ASN1_OBJECT_free(o);
}

static void add_signer(const struct authors *a, CMS_ContentInfo *cms,
    const struct signature_of *g, bool has_cert)
{
	CMS_SignerInfo *si;
	ASN1_TIME *t;

	si = CMS_add1_signer(cms, cert_x509(g->by), g->key == NULL ? a->key
	    : g->key, g->md == NULL ? EVP_sha256() : g->md, CMS_PARTIAL |
	    CMS_NOSMIMECAP | (has_cert ? CMS_NOCERTS : 0));
	assert_non_null(si);
	if (g->time != 0) {
		t = ASN1_TIME_set(NULL, (time_t)g->time);
		assert_int_equal(CMS_signed_add1_attr_by_NID(si,
		    NID_pkcs9_signingTime, t->type, t, -1), 1);
		ASN1_TIME_free(t);
	}
	for (int i = 0; i < EXTRAS; i++)
		add_extra(si, &g->signed_attr[i], true);
	add_extra(si, &g->unsigned_attr, false);
}

/* The empty signature (RFC 3183 3); libcrypto makes none. */
static void make_empty(struct view entity, struct buf *der)
{
	struct buf t;

	buf_init(&t, BIG);
	put_tlv(&t, DER_OCTET_STRING, entity);
	wrap_buf(&t, DER_CTX0);
	put_tlv(der, DER_OID, oid_view(OID_DATA));
	buf_putv(der, buf_view(&t));
	wrap_buf(der, DER_SEQUENCE);
	buf_clear(&t);
	put_tlv(&t, DER_INTEGER, view_make("\1", 1));
	put_tlv(&t, DER_SET, view_of(""));
	buf_putv(&t, buf_view(der));
	put_tlv(&t, DER_SET, view_of(""));
	wrap_buf(&t, DER_SEQUENCE);
	wrap_buf(&t, DER_CTX0);
	buf_clear(der);
	put_tlv(der, DER_OID, oid_view(OID_SIGNED_DATA));
	buf_putv(der, buf_view(&t));
	wrap_buf(der, DER_SEQUENCE);
	buf_free(&t);
}

/* SignedData over the octets of entity by n signers, appended to der. */
static void make_object(const struct authors *a, const struct signature_of *g,
    size_t n, bool opaque, struct view entity, struct buf *der)
{
	unsigned flags = CMS_PARTIAL | CMS_BINARY |
	    (opaque ? 0 : CMS_DETACHED);
	BIO *in = BIO_new_mem_buf(entity.p, (int)entity.n);
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, in, flags);

	assert_non_null(cms);
	for (size_t i = 0; i < n; i++)
		add_signer(a, cms, &g[i], i > 0 && g[i].by == g[i - 1].by);
	assert_int_equal(CMS_final(cms, in, NULL, flags), 1);
	ossl_der(cms, NULL, der);
	CMS_ContentInfo_free(cms);
	BIO_free(in);
}

static void put_base64(struct buf *b, struct view v)
{
	struct b64_enc enc;

	b64_enc_init(&enc, sink_to_buf(b));
	assert_int_equal(b64_enc_put(&enc, v.p, v.n, NULL), 0);
	assert_int_equal(b64_enc_end(&enc, NULL), 0);
}

/* The entity in b becomes a signed one; n 0: by nobody, opaque. */
static UNUSED void author_sign(const struct authors *a,
    const struct signature_of *g, size_t n, bool opaque, struct buf *b)
{
	struct buf der, out;

	buf_init(&der, BIG);
	buf_init(&out, BIG);
	if (n == 0)
		make_empty(buf_view(b), &der);
	else
		make_object(a, g, n, opaque, buf_view(b), &der);
	if (opaque) {
		buf_puts(&out, "Content-Type: application/pkcs7-mime; "
		    "smime-type=signed-data; name=smime.p7m\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\n");
		put_base64(&out, buf_view(&der));
	} else {
		buf_puts(&out, "Content-Type: multipart/signed; "
		    "protocol=\"application/pkcs7-signature\";\r\n"
		    " micalg=sha-256; boundary=bnd\r\n\r\n--bnd\r\n");
		buf_putv(&out, buf_view(b));
		buf_puts(&out, "\r\n--bnd\r\n"
		    "Content-Type: application/pkcs7-signature\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\n");
		put_base64(&out, buf_view(&der));
		buf_puts(&out, "\r\n--bnd--\r\n");
	}
	buf_clear(b);
	buf_putv(b, buf_view(&out));
	buf_free(&der);
	buf_free(&out);
}

/* The entity in b as a message with these header fields (LF or CRLF, each
 * with its end), opened for bob. */
static UNUSED void author_open(struct world *w, struct view fields,
    const struct buf *b)
{
	struct buf m;

	buf_init(&m, BIG);
	buf_putv(&m, fields);
	buf_puts(&m, "To: bob@example.org\r\nMIME-Version: 1.0\r\n");
	buf_putv(&m, buf_view(b));
	world_open_view(w, "x@else.example", "bob@example.org", buf_view(&m));
	buf_free(&m);
}

static UNUSED void author_expect(const struct world *w, const char *name,
    const char *result, const char *step)
{
	if (w->v.code != 0 || strcmp(w->v.sig_result, result) != 0 ||
	    strcmp(w->v.sig_step, step) != 0)
		fail_msg("%s: %d %s at \"%s\" (%s), wanted %s at \"%s\"",
		    name, w->v.code, w->v.sig_result, w->v.sig_step,
		    w->v.sig_reason, result, step);
	if (w->v.sig_from_match && strcmp(result, "pass") != 0)
		fail_msg("%s: from_match without a pass", name);
}

static UNUSED const char author_text[] =
    "Content-Type: text/plain\r\n\r\nHello\r\n";

#endif
