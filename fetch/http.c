/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The HTTP client, over libcurl's interface that does not block.
 */
#include "fetch/http_int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADERS_MAX 65536 /* octets of all header fields */
#define FDS_MAX 600
#define SLOW_BYTES 200L	  /* a second; for half of the time */

int http_new(struct http **out, const struct http_policy *p, struct err *e)
{
	struct http *h = calloc(1, sizeof(*h));

	*out = NULL;
	if (h == NULL)
		return err_set(e, FAIL_TEMP, "HTTP: out of memory");
	h->policy = *p;
	buf_init(&h->body, 0);
	buf_init(&h->mail, HTTP_MAIL_MAX);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
	    (h->multi = curl_multi_init()) == NULL) {
		http_free(&h);
		return err_set(e, FAIL_TEMP, "HTTP: cannot begin");
	}
	*out = h;
	return 0;
}

void http_drop(struct http *h)
{
	if (h->easy == NULL)
		return;
	(void)curl_multi_remove_handle(h->multi, h->easy);
	curl_easy_cleanup(h->easy);
	curl_slist_free_all(h->headers);
	curl_slist_free_all(h->at);
	h->easy = NULL;
	h->headers = h->at = NULL;
}

void http_free(struct http **hp)
{
	struct http *h = *hp;

	if (h == NULL)
		return;
	http_drop(h);
	if (h->multi != NULL)
		(void)curl_multi_cleanup(h->multi);
	buf_free(&h->body);
	buf_free(&h->mail);
	free(h);
	*hp = NULL;
}

/* ---- what libcurl asks of us ---- */

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct http *h = arg;

	buf_put(&h->body, p, size * n);
	h->too_large = h->body.failed;
	return h->body.failed ? 0 : size * n;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	struct http *h = arg;

	(void)p;
	h->header_n += size * n;
	h->too_many_headers = h->header_n > HEADERS_MAX;
	return h->too_many_headers ? 0 : size * n;
}

/* The address that is about to be connected to: what a name meant a moment
 * ago does not matter. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose,
    struct curl_sockaddr *a)
{
	struct http *h = arg;

	if (purpose != CURLSOCKTYPE_IPCXN || !url_may_connect(&a->addr,
	    h->policy.nearby, h->policy.nearbys)) {
		h->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- a transfer ---- */

#define SET(option, value) \
	(rc |= curl_easy_setopt(h->easy, option, value) != CURLE_OK)

static int set_limits(struct http *h, size_t max)
{
	int rc = 0;

	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, ""); /* nor one of the environment */
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_TIMEOUT_MS, (long)h->policy.timeout_ms);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)h->policy.timeout_ms);
	SET(CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	SET(CURLOPT_LOW_SPEED_TIME, (long)(h->policy.timeout_ms / 2000 + 1));
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)max);
	if (h->policy.ca_file != NULL) {
		SET(CURLOPT_CAINFO, h->policy.ca_file);
		SET(CURLOPT_CAPATH, NULL);
	}
	return rc;
}

static int set_request(struct http *h, const struct http_request *r)
{
	struct buf type;
	int rc = 0;

	SET(CURLOPT_URL, r->url);
	SET(CURLOPT_USERAGENT, "postseal");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_ERRORBUFFER, h->why);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, h);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, h);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
	SET(CURLOPT_OPENSOCKETDATA, h);
	if (r->at != NULL) {
		h->at = curl_slist_append(NULL, r->at);
		rc |= h->at == NULL;
		SET(CURLOPT_RESOLVE, h->at);
	}
	if (r->post.n == 0)
		return rc;
	buf_init(&type, 256);
	buf_printf(&type, "Content-Type: %s", r->type);
	h->headers = curl_slist_append(NULL, buf_str(&type));
	buf_free(&type);
	rc |= h->headers == NULL;
	SET(CURLOPT_HTTPHEADER, h->headers);
	SET(CURLOPT_POSTFIELDSIZE, (long)r->post.n);
	SET(CURLOPT_COPYPOSTFIELDS, (const char *)r->post.p);
	return rc;
}

int http_fresh(struct http *h, size_t max, struct err *e)
{
	http_drop(h);
	buf_free(&h->body);
	buf_init(&h->body, max);
	buf_clear(&h->mail);
	h->mail_at = h->header_n = 0;
	h->too_large = h->too_many_headers = h->refused = false;
	h->is_done = false;
	h->why[0] = h->type[0] = '\0';
	h->easy = curl_easy_init();
	return h->easy != NULL ? 0 : err_set(e, FAIL_TEMP,
	    "transfer: cannot begin");
}

int http_launch(struct http *h, bool ok, struct err *e)
{
	if (ok && curl_multi_add_handle(h->multi, h->easy) == CURLM_OK)
		return 0;
	http_drop(h);
	return err_set(e, FAIL_TEMP, "transfer: cannot begin");
}

int http_begin(struct http *h, const struct http_request *r, struct err *e)
{
	struct url u;

	http_drop(h);
	if (url_parse(&u, r->url, e) != 0 || http_fresh(h, r->max, e) != 0)
		return -1;
	return http_launch(h, set_limits(h, r->max) == 0 &&
	    set_request(h, r) == 0, e);
}

bool http_is_running(const struct http *h)
{
	return h->easy != NULL && !h->is_done;
}

void http_cancel(struct http *h)
{
	http_drop(h);
}

static void take_result(struct http *h)
{
	struct CURLMsg *m;
	char *type = NULL;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		h->is_done = true;
		h->code = m->data.result;
		(void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE,
		    &h->status);
		if (curl_easy_getinfo(h->easy, CURLINFO_CONTENT_TYPE,
		    &type) == CURLE_OK && type != NULL)
			text_set(h->type, sizeof(h->type), type);
	}
}

void http_wait(struct http *h, struct pollfd *fd, size_t n, int ms)
{
	struct curl_waitfd extra[FDS_MAX];
	int running = 0;
	size_t i;

	n = n < FDS_MAX ? n : FDS_MAX;
	for (i = 0; i < n; i++) {
		extra[i].fd = fd[i].fd;
		extra[i].events = CURL_WAIT_POLLIN;
		extra[i].revents = 0;
	}
	if (h->easy != NULL) {
		(void)curl_multi_perform(h->multi, &running);
		take_result(h);
	}
	(void)curl_multi_poll(h->multi, extra, (unsigned)n,
	    h->is_done && h->easy != NULL ? 0 : ms, NULL);
	for (i = 0; i < n; i++)
		fd[i].revents = extra[i].revents != 0 ? POLLIN : 0;
	if (http_is_running(h)) {
		(void)curl_multi_perform(h->multi, &running);
		take_result(h);
	}
}

/* ---- how it went ---- */

static int say_failure(const struct http *h, struct err *e)
{
	if (h->too_large || h->code == CURLE_FILESIZE_EXCEEDED)
		return err_set(e, FAIL_LIMIT, "the answer has more than %zu "
		    "octets", h->body.max);
	if (h->too_many_headers)
		return err_set(e, FAIL_LIMIT, "the answer has more than %d "
		    "octets of header fields", HEADERS_MAX);
	if (h->refused)
		return err_set(e, FAIL_POLICY, "the host has an address that "
		    "is not public and not among private-addresses");
	if (h->code == CURLE_OPERATION_TIMEDOUT)
		return err_set(e, FAIL_TEMP, "no whole answer in time");
	return err_set(e, FAIL_TEMP, "%s", h->why[0] != '\0' ? h->why :
	    curl_easy_strerror(h->code));
}

static int check_status(const struct http *h, struct err *e)
{
	if (h->status == 200 || h->mail.n > 0)
		return 0;
	if (h->status >= 300 && h->status < 400)
		return err_set(e, FAIL_POLICY, "the server answered %ld: "
		    "redirects are not followed", h->status);
	return err_set(e, FAIL_TEMP, "the server answered %ld", h->status);
}

int http_result(struct http *h, struct view *body, struct err *e)
{
	if (h->easy == NULL)
		return err_set(e, FAIL_BUG, "HTTP: nothing was asked");
	if (!h->is_done)
		return 0;
	http_drop(h);
	if (h->code != CURLE_OK)
		return say_failure(h, e);
	if (check_status(h, e) != 0)
		return -1;
	*body = buf_view(&h->body);
	return 1;
}

const char *http_type(const struct http *h)
{
	return h->type;
}

int http_get(struct http *h, const struct http_request *r, struct view *body,
    struct err *e)
{
	int rc;

	if (http_begin(h, r, e) != 0)
		return -1;
	while ((rc = http_result(h, body, e)) == 0)
		http_wait(h, NULL, 0, 1000);
	return rc == 1 ? 0 : -1;
}
