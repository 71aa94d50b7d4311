/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What is possible (splitting, holding) is as configured: so the answer is
 * that of the service.
 */
#include "cli/dry.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/import.h"
#include "cli/ticket.h"
#include "gateway/lookup.h"
#include "util/proc.h"
#include "util/when.h"

#define MESSAGE_MAX ((size_t)256 << 20)

int dry_read(struct dry *d, const char *path)
{
	struct err e = {0};
	struct buf b;
	int rc = 0;

	buf_init(&b, MESSAGE_MAX);
	if (io_read_file(path, &b, &e) != 0 ||
	    spool_new(&d->msg, 2 * MESSAGE_MAX, &e) != 0 ||
	    mail_to_spool(d->msg, buf_view(&b), &e) != 0)
		rc = cli_fail(&e);
	buf_free(&b);
	return rc;
}

void dry_free(struct dry *d)
{
	spool_free(&d->msg);
}

static void set_possible(struct dry *d)
{
	const struct config *c = d->c->config;

	verdict_new_id(d->id);
	d->env.id = d->id;
	d->env.now = (int64_t)time(NULL);
	d->env.can_split = c->reinject != NULL || c->doors > 0;
	d->env.can_hold = c->quarantine.is_set;
	d->env.can_tls = config_has_tls_route(c);
}

static void decide(struct dry *d, const struct key_ops *keys,
    const struct spool *msg, struct verdict *v)
{
	struct lookup_ops directories = lookup_direct(d->finder);
	struct gateway g = {.config = d->c->config, .rules = d->rules,
	    .ks = d->c->ks, .keys = keys,
	    .lookup = d->finder == NULL ? NULL : &directories};
	struct err e = {0};

	gateway_run(&g, &d->env, msg, v, &e);
	if (e.kind != 0)
		(void)cli_say(0, "%s", e.msg);
}

int dry_run(struct dry *d, struct verdict *v)
{
	struct cli_ticket t = {.c = d->c, .env = &d->env};
	struct key_ops keys;
	int rc = cli_keyring(d->c);

	if (rc != 0)
		return rc;
	t.rcpt = calloc(d->env.rcpts + 1, sizeof(*t.rcpt));
	if (t.rcpt == NULL)
		return cli_say(EX_OSERR, "out of memory");
	for (; t.rcpts < d->env.rcpts; t.rcpts++)
		(void)rcpt_read(d->c->config, d->env.rcpt[t.rcpts],
		    &t.rcpt[t.rcpts]);
	keys = cli_ticket_ops(&t);
	set_possible(d);
	decide(d, &keys, d->msg, v);
	free(t.rcpt);
	return 0;
}

/* Nothing in it is special: no list, no report, one line of text. */
static void write_ordinary(struct dry *d, const struct addr *from,
    struct buf *b)
{
	char date[WHEN_SIZE];
	struct addr a;

	buf_printf(b, "Date: %s\r\nMessage-ID: <%s@postseal.invalid>\r\n"
	    "From: %s\r\n", when_mail(date, (int64_t)time(NULL)), d->id,
	    from->text);
	for (size_t i = 0; i < d->visible; i++)
		if (rcpt_read(d->c->config, d->env.rcpt[i], &a) ==
		    RCPT_ADDRESS)
			buf_printf(b, "%s%s", i == 0 ? "To: " : ",\r\n ",
			    a.text);
	buf_puts(b, "\r\nSubject: hello\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain\r\n\r\nhello\r\n");
}

int dry_plan(struct dry *d, const struct addr *from, struct verdict *v)
{
	struct spool *msg = NULL;
	struct err e = {0};
	struct buf b;
	int rc = 0;

	set_possible(d);
	d->env.plan_only = true;
	buf_init(&b, 1u << 20);
	write_ordinary(d, from, &b);
	if (buf_ok(&b, &e) != 0 || spool_new(&msg, 2u << 20, &e) != 0 ||
	    spool_write(msg, b.p, b.n, &e) != 0)
		rc = cli_fail(&e);
	else
		decide(d, NULL, msg, v);
	spool_free(&msg);
	buf_free(&b);
	d->env.plan_only = false;
	return rc;
}
