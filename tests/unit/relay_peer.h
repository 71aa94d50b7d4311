/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * For the tests of relay/conn.h and relay/tls.h: certificates in files, an
 * owner that writes down what it is told, and a peer that does what the test
 * says, with OpenSSL's own calls. Whatever fails here is a broken test.
 */
#ifndef TESTS_UNIT_RELAY_PEER_H
#define TESTS_UNIT_RELAY_PEER_H

#include <event2/event.h>
#include <openssl/ssl.h>

#include "relay/conn.h"
#include "relay/config.h"

#define REQUIRE(x) \
	((x) ? (void)0 : peer_broken(#x, __FILE__, __LINE__))
void peer_broken(const char *what, const char *file, int line);

/* ---- certificates ---- */

struct peer_id {
	X509 *x;
	EVP_PKEY *key;
	char cert_file[200], key_file[200];
};
struct peer_leaf {
	const char *name; /* of the subject and of the files */
	const char *san;  /* "DNS:mx.a.example"; NULL: none */
	const char *eku;  /* NULL: no extension */
	const char *subject_mail; /* emailAddress; NULL: none */
	bool is_ca, is_expired, is_rsa;
	const struct peer_id *issuer; /* NULL: itself */
	long serial; /* 0: 1 */
};
void peer_make(struct peer_id *out, const struct peer_leaf *l);
void peer_id_free(struct peer_id *id);
/* CRL file of issuer with one serial number. */
void peer_crl(const struct peer_id *issuer, long serial, char path[200]);
void peer_sha256(const X509 *x, unsigned char out[32]);
/* "" before the first certificate; folder of this process */
const char *peer_folder(void);
void peer_folder_remove(void);

/* ---- who owns a connection ---- */

struct owner {
	struct conn *c;
	struct buf in;	 /* all that came */
	int connected, tls, drained, inputs, ends;
	enum conn_end how;
	char why[300];
	/* what it does in a callback: */
	bool keeps;	 /* input is not used */
	bool pauses;	 /* in each on_input */
	bool frees_in_tls, frees_in_input, frees_in_drained, frees_in_end;
	bool half_opens;
	const struct tls_server *begin; /* TLS, when a line ends in input */
	int begin_failed;
	struct err e;
	void (*on_more)(struct owner *o); /* in on_input, last */
};
extern const struct conn_use owner_use; /* arg is to be set */
struct conn_use owner_of(struct owner *o);
void owner_new(struct owner *o, struct event_base *base, int fd);
void owner_free(struct owner *o);

/* ---- the peer ---- */

struct peer {
	int fd;
	SSL *ssl;
	struct buf in;
	bool is_open, is_over;
	int alert; /* that came; 0: none */
	char error[200];
	bool is_silent; /* peer_step() does not read */
};
void peer_pair(struct peer *p, int *ours);
/* is_server: what the peer is. ctx: own reference taken. */
void peer_tls(struct peer *p, SSL_CTX *ctx, bool is_server);
void peer_step(struct peer *p);
void peer_say(struct peer *p, const char *text);
void peer_say_n(struct peer *p, const void *v, size_t n);
void peer_free(struct peer *p);

/* The loop and the peer in turn, until *flag is not 0; false after 30 s. */
bool peer_until(struct event_base *base, struct peer *p, const int *flag);
/* Until its handshake is done; false: it came to nothing. */
bool peer_shakes(struct event_base *base, struct peer *p);

/* So many milliseconds. */
void peer_while(struct event_base *base, struct peer *p, int ms);
/* Until so many octets came to the peer. */
bool peer_hears(struct event_base *base, struct peer *p, size_t n);

#endif
