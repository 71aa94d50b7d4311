/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A verdict for people: what postseal-verdict(7) describes, in sentences.
 */
#ifndef CLI_STORY_H
#define CLI_STORY_H

#include "util/buf.h"

/*
 * Append the story of one verdict, given as its JSON, to out. dry: nothing
 * was sent, it is about what would be. Members that are missing, as older
 * records have none of the newer ones, are left out. FAIL_INPUT: no verdict.
 */
int story_print(struct view json, bool dry, struct buf *out, struct err *e)
    MUST_CHECK;
/* What a step of verification looks at, by its number ("S72"), or NULL. */
const char *story_step(const char *step);

#endif
