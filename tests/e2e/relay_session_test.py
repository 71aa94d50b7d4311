#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Clients of postseal-relay that are hostile, slow, cut off or just odd, on
real sockets; the next hop remembers every octet."""
import contextlib
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import base  # noqa: E402
from base import check, equal, free_port, test, wait_for  # noqa: E402
from relay import CA, Relay, Talk, TlsSink, need_relay  # noqa: E402

BODY = b'Subject: x\r\n\r\nthe canary sings\r\n'
SLOW = int(os.environ.get('SLOW_CLIENTS', '600'))
W = {}  # the world of this file

CONF = '''
    pki mx {{
        cert "{mx[1]}"
        key "{mx[0]}"
    }}
    listen lmtp {{
        protocol lmtp
        on "127.0.0.1:{lmtp}"
        route sink
        ledger yes
        connections 5000
        per-client 5000
    }}
    listen submission {{
        protocol submission
        on "127.0.0.1:{starttls}" starttls-required
        on "127.0.0.1:{implicit}" implicit
        pki mx
        trusted 127.0.0.0/8
        route sink
        per-client 5000
    }}
    route sink {{
        host "127.0.0.1:{sink}" tls none
        rest 0s
    }}
    tls-policy {{
        default may
    }}
'''


def setup():
    need_relay()
    d = W['dir'] = base.temporary('relay-session')
    W['sink'] = TlsSink(os.path.join(d, 'sink'))
    for x in ('lmtp', 'starttls', 'implicit'):
        W[x] = free_port()
    W['relay'] = Relay(os.path.join(d, 'relay'), CONF.format(
        mx=CA(os.path.join(d, 'ca')).server('relay.example'),
        lmtp=W['lmtp'], starttls=W['starttls'], implicit=W['implicit'],
        sink=W['sink'].port)).start()


def seen():
    with W['sink'].lock:
        return list(W['sink'].seen)


def greeted(port, hello='EHLO client.example', **how):
    t = Talk(port, **how)
    check(t.reply().startswith('220 '), 'greeting')
    if hello:
        check(t.say(hello).startswith('250'), hello)
    return t


def to_data(t):
    for line in ('MAIL FROM:<alice@a.example>', 'RCPT TO:<bob@b.example>'):
        said = t.say(line)
        check(said.startswith('250'), line, said)
    check(t.say('DATA').startswith('354'), 'DATA')


def rest(t):
    """All that still comes until the other side closes."""
    got = t.rest
    try:
        while True:
            x = t.sock.recv(65536)
            if not x:
                return got
            got += x
    except ConnectionResetError:
        return got


@test
def T4_verbs_before_tls():
    must = '530 5.7.0 Must issue a STARTTLS command first'
    for line in ('MAIL FROM:<a@a.example>', 'RCPT TO:<b@b.example>', 'DATA',
                 'BDAT 3 LAST', 'RSET', 'VRFY x', 'EXPN x', 'ETRN x',
                 'AUTH PLAIN AGEAYg==', 'XCLIENT ADDR=192.0.2.1',
                 'XFORWARD ADDR=192.0.2.1', 'FOO'):
        t = greeted(W['starttls'])
        equal(t.say(line), must, line)
        t.close()
    t = greeted(W['starttls'])
    for line, code in (('NOOP', '250'), ('HELP', '214'),
                       ('STARTTLS x', '501 5.5.4'), ('STARTTLS', '220')):
        said = t.say(line)
        check(said.startswith(code), line, said)
    t.start_tls()
    check(t.say('MAIL FROM:<a@a.example>').startswith('503'), 'all is new')
    check('STARTTLS' not in t.say('EHLO client.example'), 'not offered')
    equal(t.say('STARTTLS'), '554 5.5.1 Error: TLS already active',
          'STARTTLS again')
    t.close()


@test
def T7_A65_plaintext_behind_starttls_at_every_octet():
    """attack A65: commands behind STARTTLS, the segment cut at each octet.
    verdict: 501 5.5.0 and closed, or no TLS comes about; never a reply to
    one of them"""
    text = b'STARTTLS\r\nNOOP\r\nMAIL FROM:<evil@evil.example>\r\n'
    for k in range(len(text) + 1):
        t = greeted(W['starttls'])
        t.send(text[:k])
        time.sleep(0.005)
        try:
            t.send(text[k:])
        except OSError:
            pass
        got = rest(t)
        check(not re.search(rb'^(250|530)', got, re.M), 'at %d' % k, got)
        if k != 10:
            check(got.startswith(b'501 5.5.0') or
                  got.startswith(b'220 2.0.0'), 'at %d' % k, got)
        t.close()


@test
def T13_a_message_by_both_ways_in():
    W['sink'].forget()
    t = greeted(W['starttls'])
    check(t.say('STARTTLS').startswith('220'), 'STARTTLS')
    t.start_tls()
    said = t.mail(data=BODY)
    check(said[-1].startswith('250'), 'sent', said)
    t.close()
    t = greeted(W['implicit'], implicit=True, hello=None)
    said = t.mail(data=BODY)
    check(said[-1].startswith('250'), 'sent', said)
    t.close()
    for x in seen():
        check(re.search(rb'^Received: from client\.example \(\[127\.0\.0\.1'
                        rb'\]\)\r\n\tby relay\.example \(postseal\) with '
                        rb'ESMTPS id \S+\r\n\ttls TLS_\S+ \(TLSv1\.3\);',
                        x.data), 'Received', x.data)
        check(x.data.endswith(BODY), 'the message', x.data)
    equal(len(seen()), 2, 'messages')


@test
def T12_a_message_that_is_cut_at_any_octet_goes_nowhere():
    """attack A45: the connection ends in the message, cleanly or not, at each
    of its octets.
    verdict: the next hop never sees the end of it"""
    W['sink'].forget()
    whole = BODY + b'.\r\n'
    for k in range(len(whole)):
        t = greeted(W['lmtp'], 'LHLO client.example')
        to_data(t)
        t.send(whole[:k])
        if k % 2:  # a reset in place of an end
            t.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              b'\1\0\0\0\0\0\0\0')
        t.close()
    time.sleep(0.5)
    equal(len(seen()), 0, 'messages')


@test
def A44_smuggled_messages_are_refused_on_the_wire():
    """attack A44: what others take for the end of a message, and a second
    message behind it.
    verdict: 550 5.5.2 at the one true end, closed, nothing is passed on"""
    W['sink'].forget()
    smuggled = (b'MAIL FROM:<evil@evil.example>\r\nRCPT TO:<carol@c.example>'
                b'\r\nDATA\r\nevil\r\n.\r\n')
    for end in (b'\n.\n', b'\n.\r\n', b'\r.\r\n', b'\r\n.\r', b'\r\n.\n',
                b'\r.\r', b'\r\n\0.\n', b'\r\r\n.\r\r\n'):
        for at in range(len(end) + 1):
            t = greeted(W['lmtp'], 'LHLO client.example')
            to_data(t)
            t.send(BODY + end[:at])
            time.sleep(0.002)
            with contextlib.suppress(OSError):
                t.send(end[at:] + smuggled)
            got = rest(t)
            check(got.startswith(b'550 5.5.2') and got.count(b'\n') == 1,
                  repr(end), got)
            t.close()
    time.sleep(0.2)
    equal(len(seen()), 0, 'messages')


@test
def A45_what_goes_out_is_stuffed_and_has_crlf_only():
    W['sink'].forget()
    t = greeted(W['lmtp'], 'LHLO client.example')
    to_data(t)
    t.send(b'Subject: x\r\n\r\n..\r\n...x\r\n' + b'y' * 5000 + b'\r\n.\r\n')
    check(t.reply().startswith('250'), 'sent')
    t.close()
    data = seen()[0].data
    check(data.endswith(b'\r\n\r\n.\r\n..x\r\n' + b'y' * 5000 + b'\r\n'),
          'octets', data[:400])


@test
def who_ends_his_side_hears_his_answer():
    t = greeted(W['lmtp'], 'LHLO client.example')
    to_data(t)
    t.send(BODY + b'.\r\nQUIT\r\n')
    t.sock.shutdown(socket.SHUT_WR)
    got = rest(t)
    check(got.startswith(b'250 ') and b'\r\n221 ' in got, 'answers', got)
    t.close()


@test
def started_by_root_workers_see_the_spool_alone():
    """And write what is large into it. With a unix socket to find by name
    they see more, and are sandboxed all the same."""
    if os.getuid() != 0:
        raise base.Skip('not root')
    relay = W['relay']
    for p in relay.processes('worker'):
        equal(os.readlink('/proc/%d/root' % p), relay.path('spool'), 'root')
        equal(os.readlink('/proc/%d/cwd' % p), relay.path('spool'), 'cwd')
    t = greeted(W['lmtp'], None)
    said = t.mail(data=BODY + b'0123456789\r\n' * 100000, lmtp=True)
    check(said[-1].startswith('250'), 'a large one', said)
    t.close()
    with open(relay.conf, encoding='utf-8') as f:
        text = f.read()
    try:
        with open(relay.conf, 'w', encoding='utf-8') as f:
            f.write(text.replace('\n}\n', '\n    route near {\n        host '
                                 '"unix:/run/x"\n    }\n}\n'))
        relay.reload()
        roots = set()
        for p in relay.processes('worker'):
            with contextlib.suppress(OSError):  # an old one ended
                roots.add(os.readlink('/proc/%d/root' % p))
        check('/' in roots, 'roots', roots)
    finally:
        with open(relay.conf, 'w', encoding='utf-8') as f:
            f.write(text)
    relay.reload()


@test
def a_group_with_many_recipients():
    W['sink'].forget()
    t = greeted(W['lmtp'], 'LHLO client.example')
    n = 90
    t.send('MAIL FROM:<alice@a.example>\r\n' + ''.join(
        'RCPT TO:<bob%d@b.example>\r\n' % i for i in range(n)) + 'DATA\r\n')
    for i in range(n + 1):
        check(t.reply().startswith('250'), 'reply %d' % i)
    check(t.reply().startswith('354'), 'DATA')
    t.send(BODY + b'.\r\n')
    for i in range(n):
        check(t.reply().startswith('250'), 'answer %d' % i)
    t.close()
    equal(len(seen()), 1, 'messages')
    equal(len(seen()[0].rcpts), n, 'recipients')


@test
def T66_A46_other_protocols_are_closed():
    for first in (b'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
                  b'PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n'):
        t = greeted(W['lmtp'], None)
        t.send(first)
        got = rest(t)
        check(got.startswith(b'50'), 'closed', got)
        t.close()


def slow_clients(n):
    """Some that say nothing, some that say a part of something."""
    out = []
    for i in range(n):
        s = socket.create_connection(('127.0.0.1', W['lmtp']), 90)
        if i % 3 == 1:
            s.sendall(b'LHLO cl')
        out.append(s)
        if i % 3 == 2:
            s.sendall(b'LHLO x\r\n')
    return out


@test
def T11_slow_clients_beside_good_ones():
    """attack T11: clients that hold connections and never finish a command.
    verdict: the others do not notice"""
    slow = slow_clients(SLOW)
    took = []
    W['sink'].forget()
    for _ in range(50):
        start = time.monotonic()
        t = greeted(W['lmtp'], None)
        said = t.mail(data=BODY, lmtp=True)
        check(said[-1].startswith('250'), 'sent', said)
        t.close()
        took.append(time.monotonic() - start)
    for s in slow:
        s.close()
    equal(len(seen()), 50, 'messages')
    check(sorted(took)[48] < 5, 'the slowest but one', sorted(took)[-3:])


@test
def a_reload_ends_idle_sessions_and_lets_others_finish():
    idle = greeted(W['lmtp'], 'LHLO client.example')
    said = idle.mail(data=BODY, lmtp=True)
    check(said[-1].startswith('250'), 'his message', said)
    busy = greeted(W['lmtp'], 'LHLO client.example')
    to_data(busy)
    W['relay'].reload()
    said = idle.reply()
    check(said.startswith('421 4.3.2'), 'idle', said)
    busy.send(BODY + b'.\r\n')
    check(busy.reply().startswith('250'), 'busy')
    check(busy.reply().startswith('421 4.3.2'), 'and then')
    for t in (idle, busy):
        t.close()


def come_and_reload():
    """-> is it known: it is of those that began within their seconds."""
    start = time.monotonic()
    new = [greeted(W['lmtp'], None) for _ in range(8)]
    W['relay'].reload()
    for t in new:
        said = t.say('LHLO client.example')
        if not said.startswith('250'):
            check(time.monotonic() - start > 4, 'his first word', said)
            return False
        said = t.say('MAIL FROM:<alice@a.example>')
        if not said.startswith('250'):
            check(time.monotonic() - start > 4, 'his first MAIL', said)
            return False
    for t in new:
        check(t.say('RCPT TO:<bob@b.example>').startswith('250'), 'RCPT')
        check(t.say('DATA').startswith('354'), 'DATA')
        t.send(BODY + b'.\r\n')
        check(t.reply().startswith('250'), 'his first message')
        check(t.reply().startswith('421 4.3.2'), 'and then')
        t.close()
    return True


@test
def a_reload_sends_nobody_away_who_has_just_come():
    """421 to a connection makes an MTA wait for minutes. Who sends nothing
    at all is told in some seconds, and so may be all others where a reload
    takes longer than that: they come once more."""
    silent = greeted(W['lmtp'], 'LHLO client.example')
    wait_for(come_and_reload, 'a reload that takes no five seconds')
    said = silent.reply()
    check(said.startswith('421 4.3.2 Service is going away'), 'silent', said)
    silent.close()


@test
def all_sessions_are_gone_in_the_end():
    relay = W['relay']
    wait_for(lambda: len(relay.processes('worker')) in (0, 2),
             'old workers to end')
    equal(relay.counter('worker_deaths_total'), 0, 'workers that died')


if __name__ == '__main__':
    base.main(setup)
