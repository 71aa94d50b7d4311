/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Lines of commands are looked at, those of a message are not. Which is which
 * a client could try to confuse: so it counts as a message only where the
 * daemon said 354 to a DATA behind which the client was silent, and until any
 * line that is a dot, however it ends. Whoever does otherwise gets each line
 * looked at, which costs a message with such a line in it, and nobody else.
 */
#include "relay/tunnel_watch.h"

#include <string.h>

#define DATA_WORD 0x44415441u /* "DATA" */

static char upper(unsigned char c)
{
	return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

static void next_line(struct watch *w)
{
	w->heads = w->at = 0;
	w->four = 0;
	w->has_data = false;
}

static bool is_line_end(unsigned char c)
{
	return c == '\r' || c == '\n';
}

static void note(struct watch *w, unsigned char c)
{
	w->at++;
	w->four = w->four << 8 | (unsigned char)upper(c);
	w->has_data = w->has_data || w->four == DATA_WORD;
	/* blanks and controls in front: some daemons skip them */
	if (w->heads < sizeof(w->head) && (w->heads > 0 || c > ' '))
		w->head[w->heads++] = upper(c);
}

static void end_command(struct watch *w)
{
	if (w->at == 4 && w->four == DATA_WORD && !w->is_spoiled)
		w->awaits = true;
	else if (w->has_data)
		w->is_spoiled = true;
}

static bool is_forbidden(const struct watch *w)
{
	return (w->heads == 7 && memcmp(w->head, "XCLIENT", 7) == 0) ||
	    (w->heads == 8 && memcmp(w->head, "XFORWARD", 8) == 0);
}

/* false: it must not pass. */
static bool take(struct watch *w, unsigned char c)
{
	bool ends_crlf = w->after_cr && c == '\n';

	w->after_cr = c == '\r';
	if (w->awaits && !ends_crlf) {
		w->awaits = false;
		w->is_spoiled = true;
	}
	if (ends_crlf)
		return true;
	if (!is_line_end(c)) {
		note(w, c);
		return w->in_data || !is_forbidden(w);
	}
	if (w->in_data)
		w->in_data = w->at != 1 || w->head[0] != '.' || w->heads != 1;
	else
		end_command(w);
	next_line(w);
	return true;
}

size_t watch_client(struct watch *w, struct view v)
{
	size_t i;

	for (i = 0; i < v.n; i++)
		if (!take(w, v.p[i]))
			break;
	return i;
}

void watch_server(struct watch *w, struct view v)
{
	size_t i;

	for (i = 0; i < v.n; i++) {
		if (v.p[i] != '\n') {
			if (w->code_n < sizeof(w->code))
				w->code[w->code_n++] = (char)v.p[i];
			continue;
		}
		if (w->awaits && w->code_n == sizeof(w->code) &&
		    memcmp(w->code, "354", 3) == 0) {
			w->in_data = true;
			w->awaits = false;
		}
		w->code_n = 0;
	}
}
