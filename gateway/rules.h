/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The rules file (postseal-rules(5)): one rule a line, the
 * first whose envelope conditions match decides; "also" lines add.
 */
#ifndef GATEWAY_RULES_H
#define GATEWAY_RULES_H

#include "gateway/config.h"
#include "gateway/writing.h"

enum direction { DIR_OUTBOUND = 1, DIR_INBOUND, DIR_INTERNAL };
const char *direction_str(enum direction d);

enum or_else {
	OR_MUST, /* no "or": refused, or for verify: only reported */
	OR_PLAIN,
	OR_TLS,
	OR_QUARANTINE,
	OR_REJECT
};

struct treatment {
	bool sign, encrypt, opaque, decrypt, leave_sealed, verify;
	bool harvest, store_encrypted, pass, remove_trigger;
	bool per_recipient; /* a copy for each, visible or not (S131) */
	bool revocation_hard; /* not known is not good (S73, S102) */
	enum or_else sign_or, encrypt_or, verify_or;
	const char *refuse;	     /* text, or NULL; owned by the rules */
	const char *profile;	     /* name, or NULL */
	const char *protect_headers; /* "off" ..., or NULL */
	struct writing_words words;  /* said in the line, beside the profile */
	struct writing writing;	     /* what all of it comes to */
	/* Name of a group that decides here, and is of a list that nobody
	 * could fetch yet: then the rest is no decision. NULL: none. */
	const char *unknown;
};

struct rule_ref { /* which line decided */
	const char *file;
	int line;
	const char *text; /* the line as a sentence, blanks squeezed */
	bool has_from;	  /* it is for mail of named authors alone */
};

struct rules;

/*
 * Parse and check (every direction has a last line without conditions,
 * groups exist, treatments fit the direction, "not yet" for what this
 * version cannot do). Errors in ce; -1 and *out NULL on any.
 */
int rules_read(struct rules **out, const char *path, const struct config *c,
    struct conf_errors *ce) MUST_CHECK;
void rules_free(struct rules **r);
size_t rules_count(const struct rules *r);
/* Does any line say harvest? */
bool rules_harvest(const struct rules *r);

/* The lists out of directories that groups are made of, borrowed. */
struct list_source;
const struct list_source *const *rules_lists(const struct rules *r, size_t *n);
/* Must somebody know what is inside of parts (kinds_open)? */
bool rules_look_inside(const struct rules *r);

enum rule_listed { RULE_LISTED_NO, RULE_LISTED_YES, RULE_LISTED_UNKNOWN };
/* Is what (an address as addr_key(), or "@domain") in the list? */
typedef enum rule_listed rule_listed(void *ctx, const char *list,
    const char *what);

/* What a rule may look at, for one recipient. */
struct rule_input {
	enum direction direction;
	const struct addr *from;	  /* header From; NULL: unparsable */
	/* there is a From, but it does not name exactly one author */
	bool has_authors;
	const struct addr *envelope_from; /* NULL: null sender */
	const struct addr *to;
	const char *login;     /* NULL: none */
	const char *client_ip; /* NULL: unknown */
	rule_listed *listed;   /* NULL: no list is known */
	void *listed_ctx;
};

/*
 * The treatment for one recipient: the first line that matches, or may match
 * (out->unknown then). internal without any rule: pass. Always gives one for
 * a checked file.
 */
void rules_decide(const struct rules *r, const struct rule_input *in,
    struct treatment *out, struct rule_ref *ref);

/*
 * Whoever cannot be read may be anybody (A24): for mail that comes in from
 * such an author (in->from NULL) or to such a recipient (in->to with empty
 * text), add to out what any rule of this direction demands whose other
 * conditions hold: a valid signature, known revocation; for a recipient also
 * that it stays or gets sealed. For mail that goes out with several authors:
 * that it is encrypted. True: something was added.
 */
bool rules_tighten(const struct rules *r, const struct rule_input *in,
    struct treatment *out);

/* The treatment as words: "sign, encrypt or plain"; appended. */
void treatment_print(const struct treatment *t, struct buf *out);

#endif
