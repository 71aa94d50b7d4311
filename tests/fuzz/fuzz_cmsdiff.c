/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: our CMS reader, decryption and verification against those of
 * libcrypto. We may refuse what libcrypto takes, never the other way round,
 * and where both take something, it is the same octets.
 */
#include <openssl/cms.h>
#include <openssl/err.h>

#include "keystore/keystore_int.h"
#include "smime/decrypt.h"
#include "smime/verify_int.h"
#include "tests/fuzz/cms_world.h"
#include "tests/fuzz/der_mutate.h"

/* What is compared: the structure and content octets; the plaintext for
 * each of the three people; a signature of which all signers are good. */
enum level { READ, OPEN, VERIFY, LEVELS };

struct count {
	unsigned long both, neither, theirs, ours, differ;
};

static struct count count[LEVELS];
static unsigned long others; /* content types that we do not read */
static unsigned long unread_attrs;
static unsigned long repaired;
static bool reads_auth_attrs; /* this libcrypto */
static struct buf mine, their, whole;

/* ---- outcome ---- */

static void found(const char *what)
{
	if (fuzz_keep == NULL) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
	fuzz_keep(what);
}

static void compare(enum level l, bool a, bool b, bool is_equal)
{
	static const char *const only[] = { "read by us alone",
		"opened by us alone", "verified by us alone" };
	static const char *const other[] = { "read differently",
		"opened to another plaintext", "another signed content" };
	struct count *c = &count[l];

	if (a && !b) {
		c->ours++;
		found(only[l]);
	} else if (a && !is_equal) {
		c->differ++;
		found(other[l]);
	} else if (a) {
		c->both++;
	} else if (b) {
		c->theirs++;
	} else {
		c->neither++;
	}
}

bool fuzz_report(void)
{
	static const char *const name[] = { "read", "opened", "verified" };
	bool ok = true;

	for (int l = 0; l < LEVELS; l++) {
		const struct count *c = &count[l];

		printf("# %s: by both %lu, by neither %lu, by libcrypto only "
		    "%lu, by us only %lu, differing %lu\n", name[l], c->both,
		    c->neither, c->theirs, c->ours, c->differ);
		ok = ok && c->ours == 0 && c->differ == 0;
	}
	printf("# of other content types %lu, without broken certificates, "
	    "digests and CRLs %lu, authAttrs that this libcrypto does not read "
	    "%lu\n", others, repaired, unread_attrs);
	/* a comparison of nothing would be good as well */
	if (count[READ].both + count[READ].neither > 1000)
		ok = ok && count[READ].both > 0 && count[OPEN].both > 0 &&
		    count[VERIFY].both > 0;
	return ok;
}

/* ---- theirs ---- */

/* From memory, too: reading from a BIO, libcrypto takes an empty [0] for
 * end-of-contents octets. */
static CMS_ContentInfo *their_cms(struct view v)
{
	BIO *b = BIO_new_mem_buf(v.p, (int)v.n);
	CMS_ContentInfo *c = d2i_CMS_bio(b, NULL);
	const unsigned char *p = v.p;

	BIO_free(b);
	if (c == NULL)
		c = d2i_CMS_ContentInfo(NULL, &p, (long)v.n);
	ERR_clear_error();
	return c;
}

static bool is_x509(struct view v)
{
	const unsigned char *p = v.p;
	X509 *x = d2i_X509(NULL, &p, (long)v.n);
	bool ok = x != NULL && p == v.p + v.n;

	X509_free(x);
	ERR_clear_error();
	return ok;
}

/* Anything that is no digest of libcrypto's? */
static bool is_digest(struct view v)
{
	const unsigned char *p = v.p;
	X509_ALGOR *a = d2i_X509_ALGOR(NULL, &p, (long)v.n);
	const ASN1_OBJECT *oid = NULL;

	if (a != NULL)
		X509_ALGOR_get0(&oid, NULL, NULL, a);
	p = oid == NULL || EVP_get_digestbyobj(oid) == NULL ? NULL : v.p;
	X509_ALGOR_free(a);
	ERR_clear_error();
	return p != NULL;
}

/* Child i of what stands at depth 3 with the tag up. */
static bool may_go(const struct der_node *x, unsigned char up, bool is_signed)
{
	if (x->depth == 3)
		return x->tag == (is_signed ? 0xa1 : 0xa0);
	if (x->depth != 4 || !is_signed)
		return false;
	return (up == 0xa0 && !is_x509(x->val)) ||
	    (up == 0x31 && !is_digest(x->val));
}

/*
 * The object without what we do not look into and libcrypto does (RFC 5652
 * 5.1, 6.1): certificates that are none and digests that no signer uses,
 * which are to us as if they were not there, CRLs, originatorInfo.
 * Everything else octet for octet.
 */
static bool repair(struct view v, struct buf *out)
{
	static struct der_tree t;
	bool changed = false, is_signed, goes;
	unsigned char up = 0;

	if (!der_tree_read_flat(&t, v, 4) || t.n < 6)
		return false;
	is_signed = view_eq(t.node[1].val, oid_view(OID_SIGNED_DATA));
	for (size_t i = 4; i < t.n;) {
		const struct der_node *x = &t.node[i];

		/* signerInfos are a SET as well, but the last one */
		if (x->depth == 3)
			up = der_tree_end(&t, i) == t.n ? 0 : x->tag;
		goes = may_go(x, up, is_signed);
		changed = changed || goes;
		if (goes)
			der_tree_remove(&t, i);
		else
			i++;
	}
	buf_clear(out);
	der_tree_write(&t, out);
	return changed && !out->failed;
}

static void take_bio(BIO *b, struct buf *to)
{
	char *p = NULL;
	long n = BIO_get_mem_data(b, &p);

	buf_clear(to);
	if (n > 0)
		buf_put(to, p, (size_t)n);
	MUST(!to->failed);
	BIO_free(b);
}

static bool they_open(struct view v, int who)
{
	CMS_ContentInfo *c = their_cms(v);
	BIO *out = BIO_new(BIO_s_mem());
	bool ok = c != NULL && CMS_decrypt(c, world()->id[who].key,
	    cert_x509(world()->id[who].cert), NULL, out, CMS_BINARY |
	    CMS_DEBUG_DECRYPT) == 1;

	take_bio(out, &their);
	CMS_ContentInfo_free(c);
	ERR_clear_error();
	return ok;
}

/* With the certificates that we took for the signers'. */
static bool they_verify(struct view v, const struct verification *by_us,
    bool detached)
{
	CMS_ContentInfo *c = their_cms(v);
	BIO *in = detached ? BIO_new_mem_buf(world()->text.p, 100) : NULL;
	BIO *out = BIO_new(BIO_s_mem());
	STACK_OF(X509) *certs = sk_X509_new_null();
	bool ok;

	for (size_t i = 0; i < by_us->signers; i++)
		if (by_us->signer[i].cert != NULL)
			MUST(sk_X509_push(certs, cert_x509(
			    by_us->signer[i].cert)) > 0);
	ok = c != NULL && CMS_verify(c, certs, NULL, in, out, CMS_BINARY |
	    CMS_NO_SIGNER_CERT_VERIFY) == 1;
	sk_X509_free(certs);
	BIO_free(in);
	take_bio(out, &their);
	CMS_ContentInfo_free(c);
	ERR_clear_error();
	return ok;
}

/* ---- ours ---- */

static void our_content(const struct cms *c)
{
	struct cms_content *cc = NULL;
	struct view v;
	struct err e;

	buf_clear(&mine);
	if (!cms_has_content(c))
		return;
	MUST(cms_content_open(&cc, c, &e) == 0);
	do {
		MUST(cms_content_next(cc, &v, &e) == 0);
		buf_putv(&mine, v);
	} while (v.n > 0);
	MUST(!mine.failed && mine.n == cms_content_size(c));
	cms_content_free(&cc);
}

/* By the first RecipientInfo that names the certificate, as libcrypto. */
static bool we_open(const struct cms *c, int who)
{
	const struct cert *cert = world()->id[who].cert;
	struct spool *q = fuzz_spool(view_make(NULL, 0));
	const struct cms_rid *rid;
	bool ok = false;
	struct err e;

	for (size_t i = 0; i < cms_rids(c); i++) {
		rid = cms_rid(c, i);
		if (rid->by_ski ? !view_eq(rid->id, cert_ski(cert)) :
		    !ks_ias_match(cert, rid->id))
			continue;
		ok = cms_decrypt(c, rid, cert_sha256(cert), &world()->ops, q,
		    &e) == 0;
		MUST(ok || spool_size(q) == 0);
		break;
	}
	fuzz_get(q, &mine);
	spool_free(&q);
	return ok;
}

static struct cert *find_cert(void *ctx, bool by_ski, struct view id)
{
	(void)ctx;
	for (int i = 0; i < PEOPLE; i++) {
		struct cert *c = world()->id[i].cert;

		if (view_eq(id, by_ski ? cert_ski(c) : cert_ias(c)))
			return cert_ref(c);
	}
	return NULL;
}

static bool we_verify(const struct cms *c, struct verification **v)
{
	static const struct verify_policy p = { .now = 1800000000,
		.min_rsa_bits = CAP_RSA_MIN, .find = find_cert };
	struct spool *s = fuzz_spool(view_sub(world()->text, 0, 100));
	struct spool *q = fuzz_spool(view_make(NULL, 0));
	bool ok;
	struct err e;

	if (cms_has_content(c))
		MUST(verify_opaque(c, &p, q, v, &e) == 0);
	else
		MUST(verify_detached(c, s, 0, spool_size(s), &p, v, &e) ==
		    0);
	ok = (*v)->signers > 0;
	for (size_t i = 0; i < (*v)->signers; i++)
		ok = ok && (*v)->signer[i].result == SIG_PASS;
	fuzz_get(cms_has_content(c) ? q : s, &mine);
	spool_free(&s);
	spool_free(&q);
	return ok;
}

/* Signed attributes are read when a signature is judged, libcrypto reads
 * them at once: may they be read? */
static bool are_signers_readable(const struct cms *c)
{
	struct signer_finding f = { .result = SIG_PASS };
	struct attrs a;
	bool ok = true;

	for (size_t i = 0; ok && i < c->signers; i++) {
		ok = attrs_read(&a, &c->signer[i], &f) == 0;
		buf_free(&a.set);
	}
	return ok;
}

/* ---- side by side ---- */

static bool is_same_content(const struct cms *c, CMS_ContentInfo *t)
{
	static const int nid[] = { [CMS_SIGNED] = NID_pkcs7_signed,
		[CMS_ENVELOPED] = NID_pkcs7_enveloped,
		[CMS_AUTH_ENVELOPED] = NID_id_smime_ct_authEnvelopedData,
		[CMS_COMPRESSED] = NID_id_smime_ct_compressedData };
	ASN1_OCTET_STRING **s = CMS_get0_content(t);
	bool same = OBJ_obj2nid(CMS_get0_type(t)) == nid[cms_type(c)];

	ERR_clear_error();
	if (!same || s == NULL)
		return false;
	if (*s == NULL)
		return !cms_has_content(c);
	/* An empty encryptedContent and an absent one are the same to it. */
	our_content(c);
	return view_eq(buf_view(&mine), view_make(ASN1_STRING_get0_data(*s),
	    (size_t)ASN1_STRING_length(*s)));
}

static void compare_open(const struct cms *c, struct view v)
{
	/* OpenSSL before 3.0.22 and 3.5.8 refuses them */
	bool odd = c != NULL && c->auth_attrs.n > 0 && !reads_auth_attrs;

	for (int i = 0; i < PEOPLE; i++) {
		bool a = c != NULL && we_open(c, i);
		bool b = they_open(v, i);

		if (a && !b && odd) {
			unread_attrs++;
			continue;
		}
		compare(OPEN, a, b, view_eq(buf_view(&mine),
		    buf_view(&their)));
	}
}

static void compare_verify(const struct cms *c, struct view v)
{
	struct verification *by_us = NULL;
	bool a = we_verify(c, &by_us);
	bool b = they_verify(v, by_us, !cms_has_content(c));

	if (a && !b && v.p != whole.p && repair(v, &whole)) {
		b = they_verify(buf_view(&whole), by_us,
		    !cms_has_content(c));
		repaired++;
	}
	compare(VERIFY, a, b, view_eq(buf_view(&mine), buf_view(&their)));
	verification_free(&by_us);
}

/* ---- the target ---- */

bool fuzz_seed(size_t i, struct buf *out)
{
	return world_seed(i, out);
}

const char *fuzz_testdata(void)
{
	return "fuzz-cms";
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t room,
    unsigned seed)
{
	return world_mutate(data, n, room, seed);
}

static void start(void)
{
	struct buf b;

	if (mine.max > 0)
		return;
	buf_init(&mine, FUZZ_SPOOL);
	buf_init(&their, FUZZ_SPOOL);
	buf_init(&whole, FUZZ_SPOOL);
	buf_init(&b, FUZZ_INPUT);
	MUST(world_seed(5, &b)); /* one with authAttrs */
	reads_auth_attrs = they_open(buf_view(&b), ALICE);
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct view v = view_make(data, n);
	CMS_ContentInfo *t;
	struct cms *c = NULL;
	struct spool *s;
	struct err e;
	bool a, b, odd;

	start();
	world_rewind();
	s = fuzz_spool(v);
	a = cms_read(&c, s, 0, n, CTE_BINARY, &e) == 0;
	if (a && cms_type(c) == CMS_OTHER) {
		others++;
		goto out;
	}
	t = their_cms(v);
	if (a && t == NULL && repair(v, &whole)) {
		v = buf_view(&whole);
		t = their_cms(v);
		repaired++;
	}
	b = t != NULL;
	a = a && (b || are_signers_readable(c));
	odd = a && !b && c->auth_attrs.n > 0 && !reads_auth_attrs;
	if (!odd)
		compare(READ, a, b, a && b && is_same_content(c, t));
	CMS_ContentInfo_free(t);
	ERR_clear_error();
	if (c != NULL && cms_type(c) == CMS_SIGNED)
		compare_verify(c, v);
	else if (a || b)
		compare_open(c, v);
out:
	cms_free(&c);
	spool_free(&s);
	return 0;
}
