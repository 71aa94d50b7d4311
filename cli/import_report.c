/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What an import says: a line for each object when they are few, who was
 * skipped and why, a sum, progress on a terminal; or JSON.
 */
#include "cli/import_int.h"

#include <string.h>

#include "util/clock.h"

#define SHOW_FILES 100	  /* with more, only the sum is shown */
#define SHOW_OBJECTS 1000 /* the same */
#define EVERY_MS 200	  /* progress */

void report_init(struct report *r, const struct import_job *job,
    const struct files *files)
{
	memset(r, 0, sizeof(*r));
	r->job = job;
	r->files = files;
	buf_init(&r->lines, 16u << 20);
	buf_init(&r->skipped, 1u << 30);
	json_init(&r->json, &r->skipped);
	json_array(&r->json, NULL);
	r->sum.skipped = files->failed;
	r->show = files->n <= SHOW_FILES && !job->quiet && !job->json;
	r->progress = !job->quiet && cli_stderr_is_terminal();
	r->began = clock_ms();
	r->last = r->began;
}

void report_free(struct report *r)
{
	buf_free(&r->lines);
	buf_free(&r->skipped);
}

/* ---- progress ---- */

static void print_progress(const struct report *r, int64_t ms)
{
	size_t n = r->sum.added + r->sum.known;
	double done = (double)r->done;
	double part;

	if (r->size > 0)
		done += (double)r->pos / (double)r->size;
	part = r->files->n > 0 ? done / (double)r->files->n : 1;
	fprintf(stderr, "\r\033[K%zu of %zu files, %zu certificates, %.0f/s",
	    r->done, r->files->n, n, ms > 0 ? 1000.0 * (double)n /
	    (double)ms : 0.0);
	if (part > 0 && part < 1)
		fprintf(stderr, ", %.0f s left", (double)ms / 1000.0 *
		    (1 - part) / part);
	fflush(stderr);
}

void report_progress(struct report *r, bool end)
{
	int64_t now;

	if (!r->progress)
		return;
	now = clock_ms();
	if (!end && now - r->last < EVERY_MS)
		return;
	/* What was over at once needs no line. */
	if (!end || r->last != r->began)
		print_progress(r, now - r->began);
	if (end && r->last != r->began)
		fputc('\n', stderr);
	r->last = now;
}

static void clear_line(const struct report *r)
{
	if (r->progress && r->last != r->began)
		fputs("\r\033[K", stderr);
}

/* ---- items ---- */

/* The end of its line. */
static void say_more(struct report *r, const struct import_item *it)
{
	if (r->job->anchor && r->job->scopes > 0) {
		buf_puts(&r->lines, " for ");
		ks_scope_text(r->job->scope, r->job->scopes, &r->lines);
		buf_puts(&r->lines, " only");
	}
	buf_printf(&r->lines, "%s%s\n", it->note[0] != '\0' ? "; " : "",
	    it->note);
}

void report_item(struct report *r, const char *file,
    const struct import_item *it)
{
	const char *would = r->job->dry_run ? "would be " : "";

	if (strcmp(it->kind, "private key") == 0)
		r->sum.keys++;
	else if (it->added)
		r->sum.added++;
	else
		r->sum.known++;
	report_progress(r, false);
	if (++r->objects > SHOW_OBJECTS)
		r->show = false;
	if (r->show)
		buf_printf(&r->lines, "%s: %s %s%s%.16s: %s%s", file,
		    it->kind, it->what, it->sha256[0] != '\0' ? " " : "",
		    it->sha256, r->job->anchor || it->added ? would : "",
		    r->job->anchor ? "trusted" : it->added ? "imported" :
		    "known already");
	if (r->show)
		say_more(r, it);
}

void report_skipped(struct report *r, const char *file,
    const struct import_item *it, const char *why)
{
	r->sum.skipped++;
	report_progress(r, false);
	if (r->job->json) {
		json_object(&r->json, NULL);
		json_str(&r->json, "file", file);
		json_str(&r->json, "kind", it != NULL ? it->kind : "file");
		json_str(&r->json, "what", it != NULL && it->what[0] != '\0' ?
		    it->what : NULL);
		json_str(&r->json, "reason", why);
		json_end_object(&r->json);
		return;
	}
	clear_line(r);
	if (it == NULL)
		(void)cli_say(0, "%s", why);
	else
		(void)cli_say(0, "%s: %s%s%s: %s", file, it->kind,
		    it->what[0] != '\0' ? " " : "", it->what, why);
}

struct report_mark report_mark(const struct report *r)
{
	return (struct report_mark){ r->sum, r->lines.n, r->skipped.n,
	    r->objects, r->json.comma };
}

void report_untake(struct report *r, const struct report_mark *m)
{
	size_t skipped = r->sum.skipped;

	r->sum = m->sum;
	r->sum.skipped = skipped;
	r->objects = m->objects;
	r->lines.n = m->lines_n;
	if (r->lines.p != NULL)
		r->lines.p[r->lines.n] = '\0';
}

void report_back(struct report *r, const struct report_mark *m)
{
	report_untake(r, m);
	r->sum.skipped = m->sum.skipped;
	r->json.comma = m->comma;
	r->skipped.n = m->skipped_n;
	if (r->skipped.p != NULL)
		r->skipped.p[r->skipped.n] = '\0';
}

/* ---- the end ---- */

static int print_json(struct report *r, bool stored)
{
	struct json j;
	struct buf out;
	int rc;

	json_end_array(&r->json);
	buf_init(&out, (1u << 30) + 4096);
	json_init(&j, &out);
	json_object(&j, NULL);
	json_int(&j, "files", (int64_t)r->files->n);
	json_int(&j, "added", (int64_t)r->sum.added);
	json_int(&j, "known", (int64_t)r->sum.known);
	json_int(&j, "keys", (int64_t)r->sum.keys);
	json_int(&j, "skipped", (int64_t)r->sum.skipped);
	json_bool(&j, "stored", stored && !r->job->dry_run);
	json_bool(&j, "dry_run", r->job->dry_run);
	json_raw(&j, "skipped_objects", buf_view(&r->skipped));
	json_end_object(&j);
	buf_putc(&out, '\n');
	rc = cli_print(&out);
	buf_free(&out);
	return rc;
}

static int print_sum(struct report *r)
{
	if (!r->show)
		buf_clear(&r->lines);
	buf_printf(&r->lines, "%s%zu %s, %zu %s added, %zu known, %zu %s, "
	    "%zu skipped\n", r->job->dry_run ? "would be: " : "",
	    r->files->n, r->files->n == 1 ? "file" : "files", r->sum.added,
	    r->sum.added == 1 ? "certificate" : "certificates", r->sum.known,
	    r->sum.keys, r->sum.keys == 1 ? "key" : "keys", r->sum.skipped);
	return cli_print(&r->lines);
}

int report_end(struct report *r, bool stored)
{
	int rc = EX_OK;

	report_progress(r, true);
	if (r->job->json)
		rc = print_json(r, stored);
	else if (stored && !r->job->quiet)
		rc = print_sum(r);
	if (rc != EX_OK)
		return rc;
	return r->sum.skipped > 0 ? EX_DATAERR : EX_OK;
}
