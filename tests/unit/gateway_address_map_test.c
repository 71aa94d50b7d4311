/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Whose mail is it: address-map for opening, authority for signing, by files
 * and by lists of directories.
 */
#include "tests/unit/gateway_make.h"

#include "gateway/lists.h"

#define DIRECTORY "directory {\nldap \"ldap://127.0.0.1\"\nname staff\n}\n"

static struct world w;

static void set_map(const char *map, const char *more)
{
	struct buf b;
	char list[100];

	set_path(list, sizeof(list), w.dir, "list");
	write_text(list, map);
	buf_init(&b, 4000);
	buf_printf(&b, "recipient-delimiter +\naddress-map file \"%s\"\n%s",
	    list, more);
	world_config(&w, buf_str(&b));
	buf_free(&b);
	world_rules(&w, "outbound : sign, encrypt, protect-headers baseline\n"
	    "inbound from @partner.example : decrypt, verify\n"
	    "inbound : decrypt, verify\n");
}

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, "alice@example.com", "rsa:2048");
	world_person(&w, "gateway@example.com", "rsa:2048");
	world_person(&w, "bob@example.com", "rsa:2048");
	world_person(&w, "dave@example.org", "ec:p256");
	set_map("", "");
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

/* dave's mail, sealed for the key of to; in is what its header says. */
static void seal_for(const char *to, const char *in)
{
	struct buf b;

	buf_init(&b, 2000);
	buf_printf(&b, "From: dave@example.org\nTo: %s\nSubject: secret\n"
	    "Date: Sat, 21 Nov 2026 10:00:00 +0000\n"
	    "Message-ID: <1@example.org>\n\nhello inside\n", in);
	world_seal(&w, "dave@example.org", to, buf_str(&b));
	if (w.v.code != 0)
		fail_msg("%s", w.v.text);
	assert_false(has(&w, "hello"));
	buf_free(&b);
}

static struct buf sealed;

static void keep_sealed(const char *to, const char *in)
{
	seal_for(to, in);
	buf_init(&sealed, 1u << 20);
	buf_putv(&sealed, buf_view(&w.out));
}

static void send_to(const char *to)
{
	world_open_view(&w, "dave@example.org", to, buf_view(&sealed));
}

/* Does it open for these recipients? */
static bool opens(const char *to)
{
	send_to(to);
	assert_int_equal(w.v.code, 0);
	if (has(&w, "hello inside")) {
		assert_string_equal(w.v.dec_result, "decrypted");
		return true;
	}
	assert_string_equal(w.v.dec_result, "no-key");
	assert_null(w.v.body);
	return false;
}

static void done(void)
{
	buf_free(&sealed);
	set_map("", "");
}

/* attack A9: who captured ciphertext for alice sends it to somebody else in
 * the house
 * verdict: opened for whom address-map names, and for nobody else */
static void A9_a_shared_mailbox_opens_with_its_owners_keys(void **state)
{
	(void)state;
	set_map("info@example.com opens-with alice@example.com "
	    "bob@example.com\n", "");
	keep_sealed("alice@example.com", "alice@example.com");
	assert_true(opens("alice@example.com"));
	assert_true(opens("info@example.com"));
	assert_true(opens("INFO+x@example.com"));
	assert_false(opens("mallory@example.com"));
	assert_false(opens("info@example.org"));
	assert_false(opens("bob@example.com")); /* not the other way */
	/* everybody has one: each needs it (S203) */
	assert_true(opens("alice@example.com info@example.com"));
	assert_false(opens("info@example.com mallory@example.com"));
	done();
	keep_sealed("alice@example.com", "alice@example.com");
	assert_false(opens("info@example.com"));
	done();
}

static void a_map_has_one_level(void **state)
{
	(void)state;
	set_map("a@example.com opens-with b@example.com\n"
	    "b@example.com opens-with alice@example.com a@example.com\n"
	    "self@example.com opens-with self@example.com\n", "");
	keep_sealed("alice@example.com", "alice@example.com");
	assert_true(opens("b@example.com"));
	assert_false(opens("a@example.com"));
	assert_false(opens("self@example.com"));
	done();
}

/* attack A9: ciphertext for bob that a key of all the domain opens is
 * sent to carol, who has the same key
 * verdict: opened only for whom To or Cc name that the author signed */
static void S203_a_domain_key_opens_for_whom_it_is_meant(void **state)
{
	(void)state;
	set_map("@example.com opens-with gateway@example.com\n", "");
	keep_sealed("gateway@example.com", "Bob <bob@example.com>, "
	    "x@example.com");
	assert_true(opens("bob@example.com"));
	assert_true(opens("x+y@example.com"));
	assert_true(opens("bob@example.com x@example.com"));
	assert_false(opens("carol@example.com"));
	assert_string_equal(w.v.rcpt[0].reason, "the key is for all of the "
	    "domain, and nothing that is signed inside names this recipient");
	assert_false(opens("bob@example.com carol@example.com"));
	assert_false(opens("bob@example.org"));
	/* its own mailbox is not the domain's */
	assert_true(opens("gateway@example.com"));
	/* carol's copy is another one, where there may be several */
	world_envelope(&w, "dave@example.org",
	    "bob@example.com carol@example.com");
	w.env.forced = DIR_INBOUND;
	w.env.can_split = true;
	world_run(&w);
	assert_int_equal(w.v.action, ACT_SPLIT);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_OPENED);
	assert_int_not_equal(w.v.rcpt[1].outcome, OUT_OPENED);
	assert_int_not_equal(w.v.rcpt[0].group, w.v.rcpt[1].group);
	done();
}

static void S203_or_whom_a_rule_for_that_partner_names(void **state)
{
	(void)state;
	set_map("@example.com opens-with gateway@example.com\n", "");
	keep_sealed("gateway@example.com", "bob@example.com");
	assert_false(opens("carol@example.com"));
	world_rules(&w, "outbound : sign\n"
	    "inbound from @example.org : decrypt, verify\n"
	    "inbound : decrypt, verify\n");
	assert_true(opens("carol@example.com"));
	/* the line that decides is another one */
	world_rules(&w, "outbound : sign\n"
	    "inbound to carol@example.com : decrypt, verify\n"
	    "inbound from @example.org : decrypt, verify\n"
	    "inbound : decrypt, verify\n");
	assert_false(opens("carol@example.com"));
	done();
}

/* attack A9: To inside is not signed: whoever knows the certificate can
 * write it
 * verdict: it names nobody */
static void S203_what_nobody_signed_names_nobody(void **state)
{
	struct buf b;

	(void)state;
	set_map("@example.com opens-with gateway@example.com\n", "");
	for (int is_signed = 0; is_signed < 2; is_signed++) {
		buf_init(&b, MAKE_MAX);
		buf_puts(&b, "From: dave@example.org\r\n"
		    "To: bob@example.com\r\n"
		    "Content-Type: text/plain; hp=\"cipher\"\r\n\r\n"
		    "hello inside\r\n");
		if (is_signed)
			make_signed(&w, "dave@example.org", SIGN_CLEAR, &b);
		make_sealed(&w, "gateway@example.com", ENC_AES256_CBC, &b);
		buf_init(&sealed, 1u << 20);
		buf_puts(&sealed, "From: dave@example.org\r\n"
		    "To: bob@example.com\r\nMIME-Version: 1.0\r\n");
		buf_putv(&sealed, buf_view(&b));
		assert_int_equal(opens("bob@example.com"), is_signed);
		buf_free(&sealed);
		buf_free(&b);
	}
	set_map("", "");
}

/* ---- lists ---- */

static void fetched(size_t i, const char *what, const char *value)
{
	struct listed_pair pair = {what, value};
	struct listed_news news = {&pair, what == NULL ? 0 : 1, 1, 2};
	char name[LIST_NAME_SIZE];
	bool changed;

	lists_name(&w.config->list[i], name);
	assert_int_equal(listed_replace(w.ks, name, &news, &changed, NULL),
	    0);
}

static void never_fetched(size_t i)
{
	char name[LIST_NAME_SIZE];

	lists_name(&w.config->list[i], name);
	assert_int_equal(listed_forget(w.ks, name, NULL), 0);
}

static void a_map_of_a_directory_that_was_never_reached_defers(void **state)
{
	(void)state;
	set_map("", DIRECTORY "address-map ldap staff \"(mail=*)\" address "
	    "mail opens-with owner\n");
	keep_sealed("alice@example.com", "alice@example.com");
	/* her own key needs no map */
	assert_true(opens("alice@example.com"));
	send_to("info@example.com");
	assert_int_equal(w.v.code, 451);
	/* mail that is not encrypted does not wait */
	world_envelope(&w, "dave@example.org", "info@example.com");
	w.env.forced = DIR_INBOUND;
	world_message(&w, "From: dave@example.org\n\nhello\n");
	world_run(&w);
	assert_int_equal(w.v.code, 0);
	fetched(0, "info@example.com", "alice@example.com");
	assert_true(opens("info@example.com"));
	assert_false(opens("mallory@example.com"));
	/* whose mail elsewhere is, the directory does not say */
	fetched(0, "x@else.example", "alice@example.com");
	assert_false(opens("x@else.example"));
	fetched(0, NULL, NULL);
	assert_false(opens("info@example.com"));
	never_fetched(0);
	done();
}

/* ---- storing ---- */

static void a_shared_mailbox_is_stored_for_its_owners(void **state)
{
	(void)state;
	set_map("info@example.com opens-with alice@example.com "
	    "bob@example.com nobody@example.com alice@example.com\n", "");
	world_rules(&w, "outbound : sign\ninbound to info@example.com "
	    "other@example.com : store-encrypted\n"
	    "inbound : decrypt, verify\n");
	world_open_view(&w, "x@else.example", "info@example.com", view_of(
	    "From: x@else.example\nTo: info@example.com\n\nhello inside\n"));
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_STORE_ENCRYPTED);
	assert_int_equal(w.v.rcpt[0].certs, 2);
	assert_false(has(&w, "hello"));
	buf_init(&sealed, 1u << 20);
	buf_putv(&sealed, buf_view(&w.out));
	assert_true(opens("alice@example.com"));
	assert_true(opens("bob@example.com"));
	buf_free(&sealed);
	/* who has nobody is held, as before */
	world_open_view(&w, "x@else.example", "other@example.com", view_of(
	    "From: x@else.example\nTo: other@example.com\n\nhello\n"));
	assert_int_equal(w.v.action, ACT_QUARANTINED);
	set_map("", "");
}

/* ---- signing ---- */

static void sign_as(const char *login, const char *from)
{
	struct buf b;

	buf_init(&b, 500);
	buf_printf(&b, "From: %s\nTo: x@else.example\n\nhello\n", from);
	world_rules(&w, "outbound : sign\ninbound : verify\n");
	world_envelope(&w, from, "x@else.example");
	w.env.forced = DIR_OUTBOUND;
	w.env.auth = ENV_AUTH_LOGIN;
	w.env.login = login;
	world_message(&w, buf_str(&b));
	world_run(&w);
	buf_free(&b);
}

/* attack A35: bob, who may read what comes for alice, writes as alice
 * verdict: 550 5.7.1 that names him; to read is not to sign */
static void S59_A35_the_map_gives_no_right_to_sign(void **state)
{
	(void)state;
	set_map("alice@example.com opens-with bob@example.com\n", "");
	sign_as("bob", "alice@example.com");
	assert_int_equal(w.v.code, 550);
	assert_string_equal(w.v.enhanced, "5.7.1");
	assert_non_null(strstr(w.v.text, "alice@example.com"));
	assert_non_null(strstr(w.v.text, "login bob may not sign"));
	assert_int_equal(w.key_ops, 0);
	sign_as("alice", "alice@example.com");
	assert_int_equal(w.v.code, 0);
	set_map("", "");
}

static void S59_authority_of_a_directory(void **state)
{
	(void)state;
	set_map("", DIRECTORY "authority ldap staff \"(uid=*)\" login uid "
	    "address mail\n");
	/* a login that is the address needs no list */
	sign_as("alice", "alice@example.com");
	assert_int_equal(w.v.code, 0);
	sign_as("bob", "alice@example.com");
	assert_int_equal(w.v.code, 451);
	assert_int_equal(w.key_ops, 0);
	fetched(0, "bob", "alice@example.com");
	sign_as("bob", "alice@example.com");
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.key_ops, 1);
	sign_as("Bob", "alice@example.com");
	assert_int_equal(w.v.code, 550);
	fetched(0, "bob", "@example.com");
	sign_as("bob", "alice@example.com");
	assert_int_equal(w.v.code, 0);
	fetched(0, NULL, NULL);
	sign_as("bob", "alice@example.com");
	assert_int_equal(w.v.code, 550);
	never_fetched(0);
	set_map("", "");
}

/* A directory that is kept away lets nothing go unsigned that would be. */
static void S59_sign_or_plain_waits_for_the_directory_too(void **state)
{
	(void)state;
	set_map("", DIRECTORY "authority ldap staff \"(uid=*)\" login uid "
	    "address mail\n");
	world_rules(&w, "outbound : sign or plain\ninbound : verify\n");
	world_envelope(&w, "alice@example.com", "x@else.example");
	w.env.forced = DIR_OUTBOUND;
	w.env.auth = ENV_AUTH_LOGIN;
	w.env.login = "bob";
	world_message(&w, "From: alice@example.com\n\nhello\n");
	world_run(&w);
	assert_int_equal(w.v.code, 451);
	set_map("", "");
}

/* ---- what the keys process has ---- */

static enum opens ask_copy(const struct authority *au, const char *rcpt,
    const struct cert *c, enum fail *why)
{
	enum opens out;
	struct err e = {0};
	struct addr a;

	assert_int_equal(addr_parse(&a, view_of(rcpt), NULL), 0);
	*why = authority_opens(au, &a, c, &out, &e) == 0 ? 0 : e.kind;
	return out;
}

static void A9_keys_goes_by_a_copy_of_its_own(void **state)
{
	struct list_snapshot *copy = NULL;
	struct list_reader lists;
	struct authority au;
	struct cert *c = world_issue(&w, "carol@example.com", "ec:p256",
	    KS_ENCRYPT, 0, 10);
	enum fail why;

	(void)state;
	set_map("@example.org opens-with carol@example.com\n", DIRECTORY
	    "address-map ldap staff \"(mail=*)\" address mail opens-with "
	    "owner\n");
	au.config = w.config;
	au.lists = &lists;
	assert_int_equal(list_snapshot_new(&copy, w.config, w.ks, NULL), 0);
	lists = list_reader_of_snapshot(copy);
	assert_int_equal(ask_copy(&au, "carol@example.com", c, &why),
	    OPENS_RCPT);
	assert_int_equal(ask_copy(&au, "x@example.org", c, &why),
	    OPENS_DOMAIN);
	assert_int_equal(ask_copy(&au, "info@example.com", c, &why),
	    OPENS_NOT);
	assert_int_equal(why, FAIL_TEMP); /* never fetched */
	fetched(0, "info@example.com", "carol@example.com");
	/* the copy is as old as it is */
	(void)ask_copy(&au, "info@example.com", c, &why);
	assert_int_equal(why, FAIL_TEMP);
	list_snapshot_free(&copy);
	assert_int_equal(list_snapshot_new(&copy, w.config, w.ks, NULL), 0);
	lists = list_reader_of_snapshot(copy);
	assert_int_equal(ask_copy(&au, "info@example.com", c, &why),
	    OPENS_RCPT);
	assert_int_equal(ask_copy(&au, "other@example.com", c, &why),
	    OPENS_NOT);
	assert_int_equal(why, 0);
	list_snapshot_free(&copy);
	cert_free(&c);
	never_fetched(0);
	set_map("", "");
}

static void rows_have_their_errors(void **state)
{
	static const struct {
		const char *row, *error;
	} k[] = {
		{"info@example.com alice@example.com\n",
		 "expected ADDRESS|@DOMAIN opens-with"},
		{"info@example.com opens-with\n", "opens-with ADDRESS"},
		{"info@example.com opens-with @example.com\n",
		 "expected ADDRESS, found @example.com"},
		{"info opens-with alice@example.com\n", "expected ADDRESS"},
		{"info@else.example opens-with alice@example.com\n",
		 "at none of local-domains"},
	};
	struct conf_errors ce;
	struct config *c = NULL;
	char list[100], conf[100];
	struct buf b;

	(void)state;
	set_path(list, sizeof(list), w.dir, "list");
	set_path(conf, sizeof(conf), w.dir, "in");
	buf_init(&b, 1000);
	buf_printf(&b, "local-domains example.com\nkeystore sqlite \"x\"\n"
	    "secret file \"y\"\nrules \"z\"\nauthserv-id mx\n"
	    "address-map file \"%s\"\n", list);
	write_text(conf, buf_str(&b));
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		write_text(list, k[i].row);
		conf_errors_init(&ce);
		assert_int_equal(config_read(&c, conf, &ce), -1);
		if (strstr(buf_str(&ce.text), k[i].error) == NULL)
			fail_msg("%s", buf_str(&ce.text));
		conf_errors_free(&ce);
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    A9_a_shared_mailbox_opens_with_its_owners_keys),
		cmocka_unit_test(a_map_has_one_level),
		cmocka_unit_test(S203_a_domain_key_opens_for_whom_it_is_meant),
		cmocka_unit_test(S203_or_whom_a_rule_for_that_partner_names),
		cmocka_unit_test(S203_what_nobody_signed_names_nobody),
		cmocka_unit_test(
		    a_map_of_a_directory_that_was_never_reached_defers),
		cmocka_unit_test(a_shared_mailbox_is_stored_for_its_owners),
		cmocka_unit_test(S59_A35_the_map_gives_no_right_to_sign),
		cmocka_unit_test(S59_authority_of_a_directory),
		cmocka_unit_test(
		    S59_sign_or_plain_waits_for_the_directory_too),
		cmocka_unit_test(A9_keys_goes_by_a_copy_of_its_own),
		cmocka_unit_test(rows_have_their_errors),
	};

	return cmocka_run_group_tests_name("gateway_address_map", tests,
	    make_world, end_world);
}
