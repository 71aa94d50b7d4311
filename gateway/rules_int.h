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

struct list_source;

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
	size_t number;	/* of a group's set: which group */
	bool is_sorted; /* who: by who_compare */
	const char *list; /* name in the store of a group's list, or NULL */
	const char *name; /* of a group with a list, for people */
};

struct group {
	const char *name;
	struct who_set *set;
	const char *file;
	int line;
	char *list_name;	    /* of a list, as set->list has it */
	struct list_source *source; /* and where it is from; both owned */
};

struct profile {
	const char *name;
	struct writing_words words;
	const char *file;
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

/* What an also line asks of the message; what is not there holds. Texts are
 * folded (fold.h), names and types in lower case; all are owned. */
struct header_look {
	char *name;
	char **text; /* n 0: the field is there */
	size_t texts;
};
struct look {
	char **subject;
	size_t subjects;
	struct header_look *header;
	size_t headers;
	char **kind; /* "application/pdf", "image/" for every one of it */
	size_t kinds;
	bool has_size;
	uint64_t over;
	unsigned classes; /* bits of enum msg_class; 0: any */
};

struct rule {
	enum direction direction;
	struct conditions cond;
	bool is_last; /* no conditions */
	struct look look; /* of an also line */
	struct treatment treatment;
	struct writing_words said; /* in the line and its profile */
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
	struct rule *also; /* lines that add */
	size_t alsos;
	int last[DIR_INTERNAL + 1]; /* line of the one without conditions */
	int delimiter;
	bool no_quarantine; /* the configuration has none */
	char no_tls_route[80]; /* what of it has none; "": all that must */
	const struct config *config; /* while it is read */
	const struct list_source **list; /* the groups'; array owned */
	size_t lists;
	struct rules_index *index; /* NULL: each rule is looked at */
	struct rules_index *also_index; /* with any also line */
	struct look_index *looks;	/* likewise */
};

/* Members in the order of who_compare. */
void who_set_sort(struct who_set *s);
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
/* Make r->also_index, if there are also lines. FAIL_TEMP. */
int rules_index_also(struct rules *r, struct err *e) MUST_CHECK;
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

/*
 * A condition on the message at w, into look; returns the index behind it,
 * or 0: it is none.
 */
size_t rules_parse_look(struct look *look, const struct conf_stmt *st,
    size_t w, struct conf_errors *ce);
void look_free(struct look *l);
/* A value of the condition before it? */
bool rules_is_value(const struct conf_stmt *st, size_t w);

/* Conditions from word w to the colon; returns the index of the colon (or
 * the number of words when it is missing, reported). */
size_t rules_parse_conditions(struct rules *r, struct rule *rule, bool also,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce);
void conditions_free(struct conditions *c);

/* Does it say anything of the way out, of the way in? */
bool treatment_seals(const struct treatment *t);
bool treatment_opens(const struct treatment *t);

/* Treatments from word w to the end, checked for the direction. */
void rules_parse_treatments(const struct rules *r, struct rule *rule,
    bool also, const struct conf_stmt *st, size_t w, struct conf_errors *ce);


/* ---- also lines that nobody's name finds (look_index.c) ---- */

/* What a message must have for a line: a line stands under one of them. */
enum look_by {
	LOOK_ALWAYS,
	LOOK_SUBJECT, /* octets of a text in the Subject */
	LOOK_FIELD,   /* a field of a name, whatever it says */
	LOOK_TEXTS,   /* mark: fields of this name have texts to be found */
	LOOK_HEADER,  /* octets of a text in a field of a name */
	LOOK_CLASS,   /* name: 'a' and the number of the class */
	LOOK_KIND,    /* a type of a part, or "image/" */
	LOOK_KINDS    /* each line of LOOK_KIND */
};
#define LOOK_GRAM 4 /* octets of a text that stand for it */
/* name: in whatever case, or NULL. */
uint64_t look_key(enum direction d, enum look_by by, const char *name,
    struct view text);
bool look_index_has(const struct look_index *x, uint64_t key);
/* Their numbers, ascending; visit stops with anything but 0, and then -1. */
int look_index_each(const struct look_index *x, uint64_t key,
    int (*visit)(void *arg, uint32_t line), void *arg);
/* After rules_index_also. FAIL_TEMP. */
int look_index_make(struct look_index **out, const struct rules *r,
    struct err *e) MUST_CHECK;
void look_index_free(struct look_index **x);

/* ---- also lines for a recipient ---- */

/* One of them whose conditions on the envelope hold, or may hold. */
struct also_line {
	uint32_t n;	     /* number of the line */
	const char *unknown; /* as in a treatment */
};
struct also_lines {
	struct also_line *line; /* owned */
	size_t n, size;
};
/* Those that somebody's name finds, n ascending; the rest stands at the place
 * POSTING_OTHER of also_index. FAIL_TEMP. */
int rules_also_named(const struct rules *r, const struct rule_input *in,
    struct also_lines *out, struct err *e) MUST_CHECK;
/* Does line n hold for the envelope? *unknown as above. */
bool rules_also_holds(const struct rules *r, const struct rule_input *in,
    uint32_t n, const char **unknown);

/*
 * Add to t what an also line demands (A51): never less than before. False: t
 * had all of it. *given_up: the word of t that could not stay beside it, or
 * NULL.
 */
bool treatment_strengthen(struct treatment *t, const struct rule *line,
    const char **given_up);

#endif
