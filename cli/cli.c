/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Verbs, options, failures: what has no file or key in it.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/utf8.h"

#define COLUMNS 79 /* of a terminal, but the last */

/* ---- saying ---- */

/* Names in it may be those of whoever made a file: one line stays one. */
static void say(const char *fmt, va_list ap) PRINTF_LIKE(1, 0);

static void say(const char *fmt, va_list ap)
{
	char *text = NULL;

	fflush(stdout);
	if (vasprintf(&text, fmt, ap) == -1)
		return;
	utf8_mask(text);
	fprintf(stderr, "postseal: %s\n", text);
	free(text);
}

int cli_say(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	return code;
}

int cli_code(const struct err *e)
{
	switch (e->kind) {
	case FAIL_INPUT:
	case FAIL_LIMIT:
		return EX_DATAERR;
	case FAIL_POLICY:
		return EX_UNAVAILABLE;
	case FAIL_TEMP:
		return EX_TEMPFAIL;
	case FAIL_CONFIG:
		return EX_CONFIG;
	case FAIL_BUG:
		break;
	}
	return EX_SOFTWARE;
}

int cli_fail(const struct err *e)
{
	return cli_say(cli_code(e), "%s", e->msg);
}

int cli_read_fd(int fd, struct buf *out, struct err *e)
{
	unsigned char *room;
	ssize_t n;

	do {
		room = buf_room(out, 65536);
		if (room == NULL)
			return buf_ok(out, e);
		n = read(fd, room, 65536);
		if (n > 0)
			out->n += (size_t)n;
	} while (n > 0 || (n == -1 && errno == EINTR));
	return n == 0 ? 0 : err_sys(e, FAIL_INPUT, "read");
}

/* Where a line may end: at a blank outside of brackets that stands before no
 * value of an option. */
static size_t usage_piece(const char *s)
{
	size_t depth = 0, i;

	for (i = 1; s[i] != '\0' && s[i] != '\n'; i++) {
		if (s[i] == '[')
			depth++;
		else if (s[i] == ']' && depth > 0)
			depth--;
		else if (s[i] == ' ' && depth == 0 && (s[i + 1] < 'A' ||
		    s[i + 1] > 'Z'))
			break;
	}
	return i;
}

/* A verb's usage, which may be of several lines, within the terminal's. */
static void put_usage(FILE *to, const char *lead, const char *text)
{
	size_t column = 16, n;

	fprintf(to, "%s postseal ", lead);
	for (; *text != '\0'; text += n) {
		n = usage_piece(text);
		if (*text == '\n') {
			column = 0;
		} else if (column + n > COLUMNS && *text == ' ') {
			fputs("\n          ", to);
			column = 10;
		}
		fwrite(text, 1, n, to);
		column += n;
	}
	fputc('\n', to);
}

int cli_usage(struct cli *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	put_usage(stderr, "usage:", c->usage != NULL ? c->usage : "VERB");
	return EX_USAGE;
}

int cli_count(struct cli *c, const char *name, const char *text,
    size_t *out)
{
	char *end;
	long x;

	if (text == NULL)
		return EX_OK;
	x = strtol(text, &end, 10);
	if (end == text || *end != '\0' || x < 1 || x > 10000000)
		return cli_usage(c, "%s %s: want a number from 1", name,
		    text);
	*out = (size_t)x;
	return EX_OK;
}

/* ---- verbs ---- */

static int list_verbs(const struct cli_verb *verb, size_t n, FILE *to)
{
	size_t i;

	for (i = 0; i < n; i++)
		put_usage(to, i == 0 ? "usage:" : "      ", verb[i].usage);
	return to == stdout ? EX_OK : EX_USAGE;
}

int cli_dispatch(struct cli *c, const struct cli_verb *verb, size_t n,
    int argc, char **argv)
{
	size_t i;

	if (argc < 2)
		return list_verbs(verb, n, stderr);
	if (strcmp(argv[1], "--help") == 0)
		return list_verbs(verb, n, stdout);
	for (i = 0; i < n; i++)
		if (strcmp(verb[i].name, argv[1]) == 0)
			break;
	if (i == n) {
		(void)cli_say(EX_USAGE, "%s: no such verb; there are:",
		    argv[1]);
		return list_verbs(verb, n, stderr);
	}
	c->usage = verb[i].usage;
	c->verb[c->verb[0] == NULL ? 0 : 1] = verb[i].name;
	return verb[i].run(c, argc - 1, argv + 1);
}

/* ---- options ---- */

void cli_list_free(struct cli_list *l)
{
	free(l->v);
	l->v = NULL;
	l->n = 0;
}

static int list_add(struct cli_list *l, const char *s)
{
	const char **v = realloc(l->v, (l->n + 1) * sizeof(*v));

	if (v == NULL)
		return cli_say(EX_OSERR, "out of memory");
	l->v = v;
	l->v[l->n++] = s;
	return 0;
}

static const struct cli_opt *find_option(const struct cli_opt *o,
    const char *arg, const char **value)
{
	size_t n;

	for (; o->name != NULL; o++) {
		n = strlen(o->name);
		if (strncmp(o->name, arg, n) != 0)
			continue;
		*value = arg[n] == '=' ? arg + n + 1 : NULL;
		if (arg[n] == '\0' || arg[n] == '=')
			return o;
	}
	return NULL;
}

/* One option at argv[*i]; moves *i over its value. */
static int take_option(struct cli *c, const struct cli_opt *o, int argc,
    char **argv, int *i)
{
	const char *value;

	o = find_option(o, argv[*i], &value);
	if (o == NULL && argv[*i][1] == 'c')
		return cli_usage(c, "-c FILE stands before the verb: postseal "
		    "-c FILE %s ...", c->verb[0] == NULL ? "" : c->verb[0]);
	if (o == NULL)
		return cli_usage(c, "%s: unknown option", argv[*i]);
	if (o->flag != NULL) {
		if (value != NULL)
			return cli_usage(c, "%s takes no value", o->name);
		*o->flag = true;
		return 0;
	}
	if (value == NULL) {
		if (*i + 1 >= argc)
			return cli_usage(c, "%s wants a value", o->name);
		value = argv[++*i];
	}
	if (o->list != NULL)
		return list_add(o->list, value);
	if (*o->value != NULL)
		return cli_usage(c, "%s: given twice", o->name);
	*o->value = value;
	return 0;
}

static int print_usage(struct cli *c)
{
	put_usage(stdout, "usage:", c->usage != NULL ? c->usage : "VERB");
	c->helped = true;
	return EX_USAGE;
}

int cli_options(struct cli *c, int argc, char **argv, const struct cli_opt *o,
    struct cli_list *rest)
{
	bool over = false;
	int i, rc;

	for (i = 1; i < argc; i++) {
		if (!over && strcmp(argv[i], "--") == 0) {
			over = true;
			continue;
		}
		if (!over && strcmp(argv[i], "--help") == 0)
			return print_usage(c);
		if (!over && argv[i][0] == '-' && argv[i][1] != '\0')
			rc = take_option(c, o, argc, argv, &i);
		else
			rc = list_add(rest, argv[i]);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int64_t cli_now(const struct cli *c)
{
	if (c->config != NULL && c->config->fixed_time != 0)
		return c->config->fixed_time;
	return (int64_t)time(NULL);
}

/* ---- printing ---- */

bool cli_stdout_is_terminal(void)
{
	return isatty(STDOUT_FILENO) == 1;
}

bool cli_stderr_is_terminal(void)
{
	return isatty(STDERR_FILENO) == 1;
}

int cli_print(struct buf *b)
{
	struct err e = { 0 };

	if (buf_ok(b, &e) != 0)
		return cli_fail(&e);
	/* The store's user may have written texts of it (A48). */
	if (b->n > 0 && cli_stdout_is_terminal())
		utf8_mask_lines(b->p, b->n);
	if (fwrite(buf_str(b), 1, b->n, stdout) != b->n ||
	    fflush(stdout) != 0)
		return cli_say(EX_IOERR, "standard output: cannot write");
	return EX_OK;
}
