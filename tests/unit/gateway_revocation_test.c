/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Revocation in the pipeline: step 12, soft and hard by the rules, CRLs that
 * a message brings along, and that nothing is ever fetched.
 */
#include "tests/unit/gateway_world.h"
#include "tests/unit/revocation_help.h"

#include <seccomp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <openssl/cms.h>
#include <sqlite3.h>

#include "smime/codec.h"

static struct world w;
static struct cert *ca, *alice; /* in the store */
static EVP_PKEY *ca_key, *alice_key;
static struct buf mail; /* signed by alice, as it came in */
static int64_t now;

#define ALICE "alice@example.com"
#define BOB "bob@example.org"
#define CAROL "carol@example.com"
#define DAVE "dave@partner.example"
#define SOFT "outbound : sign\ninbound : decrypt, verify\n"
#define HARD "outbound : sign\ninbound : decrypt, verify, revocation hard\n"

#define PLAIN                                                              \
	"From: Alice <alice@example.com>\nTo: bob@example.org\n"           \
	"Subject: Plans\nMIME-Version: 1.0\nContent-Type: text/plain\n\n"  \
	"Plans\n"

/* ---- the world ---- */

static EVP_PKEY *key_of(const struct cert *c)
{
	struct buf sealed, pkcs8;
	const unsigned char *p;
	EVP_PKEY *key;

	buf_init(&sealed, 1u << 20);
	buf_init(&pkcs8, 1u << 20);
	if (keystore_get_key(w.ks, cert_spki_sha256(c), &sealed, &w.e) != 0 ||
	    keyring_unseal_key(buf_view(&sealed), buf_view(&w.secret), &pkcs8,
	    &w.e) != 0)
		fail_msg("%s", w.e.msg);
	p = pkcs8.p;
	key = d2i_AutoPrivateKey(NULL, &p, (long)pkcs8.n);
	assert_non_null(key);
	buf_free(&sealed);
	buf_free(&pkcs8);
	return key;
}

static int keep_ca(void *arg, const struct ks_row *r, struct err *e)
{
	(void)arg;
	(void)e;
	if (r->is_anchor)
		ca = cert_ref(r->cert);
	return 0;
}

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	now = time(NULL);
	assert_int_equal(keystore_list(w.ks, NULL, keep_ca, NULL, &w.e), 0);
	alice = world_issue(&w, ALICE, "ec:p256", KS_SIGN | KS_ENCRYPT, 0,
	    300);
	world_keys(&w);
	ca_key = key_of(ca);
	alice_key = key_of(alice);
	world_seal_with(&w, "sign", ALICE, DAVE, PLAIN);
	buf_init(&mail, 1u << 20);
	buf_putv(&mail, buf_view(&w.out));
	world_rules(&w, SOFT);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	cert_free(&ca);
	cert_free(&alice);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(alice_key);
	buf_free(&mail);
	world_end(&w);
	return 0;
}

static struct rv_crl crl_of_ca(long number)
{
	return (struct rv_crl){ .ca = cert_x509(ca), .key = ca_key,
		.from = now - 60, .until = now + 86400, .number = number };
}

static void bring_list(long number, bool revoke, int64_t until)
{
	struct rv_entry x = { cert_x509(alice), now - 3600, 1, 0, NULL };
	struct rv_crl c = crl_of_ca(number);

	c.until = until;
	c.entry = &x;
	c.n = revoke ? 1 : 0;
	rv_bring(w.ks, &c, now, NULL);
}

static void receive(const char *to)
{
	world_open_view(&w, ALICE, to, buf_view(&mail));
}

static bool json_has(const char *s)
{
	struct buf b;
	bool yes;

	buf_init(&b, 1u << 20);
	verdict_json(&w.v, &b);
	yes = strstr(buf_str(&b), s) != NULL;
	buf_free(&b);
	return yes;
}

/* ---- step 12 ---- */

static void S73_unknown_is_soft_by_default(void **state)
{
	(void)state;
	receive(BOB);
	world_signature(&w, "pass", "");
	assert_true(json_has("\"revocation\":\"unknown\""));
	assert_true(json_has("\"warnings\":[\"whether the certificate is "
	    "revoked is not known: no CRL of its issuer here\"]"));
	assert_true(has(&w, "smime=pass"));
	/* stale is unknown, too */
	bring_list(1, false, now - 1);
	receive(BOB);
	world_signature(&w, "pass", "");
	assert_true(json_has("what is here is stale since"));
}

static void S73_good(void **state)
{
	(void)state;
	world_rules(&w, HARD);
	bring_list(1, false, now + 86400);
	receive(BOB);
	world_signature(&w, "pass", "");
	assert_true(json_has("\"revocation\":\"good\""));
	assert_true(json_has("\"warnings\":[]"));
}

static void S73_revoked_is_a_fail(void **state)
{
	(void)state;
	bring_list(1, true, now + 86400);
	receive(BOB);
	world_signature(&w, "fail", "S73");
	assert_true(json_has("\"revocation\":\"revoked\""));
	assert_true(json_has("\"reason\":\"the certificate was revoked on "));
	assert_true(json_has("(keyCompromise), by the CRL of "));
	assert_true(has(&w, "smime=fail (certificate is revoked)"));
	/* in a list that is stale as well, hard or soft */
	bring_list(2, true, now - 1);
	receive(BOB);
	world_signature(&w, "fail", "S73");
	world_rules(&w, HARD);
	receive(BOB);
	world_signature(&w, "fail", "S73");
	/* and given back by a newer list */
	bring_list(3, false, now + 86400);
	receive(BOB);
	world_signature(&w, "pass", "");
}

static void S73_unknown_is_a_temperror_where_it_is_hard(void **state)
{
	(void)state;
	world_rules(&w, HARD);
	receive(BOB);
	world_signature(&w, "temperror", "S73");
	assert_true(json_has("\"revocation\":\"unknown\""));
	assert_true(has(&w, "smime=temperror"));
	bring_list(1, false, now - 1);
	receive(BOB);
	world_signature(&w, "temperror", "S73");
	assert_true(json_has("stale since"));
	bring_list(2, false, now + 86400);
	receive(BOB);
	world_signature(&w, "pass", "");
}

static void S73_the_hardest_recipient_counts(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign\n"
	    "inbound to bob@example.org : verify, revocation hard\n"
	    "inbound : verify, revocation soft\n");
	receive(CAROL);
	world_signature(&w, "pass", "");
	receive(CAROL " " BOB);
	world_signature(&w, "temperror", "S73");
	receive(BOB " " CAROL);
	world_signature(&w, "temperror", "S73");
}

static void S73_M10_a_demand_waits_for_a_list(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign\n"
	    "inbound : verify or reject, revocation hard\n");
	receive(BOB);
	assert_string_equal(w.v.sig_result, "temperror");
	assert_int_equal(w.v.code / 100, 4);
	bring_list(1, true, now + 86400);
	receive(BOB);
	assert_string_equal(w.v.sig_result, "fail");
	assert_int_equal(w.v.code / 100, 5);
	bring_list(2, false, now + 86400);
	receive(BOB);
	world_signature(&w, "pass", "");
}

static void exec_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(w.db, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* A store that cannot say is no store that says good. */
static void S73_a_store_that_fails_is_a_temperror(void **state)
{
	(void)state;
	bring_list(1, false, now + 86400); /* so that it is asked anew */
	exec_sql("ALTER TABLE ocsp RENAME TO away");
	receive(BOB);
	world_signature(&w, "temperror", "S73");
	assert_true(json_has("\"revocation\":null"));
	exec_sql("ALTER TABLE away RENAME TO ocsp");
	receive(BOB);
	world_signature(&w, "pass", "");
}

/* Nothing is asked about who failed before. */
static void S73_comes_after_the_path(void **state)
{
	(void)state;
	bring_list(1, true, now + 86400);
	assert_int_equal(keystore_set_anchor(w.ks, cert_sha256(ca), false,
	    &w.e), 0);
	receive(BOB);
	world_signature(&w, "policy", "S72");
	assert_true(json_has("\"revocation\":null"));
}

static void S60_S102_revoked_here_neither_signs_nor_is_encrypted_to(
    void **state)
{
	(void)state;
	bring_list(1, true, now + 86400);
	world_seal(&w, ALICE, DAVE, PLAIN);
	assert_int_equal(w.v.code / 100, 5);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_REFUSED);
	world_rules(&w, "outbound : encrypt\ninbound : pass\n");
	world_seal(&w, BOB, ALICE, "From: bob@example.org\n"
	    "To: alice@example.com\nSubject: x\n\nhello\n");
	assert_int_equal(w.v.code, 550);
	assert_int_equal(w.v.rcpt[0].overs, 1);
	assert_non_null(strstr(w.v.rcpt[0].over[0].reason,
	    "the certificate was revoked on "));
}

/* ---- the word in the rules ---- */

static const struct {
	const char *line;
	const char *error; /* NULL: none */
} words[] = {
	{ "inbound : verify, revocation hard", NULL },
	{ "inbound : revocation soft, verify or quarantine", NULL },
	{ "inbound : verify, revocation", "expected one of hard, soft" },
	{ "inbound : verify, revocation firm", "expected one of hard, soft" },
	{ "inbound : verify, revocation hard, revocation soft",
	    "revocation stands in this line already" },
	{ "inbound : decrypt, revocation hard",
	    "it needs sign, encrypt or verify" },
	{ "inbound : decrypt, revocation soft",
	    "it needs sign, encrypt or verify" },
	{ "inbound : pass, revocation hard", "stand alone" },
	{ "inbound : verify, revocation hard soft", "expected a comma" },
};

static void S73_revocation_in_the_rules(void **state)
{
	struct conf_errors ce;
	struct rules *r = NULL;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		buf_init(&b, 4096);
		buf_printf(&b, "outbound : pass\n%s\n", words[i].line);
		write_text(w.rules_path, buf_str(&b));
		buf_free(&b);
		conf_errors_init(&ce);
		if ((rules_read(&r, w.rules_path, w.config, &ce) == 0) !=
		    (words[i].error == NULL) || (words[i].error != NULL &&
		    strstr(buf_str(&ce.text), words[i].error) == NULL))
			fail_msg("%s: %s", words[i].line, buf_str(&ce.text));
		conf_errors_free(&ce);
		rules_free(&r);
	}
	write_text(w.rules_path, "outbound to @a.example : sign, revocation "
	    "hard\noutbound : encrypt or plain, revocation soft\n"
	    "inbound : pass\n");
	conf_errors_init(&ce);
	assert_int_equal(rules_read(&r, w.rules_path, w.config, &ce), 0);
	conf_errors_free(&ce);
	rules_free(&r);
	world_rules(&w, HARD);
	receive(BOB);
	assert_true(json_has("\"wanted\":[\"decrypt\",\"verify\",\"revocation "
	    "hard\"]"));
}

/* ---- CRLs that a message brings ---- */

#define INSIDE "Content-Type: text/plain\r\n\r\nhello\r\n"

static void put_mail(struct view der)
{
	struct b64_enc enc;

	buf_free(&mail);
	buf_init(&mail, 64u << 20);
	buf_puts(&mail, "From: alice@example.com\nTo: bob@example.org\n"
	    "Subject: x\nMIME-Version: 1.0\nContent-Type: "
	    "application/pkcs7-mime; smime-type=signed-data; "
	    "name=smime.p7m\nContent-Transfer-Encoding: base64\n\n");
	b64_enc_init(&enc, sink_to_buf(&mail));
	assert_int_equal(b64_enc_put(&enc, der.p, der.n, NULL), 0);
	assert_int_equal(b64_enc_end(&enc, NULL), 0);
}

/* Signed by x, with n CRLs in it, the same each time. */
static void make_mail(X509 *x, EVP_PKEY *key, X509_CRL *crl, size_t n)
{
	BIO *in = BIO_new_mem_buf(INSIDE, -1);
	unsigned char *der = NULL;
	CMS_ContentInfo *cms;
	int len;

	cms = CMS_sign(x, key, NULL, in, CMS_BINARY | CMS_NOSMIMECAP);
	assert_non_null(cms);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(CMS_add1_crl(cms, crl), 1);
	len = i2d_CMS_ContentInfo(cms, &der);
	assert_true(len > 0);
	put_mail(view_make(der, (size_t)len));
	OPENSSL_free(der);
	CMS_ContentInfo_free(cms);
	BIO_free(in);
}

static void make_hostile(const struct rv_crl *s, size_t n)
{
	X509_CRL *crl = rv_make(s);

	make_mail(cert_x509(alice), alice_key, crl, n);
	X509_CRL_free(crl);
}

/* attack A58: a CRL in the message says that its signer is revoked
 * verdict: ignored, whoever signed it; pass as without it */
static void A58_a_crl_in_the_message_revokes_nobody(void **state)
{
	struct rv_entry x = { cert_x509(alice), now - 3600, 1, 0, NULL };
	struct rv_crl c = crl_of_ca(99);

	(void)state;
	c.entry = &x;
	c.n = 1;
	make_hostile(&c, 1);
	receive(BOB);
	world_signature(&w, "pass", "");
	assert_true(json_has("\"revocation\":\"unknown\""));
	bring_list(1, false, now + 86400);
	receive(BOB);
	world_signature(&w, "pass", "");
	assert_true(json_has("\"revocation\":\"good\""));
}

/* attack A58: a newer CRL in the message, which does not have the signer
 * verdict: ignored; fail at S73 as without it */
static void A58_a_crl_in_the_message_gives_nobody_back(void **state)
{
	struct rv_crl c = crl_of_ca(99);

	(void)state;
	bring_list(1, true, now + 86400);
	make_hostile(&c, 1);
	receive(BOB);
	world_signature(&w, "fail", "S73");
	assert_true(json_has("\"revocation\":\"revoked\""));
	/* nor does it make a hard rule content */
	world_rules(&w, HARD);
	receive(BOB);
	world_signature(&w, "fail", "S73");
}

/* attack A58: a huge CRL in the message, so that it costs or is not looked
 * at
 * verdict: over 1 MiB it is left out; pass as without it */
static void A58_a_huge_crl_in_the_message_changes_nothing(void **state)
{
	static const size_t pads[] = { CAP_CMS_CRL_SIZE - 4096,
		CAP_CMS_CRL_SIZE + 4096, 9u << 20 };
	struct rv_crl c = crl_of_ca(99);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pads); i++) {
		c.pad = pads[i];
		make_hostile(&c, 1);
		receive(BOB);
		world_signature(&w, "pass", "");
		assert_true(json_has("\"revocation\":\"unknown\""));
	}
}

/* attack A58: more CRLs than anybody needs
 * verdict: 8 are let be, with the 9th the CMS is not read: neutral at S63 */
static void A58_number_of_crls_at_the_cap(void **state)
{
	struct rv_crl c = crl_of_ca(99);

	(void)state;
	make_hostile(&c, CAP_CMS_CRLS);
	receive(BOB);
	world_signature(&w, "pass", "");
	make_hostile(&c, CAP_CMS_CRLS + 1);
	receive(BOB);
	world_signature(&w, "neutral", "S63");
	assert_true(is_untouched(&w) || has(&w, "smime=neutral"));
}

/* ---- nothing is fetched ---- */

static void add_ext(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, cert_x509(ca), x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

/* A certificate that asks to be looked up, everywhere. */
static X509 *make_talkative(EVP_PKEY *key)
{
	X509 *x = X509_new();

	assert_int_equal(X509_set_version(x, 2), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 4711);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	X509_set_issuer_name(x, X509_get_subject_name(cert_x509(ca)));
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
	    MBSTRING_UTF8, (const unsigned char *)"talkative", -1, -1, 0);
	add_ext(x, NID_basic_constraints, "critical,CA:FALSE");
	add_ext(x, NID_key_usage, "critical,digitalSignature");
	add_ext(x, NID_ext_key_usage, "emailProtection");
	add_ext(x, NID_subject_alt_name, "email:" ALICE);
	add_ext(x, NID_info_access,
	    "OCSP;URI:http://127.0.0.1:25/,"
	    "caIssuers;URI:http://169.254.169.254/latest/,"
	    "caIssuers;URI:ldap://127.0.0.1/cn=ca,"
	    "caIssuers;URI:file:///etc/passwd");
	add_ext(x, NID_crl_distribution_points,
	    "URI:http://127.0.0.1:80/crl,URI:ldap://[::1]/cn=crl");
	add_ext(x, NID_freshest_crl, "URI:http://127.0.0.1:80/delta");
	assert_true(X509_sign(x, ca_key, EVP_sha256()) > 0);
	return x;
}

/* From here on whoever touches the network dies. */
static int set_trap(void)
{
	static const int calls[] = { SCMP_SYS(socket), SCMP_SYS(socketpair),
		SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(sendto),
		SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(execve),
		SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork) };
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int rc = f == NULL ? -1 : 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(calls); i++)
		rc = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, calls[i], 0);
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	return rc;
}

/* In a process of its own: 0 when result and revocation are these. */
static int receive_in_trap(const char *result, const char *revocation)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		w.ks = NULL; /* a store is not shared across fork */
		if (keystore_open(&w.ks, w.db, KS_READ, NULL) != 0)
			_exit(10);
		if (set_trap() != 0)
			_exit(77);
		receive(BOB);
		if (strcmp(w.v.sig_result, result) != 0)
			_exit(11);
		_exit(w.v.sig_revocation != NULL &&
		    strcmp(w.v.sig_revocation, revocation) == 0 ? 0 : 12);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* no seccomp here */
	if (!WIFEXITED(status))
		fail_msg("killed by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

/* attack A56: a certificate with AIA, OCSP, CRL and delta CRL addresses
 * inside the victim's network
 * verdict: pass, revocation unknown; not one call to the network */
static void A56_nothing_is_fetched_for_a_certificate(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = make_talkative(key);

	(void)state;
	make_mail(x, key, NULL, 0);
	assert_int_equal(receive_in_trap("pass", "unknown"), 0);
	world_rules(&w, HARD);
	assert_int_equal(receive_in_trap("temperror", "unknown"), 0);
	bring_list(1, false, now + 86400);
	assert_int_equal(receive_in_trap("pass", "good"), 0);
	X509_free(x);
	EVP_PKEY_free(key);
}

/* Else the test above would prove nothing. */
static void A56_the_trap_kills(void **state)
{
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		if (set_trap() != 0)
			_exit(77);
		(void)socket(AF_INET, SOCK_STREAM, 0);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* no seccomp here */
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_world, end_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(S73_unknown_is_soft_by_default),
		T(S73_good),
		T(S73_revoked_is_a_fail),
		T(S73_unknown_is_a_temperror_where_it_is_hard),
		T(S73_the_hardest_recipient_counts),
		T(S73_M10_a_demand_waits_for_a_list),
		T(S73_a_store_that_fails_is_a_temperror),
		T(S73_comes_after_the_path),
		T(S60_S102_revoked_here_neither_signs_nor_is_encrypted_to),
		T(S73_revocation_in_the_rules),
		T(A58_a_crl_in_the_message_revokes_nobody),
		T(A58_a_crl_in_the_message_gives_nobody_back),
		T(A58_a_huge_crl_in_the_message_changes_nothing),
		T(A58_number_of_crls_at_the_cap),
		T(A56_nothing_is_fetched_for_a_certificate),
		cmocka_unit_test(A56_the_trap_kills),
	};

	return cmocka_run_group_tests_name("gateway_revocation", tests, NULL,
	    NULL);
}
