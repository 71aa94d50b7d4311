/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What wants attention, as lines and as a mail; when a notice is due; the
 * block in the configuration.
 */
#include "tests/unit/keystore_util.h"

#include <fcntl.h>

#include "gateway/attention.h"
#include "gateway/notice.h"

static struct made root, alice, bob;
static struct place p;
static struct keystore *ks;
static char local[] = "example.com", to[] = "postmaster@example.com",
    via[] = "127.0.0.1:25", id[] = "mx.example.com";
static char *domains[] = { local };
static struct config config = { .domain = domains, .domains = 1,
	.authserv_id = id, .notice_to = to, .notice_via = via,
	.notice_every_s = DAY, .notice_before_s = 30 * DAY };

static int make_store(void **state)
{
	struct spec a = { .cn = "Alice", .san = "email:alice@example.com",
		.key = "a", .eku = "emailProtection",
		.until = NOW + 10 * DAY };
	struct spec b = { .cn = "B\xc3\xb6" "b", .san =
	    "email:bob@example.org", .key = "b", .eku = "emailProtection",
		.until = NOW + 20 * DAY };

	(void)state;
	ca_make(&root, "R\xc3\xb6mer CA", NULL);
	cert_make(&alice, &a, &root);
	cert_make(&bob, &b, &root);
	ks = store_make(&p);
	add_anchor(ks, &root);
	add_cert(ks, &alice, KS_SIGN | KS_ENCRYPT);
	add_private(ks, &alice);
	add_cert(ks, &bob, KS_SIGN | KS_ENCRYPT);
	return 0;
}

static int clear_store(void **state)
{
	(void)state;
	store_clear(&p, &ks);
	made_free(&root);
	made_free(&alice);
	made_free(&bob);
	return 0;
}

static void attention_names_users_partners_and_cas(void **state)
{
	struct buf out;
	size_t n;

	(void)state;
	buf_init(&out, 100000);
	must(attention_print(ks, &config, NOW, 1001 * DAY, &out, &n, e));
	assert_non_null(strstr(buf_str(&out), "Users of ours who lack "
	    "something:\n  alice@example.com: certificate ends 2027-01-25, "
	    "and none follows\n"));
	assert_non_null(strstr(buf_str(&out), "Partners whose last "
	    "certificate ends:\n  2027-02-04  bob@example.org: ends\n"));
	assert_non_null(strstr(buf_str(&out), "Roots and CAs that end:\n"
	    "  2029-10-11  CN=R"));
	assert_int_equal(n, 3);
	buf_free(&out);
}

static void nothing_to_say_is_no_mail(void **state)
{
	struct config quiet = config;
	struct notice n;

	(void)state;
	quiet.notice_before_s = 5 * DAY;
	must(notice_compose(ks, &quiet, NOW, &n, e));
	assert_int_equal(n.items, 0);
	assert_false(notice_is_due(&quiet, &n, &(struct life_notice){ 0 },
	    NOW));
	notice_free(&n);
	quiet.notice_to = NULL;
	must_fail(notice_compose(ks, &quiet, NOW, &n, e), FAIL_CONFIG);
	notice_free(&n);
}

/* RFC 5322 2.3: CRLF, no line over 998, here none over 78 and 7 bit. */
static void check_octets(const struct buf *mail)
{
	size_t at, line = 0;

	for (at = 0; at < mail->n; at++) {
		assert_true(mail->p[at] < 0x7f);
		if (mail->p[at] == '\n') {
			assert_int_equal(mail->p[at - 1], '\r');
			assert_true(line <= 79);
			line = 0;
		} else {
			line++;
		}
	}
	assert_int_equal(line, 0);
}

static void a_notice_is_a_mail(void **state)
{
	struct config wide = config;
	struct notice n;

	(void)state;
	wide.notice_before_s = 1001 * DAY;
	must(notice_compose(ks, &wide, NOW, &n, e));
	check_octets(&n.mail);
	assert_non_null(strstr(buf_str(&n.mail), "To: "
	    "<postmaster@example.com>\r\nSubject: postseal on "
	    "mx.example.com: 3 things want your attention\r\n"
	    "Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n"));
	assert_non_null(strstr(buf_str(&n.mail),
	    "\r\nAuto-Submitted: auto-generated\r\n"));
	assert_non_null(strstr(buf_str(&n.mail), "CN=3DR=C3=B6mer CA"));
	notice_free(&n);
}

static void a_notice_is_due_once_a_day_and_the_same_once_a_week(void **state)
{
	struct life_notice never = { 0 }, last = { .sent = NOW };
	struct notice n, other;

	(void)state;
	must(notice_compose(ks, &config, NOW, &n, e));
	assert_int_equal(n.items, 2);
	assert_true(notice_is_due(&config, &n, &never, NOW));
	memcpy(last.hash, n.hash, sizeof(last.hash));
	assert_false(notice_is_due(&config, &n, &last, NOW));
	assert_false(notice_is_due(&config, &n, &last, NOW + 2 * DAY));
	assert_false(notice_is_due(&config, &n, &last, NOW + 7 * DAY - 1));
	assert_true(notice_is_due(&config, &n, &last, NOW + 7 * DAY));
	/* a clock that was a year ahead when it was sent */
	assert_true(notice_is_due(&config, &n, &last, NOW - 1));
	must(notice_compose(ks, &config, NOW + 15 * DAY, &other, e));
	assert_string_not_equal(other.hash, n.hash);
	assert_false(notice_is_due(&config, &other, &last, NOW + DAY - 1));
	assert_true(notice_is_due(&config, &other, &last, NOW + DAY));
	notice_free(&n);
	notice_free(&other);
}

/* ---- configuration ---- */

#define BASE "local-domains example.com\nkeystore sqlite \"k\"\n"        \
	"secret file \"s\"\nrules \"r\"\nauthserv-id mx\n"

static size_t read_config(const char *block, struct config **c, char *said,
    size_t size)
{
	char name[] = "/tmp/notice-test-XXXXXX";
	int fd = mkstemp(name);
	struct conf_errors ce;
	size_t n;

	assert_true(fd >= 0);
	assert_true(write(fd, BASE, strlen(BASE)) > 0);
	assert_true(write(fd, block, strlen(block)) >= 0);
	close(fd);
	conf_errors_init(&ce);
	(void)!config_read(c, name, &ce);
	snprintf(said, size, "%s", buf_str(&ce.text));
	n = ce.n;
	conf_errors_free(&ce);
	unlink(name);
	return n;
}

static void the_block_is_checked(void **state)
{
	static const struct {
		const char *block, *says;
	} bad[] = {
		{ "notices { }\n", "expected to ADDRESS and via" },
		{ "notices {\n to a@b.example\n}\n", "expected to ADDRESS" },
		{ "notices {\n to nobody\n via \"h:25\"\n}\n", "to: " },
		{ "notices {\n to b\xc3\xb6" "b@b.example\n via \"h:25\"\n}\n",
		    "RFC 6531" },
		{ "notices {\n to a@b.example\n via \"h\"\n}\n", "via" },
		{ "notices {\n to a@b.example\n via \"h:25\"\n every 5m\n}"
		    "\n", "wanted a time" },
		{ "notices {\n to a@b.example\n via \"h:25\"\n before 2h\n}"
		    "\n", "wanted a time" },
	};
	struct config *c;
	char said[2000];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(read_config(bad[i].block, &c, said,
		    sizeof(said)), 1);
		assert_null(c);
		if (strstr(said, bad[i].says) == NULL)
			fail_msg("%s: %s", bad[i].block, said);
	}
	assert_int_equal(read_config("notices {\n to a@b.example\n"
	    " via \"[::1]:25\"\n every 12h\n before 60d\n}\n", &c, said,
	    sizeof(said)), 0);
	assert_string_equal(c->notice_to, "a@b.example");
	assert_string_equal(c->notice_via, "[::1]:25");
	assert_int_equal(c->notice_every_s, 43200);
	assert_int_equal(c->notice_before_s, 60 * DAY);
	config_free(&c);
	assert_int_equal(read_config("", &c, said, sizeof(said)), 0);
	assert_null(c->notice_to);
	config_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attention_names_users_partners_and_cas),
		cmocka_unit_test(nothing_to_say_is_no_mail),
		cmocka_unit_test(a_notice_is_a_mail),
		cmocka_unit_test(
		    a_notice_is_due_once_a_day_and_the_same_once_a_week),
		cmocka_unit_test(the_block_is_checked),
	};

	return cmocka_run_group_tests_name("gateway_notice", tests,
	    make_store, clear_store);
}
