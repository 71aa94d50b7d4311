# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""A relay with all its ways in and next hops that it has to verify, and
clients that can be stopped at each step of a message."""
import base64
import contextlib
import os
import re
import socket
import time

import base
from base import POSTSEAL, SANITIZER, check, free_port, must_run
from hops import Hop
from relay import CA, Relay, Talk, anybody

USER, PASSWORD = 'alice@a.example', 'seven-mauve-kites-41'
CANARY = b'the canary sings'
BODY = b'Subject: x\r\n\r\nthe canary sings 0\r\n'
SECURE = 'secure match mx.good.example ca corp'
W = {}  # what all tests of a file share

CONF = '''
    pki mx {{
        cert "{mx[1]}"
        key "{mx[0]}"
    }}
    ca corp {{
        file "{ca}"
    }}
    listen lmtp {{
        protocol lmtp
        on "127.0.0.1:{lmtp}"
        route main
        ledger yes
        connections 5000
        per-client 5000
    }}
    listen smtp {{
        protocol smtp
        on "127.0.0.1:{smtp}"
        trusted 127.0.0.0/8
        route main
        connections 5000
        per-client 5000
    }}
    listen submission {{
        protocol submission
        on "127.0.0.1:{starttls}" starttls-required
        on "127.0.0.1:{implicit}" implicit
        pki mx
        auth passwd "{passwd}"
        any-sender yes
        route main
        connections 5000
        per-client 5000
    }}
    route main {{
        host "127.0.0.1:{hop}"
        rest 0s
        concurrency 200
{via}    }}
{routes}    tls-policy {{
        default {sure}
{rules}    }}
'''

def make_material():
    """Certificates and passwords: W['tls'] by what is wrong with them."""
    d = W['dir'] = base.temporary('storm')
    ca = W['ca'] = CA(os.path.join(d, 'ca'))
    W['anybody'], W['mx'] = anybody(), ca.server('relay.example')
    W['tls'] = {
        'good': ca.server('mx.good.example'),
        'expired': ca.server('mx.good.example', days='-1'),
        'wrong name': ca.server('mx.elsewhere.example'),
        'other root': CA(os.path.join(d, 'other'), 'Other root').server(
            'mx.good.example'),
        'none': None,
    }
    W['passwd'] = os.path.join(d, 'passwd')
    must_run([POSTSEAL, 'relay', 'passwd', '--password-file', '-',
              W['passwd'], USER], (PASSWORD + '\n').encode())


class World:
    """A relay with a next hop of its own, and perhaps more of them."""

    def __init__(self, name, more=None, rules=''):
        self.hop = Hop(W['tls']['good'])
        self.port = {x: free_port() for x in ('lmtp', 'smtp', 'starttls',
                                              'implicit')}
        via = routes = ''
        for word, port in (more or {}).items():
            via += '        via %s.example %s\n' % (word, word)
            routes += ('    route %s {\n        host "127.0.0.1:%d"\n'
                       '        rest 0s\n    }\n' % (word, port))
        self.relay = Relay(os.path.join(W['dir'], name), CONF.format(
            mx=W['mx'], ca=W['ca'].crt, hop=self.hop.port, via=via,
            routes=routes, rules=rules, sure=SECURE,
            passwd=W['passwd'], **self.port)).start()

# ---- clients ----

def login():
    return 'AUTH PLAIN ' + base64.b64encode(
        ('\0%s\0%s' % (USER, PASSWORD)).encode()).decode()


def to_data(way, port, to='bob@b.example', at=lambda step: None):
    """-> Talk after 354, or the reply that came in its place. at(step) is
    called when a step is done."""
    t = Talk(port[way], timeout=90 * (4 if SANITIZER else 1))
    try:
        at('connect')
        t.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if way == 'implicit':
            t.start_tls(W['anybody'])
        said = t.reply()
        hello = 'LHLO c.example' if way == 'lmtp' else 'EHLO c.example'
        steps = [('hello', hello, '250')]
        if way == 'starttls':
            steps += [('starttls', 'STARTTLS', '220'),
                      ('hello', hello, '250')]
        if way in ('starttls', 'implicit'):
            steps.append(('auth', login(), '235'))
        steps += [('mail', 'MAIL FROM:<alice@a.example>', '250'),
                  ('rcpt', 'RCPT TO:<%s>' % to, '250'),
                  ('data', 'DATA', '354')]
        for step, line, wanted in steps:
            said = t.say(line)
            if not said.startswith(wanted):
                t.close()
                return said
            if step == 'starttls':
                t.start_tls(W['anybody'])
            at(step)
        return t
    except (OSError, base.Failed):
        t.close()
        raise


def send(way, port, data=BODY, to='bob@b.example', at=lambda step: None):
    """One attempt; -> the last reply, '' if the connection was lost."""
    try:
        t = to_data(way, port, to, at)
        if isinstance(t, str):
            return t
        with contextlib.closing(t):
            t.send(data[:len(data) // 2])
            at('half')
            t.send(data[len(data) // 2:] + b'.\r\n')
            at('dot')
            return t.reply()
    except (OSError, base.Failed):
        return ''


def deliver(way, port, data, seconds=300, **more):
    """As an MTA does: until it is told 250. -> attempts."""
    end = time.monotonic() + seconds * (4 if SANITIZER else 1)
    for n in range(1, 1000):
        said = send(way, port, data, **more)
        if said.startswith('250'):
            return n
        check(not said.startswith('5'), '%s: refused' % way, said)
        check(time.monotonic() < end, '%s: not in %d s' % (way, seconds),
              said)
        time.sleep(0.05)
    return 0


def numbered(number):
    return (b'Subject: %s\r\n\r\nthe canary sings %s\r\n' %
            (number.encode(), number.encode()))


def copies(hop):
    """-> {number of a message: how often the hop took it}."""
    out = {}
    for m in hop.messages():
        out[m.number()] = out.get(m.number(), 0) + 1
    return out


def rest(t):
    got = t.rest
    with contextlib.suppress(OSError):
        while True:
            x = t.sock.recv(65536)
            if not x:
                break
            got += x
    return got
