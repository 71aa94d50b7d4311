/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Carrying a verdict out on the MTA: the one place that calls the modifying
 * functions of libmilter and chooses what a callback returns.
 */
#ifndef MILTER_APPLY_H
#define MILTER_APPLY_H

#include <libmilter/mfapi.h>

#include "milter/wire.h"

/* What was negotiated, and what of the envelope is needed for it. */
struct apply_to {
	SMFICTX *ctx;
	unsigned long actions; /* SMFIF_* that the MTA lets us use */
	bool lead_space;       /* SMFIP_HDR_LEADSPC */
	char *mail_from;       /* as MAIL gave it */
	const char *envid;     /* "ENVID=...", or NULL */
	/* as RCPT gave them, octet for octet: what the MTA compares (M21) */
	char **rcpt;
};

/*
 * Edits in the order that every MTA takes: deletions from the highest index
 * down, insertions, sender, recipients, quarantine, and the body last in one
 * run (M6). Recipients who are not here go: their copies were sent or held
 * before. Nothing of it takes effect unless the returned value accepts;
 * every failure is SMFIS_TEMPFAIL with e set.
 */
sfsistat apply_answer(const struct apply_to *to, struct answer *a,
    struct err *e);

/*
 * Set the reply and give the return value that belongs to its code: 4xx
 * SMFIS_TEMPFAIL, 5xx SMFIS_REJECT (another pair would be ignored silently).
 * Long texts become several lines, % is doubled (M9).
 */
sfsistat apply_reply(SMFICTX *ctx, int code, const char *enhanced,
    const char *text);

#endif
