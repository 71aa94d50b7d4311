# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""NSS by its cmsutil: the library of Thunderbird."""
import re

import mime
from material import KEYS, is_ec
from peer import Kind, Peer, Refused, numbers

THEIRS, OURS = '@example.org', '@example.com'
NO_ECDH = 'NSS 3.87 does not encrypt for EC'
NO_ECDH_READ = 'NSS 3.87 reads no message that has an EC recipient, ' \
    'whosever key it holds'


class Nss(Peer):
    name = 'nss'

    def version(self):
        """cmsutil has no option for it: the package, or the library."""
        if not self.place.has('cmsutil'):
            return None
        status, out, _ = self.place.run(
            ['dpkg-query', '-W', '-f', '${Version}', 'libnss3-tools'])
        m = re.search(r'(\d+:)?(\d[\d.]*\d)', out.decode())
        return 'NSS ' + (m.group(2) if status == 0 and m else '(unknown)')

    def setup(self):
        self.number = numbers(self.version())
        self.place.put('root.pem', self.material.root)
        for p in self.material.people:
            self.place.put(p + '.crt', self.material.cert(p))
            self.place.put(p + '.p12', self.material.p12(p))
        for p in self.material.people:
            if p.endswith(THEIRS):
                self._make_db(p)

    def _make_db(self, who):
        """One key, and the certificates of all on our side."""
        self.place.put(who + '/empty', b'')
        db = ['-d', 'sql:' + who]
        self.place.must(['certutil', '-N', *db, '--empty-password'])
        self.place.must(['certutil', '-A', *db, '-n', 'ca', '-t', ',C,',
                         '-i', 'root.pem'])
        self.place.must(['pk12util', *db, '-W', 'test', '-i', who + '.p12'])
        for p in self.material.people:
            if p.endswith(OURS):
                self.place.must(['certutil', '-A', *db, '-n', p, '-t', ',,',
                                 '-i', p + '.crt'])

    def _decode(self, who, der, *argv):
        """-> (status, what it says of the layers, content)"""
        self.place.remove('out')
        status, said, err = self.place.run(
            ['cmsutil', '-D', '-d', 'sql:' + who, '-h', '1', '-i',
             self.place.put('in', der), '-o', 'out', *argv])
        return status, said + err, self.place.get('out')

    def decrypt(self, der, who):
        status, said, octets = self._decode(who, der)
        m = re.search(rb'(?ms)\A(.*?level=\S+; type=data; ?\n)(.*)', octets)
        if status != 0 or not m or b'envelopedData' not in m.group(1):
            raise Refused(said + octets[:500])
        return m.group(2)

    def verify(self, der, content):
        more = [] if content is None else \
            ['-c', self.place.put('content', content)]
        status, said, octets = self._decode('alice' + THEIRS, der,
                                            *more)
        m = re.search(rb'(?ms)\A(.*?level=\S+; type=data; ?\n)(.*)', octets)
        if status != 0 or not m:
            raise Refused(said + octets[:500])
        signers = re.findall(
            rb'signer\d+\.id="([^"]*)"; signer\d+\.status=(\w+)', m.group(1))
        if [s[1] for s in signers] != [b'GoodSignature']:
            raise Refused(m.group(1))
        # What it names is the common name, here the mailbox.
        return (m.group(2) if content is None else content,
                signers[0][0].decode())

    def _make(self, who, entity, *argv):
        self.place.remove('out')
        self.place.must(['cmsutil', '-d', 'sql:' + who, '-i',
                         self.place.put('in', entity), '-o', 'out', *argv])
        return self.place.get('out')

    def known(self, cell):
        if not cell.is_encrypted:
            return None
        if cell.cipher.endswith('gcm'):
            return 'I7: NSS has no AuthEnvelopedData'
        if self.is_old() and any(map(is_ec, cell.to)):
            return NO_ECDH_READ
        if self.is_old() and cell.transport(cell.who) == 'oaep':
            return 'NSS 3.87 has no OAEP'
        return None

    def is_old(self):
        return self.number < (3, 100)

    def kinds(self):
        return KINDS

    def known_write(self, kind):
        if self.is_old() and any(map(is_ec, kind.to)):
            return NO_ECDH
        return None

    def write(self, kind, entity):
        who = kind.signer or 'alice' + THEIRS
        if kind.signer:
            how = ['-S', '-N', kind.signer, '-H', kind.more['digest'],
                   *kind.more['sign'].split()]
            if kind.more['opaque']:
                entity = mime.opaque(self._make(who, entity, *how),
                                     'signed-data')
            else:
                entity = mime.clear(
                    entity, self._make(who, entity, *how, '-T'),
                    kind.more['digest'].replace('SHA', 'sha-'))
        if kind.to:
            entity = mime.opaque(
                self._make(who, entity, '-E', '-r', ','.join(kind.to)),
                'enveloped-data')
        return mime.message(who, kind.to or ['alice' + OURS], entity)


def kind(name, signer=None, to='', digest='SHA256', opaque=False, sign='-G',
         **more):
    return Kind(name, signer and signer + THEIRS,
                [t + OURS for t in to.split()], digest=digest,
                opaque=opaque, sign=sign, **more)


def _kinds():
    for key in KEYS:
        yield kind('clear ' + KEYS[key], key)
        yield kind('opaque ' + KEYS[key], key, opaque=True)
        yield kind('encrypted ' + KEYS[key], to=key)
        yield kind('clear+enc ' + KEYS[key], key, key)
    yield kind('clear text', 'alice', message='text')
    for digest in ('SHA384', 'SHA512'):
        yield kind('clear ' + digest.lower(), 'alice', digest=digest)
    yield kind('clear all attributes', 'alice',
               sign='-G -P -Y alice' + THEIRS)
    yield kind('clear no attributes asked', 'alice', sign='')
    yield kind('encrypted mixed', to='alice bob carol dave')
    yield kind('opaque+enc', 'alice', 'bob', opaque=True)


KINDS = list(_kinds())
PEERS = [Nss]
