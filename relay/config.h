/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The block relay { } of postseal.conf as a checked structure
 * (postseal-relay(5)). Immutable after reading.
 */
#ifndef RELAY_CONFIG_H
#define RELAY_CONFIG_H

#include "smtp/tls_policy.h"
#include "util/conf.h"

#define RELAY_NAME 33 /* of a block, with NUL */

/* pki NAME { cert "FILE"; key "FILE" }: PEM, the chain in one file. */
struct pki {
	char name[RELAY_NAME];
	char *cert, *key;
};

/* ca NAME { file "FILE"; dir "FOLDER"; crl "FILE" } */
struct ca_block {
	char name[RELAY_NAME];
	char *file, *dir, *crl;
};

enum relay_protocol {
	RELAY_LMTP,	  /* mail from an MTA, an answer for each recipient */
	RELAY_SMTP,	  /* mail from an MTA, one next hop a transaction */
	RELAY_SUBMISSION, /* mail from people (RFC 6409) */
	/* tunnels: */
	RELAY_POP3,
	RELAY_IMAP,
	RELAY_SMTP_TUNNEL, /* "smtp-tunnel": TLS in front of an smtpd */
	RELAY_ANY	   /* "any": octets, TLS from the first one */
};
bool relay_is_tunnel(enum relay_protocol p);
const char *relay_protocol_str(enum relay_protocol p);

enum listen_tls {
	LISTEN_PLAIN,	  /* no TLS */
	LISTEN_STARTTLS,  /* offered; "starttls" */
	LISTEN_STARTTLS_MUST, /* 530 before it; "starttls-required" */
	LISTEN_IMPLICIT,  /* from the first octet */
	LISTEN_EXTERNAL	  /* somebody in front did it ("external", T68) */
};

/* on "ADDRESS:PORT"|"unix:/PATH" [plain|starttls|starttls-required|implicit|
 * external] [mode MODE] [group GROUP] [proxy] */
struct listen_on {
	char *where; /* "0.0.0.0:587", "[::]:465", "unix:/PATH" */
	enum listen_tls tls;
	int mode; /* of a unix socket */
	char *group;
	bool proxy; /* PROXY v1 or v2 is a must, from proxy-from alone */
};

/* A client certificate that counts whoever issued it. */
struct client_pin {
	unsigned char sha256[32]; /* of the certificate */
	char *as;		  /* who it is: an address; NULL: nobody, but
				     it may relay */
};
enum client_cert { CLIENT_CERT_NONE, CLIENT_CERT_OPTIONAL, CLIENT_CERT_MUST };

/* match source NET { ... }: other certificates, trust or limits for clients
 * of a network (what tcprules did). */
struct source_match {
	struct net net;
	char pki[RELAY_NAME]; /* "": as the listener */
	char client_ca[RELAY_NAME];
	int client_cert; /* enum client_cert, -1: as the listener */
	int per_client;	 /* -1: as the listener */
};

/* Authentication of people (T19-T31). */
enum auth_kind { AUTH_NONE, AUTH_PASSWD, AUTH_DOVECOT };
struct auth_block {
	enum auth_kind kind;
	char *path; /* of the password file, or of Dovecot's socket */
	bool plain, login, external, scram; /* mechanisms */
	char *senders; /* file: LOGIN ADDRESS|@DOMAIN lines; NULL: none */
	bool any_sender; /* "any-sender yes": no check of MAIL FROM */
};

enum backend_real { REAL_NONE, REAL_PROXY_V1, REAL_PROXY_V2, REAL_XCLIENT };
struct backend {
	char *where; /* "127.0.0.1:110", "unix:/PATH", NULL: exec */
	char **argv; /* exec "PROGRAM" "ARG"...: NULL-terminated, or NULL */
	char *user;  /* of exec; NULL: as the relay */
	enum backend_real real;
	/* TLS to the backend (a TLS-only server for plain clients): TLS_NONE,
	 * or what it must show; implicit, or by STLS/STARTTLS */
	bool tls;
	bool implicit;
	enum tls_level level; /* encrypt, verify, secure or fingerprint */
	char *name;	      /* whom it must be; NULL: the host's name */
	char ca[RELAY_NAME];
	char pki[RELAY_NAME]; /* client certificate */
	struct tls_pin pin;
	bool has_pin;
};

struct listener {
	char name[RELAY_NAME];
	size_t index; /* in relay_config.listener */
	enum relay_protocol protocol;
	struct listen_on *on;
	size_t ons;
	char (*pki)[RELAY_NAME]; /* certificates; SNI chooses, first: default */
	size_t pkis;
	enum tls_version min; /* TLS_V_ANY: 1.2 */
	char *ciphers;	      /* of TLS 1.2; NULL: ours */
	enum client_cert client_cert;
	char client_ca[RELAY_NAME]; /* a dedicated one (T31) */
	struct client_pin *pin;
	size_t pins;
	struct source_match *match;
	size_t matches;
	struct net *allow, *deny; /* deny first; allow empty: all */
	size_t allows, denies;
	struct net *trusted; /* may send without AUTH (T25) */
	size_t trusteds;
	struct net *xclient; /* may say XCLIENT (T67) */
	size_t xclients;
	bool xclient_login; /* LOGIN of it counts ("trust-login yes") */
	struct net *proxy_from; /* may say PROXY */
	size_t proxy_froms;
	int connections;     /* at a time, all clients; of one worker */
	int per_client;	     /* at a time from one /32 or /64 */
	unsigned min_rate;   /* octets a second */
	uint64_t max_message;
	int max_rcpts;
	bool hide_client;    /* no address of the client in Received (T33) */
	bool require_tls;    /* REQUIRETLS is offered */
	bool verified;	     /* each hop must be verified ("require verified"):
				what encrypt or tls is bound to */
	bool ledger;	     /* MTAs only: doc/DESIGN.md, ack ledger */
	struct auth_block auth;
	char route[RELAY_NAME]; /* of mail */
	struct backend backend; /* of tunnels */
};

/* route NAME { mx | host "ADDRESS-OR-NAME:PORT"|"lmtp:unix:/PATH" ... } */
struct relay_route {
	char name[RELAY_NAME];
	bool mx; /* by the recipient's domain; else host */
	char *host; /* "[127.0.0.1]:10025", "smarthost.example:587",
		       "unix:/PATH" */
	bool lmtp;  /* what is spoken to host */
	int port;   /* of mx routes; 25 */
	int level;  /* enum tls_level for host, -1: by tls-policy */
	bool xclient; /* the real client is told to host */
	int concurrency;     /* connections to one destination */
	int64_t rest_ms;     /* negative cache: after a failure */
	struct net *nearby;  /* not public, and allowed for mx routes */
	size_t nearbys;
	/* bind by the route of another: "example.com via smarthost" */
	char **via_domain;   /* "example.com", ".example.com" */
	char (*via)[RELAY_NAME];
	size_t vias;
};

/* client-cert from @DOMAIN pki NAME */
struct sender_cert {
	char *from; /* "@example.net", "alice@example.net" */
	char pki[RELAY_NAME];
};

struct relay_config {
	struct conf *conf; /* keeps file names of lines */
	char *path;
	char *user, *keys_user; /* NULL: as user; user NULL: stay who we are */
	char *hostname;	 /* HELO, Received; NULL in the file: the system's */
	int workers;	 /* 0 in the file: one a core */
	char *spool;	 /* folder; NULL: $TMPDIR or /tmp */
	char *state;	 /* folder for what is kept: STS policies, pins seen,
			    ledger; NULL: nothing is kept */
	char *keystore;	 /* top level, for A62; NULL: none */
	char *administrator; /* top level */
	char *notices_to, *notices_via; /* top level notices { } */
	bool log_syslog; /* top level log */
	char *metrics;	 /* relay's own: "127.0.0.1:9464" */
	struct pki *pki;
	size_t pkis;
	struct ca_block *ca;
	size_t cas;
	struct listener *listener;
	size_t listeners;
	struct relay_route *route;
	size_t routes;
	struct tls_rules rules;
	struct sender_cert *sender_cert;
	size_t sender_certs;
	/* resolver { } */
	char *anchor_file; /* DNSSEC; NULL: the system's */
	char *forward;	   /* "127.0.0.1@53" or NULL: iterate */
	/* sts { } */
	char *sts_ca;	   /* file, for tests; NULL: the system's */
	struct net *sts_nearby; /* not public, and allowed */
	size_t sts_nearbys;
	int sts_port;	   /* 443 */
	char *socketmap;   /* "unix:/PATH" or "127.0.0.1:PORT" or NULL */
	int socketmap_mode;
	char *socketmap_group;
	int64_t grace_ms;  /* of old workers after a reload, and at the end */
};

/* Read the relay { } of a file, and what it needs of the top level. All errors
 * in ce; on any, -1 and *out NULL. No relay { } is an error. */
int relay_config_read(struct relay_config **out, const char *path,
    struct conf_errors *ce) MUST_CHECK;
void relay_config_free(struct relay_config **c);
/* What would be used, for -n; appended. */
void relay_config_print(const struct relay_config *c, struct buf *out);
/* What is dangerous, one sentence each (T5, T14, T59). */
void relay_config_warn(const struct relay_config *c,
    void (*say)(void *arg, const char *sentence), void *arg);

const struct pki *relay_pki(const struct relay_config *c, const char *name);
const struct ca_block *relay_ca(const struct relay_config *c,
    const char *name);
const struct relay_route *relay_route(const struct relay_config *c,
    const char *name);
bool nets_have(const struct net *n, size_t count, const char *ip);
/* The first match source { } that has ip: it alone counts. NULL: none. */
const struct source_match *relay_match(const struct listener *l,
    const char *ip);

#endif
