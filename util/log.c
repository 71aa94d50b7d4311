/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Log lines to standard error or syslog, one write each. What is worth a
 * line is decided by the callers.
 */
#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "util/utf8.h"

#define LINE_MAX_LOG 4096
#define VALUE_MAX 200

static struct {
	const char *name;
	enum log_level least;
	int to_syslog;
} conf = { "postseal", LOG_L_INFO, 0 };

void log_init(const char *name, enum log_level least, int to_syslog)
{
	conf.name = name;
	conf.least = least;
	conf.to_syslog = to_syslog;
	/* now: a sandboxed process can no longer connect */
	if (to_syslog)
		openlog(name, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

void log_set_name(const char *name)
{
	conf.name = name;
	if (conf.to_syslog)
		openlog(name, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

static void write_line(const char *word, const char *text)
{
	char line[LINE_MAX_LOG + 128];
	const char *p = line;
	ssize_t k;
	int n;

	n = snprintf(line, sizeof(line), "%s: %s: %s\n", conf.name, word,
	    text);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(line)) {
		n = (int)sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	while (n > 0 && (k = write(STDERR_FILENO, p, (size_t)n)) > 0) {
		p += k;
		n -= (int)k;
	}
}

static void log_line(enum log_level level, const char *fmt, va_list ap)
    PRINTF_LIKE(2, 0);

static void log_line(enum log_level level, const char *fmt, va_list ap)
{
	static const struct {
		const char *word;
		int priority;
	} as[] = {
		[LOG_L_DEBUG] = { "debug", LOG_DEBUG },
		[LOG_L_INFO] = { "info", LOG_INFO },
		[LOG_L_NOTICE] = { "notice", LOG_NOTICE },
		[LOG_L_WARN] = { "warning", LOG_WARNING },
		[LOG_L_ERR] = { "error", LOG_ERR },
	};
	char text[LINE_MAX_LOG];
	int n;

	if (level < conf.least)
		return;
	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(text))
		memcpy(text + sizeof(text) - 4, "...", 4);
	/* What could forge a second line or move a terminal's cursor. */
	utf8_mask(text);
	if (conf.to_syslog)
		syslog(as[level].priority, "%s: %s", as[level].word, text);
	else
		write_line(as[level].word, text);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	if (conf.least > LOG_L_DEBUG)
		return;
	va_start(ap, fmt);
	log_line(LOG_L_DEBUG, fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_L_INFO, fmt, ap);
	va_end(ap);
}

void log_notice(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_L_NOTICE, fmt, ap);
	va_end(ap);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_L_WARN, fmt, ap);
	va_end(ap);
}

void log_err(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_L_ERR, fmt, ap);
	va_end(ap);
}

void log_fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_L_ERR, fmt, ap);
	va_end(ap);
	exit(EX_TEMPFAIL);
}

void log_bug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_L_ERR, fmt, ap);
	va_end(ap);
	abort();
}

static int is_bare(unsigned char c)
{
	return c > 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '=';
}

static size_t put_escaped(char *to, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
		to[0] = (char)c;
		return 1;
	}
	to[0] = '\\';
	if (c == '"' || c == '\\') {
		to[1] = (char)c;
		return 2;
	}
	to[1] = 'x';
	to[2] = hex[c >> 4];
	to[3] = hex[c & 15];
	return 4;
}

/* The value of n octets as it stands in the line, cut behind the most-th, or
 * where size octets have no room for more. */
static size_t put_value(char *to, size_t size, const char *raw, size_t n,
    size_t most)
{
	size_t used = 0, i;
	int bare = n > 0;

	for (i = 0; i < n && i < most; i++)
		if (!is_bare((unsigned char)raw[i]))
			bare = 0;
	if (!bare)
		to[used++] = '"';
	for (i = 0; i < n && i < most && used + 8 <= size; i++)
		used += put_escaped(to + used, (unsigned char)raw[i]);
	if (i < n) {
		memcpy(to + used, "...", 3);
		used += 3;
	}
	if (!bare)
		to[used++] = '"';
	return used;
}

size_t log_value(char *line, size_t size, size_t used, const char *key,
    const char *raw_value)
{
	char value[VALUE_MAX * 4 + 8];
	const char *raw = raw_value == NULL ? "-" : raw_value;
	size_t n = put_value(value, sizeof(value), raw, strlen(raw),
	    VALUE_MAX);
	size_t key_n = strlen(key);
	size_t blank = used > 0 ? 1 : 0;

	/* a pair that does not fit is left out: half a pair would lie */
	if (used >= size || key_n + n + blank + 2 > size - used)
		return used;
	if (blank != 0)
		line[used++] = ' ';
	memcpy(line + used, key, key_n);
	used += key_n;
	line[used++] = '=';
	memcpy(line + used, value, n);
	used += n;
	line[used] = '\0';
	return used;
}

static void put_sentence(enum log_level level, const char *event,
    const char *key, const char *sentence, size_t n)
{
	char value[LINE_MAX_LOG - 128];

	n = put_value(value, sizeof(value) - 1, sentence, n, n);
	value[n] = '\0';
	if (level == LOG_L_ERR)
		log_err("event=%s %s=%s", event, key, value);
	else
		log_warn("event=%s %s=%s", event, key, value);
}

void log_sentence(enum log_level level, const char *event, const char *key,
    const char *sentence)
{
	put_sentence(level, event, key, sentence, strlen(sentence));
}

void log_sentences(enum log_level level, const char *event, const char *key,
    const char *text)
{
	size_t n;

	for (; *text != '\0'; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		put_sentence(level, event, key, text, n);
	}
}
