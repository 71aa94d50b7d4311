/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The blocks directory { } of postseal.conf: where certificates are looked
 * up that the keystore has not, and for whom.
 */
#include "gateway/config_int.h"

#include <stdlib.h>
#include <string.h>

#include "fetch/find.h"
#include "fetch/ldap_text.h"
#include "gateway/lists.h"

/* The block that is read. */
static struct directory *here(struct config *c)
{
	return &c->directory[c->directories - 1];
}

static int add_text(char ***list, size_t *n, const char *text,
    const struct conf_stmt *st, struct conf_errors *ce)
{
	void *a = *list;
	char **slot = conf_grow(&a, n, sizeof(*slot), st, ce);

	*list = a;
	if (slot == NULL)
		return -1;
	*slot = strdup(text);
	if (*slot == NULL) {
		(*n)--;
		conf_error(ce, st, 0, "out of memory");
		return -1;
	}
	return 0;
}

/* ---- which directory ---- */

static void set_ldap(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct directory *d = here(c);

	d->source = FIND_LDAP;
	for (size_t w = 1; w < st->words; w++) {
		struct ldap_where where;
		struct err e = {0};

		if (ldap_url_read(&where, st->word[w].s, &e) != 0)
			conf_error(ce, st, w, "ldap: %s", e.msg);
		else if (add_text(&d->url, &d->urls, st->word[w].s, st,
		    ce) != 0)
			return;
	}
}

/* The tables know no statements without values. */
static void refuse_value(const struct conf_stmt *st, struct conf_errors *ce)
{
	if (st->words > 1)
		conf_error(ce, st, 1, "%s: expected no value, found %s",
		    st->word[0].s, st->word[1].s);
}

static void set_smimea(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	refuse_value(st, ce);
	here(c)->source = FIND_SMIMEA;
}

/* "@d", "@*.d" or any, as find.h has them. */
static void set_for(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct directory *d = here(c);

	for (size_t w = 1; w < st->words; w++) {
		const char *s = st->word[w].s;
		bool below = strncmp(s, "@*.", 3) == 0;
		struct err e = {0};
		char name[2 + 256] = "*.";

		if (strcmp(s, "any") == 0 && !st->word[w].quoted) {
			(void)add_text(&d->domain, &d->domains, s, st, ce);
			continue;
		}
		if (*s != '@') {
			conf_error(ce, st, w, "for: expected @DOMAIN, "
			    "@*.DOMAIN or any, found %s", s);
			continue;
		}
		if (addr_domain_parse(name + 2, sizeof(name) - 2,
		    view_of(s + (below ? 3 : 1)), &e) != 0)
			conf_error(ce, st, w, "for: %s", e.msg);
		else
			(void)add_text(&d->domain, &d->domains,
			    below ? name : name + 2, st, ce);
	}
}

/* ---- LDAP ---- */

static void set_base(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_string(&here(c)->base, st, 1, ce);
}

static void set_filter(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct err e = {0};

	if (ldap_filter_check(st->word[1].s, &e) != 0)
		conf_error(ce, st, 1, "%s", e.msg);
	else
		conf_string(&here(c)->filter, st, 1, ce);
}

static void set_attribute(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const char *s = st->word[1].s;

	/* RFC 4512 2.5: a description, with options */
	if (*s == '\0' || s[strspn(s, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.;")] != '\0')
		conf_error(ce, st, 1, "attribute: expected a name such as "
		    "\"userCertificate;binary\" (RFC 4512 2.5), found %s", s);
	else
		conf_string(&here(c)->attribute, st, 1, ce);
}

static void set_bind(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	if (strcmp(st->word[2].s, "password-file") != 0) {
		conf_error(ce, st, 2, "bind: expected \"DN\" password-file "
		    "\"PATH\", found %s", st->word[2].s);
		return;
	}
	conf_string(&here(c)->bind_dn, st, 1, ce);
	conf_path(&here(c)->password_file, st, 3, ce);
}

static void set_ca(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_path(&here(c)->ca_file, st, 1, ce);
}

static void set_start_tls(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	refuse_value(st, ce);
	here(c)->start_tls = true;
}

/* ---- SMIMEA ---- */

static void set_resolver(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const char *s = st->word[1].s, *at = strchr(s, '@');
	char host[64], *end = NULL;
	size_t n = at == NULL ? strlen(s) : (size_t)(at - s);
	struct err e = {0};
	struct net net;
	long port = 53;

	if (at != NULL)
		port = strtol(at + 1, &end, 10);
	if (port < 1 || port > 65535 || (at != NULL && (end == at + 1 ||
	    *end != '\0' || strchr("0123456789", at[1]) == NULL)) ||
	    memchr(s, '/', n) != NULL ||
	    view_cstr(view_make(s, n), host, sizeof(host)) != 0 ||
	    net_parse(&net, host, &e) != 0)
		conf_error(ce, st, 1, "resolver: expected \"ADDRESS\" or "
		    "\"ADDRESS@PORT\", such as \"127.0.0.1@53\", found %s", s);
	else
		conf_string(&here(c)->resolver, st, 1, ce);
}

static void set_anchor(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_path(&here(c)->anchor_file, st, 1, ce);
}

static void set_trust(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const char *s = st->word[1].s;

	here(c)->trust_dnssec = strcmp(s, "dnssec") == 0;
	if (!here(c)->trust_dnssec && strcmp(s, "path") != 0)
		conf_error(ce, st, 1, "trust: expected path or dnssec, found "
		    "%s", s);
}

/* ---- lists ---- */

static void set_name(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const char *s = st->word[1].s;

	if (!lists_directory_name_is_sane(s)) {
		conf_error(ce, st, 1, "name: expected letters, digits, - _ "
		    "and ., found %s", s);
		return;
	}
	for (size_t i = 0; i + 1 < c->directories; i++)
		if (c->directory[i].name != NULL &&
		    strcmp(c->directory[i].name, s) == 0)
			conf_error(ce, st, 1, "name: another directory { } "
			    "is called %s", s);
	conf_string(&here(c)->name, st, 1, ce);
}

static void set_lists_every(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	int64_t x;

	if (conf_time(ce, st, 1, 1, 86400, &x) == 0)
		here(c)->lists_every_s = x;
}

/* ---- both ---- */

static void set_timeout(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	int64_t x;

	if (conf_time(ce, st, 1, 1, CAP_LOOKUP_MS / 1000, &x) == 0)
		here(c)->timeout_ms = x * 1000;
}

static void set_cache(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	int64_t x;

	if (conf_time(ce, st, 1, 0, (int64_t)7 * 86400, &x) == 0)
		here(c)->cache_s = x;
}

static void set_negative(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	int64_t x;

	if (conf_time(ce, st, 1, 0, 86400, &x) == 0)
		here(c)->negative_s = x;
}

static void set_on_failure(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const char *s = st->word[1].s;

	here(c)->defers = strcmp(s, "defer") == 0;
	if (!here(c)->defers && strcmp(s, "ignore") != 0)
		conf_error(ce, st, 1, "on-failure: expected defer or ignore, "
		    "found %s", s);
}

static const struct config_key directory_key[] = {
	{"ldap", 1, 8, "\"ldaps://HOST\" ... (up to 8, tried in this order)",
	    false, false, false, set_ldap},
	{"smimea", 0, 0, "", false, false, false, set_smimea},
	{"for", 1, 0, "@DOMAIN|@*.DOMAIN|any ...", false, true, false,
	    set_for},
	{"name", 1, 1, "NAME", false, false, false, set_name},
	{"lists-every", 1, 1, "TIME", false, false, false, set_lists_every},
	{"base", 1, 1, "\"DN\"", false, false, false, set_base},
	{"filter", 1, 1, "\"(mail=%s)\"", false, false, false, set_filter},
	{"attribute", 1, 1, "\"NAME\"", false, false, false, set_attribute},
	{"bind", 3, 3, "\"DN\" password-file \"PATH\"", false, false, false,
	    set_bind},
	{"ca", 1, 1, "\"FILE\"", false, false, false, set_ca},
	{"start-tls", 0, 0, "", false, false, false, set_start_tls},
	{"resolver", 1, 1, "\"ADDRESS@PORT\"", false, false, false,
	    set_resolver},
	{"anchor", 1, 1, "\"FILE\"", false, false, false, set_anchor},
	{"trust", 1, 1, "path or dnssec", false, false, false, set_trust},
	{"timeout", 1, 1, "TIME", false, false, false, set_timeout},
	{"cache", 1, 1, "TIME", false, false, false, set_cache},
	{"negative", 1, 1, "TIME", false, false, false, set_negative},
	{"on-failure", 1, 1, "defer or ignore", false, false, false,
	    set_on_failure},
};

/* ---- the whole block ---- */

static const struct conf_stmt *find(const struct conf_stmt *block,
    const char *word)
{
	for (size_t i = 0; i < block->subs; i++)
		if (strcmp(block->sub[i].word[0].s, word) == 0)
			return &block->sub[i];
	return NULL;
}

/* Words that say nothing in a directory of this kind. */
static void refuse_words(const struct conf_stmt *block, bool is_ldap,
    struct conf_errors *ce)
{
	/* what the DNS does not answer is never "nothing" (RFC 8162 6) */
	static const char *const ldap[] = {"base", "filter", "attribute",
	    "bind", "ca", "start-tls", "on-failure", "name", "lists-every"};
	static const char *const smimea[] = {"resolver", "anchor", "trust"};
	const char *const *word = is_ldap ? smimea : ldap;
	size_t n = is_ldap ? ARRAY_LEN(smimea) : ARRAY_LEN(ldap);

	for (size_t i = 0; i < n; i++) {
		const struct conf_stmt *st = find(block, word[i]);

		if (st != NULL)
			conf_error(ce, st, 0, "%s: not for a directory of "
			    "%s", word[i], is_ldap ? "ldap" : "smimea");
	}
}

/* RFC 4513 5.1.3: a password only where nobody can read it on the way. */
static void check_tls(const struct directory *d,
    const struct conf_stmt *block, struct conf_errors *ce)
{
	for (size_t i = 0; i < d->urls; i++) {
		const struct conf_stmt *ldap = find(block, "ldap");
		struct ldap_where w;
		struct err e = {0};

		if (ldap_url_read(&w, d->url[i], &e) != 0)
			continue;
		if (w.is_tls && d->start_tls)
			conf_error(ce, ldap, 0, "start-tls: %s is TLS from "
			    "the beginning", d->url[i]);
		if (!w.is_tls && !d->start_tls && !w.is_loopback &&
		    d->bind_dn != NULL)
			conf_error(ce, ldap, 0, "bind: the password would go "
			    "to %s in clear (RFC 4513 5.1.3); use ldaps:// or "
			    "start-tls", d->url[i]);
	}
}

static int set_default(char **s, const char *value)
{
	if (*s == NULL)
		*s = strdup(value);
	return *s == NULL ? -1 : 0;
}

void config_directory(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	bool is_ldap = find(st, "ldap") != NULL;
	struct directory *d;
	void *a = c->directory;

	d = conf_grow(&a, &c->directories, sizeof(*d), st, ce);
	c->directory = a;
	if (d == NULL)
		return;
	d->timeout_ms = 5000;
	d->cache_s = 3600;
	d->negative_s = 600;
	d->defers = true;
	d->lists_every_s = 900;
	config_walk(c, directory_key, ARRAY_LEN(directory_key), st->sub,
	    st->subs, ce);
	if (is_ldap == (find(st, "smimea") != NULL)) {
		conf_error(ce, st, 0, "directory: expected one of ldap and "
		    "smimea, found %s", is_ldap ? "both" : "none");
		return;
	}
	refuse_words(st, is_ldap, ce);
	if (d->domains == 0 && d->name == NULL)
		conf_error(ce, st, 0, "directory: missing: for @DOMAIN|"
		    "@*.DOMAIN|any ..., or a name that lists call it by");
	if (!is_ldap)
		return;
	check_tls(d, st, ce);
	if (set_default(&d->base, "") != 0 ||
	    set_default(&d->filter, "(mail=%s)") != 0 ||
	    set_default(&d->attribute, "userCertificate;binary") != 0)
		conf_error(ce, st, 0, "out of memory");
}

void config_free_directories(struct config *c)
{
	for (size_t i = 0; i < c->directories; i++)
		directory_free(&c->directory[i]);
	free(c->directory);
	c->directory = NULL;
	c->directories = 0;
}

/* ---- what would be used ---- */

static void print_text(struct buf *out, const char *key, const char *value)
{
	if (value != NULL && *value != '\0')
		buf_printf(out, "directory.%s %s\n", key, value);
}

static void print_ldap(const struct directory *d, struct buf *out)
{
	buf_puts(out, "directory.ldap");
	for (size_t i = 0; i < d->urls; i++)
		buf_printf(out, " %s", d->url[i]);
	buf_putc(out, '\n');
	print_text(out, "name", d->name);
	if (d->name != NULL)
		buf_printf(out, "directory.lists-every %llds\n",
		    (long long)d->lists_every_s);
	print_text(out, "base", d->base);
	print_text(out, "filter", d->filter);
	print_text(out, "attribute", d->attribute);
	print_text(out, "bind", d->bind_dn);
	print_text(out, "password-file", d->password_file);
	print_text(out, "ca", d->ca_file);
	if (d->start_tls)
		buf_puts(out, "directory.start-tls\n");
}

static void print_smimea(const struct directory *d, struct buf *out)
{
	buf_puts(out, "directory.smimea\n");
	print_text(out, "resolver", d->resolver);
	print_text(out, "anchor", d->anchor_file);
	print_text(out, "trust", d->trust_dnssec ? "dnssec" : "path");
}

void config_print_directories(const struct config *c, struct buf *out)
{
	for (size_t i = 0; i < c->directories; i++) {
		const struct directory *d = &c->directory[i];

		if (d->source == FIND_LDAP)
			print_ldap(d, out);
		else
			print_smimea(d, out);
		buf_puts(out, "directory.for");
		for (size_t k = 0; k < d->domains; k++)
			buf_printf(out, " %s%s",
			    strcmp(d->domain[k], "any") == 0 ? "" : "@",
			    d->domain[k]);
		buf_printf(out, "\ndirectory.timeout %llds\n"
		    "directory.cache %llds\ndirectory.negative %llds\n"
		    "directory.on-failure %s\n",
		    (long long)d->timeout_ms / 1000, (long long)d->cache_s,
		    (long long)d->negative_s, d->defers ? "defer" : "ignore");
	}
}

static bool is_in_clear(const struct directory *d)
{
	for (size_t i = 0; i < d->urls && !d->start_tls; i++) {
		struct ldap_where w;

		if (ldap_url_read(&w, d->url[i], NULL) == 0 && !w.is_tls &&
		    !w.is_loopback)
			return true;
	}
	return false;
}

void config_warn_directories(const struct config *c,
    void (*say)(const char *sentence))
{
	bool clear = false, ignore = false, dnssec = false;

	for (size_t i = 0; i < c->directories; i++) {
		clear = clear || is_in_clear(&c->directory[i]);
		ignore = ignore || !c->directory[i].defers;
		dnssec = dnssec || c->directory[i].trust_dnssec;
	}
	if (clear)
		say("directory: of an LDAP server without TLS anybody on the "
		    "way can say that it has no certificate");
	if (ignore)
		say("directory on-failure ignore: who keeps a directory from "
		    "answering keeps mail from being encrypted, where rules "
		    "let it go in clear");
	if (dnssec)
		say("directory trust dnssec: whoever signs a domain's DNS "
		    "decides for which key its mail is encrypted");
}
