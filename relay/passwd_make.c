/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * New lines of password files, and which passwords are too weak for one:
 * what is guessed first. No measure of entropy, no dictionary of the system.
 */
#include "relay/passwd.h"

#include <crypt.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "relay/auth.h"
#include "util/ossl.h"
#include "util/utf8.h"

#define DISTINCT_MIN 5

/* Words that the commonest passwords are made of, as plain() writes them. */
static const char *const common[] = {
	"password", "passwort", "passwd", "pass", "motdepasse", "contrasena",
	"qwerty", "qwertz", "azerty", "asdf", "asdfgh", "zxcvbn", "letmein",
	"welcome", "willkommen", "bienvenue", "iloveyou", "ichliebedich",
	"admin", "administrator", "root", "master", "monkey", "dragon",
	"sunshine", "princess", "football", "fussball", "baseball",
	"superman", "batman", "shadow", "login", "secret", "geheim",
	"changeme", "changeit", "default", "guest", "user", "test",
	"testing", "trustno", "hello", "hallo", "abc", "spring", "summer",
	"autumn", "winter", "sommer", "computer", "internet", "mail",
	"postmaster", "starwars", "whatever", "freedom", "access", "mustang",
	"michael", "charlie", "jordan", "hunter", "correcthorsebattery",
	"correcthorsebatterystaple"
};

static const char *const rows[] = {
	"1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop",
	"yxcvbnm", "azertyuiop"
};

/* ---- what makes a password weak ---- */

static size_t count_characters(struct view v)
{
	size_t n = 0, i;

	for (i = 0; i < v.n; i++)
		n += (v.p[i] & 0xc0) != 0x80 ? 1 : 0;
	return n;
}

static size_t count_distinct(struct view v)
{
	bool seen[256] = { false };
	size_t n = 0, i;

	for (i = 0; i < v.n; i++) {
		n += seen[v.p[i]] ? 0 : 1;
		seen[v.p[i]] = true;
	}
	return n;
}

static bool are_neighbours(int a, int b)
{
	const char *x;
	size_t i;

	if (a == b || a + 1 == b || a - 1 == b)
		return true;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		x = a == '\0' ? NULL : strchr(rows[i], a);
		if (x != NULL && (x[1] == b || (x > rows[i] && x[-1] == b)))
			return b != '\0';
	}
	return false;
}

/* "abcdefgh1234": mostly steps to the next letter, digit or key. */
static bool is_sequence(const char *lower)
{
	size_t n = strlen(lower), steps = 0, i;

	for (i = 1; i < n; i++)
		steps += are_neighbours((unsigned char)lower[i - 1],
		    (unsigned char)lower[i]) ? 1 : 0;
	return n > 1 && steps * 4 >= (n - 1) * 3;
}

/* "abcabcabcabc": a short piece again and again. */
static bool is_repeated(const char *lower)
{
	size_t n = strlen(lower), period, i;

	for (period = 1; period <= 6 && period * 2 <= n; period++) {
		for (i = period; i < n; i++)
			if (lower[i] != lower[i - period])
				break;
		if (i == n)
			return true;
	}
	return false;
}

/* Only letters are left, and what stands for letters is one. */
static void plain(char *dst, const char *lower)
{
	static const char from[] = "013457@$!", to[] = "oieastasi";
	size_t last = strlen(lower), i;
	const char *as;

	/* digits and marks behind a word are not part of it */
	while (last > 0 && !isalpha((unsigned char)lower[last - 1]))
		last--;
	for (i = 0; i < last; i++) {
		as = strchr(from, lower[i]);
		if (as != NULL)
			*dst++ = to[as - from];
		else if (isalpha((unsigned char)lower[i]))
			*dst++ = lower[i];
	}
	*dst = '\0';
}

/* Nothing but common words? */
static bool is_common(const char *lower)
{
	char word[PASSWD_PASSWORD + 1];
	bool reached[PASSWD_PASSWORD + 1] = { true };
	size_t n, i, k, len;

	plain(word, lower);
	n = strlen(word);
	for (i = 0; i < n; i++) {
		if (!reached[i])
			continue;
		for (k = 0; k < ARRAY_LEN(common); k++) {
			len = strlen(common[k]);
			if (len <= n - i &&
			    memcmp(word + i, common[k], len) == 0)
				reached[i + len] = true;
		}
	}
	return n > 0 && reached[n];
}

static void to_lower(char *dst, size_t size, struct view v)
{
	size_t i;

	for (i = 0; i < v.n && i + 1 < size; i++)
		dst[i] = (char)tolower(v.p[i]);
	dst[i] = '\0';
}

/* Login, and each side of its "@". */
static bool has_login(const char *lower, const char *login)
{
	char name[PASSWD_LOGIN];
	char *at;

	to_lower(name, sizeof(name), view_of(login));
	if (strlen(name) >= 3 && strstr(lower, name) != NULL)
		return true;
	at = strchr(name, '@');
	if (at == NULL)
		return false;
	*at = '\0';
	return (strlen(name) >= 3 && strstr(lower, name) != NULL) ||
	    (strlen(at + 1) >= 3 && strstr(lower, at + 1) != NULL);
}

static const char *find_weakness(const char *login, const char *lower,
    struct view password)
{
	size_t distinct = count_distinct(password);

	if (count_characters(password) < PASSWD_SHORTEST)
		return "shorter than 12 characters";
	if (has_login(lower, login))
		return "the login, or a part of it, is in it";
	if (distinct == 1)
		return "one character, repeated";
	if (distinct < DISTINCT_MIN)
		return "made of fewer than 5 different characters";
	if (is_repeated(lower))
		return "a short piece, repeated";
	if (is_sequence(lower))
		return "a sequence of letters, digits or keys";
	if (is_common(lower))
		return "one of the commonest passwords, or made of them";
	return NULL;
}

int passwd_check_strength(const char *login, struct view password,
    struct err *e)
{
	char lower[PASSWD_PASSWORD + 1];
	const char *why;

	if (password.n > PASSWD_PASSWORD)
		return err_set(e, FAIL_POLICY, "password of %zu octets, at "
		    "most %d", password.n, PASSWD_PASSWORD);
	if (!utf8_is_valid(password) ||
	    view_chr(password, 0, 0) != (size_t)-1)
		return err_set(e, FAIL_POLICY, "password: not UTF-8 without "
		    "NUL");
	to_lower(lower, sizeof(lower), password);
	why = find_weakness(login, lower, password);
	ossl_wipe(lower, sizeof(lower));
	return why == NULL ? 0 :
	    err_set(e, FAIL_POLICY, "password refused: %s", why);
}

/* ---- a line ---- */

static int put_hash(struct buf *line, const char *password, struct err *e)
{
	struct crypt_data *d = calloc(1, sizeof(*d));
	char setting[PASSWD_HASH], random[16];
	const char *hash = NULL;
	int rc = 0;

	if (d == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	ossl_random(random, sizeof(random));
	if (crypt_gensalt_rn("$y$", 0, random, sizeof(random), setting,
	    sizeof(setting)) != NULL)
		hash = crypt_r(password, setting, d);
	if (hash == NULL || memcmp(hash, "$y$", 3) != 0)
		rc = err_set(e, FAIL_CONFIG, "libcrypt has no yescrypt");
	else
		buf_puts(line, hash);
	ossl_wipe(d, sizeof(*d));
	free(d);
	return rc;
}

int passwd_make(struct buf *line, const char *login, struct view password,
    struct err *e)
{
	struct scram_verifier v;
	char text[PASSWD_PASSWORD + 1];
	int rc;

	if (passwd_check_login(view_of(login), e) != 0 ||
	    passwd_check_strength(login, password, e) != 0)
		return -1;
	if (view_cstr(password, text, sizeof(text)) != 0)
		return err_set(e, FAIL_BUG, "password of %zu octets",
		    password.n);
	buf_printf(line, "%s:", login);
	rc = put_hash(line, text, e);
	ossl_wipe(text, sizeof(text));
	if (rc == 0)
		rc = scram_make(&v, password, SCRAM_ITERATIONS, e);
	if (rc == 0) {
		buf_putc(line, ':');
		scram_verifier_print(&v, line);
		rc = buf_ok(line, e);
	}
	ossl_wipe(&v, sizeof(v));
	return rc;
}
