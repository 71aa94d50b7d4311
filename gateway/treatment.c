/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Treatments of a rule: parsed, checked against the direction and each
 * other, printed. What this version cannot do is refused here by name.
 */
#include "gateway/rules_int.h"

#include <string.h>

#include "gateway/protect.h"

/* Directions in which a word makes sense; internal mail has both sides. */
enum side { SIDE_OUT = 1, SIDE_IN = 2, SIDE_ANY = 3 };

struct word {
	const char *s;
	enum side side;
	const char *or_words; /* allowed after "or" */
	size_t flag;	      /* offset of the bool in struct treatment */
	size_t or_flag;	      /* offset of the enum or_else, 0: none */
};

#define FLAG(f) offsetof(struct treatment, f)
static const struct word word[] = {
	{"sign", SIDE_OUT, "plain", FLAG(sign), FLAG(sign_or)},
	{"encrypt", SIDE_OUT, "plain, tls, quarantine", FLAG(encrypt),
	    FLAG(encrypt_or)},
	{"opaque", SIDE_OUT, "", FLAG(opaque), 0},
	{"decrypt", SIDE_IN, "", FLAG(decrypt), 0},
	{"leave-sealed", SIDE_IN, "", FLAG(leave_sealed), 0},
	{"verify", SIDE_IN, "quarantine, reject", FLAG(verify),
	    FLAG(verify_or)},
	{"harvest", SIDE_IN, "", FLAG(harvest), 0},
	{"store-encrypted", SIDE_IN, "", FLAG(store_encrypted), 0},
	{"pass", SIDE_ANY, "", FLAG(pass), 0},
	{"per-recipient", SIDE_OUT, "", FLAG(per_recipient), 0},
	{"remove-trigger", SIDE_OUT, "", FLAG(remove_trigger), 0},
};

static const char *const or_name[] = {
	[OR_MUST] = "",
	[OR_PLAIN] = "plain",
	[OR_TLS] = "tls",
	[OR_QUARANTINE] = "quarantine",
	[OR_REJECT] = "reject",
};

struct parser {
	const struct rules *r;
	struct rule *rule;
	const struct conf_stmt *st;
	struct conf_errors *ce;
	size_t first; /* word behind the colon */
	struct writing_base base; /* the profile */
	unsigned sides; /* of all words so far */
	bool has_revocation;
};

static bool *flag_of(struct treatment *t, const struct word *k)
{
	return (bool *)((char *)t + k->flag);
}

static bool flag_is_set(const struct treatment *t, const struct word *k)
{
	return *(const bool *)((const char *)t + k->flag);
}

static enum or_else or_of(const struct treatment *t, const struct word *k)
{
	if (k->or_flag == 0)
		return OR_MUST;
	return *(const enum or_else *)(const void *)((const char *)t +
	    k->or_flag);
}

static const struct word *find_word(const char *s)
{
	for (size_t i = 0; i < ARRAY_LEN(word); i++)
		if (strcmp(word[i].s, s) == 0)
			return &word[i];
	return NULL;
}

static bool fits(const struct parser *p, enum side side)
{
	return !(p->rule->direction == DIR_OUTBOUND && side == SIDE_IN) &&
	    !(p->rule->direction == DIR_INBOUND && side == SIDE_OUT);
}

static void check_side(struct parser *p, enum side side, size_t w)
{
	if (!fits(p, side))
		conf_error(p->ce, p->st, w, "%s is for %s mail, not for %s",
		    p->st->word[w].s, side == SIDE_IN ? "inbound" : "outbound",
		    direction_str(p->rule->direction));
	if (side != SIDE_ANY)
		p->sides |= (unsigned)side;
}

/* "or X" after the word k; w is at "or". Returns the index after it. */
static size_t parse_or(struct parser *p, const struct word *k, size_t w)
{
	const char *s;
	enum or_else *slot;

	if (w + 1 >= p->st->words || k->or_flag == 0) {
		conf_error(p->ce, p->st, w,
		    k->or_flag == 0 ? "%s has no alternative"
				    : "%s or: expected one of %s", k->s,
		    k->or_words);
		return w + 2;
	}
	s = p->st->word[w + 1].s;
	slot = (enum or_else *)(void *)((char *)&p->rule->treatment +
	    k->or_flag);
	if (p->st->word[w + 1].quoted || !rules_is_one_of(k->or_words, s)) {
		conf_error(p->ce, p->st, w + 1,
		    "%s or: expected one of %s, found %s", k->s,
		    k->or_words, s);
		return w + 2;
	}
	for (size_t i = OR_PLAIN; i < ARRAY_LEN(or_name); i++)
		if (strcmp(or_name[i], s) == 0)
			*slot = (enum or_else)i;
	if (*slot == OR_TLS && p->r->no_tls_route[0] != '\0')
		conf_error(p->ce, p->st, w + 1, "encrypt or tls: %s in "
		    "postseal.conf has no tls-route, a port from where mail "
		    "leaves over verified hops alone", p->r->no_tls_route);
	if (*slot == OR_QUARANTINE && strcmp(k->s, "encrypt") == 0 &&
	    p->r->no_quarantine)
		conf_error(p->ce, p->st, w + 1, "encrypt or quarantine: "
		    "postseal.conf has no quarantine { } to keep the mail in");
	return w + 2;
}

static size_t parse_flag(struct parser *p, const struct word *k, size_t w)
{
	bool *flag = flag_of(&p->rule->treatment, k);

	if (*flag)
		conf_error(p->ce, p->st, w, "%s stands in this line already",
		    k->s);
	*flag = true;
	check_side(p, k->side, w);
	if (rules_word_is(p->st, w + 1, "or"))
		return parse_or(p, k, w + 1);
	return w + 1;
}

static size_t parse_profile(struct parser *p, size_t w)
{
	struct treatment *t = &p->rule->treatment;
	int line;

	if (t->profile != NULL)
		conf_error(p->ce, p->st, w,
		    "profile stands in this line already");
	check_side(p, SIDE_OUT, w);
	if (w + 1 >= p->st->words) {
		conf_error(p->ce, p->st, w, "profile: expected a name");
		return w + 1;
	}
	t->profile = p->st->word[w + 1].s;
	p->base.name = t->profile;
	p->base.words = rules_profile(p->r, t->profile, &line);
	if (p->base.words == NULL)
		conf_error(p->ce, p->st, w + 1, "no profile %s above, and "
		    WRITING_PROFILES " come with the program", t->profile);
	return w + 2;
}

static size_t parse_protect(struct parser *p, size_t w)
{
	struct treatment *t = &p->rule->treatment;
	size_t next;

	if (t->protect_headers != NULL)
		conf_error(p->ce, p->st, w,
		    "protect-headers stands in this line already");
	check_side(p, SIDE_OUT, w);
	t->protect_headers = rules_value(p->st, w, PROTECT_POLICIES, &next,
	    p->ce);
	return next;
}

/* Soft is how it is when nothing is said. */
static size_t parse_revocation(struct parser *p, size_t w)
{
	size_t next;

	if (p->has_revocation)
		conf_error(p->ce, p->st, w,
		    "revocation stands in this line already");
	p->has_revocation = true;
	if (strcmp(rules_value(p->st, w, "hard, soft", &next, p->ce),
	    "hard") == 0)
		p->rule->treatment.revocation_hard = true;
	return next;
}

static size_t parse_refuse(struct parser *p, size_t w)
{
	struct treatment *t = &p->rule->treatment;

	if (t->refuse != NULL)
		conf_error(p->ce, p->st, w,
		    "refuse stands in this line already");
	if (w + 1 >= p->st->words || !p->st->word[w + 1].quoted ||
	    p->st->word[w + 1].s[0] == '\0') {
		conf_error(p->ce, p->st, w, "refuse: expected a \"text\"");
		t->refuse = "refused";
		return w + 1;
	}
	t->refuse = p->st->word[w + 1].s;
	return w + 2;
}

/* What this version can carry out. */
#define FOR_OUTBOUND                                                        \
	"sign, encrypt, opaque, per-recipient, remove-trigger, profile, "   \
	WRITING_SIGNS ", " WRITING_ENCRYPTS ", protect-headers, "
#define FOR_INBOUND                                                         \
	"decrypt, leave-sealed, verify, harvest, store-encrypted, "

static size_t parse_one(struct parser *p, size_t w)
{
	const struct word *k;
	size_t first = w;

	if (!p->st->word[w].quoted) {
		if (writing_parse(&p->rule->treatment.words, p->st, &w,
		    p->ce)) {
			check_side(p, SIDE_OUT, first);
			return w;
		}
		k = find_word(p->st->word[w].s);
		if (k != NULL)
			return parse_flag(p, k, w);
		if (rules_word_is(p->st, w, "profile"))
			return parse_profile(p, w);
		if (rules_word_is(p->st, w, "protect-headers"))
			return parse_protect(p, w);
		if (rules_word_is(p->st, w, "revocation"))
			return parse_revocation(p, w);
		if (rules_word_is(p->st, w, "refuse"))
			return parse_refuse(p, w);
	}
	if (rules_is_condition(p->st, w))
		conf_error(p->ce, p->st, w, "%s is a condition: it stands "
		    "before the colon", p->st->word[w].s);
	else
		conf_error(p->ce, p->st, w, "unknown treatment %s, expected "
		    "%s%srevocation, pass or refuse", p->st->word[w].s,
		    p->rule->direction == DIR_INBOUND ? "" : FOR_OUTBOUND,
		    p->rule->direction == DIR_OUTBOUND ? "" : FOR_INBOUND);
	while (w < p->st->words && !rules_word_is(p->st, w, ","))
		w++;
	return w;
}

/* How many treatments does the line have? For pass and refuse. */
static int count(const struct treatment *t)
{
	int n = t->refuse != NULL;

	n += t->profile != NULL;
	n += t->protect_headers != NULL;
	n += writing_is_for_signing(&t->words) ||
	    writing_is_for_encrypting(&t->words);
	for (size_t i = 0; i < ARRAY_LEN(word); i++)
		n += flag_is_set(t, &word[i]);
	return n;
}

/* The first of the line's treatments that is one of names. */
static size_t place_of(const struct parser *p, const char *names)
{
	size_t w = rules_find(p->st, p->first, names);

	return w < p->st->words ? w : p->first;
}

static bool has_trigger(const struct rule *rule)
{
	return rule->look.subjects > 0 || rule->look.headers > 0;
}

/* Fields that are no trigger: who deletes them has another message. */
static bool is_needed_field(const struct rule *rule)
{
	static const char *const name[] = {"From", "Sender", "Reply-To", "To",
	    "Cc", "Bcc", "Date", "Message-ID", "In-Reply-To", "References",
	    "Subject", "MIME-Version", "Received", "Return-Path",
	    "Authentication-Results", "DKIM-Signature", "Auto-Submitted"};

	for (size_t i = 0; i < rule->look.headers; i++) {
		const char *s = rule->look.header[i].name;

		for (size_t k = 0; k < ARRAY_LEN(name); k++)
			if (strcasecmp(s, name[k]) == 0)
				return true;
		if (strncasecmp(s, "Content-", 8) == 0 ||
		    strncasecmp(s, "Resent-", 7) == 0)
			return true;
	}
	return false;
}

static void check_together(const struct parser *p, bool also)
{
	const struct treatment *t = &p->rule->treatment;
	const struct {
		enum side side; /* said already when it does not fit */
		bool is_wrong;
		const char *names, *why;
	} rule[] = {
		{SIDE_ANY, (t->pass || t->refuse != NULL) && (count(t) > 1 ||
		    p->has_revocation), "pass, refuse",
		    "pass and refuse stand alone"},
		{SIDE_OUT, t->opaque && !t->sign, "opaque",
		    "opaque is a form of signature: it needs sign"},
		{SIDE_OUT, t->per_recipient && !t->encrypt, "per-recipient",
		    "per-recipient is about encrypted copies: it needs "
		    "encrypt"},
		{SIDE_OUT, t->remove_trigger && !also, "remove-trigger",
		    "remove-trigger stands only in also lines"},
		{SIDE_OUT, t->remove_trigger && !has_trigger(p->rule),
		    "remove-trigger", "remove-trigger needs a condition "
		    "subject or header that is the trigger"},
		{SIDE_OUT, t->remove_trigger && is_needed_field(p->rule),
		    "remove-trigger", "remove-trigger would delete a field "
		    "that the message needs"},
		{SIDE_OUT, t->profile != NULL && !t->sign && !t->encrypt,
		    "profile", "profile needs sign or encrypt"},
		{SIDE_OUT, writing_is_for_signing(&t->words) && !t->sign,
		    WRITING_SIGNS, WRITING_SIGNS " need sign"},
		{SIDE_OUT, writing_is_for_encrypting(&t->words) && !t->encrypt,
		    WRITING_ENCRYPTS, WRITING_ENCRYPTS " need encrypt"},
		{SIDE_OUT, t->protect_headers != NULL && !t->sign,
		    "protect-headers", "protect-headers needs sign: without a "
		    "signature nobody could believe them (RFC 9788 1.8.2)"},
		{SIDE_IN, t->leave_sealed && t->decrypt, "leave-sealed",
		    "leave-sealed and decrypt contradict each other"},
		{SIDE_IN, t->store_encrypted && t->decrypt, "store-encrypted",
		    "store-encrypted and decrypt contradict each other: what "
		    "arrives encrypted stays so"},
		{SIDE_IN, t->harvest && !t->verify, "harvest", "harvest takes "
		    "certificates out of verified mail: it needs verify"},
		{SIDE_ANY, p->has_revocation && !t->verify && !t->sign &&
		    !t->encrypt, "revocation", "revocation is about "
		    "certificates: it needs sign, encrypt or verify"},
		{SIDE_ANY, p->rule->direction == DIR_INTERNAL &&
		    p->sides == SIDE_ANY, "",
		    "an internal line seals or opens, not both"},
		{SIDE_ANY, also && (t->pass || t->decrypt || t->leave_sealed ||
		    t->harvest || t->sign_or != OR_MUST ||
		    t->encrypt_or == OR_PLAIN || t->encrypt_or == OR_TLS),
		    "pass, decrypt, leave-sealed, harvest, or",
		    "an also line can only strengthen"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rule); i++) {
		if (!rule[i].is_wrong || !fits(p, rule[i].side))
			continue;
		conf_error(p->ce, p->st, place_of(p, rule[i].names), "%s",
		    rule[i].why);
		return;
	}
}

static void finish(struct parser *p, bool also)
{
	struct treatment *t = &p->rule->treatment;
	struct writing_words words;

	check_together(p, also);
	writing_combine(&words, &p->base, &t->words, p->st, p->ce);
	writing_resolve(&words, &t->writing);
	p->rule->said = words;
}

void rules_parse_treatments(const struct rules *r, struct rule *rule, bool also,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce)
{
	struct parser p = {.r = r, .rule = rule, .st = st, .ce = ce,
	    .first = w};

	if (w >= st->words) {
		conf_error(ce, st, st->words - 1,
		    "expected treatments after the colon");
		return;
	}
	while (w < st->words) {
		if (rules_word_is(st, w, ",") || rules_word_is(st, w, ":")) {
			conf_error(ce, st, w, "expected a treatment, found %s",
			    st->word[w].s);
			w++;
			continue;
		}
		w = parse_one(&p, w);
		if (w >= st->words)
			break;
		if (!rules_word_is(st, w, ",")) {
			conf_error(ce, st, w,
			    "expected a comma or the end, found %s",
			    st->word[w].s);
			return;
		}
		if (++w == st->words)
			conf_error(ce, st, w - 1,
			    "expected a treatment after the comma");
	}
	finish(&p, also);
}

static bool has_side(const struct treatment *t, enum side side)
{
	for (size_t i = 0; i < ARRAY_LEN(word); i++)
		if (word[i].side == side && flag_is_set(t, &word[i]) &&
		    word[i].flag != FLAG(remove_trigger))
			return true;
	return false;
}

bool treatment_seals(const struct treatment *t)
{
	return has_side(t, SIDE_OUT);
}

bool treatment_opens(const struct treatment *t)
{
	return has_side(t, SIDE_IN);
}

static void put_word(struct buf *out, size_t start, const char *s)
{
	if (out->n > start)
		buf_puts(out, ", ");
	buf_puts(out, s);
}

void treatment_print(const struct treatment *t, struct buf *out)
{
	size_t start = out->n;

	for (size_t i = 0; i < ARRAY_LEN(word); i++) {
		if (!flag_is_set(t, &word[i]))
			continue;
		put_word(out, start, word[i].s);
		if (or_of(t, &word[i]) != OR_MUST)
			buf_printf(out, " or %s", or_name[or_of(t, &word[i])]);
	}
	if (t->profile != NULL) {
		put_word(out, start, "profile ");
		buf_puts(out, t->profile);
	}
	writing_print(&t->words, start, out);
	if (t->protect_headers != NULL) {
		put_word(out, start, "protect-headers ");
		buf_puts(out, t->protect_headers);
	}
	if (t->revocation_hard)
		put_word(out, start, "revocation hard");
	if (t->refuse != NULL) {
		put_word(out, start, "refuse ");
		buf_printf(out, "\"%s\"", t->refuse);
	}
}
