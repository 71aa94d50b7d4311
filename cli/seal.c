/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal seal and open: what the milter would do to a message, by hand.
 * The command plays the MTA (verdict_apply) and the keys process (rights are
 * asked before every private-key operation, as there).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/seal_dir.h"
#include "cli/ticket.h"
#include "gateway/authority.h"
#include "gateway/gateway.h"
#include "gateway/learn.h"
#include "gateway/lookup.h"
#include "smime/header.h"
#include "util/proc.h"

/* ---- one run ---- */

struct job {
	struct cli *c;
	struct envelope env;
	struct cli_list to;
	struct cli_ticket ticket;
	struct rules *rules;
	struct finder *finder; /* NULL: no directories */
	struct spool *msg;
	struct spool *out;
	struct verdict v;
	const char *json;
	int json_fd;
	const char *dir_path; /* or NULL */
	struct out_dir dir;
	char id[20];
	bool has_crlf; /* the input's line ends */
};

static int parse_arguments(struct job *j, int argc, char **argv, bool seals)
{
	const char *from = NULL, *auth = NULL;
	bool no_auth = false;
	struct cli_list rest = {0};
	struct cli_opt opt[] = {
		{"--from", NULL, &from, NULL},
		{"--to", NULL, NULL, &j->to},
		{"--json", NULL, &j->json, NULL},
		{"--out-dir", NULL, &j->dir_path, NULL},
		{seals ? "--auth" : NULL, NULL, &auth, NULL}, /* ends open's */
		{"--no-auth", &no_auth, NULL, NULL},
		{NULL, NULL, NULL, NULL},
	};
	int rc;

	rc = cli_options(j->c, argc, argv, opt, &rest);
	if (rc == 0 && rest.n != 0)
		rc = cli_usage(j->c, "%s: unexpected; the message comes on "
		    "standard input, every recipient has a --to of its own",
		    rest.v[0]);
	else if (rc == 0 && (from == NULL || j->to.n == 0))
		rc = cli_usage(j->c, "--from and --to are needed");
	else if (rc == 0 && auth != NULL && no_auth)
		rc = cli_usage(j->c, "--auth and --no-auth exclude each "
		    "other");
	else if (rc == 0 && j->json != NULL && strcmp(j->json, "-") == 0)
		rc = cli_usage(j->c, "--json -: the message goes to standard "
		    "output; want the name of a file");
	cli_list_free(&rest);
	if (rc != 0)
		return rc;
	j->env.mail_from = from;
	j->env.rcpt = j->to.v;
	j->env.rcpts = j->to.n;
	j->env.can_split = j->dir_path != NULL;
	j->env.login = auth;
	j->env.forced = seals ? DIR_OUTBOUND : DIR_INBOUND;
	j->env.auth = auth != NULL  ? ENV_AUTH_LOGIN
	    : seals && !no_auth	    ? ENV_AUTH_CALLER
				    : ENV_AUTH_NONE;
	return 0;
}

/* Addresses that cannot be read are refused here: a person typed them. */
static int check_addresses(struct job *j)
{
	struct err e = {0};
	struct addr a;

	if (strcmp(j->env.mail_from, "<>") != 0 &&
	    *j->env.mail_from != '\0' &&
	    addr_parse_path(&a, j->env.mail_from, &e) != 0)
		return cli_usage(j->c, "--from: %s", e.msg);
	j->ticket.rcpt = calloc(j->to.n, sizeof(*j->ticket.rcpt));
	if (j->ticket.rcpt == NULL)
		return cli_say(EX_OSERR, "out of memory");
	j->ticket.rcpts = j->to.n;
	for (size_t i = 0; i < j->to.n; i++)
		if (addr_parse_path(&j->ticket.rcpt[i], j->to.v[i], &e) != 0)
			return cli_usage(j->c, "--to: %s", e.msg);
	return 0;
}

/* The caller's own file, before root is given up. */
static int open_json(struct job *j)
{
	j->json_fd = -1;
	if (j->json == NULL)
		return 0;
	j->json_fd = open(j->json, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0644);
	if (j->json_fd == -1)
		return cli_say(EX_CANTCREAT, "%s: %s", j->json,
		    strerror(errno));
	return 0;
}

/* Likewise. */
static int open_dir(struct job *j)
{
	if (j->dir_path == NULL)
		return 0;
	j->env.can_hold = j->c->config->quarantine.is_set;
	j->env.can_tls = config_has_tls_route(j->c->config);
	return seal_dir_open(&j->dir, j->dir_path);
}

static int open_stores(struct job *j)
{
	int rc = cli_rules(j->c, j->c->config->rules, &j->rules);

	if (rc == 0 && j->env.forced == DIR_OUTBOUND)
		rc = cli_finder(j->c, &j->finder);
	if (rc == 0)
		rc = cli_keystore(j->c, KS_READ);
	if (rc == 0)
		rc = cli_keyring(j->c);
	if (rc == 0)
		rc = cli_spool(j->c);
	return rc;
}

/* ---- line ends ---- */

/* Copies to, every line end as CRLF; a lone CR stays what it is. */
struct to_crlf {
	struct sink to;
	bool after_cr;
	bool is_known; /* the first line end was seen */
	bool has_crlf;
};

static int put_line_end(struct to_crlf *x, struct err *e)
{
	if (!x->is_known) {
		x->is_known = true;
		x->has_crlf = x->after_cr;
	}
	return sink_puts(&x->to, x->after_cr ? "\n" : "\r\n", e);
}

static int put_crlf(struct to_crlf *x, const char *p, size_t n,
    struct err *e)
{
	size_t start = 0;

	for (size_t i = 0; i < n; i++) {
		bool after = i > 0 ? p[i - 1] == '\r' : x->after_cr;

		if (p[i] != '\n')
			continue;
		if (sink_put(&x->to, p + start, i - start, e) != 0)
			return -1;
		x->after_cr = after;
		if (put_line_end(x, e) != 0)
			return -1;
		start = i + 1;
	}
	if (n != 0)
		x->after_cr = p[n - 1] == '\r';
	return sink_put(&x->to, p + start, n - start, e);
}

static int read_input(struct job *j)
{
	char chunk[32768];
	struct to_crlf x = {0};
	struct err e = {0};
	ssize_t n;

	if (spool_new(&j->msg, (uint64_t)1 << 50, &e) != 0)
		return cli_fail(&e);
	x.to = spool_sink(j->msg);
	for (;;) {
		n = read(STDIN_FILENO, chunk, sizeof(chunk));
		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cli_say(EX_IOERR, "standard input: %s",
			    strerror(errno));
		if (put_crlf(&x, chunk, (size_t)n, &e) != 0)
			return cli_fail(&e);
	}
	j->has_crlf = x.has_crlf;
	return 0;
}

/* A header with at least one field: anything else is no message. What is
 * beyond our caps is for the pipeline to judge. */
static int check_input(struct job *j)
{
	struct header h;
	struct err e = {0};
	bool is_message;

	if (header_read(&h, j->msg, 0, spool_size(j->msg), &e) != 0) {
		header_free(&h);
		return e.kind == FAIL_LIMIT ? 0 : cli_fail(&e);
	}
	is_message = h.n > 0 && h.field[0].name.n > 0;
	header_free(&h);
	if (is_message)
		return 0;
	return cli_say(EX_DATAERR, "standard input holds no message "
	    "(RFC 5322 2.1: it begins with header fields); try \"< "
	    "message.eml\"");
}

/* Output with the line ends of the input. */
static int put_lf(void *arg, const void *p, size_t n, struct err *e)
{
	bool *after_cr = arg;
	const char *s = p;

	for (size_t i = 0; i < n; i++) {
		if (*after_cr && s[i] != '\n' && putchar('\r') == EOF)
			break;
		*after_cr = s[i] == '\r';
		if (!*after_cr && putchar(s[i]) == EOF)
			break;
	}
	return ferror(stdout)
	    ? err_sys(e, FAIL_TEMP, "standard output")
	    : 0;
}

static int put_as_is(void *arg, const void *p, size_t n, struct err *e)
{
	(void)arg;
	if (fwrite(p, 1, n, stdout) != n)
		return err_sys(e, FAIL_TEMP, "standard output");
	return 0;
}

static int write_output(struct job *j)
{
	bool after_cr = false;
	struct sink to = {j->has_crlf ? put_as_is : put_lf, &after_cr};
	struct err e = {0};

	if (spool_new(&j->out, (uint64_t)1 << 50, &e) != 0 ||
	    verdict_apply(&j->v, j->msg, j->out, &e) != 0 ||
	    spool_copy(j->out, 0, spool_size(j->out), &to, &e) != 0)
		return cli_fail(&e);
	if (after_cr && putchar('\r') == EOF)
		return cli_say(EX_IOERR, "standard output: %s",
		    strerror(errno));
	if (fflush(stdout) != 0)
		return cli_say(EX_IOERR, "standard output: %s",
		    strerror(errno));
	return 0;
}

/* ---- the verdict ---- */

static int write_json(struct job *j, struct view json)
{
	struct err e = {0};
	int rc;

	if (j->json_fd == -1)
		return 0;
	rc = io_write_all(j->json_fd, json.p, json.n, &e);
	if (rc == 0)
		rc = io_write_all(j->json_fd, "\n", 1, &e);
	return rc == 0 ? 0 : cli_fail(&e);
}

/* The command's own handle only reads. That no record could be written is
 * said, but what became of the message stands. */
static void write_audit(struct job *j, struct view json)
{
	const struct config *c = j->c->config;
	struct keystore *ks = NULL;
	struct err e = {0};

	if (keystore_open(&ks, c->keystore, KS_WRITE, &e) != 0 ||
	    keystore_audit_add(ks, j->v.id, j->env.now, NULL, json,
	    &e) != 0 || (j->v.has_opened && keystore_opened_add(ks,
	    j->v.opened, j->env.now, &e) != 0) ||
	    learn_keep(ks, &j->v.learned, j->env.now, &e) != 0 ||
	    keystore_audit_expire(ks, j->env.now - c->keep_audit_s, NULL,
	    &e) != 0 ||
	    keystore_opened_expire(ks, j->env.now - c->keep_audit_s, &e) != 0)
		(void)cli_say(0, "no audit record: %s", e.msg);
	keystore_close(&ks);
}

static int record(struct job *j)
{
	struct buf json;
	int rc;

	buf_init(&json, 64u << 20);
	verdict_json(&j->v, &json);
	if (json.failed) {
		buf_free(&json);
		return cli_say(EX_OSERR, "the verdict does not fit memory");
	}
	write_audit(j, buf_view(&json));
	rc = write_json(j, buf_view(&json));
	if (rc == 0 && j->dir_path != NULL)
		rc = seal_dir_verdict(&j->dir, buf_view(&json));
	buf_free(&json);
	return rc;
}

/* What goes to standard output could leave by any hop. */
static void say_route(const struct job *j)
{
	const struct verdict *v = &j->v;

	for (size_t i = 0; i < v->rcpts && !j->env.can_tls; i++)
		if (v->rcpt[i].wanted.encrypt_or == OR_TLS &&
		    v->rcpt[i].reason[0] != '\0' &&
		    config_has_tls_route(j->c->config)) {
			(void)cli_say(0, "note: to %s a copy would leave by "
			    "tls-route; --out-dir writes it",
			    v->rcpt[i].address);
			return;
		}
}

static int say_reply(struct job *j)
{
	const struct verdict *v = &j->v;

	if (v->code != 0)
		say_route(j);
	if (v->action == ACT_QUARANTINED)
		return cli_say(EX_UNAVAILABLE, "quarantined: signature %s%s%s"
		    " (id %s)", v->sig_result,
		    v->sig_reason[0] == '\0' ? "" : ", ", v->sig_reason,
		    v->id);
	return cli_say(v->code < 500 ? EX_TEMPFAIL : EX_UNAVAILABLE,
	    "%d %s %s", v->code, v->enhanced, v->text);
}

/* Output in clear looks like any other: who runs this by hand is told. */
static void say_clear(const struct job *j)
{
	for (size_t i = 0; i < j->v.rcpts; i++) {
		const struct verdict_rcpt *r = &j->v.rcpt[i];

		if (r->wanted.encrypt && r->outcome == OUT_SIGNED)
			(void)cli_say(0, "note: to %s signed, but not "
			    "encrypted%s%s; \"postseal rules explain\" says "
			    "why", r->address, r->reason[0] == '\0' ? "" :
			    ": ", r->reason);
		else if (r->outcome == OUT_QUARANTINED)
			(void)cli_say(0, "note: to %s held, not sent%s%s",
			    r->address, r->reason[0] == '\0' ? "" : ": ",
			    r->reason);
		else if (r->outcome == OUT_TLS_REQUIRED)
			(void)cli_say(0, "note: to %s not encrypted%s%s: its "
			    "copy (verdict.json: route tls) may leave by "
			    "tls-route alone", r->address,
			    r->reason[0] == '\0' ? "" : ": ", r->reason);
		else if (r->wanted.encrypt && r->outcome == OUT_PLAIN)
			(void)cli_say(0, "note: to %s in clear, neither "
			    "signed nor encrypted; \"postseal rules "
			    "explain\" says why", r->address);
	}
}

static int decide(struct job *j)
{
	struct key_ops keys = cli_ticket_ops(&j->ticket);
	struct lookup_ops directories = lookup_direct(j->finder);
	struct gateway g = {j->c->config, j->rules, j->c->ks, &keys,
	    j->finder == NULL ? NULL : &directories};
	struct err e = {0};
	int rc;

	verdict_new_id(j->id);
	j->env.id = j->id;
	j->env.now = cli_now(j->c);
	j->ticket.c = j->c;
	j->ticket.env = &j->env;
	gateway_run(&g, &j->env, j->msg, &j->v, &e);
	if (e.kind != 0)
		(void)cli_say(0, "%s", e.msg);
	rc = record(j);
	if (rc != 0)
		return rc;
	if (j->dir_path != NULL && j->v.code == 0)
		rc = seal_dir_write(&j->dir, &j->v, j->msg, j->has_crlf);
	if (rc != 0)
		return rc;
	if (j->v.code != 0 || j->v.action == ACT_QUARANTINED)
		return say_reply(j);
	say_clear(j);
	return j->dir_path != NULL ? 0 : write_output(j);
}

static int run(struct cli *c, int argc, char **argv, bool seals)
{
	struct job j = {.dir = OUT_DIR_INIT};
	int rc;

	j.c = c;
	j.json_fd = -1;
	verdict_init(&j.v);
	rc = parse_arguments(&j, argc, argv, seals);
	if (rc == 0)
		rc = check_addresses(&j);
	if (rc == 0)
		rc = cli_config(c);
	if (rc == 0)
		rc = open_json(&j);
	if (rc == 0)
		rc = open_dir(&j);
	if (rc == 0)
		rc = open_stores(&j);
	if (rc == 0)
		rc = read_input(&j);
	if (rc == 0)
		rc = check_input(&j);
	if (rc == 0)
		rc = decide(&j);
	if (j.json_fd != -1)
		close(j.json_fd);
	out_dir_close(&j.dir);
	verdict_free(&j.v);
	rules_free(&j.rules);
	finder_free(&j.finder);
	spool_free(&j.msg);
	spool_free(&j.out);
	free(j.ticket.rcpt);
	cli_list_free(&j.to);
	return rc;
}

int cmd_seal(struct cli *c, int argc, char **argv)
{
	return run(c, argc, argv, true);
}

int cmd_open(struct cli *c, int argc, char **argv)
{
	return run(c, argc, argv, false);
}
