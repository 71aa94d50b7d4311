/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Header protection through the whole pipeline: what leaves shows what the
 * rule allows, and what arrives is what was written.
 */
#include "tests/unit/gateway_make.h"

#include <fnmatch.h>

#include "gateway/protect.h"

static struct world w;
static struct buf first; /* what was sealed, before it was opened again */

#define ALICE "alice@example.com"
#define BOB "bob@example.org"
#define BODY "MIME-Version: 1.0\nContent-Type: text/plain\n\nSecret plans\n"
#define FIELDS                                                              \
	"From: Alice Smith <alice@example.com>\n"                           \
	"To: \"Bob, the builder\" <bob@example.org>\n"                      \
	"Subject: Dinner plans\n"                                           \
	"Date: Sat, 21 Nov 2026 10:00:00 +0100\n"                           \
	"Message-ID: <1@example.com>\n"                                     \
	"Keywords: food\nKeywords: wine\nComments: hush\n"                  \
	"Reply-To: alice@example.com\nReferences: <0@example.com>\n"        \
	"X-Mailer: quill\n"
#define MAIL "Received: by a.example\n" FIELDS "Bcc: carol@example.com\n" BODY

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, ALICE, "rsa:2048");
	world_person(&w, BOB, "ec:p256");
	buf_init(&first, MAKE_MAX);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	buf_free(&first);
	world_end(&w);
	return 0;
}

static void seal(const char *setting, const char *mail)
{
	struct buf rule;

	buf_init(&rule, 200);
	buf_printf(&rule, "sign, encrypt, protect-headers %s", setting);
	world_seal_with(&w, buf_str(&rule), ALICE, BOB, mail);
	assert_int_equal(w.v.size_out, w.out.n);
	buf_free(&rule);
	buf_clear(&first);
	buf_putv(&first, buf_view(&w.out));
}

static void open_again(void)
{
	world_open_again(&w, ALICE, BOB);
	world_signature(&w, "pass", "");
	if (strstr(buf_str(&w.v.warnings), "changed") != NULL)
		fail_msg("%s", buf_str(&w.v.warnings));
}

static bool first_has(const char *s)
{
	return memmem(first.p, first.n, s, strlen(s)) != NULL;
}

static void expect(const char *s)
{
	if (!has(&w, s))
		fail_msg("\"%s\" is not in:\n%s", s, buf_str(&w.out));
}

static void expect_not(const char *s)
{
	if (has(&w, s))
		fail_msg("\"%s\" is in:\n%s", s, buf_str(&w.out));
}

/* Of the world's CA there is no CRL; nothing else is to be said, but that the
 * Date of these messages is longer ago each day. */
static void expect_no_warnings(void)
{
	static const char no_crl[] = "whether the certificate is revoked is "
	    "not known: no CRL of its issuer here\n";
	const char *said = buf_str(&w.v.warnings);

	assert_int_equal(strncmp(said, no_crl, sizeof(no_crl) - 1), 0);
	said += sizeof(no_crl) - 1;
	if (*said != '\0' && fnmatch("signed [0-9]* days after its Date\n",
	    said, 0) != 0)
		fail_msg("%s", said);
}

/* In the message's own header, the delivered signature's part aside. */
static bool header_has(const char *s)
{
	return memmem(w.out.p, w.out.n - make_body(&w).n, s, strlen(s)) !=
	    NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "name:value" of the protected fields of a message, unfolded, blanks
 * squeezed, in order of the alphabet. */
static void list_fields(struct view message, struct buf *to)
{
	struct spool *s = make_spool(message);
	char *line[200];
	struct header h;
	size_t n = 0;

	buf_clear(to);
	assert_int_equal(header_read(&h, s, 0, message.n, NULL), 0);
	for (size_t i = 0; i < h.n; i++) {
		const struct field *f = &h.field[i];
		struct buf b;

		if (!hp_is_copied(f->name) || view_ieq_str(f->name,
		    "Authentication-Results"))
			continue;
		buf_init(&b, MAKE_MAX);
		buf_putv(&b, f->name);
		buf_putc(&b, ':');
		for (size_t k = 0; k < f->value.n; k++) {
			unsigned char c = f->value.p[k];

			if (strchr(" \t\r\n", c) == NULL)
				buf_putc(&b, c);
			else if (b.p[b.n - 1] != ' ')
				buf_putc(&b, ' ');
		}
		while (b.n > 0 && b.p[b.n - 1] == ' ')
			b.n--;
		line[n++] = strndup((const char *)b.p, b.n);
		buf_free(&b);
	}
	qsort(line, n, sizeof(line[0]), by_text);
	for (size_t i = 0; i < n; i++) {
		buf_puts(to, line[i]);
		buf_putc(to, '\n');
		free(line[i]);
	}
	header_free(&h);
	spool_free(&s);
}

/* The message in w.out has the fields of this one. */
static void expect_fields_of(const char *mail)
{
	struct buf want, got, text;

	buf_init(&want, MAKE_MAX);
	buf_init(&got, MAKE_MAX);
	buf_init(&text, MAKE_MAX);
	for (; *mail != '\0'; mail++) {
		if (*mail == '\n')
			buf_putc(&text, '\r');
		buf_putc(&text, *mail);
	}
	list_fields(buf_view(&text), &want);
	list_fields(buf_view(&w.out), &got);
	if (!view_eq(buf_view(&want), buf_view(&got)))
		fail_msg("fields\n%s\nwanted\n%s", buf_str(&got),
		    buf_str(&want));
	buf_free(&want);
	buf_free(&got);
	buf_free(&text);
}

/* ---- what does not get protected ---- */

/* Header fields that nobody can sign are the sender's to correct. */
static void S190_S202_refused_with_the_name_of_the_field(void **state)
{
	static const struct {
		const char *mail, *reply;
	} rows[] = {
		{"Foo: b\xf6\n" FIELDS BODY, "Foo: octets that are neither"},
		{"To: bob@example.org (a\x07)\nFrom: " ALICE "\n" BODY,
		    "To: a control character"},
	};

	(void)state;
	world_rules(&w, "outbound : sign, encrypt, protect-headers baseline\n"
	    "inbound : decrypt, verify\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		world_seal(&w, ALICE, BOB, rows[i].mail);
		assert_int_equal(w.v.code, 554);
		if (strstr(w.v.text, rows[i].reply) == NULL)
			fail_msg("%s", w.v.text);
		assert_int_equal(w.v.edits, 0);
		assert_true(is_untouched(&w));
	}
}

static void S147_copy_is_the_default_and_off_copies_nothing(void **state)
{
	(void)state;
	world_seal_with(&w, "sign, encrypt", ALICE, BOB, MAIL);
	expect("Subject: Dinner plans\r\n");
	world_open_again(&w, ALICE, BOB);
	expect("hp=\"cipher\"");
	seal("off", MAIL);
	open_again();
	expect_not("hp=");
	expect_fields_of(MAIL);
}

/* What nobody asked for refuses no mail and changes nothing outside. */
static void S147_the_default_gives_way(void **state)
{
	static const struct {
		const char *field;
		const char *why;
	} rows[] = {
		{"Subject: gr\xc3\xbc\xc3\x9f\x65", "change its form"},
		{"To: <\xc3\xbc@example.org>, bob@example.org",
		    "needs the opaque form"},
		{"To: \"\xfc\" bob@example.org (", "To"},
	};
	struct buf mail;

	(void)state;
	buf_init(&mail, 4096);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&mail);
		buf_printf(&mail, "From: alice@example.com\n%s\n" BODY,
		    rows[i].field);
		world_seal_with(&w, "sign", ALICE, BOB, buf_str(&mail));
		assert_non_null(strstr(buf_str(&w.v.warnings), "header fields "
		    "are not protected: "));
		assert_non_null(strstr(buf_str(&w.v.warnings), rows[i].why));
		expect("multipart/signed");
		expect(rows[i].field);
		expect_not("hp=");
		world_open_again(&w, ALICE, BOB);
		world_signature(&w, "pass", "");
	}
	buf_free(&mail);
}

static void S153_no_hp_without_a_signature_of_ours(void **state)
{
	static const char *const setting[] = {"copy", "baseline", "shy"};
	struct conf_errors ce;
	struct buf text;

	(void)state;
	/* the check of the rules says it */
	write_text(w.rules_path, "outbound : encrypt, protect-headers shy\n"
	    "inbound : decrypt\n");
	rules_free(&w.rules);
	conf_errors_init(&ce);
	assert_int_equal(rules_read(&w.rules, w.rules_path, w.config, &ce),
	    -1);
	assert_non_null(strstr(buf_str(&ce.text), "protect-headers"));
	conf_errors_free(&ce);
	buf_init(&text, MAKE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(setting); i++) {
		/* the author signed it: it is his payload */
		world_seal_with(&w, "sign, protect-headers off", ALICE, BOB,
		    FIELDS BODY);
		buf_clear(&text);
		buf_putv(&text, buf_view(&w.out));
		seal(setting[i], buf_str(&text));
		assert_true(first_has("Subject: Dinner plans\r\n"));
		open_again();
		expect_not("hp=");
		expect_fields_of(FIELDS BODY);
	}
	buf_free(&text);
}

/* A signature that could not be made leaves no edit behind. */
static void S47_nothing_is_edited_when_it_fails_later(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign, encrypt, protect-headers baseline\n"
	    "inbound : decrypt, verify\n");
	w.keys_fail = FAIL_TEMP;
	world_seal(&w, ALICE, BOB, MAIL);
	w.keys_fail = 0;
	assert_int_equal(w.v.code, 451);
	assert_int_equal(w.v.edits, 0);
	assert_true(is_untouched(&w));
}

/* ---- what leaves, and what arrives ---- */

static void S147_S149_S150_S154_sealed_and_opened(void **state)
{
	static const struct {
		const char *setting, *from, *to, *subject, *date;
		bool has_keywords;
		const char *restored;
	} rows[] = {
		{"copy", "From: Alice Smith <alice@example.com>\r\n",
		    "To: \"Bob, the builder\" <bob@example.org>\r\n",
		    "Subject: Dinner plans\r\n",
		    "Date: Sat, 21 Nov 2026 10:00:00 +0100\r\n", true, ""},
		{"baseline", "From: Alice Smith <alice@example.com>\r\n",
		    "To: \"Bob, the builder\" <bob@example.org>\r\n",
		    "Subject: [...]\r\n",
		    "Date: Sat, 21 Nov 2026 10:00:00 +0100\r\n", false,
		    "Subject\nComments\nKeywords\n"},
		{"shy", "From: alice@example.com\r\n",
		    "To: bob@example.org\r\n", "Subject: [...]\r\n",
		    "Date: Sat, 21 Nov 2026 09:00:00 +0000\r\n", false,
		    "From\nTo\nSubject\nDate\nComments\nKeywords\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		seal(rows[i].setting, MAIL);
		expect(rows[i].from);
		expect(rows[i].to);
		expect(rows[i].subject);
		expect(rows[i].date);
		expect("Message-ID: <1@example.com>\r\n");
		expect("References: <0@example.com>\r\n");
		expect("Received: by a.example\r\n");
		assert_int_equal(has(&w, "Keywords: wine"),
		    rows[i].has_keywords);
		assert_int_equal(has(&w, "hush"), rows[i].has_keywords);
		expect_not("hp=");
		expect_not("HP-Outer");
		open_again();
		assert_string_equal(buf_str(&w.v.restored),
		    rows[i].restored);
		expect("hp=\"cipher\"");
		expect("Secret plans\r\n");
		assert_false(header_has("HP-Outer"));
		expect_no_warnings();
		expect_fields_of(FIELDS BODY);
	}
}

static void S129_bcc_is_neither_inside_nor_outside(void **state)
{
	(void)state;
	seal("shy", MAIL);
	expect_not("carol");
	open_again();
	expect_not("carol");
	world_seal_with(&w, "sign, protect-headers copy", ALICE, BOB, MAIL);
	expect_not("carol");
	assert_int_equal(count_of(&w, "Received:"), 1);
}

static void S152_S148_signed_only_is_not_modified(void **state)
{
	static const char *const setting[] = {"copy", "baseline", "shy"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(setting); i++) {
		struct buf rule;

		buf_init(&rule, 200);
		buf_printf(&rule, "sign, protect-headers %s", setting[i]);
		world_seal_with(&w, buf_str(&rule), ALICE, BOB, MAIL);
		buf_free(&rule);
		expect_fields_of(FIELDS BODY);
		expect("hp=\"clear\"");
		expect_not("HP-Outer");
		expect_not("hp-legacy");
		assert_int_equal(count_of(&w, "Subject: Dinner plans\r\n"),
		    2);
		assert_int_equal(count_of(&w, "Keywords: wine\r\n"), 2);
		assert_int_equal(count_of(&w, "multipart/signed"), 1);
		world_open_again(&w, ALICE, BOB);
		world_signature(&w, "pass", "");
		assert_string_equal(buf_str(&w.v.restored), "");
		expect_no_warnings();
	}
}

/* What a relay or a list does to a header outside comes to nothing. */
static void S152_S154_a_changed_subject_comes_back(void **state)
{
	(void)state;
	world_seal_with(&w, "sign, protect-headers copy", ALICE, BOB, MAIL);
	make_edit(&w.out, "Subject: Dinner plans", "Subject: [list] Dinner");
	world_open_again(&w, ALICE, BOB);
	world_signature(&w, "pass", "");
	assert_string_equal(buf_str(&w.v.restored), "Subject\n");
	expect("\r\nSubject: Dinner plans\r\n");
	expect_not("[list]");
}

/* ---- attacks ---- */

/* attack A42: a Subject that hides line ends, HTML, header fields
 * verdict: hidden and restored as the text that it is, never more */
static void A42_S151_subjects_are_not_more_than_text(void **state)
{
	static const char *const subject[] = {
		"<script>alert(1)</script>",
		"=?utf-8?Q?a=0D=0ABcc:_mallory=40example.net=0D=0A=0D=0Ax?=",
		"=?utf-8?B?YQ0KRnJvbTogY2VvQGV4YW1wbGUuY29t?=",
		"; hp=clear",
		"[...]",
		"HP-Outer: Subject: x",
		"a\n b\n\tc",
	};
	struct buf mail;

	(void)state;
	buf_init(&mail, 4096);
	for (size_t i = 0; i < ARRAY_LEN(subject); i++) {
		buf_clear(&mail);
		buf_printf(&mail, "From: " ALICE "\nTo: " BOB "\nSubject: %s\n"
		    "Content-Type: text/html\n\n<body>Hi", subject[i]);
		seal("baseline", buf_str(&mail));
		assert_int_equal(count_of(&w, "\r\nSubject: [...]\r\n"), 1);
		open_again();
		expect_fields_of(buf_str(&mail));
		assert_null(strstr(strstr(buf_str(&w.out), "<body>"),
		    "<script"));
		assert_int_equal(count_of(&w, "\r\nBcc:"), 0);
		assert_int_equal(count_of(&w, "\nFrom: ceo"), 0);
	}
	buf_free(&mail);
}

/* attack A42: HP-Outer fields in the author's own header
 * verdict: neither believed nor copied; ours are the only ones */
static void S149_A42_forged_notes_are_not_copied(void **state)
{
	(void)state;
	seal("baseline", "HP-Outer: Subject: forged\n" MAIL);
	open_again();
	expect_not("forged");
	expect_fields_of(FIELDS BODY);
	expect_no_warnings();
}

/* ---- forms ---- */

static void S190_utf8_headers_are_encoded_or_opaque(void **state)
{
	(void)state;
	/* free text and names: encoded inside and outside */
	world_seal_with(&w, "sign, protect-headers copy", ALICE, BOB,
	    "From: \xc3\x84lice <alice@example.com>\nTo: bob@example.org\n"
	    "Subject: gr\xc3\xbc\xc3\x9f\x65\n" BODY);
	expect("multipart/signed");
	assert_int_equal(count_of(&w, "From: =?utf-8?Q?=C3=84=6C=69=63=65?= "
	    "<alice@example.com>\r\n"), 2);
	assert_int_equal(count_of(&w, "Subject: =?utf-8?Q?=67=72=C3=BC=C3=9F"
	    "=65?=\r\n"), 2);
	for (size_t i = 0; i < w.out.n; i++)
		assert_true(w.out.p[i] < 0x80);
	world_open_again(&w, ALICE, BOB);
	world_signature(&w, "pass", "");
	expect_no_warnings();
	/* an address has no other form: opaque, not changed outside */
	world_seal_with(&w, "sign, protect-headers copy", ALICE, BOB,
	    "From: alice@example.com\nTo: <\xc3\xbc@example.org>, "
	    "bob@example.org\nSubject: x\n" BODY);
	expect("smime-type=signed-data");
	expect("To: <\xc3\xbc@example.org>, bob@example.org\r\n");
	world_open_again(&w, ALICE, BOB);
	world_signature(&w, "pass", "");
	expect("To: <\xc3\xbc@example.org>, bob@example.org\r\n");
	expect("Secret plans\r\n");
}

static void S151_the_text_for_other_programs(void **state)
{
	static const char mail[] =
	    FIELDS "MIME-Version: 1.0\n"
	    "Content-Type: multipart/mixed; boundary=a\n\npreamble\n"
	    "--a\nContent-Type: multipart/alternative; boundary=b\n\n"
	    "--b\nContent-Type: text/plain; charset=utf-8\n"
	    "Content-Transfer-Encoding: 8bit\n\ngr\xc3\xbc\xc3\x9f\x65\n"
	    "--b\nContent-Type: text/html\n\n<html><body>x</body></html>\n"
	    "--b--\n"
	    "--a\nContent-Type: text/plain\n"
	    "Content-Disposition: attachment\n\nattached\n--a--\n";

	(void)state;
	seal("baseline", mail);
	open_again();
	expect_fields_of(mail);
	assert_int_equal(count_of(&w, "hp-legacy-display=\"1\""), 2);
	expect("\r\n\r\nSubject: Dinner plans\r\n\r\ngr=C3=BC=C3=9Fe\r\n");
	expect("<html><body>\r\n<div class=\"header-protection-legacy-display"
	    "\">\r\n<pre>Subject: Dinner plans</pre>\r\n</div>\r\nx</body>");
	expect("\r\n\r\nattached\r\n");
	assert_int_equal(count_of(&w, "hp=\"cipher\""), 1);
	/* nothing hidden: nothing shown */
	seal("copy", mail);
	open_again();
	expect_not("hp-legacy-display");
	assert_int_equal(count_of(&w, "Subject: Dinner plans\r\n"), 3);
}

static void words_of_a_rule(void **state)
{
	(void)state;
	assert_int_equal(protect_policy(NULL), HP_COPY);
	assert_int_equal(protect_policy("off"), HP_OFF);
	assert_int_equal(protect_policy("copy"), HP_COPY);
	assert_int_equal(protect_policy("baseline"), HP_BASELINE);
	assert_int_equal(protect_policy("shy"), HP_SHY);
}

/* ---- random headers ---- */

static uint32_t next(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

static void put_random_text(struct buf *b, uint32_t *x)
{
	static const char *const piece[] = {"a", " b", "\n c", "\t", "  ",
	    " \n d", "=?utf-8?Q?=C3=BC?=", "<x>", "\"q\"", "&", ": ", ";",
	    " [...] ", "\\", "%", "(c)"};
	uint32_t n = next(x) % 10;

	while (n-- > 0)
		buf_puts(b, piece[next(x) % ARRAY_LEN(piece)]);
}

static void S149_S154_random_headers_arrive_as_they_were_written(void **state)
{
	static const char *const name[] = {"Subject", "Comments", "Keywords",
	    "X-Foo", "Organization", "Keywords", "User-Agent", "X-Bar"};
	static const char *const setting[] = {"copy", "baseline", "shy"};
	uint32_t x = 4711;
	struct buf mail;

	(void)state;
	buf_init(&mail, 65536);
	for (int i = 0; i < 60; i++) {
		buf_clear(&mail);
		buf_puts(&mail, "From: Alice <" ALICE ">\nTo: Bob <" BOB ">\n"
		    "Date: Sat, 21 Nov 2026 10:00:00 +0100\n");
		for (size_t k = next(&x) % 2; k < ARRAY_LEN(name); k++) {
			if (next(&x) % 3 == 0)
				continue;
			buf_printf(&mail, "%s: ", name[k]);
			put_random_text(&mail, &x);
			buf_putc(&mail, '\n');
		}
		buf_puts(&mail, BODY);
		seal(setting[next(&x) % 3], buf_str(&mail));
		open_again();
		expect_fields_of(buf_str(&mail));
	}
	buf_free(&mail);
}

int main(void)
{
#define T(f) cmocka_unit_test(f)
	const struct CMUnitTest tests[] = {
		T(S190_S202_refused_with_the_name_of_the_field),
		T(S147_copy_is_the_default_and_off_copies_nothing),
		T(S147_the_default_gives_way),
		T(S153_no_hp_without_a_signature_of_ours),
		T(S47_nothing_is_edited_when_it_fails_later),
		T(S147_S149_S150_S154_sealed_and_opened),
		T(S129_bcc_is_neither_inside_nor_outside),
		T(S152_S148_signed_only_is_not_modified),
		T(S152_S154_a_changed_subject_comes_back),
		T(A42_S151_subjects_are_not_more_than_text),
		T(S149_A42_forged_notes_are_not_copied),
		T(S190_utf8_headers_are_encoded_or_opaque),
		T(S151_the_text_for_other_programs),
		T(words_of_a_rule),
		T(S149_S154_random_headers_arrive_as_they_were_written),
	};

	return cmocka_run_group_tests_name("gateway_protect", tests,
	    make_world, end_world);
}
