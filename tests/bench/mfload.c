/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Load generator for a filter, and a scripted MTA for tests: options, the
 * run, and what is printed. README.md has examples.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tests/bench/mfrun.h"

#define LIST_MAX 1000
#define FILES_MAX 64

struct options {
	struct mf_setup setup;
	struct mf_plan plan;
	const char *rcpt[LIST_MAX];
	struct mf_macro macro[LIST_MAX];
	struct mf_message message[FILES_MAX];
	const char *expect;
	const char *out;
	bool sendmail;
	bool brief;
};

static const char usage[] =
"usage: mfload -s SOCKET [options] MESSAGE...\n"
"  -c N             connections at once (1)\n"
"  -n N             messages in all (1), MESSAGE files in turn\n"
"  -t SECONDS       or: for so long; -w SECONDS to warm up before\n"
"  -k N             messages on one connection (1)\n"
"  -o FILE          one connection; write the message as it is after all\n"
"                   edits (FILE.1, FILE.2, ... when -n is above 1)\n"
"                   and print reply, edits and envelope changes\n"
"  --sendmail       index semantics of Sendmail, not Postfix, for -o\n"
"  --expect WHAT    exit 1 unless every outcome is WHAT: replaced edited\n"
"                   unchanged discarded quarantined aborted dropped broken\n"
"                   or a reply code (550 or \"550 5.7.3\")\n"
"  --brief          print: rate p50 p99 messages (msg/s, ms, all of them)\n"
"  --from A, --rcpt A (repeatable)  addresses, parameters after spaces\n"
"  --auth LOGIN --client IP --helo NAME\n"
"  --macro [STAGE:]NAME=VALUE       repeatable; --bare: no others\n"
"  --version N --actions HEX --protocol HEX   what is offered\n"
"  --chunk N        octets of body in a packet (65535)\n"
"  --timeout SECONDS  to wait for an answer (300)\n"
"  --abort STAGE, --drop STAGE      RSET, or close, after that stage\n"
"  --nth N          of the Nth message of a connection (1)\n"
"  --pause STAGE=SECONDS\n"
"STAGE: connect helo mail rcpt data header eoh body eom\n";

enum { OPT_FIRST = 256, OPT_SENDMAIL, OPT_EXPECT, OPT_BRIEF, OPT_FROM,
	OPT_RCPT, OPT_AUTH, OPT_CLIENT, OPT_HELO, OPT_MACRO, OPT_BARE,
	OPT_VERSION, OPT_ACTIONS, OPT_PROTOCOL, OPT_CHUNK, OPT_TIMEOUT,
	OPT_ABORT, OPT_DROP, OPT_NTH, OPT_PAUSE, OPT_HELP };

static const struct option long_option[] = {
	{ "sendmail", no_argument, NULL, OPT_SENDMAIL },
	{ "expect", required_argument, NULL, OPT_EXPECT },
	{ "brief", no_argument, NULL, OPT_BRIEF },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "rcpt", required_argument, NULL, OPT_RCPT },
	{ "auth", required_argument, NULL, OPT_AUTH },
	{ "client", required_argument, NULL, OPT_CLIENT },
	{ "helo", required_argument, NULL, OPT_HELO },
	{ "macro", required_argument, NULL, OPT_MACRO },
	{ "bare", no_argument, NULL, OPT_BARE },
	{ "version", required_argument, NULL, OPT_VERSION },
	{ "actions", required_argument, NULL, OPT_ACTIONS },
	{ "protocol", required_argument, NULL, OPT_PROTOCOL },
	{ "chunk", required_argument, NULL, OPT_CHUNK },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "abort", required_argument, NULL, OPT_ABORT },
	{ "drop", required_argument, NULL, OPT_DROP },
	{ "nth", required_argument, NULL, OPT_NTH },
	{ "pause", required_argument, NULL, OPT_PAUSE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static void
die(int code, const char *what, const char *which)
{
	fprintf(stderr, "mfload: %s%s%s\n", what, *which != '\0' ? ": " : "",
	    which);
	exit(code);
}

/* ---- options ---- */

static unsigned long
read_number(const char *s, int base, unsigned long max)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(s, &end, base);
	if (errno != 0 || end == s || *end != '\0' || n > max)
		die(EX_USAGE, "number", s);
	return n;
}

static double
read_seconds(const char *s)
{
	char *end;
	double x = strtod(s, &end);

	if (end == s || *end != '\0' || x < 0 || x > 86400)
		die(EX_USAGE, "seconds", s);
	return x;
}

static int
read_stage(const char *s)
{
	int stage = mf_stage_by_name(s);

	if (stage == -1)
		die(EX_USAGE, "no such stage", s);
	return stage;
}

/* "mail:{auth_authen}=alice"; the text is argv's and is cut in place. */
static void
read_macro(struct options *o, char *s)
{
	struct mf_macro *m = &o->macro[o->setup.macros];
	char *colon = strchr(s, ':'), *eq = strchr(s, '=');

	if (eq == NULL || o->setup.macros == LIST_MAX)
		die(EX_USAGE, "macro", s);
	*eq = '\0';
	m->stage = -1;
	m->name = s;
	m->value = eq + 1;
	if (colon != NULL && colon < eq) {
		*colon = '\0';
		m->stage = read_stage(s);
		m->name = colon + 1;
	}
	o->setup.macros++;
}

static void
read_pause(struct options *o, char *s)
{
	char *eq = strchr(s, '=');

	if (eq == NULL)
		die(EX_USAGE, "pause: STAGE=SECONDS", s);
	*eq = '\0';
	o->setup.pause_at = read_stage(s);
	o->setup.pause_s = read_seconds(eq + 1);
}

static void
set_mischief(struct options *o, enum mf_mischief what, const char *stage)
{
	o->setup.mischief = what;
	o->setup.mischief_at = read_stage(stage);
	if (what == MF_ABORT && o->setup.mischief_at == MF_EOM)
		die(EX_USAGE, "no abort after the end of the message", "");
}

/* Who and how: options of the envelope and the protocol. */
static void
set_protocol_option(struct options *o, int c)
{
	struct mf_setup *s = &o->setup;

	switch (c) {
	case OPT_FROM:
		s->from = optarg;
		break;
	case OPT_RCPT:
		if (s->rcpts == LIST_MAX)
			die(EX_USAGE, "too many recipients", "");
		o->rcpt[s->rcpts++] = optarg;
		break;
	case OPT_AUTH:
		s->auth = optarg;
		break;
	case OPT_CLIENT:
		s->client_ip = optarg;
		break;
	case OPT_HELO:
		s->helo = optarg;
		break;
	case OPT_MACRO:
		read_macro(o, optarg);
		break;
	case OPT_BARE:
		s->bare = true;
		break;
	case OPT_VERSION:
		s->version = (uint32_t)read_number(optarg, 10, 1000);
		break;
	case OPT_ACTIONS:
		s->actions = (uint32_t)read_number(optarg, 16, UINT32_MAX);
		break;
	case OPT_PROTOCOL:
		s->protocol = (uint32_t)read_number(optarg, 16, UINT32_MAX);
		break;
	case OPT_CHUNK:
		s->chunk = read_number(optarg, 10, 65535);
		break;
	default:
		fputs(usage, c == OPT_HELP ? stdout : stderr);
		exit(c == OPT_HELP ? 0 : EX_USAGE);
	}
}

static void
set_option(struct options *o, int c)
{
	struct mf_plan *p = &o->plan;

	switch (c) {
	case 's':
		o->setup.socket = strncmp(optarg, "unix:", 5) == 0 ?
		    optarg + 5 : optarg;
		break;
	case 'c':
		p->connections = (unsigned)read_number(optarg, 10, 4096);
		break;
	case 'n':
		p->count = read_number(optarg, 10, 1000000000);
		break;
	case 't':
		p->seconds = read_seconds(optarg);
		break;
	case 'w':
		p->warm_up = read_seconds(optarg);
		break;
	case 'k':
		p->per_connection = (unsigned)read_number(optarg, 10, 1 << 30);
		break;
	case 'o':
		o->out = optarg;
		break;
	case OPT_SENDMAIL:
		o->sendmail = true;
		break;
	case OPT_EXPECT:
		o->expect = optarg;
		break;
	case OPT_BRIEF:
		o->brief = true;
		break;
	case OPT_TIMEOUT:
		o->setup.timeout_s = (int)read_number(optarg, 10, 86400);
		break;
	case OPT_ABORT:
		set_mischief(o, MF_ABORT, optarg);
		break;
	case OPT_DROP:
		set_mischief(o, MF_DROP, optarg);
		break;
	case OPT_NTH:
		o->setup.mischief_nth =
		    (unsigned)read_number(optarg, 10, 1 << 30);
		break;
	case OPT_PAUSE:
		read_pause(o, optarg);
		break;
	default:
		set_protocol_option(o, c);
	}
}

static void
read_options(struct options *o, int argc, char **argv)
{
	struct err e = { 0 };
	int c;

	memset(o, 0, sizeof(*o));
	mf_setup_init(&o->setup);
	o->setup.rcpt = o->rcpt;
	o->setup.macro = o->macro;
	o->setup.mischief_nth = 1;
	o->plan = (struct mf_plan){ .setup = &o->setup, .connections = 1,
		.count = 1, .per_connection = 1, .message = o->message };
	while ((c = getopt_long(argc, argv, "s:c:n:t:w:k:o:", long_option,
	    NULL)) != -1)
		set_option(o, c);
	if (o->setup.socket == NULL || optind == argc ||
	    argc - optind > FILES_MAX || o->plan.count == 0 ||
	    o->plan.per_connection == 0 || o->setup.chunk == 0)
		set_protocol_option(o, '?');
	if (o->setup.rcpts == 0)
		o->rcpt[o->setup.rcpts++] = "bob@example.org";
	for (int i = optind; i < argc; i++)
		if (mfmessage_read(&o->message[o->plan.messages++], argv[i],
		    &e) == -1)
			die(EX_NOINPUT, argv[i], e.msg);
}

/* ---- results ---- */

static bool
is_expected(const struct options *o, const char *what)
{
	size_t n;

	if (o->expect == NULL)
		return true;
	n = strlen(o->expect);
	return strncmp(what, o->expect, n) == 0 &&
	    (what[n] == '\0' || what[n] == ' ');
}

static int
print_score(const struct options *o, const struct mf_score *s)
{
	double rate = s->seconds > 0 ? (double)s->counted / s->seconds : 0;
	double p50 = mfscore_quantile(s, 0.5) * 1e3;
	double p99 = mfscore_quantile(s, 0.99) * 1e3;
	unsigned long long all = 0;
	int rc = 0;

	for (size_t i = 0; i < s->tallies; i++)
		all += s->tally[i].n;
	if (o->brief)
		printf("%.1f %.3f %.3f %llu\n", rate, p50, p99, all);
	else
		printf("%llu messages in %.2f s, %u connections: %.1f/s, "
		    "p50 %.3f ms, p99 %.3f ms\n",
		    (unsigned long long)s->counted, s->seconds,
		    o->plan.connections, rate, p50, p99);
	for (size_t i = 0; i < s->tallies; i++) {
		const struct mf_tally *t = &s->tally[i];
		bool good = is_expected(o, t->what);

		if (!good)
			rc = 1;
		if (!o->brief || !good)
			fprintf(good ? stdout : stderr, "%s%s %llu%s%s\n",
			    good ? "" : "unexpected: ", t->what,
			    (unsigned long long)t->n,
			    t->first[0] != '\0' ? "  " : "", t->first);
	}
	return rc;
}

/* Folds of a value as "\n", so that an edit is one line. */
static void
print_line(FILE *f, const char *s)
{
	for (; *s != '\0'; s++)
		if (*s == '\n')
			fputs("\\n", f);
		else
			fputc(*s, f);
}

static void
print_edit(FILE *f, const struct mf_edit *ed)
{
	static const struct {
		char op;
		const char *word;
	} word[] = { { 'h', "addheader" }, { 'i', "insheader" },
		{ 'm', "chgheader" }, { '+', "addrcpt" }, { '2', "addrcpt" },
		{ '-', "delrcpt" }, { 'e', "chgfrom" },
		{ 'q', "quarantine" } };
	bool header = ed->op == 'h' || ed->op == 'i' || ed->op == 'm';

	for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++)
		if (word[i].op == ed->op)
			fputs(word[i].word, f);
	if (ed->op == 'i' || ed->op == 'm')
		fprintf(f, " %u", ed->index);
	fputc(' ', f);
	print_line(f, ed->name);
	if (header)
		fputc(':', f);
	if (!header && ed->value != NULL)
		fputc(' ', f);
	print_line(f, ed->value != NULL ? ed->value : "");
	fputc('\n', f);
}

/* One message: its fate to report, its new form to file name. */
static int
print_message(const struct options *o, const struct mf_message *m,
    const struct mf_result *r, const char *name)
{
	bool to_stdout = strcmp(name, "-") == 0;
	FILE *report = to_stdout ? stderr : stdout, *f = stdout;
	struct err e = { 0 };
	char word[48];

	mf_outcome_word(word, r);
	fprintf(report, "queue-id %s\noutcome %s\n", r->queue_id, word);
	if (r->reply[0] != '\0') {
		fputs(r->outcome == MF_BROKEN ? "why " : "reply ", report);
		print_line(report, r->reply);
		fputc('\n', report);
	}
	for (size_t i = 0; i < r->edits; i++)
		print_edit(report, &r->edit[i]);
	if (r->replaced)
		fprintf(report, "replbody %zu\n", r->body.n);
	if (r->outcome <= MF_REPLACED || r->outcome == MF_QUARANTINED) {
		if (!to_stdout)
			f = fopen(name, "wb");
		if (f == NULL || mfmessage_write(m, r, o->sendmail, f,
		    &e) == -1)
			die(EX_CANTCREAT, name, e.msg);
		if (!to_stdout && fclose(f) != 0)
			die(EX_CANTCREAT, name, "");
	}
	if (is_expected(o, word))
		return 0;
	fprintf(stderr, "mfload: found %s, wanted %s\n", word, o->expect);
	return 1;
}

/* -o: one after the other, everything kept. */
static int
send_and_write(struct options *o)
{
	const struct mf_plan *p = &o->plan;
	struct err e = { 0 };
	struct mf_client c;
	struct mf_result r;
	char name[4096];
	int rc = 0;

	if (mfclient_init(&c, &o->setup, &e) == -1)
		die(EX_OSERR, e.msg, "");
	for (uint64_t i = 0; i < p->count; i++) {
		const struct mf_message *m = &o->message[i % p->messages];

		mf_result_init(&r, true);
		mfclient_send(&c, m, &r);
		if (c.message >= p->per_connection)
			mfclient_quit(&c);
		(void)snprintf(name, sizeof(name), p->count > 1 ? "%s.%llu" :
		    "%s", o->out, (unsigned long long)i + 1);
		rc |= print_message(o, m, &r, name);
		mf_result_free(&r);
	}
	mfclient_quit(&c);
	mfclient_free(&c);
	return rc;
}

int
main(int argc, char **argv)
{
	static struct options o;
	struct mf_score score;
	struct err e = { 0 };
	int rc;

	signal(SIGPIPE, SIG_IGN);
	read_options(&o, argc, argv);
	if (o.out != NULL) {
		rc = send_and_write(&o);
	} else {
		if (mfrun(&o.plan, &score, &e) == -1)
			die(EX_OSERR, e.msg, "");
		rc = print_score(&o, &score);
		mfscore_free(&score);
	}
	for (size_t i = 0; i < o.plan.messages; i++)
		mfmessage_free(&o.message[i]);
	return rc;
}
