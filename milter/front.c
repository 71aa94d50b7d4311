/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Callbacks. Any of them may find no connection object (memory was out, or
 * xxfi_close is the only one called); then the answer is a temporary failure.
 */
#include "milter/front.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/reply.h"
#include "milter/apply.h"
#include "util/clock.h"
#include "milter/ctl.h"
#include "milter/reinject.h"
#include "util/log.h"

/* M13: below the 300 s that Postfix waits for a message's answer. */
#define DEADLINE_MS 250000
#define PROGRESS_MS 30000

/* Without these no verdict can be carried out (M2). */
#define ACTIONS_NEEDED (SMFIF_CHGBODY | SMFIF_CHGHDRS | SMFIF_ADDHDRS)
/* And without this one no copies can be sent: needed where they are; a new
 * configuration may begin with it in the middle of a connection. */
#define ACTIONS_SPLIT SMFIF_DELRCPT
#define ACTIONS_WANTED (ACTIONS_NEEDED | SMFIF_CHGFROM | \
	SMFIF_QUARANTINE | ACTIONS_SPLIT)
#define STEPS_UNUSED (SMFIP_NOHELO | SMFIP_NOUNKNOWN | SMFIP_NODATA)
#define NO_REPLY (SMFIP_NR_CONN | SMFIP_NR_RCPT | SMFIP_NR_HDR | \
	SMFIP_NR_EOH | SMFIP_NR_BODY)

/* One connection of the MTA. */
struct conn {
	unsigned long actions; /* SMFIF_* that we may use */
	unsigned long steps;   /* SMFIP_* that are agreed */
	char client_ip[INET6_ADDRSTRLEN];
	struct txn txn;
};

/* libmilter hands no argument to its callbacks: one front a process. */
static struct front *the_front;

int front_init(struct front *f, struct stats *st, int parent, struct err *e)
{
	memset(f, 0, sizeof(*f));
	f->stats = st;
	f->deadline_ms = DEADLINE_MS;
	f->progress_ms = PROGRESS_MS;
	f->store.fd = -1;
	f->parent.fd = parent;
	store_client_init(&f->requests);
	(void)pthread_mutex_init(&f->stats_lock, NULL);
	(void)pthread_mutex_init(&f->store.lock, NULL);
	(void)pthread_mutex_init(&f->parent.lock, NULL);
	if (pool_new(&f->pool, st, e) != 0)
		return -1;
	return poison_new(&f->poison, e);
}

/* ---- audit ---- */

void front_set_store(struct front *f, int take_fd)
{
	(void)pthread_mutex_lock(&f->store.lock);
	if (f->store.fd >= 0)
		close(f->store.fd);
	f->store.fd = take_fd;
	(void)pthread_mutex_unlock(&f->store.lock);
}

/* A store that does not take it is let go; the parent starts another. */
static void audit(struct front *f, const struct envelope *env,
    const struct answer *a)
{
	struct err e = { 0 };
	struct buf b;

	if (a->json.n == 0) {
		log_warn("id=%s event=audit-lost reason=\"more than %u "
		    "octets\"", env->id, WIRE_JSON_MAX);
		stats_add(&f->stats->audit_lost);
		return;
	}
	buf_init(&b, CAP_IPC);
	ipc_put_str(&b, env->id);
	ipc_put_str(&b, env->queue_id);
	ipc_put_u64(&b, (uint64_t)env->now);
	ipc_put_view(&b, buf_view(&a->json));
	ipc_put_view(&b, view_make(a->opened, a->has_opened
	    ? sizeof(a->opened) : 0));
	wire_put_learned(&b, &a->learned);
	wire_put_harvested(&b, &a->harvested);
	(void)pthread_mutex_lock(&f->store.lock);
	if (f->store.fd < 0) {
		stats_add(&f->stats->audit_lost);
	} else if (buf_ok(&b, &e) != 0 ||
	    ipc_send(f->store.fd, buf_view(&b), NULL, 0, &e) != 0) {
		log_err("id=%s event=audit-lost reason=\"%s\"", env->id,
		    e.msg);
		stats_add(&f->stats->audit_lost);
		close(f->store.fd);
		f->store.fd = -1;
	}
	(void)pthread_mutex_unlock(&f->store.lock);
	buf_free(&b);
}

/* ---- callbacks ---- */

static bool observes(void)
{
	return pool_observes(the_front->pool, the_front->observe);
}

/* Are copies sent, so that recipients have to be removed? */
static bool splits(void)
{
	struct pool_copies now;

	pool_copies(the_front->pool, &the_front->copies, &now);
	return now.reinject[0] != '\0' || now.tls_route[0] != '\0';
}

/* What the MTA lets us do is not enough for any message (M2). */
static bool is_unfit(const struct conn *c)
{
	if (observes())
		return false;
	return (c->actions & ACTIONS_NEEDED) != ACTIONS_NEEDED ||
	    (splits() && (c->actions & ACTIONS_SPLIT) == 0);
}

/* No memory for a connection. */
static sfsistat fault_of_ours(void)
{
	return observes() ? SMFIS_CONTINUE : SMFIS_TEMPFAIL;
}

static sfsistat answer_step(const struct conn *c, unsigned long no_reply)
{
	if (c == NULL)
		return fault_of_ours();
	return (c->steps & no_reply) != 0 ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

/* The macros that we read, whatever the MTA's own lists are. */
static void ask_for_macros(SMFICTX *ctx)
{
	char connect[] = "{client_addr}";
	char mail[] = "i {auth_authen} {client_addr}";
	char eom[] = "i {auth_authen}";

	(void)smfi_setsymlist(ctx, SMFIM_CONNECT, connect);
	(void)smfi_setsymlist(ctx, SMFIM_ENVFROM, mail);
	(void)smfi_setsymlist(ctx, SMFIM_EOM, eom);
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1,
    unsigned long f2, unsigned long f3, unsigned long *pf0,
    unsigned long *pf1, unsigned long *pf2, unsigned long *pf3)
{
	struct conn *c = calloc(1, sizeof(*c));

	(void)f2;
	(void)f3;
	*pf2 = 0;
	*pf3 = 0;
	*pf0 = f0 & ACTIONS_WANTED;
	*pf1 = f1 & (STEPS_UNUSED | NO_REPLY | SMFIP_HDR_LEADSPC);
	if (c == NULL)
		return SMFIS_CONTINUE; /* every MAIL will be a 451 */
	/* MAIL needs no answer when nothing refuses it: one wait less */
	if ((f0 & ACTIONS_NEEDED) == ACTIONS_NEEDED &&
	    (f0 & ACTIONS_SPLIT) != 0)
		*pf1 |= f1 & SMFIP_NR_MAIL;
	c->actions = *pf0;
	c->steps = *pf1;
	(void)smfi_setpriv(ctx, c);
	if ((f0 & SMFIF_SETSYMLIST) != 0) {
		*pf0 |= SMFIF_SETSYMLIST;
		ask_for_macros(ctx);
	}
	return SMFIS_CONTINUE;
}

static void set_client(struct conn *c, const struct sockaddr *sa)
{
	const void *ip = NULL;

	if (sa != NULL && sa->sa_family == AF_INET)
		ip = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
	else if (sa != NULL && sa->sa_family == AF_INET6)
		ip = &((const struct sockaddr_in6 *)(const void *)sa)
		    ->sin6_addr;
	if (ip == NULL || inet_ntop(sa->sa_family, ip, c->client_ip,
	    sizeof(c->client_ip)) == NULL)
		c->client_ip[0] = '\0';
}

static sfsistat on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *sa)
{
	struct conn *c = smfi_getpriv(ctx);

	(void)name;
	if (c != NULL)
		set_client(c, sa);
	return answer_step(c, SMFIP_NR_CONN);
}

static char *macro(SMFICTX *ctx, const char *name)
{
	return smfi_getsymval(ctx, (char *)(uintptr_t)name);
}

static sfsistat on_mail(SMFICTX *ctx, char **argv)
{
	struct conn *c = smfi_getpriv(ctx);

	if (c == NULL)
		return fault_of_ours();
	if (is_unfit(c)) {
		log_err("event=negotiate error=\"the MTA does not allow its "
		    "milter to change headers and body, or to remove "
		    "recipients\"");
		return apply_reply(ctx, 451, "4.3.5",
		    "Mail server and its filter do not fit");
	}
	txn_begin(&c->txn, argv, pool_max_message(the_front->pool));
	txn_set_login(&c->txn, macro(ctx, "{auth_authen}"));
	txn_set_queue_id(&c->txn, macro(ctx, "i"));
	if (c->client_ip[0] == '\0' && macro(ctx, "{client_addr}") != NULL &&
	    view_cstr(view_of(macro(ctx, "{client_addr}")), c->client_ip,
	    sizeof(c->client_ip)) != 0)
		c->client_ip[0] = '\0';
	return answer_step(c, SMFIP_NR_MAIL);
}

static void take_rcpt(struct txn *t, char **argv)
{
	txn_add_rcpt(t, argv[0]);
	txn_add_params(t, argv + 1);
}

static sfsistat on_rcpt(SMFICTX *ctx, char **argv)
{
	struct conn *c = smfi_getpriv(ctx);

	if (c != NULL && argv[0] != NULL)
		take_rcpt(&c->txn, argv);
	return answer_step(c, SMFIP_NR_RCPT);
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct conn *c = smfi_getpriv(ctx);

	if (c != NULL)
		txn_put_header(&c->txn, name, value,
		    (c->steps & SMFIP_HDR_LEADSPC) != 0);
	return answer_step(c, SMFIP_NR_HDR);
}

static sfsistat on_eoh(SMFICTX *ctx)
{
	struct conn *c = smfi_getpriv(ctx);

	if (c != NULL)
		txn_end_header(&c->txn);
	return answer_step(c, SMFIP_NR_EOH);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *p, size_t n)
{
	struct conn *c = smfi_getpriv(ctx);

	if (c != NULL)
		txn_put_body(&c->txn, p, n);
	return answer_step(c, SMFIP_NR_BODY);
}

static void tell_progress(void *arg)
{
	(void)smfi_progress(arg);
}

static sfsistat answer_fault(SMFICTX *ctx, const struct txn *t, const char *id)
{
	if (observes()) {
		log_err("id=%s observe=yes would=deferred error=\"%s\"", id,
		    t->why.msg);
		return SMFIS_CONTINUE;
	}
	if (t->fault == TXN_RECIPIENTS)
		return apply_reply(ctx, 452, "4.5.3", "Too many recipients");
	log_err("id=%s error=\"%s\"", id, t->why.msg);
	return apply_reply(ctx, 451, "4.3.0",
	    "Internal fault, please try again");
}

void front_report(struct front *f, const struct envelope *env,
    const struct answer *a, int64_t start_us)
{
	if (a->log != NULL)
		log_info("%s", a->log);
	audit(f, env, a);
	stats_message(f->stats, (int)a->direction, (int)a->action,
	    clock_us() - start_us);
	if (a->code != 0) {
		(void)pthread_mutex_lock(&f->stats_lock);
		stats_reply(f->stats, a->code, a->enhanced);
		(void)pthread_mutex_unlock(&f->stats_lock);
	}
}

/* A failure makes a reply of a. */
static void send_copies(const struct envelope *env, const struct txn *t,
    const struct pool_copies *to, SMFICTX *ctx, struct answer *a,
    int64_t start_us)
{
	struct front *f = the_front;
	struct reinject r = { &f->requests, f->stats, to->reinject,
		to->tls_route, env, t, { start_us / 1000 + f->deadline_ms,
		f->progress_ms, tell_progress, ctx } };

	/* which says what went wrong in the log */
	if (a->copies > 0 && reinject_copies(&r, a) != 0)
		stats_add(&f->stats->copies_failed);
}

/* The whole message is there: decide and answer. */
static sfsistat finish(SMFICTX *ctx, struct conn *c)
{
	struct apply_to to = { ctx, c->actions,
	    (c->steps & SMFIP_HDR_LEADSPC) != 0, c->txn.mail_from,
	    c->txn.envid, c->txn.rcpt };
	struct pool_copies now;
	int64_t start = clock_us();
	struct envelope env;
	struct err e = { 0 };
	struct answer a;
	sfsistat rc;
	char id[20];

	verdict_new_id(id);
	if (c->txn.fault != TXN_OK)
		return answer_fault(ctx, &c->txn, id);
	answer_init(&a);
	txn_envelope(&c->txn, id, c->client_ip[0] == '\0' ? NULL :
	    c->client_ip, &env);
	env.observe = observes();
	pool_copies(the_front->pool, &the_front->copies, &now);
	env.can_hold = now.can_hold;
	env.can_split = now.reinject[0] != '\0' &&
	    (c->actions & ACTIONS_SPLIT) != 0;
	env.can_tls = now.tls_route[0] != '\0' &&
	    (c->actions & ACTIONS_SPLIT) != 0;
	front_run(the_front, &env, &c->txn, tell_progress, ctx, &a);
	send_copies(&env, &c->txn, &now, ctx, &a, start);
	rc = apply_answer(&to, &a, &e);
	if (e.kind != 0)
		log_err("id=%s qid=%s event=not-applied error=\"%s\"", id,
		    env.queue_id == NULL ? "-" : env.queue_id, e.msg);
	front_report(the_front, &env, &a, start);
	answer_free(&a);
	return rc;
}

static sfsistat on_eom(SMFICTX *ctx)
{
	struct conn *c = smfi_getpriv(ctx);
	sfsistat rc;

	if (c == NULL || !c->txn.is_live || c->txn.rcpts == 0)
		return fault_of_ours();
	/* Postfix knows its queue id only now (M19: absent is no login). */
	txn_set_queue_id(&c->txn, macro(ctx, "i"));
	txn_set_login(&c->txn, macro(ctx, "{auth_authen}"));
	txn_end_header(&c->txn);
	(void)atomic_fetch_add(&the_front->finishing, 1);
	rc = finish(ctx, c);
	(void)atomic_fetch_sub(&the_front->finishing, 1);
	txn_reset(&c->txn);
	return rc;
}

static sfsistat on_abort(SMFICTX *ctx)
{
	struct conn *c = smfi_getpriv(ctx);

	if (c != NULL)
		txn_reset(&c->txn);
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	struct conn *c = smfi_getpriv(ctx);

	if (c != NULL)
		txn_reset(&c->txn);
	free(c);
	(void)smfi_setpriv(ctx, NULL);
	return SMFIS_CONTINUE;
}

void front_describe(struct front *f, struct smfiDesc *d)
{
	static char name[] = "postseal";

	the_front = f;
	memset(d, 0, sizeof(*d));
	d->xxfi_name = name;
	d->xxfi_version = SMFI_VERSION;
	d->xxfi_flags = ACTIONS_WANTED;
	d->xxfi_connect = on_connect;
	d->xxfi_envfrom = on_mail;
	d->xxfi_envrcpt = on_rcpt;
	d->xxfi_header = on_header;
	d->xxfi_eoh = on_eoh;
	d->xxfi_body = on_body;
	d->xxfi_eom = on_eom;
	d->xxfi_abort = on_abort;
	d->xxfi_close = on_close;
	d->xxfi_negotiate = on_negotiate;
}
