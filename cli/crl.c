/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal crl: CRLs and stored OCSP responses, import, list, remove; fetch
 * is in crl_fetch.c.
 */
#include "keystore/revocation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/crl_fetch.h"
#include "keystore/fetched.h"
#include "util/json.h"
#include "util/proc.h"
#include "util/when.h"

#define FILE_MAX (2 * (size_t)CAP_CRL) /* PEM is larger than what is in it */
#define PRINT_MAX ((size_t)256 << 20)

/* ---- import ---- */

struct run {
	const char *name; /* of the file at hand */
	size_t taken, refused;
};

static void report(void *arg, const struct revocation_item *it)
{
	struct run *r = arg;
	const char *blank = it->what[0] != '\0' ? " of " : "";

	if (it->refused[0] != '\0') {
		r->refused++;
		(void)cli_say(0, "%s: %s%s%s: %s", r->name, it->kind, blank,
		    it->what, it->refused);
		return;
	}
	r->taken++;
	printf("%s: %s%s%s (%s): %s\n", r->name, it->kind, blank, it->what,
	    it->text, it->added ? "imported" : "known already");
}

static int import_file(struct cli *c, struct run *r, int fd)
{
	struct err e = { 0 };
	struct buf data;
	size_t good;
	int rc = EX_OK;

	buf_init(&data, FILE_MAX + 65536);
	if (cli_read_fd(fd, &data, &e) != 0 || revocation_import(c->ks,
	    buf_view(&data), cli_now(c), report, r, &good, &e) != 0) {
		if (e.kind != FAIL_INPUT && e.kind != FAIL_LIMIT)
			rc = cli_fail(&e);
		else
			r->refused++;
		if (rc == EX_OK)
			(void)cli_say(0, "%s: %s", r->name, e.msg);
	}
	buf_free(&data);
	return rc;
}

static int import_all(struct cli *c, const struct cli_list *names,
    const int *fd)
{
	struct run r = { 0 };
	size_t i;
	int rc = EX_OK;

	for (i = 0; rc == EX_OK && i < names->n; i++) {
		r.name = names->v[i];
		if (fd[i] == -1)
			r.refused++; /* said when it was to be opened */
		else
			rc = import_file(c, &r, fd[i]);
	}
	if (rc == EX_OK && fflush(stdout) != 0)
		rc = cli_say(EX_IOERR, "standard output: %s",
		    strerror(errno));
	if (r.refused > 0 && r.taken > 0)
		(void)cli_say(0, "%zu refused, %zu imported or known already",
		    r.refused, r.taken);
	return rc == EX_OK && r.refused > 0 ? EX_DATAERR : rc;
}

/* Before root is given up: they may be files of root's. -1 stays where one
 * cannot be opened, which is said. */
static void open_all(const struct cli_list *names, int *fd)
{
	size_t i;

	for (i = 0; i < names->n; i++) {
		fd[i] = strcmp(names->v[i], "-") == 0 ?
		    dup(STDIN_FILENO) :
		    open(names->v[i], O_RDONLY | O_CLOEXEC);
		if (fd[i] == -1)
			(void)cli_say(0, "%s: %s", names->v[i],
			    strerror(errno));
	}
}

static int import_names(struct cli *c, const struct cli_list *names)
{
	int *fd = calloc(names->n, sizeof(*fd));
	size_t i;
	int rc;

	if (fd == NULL)
		return cli_say(EX_OSERR, "out of memory");
	open_all(names, fd);
	rc = cli_keystore(c, KS_WRITE);
	if (rc == EX_OK)
		rc = import_all(c, names, fd);
	for (i = 0; i < names->n; i++)
		if (fd[i] != -1)
			close(fd[i]);
	free(fd);
	return rc;
}

static int import_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	const struct cli_opt opt[] = { { NULL, NULL, NULL, NULL } };
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n == 0)
		rc = cli_usage(c, "no file given");
	if (rc == EX_OK)
		rc = import_names(c, &rest);
	cli_list_free(&rest);
	return rc;
}

/* ---- list ---- */

struct listing {
	struct table *table; /* or NULL: JSON */
	struct json j;
	struct table *how_fetched; /* likewise */
	int64_t now;
	size_t n, fetched;
};

static void table_row(struct table *t, const struct revocation_row *r,
    int64_t now)
{
	char from[32], until[32];
	struct buf b;

	buf_init(&b, 4096);
	buf_printf(&b, "%.16s", r->sha256);
	table_cell(t, buf_str(&b));
	table_cell(t, r->kind);
	table_cell(t, r->number != NULL ? r->number : "-");
	table_cell(t, when_date(from, r->this_update));
	table_cell(t, when_date(until, r->next_update));
	buf_clear(&b);
	if (r->serial != NULL)
		buf_printf(&b, "%s %s", r->serial,
		    r->revoked ? "revoked" : "good");
	else
		buf_printf(&b, "%lld revoked", (long long)r->entries);
	if (now > r->next_update)
		buf_puts(&b, ", STALE");
	table_cell(t, buf_str(&b));
	table_cell(t, r->issuer);
	buf_free(&b);
}

static void json_row(struct json *j, const struct revocation_row *r,
    int64_t now)
{
	char date[32];

	json_object(j, NULL);
	json_str(j, "sha256", r->sha256);
	json_str(j, "kind", r->kind);
	json_str(j, "issuer", r->issuer);
	json_str(j, "number", r->number);
	json_str(j, "serial", r->serial);
	json_str(j, "status", r->serial == NULL ? NULL :
	    r->revoked ? "revoked" : "good");
	json_int(j, "entries", r->entries);
	json_str(j, "this_update", when_timestamp(date, r->this_update));
	json_str(j, "next_update", when_timestamp(date, r->next_update));
	json_bool(j, "stale", now > r->next_update);
	json_str(j, "added", when_timestamp(date, r->added));
	json_end_object(j);
}

static int list_row(void *arg, const struct revocation_row *r, struct err *e)
{
	struct listing *l = arg;

	(void)e;
	l->n++;
	if (l->table != NULL)
		table_row(l->table, r, l->now);
	else
		json_row(&l->j, r, l->now);
	return 0;
}

static const char *const list_head[] = { "SHA-256", "KIND", "NUMBER",
	"ISSUED", "UNTIL", "WHAT", "ISSUER" };
static const char *const fetched_head[] = { "TRIED", "GOT", "NEXT", "FAILED",
	"FROM", "ERROR" };

static void fetched_cells(struct table *t, const char *name,
    const struct fetched *f)
{
	char date[32];
	struct buf b;

	buf_init(&b, 64);
	table_cell(t, when_timestamp(date, f->tried));
	table_cell(t, f->got == 0 ? "never" : when_timestamp(date, f->got));
	table_cell(t, when_timestamp(date, f->next));
	buf_printf(&b, "%lld", (long long)f->failures);
	table_cell(t, buf_str(&b));
	table_cell(t, name);
	table_cell(t, f->error[0] == '\0' ? "-" : f->error);
	buf_free(&b);
}

/* An OCSP row is named by URL, blank, SHA-256. */
static void fetched_json(struct json *j, const char *name,
    const struct fetched *f)
{
	const char *blank = strchr(name, ' ');
	char date[32];
	struct buf url;

	buf_init(&url, 4096);
	buf_putv(&url, view_make(name, blank == NULL ? strlen(name) :
	    (size_t)(blank - name)));
	json_object(j, NULL);
	json_str(j, "kind", "fetched");
	json_str(j, "url", buf_str(&url));
	json_str(j, "certificate", blank == NULL ? NULL : blank + 1);
	json_str(j, "tried", when_timestamp(date, f->tried));
	json_str(j, "got", f->got == 0 ? NULL : when_timestamp(date, f->got));
	json_str(j, "next", when_timestamp(date, f->next));
	json_int(j, "failures", f->failures);
	json_str(j, "error", f->error[0] == '\0' ? NULL : f->error);
	json_end_object(j);
	buf_free(&url);
}

static int fetched_row(void *arg, const char *name, const struct fetched *f,
    struct err *e)
{
	struct listing *l = arg;

	(void)e;
	l->fetched++;
	if (l->how_fetched != NULL)
		fetched_cells(l->how_fetched, name, f);
	else
		fetched_json(&l->j, name, f);
	return 0;
}

static int put_tables(const struct listing *l, struct buf *out)
{
	if (l->n > 0 && table_print(l->table, out) != 0)
		return -1;
	if (l->n > 0 && l->fetched > 0)
		buf_putc(out, '\n');
	return l->fetched > 0 ? table_print(l->how_fetched, out) : 0;
}

static int print_listing(struct cli *c, struct listing *l, struct buf *out)
{
	struct err e = { 0 };

	if (l->table == NULL)
		json_array(&l->j, NULL);
	if (revocation_list(c->ks, list_row, l, &e) != 0 ||
	    fetched_list(c->ks, fetched_row, l, &e) != 0)
		return cli_fail(&e);
	if (l->table == NULL) {
		json_end_array(&l->j);
		buf_putc(out, '\n');
	} else if (l->n + l->fetched == 0) {
		return cli_say(EX_OK, "none yet; \"postseal crl import FILE\" "
		    "brings some");
	} else if (put_tables(l, out) != 0) {
		return cli_say(EX_OSERR, "out of memory");
	}
	return cli_print(out);
}

static int print_list(struct cli *c, bool json)
{
	struct listing l = { .now = cli_now(c) };
	struct buf out;
	int rc;

	buf_init(&out, PRINT_MAX);
	json_init(&l.j, &out);
	if (!json) {
		l.table = table_of(list_head, ARRAY_LEN(list_head));
		l.how_fetched = table_of(fetched_head,
		    ARRAY_LEN(fetched_head));
	}
	if (!json && (l.table == NULL || l.how_fetched == NULL))
		rc = cli_say(EX_OSERR, "out of memory");
	else
		rc = print_listing(c, &l, &out);
	table_free(&l.table);
	table_free(&l.how_fetched);
	buf_free(&out);
	return rc;
}

static int list_verb(struct cli *c, int argc, char **argv)
{
	return cli_list_verb(c, argc, argv, print_list);
}

/* ---- remove ---- */

static int remove_one(struct cli *c, const char *what)
{
	struct err e = { 0 };
	size_t n = 0;

	if (revocation_remove(c->ks, what, &n, &e) != 0)
		return cli_say(cli_code(&e), "%s: %s", what,
		    e.kind == FAIL_INPUT ? "not 8 to 64 hex digits of a "
		    "SHA-256, which \"postseal crl list\" shows" : e.msg);
	if (n == 0)
		return cli_say(EX_DATAERR, "%s: no such CRL or OCSP response; "
		    "\"postseal crl list\" shows all", what);
	printf("%zu removed\n", n);
	return EX_OK;
}

static int remove_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	const struct cli_opt opt[] = { { NULL, NULL, NULL, NULL } };
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n != 1)
		rc = cli_usage(c, "want the SHA-256 of one");
	if (rc == EX_OK)
		rc = cli_keystore(c, KS_WRITE);
	if (rc == EX_OK)
		rc = remove_one(c, rest.v[0]);
	cli_list_free(&rest);
	return rc;
}

int cmd_crl(struct cli *c, int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "import", import_verb, "crl import FILE...|-", "" },
		{ "fetch", crl_fetch, "crl fetch [URL] [--dry-run]", "" },
		{ "list", list_verb, "crl list [--json]", "" },
		{ "remove", remove_verb, "crl remove SHA256", "" },
	};

	return cli_dispatch(c, verbs, ARRAY_LEN(verbs), argc, argv);
}
