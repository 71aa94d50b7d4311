/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What of our own files, sockets and keystore is dangerous, or soon will be.
 */
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "gateway/attention.h"
#include "gateway/rules_lint.h"
#include "keystore/life.h"
#include "util/ossl.h"

#define SOON ((int64_t)30 * 86400)
#define THIS_YEAR ((int64_t)1767225600) /* 2026: no clock is older */

/* ---- files ---- */

struct file_rule {
	const char *check;
	mode_t danger, warning; /* bits that should not be there */
	const char *why;
};

static const struct file_rule secret_rule = {"secret-mode",
	S_IROTH | S_IWOTH | S_IXOTH | S_IWGRP, 0,
	"whoever reads or writes the secret has all private keys"};
static const struct file_rule keystore_rule = {"keystore-mode", S_IWOTH,
	S_IROTH | S_IWGRP, "others can change, or read, certificates, "
	"addresses and records of mail"};
static const struct file_rule rules_rule = {"rules-mode", S_IWOTH, S_IWGRP,
	"others can say what is sealed and what is not"};
static const struct file_rule config_rule = {"config-mode", S_IWOTH, S_IWGRP,
	"others can say what is done with mail, and as whom"};

static void check_file(struct doctor *d, const char *path,
    const struct file_rule *r)
{
	struct stat st;
	struct buf b;

	if (stat(path, &st) != 0) {
		if (errno == ENOENT)
			doctor_say(d, DOCTOR_DANGER, r->check, path,
			    "the file is not there", "");
		return;
	}
	if ((st.st_mode & (r->danger | r->warning)) == 0)
		return;
	buf_init(&b, 5000);
	buf_printf(&b, "chmod %03o %s", (unsigned)(st.st_mode & 0777 &
	    ~(r->danger | r->warning)), path);
	doctor_say(d, (st.st_mode & r->danger) != 0 ? DOCTOR_DANGER
	    : DOCTOR_WARNING, r->check, path, r->why, buf_str(&b));
	buf_free(&b);
}

static size_t folder_size(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? 0 : (size_t)(slash - path);
}

static void check_secret_place(struct doctor *d)
{
	const struct config *c = d->config;
	size_t n = folder_size(c->secret);

	if (!c->secret_is_credential && n == folder_size(c->keystore) &&
	    strncmp(c->secret, c->keystore, n) == 0)
		doctor_say(d, DOCTOR_WARNING, "secret-place", c->secret,
		    "the secret lies beside the database: one copy of the "
		    "folder has all private keys",
		    "secret file \"/etc/postseal/secret\"");
}

/* Whoever may write into its folder may put another file there. */
static void check_folder(struct doctor *d, const char *path,
    const char *check)
{
	struct stat st;
	struct buf b;

	buf_init(&b, 4096);
	buf_put(&b, path, folder_size(path));
	if (b.n > 0 && stat(buf_str(&b), &st) == 0 &&
	    (st.st_mode & S_IWOTH) != 0)
		doctor_say(d, (st.st_mode & S_ISVTX) != 0 ? DOCTOR_WARNING
		    : DOCTOR_DANGER, check, buf_str(&b),
		    "everybody may write into this folder, and put another "
		    "file in its place", "chmod o-w");
	buf_free(&b);
}

/* ---- sockets ---- */

bool doctor_answers(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	bool is;
	int fd;

	if (view_cstr(view_of(path), sa.sun_path, sizeof(sa.sun_path)) != 0)
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	is = connect(fd, (const struct sockaddr *)(const void *)&sa,
	    sizeof(sa)) == 0 || errno == EACCES || errno == EPERM;
	close(fd);
	return is;
}

static void check_unix(struct doctor *d, const char *path)
{
	struct stat st;

	check_folder(d, path, "socket-folder");
	if (stat(path, &st) != 0 || !doctor_answers(path)) {
		doctor_say(d, DOCTOR_WARNING, "not-running", path,
		    "nobody answers at this socket",
		    "systemctl start postseal-milter");
		return;
	}
	if ((st.st_mode & S_IWOTH) != 0)
		doctor_say(d, DOCTOR_DANGER, "socket-mode", path,
		    "every account of this machine can be the mail server "
		    "for postseal: say who logged in, and have mail signed",
		    "listen ... mode 0660 group postfix");
}

static void check_socket(struct doctor *d)
{
	const char *listen = d->config->listen, *path, *at;

	if (listen == NULL)
		return;
	path = doctor_unix_path(listen);
	if (path != NULL) {
		check_unix(d, path);
		return;
	}
	at = strchr(listen, '@');
	if (at != NULL && !doctor_is_loopback(view_of(at + 1)))
		doctor_say(d, DOCTOR_DANGER, "socket-open", listen,
		    "the milter protocol knows no authentication: whoever "
		    "reaches this port is the mail server, and has mail "
		    "signed and opened", "listen \"unix:/PATH\"");
}

static void check_door(struct doctor *d, const struct door *x)
{
	const char *path = doctor_unix_path(x->listen);
	const char *colon = strrchr(x->listen, ':');

	if (path != NULL) {
		check_unix(d, path);
		return;
	}
	if (colon != NULL && !doctor_is_loopback(view_make(x->listen,
	    (size_t)(colon - x->listen))))
		doctor_say(d, x->clients == 0 ? DOCTOR_DANGER : DOCTOR_HINT,
		    "door-open", x->name, "other machines reach this door, "
		    "and mail from it is taken for the mail server's",
		    "listen smtp \"127.0.0.1:PORT\"");
	if (x->observe)
		doctor_say(d, DOCTOR_HINT, "observe", x->name, "observe yes: "
		    "this door only looks on", "observe no");
}

static void check_lines(struct doctor *d)
{
	const struct config *c = d->config;

	if (c->fixed_time != 0)
		doctor_say(d, DOCTOR_DANGER, "clock", c->path,
		    "verify-policy says a fixed time: certificates never "
		    "expire, and are never revoked", "without: time");
	else if ((int64_t)time(NULL) < THIS_YEAR)
		doctor_say(d, DOCTOR_DANGER, "clock", "the clock",
		    "it is wrong: certificates of today are not valid yet",
		    "timedatectl set-ntp true");
	if (c->observe)
		doctor_say(d, DOCTOR_HINT, "observe", c->path,
		    "observe yes: nothing is signed, encrypted or opened",
		    "observe no");
}

static void check_openssl(struct doctor *d)
{
	const char *warning = ossl_version_warning();

	if (warning != NULL)
		doctor_say(d, DOCTOR_WARNING, "openssl", ossl_version(),
		    warning, "apt-get update && apt-get upgrade");
}

void doctor_files(struct doctor *d)
{
	const struct config *c = d->config;

	check_file(d, c->path, &config_rule);
	check_lines(d);
	check_openssl(d);
	if (c->is_relay_only)
		return;
	check_file(d, c->rules, &rules_rule);
	check_file(d, c->keystore, &keystore_rule);
	if (!c->secret_is_credential)
		check_file(d, c->secret, &secret_rule);
	check_folder(d, c->keystore, "keystore-folder");
	check_secret_place(d);
	check_socket(d);
	for (size_t i = 0; i < c->doors; i++)
		check_door(d, &c->door[i]);
}

/* ---- what the keystore holds ---- */

static const char *fix_of(enum attention_kind k)
{
	switch (k) {
	case ATTENTION_USER:
		return "postseal ca issue, or postseal cert import";
	case ATTENTION_PARTNER:
		return "ask for a new certificate; postseal cert import";
	case ATTENTION_CA:
		return "postseal ca renew, or postseal cert trust";
	case ATTENTION_CRL:
		return "postseal crl fetch, or postseal crl import";
	case ATTENTION_FETCH:
		return "postseal crl fetch";
	case ATTENTION_PENDING:
		return "postseal cert pending";
	case ATTENTION_HELD:
		return "postseal quarantine list";
	case ATTENTION_KINDS:
		break;
	}
	return "";
}

static int on_attention(void *arg, const struct attention *a,
    struct err *e UNUSED)
{
	struct doctor *d = arg;
	struct buf name;

	buf_init(&name, 80);
	buf_printf(&name, "keystore-%s", attention_str(a->kind));
	doctor_say(d, a->kind == ATTENTION_PENDING ||
	    a->kind == ATTENTION_HELD || a->kind == ATTENTION_PARTNER ?
	    DOCTOR_HINT : DOCTOR_WARNING,
	    buf_str(&name), a->what[0] != '\0' ? a->what
	    : d->config->keystore, a->text, fix_of(a->kind));
	buf_free(&name);
	return 0;
}

static void check_counts(struct doctor *d, const struct life_counts *n)
{
	const char *where = d->config->keystore;

	if (n->anchors == 0)
		doctor_say(d, DOCTOR_WARNING, "no-anchor", where,
		    "no root is trusted: no signature passes, and no "
		    "certificate is usable", "postseal cert trust FILE");
	if (n->with_key == 0)
		doctor_say(d, DOCTOR_WARNING, "no-key", where,
		    "there is no private key: nothing is signed or opened",
		    "postseal ca issue, or postseal key import");
	if (n->crls == 0)
		doctor_say(d, DOCTOR_HINT, "no-crl", where,
		    "there is no CRL: a revoked certificate is not noticed",
		    "postseal crl import FILE, or fetch { crl URL }");
}

static void on_remark(void *arg, const struct rules_remark *x)
{
	struct doctor *d = arg;
	struct buf where;

	buf_init(&where, 5000);
	buf_printf(&where, "%s:%d", x->file == NULL ? d->config->rules
	    : x->file, x->line);
	doctor_say(d, DOCTOR_HINT, "rules-remark", buf_str(&where), x->text,
	    "postseal rules check");
	buf_free(&where);
}

static void check_rules(struct doctor *d)
{
	struct err e = {0};
	struct rules *r = NULL;
	struct conf_errors ce;

	conf_errors_init(&ce);
	if (rules_read(&r, d->config->rules, d->config, &ce) != 0)
		doctor_say(d, DOCTOR_DANGER, "rules", d->config->rules,
		    ce.n == 0 ? "the rules cannot be read"
		    : "the rules have errors: nothing starts with them",
		    "postseal rules check");
	else if (rules_lint(r, d->config, on_remark, d, &e) != 0)
		d->no_memory = true;
	rules_free(&r);
	conf_errors_free(&ce);
}

void doctor_keystore(struct doctor *d, struct keystore *ks, int64_t now)
{
	struct life_counts n;
	struct err e = {0};

	check_rules(d);
	if (life_count(ks, now, &n, &e) == 0)
		check_counts(d, &n);
	if (e.kind != 0 || attention_list(ks, d->config, now, SOON,
	    on_attention, d, &e) != 0)
		doctor_say(d, DOCTOR_DANGER, "keystore", d->config->keystore,
		    e.msg, "");
}
