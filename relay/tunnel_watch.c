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

#include "util/hash.h"

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

static bool is_head(const struct watch *w, const char *word)
{
	size_t n = strlen(word);

	return w->heads == n && memcmp(w->head, word, n) == 0;
}

/* TLS with the daemon itself would hide from us what is said in it. */
static bool is_forbidden(const struct watch *w)
{
	return is_head(w, "XCLIENT") || is_head(w, "XFORWARD") ||
	    is_head(w, "STARTTLS");
}

/* So few letters may begin a password, in BASE64: the word has to end. */
static bool is_stls(const struct watch *w, unsigned char next)
{
	return next <= ' ' && !w->in_data && is_head(w, "STLS");
}

/* ---- IMAP ---- */

/* An answer with a tag that came twice could be the one to another command. */
static void end_tag(struct watch *w)
{
	size_t i = 0;

	if (w->is_in || w->is_spoiled)
		return;
	while (i < w->tags && w->sums[i] != w->sum)
		i++;
	w->is_spoiled = i < w->tags || i == WATCH_TAGS;
	if (!w->is_spoiled)
		w->sums[w->tags++] = w->sum;
}

/* "*" and "+" begin lines of the daemon that answer nothing. */
static bool is_plain_tag(const struct watch *w)
{
	size_t i;

	for (i = 0; i < w->tag_n; i++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_",
		    upper((unsigned char)w->tag[i])) == NULL)
			return false;
	return w->tag_n < sizeof(w->tag);
}

static void end_verb(struct watch *w)
{
	w->is_id = is_head(w, "ID");
	if (is_head(w, "LOGIN") || is_head(w, "AUTHENTIC")) {
		memcpy(w->login, w->tag, sizeof(w->login));
		w->login_n = is_plain_tag(w) ? w->tag_n : 0;
	} else if (is_head(w, "UNAUTHENT")) { /* RFC 8437 */
		w->is_in = false;
		w->is_spoiled = true;
	}
}

static void end_word(struct watch *w)
{
	if (w->heads == 0)
		return;
	if (++w->words == 1)
		end_tag(w);
	else if (w->words == 2)
		end_verb(w);
	w->heads = 0;
}

static void note_word(struct watch *w, unsigned char c)
{
	if (w->heads < sizeof(w->head))
		w->head[w->heads++] = upper(c);
	if (w->words > 0)
		return;
	w->sum = hash_octet(w->sum, c);
	if (w->tag_n < sizeof(w->tag))
		w->tag[w->tag_n++] = (char)c;
}

static bool is_tls(const struct watch *w)
{
	return w->words == 1 && is_head(w, "STARTTLS");
}

/* "x-..." where a string may begin; a backslash is read over, as daemons
 * do. */
static bool is_of_proxies(struct watch *w, unsigned char c)
{
	char before = (char)(w->four >> 8 & 0xff);

	if (c == '\\')
		return false;
	w->four = w->four << 8 | (unsigned char)upper(c);
	return (w->four & 0xffff) == ('X' << 8 | '-') &&
	    strchr(" \t\"(", before) != NULL;
}

static void end_imap_line(struct watch *w)
{
	if (w->words < 2)
		end_word(w);
	next_line(w);
	w->words = 0;
	w->is_id = false;
	w->tag_n = 0;
	w->sum = 0;
}

/* A literal might be such a field, too, and no program writes it so. Behind a
 * login, where there are messages with such lines, neither ID nor STARTTLS is
 * anything to a daemon (RFC 9051 6.2.1). */
static bool take_imap(struct watch *w, unsigned char c)
{
	bool is_bad = false;

	if (is_line_end(c)) {
		is_bad = (w->is_id && w->last == '}') || is_tls(w);
		end_imap_line(w);
	} else if (w->is_id) {
		is_bad = is_of_proxies(w, c);
	} else if (w->words < 2 && (c <= ' ' || c == '(')) {
		is_bad = is_tls(w);
		end_word(w);
		w->four = c;
	} else if (w->words < 2) {
		note_word(w, c);
	}
	w->last = (char)c;
	return !is_bad || w->is_in;
}

/* ---- POP3, SMTP ---- */

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
	if (is_stls(w, c))
		return false;
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
		if (w->is_imap ? !take_imap(w, v.p[i]) : !take(w, v.p[i]))
			break;
	return i;
}

static void end_answer(struct watch *w)
{
	if (w->awaits && w->code_n >= 3 && memcmp(w->code, "354", 3) == 0) {
		w->in_data = true;
		w->awaits = false;
	}
}

static void end_imap_answer(struct watch *w)
{
	struct view v = view_make(w->code, w->code_n);

	if (!w->is_spoiled && w->login_n > 0 && v.n > w->login_n &&
	    memcmp(v.p, w->login, w->login_n) == 0 &&
	    view_istarts(view_sub(v, w->login_n, v.n), " OK "))
		w->is_in = true;
}

void watch_server(struct watch *w, struct view v)
{
	size_t i;

	for (i = 0; i < v.n && !w->is_in; i++) {
		if (v.p[i] != '\n') {
			if (w->code_n < sizeof(w->code))
				w->code[w->code_n++] = (char)v.p[i];
			continue;
		}
		if (w->is_imap)
			end_imap_answer(w);
		else
			end_answer(w);
		w->code_n = 0;
	}
}
