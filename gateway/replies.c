/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Message-IDs of opened mail, as hashes: the store holds no word of it.
 */
#include "gateway/replies.h"

#include "keystore/keystore.h"
#include "util/ossl.h"

/* Answers name few; a thread's References are looked at from the end, where
 * the newest stand. */
#define REPLIES_MAX 32

/* The last <...> of v and what stands before it; false: none. */
static bool last_id(struct view *v, struct view *id)
{
	size_t end = v->n, start;

	while (end > 0 && v->p[end - 1] != '>')
		end--;
	if (end == 0)
		return false;
	for (start = end - 1; start > 0 && v->p[start] != '<'; start--)
		if (v->p[start] <= ' ')
			return false; /* RFC 5322 3.6.4: no blanks in it */
	*id = view_sub(*v, start, end - start);
	*v = view_sub(*v, 0, start);
	return id->p[0] == '<' && id->n > 2;
}

void replies_note(struct txn *t)
{
	const struct field *f = header_get(&t->h, "Message-ID", 0);
	struct view id, all;
	struct buf b;

	if (f == NULL)
		return;
	buf_init(&b, CAP_HEADER_FIELD);
	field_unfold(f, &b);
	all = buf_view(&b);
	if (buf_ok(&b, NULL) == 0 && last_id(&all, &id)) {
		ossl_sha256(id.p, id.n, t->v->opened);
		t->v->has_opened = true;
	}
	buf_free(&b);
}

static int look(const struct txn *t, struct view all, bool *is,
    struct err *e)
{
	unsigned char hash[32];
	struct view id;

	for (int i = 0; i < REPLIES_MAX && !*is && last_id(&all, &id); i++) {
		ossl_sha256(id.p, id.n, hash);
		if (keystore_opened_known(t->g->ks, hash, is, e) != 0)
			return -1;
	}
	return 0;
}

int replies_is_answer(const struct txn *t, bool *is, struct err *e)
{
	static const char *const names[] = {"In-Reply-To", "References"};
	const struct field *f;
	struct buf b;
	int rc = 0;

	*is = false;
	buf_init(&b, CAP_HEADER_FIELD);
	for (size_t i = 0; i < ARRAY_LEN(names) && rc == 0 && !*is; i++) {
		f = header_get(&t->h, names[i], 0);
		if (f == NULL)
			continue;
		buf_clear(&b);
		field_unfold(f, &b);
		rc = buf_ok(&b, e);
		if (rc == 0)
			rc = look(t, buf_view(&b), is, e);
	}
	buf_free(&b);
	return rc;
}
