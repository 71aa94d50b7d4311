/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Dates and times to seconds, and back. Strict: a time that is nearly one is
 * none.
 */
#include "util/when.h"

#include <string.h>
#include <time.h>

struct scan {
	struct view v;
	size_t pos;
};

static int peek(const struct scan *s)
{
	return s->pos < s->v.n ? s->v.p[s->pos] : -1;
}

static bool take(struct scan *s, int c)
{
	if (peek(s) != c)
		return false;
	s->pos++;
	return true;
}

/* min to max digits as a number, or -1. */
static int number(struct scan *s, int min, int max)
{
	int x = 0, n = 0;

	for (; n < max && peek(s) >= '0' && peek(s) <= '9'; n++) {
		x = x * 10 + (peek(s) - '0');
		s->pos++;
	}
	return n < min ? -1 : x;
}

static void blanks(struct scan *s)
{
	while (peek(s) == ' ' || peek(s) == '\t' || peek(s) == '\r' ||
	    peek(s) == '\n')
		s->pos++;
}

/* Parts of a time of day and a day, checked, less what the zone is east. */
static int finish(const struct tm *part, int east, int64_t *out)
{
	struct tm tm = *part;
	int64_t t;

	if (tm.tm_year < 70 || tm.tm_mon < 0 || tm.tm_mon > 11 ||
	    tm.tm_mday < 1 || tm.tm_hour < 0 || tm.tm_hour > 23 ||
	    tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 ||
	    tm.tm_sec > 60)
		return -1;
	if (tm.tm_sec == 60) /* a leap second; it must not end the day */
		tm.tm_sec = 59;
	t = (int64_t)timegm(&tm);
	/* 30 February has become March */
	if (tm.tm_mday != part->tm_mday)
		return -1;
	*out = t - east;
	return 0;
}

/* "+0100", or with a colon in between: seconds east; -1 when it is none. */
static int read_offset(struct scan *s, bool has_colon, int *east)
{
	bool is_west = peek(s) == '-';
	int h, m;

	if (!take(s, '+') && !take(s, '-'))
		return -1;
	h = number(s, 2, 2);
	if (has_colon && !take(s, ':'))
		return -1;
	m = number(s, 2, 2);
	if (h < 0 || h > 23 || m < 0 || m > 59)
		return -1;
	*east = (h * 60 + m) * (is_west ? -60 : 60);
	return 0;
}

int when_rfc3339(const char *text, int64_t *out)
{
	struct scan s = { view_of(text), 0 };
	struct tm tm = { 0 };
	int east = 0;

	tm.tm_year = number(&s, 4, 4) - 1900;
	if (!take(&s, '-'))
		return -1;
	tm.tm_mon = number(&s, 2, 2) - 1;
	if (!take(&s, '-'))
		return -1;
	tm.tm_mday = number(&s, 2, 2);
	if (!take(&s, 'T'))
		return -1;
	tm.tm_hour = number(&s, 2, 2);
	if (!take(&s, ':'))
		return -1;
	tm.tm_min = number(&s, 2, 2);
	if (!take(&s, ':'))
		return -1;
	tm.tm_sec = number(&s, 2, 2);
	if (!take(&s, 'Z') && read_offset(&s, true, &east) != 0)
		return -1;
	return peek(&s) < 0 ? finish(&tm, east, out) : -1;
}

/* One of n three-letter words; -1. */
static int word(struct scan *s, const char *words, int n)
{
	struct view v = view_sub(s->v, s->pos, 3);

	for (int i = 0; i < n; i++)
		if (view_ieq(v, view_make(words + 3 * i, 3))) {
			s->pos += 3;
			return i;
		}
	return -1;
}

static int read_zone(struct scan *s, int *east)
{
	static const char *const utc[] = { "GMT", "UT", "Z" };

	for (size_t i = 0; i < ARRAY_LEN(utc); i++)
		if (view_istarts(view_sub(s->v, s->pos, s->v.n), utc[i])) {
			s->pos += strlen(utc[i]);
			*east = 0;
			return 0;
		}
	return read_offset(s, false, east);
}

static int read_day(struct scan *s, struct tm *tm)
{
	blanks(s);
	if (word(s, "MonTueWedThuFriSatSun", 7) >= 0 && !take(s, ','))
		return -1;
	blanks(s);
	tm->tm_mday = number(s, 1, 2);
	blanks(s);
	tm->tm_mon = word(s, "JanFebMarAprMayJunJulAugSepOctNovDec", 12);
	blanks(s);
	tm->tm_year = number(s, 4, 4) - 1900;
	blanks(s);
	return 0;
}

int when_rfc5322(struct view raw, int64_t *out)
{
	struct scan s = { raw, 0 };
	struct tm tm = { 0 };
	int east;

	if (read_day(&s, &tm) != 0)
		return -1;
	tm.tm_hour = number(&s, 2, 2);
	if (!take(&s, ':'))
		return -1;
	tm.tm_min = number(&s, 2, 2);
	if (take(&s, ':'))
		tm.tm_sec = number(&s, 2, 2);
	blanks(&s);
	if (read_zone(&s, &east) != 0)
		return -1;
	blanks(&s);
	/* a comment, most often the name of the zone, may follow */
	return peek(&s) < 0 || peek(&s) == '(' ? finish(&tm, east, out) : -1;
}

/* ---- and back ---- */

const char *when_timestamp(char *dst, int64_t t)
{
	time_t tt = (time_t)t;
	struct tm tm;

	if (gmtime_r(&tt, &tm) == NULL ||
	    strftime(dst, WHEN_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		memcpy(dst, "?", 2);
	return dst;
}

/* The names are English: no program of ours calls setlocale(). */
const char *when_mail(char *dst, int64_t t)
{
	time_t tt = (time_t)t;
	struct tm tm;

	if (gmtime_r(&tt, &tm) == NULL ||
	    strftime(dst, WHEN_SIZE, "%a, %d %b %Y %H:%M:%S +0000", &tm) == 0)
		memcpy(dst, "?", 2);
	return dst;
}

const char *when_date(char *dst, int64_t t)
{
	char *end = strchr(when_timestamp(dst, t), 'T');

	if (end != NULL)
		*end = '\0';
	return dst;
}
