/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * CompressedData with zlib itself: libcrypto is built without it in many
 * places and has no cap (A13). Memory does not grow with the content; what
 * may come out is known before the first octet does.
 */
#include "smime/expand.h"

#include <inttypes.h>
#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>

#include "smime/cms_int.h"
#include "util/ossl.h"

#define ROOM 65536 /* octets expanded at once */

/* One expansion. */
struct expansion {
	z_stream z;
	bool has_ended; /* the zlib stream */
	uint64_t most;
	uint64_t n; /* octets so far */
	struct spool *quarantine;
	unsigned char out[ROOM];
};

static int check_can_expand(const struct cms *c, struct err *e)
{
	char name[64];

	if (c->type != CMS_COMPRESSED)
		return err_set(e, FAIL_INPUT, "CMS object is not compressed");
	if (c->version != 0)
		return err_set(e, FAIL_INPUT, "CompressedData of version %"
		    PRIu32 ", 0 wanted (RFC 3274 1.1)", c->version);
	if (oid_find(c->compression.oid) != OID_ZLIB)
		return err_set(e, FAIL_INPUT, "compression %s is not "
		    "supported (RFC 3274 2)", der_oid_str(c->compression.oid,
		    name, sizeof(name)));
	if (!cms_alg_is_plain(&c->compression))
		return err_set(e, FAIL_INPUT, "zlib with parameters (RFC 3274 "
		    "2)");
	if (oid_find(c->econtent_type) != OID_DATA)
		return err_set(e, FAIL_INPUT, "compressed content of type %s, "
		    "id-data wanted (RFC 8551 3.6)", der_oid_str(
		    c->econtent_type, name, sizeof(name)));
	if (!c->has_content)
		return err_set(e, FAIL_INPUT, "compressed content is not in "
		    "the message (RFC 8551 3.6)");
	return 0;
}

/* Of the whole content, not of what was read so far: mail may well begin
 * with what compresses well. */
static uint64_t expanded_most(uint64_t compressed)
{
	uint64_t most;

	if (compressed >= CAP_EXPANDED / CAP_EXPANSION_RATIO)
		return CAP_EXPANDED;
	most = compressed * CAP_EXPANSION_RATIO;
	return most < CAP_EXPANSION_FLOOR ? CAP_EXPANSION_FLOOR : most;
}

static int put_out(struct expansion *x, struct err *e)
{
	size_t n = sizeof(x->out) - x->z.avail_out;

	if (n > x->most - x->n)
		return err_set(e, FAIL_LIMIT, "compressed content expands to "
		    "more than %" PRIu64 " octets (%d times its size, at most "
		    "%u)", x->most, CAP_EXPANSION_RATIO, CAP_EXPANDED);
	x->n += n;
	return spool_write(x->quarantine, x->out, n, e);
}

static int failed(const struct expansion *x, int status, struct err *e)
{
	if (status == Z_MEM_ERROR)
		return err_set(e, FAIL_TEMP, "out of memory");
	if (status == Z_NEED_DICT)
		return err_set(e, FAIL_INPUT, "compressed content wants a "
		    "dictionary (RFC 1950 2.2)");
	return err_set(e, FAIL_INPUT, "compressed content is damaged: %s (RFC "
	    "1950)", x->z.msg == NULL ? "no progress" : x->z.msg);
}

static int goes_on(struct err *e)
{
	return err_set(e, FAIL_INPUT, "octets after the compressed content "
	    "(RFC 1950 2.2)");
}

/* All that comes out of one chunk. */
static int put_in(struct expansion *x, struct view chunk, struct err *e)
{
	int status;

	if (x->has_ended)
		return goes_on(e);
	x->z.next_in = chunk.p;
	x->z.avail_in = (uInt)chunk.n;
	do {
		x->z.next_out = x->out;
		x->z.avail_out = sizeof(x->out);
		status = inflate(&x->z, Z_NO_FLUSH);
		/* Z_BUF_ERROR: nothing to do without more octets */
		if (status != Z_OK && status != Z_STREAM_END &&
		    status != Z_BUF_ERROR)
			return failed(x, status, e);
		if (put_out(x, e) == -1)
			return -1;
	} while (status == Z_OK && (x->z.avail_in > 0 ||
	    x->z.avail_out == 0));
	x->has_ended = status == Z_STREAM_END;
	return x->has_ended && x->z.avail_in > 0 ? goes_on(e) : 0;
}

static int run(struct expansion *x, const struct cms *c, struct err *e)
{
	struct cms_content *cc = NULL;
	struct view chunk;
	int r = -1;

	if (cms_content_open(&cc, c, e) == -1)
		return -1;
	do {
		if (cms_content_next(cc, &chunk, e) == -1 ||
		    (chunk.n > 0 && put_in(x, chunk, e) == -1))
			goto out;
	} while (chunk.n > 0);
	if (!x->has_ended) {
		err_set(e, FAIL_INPUT, "compressed content is cut off (RFC "
		    "1950 2.2)");
		goto out;
	}
	r = 0;
out:
	cms_content_free(&cc);
	return r;
}

int cms_expand(const struct cms *c, struct spool *quarantine, struct err *e)
{
	struct expansion *x;
	int r = -1;

	if (check_can_expand(c, e) == -1)
		return -1;
	if ((x = calloc(1, sizeof(*x))) == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	x->quarantine = quarantine;
	x->most = expanded_most(c->content_size);
	if (inflateInit(&x->z) == Z_OK) {
		r = run(x, c, e);
		(void)inflateEnd(&x->z);
	} else {
		err_set(e, FAIL_TEMP, "zlib does not start: out of memory");
	}
	ossl_wipe(x->out, sizeof(x->out));
	free(x);
	if (r == -1 && spool_clear(quarantine, NULL) == -1)
		return err_set(e, FAIL_TEMP, "quarantine cannot be emptied");
	return r;
}
