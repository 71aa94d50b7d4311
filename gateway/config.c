/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal.conf: the statements outside blocks, defaults, printing.
 */
#include "gateway/config.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/config_int.h"
#include "gateway/texts.h"

#define CREDENTIALS "/run/credentials/postseal-milter.service"

static void set_domains(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	for (size_t w = 1; w < st->words; w++) {
		struct err e = {0};
		char name[256];
		void *a = c->domain;
		char **d;

		if (addr_domain_parse(name, sizeof(name),
		    view_of(st->word[w].s), &e) != 0) {
			conf_error(ce, st, w, "local-domains: %s", e.msg);
			continue;
		}
		d = conf_grow(&a, &c->domains, sizeof(*d), st, ce);
		c->domain = a;
		if (d != NULL && (*d = strdup(name)) == NULL)
			conf_error(ce, st, w, "out of memory");
	}
}

/* keystore sqlite PATH and the like: a fixed word, then a path. */
static void set_kind_path(char **out, const char *kind,
    const struct conf_stmt *st, struct conf_errors *ce)
{
	if (strcmp(st->word[1].s, kind) != 0)
		conf_error(ce, st, 1, "%s: expected %s PATH, found %s",
		    st->word[0].s, kind, st->word[1].s);
	else
		conf_path(out, st, 2, ce);
}

static void set_keystore(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	set_kind_path(&c->keystore, "sqlite", st, ce);
}

/*
 * A credential of systemd.exec(5): its folder is in the service's
 * environment, and root finds it where systemd keeps it while that runs.
 */
static void set_credential(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const char *dir = secure_getenv("CREDENTIALS_DIRECTORY");
	const char *name = st->word[2].s;
	struct buf path;

	if (*name == '\0' || *name == '.' || strchr(name, '/') != NULL) {
		conf_error(ce, st, 2, "secret credential: expected a name "
		    "without slash, found %s", name);
		return;
	}
	buf_init(&path, 4096);
	buf_printf(&path, "%s/%s", dir != NULL && *dir == '/' ? dir :
	    CREDENTIALS, name);
	c->secret = path.failed ? NULL : view_strdup(buf_view(&path));
	c->secret_is_credential = true;
	if (c->secret == NULL)
		conf_error(ce, st, 2, "secret credential: path too long");
	buf_free(&path);
}

static void set_secret(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	if (strcmp(st->word[1].s, "credential") == 0)
		set_credential(c, st, ce);
	else if (strcmp(st->word[1].s, "file") == 0)
		conf_path(&c->secret, st, 2, ce);
	else
		conf_error(ce, st, 1, "secret: expected file PATH or "
		    "credential NAME, found %s", st->word[1].s);
}

static void set_rules(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_path(&c->rules, st, 1, ce);
}

static void set_spool(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_path(&c->spool, st, 1, ce);
}

static void set_authserv(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const char *s = st->word[1].s;

	/* RFC 8601 2.2 allows any MIME value; a plain token is what every
	 * reader compares the same way. */
	if (*s == '\0' || strlen(s) > 253 ||
	    s[strspn(s, "abcdefghijklmnopqrstuvwxyz"
			"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")] != '\0') {
		conf_error(ce, st, 1,
		    "authserv-id: expected a name of letters, digits, dots, "
		    "hyphens (RFC 8601 2.5)");
		return;
	}
	conf_string(&c->authserv_id, st, 1, ce);
}

static void set_delimiter(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const char *s = st->word[1].s;

	if (strlen(s) != 1 || strchr("+-_=.#!", *s) == NULL)
		conf_error(ce, st, 1,
		    "recipient-delimiter: expected one of + - _ = . # !");
	else
		c->delimiter = (unsigned char)*s;
}

static void set_max_message(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	uint64_t x;

	if (conf_size(ce, st, 1, 1024, (uint64_t)1 << 40, &x) == 0)
		c->max_message = x;
}

static void set_administrator(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct err e = {0};
	struct addr a;

	if (addr_parse(&a, view_of(st->word[1].s), &e) != 0)
		conf_error(ce, st, 1, "administrator: %s", e.msg);
	else
		conf_string(&c->administrator, st, 1, ce);
}

static void set_keep_audit(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	int64_t x;

	if (conf_time(ce, st, 1, 0, (int64_t)3650 * 86400, &x) == 0)
		c->keep_audit_s = x;
}

static void set_log(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const char *s = st->word[1].s;

	if (strcmp(s, "syslog") == 0)
		c->log_syslog = true;
	else if (strcmp(s, "stderr") != 0)
		conf_error(ce, st, 1, "log: expected syslog or stderr, "
		    "found %s", s);
}

static void set_metrics(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	if (conf_host_port(st, 1, ce) == 0)
		conf_string(&c->metrics, st, 1, ce);
}

static void set_sign_for(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct err e = {0};
	struct sign_for *s;
	void *a = c->sign_for;
	char *who;

	if (strcmp(st->word[2].s, "network") != 0) {
		conf_error(ce, st, 2,
		    "sign-for: expected network NET, found %s",
		    st->word[2].s);
		return;
	}
	who = config_who(st, 1, ce);
	if (who == NULL)
		return;
	s = conf_grow(&a, &c->sign_fors, sizeof(*s), st, ce);
	c->sign_for = a;
	if (s == NULL) {
		free(who);
		return;
	}
	s->who = who;
	if (net_parse(&s->net, st->word[3].s, &e) != 0)
		conf_error(ce, st, 3, "sign-for: %s", e.msg);
}

/* relay/config.c reads and checks it, for postseal-relay. */
static void set_relay(struct config *c, const struct conf_stmt *st UNUSED,
    struct conf_errors *ce UNUSED)
{
	c->has_relay = true;
}

static const struct config_key top_key[] = {
	{"local-domains", 1, 0, "DOMAIN ...", false, false, true, set_domains},
	{"keystore", 2, 2, "sqlite \"PATH\"", false, false, true,
	    set_keystore},
	{"secret", 2, 2, "file \"PATH\" or credential NAME", false, false,
	    true, set_secret},
	{"rules", 1, 1, "\"PATH\"", false, false, true, set_rules},
	{"authserv-id", 1, 1, "NAME", false, false, true, set_authserv},
	{"recipient-delimiter", 1, 1, "CHARACTER", false, false, false,
	    set_delimiter},
	{"max-message-size", 1, 1, "SIZE", false, false, false,
	    set_max_message},
	{"administrator", 1, 1, "ADDRESS", false, false, false,
	    set_administrator},
	{"spool", 1, 1, "FOLDER", false, false, false, set_spool},
	{"keep-audit", 1, 1, "TIME", false, false, false, set_keep_audit},
	{"log", 1, 1, "syslog or stderr", false, false, false, set_log},
	{"metrics", 1, 1, "\"ADDRESS:PORT\"", false, false, false,
	    set_metrics},
	{"authority", 2, 0, "file \"PATH\" or ldap DIRECTORY \"FILTER\" "
	    "login ATTRIBUTE address ATTRIBUTE", false, true, false,
	    config_authority},
	{"address-map", 2, 0, "file \"PATH\" or ldap DIRECTORY \"FILTER\" "
	    "address ATTRIBUTE opens-with ATTRIBUTE", false, true, false,
	    config_address_map},
	{"sign-for", 3, 3, "ADDRESS|@DOMAIN network NET", false, true, false,
	    set_sign_for},
	{"verify-policy", 0, 0, "{ ... }", true, false, false, config_verify},
	{"decrypt-policy", 0, 0, "{ ... }", true, false, false,
	    config_decrypt},
	{"speaks-for", 3, 3, "ADDRESS|@DOMAIN|@*.DOMAIN certificate "
	    "\"SHA256\" or address ADDRESS", false, true, false,
	    config_speaks_for},
	{"domain-signatures", 1, 0, "@DOMAIN|@*.DOMAIN|any ...", false, true,
	    false, config_domain_signatures},
	{"harvest", 0, 0, "{ ... }", true, false, false, config_harvest},
	{"notices", 0, 0, "{ ... }", true, false, false, config_notices},
	{"quarantine", 0, 0, "{ ... }", true, false, false,
	    config_quarantine},
	{"language", 1, 0, "LANGUAGE [for ADDRESS|@DOMAIN ...]", false, true,
	    false, config_language},
	{"texts", 1, 1, "FOLDER", false, false, false, config_texts},
	{"fetch", 0, 0, "{ ... }", true, false, false, config_fetch},
	{"directory", 0, 0, "{ ... }", true, true, false, config_directory},
	{"classes", 0, 0, "{ ... }", true, false, false, config_classes},
	{"milter", 0, 0, "{ ... }", true, false, false, config_milter},
	{"door", 1, 1, "NAME { ... }", true, true, false, config_door},
	{"relay", 0, 0, "{ ... }", true, false, false, set_relay},
};

/* What the relay knows as well (keystore, spool, log, administrator, notices)
 * does not make it a file for the milter. */
static bool is_relay_only(const struct conf *conf)
{
	static const char *const ours[] = {"local-domains", "secret", "rules",
		"authserv-id", "milter", "door"};
	bool has_relay = false;

	for (size_t i = 0; i < conf->stmts; i++) {
		const char *word = conf->stmt[i].word[0].s;

		has_relay = has_relay || strcmp(word, "relay") == 0;
		for (size_t k = 0; k < ARRAY_LEN(ours); k++)
			if (strcmp(word, ours[k]) == 0)
				return false;
	}
	return has_relay;
}

static void walk_top(struct config *c, const struct conf *conf,
    struct conf_errors *ce)
{
	struct config_key key[ARRAY_LEN(top_key)];

	memcpy(key, top_key, sizeof(key));
	c->is_relay_only = is_relay_only(conf);
	for (size_t i = 0; i < ARRAY_LEN(key); i++)
		key[i].required = key[i].required && !c->is_relay_only;
	config_walk(c, key, ARRAY_LEN(key), conf->stmt, conf->stmts, ce);
}

static int set_defaults(struct config *c, const char *path)
{
	struct err e = {0};

	c->path = strdup(path);
	c->outbound = calloc(2, sizeof(*c->outbound));
	if (c->path == NULL || c->outbound == NULL)
		return -1;
	c->outbounds = 2;
	if (net_parse(&c->outbound[0], "127.0.0.0/8", &e) != 0 ||
	    net_parse(&c->outbound[1], "::1/128", &e) != 0)
		return -1;
	c->max_message = CAP_MESSAGE_DEFAULT;
	c->keep_audit_s = (int64_t)30 * 86400;
	config_harvest_defaults(c);
	config_classes_defaults(c);
	config_quarantine_defaults(c);
	c->notice_every_s = (int64_t)86400;
	c->notice_before_s = (int64_t)30 * 86400;
	c->min_rsa_bits = CAP_RSA_MIN;
	c->listen_mode = 0660;
	c->workers = 4;
	c->waiting = 1000;
	return 0;
}

int config_read_any(struct config **out, const char *path,
    struct conf_errors *ce)
{
	struct conf_word w = {(char *)(uintptr_t) "", false, 1};
	struct conf_stmt top = {path, 1, &w, 1, NULL, 0, false};
	struct config *c;
	struct conf *conf = NULL;
	size_t before = ce->n;

	*out = NULL;
	c = calloc(1, sizeof(*c));
	if (c == NULL || set_defaults(c, path) != 0) {
		conf_error(ce, &top, 0, "out of memory");
		goto out;
	}
	if (conf_read(&conf, path, ce) != 0 && conf == NULL)
		goto out;
	if (conf->stmts != 0 || ce->n == before)
		walk_top(c, conf, ce);
	if (ce->n == before)
		config_check_addresses(c, ce);
	if (ce->n == before)
		texts_load(c, ce);
	if (ce->n == before) {
		*out = c;
		c = NULL;
	}
out:
	conf_free(&conf);
	config_free(&c);
	return *out == NULL ? -1 : 0;
}

int config_read(struct config **out, const char *path, struct conf_errors *ce)
{
	struct conf_word w = {(char *)(uintptr_t) "", false, 1};
	struct conf_stmt top = {path, 1, &w, 1, NULL, 0, false};

	if (config_read_any(out, path, ce) != 0)
		return -1;
	if (!(*out)->is_relay_only)
		return 0;
	conf_error(ce, &top, 0, "nothing but relay { }, which is for "
	    "postseal-relay: local-domains, keystore, secret, rules and "
	    "authserv-id are missing");
	config_free(out);
	return -1;
}

void config_free(struct config **cp)
{
	struct config *c = *cp;

	if (c == NULL)
		return;
	for (size_t i = 0; i < c->domains; i++)
		free(c->domain[i]);
	for (size_t i = 0; i < c->sign_fors; i++)
		free(c->sign_for[i].who);
	config_free_addresses(c);
	free(c->path);
	free(c->domain);
	free(c->keystore);
	free(c->secret);
	free(c->rules);
	free(c->spool);
	free(c->authserv_id);
	free(c->administrator);
	free(c->sign_for);
	free(c->weak);
	free(c->speaks_for);
	free(c->domain_sig);
	config_free_directories(c);
	free(c->metrics);
	free(c->notice_to);
	free(c->notice_via);
	free(c->listen);
	free(c->listen_group);
	free(c->user);
	free(c->keys_user);
	free(c->outbound);
	free(c->reinject);
	free(c->tls_route);
	config_fetch_free(c);
	config_quarantine_free(c);
	config_free_doors(c);
	free(c);
	*cp = NULL;
}

static void print_str(struct buf *out, const char *key, const char *value)
{
	if (value != NULL)
		buf_printf(out, "%s %s\n", key, value);
}

void config_print(const struct config *c, struct buf *out)
{
	buf_puts(out, "local-domains");
	for (size_t i = 0; i < c->domains; i++)
		buf_printf(out, " %s", c->domain[i]);
	buf_putc(out, '\n');
	print_str(out, "keystore", c->keystore);
	print_str(out, "secret", c->secret);
	print_str(out, "rules", c->rules);
	print_str(out, "spool", c->spool);
	print_str(out, "authserv-id", c->authserv_id);
	if (c->delimiter != 0)
		buf_printf(out, "recipient-delimiter %c\n", c->delimiter);
	buf_printf(out, "max-message-size %llu\n",
	    (unsigned long long)c->max_message);
	print_str(out, "administrator", c->administrator);
	buf_printf(out, "keep-audit %llds\n", (long long)c->keep_audit_s);
	buf_printf(out, "log %s\n", c->log_syslog ? "syslog" : "stderr");
	print_str(out, "metrics", c->metrics);
	config_print_addresses(c, out);
	buf_printf(out, "sign-for %zu rows\n", c->sign_fors);
	config_print_classes(c, out);
	config_print_policy(c, out);
	config_print_directories(c, out);
	config_print_harvest(c, out);
	config_print_notices(c, out);
	config_print_quarantine(c, out);
	print_str(out, "milter.listen", c->listen);
	buf_printf(out, "milter.mode %04o\n", (unsigned)c->listen_mode);
	print_str(out, "milter.group", c->listen_group);
	print_str(out, "milter.user", c->user);
	print_str(out, "milter.keys-user", c->keys_user);
	buf_printf(out, "milter.workers %d\nmilter.waiting %d\n", c->workers,
	    c->waiting);
	buf_printf(out, "milter.observe %s\n", c->observe ? "yes" : "no");
	buf_printf(out, "milter.outbound-networks %zu networks\n",
	    c->outbounds);
	print_str(out, "milter.reinject", c->reinject);
	print_str(out, "milter.tls-route", c->tls_route);
	config_print_doors(c, out);
	config_print_fetch(c, out);
}

bool config_is_local(const struct config *c, const struct addr *a)
{
	const char *d = addr_domain(a);

	for (size_t i = 0; i < c->domains; i++)
		if (strcmp(c->domain[i], d) == 0)
			return true;
	return false;
}
