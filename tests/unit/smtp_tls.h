/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * For tests of smtp/tls_verify.h, after cmocka.h: servers with certificates of
 * all kinds, and handshakes in memory.
 */
#ifndef TESTS_UNIT_SMTP_TLS_H
#define TESTS_UNIT_SMTP_TLS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "smtp/tls_verify.h"
#include "util/ossl.h"

#define MUST(x) \
	do { \
		if (!(x)) { \
			ERR_print_errors_fp(stderr); \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, \
			    #x); \
			abort(); \
		} \
	} while (0)

struct peer {
	EVP_PKEY *key;
	X509 *cert;
};

struct peer_kind {
	const char *cn;	 /* NULL: no name at all */
	const char *cn2; /* a second one */
	const char *san; /* as in openssl.cnf, or NULL */
	/* one dNSName of these octets instead */
	const char *raw_dns;
	size_t raw_n;
	const char *eku; /* NULL: serverAuth; "": none */
	bool is_ca;
	bool is_rsa1024;
	long from_days, days; /* from now; 0 and 0: -1 to 30 */
};

static inline void peer_ext(X509 *x, X509 *issuer, int nid,
    const char *value)
{
	X509_EXTENSION *e;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	MUST(e != NULL && X509_add_ext(x, e, -1) == 1);
	X509_EXTENSION_free(e);
}

static inline void peer_raw_san(X509 *x, const char *p, size_t n)
{
	GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *one = GENERAL_NAME_new();
	ASN1_IA5STRING *s = ASN1_IA5STRING_new();

	MUST(ASN1_STRING_set(s, p, (int)n) == 1);
	GENERAL_NAME_set0_value(one, GEN_DNS, s);
	MUST(sk_GENERAL_NAME_push(all, one) == 1);
	MUST(X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, 0) == 1);
	GENERAL_NAMES_free(all);
}

static inline void peer_subject(X509 *x, const struct peer_kind *k)
{
	X509_NAME *n = X509_NAME_new();

	MUST(X509_NAME_add_entry_by_txt(n, "O", MBSTRING_UTF8,
	    (const unsigned char *)"Test", -1, -1, 0) == 1);
	if (k->cn != NULL)
		MUST(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8,
		    (const unsigned char *)k->cn, -1, -1, 0) == 1);
	if (k->cn2 != NULL)
		MUST(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8,
		    (const unsigned char *)k->cn2, -1, -1, 0) == 1);
	MUST(X509_set_subject_name(x, n) == 1);
	X509_NAME_free(n);
}

/* by NULL: signed by itself. */
static inline void peer_make(struct peer *out, const struct peer_kind *k,
    const struct peer *by)
{
	static long serial = 100;
	X509 *x = X509_new();
	EVP_PKEY *key = k->is_rsa1024 ?
	    EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024) :
	    EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	bool usual = k->from_days == 0 && k->days == 0;
	long day = 86400;

	MUST(x != NULL && key != NULL && X509_set_version(x, 2) == 1);
	MUST(ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial) == 1);
	MUST(X509_gmtime_adj(X509_getm_notBefore(x),
	    (usual ? -1 : k->from_days) * day) != NULL);
	MUST(X509_gmtime_adj(X509_getm_notAfter(x),
	    (usual ? 30 : k->days) * day) != NULL);
	MUST(X509_set_pubkey(x, key) == 1);
	peer_subject(x, k);
	MUST(X509_set_issuer_name(x, X509_get_subject_name(by == NULL ? x :
	    by->cert)) == 1);
	peer_ext(x, x, NID_basic_constraints, k->is_ca ? "critical,CA:TRUE" :
	    "CA:FALSE");
	peer_ext(x, x, NID_subject_key_identifier, "hash");
	if (k->is_ca)
		peer_ext(x, x, NID_key_usage, "keyCertSign,cRLSign");
	else if (k->eku == NULL || *k->eku != '\0')
		peer_ext(x, x, NID_ext_key_usage, k->eku == NULL ?
		    "serverAuth" : k->eku);
	if (k->san != NULL)
		peer_ext(x, x, NID_subject_alt_name, k->san);
	if (k->raw_dns != NULL)
		peer_raw_san(x, k->raw_dns, k->raw_n);
	MUST(X509_sign(x, by == NULL ? key : by->key, EVP_sha256()) > 0);
	out->key = key;
	out->cert = x;
}

static inline void peer_free(struct peer *p)
{
	EVP_PKEY_free(p->key);
	X509_free(p->cert);
	*p = (struct peer){ NULL, NULL };
}

/* ---- a handshake ---- */

struct meet {
	SSL_CTX *server, *client;
	SSL *s, *c;
	bool done;
	char sni[256]; /* that the server got */
};

static inline SSL_CTX *meet_server(const struct peer *p,
    const struct peer *const *chain, int max)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());

	MUST(c != NULL);
	SSL_CTX_set_security_level(c, 0);
	MUST(SSL_CTX_set_cipher_list(c, p == NULL ? "aNULL" :
	    "ALL:!aNULL") == 1);
	MUST(SSL_CTX_set_min_proto_version(c, TLS1_VERSION) == 1);
	MUST(SSL_CTX_set_max_proto_version(c, p == NULL ? TLS1_2_VERSION :
	    max) == 1);
	SSL_CTX_set_dh_auto(c, 1);
	if (p == NULL)
		return c;
	MUST(SSL_CTX_use_certificate(c, p->cert) == 1);
	MUST(SSL_CTX_use_PrivateKey(c, p->key) == 1);
	for (; chain != NULL && *chain != NULL; chain++)
		MUST(SSL_CTX_add1_chain_cert(c, (*chain)->cert) == 1);
	return c;
}

static inline bool meet_step(SSL *s)
{
	int rc = SSL_do_handshake(s), why;

	if (rc == 1)
		return true;
	why = SSL_get_error(s, rc);
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

/* server is taken. False: no handshake came about. */
static inline bool meet_begin(struct meet *m, SSL_CTX *take_server,
    const struct tls_want *w, X509_STORE *store, SSL_SESSION *session)
{
	struct err e = { 0 };
	BIO *a = NULL, *b = NULL;
	const char *sni;

	*m = (struct meet){ .server = take_server };
	if (tls_want_context(&m->client, w, store, &e) != 0) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
	MUST(BIO_new_bio_pair(&a, 1 << 17, &b, 1 << 17) == 1);
	MUST((m->s = SSL_new(m->server)) != NULL);
	MUST((m->c = SSL_new(m->client)) != NULL);
	SSL_set_bio(m->s, a, a);
	SSL_set_bio(m->c, b, b);
	SSL_set_accept_state(m->s);
	SSL_set_connect_state(m->c);
	if (session != NULL)
		MUST(SSL_set_session(m->c, session) == 1);
	MUST(tls_want_begin(m->c, w, &e) == 0);
	for (int i = 0; i < 20; i++) {
		if (!meet_step(m->c) || !meet_step(m->s))
			break;
		m->done = SSL_is_init_finished(m->c) &&
		    SSL_is_init_finished(m->s);
		if (m->done)
			break;
	}
	sni = SSL_get_servername(m->s, TLSEXT_NAMETYPE_host_name);
	text_set(m->sni, sizeof(m->sni), sni == NULL ? "" : sni);
	ERR_clear_error();
	return m->done;
}

static inline void meet_end(struct meet *m)
{
	SSL_free(m->s);
	SSL_free(m->c);
	SSL_CTX_free(m->server);
	SSL_CTX_free(m->client);
	*m = (struct meet){ NULL, NULL, NULL, NULL, false, "" };
}

/* ---- stores and wants ---- */

static inline X509_STORE *store_of(const struct peer *p)
{
	X509_STORE *s = X509_STORE_new();

	MUST(s != NULL);
	if (p != NULL)
		MUST(X509_STORE_add_cert(s, p->cert) == 1);
	return s;
}

static inline void want_name(struct tls_want *w, const char *name)
{
	text_set(w->name[w->names++], TLS_NAME_MAX, name);
}

static inline void peer_pins(const struct peer *p, unsigned char cert[32],
    unsigned char spki[32])
{
	unsigned char *der = NULL;
	int n = i2d_X509(p->cert, &der);

	MUST(n > 0);
	ossl_sha256(der, (size_t)n, cert);
	OPENSSL_free(der);
	der = NULL;
	n = i2d_PUBKEY(p->key, &der);
	MUST(n > 0);
	ossl_sha256(der, (size_t)n, spki);
	OPENSSL_free(der);
}

/* of: full certificate (0), or its key; as mtype says. */
static inline void want_tlsa(struct tls_want *w, uint8_t usage,
    uint8_t selector, uint8_t mtype, const struct peer *p)
{
	struct tls_tlsa *t = &w->tlsa[w->tlsas++];
	unsigned char *der = NULL;
	unsigned int out = 0;
	int n = selector == 0 ? i2d_X509(p->cert, &der) :
	    i2d_PUBKEY(p->key, &der);

	MUST(n > 0);
	t->usage = usage;
	t->selector = selector;
	t->mtype = mtype;
	t->n = (size_t)n;
	t->data = malloc(t->n + 64);
	MUST(t->data != NULL);
	memcpy(t->data, der, t->n);
	if (mtype != 0) {
		MUST(EVP_Digest(der, (size_t)n, t->data, &out, mtype == 1 ?
		    EVP_sha256() : EVP_sha512(), NULL) == 1);
		t->n = out;
	}
	OPENSSL_free(der);
}

/* ---- who there is ---- */

/* A chain, and others. */
static struct peer root, sub, other, mx, anyone;

static inline int make_peers(void **state)
{
	(void)state;
	peer_make(&root, &(struct peer_kind){ .cn = "Root", .is_ca = true },
	    NULL);
	peer_make(&sub, &(struct peer_kind){ .cn = "Sub", .is_ca = true },
	    &root);
	peer_make(&other, &(struct peer_kind){ .cn = "Other",
	    .is_ca = true }, NULL);
	peer_make(&mx, &(struct peer_kind){ .cn = "cn.example",
	    .san = "DNS:mx.a.example,DNS:last.example,IP:192.0.2.7" }, &sub);
	peer_make(&anyone, &(struct peer_kind){ .cn = "mx.a.example",
	    .san = "DNS:mx.a.example" }, NULL);
	return 0;
}

static inline int free_peers(void **state)
{
	(void)state;
	peer_free(&root);
	peer_free(&sub);
	peer_free(&other);
	peer_free(&mx);
	peer_free(&anyone);
	return 0;
}

static const struct peer *const with_sub[] UNUSED = { &sub, NULL };

static inline struct tls_want want(enum tls_level l, const char *name)
{
	struct tls_want w = { .level = l, .asked = l };

	if (name != NULL)
		want_name(&w, name);
	text_set(w.sni, sizeof(w.sni), "mx.a.example");
	text_set(w.tlsa_base, sizeof(w.tlsa_base), "mx.a.example");
	return w;
}

/* One connection and its verdict. */
static inline void meet_expect(const struct tls_want *w,
    const struct peer *trust, const struct peer *server,
    const struct peer *const *chain, const char *result,
    struct tls_got *got)
{
	X509_STORE *s = store_of(trust);
	struct err e = { 0 };
	struct meet m;
	int rc;

	assert_true(meet_begin(&m, meet_server(server, chain, 0), w, s,
	    NULL));
	rc = tls_want_check(m.c, w, got, &e);
	if (strcmp(got->result, result) != 0)
		fail_msg("%s, not %s: %s", got->result, result, e.msg);
	assert_int_equal(rc, strcmp(result, "success") == 0 ? 0 : -1);
	if (rc != 0) {
		assert_int_equal(e.kind, FAIL_POLICY);
		assert_string_equal(e.msg, got->reason);
		assert_false(got->is_verified);
		assert_true(got->reason[0] != '\0');
	}
	assert_true(got->is_tls);
	assert_int_equal(SSL_get_verify_result(m.c) == X509_V_OK,
	    rc == 0 && got->is_verified && w->level != TLS_FINGERPRINT);
	meet_end(&m);
	X509_STORE_free(s);
}

#endif
