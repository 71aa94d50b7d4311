/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The worker's end of the socket to the fetch process.
 */
#include "milter/fetch_client.h"

#include "util/clock.h"
#include "milter/fetch_wire.h"

void fetch_client_init(struct fetch_client *c, int sock)
{
	c->sock = sock;
	c->seq = 0;
	c->lookup_ms = LOOKUP_MS;
	c->grace_ms = LOOKUP_GRACE_MS;
}

struct answer_bufs {
	struct buf head, octets;
};

/* The answer to our question; late ones to those given up are passed over. */
static int receive(struct fetch_client *c, struct answer_bufs *b,
    int64_t until, struct found_certs *out, struct err *e)
{
	struct err why = { 0 };
	uint32_t seq;
	int rc;

	for (;;) {
		/* also when there is always one more to be passed over */
		if (clock_ms() >= until ||
		    !packet_wait(c->sock, until - clock_ms()))
			return err_set(e, FAIL_TEMP, "fetch process: no "
			    "answer");
		rc = packet_recv(c->sock, &b->head, &b->octets, &why);
		if (rc <= 0)
			return err_set(e, FAIL_TEMP, "fetch process: %s",
			    rc == 0 ? "gone" : why.msg);
		seq = 0;
		rc = wire_get_found(&seq, out, buf_view(&b->head),
		    buf_view(&b->octets), &why);
		if (seq == c->seq)
			break;
		err_clear(&why);
	}
	/* it is not for that process to say that mail is refused */
	return rc == 0 ? 0 : err_set(e, FAIL_TEMP, "%s", why.msg);
}

static int find_there(void *ctx, const struct addr *a,
    struct found_certs *out, struct err *e)
{
	struct fetch_client *c = ctx;
	struct lookup_request r = { .seq = ++c->seq,
		.until_ms = clock_ms() + c->lookup_ms, .addr = *a };
	struct answer_bufs b;
	int rc;

	if (c->sock < 0)
		return err_set(e, FAIL_TEMP, "fetch process: not there");
	buf_init(&b.head, CAP_IPC);
	buf_init(&b.octets, FOUND_MAX);
	wire_put_lookup(&b.head, &r);
	rc = buf_ok(&b.head, e);
	if (rc == 0)
		rc = packet_send(c->sock, buf_view(&b.head), view_make(NULL,
		    0), e);
	if (rc == 0)
		rc = receive(c, &b, r.until_ms + c->grace_ms, out, e);
	buf_free(&b.head);
	buf_free(&b.octets);
	return rc;
}

struct lookup_ops fetch_client_ops(struct fetch_client *c)
{
	struct lookup_ops ops = { c, find_there };

	return ops;
}
