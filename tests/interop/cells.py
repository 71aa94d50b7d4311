# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""What we write in the interoperability run: one line a cell."""
import base64
import os
import re

from material import KEYS, OURS, THEIRS, is_ec, lib

# DER of the object identifiers that the outer CMS object must show.
OID = {
    'sha-256': '608648016503040201',
    'sha-384': '608648016503040202',
    'sha-512': '608648016503040203',
    'pkcs1': '2a864886f70d010101',
    'pss': '2a864886f70d01010a',
    'ecdsa': '2a8648ce3d0403',
    'oaep': '2a864886f70d010107',
    'ecdh': '2b8104010b01',
    'aes-128-cbc': '60864801650304 0102',
    'aes-128-gcm': '60864801650304 0106',
    'aes-256-cbc': '60864801650304 012a',
    'aes-256-gcm': '60864801650304 012e',
}


class Cell:
    """form: clear, opaque, encrypted, clear+enc, opaque+enc; signer and to
    are names of material.KEYS; profile is one that comes with the
    program, words are those of one of the cell's own, protect is said by
    the rule (None: nothing is, which is copy)."""

    def __init__(self, name, form, signer='alice', to='alice', words='',
                 profile=None, digest='sha-256', pss=False,
                 cipher='aes-256-cbc', oaep=False, message='parts',
                 protect=None):
        self.name, self.form = name, form
        self.words, self.profile = words, profile
        self.digest, self.cipher = digest, cipher
        self.message, self.protect = message, protect
        self.is_signed = form != 'encrypted'
        self.is_encrypted = form.endswith(('encrypted', 'enc'))
        self.is_opaque = form.startswith('opaque')
        self.sender = signer + '@' + OURS
        self.to = [t + '@' + THEIRS for t in to.split()]
        self.pss, self.oaep = pss, oaep
        self.signature = 'ecdsa' if is_ec(signer) else \
            'pss' if pss else 'pkcs1'

    def transport(self, who):
        """How the key reaches one of the recipients."""
        if is_ec(who):
            return 'ecdh'
        return 'oaep' if self.oaep else 'pkcs1'

    def is_hidden(self):
        """Is the subject elsewhere than in the header (S150)?"""
        return self.protect in ('baseline', 'shy') and \
            self.is_signed and self.is_encrypted

    def rule(self):
        out = [] if self.form == 'encrypted' else ['sign']
        if self.is_opaque:
            out.append('opaque')
        if self.is_encrypted:
            out.append('encrypt')
        if self.words or self.profile:
            out.append('profile ' + (self.profile or 'run'))
        if self.protect:
            out.append('protect-headers ' + self.protect)
        return ', '.join(out)

    def outer(self):
        """Names of OID that the outer object must have."""
        if self.is_encrypted:
            return [self.cipher] + sorted({self.transport(t)
                                           for t in self.to})
        return [self.digest, self.signature]


def oid(name):
    return bytes.fromhex(OID[name])


TEXT = '''Lieber Bob,

schöne Grüße aus Köln, 10 € für dich.  
From here on it gets difficult.
.
.hidden dot
blanks at the end   
tab at the end\t
- - 
-- 
Alice
'''
HEAD = '''From: Alice Example <%s>
To: %s
Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= from the run
Date: Sat, 21 Nov 2026 10:30:00 +0000
Message-ID: <run@example.com>
MIME-Version: 1.0
'''
PLAIN = '''Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

'''
PARTS = '''Content-Type: multipart/mixed; boundary="outer"

--outer
%s%s
--outer
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: 8bit

<p>Schöne Grüße</p>
--outer
Content-Type: application/octet-stream; name="octets.bin"
Content-Disposition: attachment; filename="octets.bin"
Content-Transfer-Encoding: base64

%s--outer--
'''


def entity(kind):
    """The MIME entity of a message: 'text', 'parts', or the name of a
    sample; LF line ends."""
    if kind == 'text':
        return (PLAIN + TEXT).encode()
    if kind != 'parts':
        return sample(kind)
    octets = base64.encodebytes(bytes(range(256)) * 4).decode()
    return (PARTS % (PLAIN, TEXT, octets)).encode()


def sample(name):
    """Of samples/messages, what is not about the mail but the body."""
    with open(os.path.join(lib.SAMPLES, 'messages', name + '.eml'),
              'rb') as f:
        head, body = f.read().split(b'\n\n', 1)
    fields = re.findall(rb'(?im)^Content-[^\n]*(?:\n[ \t][^\n]*)*', head)
    return b'\n'.join(fields) + b'\n\n' + body


def message(cell):
    return (HEAD % (cell.sender, ', '.join(cell.to))).encode() + \
        entity(cell.message)


SAMPLES = ('html', 'latin1', 'nested', 'forwarded', 'long-line',
           'empty-body', 'no-final-newline')
FORMS = ('clear', 'opaque', 'encrypted', 'clear+enc', 'opaque+enc')


def _cells():
    # Every form with every key, as the shipped default writes it.
    for key in KEYS:
        for form in FORMS:
            yield Cell('%s %s' % (form, KEYS[key]), form, key, key,
                       digest='sha-384' if key == 'carol' else 'sha-256')
    # A single text, whose octets are the whole entity.
    for form in FORMS:
        yield Cell(form + ' text', form, message='text')
    # What else people send.
    for name in SAMPLES:
        for form in ('clear', 'opaque+enc'):
            yield Cell('%s %s.eml' % (form, name), form, message=name)
    # Digests.
    for digest in ('sha-384', 'sha-512'):
        for key in ('alice', 'bob'):
            yield Cell('clear %s %s' % (KEYS[key], digest), 'clear', key,
                       words='digest ' + digest, digest=digest)
    # Recipients of several kinds in one message.
    yield Cell('encrypted mixed', 'encrypted', to='alice bob carol dave')
    yield Cell('clear+enc mixed', 'clear+enc', to='alice bob')
    # PSS.
    for digest in ('sha-256', 'sha-384', 'sha-512'):
        for form in ('clear', 'opaque'):
            yield Cell('%s pss %s' % (form, digest), form,
                       words='signature pss, digest ' + digest, pss=True,
                       digest=digest)
    yield Cell('clear rsa:3072 pss', 'clear', 'dave',
               words='signature pss', pss=True)
    # Ciphers and key transport.
    for cipher in ('aes-128-cbc', 'aes-256-cbc', 'aes-128-gcm',
                   'aes-256-gcm'):
        for to in ('alice', 'bob', 'carol'):
            yield Cell('encrypted %s %s' % (KEYS[to], cipher), 'encrypted',
                       to=to, words='cipher ' + cipher, cipher=cipher)
    for to in ('alice', 'dave'):
        yield Cell('encrypted %s oaep' % KEYS[to], 'encrypted', to=to,
                   words='key-transport oaep', oaep=True)
    yield Cell('encrypted mixed oaep aes-128-gcm', 'encrypted',
               to='alice bob', words='key-transport oaep, '
               'cipher aes-128-gcm', oaep=True, cipher='aes-128-gcm')
    # Profiles.
    for name, more in (
            ('compat', {}),
            ('modern', {'cipher': 'aes-256-gcm', 'oaep': True}),
            ('edi-energy', {'cipher': 'aes-128-gcm', 'oaep': True,
                            'pss': True}),
            ('legacy', {'cipher': 'aes-128-cbc'})):
        for form in ('clear', 'clear+enc', 'opaque+enc'):
            for key in ('alice', 'bob'):
                yield Cell('%s %s %s' % (form, KEYS[key], name), form, key,
                           key, profile=name, **more)
    # Header protection; copy is what all cells above have.
    for protect in ('off', 'baseline', 'shy'):
        for form in ('clear', 'opaque', 'clear+enc', 'opaque+enc'):
            for kind in ('text', 'parts'):
                yield Cell('%s hp-%s %s' % (form, protect, kind), form,
                           protect=protect, message=kind)


CELLS = list(_cells())
