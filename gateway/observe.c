/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A finished verdict becomes one that changes nothing.
 */
#include "gateway/observe.h"

#include <stdlib.h>
#include <string.h>

static void note_text(char *dst, size_t size, const char *s)
{
	text_set(dst, size, s == NULL ? "" : s);
}

void verdict_note_envelope(struct verdict *v, const struct envelope *env)
{
	size_t n;

	note_text(v->id, sizeof(v->id), env->id);
	note_text(v->queue_id, sizeof(v->queue_id), env->queue_id);
	note_text(v->login, sizeof(v->login), env->login);
	note_text(v->sender, sizeof(v->sender), env->mail_from);
	n = strlen(v->sender);
	if (n >= 2 && v->sender[0] == '<' && v->sender[n - 1] == '>') {
		memmove(v->sender, v->sender + 1, n - 2);
		v->sender[n - 2] = '\0';
	}
	v->at = env->now;
}

static void drop_copies(struct verdict *v)
{
	free(v->copy);
	v->copy = NULL;
	v->copy_n = 0;
	v->here = 0;
	spool_free(&v->copies);
}

static void drop_edits(struct verdict *v)
{
	for (size_t i = 0; i < v->edits; i++) {
		free(v->edit[i].name);
		free(v->edit[i].value);
	}
	v->edits = 0;
	spool_free(&v->body);
	v->ret_hdrs = false;
	v->size_out = v->size_in;
}

static void forget(struct verdict *v)
{
	v->may_tell = false;
	v->has_opened = false;
	memset(&v->learned, 0, sizeof(v->learned));
	buf_clear(&v->harvested.der);
	v->harvested.state = NULL;
}

void verdict_observe(struct verdict *v, const struct envelope *env)
{
	if (!env->observe || v->observed)
		return;
	v->observed = true;
	v->would = v->action;
	v->would_code = v->code;
	memcpy(v->would_text, v->text, sizeof(v->would_text));
	v->action = ACT_UNCHANGED;
	v->code = 0;
	memset(v->enhanced, 0, sizeof(v->enhanced));
	memset(v->text, 0, sizeof(v->text));
	drop_edits(v);
	drop_copies(v);
	forget(v);
}
