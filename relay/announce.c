/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the administrator is told of destinations: a pinned certificate that
 * is another one or ends soon, a domain that no longer enforces MTA-STS. A
 * log line, and mail where notices { } says so; each at most once a day.
 */
#include <stdlib.h>
#include <string.h>

#include "fetch/submit.h"
#include "relay/engine_int.h"
#include "util/log.h"
#include "util/ossl.h"
#include "util/when.h"

#define DAY_S 86400
#define SOON_S (14 * DAY_S)
#define TOLD 512      /* what was told today, and is not told again */
#define WAITING 32    /* sentences for the next mail; beyond: log only */
#define SUBMIT_MS 30000
#define MAIL_MAX 65536

struct told {
	unsigned char key[32];
	int64_t at;
};

struct announcer {
	const struct relay_config *c;
	pthread_mutex_t lock;
	struct told told[TOLD];
	char *waiting[WAITING];
	size_t n;
};

int announcer_new(struct announcer **out, const struct relay_config *c,
    struct err *e)
{
	struct announcer *a = calloc(1, sizeof(*a));

	*out = a;
	if (a == NULL)
		return err_set(e, FAIL_TEMP, "engine: out of memory");
	a->c = c;
	(void)pthread_mutex_init(&a->lock, NULL);
	return 0;
}

void announcer_free(struct announcer **ap)
{
	struct announcer *a = *ap;

	if (a == NULL)
		return;
	while (a->n > 0)
		free(a->waiting[--a->n]);
	(void)pthread_mutex_destroy(&a->lock);
	free(a);
	*ap = NULL;
}

/* With the lock. The oldest one is forgotten for a new one. */
static bool is_new(struct announcer *a, const char *what, const char *whom,
    int64_t now)
{
	unsigned char key[32];
	struct told *oldest = &a->told[0], *t;
	struct buf b;

	buf_init(&b, 1024);
	buf_printf(&b, "%s %s", what, whom);
	ossl_sha256(b.p, b.n, key);
	buf_free(&b);
	for (t = a->told; t < a->told + TOLD; t++) {
		if (t->at != 0 && now < t->at + DAY_S &&
		    memcmp(t->key, key, sizeof(key)) == 0)
			return false;
		if (t->at < oldest->at)
			oldest = t;
	}
	memcpy(oldest->key, key, sizeof(key));
	oldest->at = now;
	return true;
}

static char *with_dot(const char *sentence)
{
	struct buf b;
	char *s;

	buf_init(&b, 4096);
	buf_printf(&b, "%s.", sentence);
	s = b.failed ? NULL : view_strdup(buf_view(&b));
	buf_free(&b);
	return s;
}

static void announce(struct announcer *a, const char *what, const char *whom,
    const char *sentence, int64_t now)
{
	char line[900];
	size_t n;
	bool told;

	(void)pthread_mutex_lock(&a->lock);
	told = !is_new(a, what, whom, now);
	if (!told && a->n < WAITING && a->c->notices_via != NULL) {
		a->waiting[a->n] = with_dot(sentence);
		a->n += a->waiting[a->n] != NULL;
	}
	(void)pthread_mutex_unlock(&a->lock);
	if (told)
		return;
	n = log_value(line, sizeof(line), 0, "destination", whom);
	(void)log_value(line, sizeof(line), n, "what", sentence);
	log_warn("event=%s %s", what, line);
}

static void tell_changed(struct announcer *a, const struct route_seen *s,
    int64_t now)
{
	char cert[65], spki[65];
	struct buf b;

	buf_init(&b, 2048);
	buf_printf(&b, "%s at %s shows a certificate that is none of those "
	    "pinned in %s. What it shows now: certificate sha256:%s, key "
	    "sha256:%s. Ask them before you pin it", s->nexthop, s->host,
	    s->because, hex_encode(cert, s->got.cert_sha256, 32),
	    hex_encode(spki, s->got.spki_sha256, 32));
	announce(a, "pin-changed", s->nexthop, buf_str(&b), now);
	buf_free(&b);
}

static void tell_ending(struct announcer *a, const struct route_seen *s,
    int64_t now)
{
	char date[WHEN_SIZE];
	struct buf b;

	buf_init(&b, 2048);
	buf_printf(&b, "The pinned certificate of %s at %s (%s) ends on %s. "
	    "Pin the next one, or its key, beside it", s->nexthop, s->host,
	    s->because, when_date(date, s->got.not_after));
	announce(a, "pin-ends", s->nexthop, buf_str(&b), now);
	buf_free(&b);
}

void announcer_seen(struct announcer *a, const struct route_seen *s,
    int64_t now)
{
	if (!s->has_pins || !s->got.has_cert)
		return;
	if (!s->got.is_verified)
		tell_changed(a, s, now);
	else if (s->got.not_after < now + SOON_S)
		tell_ending(a, s, now);
}

void announcer_sts(struct announcer *a, const char *domain,
    enum sts_mode was, enum sts_mode is, int64_t now)
{
	struct buf b;

	if (was != STS_ENFORCE || is == STS_ENFORCE)
		return;
	buf_init(&b, 2048);
	buf_printf(&b, "%s no longer enforces MTA-STS: its policy is \"%s\" "
	    "now. Mail for it may go out without a verified host from here "
	    "on, unless DANE or a line of tls-policy says otherwise", domain,
	    sts_mode_str(is));
	announce(a, "sts-weaker", domain, buf_str(&b), now);
	buf_free(&b);
}

/* ---- mail ---- */

static void put_ascii(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++)
		buf_putc(b, *s >= ' ' && *s <= '~' ? *s : '?');
}

/* Lines of at most 72 octets, broken at blanks. */
static void put_folded(struct buf *b, const char *s)
{
	size_t n, cut;

	while (*s != '\0') {
		n = cut = strlen(s);
		if (n > 72)
			for (cut = 72; cut > 0 && s[cut] != ' '; cut--)
				continue;
		if (cut == 0)
			cut = n < 900 ? n : 900;
		for (n = 0; n < cut; n++)
			buf_putc(b, s[n] >= ' ' && s[n] <= '~' ? s[n] : '?');
		buf_puts(b, "\r\n");
		s += cut;
		s += *s == ' ';
	}
}

static void compose(const struct announcer *a, struct buf *mail,
    const char *host, int64_t now)
{
	unsigned char id[12];
	char date[WHEN_SIZE], hex[25];
	size_t i;

	ossl_random(id, sizeof(id));
	buf_printf(mail, "From: postseal <postmaster@%s>\r\nTo: ", host);
	put_ascii(mail, a->c->notices_to);
	buf_printf(mail, "\r\nSubject: postseal-relay on %s: %zu destinations "
	    "want your attention\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n",
	    host, a->n, when_mail(date, now), hex_encode(hex, id,
	    sizeof(id)), host);
	buf_puts(mail, "Auto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n\r\n");
	for (i = 0; i < a->n; i++) {
		buf_puts(mail, i == 0 ? "" : "\r\n");
		put_folded(mail, a->waiting[i]);
	}
}

static void send_mail(const struct announcer *a, const char *host,
    struct view mail)
{
	const struct submission s = { a->c->notices_via, host,
	    a->c->notices_to, mail };
	char line[600];
	struct err e;

	if (submit_mail(&s, SUBMIT_MS, &e) == 0)
		return;
	(void)log_value(line, sizeof(line), 0, "why", e.msg);
	log_warn("event=notice %s", line);
}

void announcer_send(struct announcer *a)
{
	const char *host = a->c->hostname == NULL ? "localhost" :
	    a->c->hostname;
	struct buf mail;

	buf_init(&mail, MAIL_MAX);
	(void)pthread_mutex_lock(&a->lock);
	if (a->n > 0 && a->c->notices_to != NULL)
		compose(a, &mail, host, (int64_t)time(NULL));
	while (a->n > 0)
		free(a->waiting[--a->n]);
	(void)pthread_mutex_unlock(&a->lock);
	if (mail.n > 0 && !mail.failed)
		send_mail(a, host, buf_view(&mail));
	buf_free(&mail);
}
