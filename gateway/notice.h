/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The notice that an administrator gets by mail: what wants attention, and
 * when it is due. No content of any mail is in it.
 */
#ifndef GATEWAY_NOTICE_H
#define GATEWAY_NOTICE_H

#include "gateway/config.h"
#include "keystore/life.h"

#define NOTICE_MAX (4u << 20) /* octets of the mail */
struct notice {
	struct buf mail; /* header and body, CRLF, 7 bit; to be freed */
	size_t items;	 /* 0: there is nothing to say, and no mail */
	char hash[65];	 /* SHA-256 of what it says, for notice_is_due() */
};
/* FAIL_TEMP; FAIL_CONFIG when no notices { } is configured. */
int notice_compose(struct keystore *ks, const struct config *c, int64_t now,
    struct notice *out, struct err *e) MUST_CHECK;
void notice_free(struct notice *n);

/* Parts of every such mail: the fields that say that a program wrote it, with
 * the empty line behind the header; and its lines as quoted-printable. */
void notice_put_type(struct buf *mail);
int notice_put_body(struct buf *mail, struct view text, struct err *e)
    MUST_CHECK;

/*
 * Is it time, whatever it says, and with what it says? At most one in
 * notice_every_s; one that says the same as the last only every
 * NOTICE_SAME_S.
 */
#define NOTICE_SAME_S ((int64_t)7 * 86400)
bool notice_may_be_due(const struct config *c,
    const struct life_notice *last, int64_t now);
bool notice_is_due(const struct config *c, const struct notice *n,
    const struct life_notice *last, int64_t now);

#endif
