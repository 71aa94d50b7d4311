/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal init: a folder, or two, with everything that works at once.
 * Overwrites nothing.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/folder.h"
#include "keystore/held.h"
#include "util/proc.h"

#define DEFAULT_USER "postseal" /* of packages; used when we are root */

#define SERVICE_SOCKET "/run/postseal/milter.sock" /* of the systemd unit */

struct init {
	const struct cli *cli;	   /* who changes what, for the audit */
	struct folder conf;	   /* configuration, rules, secret */
	struct folder state;	   /* keystore, spool; often the same */
	bool is_split;		   /* two folders: a service's */
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
		return cli_say(EX_CONFIG, "%s; \"adduser --system --group "
		    "%s\" makes it", e.msg, wanted);
	if (in->uid == 0)
		return cli_say(EX_USAGE, "--user %s: that is root; wanted: a "
		    "user without rights", wanted);
	in->user = wanted;
	return EX_OK;
}

/* ---- files ---- */

/* The folder is safe by now: nobody else can put links into it. */
static int give(const struct init *in, const struct folder *f,
    const char *name)
{
	if (in->user == NULL ||
	    fchownat(f->fd, name, in->uid, in->gid, AT_SYMLINK_NOFOLLOW) == 0)
		return EX_OK;
	return cli_say(EX_CANTCREAT, "%s/%s: %s", f->path, name,
	    strerror(errno));
}

static int put_file(const struct init *in, const char *name, mode_t mode,
    struct buf *text)
{
	struct err e = { 0 };
	struct buf path;
	int rc = EX_OK;

	buf_init(&path, PATH_MAX);
	buf_printf(&path, "%s/%s", in->conf.path, name);
	if (buf_ok(text, &e) != 0 || buf_ok(&path, &e) != 0 ||
	    io_write_file(buf_str(&path), mode, buf_view(text), &e) != 0)
		rc = cli_fail(&e);
	else if ((mode & 04) == 0)
		rc = give(in, &in->conf, name);
	buf_free(&path);
	return rc;
}

static int put_folder(const struct init *in, const struct folder *f,
    const char *name, mode_t mode)
{
	int fd = -1, rc = EX_OK;

	if (mkdirat(f->fd, name, mode) != 0 ||
	    (fd = openat(f->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC)) == -1 || fchmod(fd, mode) != 0 ||
	    (in->user != NULL && fchown(fd, in->uid, in->gid) != 0))
		rc = cli_say(EX_CANTCREAT, "%s/%s: %s", f->path, name,
		    strerror(errno));
	if (fd != -1)
		close(fd);
	return rc;
}

/* What mail that is held is sealed for; before the files are given away. */
static int make_held(const struct cli *c, const char *path,
    const struct buf *secret, struct err *e)
{
	struct keystore *ks = NULL;
	struct cert *cert = NULL;
	struct buf who, origin;
	int rc;

	buf_init(&who, 1024);
	buf_init(&origin, 1024);
	rc = keystore_open(&ks, path, KS_WRITE, e);
	if (rc == 0) {
		cli_actor(c, &who, &origin);
		keystore_set_actor(ks, buf_str(&who), buf_str(&origin));
		rc = keystore_held_make(ks, buf_view(secret),
		    (int64_t)time(NULL), &cert, e);
	}
	cert_free(&cert);
	keystore_close(&ks);
	buf_free(&who);
	buf_free(&origin);
	return rc;
}

static int put_keystore(const struct init *in, const struct buf *secret)
{
	static const char *const file[] = { "keystore.db", "keystore.db-wal",
		"keystore.db-shm" };
	struct err e = { 0 };
	struct buf path;
	struct stat st;
	size_t i;
	int rc = EX_OK;

	buf_init(&path, PATH_MAX);
	buf_printf(&path, "%s/keystore.db", in->state.path);
	if (buf_ok(&path, &e) != 0 ||
	    keystore_create(buf_str(&path), &e) != 0 ||
	    make_held(in->cli, buf_str(&path), secret, &e) != 0)
		rc = cli_fail(&e);
	for (i = 0; rc == EX_OK && i < ARRAY_LEN(file); i++)
		if (fstatat(in->state.fd, file[i], &st,
		    AT_SYMLINK_NOFOLLOW) == 0)
			rc = give(in, &in->state, file[i]);
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
	    in->state.path);
	buf_puts(out, "# On a real host, keep the secret apart from the "
	    "keystore's backups.\n");
	buf_printf(out, "secret              file \"%s/secret\"\n",
	    in->conf.path);
	buf_printf(out, "rules               \"%s/rules\"\n",
	    in->conf.path);
	buf_printf(out, "# The name of this host in Authentication-Results.\n"
	    "authserv-id         %s\n", in->name[0]);
	buf_printf(out, "administrator       postmaster@%s\n", in->name[0]);
	buf_printf(out, "spool               \"%s/spool\"\n",
	    in->state.path);
	buf_puts(out, "# Mail that a rule holds back, sealed: \"postseal "
	    "quarantine\" shows and\n# releases it, by way of milter's "
	    "reinject.\n"
	    "# quarantine {\n#     size 1G\n#     keep 30d\n# }\n");
	buf_puts(out, "milter {\n"
	    "    # Decide everything and change nothing: to watch first.\n"
	    "    # observe yes\n"
	    "    # A port of the mail server without postseal: with it "
	    "recipients of\n    # one message may get different copies.\n"
	    "    # reinject smtp \"127.0.0.1:10026\"\n"
	    "    # Debian's Postfix sees only what is below "
	    "/var/spool/postfix.\n");
	if (in->is_split)
		buf_puts(out, "    listen \"unix:" SERVICE_SOCKET "\" "
		    "mode 0660\n");
	else
		buf_printf(out, "    listen \"unix:%s/run/milter.sock\" "
		    "mode 0660\n", in->conf.path);
	if (in->user != NULL)
		buf_printf(out, "    user   %s\n", in->user);
	buf_puts(out, "}\n");
}

static int write_folders(const struct init *in)
{
	int rc = put_folder(in, &in->state, "spool", 0700);

	/* The socket of a service is below /run. */
	if (rc == EX_OK && !in->is_split)
		rc = put_folder(in, &in->conf, "run", 0755);
	return rc;
}

static int write_files(const struct init *in)
{
	struct buf text;
	int rc;

	buf_init_secret(&text, 1u << 20);
	keyring_new_secret(&text);
	rc = put_keystore(in, &text);
	if (rc == EX_OK)
		rc = put_file(in, "secret", 0600, &text);
	if (rc == EX_OK)
		rc = write_folders(in);
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

static int is_free(const struct folder *f)
{
	static const char *const name[] = {
		"postseal.conf", "rules", "keystore.db", "secret", "run",
		"spool"
	};
	struct stat st;
	size_t i;

	for (i = 0; i < ARRAY_LEN(name); i++)
		if (fstatat(f->fd, name[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			return cli_say(EX_CANTCREAT, "%s/%s is there already "
			    "and init overwrites nothing: use what is there, "
			    "with -c, or name another folder", f->path,
			    name[i]);
	return EX_OK;
}

static int make_folders(struct init *in, const char *dir, const char *state)
{
	int rc = folder_make(&in->conf, dir);

	in->is_split = state != NULL;
	if (rc == EX_OK)
		rc = folder_make(&in->state, state != NULL ? state : dir);
	if (rc == EX_OK)
		rc = is_free(&in->conf);
	if (rc == EX_OK)
		rc = is_free(&in->state);
	return rc;
}

/* What to type before the verb. */
static void put_command(const struct init *in, struct buf *out,
    const char *verb)
{
	buf_puts(out, "  postseal ");
	if (strcmp(in->conf.path, "/etc/postseal") != 0)
		buf_printf(out, "-c %s/postseal.conf ", in->conf.path);
	buf_printf(out, "%s\n", verb);
}

static int say_next(const struct init *in)
{
	struct buf out, verb;
	int rc;

	buf_init(&out, 65536);
	buf_init(&verb, 4096);
	buf_printf(&verb, "ca issue --email alice@%s", in->name[0]);
	buf_printf(&out, "%s is ready: postseal.conf, rules, secret%s\n",
	    in->conf.path, in->is_split ? "" :
	    ", keystore.db, run, spool");
	if (in->is_split)
		buf_printf(&out, "%s is ready: keystore.db, spool\n",
		    in->state.path);
	buf_puts(&out, "\nNext, a CA of your own:\n");
	put_command(in, &out, "ca init");
	put_command(in, &out, buf_str(&verb));
	buf_puts(&out, "or import what you have:\n");
	put_command(in, &out, "cert trust CA.pem");
	put_command(in, &out, "key import alice.p12");
	put_command(in, &out, "cert import PARTNERS/");
	buf_puts(&out, "then:\n");
	put_command(in, &out, "cert list");
	buf_free(&verb);
	rc = cli_print(&out);
	buf_free(&out);
	if (rc == EX_OK && geteuid() == 0 && in->user == NULL)
		(void)cli_say(0, "note: all of it belongs to root, and "
		    "postseal-milter does not work as root; for a mail server "
		    "make a user first (adduser --system --group "
		    DEFAULT_USER ") and run init again in new folders");
	return rc;
}

int cmd_init(struct cli *c, int argc, char **argv)
{
	const char *dir = NULL, *state = NULL, *user = NULL;
	struct cli_list domain = { NULL, 0 }, rest = { NULL, 0 };
	struct init in = { .conf.fd = -1, .state.fd = -1, .domain = &domain,
		.cli = c };
	const struct cli_opt opt[] = {
		{ "--dir", NULL, &dir, NULL },
		{ "--state", NULL, &state, NULL },
		{ "--domain", NULL, NULL, &domain },
		{ "--user", NULL, &user, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK && dir == NULL)
		rc = cli_usage(c, "--dir is needed: the folder to make, "
		    "/tmp/try to try it out, /etc/postseal for a mail server");
	if (rc == EX_OK && domain.n == 0)
		rc = cli_usage(c, "--domain is needed: whose mailboxes are "
		    "here, like example.com");
	if (rc == EX_OK)
		rc = check_domains(&in);
	if (rc == EX_OK)
		rc = find_user(&in, user);
	if (rc == EX_OK)
		rc = make_folders(&in, dir, state);
	if (rc == EX_OK)
		rc = write_files(&in);
	if (rc == EX_OK)
		rc = say_next(&in);
	folder_close(&in.conf);
	folder_close(&in.state);
	free(in.name);
	cli_list_free(&domain);
	cli_list_free(&rest);
	return rc;
}
