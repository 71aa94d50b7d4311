/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One run of hp_write, and what came of it. For inclusion by one test
 * program at a time.
 */
#ifndef TESTS_UNIT_SMIME_PROTECT_H
#define TESTS_UNIT_SMIME_PROTECT_H

#include "tests/unit/smime_help.h"

#include <strings.h>

#include "smime/hp_write.h"
#include "util/caps.h"

#define PLAIN "Content-Type: text/plain; charset=us-ascii\r\n\r\nHello\r\n"
#define HEADER                                                              \
	"Received: by mx.example.com; Sat, 21 Nov 2026 10:00:01 +0100\r\n"  \
	"From: Alice <alice@example.com>\r\n"                               \
	"To: Bob <bob@example.org>,\r\n Carol <carol@example.net>\r\n"      \
	"Bcc: dave@example.net\r\n"                                         \
	"Subject: Dinner plans\r\n"                                         \
	"Date: Sat, 21 Nov 2026 10:00:00 +0100\r\n"                         \
	"Message-ID: <1@example.com>\r\n"                                   \
	"Keywords: food\r\nKeywords: wine\r\nComments: hush\r\n"            \
	"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n"

/* What the last run made. */
static struct buf out;
static struct hp_outer outer;
static struct err err;

static UNUSED int begin(void **state)
{
	(void)state;
	buf_init(&out, BIG);
	return 0;
}

static UNUSED int end(void **state)
{
	(void)state;
	buf_free(&out);
	hp_outer_free(&outer);
	return 0;
}

static UNUSED int run_view(struct view entity, struct view header,
    enum hp_policy p, bool encrypts)
{
	struct spool *in = spool_with(entity), *s = spool_empty();
	struct header h;
	int rc;

	err_clear(&err);
	hp_outer_free(&outer);
	buf_clear(&out);
	assert_int_equal(header_parse(&h, header, &err), 0);
	rc = hp_write(in, &h, p, encrypts, s, &outer, &err);
	if (rc == 0)
		spool_get(s, &out);
	header_free(&h);
	spool_free(&in);
	spool_free(&s);
	return rc;
}

static UNUSED void run(const char *entity, const char *header, enum hp_policy p,
    bool encrypts)
{
	if (run_view(view_of(entity), view_of(header), p, encrypts) != 0)
		fail_msg("%s", err.msg);
}

static UNUSED void expect_out(const char *name, const char *want)
{
	if (strcmp(buf_str(&out), want) != 0)
		fail_msg("%s: made\n%s\nwanted\n%s", name, buf_str(&out),
		    want);
}

static UNUSED bool has(const char *s)
{
	return memmem(out.p, out.n, s, strlen(s)) != NULL;
}

static UNUSED void expect(const char *s)
{
	if (!has(s))
		fail_msg("\"%s\" is not in:\n%s", s, buf_str(&out));
}

static UNUSED void expect_not(const char *s)
{
	if (has(s))
		fail_msg("\"%s\" is in:\n%s", s, buf_str(&out));
}

/* want: "Name: value|Name-|" */
static UNUSED void expect_outer(const char *name, const char *want)
{
	struct buf b;

	buf_init(&b, BIG);
	for (size_t i = 0; i < outer.n; i++)
		if (outer.change[i].value == NULL)
			buf_printf(&b, "%s-|", outer.change[i].name);
		else
			buf_printf(&b, "%s:%s|", outer.change[i].name,
			    outer.change[i].value);
	if (strcmp(buf_str(&b), want) != 0)
		fail_msg("%s: outer \"%s\", wanted \"%s\"", name, buf_str(&b),
		    want);
	buf_free(&b);
}

static UNUSED size_t longest_line(void)
{
	size_t n = 0, most = 0;

	for (size_t i = 0; i < out.n; i++) {
		n = out.p[i] == '\n' ? 0 : n + (out.p[i] != '\r');
		most = n > most ? n : most;
	}
	return most;
}

#endif
