/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The parts of smime/verify.h: attributes (S67), algorithms (S68), signer
 * certificate (S69), mathematics (S70). Each works on one signer and
 * writes the first failing step into its finding.
 */
#ifndef SMIME_VERIFY_INT_H
#define SMIME_VERIFY_INT_H

#include "smime/cms_int.h"
#include "smime/verify.h"

/* Signed attributes of one signer. */
struct attrs {
	struct buf set;		  /* their DER, tag 31, as signed */
	struct view digest;	  /* messageDigest */
	struct view signing_cert; /* the value; empty when absent */
	struct view signing_cert_v2;
	struct view alg_protect;
};

/* Why a signature that is good is policy at best; bits. */
enum { WEAK_DIGEST = 1, WEAK_KEY = 2 };

enum sig_kind {
	SIG_KIND_PKCS1,
	SIG_KIND_PSS,
	SIG_KIND_ECDSA,
	SIG_KIND_ED25519
};

struct sig_suite {
	enum oid digest;
	enum sig_kind kind;
	int salt; /* PSS */
};

/* Digests of the content, one for each algorithm that a signer uses. */
#define VERIFY_DIGESTS 4
struct digests {
	struct {
		enum oid oid;
		void *ctx; /* EVP_MD_CTX */
		unsigned char md[64];
		size_t n;
	} d[VERIFY_DIGESTS];
	bool normalise; /* lone LF is CRLF */
	bool last_cr;
};

/* All steps below: 0 when the step passed, -1 when f says what did not. */
/* S67 (and S112); sets what the attributes say about time, type and lists.
 * set is to be freed by the caller in any case. */
int attrs_read(struct attrs *a, const struct cms_signer *s,
    struct signer_finding *f);

/* S68 but the key. weak (WEAK_*): allowed by policy, but the result is
 * policy. */
int suite_read(struct sig_suite *x, const struct cms *c,
    const struct cms_signer *s, const struct verify_policy *p,
    struct signer_finding *f, unsigned *weak);

/* S68, the key; adds to or takes from weak. */
int key_allowed(const struct cert *c, const struct sig_suite *x,
    const struct verify_policy *p, struct signer_finding *f, unsigned *weak);

/* S69: is c the one that signingCertificate(V2) names? Without the
 * attribute: yes. FAIL_TEMP never: what cannot be computed is no. */
bool ess_selects(const struct attrs *a, const struct cert *c);

/* S70: the signature over a->set with the key of c. */
bool signature_is_good(const struct attrs *a, const struct cms_signer *s,
    const struct sig_suite *x, const struct cert *c);

int digests_start(struct digests *d, const struct cms *c, bool allow_sha1,
    struct err *e) MUST_CHECK;
int digests_put(struct digests *d, struct view v, struct err *e) MUST_CHECK;
int digests_end(struct digests *d, struct err *e) MUST_CHECK;
void digests_free(struct digests *d);
/* The finished digest; empty when this algorithm was not started. */
struct view digests_get(const struct digests *d, enum oid oid);

#endif
