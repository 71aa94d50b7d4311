/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates of the small CA: for mail by RFC 8550, for TLS by RFC 6125.
 * Nothing is issued that libcrypto, asked to be strict, would refuse.
 */
#include "keystore/ca_int.h"

#include <string.h>
#include <time.h>

#include <openssl/pem.h>

#include "keystore/request.h"
#include "util/ossl.h"

#define MAIL_DAYS 730 /* below the 825 of CA/B's S/MIME requirements */
#define TLS_DAYS 397  /* what clients accept */

static const char *const kind_name[] = {
	[CA_MAIL] = "mail",
	[CA_TLS_SERVER] = "TLS server",
	[CA_TLS_CLIENT] = "TLS client",
	[CA_AUTHORITY] = "CA",
};

const char *ca_kind_str(enum ca_kind k)
{
	return (size_t)k < ARRAY_LEN(kind_name) ? kind_name[k] : "?";
}

void ca_leaf_free(struct ca_leaf *l)
{
	EVP_PKEY_free(l->key);
	sk_GENERAL_NAME_pop_free(l->names, GENERAL_NAME_free);
	memset(l, 0, sizeof(*l));
}

/* ---- extensions ---- */

static const char *key_usage(const struct ca_leaf *l)
{
	bool is_ec = EVP_PKEY_is_a(l->key, "EC") == 1;

	if (l->kind == CA_MAIL)
		return make_key_usage(l->use, is_ec);
	return l->kind == CA_TLS_CLIENT || is_ec ?
	    "critical,digitalSignature" :
	    "critical,digitalSignature,keyEncipherment";
}

static const char *extended_key_usage(enum ca_kind kind)
{
	return kind == CA_MAIL ? "emailProtection" :
	    kind == CA_TLS_SERVER ? "serverAuth" : "clientAuth";
}

static int add_extensions(const struct ca *ca, const struct ca_leaf *l,
    X509 *x)
{
	X509 *up = cert_x509(ca->cert);

	if (ca_add_ext(x, up, NID_basic_constraints, "critical,CA:FALSE")
	    != 1 ||
	    ca_add_ext(x, up, NID_key_usage, key_usage(l)) != 1 ||
	    ca_add_ext(x, up, NID_ext_key_usage,
	    extended_key_usage(l->kind)) != 1 ||
	    ca_add_ext(x, up, NID_subject_key_identifier, "hash") != 1 ||
	    ca_add_ext(x, up, NID_authority_key_identifier, "keyid:always")
	    != 1 ||
	    X509_add1_ext_i2d(x, NID_subject_alt_name, l->names, 0,
	    X509V3_ADD_DEFAULT) != 1)
		return 0;
	return ca->crl_url.n == 0 || ca_add_crl_url(x, buf_str(&ca->crl_url))
	    == 1;
}

/* ---- would it verify ---- */

static int init_context(const struct ca *ca, X509_STORE_CTX *ctx,
    X509_STORE *store, STACK_OF(X509) *chain, const struct cert *c)
{
	X509_VERIFY_PARAM *param;

	if (X509_STORE_add_cert(store, cert_x509(ca->root)) != 1 ||
	    sk_X509_push(chain, cert_x509(ca->cert)) <= 0 ||
	    X509_STORE_CTX_init(ctx, store, cert_x509(c), chain) != 1)
		return -1;
	param = X509_STORE_CTX_get0_param(ctx);
	/* Tests issue what has expired. */
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT |
	    X509_V_FLAG_NO_CHECK_TIME);
	X509_VERIFY_PARAM_set_auth_level(param, 2);
	return 0;
}

static int refuse(const struct ca *ca, const struct cert *c, int code,
    struct err *e)
{
	char names[200];

	if (code == X509_V_ERR_PERMITTED_VIOLATION ||
	    code == X509_V_ERR_EXCLUDED_VIOLATION) {
		ca_permitted(ca->cert, names, sizeof(names));
		return err_set(e, FAIL_POLICY, "outside of the names that %s "
		    "may certify, so nobody would accept it (RFC 5280 "
		    "4.2.1.10); permitted is %s", cert_subject(ca->cert),
		    names);
	}
	return err_set(e, FAIL_POLICY, "%s would not verify: %s",
	    cert_subject(c), X509_verify_cert_error_string(code));
}

int ca_verify(const struct ca *ca, const struct cert *c, struct err *e)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *chain = sk_X509_new_null();
	int rc = -1;

	ossl_clear();
	if (store == NULL || ctx == NULL || chain == NULL ||
	    init_context(ca, ctx, store, chain, c) != 0)
		(void)err_ossl(e, FAIL_TEMP, "path of %s", cert_subject(c));
	else if (X509_verify_cert(ctx) != 1)
		(void)refuse(ca, c, X509_STORE_CTX_get_error(ctx), e);
	else
		rc = 0;
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	sk_X509_free(chain);
	ossl_clear();
	return rc;
}

/* Another certificate of this key, for the other of mail and TLS? */
static int find_other_use(void *arg, const struct ks_row *r, struct err *e)
{
	const struct cert *c = arg;

	bool other = cert_eku_mail(c) ? ks_is_for_tls(r->cert) :
	    cert_eku_mail(r->cert);

	if (cert_is_ca(r->cert) || !other)
		return 0;
	return err_set(e, FAIL_POLICY, "this key stands in a certificate for "
	    "%s already; one key must not serve mail and TLS",
	    cert_eku_mail(c) ? "TLS" : "mail");
}

/* A62: what a TLS server can be made to do with its key must not touch
 * mail. Also of keys that are not here. */
static int check_shared(struct ca *ca, struct cert *c, struct err *e)
{
	return ks_list_spki(ca->ks, cert_spki_sha256(c), find_other_use, c,
	    e);
}

/* ---- making ---- */

static int build(const struct ca *ca, const struct ca_leaf *l,
    struct cert **out, struct err *e)
{
	int64_t until = l->until;
	X509 *x = NULL;
	int rc = -1;

	/* A certificate that outlives its CA would only confuse. */
	if (until > cert_not_after(ca->cert))
		until = cert_not_after(ca->cert);
	if (until <= l->from)
		return err_set(e, FAIL_INPUT, "the CA ends before that");
	if (ca_begin(&x, l->key, l->from, until, e) != 0)
		return -1;
	if (make_common_name(X509_get_subject_name(x), l->cn) != 1 ||
	    X509_set_issuer_name(x,
	    X509_get_subject_name(cert_x509(ca->cert))) != 1 ||
	    add_extensions(ca, l, x) != 1)
		(void)err_ossl(e, FAIL_TEMP, "certificate");
	else
		rc = ca_finish(x, ca->key, out, e);
	X509_free(x);
	return rc;
}

static int check(struct ca *ca, struct cert *c, struct err *e)
{
	if (cert_key_check(c, e) != 0 || ca_verify(ca, c, e) != 0)
		return -1;
	return check_shared(ca, c, e);
}

static int put_key(EVP_PKEY *key, struct buf *out, struct err *e)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text;
	long n = 0;

	if (bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL,
	    0, NULL, NULL) == 1)
		n = BIO_get_mem_data(bio, &text);
	if (n > 0)
		buf_put(out, text, (size_t)n);
	BIO_free(bio);
	return n > 0 ? buf_ok(out, e) :
	    err_ossl(e, FAIL_TEMP, "private key: PEM");
}

static int store(struct ca *ca, const struct ca_leaf *l,
    const struct cert *c, struct err *e)
{
	unsigned use = l->kind == CA_MAIL ? l->use : 0;
	struct request_answer answer;
	bool added;

	if ((use & KS_ENCRYPT) != 0)
		use |= KS_STORAGE;
	/* The request may be one of postseal key generate. */
	if (request_match(ca->ks, c, &answer, e) != 0)
		return -1;
	if (answer.found == REQUEST_OTHER)
		return err_set(e, FAIL_POLICY, "the key of this request is "
		    "here and waits for a certificate of %s",
		    answer.email.text);
	if (keystore_add(ca->ks, c, use, KS_CA, &added, e) != 0 ||
	    ca_issued_add(ca->ks, c, l->kind, e) != 0)
		return -1;
	if (!l->own_key)
		return 0;
	return l->kind == CA_MAIL ? key_store(ca->ks, ca->secret, l->key, c,
	    e) : put_key(l->key, l->key_out, e);
}

int ca_leaf_make(struct ca *ca, const struct ca_leaf *l, const char *action,
    struct cert **out, struct err *e)
{
	struct cert *c = NULL;
	struct buf detail;
	int rc;

	if (build(ca, l, &c, e) != 0)
		return -1;
	buf_init(&detail, 4096);
	buf_printf(&detail, "%s: %s", ca_kind_str(l->kind),
	    cert_addresses(c) > 0 ? cert_address(c, 0)->text : l->cn);
	rc = check(ca, c, e);
	if (rc != 0)
		(void)err_add(e, "%s", cert_addresses(c) > 0 ?
		    cert_address(c, 0)->text : l->cn);
	if (rc == 0)
		rc = store(ca, l, c, e);
	if (rc == 0)
		rc = ks_note(ca->ks, action, cert_sha256_hex(c),
		    buf_str(&detail), e);
	buf_free(&detail);
	if (rc != 0) {
		cert_free(&c);
		return -1;
	}
	*out = c;
	return 0;
}

/* ---- requests ---- */

static int days_of(const struct ca_request *rq)
{
	return rq->days != 0 ? rq->days :
	    rq->kind == CA_MAIL ? MAIL_DAYS : TLS_DAYS;
}

static int check_request(const struct ca_request *rq, struct err *e)
{
	if (rq->days < 0 || rq->days > CA_DAYS)
		return err_set(e, FAIL_INPUT, "days: %d, want 1 to %d",
		    rq->days, CA_DAYS);
	if (rq->kind == CA_AUTHORITY)
		return err_set(e, FAIL_BUG, "CA: kind of certificate");
	if (rq->kind != CA_MAIL) {
		if (rq->tls_n == 0 && rq->email.text[0] == '\0')
			return err_set(e, FAIL_INPUT, "no name");
		if (rq->tls_n > CA_NAMES)
			return err_set(e, FAIL_LIMIT, "%zu names, at most %d "
			    "are taken", rq->tls_n, CA_NAMES);
		return rq->csr.n > 0 || rq->key_out != NULL ? 0 :
		    err_set(e, FAIL_BUG, "CA: nowhere to put the key");
	}
	if ((rq->use & (KS_SIGN | KS_ENCRYPT)) == 0)
		return err_set(e, FAIL_INPUT, "use: want sign or encrypt");
	if (rq->email.text[0] == '\0')
		return err_set(e, FAIL_INPUT, "no address");
	return 0;
}

static int fill_names(struct ca_leaf *l, const struct ca_request *rq,
    struct err *e)
{
	size_t i;
	int rc = 0;

	ossl_clear();
	l->names = rq->email.text[0] != '\0' ? make_san(&rq->email) :
	    sk_GENERAL_NAME_new_null();
	if (l->names == NULL)
		return err_ossl(e, FAIL_TEMP, "names");
	for (i = 0; rc == 0 && i < rq->tls_n; i++)
		rc = ca_name_tls(l->names, rq->tls[i], e);
	return rc;
}

static int fill_cn(struct ca_leaf *l, const struct ca_request *rq,
    struct err *e)
{
	const char *first = rq->email.text[0] != '\0' ? rq->email.text :
	    rq->tls[0];

	l->cn = rq->name;
	if (rq->name != NULL && rq->name[0] == '\0')
		return err_set(e, FAIL_INPUT, "an empty name");
	if (rq->name != NULL)
		return request_check_name(view_of(rq->name), e);
	l->cn = strlen(first) <= REQUEST_NAME ? first : "mailbox";
	if (!ca_is_ip(first))
		return 0;
	/* Alone it would be held for a host name, and constrained as one. */
	text_set(l->host, sizeof(l->host), "host ");
	text_set(l->host + 5, sizeof(l->host) - 5, first);
	l->cn = l->host;
	return 0;
}

static int fill_leaf(struct ca_leaf *l, const struct ca_request *rq,
    struct err *e)
{
	l->kind = rq->kind;
	l->use = rq->use & (KS_SIGN | KS_ENCRYPT);
	l->key_out = rq->key_out;
	l->from = rq->not_before != 0 ? rq->not_before : (int64_t)time(NULL);
	l->until = l->from + (int64_t)days_of(rq) * CA_DAY_S;
	if (fill_cn(l, rq, e) != 0 || fill_names(l, rq, e) != 0)
		return -1;
	if (rq->csr.n > 0)
		return ca_csr_key(rq->csr, &rq->email, &l->key, e);
	l->own_key = true;
	return make_key(&l->key, rq->algorithm, e);
}

int ca_certify(struct ca *ca, const struct ca_request *rq, struct cert **out,
    struct err *e)
{
	struct ca_leaf l = { 0 };
	bool began;
	int rc;

	*out = NULL;
	if (check_request(rq, e) != 0)
		return -1;
	rc = fill_leaf(&l, rq, e);
	if (rc == 0)
		rc = ks_change(ca->ks, &began, true, e);
	if (rc == 0) {
		rc = ca_leaf_make(ca, &l, "issue certificate", out, e);
		rc = ks_end(ca->ks, began, rc, e);
		if (rc != 0)
			cert_free(out);
	}
	ca_leaf_free(&l);
	return rc;
}

int ca_issue(struct keystore *ks, struct view secret,
    const struct ca_request *rq, struct cert **out, struct err *e)
{
	struct ca *ca;
	int rc;

	*out = NULL;
	if (ca_open(&ca, ks, secret, NULL, e) != 0)
		return -1;
	rc = ca_certify(ca, rq, out, e);
	ca_close(&ca);
	return rc;
}
