/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Requests (PKCS#10, RFC 2986): what others want to have certified. Only the
 * key is taken, after its owner proved to have it; whom it is for is the
 * administrator's word, and extensions that were asked for are passed over.
 */
#include "keystore/ca_int.h"

#include <string.h>

#include <openssl/pem.h>

#include "util/ossl.h"

#define CSR_MAX 65536

static int malformed(struct err *e)
{
	ossl_clear();
	return err_set(e, FAIL_INPUT, "request: not PKCS#10 in PEM or DER "
	    "(RFC 2986 4.2)");
}

static X509_REQ *read_pem(struct view csr)
{
	BIO *bio = BIO_new_mem_buf(csr.p, (int)csr.n);
	X509_REQ *req = NULL;

	if (bio != NULL)
		req = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
	BIO_free(bio);
	return req;
}

static X509_REQ *read_der(struct view csr)
{
	const unsigned char *p = csr.p;
	X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)csr.n);

	if (req != NULL && p != csr.p + csr.n) {
		X509_REQ_free(req);
		return NULL;
	}
	return req;
}

/* ---- addresses ---- */

struct asked {
	const struct addr *want;
	size_t n;     /* addresses in it */
	bool is_same; /* one of them is want */
	char other[ERR_QUOTED];
};

static void take_address(struct asked *a, const ASN1_STRING *s)
{
	struct view raw = view_make(ASN1_STRING_get0_data(s),
	    (size_t)ASN1_STRING_length(s));
	struct addr found;

	a->n++;
	if (addr_parse(&found, raw, NULL) == 0 &&
	    addr_eq(&found, a->want, ADDR_FOLD_LOCAL))
		a->is_same = true;
	else
		(void)err_quote(a->other, sizeof(a->other), raw.p, raw.n);
}

static void take_subject(struct asked *a, X509_REQ *req, int nid)
{
	X509_NAME *name = X509_REQ_get_subject_name(req);
	const ASN1_STRING *s;
	int i = -1;

	while ((i = X509_NAME_get_index_by_NID(name, nid, i)) >= 0) {
		s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i));
		if (nid != NID_commonName || memchr(ASN1_STRING_get0_data(s),
		    '@', (size_t)ASN1_STRING_length(s)) != NULL)
			take_address(a, s);
	}
}

static void take_name(struct asked *a, const GENERAL_NAME *gn)
{
	const OTHERNAME *o = gn->type == GEN_OTHERNAME ? gn->d.otherName :
	    NULL;

	if (gn->type == GEN_EMAIL)
		take_address(a, gn->d.rfc822Name);
	else if (o != NULL && OBJ_obj2nid(o->type_id) ==
	    NID_id_on_SmtpUTF8Mailbox &&
	    o->value->type == V_ASN1_UTF8STRING)
		take_address(a, o->value->value.utf8string);
}

static void take_san(struct asked *a, X509_REQ *req)
{
	STACK_OF(X509_EXTENSION) *exts = X509_REQ_get_extensions(req);
	GENERAL_NAMES *names = X509V3_get_d2i(exts, NID_subject_alt_name,
	    NULL, NULL);
	int i;

	for (i = 0; i < sk_GENERAL_NAME_num(names); i++)
		take_name(a, sk_GENERAL_NAME_value(names, i));
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	ossl_clear();
}

/* Who asks for one address gets none for another by mistake. */
static int check_address(X509_REQ *req, const struct addr *want,
    struct err *e)
{
	struct asked a = { .want = want };

	if (want->text[0] == '\0')
		return 0;
	take_san(&a, req);
	take_subject(&a, req, NID_pkcs9_emailAddress);
	take_subject(&a, req, NID_commonName);
	if (a.n == 0 || a.is_same)
		return 0;
	return err_set(e, FAIL_INPUT, "request: is for %s, not for %s",
	    a.other, want->text);
}

int ca_csr_key(struct view csr, const struct addr *want, EVP_PKEY **key,
    struct err *e)
{
	X509_REQ *req;
	EVP_PKEY *pub;
	int rc = -1;

	*key = NULL;
	if (csr.n > CSR_MAX)
		return err_set(e, FAIL_LIMIT, "request: %zu octets, at most "
		    "%d are taken", csr.n, CSR_MAX);
	ossl_clear();
	req = csr.p[0] == 0x30 ? read_der(csr) : read_pem(csr);
	pub = req != NULL ? X509_REQ_get0_pubkey(req) : NULL;
	if (pub == NULL)
		(void)malformed(e);
	else if (X509_REQ_verify(req, pub) != 1)
		(void)err_set(e, FAIL_INPUT, "request: its signature does not "
		    "verify, so nobody proved to have the key (RFC 2986 4.2)");
	else
		rc = check_address(req, want, e);
	if (rc == 0 && EVP_PKEY_up_ref(pub) == 1)
		*key = pub;
	else if (rc == 0)
		rc = err_set(e, FAIL_TEMP, "request: key");
	X509_REQ_free(req);
	ossl_clear();
	return rc;
}
