/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One request after the other, from one worker.
 */
#include "milter/keys_serve.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "util/clock.h"
#include "milter/keys_client.h"
#include "util/der.h"
#include "util/log.h"
#include "util/ossl.h"
#include "util/proc.h"

static const unsigned char content_type[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7,
	0x0d, 0x01, 0x09, 0x03 };
static const unsigned char message_digest[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7,
	0x0d, 0x01, 0x09, 0x04 };

int keys_check_attrs(struct view attrs, struct err *e)
{
	static const char what[] = "keys: signs only RFC 5652 5.3 signed "
	    "attributes";
	struct der set, attr, oid, values;
	int types = 0, digests = 0;
	struct view in;

	if (attrs.n > CAP_KEY_REQUEST / 2 || !der_is_strict(attrs) ||
	    der_get(&attrs, DER_SET, &set) != 0 || attrs.n != 0)
		return err_set(e, FAIL_POLICY, "%s, found no SET", what);
	while (set.val.n > 0) {
		if (der_get(&set.val, DER_SEQUENCE, &attr) != 0)
			return err_set(e, FAIL_POLICY, "%s, found no "
			    "attribute", what);
		in = attr.val;
		if (der_get(&in, DER_OID, &oid) != 0 ||
		    der_get(&in, DER_SET, &values) != 0 || in.n != 0)
			return err_set(e, FAIL_POLICY, "%s, found no "
			    "attribute", what);
		types += view_eq(oid.val, view_make(content_type,
		    sizeof(content_type)));
		digests += view_eq(oid.val, view_make(message_digest,
		    sizeof(message_digest)));
	}
	if (types != 1 || digests != 1)
		return err_set(e, FAIL_POLICY, "%s, found %d contentType and "
		    "%d messageDigest", what, types, digests);
	return 0;
}

struct request {
	uint32_t seq;
	enum keys_op op;
	struct view ticket, cert;
	uint8_t param;
	struct view data;
};

static int parse(struct request *q, struct view v)
{
	struct rd r;
	uint8_t op;

	rd_init(&r, v);
	if (rd_u32(&r, &q->seq) != 0 || rd_u8(&r, &op) != 0 ||
	    rd_take(&r, TICKET_ID, &q->ticket) != 0 ||
	    rd_take(&r, 32, &q->cert) != 0 || rd_u8(&r, &q->param) != 0 ||
	    ipc_get_view(&r, &q->data) != 0 || rd_left(&r) != 0 ||
	    (op != KEYS_SIGN && op != KEYS_OPEN))
		return -1;
	q->op = (enum keys_op)op;
	return 0;
}

/* The result into out, or why not. */
static int perform(struct keys_service *s, const struct request *q,
    uint32_t worker, struct buf *out, struct err *e)
{
	const struct cert *cert = keyring_cert(s->keyring, q->cert.p);
	const struct authority au = { s->config, s->lists };
	unsigned char cek[CAP_CEK];
	int rc;

	if (cert == NULL)
		return err_set(e, FAIL_INPUT, "keys: no key for this "
		    "certificate");
	/* The front wrote the ticket before it gave the job away. */
	(void)tickets_drain(s->tickets, s->ticket_sock, clock_ms() / 1000);
	if (tickets_ask(s->tickets, q->ticket.p, worker, q->op == KEYS_SIGN ?
	    TICKET_SIGN : TICKET_OPEN, &au, cert, e) != 0)
		return -1;
	if (q->op == KEYS_SIGN) {
		if (keys_check_attrs(q->data, e) != 0)
			return -1;
		return keyring_sign(s->keyring, q->cert.p,
		    (enum sig_alg)q->param, q->data, out, e);
	}
	if (q->param > sizeof(cek)) /* which of them, the keyring knows */
		return err_set(e, FAIL_INPUT, "keys: a content key of %u "
		    "octets", q->param);
	rc = keyring_open(s->keyring, q->cert.p, q->data, q->param, cek, e);
	if (rc == 0)
		buf_put(out, cek, q->param);
	ossl_wipe(cek, sizeof(cek));
	return rc;
}

/* -1 when the worker is gone or talks nonsense. */
static int serve_one(struct keys_service *s, int sock, uint32_t worker,
    struct view packet)
{
	struct buf result, answer;
	struct err e = { 0 };
	struct request q;
	ssize_t n;

	if (parse(&q, packet) != 0) {
		log_err("event=keys worker=%u error=\"malformed request\"",
		    worker);
		return -1;
	}
	buf_init_secret(&result, CAP_SIGNATURE);
	buf_init_secret(&answer, CAP_SIGNATURE + 64);
	if (perform(s, &q, worker, &result, &e) == 0 &&
	    buf_ok(&result, &e) == 0)
		e.kind = 0;
	if (memory_lacked())
		(void)err_set(&e, FAIL_TEMP, "keys: out of memory");
	ipc_put_u32(&answer, q.seq);
	ipc_put_u8(&answer, (uint8_t)e.kind);
	ipc_put_view(&answer, e.kind == 0 ? buf_view(&result) :
	    view_of(e.msg));
	if (e.kind == FAIL_POLICY || e.kind == FAIL_LIMIT)
		log_warn("event=keys worker=%u refused=\"%s\"", worker, e.msg);
	do
		n = send(sock, answer.p, answer.n, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	buf_free(&result);
	buf_free(&answer);
	return n < 0 ? -1 : 0;
}

void keys_serve(struct keys_service *s, int sock, uint32_t worker)
{
	unsigned char p[CAP_KEY_REQUEST];
	ssize_t n;

	for (;;) {
		n = recv(sock, p, sizeof(p), MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		if ((size_t)n > sizeof(p)) {
			log_err("event=keys worker=%u error=\"request of %zd "
			    "octets\"", worker, n);
			return;
		}
		if (serve_one(s, sock, worker, view_make(p, (size_t)n)) != 0)
			return;
		if (memory_lacked()) {
			log_err("event=keys error=\"out of memory: another "
			    "process takes over\"");
			_exit(EX_TEMPFAIL);
		}
	}
}
