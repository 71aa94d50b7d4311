/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * TLS over a socket: the loop that OpenSSL needs, and caps on what a peer can
 * make it do without sending data. Who the peer is: tls_server.c and
 * tls_client.c.
 */
#include "relay/tls_io.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "relay/tls_int.h"
#include "util/ossl.h"

/* Octets of one event: others get their turn. */
#define EVENT_BUDGET (128u << 10)
/* Octets without data in them: two records of the largest size and more. */
#define EMPTY_MAX (64u << 10)
/* KeyUpdate, NewSessionTicket, ...: so many, and one for each MiB of data. */
#define MESSAGES_MAX 32

static void (*alert_told)(bool is_sent, const char *name);

void tls_on_alert(void (*f)(bool is_sent, const char *name))
{
	alert_told = f;
}

struct tls_io *tls_io_of(const SSL *ssl)
{
	return SSL_get_app_data(ssl);
}

/* ---- the socket ---- */

static int sock_read(BIO *b, char *p, int n)
{
	struct tls_io *t = BIO_get_data(b);
	ssize_t got;

	BIO_clear_retry_flags(b);
	if (t->is_drained || t->budget == 0) {
		BIO_set_retry_read(b);
		return -1;
	}
	do
		got = recv(t->fd, p, (size_t)n, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		t->is_drained = true;
		BIO_set_retry_read(b);
		return -1;
	}
	if (got < 0)
		t->sock_errno = errno;
	if (got == 0)
		t->is_at_eof = true;
	if (got <= 0)
		return (int)got;
	t->is_drained = got < n;
	t->budget -= (size_t)got < t->budget ? (size_t)got : t->budget;
	t->since += (uint64_t)got;
	if (t->is_open && t->since > EMPTY_MAX + SSL3_RT_MAX_PLAIN_LENGTH)
		t->misuse = "too many octets without data in them";
	return (int)got;
}

static int sock_write(BIO *b, const char *p, int n)
{
	struct tls_io *t = BIO_get_data(b);
	ssize_t sent;

	BIO_clear_retry_flags(b);
	do
		sent = send(t->fd, p, (size_t)n, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_write(b);
	else if (sent < 0)
		t->sock_errno = errno;
	return (int)sent;
}

static long sock_control(BIO *b, int cmd, long num, void *ptr)
{
	struct tls_io *t = BIO_get_data(b);

	(void)num;
	(void)ptr;
	if (cmd == BIO_CTRL_EOF)
		return t != NULL && t->is_at_eof;
	return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP;
}

static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

static void make_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() |
	    BIO_TYPE_SOURCE_SINK, "connection");

	if (m == NULL || BIO_meth_set_read(m, sock_read) != 1 ||
	    BIO_meth_set_write(m, sock_write) != 1 ||
	    BIO_meth_set_ctrl(m, sock_control) != 1)
		BIO_meth_free(m);
	else
		method = m;
}

static int give_socket(struct tls_io *t, struct err *e)
{
	BIO *b;

	pthread_once(&method_once, make_method);
	b = method == NULL ? NULL : BIO_new(method);
	if (b == NULL)
		return err_ossl(e, FAIL_TEMP, "TLS");
	BIO_set_data(b, t);
	BIO_set_init(b, 1);
	SSL_set_bio(t->ssl, b, b);
	return 0;
}

/* ---- what is told during it ---- */

static void tell_alert(bool is_sent, int code)
{
	const char *text = SSL_alert_desc_string_long(code);
	char name[64];
	size_t i;

	if (alert_told == NULL)
		return;
	if ((code & 0xff) == 116) /* RFC 8446 6; unknown to OpenSSL 3.0 */
		text = "certificate required";
	text_set(name, sizeof(name), text);
	for (i = 0; name[i] != '\0'; i++)
		if (name[i] == ' ')
			name[i] = '_';
		else if (name[i] >= 'A' && name[i] <= 'Z')
			name[i] = (char)(name[i] - 'A' + 'a');
	alert_told(is_sent, name);
}

static void on_info(const SSL *ssl, int where, int value)
{
	struct tls_io *t = tls_io_of(ssl);
	bool is_sent = (where & SSL_CB_WRITE) != 0;
	int code = value & 0xff;

	if (t == NULL || (where & SSL_CB_ALERT) == 0 ||
	    code == SSL_AD_CLOSE_NOTIFY)
		return;
	if (is_sent && code == SSL_AD_NO_RENEGOTIATION)
		t->misuse = "renegotiation";
	tell_alert(is_sent, value);
}

static void on_message(int is_sent, int version, int type, const void *p,
    size_t n, SSL *ssl, void *arg)
{
	struct tls_io *t = tls_io_of(ssl);

	(void)version;
	(void)p;
	(void)n;
	(void)arg;
	if (t == NULL || is_sent || !t->is_open || type != SSL3_RT_HANDSHAKE)
		return;
	t->messages++;
	if (t->messages > MESSAGES_MAX + (t->data >> 20))
		t->misuse = "too many handshake messages after the handshake";
}

void tls_context_common(SSL_CTX *ctx)
{
	/* no password stays in memory that OpenSSL gave back */
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION |
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_CLEANSE_PLAINTEXT);
	/* openssl.cnf can set them for all programs. */
	SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF |
	    SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION);
	/* The chain is what the file has: nothing is looked for at each
	 * handshake. */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS |
	    SSL_MODE_AUTO_RETRY | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_info_callback(ctx, on_info);
	SSL_CTX_set_msg_callback(ctx, on_message);
}

/* ---- one connection ---- */

static struct tls_io *make(int fd, struct err *e)
{
	struct tls_io *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		err_set(e, FAIL_TEMP, "TLS: out of memory");
		return NULL;
	}
	t->fd = fd;
	t->budget = EVENT_BUDGET;
	t->is_drained = true; /* until an event says more */
	return t;
}

int tls_io_server(struct tls_io **out, const struct tls_server *s, int fd,
    struct err *e)
{
	SSL_CTX *ctx = NULL;
	struct tls_io *t;

	*out = NULL;
	ossl_clear();
	if (tls_server_context(s, &ctx, e) < 0)
		return -1;
	t = make(fd, e);
	if (t == NULL)
		return -1;
	t->server = s;
	t->ssl = SSL_new(ctx);
	if (t->ssl == NULL || SSL_set_app_data(t->ssl, t) != 1) {
		err_ossl(e, FAIL_TEMP, "TLS");
		goto out;
	}
	if (give_socket(t, e) < 0)
		goto out;
	SSL_set_accept_state(t->ssl);
	*out = t;
	t = NULL;
out:
	tls_io_free(&t);
	return *out == NULL ? -1 : 0;
}

int tls_io_client(struct tls_io **out, struct tls_clients *c,
    const struct tls_want *w, int fd, struct err *e)
{
	struct tls_io *t = make(fd, e);

	*out = NULL;
	if (t == NULL)
		return -1;
	ossl_clear();
	if (tls_client_begin(t, c, w, e) < 0 || give_socket(t, e) < 0)
		goto out;
	SSL_set_connect_state(t->ssl);
	*out = t;
	t = NULL;
out:
	tls_io_free(&t);
	return *out == NULL ? -1 : 0;
}

void tls_io_free(struct tls_io **tp)
{
	struct tls_io *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	/* As if it was ended in order: else OpenSSL would not resume the
	 * session. */
	if (t->ssl != NULL && t->is_open)
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN |
		    SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	tls_client_end(t);
	free(t->facts);
	free(t);
}

void tls_io_ready(struct tls_io *t)
{
	t->is_drained = false;
	t->budget = EVENT_BUDGET;
}

static enum tls_io_state cut(struct tls_io *t, const char *what,
    const char *why)
{
	struct err e;

	err_set(&e, FAIL_TEMP, "%s: %s", what, why);
	text_set(t->why, sizeof(t->why), e.msg);
	return TLS_IO_CUT;
}

static enum tls_io_state failed(struct tls_io *t, const char *what)
{
	unsigned long code = ERR_peek_error();
	struct err e;

	if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
	    ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		ossl_clear();
		return cut(t, what, "it ended without close_notify");
	}
	err_ossl(&e, FAIL_TEMP, "%s", what);
	text_set(t->why, sizeof(t->why), e.msg);
	return TLS_IO_CUT;
}

/* What came of an SSL_*() that returned r. */
static enum tls_io_state judge(struct tls_io *t, int r, const char *what)
{
	if (t->misuse != NULL) {
		ossl_clear();
		return cut(t, what, t->misuse);
	}
	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return TLS_IO_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_IO_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_IO_END;
	case SSL_ERROR_SYSCALL:
		ossl_clear();
		return cut(t, what, t->sock_errno != 0 ?
		    strerror(t->sock_errno) : "the connection ended");
	default:
		return failed(t, what);
	}
}

static enum tls_io_state opened(struct tls_io *t)
{
	struct err e;

	t->is_open = true;
	t->since = 0;
	if ((t->server != NULL ? tls_facts_read(t, &e) :
	    tls_client_check(t, &e)) < 0) {
		text_set(t->why, sizeof(t->why), e.msg);
		return TLS_IO_CUT;
	}
	return TLS_IO_DONE;
}

enum tls_io_state tls_io_handshake(struct tls_io *t)
{
	enum tls_io_state s;
	int r;

	ossl_clear();
	r = SSL_do_handshake(t->ssl);
	if (r == 1)
		return opened(t);
	s = judge(t, r, "TLS handshake");
	if (s == TLS_IO_END)
		s = cut(t, "TLS handshake", "the peer ended it");
	if (s == TLS_IO_CUT && t->server == NULL)
		tls_client_failed(t);
	return s;
}

enum tls_io_state tls_io_read(struct tls_io *t, void *p, size_t n,
    size_t *got)
{
	int r;

	*got = 0;
	ossl_clear();
	r = SSL_read_ex(t->ssl, p, n, got);
	if (r != 1 || t->misuse != NULL)
		return judge(t, r, "TLS");
	t->since = 0;
	t->data += *got;
	return TLS_IO_DONE;
}

enum tls_io_state tls_io_write(struct tls_io *t, struct view v,
    size_t *sent)
{
	int r;

	*sent = 0;
	ossl_clear();
	r = SSL_write_ex(t->ssl, v.p, v.n, sent);
	return r == 1 ? TLS_IO_DONE : judge(t, r, "TLS");
}

void tls_io_close(struct tls_io *t)
{
	if (!t->is_open || (SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN) != 0)
		return;
	ossl_clear();
	(void)SSL_shutdown(t->ssl);
	ossl_clear();
}

bool tls_io_has_more(const struct tls_io *t)
{
	return SSL_has_pending(t->ssl) == 1;
}

const char *tls_io_why(const struct tls_io *t)
{
	return t->why;
}

const struct tls_facts *tls_io_facts(const struct tls_io *t)
{
	return t->facts;
}

const struct tls_got *tls_io_got(const struct tls_io *t)
{
	return t->client == NULL ? NULL : tls_client_got(t);
}
