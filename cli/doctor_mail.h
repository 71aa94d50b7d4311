/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the files doctor_*.c share about mail servers.
 */
#ifndef CLI_DOCTOR_MAIL_H
#define CLI_DOCTOR_MAIL_H

#include "cli/doctor.h"

struct postconf;
struct postconf_service;

/* The next of words separated by blanks and commas. */
bool mail_next_word(struct view *all, struct view *word);
/* What the MTA does while we do not answer: action as Postfix calls it. */
void mail_check_action(struct doctor *d, const char *where,
    const char *action, const char *fix);
/* A DKIM milter beside us: is it before us, where mail goes out or comes
 * in? */
void mail_check_order(struct doctor *d, const char *where, bool outgoing,
    bool dkim_first);
/* Is the MTA's limit (0: none) enough for what grows by sealing? */
void mail_check_size(struct doctor *d, const char *where, uint64_t limit,
    const char *name);
/* The port s, where mail comes to that must have a verified hop (tls-route):
 * doctor_route.c. */
void doctor_tls_route(struct doctor *d, const struct postconf *p,
    const struct postconf_service *s, const char *where);
/* mynetworks that let everybody send: doctor_settings.c. */
void mail_check_networks(struct doctor *d, const struct postconf *p,
    const char *where);
/* Settings of main.cf that stand alone: doctor_settings.c. */
void mail_check_settings(struct doctor *d, const struct postconf *p,
    const char *where);

#endif
