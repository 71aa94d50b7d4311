/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A small CA of one's own: made, opened, its passphrase changed. A root and
 * a CA under it that issues, because Google accepts no end entity right
 * below a root. A store of before has a root that issues itself; it goes on
 * doing so.
 */
#include "keystore/ca_int.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "keystore/request.h"
#include "keystore/sealing.h"
#include "util/ossl.h"
#include "util/when.h"

#define ISSUING " (issuing)" /* after the root's name */
#define DEPTH_MAX 4
#define URL_MAX 200

/* ---- making one ---- */

struct creation {
	const struct ca_options *o;
	int64_t from, until;
	EVP_PKEY *root_key, *key;
	struct cert *root, *cert; /* cert and key NULL: the root issues */
	NAME_CONSTRAINTS *nc;
};

static void free_creation(struct creation *cr)
{
	EVP_PKEY_free(cr->root_key);
	EVP_PKEY_free(cr->key);
	cert_free(&cr->root);
	cert_free(&cr->cert);
	NAME_CONSTRAINTS_free(cr->nc);
}

static int check_url(const char *url, struct err *e)
{
	size_t n = strlen(url);

	if (strncmp(url, "http://", 7) == 0 && n > 7 && n <= URL_MAX &&
	    strspn(url, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789-._~:/?#[]@!$&'()*+,;=%") == n)
		return 0;
	return err_set(e, FAIL_INPUT, "URL of the CRL: want http:// and at "
	    "most %d characters of RFC 3986", URL_MAX);
}

static int check_options(const struct ca_options *o, const char *passphrase,
    struct err *e)
{
	size_t most = REQUEST_NAME - (o->only_root ? 0 : sizeof(ISSUING) - 1);

	if (o->name[0] == '\0' || strlen(o->name) > most)
		return err_set(e, FAIL_INPUT, "name of the CA: want 1 to %zu "
		    "octets (RFC 5280 A.1)", most);
	if (request_check_name(view_of(o->name), e) != 0)
		return err_add(e, "name of the CA");
	if (o->days < 0 || o->days > 3 * CA_DAYS)
		return err_set(e, FAIL_INPUT, "days of the CA: %d, want 1 to "
		    "%d", o->days, 3 * CA_DAYS);
	if (o->depth < 0 || o->depth > DEPTH_MAX)
		return err_set(e, FAIL_INPUT, "depth below the CA: %d, want 0 "
		    "to %d", o->depth, DEPTH_MAX);
	if (o->algorithm != NULL && strcmp(o->algorithm, "rsa:2048") == 0)
		return err_set(e, FAIL_INPUT, "rsa:2048 is too weak for a CA "
		    "of ten years; want rsa:3072 or ec:p256");
	if (o->crl_url != NULL && check_url(o->crl_url, e) != 0)
		return -1;
	return passphrase != NULL ? ca_check_passphrase(passphrase, e) : 0;
}

static int add_ca_exts(const struct creation *cr, X509 *x, X509 *issuer,
    int pathlen)
{
	struct buf bc;
	int ok;

	buf_init(&bc, 64);
	buf_printf(&bc, "critical,CA:TRUE,pathlen:%d", pathlen);
	ok = ca_add_ext(x, issuer, NID_basic_constraints, buf_str(&bc)) == 1
	    && ca_add_ext(x, issuer, NID_key_usage,
	    "critical,keyCertSign,cRLSign") == 1 &&
	    ca_add_ext(x, issuer, NID_subject_key_identifier, "hash") == 1;
	buf_free(&bc);
	if (ok == 1 && cr->nc != NULL)
		ok = X509_add1_ext_i2d(x, NID_name_constraints, cr->nc, 1,
		    X509V3_ADD_DEFAULT) == 1;
	return ok;
}

static int make_root(struct creation *cr, const char *algorithm,
    struct err *e)
{
	X509_NAME *subject;
	X509 *x = NULL;
	int rc = -1;

	if (make_key(&cr->root_key, algorithm, e) != 0 ||
	    ca_begin(&x, cr->root_key, cr->from, cr->until, e) != 0)
		return -1;
	subject = X509_get_subject_name(x);
	if (make_common_name(subject, cr->o->name) != 1 ||
	    X509_set_issuer_name(x, subject) != 1 ||
	    add_ca_exts(cr, x, x, cr->o->depth + !cr->o->only_root) != 1)
		(void)err_ossl(e, FAIL_INPUT, "CA certificate");
	else
		rc = ca_finish(x, cr->root_key, &cr->root, e);
	X509_free(x);
	return rc;
}

static int make_issuing(struct creation *cr, const char *algorithm,
    struct err *e)
{
	X509 *root = cert_x509(cr->root), *x = NULL;
	struct buf cn;
	int rc = -1;

	if (make_key(&cr->key, algorithm, e) != 0 ||
	    ca_begin(&x, cr->key, cr->from, cr->until, e) != 0)
		return -1;
	buf_init(&cn, 128);
	buf_printf(&cn, "%s%s", cr->o->name, ISSUING);
	if (make_common_name(X509_get_subject_name(x), buf_str(&cn)) != 1 ||
	    X509_set_issuer_name(x, X509_get_subject_name(root)) != 1 ||
	    add_ca_exts(cr, x, root, cr->o->depth) != 1 ||
	    ca_add_ext(x, root, NID_authority_key_identifier,
	    "keyid:always") != 1)
		(void)err_ossl(e, FAIL_INPUT, "CA certificate");
	else
		rc = ca_finish(x, cr->root_key, &cr->cert, e);
	buf_free(&cn);
	X509_free(x);
	return rc;
}

static int make_both(struct creation *cr, struct err *e)
{
	const struct ca_options *o = cr->o;
	const char *algorithm = o->algorithm != NULL ? o->algorithm :
	    "ec:p256";

	cr->from = (int64_t)time(NULL);
	cr->until = cr->from + (int64_t)(o->days != 0 ? o->days : CA_DAYS) *
	    CA_DAY_S;
	ossl_clear();
	if (ca_constraints(&cr->nc, o->permit, o->permit_n, e) != 0 ||
	    make_root(cr, algorithm, e) != 0)
		return -1;
	return o->only_root ? 0 : make_issuing(cr, algorithm, e);
}

static int set_meta(struct keystore *ks, const struct creation *cr,
    struct err *e)
{
	const struct cert *issuer = cr->cert != NULL ? cr->cert : cr->root;

	if (ks_meta_set(ks, CA_META, 1, cert_sha256_hex(issuer), e) != 0 ||
	    ks_meta_set(ks, CA_META_ROOT, 1, cert_sha256_hex(cr->root),
	    e) != 0)
		return -1;
	return ks_meta_set(ks, CA_META_URL, 1,
	    cr->o->crl_url != NULL ? cr->o->crl_url : "", e);
}

static int store_both(struct keystore *ks, struct view secret,
    const char *passphrase, const struct creation *cr, struct err *e)
{
	bool added;

	if (keystore_add(ks, cr->root, 0, KS_CA, &added, e) != 0 ||
	    ca_key_store(ks, secret, passphrase, cr->root_key, cr->root,
	    e) != 0 ||
	    keystore_set_anchor(ks, cert_sha256(cr->root), true, e) != 0)
		return -1;
	if (cr->cert != NULL &&
	    (keystore_add(ks, cr->cert, 0, KS_CA, &added, e) != 0 ||
	    ca_key_store(ks, secret, passphrase, cr->key, cr->cert, e) != 0 ||
	    ca_issued_add(ks, cr->cert, CA_AUTHORITY, e) != 0))
		return -1;
	if (set_meta(ks, cr, e) != 0)
		return -1;
	return ks_note(ks, "make CA", cert_sha256_hex(cr->root),
	    cert_subject(cr->root), e);
}

static int refuse_second(struct keystore *ks, const struct ca_options *o,
    struct err *e)
{
	bool found;

	if (ks_meta_get(ks, CA_META, NULL, NULL, &found, e) != 0)
		return -1;
	if (!found || o->replace)
		return 0;
	return err_set(e, FAIL_CONFIG, "the keystore has a CA already; "
	    "\"postseal ca issue\" uses it");
}

int ca_create(struct keystore *ks, struct view secret, const char *passphrase,
    const struct ca_options *o, struct err *e)
{
	struct creation cr = { .o = o };
	bool began;
	int rc;

	if (check_options(o, passphrase, e) != 0 ||
	    ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = refuse_second(ks, o, e);
	if (rc == 0)
		rc = make_both(&cr, e);
	if (rc == 0)
		rc = store_both(ks, secret, passphrase, &cr, e);
	rc = ks_end(ks, began, rc, e);
	free_creation(&cr);
	return rc;
}

int ca_init(struct keystore *ks, struct view secret, const char *name,
    struct err *e)
{
	const struct ca_options o = { .name = name, .only_root = true };

	return ca_create(ks, secret, NULL, &o, e);
}

/* ---- opening ---- */

/* The certificate that a row of the meta table names; *out NULL: no row. */
static int find_by_meta(struct keystore *ks, const char *name,
    struct cert **out, struct err *e)
{
	unsigned char sha256[32];
	struct ks_row r = { 0 };
	struct buf hex;
	bool found;
	int rc;

	*out = NULL;
	buf_init(&hex, 64);
	rc = ks_meta_get(ks, name, NULL, &hex, &found, e);
	if (rc == 0 && found && hex_decode(sha256, 32, buf_str(&hex)) != 0)
		rc = err_set(e, FAIL_CONFIG, "keystore: damaged row %s",
		    name);
	if (rc == 0 && found)
		rc = ks_cert_get(ks, sha256, &r, e);
	if (rc == 0 && found)
		*out = cert_ref(r.cert);
	ks_row_free(&r);
	buf_free(&hex);
	return rc;
}

static int find_issuer(struct keystore *ks, struct cert **out, struct err *e)
{
	if (find_by_meta(ks, CA_META, out, e) != 0)
		return -1;
	if (*out == NULL)
		return err_set(e, FAIL_CONFIG, "the keystore has no CA; "
		    "\"postseal ca init\" makes one");
	return 0;
}

int ca_is_locked(struct keystore *ks, bool *locked, struct err *e)
{
	struct cert *c = NULL;
	struct buf sealed;
	int rc;

	*locked = false;
	buf_init(&sealed, 1u << 16);
	rc = find_issuer(ks, &c, e);
	if (rc == 0)
		rc = keystore_get_key(ks, cert_spki_sha256(c), &sealed, e);
	if (rc == 0)
		*locked = seal_form(buf_view(&sealed)) == SEAL_PASSPHRASE;
	cert_free(&c);
	buf_free(&sealed);
	return rc;
}

static int load(struct ca *ca, struct err *e)
{
	const char *passphrase = ca->passphrase.n > 0 ?
	    buf_str(&ca->passphrase) : NULL;
	bool found;

	if (find_issuer(ca->ks, &ca->cert, e) != 0 ||
	    find_by_meta(ca->ks, CA_META_ROOT, &ca->root, e) != 0 ||
	    ks_meta_get(ca->ks, CA_META_URL, NULL, &ca->crl_url, &found,
	    e) != 0)
		return -1;
	if (ca->root == NULL)
		ca->root = cert_ref(ca->cert);
	return ca_key_load(ca->ks, ca->secret, passphrase, ca->cert, &ca->key,
	    e);
}

int ca_open(struct ca **out, struct keystore *ks, struct view secret,
    const char *passphrase, struct err *e)
{
	struct ca *ca = calloc(1, sizeof(*ca));

	*out = NULL;
	if (ca == NULL)
		return err_set(e, FAIL_TEMP, "CA: out of memory");
	ca->ks = ks;
	ca->secret = secret;
	buf_init_secret(&ca->passphrase, 4096);
	buf_init(&ca->crl_url, 4096);
	if (passphrase != NULL)
		buf_puts(&ca->passphrase, passphrase);
	if (buf_ok(&ca->passphrase, e) != 0 || load(ca, e) != 0) {
		ca_close(&ca);
		return -1;
	}
	*out = ca;
	return 0;
}

void ca_close(struct ca **ca)
{
	struct ca *c = *ca;

	if (c == NULL)
		return;
	cert_free(&c->cert);
	cert_free(&c->root);
	EVP_PKEY_free(c->key);
	buf_free(&c->passphrase);
	buf_free(&c->crl_url);
	free(c);
	*ca = NULL;
}

const struct cert *ca_cert(const struct ca *ca)
{
	return ca->cert;
}

void ca_expiry(const struct ca *ca, int64_t now, int days, char *dst,
    size_t size)
{
	struct err text = { 0 };
	char date[WHEN_SIZE];
	int64_t end = cert_not_after(ca->cert);

	dst[0] = '\0';
	if (end - now > (int64_t)days * CA_DAY_S)
		return;
	(void)err_set(&text, FAIL_POLICY, "the CA %s on %s, and with it all "
	    "that it issued; \"postseal ca init --replace\" makes the next "
	    "one", end <= now ? "ended" : "ends", when_date(date, end));
	ks_text(dst, size, &text);
}

/* ---- passphrase ---- */

static int seal_again(struct ca *ca, const char *passphrase, struct err *e)
{
	const char *old = ca->passphrase.n > 0 ? buf_str(&ca->passphrase) :
	    NULL;
	EVP_PKEY *root_key = NULL;
	int rc;

	rc = ca_key_load(ca->ks, ca->secret, old, ca->root, &root_key, e);
	if (rc == 0)
		rc = ca_key_store(ca->ks, ca->secret, passphrase, root_key,
		    ca->root, e);
	if (rc == 0)
		rc = ca_key_store(ca->ks, ca->secret, passphrase, ca->key,
		    ca->cert, e);
	if (rc == 0)
		rc = ks_note(ca->ks, "change passphrase of CA",
		    cert_sha256_hex(ca->cert), passphrase != NULL ? "" :
		    "none: under the secret", e);
	EVP_PKEY_free(root_key);
	return rc;
}

int ca_set_passphrase(struct ca *ca, const char *passphrase, struct err *e)
{
	bool began;
	int rc;

	if (passphrase != NULL && ca_check_passphrase(passphrase, e) != 0)
		return -1;
	if (ks_change(ca->ks, &began, true, e) != 0)
		return -1;
	rc = seal_again(ca, passphrase, e);
	rc = ks_end(ca->ks, began, rc, e);
	if (rc == 0) {
		buf_clear(&ca->passphrase);
		if (passphrase != NULL)
			buf_puts(&ca->passphrase, passphrase);
	}
	return rc;
}
