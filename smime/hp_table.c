/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Two tables. The first has the fields that are not the author's words but
 * the transport's, a list's or a filter's: those on this side add more of
 * them after the signature, and those on the other side believe them (RFC
 * 9788 7), so none is signed. The second has what is known of the others.
 */
#include "smime/hp_table.h"

#include <string.h>

/* A star at the end: all names that begin so. */
static const char *const outside[] = {
	/* of the MIME entity: they have a place of their own */
	"Content-*", "MIME-Version",
	/* whom a blind copy goes to (RFC 5322 3.6.3, RFC 9788 11.4) */
	"Bcc", "Apparently-To", "Delivered-To", "Envelope-To",
	"Original-Recipient", "X-Envelope-*", "X-Original-To",
	/* trace: the resender is not the signer (RFC 5322 3.6.6, 3.6.7) */
	"Resent-*", "Received", "Return-Path", "X-Received",
	/* of mailing lists (RFC 2369, RFC 2919, RFC 5064) */
	"List-*", "Archived-At", "Errors-To", "Mailing-List",
	/* signatures and results of servers */
	"ARC-*", "Authentication-Results", "BIMI-*",
	"DKIM-*", "DomainKey-*", "Received-SPF", "X-Authentication-*",
	"X-DKIM*", "X-Google-*",
	/* of filters */
	"X-Amavis-*", "X-Forefront-*", "X-Microsoft-Antispam*",
	"X-MS-Exchange-*", "X-Spam", "X-Spam-*", "X-Virus-*",
	/* requests to the transport (RFC 8689 5) */
	"TLS-Required", "Require-TLS-ESMTP",
	/* of mailboxes */
	"Status", "X-Status", "X-UID", "X-Keywords", "X-Mozilla-*",
	/* ours: what the author writes in it is not what we say */
	"HP-Outer",
};

static const struct known {
	const char *name;
	enum hp_hide baseline, shy;
	bool is_shown, has_addresses;
} known[] = {
	{"From", HIDE_NOTHING, HIDE_AUTHOR, true, true},
	{"Sender", HIDE_NOTHING, HIDE_NOTHING, true, true},
	{"Reply-To", HIDE_NOTHING, HIDE_NOTHING, true, true},
	{"To", HIDE_NOTHING, HIDE_NAMES, true, true},
	{"Cc", HIDE_NOTHING, HIDE_NAMES, true, true},
	{"Date", HIDE_NOTHING, HIDE_ZONE, true, false},
	{"Subject", HIDE_TEXT, HIDE_TEXT, true, false},
	{"Comments", HIDE_FIELD, HIDE_FIELD, false, false},
	{"Keywords", HIDE_FIELD, HIDE_FIELD, false, false},
	/* the Subject once more, by some programs and filters */
	{"Thread-Topic", HIDE_FIELD, HIDE_FIELD, false, false},
	{"Original-Subject", HIDE_FIELD, HIDE_FIELD, false, false},
	{"X-Original-Subject", HIDE_FIELD, HIDE_FIELD, false, false},
	{"Disposition-Notification-To", HIDE_NOTHING, HIDE_NOTHING, false,
	    true},
	{"Return-Receipt-To", HIDE_NOTHING, HIDE_NOTHING, false, true},
	{"Mail-Followup-To", HIDE_NOTHING, HIDE_NOTHING, false, true},
	{"Mail-Reply-To", HIDE_NOTHING, HIDE_NOTHING, false, true},
};

static bool matches(struct view name, const char *pattern)
{
	size_t n = strlen(pattern);

	if (pattern[n - 1] != '*')
		return view_ieq_str(name, pattern);
	return view_ieq(view_sub(name, 0, n - 1),
	    view_make(pattern, n - 1));
}

bool hp_is_copied(struct view name)
{
	for (size_t i = 0; i < ARRAY_LEN(outside); i++)
		if (matches(name, outside[i]))
			return false;
	return true;
}

static const struct known *find(struct view name)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (view_ieq_str(name, known[i].name))
			return &known[i];
	return NULL;
}

enum hp_hide hp_hidden(struct view name, enum hp_policy p)
{
	const struct known *k = find(name);

	if (k == NULL || p == HP_OFF || p == HP_COPY)
		return HIDE_NOTHING;
	return p == HP_SHY ? k->shy : k->baseline;
}

bool hp_is_shown(struct view name)
{
	const struct known *k = find(name);

	return k != NULL && k->is_shown;
}

bool hp_is_quoted(struct view name)
{
	return view_ieq_str(name, "In-Reply-To") ||
	    view_ieq_str(name, "References");
}

bool hp_has_addresses(struct view name)
{
	const struct known *k = find(name);

	return k != NULL && k->has_addresses;
}
