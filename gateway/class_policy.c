/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What is done with a message of a class (REQUIREMENTS A.4), by classes { }.
 * A class is what its sender declares: it never weakens a rule that says
 * must encrypt (S45).
 */
#include "gateway/gateway_int.h"

static enum class_word word_of(const struct txn *t)
{
	return (enum class_word)t->g->config->class_word[t->v->class];
}

/* Its form must stay at the top of the message (RFC 6522, RFC 8823 3.2, RFC
 * 8460 3), or it is sealed already. */
bool class_is_left(const struct txn *t)
{
	switch (t->v->class) {
	case CLASS_DSN:
	case CLASS_ENCRYPTED:
		return true;
	case CLASS_MDN:
	case CLASS_REPORT:
	case CLASS_ACME:
		return word_of(t) == DO_PASS;
	case CLASS_PGP:
		return t->sh.kind == SHAPE_PGP_ENCRYPTED;
	default:
		return false;
	}
}

bool class_may_sign(const struct txn *t, const struct treatment *w)
{
	if (t->null_sender)
		return false; /* nobody speaks */
	switch (t->v->class) {
	case CLASS_SIGNED: /* no second signature */
	case CLASS_PGP:
		return false;
	case CLASS_RESENT: /* the resender is not the author */
		return word_of(t) == DO_LIKE_OTHERS;
	case CLASS_CALENDAR: /* readers of invitations cannot cope */
	case CLASS_AUTO:
	case CLASS_LIST:
		return word_of(t) != DO_PASS || w->sign_or == OR_MUST;
	default:
		return true;
	}
}

bool class_may_encrypt(const struct txn *t, const struct treatment *w)
{
	/* else it is held, or waits, but does not go in clear */
	if (w->encrypt_or != OR_PLAIN)
		return true;
	/* null sender: nobody who could be answered to in a bounce */
	if (t->null_sender)
		return false;
	switch (t->v->class) {
	case CLASS_MDN:
	case CLASS_SIGNED:
	case CLASS_CALENDAR:
	case CLASS_AUTO:
	case CLASS_RESENT:
	case CLASS_LIST:
		return word_of(t) != DO_PASS && word_of(t) != DO_SIGN;
	default:
		return true;
	}
}

bool class_counts_as_encrypted(const struct txn *t)
{
	/* what is encrypted for S/MIME was looked at in judge_class */
	if (t->v->class == CLASS_ENCRYPTED)
		return true;
	if (t->v->class == CLASS_PGP &&
	    t->sh.kind == SHAPE_PGP_ENCRYPTED)
		return word_of(t) == DO_ACCEPT && t->is_armoured;
	/* A mail server's own report. Who logs in is a person. */
	return t->is_report && t->null_sender &&
	    t->env->auth != ENV_AUTH_LOGIN;
}
