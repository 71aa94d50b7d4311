/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates and keys on their way out: PEM, certificates alone as CMS or
 * LDIF, and PKCS#12 (RFC 7292).
 */
#include "keystore/export.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/cms.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "keystore/keystore_int.h"
#include "util/ossl.h"

#define LDIF_LINE 75

/* PBES2 of RFC 8018 with AES; and what programs read that know of none. */
struct p12_form {
	int pbe;
	int iterations;
	const EVP_MD *(*mac)(void);
};
static const struct p12_form p12_today = { NID_aes_256_cbc, 100000,
	EVP_sha256 };
static const struct p12_form p12_old = { NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
	10000, EVP_sha1 };

/* The chain as it was or will be valid: a certificate that has expired
 * still had one. */
static int find_chain(struct keystore *ks, const struct cert *c, struct path
    *path, struct cert **anchor, struct err *e)
{
	int64_t at = (int64_t)time(NULL);

	if (at > cert_not_after(c))
		at = cert_not_after(c);
	if (at < cert_not_before(c))
		at = cert_not_before(c);
	return ks_path_anchor(ks, c, at, path, anchor, e);
}

static int put_pem(const struct cert *c, struct buf *out, struct err *e)
{
	BIO *bio;
	char *text;
	long n;
	int rc = -1;

	ossl_clear();
	bio = BIO_new(BIO_s_mem());
	if (bio != NULL && PEM_write_bio_X509(bio, cert_x509(c)) == 1 &&
	    (n = BIO_get_mem_data(bio, &text)) > 0) {
		buf_put(out, text, (size_t)n);
		rc = buf_ok(out, e);
	} else
		(void)err_ossl(e, FAIL_TEMP, "PEM");
	BIO_free(bio);
	return rc;
}

int export_pem(struct keystore *ks, const struct cert *c, bool with_chain,
    struct buf *out, struct err *e)
{
	struct path path = { 0 };
	struct cert *anchor = NULL;
	size_t i;
	int rc;

	rc = put_pem(c, out, e);
	if (rc == 0 && with_chain && ks != NULL)
		rc = find_chain(ks, c, &path, &anchor, e);
	for (i = 0; rc == 0 && i < path.chain_n; i++)
		rc = put_pem(path.chain[i], out, e);
	if (rc == 0 && anchor != NULL &&
	    memcmp(cert_sha256(anchor), cert_sha256(c), 32) != 0)
		rc = put_pem(anchor, out, e);
	path_free(&path);
	cert_free(&anchor);
	return rc;
}

static int load_key(struct keystore *ks, struct view secret, const struct cert
    *c, EVP_PKEY **key, struct err *e)
{
	struct buf sealed, pkcs8;
	int rc;

	buf_init(&sealed, 1u << 20);
	buf_init_secret(&pkcs8, 1u << 20);
	rc = keystore_get_key(ks, cert_spki_sha256(c), &sealed, e);
	if (rc == 0)
		rc = keyring_unseal_key(buf_view(&sealed), secret, &pkcs8, e);
	if (rc == 0)
		rc = key_from_pkcs8(key, buf_view(&pkcs8), e);
	buf_free(&sealed);
	buf_free(&pkcs8);
	return rc;
}

/* Intermediates and the root: who imports the file wants to trust it. */
static STACK_OF(X509) *
make_chain(const struct path *path, const struct cert *anchor)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	size_t i;

	if (chain == NULL)
		return NULL;
	for (i = 0; i < path->chain_n; i++)
		if (sk_X509_push(chain, cert_x509(path->chain[i])) <= 0)
			goto fail;
	if (anchor != NULL && sk_X509_push(chain, cert_x509(anchor)) <= 0)
		goto fail;
	return chain;
fail:
	sk_X509_free(chain);
	return NULL;
}

static int put_p12(PKCS12 *p12, struct buf *out, struct err *e)
{
	unsigned char *der = NULL;
	int n = i2d_PKCS12(p12, &der);

	if (n <= 0)
		return err_ossl(e, FAIL_TEMP, "PKCS#12");
	buf_put(out, der, (size_t)n);
	OPENSSL_clear_free(der, (size_t)n);
	return buf_ok(out, e);
}

struct p12_content {
	const struct cert *cert; /* borrowed, as the next */
	const char *password;
	const struct p12_form *form;
	EVP_PKEY *key;
	STACK_OF(X509) *chain;
};

static int make_p12(const struct p12_content *x, struct buf *out, struct err
    *e)
{
	const struct cert *c = x->cert;
	const char *name = cert_addresses(c) > 0 ? cert_address(c, 0)->text :
	    NULL;
	PKCS12 *p12;
	int rc = -1;

	ossl_clear();
	p12 = PKCS12_create(x->password, name, x->key, cert_x509(c), x->chain,
	    x->form->pbe, x->form->pbe, x->form->iterations, -1, 0);
	if (p12 == NULL || PKCS12_set_mac(p12, x->password, -1, NULL, 0,
	    x->form->iterations, x->form->mac()) != 1)
		(void)err_ossl(e, FAIL_TEMP, "PKCS#12");
	else
		rc = put_p12(p12, out, e);
	PKCS12_free(p12);
	return rc;
}

static int export_form(struct keystore *ks, struct view secret, struct
    p12_content *x, struct buf *out_secret, struct err *e)
{
	struct path path = { 0 };
	struct cert *anchor = NULL;
	int rc = -1;

	if (x->password == NULL || x->password[0] == '\0')
		return err_set(e, FAIL_INPUT,
		    "PKCS#12: an empty password protects nothing");
	if (load_key(ks, secret, x->cert, &x->key, e) != 0 ||
	    find_chain(ks, x->cert, &path, &anchor, e) != 0)
		goto out;
	x->chain = make_chain(&path, anchor);
	if (x->chain == NULL) {
		(void)err_set(e, FAIL_TEMP, "PKCS#12: out of memory");
		goto out;
	}
	rc = make_p12(x, out_secret, e);
out:
	sk_X509_free(x->chain);
	EVP_PKEY_free(x->key);
	path_free(&path);
	cert_free(&anchor);
	return rc;
}

int export_p12(struct keystore *ks, struct view secret, const struct cert *c,
    const char *password, struct buf *out_secret, struct err *e)
{
	struct p12_content x = { c, password, &p12_today, NULL, NULL };

	return export_form(ks, secret, &x, out_secret, e);
}

int export_p12_old(struct keystore *ks, struct view secret, const struct cert
    *c, const char *password, struct buf *out_secret, struct err *e)
{
	struct p12_content x = { c, password, &p12_old, NULL, NULL };

	return export_form(ks, secret, &x, out_secret, e);
}

/* ---- many certificates ---- */

static int collect(struct export_set *s, const struct cert *c, struct err *e)
{
	size_t size = s->size == 0 ? 64 : 2 * s->size, i;
	struct cert **bigger;

	for (i = 0; i < s->n; i++)
		if (memcmp(cert_sha256(s->v[i]), cert_sha256(c), 32) == 0)
			return 0;
	if (s->n == s->size) {
		bigger = realloc(s->v, size * sizeof(struct cert *));
		if (bigger == NULL)
			return err_set(e, FAIL_TEMP, "out of memory");
		s->v = bigger;
		s->size = size;
	}
	s->v[s->n++] = cert_keep(c);
	return 0;
}

int export_collect(struct keystore *ks, const struct cert *c, bool chain,
    struct export_set *s, struct err *e)
{
	struct path path = { 0 };
	struct cert *anchor = NULL;
	size_t i;
	int rc;

	rc = collect(s, c, e);
	if (rc == 0 && chain)
		rc = find_chain(ks, c, &path, &anchor, e);
	for (i = 0; rc == 0 && i < path.chain_n; i++)
		rc = collect(s, path.chain[i], e);
	if (rc == 0 && anchor != NULL)
		rc = collect(s, anchor, e);
	path_free(&path);
	cert_free(&anchor);
	return rc;
}

void export_set_free(struct export_set *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		cert_free(&s->v[i]);
	free(s->v);
	memset(s, 0, sizeof(*s));
}

static int put_cms(CMS_ContentInfo *cms, struct buf *out, struct err *e)
{
	unsigned char *der = NULL;
	int n = i2d_CMS_ContentInfo(cms, &der);

	if (n <= 0)
		return err_ossl(e, FAIL_TEMP, "PKCS#7");
	buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_ok(out, e);
}

int export_p7b(struct cert *const *c, size_t n, struct buf *out, struct err
    *e)
{
	STACK_OF(X509) *list = sk_X509_new_null();
	CMS_ContentInfo *cms = NULL;
	size_t i;
	int rc = -1;

	ossl_clear();
	for (i = 0; list != NULL && i < n; i++)
		if (sk_X509_push(list, cert_x509(c[i])) <= 0)
			goto out;
	/* SignedData of no signer and no content (RFC 5652 5.1). */
	if (list != NULL)
		cms = CMS_sign(NULL, NULL, list, NULL, CMS_PARTIAL |
		    CMS_DETACHED);
	if (cms != NULL)
		rc = put_cms(cms, out, e);
out:
	if (rc != 0 && cms == NULL)
		(void)err_ossl(e, FAIL_TEMP, "PKCS#7");
	CMS_ContentInfo_free(cms);
	sk_X509_free(list);
	return rc;
}

/* RFC 4514 2.4. */
static void put_escaped(struct buf *out, const char *value)
{
	for (; *value != '\0'; value++) {
		if (strchr(",+\"\\<>;=#", *value) != NULL)
			buf_putc(out, '\\');
		buf_putc(out, *value);
	}
}

/* A line of LDIF in base64, folded (RFC 2849 note 2), because what is in it
 * may begin with a blank or hold any octet. */
static int put_ldif(struct buf *out, const char *name, struct view v, struct
    err *e)
{
	size_t n = 4 * ((v.n + 2) / 3), i;
	char *text;
	int len;

	if (ossl_len(v.n, &len, e) != 0)
		return -1;
	text = OPENSSL_malloc(n + 1);
	if (text == NULL)
		return err_set(e, FAIL_TEMP, "LDIF: out of memory");
	(void)EVP_EncodeBlock((unsigned char *)text, v.p, len);
	buf_printf(out, "%s::", name);
	for (i = 0; i < n; i += LDIF_LINE) {
		buf_puts(out, i == 0 ? " " : "\n ");
		buf_put(out, text + i, n - i < LDIF_LINE ? n - i : LDIF_LINE);
	}
	buf_putc(out, '\n');
	OPENSSL_free(text);
	return buf_ok(out, e);
}

int export_ldif(const struct cert *c, struct buf *out, struct err *e)
{
	const char *mail = cert_addresses(c) > 0 ? cert_address(c, 0)->text :
	    "";
	struct buf dn;
	int rc;

	buf_init(&dn, 4096);
	buf_puts(&dn, "mail=");
	put_escaped(&dn, mail);
	rc = put_ldif(out, "dn", buf_view(&dn), e);
	buf_free(&dn);
	if (rc != 0)
		return -1;
	/* Of a class that asks for a name, which a certificate need not
	 * have: the address stands for it. */
	buf_puts(out, "objectClass: inetOrgPerson\n");
	if (put_ldif(out, "cn", view_of(mail), e) != 0 ||
	    put_ldif(out, "sn", view_of(mail), e) != 0 ||
	    put_ldif(out, "mail", view_of(mail), e) != 0 ||
	    put_ldif(out, "userCertificate;binary", cert_der(c), e) != 0)
		return -1;
	buf_putc(out, '\n');
	return buf_ok(out, e);
}
