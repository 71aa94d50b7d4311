/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The one table of replies (REQUIREMENTS F.4): what went wrong, as SMTP
 * code, enhanced code and sentence.
 */
#ifndef GATEWAY_REPLY_H
#define GATEWAY_REPLY_H

#include "gateway/verdict.h"

enum reply_case {
	REPLY_NO_CERTIFICATE,	 /* 550 5.7.3 */
	REPLY_DIFFERENT_BODIES,	 /* 550 5.7.3: no way for several copies */
	REPLY_NOT_ALLOWED,	 /* 550 5.7.1: login may not sign as From */
	REPLY_NO_SIGNING_CERT,	 /* 550 5.7.5 */
	REPLY_ALGORITHM,	 /* 550 5.7.6 */
	REPLY_REFUSED_BY_RULE,	 /* 550 5.7.1 */
	REPLY_RECIPIENT,	 /* 553 5.1.3: has no single reading */
	REPLY_MALFORMED,	 /* 554 5.6.0 */
	REPLY_TOO_LARGE,	 /* 552 5.3.4 */
	REPLY_CLEAR_ANSWER,	 /* 550 5.7.1: to mail that came encrypted */
	REPLY_NOT_VERIFIED,	 /* 550 5.7.1: inbound verify or reject */
	REPLY_VERIFY_LATER,	 /* 451 4.7.5: and not to be known now */
	REPLY_KEYS_AWAY,	 /* 451 4.7.5 */
	REPLY_DIRECTORY_AWAY,	 /* 451 4.4.3: which has the certificate */
	REPLY_OVERLOAD,		 /* 451 4.3.2 */
	REPLY_INTERNAL		 /* 451 4.3.0 */
};

/*
 * Set action, code, enhanced and text of v. detail names recipients and the
 * reason in plain words; the id is appended. The sentence is in the language
 * of v->texts, without its marks, the detail in English. Text is cut to what
 * a reply line may hold (M9), control octets and non-ASCII replaced.
 */
void reply_set(struct verdict *v, enum reply_case c, const char *detail);
/* For a failure of ours: by kind. */
void reply_from_err(struct verdict *v, const struct err *e);

#endif
