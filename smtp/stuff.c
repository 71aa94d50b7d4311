/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Dot-stuffing (RFC 5321 4.5.2). Our own output has no bare CR or LF; one
 * that is met is a fault of ours and stops the message (A45).
 */
#include "smtp/stuff.h"

#include "util/find.h"

void smtp_stuff_init(struct smtp_stuff *s)
{
	s->last[0] = '\r';
	s->last[1] = '\n';
}

int smtp_stuff_put(struct smtp_stuff *s, struct view v, struct buf *out,
    struct err *e)
{
	size_t from = 0, n;

	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = v.p[i], before = s->last[1];

		if ((c == '\n') != (before == '\r'))
			return err_set(e, FAIL_BUG, "RFC 5321 2.3.8: a bare "
			    "%s in a message to be sent",
			    c == '\n' ? "LF" : "CR");
		if (c == '.' && before == '\n') {
			buf_putv(out, view_sub(v, from, i - from));
			buf_putc(out, '.');
			from = i;
		}
		n = i % FIND_STEP != 0 ? 0 :
		    find_smtp_lines(view_sub(v, i, v.n));
		i += n;
		s->last[0] = n == 0 ? before : v.p[i - 1];
		s->last[1] = v.p[i];
	}
	buf_putv(out, view_sub(v, from, v.n - from));
	return buf_ok(out, e);
}

void smtp_stuff_end(const struct smtp_stuff *s, struct buf *out)
{
	if (s->last[1] == '\r')
		buf_puts(out, "\n");
	else if (s->last[1] != '\n')
		buf_puts(out, "\r\n");
}
