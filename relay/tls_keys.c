/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The worker's side of private keys: chains of certificates, and questions to
 * the keys process from within handshakes. Whoever waits here holds up his
 * whole worker: not for long.
 */
#include "relay/keys_int.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "relay/tls_pem.h"
#include "smtp/tls_provider.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/ossl.h"
#include "util/proc.h"

#define START_MS 10000 /* it may still be reading keys */
#define SIGN_MS 2000
#define SLOW_MS 50 /* when the answer before did not come in time */

struct tls_keys {
	int sock;
	uint32_t seq;
	bool is_lost;
	bool is_slow;
};

int keys_pair(int sock[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) != 0)
		return err_sys(e, FAIL_TEMP, "keys process: socketpair");
	return 0;
}

static int lose(struct tls_keys *k, struct err *e, const char *why)
{
	if (!k->is_lost)
		log_err("event=keys error=\"the keys process is gone: %s\"",
		    why);
	k->is_lost = true;
	return err_set(e, FAIL_TEMP, "keys process: %s", why);
}

bool tls_keys_are_there(const struct tls_keys *k)
{
	struct pollfd p = { .fd = k == NULL ? -1 : k->sock };

	if (k == NULL)
		return true;
	return !k->is_lost && (poll(&p, 1, 0) != 1 ||
	    (p.revents & (POLLHUP | POLLERR | POLLNVAL)) == 0);
}

/* 0 when events came before until_ms. */
static int wait_for(struct tls_keys *k, short events, int64_t until_ms,
    struct err *e)
{
	struct pollfd p = { .fd = k->sock, .events = events };
	int64_t left;
	int n;

	do {
		left = until_ms - clock_ms();
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return lose(k, e, strerror(errno));
	if (n > 0)
		return 0;
	if (!k->is_slow)
		log_err("event=keys error=\"no answer of the keys process\"");
	k->is_slow = true;
	return err_set(e, FAIL_TEMP, "keys process: no answer");
}

static int send_question(struct tls_keys *k, const struct buf *q,
    int64_t until_ms, struct err *e)
{
	ssize_t n;

	for (;;) {
		n = send(k->sock, q->p, q->n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return lose(k, e, strerror(errno));
		if (wait_for(k, POLLOUT, until_ms, e) != 0)
			return -1;
	}
}

/* What is behind the sequence number; late answers to questions that were
 * given up are passed over. */
static int receive(struct tls_keys *k, unsigned char p[KEYS_ANSWER_MAX],
    int64_t until_ms, struct rd *r, struct err *e)
{
	uint32_t seq;
	ssize_t n;

	for (;;) {
		if (wait_for(k, POLLIN, until_ms, e) != 0)
			return -1;
		n = recv(k->sock, p, KEYS_ANSWER_MAX, MSG_TRUNC |
		    MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return lose(k, e, n == 0 ? "end of file" :
			    strerror(errno));
		if (n > KEYS_ANSWER_MAX)
			return lose(k, e, "an answer that is too long");
		k->is_slow = false;
		rd_init(r, view_make(p, (size_t)n));
		if (rd_u32(r, &seq) != 0)
			return lose(k, e, "a malformed answer");
		if (seq == k->seq)
			return 0;
	}
}

/* Ask; the result is appended to out. */
static int ask(struct tls_keys *k, const struct buf *q, int64_t within_ms,
    struct buf *out, struct err *e)
{
	int64_t until = clock_ms() + (k->is_slow ? SLOW_MS : within_ms);
	unsigned char answer[KEYS_ANSWER_MAX];
	struct view result;
	char text[ERR_QUOTED];
	uint8_t status;
	struct rd r;

	if (k->is_lost)
		return err_set(e, FAIL_TEMP, "keys process: gone");
	if (buf_ok(q, e) != 0 || send_question(k, q, until, e) != 0 ||
	    receive(k, answer, until, &r, e) != 0)
		return -1;
	if (rd_u8(&r, &status) != 0 || status > FAIL_BUG ||
	    ipc_get_view(&r, &result) != 0 || rd_left(&r) != 0)
		return lose(k, e, "a malformed answer");
	if (status != 0)
		return err_set(e, (enum fail)status, "keys process: %s",
		    err_quote(text, sizeof(text), result.p, result.n));
	buf_putv(out, result);
	return buf_ok(out, e);
}

static void begin(struct tls_keys *k, struct buf *q, enum keys_op op,
    uint32_t number)
{
	buf_init(q, KEYS_QUESTION_MAX);
	ipc_put_u32(q, ++k->seq);
	ipc_put_u8(q, (uint8_t)op);
	ipc_put_u32(q, number);
}

static int sign_there(void *arg, uint32_t number, enum tls_sig s,
    struct view tbs, struct buf *sig, struct err *e)
{
	struct tls_keys *k = arg;
	struct buf q;
	int rc;

	begin(k, &q, KEYS_OP_SIGN, number);
	ipc_put_u8(&q, (uint8_t)s);
	ipc_put_view(&q, tbs);
	rc = ask(k, &q, SIGN_MS, sig, e);
	buf_free(&q);
	return rc;
}

static int ask_spki(struct tls_keys *k, uint32_t number,
    unsigned char spki[32], struct err *e)
{
	struct buf q, out;
	int rc;

	buf_init(&out, 32);
	begin(k, &q, KEYS_OP_SPKI, number);
	rc = ask(k, &q, START_MS, &out, e);
	if (rc == 0 && out.n != 32)
		rc = lose(k, e, "a malformed answer");
	if (rc == 0)
		memcpy(spki, out.p, 32);
	buf_free(&q);
	buf_free(&out);
	return rc;
}

int tls_keys_new(struct tls_keys **out, int take_sock, struct err *e)
{
	socklen_t n = sizeof(int);
	struct tls_keys *k = NULL;
	int type = 0;

	*out = NULL;
	if (getsockopt(take_sock, SOL_SOCKET, SO_TYPE, &type, &n) != 0 ||
	    type != SOCK_SEQPACKET) {
		(void)err_set(e, FAIL_BUG, "keys process: a socket of type "
		    "%d, wanted that of keys_pair()", type);
		goto out;
	}
	k = calloc(1, sizeof(*k));
	if (k == NULL) {
		(void)err_set(e, FAIL_TEMP, "out of memory");
		goto out;
	}
	if (tls_provider_load(sign_there, k, e) != 0)
		goto out;
	k->sock = take_sock;
	*out = k;
	return 0;
out:
	free(k);
	close(take_sock);
	return -1;
}

void tls_keys_free(struct tls_keys **k)
{
	if (*k == NULL)
		return;
	tls_provider_unload();
	close((*k)->sock);
	free(*k);
	*k = NULL;
}

/* The far key for the certificate, if the keys process has it as number. */
static int make_key(struct tls_keys *k, EVP_PKEY **out, X509 *x,
    uint32_t number, struct err *e)
{
	EVP_PKEY *pub = X509_get0_pubkey(x);
	unsigned char theirs[32], ours[32];

	*out = NULL;
	if (pub == NULL)
		return err_ossl(e, FAIL_CONFIG, "its public key");
	if (ask_spki(k, number, theirs, e) != 0)
		return -1;
	if (tls_pem_spki(pub, ours, e) != 0)
		return -1;
	if (!ossl_same(ours, theirs, 32))
		return err_set(e, FAIL_CONFIG, "its first certificate is not "
		    "that of the key");
	return tls_provider_key(out, pub, number, e);
}

static int use_chain(SSL_CTX *ctx, STACK_OF(X509) *chain, struct err *e)
{
	int i;

	ossl_clear();
	if (SSL_CTX_use_certificate(ctx, sk_X509_value(chain, 0)) != 1 ||
	    SSL_CTX_clear_chain_certs(ctx) != 1)
		return err_ossl(e, FAIL_CONFIG, "its certificate");
	for (i = 1; i < sk_X509_num(chain); i++)
		if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(chain, i)) != 1)
			return err_ossl(e, FAIL_CONFIG, "its chain");
	return 0;
}

int tls_keys_use(struct tls_keys *k, SSL_CTX *ctx,
    const struct relay_config *c, const struct pki *p, struct err *e)
{
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *key = NULL;
	int rc = -1;

	if (p < c->pki || p >= c->pki + c->pkis)
		return err_set(e, FAIL_BUG, "pki %s: of another "
		    "configuration", p->name);
	if (tls_pem_chain(&chain, p->cert, e) != 0)
		return err_add(e, "pki %s", p->name);
	if (make_key(k, &key, sk_X509_value(chain, 0),
	    (uint32_t)(p - c->pki), e) != 0 || use_chain(ctx, chain, e) != 0)
		goto out;
	ossl_clear();
	if (SSL_CTX_use_PrivateKey(ctx, key) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		(void)err_ossl(e, FAIL_CONFIG, "its key");
	else
		rc = 0;
out:
	if (rc != 0)
		(void)err_add(e, "pki %s: %s", p->name, p->cert);
	EVP_PKEY_free(key);
	sk_X509_pop_free(chain, X509_free);
	return rc;
}
