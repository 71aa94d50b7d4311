/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of gateway/also.c, trigger.c and strengthen.c: which lines hold, what
 * they add, what triggers leave behind, and that nothing gets weaker.
 */
#include "gateway/lists.h"
#include "gateway_world.h"
#include "smime/header.h"

static struct world w;

#define LAST "outbound : sign or plain, encrypt or plain\n"                 \
	"inbound : decrypt, verify\n"
#define BODY "\nhello, this is text\n"
#define HEAD "From: alice@example.com\nTo: bob@example.net\n"               \
	"MIME-Version: 1.0\n"
#define PDF64 "JVBERi0xLjQKMSAwIG9iago8PCAvVHlwZSAvQ2F0YWxvZyA+PgplbmRvYmoK\n"
#define ATTACHED "Content-Type: multipart/mixed; boundary=b\n\n"            \
	"--b\n\nhello, this is text\n--b\nContent-Type: text/plain; "       \
	"name=notes.txt\nContent-Transfer-Encoding: base64\n\n" PDF64 "--b--\n"

static void set_rules(const char *also, const char *rest)
{
	struct buf b;

	buf_init(&b, 1u << 20);
	buf_printf(&b, "%s%s", also, rest);
	world_rules(&w, buf_str(&b));
	buf_free(&b);
}

/* ---- which lines hold ---- */

struct condition {
	const char *line; /* also outbound LINE : encrypt */
	const char *fields, *rest; /* behind HEAD */
	bool holds;
};

static const struct condition condition[] = {
	{"subject \"[secure]\"", "Subject: [secure] hello\n", BODY, true},
	{"subject \"[secure]\"", "Subject: Re: [SeCuRe] hello\n", BODY, true},
	{"subject \"[secure]\"", "Subject: secure\n", BODY, false},
	{"subject \"[secure]\"", "", BODY, false},
	{"subject \"[secure]\"", "Comments: [secure]\n", BODY, false},
	{"subject \"[secure]\" confidential", "Subject: Confidential\n", BODY,
	    true},
	{"subject \"[secure]\"", "Subject: a\nSubject: [secure]\n", BODY,
	    true},
	/* encoded words, cut where encoders like to cut, and folded */
	{"subject \"[secure]\"", "Subject: =?utf-8?B?W3NlY3VyZV0gaMOkbGxv?=\n",
	    BODY, true},
	{"subject \"[secure]\"", "Subject: =?utf-8?q?=5Bsec?=\n "
	    "=?iso-8859-1?Q?ure=5D_gr=FC=DFe?=\n", BODY, true},
	{"subject \"secure mail\"", "Subject: a secure\n mail\n", BODY, true},
	{"subject \"VERSCHLÜSSELT\"", "Subject: =?iso-8859-1?Q?verschl=FCsselt"
	    "?=\n", BODY, true},
	{"subject \"Ελλάς\"", "Subject: ΕΛΛΆΣ\n", BODY, true},
	{"subject \"[secure]\"", "Subject: =?iso-8859-2?Q?[secure]_=B3=F3d=BC?="
	    "\n", BODY, true},
	{"header X-Secure", "X-Secure:\n", BODY, true},
	{"header x-secure", "X-SECURE: no\n", BODY, true},
	{"header X-Secure", "X-Secure-Not: yes\n", BODY, false},
	{"header X-Secure yes ja", "X-Secure: Ja\n", BODY, true},
	{"header X-Secure yes", "X-Secure: no\nX-Secure: yes\n", BODY, true},
	{"header X-Secure yes", "X-Secure: no\n", BODY, false},
	{"header X-A header X-B", "X-A: 1\n", BODY, false},
	{"header X-A header X-B", "X-A: 1\nX-B: 1\n", BODY, true},
	{"attachment application/pdf", "", ATTACHED, true},
	{"attachment Application/PDF image/png", "", ATTACHED, true},
	{"attachment application/*", "", ATTACHED, true},
	{"attachment image/*", "", ATTACHED, false},
	{"attachment application/pdf", "Content-Type: application/pdf; "
	    "name=a.pdf\n", BODY, false},
	{"size over 10", "", BODY, true},
	{"size over 5M", "", BODY, false},
	{"class normal", "", BODY, true},
	{"class auto list", "Auto-Submitted: auto-replied\n", BODY, true},
	{"class auto", "", BODY, false},
	{"subject a attachment application/pdf", "Subject: a\n", ATTACHED,
	    true},
	{"subject b attachment application/pdf", "Subject: a\n", ATTACHED,
	    false},
	{"to @example.net subject a", "Subject: a\n", BODY, true},
	{"to @example.org subject a", "Subject: a\n", BODY, false},
	{"from alice@example.com size over 1", "", BODY, true},
	{"authenticated bob", "", BODY, false},
	{"", "", BODY, true},
};

/* Lines that never hold, near those that do. */
static void put_others(struct buf *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		buf_printf(b,
		    "also outbound subject \"[secure]%u\" zz%u : encrypt\n"
		    "also outbound header X-Secure \"yes, %u\" : encrypt\n"
		    "also outbound header X-Secure zz%u : encrypt\n"
		    "also outbound header X-Other-%u : encrypt\n"
		    "also outbound attachment image/x-%u text/x-%u : encrypt\n"
		    "also outbound class pgp report size over %u : encrypt\n"
		    "also outbound to bob@example.net size over %uM : encrypt\n"
		    "also outbound authenticated zz%u : encrypt\n"
		    "also inbound subject a %u : verify or reject\n",
		    i, i, i, i, i, i, i, i, i + 1, i, i);
}

static void A51_a_line_holds_for_what_it_asks(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(condition); i++) {
		const struct condition *k = &condition[i / 2];
		struct buf b;

		buf_init(&b, 1u << 20);
		put_others(&b, i % 2 * 20);
		buf_printf(&b, "also outbound %s : encrypt\n", k->line);
		put_others(&b, i % 2 * 20);
		set_rules(buf_str(&b), LAST);
		buf_clear(&b);
		buf_printf(&b, HEAD "%s%s", k->fields, k->rest);
		world_seal(&w, "alice@example.com", "bob@example.net",
		    buf_str(&b));
		if (w.v.rcpt[0].alsos != k->holds ||
		    (w.v.code != 0) != k->holds)
			fail_msg("%s: %s%s: %zu %d", k->line, k->fields,
			    k->rest, w.v.rcpt[0].alsos, w.v.code);
		buf_free(&b);
	}
}

/* ---- what they add ---- */

struct strength {
	const char *direction, *rule, *also, *sum;
};

static const struct strength strength[] = {
	/* what must be, wins */
	{"outbound", "sign or plain, encrypt or plain", "sign",
	    "sign, encrypt or plain"},
	{"outbound", "sign or plain, encrypt or plain", "encrypt",
	    "sign or plain, encrypt"},
	{"outbound", "pass", "sign, encrypt", "sign, encrypt"},
	{"outbound", "sign", "encrypt or quarantine",
	    "sign, encrypt or quarantine"},
	{"outbound", "encrypt or plain", "encrypt or quarantine",
	    "encrypt or quarantine"},
	{"outbound", "encrypt or quarantine", "encrypt", "encrypt"},
	{"outbound", "sign, opaque", "sign", NULL},
	{"outbound", "sign", "sign, opaque", "sign, opaque"},
	{"outbound", "encrypt", "encrypt, per-recipient",
	    "encrypt, per-recipient"},
	{"outbound", "sign, encrypt", "refuse \"no\"",
	    "sign, encrypt, refuse \"no\""},
	{"outbound", "sign", "sign, revocation hard",
	    "sign, revocation hard"},
	/* a line that a message can choose says less than the rule */
	{"outbound", "encrypt", "encrypt or quarantine", NULL},
	{"outbound", "sign, revocation hard", "sign, revocation soft", NULL},
	{"outbound", "sign, digest sha-512", "sign, digest sha-256", NULL},
	{"outbound", "sign, signature pss", "sign, signature pkcs1", NULL},
	{"outbound", "encrypt, key-transport oaep",
	    "encrypt, key-transport pkcs1", NULL},
	{"outbound", "encrypt, cipher aes-256-gcm",
	    "encrypt, cipher aes-128-cbc", NULL},
	{"outbound", "encrypt, min-cipher aes-256-cbc",
	    "encrypt, min-cipher aes-128-cbc", NULL},
	{"outbound", "sign, encrypt, profile edi-energy",
	    "sign, encrypt, profile legacy", NULL},
	{"outbound", "encrypt", "encrypt, capabilities ignore", NULL},
	{"outbound", "sign, protect-headers shy",
	    "sign, protect-headers copy", NULL},
	{"outbound", "sign", "sign, protect-headers off", NULL},
	{"inbound", "verify or reject", "verify", NULL},
	{"inbound", "verify or reject", "verify or quarantine", NULL},
	/* how it is written goes up, too */
	{"outbound", "sign", "sign, digest sha-512", "sign, digest sha-512"},
	{"outbound", "sign, digest sha-256", "sign, digest sha-384",
	    "sign, digest sha-384"},
	{"outbound", "sign", "sign, signature pss", "sign, signature pss"},
	{"outbound", "encrypt", "encrypt, min-cipher aes-256-gcm",
	    "encrypt, min-cipher aes-256-gcm"},
	{"outbound", "encrypt", "encrypt, cipher aes-256-gcm",
	    "encrypt, min-cipher aes-256-gcm"},
	{"outbound", "encrypt, cipher aes-128-cbc",
	    "encrypt, min-cipher aes-256-cbc",
	    "encrypt, cipher aes-256-cbc, min-cipher aes-256-cbc"},
	{"outbound", "encrypt, cipher aes-128-gcm",
	    "encrypt, cipher aes-256-cbc", "encrypt, cipher aes-256-gcm"},
	{"outbound", "encrypt", "encrypt, key-transport oaep",
	    "encrypt, key-transport oaep"},
	{"outbound", "sign", "sign, protect-headers copy",
	    "sign, protect-headers copy"},
	{"outbound", "sign, protect-headers copy",
	    "sign, protect-headers shy", "sign, protect-headers shy"},
	{"inbound", "decrypt", "verify", "decrypt, verify"},
	{"inbound", "decrypt, verify", "verify or quarantine",
	    "decrypt, verify or quarantine"},
	{"inbound", "verify or quarantine", "verify or reject",
	    "verify or reject"},
	{"inbound", "verify", "verify, revocation hard",
	    "verify, revocation hard"},
	{"inbound", "pass", "verify or reject", "verify or reject"},
	/* of two that cannot be, the safer one */
	{"inbound", "decrypt, verify", "store-encrypted",
	    "verify, store-encrypted"},
	{"inbound", "leave-sealed", "store-encrypted",
	    "leave-sealed, store-encrypted"},
};

static void add_up(const struct strength *k)
{
	bool is_out = strcmp(k->direction, "outbound") == 0;
	struct buf b;

	buf_init(&b, 65536);
	buf_printf(&b, "also %s subject x : %s\n%s : %s\n%s : pass\n",
	    k->direction, k->also, k->direction, k->rule,
	    is_out ? "inbound" : "outbound");
	world_rules(&w, buf_str(&b));
	world_envelope(&w, "alice@example.com", "bob@example.net");
	w.env.forced = is_out ? DIR_OUTBOUND : DIR_INBOUND;
	w.env.auth = is_out ? ENV_AUTH_CALLER : ENV_AUTH_NONE;
	world_message(&w, HEAD "Subject: x\n" BODY);
	world_run(&w);
	buf_clear(&b);
	treatment_print(&w.v.rcpt[0].wanted, &b);
	if (strcmp(buf_str(&b), k->sum == NULL ? k->rule : k->sum) != 0 ||
	    w.v.rcpt[0].alsos != (k->sum != NULL))
		fail_msg("%s + %s = %s (%zu)", k->rule, k->also, buf_str(&b),
		    w.v.rcpt[0].alsos);
	buf_free(&b);
}

/* attack A51: a message is made to match an also line that says less than
 * the rule
 * verdict: nothing that the rule demands is taken away */
static void A51_lines_only_strengthen(void **state)
{
	(void)state;
	world_config(&w, "quarantine {\n}\n");
	for (size_t i = 0; i < ARRAY_LEN(strength); i++)
		add_up(&strength[i]);
	world_config(&w, NULL);
}

static void what_is_given_up_is_said(void **state)
{
	(void)state;
	add_up(&(struct strength){"inbound", "decrypt, verify",
	    "store-encrypted", "verify, store-encrypted"});
	assert_non_null(strstr(buf_str(&w.v.warnings), "bob@example.net: "
	    "line 1 says store-encrypted, so it is not opened although line "
	    "2 says decrypt"));
}

/* What was chosen is what is written, not only what is said. */
static void A51_the_floor_is_kept_by_what_is_written(void **state)
{
	(void)state;
	set_rules("also outbound subject \"[secure]\" : sign, encrypt, "
	    "min-cipher aes-256-gcm, digest sha-512\n", LAST);
	world_seal(&w, "alice@example.com", "carol@example.net", HEAD
	    "Subject: [secure]\n" BODY);
	assert_int_equal(w.v.code, 0);
	assert_string_equal(w.v.rcpt[0].cipher, "AES-256-GCM");
	assert_string_equal(w.v.made_algorithm, "RSASSA-PKCS1-v1_5-SHA512");
	world_seal(&w, "alice@example.com", "carol@example.net", HEAD
	    "Subject: hello\n" BODY);
	assert_string_equal(w.v.rcpt[0].cipher, "AES-256-CBC");
}

static void several_lines_add_up_and_are_named(void **state)
{
	struct buf b;

	(void)state;
	set_rules("also outbound to @example.net : sign\n"
	    "also outbound size over 1 : encrypt\n"
	    "also outbound size over 1 : sign\n"
	    "also outbound to bob@example.net : encrypt\n"
	    "also outbound subject no : refuse \"two\"\n"
	    "also outbound to carol@example.net : refuse \"one\"\n", LAST);
	world_seal(&w, "alice@example.com", "bob@example.net carol@example.net",
	    HEAD "Subject: no\n" BODY);
	assert_int_equal(w.v.code, 550);
	/* the first line of the file */
	assert_non_null(strstr(w.v.text, "two"));
	assert_int_equal(w.v.rcpt[0].alsos, 3);
	assert_int_equal(w.v.rcpt[0].also[0].line, 1);
	assert_int_equal(w.v.rcpt[0].also[1].line, 2);
	assert_int_equal(w.v.rcpt[0].also[2].line, 5);
	assert_int_equal(w.v.rcpt[0].rule.line, 7);
	buf_init(&b, 1u << 20);
	verdict_json(&w.v, &b);
	assert_non_null(strstr(buf_str(&b), "\"also\":[{\"file\":\""));
	assert_non_null(strstr(buf_str(&b),
	    "\"text\":\"also outbound to @example.net : sign\"}"));
	buf_free(&b);
}

/* ---- mail that is not looked at ---- */

/*
 * attack A51: what a line about attachments would find is hidden: in a tree
 * that programs read in two ways, in a header or a message beyond our limits
 * verdict: the line holds
 */
static void A51_what_cannot_be_looked_at_may_be_anything(void **state)
{
	struct buf b;

	(void)state;
	set_rules("also inbound attachment application/x-dosexec "
	    ": verify or reject\n"
	    "also inbound subject \"[invoice]\" : revocation hard, verify\n",
	    LAST);
	world_open_view(&w, "eve@example.net", "alice@example.com",
	    view_of(HEAD BODY));
	assert_int_equal(w.v.code, 0);
	world_open_view(&w, "eve@example.net", "alice@example.com",
	    view_of(HEAD "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	    "\nx\n"));
	assert_int_equal(w.v.code, 550);
	assert_non_null(strstr(buf_str(&w.v.warnings), "no single reading"));
	/* a header section beyond its cap */
	buf_init(&b, 4u << 20);
	buf_puts(&b, HEAD);
	for (int i = 0; i < CAP_HEADER_FIELDS + 1; i++)
		buf_puts(&b, "X-Y: z\n");
	buf_puts(&b, BODY);
	world_open_view(&w, "eve@example.net", "alice@example.com",
	    buf_view(&b));
	assert_int_equal(w.v.code, 550);
	/* larger than what is worked on */
	world_config(&w, "max-message-size 64K");
	buf_clear(&b);
	buf_puts(&b, HEAD "\n");
	for (int i = 0; i < 70000; i++)
		buf_puts(&b, i % 70 == 69 ? "\n" : "x");
	world_open_view(&w, "eve@example.net", "alice@example.com",
	    buf_view(&b));
	assert_int_equal(w.v.code, 550);
	world_config(&w, NULL);
	/* what workers died on */
	verdict_free(&w.v);
	world_poisoned(&w);
	assert_int_equal(w.v.code, 550);
	buf_free(&b);
}

/* attack A24: From says two authors, one of whom a line names
 * verdict: the line holds for both */
static void A24_an_author_who_cannot_be_read_is_meant(void **state)
{
	(void)state;
	set_rules("also inbound from @bank.example : verify or reject\n",
	    LAST);
	world_open_view(&w, "eve@example.net", "alice@example.com",
	    view_of("From: eve@example.net, x@bank.example\n" BODY));
	assert_int_equal(w.v.code, 550);
	world_open_view(&w, "eve@example.net", "alice@example.com",
	    view_of("From: eve@example.net\n" BODY));
	assert_int_equal(w.v.code, 0);
}

/* ---- triggers ---- */

#define SECURE "also outbound subject \"[secure]\" : sign, encrypt, "       \
	"remove-trigger\n"

struct cut {
	const char *was, *is; /* whole fields */
};

static const struct cut cut[] = {
	{"Subject: [secure] hello\n", "Subject: hello\r\n"},
	{"Subject: [SECURE] hello\n", "Subject: hello\r\n"},
	{"Subject: hello [secure]\n", "Subject: hello\r\n"},
	{"Subject: Re: [secure] hello\n", "Subject: Re: hello\r\n"},
	{"Subject: a [secure] b [secure] c\n", "Subject: a b c\r\n"},
	{"Subject: [secure]\n", "Subject: \r\n"},
	{"Subject:[secure]x\n", "Subject: x\r\n"},
	{"Subject: [sec[secure]ure] hello\n", "Subject: hello\r\n"},
	{"Subject: a\n [secure]\n b\n", "Subject: a b\r\n"},
	{"Subject: =?utf-8?Q?=5Bsecure=5D_gr=C3=BC=C3=9Fe?=\n",
	    "Subject: =?utf-8?Q?=67=72=C3=BC=C3=9F=65?=\r\n"},
	{"Subject: =?utf-8?Q?=5Bsec?= =?utf-8?B?dXJlXQ==?= x\n",
	    "Subject: x\r\n"},
	{"Subject: [secure] =?iso-8859-2?Q?=B3=F3d=BC?=\n",
	    "Subject: =?iso-8859-2?Q?=B3=F3d=BC?=\r\n"},
};

static void A51_a_trigger_is_gone_outside_and_inside(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cut); i++) {
		struct buf b;

		set_rules(SECURE, LAST);
		buf_init(&b, 65536);
		buf_printf(&b, HEAD "%s" BODY, cut[i].was);
		world_seal(&w, "alice@example.com", "carol@example.net",
		    buf_str(&b));
		buf_clear(&b);
		buf_printf(&b, "\r\n%s", cut[i].is);
		if (w.v.code != 0 || !has(&w, buf_str(&b)) ||
		    count_of(&w, "ecure]") != 0)
			fail_msg("%s%s\n%d %s", cut[i].was, buf_str(&w.out),
			    w.v.code, w.v.text);
		assert_int_equal(w.v.rcpt[0].outcome, OUT_SEALED);
		assert_int_equal(w.v.size_out, w.out.n);
		world_open_again(&w, "alice@example.com", "carol@example.net");
		assert_string_equal(w.v.dec_result, "decrypted");
		if (!has(&w, buf_str(&b)) || count_of(&w, "ecure]") != 0)
			fail_msg("%s", buf_str(&w.out));
		buf_free(&b);
	}
}

/* The Subject outside is [...]: that edit and ours do not meet. */
static void A51_a_trigger_is_gone_where_the_subject_is_hidden(void **state)
{
	(void)state;
	set_rules("also outbound subject \"[secure]\" : sign, encrypt, "
	    "protect-headers shy, remove-trigger\n", LAST);
	world_seal(&w, "alice@example.com", "carol@example.net", HEAD
	    "Date: Sat, 21 Nov 2026 20:00:00 +0100\n"
	    "Subject: [secure] hello\n" BODY);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(count_of(&w, "Subject:"), 1);
	assert_true(has(&w, "\r\nSubject: [...]\r\n"));
	assert_int_equal(w.v.size_out, w.out.n);
	world_open_again(&w, "alice@example.com", "carol@example.net");
	assert_string_equal(w.v.dec_result, "decrypted");
	assert_true(has(&w, "\r\nSubject: hello\r\n"));
	assert_int_equal(count_of(&w, "ecure"), 0);
}

static void A51_a_field_that_is_a_trigger_goes_whole(void **state)
{
	(void)state;
	set_rules("also outbound header X-Secure yes : sign, encrypt, "
	    "remove-trigger\n", LAST);
	world_seal(&w, "alice@example.com", "carol@example.net", HEAD
	    "X-Secure: no\nSubject: x\nx-secure: Yes,\n please\n" BODY);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_SEALED);
	assert_int_equal(count_of(&w, "ecure:"), 0);
	assert_int_equal(w.v.size_out, w.out.n);
	world_open_again(&w, "alice@example.com", "carol@example.net");
	assert_int_equal(count_of(&w, "ecure:"), 0);
	/* of a message that is neither signed nor encrypted, too */
	set_rules("also outbound header X-Secure : remove-trigger\n",
	    "outbound : pass\ninbound : pass\n");
	world_seal(&w, "alice@example.com", "carol@example.net", HEAD
	    "X-Secure: no\n" BODY);
	assert_int_equal(w.v.action, ACT_REPLACED);
	assert_int_equal(count_of(&w, "ecure:"), 0);
	assert_true(has(&w, "\r\n\r\nhello, this is text\r\n"));
	assert_int_equal(w.v.size_out, w.out.n);
}

/* The trigger counts for one recipient, and is gone for all. */
static void A51_one_recipients_trigger_is_nobodys(void **state)
{
	(void)state;
	set_rules("also outbound to @example.net subject \"[x]\" : sign, "
	    "remove-trigger\n", "outbound : pass\ninbound : pass\n");
	world_seal(&w, "alice@example.com", "carol@example.net", HEAD
	    "Subject: [x] y\n" BODY);
	assert_true(has(&w, "\r\nSubject: y\r\n"));
	world_seal(&w, "alice@example.com", "carol@example.org", HEAD
	    "Subject: [x] y\n" BODY);
	assert_true(is_untouched(&w));
}

/* Each group's copy has edits of its own. */
static void A51_a_trigger_is_gone_from_every_copy(void **state)
{
	struct buf b;
	struct sink to;

	(void)state;
	set_rules("also outbound subject \"[x]\" : sign, remove-trigger\n"
	    "also outbound header X-Y : sign, remove-trigger\n"
	    "also outbound to dave@example.net : encrypt, protect-headers "
	    "baseline, sign\n", LAST);
	world_envelope(&w, "alice@example.com", "bob@example.net "
	    "carol@example.net dave@example.net");
	w.env.forced = DIR_OUTBOUND;
	w.env.auth = ENV_AUTH_CALLER;
	w.env.can_split = true;
	world_message(&w, HEAD "Date: Sat, 21 Nov 2026 20:00:00 +0100\n"
	    "X-Y: 1\nSubject: [x] hello\n" BODY);
	world_run(&w);
	if (w.v.action != ACT_SPLIT)
		fail_msg("%d %s (%s)", w.v.code, w.v.text, w.e.msg);
	assert_int_equal(w.v.copy_n, 2);
	assert_int_equal(count_of(&w, "[x]") + count_of(&w, "X-Y"), 0);
	buf_init(&b, 64u << 20);
	to = sink_to_buf(&b);
	assert_int_equal(spool_copy(w.v.copies, 0, spool_size(w.v.copies),
	    &to, NULL), 0);
	assert_null(memmem(b.p, b.n, "[x]", 3));
	assert_null(memmem(b.p, b.n, "X-Y", 3));
	/* with the body of the verdict's own: one hidden, two shown */
	buf_putv(&b, buf_view(&w.out));
	assert_non_null(memmem(b.p, b.n, "\r\nSubject: [...]\r\n", 18));
	assert_non_null(memmem(b.p, b.n, "\r\nSubject: hello\r\n", 18));
	buf_free(&b);
}

/* What nobody here can read stays, and is honoured. */
static void A51_a_trigger_in_an_unknown_charset(void **state)
{
	(void)state;
	set_rules(SECURE, LAST);
	world_seal(&w, "alice@example.com", "carol@example.net", HEAD
	    "Subject: =?iso-8859-2?B?W3NlY3VyZV0gs/PkvA==?=\n" BODY);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_SEALED);
	assert_non_null(strstr(buf_str(&w.v.warnings), "the trigger stays"));
	assert_true(has(&w, "=?iso-8859-2?B?W3NlY3VyZV0gs/PkvA==?="));
}

/* attack A33: somebody without a right to it puts a trigger into mail that
 * leaves through us
 * verdict: it is removed and has no effect */
static void A33_A51_a_trigger_of_a_stranger_is_no_order(void **state)
{
	(void)state;
	set_rules(SECURE, LAST);
	world_envelope(&w, "eve@example.net", "carol@example.net");
	w.env.forced = DIR_OUTBOUND;
	w.env.client_ip = "203.0.113.9";
	world_message(&w, "From: eve@example.net\nTo: carol@example.net\n"
	    "Subject: [secure] hello\n" BODY);
	world_run(&w);
	assert_int_equal(w.v.rcpt[0].alsos, 0);
	assert_int_equal(w.v.rcpt[0].wanted.encrypt_or, OR_PLAIN);
	assert_int_equal(count_of(&w, "ecure]"), 0);
	assert_non_null(strstr(buf_str(&w.v.warnings), "did not log in"));
	/* a host that is ours may */
	world_config(&w, "milter { listen \"unix:/tmp/x\"\n"
	    "outbound-networks 203.0.113.0/24\n}\n");
	world_run(&w);
	assert_int_equal(w.v.rcpt[0].alsos, 1);
	world_config(&w, NULL);
}

/* attack A51: mail from outside carries what is a trigger inside
 * verdict: it is text like any other, and stays */
static void A51_a_trigger_from_outside_is_text(void **state)
{
	(void)state;
	set_rules(SECURE "also outbound header X-Secure : encrypt, "
	    "remove-trigger\n", "outbound : pass\ninbound : pass\n");
	world_open_view(&w, "eve@example.net", "alice@example.com",
	    view_of("From: eve@example.net\nX-Secure: off\n"
	    "Subject: [secure] hello\n" BODY));
	assert_true(is_untouched(&w));
	assert_int_equal(w.v.rcpt[0].alsos, 0);
}

/* attack S45: a message is made to look like a class that is passed in clear,
 * while an also line says that it must be encrypted
 * verdict: refused */
static void S45_a_class_takes_nothing_from_an_also_line(void **state)
{
	(void)state;
	set_rules("also outbound attachment application/pdf : encrypt\n",
	    LAST);
	world_seal(&w, "alice@example.com", "bob@example.net", HEAD
	    "Content-Type: multipart/report; report-type=delivery-status; "
	    "boundary=b\n\n--b\n\nhello\n--b\nContent-Type: message/delivery-"
	    "status\nContent-Transfer-Encoding: 7bit\n\n%PDF-1.4\n--b--\n");
	assert_int_equal(w.v.class, CLASS_DSN);
	assert_int_equal(w.v.code, 550);
}

/* ---- lists out of directories ---- */

static void list_is(const char *group, const char *what)
{
	const struct listed_pair pair = {what, ""};
	const struct listed_news news = {&pair, 1, time(NULL),
	    time(NULL) + 900};
	const struct list_source *const *list;
	char name[LIST_NAME_SIZE];
	bool changed;
	size_t n;

	list = rules_lists(w.rules, &n);
	assert_int_equal(n, 1);
	assert_string_equal(group, "crew");
	lists_name(list[0], name);
	assert_int_equal(listed_replace(w.ks, name, &news, &changed, &w.e),
	    0);
}

/* Nobody knows yet who is in the group: neither in clear nor refused for
 * good, and mail to others goes on. */
static void mail_waits_for_the_list_that_decides(void **state)
{
	static const char *const also[] = {"", "also "};

	(void)state;
	world_config(&w, "directory {\nldap \"ldap://127.0.0.1\"\n"
	    "name staff\n}\n");
	for (size_t i = 0; i < ARRAY_LEN(also); i++) {
		struct buf b;

		buf_init(&b, 65536);
		buf_printf(&b, "group crew ldap staff \"(dep=%zu)\"\n"
		    "%soutbound to crew : encrypt\n", i, also[i]);
		set_rules(buf_str(&b), "outbound : pass\ninbound : pass\n");
		world_seal(&w, "alice@example.com", "bob@example.net",
		    HEAD BODY);
		assert_int_equal(w.v.code, 451);
		assert_non_null(strstr(w.v.text, "group crew"));
		list_is("crew", "@example.net");
		world_seal(&w, "alice@example.com", "bob@example.net",
		    HEAD BODY);
		assert_int_equal(w.v.code, 550);
		world_seal(&w, "alice@example.com", "bob@example.org",
		    HEAD BODY);
		assert_int_equal(w.v.code, 0);
		list_is("crew", "carol@example.net");
		world_seal(&w, "alice@example.com", "carol@example.net",
		    HEAD BODY);
		assert_int_equal(w.v.rcpt[0].outcome, OUT_SEALED);
		buf_free(&b);
	}
	world_config(&w, NULL);
}

/* ---- life ---- */

static int begin_all(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, "alice@example.com", "rsa:2048");
	world_person(&w, "carol@example.net", "rsa:2048");
	world_person(&w, "dave@example.net", "rsa:2048");
	return 0;
}

static int end_all(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A51_a_line_holds_for_what_it_asks),
		cmocka_unit_test(A51_lines_only_strengthen),
		cmocka_unit_test(what_is_given_up_is_said),
		cmocka_unit_test(A51_the_floor_is_kept_by_what_is_written),
		cmocka_unit_test(several_lines_add_up_and_are_named),
		cmocka_unit_test(A51_what_cannot_be_looked_at_may_be_anything),
		cmocka_unit_test(A24_an_author_who_cannot_be_read_is_meant),
		cmocka_unit_test(A51_a_trigger_is_gone_outside_and_inside),
		cmocka_unit_test(
		    A51_a_trigger_is_gone_where_the_subject_is_hidden),
		cmocka_unit_test(A51_a_field_that_is_a_trigger_goes_whole),
		cmocka_unit_test(A51_one_recipients_trigger_is_nobodys),
		cmocka_unit_test(A51_a_trigger_is_gone_from_every_copy),
		cmocka_unit_test(A51_a_trigger_in_an_unknown_charset),
		cmocka_unit_test(A33_A51_a_trigger_of_a_stranger_is_no_order),
		cmocka_unit_test(A51_a_trigger_from_outside_is_text),
		cmocka_unit_test(mail_waits_for_the_list_that_decides),
		cmocka_unit_test(S45_a_class_takes_nothing_from_an_also_line),
	};

	return cmocka_run_group_tests_name("gateway_also", tests, begin_all,
	    end_all);
}
