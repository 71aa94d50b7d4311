/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of gateway/config.c: every error has its place and says what was
 * expected; all are reported; defaults and values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/config.h"
#include "util/proc.h"

static char dir[] = "/tmp/gateway-config-XXXXXX";
static char conf_path[64], list_path[64];

static const char base[] =
    "local-domains example.com Example.ORG\n"
    "keystore sqlite ks.db\n"
    "secret file \"/etc/postseal/secret\"\n"
    "rules rules\n"
    "authserv-id mx.example.com\n";

static void write_file(const char *path, const char *a, const char *b)
{
	struct buf text;
	struct err e = {0};

	buf_init(&text, 65536);
	buf_puts(&text, a);
	buf_puts(&text, b);
	if (io_write_file(path, 0600, buf_view(&text), &e) != 0)
		fail_msg("%s", e.msg);
	buf_free(&text);
}

static int make_dir(void **state)
{
	struct buf b;

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	buf_init(&b, 60);
	buf_printf(&b, "%s/conf", dir);
	memcpy(conf_path, buf_str(&b), b.n + 1);
	buf_clear(&b);
	buf_printf(&b, "%s/list", dir);
	memcpy(list_path, buf_str(&b), b.n + 1);
	buf_free(&b);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)unlink(conf_path);
	(void)unlink(list_path);
	return rmdir(dir);
}

static struct config *read_ok(const char *more)
{
	struct config *c = NULL;
	struct conf_errors ce;

	write_file(conf_path, base, more);
	conf_errors_init(&ce);
	if (config_read(&c, conf_path, &ce) != 0)
		fail_msg("%s", buf_str(&ce.text));
	assert_int_equal(ce.n, 0);
	conf_errors_free(&ce);
	return c;
}

/* The text (after base, whose lines are 1 to 5) gives this many errors, and
 * the report has this piece. */
static void expect(const char *head, const char *more, size_t errors,
    const char *piece)
{
	struct config *c = NULL;
	struct conf_errors ce;

	write_file(conf_path, head, more);
	conf_errors_init(&ce);
	assert_int_equal(config_read(&c, conf_path, &ce), -1);
	assert_null(c);
	if (ce.n != errors || strstr(buf_str(&ce.text), piece) == NULL)
		fail_msg("%s\n: %zu errors, wanted %zu with \"%s\":\n%s", more,
		    ce.n, errors, piece, buf_str(&ce.text));
	conf_errors_free(&ce);
}

struct bad {
	const char *text;
	const char *piece;
};

#define HEX                                                                 \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

#define HEX_REST                                                            \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd"

static const struct bad bad[] = {
	{"colour blue\n", "conf:6:1: unknown statement colour, expected one "
			  "of local-domains, keystore"},
	{"\"log\" stderr\n", ":6:1: unknown statement log"},
	{"rules other\n", ":6:1: rules stands in line 4 already"},
	{"log\n", ":6:1: log: expected syslog or stderr"},
	{"log loud\n", ":6:5: log: expected syslog or stderr, found loud"},
	{"log stderr stderr\n", ":6:12: log: expected"},
	{"log stderr { }\n", ":6:1: log: expected no block"},
	{"milter\n", ":6:1: milter: expected a block"},
	{"milter now { }\n", ":6:8: milter: expected {"},
	{"recipient-delimiter ++\n", ":6:21: recipient-delimiter: expected"},
	{"recipient-delimiter @\n", ":6:21: recipient-delimiter: expected"},
	{"max-message-size big\n", ":6:18:"},
	{"max-message-size 1\n", ":6:18:"},
	{"administrator nobody\n", ":6:15: administrator:"},
	{"keep-audit 30\n", ":6:12:"},
	{"metrics 9463\n", ":6:9: metrics: expected ADDRESS:PORT"},
	{"metrics 127.0.0.1:0\n", ":6:9: metrics: expected ADDRESS:PORT"},
	{"metrics 127.0.0.1:65536\n", ":6:9: metrics: expected"},
	{"metrics 127.0.0.1:9x\n", ":6:9: metrics: expected"},
	{"verify { min-rsa-bits 2048 }\n", ":6:1: unknown statement verify"},
	{"evaluation-time 1\n", ":6:1: unknown statement evaluation-time"},
	{"verify-policy { rsa-bits 1023 }\n", ":6:26:"},
	{"verify-policy { rsa-bits 8193 }\n", ":6:26:"},
	{"verify-policy { strict yes }\n", ":6:17: unknown statement strict, "
					   "expected one of rsa-bits, weak"},
	{"verify-policy { weak }\n", ":6:17: weak: expected ADDRESS|"},
	{"verify-policy { weak everybody }\n", ":6:22: weak: expected any, "
					       "ADDRESS, @DOMAIN or @*.DOMAIN,"
					       " found everybody"},
	{"verify-policy { weak \"any\" }\n", "@*.DOMAIN, found \"any\""},
	{"verify-policy { weak a@b@c }\n", ":6:22: weak: address"},
	{"verify-policy { weak @*.-x }\n", ":6:22: weak: domain"},
	{"verify-policy { weak @*.*.x.example }\n", ":6:22: weak: domain"},
	{"verify-policy { weak a@b.example @ }\n", ":6:34: weak: domain"},
	{"verify-policy { time now }\n", ":6:22: time: expected seconds since"},
	{"verify-policy { time 0 }\n", ":6:22:"},
	{"verify-policy { time 2026-11-21 }\n", ":6:22: time: expected sec"},
	{"verify-policy { time 2026-02-30T00:00:00Z }\n", ":6:22: time:"},
	{"verify-policy { time 1970-01-01T00:00:00Z }\n", ":6:22: time:"},
	{"verify-policy { time 2026-11-21T10:00:00 }\n", ":6:22: time:"},
	{"decrypt-policy { legacy maybe }\n", ":6:25: legacy: expected yes "
					      "or no, found maybe"},
	{"decrypt-policy { gcm-in-enveloped }\n", "expected yes or no"},
	{"speaks-for any certificate " HEX "\n", ":6:12: speaks-for: "
						"expected ADDRESS, @DOMAIN"},
	{"speaks-for @x.example key " HEX "\n", ":6:23: speaks-for: expected "
					       "certificate or address"},
	{"speaks-for @x.example certificate " HEX "0\n", ":6:35: speaks-for: "
							"expected the 64"},
	{"speaks-for @x.example certificate 0123\n", ":6:35: speaks-for:"},
	{"speaks-for @x.example certificate \"" HEX ":\"\n", ":6:35:"},
	{"speaks-for @x.example certificate g" HEX "\n", ":6:35:"},
	{"speaks-for @x.example address @x.example\n", ":6:31: speaks-for:"},
	{"speaks-for @x.example " HEX "\n", ":6:1: speaks-for: expected"},
	{"domain-signatures a@x.example\n", ":6:19: domain-signatures: "
					    "expected any, @DOMAIN"},
	{"domain-signatures x.example\n", ":6:19: domain-signatures: expected "
					  "any, @DOMAIN or @*.DOMAIN, found"},
	{"domain-signatures @x.example @edu\n", ":6:30: domain-signatures: "
	    "@edu: a top-level domain has no authority"},
	{"sign-for a@example.com from 10.0.0.0/8\n", ":6:24: sign-for: "
						     "expected network NET"},
	{"sign-for a@@b network 10.0.0.0/8\n", ":6:10: expected ADDRESS"},
	{"sign-for @example.com network 10.0.0.0/33\n", ":6:31: sign-for:"},
	{"sign-for @example.com network everywhere\n", ":6:31: sign-for:"},
	{"authority ldap x\n", ":6:1: expected ldap DIRECTORY"},
	{"milter { listen milter.sock }\n", ":6:17: listen: expected "
					    "\"unix:/PATH\""},
	{"milter { listen unix:run/sock }\n", ":6:17: listen: expected an "
					      "absolute path"},
	{"milter { listen inet:0@localhost }\n", ":6:17: listen: expected"},
	{"milter { listen inet:25 }\n", ":6:17: listen: expected"},
	{"milter { listen \"unix:/s\" mode 0880 }\n", "expected a mode"},
	{"milter { listen \"unix:/s\" mode 1777 }\n", "expected a mode"},
	{"milter { listen \"unix:/s\" mode 0060 }\n", "expected a mode"},
	{"milter { listen \"unix:/s\" mode 0600 mode 0660 }\n", "each once"},
	{"milter { listen \"unix:/s\" group }\n", "listen: expected mode"},
	{"milter { workers 0 }\n", ":6:18:"},
	{"milter { workers 257 }\n", ":6:18:"},
	{"milter { waiting -1 }\n", ":6:18:"},
	{"milter { outbound-networks 10.0.0.0/99 }\n", "outbound-networks:"},
	{"milter { reinject lmtp \"127.0.0.1:24\" }\n", "reinject: expected "
						       "smtp"},
	{"milter { reinject smtp \"127.0.0.1\" }\n", "reinject: expected"},
	{"fetch\n", ":6:1: fetch: expected a block"},
	{"fetch { url x }\n", ":6:9: unknown statement url, expected one of "
			      "user, crl, allow"},
	{"fetch { crl file:///x every 1h }\n", ":6:13: crl: only http and"},
	{"fetch { crl \"http://a@h/\" every 1h }\n", ":6:13: crl: not a URL"},
	{"fetch { crl \"http://h/\" each 1h }\n", "crl: expected every TIME"},
	{"fetch { crl \"http://h/\" every 59s }\n", ":6:31:"},
	{"fetch { crl \"http://h/\" every 31d }\n", ":6:31:"},
	{"fetch { allow http://h/ }\n", ":6:15: allow: expected HOST or "
				       "HOST:PORT, found http://h/"},
	{"fetch { ocsp yes }\n", ":6:14: ocsp: expected on or off, found yes"},
	{"fetch { ocsp on }\n", ":6:1: fetch: ocsp and from-certificates "
				"need hosts"},
	{"fetch { from-certificates on }\n", ":6:1: fetch: ocsp and"},
	{"fetch { private-addresses 10.0.0.0/33 }\n", ":6:27: private-"},
	{"fetch { timeout 0s }\n", ":6:17:"},
	{"fetch { timeout 601s }\n", ":6:17:"},
	{"harvest\n", ":6:1: harvest: expected a block"},
	{"harvest { }\nharvest { }\n", ":7:1: harvest stands in line 6"},
	{"harvest { days 0 }\n", ":6:16:"},
	{"harvest { days 366 }\n", ":6:16:"},
	{"harvest { days 3d }\n", ":6:16:"},
	{"harvest { same-ca yes }\n", ":6:19: same-ca: expected auto or "
				      "pending, found yes"},
	{"harvest { expire 90 }\n", ":6:18:"},
	{"harvest { expire 23h }\n", ":6:18:"},
	{"harvest { max-per-address 0 }\n", ":6:27:"},
	{"harvest { max-per-address 65 }\n", ":6:27:"},
	{"harvest { max 100001 }\n", ":6:15:"},
	{"harvest { require-dmarc }\n", ":6:11: require-dmarc: not yet in "
					"this version: a dmarc=pass that"},
	{"harvest { certificates all }\n", "unknown statement certificates, "
					   "expected one of days, same-ca"},
	{"milter { user a\n user b\n }\n", ":7:2: user stands in line 6"},
};

static void every_error_has_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		expect(base, bad[i].text, 1, bad[i].piece);
}

static void all_errors_are_reported(void **state)
{
	(void)state;
	expect(base, "colour blue\nlog loud\nmilter { workers 0\n x y\n }\n",
	    4, "conf:8:18:");
	expect("log stderr\n", "", 5, "missing: local-domains DOMAIN ...");
	expect("local-domains -a- b..c\nkeystore mysql x\nsecret x\n"
	       "rules r\nauthserv-id \"mx;\"\n", "", 5, "keystore: expected "
	       "sqlite PATH, found mysql");
}

static void a_missing_file_is_one_error(void **state)
{
	struct config *c = NULL;
	struct conf_errors ce;

	(void)state;
	conf_errors_init(&ce);
	assert_int_equal(config_read(&c, "/nowhere/conf", &ce), -1);
	assert_null(c);
	assert_int_equal(ce.n, 1);
	conf_errors_free(&ce);
}

static void authority_errors_name_their_own_file(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_printf(&b, "authority file \"%s\"\n", list_path);
	write_file(list_path, "bob\nceo ceo@example.com nonsense\n", "");
	expect(base, buf_str(&b), 2, "list:1:1: expected LOGIN");
	expect(base, buf_str(&b), 2, "list:2:21: expected ADDRESS");
	buf_free(&b);
}

/* The text of base without its secret, and another. */
static struct config *read_secret(const char *secret, struct conf_errors *ce)
{
	struct config *c = NULL;
	struct buf text;
	const char *at = strstr(base, "secret "), *end = strchr(at, '\n');
	struct err e = {0};

	buf_init(&text, 65536);
	buf_put(&text, base, (size_t)(at - base));
	buf_puts(&text, secret);
	buf_puts(&text, end);
	assert_int_equal(io_write_file(conf_path, 0600, buf_view(&text), &e),
	    0);
	buf_free(&text);
	(void)!config_read(&c, conf_path, ce);
	return c;
}

static void A64_secret_from_a_credential(void **state)
{
	static const char *const wrong[] = {
		"secret credential \"\"", "secret credential ../x",
		"secret credential a/b", "secret credential .",
		"secret credential ..", "secret paper x", "secret file",
	};
	struct conf_errors ce;
	struct config *c;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(wrong); i++) {
		conf_errors_init(&ce);
		assert_null(read_secret(wrong[i], &ce));
		assert_int_equal(ce.n, 1);
		conf_errors_free(&ce);
	}
	conf_errors_init(&ce);
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	c = read_secret("secret credential keys", &ce);
	assert_string_equal(c->secret,
	    "/run/credentials/postseal-milter.service/keys");
	assert_true(c->secret_is_credential);
	config_free(&c);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "/run/c", 1), 0);
	c = read_secret("secret credential keys", &ce);
	assert_string_equal(c->secret, "/run/c/keys");
	config_free(&c);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "here", 1), 0);
	c = read_secret("secret credential keys", &ce);
	assert_string_equal(c->secret,
	    "/run/credentials/postseal-milter.service/keys");
	config_free(&c);
	c = read_secret("secret file x", &ce);
	assert_false(c->secret_is_credential);
	config_free(&c);
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	conf_errors_free(&ce);
}

static void defaults_are_those_of_the_manual(void **state)
{
	struct config *c = read_ok("");
	struct buf b;

	(void)state;
	assert_int_equal(c->domains, 2);
	assert_string_equal(c->domain[1], "example.org");
	assert_string_equal(c->secret, "/etc/postseal/secret");
	assert_int_equal(c->max_message, 40u << 20);
	assert_int_equal(c->keep_audit_s, 30 * 86400);
	assert_int_equal(c->min_rsa_bits, 2048);
	assert_int_equal(c->delimiter, 0);
	assert_int_equal(c->workers, 4);
	assert_int_equal(c->waiting, 1000);
	assert_int_equal(c->listen_mode, 0660);
	assert_int_equal(c->outbounds, 2);
	assert_true(net_has(&c->outbound[0], "127.1.2.3"));
	assert_true(net_has(&c->outbound[1], "IPv6:::1"));
	assert_false(c->log_syslog);
	assert_null(c->listen);
	assert_null(c->metrics);
	/* a relative path is relative to the file */
	buf_init(&b, 100);
	buf_printf(&b, "%s/ks.db", dir);
	assert_string_equal(c->keystore, buf_str(&b));
	buf_free(&b);
	config_free(&c);
	assert_null(c);
	config_free(&c);
}

static void values_are_read(void **state)
{
	struct config *c;
	struct buf b;
	struct addr a;

	(void)state;
	buf_init(&b, 8192);
	write_file(list_path, "# who\nboss CEO@Example.com @example.org\n", "");
	buf_printf(&b,
	    "recipient-delimiter +\nmax-message-size 10M\nspool /var/tmp\n"
	    "administrator postmaster@example.com\nkeep-audit 7d\n"
	    "log syslog\nmetrics \"127.0.0.1:9463\"\n"
	    "authority file \"%s\"\n"
	    "sign-for @example.com network 192.0.2.0/24\n"
	    "sign-for Printer@example.com network 2001:db8::/32\n"
	    "verify-policy { rsa-bits 1024\n time 1700000000 }\n"
	    "milter {\n listen \"unix:/run/p.sock\" mode 0666 group mail\n"
	    " user a\n keys-user b\n workers 256\n waiting 0\n"
	    " outbound-networks 10.0.0.0/8\n"
	    " reinject smtp \"127.0.0.1:10026\"\n}\n", list_path);
	c = read_ok(buf_str(&b));
	assert_int_equal(c->delimiter, '+');
	assert_int_equal(c->max_message, 10u << 20);
	assert_int_equal(c->keep_audit_s, 7 * 86400);
	assert_true(c->log_syslog);
	assert_int_equal(c->authorities, 2);
	assert_string_equal(c->authority[0].login, "boss");
	assert_string_equal(c->authority[0].who, "ceo@example.com");
	assert_string_equal(c->authority[1].who, "@example.org");
	assert_int_equal(c->sign_fors, 2);
	assert_string_equal(c->sign_for[1].who, "printer@example.com");
	assert_int_equal(c->min_rsa_bits, 1024);
	assert_int_equal(c->fixed_time, 1700000000);
	assert_int_equal(c->listen_mode, 0666);
	assert_string_equal(c->listen_group, "mail");
	assert_string_equal(c->keys_user, "b");
	assert_int_equal(c->workers, 256);
	assert_int_equal(c->waiting, 0);
	assert_int_equal(c->outbounds, 1); /* replaces the default */
	assert_string_equal(c->reinject, "smtp:127.0.0.1:10026");
	buf_clear(&b);
	config_print(c, &b);
	assert_non_null(strstr(buf_str(&b), "milter.workers 256\n"));
	buf_free(&b);
	assert_int_equal(addr_parse(&a, view_of("x@EXAMPLE.com"), NULL), 0);
	assert_true(config_is_local(c, &a));
	assert_int_equal(addr_parse(&a, view_of("x@sub.example.com"), NULL),
	    0);
	assert_false(config_is_local(c, &a));
	config_free(&c);
}

static void S123_harvest_is_read(void **state)
{
	struct config *c = read_ok("");
	struct buf b;

	(void)state;
	assert_int_equal(c->harvest.days, 3);
	assert_false(c->harvest.same_ca);
	assert_int_equal(c->harvest.expire_s, 90 * 86400);
	assert_int_equal(c->harvest.max_per_address, 4);
	assert_int_equal(c->harvest.max, 20000);
	config_free(&c);
	c = read_ok("harvest {\n days 365\n same-ca auto\n expire 1d\n"
	    " max-per-address 64\n max 100000\n}\n");
	assert_int_equal(c->harvest.days, 365);
	assert_true(c->harvest.same_ca);
	assert_int_equal(c->harvest.expire_s, 86400);
	assert_int_equal(c->harvest.max_per_address, 64);
	assert_int_equal(c->harvest.max, 100000);
	buf_init(&b, 8192);
	config_print(c, &b);
	assert_non_null(strstr(buf_str(&b), "harvest.days 365\n"
	    "harvest.same-ca auto\nharvest.expire 86400s\n"));
	buf_free(&b);
	config_free(&c);
}

static bool covers(const struct pattern *p, const char *who)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, view_of(who), NULL), 0);
	return pattern_has(p, &a);
}

static void S68_S81_S168_policies_are_read(void **state)
{
	struct config *c = read_ok(
	    "verify-policy {\n weak Old@X.example @*.y.example\n weak any\n"
	    " time 2026-11-21T11:00:00+01:00\n}\n"
	    "decrypt-policy { legacy yes\n gcm-in-enveloped yes }\n"
	    "speaks-for @p.example certificate \"" HEX "\"\n"
	    "speaks-for @*.p.example address Gate@gw.p.example\n"
	    "speaks-for alice@p.example certificate AB:" HEX_REST "\n"
	    "domain-signatures @p.example @*.q.example\n"
	    "domain-signatures any\n");
	struct buf b;

	(void)state;
	assert_int_equal(c->weaks, 3);
	assert_true(covers(&c->weak[0], "oLD@x.EXAMPLE"));
	assert_false(covers(&c->weak[0], "older@x.example"));
	assert_false(covers(&c->weak[0], "old@sub.x.example"));
	assert_true(covers(&c->weak[1], "a@b.y.example"));
	assert_true(covers(&c->weak[1], "a@c.b.y.example"));
	assert_false(covers(&c->weak[1], "a@y.example"));
	assert_false(covers(&c->weak[1], "a@noty.example"));
	assert_true(covers(&c->weak[2], "a@y.example"));
	assert_int_equal(c->fixed_time, 1795255200);
	assert_true(c->legacy_ciphers);
	assert_true(c->gcm_in_enveloped);
	assert_int_equal(c->speaks_fors, 3);
	assert_true(covers(&c->speaks_for[0].who, "x@p.example"));
	assert_false(covers(&c->speaks_for[0].who, "x@sub.p.example"));
	assert_string_equal(c->speaks_for[0].sha256, HEX);
	assert_string_equal(c->speaks_for[1].sha256, "");
	assert_string_equal(c->speaks_for[1].address.text,
	    "Gate@gw.p.example");
	assert_true(view_istarts(view_of(c->speaks_for[2].sha256), "ab01"));
	assert_int_equal(c->domain_sigs, 3);
	assert_true(pattern_has_domain(&c->domain_sig[0], "p.example"));
	assert_false(pattern_has_domain(&c->domain_sig[0], "a.p.example"));
	assert_true(pattern_has_domain(&c->domain_sig[1], "a.q.example"));
	assert_false(pattern_has_domain(&c->domain_sig[1], "q.example"));
	buf_init(&b, 8192);
	config_print(c, &b);
	assert_non_null(strstr(buf_str(&b), "verify-policy.weak Old@x.example "
	    "@*.y.example any\n"));
	assert_non_null(strstr(buf_str(&b), "verify-policy.time "
	    "2026-11-21T10:00:00Z\n"));
	assert_non_null(strstr(buf_str(&b), "decrypt-policy.legacy yes\n"));
	assert_non_null(strstr(buf_str(&b), "speaks-for @p.example "
	    "certificate " HEX "\n"));
	assert_non_null(strstr(buf_str(&b), "speaks-for @*.p.example address "
	    "Gate@gw.p.example\n"));
	assert_non_null(strstr(buf_str(&b), "domain-signatures @p.example "
	    "@*.q.example any\n"));
	buf_free(&b);
	config_free(&c);
}

static void a_file_for_the_relay_alone_lacks_one_thing(void **state)
{
	static const char only[] = "relay {\n whatever\n}\nadministrator "
	    "a@b.example\nlog syslog\nkeystore sqlite \"k\"\n";
	struct config *c = NULL;
	struct conf_errors ce;

	(void)state;
	expect("", only, 1, "conf:1:1: nothing but relay { }");
	expect("", "relay {\n}\nrules \"r\"\n", 4, "missing: keystore");
	expect("", "relay {\n}\nmilter {\n}\n", 5, "missing: rules");
	expect("", "log stderr\n", 5, "missing: rules");
	expect("", "relay {\n}\ncolour blue\n", 1, ":3:1: unknown statement");
	write_file(conf_path, "", only);
	conf_errors_init(&ce);
	assert_int_equal(config_read_any(&c, conf_path, &ce), 0);
	assert_true(c->is_relay_only && c->has_relay && c->log_syslog);
	assert_null(c->rules);
	config_free(&c);
	write_file(conf_path, base, "");
	assert_int_equal(config_read_any(&c, conf_path, &ce), 0);
	assert_false(c->is_relay_only || c->has_relay);
	config_free(&c);
	conf_errors_free(&ce);
}

static char said[2000];

static void keep_warning(const char *s)
{
	assert_null(strchr(s, '\n'));
	assert_true(strlen(said) + strlen(s) + 2 < sizeof(said));
	memcpy(said + strlen(said), s, strlen(s) + 1);
	memcpy(said + strlen(said), "\n", 2);
}

static const char *warnings_of(const char *more)
{
	struct config *c = read_ok(more);

	said[0] = '\0';
	config_warn(c, keep_warning);
	config_free(&c);
	return said;
}

static void what_is_dangerous_is_said_at_the_start(void **state)
{
	(void)state;
	assert_string_equal(warnings_of(""), "");
	assert_string_equal(warnings_of("verify-policy { rsa-bits 2048\n"
	    " weak any }\ndecrypt-policy { legacy no\n gcm-in-enveloped no }\n"
	    "domain-signatures @x.example @*.edu\n"), "");
	assert_non_null(strstr(warnings_of("verify-policy { time 1700000000 "
	    "}\n"), "as of 2023-11-14T22:13:20Z, not"));
	assert_non_null(strstr(warnings_of("verify-policy { rsa-bits 2047 }\n"),
	    "historic"));
	assert_non_null(strstr(warnings_of("decrypt-policy { legacy yes }\n"),
	    "RC2 and DES"));
	assert_non_null(strstr(warnings_of("decrypt-policy { gcm-in-enveloped "
	    "yes }\n"), "integrity"));
	assert_non_null(strstr(warnings_of("domain-signatures any\n"),
	    "domain-signatures any"));
	assert_non_null(strstr(warnings_of("metrics 0.0.0.0:9463\n"),
	    "metrics on 0.0.0.0:9463, which others"));
	assert_non_null(strstr(warnings_of("metrics mx.example:9463\n"),
	    "metrics on mx.example:9463, which others"));
	assert_string_equal(warnings_of("metrics 127.0.0.1:9463\n"), "");
	assert_string_equal(warnings_of("metrics localhost:9463\n"), "");
	assert_string_equal(warnings_of("metrics [::1]:9463\n"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_has_its_place),
		cmocka_unit_test(all_errors_are_reported),
		cmocka_unit_test(a_missing_file_is_one_error),
		cmocka_unit_test(authority_errors_name_their_own_file),
		cmocka_unit_test(A64_secret_from_a_credential),
		cmocka_unit_test(defaults_are_those_of_the_manual),
		cmocka_unit_test(values_are_read),
		cmocka_unit_test(S123_harvest_is_read),
		cmocka_unit_test(S68_S81_S168_policies_are_read),
		cmocka_unit_test(a_file_for_the_relay_alone_lacks_one_thing),
		cmocka_unit_test(what_is_dangerous_is_said_at_the_start),
	};

	return cmocka_run_group_tests_name("gateway_config", tests, make_dir,
	    remove_dir);
}
