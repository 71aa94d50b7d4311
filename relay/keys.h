/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Private keys of TLS: held by the keys process, used by workers through a
 * provider that is built in (smtp/tls_provider.c). The worker's side is struct
 * tls_keys, the other keys_run().
 */
#ifndef RELAY_KEYS_H
#define RELAY_KEYS_H

#include "relay/config.h"

typedef struct ssl_ctx_st SSL_CTX; /* as OpenSSL declares it */

/* A connection of a worker (0) and the keys process (1): SOCK_SEQPACKET, as
 * both sides want it. FAIL_TEMP. */
int keys_pair(int sock[2], struct err *e) MUST_CHECK;

/* The worker's side: sock is a connection to the keys process; taken. It
 * loads the provider: once in a process, before the sandbox; freed after all
 * SSL_CTX that use it. */
struct tls_keys;
int tls_keys_new(struct tls_keys **out, int take_sock, struct err *e)
    MUST_CHECK;
void tls_keys_free(struct tls_keys **k);
/* It was not seen to have ended: handshakes may go well. k NULL: as well. */
bool tls_keys_are_there(const struct tls_keys *k);
/* Chain of p (PEM file) and a key that signs in the keys process, which must
 * serve already. FAIL_CONFIG names the file: not readable, no certificate, not
 * the key's; FAIL_TEMP: no answer. Such a key only signs: without a key
 * exchange by RSA (kRSA), which is no loss. A keys process that hangs or is
 * gone fails handshakes, after two seconds at most. */
int tls_keys_use(struct tls_keys *k, SSL_CTX *ctx,
    const struct relay_config *c, const struct pki *p, struct err *e)
    MUST_CHECK;

/*
 * The keys process: reads the keys of all pki blocks (io_read_secret();
 * PEM, unencrypted) and looks whether they are those of the certificates, then
 * gives up its rights, then serves. sock: one for each worker; each has a
 * thread. Only what TLS signs: handshakes, with RSA PKCS#1 and PSS with
 * SHA-256 and up, ECDSA, Ed25519. FAIL_CONFIG before, naming the file. Memory
 * for keys is locked, if there is enough that may be; keys_free() is for the
 * end of a process, as it gives that back.
 */
struct keys_held;
int keys_load(struct keys_held **out, const struct relay_config *c,
    struct err *e) MUST_CHECK;
void keys_free(struct keys_held **k);
/* Until every sock is at its end: a worker that says what cannot be
 * understood is cut off. FAIL_TEMP: no thread. The sockets are closed. */
int keys_serve(struct keys_held *k, const int *sock, size_t n, struct err *e)
    MUST_CHECK;
/* SHA-256 of each key's SPKI, to be compared with those of mail (A62). */
size_t keys_count(const struct keys_held *k);
void keys_spki(const struct keys_held *k, size_t i, unsigned char out[32]);
/* The pki block of it. Borrowed. */
const struct pki *keys_pki(const struct keys_held *k, size_t i);
/*
 * A key that is one of mail's, too, in this keystore (NULL: there is none):
 * FAIL_CONFIG names it (A62). Looks as the owner of the file, if we are root.
 */
int keys_refuse_shared(const struct keys_held *k, const char *keystore_path,
    struct err *e) MUST_CHECK;

#endif
