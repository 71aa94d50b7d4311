/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * relay { }: what is wrong is named with its line, what is right is read.
 */
#include "relay/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/proc.h"

#define PKI "pki mx {\n cert \"mx.pem\"\n key \"mx.key\"\n}\n"
#define MX "route egress {\n mx\n}\n"
#define LMTP "listen in {\n protocol lmtp\n on \"127.0.0.1:1024\"\n" \
	" route egress\n}\n"

/* The relay block with this in it; errors as text, to be freed. */
static struct relay_config *read_text(const char *text, char **errors)
{
	char path[] = "/tmp/relay_config_XXXXXX";
	struct relay_config *c = NULL;
	struct conf_errors ce;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, text, strlen(text), NULL), 0);
	close(fd);
	conf_errors_init(&ce);
	if (relay_config_read(&c, path, &ce) == 0)
		assert_int_equal(ce.n, 0);
	*errors = strdup(buf_str(&ce.text));
	conf_errors_free(&ce);
	unlink(path);
	return c;
}

static struct relay_config *must_read(const char *statements)
{
	struct relay_config *c;
	struct buf b;
	char *errors;

	buf_init(&b, 1u << 20);
	buf_printf(&b, "keystore sqlite \"/k/keystore.db\"\nadministrator "
	    "postmaster@a.example\nrelay {\n%s}\n", statements);
	c = read_text(buf_str(&b), &errors);
	buf_free(&b);
	if (c == NULL)
		fail_msg("%s", errors);
	free(errors);
	return c;
}

/* Refused, with this in the text. */
static void check_refused(const char *statements, const char *wanted)
{
	struct relay_config *c;
	struct buf b;
	char *errors;

	buf_init(&b, 1u << 20);
	buf_printf(&b, "relay {\n%s}\n", statements);
	c = read_text(buf_str(&b), &errors);
	buf_free(&b);
	assert_null(c);
	if (strstr(errors, wanted) == NULL)
		fail_msg("wanted \"%s\", found \"%s\"", wanted, errors);
	free(errors);
}

static void every_unknown_word_is_refused(void **state UNUSED)
{
	static const char *const row[][2] = {
		{ "speed 9\n", ":2:1: unknown statement speed" },
		{ "pki mx {\n cert \"a\"\n}\n" MX LMTP, "missing: key" },
		{ "listen in {\n protocol mail\n}\n", ":3:11: protocol: "
		    "expected lmtp, smtp" },
		{ MX "listen in {\n protocol lmtp\n on \"127.0.0.1:1024\" "
		    "tls\n route egress\n}\n", "on: expected plain, "
		    "starttls" },
		{ MX "listen in {\n protocol lmtp\n on \"mx.example:25\"\n "
		    "route egress\n}\n", "numeric address" },
		{ MX "listen in {\n protocol lmtp\n on \"127.0.0.1:0\"\n "
		    "route egress\n}\n", "numeric address" },
		{ "route r {\n}\n" LMTP, "expected mx, or host" },
		{ "route r {\n mx\n host \"a.example:25\"\n}\n" LMTP,
		    "expected mx, or host" },
		{ "route r {\n host \"a.example\"\n}\n", "NAME:PORT" },
		{ "route r {\n host \"a.example:25\" tls strong\n}\n",
		    "host: expected tls LEVEL" },
		{ MX MX LMTP, "route egress is there already" },
		{ MX LMTP LMTP, "listen in is there already" },
		{ MX LMTP "client-cert from example.net pki a\n",
		    "expected from @DOMAIN" },
		{ "workers 0\n", ":2:9:" },
		{ MX "listen in {\n protocol lmtp\n on \"127.0.0.1:1\"\n "
		    "max-recipients 50\n route egress\n}\n",
		    "from 100 to 10000" },
		{ "listen t {\n protocol pop3\n on \"127.0.0.1:1\"\n "
		    "backend \"127.0.0.1:110\" proxy-v3\n}\n", "backend" },
		{ "listen t {\n protocol pop3\n on \"127.0.0.1:1\"\n "
		    "backend exec \"popa3d\"\n}\n", "exec [user USER]" },
		{ "listen t {\n protocol pop3\n on \"127.0.0.1:1\"\n "
		    "backend \"127.0.0.1:110\" ca corp\n}\n",
		    "want tls LEVEL before them" },
		{ "hostname \"mx a\"\n" MX LMTP, ":2:10: hostname: " },
		{ "resolver {\n forward \"127.0.0.1:53\"\n}\n" MX LMTP,
		    ":3:10: forward: expected \"ADDRESS@PORT\"" },
		{ "resolver {\n forward \"127.0.0.1@0\"\n}\n" MX LMTP,
		    "forward: expected" },
		{ "resolver {\n forward \"ns.example@53\"\n}\n" MX LMTP,
		    "forward: expected" },
		{ "route r {\n host \"a.example:25\" tls fingerprint\n}\n",
		    ":3:26: host: fingerprint wants a line" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(row); i++)
		check_refused(row[i][0], row[i][1]);
}

static void T5_T19_T31_T66_what_does_not_go_together(void **state UNUSED)
{
	static const char *const row[][2] = {
		{ "", "there is nothing to do" },
		{ LMTP, "expected route NAME with a route NAME { }" },
		{ MX "listen s {\n protocol submission\n on "
		    "\"127.0.0.1:587\"\n route egress\n trusted "
		    "127.0.0.0/8\n}\n", "must have TLS (RFC 8314 3.3)" },
		{ MX "listen s {\n protocol submission\n on "
		    "\"127.0.0.1:465\" implicit\n route egress\n}\n",
		    "wants a certificate" },
		{ PKI MX "listen s {\n protocol submission\n pki mx\n on "
		    "\"127.0.0.1:465\" implicit\n route egress\n}\n",
		    "nobody could send" },
		{ PKI MX "listen s {\n protocol submission\n pki mx\n on "
		    "\"127.0.0.1:465\" implicit\n route egress\n auth "
		    "passwd \"p\"\n mechanisms external\n}\n",
		    "external wants client-cert" },
		{ PKI MX "listen s {\n protocol submission\n pki mx\n on "
		    "\"127.0.0.1:465\" implicit\n route egress\n auth "
		    "dovecot \"/d\"\n mechanisms scram-sha-256\n}\n",
		    "scram-sha-256 wants auth passwd" },
		{ PKI MX "listen s {\n protocol submission\n pki mx\n on "
		    "\"127.0.0.1:465\" implicit\n route egress\n auth "
		    "passwd \"p\"\n ledger yes\n}\n", "for mail servers" },
		{ MX "listen in {\n protocol lmtp\n on \"127.0.0.1:1\" "
		    "proxy\n route egress\n}\n", "proxy-from" },
		{ "listen t {\n protocol pop3\n on \"127.0.0.1:1\"\n}\n",
		    "a tunnel wants backend" },
		{ MX "listen t {\n protocol pop3\n on \"127.0.0.1:1\"\n "
		    "backend \"127.0.0.1:110\"\n route egress\n}\n",
		    "are for mail, not for tunnels" },
		{ "listen t {\n protocol pop3\n on \"127.0.0.1:1\"\n "
		    "backend \"127.0.0.1:110\" xclient\n}\n",
		    "xclient is of SMTP" },
		{ PKI "listen t {\n protocol any\n on \"127.0.0.1:1\" "
		    "starttls\n pki mx\n backend \"127.0.0.1:110\"\n}\n",
		    "no STARTTLS" },
		{ "listen t {\n protocol pop3\n on \"127.0.0.1:1\"\n "
		    "backend \"127.0.0.1:110\" tls fingerprint\n}\n",
		    "belong together" },
		{ MX LMTP "client-cert from @a.example pki other\n",
		    "client-cert: there is no pki other" },
		{ MX LMTP "tls-policy {\n to a.example secure ca other\n}\n",
		    ":11:1: tls-policy: there is no ca other" },
		{ MX "listen in {\n protocol smtp\n on \"127.0.0.1:25\" "
		    "starttls\n pki other\n route egress\n}\n",
		    "listen in: there is no pki other" },
		{ "metrics \"127.0.0.1:1024\"\n" MX LMTP,
		    "in and metrics both listen on 127.0.0.1:1024" },
		{ MX LMTP "listen two {\n protocol lmtp\n on "
		    "\"127.0.0.1:1024\"\n route egress\n}\n",
		    "in and two both listen on 127.0.0.1:1024" },
		{ MX "listen in {\n protocol lmtp\n on \"127.0.0.1:25\"\n "
		    "on \"[::]:25\"\n route egress\n}\n",
		    "whoever reaches [::]:25 could send to everywhere" },
		{ PKI MX "ca a {\n file \"/a\"\n}\nlisten in {\n protocol "
		    "smtp\n on \"127.0.0.1:25\" starttls\n pki mx\n "
		    "client-cert require ca a\n client-cert optional ca a\n "
		    "route egress\n}\n", "not both in one listen" },
		{ "route r {\n mx\n via a.example smart\n}\n"
		    "listen in {\n protocol lmtp\n on \"127.0.0.1:1\"\n "
		    "route r\n}\n", "there is no route smart" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(row); i++)
		check_refused(row[i][0], row[i][1]);
}

static void a_whole_configuration_is_read(void **state UNUSED)
{
	struct relay_config *c = must_read(PKI
	    "ca corp {\n file \"corp.pem\"\n crl \"corp.crl\"\n}\n"
	    "user proxy\nworkers 3\nhostname mx.a.example\ngrace 90s\n"
	    "listen in {\n protocol lmtp\n on \"unix:/run/x\" mode 0600\n"
	    " route egress\n require verified\n ledger yes\n}\n"
	    "listen sub {\n protocol submission\n"
	    " on \"0.0.0.0:587\" starttls-required\n"
	    " on \"[::]:465\" implicit\n pki mx\n auth passwd \"passwd\"\n"
	    " client-cert optional ca corp\n deny 192.0.2.0/24\n"
	    " match source 10.0.0.0/8 {\n  pki mx\n  per-client 3\n }\n"
	    " route egress\n}\n"
	    "listen pop {\n protocol pop3\n on \"0.0.0.0:995\" implicit\n"
	    " pki mx\n backend \"127.0.0.1:110\" proxy-v2\n}\n"
	    "listen old {\n protocol pop3\n on \"127.0.0.1:110\"\n"
	    " backend exec user nobody \"/usr/sbin/popa3d\" \"-d\"\n}\n"
	    "route egress {\n mx\n concurrency 7\n rest 30s\n"
	    " via .b.example smart\n}\n"
	    "route smart {\n host \"[192.0.2.1]:25\" tls secure\n}\n"
	    "tls-policy {\n default may\n to b.example secure\n}\n"
	    "socketmap \"unix:/run/tls\" mode 0660\n");
	const struct listener *l = &c->listener[1];

	assert_string_equal(c->keystore, "/k/keystore.db");
	assert_string_equal(c->administrator, "postmaster@a.example");
	assert_string_equal(c->hostname, "mx.a.example");
	assert_int_equal(c->workers, 3);
	assert_int_equal(c->grace_ms, 90000);
	assert_int_equal(c->listeners, 4);
	assert_true(c->listener[0].verified && c->listener[0].ledger);
	assert_int_equal(c->listener[0].on[0].mode, 0600);
	assert_int_equal(l->index, 1);
	assert_int_equal(l->ons, 2);
	assert_int_equal(l->on[0].tls, LISTEN_STARTTLS_MUST);
	assert_int_equal(l->on[1].tls, LISTEN_IMPLICIT);
	assert_int_equal(l->client_cert, CLIENT_CERT_OPTIONAL);
	assert_string_equal(l->client_ca, "corp");
	assert_true(l->auth.plain && l->auth.login && l->auth.scram);
	assert_false(l->auth.external);
	assert_true(nets_have(l->deny, l->denies, "192.0.2.7"));
	assert_false(nets_have(l->deny, l->denies, "192.0.3.7"));
	assert_int_equal(l->match[0].per_client, 3);
	assert_int_equal(l->match[0].client_cert, -1);
	assert_int_equal(c->listener[2].backend.real, REAL_PROXY_V2);
	assert_string_equal(c->listener[3].backend.argv[1], "-d");
	assert_string_equal(c->listener[3].backend.user, "nobody");
	assert_null(c->listener[3].backend.argv[2]);
	assert_int_equal(relay_route(c, "egress")->concurrency, 7);
	assert_int_equal(relay_route(c, "smart")->level, TLS_SECURE);
	assert_int_equal(relay_route(c, "egress")->level, -1);
	assert_int_equal(c->rules.n, 2);
	relay_config_free(&c);
}

static void count(void *arg, const char *s)
{
	if (strstr(s, "port 25 must not demand STARTTLS") != NULL ||
	    strstr(s, "old: TLS before 1.2") != NULL ||
	    strstr(s, "box: mode 0666 of unix:/run/box lets every") != NULL)
		(*(int *)arg)++;
	if (strstr(s, "box: mode") != NULL)
		assert_non_null(strstr(s, "; without state FOLDER"));
}

static void T5_T14_T59_dangers_are_said(void **state UNUSED)
{
	struct relay_config *c = must_read(PKI MX
	    "listen in {\n protocol smtp\n on \"0.0.0.0:25\" "
	    "starttls-required\n pki mx\n route egress\n allow "
	    "192.0.2.0/24\n}\n"
	    "listen box {\n protocol lmtp\n on \"unix:/run/box\" mode 0666\n"
	    " route egress\n ledger yes\n}\n"
	    "listen old {\n protocol smtp\n on \"127.0.0.1:1025\" starttls\n"
	    " pki mx\n min-protocol 1.0\n route egress\n}\n");
	int n = 0;

	relay_config_warn(c, count, &n);
	assert_int_equal(n, 3);
	relay_config_free(&c);
}

/* attack T38: mail for a domain that has a route of its own, and for a sender
 * that has a certificate, written in letters that the configuration has not
 * verdict: all of them have one form, in which they are compared
 */
static void T38_names_have_one_form(void **state UNUSED)
{
	struct relay_config *c = must_read(PKI "route r {\n mx\n"
	    " via B\xc3\xbc" "cher.example smart\n via .A.Example smart\n}\n"
	    "route smart {\n host \"smart.example:25\" tls verify\n}\n"
	    "listen in {\n protocol lmtp\n on \"127.0.0.1:1024\"\n route r\n}"
	    "\nclient-cert from @b\xc3\xbc" "cher.example pki mx\n"
	    "client-cert from alice@A.Example pki mx\n");
	static const char *const wrong[][2] = {
		{ "route r {\n mx\n via a..example r\n}\n", "via: " },
		{ "route r {\n mx\n via a.example. r\n}\n", "via: " },
		{ "route r {\n mx\n via * r\n}\n", "via: " },
		{ PKI "client-cert from @a..example pki mx\n",
		    "client-cert: " },
		{ PKI "client-cert from a@b@c.example pki mx\n",
		    "client-cert: " },
	};

	assert_string_equal(c->route[0].via_domain[0],
	    "xn--bcher-kva.example");
	assert_string_equal(c->route[0].via_domain[1], ".a.example");
	assert_string_equal(c->sender_cert[0].from,
	    "@xn--bcher-kva.example");
	assert_string_equal(c->sender_cert[1].from, "alice@a.example");
	relay_config_free(&c);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		check_refused(wrong[i][0], wrong[i][1]);
}

static void count_words(void *arg, const char *s)
{
	if (strncmp(s, "metrics on ", 11) == 0 ||
	    strncmp(s, "hostname ", 9) == 0)
		(*(int *)arg)++;
}

static void open_metrics_and_half_a_hostname_are_said(void **state UNUSED)
{
	static const struct {
		const char *statements;
		int said;
	} row[] = {
		{ MX "metrics \"127.0.0.1:9464\"\nhostname m.example\n", 0 },
		{ MX "metrics \"[::1]:9464\"\nhostname m.example\n", 0 },
		{ MX "metrics \"0.0.0.0:9464\"\nhostname m.example\n", 1 },
		{ MX "metrics \"[::]:9464\"\nhostname m.example\n", 1 },
		{ MX "metrics \"192.0.2.1:9464\"\nhostname m\n", 2 },
		{ "hostname m\n", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct relay_config *c;
		struct buf b;
		int n = 0;

		buf_init(&b, 1000);
		buf_printf(&b, "socketmap \"127.0.0.1:1\"\n%s",
		    row[i].statements);
		c = must_read(buf_str(&b));
		relay_config_warn(c, count_words, &n);
		if (n != row[i].said)
			fail_msg("%zu: %d", i, n);
		relay_config_free(&c);
		buf_free(&b);
	}
}

static void what_stands_beside_the_block_is_refused(void **state UNUSED)
{
	static const char relay[] = "relay {\n socketmap \"127.0.0.1:1\"\n}\n";
	static const struct {
		const char *text, *wanted; /* NULL: fine */
	} row[] = {
		{ "tls-policy {\n default may\n}\n", ":4:1: tls-policy: "
		    "expected within the braces of relay { }, found outside" },
		{ "listen in {\n}\n", ":4:1: listen: expected within" },
		{ "pki mx {\n}\n", ":4:1: pki: expected within" },
		{ "metrics \"127.0.0.1:2\"\nspool \"/tmp\"\nlog syslog\n"
		    "milter {\n}\n", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct relay_config *c;
		char *errors;
		struct buf b;

		buf_init(&b, 1000);
		buf_printf(&b, "%s%s", relay, row[i].text);
		c = read_text(buf_str(&b), &errors);
		if ((c == NULL) != (row[i].wanted != NULL) || (c == NULL &&
		    strstr(errors, row[i].wanted) == NULL))
			fail_msg("%zu: %s", i, errors);
		relay_config_free(&c);
		free(errors);
		buf_free(&b);
	}
}

static void of_two_blocks_both_lines_are_named(void **state UNUSED)
{
	check_refused(MX LMTP "tls-policy {\n default may\n}\n"
	    "tls-policy {\n to a.example none\n}\n", ":13:1: tls-policy "
	    "stands in line 10 already: write the lines of both into one "
	    "block\n");
	check_refused(MX LMTP "workers 1\nworkers 2\n", ":11:1: workers stands "
	    "in line 10 already\n");
}

#define FRONT(more, way) "listen front {\n protocol smtp\n on " \
	"\"0.0.0.0:25\"\n" more " route mta\n}\nroute mta {\n" way "}\n"

#define BEHIND(more) "listen front {\n protocol smtp-tunnel\n on " \
	"\"0.0.0.0:25\"\n backend \"127.0.0.1:10025\"" more "\n}\n"

static void count_neighbours(void *arg, const char *s)
{
	if (strstr(s, "front: whoever reaches 0.0.0.0:25 comes to "
	    "127.0.0.1:10025 as this machine") != NULL)
		(*(int *)arg)++;
}

/* attack A53: the MTA behind the relay lets this machine send anywhere, and
 * every client of the relay comes to it from this machine
 * verdict: said when the configuration is read, where neither XCLIENT tells
 * the MTA who it is nor the listener who may come
 */
static void A53_T67_a_front_makes_nobody_a_neighbour(void **state UNUSED)
{
	static const struct {
		const char *statements;
		int said;
	} row[] = {
		{ FRONT("", " host \"127.0.0.1:10025\" tls none\n"), 1 },
		{ FRONT("", " host \"127.0.0.1:10025\" tls none "
		    "xclient\n"), 0 },
		{ FRONT(" allow 192.0.2.0/24\n", " host "
		    "\"127.0.0.1:10025\" tls none\n"), 0 },
		{ FRONT("", " host \"lmtp:127.0.0.1:10025\" tls none\n"),
		    0 },
		{ BEHIND(""), 1 },
		{ BEHIND(" xclient"), 0 },
		{ BEHIND(" proxy-v2"), 0 },
		{ PKI FRONT(" auth passwd \"p\"\n pki mx\n", " host "
		    "\"127.0.0.1:10025\" tls none\n"), 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct relay_config *c = must_read(row[i].statements);
		int n = 0;

		relay_config_warn(c, count_neighbours, &n);
		if (n != row[i].said)
			fail_msg("%zu: %d", i, n);
		relay_config_free(&c);
	}
}

static void count_ports(void *arg, const char *s)
{
	if (strstr(s, "a.example secure: holds for port 25, and route "
	    "r goes to port 26: write a.example:26, too") != NULL)
		(*(int *)arg)++;
}

#define TO_PORT(port, lines) "route r {\n mx" port "\n}\n" \
	"listen in {\n protocol lmtp\n on \"127.0.0.1:1024\"\n route r\n}\n" \
	"tls-policy {\n default may\n" lines "}\n"

/* attack T38: a line for a destination, and a route to another port, whose
 * mail would go as the default says
 * verdict: relay check and the log say so
 */
static void T38_a_line_for_another_port_is_said(void **state UNUSED)
{
	static const struct {
		const char *statements;
		int said;
	} row[] = {
		{ TO_PORT(" port 26", " to a.example secure\n"), 1 },
		{ TO_PORT("", " to a.example secure\n"), 0 },
		{ TO_PORT(" port 26", " to a.example may\n"), 0 },
		{ TO_PORT(" port 26", " to a.example:26 secure\n"), 0 },
		{ TO_PORT(" port 26", " to a.example a.example:26 "
		    "secure\n"), 0 },
		{ TO_PORT(" port 26", " to a.example from @b.example "
		    "secure\n"), 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct relay_config *c = must_read(row[i].statements);
		int n = 0;

		relay_config_warn(c, count_ports, &n);
		if (n != row[i].said)
			fail_msg("%zu: %d", i, n);
		relay_config_free(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T38_names_have_one_form),
		cmocka_unit_test(T38_a_line_for_another_port_is_said),
		cmocka_unit_test(A53_T67_a_front_makes_nobody_a_neighbour),
		cmocka_unit_test(every_unknown_word_is_refused),
		cmocka_unit_test(T5_T19_T31_T66_what_does_not_go_together),
		cmocka_unit_test(a_whole_configuration_is_read),
		cmocka_unit_test(T5_T14_T59_dangers_are_said),
		cmocka_unit_test(open_metrics_and_half_a_hostname_are_said),
		cmocka_unit_test(what_stands_beside_the_block_is_refused),
		cmocka_unit_test(of_two_blocks_both_lines_are_named),
	};

	return cmocka_run_group_tests_name("relay_config", tests, NULL, NULL);
}
