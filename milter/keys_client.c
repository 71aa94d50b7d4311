/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The worker's end of the socket to keys.
 */
#include "milter/keys_client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "util/clock.h"
#include "util/ossl.h"
#include "util/proc.h"

/* A signature or a text, with what is around it. */
#define ANSWER_MAX 4096

void keys_client_init(struct keys_client *c, int sock)
{
	memset(c, 0, sizeof(*c));
	c->sock = sock;
	c->timeout_ms = KEYS_TIMEOUT_MS;
}

static int away(struct keys_client *c, struct err *e)
{
	c->is_lost = true;
	return err_sys(e, FAIL_TEMP, "keys process");
}

static int wait_readable(struct keys_client *c, int64_t until_ms,
    struct err *e)
{
	struct pollfd p = { .fd = c->sock, .events = POLLIN };
	int64_t left;
	int n;

	do {
		left = until_ms - clock_ms();
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return away(c, e);
	if (n == 0)
		return err_set(e, FAIL_TEMP, "keys process: no answer");
	return 0;
}

/* The answer to request seq; late ones to requests that were given up are
 * passed over. */
static int receive(struct keys_client *c, unsigned char *p, size_t size,
    struct rd *r, struct err *e)
{
	int64_t until = clock_ms() + c->timeout_ms;
	uint32_t seq;
	ssize_t n;

	for (;;) {
		if (wait_readable(c, until, e) != 0)
			return -1;
		n = recv(c->sock, p, size, MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return away(c, e);
		if (n == 0) {
			c->is_lost = true;
			return err_set(e, FAIL_TEMP, "keys process: gone");
		}
		if ((size_t)n > size)
			return err_set(e, FAIL_BUG, "keys process: an answer "
			    "of %zd octets", n);
		rd_init(r, view_make(p, (size_t)n));
		if (rd_u32(r, &seq) != 0)
			return err_set(e, FAIL_BUG, "keys process: malformed");
		if (seq == c->seq)
			return 0;
	}
}

/* Result or error of an answer. */
static int read_answer(struct rd *r, struct view *result, struct err *e)
{
	char q[ERR_QUOTED];
	uint8_t status;

	if (rd_u8(r, &status) != 0 || status > FAIL_BUG ||
	    ipc_get_view(r, result) != 0 || rd_left(r) != 0)
		return err_set(e, FAIL_BUG, "keys process: malformed");
	if (status == 0)
		return 0;
	return err_set(e, (enum fail)status, "%s", err_quote(q, sizeof(q),
	    result->p, result->n));
}

static int ask(struct keys_client *c, struct buf *request,
    unsigned char answer[ANSWER_MAX], struct view *result, struct err *e)
{
	struct rd r;
	ssize_t n;

	if (request->failed)
		return err_set(e, FAIL_LIMIT, "keys process: a request of "
		    "more than %d octets", CAP_KEY_REQUEST);
	do
		n = send(c->sock, request->p, request->n, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return away(c, e);
	if (receive(c, answer, ANSWER_MAX, &r, e) != 0)
		return -1;
	return read_answer(&r, result, e);
}

static void begin(struct keys_client *c, struct buf *b, enum keys_op op,
    const unsigned char cert_sha256[32])
{
	buf_init(b, CAP_KEY_REQUEST);
	ipc_put_u32(b, ++c->seq);
	ipc_put_u8(b, (uint8_t)op);
	buf_put(b, c->ticket, TICKET_ID);
	buf_put(b, cert_sha256, 32);
}

static int sign_there(void *ctx, const unsigned char cert_sha256[32],
    enum sig_alg alg, struct view attrs, struct buf *sig, struct err *e)
{
	struct keys_client *c = ctx;
	unsigned char answer[ANSWER_MAX];
	struct view result;
	struct buf b;
	int rc;

	begin(c, &b, KEYS_SIGN, cert_sha256);
	ipc_put_u8(&b, (uint8_t)alg);
	ipc_put_view(&b, attrs);
	rc = ask(c, &b, answer, &result, e);
	if (rc == 0 && (result.n == 0 || result.n > CAP_SIGNATURE))
		rc = err_set(e, FAIL_BUG, "keys process: a signature of %zu "
		    "octets", result.n);
	if (rc == 0) {
		buf_putv(sig, result);
		rc = buf_ok(sig, e);
	}
	buf_free(&b);
	return rc;
}

static int open_there(void *ctx, const unsigned char cert_sha256[32],
    struct view ri, size_t cek_len, unsigned char cek[CAP_CEK], struct err *e)
{
	struct keys_client *c = ctx;
	unsigned char answer[ANSWER_MAX];
	struct view result;
	struct buf b;
	int rc;

	begin(c, &b, KEYS_OPEN, cert_sha256);
	ipc_put_u8(&b, (uint8_t)cek_len);
	ipc_put_view(&b, ri);
	rc = ask(c, &b, answer, &result, e);
	if (rc == 0 && (result.n != cek_len || result.n > CAP_CEK))
		rc = err_set(e, FAIL_BUG, "keys process: a content key of %zu "
		    "octets, %zu wanted", result.n, cek_len);
	if (rc == 0)
		memcpy(cek, result.p, result.n);
	ossl_wipe(answer, sizeof(answer));
	buf_free(&b);
	return rc;
}

struct key_ops keys_client_ops(struct keys_client *c)
{
	struct key_ops ops = { c, sign_there, open_there };

	return ops;
}
