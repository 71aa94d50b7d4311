/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Lines of other programs that cannot be kept: their mail must not leave by a
 * weaker line of the same file, nor by the default. What stands in their place
 * asks for a certificate that nobody has.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/relay_import.h"

/* No CA may certify a name below .invalid (RFC 6761 6.4). */
#define NOBODY "not-kept.invalid"
#define FIRST (-1) /* before all orders of a form */
#define TOLD 50	   /* lines that are said one by one */

/* 0: the rule in b is one of ours, and that of t. */
static int take(struct relay_import *im, struct import_item *t,
    const struct buf *b)
{
	char *was = t->rule;

	if (b->failed)
		return -1;
	t->rule = view_strdup(buf_view(b));
	if (t->rule == NULL) {
		im->no_memory = true;
	} else if (import_check_rule(im, t, NULL) == 0) {
		free(was);
		t->is_held = true;
		return 0;
	}
	free(t->rule);
	t->rule = was;
	return -1;
}

/* with_from: for mail of its senders alone. */
static int hold(struct relay_import *im, struct import_item *t,
    bool with_from)
{
	struct buf b;
	int rc = 0;

	buf_init(&b, 8192);
	if (im->to.n == 0) {
		buf_puts(&b, "default");
	} else {
		buf_puts(&b, "to ");
		rc = import_word(&b, im->to);
	}
	if (rc == 0 && with_from && im->from.n > 0) {
		buf_puts(&b, view_chr(im->from, '@', 0) == (size_t)-1 ?
		    " from @" : " from ");
		rc = import_word(&b, im->from);
	}
	buf_puts(&b, " secure match " NOBODY);
	if (rc == 0)
		rc = take(im, t, &b);
	buf_free(&b);
	return rc;
}

void import_hold(struct relay_import *im, struct import_item *t)
{
	const char *whom = "its mail";
	bool is_known = im->to.p != NULL;

	if (!is_known || hold(im, t, true) != 0) {
		/* more than the line was for, so before the others */
		t->order = FIRST;
		whom = "all mail for it, whose senders cannot be told,";
		if (!is_known || hold(im, t, false) != 0) {
			im->to = im->from = (struct view){ NULL, 0 };
			whom = "all mail that no line names";
			if (hold(im, t, false) != 0)
				return;
		}
	}
	im->held++;
	import_note(im, "%s WAITS (451 4.7.5; " NOBODY " is nobody's name): "
	    "write what the line was for", whom);
}

/* ---- what is said ---- */

static void tell_one(const struct import_item *t, struct buf *b)
{
	const char *why = t->notes == NULL ? "" : t->notes + t->why;

	buf_printf(b, "line %zu is NOT KEPT", t->line);
	if (t->is_held)
		buf_printf(b, ", mail for %s%s%s WAITS",
		    t->to[0] == '\0' ? "all that no line names" : t->to,
		    t->from == NULL ? "" : " from ",
		    t->from == NULL ? "" : t->from);
	buf_puts(b, ": ");
	buf_put(b, why, strcspn(why, "\n"));
}

const char *import_until(const struct relay_import *im)
{
	for (size_t i = 0; i < im->items; i++)
		if (im->item[i].is_held && im->item[i].to[0] == '\0')
			return "until there are lines of yours: ALL mail that "
			    "no line names among it";
	return "until there are lines of yours";
}

void import_tell(const struct relay_import *im,
    void (*say)(void *arg, const char *line), void *arg)
{
	size_t told = 0;
	struct buf b;

	buf_init(&b, 32768);
	for (size_t i = 0; i < im->items && told < TOLD; i++) {
		if (!im->item[i].is_lost)
			continue;
		buf_clear(&b);
		tell_one(&im->item[i], &b);
		say(arg, buf_str(&b));
		told++;
	}
	buf_clear(&b);
	buf_printf(&b, "%zu lines could not be kept", im->lost);
	if (im->held > 0)
		buf_printf(&b, ", and the mail of %zu WAITS %s", im->held,
		    import_until(im));
	say(arg, buf_str(&b));
	buf_free(&b);
}
