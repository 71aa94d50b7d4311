/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the files that read configuration share: a table of statements, and
 * setters for the usual kinds of value.
 */
#ifndef GATEWAY_CONFIG_INT_H
#define GATEWAY_CONFIG_INT_H

#include "gateway/config.h"
#include "util/conf_walk.h"

struct config_key {
	const char *word;
	size_t min, max;      /* values after the word; max 0: no ceiling */
	const char *expected; /* the values in words, for messages */
	bool block;	      /* has { } */
	bool many;	      /* may be repeated */
	bool required;
	void (*set)(struct config *c, const struct conf_stmt *st,
	    struct conf_errors *ce);
};

/* Check every statement against the table and call its setter. */
void config_walk(struct config *c, const struct config_key *key, size_t keys,
    const struct conf_stmt *st, size_t n, struct conf_errors *ce);

/* ADDRESS or @DOMAIN in key form; NULL after an error. */
char *config_who(const struct conf_stmt *st, size_t w,
    struct conf_errors *ce);
/* verify-policy { }, decrypt-policy { }, speaks-for, domain-signatures. */
void config_verify(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce);
void config_decrypt(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce);
void config_speaks_for(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce);
void config_domain_signatures(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce);
/* What they say, for -n. */
void config_print_policy(const struct config *c, struct buf *out);

/* harvest { } */
void config_harvest_defaults(struct config *c);
void config_harvest(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce);
void config_print_harvest(const struct config *c, struct buf *out);

/* notices { } */
void config_notices(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce);
void config_print_notices(const struct config *c, struct buf *out);

/* The address that a notice goes to. */
void config_notice_address(char **out, const struct conf_stmt *st,
    struct conf_errors *ce);

/* quarantine { }, language, texts */
void config_quarantine_defaults(struct config *c);
/* A place in word 2 as hop_send() calls it; its own check says whether it is
 * right. NULL with an error in ce. */
char *config_hop(const struct conf_stmt *st, bool lmtp,
    struct conf_errors *ce);
void config_quarantine(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce);
void config_language(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce);
void config_texts(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce);
void config_quarantine_free(struct config *c);
void config_print_quarantine(const struct config *c, struct buf *out);
void config_warn_quarantine(const struct config *c,
    void (*say)(const char *sentence));

/* The statements of fetch { }, and what they say, for -n. */
void config_fetch(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce);
void config_fetch_free(struct config *c);
void config_print_fetch(const struct config *c, struct buf *out);

/* directory { } */
void config_directory(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce);
void config_free_directories(struct config *c);
void config_print_directories(const struct config *c, struct buf *out);
void config_warn_directories(const struct config *c,
    void (*say)(const char *sentence));

/* door NAME { } */
void config_door(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce);
void config_free_doors(struct config *c);
void config_warn_metrics(const struct config *c,
    void (*say)(const char *sentence));
void config_warn_doors(const struct config *c,
    void (*say)(const char *sentence));

/* The statements of milter { }. */
void config_milter(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce);
/* classes { } */
void config_classes_defaults(struct config *c);
void config_classes(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce);
void config_print_classes(const struct config *c, struct buf *out);
void config_warn_classes(const struct config *c,
    void (*say)(const char *sentence));
/* authority and address-map, of a file or of a directory */
void config_authority(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce);
void config_address_map(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce);
/* What can be said of them only when everything is read. */
void config_check_addresses(struct config *c, struct conf_errors *ce);
void config_free_addresses(struct config *c);
void config_print_addresses(const struct config *c, struct buf *out);

#endif
