/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Log lines: one per event, key=value, to standard error (foreground,
 * systemd) or syslog. Levels are words at the start. Values with blanks or
 * odd octets are quoted and escaped by log_value().
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <stddef.h>

#include "util/attr.h"

enum log_level { LOG_L_DEBUG, LOG_L_INFO, LOG_L_NOTICE, LOG_L_WARN, LOG_L_ERR };

/* name is kept (a literal); to_syslog: facility mail. Any thread later. */
void log_init(const char *name, enum log_level least, int to_syslog);
void log_set_name(const char *name);

void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_notice(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_err(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* The environment fails us: log and exit 75 (EX_TEMPFAIL). */
void log_fatal(const char *fmt, ...) PRINTF_LIKE(1, 2) NORETURN;
/* We are wrong: log and abort(). */
void log_bug(const char *fmt, ...) PRINTF_LIKE(1, 2) NORETURN;

/*
 * Append key=value to a line under construction of size octets, value
 * escaped and cut at 200 octets; never overflows. Returns the new length.
 */
size_t log_value(char *line, size_t size, size_t used, const char *key,
    const char *raw_value);

/* A line "event=EVENT KEY=..." whose value is a whole sentence, which may name
 * what others wrote: escaped, and cut only where the line ends. */
void log_sentence(enum log_level level, const char *event, const char *key,
    const char *sentence);
/* The same for each line of a text. */
void log_sentences(enum log_level level, const char *event, const char *key,
    const char *text);

#endif
