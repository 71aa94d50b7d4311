/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Words that choose algorithms. Only what is sound can be written with them:
 * there is no word for SHA-1, 3DES or RC2 (S55, S100).
 */
#include "gateway/writing.h"

#include <string.h>

#define CIPHERS " aes-128-cbc aes-256-cbc aes-128-gcm aes-256-gcm "

static const struct {
	const char *s;
	const char *values; /* blank-separated */
	bool signs;	    /* else it is about encryption */
} word[] = {
	[WRITE_DIGEST] = {"digest", " sha-256 sha-384 sha-512 ", true},
	[WRITE_SIGNATURE] = {"signature", " pkcs1 pss ", true},
	[WRITE_CIPHER] = {"cipher", CIPHERS, false},
	[WRITE_MIN_CIPHER] = {"min-cipher", CIPHERS, false},
	[WRITE_TRANSPORT] = {"key-transport", " pkcs1 oaep ", false},
	[WRITE_CAPABILITIES] = {"capabilities", " use ignore ", false},
};

/* I23 to I27, I15. */
static const struct {
	const char *name;
	struct writing_words words;
} builtin[] = {
	{"compat", {{NULL}}},
	{"modern", {{
		[WRITE_CIPHER] = "aes-256-gcm",
		[WRITE_TRANSPORT] = "oaep",
		[WRITE_CAPABILITIES] = "use"}}},
	{"edi-energy", {{
		[WRITE_DIGEST] = "sha-256",
		[WRITE_SIGNATURE] = "pss",
		[WRITE_CIPHER] = "aes-128-gcm",
		[WRITE_TRANSPORT] = "oaep"}}},
	{"legacy", {{
		[WRITE_DIGEST] = "sha-256",
		[WRITE_CIPHER] = "aes-128-cbc",
		[WRITE_TRANSPORT] = "pkcs1"}}},
};

const struct writing_words *writing_builtin(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(builtin); i++)
		if (strcmp(builtin[i].name, name) == 0)
			return &builtin[i].words;
	return NULL;
}

static bool is_value(const char *values, const char *s)
{
	size_t n = strlen(s);

	for (const char *f = strstr(values, s); n > 0 && f != NULL;
	    f = strstr(f + 1, s))
		if (f[-1] == ' ' && f[n] == ' ')
			return true;
	return false;
}

bool writing_parse(struct writing_words *out, const struct conf_stmt *st,
    size_t *w, struct conf_errors *ce)
{
	const char *s;
	size_t i, at = *w;

	for (i = 0; i < WRITING_WORDS; i++)
		if (!st->word[at].quoted &&
		    strcmp(st->word[at].s, word[i].s) == 0)
			break;
	if (i == WRITING_WORDS)
		return false;
	s = at + 1 < st->words && !st->word[at + 1].quoted
	    ? st->word[at + 1].s
	    : "";
	if (out->value[i] != NULL)
		conf_error(ce, st, at, "%s stands in this line already",
		    word[i].s);
	if (is_value(word[i].values, s))
		out->value[i] = s;
	else
		conf_error(ce, st, at + (at + 1 < st->words),
		    "%s: expected one of%s", word[i].s, word[i].values);
	*w = at + 2;
	return true;
}

void writing_merge(struct writing_words *into,
    const struct writing_words *from)
{
	/* Whether capabilities count is said of a cipher: it goes with it. */
	if (from->value[WRITE_CIPHER] != NULL)
		into->value[WRITE_CAPABILITIES] = NULL;
	for (size_t i = 0; i < WRITING_WORDS; i++)
		if (from->value[i] != NULL)
			into->value[i] = from->value[i];
}

static enum enc_cipher cipher_of(const char *s, enum enc_cipher otherwise)
{
	static const char *const name[ENC_CIPHERS] = {
		[ENC_AES128_CBC] = "aes-128-cbc",
		[ENC_AES256_CBC] = "aes-256-cbc",
		[ENC_AES128_GCM] = "aes-128-gcm",
		[ENC_AES256_GCM] = "aes-256-gcm",
	};

	for (size_t i = 0; i < ENC_CIPHERS && s != NULL; i++)
		if (strcmp(name[i], s) == 0)
			return (enum enc_cipher)i;
	return otherwise;
}

static bool says(const struct writing_words *words, enum writing_word i,
    const char *value)
{
	return words->value[i] != NULL && strcmp(words->value[i], value) == 0;
}

void writing_resolve(const struct writing_words *words, struct writing *out)
{
	const char *cipher = words->value[WRITE_CIPHER];

	*out = (struct writing){.digest = words->value[WRITE_DIGEST],
	    .pss = says(words, WRITE_SIGNATURE, "pss"),
	    .oaep = says(words, WRITE_TRANSPORT, "oaep")};
	out->cipher.unknown = cipher_of(cipher, ENC_AES256_CBC);
	out->cipher.floor = cipher_of(words->value[WRITE_MIN_CIPHER],
	    ENC_AES128_CBC);
	/* Without a word for it, a stronger floor is what is written. */
	if (cipher == NULL &&
	    !cipher_at_least(out->cipher.unknown, out->cipher.floor))
		out->cipher.unknown = out->cipher.floor;
	out->cipher.is_fixed = says(words, WRITE_CAPABILITIES, "ignore") ||
	    (cipher != NULL && !says(words, WRITE_CAPABILITIES, "use"));
	out->learns_oaep = words->value[WRITE_TRANSPORT] == NULL &&
	    !says(words, WRITE_CAPABILITIES, "ignore");
}

void writing_check(const struct writing_words *words,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce)
{
	struct writing x;

	writing_resolve(words, &x);
	if (!cipher_at_least(x.cipher.unknown, x.cipher.floor))
		conf_error(ce, st, w, "cipher %s is less than min-cipher %s",
		    words->value[WRITE_CIPHER],
		    words->value[WRITE_MIN_CIPHER]);
}

static bool is_for(const struct writing_words *words, bool signs)
{
	for (size_t i = 0; i < WRITING_WORDS; i++)
		if (words->value[i] != NULL && word[i].signs == signs)
			return true;
	return false;
}

bool writing_is_for_signing(const struct writing_words *words)
{
	return is_for(words, true);
}

bool writing_is_for_encrypting(const struct writing_words *words)
{
	return is_for(words, false);
}

void writing_print(const struct writing_words *words, size_t start,
    struct buf *out)
{
	for (size_t i = 0; i < WRITING_WORDS; i++) {
		if (words->value[i] == NULL)
			continue;
		if (out->n > start)
			buf_puts(out, ", ");
		buf_printf(out, "%s %s", word[i].s, words->value[i]);
	}
}
