/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Certificates of one's own CA for every line of a file.
 */
#include "cli/issue_users.h"

#include <string.h>
#include <time.h>

#include "cli/ca_int.h"
#include "cli/users.h"
#include "keystore/request.h"
#include "util/json.h"
#include "util/when.h"

#define BATCH 64      /* certificates in one transaction, at most */
#define BATCH_S 2     /* or as many as this time makes: RSA is slow */
#define SHOW_FAILED 50
#define DEFAULT_ALGORITHM "rsa:2048"

struct issue_users {
	const char *file;	   /* CSV, see users.h */
	const char *password_file; /* of the CA; NULL: asked for, or none */
	const char *algorithm;
	unsigned use;  /* KS_SIGN | KS_ENCRYPT */
	int days;      /* 0: as the CA has it */
	bool separate; /* one certificate for each use */
	bool again;    /* also for who has one */
	bool foreign;  /* addresses outside local-domains, too */
	bool dry_run;
	bool json;
};

struct issuing {
	struct cli *c;
	const struct issue_users *job;
	struct users users;
	struct ca *ca; /* NULL in a dry run */
	struct buf text;
	struct json json;
	size_t pending; /* in this transaction */
	time_t began;
	size_t issued, had, refused, kept; /* kept: committed */
};

/* ---- one ---- */

static void report(struct issuing *x, const struct addr *a,
    const char *result, const struct cert *cert, int64_t ends)
{
	char date[WHEN_SIZE];

	if (!x->job->json)
		return;
	json_object(&x->json, NULL);
	json_str(&x->json, "address", a->text);
	json_str(&x->json, "result", result);
	json_str(&x->json, "sha256", cert != NULL ? cert_sha256_hex(cert) :
	    NULL);
	json_str(&x->json, "not_after", ends == 0 ? NULL :
	    when_timestamp(date, ends));
	json_end_object(&x->json);
}

/* What is wrong with one address stops nobody else. */
static int refuse(struct issuing *x, const struct addr *a, struct err *e)
{
	if (e->kind != FAIL_INPUT && e->kind != FAIL_POLICY)
		return -1;
	if (x->refused++ < SHOW_FAILED)
		(void)cli_say(0, "%s: %s", a->text, e->msg);
	report(x, a, "refused", NULL, 0);
	err_clear(e);
	return 0;
}

static int certify(struct issuing *x, const struct user *u, unsigned use,
    struct err *e)
{
	const char *name = users_name(&x->users, u);
	struct ca_request rq = { .email = u->email, .use = use,
	    .name = name[0] != '\0' ? name : NULL,
	    .algorithm = x->job->algorithm, .days = x->job->days };
	struct cert *cert = NULL;

	if (ca_certify(x->ca, &rq, &cert, e) != 0)
		return refuse(x, &u->email, e);
	x->issued++;
	x->pending++;
	report(x, &u->email, "issued", cert, cert_not_after(cert));
	cert_free(&cert);
	return 0;
}

static int issue_one(struct issuing *x, const struct user *u, unsigned use,
    struct err *e)
{
	int64_t ends = 0;

	if (!x->job->again && users_certified(x->c, &u->email, use, true,
	    &ends, e) != 0)
		return -1;
	if (ends != 0) {
		x->had++;
		report(x, &u->email, "has one", NULL, ends);
		return 0;
	}
	if (x->ca != NULL)
		return certify(x, u, use, e);
	x->issued++;
	report(x, &u->email, "to be issued", NULL, 0);
	return 0;
}

/* ---- all ---- */

static int issue_user(struct issuing *x, const struct user *u, struct err *e)
{
	if (!x->job->separate)
		return issue_one(x, u, x->job->use, e);
	if (issue_one(x, u, KS_SIGN, e) != 0)
		return -1;
	return issue_one(x, u, KS_ENCRYPT, e);
}

static int commit(struct issuing *x, bool go_on, struct err *e)
{
	if (keystore_commit(x->c->ks, e) != 0)
		return -1;
	x->kept += x->pending;
	x->pending = 0;
	x->began = time(NULL);
	return go_on ? keystore_begin(x->c->ks, e) : 0;
}

static int issue_all(struct issuing *x, struct err *e)
{
	struct progress p = { .what = "users", .of = x->users.n };
	size_t i;

	x->began = time(NULL);
	if (x->ca != NULL && keystore_begin(x->c->ks, e) != 0)
		return -1;
	for (i = 0; i < x->users.n; i++) {
		progress_show(&p, i);
		if (issue_user(x, &x->users.v[i], e) != 0)
			return -1;
		if (x->pending >= BATCH || (x->pending > 0 &&
		    time(NULL) - x->began >= BATCH_S)) {
			if (commit(x, true, e) != 0)
				return -1;
		}
	}
	progress_show(&p, i);
	return x->ca != NULL ? commit(x, false, e) : 0;
}

static int say_sum(struct issuing *x)
{
	bool dry = x->ca == NULL;

	if (x->job->json) {
		json_end_array(&x->json);
		json_int(&x->json, "issued", dry ? 0 : (int64_t)x->issued);
		json_int(&x->json, "to_be_issued", dry ? (int64_t)x->issued :
		    0);
		json_int(&x->json, "had_one", (int64_t)x->had);
		json_int(&x->json, "refused", (int64_t)x->refused);
		json_end_object(&x->json);
		buf_putc(&x->text, '\n');
	} else {
		buf_printf(&x->text, "%zu %s %s", x->issued, x->issued == 1 ?
		    "certificate" : "certificates", dry ? "would be issued" :
		    "issued, with their keys in the keystore");
		if (x->had > 0)
			buf_printf(&x->text, "; %zu have one already (--again "
			    "issues new ones)", x->had);
		if (x->refused > 0)
			buf_printf(&x->text, "; %zu refused", x->refused);
		buf_putc(&x->text, '\n');
	}
	return cli_print(&x->text);
}

static int open_ca(struct issuing *x)
{
	int rc;

	if (x->job->dry_run)
		return cli_keystore(x->c, KS_READ);
	rc = cli_ca(x->c, x->job->password_file, &x->ca);
	return rc == EX_OK ? cli_secret_to_seal(x->c) : rc;
}

static int run(struct issuing *x)
{
	struct err e = { 0 };
	int rc = cli_config(x->c);

	if (rc == EX_OK)
		rc = users_read(x->c, x->job->file, x->job->foreign,
		    &x->users);
	if (rc == EX_OK)
		rc = open_ca(x);
	if (rc != EX_OK)
		return rc;
	if (x->job->json) {
		json_object(&x->json, NULL);
		json_array(&x->json, "users");
	}
	if (issue_all(x, &e) != 0) {
		keystore_rollback(x->c->ks);
		if (x->kept > 0)
			(void)cli_say(0, "%zu certificates were issued "
			    "before; the same command goes on from there",
			    x->kept);
		return cli_fail(&e);
	}
	rc = say_sum(x);
	return rc == EX_OK && x->refused > 0 ? EX_DATAERR : rc;
}

bool issue_users_wanted(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--users") == 0 ||
		    strncmp(argv[i], "--users=", 8) == 0)
			return true;
	return false;
}

static int issue_users(struct cli *c, const struct issue_users *job)
{
	struct issuing x = { .c = c, .job = job };
	int rc;

	buf_init(&x.text, (size_t)256 << 20);
	json_init(&x.json, &x.text);
	rc = run(&x);
	ca_close(&x.ca);
	users_free(&x.users);
	buf_free(&x.text);
	return rc;
}

int issue_users_verb(struct cli *c, int argc, char **argv)
{
	struct issue_users job = { .file = NULL };
	const char *use = NULL, *days = NULL;
	struct cli_list rest = { NULL, 0 };
	const struct cli_opt opt[] = {
		{ "--users", NULL, &job.file, NULL },
		{ "--algorithm", NULL, &job.algorithm, NULL },
		{ "--use", NULL, &use, NULL },
		{ "--separate", &job.separate, NULL, NULL },
		{ "--days", NULL, &days, NULL },
		{ "--again", &job.again, NULL, NULL },
		{ "--foreign", &job.foreign, NULL, NULL },
		{ "--dry-run", &job.dry_run, NULL, NULL },
		{ "--json", &job.json, NULL, NULL },
		{ "--password-file", NULL, &job.password_file, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct err e = { 0 };
	int rc;

	c->usage = ISSUE_USERS_USAGE;
	rc = cli_options(c, argc, argv, opt, &rest);
	if (job.algorithm == NULL)
		job.algorithm = DEFAULT_ALGORITHM;
	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK && job.separate && use != NULL)
		rc = cli_usage(c, "--separate makes a certificate for each "
		    "use; leave --use out");
	if (rc == EX_OK && request_check_algorithm(job.algorithm, &e) != 0)
		rc = cli_usage(c, "--algorithm: %s", e.msg);
	if (rc == EX_OK)
		rc = users_use(c, use, &job.use);
	if (rc == EX_OK)
		rc = ca_days(c, days, &job.days);
	if (rc == EX_OK)
		rc = issue_users(c, &job);
	cli_list_free(&rest);
	return rc;
}
