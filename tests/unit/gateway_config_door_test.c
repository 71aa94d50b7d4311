/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of gateway/config_door.c: what a door must say and may not.
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

#define BASE "local-domains example.com\nkeystore sqlite ks.db\n" \
    "secret file \"/etc/postseal/secret\"\nrules rules\n" \
    "authserv-id mx.example.com\n"
#define LISTEN "listen lmtp \"unix:/run/in\"\n"
#define NEXT "next-hop lmtp \"unix:/run/next\"\n"
#define IN "direction inbound\n"
#define OUT "direction outbound\n"

static char path[] = "/tmp/config-door-XXXXXX";

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

/* The doors in text; ce says what is wrong with them. */
static struct config *read_doors(const char *text, struct conf_errors *ce)
{
	struct config *c = NULL;
	struct buf b;

	buf_init(&b, 65536);
	buf_puts(&b, BASE);
	buf_puts(&b, text);
	assert_int_equal(io_write_file(path, 0600, buf_view(&b), NULL), 0);
	buf_free(&b);
	conf_errors_init(ce);
	if (config_read(&c, path, ce) != 0)
		assert_null(c);
	return c;
}

static void what_a_door_may_not_say(void **state)
{
	static const struct {
		const char *text, *piece;
	} c[] = {
		{ "door { " LISTEN NEXT IN "}", "expected NAME" },
		{ "door a b { " LISTEN NEXT IN "}", "expected {" },
		{ "door a/b {\n" LISTEN NEXT IN "}", "expected a name" },
		{ "door x {\n" NEXT IN "}", "listen" },
		{ "door x {\n" LISTEN IN "}", "next-hop" },
		{ "door x {\n" LISTEN NEXT "}", "direction" },
		{ "door x {\n" LISTEN NEXT "direction internal\n}",
		    "inbound or outbound" },
		{ "door x {\n" LISTEN NEXT IN IN "}", "direction" },
		{ "door x {\nlisten imap \"unix:/a\"\n" NEXT IN "}",
		    "lmtp or smtp" },
		{ "door x {\nlisten lmtp \"unix:a\"\n" NEXT IN "}",
		    "unix:/PATH" },
		{ "door x {\nlisten lmtp \"localhost:24\"\n" NEXT IN "}",
		    "numeric" },
		{ "door x {\nlisten lmtp \"127.0.0.1:0\"\n" NEXT IN "}",
		    "numeric" },
		{ "door x {\nlisten lmtp \"127.0.0.1:24\" mode 0600\n" NEXT IN
		    "}", "unix sockets" },
		{ "door x {\nlisten lmtp \"unix:/a\" mode 8\n" NEXT IN "}",
		    "mode such as" },
		{ "door x {\nlisten lmtp \"unix:/a\" owner me\n" NEXT IN "}",
		    "mode MODE or group" },
		{ "door x {\nlisten lmtp \"unix:/a\" group\n" NEXT IN "}",
		    "group" },
		{ "door x {\n" LISTEN NEXT IN "clients host\n}", "clients:" },
		{ "door x {\n" LISTEN NEXT IN "login envelope-from\n}",
		    "outbound" },
		{ "door x {\n" LISTEN NEXT OUT "login header-from\n}",
		    "envelope-from" },
		{ "door x {\n" LISTEN NEXT IN "limit 0 connections\n}",
		    "1 to 1000" },
		{ "door x {\n" LISTEN NEXT IN "limit 1001 connections\n}",
		    "1 to 1000" },
		{ "door x {\n" LISTEN NEXT IN "limit 5 messages\n}",
		    "connections" },
		{ "door x {\n" LISTEN NEXT IN "observe maybe\n}",
		    "yes or no" },
		{ "door x {\n" LISTEN "next-hop lmtp \"unix:/run/in\"\n" IN
		    "}", "itself" },
		{ "door x {\nlisten smtp \"127.0.0.1:24\"\n" NEXT IN "}",
		    "needs a next-hop smtp" },
		{ "door x {\n" LISTEN NEXT IN "}\ndoor x {\n"
		    "listen lmtp \"unix:/b\"\n" NEXT IN "}", "this name" },
		{ "door x {\n" LISTEN NEXT IN "}\ndoor y {\n" LISTEN NEXT IN
		    "}", "listens there" },
	};
	struct conf_errors ce;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		assert_null(read_doors(c[i].text, &ce));
		if (ce.n == 0 || strstr(buf_str(&ce.text), c[i].piece) == NULL)
			fail_msg("%s\n%s, wanted %s", c[i].text,
			    buf_str(&ce.text), c[i].piece);
		conf_errors_free(&ce);
	}
}

static void doors_and_defaults(void **state)
{
	struct conf_errors ce;
	struct config *c = read_doors("door in {\n" LISTEN NEXT IN "}\n"
	    "door out {\nlisten smtp \"127.0.0.1:10025\"\n"
	    "next-hop smtp \"[::1]:10026\"\n" OUT "login envelope-from\n"
	    "clients 192.0.2.0/24 127.0.0.1\nlimit 7 connections\n"
	    "require-tls yes\nobserve yes\ndsn yes\n}\n", &ce);
	const struct door *in, *out;
	struct buf b;

	(void)state;
	if (c == NULL)
		fail_msg("%s", buf_str(&ce.text));
	assert_int_equal(c->doors, 2);
	in = &c->door[0];
	out = &c->door[1];
	assert_true(in->lmtp);
	assert_string_equal(in->listen, "unix:/run/in");
	assert_string_equal(in->next_hop, "lmtp:unix:/run/next");
	assert_int_equal(in->listen_mode, 0660);
	assert_int_equal(in->side, DOOR_INBOUND);
	assert_int_equal(in->limit, 50);
	assert_int_equal(in->clients, 2);
	assert_true(net_has(&in->client[0], "127.0.0.9"));
	assert_true(net_has(&in->client[1], "::1"));
	assert_false(in->login_envelope_from || in->require_tls ||
	    in->observe || in->dsn);
	assert_false(out->lmtp);
	assert_string_equal(out->next_hop, "smtp:[::1]:10026");
	assert_int_equal(out->side, DOOR_OUTBOUND);
	assert_int_equal(out->limit, 7);
	assert_false(net_has(&out->client[0], "127.0.0.9"));
	assert_true(out->login_envelope_from && out->require_tls &&
	    out->observe && out->dsn);
	buf_init(&b, 65536);
	config_print(c, &b);
	assert_non_null(strstr(buf_str(&b),
	    "door.in.listen lmtp unix:/run/in mode 0660\n"));
	assert_non_null(strstr(buf_str(&b),
	    "door.out.next-hop smtp [::1]:10026\n"));
	buf_free(&b);
	config_free(&c);
	conf_errors_free(&ce);
}

static unsigned warnings;

static void count_warning(const char *sentence)
{
	warnings += strstr(sentence, "door ") != NULL;
}

static void A53_other_hosts_are_warned_of(void **state)
{
	static const struct {
		const char *listen;
		unsigned warnings;
	} c[] = {
		{ "127.0.0.1:24", 0 }, { "[::1]:24", 0 }, { "unix:/a", 0 },
		{ "0.0.0.0:24", 1 }, { "192.0.2.1:24", 1 }, { "[::]:24", 1 },
	};
	struct conf_errors ce;
	struct config *conf;
	char text[200];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		(void)snprintf(text, sizeof(text),
		    "door x {\nlisten lmtp \"%s\"\n" NEXT IN "}\n",
		    c[i].listen);
		conf = read_doors(text, &ce);
		assert_non_null(conf);
		warnings = 0;
		config_warn(conf, count_warning);
		assert_int_equal(warnings, c[i].warnings);
		config_free(&conf);
		conf_errors_free(&ce);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_door_may_not_say),
		cmocka_unit_test(doors_and_defaults),
		cmocka_unit_test(A53_other_hosts_are_warned_of),
	};

	return cmocka_run_group_tests_name("gateway_config_door", tests,
	    make_file, remove_file);
}
