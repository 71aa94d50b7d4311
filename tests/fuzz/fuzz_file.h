/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A file that holds the input, for parsers that want a path: in a folder of
 * its own, because what it includes is looked for beside it.
 */
#ifndef TESTS_FUZZ_FUZZ_FILE_H
#define TESTS_FUZZ_FUZZ_FILE_H

#include <fcntl.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

static char fuzz_folder[] = "/dev/shm/fuzz-XXXXXX"; /* no disk, if it can be */
static char fuzz_path[40];

static void fuzz_file_remove(void)
{
	(void)unlink(fuzz_path);
	(void)rmdir(fuzz_folder);
}

/* Its path. */
UNUSED static const char *fuzz_file(const uint8_t *data, size_t n)
{
	static int fd = -1;

	if (fd == -1) {
		if (mkdtemp(fuzz_folder) == NULL) {
			memcpy(fuzz_folder, "/tmp/fuzz-XXXXXX",
			    sizeof("/tmp/fuzz-XXXXXX"));
			MUST(mkdtemp(fuzz_folder) != NULL);
		}
		(void)snprintf(fuzz_path, sizeof(fuzz_path), "%s/input",
		    fuzz_folder);
		fd = open(fuzz_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		MUST(fd >= 0 && atexit(fuzz_file_remove) == 0);
	}
	MUST(ftruncate(fd, 0) == 0);
	MUST(pwrite(fd, data, n, 0) == (ssize_t)n);
	return fuzz_path;
}

/* What people read about errors is lines of printable text. */
UNUSED static void check_text(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		MUST(v.p[i] == '\n' || (v.p[i] >= ' ' && v.p[i] != 0x7f));
}

#endif
