# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""What is measured: a test CA, a milter for mail that leaves example.com and
one for mail that comes to example.org, a null milter beside them; messages,
always the same; and what processes have used."""
import contextlib
import os
import pwd
import random
import base64
import signal
import subprocess
import time

from base import (BUILD, KEYS_USER, MILTER, MILTER_USER, POSTSEAL, Failed,
                  alive, at_exit, check, children, must_run, temporary, title,
                  wait_for)
from figures import octets, option, progress, words

MFLOAD = os.path.join(BUILD, 'tests/bench/mfload')
NULLMILTER = os.path.join(BUILD, 'tests/bench/nullmilter')
CRYPTOBASE = os.path.join(BUILD, 'tests/bench/cryptobase')
GROWBASE = os.path.join(BUILD, 'tests/bench/growbase')
CORES = os.cpu_count() or 1
TICK = 1000 / os.sysconf('SC_CLK_TCK')

CONF = '''local-domains    {domain}
keystore         sqlite "{store}/keystore.db"
secret           file "{store}/secret"
rules            "{rules}"
authserv-id      mx.{domain}
spool            "{spool}"
max-message-size 600M
administrator    postmaster@{domain}
sign-for         @example.com network 127.0.0.0/8
milter {{
    listen            "unix:{socket}" mode 0666
    workers           {workers}
    outbound-networks 127.0.0.0/8
    user              {user}
    keys-user         {keys}
}}
'''

RULES = {
    'out': '''outbound to @example.net                  : sign
outbound to @*.rsa.example @*.ec.example  : encrypt
outbound from bob@example.com             : encrypt
outbound                                  : sign, encrypt
inbound                                   : pass
''',
    'in': '''outbound : pass
inbound  : decrypt, verify
'''}

PEOPLE = (('alice@example.com', 'rsa:2048'), ('carol@example.com', 'ec:p256'),
          ('bob@example.org', 'ec:p256'), ('dave@example.org', 'rsa:2048'))

TEXT = 'Some words that stand for the text of a letter.'


class Operation:
    """One of the things that the gateway does to a message. source: the
    operation that makes the input; bare: its name for cryptobase."""

    def __init__(self, title_, side, sender, to, source=None,
                 does='replaced'):
        self.title, self.side, self.sender = title_, side, sender
        self.to, self.source, self.does = to, source, does

    def arguments(self):
        out = ['--from', self.sender]
        for t in [self.to] if isinstance(self.to, str) else self.to:
            out += ['--rcpt', t]
        if self.side == 'in':
            return out + ['--client', '192.0.2.1']
        return out + ['--client', '127.0.0.1', '--auth',
                      self.sender.split('@')[0]]


ALICE, BOB, CAROL = 'alice@example.com', 'bob@example.com', 'carol@example.com'
TO_RSA, TO_EC = 'dave@example.org', 'bob@example.org'
OPERATIONS = {
    'sign-rsa': Operation('sign, RSA-2048', 'out', ALICE,
                          'carol@example.net'),
    'sign-ec': Operation('sign, P-256', 'out', CAROL, 'bob@example.net'),
    'encrypt-rsa': Operation('encrypt to RSA-2048', 'out', BOB, TO_RSA),
    'encrypt-ec': Operation('encrypt to P-256', 'out', BOB, TO_EC),
    'both-rsa': Operation('sign + encrypt, RSA, to RSA', 'out', ALICE,
                          TO_RSA),
    'both-ec': Operation('sign + encrypt, RSA, to P-256', 'out', ALICE,
                         TO_EC),
    'open-rsa': Operation('open, RSA-2048', 'in', BOB, TO_RSA,
                          'encrypt-rsa'),
    'open-ec': Operation('open, P-256', 'in', BOB, TO_EC, 'encrypt-ec'),
    'openboth-ec': Operation('open + verify, P-256, RSA', 'in', ALICE, TO_EC,
                             'both-ec'),
    'verify-rsa': Operation('verify, RSA-2048', 'in', ALICE, TO_EC,
                            'sign-rsa', 'edited'),
}


def chosen():
    names = words('OPERATIONS', ' '.join(OPERATIONS))
    for n in names:
        if n not in OPERATIONS:
            raise Failed('no operation %s' % n)
    return names


# ---- messages ----

def head(sender, size, to='undisclosed-recipients:;'):
    return ('From: %s\nTo: %s\nSubject: Figures of the third quarter\n'
            'Date: Sat, 21 Nov 2026 10:00:00 +0000\n'
            'Message-ID: <bench-%s@example.com>\nMIME-Version: 1.0\n' %
            (sender, to, size)).encode()


def text(n):
    """Lines of a letter, n octets at least."""
    return ((TEXT + '\n') * (n // (len(TEXT) + 1) + 1)).encode()


def write_message(path, sender, size, to='undisclosed-recipients:;'):
    """Small ones are text, large ones have an attachment. Always the same:
    the random octets have a fixed seed."""
    want = octets(size)
    rnd = random.Random(1)
    with open(path, 'wb') as f:
        f.write(head(sender, size, to))
        if want < 65536:
            f.write(b'Content-Type: text/plain; charset=us-ascii\n\n')
            f.write(text(want - 300))
            return
        f.write(b'Content-Type: multipart/mixed; boundary=b1\n\n--b1\n'
                b'Content-Type: text/plain; charset=us-ascii\n\n' +
                text(1) + b'--b1\n'
                b'Content-Type: application/octet-stream; name=f.bin\n'
                b'Content-Transfer-Encoding: base64\n\n')
        left = want * 57 // 78
        while left > 0:
            n = min(left, 57 << 14)
            f.write(base64.encodebytes(rnd.randbytes(n)))
            left -= n
        f.write(b'--b1--\n')


# ---- processes ----

def family(pid):
    return [pid] + children(pid)


def used_ms(pid):
    """Processor time of a process and all below it."""
    n = 0
    for p in family(pid):
        with contextlib.suppress(OSError), \
                open('/proc/%d/stat' % p, encoding='ascii',
                     errors='replace') as f:
            field = f.read().rsplit(')', 1)[1].split()
            n += int(field[11]) + int(field[12])
    return n * TICK


_started = []


def launch(argv, log):
    """A process of ours; ended with all below it when the run ends."""
    with open(log, 'ab') as f:
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=f,
                             stderr=f, start_new_session=True)
    if not _started:
        at_exit(end_all)
    _started.append(p)
    return p


def end(p):
    """Ask for the end; it is waited for in end_all, since libmilter takes
    seconds."""
    p.below = children(p.pid) if alive(p.pid) else []
    with contextlib.suppress(OSError):
        p.send_signal(signal.SIGTERM)


def end_all():
    while _started:
        p = _started[-1]
        if not hasattr(p, 'below'):
            end(p)
        with contextlib.suppress(subprocess.TimeoutExpired):
            p.wait(10)
        for pid in [p.pid] + p.below:
            if alive(pid):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        p.wait()
        _started.pop()


# ---- the stage ----

class Milter:
    def __init__(self, stage, name, side, store):
        self.socket = stage.path('run', name)
        self.log = self.socket + '.log'
        self.side = side
        if side == 'null':
            argv = [NULLMILTER, 'replace', self.socket]
        else:
            conf = stage.write_conf(name, side, store, self.socket)
            argv = [MILTER, '-c', conf]
        self.process = launch(argv, self.log)
        self.pid = self.process.pid
        wait_for(self.listens, 'somebody to listen on %s' % self.socket, 60,
                 0.02)
        if side == 'null' and os.getuid() == 0:
            os.chmod(self.socket, 0o666)  # Postfix is another user

    def listens(self):
        if self.process.poll() is not None:
            with open(self.log, encoding='utf-8', errors='replace') as f:
                raise Failed('a milter ended: ' + f.read()[-2000:])
        return os.path.exists(self.socket)

    def end(self):
        end(self.process)


class Load:
    """What mfload said: rate and quantiles, and what its filter used."""

    def __init__(self, line, ms):
        self.rate, self.p50, self.p99, self.n = map(float, line.split())
        self.cost = ms / max(self.n, 1)


class Stage:
    def __init__(self):
        self.dir = temporary('postseal-bench')
        self.workers = option('WORKERS', 4)
        for d in ('run', 'spool', 'in', 'out'):
            os.mkdir(self.path(d))
        self.store = self.path('ca')
        self.new_store(self.store)
        self.postseal('ca', 'init', '--no-passphrase', '--permit', 'any',
                      '--pathlen', '0', '--name', 'Bench CA')
        for who, algorithm in PEOPLE:
            self.postseal('ca', 'issue', '--email', who, '--algorithm',
                          algorithm)
        self.own()
        self.serial = 0
        self.null = Milter(self, 'null', 'null', None)
        self.milter = {}

    def path(self, *names):
        return os.path.join(self.dir, *names)

    # -- our programs --

    def new_store(self, folder):
        must_run([POSTSEAL, 'init', '--dir', folder, '--domain',
                  'example.com'])
        self.write_conf(os.path.basename(folder) + '-command', 'out', folder,
                        self.path('run', 'none'))

    def conf(self, folder=None):
        return self.path(os.path.basename(folder or self.store) +
                         '-command.conf')

    def write_conf(self, name, side, store, socket):
        conf, rules = self.path(name + '.conf'), self.path(side + '.rules')
        with open(rules, 'w', encoding='ascii') as f:
            f.write(RULES[side])
        lines = CONF.format(
            domain='example.com' if side == 'out' else 'example.org',
            store=store, rules=rules, spool=self.path('spool'),
            socket=socket, workers=self.workers, user=MILTER_USER,
            keys=KEYS_USER).splitlines(True)
        if os.getuid() != 0:
            lines = [x for x in lines if 'user ' not in x]
        with open(conf, 'w', encoding='ascii') as f:
            f.writelines(lines)
        return conf

    def postseal(self, *argv, folder=None, timeout=300):
        return must_run([POSTSEAL, '-c', self.conf(folder), *argv],
                        timeout=timeout)

    def own(self, folder=None):
        """Files belong to the user that the milter works as."""
        if os.getuid() != 0:
            return
        u = pwd.getpwnam(MILTER_USER)
        for top in (folder or self.store, self.path('run'),
                    self.path('spool')):
            for d, _, files in os.walk(top):
                for p in [d] + [os.path.join(d, f) for f in files]:
                    os.chown(p, u.pw_uid, u.pw_gid)
        os.chown(os.path.join(folder or self.store, 'secret'), 0, 0)

    def ours(self, side):
        """The milter of that side, started when it is first wanted."""
        if side not in self.milter:
            self.milter[side] = self.fresh(side)
        return self.milter[side]

    def fresh(self, side, store=None):
        self.serial += 1
        return Milter(self, '%s-%d' % (side, self.serial), side,
                      store or self.store)

    # -- messages --

    def message(self, name, size):
        """The input of an operation, made when it is first wanted. What is
        opened was sealed by the outgoing side."""
        op = OPERATIONS[name]
        out = self.path('in', '%s.%s' % (name, size))
        if os.path.exists(out):
            return out
        progress('%s %s: the message' % (name, size))
        if op.source is None:
            write_message(out, op.sender, size)
        else:
            self.load(op.source, self.ours('out'),
                      self.message(op.source, size), '-o', out, brief=False)
        self.prove(name, out, size)
        return out

    def forget(self, *sizes):
        """Large ones take room."""
        for f in os.listdir(self.path('in')):
            if f.rsplit('.', 1)[-1] in sizes:
                os.unlink(self.path('in', f))

    def prove(self, name, eml, size):
        """One message through our milter: is it what it should be?"""
        op, out = OPERATIONS[name], self.path('out', 'proof')
        self.load(name, self.ours(op.side), eml, '-o', out, brief=False)
        with open(out, 'rb') as f:
            got = f.read(200000).replace(b'\r\n', b'\n')
        top, _, body = got.partition(b'\n\n')
        top = b' '.join(top.split()).lower()
        clear = TEXT.encode() in body
        if name.startswith('sign'):
            good = b'multipart/signed' in top and clear
        elif op.side == 'out':
            good = b'smime-type=enveloped-data' in top and not clear
        else:
            good = clear
            if name.startswith(('openboth', 'verify')):
                good &= b'smime=pass' in top
            if name.startswith('open'):
                good &= b'enveloped-data' not in top
        os.unlink(out)
        check(good, '%s %s: the message is not what it should be' %
              (name, size), got[:1500])

    # -- load --

    def load(self, name, milter, eml, *options, brief=True):
        """Send as this operation's MTA; every message must have its
        outcome."""
        op = OPERATIONS[name] if isinstance(name, str) else name
        does = 'replaced' if milter.side == 'null' else op.does
        argv = [MFLOAD, '-s', milter.socket, *op.arguments(), '--expect',
                does, *options]
        before = used_ms(milter.pid)
        out = must_run(argv + ['--brief', eml] if brief else argv + [eml],
                       timeout=600)
        return Load(out.decode(), used_ms(milter.pid) - before) if brief \
            else None


def bare(name, size, processes=1, seconds=0.25, recipients=1):
    """-> (calls a second, ms of one) of the OpenSSL calls alone."""
    out = must_run([CRYPTOBASE, '-t', str(seconds), '-p', str(processes),
                    '-s', str(octets(size)), '-r', str(recipients), name])
    field = out.split()
    return float(field[3]), float(field[4])


def kinds(pid):
    """(kind, pid) of all processes of a milter of ours."""
    for p in family(pid):
        name = title(p)
        yield (name.split(':')[1] if name.startswith('postseal:')
               else 'parent'), p


def now():
    return time.monotonic()
