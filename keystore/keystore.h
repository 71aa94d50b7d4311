/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The keystore: certificates, anchors, encrypted private keys, audit, in
 * one SQLite file (WAL, portable SQL, schema version). This header is what
 * the message path and the command use; keyring.h is what the keys process
 * uses; what fills, checks, counts and saves it has headers of its own.
 */
#ifndef KEYSTORE_KEYSTORE_H
#define KEYSTORE_KEYSTORE_H

#include "util/cert.h"

struct keystore;

enum ks_mode { KS_READ, KS_WRITE };

/* New empty store, mode 0640. FAIL_CONFIG when the file exists. */
int keystore_create(const char *path, struct err *e) MUST_CHECK;
/*
 * Open; KS_READ never writes. FAIL_CONFIG: no such file, not ours, or a
 * schema version we do not know (says which). FAIL_TEMP: locked too long.
 * One thread per handle.
 */
int keystore_open(struct keystore **out, const char *path, enum ks_mode mode,
    struct err *e) MUST_CHECK;
void keystore_close(struct keystore **ks);

/* Several changes as one: all or none. */
int keystore_begin(struct keystore *ks, struct err *e) MUST_CHECK;
int keystore_commit(struct keystore *ks, struct err *e) MUST_CHECK;
void keystore_rollback(struct keystore *ks);

/*
 * Look at the store's generation (one small query, once a message) and
 * drop cached objects and verdicts if certificates or anchors changed.
 */
int keystore_refresh(struct keystore *ks, struct err *e) MUST_CHECK;

/* Drop all cached objects and verdicts: they were made while something was
 * amiss. */
void keystore_forget(struct keystore *ks);

/*
 * fn is called now and then while something takes long (a CRL is written, all
 * users are looked at), outside of any transaction: it may change the store,
 * but not import revocations. NULL: no more.
 */
void keystore_between(struct keystore *ks, void (*fn)(void *arg), void *arg);

/* Who changes something through this handle, and from where; both are cut
 * to fit. Without it the process's user and name are noted. */
void keystore_set_actor(struct keystore *ks, const char *who,
    const char *origin);

/* ---- certificates ---- */

enum ks_state { KS_USABLE, KS_PENDING, KS_DISTRUSTED, KS_SUPERSEDED };
/* What a certificate may be used for; bits. Set at import from KU and EKU,
 * narrowed by --use. */
enum { KS_SIGN = 1, KS_ENCRYPT = 2, KS_STORAGE = 4 };
enum ks_source { KS_IMPORT, KS_HARVEST, KS_LDAP, KS_SMIMEA, KS_CA };

struct ks_row {
	struct cert *cert; /* owned by the row */
	enum ks_state state;
	unsigned use;
	enum ks_source source;
	int64_t added; /* seconds UTC */
	bool has_key;
	bool is_anchor;
};
void ks_row_free(struct ks_row *r);
const char *ks_state_str(enum ks_state s);
const char *ks_source_str(enum ks_source s);

/*
 * Add a certificate (or change use of a known one: *added = false). key
 * is an encrypted PKCS#8 made by keyring_seal_key, or empty.
 */
int keystore_add(struct keystore *ks, const struct cert *c, unsigned use,
    enum ks_source source, bool *added, struct err *e) MUST_CHECK;
int keystore_add_key(struct keystore *ks, const unsigned char spki_sha256[32],
    struct view encrypted_pkcs8, struct err *e) MUST_CHECK;
/* The encrypted PKCS#8 of a public key appended to out; FAIL_INPUT when
 * there is none. */
int keystore_get_key(struct keystore *ks,
    const unsigned char spki_sha256[32], struct buf *out, struct err *e)
    MUST_CHECK;
/* Is its private key here, and for more than TLS: for mail, for a CA, or
 * without a certificate that says what for (A62)? FAIL_TEMP. */
int keystore_key_is_for_mail(struct keystore *ks,
    const unsigned char spki_sha256[32], bool *yes, struct err *e) MUST_CHECK;
int keystore_set_anchor(struct keystore *ks,
    const unsigned char sha256[32], bool on, struct err *e) MUST_CHECK;
int keystore_set_state(struct keystore *ks, const unsigned char sha256[32],
    enum ks_state state, struct err *e) MUST_CHECK;
/* Also its key, if no other certificate has that public key. */
int keystore_remove(struct keystore *ks, const unsigned char sha256[32],
    struct err *e) MUST_CHECK;

/* Called for each row, borrowed; -1 stops with e set. what: NULL for all,
 * or an address, a domain "@d", or at least 8 hex digits of a SHA-256. */
typedef int ks_visit(void *arg, const struct ks_row *r, struct err *e);
int keystore_list(struct keystore *ks, const char *what, ks_visit *visit,
    void *arg, struct err *e) MUST_CHECK;

/* ---- bindings: certificates tied to somebody by hand ---- */

enum ks_binding {
	KS_PIN,	  /* to an address: no other one encrypts to it */
	KS_DOMAIN /* to "@domain": for its addresses without one of their own */
};

/*
 * Tie a certificate of the store (on) or untie it. who: an address, or
 * "@domain" for KS_DOMAIN; kept in A-labels and lower case. It need not have
 * that address, and when it is self-signed it needs no anchor: the
 * administrator named exactly this one (S126). All else is asked as of any
 * other. No CA certificate. At most CAP_BINDINGS for one who. When the
 * certificate is removed, so are its bindings. FAIL_INPUT: no such
 * certificate, no such who, or (off) not tied; FAIL_LIMIT.
 */
int keystore_bind(struct keystore *ks, enum ks_binding kind, const char *who,
    const unsigned char sha256[32], bool on, struct err *e) MUST_CHECK;

struct ks_binding_row {
	enum ks_binding kind;
	const char *who;
	unsigned char sha256[32];
	int64_t added;
};
typedef int ks_binding_visit(void *arg, const struct ks_binding_row *r,
    struct err *e);
/* Those of one certificate, or (sha256 NULL) all; borrowed; -1 stops. */
int keystore_bindings(struct keystore *ks, const unsigned char *sha256,
    ks_binding_visit *visit, void *arg, struct err *e) MUST_CHECK;

/* ---- scopes: what an anchor is trusted for ---- */

/* Bits. */
enum {
	KS_FOR_SIGN = 1,    /* signatures of incoming mail, and our own */
	KS_FOR_ENCRYPT = 2, /* certificates that are encrypted to */
	KS_FOR_TLS = 4,	    /* servers of the relay's next hops */
	KS_FOR_ALL = 7
};

struct ks_scope {
	char domain[256]; /* of the partner: "" any, "d", "*.d" below d */
	unsigned purpose;
};

/*
 * Make a self-signed CA certificate of the store an anchor within these
 * scopes only, in place of what was said before; n 0: for everything, as
 * keystore_set_anchor(). FAIL_INPUT; FAIL_LIMIT: more than CAP_SCOPES.
 */
int keystore_trust(struct keystore *ks, const unsigned char sha256[32],
    const struct ks_scope *scope, size_t n, struct err *e) MUST_CHECK;
/* Scopes of an anchor; *n 0: no limits. out has room for CAP_SCOPES. */
int keystore_scopes(struct keystore *ks, const unsigned char sha256[32],
    struct ks_scope *out, size_t *n, struct err *e) MUST_CHECK;
/* Is any anchor limited? Asked of the store once for each state of trust. */
int keystore_is_scoped(struct keystore *ks, bool *yes, struct err *e)
    MUST_CHECK;
/* "@a.example, @*.b.example", "signatures of @a.example", appended. */
void ks_scope_text(const struct ks_scope *scope, size_t n, struct buf *out);

/* ---- selection ---- */

/* With a use that is asked for: whether it is revoked must be known. */
enum { KS_HARD = 64 };

struct passed_over {
	char sha256[65];
	char reason[160]; /* one sentence */
};

struct selection {
	struct cert *cert; /* owned; NULL when none is usable */
	struct cert **chain; /* intermediates above it, no root; owned */
	size_t chain_n;
	struct passed_over *over; /* owned */
	size_t over_n;
};
void selection_free(struct selection *s);

/*
 * The certificate for an address now: state usable, use allowed, inside its
 * validity, KU and EKU (S60, S102), address equal (S79), key we work with,
 * path to an anchor that is trusted for this, not revoked; for KS_SIGN also a
 * private key in the store. Several: newest notBefore wins (S103). To
 * encrypt, pinned ones are the only ones, and without one of its own the
 * address has those of its domain. Each one passed over gets its reason. An
 * empty result is no error. FAIL_TEMP.
 */
int keystore_select(struct keystore *ks, const struct addr *a, unsigned use,
    int64_t now, struct selection *out, struct err *e) MUST_CHECK;

/* Certificates that a directory gave; is_vouched NULL, or for each whether
 * the directory vouches for it (DNSSEC, RFC 8162): it needs no path then, all
 * else is asked as of any other. */
struct ks_strangers {
	struct cert *const *from;
	const bool *is_vouched;
	size_t n;
	bool must_know; /* whether one is revoked, as KS_HARD */
};
/*
 * The same among certificates that a directory gave for the address and that
 * are not in the store: nothing is cached, nothing is stored. Their paths may
 * use the store's intermediates and each other. use is KS_ENCRYPT. What the
 * store says of one of them (distrusted, pending), and of pins, holds.
 */
int keystore_select_strangers(struct keystore *ks, const struct addr *a,
    const struct ks_strangers *s, int64_t now, struct selection *out,
    struct err *e) MUST_CHECK;

/*
 * Certificates whose private key we hold and which a RecipientInfo names
 * (expired and superseded ones too, S98), restricted to those that belong
 * to one of the addresses (A9). Up to CAP_KEY_OPS, owned by the caller.
 */
int keystore_find_key(struct keystore *ks, bool by_ski, struct view id,
    const struct addr *for_any_of, size_t n, struct cert **out, size_t *found,
    struct err *e) MUST_CHECK;

/* A certificate by identifier, key or not; *out NULL when unknown. */
int keystore_find_cert(struct keystore *ks, bool by_ski, struct view id,
    struct cert **out, struct err *e) MUST_CHECK;

/*
 * cert_parse, but a certificate that was seen lately (the store's or one
 * from a message) is not parsed again. *out is owned by the caller. Fails as
 * cert_parse does.
 */
int keystore_parse_cert(struct keystore *ks, struct view der,
    struct cert **out, struct err *e) MUST_CHECK;

/* ---- paths ---- */

struct path {
	bool ok;
	char reason[200]; /* one sentence when not ok: untrusted, expired ..*/
	struct cert **chain; /* intermediates used, leaf and root left out */
	size_t chain_n;
	char anchor[200]; /* subject of the anchor */
};
void path_free(struct path *p);

/*
 * RFC 5280 path from leaf to an anchor at time at, with the store's
 * intermediates and the extra ones (which never become anchors). Name
 * constraints, basicConstraints, depth CAP_PATH_DEPTH, level 2 algorithms;
 * intermediates whose EKU leaves mail out are not used; no policy processing,
 * no network, purpose any (KU and EKU of the leaf are the caller's, those of
 * an anchor do not count). A path without an intermediate known to be revoked
 * at that time is preferred. A verdict is cached by (leaf, generation), but
 * never a path through a certificate that the store does not have: what one
 * message brings must not bear on the next. FAIL_TEMP.
 */
int keystore_path(struct keystore *ks, const struct cert *leaf,
    struct cert *const *extra, size_t extra_n, int64_t at, struct path *out,
    struct err *e) MUST_CHECK;

/*
 * The same to anchors that are trusted for this: one of a limited scope
 * counts within it only, which keystore_path() never is.
 */
struct path_query {
	const struct cert *leaf;
	struct cert *const *extra;
	size_t extra_n;
	int64_t at;
	unsigned purpose;   /* KS_FOR_* bits, one of which must do */
	const char *domain; /* whose address is believed in; NULL: whoever's */
	bool no_message;    /* the extra ones are no part of the budget */
	bool is_named;	    /* by hand: self-signed it needs no anchor */
	bool is_vouched;    /* by DNSSEC: without a path, good by itself */
};
int keystore_path_for(struct keystore *ks, const struct path_query *q,
    struct path *out, struct err *e) MUST_CHECK;

/*
 * A message begins: all searches with extra certificates have so many
 * attempts together until this is called again, a search that was begun and
 * an issuer that was tried being one each; none is made twice. What the
 * message did not bring (who is sealed for) does not count. 0: no budget,
 * as at first.
 */
void keystore_budget(struct keystore *ks, int attempts);

/* ---- audit ---- */

/* Keep what was decided (JSON, the verdict) under its id. */
int keystore_audit_add(struct keystore *ks, const char *id, int64_t when,
    const char *queue_id, struct view json, struct err *e) MUST_CHECK;
/* The JSON appended to out; FAIL_INPUT when the id is unknown. id may also
 * be an MTA's queue id (the newest one wins). */
int keystore_audit_get(struct keystore *ks, const char *id, struct buf *out,
    struct err *e) MUST_CHECK;
/* One after the other those of since <= time < until, oldest first; borrowed
 * for the call. What visit returns but 0 ends it, as -1 with its e. */
typedef int keystore_audit_visit(void *arg, const char *id, int64_t at,
    struct view json, struct err *e);
int keystore_audit_each(struct keystore *ks, int64_t since, int64_t until,
    keystore_audit_visit *visit, void *arg, struct err *e) MUST_CHECK;
/* Drop records older than a time; *dropped may be NULL. */
int keystore_audit_expire(struct keystore *ks, int64_t before,
    size_t *dropped, struct err *e) MUST_CHECK;

/* ---- opened mail (S160) ---- */

/* Remember the SHA-256 of the Message-ID of mail that was opened. */
int keystore_opened_add(struct keystore *ks, const unsigned char hash[32],
    int64_t when, struct err *e) MUST_CHECK;
int keystore_opened_known(struct keystore *ks, const unsigned char hash[32],
    bool *is, struct err *e) MUST_CHECK;
/* Forget what is older than a time. */
int keystore_opened_expire(struct keystore *ks, int64_t before,
    struct err *e) MUST_CHECK;

/* ---- capabilities (S106) ---- */

/* SMIMECapabilities out of signed mail. */
struct ks_caps {
	bool is_own; /* of the certificate that was asked for */
	int64_t signed_at;
	unsigned char cert[32]; /* SHA-256 of the signer's certificate */
	unsigned char list[CAP_CAPABILITIES]; /* DER */
	size_t n;
};

/*
 * Remember what mail of this address, signed with this certificate at this
 * time, says; nothing changes unless the time is later than that of what is
 * known. The certificate need not be in the store. Of an address
 * CAP_CAPABILITIES_ADDRESS lists are kept, of all CAP_CAPABILITIES_STORE:
 * the one signed first goes. When a certificate is removed or distrusted, so
 * do its lists. No part of the generation. FAIL_LIMIT: more than
 * CAP_CAPABILITIES octets; FAIL_TEMP.
 */
int keystore_caps_learn(struct keystore *ks, const struct addr *a,
    const unsigned char sha256[32], int64_t signing_time, struct view der,
    struct err *e) MUST_CHECK;
/* What is known of the address: with this certificate, or else (and when
 * sha256 is NULL) the newest. *found false: nothing. FAIL_TEMP. */
int keystore_caps_get(struct keystore *ks, const struct addr *a,
    const unsigned char *sha256, struct ks_caps *out, bool *found,
    struct err *e) MUST_CHECK;

#endif
