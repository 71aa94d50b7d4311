/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The words that senders read: sentences of replies and of notices, in
 * several languages. English is built in; files in our configuration language
 * have others. Nothing of any mail is in them.
 */
#ifndef GATEWAY_TEXTS_H
#define GATEWAY_TEXTS_H

#include "gateway/config.h"

enum text_id {
	/* replies, one line each */
	TEXT_NO_CERTIFICATE,
	TEXT_DIFFERENT_BODIES,
	TEXT_NOT_ALLOWED,
	TEXT_NO_SIGNING_CERT,
	TEXT_ALGORITHM,
	TEXT_REFUSED_BY_RULE,
	TEXT_RECIPIENT,
	TEXT_MALFORMED,
	TEXT_TOO_LARGE,
	TEXT_CLEAR_ANSWER,
	TEXT_NOT_VERIFIED,
	TEXT_VERIFY_LATER,
	TEXT_KEYS_AWAY,
	TEXT_DIRECTORY_AWAY,
	TEXT_OVERLOAD,
	TEXT_INTERNAL,
	/* notices: subjects */
	TEXT_HELD_SUBJECT,
	TEXT_RELEASED_SUBJECT,
	TEXT_EXPIRED_SUBJECT,
	TEXT_DELETED_SUBJECT,
	TEXT_NOTIFY_HELD_SUBJECT,
	TEXT_NOTIFY_EXPIRED_SUBJECT,
	/* notices: paragraphs */
	TEXT_HELD,	/* %1 when the message came */
	TEXT_HELD_UNTIL, /* %1 day */
	TEXT_RELEASED,	/* %1 when it came */
	TEXT_EXPIRED,	/* %1 when it came */
	TEXT_DELETED,	/* %1 when it came */
	TEXT_NOTIFY_HELD,    /* %1 when it came, %2 sender */
	TEXT_NOTIFY_EXPIRED, /* %1 when it came, %2 sender */
	TEXT_RECIPIENTS,
	TEXT_MORE,   /* %1 how many recipients are not named */
	TEXT_REASON, /* %1 one sentence, in English */
	TEXT_NUMBER, /* %1 id */
	TEXT_END,    /* %1 the program's host, %2 the administrator */
	TEXT_N
};

const char *text_key(enum text_id id); /* "reply.no-certificate" */
/* English. */
const char *text_built_in(enum text_id id);
/* Is it a reply, and so made ASCII? */
bool text_is_reply(enum text_id id);

/* One language. */
struct texts;
/* texts NULL: English. Never NULL; what it lacks is English. */
const char *texts_get(const struct texts *t, enum text_id id);
/* Its texts with the values put in place of %1 and %2, appended. */
void texts_put(const struct texts *t, enum text_id id, const char *const *value,
    size_t values, struct buf *out);

/* A file of texts. All errors are in ce: unknown keys, one twice, not UTF-8,
 * placeholders other than those of the English text. */
int texts_read(struct texts **out, const char *path, const char *name,
    struct conf_errors *ce) MUST_CHECK;
void texts_free(struct texts **t);
const char *texts_name(const struct texts *t); /* "de"; NULL: "en" */
/* How many it lacks. */
size_t texts_lacking(const struct texts *t);

/* At the end of config_read(): every language that the configuration names.
 * Errors are in ce. */
void texts_load(struct config *c, struct conf_errors *ce);
void texts_unload(struct config *c);
/* What they lack, a sentence for each language. */
void texts_warn(const struct config *c, void (*say)(const char *sentence));

/*
 * The language of who sent this, a raw path argument: by language ... for;
 * else the configuration's for who is local, and English for anybody else.
 * NULL: English.
 */
const struct texts *texts_for(const struct config *c, const char *raw_path);

/*
 * Text for where only ASCII may stand (RFC 5321 4.5.3.1.5), appended: letters
 * with marks become those without or their usual spelling ("ae", "ss"), the
 * rest '?'.
 */
void texts_ascii(const char *utf8, struct buf *out);

#endif
