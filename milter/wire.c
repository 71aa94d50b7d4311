/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Encoding and decoding of jobs and answers.
 */
#include "milter/wire.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/observe.h"
#include "gateway/reply.h"
#include "util/proc.h"

/* A header line of the MTA may not be longer (RFC 5322 2.1.1). */
#define LINE_MAX_HEADER 998

static int malformed(struct err *e, const char *what)
{
	return err_set(e, FAIL_BUG, "message of a process: %s", what);
}

/* ---- job ---- */

void wire_put_job(struct buf *b, enum job_kind kind,
    const unsigned char ticket[WIRE_TICKET], const struct envelope *env)
{
	size_t i;

	ipc_put_u8(b, (uint8_t)kind);
	buf_put(b, ticket, WIRE_TICKET);
	ipc_put_str(b, env->id);
	ipc_put_str(b, env->queue_id);
	ipc_put_str(b, env->client_ip);
	ipc_put_u8(b, (uint8_t)env->auth);
	ipc_put_str(b, env->login);
	ipc_put_str(b, env->mail_from);
	ipc_put_u64(b, (uint64_t)env->now);
	ipc_put_u8(b, env->observe);
	ipc_put_u8(b, env->can_split);
	ipc_put_u8(b, env->can_hold);
	ipc_put_u8(b, env->can_tls);
	ipc_put_u8(b, (uint8_t)env->side);
	ipc_put_u8(b, env->whole);
	ipc_put_u32(b, (uint32_t)env->rcpts);
	for (i = 0; i < env->rcpts; i++)
		ipc_put_str(b, env->rcpt[i]);
}

/* A string that must be there. */
static int get_text(struct rd *r, const char **out)
{
	char *s;

	if (ipc_get_str(r, &s) != 0 || s == NULL)
		return -1;
	*out = s;
	return 0;
}

static int get_optional(struct rd *r, const char **out)
{
	char *s;

	if (ipc_get_str(r, &s) != 0)
		return -1;
	*out = s;
	return 0;
}

static int get_rcpts(struct job *j, struct rd *r, struct err *e)
{
	const char *s;
	uint32_t n, i;

	if (rd_u32(r, &n) != 0 || n == 0 || n > CAP_RECIPIENTS)
		return malformed(e, "number of recipients");
	j->rcpt = calloc(n, sizeof(*j->rcpt));
	if (j->rcpt == NULL)
		return err_set(e, FAIL_TEMP, "recipients: out of memory");
	for (i = 0; i < n; i++) {
		if (get_text(r, &s) != 0)
			return malformed(e, "recipient");
		memcpy(&j->rcpt[i], &s, sizeof(s));
		j->env.rcpts = i + 1;
	}
	j->env.rcpt = (const char *const *)j->rcpt;
	return 0;
}

int wire_get_job(struct job *j, struct view v, struct err *e)
{
	struct envelope *env = &j->env;
	struct view ticket;
	uint8_t kind, auth, observe, side, whole, split, hold, tls;
	uint64_t now;
	struct rd r;

	memset(j, 0, sizeof(*j));
	rd_init(&r, v);
	if (rd_u8(&r, &kind) != 0 || kind < JOB_RUN || kind > JOB_POISONED)
		return malformed(e, "kind of job");
	j->kind = (enum job_kind)kind;
	if (rd_take(&r, WIRE_TICKET, &ticket) != 0)
		return malformed(e, "ticket");
	memcpy(j->ticket, ticket.p, WIRE_TICKET);
	if (get_text(&r, &env->id) != 0 ||
	    get_optional(&r, &env->queue_id) != 0 ||
	    get_optional(&r, &env->client_ip) != 0 || rd_u8(&r, &auth) != 0 ||
	    get_optional(&r, &env->login) != 0 ||
	    get_text(&r, &env->mail_from) != 0 ||
	    rd_u64(&r, &now) != 0 || rd_u8(&r, &observe) != 0 ||
	    rd_u8(&r, &split) != 0 || rd_u8(&r, &hold) != 0 ||
	    rd_u8(&r, &tls) != 0 ||
	    rd_u8(&r, &side) != 0 || rd_u8(&r, &whole) != 0)
		return malformed(e, "envelope");
	if (auth > ENV_AUTH_LOGIN || now > INT64_MAX || observe > 1 ||
	    split > 1 || hold > 1 || tls > 1 ||
	    side > DIR_INBOUND || whole > 1 ||
	    (auth == ENV_AUTH_LOGIN) != (env->login != NULL))
		return malformed(e, "envelope");
	env->auth = (enum env_auth)auth;
	env->now = (int64_t)now;
	env->observe = observe == 1;
	env->can_split = split == 1;
	env->can_hold = hold == 1;
	env->can_tls = tls == 1;
	env->side = (enum direction)side;
	env->whole = whole == 1;
	if (get_rcpts(j, &r, e) != 0)
		return -1;
	return rd_left(&r) == 0 ? 0 : malformed(e, "octets after the job");
}

static void free_text(const char *const *s)
{
	char *p;

	memcpy(&p, s, sizeof(p));
	free(p);
}

void job_free(struct job *j)
{
	size_t i;

	free_text(&j->env.id);
	free_text(&j->env.queue_id);
	free_text(&j->env.client_ip);
	free_text(&j->env.login);
	free_text(&j->env.mail_from);
	for (i = 0; i < j->env.rcpts; i++)
		free(j->rcpt[i]);
	free(j->rcpt);
	memset(j, 0, sizeof(*j));
}

/* ---- answer ---- */

void answer_init(struct answer *a)
{
	memset(a, 0, sizeof(*a));
	buf_init(&a->json, WIRE_JSON_MAX);
	buf_init(&a->harvested.der, CAP_CMS_CERT_SIZE);
}

void answer_free(struct answer *a)
{
	size_t i;

	for (i = 0; i < a->edits; i++) {
		free(a->edit[i].name);
		free(a->edit[i].value);
	}
	free(a->edit);
	free(a->copy);
	free(a->group);
	free(a->log);
	buf_free(&a->json);
	buf_free(&a->harvested.der);
	spool_free(&a->body);
	answer_init(a);
}

void wire_put_learned(struct buf *b, const struct learned *l)
{
	ipc_put_view(b, view_of(l->address));
	ipc_put_view(b, view_make(l->cert, sizeof(l->cert)));
	ipc_put_u64(b, (uint64_t)l->signed_at);
	ipc_put_view(b, view_make(l->list, l->list_n));
}

int wire_get_learned(struct learned *l, struct rd *r)
{
	struct view address, cert, list;
	uint64_t signed_at;

	memset(l, 0, sizeof(*l));
	if (ipc_get_view(r, &address) != 0 || ipc_get_view(r, &cert) != 0 ||
	    cert.n != sizeof(l->cert) || rd_u64(r, &signed_at) != 0 ||
	    signed_at > INT64_MAX || ipc_get_view(r, &list) != 0 ||
	    list.n > sizeof(l->list) ||
	    view_cstr(address, l->address, sizeof(l->address)) != 0)
		return -1;
	memcpy(l->cert, cert.p, cert.n);
	l->signed_at = (int64_t)signed_at;
	if (list.n > 0)
		memcpy(l->list, list.p, list.n);
	l->list_n = list.n;
	return 0;
}

void wire_put_harvested(struct buf *b, const struct harvested *h)
{
	ipc_put_view(b, h->der.n == 0 ? view_of("") : view_of(h->address));
	ipc_put_view(b, buf_view(&h->der));
}

int wire_get_harvested(struct harvested *h, struct rd *r)
{
	struct view address, der;

	memset(h, 0, sizeof(*h));
	buf_init(&h->der, CAP_CMS_CERT_SIZE);
	if (ipc_get_view(r, &address) != 0 || ipc_get_view(r, &der) != 0 ||
	    der.n > CAP_CMS_CERT_SIZE ||
	    view_cstr(address, h->address, sizeof(h->address)) != 0)
		return -1;
	buf_putv(&h->der, der);
	return buf_ok(&h->der, NULL);
}

void wire_put_answer(struct buf *b, const struct verdict *v,
    const char *queue_id)
{
	struct buf text;
	size_t i;

	ipc_put_u8(b, (uint8_t)v->action);
	ipc_put_u8(b, v->mixed ? 0 : (uint8_t)v->direction);
	ipc_put_u32(b, (uint32_t)v->code);
	ipc_put_str(b, v->enhanced);
	ipc_put_str(b, v->text);
	ipc_put_u8(b, v->ret_hdrs);
	ipc_put_view(b, view_make(v->opened, v->has_opened ? 32 : 0));
	wire_put_learned(b, &v->learned);
	wire_put_harvested(b, &v->harvested);
	ipc_put_u8(b, v->body != NULL);
	ipc_put_u32(b, (uint32_t)v->edits);
	for (i = 0; i < v->edits; i++) {
		ipc_put_u8(b, (uint8_t)v->edit[i].kind);
		ipc_put_u32(b, (uint32_t)v->edit[i].index);
		ipc_put_str(b, v->edit[i].name);
		ipc_put_str(b, v->edit[i].value);
	}
	wire_put_copies(b, v);
	buf_init(&text, WIRE_JSON_MAX);
	verdict_log_line(v, queue_id, &text);
	ipc_put_view(b, view_sub(buf_view(&text), 0, WIRE_LOG_MAX));
	buf_clear(&text);
	verdict_json(v, &text);
	if (text.failed)
		buf_clear(&text);
	ipc_put_view(b, buf_view(&text));
	buf_free(&text);
}

static bool name_ok(const char *s)
{
	size_t n = 0;

	for (; s[n] != '\0'; n++)
		if (s[n] <= ' ' || s[n] > '~' || s[n] == ':')
			return false;
	return n > 0 && n <= 100;
}

/* Lines of less than 998 octets, each but the first starting with a blank;
 * no CR, no other control (M4, A42). */
static bool value_ok(const char *s, size_t name_n)
{
	size_t line = name_n + 1;

	for (; *s != '\0'; s++) {
		if (*s == '\n') {
			if (s[1] != ' ' && s[1] != '\t')
				return false;
			line = 0;
			continue;
		}
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f ||
		    ++line > LINE_MAX_HEADER)
			return false;
	}
	return true;
}

static int get_edit(struct edit *x, struct rd *r, struct err *e)
{
	uint8_t kind;
	uint32_t index;

	if (rd_u8(r, &kind) != 0 || kind > EDIT_ADD ||
	    rd_u32(r, &index) != 0 || index > CAP_HEADER_FIELDS)
		return malformed(e, "header edit");
	x->kind = (enum edit_kind)kind;
	x->index = (int)index;
	if (ipc_get_str(r, &x->name) != 0 || ipc_get_str(r, &x->value) != 0)
		return malformed(e, "header edit");
	if (x->name == NULL || !name_ok(x->name))
		return malformed(e, "name of a header field");
	if (x->kind == EDIT_DELETE)
		return x->index >= 1 && x->value == NULL ? 0 :
		    malformed(e, "deletion of a header field");
	if (x->value == NULL || !value_ok(x->value, strlen(x->name)))
		return malformed(e, "value of a header field");
	return 0;
}

static int get_edits(struct answer *a, struct rd *r, struct err *e)
{
	uint32_t n, i;

	if (rd_u32(r, &n) != 0 || n > WIRE_EDITS_MAX)
		return malformed(e, "number of header edits");
	a->edit = calloc((size_t)n + 1, sizeof(*a->edit));
	if (a->edit == NULL)
		return err_set(e, FAIL_TEMP, "header edits: out of memory");
	for (i = 0; i < n; i++) {
		a->edits = i + 1;
		if (get_edit(&a->edit[i], r, e) != 0)
			return -1;
	}
	return 0;
}

/* A text of printable ASCII into an array; NULL counts as empty. */
static int get_ascii(struct rd *r, char *dst, size_t size)
{
	char *s;
	size_t n = 0;

	if (ipc_get_str(r, &s) != 0)
		return -1;
	for (; s != NULL && s[n] != '\0'; n++)
		if (s[n] < ' ' || s[n] > '~' || n + 1 >= size)
			break;
	if (s != NULL && s[n] != '\0') {
		free(s);
		return -1;
	}
	memcpy(dst, s == NULL ? "" : s, n);
	dst[n] = '\0';
	free(s);
	return 0;
}

/* "5.7.1": class as the code's, subject and detail of up to 3 digits. */
static bool enhanced_ok(const char *s, int code)
{
	int dots = 0, digits = 0;
	size_t i;

	if (s[0] != '0' + code / 100 || s[1] != '.')
		return false;
	for (i = 1; s[i] != '\0'; i++) {
		if (s[i] == '.') {
			dots++;
			digits = 0;
		} else if (s[i] < '0' || s[i] > '9' || ++digits > 3) {
			return false;
		}
	}
	return dots == 2 && digits > 0 && s[2] != '.';
}

/* Whose copies leave by tls-route are never here: it may be that nobody is. */
static bool any_by_tls(const struct answer *a)
{
	size_t i;

	for (i = 0; i < a->copies; i++)
		if (a->copy[i].copy.by_tls)
			return true;
	return false;
}

/* Reply and action belong together; 421 would close the session (M9). */
static bool reply_ok(const struct answer *a)
{
	bool changes = a->has_body || a->edits > 0;

	if (a->copies > 0 && a->action != ACT_SPLIT &&
	    a->action != ACT_QUARANTINED)
		return false;
	switch (a->action) {
	case ACT_REJECTED:
		return a->code >= 500 && a->code <= 599 && !a->has_body &&
		    enhanced_ok(a->enhanced, a->code);
	case ACT_DEFERRED:
		return a->code >= 400 && a->code <= 499 && a->code != 421 &&
		    !a->has_body && enhanced_ok(a->enhanced, a->code);
	case ACT_UNCHANGED:
		return a->code == 0 && !a->has_body;
	case ACT_REPLACED:
		return a->code == 0 && changes;
	case ACT_QUARANTINED:
		return a->code == 0 && (a->copies == 0 ||
		    (a->here == 0 && !changes));
	case ACT_SPLIT:
		return a->code == 0 && a->copies > 0 && (a->here > 0 ||
		    (!changes && any_by_tls(a)));
	}
	return false;
}

static int get_head(struct answer *a, struct rd *r)
{
	uint8_t action, direction, ret, body;
	struct view opened;
	uint32_t code;

	if (rd_u8(r, &action) != 0 || action > ACT_SPLIT ||
	    rd_u8(r, &direction) != 0 || direction > DIR_INTERNAL ||
	    rd_u32(r, &code) != 0 || code > 599 ||
	    get_ascii(r, a->enhanced, sizeof(a->enhanced)) != 0 ||
	    get_ascii(r, a->text, sizeof(a->text)) != 0 ||
	    rd_u8(r, &ret) != 0 || ret > 1 ||
	    ipc_get_view(r, &opened) != 0 ||
	    (opened.n != 0 && opened.n != sizeof(a->opened)) ||
	    wire_get_learned(&a->learned, r) != 0 ||
	    wire_get_harvested(&a->harvested, r) != 0 ||
	    rd_u8(r, &body) != 0 || body > 1)
		return -1;
	a->has_opened = opened.n != 0;
	if (a->has_opened)
		memcpy(a->opened, opened.p, sizeof(a->opened));
	a->action = (enum action)action;
	a->direction = (enum direction)direction;
	a->code = (int)code;
	a->ret_hdrs = ret == 1;
	a->has_body = body == 1;
	return 0;
}

int wire_get_answer(struct answer *a, struct view v, struct err *e)
{
	struct view log, json;
	struct rd r;

	answer_free(a);
	rd_init(&r, v);
	if (get_head(a, &r) != 0)
		return malformed(e, "verdict");
	if (get_edits(a, &r, e) != 0 || wire_get_copies(a, &r, e) != 0)
		return -1;
	if (!reply_ok(a))
		return malformed(e, "reply and action do not fit");
	if (ipc_get_view(&r, &log) != 0 || log.n > WIRE_LOG_MAX ||
	    ipc_get_view(&r, &json) != 0 || json.n > WIRE_JSON_MAX ||
	    rd_left(&r) != 0)
		return malformed(e, "log line or audit record");
	a->log = view_strdup(log);
	if (a->log == NULL)
		return malformed(e, "log line");
	buf_putv(&a->json, json);
	return buf_ok(&a->json, e);
}

/* v is freed. */
static void answer_with(struct answer *a, const struct envelope *env,
    struct verdict *v)
{
	struct buf wire;

	answer_free(a);
	verdict_observe(v, env);
	buf_init(&wire, CAP_IPC);
	wire_put_answer(&wire, v, env->queue_id);
	if (buf_ok(&wire, NULL) != 0 ||
	    wire_get_answer(a, buf_view(&wire), NULL) != 0) {
		/* memory is out: the bare reply needs none */
		answer_free(a);
		a->action = v->action;
		a->code = v->code;
		memcpy(a->enhanced, v->enhanced, sizeof(a->enhanced));
		memcpy(a->text, v->text, sizeof(a->text));
	}
	buf_free(&wire);
	verdict_free(v);
}

void answer_reply(struct answer *a, const struct envelope *env, int reply_case,
    const char *detail)
{
	struct verdict v;

	verdict_init(&v);
	verdict_note_envelope(&v, env);
	reply_set(&v, (enum reply_case)reply_case, detail);
	answer_with(a, env, &v);
}

void answer_refuse(struct answer *a, const struct envelope *env, int code,
    const char *enhanced, const char *text)
{
	struct verdict v;
	struct buf b;

	verdict_init(&v);
	verdict_note_envelope(&v, env);
	v.action = code >= 500 ? ACT_REJECTED : ACT_DEFERRED;
	v.code = code;
	text_set(v.enhanced, sizeof(v.enhanced), enhanced);
	buf_init(&b, sizeof(v.text) - 1);
	buf_printf(&b, "%s (id %s)", text, env->id);
	text_set(v.text, sizeof(v.text), b.failed ? text : buf_str(&b));
	buf_free(&b);
	answer_with(a, env, &v);
}
