/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One directory { smimea ... }: certificates in the DNS (RFC 8162), believed
 * only where DNSSEC secures them. The names and records are here, too, for
 * whoever wants to see them alone.
 */
#ifndef FETCH_SMIMEA_H
#define FETCH_SMIMEA_H

#include "fetch/find.h"

/* Room for a name of the DNS. */
#define SMIMEA_NAME 256
/*
 * The name where the certificates of a are (RFC 8162 3); the local part is
 * hashed octet for octet. FAIL_LIMIT: too long to be in the DNS.
 */
int smimea_name(char name[SMIMEA_NAME], const struct addr *a, struct err *e)
    MUST_CHECK;

/* One record (RFC 6698 2.1) into f: a full certificate is kept, of the rest
 * is said what it is. */
void smimea_take(struct found_certs *f, struct view rdata,
    bool trust_dnssec);

struct smimea_directory;

/* d is borrowed; nothing is opened or read yet. */
int smimea_directory_new(struct smimea_directory **out,
    const struct directory *d, struct err *e) MUST_CHECK;
void smimea_directory_free(struct smimea_directory **s);

/*
 * Ask until the deadline (fetch/find_int.h). *ttl_s: how long the answer
 * holds. FAIL_TEMP: bogus, no answer, no anchor; *whole_domain then says
 * that it is not about this name alone. In a zone that is not signed nothing
 * is found (S182).
 */
int smimea_directory_find(struct smimea_directory *s, const struct addr *a,
    int64_t deadline, struct found_certs *out, int64_t *ttl_s,
    bool *whole_domain, struct err *e) MUST_CHECK;

#endif
