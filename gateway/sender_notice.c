/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Composes notices about held mail out of texts.h. What stands in them was
 * on the envelope, but for the reason, which is ours.
 */
#include "gateway/sender_notice.h"

#include <string.h>
#include <time.h>

#include "gateway/authority.h"
#include "gateway/gateway_int.h"
#include "gateway/held.h"
#include "gateway/notice.h"
#include "gateway/texts.h"
#include "smime/hdrenc.h"
#include "util/when.h"

#define MAIL_MAX (256u << 10)
#define RCPTS_NAMED 50
#define COLUMNS 72

/* ---- who ---- */

static bool has_field(const struct txn *t, const char *name)
{
	return header_get(&t->h, name, 0) != NULL;
}

/* Does any field of this name begin with one of the words? */
static bool says(const struct txn *t, const char *name,
    const char *const *word, size_t words)
{
	const struct field *f;

	for (size_t n = 0; (f = header_get(&t->h, name, n)) != NULL; n++)
		for (size_t i = 0; i < words; i++)
			if (view_istarts(view_trim(f->value), word[i]))
				return true;
	return false;
}

static bool is_auto(const struct txn *t)
{
	const struct field *f;

	for (size_t n = 0; (f = header_get(&t->h, "Auto-Submitted", n)) !=
	    NULL; n++)
		if (!view_ieq_str(view_trim(f->value), "no"))
			return true;
	return false;
}

bool sender_notice_wanted(const struct txn *t)
{
	static const char *const bulk[] = {"bulk", "list", "junk",
	    "auto_reply"};
	static const char *const silent[] = {"all", "autoreply"};

	return !t->null_sender && t->mail_from.text[0] != '\0' &&
	    !is_auto(t) && !ctype_is(&t->ct, "multipart/report") &&
	    !says(t, "Precedence", bulk, ARRAY_LEN(bulk)) &&
	    !says(t, "X-Auto-Response-Suppress", silent, ARRAY_LEN(silent)) &&
	    !has_field(t, "List-Id") && !has_field(t, "List-Unsubscribe") &&
	    !has_field(t, "List-Post");
}

bool sender_notice_to(const struct config *c, const struct held_mail *m,
    struct addr *a)
{
	return c->notice_via != NULL && c->quarantine.notify_sender &&
	    m->may_tell && m->direction != DIR_INBOUND &&
	    m->login[0] != '\0' && addr_parse_path(a, m->sender, NULL) == 0 &&
	    a->text[0] != '\0' && !a->utf8 && config_is_local(c, a) &&
	    authority_may_sign(c, m->login, NULL, a);
}

/* ---- body ---- */

/* A paragraph, its lines broken at blanks. */
static void put_wrapped(struct buf *out, const char *s)
{
	size_t column = 0, n, chars;

	while (*s != '\0') {
		n = strcspn(s, " ");
		chars = 0;
		for (size_t i = 0; i < n; i++)
			chars += ((unsigned char)s[i] & 0xc0) != 0x80;
		if (column > 0 && column + 1 + chars > COLUMNS) {
			buf_putc(out, '\n');
			column = 0;
		} else if (column > 0) {
			buf_putc(out, ' ');
			column++;
		}
		buf_put(out, s, n);
		column += chars;
		s += n + strspn(s + n, " ");
	}
	buf_puts(out, "\n\n");
}

struct letter {
	const struct config *c;
	const struct texts *texts;
	const struct held_mail *m;
	struct buf text;
};

static void put_text(struct letter *l, enum text_id id, const char *first,
    const char *second)
{
	const char *const value[] = {first, second};
	struct buf b;

	buf_init(&b, 4096);
	texts_put(l->texts, id, value, second != NULL ? 2 : 1, &b);
	put_wrapped(&l->text, buf_str(&b));
	buf_free(&b);
}

/* Addresses that can be read, one a line; nothing that a sender could write
 * beside them. */
static void put_recipients(struct letter *l)
{
	const struct held_mail *m = l->m;
	size_t named = 0;
	struct addr a;
	struct buf b;

	buf_init(&b, 1000);
	buf_printf(&l->text, "%s\n", texts_get(l->texts, TEXT_RECIPIENTS));
	for (size_t i = 0; i < m->rcpts && named < RCPTS_NAMED; i++) {
		buf_clear(&b);
		(void)held_path(m->rcpt[i], &b);
		if (addr_parse_path(&a, buf_str(&b), NULL) != 0)
			continue;
		buf_printf(&l->text, "    %s\n", a.text);
		named++;
	}
	buf_clear(&b);
	buf_printf(&b, "%zu", m->rcpts - named);
	if (named < m->rcpts) {
		buf_puts(&l->text, "    ");
		texts_put(l->texts, TEXT_MORE, &(const char *){buf_str(&b)},
		    1, &l->text);
		buf_putc(&l->text, '\n');
	}
	buf_putc(&l->text, '\n');
	buf_free(&b);
}

static void put_rest(struct letter *l)
{
	const struct config *c = l->c;
	struct buf postmaster;

	put_recipients(l);
	if (l->m->reason[0] != '\0')
		put_text(l, TEXT_REASON, l->m->reason, NULL);
	put_text(l, TEXT_NUMBER, l->m->id, NULL);
	buf_init(&postmaster, 1000);
	buf_printf(&postmaster, "postmaster@%s", c->domain[0]);
	put_text(l, TEXT_END, c->authserv_id, c->administrator != NULL ?
	    c->administrator : buf_str(&postmaster));
	buf_free(&postmaster);
}

/* "2026-11-21 10:15 UTC": the same in every language. */
static const char *point(char dst[WHEN_SIZE], int64_t t)
{
	struct buf b;

	buf_init(&b, WHEN_SIZE - 1);
	buf_printf(&b, "%.10s", when_timestamp(dst, t));
	buf_printf(&b, " %.5s UTC", dst + 11);
	text_set(dst, WHEN_SIZE, buf_str(&b));
	buf_free(&b);
	return dst;
}

/* ---- the mail ---- */

static int finish(struct letter *l, const char *to, enum text_id subject,
    int64_t now, struct buf *mail, struct err *e)
{
	char id[20], date[WHEN_SIZE];
	struct view words = view_of(texts_get(l->texts, subject));
	bool is_ascii = true;

	for (size_t i = 0; i < words.n; i++)
		is_ascii = is_ascii && words.p[i] < 0x80;
	verdict_new_id(id);
	buf_printf(mail, "From: postseal <postmaster@%s>\r\nTo: <%s>\r\n"
	    "Subject: ", l->c->domain[0], to);
	if (is_ascii)
		buf_putv(mail, words);
	else
		hdrenc_words(mail, words);
	buf_printf(mail, "\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n",
	    when_mail(date, now), id, l->c->authserv_id);
	notice_put_type(mail);
	return notice_put_body(mail, buf_view(&l->text), e);
}

int sender_notice_compose(const struct config *c, enum told what,
    const struct held_mail *m, int64_t now, struct buf *mail, struct err *e)
{
	static const struct {
		enum text_id subject, text;
	} id[] = {
		[TOLD_HELD] = {TEXT_HELD_SUBJECT, TEXT_HELD},
		[TOLD_RELEASED] = {TEXT_RELEASED_SUBJECT, TEXT_RELEASED},
		[TOLD_EXPIRED] = {TEXT_EXPIRED_SUBJECT, TEXT_EXPIRED},
		[TOLD_DELETED] = {TEXT_DELETED_SUBJECT, TEXT_DELETED},
	};
	struct letter l = {.c = c, .texts = texts_for(c, m->sender), .m = m};
	char when[WHEN_SIZE];
	struct addr a;
	int rc;

	if (addr_parse_path(&a, m->sender, e) != 0)
		return -1;
	buf_init(&l.text, MAIL_MAX);
	put_text(&l, id[what].text, point(when, m->at), NULL);
	if (what == TOLD_HELD)
		put_text(&l, TEXT_HELD_UNTIL, when_date(when, m->at +
		    c->quarantine.keep_s), NULL);
	put_rest(&l);
	rc = finish(&l, a.text, id[what].subject, now, mail, e);
	buf_free(&l.text);
	return rc == 0 ? buf_ok(mail, e) : -1;
}

int sender_notice_compose_notify(const struct config *c, enum told what,
    const struct held_mail *m, int64_t now, struct buf *mail, struct err *e)
{
	bool is_held = what == TOLD_HELD;
	struct letter l = {.c = c, .m = m,
	    .texts = texts_for(c, c->quarantine.notify)};
	char when[WHEN_SIZE];
	struct addr a;
	int rc;

	if (addr_parse_path(&a, m->sender, NULL) != 0)
		memset(&a, 0, sizeof(a));
	buf_init(&l.text, MAIL_MAX);
	put_text(&l, is_held ? TEXT_NOTIFY_HELD : TEXT_NOTIFY_EXPIRED,
	    point(when, m->at), a.text[0] == '\0' ? "<>" : a.text);
	put_rest(&l);
	rc = finish(&l, c->quarantine.notify, is_held ?
	    TEXT_NOTIFY_HELD_SUBJECT : TEXT_NOTIFY_EXPIRED_SUBJECT, now,
	    mail, e);
	buf_free(&l.text);
	return rc == 0 ? buf_ok(mail, e) : -1;
}

/* ---- queueing ---- */

static int tell_sender(struct keystore *ks, const struct config *c,
    enum told what, const struct held_mail *m, int64_t now, struct err *e)
{
	const struct told_limit limit = {TOLD_EACH, TOLD_ALL};
	struct addr a;
	struct buf mail;
	int rc;

	if (!sender_notice_to(c, m, &a))
		return 0;
	buf_init(&mail, MAIL_MAX);
	rc = sender_notice_compose(c, what, m, now, &mail, e);
	if (rc == 0)
		rc = keystore_tell(ks, a.text, buf_view(&mail), now, &limit,
		    e);
	buf_free(&mail);
	return rc;
}

/* He reads the list when there is much. */
static int tell_notify(struct keystore *ks, const struct config *c,
    enum told what, const struct held_mail *m, int64_t now, struct err *e)
{
	const struct told_limit limit = {TOLD_EACH, TOLD_ALL};
	struct buf mail;
	int rc;

	if (c->notice_via == NULL || c->quarantine.notify == NULL ||
	    (what != TOLD_HELD && what != TOLD_EXPIRED))
		return 0;
	buf_init(&mail, MAIL_MAX);
	rc = sender_notice_compose_notify(c, what, m, now, &mail, e);
	if (rc == 0)
		rc = keystore_tell(ks, c->quarantine.notify, buf_view(&mail),
		    now, &limit, e);
	buf_free(&mail);
	if (rc != 0 && e->kind == FAIL_LIMIT) {
		err_clear(e);
		return 0;
	}
	return rc;
}

int sender_notice_queue(struct keystore *ks, const struct config *c,
    enum told what, const struct held_mail *m, int64_t now, struct err *e)
{
	if (tell_sender(ks, c, what, m, now, e) != 0)
		return -1;
	return tell_notify(ks, c, what, m, now, e);
}
