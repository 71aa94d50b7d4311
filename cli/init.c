/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal init: a folder with everything that works at once. Overwrites
 * nothing.
 */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/proc.h"

#define DEFAULT_USER "postseal" /* of packages; used when we are root */

struct init {
	char dir[PATH_MAX];
	const struct cli_list *domain; /* as typed */
	char (*name)[256];	       /* A-labels, owned */
	const char *user; /* who will run it; NULL: stay who we are */
	uid_t uid;
	gid_t gid;
};

static const char rules_text[] =
    "# What happens to whom: one rule a line, the first that matches\n"
    "# decides. See postseal-rules(5); \"postseal rules explain\" says what\n"
    "# would happen to a message.\n"
    "#\n"
    "# group   banks  @bank.example @*.bank.example\n"
    "# outbound to banks : sign, encrypt\n"
    "\n"
    "outbound : sign or plain, encrypt or plain\n"
    "inbound  : decrypt, verify\n";

/* ---- checks ---- */

static int make_dir(struct init *in, const char *dir)
{
	char *real;
	size_t n;

	if (mkdir(dir, 0755) != 0 && errno != EEXIST)
		return cli_say(EX_CANTCREAT, "%s: %s", dir, strerror(errno));
	real = realpath(dir, NULL);
	if (real == NULL)
		return cli_say(EX_CANTCREAT, "%s: %s", dir, strerror(errno));
	n = strlen(real);
	if (n >= sizeof(in->dir) - 32 || strpbrk(real, "\"\\\n\r\t") != NULL) {
		free(real);
		return cli_say(EX_USAGE,
		    "%s: a path that a configuration file cannot hold", dir);
	}
	memcpy(in->dir, real, n + 1);
	free(real);
	return EX_OK;
}

static int check_domains(struct init *in)
{
	struct err e = { 0 };
	size_t i;

	in->name = calloc(in->domain->n, sizeof(*in->name));
	if (in->name == NULL)
		return cli_say(EX_OSERR, "out of memory");
	for (i = 0; i < in->domain->n; i++)
		if (addr_domain_parse(in->name[i], sizeof(in->name[i]),
		    view_of(in->domain->v[i]), &e) != 0)
			return cli_say(EX_USAGE, "%s", e.msg);
	return EX_OK;
}

/* Root sets it up for the user that the service runs as. */
static int find_user(struct init *in, const char *wanted)
{
	struct err e = { 0 };

	in->uid = geteuid();
	in->gid = getegid();
	if (wanted == NULL && geteuid() == 0 && getpwnam(DEFAULT_USER) != NULL)
		wanted = DEFAULT_USER;
	if (wanted == NULL)
		return EX_OK;
	if (geteuid() != 0)
		return cli_say(EX_USAGE, "--user: only root can give files "
		    "to another user");
	if (proc_user(wanted, &in->uid, &in->gid, &e) != 0)
		return cli_fail(&e);
	in->user = wanted;
	return EX_OK;
}

/* ---- files ---- */

static int put_file(const struct init *in, const char *name, mode_t mode,
    struct buf *text)
{
	struct err e = { 0 };
	struct buf path;
	int rc = EX_OK;

	buf_init(&path, PATH_MAX);
	buf_printf(&path, "%s/%s", in->dir, name);
	if (buf_ok(text, &e) != 0 || buf_ok(&path, &e) != 0 ||
	    io_write_file(buf_str(&path), mode, buf_view(text), &e) != 0)
		rc = cli_fail(&e);
	else if (in->user != NULL && (mode & 04) == 0 &&
	    chown(buf_str(&path), in->uid, in->gid) != 0)
		rc = cli_say(EX_CANTCREAT, "%s: %s", buf_str(&path),
		    strerror(errno));
	buf_free(&path);
	return rc;
}

static int put_folder(const struct init *in, const char *name, mode_t mode)
{
	struct buf path;
	int rc = EX_OK;

	buf_init(&path, PATH_MAX);
	buf_printf(&path, "%s/%s", in->dir, name);
	if ((mkdir(buf_str(&path), mode) != 0 && errno != EEXIST) ||
	    chmod(buf_str(&path), mode) != 0 || (in->user != NULL &&
	    chown(buf_str(&path), in->uid, in->gid) != 0))
		rc = cli_say(EX_CANTCREAT, "%s: %s", buf_str(&path),
		    strerror(errno));
	buf_free(&path);
	return rc;
}

static int put_keystore(const struct init *in)
{
	static const char *const also[] = { "", "-wal", "-shm" };
	struct err e = { 0 };
	struct buf path;
	size_t i;
	int rc = EX_OK;

	buf_init(&path, PATH_MAX);
	buf_printf(&path, "%s/keystore.db", in->dir);
	if (buf_ok(&path, &e) != 0 ||
	    keystore_create(buf_str(&path), &e) != 0)
		rc = cli_fail(&e);
	for (i = 0; rc == EX_OK && in->user != NULL && i < ARRAY_LEN(also);
	     i++) {
		buf_clear(&path);
		buf_printf(&path, "%s/keystore.db%s", in->dir, also[i]);
		if (chown(buf_str(&path), in->uid, in->gid) != 0 &&
		    errno != ENOENT)
			rc = cli_say(EX_CANTCREAT, "%s: %s", buf_str(&path),
			    strerror(errno));
	}
	buf_free(&path);
	return rc;
}

static void write_config(const struct init *in, struct buf *out)
{
	size_t i;

	buf_puts(out, "# See postseal.conf(5).\nlocal-domains      ");
	for (i = 0; i < in->domain->n; i++)
		buf_printf(out, " %s", in->name[i]);
	buf_printf(out, "\nkeystore            sqlite \"%s/keystore.db\"\n",
	    in->dir);
	buf_puts(out, "# On a real host, keep the secret apart from the "
	    "keystore's backups.\n");
	buf_printf(out, "secret              file \"%s/secret\"\n", in->dir);
	buf_printf(out, "rules               \"%s/rules\"\n", in->dir);
	buf_printf(out, "authserv-id         %s\n", in->name[0]);
	buf_printf(out, "administrator       postmaster@%s\n", in->name[0]);
	buf_printf(out, "spool               \"%s/spool\"\n", in->dir);
	buf_printf(out, "milter {\n    listen \"unix:%s/run/milter.sock\" "
	    "mode 0660\n", in->dir);
	if (in->user != NULL)
		buf_printf(out, "    user   %s\n", in->user);
	buf_puts(out, "}\n");
}

static int write_files(const struct init *in)
{
	struct buf text;
	int rc;

	buf_init_secret(&text, 1u << 20);
	rc = put_keystore(in);
	if (rc == EX_OK) {
		keyring_new_secret(&text);
		rc = put_file(in, "secret", 0600, &text);
	}
	if (rc == EX_OK)
		rc = put_folder(in, "run", 0755);
	if (rc == EX_OK)
		rc = put_folder(in, "spool", 0700);
	if (rc == EX_OK) {
		buf_clear(&text);
		buf_puts(&text, rules_text);
		rc = put_file(in, "rules", 0644, &text);
	}
	/* Last, so that a configuration is there only if all else is. */
	if (rc == EX_OK) {
		buf_clear(&text);
		write_config(in, &text);
		rc = put_file(in, "postseal.conf", 0644, &text);
	}
	buf_free(&text);
	return rc;
}

static int is_free(const struct init *in)
{
	static const char *const name[] = {
		"postseal.conf", "rules", "keystore.db", "secret"
	};
	struct buf path;
	struct stat st;
	size_t i;
	int rc = EX_OK;

	buf_init(&path, PATH_MAX);
	for (i = 0; rc == EX_OK && i < ARRAY_LEN(name); i++) {
		buf_clear(&path);
		buf_printf(&path, "%s/%s", in->dir, name[i]);
		if (lstat(buf_str(&path), &st) == 0)
			rc = cli_say(EX_CANTCREAT, "%s is there already; "
			    "init overwrites nothing", buf_str(&path));
	}
	buf_free(&path);
	return rc;
}

static int say_next(const struct init *in)
{
	struct buf out;
	int rc;

	buf_init(&out, 65536);
	buf_printf(&out,
	    "%s is ready: postseal.conf, rules, keystore.db, secret, run, "
	    "spool\n\n"
	    "Next:\n"
	    "  postseal -c %s/postseal.conf ca init\n"
	    "  postseal -c %s/postseal.conf ca issue --email alice@%s\n"
	    "or import what you have:\n"
	    "  postseal -c %s/postseal.conf cert trust CA.pem\n"
	    "  postseal -c %s/postseal.conf key import alice.p12\n"
	    "  postseal -c %s/postseal.conf cert import PARTNERS/\n"
	    "then:\n"
	    "  postseal -c %s/postseal.conf cert list\n",
	    in->dir, in->dir, in->dir, in->name[0], in->dir, in->dir,
	    in->dir, in->dir);
	rc = cli_print(&out);
	buf_free(&out);
	return rc;
}

int cmd_init(struct cli *c, int argc, char **argv)
{
	const char *dir = NULL, *user = NULL;
	struct cli_list domain = { NULL, 0 }, rest = { NULL, 0 };
	struct init in = { .domain = &domain };
	const struct cli_opt opt[] = {
		{ "--dir", NULL, &dir, NULL },
		{ "--domain", NULL, NULL, &domain },
		{ "--user", NULL, &user, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK && (dir == NULL || domain.n == 0))
		rc = cli_usage(c, "--dir and --domain are needed");
	if (rc == EX_OK)
		rc = check_domains(&in);
	if (rc == EX_OK)
		rc = find_user(&in, user);
	if (rc == EX_OK)
		rc = make_dir(&in, dir);
	if (rc == EX_OK)
		rc = is_free(&in);
	if (rc == EX_OK)
		rc = write_files(&in);
	if (rc == EX_OK)
		rc = say_next(&in);
	free(in.name);
	cli_list_free(&domain);
	cli_list_free(&rest);
	return rc;
}
