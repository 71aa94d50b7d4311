/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Composes the notice as a mail (RFC 5322), generated and saying so (RFC
 * 3834).
 */
#include "gateway/notice.h"

#include <string.h>

#include "gateway/attention.h"
#include "gateway/verdict.h"
#include "smime/codec.h"
#include "util/ossl.h"
#include "util/when.h"

#define TEXT_MAX (1u << 20)

/* "\n" to CRLF, the rest as quoted-printable. */
int notice_put_body(struct buf *mail, struct view text, struct err *e)
{
	struct qp_enc qp;
	size_t nl, at = 0;

	qp_enc_init(&qp, sink_to_buf(mail));
	while (at < text.n) {
		nl = view_chr(text, '\n', at);
		if (nl == (size_t)-1)
			nl = text.n;
		if (qp_enc_put(&qp, text.p + at, nl - at, e) != 0 ||
		    qp_enc_put(&qp, "\r\n", 2, e) != 0)
			return -1;
		at = nl + 1;
	}
	return qp_enc_end(&qp, e);
}

void notice_put_type(struct buf *mail)
{
	buf_puts(mail, "Auto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
}

static void put_header(struct buf *mail, const struct config *c,
    size_t items, int64_t now)
{
	char id[20], date[WHEN_SIZE];

	verdict_new_id(id);
	buf_printf(mail, "From: postseal <postmaster@%s>\r\n"
	    "To: <%s>\r\n", c->domain[0], c->notice_to);
	buf_printf(mail, "Subject: postseal on %s: %zu %s your attention\r\n",
	    c->authserv_id, items, items == 1 ? "thing wants" :
	    "things want");
	buf_printf(mail, "Date: %s\r\nMessage-ID: <%s@%s>\r\n",
	    when_mail(date, now), id, c->authserv_id);
	notice_put_type(mail);
}

int notice_compose(struct keystore *ks, const struct config *c, int64_t now,
    struct notice *out, struct err *e)
{
	unsigned char sha256[32];
	struct buf text;
	int rc = -1;

	memset(out, 0, sizeof(*out));
	buf_init(&out->mail, NOTICE_MAX);
	buf_init(&text, TEXT_MAX);
	if (c->notice_to == NULL) {
		(void)err_set(e, FAIL_CONFIG, "no notices { } in %s",
		    c->path);
		goto out;
	}
	if (attention_print(ks, c, now, c->notice_before_s, &text,
	    &out->items, e) != 0)
		goto out;
	ossl_sha256(text.p, text.n, sha256);
	hex_encode(out->hash, sha256, 32);
	buf_puts(&text, "\n\"postseal status\" says the same at any time; "
	    "postseal(1) explains it.\n");
	put_header(&out->mail, c, out->items, now);
	if (out->items > 0 &&
	    notice_put_body(&out->mail, buf_view(&text), e) != 0)
		goto out;
	rc = buf_ok(&out->mail, e);
out:
	buf_free(&text);
	return rc;
}

void notice_free(struct notice *n)
{
	buf_free(&n->mail);
}

bool notice_may_be_due(const struct config *c,
    const struct life_notice *last, int64_t now)
{
	int64_t since = now - last->sent;

	/* a clock that was set back does not silence us for good */
	return last->sent == 0 || since < 0 || since >= c->notice_every_s;
}

bool notice_is_due(const struct config *c, const struct notice *n,
    const struct life_notice *last, int64_t now)
{
	int64_t since = now - last->sent;

	if (n->items == 0 || !notice_may_be_due(c, last, now))
		return false;
	return strcmp(n->hash, last->hash) != 0 || since < 0 ||
	    since >= NOTICE_SAME_S;
}
