/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The release that this is.
 */
#ifndef UTIL_VERSION_H
#define UTIL_VERSION_H

#define POSTSEAL_VERSION "0.1"

#endif
