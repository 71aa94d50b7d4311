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

#define KS_SCHEMA 3	       /* version of the tables */
#define KS_SCHEMA_OLDEST 1     /* read as it is, upgraded when written */
#define KS_SCHEMA_REVOCATION 2 /* has tables of revocations */
#define KS_SCHEMA_CAPS 3       /* has a table of capabilities */
#define KS_SCHEMA_LIFE 4       /* bindings, harvest, requests, changes */
#define KS_BUSY_MS 10000       /* waiting for another writer */
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
	ST_KEY_CERTS,
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
	ST_CHANGE_ADD,
	ST_CAS,
	ST_CRL_GET,
	ST_CRL_ADD,
	ST_CRL_DELETE,
	ST_CRL_ENTRY_ADD,
	ST_CRL_ENTRIES_DELETE,
	ST_OCSP_GET,
	ST_OCSP_ADD,
	ST_REVOKED,
	ST_REVOKED_QUICK,
	ST_REVOKED_LIST,
	ST_REMOVE_ENTRIES,
	ST_REMOVE_CRLS,
	ST_REMOVE_OCSP,
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
	int budget;	    /* attempts for one message; 0: no budget */
	int spent;	    /* of them */
	struct lru *paths;  /* SHA-256 of leaf -> struct path_verdict */
	struct lru *asked;  /* SHA-256 of leaf and extras -> the same */
	struct lru *select; /* SHA-256 of use and address -> verdict */
	char who[64];	     /* of changes; see keystore_set_actor() */
	char origin[128];
	struct lru *revoked; /* SHA-256 of certificate and issuer -> facts */
};

/* The statement, prepared once, reset, without bindings; NULL: e is set. */
sqlite3_stmt *ks_stmt(struct keystore *ks, enum ks_stmt which, struct err *e);
/* One step: 1 a row, 0 done, -1 with e set; the statement is reset unless
 * there is a row. */
int ks_step(struct keystore *ks, sqlite3_stmt *st, struct err *e) MUST_CHECK;
/* Step a statement that returns no row. */
int ks_run(struct keystore *ks, sqlite3_stmt *st, struct err *e) MUST_CHECK;
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
/* Inside a change of certificates, keys or (trust) CAs and anchors. */
int ks_bump(struct keystore *ks, bool trust, struct err *e) MUST_CHECK;

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
/* Visit all certificates with this public key. */
int ks_list_spki(struct keystore *ks, const unsigned char spki[32],
    ks_visit *visit, void *arg, struct err *e) MUST_CHECK;

/* The range of all SHA-256 that begin with these hex digits, as ?1 and ?2.
 * FAIL_INPUT unless 8 to 64 digits. */
int ks_bind_hex(sqlite3_stmt *st, const char *what, struct err *e) MUST_CHECK;

/* Formatted by err_set(), cut to fit, always NUL-terminated. */
void ks_text(char *dst, size_t size, const struct err *text);

/* ---- select.c ---- */

/* IssuerAndSerialNumber equal: octet for octet, or the same name in
 * another encoding (RFC 5280 7.1) and the same serial. */
bool ks_ias_match(const struct cert *c, struct view ias);

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

/* ---- capability.c ---- */

/* Inside a change: what was learned from this certificate's mail goes. */
int ks_caps_forget(struct keystore *ks, const unsigned char sha256[32],
    struct err *e) MUST_CHECK;

/* ---- keyring.c, keyopen.c ---- */

typedef struct evp_pkey_st EVP_PKEY;

struct ring_key {
	struct cert *cert;
	EVP_PKEY *pkey;
	unsigned char reject[32]; /* key of the substitute (KEYS.md 2.1) */
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
