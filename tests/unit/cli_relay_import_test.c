/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Files of s/qmail, Postfix and stunnel: each form, what it becomes, and what
 * is said of what cannot be kept. All that comes out is read by our own
 * parser again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/relay_import.h"
#include "relay/config.h"

#define HEX32 "00112233445566778899aabbccddeeff"
#define HEX64 HEX32 HEX32
#define SHA1 HEX32 "00112233"

typedef void reader(struct relay_import *im, struct view text);

struct done {
	struct relay_import im;
	struct buf out;
};

static void import_text(struct done *d, reader *read, const char *text,
    import_probe *probe)
{
	import_init(&d->im);
	d->im.probe = probe;
	buf_init(&d->out, 1u << 22);
	read(&d->im, view_of(text));
	import_print(&d->im, "FILE", &d->out);
	assert_false(d->im.no_memory || d->out.failed);
}

static void done_free(struct done *d)
{
	import_free(&d->im);
	buf_free(&d->out);
}

/* The tls-policy { } of what came out, by our parser. */
static size_t read_back(const struct done *d, struct tls_rules *rules)
{
	struct conf *conf = NULL;
	struct conf_errors ce;
	size_t n = 0;

	conf_errors_init(&ce);
	if (conf_read_text(&conf, "out", buf_view(&d->out), &ce) != 0)
		fail_msg("%s%s", buf_str(&ce.text), buf_str(&d->out));
	for (size_t i = 0; i < conf->stmts; i++) {
		if (strcmp(conf->stmt[i].word[0].s, "tls-policy") != 0)
			continue;
		if (tls_rules_read(rules, &conf->stmt[i], &ce) != 0)
			fail_msg("%s%s", buf_str(&ce.text),
			    buf_str(&d->out));
		n++;
	}
	conf_errors_free(&ce);
	conf_free(&conf);
	return n;
}

#define FREE ""

struct row {
	const char *line;
	const char *rule; /* NULL: it is lost and held, FREE: not held */
	const char *says; /* in a comment, or NULL */
};

/* Does nothing that is left of it go anywhere? */
static bool is_hold(const struct tls_rule *r)
{
	return r->level == TLS_SECURE && r->matches == 1 && r->ca == NULL &&
	    strcmp(r->match[0], "not-kept.invalid") == 0;
}

static void check_row(reader *read, const struct row *r, import_probe *probe)
{
	struct tls_rules rules = { 0 };
	bool is_kept = r->rule != NULL && r->rule[0] != '\0';
	struct done d;
	struct buf want;

	import_text(&d, read, r->line, probe);
	buf_init(&want, 8192);
	if (is_kept)
		buf_printf(&want, "\n    %s\n", r->rule);
	else
		buf_puts(&want, "\n    # line 1 IS NOT KEPT: ");
	if (strstr(buf_str(&d.out), buf_str(&want)) == NULL ||
	    (r->says != NULL && strstr(buf_str(&d.out), r->says) == NULL) ||
	    d.im.lost != !is_kept)
		fail_msg("\"%s\" wants \"%s\" and \"%s\", gives %zu lost:\n%s",
		    r->line, buf_str(&want), r->says == NULL ? "" : r->says,
		    d.im.lost, buf_str(&d.out));
	assert_int_equal(read_back(&d, &rules), 1);
	assert_int_equal(rules.n, is_kept || r->rule == NULL);
	if (r->rule == NULL && !is_hold(&rules.rule[0]))
		fail_msg("\"%s\" does not hold:\n%s", r->line,
		    buf_str(&d.out));
	tls_rules_free(&rules);
	buf_free(&want);
	done_free(&d);
}

/* ---- tlsdestinations ---- */

static void T70_each_form_of_tlsdestinations(void **state)
{
	static const struct row row[] = {
		{ "-:", "default may allow-anonymous", NULL },
		{ "*:", "default may", NULL },
		{ "-*:", "default encrypt allow-anonymous", NULL },
		{ "+*:", "default encrypt require-cert", NULL },
		{ "+*:/etc/ca.pem", "default encrypt require-cert ca ca",
		    "file \"/etc/ca.pem\"" },
		{ "~*:", "default verify", "parent domain" },
		{ "=*:", "default verify", NULL },
		{ "=*:/etc/ca.pem||;465", "default verify ca ca port 465 "
		    "implicit", NULL },
		{ "a.example:", "to a.example encrypt require-cert", NULL },
		{ "a.example:/etc/ca.pem|HIGH:!SHA1|3;26|b.example",
		    "to a.example from @b.example encrypt require-cert ca ca "
		    "ciphers \"HIGH:!SHA1\" port 26", "verifydepth" },
		{ "a.example:/etc/ca.d/||3;465",
		    "to a.example encrypt require-cert ca ca port 465 "
		    "implicit", "dir \"/etc/ca.d/\"" },
		{ "a.example:;35", "to a.example encrypt require-cert port 35",
		    NULL },
		{ "a.example:;35|b.example", "to a.example from @b.example "
		    "encrypt require-cert port 35", NULL },
		{ "a.example:|||b.example", "to a.example from @b.example "
		    "encrypt require-cert", NULL },
		{ "a.example:|||alice@b.example", "to a.example from "
		    "alice@b.example encrypt require-cert", NULL },
		{ ".a.example:", "to .a.example encrypt require-cert", NULL },
		{ "=mx.a.example:", "to mx.a.example secure match "
		    "mx.a.example", NULL },
		{ "~a.example:/etc/ca.pem", "to a.example verify match "
		    "a.example:.a.example ca ca", NULL },
		{ "-a.example:", "to a.example encrypt allow-anonymous",
		    NULL },
		{ "-a.example:||aNULL:!kRSA", "to a.example encrypt "
		    "allow-anonymous ciphers \"aNULL:!kRSA\"", NULL },
		{ "-a.example:|aNULL:!kRSA|", "to a.example encrypt "
		    "allow-anonymous ciphers \"aNULL:!kRSA\"", NULL },
		{ "!a.example:", "to a.example none", NULL },
		{ "!a.example:;26", "to a.example none port 26", NULL },
		{ "%mx.a.example:=" HEX64, "to mx.a.example fingerprint "
		    "sha256:" HEX64, NULL },
		{ "%mx.a.example:=" HEX64 "||;465|b.example", "to mx.a.example"
		    " from @b.example fingerprint sha256:" HEX64
		    " port 465 implicit", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		check_row(import_tlsdestinations, &row[i], NULL);
}

static void T70_what_tlsdestinations_cannot_keep(void **state)
{
	static const struct row row[] = {
		{ "a.example", NULL, "expected DESTINATION:" },
		{ "?a.example:", NULL, "letters, digits" },
		{ "==a.example:", NULL, "a prefix that is not known" },
		{ "a..b:", NULL, "an empty label" },
		{ "a.example:;6209", NULL, "QMTPS" },
		{ "a.example:;x", NULL, "a port that is none" },
		{ "a.example:;0", NULL, "a port that is none" },
		{ "a.example:|HIGH|LOW;25|b.example", NULL, "two lists" },
		{ "a.example:|||b.example|x", NULL, "more fields" },
		{ "a.example:|HIGH MEDIUM", NULL, "OpenSSL's syntax" },
		{ "a.example:|aNULL", NULL, "allow-anonymous" },
		{ "a.example:|||b..example", NULL, "from: expected" },
		{ "*:;465", NULL, "never optional" },
		{ "*:|||b.example", NULL, "for all destinations" },
		{ "-a.example:/etc/ca.pem", NULL, "where no certificate" },
		{ "!a.example:/etc/ca.pem", FREE, "where no certificate" },
		{ "%a.example:", NULL, "expected =FINGERPRINT" },
		{ "%a.example:=", NULL, "expected =FINGERPRINT" },
		{ "%a.example:" HEX64, NULL, "expected =FINGERPRINT" },
		{ "%a.example:=" SHA1, NULL, "in SHA-1 pins nothing: --probe" },
		{ "%a.example:=" HEX32, NULL, "in MD5 pins nothing" },
		{ "%a.example:=" HEX32 "0011223344556677" "8899aabb", NULL,
		    "in SHA-224" },
		{ "%a.example:=" HEX64 HEX64, NULL, "in SHA-512" },
		{ "%a.example:=" HEX64 HEX64 "00", NULL, "no known length" },
		{ "%a.example:=" HEX32 "0", NULL, "no known length" },
		{ "%a.example:=x" HEX64, NULL, "no known length" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		check_row(import_tlsdestinations, &row[i], NULL);
}

static void of_two_lines_the_first_kind_holds(void **state)
{
	struct tls_rules rules = { 0 };
	struct done d;

	(void)state;
	import_text(&d, import_tlsdestinations,
	    "# comment\r\n\n*:\n-:\na.example:\n=A.example:\n~a.example:\n"
	    "a.example:|||b.example\n", NULL);
	assert_int_equal(d.im.lost, 0);
	assert_int_equal(read_back(&d, &rules), 1);
	assert_int_equal(rules.n, 3);
	assert_int_equal(tls_rules_find(&rules, "a.example", 25, "")->level,
	    TLS_SECURE);
	assert_int_equal(tls_rules_find(&rules, "x.example", 25, "")->level,
	    TLS_MAY);
	assert_false(tls_rules_find(&rules, "x.example", 25,
	    "")->allow_anonymous);
	assert_non_null(strstr(buf_str(&d.out), "# line 5: line 6 holds for "
	    "the same mail: to a.example encrypt"));
	assert_non_null(strstr(buf_str(&d.out), "# line 4: line 3 holds"));
	tls_rules_free(&rules);
	done_free(&d);
}

/* ---- --probe ---- */

static int probe_fake(void *arg, const char *dest, int port,
    struct view digest, unsigned char sha256[32], struct err *e)
{
	(void)arg;
	if (strcmp(dest, "away.example") == 0)
		return err_set(e, FAIL_TEMP, "no answer in time");
	if (digest.p[0] != 0 || (strcmp(dest, "[mx.a.example]:587") != 0 &&
	    port != 465))
		return 0;
	memset(sha256, 0xab, 32);
	return 1;
}

#define AB "abababababababababababababababab"

static void T42_old_fingerprints_are_probed_once_and_become_sha256(
    void **state)
{
	static const struct row qmail[] = {
		{ "%mx.a.example:=" SHA1 "||;465", "to mx.a.example "
		    "fingerprint sha256:" AB AB " port 465 implicit",
		    "SHA-1 was compared with what mx.a.example showed" },
		{ "%mx.a.example:=ff" SHA1, NULL, "no known length" },
		{ "%mx.a.example:=ff112233445566778899aabbccddeeff||;465",
		    NULL, "another certificate than the one with this "
		    "fingerprint in MD5" },
		{ "%away.example:=" SHA1, NULL, "away.example could not be "
		    "probed: no answer in time" },
	};
	static const struct row postfix[] = {
		{ "[mx.a.example]:587 fingerprint match=" SHA1 "|" HEX64,
		    "to [mx.a.example]:587 fingerprint sha256:" AB AB
		    " sha256:" HEX64, "is SHA-256 now" },
		{ "[mx.a.example]:587 fingerprint match="
		    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
		    "to [mx.a.example]:587 fingerprint sha256:" AB AB,
		    "MD5 was compared" },
		{ "away.example fingerprint match=" SHA1, NULL,
		    "could not be probed" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(qmail); i++)
		check_row(import_tlsdestinations, &qmail[i], probe_fake);
	for (size_t i = 0; i < ARRAY_LEN(postfix); i++)
		check_row(import_tls_policy, &postfix[i], probe_fake);
}

/* ---- Postfix ---- */

static void each_form_of_a_postfix_table(void **state)
{
	static const struct row row[] = {
		{ "a.example none", "to a.example none", NULL },
		{ "a.example may", "to a.example may", NULL },
		{ "a.example\tencrypt", "to a.example encrypt", NULL },
		{ ".a.example dane", "to .a.example dane", NULL },
		{ "a.example dane-only", "to a.example dane-only", NULL },
		{ "[mx.a.example]:587 verify", "to [mx.a.example]:587 verify",
		    NULL },
		{ "[192.0.2.1] encrypt", "to [192.0.2.1] encrypt", NULL },
		{ "[2001:db8::1]:26 encrypt", "to [2001:db8::1]:26 encrypt",
		    NULL },
		{ "a.example:587 secure", "to a.example:587 secure", NULL },
		{ "a.example secure match=mx.b.example:.b.example:nexthop",
		    "to a.example secure match mx.b.example:.b.example:"
		    "nexthop", NULL },
		{ "a.example secure match=b.example match=hostname",
		    "to a.example secure match b.example:hostname", NULL },
		{ "a.example secure, match=b.example, tafile=/etc/ta.pem",
		    "to a.example secure match b.example ca ta",
		    "ca ta {\n    file \"/etc/ta.pem\"\n}" },
		{ "a.example encrypt servername=mx.b.example",
		    "to a.example encrypt servername mx.b.example", NULL },
		{ "a.example verify servername=hostname ciphers=high",
		    "to a.example verify servername hostname", NULL },
		{ "a.example encrypt ciphers=medium", "to a.example encrypt",
		    "those of high" },
		{ "a.example encrypt ciphers=export exclude=aNULL:MD5",
		    "to a.example encrypt ciphers \"HIGH:!aNULL:!MD5\"",
		    "those of high" },
		{ "a.example encrypt protocols=TLSv1.2",
		    "to a.example encrypt protocols 1.2-1.2", NULL },
		{ "a.example encrypt protocols=>=TLSv1.2",
		    "to a.example encrypt", NULL },
		{ "a.example encrypt protocols=>=TLSv1.3",
		    "to a.example encrypt protocols 1.3-1.3", NULL },
		{ "a.example encrypt protocols=>=TLSv1.2:<=TLSv1.2",
		    "to a.example encrypt protocols 1.2-1.2", NULL },
		{ "a.example encrypt protocols=!SSLv2:!SSLv3",
		    "to a.example encrypt", NULL },
		{ "a.example encrypt protocols=!SSLv2:!SSLv3:!TLSv1:!TLSv1.1:"
		    "!TLSv1.3", "to a.example encrypt protocols 1.2-1.2",
		    NULL },
		{ "a.example encrypt protocols=>=TLSv1", "to a.example "
		    "encrypt", "TLS 1.0 and 1.1 are not kept" },
		{ "a.example encrypt connection_reuse=yes",
		    "to a.example encrypt", "connection_reuse is not kept" },
		{ "a.example encrypt enable_rpk=yes", "to a.example encrypt",
		    "enable_rpk is not kept" },
		{ "a.example encrypt enable_rpk=no", "to a.example encrypt",
		    NULL },
		{ "a.example fingerprint match=" HEX64,
		    "to a.example fingerprint sha256:" HEX64, NULL },
		{ "a.example fingerprint match=00:11:22:33:44:55:66:77:88:99:"
		    "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:"
		    "CC:DD:EE:FF match=" HEX64, "to a.example fingerprint "
		    "sha256:" HEX64 " sha256:" HEX64, NULL },
		{ "a.example secure\n   match=b.example\n\t\n# x\n "
		    "servername=b.example", "to a.example secure match "
		    "b.example servername b.example", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		check_row(import_tls_policy, &row[i], NULL);
}

static void what_of_a_postfix_table_cannot_be_kept(void **state)
{
	static const struct row row[] = {
		{ "a.example", NULL, "a level that is not known" },
		{ "a.example Secure", NULL, "a level that is not known" },
		{ "a.example half-dane", NULL, "a level that is not known" },
		{ "a.example MUST", NULL, "a level that is not known" },
		{ "/^a/ secure", NULL, "a pattern" },
		{ "a.example secure mtach=b", NULL, "not known: \"mtach=b\"" },
		{ "a.example secure starttls", NULL, "not known" },
		{ "a.example secure policy_type=sts", NULL, "not known" },
		{ "a.example secure match=", NULL, "match: no value" },
		{ "a.example encrypt match=b.example", NULL,
		    "not with level encrypt" },
		{ "a.example secure match=*.b.example", NULL,
		    "write \".b.example\"" },
		{ "a.example secure tafile=/a tafile=/b", NULL,
		    "two times tafile" },
		{ "a.example encrypt tafile=/a", NULL, "tafile: nothing" },
		{ "a.example encrypt ciphers=null", NULL, "does not encrypt" },
		{ "a.example encrypt protocols=SSLv3", NULL, "SSL is not" },
		{ "a.example encrypt protocols=TLSv1", NULL, "nothing from "
		    "TLS 1.2" },
		{ "a.example encrypt protocols=!TLSv1.2", NULL,
		    "not in a row" },
		{ "a.example encrypt protocols=TLSv9", NULL, "a version that "
		    "is not known" },
		{ "a.example encrypt protocols=>=TLSv1.9", NULL,
		    "a version that is not known" },
		{ "a.example none protocols=TLSv1.3", FREE, "there is no "
		    "TLS" },
		{ "a.example fingerprint", NULL, "without match" },
		{ "a.example fingerprint match=" SHA1, NULL, "--probe" },
		{ "a.example fingerprint match=" HEX64 "|", NULL,
		    "no known length" },
		{ "a.example dane-only servername=b.example", NULL,
		    "not with level dane-only" },
		{ "a.example encrypt enable_rpk=maybe", NULL, "yes or no" },
		{ "a.example encrypt connection_reuse=1", NULL,
		    "yes or no" },
		{ "192.0.2.1 encrypt", NULL, "last label is a number" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		check_row(import_tls_policy, &row[i], NULL);
}

/* A file may be somebody else's. */
static void octets_of_a_file_never_become_lines(void **state)
{
	static const char *const text[] = {
		"a.example secure \x0d" "to b.example none",
		"a.example may\x0b" "x\x1b[2J",
		"a.example secure servername=\"\nto",
		"a.example\" none #\" may",
		"a.example encrypt exclude=x\"}",
		"}\n{ default none",
		"\xff\xfe.example may",
	};
	struct tls_rules rules;
	struct done d;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(text); i++) {
		rules = (struct tls_rules){ 0 };
		import_text(&d, import_tls_policy, text[i], NULL);
		assert_true(d.im.lost > 0);
		assert_int_equal(read_back(&d, &rules), 1);
		for (size_t k = 0; k < rules.n; k++)
			assert_true(is_hold(&rules.rule[k]));
		for (size_t k = 0; k < d.out.n; k++)
			assert_true(d.out.p[k] == '\n' || d.out.p[k] >= ' ');
		tls_rules_free(&rules);
		done_free(&d);
	}
	import_init(&d.im);
	buf_init(&d.out, 1u << 20);
	import_tls_policy(&d.im, view_make("a.example may\0 none", 19));
	import_print(&d.im, "a\nb", &d.out);
	assert_int_equal(d.im.lost, 1);
	assert_non_null(strstr(buf_str(&d.out), "# from a?b; for"));
	assert_non_null(strstr(buf_str(&d.out), "a.example may? none"));
	done_free(&d);
}

/* ---- domaincerts ---- */

static void T70_domaincerts_and_no_password_of_theirs(void **state)
{
	struct done d;
	const char *out;

	(void)state;
	import_text(&d, import_domaincerts,
	    "a.example:/etc/a.pem|/etc/a.key|\n"
	    "b.example:/etc/b.pem\n"
	    "*:/etc/all.pem|/etc/all.key\n"
	    "c.example:/etc/c.pem|/etc/c.key|s3cret\n"
	    "d.example:control/d.pem\n"
	    "e.example:\n"
	    "f example:/etc/a.pem\n", NULL);
	out = buf_str(&d.out);
	assert_non_null(strstr(out, "pki a {\n    cert \"/etc/a.pem\"\n"
	    "    key \"/etc/a.key\"\n}\n"));
	assert_non_null(strstr(out, "pki b {\n    cert \"/etc/b.pem\"\n"
	    "    key \"/etc/b.pem\"\n}\n"));
	assert_non_null(strstr(out, "client-cert from @a.example pki a\n"));
	assert_non_null(strstr(out, "client-cert from @b.example pki b\n"));
	assert_non_null(strstr(out, "write \"pki all\" into the lines"));
	assert_non_null(strstr(out, "the key has a password"));
	assert_null(strstr(out, "s3cret"));
	assert_null(strstr(out, "client-cert from @c.example"));
	assert_non_null(strstr(out, "write the whole path"));
	assert_null(strstr(out, "client-cert from @f"));
	assert_int_equal(d.im.lost, 4);
	assert_non_null(strstr(out, "# line 4: mail from there shows the "
	    "certificate of a wider line, or none\n"));
	done_free(&d);
}

/* ---- tlshosts/ ---- */

static void make_file(const char *path)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fclose(f);
}

static void T70_tlshosts_of_the_qmail_patch(void **state)
{
	char dir[] = "/tmp/postseal-tlshosts.XXXXXX";
	struct tls_rules rules = { 0 };
	struct err e = { 0 };
	struct done d;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkdir("tlshosts", 0700) | mkdir("notlshosts", 0700),
	    0);
	make_file("tlshosts/mx.a.example.pem");
	make_file("tlshosts/exhaustivelist");
	make_file("tlshosts/README");
	make_file("notlshosts/mx.b.example");
	import_init(&d.im);
	buf_init(&d.out, 1u << 20);
	assert_int_equal(import_tlshosts(&d.im, "tlshosts/", &e), 0);
	import_print(&d.im, "tlshosts", &d.out);
	assert_int_equal(read_back(&d, &rules), 1);
	assert_int_equal(rules.n, 3);
	assert_int_equal(d.im.lost, 1);
	assert_non_null(strstr(buf_str(&d.out), "to mx.a.example secure match "
	    "mx.a.example ca mx\n"));
	assert_non_null(strstr(buf_str(&d.out), "file \"tlshosts/"
	    "mx.a.example.pem\""));
	assert_non_null(strstr(buf_str(&d.out), "to mx.b.example none\n"));
	assert_non_null(strstr(buf_str(&d.out), "default none\n"));
	assert_int_equal(import_tlshosts(&d.im, "nothing", &e), -1);
	tls_rules_free(&rules);
	done_free(&d);
	assert_int_equal(unlink("tlshosts/mx.a.example.pem") |
	    unlink("tlshosts/exhaustivelist") | unlink("tlshosts/README") |
	    unlink("notlshosts/mx.b.example") | rmdir("tlshosts") |
	    rmdir("notlshosts") | chdir("/") | rmdir(dir), 0);
}

/* ---- stunnel ---- */

/* The whole of it as relay { }. */
static void read_as_relay(const struct done *d, struct relay_config **c)
{
	char path[] = "/tmp/postseal-relay.XXXXXX";
	int fd = mkstemp(path);
	struct conf_errors ce;
	struct buf b;

	buf_init(&b, 1u << 22);
	buf_puts(&b, "relay {\n");
	buf_putv(&b, buf_view(&d->out));
	buf_puts(&b, "}\n");
	assert_int_equal(write(fd, b.p, b.n), b.n);
	close(fd);
	conf_errors_init(&ce);
	if (relay_config_read(c, path, &ce) != 0)
		fail_msg("%s%s", buf_str(&ce.text), buf_str(&b));
	conf_errors_free(&ce);
	buf_free(&b);
	unlink(path);
}

static const char good_stunnel[] =
    "; a comment\n"
    "# another\n"
    "cert = /etc/stunnel/mail.pem\n"
    "setuid = stunnel4\n"
    "setgid = stunnel4\n"
    "chroot = /var/lib/stunnel4\n"
    "pid = /run/stunnel.pid\n"
    "socket = l:TCP_NODELAY=1\n"
    "options = NO_SSLv3\n"
    "[pop3s]\n"
    "accept = 995\n"
    "connect = 110\n"
    "[imaps]\n"
    "accept  = ::1:993\n"
    "connect = 127.0.0.1:143\n"
    "key = /etc/stunnel/imap.key\n"
    "sslVersionMin = TLSv1.3\n"
    "CAfile = /etc/stunnel/clients.pem\n"
    "verify = 2\n"
    "CRLfile = /etc/stunnel/crl.pem\n"
    "[smtp]\n"
    "accept = 192.0.2.1:25\n"
    "connect = localhost:10025\n"
    "protocol = smtp\n"
    "ciphers = HIGH:!SHA1\n"
    "verifyChain = yes\n"
    "CApath = /etc/stunnel/ca.d\n"
    "[haproxy]\n"
    "accept = 127.0.0.1:9999\n"
    "connect = /run/app.sock\n"
    "protocol = proxy\n"
    "[popa3d]\n"
    "accept = 127.0.0.1:1995\n"
    "exec = /usr/sbin/popa3d\n"
    "execArgs = popa3d  -s user\n"
    "[out]\n"
    "client = yes\n"
    "accept = 2525\n"
    "connect = 192.0.2.9:465\n"
    "verifyChain = yes\n"
    "CAfile = /etc/ssl/certs/ca-certificates.crt\n"
    "checkHost = mail.example.com\n"
    "[out587]\n"
    "client = yes\n"
    "protocol = smtp\n"
    "accept = 127.0.0.1:2526\n"
    "connect = 192.0.2.9:587\n"
    "[virtual]\n"
    "sni = pop3s:pop.b.example\n"
    "cert = /etc/stunnel/b.pem\n"
    "connect = 110\n";

static void each_form_of_stunnel_conf(void **state)
{
	static const char *const has[] = {
		"user stunnel4\n",
		"listen pop3s {\n    protocol pop3\n    on \"0.0.0.0:995\" "
		"implicit\n    pki mail b\n    backend \"127.0.0.1:110\"\n}\n",
		"listen imaps {\n    protocol imap\n    on \"[::1]:993\" "
		"implicit\n    pki mail-2\n    min-protocol 1.3\n"
		"    client-cert require ca clients\n"
		"    backend \"127.0.0.1:143\"\n}\n",
		"ca clients {\n    file \"/etc/stunnel/clients.pem\"\n"
		"    crl \"/etc/stunnel/crl.pem\"\n}\n",
		"listen smtp {\n    protocol smtp-tunnel\n"
		"    on \"192.0.2.1:25\" starttls-required\n    pki mail\n"
		"    ciphers \"HIGH:!SHA1\"\n    client-cert optional ca ca\n"
		"    backend \"127.0.0.1:10025\"\n}\n",
		"ca ca {\n    dir \"/etc/stunnel/ca.d/\"\n}\n",
		"    backend \"unix:/run/app.sock\" proxy-v1\n",
		"    backend exec user stunnel4 \"/usr/sbin/popa3d\" -s "
		"user\n",
		"    on \"127.0.0.1:2525\" plain\n    backend "
		"\"192.0.2.9:465\" tls verify implicit name mail.example.com "
		"ca ca-certificates",
		"    backend \"192.0.2.9:587\" tls encrypt pki mail\n",
		"nobody is verified, as before",
		"chroot is not kept: workers are in one",
		"its certificate is one of listener pop3s",
	};
	struct relay_config *c = NULL;
	struct done d;

	(void)state;
	import_text(&d, import_stunnel, good_stunnel, NULL);
	assert_int_equal(d.im.lost, 0);
	for (size_t i = 0; i < ARRAY_LEN(has); i++)
		if (strstr(buf_str(&d.out), has[i]) == NULL)
			fail_msg("no \"%s\" in\n%s", has[i],
			    buf_str(&d.out));
	read_as_relay(&d, &c);
	assert_int_equal(c->listeners, 7);
	relay_config_free(&c);
	done_free(&d);
}

static void what_of_stunnel_conf_cannot_be_kept(void **state)
{
	static const struct {
		const char *lines, *says;
	} row[] = {
		{ "accept = 995", "neither connect nor exec" },
		{ "connect = 110", "no accept" },
		{ "accept = 995\nconnect = 110\nconnect = 111", "several" },
		{ "accept = 995\nconnect = mail.example:110", "in numbers" },
		{ "accept = nosuchport\nconnect = 110", "a port that is" },
		{ "accept = 99999\nconnect = 110", "a port that is none" },
		{ "accept = 995\nconnect = 110\nexec = /x", "connect and" },
		{ "accept = 1\nconnect = 2\nprotocol = nntp", "are known" },
		{ "accept = 1\nconnect = 2\nverify = 3\nCAfile = /a",
		    "pin sha256:HEX" },
		{ "accept = 1\nconnect = 2\nverifyPeer = yes", "pin sha256" },
		{ "accept = 1\nconnect = 2\nverify = 2", "nothing to verify" },
		{ "accept = 1\nconnect = 2\nverify = 9", "0 to 4" },
		{ "accept = 1\nconnect = 2\nrequireCert = yes", "any cert" },
		{ "accept = 1\nconnect = 2\nlibwrap = yes", "allow and deny" },
		{ "accept = 1\nconnect = 2\ntransparent = source",
		    "proxy-v2" },
		{ "accept = 1\nconnect = 2\nOCSPaia = yes", "revocation" },
		{ "accept = 1\nconnect = 2\nredirect = 3", "refused" },
		{ "accept = 1\nconnect = 2\nPSKsecrets = /x", "pre-shared" },
		{ "accept = 1\nexec = /x\npty = yes", "no terminal" },
		{ "accept = 1\nconnect = 2\nverifyChian = yes",
		    "not known: \"verifyChian\"" },
		{ "accept = 1\nconnect = 2\ncert = /a.p12", "only PEM" },
		{ "accept = 1\nconnect = 2\nsni = other:x\ncheckEmail = a@b",
		    "checkEmail" },
		{ "accept = 1\nconnect = 2\ninclude = /x", "one by one" },
		{ "accept = 1\nconnect = 2\nciphers = HIGH\"", "no list" },
		{ "client = yes\naccept = 1\nconnect = 2\nprotocol = proxy",
		    "proxy of a client" },
	};
	struct relay_config *c = NULL;
	struct done d;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		buf_init(&b, 8192);
		buf_printf(&b, "cert = /c.pem\n[bad]\n%s\n[good]\n"
		    "accept = 995\nconnect = 110\n", row[i].lines);
		import_text(&d, import_stunnel, buf_str(&b), NULL);
		if (d.im.lost != 1 ||
		    strstr(buf_str(&d.out), row[i].says) == NULL ||
		    strstr(buf_str(&d.out), "IS NOT KEPT: [bad]") == NULL ||
		    strstr(buf_str(&d.out), "listen bad") != NULL)
			fail_msg("%s: %zu lost\n%s", row[i].lines, d.im.lost,
			    buf_str(&d.out));
		read_as_relay(&d, &c);
		assert_int_equal(c->listeners, 1);
		relay_config_free(&c);
		done_free(&d);
		buf_free(&b);
	}
}

/* ---- JSON ---- */

static void json_has_each_line(void **state)
{
	struct done d;
	struct buf j;

	(void)state;
	import_text(&d, import_tls_policy, "a.example may\na.example none\n"
	    "b.example secure x=1\n", NULL);
	buf_init(&j, 1u << 20);
	import_print_json(&d.im, "table", &j);
	assert_non_null(strstr(buf_str(&j), "\"lost\":1"));
	assert_non_null(strstr(buf_str(&j), "{\"line\":1,\"source\":"
	    "\"a.example may\",\"kept\":true,\"configuration\":"
	    "\"to a.example may\",\"notes\":[]}"));
	assert_non_null(strstr(buf_str(&j), "\"kept\":false,"
	    "\"configuration\":\"to a.example none\",\"instead\":1"));
	assert_non_null(strstr(buf_str(&j), "\"configuration\":null,"
	    "\"notes\":[\"an attribute that is not known"));
	buf_free(&j);
	done_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T70_each_form_of_tlsdestinations),
		cmocka_unit_test(T70_what_tlsdestinations_cannot_keep),
		cmocka_unit_test(of_two_lines_the_first_kind_holds),
		cmocka_unit_test(
		    T42_old_fingerprints_are_probed_once_and_become_sha256),
		cmocka_unit_test(each_form_of_a_postfix_table),
		cmocka_unit_test(what_of_a_postfix_table_cannot_be_kept),
		cmocka_unit_test(octets_of_a_file_never_become_lines),
		cmocka_unit_test(T70_domaincerts_and_no_password_of_theirs),
		cmocka_unit_test(T70_tlshosts_of_the_qmail_patch),
		cmocka_unit_test(each_form_of_stunnel_conf),
		cmocka_unit_test(what_of_stunnel_conf_cannot_be_kept),
		cmocka_unit_test(json_has_each_line),
	};

	return cmocka_run_group_tests_name("cli_relay_import", tests, NULL,
	    NULL);
}
