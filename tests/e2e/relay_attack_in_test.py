#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Attacks on what postseal-relay takes in, on real sockets: proxies that are
silent, clients behind one, and what a process of it still holds in memory."""
import base64
import contextlib
import os
import re
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import base  # noqa: E402
from base import (POSTSEAL, Skip, check, equal, free_port,  # noqa: E402
                  must_run, test)
from relay import CA, RELAY, Relay, Talk, TlsSink, need_relay  # noqa: E402

W = {}  # the world of this file
PASSWORD = b'eleven Herons, 7 boats'

CONF = '''
    pki mx {{
        cert "{mx[1]}"
        key "{mx[0]}"
    }}
    listen submission {{
        protocol submission
        on "127.0.0.1:{proxied}" starttls-required proxy
        on "127.0.0.1:{plain}" starttls-required
        proxy-from 127.0.0.1
        pki mx
        trusted 127.0.0.0/8
        route sink
        per-client 2
    }}
    listen people {{
        protocol submission
        on "127.0.0.1:{people}" implicit
        pki mx
        auth passwd "{{d}}/passwd"
        mechanisms plain login
        route sink
    }}
    route sink {{
        host "127.0.0.1:{sink}" tls none
    }}
    tls-policy {{
        default may
    }}
'''


def setup():
    need_relay()
    d = W['dir'] = base.temporary('relay-attack-in')
    W['sink'] = TlsSink(os.path.join(d, 'sink'))
    ports = {x: free_port() for x in ('proxied', 'plain', 'people')}
    W.update(ports)
    W['relay'] = Relay(os.path.join(d, 'relay'), CONF.format(
        mx=CA(os.path.join(d, 'ca')).server('relay.example'),
        sink=W['sink'].port, **ports))
    must_run([POSTSEAL, 'relay', 'passwd', W['relay'].path('passwd'),
              'alice@a.example', '--password-file', '-'],
             PASSWORD + b'\n')
    W['relay'].start()


def connect(port, header=b''):
    s = socket.create_connection(('127.0.0.1', port), timeout=90)
    s.sendall(header)
    return s


@test
def T66_a_proxy_that_says_nothing_is_not_waited_for():
    """attack T11: connections that are to begin with a PROXY header stay
    silent for ever, and keep descriptors and the end of a worker
    verdict: they are closed after five seconds"""
    began = time.monotonic()
    silent = [connect(W['proxied']) for _ in range(20)]
    half = connect(W['proxied'], b'PROXY TCP4 192.0.2.1')
    for s in silent + [half]:
        with contextlib.suppress(ConnectionResetError):
            equal(s.recv(100), b'', 'said to somebody who is silent')
        s.close()
    took = time.monotonic() - began
    check(4 < took < 50, 'closed after %.1f s' % took)
    W['relay'].wait_log('reason="no PROXY header came"')


@test
def T11_clients_behind_a_proxy_are_told_apart():
    """attack A73: a client fills the places of all others, because the proxy
    in front writes IPv4 addresses as IPv6
    verdict: each address has its own limit, however it is written"""
    header = 'PROXY TCP6 ::ffff:192.0.2.%d ::ffff:127.0.0.1 5000 587\r\n'
    mine = [connect(W['proxied'], (header % 1).encode()) for _ in range(9)]
    said = [s.recv(100)[:3] for s in mine]
    check(b'421' in said, 'the limit of one client', said)
    others = [connect(W['proxied'], (header % i).encode())
              for i in (2, 3, 4, 5)]
    for s in others:
        equal(s.recv(100)[:3], b'220', 'another client')
    W['relay'].wait_log('event=connect .*client=192.0.2.5')
    for s in mine + others:
        s.close()


def memory(pid, only=None):
    """Everything that pid can write, or the file's part of it: (address,
    octets)."""
    found = []
    with open('/proc/%d/maps' % pid) as f, \
            open('/proc/%d/mem' % pid, 'rb', 0) as m:
        for line in f:
            at = re.match(r'(\w+)-(\w+) (\S+)', line)
            low, high = int(at[1], 16), int(at[2], 16)
            if 'w' not in at[3] or high - low > 64 << 20 or \
                    (only and not only(low, high)):
                continue
            try:
                m.seek(low)
                found.append((low, m.read(high - low)))
            except OSError:
                continue
    return found


def secrets(parent):
    """What looks like chance in the parent's own variables."""
    names = subprocess.run(['nm', '-S', RELAY], stdout=subprocess.PIPE,
                           check=True).stdout.decode()
    var = re.search(r'^(\w+) (\w+) b p(\.\d+)?$', names, re.M)
    if not var:
        raise Skip('no symbols in postseal-relay')
    with open('/proc/%d/maps' % parent) as f:
        load = min(int(line.split('-')[0], 16) for line in f
                   if RELAY in line)
    at, size = load + int(var[1], 16), int(var[2], 16)
    try:
        parts = memory(parent, lambda low, high: low <= at < high)
    except PermissionError:
        raise Skip('the memory of others cannot be read here')
    check(parts, 'the parent has its variables')
    low, octets = parts[0]
    octets = octets[at - low:at - low + size]
    return [octets[i:i + 32] for i in range(0, len(octets) - 31, 8)
            if len(set(octets[i:i + 32])) > 24]


@test
def T16_what_a_process_holds_opens_no_old_ticket():
    """attack A73: a worker that was taken over looks for what the keys of
    all session tickets, also those of yesterday, are made of
    verdict: no process but the parent, which no network reaches, has it"""
    parent = W['relay'].child.pid
    wanted = secrets(parent)
    check(wanted, 'the parent has a secret')
    pids = W['relay'].processes()
    check(len(pids) >= 3, 'processes: %s' % pids)
    for pid in pids:
        if pid == parent:
            continue
        for low, octets in memory(pid):
            check(not any(s in octets for s in wanted),
                  'process %d has it near 0x%x' % (pid, low))



def left_in_memory(what):
    """-> where in the processes these octets are. what: {name: octets}."""
    found = []
    for pid in W['relay'].processes():
        try:
            parts = memory(pid)
        except PermissionError:
            raise Skip('the memory of others cannot be read here')
        found += ['%s in %s at 0x%x' % (name, base.title(pid),
                                        low + octets.find(x))
                  for low, octets in parts for name, x in what.items()
                  if x in octets]
    return found


@test
def T23_a_password_is_nowhere_when_it_was_used():
    """attack A72: who takes over a process looks for passwords that clients
    gave before
    verdict: none is in the memory of any process, decoded or encoded"""
    plain = b'\0alice@a.example\0' + PASSWORD
    encoded = base64.b64encode(plain)
    talks = [Talk(W['people'], implicit=True) for _ in range(4)]
    for t in talks:
        check(t.reply().startswith('220'), 'greeting')
        check(t.say('EHLO c.example').startswith('250'), 'EHLO')
        said = t.say('AUTH PLAIN ' + encoded.decode())
        check(said.startswith('235'), 'AUTH', said)
    what = {'password': PASSWORD[4:], 'base64': encoded[16:]}
    # who has just answered is still about to forget the question
    base.wait_for(lambda: not left_in_memory(what),
                  lambda: 'no secrets to be left: %s' % left_in_memory(what))
    check(left_in_memory({'login': b'alice@a.example'}),
          'who came in is in no memory: we look at the wrong one')
    for t in talks:
        t.close()


if __name__ == '__main__':
    base.main(setup)
