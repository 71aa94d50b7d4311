#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""Clients that want to harm a running relay: slow, endless, many, not
reading, writing into its log. Others are served meanwhile, and its memory
stays within bounds."""
import contextlib
import os
import socket
import time

import relay
from base import (POSTSEAL, SANITIZER, Skip, check, equal, free_port, main,
                  run, status_kib, temporary, test, wait_for)
from relay import CA, Relay, Talk, TlsSink, need_relay

PASSWORD = 'staple 7 Battery horse'
SLOW = 60 if SANITIZER else 300
GROWTH = (200 if SANITIZER else 24) * 1024  # KiB of a worker
world = {}

FEW = '''
    listen egress {
        protocol lmtp
        on "127.0.0.1:%d" plain
        route out
        per-client 5000
        connections 5000
    }
    route out {
        host "127.0.0.1:%d" tls none
    }
'''
LISTEN = '''
    pki mx {
        cert "%(crt)s"
        key "%(key)s"
    }
    listen submission {
        protocol submission
        on "127.0.0.1:%(starttls)d" starttls-required
        on "127.0.0.1:%(implicit)d" implicit
        pki mx
        auth passwd "%(passwd)s"
        route out
        per-client 20
        connections 2000
    }
    listen egress {
        protocol lmtp
        on "127.0.0.1:%(lmtp)d" plain
        route out
        per-client 500
    }
    route out {
        host "127.0.0.1:%(sink)d" tls none
    }
'''


def set_up():
    need_relay()
    d = temporary('abuse')
    ca = CA(os.path.join(d, 'ca'))
    key, crt = ca.server('relay.example')
    sink = TlsSink(os.path.join(d, 'sink'))
    world.update(sink=sink, dir=d, passwd=os.path.join(d, 'passwd'))
    for port in ('starttls', 'implicit', 'lmtp'):
        world[port] = free_port()
    status, _, err = run([POSTSEAL, 'relay', 'passwd', world['passwd'],
                          'alice@a.example', '--password-file', '-'],
                         (PASSWORD + '\n').encode())
    if status == 64:
        raise Skip('no postseal relay passwd')
    equal(status, 0, 'relay passwd: %r' % err)
    world['relay'] = Relay(d, LISTEN % dict(
        world, key=key, crt=crt, sink=sink.port))
    world['relay'].start()
    good_client()  # what is made only once is made now


def good_client(source='127.0.9.1'):
    t = Talk(world['lmtp'], source=source, timeout=60)
    t.reply()
    said = t.mail(lmtp=True)
    check(said[-1].startswith('250'), 'a good client', said)
    t.close()


def memory():
    return {p: status_kib(p, 'VmRSS')
            for p in world['relay'].processes('worker')}


@contextlib.contextmanager
def bounded(what):
    before = memory()
    check(before, 'no workers')
    yield
    after = memory()
    equal(sorted(after), sorted(before), 'workers after ' + what)
    for p, kib in after.items():
        check(kib - before[p] < GROWTH, '%s: a worker grew by %d KiB' %
              (what, kib - before[p]))


def closed(t):
    """Whatever is left to be read, then the end."""
    with contextlib.suppress(OSError):
        while t.sock.recv(65536):
            pass
    t.close()


@test
def slow_clients_hold_up_nobody():
    """Hundreds of clients that send an octet, and then nothing:
    of a command, of a handshake, of a message:
    others are served as before, and memory is bounded
    """
    slow = []
    with bounded('slow clients'):
        for n in range(SLOW):
            source = '127.1.%d.%d' % (n // 10 // 200, n // 10 % 200 + 1)
            port = ('starttls', 'implicit', 'lmtp')[n % 3]
            t = Talk(world[port], source=source)
            with contextlib.suppress(OSError):
                t.send(('E', '\x16\x03\x01', 'LHLO x\r\nMAIL FROM:<a@b.ex'
                        )[n % 3])
            slow.append(t)
        for _ in range(10):
            good_client()
        for t in slow:
            with contextlib.suppress(OSError):
                t.send('x')
        for _ in range(10):
            good_client()
    for t in slow:
        t.close()
    good_client()


@test
def line_without_an_end():
    """One command of many megabytes, in clear and in TLS:
    refused at its cap, the connection ended, no memory for it
    """
    with bounded('endless lines'):
        for port, tls in (('starttls', False), ('implicit', True),
                          ('lmtp', False)):
            for _ in range(5):
                t = Talk(world[port], implicit=tls)
                said = t.reply()
                check(said.startswith('220'), 'greeting', said)
                with contextlib.suppress(OSError):
                    for _ in range(100):
                        t.send(b'x' * 65536)
                closed(t)
    good_client()


@test
def T11_T21_long_answers_to_auth():
    t = Talk(world['implicit'], implicit=True, source='127.0.3.1')
    t.reply()
    t.say('EHLO x.example')
    said = t.say('AUTH PLAIN ' + 'A' * 12288)
    check(said.startswith('500 5.5.6'), 'too long', said)
    t.close()
    t = Talk(world['implicit'], implicit=True, source='127.0.3.2')
    t.reply()
    t.say('EHLO x.example')
    check(t.say('AUTH LOGIN').startswith('334'), 'AUTH LOGIN')
    said = t.say('A' * 12300)
    check(said.startswith('500 5.5.6'), 'too long', said)
    t.close()
    # as long as it may be, and nobody's
    t = Talk(world['implicit'], implicit=True, source='127.0.3.3')
    t.reply()
    t.say('EHLO x.example')
    said = t.say('AUTH PLAIN ' + 'A' * 12000)
    check(said[:3] in ('501', '535'), 'long', said)
    t.close()


@test
def T11_commands_before_tls_are_counted():
    t = Talk(world['starttls'], source='127.0.3.4')
    t.reply()
    for n in range(60):
        said = t.say('NOOP')
        if not said.startswith('250'):
            break
    check(n <= 25, 'commands before TLS', n, said)
    check(said == '' or said.startswith('421'), 'then', said)


@test
def one_client_has_so_many_connections():
    """One address takes all connections:
    421 beyond its share; another one comes in
    """
    talks = [Talk(world['starttls'], source='127.0.4.1') for _ in range(60)]
    first = [t.reply()[:3] for t in talks]
    check(20 <= first.count('220') <= 40, 'taken', first)  # 2 workers
    equal(set(first), {'220', '421'}, 'answers')
    t = Talk(world['starttls'], source='127.0.4.2')
    check(t.reply().startswith('220'), 'another client')
    t.close()
    for t in talks:
        t.close()
    wait_for(lambda: let_in('127.0.4.1'), 'the first client to be let in')


def let_in(source):
    t = Talk(world['starttls'], source=source)
    said = t.reply()
    t.close()
    return said.startswith('220')


@test
def client_that_does_not_read():
    """Commands without end, and no answer is ever read:
    no more is taken from it than its answers have room; others are
    served
    """
    with bounded('clients that do not read'):
        talks = []
        for _ in range(10):
            t = Talk(world['lmtp'], source='127.0.5.1')
            t.sock.setblocking(False)
            with contextlib.suppress(OSError):
                for _ in range(200):
                    t.sock.send(b'VRFY alice\r\n' * 1000)
            talks.append(t)
        good_client()
        for t in talks:
            t.close()


@test
def recipients_and_parameters_without_end():
    """Memory by many RCPT, long parameters, many messages:
    452, 501 and the end of the connection; memory is bounded
    """
    with bounded('recipients'):
        for _ in range(3):
            t = Talk(world['lmtp'], source='127.0.6.1', timeout=60)
            t.reply()
            t.say('LHLO x.example')
            t.say('MAIL FROM:<alice@a.example>')
            codes = set()
            with contextlib.suppress(OSError):
                for n in range(3000):
                    said = t.say('RCPT TO:<bob%d@b.example>' % n)
                    codes.add(said[:3])
                    if not said or said.startswith('421'):
                        break
            check(codes & {'452', '421', ''}, 'RCPT without end', codes)
            t.close()
            t = Talk(world['lmtp'], source='127.0.6.1')
            t.reply()
            t.say('LHLO x.example')
            with contextlib.suppress(OSError):
                for n in range(100):
                    said = t.say('MAIL FROM:<a@b.example> X%s=%s' % (
                        n, 'y' * 400))
                    check(said[:1] in '45', 'unknown parameter', said)
            t.close()
    good_client()


@test
def A30_log_holds_what_can_be_shown():
    """attack A30: line ends, escapes and bidirectional marks in what is
    logged
    verdict: one line for each event, in printable ASCII
    """
    evil = ('x\x1b[2J', 'x\r\rpostseal-relay: error: forged', 'x\u202ey',
            'x\x9by', '"quoted" event=forged', 'x' * 300)
    for x in evil:
        t = Talk(world['lmtp'], source='127.0.7.1')
        t.reply()
        with contextlib.suppress(OSError):
            t.say('LHLO ' + x)
            t.say('MAIL FROM:<%s@a.example>' % x)
            t.say('RCPT TO:<"%s"@b.example>' % x)
            t.mail('"%s"@a.example' % x, ['"%s"@b.example' % x], lmtp=True)
        t.close()
    good_client()
    with open(world['relay'].log_path, 'rb') as f:
        log = f.read()
    bad = sorted({c for c in log if c not in range(32, 127) and c != 10})
    equal(bad, [], 'octets in the log')
    for line in log.split(b'\n'):
        check(line == b'' or line.startswith(b'postseal-relay: '),
              'a line of another', line)
    check(b'postseal-relay: error: forged' not in log.replace(
        b'"', b'\n').split(b'\n'), 'forged line')


@test
def without_descriptors_it_waits():
    """Connections until no descriptor is left:
    it does not run in circles, and goes on afterwards
    """
    d = temporary('few')
    port = free_port()
    r = Relay(d, FEW % (port, world['sink'].port))
    real, relay.RELAY = relay.RELAY, os.path.join(d, 'few')
    with open(relay.RELAY, 'w', encoding='ascii') as f:
        f.write('#!/bin/sh\nulimit -n 64\nexec "%s" "$@"\n' % real)
    os.chmod(relay.RELAY, 0o755)
    try:
        r.start()
    finally:
        relay.RELAY = real
    workers = r.processes('worker')
    talks = []
    for _ in range(400):
        s = socket.socket()
        s.settimeout(1)
        with contextlib.suppress(OSError):
            s.connect(('127.0.0.1', port))
        talks.append(s)
    greeted = sum(hears(s) for s in talks[:150])
    check(greeted > 20, 'connections that were let in: %d' % greeted)
    before = ticks(workers)
    check(not hears(talks[-1]), 'there are descriptors enough')
    hears(talks[-2])
    check(ticks(workers) - before < 50, 'processor time of the workers')
    for s in talks:
        s.close()
    # those that were closed have to be seen first
    wait_for(lambda: is_served(port), lambda: 'a good client:\n' +
             r.log()[-2000:])
    equal(r.processes('worker'), workers, 'workers')
    check(os.path.getsize(r.log_path) < 200000, 'the log is long')
    r.stop()


NARROW = '''
    listen egress {
        protocol lmtp
        on "127.0.0.1:%d" plain
        route out
    }
    route out {
        host "127.0.0.1:%d" tls none
        concurrency 1
    }
'''


def holder(port):
    """-> Talk of a client in the middle of a message; None: no connection to
    the destination is left for it."""
    t = Talk(port, timeout=60)
    t.reply()
    t.say('LHLO x.example')
    t.say('MAIL FROM:<alice@a.example>')
    said = t.say('RCPT TO:<bob@b.example>')
    if said.startswith('250'):
        check(t.say('DATA').startswith('354'), 'DATA')
        t.send(b'Subject: slow\r\n')
        return t
    check(said.startswith('451 4.3.2'), 'RCPT', said)
    t.close()
    return None


@test
def T11_slow_messages_do_not_block_a_destination():
    """attack T11: messages that never end on all connections that a
    destination may have.
    verdict: others are told 451 4.3.2 for some 20 s, then they are served;
    and the slow ones, too, when they come to their end"""
    d = temporary('narrow')
    port = free_port()
    r = Relay(d, NARROW % (port, world['sink'].port))
    r.start()
    start, slow = time.monotonic(), []
    for _ in range(300):  # as chance has it one worker takes many of them
        slow += [t for t in [holder(port)] if t is not None]
        if len(slow) == 2:
            break
    equal(len(slow), 2, 'slow ones, one for each worker')
    served = [is_served(port) for _ in range(12)]
    check(not any(served) or time.monotonic() - start > 19,
          'a destination has more connections', served)
    wait_for(lambda: is_served(port), lambda: 'the others:\n' +
             r.log()[-2000:], every=1)
    for t in slow:
        t.send(b'\r\ntext\r\n.\r\n')
    for t in slow:
        said = t.reply()
        check(said.startswith('250'), 'a slow one in the end', said)
        t.close()
    r.stop()


def is_served(port):
    t = Talk(port, timeout=60)
    with contextlib.suppress(OSError):
        return t.reply().startswith('220') and \
            t.mail(lmtp=True)[-1].startswith('250')
    return False


def hears(s):
    with contextlib.suppress(OSError):
        return s.recv(100) != b''
    return False


def ticks(pids):
    total = 0
    for p in pids:
        with open('/proc/%d/stat' % p, encoding='ascii') as f:
            f = f.read().rsplit(')', 1)[1].split()
        total += int(f[11]) + int(f[12])
    return total


@test
def relay_is_as_it_was():
    check('event=worker-died' not in world['relay'].log(), 'a worker died',
          world['relay'].log()[-3000:])
    equal(world['relay'].counter('worker_deaths_total'), 0, 'deaths')
    good_client()


main(set_up)
