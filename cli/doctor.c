/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal doctor: the list of findings, and the verb.
 */
#include "cli/doctor.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/postconf.h"
#include "util/json.h"
#include "util/proc.h"
#include "util/utf8.h"

#define CF_MAX ((size_t)8 << 20)
#define PRINT_MAX ((size_t)16 << 20)
#define ROWS_MAX 2000

const char *doctor_level_str(enum doctor_level l)
{
	static const char *const name[] = {
		[DOCTOR_DANGER] = "danger",
		[DOCTOR_WARNING] = "warning",
		[DOCTOR_HINT] = "hint",
		[DOCTOR_OK] = "ok",
	};

	return name[l];
}

static bool have_room(struct doctor *d)
{
	struct doctor_row *bigger;
	size_t size = d->size == 0 ? 64 : d->size * 2;

	if (d->rows < d->size)
		return true;
	bigger = d->rows >= ROWS_MAX ? NULL
	    : reallocarray(d->row, size, sizeof(*bigger));
	if (bigger == NULL) {
		d->no_memory = true;
		return false;
	}
	d->row = bigger;
	d->size = size;
	return true;
}

void doctor_add(struct doctor *d, const struct doctor_row *row)
{
	struct doctor_row *r;

	if (!have_room(d))
		return;
	r = &d->row[d->rows++];
	r->level = row->level;
	r->check = strdup(row->check);
	r->where = strdup(row->where);
	r->why = strdup(row->why);
	r->fix = strdup(row->fix);
	if (r->check == NULL || r->where == NULL || r->why == NULL ||
	    r->fix == NULL) {
		d->no_memory = true;
		free(r->check);
		free(r->where);
		free(r->why);
		free(r->fix);
		d->rows--;
		return;
	}
	/* names and values of other programs' files: one line stays one */
	utf8_mask(r->where);
	utf8_mask(r->why);
	utf8_mask(r->fix);
}

void doctor_free(struct doctor *d)
{
	for (size_t i = 0; i < d->rows; i++) {
		free(d->row[i].check);
		free(d->row[i].where);
		free(d->row[i].why);
		free(d->row[i].fix);
	}
	free(d->row);
	memset(d, 0, sizeof(*d));
}

/* ---- printing ---- */

static size_t count(const struct doctor *d, enum doctor_level l)
{
	size_t n = 0;

	for (size_t i = 0; i < d->rows; i++)
		n += d->row[i].level == l;
	return n;
}

static void print_text(const struct doctor *d, struct buf *out)
{
	for (int l = DOCTOR_DANGER; l <= DOCTOR_OK; l++)
		for (size_t i = 0; i < d->rows; i++) {
			const struct doctor_row *r = &d->row[i];

			if ((int)r->level != l)
				continue;
			buf_printf(out, "%-8s %s: %s\n",
			    doctor_level_str(r->level), r->check, r->where);
			buf_printf(out, "         %s\n", r->why);
			if (r->fix[0] != '\0')
				buf_printf(out, "         -> %s\n", r->fix);
		}
	buf_printf(out, "%zu dangerous, %zu warnings, %zu hints\n", count(d,
	    DOCTOR_DANGER), count(d, DOCTOR_WARNING), count(d, DOCTOR_HINT));
}

static void print_json(const struct doctor *d, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	json_array(&j, NULL);
	for (size_t i = 0; i < d->rows; i++) {
		json_object(&j, NULL);
		json_str(&j, "level", doctor_level_str(d->row[i].level));
		json_str(&j, "check", d->row[i].check);
		json_str(&j, "where", d->row[i].where);
		json_str(&j, "why", d->row[i].why);
		json_str(&j, "fix", d->row[i].fix[0] == '\0' ? NULL
		    : d->row[i].fix);
		json_end_object(&j);
	}
	json_end_array(&j);
	buf_putc(out, '\n');
}

/* ---- the mail server ---- */

struct request {
	const char *mta, *dir, *postconf;
	bool json;
};

static bool is_there(const char *dir, const char *name)
{
	struct buf b;
	bool is;

	buf_init(&b, 4096);
	buf_printf(&b, "%s/%s", dir, name);
	is = !b.failed && access(buf_str(&b), F_OK) == 0;
	buf_free(&b);
	return is;
}

/* Which one, where nobody said. */
static const char *find_mta(const struct request *q)
{
	if (q->mta != NULL)
		return q->mta;
	if (q->postconf != NULL)
		return "postfix";
	if (q->dir != NULL)
		return is_there(q->dir, "main.cf") ? "postfix" : "sendmail";
	if (is_there("/etc/postfix", "main.cf"))
		return "postfix";
	return is_there("/etc/mail", "sendmail.cf") ? "sendmail" : NULL;
}

/* Asked for by name, or there by itself. */
static bool is_asked_for(const struct request *q)
{
	return q->mta != NULL || q->dir != NULL || q->postconf != NULL;
}

static void look_at_postfix(struct doctor *d, const struct request *q)
{
	struct postconf p = {0};
	struct err e = {0};

	p.dir = strdup(q->dir == NULL ? "/etc/postfix" : q->dir);
	if (p.dir == NULL)
		d->no_memory = true;
	else if (postconf_read(&p, q->postconf, q->dir, &e) != 0)
		doctor_say(d, DOCTOR_WARNING, "mta-unread", p.dir, e.msg,
		    "postseal doctor --postconf PATH --config-dir DIR");
	else if (d->config->is_relay_only)
		doctor_relay_postfix(d, &p);
	else
		doctor_postfix(d, &p);
	postconf_free(&p);
}

static void look_at_sendmail(struct doctor *d, const struct request *q)
{
	const char *dir = q->dir == NULL ? "/etc/mail" : q->dir;
	struct err e = {0};
	struct buf path, text;

	buf_init(&path, 4096);
	buf_init(&text, CF_MAX);
	buf_printf(&path, "%s/sendmail.cf", dir);
	if (io_read_file(buf_str(&path), &text, &e) == 0)
		doctor_sendmail(d, buf_str(&path), buf_view(&text));
	else
		doctor_say(d, DOCTOR_WARNING, "mta-unread", buf_str(&path),
		    e.msg, "postseal doctor --mta sendmail --config-dir DIR");
	buf_free(&path);
	buf_free(&text);
}

static void look_at_mta(struct doctor *d, const struct request *q)
{
	const char *mta = find_mta(q);
	bool is_relay = d->config->is_relay_only;

	if (is_relay && (mta == NULL || (strcmp(mta, "sendmail") == 0 &&
	    !is_asked_for(q))))
		return; /* what is in front of a tunnel need be none */
	if (mta == NULL)
		doctor_say(d, DOCTOR_HINT, "mta-unread", "/etc",
		    "neither Postfix nor Sendmail is set up in its usual "
		    "place", "postseal doctor --config-dir DIR");
	else if (strcmp(mta, "postfix") == 0)
		look_at_postfix(d, q);
	else if (is_relay)
		doctor_say(d, DOCTOR_HINT, "mta-unread", "sendmail.cf",
		    "only what matters to postseal-milter is looked for in "
		    "it, and only relay { } is configured", "");
	else
		look_at_sendmail(d, q);
}

/* ---- the verb ---- */

static int print(const struct doctor *d, bool json)
{
	struct buf out;
	int rc;

	buf_init(&out, PRINT_MAX);
	if (json)
		print_json(d, &out);
	else
		print_text(d, &out);
	rc = d->no_memory ? cli_say(EX_OSERR, "out of memory, or more than "
	    "%d findings", ROWS_MAX) : cli_print(&out);
	buf_free(&out);
	return rc != 0 ? rc : count(d, DOCTOR_DANGER) > 0 ? EX_CONFIG : 0;
}

static void look_at_keystore(struct cli *c, struct doctor *d)
{
	if (cli_keystore(c, KS_READ) == 0)
		doctor_keystore(d, c->ks, cli_now(c));
	else
		doctor_say(d, DOCTOR_DANGER, "keystore", c->config->keystore,
		    "the keystore cannot be opened", "");
}

/* All that needs root, or our caller's rights, comes before the keystore. */
static int examine(struct cli *c, const struct request *q)
{
	struct doctor d = {.config = c->config};
	int rc;

	look_at_mta(&d, q);
	doctor_files(&d);
	doctor_relay(&d, cli_now(c));
	if (!c->config->is_relay_only)
		look_at_keystore(c, &d);
	rc = print(&d, q->json);
	doctor_free(&d);
	return rc;
}

int cmd_doctor(struct cli *c, int argc, char **argv)
{
	struct request q = {0};
	struct cli_opt opt[] = {
		{"--mta", NULL, &q.mta, NULL},
		{"--config-dir", NULL, &q.dir, NULL},
		{"--postconf", NULL, &q.postconf, NULL},
		{"--json", &q.json, NULL, NULL},
		{NULL, NULL, NULL, NULL},
	};
	struct cli_list rest = {0};
	int rc = cli_options(c, argc, argv, opt, &rest);

	if (rc == 0 && rest.n != 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == 0 && q.mta != NULL && strcmp(q.mta, "postfix") != 0 &&
	    strcmp(q.mta, "sendmail") != 0)
		rc = cli_usage(c, "--mta %s: want postfix or sendmail",
		    q.mta);
	if (rc == 0)
		rc = cli_config_any(c);
	if (rc == 0)
		rc = examine(c, &q);
	cli_list_free(&rest);
	return rc;
}
