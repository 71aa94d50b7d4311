/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal cert pin, unpin, assign, unassign; the scopes of cert trust; and
 * how all that is shown.
 */
#include "cli/bind.h"

#include <string.h>

/* ---- verbs ---- */

/* It may be tied and of no use all the same: better said now than when mail
 * waits. */
static int say_fitness(struct cli *c, const char *who, const struct ks_row *r)
{
	struct selection s = { 0 };
	struct err e = { 0 };
	struct addr a;
	struct buf text;
	int rc = EX_OK;

	buf_init(&text, 1024);
	buf_printf(&text, "%s%s", who[0] == '@' ? "postmaster" : "", who);
	if (addr_parse(&a, buf_view(&text), &e) != 0 ||
	    keystore_select(c->ks, &a, KS_ENCRYPT, cli_now(c), &s, &e) != 0)
		rc = cli_fail(&e);
	else if (s.cert == NULL)
		(void)cli_say(EX_OK, "note: as it is nobody can encrypt to "
		    "it: %s", s.over_n > 0 ? s.over[0].reason :
		    "it is not usable");
	if (rc == EX_OK && who[0] != '@' && !cert_has_address(r->cert, &a,
	    ADDR_FOLD_LOCAL))
		(void)cli_say(EX_OK, "note: the certificate does not name %s; "
		    "it is used for it because you say so", who);
	selection_free(&s);
	buf_free(&text);
	return rc;
}

static int tie(struct cli *c, enum ks_binding kind, const char *who,
    const char *sha256, bool on)
{
	static const char *const done[][2] = {
		[KS_PIN] = { "not pinned any more for", "pinned for" },
		[KS_DOMAIN] = { "not assigned any more to", "assigned to" },
	};
	struct rows rows = { 0 };
	struct err e = { 0 };
	int rc;

	rc = cli_keystore(c, KS_WRITE);
	if (rc == EX_OK)
		rc = rows_one(c, sha256, &rows);
	if (rc == EX_OK && keystore_bind(c->ks, kind, who,
	    cert_sha256(rows.row[0].cert), on, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK)
		printf("%.16s %s: %s %s\n", cert_sha256_hex(rows.row[0].cert),
		    cert_subject(rows.row[0].cert), done[kind][on], who);
	if (rc == EX_OK && on)
		rc = say_fitness(c, who, &rows.row[0]);
	rows_free(&rows);
	return rc;
}

static int tie_verb(struct cli *c, int argc, char **argv,
    enum ks_binding kind, bool on)
{
	const struct cli_opt opt[] = { { NULL, NULL, NULL, NULL } };
	struct cli_list rest = { NULL, 0 };
	size_t who = kind == KS_PIN ? 0 : 1;
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && (rest.n != 2 ||
	    (rest.v[who][0] == '@') != (kind == KS_DOMAIN)))
		rc = cli_usage(c, kind == KS_PIN ?
		    "want an address and a SHA-256" :
		    "want a SHA-256 and @domain");
	if (rc == EX_OK)
		rc = tie(c, kind, rest.v[who], rest.v[1 - who], on);
	cli_list_free(&rest);
	return rc;
}

int bind_pin_verb(struct cli *c, int argc, char **argv)
{
	return tie_verb(c, argc, argv, KS_PIN, true);
}

int bind_unpin_verb(struct cli *c, int argc, char **argv)
{
	return tie_verb(c, argc, argv, KS_PIN, false);
}

int bind_assign_verb(struct cli *c, int argc, char **argv)
{
	return tie_verb(c, argc, argv, KS_DOMAIN, true);
}

int bind_unassign_verb(struct cli *c, int argc, char **argv)
{
	return tie_verb(c, argc, argv, KS_DOMAIN, false);
}

/* ---- scopes ---- */

static const struct {
	const char *name;
	unsigned bit;
} purpose[] = {
	{ "sign", KS_FOR_SIGN },
	{ "encrypt", KS_FOR_ENCRYPT },
	{ "tls", KS_FOR_TLS },
};

static int read_purposes(struct cli *c, const struct cli_list *l,
    unsigned *bits)
{
	size_t i, k;

	*bits = l->n == 0 ? KS_FOR_ALL : 0;
	for (i = 0; i < l->n; i++) {
		for (k = 0; k < ARRAY_LEN(purpose); k++)
			if (strcmp(purpose[k].name, l->v[i]) == 0)
				break;
		if (k == ARRAY_LEN(purpose))
			return cli_usage(c, "--purpose %s: want sign, encrypt "
			    "or tls", l->v[i]);
		*bits |= purpose[k].bit;
	}
	return EX_OK;
}

/* "@d" or "@*.d" as the store has it. */
static int read_domain(struct cli *c, const char *text, char *dst,
    size_t size)
{
	size_t skip = strncmp(text, "@*.", 3) == 0 ? 2 : 0;
	struct err e = { 0 };

	if (text[0] != '@')
		return cli_usage(c, "--for %s: want @domain or @*.domain",
		    text);
	if (skip > 0) {
		dst[0] = '*';
		dst[1] = '.';
	}
	if (addr_domain_parse(dst + skip, size - skip, view_of(text + 1 +
	    skip), &e) != 0)
		return cli_usage(c, "--for: %s", e.msg);
	return EX_OK;
}

static bool is_there(const struct ks_scope *scope, size_t n, const char *d)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(scope[i].domain, d) == 0)
			return true;
	return false;
}

int bind_read_scopes(struct cli *c, const struct cli_list *domains,
    const struct cli_list *purposes, struct ks_scope *scope, size_t *n)
{
	char name[sizeof(scope->domain) + 2];
	struct ks_scope s = { "", 0 };
	size_t i;
	int rc;

	*n = 0;
	rc = read_purposes(c, purposes, &s.purpose);
	if (rc != EX_OK || (domains->n == 0 && purposes->n == 0))
		return rc;
	if (domains->n == 0)
		scope[(*n)++] = s;
	for (i = 0; rc == EX_OK && i < domains->n; i++) {
		rc = read_domain(c, domains->v[i], name, sizeof(name));
		if (rc != EX_OK || is_there(scope, *n, name))
			continue;
		if (*n == CAP_SCOPES || strlen(name) >= sizeof(s.domain))
			return cli_usage(c, "--for: too many, or too long");
		memcpy(s.domain, name, strlen(name) + 1);
		scope[(*n)++] = s;
	}
	return rc;
}

/* ---- showing ---- */

struct shown {
	struct buf *out;
	struct json *j;
	enum ks_binding kind; /* JSON: of this kind only */
	size_t pins;
};

static int put_short(void *arg, const struct ks_binding_row *r,
    struct err *e)
{
	struct shown *x = arg;

	(void)e;
	if (r->kind == KS_DOMAIN)
		buf_printf(x->out, ", %s", r->who);
	else if (x->pins++ == 0)
		buf_puts(x->out, ", pinned");
	return 0;
}

static int put_line(void *arg, const struct ks_binding_row *r, struct err *e)
{
	struct shown *x = arg;

	(void)e;
	buf_printf(x->out, "%s%s\n", r->kind == KS_PIN ? "pinned for   " :
	    "assigned to  ", r->who);
	return 0;
}

static int put_json(void *arg, const struct ks_binding_row *r, struct err *e)
{
	struct shown *x = arg;

	(void)e;
	if (r->kind == x->kind)
		json_str(x->j, NULL, r->who);
	return 0;
}

static int count(void *arg, const struct ks_binding_row *r, struct err *e)
{
	struct shown *x = arg;

	(void)r;
	(void)e;
	x->pins++;
	return 0;
}

/* Of an anchor; *n 0: no limits, or no anchor. */
static int read_scopes(struct keystore *ks, const struct ks_row *r,
    struct ks_scope *scope, size_t *n, struct err *e)
{
	*n = 0;
	return r->is_anchor ? keystore_scopes(ks, cert_sha256(r->cert), scope,
	    n, e) : 0;
}

int bind_short(struct keystore *ks, const struct ks_row *r, struct buf *out,
    struct err *e)
{
	struct ks_scope scope[CAP_SCOPES];
	struct shown x = { .out = out };
	size_t n;

	if (read_scopes(ks, r, scope, &n, e) != 0)
		return -1;
	if (n > 0) {
		buf_puts(out, " for ");
		ks_scope_text(scope, n, out);
	}
	return keystore_bindings(ks, cert_sha256(r->cert), put_short, &x, e);
}

int bind_show(struct keystore *ks, const struct ks_row *r, struct buf *out,
    struct err *e)
{
	struct ks_scope scope[CAP_SCOPES];
	struct shown x = { .out = out };
	size_t n;

	if (read_scopes(ks, r, scope, &n, e) != 0)
		return -1;
	if (r->is_anchor) {
		buf_puts(out, "trusted for  ");
		ks_scope_text(scope, n, out);
		buf_putc(out, '\n');
	}
	return keystore_bindings(ks, cert_sha256(r->cert), put_line, &x, e);
}

static void json_scope(struct json *j, const struct ks_scope *s)
{
	struct buf who;
	size_t i;

	buf_init(&who, 512);
	buf_printf(&who, "@%s", s->domain);
	json_object(j, NULL);
	json_str(j, "domain", s->domain[0] != '\0' ? buf_str(&who) : NULL);
	json_array(j, "purposes");
	for (i = 0; i < ARRAY_LEN(purpose); i++)
		if ((s->purpose & purpose[i].bit) != 0)
			json_str(j, NULL, purpose[i].name);
	json_end_array(j);
	json_end_object(j);
	buf_free(&who);
}

int bind_json(struct keystore *ks, const struct ks_row *r, struct json *j,
    struct err *e)
{
	static const struct ks_scope all = { "", KS_FOR_ALL };
	struct ks_scope scope[CAP_SCOPES];
	struct shown x = { .j = j, .kind = KS_PIN };
	size_t n, i;

	json_array(j, "pinned_for");
	if (keystore_bindings(ks, cert_sha256(r->cert), put_json, &x, e) != 0)
		return -1;
	json_end_array(j);
	json_array(j, "assigned_to");
	x.kind = KS_DOMAIN;
	if (keystore_bindings(ks, cert_sha256(r->cert), put_json, &x, e) != 0)
		return -1;
	json_end_array(j);
	if (read_scopes(ks, r, scope, &n, e) != 0)
		return -1;
	json_array(j, "trusted_for");
	for (i = 0; i < n; i++)
		json_scope(j, &scope[i]);
	if (r->is_anchor && n == 0)
		json_scope(j, &all);
	json_end_array(j);
	return 0;
}

int bind_has(struct keystore *ks, const struct cert *c, bool *has,
    struct err *e)
{
	struct shown x = { .pins = 0 };

	if (keystore_bindings(ks, cert_sha256(c), count, &x, e) != 0)
		return -1;
	*has = x.pins > 0;
	return 0;
}
