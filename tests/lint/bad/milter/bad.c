/* SPDX-License-Identifier: ISC */
#include <stdio.h>

void
bad_print(char *to)
{
	/* strcpy( in a comment is none, nor in "strcpy(" */
	snprintf(to, 1, "strcpy(");
}
