/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Keys that wait for a certificate, each with its PKCS#10 request (RFC
 * 2986). A waiting key is in the table of keys like every other, sealed;
 * because no certificate has its public key, no keyring loads it.
 */
#include "keystore/request.h"

#include <string.h>
#include <time.h>

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "keystore/make_int.h"
#include "util/ossl.h"
#include "util/utf8.h"

#define KEY_MAX (1u << 16)
#define CSR_MAX (1u << 16)

enum { RQ_SPKI, RQ_ADDRESS, RQ_NAME, RQ_USE, RQ_CSR, RQ_ADDED };

/* ---- making ---- */

int request_check_name(struct view name, struct err *e)
{
	char quoted[ERR_QUOTED];
	size_t chars = 0, n;
	struct view v = name;
	uint32_t cp;

	(void)err_quote(quoted, sizeof(quoted), name.p, name.n);
	for (; v.n > 0; v = view_sub(v, n, v.n - n), chars++) {
		n = utf8_first(v, &cp);
		if (n == 0)
			return err_set(e, FAIL_INPUT,
			    "name %s: not UTF-8 (RFC 3629)", quoted);
		if (utf8_is_unsafe(cp))
			return err_set(e, FAIL_INPUT,
			    "name %s: a control character in it", quoted);
	}
	if (chars > REQUEST_NAME)
		return err_set(e, FAIL_INPUT, "name %s: %zu characters, a "
		    "common name has at most %d (RFC 5280 A.1)", quoted,
		    chars, REQUEST_NAME);
	return 0;
}

int request_check_algorithm(const char *algorithm, struct err *e)
{
	return make_check_algorithm(algorithm, e);
}

static int push_text(STACK_OF(X509_EXTENSION) *list, int nid, const char
    *constant)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, constant);
	if (ext != NULL && sk_X509_EXTENSION_push(list, ext) > 0)
		return 1;
	X509_EXTENSION_free(ext);
	return 0;
}

static int push_san(STACK_OF(X509_EXTENSION) *list, const struct addr *a)
{
	GENERAL_NAMES *names = make_san(a);
	X509_EXTENSION *ext = NULL;

	if (names != NULL)
		ext = X509V3_EXT_i2d(NID_subject_alt_name, 0, names);
	GENERAL_NAMES_free(names);
	if (ext != NULL && sk_X509_EXTENSION_push(list, ext) > 0)
		return 1;
	X509_EXTENSION_free(ext);
	return 0;
}

/* What is asked for (RFC 2985 5.4.2); a CA may write something else. */
static int add_extensions(X509_REQ *req, const struct request_new *r, bool
    is_ec)
{
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	int ok;

	ok = list != NULL && push_text(list, NID_key_usage,
	    make_key_usage(r->use, is_ec)) == 1 &&
	    push_text(list, NID_ext_key_usage, "emailProtection") == 1 &&
	    push_san(list, r->email) == 1 &&
	    X509_REQ_add_extensions(req, list) == 1;
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return ok;
}

static const char *common_name(const struct request_new *r)
{
	if (r->name[0] != '\0')
		return r->name;
	return strlen(r->email->text) <= REQUEST_NAME ? r->email->text :
	    "mailbox";
}

static int write_csr(struct request_new *r, EVP_PKEY *key, struct err *e)
{
	X509_REQ *req = X509_REQ_new();
	unsigned char *der = NULL;
	int n = -1;

	if (req != NULL && X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1
	    && X509_REQ_set_pubkey(req, key) == 1 &&
	    make_common_name(X509_REQ_get_subject_name(req),
	    common_name(r)) == 1 &&
	    add_extensions(req, r, EVP_PKEY_is_a(key, "EC") == 1) == 1 &&
	    X509_REQ_sign(req, key, make_digest(key)) > 0)
		n = i2d_X509_REQ(req, &der);
	X509_REQ_free(req);
	if (n <= 0)
		return err_ossl(e, FAIL_TEMP, "request (PKCS#10)");
	buf_put(&r->csr, der, (size_t)n);
	OPENSSL_free(der);
	return buf_ok(&r->csr, e);
}

static int hash_public(EVP_PKEY *key, unsigned char sha256[32], struct err *e)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);

	if (n <= 0)
		return err_ossl(e, FAIL_TEMP, "public key");
	ossl_sha256(der, (size_t)n, sha256);
	OPENSSL_free(der);
	return 0;
}

int request_make(struct request_new *r, struct view secret, struct err *e)
{
	EVP_PKEY *key = NULL;
	struct buf pkcs8;
	int rc = -1;

	buf_init(&r->csr, CSR_MAX);
	buf_init(&r->sealed, KEY_MAX);
	buf_init_secret(&pkcs8, KEY_MAX);
	if ((r->use & (KS_SIGN | KS_ENCRYPT)) == 0) {
		(void)err_set(e, FAIL_INPUT, "use: want sign or encrypt");
		goto out;
	}
	if (request_check_name(view_of(r->name), e) != 0 ||
	    make_key(&key, r->algorithm, e) != 0)
		goto out;
	ossl_clear();
	if (hash_public(key, r->spki, e) != 0 || write_csr(r, key, e) != 0 ||
	    key_to_pkcs8(key, &pkcs8, e) != 0)
		goto out;
	rc = keyring_seal_key(buf_view(&pkcs8), secret, &r->sealed, e);
out:
	EVP_PKEY_free(key);
	buf_free(&pkcs8);
	return rc;
}

void request_free(struct request_new *r)
{
	buf_free(&r->csr);
	buf_free(&r->sealed);
}

/* ---- storing ---- */

/* What an address is found by. A UTF-8 local part stays as it is, because it
 * is compared octet for octet (RFC 9598 5). */
static void key_of(const struct addr *a, char dst[sizeof(a->text)])
{
	if (a->utf8)
		memcpy(dst, a->text, sizeof(a->text));
	else
		addr_key(a, dst);
}

static int insert_request(struct keystore *ks, const struct request_new *r,
    const char *address, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_REQUEST_ADD, e);

	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, view_make(r->spki, 32));
	sqlite3_bind_text(st, 2, address, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(st, 3, r->name, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(st, 4, (int)r->use);
	ks_bind_view(st, 5, buf_view(&r->csr));
	sqlite3_bind_int64(st, 6, (int64_t)time(NULL));
	return ks_run(ks, st, e);
}

/* The generation stays: nothing that is in use changes, and three hundred
 * keys make no process load all keys again. */
static int insert_key(struct keystore *ks, const struct request_new *r,
    struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_KEY_ADD, e);

	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, view_make(r->spki, 32));
	ks_bind_view(st, 2, buf_view(&r->sealed));
	return ks_run(ks, st, e);
}

int request_add(struct keystore *ks, const struct request_new *r, struct err
    *e)
{
	char key[sizeof(r->email->text)], hex[65];
	bool began;
	int rc;

	key_of(r->email, key);
	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = insert_key(ks, r, e);
	if (rc == 0)
		rc = insert_request(ks, r, key, e);
	if (rc == 0)
		rc = ks_note(ks, "generate key", hex_encode(hex, r->spki, 32),
		    key, e);
	return ks_end(ks, began, rc, e);
}

/* ---- reading ---- */

static int read_row(sqlite3_stmt *st, struct request *r, struct err *e)
{
	struct view spki = ks_column(st, RQ_SPKI);

	memset(r, 0, sizeof(*r));
	r->name = (const char *)sqlite3_column_text(st, RQ_NAME);
	if (spki.n != 32 || r->name == NULL ||
	    addr_parse(&r->email, ks_column(st, RQ_ADDRESS), NULL) != 0)
		return err_set(e, FAIL_CONFIG, "keystore: damaged row of a "
		    "request");
	memcpy(r->spki, spki.p, 32);
	r->use = (unsigned)sqlite3_column_int(st, RQ_USE);
	r->csr = ks_column(st, RQ_CSR);
	r->added = sqlite3_column_int64(st, RQ_ADDED);
	return 0;
}

static sqlite3_stmt *prepare_list(struct keystore *ks, const char *what,
    struct err *e)
{
	bool is_address = what != NULL && what[0] != '@' &&
	    strchr(what, '@') != NULL;
	char key[sizeof(((struct addr *)0)->text)];
	sqlite3_stmt *st;
	struct addr a;

	if (what == NULL || what[0] == '@')
		return ks_stmt(ks, ST_REQUEST_LIST, e);
	st = ks_stmt(ks, is_address ? ST_REQUEST_ADDRESS : ST_REQUEST_HEX, e);
	if (st == NULL)
		return NULL;
	if (!is_address)
		return ks_bind_hex(st, what, e) == 0 ? st : NULL;
	if (addr_parse(&a, view_of(what), e) != 0)
		return NULL;
	key_of(&a, key);
	sqlite3_bind_text(st, 1, key, -1, SQLITE_TRANSIENT);
	return st;
}

/* Few wait, so a domain needs no index. */
static int visit_requests(struct keystore *ks, sqlite3_stmt *st, const char
    *domain, request_visit *visit, void *arg, struct err *e)
{
	struct request r;
	int rc;

	while ((rc = ks_step(ks, st, e)) == 1) {
		rc = read_row(st, &r, e);
		if (rc == 0 && (domain == NULL ||
		    strcmp(addr_domain(&r.email), domain) == 0))
			rc = visit(arg, &r, e);
		if (rc != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	return rc;
}

int request_list(struct keystore *ks, const char *what, request_visit *visit,
    void *arg, struct err *e)
{
	char quoted[ERR_QUOTED], domain[256];
	const char *wanted = NULL;
	sqlite3_stmt *st;

	if (ks->schema < KS_SCHEMA_LIFE)
		return 0; /* an older store, not written to yet */
	if (what != NULL && what[0] == '@') {
		if (addr_domain_parse(domain, sizeof(domain),
		    view_of(what + 1), e) != 0)
			return -1;
		wanted = domain;
	}
	st = prepare_list(ks, what, e);
	if (st == NULL)
		return err_add(e, "%s", what == NULL ? "requests" :
		    err_quote(quoted, sizeof(quoted), what, strlen(what)));
	return visit_requests(ks, st, wanted, visit, arg, e);
}

int request_pem(struct view csr, struct buf *out, struct err *e)
{
	const unsigned char *p = csr.p;
	X509_REQ *req;
	char *text;
	BIO *bio;
	long n;
	int rc = -1;

	ossl_clear();
	req = d2i_X509_REQ(NULL, &p, (long)csr.n);
	bio = BIO_new(BIO_s_mem());
	if (req != NULL && bio != NULL &&
	    PEM_write_bio_X509_REQ(bio, req) == 1 &&
	    (n = BIO_get_mem_data(bio, &text)) > 0) {
		buf_put(out, text, (size_t)n);
		rc = buf_ok(out, e);
	} else
		(void)err_ossl(e, FAIL_TEMP, "request (PKCS#10)");
	BIO_free(bio);
	X509_REQ_free(req);
	return rc;
}

/* ---- going ---- */

/* The request of a public key; *found false: there is none. */
static int find_request(struct keystore *ks, const unsigned char spki[32],
    struct addr *email, bool *found, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_REQUEST_GET, e);
	struct request r;
	int rc;

	*found = false;
	if (st == NULL)
		return -1;
	ks_bind_view(st, 1, view_make(spki, 32));
	rc = ks_step(ks, st, e);
	if (rc <= 0)
		return rc;
	rc = read_row(st, &r, e);
	sqlite3_reset(st);
	*email = r.email;
	*found = true;
	return rc;
}

static int drop_request(struct keystore *ks, const unsigned char spki[32],
    struct err *e)
{
	struct addr email;
	char hex[65];
	bool found;

	if (find_request(ks, spki, &email, &found, e) != 0)
		return -1;
	(void)hex_encode(hex, spki, 32);
	if (!found)
		return err_set(e, FAIL_INPUT, "keystore: no key %s waits for "
		    "a certificate", hex);
	if (ks_run_about(ks, ST_REQUEST_DELETE, spki, e) != 0 ||
	    ks_run_about(ks, ST_KEY_DELETE, spki, e) != 0)
		return -1;
	return ks_note(ks, "drop key", hex, email.text, e);
}

int request_drop(struct keystore *ks, const unsigned char spki[32], struct err
    *e)
{
	bool began;
	int rc;

	if (ks_change(ks, &began, true, e) != 0)
		return -1;
	rc = drop_request(ks, spki, e);
	return ks_end(ks, began, rc, e);
}

int request_match(struct keystore *ks, const struct cert *c, struct
    request_answer *out, struct err *e)
{
	const unsigned char *spki = cert_spki_sha256(c);
	bool found;

	memset(out, 0, sizeof(*out));
	if (ks->schema < KS_SCHEMA_LIFE)
		return 0;
	if (find_request(ks, spki, &out->email, &found, e) != 0)
		return -1;
	if (!found)
		return 0;
	/* One that is good for no mail (TLS) is no answer: it may come in, and
	 * the key waits on. */
	if (!cert_is_ca(c) && !cert_eku_mail(c))
		return 0;
	if (cert_is_ca(c) || !cert_has_address(c, &out->email,
	    ADDR_FOLD_LOCAL)) {
		out->found = REQUEST_OTHER;
		return 0;
	}
	out->found = REQUEST_MATCHED;
	if (ks_run_about(ks, ST_REQUEST_DELETE, spki, e) != 0)
		return -1;
	return ks_note(ks, "match certificate to key", cert_sha256_hex(c),
	    out->email.text, e);
}
