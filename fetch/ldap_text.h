/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The texts of LDAP that come from configuration and from addresses: URLs
 * of servers (RFC 4516, host and port alone), search filters (RFC 4515).
 */
#ifndef FETCH_LDAP_TEXT_H
#define FETCH_LDAP_TEXT_H

#include "util/buf.h"

struct ldap_where {
	bool is_tls;	  /* ldaps:// */
	bool is_loopback; /* localhost, 127.0.0.0/8, ::1 */
	char host[256];	  /* without brackets */
	int port;	  /* 0: that of the scheme */
};
/* ldap://HOST[:PORT] or ldaps://HOST[:PORT] and no more. FAIL_CONFIG. */
int ldap_url_read(struct ldap_where *w, const char *url, struct err *e)
    MUST_CHECK;

/*
 * Is it one well-formed filter with exactly one %s, which stands in a value?
 * No other % is allowed. FAIL_CONFIG says what is wrong and where.
 */
int ldap_filter_check(const char *filter, struct err *e) MUST_CHECK;
/* The same of one without %s, for a list. */
int ldap_filter_check_list(const char *filter, struct err *e) MUST_CHECK;

/* Append the filter, %s replaced by the address, in which everything but
 * letters, digits and @ . _ - + = is escaped (RFC 4515 3, S187). */
void ldap_filter_fill(struct buf *out, const char *filter,
    const char *raw_address);

#endif
