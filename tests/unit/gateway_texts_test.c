/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Words in several languages: the files that are shipped, files with
 * faults, whose language is which, and what a reply looks like.
 */
#include "tests/unit/gateway_world.h"

#include "gateway/reply.h"
#include "gateway/texts.h"

static const char *const shipped[] = {"en", "de", "fr", "pl"};

static struct texts *read_shipped(const char *name)
{
	struct texts *t = NULL;
	struct conf_errors ce;
	char path[100];

	conf_errors_init(&ce);
	set_path(path, sizeof(path), "share/texts", name);
	if (texts_read(&t, path, name, &ce) != 0)
		fail_msg("%s", buf_str(&ce.text));
	conf_errors_free(&ce);
	return t;
}

/* ---- files with faults ---- */

static void faults_of_a_file_are_named(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"reply.nothing \"x\"\n", "no text has this key"},
		{"reply.internal\n", "expected KEY \"TEXT\""},
		{"reply.internal { }\n", "expected KEY \"TEXT\""},
		{"reply.internal \"a\"\nreply.internal \"b\"\n",
		    "stands there already"},
		{"notice.held \"no time\"\n", "expected the same %1"},
		{"notice.held \"%1 %2\"\n", "expected the same %1"},
		{"notice.held \"%1 100%\"\n", "expected the same %1"},
		{"notice.recipients \"%0\"\n", "expected the same %1"},
		{"notice.recipients \"a\xe2\x80\xae" "b\"\n",
		    "without control characters"},
		{"notice.recipients \"a\xff\"\n", "UTF-8"},
	};
	struct world w;

	(void)state;
	world_make(&w);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct texts *t = NULL;
		struct conf_errors ce;
		char path[200];

		set_path(path, sizeof(path), w.dir, "list");
		write_text(path, cases[i].text);
		conf_errors_init(&ce);
		assert_int_equal(texts_read(&t, path, "xx", &ce), -1);
		assert_null(t);
		if (strstr(buf_str(&ce.text), cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].text,
			    buf_str(&ce.text));
		conf_errors_free(&ce);
	}
	world_end(&w);
}

static void a_language_without_a_file_is_an_error(void **state)
{
	struct conf_errors ce;
	struct config *c;
	struct world w;

	(void)state;
	world_make(&w);
	write_text(w.conf, "local-domains example.com\nkeystore sqlite x\n"
	    "secret file y\nrules z\nauthserv-id mx\n"
	    "texts \"share/texts\"\nlanguage xx\n");
	conf_errors_init(&ce);
	assert_int_equal(config_read(&c, w.conf, &ce), -1);
	assert_non_null(strstr(buf_str(&ce.text), "share/texts/xx"));
	conf_errors_free(&ce);
	world_end(&w);
}

static void faults_of_the_statements_are_named(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"language DE\n", "small letters"},
		{"language ../x\n", "small letters"},
		{"language d\n", "small letters"},
		{"language abcdefghijklmnop\n", "small letters"},
		{"language en\nlanguage en\n", "already is the language"},
		{"language en for\n", "expected for ADDRESS"},
		{"language en at @a.example\n", "expected for ADDRESS"},
		{"language en for example.org\n", "ADDRESS or @DOMAIN"},
		{"quarantine yes\n", "expected a block"},
		{"quarantine {\n size 1000\n}\n", "wanted a size"},
		{"quarantine {\n keep 59m\n}\n", "wanted a time"},
		{"quarantine {\n keep 3651d\n}\n", "wanted a time"},
		{"quarantine {\n notify-sender maybe\n}\n",
		    "expected yes or no"},
		{"quarantine {\n notify nobody\n}\n", "notify"},
		{"quarantine {\n notify j\xc3\xb6@example.com\n}\n",
		    "without UTF-8"},
		{"quarantine {\n}\nquarantine {\n}\n",
		    "stands in line"},
	};
	struct world w;

	(void)state;
	world_make(&w);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *c = NULL;
		struct conf_errors ce;
		struct buf b;

		buf_init(&b, 4096);
		buf_printf(&b, "local-domains example.com\nkeystore sqlite x\n"
		    "secret file y\nrules z\nauthserv-id mx\n%s",
		    cases[i].text);
		write_text(w.conf, buf_str(&b));
		conf_errors_init(&ce);
		if (config_read(&c, w.conf, &ce) == 0 || ce.n != 1 ||
		    strstr(buf_str(&ce.text), cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].text,
			    buf_str(&ce.text));
		conf_errors_free(&ce);
		config_free(&c);
		buf_free(&b);
	}
	world_end(&w);
}

static void what_is_set_is_printed(void **state)
{
	struct world w;
	struct buf b;

	(void)state;
	world_make(&w);
	buf_init(&b, 8192);
	config_print(w.config, &b);
	assert_non_null(strstr(buf_str(&b), "\nlanguage en\n"));
	assert_null(strstr(buf_str(&b), "quarantine"));
	buf_clear(&b);
	world_config(&w, "quarantine {\n keep 2h\n notify "
	    "a@example.com\n notify-sender no\n}\n");
	config_print(w.config, &b);
	assert_non_null(strstr(buf_str(&b), "quarantine.size 1073741824\n"
	    "quarantine.keep 7200s\nquarantine.notify-sender no\n"
	    "quarantine.notify a@example.com\n"));
	buf_free(&b);
	world_end(&w);
}

static int warned;
static char warning[500];

static void note_warning(const char *sentence)
{
	warned++;
	text_set(warning, sizeof(warning), sentence);
}

static void what_is_lacking_is_english_and_said(void **state)
{
	struct buf more;
	struct world w;
	char path[200];

	(void)state;
	world_make(&w);
	set_path(path, sizeof(path), w.dir, "list");
	write_text(path, "reply.internal \"Kaputt\"\n");
	buf_init(&more, 1000);
	buf_printf(&more, "texts \"%s\"\nlanguage list for "
	    "dave@example.net\n", w.dir);
	world_config(&w, buf_str(&more));
	buf_free(&more);
	const struct texts *t = texts_for(w.config, "<dave@example.net>");
	assert_non_null(t);
	assert_string_equal(texts_get(t, TEXT_INTERNAL), "Kaputt");
	assert_string_equal(texts_get(t, TEXT_OVERLOAD),
	    text_built_in(TEXT_OVERLOAD));
	assert_int_equal(texts_lacking(t), TEXT_N - 1);
	warned = 0;
	config_warn(w.config, note_warning);
	assert_int_equal(warned, 1);
	assert_non_null(strstr(warning, "language list lacks"));
	assert_non_null(strstr(warning, "reply.no-certificate"));
	world_end(&w);
}

/* ---- what is shipped ---- */

static void every_language_has_every_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shipped); i++) {
		struct texts *t = read_shipped(shipped[i]);

		if (texts_lacking(t) != 0)
			fail_msg("%s lacks %zu", shipped[i],
			    texts_lacking(t));
		for (int k = 0; k < TEXT_N; k++) {
			const char *s = texts_get(t, (enum text_id)k);
			bool same = strcmp(s,
			    text_built_in((enum text_id)k)) == 0;

			if (same != (strcmp(shipped[i], "en") == 0))
				fail_msg("%s: %s", shipped[i],
				    text_key((enum text_id)k));
			assert_true(*s != '\0' && s[strlen(s) - 1] != ' ');
		}
		texts_free(&t);
	}
}

/* RFC 5321 4.2: replies are ASCII; all letters of these languages have a
 * spelling in it. */
static void F4_replies_are_ascii_in_every_language(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shipped); i++) {
		struct texts *t = read_shipped(shipped[i]);

		for (int k = 0; k < TEXT_N; k++) {
			struct buf b;

			buf_init(&b, 4000);
			texts_ascii(texts_get(t, (enum text_id)k), &b);
			assert_int_equal(buf_ok(&b, NULL), 0);
			for (size_t n = 0; n < b.n; n++)
				if (b.p[n] < 32 || b.p[n] > 126 ||
				    b.p[n] == '?')
					fail_msg("%s %s: %s", shipped[i],
					    text_key((enum text_id)k),
					    buf_str(&b));
			/* with code, colon, detail and id within a line */
			assert_true(!text_is_reply((enum text_id)k) ||
			    b.n < 300);
			buf_free(&b);
		}
		texts_free(&t);
	}
}

static void letters_get_their_usual_spelling(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"", ""},
		{"gr\xc3\xb6\xc3\x9f" "er", "groesser"},
		{"\xc3\x84rger \xc3\x9c" "ber", "Aerger Ueber"},
		{"chiffr\xc3\xa9 \xc3\xa0 l\xe2\x80\x99instant",
		    "chiffre a l'instant"},
		{"za\xc5\xbc\xc3\xb3\xc5\x82\xc4\x87 g\xc4\x99\xc5\x9bl"
		    "\xc4\x85 ja\xc5\xba\xc5\x84", "zazolc gesla jazn"},
		{"\xe2\x80\x9e" "x\xe2\x80\x9c \xe2\x80\x93 \xe2\x80\xa6",
		    "\"x\" - ..."},
		{"\xd0\x96\xf0\x9f\x98\x80", "??"},
		{"a\xff" "b\r\nc", "a?b??c"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b;

		buf_init(&b, 200);
		texts_ascii(cases[i].in, &b);
		assert_string_equal(buf_str(&b), cases[i].out);
		buf_free(&b);
	}
}

static void values_stand_where_the_text_says(void **state)
{
	const char *const value[] = {"mx.example.com %2 %9", "root"};
	struct buf b;

	(void)state;
	buf_init(&b, 500);
	texts_put(NULL, TEXT_END, value, 2, &b);
	assert_string_equal(buf_str(&b), "This notice was written by the "
	    "mail gateway mx.example.com %2 %9. Answers to it are not read; "
	    "please turn to root.");
	buf_free(&b);
}

/* ---- whose language ---- */

static const char languages[] =
    "texts \"share/texts\"\nlanguage de\n"
    "language fr for @example.org bob@example.com\n"
    "language pl for @partner.example\n"
    "language en for carol@example.com\n";

static void the_sender_decides_the_language(void **state)
{
	static const struct {
		const char *path, *name;
	} cases[] = {
		{"<alice@example.com>", "de"},
		{"<ALICE@Example.COM>", "de"},
		{"<bob@example.com>", "fr"},
		{"<carol@example.com>", "en"},
		{"<x@example.org>", "fr"},
		{"<x@partner.example>", "pl"},
		{"<x@sub.partner.example>", "en"},
		{"<x@elsewhere.example>", "en"},
		{"<>", "en"},
		{"", "en"},
		{"nonsense", "en"},
	};
	struct world w;
	struct buf b;
	char text[1500];

	(void)state;
	world_make(&w);
	set_path(text, sizeof(text), "/nowhere", "x");
	buf_init(&b, 1000);
	assert_non_null(getcwd(text, sizeof(text)));
	buf_printf(&b, "texts \"%s/share/texts\"\n%s", text, languages +
	    strlen("texts \"share/texts\"\n"));
	world_config(&w, buf_str(&b));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(texts_name(texts_for(w.config,
		    cases[i].path)), cases[i].name);
	buf_clear(&b);
	config_print(w.config, &b);
	assert_non_null(strstr(buf_str(&b), "language de\n"));
	assert_non_null(strstr(buf_str(&b), "language fr for "
	    "bob@example.com\n"));
	buf_free(&b);

	/* and in a reply, with the detail in English and the id */
	world_seal(&w, "<alice@example.com>", "<dave@example.net>",
	    "From: alice@example.com\nSubject: x\n\nx\n");
	assert_int_equal(w.v.code / 100, 5);
	if (strncmp(w.v.text, "Nicht gesendet: Die Nachricht muss ", 35) != 0)
		fail_msg("%s", w.v.text);
	assert_non_null(strstr(w.v.text, "(id testid)"));
	world_end(&w);
}

static void without_a_language_it_is_english(void **state)
{
	struct verdict v;

	(void)state;
	verdict_init(&v);
	reply_set(&v, REPLY_OVERLOAD, "d\xc3\xa9tail");
	assert_string_equal(v.text, "Too busy, please try again: d??tail");
	assert_int_equal(v.code, 451);
	verdict_free(&v);
}

/* Every reply has its own sentence, a code and an enhanced code that fit. */
static void F4_every_case_has_codes_that_fit(void **state)
{
	(void)state;
	for (int c = REPLY_NO_CERTIFICATE; c <= REPLY_INTERNAL; c++) {
		struct verdict v;

		verdict_init(&v);
		reply_set(&v, (enum reply_case)c, NULL);
		assert_true(v.code >= 450 && v.code < 560);
		assert_int_equal(v.enhanced[0] - '0', v.code / 100);
		assert_true(strlen(v.text) > 5);
		verdict_free(&v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_of_a_file_are_named),
		cmocka_unit_test(a_language_without_a_file_is_an_error),
		cmocka_unit_test(faults_of_the_statements_are_named),
		cmocka_unit_test(what_is_set_is_printed),
		cmocka_unit_test(what_is_lacking_is_english_and_said),
		cmocka_unit_test(every_language_has_every_text),
		cmocka_unit_test(F4_replies_are_ascii_in_every_language),
		cmocka_unit_test(letters_get_their_usual_spelling),
		cmocka_unit_test(values_stand_where_the_text_says),
		cmocka_unit_test(the_sender_decides_the_language),
		cmocka_unit_test(without_a_language_it_is_english),
		cmocka_unit_test(F4_every_case_has_codes_that_fit),
	};

	return cmocka_run_group_tests_name("gateway_texts", tests, NULL,
	    NULL);
}
