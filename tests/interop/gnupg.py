# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Folders for gpgsm with keys, and the CA as its anchor."""
import os

from material import is_ec
from peer import Refused, numbers

PASSWORD = 'test'
TRIES = 4
NO_EC = 'gpgsm 2.2 has no keys for EC'
# Whatever is asked: the password.
PINENTRY = '''#!/bin/sh
echo OK
while read -r word rest; do
	case $word in
	GETPIN) echo "D %s" ;;
	esac
	echo OK
done
''' % PASSWORD


def home(place, material, name, mailboxes):
    """A folder with the keys of some mailboxes, as far as this gpgsm takes
    them, and the certificates of all. -> its path, for GNUPGHOME"""
    path = place.path(name)
    place.ends.append(lambda: close(place, path))
    asker = place.put(name + '/pinentry', PINENTRY.encode())
    for secret, mode in ((asker, 0o700), (path, 0o700)):
        os.chmod(place.root + secret, mode)
    place.put(name + '/gpg-agent.conf',
              ('pinentry-program %s\n' % asker).encode())
    # There is no CRL of the CA.
    place.put(name + '/gpgsm.conf', b'disable-crl-checks\n'
              b'disable-dirmngr\n')
    place.put(name + '/trustlist.txt', (
        material.sha1(material.root) + ' S relax\n').encode())
    env = {'GNUPGHOME': path}
    place.must(['gpgsm', '--batch', '--import'], material.root + b''.join(
        material.cert(p) for p in material.people), env)
    for p in mailboxes:
        if not (is_ec(p) and is_old(place)):
            import_key(place, material, p, name)
    return path


def import_key(place, material, mailbox, name):
    """Now and then gpgsm 2.4 takes a PKCS#12 file for one with another
    password; not the next one with another salt."""
    for _ in range(TRIES):
        status, out, err = place.run(
            ['gpgsm', '--batch', '--pinentry-mode', 'loopback',
             '--passphrase-fd', '0', '--import', place.put(
                 name + '/import.p12', material.p12_old(mailbox))],
            PASSWORD.encode() + b'\n', {'GNUPGHOME': place.path(name)})
        if status == 0:
            return
    raise Refused(err + out)


def close(place, path):
    """End the agent and what else serves a folder."""
    place.run(['gpgconf', '--kill', 'all'], env={'GNUPGHOME': path})


def is_old(place):
    """It ends with a signal when it imports a key for EC."""
    return numbers(place.must(['gpgsm', '--version']).decode()) < (2, 3)


def known(place, cell):
    """What no program on gpgsm reads."""
    if cell.is_encrypted and is_ec(cell.who) and is_old(place):
        return NO_EC
    if cell.is_encrypted and cell.transport(cell.who) == 'oaep':
        return 'I12: gpgsm has no OAEP'
    if cell.is_encrypted and cell.cipher.endswith('gcm'):
        return 'I12: gpgsm reads GCM only with a tag of 12 octets and ' \
            'without aes-ICVlen, as OpenSSL neither writes nor reads it'
    return None
