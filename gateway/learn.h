/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What other people's software reads: learned from mail that they signed
 * (S106), kept, and looked up when mail to them is encrypted. Believed is
 * only what a valid signature of the author himself covers.
 */
#ifndef GATEWAY_LEARN_H
#define GATEWAY_LEARN_H

#include "gateway/gateway.h"
#include "smime/capability.h"

struct txn;
struct verification;

/*
 * Note in the verdict what the signer says of his software. ver is the
 * result that counts for the whole message, or NULL; nothing is noted unless
 * it is a pass, the signer is the author, and his signingTime not more than
 * a day in the future.
 */
void learn_note(struct txn *t, const struct verification *ver);

/*
 * Keep what a verdict carries; an empty one changes nothing. Checks again
 * what it is given, for it may come from a process that reads mail: FAIL_BUG
 * when it is nothing that learn_note() writes. FAIL_TEMP.
 */
int learn_keep(struct keystore *ks, const struct learned *l, int64_t now,
    struct err *e) MUST_CHECK;

/* What is known of somebody as a reader, and where from. */
enum learn_source { LEARN_NOTHING, LEARN_MAIL, LEARN_CERT };
struct reader {
	enum learn_source source;
	int64_t signed_at; /* LEARN_MAIL */
	struct capabilities caps;
};

/*
 * What is known of an address whose certificate is this (or NULL): from mail
 * signed with that certificate, else the newest of the address, else the
 * certificate's extension (S109), which also counts when it is newer than
 * mail signed with another one. FAIL_TEMP.
 */
int learn_lookup(struct keystore *ks, const struct addr *a,
    const struct cert *c, struct reader *out, struct err *e) MUST_CHECK;

/* The same of recipient i, whose chosen certificate is t->rcpt[i].cert.
 * FAIL_TEMP. */
int learn_get(struct txn *t, size_t i, struct reader *out, struct err *e)
    MUST_CHECK;

/* What the choice of cipher and key transport goes by, for people; or that
 * a rule leaves no choice. */
void learn_why(const struct reader *l, const struct writing *x, char *why,
    size_t n);

#endif
