/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal report: what happened to mail in a period, from the records that
 * postseal explain reads, and in observe mode what would have happened.
 */
#include "cli/traffic.h"

#include <string.h>

#include "cli/cli.h"
#include "util/json.h"
#include "util/when.h"

#define PRINT_MAX ((size_t)256 << 20)
#define DEFAULT_DAYS 30
#define DAY ((int64_t)86400)
#define TOP 10 /* rows of a table in the summary */

struct period {
	int64_t since, until;
};

/* What a table shows of a tally. */
struct report_view {
	const char *by;	   /* --by, and the member for programs */
	const char *title; /* of the first rows in the summary */
	size_t where;	   /* of the tally in struct traffic */
	const char *head[2 + TALLY_COUNTS]; /* NULL ends */
	size_t counts; /* columns with a number, from n[0] */
	bool examples;
};

#define FATE_HEAD "ALL", "SEALED", "BY TLS", "IN CLEAR", "REFUSED"
static const struct report_view views[] = {
	{"direction", "messages", offsetof(struct traffic, flow),
	    {"MESSAGES", "OBSERVED", "WHAT", NULL}, 2, false},
	{"class", "classes", offsetof(struct traffic, class),
	    {"MESSAGES", "OBSERVED", "CLASS", NULL}, 2, false},
	{"domain", "recipients by domain", offsetof(struct traffic, domain),
	    {FATE_HEAD, "NO CERTIFICATE", "DOMAIN", NULL}, 6, false},
	{"partner", "partners without a certificate",
	    offsetof(struct traffic, partner),
	    {FATE_HEAD, "ADDRESS", NULL}, 5, true},
	{"user", "senders", offsetof(struct traffic, user),
	    {FATE_HEAD, "SENDER", NULL}, 5, false},
	{"reason", "refused or deferred", offsetof(struct traffic, reason),
	    {"MESSAGES", "OBSERVED", "REASON", NULL}, 2, true},
	{"signature", "signatures that did not pass",
	    offsetof(struct traffic, signature),
	    {"MESSAGES", "OBSERVED", "RESULT", NULL}, 2, true},
};

static const struct tally *tally_of(const struct traffic *r,
    const struct report_view *x)
{
	return (const struct tally *)(const void *)((const char *)r +
	    x->where);
}

/* ---- for people ---- */

static void number_cell(struct table *t, uint64_t n)
{
	struct buf b;

	buf_init(&b, 32);
	buf_printf(&b, "%llu", (unsigned long long)n);
	table_cell(t, buf_str(&b));
	buf_free(&b);
}

static void name_cell(struct table *t, const struct report_view *x,
    const struct tally_row *r)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_puts(&b, r->key);
	for (size_t i = 0; x->examples && i < TALLY_EXAMPLES; i++)
		if (r->example[i][0] != '\0')
			buf_printf(&b, "%s%s", i == 0 ? "  (id " : ", ",
			    r->example[i]);
	if (x->examples && r->example[0][0] != '\0')
		buf_putc(&b, ')');
	table_cell(t, buf_str(&b));
	buf_free(&b);
}

static int print_rows(const struct traffic *r, const struct report_view *x,
    size_t most, struct buf *out)
{
	const struct tally *all = tally_of(r, x);
	struct table *t = table_of(x->head, x->counts + 1);
	size_t n = all->rows < most ? all->rows : most;
	int rc = -1;

	for (size_t i = 0; t != NULL && i < n; i++) {
		for (size_t k = 0; k < x->counts; k++)
			number_cell(t, all->row[i].n[k]);
		name_cell(t, x, &all->row[i]);
	}
	if (t != NULL)
		rc = table_print(t, out);
	if (all->rows > n)
		buf_printf(out, "and %zu more; --by %s shows them\n",
		    all->rows - n, x->by);
	if (all->left_out > 0)
		buf_printf(out, "%llu more had no room here: a shorter "
		    "period shows them\n", (unsigned long long)all->left_out);
	table_free(&t);
	return rc == 0 ? 0 : cli_say(EX_OSERR, "out of memory");
}

static void print_head(const struct traffic *r, const struct period *p,
    struct buf *out)
{
	char since[WHEN_SIZE], until[WHEN_SIZE];

	buf_printf(out, "%s to %s: %llu messages", when_timestamp(since,
	    p->since), when_timestamp(until, p->until),
	    (unsigned long long)r->messages);
	if (r->observed > 0)
		buf_printf(out, ", %llu of them only observed: for those it "
		    "is what would have been",
		    (unsigned long long)r->observed);
	buf_putc(out, '\n');
	if (r->unreadable > 0)
		buf_printf(out, "%llu records cannot be read\n",
		    (unsigned long long)r->unreadable);
	buf_printf(out, "recipients: %llu sealed, %llu by verified TLS alone, "
	    "%llu signed in clear, %llu in clear, %llu refused, deferred or "
	    "held, %llu opened, %llu other\n",
	    (unsigned long long)r->fate[FATE_SEALED],
	    (unsigned long long)r->fate[FATE_TLS],
	    (unsigned long long)r->fate[FATE_SIGNED],
	    (unsigned long long)r->fate[FATE_PLAIN],
	    (unsigned long long)r->fate[FATE_REFUSED],
	    (unsigned long long)r->fate[FATE_OPENED],
	    (unsigned long long)r->fate[FATE_OTHER]);
}

static int print_text(const struct traffic *r, const struct period *p,
    const struct report_view *only, struct buf *out)
{
	int rc = 0;

	if (only != NULL)
		return print_rows(r, only, SIZE_MAX, out);
	print_head(r, p, out);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(views); i++) {
		if (tally_of(r, &views[i])->rows == 0)
			continue;
		buf_printf(out, "\n%s\n", views[i].title);
		rc = print_rows(r, &views[i], TOP, out);
	}
	return rc;
}

/* ---- for programs ---- */

static void json_row(struct json *j, const struct report_view *x,
    const struct tally_row *r)
{
	static const char *const fate[] = {"all", "sealed", "tls_required",
		"in_clear", "refused", "no_certificate"};
	static const char *const seen[] = {"messages", "observed"};
	const char *const *name = x->counts == 2 ? seen : fate;

	json_object(j, NULL);
	json_str(j, "name", r->key);
	for (size_t k = 0; k < x->counts; k++)
		json_int(j, name[k], (int64_t)r->n[k]);
	if (x->examples) {
		json_array(j, "examples");
		for (size_t i = 0; i < TALLY_EXAMPLES &&
		    r->example[i][0] != '\0'; i++)
			json_str(j, NULL, r->example[i]);
		json_end_array(j);
	}
	json_end_object(j);
}

static void json_counts(struct json *j, const struct traffic *r)
{
	static const char *const name[FATES] = {"sealed", "tls_required",
		"signed", "plain", "refused", "opened", "other"};

	json_int(j, "messages", (int64_t)r->messages);
	json_int(j, "observed", (int64_t)r->observed);
	json_int(j, "unreadable", (int64_t)r->unreadable);
	json_object(j, "recipients");
	for (size_t i = 0; i < FATES; i++)
		json_int(j, name[i], (int64_t)r->fate[i]);
	json_end_object(j);
}

static void print_json(const struct traffic *r, const struct period *p,
    const struct report_view *only, struct buf *out)
{
	char date[WHEN_SIZE];
	struct json j;

	json_init(&j, out);
	json_object(&j, NULL);
	json_str(&j, "since", when_timestamp(date, p->since));
	json_str(&j, "until", when_timestamp(date, p->until));
	json_counts(&j, r);
	for (size_t i = 0; i < ARRAY_LEN(views); i++) {
		const struct tally *t = tally_of(r, &views[i]);

		if (only != NULL && only != &views[i])
			continue;
		json_object(&j, views[i].by);
		json_array(&j, "rows");
		for (size_t k = 0; k < t->rows; k++)
			json_row(&j, &views[i], &t->row[k]);
		json_end_array(&j);
		json_int(&j, "left_out", (int64_t)t->left_out);
		json_end_object(&j);
	}
	json_end_object(&j);
	buf_putc(out, '\n');
}

/* ---- the verb ---- */

struct request {
	const char *days, *since, *until, *by;
	bool json;
};

/* "2026-11-21", or a time of RFC 3339. */
static int read_date(struct cli *c, const char *name, const char *text,
    int64_t *out)
{
	struct buf b;
	int rc;

	if (text == NULL)
		return 0;
	buf_init(&b, 200);
	buf_printf(&b, "%s%s", text, strlen(text) == 10 ? "T00:00:00Z" : "");
	rc = when_rfc3339(buf_str(&b), out);
	buf_free(&b);
	return rc == 0 ? 0 : cli_usage(c, "%s %s: want a date such as "
	    "2026-11-21, or a time of RFC 3339", name, text);
}

static int read_period(struct cli *c, const struct request *q,
    struct period *p)
{
	size_t days = DEFAULT_DAYS;
	int rc = 0;

	if (q->days != NULL && (q->since != NULL || q->until != NULL))
		return cli_usage(c, "--days and --since exclude each other");
	if (q->until != NULL && q->since == NULL)
		return cli_usage(c, "--until needs --since");
	rc = cli_count(c, "--days", q->days, &days);
	p->until = cli_now(c) + 1;
	p->since = p->until - (int64_t)days * DAY;
	if (rc == 0)
		rc = read_date(c, "--since", q->since, &p->since);
	if (rc == 0)
		rc = read_date(c, "--until", q->until, &p->until);
	if (rc == 0 && p->since >= p->until)
		rc = cli_usage(c, "the period ends before it begins");
	return rc;
}

static int read_by(struct cli *c, const char *by,
    const struct report_view **out)
{
	*out = NULL;
	if (by == NULL)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		if (strcmp(views[i].by, by) == 0)
			*out = &views[i];
	return *out != NULL ? 0 : cli_usage(c, "--by %s: want domain, "
	    "partner, user, reason, signature, class or direction", by);
}

static int on_record(void *arg, const char *id, int64_t at UNUSED,
    struct view json, struct err *e)
{
	return traffic_count(arg, id, json, e);
}

static int run(struct cli *c, const struct request *q,
    const struct period *p, const struct report_view *only)
{
	struct traffic r = {0};
	struct err e = {0};
	struct buf out;
	int rc = 0;

	buf_init(&out, PRINT_MAX);
	if (keystore_audit_each(c->ks, p->since, p->until, on_record, &r,
	    &e) != 0)
		rc = cli_fail(&e);
	traffic_sort(&r);
	if (rc == 0 && q->json)
		print_json(&r, p, only, &out);
	else if (rc == 0)
		rc = print_text(&r, p, only, &out);
	if (rc == 0)
		rc = cli_print(&out);
	buf_free(&out);
	traffic_free(&r);
	return rc;
}

int cmd_report(struct cli *c, int argc, char **argv)
{
	struct request q = {0};
	struct cli_opt opt[] = {
		{"--days", NULL, &q.days, NULL},
		{"--since", NULL, &q.since, NULL},
		{"--until", NULL, &q.until, NULL},
		{"--by", NULL, &q.by, NULL},
		{"--json", &q.json, NULL, NULL},
		{NULL, NULL, NULL, NULL},
	};
	const struct report_view *only = NULL;
	struct cli_list rest = {0};
	struct period p = {0};
	int rc = cli_options(c, argc, argv, opt, &rest);

	if (rc == 0 && rest.n != 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == 0)
		rc = read_by(c, q.by, &only);
	if (rc == 0)
		rc = cli_config(c);
	if (rc == 0)
		rc = read_period(c, &q, &p);
	if (rc == 0)
		rc = cli_keystore(c, KS_READ);
	if (rc == 0)
		rc = run(c, &q, &p, only);
	cli_list_free(&rest);
	return rc;
}
