/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a filter answers at the end of a message: edits, checked as an MTA
 * would, and the final reply.
 */
#include "tests/bench/mfclient_int.h"

#include <ctype.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (2u << 30)
#define LINE_MAX_HARD 2048 /* of Postfix, line_length_limit */

/* Which edit needs which action of the negotiation, and its arguments. */
struct edit_kind {
	char op;
	uint32_t action;
	bool has_index;
	bool has_value;	     /* a second string */
	bool value_optional;
};

static const struct edit_kind edit_kind[] = {
	{ SMFIR_ADDHEADER, SMFIF_ADDHDRS, false, true, false },
	{ SMFIR_INSHEADER, SMFIF_ADDHDRS, true, true, false },
	{ SMFIR_CHGHEADER, SMFIF_CHGHDRS, true, true, false },
	{ SMFIR_ADDRCPT, SMFIF_ADDRCPT, false, false, false },
	{ SMFIR_ADDRCPT_PAR, SMFIF_ADDRCPT_PAR, false, true, true },
	{ SMFIR_DELRCPT, SMFIF_DELRCPT, false, false, false },
	{ SMFIR_CHGFROM, SMFIF_CHGFROM, false, true, true },
	{ SMFIR_QUARANTINE, SMFIF_QUARANTINE, false, false, false },
};

static const struct edit_kind *
find_kind(char op)
{
	for (size_t i = 0; i < sizeof(edit_kind) / sizeof(edit_kind[0]); i++)
		if (edit_kind[i].op == op)
			return &edit_kind[i];
	return NULL;
}

void
mf_result_init(struct mf_result *r, bool keep)
{
	memset(r, 0, sizeof(*r));
	r->keep = keep;
	buf_init(&r->body, BODY_MAX);
}

static void
clear_edits(struct mf_result *r)
{
	for (size_t i = 0; i < r->edits; i++) {
		free(r->edit[i].name);
		free(r->edit[i].value);
	}
	free(r->edit);
	r->edit = NULL;
	r->edits = 0;
}

void
mf_result_free(struct mf_result *r)
{
	clear_edits(r);
	buf_free(&r->body);
}

/* ---- final replies ---- */

/* "550 5.7.3 text", or several lines "550-5.7.3 text"; no 421, which closes
 * the session of an innocent client. */
static int
check_reply_code(struct view v, struct err *e)
{
	char q[ERR_QUOTED];

	if (v.n < 5 || v.p[v.n - 1] != '\0' ||
	    (v.p[0] != '4' && v.p[0] != '5') || !isdigit(v.p[1]) ||
	    !isdigit(v.p[2]) || (v.p[3] != ' ' && v.p[3] != '-') ||
	    memcmp(v.p, "421", 3) == 0)
		return err_set(e, FAIL_INPUT, "reply code: found %s, wanted "
		    "4xx or 5xx and a text", err_quote(q, sizeof(q), v.p,
		    v.n));
	return 0;
}

int
mfclient_final(struct mf_client *c, char code, struct view v, struct err *e)
{
	switch (code) {
	case SMFIR_CONTINUE:
	case SMFIR_ACCEPT:
	case SMFIR_DISCARD:
	case SMFIR_SKIP:
		c->reply[0] = '\0';
		return 0;
	case SMFIR_REJECT:
		(void)snprintf(c->reply, sizeof(c->reply),
		    "550 5.7.1 Command rejected");
		return 0;
	case SMFIR_TEMPFAIL:
		(void)snprintf(c->reply, sizeof(c->reply),
		    "451 4.7.1 Service unavailable - try again later");
		return 0;
	case SMFIR_REPLYCODE:
		if (check_reply_code(v, e) == -1)
			return -1;
		(void)snprintf(c->reply, sizeof(c->reply), "%.*s",
		    (int)v.n - 1, (const char *)v.p);
		return 0;
	default:
		return err_set(e, FAIL_INPUT, "answer 0x%02x is not one that "
		    "can come here", (unsigned)(unsigned char)code);
	}
}

void
mfclient_outcome(const struct mf_client *c, char code, struct mf_result *r)
{
	if (code == SMFIR_DISCARD)
		r->outcome = MF_DISCARDED;
	else if (code == SMFIR_ACCEPT || code == SMFIR_CONTINUE)
		r->outcome = MF_UNCHANGED;
	else
		r->outcome = MF_REFUSED;
	(void)snprintf(r->reply, sizeof(r->reply), "%s",
	    r->outcome == MF_REFUSED ? c->reply : "");
}

/* ---- edits ---- */

struct edits {
	struct mf_client *c;
	struct mf_result *r;
	size_t seen;
	bool quarantined;
	bool body_done; /* another request came after a piece of body */
};

/* The next string of the packet, without its NUL. */
static int
take_string(struct rd *rd, struct view *s, struct err *e)
{
	size_t n = view_chr(rd->v, '\0', rd->pos);

	if (n == (size_t)-1 || rd_take(rd, n - rd->pos, s) == -1)
		return err_set(e, FAIL_INPUT, "edit: string without its end");
	rd->pos++;
	return 0;
}

/* Milter M4: names printable, lines by LF, no CR, short enough. */
static int
check_field(struct view name, struct view value, struct err *e)
{
	size_t line = name.n + 1;

	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] < '!' || name.p[i] > '~' || name.p[i] == ':')
			return err_set(e, FAIL_INPUT,
			    "edit: octet 0x%02x in a field name",
			    (unsigned)name.p[i]);
	if (name.n == 0)
		return err_set(e, FAIL_INPUT, "edit: empty field name");
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\r')
			return err_set(e, FAIL_INPUT, "edit: CR in a field");
		if (value.p[i] == '\n' && (i + 1 == value.n ||
		    (value.p[i + 1] != ' ' && value.p[i + 1] != '\t')))
			return err_set(e, FAIL_INPUT,
			    "edit: line of a field that is no fold");
		line = value.p[i] == '\n' ? 0 : line + 1;
		if (line > LINE_MAX_HARD)
			return err_set(e, FAIL_INPUT,
			    "edit: line of a field above %d octets",
			    LINE_MAX_HARD);
	}
	return 0;
}

static int
keep_edit(struct edits *ed, const struct mf_edit *one, struct view name,
    struct view value, struct err *e)
{
	struct mf_result *r = ed->r;
	struct mf_edit *p;

	if (!r->keep)
		return 0;
	p = realloc(r->edit, (r->edits + 1) * sizeof(*p));
	if (p == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	r->edit = p;
	p[r->edits] = *one;
	p[r->edits].name = view_strdup(name);
	p[r->edits].value = value.p != NULL ? view_strdup(value) : NULL;
	r->edits++;
	return 0;
}

static int
take_edit(struct edits *ed, const struct edit_kind *k, struct view payload,
    struct err *e)
{
	struct view name, value = { NULL, 0 };
	struct mf_edit one = { .op = k->op };
	struct rd rd;

	if ((ed->c->actions & k->action) == 0)
		return err_set(e, FAIL_INPUT, "edit '%c' was not negotiated",
		    k->op);
	rd_init(&rd, payload);
	if (k->has_index && rd_u32(&rd, &one.index) == -1)
		return err_set(e, FAIL_INPUT, "edit '%c': no index", k->op);
	if (take_string(&rd, &name, e) == -1)
		return -1;
	if (k->has_value && (rd_left(&rd) > 0 || !k->value_optional) &&
	    take_string(&rd, &value, e) == -1)
		return -1;
	if ((k->action == SMFIF_ADDHDRS || k->action == SMFIF_CHGHDRS) &&
	    check_field(name, value, e) == -1)
		return -1;
	ed->seen += k->op != SMFIR_QUARANTINE;
	ed->quarantined |= k->op == SMFIR_QUARANTINE;
	if (k->op == SMFIR_QUARANTINE)
		(void)snprintf(ed->r->reply, sizeof(ed->r->reply), "%.*s",
		    (int)name.n, (const char *)name.p);
	/* Postfix: pieces of body are contiguous. */
	ed->body_done = ed->r->replaced;
	return keep_edit(ed, &one, name, value, e);
}

static int
take_body(struct edits *ed, struct view v, struct err *e)
{
	if ((ed->c->actions & SMFIF_CHGBODY) == 0)
		return err_set(e, FAIL_INPUT, "body was not negotiated");
	if (ed->body_done)
		return err_set(e, FAIL_INPUT,
		    "another edit between two pieces of body");
	ed->r->replaced = true;
	if (!ed->r->keep)
		return 0;
	buf_putv(&ed->r->body, v);
	return buf_ok(&ed->r->body, e);
}

static void
decide(struct edits *ed, char code)
{
	struct mf_result *r = ed->r;
	char reason[sizeof(r->reply)];

	memcpy(reason, r->reply, sizeof(reason));
	mfclient_outcome(ed->c, code, r);
	if (r->outcome != MF_UNCHANGED)
		return;
	if (ed->quarantined) {
		r->outcome = MF_QUARANTINED;
		memcpy(r->reply, reason, sizeof(reason));
	} else if (r->replaced) {
		r->outcome = MF_REPLACED;
	} else if (ed->seen > 0) {
		r->outcome = MF_EDITED;
	}
}

int
mfclient_end(struct mf_client *c, struct mf_result *r, struct err *e)
{
	struct edits ed = { .c = c, .r = r };
	const struct edit_kind *k;
	struct view v;
	char code;
	int rc;

	clear_edits(r);
	buf_clear(&r->body);
	r->replaced = false;
	for (;;) {
		if (mfclient_get(c, &code, &v, e) == -1)
			return -1;
		k = find_kind(code);
		if (code == SMFIR_PROGRESS)
			continue;
		if (k == NULL && code != SMFIR_REPLBODY)
			break;
		rc = k != NULL ? take_edit(&ed, k, v, e) :
		    take_body(&ed, v, e);
		if (rc == -1)
			return -1;
	}
	if (mfclient_final(c, code, v, e) == -1)
		return -1;
	decide(&ed, code);
	return 0;
}
