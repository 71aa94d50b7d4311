/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Header fields as data: which are copied into what is signed, and what is
 * left of them outside (RFC 9788 3.2). Reads no field.
 */
#ifndef SMIME_HP_TABLE_H
#define SMIME_HP_TABLE_H

#include "smime/header.h"

/* What is hidden outside when the message is encrypted (RFC 9788 3.2). */
enum hp_policy {
	HP_OFF,	     /* no protected fields */
	HP_COPY,     /* hcp_no_confidentiality: nothing */
	HP_BASELINE, /* hcp_baseline: Subject, Comments, Keywords */
	HP_SHY	     /* hcp_shy: names beside addresses and the time zone too */
};

enum hp_hide {
	HIDE_NOTHING,
	HIDE_TEXT,   /* "[...]" takes its place */
	HIDE_FIELD,  /* there is none outside */
	HIDE_AUTHOR, /* the addr-spec of its one mailbox remains */
	HIDE_NAMES,  /* the addr-specs of its mailboxes remain */
	HIDE_ZONE    /* the same time in UTC remains */
};

/* Is a field of this name copied inside? One that nobody knows is. */
bool hp_is_copied(struct view name);
enum hp_hide hp_hidden(struct view name, enum hp_policy p);
/* Do mail programs show it to people (RFC 9787 1.1.2)? Of those that are
 * ever hidden. */
bool hp_is_shown(struct view name);
/* Is it made of what other people wrote (their Message-IDs)? Then it stays
 * outside alone where it cannot be signed: nobody may keep others from
 * answering. */
bool hp_is_quoted(struct view name);
/* Are addresses and names of people in it? */
bool hp_has_addresses(struct view name);

#endif
