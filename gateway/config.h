/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal.conf as a checked structure (postseal.conf(5)).
 * Immutable after reading.
 */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include "keystore/harvest.h"
#include "util/addr.h"
#include "util/conf.h"

/* sign-for ADDRESS|@DOMAIN network NET: hosts that cannot log in (A35). */
struct sign_for {
	char *who; /* "a@b" or "@b", lower-case key form */
	struct net net;
};

/* authority file: login -> address or @domain that it may sign as. */
struct authority_row {
	char *login;
	char *who;
};

/* address-map file: whose key opens mail for an address of ours. */
struct map_row {
	char *who;   /* as in authority_row */
	char *opens; /* an address, lower-case key form */
};

/* ADDRESS, @DOMAIN, @*.DOMAIN (its subdomains), any. */
enum pattern_kind {
	PATTERN_ADDRESS,
	PATTERN_DOMAIN,
	PATTERN_SUBDOMAINS,
	PATTERN_ANY
};
struct pattern {
	enum pattern_kind kind;
	struct addr addr; /* PATTERN_ADDRESS */
	char domain[256]; /* of it, lower-case A-labels; "" for any */
};

/* speaks-for ADDRESS|@DOMAIN|@*.DOMAIN certificate HEX | address ADDRESS:
 * whose signatures an author is taken for (S81, S168). */
struct speaks_for {
	struct pattern who;
	char sha256[65]; /* lower-case hex; "": by address */
	struct addr address;
};

/* fetch { }: what the fetch process may ask for (A56). */
struct fetch_crl {
	char *url;
	int64_t every_s;
};
struct fetch_config {
	bool is_set;
	char *user; /* NULL: as milter's */
	struct fetch_crl *crl;
	size_t crls;
	char **allow; /* HOST or HOST:PORT */
	size_t allows;
	bool ocsp;	 /* of the store's end entities */
	bool from_certs; /* CRLs that certificates of the store name */
	struct net *nearby; /* not public, and allowed */
	size_t nearbys;
	int64_t timeout_s;
	char *ca_file; /* of https; NULL: the system's */
};

/* quarantine { }: mail that is kept until somebody decides. */
struct quarantine_config {
	bool is_set;
	uint64_t size;	/* octets of all, sealed */
	int64_t keep_s; /* then it goes */
	bool notify_sender;
	char *notify; /* address that is told of each; NULL: nobody */
};

/* language de for @domain: words for these senders. */
struct language_for {
	char *who; /* "a@b" or "@b" in key form */
	char name[16];
};

/* door NAME { }: mail that comes by LMTP or SMTP and goes on to a next
 * hop. */
enum door_side { DOOR_INBOUND = 1, DOOR_OUTBOUND };
struct door {
	char *name;
	bool lmtp; /* what is spoken there; else SMTP */
	char *listen; /* "unix:/PATH" or "ADDRESS:PORT" */
	int listen_mode; /* of a unix socket */
	char *listen_group;
	char *next_hop; /* as hop_send() wants it */
	char *tls_route; /* the same, of what must have a verified hop; or
			    NULL */
	enum door_side side;
	struct net *client; /* who may connect over TCP */
	size_t clients;
	bool login_envelope_from; /* the MTA in front has checked it */
	bool require_tls; /* REQUIRETLS is offered */
	bool dsn;	  /* DSN is */
	bool observe;
	int limit; /* connections at a time */
};

/* classes { }: what is done with mail of a class where no rule says must. */
enum class_word {
	DO_PASS,	   /* left as it is */
	DO_SIGN,	   /* signed as rules say, not encrypted */
	DO_ENCRYPT,	   /* encrypted as rules say, not signed */
	DO_LIKE_OTHERS, /* as any other mail */
	DO_HEADERS,	   /* left, but of what is returned the header */
	DO_ACCEPT	   /* left, and counts as encrypted */
};
#define CONFIG_CLASSES 16 /* more than there are in enum msg_class */

struct directory;   /* fetch/find.h */
struct list_source; /* gateway/lists.h */
struct config {
	char *path; /* of the file itself */
	bool has_relay; /* relay { }: relay/config.h reads it */
	bool is_relay_only; /* it, and nothing of the milter's */
	char **domain; /* local-domains, A-labels */
	size_t domains;
	char *keystore;	   /* path of the SQLite file */
	char *secret;	   /* path of the secret file */
	bool secret_is_credential; /* of systemd: read-only */
	char *rules;	   /* path of the rules file */
	char *spool;	   /* folder for spool files; NULL: $TMPDIR or /tmp */
	char *authserv_id; /* RFC 8601 2.5 */
	int delimiter;	   /* of recipients, 0 = none */
	uint64_t max_message; /* octets */
	char *administrator;  /* address */
	int64_t keep_audit_s; /* for postseal explain */
	/* verify-policy { } */
	int min_rsa_bits; /* of a signer, for a pass */
	struct pattern *weak; /* authors whose weak signatures are computed */
	size_t weaks;
	int64_t fixed_time; /* tests, archives: evaluation time, 0 = now */
	/* decrypt-policy { } */
	bool legacy_ciphers;   /* RC2 and DES are opened */
	bool gcm_in_enveloped; /* GCM in EnvelopedData is opened (S88) */
	bool no_clear_answers; /* to mail that came encrypted (S160) */
	struct speaks_for *speaks_for;
	size_t speaks_fors;
	struct pattern *domain_sig; /* RFC 3183 authorities that are taken */
	size_t domain_sigs;
	struct sign_for *sign_for;
	size_t sign_fors;
	struct authority_row *authority;
	size_t authorities;
	struct map_row *map; /* by who, for map_find() */
	size_t maps;
	unsigned char class_word[CONFIG_CLASSES]; /* by enum msg_class */
	struct list_source *list; /* address-map ldap, authority ldap */
	size_t lists;
	struct directory *directory; /* in the order they are asked in */
	size_t directories;
	char *metrics; /* "127.0.0.1:9463" or NULL */
	bool log_syslog;
	struct harvest_policy harvest; /* harvest { } */
	/* notices { } */
	char *notice_to;  /* address; NULL: none are sent */
	char *notice_via; /* "127.0.0.1:25", SMTP */
	int64_t notice_every_s, notice_before_s;

	struct fetch_config fetch;
	struct quarantine_config quarantine;
	/* language, texts */
	char language[16]; /* of who has none of his own */
	struct language_for *language_for;
	size_t language_fors;
	char *texts;		   /* folder; NULL: the installed one */
	struct texts_set *words; /* gateway/texts.h; NULL: built in ones */

	/* milter { } */
	char *listen; /* "unix:/path" or "inet:port@host"; NULL: none */
	int listen_mode; /* of a unix socket */
	char *listen_group;
	char *user;	 /* NULL: stay who we are */
	char *keys_user; /* NULL: as user */
	int workers;
	int waiting; /* messages that may wait for a worker */
	bool observe; /* nothing is changed */
	struct net *outbound;
	size_t outbounds;
	char *reinject; /* "smtp:127.0.0.1:10026" as hop.h has it, or NULL */
	char *tls_route; /* the same, of what must have a verified hop */

	struct door *door;
	size_t doors;
};

/*
 * Read and check. All errors are in ce; on any, -1 and *out NULL. Defaults
 * are those of postseal.conf(5).
 */
int config_read(struct config **out, const char *path,
    struct conf_errors *ce) MUST_CHECK;
/* The same, but a file with relay { } and nothing of the milter's is none that
 * lacks all of that: is_relay_only, what is required is NULL. */
int config_read_any(struct config **out, const char *path,
    struct conf_errors *ce) MUST_CHECK;
void config_free(struct config **c);
/* What would be used, one "key value" line each, for -n; appended. */
void config_print(const struct config *c, struct buf *out);
/* Which way for outgoing mail has no tls-route ("milter { }"); false: all
 * have one. */
bool config_lacks_tls_route(const struct config *c, char *where, size_t size);
/* Is there any? */
bool config_has_tls_route(const struct config *c);
/* What it says of doors. */
void config_print_doors(const struct config *c, struct buf *out);

/* What is set up so that it should be said at every start: say is called
 * with one sentence each. */
void config_warn(const struct config *c, void (*say)(const char *sentence));

bool config_is_local(const struct config *c, const struct addr *a);

/* Does the pattern cover a? Local parts as S79 compares them. */
bool pattern_has(const struct pattern *p, const struct addr *a);
/* Is it the domain (one of lower-case A-labels), or any? Patterns of one
 * address have no domain. */
bool pattern_has_domain(const struct pattern *p, const char *domain);

#endif
