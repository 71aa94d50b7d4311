# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""The same work by programs that a script starts for each message: openssl
cms and gpgsm, and our own command, beside the milter."""
import contextlib
import json
import os
import re
import resource
import shutil
import subprocess

import figures
from base import POSTSEAL, Failed, at_exit, check, must_run, run
from figures import octets, progress, table
from stage import (ALICE, OPERATIONS, TEXT, TO_RSA, now, text, used_ms)

SIZES = ('5K', '1M')
SECONDS = 0.7
WORK = ('sign-rsa', 'encrypt-rsa', 'open-rsa', 'verify-rsa')
PASSWORD = 'test'
# The agent asks once for each key.
PINENTRY = '''#!/bin/sh
echo OK
while read -r word rest; do
	[ "$word" != GETPIN ] || echo "D %s"
	echo OK
done
''' % PASSWORD


def spend(argv, source, env=None, agent=None):
    """The same again and again, one after the other, for SECONDS.
    -> (a second, ms of processor time of one). agent: a process that does
    the work for it."""
    def used():
        u = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (u.ru_utime + u.ru_stime) * 1000 + \
            (used_ms(agent) if agent else 0)

    n, start, before = 0, now(), used()
    while n < 3 or now() - start < SECONDS:
        with open(source, 'rb') as f:
            done = subprocess.run(argv, stdin=f, env=env, check=False,
                                  stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE)
        check(done.returncode == 0, ' '.join(argv), done.stderr)
        n += 1
    return n / (now() - start), (used() - before) / n


class Material:
    """Keys and certificates as files; messages for each work."""

    def __init__(self, stage):
        self.stage, self.dir = stage, stage.path('peers')
        os.makedirs(self.dir, exist_ok=True)
        os.chmod(self.dir, 0o700)
        self.put('password', PASSWORD.encode() + b'\n')
        for who in (ALICE, TO_RSA):
            self.export(who)
        self.root = self.put('root.pem', stage.postseal(
            'cert', 'export', self.root_sha256()))

    def path(self, name):
        return os.path.join(self.dir, name)

    def put(self, name, data):
        with open(self.path(name), 'wb') as f:
            f.write(data)
        return self.path(name)

    def root_sha256(self):
        rows = json.loads(self.stage.postseal('cert', 'list', '--json'))
        return [r['sha256'] for r in rows if r['is_anchor'] and
                'Bench CA' in str(r)][0]

    def export(self, who):
        """WHO.p12, WHO.key, WHO.pem, and WHO.old for old readers."""
        p12, key, pem = (self.path(who + x) for x in ('.p12', '.key', '.pem'))
        word = 'file:' + self.path('password')
        self.stage.postseal('key', 'export', '--email', who, '--out', p12,
                            '--password-file', self.path('password'))
        open_ = ['openssl', 'pkcs12', '-in', p12, '-passin', word]
        must_run(open_ + ['-nodes', '-nocerts', '-out', key])
        must_run(open_ + ['-nokeys', '-clcerts', '-out', pem])
        must_run(['openssl', 'pkcs12', '-export', '-legacy', '-inkey', key,
                  '-in', pem, '-out', self.path(who + '.old'), '-passout',
                  word])


# ---- openssl ----

class Openssl:
    name = 'openssl cms'

    def __init__(self, material):
        self.m = material

    def make(self, work, source, out=None):
        """-> what to run; the message is its standard input"""
        argv = ['openssl', 'cms', '-binary'] + (['-out', out] if out else [])
        a, d = self.m.path(ALICE), self.m.path(TO_RSA)
        return argv + {
            'sign-rsa': ['-sign', '-signer', a + '.pem', '-inkey',
                         a + '.key', '-md', 'sha256'],
            'encrypt-rsa': ['-encrypt', '-aes-256-cbc', d + '.pem'],
            'open-rsa': ['-decrypt', '-recip', d + '.pem', '-inkey',
                         d + '.key'],
            'verify-rsa': ['-verify', '-CAfile', self.m.root],
        }[work]

    def measure(self, work, size):
        plain = self.m.path('plain.' + size)
        source = {'open-rsa': 'encrypt-rsa', 'verify-rsa': 'sign-rsa'}
        eml = plain
        if work in source:
            eml = self.m.path('openssl.' + size)
            with open(plain, 'rb') as f:
                must_run(self.make(source[work], plain, eml), f.read())
        with open(eml, 'rb') as f:
            got = must_run(self.make(work, eml), f.read())
        check((TEXT.encode() in got) == (work != 'encrypt-rsa'),
              'openssl %s' % work, got[:500])
        return spend(self.make(work, eml), eml)

    def close(self):
        pass


# ---- gpgsm ----

class Gpgsm:
    name = 'gpgsm'

    def __init__(self, material):
        if shutil.which('gpgsm') is None:
            raise FileNotFoundError('gpgsm')
        self.m = material
        # A socket's path must be short.
        self.home = material.stage.path('g')
        os.mkdir(self.home, 0o700)
        self.env = dict(os.environ, GNUPGHOME=self.home, LC_ALL='C')
        at_exit(self.close)
        os.chmod(self.put('pinentry', PINENTRY), 0o700)
        # A key on a server has no passphrase; here one that costs little.
        self.put('gpg-agent.conf', 's2k-count 65536\n'
                 'pinentry-program %s/pinentry\n' % self.home)
        self.put('gpgsm.conf', 'disable-crl-checks\ndisable-dirmngr\n')
        fingerprint = must_run(['openssl', 'x509', '-in', material.root,
                                '-noout', '-fingerprint', '-sha1']).decode()
        self.put('trustlist.txt', fingerprint.strip().split('=')[1] +
                 ' S relax\n')
        self.gpgsm('--import', material.root)
        for who in (ALICE, TO_RSA):
            self.gpgsm('--import', material.path(who + '.pem'))
            self.gpgsm('--pinentry-mode', 'loopback', '--passphrase-fd',
                       '0', '--import', material.path(who + '.old'),
                       data=PASSWORD.encode() + b'\n')
        said = must_run(['gpg-connect-agent', 'GETINFO pid', '/bye'],
                        env=self.env).decode()
        self.agent = int(re.search(r'D (\d+)', said).group(1))

    def put(self, name, data):
        path = os.path.join(self.home, name)
        with open(path, 'w', encoding='ascii') as f:
            f.write(data)
        return path

    def argv(self, *more):
        return ['gpgsm', '--batch', '--yes', '--no-tty', '--quiet', *more]

    def gpgsm(self, *more, data=b''):
        return must_run(self.argv(*more), data, env=self.env)

    def make(self, work, size):
        return self.argv(*{
            'sign-rsa': ['--local-user', ALICE, '--digest-algo', 'SHA256',
                         '--detach-sign'],
            'encrypt-rsa': ['--recipient', TO_RSA, '--cipher-algo', 'AES256',
                            '--encrypt'],
            'open-rsa': ['--decrypt'],
            'verify-rsa': ['--verify', self.m.path('gpgsm.sig'),
                           self.m.path('plain.' + size)],
        }[work])

    def measure(self, work, size):
        plain = eml = self.m.path('plain.' + size)
        if work == 'open-rsa':
            eml = self.m.path('gpgsm.der')
            with open(plain, 'rb') as f:
                self.m.put('gpgsm.der', self.gpgsm(
                    *self.make('encrypt-rsa', size)[len(self.argv()):],
                    data=f.read()))
        if work == 'verify-rsa':
            with open(plain, 'rb') as f:
                self.m.put('gpgsm.sig', self.gpgsm(
                    *self.make('sign-rsa', size)[len(self.argv()):],
                    data=f.read()))
        with open(eml, 'rb') as f:
            status, got, err = run(self.make(work, size), f.read(),
                                   env=self.env)
        good = {'open-rsa': TEXT.encode() in got,
                'verify-rsa': b'Good signature' in err}
        check(status == 0 and good.get(work, len(got) > 500),
              'gpgsm %s' % work, err)
        return spend(self.make(work, size), eml, self.env, self.agent)

    def close(self):
        with contextlib.suppress(Failed, OSError):
            run(['gpgconf', '--homedir', self.home, '--kill', 'all'])


# ---- ours ----

class Command:
    name = 'postseal command'

    def __init__(self, material):
        self.stage = material.stage
        self.conf_in = self.stage.write_conf(
            'in-command', 'in', self.stage.store,
            self.stage.path('run', 'none'))

    def measure(self, work, size):
        op = OPERATIONS[work]
        envelope = ['--from', op.sender, '--to', op.to]
        if op.side == 'out':
            argv = [POSTSEAL, '-c', self.stage.conf(), 'seal', *envelope,
                    '--auth', op.sender.split('@')[0]]
        else:
            argv = [POSTSEAL, '-c', self.conf_in, 'open', *envelope]
        return spend(argv, self.stage.message(work, size))

    def close(self):
        pass


class Milter:
    name = 'postseal-milter'

    def __init__(self, material):
        self.stage = material.stage

    def measure(self, work, size):
        got = self.stage.load(work, self.stage.ours(OPERATIONS[work].side),
                              self.stage.message(work, size), '-t',
                              str(SECONDS), '-w', '0.2')
        return got.rate, got.cost

    def close(self):
        pass


def rows(peers):
    for size in SIZES:
        for work in WORK:
            out = [OPERATIONS[work].title, size]
            for p in peers:
                progress('%s, %s, %s' % (p.name, work, size))
                out += p.measure(work, size)
            yield out


def open_peers(material):
    out = []
    for kind in (Milter, Command, Openssl, Gpgsm):
        try:
            out.append(kind(material))
        except FileNotFoundError as e:
            figures.say('%s: not there: %s' % (kind.name, e))
    return out


def run_all(stage):
    figures.heading('Peers')
    material = Material(stage)
    for size in SIZES:
        material.put('plain.' + size,
                     b'Content-Type: text/plain\r\n\r\n' +
                     text(octets(size)).replace(b'\n', b'\r\n'))
    peers = open_peers(material)
    table('One message after the other: messages a second, and ms of '
          'processor time of\none, with the agent of gpgsm. All but the '
          'milter start for each message.',
          ['operation', 'size'] + [x for p in peers
                                   for x in (p.name, 'ms')], rows(peers))
    for p in peers:
        p.close()
