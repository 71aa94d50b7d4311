/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates, owners of connections and peers for tests.
 */
#include "relay_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/keys.h"
#include "util/clock.h"

void peer_broken(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: broken test: %s\n", file, line, what);
	ERR_print_errors_fp(stderr);
	abort();
}

/* ---- certificates ---- */

static char folder[] = "/tmp/postseal-peer-XXXXXX";
static bool has_folder;

const char *peer_folder(void)
{
	if (!has_folder)
		REQUIRE(mkdtemp(folder) != NULL);
	has_folder = true;
	return folder;
}

void peer_folder_remove(void)
{
	struct buf b;

	if (!has_folder)
		return;
	buf_init(&b, 300);
	buf_printf(&b, "%s", folder);
	REQUIRE(strncmp(buf_str(&b), "/tmp/postseal-peer-", 19) == 0);
	(void)rmdir(buf_str(&b));
	buf_free(&b);
}

static void path_of(char dst[200], const char *name, const char *end)
{
	struct buf b;

	buf_init(&b, 199);
	buf_printf(&b, "%s/%s.%s", peer_folder(), name, end);
	REQUIRE(buf_ok(&b, NULL) == 0);
	text_set(dst, 200, buf_str(&b));
	buf_free(&b);
}

static void extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX c;

	if (value == NULL)
		return;
	X509V3_set_ctx(&c, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_nconf_nid(NULL, &c, nid, value);
	REQUIRE(ext != NULL && X509_add_ext(x, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

static void write_files(struct peer_id *id, const char *name)
{
	FILE *f;

	path_of(id->cert_file, name, "pem");
	path_of(id->key_file, name, "key");
	f = fopen(id->cert_file, "w");
	REQUIRE(f != NULL && PEM_write_X509(f, id->x) == 1);
	REQUIRE(fclose(f) == 0);
	f = fopen(id->key_file, "w");
	REQUIRE(f != NULL && PEM_write_PrivateKey(f, id->key, NULL, NULL, 0,
	    NULL, NULL) == 1);
	REQUIRE(fclose(f) == 0);
}

static void set_names(X509 *x, const struct peer_leaf *l, X509 *issuer)
{
	X509_NAME *n = X509_get_subject_name(x);

	REQUIRE(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8,
	    (const unsigned char *)l->name, -1, -1, 0) == 1);
	if (l->subject_mail != NULL)
		REQUIRE(X509_NAME_add_entry_by_txt(n, "emailAddress",
		    MBSTRING_ASC, (const unsigned char *)l->subject_mail, -1,
		    -1, 0) == 1);
	REQUIRE(X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1);
}

void peer_make(struct peer_id *out, const struct peer_leaf *l)
{
	EVP_PKEY *by;
	X509 *issuer;

	out->x = X509_new();
	out->key = l->is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	REQUIRE(out->x != NULL && out->key != NULL);
	issuer = l->issuer == NULL ? out->x : l->issuer->x;
	by = l->issuer == NULL ? out->key : l->issuer->key;
	REQUIRE(X509_set_version(out->x, 2) == 1);
	REQUIRE(ASN1_INTEGER_set(X509_get_serialNumber(out->x),
	    l->serial == 0 ? 1 : l->serial) == 1);
	set_names(out->x, l, issuer);
	(void)X509_gmtime_adj(X509_getm_notBefore(out->x), -86400 * 3);
	(void)X509_gmtime_adj(X509_getm_notAfter(out->x),
	    l->is_expired ? -86400 : 86400 * 30);
	REQUIRE(X509_set_pubkey(out->x, out->key) == 1);
	extend(out->x, issuer, NID_basic_constraints,
	    l->is_ca ? "critical,CA:TRUE" : "CA:FALSE");
	extend(out->x, issuer, NID_subject_alt_name, l->san);
	extend(out->x, issuer, NID_ext_key_usage, l->eku);
	REQUIRE(X509_sign(out->x, by, EVP_sha256()) > 0);
	write_files(out, l->name);
}

void peer_id_free(struct peer_id *id)
{
	(void)unlink(id->cert_file);
	(void)unlink(id->key_file);
	X509_free(id->x);
	EVP_PKEY_free(id->key);
}

void peer_crl(const struct peer_id *issuer, long serial, char path[200])
{
	ASN1_TIME *t = X509_gmtime_adj(NULL, -3600);
	X509_REVOKED *r = X509_REVOKED_new();
	ASN1_INTEGER *n = ASN1_INTEGER_new();
	X509_CRL *crl = X509_CRL_new();
	FILE *f;

	REQUIRE(crl != NULL && r != NULL && t != NULL && n != NULL);
	REQUIRE(X509_CRL_set_version(crl, 1) == 1);
	REQUIRE(X509_CRL_set_issuer_name(crl,
	    X509_get_subject_name(issuer->x)) == 1);
	REQUIRE(X509_CRL_set1_lastUpdate(crl, t) == 1);
	REQUIRE(ASN1_INTEGER_set(n, serial) == 1);
	REQUIRE(X509_REVOKED_set_serialNumber(r, n) == 1);
	REQUIRE(X509_REVOKED_set_revocationDate(r, t) == 1);
	REQUIRE(X509_CRL_add0_revoked(crl, r) == 1);
	REQUIRE(X509_gmtime_adj(t, 86400) != NULL);
	REQUIRE(X509_CRL_set1_nextUpdate(crl, t) == 1);
	REQUIRE(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
	path_of(path, "list", "crl");
	f = fopen(path, "w");
	REQUIRE(f != NULL && PEM_write_X509_CRL(f, crl) == 1);
	REQUIRE(fclose(f) == 0);
	ASN1_INTEGER_free(n);
	ASN1_TIME_free(t);
	X509_CRL_free(crl);
}

void peer_sha256(const X509 *x, unsigned char out[32])
{
	REQUIRE(X509_digest(x, EVP_sha256(), out, NULL) == 1);
}

/* The keys process is tested elsewhere: here keys are where they are used. */
int tls_keys_use(struct tls_keys *k UNUSED, SSL_CTX *ctx,
    const struct relay_config *c UNUSED, const struct pki *p, struct err *e)
{
	if (SSL_CTX_use_certificate_chain_file(ctx, p->cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, p->key, SSL_FILETYPE_PEM) != 1)
		return err_set(e, FAIL_CONFIG, "%s", p->cert);
	return 0;
}

/* ---- who owns a connection ---- */

static void owner_connected(void *arg)
{
	struct owner *o = arg;

	o->connected++;
}

static void owner_tls(void *arg)
{
	struct owner *o = arg;

	o->tls++;
	if (o->frees_in_tls)
		conn_free(&o->c);
}

static void owner_input(void *arg)
{
	struct owner *o = arg;
	struct view v = conn_input(o->c);
	bool has_line = v.n > 0 && memchr(v.p, '\n', v.n) != NULL;
	size_t n = v.n;

	o->inputs++;
	if (o->begin != NULL && has_line)
		n = (size_t)((const unsigned char *)memchr(v.p, '\n', v.n) -
		    v.p) + 1;
	if (!o->keeps) {
		buf_put(&o->in, v.p, n);
		conn_used(o->c, n);
	}
	if (o->pauses)
		conn_pause(o->c);
	if (o->begin != NULL && has_line) {
		conn_write(o->c, view_of("220 go\r\n"));
		if (conn_tls_server(o->c, o->begin, &o->e) < 0)
			o->begin_failed = 1;
		o->begin = NULL;
	}
	if (o->on_more != NULL)
		o->on_more(o);
	if (o->frees_in_input)
		conn_free(&o->c);
}

static void owner_drained(void *arg)
{
	struct owner *o = arg;

	o->drained++;
	if (o->frees_in_drained)
		conn_free(&o->c);
}

static void owner_end(void *arg, enum conn_end how, const char *why)
{
	struct owner *o = arg;

	o->ends++;
	o->how = how;
	text_set(o->why, sizeof(o->why), why);
	if (o->half_opens && how == CONN_EOF)
		conn_half_open(o->c);
	if (o->frees_in_end)
		conn_free(&o->c);
}

struct conn_use owner_of(struct owner *o)
{
	struct conn_use u = { owner_connected, owner_tls, owner_input,
		owner_drained, owner_end, o };

	return u;
}

void owner_new(struct owner *o, struct event_base *base, int fd)
{
	struct conn_use u = owner_of(o);

	buf_init(&o->in, 64u << 20);
	REQUIRE(conn_new(&o->c, base, fd, &u, NULL) == 0);
}

void owner_free(struct owner *o)
{
	conn_free(&o->c);
	buf_free(&o->in);
}

/* ---- the peer ---- */

void peer_pair(struct peer *p, int *ours)
{
	int fd[2];

	memset(p, 0, sizeof(*p));
	buf_init(&p->in, 64u << 20);
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
	REQUIRE(fcntl(fd[1], F_SETFL, O_NONBLOCK) == 0);
	*ours = fd[0];
	p->fd = fd[1];
}

static void on_peer_info(const SSL *ssl, int where, int value)
{
	struct peer *p = SSL_get_app_data(ssl);

	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT &&
	    (value & 0xff) != SSL_AD_CLOSE_NOTIFY && p->alert == 0)
		p->alert = value & 0xff;
}

void peer_tls(struct peer *p, SSL_CTX *ctx, bool is_server)
{
	p->ssl = SSL_new(ctx);
	REQUIRE(p->ssl != NULL && SSL_set_fd(p->ssl, p->fd) == 1);
	REQUIRE(SSL_set_app_data(p->ssl, p) == 1);
	SSL_set_info_callback(p->ssl, on_peer_info);
	SSL_set_mode(p->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (is_server)
		SSL_set_accept_state(p->ssl);
	else
		SSL_set_connect_state(p->ssl);
}

static void judge(struct peer *p, int r)
{
	int how = SSL_get_error(p->ssl, r);

	if (how == SSL_ERROR_WANT_READ || how == SSL_ERROR_WANT_WRITE)
		return;
	p->is_over = true;
	if (how == SSL_ERROR_SSL)
		text_set(p->error, sizeof(p->error),
		    ERR_reason_error_string(ERR_peek_error()) == NULL ? "?" :
		    ERR_reason_error_string(ERR_peek_error()));
	else
		text_set(p->error, sizeof(p->error),
		    how == SSL_ERROR_ZERO_RETURN ? "close_notify" : "cut");
	ERR_clear_error();
}

static void step_tls(struct peer *p)
{
	char b[16384];
	int r;

	ERR_clear_error();
	if (!p->is_open) {
		r = SSL_do_handshake(p->ssl);
		if (r != 1) {
			judge(p, r);
			return;
		}
		p->is_open = true;
	}
	while ((r = SSL_read(p->ssl, b, sizeof(b))) > 0)
		buf_put(&p->in, b, (size_t)r);
	judge(p, r);
}

void peer_step(struct peer *p)
{
	char b[16384];
	ssize_t n;

	if (p == NULL || p->is_over || p->is_silent)
		return;
	if (p->ssl != NULL) {
		/* Ours must live without this; the peer need not. */
		(void)signal(SIGPIPE, SIG_IGN);
		step_tls(p);
		(void)signal(SIGPIPE, SIG_DFL);
		return;
	}
	while ((n = recv(p->fd, b, sizeof(b), 0)) > 0)
		buf_put(&p->in, b, (size_t)n);
	if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
		p->is_over = true;
}

void peer_say_n(struct peer *p, const void *v, size_t n)
{
	if (p->ssl != NULL)
		REQUIRE(SSL_write(p->ssl, v, (int)n) == (int)n);
	else
		REQUIRE(send(p->fd, v, n, MSG_NOSIGNAL) == (ssize_t)n);
}

void peer_say(struct peer *p, const char *text)
{
	peer_say_n(p, text, strlen(text));
}

void peer_free(struct peer *p)
{
	SSL_free(p->ssl);
	if (p->fd >= 0)
		(void)close(p->fd);
	buf_free(&p->in);
}

/* Of a machine that has other things to do. */
#define GIVE_UP_MS 30000

static void one_round(struct event_base *base, struct peer *p)
{
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	peer_step(p);
}

bool peer_until(struct event_base *base, struct peer *p, const int *flag)
{
	int64_t end = clock_ms() + GIVE_UP_MS;

	while (*flag == 0 && clock_ms() < end) {
		one_round(base, p);
		if (*flag == 0)
			(void)usleep(200);
	}
	return *flag != 0;
}

bool peer_shakes(struct event_base *base, struct peer *p)
{
	int64_t end = clock_ms() + GIVE_UP_MS;

	while (!p->is_open && !p->is_over && clock_ms() < end)
		peer_while(base, p, 1);
	return p->is_open;
}

void peer_while(struct event_base *base, struct peer *p, int ms)
{
	int64_t end = clock_ms() + ms;
	int rounds = 0;

	/* where time is lost to others as many rounds as they would be */
	do {
		one_round(base, p);
		(void)usleep(200);
	} while (++rounds < ms || clock_ms() < end);
}

bool peer_hears(struct event_base *base, struct peer *p, size_t n)
{
	int64_t end = clock_ms() + GIVE_UP_MS;

	while (p->in.n < n && clock_ms() < end) {
		one_round(base, p);
		if (p->in.n < n)
			(void)usleep(200);
	}
	return p->in.n >= n;
}
