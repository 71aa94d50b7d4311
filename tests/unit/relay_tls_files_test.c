/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a start would stumble over is named before it, and what peers will
 * refuse of our certificates is said.
 */
#include "relay/tls_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/tls.h"
#include "relay_peer.h"
#include "util/ossl.h"
#include "util/proc.h"

#define DAY ((int64_t)86400)

static struct peer_id mx, client, late, bare, root;
static char folder[300], file[300];

static int once(void **state)
{
	const struct peer_leaf r = { .name = "root", .is_ca = true };
	const struct peer_leaf m = { .name = "mx", .san = "DNS:mx.a.example",
		.issuer = &root };
	const struct peer_leaf c = { .name = "client", .issuer = &root,
		.san = "email:alice@a.example", .eku = "clientAuth" };
	const struct peer_leaf l = { .name = "late", .is_expired = true,
		.san = "DNS:mx.a.example", .issuer = &root };
	const struct peer_leaf b = { .name = "bare", .issuer = &root };
	struct buf path;

	(void)state;
	peer_make(&root, &r);
	peer_make(&mx, &m);
	peer_make(&client, &c);
	peer_make(&late, &l);
	peer_make(&bare, &b);
	buf_init(&path, sizeof(folder));
	buf_printf(&path, "%s/there", peer_folder());
	text_set(folder, sizeof(folder), buf_str(&path));
	buf_printf(&path, ".file");
	text_set(file, sizeof(file), buf_str(&path));
	buf_free(&path);
	return mkdir(folder, 0700) != 0 ||
	    io_write_file(file, 0600, view_of("nothing\n"), NULL) != 0;
}

static int finally(void **state)
{
	struct peer_id *all[] = { &mx, &client, &late, &bare, &root };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		peer_id_free(all[i]);
	(void)rmdir(folder);
	(void)unlink(file);
	peer_folder_remove();
	return 0;
}

/* ---- files ---- */

static void must_be_named(const struct relay_config *c, const char *says)
{
	struct err e = { 0 };

	assert_int_equal(relay_files_check(c, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	if (strstr(e.msg, says) == NULL)
		fail_msg("wanted \"%s\", found \"%s\"", says, e.msg);
}

/* Who the test runs as may be root, who must name another. */
static struct relay_config good(void)
{
	static char nobody[] = "nobody";
	struct relay_config c = { 0 };

	c.user = geteuid() == 0 ? nobody : NULL;
	return c;
}

static void what_is_not_there_is_named_before_a_start(void **state)
{
	static char gone[] = "/nonexistent/x";
	struct ca_block ca = { .name = "corp", .file = gone };
	struct listener l = { .name = "in", .protocol = RELAY_SUBMISSION };
	struct relay_config c = good();
	struct err e = { 0 };

	(void)state;
	assert_int_equal(relay_files_check(&c, &e), 0);
	c.user = gone;
	must_be_named(&c, "user /nonexistent/x: there is none");
	c = good();
	c.keys_user = gone;
	must_be_named(&c, "user /nonexistent/x: there is none");
	c = good();
	c.spool = gone;
	must_be_named(&c, "spool: there is no folder /nonexistent/x");
	c.spool = file;
	must_be_named(&c, "spool: there is no folder");
	c = good();
	c.anchor_file = gone;
	must_be_named(&c, "resolver: anchor /nonexistent/x");
	c = good();
	c.sts_ca = file;
	must_be_named(&c, "sts: ");
	c = good();
	c.ca = &ca;
	c.cas = 1;
	must_be_named(&c, "ca corp: /nonexistent/x");
	c = good();
	c.listener = &l;
	c.listeners = 1;
	l.auth.kind = AUTH_PASSWD;
	l.auth.path = gone;
	must_be_named(&c, "listen in: auth passwd: /nonexistent/x");
	l.auth.kind = AUTH_NONE;
	l.auth.senders = gone;
	must_be_named(&c, "listen in: senders: /nonexistent/x");
}

static void where_sockets_are_to_be_is_looked_at(void **state)
{
	static char gone[] = "unix:/nonexistent/x/sock", inet[] = "[::1]:25",
	    there[] = "unix:/tmp/sock", none[] = "nosuchgroup";
	struct listen_on on = { .where = gone };
	struct listener l = { .name = "in", .protocol = RELAY_LMTP,
		.on = &on, .ons = 1 };
	struct relay_config c = good();
	struct err e = { 0 };

	(void)state;
	c.listener = &l;
	c.listeners = 1;
	must_be_named(&c, "listen in: listen: the folder /nonexistent/x for "
	    "the socket is missing");
	on.where = there;
	assert_int_equal(relay_files_check(&c, &e), 0);
	on.group = none;
	must_be_named(&c, "listen in: listen: group nosuchgroup: there is "
	    "none");
	on.group = NULL;
	on.where = inet;
	assert_int_equal(relay_files_check(&c, &e), 0);
	c.socketmap = gone;
	must_be_named(&c, "socketmap: listen: the folder /nonexistent/x");
	c.socketmap = there;
	c.socketmap_group = none;
	must_be_named(&c, "socketmap: listen: group nosuchgroup");
}

static void programs_are_looked_at(void **state)
{
	static char gone[] = "/nonexistent/x", sh[] = "/bin/sh",
	    boss[] = "root";
	char *argv[] = { gone, NULL };
	struct listener l = { .name = "pop", .protocol = RELAY_POP3,
		.backend = { .argv = argv } };
	struct relay_config c = good();
	struct err e = { 0 };

	(void)state;
	c.listener = &l;
	c.listeners = 1;
	must_be_named(&c, "listen pop: backend exec \"/nonexistent/x\"");
	argv[0] = sh;
	assert_int_equal(relay_files_check(&c, &e), 0);
	l.backend.user = gone;
	must_be_named(&c, "listen pop: backend: user /nonexistent/x");
	l.backend.user = boss;
	must_be_named(&c, "backend as user root");
}

static void ciphers_that_are_none_are_named(void **state)
{
	static char bad[] = "NOSUCH", good_one[] = "ECDHE+AESGCM",
	    to[] = "b.example";
	struct listener l = { .name = "in", .protocol = RELAY_LMTP,
		.ciphers = bad };
	struct tls_rule r = { .to = to, .level = TLS_SECURE,
		.ciphers = bad, .file = "postseal.conf", .line = 7 };
	struct relay_config c = good();
	struct err e = { 0 };

	(void)state;
	c.listener = &l;
	c.listeners = 1;
	must_be_named(&c, "listen in: ciphers \"NOSUCH\"");
	l.ciphers = good_one;
	assert_int_equal(relay_files_check(&c, &e), 0);
	c.rules.rule = &r;
	c.rules.n = 1;
	must_be_named(&c, "postseal.conf:7: ciphers \"NOSUCH\"");
	r.ciphers = good_one;
	assert_int_equal(relay_files_check(&c, &e), 0);
	r.ciphers = NULL;
	assert_int_equal(relay_files_check(&c, &e), 0);
}

static void the_state_must_be_the_users_folder(void **state)
{
	static char gone[] = "/nonexistent/x";
	struct relay_config c = good();
	struct ids ids = { (uid_t)-1, (gid_t)-1 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(relay_state_check(&c, &ids, &e), 0);
	c.state = folder;
	assert_int_equal(relay_state_check(&c, &ids, &e), 0);
	ids.uid = geteuid() + 1;
	assert_int_equal(relay_state_check(&c, &ids, &e), -1);
	assert_non_null(strstr(e.msg, "make it with: install -d -o "));
	ids.uid = (uid_t)-1;
	c.state = file;
	assert_int_equal(relay_state_check(&c, &ids, &e), -1);
	c.state = gone;
	assert_int_equal(relay_state_check(&c, &ids, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
}

/* ---- certificates ---- */

struct faults {
	size_t n, unknown;
	enum cert_fault last;
	char text[1000];
};

static void on_fault(void *arg, enum cert_fault f, const struct pki *p,
    const char *sentence)
{
	struct faults *x = arg;

	assert_non_null(strstr(sentence, p->cert));
	if (f == CERT_UNKNOWN) {
		x->unknown++;
		return;
	}
	x->n++;
	x->last = f;
	text_set(x->text, sizeof(x->text), sentence);
}

/* is_shown: by a listener, else to next hops. */
static struct faults faults_of(struct peer_id *id, bool is_shown, int64_t now)
{
	char name[1][RELAY_NAME] = { "p" };
	struct listener l = { .name = "in", .pki = name, .pkis = 1 };
	struct pki p = { .name = "p", .cert = id->cert_file,
		.key = id->key_file };
	struct relay_config c = { .pki = &p, .pkis = 1, .listener = &l,
		.listeners = is_shown };
	struct faults x = { 0 };

	relay_certs_check(&c, now, on_fault, &x);
	return x;
}

static void what_peers_refuse_is_said(void **state)
{
	int64_t now = (int64_t)time(NULL);
	struct peer_id none = { .cert_file = "/nonexistent/x" };
	struct faults x = faults_of(&mx, true, now - 1000 * DAY);

	(void)state;
	assert_int_equal(x.n, 1);
	assert_int_equal(x.last, CERT_REFUSED);
	assert_non_null(strstr(x.text, "is the clock of this machine right"));
	x = faults_of(&late, true, now);
	assert_int_equal(x.n, 1);
	assert_int_equal(x.last, CERT_REFUSED);
	assert_non_null(strstr(x.text, "certificate 1 ended on 20"));
	x = faults_of(&none, true, now);
	assert_int_equal(x.n + x.unknown, 0);
}

static void a_certificate_is_judged_by_who_sees_it(void **state)
{
	const struct pki p = { .cert = mx.cert_file };
	int64_t end = tls_pki_not_after(&p), now = end - 31 * DAY;
	struct faults x;

	(void)state;
	x = faults_of(&client, false, now);
	assert_int_equal(x.n, 0);
	assert_int_equal(x.unknown, 0); /* next hops have CAs of their own */
	x = faults_of(&client, true, now);
	assert_int_equal(x.n, 2); /* nor has it a name */
	assert_int_equal(x.last, CERT_REFUSED);
	x = faults_of(&bare, true, now);
	assert_int_equal(x.n, 1);
	assert_non_null(strstr(x.text, "no name of a server is in it"));
	x = faults_of(&mx, true, now);
	assert_int_equal(x.n, 0);
	assert_int_equal(x.unknown, 1);
	x = faults_of(&mx, true, end - 30 * DAY);
	assert_int_equal(x.n, 0);
	x = faults_of(&mx, true, end - 30 * DAY + 1);
	assert_int_equal(x.n, 1);
	assert_int_equal(x.last, CERT_ENDS_SOON);
	x = faults_of(&mx, true, end);
	assert_int_equal(x.last, CERT_ENDS_SOON);
	x = faults_of(&mx, true, end + 1);
	assert_int_equal(x.last, CERT_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_there_is_named_before_a_start),
		cmocka_unit_test(where_sockets_are_to_be_is_looked_at),
		cmocka_unit_test(programs_are_looked_at),
		cmocka_unit_test(ciphers_that_are_none_are_named),
		cmocka_unit_test(the_state_must_be_the_users_folder),
		cmocka_unit_test(what_peers_refuse_is_said),
		cmocka_unit_test(a_certificate_is_judged_by_who_sees_it),
	};

	return cmocka_run_group_tests_name("relay_tls_files", tests, once,
	    finally);
}
