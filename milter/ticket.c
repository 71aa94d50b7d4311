/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The table of tickets and the packets that fill it.
 */
#include "milter/ticket.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/lists.h"
#include "util/proc.h"

enum packet { T_OPEN = 1, T_RCPT, T_CLOSE };

#define BUCKETS 1024

struct ticket {
	struct ticket *next;  /* in the bucket */
	struct ticket *older; /* by birth: a queue */
	struct ticket *newer;
	unsigned char id[TICKET_ID];
	uint32_t worker;
	int64_t born_s;
	char *login;  /* NULL: none */
	char *client; /* NULL: unknown */
	struct buf rcpt; /* raw paths, as in T_RCPT */
	unsigned uses[2];
};

struct tickets {
	pthread_mutex_t lock;
	struct ticket *bucket[BUCKETS];
	struct ticket *oldest, *newest;
	size_t n;
	size_t octets;
};

/* ---- the front's side ---- */

static int send_packet(int sock, struct view v, struct err *e)
{
	ssize_t n;

	do
		n = send(sock, v.p, v.n, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, FAIL_TEMP, "ticket for the keys process");
	return 0;
}

/* As many recipients as the packet has room for; *i goes on. */
static void put_rcpts(struct buf *b, const struct envelope *env, size_t *i)
{
	size_t n, octets = 0, from = *i;

	for (; *i < env->rcpts; (*i)++) {
		n = 4 + strlen(env->rcpt[*i]);
		if (n > TICKET_PACKET - b->n - 4 - octets)
			break;
		octets += n;
	}
	ipc_put_u32(b, (uint32_t)octets);
	for (; from < *i; from++)
		ipc_put_view(b, view_of(env->rcpt[from]));
}

/* Those that had no room in the first packet. */
static int send_rcpts(int sock, struct buf *b,
    const unsigned char id[TICKET_ID], const struct envelope *env, size_t i,
    struct err *e)
{
	size_t before;

	while (i < env->rcpts) {
		buf_clear(b);
		ipc_put_u8(b, T_RCPT);
		buf_put(b, id, TICKET_ID);
		before = i;
		put_rcpts(b, env, &i);
		if (i == before) {
			i++; /* no address of ours is as long as that */
			continue;
		}
		if (buf_ok(b, e) != 0 || send_packet(sock, buf_view(b), e) != 0)
			return -1;
	}
	return 0;
}

int ticket_send(int sock, const unsigned char id[TICKET_ID], uint32_t worker,
    const struct envelope *env, struct err *e)
{
	struct buf b;
	size_t i = 0;
	int rc = -1;

	buf_init(&b, TICKET_PACKET);
	ipc_put_u8(&b, T_OPEN);
	buf_put(&b, id, TICKET_ID);
	ipc_put_u32(&b, worker);
	ipc_put_str(&b, env->auth == ENV_AUTH_LOGIN ? env->login : NULL);
	ipc_put_str(&b, env->client_ip);
	put_rcpts(&b, env, &i);
	if (buf_ok(&b, e) != 0 || send_packet(sock, buf_view(&b), e) != 0)
		goto out;
	rc = send_rcpts(sock, &b, id, env, i, e);
out:
	buf_free(&b);
	return rc;
}

void ticket_close(int sock, const unsigned char id[TICKET_ID])
{
	unsigned char p[1 + TICKET_ID];

	p[0] = T_CLOSE;
	memcpy(p + 1, id, TICKET_ID);
	/* lost with the keys process, or forgotten by age */
	(void)send_packet(sock, view_make(p, sizeof(p)), NULL);
}

/* ---- keys' side ---- */

int tickets_new(struct tickets **out, struct err *e)
{
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	(void)pthread_mutex_init(&(*out)->lock, NULL);
	return 0;
}

/* ids are random: any part of them spreads well */
static struct ticket **bucket_of(struct tickets *t, const unsigned char *id)
{
	return &t->bucket[(id[0] << 8 | id[1]) % BUCKETS];
}

static struct ticket *find(struct tickets *t, const unsigned char *id)
{
	struct ticket *k = *bucket_of(t, id);

	while (k != NULL && memcmp(k->id, id, TICKET_ID) != 0)
		k = k->next;
	return k;
}

static void forget(struct tickets *t, struct ticket *k)
{
	struct ticket **at = bucket_of(t, k->id);

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	if (k->older != NULL)
		k->older->newer = k->newer;
	else
		t->oldest = k->newer;
	if (k->newer != NULL)
		k->newer->older = k->older;
	else
		t->newest = k->older;
	t->n--;
	t->octets -= k->rcpt.n;
	buf_free(&k->rcpt);
	free(k->login);
	free(k->client);
	free(k);
}

void tickets_free(struct tickets **t)
{
	if (*t == NULL)
		return;
	while ((*t)->oldest != NULL)
		forget(*t, (*t)->oldest);
	(void)pthread_mutex_destroy(&(*t)->lock);
	free(*t);
	*t = NULL;
}

size_t tickets_alive(struct tickets *t)
{
	size_t n;

	(void)pthread_mutex_lock(&t->lock);
	n = t->n;
	(void)pthread_mutex_unlock(&t->lock);
	return n;
}

/* A worker has one message at a time: its older ticket is over. */
static void forget_of_worker(struct tickets *t, uint32_t worker)
{
	struct ticket *k = t->newest;

	while (k != NULL && k->worker != worker)
		k = k->older;
	if (k != NULL)
		forget(t, k);
}

/* A list of recipients, the last thing in a packet. */
static int get_rcpts(struct rd *r, struct view *all)
{
	struct view one;
	struct rd check;

	if (ipc_get_view(r, all) != 0 || rd_left(r) != 0)
		return -1;
	rd_init(&check, *all);
	while (rd_left(&check) > 0)
		if (ipc_get_view(&check, &one) != 0)
			return -1;
	return 0;
}

static void add_rcpts(struct tickets *t, struct ticket *k, struct view all)
{
	if (t->octets + all.n > TICKETS_OCTETS)
		return;
	t->octets -= k->rcpt.n;
	buf_putv(&k->rcpt, all);
	if (k->rcpt.failed)
		buf_clear(&k->rcpt);
	t->octets += k->rcpt.n;
}

static void link_newest(struct tickets *t, struct ticket *k)
{
	k->next = *bucket_of(t, k->id);
	*bucket_of(t, k->id) = k;
	k->older = t->newest;
	if (t->newest != NULL)
		t->newest->newer = k;
	else
		t->oldest = k;
	t->newest = k;
	t->n++;
}

static void on_open(struct tickets *t, struct rd *r, const unsigned char *id,
    int64_t now_s)
{
	struct ticket *k;
	struct view rcpts;

	if (t->n >= TICKETS_MAX || find(t, id) != NULL)
		return;
	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return;
	buf_init(&k->rcpt, TICKETS_OCTETS);
	if (rd_u32(r, &k->worker) != 0 || ipc_get_str(r, &k->login) != 0 ||
	    ipc_get_str(r, &k->client) != 0 ||
	    get_rcpts(r, &rcpts) != 0) {
		free(k->login);
		free(k->client);
		free(k);
		return;
	}
	forget_of_worker(t, k->worker);
	memcpy(k->id, id, TICKET_ID);
	k->born_s = now_s;
	link_newest(t, k);
	add_rcpts(t, k, rcpts);
}

static void on_rcpt(struct tickets *t, struct rd *r, const unsigned char *id)
{
	struct ticket *k = find(t, id);
	struct view all;

	if (k != NULL && get_rcpts(r, &all) == 0)
		add_rcpts(t, k, all);
}

static void take(struct tickets *t, struct view packet, int64_t now_s)
{
	struct ticket *k;
	struct view id;
	uint8_t kind;
	struct rd r;

	rd_init(&r, packet);
	if (rd_u8(&r, &kind) != 0 || rd_take(&r, TICKET_ID, &id) != 0)
		return;
	if (kind == T_OPEN)
		on_open(t, &r, id.p, now_s);
	else if (kind == T_RCPT)
		on_rcpt(t, &r, id.p);
	else if (kind == T_CLOSE && (k = find(t, id.p)) != NULL)
		forget(t, k);
}

static void expire(struct tickets *t, int64_t now_s)
{
	while (t->oldest != NULL && now_s - t->oldest->born_s > TICKET_LIFE_S)
		forget(t, t->oldest);
}

void tickets_packet(struct tickets *t, struct view packet, int64_t now_s)
{
	(void)pthread_mutex_lock(&t->lock);
	expire(t, now_s);
	take(t, packet, now_s);
	(void)pthread_mutex_unlock(&t->lock);
}

int tickets_drain(struct tickets *t, int sock, int64_t now_s)
{
	unsigned char p[TICKET_PACKET];
	ssize_t n;

	/* Under the lock also while receiving: two threads must not swap the
	 * packets of one ticket. */
	(void)pthread_mutex_lock(&t->lock);
	expire(t, now_s);
	for (;;) {
		n = recv(sock, p, sizeof(p), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if ((size_t)n <= sizeof(p))
			take(t, view_make(p, (size_t)n), now_s);
	}
	(void)pthread_mutex_unlock(&t->lock);
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : 1;
}

/* 0 or -1 as below; *may is set. */
static int may_open(const struct ticket *k, const struct authority *au,
    const struct cert *cert, bool *may, struct err *e)
{
	enum opens opens = OPENS_NOT;
	struct view raw;
	struct addr a;
	struct rd r;
	char *path;
	int rc = 0;

	rd_init(&r, buf_view(&k->rcpt));
	while (opens == OPENS_NOT && rd_left(&r) > 0 &&
	    ipc_get_view(&r, &raw) == 0) {
		path = view_strdup(raw);
		if (path != NULL && addr_parse_path(&a, path, NULL) == 0 &&
		    authority_opens(au, &a, cert, &opens, e) != 0)
			rc = -1;
		free(path);
	}
	*may = opens != OPENS_NOT;
	return *may ? 0 : rc;
}

/*
 * Lists of directories are copied at our start; the worker reads them in the
 * store. What is refused by the copy may be allowed since: for that a process
 * with a new copy is on its way, and the mail waits for it.
 */
static int refuse(const struct authority *au, enum ticket_use use,
    struct err *e)
{
	bool has_lists = false;

	for (size_t i = 0; i < au->config->lists; i++)
		has_lists = has_lists || (au->config->list[i].kind ==
		    LIST_AUTHORITY) == (use == TICKET_SIGN);
	return err_set(e, has_lists ? FAIL_TEMP : FAIL_POLICY,
	    use == TICKET_SIGN ?
	    "keys: this login has no right to sign with this certificate" :
	    "keys: none of the recipients owns this certificate");
}

static int check_right(const struct ticket *k, enum ticket_use use,
    const struct authority *au, const struct cert *cert, struct err *e)
{
	const struct asker who = { k->login, k->client };
	bool may;
	int rc;

	rc = use == TICKET_SIGN ? authority_signs_cert(au, &who, cert, &may,
	    e) : may_open(k, au, cert, &may, e);
	if (rc != 0)
		return -1;
	return may ? 0 : refuse(au, use, e);
}

int tickets_ask(struct tickets *t, const unsigned char id[TICKET_ID],
    uint32_t worker, enum ticket_use use, const struct authority *au,
    const struct cert *cert, struct err *e)
{
	struct ticket *k;
	int rc = -1;

	(void)pthread_mutex_lock(&t->lock);
	k = find(t, id);
	if (k == NULL || k->worker != worker) {
		(void)err_set(e, FAIL_TEMP, "keys: no such ticket");
		goto out;
	}
	if (k->uses[use] >= CAP_KEY_OPS) {
		(void)err_set(e, FAIL_LIMIT, "keys: more than %d operations "
		    "of a kind for one message", CAP_KEY_OPS);
		goto out;
	}
	k->uses[use]++;
	rc = check_right(k, use, au, cert, e);
out:
	(void)pthread_mutex_unlock(&t->lock);
	return rc;
}
