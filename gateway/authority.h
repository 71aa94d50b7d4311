/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Who may use which key: the one place that answers it, asked by the plan
 * and, independently, by the keys process (A9, A35).
 */
#ifndef GATEWAY_AUTHORITY_H
#define GATEWAY_AUTHORITY_H

#include "gateway/address_map.h"
#include "util/cert.h"

/* What is asked, and where lists of directories are; lists NULL: those are
 * unknown. */
struct authority {
	const struct config *config;
	const struct list_reader *lists;
};

/* Who asks for a signature. */
struct asker {
	const char *login;     /* NULL: none */
	const char *client_ip; /* NULL: unknown */
};

/*
 * May he sign as a? By default login = address or, for local domains, its
 * local part; authority (files and directories) and sign-for networks add.
 * Exact comparison (T32). FAIL_TEMP: a list that might say so was never
 * fetched.
 */
int authority_signs(const struct authority *au, const struct asker *who,
    const struct addr *a, bool *may, struct err *e) MUST_CHECK;
/* The same for any address of the certificate. */
int authority_signs_cert(const struct authority *au,
    const struct asker *who, const struct cert *cert, bool *may,
    struct err *e) MUST_CHECK;
/* With configuration and its files alone; what is unknown is no. */
bool authority_may_sign(const struct config *c, const char *login,
    const char *client_ip, const struct addr *a);
bool authority_may_sign_cert(const struct config *c, const char *login,
    const char *client_ip, const struct cert *cert);

enum opens {
	OPENS_NOT,
	OPENS_DOMAIN, /* with a key that is for all of the domain (S203) */
	OPENS_RCPT    /* with one that is for this recipient */
};
/*
 * May mail to this recipient (parsed, detail not yet stripped) be opened with
 * the key of this certificate? FAIL_TEMP: as above, and nothing else says
 * yes.
 */
int authority_opens(const struct authority *au, const struct addr *rcpt,
    const struct cert *cert, enum opens *out, struct err *e) MUST_CHECK;
/* The same of any of n, with configuration and its files alone. */
bool authority_may_open(const struct config *c, const struct addr *rcpt,
    size_t n, const struct cert *cert);

#endif
