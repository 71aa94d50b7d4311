/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Who may use which key: the one place that answers it, asked by the plan
 * and, independently, by the keys process (A9, A35).
 */
#ifndef GATEWAY_AUTHORITY_H
#define GATEWAY_AUTHORITY_H

#include "gateway/config.h"
#include "util/cert.h"

/*
 * May this login (NULL: none), connected from this address, sign as a? By
 * default login = address or, for local domains, its local part; authority
 * rows and sign-for networks add. Exact comparison (T32).
 */
bool authority_may_sign(const struct config *c, const char *login,
    const char *client_ip, const struct addr *a);
/* The same for any address of the certificate. */
bool authority_may_sign_cert(const struct config *c, const char *login,
    const char *client_ip, const struct cert *cert);

/* May mail to these recipients (parsed, details not yet stripped) be opened
 * with the key of this certificate? */
bool authority_may_open(const struct config *c, const struct addr *rcpt,
    size_t n, const struct cert *cert);

#endif
