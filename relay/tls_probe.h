/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One live try of a host's TLS, blocking: for postseal policy probe and for
 * the import of old fingerprints. It says EHLO and QUIT, never MAIL.
 */
#ifndef RELAY_TLS_PROBE_H
#define RELAY_TLS_PROBE_H

#include <sys/socket.h>

#include "relay/config.h"

#define PROBE_CHAIN 10	  /* certificates of a chain; beyond: left out */
#define PROBE_DER 65536 /* octets of the peer's certificate */

struct probe_cert {
	char subject[256], issuer[256]; /* escaped */
	int64_t not_after;
	unsigned char cert_sha256[32], spki_sha256[32];
};

struct tls_probe {
	char greeting[200]; /* first line, printable */
	bool is_connected, offers_starttls, is_tls, offers_requiretls;
	struct probe_cert cert[PROBE_CHAIN];
	size_t certs;
	struct buf leaf, spki; /* DER of the peer's own */
	struct tls_got got; /* the verdict; result "" if it came to none */
	char error[300];    /* what went wrong with the connection, or "" */
};
void tls_probe_init(struct tls_probe *p);
void tls_probe_free(struct tls_probe *p);

struct tls_probe_try {
	const struct sockaddr *sa;
	socklen_t sa_len;
	const char *helo;
	bool lmtp;
	const struct tls_want *want;
	const struct ca_block *ca; /* NULL: the system's */
	int timeout_ms; /* for all of it */
};
/* What happened is in p. FAIL_TEMP, FAIL_CONFIG: ours, not the host's. */
int tls_probe_run(struct tls_probe *p, const struct tls_probe_try *t,
    struct err *e) MUST_CHECK;

/* Is digest (16 octets: MD5, 20: SHA-1, 28: SHA-224, 32, 48, 64: SHA-2) that
 * of the peer's certificate, or of its public key? */
enum probe_match { PROBE_OTHER, PROBE_CERT, PROBE_KEY };
enum probe_match tls_probe_match(const struct tls_probe *p,
    struct view digest);

#endif
