/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The thread that fetches a list: it has the request for itself until it
 * writes the octet that says it is done.
 */
#include "milter/fetch_list.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fetch/ldap.h"
#include "gateway/lists.h"

struct fetch_list {
	const struct finder_ops *find;
	int done[2]; /* a pipe */
	bool is_busy;
	pthread_t thread;
	/* the thread's while it is busy */
	struct list_source source;
	struct buf body;
	struct err why;
};

int fetch_list_new(struct fetch_list **out, const struct finder_ops *find,
    struct err *e)
{
	struct fetch_list *l = calloc(1, sizeof(*l));

	*out = NULL;
	if (l == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	if (pipe2(l->done, O_CLOEXEC) != 0) {
		free(l);
		return err_sys(e, FAIL_TEMP, "pipe");
	}
	l->find = find;
	buf_init(&l->body, CAP_LIST);
	*out = l;
	return 0;
}

bool fetch_list_free(struct fetch_list **lp)
{
	struct fetch_list *l = *lp;
	struct view body;
	struct err why;

	if (l == NULL)
		return true;
	if (l->is_busy && fetch_list_result(l, &body, &why) == 0)
		return false;
	list_source_free(&l->source);
	buf_free(&l->body);
	close(l->done[0]);
	close(l->done[1]);
	free(l);
	*lp = NULL;
	return true;
}

int fetch_list_fd(const struct fetch_list *l)
{
	return l->done[0];
}

static void *fetch(void *arg)
{
	struct fetch_list *l = arg;
	struct ldap_list q = { l->source.filter, l->source.what,
		l->source.value };
	ssize_t n;

	if (l->find->list(l->find->ctx, l->source.directory, &q, LIST_MS,
	    &l->body, &l->why) != 0 && l->why.kind == 0)
		(void)err_set(&l->why, FAIL_TEMP, "directories");
	do
		n = write(l->done[1], "", 1);
	while (n < 0 && errno == EINTR);
	return NULL;
}

int fetch_list_begin(struct fetch_list *l, const struct fetch_job *j,
    struct err *e)
{
	int rc;

	if (l->is_busy)
		return err_set(e, FAIL_TEMP, "another list is being fetched");
	if (l->find == NULL || l->find->list == NULL)
		return err_set(e, FAIL_TEMP, "no directory is configured "
		    "(any more)");
	list_source_free(&l->source);
	buf_clear(&l->body);
	err_clear(&l->why);
	if (lists_name_read(&l->source, j->url, e) != 0)
		return -1;
	rc = pthread_create(&l->thread, NULL, fetch, l);
	if (rc != 0)
		return err_set(e, FAIL_TEMP, "no thread: %s", strerror(rc));
	l->is_busy = true;
	return 0;
}

int fetch_list_result(struct fetch_list *l, struct view *body,
    struct err *why)
{
	struct pollfd p = { l->done[0], POLLIN, 0 };
	char octet;

	if (!l->is_busy || poll(&p, 1, 0) != 1 ||
	    read(l->done[0], &octet, 1) != 1)
		return 0;
	(void)pthread_join(l->thread, NULL);
	l->is_busy = false;
	*why = l->why;
	*body = buf_view(&l->body);
	return 1;
}
