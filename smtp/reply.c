/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What may stand in commands: strict, since a blank or a line end in an
 * argument would be another command to the next hop (A47).
 */
#include "smtp/reply.h"

#include <string.h>

#define PATH_MAX_OCTETS 1000 /* RFC 5321 4.5.3.1.3 asks for 256, ORCPT 500 */

bool smtp_path_ok(const char *path)
{
	size_t n = strlen(path);
	bool is_quoted = false;

	if (n < 2 || n > PATH_MAX_OCTETS || path[0] != '<' ||
	    path[n - 1] != '>')
		return false;
	for (size_t i = 1; i + 1 < n; i++) {
		unsigned char c = (unsigned char)path[i];

		if (c < ' ' || c == 0x7f)
			return false;
		if (is_quoted && c == '\\') {
			/* the octet behind it, which may not be the end */
			c = (unsigned char)path[++i];
			if (i + 1 >= n || c < ' ' || c == 0x7f)
				return false;
		} else if (c == '"') {
			is_quoted = !is_quoted;
		} else if (!is_quoted && (c == ' ' || c == '<' || c == '>')) {
			return false;
		}
	}
	return !is_quoted;
}

static bool is_alnum(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

bool smtp_param_ok(const char *param)
{
	size_t n = strlen(param), i = 0;

	if (n == 0 || n > PATH_MAX_OCTETS || !is_alnum((unsigned char)*param))
		return false;
	while (is_alnum((unsigned char)param[i]) || param[i] == '-')
		i++;
	if (param[i] == '\0')
		return true;
	if (param[i] != '=' || param[i + 1] == '\0')
		return false;
	/* esmtp-value: no "=", blank or control; UTF-8 by RFC 6531 3.3 */
	for (i++; param[i] != '\0'; i++) {
		unsigned char c = (unsigned char)param[i];

		if (c <= ' ' || c == 0x7f || c == '=')
			return false;
	}
	return true;
}
