/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal cert: pending, approve, reject.
 */
#include "cli/pending.h"

#include <string.h>

#include "cli/rows.h"
#include "keystore/harvest.h"
#include "util/ossl.h"
#include "util/when.h"

#define PRINT_MAX ((size_t)256 << 20)

/* ---- what waits ---- */

/* A row under print. */
struct waiting {
	const struct harvest_row *h;
	const struct cert *cert;
	const struct cert *used; /* instead of it; NULL: none */
};

struct printing {
	struct cli *c;
	struct table *table; /* or NULL: JSON */
	struct json j;
	size_t n;
	int64_t now;
	const struct harvest_row *h; /* being looked up */
};

static void put_table(struct printing *p, const struct waiting *w)
{
	char date[WHEN_SIZE];
	struct buf b;

	buf_init(&b, 4096);
	table_cell(p->table, w->h->address);
	buf_printf(&b, "%.16s", cert_sha256_hex(w->cert));
	table_cell(p->table, buf_str(&b));
	buf_clear(&b);
	buf_printf(&b, "%d %s since %s", w->h->days, w->h->days == 1 ? "day" :
	    "days", when_date(date, w->h->first_seen));
	table_cell(p->table, buf_str(&b));
	buf_clear(&b);
	buf_printf(&b, "%.16s", w->used == NULL ? "-" :
	    cert_sha256_hex(w->used));
	table_cell(p->table, buf_str(&b));
	table_cell(p->table, w->h->reason);
	table_cell(p->table, cert_issuer(w->cert));
	buf_free(&b);
}

static void put_times(struct json *j, const struct harvest_row *h)
{
	char date[WHEN_SIZE];

	json_int(j, "days", h->days);
	json_str(j, "first_seen", when_timestamp(date, h->first_seen));
	json_str(j, "last_seen", when_timestamp(date, h->last_seen));
	json_str(j, "reason", h->reason[0] == '\0' ? NULL : h->reason);
}

static void put_json(struct printing *p, const struct waiting *w)
{
	char date[WHEN_SIZE];

	json_object(&p->j, NULL);
	json_str(&p->j, "address", w->h->address);
	json_str(&p->j, "sha256", cert_sha256_hex(w->cert));
	json_str(&p->j, "subject", cert_subject(w->cert));
	json_str(&p->j, "issuer", cert_issuer(w->cert));
	json_str(&p->j, "not_after", when_timestamp(date,
	    cert_not_after(w->cert)));
	put_times(&p->j, w->h);
	json_str(&p->j, "in_use", w->used == NULL ? NULL :
	    cert_sha256_hex(w->used));
	json_end_object(&p->j);
}

/* The certificate of the row that is being printed. */
static int put_row(void *arg, const struct ks_row *r, struct err *e)
{
	struct printing *p = arg;
	struct waiting w = { p->h, r->cert, NULL };
	struct selection sel;
	struct addr who;

	if (addr_parse(&who, view_of(p->h->address), e) != 0 ||
	    keystore_select(p->c->ks, &who, KS_ENCRYPT, p->now, &sel, e) != 0)
		return -1;
	w.used = sel.cert;
	if (p->table == NULL)
		put_json(p, &w);
	else
		put_table(p, &w);
	selection_free(&sel);
	p->n++;
	return 0;
}

static int put_waiting(void *arg, const struct harvest_row *h, struct err *e)
{
	struct printing *p = arg;
	char hex[65];

	p->h = h;
	return keystore_list(p->c->ks, hex_encode(hex, h->cert, 32), put_row,
	    p, e);
}

static struct table *new_table(void)
{
	static const char *const head[] = { "FOR", "SHA-256", "SEEN",
		"IN USE", "WHY IT WAITS", "ISSUER" };

	return table_of(head, ARRAY_LEN(head));
}

static int print_pending(struct cli *c, bool json)
{
	struct printing p = { .c = c, .now = cli_now(c) };
	struct err e = { 0 };
	struct buf out;
	int rc = EX_OK;

	buf_init(&out, PRINT_MAX);
	json_init(&p.j, &out);
	p.table = json ? NULL : new_table();
	if (json)
		json_array(&p.j, NULL);
	else if (p.table == NULL)
		rc = cli_say(EX_OSERR, "out of memory");
	if (rc == EX_OK && harvest_list_pending(c->ks, put_waiting, &p, &e) !=
	    0)
		rc = cli_fail(&e);
	if (json) {
		json_end_array(&p.j);
		buf_putc(&out, '\n');
	} else if (rc == EX_OK && p.n == 0) {
		(void)cli_say(0, "no certificate waits");
	} else if (rc == EX_OK && table_print(p.table, &out) != 0) {
		rc = cli_say(EX_OSERR, "out of memory");
	}
	if (rc == EX_OK)
		rc = cli_print(&out);
	table_free(&p.table);
	buf_free(&out);
	return rc;
}

int pending_verb(struct cli *c, int argc, char **argv)
{
	return cli_list_verb(c, argc, argv, print_pending);
}

/* ---- deciding ---- */

/* By SHA-256: an address has others, too. */
static int find_one(struct cli *c, const struct cli_list *rest,
    struct rows *rows)
{
	const char *what = rest->n == 1 ? rest->v[0] : "@";
	int rc;

	if (strchr(what, '@') != NULL)
		return cli_usage(c, "want 8 to 64 hex digits of a SHA-256, "
		    "which \"postseal cert pending\" shows");
	rc = cli_keystore(c, KS_WRITE);
	return rc == EX_OK ? rows_one(c, what, rows) : rc;
}

static void say_others(struct cli *c, const struct cert *cert)
{
	struct selection sel;
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < cert_addresses(cert); i++) {
		if (keystore_select(c->ks, cert_address(cert, i), KS_ENCRYPT,
		    cli_now(c), &sel, &e) != 0)
			return;
		if (sel.cert != NULL && strcmp(cert_sha256_hex(sel.cert),
		    cert_sha256_hex(cert)) != 0)
			(void)cli_say(0, "note: %s is still encrypted to "
			    "with %.16s; \"postseal cert check %.16s\" says "
			    "why", cert_address(cert, i)->text,
			    cert_sha256_hex(sel.cert), cert_sha256_hex(cert));
		selection_free(&sel);
	}
}

int approve_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct rows rows = { 0 };
	struct err e = { 0 };
	bool replace = false;
	size_t replaced = 0;
	const struct cli_opt opt[] = {
		{ "--replace", &replace, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK)
		rc = find_one(c, &rest, &rows);
	if (rc == EX_OK && harvest_approve(c->ks,
	    cert_sha256(rows.row[0].cert), replace, &replaced, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK) {
		printf("%.16s %s: approved",
		    cert_sha256_hex(rows.row[0].cert),
		    cert_subject(rows.row[0].cert));
		if (replace)
			printf(", %zu replaced", replaced);
		printf("\n");
		say_others(c, rows.row[0].cert);
	}
	rows_free(&rows);
	cli_list_free(&rest);
	return rc;
}

int reject_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct rows rows = { 0 };
	struct err e = { 0 };
	const struct cli_opt opt[] = { { NULL, NULL, NULL, NULL } };
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK)
		rc = find_one(c, &rest, &rows);
	if (rc == EX_OK && harvest_reject(c->ks,
	    cert_sha256(rows.row[0].cert), &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK)
		printf("%.16s %s: rejected; it will not come again\n",
		    cert_sha256_hex(rows.row[0].cert),
		    cert_subject(rows.row[0].cert));
	rows_free(&rows);
	cli_list_free(&rest);
	return rc;
}

/* ---- of one certificate ---- */

static int put_line(void *arg, const struct harvest_row *h, struct err *e)
{
	char first[WHEN_SIZE], last[WHEN_SIZE];
	struct buf *b = arg;

	(void)e;
	buf_printf(b, "harvested    %s, on %d %s, %s to %s%s%s\n", h->address,
	    h->days, h->days == 1 ? "day" : "days",
	    when_date(first, h->first_seen), when_date(last, h->last_seen),
	    h->reason[0] == '\0' ? "" : "; waits: ", h->reason);
	return 0;
}

int pending_show(struct keystore *ks, const struct cert *c, struct buf *b,
    struct err *e)
{
	return harvest_list_of(ks, cert_sha256(c), put_line, b, e);
}

static int put_object(void *arg, const struct harvest_row *h, struct err *e)
{
	struct json *j = arg;

	(void)e;
	json_object(j, NULL);
	json_str(j, "address", h->address);
	put_times(j, h);
	json_end_object(j);
	return 0;
}

int pending_json(struct keystore *ks, const struct cert *c, struct json *j,
    struct err *e)
{
	int rc;

	json_array(j, "harvested");
	rc = harvest_list_of(ks, cert_sha256(c), put_object, j, e);
	json_end_array(j);
	return rc;
}
