/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The file of users, and what the verbs that read it share.
 */
#include "cli/users.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/csv.h"
#include "keystore/request.h"
#include "util/proc.h"

#define USERS_MAX 100000
#define NO_COLUMN ((size_t)-1)
#define RENEW_DAYS 30
#define NOT_LOCAL                                                         \
	": its domain is none of local-domains; --foreign takes it all "  \
	"the same"

struct reading {
	struct cli *c;
	struct users *u;
	const char *file;
	bool foreign;
	size_t size;
	size_t address, name; /* columns */
	size_t errors;
};

/* ---- one line ---- */

static void complain(struct reading *r, size_t line, const char *what)
{
	if (r->errors++ >= CAP_CONF_ERRORS)
		return;
	(void)cli_say(0, "%s, line %zu: %s", r->file, line, what);
}

static int keep(struct reading *r, const struct user *one, const char *name)
{
	struct users *u = r->u;
	struct user *bigger;

	if (u->n == r->size) {
		r->size = r->size == 0 ? 64 : 2 * r->size;
		bigger = realloc(u->v, r->size * sizeof(*bigger));
		if (bigger == NULL)
			return cli_say(EX_OSERR, "out of memory");
		u->v = bigger;
	}
	if (u->n == USERS_MAX)
		return cli_say(EX_DATAERR, "%s: more than %d users", r->file,
		    USERS_MAX);
	u->v[u->n] = *one;
	u->v[u->n++].name = u->names.n;
	buf_put(&u->names, name, strlen(name) + 1);
	return u->names.failed ? cli_say(EX_OSERR, "out of memory") : EX_OK;
}

static int take(struct reading *r, const char *address, const char *name,
    size_t line)
{
	struct view a = view_trim(view_of(address));
	struct view n = view_trim(view_of(name));
	char trimmed[REQUEST_NAME * 4 + 1];
	struct user one = { .line = line };
	struct err e = { 0 };
	struct buf b;

	if (addr_parse(&one.email, a, &e) != 0 ||
	    request_check_name(n, &e) != 0 ||
	    view_cstr(n, trimmed, sizeof(trimmed)) != 0) {
		complain(r, line, e.msg);
		return EX_OK;
	}
	if (!r->foreign && !config_is_local(r->c->config, &one.email)) {
		buf_init(&b, 2048);
		buf_printf(&b, "%s" NOT_LOCAL, one.email.text);
		complain(r, line, buf_str(&b));
		buf_free(&b);
	}
	return keep(r, &one, trimmed);
}

/* ---- the file ---- */

static bool is_one_of(const char *text, const char *const *names)
{
	struct view v = view_trim(view_of(text));

	for (; *names != NULL; names++)
		if (view_ieq_str(v, *names))
			return true;
	return false;
}

/* Headings, when the first line has no address in it. */
static bool read_headings(struct reading *r, const struct csv_record *rec)
{
	static const char *const address[] = { "address", "email", "e-mail",
		"mail", "mail address", "email address", "e-mail address",
		NULL };
	static const char *const name[] = { "name", "full name",
		"display name", "displayname", "cn", "common name", NULL };
	size_t a = NO_COLUMN, n = NO_COLUMN, i;

	for (i = 0; i < rec->n; i++) {
		if (a == NO_COLUMN && is_one_of(csv_field(rec, i), address))
			a = i;
		if (n == NO_COLUMN && is_one_of(csv_field(rec, i), name))
			n = i;
	}
	if (a == NO_COLUMN)
		return false;
	r->address = a;
	r->name = n;
	return true;
}

static int take_record(struct reading *r, const struct csv_record *rec, bool
    headings)
{
	if (!headings && rec->n > 2) {
		complain(r, rec->line, "more than two fields; want "
		    "address,name, or a first line that names the columns");
		return EX_OK;
	}
	return take(r, csv_field(rec, r->address), r->name == NO_COLUMN ? "" :
	    csv_field(rec, r->name), rec->line);
}

static int read_text(struct reading *r, struct view text)
{
	struct csv_record rec = { .n = 0 };
	bool first = true, headings = false;
	struct err e = { 0 };
	struct csv csv;
	int got, rc = EX_OK;

	csv_init(&csv, text);
	while (rc == EX_OK && (got = csv_next(&csv, &rec, &e)) != 0) {
		if (got < 0 && e.kind != FAIL_INPUT) {
			rc = cli_fail(&e);
			break;
		}
		if (got < 0) {
			r->errors++;
			(void)cli_say(0, "%s, %s", r->file, e.msg);
		} else if (first && read_headings(r, &rec))
			headings = true;
		else
			rc = take_record(r, &rec, headings);
		first = false;
		err_clear(&e);
	}
	csv_record_free(&rec);
	return rc;
}

/* ---- twice ---- */

struct sorted {
	char key[sizeof(((struct addr *)0)->text)];
	size_t line;
};

static int compare_sorted(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	int c = strcmp(x->key, y->key);

	return c != 0 ? c : (x->line > y->line) - (x->line < y->line);
}

static int find_twice(struct reading *r)
{
	struct sorted *s = calloc(r->u->n + 1, sizeof(*s));
	struct buf b;
	size_t i;

	if (s == NULL)
		return cli_say(EX_OSERR, "out of memory");
	for (i = 0; i < r->u->n; i++) {
		addr_key(&r->u->v[i].email, s[i].key);
		s[i].line = r->u->v[i].line;
	}
	qsort(s, r->u->n, sizeof(*s), compare_sorted);
	for (i = 1; i < r->u->n; i++) {
		if (strcmp(s[i].key, s[i - 1].key) != 0)
			continue;
		buf_init(&b, 2048);
		buf_printf(&b, "%s: stands in line %zu already", s[i].key,
		    s[i - 1].line);
		complain(r, s[i].line, buf_str(&b));
		buf_free(&b);
	}
	free(s);
	return EX_OK;
}

static int conclude(struct reading *r)
{
	if (r->errors > CAP_CONF_ERRORS)
		(void)cli_say(0, "and %zu mistakes more",
		    r->errors - CAP_CONF_ERRORS);
	if (r->errors > 0)
		return cli_say(EX_DATAERR, "%zu %s; nothing was made",
		    r->errors, r->errors == 1 ? "mistake" : "mistakes");
	if (r->u->n == 0)
		return cli_say(EX_DATAERR, "%s: no address in it; want one "
		    "line \"address,name\" each", r->file);
	return EX_OK;
}

int users_read(struct cli *c, const char *file, bool foreign, struct users *u)
{
	struct reading r = { .c = c, .u = u, .file = file,
	    .foreign = foreign, .address = 0, .name = 1 };
	struct err e = { 0 };
	struct buf text;
	int rc;

	buf_init(&u->names, CAP_IMPORT_FILE + USERS_MAX);
	buf_init(&text, CAP_IMPORT_FILE);
	if (io_read_file(file, &text, &e) != 0)
		rc = cli_say(cli_code(&e), "--users: %s", e.msg);
	else
		rc = read_text(&r, buf_view(&text));
	if (rc == EX_OK)
		rc = find_twice(&r);
	if (rc == EX_OK)
		rc = conclude(&r);
	buf_free(&text);
	return rc;
}

int users_one(struct cli *c, const char *email, const char *name, bool foreign,
    struct users *u)
{
	struct reading r = { .c = c, .u = u, .file = "--email" };
	struct user one = { .line = 0 };
	struct err e = { 0 };

	buf_init(&u->names, 4096);
	if (name == NULL)
		name = "";
	if (addr_parse(&one.email, view_of(email), &e) != 0)
		return cli_usage(c, "--email: %s", e.msg);
	if (request_check_name(view_of(name), &e) != 0)
		return cli_usage(c, "--name: %s", e.msg);
	if (!foreign && !config_is_local(c->config, &one.email))
		return cli_say(EX_DATAERR, "%s" NOT_LOCAL, one.email.text);
	return keep(&r, &one, name);
}

static int add_local(void *arg, const char *address, struct err *e)
{
	struct user one = { .line = 0 };

	if (addr_parse(&one.email, view_of(address), e) != 0)
		return err_add(e, "keystore");
	return keep(arg, &one, "") == EX_OK ? 0 :
	    err_set(e, FAIL_TEMP, "the list of addresses");
}

int users_local(struct cli *c, struct users *u)
{
	struct reading r = { .c = c, .u = u, .file = "keystore" };
	struct err e = { 0 };
	size_t i;

	buf_init(&u->names, USERS_MAX);
	for (i = 0; i < c->config->domains; i++)
		if (keystore_addresses(c->ks, c->config->domain[i],
		    add_local, &r, &e) != 0)
			return cli_fail(&e);
	return EX_OK;
}

const char *users_name(const struct users *u, const struct user *one)
{
	return buf_str(&u->names) + one->name;
}

void users_free(struct users *u)
{
	free(u->v);
	buf_free(&u->names);
	memset(u, 0, sizeof(*u));
}

/* ---- shared by the verbs ---- */

struct ending {
	int64_t after; /* it must end later than that */
	bool own_ca;
	int64_t ends; /* -1: nothing looked at yet; 0: there is none */
};

static int on_chosen(void *arg, const struct ks_row *r, struct err *e)
{
	struct ending *x = arg;
	int64_t t = cert_not_after(r->cert);

	(void)e;
	if (!r->has_key || t <= x->after ||
	    (x->own_ca && r->source != KS_CA))
		t = 0;
	if (x->ends == -1 || t < x->ends)
		x->ends = t;
	return 0;
}

static int find_end(struct cli *c, const struct addr *a, unsigned use, struct
    ending *x, struct err *e)
{
	struct selection sel;
	int rc = 0;

	if (keystore_select(c->ks, a, use, cli_now(c), &sel, e) != 0)
		return -1;
	if (sel.cert == NULL)
		x->ends = 0;
	else
		rc = keystore_list(c->ks, cert_sha256_hex(sel.cert),
		    on_chosen, x, e);
	selection_free(&sel);
	return rc;
}

int users_certified(struct cli *c, const struct addr *a, unsigned use, bool
    own_ca, int64_t *ends, struct err *e)
{
	struct ending x = { cli_now(c) + (int64_t)RENEW_DAYS * 86400, own_ca,
	    -1 };

	if ((use & KS_SIGN) != 0 && find_end(c, a, KS_SIGN, &x, e) != 0)
		return -1;
	if ((use & KS_ENCRYPT) != 0 && find_end(c, a, KS_ENCRYPT, &x, e) != 0)
		return -1;
	*ends = x.ends == -1 ? 0 : x.ends;
	return 0;
}

void progress_show(struct progress *p, size_t done)
{
	int64_t now = (int64_t)time(NULL);

	if (!cli_stderr_is_terminal() || (now == p->last && done < p->of))
		return;
	p->last = now;
	fprintf(stderr, "\r%zu of %zu %s%s", done, p->of, p->what,
	    done == p->of ? "\n" : "");
}

int users_use(struct cli *c, const char *text, unsigned *use)
{
	if (text == NULL || strcmp(text, "both") == 0)
		*use = KS_SIGN | KS_ENCRYPT;
	else if (strcmp(text, "sign") == 0)
		*use = KS_SIGN;
	else if (strcmp(text, "encrypt") == 0)
		*use = KS_ENCRYPT;
	else
		return cli_usage(c, "--use %s: want both, sign or encrypt",
		    text);
	return EX_OK;
}
