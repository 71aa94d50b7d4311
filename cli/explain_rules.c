/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal rules explain: which line decides for whom, and what it comes to:
 * certificates, cipher, groups, reply. With a message the whole pipeline
 * says it.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/dry.h"
#include "cli/story.h"
#include "gateway/authority.h"
#include "gateway/learn.h"
#include "smime/sign.h"
#include "util/json.h"
#include "util/when.h"

struct question {
	struct cli *c;
	struct dry dry;	    /* rules, directories, envelope */
	struct verdict plan; /* of an ordinary message to all of them */
	struct addr from;
	struct buf out;
	struct json json;
	bool is_json;
	struct cert *cert; /* that the last selection found, or NULL */
	/* for the recipient at hand */
	bool is_signed, is_encrypted;
	bool is_by_tls;      /* in clear, over verified hops alone */
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
	const struct list_reader lists = list_reader_of_store(q->c->ks);
	const struct authority au = {c, &lists};
	const struct asker who = {q->dry.env.login, NULL};
	bool may;

	if (q->dry.env.auth == ENV_AUTH_CALLER)
		return config_is_local(c, &q->from);
	return authority_signs(&au, &who, &q->from, &may, NULL) == 0 && may;
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
	    q->dry.env.auth == ENV_AUTH_LOGIN  ? q->dry.env.login
		: q->dry.env.auth == ENV_AUTH_NONE ? "who has not logged in"
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
	int rc = cli_look_up(q->c, q->dry.finder, to, t->revocation_hard, &f);

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
	q->is_by_tls = !q->is_encrypted && !q->is_unknown &&
	    t->encrypt_or == OR_TLS && config_has_tls_route(q->c->config);
	if (rc == 0 && q->is_encrypted)
		rc = print_cipher(q, &t->writing, to);
	else if (t->encrypt_or == OR_TLS && !q->is_by_tls && !q->is_unknown)
		q->why_not = "no usable certificate of the recipient, and no "
		    "tls-route";
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
			: q->is_by_tls && q->is_signed
			? "signed, in clear, by tls-route alone: over "
			  "verified hops, else it waits and bounces"
			: q->is_by_tls
			? "not signed, in clear, by tls-route alone: over "
			  "verified hops, else it waits and bounces"
			: q->is_signed	  ? "signed, in clear"
					  : "in clear, not signed");
	say(q, "result", "result", buf_str(&text));
	buf_free(&text);
}

static void print_rule(struct question *q, const char *to,
    enum direction d, const struct rule_ref *ref)
{
	if (!q->is_json) {
		buf_printf(&q->out, "%s: %s\n", to, direction_str(d));
		if (ref->file == NULL)
			buf_printf(&q->out, "  %-12snone: internal mail "
			    "passes\n", "rule");
		else
			buf_printf(&q->out, "  %-12s%s:%d: %s\n", "rule",
			    ref->file, ref->line, ref->text);
		return;
	}
	json_str(&q->json, "address", to);
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

/* ---- who shares a copy ---- */

/* Another one of the same group, from i on. */
static const struct verdict_rcpt *next_member(const struct verdict *v,
    int group, size_t *i)
{
	while (*i < v->rcpts)
		if (v->rcpt[(*i)++].group == group)
			return &v->rcpt[*i - 1];
	return NULL;
}

static bool same_words(const struct treatment *a, const struct treatment *b)
{
	struct buf x, y;
	bool same;

	buf_init(&x, 65536);
	buf_init(&y, 65536);
	treatment_print(a, &x);
	treatment_print(b, &y);
	same = view_eq(buf_view(&x), buf_view(&y));
	buf_free(&x);
	buf_free(&y);
	return same;
}

/* Of two under the same words. */
static const char *why_apart(const struct verdict_rcpt *r,
    const struct verdict_rcpt *other)
{
	if ((r->certs > 0) == (other->certs > 0))
		return "needs another cipher than others";
	return r->certs > 0 ?
	    "has a certificate, and others have none" :
	    "has no certificate, and others have one";
}

static const char *why_alone(const struct question *q, size_t i)
{
	const struct verdict *v = &q->plan;

	if (v->rcpts == 1)
		return "the only recipient";
	if (i >= q->dry.visible && v->rcpt[i].wanted.encrypt)
		return "a blind copy: nobody may see who else can read it";
	if (v->rcpt[i].wanted.per_recipient)
		return "the rule wants a copy for each";
	for (size_t k = 0; k < v->rcpts; k++)
		if (k != i && k < q->dry.visible && v->rcpt[k].group != 0 &&
		    same_words(&v->rcpt[k].wanted, &v->rcpt[i].wanted))
			return why_apart(&v->rcpt[i], &v->rcpt[k]);
	return "nobody else is treated like this";
}

static void json_group(struct question *q, size_t i)
{
	const struct verdict_rcpt *r = &q->plan.rcpt[i], *other;
	size_t at = 0, n = 0;

	json_int(&q->json, "group", r->group);
	json_array(&q->json, "same_copy_for");
	while ((other = next_member(&q->plan, r->group, &at)) != NULL)
		if (other != r && ++n > 0)
			json_str(&q->json, NULL, other->address);
	json_end_array(&q->json);
	if (n == 0)
		json_str(&q->json, "alone", why_alone(q, i));
	else
		json_null(&q->json, "alone");
}

static void print_group(struct question *q, size_t i)
{
	const struct verdict_rcpt *r = &q->plan.rcpt[i], *other;
	struct buf text;
	size_t at = 0, n = 0;

	if (i >= q->plan.rcpts || r->group == 0)
		return;
	if (q->is_json) {
		json_group(q, i);
		return;
	}
	buf_init(&text, 1u << 20);
	buf_printf(&text, "%d", r->group);
	while ((other = next_member(&q->plan, r->group, &at)) != NULL)
		if (other != r)
			buf_printf(&text, "%s%s", n++ == 0
			    ? ", the same copy as for " : ", ",
			    other->address);
	if (n == 0)
		buf_printf(&text, ", a copy alone: %s", why_alone(q, i));
	say(q, "group", "group", buf_str(&text));
	buf_free(&text);
}

/* Is it refused only because there is no way for several copies? */
static bool lacks_reinject(const struct question *q)
{
	const struct verdict *v = &q->plan;
	bool has_more = false;

	for (size_t i = 0; i < v->rcpts; i++)
		has_more = has_more || v->rcpt[i].group > 1;
	return has_more && !q->dry.env.can_split;
}

/* What the whole message would be answered; the first recipient's JSON has
 * it as well as the others'. */
static void print_reply(struct question *q)
{
	const struct verdict *v = &q->plan;
	struct buf text;

	if (v->code == 0) {
		if (q->is_json)
			json_null(&q->json, "reply");
		return;
	}
	buf_init(&text, 2000);
	buf_printf(&text, "%d %s %s", v->code, v->enhanced, v->text);
	if (q->is_json)
		json_str(&q->json, "reply", buf_str(&text));
	else
		buf_printf(&q->out, "reply: %s\n%s", buf_str(&text),
		    !lacks_reinject(q) ? "" : "with \"reinject\" in milter "
		    "{ } each of them would get his copy: "
		    "postseal.conf(5)\n");
	buf_free(&text);
}

/* ---- one recipient ---- */

static void set_input(const struct question *q, const struct addr *to,
    struct rule_input *in)
{
	memset(in, 0, sizeof(*in));
	in->direction = gateway_direction(q->c->config, &q->dry.env, to);
	in->from = in->envelope_from = &q->from;
	in->to = to;
	in->client_ip = q->dry.env.client_ip;
	in->login = q->dry.env.auth == ENV_AUTH_LOGIN ? q->dry.env.login
	    : q->dry.env.auth == ENV_AUTH_CALLER      ? q->from.text
						      : NULL;
}

/* a%b@ours: where it ends is the mail server's guess. */
static int explain_unreadable(struct question *q, const struct rule_input *in)
{
	if (in->direction != DIR_INBOUND)
		q->why_not = "the address can be read in more than one way";
	say(q, "address", "unreadable", in->direction == DIR_INBOUND
	    ? "can be read in more than one way: every rule that may be "
	    "meant counts, and nothing is opened for it"
	    : "can be read in more than one way");
	if (q->why_not != NULL)
		say(q, "result", "result", "refused: the address can be read "
		    "in more than one way");
	return 0;
}

/* As the pipeline did, where it came that far: it knows lists, too. */
static void decide(const struct question *q, size_t i,
    const struct rule_input *in, struct treatment *t, struct rule_ref *ref)
{
	if (i < q->plan.rcpts && q->plan.rcpt[i].rule.file != NULL) {
		*t = q->plan.rcpt[i].wanted;
		*ref = q->plan.rcpt[i].rule;
		return;
	}
	rules_decide(q->dry.rules, in, t, ref);
	(void)rules_tighten(q->dry.rules, in, t);
}

static int explain_rcpt(struct question *q, size_t i)
{
	const char *raw_to = q->dry.env.rcpt[i];
	enum rcpt_form form;
	struct rule_input in;
	struct treatment t;
	struct rule_ref ref;
	struct err e = {0};
	struct addr to, loose;
	int rc = 0;

	form = rcpt_read(q->c->config, raw_to, &to);
	if (form == RCPT_UNREADABLE &&
	    addr_parse_path(&loose, raw_to, &e) != 0)
		return cli_usage(q->c, "--to: %s", e.msg);
	q->is_signed = q->is_encrypted = q->is_unknown = false;
	q->is_by_tls = false;
	q->why_not = NULL;
	set_input(q, &to, &in);
	decide(q, i, &in, &t, &ref);
	if (q->is_json)
		json_object(&q->json, NULL);
	print_rule(q, form == RCPT_UNREADABLE ? raw_to : to.text,
	    in.direction, &ref);
	if (form == RCPT_UNREADABLE)
		rc = explain_unreadable(q, &in);
	else
		rc = explain_treatment(q, &t, &to);
	if (rc == 0)
		print_group(q, i);
	if (q->is_json) {
		print_reply(q);
		json_end_object(&q->json);
	}
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
	q->dry.env.mail_from = from;
	q->dry.env.login = auth;
	if (auth != NULL)
		q->dry.env.auth = ENV_AUTH_LOGIN;
	else if (!no_auth && config_is_local(q->c->config, &q->from))
		q->dry.env.auth = ENV_AUTH_CALLER;
	return 0;
}

static int explain_people(struct question *q)
{
	int rc = dry_plan(&q->dry, &q->from, &q->plan);

	if (q->is_json)
		json_array(&q->json, NULL);
	for (size_t i = 0; rc == 0 && i < q->dry.env.rcpts; i++)
		rc = explain_rcpt(q, i);
	if (q->is_json) {
		json_end_array(&q->json);
		buf_putc(&q->out, '\n');
	} else {
		print_reply(q);
	}
	return rc;
}

/* The whole story of a message that is not sent. */
static int explain_message(struct question *q)
{
	struct err e = {0};
	struct buf json;
	int rc = dry_run(&q->dry, &q->plan);

	buf_init(&json, 64u << 20);
	if (rc == 0)
		verdict_json(&q->plan, &json);
	if (rc == 0 && q->is_json) {
		buf_putv(&q->out, buf_view(&json));
		buf_putc(&q->out, '\n');
	} else if (rc == 0 && story_print(buf_view(&json), true, &q->out,
	    &e) != 0) {
		rc = cli_fail(&e);
	}
	buf_free(&json);
	return rc;
}

/* ---- the verb ---- */

struct explain_options {
	const char *from, *auth, *client;
	bool no_auth, json;
	struct cli_list to, bcc, rest;
};

static int check_options(struct cli *c, const struct explain_options *o)
{
	if (o->rest.n > 1)
		return cli_usage(c, "%s: unexpected; one message at a time, "
		    "and every recipient has a --to of its own",
		    o->rest.v[1]);
	if (o->from == NULL || o->to.n + o->bcc.n == 0)
		return cli_usage(c, "--from and --to are needed");
	if (o->auth != NULL && o->no_auth)
		return cli_usage(c, "--auth and --no-auth exclude each "
		    "other");
	return 0;
}

/* Those in To first, then blind copies. */
static int set_recipients(struct question *q, const struct explain_options *o,
    const char ***take)
{
	size_t n = o->to.n + o->bcc.n;
	const char **v = calloc(n, sizeof(*v));

	if (v == NULL)
		return cli_say(EX_OSERR, "out of memory");
	memcpy(v, o->to.v, o->to.n * sizeof(*v));
	if (o->bcc.n > 0)
		memcpy(v + o->to.n, o->bcc.v, o->bcc.n * sizeof(*v));
	q->dry.env.rcpt = v;
	q->dry.env.rcpts = n;
	q->dry.env.client_ip = o->client;
	q->dry.visible = o->to.n;
	*take = v;
	return 0;
}

static int open_all(struct question *q, const struct explain_options *o)
{
	int rc = cli_config(q->c);

	if (rc == 0 && o->rest.n == 1)
		rc = dry_read(&q->dry, o->rest.v[0]);
	if (rc == 0)
		rc = cli_rules(q->c, q->c->config->rules, &q->dry.rules);
	if (rc == 0)
		rc = cli_finder(q->c, &q->dry.finder);
	if (rc == 0)
		rc = cli_keystore(q->c, KS_READ);
	if (rc == 0)
		rc = set_sender(q, o->from, o->auth, o->no_auth);
	return rc;
}

static int answer(struct cli *c, const struct explain_options *o)
{
	struct question q = {.c = c, .is_json = o->json, .dry = {.c = c}};
	const char **rcpt = NULL;
	int rc;

	verdict_init(&q.plan);
	buf_init(&q.out, 64u << 20);
	json_init(&q.json, &q.out);
	rc = set_recipients(&q, o, &rcpt);
	if (rc == 0)
		rc = open_all(&q, o);
	if (rc == 0)
		rc = q.dry.msg != NULL ? explain_message(&q)
				       : explain_people(&q);
	if (rc == 0)
		rc = cli_print(&q.out);
	verdict_free(&q.plan);
	buf_free(&q.out);
	cert_free(&q.cert);
	finder_free(&q.dry.finder);
	rules_free(&q.dry.rules);
	dry_free(&q.dry);
	free(rcpt);
	return rc;
}

int rules_explain(struct cli *c, int argc, char **argv)
{
	struct explain_options o = {0};
	struct cli_opt opt[] = {
		{"--from", NULL, &o.from, NULL},
		{"--to", NULL, NULL, &o.to},
		{"--bcc", NULL, NULL, &o.bcc},
		{"--auth", NULL, &o.auth, NULL},
		{"--no-auth", &o.no_auth, NULL, NULL},
		{"--client", NULL, &o.client, NULL},
		{"--json", &o.json, NULL, NULL},
		{NULL, NULL, NULL, NULL},
	};
	int rc = cli_options(c, argc, argv, opt, &o.rest);

	if (rc == 0)
		rc = check_options(c, &o);
	if (rc == 0)
		rc = answer(c, &o);
	cli_list_free(&o.to);
	cli_list_free(&o.bcc);
	cli_list_free(&o.rest);
	return rc;
}
