/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Reads the record, not the verdict itself: so that what is told today and
 * what is told later of the same message are one thing.
 */
#include "cli/story.h"

#include <string.h>

#include "util/json_read.h"
#include "util/utf8.h"
#include "util/when.h"

#define TEXT 1200 /* octets of the longest member that is shown */

struct story {
	struct json_tree t;
	const struct json_node *v; /* the verdict */
	struct buf *out;
	bool dry;
};

struct meaning {
	const char *word;
	const char *sentence;
};

static const struct meaning classes[] = {
	{"normal", "ordinary mail"},
	{"dsn", "a delivery report"},
	{"mdn", "a notice that mail was read"},
	{"acme", "from or to an automatic certificate authority"},
	{"report", "a report of a machine (TLS or DMARC)"},
	{"encrypted", "encrypted already when it came"},
	{"signed", "signed already when it came"},
	{"pgp", "OpenPGP"},
	{"calendar", "an invitation"},
	{"auto", "an automatic answer"},
	{"resent", "sent again by somebody else"},
	{"list", "of a mailing list"},
};

static const struct meaning outcomes[] = {
	{"passed", "delivered as it came"},
	{"sealed", "encrypted"},
	{"signed", "signed, in clear"},
	{"plain", "in clear, not signed"},
	{"tls-required", "in clear, only over a verified TLS hop"},
	{"opened", "decrypted and delivered open"},
	{"verified", "signature checked, delivered"},
	{"stored-encrypted", "encrypted for the mailbox"},
	{"refused", "refused"},
	{"deferred", "deferred, the sender tries again"},
	{"quarantined", "kept until somebody decides"},
};

static const struct meaning steps[] = {
	{"S62", "the form of the message"},
	{"S63", "the form of the CMS object"},
	{"S64", "the content, where it belongs"},
	{"S65", "the type of the content"},
	{"S66", "that somebody signed"},
	{"S67", "the signed attributes"},
	{"S68", "algorithms and key sizes"},
	{"S69", "the signer's certificate, which must be in the message or "
	    "the keystore"},
	{"S70", "digest and signature: that nothing was changed"},
	{"S71", "what the certificate may be used for"},
	{"S72", "a path to a root that is trusted here"},
	{"S73", "that no certificate of the path is revoked"},
	{"S74", "that the signer is the author in From"},
	{"S75", "that the signature covers the whole message"},
	{"S76", "several signers"},
	{"S77", "the time of signing"},
	{"S112", "the author's capabilities, once each"},
};

static const char *meaning_of(const struct meaning *m, size_t n,
    const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(m[i].word, word) == 0)
			return m[i].sentence;
	return NULL;
}

const char *story_step(const char *step)
{
	return meaning_of(steps, ARRAY_LEN(steps), step);
}

/* ---- members ---- */

static const struct json_node *member(const struct story *s,
    const struct json_node *x, const char *key)
{
	return json_get(&s->t, x, key);
}

/* A text that is safe on a terminal; "" when there is none. */
static const char *shown(const struct json_node *x, char text[TEXT])
{
	(void)json_text(x, text, TEXT);
	utf8_mask(text);
	return text;
}

static const char *text_of(const struct story *s, const struct json_node *x,
    const char *key, char text[TEXT])
{
	return shown(member(s, x, key), text);
}

static bool is_word(const struct story *s, const struct json_node *x,
    const char *key, const char *word)
{
	char text[TEXT];

	return strcmp(text_of(s, x, key, text), word) == 0;
}

#define line(s, label, ...)                              \
	do {                                             \
		buf_printf((s)->out, "%-14s", (label));  \
		buf_printf((s)->out, __VA_ARGS__);       \
		buf_putc((s)->out, '\n');                \
	} while (0)

/* One member on a line of its own, if there is one. */
static void member_line(struct story *s, const struct json_node *x,
    const char *label, const char *key)
{
	char text[TEXT];

	if (text_of(s, x, key, text)[0] != '\0')
		line(s, label, "%s", text);
}

/* "1234567890abcdef  CN=Bob  until 2027-01-01" */
static void certificate_line(struct story *s, const char *label,
    const struct json_node *cert)
{
	char sha256[TEXT], subject[TEXT], source[TEXT], date[WHEN_SIZE];

	text_of(s, cert, "source", source);
	line(s, label, "%.16s  %s  until %s%s%s", text_of(s, cert, "sha256",
	    sha256), text_of(s, cert, "subject", subject), when_date(date,
	    json_number(member(s, cert, "not_after"), 0)),
	    source[0] != '\0' ? "  from " : "", source);
}

/* ---- the message ---- */

static void tell_who(struct story *s)
{
	char id[TEXT], queue[TEXT], sender[TEXT], login[TEXT];
	char date[WHEN_SIZE];
	const struct json_node *at = member(s, s->v, "time");

	text_of(s, s->v, "queue_id", queue);
	if (text_of(s, s->v, "id", id)[0] != '\0')
		line(s, "id", "%s%s%s", id, queue[0] != '\0'
		    ? ", queue id " : "", queue);
	if (json_is(at, JSON_NUMBER))
		line(s, "time", "%s", when_timestamp(date,
		    json_number(at, 0)));
	if (!json_is(member(s, s->v, "sender"), JSON_STRING))
		return;
	text_of(s, s->v, "sender", sender);
	text_of(s, s->v, "login", login);
	line(s, "from", "<%s>%s%s", sender, login[0] != '\0'
	    ? ", logged in as " : ", no login", login);
}

static void tell_reply(struct story *s, const struct json_node *reply,
    const char *label)
{
	char enhanced[TEXT], text[TEXT];

	text_of(s, reply, "enhanced", enhanced);
	line(s, label, "%lld %s%s%s", (long long)json_number(member(s, reply,
	    "code"), 0), enhanced, enhanced[0] != '\0' ? " " : "",
	    text_of(s, reply, "text", text));
}

static void tell_would(struct story *s)
{
	const struct json_node *would = member(s, s->v, "would");
	char action[TEXT];

	if (!json_is(member(s, s->v, "observed"), JSON_TRUE))
		return;
	line(s, "observed", "nothing was done; it would have been %s",
	    text_of(s, would, "action", action));
	if (json_is(member(s, would, "code"), JSON_NUMBER))
		tell_reply(s, would, "would say");
}

static void tell_what(struct story *s)
{
	char word[TEXT], action[TEXT];
	const char *sentence;

	member_line(s, s->v, "direction", "direction");
	text_of(s, s->v, "class", word);
	sentence = meaning_of(classes, ARRAY_LEN(classes), word);
	if (word[0] != '\0')
		line(s, "class", "%s%s%s", word, sentence != NULL ? ": "
		    : "", sentence != NULL ? sentence : "");
	text_of(s, s->v, "action", action);
	line(s, "action", "%s%s", s->dry ? "would be " : "", action);
	if (json_is(member(s, s->v, "reply"), JSON_OBJECT))
		tell_reply(s, member(s, s->v, "reply"), "reply");
	tell_would(s);
}

/* ---- signature and decryption ---- */

static void tell_made(struct story *s)
{
	const struct json_node *made = member(s, s->v, "signed_with");

	if (!json_is(made, JSON_OBJECT))
		return;
	member_line(s, made, "signed", "algorithm");
	certificate_line(s, "signed with", member(s, made, "certificate"));
}

static void tell_step(struct story *s, const struct json_node *sig)
{
	char step[TEXT];
	const char *what;

	if (text_of(s, sig, "failed_step", step)[0] == '\0')
		return;
	what = story_step(step);
	line(s, "  failed at", "%s%s%s", step, what != NULL ? ": " : "",
	    what != NULL ? what : "");
}

static void tell_signature(struct story *s)
{
	const struct json_node *sig = member(s, s->v, "signature");
	char text[TEXT];

	if (sig == NULL || is_word(s, sig, "result", "none"))
		return;
	line(s, "signature", "%s", text_of(s, sig, "result", text));
	member_line(s, sig, "  because", "reason");
	tell_step(s, sig);
	if (text_of(s, sig, "signer", text)[0] != '\0')
		line(s, "  signer", "%s%s", text, json_is(member(s, sig,
		    "from_match"), JSON_TRUE) ? ", who is the author"
					      : "");
	member_line(s, sig, "  speaks for", "domain");
	member_line(s, sig, "  algorithm", "algorithm");
	member_line(s, sig, "  chain", "chain");
	member_line(s, sig, "  revocation", "revocation");
}

static void tell_decryption(struct story *s)
{
	const struct json_node *d = member(s, s->v, "decryption");
	char text[TEXT];

	if (d == NULL || is_word(s, d, "result", "none"))
		return;
	line(s, "decryption", "%s", text_of(s, d, "result", text));
	member_line(s, d, "  because", "reason");
	member_line(s, d, "  with key of", "recipient");
	member_line(s, d, "  cipher", "cipher");
	member_line(s, d, "  key by", "key_transport");
	if (json_is(member(s, d, "authenticated"), JSON_FALSE))
		line(s, "  note", "this cipher alone does not show changes");
}

static void tell_layers(struct story *s)
{
	const struct json_node *x;
	char kind[TEXT], result[TEXT];
	bool any = false;

	for (x = json_first(&s->t, member(s, s->v, "layers")); x != NULL;
	    x = json_next(&s->t, x)) {
		if (!any)
			buf_printf(s->out, "%-14s", "layers");
		text_of(s, x, "result", result);
		buf_printf(s->out, "%s%s%s%s%s", any ? ", then " : "",
		    text_of(s, x, "kind", kind), result[0] != '\0' ? " ("
		    : "", result, result[0] != '\0' ? ")" : "");
		any = true;
	}
	if (any)
		buf_putc(s->out, '\n');
}

static void tell_harvest(struct story *s)
{
	const struct json_node *h = member(s, s->v, "harvest");
	char address[TEXT], sha256[TEXT], state[TEXT], reason[TEXT];

	if (!json_is(h, JSON_OBJECT))
		return;
	text_of(s, h, "reason", reason);
	line(s, "harvested", "%.16s of %s: %s%s%s", text_of(s, h, "sha256",
	    sha256), text_of(s, h, "address", address), text_of(s, h,
	    "state", state), reason[0] != '\0' ? ", " : "", reason);
}

/* ---- recipients ---- */

/* Whoever shares the copy. */
static void tell_group(struct story *s, const struct json_node *rcpt)
{
	int64_t group = json_number(member(s, rcpt, "group"), 0);
	const struct json_node *x;
	char address[TEXT];
	size_t n = 0;

	if (group == 0)
		return;
	buf_printf(s->out, "%-14s%lld", "  group", (long long)group);
	for (x = json_first(&s->t, member(s, s->v, "recipients"));
	    x != NULL && n < 20; x = json_next(&s->t, x)) {
		if (x == rcpt ||
		    json_number(member(s, x, "group"), 0) != group)
			continue;
		buf_printf(s->out, "%s%s", n == 0 ? ", the same copy as for "
		    : ", ", text_of(s, x, "address", address));
		n++;
	}
	buf_puts(s->out, n == 20 ? " and others\n" : n == 0
	    ? ", a copy alone\n" : "\n");
}

static void tell_rule(struct story *s, const struct json_node *rcpt)
{
	const struct json_node *rule = member(s, rcpt, "rule");
	const struct json_node *x = member(s, rcpt, "wanted");
	char file[TEXT], text[TEXT];
	bool any = false;

	if (json_is(rule, JSON_OBJECT))
		line(s, "  rule", "%s:%lld: %s", text_of(s, rule, "file",
		    file), (long long)json_number(member(s, rule, "line"), 0),
		    text_of(s, rule, "text", text));
	else
		line(s, "  rule", "none: internal mail passes");
	for (x = json_first(&s->t, member(s, rcpt, "also")); x != NULL;
	    x = json_next(&s->t, x))
		line(s, "  also", "%s:%lld: %s", text_of(s, x, "file", file),
		    (long long)json_number(member(s, x, "line"), 0),
		    text_of(s, x, "text", text));
	for (x = json_first(&s->t, member(s, rcpt, "wanted")); x != NULL;
	    x = json_next(&s->t, x)) {
		buf_printf(s->out, any ? ", %s" : "  treatment   %s",
		    shown(x, text));
		any = true;
	}
	if (any)
		buf_putc(s->out, '\n');
}

static void tell_encryption(struct story *s, const struct json_node *rcpt)
{
	const struct json_node *x = member(s, rcpt, "encryption");
	char cipher[TEXT], key[TEXT], why[TEXT];

	if (!json_is(x, JSON_OBJECT))
		return;
	text_of(s, x, "capabilities", why);
	line(s, "  cipher", "%s, %s%s%s%s", text_of(s, x, "cipher", cipher),
	    text_of(s, x, "key_transport", key), why[0] != '\0'
	    ? " (capabilities: " : "", why, why[0] != '\0' ? ")" : "");
}

static void tell_rcpt(struct story *s, const struct json_node *rcpt)
{
	char address[TEXT], outcome[TEXT], sha256[TEXT], reason[TEXT];
	const struct json_node *x;
	const char *sentence;

	text_of(s, rcpt, "outcome", outcome);
	sentence = meaning_of(outcomes, ARRAY_LEN(outcomes), outcome);
	buf_printf(s->out, "\n%s: %s\n", text_of(s, rcpt, "address",
	    address), sentence != NULL ? sentence : outcome);
	member_line(s, rcpt, "  because", "reason");
	tell_rule(s, rcpt);
	tell_group(s, rcpt);
	for (x = json_first(&s->t, member(s, rcpt, "certificates"));
	    x != NULL; x = json_next(&s->t, x))
		certificate_line(s, "  certificate", x);
	for (x = json_first(&s->t, member(s, rcpt, "passed_over")); x != NULL;
	    x = json_next(&s->t, x))
		line(s, "  passed over", "%.16s  %s", text_of(s, x, "sha256",
		    sha256), text_of(s, x, "reason", reason));
	tell_encryption(s, rcpt);
	if (json_is(member(s, rcpt, "reply"), JSON_OBJECT))
		tell_reply(s, member(s, rcpt, "reply"), "  reply");
}

/* ---- the rest ---- */

static void tell_list(struct story *s, const char *title, const char *key)
{
	const struct json_node *x = json_first(&s->t, member(s, s->v, key));
	char text[TEXT];

	if (x == NULL)
		return;
	buf_printf(s->out, "\n%s\n", title);
	for (; x != NULL; x = json_next(&s->t, x)) {
		buf_printf(s->out, "  %s\n", shown(x, text));
	}
}

static void tell_numbers(struct story *s)
{
	int64_t us = json_number(member(s, s->v, "timing_us"), 0);

	line(s, "size", "%lld octets in, %lld out", (long long)json_number(
	    member(s, s->v, "size_in"), 0), (long long)json_number(member(s,
	    s->v, "size_out"), 0));
	line(s, "took", "%lld.%03lld ms", (long long)(us / 1000),
	    (long long)(us % 1000));
}

int story_print(struct view json, bool dry, struct buf *out, struct err *e)
{
	struct story s = {.out = out, .dry = dry};
	const struct json_node *x;

	if (json_read(&s.t, json, e) != 0) {
		json_tree_free(&s.t);
		return -1;
	}
	s.v = &s.t.node[0];
	tell_who(&s);
	tell_what(&s);
	tell_made(&s);
	tell_signature(&s);
	tell_decryption(&s);
	tell_layers(&s);
	tell_harvest(&s);
	tell_numbers(&s);
	for (x = json_first(&s.t, member(&s, s.v, "recipients")); x != NULL;
	    x = json_next(&s.t, x))
		tell_rcpt(&s, x);
	tell_list(&s, "header fields taken from inside", "headers_restored");
	tell_list(&s, "warnings", "warnings");
	json_tree_free(&s.t);
	return buf_ok(out, e);
}
