/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The built-in texts, which need no file, and how texts of other languages
 * become ASCII.
 */
#include "gateway/texts.h"

#include <string.h>

#include "util/utf8.h"

struct text {
	const char *key;
	const char *english;
};

static const struct text table[TEXT_N] = {
	[TEXT_NO_CERTIFICATE] = {"reply.no-certificate",
	    "Not sent: it must be encrypted, and that is not possible"},
	[TEXT_DIFFERENT_BODIES] = {"reply.different-bodies",
	    "Not sent: these recipients need different copies of the "
	    "message, please send to them one by one"},
	[TEXT_NOT_ALLOWED] = {"reply.not-allowed",
	    "Not sent: it must be signed, and you may not sign as its "
	    "author"},
	[TEXT_NO_SIGNING_CERT] = {"reply.no-signing-certificate",
	    "Not sent: it must be signed, and its author has no usable "
	    "certificate"},
	[TEXT_ALGORITHM] = {"reply.algorithm",
	    "Not sent: algorithm not supported"},
	[TEXT_REFUSED_BY_RULE] = {"reply.refused-by-rule", "Refused"},
	[TEXT_RECIPIENT] = {"reply.recipient",
	    "Not sent: recipient address not understood"},
	[TEXT_MALFORMED] = {"reply.malformed", "Malformed message"},
	[TEXT_TOO_LARGE] = {"reply.too-large", "Message too large"},
	[TEXT_CLEAR_ANSWER] = {"reply.clear-answer",
	    "Not sent: it answers a message that came encrypted, and would "
	    "go out unencrypted"},
	[TEXT_NOT_VERIFIED] = {"reply.not-verified",
	    "Refused: a valid signature of the author is required"},
	[TEXT_VERIFY_LATER] = {"reply.verify-later",
	    "A valid signature of the author is required, and cannot be "
	    "verified now, please try again"},
	[TEXT_KEYS_AWAY] = {"reply.keys-away",
	    "Cryptographic service away, please try again"},
	[TEXT_DIRECTORY_AWAY] = {"reply.directory-away",
	    "Not sent yet: whether it can be encrypted cannot be known now, "
	    "please try again"},
	[TEXT_OVERLOAD] = {"reply.overload", "Too busy, please try again"},
	[TEXT_INTERNAL] = {"reply.internal",
	    "Internal fault, please try again"},
	[TEXT_HELD_SUBJECT] = {"notice.held.subject",
	    "Your message has not been sent yet"},
	[TEXT_RELEASED_SUBJECT] = {"notice.released.subject",
	    "Your message has now been sent"},
	[TEXT_EXPIRED_SUBJECT] = {"notice.expired.subject",
	    "Your message was not sent"},
	[TEXT_DELETED_SUBJECT] = {"notice.deleted.subject",
	    "Your message was not sent"},
	[TEXT_NOTIFY_HELD_SUBJECT] = {"notify.held.subject",
	    "A message waits for a decision"},
	[TEXT_NOTIFY_EXPIRED_SUBJECT] = {"notify.expired.subject",
	    "A held message was not released in time"},
	[TEXT_HELD] = {"notice.held",
	    "Your message of %1 has not been sent yet to the recipients "
	    "below. It is kept until an administrator decides what becomes "
	    "of it."},
	[TEXT_HELD_UNTIL] = {"notice.held.until",
	    "If nothing is decided by %1, it will not be sent, and you will "
	    "be told."},
	[TEXT_RELEASED] = {"notice.released",
	    "Your message of %1, which was held, has now been sent to the "
	    "recipients below."},
	[TEXT_EXPIRED] = {"notice.expired",
	    "Your message of %1 was held, and nobody released it in time. It "
	    "was not sent to the recipients below, and it has been "
	    "removed."},
	[TEXT_DELETED] = {"notice.deleted",
	    "Your message of %1 was held. An administrator decided that it "
	    "is not sent to the recipients below, and it has been "
	    "removed."},
	[TEXT_NOTIFY_HELD] = {"notify.held",
	    "A message of %1 from %2 is held. \"postseal quarantine\" shows "
	    "and releases it."},
	[TEXT_NOTIFY_EXPIRED] = {"notify.expired",
	    "A message of %1 from %2 was held, and nobody released it in "
	    "time. It was not delivered, and it has been removed."},
	[TEXT_RECIPIENTS] = {"notice.recipients", "Recipients:"},
	[TEXT_MORE] = {"notice.more", "and %1 more"},
	[TEXT_REASON] = {"notice.reason", "Reason: %1"},
	[TEXT_NUMBER] = {"notice.number",
	    "If you ask about it, please give this number: %1"},
	[TEXT_END] = {"notice.end",
	    "This notice was written by the mail gateway %1. Answers to it "
	    "are not read; please turn to %2."},
};

const char *text_key(enum text_id id)
{
	return table[id].key;
}

const char *text_built_in(enum text_id id)
{
	return table[id].english;
}

bool text_is_reply(enum text_id id)
{
	return strncmp(table[id].key, "reply.", 6) == 0;
}

/* ---- ASCII ---- */

struct letter {
	uint32_t cp;
	const char *ascii;
};

/* Of German, French, Polish and their neighbours, sorted. */
static const struct letter letters[] = {
	{0xa0, " "}, {0xab, "\""}, {0xad, ""}, {0xb4, "'"}, {0xbb, "\""},
	{0xc0, "A"}, {0xc1, "A"}, {0xc2, "A"}, {0xc3, "A"}, {0xc4, "Ae"},
	{0xc5, "A"}, {0xc6, "AE"}, {0xc7, "C"}, {0xc8, "E"}, {0xc9, "E"},
	{0xca, "E"}, {0xcb, "E"}, {0xcc, "I"}, {0xcd, "I"}, {0xce, "I"},
	{0xcf, "I"}, {0xd1, "N"}, {0xd2, "O"}, {0xd3, "O"}, {0xd4, "O"},
	{0xd5, "O"}, {0xd6, "Oe"}, {0xd8, "O"}, {0xd9, "U"}, {0xda, "U"},
	{0xdb, "U"}, {0xdc, "Ue"}, {0xdd, "Y"}, {0xdf, "ss"}, {0xe0, "a"},
	{0xe1, "a"}, {0xe2, "a"}, {0xe3, "a"}, {0xe4, "ae"}, {0xe5, "a"},
	{0xe6, "ae"}, {0xe7, "c"}, {0xe8, "e"}, {0xe9, "e"}, {0xea, "e"},
	{0xeb, "e"}, {0xec, "i"}, {0xed, "i"}, {0xee, "i"}, {0xef, "i"},
	{0xf1, "n"}, {0xf2, "o"}, {0xf3, "o"}, {0xf4, "o"}, {0xf5, "o"},
	{0xf6, "oe"}, {0xf8, "o"}, {0xf9, "u"}, {0xfa, "u"}, {0xfb, "u"},
	{0xfc, "ue"}, {0xfd, "y"}, {0xff, "y"}, {0x104, "A"}, {0x105, "a"},
	{0x106, "C"}, {0x107, "c"}, {0x10c, "C"}, {0x10d, "c"},
	{0x10e, "D"}, {0x10f, "d"}, {0x118, "E"}, {0x119, "e"},
	{0x11a, "E"}, {0x11b, "e"}, {0x141, "L"}, {0x142, "l"},
	{0x143, "N"}, {0x144, "n"}, {0x147, "N"}, {0x148, "n"},
	{0x152, "OE"}, {0x153, "oe"}, {0x158, "R"}, {0x159, "r"},
	{0x15a, "S"}, {0x15b, "s"}, {0x160, "S"}, {0x161, "s"},
	{0x164, "T"}, {0x165, "t"}, {0x16e, "U"}, {0x16f, "u"},
	{0x178, "Y"}, {0x179, "Z"}, {0x17a, "z"}, {0x17b, "Z"},
	{0x17c, "z"}, {0x17d, "Z"}, {0x17e, "z"}, {0x1e9e, "SS"},
	{0x2009, " "}, {0x2010, "-"}, {0x2011, "-"}, {0x2013, "-"},
	{0x2014, "-"}, {0x2018, "'"}, {0x2019, "'"}, {0x201a, "'"},
	{0x201c, "\""}, {0x201d, "\""}, {0x201e, "\""}, {0x2026, "..."},
	{0x202f, " "}, {0x2039, "'"}, {0x203a, "'"},
};

static const char *ascii_of(uint32_t cp)
{
	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		if (letters[i].cp == cp)
			return letters[i].ascii;
	return "?";
}

void texts_ascii(const char *utf8, struct buf *out)
{
	struct view v = view_of(utf8);
	uint32_t cp;
	size_t n;

	for (; v.n > 0; v = view_sub(v, n, v.n)) {
		n = utf8_first(v, &cp);
		if (n == 0) {
			n = 1;
			cp = 0; /* no UTF-8 */
		}
		if (cp >= 32 && cp < 127)
			buf_putc(out, (int)cp);
		else
			buf_puts(out, ascii_of(cp));
	}
}
