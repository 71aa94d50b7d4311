/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A list of passwords for many files: lines of a file name or an address, a
 * TAB, and the password, which is everything behind it. It is a secret, and
 * read under the rules for one (A64).
 */
#include "cli/import_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "util/proc.h"

#define LIST_MAX (16u << 20) /* octets */
#define PASSWORD_MAX 1023

void passwords_init(struct pass_list *l)
{
	memset(l, 0, sizeof(*l));
	buf_init_secret(&l->text, LIST_MAX);
}

void passwords_free(struct pass_list *l)
{
	free(l->v);
	l->v = NULL;
	l->n = 0;
	buf_free(&l->text);
}

static int by_who(const void *a, const void *b)
{
	const struct pass_line *x = a, *y = b;

	return strcmp(x->who, y->who);
}

static int add_line(struct pass_list *l, const char *file, char *line,
    size_t number)
{
	char *tab = strchr(line, '\t');
	struct pass_line *bigger;

	if (line[0] == '\0')
		return EX_OK;
	if (tab == NULL || tab == line)
		return cli_say(EX_DATAERR, "--password-list: %s:%zu: want a "
		    "file name or an address, a TAB, and the password", file,
		    number);
	*tab++ = '\0';
	if (strlen(tab) > PASSWORD_MAX)
		return cli_say(EX_DATAERR, "--password-list: %s:%zu: a "
		    "password of more than %d octets", file, number,
		    PASSWORD_MAX);
	if ((l->n & (l->n - 1)) == 0) {
		bigger = realloc(l->v, (l->n == 0 ? 1 : 2 * l->n) *
		    sizeof(*bigger));
		if (bigger == NULL)
			return cli_say(EX_OSERR, "out of memory");
		l->v = bigger;
	}
	l->v[l->n++] = (struct pass_line){ line, tab, number, false };
	return EX_OK;
}

static int split(struct pass_list *l, const char *file)
{
	char *line, *end;
	size_t number = 0;
	int rc = EX_OK;

	(void)buf_str(&l->text); /* ends it in NUL */
	line = (char *)l->text.p;
	while (rc == EX_OK && line != NULL && *line != '\0') {
		end = strchr(line, '\n');
		if (end != NULL)
			*end++ = '\0';
		line[strcspn(line, "\r")] = '\0';
		rc = add_line(l, file, line, ++number);
		line = end;
	}
	return rc;
}

int passwords_read(struct pass_list *l, const char *file)
{
	struct err e = { 0 };
	size_t i;
	int rc;

	if (io_read_secret(file, &l->text, &e) != 0)
		return cli_say(cli_code(&e), "--password-list: %s", e.msg);
	if (view_chr(buf_view(&l->text), 0, 0) != (size_t)-1)
		return cli_say(EX_DATAERR, "--password-list: %s: not text",
		    file);
	rc = split(l, file);
	if (rc != EX_OK)
		return rc;
	if (l->n == 0)
		return cli_say(EX_DATAERR, "--password-list: %s: no line in "
		    "it", file);
	qsort(l->v, l->n, sizeof(*l->v), by_who);
	for (i = 1; i < l->n; i++)
		if (strcmp(l->v[i - 1].who, l->v[i].who) == 0)
			return cli_say(EX_DATAERR, "--password-list: %s: "
			    "lines %zu and %zu are for the same", file,
			    l->v[i - 1].number, l->v[i].number);
	return EX_OK;
}

static struct pass_line *find(const struct pass_list *l, const char *who)
{
	const struct pass_line wanted = { .who = who };

	return bsearch(&wanted, l->v, l->n, sizeof(*l->v), by_who);
}

/* Without what is behind the last dot, as it is and in lower case. */
static struct pass_line *find_stem(const struct pass_list *l,
    const char *base)
{
	struct pass_line *found;
	char *stem = strdup(base), *dot;
	size_t i;

	if (stem == NULL)
		return NULL;
	dot = strrchr(stem, '.');
	if (dot != NULL)
		*dot = '\0';
	found = find(l, stem);
	for (i = 0; stem[i] != '\0'; i++)
		stem[i] = (char)tolower((unsigned char)stem[i]);
	if (found == NULL)
		found = find(l, stem);
	free(stem);
	return found;
}

struct pass_line *passwords_find(struct pass_list *l, const char *name,
    bool *by_stem)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash != NULL ? slash + 1 : name;
	struct pass_line *found = NULL;

	*by_stem = false;
	if (l->n == 0)
		return NULL;
	found = find(l, name);
	if (found == NULL)
		found = find(l, base);
	if (found == NULL) {
		found = find_stem(l, base);
		*by_stem = true;
	}
	if (found != NULL)
		found->used = true;
	return found;
}
