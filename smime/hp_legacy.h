/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Hidden fields once more in the text that people read, for mail programs
 * that do not know RFC 9788 (5.2.2 to 5.2.5). For use inside smime/.
 */
#ifndef SMIME_HP_LEGACY_H
#define SMIME_HP_LEGACY_H

#include "smime/ctype.h"

/* A leaf that is, or is one form of, the text of the message. */
struct hp_leaf {
	uint64_t start, body, end;
	bool is_html;
	bool is_root;
	/* by hp_leaf_plan */
	struct buf display; /* what goes in, in the leaf's charset */
	enum cte cte, new_cte;
	const char *charset; /* the new one, NULL: as it is */
};

#define HP_LEAVES 8

struct hp_leaves {
	struct hp_leaf leaf[HP_LEAVES];
	size_t n;
};

/* Find them in the entity, in their order; more than HP_LEAVES are left as
 * they are. l is initialised by this and freed by hp_leaves_free even on
 * failure. FAIL_LIMIT, FAIL_TEMP. */
int hp_leaves_find(struct hp_leaves *l, const struct spool *entity,
    struct err *e) MUST_CHECK;
void hp_leaves_free(struct hp_leaves *l);

/*
 * How text, lines of UTF-8 "Name: value" that end in LF, gets into the leaf
 * of this type. *can is false when nothing can be put into it that is read
 * as it is meant. FAIL_TEMP.
 */
int hp_leaf_plan(struct hp_leaf *leaf, const struct ctype *ct,
    struct view text, bool *can, struct err *e) MUST_CHECK;

/* The header fields of the leaf as planned, without the blank line: h and ct
 * are its own, the Content-Type is made by the caller (type). */
void hp_leaf_put_header(const struct hp_leaf *leaf, const struct header *h,
    struct view type, struct buf *out);
/* The leaf's body as planned. FAIL_TEMP, FAIL_LIMIT. */
int hp_leaf_write(const struct hp_leaf *leaf, const struct spool *entity,
    const struct sink *to, struct err *e) MUST_CHECK;

#endif
