/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * stunnel.conf to listeners. A service of which one word cannot be kept is
 * not kept at all: it is a comment, and its listener is to be written by
 * hand.
 */
#include "cli/relay_import_stunnel.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* What every option is for us. */
static const struct known {
	const char *name;
	enum stunnel_use use;
	const char *why; /* of those that are not kept */
} known[] = {
	/* read by name */
	{ "accept", STUNNEL_READ, NULL }, { "connect", STUNNEL_READ, NULL },
	{ "exec", STUNNEL_READ, NULL }, { "execArgs", STUNNEL_READ, NULL },
	{ "protocol", STUNNEL_READ, NULL }, { "client", STUNNEL_READ, NULL },
	{ "cert", STUNNEL_READ, NULL }, { "key", STUNNEL_READ, NULL },
	{ "CAfile", STUNNEL_READ, NULL }, { "CApath", STUNNEL_READ, NULL },
	{ "CRLfile", STUNNEL_READ, NULL }, { "verify", STUNNEL_READ, NULL },
	{ "verifyChain", STUNNEL_READ, NULL },
	{ "verifyPeer", STUNNEL_READ, NULL },
	{ "requireCert", STUNNEL_READ, NULL },
	{ "checkHost", STUNNEL_READ, NULL }, { "sni", STUNNEL_READ, NULL },
	{ "checkIP", STUNNEL_READ, NULL },
	{ "setuid", STUNNEL_READ, NULL }, { "ciphers", STUNNEL_READ, NULL },
	{ "sslVersion", STUNNEL_READ, NULL },
	{ "sslVersionMin", STUNNEL_READ, NULL },
	{ "options", STUNNEL_READ, NULL },
	/* of no importance to who may do what */
	{ "setgid", STUNNEL_NOTE, "the group is that of the user" },
	{ "chroot", STUNNEL_NOTE, "workers are in one by themselves" },
	{ "pid", STUNNEL_DROP, NULL }, { "debug", STUNNEL_DROP, NULL },
	{ "output", STUNNEL_DROP, NULL }, { "syslog", STUNNEL_DROP, NULL },
	{ "foreground", STUNNEL_DROP, NULL }, { "log", STUNNEL_DROP, NULL },
	{ "logId", STUNNEL_DROP, NULL }, { "service", STUNNEL_DROP, NULL },
	{ "RNDfile", STUNNEL_DROP, NULL }, { "RNDbytes", STUNNEL_DROP, NULL },
	{ "RNDoverwrite", STUNNEL_DROP, NULL },
	{ "EGD", STUNNEL_DROP, NULL }, { "socket", STUNNEL_NOTE,
	    "options of sockets are the relay's own" },
	{ "fips", STUNNEL_NOTE, "a matter of OpenSSL's configuration" },
	{ "compression", STUNNEL_NOTE, "TLS is never compressed" },
	{ "renegotiation", STUNNEL_NOTE, "TLS is never renegotiated" },
	{ "TIMEOUTbusy", STUNNEL_NOTE, "time limits are the relay's own" },
	{ "TIMEOUTclose", STUNNEL_NOTE, "time limits are the relay's own" },
	{ "TIMEOUTconnect", STUNNEL_NOTE, "time limits are the relay's own" },
	{ "TIMEOUTidle", STUNNEL_NOTE, "time limits are the relay's own" },
	{ "sessionCacheSize", STUNNEL_NOTE, "sessions are the relay's own" },
	{ "sessionCacheTimeout", STUNNEL_NOTE,
	    "sessions are the relay's own" },
	{ "sessionResume", STUNNEL_NOTE, "sessions are the relay's own" },
	{ "sessiond", STUNNEL_NOTE, "sessions are the relay's own" },
	{ "ticketKeySecret", STUNNEL_NOTE, "ticket keys are made anew each "
	    "hour" },
	{ "ticketMacSecret", STUNNEL_NOTE, "ticket keys are made anew each "
	    "hour" },
	{ "delay", STUNNEL_NOTE, "addresses are numbers" },
	{ "retry", STUNNEL_NOTE, "programs are started once" },
	{ "reset", STUNNEL_NOTE, "the relay's own" },
	{ "stack", STUNNEL_DROP, NULL },
	{ "curve", STUNNEL_NOTE, "groups are OpenSSL's" },
	{ "curves", STUNNEL_NOTE, "groups are OpenSSL's" },
	{ "ciphersuites", STUNNEL_NOTE, "those of TLS 1.3 are OpenSSL's" },
	{ "securityLevel", STUNNEL_NOTE, "OpenSSL's" },
	{ "sslVersionMax", STUNNEL_NOTE, "there is no highest version" },
	{ "failover", STUNNEL_NOTE, "there is one backend" },
	/* who may do what: not without a word */
	{ "checkEmail", STUNNEL_LOSE, "addresses in certificates are for mail "
	    "that is sent: listen with protocol submission" },
	{ "CRLpath", STUNNEL_LOSE, "put the lists into one file: CRLfile" },
	{ "libwrap", STUNNEL_LOSE, "write allow and deny with networks" },
	{ "transparent", STUNNEL_LOSE, "the client's address goes by proxy-v2 "
	    "behind the backend" },
	{ "local", STUNNEL_LOSE, "the backend sees the relay's address" },
	{ "pty", STUNNEL_LOSE, "programs have no terminal" },
	{ "redirect", STUNNEL_LOSE, "clients without a certificate are "
	    "refused" },
	{ "OCSP", STUNNEL_LOSE, "revocation is by crl in the ca block" },
	{ "OCSPaia", STUNNEL_LOSE, "revocation is by crl in the ca block" },
	{ "OCSPflag", STUNNEL_LOSE, "revocation is by crl in the ca block" },
	{ "OCSPrequire", STUNNEL_LOSE, "revocation is by crl in the ca "
	    "block" },
	{ "PSKsecrets", STUNNEL_LOSE, "there are no pre-shared keys" },
	{ "PSKidentity", STUNNEL_LOSE, "there are no pre-shared keys" },
	{ "engine", STUNNEL_LOSE, "keys are files" },
	{ "engineId", STUNNEL_LOSE, "keys are files" },
	{ "provider", STUNNEL_LOSE, "keys are files" },
	{ "config", STUNNEL_LOSE, "OpenSSL is not configured here" },
	{ "protocolHost", STUNNEL_LOSE, "such a proxy is not spoken" },
	{ "protocolUsername", STUNNEL_LOSE, "such a proxy is not spoken" },
	{ "protocolPassword", STUNNEL_LOSE, "such a proxy is not spoken" },
	{ "protocolAuthentication", STUNNEL_LOSE, "such a proxy is not "
	    "spoken" },
	{ "protocolDomain", STUNNEL_LOSE, "such a proxy is not spoken" },
	{ "protocolHeader", STUNNEL_LOSE, "such a proxy is not spoken" },
	{ "include", STUNNEL_LOSE, "read those files one by one" },
};

/* ---- reading ---- */

struct stunnel_option *stunnel_find(const struct stunnel *s,
    const struct stunnel_section *in, const char *name)
{
	struct stunnel_option *found = NULL;

	for (size_t i = 0; in != NULL && i < in->n; i++)
		if (view_ieq_str(in->option[i].name, name))
			found = &in->option[i];
	if (found != NULL || s == NULL)
		return found;
	return stunnel_find(NULL, &s->section[0], name);
}

struct view stunnel_value(const struct stunnel *s,
    const struct stunnel_section *in, const char *name)
{
	const struct stunnel_option *o = stunnel_find(s, in, name);

	return o == NULL ? (struct view){ NULL, 0 } : o->value;
}

bool stunnel_is(const struct stunnel *s, const struct stunnel_section *in,
    const char *name, const char *value)
{
	return view_ieq_str(stunnel_value(s, in, name), value);
}

static int add_section(struct stunnel *s, struct view name, size_t line)
{
	struct stunnel_section *more = reallocarray(s->section, s->n + 1,
	    sizeof(*more));

	if (more == NULL)
		return -1;
	s->section = more;
	memset(&more[s->n], 0, sizeof(*more));
	more[s->n].name = name;
	more[s->n++].line = line;
	return 0;
}

static int add_option(struct stunnel_section *in, struct view text,
    size_t line)
{
	size_t eq = view_chr(text, '=', 0);
	struct stunnel_option *more = reallocarray(in->option, in->n + 1,
	    sizeof(*more));

	if (more == NULL)
		return -1;
	in->option = more;
	if (eq == (size_t)-1)
		eq = text.n;
	more[in->n].name = view_trim(view_sub(text, 0, eq));
	more[in->n].value = view_trim(view_sub(text, eq + 1, text.n));
	more[in->n++].line = line;
	return 0;
}

static int read_all(struct stunnel *s, struct view text)
{
	struct view line;
	size_t n = 0;
	int rc = add_section(s, view_of(""), 1);

	while (rc == 0 && n < IMPORT_LINES && import_line(&text, &line)) {
		n++;
		line = view_trim(line);
		if (line.n == 0 || line.p[0] == ';' || line.p[0] == '#')
			continue;
		if (line.p[0] == '[' && line.p[line.n - 1] == ']')
			rc = add_section(s, view_trim(view_sub(line, 1,
			    line.n - 2)), n);
		else
			rc = add_option(&s->section[s->n - 1], line, n);
	}
	return rc != 0 || text.n > 0 ? -1 : 0;
}

/* ---- what is known ---- */

static const struct known *find_known(struct view name)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (view_ieq_str(name, known[i].name))
			return &known[i];
	return NULL;
}

static void judge_option(struct relay_import *im,
    const struct stunnel_option *o)
{
	const struct known *k = find_known(o->name);
	char shown[ERR_QUOTED];

	if (k == NULL)
		(void)import_lose(im, "an option that is not known: \"%s\"",
		    err_quote(shown, sizeof(shown), o->name.p, o->name.n));
	else if (k->use == STUNNEL_LOSE && !view_ieq_str(o->value, "no"))
		(void)import_lose(im, "%s: %s", k->name, k->why);
	else if (k->use == STUNNEL_NOTE)
		import_note(im, "%s is not kept: %s", k->name, k->why);
}

/* The whole section, for a comment: one line. */
static void put_source(struct buf *b, const struct stunnel_section *in)
{
	buf_putc(b, '[');
	buf_putv(b, in->name);
	buf_putc(b, ']');
	for (size_t i = 0; i < in->n; i++) {
		bool is_secret = view_istarts(in->option[i].name, "PSK") ||
		    view_istarts(in->option[i].name, "ticket") ||
		    view_ieq_str(in->option[i].name, "protocolPassword");

		buf_puts(b, i == 0 ? " " : "; ");
		buf_putv(b, in->option[i].name);
		buf_puts(b, " = ");
		if (is_secret)
			buf_puts(b, "...");
		else
			buf_putv(b, in->option[i].value);
	}
}

static void end_section(struct relay_import *im,
    const struct stunnel_section *in)
{
	struct buf b;

	buf_init(&b, 65536);
	put_source(&b, in);
	import_finish(im, in->line, b.failed ? in->name : buf_view(&b), NULL,
	    0);
	buf_free(&b);
}

/* False: something that holds for all services is not kept. */
static bool read_global(struct relay_import *im, const struct stunnel *s)
{
	const struct stunnel_section *in = &s->section[0];
	struct view user = stunnel_value(NULL, in, "setuid");
	bool is_kept;
	struct buf b;

	for (size_t i = 0; i < in->n; i++)
		judge_option(im, &in->option[i]);
	buf_init(&b, 256);
	if (user.n > 0) {
		buf_puts(&b, "user ");
		if (import_word(&b, user) != 0)
			(void)import_lose(im, "setuid: no user");
		else
			buf_putc(&b, '\n');
	}
	is_kept = !im->is_losing;
	if (is_kept)
		buf_putv(&im->blocks, buf_view(&b));
	buf_free(&b);
	if (in->n > 0)
		end_section(im, in);
	return is_kept;
}

static void read_service(struct relay_import *im, struct stunnel *s, size_t i,
    bool is_kept)
{
	struct stunnel_section *in = &s->section[i];
	struct buf b;

	if (!is_kept)
		(void)import_lose(im, "line 1: an option of all services is "
		    "not kept");
	for (size_t k = 0; k < in->n; k++)
		judge_option(im, &in->option[k]);
	buf_init(&b, 65536);
	stunnel_listener(im, s, in, &b);
	if (b.failed)
		(void)import_lose(im, "a service that is too long");
	if (!im->is_losing)
		buf_putv(&im->blocks, buf_view(&b));
	buf_free(&b);
	end_section(im, in);
}

void import_stunnel(struct relay_import *im, struct view text)
{
	struct stunnel s = { NULL, 0 };
	bool is_kept;

	/* what was not read may be what closes a service */
	if (read_all(&s, text) != 0) {
		(void)import_lose(im, "more than %d lines, or out of memory: "
		    "no service is kept", IMPORT_LINES);
		import_finish(im, 1, view_of("..."), NULL, 0);
	} else {
		is_kept = read_global(im, &s);
		for (size_t i = 1; i < s.n; i++)
			read_service(im, &s, i, is_kept);
	}
	for (size_t i = 0; i < s.n; i++)
		free(s.section[i].option);
	free(s.section);
}
