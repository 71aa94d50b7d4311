/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What mail servers do to signed mail on its way, done to random trees that
 * we signed: the signature stays valid for us and for libcrypto's own MIME
 * reader, and every decoded leaf is what it was. What cannot stand it (S11)
 * is counted. More trees: POSTSEAL_TREES=10000.
 */
#include "smime_signed_mail.h"
#include "smime_trees.h"

/* ---- damage ---- */

struct line {
	struct view text; /* without its end */
	struct view end;
	bool in_header; /* of the message */
};

/* Take a line off v. */
static struct line next_line(struct view *v, bool *in_header)
{
	size_t nl = view_chr(*v, '\n', 0);
	size_t n = nl == (size_t)-1 ? v->n : nl;
	size_t k = nl == (size_t)-1 ? 0 : 1;
	struct line l;

	if (k > 0 && n > 0 && v->p[n - 1] == '\r') {
		n--;
		k++;
	}
	l = (struct line){view_sub(*v, 0, n), view_sub(*v, n, k),
	    *in_header && n > 0};
	*in_header = l.in_header;
	*v = view_sub(*v, n + k, v->n);
	return l;
}

static void put_line(struct buf *out, const struct line *l)
{
	buf_putv(out, l->text);
	buf_putv(out, l->end);
}

/* Octets of '>' before "From ", or -1. */
static int from_quotes(struct view v)
{
	size_t n = 0;

	while (n < v.n && v.p[n] == '>')
		n++;
	return v.n >= n + 5 && memcmp(v.p + n, "From ", 5) == 0 ? (int)n : -1;
}

static void strip_blanks(struct line *l, struct buf *out)
{
	while (l->text.n > 0 && (l->text.p[l->text.n - 1] == ' ' ||
				    l->text.p[l->text.n - 1] == '\t'))
		l->text.n--;
	put_line(out, l);
}

static void quote_from(struct line *l, struct buf *out)
{
	if (from_quotes(l->text) == 0)
		buf_putc(out, '>');
	put_line(out, l);
}

static void quote_every_from(struct line *l, struct buf *out)
{
	if (from_quotes(l->text) >= 0)
		buf_putc(out, '>');
	put_line(out, l);
}

static void unquote_from(struct line *l, struct buf *out)
{
	if (from_quotes(l->text) > 0)
		l->text = view_sub(l->text, 1, l->text.n);
	put_line(out, l);
}

static void eat_dot(struct line *l, struct buf *out)
{
	if (l->text.n > 0 && l->text.p[0] == '.')
		l->text = view_sub(l->text, 1, l->text.n);
	put_line(out, l);
}

static void double_dot(struct line *l, struct buf *out)
{
	if (l->text.n > 0 && l->text.p[0] == '.')
		buf_putc(out, '.');
	put_line(out, l);
}

static void end_in_lf(struct line *l, struct buf *out)
{
	buf_putv(out, l->text);
	buf_puts(out, l->end.n > 0 ? "\n" : "");
}

static void end_in_crlf(struct line *l, struct buf *out)
{
	buf_putv(out, l->text);
	buf_puts(out, l->end.n > 0 ? "\r\n" : "");
}

/* As Postfix does from 998 on, and Sendmail from 990 on. */
static void break_line(struct line *l, struct buf *out, size_t room,
    const char *mark)
{
	while (l->text.n > room) {
		buf_putv(out, view_sub(l->text, 0, room));
		buf_puts(out, mark);
		l->text = view_sub(l->text, room, l->text.n);
	}
	put_line(out, l);
}

static void break_as_postfix(struct line *l, struct buf *out)
{
	break_line(l, out, 998, "\r\n ");
}

static void break_as_sendmail(struct line *l, struct buf *out)
{
	break_line(l, out, 990, "!\r\n ");
}

/* The fields of the message are folded anew; those of parts are not. */
static void unfold_header(struct line *l, struct buf *out)
{
	bool is_more = l->in_header &&
	    (l->text.p[0] == ' ' || l->text.p[0] == '\t');

	if (is_more && out->n > 1 && out->p[out->n - 1] == '\n') {
		out->n -= out->p[out->n - 2] == '\r' ? 2 : 1;
		l->text = view_sub(l->text, 1, l->text.n);
		buf_putc(out, ' ');
	}
	put_line(out, l);
}

static void fold_header(struct line *l, struct buf *out)
{
	for (size_t i = 0; i < l->text.n; i++) {
		bool is_blank = l->text.p[i] == ' ' && i > 0 &&
		    i + 1 < l->text.n && l->text.p[i - 1] != ':';

		if (l->in_header && is_blank)
			buf_putv(out, l->end);
		buf_putc(out, l->in_header && is_blank ? '\t'
						       : l->text.p[i]);
	}
	buf_putv(out, l->end);
}

static void strip_8bit(struct line *l, struct buf *out)
{
	for (size_t i = 0; i < l->text.n; i++)
		buf_putc(out, l->text.p[i] & 0x7f);
	buf_putv(out, l->end);
}

static void add_received(struct line *l, struct buf *out)
{
	if (out->n == 0)
		buf_puts(out, "Received: from a.example (a.example "
			      "[192.0.2.1])\r\n\tby b.example\r\n");
	put_line(out, l);
}

/* At the end of a message. */
static void add_blank_lines(struct buf *out)
{
	for (uint32_t n = 1 + rnd(3); n > 0; n--)
		buf_puts(out, "\r\n");
}

static void add_remark(struct buf *out)
{
	if (out->p[out->n - 1] != '\n')
		buf_puts(out, "\r\n");
	buf_puts(out, "-- \r\nFrom a mailing list\r\n");
}

static void cut_line_ends(struct buf *out)
{
	while (out->n > 0 && (out->p[out->n - 1] == '\n' ||
				 out->p[out->n - 1] == '\r'))
		out->n--;
}

static const struct damage {
	const char *name;
	void (*line)(struct line *l, struct buf *out);
	void (*end)(struct buf *out);
	unsigned harms; /* what it changes where it may not be encoded */
} damages[] = {
	{"blanks stripped", strip_blanks, NULL, SCAN_BLANK},
	{"mbox quoting", quote_from, NULL, 0},
	{"quoting of quoted ones", quote_every_from, NULL, 0},
	{"unquoting of what was not quoted", unquote_from, NULL, 0},
	{"dots eaten", eat_dot, NULL, SCAN_DOT},
	{"dots doubled", double_dot, NULL, SCAN_DOT},
	{"CRLF to LF", end_in_lf, NULL, 0},
	{"LF to CRLF", end_in_crlf, NULL, 0},
	{"lines broken as by Postfix", break_as_postfix, NULL, 0},
	{"lines broken as by Sendmail", break_as_sendmail, NULL, 0},
	{"header unfolded", unfold_header, NULL, 0},
	{"header folded", fold_header, NULL, 0},
	{"high bits stripped", strip_8bit, NULL, 0},
	{"trace field added", add_received, NULL, 0},
	{"blank lines added", NULL, add_blank_lines, 0},
	{"remark added", NULL, add_remark, 0},
	{"line ends at the end cut", NULL, cut_line_ends, 0},
};

static void do_damage(const struct damage *d, struct buf *msg)
{
	struct view rest = buf_view(msg);
	bool in_header = true;
	struct buf out;

	buf_init(&out, BIG);
	while (rest.n > 0) {
		struct line l = next_line(&rest, &in_header);

		if (d->line != NULL)
			d->line(&l, &out);
		else
			put_line(&out, &l);
	}
	if (d->end != NULL)
		d->end(&out);
	buf_free(msg);
	*msg = out;
}

/* May a damage change what we could not encode? */
static bool can_harm(const struct damage *d, const struct mail *m)
{
	if (!m->is_7bit || (m->flags & d->harms) == 0)
		return false;
	/* Nothing else may be left in a clear signature. */
	assert_true(m->has_signature);
	return true;
}

static void check_damaged(const struct mail *m, struct view original,
    const unsigned *which, size_t n, bool by_libcrypto)
{
	struct buf msg, content;
	const char *fault;

	buf_init(&msg, BIG);
	buf_init(&content, BIG);
	buf_putv(&msg, buf_view(&m->text));
	for (size_t i = 0; i < n; i++)
		do_damage(&damages[which[i]], &msg);
	fault = fault_of(buf_view(&msg), &content);
	if (fault == NULL && by_libcrypto &&
	    !is_good_for_libcrypto(buf_view(&msg)))
		fault = "not to libcrypto";
	if (fault != NULL) {
		keep_mutant(buf_view(&msg));
		fail_msg("%s; last: %s", fault, damages[which[n - 1]].name);
	}
	assert_true(view_eq(buf_view(&content), buf_view(&m->entity)));
	compare_leaves(original, buf_view(&content));
	buf_free(&msg);
	buf_free(&content);
}

/* A few kinds of damage, one after the other. */
static size_t choose(const struct mail *m, unsigned *which, size_t most,
    size_t *spared)
{
	size_t n = 0;

	for (uint32_t k = 1 + rnd((uint32_t)most); k > 0; k--) {
		which[n] = rnd(ARRAY_LEN(damages));
		if (can_harm(&damages[which[n]], m))
			(*spared)++;
		else if (m->is_7bit || damages[which[n]].end != add_remark)
			n++; /* text behind base64 is base64 */
	}
	return n;
}

static void S6_S7_S8_S9_signatures_survive_damage_in_transit(void **state)
{
	size_t clear = 0, opaque = 0, refused = 0, spared = 0;
	long trees = trees_wanted(2000);
	struct mail m;
	struct buf b;

	(void)state;
	tree_seed = 9;
	buf_init(&b, BIG);
	for (long i = 0; i < trees; i++) {
		put_random_mail(&b);
		if (!make_mail(&m, buf_view(&b))) {
			refused++;
			free_mail(&m);
			continue;
		}
		*(m.is_7bit ? &clear : &opaque) += 1;
		for (int k = 0; k < 3; k++) {
			unsigned which[4];
			size_t n = choose(&m, which, 4, &spared);

			if (n > 0)
				check_damaged(&m, buf_view(&b), which, n,
				    i % 8 == 0);
		}
		free_mail(&m);
	}
	buf_free(&b);
	print_message("# %zu clear, %zu opaque, %zu refused; %zu times "
		      "spared\n", clear, opaque, refused, spared);
	assert_true(clear > (size_t)trees / 2);
	assert_true(refused < (size_t)trees / 20);
	assert_true(spared < (size_t)trees / 20);
}

/* Each of them alone, on the worst that a leaf can hold; and each would
 * break a signature over the same text without encoding. */
static void S6_S7_S8_S9_each_damage_alone(void **state)
{
	static const char worst[] =
	    "Content-Type: text/plain; format=flowed\r\n\r\n"
	    "From here\r\n>From there\r\nsoft \r\n-- \r\ntab\t\r\n.\r\n"
	    "..\r\n.a\r\n\xc3\xa4\r\n%s\r\n";
	struct buf b;
	struct mail m;
	unsigned i;

	(void)state;
	buf_init(&b, BIG);
	for (const char *p = worst; *p != '\0'; p++) {
		if (p[0] == '%' && p++ != NULL)
			for (int k = 0; k < 1100; k++)
				buf_putc(&b, 'y');
		else
			buf_putc(&b, *p);
	}
	assert_true(make_mail(&m, buf_view(&b)));
	assert_true(m.is_7bit);
	for (i = 0; i < ARRAY_LEN(damages); i++) {
		struct buf raw;
		bool is_changed;

		check_damaged(&m, buf_view(&b), &i, 1, true);
		/* The text itself would not have stood it. */
		buf_init(&raw, BIG);
		buf_putv(&raw, buf_view(&b));
		do_damage(&damages[i], &raw);
		is_changed = !view_eq(buf_view(&raw), buf_view(&b));
		buf_free(&raw);
		if (damages[i].end == NULL && damages[i].line != end_in_crlf &&
		    damages[i].line != unfold_header)
			assert_true(is_changed);
	}
	free_mail(&m);
	buf_free(&b);
}

/* ---- S12: one buffer for digest and output ---- */

static void S12_S15_part_1_is_what_was_digested(void **state)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	long trees = trees_wanted(3000);
	unsigned int sum_n;
	size_t cut = 0;
	struct buf b, digest;
	struct mail m;

	(void)state;
	tree_seed = 10;
	buf_init(&b, BIG);
	buf_init(&digest, 64);
	for (long i = 0; i < trees; i++) {
		put_random_mail(&b);
		if (make_mail(&m, buf_view(&b)) && m.is_7bit) {
			struct view part = cut_part(buf_view(&m.text));

			buf_clear(&digest);
			get_digest(buf_view(&m.text), &digest);
			assert_int_equal(EVP_Digest(part.p, part.n, sum,
			    &sum_n, EVP_sha256(), NULL), 1);
			assert_true(view_eq(view_make(sum, sum_n),
			    buf_view(&digest)));
			assert_true(view_eq(part, buf_view(&m.entity)));
			cut++;
		}
		free_mail(&m);
	}
	buf_free(&b);
	buf_free(&digest);
	print_message("# %zu of %ld trees cut\n", cut, trees);
	assert_true(cut > (size_t)trees / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S6_S7_S8_S9_each_damage_alone),
		cmocka_unit_test(
		    S6_S7_S8_S9_signatures_survive_damage_in_transit),
		cmocka_unit_test(S12_S15_part_1_is_what_was_digested),
	};

	return cmocka_run_group_tests_name("smime_damage", tests, make_alice,
	    free_alice);
}
