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
	/* likewise, further ones of who shares the mailbox; each owned */
	struct cert **more;
	size_t mores;
	bool visible;	   /* in To or Cc */
	bool held;	   /* he gets nothing until somebody decides */
	bool by_tls;	   /* in clear, by tls-route alone */
	bool by_domain;	   /* the key that opens is all of his domain's */
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
	struct cms *inside; /* encrypted, within a signature; or NULL */
	struct txn_rcpt *rcpt; /* as many as v->rcpts */
	/* Recipients get the same octets by groups (from 1, of groups). That
	 * at hand: only its members count. 0: all recipients do. */
	int group, groups;
	struct addr mail_from; /* empty text: null sender, or unreadable */
	bool null_sender;
	struct addr from;     /* valid with has_from */
	bool has_from;	      /* one From field with one mailbox */
	size_t from_fields;
	struct trigger *trigger; /* what is no more in h; owned, or NULL */
	int64_t header_grown;	 /* h, by octets, for that */
	bool is_armoured;     /* PGP, in the form of RFC 3156 4 */
	bool is_report;	      /* strictly of the form of RFC 6522 (S45) */

	/* the caller's operations, counted */
	struct key_ops keys;
	int signs, opens;
	int64_t lookup_ms; /* spent in directories */
	bool is_marked;	  /* visible is known */
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
/* Is recipient i one of the group at hand? */
static inline bool txn_has(const struct txn *t, size_t i)
{
	return t->group == 0 || t->v->rcpt[i].group == t->group;
}
/* How many are, and the first of them. */
size_t txn_members(const struct txn *t, size_t *first);
/* Does that group get its mail by tls-route alone (T56)? */
bool txn_by_tls(const struct txn *t, int group);
/* One more group, whose number is *group. FAIL_LIMIT: CAP_GROUPS. */
int txn_new_group(struct txn *t, int *group, struct err *e) MUST_CHECK;
/* Does any recipient go in one of these directions? */
bool txn_has_direction(const struct txn *t, enum direction d);

/* What rules may look at for recipient i. */
void txn_rule_input(struct txn *t, size_t i, struct rule_input *in);

/* Would a rule for mail of this author want to know that the signer is not
 * revoked? */
bool txn_wants_revocation(const struct txn *t, const struct addr *from);

/* ---- class.c ---- */

/* What kind of message this is (REQUIREMENTS A.4); sets v->class and
 * is_report. FAIL_TEMP. */
int class_detect(struct txn *t, struct err *e) MUST_CHECK;

/* ---- class_pgp.c ---- */

/* Sets is_armoured of a message of PGP. FAIL_TEMP. */
int class_look_at_pgp(struct txn *t, struct err *e) MUST_CHECK;

/* ---- class_policy.c ---- */

/* Is it left as it is, whatever a rule says? Where one says must encrypt,
 * and it does not count as encrypted, it is refused then. */
bool class_is_left(const struct txn *t);
bool class_may_sign(const struct txn *t, const struct treatment *w);
bool class_may_encrypt(const struct txn *t, const struct treatment *w);
bool class_counts_as_encrypted(const struct txn *t);

/* ---- plan*.c ---- */

struct copy_form;
/* Everybody's copy: what it is to be, before anything is made. */
struct plans {
	struct copy_form *form; /* per recipient; owned */
	struct capabilities *caps; /* likewise, of what he reads */
	struct selection signer; /* owned; cert NULL: no signature */
	struct cert *encryption_cert; /* of the author, or NULL; owned */
	bool must_protect; /* some recipient's rule asks for it */
};

/* How the copy of one group is made. */
struct plan {
	bool sign, opaque, encrypt;
	bool by_tls; /* in clear, by tls-route alone */
	enum sig_alg alg; /* with sign */
	struct writing writing; /* of the rule, the same for all */
	enum hp_policy protect;
	bool must_protect;
	enum enc_cipher cipher; /* that all can read */
	struct enc_to *to;	/* n certificates; the array is owned */
	size_t *who;		/* whose they are; owned */
	size_t n;
	const struct plans *all;
};
/*
 * For the recipients that seal (outbound, and internal ones whose rule has
 * sealing words): certificates of all of them, then their groups. Where the
 * verdict has a reply, they are refused with every reason. FAIL_TEMP,
 * FAIL_BUG.
 */
int plan_make(struct txn *t, struct plans *p, struct err *e) MUST_CHECK;
void plans_free(struct plans *p);
/* For the group at hand. FAIL_TEMP. */
int plan_group(struct txn *t, const struct plans *all, struct plan *p,
    struct err *e) MUST_CHECK;
void plan_free(struct plan *p);
/* Mark the recipients that To and Cc show. */
int plan_mark_visible(struct txn *t, struct err *e) MUST_CHECK;
/* Choose a certificate for recipient i (use: KS_ENCRYPT or KS_STORAGE);
 * none: cert stays NULL and the recipient's reason says why. */
int plan_choose(struct txn *t, size_t i, unsigned use, struct err *e)
    MUST_CHECK;
/* A certificate as the verdict says it. */
void plan_describe(struct verdict_cert *out, const struct cert *c);
/* One more of a recipient's. FAIL_TEMP. */
int plan_note_cert(struct verdict_rcpt *r, const struct cert *c,
    struct err *e) MUST_CHECK;
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

/* What groups share that differ only in who can read it: it is signed
 * once. */
struct made {
	bool is_set;
	struct plan how;      /* without certificates */
	struct spool *entity; /* owned */
	struct verdict said;  /* edits and signature */
};
void made_init(struct made *m);
void made_free(struct made *m);
/* The whole way of outgoing mail, for the group at hand. */
int seal_run(struct txn *t, const struct plans *all, struct made *m,
    struct err *e) MUST_CHECK;
/* Replace the message's MIME entity by this one: header edits and body.
 * Takes the spool. FAIL_INPUT when a field cannot stand in a header. */
int install_entity(struct txn *t, struct spool **take_entity, struct err *e)
    MUST_CHECK;
/* Octets of the message once the verdict's edits are carried out. */
uint64_t txn_size_after(const struct txn *t);

/* ---- open.c (the rest of it: opening.h) ---- */

/* The whole way of incoming mail, for the group at hand. Who turns out not
 * to get the same is moved to another one. */
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

/* ---- returned.c ---- */

/* Of a report that goes out, with classes { dsn headers }: the header of what
 * it returns. FAIL_TEMP. */
int returned_strip(struct txn *t, struct err *e) MUST_CHECK;

/* ---- store_owners.c ---- */

/* Recipient i has no certificate of his own: those of who may open his mail
 * by address-map, as many as have one: cert, and more. FAIL_TEMP. */
int store_owners(struct txn *t, size_t i, struct err *e) MUST_CHECK;
void store_owners_free(struct txn_rcpt *r);

/* ---- store.c ---- */

/* Seal the message as it arrived for its recipients' own certificates. */
int store_run(struct txn *t, struct err *e) MUST_CHECK;
/* Does any recipient's rule say store-encrypted? */
bool store_wanted(const struct txn *t);
/* The message is to be held: it may not be stored in clear. */
void store_hold(struct txn *t, const char *why);

/* ---- groups.c ---- */

/* Each group's copy: one in the verdict itself, the others beside it. */
int groups_run(struct txn *t, struct err *e) MUST_CHECK;
/* Nobody may get it: of the group at hand, or all, why. */
void groups_note_held(struct txn *t, const char *why);
/* The whole message was found to be held: it is kept sealed where that can
 * be done, else the mail server holds it. */
int groups_hold_all(struct txn *t, struct err *e) MUST_CHECK;

/* ---- copies.c ---- */

/*
 * The message as x has it, for that group: with a Received field of ours. The
 * verdict has a reply when there is no room for it. FAIL_TEMP.
 */
int copies_add(struct txn *t, const struct verdict *x, int group,
    struct err *e) MUST_CHECK;
/* As it arrived, sealed, for those who are held. FAIL_CONFIG, FAIL_TEMP. */
int copies_hold(struct txn *t, struct err *e) MUST_CHECK;
/* What makes the message this one (verdict.h): content, has_message_id. */
int copies_identify(struct txn *t, struct err *e) MUST_CHECK;

#endif
