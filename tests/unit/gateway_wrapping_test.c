/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Sealed and signed parts put where they do not belong: what an attacker
 * makes of captured ciphertext (EFAIL, covert content, reply oracles) and of
 * somebody's signed mail (wrapping), and what decrypted content may do.
 */
#include "tests/unit/gateway_make.h"

static struct world w;
static struct buf b; /* the entity in the making */

#define ALICE "alice@example.com"
#define BOB "bob@example.org"
#define CAROL "carol@example.com"
#define MALLORY "mallory@else.example"
#define DEFAULT "outbound : sign, encrypt\ninbound : decrypt, verify\n"
#define SECRET "Content-Type: text/plain\r\n\r\nSecret plans\r\n"

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, ALICE, "rsa:2048");
	world_person(&w, BOB, "ec:p256");
	world_person(&w, CAROL, "ec:p256");
	buf_init(&b, MAKE_MAX);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	buf_free(&b);
	world_end(&w);
	return 0;
}

static void begin(const char *entity)
{
	buf_clear(&b);
	buf_puts(&b, entity);
}

/* The entity in b as a message from this author to bob. */
static void arrive(const char *from)
{
	struct buf m;

	buf_init(&m, MAKE_MAX);
	buf_printf(&m, "From: %s\r\nTo: bob@example.org\r\n"
	    "Subject: Plans\r\nMIME-Version: 1.0\r\n", from);
	buf_putv(&m, buf_view(&b));
	world_open_view(&w, from, BOB, buf_view(&m));
	buf_free(&m);
}

/* Nothing was opened, nothing said, nothing changed. */
static void expect_left(const char *what)
{
	if (!is_untouched(&w) || w.key_ops != 0 || w.v.code != 0 ||
	    strcmp(w.v.dec_result, "none") != 0)
		fail_msg("%s: %d, %s, decryption %s, %d key operations", what,
		    w.v.code, action_str(w.v.action), w.v.dec_result,
		    w.key_ops);
	assert_false(has(&w, "Secret"));
	assert_int_equal(w.v.action, ACT_UNCHANGED);
}

/* ---- ciphertext below the root ---- */

static const char *const container[] = {"mixed", "related", "alternative",
    "digest", "report", "parallel", "form-data", "x-unknown", "oracle",
    "appledouble"};

/* A template: 'h' HTML that is open, 'c' HTML that closes it, 't' text,
 * 'E' the ciphertext, 'S' a signed part, 'm' a message with the ciphertext,
 * '(' ')' a multipart in it. */
static void put_template(const char *type, const char *t,
    const struct buf *sealed)
{
	struct buf out;
	int depth = 0;

	buf_init(&out, MAKE_MAX);
	buf_printf(&out, "Content-Type: multipart/%s; boundary=b0_\r\n\r\n",
	    type);
	for (; *t != '\0'; t++) {
		if (*t == ')') {
			buf_printf(&out, "--b%d_--\r\n", depth--);
			continue;
		}
		buf_printf(&out, "--b%d_\r\n", depth);
		if (*t == '(')
			buf_printf(&out, "Content-Type: multipart/mixed; "
			    "boundary=b%d_\r\n\r\n", ++depth);
		else if (*t == 'h')
			buf_puts(&out, "Content-Type: text/html\r\n\r\n"
			    "<img src=\"http://x/\r\n");
		else if (*t == 'c')
			buf_puts(&out, "Content-Type: text/html\r\n\r\n"
			    "\">\r\n");
		else if (*t == 't')
			buf_puts(&out, "\r\nWhat's up?\r\n");
		else if (*t == 'm')
			buf_puts(&out, "Content-Type: message/rfc822\r\n\r\n"
			    "From: alice@example.com\r\n");
		if (*t == 'E' || *t == 'm') {
			buf_putv(&out, buf_view(sealed));
			buf_puts(&out, "\r\n");
		}
	}
	buf_puts(&out, "--b0_--\r\n");
	buf_clear(&b);
	buf_putv(&b, buf_view(&out));
	assert_int_equal(buf_ok(&b, NULL), 0);
	buf_free(&out);
}

static void try_templates(const char *const *t, size_t n,
    enum enc_cipher cipher)
{
	struct buf sealed;

	world_rules(&w, DEFAULT);
	begin(SECRET);
	make_sealed(&w, BOB, cipher, &b);
	buf_init(&sealed, MAKE_MAX);
	buf_putv(&sealed, buf_view(&b));
	for (size_t i = 0; i < n * ARRAY_LEN(container); i++) {
		put_template(container[i % ARRAY_LEN(container)],
		    t[i / ARRAY_LEN(container)], &sealed);
		arrive(MALLORY);
		expect_left(t[i / ARRAY_LEN(container)]);
		assert_string_equal(w.v.sig_result, "none");
	}
	buf_free(&sealed);
}

/* attack A1: ciphertext between HTML parts that would take the plaintext in
 * and send it away (EFAIL, direct exfiltration)
 * verdict: delivered as it arrived, no key operation */
static void A1_direct_exfiltration(void **state)
{
	static const char *const t[] = {"hEc", "Ec", "hE", "E", "thEc", "tE",
	    "Et", "h(E)c", "(hEc)", "t((hE)c)"};

	(void)state;
	try_templates(t, ARRAY_LEN(t), ENC_AES256_CBC);
	try_templates(t, 1, ENC_AES256_GCM);
}

/* attack A7: captured ciphertext hidden in a harmless mail, so that the
 * answer quotes its plaintext (covert content, reply oracle)
 * verdict: delivered as it arrived, no key operation */
static void A7_covert_content(void **state)
{
	static const char *const t[] = {"EE", "tEE", "EtE", "tm", "mE", "mm",
	    "t(((((E)))))", "(E)(E)", "t(tm)",
	    "((((((((((((((((E))))))))))))))))"};

	(void)state;
	try_templates(t, ARRAY_LEN(t), ENC_AES256_CBC);
}

static void opened_inside(const char *what)
{
	arrive(ALICE);
	if (strcmp(w.v.dec_result, "decrypted") != 0 || w.key_ops != 1)
		fail_msg("%s: %s, %d key operations", what, w.v.dec_result,
		    w.key_ops);
	assert_false(has(&w, "Secret"));
	assert_true(has(&w, "application/pkcs7-mime"));
}

/* attack A7 A1: captured ciphertext inside of ciphertext of the attacker's
 * verdict: the outer layer opens, what is in it stays sealed; one key
 * operation */
static void A7_ciphertext_within_ciphertext(void **state)
{
	static const char *const t[] = {"E", "hEc", "tm", "(EE)"};
	struct buf sealed;

	(void)state;
	world_rules(&w, DEFAULT);
	begin(SECRET);
	make_sealed(&w, BOB, ENC_AES256_CBC, &b);
	buf_init(&sealed, MAKE_MAX);
	buf_putv(&sealed, buf_view(&b));
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		put_template("mixed", t[i], &sealed);
		make_sealed(&w, BOB, ENC_AES256_GCM, &b);
		opened_inside(t[i]);
	}
	/* at its root, also with a signature of the attacker's between */
	buf_clear(&b);
	buf_putv(&b, buf_view(&sealed));
	make_sealed(&w, BOB, ENC_AES256_GCM, &b);
	opened_inside("at the root");
	buf_clear(&b);
	buf_putv(&b, buf_view(&sealed));
	make_signed(&w, CAROL, SIGN_OPAQUE, &b);
	make_sealed(&w, BOB, ENC_AES256_GCM, &b);
	opened_inside("signed, at the root");
	assert_string_not_equal(w.v.sig_result, "pass");
	buf_free(&sealed);
}

/* attack A1 A11: ciphertext in a multipart that the attacker signed
 * verdict: not opened; the signature is said to be the attacker's own */
static void A1_signed_around_a_multipart(void **state)
{
	static const char *const t[] = {"hEc", "E", "tE"};
	struct buf sealed;

	(void)state;
	world_rules(&w, DEFAULT);
	begin(SECRET);
	make_sealed(&w, BOB, ENC_AES256_CBC, &b);
	buf_init(&sealed, MAKE_MAX);
	buf_putv(&sealed, buf_view(&b));
	for (size_t i = 0; i < 2 * ARRAY_LEN(t); i++) {
		put_template("mixed", t[i / 2], &sealed);
		make_signed(&w, CAROL, i % 2 == 0 ? SIGN_CLEAR : SIGN_OPAQUE,
		    &b);
		arrive(CAROL);
		assert_int_equal(w.key_ops, 0);
		assert_string_equal(w.v.dec_result, "none");
		assert_string_equal(w.v.sig_result, "pass");
		assert_string_equal(w.v.sig_signer, CAROL);
		assert_false(has(&w, "Secret"));
	}
	buf_free(&sealed);
}

/* ---- signatures below the root ---- */

struct wrapping {
	const char *name;
	const char *before; /* the signed part's header goes on after it */
	const char *after;
	const char *part; /* of the clear signature; the opaque one's is
			     without ".2" */
};

#define MIXED "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n"
#define RELATED "Content-Type: multipart/related; boundary=m\r\n\r\n--m\r\n"
#define EVIL "Content-Type: text/html\r\n\r\nPay to account 666\r\n"

static const struct wrapping wrapping[] = {
	{"M1: second child", MIXED EVIL "--m\r\n", "\r\n--m--\r\n", "2.2"},
	{"M1: third child", MIXED EVIL "--m\r\n" EVIL "--m\r\n",
	    "\r\n--m--\r\n", "3.2"},
	{"M1: first child", MIXED, "\r\n--m\r\n" EVIL "--m--\r\n", "1.2"},
	{"M1: only child", MIXED, "\r\n--m--\r\n", "1.2"},
	{"M1: alternative", "Content-Type: multipart/alternative; boundary=m"
	    "\r\n\r\n--m\r\n", "\r\n--m\r\n" EVIL "--m--\r\n", "1.2"},
	{"M2: hidden by HTML", MIXED "Content-Type: text/html\r\n\r\n"
	    "Pay to account 666<plaintext style=\"display:none\">\r\n--m\r\n",
	    "\r\n--m--\r\n", "2.2"},
	{"M2: in a comment", MIXED "Content-Type: text/html\r\n\r\n"
	    "Pay to account 666<!--\r\n--m\r\n", "\r\n--m\r\n"
	    "Content-Type: text/html\r\n\r\n-->\r\n--m--\r\n", "2.2"},
	{"M3: cid: image", RELATED "Content-Type: text/html\r\n\r\n"
	    "Pay to account 666<img src=\"cid:s\">\r\n--m\r\n"
	    "Content-ID: <s>\r\n", "\r\n--m--\r\n", "2.2"},
	{"M4: attachment", MIXED EVIL "--m\r\n"
	    "Content-Disposition: attachment; filename=a.eml\r\n",
	    "\r\n--m--\r\n", "2.2"},
	{"deeper", MIXED EVIL "--m\r\nContent-Type: multipart/related;"
	    " boundary=n\r\n\r\n--n\r\n" EVIL "--n\r\n",
	    "\r\n--n--\r\n--m--\r\n", "2.2.2"},
	{"list footer", MIXED, "\r\n--m\r\n\r\nunsubscribe\r\n--m--\r\n",
	    "1.2"},
};

/* Opaque ones have the fields of the part that are there already. */
static void drop_disposition(void)
{
	make_edit(&b, "Content-Disposition: attachment; filename=smime.p7m"
	    "\r\n", "");
}

static void wrap(const struct wrapping *x, enum sign_form form)
{
	begin("Content-Type: text/plain\r\n\r\nPay to account 1\r\n");
	make_signed(&w, ALICE, form, &b);
	if (form == SIGN_OPAQUE && memmem(b.p, b.n, "Content-Disp", 12))
		drop_disposition();
	make_between(&b, x->before, x->after);
	arrive(ALICE);
}

static void expect_below(const struct wrapping *x, enum sign_form form)
{
	size_t n = strlen(x->part) - (form == SIGN_OPAQUE ? 2 : 0);

	if (strcmp(w.v.sig_result, "neutral") != 0 ||
	    strcmp(w.v.sig_step, "S75") != 0 || strlen(w.v.sig_part) != n ||
	    strncmp(w.v.sig_part, x->part, n) != 0)
		fail_msg("%s: %s at %s, part %s", x->name, w.v.sig_result,
		    w.v.sig_step, w.v.sig_part);
	assert_non_null(strstr(w.v.sig_reason, "not the whole message"));
	assert_null(w.v.body);
	assert_false(has(&w, "smime=pass"));
	assert_false(has(&w, "smime-identifier"));
	if (form == SIGN_CLEAR) /* that would be the root's */
		assert_false(has(&w, "body.smime-part=2\r\n"));
}

/* attack A21: text of the attacker's around a part that somebody signed:
 * signed part as a child, hidden by HTML, as an image, as an attachment
 * verdict: neutral at S75 with the part's number; refused 550 5.7.1 where a
 * rule wants a valid signature */
static void A21_S75_S174_wrapped_signatures_never_pass(void **state)
{
	static const enum sign_form form[] = {SIGN_CLEAR, SIGN_OPAQUE};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(wrapping); i++) {
		const struct wrapping *x = &wrapping[i / 2];

		world_rules(&w, DEFAULT);
		wrap(x, form[i % 2]);
		expect_below(x, form[i % 2]);
		assert_int_equal(w.v.code, 0);
		world_rules(&w, "outbound : pass\n"
		    "inbound : verify or reject\n");
		wrap(x, form[i % 2]);
		assert_int_equal(w.v.code, 550);
		assert_string_equal(w.v.enhanced, "5.7.1");
	}
}

/* attack A21 A2: the same inside of ciphertext that the attacker made
 * verdict: decrypted, neutral at S75 */
static void A21_wrapped_inside_of_ciphertext(void **state)
{
	(void)state;
	world_rules(&w, DEFAULT);
	for (size_t i = 0; i < ARRAY_LEN(wrapping); i++) {
		begin("Content-Type: text/plain\r\n\r\nPay to account 1\r\n");
		make_signed(&w, ALICE, SIGN_CLEAR, &b);
		make_between(&b, wrapping[i].before, wrapping[i].after);
		make_sealed(&w, BOB, ENC_AES256_GCM, &b);
		arrive(ALICE);
		assert_string_equal(w.v.dec_result, "decrypted");
		if (strcmp(w.v.sig_result, "neutral") != 0 ||
		    strcmp(w.v.sig_part, wrapping[i].part) != 0)
			fail_msg("%s: %s, part %s", wrapping[i].name,
			    w.v.sig_result, w.v.sig_part);
		assert_false(has(&w, "smime=pass"));
	}
}

/* Four are looked at, each has a result of its own. */
static void S75_S174_several_signatures_below_the_root(void **state)
{
	struct buf one;

	(void)state;
	world_rules(&w, DEFAULT);
	begin(SECRET);
	make_signed(&w, ALICE, SIGN_CLEAR, &b);
	buf_init(&one, MAKE_MAX);
	buf_putv(&one, buf_view(&b));
	buf_clear(&b);
	buf_puts(&b, "Content-Type: multipart/mixed; boundary=m\r\n\r\n");
	for (int i = 0; i < 6; i++) {
		buf_puts(&b, "--m\r\n");
		buf_putv(&b, buf_view(&one));
		buf_puts(&b, "\r\n");
	}
	buf_puts(&b, "--m--\r\n");
	make_edit(&b, "Secret", "Sacred"); /* the first one fails */
	arrive(ALICE);
	assert_string_equal(w.v.sig_result, "fail");
	assert_int_equal(count_of(&w, "smime=neutral"), 3);
	assert_int_equal(count_of(&w, "smime=fail"), 1);
	assert_true(has(&w, "body.smime-part=1.2"));
	assert_true(has(&w, "body.smime-part=4.2"));
	assert_false(has(&w, "body.smime-part=5.2"));
	assert_non_null(strstr(buf_str(&w.v.warnings), "more than 4"));
	buf_free(&one);
}

/* ---- what decrypted content may do ---- */

/* attack A6: content whose type or size would show to its sender whether it
 * was decrypted
 * verdict: no reply, no message, no second key operation; whoever can be
 * asked is asked once */
static void A6_decrypted_content_causes_nothing(void **state)
{
	static const char *const inside[] = {
	    "Content-Type: multipart/oracle; boundary=x\r\n\r\n--x\r\n\r\n"
	    "text\r\n--x--\r\n",
	    "Content-Type: multipart/oracle\r\n\r\n\r\n",
	    "Content-Type: message/external-body; access-type=URL;"
	    " URL=\"http://x/\"\r\n\r\nContent-Type: text/plain\r\n\r\n\r\n",
	    "Content-Type: message/partial; id=a; number=1\r\n\r\nx\r\n",
	    "Content-Type: text/html\r\n\r\n<img src=\"http://x/\">\r\n",
	    "Content-Type: multipart/report; report-type=delivery-status;"
	    " boundary=x\r\n\r\n--x--\r\n",
	    "Content-Type: text/plain\r\nDisposition-Notification-To: "
	    "mallory@else.example\r\nReturn-Receipt-To: mallory@else.example"
	    "\r\n\r\nhello\r\n",
	    "Content-Type: text/plain\r\n\r\n\r\n",
	    "no entity",
	    "Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nx\r\n",
	};

	(void)state;
	world_rules(&w, DEFAULT);
	for (size_t i = 0; i < 2 * ARRAY_LEN(inside); i++) {
		begin(inside[i / 2]);
		make_sealed(&w, BOB, i % 2 == 0 ? ENC_AES256_CBC
						: ENC_AES256_GCM, &b);
		arrive(MALLORY);
		if (w.v.code != 0 || w.v.text[0] != '\0' || w.key_ops != 1 ||
		    w.v.action != ACT_REPLACED)
			fail_msg("case %zu: %d %s, %s, %d key operations", i,
			    w.v.code, w.v.text, action_str(w.v.action),
			    w.key_ops);
		assert_false(has(&w, "Disposition-Notification-To"));
		assert_false(has(&w, "Return-Receipt-To"));
	}
}

/* No line ends but CRLF. */
static void expect_crlf_only(const char *what)
{
	const unsigned char *p = w.out.p;

	for (size_t i = 0; i < w.out.n; i++)
		if ((p[i] == '\n' && (i == 0 || p[i - 1] != '\r')) ||
		    (p[i] == '\r' && (i + 1 == w.out.n || p[i + 1] != '\n')))
			fail_msg("%s: a bare line end at %zu", what, i);
}

static void put_crlf(struct buf *out, struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '\n' && (i == 0 || v.p[i - 1] != '\r'))
			buf_putc(out, '\r');
		buf_putc(out, v.p[i]);
	}
}

/* Equal? In 7bit content LF is a line end, in binary an octet. */
static bool is_same(struct view got, const char *text, bool is_binary)
{
	struct buf x[2];
	bool same;

	if (is_binary)
		return view_eq_str(got, text);
	for (int i = 0; i < 2; i++) {
		buf_init(&x[i], 10000);
		put_crlf(&x[i], i == 0 ? got : view_of(text));
	}
	same = view_eq(buf_view(&x[0]), buf_view(&x[1]));
	buf_free(&x[0]);
	buf_free(&x[1]);
	return same;
}

/* The body of the message that was made, decoded. */
static void get_decoded(struct buf *out)
{
	struct spool *s = make_spool(buf_view(&w.out));
	struct sink to = sink_to_buf(out);
	struct header h;
	struct ctype ct;

	assert_int_equal(header_read(&h, s, 0, spool_size(s), NULL), 0);
	assert_int_equal(ctype_read(&ct, &h, NULL), 0);
	buf_clear(out);
	assert_int_equal(codec_decode(s, h.body_off, spool_size(s), ct.cte,
	    &to, NULL, NULL), 0);
	ctype_free(&ct);
	header_free(&h);
	spool_free(&s);
}

#define SMUGGLED "MAIL FROM:<ceo@example.com>\r\nRCPT TO:<bob@example.org>" \
	"\r\nDATA\r\n"

/* attack A45 A44: content that the next hop would take for the end of the
 * message and for commands
 * verdict: decrypted and re-encoded, CRLF only, the same octets when decoded */
static void A45_decrypted_line_ends_are_re_encoded(void **state)
{
	static const char *const text[] = {
	    "a\n.\n" SMUGGLED, "a\n.\r\n" SMUGGLED, "a\r\n.\n" SMUGGLED,
	    "a\r.\r" SMUGGLED, "a\r\n.\r" SMUGGLED, "a\r.\r\n" SMUGGLED,
	    "a\r\r\n.\r\r\n" SMUGGLED, "\n.\n" SMUGGLED, "a\n\n.\n\n",
	    "a\r", "a\n", "\r", "\n"};
	static const char *const type[] = {"text/plain", "text/html",
	    "application/octet-stream"};
	struct buf got;

	(void)state;
	world_rules(&w, DEFAULT);
	buf_init(&got, MAKE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(text) * ARRAY_LEN(type); i++) {
		const char *t = text[i / ARRAY_LEN(type)];
		struct buf e;

		buf_init(&e, 10000);
		buf_printf(&e, "Content-Type: %s\r\n"
		    "Content-Transfer-Encoding: %s\r\n\r\n%s",
		    type[i % ARRAY_LEN(type)], i % 2 == 0 ? "binary" : "7bit",
		    t);
		begin(buf_str(&e));
		make_sealed(&w, BOB, ENC_AES256_GCM, &b);
		arrive(ALICE);
		assert_string_equal(w.v.dec_result, "decrypted");
		expect_crlf_only(t);
		get_decoded(&got);
		if (!is_same(buf_view(&got), t, i % 2 == 0))
			fail_msg("case %zu: \"%s\" of \"%s\"", i,
			    buf_str(&got), t);
		buf_free(&e);
	}
	buf_free(&got);
}

/* All of it is there, with CRLF for LF? */
static void expect_body_of(const char *inside)
{
	const char *body = strstr(inside, "\r\n\r\n");
	struct buf x;

	body = body == NULL ? strstr(inside, "\n\n") + 2 : body + 4;
	buf_init(&x, 10000);
	put_crlf(&x, view_of(body));
	if (!view_eq(make_body(&w), buf_view(&x)))
		fail_msg("\"%s\" became \"%s\"", inside, buf_str(&w.out));
	buf_free(&x);
}

/* attack A45: the same in parts, between them, and under a signature
 * verdict: CRLF only; delivered as it arrived if that cannot be */
static void A45_line_ends_in_structures(void **state)
{
	static const char *const inside[] = {
	    MIXED "\r\na\n.\n" SMUGGLED "\r\n--m--\r\n",
	    MIXED "Content-Type: text/plain\n\na\n.\n" SMUGGLED "\n--m--\n",
	    MIXED "\r\nok\r\n--m--\r\n\n.\n" SMUGGLED,
	    "Content-Type: multipart/mixed; boundary=m\r\n\r\na\n.\n" SMUGGLED
	    "\r\n--m\r\n\r\nok\r\n--m--\r\n",
	    "Content-Type: message/rfc822\r\n\r\nFrom: x@y.z\r\n\r\na\n.\n"
	    SMUGGLED,
	    "Content-Type: text/plain\r\nContent-Description: a\r\n\r\n"
	    "b\r\n",
	    "Content-Type: text/plain\nContent-Description: a\n b\n\nc\n.\n",
	    "Content-Type: text/plain\r\nContent-Description: a\r.\r\n"
	    "\r\nc\r\n",
	};

	(void)state;
	world_rules(&w, DEFAULT);
	for (size_t i = 0; i < 3 * ARRAY_LEN(inside); i++) {
		begin(inside[i / 3]);
		if (i % 3 == 1)
			make_signed(&w, ALICE, SIGN_OPAQUE, &b);
		else if (i % 3 == 2)
			make_signed(&w, ALICE, SIGN_CLEAR, &b);
		make_sealed(&w, BOB, ENC_AES256_GCM, &b);
		arrive(ALICE);
		assert_int_equal(w.v.code, 0);
		assert_int_equal(w.key_ops, 1);
		expect_crlf_only(inside[i / 3]);
		/* a CR in a header section cannot be encoded */
		assert_string_equal(w.v.dec_result, i / 3 + 1 <
		    ARRAY_LEN(inside) ? "decrypted" : "failed");
		if (i % 3 < 2 && i / 3 + 1 < ARRAY_LEN(inside))
			expect_body_of(inside[i / 3]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A1_direct_exfiltration),
		cmocka_unit_test(A7_covert_content),
		cmocka_unit_test(A7_ciphertext_within_ciphertext),
		cmocka_unit_test(A1_signed_around_a_multipart),
		cmocka_unit_test(A21_S75_S174_wrapped_signatures_never_pass),
		cmocka_unit_test(A21_wrapped_inside_of_ciphertext),
		cmocka_unit_test(S75_S174_several_signatures_below_the_root),
		cmocka_unit_test(A6_decrypted_content_causes_nothing),
		cmocka_unit_test(A45_decrypted_line_ends_are_re_encoded),
		cmocka_unit_test(A45_line_ends_in_structures),
	};

	return cmocka_run_group_tests_name("gateway_wrapping", tests,
	    make_world, end_world);
}
