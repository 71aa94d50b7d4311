/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal secret: check, rotate. To change the secret, first the file gets
 * a second line, so that keys sealed under either open; then all keys are
 * sealed under the new one, in one transaction; then the old line goes.
 * Whatever dies in between, file and keystore fit, and the same command
 * again goes on from there.
 */
#include "cli/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keystore/rotate.h"
#include "util/json.h"
#include "util/proc.h"

#define SECRET_MAX 4096

/* ---- reading ---- */

static int read_as(const struct config *c, const char *user, struct buf *out,
    struct err *e)
{
	uid_t uid;
	gid_t gid;
	int rc;

	if (proc_user(user, &uid, &gid, e) != 0)
		return -1;
	if (seteuid(uid) != 0)
		return err_sys(e, FAIL_CONFIG, "seteuid %ld", (long)uid);
	rc = io_read_secret(c->secret, out, e);
	if (seteuid(0) != 0)
		return err_sys(e, FAIL_BUG, "seteuid 0");
	return rc;
}

int secret_read(const struct config *c, struct buf *out, struct err *e)
{
	const char *const user[] = { c->keys_user, c->user };
	size_t i, had = out->n;

	if (io_read_secret(c->secret, out, e) == 0)
		return 0;
	for (i = 0; geteuid() == 0 && i < ARRAY_LEN(user); i++) {
		if (user[i] == NULL)
			continue;
		out->n = had;
		if (read_as(c, user[i], out, NULL) == 0) {
			err_clear(e);
			return 0;
		}
	}
	out->n = had;
	return -1;
}

int cli_in_child(struct cli *c, in_child *run, void *arg)
{
	int status, rc;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == -1)
		return cli_say(EX_OSERR, "fork: %s", strerror(errno));
	if (pid == 0) {
		rc = run(c, arg);
		cli_done(c);
		fflush(NULL);
		_exit(rc);
	}
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return cli_say(EX_OSERR, "wait: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) :
	    cli_say(EX_SOFTWARE, "ended by signal %d", WTERMSIG(status));
}

/* ---- check ---- */

struct report {
	struct buf text;
	size_t n;
};

static int tell_closed(void *arg, const struct key_state *k, struct err *e)
{
	struct report *r = arg;

	(void)e;
	if (r->n++ < 100)
		buf_printf(&r->text, "postseal: key %.16s (%s): %s\n", k->spki,
		    k->label, k->why);
	return 0;
}

static void say_closed(struct report *r)
{
	fflush(stdout);
	fputs(buf_str(&r->text), stderr);
	if (r->n > 100)
		fprintf(stderr, "postseal: and %zu more\n", r->n - 100);
}

/* All keys looked at; those that do not open are named. */
static int look(struct cli *c, struct key_count *n)
{
	struct report r = { 0 };
	struct err e = { 0 };
	int rc = EX_OK;

	buf_init(&r.text, 1u << 20);
	if (keystore_check_keys(c->ks, buf_view(&c->secret), tell_closed, &r,
	    n, &e) != 0)
		rc = cli_fail(&e);
	say_closed(&r);
	buf_free(&r.text);
	return rc;
}

static int print_json(const struct key_count *n, size_t lines)
{
	struct json j;
	struct buf out;
	int rc;

	buf_init(&out, 4096);
	json_init(&j, &out);
	json_object(&j, NULL);
	json_int(&j, "secrets", (int64_t)lines);
	json_int(&j, "keys", (int64_t)n->keys);
	json_int(&j, "open", (int64_t)(n->current + n->old));
	json_int(&j, "under_old_secret", (int64_t)n->old);
	json_int(&j, "under_passphrase", (int64_t)n->passphrase);
	json_int(&j, "do_not_open", (int64_t)n->closed);
	json_end_object(&j);
	buf_putc(&out, '\n');
	rc = cli_print(&out);
	buf_free(&out);
	return rc;
}

static void print_count(const struct key_count *n)
{
	printf("%zu private %s: %zu open", n->keys,
	    n->keys == 1 ? "key" : "keys", n->current + n->old);
	if (n->old > 0)
		printf(" (%zu under the old secret)", n->old);
	if (n->passphrase > 0)
		printf(", %zu of CAs under passphrases of their own",
		    n->passphrase);
	if (n->closed > 0)
		printf(", %zu %s", n->closed, n->closed == 1 ?
		    "does not open" : "do not open");
	printf("\n");
}

static int check_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct key_count n = { 0 };
	struct err e = { 0 };
	size_t lines = 0;
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
		rc = cli_secret(c);
	if (rc == EX_OK && secret_lines(buf_view(&c->secret), &lines, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK)
		rc = look(c, &n);
	if (rc == EX_OK && json)
		rc = print_json(&n, lines);
	else if (rc == EX_OK)
		print_count(&n);
	if (rc == EX_OK && lines > 1)
		(void)cli_say(0, "the secret file has two lines: a change of "
		    "the secret is not finished; \"postseal secret rotate\" "
		    "finishes it");
	if (rc == EX_OK && n.closed > 0)
		rc = EX_CONFIG;
	cli_list_free(&rest);
	return rc;
}

/* ---- rotate ---- */

struct rotation {
	const char *new_file; /* --new */
	const char *out_file; /* --out */
	bool dry;
	bool resumed;	      /* the file has two lines already */
	struct buf fresh;     /* the new line */
	struct buf was;	      /* the file as it was */
	int lock;
};

/* One at a time: the lock is the folder that the secret is in. */
static int lock_secret(const char *path, int *fd)
{
	const char *slash = strrchr(path, '/');
	struct buf dir;
	int rc = EX_OK;

	buf_init(&dir, 4096);
	if (slash == NULL)
		buf_putc(&dir, '.');
	else
		buf_put(&dir, path, slash == path ? 1 :
		    (size_t)(slash - path));
	*fd = open(buf_str(&dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd == -1)
		rc = cli_say(EX_CONFIG, "%s: %s", buf_str(&dir),
		    strerror(errno));
	else if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
		rc = cli_say(EX_TEMPFAIL, "%s: the secret is being changed "
		    "by another process", path);
	buf_free(&dir);
	return rc;
}

/* The second line of the file is what still opens. */
static int find_fresh(struct cli *c, struct rotation *r)
{
	struct view all = view_trim(buf_view(&c->secret));
	struct err e = { 0 };
	size_t lines, end;

	if (secret_lines(all, &lines, &e) != 0)
		return cli_fail(&e);
	r->resumed = lines > 1;
	if (r->new_file != NULL && io_read_secret(r->new_file, &r->fresh, &e)
	    != 0)
		return cli_say(cli_code(&e), "--new %s", e.msg);
	if (r->new_file != NULL && secret_lines(buf_view(&r->fresh), &lines,
	    &e) != 0)
		return cli_say(cli_code(&e), "--new %s: %s", r->new_file,
		    e.msg);
	if (r->new_file != NULL && lines != 1)
		return cli_say(EX_DATAERR, "--new %s: want one line",
		    r->new_file);
	if (r->new_file != NULL && r->resumed && !secret_same(all,
	    buf_view(&r->fresh)))
		return cli_say(EX_DATAERR, "a change to another secret is "
		    "not finished; without --new this finishes it");
	if (r->new_file != NULL && !r->resumed && secret_same(all,
	    buf_view(&r->fresh)))
		return cli_say(EX_DATAERR, "--new %s: that is the secret "
		    "already", r->new_file);
	buf_clear(&r->fresh);
	if (r->resumed) {
		end = view_chr(all, '\n', 0);
		buf_putv(&r->fresh, view_trim(view_sub(all, 0, end)));
		buf_putc(&r->fresh, '\n');
	} else if (r->new_file == NULL)
		keyring_new_secret(&r->fresh);
	else if (io_read_secret(r->new_file, &r->fresh, &e) != 0)
		return cli_fail(&e);
	return EX_OK;
}

/* In a child: does every key open? */
static int check_child(struct cli *c, void *arg)
{
	const struct rotation *r = arg;
	struct key_count n = { 0 };
	int rc = cli_keystore(c, KS_READ);

	if (rc == EX_OK)
		rc = look(c, &n);
	if (rc == EX_OK && n.closed > 0)
		return cli_say(EX_CONFIG, "nothing was changed: %zu of %zu "
		    "keys do not open; \"postseal cert remove\" removes those "
		    "that are of no use", n.closed, n.keys);
	if (rc == EX_OK && r->dry) {
		print_count(&n);
		printf("%s: would be %s, nothing was changed\n",
		    c->config->secret, r->resumed ?
		    "taken to the end of a change that was interrupted" :
		    "replaced");
	}
	return rc;
}

static void show_progress(void *arg, size_t done, size_t all)
{
	(void)arg;
	if (cli_stderr_is_terminal())
		fprintf(stderr, "\r%zu of %zu keys%s", done, all,
		    done >= all ? "\n" : "");
}

static int rotate_child(struct cli *c, void *arg)
{
	struct key_count n = { 0 };
	struct err e = { 0 };
	int rc = cli_keystore(c, KS_WRITE);

	(void)arg;
	if (rc != EX_OK)
		return rc;
	if (keystore_rotate(c->ks, buf_view(&c->secret), show_progress, NULL,
	    &n, &e) != 0)
		return cli_fail(&e);
	printf("%zu %s sealed under the new secret", n.current + n.old,
	    n.current + n.old == 1 ? "key is" : "keys are");
	if (n.passphrase > 0)
		printf(", %zu of CAs stay under their passphrases",
		    n.passphrase);
	printf("\n");
	return EX_OK;
}

static int put_secret(struct cli *c, struct view was, struct view text)
{
	struct err e = { 0 };

	if (io_rewrite_secret(c->config->secret, was, text, &e) == 0)
		return EX_OK;
	return cli_say(EX_CANTCREAT, "secret %s", e.msg);
}

/* New line, old line, into c->secret. */
static int put_both(struct cli *c, struct rotation *r)
{
	struct err e = { 0 };
	struct buf both;
	int rc = EX_OK;

	if (r->resumed)
		return EX_OK;
	buf_init_secret(&both, SECRET_MAX);
	buf_putv(&both, buf_view(&r->fresh));
	buf_putv(&both, view_trim(buf_view(&c->secret)));
	buf_putc(&both, '\n');
	buf_putv(&r->was, buf_view(&c->secret));
	buf_clear(&c->secret);
	buf_putv(&c->secret, buf_view(&both));
	if (buf_ok(&both, &e) != 0 || buf_ok(&c->secret, &e) != 0)
		rc = cli_fail(&e);
	buf_free(&both);
	return rc;
}

static int put_out(const char *file, struct view text)
{
	struct err e = { 0 };

	if (access(file, F_OK) == 0)
		return cli_say(EX_CANTCREAT, "--out %s: is there already",
		    file);
	if (io_write_file(file, 0600, text, &e) != 0)
		return cli_say(EX_CANTCREAT, "--out %s", e.msg);
	return EX_OK;
}

/* A credential is not ours to write: one half of the change at a time. */
static int rotate_by_hand(struct cli *c, struct rotation *r)
{
	int rc;

	if (r->out_file == NULL)
		return cli_say(EX_USAGE, "the secret is a credential of "
		    "systemd, which is not written here: \"postseal secret "
		    "rotate --out FILE\" says what to do, in two steps");
	if (r->resumed) {
		rc = cli_in_child(c, rotate_child, r);
		if (rc == EX_OK)
			rc = put_out(r->out_file, buf_view(&r->fresh));
		if (rc == EX_OK)
			printf("%s: make this the credential and restart the "
			    "service; then all is done\n", r->out_file);
		return rc;
	}
	rc = put_both(c, r);
	if (rc == EX_OK)
		rc = put_out(r->out_file, buf_view(&c->secret));
	if (rc == EX_OK)
		printf("%s: has the new and the old secret; make this the "
		    "credential, restart the service, and run this again "
		    "with another --out\n", r->out_file);
	return rc;
}

static int rotate(struct cli *c, struct rotation *r)
{
	int rc;

	if (c->config->secret_is_credential)
		return rotate_by_hand(c, r);
	rc = put_both(c, r);
	if (rc == EX_OK && !r->resumed)
		rc = put_secret(c, buf_view(&r->was), buf_view(&c->secret));
	if (rc == EX_OK)
		rc = cli_in_child(c, rotate_child, r);
	if (rc == EX_OK)
		rc = put_secret(c, buf_view(&c->secret), buf_view(&r->fresh));
	if (rc == EX_OK)
		printf("%s: %s; a running postseal-milter goes on\n"
		    "backups made before need the old secret\n",
		    c->config->secret, r->resumed ?
		    "the change that was interrupted is finished" :
		    "replaced");
	return rc;
}

static int run_rotation(struct cli *c, struct rotation *r)
{
	struct err e = { 0 };
	int rc = cli_config(c);

	if (rc == EX_OK && r->out_file != NULL &&
	    !c->config->secret_is_credential)
		rc = cli_usage(c, "--out: for a secret that is a credential");
	if (rc == EX_OK)
		rc = lock_secret(c->config->secret, &r->lock);
	if (rc == EX_OK && secret_read(c->config, &c->secret, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK)
		rc = find_fresh(c, r);
	if (rc == EX_OK)
		rc = cli_in_child(c, check_child, r);
	if (rc == EX_OK && !r->dry)
		rc = rotate(c, r);
	return rc;
}

static int rotate_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct rotation r = { .lock = -1 };
	const struct cli_opt opt[] = {
		{ "--new", NULL, &r.new_file, NULL },
		{ "--out", NULL, &r.out_file, NULL },
		{ "--dry-run", &r.dry, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	buf_init_secret(&r.fresh, SECRET_MAX);
	buf_init_secret(&r.was, SECRET_MAX);
	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK)
		rc = run_rotation(c, &r);
	if (r.lock != -1)
		close(r.lock);
	buf_free(&r.fresh);
	buf_free(&r.was);
	cli_list_free(&rest);
	return rc;
}

int cmd_secret(struct cli *c, int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "check", check_verb, "secret check [--json]", "" },
		{ "rotate", rotate_verb, "secret rotate [--new FILE] "
		    "[--out FILE] [--dry-run]", "" },
	};

	return cli_dispatch(c, verbs, ARRAY_LEN(verbs), argc, argv);
}
