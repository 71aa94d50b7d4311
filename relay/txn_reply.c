/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What clients may see of next hops, and what logs and counters keep.
 */
#include <string.h>

#include "relay/txn_int.h"
#include "util/log.h"

void txn_reply_set(struct smtp_reply *r, int code, const char *enhanced,
    const char *text)
{
	r->code = code;
	text_set(r->enhanced, sizeof(r->enhanced), enhanced);
	text_set(r->text, sizeof(r->text), text);
}

/* An enhanced code of another class would contradict the code (RFC 2034 3). */
static void fix_enhanced(struct smtp_reply *r)
{
	static const char *const none[] = { "2.0.0", "4.0.0", "5.0.0" };
	int class = r->code / 100;

	if (r->enhanced[0] == '0' + class)
		return;
	text_set(r->enhanced, sizeof(r->enhanced),
	    none[class == 2 ? 0 : class - 3]);
}

void txn_reply_take(struct smtp_reply *out, const struct hop_reply *got)
{
	int class = got->reply.code / 100;

	*out = got->reply;
	if (got->state == HOP_UNKNOWN)
		txn_reply_set(out, 451, "4.4.2", "The next hop did not "
		    "answer: status unknown, may be duplicated");
	else if (out->code == 421)
		/* the next hop's connection, not the client's */
		txn_reply_set(out, 451, "4.3.2", out->text);
	else if (out->code == 530 || out->code == 534 || out->code == 535 ||
	    out->code == 538)
		/* nothing that the client could do about it */
		txn_reply_set(out, 451, "4.3.5", "The next hop does not let "
		    "us send");
	else if (class != 2 && class != 4 && class != 5)
		txn_reply_set(out, 451, "4.5.0", "The next hop broke the "
		    "protocol");
	fix_enhanced(out);
}

/* ---- logs ---- */

static const char *result_of(const struct smtp_reply *r)
{
	if (r->code / 100 == 2)
		return "sent";
	return r->code / 100 == 5 ? "refused" : "deferred";
}

static void count(const struct txn_rcpt *r, const char *result,
    const struct hop_reply *got)
{
	enum relay_count c = COUNT_RCPT_DEFERRED;

	if (got != NULL && got->state == HOP_UNKNOWN)
		c = COUNT_RCPT_UNKNOWN;
	else if (strcmp(result, "refused") == 0)
		c = COUNT_RCPT_REFUSED;
	else if (strcmp(result, "ledger") == 0)
		c = COUNT_LEDGER_HITS;
	else if (r->reply.code / 100 == 2)
		c = COUNT_RCPT_SENT;
	relay_stats_add(r->t->w->stats, c);
	if (got != NULL ? got->is_tls_failure :
	    strncmp(r->reply.enhanced, "4.7.", 4) == 0)
		relay_stats_add(r->t->w->stats, COUNT_POLICY_FAILURES);
}

static size_t put_hop(char *line, size_t size, size_t n,
    const struct txn_rcpt *r)
{
	const struct hop *h = r->hop == NULL ? NULL : r->hop->h;
	const struct route *to = h == NULL ? NULL : hop_route(h);
	const struct route_host *host = h == NULL ? NULL : hop_host(h);
	const struct tls_got *tls = h == NULL ? NULL : hop_tls(h);
	char where[400];
	struct buf b;

	if (to == NULL)
		return n;
	n = log_value(line, size, n, "hop", to->nexthop);
	if (host == NULL)
		return n;
	buf_init(&b, 256);
	buf_printf(&b, "%s/%s", tls_level_str(host->want.asked),
	    tls == NULL || !tls->is_tls ? "none" : tls_level_str(tls->level));
	n = log_value(line, size, n, "mx", hop_where(where, sizeof(where),
	    host));
	n = log_value(line, size, n, "tls", buf_str(&b));
	buf_free(&b);
	if (host->want.because[0] != '\0')
		n = log_value(line, size, n, "rule", host->want.because);
	return n;
}

void txn_log(const struct txn_rcpt *r, const char *result,
    const struct hop_reply *got)
{
	const struct txn *t = r->t;
	char line[3000];
	struct buf reply;
	size_t n = 0;

	if (result == NULL && got != NULL && got->state == HOP_UNKNOWN)
		result = "unknown";
	if (result == NULL)
		result = result_of(&r->reply);
	count(r, result, got);
	line[0] = '\0';
	n = log_value(line, sizeof(line), n, "from", t->from_addr);
	n = log_value(line, sizeof(line), n, "to", r->addr);
	n = put_hop(line, sizeof(line), n, r);
	if (got != NULL && got->tls_result[0] != '\0')
		n = log_value(line, sizeof(line), n, "tls-result",
		    got->tls_result);
	if (t->require_tls)
		n = log_value(line, sizeof(line), n, "requiretls", "yes");
	if (r->tls_optional)
		n = log_value(line, sizeof(line), n, "tls-required", "no");
	if (t->queue_id[0] != '\0')
		n = log_value(line, sizeof(line), n, "qid", t->queue_id);
	n = log_value(line, sizeof(line), n, "result", result);
	buf_init(&reply, 700);
	buf_printf(&reply, "%d %s %s", r->reply.code, r->reply.enhanced,
	    r->reply.text);
	(void)log_value(line, sizeof(line), n, "reply", buf_str(&reply));
	buf_free(&reply);
	log_info("event=rcpt id=%s %s", t->id, line);
}
