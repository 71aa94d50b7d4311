/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * stunnel.conf while it is read: sections of options.
 */
#ifndef CLI_RELAY_IMPORT_STUNNEL_H
#define CLI_RELAY_IMPORT_STUNNEL_H

#include "cli/relay_import.h"

enum stunnel_use {
	STUNNEL_READ, /* it becomes something of ours */
	STUNNEL_DROP, /* it is of stunnel itself */
	STUNNEL_NOTE, /* not kept, and said */
	STUNNEL_LOSE  /* not kept, and so is the service */
};

struct stunnel_option {
	struct view name, value; /* borrowed */
	size_t line;
};
struct stunnel_section {
	struct view name;
	struct stunnel_option *option;
	size_t n, line;
};
/* The first section is what stands before all services: their defaults. */
struct stunnel {
	struct stunnel_section *section;
	size_t n;
};

/* The last one of that name, in the section or else in the first one; s NULL:
 * in the section alone. */
struct stunnel_option *stunnel_find(const struct stunnel *s,
    const struct stunnel_section *in, const char *name);
struct view stunnel_value(const struct stunnel *s,
    const struct stunnel_section *in, const char *name);
bool stunnel_is(const struct stunnel *s, const struct stunnel_section *in,
    const char *name, const char *value);

/* listen NAME { } of a service; or the line is lost. */
void stunnel_listener(struct relay_import *im, const struct stunnel *s,
    const struct stunnel_section *in, struct buf *b);

#endif
