/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A line is one message's. Its recipients that were claimed are nobody
 * else's until it closes or says what became of them. Before the end of a
 * copy goes out it is on the disk that it may arrive; an answer that came
 * is read here only when the front cannot do it any more. The answer is
 * still there then: the front looks at it without taking it.
 */
#include "milter/store_serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gateway/held.h"
#include "util/clock.h"
#include "milter/store_client.h"
#include "util/log.h"
#include "util/proc.h"

#define ANSWER_MS 30000 /* for the next hop, after the front's death */
#define REPLY_MAX 65536
#define KEYS_MAX ((size_t)CAP_RECIPIENTS * JOURNAL_KEY)
#define KEEP_S (7 * 86400) /* a client gives up sooner */
#define EXPIRE_MS 3600000
#define IDLE_MS 3600000

struct serve_line {
	int fd;	  /* -1: the front is gone */
	int sock; /* to the next hop, after STORE_SENT; or -1 */
	bool lmtp;
	int64_t until_ms; /* without the front */
	struct buf claimed, sent; /* keys */
	struct buf reply;
	char id[64];
	unsigned char whole[JOURNAL_KEY];
};

struct store_serve {
	struct keystore *ks;
	const struct config *config;
	int requests; /* -1: closed */
	struct serve_line *line[SERVE_LINES];
	size_t lines;
	int64_t expire_at_ms;
	struct buf in;
};

int store_serve_new(struct store_serve **out, struct keystore *ks,
    const struct config *c, int take_requests, struct err *e)
{
	struct store_serve *s = calloc(1, sizeof(*s));

	*out = s;
	if (s == NULL) {
		close(take_requests);
		return err_set(e, FAIL_TEMP, "out of memory");
	}
	s->ks = ks;
	s->config = c;
	s->requests = take_requests;
	buf_init(&s->in, CAP_IPC);
	return 0;
}

static void line_free(struct serve_line *l)
{
	if (l->fd >= 0)
		close(l->fd);
	if (l->sock >= 0)
		close(l->sock);
	buf_free(&l->claimed);
	buf_free(&l->sent);
	buf_free(&l->reply);
	free(l);
}

void store_serve_free(struct store_serve **s)
{
	if (*s == NULL)
		return;
	while ((*s)->lines > 0)
		line_free((*s)->line[--(*s)->lines]);
	if ((*s)->requests >= 0)
		close((*s)->requests);
	buf_free(&(*s)->in);
	free(*s);
	*s = NULL;
}

size_t store_serve_watch(const struct store_serve *s,
    struct pollfd fd[SERVE_FDS])
{
	const struct serve_line *l;

	fd[0].fd = s->requests;
	fd[0].events = POLLIN;
	fd[0].revents = 0;
	for (size_t i = 0; i < s->lines; i++) {
		l = s->line[i];
		fd[i + 1].fd = l->fd >= 0 ? l->fd : l->sock;
		fd[i + 1].events = POLLIN;
		fd[i + 1].revents = 0;
	}
	return s->lines + 1;
}

bool store_serve_is_busy(const struct store_serve *s)
{
	return s->lines > 0;
}

int64_t store_serve_wait_ms(const struct store_serve *s)
{
	int64_t now = clock_ms(), ms = IDLE_MS;

	for (size_t i = 0; i < s->lines; i++)
		if (s->line[i]->fd < 0 && s->line[i]->until_ms - now < ms)
			ms = s->line[i]->until_ms - now;
	if (s->expire_at_ms - now < ms)
		ms = s->expire_at_ms - now;
	return ms < 0 ? 0 : ms;
}

/* ---- requests ---- */

struct asked {
	struct serve_line *line;
	struct view keys;
	struct rd rd; /* what follows them */
	int fd;	      /* that came with it, or -1; taken by setting it to -1 */
	struct buf *states;
};

static struct journal_keys keys_of(const struct serve_line *l,
    struct view keys)
{
	struct journal_keys k = { keys.p, keys.n / JOURNAL_KEY, l->whole,
		l->id, (int64_t)time(NULL) };

	return k;
}

static bool has_key(const struct buf *keys, const unsigned char *key)
{
	for (size_t at = 0; at < keys->n; at += JOURNAL_KEY)
		if (memcmp(keys->p + at, key, JOURNAL_KEY) == 0)
			return true;
	return false;
}

static bool is_claimed(const struct store_serve *s,
    const struct serve_line *except, const unsigned char *key)
{
	for (size_t i = 0; i < s->lines; i++)
		if (s->line[i] != except && has_key(&s->line[i]->claimed, key))
			return true;
	return false;
}

static int claim_one(const struct store_serve *s, struct serve_line *l,
    const unsigned char *key, enum store_said *said, struct err *e)
{
	enum journal_state state;

	*said = STORE_BUSY;
	if (is_claimed(s, l, key))
		return 0;
	if (journal_get(s->ks, key, &state, NULL, e) != 0)
		return -1;
	*said = state == JOURNAL_DONE ? STORE_HAS : state == JOURNAL_SENT ?
	    STORE_UNKNOWN : STORE_NEW;
	if (state != JOURNAL_DONE)
		buf_put(&l->claimed, key, JOURNAL_KEY);
	return 0;
}

static int on_claim(struct store_serve *s, struct asked *a, struct err *e)
{
	enum store_said said;

	buf_clear(&a->line->claimed);
	for (size_t at = 0; at < a->keys.n; at += JOURNAL_KEY) {
		if (claim_one(s, a->line, a->keys.p + at, &said, e) != 0)
			return -1;
		buf_putc(a->states, said);
	}
	return buf_ok(&a->line->claimed, e);
}

static int on_sent(struct store_serve *s, struct asked *a, struct err *e)
{
	struct serve_line *l = a->line;
	struct journal_keys k = keys_of(l, a->keys);
	uint8_t lmtp;

	if (rd_u8(&a->rd, &lmtp) != 0 || lmtp > 1 || a->fd < 0 || l->sock >= 0)
		return err_set(e, FAIL_BUG, "request of the front: malformed");
	if (journal_set(s->ks, &k, JOURNAL_SENT, e) != 0)
		return -1;
	buf_clear(&l->sent);
	buf_putv(&l->sent, a->keys);
	l->lmtp = lmtp == 1;
	l->sock = a->fd;
	a->fd = -1;
	return buf_ok(&l->sent, e);
}

/* The answer was looked at by the front and not taken: closing a socket with
 * octets in it would be a broken connection to the other side. */
static void close_sock(struct serve_line *l)
{
	char p[4096];

	if (l->sock < 0)
		return;
	while (recv(l->sock, p, sizeof(p), MSG_DONTWAIT) > 0)
		;
	close(l->sock);
	l->sock = -1;
	buf_clear(&l->sent);
}

static int on_done(struct store_serve *s, struct asked *a, struct err *e)
{
	struct journal_keys k = keys_of(a->line, a->keys);

	if (journal_set(s->ks, &k, JOURNAL_DONE, e) != 0)
		return -1;
	close_sock(a->line);
	return 0;
}

static int on_failed(struct store_serve *s, struct asked *a, struct err *e)
{
	struct journal_keys k = keys_of(a->line, a->keys);

	close_sock(a->line);
	return journal_drop(s->ks, &k, false, e);
}

static int on_forget(struct store_serve *s, struct asked *a, struct err *e)
{
	struct journal_keys k = keys_of(a->line, a->keys);

	return journal_drop(s->ks, &k, true, e);
}

/* ---- held mail ---- */

struct to_hold {
	struct held_mail m;
	char *id, *sender, *login, *client, *reason, **rcpt;
	uint64_t off;
};

static void hold_free(struct to_hold *h)
{
	free(h->id);
	free(h->sender);
	free(h->login);
	free(h->client);
	free(h->reason);
	for (size_t i = 0; i < h->m.rcpts; i++)
		free(h->rcpt[i]);
	free(h->rcpt);
}

static int get_held_rcpts(struct to_hold *h, struct rd *r)
{
	uint32_t n;

	if (rd_u32(r, &n) != 0 || n == 0 || n > CAP_RECIPIENTS)
		return -1;
	h->rcpt = calloc(n, sizeof(*h->rcpt));
	if (h->rcpt == NULL)
		return -1;
	for (; h->m.rcpts < n; h->m.rcpts++)
		if (ipc_get_str(r, &h->rcpt[h->m.rcpts]) != 0 ||
		    h->rcpt[h->m.rcpts] == NULL) {
			free(h->rcpt[h->m.rcpts]);
			return -1;
		}
	h->m.rcpt = (const char *const *)h->rcpt;
	return 0;
}

static int get_held(struct to_hold *h, struct rd *r)
{
	uint8_t direction, tell;
	uint64_t at;

	if (ipc_get_str(r, &h->id) != 0 || rd_u64(r, &at) != 0 ||
	    at > INT64_MAX || rd_u8(r, &direction) != 0 ||
	    rd_u8(r, &tell) != 0 || ipc_get_str(r, &h->sender) != 0 ||
	    ipc_get_str(r, &h->login) != 0 ||
	    ipc_get_str(r, &h->client) != 0 ||
	    ipc_get_str(r, &h->reason) != 0 || rd_u64(r, &h->m.size) != 0 ||
	    rd_u64(r, &h->off) != 0 || get_held_rcpts(h, r) != 0 ||
	    rd_left(r) != 0 || h->id == NULL || h->sender == NULL)
		return -1;
	h->m.at = (int64_t)at;
	h->m.direction = direction;
	h->m.may_tell = tell == 1;
	h->m.id = h->id;
	h->m.sender = h->sender;
	h->m.login = h->login == NULL ? "" : h->login;
	h->m.client = h->client == NULL ? "" : h->client;
	h->m.reason = h->reason == NULL ? "" : h->reason;
	return 0;
}

/* Tried again after we died in the middle: the id of the first time finds
 * what is kept already. */
static int first_id(struct store_serve *s, const struct asked *a,
    struct to_hold *h, struct err *e)
{
	const char *group = strrchr(h->id, '-');
	enum journal_state state;
	char id[64];
	struct buf b;
	int rc;

	if (journal_get(s->ks, a->keys.p, &state, id, e) != 0)
		return -1;
	if (state == JOURNAL_NONE || id[0] == '\0' || group == NULL)
		return 0;
	buf_init(&b, 200);
	buf_printf(&b, "%s%s", id, group);
	rc = buf_ok(&b, e);
	if (rc == 0) {
		free(h->id);
		h->id = view_strdup(buf_view(&b));
		h->m.id = h->id;
		rc = h->id == NULL ? err_set(e, FAIL_TEMP, "out of memory") :
		    0;
	}
	buf_free(&b);
	return rc;
}

static int keep(struct store_serve *s, struct asked *a, struct to_hold *h,
    struct err *e)
{
	struct journal_keys k = keys_of(a->line, a->keys);
	struct spool *octets = NULL;
	int rc, fd = a->fd;

	if (first_id(s, a, h, e) != 0)
		return -1;
	a->fd = -1;
	if (spool_from_fd(&octets, fd, UINT64_MAX, e) != 0)
		return -1;
	rc = h->off > spool_size(octets) || h->m.size >
	    spool_size(octets) - h->off ? err_set(e, FAIL_BUG, "request of "
	    "the front: octets to hold") : 0;
	if (rc == 0)
		rc = journal_set(s->ks, &k, JOURNAL_SENT, e);
	if (rc == 0) {
		rc = held_keep(s->ks, s->config, &h->m, octets, h->off, e);
		if (rc != 0)
			(void)!journal_drop(s->ks, &k, false, NULL);
	}
	if (rc == 0)
		rc = journal_set(s->ks, &k, JOURNAL_DONE, e);
	spool_free(&octets);
	return rc;
}

static int on_hold(struct store_serve *s, struct asked *a, struct err *e)
{
	struct to_hold h;
	int rc;

	memset(&h, 0, sizeof(h));
	if (get_held(&h, &a->rd) != 0 || a->fd < 0 || a->keys.n == 0)
		rc = err_set(e, FAIL_BUG, "request of the front: malformed");
	else
		rc = keep(s, a, &h, e);
	hold_free(&h);
	return rc;
}

/* ---- one request ---- */

static int serve(struct store_serve *s, struct asked *a, struct err *e)
{
	static int (*const does[])(struct store_serve *, struct asked *,
	    struct err *) = {
		[STORE_CLAIM] = on_claim, [STORE_SENT] = on_sent,
		[STORE_DONE] = on_done, [STORE_FAILED] = on_failed,
		[STORE_HOLD] = on_hold, [STORE_FORGET] = on_forget,
	};
	struct serve_line *l = a->line;
	struct view whole;
	uint8_t kind;
	char *id = NULL;
	int rc;

	if (rd_u8(&a->rd, &kind) != 0 || kind < STORE_CLAIM ||
	    kind > STORE_FORGET || ipc_get_str(&a->rd, &id) != 0 ||
	    id == NULL || rd_take(&a->rd, JOURNAL_KEY, &whole) != 0 ||
	    ipc_get_view(&a->rd, &a->keys) != 0 ||
	    a->keys.n % JOURNAL_KEY != 0 || a->keys.n > KEYS_MAX ||
	    view_cstr(view_of(id), l->id, sizeof(l->id)) != 0) {
		free(id);
		return err_set(e, FAIL_BUG, "request of the front: malformed");
	}
	free(id);
	memcpy(l->whole, whole.p, JOURNAL_KEY);
	rc = does[kind](s, a, e);
	if (rc == 0 && rd_left(&a->rd) != 0)
		rc = err_set(e, FAIL_BUG, "request of the front: malformed");
	return rc;
}

static int answer(const struct asked *a, int rc, const struct err *e)
{
	struct err why = { 0 };
	struct buf b;

	if (rc != 0)
		log_err("id=%s event=journal error=\"%s\"", a->line->id,
		    e->msg);
	buf_init(&b, CAP_IPC);
	ipc_put_u8(&b, rc == 0 ? 0 : (uint8_t)e->kind);
	ipc_put_view(&b, view_of(rc == 0 ? "" : e->msg));
	ipc_put_view(&b, rc == 0 ? buf_view(a->states) : view_of(""));
	rc = buf_ok(&b, &why) != 0 || ipc_send(a->line->fd, buf_view(&b),
	    NULL, 0, &why) != 0 ? -1 : 0;
	buf_free(&b);
	return rc;
}

/* -1: nothing more will come. */
static int take_request(struct store_serve *s, struct serve_line *l)
{
	struct err e = { 0 };
	struct buf states;
	struct asked a = { .line = l, .states = &states };
	int fds[IPC_FDS], rc;

	if (ipc_recv(l->fd, &s->in, fds, &e) != 1)
		return -1;
	a.fd = fds[0];
	rd_init(&a.rd, buf_view(&s->in));
	buf_init(&states, CAP_RECIPIENTS);
	rc = answer(&a, serve(s, &a, &e), &e);
	buf_free(&states);
	if (a.fd >= 0)
		close(a.fd);
	for (int i = 1; i < IPC_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return rc;
}

/* ---- without the front ---- */

/*
 * What it sent is on its way; with the end of our side the other one knows
 * at once whether that was all.
 */
static void lose_front(struct serve_line *l)
{
	close(l->fd);
	l->fd = -1;
	l->until_ms = clock_ms() + ANSWER_MS;
	buf_clear(&l->reply);
	if (l->sock < 0)
		return;
	(void)shutdown(l->sock, SHUT_WR);
	buf_clear(&l->claimed);
	buf_putv(&l->claimed, buf_view(&l->sent));
}

static void conclude(struct store_serve *s, const struct serve_line *l,
    struct view keys, int code)
{
	struct journal_keys k = keys_of(l, keys);
	struct err e = { 0 };
	int rc;

	rc = code / 100 == 2 ? journal_set(s->ks, &k, JOURNAL_DONE, &e) :
	    journal_drop(s->ks, &k, false, &e);
	if (rc != 0)
		log_err("id=%s event=journal error=\"%s\"", l->id, e.msg);
	log_warn("id=%s event=answer-after-front reply=%d recipients=%zu",
	    l->id, code, k.n);
}

/* The code of the next whole reply, taken off; 0 not all there yet, -1 no
 * reply of SMTP. */
static int next_reply(struct buf *b)
{
	struct view v = buf_view(b), line;
	size_t at = 0, end;
	int code = -1;

	while ((end = view_chr(v, '\n', at)) != (size_t)-1) {
		line = view_trim(view_sub(v, at, end - at));
		at = end + 1;
		if (line.n < 3)
			return -1;
		code = 0;
		for (size_t i = 0; i < 3; i++) {
			if (line.p[i] < '0' || line.p[i] > '9')
				return -1;
			code = code * 10 + (line.p[i] - '0');
		}
		if (line.n > 3 && line.p[3] == '-')
			continue;
		b->n -= at;
		memmove(b->p, b->p + at, b->n);
		return code;
	}
	return 0;
}

/* true when all is known that ever will be. */
static bool take_replies(struct store_serve *s, struct serve_line *l)
{
	size_t each = l->lmtp ? JOURNAL_KEY : l->sent.n;
	int code;

	while (l->sent.n > 0) {
		code = next_reply(&l->reply);
		if (code <= 0)
			return code < 0;
		conclude(s, l, view_sub(buf_view(&l->sent), 0, each), code);
		l->sent.n -= each;
		memmove(l->sent.p, l->sent.p + each, l->sent.n);
	}
	return true;
}

static bool read_hop(struct store_serve *s, struct serve_line *l)
{
	unsigned char p[4096];
	ssize_t n = recv(l->sock, p, sizeof(p), MSG_DONTWAIT);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	if (n <= 0)
		return true;
	buf_put(&l->reply, p, (size_t)n);
	return l->reply.failed || take_replies(s, l);
}

static void say_unknown(const struct serve_line *l)
{
	if (l->sent.n > 0)
		log_warn("id=%s event=answer-lost recipients=%zu reason=\"the "
		    "front ended before the next hop answered\"", l->id,
		    l->sent.n / JOURNAL_KEY);
}

/* ---- the loop ---- */

static void new_line(struct store_serve *s)
{
	struct serve_line *l;
	int fds[IPC_FDS], rc;

	rc = ipc_recv_only(s->requests, &s->in, fds, NULL);
	if (rc <= 0) {
		close(s->requests);
		s->requests = -1;
		return;
	}
	for (int i = 1; i < IPC_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (fds[0] < 0)
		return;
	l = s->lines < SERVE_LINES ? calloc(1, sizeof(*l)) : NULL;
	if (l == NULL) { /* the front sees it close: 451 */
		close(fds[0]);
		return;
	}
	l->fd = fds[0];
	l->sock = -1;
	buf_init(&l->claimed, KEYS_MAX);
	buf_init(&l->sent, KEYS_MAX);
	buf_init(&l->reply, REPLY_MAX);
	s->line[s->lines++] = l;
}

/* true: it is over. */
static bool step_line(struct store_serve *s, struct serve_line *l,
    bool readable)
{
	if (l->fd >= 0) {
		if (!readable || take_request(s, l) == 0)
			return false;
		lose_front(l);
		return l->sock < 0;
	}
	if ((readable && read_hop(s, l)) || clock_ms() >= l->until_ms) {
		say_unknown(l);
		return true;
	}
	return false;
}

static void expire(struct store_serve *s)
{
	struct err e = { 0 };
	size_t n;

	if (clock_ms() < s->expire_at_ms)
		return;
	s->expire_at_ms = clock_ms() + EXPIRE_MS;
	if (journal_expire(s->ks, (int64_t)time(NULL) - KEEP_S, &n, &e) != 0)
		log_err("event=journal-expire reason=\"%s\"", e.msg);
}

void store_serve_step(struct store_serve *s)
{
	struct pollfd fd[SERVE_FDS];
	size_t n, i;

	expire(s);
	n = store_serve_watch(s, fd);
	if (poll(fd, n, 0) < 0)
		return;
	for (i = n - 1; i > 0; i--)
		if (step_line(s, s->line[i - 1], fd[i].revents != 0)) {
			line_free(s->line[i - 1]);
			s->line[i - 1] = s->line[--s->lines];
		}
	if (s->requests >= 0 && fd[0].revents != 0)
		new_line(s);
}
