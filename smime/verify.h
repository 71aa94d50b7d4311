/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Verification by numbered steps (REQUIREMENTS A.5: S62-S77). Steps 1 to
 * 10 are here; 11 to 13 (path, revocation, From) are the gateway's, which
 * writes them into the findings; 14 to 16 are verify_conclude().
 */
#ifndef SMIME_VERIFY_H
#define SMIME_VERIFY_H

#include "smime/cms.h"

/* RFC 7281 3.1 results. */
enum sig_result {
	SIG_NONE,
	SIG_PASS,
	SIG_FAIL,
	SIG_POLICY,
	SIG_NEUTRAL,
	SIG_TEMPERROR,
	SIG_PERMERROR
};
const char *sig_result_str(enum sig_result r);

struct verify_policy {
	int64_t now;	  /* receipt time, seconds UTC */
	int min_rsa_bits; /* CAP_RSA_MIN unless configured */
	/* compute these as well; the result is then policy at best (S68) */
	bool allow_sha1;
	bool allow_short; /* RSA of CAP_RSA_MIN_OLD to min_rsa_bits - 1 */
	/* Look a signer's certificate up outside the message: by_ski says
	 * which kind id is. NULL result: not known. Else a reference of its
	 * own (cert_ref), which verification frees. find may be NULL. */
	struct cert *(*find)(void *ctx, bool by_ski, struct view id);
	/* Parse a certificate of the message, or give one kept from before
	 * (it costs 0.1 ms on OpenSSL 3.0). NULL: cert_parse. Same contract
	 * as cert_parse. */
	int (*parse)(void *ctx, struct cert **out, struct view der,
	    struct err *e);
	/* Of several certificates whose key verifies one signature (S69):
	 * may this one be believed now? extra came with the message. NULL:
	 * the first of them is taken. */
	bool (*believe)(void *ctx, const struct cert *c,
	    struct cert *const *extra, size_t n, int64_t now);
	void *find_ctx; /* of all three */
};

/* What a signature says that it is for (RFC 3183 3.1.2); bits. */
enum {
	SIG_TYPE_ORIGINATOR = 1,
	SIG_TYPE_DOMAIN = 2,
	SIG_TYPE_ADDITIONAL = 4,
	SIG_TYPE_REVIEW = 8,
	SIG_TYPE_OTHER = 16
};

struct signer_finding {
	enum sig_result result; /* SIG_PASS while nothing failed */
	int step;		/* S-number of the failing step, 0 if none */
	char reason[256];
	struct cert *cert; /* owned; NULL when not found */
	char digest[16];   /* "sha-256" */
	char algorithm[48]; /* "rsa-pkcs1-v1_5", "ecdsa-p256" ... or OID */
	int64_t signing_time; /* -1 when absent */
	bool crypto_failed;   /* the mathematics failed (step 10, S70) */
	bool is_verified;     /* it was done, and is right */
	unsigned types;	      /* SIG_TYPE_*; 0: the attribute is absent */
	bool types_differ;    /* from another signer's */
	bool has_inner;	      /* set by the gateway: it signs a signature */
	bool has_list;	      /* mlExpansionHistory (S140) */
	bool wants_receipt;   /* receiptRequest: never answered (S136) */
	/* SMIMECapabilities, the whole value; to be believed only with
	 * is_verified. 0 octets: absent, or more than the cap. */
	unsigned char caps[CAP_CAPABILITIES];
	size_t caps_n;
	/* SMIMEEncryptionKeyPreference, likewise */
	unsigned char pref[1024];
	size_t pref_n;
	bool from_match;      /* set by the gateway at step 13 */
	/* Likewise: the signer is not the author, but by an administrator's
	 * word speaks for this domain, or this address; "" */
	char for_domain[CAP_ADDRESS * 2 + 2];
	char remark[256]; /* likewise, for verification.comment; "" */
	/* for the report, by the gateway: subject of the path's anchor, and
	 * what is known of revocation ("good", "revoked", "unknown", NULL) */
	char anchor[200];
	const char *revocation;
};

/* The first step that does not pass ends it. Always -1. */
int finding_fail(struct signer_finding *f, enum sig_result r, int step,
    const char *reason);

struct verification {
	struct signer_finding *signer;
	size_t signers;
	struct cert **cert; /* all parsable ones in the message */
	size_t certs;
	/* Overall, valid after verify_conclude: */
	enum sig_result result;
	int step;
	char reason[256];
	int best; /* index of the signer that decides, -1 if none */
	char comment[384]; /* S77 and other remarks; "" */
};

/*
 * Steps 2 to 10 over a detached signature: the signed octets are [off, end)
 * of s, with lone LF read as CRLF (S20). A message fault is a result in
 * *out, never a failure. FAIL_TEMP.
 */
int verify_detached(const struct cms *c, const struct spool *s, uint64_t off,
    uint64_t end, const struct verify_policy *p, struct verification **out,
    struct err *e) MUST_CHECK;

/*
 * The same for opaque SignedData; the content goes to quarantine, which the
 * caller releases or not by the result.
 */
int verify_opaque(const struct cms *c, const struct verify_policy *p,
    struct spool *quarantine, struct verification **out, struct err *e)
    MUST_CHECK;

/* A result decided before any CMS (step 1 failures, no signature). */
int verification_new(struct verification **out, enum sig_result r, int step,
    const char *reason, struct err *e) MUST_CHECK;

/*
 * Steps 14 to 16; sets the overall result. A signer that still passes
 * without from_match or for_domain becomes policy at S74. at_root says
 * whether the signed part is the whole message: if not, a pass becomes
 * neutral at S75.
 */
void verify_conclude(struct verification *v, bool at_root, int64_t now);
void verification_free(struct verification **v);

#endif
