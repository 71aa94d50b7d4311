/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The rules in memory, shared by the parser (rules.c, rules_cond.c,
 * treatment.c) and the matcher (rules_match.c). Nothing here changes after
 * rules_read.
 */
#ifndef GATEWAY_RULES_INT_H
#define GATEWAY_RULES_INT_H

#include "gateway/rules.h"

/* One of several addresses. */
enum who_kind { WHO_ADDRESS, WHO_DOMAIN, WHO_SUBDOMAINS, WHO_GROUP };
struct who {
	enum who_kind kind;
	char *text; /* lower-case key; a domain without @ and *. */
};
struct who_set {
	struct who *who;
	size_t n;
	const struct who_set **group; /* borrowed from the rules' groups */
	size_t groups;
	size_t number;	/* of a group's set: which group; by the index */
	bool is_sorted; /* who: by who_compare */
};

struct group {
	const char *name;
	struct who_set *set;
	int line;
};

struct profile {
	const char *name;
	struct writing_words words;
	int line;
};

/* Conditions of one line; a condition that is not there holds. */
struct conditions {
	struct who_set from, to, envelope_from;
	bool has_from, has_to, has_envelope_from;
	bool has_login;
	const char **login; /* n 0: any login */
	size_t logins;
	bool has_network;
	struct net *net;
	size_t nets;
};

struct rule {
	enum direction direction;
	struct conditions cond;
	bool is_last; /* no conditions */
	struct treatment treatment;
	struct rule_ref ref;
	char *text;
};

struct rules {
	struct conf *conf; /* texts of words and file names live here */
	struct group *group;
	size_t groups;
	struct profile *profile;
	size_t profiles;
	struct rule *rule;
	size_t n;
	int last[DIR_INTERNAL + 1]; /* line of the one without conditions */
	int delimiter;
	struct rules_index *index; /* NULL: each rule is looked at */
};

/* By kind, then by text. */
int who_compare(const struct who *a, enum who_kind kind, const char *text);

/*
 * The index (rules_index.c) says, for each place, which rules name an
 * address, a domain, or a group there: a place is a condition of a direction.
 * A rule stands at one of its places only. Place 0: which groups name it.
 */
enum posting_field {
	POSTING_TO,
	POSTING_FROM,
	POSTING_ENVELOPE_FROM,
	POSTING_OTHER, /* rules without any of these; text "" */
	POSTING_FIELDS
};
#define POSTING_PLACE(d, f) ((unsigned)(d) * POSTING_FIELDS + (unsigned)(f))
#define POSTING_PLACES POSTING_PLACE(DIR_INTERNAL + 1, 0)

struct posting {
	const char *text; /* as in struct who; or a group's name */
	uint32_t n;	  /* number of the rule, or of the group */
	uint32_t run;	  /* postings from here on that differ only in n */
	unsigned char place, kind;
};

/* Make r->index, if there are enough rules; without memory there is none,
 * which only takes longer. The rules must not change any more. */
void rules_index_make(struct rules *r);
void rules_index_free(struct rules_index **x);
/* The first of its run, n ascending; or NULL. */
const struct posting *rules_index_find(const struct rules_index *x,
    unsigned place, enum who_kind kind, const char *text);

/* Is this unquoted word so? */
bool rules_word_is(const struct conf_stmt *st, size_t w, const char *s);
/* Is s one of the names in list, which ", " keeps apart? */
bool rules_is_one_of(const char *list, const char *s);
/* The first of them that stands unquoted at w or behind it, or st->words. */
size_t rules_find(const struct conf_stmt *st, size_t w, const char *list);
/*
 * The value behind word w, one of list; *next is the index after it. "" when
 * it is missing or another, which is reported.
 */
const char *rules_value(const struct conf_stmt *st, size_t w,
    const char *list, size_t *next, struct conf_errors *ce);
/* Does a condition begin at w? */
bool rules_is_condition(const struct conf_stmt *st, size_t w);
const struct group *rules_group(const struct rules *r, const char *name);
/* Of the file or of the program; *line is 0 for the latter. NULL: none. */
const struct writing_words *rules_profile(const struct rules *r,
    const char *name, int *line);

/* Add the values from word w on to set, up to (not including) the next
 * condition, a comma, a colon or the end; returns the index of that. */
size_t rules_parse_who(struct rules *r, struct who_set *set,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce);
void who_set_free(struct who_set *s);

/* Conditions from word w to the colon; returns the index of the colon (or
 * the number of words when it is missing, reported). */
size_t rules_parse_conditions(struct rules *r, struct rule *rule, bool also,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce);
void conditions_free(struct conditions *c);

/* Treatments from word w to the end, checked for the direction. */
void rules_parse_treatments(const struct rules *r, struct rule *rule,
    bool also, const struct conf_stmt *st, size_t w, struct conf_errors *ce);

#endif
