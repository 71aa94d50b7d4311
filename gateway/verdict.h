/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The verdict: everything decided about one message, with the
 * edits that carry it out. postseal-verdict(7) describes the JSON.
 */
#ifndef GATEWAY_VERDICT_H
#define GATEWAY_VERDICT_H

#include "gateway/rules.h"
#include "util/json.h"
#include "util/spool.h"

enum msg_class {
	CLASS_NORMAL,
	CLASS_DSN,
	CLASS_MDN,
	CLASS_ACME,
	CLASS_REPORT,
	CLASS_ENCRYPTED,
	CLASS_SIGNED,
	CLASS_PGP,
	CLASS_CALENDAR,
	CLASS_AUTO,
	CLASS_RESENT,
	CLASS_LIST
};

enum action {
	ACT_UNCHANGED,
	ACT_REPLACED,
	ACT_REJECTED,
	ACT_DEFERRED,
	ACT_QUARANTINED,
	ACT_SPLIT
};

enum outcome {
	OUT_PASSED,
	OUT_SEALED,
	OUT_SIGNED,
	OUT_PLAIN,
	OUT_TLS_REQUIRED,
	OUT_OPENED,
	OUT_VERIFIED,
	OUT_STORE_ENCRYPTED,
	OUT_REFUSED,
	OUT_DEFERRED,
	OUT_QUARANTINED
};
const char *class_str(enum msg_class c);
const char *action_str(enum action a);
const char *outcome_str(enum outcome o);

struct verdict_cert {
	char sha256[65];
	char subject[200];
	int64_t not_after;
	char source[220]; /* directory that gave it; "": the keystore */
};
struct verdict_over {
	char sha256[65];
	char reason[160];
};

struct verdict_rcpt {
	char *address; /* as RCPT TO gave it, without <> */
	struct rule_ref rule;
	struct rule_ref *also; /* lines that added to it; owned */
	size_t alsos;
	struct treatment wanted;
	enum outcome outcome;
	int group; /* from 1; 0 none */
	struct verdict_cert *cert;
	size_t certs;
	struct verdict_over *over;
	size_t overs;
	/* how it was encrypted, and what the choice went by; "" if not */
	char cipher[16];
	char key_transport[24];
	char capabilities[100];
	char reason[256]; /* one sentence in plain words, "" if none */
};

/*
 * One edit of the message header, in the order in which they are to be
 * applied: all deletions first, highest index first within a name (in
 * Postfix later indexes shift, in Sendmail not: CVE-2022-48521), then
 * insertions at the top in the order given (each goes above the last).
 */
enum edit_kind { EDIT_DELETE, EDIT_INSERT_TOP, EDIT_ADD };
struct edit {
	enum edit_kind kind;
	char *name;
	int index;   /* EDIT_DELETE: nth of this name, from 1 */
	char *value; /* folded with LF, no CR; starts after "Name:" with its
			blank */
};

/* What a signer says that his software reads (S106). */
struct learned {
	char address[CAP_ADDRESS * 2 + 2]; /* the author's; "": nothing */
	unsigned char cert[32];		   /* SHA-256 of his certificate */
	int64_t signed_at;
	unsigned char list[CAP_CAPABILITIES]; /* DER */
	size_t list_n;
};

/* What becomes of the author's certificate (S123). */
struct harvested {
	const char *state; /* "usable" "pending" "refused"; NULL: not asked */
	char address[CAP_ADDRESS * 2 + 2];
	char sha256[65];
	char reason[200];
	struct buf der; /* for the store; empty: it need not be told */
};

/*
 * A copy for recipients who do not get what goes on in this transaction
 * (M23): a whole message of its own.
 */
enum copy_kind {
	COPY_SENT, /* sent on by itself */
	COPY_HELD  /* kept until somebody decides, sealed; not a message yet */
};
struct copy {
	enum copy_kind kind;
	int group;	    /* of its recipients (struct verdict_rcpt) */
	uint64_t off, size; /* octets in the verdict's copies */
	bool ret_hdrs;	    /* as in the verdict */
	bool by_tls;	    /* by tls-route, and no other way: it is in clear
			       where it had to be encrypted (T56) */
};

struct verdict {
	char id[20];
	/* of the envelope, as it was told; "": none */
	char sender[CAP_ADDRESS * 2 + 2];
	char login[256];
	char queue_id[64];
	int64_t at; /* receipt */
	/* of the sender's language, of the configuration; NULL: English */
	const struct texts *texts;
	bool may_tell; /* its sender may be sent a notice (A49) */
	enum direction direction; /* 0 with mixed */
	bool mixed;
	enum msg_class class;
	enum action action;
	/* reply: code 0 = none */
	int code;
	char enhanced[12];
	char text[1024]; /* one line, for the sender */

	struct verdict_rcpt *rcpt;
	size_t rcpts;

	/* the signature that was made here; NULL: none was */
	const char *made_algorithm;
	struct verdict_cert made_by;

	/* signature; result "none" by default */
	const char *sig_result;
	char sig_signer[CAP_ADDRESS * 2 + 2];
	bool sig_from_match;
	/* that the signer speaks for by configuration: a domain, or one
	 * address; "" */
	char sig_domain[CAP_ADDRESS * 2 + 2];
	char sig_part[64];
	char sig_algorithm[64];
	char sig_chain[200];
	const char *sig_revocation; /* "good" "revoked" "unknown", or NULL */
	char sig_step[8]; /* "S72", "" = null */
	char sig_reason[256];

	/* decryption; result none decrypted no-key failed limit */
	const char *dec_result;
	char dec_cipher[32];
	char dec_transport[32];
	char dec_recipient[CAP_ADDRESS * 2 + 2];
	bool dec_authenticated;
	char dec_reason[256];

	struct buf layers;   /* "kind part\n" lines, outermost first */
	struct buf warnings; /* lines */
	struct buf restored; /* names of header fields, lines (RFC 9788) */
	uint64_t size_in, size_out;
	int64_t timing_us;

	/* what is to be done */
	struct edit *edit;
	size_t edits;
	struct spool *body; /* the new body, CRLF; NULL: unchanged */
	bool ret_hdrs;	    /* bounces must carry headers only (S47) */
	/*
	 * With ACT_SPLIT edits and body are for the recipients of group
	 * here, if it is not 0, and each other group has a copy. With
	 * ACT_QUARANTINED there is nobody here (0), and one copy, which is
	 * held.
	 */
	int here;
	struct copy *copy; /* owned */
	size_t copy_n;
	struct spool *copies; /* their octets; NULL: none */
	/* SHA-256 of what makes two messages the same one, tried again: sender,
	 * Message-ID and what else its author wrote, not the trace (M24).
	 * Only where there is a copy. */
	unsigned char content[32];
	bool has_message_id;
	/* nothing is done (observe): what would have been */
	bool observed;
	enum action would;
	int would_code;
	char would_text[1024];
	/* to be remembered: SHA-256 of the Message-ID of opened mail (S160) */
	bool has_opened;
	unsigned char opened[32];
	struct learned learned; /* likewise */
	struct harvested harvested; /* likewise; nobody but the milter does */
};

void verdict_init(struct verdict *v);
void verdict_free(struct verdict *v); /* what is inside; may be repeated */
/* A fresh id, lower-case base32, NUL-terminated. */
void verdict_new_id(char id[20]);
/* The stable JSON of postseal-verdict(7), appended. */
void verdict_json(const struct verdict *v, struct buf *out);
/* The one log line (without level): id=... qid=... ; appended. */
void verdict_log_line(const struct verdict *v, const char *queue_id,
    struct buf *out);

int verdict_delete(struct verdict *v, const char *name, int index,
    struct err *e) MUST_CHECK;
/* FAIL_BUG when name or value may not stand in a header (M4, A42). */
int verdict_insert(struct verdict *v, const char *name, const char *value,
    struct err *e) MUST_CHECK;

/* The same, after all other fields (MIME fields: they are no trace). */
int verdict_add(struct verdict *v, const char *name, const char *value,
    struct err *e) MUST_CHECK;

/* The edits of another one from this on, behind its own. FAIL_TEMP. */
int verdict_copy_edits(struct verdict *v, const struct verdict *of,
    size_t from, struct err *e) MUST_CHECK;
/* Only the first n edits stay. */
void verdict_cut_edits(struct verdict *v, size_t n);

/*
 * Carry the edits out on a message held as a spool: what an MTA would make
 * of it. out gets the whole new message. Used by postseal seal|open, by the
 * tests as the model MTA.
 */
int verdict_apply(const struct verdict *v, const struct spool *msg,
    struct spool *out, struct err *e) MUST_CHECK;

/* Carry them out on msg, and put the whole new message, of at most max
 * octets, in their place and that of the body; nothing to be changed and no
 * copies, or copies for everybody: nothing is. */
int verdict_whole(struct verdict *v, const struct spool *msg, uint64_t max,
    struct err *e) MUST_CHECK;

#endif
