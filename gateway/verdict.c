/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The verdict's names, life, and list of edits.
 */
#include "gateway/verdict.h"

#include <stdlib.h>
#include <string.h>

#include "util/log.h"
#include "util/ossl.h"

const char *class_str(enum msg_class c)
{
	static const char *const name[] = {
		[CLASS_NORMAL] = "normal",
		[CLASS_DSN] = "dsn",
		[CLASS_MDN] = "mdn",
		[CLASS_ACME] = "acme",
		[CLASS_REPORT] = "report",
		[CLASS_ENCRYPTED] = "encrypted",
		[CLASS_SIGNED] = "signed",
		[CLASS_PGP] = "pgp",
		[CLASS_CALENDAR] = "calendar",
		[CLASS_AUTO] = "auto",
		[CLASS_RESENT] = "resent",
		[CLASS_LIST] = "list",
	};

	return name[c];
}

const char *action_str(enum action a)
{
	static const char *const name[] = {
		[ACT_UNCHANGED] = "unchanged",
		[ACT_REPLACED] = "replaced",
		[ACT_REJECTED] = "rejected",
		[ACT_DEFERRED] = "deferred",
		[ACT_QUARANTINED] = "quarantined",
		[ACT_SPLIT] = "split",
	};

	return name[a];
}

const char *outcome_str(enum outcome o)
{
	static const char *const name[] = {
		[OUT_PASSED] = "passed",
		[OUT_SEALED] = "sealed",
		[OUT_SIGNED] = "signed",
		[OUT_PLAIN] = "plain",
		[OUT_TLS_REQUIRED] = "tls-required",
		[OUT_OPENED] = "opened",
		[OUT_VERIFIED] = "verified",
		[OUT_STORE_ENCRYPTED] = "stored-encrypted",
		[OUT_REFUSED] = "refused",
		[OUT_DEFERRED] = "deferred",
		[OUT_QUARANTINED] = "quarantined",
	};

	return name[o];
}

void verdict_init(struct verdict *v)
{
	memset(v, 0, sizeof(*v));
	v->sig_result = "none";
	v->dec_result = "none";
	buf_init(&v->layers, 4096);
	buf_init(&v->warnings, 65536);
	buf_init(&v->restored, 4096);
	buf_init(&v->harvested.der, CAP_CMS_CERT_SIZE);
}

void verdict_free(struct verdict *v)
{
	for (size_t i = 0; i < v->rcpts; i++) {
		free(v->rcpt[i].address);
		free(v->rcpt[i].cert);
		free(v->rcpt[i].over);
		free(v->rcpt[i].also);
	}
	verdict_cut_edits(v, 0);
	free(v->rcpt);
	free(v->copy);
	spool_free(&v->copies);
	free(v->edit);
	buf_free(&v->layers);
	buf_free(&v->warnings);
	buf_free(&v->restored);
	buf_free(&v->harvested.der);
	spool_free(&v->body);
	verdict_init(v);
}

/* 95 random bits; the alphabet of RFC 4648 6 in lower case. */
void verdict_new_id(char id[20])
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char r[19];

	ossl_random(r, sizeof(r));
	for (size_t i = 0; i < sizeof(r); i++)
		id[i] = alphabet[r[i] & 31];
	id[19] = '\0';
}

/* RFC 5322 2.2: printable ASCII but the colon. */
static bool is_field_name(const char *s)
{
	if (*s == '\0' || strlen(s) > 76)
		return false;
	for (; *s != '\0'; s++)
		if (*s < 33 || *s > 126 || *s == ':')
			return false;
	return true;
}

/*
 * What an MTA takes (M4, A42): no CR, NUL or other control, LF only before
 * SP or TAB, no line over 998 octets and none that is only blanks.
 */
static bool is_field_value(const char *name, const char *s)
{
	size_t line = strlen(name) + 1;
	bool blank = false; /* the first line has the name */

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '\n') {
			if (blank || (s[1] != ' ' && s[1] != '\t'))
				return false;
			line = 0;
			blank = true;
			continue;
		}
		if ((c < 32 && c != '\t') || c == 127 || ++line > 998)
			return false;
		blank = blank && (c == ' ' || c == '\t');
	}
	return !blank;
}

static int add_edit(struct verdict *v, const struct edit *how, struct err *e)
{
	struct edit *bigger, *x;

	if ((v->edits & (v->edits - 1)) == 0) {
		bigger = reallocarray(v->edit, v->edits == 0 ? 4
		    : v->edits * 2, sizeof(*v->edit));
		if (bigger == NULL)
			return err_set(e, FAIL_TEMP, "edits: out of memory");
		v->edit = bigger;
	}
	x = &v->edit[v->edits];
	*x = *how;
	x->name = strdup(how->name);
	x->value = how->value == NULL ? NULL : strdup(how->value);
	if (x->name == NULL || (how->value != NULL && x->value == NULL)) {
		free(x->name);
		free(x->value);
		return err_set(e, FAIL_TEMP, "edits: out of memory");
	}
	v->edits++;
	return 0;
}

int verdict_copy_edits(struct verdict *v, const struct verdict *of,
    size_t from, struct err *e)
{
	for (size_t i = from; i < of->edits; i++)
		if (add_edit(v, &of->edit[i], e) != 0)
			return -1;
	return 0;
}

void verdict_cut_edits(struct verdict *v, size_t n)
{
	while (v->edits > n) {
		v->edits--;
		free(v->edit[v->edits].name);
		free(v->edit[v->edits].value);
	}
}

static int check_value(const char *name, const char *value, struct err *e)
{
	char q[ERR_QUOTED];

	if (is_field_name(name) && is_field_value(name, value))
		return 0;
	return err_set(e, FAIL_BUG, "RFC 5322 2.2: a field %s may not stand "
	    "in a header", err_quote(q, sizeof(q), name, strlen(name)));
}

int verdict_delete(struct verdict *v, const char *name, int index,
    struct err *e)
{
	struct edit x = {EDIT_DELETE, (char *)(uintptr_t)name, index, NULL};

	if (!is_field_name(name) || index < 1)
		return err_set(e, FAIL_BUG, "edits: no such field to delete");
	return add_edit(v, &x, e);
}

int verdict_insert(struct verdict *v, const char *name, const char *value,
    struct err *e)
{
	struct edit x = {EDIT_INSERT_TOP, (char *)(uintptr_t)name, 0,
	    (char *)(uintptr_t)value};

	return check_value(name, value, e) != 0 ? -1 : add_edit(v, &x, e);
}

int verdict_add(struct verdict *v, const char *name, const char *value,
    struct err *e)
{
	struct edit x = {EDIT_ADD, (char *)(uintptr_t)name, 0,
	    (char *)(uintptr_t)value};

	return check_value(name, value, e) != 0 ? -1 : add_edit(v, &x, e);
}
