/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal rules check and explain.
 */
#include <string.h>

#include "cli/cli.h"
#include "fetch/find.h"
#include "gateway/authority.h"
#include "gateway/gateway.h"
#include "gateway/learn.h"
#include "smime/sign.h"
#include "util/json.h"
#include "util/when.h"

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

static int check(struct cli *c, int argc, char **argv)
{
	struct cli_opt none[] = {{NULL, NULL, NULL, NULL}};
	struct cli_list rest = {0};
	struct rules *r = NULL;
	const char *path;
	int rc = cli_options(c, argc, argv, none, &rest);

	if (rc == 0 && rest.n > 1)
		rc = cli_usage(c, "one file at a time");
	if (rc == 0 && rest.n == 0)
		rc = cli_config(c);
	if (rc != 0)
		goto out;
	path = rest.n == 0 ? c->config->rules : rest.v[0];
	rc = cli_rules(c, path, &r);
	if (rc == 0)
		printf("%s: %zu %s, no errors\n", path, rules_count(r),
		    rules_count(r) == 1 ? "rule" : "rules");
out:
	rules_free(&r);
	cli_list_free(&rest);
	return rc;
}

/* ---- explain ---- */

struct question {
	struct cli *c;
	struct rules *rules;
	struct finder *finder; /* NULL: no directories */
	struct envelope env;
	struct addr from;
	struct buf out;
	struct json json;
	bool is_json;
	struct cert *cert; /* that the last selection found, or NULL */
	/* for the recipient at hand */
	bool is_signed, is_encrypted;
	bool is_unknown;     /* no directory could say */
	const char *why_not; /* refused, or deferred */
};

/* One line for people, one member for programs. */
static void say(struct question *q, const char *label, const char *key,
    const char *text)
{
	if (q->is_json)
		json_str(&q->json, key, text);
	else
		buf_printf(&q->out, "  %-12s%s\n", label, text);
}

static void json_selection(struct json *j, const char *key,
    const struct selection *s)
{
	char date[32];

	json_object(j, key);
	if (s->cert != NULL) {
		json_object(j, "certificate");
		json_str(j, "sha256", cert_sha256_hex(s->cert));
		json_str(j, "subject", cert_subject(s->cert));
		json_str(j, "not_after", when_timestamp(date,
		    cert_not_after(s->cert)));
		json_end_object(j);
	} else {
		json_null(j, "certificate");
	}
	json_array(j, "passed_over");
	for (size_t i = 0; i < s->over_n; i++) {
		json_object(j, NULL);
		json_str(j, "sha256", s->over[i].sha256);
		json_str(j, "reason", s->over[i].reason);
		json_end_object(j);
	}
	json_end_array(j);
	json_end_object(j);
}

static void put_selection(struct question *q, const char *label,
    const struct addr *a, const struct selection *s)
{
	char date[32];

	if (s->cert != NULL)
		buf_printf(&q->out, "  %-12s%.16s  %s  until %s\n", label,
		    cert_sha256_hex(s->cert), cert_subject(s->cert),
		    when_date(date, cert_not_after(s->cert)));
	else
		buf_printf(&q->out, "  %-12sno usable certificate of %s\n",
		    label, a->text);
	for (size_t i = 0; i < s->over_n; i++)
		buf_printf(&q->out, "  %-12s%.16s  %s\n", "passed over",
		    s->over[i].sha256, s->over[i].reason);
}

static int print_selection(struct question *q, const char *label,
    const char *key, const struct addr *a, unsigned use)
{
	struct selection s = {0};
	struct err e = {0};

	if (keystore_select(q->c->ks, a, use, cli_now(q->c), &s, &e) != 0)
		return cli_fail(&e);
	cert_free(&q->cert);
	q->cert = s.cert == NULL ? NULL : cert_ref(s.cert);
	if (q->is_json)
		json_selection(&q->json, key, &s);
	else
		put_selection(q, label, a, &s);
	selection_free(&s);
	return 0;
}

static bool may_sign(const struct question *q)
{
	const struct config *c = q->c->config;

	if (q->env.auth == ENV_AUTH_CALLER)
		return config_is_local(c, &q->from);
	return authority_may_sign(c, q->env.login, NULL, &q->from);
}

/* false: the key is of no use. */
static bool print_signature(struct question *q, const struct writing *x)
{
	struct signer who = {.cert = q->cert, .digest = x->digest,
	    .pss = x->pss};
	struct err e = {0};
	enum sig_alg alg;
	bool can = sign_alg(&who, &alg, &e) == 0;

	say(q, "signature", "signature", can ? writing_signature(alg) : e.msg);
	return can;
}

static unsigned hardness(const struct treatment *t)
{
	return t->revocation_hard ? KS_HARD : 0;
}

static int explain_signature(struct question *q, const struct treatment *t)
{
	bool may = may_sign(q);
	struct buf text;
	int rc = 0;

	if (!t->sign)
		return 0;
	buf_init(&text, 4096);
	buf_printf(&text, "%s %s sign as %s",
	    q->env.auth == ENV_AUTH_LOGIN  ? q->env.login
		: q->env.auth == ENV_AUTH_NONE ? "who has not logged in"
					       : "the caller",
	    may ? "may" : "may not", q->from.text);
	say(q, "right", "right", buf_str(&text));
	buf_free(&text);
	if (may)
		rc = print_selection(q, "sign with", "sign_with", &q->from,
		    KS_SIGN | hardness(t));
	q->is_signed = may && q->cert != NULL && print_signature(q,
	    &t->writing);
	if (!q->is_signed && t->sign_or == OR_MUST)
		q->why_not = may ? "its author has no usable certificate"
		    : "the client may not sign as its author";
	return rc;
}

static int print_cipher(struct question *q, const struct writing *x,
    const struct addr *to)
{
	enum enc_cipher cipher;
	struct reader known;
	struct err e = {0};
	struct buf text;
	char why[100];

	if (learn_lookup(q->c->ks, to, q->cert, &known, &e) != 0)
		return cli_fail(&e);
	learn_why(&known, x, why, sizeof(why));
	buf_init(&text, 4096);
	if (capabilities_choose(&known.caps, 1, &x->cipher, &cipher) == 0) {
		buf_printf(&text, "%s, %s (capabilities: %s)",
		    enc_cipher_str(cipher), writing_transport(q->cert,
		    writing_oaep(x, &known.caps)), why);
	} else {
		buf_printf(&text, "none that is at least %s (capabilities: "
		    "%s)", enc_cipher_str(x->cipher.floor), why);
		q->why_not = "known to read nothing as strong as min-cipher";
	}
	say(q, "cipher", "cipher", buf_str(&text));
	buf_free(&text);
	return 0;
}

/* Where the keystore has none. */
static int explain_directory(struct question *q, const struct treatment *t,
    const struct addr *to)
{
	struct cli_found f = {0};
	int rc = cli_look_up(q->c, q->finder, to, t->revocation_hard, &f);

	if (rc == 0 && f.asked)
		say(q, "directory", "directory", f.text);
	if (rc == 0 && f.unknown)
		q->why_not = "whether there is a certificate cannot be known "
		    "now";
	q->is_unknown = f.unknown;
	if (rc == 0 && f.asked && !f.unknown) {
		q->cert = f.selection.cert == NULL ? NULL
		    : cert_ref(f.selection.cert);
		if (q->is_json)
			json_selection(&q->json, "from_directory",
			    &f.selection);
		else
			put_selection(q, "encrypt to", to, &f.selection);
	}
	selection_free(&f.selection);
	return rc;
}

static int explain_encryption(struct question *q, const struct treatment *t,
    const struct addr *to)
{
	int rc;

	if (!t->encrypt)
		return 0;
	rc = print_selection(q, "encrypt to", "encrypt_to", to, KS_ENCRYPT |
	    hardness(t));
	if (rc == 0 && q->cert == NULL)
		rc = explain_directory(q, t, to);
	q->is_encrypted = q->cert != NULL;
	if (rc == 0 && q->is_encrypted)
		rc = print_cipher(q, &t->writing, to);
	else if (t->encrypt_or == OR_MUST && !q->is_unknown)
		q->why_not = "no usable certificate of the recipient";
	return rc;
}

/* What it comes to, if nothing in the message itself says otherwise. */
static void print_result(struct question *q, const struct treatment *t)
{
	struct buf text;

	if (!t->sign && !t->encrypt)
		return;
	buf_init(&text, 1024);
	if (q->why_not != NULL)
		buf_printf(&text, "%s: %s", q->is_unknown ? "deferred"
		    : "refused", q->why_not);
	else
		buf_puts(&text, q->is_signed && q->is_encrypted
			? "signed and encrypted"
			: q->is_encrypted ? "encrypted, not signed"
			: q->is_signed	  ? "signed, in clear"
					  : "in clear, not signed");
	say(q, "result", "result", buf_str(&text));
	buf_free(&text);
}

static void print_rule(struct question *q, const struct addr *to,
    enum direction d, const struct rule_ref *ref)
{
	if (!q->is_json) {
		buf_printf(&q->out, "%s: %s\n", to->text, direction_str(d));
		if (ref->file == NULL)
			buf_printf(&q->out, "  %-12snone: internal mail "
			    "passes\n", "rule");
		else
			buf_printf(&q->out, "  %-12s%s:%d: %s\n", "rule",
			    ref->file, ref->line, ref->text);
		return;
	}
	json_str(&q->json, "address", to->text);
	json_str(&q->json, "direction", direction_str(d));
	if (ref->file == NULL) {
		json_null(&q->json, "rule");
		return;
	}
	json_object(&q->json, "rule");
	json_str(&q->json, "file", ref->file);
	json_int(&q->json, "line", ref->line);
	json_str(&q->json, "text", ref->text);
	json_end_object(&q->json);
}

static int explain_treatment(struct question *q, const struct treatment *t,
    const struct addr *to)
{
	struct buf text;
	int rc;

	buf_init(&text, 65536);
	treatment_print(t, &text);
	say(q, "treatment", "treatment", buf_str(&text));
	buf_free(&text);
	rc = explain_signature(q, t);
	if (rc == 0)
		rc = explain_encryption(q, t, to);
	if (rc == 0)
		print_result(q, t);
	if (rc == 0 && t->store_encrypted)
		rc = print_selection(q, "store for", "store_for", to,
		    KS_STORAGE);
	if (rc == 0 && t->store_encrypted)
		rc = print_selection(q, "or for", "or_for", to, KS_ENCRYPT);
	return rc;
}

static int explain_rcpt(struct question *q, const char *raw_to)
{
	struct rule_input in = {0};
	struct treatment t;
	struct rule_ref ref;
	struct err e = {0};
	struct addr to;
	int rc = 0;

	if (addr_parse_path(&to, raw_to, &e) != 0)
		return cli_usage(q->c, "--to: %s", e.msg);
	q->is_signed = q->is_encrypted = q->is_unknown = false;
	q->why_not = NULL;
	in.direction = gateway_direction(q->c->config, &q->env, &to);
	in.from = in.envelope_from = &q->from;
	in.to = &to;
	in.login = q->env.auth == ENV_AUTH_LOGIN ? q->env.login
	    : q->env.auth == ENV_AUTH_CALLER	 ? q->from.text
						 : NULL;
	rules_decide(q->rules, &in, &t, &ref);
	if (q->is_json)
		json_object(&q->json, NULL);
	print_rule(q, &to, in.direction, &ref);
	rc = explain_treatment(q, &t, &to);
	if (q->is_json)
		json_end_object(&q->json);
	return rc;
}

/* Somebody of ours is taken to be logged in, everybody else to come from
 * outside, unless the options say otherwise. */
static int set_sender(struct question *q, const char *from, const char *auth,
    bool no_auth)
{
	struct err e = {0};

	if (addr_parse_path(&q->from, from, &e) != 0)
		return cli_usage(q->c, "--from: %s", e.msg);
	q->env.mail_from = from;
	q->env.login = auth;
	if (auth != NULL)
		q->env.auth = ENV_AUTH_LOGIN;
	else if (!no_auth && config_is_local(q->c->config, &q->from))
		q->env.auth = ENV_AUTH_CALLER;
	return 0;
}

static int explain_all(struct question *q, const struct cli_list *to)
{
	int rc = 0;

	if (q->is_json)
		json_array(&q->json, NULL);
	for (size_t i = 0; rc == 0 && i < to->n; i++)
		rc = explain_rcpt(q, to->v[i]);
	if (q->is_json) {
		json_end_array(&q->json);
		buf_putc(&q->out, '\n');
	}
	return rc;
}

static int explain(struct cli *c, int argc, char **argv)
{
	const char *from = NULL, *auth = NULL;
	bool no_auth = false, json = false;
	struct cli_list to = {0}, rest = {0};
	struct cli_opt opt[] = {
		{"--from", NULL, &from, NULL},
		{"--to", NULL, NULL, &to},
		{"--auth", NULL, &auth, NULL},
		{"--no-auth", &no_auth, NULL, NULL},
		{"--json", &json, NULL, NULL},
		{NULL, NULL, NULL, NULL},
	};
	struct question q = {0};
	int rc = cli_options(c, argc, argv, opt, &rest);

	q.c = c;
	q.is_json = json;
	buf_init(&q.out, 16u << 20);
	json_init(&q.json, &q.out);
	if (rc == 0 && rest.n != 0)
		rc = cli_usage(c, "%s: unexpected; every recipient has a "
		    "--to of its own", rest.v[0]);
	if (rc == 0 && (from == NULL || to.n == 0))
		rc = cli_usage(c, "--from and --to are needed");
	if (rc == 0 && auth != NULL && no_auth)
		rc = cli_usage(c, "--auth and --no-auth exclude each other");
	if (rc == 0)
		rc = cli_config(c);
	if (rc == 0)
		rc = cli_rules(c, c->config->rules, &q.rules);
	if (rc == 0)
		rc = cli_finder(c, &q.finder);
	if (rc == 0)
		rc = cli_keystore(c, KS_READ);
	if (rc == 0)
		rc = set_sender(&q, from, auth, no_auth);
	if (rc == 0)
		rc = explain_all(&q, &to);
	if (rc == 0)
		rc = cli_print(&q.out);
	buf_free(&q.out);
	cert_free(&q.cert);
	finder_free(&q.finder);
	rules_free(&q.rules);
	cli_list_free(&to);
	cli_list_free(&rest);
	return rc;
}

int cmd_rules(struct cli *c, int argc, char **argv)
{
	static const struct cli_verb verb[] = {
		{"check", check, "rules check [FILE]",
		    "find errors in the rules"},
		{"explain", explain,
		    "rules explain --from A --to B [--to C] "
		    "[--auth LOGIN | --no-auth] [--json]",
		    "say which line decides"},
	};

	return cli_dispatch(c, verb, ARRAY_LEN(verb), argc, argv);
}
