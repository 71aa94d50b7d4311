/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The certificate half of the command, run in this process on throw-away
 * folders: exit codes, what is said, what is in the store afterwards; and
 * options and tables.
 */
#include "tests/unit/keystore_util.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include <openssl/cms.h>

#include "cli/cli.h"

#define ARGS 16

static char dir[64]; /* of the test that runs */
static char conf[128];
static char out[65536], err[65536]; /* what the last command said */

/* ---- running ---- */

static void slurp(const char *path, char *dst, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(dst, 1, size - 1, f);
	dst[n] = '\0';
	fclose(f);
}

static int redirect(const char *name, int fd)
{
	char path[128];
	int saved = dup(fd), to;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(to >= 0);
	dup2(to, fd);
	close(to);
	return saved;
}

static void restore(int saved, int fd, const char *name, char *dst)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fflush(stdout);
	fflush(stderr);
	dup2(saved, fd);
	close(saved);
	slurp(path, dst, sizeof(out));
}

/* One command, its words separated by single blanks. */
static int run(cli_function *verb, const char *line)
{
	struct cli c = { .config_path = conf };
	char words[1024], *argv[ARGS], *p = words;
	int argc = 0, rc, saved_out, saved_err;

	snprintf(words, sizeof(words), "%s", line);
	while (p != NULL) {
		assert_true(argc < ARGS);
		argv[argc++] = strsep(&p, " ");
	}
	buf_init_secret(&c.secret, 65536);
	fflush(stdout);
	saved_out = redirect("stdout", STDOUT_FILENO);
	saved_err = redirect("stderr", STDERR_FILENO);
	rc = verb(&c, argc, argv);
	cli_done(&c);
	restore(saved_out, STDOUT_FILENO, "stdout", out);
	restore(saved_err, STDERR_FILENO, "stderr", err);
	return rc;
}

static void expect(cli_function *verb, const char *line, int want)
{
	int rc = run(verb, line);

	if (rc != want)
		fail_msg("%s: exit code %d, want %d: %s%s", line, rc, want,
		    out, err);
}

static void said(const char *where, const char *what)
{
	if (strstr(where, what) == NULL)
		fail_msg("\"%s\" is not in: %s", what, where);
}

static const char *in_dir(const char *name)
{
	static char path[4][160];
	static int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void put(const char *name, const char *text, size_t n)
{
	FILE *f = fopen(in_dir(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
}

/* A command line with the folder in it, where it says %s. */
static const char *with(const char *before, const char *name)
{
	static char line[512];

	snprintf(line, sizeof(line), "%s %s", before, in_dir(name));
	return line;
}

/* ---- a folder for each test ---- */

static int setup(void **state)
{
	char line[256];

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/cli-cert-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(conf, sizeof(conf), "%s/try/postseal.conf", dir);
	snprintf(line, sizeof(line), "init --dir %s/try --domain example.com "
	    "--domain=Example.ORG", dir);
	expect(cmd_init, line, EX_OK);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind,
    struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void with_alice(void)
{
	expect(cmd_ca, "ca init --no-passphrase --permit=any --name=Test",
	    EX_OK);
	expect(cmd_ca, "ca issue --email alice@example.com --algorithm "
	    "ec:p256 --days 10", EX_OK);
}

/* ---- tests ---- */

static void init_makes_everything_once(void **state)
{
	static const struct {
		const char *name;
		mode_t mode;
	} made[] = { { "try/secret", 0600 }, { "try/keystore.db", 0640 },
		{ "try/rules", 0644 }, { "try/postseal.conf", 0644 },
		{ "try/run", 0755 }, { "try/spool", 0700 } };
	char line[256];
	struct stat st;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(made); i++) {
		assert_int_equal(stat(in_dir(made[i].name), &st), 0);
		assert_int_equal(st.st_mode & 07777, made[i].mode);
	}
	said(out, "ca init");
	slurp(conf, out, sizeof(out));
	said(out, "example.com example.org\n");
	snprintf(line, sizeof(line), "init --dir %s/try --domain x.example",
	    dir);
	expect(cmd_init, line, EX_CANTCREAT);
	said(err, "there already");
	expect(cmd_init, "init --domain x.example", EX_USAGE);
	expect(cmd_init, "init --dir /tmp/never", EX_USAGE);
	expect(cmd_init, "init --dir /tmp/never --domain not..a.domain",
	    EX_USAGE);
	expect(cmd_init, "init --dir /nonexistent/x --domain x.example",
	    EX_CANTCREAT);
	assert_int_equal(access("/tmp/never", F_OK), -1);
}

/* What init must not touch lies here; its mode must stay. */
static void plant(const char *folder, const char *name, mode_t mode)
{
	char link[256];

	snprintf(link, sizeof(link), "%s/%s", folder, name);
	assert_int_equal(mkdir(in_dir("elsewhere"), 0755), 0);
	assert_int_equal(mkdir(folder, 0755), 0);
	assert_int_equal(symlink(in_dir("elsewhere"), link), 0);
	assert_int_equal(chmod(folder, mode), 0);
}

static void expect_untouched(const char *folder)
{
	struct stat st;
	char line[256];

	snprintf(line, sizeof(line), "init --dir %s --domain x.example%s",
	    folder, geteuid() == 0 ? " --user nobody" : "");
	expect(cmd_init, line, EX_CANTCREAT);
	said(err, folder);
	assert_int_equal(stat(in_dir("elsewhere"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(st.st_uid, geteuid());
	snprintf(line, sizeof(line), "%s/keystore.db", folder);
	assert_int_equal(access(line, F_OK), -1);
}

static void A64_init_follows_no_planted_link(void **state)
{
	static const char *const name[] = { "run", "spool", "secret" };
	char folder[128], link[160];
	size_t i;

	(void)state;
	snprintf(folder, sizeof(folder), "%s", in_dir("planted"));
	for (i = 0; i < ARRAY_LEN(name); i++) {
		plant(folder, name[i], 0755);
		expect_untouched(folder);
		said(err, name[i]);
		said(err, "there already");
		snprintf(link, sizeof(link), "%s/%s", folder, name[i]);
		assert_int_equal(unlink(link), 0);
		assert_int_equal(rmdir(folder), 0);
		assert_int_equal(rmdir(in_dir("elsewhere")), 0);
	}
}

static void A64_init_refuses_a_folder_that_others_may_write(void **state)
{
	static const mode_t mode[] = { 0775, 0757, 01777 };
	char folder[128], line[256];
	size_t i;

	(void)state;
	snprintf(folder, sizeof(folder), "%s", in_dir("shared"));
	assert_int_equal(mkdir(folder, 0755), 0);
	snprintf(line, sizeof(line), "init --dir %s --domain x.example",
	    folder);
	for (i = 0; i < ARRAY_LEN(mode); i++) {
		assert_int_equal(chmod(folder, mode[i]), 0);
		expect(cmd_init, line, EX_CANTCREAT);
		said(err, "chmod go-w");
	}
	assert_int_equal(chmod(folder, 0755), 0);
	expect(cmd_init, line, EX_OK);
}

static void A64_init_refuses_a_folder_of_somebody_else(void **state)
{
	char folder[128], line[256];

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(folder, sizeof(folder), "%s", in_dir("planted"));
	plant(folder, "other", 0755);
	assert_int_equal(chown(folder, 65534, 65534), 0);
	expect_untouched(folder);
	said(err, "belongs to");
	/* Nor one that they could exchange under our hands. */
	snprintf(line, sizeof(line), "init --dir %s/new --domain x.example",
	    folder);
	expect(cmd_init, line, EX_CANTCREAT);
	said(err, folder);
	said(err, "belongs to");
}

static void init_of_a_service_has_two_folders(void **state)
{
	static const char *const gone[] = { "etc/keystore.db", "etc/spool",
		"etc/run", "var/secret", "var/run" };
	char line[256], text[sizeof(out)];
	size_t i;

	(void)state;
	snprintf(line, sizeof(line), "init --dir %s/etc --state %s/var "
	    "--domain x.example", dir, dir);
	expect(cmd_init, line, EX_OK);
	assert_int_equal(access(in_dir("etc/secret"), F_OK), 0);
	assert_int_equal(access(in_dir("var/keystore.db"), F_OK), 0);
	assert_int_equal(access(in_dir("var/spool"), F_OK), 0);
	for (i = 0; i < ARRAY_LEN(gone); i++)
		assert_int_equal(access(in_dir(gone[i]), F_OK), -1);
	snprintf(conf, sizeof(conf), "%s", in_dir("etc/postseal.conf"));
	slurp(conf, text, sizeof(text));
	said(text, "unix:/run/postseal/milter.sock");
	expect(cmd_ca, "ca init --no-passphrase", EX_OK);
	/* A store that is there is not written over by a new folder. */
	snprintf(line, sizeof(line), "init --dir %s/etc2 --state %s/var "
	    "--domain x.example", dir, dir);
	expect(cmd_init, line, EX_CANTCREAT);
	said(err, "var/keystore.db is there already");
	assert_int_equal(access(in_dir("etc2/postseal.conf"), F_OK), -1);
}

static void what_is_not_there_is_named_with_the_next_step(void **state)
{
	(void)state;
	expect(cmd_cert, "cert list", EX_OK);
	said(err, "none yet");
	said(err, "postseal cert import FILE");
	expect(cmd_key, "key list", EX_OK);
	said(err, "postseal key import FILE");
	expect(cmd_cert, "cert list x@y.example", EX_DATAERR);
	said(err, "x@y.example: no certificate; ");
	expect(cmd_cert, "cert trust abcdef", EX_DATAERR);
	said(err, "neither a file nor");
	assert_int_equal(mkdir(in_dir("many"), 0700), 0);
	expect(cmd_cert, with("cert import", "many"), EX_DATAERR);
	said(err, "no file in this folder");
	snprintf(conf, sizeof(conf), "%s", dir);
	expect(cmd_cert, "cert list", EX_CONFIG);
	said(err, "a folder; wanted a file");
}

static void ca_and_its_faults(void **state)
{
	(void)state;
	expect(cmd_ca, "ca issue --email alice@example.com", EX_CONFIG);
	said(err, "ca init");
	with_alice();
	said(out, "ec:p256");
	expect(cmd_ca, "ca init --no-passphrase", EX_CONFIG);
	expect(cmd_ca, "ca issue", EX_USAGE);
	expect(cmd_ca, "ca issue --email alice", EX_USAGE);
	expect(cmd_ca, "ca issue --email a@b.example --days 0", EX_USAGE);
	expect(cmd_ca, "ca issue --email a@b.example --days 1x", EX_USAGE);
	expect(cmd_ca, "ca issue --email a@b.example --use none", EX_USAGE);
	expect(cmd_ca, "ca issue --email a@b.example --algorithm rsa:512",
	    EX_DATAERR);
	expect(cmd_ca, "ca sell", EX_USAGE);
	expect(cmd_ca, "ca", EX_USAGE);
	expect(cmd_cert, "cert list alice@example.com", EX_OK);
	said(out, "alice@example.com");
}

static void list_and_show(void **state)
{
	(void)state;
	expect(cmd_cert, "cert list --json", EX_OK);
	assert_string_equal(out, "[]\n");
	with_alice();
	expect(cmd_cert, "cert list", EX_OK);
	said(out, "trusted root");
	said(out, "alice@example.com");
	expect(cmd_cert, "cert list --json @example.com", EX_OK);
	said(out, "\"addresses\":[\"alice@example.com\"]");
	said(out, "\"has_key\":true");
	said(out, "\"expired\":false");
	expect(cmd_cert, "cert list bob@example.com", EX_DATAERR);
	expect(cmd_cert, "cert list --json bob@example.com", EX_OK);
	assert_string_equal(out, "[]\n");
	expect(cmd_cert, "cert list nonsense", EX_DATAERR);
	expect(cmd_cert, "cert list a b", EX_USAGE);
	expect(cmd_cert, "cert show alice@example.com", EX_OK);
	said(out, "path         good, to CN=Test");
	said(out, "\nkey usage    signature key-agreement\n");
	expect(cmd_cert, "cert show --json alice@example.com", EX_OK);
	expect(cmd_cert, "cert show bob@example.com", EX_DATAERR);
	expect(cmd_cert, "cert show", EX_USAGE);
	expect(cmd_key, "key list", EX_OK);
	said(out, "alice@example.com");
}

static void expired_ones_are_marked(void **state)
{
	struct buf text;
	FILE *f;

	(void)state;
	with_alice();
	/* Long after: by the clock that tests may set. */
	buf_init(&text, 65536);
	slurp(conf, out, sizeof(out));
	buf_printf(&text, "%sverify-policy { time 4000000000 }\n", out);
	f = fopen(conf, "w");
	fputs(buf_str(&text), f);
	fclose(f);
	buf_free(&text);
	expect(cmd_cert, "cert list", EX_OK);
	said(out, "EXPIRED");
	expect(cmd_cert, "cert list --json", EX_OK);
	said(out, "\"expired\":true");
}

static void a_photo_is_no_certificate(void **state)
{
	static const char jpeg[] = "\xff\xd8\xff\xe0\0\020JFIF\0\1\1\1\0H";

	(void)state;
	put("photo", jpeg, sizeof(jpeg));
	expect(cmd_cert, with("cert import", "photo"), EX_DATAERR);
	said(err, "JPEG image data");
	expect(cmd_cert, with("cert import", "none"), EX_DATAERR);
	said(err, "No such file");
	expect(cmd_cert, "cert import", EX_USAGE);
	expect(cmd_cert, with("cert trust", "photo"), EX_DATAERR);
}

static void good_ones_of_several_unless_strict(void **state)
{
	(void)state;
	with_alice();
	expect(cmd_cert, with("cert export alice@example.com --out", "a.pem"),
	    EX_OK);
	expect(cmd_cert, with("cert export alice@example.com --out", "a.pem"),
	    EX_OK); /* the same */
	expect(cmd_cert, with("cert export alice@example.com --chain --out",
	    "a.pem"), EX_CANTCREAT);
	said(err, "a.pem: is there already");
	expect(cmd_cert, "cert remove alice@example.com --yes", EX_OK);
	assert_int_equal(mkdir(in_dir("many"), 0700), 0);
	put("many/a", "no certificate", 14);
	assert_int_equal(link(in_dir("a.pem"), in_dir("many/b")), 0);
	put("many/c", "nor this", 8);
	expect(cmd_cert, with("cert import --strict", "many"), EX_DATAERR);
	said(err, "nothing was imported");
	assert_string_equal(out, "");
	expect(cmd_cert, "cert list alice@example.com", EX_DATAERR);
	expect(cmd_cert, with("cert import", "many"), EX_DATAERR);
	said(out, "many/b: certificate alice@example.com");
	said(err, "many/a: ASCII text");
	said(err, "2 refused, 1 imported");
	expect(cmd_cert, "cert list alice@example.com", EX_OK);
}

/* As a mail program writes it, with the line ends of a saved file. */
static void put_mail(const char *name, unsigned flags)
{
	const struct spec s = { .san = "email:bob@example.com" };
	BIO *in = BIO_new_mem_buf("Content-Type: text/plain\r\n\r\nhi\r\n",
	    -1);
	BIO *to = BIO_new_file(in_dir(name), "w");
	CMS_ContentInfo *cms;
	struct made m;

	cert_make(&m, &s, NULL);
	flags |= CMS_BINARY | CMS_STREAM;
	cms = CMS_sign(m.x, m.key, NULL, in, flags);
	assert_non_null(cms);
	BIO_puts(to, "From: bob@example.com\nSubject: signed\n");
	assert_int_equal(SMIME_write_CMS(to, cms, in, (int)flags), 1);
	CMS_ContentInfo_free(cms);
	BIO_free(in);
	BIO_free(to);
	made_free(&m);
}

static void signed_mail_gives_its_certificate(void **state)
{
	static const char plain[] = "From: bob@example.com\nSubject: x\n\n"
	    "hello\n";

	(void)state;
	put("mail", plain, sizeof(plain) - 1);
	expect(cmd_cert, with("cert import", "mail"), EX_DATAERR);
	said(err, "not a certificate");
	put_mail("mail", CMS_DETACHED);
	expect(cmd_cert, with("cert import", "mail"), EX_OK);
	said(out, "certificate bob@example.com");
	expect(cmd_cert, "cert remove --yes bob@example.com", EX_OK);
	put_mail("mail", 0); /* opaque */
	expect(cmd_cert, with("cert import", "mail"), EX_OK);
	said(out, "certificate bob@example.com");
}

static void remove_asks(void **state)
{
	(void)state;
	with_alice();
	if (isatty(STDIN_FILENO) == 0)
		expect(cmd_cert, "cert remove alice@example.com", EX_USAGE);
	expect(cmd_cert, "cert list alice@example.com", EX_OK);
	expect(cmd_cert, "cert remove --yes alice@example.com", EX_OK);
	expect(cmd_cert, "cert list alice@example.com", EX_DATAERR);
	expect(cmd_cert, "cert remove --yes alice@example.com", EX_DATAERR);
	expect(cmd_cert, "cert remove --yes", EX_USAGE);
}

/* The first SHA-256 in the last output. */
static const char *sha_of_output(void)
{
	static char sha[65];
	const char *p = strstr(out, "\"sha256\":\"");

	assert_non_null(p);
	snprintf(sha, sizeof(sha), "%s", p + 10);
	return sha;
}

static void trust_and_distrust(void **state)
{
	char line[256], root[65], leaf[65];

	(void)state;
	with_alice();
	expect(cmd_cert, "cert list --json alice@example.com", EX_OK);
	snprintf(leaf, sizeof(leaf), "%s", sha_of_output());
	expect(cmd_cert, "cert list --json", EX_OK); /* the root is first */
	snprintf(root, sizeof(root), "%s", sha_of_output());
	snprintf(line, sizeof(line), "cert distrust %.12s", root);
	expect(cmd_cert, line, EX_OK);
	expect(cmd_cert, "cert show alice@example.com", EX_OK);
	said(out, "path         none: no path to a trusted root");
	snprintf(line, sizeof(line), "cert trust %s", root);
	expect(cmd_cert, line, EX_OK);
	expect(cmd_cert, "cert show alice@example.com", EX_OK);
	said(out, "path         good");
	snprintf(line, sizeof(line), "cert trust %s", leaf);
	expect(cmd_cert, line, EX_DATAERR);
	said(err, "cannot be an anchor");
	snprintf(line, sizeof(line), "cert distrust %s", leaf);
	expect(cmd_cert, line, EX_OK);
	expect(cmd_cert, "cert list", EX_OK);
	said(out, "distrusted");
	snprintf(line, sizeof(line), "cert trust %s", leaf);
	expect(cmd_cert, line, EX_OK); /* lifted */
	expect(cmd_cert, "cert distrust 0123456789", EX_DATAERR);
	expect(cmd_cert, "cert distrust", EX_USAGE);
}

static void key_out_and_in(void **state)
{
	char line[512];
	struct stat st;

	(void)state;
	with_alice();
	put("pw", "secret words\r\nsecond line\n", 26);
	snprintf(line, sizeof(line), "key export --email Alice@example.com "
	    "--out %s --password-file %s", in_dir("a.p12"), in_dir("pw"));
	expect(cmd_key, line, EX_OK);
	assert_int_equal(stat(in_dir("a.p12"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	expect(cmd_key, line, EX_CANTCREAT); /* never over another */
	expect(cmd_cert, "cert remove --yes alice@example.com", EX_OK);
	snprintf(line, sizeof(line), "key export --email alice@example.com "
	    "--out %s --password-file %s", in_dir("mail"), in_dir("pw"));
	expect(cmd_key, line, EX_DATAERR);
	said(err, "no certificate with a private key");
	put("photo", "wrong\n", 6);
	snprintf(line, sizeof(line), "key import %s --password-file %s",
	    in_dir("a.p12"), in_dir("photo"));
	expect(cmd_key, line, EX_DATAERR);
	said(err, "does not open with this password");
	snprintf(line, sizeof(line), "key import %s --password-file %s "
	    "--email bob@example.com", in_dir("a.p12"), in_dir("pw"));
	expect(cmd_key, line, EX_DATAERR);
	snprintf(line, sizeof(line), "key import %s --password-file %s "
	    "--email alice@example.com", in_dir("a.p12"), in_dir("pw"));
	expect(cmd_key, line, EX_OK);
	said(out, "private key alice@example.com: imported");
	expect(cmd_key, "key list alice@example.com", EX_OK);
	expect(cmd_key, "key export --email alice@example.com", EX_USAGE);
	expect(cmd_key, "key export --out x", EX_USAGE);
	expect(cmd_key, "key import", EX_USAGE);
	/* A certificate alone is no key. */
	expect(cmd_cert, with("cert export alice@example.com --out", "a.pem"),
	    EX_OK);
	expect(cmd_key, with("key import", "a.pem"), EX_DATAERR);
	said(err, "no private key");
}

static void A64_secret_that_others_may_read(void **state)
{
	(void)state;
	expect(cmd_ca, "ca init --no-passphrase", EX_OK);
	assert_int_equal(chmod(in_dir("try/secret"), 0644), 0);
	expect(cmd_ca, "ca issue --email a@example.com", EX_CONFIG);
}

static void no_configuration(void **state)
{
	(void)state;
	snprintf(conf, sizeof(conf), "%s/nothing", dir);
	expect(cmd_cert, "cert list", EX_CONFIG);
	said(err, "postseal init");
	snprintf(conf, sizeof(conf), "%s/try/postseal.conf", dir);
	unlink(in_dir("try/keystore.db"));
	expect(cmd_cert, "cert list", EX_CONFIG);
}

/* Of what was said. */
static void no_line_is_longer_than(size_t columns)
{
	const char *line = out, *end;

	for (; (end = strchr(line, '\n')) != NULL; line = end + 1)
		assert_in_range(end - line, 0, columns);
}

static void options(void **state)
{
	(void)state;
	expect(cmd_cert, "cert list --unknown", EX_USAGE);
	said(err, "unknown option");
	expect(cmd_cert, "cert list --json=yes", EX_USAGE);
	expect(cmd_cert, "cert export x --out", EX_USAGE);
	said(err, "wants a value");
	expect(cmd_cert, "cert export x --out a --out b", EX_USAGE);
	said(err, "given twice");
	expect(cmd_cert, "cert list -- --json", EX_DATAERR); /* a name */
	expect(cmd_cert, "cert", EX_USAGE);
	said(err, "usage:");
	expect(cmd_cert, "cert --help", EX_OK);
	said(out, "cert import FILE...");
	said(out, "\n           [--use both|sign|encrypt|storage]\n");
	said(out, "\n       postseal cert list [--json] [WHAT]\n");
	no_line_is_longer_than(79);
}

static void tables_align_what_people_see(void **state)
{
	struct table *t = table_new(2);
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	table_cell(t, "J\xc3\xb6rg");
	table_cell(t, "x");
	table_cell(t, "Joachim");
	table_cell(t, "a\033[2J\nb");
	table_cell(t, "odd");
	assert_int_equal(table_print(t, &b), 0);
	assert_string_equal(buf_str(&b), "J\xc3\xb6rg     x\n"
	    "Joachim  a?[2J?b\nodd\n");
	table_free(&t);
	assert_null(t);
	table_free(&t);
	buf_free(&b);
}

static void exit_codes(void **state)
{
	static const struct {
		enum fail kind;
		int code;
	} want[] = { { FAIL_INPUT, 65 }, { FAIL_LIMIT, 65 },
		{ FAIL_POLICY, 69 }, { FAIL_TEMP, 75 }, { FAIL_CONFIG, 78 },
		{ FAIL_BUG, 70 } };
	struct err e = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(want); i++) {
		e.kind = want[i].kind;
		assert_int_equal(cli_code(&e), want[i].code);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(no_configuration),
		T(a_photo_is_no_certificate),
		T(A64_secret_that_others_may_read),
		T(options),
		T(init_makes_everything_once),
		T(A64_init_follows_no_planted_link),
		T(A64_init_refuses_a_folder_that_others_may_write),
		T(A64_init_refuses_a_folder_of_somebody_else),
		T(init_of_a_service_has_two_folders),
		T(what_is_not_there_is_named_with_the_next_step),
		T(ca_and_its_faults),
		T(list_and_show),
		T(expired_ones_are_marked),
		T(good_ones_of_several_unless_strict),
		T(signed_mail_gives_its_certificate),
		T(remove_asks),
		T(trust_and_distrust),
		T(key_out_and_in),
		cmocka_unit_test(tables_align_what_people_see),
		cmocka_unit_test(exit_codes),
	};

	return cmocka_run_group_tests_name("cli_cert", tests, NULL, NULL);
}
