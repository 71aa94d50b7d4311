/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of cli/postconf.c, doctor_postfix.c, doctor_settings.c,
 * doctor_sendmail.c and doctor_relay.c: what other programs print, what of the
 * relay does not answer, and what follows from it.
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

#include "cli/doctor.h"
#include "cli/postconf.h"
#include "util/proc.h"

#define SOCKET "/var/spool/postfix/postseal/milter.sock"

static char listen_at[] = "unix:" SOCKET;
static char reinject_to[] = "127.0.0.1:10026";
static char tls_route_to[] = "smtp:127.0.0.1:10027";
static struct config config = {.listen = listen_at, .reinject = reinject_to,
	.tls_route = tls_route_to, .max_message = 1000000};

/* What is right: each case below changes one thing. */
static const char good_settings[] =
    "queue_directory = /var/spool/postfix\n"
    "compatibility_level = 3.6\n"
    "inet_interfaces = all\n"
    "mynetworks = 127.0.0.0/8 [::1]/128\n"
    "smtpd_milters = { unix:postseal/milter.sock, "
    "default_action=tempfail }\n"
    "non_smtpd_milters = unix:postseal/milter.sock\n"
    "milter_default_action = tempfail\n"
    "milter_content_timeout = 300s\n"
    "message_size_limit = 10240000\n"
    "receive_override_options =\n"
    "header_size_limit = 51200\n"
    "smtp_line_length_limit = 998\n"
    "smtpd_sender_login_maps = hash:/x\n"
    "smtpd_forbid_bare_newline = normalize\n"
    "cleanup_replace_stray_cr_lf = yes\n"
    "internal_mail_filter_classes =\n"
    "smtp_tls_policy_maps =\n"
    "smtp_fallback_relay =\n"
    "smtp_tls_security_level = may\n"
    "content_filter =\n";
static const char good_services[] =
    "smtp inet n - y - - smtpd\n"
    "submission inet n - y - - smtpd -o x=y\n"
    "127.0.0.1:10026 inet n - n - - smtpd -o smtpd_milters=\n"
    "127.0.0.1:10027 inet n - n - - smtpd -o content_filter=securesmtp:\n"
    "lmtp unix - - n - - lmtp\n"
    "relay unix - - n - - smtp\n"
    "securesmtp unix - - n - - smtp\n";
static const char good_overrides[] =
    "submission/inet/smtpd_sasl_auth_enable = yes\n"
    "127.0.0.1:10026/inet/smtpd_milters =\n"
    "127.0.0.1:10027/inet/smtpd_milters =\n"
    "127.0.0.1:10027/inet/content_filter = securesmtp:\n"
    "securesmtp/unix/smtp_tls_security_level = secure\n";

static const struct doctor_row *find(const struct doctor *d,
    const char *check, enum doctor_level at_least)
{
	for (size_t i = 0; i < d->rows; i++)
		if (strcmp(d->row[i].check, check) == 0 &&
		    d->row[i].level <= at_least)
			return &d->row[i];
	return NULL;
}

static void look(struct doctor *d, const char *settings,
    const char *services, const char *overrides)
{
	struct postconf p = {0};
	struct err e = {0};

	d->config = &config;
	p.dir = strdup("/etc/postfix");
	assert_int_equal(postconf_parse(&p, view_of(settings),
	    view_of(services), view_of(overrides), &e), 0);
	doctor_postfix(d, &p);
	assert_false(d->no_memory);
	postconf_free(&p);
}

/* good with one line more, which comes instead of the line of that name. */
static void replace(struct buf *b, const char *good, const char *line)
{
	const char *end = strpbrk(line, " \t");
	size_t name = end == NULL ? strlen(line) : (size_t)(end - line);

	buf_init(b, 10000);
	for (const char *p = good; *p != '\0';) {
		size_t n = (size_t)(strchr(p, '\n') - p) + 1;

		if (name == 0 || strncmp(p, line, name) != 0 ||
		    p[name] != ' ')
			buf_put(b, p, n);
		p += n;
	}
	buf_printf(b, "%s\n", line);
}

static void what_is_right_is_said_to_be_right(void **state)
{
	struct doctor d = {0};

	(void)state;
	look(&d, good_settings, good_services, good_overrides);
	for (size_t i = 0; i < d.rows; i++)
		if (d.row[i].level < DOCTOR_HINT)
			fail_msg("%s %s", d.row[i].check, d.row[i].why);
	assert_non_null(find(&d, "default-action", DOCTOR_OK));
	doctor_free(&d);
}

/* What each dangerous setting is called, and how bad it is. */
static const struct {
	enum { SETTING, SERVICE, OVERRIDE } where;
	const char *line;
	const char *check;
	enum doctor_level level;
} setting[] = {
	{SETTING, "smtpd_milters = { unix:postseal/milter.sock, "
	    "default_action=accept }", "default-action",
	    DOCTOR_DANGER},
	{SETTING, "smtpd_milters = {unix:postseal/milter.sock "
	    "default_action=reject}", "default-action",
	    DOCTOR_WARNING},
	{SETTING, "milter_default_action = accept",
	    "default-action", DOCTOR_DANGER},
	{SETTING, "milter_default_action = quarantine",
	    "default-action", DOCTOR_WARNING},
	{SETTING, "milter_default_action = whatever",
	    "default-action", DOCTOR_WARNING},
	{OVERRIDE, "submission/inet/milter_default_action = accept",
	    "default-action", DOCTOR_OK},
	{SETTING, "smtpd_milters = inet:127.0.0.1:9999",
	    "milter-unused", DOCTOR_DANGER},
	{SETTING, "smtpd_milters =", "milter-missing",
	    DOCTOR_DANGER},
	{OVERRIDE, "submission/inet/smtpd_milters = inet:[::1]:99",
	    "milter-missing", DOCTOR_DANGER},
	{OVERRIDE, "submission/inet/smtpd_milters = inet:[::1]:8891 "
	    "unix:postseal/milter.sock", "dkim-order",
	    DOCTOR_DANGER},
	{OVERRIDE, "smtp/inet/smtpd_milters = "
	    "unix:postseal/milter.sock unix:opendkim/s",
	    "dkim-order", DOCTOR_WARNING},
	{SETTING, "non_smtpd_milters = inet:[::1]:8891,"
	    "unix:postseal/milter.sock", "dkim-order",
	    DOCTOR_DANGER},
	{SETTING, "non_smtpd_milters =", "non-smtpd",
	    DOCTOR_WARNING},
	{OVERRIDE, "127.0.0.1:10026/inet/smtpd_milters = "
	    "unix:postseal/milter.sock", "reinject-loop",
	    DOCTOR_DANGER},
	{SERVICE, "10026 inet n - n - - smtpd", "reinject-open",
	    DOCTOR_DANGER},
	{SERVICE, "0.0.0.0:10026 inet n - n - - smtpd",
	    "reinject-open", DOCTOR_DANGER},
	{OVERRIDE, "127.0.0.1:10026/inet/mynetworks = 0.0.0.0/0",
	    "reinject-networks", DOCTOR_DANGER},
	{OVERRIDE, "127.0.0.1:10026/inet/content_filter = smtp:x",
	    "reinject-filter", DOCTOR_DANGER},
	{OVERRIDE, "127.0.0.1:10026/inet/receive_override_options = "
	    "no_address_mappings", "reinject-mappings", DOCTOR_HINT},
	{OVERRIDE, "127.0.0.1:10027/inet/content_filter =",
	    "tls-route-open", DOCTOR_DANGER},
	{OVERRIDE, "127.0.0.1:10027/inet/content_filter = nowhere:",
	    "tls-route-open", DOCTOR_DANGER},
	{OVERRIDE, "127.0.0.1:10027/inet/content_filter = relay:",
	    "tls-route-open", DOCTOR_DANGER},
	{OVERRIDE, "securesmtp/unix/smtp_tls_security_level = encrypt",
	    "tls-route-open", DOCTOR_DANGER},
	{OVERRIDE, "securesmtp/unix/smtp_tls_policy_maps = hash:/x",
	    "tls-route-maps", DOCTOR_WARNING},
	{OVERRIDE, "securesmtp/unix/smtp_fallback_relay = [x]",
	    "tls-route-fallback", DOCTOR_HINT},
	{OVERRIDE, "127.0.0.1:10027/inet/smtpd_milters = "
	    "unix:postseal/milter.sock", "reinject-loop", DOCTOR_DANGER},
	{SERVICE, "127.0.0.1:10027 inet n - n - - qmqpd",
	    "tls-route-missing", DOCTOR_WARNING},
	{SETTING, "mynetworks = 127.0.0.0/8, ::/0", "open-relay",
	    DOCTOR_DANGER},
	{SETTING, "milter_content_timeout = 30s", "content-timeout",
	    DOCTOR_WARNING},
	{SETTING, "milter_content_timeout = 4m", "content-timeout",
	    DOCTOR_WARNING},
	{SETTING, "message_size_limit = 1000000", "message-size",
	    DOCTOR_HINT},
	{SETTING, "header_size_limit = 102400", "header-size",
	    DOCTOR_HINT},
	{SETTING, "smtputf8_enable = no", "smtputf8", DOCTOR_HINT},
	{SETTING, "smtp_line_length_limit = 512", "line-length",
	    DOCTOR_WARNING},
	{SETTING, "force_mime_input_conversion = no", "mime-input",
	    DOCTOR_HINT},
	{SETTING, "disable_mime_output_conversion = no",
	    "mime-output", DOCTOR_HINT},
	{SETTING, "smtpd_forbid_bare_newline = no", "bare-newline",
	    DOCTOR_WARNING},
	{SETTING, "cleanup_replace_stray_cr_lf = no", "stray-cr-lf",
	    DOCTOR_WARNING},
	{SETTING, "internal_mail_filter_classes = bounce",
	    "internal-mail", DOCTOR_WARNING},
	{SETTING, "always_add_missing_headers = yes",
	    "missing-headers", DOCTOR_HINT},
	{SETTING, "milter_header_checks = pcre:/x", "header-checks",
	    DOCTOR_HINT},
	{SETTING, "smtpd_milter_maps = cidr:/x", "milter-maps",
	    DOCTOR_WARNING},
	{SETTING, "smtpd_sender_login_maps =", "sender-login",
	    DOCTOR_HINT},
	{SETTING, "smtpd_milters = unix:" SOCKET, "chroot",
	    DOCTOR_WARNING},
};

static void M14_M15_M27_M30_M34_M35_M36_M39_each_setting(void **state)
{
	const struct doctor_row *r;
	struct doctor d;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(setting); i++) {
		const char *t[] = {good_settings, good_services,
			good_overrides};

		replace(&b, t[setting[i].where], setting[i].line);
		if (strncmp(setting[i].line, "milter_default_action", 21) == 0)
			buf_printf(&b, "smtpd_milters = "
			    "unix:postseal/milter.sock\n");
		t[setting[i].where] = buf_str(&b);
		memset(&d, 0, sizeof(d));
		look(&d, t[0], t[1], t[2]);
		r = find(&d, setting[i].check, setting[i].level);
		if (r == NULL || r->level != setting[i].level)
			fail_msg("not found: %s", setting[i].line);
		assert_true(r->fix[0] != '\0' || r->level == DOCTOR_OK);
		doctor_free(&d);
		buf_free(&b);
	}
}

/* What postconf may print when it is not the one we think. */
static void hostile_output_does_no_harm(void **state)
{
	static const char *const texts[] = {"", "\n\n\n", "=", " = ", "a",
		"a =", "= b", "/// = x", "a/b = c", "//smtpd_milters = x",
		"smtp/inet/ = x", "a b c d e f g", "a b c d e f g h",
		"smtpd_milters = {{{{{{", "smtpd_milters = }}}}", "\r\n\r",
		"smtpd_milters = { }", "smtpd_milters = {,},{ , }",
		"smtpd_milters = ,,,,", "mynetworks = /0 0/0 ! !/0 /",
		"smtpd_milters = { unix:x, default_action= }",
		"compatibility_level = x\nqueue_directory =\n",
		"127.0.0.1:10026 inet n - n - - smtpd\n: inet n - n - - "
		"smtpd", "milter_content_timeout = 99999999999999999999s"};
	struct doctor d = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
			memset(&d, 0, sizeof(d));
			look(&d, texts[i], texts[k], texts[i]);
			doctor_free(&d);
			memset(&d, 0, sizeof(d));
			look(&d, texts[i], good_services, texts[k]);
			doctor_free(&d);
		}
}

/* Values are shown, and a terminal must not obey them. */
static void what_is_shown_is_one_plain_line(void **state)
{
	struct doctor d = {.config = &config};

	(void)state;
	look(&d, "milter_header_checks = \x1b[2J\xc2\x9b\x07\n", "", "");
	for (size_t i = 0; i < d.rows; i++)
		for (const char *s = d.row[i].where; *s != '\0'; s++)
			assert_true(*s >= 32 && *s < 127);
	assert_non_null(find(&d, "header-checks", DOCTOR_HINT));
	doctor_free(&d);
}

static void too_many_settings_are_refused(void **state)
{
	struct postconf p = {0};
	struct err e = {0};
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 20);
	for (size_t i = 0; i < POSTCONF_SETTINGS; i++)
		buf_printf(&b, "a%zu = x\n", i);
	assert_int_equal(postconf_parse(&p, buf_view(&b), view_of(""),
	    view_of(""), &e), 0);
	assert_string_equal(postconf_get(&p, NULL, "a17"), "x");
	assert_null(postconf_get(&p, NULL, "b"));
	postconf_free(&p);
	buf_puts(&b, "b = x\n");
	assert_int_equal(postconf_parse(&p, buf_view(&b), view_of(""),
	    view_of(""), &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
	postconf_free(&p);
	buf_free(&b);
}

static void lists_of_milters_are_taken_apart(void **state)
{
	struct view v = view_of(" unix:a , inet:h:1\t{ unix:b, "
	    "connect_timeout=1s, default_action=accept,command_timeout={1s}}"
	    "{inet:[::1]:2 default_action=tempfail},,");
	static const char *const wanted[][2] = {{"unix:a", ""},
		{"inet:h:1", ""}, {"unix:b", "accept"},
		{"inet:[::1]:2", "tempfail"}};
	struct postconf_milter m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		assert_true(postconf_next_milter(&v, &m));
		assert_string_equal(m.endpoint, wanted[i][0]);
		assert_string_equal(m.action, wanted[i][1]);
	}
	assert_false(postconf_next_milter(&v, &m));
}

/* ---- sendmail.cf ---- */

static const char good_cf[] = "V10/Berkeley\n"
    "O MaxMessageSize=10000000\n"
    "O DaemonPortOptions=Name=MTA, Port=25\n"
    "O DaemonPortOptions=Port=587, Name=MSA, M=E\n"
    "O DaemonPortOptions=Port=10026, Addr=127.0.0.1, Name=back, "
    "InputMailFilters=\n"
    "O InputMailFilters=postseal\n"
    "Xpostseal, S=local:" SOCKET ", F=T,\n"
    "\tT=C:30s;S:2m;R:2m;E:10m\n";

static void M14_M46_each_line_of_sendmail_cf_is_found(void **state)
{
	static const struct {
		const char *from, *to; /* in good_cf */
		const char *check;
		enum doctor_level level;
	} cases[] = {
		{"F=T", "F=R", "default-action", DOCTOR_WARNING},
		{"F=T,", "", "default-action", DOCTOR_DANGER},
		{"R:2m", "R:10s", "content-timeout", DOCTOR_WARNING},
		{"E:10m", "E:4m", "content-timeout", DOCTOR_WARNING},
		{"\tT=", "\tQ=", "content-timeout", DOCTOR_WARNING},
		{"S=local:", "S=local:/x", "milter-unused", DOCTOR_DANGER},
		{"O InputMailFilters=postseal", "", "milter-missing",
		    DOCTOR_DANGER},
		{"M=E", "I=other", "milter-missing", DOCTOR_DANGER},
		{"back, InputMailFilters=", "back", "reinject-loop",
		    DOCTOR_DANGER},
		{"Addr=127.0.0.1, ", "", "reinject-open", DOCTOR_DANGER},
		{"Port=10026", "Port=10027", "reinject-missing",
		    DOCTOR_WARNING},
		{"Port=10026", "Port=10027", "tls-route-open",
		    DOCTOR_DANGER},
		{"O InputMailFilters=postseal", "O InputMailFilters=opendkim,"
		    "postseal\nXopendkim, S=inet:8891@127.0.0.1",
		    "dkim-order", DOCTOR_DANGER},
		{"O MaxMessageSize=10000000", "O MaxMessageSize=1000000",
		    "message-size", DOCTOR_HINT},
	};
	const char *at;
	struct doctor d = {.config = &config};
	struct buf b;

	(void)state;
	doctor_sendmail(&d, "sendmail.cf", view_of(good_cf));
	for (size_t i = 0; i < d.rows; i++)
		if (d.row[i].level != DOCTOR_OK)
			fail_msg("%s %s", d.row[i].check, d.row[i].why);
	doctor_free(&d);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_init(&b, 10000);
		at = strstr(good_cf, cases[i].from);
		assert_non_null(at);
		buf_put(&b, good_cf, (size_t)(at - good_cf));
		buf_puts(&b, cases[i].to);
		buf_puts(&b, at + strlen(cases[i].from));
		d.config = &config;
		doctor_sendmail(&d, "sendmail.cf", buf_view(&b));
		if (find(&d, cases[i].check, cases[i].level) == NULL)
			fail_msg("not found: %s", cases[i].check);
		doctor_free(&d);
		buf_free(&b);
	}
}

static void hostile_sendmail_cf_does_no_harm(void **state)
{
	static const char *const texts[] = {"", "\n", "X", "X,", "X,,,,",
		"X, S", "X, S=", "Xpostseal", "O", "O ", "O =", "O a",
		"O InputMailFilters", "O InputMailFilters=,,;;",
		"O DaemonPortOptions=", "O DaemonPortOptions=Port",
		"O DaemonPortOptions=Port=,=,==", "\tcontinued", " \n \n\t",
		"O MaxMessageSize=-1", "Xpostseal, T=C:;S:x;:;R", "\xff\xff"};
	struct doctor d = {.config = &config};
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 20);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		doctor_sendmail(&d, "cf", view_of(texts[i]));
		doctor_free(&d);
		d.config = &config;
		buf_puts(&b, texts[i]);
		buf_putc(&b, '\n');
	}
	for (size_t i = 0; i < 5000; i++)
		buf_puts(&b, "Xm, S=inet:1@h\nO DaemonPortOptions=Port=1\n ");
	doctor_sendmail(&d, "cf", buf_view(&b));
	doctor_free(&d);
	d.config = &config;
	doctor_sendmail(&d, "cf", view_make("Xa\0b, S=c\0d\n", 11));
	doctor_free(&d);
	buf_free(&b);
}

/* The relay's block as the whole file, and what is found: by what settings of
 * Postfix say, or NULL: in itself. */
static void look_at_relay(struct doctor *d, const char *block,
    const char *settings, const char *overrides)
{
	char path[] = "/tmp/cli_doctor_XXXXXX";
	struct config c = {.path = path, .has_relay = true,
	    .is_relay_only = true};
	struct postconf p = {.dir = strdup("/etc/postfix")};
	int fd = mkstemp(path);
	struct err e = {0};

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, block, strlen(block), NULL), 0);
	close(fd);
	memset(d, 0, sizeof(*d));
	d->config = &c;
	if (settings == NULL) {
		doctor_relay(d, 1767225600);
	} else {
		assert_int_equal(postconf_parse(&p, view_of(settings),
		    view_of("smtp unix - - y - - smtp\n"),
		    view_of(overrides), &e), 0);
		doctor_relay_postfix(d, &p);
	}
	assert_false(d->no_memory);
	d->config = NULL;
	postconf_free(&p);
	unlink(path);
}

#define QUEUE "queue_directory = /var/spool/postfix\n"
#define EGRESS(place) "relay {\n listen out {\n protocol lmtp\n on \"" place \
	"\"\n route out\n }\n route out {\n mx\n }\n}\n"
#define IN_QUEUE "unix:/var/spool/postfix/postseal/egress"
#define ASKED(place) "relay {\n socketmap \"" place "\"\n}\n"

static void a_postfix_that_knows_nothing_of_the_relay_is_found(void **state)
{
	static const struct {
		const char *block, *settings, *overrides;
		int level; /* of relay-unused; -1: not there */
	} row[] = {
		{EGRESS(IN_QUEUE), QUEUE, "", DOCTOR_WARNING},
		{EGRESS(IN_QUEUE), QUEUE "transport_maps = hash:/t\n", "",
		    DOCTOR_HINT},
		{EGRESS(IN_QUEUE), QUEUE "default_transport = "
		    "lmtp:unix:postseal/egress\n", "", -1},
		{EGRESS(IN_QUEUE), QUEUE "default_transport = "
		    "lmtp:unix:postseal/egress2\n", "", DOCTOR_WARNING},
		{EGRESS(IN_QUEUE), QUEUE, "smtp/unix/content_filter = lmtp:"
		    IN_QUEUE "\n", -1},
		{EGRESS("127.0.0.1:2500"), QUEUE "relayhost = "
		    "[127.0.0.1]:2500\n", "", -1},
		{EGRESS("127.0.0.1:2500"), QUEUE "relayhost = "
		    "[127.0.0.1]:25000\n", "", DOCTOR_WARNING},
		{EGRESS("[::1]:2500"), "", "", DOCTOR_WARNING},
		{ASKED("unix:/var/spool/postfix/postseal/tls"), QUEUE
		    "smtp_tls_policy_maps = socketmap:unix:postseal/tls:tls\n",
		    "", -1},
		{ASKED("unix:/var/spool/postfix/postseal/tls"), QUEUE
		    "smtp_tls_policy_maps = hash:/x\n", "", DOCTOR_WARNING},
		{ASKED("127.0.0.1:9999"), QUEUE "smtp_tls_policy_maps = "
		    "socketmap:inet:127.0.0.1:9999:tls\n", "", -1},
		{ASKED("192.0.2.1:9999"), QUEUE, "", -1},
		{"relay {\n nonsense\n}\n", QUEUE, "", -1},
	};
	struct doctor d;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		const struct doctor_row *r;

		look_at_relay(&d, row[i].block, row[i].settings,
		    row[i].overrides);
		r = find(&d, "relay-unused", DOCTOR_OK);
		if ((r == NULL ? -1 : (int)r->level) != row[i].level ||
		    d.rows > 1)
			fail_msg("%zu: %d", i, r == NULL ? -1 : (int)r->level);
		doctor_free(&d);
	}
	look_at_relay(&d, "relay {\n}\n", QUEUE "mynetworks = 0.0.0.0/0\n",
	    "");
	assert_int_equal(d.rows, 1);
	assert_non_null(find(&d, "open-relay", DOCTOR_DANGER));
	doctor_free(&d);
}

static void a_relay_that_does_not_work_is_found(void **state)
{
	struct config none = {.path = listen_at};
	struct doctor d = {.config = &none};
	const struct doctor_row *r;

	(void)state;
	doctor_relay(&d, 0);
	assert_int_equal(d.rows, 0);
	look_at_relay(&d, "relay {\n listne\n}\n", NULL, "");
	assert_int_equal(d.rows, 1);
	assert_non_null(find(&d, "relay-config", DOCTOR_WARNING));
	doctor_free(&d);
	look_at_relay(&d, "relay {\n user nobody\n state \"/nonexistent\"\n"
	    " listen in {\n protocol lmtp\n on "
	    "\"unix:/nonexistent/s\" mode 0666\n on \"127.0.0.1:1\"\n route "
	    "out\n }\n route out {\n mx\n }\n"
	    " resolver {\n anchor \"/nonexistent\"\n }\n"
	    " metrics \"[::]:1\"\n hostname m.example\n}\n", NULL, "");
	assert_non_null(find(&d, "relay-remark", DOCTOR_WARNING));
	r = find(&d, "relay-not-running", DOCTOR_WARNING);
	assert_non_null(r);
	assert_string_equal(r->where, "unix:/nonexistent/s");
	r = find(&d, "relay-files", DOCTOR_WARNING);
	assert_true(geteuid() != 0 || r != NULL);
	assert_int_equal(d.rows, r == NULL ? 6 : 7);
	doctor_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_right_is_said_to_be_right),
		cmocka_unit_test(M14_M15_M27_M30_M34_M35_M36_M39_each_setting),
		cmocka_unit_test(hostile_output_does_no_harm),
		cmocka_unit_test(what_is_shown_is_one_plain_line),
		cmocka_unit_test(too_many_settings_are_refused),
		cmocka_unit_test(lists_of_milters_are_taken_apart),
		cmocka_unit_test(M14_M46_each_line_of_sendmail_cf_is_found),
		cmocka_unit_test(hostile_sendmail_cf_does_no_harm),
		cmocka_unit_test(a_relay_that_does_not_work_is_found),
		cmocka_unit_test(
		    a_postfix_that_knows_nothing_of_the_relay_is_found),
	};

	return cmocka_run_group_tests_name("cli_doctor", tests, NULL, NULL);
}
