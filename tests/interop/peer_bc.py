# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Bouncy Castle with its own MIME (bcmail and javax.mail): BcServe.java."""
import json
import os
import re
import subprocess

import mime
from peer import Kind, Peer, Refused, Result

OURS, THEIRS = '@example.com', '@example.org'
HERE = os.path.dirname(os.path.abspath(__file__))
JARS = '/usr/share/java'
SOURCES = ('BcKeys.java', 'BcRead.java', 'BcWrite.java', 'BcServe.java')


class BouncyCastle(Peer):
    name = 'bc'

    def version(self):
        jars = os.listdir(self.place.root + JARS) \
            if os.path.isdir(self.place.root + JARS) else []
        found = [m.group(1) for j in jars
                 if (m := re.fullmatch(r'bcmail-([\d.]+)\.jar', j))]
        if not found or not self.place.has('javac'):
            return None
        return 'Bouncy Castle ' + found[0]

    def setup(self):
        path = ':'.join(['.'] + [
            '%s/%s.jar' % (JARS, j) for j in (
                'bcmail', 'bcpkix', 'bcutil', 'bcprov', 'javax.mail',
                'javax.activation')])
        for s in SOURCES:
            with open(os.path.join(HERE, s), 'rb') as f:
                self.place.put(s, f.read())
        self.place.must(['javac', '-cp', path, *SOURCES])
        self.place.put('root.crt', self.material.root)
        for p in self.material.people:
            self.place.put(p + '.crt', self.material.cert(p))
            if p.endswith(THEIRS):
                self.place.put(p + '.p12', self.material.p12(p))

        argv, env = self.place.command(
            ['java', '-XX:+UseSerialGC', '-cp', path, 'BcServe'])
        self.child = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE)

    def close(self):
        self.child.stdin.close()
        self.child.wait()
        self.child.stdout.close()

    def known(self, cell):
        if cell.form == 'clear' and cell.message == 'nested':
            return 'Bouncy Castle: takes a line that begins with an outer ' \
                'delimiter for it'
        return None

    def _ask(self, octets, what, *words):
        """-> (octets, answer)"""
        self.place.put('in', octets)
        self.child.stdin.write(' '.join(
            [what, 'in', 'out', *words]).encode() + b'\n')
        self.child.stdin.flush()
        answer = self.child.stdout.readline()
        if not answer.startswith(b'{'):
            raise Refused(answer)
        return self.place.get('out'), json.loads(answer)

    def read(self, message, cell, who):
        content, found = self._ask(mime.crlf(message), 'read', who)
        return Result(content, None, 'nveloped' in found['layers'],
                      found['signer'] or None)

    def known(self, cell):
        if cell.message == 'nested' and cell.form.startswith('clear'):
            return 'JavaMail, below Bouncy Castle, takes a boundary that ' \
                'begins as that of the outer multipart for the outer one'
        return None

    def kinds(self):
        yield from signed()
        yield from encrypted()
        yield Kind('opaque+enc', 'alice' + THEIRS, ('alice' + OURS,), steps=[
            *sign('opaque', 'alice', 'SHA256withRSA'),
            *encrypt('aes-256-gcm', 'oaep', ['alice'])])
        yield Kind('clear compressed', 'alice' + THEIRS, (), steps=[
            *sign('clear', 'alice', 'SHA256withRSA'), 'compress'])
        yield Kind('compressed', None, (), steps=['compress'])

    def write(self, kind, entity):
        out, _ = self._ask(entity, 'write', *kind.more['steps'])
        return mime.message(kind.signer or 'alice' + THEIRS,
                            kind.to or ('alice' + OURS,), out)


def sign(form, who, signature):
    return ['sign', form, who + THEIRS, signature]


def encrypt(cipher, transport, to):
    return ['encrypt', cipher, transport, ','.join(t + OURS for t in to)]


def signed():
    for form in ('clear', 'opaque'):
        for who, signature in (
                ('alice', 'SHA256withRSA'), ('alice', 'SHA512withRSA'),
                ('dave', 'SHA256withRSAandMGF1'),
                ('alice', 'SHA384withRSAandMGF1'),
                ('bob', 'SHA256withECDSA'), ('carol', 'SHA384withECDSA')):
            yield Kind('%s %s' % (form, signature), who + THEIRS, (),
                       steps=sign(form, who, signature))


def encrypted():
    for cipher in ('aes-128-cbc', 'aes-256-cbc', 'aes-128-gcm',
                   'aes-256-gcm'):
        for to in (['alice'], ['bob'], ['alice', 'bob', 'carol', 'dave']):
            for transport in ('pkcs1', 'oaep'):
                if to == ['bob'] and transport == 'oaep':
                    continue
                yield Kind('encrypted %s %s %s' % (
                    ' '.join(to), cipher, transport), None,
                    [t + OURS for t in to],
                    steps=encrypt(cipher, transport, to))
    yield Kind('clear+enc', 'bob' + THEIRS, ['alice' + OURS], steps=[
        *sign('clear', 'bob', 'SHA256withECDSA'),
        *encrypt('aes-256-cbc', 'pkcs1', ['alice'])])
    yield Kind('encrypted 3des-cbc', None, ['alice' + OURS],
               steps=encrypt('3des-cbc', 'pkcs1', ['alice']))
    yield Kind('encrypted old-aes-256-gcm', None, ['alice' + OURS],
               expect='GCM outside AuthEnvelopedData',
               steps=encrypt('old-aes-256-gcm', 'pkcs1', ['alice']))


PEERS = [BouncyCastle]
