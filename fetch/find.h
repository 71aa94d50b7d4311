/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates of an address from directories: LDAP, and SMIMEA in the DNS
 * (RFC 8162). Octets only: what comes back is judged by the keystore as
 * any other certificate (S102, S187). Belongs to the fetch process; the
 * postseal command plays it. Never stores anything.
 */
#ifndef FETCH_FIND_H
#define FETCH_FIND_H

#include "util/addr.h"
#include "util/caps.h"

#define FIND_CERTS 16	    /* at most for one address */
#define FIND_CERT_MAX 65536 /* octets of each (F.3) */

enum find_source { FIND_LDAP, FIND_SMIMEA };
const char *find_source_str(enum find_source s);

/* An answer. Nothing found is an answer, too; both are cached. */
struct found_certs {
	enum find_source source;
	char from[200]; /* which server or name said so, for people */
	/* what else is to be known, one sentence, or "": a directory that
	 * was not reached and does not defer, a record that cannot be used */
	char warning[400];
	struct buf der[FIND_CERTS];
	/* needs no path to an anchor: DNSSEC vouches for it, and the
	 * directory's trust dnssec lets it (RFC 8162 2, usage 3) */
	bool is_vouched[FIND_CERTS];
	size_t n;
};
void found_certs_init(struct found_certs *f);
void found_certs_free(struct found_certs *f);

/* One directory { } of postseal.conf; strings owned. */
struct directory {
	enum find_source source;
	char *name; /* that lists call it by; NULL: none */
	int64_t lists_every_s;
	char **domain; /* "d", "*.d" (its subdomains), or "any"; A-labels */
	size_t domains;
	char **url; /* LDAP: ldap://host[:port], ldaps://, tried in order */
	size_t urls;
	char *base, *filter; /* LDAP: %s in the filter is the address */
	char *attribute;     /* "userCertificate;binary" */
	char *bind_dn, *password_file; /* NULL: anonymous */
	char *ca_file; /* of LDAPS and StartTLS; NULL: the system's */
	bool start_tls;
	char *anchor_file; /* SMIMEA: DNSSEC trust anchor; NULL: default */
	char *resolver;	   /* SMIMEA: "address@port" to forward to, or NULL */
	bool trust_dnssec; /* SMIMEA: usage 3 needs no path to an anchor */
	int64_t timeout_ms;
	int64_t cache_s, negative_s; /* 0: not cached */
	bool defers; /* not reached: FAIL_TEMP; else as if nothing found */
};
void directory_free(struct directory *d);

struct finder;

/*
 * d is borrowed until finder_free(). Opens no connection yet, but reads the
 * passwords (FAIL_CONFIG), so it is for before rights are dropped; CA and
 * anchor files, and what the system needs to resolve names, are read when
 * they are needed. Ignores SIGPIPE, as writing to a lost server needs it.
 * One owner; SMIMEA has a thread of its library's.
 */
int finder_new(struct finder **out, const struct directory *d, size_t n,
    struct err *e) MUST_CHECK;
void finder_free(struct finder **f);

/* Does a directory serve this domain? Costs nothing. */
bool directories_serve(const struct directory *d, size_t n,
    const struct addr *a);
/* Does one that lets DNSSEC vouch (trust dnssec)? For who gets an answer of
 * another process: is_vouched counts then, and else never. */
bool directories_vouch(const struct directory *d, size_t n,
    const struct addr *a);

/*
 * Look a up in the directories that serve its domain, in the order of the
 * configuration, until one knows certificates. At most within_ms from now.
 * out is initialised by the caller, and empty after a failure. FAIL_TEMP
 * when none knows any and one could not say: timeout, not reachable (if it
 * defers), or DNSSEC bogus (always, RFC 8162 6): never "no certificate".
 */
int finder_find(struct finder *f, const struct addr *a, int64_t within_ms,
    struct found_certs *out, struct err *e) MUST_CHECK;

/*
 * A list of the directory with this name (fetch/ldap.h has what comes out).
 * Apart from lookups: another thread may call it, one at a time. FAIL_POLICY
 * when there is no such directory of LDAP, FAIL_LIMIT, FAIL_TEMP.
 */
struct ldap_list;
int finder_list(struct finder *f, const char *directory,
    const struct ldap_list *q, int64_t within_ms, struct buf *out,
    struct err *e) MUST_CHECK;

#endif
