/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One message on its way through the pipeline, shared by the files of
 * gateway/ that work on it. Everything here dies with the message
 * (txn_free).
 */
#ifndef GATEWAY_GATEWAY_INT_H
#define GATEWAY_GATEWAY_INT_H

#include "gateway/gateway.h"
#include "gateway/reply.h"
#include "smime/hp_write.h"
#include "smime/shape.h"

struct cms;

/* A recipient beside its place in the verdict (same index). */
struct txn_rcpt {
	struct addr addr; /* empty text: not readable */
	enum rcpt_form form;
	enum direction direction;
	struct cert *cert; /* chosen for encryption; owned */
	bool visible;	   /* in To or Cc */
};

struct txn {
	struct gateway *g;
	const struct envelope *env;
	const struct spool *msg;
	struct verdict *v;
	int64_t now;

	struct header h;
	struct ctype ct;
	struct shape sh;
	struct cms *cms; /* at the root, parsed for the class; or NULL */
	struct txn_rcpt *rcpt; /* as many as v->rcpts */
	struct addr mail_from; /* empty text: null sender, or unreadable */
	bool null_sender;
	struct addr from;     /* valid with has_from */
	bool has_from;	      /* one From field with one mailbox */
	size_t from_fields;
	bool is_report;	      /* strictly of the form of RFC 6522 (S45) */

	/* the caller's operations, counted */
	struct key_ops keys;
	int key_ops;
	int64_t lookup_ms; /* spent in directories */
	bool keys_away;	  /* one failed for a time */
	bool keys_denied; /* keys gave no right to sign, against our plan */
};

/* ---- gateway.c ---- */

/* One sentence (no newline) for the verdict; too many are left out. */
#define TXN_WARNINGS 32768
#define txn_warn(t, ...)                                                  \
	do {                                                              \
		struct buf *warnings_ = &(t)->v->warnings;                \
		if (warnings_->n < TXN_WARNINGS) {                        \
			buf_printf(warnings_, __VA_ARGS__);               \
			buf_putc(warnings_, '\n');                        \
		}                                                         \
	} while (0)
/* Whose mailbox recipient i's is: details stripped where they are ours. */
void txn_mailbox(const struct txn *t, size_t i, struct addr *out);
/* A spool for output: as large as a sealed message can become. */
int txn_spool(const struct txn *t, struct spool **out, struct err *e)
    MUST_CHECK;
/* Delete every field of that name from the message's header. */
int txn_delete_all(struct txn *t, const char *name, struct err *e)
    MUST_CHECK;
/* Does any recipient go in one of these directions? */
bool txn_has_direction(const struct txn *t, enum direction d);

/* Would a rule for mail of this author want to know that the signer is not
 * revoked? */
bool txn_wants_revocation(const struct txn *t, const struct addr *from);

/* ---- class.c ---- */

/* What kind of message this is (REQUIREMENTS A.4); sets v->class and
 * is_report. FAIL_TEMP. */
int class_detect(struct txn *t, struct err *e) MUST_CHECK;

/* ---- plan.c, plan_rcpt.c ---- */

/* How all recipients' copies are made. */
struct plan {
	bool sign, opaque, encrypt;
	enum sig_alg alg; /* with sign */
	struct writing writing; /* of the rule, the same for all */
	enum hp_policy protect;
	bool must_protect; /* some recipient's rule asks for it */
	enum enc_cipher cipher; /* that all can read */
	struct enc_to *to;	/* n certificates; the array is owned */
	size_t n;
	struct selection signer; /* owned; cert NULL: no signature */
	struct cert *encryption_cert; /* of the author, or NULL; owned */
	bool is_refused; /* the verdict has the reply */
};
/*
 * For the recipients that seal (outbound, and internal ones whose rule has
 * sealing words). FAIL_TEMP, FAIL_BUG.
 */
int plan_make(struct txn *t, struct plan *p, struct err *e) MUST_CHECK;
void plan_free(struct plan *p);
/* Mark the recipients that To and Cc show. */
int plan_mark_visible(struct txn *t, struct err *e) MUST_CHECK;
/* Choose a certificate for recipient i (use: KS_ENCRYPT or KS_STORAGE);
 * none: cert stays NULL and the recipient's reason says why. */
int plan_choose(struct txn *t, size_t i, unsigned use, struct err *e)
    MUST_CHECK;
/* A certificate as the verdict says it. */
void plan_describe(struct verdict_cert *out, const struct cert *c);
/* Say in the verdict how a recipient's copy is encrypted. */
void plan_note_encryption(struct verdict_rcpt *r, const struct enc_to *to,
    enum enc_cipher cipher);
/* Does this recipient's copy get sealed (true) or opened? */
bool plan_seals(const struct txn *t, size_t i);
/*
 * The message is encrypted already. Can all for whom it must be, as far as
 * can be told, open it, and is its cipher what their rules want (S43, S105)?
 * *lack says what is wrong, behind "encrypted already, but"; NULL: it is
 * enough. FAIL_TEMP.
 */
int plan_is_enough(struct txn *t, const char **lack, struct err *e)
    MUST_CHECK;

/* ---- seal.c ---- */

/* The whole way of outgoing mail. */
int seal_run(struct txn *t, struct err *e) MUST_CHECK;
/* Replace the message's MIME entity by this one: header edits and body.
 * Takes the spool. FAIL_INPUT when a field cannot stand in a header. */
int install_entity(struct txn *t, struct spool **take_entity, struct err *e)
    MUST_CHECK;
/* Octets of the message once the verdict's edits are carried out. */
uint64_t txn_size_after(const struct txn *t);

/* ---- open.c (the rest of it: opening.h) ---- */

/* The whole way of incoming mail. */
int open_run(struct txn *t, struct err *e) MUST_CHECK;

/* ---- demand.c ---- */

/* What the rules make of the result: refuse or hold what is not valid. */
void demand_apply(struct txn *t);
/*
 * What they demand of incoming mail that was not worked on: no valid
 * signature is known, and nothing was sealed for storage.
 */
void demand_unworked(struct txn *t);

/* ---- ar.c ---- */

/* Delete forged Authentication-Results (S176). */
int ar_strip(struct txn *t, struct err *e) MUST_CHECK;
/* The same for a message whose header is beyond our caps: every field of
 * that name goes. FAIL_LIMIT: there are too many. */
int ar_strip_unread(struct txn *t, struct err *e) MUST_CHECK;
/* Is this value to be removed? raw_value as in the message. */
bool ar_is_forged(const char *authserv_id, struct view raw_value);
/* One result of ours. */
struct ar_result {
	const char *result; /* of RFC 7281; NULL: nobody looked */
	char comment[201];
	const char *signer; /* address that is proven (S179), or NULL */
	char part[64];	    /* "" none */
};
/* Insert our field, one smime= for each result. */
int ar_insert(struct txn *t, const struct ar_result *r, size_t n,
    struct err *e) MUST_CHECK;

/* ---- store.c ---- */

/* Seal the message as it arrived for its recipients' own certificates. */
int store_run(struct txn *t, struct err *e) MUST_CHECK;
/* Does any recipient's rule say store-encrypted? */
bool store_wanted(const struct txn *t);
/* The mail server is to hold the message: it may not be stored in clear. */
void store_hold(struct txn *t, const char *why);

#endif
