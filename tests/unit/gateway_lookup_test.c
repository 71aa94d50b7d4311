/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Directories in the pipeline: when they are asked, what is made of their
 * answers and of none; and the blocks directory { } of postseal.conf. The
 * directory is played here; tests/e2e/directory_test.py has real ones.
 */
#include "tests/unit/gateway_world.h"
#include "tests/unit/revocation_help.h"
#include "tests/unit/testca.h"

#include "gateway/lookup.h"
#include "keystore/harvest.h"

#define ALICE "alice@example.com"
#define BOB "bob@partner.example"
#define DAY ((int64_t)86400)
#define MUST "sign, encrypt"
#define LENIENT "sign or plain, encrypt or plain"
#define PLAIN                                                              \
	"From: alice@example.com\nTo: bob@partner.example, "               \
	"dave@partner.example, carol@elsewhere.example\nSubject: Plans\n"  \
	"MIME-Version: 1.0\nContent-Type: text/plain\n\nPlans\n"
#define DIRECTORY                                                          \
	"directory {\nldap \"ldap://127.0.0.1:1\"\n"                       \
	"for @partner.example\nfor @plain.example\n}\n"                    \
	"directory {\nsmimea\nfor @partner.example\ntrust dnssec\n}\n"    \
	"directory {\nsmimea\nfor @plain.example\n}\n"

static struct world w;
static struct testca partner, stranger;

/* The directory that is played. */
static struct {
	const struct testca_id *id[4];
	bool is_vouched[4];
	enum find_source source;
	size_t n;
	const char *warning;
	struct view junk;
	enum fail fail;
	int asked;
	char last[600];
} played;

static int play(void *ctx, const struct addr *a, struct found_certs *out,
    struct err *e)
{
	(void)ctx;
	played.asked++;
	text_set(played.last, sizeof(played.last), a->text);
	if (played.fail != 0)
		return err_set(e, played.fail, "directory ldaps://d.example: "
		    "no answer in time");
	out->source = played.source;
	text_set(out->from, sizeof(out->from), "ldaps://d.example");
	if (played.warning != NULL)
		text_set(out->warning, sizeof(out->warning), played.warning);
	if (played.junk.n > 0)
		buf_putv(&out->der[out->n++], played.junk);
	for (size_t i = 0; i < played.n; i++) {
		out->is_vouched[out->n] = played.is_vouched[i];
		buf_putv(&out->der[out->n++], cert_der(played.id[i]->cert));
	}
	return 0;
}

static const struct lookup_ops ops = {NULL, play};

static void trust(struct testca *ca)
{
	bool added;

	if (keystore_add(w.ks, ca->root.cert, 0, KS_IMPORT, &added, &w.e) !=
		0 ||
	    keystore_set_anchor(w.ks, cert_sha256(ca->root.cert), true,
		&w.e) != 0 ||
	    keystore_add(w.ks, ca->sub.cert, 0, KS_IMPORT, &added, &w.e) != 0)
		fail_msg("%s", w.e.msg);
}

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, ALICE, "ec:p256");
	testca_init(&partner);
	testca_init(&stranger);
	trust(&partner);
	world_config(&w, DIRECTORY);
	w.lookup = &ops;
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	testca_free(&partner);
	testca_free(&stranger);
	world_end(&w);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	memset(&played, 0, sizeof(played));
	return 0;
}

static void issue(struct testca *ca, struct testca_id *id, const char *mail,
    int64_t until)
{
	const struct testca_leaf l = {.key = "rsa:2048", .mail = mail,
	    .not_before = time(NULL) - 9 * DAY,
	    .not_after = time(NULL) + until};

	testca_issue(ca, &l, id);
	played.id[played.n++] = id;
}

/* A record of usage 3 in a signed zone. */
static void vouch(void)
{
	played.source = FIND_SMIMEA;
	played.is_vouched[0] = true;
}

static void seal(const char *outbound, const char *to)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_printf(&b, "outbound : %s\ninbound : decrypt, verify\n", outbound);
	world_rules(&w, buf_str(&b));
	buf_free(&b);
	world_seal(&w, ALICE, to, PLAIN);
}

static void reply_is(int code, const char *enhanced, const char *words)
{
	if (w.v.code != code || strcmp(w.v.enhanced, enhanced) != 0 ||
	    strstr(w.v.text, words) == NULL)
		fail_msg("%d %s %s", w.v.code, w.v.enhanced, w.v.text);
}

static void sealed_for(const struct testca_id *id)
{
	if (w.v.code != 0)
		fail_msg("%d %s", w.v.code, w.v.text);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_SEALED);
	assert_int_equal(w.v.rcpt[0].certs, 1);
	assert_string_equal(w.v.rcpt[0].cert->sha256,
	    cert_sha256_hex(id->cert));
	assert_true(has(&w, "application/pkcs7-mime"));
}

/* ---- asked, and not ---- */

static void S187_what_a_directory_knows_is_sealed_for(void **state)
{
	struct testca_id bob;
	struct buf json;

	(void)state;
	issue(&partner, &bob, BOB, DAY);
	seal(MUST, BOB);
	sealed_for(&bob);
	assert_int_equal(played.asked, 1);
	assert_string_equal(played.last, BOB);
	assert_string_equal(w.v.rcpt[0].cert->source,
	    "ldap ldaps://d.example");
	buf_init(&json, 1u << 20);
	verdict_json(&w.v, &json);
	assert_non_null(strstr(buf_str(&json),
	    "\"source\":\"ldap ldaps://d.example\""));
	buf_free(&json);
	testca_id_free(&bob);
}

static void S187_only_who_is_served_is_asked_for(void **state)
{
	(void)state;
	seal(LENIENT, "carol@elsewhere.example");
	assert_int_equal(w.v.code, 0);
	assert_int_equal(played.asked, 0);
	/* nor where nothing is to be encrypted */
	seal("sign", BOB);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(played.asked, 0);
	seal(MUST, "bob@partner.example dave@partner.example");
	assert_int_equal(played.asked, 2);
	reply_is(550, "5.7.3", "dave@partner.example");
}

static void S187_the_keystore_comes_first(void **state)
{
	struct testca_id bob, old;
	bool added;

	(void)state;
	issue(&partner, &bob, "erin@partner.example", DAY);
	issue(&partner, &old, "erin@partner.example", DAY);
	if (keystore_add(w.ks, bob.cert, KS_ENCRYPT, KS_IMPORT, &added,
	    &w.e) != 0)
		fail_msg("%s", w.e.msg);
	seal(MUST, "erin@partner.example");
	sealed_for(&bob);
	assert_int_equal(played.asked, 0);
	assert_string_equal(w.v.rcpt[0].cert->source, "");
	testca_id_free(&bob);
	testca_id_free(&old);
}

/* attack A56: mail whose sender, signer and recipients could make us ask
 * verdict: what comes in is never a reason to ask */
static void A56_incoming_mail_asks_nobody(void **state)
{
	struct buf mail;

	(void)state;
	world_rules(&w, "outbound : sign\n"
	    "inbound : verify, store-encrypted\n");
	world_seal(&w, ALICE, BOB, PLAIN);
	buf_init(&mail, 1u << 20);
	buf_putv(&mail, buf_view(&w.out));
	world_open_view(&w, BOB, "dave@partner.example alice@example.com",
	    buf_view(&mail));
	assert_int_equal(played.asked, 0);
	buf_free(&mail);
}

/* ---- no answer ---- */

/* attack A56: the directory is kept from answering
 * verdict: 451 4.4.3 also where a rule lets mail go in clear */
static void S182_S187_no_answer_is_never_no_certificate(void **state)
{
	static const char *const rule[] = {MUST, LENIENT,
	    "sign, encrypt or plain"};
	static const enum fail kind[] = {FAIL_TEMP, FAIL_BUG, FAIL_LIMIT,
	    FAIL_CONFIG};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rule); i++)
		for (size_t k = 0; k < ARRAY_LEN(kind); k++) {
			played.fail = kind[k];
			seal(rule[i], BOB);
			reply_is(451, "4.4.3", "directory ldaps://d.example: "
			    "no answer in time");
			assert_int_equal(w.v.action, ACT_DEFERRED);
			assert_int_equal(w.v.rcpt[0].outcome, OUT_DEFERRED);
			assert_true(is_untouched(&w));
			assert_non_null(strstr(w.v.rcpt[0].reason,
			    "no answer in time"));
		}
}

static void S187_nothing_found_is_what_the_rule_says(void **state)
{
	(void)state;
	seal(MUST, BOB);
	reply_is(550, "5.7.3", "no certificate is known");
	played.warning = "directory ldap://x: away";
	seal("sign, encrypt or plain", BOB);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_SIGNED);
	assert_non_null(strstr(buf_str(&w.v.warnings),
	    "looking for a certificate of bob@partner.example: directory "
	    "ldap://x: away"));
}

/* ---- what is found is judged ---- */

static void over_is(const char *words)
{
	if (w.v.rcpt[0].overs != 1 ||
	    strstr(w.v.rcpt[0].over[0].reason, words) == NULL ||
	    strstr(w.v.rcpt[0].reason, words) == NULL)
		fail_msg("%zu: %s", w.v.rcpt[0].overs, w.v.rcpt[0].overs == 0
		    ? w.v.rcpt[0].reason : w.v.rcpt[0].over[0].reason);
}

static void S183_an_expired_one_is_not_used(void **state)
{
	struct testca_id bob;

	(void)state;
	issue(&partner, &bob, BOB, -DAY);
	vouch();
	seal(MUST, BOB);
	reply_is(550, "5.7.3", "expired on");
	over_is("expired on");
	/* even if that results in plaintext, where the rule says so */
	seal("sign, encrypt or plain", BOB);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_SIGNED);
	testca_id_free(&bob);
}

static void ignore(void *arg, const struct revocation_item *it)
{
	(void)arg;
	(void)it;
}

static void S183_a_revoked_one_is_not_used(void **state)
{
	struct testca_id bob;
	struct rv_entry gone;
	struct rv_crl crl;
	struct buf der;
	size_t good = 0;

	(void)state;
	issue(&partner, &bob, BOB, DAY);
	gone = (struct rv_entry){cert_x509(bob.cert), time(NULL) - DAY, 1, 0,
	    NULL};
	crl = (struct rv_crl){.ca = cert_x509(partner.sub.cert),
	    .key = partner.sub.key, .from = time(NULL) - 3600,
	    .until = time(NULL) + DAY, .number = 1, .entry = &gone, .n = 1};
	der = rv_der(&crl);
	if (revocation_import(w.ks, buf_view(&der), time(NULL), ignore, NULL,
	    &good, &w.e) != 0 || good != 1)
		fail_msg("%zu %s", good, w.e.msg);
	for (int vouched = 0; vouched <= 1; vouched++) {
		played.source = FIND_SMIMEA;
		played.is_vouched[0] = vouched == 1;
		seal(MUST, BOB);
		reply_is(550, "5.7.3", "revoked");
		over_is("revoked");
	}
	buf_free(&der);
	testca_id_free(&bob);
}

static void S184_without_a_path_DNSSEC_must_vouch(void **state)
{
	struct testca_id bob;

	(void)state;
	issue(&stranger, &bob, BOB, DAY);
	seal(MUST, BOB);
	assert_int_equal(w.v.code, 550);
	assert_int_equal(w.v.rcpt[0].overs, 1);
	vouch();
	seal(MUST, BOB);
	sealed_for(&bob);
	testca_id_free(&bob);
}

/* attack A56: a fetch process that was taken over says that DNSSEC vouches
 * for a certificate of its own making
 * verdict: refused 550 as without a path, unless the answer is of SMIMEA
 * and a directory with trust dnssec serves that very domain */
static void S184_A56_who_may_say_that_DNSSEC_vouches(void **state)
{
	static const struct {
		const char *who;
		enum find_source source;
		bool believed;
	} row[] = {
		{BOB, FIND_SMIMEA, true},
		{BOB, FIND_LDAP, false},
		{"bob@plain.example", FIND_SMIMEA, false},
		{"bob@plain.example", FIND_LDAP, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct testca_id id;

		played.n = 0;
		issue(&stranger, &id, row[i].who, DAY);
		vouch();
		played.source = row[i].source;
		seal(MUST, row[i].who);
		if (w.v.code != (row[i].believed ? 0 : 550))
			fail_msg("row %zu: %d %s", i, w.v.code, w.v.text);
		if (row[i].believed)
			sealed_for(&id);
		else
			assert_int_equal(w.v.rcpt[0].overs, 1);
		testca_id_free(&id);
	}
}

static void S184_what_is_vouched_for_must_fit_all_the_same(void **state)
{
	static const struct testca_leaf bad[] = {
		{.key = "rsa:2048", .mail = "mallory@partner.example"},
		{.key = "rsa:2048", .mail = BOB, .ku = "digitalSignature"},
		{.key = "rsa:2048", .mail = BOB, .eku = "serverAuth"},
		{.key = "rsa:1024", .mail = BOB},
		{.key = "ed25519", .mail = BOB},
		{.key = "rsa:2048", .mail = BOB,
		    .ku = "keyCertSign,keyEncipherment", .basic = "CA:TRUE"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct testca_id id;

		testca_issue(&stranger, &bad[i], &id);
		played.id[0] = &id;
		played.n = 1;
		vouch();
		seal(MUST, BOB);
		if (w.v.code != 550 || w.v.rcpt[0].overs != 1)
			fail_msg("row %zu: %d %s", i, w.v.code, w.v.text);
		testca_id_free(&id);
	}
}

static void S187_what_the_administrator_said_holds(void **state)
{
	struct testca_id bob;
	bool added;

	(void)state;
	issue(&partner, &bob, BOB, DAY);
	vouch();
	if (keystore_add(w.ks, bob.cert, KS_ENCRYPT, KS_IMPORT, &added,
	    &w.e) != 0 || keystore_set_state(w.ks, cert_sha256(bob.cert),
	    KS_DISTRUSTED, &w.e) != 0)
		fail_msg("%s", w.e.msg);
	seal(MUST, BOB);
	reply_is(550, "5.7.3", "distrusted");
	if (keystore_remove(w.ks, cert_sha256(bob.cert), &w.e) != 0)
		fail_msg("%s", w.e.msg);
	testca_id_free(&bob);
}

/* attack A32: one signed message, so that the certificate waits here and is
 * not used from where it was used until then
 * verdict: that mail has not proven it enough is no word against it */
static void S123_S187_A32_what_waits_is_no_word_against_it(void **state)
{
	struct testca_id bob;
	struct harvest_outcome o;
	struct sighting s = {.at = time(NULL)};
	struct addr who;

	(void)state;
	issue(&partner, &bob, BOB, DAY);
	s.who = &who;
	s.cert = bob.cert;
	assert_int_equal(addr_parse(&who, view_of(BOB), NULL), 0);
	if (harvest_keep(w.ks, &s, &w.config->harvest, &o, &w.e) != 0)
		fail_msg("%s", w.e.msg);
	assert_int_equal(o.state, HARVEST_PENDING);
	seal(MUST, BOB);
	sealed_for(&bob);
	/* somebody's decision is one */
	if (harvest_reject(w.ks, cert_sha256(bob.cert), &w.e) != 0)
		fail_msg("%s", w.e.msg);
	seal(MUST, BOB);
	reply_is(550, "5.7.3", "distrusted");
	if (keystore_remove(w.ks, cert_sha256(bob.cert), &w.e) != 0)
		fail_msg("%s", w.e.msg);
	testca_id_free(&bob);
}

static void S187_others_certificates_and_junk_are_passed_over(void **state)
{
	struct testca_id dave, bob;

	(void)state;
	issue(&partner, &dave, "dave@partner.example", DAY);
	played.junk = view_of("no certificate");
	seal(MUST, BOB);
	reply_is(550, "5.7.3", "address differs");
	over_is("address differs");
	issue(&partner, &bob, BOB, DAY);
	seal(MUST, BOB);
	sealed_for(&bob);
	assert_int_equal(w.v.rcpt[0].overs, 1);
	assert_string_equal(w.v.rcpt[0].reason, "");
	testca_id_free(&dave);
	testca_id_free(&bob);
}

/* ---- postseal.conf ---- */

#define D(words) "directory {\n" words "\n}\n"
#define L "ldap \"ldaps://h\"\nfor @a.example\n"
#define S "smimea\nfor any\n"

static const struct {
	const char *text, *wanted; /* line 6 is the first of text */
} bad[] = {
	{"directory any {\n" L "}\n", ":6:11: directory: expected {"},
	{"directory\n", ":6:1: directory: expected a block"},
	{D("for any"), ":6:1: directory: expected one of ldap and smimea, "
	    "found none"},
	{D(L "smimea"), "expected one of ldap and smimea, found both"},
	{D("ldap \"ldaps://h\""), "missing: for"},
	{D("ldap\nfor any"), "ldap: expected"},
	{D("ldap \"h\"\nfor any"), ":7:6: ldap: expected ldap://HOST"},
	{D("ldap \"ldap://h/o=x\"\nfor any"), ":7:6: ldap: expected ldap://"},
	{D("ldap \"ldapi:///\"\nfor any"), ":7:6: ldap: expected ldap://"},
	{D("ldap a b c d e f g h i\nfor any"), "ldap: expected"},
	{D("smimea now\nfor any"), ":7:8: smimea: expected no value"},
	{D("smimea\nfor a.example"), ":8:5: for: expected @DOMAIN"},
	{D("smimea\nfor a@b.example"), ":8:5: for: expected @DOMAIN"},
	{D("smimea\nfor \"any\""), ":8:5: for: expected @DOMAIN"},
	{D("smimea\nfor @"), ":8:5: for: "},
	{D("smimea\nfor @*."), ":8:5: for: "},
	{D("smimea\nfor @a..b"), ":8:5: for: "},
	{D(L "filter \"(mail=*)\""), ":9:8: filter: expected %s once"},
	{D(L "filter \"(mail=%s\""), ":9:8: filter: RFC 4515 3: expected )"},
	{D(L "filter \"(|(mail=%s)(uid=%s))\""), "once and no other %"},
	{D(L "attribute \"user certificate\""), ":9:11: attribute: expected"},
	{D(L "attribute \"\""), ":9:11: attribute: expected"},
	{D(L "bind \"cn=x\" password \"y\""), ":9:13: bind: expected"},
	{D(L "bind \"cn=x\""), "bind: expected"},
	{D("ldap \"ldap://h\"\nfor any\nbind \"cn=x\" password-file \"/p\""),
	    ":7:1: bind: the password would go to ldap://h in clear (RFC "
	    "4513 5.1.3)"},
	{D("ldap \"ldap://localhost\" \"ldap://h\"\nfor any\n"
	   "bind \"cn=x\" password-file \"/p\""), "to ldap://h in clear"},
	{D(L "start-tls"), ":7:1: start-tls: ldaps://h is TLS from"},
	{D(L "start-tls yes"), ":9:11: start-tls: expected no value"},
	{D(L "resolver \"127.0.0.1\""), "resolver: not for a directory of "
	    "ldap"},
	{D(L "anchor \"/a\""), "anchor: not for a directory of ldap"},
	{D(L "trust dnssec"), "trust: not for a directory of ldap"},
	{D(S "base \"o=x\""), "base: not for a directory of smimea"},
	{D(S "ca \"/x\""), "ca: not for a directory of smimea"},
	{D(S "on-failure ignore"), "on-failure: not for a directory of "
	    "smimea"},
	{D(S "resolver \"dns.example\""), ":9:10: resolver: expected"},
	{D(S "resolver \"127.0.0.1@\""), ":9:10: resolver: expected"},
	{D(S "resolver \"127.0.0.1@0\""), ":9:10: resolver: expected"},
	{D(S "resolver \"127.0.0.1@65536\""), ":9:10: resolver: expected"},
	{D(S "resolver \"127.0.0.1@ 53\""), ":9:10: resolver: expected"},
	{D(S "resolver \"127.0.0.1/8\""), ":9:10: resolver: expected"},
	{D(S "resolver \"@53\""), ":9:10: resolver: expected"},
	{D(S "trust blindly"), ":9:7: trust: expected path or dnssec"},
	{D(L "on-failure plain"), ":9:12: on-failure: expected defer or "
	    "ignore"},
	{D(S "timeout 0s"), ":9:9:"},
	{D(S "timeout 21s"), ":9:9:"},
	{D(S "timeout 5"), ":9:9:"},
	{D(S "cache 8d"), ":9:7:"},
	{D(S "negative 2d"), ":9:10:"},
	{D(S "port 53"), ":9:1: unknown statement"},
};

static struct conf_errors read_with(const char *more, struct config **c)
{
	struct conf_errors ce;
	struct buf b;
	char path[200];

	set_path(path, sizeof(path), w.dir, "in");
	buf_init(&b, 8192);
	buf_printf(&b, "local-domains example.com\nkeystore sqlite \"/k\"\n"
	    "secret file \"/s\"\nrules \"/r\"\nauthserv-id mx\n%s", more);
	write_text(path, buf_str(&b));
	buf_free(&b);
	conf_errors_init(&ce);
	(void)!config_read(c, path, &ce);
	return ce;
}

static void S187_faults_of_the_configuration_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct config *c = NULL;
		struct conf_errors ce = read_with(bad[i].text, &c);

		if (c != NULL)
			fail_msg("taken: %s", bad[i].text);
		if (strstr(buf_str(&ce.text), bad[i].wanted) == NULL)
			fail_msg("%s: %s", bad[i].text, buf_str(&ce.text));
		conf_errors_free(&ce);
	}
}

static void S187_the_configuration_is_as_it_says(void **state)
{
	struct config *c = NULL;
	struct conf_errors ce = read_with(
	    D("ldap \"ldap://h\" \"ldap://[::1]:3890\"\n"
	      "for @Partner.example @*.partner.example\nfor @b.example\n"
	      "base \"o=x\"\nfilter \"(uid=%s)\"\nattribute \"cert\"\n"
	      "bind \"cn=x\" password-file \"pw\"\nca \"ca.pem\"\nstart-tls\n"
	      "timeout 20s\ncache 7d\nnegative 0s\non-failure ignore")
	    D("smimea\nfor any\nresolver \"::1@5353\"\nanchor \"/key\"\n"
	      "trust dnssec")
	    D("ldap \"ldap://127.0.0.1\"\nfor @c.example\n"
	      "bind \"cn=x\" password-file \"/pw\""), &c);
	const struct directory *d;
	struct buf out;
	char path[200];

	(void)state;
	if (c == NULL)
		fail_msg("%s", buf_str(&ce.text));
	assert_int_equal(c->directories, 3);
	d = c->directory;
	assert_int_equal(d[0].urls, 2);
	assert_int_equal(d[0].domains, 3);
	assert_string_equal(d[0].domain[0], "partner.example");
	assert_string_equal(d[0].domain[1], "*.partner.example");
	assert_true(d[0].start_tls && !d[0].defers);
	assert_int_equal(d[0].timeout_ms, 20000);
	assert_int_equal(d[0].cache_s, 7 * DAY);
	assert_int_equal(d[0].negative_s, 0);
	set_path(path, sizeof(path), w.dir, "pw");
	assert_string_equal(d[0].password_file, path);
	assert_int_equal(d[1].source, FIND_SMIMEA);
	assert_true(d[1].trust_dnssec && d[1].defers);
	assert_string_equal(d[1].resolver, "::1@5353");
	assert_string_equal(d[2].filter, "(mail=%s)");
	assert_string_equal(d[2].attribute, "userCertificate;binary");
	assert_string_equal(d[2].base, "");
	assert_int_equal(d[2].timeout_ms, 5000);
	assert_int_equal(d[2].cache_s, 3600);
	assert_int_equal(d[2].negative_s, 600);
	buf_init(&out, 1u << 16);
	config_print(c, &out);
	assert_non_null(strstr(buf_str(&out),
	    "directory.ldap ldap://h ldap://[::1]:3890\ndirectory.base o=x\n"
	    "directory.filter (uid=%s)\ndirectory.attribute cert\n"
	    "directory.bind cn=x\n"));
	assert_non_null(strstr(buf_str(&out), "directory.start-tls\n"
	    "directory.for @partner.example @*.partner.example @b.example\n"
	    "directory.timeout 20s\ndirectory.cache 604800s\n"
	    "directory.negative 0s\ndirectory.on-failure ignore\n"));
	assert_non_null(strstr(buf_str(&out),
	    "directory.smimea\ndirectory.resolver ::1@5353\n"
	    "directory.anchor /key\ndirectory.trust dnssec\n"
	    "directory.for any\n"));
	buf_free(&out);
	config_free(&c);
	conf_errors_free(&ce);
}

static struct buf said;

static void hear(const char *sentence)
{
	buf_puts(&said, sentence);
	buf_putc(&said, '\n');
}

static void what_is_weak_is_said_at_the_start(void **state)
{
	static const struct {
		const char *conf, *wanted;
	} row[] = {
		{D("ldap \"ldap://h\"\nfor any"), "without TLS"},
		{D(L "on-failure ignore"), "on-failure ignore"},
		{D(S "trust dnssec"), "trust dnssec"},
		{D(L), ""},
		{D("ldap \"ldap://h\"\nfor any\nstart-tls"), ""},
		{D("ldap \"ldap://[::1]\"\nfor any"), ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct config *c = NULL;
		struct conf_errors ce = read_with(row[i].conf, &c);

		if (c == NULL)
			fail_msg("%s", buf_str(&ce.text));
		buf_init(&said, 65536);
		config_warn(c, hear);
		if (strstr(buf_str(&said), row[i].wanted) == NULL ||
		    (row[i].wanted[0] == '\0' && said.n != 0))
			fail_msg("row %zu: %s", i, buf_str(&said));
		buf_free(&said);
		config_free(&c);
		conf_errors_free(&ce);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    S187_what_a_directory_knows_is_sealed_for, begin),
		cmocka_unit_test_setup(S187_only_who_is_served_is_asked_for,
		    begin),
		cmocka_unit_test_setup(S187_the_keystore_comes_first, begin),
		cmocka_unit_test_setup(A56_incoming_mail_asks_nobody, begin),
		cmocka_unit_test_setup(
		    S182_S187_no_answer_is_never_no_certificate, begin),
		cmocka_unit_test_setup(
		    S187_nothing_found_is_what_the_rule_says, begin),
		cmocka_unit_test_setup(S183_an_expired_one_is_not_used,
		    begin),
		cmocka_unit_test_setup(S183_a_revoked_one_is_not_used,
		    begin),
		cmocka_unit_test_setup(S184_without_a_path_DNSSEC_must_vouch,
		    begin),
		cmocka_unit_test_setup(
		    S184_A56_who_may_say_that_DNSSEC_vouches, begin),
		cmocka_unit_test_setup(
		    S184_what_is_vouched_for_must_fit_all_the_same, begin),
		cmocka_unit_test_setup(S187_what_the_administrator_said_holds,
		    begin),
		cmocka_unit_test_setup(
		    S123_S187_A32_what_waits_is_no_word_against_it, begin),
		cmocka_unit_test_setup(
		    S187_others_certificates_and_junk_are_passed_over, begin),
		cmocka_unit_test(S187_faults_of_the_configuration_are_named),
		cmocka_unit_test(S187_the_configuration_is_as_it_says),
		cmocka_unit_test(what_is_weak_is_said_at_the_start),
	};

	return cmocka_run_group_tests_name("gateway_lookup", tests,
	    make_world, end_world);
}
