/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Postfix's settings as postconf(1) prints them. It is the one that knows
 * what main.cf and master.cf mean; what it prints is read here, and nothing
 * in it is believed to be well-formed.
 */
#ifndef CLI_POSTCONF_H
#define CLI_POSTCONF_H

#include "util/buf.h"

struct postconf_setting {
	char *name;
	char *value;
};

struct postconf_service {
	char *name; /* "smtp", "127.0.0.1:10026" */
	char *type; /* "inet" */
	char *chroot;  /* "y", "n", "-" */
	char *command; /* "smtpd" */
	struct postconf_setting *o; /* -o overrides; owned */
	size_t os;
};

#define POSTCONF_SETTINGS 8192
#define POSTCONF_SERVICES 1024
#define POSTCONF_TEXT ((size_t)8 << 20)

struct postconf {
	char *dir; /* of main.cf */
	struct postconf_setting *set; /* sorted by name; owned */
	size_t sets;
	struct postconf_service *service; /* owned */
	size_t services;
};

/* What "postconf -x", "postconf -M" and "postconf -Px" printed, in this
 * order; p is zeroed before. Lines that are none of theirs are left out.
 * FAIL_LIMIT, FAIL_TEMP. */
int postconf_parse(struct postconf *p, struct view settings,
    struct view services, struct view overrides, struct err *e) MUST_CHECK;
void postconf_free(struct postconf *p);

/* The value for a service (NULL: in main.cf), "" when it is set to nothing,
 * NULL when this Postfix does not have it. */
const char *postconf_get(const struct postconf *p,
    const struct postconf_service *s, const char *name);
/* Is that service's value an override? */
bool postconf_is_override(const struct postconf_service *s,
    const char *name);

/*
 * The next of a list of milters: "{ unix:/p, default_action=accept }" or
 * "inet:host:port", separated by commas and blanks. false at the end.
 */
struct postconf_milter {
	char endpoint[300];
	char action[40]; /* default_action, "" none of its own */
};
bool postconf_next_milter(struct view *list, struct postconf_milter *out);

/*
 * Run postconf: program NULL for the usual places. dir NULL for its own
 * default. No shell, no environment but a fixed PATH, ten seconds.
 * FAIL_CONFIG: there is none, or it fails (what it said).
 */
int postconf_read(struct postconf *p, const char *program, const char *dir,
    struct err *e) MUST_CHECK;

#endif
