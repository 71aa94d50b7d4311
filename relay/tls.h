/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * TLS of a worker: contexts of its listeners, and of its connections to
 * others. Made before the sandbox; certificates are read here, private keys
 * never.
 */
#ifndef RELAY_TLS_H
#define RELAY_TLS_H

#include "relay/config.h"
#include "smtp/tls_policy.h"

struct tls_keys; /* relay/keys.h */

/* What a client of ours showed, after its handshake. */
#define TLS_EMAILS 16
struct tls_facts {
	char version[16], cipher[64];
	int bits;
	char sni[TLS_NAME_MAX];
	bool is_resumed;
	bool has_cert;	   /* the client sent one, and has its key */
	bool cert_is_good; /* path, CRL, EKU clientAuth; or pinned */
	char subject[256]; /* escaped */
	char issuer[256];
	char cert_error[120]; /* why not good */
	unsigned char cert_sha256[32];
	char email[TLS_EMAILS][256]; /* SAN rfc822Name; only if good (T31) */
	size_t emails;
};

/* A listener's contexts: one for each pki (SNI chooses), its trust, its
 * tickets (per listener, rotated hourly; none where client certificates are
 * asked for, T16), ALPN (A foreign protocol is refused, ALPACA). */
struct tls_server;

/* secret: of all workers, for ticket keys; 32 octets. *out is NULL where
 * neither l nor a match of it has a pki: no TLS. c outlives it. FAIL_CONFIG
 * names the file. A client certificate that is a must but is not there or not
 * good ends the handshake of a tunnel; sessions look at struct tls_facts, and
 * answer (T6). */
int tls_server_new(struct tls_server **out, const struct relay_config *c,
    const struct listener *l, struct tls_keys *keys,
    const unsigned char secret[32], struct err *e) MUST_CHECK;
void tls_server_free(struct tls_server **t);
/* Are there versions and ciphers as l has them? Without keys. FAIL_CONFIG. */
int tls_server_check(const struct listener *l, struct err *e) MUST_CHECK;
/* What holds for a client there: match source { }; borrowed. "unix": as the
 * listener. NULL: no certificate, so no TLS. */
const struct tls_server *tls_server_for(const struct tls_server *t,
    const char *client_ip);

/* Contexts for outgoing connections: one for each kind of want, made when
 * needed; CAs and client certificates of c are loaded at once. */
struct tls_clients;
int tls_clients_new(struct tls_clients **out, const struct relay_config *c,
    struct tls_keys *keys, struct err *e) MUST_CHECK;
void tls_clients_free(struct tls_clients **t);

/* Soonest end of a certificate of pki p, seconds since 1970; 0: none read. */
int64_t tls_pki_not_after(const struct pki *p);

/* An alert was sent or came: "certificate_expired", "bad_certificate", ...
 * For the log and the counters; set once, before anything else. */
void tls_on_alert(void (*f)(bool is_sent, const char *name));

#endif
