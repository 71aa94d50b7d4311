/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal relay passwd: lines of a password file set, taken out, listed.
 * The file is replaced as a whole, keeps owner and mode, and its other lines
 * stay as they are; what the lines mean is in relay/passwd.c.
 */
#include "cli/relay_passwd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "relay/auth.h"
#include "relay/passwd.h"
#include "util/json.h"
#include "util/proc.h"

struct job {
	const char *file, *login;
	const char *password_file;
	bool remove, list, json;
	bool is_new;	/* there is no such file yet */
	bool has_login; /* it was in the file */
	struct buf was, text, password;
};

/* All of it must be right: what we would write is refused otherwise. */
static int check_file(struct job *j)
{
	struct view text = buf_view(&j->was), line;
	struct passwd_line l;
	struct err e = { 0 };
	size_t number = 0;

	if (view_chr(text, 0, 0) != (size_t)-1)
		return cli_say(EX_DATAERR, "%s: not text", j->file);
	while (passwd_next(&text, &line, &number)) {
		if (passwd_parse_line(&l, line, &e) != 0)
			return cli_say(EX_DATAERR, "%s:%zu: %s", j->file,
			    number, e.msg);
		if (j->login != NULL && view_eq_str(l.login, j->login))
			j->has_login = true;
	}
	return EX_OK;
}

static int read_file(struct job *j)
{
	struct err e = { 0 };

	j->is_new = access(j->file, F_OK) != 0 && errno == ENOENT;
	if (j->is_new && (j->list || j->remove))
		return cli_say(EX_NOINPUT, "%s: %s", j->file,
		    strerror(ENOENT));
	if (j->is_new)
		return EX_OK;
	if (io_read_secret(j->file, &j->was, &e) != 0)
		return cli_fail(&e);
	return check_file(j);
}

/* The old text without the login's line; the new one in its place. */
static int edit(struct job *j)
{
	struct view text = buf_view(&j->was), line, name;
	struct err e = { 0 };
	bool was_put = false;
	size_t end;

	while (text.n > 0) {
		end = view_chr(text, '\n', 0);
		line = view_sub(text, 0, end);
		text = end == (size_t)-1 ? view_make(NULL, 0) :
		    view_sub(text, end + 1, text.n);
		name = view_sub(line, 0, view_chr(line, ':', 0));
		if (!view_eq_str(name, j->login)) {
			buf_putv(&j->text, line);
		} else if (j->remove) {
			continue;
		} else {
			was_put = true;
			if (passwd_make(&j->text, j->login,
			    buf_view(&j->password), &e) != 0)
				return cli_fail(&e);
		}
		buf_putc(&j->text, '\n');
	}
	if (!j->remove && !was_put) {
		if (passwd_make(&j->text, j->login, buf_view(&j->password),
		    &e) != 0)
			return cli_fail(&e);
		buf_putc(&j->text, '\n');
	}
	return buf_ok(&j->text, &e) == 0 ? EX_OK : cli_fail(&e);
}

static int write_file(struct job *j)
{
	struct err e = { 0 };
	int rc;

	rc = j->is_new ?
	    io_write_file(j->file, 0600, buf_view(&j->text), &e) :
	    io_rewrite_secret(j->file, buf_view(&j->was),
		buf_view(&j->text), &e);
	if (rc != 0)
		return cli_say(EX_CANTCREAT, "%s", e.msg);
	printf("%s: %s %s\n", j->file, j->login, j->remove ? "is out" :
	    j->has_login ? "has a new password" : "is in");
	return EX_OK;
}

static int list_json(struct job *j, struct buf *out)
{
	struct view text = buf_view(&j->was), line;
	struct passwd_line l;
	struct json w;
	size_t number = 0;
	char login[PASSWD_LOGIN];

	json_init(&w, out);
	json_array(&w, NULL);
	while (passwd_next(&text, &line, &number)) {
		if (passwd_parse_line(&l, line, NULL) != 0 ||
		    view_cstr(l.login, login, sizeof(login)) != 0)
			continue;
		json_object(&w, NULL);
		json_str(&w, "login", login);
		json_bool(&w, "scram", l.has_verifier);
		json_end_object(&w);
	}
	json_end_array(&w);
	buf_putc(out, '\n');
	return EX_OK;
}

static int list_table(struct job *j, struct buf *out)
{
	static const char *const head[] = { "LOGIN", "MECHANISMS" };
	struct table *t = table_of(head, ARRAY_LEN(head));
	struct view text = buf_view(&j->was), line;
	struct passwd_line l;
	size_t number = 0;
	char login[PASSWD_LOGIN];
	int rc;

	while (passwd_next(&text, &line, &number)) {
		if (passwd_parse_line(&l, line, NULL) != 0 ||
		    view_cstr(l.login, login, sizeof(login)) != 0)
			continue;
		table_cell(t, login);
		table_cell(t, l.has_verifier ?
		    "plain login scram-sha-256" : "plain login");
	}
	rc = table_print(t, out);
	table_free(&t);
	return rc == 0 ? EX_OK : cli_say(EX_OSERR, "out of memory");
}

static int list(struct job *j)
{
	struct buf out;
	int rc;

	buf_init(&out, 2 * PASSWD_FILE);
	rc = j->json ? list_json(j, &out) : list_table(j, &out);
	if (rc == EX_OK)
		rc = cli_print(&out);
	buf_free(&out);
	return rc;
}

static int change(struct job *j)
{
	struct err e = { 0 };
	int rc = EX_OK;

	if (passwd_check_login(view_of(j->login), &e) != 0)
		return cli_fail(&e);
	if (j->remove && !j->has_login)
		return cli_say(EX_DATAERR, "%s: no login %s", j->file,
		    j->login);
	if (!j->remove)
		rc = cli_password(j->password_file, "New password: ", true,
		    &j->password);
	if (rc == EX_OK)
		rc = edit(j);
	return rc == EX_OK ? write_file(j) : rc;
}

static int check_words(struct cli *c, struct job *j,
    const struct cli_list *rest)
{
	size_t wanted = j->list ? 1 : 2;

	if (rest->n != wanted)
		return cli_usage(c, j->list ? "want FILE alone" :
		    "want FILE and LOGIN; a password is never an argument");
	if (j->list && (j->remove || j->password_file != NULL))
		return cli_usage(c, "--list: changes nothing");
	if (j->remove && j->password_file != NULL)
		return cli_usage(c, "--delete: needs no password");
	if (j->json && !j->list)
		return cli_usage(c, "--json: only with --list");
	j->file = rest->v[0];
	j->login = j->list ? NULL : rest->v[1];
	return EX_OK;
}

int cli_relay_passwd(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct job j = { 0 };
	const struct cli_opt opt[] = {
		{ "--delete", &j.remove, NULL, NULL },
		{ "--list", &j.list, NULL, NULL },
		{ "--json", &j.json, NULL, NULL },
		{ "--password-file", NULL, &j.password_file, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	buf_init_secret(&j.was, PASSWD_FILE);
	buf_init_secret(&j.text, PASSWD_FILE);
	buf_init_secret(&j.password, 65536);
	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK)
		rc = check_words(c, &j, &rest);
	if (rc == EX_OK)
		rc = read_file(&j);
	if (rc == EX_OK)
		rc = j.list ? list(&j) : change(&j);
	buf_free(&j.was);
	buf_free(&j.text);
	buf_free(&j.password);
	cli_list_free(&rest);
	return rc;
}
