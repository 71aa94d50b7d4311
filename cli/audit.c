/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal audit: who changed what in the keystore, when, from where.
 */
#include "keystore/life.h"

#include <string.h>

#include "cli/cli.h"
#include "util/json.h"
#include "util/when.h"

#define PRINT_MAX ((size_t)256 << 20)
#define DEFAULT_MOST 100
#define DAY ((int64_t)86400)

struct printing {
	struct table *t;
	struct json *j;
	size_t n;
};

static int on_table(void *arg, const struct change *c, struct err *e)
{
	struct printing *p = arg;
	char date[WHEN_SIZE], object[80];
	struct buf b;

	(void)e;
	/* a SHA-256 is as long as a line; its beginning finds it */
	buf_init(&b, sizeof(object) - 1);
	buf_printf(&b, "%.*s", strlen(c->object) == 64 ? 16 : 70, c->object);
	table_cell(p->t, when_timestamp(date, c->at));
	table_cell(p->t, c->who);
	table_cell(p->t, c->origin);
	table_cell(p->t, c->action);
	table_cell(p->t, buf_str(&b));
	table_cell(p->t, c->detail);
	buf_free(&b);
	p->n++;
	return 0;
}

static int on_json(void *arg, const struct change *c, struct err *e)
{
	struct printing *p = arg;
	char date[WHEN_SIZE];

	(void)e;
	json_object(p->j, NULL);
	json_int(p->j, "id", c->id);
	json_str(p->j, "time", when_timestamp(date, c->at));
	json_str(p->j, "who", c->who);
	json_str(p->j, "origin", c->origin);
	json_str(p->j, "action", c->action);
	json_str(p->j, "object", c->object);
	json_str(p->j, "detail", c->detail);
	json_end_object(p->j);
	p->n++;
	return 0;
}

static int print_table(struct cli *c, const struct change_query *q, struct buf
    *out)
{
	static const char *const head[] = { "TIME", "WHO", "FROM", "CHANGE",
		"OBJECT", "DETAIL" };
	struct printing p = { .t = table_of(head, ARRAY_LEN(head)) };
	struct err e = { 0 };
	int rc = EX_OK;

	if (p.t == NULL)
		return cli_say(EX_OSERR, "out of memory");
	if (keystore_changes(c->ks, q, on_table, &p, &e) != 0)
		rc = cli_fail(&e);
	else if (p.n == 0)
		buf_puts(out, "no changes\n");
	else if (table_print(p.t, out) != 0)
		rc = cli_say(EX_OSERR, "out of memory");
	table_free(&p.t);
	return rc;
}

static int print_json(struct cli *c, const struct change_query *q, struct buf
    *out)
{
	struct printing p = { 0 };
	struct err e = { 0 };
	struct json j;

	json_init(&j, out);
	p.j = &j;
	json_array(&j, NULL);
	if (keystore_changes(c->ks, q, on_json, &p, &e) != 0)
		return cli_fail(&e);
	json_end_array(&j);
	buf_putc(out, '\n');
	return EX_OK;
}

int cmd_audit(struct cli *c, int argc, char **argv)
{
	bool json = false, all = false;
	const char *days = NULL, *most = NULL;
	struct cli_opt opt[] = {
		{ "--json", &json, NULL, NULL },
		{ "--all", &all, NULL, NULL },
		{ "--days", NULL, &days, NULL },
		{ "--last", NULL, &most, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct change_query q = { .most = DEFAULT_MOST };
	struct cli_list rest = { 0 };
	size_t since_days = 0;
	struct buf out;
	int rc = cli_options(c, argc, argv, opt, &rest);

	buf_init(&out, PRINT_MAX);
	if (rc == EX_OK && rest.n > 1)
		rc = cli_usage(c, "one thing to look for is enough");
	if (rc == EX_OK)
		rc = cli_count(c, "--days", days, &since_days);
	if (rc == EX_OK)
		rc = cli_count(c, "--last", most, &q.most);
	if (rc == EX_OK)
		rc = cli_keystore(c, KS_READ);
	if (rc == EX_OK) {
		q.about = rest.n > 0 ? rest.v[0] : NULL;
		if (since_days > 0)
			q.since = cli_now(c) - (int64_t)since_days * DAY;
		if (all || (most == NULL && since_days > 0))
			q.most = 0;
		rc = json ? print_json(c, &q, &out) :
		    print_table(c, &q, &out);
	}
	if (rc == EX_OK)
		rc = cli_print(&out);
	buf_free(&out);
	cli_list_free(&rest);
	return rc;
}
