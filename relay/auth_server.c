/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The auth process: exchanges by number, many at a time, bounded in count
 * and time; what guessing costs; the log lines that contrib/fail2ban reads.
 * What is right is decided by the mechanisms.
 */
#include "relay/auth_int.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/auth_guard.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/ossl.h"
#include "util/proc.h"

#define EXCHANGES 1024	 /* at a time; beyond: 454 */
#define EXCHANGES_IP 32	 /* of one address */
#define EXCHANGE_MS 300000 /* RFC 5321 4.5.3.2.7: a client has 5 minutes */
#define STEPS 8
#define LOG_LINE 2048

/* Passwords that several listeners may share. */
struct source {
	struct source *next;
	enum auth_kind kind;
	const char *path;
	struct auth_backend backend;
};

struct auth_server {
	const struct relay_config *config;
	struct source *source;
	struct auth_backend *backend; /* by listener */
	struct guard *guard;
	unsigned char seed[32];
	pthread_mutex_t lock; /* of exchanges */
	struct exchange *exchange[EXCHANGES];
};

/* ---- exchanges ---- */

static void exchange_free(struct exchange **x)
{
	size_t i;

	if (*x == NULL)
		return;
	for (i = 0; i < (*x)->identities; i++)
		free((*x)->identity[i]);
	scram_free(&(*x)->scram);
	dovecot_cancel(&(*x)->talk);
	ossl_wipe(*x, sizeof(**x));
	free(*x);
	*x = NULL;
}

/* Takes the identities out of q. NULL: memory. */
static struct exchange *exchange_new(const struct auth_server *a,
    struct auth_question *q)
{
	struct exchange *x = calloc(1, sizeof(*x));
	size_t i;

	if (x == NULL)
		return NULL;
	x->number = q->number;
	x->mech = q->mech;
	x->backend = &a->backend[q->listener];
	x->listener = a->config->listener[q->listener].name;
	text_set(x->ip, sizeof(x->ip), q->ip);
	text_set(x->local_ip, sizeof(x->local_ip),
	    q->local_ip == NULL ? "" : q->local_ip);
	for (i = 0; i < q->identities; i++) {
		x->identity[i] = q->identity[i];
		q->identity[i] = NULL;
	}
	x->identities = q->identities;
	x->is_busy = true;
	return x;
}

/* Is this place a better one than that? An empty one, or the one whose client
 * is silent for longest: many who begin, and do not go on, keep nobody out. */
static bool is_better(struct exchange *const *place, size_t this, size_t that)
{
	const struct exchange *x = place[this];

	if (that == EXCHANGES || x == NULL)
		return x == NULL || !x->is_busy;
	return !x->is_busy && place[that] != NULL &&
	    x->until_ms < place[that]->until_ms;
}

/* false: it is one too many, or has the number of another. */
static bool add(struct auth_server *a, struct exchange *x)
{
	struct exchange *over = NULL;
	size_t same = 0, at = EXCHANGES, i;

	(void)pthread_mutex_lock(&a->lock);
	for (i = 0; i < EXCHANGES; i++) {
		if (is_better(a->exchange, i, at))
			at = i;
		if (a->exchange[i] == NULL)
			continue;
		if (strcmp(a->exchange[i]->ip, x->ip) == 0)
			same++;
		if (a->exchange[i]->number == x->number)
			same = EXCHANGES_IP;
	}
	if (same >= EXCHANGES_IP)
		at = EXCHANGES;
	if (at < EXCHANGES) {
		over = a->exchange[at];
		a->exchange[at] = x;
	}
	(void)pthread_mutex_unlock(&a->lock);
	exchange_free(&over);
	return at < EXCHANGES;
}

static struct exchange **find(struct auth_server *a, uint64_t number)
{
	size_t i;

	for (i = 0; i < EXCHANGES; i++)
		if (a->exchange[i] != NULL &&
		    a->exchange[i]->number == number)
			return &a->exchange[i];
	return NULL;
}

/* For this thread alone until it is put back. */
static struct exchange *borrow(struct auth_server *a, uint64_t number)
{
	struct exchange **at, *x = NULL;

	(void)pthread_mutex_lock(&a->lock);
	at = find(a, number);
	if (at != NULL && !(*at)->is_busy) {
		x = *at;
		x->is_busy = true;
	}
	(void)pthread_mutex_unlock(&a->lock);
	return x;
}

static void put_back(struct auth_server *a, struct exchange *x, bool is_over)
{
	struct exchange **at, *over = NULL;

	(void)pthread_mutex_lock(&a->lock);
	x->is_busy = false;
	x->until_ms = clock_ms() + EXCHANGE_MS;
	if (is_over || x->is_doomed) {
		at = find(a, x->number);
		if (at != NULL)
			*at = NULL;
		over = x;
	}
	(void)pthread_mutex_unlock(&a->lock);
	exchange_free(&over);
}

static void cancel(struct auth_server *a, uint64_t number)
{
	struct exchange **at, *over = NULL;

	(void)pthread_mutex_lock(&a->lock);
	at = find(a, number);
	if (at != NULL && (*at)->is_busy)
		(*at)->is_doomed = true;
	else if (at != NULL) {
		over = *at;
		*at = NULL;
	}
	(void)pthread_mutex_unlock(&a->lock);
	exchange_free(&over);
}

/* ---- log ---- */

/*
 * ip stands first: contrib/fail2ban takes it from there, and whatever a
 * client may choose comes behind it.
 */
static void tell(const char *event, const struct exchange *x,
    const char *why)
{
	char line[LOG_LINE];
	size_t n = 0;

	n = log_value(line, sizeof(line), n, "event", event);
	n = log_value(line, sizeof(line), n, "ip", x->ip);
	n = log_value(line, sizeof(line), n, "listener", x->listener);
	n = log_value(line, sizeof(line), n, "mechanism",
	    auth_mech_str(x->mech));
	if (why != NULL)
		n = log_value(line, sizeof(line), n, "reason", why);
	if (x->login[0] != '\0')
		n = log_value(line, sizeof(line), n, "login", x->login);
	if (n > 0)
		log_notice("%s", line);
}

/* ---- steps ---- */

static void throttle(struct auth_server *a, struct exchange *x,
    struct auth_answer *answer, int64_t now)
{
	answer->result = AUTH_THROTTLED;
	answer->delay_ms = GUARD_DELAY_MS;
	if (guard_is_news(a->guard, x->ip, now))
		tell("auth-throttled", x, NULL);
}

static bool may_try(struct auth_server *a, struct exchange *x,
    struct auth_answer *answer)
{
	int64_t now = clock_ms();

	switch (guard_begin(a->guard, x->ip, now)) {
	case GUARD_TRY:
		return true;
	case GUARD_BUSY:
		answer->result = AUTH_LATER;
		return false;
	default:
		throttle(a, x, answer, now);
		return false;
	}
}

static void take_step(struct auth_server *a, struct exchange *x,
    const struct view *input, struct auth_answer *answer)
{
	static mech_step *const step[MECHS] = {
		[MECH_PLAIN] = auth_plain_step,
		[MECH_LOGIN] = auth_login_step,
		[MECH_EXTERNAL] = auth_external_step,
		[MECH_SCRAM] = auth_scram_step
	};
	struct verdict v = { .answer = answer };
	bool is_guess = auth_is_guess(x, input);

	if (is_guess && !may_try(a, x, answer))
		return;
	buf_init_secret(&v.guess, 2 * AUTH_INPUT);
	buf_puts(&v.guess, auth_mech_str(x->mech));
	step[x->mech](x, input, &v);
	if (is_guess)
		answer->delay_ms = guard_done(a->guard, x->ip,
		    answer->result != AUTH_NO, buf_view(&v.guess), clock_ms());
	if (answer->result == AUTH_NO)
		tell("auth-failed", x, v.why == NULL ? "password" : v.why);
	if (answer->result == AUTH_CHALLENGE &&
	    (answer->text.failed || x->step > STEPS))
		answer->result = AUTH_LATER;
	if (answer->result != AUTH_CHALLENGE)
		buf_clear(&answer->text);
	buf_free(&v.guess);
}

static void run(struct auth_server *a, struct exchange *x,
    const struct auth_question *q, struct auth_answer *answer)
{
	if (q->input.n > AUTH_INPUT)
		answer->result = AUTH_MALFORMED;
	else
		take_step(a, x, q->has_input ? &q->input : NULL, answer);
	put_back(a, x, answer->result != AUTH_CHALLENGE);
}

static void begin(struct auth_server *a, struct auth_question *q,
    struct auth_answer *answer)
{
	struct exchange *x;
	int64_t now = clock_ms();

	if (q->listener >= a->config->listeners ||
	    !auth_mech_allowed(q->mech,
	    &a->config->listener[q->listener].auth, q->is_tls,
	    q->identities > 0)) {
		answer->result = AUTH_MALFORMED;
		return;
	}
	x = exchange_new(a, q);
	if (x == NULL)
		return;
	if (guard_look(a->guard, x->ip, now) == GUARD_THROTTLED) {
		throttle(a, x, answer, now);
		exchange_free(&x);
		return;
	}
	if (add(a, x))
		run(a, x, q, answer);
	else
		exchange_free(&x);
}

int auth_server_answer(void *auth_server, struct view question,
    struct buf *reply, struct err *e)
{
	struct auth_server *a = auth_server;
	struct auth_answer answer;
	struct auth_question q;
	struct exchange *x;
	int rc;

	auth_answer_init(&answer);
	rc = auth_question_get(&q, question, e);
	if (rc == 0 && q.op == AUTH_OP_BEGIN)
		begin(a, &q, &answer);
	else if (rc == 0 && q.op == AUTH_OP_CANCEL)
		cancel(a, q.number);
	else if (rc == 0 && (x = borrow(a, q.number)) != NULL)
		run(a, x, &q, &answer);
	if (rc == 0)
		auth_answer_put(reply, &answer);
	auth_answer_free(&answer);
	auth_question_free(&q);
	return rc;
}

void auth_server_second(void *auth_server)
{
	struct auth_server *a = auth_server;
	struct exchange *over;
	int64_t now = clock_ms();
	struct source *s;
	size_t i;

	for (i = 0; i < EXCHANGES; i++) {
		(void)pthread_mutex_lock(&a->lock);
		over = a->exchange[i];
		if (over != NULL && (over->is_busy || over->until_ms > now))
			over = NULL;
		if (over != NULL)
			a->exchange[i] = NULL;
		(void)pthread_mutex_unlock(&a->lock);
		exchange_free(&over);
	}
	for (s = a->source; s != NULL; s = s->next)
		if (s->backend.passwd != NULL)
			passwd_refresh(s->backend.passwd);
}

/* ---- life ---- */

/*
 * What salts for logins that are not there are made of. Kept, because a salt
 * that changes with a restart says that nobody is there.
 */
static void get_seed(struct auth_server *a)
{
	char hex[2 * sizeof(a->seed) + 1];
	struct err e = { 0 };
	struct buf path, text;
	bool has;

	ossl_random(a->seed, sizeof(a->seed));
	if (a->config->state == NULL)
		return;
	buf_init(&path, 4096);
	buf_init_secret(&text, 200);
	buf_printf(&path, "%s/auth.seed", a->config->state);
	has = io_read_secret(buf_str(&path), &text, NULL) == 0 &&
	    view_cstr(view_trim(buf_view(&text)), hex, sizeof(hex)) == 0 &&
	    hex_decode(a->seed, sizeof(a->seed), hex) == 0;
	if (!has) {
		(void)hex_encode(hex, a->seed, sizeof(a->seed));
		buf_clear(&text);
		buf_printf(&text, "%s\n", hex);
		if (io_write_file(buf_str(&path), 0600, buf_view(&text),
		    &e) != 0)
			log_warn("event=auth-seed error=\"%s\"", e.msg);
	}
	ossl_wipe(hex, sizeof(hex));
	buf_free(&path);
	buf_free(&text);
}

static int open_source(struct auth_server *a, const struct auth_block *b,
    struct source **out, struct err *e)
{
	struct source *s;
	int rc;

	for (s = a->source; s != NULL; s = s->next)
		if (s->kind == b->kind && strcmp(s->path, b->path) == 0)
			break;
	*out = s;
	if (s != NULL)
		return 0;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	s->kind = b->kind;
	s->path = b->path;
	rc = b->kind == AUTH_PASSWD ?
	    passwd_open(&s->backend.passwd, b->path, a->seed, e) :
	    dovecot_new(&s->backend.dovecot, b->path, 0, 0, e);
	s->next = a->source;
	a->source = s;
	*out = s;
	return rc;
}

int auth_server_new(struct auth_server **out, const struct relay_config *c,
    struct err *e)
{
	struct auth_server *a = calloc(1, sizeof(*a));
	struct source *s;
	size_t i;

	*out = NULL;
	if (a == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	a->config = c;
	(void)pthread_mutex_init(&a->lock, NULL);
	a->backend = calloc(c->listeners + 1, sizeof(*a->backend));
	if (a->backend == NULL) {
		(void)err_set(e, FAIL_TEMP, "out of memory");
		goto fail;
	}
	if (guard_new(&a->guard, e) != 0)
		goto fail;
	get_seed(a);
	for (i = 0; i < c->listeners; i++) {
		if (c->listener[i].auth.kind == AUTH_NONE)
			continue;
		if (open_source(a, &c->listener[i].auth, &s, e) != 0) {
			(void)err_add(e, "listen %s: auth",
			    c->listener[i].name);
			goto fail;
		}
		a->backend[i] = s->backend;
	}
	*out = a;
	return 0;
fail:
	auth_server_free(&a);
	return -1;
}

void auth_server_free(struct auth_server **a)
{
	struct source *s;
	size_t i;

	if (*a == NULL)
		return;
	for (i = 0; i < EXCHANGES; i++)
		exchange_free(&(*a)->exchange[i]);
	while ((s = (*a)->source) != NULL) {
		(*a)->source = s->next;
		passwd_free(&s->backend.passwd);
		dovecot_free(&s->backend.dovecot);
		free(s);
	}
	guard_free(&(*a)->guard);
	(void)pthread_mutex_destroy(&(*a)->lock);
	ossl_wipe((*a)->seed, sizeof((*a)->seed));
	free((*a)->backend);
	free(*a);
	*a = NULL;
}
