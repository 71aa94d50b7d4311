/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Connection, negotiation, and the commands of one message in the order of
 * an MTA. Answers at the end of the message are in mfanswer.c.
 */
#include "tests/bench/mfclient.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmilter/mfdef.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/mfclient_int.h"

#define OUT_MAX (4u << 20) /* waits in the buffer */
#define FLUSH_AT (128u << 10)
#define IN_SIZE (192u << 10)
#define PACKET_MAX (1u << 20)

/* One command: when it goes out, which flag forbids it, and which says that
 * no answer will come. */
struct command {
	char code;
	uint32_t skip;
	uint32_t silent;
};

static const struct command command[MF_STAGES] = {
	[MF_CONNECT] = { SMFIC_CONNECT, SMFIP_NOCONNECT, SMFIP_NR_CONN },
	[MF_HELO] = { SMFIC_HELO, SMFIP_NOHELO, SMFIP_NR_HELO },
	[MF_MAIL] = { SMFIC_MAIL, SMFIP_NOMAIL, SMFIP_NR_MAIL },
	[MF_RCPT] = { SMFIC_RCPT, SMFIP_NORCPT, SMFIP_NR_RCPT },
	[MF_DATA] = { SMFIC_DATA, SMFIP_NODATA, SMFIP_NR_DATA },
	[MF_HEADER] = { SMFIC_HEADER, SMFIP_NOHDRS, SMFIP_NR_HDR },
	[MF_EOH] = { SMFIC_EOH, SMFIP_NOEOH, SMFIP_NR_EOH },
	[MF_BODY] = { SMFIC_BODY, SMFIP_NOBODY, SMFIP_NR_BODY },
	[MF_EOM] = { SMFIC_BODYEOB, 0, 0 },
};

static const char *const stage_name[MF_STAGES] = { "connect", "helo",
	"mail", "rcpt", "data", "header", "eoh", "body", "eom" };

int
mf_stage_by_name(const char *word)
{
	for (int i = 0; i < MF_STAGES; i++)
		if (strcmp(word, stage_name[i]) == 0)
			return i;
	return -1;
}

void
mf_setup_init(struct mf_setup *s)
{
	memset(s, 0, sizeof(*s));
	s->version = SMFI_PROT_VERSION;
	s->actions = MF_ACTIONS;
	s->protocol = MF_PROTOCOL;
	s->client_ip = "127.0.0.1";
	s->helo = "client.example.com";
	s->from = "alice@example.com";
	s->chunk = MILTER_CHUNK_SIZE;
	s->timeout_s = 300;
	s->pause_at = -1;
}

/* ---- octets ---- */

static int
flush_out(struct mf_client *c, struct err *e)
{
	size_t pos = 0;

	if (buf_ok(&c->out, e) == -1)
		return -1;
	while (pos < c->out.n) {
		ssize_t n = send(c->fd, c->out.p + pos, c->out.n - pos,
		    MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(e, FAIL_TEMP, "send to the filter");
		pos += (size_t)n;
	}
	buf_clear(&c->out);
	return 0;
}

static void
put_packet(struct mf_client *c, char code, struct view payload)
{
	uint32_t n = htonl((uint32_t)payload.n + 1);

	buf_put(&c->out, &n, sizeof(n));
	buf_putc(&c->out, code);
	buf_putv(&c->out, payload);
}

/* At least n octets in the buffer. */
static int
fill_in(struct mf_client *c, size_t n, struct err *e)
{
	if (c->in.n - c->in_pos >= n)
		return 0;
	memmove(c->in.p, c->in.p + c->in_pos, c->in.n - c->in_pos);
	c->in.n -= c->in_pos;
	c->in_pos = 0;
	while (c->in.n < n) {
		unsigned char *p = buf_room(&c->in,
		    n > IN_SIZE ? n - c->in.n : IN_SIZE - c->in.n);
		ssize_t got;

		if (p == NULL)
			return buf_ok(&c->in, e);
		got = recv(c->fd, p, c->in.size - c->in.n - 1, 0);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return err_sys(e, FAIL_TEMP, "no answer");
		if (got == 0)
			return err_set(e, FAIL_TEMP,
			    "the filter closed the connection");
		c->in.n += (size_t)got;
	}
	return 0;
}

int
mfclient_get(struct mf_client *c, char *code, struct view *payload,
    struct err *e)
{
	uint32_t n;

	if (fill_in(c, 5, e) == -1)
		return -1;
	memcpy(&n, c->in.p + c->in_pos, sizeof(n));
	n = ntohl(n);
	if (n == 0 || n > PACKET_MAX)
		return err_set(e, FAIL_INPUT, "packet of %u octets", n);
	if (fill_in(c, 4 + (size_t)n, e) == -1)
		return -1;
	*code = (char)c->in.p[c->in_pos + 4];
	*payload = view_make(c->in.p + c->in_pos + 5, n - 1);
	c->in_pos += 4 + (size_t)n;
	return 0;
}

/* ---- macros ---- */

static bool
macro_wanted(const struct mf_client *c, int stage, const char *name)
{
	const char *list = c->symbols[stage], *p;
	size_t n = strlen(name);

	if (list == NULL)
		return true;
	for (p = list; (p = strstr(p, name)) != NULL; p += n)
		if ((p == list || p[-1] == ' ') &&
		    (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

static void
put_macro(const struct mf_client *c, struct buf *b, int stage,
    const char *name, const char *value)
{
	if (value == NULL || !macro_wanted(c, stage, name))
		return;
	buf_put(b, name, strlen(name) + 1);
	buf_put(b, value, strlen(value) + 1);
}

/* What an MTA sends of itself: Postfix knows the queue id from DATA on. */
static void
put_usual_macros(const struct mf_client *c, struct buf *b, int stage,
    const char *arg, const char *queue_id)
{
	const struct mf_setup *s = c->s;

	if (stage == MF_CONNECT) {
		put_macro(c, b, stage, "j", "mx.example.com");
		put_macro(c, b, stage, "{daemon_name}", "smtpd");
		put_macro(c, b, stage, "v", "mfload");
		put_macro(c, b, stage, "{client_addr}", s->client_ip);
	}
	if (stage == MF_MAIL)
		put_macro(c, b, stage, "{mail_addr}", arg);
	if (stage == MF_RCPT)
		put_macro(c, b, stage, "{rcpt_addr}", arg);
	if (stage == MF_DATA || stage == MF_EOH || stage == MF_EOM)
		put_macro(c, b, stage, "i", queue_id);
	if (s->auth != NULL && (stage == MF_MAIL || stage == MF_DATA ||
	    stage == MF_EOH || stage == MF_EOM)) {
		put_macro(c, b, stage, "{auth_type}", "PLAIN");
		put_macro(c, b, stage, "{auth_authen}", s->auth);
	}
}

static void
put_macros(struct mf_client *c, int stage, const char *arg,
    const char *queue_id)
{
	struct buf b;
	bool common = stage == MF_CONNECT || stage == MF_MAIL ||
	    stage == MF_DATA || stage == MF_EOH || stage == MF_EOM;

	buf_init(&b, 65535);
	buf_putc(&b, command[stage].code);
	if (!c->s->bare)
		put_usual_macros(c, &b, stage, arg, queue_id);
	for (size_t i = 0; i < c->s->macros; i++) {
		const struct mf_macro *m = &c->s->macro[i];

		if (m->stage == stage || (m->stage == -1 && common))
			put_macro(c, &b, stage, m->name, m->value);
	}
	if (b.n > 1 && !b.failed)
		put_packet(c, SMFIC_MACRO, buf_view(&b));
	buf_free(&b);
}

/* ---- one command ---- */

/* The answer to anything but the end of a message; its code in *answer. */
static int
get_answer(struct mf_client *c, char *answer, struct err *e)
{
	struct view v;

	if (flush_out(c, e) == -1)
		return -1;
	do {
		if (mfclient_get(c, answer, &v, e) == -1)
			return -1;
	} while (*answer == SMFIR_PROGRESS);
	return mfclient_final(c, *answer, v, e);
}

/* Send a command unless it is not wanted, and read its answer if one will
 * come; *answer is SMFIR_CONTINUE when none does. */
static int
do_command(struct mf_client *c, int stage, struct view payload, char *answer,
    struct err *e)
{
	*answer = SMFIR_CONTINUE;
	if ((c->protocol & command[stage].skip) != 0)
		return 0;
	put_packet(c, command[stage].code, payload);
	if ((c->protocol & command[stage].silent) == 0)
		return get_answer(c, answer, e);
	if (c->out.n >= FLUSH_AT)
		return flush_out(c, e);
	return 0;
}

/* ---- connection ---- */

static int
connect_socket(struct mf_client *c, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = c->s->timeout_s };
	size_t n = strlen(c->s->socket);

	if (n >= sizeof(sa.sun_path))
		return err_set(e, FAIL_CONFIG, "socket: path too long");
	memcpy(sa.sun_path, c->s->socket, n + 1);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		return err_sys(e, FAIL_TEMP, "socket");
	if (setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ==
	    -1 || setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &tv,
	    sizeof(tv)) == -1)
		return err_sys(e, FAIL_TEMP, "setsockopt");
	if (connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)) == -1)
		return err_sys(e, FAIL_TEMP, "connect to %s", c->s->socket);
	return 0;
}

/* Lists of macros that the filter asks for: stage, then a string. The
 * stages of libmilter: CONNECT HELO MAIL RCPT DATA EOM EOH. */
static int
read_symbols(struct mf_client *c, struct rd *r, struct err *e)
{
	static const int stage_of[] = { MF_CONNECT, MF_HELO, MF_MAIL,
		MF_RCPT, MF_DATA, MF_EOM, MF_EOH };
	uint32_t which;

	while (rd_left(r) > 0) {
		struct view rest = view_sub(r->v, r->pos + 4, SIZE_MAX);
		size_t n = view_chr(rest, '\0', 0);
		char *list;

		if (rd_u32(r, &which) == -1 || which > 6 ||
		    n == (size_t)-1)
			return err_set(e, FAIL_INPUT, "negotiation: list of "
			    "macros malformed");
		r->pos += n + 1;
		list = view_strdup(view_sub(rest, 0, n));
		if (list == NULL)
			return err_set(e, FAIL_TEMP, "out of memory");
		free(c->symbols[stage_of[which]]);
		c->symbols[stage_of[which]] = list;
	}
	return 0;
}

static int
negotiate(struct mf_client *c, struct err *e)
{
	const uint32_t offer[3] = { htonl(c->s->version),
		htonl(c->s->actions), htonl(c->s->protocol) };
	uint32_t version;
	struct view v;
	struct rd r;
	char code;

	put_packet(c, SMFIC_OPTNEG, view_make(offer, sizeof(offer)));
	if (flush_out(c, e) == -1 || mfclient_get(c, &code, &v, e) == -1)
		return -1;
	rd_init(&r, v);
	if (code != SMFIC_OPTNEG || rd_u32(&r, &version) == -1 ||
	    rd_u32(&r, &c->actions) == -1 || rd_u32(&r, &c->protocol) == -1)
		return err_set(e, FAIL_INPUT, "negotiation: malformed answer");
	if (version < 2 || version > c->s->version)
		return err_set(e, FAIL_INPUT, "negotiation: version %u, "
		    "offered %u", version, c->s->version);
	if ((c->actions & ~c->s->actions) != 0)
		return err_set(e, FAIL_INPUT, "negotiation: actions %#x, "
		    "offered %#x", c->actions, c->s->actions);
	if ((c->protocol & ~c->s->protocol) != 0)
		return err_set(e, FAIL_INPUT, "negotiation: protocol %#x, "
		    "offered %#x", c->protocol, c->s->protocol);
	return read_symbols(c, &r, e);
}

/* CONNECT and HELO; a final answer is kept for the messages. */
static int
greet(struct mf_client *c, struct err *e)
{
	bool v6 = strchr(c->s->client_ip, ':') != NULL;
	uint16_t port = htons(40000);
	struct buf b;
	char answer;
	int rc = -1;

	buf_init(&b, 4096);
	buf_puts(&b, c->s->helo);
	buf_putc(&b, '\0');
	buf_putc(&b, v6 ? SMFIA_INET6 : SMFIA_INET);
	buf_put(&b, &port, sizeof(port));
	buf_puts(&b, v6 ? "IPv6:" : "");
	buf_puts(&b, c->s->client_ip);
	buf_putc(&b, '\0');
	put_macros(c, MF_CONNECT, NULL, NULL);
	if (buf_ok(&b, e) == -1 ||
	    do_command(c, MF_CONNECT, buf_view(&b), &answer, e) == -1)
		goto out;
	if (answer == SMFIR_CONTINUE) {
		put_macros(c, MF_HELO, NULL, NULL);
		if (do_command(c, MF_HELO, view_make(c->s->helo,
		    strlen(c->s->helo) + 1), &answer, e) == -1)
			goto out;
	}
	c->early = answer == SMFIR_CONTINUE ? 0 : answer;
	rc = 0;
out:
	buf_free(&b);
	return rc;
}

static void
close_client(struct mf_client *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	c->message = 0;
	c->early = 0;
	c->in_pos = 0;
	buf_clear(&c->out);
	buf_clear(&c->in);
	for (int i = 0; i < MF_STAGES; i++) {
		free(c->symbols[i]);
		c->symbols[i] = NULL;
	}
}

int
mfclient_init(struct mf_client *c, const struct mf_setup *s, struct err *e)
{
	memset(c, 0, sizeof(*c));
	c->s = s;
	c->fd = -1;
	buf_init(&c->out, OUT_MAX);
	buf_init(&c->in, PACKET_MAX + IN_SIZE);
	if (buf_room(&c->in, IN_SIZE) == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	return 0;
}

void
mfclient_quit(struct mf_client *c)
{
	struct err e;

	if (c->fd != -1) {
		put_packet(c, SMFIC_QUIT, view_make(NULL, 0));
		if (flush_out(c, &e) == -1)
			buf_clear(&c->out); /* it is gone already */
	}
	close_client(c);
}

void
mfclient_free(struct mf_client *c)
{
	close_client(c);
	buf_free(&c->out);
	buf_free(&c->in);
}

/* ---- one message ---- */

struct sending {
	struct mf_client *c;
	const struct mf_message *m;
	struct mf_result *r;
	char answer; /* of the last command; not CONTINUE: it is decided */
	bool over;   /* mischief was done */
};

/* Sleep, abort or drop, when this is the place. */
static int
pass_stage(struct sending *s, int stage, struct err *e)
{
	const struct mf_setup *set = s->c->s;
	struct timespec ts;

	if (set->pause_at == stage) {
		if (flush_out(s->c, e) == -1)
			return -1;
		ts.tv_sec = (time_t)set->pause_s;
		ts.tv_nsec = (long)((set->pause_s - (double)ts.tv_sec) * 1e9);
		nanosleep(&ts, NULL);
	}
	if (set->mischief == MF_BEHAVE || set->mischief_at != stage ||
	    set->mischief_nth != s->c->message)
		return 0;
	s->over = true;
	if (set->mischief == MF_ABORT)
		put_packet(s->c, SMFIC_ABORT, view_make(NULL, 0));
	s->r->outcome = set->mischief == MF_ABORT ? MF_ABORTED : MF_DROPPED;
	return flush_out(s->c, e);
}

/* MAIL or RCPT: "<address>" and each parameter, NUL behind each. */
static int
send_path(struct sending *s, int stage, const char *text, struct err *e)
{
	size_t n = strcspn(text, " ");
	bool angle = text[0] == '<';
	struct buf b, addr;
	int rc = -1;

	buf_init(&b, 65535);
	buf_init(&addr, 4096);
	buf_put(&addr, text + angle, n - (angle ? 2 : 0));
	buf_printf(&b, "<%s>", buf_str(&addr));
	for (const char *p = text + n; *p != '\0'; p++)
		buf_putc(&b, *p == ' ' ? '\0' : *p);
	buf_putc(&b, '\0');
	if (buf_ok(&addr, e) == -1 || buf_ok(&b, e) == -1)
		goto out;
	put_macros(s->c, stage, buf_str(&addr), s->r->queue_id);
	rc = do_command(s->c, stage, buf_view(&b), &s->answer, e);
out:
	buf_free(&b);
	buf_free(&addr);
	return rc;
}

/* A refused recipient is left out; the message goes on while one is left. */
static int
send_envelope(struct sending *s, struct err *e)
{
	const struct mf_setup *set = s->c->s;
	size_t good = 0;
	char first = 0;

	if (send_path(s, MF_MAIL, set->from, e) == -1)
		return -1;
	if (s->answer != SMFIR_CONTINUE)
		return 0;
	if (pass_stage(s, MF_MAIL, e) == -1 || s->over)
		return s->over ? 0 : -1;
	for (size_t i = 0; i < set->rcpts; i++) {
		if (send_path(s, MF_RCPT, set->rcpt[i], e) == -1)
			return -1;
		if (s->answer == SMFIR_ACCEPT || s->answer == SMFIR_DISCARD)
			return 0;
		if (s->answer == SMFIR_CONTINUE)
			good++;
		else if (first == 0)
			first = s->answer;
	}
	s->answer = good > 0 ? SMFIR_CONTINUE : first;
	return s->answer == SMFIR_CONTINUE ? pass_stage(s, MF_RCPT, e) : 0;
}

static int
send_fields(struct sending *s, struct err *e)
{
	bool leadspc = (s->c->protocol & SMFIP_HDR_LEADSPC) != 0;
	struct buf b;
	int rc = 0;

	buf_init(&b, PACKET_MAX);
	for (size_t i = 0; i < s->m->headers && rc == 0; i++) {
		const struct mf_header *h = &s->m->header[i];
		const char *value = h->value;

		if (!leadspc && *value == ' ')
			value++;
		buf_clear(&b);
		buf_put(&b, h->name, strlen(h->name) + 1);
		buf_put(&b, value, strlen(value) + 1);
		rc = buf_ok(&b, e);
		if (rc == 0)
			rc = do_command(s->c, MF_HEADER, buf_view(&b),
			    &s->answer, e);
		if (s->answer != SMFIR_CONTINUE)
			break;
		if (rc == 0 && i == s->m->headers / 2)
			rc = pass_stage(s, MF_HEADER, e);
		if (s->over)
			break;
	}
	buf_free(&b);
	return rc;
}

static int
send_body(struct sending *s, struct err *e)
{
	struct view body = buf_view(&s->m->body);
	bool passed = false;
	size_t pos = 0;

	while (pos < body.n) {
		struct view chunk = view_sub(body, pos, s->c->s->chunk);

		if (do_command(s->c, MF_BODY, chunk, &s->answer, e) == -1)
			return -1;
		if (s->answer == SMFIR_SKIP) {
			s->answer = SMFIR_CONTINUE;
			break;
		}
		if (s->answer != SMFIR_CONTINUE)
			return 0;
		pos += chunk.n;
		if (!passed && pos >= body.n / 2) {
			passed = true;
			if (pass_stage(s, MF_BODY, e) == -1 || s->over)
				return s->over ? 0 : -1;
		}
	}
	return passed ? 0 : pass_stage(s, MF_BODY, e);
}

static int
send_plain(struct sending *s, int stage, struct err *e)
{
	put_macros(s->c, stage, NULL, s->r->queue_id);
	if (do_command(s->c, stage, view_make(NULL, 0), &s->answer, e) == -1)
		return -1;
	return s->answer == SMFIR_CONTINUE ? pass_stage(s, stage, e) : 0;
}

/* End of message, with all the filter then asks for. */
static int
send_end(struct sending *s, struct err *e)
{
	put_macros(s->c, MF_EOM, NULL, s->r->queue_id);
	put_packet(s->c, SMFIC_BODYEOB, view_make(NULL, 0));
	if (flush_out(s->c, e) == -1 || pass_stage(s, MF_EOM, e) == -1)
		return -1;
	if (s->over)
		return 0;
	return mfclient_end(s->c, s->r, e);
}

static bool
is_decided(const struct sending *s)
{
	return s->over || s->answer != SMFIR_CONTINUE;
}

static int
send_message(struct sending *s, struct err *e)
{
	if (s->c->fd == -1 && (connect_socket(s->c, e) == -1 ||
	    negotiate(s->c, e) == -1 || greet(s->c, e) == -1))
		return -1;
	s->c->message++;
	s->r->leadspc = (s->c->protocol & SMFIP_HDR_LEADSPC) != 0;
	s->answer = s->c->early != 0 ? s->c->early : SMFIR_CONTINUE;
	if (!is_decided(s) && pass_stage(s, MF_HELO, e) == -1)
		return -1;
	if (!is_decided(s) && send_envelope(s, e) == -1)
		return -1;
	if (!is_decided(s) && send_plain(s, MF_DATA, e) == -1)
		return -1;
	if (!is_decided(s) && send_fields(s, e) == -1)
		return -1;
	if (!is_decided(s) && send_plain(s, MF_EOH, e) == -1)
		return -1;
	if (!is_decided(s) && send_body(s, e) == -1)
		return -1;
	if (!is_decided(s))
		return send_end(s, e);
	if (!s->over)
		mfclient_outcome(s->c, s->answer, s->r);
	/* Decided before its end: the filter is told that it is over. */
	if (!s->over && s->c->early == 0) {
		put_packet(s->c, SMFIC_ABORT, view_make(NULL, 0));
		return flush_out(s->c, e);
	}
	return 0;
}

void
mfclient_send(struct mf_client *c, const struct mf_message *m,
    struct mf_result *r)
{
	static atomic_uint serial;
	struct sending s = { .c = c, .m = m, .r = r };
	struct timespec a, b;
	struct err e = { 0 };
	int rc;

	r->outcome = MF_BROKEN;
	r->reply[0] = '\0';
	(void)snprintf(r->queue_id, sizeof(r->queue_id), "%05X%05X",
	    (unsigned)getpid() & 0xfffff,
	    atomic_fetch_add(&serial, 1) & 0xfffff);
	clock_gettime(CLOCK_MONOTONIC, &a);
	rc = send_message(&s, &e);
	clock_gettime(CLOCK_MONOTONIC, &b);
	r->seconds = (double)(b.tv_sec - a.tv_sec) +
	    (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	if (rc == -1) {
		r->outcome = MF_BROKEN;
		(void)snprintf(r->reply, sizeof(r->reply), "%s", e.msg);
	}
	if (rc == -1 || r->outcome == MF_DROPPED)
		close_client(c);
}
