/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Opening what a verb needs: configuration, keystore, secret, keys,
 * passwords. Here root is given up.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "cli/secret.h"
#include "keystore/rotate.h"
#include "util/ossl.h"
#include "util/proc.h"
#include "util/spool.h"

#define PASSWORD_MAX 1023
#define NOGROUP 65534

int cli_config_file(const char *path, const char *one)
{
	struct stat st;

	if (access(path, R_OK) != 0)
		return cli_say(EX_CONFIG, "configuration %s: %s; %s%s", path,
		    strerror(errno), errno == EACCES ?
		    "root or its owner may read it" : one, errno == EACCES ?
		    "" : ", \"postseal -c FILE ...\" names another");
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return cli_say(EX_CONFIG, "configuration %s: a folder; wanted "
		    "a file, like %s/postseal.conf", path, path);
	return EX_OK;
}

int cli_config_errors(const char *path, const struct conf_errors *ce,
    const char *page)
{
	fputs(buf_str(&ce->text), stderr);
	return cli_say(EX_CONFIG, "%s: %zu %s; %s explains every word", path,
	    ce->n, ce->n == 1 ? "error" : "errors", page);
}

int cli_config_any(struct cli *c)
{
	struct conf_errors ce;
	int rc;

	if (c->config != NULL)
		return EX_OK;
	rc = cli_config_file(c->config_path, "\"postseal init\" makes one");
	if (rc != EX_OK)
		return rc;
	conf_errors_init(&ce);
	if (config_read_any(&c->config, c->config_path, &ce) != 0)
		rc = cli_config_errors(c->config_path, &ce,
		    "postseal.conf(5)");
	conf_errors_free(&ce);
	return rc;
}

int cli_config(struct cli *c)
{
	int rc = cli_config_any(c);
	struct buf verb;

	if (rc != EX_OK || !c->config->is_relay_only)
		return rc;
	config_free(&c->config);
	buf_init(&verb, 256);
	for (size_t i = 0; i < ARRAY_LEN(c->verb); i++)
		if (c->verb[i] != NULL)
			buf_printf(&verb, " %s", c->verb[i]);
	rc = cli_say(EX_CONFIG, "%s: only relay { } is configured here, and "
	    "\"postseal%s\" is about postseal-milter; for the relay there "
	    "are its log (event=rcpt), \"postseal doctor\", \"postseal "
	    "relay check\" and \"postseal policy explain\"",
	    c->config_path, buf_str(&verb));
	buf_free(&verb);
	return rc;
}

/* Its folder and files are for the service's user, so is what needs them. */
static int fail_keystore(const struct cli *c, struct err *e)
{
	const char *path = c->config->keystore;
	struct stat st;

	if (stat(path, &st) != 0 && errno == ENOENT)
		return cli_say(EX_CONFIG, "keystore %s, named in %s: there is "
		    "none; \"postseal init\" makes one", path,
		    c->config->path);
	if (geteuid() != 0 && access(path, R_OK | W_OK) != 0 &&
	    errno == EACCES)
		return cli_say(EX_CONFIG, "keystore %s: Permission denied; "
		    "run it as root or as the keystore's owner", path);
	return cli_fail(e);
}

/* What is opened as root must have been put there by root: who may rename
 * in the folder chooses the file, and the log beside it (A64). */
static int check_roots_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct stat st;
	struct buf dir;
	int rc = EX_OK;

	buf_init(&dir, PATH_MAX);
	if (slash == NULL)
		buf_putc(&dir, '.');
	else
		buf_put(&dir, path, slash == path ? 1 :
		    (size_t)(slash - path));
	if (stat(buf_str(&dir), &st) != 0)
		rc = cli_say(EX_CONFIG, "%s: %s", buf_str(&dir),
		    strerror(errno));
	else if (st.st_uid != 0 || ((st.st_mode & 022) != 0 &&
	    (st.st_mode & S_ISVTX) == 0))
		rc = cli_say(EX_CONFIG, "keystore %s: belongs to root, but "
		    "others may write in its folder and so choose what root "
		    "opens; \"chown USER %s*\" with the service's user "
		    "mends it", path, path);
	buf_free(&dir);
	return rc;
}

gid_t cli_group(const struct stat *st)
{
	const struct passwd *pw;

	/* "chown USER" alone leaves a file in the group of root, whose files
	 * are not for who parses what is brought. */
	if (st->st_gid != 0)
		return st->st_gid;
	pw = getpwuid(st->st_uid);
	return pw != NULL && pw->pw_gid != 0 ? pw->pw_gid : NOGROUP;
}

/* The store's files belong to its owner, also those that appear now. */
static int drop_root(struct cli *c)
{
	struct err e = { 0 };
	struct stat st;

	if (c->dropped)
		return EX_OK;
	c->dropped = true;
	if (geteuid() != 0)
		return EX_OK;
	if (lstat(c->config->keystore, &st) != 0) {
		(void)err_sys(&e, FAIL_CONFIG, "keystore %s",
		    c->config->keystore);
		return fail_keystore(c, &e);
	}
	if (st.st_uid == 0)
		return check_roots_folder(c->config->keystore);
	/* The secret may be for root and the keys process alone, so the
	 * store's user cannot read it. Who needs it and has it not by then
	 * tries again, and says why it fails. */
	if (c->secret.n == 0 && secret_read(c->config, &c->secret,
	    &c->secret_why) != 0)
		buf_clear(&c->secret);
	if (proc_drop(st.st_uid, cli_group(&st), &e) != 0)
		return cli_fail(&e);
	return EX_OK;
}

static int open_store(struct cli *c, enum ks_mode mode)
{
	struct buf who, origin;
	struct err e = { 0 };
	int rc = cli_config(c);

	buf_init(&who, 1024);
	buf_init(&origin, 1024);
	if (mode == KS_WRITE) /* before root is given up */
		cli_actor(c, &who, &origin);
	if (rc == EX_OK)
		rc = drop_root(c);
	if (rc == EX_OK && keystore_open(&c->ks, c->config->keystore, mode,
	    &e) != 0)
		rc = fail_keystore(c, &e);
	if (rc == EX_OK && mode == KS_WRITE)
		keystore_set_actor(c->ks, buf_str(&who), buf_str(&origin));
	buf_free(&who);
	buf_free(&origin);
	return rc;
}

int cli_keystore(struct cli *c, enum ks_mode mode)
{
	return c->ks != NULL ? EX_OK : open_store(c, mode);
}

int cli_list_verb(struct cli *c, int argc, char **argv,
    int (*print)(struct cli *c, bool json))
{
	struct cli_list rest = { NULL, 0 };
	bool json = false;
	const struct cli_opt opt[] = {
		{ "--json", &json, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK)
		rc = cli_keystore(c, KS_READ);
	if (rc == EX_OK)
		rc = print(c, json);
	cli_list_free(&rest);
	return rc;
}

int cli_spool(struct cli *c)
{
	struct err e = { 0 };

	if (c->config->spool != NULL &&
	    spool_set_dir(c->config->spool, &e) != 0)
		return cli_say(cli_code(&e), "spool, named in %s: %s",
		    c->config->path, e.msg);
	return EX_OK;
}

int cli_secret(struct cli *c)
{
	struct err e = { 0 };

	if (c->secret.n > 0)
		return EX_OK;
	if (io_read_secret(c->config->secret, &c->secret, &e) == 0)
		return EX_OK;
	if (c->secret_why.kind != 0)
		e = c->secret_why;
	if (c->config->secret_is_credential)
		return cli_say(cli_code(&e), "secret, a credential named in "
		    "%s: %s; it is there while the service runs, for root",
		    c->config->path, e.msg);
	return cli_say(cli_code(&e), "secret, named in %s: %s; %s",
	    c->config->path, e.msg, access(c->config->secret, F_OK) != 0 &&
	    errno == ENOENT ? "put your copy of it there, for without it no "
	    "private key opens" :
	    "only root or the keystore's owner may read it");
}

int cli_secret_to_seal(struct cli *c)
{
	struct err e = { 0 };
	bool fits;
	int rc = cli_secret(c);

	if (rc != EX_OK)
		return rc;
	if (keystore_secret_fits(c->ks, buf_view(&c->secret), &fits, &e) != 0)
		return cli_fail(&e);
	return fits ? EX_OK : cli_say(EX_CONFIG, "%s: not the secret of the "
	    "private keys that are here, so that no key is added; put the "
	    "right one there, or remove those keys with their certificates "
	    "(\"postseal secret check\" names them)", c->config->secret);
}

int cli_keyring(struct cli *c)
{
	struct err e = { 0 };
	int rc;

	if (c->keyring != NULL)
		return EX_OK;
	rc = cli_keystore(c, KS_READ);
	if (rc == EX_OK)
		rc = cli_secret(c);
	if (rc != EX_OK)
		return rc;
	if (keyring_load(&c->keyring, c->ks, buf_view(&c->secret), &e) != 0)
		return cli_fail(&e);
	return EX_OK;
}

void cli_done(struct cli *c)
{
	keyring_free(&c->keyring);
	keystore_close(&c->ks);
	buf_free(&c->secret);
	config_free(&c->config);
}

/* ---- passwords ---- */

static int check_password(struct buf *out, size_t had)
{
	struct view text = view_sub(buf_view(out), had, out->n);
	size_t end = view_chr(text, '\n', 0);

	if (end != (size_t)-1)
		text.n = end;
	if (text.n > 0 && text.p[text.n - 1] == '\r')
		text.n--;
	if (text.n > PASSWORD_MAX || view_chr(text, 0, 0) != (size_t)-1)
		return cli_say(EX_DATAERR, "password: want one line of at "
		    "most %d octets", PASSWORD_MAX);
	out->n = had + text.n;
	out->p[out->n] = '\0';
	return EX_OK;
}

static int password_from_file(const char *file, struct buf *out)
{
	struct err e = { 0 };
	size_t had = out->n;

	if (io_read_file(file, out, &e) != 0)
		return cli_say(cli_code(&e), "--password-file: %s; wanted: a "
		    "file with the password in its first line, or \"-\"",
		    e.msg);
	return out->p == NULL ? EX_OK : check_password(out, had);
}

/* One line from the terminal, not shown. */
static int ask(int tty, const char *prompt, struct buf *out)
{
	struct termios old, quiet;
	struct err e = { 0 };
	ssize_t n = -1;
	char c;

	if (tcgetattr(tty, &old) != 0)
		return cli_say(EX_IOERR, "terminal: %s", strerror(errno));
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	/* In this order: who answers the prompt is not shown. */
	if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0 ||
	    io_write_all(tty, prompt, strlen(prompt), &e) != 0)
		return cli_say(EX_IOERR, "terminal: %s", strerror(errno));
	while (out->n <= PASSWORD_MAX && (n = read(tty, &c, 1)) == 1 &&
	    c != '\n')
		buf_putc(out, c);
	(void)tcsetattr(tty, TCSAFLUSH, &old);
	(void)!write(tty, "\n", 1);
	if (n != 1)
		return cli_say(EX_DATAERR, "password: none given");
	return buf_ok(out, &e) != 0 ? cli_fail(&e) : EX_OK;
}

static int ask_twice(int tty, const struct buf *first)
{
	struct buf again;
	int rc;

	buf_init_secret(&again, 2 * PASSWORD_MAX);
	rc = ask(tty, "Again: ", &again);
	if (rc == EX_OK && !view_eq(buf_view(first), buf_view(&again)))
		rc = cli_say(EX_DATAERR, "the two passwords differ");
	buf_free(&again);
	return rc;
}

int cli_password(const char *file, const char *prompt, bool confirm,
    struct buf *out)
{
	int tty, rc;

	if (file != NULL)
		return password_from_file(file, out);
	tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (tty == -1)
		return cli_say(EX_USAGE, "a password is needed: "
		    "--password-file FILE, or \"-\" for standard input");
	rc = ask(tty, prompt, out);
	if (rc == EX_OK && confirm)
		rc = ask_twice(tty, out);
	close(tty);
	return rc;
}
