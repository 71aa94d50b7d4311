/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Printing certificates: table, long form, JSON.
 */
#include "cli/rows.h"

#include <stdlib.h>
#include <string.h>

#include "cli/bind.h"
#include "cli/advice.h"
#include "cli/caps.h"
#include "cli/pending.h"
#include "keystore/revocation.h"
#include "util/when.h"

#define PRINT_MAX ((size_t)1 << 30) /* 10^5 certificates need some 60 MB */

static int keep(void *arg, const struct ks_row *r, struct err *e)
{
	struct rows *rows = arg;
	size_t size = rows->size == 0 ? 16 : 2 * rows->size;
	struct ks_row *bigger;

	if (rows->only_keys && !r->has_key)
		return 0;
	if (rows->n == rows->size) {
		bigger = realloc(rows->row, size * sizeof(*bigger));
		if (bigger == NULL)
			return err_set(e, FAIL_TEMP, "out of memory");
		rows->row = bigger;
		rows->size = size;
	}
	rows->row[rows->n] = *r;
	rows->row[rows->n].cert = cert_ref(r->cert);
	rows->n++;
	return 0;
}

int rows_read(struct cli *c, const char *what, struct rows *rows)
{
	struct err e = { 0 };

	if (keystore_list(c->ks, what, keep, rows, &e) != 0)
		return cli_fail(&e);
	return EX_OK;
}

int rows_none(const char *what, bool only_keys)
{
	return cli_say(EX_DATAERR, "%s: no certificate%s; \"postseal cert "
	    "list\" shows all, \"postseal %s import FILE\" brings more",
	    what, only_keys ? " with a private key" : "",
	    only_keys ? "key" : "cert");
}

int rows_some(struct cli *c, const char *what, struct rows *rows)
{
	int rc = rows_read(c, what, rows);

	if (rc == EX_OK && rows->n == 0)
		rc = rows_none(what, false);
	return rc;
}

int rows_one(struct cli *c, const char *what, struct rows *rows)
{
	int rc = rows_some(c, what, rows);

	if (rc != EX_OK)
		return rc;
	if (rows->n > 1)
		return cli_say(EX_DATAERR, "%s: %zu certificates; name one "
		    "by its SHA-256, which \"postseal cert list %s\" shows",
		    what, rows->n, what);
	return EX_OK;
}

void rows_free(struct rows *rows)
{
	size_t i;

	for (i = 0; i < rows->n; i++)
		ks_row_free(&rows->row[i]);
	free(rows->row);
	memset(rows, 0, sizeof(*rows));
}

/* "sign, encrypt". */
static void put_use(struct buf *b, const struct ks_row *r)
{
	static const struct {
		unsigned bit;
		const char *name;
	} uses[] = {
		{ KS_SIGN, "sign" },
		{ KS_ENCRYPT, "encrypt" },
		{ KS_STORAGE, "storage" },
	};
	size_t i, had = b->n;

	if (cert_is_ca(r->cert))
		buf_puts(b, r->is_anchor ? "trusted root" : "ca");
	for (i = 0; i < ARRAY_LEN(uses); i++) {
		/* Who may encrypt may store: said only when it is alone. */
		if ((r->use & uses[i].bit) == 0 ||
		    (uses[i].bit == KS_STORAGE && (r->use & KS_ENCRYPT) != 0))
			continue;
		buf_printf(b, "%s%s", b->n > had ? ", " : "", uses[i].name);
	}
	if (b->n == had)
		buf_puts(b, "-");
}

static const char *state_of(const struct ks_row *r,
    const struct revocation *rev, int64_t now)
{
	if (r->state != KS_USABLE)
		return ks_state_str(r->state);
	if (rev->status == REVOCATION_REVOKED)
		return "REVOKED";
	if (now > cert_not_after(r->cert))
		return "EXPIRED";
	if (now < cert_not_before(r->cert))
		return "not yet valid";
	return "usable";
}

static int table_row(struct keystore *ks, struct table *t,
    const struct ks_row *r, const struct revocation *rev, int64_t now,
    struct err *e)
{
	const struct cert *c = r->cert;
	int rc;
	char date[32];
	struct buf b;

	buf_init(&b, 4096);
	buf_printf(&b, "%.16s", cert_sha256_hex(c));
	table_cell(t, buf_str(&b));
	buf_clear(&b);
	buf_puts(&b, cert_addresses(c) > 0 ? cert_address(c, 0)->text :
	    cert_subject(c));
	if (cert_addresses(c) > 1)
		buf_printf(&b, " +%zu", cert_addresses(c) - 1);
	table_cell(t, buf_str(&b));
	table_cell(t, cert_key_name(c));
	buf_clear(&b);
	put_use(&b, r);
	rc = bind_short(ks, r, &b, e);
	table_cell(t, buf_str(&b));
	table_cell(t, r->has_key ? "yes" : "-");
	table_cell(t, when_date(date, cert_not_after(c)));
	table_cell(t, state_of(r, rev, now));
	table_cell(t, ks_source_str(r->source));
	buf_free(&b);
	return rc;
}

/* ---- long form ---- */

static void put_usage(struct buf *b, const struct cert *c)
{
	static const struct {
		unsigned bit;
		const char *name;
	} usages[] = {
		{ CERT_KU_SIGN, "signature" },
		{ CERT_KU_ENCIPHER, "key-encipherment" },
		{ CERT_KU_AGREE, "key-agreement" },
		{ CERT_KU_CERT, "certificates" },
	};
	unsigned ku = cert_ku(c);
	size_t i, had = b->n;

	if (!cert_has_ku(c)) {
		buf_puts(b, "any (no extension)");
		return;
	}
	for (i = 0; i < ARRAY_LEN(usages); i++)
		if ((ku & usages[i].bit) != 0)
			buf_printf(b, "%s%s", b->n > had ? " " : "",
			    usages[i].name);
	if (b->n == had)
		buf_puts(b, "-");
}

/* What is known of one certificate now: its path to an anchor, and of all
 * of it, revocation. */
struct fitness {
	struct path path;
	struct revocation rev; /* text empty and unknown: not looked at */
	char limit[400];       /* one use that its root is not trusted for */
};

/* Is the root that it leads to trusted for both of its uses? */
static int find_limit(struct cli *c, const struct ks_row *r,
    struct path_query q, struct fitness *f, struct err *e)
{
	static const struct {
		unsigned use, purpose;
		const char *text;
	} each[] = {
		{ KS_SIGN, KS_FOR_SIGN, "but not to sign" },
		{ KS_ENCRYPT, KS_FOR_ENCRYPT, "but not to encrypt to" },
	};
	struct path p;
	struct buf b;
	size_t i;

	for (i = 0; i < ARRAY_LEN(each); i++) {
		if ((r->use & each[i].use) == 0)
			continue;
		q.purpose = each[i].purpose;
		if (keystore_path_for(c->ks, &q, &p, e) != 0)
			return -1;
		if (!p.ok) {
			buf_init(&b, sizeof(f->limit) - 1);
			buf_printf(&b, "%s: %s", each[i].text, p.reason);
			text_set(f->limit, sizeof(f->limit), buf_str(&b));
			buf_free(&b);
		}
		path_free(&p);
	}
	return 0;
}

static int find_fitness(struct cli *c, const struct ks_row *r,
    struct fitness *f, struct err *e)
{
	const struct cert *cert = r->cert;
	int64_t now = cli_now(c);
	/* for what it says that it is for */
	struct path_query q = { .leaf = cert, .at = now,
	    .purpose = KS_FOR_SIGN | KS_FOR_ENCRYPT,
	    .domain = cert_addresses(cert) == 0 ? NULL :
	    addr_domain(cert_address(cert, 0)) };
	struct path *p = &f->path;
	int rc;

	memset(f, 0, sizeof(*f));
	if (bind_has(c->ks, cert, &q.is_named, e) != 0 ||
	    keystore_path_for(c->ks, &q, p, e) != 0)
		return -1;
	/* Whom nobody issued, nobody can revoke. */
	if (p->ok && !(cert_is_ca(cert) && cert_is_self_issued(cert)))
		rc = keystore_revocation(c->ks, cert, p->chain, p->chain_n,
		    now, &f->rev, e);
	else
		rc = keystore_revoked(c->ks, cert, now, &f->rev, e);
	if (rc == 0 && p->ok && !cert_is_ca(cert))
		rc = find_limit(c, r, q, f, e);
	if (rc != 0)
		path_free(p);
	return rc;
}

/* Why it cannot be used now; NULL: it can. */
static const char *why_not(const struct ks_row *r, const struct fitness *f)
{
	if (r->state != KS_USABLE)
		return ks_state_str(r->state);
	if (!f->path.ok)
		return f->path.reason;
	return f->rev.status == REVOCATION_REVOKED ? f->rev.text : NULL;
}

static void put_fitness(const struct fitness *f, struct buf *b)
{
	if (f->path.ok)
		buf_printf(b, "good, to %s%s%s", f->path.anchor,
		    f->limit[0] != '\0' ? ", " : "", f->limit);
	else
		buf_printf(b, "none: %s", f->path.reason);
	buf_printf(b, "\nrevocation   %s",
	    f->rev.text[0] != '\0' ? f->rev.text :
	    f->rev.status == REVOCATION_GOOD ? "good" : "-");
}

static int show_row(struct cli *c, const struct ks_row *r, struct buf *b,
    struct err *e)
{
	const struct cert *cert = r->cert;
	char from[32], until[32];
	struct fitness f;
	size_t i;

	if (find_fitness(c, r, &f, e) != 0)
		return -1;
	buf_printf(b, "SHA-256      %s\nsubject      %s\nissuer       %s\n"
	    "serial       %s\n", cert_sha256_hex(cert), cert_subject(cert),
	    cert_issuer(cert), cert_serial_hex(cert));
	for (i = 0; i < cert_addresses(cert); i++)
		buf_printf(b, "address      %s\n",
		    cert_address(cert, i)->text);
	if (cert_bad_addresses(cert) > 0)
		buf_printf(b, "malformed    %zu addresses, ignored\n",
		    cert_bad_addresses(cert));
	buf_printf(b, "valid        %s to %s\nalgorithm    %s\n"
	    "key usage    ", when_timestamp(from, cert_not_before(cert)),
	    when_timestamp(until, cert_not_after(cert)),
	    cert_key_name(cert));
	put_usage(b, cert);
	buf_printf(b, "\ne-mail       %s\nused for     ",
	    cert_eku_mail(cert) ? "allowed" : "not allowed by extended key "
	    "usage");
	put_use(b, r);
	buf_putc(b, '\n');
	if (bind_show(c->ks, r, b, e) != 0) {
		path_free(&f.path);
		return -1;
	}
	buf_printf(b, "private key  %s\nstate        %s\nsource       %s, "
	    "%s\npath         ", r->has_key ? "here" : "-",
	    state_of(r, &f.rev, cli_now(c)), ks_source_str(r->source),
	    when_date(from, r->added));
	put_fitness(&f, b);
	buf_putc(b, '\n');
	path_free(&f.path);
	if (pending_show(c->ks, cert, b, e) != 0)
		return -1;
	return caps_show(c->ks, cert, b, e);
}

int rows_show(struct cli *c, const struct rows *rows)
{
	struct err e = { 0 };
	struct buf out;
	size_t i;
	int rc = EX_OK;

	buf_init(&out, PRINT_MAX);
	for (i = 0; rc == EX_OK && i < rows->n; i++) {
		if (i > 0)
			buf_putc(&out, '\n');
		if (show_row(c, &rows->row[i], &out, &e) != 0)
			rc = cli_fail(&e);
	}
	if (rc == EX_OK)
		rc = cli_print(&out);
	buf_free(&out);
	return rc;
}

/* ---- JSON ---- */

static void json_revocation(struct json *j, const struct revocation *rev)
{
	char date[32];

	if (rev->status == REVOCATION_UNKNOWN && rev->text[0] == '\0') {
		json_null(j, "revocation");
		return;
	}
	json_object(j, "revocation");
	json_str(j, "status", revocation_str(rev->status));
	json_str(j, "since", rev->status != REVOCATION_REVOKED ? NULL :
	    when_timestamp(date, rev->date));
	json_str(j, "reason", rev->why);
	json_str(j, "source", rev->source);
	json_str(j, "text", rev->text[0] != '\0' ? rev->text : NULL);
	json_end_object(j);
}

static void json_fitness(struct json *j, const struct ks_row *r,
    const struct fitness *f)
{
	const struct path *p = &f->path;

	json_bool(j, "usable", why_not(r, f) == NULL);
	json_object(j, "path");
	json_bool(j, "ok", p->ok);
	json_str(j, "anchor", p->ok ? p->anchor : NULL);
	json_str(j, "reason", p->ok ? NULL : p->reason);
	json_end_object(j);
}

/* What the certificate itself says. */
static void json_cert(struct json *j, const struct cert *c, int64_t now)
{
	char date[32];
	size_t i;

	json_str(j, "sha256", cert_sha256_hex(c));
	json_str(j, "subject", cert_subject(c));
	json_str(j, "issuer", cert_issuer(c));
	json_str(j, "serial", cert_serial_hex(c));
	json_array(j, "addresses");
	for (i = 0; i < cert_addresses(c); i++)
		json_str(j, NULL, cert_address(c, i)->text);
	json_end_array(j);
	json_str(j, "not_before", when_timestamp(date, cert_not_before(c)));
	json_str(j, "not_after", when_timestamp(date, cert_not_after(c)));
	json_bool(j, "expired", now > cert_not_after(c));
	json_str(j, "algorithm", cert_key_name(c));
}

/* A row under print; f is NULL in lists: no path is looked for. */
struct printed {
	struct keystore *ks;
	const struct ks_row *row;
	const struct revocation *rev;
	const struct fitness *f;
	int64_t now;
};

static int json_row(struct json *j, const struct printed *x, struct err *e)
{
	const struct ks_row *r = x->row;
	char date[32];

	json_object(j, NULL);
	json_cert(j, r->cert, x->now);
	json_array(j, "use");
	if ((r->use & KS_SIGN) != 0)
		json_str(j, NULL, "sign");
	if ((r->use & KS_ENCRYPT) != 0)
		json_str(j, NULL, "encrypt");
	if ((r->use & KS_STORAGE) != 0)
		json_str(j, NULL, "storage");
	json_end_array(j);
	json_str(j, "state", r->state == KS_USABLE &&
	    x->rev->status == REVOCATION_REVOKED ? "revoked" :
	    ks_state_str(r->state));
	if (x->f != NULL)
		json_fitness(j, r, x->f);
	json_revocation(j, x->rev);
	if (x->f != NULL) {
		advice_json(j, r->cert, &x->f->path);
		if (pending_json(x->ks, r->cert, j, e) != 0)
			return -1;
	}
	if (caps_json(x->ks, r->cert, j, e) != 0)
		return -1;
	json_str(j, "source", ks_source_str(r->source));
	json_str(j, "added", when_timestamp(date, r->added));
	json_bool(j, "has_key", r->has_key);
	json_bool(j, "is_ca", cert_is_ca(r->cert));
	json_bool(j, "is_anchor", r->is_anchor);
	if (bind_json(x->ks, r, j, e) != 0)
		return -1;
	json_end_object(j);
	return 0;
}

/* ---- lists ---- */

/* Ten thousand parsed certificates would be 100 MB: a list keeps text. */
struct listing {
	struct keystore *ks;
	struct table *table; /* or NULL: JSON */
	struct json j;
	int64_t now;
	bool only_keys;
	size_t n;
};

static int list_row(void *arg, const struct ks_row *r, struct err *e)
{
	struct listing *l = arg;
	struct revocation rev;

	if (l->only_keys && !r->has_key)
		return 0;
	if (keystore_revoked(l->ks, r->cert, l->now, &rev, e) != 0)
		return -1;
	l->n++;
	if (l->table == NULL)
		return json_row(&l->j, &(struct printed){ l->ks, r, &rev,
		    NULL, l->now }, e);
	return table_row(l->ks, l->table, r, &rev, l->now, e);
}

static struct table *new_table(void)
{
	static const char *const head[] = {
		"SHA-256", "FOR", "ALGORITHM", "USE", "KEY", "UNTIL", "STATE",
		"SOURCE"
	};

	return table_of(head, ARRAY_LEN(head));
}

static int print_listing(struct cli *c, const char *what, struct listing *l,
    struct buf *out)
{
	struct err e = { 0 };

	if (l->table == NULL)
		json_array(&l->j, NULL);
	if (keystore_list(c->ks, what, list_row, l, &e) != 0)
		return cli_fail(&e);
	if (l->table == NULL) {
		json_end_array(&l->j);
		buf_putc(out, '\n');
	} else if (l->n == 0 && what != NULL) {
		return rows_none(what, l->only_keys);
	} else if (table_print(l->table, out) != 0) {
		return cli_say(EX_OSERR, "out of memory");
	}
	if (l->n == 0 && l->table != NULL)
		(void)cli_say(0, "none yet; \"postseal %s import FILE\" or "
		    "\"postseal ca issue --email ADDRESS\" brings some",
		    l->only_keys ? "key" : "cert");
	return cli_print(out);
}

static int print_list(struct cli *c, const char *what, bool only_keys,
    bool json)
{
	struct listing l = { .ks = c->ks, .now = cli_now(c),
	    .only_keys = only_keys };
	struct buf out;
	int rc;

	buf_init(&out, PRINT_MAX);
	json_init(&l.j, &out);
	if (!json)
		l.table = new_table();
	if (!json && l.table == NULL)
		rc = cli_say(EX_OSERR, "out of memory");
	else
		rc = print_listing(c, what, &l, &out);
	table_free(&l.table);
	buf_free(&out);
	return rc;
}

int rows_list_verb(struct cli *c, int argc, char **argv, bool only_keys)
{
	struct cli_list rest = { NULL, 0 };
	bool json = false;
	const struct cli_opt opt[] = {
		{ "--json", &json, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n > 1)
		rc = cli_usage(c, "%s: unexpected", rest.v[1]);
	if (rc == EX_OK)
		rc = cli_keystore(c, KS_READ);
	if (rc == EX_OK)
		rc = print_list(c, rest.n == 1 ? rest.v[0] : NULL, only_keys,
		    json);
	cli_list_free(&rest);
	return rc;
}

/* An array of all; *bad counts those that cannot be used now. */
static int put_json(struct cli *c, const struct rows *rows, struct buf *out,
    size_t *bad, struct err *e)
{
	struct printed x = { .ks = c->ks, .now = cli_now(c) };
	struct fitness f;
	struct json j;
	size_t i;
	int rc;

	x.f = &f;
	x.rev = &f.rev;
	json_init(&j, out);
	json_array(&j, NULL);
	for (i = 0; i < rows->n; i++) {
		x.row = &rows->row[i];
		if (find_fitness(c, x.row, &f, e) != 0)
			return -1;
		rc = json_row(&j, &x, e);
		*bad += why_not(x.row, &f) != NULL;
		path_free(&f.path);
		if (rc != 0)
			return -1;
	}
	json_end_array(&j);
	buf_putc(out, '\n');
	return 0;
}

/* "bob@example.org: usable", or why not. */
static int put_lines(struct cli *c, const struct rows *rows, struct buf *out,
    size_t *bad, struct err *e)
{
	const struct ks_row *r;
	struct fitness f;
	const char *why;
	size_t i;

	for (i = 0; i < rows->n; i++) {
		r = &rows->row[i];
		if (find_fitness(c, r, &f, e) != 0)
			return -1;
		why = why_not(r, &f);
		*bad += why != NULL;
		buf_printf(out, "%.16s %s: %s%s%s%s%s\n",
		    cert_sha256_hex(r->cert), cert_addresses(r->cert) > 0 ?
		    cert_address(r->cert, 0)->text : cert_subject(r->cert),
		    why != NULL ? why : "usable",
		    why == NULL && f.limit[0] != '\0' ? ", " : "",
		    why == NULL ? f.limit : "",
		    why == NULL && f.rev.text[0] != '\0' ? "; " : "",
		    why == NULL ? f.rev.text : "");
		advice_lines(out, r->cert, &f.path);
		path_free(&f.path);
	}
	return 0;
}

int rows_check(struct cli *c, const struct rows *rows, bool json)
{
	struct err e = { 0 };
	struct buf out;
	size_t bad = 0;
	int rc;

	buf_init(&out, PRINT_MAX);
	rc = json ? put_json(c, rows, &out, &bad, &e) :
	    put_lines(c, rows, &out, &bad, &e);
	rc = rc != 0 ? cli_fail(&e) : cli_print(&out);
	buf_free(&out);
	return rc == EX_OK && bad > 0 ? EX_UNAVAILABLE : rc;
}

int rows_json(struct cli *c, const struct rows *rows)
{
	int rc = rows_check(c, rows, true);

	return rc == EX_UNAVAILABLE ? EX_OK : rc;
}
