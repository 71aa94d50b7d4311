#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: long
"""What happens when something dies, is reloaded, or is very large; and that
private keys are where they belong."""
import contextlib
import os
import re
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE, BOB = 'alice@example.com', 'bob@example.org'
DAVE = 'dave@example.com'
CANARY = b'CANARY-91c2-in-clear'
OUTSIDE = '192.0.2.7'
RULES_A = '''
outbound to @example.org : sign, encrypt
outbound                 : sign or plain, encrypt or plain
inbound                  : decrypt, verify
'''
a = b = None


def setup():
    global a, b
    lib.limits()
    lib.need_postfix()
    base = lib.temporary()
    a, b = lib.two_sites(base, RULES_A, extra='sign-for alice@example.com '
                         'network 127.0.0.1/32')
    a.must('ca', 'issue', '--email', DAVE, '--algorithm', 'ec:p256')
    a.own()
    # sink.example: signed mail is read from there, without a milter.
    a.postfix.routes['sink.example'] = b.postfix.plain
    a.postfix.configure({}, a.socket)
    b.postfix.users.append('sink')
    b.postfix.extra['virtual_alias_maps'] = \
        'inline:{ { sink@sink.example = sink@example.org } }'
    b.postfix.extra['virtual_alias_domains'] = 'sink.example'
    b.postfix.configure({}, b.socket)
    for s in (a, b):
        s.start()
        s.postfix.start()


def fresh():
    lib.wait_for(lambda: not a.postfix.queued() and not b.postfix.queued(),
                 'empty queues')
    for s in (a, b):
        for user in s.postfix.users:
            s.postfix.empty(user)


def text(words, sender=ALICE, to=BOB):
    return ('From: %s\nTo: %s\nSubject: x\n\n%s\n' %
            (sender, to, words)).encode()


def send(message, to=BOB, login=ALICE, port=None):
    return lib.send(port or a.postfix.port, login, to, message, login=login,
                    addr=OUTSIDE)


def nothing_in_clear():
    found = a.postfix.grep(CANARY)
    check(not found, 'in clear', found)


def works(words='works'):
    """A message goes through; the processes may need a moment."""
    fresh()

    def attempt():
        code, _ = send(text(words))
        return code == 250
    lib.wait_for(attempt, 'a message to be accepted', every=0.3)
    got = b.postfix.wait_mail('bob')[0]
    check(words.encode() in lib.leaves(got)[0][1], 'text lost', got)


def workers():
    return a.processes('worker')


@test
def a_message_goes_through_before_anything_dies():
    works()
    check(workers(), 'no process calls itself worker', *[
        '%d %s' % (p, lib.title(p)) for p in a.processes()])
    check(a.processes('keys'), 'no process calls itself keys')


@test
def M14_milter_killed_in_mid_message_and_nothing_leaves():
    fresh()
    c = lib.Client(a.postfix.port, ALICE, OUTSIDE)
    equal(c.mail(ALICE)[0], 250, 'MAIL')
    equal(c.rcpt(BOB)[0], 250, 'RCPT')
    equal(c.docmd('DATA')[0], 354, 'DATA')
    c.send(lib.crlf(text(CANARY.decode())))
    c.send(b'x' * 70 + b'\r\n' * 2)
    time.sleep(0.3)
    for p in [a.child.pid] + a.processes():
        with contextlib.suppress(OSError):
            os.kill(p, signal.SIGKILL)
    c.send(b'the rest\r\n.\r\n')
    code, said = c.getreply()
    check(400 <= code < 500, 'reply %d' % code, said)
    c.close()
    # While it is down, everything waits: also local submission.
    code, said = send(text(CANARY.decode()))
    check(400 <= code < 500, 'reply %d' % code, said)
    a.postfix.sendmail(['-t', '-f', ALICE], text(CANARY.decode()))
    time.sleep(1.5)
    check(not b.postfix.boxes('bob'), 'delivered without the milter')
    found = [f for f in a.postfix.grep(CANARY) if '/maildrop/' not in f[0]]
    check(not found, 'in clear', found)
    a.child.wait()
    a.child = None
    with contextlib.suppress(OSError):
        os.unlink(a.socket)
    a.start()
    # What waited goes now, sealed and opened again.
    got = b.postfix.wait_mail('bob', seconds=120)[0]
    check(CANARY in lib.leaves(got)[0][1], 'not what was sent', got)
    nothing_in_clear()


def with_workers(n):
    a.stop()
    a.workers = n
    a.set_conf()
    a.start()


def deaths():
    return a.milter_log().count('event=worker-death')


def die_once(message):
    stopped = a.wait_workers()
    for p in stopped:
        os.kill(p, signal.SIGSTOP)
    said = []
    t = threading.Thread(target=lambda: said.append(send(message)))
    t.start()
    try:
        lib.wait_for(lambda: a.metric('workers_busy') or said,
                     'a worker to be chosen')
    finally:
        for p in stopped:
            os.kill(p, signal.SIGKILL)
        t.join()
    return said[0]


def die_on(message):
    """Let the workers die on this message. -> the reply. Who was dead before
    he had it is none that died on it."""
    before = deaths()
    for _ in range(5):
        fresh()
        said = die_once(message)
        if deaths() > before:
            break
        check(said[0] == 250, 'no worker died', said)
    equal(deaths(), before + 1, 'deaths on the message')
    return said


@test
def a_dead_worker_costs_451_and_a_second_death_on_the_same_bytes_is_554():
    # One: the next that is given the message must not die, too.
    with_workers(1)
    fresh()
    # As every mail program writes them; else Postfix adds its own to each
    # attempt, and the bytes are not the same.
    message = (b'Message-ID: <deadly@example.com>\n'
               b'Date: Sat, 21 Nov 2026 10:30:00 +0000\n' +
               text(CANARY.decode()))
    code, said = die_on(message)
    check(code == 451, 'first death: %d' % code, said)
    works()
    fresh()
    code, said = die_on(message)
    equal((code, said[:5]), (554, '5.6.0'), said)
    check(not b.postfix.boxes('bob'), 'delivered')
    nothing_in_clear()
    with_workers(2)
    works()


@test
def M7_A50_keys_process_killed_and_nothing_leaves_in_clear():
    """attack A50: the process that holds the keys is gone in the
    middle of mail that must be sealed
    verdict: 451, and nothing in clear reaches the next hop"""
    fresh()
    for p in a.processes('keys'):
        os.kill(p, signal.SIGKILL)
    for _ in range(5):
        code, said = send(text(CANARY.decode()))
        check(code == 250 or 400 <= code < 500, 'reply %d' % code, said)
    time.sleep(0.5)
    nothing_in_clear()
    works()


@test
def M18_reload_under_load_loses_nothing():
    fresh()
    n, said = 40, []

    def session(k):
        c = lib.Client(a.postfix.port, ALICE, OUTSIDE)
        for i in range(n):
            said.append(c.submit(ALICE, BOB, text('s%d-%d.' % (k, i))))
        c.quit()
    threads = [threading.Thread(target=session, args=(k,))
               for k in range(4)]
    for t in threads:
        t.start()
    for _ in range(10):
        time.sleep(0.15)
        a.child.send_signal(signal.SIGHUP)
    for t in threads:
        t.join()
    bad = [s for s in said if s[0] != 250]
    equal(len(said), 4 * n, 'replies')
    check(not bad, '%d of %d failed' % (len(bad), len(said)), *bad[:5])
    got = b.postfix.wait_mail('bob', 4 * n, 240)
    words = {re.search(rb's\d-\d+\.', lib.leaves(m)[0][1]).group(0)
             for m in got}
    equal(len(words), 4 * n, 'different messages')
    check(a.child.poll() is None, 'the milter ended')


@test
def a_reload_brings_new_rules():
    fresh()
    a.set_rules('outbound to bob@example.org : refuse "closed today"\n' +
                RULES_A)
    a.child.send_signal(signal.SIGHUP)
    lib.wait_for(lambda: 'closed today' in send(text('x'))[1],
                 'the new rule to hold', every=0.3)
    a.set_rules('this is no rule\n')
    a.child.send_signal(signal.SIGHUP)
    lib.wait_for(lambda: 'kept=old' in a.milter_log(),
                 'the new rules to be refused')
    check('closed today' in send(text('x'))[1],
          'a bad file replaced a good one')
    a.set_rules(RULES_A)
    a.child.send_signal(signal.SIGHUP)
    lib.wait_for(lambda: send(text('x'))[0] == 250, 'the old rules',
                 every=0.3)


def blocks_hup(pid):
    with contextlib.suppress(OSError), open('/proc/%d/status' % pid,
                                            encoding='ascii') as f:
        mask = re.search(r'SigBlk:\s*([0-9a-f]+)', f.read())
        return mask is not None and int(mask.group(1), 16) & 1
    return False


@test
def M18_a_reload_while_it_starts_waits_until_it_has_started():
    a.stop()
    before = a.milter_log().count('event=started')
    starting = threading.Thread(target=a.start)
    starting.start()
    # as soon as it would not end by it
    lib.wait_for(lambda: a.child is not None and blocks_hup(a.child.pid),
                 'the parent', every=0.001)
    a.child.send_signal(signal.SIGHUP)
    starting.join()
    lib.wait_for(lambda: a.milter_log().count('event=started') > before,
                 'the start')
    lib.wait_for(lambda: 'event=generation id=2' in a.milter_log().rsplit(
        'event=started', 1)[1], 'the reload')
    works()


@test
def A35_two_senders_with_keys_of_different_kinds_each_their_own():
    fresh()
    n = 50 if lib.SANITIZER else 250
    said = []

    def session(who):
        c = lib.Client(a.postfix.port, who, OUTSIDE)
        for i in range(n):
            said.append(c.submit(who, 'sink@sink.example',
                                 text('%d from %s.' % (i, who), who,
                                      'sink@sink.example')))
        c.quit()
    threads = [threading.Thread(target=session, args=(w,))
               for w in (ALICE, DAVE, ALICE, DAVE)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    bad = [s for s in said if s[0] != 250]
    check(not bad, '%d failed' % len(bad), *bad[:5])
    got = b.postfix.wait_mail('sink', 4 * n, 300)
    equal(len(got), 4 * n, 'mails')
    right, names = {ALICE: 0, DAVE: 0}, {}
    root = lib.root_certificate(a)
    with tempfile.TemporaryDirectory() as d:
        signer = os.path.join(d, 'signer.pem')
        for m in got:
            who = lib.header(m, 'From')[0]
            status, out, err = lib.run(
                ['openssl', 'cms', '-verify', '-CAfile', root, '-signer',
                 signer], m)
            equal(status, 0, lib.show(err))
            check(('from %s.' % who).encode() in out, 'wrong text', out)
            with open(signer, 'rb') as f:
                pem = f.read()
            if pem not in names:
                names[pem] = lib.run(['openssl', 'x509', '-noout', '-ext',
                                      'subjectAltName'], pem)[1]
            check(('email:' + who).encode() in names[pem],
                  'signed by another', who, names[pem])
            right[who] += 1
    equal(right, {ALICE: 2 * n, DAVE: 2 * n}, 'right signatures')


def memory(pid):
    """The readable, private memory of a process, piece by piece."""
    with open('/proc/%d/maps' % pid, encoding='ascii') as maps, \
            open('/proc/%d/mem' % pid, 'rb', 0) as mem:
        for line in maps:
            span, mode = line.split()[:2]
            if not mode.startswith('r') or '[v' in line:
                continue
            start, end = (int(x, 16) for x in span.split('-'))
            while start < end:
                n = min(end - start, 16 << 20)
                try:
                    mem.seek(start)
                    yield mem.read(n)
                except OSError:
                    pass
                # Pieces overlap, so that nothing is cut in two.
                start += n if n == end - start else n - 4096


def secrets(site, email):
    """The secret numbers of a key: {name: octets}."""
    p12 = site.path(email + '.p12')
    site.must('key', 'export', '--email', email, '--out', p12,
              '--password-file', site.path('password'))
    pem = lib.must_run(['openssl', 'pkcs12', '-in', p12, '-passin',
                        'pass:test', '-nodes', '-nocerts'])
    told = lib.must_run(['openssl', 'pkey', '-noout', '-text'],
                        pem).decode()
    found = {}
    for name in ('privateExponent', 'prime1', 'prime2', 'exponent1',
                 'exponent2', 'coefficient', 'priv'):
        m = re.search(r'^%s:\s*\n((?:\s+[0-9a-f:]+\n)+)' % name, told,
                      re.MULTILINE)
        if m:
            x = bytes.fromhex(re.sub(r'[\s:]', '', m.group(1)))
            found['%s %s' % (email, name)] = x.lstrip(b'\0')
    check(found, 'no numbers in the key of ' + email, told)
    return found


@test
def A55_no_private_key_octet_in_front_and_workers():
    """attack A55: whoever takes over a process that parses mail
    looks for private keys in its memory
    verdict: no octet of one is there"""
    if lib.SANITIZER:
        raise lib.Skip('a sanitizer changes what lies in memory')
    fresh()
    needles = {}
    for who in (ALICE, DAVE):
        for name, x in secrets(a, who).items():
            needles[name + ', big-endian'] = x
            needles[name + ', little-endian'] = x[::-1]
    # Heavy use: many messages both ways, also some that fail.
    for i in range(60):
        send(text('n %d' % i))
        send(text('n %d' % i, DAVE), login=DAVE)
        send(text('x', ALICE, 'nobody@example.org'), 'nobody@example.org')
        lib.send(b.postfix.port, BOB, ALICE, text('r', BOB, ALICE),
                 login=BOB, addr=OUTSIDE)
    a.postfix.wait_mail('alice', 60, 240)
    keys = a.processes('keys')
    check(keys, 'no keys process')
    others = [p for p in a.processes() if p not in keys]
    for p in others:
        for piece in memory(p):
            for name, x in needles.items():
                check(x not in piece, '%s in process %d (%s)' %
                      (name, p, lib.title(p)))
    # The search is not blind: where the keys are, it finds them.
    seen = set()
    for p in keys:
        for piece in memory(p):
            seen.update(n for n, x in needles.items() if x in piece)
    check(any('prime1' in n for n in seen) and
          any(DAVE in n for n in seen),
          'not found even in the keys process', *sorted(seen))


@test
def two_hundred_megabytes_within_32_MiB_a_process():
    if lib.SANITIZER:
        raise lib.Skip('a sanitizer needs more memory')
    # Who looked for keys in the memory of processes brought all pages of
    # their libraries into it.
    for s in (a, b):
        s.stop()
        s.start()
    fresh()
    size = 200 << 20
    line = (b'The quick brown fox jumps over the lazy dog, 0123456789.\r\n')
    c = lib.Client(a.postfix.port, ALICE, OUTSIDE, 600)
    equal(c.mail(ALICE)[0], 250, 'MAIL')
    equal(c.rcpt(BOB)[0], 250, 'RCPT')
    equal(c.docmd('DATA')[0], 354, 'DATA')
    c.send(b'From: alice@example.com\r\nTo: bob@example.org\r\n'
           b'Subject: large\r\n\r\n')
    block, sent = line * 2000, 0
    while sent < size:
        c.send(block)
        sent += len(block)
    c.send(b'.\r\n')
    code, said = c.getreply()
    equal(code, 250, lib.show(said))
    c.quit()
    lib.wait_for(lambda: b.postfix.boxes('bob'), 'the delivery', 300, 0.5)
    for s in (a, b):
        for p in s.processes():
            peak = lib.status_kib(p, 'VmHWM')
            check(peak <= 32 << 10, '%s: %d KiB at its peak' %
                  (lib.title(p), peak))
    path = b.postfix.boxes('bob')[0]
    with open(path, 'rb') as f:
        head = f.read(20000)
        check(b'smime=pass' in head, 'no pass', head[:3000])
        f.seek(0)
        found = sum(block.count(line[:40]) for block in iter(
            lambda: f.readline(), b''))
    equal(found, sent // len(line), 'lines')
    fresh()


@test
def M45_more_than_the_waiting_room_gets_451():
    a.stop()
    a.set_conf()
    with open(a.conf, encoding='utf-8') as f:
        conf = f.read()
    with open(a.conf, 'w', encoding='utf-8') as f:
        f.write(conf.replace('workers           2',
                             'workers           1\n    waiting 2'))
    a.own()
    a.start()
    fresh()
    stopped = a.wait_workers(1)
    for p in stopped:
        os.kill(p, signal.SIGSTOP)
    said = []
    threads = [threading.Thread(
        target=lambda: said.append(send(text(CANARY.decode()))))
        for _ in range(8)]
    for t in threads:
        t.start()
    lib.wait_for(lambda: len(said) >= 3, 'some to be turned away')
    for p in stopped:
        os.kill(p, signal.SIGCONT)
    for t in threads:
        t.join()
    codes = sorted(s[0] for s in said)
    check(451 in codes and 250 in codes, 'replies', *said)
    check(all('4.3.2' in s[1] for s in said if s[0] == 451), 'replies',
          *said)
    equal(set(codes), {250, 451}, 'codes')
    nothing_in_clear()


@test
def it_ends_when_told_and_leaves_nothing_running():
    below = lib.children(a.child.pid)
    check(below, 'no processes')
    equal(a.stop(), 0, 'exit status')
    left = [p for p in below if lib.alive(p)]
    check(not left, 'still there', left)


if __name__ == '__main__':
    lib.main(setup)
