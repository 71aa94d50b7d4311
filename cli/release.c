/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal quarantine release: what is held goes through the rules again,
 * with today's certificates, and what comes out is sent. It is removed only
 * when the next hop has all of it; who gets it twice is somebody whose copy
 * was taken when the command died before it could note that.
 */
#include "cli/quarantine.h"

#include <stdlib.h>
#include <string.h>

#include "cli/ticket.h"
#include "gateway/lookup.h"
#include "smtp/hop.h"
#include "util/clock.h"

#define SEND_MS 300000

struct release {
	struct cli *c;
	bool in_clear, as_is, yes, dry_run;
	const char *spec;      /* of the next hop; NULL: none, a dry run */
	struct rules *rules;   /* owned */
	struct finder *finder; /* owned; NULL: no directories */
	struct keyring *ring;  /* of held mail; owned */
	/* the one that is being released */
	struct held_copy held;
	char **path;		  /* of its recipients; owned */
	const char **params;	  /* what follows, borrowed */
	bool *sent;		  /* the next hop has it for him; owned */
	struct spool *out;	  /* owned */
	struct verdict v;
};

/* ---- who ---- */

static int read_envelope(struct release *r)
{
	const struct held_mail *m = &r->held.m;
	struct buf b;

	r->path = calloc(m->rcpts + 1, sizeof(*r->path));
	r->params = calloc(m->rcpts + 1, sizeof(*r->params));
	r->sent = calloc(m->rcpts + 1, sizeof(*r->sent));
	if (r->path == NULL || r->params == NULL || r->sent == NULL)
		return cli_say(EX_OSERR, "out of memory");
	for (size_t i = 0; i < m->rcpts; i++) {
		buf_init(&b, 65536);
		r->params[i] = held_path(m->rcpt[i], &b);
		r->path[i] = view_strdup(buf_view(&b));
		buf_free(&b);
		if (r->path[i] == NULL)
			return cli_say(EX_OSERR, "out of memory");
	}
	return EX_OK;
}

static void forget(struct release *r)
{
	for (size_t i = 0; r->path != NULL && i < r->held.m.rcpts; i++)
		free(r->path[i]);
	free(r->path);
	free(r->params);
	free(r->sent);
	r->path = NULL;
	r->params = NULL;
	r->sent = NULL;
	spool_free(&r->out);
	verdict_free(&r->v);
	held_copy_free(&r->held);
}

/* ---- sending ---- */

/* Of a piece: what the next hop must be able to take. */
struct needs {
	bool utf8, is_8bit;
};

static bool has_8bit(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s >= 0x80)
			return true;
	return false;
}

static int look(const struct spool *s, uint64_t off, uint64_t size,
    struct needs *n, struct err *e)
{
	static const char end[] = "\r\n\r\n";
	struct spool_rd rd;
	struct view v;
	size_t at = 0; /* octets of the header's end that were seen */
	int rc;

	spool_rd_init(&rd, s, off, off + size);
	while ((rc = spool_next(&rd, &v, e)) == 0 && v.n > 0)
		for (size_t i = 0; i < v.n; i++) {
			n->is_8bit = n->is_8bit || v.p[i] >= 0x80;
			n->utf8 = n->utf8 || (at < 4 && v.p[i] >= 0x80);
			if (at < 4)
				at = v.p[i] == end[at] ? at + 1 :
				    v.p[i] == '\r';
		}
	spool_rd_free(&rd);
	return rc;
}

/* "NOTIFY=... ORCPT=..." in one string, which it cuts. */
static void read_params(char *s, struct smtp_rcpt *to)
{
	char *save = NULL, *word;

	for (word = strtok_r(s, " ", &save); word != NULL;
	    word = strtok_r(NULL, " ", &save)) {
		if (strncasecmp(word, "NOTIFY=", 7) == 0)
			to->notify = word;
		else if (strncasecmp(word, "ORCPT=", 6) == 0)
			to->orcpt = word;
	}
}

static int say_refused(const struct release *r, const struct smtp_mail *m)
{
	const struct smtp_reply *why = &m->reply;

	for (size_t i = 0; i < m->rcpts && why->code < 400; i++)
		if (m->rcpt[i].reply.code >= 400)
			why = &m->rcpt[i].reply;
	return cli_say(why->code >= 500 ? EX_UNAVAILABLE : EX_TEMPFAIL,
	    "%s stays held: %s said %d %s %s", r->held.id, r->spec, why->code,
	    why->enhanced, why->text);
}

/* The recipients of a group (0: of all) get these octets. which: theirs. */
static int converse(struct release *r, struct smtp_mail *m,
    const size_t *which, const struct spool *s, const struct copy *piece)
{
	struct hop_call call = { .spec = r->spec,
		.helo = r->c->config->authserv_id,
		.until_ms = clock_ms() + SEND_MS };
	struct needs needs = { has_8bit(m->from), false };
	struct err e = { 0 };
	bool all = true;

	for (size_t i = 0; i < m->rcpts; i++)
		needs.utf8 = needs.utf8 || has_8bit(m->rcpt[i].path);
	if (look(s, piece->off, piece->size, &needs, &e) != 0)
		return cli_fail(&e);
	m->utf8 = needs.utf8;
	m->is_8bit = needs.is_8bit;
	m->ret = piece->ret_hdrs ? "RET=HDRS" : NULL;
	if (hop_send(&call, m, s, piece->off, piece->size, &e) != 0)
		return cli_say(cli_code(&e), "%s stays held: %s%s",
		    r->held.id, e.msg, m->is_unknown ? "; it may have been "
		    "taken nevertheless, and would come twice" : "");
	for (size_t i = 0; i < m->rcpts; i++) {
		all = all && m->rcpt[i].accepted;
		r->sent[which[i]] = r->sent[which[i]] || m->rcpt[i].accepted;
	}
	return all ? EX_OK : say_refused(r, m);
}

static bool is_of(const struct release *r, size_t i, int group)
{
	return group == 0 || (i < r->v.rcpts && r->v.rcpt[i].group == group);
}

static int send_piece(struct release *r, const struct spool *s,
    const struct copy *piece)
{
	size_t n = r->held.m.rcpts, *which = calloc(n + 1, sizeof(*which));
	struct smtp_rcpt *to = calloc(n + 1, sizeof(*to));
	char **words = calloc(n + 1, sizeof(*words));
	struct smtp_mail m = { .from = r->held.sender, .rcpt = to };
	int rc = EX_OK;

	if (which == NULL || to == NULL || words == NULL)
		rc = cli_say(EX_OSERR, "out of memory");
	for (size_t i = 0; rc == EX_OK && i < n; i++) {
		if (!is_of(r, i, piece->group))
			continue;
		words[m.rcpts] = strdup(r->params[i]);
		if (words[m.rcpts] == NULL) {
			rc = cli_say(EX_OSERR, "out of memory");
			break;
		}
		to[m.rcpts].path = r->path[i];
		read_params(words[m.rcpts], &to[m.rcpts]);
		which[m.rcpts++] = i;
	}
	if (rc == EX_OK && m.rcpts > 0)
		rc = converse(r, &m, which, s, piece);
	for (size_t i = 0; words != NULL && i < n; i++)
		free(words[i]);
	free(words);
	free(to);
	free(which);
	return rc;
}

/* What the rules made of it; the groups go one by one. */
static int send_all(struct release *r)
{
	bool is_split = r->v.action == ACT_SPLIT;
	struct copy first = { COPY_SENT, is_split ? r->v.here : 0, 0, 0,
		r->v.ret_hdrs, false };
	struct err e = { 0 };
	int rc = EX_OK;

	if (spool_new(&r->out, UINT64_MAX >> 1, &e) != 0 ||
	    verdict_apply(&r->v, r->held.msg, r->out, &e) != 0)
		return cli_fail(&e);
	first.size = spool_size(r->out);
	if (!is_split || r->v.here != 0)
		rc = send_piece(r, r->out, &first);
	for (size_t i = 0; is_split && rc == EX_OK && i < r->v.copy_n; i++)
		if (r->v.copy[i].kind == COPY_SENT)
			rc = send_piece(r, r->v.copies, &r->v.copy[i]);
	return rc;
}

static int send_as_it_is(struct release *r)
{
	struct copy piece = { COPY_SENT, 0, 0, spool_size(r->held.msg),
		true, false };

	return send_piece(r, r->held.msg, &piece);
}

/* ---- the rules again ---- */

static int parse_recipients(const struct release *r, struct cli_ticket *t)
{
	t->rcpt = calloc(r->held.m.rcpts + 1, sizeof(*t->rcpt));
	if (t->rcpt == NULL)
		return cli_say(EX_OSERR, "out of memory");
	t->rcpts = r->held.m.rcpts;
	for (size_t i = 0; i < t->rcpts; i++)
		if (rcpt_read(r->c->config, r->path[i], &t->rcpt[i]) ==
		    RCPT_UNREADABLE)
			memset(&t->rcpt[i], 0, sizeof(t->rcpt[i]));
	return EX_OK;
}

static int decide(struct release *r)
{
	const struct held_mail *m = &r->held.m;
	struct envelope env = { .id = m->id, .mail_from = m->sender,
		.client_ip = m->client[0] == '\0' ? NULL : m->client,
		.auth = m->login[0] == '\0' ? ENV_AUTH_NONE : ENV_AUTH_LOGIN,
		.login = m->login[0] == '\0' ? NULL : m->login,
		.rcpt = (const char *const *)r->path, .rcpts = m->rcpts,
		.side = m->direction == DIR_INBOUND ? DIR_INBOUND :
		    DIR_OUTBOUND,
		.can_split = true, .now = cli_now(r->c) };
	struct cli_ticket ticket = { .c = r->c, .env = &env };
	struct key_ops keys = cli_ticket_ops(&ticket);
	struct lookup_ops directories = lookup_direct(r->finder);
	struct gateway g = { r->c->config, r->rules, r->c->ks, &keys,
		r->finder == NULL ? NULL : &directories };
	struct err e = { 0 };
	int rc = parse_recipients(r, &ticket);

	if (rc == EX_OK)
		gateway_run(&g, &env, r->held.msg, &r->v, &e);
	if (e.kind != 0)
		(void)cli_say(0, "%s", e.msg);
	free(ticket.rcpt);
	return rc;
}

static const char *first_reason(const struct verdict *v)
{
	for (size_t i = 0; i < v->rcpts; i++)
		if (v->rcpt[i].reason[0] != '\0')
			return v->rcpt[i].reason;
	return "a rule holds it";
}

/* May it go now? */
static int judge(const struct release *r)
{
	const struct verdict *v = &r->v;
	bool inbound = r->held.m.direction == DIR_INBOUND;

	if (v->code != 0)
		return cli_say(v->code < 500 ? EX_TEMPFAIL : EX_UNAVAILABLE,
		    "%s stays held: %d %s %s", r->held.id, v->code,
		    v->enhanced, v->text);
	if (v->action == ACT_QUARANTINED && !r->as_is)
		return cli_say(EX_UNAVAILABLE, "%s stays held: %s%s",
		    r->held.id, first_reason(v), inbound ? "; --as-is "
		    "delivers it with what was found" : "");
	return EX_OK;
}

/* ---- one of them ---- */

/* What senders write on envelopes is not for terminals to obey (A48). */
static int print_outcome(const struct release *r, const char *word)
{
	struct buf b;
	int rc;

	buf_init(&b, 64u << 20);
	for (size_t i = 0; i < r->held.m.rcpts; i++)
		buf_printf(&b, "%s to %s: %s%s%s\n", r->held.id, r->path[i],
		    word, r->in_clear ? ", as it arrived" : ", ",
		    r->in_clear || i >= r->v.rcpts ? "" :
		    outcome_str(r->v.rcpt[i].outcome));
	rc = cli_print(&b);
	buf_free(&b);
	return rc;
}

/* Some have it: they are not sent it again. */
static int note_sent(struct release *r)
{
	const struct held_mail *m = &r->held.m;
	const char **left = calloc(m->rcpts + 1, sizeof(*left));
	struct err e = { 0 };
	size_t n = 0;
	int rc = EX_OK;

	if (left == NULL)
		return cli_say(EX_OSERR, "out of memory");
	for (size_t i = 0; i < m->rcpts; i++)
		if (!r->sent[i])
			left[n++] = m->rcpt[i];
	if (n > 0 && n < m->rcpts && keystore_held_left(r->c->ks, m->id,
	    left, n, &e) != 0)
		rc = cli_fail(&e);
	free(left);
	return rc;
}

static int check_kind(const struct release *r)
{
	bool inbound = r->held.m.direction == DIR_INBOUND;

	if (r->in_clear && inbound)
		return cli_say(EX_USAGE, "%s came from outside: --as-is "
		    "delivers it", r->held.id);
	if (r->as_is && !inbound)
		return cli_say(EX_USAGE, "%s goes out: --in-clear sends it "
		    "as it arrived", r->held.id);
	return EX_OK;
}

static int send_it(struct release *r)
{
	int rc = EX_OK;

	if (!r->in_clear)
		rc = decide(r);
	if (rc == EX_OK && !r->in_clear)
		rc = judge(r);
	if (rc != EX_OK || r->dry_run)
		return rc;
	rc = r->in_clear ? send_as_it_is(r) : send_all(r);
	if (rc != EX_OK)
		(void)note_sent(r);
	return rc;
}

static int release_one(struct release *r, const char *id)
{
	int rc = held_find(r->c, id, &r->held);

	verdict_init(&r->v);
	if (rc == EX_OK)
		rc = check_kind(r);
	if (rc == EX_OK)
		rc = read_envelope(r);
	if (rc == EX_OK)
		rc = held_load(r->c, r->ring, &r->held);
	if (rc == EX_OK)
		rc = send_it(r);
	if (rc == EX_OK && !r->dry_run)
		rc = held_finish(r->c, &r->held, true, r->in_clear ?
		    "release held mail in clear" : r->as_is ?
		    "release held mail as it is" : "release held mail");
	if (rc == EX_OK)
		rc = print_outcome(r, r->dry_run ? "would be sent" : "sent");
	forget(r);
	return rc;
}

/* ---- the verb ---- */

static int ask(const struct release *r, size_t n)
{
	struct buf b;
	int rc;

	if (!r->in_clear || r->yes || r->dry_run)
		return EX_OK;
	buf_init(&b, 300);
	buf_printf(&b, "%zu %s would be sent UNENCRYPTED and unsigned, as %s "
	    "arrived, against the rules.", n, n == 1 ? "message" :
	    "messages", n == 1 ? "it" : "they");
	rc = held_confirm(buf_str(&b), "in clear");
	buf_free(&b);
	return rc;
}

static int open_all(struct release *r)
{
	int rc = cli_config(r->c);

	if (rc == EX_OK && r->spec == NULL)
		r->spec = r->c->config->reinject;
	if (rc == EX_OK && r->spec == NULL && !r->dry_run)
		rc = cli_say(EX_CONFIG, "%s: milter { } has no reinject; "
		    "--via says where what was held is to be sent",
		    r->c->config->path);
	if (rc == EX_OK)
		rc = cli_rules(r->c, r->c->config->rules, &r->rules);
	if (rc == EX_OK)
		rc = cli_finder(r->c, &r->finder);
	if (rc == EX_OK)
		rc = cli_keystore(r->c, r->dry_run ? KS_READ : KS_WRITE);
	if (rc == EX_OK)
		rc = cli_keyring(r->c);
	if (rc == EX_OK)
		rc = held_ring(r->c, &r->ring);
	return rc;
}

int release_verb(struct cli *c, int argc, char **argv)
{
	struct release r = { .c = c };
	const struct cli_opt opt[] = {
		{ "--in-clear", &r.in_clear, NULL, NULL },
		{ "--as-is", &r.as_is, NULL, NULL },
		{ "--yes", &r.yes, NULL, NULL },
		{ "--dry-run", &r.dry_run, NULL, NULL },
		{ "--via", NULL, &r.spec, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct cli_list rest = { NULL, 0 };
	int rc, one;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n == 0)
		rc = cli_usage(c, "an id of \"postseal quarantine list\" is "
		    "needed");
	if (rc == EX_OK && r.in_clear && r.as_is)
		rc = cli_usage(c, "--in-clear and --as-is exclude each "
		    "other");
	if (rc == EX_OK && r.spec != NULL && !hop_spec_ok(r.spec))
		rc = cli_usage(c, "--via %s: want smtp:ADDRESS:PORT or "
		    "lmtp:unix:/PATH or the like, without a name", r.spec);
	if (rc == EX_OK)
		rc = open_all(&r);
	if (rc == EX_OK)
		rc = ask(&r, rest.n);
	if (rc == EX_OK)
		for (size_t i = 0; i < rest.n; i++) {
			one = release_one(&r, rest.v[i]);
			rc = one != EX_OK ? one : rc;
		}
	keyring_free(&r.ring);
	rules_free(&r.rules);
	finder_free(&r.finder);
	cli_list_free(&rest);
	return rc;
}
