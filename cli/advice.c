/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Warnings of postseal cert check; see keystore/advice.h.
 */
#include "cli/advice.h"

void advice_lines(struct buf *out, const struct cert *c,
    const struct path *path)
{
	struct advice a[ADVICE_MAX];
	size_t n = advice_find(c, path, a), i;

	for (i = 0; i < n; i++)
		buf_printf(out, "  warning: %s [%s]\n", a[i].text, a[i].who);
}

void advice_json(struct json *j, const struct cert *c,
    const struct path *path)
{
	struct advice a[ADVICE_MAX];
	size_t n = advice_find(c, path, a), i;

	json_array(j, "warnings");
	for (i = 0; i < n; i++) {
		json_object(j, NULL);
		json_str(j, "code", a[i].code);
		json_str(j, "who", a[i].who);
		json_str(j, "text", a[i].text);
		json_end_object(j);
	}
	json_end_array(j);
}
