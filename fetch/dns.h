/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Questions to the DNS with what DNSSEC says of the answers, for many threads
 * at once; and the records that mail routing needs, read strictly. Whoever
 * asks does it by struct dns, so that tests answer themselves.
 */
#ifndef FETCH_DNS_H
#define FETCH_DNS_H

#include "util/buf.h"

#define DNS_NAME 256	  /* a name as text, without final dot, with NUL */
#define DNS_RECORDS 64	  /* kept of one answer */
#define DNS_OCTETS 131072 /* of all of them */

enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_TLSA = 52
};

enum dns_state {
	DNS_FAILED, /* no answer: SERVFAIL, time; nothing is known */
	DNS_BOGUS,  /* DNSSEC does not hold: worse than no answer */
	DNS_INSECURE,
	DNS_SECURE
};
const char *dns_state_str(enum dns_state s);

/* The last two states: there may be records, or no data, or no such name. */
struct dns_answer {
	enum dns_state state;
	bool is_nxdomain;
	char name[DNS_NAME]; /* where the records are, after CNAMEs; "": they
				lead to a name that no host can have */
	int64_t ttl_s;
	char why[200]; /* of the first two states */
	struct view rdata[DNS_RECORDS];
	size_t n;
	bool has_more; /* than were kept */
	struct buf octets; /* that rdata points to */
};
void dns_answer_free(struct dns_answer *a);

struct dns {
	/* Answer until deadline (CLOCK_MONOTONIC, ms); out is not filled
	 * before. Any thread. */
	void (*ask)(void *arg, const char *name, enum dns_type type,
	    int64_t deadline, struct dns_answer *out);
	void *arg;
};

struct dns_resolver;
/* anchor_file, forward: borrowed, NULL: the system's; from the root.
 * Nothing is opened before the first question; no thread runs. */
int dns_resolver_new(struct dns_resolver **out, const char *anchor_file,
    const char *forward, struct err *e) MUST_CHECK;
/* No question may run. */
void dns_resolver_free(struct dns_resolver **r);
struct dns dns_resolver_use(struct dns_resolver *r);

/* ---- one answer by hand, for tests ---- */

void dns_answer_init(struct dns_answer *a, const char *name,
    enum dns_state state);
void dns_answer_add(struct dns_answer *a, const void *rdata, size_t n);

/* ---- records: -1 is one that cannot be used ---- */

struct dns_mx {
	unsigned preference;
	char name[DNS_NAME]; /* lower-case; "": the root, null MX */
};
int dns_read_mx(struct dns_mx *out, struct view rdata) MUST_CHECK;

struct dns_tlsa {
	uint8_t usage, selector, mtype;
	struct view data; /* inside rdata; not empty */
};
int dns_read_tlsa(struct dns_tlsa *out, struct view rdata) MUST_CHECK;

/* All strings of it, joined; appended. */
int dns_read_txt(struct buf *out, struct view rdata) MUST_CHECK;

struct sockaddr_storage;
/* 4 octets of an A, 16 of an AAAA record; *len of the address. */
int dns_read_address(struct sockaddr_storage *out, unsigned *len,
    struct view rdata, int port) MUST_CHECK;

/* A wire name that ends where v does: lower-case text of letters, digits, -
 * and _ in labels; "" is the root. */
int dns_read_name(char out[DNS_NAME], struct view v) MUST_CHECK;

#endif
