# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""notmuch, which is GMime with gpgsm."""
import json

import gnupg
import mime
from peer import Peer, Refused, Result, first_line

THEIRS = '@example.org'
CONFIG = '[database]\npath=%s\n[user]\nprimary_email=alice@example.org\n'


class Notmuch(Peer):
    name = 'notmuch'
    keeps_headers = False

    def version(self):
        if not (self.place.has('notmuch') and self.place.has('gpgsm')):
            return None
        return first_line(self.place.must(['notmuch', '--version']))

    def setup(self):
        self.homes = {p: gnupg.home(self.place, self.material, p, [p])
                      for p in self.material.people if p.endswith(THEIRS)}
        self.place.put('.notmuch-config', (
            CONFIG % self.place.path('mail')).encode())

    def close(self):
        for path in self.homes.values():
            gnupg.close(self.place, path)

    def known(self, cell):
        if cell.is_encrypted and cell.cipher.endswith('gcm'):
            return 'GMime: no smime-type authEnveloped-data'
        return gnupg.known(self.place, cell)

    def read(self, message, cell, who):
        env = {'GNUPGHOME': self.homes[who]}
        self.place.run(['rm', '-rf', 'mail'])
        self.place.put('mail/new/one', message)
        self.place.must(['notmuch', 'new'], env=env)
        show = ['notmuch', 'show', '--verify', '--decrypt=true',
                '--exclude=false']
        status, out, err = self.place.run(
            show + ['--format=json', '*'], env=env)
        if status != 0:
            raise Refused(err)
        got = Result(said=err + out)
        part = json.loads(out)[0][0][0]['body'][0]
        while is_layer(part):
            self._layer(part, got)
            part = part['content'][0]
        octets = self.place.must(
            show + ['--format=raw', '--part=%d' % part['id'], '*'], env=env)
        # Of a leaf it is the octets, of what has parts the entity.
        got.content = octets if isinstance(part.get('content'), list) else \
            mime.parts([(part['content-type'], octets)])
        return got

    def _layer(self, part, got):
        if 'encstatus' in part:
            if part['encstatus'][0]['status'] != 'good':
                raise Refused(got.said)
            got.decrypted = True
        if 'sigstatus' in part:
            got.signer = self._signer(part['sigstatus'], got.said)

    def _signer(self, found, said):
        # A user is named only when the chain is trusted.
        if len(found) != 1 or found[0]['status'] != 'good' or \
                'userid' not in found[0]:
            raise Refused(said)
        return self.material.of_sha1(found[0]['fingerprint'])


def is_layer(part):
    return part['content-type'] in ('multipart/signed',
                                    'application/pkcs7-mime') and \
        isinstance(part.get('content'), list)


PEERS = [Notmuch]
