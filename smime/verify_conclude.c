/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Steps 14 to 16 of verification (S75-S77): from the findings about
 * signers to one result about the message.
 */
#include "smime/verify.h"

#include <string.h>

#define DAY 86400

static void set_result(struct verification *v, enum sig_result r, int step,
    const char *reason)
{
	v->result = r;
	v->step = step;
	text_set(v->reason, sizeof(v->reason), reason);
}

/* Which failure speaks for several: the gravest first. */
static int rank(enum sig_result r)
{
	static const int ranks[] = {
		[SIG_FAIL] = 6,
		[SIG_TEMPERROR] = 5,
		[SIG_POLICY] = 4,
		[SIG_PERMERROR] = 3,
		[SIG_NEUTRAL] = 2,
		[SIG_NONE] = 1,
		[SIG_PASS] = 0,
	};

	return ranks[r];
}

/* S74 for a signer of whom the gateway said nothing worse. */
static void settle_signer(struct signer_finding *f)
{
	if (f->result != SIG_PASS || f->from_match ||
	    f->for_domain[0] != '\0')
		return;
	f->result = SIG_POLICY;
	f->step = 74;
	text_set(f->reason, sizeof(f->reason), "signer does not match From "
	    "(RFC 8550 3)");
}

static int find_best(struct verification *v)
{
	int best = -1;

	for (size_t i = 0; i < v->signers; i++)
		settle_signer(&v->signer[i]);
	for (size_t i = 0; i < v->signers; i++) {
		if (v->signer[i].result == SIG_PASS)
			return (int)i;
		if (best == -1 || rank(v->signer[i].result) >
		    rank(v->signer[best].result))
			best = (int)i;
	}
	return best;
}

/* S76 and Johnny C2: one bad signature spoils the good one beside it. */
static bool someone_failed(const struct verification *v)
{
	for (size_t i = 0; i < v->signers; i++)
		if (v->signer[i].crypto_failed)
			return true;
	return false;
}

/* One more for the comment; what does not fit is left out whole. */
static void add_remark(struct verification *v, const char *s)
{
	size_t n = strlen(v->comment), room = sizeof(v->comment);

	if (s[0] == '\0' || n + 2 + strlen(s) >= room)
		return;
	if (n > 0) {
		text_set(v->comment + n, room - n, "; ");
		n += 2;
	}
	text_set(v->comment + n, room - n, s);
}

/* S77: never a reason to pass or to fail, only a remark. */
static void remark_time(struct verification *v,
    const struct signer_finding *f, int64_t now)
{
	int64_t t = f->signing_time;

	if (t == -1 || f->cert == NULL)
		return;
	if (t > now + DAY)
		add_remark(v, "signing time is in the future");
	else if (t < cert_not_before(f->cert) || t > cert_not_after(f->cert))
		add_remark(v, "signing time is outside the certificate's "
		    "validity");
}

void verify_conclude(struct verification *v, bool at_root, int64_t now)
{
	const struct signer_finding *f;

	v->best = -1;
	v->comment[0] = '\0';
	if (v->signers == 0)
		return; /* decided before any signer was looked at */
	v->best = find_best(v);
	f = &v->signer[v->best];
	add_remark(v, f->remark);
	if (f->has_list)
		add_remark(v, "came through a list");
	if (f->wants_receipt)
		add_remark(v, "the signer asks for a receipt");
	remark_time(v, f, now);
	set_result(v, f->result, f->step, f->reason);
	if (f->result != SIG_PASS)
		return;
	if (someone_failed(v))
		set_result(v, SIG_FAIL, 76, "another signature of the "
		    "message does not verify (RFC 5652 5.1)");
	else if (!at_root)
		set_result(v, SIG_NEUTRAL, 75, "signed part is not the whole "
		    "message (RFC 8551 3.5)");
}
