/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A message made canonical and signed by alice as the gateway does it, read
 * again by us, by libcrypto, and by a search for its delimiters.
 */
#ifndef TESTS_UNIT_SMIME_SIGNED_MAIL_H
#define TESTS_UNIT_SMIME_SIGNED_MAIL_H

#include "smime/canon.h"
#include "smime/scan.h"
#include "smime/shape.h"
#include "smime/sign.h"
#include "smime/verify.h"
#include "smime_help.h"
#include "testca.h"

static struct testca ca;
static struct testca_id alice;
static struct testca_keys keys;

UNUSED static int make_alice(void **state)
{
	(void)state;
	testca_init(&ca);
	testca_issue(&ca, &(struct testca_leaf){ .key = "ec:P-256",
	    .mail = "alice@example.com" }, &alice);
	keys = (struct testca_keys){ { &alice }, 1, 0, 0, 0 };
	return 0;
}

UNUSED static int free_alice(void **state)
{
	(void)state;
	testca_id_free(&alice);
	testca_free(&ca);
	return 0;
}

struct mail {
	struct buf entity; /* canonical */
	struct buf text;   /* the message as it is sent */
	bool is_7bit;
	bool has_signature;
	unsigned flags; /* scan of the entity */
};

UNUSED static void free_mail(struct mail *m)
{
	buf_free(&m->entity);
	buf_free(&m->text);
}

UNUSED static unsigned scan_of(struct view v)
{
	struct scan scan = {0};

	scan_put(&scan, v);
	return scan_end(&scan);
}

/* An entity signed as it is. */
UNUSED static struct spool *sign_spool(const struct spool *entity,
    enum sign_form form)
{
	struct key_ops ops = testca_key_ops(&keys);
	struct signer who = { .cert = alice.cert };
	struct spool *out = spool_empty();
	struct err e;

	if (sign_entity(entity, &who, &ops, form, 1795000000, out, &e) != 0)
		fail_msg("%s", e.msg);
	return out;
}

/* Sign a message; false: refused as ambiguous. */
UNUSED static bool make_mail(struct mail *m, struct view msg)
{
	struct spool *in = spool_with(msg);
	struct spool *entity = spool_empty();
	struct spool *out = NULL;
	struct canon_info info;
	struct err e;
	bool ok;

	buf_init(&m->entity, BIG);
	buf_init(&m->text, BIG);
	ok = canon_entity(in, 0, msg.n, entity, &info, &e) == 0;
	if (ok) {
		m->is_7bit = info.is_7bit;
		m->has_signature = info.has_signature;
		out = sign_spool(entity, info.is_7bit ? SIGN_CLEAR
						      : SIGN_OPAQUE);
		spool_get(entity, &m->entity);
		m->flags = scan_of(buf_view(&m->entity));
		buf_puts(&m->text, "From: alice@example.com\r\n"
		    "To: bob@example.org,\r\n carol@example.com\r\n"
		    "Subject: x\r\nMIME-Version: 1.0\r\n");
		spool_get(out, &m->text);
	} else if (e.kind != FAIL_INPUT) {
		fail_msg("%s", e.msg);
	}
	spool_free(&in);
	spool_free(&entity);
	spool_free(&out);
	return ok;
}

UNUSED static void read_shape(const struct spool *s, struct shape *sh)
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

/* Our reader: NULL if the signature is good, else why not; what was signed
 * goes to content. */
UNUSED static const char *fault_of(struct view msg, struct buf *content)
{
	static char said[300];
	struct verify_policy p = { .min_rsa_bits = CAP_RSA_MIN };
	struct spool *s = spool_with(msg), *inside = spool_empty();
	struct verification *v = NULL;
	struct cms *c = NULL;
	struct sink to = sink_to_buf(content);
	struct crlf lines = {to, false};
	struct shape sh;
	struct err e;

	read_shape(s, &sh);
	if (sh.kind == SHAPE_CLEAR_SIGNED) {
		to = crlf_sink(&lines);
		assert_int_equal(cms_read(&c, s, sh.sig, sh.sig_end,
		    sh.sig_cte, &e), 0);
		assert_int_equal(verify_detached(c, s, sh.part, sh.part_end,
		    &p, &v, &e), 0);
		assert_int_equal(spool_copy(s, sh.part, sh.part_end, &to,
		    &e), 0);
	} else if (sh.kind == SHAPE_PKCS7) {
		assert_int_equal(cms_read(&c, s, sh.body, sh.end, sh.cte,
		    &e), 0);
		assert_int_equal(verify_opaque(c, &p, inside, &v, &e), 0);
		spool_get(inside, content);
	} else {
		fail_msg("not signed: %s", sh.defect);
	}
	assert_int_equal(v->signers, 1);
	memcpy(said, v->signer[0].reason, sizeof(v->signer[0].reason));
	cms_free(&c);
	spool_free(&s);
	spool_free(&inside);
	if (v->signer[0].result == SIG_PASS)
		said[0] = '\0';
	else
		assert_true(said[0] != '\0');
	verification_free(&v);
	return said[0] == '\0' ? NULL : said;
}

/* libcrypto's reader, as "openssl cms -verify" calls it. */
UNUSED static bool is_good_for_libcrypto(struct view msg)
{
	BIO *in = BIO_new_mem_buf(msg.p, (int)msg.n);
	BIO *out = BIO_new(BIO_s_mem());
	BIO *content = NULL;
	CMS_ContentInfo *c = SMIME_read_CMS(in, &content);
	bool ok = c != NULL && CMS_verify(c, NULL, NULL, content, out,
	    CMS_NO_SIGNER_CERT_VERIFY) == 1;

	CMS_ContentInfo_free(c);
	BIO_free(content);
	BIO_free(in);
	BIO_free(out);
	ERR_clear_error();
	return ok;
}

/* Part 1 by its delimiters, by nothing but a search for octets. */
UNUSED static struct view cut_part(struct view msg)
{
	static const char name[] = "boundary=\"";
	const unsigned char *b = memmem(msg.p, msg.n, name,
	    sizeof(name) - 1);
	const unsigned char *end, *from, *to;
	struct buf delim;

	assert_non_null(b);
	b += sizeof(name) - 1;
	end = memchr(b, '"', msg.n - (size_t)(b - msg.p));
	assert_non_null(end);
	assert_true(end - b <= 70);
	assert_true(memmem(b, (size_t)(end - b), "=_", 2) != NULL);
	buf_init(&delim, 256);
	buf_puts(&delim, "\r\n--");
	buf_put(&delim, b, (size_t)(end - b));
	buf_puts(&delim, "\r\n");
	from = memmem(msg.p, msg.n, delim.p, delim.n);
	assert_non_null(from);
	from += delim.n;
	to = memmem(from, msg.n - (size_t)(from - msg.p), delim.p, delim.n);
	assert_non_null(to);
	buf_free(&delim);
	return view_make(from, (size_t)(to - from));
}

/* The messageDigest attribute of the only signer, by libcrypto. */
UNUSED static void get_digest(struct view msg, struct buf *out)
{
	BIO *in = BIO_new_mem_buf(msg.p, (int)msg.n), *content = NULL;
	CMS_ContentInfo *c = SMIME_read_CMS(in, &content);
	CMS_SignerInfo *si;
	ASN1_OCTET_STRING *os;

	assert_non_null(c);
	si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(c), 0);
	os = CMS_signed_get0_data_by_OBJ(si,
	    OBJ_nid2obj(NID_pkcs9_messageDigest), -3, V_ASN1_OCTET_STRING);
	assert_non_null(os);
	buf_put(out, ASN1_STRING_get0_data(os),
	    (size_t)ASN1_STRING_length(os));
	CMS_ContentInfo_free(c);
	BIO_free(content);
	BIO_free(in);
}

#endif
