/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Reading what the administrator wrote.
 */
#include "milter/setup.h"

#include <stdlib.h>

#include "util/log.h"

int setup_read(struct setup **out, const char *path, struct conf_errors *ce)
{
	struct setup *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (s == NULL)
		log_fatal("event=start error=\"out of memory\"");
	s->refs = 1;
	if (config_read(&s->config, path, ce) != 0 ||
	    rules_read(&s->rules, s->config->rules, s->config, ce) != 0) {
		setup_release(&s);
		return -1;
	}
	*out = s;
	return 0;
}

struct setup *setup_ref(struct setup *s)
{
	s->refs++;
	return s;
}

void setup_release(struct setup **s)
{
	if (*s != NULL && --(*s)->refs == 0) {
		rules_free(&(*s)->rules);
		config_free(&(*s)->config);
		free(*s);
	}
	*s = NULL;
}
