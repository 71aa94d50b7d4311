/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Contexts of a listener: a certificate for each pki, trust for client
 * certificates, the protocols of ALPN, tickets; and the same once more for
 * each network of match source { }. What a client showed: tls_facts.c.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/keys.h"
#include "relay/tls_int.h"
#include "relay/tls_pem.h"
#include "smtp/tls_verify.h"
#include "util/caps.h"
#include "util/ossl.h"

/* RFC 9325 4.2, and what old mail programs need beside it. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!SHA1:!aNULL"
/* TLS 1.0 and 1.1 sign with SHA-1, which level 1 forbids. */
#define CIPHERS_OLD "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:AES:!aNULL:" \
	"!kDH:!PSK:!SRP:@SECLEVEL=0"

struct sni_name {
	char *name; /* lower-case; "*.example.com" too */
	size_t own; /* index of its certificate */
};

struct tls_server {
	struct net net; /* of a variant */
	SSL_CTX **own;
	size_t owns;
	struct sni_name *name; /* sorted */
	size_t names;
	X509_STORE *clients; /* who issues client certificates; NULL: none */
	enum client_cert client_cert;
	bool is_strict; /* a bad client certificate ends the handshake */
	const struct client_pin *pin; /* of the configuration */
	size_t pins;
	const char *const *alpn; /* NULL: anything goes */
	struct tls_tickets *tickets;
	struct tls_server **variant;
	size_t variants;
};

/* What a server is made of; of a listener, or of it and a match. */
struct plan {
	const struct relay_config *c;
	const struct listener *l;
	struct tls_keys *keys;
	const unsigned char *secret;
	const struct source_match *match; /* NULL: the listener itself */
	const char *client_ca;
	enum client_cert client_cert;
	char label[RELAY_NAME + 64];
};

struct tls_tickets *tls_server_tickets(const struct tls_server *t)
{
	return t->tickets;
}

/* ---- ALPN: an attacker who brings a browser here (ALPACA) ends here ---- */

static const char *const alpn_smtp[] = { "smtp", "submission", "lmtp", NULL };
static const char *const alpn_pop3[] = { "pop3", NULL };
static const char *const alpn_imap[] = { "imap", NULL };

static const char *const *alpn_of(enum relay_protocol p)
{
	switch (p) {
	case RELAY_POP3:
		return alpn_pop3;
	case RELAY_IMAP:
		return alpn_imap;
	case RELAY_ANY:
		return NULL;
	default:
		return alpn_smtp;
	}
}

/* RFC 7301 3.2: no_application_protocol is fatal. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *n,
    const unsigned char *in, unsigned in_n, void *arg)
{
	const struct tls_server *t = arg;
	unsigned pos;
	size_t i;

	(void)ssl;
	for (pos = 0; pos < in_n && in[pos] < in_n - pos; pos += 1u + in[pos])
		for (i = 0; t->alpn[i] != NULL; i++)
			if (view_eq_str(view_make(in + pos + 1, in[pos]),
			    t->alpn[i])) {
				*out = in + pos + 1;
				*n = in[pos];
				return SSL_TLSEXT_ERR_OK;
			}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- SNI ---- */

static int compare_names(const void *a, const void *b)
{
	const struct sni_name *x = a, *y = b;
	int by = strcmp(x->name, y->name);

	if (by == 0)
		by = x->own < y->own ? -1 : x->own > y->own;
	return by;
}

static const struct sni_name *find_name(const struct tls_server *t,
    const char *name)
{
	size_t low = 0, high = t->names;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (strcmp(t->name[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < t->names && strcmp(t->name[low].name, name) == 0 ?
	    &t->name[low] : NULL;
}

static size_t own_of(const struct tls_server *t, const char *raw_sni)
{
	char name[TLS_NAME_MAX];
	const struct sni_name *hit;
	size_t i, n = strlen(raw_sni);
	char *dot;

	if (n == 0 || n >= sizeof(name))
		return 0;
	for (i = 0; i <= n; i++)
		name[i] = (char)(raw_sni[i] >= 'A' && raw_sni[i] <= 'Z' ?
		    raw_sni[i] - 'A' + 'a' : raw_sni[i]);
	hit = find_name(t, name);
	dot = strchr(name, '.');
	if (hit == NULL && dot != NULL && dot > name) {
		*--dot = '*';
		hit = find_name(t, dot);
	}
	return hit == NULL ? 0 : hit->own;
}

static int on_sni(SSL *ssl, int *alert, void *arg)
{
	const struct tls_server *t = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	size_t own;

	(void)alert;
	if (name == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	own = own_of(t, name);
	if (own != 0 && SSL_set_SSL_CTX(ssl, t->own[own]) == NULL)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

static int add_name(struct tls_server *t, size_t own, const ASN1_STRING *s)
{
	struct sni_name *bigger;
	char *name = view_strdup(view_make(ASN1_STRING_get0_data(s),
	    (size_t)ASN1_STRING_length(s)));
	size_t i;

	if (name == NULL)
		return memory_lacked() ? -1 : 0; /* or a NUL in it */
	bigger = realloc(t->name, (t->names + 1) * sizeof(*bigger));
	if (bigger == NULL) {
		free(name);
		return -1;
	}
	for (i = 0; name[i] != '\0'; i++)
		if (name[i] >= 'A' && name[i] <= 'Z')
			name[i] = (char)(name[i] - 'A' + 'a');
	t->name = bigger;
	t->name[t->names].name = name;
	t->name[t->names++].own = own;
	return 0;
}

static int add_names(struct tls_server *t, size_t own, const X509 *x,
    struct err *e)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL,
	    NULL);
	int i, rc = 0;

	for (i = 0; rc == 0 && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		if (g->type == GEN_DNS)
			rc = add_name(t, own, g->d.dNSName);
	}
	GENERAL_NAMES_free(names);
	return rc == 0 ? 0 : err_set(e, FAIL_TEMP, "TLS: out of memory");
}

/* ---- client certificates ---- */

static const struct client_pin *find_pin(const struct tls_server *t,
    const X509 *x)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	size_t i;

	if (X509_digest(x, EVP_sha256(), sum, &n) != 1 || n != 32)
		return NULL;
	for (i = 0; i < t->pins; i++)
		if (memcmp(t->pin[i].sha256, sum, 32) == 0)
			return &t->pin[i];
	return NULL;
}

/* A certificate for mail, or for a server, is none of a client: the extension
 * must be there and say so (RFC 5280 4.2.1.12). */
static bool is_for_clients(X509 *x)
{
	uint32_t has = X509_get_extended_key_usage(x);

	return (X509_get_extension_flags(x) & EXFLAG_XKUSAGE) != 0 &&
	    (has & XKU_SSL_CLIENT) != 0;
}

static void judge_cert(struct tls_io *io, const struct tls_server *t,
    X509_STORE_CTX *sc)
{
	X509 *x = X509_STORE_CTX_get0_cert(sc);
	const struct client_pin *pin = find_pin(t, x);
	const char *why = "not pinned";

	if (t->clients != NULL) {
		io->by_path = X509_verify_cert(sc) == 1;
		why = X509_verify_cert_error_string(
		    X509_STORE_CTX_get_error(sc));
		if (io->by_path && !is_for_clients(x)) {
			io->by_path = false;
			why = "RFC 5280 4.2.1.12: the extended key usage is "
			    "not clientAuth";
		}
	}
	io->cert_is_good = io->by_path || pin != NULL;
	io->pinned_as = pin == NULL ? NULL : pin->as;
	text_set(io->cert_error, sizeof(io->cert_error),
	    io->cert_is_good ? "" : why);
}

static int on_cert(X509_STORE_CTX *sc, void *arg)
{
	const struct tls_server *t = arg;
	SSL *ssl = X509_STORE_CTX_get_ex_data(sc,
	    SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_io *io = ssl == NULL ? NULL : tls_io_of(ssl);
	int error;

	if (io == NULL)
		return 0;
	judge_cert(io, t, sc);
	error = X509_STORE_CTX_get_error(sc);
	if (io->cert_is_good)
		error = X509_V_OK;
	else if (error == X509_V_OK)
		error = X509_V_ERR_APPLICATION_VERIFICATION;
	X509_STORE_CTX_set_error(sc, error);
	ERR_clear_error();
	/* A session may answer with a reply that says why (T6). */
	return io->cert_is_good || !t->is_strict;
}

static int load_clients(struct tls_server *t, const struct plan *p,
    struct err *e)
{
	const struct ca_block *ca = NULL;

	if (p->client_cert == CLIENT_CERT_NONE)
		return 0;
	t->client_cert = p->client_cert;
	t->is_strict = p->client_cert == CLIENT_CERT_MUST &&
	    relay_is_tunnel(p->l->protocol);
	t->pin = p->l->pin;
	t->pins = p->l->pins;
	if (*p->client_ca != '\0')
		ca = relay_ca(p->c, p->client_ca);
	if (ca == NULL && (t->pins == 0 || *p->client_ca != '\0'))
		return err_set(e, FAIL_CONFIG, "client-cert: neither a ca "
		    "that is there nor a pin");
	if (ca == NULL)
		return 0;
	/* T31: a CA of its own; those of the system vouch for servers. */
	if (ca->file == NULL && ca->dir == NULL)
		return err_set(e, FAIL_CONFIG, "ca %s: wanted a file or dir "
		    "for client certificates", ca->name);
	return tls_store_load(&t->clients, ca->file, ca->dir, ca->crl, e);
}

/* Names of CAs that a client may choose its certificate by; none where a
 * pinned one, of whatever issuer, would then not be sent. */
static int name_clients(const struct tls_server *t, SSL_CTX *ctx,
    const struct plan *p, struct err *e)
{
	const struct ca_block *ca = relay_ca(p->c, p->client_ca);
	STACK_OF(X509_NAME) *names;

	if (t->pins > 0 || ca == NULL)
		return 0;
	names = sk_X509_NAME_new_null();
	if (names == NULL || (ca->file != NULL &&
	    SSL_add_file_cert_subjects_to_stack(names, ca->file) != 1) ||
	    (ca->dir != NULL &&
	    SSL_add_dir_cert_subjects_to_stack(names, ca->dir) != 1)) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return err_ossl(e, FAIL_CONFIG, "ca %s", ca->name);
	}
	SSL_CTX_set_client_CA_list(ctx, names);
	return 0;
}

static int ask_clients(struct tls_server *t, SSL_CTX *ctx,
    const struct plan *p, struct err *e)
{
	int mode = SSL_VERIFY_PEER;

	if (t->client_cert == CLIENT_CERT_NONE)
		return 0;
	if (t->is_strict)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx, mode, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, on_cert, t);
	SSL_CTX_set_verify_depth(ctx, CAP_PATH_DEPTH);
	/* What stands in the file is trusted, a subordinate CA as well. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx),
	    X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
	if (t->clients != NULL &&
	    SSL_CTX_set1_verify_cert_store(ctx, t->clients) != 1)
		return err_ossl(e, FAIL_TEMP, "TLS");
	return name_clients(t, ctx, p, e);
}

/* ---- contexts ---- */

static int set_versions(SSL_CTX *ctx, const struct listener *l,
    struct err *e)
{
	static const int number[] = { TLS1_2_VERSION, TLS1_VERSION,
		TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION };
	bool is_old = l->min == TLS_V_1_0 || l->min == TLS_V_1_1;
	const char *ciphers = l->ciphers != NULL ? l->ciphers :
	    is_old ? CIPHERS_OLD : CIPHERS;

	if (SSL_CTX_set_min_proto_version(ctx, number[l->min]) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, 0) != 1)
		return err_ossl(e, FAIL_CONFIG, "TLS versions");
	if (SSL_CTX_set_cipher_list(ctx, ciphers) != 1)
		return err_ossl(e, FAIL_CONFIG, "ciphers \"%s\"", ciphers);
	return 0;
}

int tls_server_check(const struct listener *l, struct err *e)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int rc;

	ossl_clear();
	rc = ctx == NULL ? err_ossl(e, FAIL_TEMP, "TLS") :
	    set_versions(ctx, l, e);
	SSL_CTX_free(ctx);
	return rc;
}

/* T16: what a client showed once is shown again each time. */
static int set_sessions(struct tls_server *t, SSL_CTX *ctx,
    const struct plan *p, struct err *e)
{
	unsigned char id[32];

	ossl_sha256(p->label, strlen(p->label), id);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_set_session_id_context(ctx, id, sizeof(id)) != 1)
		return err_ossl(e, FAIL_TEMP, "TLS");
	SSL_CTX_set_max_early_data(ctx, 0);
	if (t->tickets != NULL) {
		SSL_CTX_set_num_tickets(ctx, 1);
		return tls_tickets_attach(ctx, e);
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ctx, 0);
	return 0;
}

static int set_up(struct tls_server *t, SSL_CTX *ctx, const struct plan *p,
    struct err *e)
{
	tls_context_common(ctx);
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE |
	    SSL_OP_PRIORITIZE_CHACHA);
	if (set_versions(ctx, p->l, e) < 0 ||
	    set_sessions(t, ctx, p, e) < 0 || ask_clients(t, ctx, p, e) < 0)
		return -1;
	if (t->alpn != NULL)
		SSL_CTX_set_alpn_select_cb(ctx, on_alpn, t);
	if (SSL_CTX_set_tlsext_servername_callback(ctx, on_sni) != 1 ||
	    SSL_CTX_set_tlsext_servername_arg(ctx, t) != 1)
		return err_ossl(e, FAIL_TEMP, "TLS");
	return 0;
}

static int add_own(struct tls_server *t, const char *name,
    const struct plan *p, struct err *e)
{
	const struct pki *pki = relay_pki(p->c, name);
	STACK_OF(X509) *chain = NULL;
	SSL_CTX **bigger;
	SSL_CTX *ctx;
	int rc = -1;

	if (pki == NULL)
		return err_set(e, FAIL_CONFIG, "there is no pki %s", name);
	ossl_clear();
	ctx = SSL_CTX_new(TLS_server_method());
	bigger = realloc(t->own, (t->owns + 1) * sizeof(SSL_CTX *));
	if (bigger != NULL)
		t->own = bigger;
	if (ctx == NULL || bigger == NULL) {
		err_ossl(e, FAIL_TEMP, "TLS: out of memory");
		goto out;
	}
	if (set_up(t, ctx, p, e) < 0 ||
	    tls_keys_use(p->keys, ctx, p->c, pki, e) < 0 ||
	    tls_pem_chain(&chain, pki->cert, e) < 0 ||
	    add_names(t, t->owns, sk_X509_value(chain, 0), e) < 0)
		goto out;
	t->own[t->owns++] = ctx;
	ctx = NULL;
	rc = 0;
out:
	sk_X509_pop_free(chain, X509_free);
	SSL_CTX_free(ctx);
	return rc;
}

static int fill(struct tls_server *t, const struct plan *p, struct err *e)
{
	const struct source_match *m = p->match;
	size_t i;

	t->alpn = alpn_of(p->l->protocol);
	if (load_clients(t, p, e) < 0)
		return -1;
	if (t->client_cert == CLIENT_CERT_NONE &&
	    tls_tickets_new(&t->tickets, p->secret, p->label, e) < 0)
		return -1;
	if (m != NULL && *m->pki != '\0') {
		if (add_own(t, m->pki, p, e) < 0)
			return -1;
	} else
		for (i = 0; i < p->l->pkis; i++)
			if (add_own(t, p->l->pki[i], p, e) < 0)
				return -1;
	if (t->names > 0)
		qsort(t->name, t->names, sizeof(*t->name), compare_names);
	return 0;
}

/* m NULL: of the listener itself. */
static int make(struct tls_server **out, struct plan *p,
    const struct source_match *m, struct err *e)
{
	const struct listener *l = p->l;
	struct tls_server *t = calloc(1, sizeof(*t));
	struct buf b;

	*out = NULL;
	if (t == NULL)
		return err_set(e, FAIL_TEMP, "TLS: out of memory");
	p->match = m;
	p->client_ca = m != NULL && *m->client_ca != '\0' ? m->client_ca :
	    l->client_ca;
	p->client_cert = m != NULL && m->client_cert >= 0 ?
	    (enum client_cert)m->client_cert : l->client_cert;
	if (m != NULL)
		t->net = m->net;
	buf_init(&b, sizeof(p->label) - 1);
	buf_printf(&b, "%zu %s %zu", l->index, l->name,
	    m == NULL ? 0 : (size_t)(m - l->match) + 1);
	text_set(p->label, sizeof(p->label), buf_str(&b));
	buf_free(&b);
	if (fill(t, p, e) < 0) {
		tls_server_free(&t);
		return -1;
	}
	*out = t;
	return 0;
}

static bool has_any_pki(const struct listener *l)
{
	bool has = l->pkis > 0;
	size_t i;

	for (i = 0; i < l->matches; i++)
		has = has || *l->match[i].pki != '\0';
	return has;
}

int tls_server_new(struct tls_server **out, const struct relay_config *c,
    const struct listener *l, struct tls_keys *keys,
    const unsigned char secret[32], struct err *e)
{
	struct plan p = { .c = c, .l = l, .keys = keys, .secret = secret };
	struct tls_server *t = NULL;
	size_t i;
	int rc = -1;

	*out = NULL;
	if (!has_any_pki(l))
		return 0;
	if (make(&t, &p, NULL, e) < 0)
		return -1;
	if (l->matches > 0) {
		t->variant = calloc(l->matches, sizeof(struct tls_server *));
		if (t->variant == NULL) {
			err_set(e, FAIL_TEMP, "TLS: out of memory");
			goto out;
		}
	}
	for (i = 0; i < l->matches; i++, t->variants++)
		if (make(&t->variant[i], &p, &l->match[i], e) < 0)
			goto out;
	*out = t;
	t = NULL;
	rc = 0;
out:
	tls_server_free(&t);
	return rc;
}

void tls_server_free(struct tls_server **tp)
{
	struct tls_server *t = *tp;
	size_t i;

	*tp = NULL;
	if (t == NULL)
		return;
	for (i = 0; i < t->variants; i++)
		tls_server_free(&t->variant[i]);
	for (i = 0; i < t->owns; i++)
		SSL_CTX_free(t->own[i]);
	for (i = 0; i < t->names; i++)
		free(t->name[i].name);
	X509_STORE_free(t->clients);
	tls_tickets_free(&t->tickets);
	free(t->variant);
	free(t->own);
	free(t->name);
	free(t);
}

const struct tls_server *tls_server_for(const struct tls_server *t,
    const char *client_ip)
{
	size_t i;

	if (t == NULL)
		return NULL;
	for (i = 0; i < t->variants; i++)
		if (net_has(&t->variant[i]->net, client_ip)) {
			t = t->variant[i];
			break;
		}
	return t->owns > 0 ? t : NULL;
}

int64_t tls_pki_not_after(const struct pki *p)
{
	STACK_OF(X509) *chain = NULL;
	int64_t soonest = 0, at;
	struct tm tm;
	int i;

	if (tls_pem_chain(&chain, p->cert, NULL) < 0)
		return 0;
	for (i = 0; i < sk_X509_num(chain); i++) {
		if (ASN1_TIME_to_tm(X509_get0_notAfter(sk_X509_value(chain,
		    i)), &tm) != 1)
			continue;
		at = (int64_t)timegm(&tm);
		if (soonest == 0 || at < soonest)
			soonest = at;
	}
	sk_X509_pop_free(chain, X509_free);
	return soonest;
}

int tls_server_context(const struct tls_server *t, SSL_CTX **out,
    struct err *e)
{
	if (t == NULL || t->owns == 0)
		return err_set(e, FAIL_CONFIG, "TLS: there is no certificate");
	*out = t->own[0];
	return 0;
}
