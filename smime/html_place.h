/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Where something may be put into an HTML document so that it is shown
 * first. No document is parsed beyond that. For use inside smime/.
 */
#ifndef SMIME_HTML_PLACE_H
#define SMIME_HTML_PLACE_H

#include "util/buf.h"

/* Offset in the document's head: behind its body tag; where it has none, or
 * later than here, as near to where the body begins as can be told. */
size_t html_place(struct view head);

#endif
