# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Our site, one CA, and a key for each mailbox on both sides."""
import email
import hashlib
import json
import os
import re
import ssl
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'e2e'))
import lib  # noqa: E402

OURS, THEIRS = 'example.com', 'example.org'
KEYS = {'alice': 'rsa:2048', 'bob': 'ec:p256', 'carol': 'ec:p384',
        'dave': 'rsa:3072'}
RULES = '''outbound : sign or plain, encrypt or plain
inbound  : decrypt, verify
'''
OUTBOUND = 'outbound : %s\ninbound  : decrypt, verify\n'
PROFILE = 'profile run %s\n'


def is_ec(mailbox):
    return KEYS[mailbox.split('@')[0]].startswith('ec')


def read(path):
    with open(path, 'rb') as f:
        return f.read()


class Material:
    def __init__(self, folder):
        self.folder = folder
        self.people = [p + '@' + d for d in (OURS, THEIRS) for p in KEYS]
        ca = lib.Site(os.path.join(folder, 'ca'), THEIRS, RULES)
        ca.must('ca', 'init', '--no-passphrase', '--permit', 'any',
                '--pathlen', '0', '--name', 'Interoperability CA')
        self.password = ca.path('password')
        with open(self.password, 'w', encoding='ascii') as f:
            f.write('test\n')
        self.site = lib.Site(os.path.join(folder, 'ours'), OURS, RULES)
        root = lib.root_certificate(ca)
        self.root = read(root)
        self.site.must('cert', 'trust', root)
        for p in self.people:
            self._issue(ca, p)
        self._stranger()
        self._sha1 = {}
        for p in self.people:
            self._sha1[self.sha1(self.cert(p))] = p

    def _issue(self, ca, who):
        ca.must('ca', 'issue', '--email', who, '--algorithm',
                KEYS[who.split('@')[0]])
        p12 = self._path(who, 'p12')
        ca.must('key', 'export', '--email', who, '--out', p12,
                '--password-file', self.password)
        for out, options in (('key', ['-nodes', '-nocerts']),
                             ('crt', ['-nokeys', '-clcerts'])):
            text = lib.must_run(['openssl', 'pkcs12', '-in', p12, '-passin',
                                 'pass:test'] + options)
            with open(self._path(who, out), 'wb') as f:
                f.write(re.search(rb'-----BEGIN.*', text, re.DOTALL)[0])
        if who.endswith('@' + OURS):
            self.site.must('key', 'import', p12, '--email', who,
                           '--password-file', self.password)
        else:
            self.site.must('cert', 'import', self._path(who, 'crt'))

    def _stranger(self):
        """A gateway of the same names with a CA that nobody trusts."""
        self.stranger = lib.Site(os.path.join(self.folder, 'stranger'),
                                 OURS, RULES)
        self.stranger.must('ca', 'init', '--no-passphrase', '--permit',
                           'any', '--pathlen', '0', '--name', 'Other CA')
        for p in KEYS:
            self.stranger.must('ca', 'issue', '--email', p + '@' + OURS,
                               '--algorithm', KEYS[p])

    def _path(self, who, what):
        return os.path.join(self.folder, '%s.%s' % (who, what))

    def key(self, who):
        return read(self._path(who, 'key'))

    def cert(self, who):
        return read(self._path(who, 'crt'))

    def p12(self, who):
        return read(self._path(who, 'p12'))

    def p12_old(self, who):
        """As the programs of 2010 read it."""
        return lib.must_run(
            ['openssl', 'pkcs12', '-export', '-in', self._path(who, 'crt'),
             '-inkey', self._path(who, 'key'), '-passout', 'pass:test',
             '-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES',
             '-macalg', 'sha1', '-name', who])

    @staticmethod
    def sha1(pem):
        der = ssl.PEM_cert_to_DER_cert(pem.decode())
        return hashlib.sha1(der).hexdigest().upper()

    def of_sha1(self, fingerprint):
        """The mailbox of a certificate, by its SHA-1 in hexadecimal."""
        return self._sha1.get(fingerprint.upper().replace(':', ''))

    def seal(self, cell, message, site=None):
        """-> (octets or None, what it said)"""
        site = site or self.site
        rules = OUTBOUND % cell.rule()
        if cell.words:
            rules = PROFILE % cell.words + rules
        site.set_rules(rules)
        argv = ['seal', '--from', cell.sender]
        for t in cell.to:
            argv += ['--to', t]
        status, out, err = site.cmd(*argv, data=message)
        return (out if status == 0 else None), err

    def open(self, sender, to, message):
        """-> (octets or None, verdict or None, what it said)"""
        self.site.set_rules(RULES)
        out = os.path.join(self.folder, 'verdict.json')
        if os.path.exists(out):
            os.unlink(out)
        status, octets, err = self.site.cmd(
            'open', '--from', sender, '--to', to, '--json', out,
            data=message)
        verdict = None
        if os.path.exists(out):
            verdict = json.loads(read(out))
        return (octets if status == 0 else None), verdict, err


def leaves(octets):
    return lib.leaves(octets)


def subject(octets):
    return email.message_from_bytes(octets)['Subject']
