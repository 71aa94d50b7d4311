/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One key for TLS and for mail (A62): what somebody can make a TLS server do
 * with its key must not open or sign mail.
 */
#include "relay/keys.h"

#include <sys/stat.h>
#include <unistd.h>

#include "keystore/keystore.h"
#include "util/log.h"

static int check_all(const struct keys_held *k, struct keystore *ks,
    const char *path, struct err *e)
{
	unsigned char spki[32];
	bool yes;
	size_t i;

	for (i = 0; i < keys_count(k); i++) {
		keys_spki(k, i, spki);
		if (keystore_key_is_for_mail(ks, spki, &yes, e) != 0)
			return -1;
		if (yes)
			return err_set(e, FAIL_CONFIG, "pki %s: the key in %s "
			    "is in the keystore %s as well, and a key is for "
			    "mail or for TLS, never for both; make another "
			    "one for TLS, and a certificate for it",
			    keys_pki(k, i)->name, keys_pki(k, i)->key, path);
	}
	return 0;
}

/* Files beside the database must not become root's. -1: we are not root, or
 * it is root's. */
static int become_owner(const char *path)
{
	struct stat st;

	if (geteuid() != 0 || stat(path, &st) != 0 || st.st_uid == 0)
		return -1;
	if (setegid(st.st_gid) != 0 || seteuid(st.st_uid) != 0)
		log_fatal("event=start process=keys error=\"seteuid\"");
	return 0;
}

int keys_refuse_shared(const struct keys_held *k, const char *keystore_path,
    struct err *e)
{
	struct keystore *ks = NULL;
	gid_t gid = getegid();
	int rc, other;

	if (keystore_path == NULL || keys_count(k) == 0)
		return 0;
	other = become_owner(keystore_path);
	rc = keystore_open(&ks, keystore_path, KS_READ, e);
	if (rc == 0)
		rc = check_all(k, ks, keystore_path, e);
	keystore_close(&ks);
	if (other == 0 && (seteuid(0) != 0 || setegid(gid) != 0))
		log_fatal("event=start process=keys error=\"seteuid\"");
	return rc;
}
