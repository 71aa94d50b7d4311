/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Forged SignedData as whole messages, clear and opaque, for tests of the
 * pipeline; certificates of people whose CA the world trusts. For inclusion
 * by one test program at a time.
 */
#ifndef TESTS_UNIT_GATEWAY_FORGE_H
#define TESTS_UNIT_GATEWAY_FORGE_H

#include "tests/unit/gateway_world.h"

#include <openssl/x509v3.h>

#include "smime/codec.h"
#include "tests/unit/smime_forge.h"
#include "util/utf8.h"

#define FORGE_TO "bob@example.org"
#define FORGE_FROM "From: Alice <alice@example.com>\r\n"
#define FORGE_TOP                                                           \
	"To: bob@example.org\r\nSubject: Plans\r\nMessage-ID: <1@x>\r\n"    \
	"MIME-Version: 1.0\r\n"
#define FORGE_CLEAR                                                         \
	"Content-Type: multipart/signed; micalg=sha-256;\r\n"               \
	"\tprotocol=\"application/pkcs7-signature\"; boundary=b\r\n"
#define FORGE_SIG                                                           \
	"Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"     \
	"Content-Transfer-Encoding: base64\r\n"

enum form { CLEAR = 1, OPAQUE = 2, BOTH = 3 };

/* The attributes that no signature needs are left out. */
#define FEW .caps = LEFT_OUT, .pref = LEFT_OUT, .protect = LEFT_OUT, \
	.ess = LEFT_OUT, .ess1 = LEFT_OUT

/* The world trusts this certificate as a root. */
UNUSED static void forge_trust(struct world *w, const struct cert *c)
{
	bool added;

	if (keystore_add(w->ks, c, 0, KS_IMPORT, &added, &w->e) != 0 ||
	    keystore_set_anchor(w->ks, cert_sha256(c), true, &w->e) != 0)
		fail_msg("%s", w->e.msg);
}

/* ---- certificates of every kind ---- */

/* A certificate for key, from yesterday on, whose names are these octets. */
UNUSED static X509 *forge_x509(EVP_PKEY *key, struct view cn)
{
	X509 *x = X509_new();
	X509_NAME *n = X509_NAME_new();
	static long serial = 9000;
	int type = utf8_is_valid(cn) ? V_ASN1_UTF8STRING : V_ASN1_T61STRING;

	assert_true(cn.n == 0 || (X509_NAME_add_entry_by_NID(n,
	    NID_organizationName, type, cn.p, (int)cn.n, -1, 0) == 1 &&
	    X509_NAME_add_entry_by_NID(n, NID_commonName, type, cn.p,
	    (int)cn.n, -1, 0) == 1));
	assert_int_equal(X509_set_version(x, 2), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x),
	    ++serial), 1);
	assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x), TESTCA_SINCE));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), 90 * 86400));
	assert_int_equal(X509_set_subject_name(x, n), 1);
	assert_int_equal(X509_set_pubkey(x, key), 1);
	X509_NAME_free(n);
	return x;
}

/* As in openssl.cnf. */
UNUSED static void forge_extend(X509 *x, int nid, const char *value)
{
	CONF *none = NCONF_new(NULL);
	X509_EXTENSION *ext;
	X509V3_CTX c;

	X509V3_set_ctx(&c, x, x, NULL, NULL, 0);
	X509V3_set_nconf(&c, none);
	ext = X509V3_EXT_conf_nid(NULL, &c, nid, value);
	if (ext == NULL)
		fail_msg("extension %s: %.60s", OBJ_nid2sn(nid), value);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
	NCONF_free(none);
}

/* Signed by somebody, or with its own key; takes x and key. */
UNUSED static void forge_issue(X509 *x, const struct testca_id *by,
    EVP_PKEY *key, struct testca_id *out)
{
	unsigned char *der = NULL;
	struct err e;
	int n;

	assert_int_equal(X509_set_issuer_name(x, by == NULL ?
	    X509_get_subject_name(x) :
	    X509_get_subject_name(cert_x509(by->cert))), 1);
	assert_true(X509_sign(x, by == NULL ? key : by->key,
	    EVP_sha256()) > 0);
	n = i2d_X509(x, &der);
	if (cert_parse(&out->cert, view_make(der, (size_t)n), &e) != 0)
		fail_msg("%s", e.msg);
	out->key = key;
	OPENSSL_free(der);
	X509_free(x);
}

/* ---- messages ---- */

UNUSED static void forge_base64(struct buf *b, struct view der)
{
	struct b64_enc enc;

	b64_enc_init(&enc, sink_to_buf(b));
	assert_int_equal(b64_enc_put(&enc, der.p, der.n, NULL), 0);
	assert_int_equal(b64_enc_end(&enc, NULL), 0);
}

/* multipart/signed of part and the detached signature der, under top, which
 * ends with the Content-Type field. */
UNUSED static void forge_clear(struct buf *b, const char *top,
    struct view part, struct view der)
{
	buf_clear(b);
	buf_puts(b, top);
	buf_puts(b, "\r\n--b\r\n");
	buf_putv(b, part);
	buf_puts(b, "\r\n--b\r\n" FORGE_SIG "\r\n");
	forge_base64(b, der);
	buf_puts(b, "\r\n--b--\r\n");
	assert_int_equal(buf_ok(b, NULL), 0);
}

UNUSED static void forge_opaque(struct buf *b, const char *top,
    struct view der)
{
	buf_clear(b);
	buf_puts(b, top);
	buf_puts(b, "Content-Type: application/pkcs7-mime; "
	    "smime-type=signed-data;\r\n\tname=smime.p7m\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n");
	forge_base64(b, der);
	assert_int_equal(buf_ok(b, NULL), 0);
}

/* A message of alice's signed as f[0..n) say; in comes to bob. */
UNUSED static void forge_open_as(struct world *w, const char *from,
    const struct forge *f, size_t n)
{
	struct buf der, b, top;

	buf_init(&der, BIG);
	buf_init(&b, BIG);
	buf_init(&top, BIG);
	make_signed(f, n, &der);
	buf_printf(&top, "%s" FORGE_TOP "%s", from, f->opaque ? "" :
	    FORGE_CLEAR);
	if (f->opaque)
		forge_opaque(&b, buf_str(&top), buf_view(&der));
	else
		forge_clear(&b, buf_str(&top), view_of(content),
		    buf_view(&der));
	world_open_view(w, "alice@example.com", FORGE_TO, buf_view(&b));
	buf_free(&der);
	buf_free(&b);
	buf_free(&top);
}

UNUSED static void forge_open(struct world *w, const struct forge *f,
    size_t n)
{
	forge_open_as(w, FORGE_FROM, f, n);
}

/* Where the message begins in w->out, behind the one field of ours, which
 * must be there and be the only edit at the top. */
UNUSED static struct view forge_below_results(const struct world *w)
{
	struct view all = buf_view(&w->out);
	size_t n = 0;

	assert_true(view_istarts(all, "Authentication-Results: "
	    "mx.example.com;\r\n\tsmime="));
	while (n < all.n && (n < 2 || all.p[n - 1] != '\n' ||
	    all.p[n] == '\t'))
		n++;
	return view_sub(all, n, all.n);
}

/* Nothing but Authentication-Results changed. */
UNUSED static void forge_same(const struct world *w)
{
	struct view below = forge_below_results(w);
	struct sink to;
	struct buf b;

	buf_init(&b, BIG);
	to = sink_to_buf(&b);
	assert_int_equal(spool_copy(w->msg, 0, spool_size(w->msg), &to,
	    NULL), 0);
	assert_null(w->v.body);
	assert_int_equal(w->v.edits, 1);
	assert_int_equal(b.n, below.n);
	assert_memory_equal(b.p, below.p, b.n);
	buf_free(&b);
}

/* The opaque layer is off: the fields that stay outside, those of the
 * content, its body (which begins with a blank line). */
UNUSED static void forge_unwrapped(const struct world *w, const char *body)
{
	struct view below = forge_below_results(w);
	size_t n = strlen(body);

	assert_non_null(w->v.body);
	assert_false(has(w, "pkcs7"));
	assert_int_equal(count_of(w, "Content-"), 1);
	assert_true(has(w, "Subject: Plans\r\n"));
	assert_true(has(w, "Message-ID: <1@x>\r\n"));
	assert_true(has(w, "\r\nContent-Type: text/plain\r\n"));
	assert_true(below.n > n);
	assert_memory_equal(below.p + below.n - n, body, n);
}

/* Does our field say this? These worlds have no revocation lists, which a
 * pass may remark. */
UNUSED static bool forge_says(const struct world *w, const char *result,
    const char *comment)
{
	static const char *const more[] = {"", "revocation not known"};
	struct buf b;
	bool is = false;

	buf_init(&b, 1000);
	for (size_t i = 0; i < ARRAY_LEN(more) && !is; i++) {
		const char *c = comment == NULL ? "" : comment;
		bool any = *c != '\0' || *more[i] != '\0';

		buf_clear(&b);
		buf_printf(&b, "Authentication-Results: mx.example.com;\r\n"
		    "\tsmime=%s%s%s%s%s%s\r\n", result, any ? " (" : "", c,
		    *c != '\0' && *more[i] != '\0' ? "; " : "", more[i],
		    any ? ")" : "");
		is = has(w, buf_str(&b));
	}
	buf_free(&b);
	return is;
}

/* Verdict and field say the same. */
UNUSED static void forge_expect(const struct world *w, const char *name,
    const char *result, const char *step, const char *comment)
{
	if (strcmp(w->v.sig_result, result) != 0 ||
	    strcmp(w->v.sig_step, step) != 0)
		fail_msg("%s: %s at %s (%s), wanted %s at %s", name,
		    w->v.sig_result, w->v.sig_step, w->v.sig_reason, result,
		    step);
	assert_int_equal(w->v.code, 0);
	if (!forge_says(w, result, comment))
		fail_msg("%s: no %s (%s) in\n%.*s", name, result, comment ==
		    NULL ? "" : comment, (int)(w->out.n < 300 ? w->out.n :
		    300), (const char *)w->out.p);
	assert_int_equal(count_of(w, "smime="), 1);
	if (strcmp(result, "pass") != 0) {
		assert_false(has(w, "smime-identifier"));
		assert_string_equal(w->v.sig_chain, "");
		if (w->v.sig_reason[0] == '\0')
			fail_msg("%s: no reason", name);
	}
}

#endif
