/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * BER walker over a spool (ITU-T X.690): headers only, iterative, every
 * element checked against the end of its parent. Knows no CMS.
 */
#ifndef SMIME_WALK_H
#define SMIME_WALK_H

#include "smime/octets.h"
#include "util/caps.h"

#define WALK_WINDOW 8192

struct walk {
	struct octets o;
	uint64_t at; /* offset of the window */
	size_t n;    /* octets in it */
	unsigned char window[WALK_WINDOW];
};

/* One element. For indefinite length, end is only the bound that the
 * parent gives; where it really ends, walk_pass() finds. */
struct walk_el {
	int tag;
	bool indefinite;
	uint64_t off; /* of the tag octet */
	uint64_t val; /* of the first content octet */
	uint64_t end;
};

/* A place among the children of one element. */
struct walk_in {
	uint64_t pos;
	uint64_t end;
	bool indefinite; /* ends at end-of-contents octets */
};

void walk_init(struct walk *w, const struct spool *s);
void walk_init_octets(struct walk *w, const struct octets *o);
/* All of the spool as one list of elements. */
struct walk_in walk_root(const struct walk *w);

/* The element at in: 1, or 0 at the end of the parent (end-of-contents
 * octets are stepped over), or -1 FAIL_INPUT. Does not advance. */
int walk_next(struct walk *w, struct walk_in *in, struct walk_el *el,
    struct err *e) MUST_CHECK;
/* Step over el, which walk_next gave. FAIL_INPUT, FAIL_LIMIT (depth). */
int walk_pass(struct walk *w, struct walk_in *in, const struct walk_el *el,
    struct err *e) MUST_CHECK;
/* Into a constructed element; when walk_next has said 0 inside, walk_leave
 * goes on behind it. */
struct walk_in walk_enter(const struct walk_el *el);
void walk_leave(struct walk_in *parent, const struct walk_in *child);

/* Octets [off, off+n): through the window when few. FAIL_TEMP. */
int walk_read(struct walk *w, uint64_t off, void *p, size_t n,
    struct err *e) MUST_CHECK;

/*
 * The octets of an OCTET STRING, primitive or constructed (at most
 * WALK_STRINGS levels, as many as libcrypto takes), as segments.
 */
#define WALK_STRINGS 5

struct walk_str {
	struct walk_in level[WALK_STRINGS];
	int depth;
	bool has_single; /* a primitive string, not yet given out */
	uint64_t off, end;
	uint64_t after; /* behind the string, valid at the end */
};

/* el: the string's outermost element, under whatever tag. */
void walk_str_init(struct walk_str *x, const struct walk_el *el);
/* 1 with a segment [*off, *end), 0 at the end, -1. */
int walk_str_next(struct walk_str *x, struct walk *w, uint64_t *off,
    uint64_t *end, struct err *e) MUST_CHECK;

/*
 * Is v well-formed BER to the innermost element: lengths, depth
 * (CAP_CMS_DEPTH), and the contents of universal BOOLEAN, INTEGER, BIT
 * STRING, NULL and OBJECT IDENTIFIER? FAIL_INPUT, FAIL_LIMIT.
 */
int walk_check(struct view v, struct err *e) MUST_CHECK;

#endif
