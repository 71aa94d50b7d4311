/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The words behind the level of a line of tls-policy { }: what each takes,
 * with which levels it has a meaning, and what cannot be said together.
 */
#include "smtp/tls_policy_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/addr.h"
#include "util/ossl.h"

#define NAME_MAX_ 32 /* of a block */
#define CIPHERS_MAX 255

const char *tls_line_word(const struct tls_line *l)
{
	return l->w < l->st->words ? l->st->word[l->w].s : "";
}

bool tls_line_is(const struct tls_line *l, size_t w, const char *s)
{
	return w < l->st->words && !l->st->word[w].quoted &&
	    strcmp(l->st->word[w].s, s) == 0;
}

int tls_line_no_memory(const struct tls_line *l)
{
	memory_note_lack();
	conf_error(l->ce, l->st, 0, "out of memory");
	return -1;
}

int tls_line_text(struct tls_line *l, char **out, const char *s)
{
	*out = strdup(s);
	return *out == NULL ? tls_line_no_memory(l) : 0;
}

/* ---- values of the words behind the level ---- */

/* "example.com" or ".example.com" at word w, in lower-case A-labels. */
static int read_name(struct tls_line *l, const char *s, char dst[TLS_NAME_MAX])
{
	size_t dot = s[0] == '.';
	struct err e = { 0 };

	dst[0] = '.';
	if (addr_domain_parse(dst + dot, TLS_NAME_MAX - dot, view_of(s + dot),
	    &e) == 0)
		return 0;
	conf_error(l->ce, l->st, l->w, "%s", e.msg);
	return -1;
}

static int read_match_one(struct tls_line *l, struct view v)
{
	char s[TLS_NAME_MAX], name[TLS_NAME_MAX];
	struct tls_rule *r = &l->rule;
	unsigned char ip[16];

	if (v.n == 0 || view_cstr(v, s, sizeof(s)) != 0) {
		conf_error(l->ce, l->st, l->w, "match: expected names or "
		    "hostname, nexthop, dot-nexthop, with ':' between them");
		return -1;
	}
	if (r->matches == TLS_NAMES) {
		conf_error(l->ce, l->st, l->w, "match: more than %d names",
		    TLS_NAMES);
		return -1;
	}
	if (strncmp(s, "*.", 2) == 0) {
		conf_error(l->ce, l->st, l->w, "match: write \"%s\" for what "
		    "lies below", s + 1);
		return -1;
	}
	if (strcmp(s, "hostname") != 0 && strcmp(s, "nexthop") != 0 &&
	    strcmp(s, "dot-nexthop") != 0 && tls_address(s, ip) == 0) {
		if (read_name(l, s, name) != 0)
			return -1;
		text_set(s, sizeof(s), name);
	}
	if (tls_line_text(l, &r->match[r->matches], s) != 0)
		return -1;
	r->matches++;
	return 0;
}

/* a:b:[2001:db8::1] */
static int read_match(struct tls_line *l)
{
	struct view v = view_of(tls_line_word(l)), one;
	size_t start = 0, i, depth = 0;

	for (i = 0; i <= v.n; i++) {
		if (i < v.n && v.p[i] == '[')
			depth++;
		else if (i < v.n && v.p[i] == ']' && depth > 0)
			depth--;
		if (i < v.n && (v.p[i] != ':' || depth > 0))
			continue;
		one = view_sub(v, start, i - start);
		start = i + 1;
		if (read_match_one(l, one) != 0)
			return -1;
	}
	return 0;
}

static int read_block_name(struct tls_line *l, char **out)
{
	const char *s = tls_line_word(l);

	if (*s == '\0' || strlen(s) > NAME_MAX_) {
		conf_error(l->ce, l->st, l->w, "%s: expected the name of a "
		    "block, of at most %d octets", l->st->word[l->w - 1].s,
		    NAME_MAX_);
		return -1;
	}
	return tls_line_text(l, out, s);
}

static int read_ca(struct tls_line *l)
{
	return read_block_name(l, &l->rule.ca);
}

static int read_pki(struct tls_line *l)
{
	return read_block_name(l, &l->rule.pki);
}

static int read_servername(struct tls_line *l)
{
	char name[TLS_NAME_MAX];
	const char *s = tls_line_word(l);

	if (strcmp(s, "hostname") == 0 || strcmp(s, "nexthop") == 0)
		return tls_line_text(l, &l->rule.servername, s);
	if (s[0] == '.' || read_name(l, s, name) != 0) {
		if (s[0] == '.')
			conf_error(l->ce, l->st, l->w, "servername: expected "
			    "a name, hostname or nexthop");
		return -1;
	}
	return tls_line_text(l, &l->rule.servername, name);
}

static int read_ciphers(struct tls_line *l)
{
	const char *s = tls_line_word(l);

	if (*s == '\0' || strlen(s) > CIPHERS_MAX ||
	    strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789+-!@:_=") != strlen(s)) {
		conf_error(l->ce, l->st, l->w, "ciphers: expected OpenSSL's "
		    "syntax, as \"HIGH:!SHA1\", at most %d octets",
		    CIPHERS_MAX);
		return -1;
	}
	return tls_line_text(l, &l->rule.ciphers, s);
}

static int version_of(struct view v, enum tls_version *out)
{
	static const char *const name[] = { "1.0", "1.1", "1.2", "1.3" };

	for (size_t i = 0; i < ARRAY_LEN(name); i++) {
		if (!view_eq_str(v, name[i]))
			continue;
		*out = (enum tls_version)(TLS_V_1_0 + i);
		return 0;
	}
	return -1;
}

/* 1.2, 1.2-1.3 or >=1.2 */
static int read_protocols(struct tls_line *l)
{
	struct view v = view_of(tls_line_word(l));
	size_t dash = view_chr(v, '-', 0);
	struct tls_rule *r = &l->rule;
	int bad;

	if (view_istarts(v, ">="))
		bad = version_of(view_sub(v, 2, v.n), &r->min);
	else if (dash != (size_t)-1)
		bad = version_of(view_sub(v, 0, dash), &r->min) != 0 ||
		    version_of(view_sub(v, dash + 1, v.n), &r->max) != 0 ||
		    r->min > r->max;
	else if ((bad = version_of(v, &r->min)) == 0)
		r->max = r->min;
	if (bad) {
		conf_error(l->ce, l->st, l->w, "protocols: expected 1.2, "
		    "1.2-1.3 or >=1.2 of TLS 1.0 to 1.3");
		return -1;
	}
	return 0;
}

static int read_port(struct tls_line *l)
{
	int64_t x;

	if (conf_int(l->ce, l->st, l->w, 1, 65535, &x) != 0)
		return -1;
	l->rule.port = (int)x;
	return 0;
}

static int read_on_fail(struct tls_line *l)
{
	if (!tls_line_is(l, l->w, "permanent")) {
		conf_error(l->ce, l->st, l->w, "on-fail: expected permanent; "
		    "without it the mail stays in the queue");
		return -1;
	}
	l->rule.is_permanent = true;
	return 0;
}

static int set_implicit(struct tls_line *l)
{
	l->rule.implicit = true;
	return 0;
}

static int set_anonymous(struct tls_line *l)
{
	l->rule.allow_anonymous = true;
	return 0;
}

static int set_cert(struct tls_line *l)
{
	l->rule.require_cert = true;
	return 0;
}

static int set_cn(struct tls_line *l)
{
	l->rule.allow_cn = true;
	return 0;
}

/* Levels as bits: where a word has a meaning. */
#define L(x) (1u << TLS_##x)
#define L_PKIX (L(VERIFY) | L(SECURE))
#define L_TLS (L(MAY) | L(ENCRYPT) | L(FINGERPRINT) | L(DANE) | \
    L(DANE_ONLY) | L_PKIX)
#define L_MUST (L_TLS & ~(L(MAY) | L(DANE)))
#define L_NOT_DANE (L_TLS & ~(L(DANE) | L(DANE_ONLY)))

static const struct attribute {
	const char *word;
	bool has_value;
	int (*read)(struct tls_line *l);
	unsigned levels;
	const char *why; /* not at the others */
} attributes[] = {
	{ "match", true, read_match, L_PKIX,
	    "names are compared at verify and secure" },
	{ "ca", true, read_ca, L_PKIX | L(ENCRYPT),
	    "a CA is asked at verify, secure, and encrypt with "
	    "require-cert" },
	{ "pki", true, read_pki, L_TLS, "there is no TLS" },
	{ "servername", true, read_servername, L_NOT_DANE,
	    "there is no TLS, or the TLSA base domain is the name (RFC 7672 "
	    "8.1)" },
	{ "ciphers", true, read_ciphers, L_TLS, "there is no TLS" },
	{ "protocols", true, read_protocols, L_TLS, "there is no TLS" },
	{ "port", true, read_port, L_TLS | L(NONE), "" },
	{ "implicit", false, set_implicit, L_MUST,
	    "TLS from the first octet is never optional" },
	{ "allow-anonymous", false, set_anonymous, L(MAY) | L(ENCRYPT),
	    "a peer without a certificate proves nothing" },
	{ "require-cert", false, set_cert, L(ENCRYPT),
	    "it is for encrypt; the levels above want one anyway" },
	{ "allow-cn", false, set_cn, L_PKIX,
	    "names are compared at verify and secure" },
	{ "on-fail", true, read_on_fail, L_MUST,
	    "there is nothing that could fail" },
};

/* ---- fingerprints ---- */

/* Larger than any digest: what is longer is none. */
#define DIGEST_ROOM 80

static bool is_pin(const char *s)
{
	unsigned char digest[DIGEST_ROOM];
	size_t n;

	if (strncasecmp(s, "sha", 3) == 0 || strncasecmp(s, "md5", 3) == 0)
		return strchr(s, ':') != NULL;
	n = hex_fingerprint(digest, sizeof(digest), view_of(s));
	return n == 16 || n == 20 || n == 32 || n == 48 || n == 64;
}

static int bad_pin(struct tls_line *l, const char *why)
{
	conf_error(l->ce, l->st, l->w, "fingerprint: %s; expected sha256: "
	    "and 64 hex digits: \"postseal policy probe DOMAIN --pin\" prints "
	    "such a line", why);
	return -1;
}

/* SHA-256 alone: an MD5 or SHA-1 of somebody else's making may be the same
 * (T42). */
static int read_pin(struct tls_line *l)
{
	struct tls_rule *r = &l->rule;
	const char *s = tls_line_word(l);
	bool is_named = strncasecmp(s, "sha256:", 7) == 0;
	unsigned char digest[DIGEST_ROOM];
	size_t n;

	if (!is_named && (strncasecmp(s, "md5", 3) == 0 ||
	    strncasecmp(s, "sha", 3) == 0))
		return bad_pin(l, "a digest that is not SHA-256 pins nothing");
	n = hex_fingerprint(digest, sizeof(digest),
	    view_of(s + (is_named ? 7 : 0)));
	if (n == 16 || n == 20)
		return bad_pin(l, n == 16 ? "128 bits, as of MD5, pin nothing"
		    : "160 bits, as of SHA-1, pin nothing");
	if (n != 32 || !is_named)
		return bad_pin(l, n != 32 ? "wrong length, or no hex digits" :
		    "not said of which kind");
	if (r->pins == TLS_NAMES)
		return bad_pin(l, "too many in one line");
	memcpy(r->pin[r->pins++].sha256, digest, 32);
	return 0;
}

/* ---- a line ---- */

static const struct attribute *attribute_at(const struct tls_line *l, size_t *i)
{
	for (*i = 0; *i < ARRAY_LEN(attributes); (*i)++)
		if (tls_line_is(l, l->w, attributes[*i].word))
			return &attributes[*i];
	return NULL;
}

bool tls_line_is_attribute(const struct tls_line *l, size_t w)
{
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
		if (tls_line_is(l, w, attributes[i].word))
			return true;
	return false;
}

static int read_attribute(struct tls_line *l)
{
	const struct attribute *a;
	size_t i;

	if (is_pin(tls_line_word(l))) {
		if (l->rule.level != TLS_FINGERPRINT) {
			conf_error(l->ce, l->st, l->w, "a fingerprint is for "
			    "level fingerprint, not %s",
			    tls_level_str(l->rule.level));
			return -1;
		}
		return read_pin(l) == 0 ? (l->w++, 0) : -1;
	}
	a = attribute_at(l, &i);
	if (a == NULL) {
		conf_error(l->ce, l->st, l->w, "unknown word; expected match, "
		    "ca, pki, servername, ciphers, protocols, port, implicit, "
		    "allow-anonymous, require-cert, allow-cn, on-fail%s",
		    l->rule.level == TLS_FINGERPRINT ? " or sha256:HEX" : "");
		return -1;
	}
	if (l->at[i] != 0) {
		conf_error(l->ce, l->st, l->w, "%s: said twice", a->word);
		return -1;
	}
	if ((a->levels & (1u << l->rule.level)) == 0) {
		conf_error(l->ce, l->st, l->w, "%s: not with level %s: %s",
		    a->word, tls_level_str(l->rule.level), a->why);
		return -1;
	}
	l->at[i] = l->w++;
	if (a->has_value && l->w >= l->st->words) {
		conf_error(l->ce, l->st, l->w, "%s: expected a value",
		    a->word);
		return -1;
	}
	if (a->read(l) != 0)
		return -1;
	l->w += a->has_value;
	return 0;
}

static size_t said(const struct tls_line *l, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
		if (strcmp(attributes[i].word, name) == 0)
			return l->at[i];
	return 0;
}

/* Does the list add ciphers without a certificate, or without encryption? */
static bool adds(const char *ciphers, const char *const *what, size_t n)
{
	struct view v = view_of(ciphers), one;
	size_t start = 0, end;

	for (; start <= v.n; start = end + 1) {
		end = view_chr(v, ':', start);
		if (end == (size_t)-1)
			end = v.n;
		one = view_sub(v, start, end - start);
		if (one.n == 0 || one.p[0] == '!' || one.p[0] == '-')
			continue;
		for (size_t i = 0; i < n; i++)
			if (memmem(one.p, one.n, what[i], strlen(what[i])) !=
			    NULL)
				return true;
	}
	return false;
}

static int check_ciphers(const struct tls_line *l)
{
	static const char *const none[] = { "NULL" };
	static const char *const anon[] = { "aNULL", "ADH", "AECDH",
		"COMPLEMENTOFDEFAULT" };
	const struct tls_rule *r = &l->rule;
	const char *why = NULL;

	if (r->ciphers == NULL)
		return 0;
	if (r->min == TLS_V_1_3)
		why = "they are those of TLS 1.2, which protocols excludes";
	else if (!r->allow_anonymous &&
	    adds(r->ciphers, anon, ARRAY_LEN(anon)))
		why = "some have no certificate: that is allow-anonymous, at "
		    "may and encrypt";
	else if (adds(r->ciphers, none, 1) &&
	    !adds(r->ciphers, anon, ARRAY_LEN(anon)))
		why = "some do not encrypt";
	if (why == NULL)
		return 0;
	conf_error(l->ce, l->st, said(l, "ciphers"), "ciphers: %s", why);
	return -1;
}

/* What cannot be true together. */
static int check_line(const struct tls_line *l)
{
	const struct tls_rule *r = &l->rule;
	const char *why = NULL;
	size_t w = l->level_at;

	if (r->level == TLS_FINGERPRINT && r->pins == 0) {
		why = "fingerprint: expected sha256:HEX behind it";
	} else if (r->level == TLS_ENCRYPT && r->ca != NULL &&
	    !r->require_cert) {
		w = said(l, "ca");
		why = "ca: at level encrypt only with require-cert";
	} else if (r->require_cert && r->allow_anonymous) {
		w = said(l, "allow-anonymous");
		why = "allow-anonymous: not with require-cert";
	} else if (r->allow_anonymous && r->min == TLS_V_1_3) {
		w = said(l, "allow-anonymous");
		why = "allow-anonymous: TLS 1.3 has no such cipher";
	}
	if (why == NULL)
		return check_ciphers(l);
	conf_error(l->ce, l->st, w, "%s", why);
	return -1;
}

int tls_line_attributes(struct tls_line *l)
{
	while (l->w < l->st->words)
		if (read_attribute(l) != 0)
			return -1;
	return check_line(l);
}
