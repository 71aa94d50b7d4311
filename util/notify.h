/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Telling systemd how we are (sd_notify(3)), without its library.
 */
#ifndef UTIL_NOTIFY_H
#define UTIL_NOTIFY_H

/* One datagram to $NOTIFY_SOCKET; nothing happens when that is not set. */
void notify_send(const char *state);
/* RELOADING=1 with the time that systemd wants with it. */
void notify_reloading(void);

#endif
