/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One mail over SMTP, by libcurl.
 */
#include "fetch/submit.h"

#include <string.h>

#include "fetch/http_int.h"

#define ANSWERS_MAX 65536 /* octets of all that the server says */

static size_t on_read(char *to, size_t size, size_t n, void *arg)
{
	struct http *h = arg;
	struct view part = view_sub(buf_view(&h->mail), h->mail_at, size * n);

	if (part.n > 0)
		memcpy(to, part.p, part.n);
	h->mail_at += part.n;
	return part.n;
}

#define SET(option, value) \
	(rc |= curl_easy_setopt(h->easy, option, value) != CURLE_OK)

static int set_options(struct http *h, const struct submission *s)
{
	struct buf url;
	int rc = 0;

	buf_init(&url, 1024);
	buf_printf(&url, "smtp://%s/%s", s->where, s->helo);
	h->headers = curl_slist_append(NULL, s->to);
	rc |= url.failed || h->headers == NULL;
	SET(CURLOPT_URL, buf_str(&url));
	SET(CURLOPT_PROTOCOLS_STR, "smtp");
	SET(CURLOPT_PROXY, ""); /* nor one of the environment */
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_TIMEOUT_MS, (long)h->policy.timeout_ms);
	SET(CURLOPT_ERRORBUFFER, h->why);
	SET(CURLOPT_MAIL_FROM, "");
	SET(CURLOPT_MAIL_RCPT, h->headers);
	SET(CURLOPT_UPLOAD, 1L);
	SET(CURLOPT_READFUNCTION, on_read);
	SET(CURLOPT_READDATA, h);
	buf_free(&url);
	return rc;
}

int submit_begin(struct http *h, const struct submission *s, struct err *e)
{
	if (http_fresh(h, ANSWERS_MAX, e) != 0)
		return -1;
	buf_putv(&h->mail, s->mail);
	return http_launch(h, !h->mail.failed && set_options(h, s) == 0, e);
}

int submit_mail(const struct submission *s, int64_t timeout_ms, struct err *e)
{
	const struct http_policy policy = { .timeout_ms = timeout_ms };
	struct http *h;
	struct view said;
	int rc;

	if (http_new(&h, &policy, e) != 0)
		return -1;
	rc = submit_begin(h, s, e);
	while (rc == 0 && (rc = http_result(h, &said, e)) == 0)
		http_wait(h, NULL, 0, 1000);
	http_free(&h);
	if (rc != 1)
		return err_add(e, "notice to %s by %s", s->to, s->where);
	return 0;
}
