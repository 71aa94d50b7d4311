/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What TLS a destination asks for: levels with the names and the meaning that
 * Postfix gave them, the lines of tls-policy { }, and what one connection to
 * one host must show. No I/O, no libcrypto.
 */
#ifndef SMTP_TLS_POLICY_H
#define SMTP_TLS_POLICY_H

#include "util/conf.h"

/* In no order of strength: see tls_level_is_verified(). */
enum tls_level {
	TLS_NONE,	 /* plaintext */
	TLS_MAY,	 /* if offered; plaintext otherwise */
	TLS_ENCRYPT,	 /* or nothing; the peer may be anybody */
	TLS_FINGERPRINT, /* one of these certificates or keys */
	TLS_DANE,	 /* TLSA if there is a secure one, else TLS_MAY */
	TLS_DANE_ONLY,	 /* TLSA, or nothing */
	TLS_VERIFY,	 /* by a CA, the host's name */
	TLS_SECURE	 /* by a CA, a name that does not come from the DNS */
};
const char *tls_level_str(enum tls_level l);
int tls_level_of(const char *word, enum tls_level *out) MUST_CHECK;
/* Is TLS a must (encrypt and above, but dane without a secure TLSA)? */
bool tls_level_is_must(enum tls_level l);
/* Does it prove who the peer is? TLS_DANE does not: see struct tls_want. */
bool tls_level_is_verified(enum tls_level l);

/* Octets of an address literal, "192.0.2.1", "[2001:db8::1]",
 * "[IPv6:2001:db8::1]": 4, 16, or 0: host is none. */
size_t tls_address(const char *host, unsigned char ip[16]);

enum tls_version { TLS_V_ANY, TLS_V_1_0, TLS_V_1_1, TLS_V_1_2, TLS_V_1_3 };

#define TLS_NAMES 32	    /* names or fingerprints in one line */
#define TLS_NAME_MAX 256    /* octets with NUL */

/* One SHA-256, of a certificate or of its public key (SPKI). */
struct tls_pin {
	unsigned char sha256[32];
};

/* A line of tls-policy { }. Strings owned, NULL: not said. */
struct tls_rule {
	const char *file; /* owned by the conf that it was read from */
	int line;
	bool is_default;
	char *to;   /* "example.com", ".example.com" (below it), "[host]",
		       "[host]:port", "example.com:port"; lower-case A-labels */
	char *from; /* "alice@example.net", "@example.net" or NULL: any */
	enum tls_level level;
	/* match: "mx.example.com", ".example.com", hostname, nexthop,
	 * dot-nexthop */
	char *match[TLS_NAMES];
	size_t matches;
	struct tls_pin pin[TLS_NAMES];
	size_t pins;
	char *ca;	   /* ca NAME { }; NULL: the system's */
	char *pki;	   /* client certificate: pki NAME { } */
	char *servername;  /* SNI: a name, hostname or nexthop */
	char *ciphers;	   /* of TLS 1.2, OpenSSL's syntax */
	enum tls_version min, max; /* TLS_V_ANY: 1.2, no limit */
	int port;	   /* 0: as the route says */
	bool implicit;	   /* TLS from the first octet (465) */
	bool allow_anonymous; /* ciphers without a certificate; not above
				 encrypt (T44) */
	bool require_cert; /* with encrypt: some certificate */
	bool allow_cn;	   /* the CN counts where there is no DNS-ID (T40) */
	bool is_permanent; /* a failure is 550 5.7.5, not 451 4.7.5 */
};

struct tls_rules {
	struct tls_rule *rule; /* in the order of the file; default last */
	size_t n;
	bool has_default;
	bool dane, sts; /* "then dane", "then sts" behind the default level */
};
void tls_rules_free(struct tls_rules *r);
/* The block tls-policy { }. All errors are in ce: what is not known is an
 * error, never ignored. -1 then. */
int tls_rules_read(struct tls_rules *out, const struct conf_stmt *block,
    struct conf_errors *ce) MUST_CHECK;
/* Sentences about what is dangerous (T39, T59). */
void tls_rules_warn(const struct tls_rules *r,
    void (*say)(void *arg, const char *sentence), void *arg);

/*
 * The line for a next hop as configured or as the recipient's domain:
 * "example.com", "[host]", with port where it is not 25 (T38): the exact one
 * first, then parents (only of what has no brackets), each with the sender's
 * condition before without; then the default. NULL: no default.
 * sender: "alice@example.net" without brackets, "" for the null sender.
 */
const struct tls_rule *tls_rules_find(const struct tls_rules *r,
    const char *nexthop, int port, const char *sender);

/* ---- what a connection must show ---- */

#define TLS_TLSA_MAX 32
#define TLS_TLSA_DATA 8192 /* octets of one; beyond: unusable */
struct tls_tlsa {
	uint8_t usage, selector, mtype; /* RFC 6698 2.1 */
	unsigned char *data;		/* owned */
	size_t n;
};
/* Is it one that can be checked (RFC 7672 2.1.1, 3.1.3)? PKIX-TA(0) and
 * PKIX-EE(1) are not for SMTP. */
bool tls_tlsa_is_usable(const struct tls_tlsa *t);

/*
 * For one host. With tlsa records and TLS_DANE_ONLY it is DANE and they decide
 * (RFC 7672): names hold for DANE-TA(2) only. Where there are only unusable
 * ones it is TLS_ENCRYPT. With tlsa records and fingerprint, verify or secure,
 * both must hold: MTA-STS or a line decides, and DANE that fails is not
 * overridden (RFC 8461 2).
 */
struct tls_want {
	enum tls_level level;	/* to be reached */
	enum tls_level asked;	/* as the line or the standard said: for logs */
	bool implicit;
	char sni[TLS_NAME_MAX]; /* "": none */
	char name[TLS_NAMES][TLS_NAME_MAX]; /* "mx.a.example", ".a.example" */
	size_t names;
	struct tls_tlsa tlsa[TLS_TLSA_MAX];
	size_t tlsas;
	char tlsa_base[TLS_NAME_MAX]; /* TLSA base domain */
	struct tls_pin pin[TLS_NAMES];
	size_t pins;
	char ca[64];  /* name of a ca block, "": the system's */
	char pki[64]; /* name of a pki block, "": no client certificate */
	char ciphers[256];
	enum tls_version min, max;
	bool allow_anonymous, require_cert, allow_cn, is_permanent;
	bool require_tls;  /* REQUIRETLS: offered inside TLS, or not sent */
	char because[256]; /* "postseal.conf:12", "DANE", "MTA-STS enforce" */
	/* MTA-STS that is only tested (RFC 8461 5): the host whose certificate
	 * is looked at, for reports alone; "": none */
	char tested[TLS_NAME_MAX];
	bool is_unnamed; /* the policy that is tested does not name it */
};
void tls_want_free(struct tls_want *w); /* what it owns */
int tls_want_copy(struct tls_want *out, const struct tls_want *w,
    struct err *e) MUST_CHECK;
/* SHA-256 over all of it: connections and sessions are shared only where it
 * is equal (T60, T61). */
void tls_want_key(const struct tls_want *w, unsigned char key[32]);

/*
 * What came of it. result in the words of RFC 8460 4.3: "success",
 * "starttls-not-supported", "certificate-host-mismatch",
 * "certificate-expired", "certificate-not-trusted", "validation-failure",
 * "tlsa-invalid", "dane-required", ...
 */
struct tls_got {
	bool is_tls, is_verified; /* verified: what want asked was proven */
	enum tls_level level;	  /* reached: none, encrypt, dane-only, ... */
	char version[16], cipher[64];
	char subject[256];  /* of the peer's certificate, escaped */
	char matched[TLS_NAME_MAX]; /* which name, TLSA record or pin did it */
	unsigned char cert_sha256[32], spki_sha256[32];
	bool has_cert;
	int64_t not_after; /* of the peer's certificate, seconds since 1970 */
	char result[40];
	char reason[300]; /* why not, one sentence */
	char tested[40];  /* a result, if want.tested had been asked for */
};

#endif
