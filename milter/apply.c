/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Index semantics, measured: an index counts the fields of a name from 1. A
 * deletion in Postfix moves later ones up, in Sendmail it leaves an empty
 * place; from the highest index down both come to the same
 * (CVE-2022-48521). insheader at 0 is above everything that the milter can
 * see. Body chunks must follow each other in one run, or Postfix calls the
 * milter misconfigured.
 */
#include "milter/apply.h"

#include <stdlib.h>
#include <string.h>

#define REPLY_LINE 400 /* octets of text in a line before doubling */
#define REPLY_LINES 4
#define BODY_CHUNK 65535 /* of the protocol */

static int failed(struct err *e, const char *what)
{
	return err_set(e, FAIL_TEMP, "the MTA did not take %s", what);
}

/* ---- replies ---- */

/* The next line of text, doubled %, cut at a blank. */
static const char *put_line(struct buf *b, const char *text)
{
	size_t n = strlen(text), i;

	if (n > REPLY_LINE) {
		n = REPLY_LINE;
		while (n > 0 && text[n] != ' ')
			n--;
		if (n == 0)
			n = REPLY_LINE;
	}
	for (i = 0; i < n; i++) {
		if (text[i] == '%')
			buf_putc(b, '%');
		buf_putc(b, text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
	}
	text += n;
	while (*text == ' ')
		text++;
	return text;
}

sfsistat apply_reply(SMFICTX *ctx, int code, const char *enhanced,
    const char *text)
{
	struct buf line[REPLY_LINES], rcode;
	char *s[REPLY_LINES] = { NULL };
	size_t n = 0, i;

	for (i = 0; i < REPLY_LINES; i++)
		buf_init(&line[i], 980);
	buf_init(&rcode, 8);
	buf_printf(&rcode, "%03d", code);
	do {
		text = put_line(&line[n], text);
		if (line[n].p != NULL && !line[n].failed)
			s[n] = (char *)line[n].p;
		n++;
	} while (*text != '\0' && n < REPLY_LINES);
	if (rcode.p != NULL && s[0] != NULL) {
		if (n == 1)
			(void)smfi_setreply(ctx, (char *)rcode.p,
			    (char *)(uintptr_t)enhanced, s[0]);
		else
			(void)smfi_setmlreply(ctx, (char *)rcode.p, enhanced,
			    s[0], s[1], s[2], s[3], NULL);
	}
	for (i = 0; i < REPLY_LINES; i++)
		buf_free(&line[i]);
	buf_free(&rcode);
	return code >= 500 ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

/* ---- edits ---- */

static int by_index_downwards(const void *a, const void *b)
{
	const struct edit *x = *(struct edit *const *)a;
	const struct edit *y = *(struct edit *const *)b;

	return y->index - x->index;
}

static int delete_fields(const struct apply_to *to, const struct answer *a,
    struct err *e)
{
	struct edit **d = calloc(a->edits + 1, sizeof(*d));
	size_t n = 0, i;
	int rc = 0;

	if (d == NULL)
		return err_set(e, FAIL_TEMP, "edits: out of memory");
	for (i = 0; i < a->edits; i++)
		if (a->edit[i].kind == EDIT_DELETE)
			d[n++] = &a->edit[i];
	qsort(d, n, sizeof(*d), by_index_downwards);
	for (i = 0; i < n && rc == 0; i++)
		if (smfi_chgheader(to->ctx, d[i]->name, d[i]->index, NULL) !=
		    MI_SUCCESS)
			rc = failed(e, "the deletion of a header field");
	free(d);
	return rc;
}

static int add_field(const struct apply_to *to, const struct edit *x,
    struct err *e)
{
	char *value = x->value;
	int rc;

	/* Without the option the MTA puts a blank in front itself. */
	if (!to->lead_space && value[0] == ' ')
		value++;
	rc = x->kind == EDIT_INSERT_TOP ?
	    smfi_insheader(to->ctx, 0, x->name, value) :
	    smfi_addheader(to->ctx, x->name, value);
	return rc == MI_SUCCESS ? 0 : failed(e, "a header field");
}

static int edit_headers(const struct apply_to *to, const struct answer *a,
    struct err *e)
{
	size_t i;

	if (delete_fields(to, a, e) != 0)
		return -1;
	for (i = 0; i < a->edits; i++)
		if (a->edit[i].kind != EDIT_DELETE &&
		    add_field(to, &a->edit[i], e) != 0)
			return -1;
	return 0;
}

/*
 * Bounces of what was decrypted must come back without content (S47). A null
 * sender gets no bounce. An ENVID is given again, because a change of the
 * sender may drop it.
 */
static int limit_bounces(const struct apply_to *to, struct err *e)
{
	struct buf b;
	int rc = 0;

	if ((to->actions & SMFIF_CHGFROM) == 0 ||
	    strcmp(to->mail_from, "<>") == 0 || to->mail_from[0] == '\0')
		return 0;
	buf_init(&b, 4096);
	buf_puts(&b, "RET=HDRS");
	if (to->envid != NULL)
		buf_printf(&b, " %s", to->envid);
	if (buf_ok(&b, e) != 0)
		rc = -1;
	else if (smfi_chgfrom(to->ctx, to->mail_from, (char *)b.p) !=
	    MI_SUCCESS)
		rc = failed(e, "RET=HDRS");
	buf_free(&b);
	return rc;
}

/* Whoever has a copy of his own must not get this one, too. */
static int delete_recipients(const struct apply_to *to,
    const struct answer *a, struct err *e)
{
	size_t i;

	for (i = 0; i < a->groups; i++)
		if (a->group[i] != a->here &&
		    smfi_delrcpt(to->ctx, to->rcpt[i]) != MI_SUCCESS)
			return failed(e, "the removal of a recipient");
	return 0;
}

static int replace_body(const struct apply_to *to, const struct spool *body,
    uint64_t off, struct err *e)
{
	uint64_t size = spool_size(body) - off;
	size_t room = size < BODY_CHUNK ? (size_t)size + 1 : BODY_CHUNK;
	unsigned char *p = malloc(room);
	uint64_t at = off;
	size_t n;
	int rc = -1;

	if (p == NULL)
		return err_set(e, FAIL_TEMP, "body: out of memory");
	do { /* an empty body is one empty chunk */
		if (spool_read(body, at, p, room, &n, e) != 0)
			goto out;
		if (n == 0 && at > off)
			break;
		if (smfi_replacebody(to->ctx, p, (int)n) != MI_SUCCESS) {
			(void)failed(e, "the body");
			goto out;
		}
		at += n;
	} while (at < spool_size(body));
	rc = 0;
out:
	free(p);
	return rc;
}

static int apply_changes(const struct apply_to *to, struct answer *a,
    struct err *e)
{
	char reason[] = "held by postseal";

	if (a->has_body && a->body == NULL)
		return err_set(e, FAIL_BUG, "a new body was announced and did "
		    "not come");
	if (a->action == ACT_SPLIT && a->copies == 0)
		return err_set(e, FAIL_BUG, "copies were announced and there "
		    "are none");
	if (edit_headers(to, a, e) != 0)
		return -1;
	if (a->ret_hdrs && limit_bounces(to, e) != 0)
		return -1;
	if (delete_recipients(to, a, e) != 0)
		return -1;
	if (a->action == ACT_QUARANTINED) {
		if ((to->actions & SMFIF_QUARANTINE) == 0)
			return err_set(e, FAIL_TEMP, "the MTA cannot "
			    "quarantine");
		if (smfi_quarantine(to->ctx, reason) != MI_SUCCESS)
			return failed(e, "the quarantine");
	}
	return !a->has_body ? 0 : replace_body(to, a->body, a->body_at, e);
}

sfsistat apply_answer(const struct apply_to *to, struct answer *a,
    struct err *e)
{
	switch (a->action) {
	case ACT_REJECTED:
	case ACT_DEFERRED:
		return apply_reply(to->ctx, a->code, a->enhanced, a->text);
	case ACT_UNCHANGED:
		return SMFIS_CONTINUE;
	case ACT_REPLACED:
	case ACT_QUARANTINED:
	case ACT_SPLIT:
		if (a->copies > 0 && a->here == 0)
			return SMFIS_DISCARD; /* everybody has his own */
		if (apply_changes(to, a, e) == 0)
			return SMFIS_CONTINUE;
		break;
	}
	return apply_reply(to->ctx, 451, "4.3.0",
	    "Internal fault, please try again");
}
