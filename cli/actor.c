/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Who changes the keystore: what the audit says of it. The environment and the
 * terminal are the caller's word; the login's user is the kernel's.
 */
#include "cli/cli.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/proc.h"

#define NO_LOGIN 4294967295U
/* Of IPv4, IPv6, and the name of an interface behind it. */
#define ADDRESS                                                           \
	"0123456789.:%_-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static void put_user(struct buf *b, uid_t uid)
{
	const struct passwd *pw = getpwuid(uid);

	buf_printf(b, "%s (uid %ld)", pw != NULL ? pw->pw_name : "?",
	    (long)uid);
}

/* The user who logged in, whoever he became since; false: unknown. */
static bool login_uid(uid_t *uid)
{
	struct buf text;
	unsigned long x = NO_LOGIN;
	char *end;

	buf_init(&text, 32);
	if (io_read_file("/proc/self/loginuid", &text, NULL) == 0) {
		x = strtoul(buf_str(&text), &end, 10);
		if (end == buf_str(&text))
			x = NO_LOGIN;
	}
	buf_free(&text);
	*uid = (uid_t)x;
	return x < NO_LOGIN;
}

void cli_actor(const struct cli *c, struct buf *who, struct buf *origin)
{
	const char *tty = isatty(STDERR_FILENO) ? ttyname(STDERR_FILENO) :
	    NULL;
	const char *ssh = getenv("SSH_CLIENT");
	uid_t login;
	size_t n;

	put_user(who, getuid());
	if (login_uid(&login) && login != getuid()) {
		buf_puts(who, ", logged in as ");
		put_user(who, login);
	}
	buf_printf(origin, "postseal %s", c->verb[0] != NULL ? c->verb[0] :
	    "");
	if (c->verb[1] != NULL)
		buf_printf(origin, " %s", c->verb[1]);
	if (tty != NULL)
		buf_printf(origin, ", %s", tty);
	if (ssh != NULL && (n = strspn(ssh, ADDRESS)) > 0 && n < 64 &&
	    (ssh[n] == ' ' || ssh[n] == '\0'))
		buf_printf(origin, ", from %.*s", (int)n, ssh);
}
