/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What tests of authentication share: an auth process's inside with a
 * password file of alice and bob, and questions to it.
 */
#ifndef TESTS_UNIT_RELAY_AUTH_H
#define TESTS_UNIT_RELAY_AUTH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/auth_int.h"
#include "util/proc.h"

#define GOOD "staple 7 Battery horse"
#define V(s) { (const unsigned char *)(s), sizeof(s) - 1 }

struct world {
	char dir[64], path[100], senders[100];
	struct listener listener[3];
	struct relay_config config;
	struct auth_server *server;
	uint64_t last;
};

/* Hashes take their time: one file for all. */
static struct buf passwords;

UNUSED static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct auth_block *b;
	struct err e = { 0 };
	size_t i;

	text_set(w->dir, sizeof(w->dir), "/tmp/auth-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->path, sizeof(w->path), "%s/passwd", w->dir);
	(void)snprintf(w->senders, sizeof(w->senders), "%s/senders", w->dir);
	assert_int_equal(io_write_file(w->path, 0600, buf_view(&passwords),
	    &e), 0);
	for (i = 0; i < ARRAY_LEN(w->listener); i++) {
		w->listener[i].index = i;
		b = &w->listener[i].auth;
		b->kind = i < 2 ? AUTH_PASSWD : AUTH_NONE;
		b->path = i < 2 ? w->path : NULL;
		b->plain = b->login = b->external = b->scram = true;
	}
	text_set(w->listener[0].name, RELAY_NAME, "submission");
	text_set(w->listener[1].name, RELAY_NAME, "other");
	text_set(w->listener[2].name, RELAY_NAME, "certs");
	w->listener[1].auth.scram = w->listener[1].auth.login = false;
	w->config.listener = w->listener;
	w->config.listeners = ARRAY_LEN(w->listener);
	w->config.state = w->dir;
	if (auth_server_new(&w->server, &w->config, &e) != 0)
		fail_msg("%s", e.msg);
	*state = w;
	return 0;
}

UNUSED static int tear_down(void **state)
{
	struct world *w = *state;
	char seed[100];

	auth_server_free(&w->server);
	(void)snprintf(seed, sizeof(seed), "%s/auth.seed", w->dir);
	(void)unlink(seed);
	(void)unlink(w->path);
	(void)unlink(w->senders);
	(void)rmdir(w->dir);
	free(w);
	return 0;
}

/* ---- asking ---- */

/* The text of the last challenge. */
static char text[4096];

UNUSED static struct auth_answer ask_server(struct world *w,
    const struct auth_question *q)
{
	struct auth_answer a;
	struct err e = { 0 };
	struct buf b, reply;

	buf_init(&b, 65536);
	buf_init(&reply, 65536);
	auth_question_put(&b, q);
	if (auth_server_answer(w->server, buf_view(&b), &reply, &e) != 0)
		fail_msg("%s", e.msg);
	auth_answer_init(&a);
	assert_int_equal(auth_answer_get(&a, buf_view(&reply), &e), 0);
	text_set(text, sizeof(text), buf_str(&a.text));
	auth_answer_free(&a);
	buf_free(&b);
	buf_free(&reply);
	return a;
}

struct from {
	const char *ip;
	uint32_t listener;
	const char *identity;
};
UNUSED static const struct from here = { .ip = "192.0.2.1" };

/* input.p NULL: no initial response. */
UNUSED static enum auth_result begin(struct world *w, const struct from *f,
    enum auth_mech mech, struct view input, struct auth_answer *out)
{
	struct auth_question q = {
		.op = AUTH_OP_BEGIN, .number = ++w->last, .mech = mech,
		.listener = f->listener, .is_tls = true,
		.has_input = input.p != NULL, .input = input,
	};
	struct auth_answer a;
	char ip[100], identity[300];

	text_set(ip, sizeof(ip), f->ip);
	q.ip = ip;
	if (f->identity != NULL) {
		text_set(identity, sizeof(identity), f->identity);
		q.identity[0] = identity;
		q.identities = 1;
	}
	a = ask_server(w, &q);
	if (out != NULL)
		*out = a;
	return a.result;
}

UNUSED static enum auth_result go_on(struct world *w, struct view input,
    struct auth_answer *out)
{
	const struct auth_question q = {
		.op = AUTH_OP_GO_ON, .number = w->last, .has_input = true,
		.input = input
	};
	struct auth_answer a = ask_server(w, &q);

	if (out != NULL)
		*out = a;
	return a.result;
}

UNUSED static enum auth_result plain(struct world *w, const char *ip,
    const char *login, const char *password, struct auth_answer *out)
{
	const struct from f = { .ip = ip };
	enum auth_result r;
	struct buf b;

	buf_init(&b, 4096);
	buf_putc(&b, '\0');
	buf_puts(&b, login);
	buf_putc(&b, '\0');
	buf_puts(&b, password);
	r = begin(w, &f, MECH_PLAIN, buf_view(&b), out);
	buf_free(&b);
	return r;
}

UNUSED static int group_set_up(void **state)
{
	struct err e = { 0 };

	(void)state;
	buf_init(&passwords, 65536);
	buf_puts(&passwords, "# logins of the tests\n");
	if (passwd_make(&passwords, "alice@a.example", view_of(GOOD), &e) !=
	    0)
		return -1;
	buf_puts(&passwords, "\nbob:$y$j9T$lKEJKnROsP18VMt4FyaKl1$"
	    "hPoM3RmvIf9MZJMGmMLaeyCKWJUgXwqm4RLBPYAGdB3:\n");
	return 0;
}

UNUSED static int group_tear_down(void **state)
{
	(void)state;
	buf_free(&passwords);
	return 0;
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
