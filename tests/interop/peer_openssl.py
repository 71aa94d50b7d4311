# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""openssl cms, with its own reading of MIME."""
import mime
from material import KEYS
from peer import Kind, Peer, Refused, Result, first_line

THEIRS, OURS = '@example.org', '@example.com'
CMS = ['openssl', 'cms']


class OpenSSL(Peer):
    name = 'openssl'

    def version(self):
        if not self.place.has('openssl'):
            return None
        return ' '.join(first_line(self.place.must(
            ['openssl', 'version'])).split()[:2])

    def setup(self):
        self.root = self.place.put('root.pem', self.material.root)
        for p in self.material.people:
            self.place.put(p + '.crt', self.material.cert(p))
            if p.endswith(THEIRS):
                self.place.put(p + '.key', self.material.key(p))

    def read(self, message, cell, who):
        got = Result(content=message)
        while mime.kind(got.content) is not None:
            if mime.kind(got.content) == 'encrypted':
                got.content = self.place.must(
                    CMS + ['-decrypt', '-recip', self.place.path(
                        who + '.crt'), '-inkey', self.place.path(
                            who + '.key')], got.content)
                got.decrypted = True
            else:
                self._verify(got)
        return got

    def _verify(self, got):
        status, out, err = self.place.run(
            CMS + ['-verify', '-CAfile', self.root, '-signer',
                   self.place.path('signer.pem')], got.content)
        got.said = err
        if status != 0 or b'Verification successful' not in err:
            raise Refused(err)
        got.content = out
        pem = self.place.get('signer.pem').decode()
        mails = self.place.must(['openssl', 'x509', '-noout', '-email'],
                                pem.encode()).decode().split()
        got.signer = mails[0] if mails else None

    def kinds(self):
        return list(_kinds())

    def write(self, kind, entity):
        """Sign, then encrypt; headers by the outer one."""
        octets = mime.lf(entity)
        m = kind.more
        head = ['-from', kind.signer or 'alice' + THEIRS, '-to',
                ', '.join(kind.to) or 'alice' + OURS, '-subject', 'openssl']
        if kind.signer:
            argv = CMS + ['-sign', '-signer', kind.signer + '.crt',
                          '-inkey', kind.signer + '.key'] + m['sign']
            octets = self.place.must(argv + ([] if kind.to else head),
                                     octets)
        if kind.to:
            argv = CMS + ['-encrypt'] + m['encrypt']
            for p in kind.to:
                argv += ['-recip', p + '.crt']
                name = p.split('@')[0]
                for o in m['keyopt'].get(name, ()):
                    argv += ['-keyopt', o]
            octets = self.place.must(argv + head, octets)
        return octets


def kind(name, signer=None, to='', sign='-md sha256',
         encrypt='-aes-256-cbc', keyopt=None, expect='ok', **more):
    return Kind(name, signer and signer + THEIRS,
                [t + OURS for t in to.split()], expect, sign=sign.split(),
                encrypt=encrypt.split(), keyopt=keyopt or {}, **more)


PSS = '-md sha256 -keyopt rsa_padding_mode:pss'
OAEP = {'alice': ['rsa_padding_mode:oaep']}
OAEP_256 = {'alice': ['rsa_padding_mode:oaep', 'rsa_oaep_md:sha256']}


def _kinds():
    for key in KEYS:
        for name, form in (('clear', ''), ('opaque', ' -nodetach')):
            yield kind('%s %s' % (name, KEYS[key]), key,
                       sign='-md sha256' + form)
        yield kind('encrypted ' + KEYS[key], to=key)
        yield kind('clear+enc ' + KEYS[key], key, key)
    for form in ('clear', 'opaque'):
        yield kind(form + ' text', 'alice', message='text', sign='-md sha256'
                   + (' -nodetach' if form == 'opaque' else ''))
    for name, options in (
            ('sha-384', '-md sha384'), ('sha-512', '-md sha512'),
            ('pss', PSS + ' -keyopt rsa_pss_saltlen:32'),
            ('pss sha-512', '-md sha512 -keyopt rsa_padding_mode:pss '
             '-keyopt rsa_pss_saltlen:64'),
            ('keyid', '-md sha256 -keyid'),
            ('cades', '-md sha256 -cades'),
            ('no capabilities', '-md sha256 -nosmimecap'),
            ('opaque streamed', '-md sha256 -nodetach -stream'),
            ('opaque definite', '-md sha256 -nodetach -noindef'),
            ('opaque binary', '-md sha256 -nodetach -binary')):
        yield kind('signed ' + name, 'alice', sign=options)
    yield kind('signed pss long salt', 'alice', sign=PSS +
               ' -keyopt rsa_pss_saltlen:128', expect='salt')
    yield kind('signed sha-1', 'alice', sign='-md sha1', expect='policy')
    yield kind('signed without attributes', 'alice',
               sign='-md sha256 -noattr', expect='policy')
    # It is in the keystore.
    yield kind('signed without certificate', 'alice',
               sign='-md sha256 -nocerts')
    for cipher in ('aes128', 'aes192', 'aes256', 'des3', 'aes-128-gcm',
                   'aes-256-gcm'):
        yield kind('encrypted ' + cipher, to='alice',
                   encrypt='-' + cipher)
        yield kind('encrypted ec:p256 ' + cipher, to='bob',
                   encrypt='-' + cipher)
    yield kind('encrypted oaep sha-1', to='alice', keyopt=OAEP)
    yield kind('encrypted oaep sha-256', to='alice', keyopt=OAEP_256)
    yield kind('encrypted oaep aes-128-gcm', to='alice', keyopt=OAEP_256,
               encrypt='-aes-128-gcm')
    for md in ('sha1', 'sha256', 'sha384', 'sha512'):
        yield kind('encrypted ecdh kdf ' + md, to='bob carol',
                   keyopt={k: ['ecdh_kdf_md:' + md]
                           for k in ('bob', 'carol')})
    yield kind('encrypted keyid', to='alice bob',
               encrypt='-aes256 -keyid')
    yield kind('encrypted streamed', to='alice',
               encrypt='-aes256 -stream')
    yield kind('encrypted definite', to='alice',
               encrypt='-aes256 -noindef')
    yield kind('encrypted mixed', to='alice bob carol dave')
    yield kind('clear+enc pss oaep aes-128-gcm', 'alice', 'alice',
               PSS + ' -keyopt rsa_pss_saltlen:32', '-aes-128-gcm',
               OAEP_256)
    yield kind('opaque+enc', 'alice', 'bob', '-md sha256 -nodetach')


PEERS = [OpenSSL]
