/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Words that choose algorithms. Only what is sound can be written with them:
 * there is no word for SHA-1, 3DES or RC2 (S55, S100).
 */
#include "gateway/writing.h"

#include <string.h>

#include "gateway/rules_int.h"

#define CIPHERS "aes-128-cbc, aes-256-cbc, aes-128-gcm, aes-256-gcm"

static const struct {
	const char *s;
	const char *values;
	bool signs; /* else it is about encryption */
} word[] = {
	[WRITE_DIGEST] = {"digest", "sha-256, sha-384, sha-512", true},
	[WRITE_SIGNATURE] = {"signature", "pkcs1, pss", true},
	[WRITE_CIPHER] = {"cipher", CIPHERS, false},
	[WRITE_MIN_CIPHER] = {"min-cipher", CIPHERS, false},
	[WRITE_TRANSPORT] = {"key-transport", "pkcs1, oaep", false},
	[WRITE_CAPABILITIES] = {"capabilities", "use, ignore", false},
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

bool writing_parse(struct writing_words *out, const struct conf_stmt *st,
    size_t *w, struct conf_errors *ce)
{
	const char *value;
	size_t i, at = *w;

	for (i = 0; i < WRITING_WORDS; i++)
		if (rules_word_is(st, at, word[i].s))
			break;
	if (i == WRITING_WORDS)
		return false;
	if (out->value[i] != NULL)
		conf_error(ce, st, at, "%s stands in this line already",
		    word[i].s);
	value = rules_value(st, at, word[i].values, w, ce);
	if (*value != '\0')
		out->value[i] = value;
	return true;
}

static void merge(struct writing_words *into,
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
	for (size_t i = 0; i < ENC_CIPHERS && s != NULL; i++)
		if (view_ieq_str(view_of(s),
		    enc_cipher_str((enum enc_cipher)i)))
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

/* Where the line says it: the first of these words, else its name or
 * direction. */
static size_t place_of(const struct conf_stmt *st)
{
	static const char *const names[] = {"min-cipher", "cipher",
	    "profile"};
	size_t w;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		w = rules_find(st, 1, names[i]);
		if (w < st->words)
			return w;
	}
	return 0;
}

void writing_combine(struct writing_words *out,
    const struct writing_base *base, const struct writing_words *own,
    const struct conf_stmt *st, struct conf_errors *ce)
{
	bool has_other;
	struct writing x;

	memset(out, 0, sizeof(*out));
	if (base->words != NULL)
		*out = *base->words;
	merge(out, own);
	writing_resolve(out, &x);
	if (cipher_at_least(x.cipher.unknown, x.cipher.floor))
		return;
	has_other = own->value[WRITE_CIPHER] == NULL;
	conf_error(ce, st, place_of(st),
	    "cipher %s%s%s is less than min-cipher %s",
	    out->value[WRITE_CIPHER], has_other ? " of profile " : "",
	    has_other ? base->name : "", out->value[WRITE_MIN_CIPHER]);
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

bool writing_oaep(const struct writing *x, const struct capabilities *reads)
{
	return x->oaep || (x->learns_oaep && reads->oaep);
}

const char *writing_transport(const struct cert *c, bool oaep)
{
	if (cert_key_type(c) != CERT_KEY_RSA)
		return "ECDH-SHA256";
	return oaep ? "RSAES-OAEP-SHA256" : "RSAES-PKCS1-v1_5";
}

const char *writing_signature(enum sig_alg alg)
{
	static const char *const name[] = {
		[SIG_RSA_SHA256] = "RSASSA-PKCS1-v1_5-SHA256",
		[SIG_RSA_SHA384] = "RSASSA-PKCS1-v1_5-SHA384",
		[SIG_RSA_SHA512] = "RSASSA-PKCS1-v1_5-SHA512",
		[SIG_ECDSA_SHA256] = "ECDSA-SHA256",
		[SIG_ECDSA_SHA384] = "ECDSA-SHA384",
		[SIG_ECDSA_SHA512] = "ECDSA-SHA512",
		[SIG_RSA_PSS_SHA256] = "RSASSA-PSS-SHA256",
		[SIG_RSA_PSS_SHA384] = "RSASSA-PSS-SHA384",
		[SIG_RSA_PSS_SHA512] = "RSASSA-PSS-SHA512",
	};

	return name[alg];
}
