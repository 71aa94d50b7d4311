/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Treatments of a rule: parsed, checked against the direction and each
 * other, printed. What this version cannot do is refused here by name.
 */
#include "gateway/rules_int.h"

#include <stdlib.h>
#include <string.h>

/* Directions in which a word makes sense; internal mail has both sides. */
enum side { SIDE_OUT = 1, SIDE_IN = 2, SIDE_ANY = 3 };

struct word {
	const char *s;
	enum side side;
	const char *or_words; /* allowed after "or", blank-separated */
	size_t flag;	      /* offset of the bool in struct treatment */
	size_t or_flag;	      /* offset of the enum or_else, 0: none */
};

#define FLAG(f) offsetof(struct treatment, f)
static const struct word word[] = {
	{"sign", SIDE_OUT, " plain ", FLAG(sign), FLAG(sign_or)},
	{"encrypt", SIDE_OUT, " plain tls quarantine ", FLAG(encrypt),
	    FLAG(encrypt_or)},
	{"opaque", SIDE_OUT, "", FLAG(opaque), 0},
	{"decrypt", SIDE_IN, "", FLAG(decrypt), 0},
	{"leave-sealed", SIDE_IN, "", FLAG(leave_sealed), 0},
	{"verify", SIDE_IN, " quarantine reject ", FLAG(verify),
	    FLAG(verify_or)},
	{"harvest", SIDE_IN, "", FLAG(harvest), 0},
	{"store-encrypted", SIDE_IN, "", FLAG(store_encrypted), 0},
	{"pass", SIDE_ANY, "", FLAG(pass), 0},
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
	const struct writing_words *base; /* the profile, or NULL */
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

static void check_side(struct parser *p, enum side side, size_t w)
{
	const char *s = p->st->word[w].s;

	if (p->rule->direction == DIR_OUTBOUND && side == SIDE_IN)
		conf_error(p->ce, p->st, w,
		    "%s is for inbound mail, not for outbound", s);
	if (p->rule->direction == DIR_INBOUND && side == SIDE_OUT)
		conf_error(p->ce, p->st, w,
		    "%s is for outbound mail, not for inbound", s);
	if (side != SIDE_ANY)
		p->sides |= (unsigned)side;
}

static bool is_listed(const char *list, const char *s)
{
	size_t n = strlen(s);

	for (const char *f = strstr(list, s); f != NULL; f = strstr(f + 1, s))
		if (f > list && f[-1] == ' ' && f[n] == ' ')
			return true;
	return false;
}

/* "or X" after the word k; w is at "or". Returns the index after it. */
static size_t parse_or(struct parser *p, const struct word *k, size_t w)
{
	const char *s;
	enum or_else *slot;

	if (w + 1 >= p->st->words || k->or_flag == 0) {
		conf_error(p->ce, p->st, w,
		    k->or_flag == 0 ? "%s has no alternative"
				    : "%s or: expected%s", k->s, k->or_words);
		return w + 2;
	}
	s = p->st->word[w + 1].s;
	slot = (enum or_else *)(void *)((char *)&p->rule->treatment +
	    k->or_flag);
	if (p->st->word[w + 1].quoted || !is_listed(k->or_words, s)) {
		conf_error(p->ce, p->st, w + 1,
		    "%s or %s: expected one of%s", k->s, s, k->or_words);
		return w + 2;
	}
	for (size_t i = OR_PLAIN; i < ARRAY_LEN(or_name); i++)
		if (strcmp(or_name[i], s) == 0)
			*slot = (enum or_else)i;
	if (*slot == OR_TLS)
		conf_error(p->ce, p->st, w + 1, "encrypt or tls: not yet in "
		    "this version; it needs a relay");
	if (*slot == OR_QUARANTINE && strcmp(k->s, "encrypt") == 0)
		conf_error(p->ce, p->st, w + 1,
		    "encrypt or quarantine: not yet in this version");
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
	if (strcmp(k->s, "harvest") == 0 || strcmp(k->s, "remove-trigger") == 0)
		conf_error(p->ce, p->st, w, "%s: not yet in this version",
		    k->s);
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
	p->base = rules_profile(p->r, t->profile, &line);
	if (p->base == NULL)
		conf_error(p->ce, p->st, w + 1, "no profile %s above, and "
		    WRITING_BUILTIN " come with the program", t->profile);
	return w + 2;
}

static size_t parse_protect(struct parser *p, size_t w)
{
	struct treatment *t = &p->rule->treatment;
	const char *s = w + 1 < p->st->words ? p->st->word[w + 1].s : "";

	if (t->protect_headers != NULL)
		conf_error(p->ce, p->st, w,
		    "protect-headers stands in this line already");
	check_side(p, SIDE_OUT, w);
	t->protect_headers = s;
	if (strcmp(s, "off") != 0 && strcmp(s, "copy") != 0 &&
	    strcmp(s, "baseline") != 0 && strcmp(s, "shy") != 0)
		conf_error(p->ce, p->st, w,
		    "protect-headers: expected off, copy, baseline or shy");
	return w + 2;
}

/* Soft is how it is when nothing is said. */
static size_t parse_revocation(struct parser *p, size_t w)
{
	const char *s = w + 1 < p->st->words ? p->st->word[w + 1].s : "";

	if (p->has_revocation)
		conf_error(p->ce, p->st, w,
		    "revocation stands in this line already");
	p->has_revocation = true;
	check_side(p, SIDE_IN, w);
	if (strcmp(s, "hard") == 0)
		p->rule->treatment.revocation_hard = true;
	else if (strcmp(s, "soft") != 0)
		conf_error(p->ce, p->st, w,
		    "revocation: expected hard or soft");
	return w + 2;
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
	conf_error(p->ce, p->st, w,
	    "unknown treatment %s, expected sign, encrypt, opaque, profile, "
	    "digest, signature, cipher, min-cipher, key-transport, "
	    "capabilities, protect-headers, decrypt, leave-sealed, verify, "
	    "revocation, harvest, store-encrypted, pass, refuse or "
	    "remove-trigger", p->st->word[w].s);
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

static void check_together(struct parser *p, bool also, size_t w)
{
	const struct treatment *t = &p->rule->treatment;
	const char *why = NULL;

	if ((t->pass || t->refuse != NULL) &&
	    (count(t) > 1 || p->has_revocation))
		why = "pass and refuse stand alone";
	else if (t->opaque && !t->sign)
		why = "opaque is a form of signature: it needs sign";
	else if (t->profile != NULL && !t->sign && !t->encrypt)
		why = "profile needs sign or encrypt";
	else if (writing_is_for_signing(&t->words) && !t->sign)
		why = "digest and signature need sign";
	else if (writing_is_for_encrypting(&t->words) && !t->encrypt)
		why = "cipher, min-cipher, key-transport and capabilities "
		      "need encrypt";
	else if (t->protect_headers != NULL && !t->sign)
		why = "protect-headers needs sign: without a signature nobody "
		      "could believe them (RFC 9788 1.8.2)";
	else if (t->leave_sealed && t->decrypt)
		why = "leave-sealed and decrypt contradict each other";
	else if (t->store_encrypted && t->decrypt)
		why = "store-encrypted and decrypt contradict each other: "
		      "what arrives encrypted stays so";
	else if (p->has_revocation && !t->verify)
		why = "revocation is about signatures: it needs verify";
	else if (p->sides == SIDE_ANY)
		why = "an internal line seals or opens, not both";
	else if (also && (t->pass || t->leave_sealed ||
	    t->sign_or != OR_MUST || t->encrypt_or == OR_PLAIN))
		why = "an also line can only strengthen";
	if (why != NULL)
		conf_error(p->ce, p->st, w, "%s", why);
}

static void finish_writing(struct parser *p, size_t w)
{
	struct writing_words words = {{NULL}};

	if (p->base != NULL)
		words = *p->base;
	writing_merge(&words, &p->rule->treatment.words);
	writing_check(&words, p->st, w, p->ce);
	writing_resolve(&words, &p->rule->treatment.writing);
}

void rules_parse_treatments(const struct rules *r, struct rule *rule, bool also,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce)
{
	struct parser p = {r, rule, st, ce, NULL, 0, false};
	size_t first = w;

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
	check_together(&p, also, first);
	finish_writing(&p, first);
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
