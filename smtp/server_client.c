/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a client says of its own client: XFORWARD for logs, XCLIENT to stand in
 * for it (Postfix's XFORWARD_README, XCLIENT_README).
 */
#include <string.h>
#include <strings.h>

#include "smtp/server_int.h"

int server_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* xtext (RFC 3461 4); false: it is none, or does not fit. */
static bool decode_xtext(char *dst, size_t size, const char *text)
{
	size_t n = 0;
	int c;

	for (; *text != '\0'; text++) {
		c = (unsigned char)*text;
		if (c == '+') {
			if (server_hex(text[1]) < 0 || server_hex(text[2]) < 0)
				return false;
			c = server_hex(text[1]) * 16 + server_hex(text[2]);
			text += 2;
		}
		if (c < '!' || c > '~' || n + 1 >= size)
			return false;
		dst[n++] = (char)c;
	}
	dst[n] = '\0';
	return true;
}

static bool take_value(char *dst, size_t size, const char *value)
{
	if (strcasecmp(value, "[UNAVAILABLE]") == 0 ||
	    strcasecmp(value, "[TEMPUNAVAIL]") == 0) {
		dst[0] = '\0';
		return true;
	}
	return decode_xtext(dst, size, value);
}

static bool is_address(const char *s)
{
	if (strncasecmp(s, "IPv6:", 5) == 0)
		s += 5;
	return s[strspn(s, "0123456789abcdefABCDEF:.")] == '\0';
}

static bool is_number(const char *s)
{
	return s[strspn(s, "0123456789")] == '\0';
}

/* An attribute, where its value goes, and what it must look like. */
struct attribute {
	const char *name;
	char *dst;
	size_t size;
	bool (*is_right)(const char *value);
};

/* One "NAME=value" of those in a. */
static bool take_attribute(const struct attribute *a, size_t n,
    const char *word)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		k = strlen(a[i].name);
		if (strncasecmp(word, a[i].name, k) == 0 && word[k] == '=')
			return take_value(a[i].dst, a[i].size, word + k + 1) &&
			    (a[i].is_right == NULL || a[i].is_right(a[i].dst));
	}
	return false;
}

static bool take_all(const struct attribute *a, size_t n, const char *arg)
{
	char word[1024];

	do {
		if (!server_next_word(&arg, word, sizeof(word)) ||
		    !take_attribute(a, n, word))
			return false;
	} while (*arg != '\0');
	return true;
}

void server_on_xforward(struct smtp_server *s, const char *arg)
{
	struct smtp_forward f = s->mail.forward;
	char other[256]; /* what nobody here needs */
	const struct attribute a[] = {
		{ "ADDR", f.addr, sizeof(f.addr), is_address },
		{ "NAME", f.name, sizeof(f.name), NULL },
		{ "HELO", f.helo, sizeof(f.helo), NULL },
		{ "IDENT", f.ident, sizeof(f.ident), NULL },
		{ "PORT", other, sizeof(other), NULL },
		{ "PROTO", other, sizeof(other), NULL },
		{ "SOURCE", other, sizeof(other), NULL },
	};

	if (!s->setup.xforward)
		server_refuse(s, 550, "5.7.0", "XFORWARD is not for you");
	else if (!s->is_esmtp || s->mail.from != NULL)
		server_refuse_order(s);
	else if (!take_all(a, ARRAY_LEN(a), arg))
		server_refuse_syntax(s);
	else {
		s->mail.forward = f;
		server_reply(s, 250, "2.0.0", "Ok");
	}
}

#define NOT_SAID "?" /* no address */

void server_on_xclient(struct smtp_server *s, const char *arg)
{
	struct smtp_xclient x = s->xclient;
	const struct attribute a[] = {
		{ "ADDR", x.addr, sizeof(x.addr), is_address },
		{ "PORT", x.port, sizeof(x.port), is_number },
		{ "NAME", x.name, sizeof(x.name), NULL },
		{ "HELO", x.helo, sizeof(x.helo), NULL },
		{ "LOGIN", x.login, sizeof(x.login), NULL },
		{ "PROTO", x.proto, sizeof(x.proto), NULL },
		{ "DESTADDR", x.dest_addr, sizeof(x.dest_addr), is_address },
		{ "DESTPORT", x.dest_port, sizeof(x.dest_port), is_number },
	};

	if (x.addr[0] == '\0')
		text_set(x.addr, sizeof(x.addr), NOT_SAID);
	if (!s->setup.xclient)
		server_refuse(s, 550, "5.7.0", "XCLIENT is not for you");
	else if (s->mail.from != NULL)
		server_refuse_order(s);
	else if (!take_all(a, ARRAY_LEN(a), arg))
		server_refuse_syntax(s);
	else {
		server_forget(s);
		/* who has no address that is known has not that of the one
		 * who speaks for him */
		if (x.addr[0] == '\0')
			text_set(x.addr, sizeof(x.addr), SMTP_UNKNOWN);
		else if (strcmp(x.addr, NOT_SAID) == 0)
			x.addr[0] = '\0';
		s->xclient = x;
		server_reply(s, 220, "", s->setup.name);
		server_event(s, SMTP_XCLIENT, SERVER_COMMANDS);
	}
}
