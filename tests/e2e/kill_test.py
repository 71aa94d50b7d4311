#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""Somebody is killed (-9) at every step of a message for five recipients in
three groups, and the client tries again as an MTA does: nobody gets nothing,
nobody reads what was to be sealed, and nobody gets it twice, unless the next
hop died between taking it and saying so (RFC 1047). That is counted, by us
and here, and both counts are the same.

KILL_RUNS: how many runs; the default is each step once."""
import contextlib
import glob
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE = 'alice@example.com'
OUTSIDE = '192.0.2.7'
SEALED, SIGNED, PLAIN = ('bob', 'carol'), ('dave',), ('erin', 'frank')
EVERYBODY = SEALED + SIGNED + PLAIN
RULES = '''
outbound to bob@example.org carol@example.org : sign, encrypt
outbound to dave@example.org                  : sign
outbound                                      : pass
inbound                                       : decrypt, verify
'''

# What the relay sees of a copy, in this order. 'accepted': the next hop has
# it on its disk and has not said so yet; 'told': it has said so to us.
STEPS = ('connect', 'ehlo', 'mail', 'rcpt', 'data', 'text', 'end',
         'accepted', 'reply', 'told')
VICTIMS = ('front', 'worker', 'store', 'target', 'postfix')
COPIES = 2

a = relay = target = None


# ---- the next hop: a process of its own ----

def be_target(port, folder):
    """An SMTP server; a message is on the disk before it says 250. While the
    file 'pause' is there it waits between the two."""
    s = socket.create_server(('127.0.0.1', port))
    n = 0
    while True:
        c, _ = s.accept()
        n += 1
        threading.Thread(target=take, args=(c, folder, n),
                         daemon=True).start()


def take(c, folder, n):
    with c, c.makefile('rb') as f:
        c.sendall(b'220 target\r\n')
        rcpts, lines = [], []
        for line in f:
            word = line[:4].upper()
            if word == b'EHLO':
                c.sendall(b'250-target\r\n250-DSN\r\n250-8BITMIME\r\n'
                          b'250 SMTPUTF8\r\n')
                continue
            if word == b'RCPT':
                rcpts.append(re.search(rb'<(\w+)@', line).group(1).decode())
            if word == b'DATA':
                c.sendall(b'354 go\r\n')
                lines = whole(f)
                if lines is None:
                    return
                keep(folder, n, rcpts, lines)
                rcpts = []
            c.sendall(b'221 bye\r\n' if word == b'QUIT' else b'250 ok\r\n')


def whole(f):
    lines = []
    for line in f:
        if line == b'.\r\n':
            return lines
        lines.append(line)
    return None


def keep(folder, n, rcpts, lines):
    name = os.path.join(folder, '%d-%d-%s' % (os.getpid(), n,
                                              '+'.join(rcpts)))
    with open(name + '.new', 'wb') as f:
        f.write(b''.join(lines))
        os.fsync(f.fileno())
    os.rename(name + '.new', name + '.mail')
    pause = os.path.join(folder, 'pause')
    if os.path.exists(pause):
        with open(os.path.join(folder, 'accepted'), 'wb'):
            pass
        end = time.monotonic() + 120
        while os.path.exists(pause) and time.monotonic() < end:
            time.sleep(0.01)


class Target:
    def __init__(self, folder):
        self.dir, self.port = folder, lib.free_port()
        os.makedirs(folder)
        self.child = None
        lib.at_exit(self.kill)

    def start(self):
        self.child = subprocess.Popen([sys.executable,
                                       os.path.abspath(__file__), '--target',
                                       str(self.port), self.dir],
                                      stdin=subprocess.DEVNULL)
        lib.wait_for(self.answers, 'the target to answer')

    def answers(self):
        with contextlib.suppress(OSError), socket.create_connection(
                ('127.0.0.1', self.port), 30) as s:
            return s.recv(100).startswith(b'220')
        return False

    def kill(self):
        if self.child is not None:
            self.child.kill()
            self.child.wait()
            self.child = None

    def file(self, name):
        return os.path.join(self.dir, name)

    def mails(self):
        """[(recipients, octets)]"""
        out = []
        for p in glob.glob(self.file('*.mail')):
            with open(p, 'rb') as f:
                out.append((os.path.basename(p)[:-5].split('-', 2)[2]
                            .split('+'), f.read()))
        return out

    def empty(self):
        for p in glob.glob(self.file('*')):
            os.unlink(p)


# ---- between us and it ----

class Relay:
    """Octets pass; at one step of one copy something is done first."""

    def __init__(self):
        self.port = lib.free_port()
        self.sock = socket.create_server(('127.0.0.1', self.port))
        self.copy = 0
        self.at = None      # (copy, step)
        self.do = None
        self.done = threading.Event()
        lib.at_exit(self.sock.close)
        threading.Thread(target=self.run, daemon=True).start()

    def arm(self, copy, step, do):
        self.copy, self.at, self.do = 0, (copy, step), do
        self.done.clear()

    def run(self):
        while True:
            try:
                s, _ = self.sock.accept()
            except OSError:
                return
            self.copy += 1
            threading.Thread(target=self.one, args=(s, self.copy),
                             daemon=True).start()

    def step(self, copy, name):
        if self.at == (copy, name):
            self.at = None
            self.do()
            self.done.set()

    def one(self, s, copy):
        state = {'data': False, 'sent': 0, 'ended': False}
        with s, contextlib.suppress(OSError):
            self.step(copy, 'connect')
            with socket.create_connection(('127.0.0.1', target.port)) as t:
                back = threading.Thread(target=self.back,
                                        args=(t, s, copy, state))
                back.start()
                self.forth(s, t, copy, state)
                back.join()

    def forth(self, s, t, copy, state):
        with contextlib.suppress(OSError), s.makefile('rb') as f:
            for line in f:
                name = self.name(line, state)
                if name == 'end' and self.at == (copy, 'accepted'):
                    with open(target.file('pause'), 'wb'):
                        pass
                if name:
                    self.step(copy, name)
                # before it is sent: the answer may come at once
                state['ended'] = name == 'end' or state['ended']
                t.sendall(line)
                if name == 'end':
                    self.accepted(copy)
        with contextlib.suppress(OSError):
            t.shutdown(socket.SHUT_WR)

    @staticmethod
    def name(line, state):
        if state['data']:
            state['sent'] += 1
            if line == b'.\r\n':
                state['data'] = False
                return 'end'
            return 'text' if state['sent'] == 3 else None
        if line.upper().startswith(b'DATA'):
            state['data'] = True
        word = line[:4].lower().decode('ascii', 'replace')
        return word if word in STEPS else None

    def accepted(self, copy):
        if self.at != (copy, 'accepted'):
            return
        lib.wait_for(lambda: os.path.exists(target.file('accepted')),
                     'the target to accept', every=0.01)
        self.step(copy, 'accepted')
        for name in ('pause', 'accepted'):
            with contextlib.suppress(OSError):
                os.unlink(target.file(name))

    def back(self, t, s, copy, state):
        """Until it says something after the end of a message."""
        with contextlib.suppress(OSError):
            while True:
                data = t.recv(65536)
                if not data:
                    break
                is_reply, state['ended'] = state['ended'], False
                if is_reply:
                    self.step(copy, 'reply')
                s.sendall(data)
                if is_reply:
                    self.step(copy, 'told')
        with contextlib.suppress(OSError):
            s.shutdown(socket.SHUT_RDWR)


# ---- the runs ----

def setup():
    global a, relay, target
    lib.limits()
    lib.need_postfix()
    base = lib.temporary()
    a = lib.Site(os.path.join(base, 'a'), 'example.com', RULES,
                 extra='sign-for alice@example.com network 127.0.0.1/32')
    a.must('ca', 'init', '--no-passphrase', '--permit', 'any', '--name',
           'Test CA')
    for who in (ALICE, 'bob@example.org', 'carol@example.org'):
        a.must('ca', 'issue', '--email', who, '--algorithm', 'ec:p256')
    target, relay = Target(os.path.join(base, 'target')), Relay()
    a.milter = 'reinject smtp "127.0.0.1:%d"' % relay.port
    a.set_conf()
    p = a.with_postfix()
    p.users += ['erin', 'frank']
    p.configure({}, a.socket, virtual_mailbox_domains='example.com '
                'example.org', virtual_mailbox_maps='inline:{ %s }' % ' '.join(
                    '{ %s@example.org = %s/ }' % (u, u) for u in EVERYBODY))
    a.own()
    target.start()
    a.start()
    p.start()


def pid_of(kind):
    found = a.processes('postseal-milter: ' + kind) or a.processes(kind)
    return found[0] if found else None


def kill(victim):
    if victim == 'target':
        target.kill()
    elif victim == 'postfix':
        p = a.postfix
        with contextlib.suppress(OSError):
            os.killpg(p.pid, signal.SIGKILL)
        p.pid = None
    else:
        pid = pid_of(victim)
        if pid is not None:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def revive():
    if target.child is None:
        target.start()
    if a.postfix.pid is None:
        a.postfix.start()


def message(number):
    return ('From: %s\nTo: bob@example.org, carol@example.org\n'
            'Subject: run %s\nMessage-ID: <kill-%s@example.com>\n'
            'Date: Sat, 21 Nov 2026 10:00:00 +0000\nMIME-Version: 1.0\n'
            'Content-Type: text/plain\n\nCANARY-%s\nline\nline\n' %
            (ALICE, number, number, number)).encode()


def submit(number):
    """As an MTA: again until it is told 250, in a session of its own."""
    end = time.monotonic() + 300
    while True:
        try:
            c = lib.Client(a.postfix.port, ALICE, OUTSIDE, 120)
            try:
                code, said = c.submit(ALICE, ['%s@example.org' % u
                                              for u in EVERYBODY],
                                      message(number))
            finally:
                c.close()
        except Exception as e:  # whatever a dead server looks like
            code, said = 0, str(e)
        if code == 250:
            return
        check(code < 500, 'run %s: refused' % number, said)
        check(time.monotonic() < end, 'run %s: never taken' % number, said,
              a.milter_log()[-3000:])
        revive()
        time.sleep(0.1)


def queued():
    """Messages that Postfix has; without the execute bit it was killed
    before it had all."""
    found = []
    for f in a.postfix.queue_files():
        try:
            if os.stat(f).st_mode & 0o100:
                found.append(f)
        except OSError:
            found.append(f)  # on its way somewhere: look again
    return found


def delivered(number):
    """{user: [octets]} of all that anybody got."""
    found = {u: a.postfix.mails(u) for u in EVERYBODY}
    for rcpts, data in target.mails():
        for u in rcpts:
            found[u].append(data)
    return found


def possible():
    """Duplicates that we named in the log."""
    return len(re.findall(r'event=duplicate-possible .*recipient=',
                          a.milter_log()))


def counted():
    """The process of the metrics may be a moment late."""
    return lib.wait_for(ask_metrics, 'the metrics')[0]


def ask_metrics():
    with contextlib.suppress(OSError), \
            urllib.request.urlopen('http://127.0.0.1:%d/metrics' %
                                   a.metrics, timeout=60) as r:
        return (int(re.search(r'postseal_duplicates_possible_total (\d+)',
                              r.read().decode()).group(1)),)
    return None


counts = [0]  # of milters that were stopped


def anew():
    """Who dies often is started later and later; that is no part of this."""
    counts[0] += counted()
    a.stop()
    a.start()


def judge(number, victim, step, named):
    """What each got, and how many got it twice."""
    where = 'run %s: %s killed at %s' % (number, victim, step)
    lib.wait_for(lambda: all(len(x) >= 1 for x in
                             delivered(number).values()),
                 lambda: where + ': somebody gets nothing: %s\n%s' %
                 ({u: len(x) for u, x in delivered(number).items()},
                  a.milter_log()[-3000:]))
    lib.wait_for(lambda: not queued(), lambda: where +
                 ': not delivered: %s' % queued())
    twice = 0
    for u, mails in delivered(number).items():
        for data in mails:
            check(('CANARY-%s' % number).encode() not in data or
                  u not in SEALED, where + ': in clear for ' + u)
        check(len(mails) <= 2, where + ': %s got %d' % (u, len(mails)))
        twice += len(mails) - 1
    if twice:
        check(victim == 'target' and step == 'accepted',
              where + ': %d duplicates' % twice, a.milter_log()[-4000:])
    check(twice <= named, where + ': %d duplicates, %d were named' %
          (twice, named), a.milter_log()[-3000:])
    return twice


def empty():
    for u in a.postfix.users:
        a.postfix.empty(u)
    target.empty()


def one_run(number, victim, copy, step):
    empty()
    relay.arm(copy, step, lambda: kill(victim))
    before = possible()
    submit(number)
    if step == 'told':  # its thread may come after our answer
        lib.wait_for(relay.done.is_set, 'the kill at told')
    relay.at = None
    revive()
    named = possible() - before
    if victim in ('front', 'store'):
        anew()
    twice = judge(number, victim, step, named)
    if victim == 'target' and step == 'accepted':
        equal(twice, named, 'run %s: duplicates, and those that were named' %
              number)
    return twice


def plan():
    every = [(v, c, s) for s in STEPS for v in VICTIMS
             for c in range(1, COPIES + 1)]
    runs = int(os.environ.get('KILL_RUNS', '0'))
    if runs:
        dice = random.Random(int(os.environ.get('KILL_SEED', '1')))
        return every + [dice.choice(every) for _ in range(
            max(0, runs - len(every)))]
    # the short form: each step and each victim, each copy now and then; a
    # start of Postfix is slow
    return [x for i, x in enumerate(every) if x[1] == 1 + i // 2 % 2 and
            (x[0] != 'postfix' or x[2] in ('mail', 'end', 'reply'))]


@test
def M24_killed_at_every_step_everybody_gets_it_once():
    duplicates = 0
    runs = plan()
    for number, (victim, copy, step) in enumerate(runs):
        start = time.monotonic()
        duplicates += one_run(number, victim, copy, step)
        if os.environ.get('KILL_SHOW'):
            print('# %d %s copy %d %s: %.1f s' % (
                number, victim, copy, step, time.monotonic() - start),
                flush=True)
    print('# %d runs, %d duplicates, %d named' % (len(runs), duplicates,
                                                  possible()), flush=True)
    equal(counts[0] + counted(), possible(), 'what the metrics count')


if __name__ == '__main__':
    if sys.argv[1:2] == ['--target']:
        be_target(int(sys.argv[2]), sys.argv[3])
    sys.exit(lib.main(setup))
