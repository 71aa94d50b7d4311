/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Directories: which serves whom, and in which order they are asked.
 */
#include "fetch/find.h"

#include <stdlib.h>
#include <string.h>

const char *find_source_str(enum find_source s)
{
	return s == FIND_LDAP ? "ldap" : "smimea";
}

void found_certs_init(struct found_certs *f)
{
	size_t i;

	memset(f, 0, sizeof(*f));
	for (i = 0; i < FIND_CERTS; i++)
		buf_init(&f->der[i], FIND_CERT_MAX);
}

void found_certs_free(struct found_certs *f)
{
	size_t i;

	for (i = 0; i < FIND_CERTS; i++)
		buf_free(&f->der[i]);
	f->n = 0;
}

static void free_list(char **list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void directory_free(struct directory *d)
{
	free_list(d->domain, d->domains);
	free_list(d->url, d->urls);
	free(d->base);
	free(d->filter);
	free(d->attribute);
	free(d->bind_dn);
	free(d->password_file);
	free(d->ca_file);
	free(d->anchor_file);
	free(d->resolver);
	memset(d, 0, sizeof(*d));
}
