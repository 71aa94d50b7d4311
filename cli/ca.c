/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal ca: init and issue.
 */
#include "keystore/ca.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "util/when.h"

#define DEFAULT_DAYS 730
#define DEFAULT_NAME "postseal CA"

static int ca_init_verb(struct cli *c, int argc, char **argv)
{
	const char *name = NULL;
	struct cli_list rest = { NULL, 0 };
	const struct cli_opt opt[] = {
		{ "--name", NULL, &name, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct err e = { 0 };
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK)
		rc = cli_keystore(c, KS_WRITE);
	if (rc == EX_OK)
		rc = cli_secret(c);
	if (rc == EX_OK && ca_init(c->ks, buf_view(&c->secret),
	    name != NULL ? name : DEFAULT_NAME, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK)
		printf("CA \"%s\" made; its root is trusted here. Next: "
		    "\"postseal ca issue --email ADDRESS\"\n",
		    name != NULL ? name : DEFAULT_NAME);
	cli_list_free(&rest);
	return rc;
}

static int read_days(struct cli *c, const char *text, int *days)
{
	char *end;
	long x;

	if (text == NULL) {
		*days = DEFAULT_DAYS;
		return EX_OK;
	}
	x = strtol(text, &end, 10);
	if (end == text || *end != '\0' || x < 1 || x > 100000)
		return cli_usage(c, "--days %s: not a number of days", text);
	*days = (int)x;
	return EX_OK;
}

static int read_use(struct cli *c, const char *text, unsigned *use)
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

static int issue(struct cli *c, const struct ca_request *rq)
{
	struct cert *cert = NULL;
	struct err e = { 0 };
	char date[32];
	int rc;

	rc = cli_keystore(c, KS_WRITE);
	if (rc == EX_OK)
		rc = cli_secret(c);
	if (rc != EX_OK)
		return rc;
	if (ca_issue(c->ks, buf_view(&c->secret), rq, &cert, &e) != 0)
		return cli_fail(&e);
	printf("certificate %.16s for %s (%s), valid until %s, with its key "
	    "in the keystore\n", cert_sha256_hex(cert), rq->email.text,
	    cert_key_name(cert), when_date(date, cert_not_after(cert)));
	cert_free(&cert);
	return EX_OK;
}

static int ca_issue_verb(struct cli *c, int argc, char **argv)
{
	const char *email = NULL, *algorithm = NULL, *use = NULL;
	const char *days = NULL;
	struct cli_list rest = { NULL, 0 };
	const struct cli_opt opt[] = {
		{ "--email", NULL, &email, NULL },
		{ "--algorithm", NULL, &algorithm, NULL },
		{ "--use", NULL, &use, NULL },
		{ "--days", NULL, &days, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct ca_request rq = { .algorithm = "rsa:2048" };
	struct err e = { 0 };
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK && email == NULL)
		rc = cli_usage(c, "--email is needed: whom the certificate "
		    "is for");
	if (rc == EX_OK && addr_parse(&rq.email, view_of(email), &e) != 0)
		rc = cli_usage(c, "--email: %s", e.msg);
	if (rc == EX_OK)
		rc = read_use(c, use, &rq.use);
	if (rc == EX_OK)
		rc = read_days(c, days, &rq.days);
	if (algorithm != NULL)
		rq.algorithm = algorithm;
	if (rc == EX_OK)
		rc = issue(c, &rq);
	cli_list_free(&rest);
	return rc;
}

int cmd_ca(struct cli *c, int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "init", ca_init_verb, "ca init [--name NAME]", "" },
		{ "issue", ca_issue_verb,
		    "ca issue --email A [--algorithm rsa:2048|rsa:3072|"
		    "rsa:4096|ec:p256|ec:p384] [--use both|sign|encrypt] "
		    "[--days N]", "" },
	};

	return cli_dispatch(c, verbs, ARRAY_LEN(verbs), argc, argv);
}
