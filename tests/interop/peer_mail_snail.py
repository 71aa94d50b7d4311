# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""s-nail, which is OpenSSL's PKCS7 functions."""
import os
import re

import mime
from peer import Kind, Peer, Refused, Result

OURS, THEIRS = '@example.com', '@example.org'
VERIFIED = b'Message 1 was verified successfully'
COMMANDS = b'verify 1\n%s 1 "%s"\nxit\n'
# What decrypt adds to the header.
DECRYPTED = b'\nX-Decoding-Date: '


class SNail(Peer):
    name = 's-nail'

    def version(self):
        if not self.place.has('s-nail'):
            return None
        _, out, err = self.place.run(['s-nail', '-:/', '-V'])
        m = re.search(r'v(\d+(\.\d+)+)', (out + err).decode())
        return 's-nail ' + m.group(1)

    def setup(self):
        self.options = ['s-nail', '-:/', '-S', 'v15-compat=y', '-S',
                        'ttycharset=utf-8', '-S', 'smime-ca-no-defaults',
                        '-S', 'smime-ca-file=' + self.place.put(
                            'root.pem', self.material.root)]
        for p in self.material.people:
            self.place.put(p + '.crt', self.material.cert(p))
            if p.endswith(THEIRS):
                self.place.put(p + '.pem', self.material.key(p) +
                               self.material.cert(p))

    def known(self, cell):
        if cell.is_encrypted:
            if cell.cipher.endswith('gcm'):
                return 's-nail: PKCS7 has no AuthEnvelopedData'
            ways = {cell.transport(t) for t in cell.to}
            if 'ecdh' in ways:
                return 's-nail: PKCS7 has no KeyAgreeRecipientInfo'
            if 'oaep' in ways:
                return 's-nail: PKCS7_decrypt has no OAEP'
        if cell.is_opaque:
            return 's-nail: verifies multipart/signed only'
        if cell.is_signed and cell.signature == 'pss':
            return 's-nail: PKCS7_verify has no PSS'
        return None

    def read(self, message, cell, who):
        box = self.place.put('box', b'From alice@example.com Sat Nov 21 '
                             b'10:00:00 2026\n' + message + b'\n')
        out = self.place.path('out')
        self.place.remove('out')
        _, said, err = self.place.run(
            self.options + ['-#', '-S', 'smime-sign-cert=' +
                            self.place.path(who + '.pem'), '-R', '-f', box],
            COMMANDS % (b'decrypt' if cell.is_encrypted else b'copy',
                        out.encode()))
        said += err
        if not os.path.exists(self.place.root + out):
            raise Refused(said)
        content = message_of(self.place.get('out'))
        # s-nail compares the certificate's address with From.
        got = Result(content, None, DECRYPTED in content,
                     cell.sender if VERIFIED in said else None, said)
        if mime.kind(content) == 'clear':
            got.content, _ = mime.clear_parts(content)
        return got

    def kinds(self):
        for who in ('alice', 'bob'):
            yield Kind('clear ' + who, who + THEIRS, (), message='text')
        yield Kind('encrypted', None, ('alice' + OURS,), message='text')
        # Of several recipients each gets a message of its own.
        for to in ('alice', 'dave'):
            yield Kind('clear+enc ' + to, 'alice' + THEIRS, [to + OURS],
                       message='text')

    def write(self, kind, entity):
        sender = kind.signer or 'alice' + THEIRS
        argv = self.options + [
            '-S', 'mta=test://' + self.place.path('sent'),
            '-S', 'from=' + sender,
            '-S', 'sendcharsets=utf-8', '-S', 'sendwait', '-s', 'written']
        if kind.signer:
            argv += ['-S', 'smime-sign', '-S', 'smime-sign-digest=sha256',
                     '-S', 'smime-sign-cert=' + self.place.path(
                         sender + '.pem')]
        for t in kind.to:
            argv += ['-S', 'smime-encrypt-%s=%s' % (
                t, self.place.path(t + '.crt')),
                '-S', 'smime-cipher-%s=aes256' % t]
        self.place.remove('sent')
        self.place.must(argv + list(kind.to or ['alice' + OURS]),
                        mime.lf(mime.body(entity)))
        return message_of(self.place.get('sent'))


def message_of(box):
    """The only message of an mbox."""
    return re.sub(rb'\n\n\Z', b'\n', box.split(b'\n', 1)[-1])


PEERS = [SNail]
