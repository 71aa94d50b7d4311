/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 */
#include "util/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void times_are_written(void **state)
{
	char dst[WHEN_SIZE];

	(void)state;
	assert_string_equal(when_date(dst, INT64_MAX), "?");
	assert_string_equal(when_timestamp(dst, INT64_MAX), "?");
	assert_string_equal(when_date(dst, 0), "1970-01-01");
	assert_string_equal(when_date(dst, 1795255200), "2026-11-21");
	assert_string_equal(when_timestamp(dst, 1795255200),
	    "2026-11-21T10:00:00Z");
	assert_string_equal(when_timestamp(dst, -1), "1969-12-31T23:59:59Z");
}

struct row {
	const char *text;
	int64_t t; /* -1: none */
};

static const struct row rfc3339[] = {
	{ "", -1 },
	{ "now", -1 },
	{ "2026-11-21", -1 },
	{ "2026-11-21T10:00:00", -1 },
	{ "2026-11-21 10:00:00Z", -1 },
	{ "2026-11-21T10:00Z", -1 },
	{ "2026-11-21T10:00:00z", -1 },
	{ "2026-11-21t10:00:00Z", -1 },
	{ "2026-11-21T10:00:00ZZ", -1 },
	{ "2026-11-21T10:00:00.5Z", -1 },
	{ "2026-11-21T10:00:00+0100", -1 },
	{ "2026-11-21T10:00:00+24:00", -1 },
	{ "2026-11-21T10:00:00+01:60", -1 },
	{ "2026-11-21T10:00:00-1:00", -1 },
	{ "2026-1-21T10:00:00Z", -1 },
	{ "26-11-21T10:00:00Z", -1 },
	{ "2026-00-21T10:00:00Z", -1 },
	{ "2026-13-21T10:00:00Z", -1 },
	{ "2026-11-00T10:00:00Z", -1 },
	{ "2026-11-31T10:00:00Z", -1 },
	{ "2026-02-29T10:00:00Z", -1 },
	{ "2100-02-29T10:00:00Z", -1 },
	{ "2026-11-21T24:00:00Z", -1 },
	{ "2026-11-21T10:60:00Z", -1 },
	{ "2026-11-21T10:00:61Z", -1 },
	{ "1969-12-31T23:59:59Z", -1 },
	{ "+026-11-21T10:00:00Z", -1 },
	{ "1970-01-01T00:00:00Z", 0 },
	{ "2024-02-29T00:00:00Z", 1709164800 },
	{ "2026-11-21T10:00:00Z", 1795255200 },
	{ "2026-11-21T11:00:00+01:00", 1795255200 },
	{ "2026-11-21T04:30:00-05:30", 1795255200 },
	{ "2016-12-31T23:59:60Z", 1483228799 },
	{ "9999-12-31T23:59:59Z", 253402300799 },
};

static void only_whole_RFC_3339_times_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rfc3339); i++) {
		int64_t t = -1;
		int rc = when_rfc3339(rfc3339[i].text, &t);

		if (t != rfc3339[i].t || (rc == 0) != (t != -1))
			fail_msg("%s: %d, %lld", rfc3339[i].text, rc,
			    (long long)t);
	}
}

static const struct row rfc5322[] = {
	{ "", -1 },
	{ "yesterday", -1 },
	{ "Sat, 21 Nov 2026", -1 },
	{ "Sat, 21 Nov 2026 10:00:00", -1 },
	{ "Sat, 21 Nov 26 10:00:00 +0000", -1 },
	{ "Sat, 21 Nov 2026 10:00:00 +000", -1 },
	{ "Sat, 21 Nov 2026 10:00:00 +01:00", -1 },
	{ "Sat, 21 Nov 2026 10:00:00 CET", -1 },
	{ "Sat, 21 Nov 2026 10:00:00 +0000 x", -1 },
	{ "Sat 21 Nov 2026 10:00:00 +0000", -1 },
	{ "Xyz, 21 Nov 2026 10:00:00 +0000", -1 },
	{ "Sat, 21 Nox 2026 10:00:00 +0000", -1 },
	{ "Sat, 31 Nov 2026 10:00:00 +0000", -1 },
	{ "Sat, 121 Nov 2026 10:00:00 +0000", -1 },
	{ "Sat, 21 Nov 2026 1:00:00 +0000", -1 },
	{ "Sat, 21 Nov 2026 25:00:00 +0000", -1 },
	{ "Sat, 21 Nov 2026 10:00:x +0000", -1 },
	{ "2026-11-21T10:00:00Z", -1 },
	{ "Sat, 21 Nov 2026 10:00:00 +0000", 1795255200 },
	{ " Sat,\r\n 21 Nov 2026 10:00:00 -0000\r\n", 1795255200 },
	{ "21 Nov 2026 10:00 +0000", 1795255200 },
	{ "sat, 21 NOV 2026 11:00:00 +0100 (CET)", 1795255200 },
	{ "Sat, 21 Nov 2026 04:30:00 -0530", 1795255200 },
	{ "Sat, 21 Nov 2026 10:00:00 GMT", 1795255200 },
	{ "Sat, 21 Nov 2026 10:00:00 UT", 1795255200 },
	{ "Thu, 1 Jan 1970 00:00:00 +0000", 0 },
};

static void only_Date_fields_of_today_s_form_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rfc5322); i++) {
		int64_t t = -1;
		int rc = when_rfc5322(view_of(rfc5322[i].text), &t);

		if (t != rfc5322[i].t || (rc == 0) != (t != -1))
			fail_msg("%s: %d, %lld", rfc5322[i].text, rc,
			    (long long)t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_written),
		cmocka_unit_test(only_whole_RFC_3339_times_are_read),
		cmocka_unit_test(only_Date_fields_of_today_s_form_are_read),
	};

	return cmocka_run_group_tests_name("util_when", tests, NULL, NULL);
}
