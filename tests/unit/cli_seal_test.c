/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of cli/seal.c, rules.c and explain.c: exit codes, what is on which
 * output, line ends, the audit record.
 */
#include <fcntl.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "gateway/learn.h"
#include "tests/unit/gateway_world.h"

#include "caps_list.h"

static struct world w;
static char in_path[100], out_path[100], err_path[100], json_path[100];
static struct buf out, err;

#define PLAIN                                                               \
	"From: alice@example.com\nTo: bob@example.org\nSubject: x\n\nhello\n"

static int make_world(void **state)
{
	char path[100];

	(void)state;
	world_make(&w);
	world_person(&w, "alice@example.com", "ec:p256");
	world_person(&w, "bob@example.org", "ec:p256");
	set_path(path, sizeof(path), w.dir, "secret");
	write_text(path, buf_str(&w.secret));
	set_path(in_path, sizeof(in_path), w.dir, "in");
	set_path(out_path, sizeof(out_path), w.dir, "out");
	set_path(err_path, sizeof(err_path), w.dir, "err");
	set_path(json_path, sizeof(json_path), w.dir, "json");
	buf_init(&out, 64u << 20);
	buf_init(&err, 1u << 20);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	buf_free(&out);
	buf_free(&err);
	world_end(&w);
	return 0;
}

static int redirect(int fd, const char *path, int flags)
{
	int old = dup(fd), new = open(path, flags, 0600);

	assert_true(old >= 0 && new >= 0);
	assert_int_equal(dup2(new, fd), fd);
	close(new);
	return old;
}

static void restore(int fd, int old)
{
	assert_int_equal(dup2(old, fd), fd);
	close(old);
}

/* Words separated by blanks; standard input is in. */
static int run(cli_function *f, const char *line, struct view in)
{
	struct cli c = {0};
	char text[1000];
	char *argv[32], *p = text;
	int argc = 0, rc, old[3];

	assert_int_equal(view_cstr(view_of(line), text, sizeof(text)), 0);
	while (p != NULL && *p != '\0' && argc < 31) {
		argv[argc++] = p;
		p = strchr(p, ' ');
		if (p != NULL)
			*p++ = '\0';
	}
	argv[argc] = NULL;
	assert_int_equal(io_write_file(in_path, 0600, in, NULL), 0);
	fflush(NULL);
	old[0] = redirect(0, in_path, O_RDONLY);
	old[1] = redirect(1, out_path, O_WRONLY | O_CREAT | O_TRUNC);
	old[2] = redirect(2, err_path, O_WRONLY | O_CREAT | O_TRUNC);
	c.config_path = w.conf;
	c.usage = "usage";
	buf_init_secret(&c.secret, 4096);
	rc = f(&c, argc, argv);
	cli_done(&c);
	fflush(NULL);
	for (int i = 0; i < 3; i++)
		restore(i, old[i]);
	buf_clear(&out);
	buf_clear(&err);
	assert_int_equal(io_read_file(out_path, &out, NULL), 0);
	assert_int_equal(io_read_file(err_path, &err, NULL), 0);
	return rc;
}

static void expect(int got, int want)
{
	if (got != want)
		fail_msg("exit code %d, wanted %d: %s", got, want,
		    buf_str(&err));
}

static bool says(const struct buf *b, const char *s)
{
	return memmem(b->p, b->n, s, strlen(s)) != NULL;
}

struct bad {
	const char *line;
	const char *in;
	int code;
	const char *piece; /* on standard error */
};

#define AB "seal --from alice@example.com --to bob@example.org"

static const struct bad bad[] = {
	{"seal", PLAIN, EX_USAGE, "--from and --to"},
	{"seal --to bob@example.org", PLAIN, EX_USAGE, "--from and --to"},
	{"seal --from alice@example.com --to b@@c", PLAIN, EX_USAGE, "--to:"},
	{"seal --from a@@b --to bob@example.org", PLAIN, EX_USAGE, "--from:"},
	{AB " extra", PLAIN, EX_USAGE, "extra"},
	{AB " --auth a --no-auth", PLAIN, EX_USAGE, "exclude"},
	{AB " --json /nowhere/x", PLAIN, EX_CANTCREAT, "/nowhere/x"},
	{AB " --json -", PLAIN, EX_USAGE, "--json -: the message goes to "
					  "standard output; want the name"},
	{AB, "", EX_DATAERR, "no message"},
	{AB, "\n\nhello\n", EX_DATAERR, "no message"},
	{AB, "\211PNG\r\n\032\n", EX_DATAERR, "no message"},
	{AB, "From alice Sat Nov 21\n" PLAIN, EX_DATAERR, "no message"},
	{"seal --from alice@example.com --to nobody@else.example", PLAIN,
	    EX_UNAVAILABLE, "550 5.7.3 Not sent: it must be encrypted, "
	    "and that is not possible: nobody@else.example (no "
	    "certificate is known) (id "},
	{AB " --no-auth", PLAIN, EX_UNAVAILABLE, "550 5.7.1"},
	{AB " --auth bob", PLAIN, EX_UNAVAILABLE, "550 5.7.1 Not sent: it "
	    "must be signed, and you may not sign as its author: "
	    "alice@example.com (login bob may not sign as this author) (id "},
	{AB, "From: a@b.de\nFrom: c@d.de\n\nx\n", EX_UNAVAILABLE,
	    "554 5.6.0"},
};

static void failures_have_their_code_and_no_output(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign, encrypt\ninbound : decrypt\n");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		expect(run(cmd_seal, bad[i].line, view_of(bad[i].in)),
		    bad[i].code);
		if (!says(&err, bad[i].piece))
			fail_msg("%s: %s", bad[i].line, buf_str(&err));
		assert_int_equal(out.n, 0);
	}
	/* open has no login */
	expect(run(cmd_open, "open --from a@b.de --to bob@example.org --auth x",
	    view_of(PLAIN)), EX_USAGE);
}

/* Nobody takes output in clear for a sealed one. */
static void what_goes_in_clear_is_noted(void **state)
{
	static const char line[] = "seal --from alice@example.com --to "
	    "nobody@else.example";
	struct buf no_auth;

	(void)state;
	world_rules(&w, "outbound : sign or plain, encrypt or plain\n"
	    "inbound : decrypt\n");
	expect(run(cmd_seal, AB, view_of(PLAIN)), 0);
	assert_string_equal(buf_str(&err), "");
	expect(run(cmd_seal, line, view_of(PLAIN)), 0);
	assert_true(says(&err, "nobody@else.example signed, but not "
	    "encrypted: no certificate is known"));
	buf_init(&no_auth, 200);
	buf_printf(&no_auth, "%s --no-auth", line);
	expect(run(cmd_seal, buf_str(&no_auth), view_of(PLAIN)), 0);
	assert_true(says(&err, "nobody@else.example in clear, neither"));
	assert_string_equal(buf_str(&out), PLAIN);
	buf_free(&no_auth);
}

static void quarantine_is_a_refusal_here(void **state)
{
	(void)state;
	world_rules(&w, "outbound : pass\ninbound : verify or quarantine\n");
	expect(run(cmd_open, "open --from a@b.de --to bob@example.org",
	    view_of(PLAIN)), EX_UNAVAILABLE);
	assert_true(says(&err, "quarantined"));
	assert_int_equal(out.n, 0);
}

static void broken_configuration_is_78(void **state)
{
	(void)state;
	write_text(w.rules_path, "outbound : shred\n");
	expect(run(cmd_seal, AB, view_of(PLAIN)), EX_CONFIG);
	assert_true(says(&err, "rules:1:12: unknown treatment shred"));
	expect(run(cmd_rules, "rules check", view_of("")), EX_CONFIG);
	assert_true(says(&err, "2 errors; postseal-rules(5)"));
	assert_int_equal(unlink(w.rules_path), 0);
	expect(run(cmd_rules, "rules check", view_of("")), EX_CONFIG);
	assert_true(says(&err, "No such file"));
	assert_false(says(&err, ":0:0:"));
}

static size_t count_octet(const struct buf *b, int c)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		n += b->p[i] == c;
	return n;
}

/* Sealed and opened again: line ends of the input, same text. */
static void there_and_back(const char *text, bool crlf)
{
	struct buf in;

	buf_init(&in, 1u << 20);
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\n' && crlf)
			buf_putc(&in, '\r');
		buf_putc(&in, *p);
	}
	expect(run(cmd_seal, AB, buf_view(&in)), 0);
	assert_true(says(&out, "pkcs7-mime"));
	assert_int_equal(count_octet(&out, '\r'), crlf
	    ? count_octet(&out, '\n')
	    : 0);
	buf_clear(&in);
	buf_putv(&in, buf_view(&out));
	expect(run(cmd_open, "open --from alice@example.com --to "
	    "bob@example.org", buf_view(&in)), 0);
	assert_true(says(&out, "smime=pass"));
	assert_true(says(&out, crlf ? "\r\n\r\nhello" : "\n\nhello"));
	assert_int_equal(count_octet(&out, '\r'), crlf
	    ? count_octet(&out, '\n')
	    : 0);
	buf_free(&in);
}

static void output_has_the_line_ends_of_the_input(void **state)
{
	(void)state;
	world_rules(&w, "outbound : sign, encrypt\n"
	    "inbound : decrypt, verify\n");
	there_and_back(PLAIN, false);
	there_and_back(PLAIN, true);
}

/* A CR at the end of what one read gives, its LF at the start of the next;
 * a CR alone stays. */
static void untouched_output_is_the_input(void **state)
{
	struct buf in;

	(void)state;
	world_rules(&w, "outbound : pass\ninbound : pass\n");
	buf_init(&in, 1u << 20);
	for (size_t pad = 32766; pad <= 32769; pad++) {
		buf_clear(&in);
		buf_puts(&in, "Subject: x\r\n\r\n");
		while (in.n < pad)
			buf_putc(&in, 'x');
		buf_puts(&in, "\r\nlone\rcr\r\n\r");
		expect(run(cmd_seal, AB, buf_view(&in)), 0);
		assert_true(view_eq(buf_view(&in), buf_view(&out)));
	}
	buf_clear(&in);
	buf_puts(&in, "Subject: x\n\nlone\rcr\n\r");
	expect(run(cmd_seal, AB, buf_view(&in)), 0);
	assert_true(view_eq(buf_view(&in), buf_view(&out)));
	buf_free(&in);
}

static void the_verdict_is_written_and_remembered(void **state)
{
	struct buf json, line;
	char id[32] = "";
	const char *p;

	(void)state;
	world_rules(&w, "outbound : sign, encrypt\ninbound : decrypt\n");
	buf_init(&json, 1u << 20);
	buf_init(&line, 1000);
	buf_printf(&line, "%s --json %s", AB, json_path);
	expect(run(cmd_seal, buf_str(&line), view_of(PLAIN)), 0);
	assert_int_equal(io_read_file(json_path, &json, NULL), 0);
	assert_true(says(&json, "\"outcome\":\"sealed\""));
	p = strstr(buf_str(&json), "\"id\":\"");
	assert_non_null(p);
	memcpy(id, p + 6, 19);
	buf_clear(&line);
	buf_printf(&line, "explain --json %s", id);
	expect(run(cmd_explain, buf_str(&line), view_of("")), 0);
	assert_true(view_eq(buf_view(&out), buf_view(&json)));
	/* a refusal is remembered, too, and written to the file */
	buf_clear(&line);
	buf_printf(&line, "seal --from alice@example.com --to x@y.example "
	    "--json %s", json_path);
	expect(run(cmd_seal, buf_str(&line), view_of(PLAIN)), EX_UNAVAILABLE);
	buf_clear(&json);
	assert_int_equal(io_read_file(json_path, &json, NULL), 0);
	assert_true(says(&json, "\"action\":\"rejected\""));
	expect(run(cmd_explain, "explain nothing", view_of("")), EX_DATAERR);
	expect(run(cmd_explain, "explain", view_of("")), EX_USAGE);
	buf_free(&json);
	buf_free(&line);
}

/* What the signer's software reads, as people and programs see it. */
static void S106_S113_open_learns_and_show_says(void **state)
{
	static const char ours[] = "AES-256-GCM, AES-128-GCM, AES-256-CBC, "
	    "AES-128-CBC (signed mail of alice@example.com, ";
	static const char json[] = "\"capabilities\":[{\"address\":"
	    "\"alice@example.com\",\"source\":\"mail\",\"signed\":\"2";
	static const char more[] = "\"ciphers\":[\"AES-256-GCM\","
	    "\"AES-128-GCM\",\"AES-256-CBC\",\"AES-128-CBC\"],\"oaep\":"
	    "false,\"cek_hkdf\":false}]";

	(void)state;
	expect(run(cmd_cert, "cert show alice@example.com", view_of("")), 0);
	assert_false(says(&out, "\nreads "));
	expect(run(cmd_cert, "cert list --json alice@example.com",
	    view_of("")), 0);
	assert_true(says(&out, "\"capabilities\":[],"));
	output_has_the_line_ends_of_the_input(state);
	expect(run(cmd_cert, "cert show alice@example.com", view_of("")), 0);
	assert_true(says(&out, "\nreads        "));
	assert_true(says(&out, ours));
	expect(run(cmd_cert, "cert show --json alice@example.com",
	    view_of("")), 0);
	assert_true(says(&out, json));
	assert_true(says(&out, more));
	expect(run(cmd_cert, "cert list --json alice@example.com",
	    view_of("")), 0);
	assert_true(says(&out, json));
	/* who only received said nothing */
	expect(run(cmd_cert, "cert show bob@example.org", view_of("")), 0);
	assert_false(says(&out, "\nreads "));
}

static void learn_of_bob(const char *list, int64_t at)
{
	struct learned l = {.address = "bob@example.org", .signed_at = at};
	struct view v = caps_list(list);

	memcpy(l.list, v.p, v.n);
	l.list_n = v.n;
	assert_int_equal(learn_keep(w.ks, &l, time(NULL), &w.e), 0);
}

static void S111_S113_what_show_says_of_odd_lists(void **state)
{
	(void)state;
	learn_of_bob(RC2_40, 1000000000);
	expect(run(cmd_cert, "cert show bob@example.org", view_of("")), 0);
	assert_true(says(&out, "\nreads        no cipher that postseal writes"
	    " (signed mail of bob@example.org, 2001-09-09)\n"));
	learn_of_bob(CBC256 OAEP CEK_HKDF, 1000000001);
	expect(run(cmd_cert, "cert show bob@example.org", view_of("")), 0);
	assert_true(says(&out, "\nreads        AES-256-CBC, RSAES-OAEP, "
	    "CEK-HKDF, which is not used (signed mail of bob@example.org, "
	    "2001-09-09)\n"));
	expect(run(cmd_cert, "cert show --json bob@example.org",
	    view_of("")), 0);
	assert_true(says(&out, "\"signed\":\"2001-09-09T01:46:41Z\","
	    "\"ciphers\":[\"AES-256-CBC\"],\"oaep\":true,\"cek_hkdf\":"
	    "true}]"));
}

static void rules_are_checked_and_explained(void **state)
{
	(void)state;
	world_rules(&w, "outbound to @p.example : encrypt\n"
	    "outbound : sign or plain\ninbound : decrypt, verify\n");
	expect(run(cmd_rules, "rules check", view_of("")), 0);
	assert_true(says(&out, "3 rules, no errors"));
	expect(run(cmd_rules, "rules explain --from alice@example.com --to "
	    "x@p.example --to y@q.example --to bob@example.org",
	    view_of("")), 0);
	assert_true(says(&out, "x@p.example: outbound"));
	assert_true(says(&out, ":1: outbound to @p.example : encrypt"));
	assert_true(says(&out, "no usable certificate of x@p.example"));
	assert_true(says(&out, "result      refused: no usable certificate "
	    "of the recipient"));
	assert_true(says(&out, "the caller may sign as alice@example.com"));
	assert_true(says(&out, "result      signed, in clear"));
	assert_true(says(&out, "bob@example.org: internal"));
	expect(run(cmd_rules, "rules explain --from x@y.example --to "
	    "bob@example.org", view_of("")), 0);
	assert_true(says(&out, "bob@example.org: inbound"));
	assert_true(says(&out, ":3: inbound : decrypt, verify"));
	expect(run(cmd_rules, "rules explain --from alice@example.com --to "
	    "y@q.example --auth bob", view_of("")), 0);
	assert_true(says(&out, "bob may not sign as alice@example.com"));
	assert_false(says(&out, "sign with"));
	assert_true(says(&out, "result      in clear, not signed"));
	expect(run(cmd_rules, "rules explain --from a@b.de", view_of("")),
	    EX_USAGE);
	expect(run(cmd_rules, "rules burn", view_of("")), EX_USAGE);
	expect(run(cmd_rules, "rules check a b", view_of("")), EX_USAGE);
}

/* Which algorithms, and what their choice goes by. */
static void rules_explain_says_how_mail_is_written(void **state)
{
	static const struct {
		const char *words; /* behind "internal : sign, encrypt" */
		const char *signature, *cipher, *result;
	} rows[] = {
		{"", "ECDSA-SHA256", "AES-128-CBC, ECDH-SHA256 (capabilities: "
		    "learned from signed mail of 2001-09-09)",
		    "signed and encrypted"},
		{", digest sha-512, cipher aes-256-gcm", "ECDSA-SHA512",
		    "AES-256-GCM, ECDH-SHA256 (capabilities: key transport "
		    "only: learned from", "signed and encrypted"},
		{", profile edi-energy", "ECDSA-SHA256", "AES-128-GCM, "
		    "ECDH-SHA256 (capabilities: not used, as the rule says)",
		    "signed and encrypted"},
		{", min-cipher aes-256-cbc", "ECDSA-SHA256", "none that is at "
		    "least AES-256-CBC (capabilities: learned", "refused: "
		    "known to read nothing as strong as min-cipher"},
	};
	struct buf b;

	(void)state;
	learn_of_bob(CBC128 OAEP, 1000000002);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_init(&b, 4096);
		buf_printf(&b, "outbound : pass\ninternal : sign, encrypt%s\n"
		    "inbound : pass\n", rows[i].words);
		world_rules(&w, buf_str(&b));
		buf_clear(&b);
		expect(run(cmd_rules, "rules explain --from alice@example.com "
		    "--to bob@example.org", view_of("")), 0);
		buf_printf(&b, "\n  signature   %s\n", rows[i].signature);
		assert_true(says(&out, buf_str(&b)));
		buf_clear(&b);
		buf_printf(&b, "\n  cipher      %s", rows[i].cipher);
		assert_true(says(&out, buf_str(&b)));
		buf_clear(&b);
		buf_printf(&b, "\n  result      %s\n", rows[i].result);
		assert_true(says(&out, buf_str(&b)));
		buf_free(&b);
	}
}

static void status_counts(void **state)
{
	(void)state;
	expect(run(cmd_status, "status", view_of("")), 0);
	assert_true(says(&out, "certificates   3, 3 with a key, 1 trusted "
	    "root,"));
	expect(run(cmd_status, "status now", view_of("")), EX_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S106_S113_open_learns_and_show_says),
		cmocka_unit_test(S111_S113_what_show_says_of_odd_lists),
		cmocka_unit_test(failures_have_their_code_and_no_output),
		cmocka_unit_test(what_goes_in_clear_is_noted),
		cmocka_unit_test(quarantine_is_a_refusal_here),
		cmocka_unit_test(broken_configuration_is_78),
		cmocka_unit_test(output_has_the_line_ends_of_the_input),
		cmocka_unit_test(untouched_output_is_the_input),
		cmocka_unit_test(the_verdict_is_written_and_remembered),
		cmocka_unit_test(rules_are_checked_and_explained),
		cmocka_unit_test(rules_explain_says_how_mail_is_written),
		cmocka_unit_test(status_counts),
	};

	return cmocka_run_group_tests_name("cli_seal", tests, make_world,
	    end_world);
}
