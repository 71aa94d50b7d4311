/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Whole messages whose certificates are made to cost us time, or to spoil
 * what we think of later mail. Attempts are counted, time is not.
 */
#include "tests/unit/gateway_forge.h"
#include "tests/unit/revocation_help.h"

#include "keystore/keystore_int.h"

#define NOW ((int64_t)time(NULL))
#define MAIL "email:alice@example.com"
#define HARD "outbound : pass\ninbound : verify or reject\n"

static struct world w;
static struct testca ca;
static struct testca_id anchor; /* P-384, trusted */

/* ---- the world ---- */

static EVP_PKEY *new_key(const char *curve)
{
	EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve);

	assert_non_null(k);
	return k;
}

/* A CA with one more reference to key; by NULL: a root. */
static void make_ca(struct testca_id *id, const char *name, EVP_PKEY *key,
    const struct testca_id *by)
{
	X509 *x = forge_x509(key, view_of(name));

	EVP_PKEY_up_ref(key);
	forge_extend(x, NID_basic_constraints, "critical,CA:TRUE");
	forge_extend(x, NID_key_usage, "critical,keyCertSign,cRLSign");
	forge_issue(x, by, key, id);
}

static void make_root(struct testca_id *id, const char *name)
{
	EVP_PKEY *key = new_key("P-384");

	make_ca(id, name, key, NULL);
	EVP_PKEY_free(key);
}

static void make_leaf(struct testca_id *id, EVP_PKEY *key,
    const struct testca_id *by)
{
	X509 *x = forge_x509(key, view_of("Alice"));

	EVP_PKEY_up_ref(key);
	forge_extend(x, NID_basic_constraints, "CA:FALSE");
	forge_extend(x, NID_subject_key_identifier, "hash");
	forge_extend(x, NID_subject_alt_name, MAIL);
	forge_issue(x, by, key, id);
}

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_rules(&w, HARD);
	testca_init(&ca);
	make_root(&anchor, "Anchor");
	forge_trust(&w, anchor.cert);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	testca_id_free(&anchor);
	testca_free(&ca);
	world_end(&w);
	return 0;
}

static void expect_result(const char *name, const char *result,
    const char *step)
{
	if (strcmp(w.v.sig_result, result) != 0 ||
	    strcmp(w.v.sig_step, step) != 0)
		fail_msg("%s: %s at %s (%s), wanted %s at %s", name,
		    w.v.sig_result, w.v.sig_step, w.v.sig_reason, result,
		    step);
	assert_int_equal(w.v.code / 100, strcmp(result, "pass") == 0 ? 0 : 5);
}

/* ---- mazes ---- */

#define BROUGHT 62 /* certificates; one more is in forge.certs */

/* Certificates that are each signer's and CAs above them that lead
 * nowhere. */
struct maze {
	struct testca_id false_anchor, base[2], id[BROUGHT];
	EVP_PKEY *key[CAP_CMS_SIGNERS]; /* of the leaves, in turn */
	size_t keys;
	const struct cert *more[BROUGHT];
	struct forge f[CAP_CMS_SIGNERS];
};

/*
 * The CAs are issued in the anchor's name, but not by its key, so that each
 * attempt costs a verification; or, in a circle, by each other. keys:
 * different keys of leaves, which the signers use in turn.
 */
static void maze_make(struct maze *m, size_t leaves, size_t keys, bool circle)
{
	static const char *const name[] = {"maze", "zeam"};
	EVP_PKEY *key = new_key("P-256");
	size_t cas = BROUGHT - leaves;

	memset(m, 0, sizeof(*m));
	make_root(&m->false_anchor, "Anchor");
	make_ca(&m->base[0], name[0], key, NULL);
	make_ca(&m->base[1], name[1], key, NULL);
	for (size_t i = 0; i < cas; i++)
		make_ca(&m->id[i], name[circle ? i % 2 : 0], key, circle ?
		    &m->base[1 - i % 2] : &m->false_anchor);
	m->keys = keys;
	for (size_t i = 0; i < keys; i++)
		m->key[i] = new_key("P-256");
	for (size_t i = 0; i < leaves; i++)
		make_leaf(&m->id[cas + i], m->key[i % keys], &m->base[0]);
	for (size_t i = 0; i < BROUGHT; i++)
		m->more[i] = m->id[i].cert;
	for (size_t i = 0; i < ARRAY_LEN(m->f); i++)
		m->f[i] = (struct forge){.id = &m->id[cas + i % keys],
		    .at = NOW, .by_ski = true, FEW};
	m->f[0].certs[0] = ca.sub.cert;
	m->f[0].more_certs = m->more;
	m->f[0].more_n = BROUGHT;
	EVP_PKEY_free(key);
}

static void maze_free(struct maze *m)
{
	for (size_t i = 0; i < m->keys; i++)
		EVP_PKEY_free(m->key[i]);
	for (size_t i = 0; i < BROUGHT; i++)
		testca_id_free(&m->id[i]);
	testca_id_free(&m->base[0]);
	testca_id_free(&m->base[1]);
	testca_id_free(&m->false_anchor);
}

/* attack A57: sixteen signers, thirty-one certificates of one key each of
 * which may be theirs, thirty-one CAs above them that lead nowhere
 * verdict: policy at S72 after 300 attempts */
static void A57_many_certificates_of_one_key(void **state)
{
	struct maze *m = calloc(1, sizeof(*m));

	(void)state;
	for (int circle = 0; circle < 2; circle++) {
		maze_make(m, 31, 1, circle != 0);
		for (size_t n = 1; n <= CAP_CMS_SIGNERS; n += 15) {
			forge_open(&w, m->f, n);
			expect_result("maze", "policy", "S72");
			assert_int_equal(w.ks->spent, CAP_PATH_MESSAGE);
		}
		maze_free(m);
	}
	free(m);
}

/* attack A57: the same with a key for every signer
 * verdict: policy at S72 for each, 300 attempts together */
static void A57_signers_share_one_budget(void **state)
{
	struct maze *m = calloc(1, sizeof(*m));

	(void)state;
	maze_make(m, 32, 16, false);
	forge_open(&w, m->f, 1);
	expect_result("one", "policy", "S72");
	assert_in_range(w.ks->spent, 1, CAP_PATH_MESSAGE - 1);
	forge_open(&w, m->f, CAP_CMS_SIGNERS);
	expect_result("all", "policy", "S72");
	assert_int_equal(w.ks->spent, CAP_PATH_MESSAGE);
	/* the next message has its own */
	forge_open(&w, m->f, 1);
	assert_in_range(w.ks->spent, 1, CAP_PATH_MESSAGE - 1);
	maze_free(m);
	free(m);
}

/* attack A57: such signatures within each other and beside each other
 * verdict: one budget for all of the message */
static void A57_layers_share_one_budget(void **state)
{
	struct maze *m = calloc(1, sizeof(*m));
	struct buf der, b, inside;

	(void)state;
	buf_init(&der, BIG);
	buf_init(&b, BIG);
	buf_init(&inside, BIG);
	maze_make(m, 32, 2, false);
	buf_puts(&inside, "Content-Type: text/plain\r\n\r\nHello\r\n");
	for (int i = 0; i < CAP_CMS_LAYERS; i++) {
		m->f[0].opaque = true;
		m->f[0].id = &m->id[30 + i % 2];
		m->f[0].inside = buf_view(&inside);
		m->f[0].said = buf_str(&inside);
		make_signed(m->f, 1, &der);
		forge_opaque(&b, i == CAP_CMS_LAYERS - 1 ? FORGE_FROM
		    FORGE_TOP : "", buf_view(&der));
		buf_clear(&inside);
		buf_putv(&inside, buf_view(&b));
	}
	world_open_view(&w, "alice@example.com", FORGE_TO,
	    buf_view(&inside));
	expect_result("layers", "policy", "S72");
	assert_int_equal(w.ks->spent, CAP_PATH_MESSAGE);
	maze_free(m);
	free(m);
	buf_free(&der);
	buf_free(&b);
	buf_free(&inside);
}

/* After a message that used all of it, others are judged as ever. */
static void A57_the_next_message_is_not_harmed(void **state)
{
	struct maze *m = calloc(1, sizeof(*m));
	EVP_PKEY *key = new_key("P-256");
	struct testca_id sub, leaf;
	struct forge f = {.id = &leaf, .at = NOW};

	(void)state;
	make_ca(&sub, "Sub", key, &anchor);
	make_leaf(&leaf, key, &sub);
	f.certs[0] = leaf.cert;
	f.certs[1] = sub.cert;
	maze_make(m, 31, 1, false);
	forge_open(&w, m->f, 1);
	assert_int_equal(w.ks->spent, CAP_PATH_MESSAGE);
	forge_open(&w, &f, 1);
	expect_result("honest", "pass", "");
	assert_int_equal(w.ks->spent, 3);
	maze_free(m);
	free(m);
	EVP_PKEY_free(key);
	testca_id_free(&sub);
	testca_id_free(&leaf);
}

/* ---- exchanged intermediates ---- */

static void bring_list(const struct testca_id *id)
{
	const struct rv_entry x = {cert_x509(id->cert), NOW - 3600, 1, 0,
	    NULL};
	const struct rv_crl c = {.ca = cert_x509(anchor.cert),
	    .key = anchor.key, .from = NOW - 60, .until = NOW + 86400,
	    .number = 1, .entry = &x, .n = 1};

	rv_bring(w.ks, &c, NOW, NULL);
}

static void open_by(const struct testca_id *leaf, const struct cert *a,
    const struct cert *b)
{
	struct forge f = {.id = leaf, .certs = {leaf->cert, a, b}, .at = NOW};

	forge_open(&w, &f, 1);
}

/* attack A57: captured mail, its intermediate exchanged for a revoked one of
 * the same name and key, ahead of the author's next mail
 * verdict: fail at S73 for that message alone */
static void A57_S73_an_exchanged_intermediate(void **state)
{
	EVP_PKEY *key = new_key("P-256"), *own = new_key("P-256");
	struct testca_id old, fresh, leaf;

	(void)state;
	make_ca(&old, "Sub", key, &anchor);
	make_ca(&fresh, "Sub", key, &anchor);
	make_leaf(&leaf, own, &old);
	bring_list(&old);
	open_by(&leaf, old.cert, NULL);
	expect_result("exchanged", "fail", "S73");
	open_by(&leaf, fresh.cert, NULL);
	expect_result("honest", "pass", "");
	open_by(&leaf, old.cert, NULL);
	expect_result("exchanged again", "fail", "S73");
	/* a path that is not revoked counts, in whatever order they come */
	open_by(&leaf, old.cert, fresh.cert);
	expect_result("both", "pass", "");
	open_by(&leaf, fresh.cert, old.cert);
	expect_result("both, turned round", "pass", "");
	open_by(&leaf, NULL, NULL);
	expect_result("none", "policy", "S72");
	EVP_PKEY_free(key);
	EVP_PKEY_free(own);
	testca_id_free(&old);
	testca_id_free(&fresh);
	testca_id_free(&leaf);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_world, end_world)
	const struct CMUnitTest tests[] = {
		T(A57_many_certificates_of_one_key),
		T(A57_signers_share_one_budget),
		T(A57_layers_share_one_budget),
		T(A57_the_next_message_is_not_harmed),
		T(A57_S73_an_exchanged_intermediate),
	};

	return cmocka_run_group_tests_name("gateway_paths", tests, NULL,
	    NULL);
}
