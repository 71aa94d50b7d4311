/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A connection to one host up to EHLO within TLS, for people who look at it.
 * Everything that comes is hostile: it is capped, and shown as printable
 * ASCII.
 */
#include "relay/tls_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "relay/tls_int.h"
#include "smtp/sender.h"
#include "smtp/tls_verify.h"
#include "util/clock.h"
#include "util/ossl.h"

#define INPUT_MAX (1u << 20) /* octets of all replies together */

struct talk {
	struct tls_probe *p;
	const struct tls_probe_try *t;
	int fd;
	SSL_CTX *ctx;
	SSL *ssl; /* NULL: in plaintext */
	struct smtp_sender *s;
	struct buf in;
	size_t used;
	int64_t until;
};

static int fail(struct talk *k, const char *what)
{
	text_set(k->p->error, sizeof(k->p->error), what);
	return -1;
}

/* It is the host's doing, and a result of RFC 8460. */
static int no_tls(struct talk *k, const char *result, const char *why)
{
	struct tls_got *got = &k->p->got;

	text_set(got->result, sizeof(got->result), result);
	text_set(got->reason, sizeof(got->reason), why);
	return fail(k, why);
}

static int wait_for(struct talk *k, short events)
{
	struct pollfd f = { .fd = k->fd, .events = events };
	int64_t left = k->until - clock_ms();
	int n;

	do {
		n = left <= 0 ? 0 : poll(&f, 1, (int)left);
	} while (n == -1 && errno == EINTR);
	return n == 1 ? 0 : fail(k, "no answer in time");
}

/* 0: try again. */
static int wait_ssl(struct talk *k, int rc)
{
	switch (SSL_get_error(k->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(k, POLLIN);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(k, POLLOUT);
	default:
		return fail(k, "the connection was closed within TLS");
	}
}

static int begin_connect(struct talk *k)
{
	socklen_t n = sizeof(int);
	int why = 0;

	k->fd = socket(k->t->sa->sa_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (k->fd == -1)
		return fail(k, strerror(errno));
	if (connect(k->fd, k->t->sa, k->t->sa_len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return fail(k, strerror(errno));
	if (wait_for(k, POLLOUT) != 0)
		return -1;
	if (getsockopt(k->fd, SOL_SOCKET, SO_ERROR, &why, &n) != 0 || why != 0)
		return fail(k, strerror(why));
	return 0;
}

/* ---- octets ---- */

static ssize_t read_some(struct talk *k, unsigned char *p, size_t n)
{
	ssize_t got;
	int rc;

	for (;;) {
		if (k->ssl != NULL) {
			ossl_clear();
			rc = SSL_read(k->ssl, p, (int)n);
			if (rc > 0)
				return rc;
			if (wait_ssl(k, rc) != 0)
				return -1;
			continue;
		}
		got = recv(k->fd, p, n, 0);
		if (got > 0)
			return got;
		if (got == 0)
			return fail(k, "the host closed the connection");
		if (errno != EAGAIN && errno != EINTR)
			return fail(k, strerror(errno));
		if (wait_for(k, POLLIN) != 0)
			return -1;
	}
}

static int read_more(struct talk *k)
{
	unsigned char *p;
	ssize_t n;

	if (k->in.n - k->used == 0) {
		buf_clear(&k->in);
		k->used = 0;
	}
	p = buf_room(&k->in, 4096);
	if (p == NULL)
		return fail(k, "the host does not stop talking");
	n = read_some(k, p, 4096);
	if (n <= 0)
		return -1;
	k->in.n += (size_t)n;
	return 0;
}

static int write_all(struct talk *k, struct view v)
{
	ssize_t n;
	int rc;

	while (v.n > 0) {
		if (k->ssl != NULL) {
			ossl_clear();
			rc = SSL_write(k->ssl, v.p, (int)v.n);
			if (rc <= 0 && wait_ssl(k, rc) != 0)
				return -1;
			n = rc;
		} else {
			n = send(k->fd, v.p, v.n, MSG_NOSIGNAL);
			if (n == -1 && errno != EAGAIN && errno != EINTR)
				return fail(k, strerror(errno));
			if (n == -1 && wait_for(k, POLLOUT) != 0)
				return -1;
		}
		if (n > 0)
			v = view_sub(v, (size_t)n, v.n);
	}
	return 0;
}

/* ---- SMTP ---- */

static int say_reply(struct talk *k, const struct sender_news *n)
{
	struct buf b;

	buf_init(&b, 1024);
	buf_printf(&b, "the host says: %d %s", n->reply.code, n->reply.text);
	(void)fail(k, buf_str(&b));
	buf_free(&b);
	return -1;
}

/* Until the reply to that; what was said meanwhile is sent. */
static int reply_to(struct talk *k, enum sender_to to, struct sender_news *n)
{
	struct view in, out;
	size_t had;

	for (;;) {
		in = view_sub(buf_view(&k->in), k->used, k->in.n);
		had = in.n;
		switch (smtp_sender_next(k->s, &in, n)) {
		case SENDER_BROKEN:
			return fail(k, n->why);
		case SENDER_REPLY:
			k->used += had - in.n;
			if (n->to == to && n->reply.code < 400)
				return 0;
			if (n->reply.code >= 400)
				return say_reply(k, n);
			continue;
		case SENDER_MORE:
			break;
		}
		k->used += had - in.n;
		out = smtp_sender_output(k->s);
		if (write_all(k, out) != 0)
			return -1;
		smtp_sender_sent(k->s);
		if (read_more(k) != 0)
			return -1;
	}
}

static int greet(struct talk *k)
{
	struct smtp_sender_setup s = { k->t->helo, k->t->lmtp, true };
	struct sender_news n;
	struct err e;

	if (smtp_sender_new(&k->s, &s, &e) != 0)
		return fail(k, e.msg);
	if (reply_to(k, SENDER_GREETING, &n) != 0)
		return -1;
	text_set(k->p->greeting, sizeof(k->p->greeting), n.reply.text);
	return reply_to(k, SENDER_HELO, &n);
}

static int starttls(struct talk *k)
{
	struct sender_news n;

	k->p->offers_starttls = smtp_sender_offers(k->s)->starttls;
	if (!k->p->offers_starttls)
		return no_tls(k, "starttls-not-supported", "STARTTLS is not "
		    "offered");
	smtp_sender_starttls(k->s);
	if (reply_to(k, SENDER_STARTTLS, &n) != 0)
		return no_tls(k, "starttls-not-supported", k->p->error);
	/* T36: what was said before TLS is nothing that it says */
	if (k->in.n > k->used)
		return no_tls(k, "validation-failure", "octets behind the "
		    "answer to STARTTLS: somebody injects them");
	return 0;
}

/* ---- TLS ---- */

static int64_t seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void put_name(char *dst, size_t size, const X509_NAME *name)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p = NULL;
	struct view v = { NULL, 0 };
	long n;

	if (b != NULL &&
	    X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253) >= 0 &&
	    (n = BIO_get_mem_data(b, &p)) > 0)
		v = view_sub(view_make(p, (size_t)n), 0, size - 1);
	if (view_cstr(v, dst, size) != 0)
		dst[0] = '\0';
	BIO_free(b);
}

static void put_der(struct buf *out, unsigned char sha256[32],
    unsigned char *take_der, int n)
{
	if (n > 0) {
		ossl_sha256(take_der, (size_t)n, sha256);
		if (out != NULL)
			buf_put(out, take_der, (size_t)n);
	}
	OPENSSL_free(take_der);
}

static void put_chain(struct tls_probe *p, SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);

	for (int i = 0; i < sk_X509_num(chain) && i < PROBE_CHAIN; i++) {
		X509 *x = sk_X509_value(chain, i);
		struct probe_cert *c = &p->cert[p->certs++];
		unsigned char *der = NULL, *spki = NULL;
		int n = i2d_X509(x, &der);

		put_der(i == 0 ? &p->leaf : NULL, c->cert_sha256, der, n);
		n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
		put_der(i == 0 ? &p->spki : NULL, c->spki_sha256, spki, n);
		put_name(c->subject, sizeof(c->subject),
		    X509_get_subject_name(x));
		put_name(c->issuer, sizeof(c->issuer),
		    X509_get_issuer_name(x));
		c->not_after = seconds_of(X509_get0_notAfter(x));
	}
	ossl_clear();
}

static int shake_hands(struct talk *k)
{
	struct err why;
	int rc;

	for (;;) {
		ossl_clear();
		rc = SSL_connect(k->ssl);
		if (rc == 1)
			return 0;
		rc = SSL_get_error(k->ssl, rc);
		if (rc == SSL_ERROR_WANT_READ || rc == SSL_ERROR_WANT_WRITE) {
			if (wait_for(k, rc == SSL_ERROR_WANT_READ ? POLLIN :
			    POLLOUT) != 0)
				return no_tls(k, "validation-failure",
				    "no TLS handshake in time");
			continue;
		}
		(void)err_ossl(&why, FAIL_POLICY, "the TLS handshake failed");
		return no_tls(k, "validation-failure", why.msg);
	}
}

/* Where nobody is verified there need not be any CA. */
static int load_store(const struct tls_want *w, const struct ca_block *ca,
    X509_STORE **s, struct err *e)
{
	if (!tls_level_is_verified(w->level) && !w->require_cert &&
	    w->tested[0] == '\0')
		return 0;
	if (ca != NULL)
		return tls_store_load(s, ca->file, ca->dir, ca->crl, e);
	*s = tls_system_store();
	return *s != NULL ? 0 : err_set(e, FAIL_TEMP, "out of memory");
}

/* -1 with kind 0 in e: the host's doing. */
static int begin_tls(struct talk *k, struct err *e)
{
	X509_STORE *store = NULL;
	struct err why;
	int rc;

	if (load_store(k->t->want, k->t->ca, &store, e) != 0)
		return -1;
	rc = tls_want_context(&k->ctx, k->t->want, store, e);
	X509_STORE_free(store);
	if (rc != 0)
		return -1;
	k->ssl = SSL_new(k->ctx);
	if (k->ssl == NULL || SSL_set_fd(k->ssl, k->fd) != 1)
		return err_ossl(e, FAIL_TEMP, "TLS");
	if (tls_want_begin(k->ssl, k->t->want, e) != 0 || shake_hands(k) != 0)
		return -1;
	k->p->is_tls = true;
	put_chain(k->p, k->ssl);
	(void)!tls_want_check(k->ssl, k->t->want, &k->p->got, &why);
	return 0;
}

/* Within TLS; a server that wants a certificate of ours says so only now
 * (TLS 1.3). */
static void last_words(struct talk *k)
{
	struct sender_news n;

	if (k->t->want->implicit) {
		if (greet(k) != 0)
			return;
	} else {
		smtp_sender_in_tls(k->s);
		if (reply_to(k, SENDER_HELO, &n) != 0)
			return;
	}
	k->p->offers_requiretls = smtp_sender_offers(k->s)->require_tls;
	smtp_sender_quit(k->s);
	(void)!write_all(k, smtp_sender_output(k->s));
	(void)SSL_shutdown(k->ssl);
}

static int run(struct talk *k, struct err *e)
{
	if (begin_connect(k) != 0)
		return -1;
	k->p->is_connected = true;
	if (!k->t->want->implicit && (greet(k) != 0 || starttls(k) != 0))
		return -1;
	if (begin_tls(k, e) != 0)
		return -1;
	last_words(k);
	return 0;
}

int tls_probe_run(struct tls_probe *p, const struct tls_probe_try *t,
    struct err *e)
{
	struct talk k = { .p = p, .t = t, .fd = -1 };
	struct sigaction none = { .sa_handler = SIG_IGN }, was;
	struct err ours = { 0 };

	k.until = clock_ms() + t->timeout_ms;
	buf_init(&k.in, INPUT_MAX);
	/* SSL_write() cannot be told not to raise it */
	(void)sigaction(SIGPIPE, &none, &was);
	(void)run(&k, &ours);
	smtp_sender_free(&k.s);
	SSL_free(k.ssl);
	SSL_CTX_free(k.ctx);
	if (k.fd != -1)
		close(k.fd);
	buf_free(&k.in);
	(void)sigaction(SIGPIPE, &was, NULL);
	return ours.kind == 0 ? 0 : err_set(e, ours.kind, "%s", ours.msg);
}

void tls_probe_init(struct tls_probe *p)
{
	memset(p, 0, sizeof(*p));
	buf_init(&p->leaf, PROBE_DER);
	buf_init(&p->spki, PROBE_DER);
}

void tls_probe_free(struct tls_probe *p)
{
	buf_free(&p->leaf);
	buf_free(&p->spki);
}

static bool has_digest(const struct buf *der, const char *name,
    struct view digest)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	size_t n = 0;

	ossl_clear();
	return der->n > 0 && !der->failed && EVP_Q_digest(NULL, name, NULL,
	    der->p, der->n, md, &n) == 1 &&
	    view_eq(view_make(md, n), digest);
}

enum probe_match tls_probe_match(const struct tls_probe *p,
    struct view digest)
{
	static const struct {
		size_t n;
		const char *name;
	} of[] = { { 16, "MD5" }, { 20, "SHA1" }, { 28, "SHA224" },
		{ 32, "SHA256" }, { 48, "SHA384" }, { 64, "SHA512" } };

	for (size_t i = 0; i < ARRAY_LEN(of); i++) {
		if (of[i].n != digest.n)
			continue;
		if (has_digest(&p->leaf, of[i].name, digest))
			return PROBE_CERT;
		if (has_digest(&p->spki, of[i].name, digest))
			return PROBE_KEY;
	}
	ossl_clear();
	return PROBE_OTHER;
}
