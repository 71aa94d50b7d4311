/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * How sealed mail is written: the words of the rules language that choose
 * algorithms, the profiles that come with the program, and what they come
 * to (REQUIREMENTS E.3).
 */
#ifndef GATEWAY_WRITING_H
#define GATEWAY_WRITING_H

#include "smime/capability.h"
#include "util/conf.h"
#include "util/keyops.h"

enum writing_word {
	WRITE_DIGEST,
	WRITE_SIGNATURE,
	WRITE_CIPHER,
	WRITE_MIN_CIPHER,
	WRITE_TRANSPORT,
	WRITE_CAPABILITIES,
	WRITING_WORDS
};

/* The value that is said of each word; NULL: nothing is. Borrowed. */
struct writing_words {
	const char *value[WRITING_WORDS];
};

struct writing {
	const char *digest; /* NULL: by the signer's key */
	bool pss;	    /* with RSA keys */
	struct cipher_policy cipher;
	bool oaep;	  /* RSA recipients, all of them */
	bool learns_oaep; /* or else those who are known to read it */
};

/* A profile that comes with the program, or NULL. */
const struct writing_words *writing_builtin(const char *name);
/* Names, for messages; a test holds them to the tables. */
#define WRITING_PROFILES "compat, modern, edi-energy, legacy"
#define WRITING_SIGNS "digest, signature"
#define WRITING_ENCRYPTS "cipher, min-cipher, key-transport, capabilities"

/*
 * Does one of the words stand at w? Then its value is taken (or what is
 * wrong reported) and *w is moved behind it.
 */
bool writing_parse(struct writing_words *out, const struct conf_stmt *st,
    size_t *w, struct conf_errors *ce);

/* A profile to start from; words NULL: none. */
struct writing_base {
	const char *name;
	const struct writing_words *words;
};
/*
 * What own says overrides what base says. A cipher below the least one is
 * reported, at the words of st that say so.
 */
void writing_combine(struct writing_words *out,
    const struct writing_base *base, const struct writing_words *own,
    const struct conf_stmt *st, struct conf_errors *ce);
/* Checked words as they are used; nothing said is the profile compat. */
void writing_resolve(const struct writing_words *words, struct writing *out);
/* Is anything said that is for signatures, for encryption? */
bool writing_is_for_signing(const struct writing_words *words);
bool writing_is_for_encrypting(const struct writing_words *words);
/* "digest sha-512, cipher aes-128-gcm", appended behind a comma unless out
 * ends at start. */
void writing_print(const struct writing_words *words, size_t start,
    struct buf *out);

/* To an RSA key of somebody who reads this: OAEP? */
bool writing_oaep(const struct writing *x, const struct capabilities *reads);
/* "RSAES-OAEP-SHA256", "RSASSA-PSS-SHA256", for people. */
const char *writing_transport(const struct cert *c, bool oaep);
const char *writing_signature(enum sig_alg alg);

#endif
