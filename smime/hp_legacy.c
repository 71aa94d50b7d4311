/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The values are an author's and must not become anything but text: no line
 * of theirs is more than a line, nothing of theirs is HTML.
 */
#include "smime/hp_legacy.h"

#include <string.h>

#include "smime/codec.h"
#include "smime/html_place.h"
#include "smime/mime.h"
#include "util/caps.h"
#include "util/utf8.h"

#define LINE_WISH 900 /* 998 less what the author's line may add */
#define TEXT_MAX (64u * CAP_HEADER_FIELD)

/* ---- which parts ---- */

/* How a multipart's children share in being the text (RFC 9787 7.1). */
enum pick { PICK_NONE, PICK_FIRST, PICK_ALL, PICK_START };

struct level {
	bool is_main;
	enum pick pick;
	size_t children;
	char start[CAP_ADDRESS]; /* the Content-ID that is picked */
};

struct finder {
	struct hp_leaves *l;
	struct level level[CAP_MIME_DEPTH + 1];
};

static enum pick pick_of(const struct ctype *ct, struct level *v)
{
	const char *start = ctype_param(ct, "start");

	if (ctype_is(ct, "multipart/alternative"))
		return PICK_ALL;
	if (ctype_is(ct, "multipart/signed") ||
	    ctype_is(ct, "multipart/encrypted") ||
	    ctype_is(ct, "multipart/digest"))
		return PICK_NONE;
	if (ctype_is(ct, "multipart/related") && start != NULL) {
		text_set(v->start, sizeof(v->start), start);
		return PICK_START;
	}
	return PICK_FIRST;
}

static bool is_picked(struct level *up, const struct mime_part *part)
{
	const struct field *id = header_get(part->header, "Content-ID", 0);

	up->children++;
	switch (up->is_main ? up->pick : PICK_NONE) {
	case PICK_ALL:
		return true;
	case PICK_FIRST:
		return up->children == 1;
	case PICK_START:
		return id != NULL &&
		    view_eq_str(view_trim(id->value), up->start);
	case PICK_NONE:
		break;
	}
	return false;
}

static bool is_text(const struct mime_part *part)
{
	const struct ctype *ct = part->ctype;

	return part->is_leaf && !ct->is_attachment &&
	    ct->defect[0] == '\0' && (ctype_is(ct, "text/plain") ||
	    ctype_is(ct, "text/html"));
}

static void begin_part(struct finder *x, const struct mime_part *part)
{
	struct level *v = &x->level[part->depth];
	struct hp_leaf *leaf;

	memset(v, 0, sizeof(*v));
	v->is_main = part->depth == 0 || is_picked(v - 1, part);
	if (!part->is_leaf && ctype_is_multipart(part->ctype))
		v->pick = pick_of(part->ctype, v);
	if (!v->is_main || !is_text(part) || x->l->n == HP_LEAVES)
		return;
	leaf = &x->l->leaf[x->l->n++];
	leaf->start = part->start;
	leaf->body = part->body;
	leaf->is_html = ctype_is(part->ctype, "text/html");
	leaf->is_root = part->depth == 0;
}

static int find_event(void *arg, enum mime_event ev,
    const struct mime_part *part, struct view data UNUSED, struct err *e)
{
	struct finder *x = arg;
	struct hp_leaves *l = x->l;

	(void)e;
	if (ev == MIME_PART)
		begin_part(x, part);
	if (ev == MIME_END && l->n > 0 &&
	    l->leaf[l->n - 1].start == part->start && part->is_leaf)
		l->leaf[l->n - 1].end = part->end;
	return 0;
}

int hp_leaves_find(struct hp_leaves *l, const struct spool *entity,
    struct err *e)
{
	struct finder x = {.l = l};
	const struct mime_handler h = {&x, find_event};
	struct mime_findings f;

	memset(l, 0, sizeof(*l));
	for (size_t i = 0; i < HP_LEAVES; i++)
		buf_init(&l->leaf[i].display, TEXT_MAX);
	return mime_read(entity, 0, spool_size(entity), false, &h, &f, e);
}

void hp_leaves_free(struct hp_leaves *l)
{
	for (size_t i = 0; i < HP_LEAVES; i++)
		buf_free(&l->leaf[i].display);
}

/* ---- in which form ---- */

static bool is_ascii(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] >= 0x80)
			return false;
	return true;
}

/* Is ASCII in this charset what it is elsewhere, at the start of a text and
 * behind a tag? */
static bool extends_ascii(const char *charset)
{
	static const char *const known[] = {"us-ascii", "ascii", "utf-8",
	    "utf8", "iso-8859-", "iso-2022-", "windows-", "cp125", "koi8-",
	    "gb2312", "gbk", "gb18030", "big5", "euc-", "shift_jis", "tis-620",
	    "unknown-8bit", "macintosh"};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (view_istarts(view_of(charset), known[i]))
			return true;
	return false;
}

/* & < > " ' and what is not ASCII as numbers (HTML 13.1.4): any charset, any
 * place. */
static void put_html(struct view v, struct buf *out)
{
	while (v.n > 0) {
		uint32_t c = '?';
		size_t n = utf8_first(v, &c);

		if (c >= 0x80 || strchr("&<>\"'", (int)c) != NULL)
			buf_printf(out, "&#%lu;", (unsigned long)c);
		else
			buf_putc(out, (int)c);
		v = view_sub(v, n == 0 ? 1 : n, v.n);
	}
}

/* In the leaf's charset; "?" for what it has not or we do not know. */
static void put_plain(struct view v, const char *charset, struct buf *out)
{
	bool is_utf8 = view_istarts(view_of(charset), "utf");
	bool is_latin1 = view_ieq_str(view_of(charset), "iso-8859-1") ||
	    view_ieq_str(view_of(charset), "windows-1252");

	while (v.n > 0) {
		uint32_t c = '?';
		size_t n = utf8_first(v, &c);

		if (n > 0 && (c < 0x80 || is_utf8))
			buf_putv(out, view_sub(v, 0, n));
		else
			buf_putc(out, is_latin1 && c >= 0xa0 && c < 0x100
			    ? (int)c : '?');
		v = view_sub(v, n == 0 ? 1 : n, v.n);
	}
}

static void put_line(const struct hp_leaf *leaf, struct view v,
    const char *charset, struct buf *out)
{
	if (leaf->is_html)
		put_html(v, out);
	else
		put_plain(v, charset, out);
}

static void put_display(struct hp_leaf *leaf, struct view text,
    const char *charset)
{
	struct buf *out = &leaf->display;
	size_t off = 0, nl;

	if (leaf->is_html)
		buf_puts(out, "\r\n<div class=\"header-protection-legacy-"
		    "display\">\r\n<pre>");
	while ((nl = view_chr(text, '\n', off)) != (size_t)-1) {
		put_line(leaf, view_sub(text, off, nl - off), charset, out);
		off = nl + 1;
		if (!leaf->is_html || off < text.n)
			buf_puts(out, "\r\n");
	}
	buf_puts(out, leaf->is_html ? "</pre>\r\n</div>" : "\r\n");
}

static bool has_long_line(struct view v)
{
	size_t n = 0;

	for (size_t i = 0; i < v.n; i++) {
		n = v.p[i] == '\n' ? 0 : n + 1;
		if (n > LINE_WISH)
			return true;
	}
	return false;
}

int hp_leaf_plan(struct hp_leaf *leaf, const struct ctype *ct,
    struct view text, bool *can, struct err *e)
{
	const char *charset = ctype_param(ct, "charset");
	bool is_default = charset == NULL ||
	    view_ieq_str(view_of(charset), "us-ascii");

	*can = false;
	leaf->cte = leaf->new_cte = ct->cte;
	leaf->charset = NULL;
	if (ct->cte != CTE_7BIT && ct->cte != CTE_QP && ct->cte != CTE_BASE64)
		return 0;
	if (charset == NULL)
		charset = "us-ascii";
	if (!extends_ascii(charset))
		return 0;
	if (!leaf->is_html && is_default && !is_ascii(text))
		charset = leaf->charset = "utf-8";
	put_display(leaf, text, charset);
	if (ct->cte == CTE_7BIT && (!is_ascii(buf_view(&leaf->display)) ||
	    has_long_line(buf_view(&leaf->display))))
		leaf->new_cte = CTE_QP;
	*can = true;
	return buf_ok(&leaf->display, e);
}

/* ---- writing ---- */

void hp_leaf_put_header(const struct hp_leaf *leaf, const struct header *h,
    struct view type, struct buf *out)
{
	bool is_recoded = leaf->cte != leaf->new_cte;

	if (header_count(h, "Content-Type") == 0)
		buf_putv(out, type);
	for (size_t i = 0; i < h->n; i++) {
		struct view name = h->field[i].name;

		if (view_ieq_str(name, "Content-Type"))
			buf_putv(out, type);
		else if (!is_recoded ||
		    !view_ieq_str(name, "Content-Transfer-Encoding"))
			buf_putv(out, h->field[i].whole);
	}
	if (is_recoded)
		buf_puts(out, "Content-Transfer-Encoding: "
		    "quoted-printable\r\n");
}

/* Text on its way from the decoder to the encoder. */
struct inserter {
	const struct hp_leaf *leaf;
	struct sink to;
	struct buf head; /* of HTML, until the place is known */
	bool is_done;
};

#define HEAD_MAX 65536 /* beyond: at its start */

/* HTML without a charset that the text itself says (HTML 13.2.3.2). */
static bool is_utf16(struct view head)
{
	return head.n >= 2 && (memcmp(head.p, "\xff\xfe", 2) == 0 ||
	    memcmp(head.p, "\xfe\xff", 2) == 0);
}

/* Behind the display. What stood in the middle of a line must not begin one
 * as "From ", or as a delimiter: a blank there changes no HTML. */
static const char *html_end(struct view head, size_t at)
{
	if (at == 0 || head.p[at - 1] == '\n')
		return "\r\n";
	if (at == head.n)
		return head.n < HEAD_MAX ? "\r\n" : "\r\n ";
	return strchr("-.>F", head.p[at]) == NULL || head.p[at] == '\0' ?
	    "\r\n" : "\r\n ";
}

static int insert(struct inserter *x, struct err *e)
{
	struct view head = buf_view(&x->head), display;
	size_t at = x->leaf->is_html ? html_place(head) : 0;

	x->is_done = true;
	display = buf_view(&x->leaf->display);
	if (x->leaf->is_html && is_utf16(head))
		display.n = 0;
	if (buf_ok(&x->head, e) != 0 ||
	    sink_put(&x->to, head.p, at, e) != 0 ||
	    sink_put(&x->to, display.p, display.n, e) != 0)
		return -1;
	if (x->leaf->is_html && display.n > 0 &&
	    sink_puts(&x->to, html_end(head, at), e) != 0)
		return -1;
	return at == head.n ? 0 : sink_put(&x->to, head.p + at, head.n - at,
	    e);
}

static int inserter_put(void *arg, const void *p, size_t n, struct err *e)
{
	struct inserter *x = arg;
	const unsigned char *c = p;
	size_t k;

	if (x->is_done)
		return sink_put(&x->to, p, n, e);
	k = HEAD_MAX - x->head.n;
	k = n < k ? n : k;
	buf_put(&x->head, c, k);
	if (x->head.n < HEAD_MAX)
		return buf_ok(&x->head, e);
	if (insert(x, e) != 0)
		return -1;
	return k == n ? 0 : sink_put(&x->to, c + k, n - k, e);
}

static int encode(struct inserter *x, const struct spool *entity,
    struct err *e)
{
	const struct hp_leaf *leaf = x->leaf;
	struct sink in = {inserter_put, x};

	if (!leaf->is_html && insert(x, e) != 0)
		return -1;
	if (codec_decode(entity, leaf->body, leaf->end, leaf->cte, &in, NULL,
	    e) != 0)
		return -1;
	return x->is_done ? 0 : insert(x, e);
}

int hp_leaf_write(const struct hp_leaf *leaf, const struct spool *entity,
    const struct sink *to, struct err *e)
{
	struct inserter x = {.leaf = leaf, .to = *to};
	struct b64_enc b64;
	struct qp_enc qp;
	int rc;

	b64_enc_init(&b64, *to);
	qp_enc_init(&qp, *to);
	if (leaf->new_cte == CTE_BASE64)
		x.to = b64_enc_sink(&b64);
	if (leaf->new_cte == CTE_QP)
		x.to = qp_enc_sink(&qp);
	buf_init(&x.head, HEAD_MAX);
	rc = encode(&x, entity, e);
	buf_free(&x.head);
	if (rc == 0 && leaf->new_cte == CTE_BASE64)
		rc = b64_enc_end(&b64, e);
	if (rc == 0 && leaf->new_cte == CTE_QP)
		rc = qp_enc_end(&qp, e);
	return rc;
}
