/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal rules check; explain is explain_rules.c.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/rules_lint.h"
#include "util/json.h"

int cli_rules(struct cli *c, const char *path, struct rules **out)
{
	struct conf_errors ce;
	int rc;

	conf_errors_init(&ce);
	rc = rules_read(out, path, c->config, &ce);
	if (rc != 0)
		fputs(buf_str(&ce.text), stderr);
	if (rc != 0)
		rc = cli_say(EX_CONFIG, "rules %s: %zu %s; postseal-rules(5) "
		    "explains every word", path, ce.n,
		    ce.n == 1 ? "error" : "errors");
	conf_errors_free(&ce);
	return rc;
}

/* ---- check ---- */

struct remark {
	struct rules_remark x;
	char *text;
};

struct remarks {
	struct remark *v;
	size_t n;
	bool is_failed;
};

static void keep_remark(void *arg, const struct rules_remark *x)
{
	struct remarks *all = arg;
	struct remark *more;

	more = reallocarray(all->v, all->n + 1, sizeof(*more));
	if (more == NULL) {
		all->is_failed = true;
		return;
	}
	all->v = more;
	more[all->n].x = *x;
	more[all->n].text = strdup(x->text);
	all->is_failed = all->is_failed || more[all->n].text == NULL;
	all->n++;
}

static int by_line(const void *va, const void *vb)
{
	const struct remark *a = va, *b = vb;
	int c = strcmp(a->x.file, b->x.file);

	if (c == 0)
		c = (a->x.line > b->x.line) - (a->x.line < b->x.line);
	return c != 0 ? c : strcmp(a->text, b->text);
}

static void put_remarks(const char *path, size_t rules,
    const struct remarks *all, struct buf *out)
{
	for (size_t i = 0; i < all->n; i++)
		buf_printf(out, "%s:%d: warning: %s\n", all->v[i].x.file,
		    all->v[i].x.line, all->v[i].text);
	buf_printf(out, "%s: %zu %s, no errors", path, rules,
	    rules == 1 ? "rule" : "rules");
	if (all->n > 0)
		buf_printf(out, ", %zu %s", all->n,
		    all->n == 1 ? "warning" : "warnings");
	buf_putc(out, '\n');
}

static void json_remarks(const char *path, size_t rules,
    const struct remarks *all, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	json_object(&j, NULL);
	json_str(&j, "file", path);
	json_int(&j, "rules", (int64_t)rules);
	json_array(&j, "warnings");
	for (size_t i = 0; i < all->n; i++) {
		const struct rules_remark *x = &all->v[i].x;

		json_object(&j, NULL);
		json_str(&j, "kind", x->kind);
		json_str(&j, "file", x->file);
		json_int(&j, "line", x->line);
		if (x->other == 0)
			json_null(&j, "other");
		else
			json_int(&j, "other", x->other);
		json_str(&j, "text", all->v[i].text);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_end_object(&j);
	buf_putc(out, '\n');
}

static int remark_on(struct cli *c, const char *path, const struct rules *r,
    bool json, size_t *n)
{
	struct remarks all = {0};
	struct err e = {0};
	struct buf out;
	int rc;

	buf_init(&out, 64u << 20);
	rc = rules_lint(r, c->config, keep_remark, &all, &e);
	if (rc == 0 && all.is_failed)
		rc = err_set(&e, FAIL_TEMP, "rules check: out of memory");
	if (rc == 0 && all.n > 1)
		qsort(all.v, all.n, sizeof(*all.v), by_line);
	if (rc == 0 && json)
		json_remarks(path, rules_count(r), &all, &out);
	else if (rc == 0)
		put_remarks(path, rules_count(r), &all, &out);
	rc = rc != 0 ? cli_fail(&e) : cli_print(&out);
	*n = all.n;
	for (size_t i = 0; i < all.n; i++)
		free(all.v[i].text);
	free(all.v);
	buf_free(&out);
	return rc;
}

/* A file alone is read without a configuration, unless -c names one. */
static int check(struct cli *c, int argc, char **argv)
{
	bool json = false, strict = false;
	struct cli_opt opt[] = {
		{"--json", &json, NULL, NULL},
		{"--strict", &strict, NULL, NULL},
		{NULL, NULL, NULL, NULL},
	};
	struct cli_list rest = {0};
	struct rules *r = NULL;
	const char *path;
	size_t n = 0;
	int rc = cli_options(c, argc, argv, opt, &rest);

	if (rc == 0 && rest.n > 1)
		rc = cli_usage(c, "one file at a time");
	if (rc == 0 && (rest.n == 0 ||
	    strcmp(c->config_path, CLI_CONFIG) != 0))
		rc = cli_config(c);
	if (rc != 0)
		goto out;
	path = rest.n == 0 ? c->config->rules : rest.v[0];
	rc = cli_rules(c, path, &r);
	if (rc == 0)
		rc = remark_on(c, path, r, json, &n);
	if (rc == 0 && strict && n > 0)
		rc = cli_say(EX_CONFIG, "rules %s: %zu %s", path, n, n == 1
		    ? "warning" : "warnings");
out:
	rules_free(&r);
	cli_list_free(&rest);
	return rc;
}

int cmd_rules(struct cli *c, int argc, char **argv)
{
	static const struct cli_verb verb[] = {
		{"check", check, "rules check [--json] [--strict] [FILE]",
		    "find errors in the rules"},
		{"explain", rules_explain,
		    "rules explain --from A --to B [--to C] [--bcc D] "
		    "[--auth LOGIN | --no-auth] [--client IP] [--json] "
		    "[MESSAGE]",
		    "say which line decides, and what it comes to"},
	};

	return cli_dispatch(c, verb, ARRAY_LEN(verb), argc, argv);
}
