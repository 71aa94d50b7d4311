/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Incoming mail in the hand: a stack of layers, of which one is delivered,
 * and a list of signatures that were found on the way. Shared by layer.c,
 * open*.c, nested.c and findings.c.
 */
#ifndef GATEWAY_OPENING_H
#define GATEWAY_OPENING_H

#include "gateway/gateway_int.h"
#include "smime/verify.h"

/* One entity within another: the message itself, or what was inside a
 * layer. */
struct layer {
	struct spool *own; /* NULL: octets of an outer layer's */
	const struct spool *s;
	uint64_t off, end;
	struct header h;
	struct ctype ct;
	struct shape sh;
	struct cms *cms;  /* of the root, if parsed already; owned */
	const char *kind; /* "signed" ... of its root, NULL: none */
};

/* The message, and what can be inside of as many layers as are opened. */
#define OPEN_ENTITIES (CAP_CMS_LAYERS + 1)

/* A signature that was looked at. */
struct finding {
	struct verification *ver; /* owned; concluded */
	int layer;		  /* that it stands in */
	bool is_clear;
	bool is_plain; /* of no signature that could be read */
	char part[64]; /* section number when it stands below the root of
			  its layer; "" at the root */
};
#define OPEN_FINDINGS (OPEN_ENTITIES + 4)

struct opening {
	struct txn *t;
	struct layer layer[OPEN_ENTITIES];
	int n;	       /* of them; the last one is the innermost */
	int deliver;   /* the one that is delivered; 0: as it arrived */
	int encrypted; /* the outermost encrypted one, -1: none */
	int sealed;    /* the innermost encrypted one, -1: none */
	bool may_decrypt;  /* all recipients' rules say decrypt */
	bool may_verify;   /* some recipient's rule says verify */
	bool may_unwrap;   /* opaque signatures may be taken off */
	bool is_decrypted;
	bool is_expanded;
	bool has_failed;   /* decryption: say so, generically */
	struct finding finding[OPEN_FINDINGS];
	int findings;
	char comment[160]; /* more for Authentication-Results */
};

/* ---- layer.c ---- */

struct layer *layer_top(struct opening *o);
/* Where layer i is: "1", "1/1" ... */
void layer_path(int i, char *dst, size_t size);
/* The message itself as the first layer. */
int layer_first(struct opening *o, struct err *e) MUST_CHECK;
/* What came out of the top layer is the top layer now, and to be delivered.
 * Takes the spool. 0, or -1 when it is no MIME entity (FAIL_INPUT),
 * FAIL_LIMIT, FAIL_TEMP. */
int layer_enter(struct opening *o, struct spool **take_inside, struct err *e)
    MUST_CHECK;
/* [off, end) of the top layer, if an S/MIME or PGP layer is at its root: 1
 * it is the top layer now (and not to be delivered), 0 left. FAIL_TEMP. */
int layer_look(struct opening *o, uint64_t off, uint64_t end, struct err *e)
    MUST_CHECK;
/* Has it a header that says what it is (RFC 8551 3.1)? FAIL_TEMP. */
int layer_is_entity(const struct spool *s, bool *is, struct err *e)
    MUST_CHECK;
/* The CMS object at the root of the layer, parsed now or before; out owned. */
int layer_cms(struct layer *l, struct cms **out, struct err *e) MUST_CHECK;
void layers_free(struct opening *o);

/* ---- open_layers.c ---- */

/* Layers off from the outside in, as far as may be. */
int open_layers(struct opening *o, struct err *e) MUST_CHECK;

/* ---- open_decrypt.c ---- */

/* Open the encrypted layer c if all recipients may; 1 opened (the top layer
 * is what was inside), 0 left alone, -1 FAIL_TEMP. */
int open_decrypt(struct opening *o, struct cms *c, struct err *e)
    MUST_CHECK;
/*
 * It is opened, all layers are off: may its recipients have it, where the key
 * was one for all of their domain (S203)? 1, 0 (as it arrived), -1 FAIL_TEMP.
 * Those who may not, while others may, are another group now.
 */
int open_confirm(struct opening *o, struct err *e) MUST_CHECK;

/* ---- open_verify.c ---- */

/* t is what its functions work for. */
struct verify_policy open_policy(struct txn *t);
/*
 * Step 13 and what hangs on the author: is the anchor trusted for mail of
 * that domain, and must revocation be known? May be repeated for another
 * From.
 */
void open_author(struct txn *t, const struct verification *ver,
    struct signer_finding *f);
/* Steps 11 to 13 for each signer, then the conclusion. */
void open_judge(struct opening *o, struct verification *ver, bool at_root);
/* Verify the clear signature at the root of the top layer; 1: what it
 * signs is a layer, and is the top layer now; 0. */
int open_clear(struct opening *o, struct err *e) MUST_CHECK;
/* Verify the opaque SignedData c; 1 content is the top layer now, 0 left. */
int open_opaque(struct opening *o, const struct cms *c, struct err *e)
    MUST_CHECK;

/* ---- nested.c ---- */

/* Signatures below the root of what is delivered (S75). */
int nested_verify(struct opening *o, struct err *e) MUST_CHECK;

/* ---- open_headers.c ---- */

/* Whom To and Cc name that are protected inside (RFC 9788) and covered by a
 * valid signature; out is the caller's to free. FAIL_TEMP. */
int open_named(struct opening *o, struct addr_list *out, struct err *e)
    MUST_CHECK;
/* Protected header fields of what is delivered (RFC 9788). */
int open_headers(struct opening *o, struct err *e) MUST_CHECK;

/* ---- findings.c ---- */

/* Keep a concluded verification (takes it). part "": of the root of the
 * top layer, else its section number. Too many are dropped. */
void finding_note(struct opening *o, struct verification **take_ver,
    const char *part, bool is_clear);
/* A result without CMS, of the root of the top layer. */
int finding_plain(struct opening *o, enum sig_result result, int step,
    const char *reason, struct err *e) MUST_CHECK;
/* Drop those that stand in a layer from this one on. */
void findings_drop(struct opening *o, int layer);
/* A pass becomes this. */
void finding_demote(struct verification *ver, enum sig_result r, int step,
    const char *reason);
/* The one that counts for the whole message: of the innermost layer. NULL:
 * none at any root. */
struct finding *finding_that_counts(struct opening *o);
/* What one layer means for another: ciphertext, outer signatures. */
void findings_settle(struct opening *o);
/* Write them into the verdict. */
void findings_report(struct opening *o);
/* A field of ours, if there is something to say (S173, S178). */
int findings_insert(struct opening *o, struct err *e) MUST_CHECK;
/* One more remark for the field's comment. */
void findings_remark(struct opening *o, const char *s);
void findings_free(struct opening *o);

#endif
