# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""gpgsm, offline, with an agent of its own."""
import re

import gnupg
import mime
from material import KEYS, is_ec
from peer import Kind, Peer, Refused, first_line

THEIRS, OURS = '@example.org', '@example.com'


class Gpgsm(Peer):
    name = 'gpgsm'

    def version(self):
        if not self.place.has('gpgsm'):
            return None
        line = first_line(self.place.must(['gpgsm', '--version']))
        return 'gpgsm ' + line.split()[-1]

    def setup(self):
        self.homes = {}
        for p in self.material.people:
            if p.endswith(THEIRS):
                self.homes[p] = gnupg.home(self.place, self.material, p,
                                           [p])

    def known(self, cell):
        return gnupg.known(self.place, cell)

    def known_write(self, kind):
        boxes = kind.to + ((kind.signer,) if kind.signer else ())
        if any(map(is_ec, boxes)) and gnupg.is_old(self.place):
            return gnupg.NO_EC
        return None

    def _run(self, who, *argv):
        """As one of the mailboxes. -> status lines and errors. The exit
        status may tell of recipients that are others."""
        _, out, err = self.place.run(
            ['gpgsm', '--batch', '--yes', '--no-tty', '--status-fd', '1',
             '--disable-policy-checks', *argv],
            env={'GNUPGHOME': self.homes[who]})
        return out + err

    def decrypt(self, der, who):
        self.place.remove('out')
        said = self._run(who, '--output', self.place.path('out'),
                         '--decrypt', self.place.put('in', der))
        if b'DECRYPTION_OKAY' not in said:
            raise Refused(said)
        return self.place.get('out')

    def verify(self, der, content):
        path = self.place.put('in', der)
        self.place.remove('out')
        if content is None:
            argv = ['--output', self.place.path('out'), '--verify', path]
        else:
            argv = ['--verify', path, self.place.put('content', content)]
        said = self._run('alice' + THEIRS, *argv)
        if not re.search(rb'\[GNUPG:\] TRUST_FULLY', said):
            raise Refused(said)
        m = re.search(rb'\[GNUPG:\] VALIDSIG ([0-9A-F]+)', said)
        if b'GOODSIG' not in said or not m:
            raise Refused(said)
        if content is None:
            content = self.place.get('out')
        return content, self.material.of_sha1(m.group(1).decode())

    def _make(self, who, entity, *argv):
        self.place.remove('out')
        said = self._run(who, '--output', self.place.path('out'), *argv,
                         self.place.put('in', entity))
        try:
            return self.place.get('out')
        except FileNotFoundError:
            raise Refused(said) from None

    def kinds(self):
        return KINDS

    def write(self, kind, entity):
        who = kind.signer or 'alice' + THEIRS
        if kind.signer:
            how = ['-u', kind.signer, '--digest-algo', kind.more['digest']]
            if kind.more['opaque']:
                entity = mime.opaque(self._make(who, entity, *how, '--sign'),
                                     'signed-data')
            else:
                entity = mime.clear(
                    entity, self._make(who, entity, *how, '--detach-sign'),
                    kind.more['digest'].replace('SHA', 'sha-'))
        if kind.to:
            argv = ['--encrypt', '--cipher-algo', kind.more['cipher']]
            for p in kind.to:
                argv += ['-r', self.material.sha1(self.material.cert(p))]
            entity = mime.opaque(self._make(who, entity, *argv),
                                 'enveloped-data')
        return mime.message(who, kind.to or ['alice' + OURS], entity)


def kind(name, signer=None, to='', digest='SHA256', opaque=False,
         cipher='AES256', **more):
    return Kind(name, signer and signer + THEIRS,
                [t + OURS for t in to.split()], digest=digest,
                opaque=opaque, cipher=cipher, **more)


def _kinds():
    for key in KEYS:
        # It does not shorten a digest for a longer curve.
        digest = 'SHA384' if key == 'carol' else 'SHA256'
        yield kind('clear ' + KEYS[key], key, digest=digest)
        yield kind('opaque ' + KEYS[key], key, digest=digest, opaque=True)
        yield kind('encrypted ' + KEYS[key], to=key)
        yield kind('clear+enc ' + KEYS[key], key, key, digest=digest)
    yield kind('clear text', 'alice', message='text')
    for digest in ('SHA384', 'SHA512'):
        yield kind('clear ' + digest.lower(), 'alice', digest=digest)
    for cipher in ('AES', 'AES192', '3DES'):
        yield kind('encrypted ' + cipher.lower(), to='alice', cipher=cipher)
    yield kind('encrypted mixed', to='alice bob carol dave')
    yield kind('opaque+enc', 'alice', 'bob', opaque=True)


KINDS = list(_kinds())
PEERS = [Gpgsm]
