/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal key generate, csr, requests, drop: keys that wait for the
 * certificates of somebody else's CA.
 */
#include "cli/generate.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/users.h"
#include "keystore/request.h"
#include "util/json.h"
#include "util/ossl.h"
#include "util/when.h"

#define BATCH 32	/* keys in one transaction */
#define SHOW_SKIPPED 20 /* with more, only the sum is shown */
#define CSR_MODE 0644

struct generate {
	struct cli *c;
	struct users users;
	const char *file, *email, *name, *out; /* as typed */
	const char *algorithm;
	unsigned use[2]; /* of the keys for one address */
	size_t uses;
	bool separate, again, foreign;
	struct out_dir dir;
	struct out_file one; /* --email: open, or fd -1 for stdout */
	struct request_new batch[BATCH];
	size_t n;
	struct buf text; /* requests in PEM, for --email */
	/* sums */
	size_t made, waiting, certified;
	struct progress progress;
};

static const char *use_str(unsigned use)
{
	switch (use & (KS_SIGN | KS_ENCRYPT)) {
	case KS_SIGN:
		return "sign";
	case KS_ENCRYPT:
		return "encrypt";
	default:
		return "both";
	}
}

/* ---- files ---- */

static int put_request(struct generate *g, const struct addr *a,
    const unsigned char spki[32], struct view csr, struct err *e)
{
	char name[OUT_NAME];
	struct buf pem;
	bool there;
	int rc;

	if (g->file == NULL)
		return request_pem(csr, &g->text, e);
	buf_init(&pem, 1u << 20);
	rc = request_pem(csr, &pem, e);
	if (rc == 0)
		rc = out_dir_put(&g->dir, out_name(name, a, spki, ".csr"),
		    CSR_MODE, buf_view(&pem), &there, e);
	buf_free(&pem);
	return rc;
}

/* ---- who needs none ---- */

struct waiting {
	struct generate *g;
	unsigned use;
	size_t found;
	int64_t since;
};

/* Its file may be missing: written again, it does no harm. */
static int on_waiting(void *arg, const struct request *r, struct err *e)
{
	struct waiting *w = arg;

	if ((r->use & (KS_SIGN | KS_ENCRYPT)) != w->use)
		return 0;
	w->found++;
	w->since = r->added;
	return put_request(w->g, &r->email, r->spki, r->csr, e);
}

static void say_skipped(struct generate *g, const struct addr *a,
    const char *why, int64_t when)
{
	char date[WHEN_SIZE];
	size_t n = g->waiting + g->certified;

	if (n <= SHOW_SKIPPED)
		printf("%s: %s %s\n", a->text, why, when_date(date, when));
	else if (n == SHOW_SKIPPED + 1)
		printf("...\n");
}

/* 1: no key is to be made. */
static int needs_none(struct generate *g, const struct addr *a, unsigned use,
    struct err *e)
{
	struct waiting w = { g, use, 0, 0 };
	int64_t ends;

	if (g->again)
		return 0;
	if (request_list(g->c->ks, a->text, on_waiting, &w, e) != 0)
		return -1;
	if (w.found > 0) {
		g->waiting++;
		say_skipped(g, a, "waits for a certificate since", w.since);
		return 1;
	}
	if (users_certified(g->c, a, use, false, &ends, e) != 0)
		return -1;
	if (ends == 0)
		return 0;
	g->certified++;
	say_skipped(g, a, "has a certificate until", ends);
	return 1;
}

/* ---- making ---- */

static int count_waiting(void *arg, const struct request *r, struct err *e)
{
	struct waiting *w = arg;

	(void)e;
	w->found += (r->use & (KS_SIGN | KS_ENCRYPT)) == w->use;
	return 0;
}

/* Somebody may have run the same command a moment ago: then the key that was
 * made is forgotten. */
static int add_unless_waiting(struct generate *g, struct request_new *r,
    struct err *e)
{
	struct waiting w = { g, r->use, 0, 0 };

	if (!g->again && request_list(g->c->ks, r->email->text,
	    count_waiting, &w, e) != 0)
		return -1;
	if (w.found == 0)
		return request_add(g->c->ks, r, e);
	buf_clear(&r->csr);
	return 0;
}

static int store_batch(struct generate *g, struct err *e)
{
	struct keystore *ks = g->c->ks;
	size_t i;

	if (g->n == 0)
		return 0;
	if (keystore_begin(ks, e) != 0)
		return -1;
	for (i = 0; i < g->n; i++)
		if (add_unless_waiting(g, &g->batch[i], e) != 0) {
			keystore_rollback(ks);
			return -1;
		}
	if (keystore_commit(ks, e) != 0)
		return -1;
	for (i = 0; i < g->n; i++) {
		struct request_new *r = &g->batch[i];

		if (r->csr.n == 0) {
			g->waiting++;
			continue;
		}
		if (put_request(g, r->email, r->spki, buf_view(&r->csr),
		    e) != 0)
			return -1;
		g->made++;
	}
	return 0;
}

static void clear_batch(struct generate *g)
{
	while (g->n > 0)
		request_free(&g->batch[--g->n]);
}

static int flush(struct generate *g, struct err *e)
{
	int rc = store_batch(g, e);

	clear_batch(g);
	return rc;
}

static int make_one(struct generate *g, const struct user *u, unsigned use,
    struct err *e)
{
	struct request_new *r;
	int rc = needs_none(g, &u->email, use, e);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	r = &g->batch[g->n++];
	memset(r, 0, sizeof(*r));
	r->email = &u->email;
	r->name = users_name(&g->users, u);
	r->algorithm = g->algorithm;
	r->use = use;
	if (request_make(r, buf_view(&g->c->secret), e) != 0)
		return -1;
	return g->n == BATCH ? flush(g, e) : 0;
}

static int make_all(struct generate *g, struct err *e)
{
	size_t i, k;

	g->progress.what = g->separate ? "users" : "keys";
	g->progress.of = g->users.n;
	for (i = 0; i < g->users.n; i++) {
		progress_show(&g->progress, i);
		for (k = 0; k < g->uses; k++)
			if (make_one(g, &g->users.v[i], g->use[k], e) != 0)
				return -1;
	}
	if (flush(g, e) != 0)
		return -1;
	progress_show(&g->progress, i);
	return 0;
}

static int hand_over_one(struct generate *g)
{
	int rc;

	if (g->one.fd == -1)
		return cli_print(&g->text);
	rc = out_file_write(&g->one, buf_view(&g->text));
	if (rc == EX_OK && g->text.n > 0)
		printf("%s: %zu %s; \"postseal cert import\" takes the "
		    "answer\n", g->out, g->made + g->waiting,
		    g->made + g->waiting == 1 ? "request" : "requests");
	return rc;
}

static int say_sum(struct generate *g)
{
	if (g->file == NULL)
		return hand_over_one(g);
	printf("%zu %s made", g->made, g->made == 1 ? "key" : "keys");
	if (g->made + g->waiting > 0)
		printf(", requests are in %s", g->out);
	if (g->waiting > 0)
		printf("; %zu %s for a certificate already", g->waiting,
		    g->waiting == 1 ? "waits" : "wait");
	if (g->certified > 0)
		printf("; %zu %s a certificate", g->certified,
		    g->certified == 1 ? "has" : "have");
	printf("%s\n%s", g->waiting + g->certified > 0 ?
	    " (--again makes new keys for them)" : "",
	    g->made + g->waiting > 0 ? "Next: have the requests certified, "
	    "then \"postseal cert import FILES\"\n" : "");
	return EX_OK;
}

static int run_generate(struct generate *g)
{
	struct err e = { 0 };
	int rc = cli_config(g->c);

	if (rc == EX_OK)
		rc = g->file != NULL ? users_read(g->c, g->file, g->foreign,
		    &g->users) : users_one(g->c, g->email, g->name,
		    g->foreign, &g->users);
	if (rc == EX_OK && g->file != NULL)
		rc = out_dir_open(&g->dir, g->out, 0755);
	else if (rc == EX_OK && strcmp(g->out, "-") != 0)
		rc = out_file_open(&g->one, g->out, CSR_MODE);
	if (rc == EX_OK)
		rc = cli_keystore(g->c, KS_WRITE);
	if (rc == EX_OK)
		rc = cli_secret_to_seal(g->c);
	if (rc == EX_OK && make_all(g, &e) != 0) {
		rc = cli_fail(&e);
		if (g->made > 0)
			(void)cli_say(0, "%zu keys were made before; the same "
			    "command goes on from there", g->made);
	}
	clear_batch(g);
	if (rc == EX_OK)
		rc = say_sum(g);
	out_file_close(&g->one, rc == EX_OK && g->text.n > 0);
	out_dir_close(&g->dir);
	return rc;
}

static int check_generate(struct generate *g, const char *use)
{
	struct cli *c = g->c;
	struct err e = { 0 };

	if ((g->file == NULL) == (g->email == NULL))
		return cli_usage(c, "want --users FILE or --email ADDRESS");
	if (g->file != NULL && g->name != NULL)
		return cli_usage(c, "--name goes with --email; with --users "
		    "the file has the names");
	if (g->out == NULL)
		return cli_usage(c, "--out is needed: where the requests go");
	if (g->separate && use != NULL)
		return cli_usage(c, "--separate makes a key for each use; "
		    "leave --use out");
	if (request_check_algorithm(g->algorithm, &e) != 0)
		return cli_usage(c, "--algorithm: %s", e.msg);
	g->uses = 1;
	if (g->separate) {
		g->use[0] = KS_SIGN;
		g->use[1] = KS_ENCRYPT;
		g->uses = 2;
		return EX_OK;
	}
	return users_use(c, use, &g->use[0]);
}

int generate_verb(struct cli *c, int argc, char **argv)
{
	struct generate g = { .c = c, .dir = OUT_DIR_INIT,
	    .one = OUT_FILE_INIT };
	const char *use = NULL;
	struct cli_list rest = { NULL, 0 };
	const struct cli_opt opt[] = {
		{ "--users", NULL, &g.file, NULL },
		{ "--email", NULL, &g.email, NULL },
		{ "--name", NULL, &g.name, NULL },
		{ "--out", NULL, &g.out, NULL },
		{ "--algorithm", NULL, &g.algorithm, NULL },
		{ "--use", NULL, &use, NULL },
		{ "--separate", &g.separate, NULL, NULL },
		{ "--again", &g.again, NULL, NULL },
		{ "--foreign", &g.foreign, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	buf_init(&g.text, 1u << 20);
	rc = cli_options(c, argc, argv, opt, &rest);
	if (g.algorithm == NULL)
		g.algorithm = "rsa:3072";
	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK)
		rc = check_generate(&g, use);
	if (rc == EX_OK)
		rc = run_generate(&g);
	users_free(&g.users);
	buf_free(&g.text);
	cli_list_free(&rest);
	return rc;
}

/* ---- csr: the requests again ---- */

struct again {
	struct out_dir dir; /* --all: open, else fd -1 */
	struct buf text;
	size_t n;
};

static int on_again(void *arg, const struct request *r, struct err *e)
{
	struct again *a = arg;
	char name[OUT_NAME];
	struct buf pem;
	bool there;
	int rc;

	a->n++;
	if (a->dir.fd == -1)
		return request_pem(r->csr, &a->text, e);
	buf_init(&pem, 1u << 20);
	rc = request_pem(r->csr, &pem, e);
	if (rc == 0)
		rc = out_dir_put(&a->dir, out_name(name, &r->email, r->spki,
		    ".csr"), CSR_MODE, buf_view(&pem), &there, e);
	buf_free(&pem);
	return rc;
}

static int run_csr(struct cli *c, const char *what, const char *out)
{
	struct again a = { .dir = OUT_DIR_INIT };
	struct out_file file = OUT_FILE_INIT;
	struct err e = { 0 };
	int rc = cli_config(c);

	buf_init(&a.text, CAP_IMPORT_FILE);
	if (rc == EX_OK && out != NULL)
		rc = what == NULL ? out_dir_open(&a.dir, out, 0755) :
		    out_file_open(&file, out, CSR_MODE);
	if (rc == EX_OK)
		rc = cli_keystore(c, KS_READ);
	if (rc == EX_OK && request_list(c->ks, what, on_again, &a, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK && a.n == 0)
		rc = cli_say(EX_DATAERR, "%s: no key waits for a "
		    "certificate; \"postseal key generate\" makes one",
		    what != NULL ? what : "here");
	if (rc == EX_OK && out == NULL)
		rc = cli_print(&a.text);
	else if (rc == EX_OK && file.fd != -1)
		rc = out_file_write(&file, buf_view(&a.text));
	if (rc == EX_OK && out != NULL)
		printf("%s: %zu %s\n", out, a.n, a.n == 1 ? "request" :
		    "requests");
	out_file_close(&file, rc == EX_OK);
	out_dir_close(&a.dir);
	buf_free(&a.text);
	return rc;
}

int csr_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	const char *email = NULL, *out = NULL;
	bool all = false;
	const struct cli_opt opt[] = {
		{ "--email", NULL, &email, NULL },
		{ "--all", &all, NULL, NULL },
		{ "--out", NULL, &out, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK && (email == NULL) != all)
		rc = cli_usage(c, "want --email ADDRESS or --all");
	if (rc == EX_OK)
		rc = run_csr(c, email, out != NULL && strcmp(out, "-") == 0 ?
		    NULL : out);
	cli_list_free(&rest);
	return rc;
}

/* ---- requests: who waits ---- */

struct listing {
	struct table *t; /* or, for programs: */
	struct json *j;
	size_t n;
};

static int on_listed(void *arg, const struct request *r, struct err *e)
{
	struct listing *l = arg;
	char hex[65], date[WHEN_SIZE];

	(void)e;
	l->n++;
	(void)hex_encode(hex, r->spki, 32);
	if (l->j != NULL) {
		json_object(l->j, NULL);
		json_str(l->j, "address", r->email.text);
		json_str(l->j, "name", r->name[0] != '\0' ? r->name : NULL);
		json_str(l->j, "use", use_str(r->use));
		json_str(l->j, "since", when_timestamp(date, r->added));
		json_str(l->j, "key", hex);
		json_end_object(l->j);
		return 0;
	}
	table_cell(l->t, r->email.text);
	table_cell(l->t, r->name[0] != '\0' ? r->name : "-");
	table_cell(l->t, use_str(r->use));
	table_cell(l->t, when_date(date, r->added));
	hex[16] = '\0';
	table_cell(l->t, hex);
	return 0;
}

static int print_requests(struct cli *c, const char *what, bool json)
{
	static const char *const head[] = { "FOR", "NAME", "USE",
		"WAITS SINCE", "KEY" };
	struct listing l = { NULL, NULL, 0 };
	struct err e = { 0 };
	struct json j;
	struct buf out;
	int rc = EX_OK;

	buf_init(&out, 1u << 30);
	json_init(&j, &out);
	l.t = table_of(head, ARRAY_LEN(head));
	if (l.t == NULL)
		return cli_say(EX_OSERR, "out of memory");
	if (json) {
		l.j = &j;
		json_array(&j, NULL);
	}
	if (request_list(c->ks, what, on_listed, &l, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK && json) {
		json_end_array(&j);
		buf_putc(&out, '\n');
	} else if (rc == EX_OK && l.n == 0)
		(void)cli_say(0, "no key waits for a certificate");
	else if (rc == EX_OK && table_print(l.t, &out) != 0)
		rc = cli_say(EX_OSERR, "out of memory");
	if (rc == EX_OK)
		rc = cli_print(&out);
	table_free(&l.t);
	buf_free(&out);
	return rc;
}

int requests_verb(struct cli *c, int argc, char **argv)
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
		rc = print_requests(c, rest.n > 0 ? rest.v[0] : NULL, json);
	cli_list_free(&rest);
	return rc;
}

/* ---- drop ---- */

#define DROP_MAX 64 /* keys of one address, or of one beginning of a hash */

struct dropping {
	unsigned char spki[DROP_MAX][32];
	size_t n;
};

static int on_drop(void *arg, const struct request *r, struct err *e)
{
	struct dropping *d = arg;
	char date[WHEN_SIZE], hex[65];

	if (d->n == DROP_MAX)
		return err_set(e, FAIL_LIMIT, "more than %d keys wait; name "
		    "one by its hash", DROP_MAX);
	memcpy(d->spki[d->n++], r->spki, 32);
	printf("%.16s %s (%s), waits since %s\n", hex_encode(hex, r->spki,
	    32), r->email.text, use_str(r->use), when_date(date, r->added));
	return 0;
}

static int confirm_drop(size_t n)
{
	int answer;

	if (isatty(STDIN_FILENO) != 1)
		return cli_say(EX_USAGE, "%zu %s would be dropped; --yes says "
		    "that you mean it", n, n == 1 ? "key" : "keys");
	fprintf(stderr, "Drop %zu %s? A certificate that comes for it can "
	    "never be used. [y/N] ", n, n == 1 ? "key" : "keys");
	answer = getchar();
	return answer == 'y' || answer == 'Y' ? EX_OK :
	    cli_say(EX_USAGE, "nothing dropped");
}

static int drop_all(struct cli *c, const struct dropping *d)
{
	struct err e = { 0 };
	size_t i;

	if (keystore_begin(c->ks, &e) != 0)
		return cli_fail(&e);
	for (i = 0; i < d->n; i++)
		if (request_drop(c->ks, d->spki[i], &e) != 0) {
			keystore_rollback(c->ks);
			return cli_fail(&e);
		}
	if (keystore_commit(c->ks, &e) != 0)
		return cli_fail(&e);
	printf("%zu dropped\n", d->n);
	return EX_OK;
}

int drop_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct dropping d = { .n = 0 };
	struct err e = { 0 };
	bool yes = false;
	const struct cli_opt opt[] = {
		{ "--yes", &yes, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && (rest.n != 1 || rest.v[0][0] == '@'))
		rc = cli_usage(c, "want an address, or 8 to 64 hex digits of "
		    "a key's SHA-256, which \"postseal key requests\" shows");
	if (rc == EX_OK)
		rc = cli_keystore(c, KS_WRITE);
	if (rc == EX_OK && request_list(c->ks, rest.v[0], on_drop, &d, &e)
	    != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK && d.n == 0)
		rc = cli_say(EX_DATAERR, "%s: no key waits for a certificate; "
		    "\"postseal key requests\" shows which do", rest.v[0]);
	if (rc == EX_OK && !yes)
		rc = confirm_drop(d.n);
	if (rc == EX_OK)
		rc = drop_all(c, &d);
	cli_list_free(&rest);
	return rc;
}
