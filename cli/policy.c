/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal policy explain: the engine of the relay, asked by hand; and what
 * it shares with postseal policy probe.
 */
#include "cli/policy.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "relay/engine.h"
#include "util/addr.h"
#include "util/json.h"
#include "util/proc.h"

#define STORY_MAX 262144
#define OUT_MAX (1u << 20)

/* ---- what both verbs need ---- */

static int leave_root(const char *user)
{
	struct err e = {0};
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0 || user == NULL)
		return 0;
	if (proc_user(user, &uid, &gid, &e) != 0 ||
	    proc_drop(uid, gid, &e) != 0)
		return cli_fail(&e);
	return 0;
}

int cli_relay_config(struct cli *c, struct relay_config **out)
{
	int rc = cli_relay_read(c->config_path, out);

	if (rc != 0)
		return rc;
	c->dropped = true;
	return leave_root((*out)->user);
}

int cli_policy_route(const struct relay_config *rc, const char *name,
    const char **out)
{
	size_t i;

	if (name != NULL && relay_route(rc, name) == NULL)
		return cli_say(EX_CONFIG, "no route %s in relay { }", name);
	*out = name;
	for (i = 0; *out == NULL && i < rc->routes; i++)
		if (rc->route[i].mx)
			*out = rc->route[i].name;
	if (*out == NULL && rc->routes > 0)
		*out = rc->route[0].name;
	return *out != NULL ? 0 : cli_say(EX_CONFIG, "no route in relay { }");
}

int cli_policy_recipient(struct cli *c, const char *word, struct buf *out)
{
	struct err e = {0};
	struct addr a;

	if (strchr(word, '@') == NULL)
		buf_puts(out, "postmaster@");
	buf_puts(out, word);
	if (addr_parse(&a, buf_view(out), &e) != 0)
		return cli_usage(c, "%s", e.msg);
	return 0;
}

/* ---- explain ---- */

static void put_address(struct buf *b, const struct route_host *h)
{
	char ip[64], port[16];

	if (h->sa.ss_family == AF_UNIX) {
		buf_puts(b, h->name);
		return;
	}
	if (h->sa.ss_family == AF_UNSPEC || getnameinfo(
	    (const struct sockaddr *)&h->sa, h->sa_len, ip, sizeof(ip), port,
	    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		buf_puts(b, "-");
		return;
	}
	buf_printf(b, strchr(ip, ':') != NULL ? "[%s]:%s" : "%s:%s", ip,
	    port);
}

static bool next_line(struct view *rest, struct view *key, struct view *text)
{
	size_t tab, end;

	if (rest->n == 0)
		return false;
	end = view_chr(*rest, '\n', 0);
	if (end == (size_t)-1)
		end = rest->n;
	tab = view_chr(view_sub(*rest, 0, end), '\t', 0);
	if (tab == (size_t)-1)
		tab = end;
	*key = view_sub(*rest, 0, tab);
	*text = view_sub(*rest, tab + 1, end > tab ? end - tab - 1 : 0);
	*rest = view_sub(*rest, end + 1, rest->n);
	return true;
}

static void put_host(struct table *t, const struct route_host *h)
{
	struct buf b;

	buf_init(&b, 1024);
	put_address(&b, h);
	table_cell(t, h->name);
	table_cell(t, buf_str(&b));
	table_cell(t, h->is_barred ? "not used" :
	    tls_level_str(h->want.level));
	table_cell(t, h->is_barred ? h->barred_reason : h->want.because);
	buf_free(&b);
}

static int put_text(struct buf *out, const struct route *r, struct view story)
{
	static const char *const head[] = { "HOST", "ADDRESS", "TLS", "WHY" };
	struct view key, text;
	struct table *t;
	size_t i;
	int rc;

	while (next_line(&story, &key, &text)) {
		buf_putv(out, key);
		for (i = key.n; i < 14; i++)
			buf_putc(out, ' ');
		buf_putv(out, text);
		buf_putc(out, '\n');
	}
	if (r->hosts == 0)
		return 0;
	buf_putc(out, '\n');
	t = table_of(head, ARRAY_LEN(head));
	for (i = 0; t != NULL && i < r->hosts; i++)
		put_host(t, &r->host[i]);
	rc = t == NULL ? -1 : table_print(t, out);
	table_free(&t);
	return rc;
}

static void put_want_json(struct json *j, const struct tls_want *w)
{
	size_t i;

	json_str(j, "level", tls_level_str(w->level));
	json_str(j, "asked", tls_level_str(w->asked));
	json_str(j, "because", w->because);
	json_array(j, "names");
	for (i = 0; i < w->names; i++)
		json_str(j, NULL, w->name[i]);
	json_end_array(j);
	json_str(j, "sni", w->sni);
	json_int(j, "tlsa", (int64_t)w->tlsas);
	json_str(j, "tlsa_base", w->tlsa_base);
	json_str(j, "client_certificate", w->pki);
	json_bool(j, "implicit", w->implicit);
	json_bool(j, "requiretls", w->require_tls);
}

static void put_host_json(struct json *j, const struct route_host *h)
{
	struct buf b;

	buf_init(&b, 1024);
	put_address(&b, h);
	json_object(j, NULL);
	json_str(j, "host", h->name);
	json_str(j, "address", buf_str(&b));
	json_bool(j, "barred", h->is_barred);
	if (h->is_barred) {
		json_str(j, "result", h->barred_result);
		json_str(j, "reason", h->barred_reason);
	} else {
		put_want_json(j, &h->want);
	}
	json_end_object(j);
	buf_free(&b);
}

static void put_json(struct buf *out, const struct route *r,
    const char *rcpt, struct view story)
{
	struct view key, text;
	struct json j;
	size_t i;

	json_init(&j, out);
	json_object(&j, NULL);
	json_str(&j, "recipient", rcpt);
	json_str(&j, "route", r->name);
	json_str(&j, "nexthop", r->nexthop);
	json_int(&j, "code", r->code);
	json_str(&j, "enhanced", r->enhanced);
	json_str(&j, "text", r->text);
	json_bool(&j, "sts_testing", r->sts_testing);
	json_array(&j, "hosts");
	for (i = 0; i < r->hosts; i++)
		put_host_json(&j, &r->host[i]);
	json_end_array(&j);
	json_array(&j, "story");
	while (next_line(&story, &key, &text)) {
		json_object(&j, NULL);
		json_view(&j, "key", key);
		json_view(&j, "text", text);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_end_object(&j);
	buf_putc(out, '\n');
}

static int print_route(const struct route *r, const char *rcpt,
    struct view story, bool json)
{
	struct buf out;
	int rc = 0;

	buf_init(&out, OUT_MAX);
	if (json)
		put_json(&out, r, rcpt, story);
	else
		rc = put_text(&out, r, story);
	rc = rc == 0 ? cli_print(&out) : cli_say(EX_OSERR, "out of memory");
	buf_free(&out);
	if (rc != 0 || r->code == 0)
		return rc;
	return r->code < 500 ? EX_TEMPFAIL : EX_UNAVAILABLE;
}

static int explain(const struct relay_config *rc,
    const struct route_query *q, bool json)
{
	struct engine *g = NULL;
	struct route *r = NULL;
	struct buf story;
	struct err e = {0};
	int code;

	if (engine_new(&g, rc, &e) != 0)
		return cli_fail(&e);
	buf_init(&story, STORY_MAX);
	engine_route(g, q, &r, &story);
	code = r == NULL ? cli_say(EX_OSERR, "out of memory") :
	    print_route(r, q->rcpt, buf_view(&story), json);
	route_free(&r);
	buf_free(&story);
	engine_free(&g);
	return code;
}

static int explain_word(struct cli *c, const char *word,
    struct route_query *q, bool json)
{
	struct relay_config *rc = NULL;
	struct buf rcpt;
	int code;

	buf_init(&rcpt, 1024);
	code = cli_policy_recipient(c, word, &rcpt);
	if (code == 0)
		code = cli_relay_config(c, &rc);
	if (code == 0)
		code = cli_policy_route(rc, q->route, &q->route);
	q->rcpt = buf_str(&rcpt);
	if (code == 0)
		code = explain(rc, q, json);
	relay_config_free(&rc);
	buf_free(&rcpt);
	return code;
}

int cli_policy_explain(struct cli *c, int argc, char **argv)
{
	struct route_query q = { .from = "" };
	const char *from = NULL;
	struct cli_list rest = { 0 };
	bool json = false;
	const struct cli_opt o[] = {
		{ .name = "--json", .flag = &json },
		{ .name = "--from", .value = &from },
		{ .name = "--route", .value = &q.route },
		{ .name = "--require-tls", .flag = &q.require_tls },
		{ .name = "--tls-optional", .flag = &q.tls_optional },
		{ .name = "--verified", .flag = &q.verified },
		{ .name = NULL },
	};
	int rc = cli_options(c, argc, argv, o, &rest);

	if (from != NULL)
		q.from = from;
	if (rc == 0)
		rc = rest.n != 1 ? cli_usage(c, "a domain or an address is "
		    "needed") : explain_word(c, rest.v[0], &q, json);
	cli_list_free(&rest);
	return rc;
}

/* ---- the verb ---- */

int cmd_policy(struct cli *c, int argc, char **argv)
{
	static const struct cli_verb verb[] = {
		{ "explain", cli_policy_explain, "policy explain "
		    "DOMAIN|ADDRESS [--from A] [--route NAME]\n"
		    "       [--require-tls] [--tls-optional] [--verified] "
		    "[--json]",
		    "line, hosts, TLSA, MTA-STS, and what each host must "
		    "show" },
		{ "probe", cli_policy_probe, "policy probe "
		    "DOMAIN|ADDRESS|[HOST][:PORT] [--pin] [--port N]\n"
		    "       [--from A] [--route NAME] [--json]",
		    "a live try of all that" },
	};

	return cli_dispatch(c, verb, ARRAY_LEN(verb), argc, argv);
}
