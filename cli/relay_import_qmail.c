/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Control files of s/qmail (tlsdestinations, domaincerts) and of the TLS
 * patch for netqmail (tlshosts/, notlshosts/).
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/relay_import.h"
#include "util/addr.h"

#define PORT_QMTPS 6209
#define PORT_SMTPS 465

static const char host_note[] = "s/qmail compares it with hosts, too; here "
    "it is a recipient's domain or a next hop";

/* In the order in which s/qmail asks them: the first one that fits holds. */
static const struct kind {
	const char *prefix;
	bool is_general; /* for all destinations: the prefix has the "*" */
	const char *rule; /* level and what belongs to it; %D: destination */
	const char *note;
} kinds[] = {
	{ "!", false, "none", NULL },
	{ "%", false, "fingerprint", host_note },
	{ "=", false, "secure match %D", host_note },
	{ "~", false, "verify match %D:.%D", NULL },
	{ "", false, "encrypt require-cert", NULL },
	{ "-", false, "encrypt allow-anonymous", NULL },
	{ "=*", true, "verify", NULL },
	{ "~*", true, "verify", "s/qmail is content with a certificate for "
	    "the parent domain, here it is for the host" },
	{ "+*", true, "encrypt require-cert", NULL },
	{ "-*", true, "encrypt allow-anonymous", NULL },
	{ "*", true, "may", NULL },
	{ "-", true, "may allow-anonymous", NULL },
};

/* dom:cafile|ciphers|verifydepth;port|senderdomain, taken apart. */
struct destination {
	const struct kind *kind;
	int order;
	struct view dest, ca, ciphers, sender;
	bool has_depth;
	int port;
};

static bool is_digits(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (!isdigit(v.p[i]))
			return false;
	return v.n > 0;
}

static int number(struct view v)
{
	int x = 0;

	if (!is_digits(v) || v.n > 5)
		return -1;
	for (size_t i = 0; i < v.n; i++)
		x = x * 10 + (v.p[i] - '0');
	return x >= 1 && x <= 65535 ? x : -1;
}

static int find_kind(struct destination *d, struct view key)
{
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct kind *k = &kinds[i];

		n = strlen(k->prefix);
		if (k->is_general ? !view_eq_str(key, k->prefix) :
		    key.n <= n || memcmp(key.p, k->prefix, n) != 0 ||
		    strchr("!%=~-+*", key.p[n]) != NULL)
			continue;
		d->kind = k;
		d->order = (int)i;
		d->dest = k->is_general ? view_of("") :
		    view_sub(key, n, key.n);
		return 0;
	}
	return -1;
}

/* A field up to '|'; a port may hang on it. True: it had one, so that the
 * next field is the sender's domain. */
static bool next_field(struct relay_import *im, struct destination *d,
    struct view *rest, struct view *field)
{
	size_t bar = view_chr(*rest, '|', 0), semi;

	*field = view_sub(*rest, 0, bar == (size_t)-1 ? rest->n : bar);
	*rest = bar == (size_t)-1 ? view_of("") :
	    view_sub(*rest, bar + 1, rest->n);
	semi = view_chr(*field, ';', 0);
	if (semi == (size_t)-1)
		return false;
	d->port = number(view_sub(*field, semi + 1, field->n));
	*field = view_sub(*field, 0, semi);
	if (d->port == -1)
		(void)import_lose(im, "a port that is none");
	return true;
}

static void read_fields(struct relay_import *im, struct destination *d,
    struct view rest)
{
	struct view field;
	bool last = false;

	for (int i = 0; i < 3 && !last; i++) {
		last = next_field(im, d, &rest, &field);
		if (i == 0)
			d->ca = field;
		else if (is_digits(field))
			d->has_depth = true;
		else if (field.n > 0 && d->ciphers.n > 0)
			(void)import_lose(im, "two lists of ciphers");
		else if (field.n > 0)
			d->ciphers = field;
	}
	d->sender = rest;
	import_aim(im, d->dest, d->sender);
	if (view_chr(rest, '|', 0) != (size_t)-1 ||
	    view_chr(rest, ';', 0) != (size_t)-1)
		(void)import_lose(im, "more fields than a line has");
}

/* "%D" is the destination. */
static void put_level(struct buf *b, const struct destination *d)
{
	for (const char *s = d->kind->rule; *s != '\0'; s++) {
		if (s[0] == '%' && s[1] == 'D') {
			buf_putv(b, d->dest);
			s++;
		} else {
			buf_putc(b, *s);
		}
	}
}

static bool is_kind(const struct destination *d, const char *word)
{
	return strstr(d->kind->rule, word) != NULL;
}

static int put_ca(struct relay_import *im, struct buf *b,
    const struct destination *d)
{
	const char *name;

	if (d->ca.n == 0)
		return 0;
	if (!is_kind(d, "require-cert") && !is_kind(d, "verify") &&
	    !is_kind(d, "secure"))
		return import_lose(im, "a file of CAs where no certificate is "
		    "verified");
	name = import_ca(im, d->ca, NULL);
	if (name == NULL)
		return -1;
	buf_printf(b, " ca %s", name);
	return 0;
}

static int put_port(struct relay_import *im, struct buf *b,
    const struct destination *d)
{
	if (d->port == PORT_QMTPS)
		return import_lose(im, "QMTPS is not spoken here");
	if (d->port > 0 && d->port != 25)
		buf_printf(b, " port %d", d->port);
	if (d->port == PORT_SMTPS)
		buf_puts(b, " implicit");
	return 0;
}

static int put_fingerprint(struct relay_import *im, struct buf *b,
    struct destination *d)
{
	char dest[TLS_NAME_MAX];

	if (d->ca.n < 2 || d->ca.p[0] != '=' ||
	    view_cstr(d->dest, dest, sizeof(dest)) != 0)
		return import_lose(im, "expected =FINGERPRINT");
	if (import_pin(im, b, view_sub(d->ca, 1, d->ca.n), dest,
	    d->port) != 0)
		return -1;
	d->ca = view_of("");
	return 0;
}

static int put_sender(struct relay_import *im, struct buf *b,
    const struct destination *d)
{
	if (d->sender.n == 0)
		return 0;
	if (d->kind->is_general)
		return import_lose(im, "a sender's domain for all "
		    "destinations: name them");
	buf_puts(b, " from ");
	if (view_chr(d->sender, '@', 0) != (size_t)-1)
		return import_word(b, d->sender);
	buf_putc(b, '@');
	buf_putv(b, d->sender);
	return 0;
}

static int put_rule(struct relay_import *im, struct buf *b,
    struct destination *d)
{
	if (d->kind->is_general) {
		buf_puts(b, "default");
	} else {
		buf_puts(b, "to ");
		if (import_word(b, d->dest) != 0)
			return import_lose(im, "no destination");
	}
	if (put_sender(im, b, d) != 0)
		return im->is_losing ? -1 :
		    import_lose(im, "no sender's domain");
	buf_putc(b, ' ');
	put_level(b, d);
	if (is_kind(d, "fingerprint") && put_fingerprint(im, b, d) != 0)
		return -1;
	if (put_ca(im, b, d) != 0)
		return -1;
	if (d->ciphers.n > 0) {
		buf_puts(b, " ciphers \"");
		buf_putv(b, d->ciphers);
		buf_putc(b, '"');
	}
	if (put_port(im, b, d) != 0)
		return -1;
	if (d->has_depth)
		import_note(im, "verifydepth is not kept: paths have at most "
		    "8 certificates");
	if (d->kind->note != NULL)
		import_note(im, "%s", d->kind->note);
	return 0;
}

/* What a key of no known kind was perhaps meant for. */
static struct view bare_key(struct view key)
{
	while (key.n > 0 && strchr("!%=~-+*", key.p[0]) != NULL)
		key = view_sub(key, 1, key.n);
	return key;
}

static int read_key(struct relay_import *im, struct destination *d,
    struct view key)
{
	struct view bare = bare_key(key);

	if (bare.n > 0)
		import_aim(im, bare, view_of(""));
	if (find_kind(d, key) != 0)
		return import_lose(im, "a prefix that is not known");
	if (strcmp(d->kind->rule, "none") == 0)
		import_wants_none(im);
	return 0;
}

static void read_destination(struct relay_import *im, size_t number_of,
    struct view line)
{
	struct destination d = { 0 };
	size_t colon = view_chr(line, ':', 0);
	struct buf rule;
	int rc;

	buf_init(&rule, 65536);
	rc = read_key(im, &d, view_sub(line, 0, colon == (size_t)-1 ? line.n :
	    colon));
	if (rc == 0 && colon == (size_t)-1)
		rc = import_lose(im, "expected DESTINATION:...");
	if (rc == 0) {
		read_fields(im, &d, view_sub(line, colon + 1, line.n));
		rc = im->is_losing ? -1 : put_rule(im, &rule, &d);
	}
	import_finish(im, number_of, line, rc == 0 && !rule.failed ? &rule :
	    NULL, d.order);
	buf_free(&rule);
}

static void read_text(struct relay_import *im, struct view text,
    void (*read)(struct relay_import *im, size_t number_of,
    struct view line))
{
	struct view line;
	size_t n = 0;

	while (n < IMPORT_LINES && import_line(&text, &line)) {
		n++;
		line = view_trim(line);
		if (line.n > 0 && line.p[0] != '#')
			read(im, n, line);
	}
	if (text.n > 0) {
		(void)import_lose(im, "more than %d lines: the rest was not "
		    "read", IMPORT_LINES);
		import_finish(im, n + 1, view_of("..."), NULL, 0);
	}
}

void import_tlsdestinations(struct relay_import *im, struct view text)
{
	im->has_policy = true;
	read_text(im, text, read_destination);
}

/* ---- domaincerts ---- */

static bool is_sender(struct view v)
{
	char domain[TLS_NAME_MAX];
	struct addr a;
	struct err e;

	if (view_chr(v, '@', 0) != (size_t)-1)
		return addr_parse(&a, v, &e) == 0;
	return addr_domain_parse(domain, sizeof(domain), v, &e) == 0;
}

/* senderdomain:cert|key|password; the password is told to nobody. */
static void read_domaincert(struct relay_import *im, size_t number_of,
    struct view line)
{
	size_t colon = view_chr(line, ':', 0), bar, bar2;
	struct view domain = view_sub(line, 0, colon == (size_t)-1 ? 0 :
	    colon), rest, cert, key, password;
	const char *name = NULL;
	struct buf b;

	rest = view_sub(line, colon == (size_t)-1 ? line.n : colon + 1,
	    line.n);
	bar = view_chr(rest, '|', 0);
	cert = view_sub(rest, 0, bar == (size_t)-1 ? rest.n : bar);
	rest = view_sub(rest, bar == (size_t)-1 ? rest.n : bar + 1, rest.n);
	bar2 = view_chr(rest, '|', 0);
	key = view_sub(rest, 0, bar2 == (size_t)-1 ? rest.n : bar2);
	password = view_sub(rest, bar2 == (size_t)-1 ? rest.n : bar2 + 1,
	    rest.n);
	buf_init(&b, 65536);
	if (domain.n == 0 || cert.n == 0)
		(void)import_lose(im, "expected DOMAIN:CERTIFICATE|KEY");
	else if (password.n > 0)
		(void)import_lose(im, "the key has a password: write it "
		    "without (openssl pkey -in KEY -out NEW)");
	else
		name = import_pki(im, cert, key);
	if (name != NULL && !view_eq_str(domain, "*") &&
	    !is_sender(domain)) {
		(void)import_lose(im, "no sender's domain");
		name = NULL;
	}
	if (name != NULL && view_eq_str(domain, "*")) {
		(void)import_lose(im, "a certificate for all other senders: "
		    "write \"pki %s\" into the lines of tls-policy", name);
	} else if (name != NULL) {
		buf_puts(&b, "client-cert from ");
		buf_puts(&b, view_chr(domain, '@', 0) == (size_t)-1 ? "@" :
		    "");
		buf_putv(&b, domain);
		buf_printf(&b, " pki %s\n", name);
		buf_putv(&im->blocks, buf_view(&b));
	}
	if (im->is_losing)
		import_note(im, "mail from there shows the certificate of a "
		    "wider line, or none");
	/* cert, key and password are in what is left out */
	import_finish(im, number_of, domain, NULL, 0);
	buf_free(&b);
}

void import_domaincerts(struct relay_import *im, struct view text)
{
	read_text(im, text, read_domaincert);
}

/* ---- tlshosts/ ---- */

static void put_tlshost(struct relay_import *im, const char *dir,
    const char *host, size_t number_of)
{
	struct buf path, rule;
	const char *name;

	import_aim(im, view_of(host), view_of(""));
	buf_init(&path, 8192);
	buf_init(&rule, 65536);
	buf_printf(&path, "%s/%s.pem", dir, host);
	name = import_ca(im, buf_view(&path), NULL);
	buf_puts(&rule, "to ");
	if (import_word(&rule, view_of(host)) != 0)
		(void)import_lose(im, "no host's name");
	else if (name != NULL)
		buf_printf(&rule, " secure match %s ca %s", host, name);
	import_finish(im, number_of, view_of(host), &rule, 0);
	buf_free(&path);
	buf_free(&rule);
}

static void put_notlshost(struct relay_import *im, const char *host,
    size_t number_of)
{
	struct buf rule;

	import_wants_none(im);
	buf_init(&rule, 65536);
	buf_puts(&rule, "to ");
	if (import_word(&rule, view_of(host)) != 0)
		(void)import_lose(im, "no host's name");
	buf_puts(&rule, " none");
	import_finish(im, number_of, view_of(host), &rule, 1);
	buf_free(&rule);
}

/* "HOST.pem", a list, or something else. */
static void read_entry(struct relay_import *im, const char *dir,
    const char *name, size_t number_of)
{
	size_t n = strlen(name);
	char host[TLS_NAME_MAX];
	struct buf none;

	if (strcmp(name, "exhaustivelist") == 0) {
		buf_init(&none, 64);
		buf_puts(&none, "default none");
		import_finish(im, number_of, view_of(name), &none, 0);
		buf_free(&none);
	} else if (n > 4 && strcmp(name + n - 4, ".pem") == 0 &&
	    view_cstr(view_make(name, n - 4), host, sizeof(host)) == 0) {
		put_tlshost(im, dir, host, number_of);
	} else {
		import_wants_none(im);
		(void)import_lose(im, "no HOST.pem");
		import_finish(im, number_of, view_of(name), NULL, 0);
	}
}

static int each_entry(struct relay_import *im, const char *dir, bool is_no,
    struct err *e)
{
	struct dirent **list = NULL;
	int n = scandir(dir, &list, NULL, alphasort);

	if (n == -1)
		return err_sys(e, FAIL_INPUT, "%s", dir);
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;

		if (name[0] == '.')
			continue;
		if (is_no)
			put_notlshost(im, name, (size_t)i + 1);
		else
			read_entry(im, dir, name, (size_t)i + 1);
	}
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
	return 0;
}

/* notlshosts/ stands beside it. */
int import_tlshosts(struct relay_import *im, const char *dir, struct err *e)
{
	struct buf beside;
	size_t n = strlen(dir);
	int rc;

	im->has_policy = true;
	while (n > 1 && dir[n - 1] == '/')
		n--;
	buf_init(&beside, 8192);
	buf_put(&beside, dir, n);
	rc = each_entry(im, buf_str(&beside), false, e);
	buf_puts(&beside, "/../notlshosts");
	if (rc == 0 && each_entry(im, buf_str(&beside), true, e) != 0 &&
	    errno != ENOENT)
		rc = -1;
	buf_free(&beside);
	return rc;
}
