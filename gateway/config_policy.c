/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What postseal.conf says about signatures and ciphers that are not as they
 * should be: verify-policy { }, decrypt-policy { }, and who may speak for
 * whom. What follows from it is decided by gateway/author.c and smime/.
 */
#include "gateway/config_int.h"

#include <stdlib.h>
#include <string.h>

#include "util/when.h"

/* ---- patterns ---- */

static int parse_domain(struct pattern *p, const char *raw, struct err *e)
{
	p->kind = PATTERN_DOMAIN;
	if (strncmp(raw, "*.", 2) == 0) {
		p->kind = PATTERN_SUBDOMAINS;
		raw += 2;
	}
	return addr_domain_parse(p->domain, sizeof(p->domain), view_of(raw),
	    e);
}

static int parse_pattern(struct pattern *p, const struct conf_stmt *st,
    size_t w, struct err *e)
{
	const char *raw = st->word[w].s;

	memset(p, 0, sizeof(*p));
	if (strcmp(raw, "any") == 0 && !st->word[w].quoted) {
		p->kind = PATTERN_ANY;
		return 0;
	}
	if (raw[0] == '@')
		return parse_domain(p, raw + 1, e);
	p->kind = PATTERN_ADDRESS;
	return addr_parse(&p->addr, view_of(raw), e);
}

/* One of these kinds (bits 1 << kind), else expected says what it may be. */
static int read_pattern(struct pattern *p, const struct conf_stmt *st,
    size_t w, unsigned kinds, struct conf_errors *ce)
{
	const char *quote = st->word[w].quoted ? "\"" : "";
	struct err e = {0};
	int rc = parse_pattern(p, st, w, &e);

	/* without an @ it was hardly meant as an address */
	if (rc != 0 && strchr(st->word[w].s, '@') != NULL) {
		conf_error(ce, st, w, "%s: %s", st->word[0].s, e.msg);
		return -1;
	}
	if (rc != 0 || (kinds >> p->kind & 1) == 0) {
		conf_error(ce, st, w, "%s: expected %s%s@DOMAIN or "
		    "@*.DOMAIN, found %s%s%s", st->word[0].s,
		    (kinds >> PATTERN_ANY & 1) != 0 ? "any, " : "",
		    (kinds >> PATTERN_ADDRESS & 1) != 0 ? "ADDRESS, " : "",
		    quote, st->word[w].s, quote);
		return -1;
	}
	return 0;
}

static void add_patterns(struct pattern **list, size_t *n, unsigned kinds,
    const struct conf_stmt *st, struct conf_errors *ce)
{
	for (size_t w = 1; w < st->words; w++) {
		struct pattern p, *slot;
		void *a = *list;

		if (read_pattern(&p, st, w, kinds, ce) != 0)
			continue;
		slot = conf_grow(&a, n, sizeof(*slot), st, ce);
		*list = a;
		if (slot != NULL)
			*slot = p;
	}
}

bool pattern_has_domain(const struct pattern *p, const char *domain)
{
	size_t n = strlen(domain), m = strlen(p->domain);

	switch (p->kind) {
	case PATTERN_ANY:
		return true;
	case PATTERN_DOMAIN:
		return strcmp(p->domain, domain) == 0;
	case PATTERN_SUBDOMAINS:
		return n > m + 1 && domain[n - m - 1] == '.' &&
		    strcmp(domain + n - m, p->domain) == 0;
	default:
		return false;
	}
}

bool pattern_has(const struct pattern *p, const struct addr *a)
{
	if (p->kind == PATTERN_ADDRESS)
		return addr_eq(&p->addr, a, ADDR_FOLD_LOCAL);
	return pattern_has_domain(p, addr_domain(a));
}

/* ---- verify-policy { } ---- */

static void set_rsa_bits(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_number(&c->min_rsa_bits, st, 1, CAP_RSA_MIN_OLD, CAP_RSA_MAX,
	    ce);
}

static void set_weak(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	add_patterns(&c->weak, &c->weaks, ~0u, st, ce);
}

static void set_time(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const char *s = st->word[1].s;
	int64_t x;

	if (s[strspn(s, "0123456789")] == '\0') {
		if (conf_int(ce, st, 1, 1, (int64_t)1 << 40, &x) == 0)
			c->fixed_time = x;
		return;
	}
	if (when_rfc3339(s, &x) != 0 || x <= 0) {
		conf_error(ce, st, 1, "time: expected seconds since 1970, or "
		    "a time such as 2026-11-21T10:00:00Z (RFC 3339), found %s",
		    s);
		return;
	}
	c->fixed_time = x;
}

void config_verify(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	static const struct config_key key[] = {
		{"rsa-bits", 1, 1, "a number in 1024..8192", false, false,
		    false, set_rsa_bits},
		{"weak", 1, 0, "ADDRESS|@DOMAIN|@*.DOMAIN|any ...", false,
		    true, false, set_weak},
		{"time", 1, 1, "seconds since 1970, or a time of RFC 3339",
		    false, false, false, set_time},
	};

	config_walk(c, key, ARRAY_LEN(key), st->sub, st->subs, ce);
}

/* ---- decrypt-policy { } ---- */

static void set_legacy(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_yes_no(&c->legacy_ciphers, st, ce);
}

static void set_gcm(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_yes_no(&c->gcm_in_enveloped, st, ce);
}

static void set_clear_answers(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	bool may = true;

	conf_yes_no(&may, st, ce);
	c->no_clear_answers = !may;
}

void config_decrypt(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	static const struct config_key key[] = {
		{"legacy", 1, 1, "yes or no", false, false, false,
		    set_legacy},
		{"gcm-in-enveloped", 1, 1, "yes or no", false, false, false,
		    set_gcm},
		{"clear-answers", 1, 1, "yes or no", false, false, false,
		    set_clear_answers},
	};

	config_walk(c, key, ARRAY_LEN(key), st->sub, st->subs, ce);
}

/* ---- who speaks for whom ---- */

/* 64 hex digits, with colons between the pairs if need be (openssl x509
 * -fingerprint). */
static int read_sha256(char dst[65], const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++) {
		char c = *s >= 'A' && *s <= 'F' ? (char)(*s + 32) : *s;

		if (c == ':' && n > 0 && n % 2 == 0 && s[1] != ':')
			continue;
		if (n == 64 || strchr("0123456789abcdef", c) == NULL)
			return -1;
		dst[n++] = c;
	}
	dst[n] = '\0';
	return n == 64 && s[-1] != ':' ? 0 : -1;
}

static int read_speaker(struct speaks_for *sf, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct err e = {0};

	if (strcmp(st->word[2].s, "certificate") == 0) {
		if (read_sha256(sf->sha256, st->word[3].s) == 0)
			return 0;
		conf_error(ce, st, 3, "speaks-for: expected the 64 hex digits "
		    "of a certificate's SHA-256, which \"postseal cert show\" "
		    "says, found %s", st->word[3].s);
		return -1;
	}
	if (strcmp(st->word[2].s, "address") != 0) {
		conf_error(ce, st, 2, "speaks-for: expected certificate or "
		    "address, found %s", st->word[2].s);
		return -1;
	}
	if (addr_parse(&sf->address, view_of(st->word[3].s), &e) == 0)
		return 0;
	conf_error(ce, st, 3, "speaks-for: %s", e.msg);
	return -1;
}

void config_speaks_for(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct speaks_for sf = {0}, *slot;
	void *a = c->speaks_for;

	/* nobody speaks for everybody */
	if (read_pattern(&sf.who, st, 1, ~(1u << PATTERN_ANY), ce) != 0 ||
	    read_speaker(&sf, st, ce) != 0)
		return;
	slot = conf_grow(&a, &c->speaks_fors, sizeof(*slot), st, ce);
	c->speaks_for = a;
	if (slot != NULL)
		*slot = sf;
}

void config_domain_signatures(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	add_patterns(&c->domain_sig, &c->domain_sigs,
	    ~(1u << PATTERN_ADDRESS), st, ce);
	for (size_t w = 1; w < st->words; w++) {
		struct pattern p;

		if (parse_pattern(&p, st, w, NULL) == 0 &&
		    p.kind == PATTERN_DOMAIN && strchr(p.domain, '.') == NULL)
			conf_error(ce, st, w, "domain-signatures: %s: a "
			    "top-level domain has no authority; name the "
			    "domains below it", st->word[w].s);
	}
}

/* ---- what would be used ---- */

static void put_pattern(struct buf *out, const struct pattern *p)
{
	if (p->kind == PATTERN_ANY)
		buf_puts(out, " any");
	else if (p->kind == PATTERN_ADDRESS)
		buf_printf(out, " %s", p->addr.text);
	else
		buf_printf(out, " @%s%s", p->kind == PATTERN_SUBDOMAINS
		    ? "*." : "", p->domain);
}

static void put_patterns(struct buf *out, const char *key,
    const struct pattern *p, size_t n)
{
	if (n == 0)
		return;
	buf_puts(out, key);
	for (size_t i = 0; i < n; i++)
		put_pattern(out, &p[i]);
	buf_putc(out, '\n');
}

void config_print_policy(const struct config *c, struct buf *out)
{
	char date[WHEN_SIZE];

	buf_printf(out, "verify-policy.rsa-bits %d\n", c->min_rsa_bits);
	put_patterns(out, "verify-policy.weak", c->weak, c->weaks);
	if (c->fixed_time != 0)
		buf_printf(out, "verify-policy.time %s\n",
		    when_timestamp(date, c->fixed_time));
	buf_printf(out, "decrypt-policy.legacy %s\n"
	    "decrypt-policy.gcm-in-enveloped %s\n"
	    "decrypt-policy.clear-answers %s\n",
	    c->legacy_ciphers ? "yes" : "no",
	    c->gcm_in_enveloped ? "yes" : "no",
	    c->no_clear_answers ? "no" : "yes");
	for (size_t i = 0; i < c->speaks_fors; i++) {
		const struct speaks_for *sf = &c->speaks_for[i];

		buf_puts(out, "speaks-for");
		put_pattern(out, &sf->who);
		buf_printf(out, " %s %s\n", sf->sha256[0] == '\0'
		    ? "address" : "certificate", sf->sha256[0] == '\0'
		    ? sf->address.text : sf->sha256);
	}
	put_patterns(out, "domain-signatures", c->domain_sig,
	    c->domain_sigs);
}

static bool has_any(const struct pattern *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].kind == PATTERN_ANY)
			return true;
	return false;
}

static void warn_time(int64_t t, void (*say)(const char *sentence))
{
	char date[WHEN_SIZE];
	struct buf b;

	buf_init(&b, 200);
	buf_printf(&b, "verify-policy time: all is judged as of %s, not as of "
	    "now", when_timestamp(date, t));
	say(buf_str(&b));
	buf_free(&b);
}

void config_warn(const struct config *c, void (*say)(const char *sentence))
{
	if (c->fixed_time != 0)
		warn_time(c->fixed_time, say);
	if (c->min_rsa_bits < CAP_RSA_MIN)
		say("verify-policy rsa-bits: signatures of keys that RFC 8551 "
		    "calls historic give a pass");
	if (c->legacy_ciphers)
		say("decrypt-policy legacy: RC2 and DES are opened, which "
		    "others can open as well");
	if (c->gcm_in_enveloped)
		say("decrypt-policy gcm-in-enveloped: content is opened whose "
		    "integrity is not protected");
	if (has_any(c->domain_sig, c->domain_sigs))
		say("domain-signatures any: every trusted CA can name an "
		    "authority for every domain");
	if (c->observe)
		say("observe yes: nothing is signed, encrypted, opened or "
		    "refused");
	config_warn_classes(c, say);
	config_warn_directories(c, say);
	config_warn_quarantine(c, say);
	config_warn_doors(c, say);
	config_warn_metrics(c, say);
}
