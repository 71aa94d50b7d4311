/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A small world for tests of the pipeline: a folder with configuration,
 * rules, and a keystore with a CA and a few people; the test plays MTA and
 * keys process. For inclusion by one test program at a time.
 */
#ifndef TESTS_UNIT_GATEWAY_WORLD_H
#define TESTS_UNIT_GATEWAY_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/authority.h"
#include "gateway/gateway.h"
#include "keystore/ca.h"
#include "util/proc.h"

struct world {
	char dir[64];
	char conf[100], rules_path[100], db[100];
	struct buf secret;
	struct keystore *ks; /* for writing: the test is the administrator */
	struct keyring *ring;
	struct config *config;
	struct rules *rules;
	/* of the message in hand */
	struct envelope env;
	const char *to[64];
	struct spool *msg;
	struct verdict v;
	struct err e;
	struct buf out;	   /* the message after the verdict */
	const struct lookup_ops *lookup; /* directories, or NULL */
	int keys_fail; /* enum fail for every key operation, 0: none */
	int key_ops;   /* asked so far for this message */
	int spoil;     /* the signature that comes out wrong; 0: none */
};

static UNUSED void set_path(char *dst, size_t size, const char *dir,
    const char *name)
{
	struct buf b;

	buf_init(&b, size - 1);
	buf_printf(&b, "%s/%s", dir, name);
	assert_int_equal(buf_ok(&b, NULL), 0);
	memcpy(dst, buf_str(&b), b.n + 1);
	buf_free(&b);
}

static UNUSED void write_text(const char *path, const char *text)
{
	struct err e = {0};

	if (io_write_file(path, 0600, view_of(text), &e) != 0)
		fail_msg("%s", e.msg);
}

static UNUSED void world_config(struct world *w, const char *more)
{
	struct conf_errors ce;
	struct buf b;

	buf_init(&b, 8192);
	buf_printf(&b,
	    "local-domains example.com example.org\n"
	    "keystore sqlite \"%s\"\nsecret file \"%s/secret\"\n"
	    "rules \"%s\"\nauthserv-id mx.example.com\n%s\n",
	    w->db, w->dir, w->rules_path, more == NULL ? "" : more);
	write_text(w->conf, buf_str(&b));
	buf_free(&b);
	config_free(&w->config);
	conf_errors_init(&ce);
	if (config_read(&w->config, w->conf, &ce) != 0)
		fail_msg("%s", buf_str(&ce.text));
	conf_errors_free(&ce);
}

static UNUSED void world_rules(struct world *w, const char *text)
{
	struct conf_errors ce;

	write_text(w->rules_path, text);
	rules_free(&w->rules);
	conf_errors_init(&ce);
	if (rules_read(&w->rules, w->rules_path, w->config, &ce) != 0)
		fail_msg("%s", buf_str(&ce.text));
	conf_errors_free(&ce);
}

static UNUSED void world_keys(struct world *w)
{
	keyring_free(&w->ring);
	if (keyring_load(&w->ring, w->ks, buf_view(&w->secret), &w->e) != 0)
		fail_msg("%s", w->e.msg);
}

static UNUSED struct cert *world_issue(struct world *w, const char *email,
    const char *algorithm, unsigned use, int64_t not_before, int days)
{
	struct ca_request rq = {0};
	struct cert *c = NULL;

	if (addr_parse(&rq.email, view_of(email), &w->e) != 0)
		fail_msg("%s", w->e.msg);
	rq.algorithm = algorithm;
	rq.use = use;
	rq.days = days;
	rq.not_before = not_before;
	if (ca_issue(w->ks, buf_view(&w->secret), &rq, &c, &w->e) != 0)
		fail_msg("%s", w->e.msg);
	return c;
}

static UNUSED void world_person(struct world *w, const char *email,
    const char *algorithm)
{
	struct cert *c = world_issue(w, email, algorithm,
	    KS_SIGN | KS_ENCRYPT, 0, 300);

	cert_free(&c);
	world_keys(w);
}

static UNUSED void world_make(struct world *w)
{
	memset(w, 0, sizeof(*w));
	set_path(w->dir, sizeof(w->dir), "/tmp", "gateway-test-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	set_path(w->conf, sizeof(w->conf), w->dir, "postseal.conf");
	set_path(w->rules_path, sizeof(w->rules_path), w->dir, "rules");
	set_path(w->db, sizeof(w->db), w->dir, "keystore.db");
	buf_init(&w->secret, 256);
	buf_init(&w->out, 64u << 20);
	keyring_new_secret(&w->secret);
	if (keystore_create(w->db, &w->e) != 0 ||
	    keystore_open(&w->ks, w->db, KS_WRITE, &w->e) != 0 ||
	    ca_init(w->ks, buf_view(&w->secret), "Test CA", &w->e) != 0)
		fail_msg("%s", w->e.msg);
	world_config(w, NULL);
	world_rules(w, "outbound : sign, encrypt\ninbound : decrypt, verify\n");
	world_keys(w);
	verdict_init(&w->v);
}

static UNUSED void world_end(struct world *w)
{
	static const char *const name[] = {"postseal.conf", "rules",
	    "keystore.db", "keystore.db-wal", "keystore.db-shm", "list",
	    "secret", "in", "out", "err", "json"};
	char path[200];

	verdict_free(&w->v);
	spool_free(&w->msg);
	buf_free(&w->out);
	keyring_free(&w->ring);
	keystore_close(&w->ks);
	buf_free(&w->secret);
	rules_free(&w->rules);
	config_free(&w->config);
	for (size_t i = 0; i < ARRAY_LEN(name); i++) {
		set_path(path, sizeof(path), w->dir, name[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(w->dir), 0);
}

/* ---- the keys process ---- */

static int world_right(struct world *w, const struct cert *c, bool sign,
    struct err *e)
{
	const struct list_reader lists = list_reader_of_store(w->ks);
	const struct authority au = {w->config, &lists};
	const struct asker who = {w->env.login, w->env.client_ip};
	enum opens opens = OPENS_NOT;
	struct addr to;
	bool may = false;

	w->key_ops++;
	if (w->keys_fail != 0)
		return err_set(e, (enum fail)w->keys_fail, "keys: as told");
	if (c == NULL)
		return err_set(e, FAIL_INPUT, "no such key");
	if (sign && w->env.auth == ENV_AUTH_CALLER)
		return 0;
	if (sign)
		return authority_signs_cert(&au, &who, c, &may, NULL) == 0 &&
		    may ? 0 : err_set(e, FAIL_POLICY, "no right to sign");
	for (size_t n = 0; n < w->env.rcpts && opens == OPENS_NOT; n++)
		if (addr_parse_path(&to, w->env.rcpt[n], NULL) == 0 &&
		    authority_opens(&au, &to, c, &opens, NULL) != 0)
			opens = OPENS_NOT;
	return opens != OPENS_NOT ? 0
	    : err_set(e, FAIL_POLICY, "no right to open");
}

static int world_sign(void *ctx, const unsigned char sha256[32],
    enum sig_alg alg, struct view attrs, struct buf *sig, struct err *e)
{
	struct world *w = ctx;

	if (world_right(w, keyring_cert(w->ring, sha256), true, e) != 0)
		return -1;
	if (keyring_sign(w->ring, sha256, alg, attrs, sig, e) != 0)
		return -1;
	if (w->key_ops == w->spoil)
		sig->p[sig->n / 2] ^= 1;
	return 0;
}

static int world_open(void *ctx, const unsigned char sha256[32],
    struct view ri, size_t cek_len, unsigned char cek[CAP_CEK],
    struct err *e)
{
	struct world *w = ctx;

	if (world_right(w, keyring_cert(w->ring, sha256), false, e) != 0)
		return -1;
	return keyring_open(w->ring, sha256, ri, cek_len, cek, e);
}

/* ---- the MTA ---- */

/* Recipients separated by blanks. */
static UNUSED void world_envelope(struct world *w, const char *from,
    const char *to)
{
	static char text[4096];
	char *p = text;

	memset(&w->env, 0, sizeof(w->env));
	assert_int_equal(view_cstr(view_of(to), text, sizeof(text)), 0);
	w->env.id = "testid";
	w->env.mail_from = from;
	w->env.rcpt = w->to;
	while (p != NULL && *p != '\0') {
		w->to[w->env.rcpts++] = p;
		p = strchr(p, ' ');
		if (p != NULL)
			*p++ = '\0';
	}
	w->env.now = time(NULL);
}

/* LF becomes CRLF. */
static UNUSED void world_message_view(struct world *w, struct view v)
{
	spool_free(&w->msg);
	if (spool_new(&w->msg, 1u << 30, &w->e) != 0)
		fail_msg("%s", w->e.msg);
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '\n' && (i == 0 || v.p[i - 1] != '\r'))
			assert_int_equal(spool_write(w->msg, "\r", 1, &w->e),
			    0);
		assert_int_equal(spool_write(w->msg, v.p + i, 1, &w->e), 0);
	}
}

static UNUSED void world_message(struct world *w, const char *text)
{
	world_message_view(w, view_of(text));
}

static UNUSED void world_run(struct world *w)
{
	struct key_ops keys = {w, world_sign, world_open};
	struct gateway g = {w->config, w->rules, w->ks, &keys, w->lookup};
	struct spool *out = NULL;
	struct sink to;

	verdict_free(&w->v);
	err_clear(&w->e);
	w->key_ops = 0;
	gateway_run(&g, &w->env, w->msg, &w->v, &w->e);
	buf_clear(&w->out);
	assert_int_equal(spool_new(&out, 1u << 30, NULL), 0);
	to = sink_to_buf(&w->out);
	if (verdict_apply(&w->v, w->msg, out, &w->e) != 0 ||
	    spool_copy(out, 0, spool_size(out), &to, &w->e) != 0)
		fail_msg("%s", w->e.msg);
	spool_free(&out);
}

/* A message that workers died on. */
static UNUSED void world_poisoned(struct world *w)
{
	const struct gateway g = {w->config, w->rules, NULL, NULL, NULL};

	gateway_poisoned(&g, &w->env, w->msg, &w->v);
}

/* Outgoing, by a logged-in author. */
static UNUSED void world_seal(struct world *w, const char *from,
    const char *to, const char *text)
{
	world_envelope(w, from, to);
	w->env.forced = DIR_OUTBOUND;
	w->env.auth = ENV_AUTH_CALLER;
	world_message(w, text);
	world_run(w);
}

static UNUSED void world_open_view(struct world *w, const char *from,
    const char *to, struct view text)
{
	world_envelope(w, from, to);
	w->env.forced = DIR_INBOUND;
	world_message_view(w, text);
	world_run(w);
}

/* What the last run made, as it comes in elsewhere. */
static UNUSED void world_open_again(struct world *w, const char *from,
    const char *to)
{
	struct buf copy;

	buf_init(&copy, 64u << 20);
	buf_putv(&copy, buf_view(&w->out));
	assert_int_equal(buf_ok(&copy, NULL), 0);
	world_open_view(w, from, to, buf_view(&copy));
	buf_free(&copy);
}

static UNUSED bool has(const struct world *w, const char *s)
{
	return memmem(w->out.p, w->out.n, s, strlen(s)) != NULL;
}

static UNUSED size_t count_of(const struct world *w, const char *s)
{
	size_t n = 0, left = w->out.n;
	const unsigned char *p = w->out.p, *f;

	while (left > 0 && (f = memmem(p, left, s, strlen(s))) != NULL) {
		n++;
		left -= (size_t)(f - p) + 1;
		p = f + 1;
	}
	return n;
}

static UNUSED bool is_untouched(const struct world *w)
{
	struct buf b;
	struct sink to;
	bool same;

	buf_init(&b, 64u << 20);
	to = sink_to_buf(&b);
	assert_int_equal(spool_copy(w->msg, 0, spool_size(w->msg), &to,
	    NULL), 0);
	same = view_eq(buf_view(&b), buf_view(&w->out));
	buf_free(&b);
	return same;
}

/* Seal with these outbound rules; w->out has it. */
static UNUSED void world_seal_with(struct world *w, const char *outbound,
    const char *from, const char *to, const char *text)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_printf(&b, "outbound : %s\ninbound : decrypt, verify\n", outbound);
	world_rules(w, buf_str(&b));
	buf_free(&b);
	world_seal(w, from, to, text);
	if (w->v.code != 0)
		fail_msg("%d %s (%s)", w->v.code, w->v.text, w->e.msg);
}

static UNUSED void world_signature(const struct world *w, const char *result,
    const char *step)
{
	if (strcmp(w->v.sig_result, result) != 0 ||
	    strcmp(w->v.sig_step, step) != 0)
		fail_msg("signature %s at %s (%s), wanted %s at %s",
		    w->v.sig_result, w->v.sig_step, w->v.sig_reason, result,
		    step);
	assert_int_equal(w->v.code, 0);
}

#endif
