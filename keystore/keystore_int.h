/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the files of keystore/ share and nobody outside sees: the handle,
 * prepared statements, the caches.
 */
#ifndef KEYSTORE_KEYSTORE_INT_H
#define KEYSTORE_KEYSTORE_INT_H

#include <sqlite3.h>

#include "keystore/keyring.h"

#define KS_SCHEMA 5	       /* version of the tables */
#define KS_SCHEMA_OLDEST 1     /* read as it is, upgraded when written */
#define KS_SCHEMA_REVOCATION 2 /* has tables of revocations */
#define KS_SCHEMA_CAPS 3       /* has a table of capabilities */
#define KS_SCHEMA_LIFE 4       /* bindings, harvest, requests, changes */
#define KS_SCHEMA_TRAFFIC 5    /* journal, held mail, lists */
#define KS_BUSY_MS 10000       /* waiting for another writer */
#define KS_HALF_MS 2	       /* for an index that is half written */
#define KS_HALF_TRIES 100
#define KS_CACHE_CERTS 4096    /* parsed certificates */
#define KS_CACHE_PATHS 4096    /* path verdicts */
#define KS_CACHE_ASKED 64      /* of one message, with its certificates */
#define KS_CACHE_SELECT 4096   /* results of keystore_select */
#define KS_CACHE_REVOKED 8192  /* what is known of revocation */
#define KS_SELECT_TTL_S 60     /* longest life of such a result */
#define KS_CANDIDATES 256      /* certificates looked at for an address */
#define KS_OVER 64	       /* passed-over reasons kept */
#define KS_PATH_ATTEMPTS 100   /* REQUIREMENTS F.3 */
#define KS_PATH_ISSUERS 32     /* candidates with one issuer's name */

/* ---- cache.c: least recently used goes first; keys are SHA-256 ---- */

struct lru;
typedef void lru_drop(void *value);
struct lru *lru_new(size_t max, lru_drop *drop);
void *lru_get(struct lru *l, const unsigned char key[32]);
/* Takes value (dropped at once when there is no memory). */
void lru_put(struct lru *l, const unsigned char key[32], void *take_value);
void lru_clear(struct lru *l);
void lru_free(struct lru **l);

/* ---- db.c ---- */

enum ks_stmt {
	ST_BEGIN,
	ST_COMMIT,
	ST_ROLLBACK,
	ST_FILE_BEGIN,
	ST_FILE_KEEP,
	ST_FILE_BACK,
	ST_IMPORT_KNOWN,
	ST_META_GET,
	ST_META_SET,
	ST_BUMP,
	ST_CERT_BY_SHA,
	ST_CERT_ADD,
	ST_CERT_ID,
	ST_CERT_USE,
	ST_CERT_STATE,
	ST_CERT_ANCHOR,
	ST_CERT_DELETE,
	ST_ADDRESS_ADD,
	ST_ADDRESS_DELETE,
	ST_KEY_ADD,
	ST_KEY_GET,
	ST_KEY_DELETE,
	ST_KEY_NEXT,
	ST_KEY_RESEAL,
	ST_KEY_COUNT,
	ST_KEY_CERTS,
	ST_REQUEST_ADD,
	ST_REQUEST_GET,
	ST_REQUEST_LIST,
	ST_REQUEST_ADDRESS,
	ST_REQUEST_HEX,
	ST_REQUEST_DELETE,
	ST_LOCAL_ADDRESSES,
	ST_LIST_ALL,
	ST_LIST_ADDRESS,
	ST_LIST_DOMAIN,
	ST_LIST_HEX,
	ST_LIST_SPKI,
	ST_SELECT,
	ST_FIND_IAS,
	ST_FIND_SERIAL,
	ST_FIND_SKI,
	ST_ISSUERS,
	ST_AUDIT_ADD,
	ST_AUDIT_GET,
	ST_AUDIT_GET_QUEUE,
	ST_AUDIT_EXPIRE,
	ST_AUDIT_EACH,
	ST_AUDIT_OPENED,
	ST_OPENED_ADD,
	ST_OPENED_GET,
	ST_OPENED_EXPIRE,
	ST_CAPS_TIME,
	ST_CAPS_ADD,
	ST_CAPS_UPDATE,
	ST_CAPS_GET,
	ST_CAPS_COUNT,
	ST_CAPS_DROP_OLDEST,
	ST_CAPS_DROP_ADDRESS,
	ST_CAPS_FORGET,
	ST_HARVEST_GET,
	ST_HARVEST_PUT,
	ST_HARVEST_OF,
	ST_HARVEST_DELETE,
	ST_HARVEST_FORGET,
	ST_HARVEST_OTHERS,
	ST_HARVEST_COUNT,
	ST_HARVEST_COUNT_OF,
	ST_HARVEST_COUNTS,
	ST_HARVEST_WORST,
	ST_HARVEST_WORST_OF,
	ST_HARVEST_OLD,
	ST_HARVEST_PENDING,
	ST_HARVEST_USED,
	ST_CERT_SOURCE,
	ST_CHANGE_ADD,
	ST_CHANGE_LIST,
	ST_LIFE_CERTS,
	ST_LIFE_LISTS,
	ST_LIFE_PARTNERS,
	ST_LIFE_CAS,
	ST_LIFE_OWN,
	ST_LIFE_FAILED,
	ST_BINDING_ADD,
	ST_BINDING_DELETE,
	ST_BINDING_DROP,
	ST_BINDING_COUNT,
	ST_BINDING_LIST,
	ST_BINDING_OF,
	ST_SELECT_BOUND,
	ST_SCOPE_ADD,
	ST_SCOPE_DROP,
	ST_SCOPE_OF,
	ST_SCOPE_ANY,
	ST_ISSUED_ADD,
	ST_ISSUED_GET,
	ST_ISSUED_LIST,
	ST_ISSUED_REVOKE,
	ST_ISSUED_REVOKED,
	ST_CAS,
	ST_CRL_GET,
	ST_CRL_ADD,
	ST_CRL_DELETE,
	ST_CRL_ENTRY_ADD,
	ST_CRL_ENTRIES_DELETE,
	ST_CRL_NAMELESS,
	ST_CRL_UNNAME,
	ST_CRL_NAME,
	ST_OCSP_GET,
	ST_OCSP_ADD,
	ST_REVOKED,
	ST_REVOKED_OLD,
	ST_REVOKED_QUICK,
	ST_REVOKED_LIST,
	ST_REMOVE_ENTRIES,
	ST_REMOVE_CRLS,
	ST_REMOVE_OCSP,
	ST_SOURCES,
	ST_FETCHED_GET,
	ST_FETCHED_SET,
	ST_FETCHED_LIST,
	ST_FETCHED_EXPIRE,
	ST_JOURNAL_GET,
	ST_JOURNAL_SET,
	ST_JOURNAL_DROP,
	ST_JOURNAL_EXPIRE,
	ST_JOURNAL_COUNT,
	ST_LISTED_HAS,
	ST_LISTED_VALUES,
	ST_LISTED_PAIRS,
	ST_LISTED_ADD,
	ST_LISTED_CLEAR,
	ST_LISTED_COUNT,
	ST_LIST_GET,
	ST_LIST_SET,
	ST_LIST_FAILED,
	ST_LIST_EACH,
	ST_LIST_FORGET,
	ST_HELD_CERT_ADD,
	ST_HELD_CERT,
	ST_HELD_KEYS,
	ST_HELD_ADD,
	ST_HELD_PART_ADD,
	ST_HELD_PART,
	ST_HELD_SIZE,
	ST_HELD_TOTAL,
	ST_HELD_LIST,
	ST_HELD_GET,
	ST_HELD_PARTS_DELETE,
	ST_HELD_LEFT,
	ST_HELD_DELETE,
	ST_TOLD_ADD,
	ST_TOLD_COUNT,
	ST_TOLD_NEXT,
	ST_TOLD_GET,
	ST_TOLD_SET,
	ST_TOLD_SENT,
	ST_TOLD_EXPIRE,
	ST_N
};

struct keystore {
	sqlite3 *db;
	enum ks_mode mode;
	bool in_tx;
	bool durable;	    /* commits wait for the disk */
	int64_t schema;	    /* version of the tables in this file */
	bool known;	    /* generation and trust were read */
	int64_t generation; /* of the selection cache */
	int64_t trust;	    /* of the path cache */
	sqlite3_stmt *stmt[ST_N];
	struct lru *certs;  /* SHA-256 -> struct cert */
	uint64_t epoch;	    /* moves whenever facts of revocation go */
	enum { SCOPES_NOT_ASKED, SCOPES_NONE, SCOPES_SOME } scopes;
	int budget;	    /* attempts for one message; 0: no budget */
	int spent;	    /* of them */
	struct lru *paths;  /* SHA-256 of leaf -> struct path_verdict */
	struct lru *asked;  /* SHA-256 of leaf and extras -> the same */
	struct lru *select; /* SHA-256 of use and address -> verdict */
	char who[64];	     /* of changes; see keystore_set_actor() */
	char origin[128];
	struct lru *revoked; /* SHA-256 of certificate and issuer -> facts */
	void (*between)(void *arg); /* see keystore_between(); or NULL */
	void *between_arg;
};

/* The statement, prepared once, reset, without bindings; NULL: e is set. */
sqlite3_stmt *ks_stmt(struct keystore *ks, enum ks_stmt which, struct err *e);
/* One step: 1 a row, 0 done, -1 with e set; the statement is reset unless
 * there is a row. */
int ks_step(struct keystore *ks, sqlite3_stmt *st, struct err *e) MUST_CHECK;
/* Step a statement that returns no row. */
int ks_run(struct keystore *ks, sqlite3_stmt *st, struct err *e) MUST_CHECK;
/* The same of one whose only parameter is a SHA-256. */
int ks_run_about(struct keystore *ks, enum ks_stmt which,
    const unsigned char sha256[32], struct err *e) MUST_CHECK;
/* e from the database's last error; -1. */
int ks_db_fail(struct keystore *ks, const char *what, struct err *e);
void ks_bind_view(sqlite3_stmt *st, int i, struct view v);
struct view ks_column(sqlite3_stmt *st, int i);

/*
 * Around every change: begins a transaction when the caller has not;
 * ks_end commits it (rc 0) or takes it back (rc -1), and returns rc or -1.
 */
int ks_change(struct keystore *ks, bool *began, bool durable, struct err *e)
    MUST_CHECK;
int ks_end(struct keystore *ks, bool began, int rc, struct err *e) MUST_CHECK;
/* A part of a change that can be taken back without the rest. */
int ks_part_begin(struct keystore *ks, struct err *e) MUST_CHECK;
/* Keep it, or take it back (which says in the log what goes wrong). */
int ks_part_keep(struct keystore *ks, struct err *e) MUST_CHECK;
void ks_part_back(struct keystore *ks);
/* Inside a change of certificates, keys or (trust) CAs and anchors. */
int ks_bump(struct keystore *ks, bool trust, struct err *e) MUST_CHECK;

/* Others may have been waiting for the store; no statement may be open. */
void ks_between(struct keystore *ks);

/* meta table: number or text by name. *found false when absent. */
int ks_meta_get(struct keystore *ks, const char *name, int64_t *number,
    struct buf *text, bool *found, struct err *e) MUST_CHECK;
int ks_meta_set(struct keystore *ks, const char *name, int64_t number,
    const char *text, struct err *e) MUST_CHECK;

/* ---- changes.c ---- */

/*
 * Inside a change: note it for postseal audit, with whom keystore_set_actor()
 * named. action: a verb and a noun, "add certificate"; object: an address or
 * SHA-256 in hex; detail: one line or "". No secrets.
 */
int ks_note(struct keystore *ks, const char *action, const char *object,
    const char *detail, struct err *e) MUST_CHECK;

/* ---- store.c ---- */

/* Columns that every certificate query begins with. */
#define KS_ROW_COLUMNS                                                    \
	"c.sha256, c.der, c.state, c.use, c.source, c.added, "            \
	"c.is_anchor, EXISTS (SELECT 1 FROM key k WHERE k.spki = c.spki)"
enum {
	COL_SHA256,
	COL_DER,
	COL_STATE,
	COL_USE,
	COL_SOURCE,
	COL_ADDED,
	COL_ANCHOR,
	COL_HAS_KEY
};
/* The row under the cursor; *r to be freed by ks_row_free(). */
int ks_row_read(struct keystore *ks, sqlite3_stmt *st, struct ks_row *r,
    struct err *e) MUST_CHECK;
/* The certificate with this SHA-256; FAIL_INPUT when there is none. */
int ks_cert_get(struct keystore *ks, const unsigned char sha256[32],
    struct ks_row *r, struct err *e) MUST_CHECK;
/* Visit what a statement of ROWS gives; st NULL: e is set. */
int ks_visit_rows(struct keystore *ks, sqlite3_stmt *st, ks_visit *visit,
    void *arg, struct err *e) MUST_CHECK;
/* A row without addresses; when it is there already, nothing happens. */
int ks_insert_cert(struct keystore *ks, const struct cert *c, unsigned use,
    enum ks_source source, enum ks_state state, struct err *e) MUST_CHECK;
/* Visit all certificates with this public key. */
int ks_list_spki(struct keystore *ks, const unsigned char spki[32],
    ks_visit *visit, void *arg, struct err *e) MUST_CHECK;

/* The range of all SHA-256 that begin with these hex digits, as ?1 and ?2.
 * FAIL_INPUT unless 8 to 64 digits. */
int ks_bind_hex(sqlite3_stmt *st, const char *what, struct err *e) MUST_CHECK;

/* Formatted by err_set(), cut to fit, always NUL-terminated. */
void ks_text(char *dst, size_t size, const struct err *text);

/* ---- binding.c, scope.c ---- */

/* Inside a change: the certificate goes, or is no anchor any more. */
int ks_bindings_drop(struct keystore *ks, const unsigned char sha256[32],
    struct err *e) MUST_CHECK;
int ks_scopes_drop(struct keystore *ks, const unsigned char sha256[32],
    struct err *e) MUST_CHECK;
/* Is this anchor trusted for what q says? Else why says what for. FAIL_TEMP
 * in e. */
int ks_scope_admits(struct keystore *ks, const struct cert *anchor,
    const struct path_query *q, bool *yes, struct err *why, struct err *e)
    MUST_CHECK;

/* ---- select.c ---- */

/* IssuerAndSerialNumber equal: octet for octet, or the same name in
 * another encoding (RFC 5280 7.1) and the same serial. */
bool ks_ias_match(const struct cert *c, struct view ias);

/* ---- constraints.c ---- */

/* Does this CA's certificate let it issue for the leaf's addresses beyond
 * ASCII? -1: why says not. */
int ks_constraints_check(const struct cert *leaf, const struct cert *ca,
    struct err *why) MUST_CHECK;

/* ---- path.c ---- */

struct X509_name_st;
int64_t ks_hash_of_name(const struct X509_name_st *name);
int64_t ks_name_hash(const struct cert *c, bool issuer);
bool ks_self_signed(const struct cert *c);
/* As keystore_path, without extra certificates; *anchor (may be NULL
 * afterwards) is the anchor's certificate, owned. */
int ks_path_anchor(struct keystore *ks, const struct cert *leaf, int64_t at,
    struct path *out, struct cert **anchor, struct err *e) MUST_CHECK;
lru_drop ks_path_drop;	 /* of values in ks->paths */
lru_drop ks_select_drop; /* of values in ks->select */

/* ---- shared_key.c ---- */

/* For a TLS server, or for a TLS client and not for mail? */
bool ks_is_for_tls(const struct cert *c);
/*
 * Does a public key stand in a certificate for mail and in one for TLS (A62),
 * those of the store and also? *own: its private key is here; with also, a
 * key that is not ours is never shared. also NULL: the key is about to come.
 */
int ks_key_is_shared(struct keystore *ks, const unsigned char spki[32],
    const struct cert *also, bool *shared, bool *own, struct err *e)
    MUST_CHECK;

/* ---- capability.c ---- */

/* Inside a change: what was learned from this certificate's mail goes. */
int ks_caps_forget(struct keystore *ks, const unsigned char sha256[32],
    struct err *e) MUST_CHECK;

/* ---- ca_seal.c ---- */

/* First octets of a CA's key under its passphrase; what the secret seals
 * begins otherwise, and no daemon can open these (see sealing.h). */
#define KS_PASSPHRASE_MAGIC "PSC\1"

/* ---- harvest_admin.c ---- */

/* Inside a change: it is nothing that was harvested any more. */
int ks_harvest_forget(struct keystore *ks, const unsigned char sha256[32],
    struct err *e) MUST_CHECK;
/* Inside a change: the administrator brings what is there already. If mail
 * brought it before, it is his now, and usable; the caller adds addresses. */
int ks_harvest_adopt(struct keystore *ks, const unsigned char sha256[32],
    enum ks_source source, bool *adopted, struct err *e) MUST_CHECK;

/* ---- keyring.c, keyopen.c ---- */

typedef struct evp_pkey_st EVP_PKEY;

struct ring_key {
	struct cert *cert;
	EVP_PKEY *pkey;
	unsigned char reject[32]; /* key of the substitute */
};
const struct ring_key *ring_find(const struct keyring *kr,
    const unsigned char cert_sha256[32]);
/* PKCS#8 DER to a key; the octets must be used up. FAIL_INPUT. */
int key_from_pkcs8(EVP_PKEY **out, struct view pkcs8, struct err *e)
    MUST_CHECK;
/* And back, appended. */
int key_to_pkcs8(EVP_PKEY *pkey, struct buf *out_secret, struct err *e)
    MUST_CHECK;
/* Does the key belong to this certificate? */
bool key_matches(EVP_PKEY *pkey, const struct cert *c);
/* Seal a key and store it for the certificate's public key. */
int key_store(struct keystore *ks, struct view secret, EVP_PKEY *pkey,
    const struct cert *c, struct err *e) MUST_CHECK;

#endif
