/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What was tied to a certificate by hand: pins and domains, and what a root
 * is trusted for.
 */
#ifndef CLI_BIND_H
#define CLI_BIND_H

#include "cli/rows.h"
#include "util/json.h"

/* postseal cert pin ADDRESS SHA256, assign SHA256 @DOMAIN, and back. */
cli_function bind_pin_verb, bind_unpin_verb;
cli_function bind_assign_verb, bind_unassign_verb;

/*
 * The scopes that --for @d and --purpose p name, n of them (0: everything)
 * into scope, which has room for CAP_SCOPES. 0 or an exit code.
 */
int bind_read_scopes(struct cli *c, const struct cli_list *domains,
    const struct cli_list *purposes, struct ks_scope *scope, size_t *n);

/* Bindings and scopes of a row, for lists and the long form; each returns
 * with e set on failure. */
int bind_short(struct keystore *ks, const struct ks_row *r, struct buf *out,
    struct err *e) MUST_CHECK; /* ", pinned, @d" appended */
int bind_show(struct keystore *ks, const struct ks_row *r, struct buf *out,
    struct err *e) MUST_CHECK; /* lines */
int bind_json(struct keystore *ks, const struct ks_row *r, struct json *j,
    struct err *e) MUST_CHECK; /* pinned_for, assigned_to, trusted_for */
/* Is the certificate tied to anybody? */
int bind_has(struct keystore *ks, const struct cert *c, bool *has,
    struct err *e) MUST_CHECK;

#endif
