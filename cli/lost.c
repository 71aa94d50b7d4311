/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Old keys stay, because mail of years ago is encrypted to them. Who removes
 * one is told what that mail is.
 */
#include "cli/lost.h"

#include <string.h>

#include "keystore/rotate.h"
#include "util/when.h"

#define NAMED_MAX 20

static bool same_key(const struct cert *a, const struct cert *b)
{
	return memcmp(cert_spki_sha256(a), cert_spki_sha256(b), 32) == 0;
}

/* Earliest of the certificates with this key that go. */
static int64_t since(const struct rows *rows, const struct cert *c,
    size_t *going)
{
	int64_t first = cert_not_before(c);
	size_t i;

	*going = 0;
	for (i = 0; i < rows->n; i++) {
		if (!same_key(rows->row[i].cert, c))
			continue;
		(*going)++;
		if (cert_not_before(rows->row[i].cert) < first)
			first = cert_not_before(rows->row[i].cert);
	}
	return first;
}

static bool was_before(const struct rows *rows, size_t at)
{
	size_t i;

	for (i = 0; i < at; i++)
		if (same_key(rows->row[i].cert, rows->row[at].cert))
			return true;
	return false;
}

static void say(const struct cert *c, int64_t from, size_t opened,
    int64_t last)
{
	char day[WHEN_SIZE], until[WHEN_SIZE];
	const char *who = cert_addresses(c) > 0 ? cert_address(c, 0)->text :
	    cert_subject(c);

	fflush(stdout);
	if (cert_is_ca(c)) {
		(void)cli_say(0, "warning: nothing can be issued, renewed or "
		    "revoked any more under %s (certificate %.16s)", who,
		    cert_sha256_hex(c));
		return;
	}
	fprintf(stderr, "postseal: warning: mail encrypted to this key since "
	    "%s for %s can no longer be opened (certificate %.16s)",
	    when_date(day, from), who, cert_sha256_hex(c));
	if (opened > 0)
		fprintf(stderr, "; the audit remembers %zu %s to this "
		    "address that %s opened, the last one on %s", opened,
		    opened == 1 ? "message" : "messages",
		    opened == 1 ? "was" : "were", when_date(until, last));
	fputc('\n', stderr);
}

static int look_at(struct cli *c, const struct rows *rows, size_t i,
    size_t *lost)
{
	const struct cert *cert = rows->row[i].cert;
	size_t going, all, opened = 0;
	struct err e = { 0 };
	int64_t from, last = 0;

	if (!rows->row[i].has_key || was_before(rows, i))
		return EX_OK;
	from = since(rows, cert, &going);
	if (keystore_key_certs(c->ks, cert, &all, &e) != 0)
		return cli_fail(&e);
	if (all > going)
		return cli_say(0, "the key of %.16s stays: %zu other %s it",
		    cert_sha256_hex(cert), all - going,
		    all - going == 1 ? "certificate has" :
		    "certificates have");
	if ((*lost)++ >= NAMED_MAX)
		return EX_OK;
	if (cert_addresses(cert) > 0 && keystore_opened_for(c->ks,
	    cert_address(cert, 0)->text, &opened, &last, &e) != 0)
		return cli_fail(&e);
	say(cert, from, opened, last);
	return EX_OK;
}

int lost_say(struct cli *c, const struct rows *rows)
{
	size_t i, lost = 0;
	int rc = EX_OK;

	for (i = 0; rc == EX_OK && i < rows->n; i++)
		rc = look_at(c, rows, i, &lost);
	if (rc == EX_OK && lost > NAMED_MAX)
		(void)cli_say(0, "warning: the same of %zu more keys",
		    lost - NAMED_MAX);
	return rc;
}
