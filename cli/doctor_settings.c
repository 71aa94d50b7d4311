/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Postfix's settings that stand alone, as a table: each has a value that is
 * dangerous, or merely not the best.
 */
#include "cli/doctor_mail.h"

#include <stdlib.h>
#include <string.h>

#include "cli/postconf.h"

/* When a value is worth a word. */
enum when { WHEN_YES, WHEN_NO, WHEN_SET, WHEN_ABOVE, WHEN_BELOW };

static const struct setting {
	const char *name;
	enum when when;
	long limit;
	enum doctor_level level;
	const char *check;
	const char *why;
	const char *fix;
} settings[] = {
	{"milter_content_timeout", WHEN_BELOW, 300, DOCTOR_WARNING,
	    "content-timeout",
	    "Postfix gives up before postseal answers (250 s): mail of that "
	    "size waits for ever", "milter_content_timeout = 300s"},
	{"header_size_limit", WHEN_ABOVE, 51200, DOCTOR_HINT, "header-size",
	    "a header section above what milters take well is tried for "
	    "days", "header_size_limit = 51200"},
	{"smtputf8_enable", WHEN_NO, 0, DOCTOR_HINT, "smtputf8",
	    "addresses beyond ASCII are refused", "smtputf8_enable = yes"},
	{"smtp_line_length_limit", WHEN_BELOW, 998, DOCTOR_WARNING,
	    "line-length",
	    "lines of signed mail are cut below what RFC 5321 allows: "
	    "signatures break", "smtp_line_length_limit = 998"},
	{"force_mime_input_conversion", WHEN_NO, 0, DOCTOR_HINT,
	    "mime-input", "an extra on submission: 8-bit mail is converted "
	    "before it is signed", "force_mime_input_conversion = yes"},
	{"disable_mime_output_conversion", WHEN_NO, 0, DOCTOR_HINT,
	    "mime-output", "Postfix may convert signed mail to 7 bit for a "
	    "server that wants it, and break the signature",
	    "disable_mime_output_conversion = yes"},
	{"smtpd_forbid_bare_newline", WHEN_NO, 0, DOCTOR_WARNING,
	    "bare-newline", "bare newlines are taken for line ends: mail can "
	    "be smuggled past the milter",
	    "smtpd_forbid_bare_newline = normalize"},
	{"cleanup_replace_stray_cr_lf", WHEN_NO, 0, DOCTOR_WARNING,
	    "stray-cr-lf", "stray CR and LF stay in mail, and other servers "
	    "read other lines", "cleanup_replace_stray_cr_lf = yes"},
	{"internal_mail_filter_classes", WHEN_SET, 0, DOCTOR_WARNING,
	    "internal-mail", "Postfix's own notices and bounces go through "
	    "milters and may be refused", "internal_mail_filter_classes ="},
	{"always_add_missing_headers", WHEN_YES, 0, DOCTOR_HINT,
	    "missing-headers", "fields that Postfix adds after postseal are "
	    "not among the protected ones", "always_add_missing_headers = no"},
	{"milter_header_checks", WHEN_SET, 0, DOCTOR_HINT, "header-checks",
	    "these checks see what postseal adds, and may undo "
	    "Authentication-Results", "milter_header_checks ="},
	{"smtpd_milter_maps", WHEN_SET, 0, DOCTOR_WARNING, "milter-maps",
	    "for clients of this table other milters, or none, are asked",
	    "smtpd_milter_maps ="},
};

/* "300s", "5m", "1h", "51200": seconds, or the number. -1: neither. */
static long number_of(const char *v)
{
	static const struct {
		char unit;
		long seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400},
	    {'w', 604800}, {'\0', 1}};
	char *end;
	long x = strtol(v, &end, 10);

	if (end == v || x < 0 || x > 2000000000 || (*end != '\0' &&
	    end[1] != '\0'))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (units[i].unit == *end)
			return x * units[i].seconds;
	return -1;
}

static bool is_worth(const struct setting *s, const char *v)
{
	long x = number_of(v);

	switch (s->when) {
	case WHEN_YES:
		return strcmp(v, "yes") == 0;
	case WHEN_NO:
		return strcmp(v, "no") == 0;
	case WHEN_SET:
		return *v != '\0';
	case WHEN_ABOVE:
		return x > s->limit;
	case WHEN_BELOW: /* 0 is no limit */
		return x > 0 && x < s->limit;
	}
	return false;
}

/* "name = value" in main.cf, where it stands. */
static void add(struct doctor *d, const struct setting *s, const char *where,
    const char *value)
{
	struct buf b;

	buf_init(&b, 1000);
	buf_printf(&b, "%.200s: %s = %.200s", where, s->name, value);
	doctor_say(d, s->level, s->check, buf_str(&b), s->why, s->fix);
	buf_free(&b);
}

void mail_check_networks(struct doctor *d, const struct postconf *p,
    const char *where)
{
	const char *v = postconf_get(p, NULL, "mynetworks");
	struct view all = view_of(v == NULL ? "" : v), word;

	while (mail_next_word(&all, &word))
		if (word.n > 2 && word.p[0] != '!' && view_eq_str(view_sub(
		    word, word.n - 2, 2), "/0"))
			doctor_say(d, DOCTOR_DANGER, "open-relay", where,
			    "mynetworks has everybody in it: an open relay",
			    "mynetworks = 127.0.0.0/8 [::1]/128");
}

void mail_check_settings(struct doctor *d, const struct postconf *p,
    const char *where)
{
	const char *v;
	size_t i;

	for (i = 0; i < ARRAY_LEN(settings); i++) {
		v = postconf_get(p, NULL, settings[i].name);
		if (v != NULL && is_worth(&settings[i], v))
			add(d, &settings[i], where, v);
	}
	v = postconf_get(p, NULL, "message_size_limit");
	mail_check_size(d, where, v == NULL || number_of(v) < 0 ? 0
	    : (uint64_t)number_of(v), "message_size_limit");
	mail_check_networks(d, p, where);
}
