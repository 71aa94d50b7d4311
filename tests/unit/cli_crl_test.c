/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal crl, and how revocation shows in postseal cert: exit codes and
 * what is said, on throw-away folders.
 */
#include "tests/unit/keystore_util.h"
#include "tests/unit/revocation_help.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/cli.h"
#include "util/when.h"

static char dir[64], conf[128];
static char out[65536], err[65536]; /* what the last command said */
static struct made root, leaf;
static int64_t now;

static const char *in_dir(const char *name)
{
	static char path[4][160];
	static int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static int redirect(const char *name, int fd)
{
	int saved = dup(fd);
	int to = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(to >= 0);
	dup2(to, fd);
	close(to);
	return saved;
}

static void restore(int saved, int fd, const char *name, char *dst)
{
	FILE *f = fopen(in_dir(name), "r");

	fflush(stdout);
	fflush(stderr);
	dup2(saved, fd);
	close(saved);
	assert_non_null(f);
	dst[fread(dst, 1, sizeof(out) - 1, f)] = '\0';
	fclose(f);
}

/* One command, its words separated by single blanks; %s is the folder. */
static void expect(cli_function *verb, const char *line, int want)
{
	struct cli c = { .config_path = conf };
	char words[1024], *argv[16], *p = words;
	int argc = 0, rc, saved_out, saved_err;

	snprintf(words, sizeof(words), "%s", line);
	while (p != NULL) {
		assert_true(argc < 16);
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
	if (rc != want)
		fail_msg("%s: exit code %d, want %d: %s%s", line, rc, want,
		    out, err);
}

static void on(cli_function *verb, const char *words, const char *name,
    int want)
{
	char line[512];

	snprintf(line, sizeof(line), "%s %s", words, in_dir(name));
	expect(verb, line, want);
}

static void said(const char *where, const char *what)
{
	if (strstr(where, what) == NULL)
		fail_msg("\"%s\" is not in: %s", what, where);
}

static void put(const char *name, struct view v)
{
	FILE *f = fopen(in_dir(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(v.p, 1, v.n, f), v.n);
	fclose(f);
}

static void put_list(const char *name, long number, bool revoke,
    int64_t until)
{
	struct rv_entry x = { leaf.x, now - DAY, 1, 0, NULL };
	struct rv_crl c = { .ca = root.x, .key = root.key, .from = now - 60,
		.until = until, .number = number, .entry = &x,
		.n = revoke ? 1 : 0 };
	struct buf b = rv_der(&c);

	put(name, buf_view(&b));
	buf_free(&b);
}

static int setup(void **state)
{
	char line[256];

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/cli-crl-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(conf, sizeof(conf), "%s/try/postseal.conf", dir);
	snprintf(line, sizeof(line), "init --dir %s/try --domain example.com",
	    dir);
	expect(cmd_init, line, EX_OK);
	put("root.der", cert_der(root.cert));
	put("leaf.der", cert_der(leaf.cert));
	on(cmd_cert, "cert trust", "root.der", EX_OK);
	on(cmd_cert, "cert import", "leaf.der", EX_OK);
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

/* ---- tests ---- */

static void nothing_yet(void **state)
{
	(void)state;
	expect(cmd_crl, "crl list", EX_OK);
	said(err, "none yet; \"postseal crl import FILE\"");
	expect(cmd_crl, "crl list --json", EX_OK);
	assert_string_equal(out, "[]\n");
	expect(cmd_crl, "crl", EX_USAGE);
	expect(cmd_crl, "crl import", EX_USAGE);
	expect(cmd_crl, "crl list all", EX_USAGE);
	expect(cmd_crl, "crl remove", EX_USAGE);
	expect(cmd_crl, "crl remove 12345678", EX_DATAERR);
	said(err, "12345678: no such CRL or OCSP response");
	expect(cmd_crl, "crl remove xyz", EX_DATAERR);
	on(cmd_crl, "crl import", "nowhere", EX_DATAERR);
	said(err, "nowhere: No such file");
	on(cmd_crl, "crl import", "leaf.der", EX_DATAERR);
	said(err, "leaf.der: certificate: no CRL; \"postseal cert import\" "
	    "takes certificates");
	put("x.pem", view_of("-----BEGIN CERTIFICATE-----\nMAA=\n"
	    "-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nMAA=\n"
	    "-----END PRIVATE KEY-----\n-----BEGIN WORDS-----\nMAA=\n"
	    "-----END WORDS-----\n"));
	on(cmd_crl, "crl import", "x.pem", EX_DATAERR);
	said(err, "x.pem: certificate: no CRL; \"postseal cert import\"");
	said(err, "x.pem: private key: no CRL; \"postseal key import\"");
	said(err, "x.pem: object: neither a CRL nor an OCSP response\n");
	put("x.der", view_make("\x30\x00", 2));
	on(cmd_crl, "crl import", "x.der", EX_DATAERR);
	said(err, "x.der: object: neither a CRL nor an OCSP response\n");
	on(cmd_crl, "crl import", "try/rules", EX_DATAERR);
	said(err, "try/rules: no CRL and no OCSP response, but ");
	put_list("list", 1, true, now + DAY);
	on(cmd_cert, "cert import", "list", EX_DATAERR);
	said(err, "\"postseal crl import\" takes revocation lists");
}

static void S73_a_list_is_imported_listed_and_removed(void **state)
{
	char sha[20], line[64];

	(void)state;
	put_list("list", 16, true, now + DAY);
	on(cmd_crl, "crl import", "list", EX_OK);
	said(out, "list: CRL of CN=root (number 10, until ");
	said(out, ", 1 revoked): imported\n");
	on(cmd_crl, "crl import", "list", EX_OK);
	said(out, ": known already\n");
	put_list("older", 15, false, now + DAY);
	on(cmd_crl, "crl import", "older", EX_DATAERR);
	said(err, "older: CRL of CN=root: not newer than the one in the "
	    "keystore");
	expect(cmd_crl, "crl list", EX_OK);
	said(out, "SHA-256");
	said(out, "1 revoked");
	said(out, "CN=root\n");
	assert_null(strstr(out, "STALE"));
	snprintf(sha, sizeof(sha), "%.16s", strchr(out, '\n') + 1);
	expect(cmd_crl, "crl list --json", EX_OK);
	said(out, "\"kind\":\"CRL\",\"issuer\":\"CN=root\",\"number\":\"10\","
	    "\"serial\":null,\"status\":null,\"entries\":1,");
	said(out, "\"stale\":false");
	snprintf(line, sizeof(line), "crl remove %s", sha);
	expect(cmd_crl, line, EX_OK);
	assert_string_equal(out, "1 removed\n");
	expect(cmd_crl, "crl list --json", EX_OK);
	assert_string_equal(out, "[]\n");
	on(cmd_crl, "crl import", "older", EX_OK);
}

static void of_several_files_the_good_ones(void **state)
{
	char line[512];

	(void)state;
	put_list("list", 1, true, now - 1);
	put("junk", view_of("junk"));
	snprintf(line, sizeof(line), "crl import %s/nowhere %s %s %s", dir,
	    in_dir("junk"), in_dir("list"), in_dir("leaf.der"));
	expect(cmd_crl, line, EX_DATAERR);
	said(out, "STALE since");
	said(err, "nowhere: No such file");
	said(err, "3 refused, 1 imported or known already");
	said(err, "junk: no CRL");
	said(err, "leaf.der: certificate: ");
	expect(cmd_crl, "crl list", EX_OK);
	said(out, "1 revoked, STALE");
	expect(cmd_crl, "crl list --json", EX_OK);
	said(out, "\"stale\":true");
}

static void S73_ocsp_is_imported_and_listed(void **state)
{
	struct rv_ocsp o = { .of = leaf.x, .ca = root.x, .by = root.x,
		.key = root.key, .status = V_OCSP_CERTSTATUS_REVOKED,
		.reason = 4, .at = now - DAY, .from = now - 60,
		.until = now + DAY };
	struct buf b = rv_ocsp_der(&o);

	(void)state;
	put("answer", buf_view(&b));
	buf_free(&b);
	on(cmd_crl, "crl import", "answer", EX_OK);
	said(out, "answer: OCSP response of ");
	said(out, " of CN=root (revoked, superseded, of ");
	expect(cmd_crl, "crl list", EX_OK);
	said(out, cert_serial_hex(leaf.cert));
	said(out, " revoked");
	expect(cmd_crl, "crl list --json", EX_OK);
	said(out, "\"kind\":\"OCSP\"");
	said(out, "\"status\":\"revoked\"");
	expect(cmd_cert, "cert list", EX_OK);
	said(out, "REVOKED");
}

static void S73_revoked_certificates_are_shown(void **state)
{
	(void)state;
	expect(cmd_cert, "cert list", EX_OK);
	assert_null(strstr(out, "REVOKED"));
	expect(cmd_cert, "cert check alice@example.com", EX_OK);
	said(out, "alice@example.com: usable; whether the certificate is "
	    "revoked is not known");
	put_list("list", 1, false, now + DAY);
	on(cmd_crl, "crl import", "list", EX_OK);
	expect(cmd_cert, "cert check alice@example.com", EX_OK);
	said(out, "alice@example.com: usable\n");
	expect(cmd_cert, "cert show alice@example.com", EX_OK);
	said(out, "\nrevocation   good\n");
	expect(cmd_cert, "cert show --json alice@example.com", EX_OK);
	said(out, "\"state\":\"usable\",\"usable\":true,\"path\":{\"ok\":true,"
	    "\"anchor\":\"CN=root\",\"reason\":null}");
	said(out, "\"revocation\":{\"status\":\"good\",\"since\":null,"
	    "\"reason\":null,\"source\":null,\"text\":null}");
	put_list("list", 2, true, now + DAY);
	on(cmd_crl, "crl import", "list", EX_OK);
	expect(cmd_cert, "cert list", EX_OK);
	said(out, "REVOKED");
	expect(cmd_cert, "cert list --json", EX_OK);
	said(out, "\"state\":\"revoked\",\"revocation\":{\"status\":"
	    "\"revoked\",\"since\":\"");
	said(out, "\"reason\":\"keyCompromise\",\"source\":\"CRL\"");
	said(out, "\"revocation\":null"); /* the root */
	expect(cmd_cert, "cert show alice@example.com", EX_OK);
	said(out, "\nstate        REVOKED\n");
	said(out, "\nrevocation   the certificate was revoked on ");
	expect(cmd_cert, "cert check alice@example.com", EX_UNAVAILABLE);
	said(out, "alice@example.com: the certificate was revoked on ");
	expect(cmd_cert, "cert check --json alice@example.com",
	    EX_UNAVAILABLE);
	said(out, "\"status\":\"revoked\"");
	said(out, "\"usable\":false,\"path\":{\"ok\":true,");
	expect(cmd_cert, "cert check nobody@example.com", EX_DATAERR);
	expect(cmd_cert, "cert check", EX_USAGE);
}

static void check_names_what_is_wrong(void **state)
{
	char line[128];

	(void)state;
	snprintf(line, sizeof(line), "cert distrust %s",
	    cert_sha256_hex(leaf.cert));
	expect(cmd_cert, line, EX_OK);
	expect(cmd_cert, "cert check @example.com", EX_UNAVAILABLE);
	said(out, "alice@example.com: distrusted\n");
	snprintf(line, sizeof(line), "cert trust %s",
	    cert_sha256_hex(leaf.cert));
	expect(cmd_cert, line, EX_OK);
	snprintf(line, sizeof(line), "cert distrust %s",
	    cert_sha256_hex(root.cert));
	expect(cmd_cert, line, EX_OK);
	expect(cmd_cert, "cert check @example.com", EX_UNAVAILABLE);
	said(out, "alice@example.com: no path to a trusted root");
	expect(cmd_cert, "cert check --json @example.com", EX_UNAVAILABLE);
	said(out, "\"state\":\"usable\",\"usable\":false,\"path\":{\"ok\":"
	    "false,\"anchor\":null,\"reason\":\"no path to a trusted root");
	expect(cmd_cert, "cert list --json @example.com", EX_OK);
	assert_null(strstr(out, "\"path\""));
}

/* A newer list that ends then. */
static void bring_until(const char *name, int64_t until)
{
	static long number;

	put_list(name, ++number, false, until);
	on(cmd_crl, "crl import", name, EX_OK);
}

static void status_says_which_lists_end(void **state)
{
	char date[WHEN_SIZE], want[200];

	(void)state;
	expect(cmd_status, "status", EX_OK);
	said(out, "\nCRLs           0, 0 stale\n");
	bring_until("later", now + 8 * DAY);
	expect(cmd_status, "status", EX_OK);
	snprintf(want, sizeof(want), "\nCRLs           1, 0 stale, the next "
	    "ends %s\n", when_timestamp(date, now + 8 * DAY));
	said(out, want);
	assert_null(strstr(out, "stale or soon"));
	bring_until("soon", now + DAY);
	expect(cmd_status, "status", EX_OK);
	snprintf(want, sizeof(want), "\nCRLs that are stale or soon will be:"
	    "\n  %s  CN=root: becomes stale\n", when_date(date, now + DAY));
	said(out, want);
	bring_until("stale", now - 1);
	expect(cmd_status, "status", EX_OK);
	said(out, "\nCRLs           1, 1 stale\n");
	said(out, "  CN=root: is stale since then\n");
}

static int make_certs(void **state)
{
	struct spec ca = CA_SPEC("root");
	struct spec s = { .cn = "alice", .san = "email:alice@example.com",
		.ku = "digitalSignature,keyAgreement" };

	(void)state;
	now = time(NULL);
	ca.from = s.from = now - 10 * DAY;
	ca.until = s.until = now + 100 * DAY;
	cert_make(&root, &ca, NULL);
	cert_make(&leaf, &s, &root);
	return 0;
}

static int drop_certs(void **state)
{
	(void)state;
	made_free(&root);
	made_free(&leaf);
	return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(nothing_yet),
		T(S73_a_list_is_imported_listed_and_removed),
		T(of_several_files_the_good_ones),
		T(S73_ocsp_is_imported_and_listed),
		T(S73_revoked_certificates_are_shown),
		T(check_names_what_is_wrong),
		T(status_says_which_lists_end),
	};

	return cmocka_run_group_tests_name("cli_crl", tests, make_certs,
	    drop_certs);
}
