/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What an also line adds to a treatment. Each word has an order of strength,
 * and nothing ever goes down in it: what a message says of itself, or its
 * sender does with it, makes it no less safe than the rule alone (A51).
 */
#include "gateway/rules_int.h"

#include <string.h>

#include "gateway/protect.h"

static bool set(bool *flag, bool wanted)
{
	bool is_more = wanted && !*flag;

	*flag = *flag || wanted;
	return is_more;
}

/* How little can go out unsealed, or come in unproven. */
static int strength(enum or_else o)
{
	static const int of[] = {[OR_PLAIN] = 0, [OR_TLS] = 1,
		[OR_QUARANTINE] = 2, [OR_REJECT] = 3, [OR_MUST] = 3};

	return of[o];
}

static bool set_or(bool *flag, enum or_else *o, bool wanted,
    enum or_else wanted_or)
{
	if (!wanted || (*flag && strength(*o) >= strength(wanted_or)))
		return false;
	*flag = true;
	*o = wanted_or;
	return true;
}

/* Without an "or" it is a report, the least. */
static bool add_verify(struct treatment *t, const struct treatment *w)
{
	static const int of[] = {[OR_MUST] = 0, [OR_PLAIN] = 0, [OR_TLS] = 0,
		[OR_QUARANTINE] = 1, [OR_REJECT] = 2};

	if (!w->verify || (t->verify && of[t->verify_or] >= of[w->verify_or]))
		return false;
	t->verify = true;
	t->verify_or = w->verify_or;
	return true;
}

/* ---- how it is written ---- */

static const char *cipher_word(enum enc_cipher c)
{
	static const char *const name[] = {
		[ENC_AES128_CBC] = "aes-128-cbc",
		[ENC_AES256_CBC] = "aes-256-cbc",
		[ENC_AES128_GCM] = "aes-128-gcm",
		[ENC_AES256_GCM] = "aes-256-gcm",
	};

	return name[c];
}

/* The weakest that is at least both. */
static enum enc_cipher join(enum enc_cipher a, enum enc_cipher b)
{
	if (cipher_at_least(a, b))
		return a;
	return cipher_at_least(b, a) ? b : ENC_AES256_GCM;
}

static bool raise_cipher(enum enc_cipher *c, enum enc_cipher to,
    const char **said)
{
	enum enc_cipher was = *c;

	*c = join(was, to);
	if (*c == was)
		return false;
	*said = cipher_word(*c);
	return true;
}

/*
 * A cipher that is fixed for everybody may be less than what somebody is
 * known to read, so what the line fixes is the least here; where the rule has
 * fixed one that is raised.
 */
static bool add_cipher(struct treatment *t, const struct rule *line)
{
	const struct cipher_policy *w = &line->treatment.writing.cipher;
	struct cipher_policy *c = &t->writing.cipher;
	const char **value = t->words.value, *unused;
	bool is_more = false;

	if (line->said.value[WRITE_MIN_CIPHER] != NULL)
		is_more = raise_cipher(&c->floor, w->floor,
		    &value[WRITE_MIN_CIPHER]);
	if (line->said.value[WRITE_CIPHER] != NULL && w->is_fixed &&
	    !c->is_fixed)
		is_more |= raise_cipher(&c->floor, w->unknown,
		    &value[WRITE_MIN_CIPHER]);
	else if (line->said.value[WRITE_CIPHER] != NULL)
		is_more |= raise_cipher(&c->unknown, w->unknown,
		    &value[WRITE_CIPHER]);
	/* what is written is never less than the least */
	(void)raise_cipher(&c->unknown, c->floor, c->is_fixed ||
	    value[WRITE_CIPHER] != NULL ? &value[WRITE_CIPHER] : &unused);
	return is_more;
}

static bool add_digest(struct treatment *t, const char *digest)
{
	/* by the key it is at least this */
	const char *was = t->writing.digest == NULL ? "sha-256"
						    : t->writing.digest;

	if (digest == NULL || strcmp(digest, was) <= 0)
		return false;
	t->writing.digest = t->words.value[WRITE_DIGEST] = digest;
	return true;
}

static bool says(const struct rule *line, enum writing_word i, const char *s)
{
	return line->said.value[i] != NULL &&
	    strcmp(line->said.value[i], s) == 0;
}

static bool add_writing(struct treatment *t, const struct rule *line)
{
	bool is_more = add_digest(t, line->said.value[WRITE_DIGEST]);

	is_more |= add_cipher(t, line);
	if (says(line, WRITE_SIGNATURE, "pss") && set(&t->writing.pss, true)) {
		t->words.value[WRITE_SIGNATURE] = "pss";
		is_more = true;
	}
	if (says(line, WRITE_TRANSPORT, "oaep") &&
	    set(&t->writing.oaep, true)) {
		t->words.value[WRITE_TRANSPORT] = "oaep";
		is_more = true;
	}
	return is_more;
}

/* Without a word fields are copied where that asks nothing of them. */
static bool add_protection(struct treatment *t, const char *word)
{
	if (word == NULL || protect_policy(word) == HP_OFF ||
	    (t->protect_headers != NULL &&
	    protect_policy(t->protect_headers) >= protect_policy(word)))
		return false;
	t->protect_headers = word;
	return true;
}

bool treatment_strengthen(struct treatment *t, const struct rule *line,
    const char **given_up)
{
	const struct treatment *w = &line->treatment;
	bool is_more;

	*given_up = NULL;
	is_more = w->refuse != NULL && t->refuse == NULL;
	if (is_more)
		t->refuse = w->refuse;
	is_more |= set_or(&t->sign, &t->sign_or, w->sign, w->sign_or);
	is_more |= set_or(&t->encrypt, &t->encrypt_or, w->encrypt,
	    w->encrypt_or);
	is_more |= set(&t->opaque, w->opaque);
	is_more |= set(&t->per_recipient, w->per_recipient);
	is_more |= add_verify(t, w);
	is_more |= set(&t->revocation_hard, w->revocation_hard);
	is_more |= set(&t->store_encrypted, w->store_encrypted);
	is_more |= add_writing(t, line);
	is_more |= add_protection(t, w->protect_headers);
	if (t->store_encrypted && t->decrypt) {
		t->decrypt = false;
		*given_up = "decrypt";
	}
	if (is_more)
		t->pass = false;
	return is_more;
}
