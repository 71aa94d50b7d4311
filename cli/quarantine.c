/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal quarantine: what is held, looked at and thrown away. Sending it is
 * release.c's.
 */
#include "cli/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/sender_notice.h"
#include "util/json.h"
#include "util/proc.h"
#include "util/when.h"

#define PRINT_MAX ((size_t)64 << 20)
#define DAY ((int64_t)86400)

/* ---- one of them ---- */

static int copy_mail(void *arg, const struct held_mail *m, struct err *e)
{
	struct held_copy *h = arg;

	h->m = *m;
	h->m.rcpts = 0;
	h->rcpt = calloc(m->rcpts + 1, sizeof(*h->rcpt));
	h->id = strdup(m->id);
	h->sender = strdup(m->sender);
	h->login = strdup(m->login);
	h->client = strdup(m->client);
	h->reason = strdup(m->reason);
	if (h->rcpt == NULL || h->id == NULL || h->sender == NULL ||
	    h->login == NULL || h->client == NULL || h->reason == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	for (size_t i = 0; i < m->rcpts; i++, h->m.rcpts++)
		if ((h->rcpt[i] = strdup(m->rcpt[i])) == NULL)
			return err_set(e, FAIL_TEMP, "out of memory");
	h->m.id = h->id;
	h->m.sender = h->sender;
	h->m.login = h->login;
	h->m.client = h->client;
	h->m.reason = h->reason;
	h->m.rcpt = (const char *const *)h->rcpt;
	return 0;
}

void held_copy_free(struct held_copy *h)
{
	for (size_t i = 0; h->rcpt != NULL && i < h->m.rcpts; i++)
		free(h->rcpt[i]);
	free(h->rcpt);
	free(h->id);
	free(h->sender);
	free(h->login);
	free(h->client);
	free(h->reason);
	spool_free(&h->msg);
	memset(h, 0, sizeof(*h));
}

int held_find(struct cli *c, const char *id, struct held_copy *out)
{
	struct err e = { 0 };

	memset(out, 0, sizeof(*out));
	if (keystore_held_list(c->ks, id, 0, copy_mail, out, &e) != 0)
		return cli_fail(&e);
	return EX_OK;
}

int held_ring(struct cli *c, struct keyring **out)
{
	struct err e = { 0 };
	int rc = cli_secret(c);

	if (rc == EX_OK)
		rc = cli_spool(c);
	if (rc == EX_OK && keyring_load_held(out, c->ks,
	    buf_view(&c->secret), &e) != 0)
		rc = cli_fail(&e);
	return rc;
}

int held_load(struct cli *c, const struct keyring *ring,
    struct held_copy *h)
{
	uint64_t max = h->m.size + (1u << 20);
	struct spool *sealed = NULL;
	struct err e = { 0 };
	int rc = EX_OK;

	if (spool_new(&sealed, max, &e) != 0 ||
	    spool_new(&h->msg, max, &e) != 0 ||
	    keystore_held_read(c->ks, h->id, sealed, &e) != 0 ||
	    held_open(ring, sealed, 0, spool_size(sealed), h->msg, &e) != 0)
		rc = cli_fail(&e);
	spool_free(&sealed);
	return rc;
}

int held_finish(struct cli *c, const struct held_copy *h, bool is_released,
    const char *action)
{
	struct err e = { 0 };
	struct buf detail;
	int rc = EX_OK;

	buf_init(&detail, 4096);
	buf_printf(&detail, "from %s, %zu %s", h->sender, h->m.rcpts,
	    h->m.rcpts == 1 ? "recipient" : "recipients");
	if (keystore_begin(c->ks, &e) != 0) {
		rc = cli_fail(&e);
		goto out;
	}
	if (sender_notice_queue(c->ks, c->config, is_released ? TOLD_RELEASED
	    : TOLD_DELETED, &h->m, cli_now(c), &e) != 0) {
		(void)cli_say(0, "%s: its sender is not told: %s", h->id,
		    e.msg);
		err_clear(&e);
	}
	if (keystore_held_remove(c->ks, h->id, action, buf_str(&detail),
	    &e) != 0) {
		keystore_rollback(c->ks);
		rc = cli_fail(&e);
	} else if (keystore_commit(c->ks, &e) != 0) {
		rc = cli_fail(&e);
	}
out:
	buf_free(&detail);
	return rc;
}

int held_confirm(const char *question, const char *word)
{
	char line[64] = "";

	if (isatty(STDIN_FILENO) != 1)
		return cli_say(EX_USAGE, "%s --yes says that you mean it",
		    question);
	fprintf(stderr, "%s Type %s to go on: ", question, word);
	if (fgets(line, sizeof(line), stdin) == NULL)
		line[0] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	return strcmp(line, word) == 0 ? EX_OK :
	    cli_say(EX_USAGE, "nothing was done");
}

/* ---- list ---- */

struct printing {
	struct table *t; /* NULL: JSON */
	struct json j;
	struct buf *out;
	size_t n;
	int64_t now;
};

/* "3 d", "2 h", "5 min". */
static void put_age(struct buf *b, int64_t s)
{
	if (s >= DAY)
		buf_printf(b, "%lld d", (long long)(s / DAY));
	else if (s >= 3600)
		buf_printf(b, "%lld h", (long long)(s / 3600));
	else
		buf_printf(b, "%lld min", (long long)(s < 0 ? 0 : s / 60));
}

static void put_size(struct buf *b, uint64_t n)
{
	if (n >= (10u << 20))
		buf_printf(b, "%llu MiB", (unsigned long long)(n >> 20));
	else
		buf_printf(b, "%llu KiB", (unsigned long long)((n + 1023) >>
		    10));
}

static void put_rcpts(struct buf *b, const struct held_mail *m, size_t most,
    const char *sep)
{
	for (size_t i = 0; i < m->rcpts && i < most; i++) {
		if (i > 0)
			buf_puts(b, sep);
		(void)held_path(m->rcpt[i], b);
	}
	if (m->rcpts > most)
		buf_printf(b, " and %zu more", m->rcpts - most);
}

static const char *direction_of(const struct held_mail *m)
{
	return m->direction >= DIR_OUTBOUND && m->direction <= DIR_INTERNAL ?
	    direction_str((enum direction)m->direction) : "-";
}

static void put_row(struct printing *p, const struct held_mail *m)
{
	char when[WHEN_SIZE];
	struct buf b;

	buf_init(&b, 65536);
	table_cell(p->t, m->id);
	table_cell(p->t, when_timestamp(when, m->at));
	put_age(&b, p->now - m->at);
	table_cell(p->t, buf_str(&b));
	table_cell(p->t, direction_of(m));
	table_cell(p->t, m->sender);
	buf_clear(&b);
	put_rcpts(&b, m, 2, " ");
	table_cell(p->t, buf_str(&b));
	buf_clear(&b);
	put_size(&b, m->size);
	table_cell(p->t, buf_str(&b));
	table_cell(p->t, m->reason);
	buf_free(&b);
}

static void put_object(struct json *j, const struct held_mail *m,
    int64_t now)
{
	char when[WHEN_SIZE];
	struct buf path;

	json_object(j, NULL);
	json_str(j, "id", m->id);
	json_str(j, "time", when_timestamp(when, m->at));
	json_int(j, "age", now - m->at);
	json_str(j, "direction", direction_of(m));
	json_str(j, "sender", m->sender);
	json_array(j, "recipients");
	for (size_t i = 0; i < m->rcpts; i++) {
		buf_init(&path, 4096);
		(void)held_path(m->rcpt[i], &path);
		json_str(j, NULL, buf_str(&path));
		buf_free(&path);
	}
	json_end_array(j);
	json_str(j, "login", m->login[0] == '\0' ? NULL : m->login);
	json_str(j, "client", m->client[0] == '\0' ? NULL : m->client);
	json_str(j, "reason", m->reason);
	json_int(j, "size", (int64_t)m->size);
	json_end_object(j);
}

static int put_one(void *arg, const struct held_mail *m, struct err *e)
{
	struct printing *p = arg;

	(void)e;
	if (p->t != NULL)
		put_row(p, m);
	else
		put_object(&p->j, m, p->now);
	p->n++;
	return 0;
}

static int print_all(struct cli *c, struct printing *p)
{
	struct err e = { 0 };
	int rc = EX_OK;

	if (p->t == NULL) {
		json_init(&p->j, p->out);
		json_array(&p->j, NULL);
	}
	if (keystore_held_list(c->ks, NULL, INT64_MAX, put_one, p, &e) != 0)
		rc = cli_fail(&e);
	else if (p->t == NULL)
		json_end_array(&p->j);
	else if (p->n == 0)
		buf_puts(p->out, "nothing is held");
	else if (table_print(p->t, p->out) != 0)
		rc = cli_say(EX_OSERR, "out of memory");
	if (p->t == NULL || p->n == 0)
		buf_putc(p->out, '\n');
	return rc;
}

static int print_list(struct cli *c, bool json)
{
	static const char *const head[] = { "ID", "TIME", "AGE", "DIRECTION",
		"FROM", "TO", "SIZE", "REASON" };
	struct printing p = { .now = cli_now(c) };
	struct buf out;
	int rc;

	if (!json && (p.t = table_of(head, ARRAY_LEN(head))) == NULL)
		return cli_say(EX_OSERR, "out of memory");
	buf_init(&out, PRINT_MAX);
	p.out = &out;
	rc = print_all(c, &p);
	if (rc == EX_OK)
		rc = cli_print(&out);
	buf_free(&out);
	table_free(&p.t);
	return rc;
}

static int list_verb(struct cli *c, int argc, char **argv)
{
	return cli_list_verb(c, argc, argv, print_list);
}

/* ---- show ---- */

static int print_known(struct cli *c, const struct held_copy *h, bool json)
{
	char when[WHEN_SIZE];
	struct buf out;
	struct json j;
	int rc;

	buf_init(&out, PRINT_MAX);
	if (json) {
		json_init(&j, &out);
		put_object(&j, &h->m, cli_now(c));
		buf_putc(&out, '\n');
	} else {
		buf_printf(&out, "id         %s\nheld       %s, for ", h->id,
		    when_timestamp(when, h->m.at));
		put_age(&out, cli_now(c) - h->m.at);
		buf_printf(&out, "\ndirection  %s\nfrom       %s\n"
		    "to         ", direction_of(&h->m), h->sender);
		put_rcpts(&out, &h->m, SIZE_MAX, "\n           ");
		buf_printf(&out, "\nlogin      %s\nclient     %s\n"
		    "reason     %s\nsealed     ", h->login[0] == '\0' ? "-" :
		    h->login, h->client[0] == '\0' ? "-" : h->client,
		    h->reason);
		put_size(&out, h->m.size);
		if (c->config->quarantine.is_set)
			buf_printf(&out, "\nends       %s", when_date(when,
			    h->m.at + c->config->quarantine.keep_s));
		buf_putc(&out, '\n');
	}
	rc = cli_print(&out);
	buf_free(&out);
	return rc;
}

/* What is read is noted before it is shown. */
static int write_message(struct cli *c, struct held_copy *h, int fd)
{
	struct keyring *ring = NULL;
	struct spool_rd rd;
	struct err e = { 0 };
	struct view v;
	int rc = held_ring(c, &ring);

	if (rc == EX_OK)
		rc = held_load(c, ring, h);
	keyring_free(&ring);
	if (rc != EX_OK)
		return rc;
	if (keystore_held_note(c->ks, h->id, "show held mail",
	    fd == STDOUT_FILENO ? "" : "to a file", &e) != 0)
		return cli_fail(&e);
	spool_rd_init(&rd, h->msg, 0, spool_size(h->msg));
	while ((rc = spool_next(&rd, &v, &e)) == 0 && v.n > 0)
		if ((rc = io_write_all(fd, v.p, v.n, &e)) != 0)
			break;
	spool_rd_free(&rd);
	return rc == 0 ? EX_OK : cli_fail(&e);
}

static int show_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	bool json = false, message = false;
	const struct cli_opt opt[] = {
		{ "--json", &json, NULL, NULL },
		{ "--message", &message, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct held_copy h = { 0 };
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && (rest.n != 1 || (json && message)))
		rc = cli_usage(c, json && message ? "--json is without the "
		    "message" : "an id of \"postseal quarantine list\" is "
		    "needed");
	if (rc == EX_OK)
		rc = cli_keystore(c, message ? KS_WRITE : KS_READ);
	if (rc == EX_OK)
		rc = held_find(c, rest.v[0], &h);
	if (rc == EX_OK)
		rc = message ? write_message(c, &h, STDOUT_FILENO) :
		    print_known(c, &h, json);
	held_copy_free(&h);
	cli_list_free(&rest);
	return rc;
}

/* The caller's own file, before root is given up. */
static int export_verb(struct cli *c, int argc, char **argv)
{
	const struct cli_opt opt[] = { { NULL, NULL, NULL, NULL } };
	struct cli_list rest = { NULL, 0 };
	struct held_copy h = { 0 };
	int fd = -1, rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n != 2)
		rc = cli_usage(c, "an id and a new file are needed");
	if (rc == EX_OK)
		rc = cli_config(c);
	if (rc == EX_OK && (fd = open(rest.v[1], O_WRONLY | O_CREAT | O_EXCL |
	    O_CLOEXEC | O_NOFOLLOW, 0600)) == -1)
		rc = cli_say(EX_CANTCREAT, "%s: %s", rest.v[1],
		    strerror(errno));
	if (rc == EX_OK)
		rc = cli_keystore(c, KS_WRITE);
	if (rc == EX_OK)
		rc = held_find(c, rest.v[0], &h);
	if (rc == EX_OK)
		rc = write_message(c, &h, fd);
	if (fd != -1 && close(fd) != 0 && rc == EX_OK)
		rc = cli_say(EX_IOERR, "%s: %s", rest.v[1], strerror(errno));
	/* Who was root until here may not remove it any more. */
	if (fd != -1 && rc != EX_OK && unlink(rest.v[1]) != 0)
		(void)cli_say(0, "%s is not complete", rest.v[1]);
	held_copy_free(&h);
	cli_list_free(&rest);
	return rc;
}

/* ---- delete ---- */

static int delete_one(struct cli *c, const char *id, bool dry_run)
{
	struct held_copy h = { 0 };
	int rc = held_find(c, id, &h);
	struct buf b;

	if (rc == EX_OK && !dry_run)
		rc = held_finish(c, &h, false, "delete held mail");
	buf_init(&b, 65536);
	buf_printf(&b, "%s from %s: %s\n", id, rc == EX_OK ? h.sender : "",
	    dry_run ? "would be deleted" : "deleted");
	if (rc == EX_OK)
		rc = cli_print(&b);
	buf_free(&b);
	held_copy_free(&h);
	return rc;
}

/* Only about what is there. */
static int ask_delete(struct cli *c, const struct cli_list *id)
{
	struct held_copy h = { 0 };
	struct buf b;
	int rc = EX_OK;

	for (size_t i = 0; rc == EX_OK && i < id->n; i++) {
		rc = held_find(c, id->v[i], &h);
		held_copy_free(&h);
	}
	if (rc != EX_OK)
		return rc;
	buf_init(&b, 200);
	buf_printf(&b, "%zu held %s would never be sent.", id->n,
	    id->n == 1 ? "message" : "messages");
	rc = held_confirm(buf_str(&b), "delete");
	buf_free(&b);
	return rc;
}

static int delete_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	bool yes = false, dry_run = false;
	const struct cli_opt opt[] = {
		{ "--yes", &yes, NULL, NULL },
		{ "--dry-run", &dry_run, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc, one;
	bool go;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n == 0)
		rc = cli_usage(c, "an id of \"postseal quarantine list\" is "
		    "needed");
	if (rc == EX_OK)
		rc = cli_keystore(c, dry_run ? KS_READ : KS_WRITE);
	if (rc == EX_OK && !yes && !dry_run)
		rc = ask_delete(c, &rest);
	go = rc == EX_OK;
	for (size_t i = 0; go && (rc == EX_OK || rc == EX_DATAERR) &&
	    i < rest.n; i++) {
		one = delete_one(c, rest.v[i], dry_run);
		if (one != EX_OK)
			rc = one;
	}
	cli_list_free(&rest);
	return rc;
}

/* ---- init ---- */

static int init_verb(struct cli *c, int argc, char **argv)
{
	const struct cli_opt opt[] = { { NULL, NULL, NULL, NULL } };
	struct cli_list rest = { NULL, 0 };
	struct cert *cert = NULL;
	struct err e = { 0 };
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK)
		rc = cli_keystore(c, KS_WRITE);
	if (rc == EX_OK)
		rc = cli_secret_to_seal(c);
	if (rc == EX_OK && keystore_held_make(c->ks, buf_view(&c->secret),
	    cli_now(c), &cert, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK)
		printf("mail is held for the new key %.16s; what is held "
		    "already keeps its own\n", cert_sha256_hex(cert));
	if (rc == EX_OK && !c->config->quarantine.is_set)
		(void)cli_say(0, "note: %s has no quarantine { } yet, so "
		    "nothing is held", c->config->path);
	cert_free(&cert);
	cli_list_free(&rest);
	return rc;
}

int cmd_quarantine(struct cli *c, int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "init", init_verb, "quarantine init", "" },
		{ "list", list_verb, "quarantine list [--json]", "" },
		{ "show", show_verb,
		    "quarantine show ID [--json | --message]", "" },
		{ "release", release_verb, "quarantine release ID ... "
		    "[--in-clear | --as-is] [--yes] [--dry-run] [--via HOP]",
		    "" },
		{ "delete", delete_verb,
		    "quarantine delete ID ... [--yes] [--dry-run]", "" },
		{ "export", export_verb, "quarantine export ID FILE", "" },
	};

	return cli_dispatch(c, verbs, ARRAY_LEN(verbs), argc, argv);
}
