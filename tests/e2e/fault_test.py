#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""A50: every allocation, libcrypto call, file and socket operation fails
once, in the command and in each process of the daemon, while a canary
travels. Whatever comes of it: sealed, or 4xx, or 5xx that says why; the canary
is never on the wire, in a log or in a file. FAULT_STEPS says how many places
are tried of each kind (make soak tries many)."""
import collections
import contextlib
import itertools
import os
import sqlite3
import threading
import time

import failing
import lib
import protocol
from lib import check, equal, test

ALICE, BOB = 'alice@example.com', 'bob@example.org'
CANARY = b'canary-of-the-fault-test'
MESSAGE = (b'From: alice@example.com\r\nTo: bob@example.org\r\n'
           b'Subject: x\r\nMessage-ID: <1@example.com>\r\n\r\n' + CANARY +
           b'\r\n')
STEPS = int(os.environ.get('FAULT_STEPS', '16'))
# What a command may end with: done; refused; later; configuration or input that
# could not be read; no memory to begin.
STATUS = {0, 69, 75, 78, 71, 74, 64, 70}

COUNT = itertools.count()

a = b = sealed = None
base = ''


def setup():
    global a, b, base, sealed
    failing.need()
    lib.limits()
    base = lib.temporary()
    a, b = lib.two_sites(base, 'outbound : sign, encrypt\n'
                         'inbound : decrypt, verify\n')
    _, sealed, _ = a.cmd('seal', '--from', ALICE, '--to', BOB, data=MESSAGE)
    check(CANARY not in sealed and b'pkcs7' in sealed, 'not sealed', sealed)


def places(n):
    """Some of n calls, always the first ones."""
    if n <= STEPS:
        return range(1, n + 1)
    first = min(10, STEPS // 2)
    step = (n - first) / (STEPS - first)
    return list(range(1, first + 1)) + [
        first + int(step * (i + 1)) for i in range(STEPS - first)]


def in_files(*folders):
    """Files below the folders in which the canary is."""
    found = []
    for folder in folders:
        for d, _, files in os.walk(folder):
            for f in files:
                with contextlib.suppress(OSError), \
                        open(os.path.join(d, f), 'rb') as x:
                    if CANARY in x.read():
                        found.append(os.path.join(d, f))
    return found


def command(kind, site, verb, message):
    """Each sampled call fails once. -> {(status, what came out): count}"""
    argv = [lib.POSTSEAL, '-c', site.conf, verb, '--from', ALICE, '--to',
            BOB]
    seen = collections.Counter()
    with failing.Faults() as f:
        f.order(kind)
        lib.run(argv, message, env=f.env())
        for at in places(f.seen):
            f.order(kind, at=at)
            status, out, err = lib.run(argv, message, env=f.env())
            what = 'clear' if CANARY in out else \
                'sealed' if b'pkcs7' in out else 'nothing'
            where = '%s %d (%s): ' % (kind, at, f.what)
            check(status in STATUS, where + 'status %d' % status, err)
            check(CANARY not in err, where + 'on stderr', err)
            check(status == 0 or what == 'nothing', where + 'output with '
                  'status %d' % status, out)
            seen[status, what] += 1
    return seen


@test
def A50_sealing_fails_closed_whatever_call_fails():
    """
    attack A50: each allocation, libcrypto call, read, write fails once while
      a message that must be encrypted is sealed
    verdict: sealed, or nothing comes out; never the message in clear
    """
    for kind in ('alloc', 'crypto', 'files', 'disk'):
        seen = command(kind, a, 'seal', MESSAGE)
        check(not any(what == 'clear' for _, what in seen), 'in clear: ' +
              kind, seen)
        check(seen[0, 'sealed'] > 0 or kind == 'alloc', 'never sealed', seen)
    equal(in_files(base), [], 'files with the canary')


@test
def A50_no_memory_is_no_reason_for_plaintext():
    """
    attack A50: memory runs out while a message is sealed for which the rules
      allow plaintext where there is no certificate
    verdict: sealed, or deferred; not in clear, for there is a certificate
    """
    a.set_rules('outbound : sign or plain, encrypt or plain\n'
                'inbound : decrypt, verify\n')
    seen = command('alloc', a, 'seal', MESSAGE)
    check(not any(what == 'clear' for _, what in seen), 'in clear', seen)
    check(seen[75, 'nothing'] > 0, 'nothing was deferred', seen)
    a.set_rules('outbound : sign, encrypt\ninbound : decrypt, verify\n')


@test
def A50_what_arrives_sealed_is_opened_or_stays_sealed():
    for kind in ('alloc', 'crypto', 'files', 'disk'):
        seen = command(kind, b, 'open', sealed)
        check(seen[0, 'clear'] > 0 or kind == 'alloc', 'never opened', seen)
    equal(in_files(base), [], 'files with the canary')


# ---- the daemon ----

class Answer:
    """What a message came to: the code that its client would be told, and
    everything that was said on the way."""

    def __init__(self, said):
        self.said = said
        last, text = said[-1]
        self.text = text if last == b'y' else b''
        self.code = int(text[:3]) if last == b'y' else \
            {b'r': 550, b't': 451}.get(last, 250)

    def body(self):
        return b''.join(data for cmd, data in self.said if cmd == b'b')


def attempt(message):
    """-> the answer to one message, or None: the filter hung up (the mail
    server defers then: default_action=tempfail, F=T). No two messages are
    the same: two deaths on the same octets would be final."""
    message += b'%d\r\n' % next(COUNT)
    mta = None
    try:
        mta = protocol.MTA(a.socket)
        mta.client()
        mta.macros(b'M', **{'i': '1', '{auth_authen}': ALICE})
        early = mta.envelope(ALICE, BOB)
        return Answer([early] if early else mta.message(message))
    except (EOFError, OSError):
        return None
    finally:
        if mta is not None:
            mta.close()


def works():
    def one():
        x = attempt(MESSAGE)
        return x is not None and x.code == 250
    lib.wait_for(one, lambda: 'a message to be sealed again; log:\n' +
                 a.milter_log()[-2000:], 120, 0.1)


def judge(x, where):
    """Sealed, 4xx, 5xx with words, or hung up. -> which"""
    if x is None:
        return 'gone'
    check(not any(CANARY in data for _, data in x.said), where + 'in clear',
          x.said)
    if x.code == 250:
        check(x.said[-1][0] in (b'a', b'c'), where + 'discarded', x.said[-1])
        check(x.body()[:2] == b'MI', where + 'no CMS body', x.body()[:80])
        return 'sealed'
    check(x.code < 500 or b'(id ' in x.text, where + 'no reason', x.text)
    return str(x.code // 100) + 'xx'


def daemon(f, process, kind):
    works()
    f.order(kind, process=process)
    judge(attempt(MESSAGE), 'counting: ')
    # the store process writes a moment after the answer
    settle = 0.5 if process == 'store' else 0
    if process == 'store' and kind == 'alloc':
        lib.wait_for(lambda: f.seen, 'the store process to work')
    n = -1
    while n != f.seen:
        n = f.seen
        time.sleep(settle)
    seen = collections.Counter()
    for at in places(min(n, 4000)):
        f.order(kind, at=at, process=process)
        x = attempt(MESSAGE)
        time.sleep(settle)
        what = f.what
        f.stop()
        seen[judge(x, '%s %s %d (%s): ' % (process, kind, at, what))] += 1
        if x is None or x.code != 250:
            works()
    return seen


@contextlib.contextmanager
def running():
    with failing.Faults() as f:
        a.own()
        a.start(f.env())
        works()
        try:
            yield f
        finally:
            f.stop()
            a.stop()


@test
def A50_M10_each_process_of_the_daemon_fails_closed():
    """
    attack A50: calls of the worker, the keys process, the front and the store
      process fail one after the other while messages are sealed
    verdict: sealed, 4xx that heals, or 5xx that says why; never in clear
    """
    steps = max(6, STEPS // 4)
    with running() as f:
        for process, kinds in (
                ('worker', ('alloc', 'crypto', 'sockets', 'files')),
                # its death ends all workers: a second each
                ('keys', ('crypto', 'sockets', 'alloc')),
                ('front', ('alloc', 'sockets', 'disk')),
                ('store', ('alloc', 'disk', 'files'))):
            for kind in kinds:
                seen = few(steps, lambda p=process, k=kind: daemon(f, p, k))
                check(seen or kind in ('files', 'disk'),
                      'nothing was tried: %s %s' % (process, kind))
        works()
        check(CANARY.decode() not in a.milter_log(), 'in the log')
        equal(in_files(base), [], 'files with the canary')


def few(steps, do):
    global STEPS
    before, STEPS = STEPS, steps
    try:
        return do()
    finally:
        STEPS = before


@test
def A50_A54_a_full_disk_stops_mail_and_leaks_nothing():
    """Large enough for the spool to be a file."""
    large = MESSAGE + (b'x' * 70 + b'\r\n') * 30000 + CANARY + b'\r\n'
    with running() as f:
        for process in ('front', 'worker'):
            f.order('disk', at=1, stays=True, process=process)
            x = attempt(large)
            check(judge(x, 'full disk, %s: ' % process) in ('4xx', 'gone'),
                  'a full disk: ' + process, x and x.text)
            f.stop()
            works()
        equal(in_files(base), [], 'files with the canary')


@test
def A50_the_store_is_locked_and_mail_goes_on():
    """Somebody holds the database's lock for writing: what is decided does
    not wait for it, and audit records are kept or their loss is said."""
    with running():
        db = sqlite3.connect(a.path('keystore.db'), timeout=60,
                             isolation_level=None)
        db.execute('BEGIN EXCLUSIVE')
        released = threading.Timer(3, lambda: None)
        released.start()
        for _ in range(5):
            equal(judge(attempt(MESSAGE), 'locked: '), 'sealed', 'a message')
        db.execute('ROLLBACK')
        db.close()
        works()
        a.own()


@test
def A50_the_clock_jumps():
    """Years ahead, certificates have ended: 5xx that says so; back again:
    sealed. A day back: sealed or not yet valid, never in clear."""
    with running() as f:
        for jump, may in ((4000 * 86400, {'5xx'}), (-86400, {'5xx'}),
                          (60, {'sealed'})):
            f.order('clock', at=1, stays=True, jump=jump)
            x = attempt(MESSAGE)
            check(judge(x, 'jump %d: ' % jump) in may, 'jump %d' % jump,
                  x.text if x else '')
            f.stop()
            time.sleep(0.1)
            works()


if __name__ == '__main__':
    lib.main(setup)
