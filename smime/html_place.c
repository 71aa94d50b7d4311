/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tags as HTML 13.2.5 reads them, as far as that is needed: a body tag in a
 * comment, in an attribute or in a script is none.
 */
#include "smime/html_place.h"

#include <string.h>

struct tag {
	struct view name; /* "body", "/head", "!--", "!doctype" */
	size_t end;	  /* behind it; 0: it does not end here */
};

static bool is_blank(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t find(struct view v, const char *s, size_t from)
{
	size_t n = strlen(s);

	for (size_t i = from; i + n <= v.n; i++)
		if (view_ieq_str(view_sub(v, i, n), s))
			return i;
	return (size_t)-1;
}

/* Behind the ">" that ends the tag, its attributes' values passed over. */
static size_t tag_end(struct view v, size_t i)
{
	unsigned char quote = 0, last = 0;

	for (; i < v.n; i++) {
		unsigned char c = v.p[i];

		if (quote != 0) {
			quote = c == quote ? 0 : quote;
			last = c;
			continue;
		}
		if (c == '>')
			return i + 1;
		if ((c == '"' || c == '\'') && last == '=')
			quote = c;
		if (!is_blank(c))
			last = c;
	}
	return 0;
}

/* v.p[i] is "<". */
static struct tag read_tag(struct view v, size_t i)
{
	struct tag t = {{NULL, 0}, 0};
	size_t from = i + 1;
	size_t end;

	if (view_istarts(view_sub(v, from, 3), "!--")) {
		end = find(v, "-->", from + 1);
		t.name = view_sub(v, from, 3);
		t.end = end == (size_t)-1 ? 0 : end + 3;
		return t;
	}
	for (i = from; i < v.n && !is_blank(v.p[i]) && v.p[i] != '>' &&
	    (v.p[i] != '/' || i == from); i++)
		;
	t.name = view_sub(v, from, i - from);
	t.end = tag_end(v, i);
	return t;
}

static bool is_any(struct view name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (view_ieq_str(name, list[i]))
			return true;
	return false;
}

/* Behind the end tag of an element whose content is no HTML. */
static size_t pass_raw(struct view v, size_t i, struct view name)
{
	for (; i + 2 + name.n <= v.n; i++)
		if (v.p[i] == '<' && v.p[i + 1] == '/' &&
		    view_ieq(view_sub(v, i + 2, name.n), name))
			return tag_end(v, i + 2 + name.n);
	return 0;
}

size_t html_place(struct view head)
{
	static const char *const places[] = {"!doctype", "html", "/head"};
	static const char *const raw[] = {"style", "script", "title"};
	static const char *const plain[] = {"head", "meta", "link", "base",
	    "/style", "/script", "/title", "/meta", "/link"};
	size_t best = 0, i = 0;
	struct tag t;

	if (view_istarts(head, "\xef\xbb\xbf"))
		best = i = 3;
	while (i < head.n) {
		if (is_blank(head.p[i])) {
			i++;
			continue;
		}
		if (head.p[i] != '<')
			break; /* text: the body has begun */
		t = read_tag(head, i);
		i = t.end;
		if (t.end == 0)
			break;
		if (view_ieq_str(t.name, "body"))
			return t.end;
		if (is_any(t.name, places, ARRAY_LEN(places)))
			best = t.end;
		else if (is_any(t.name, raw, ARRAY_LEN(raw)))
			i = pass_raw(head, i, t.name);
		else if (!is_any(t.name, plain, ARRAY_LEN(plain)) &&
		    !view_istarts(t.name, "!") && !view_istarts(t.name, "?"))
			break;
		if (i == 0)
			break;
	}
	return best;
}
