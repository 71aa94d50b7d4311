#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""postseal-relay as a whole: mail in by LMTP, out by SMTP with the TLS that
each destination asks for, found in signed zones; and what happens when it
cannot be had."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import base  # noqa: E402
from base import check, equal, free_port, test  # noqa: E402
from directories import Zones, need_directories  # noqa: E402
from relay import (CA, Listener, Relay, Talk, TlsSink,  # noqa: E402
                   need_relay, sha256)

CANARY = b'Subject: x\r\n\r\nthe canary sings\r\n'
W = {}  # the world of this file

CONF = '''
    pki netcert {{
        cert "{client[1]}"
        key "{client[0]}"
    }}
    ca corp {{
        file "{ca}"
    }}
    listen lmtp {{
        protocol lmtp
        on "unix:{{d}}/run/lmtp" mode 0666
        on "127.0.0.1:{lmtp}"
        route egress
        ledger yes
    }}
    listen sure {{
        protocol lmtp
        on "127.0.0.1:{sure}"
        route egress
        require verified
    }}
    listen smtp {{
        protocol smtp
        on "127.0.0.1:{smtp}"
        route egress
        trusted 127.0.0.0/8
    }}
    route egress {{
        mx port {port}
        nearby 127.0.0.0/8
        rest 0s
{via}    }}
{routes}
    tls-policy {{
        default may then dane
{rules}    }}
    resolver {{
        anchor "{anchor}"
        forward "127.0.0.1@{dns}"
    }}
'''

# name of the domain -> (TLS material of its host, rule)
GOOD, SELF, WRONG, OLD, CLEAR = 'good', 'self', 'wrong', 'old', 'clear'
MATERIAL = (GOOD, SELF, WRONG, OLD, CLEAR)
LEVELS = {
    'none': 'none',
    'may': 'may',
    'encrypt': 'encrypt',
    'verify': 'verify match mx.{d} ca corp',
    'secure': 'secure match mx.{d} ca corp',
    'fingerprint': 'fingerprint sha256:{pin}',
}


def domain(level, kind):
    return '%s-%s.example' % (level, kind)


def make_material(d):
    ca = CA(os.path.join(d, 'ca'))
    other = CA(os.path.join(d, 'other'), 'Other root')
    names = ['mx.' + domain(level, k) for level in LEVELS
             for k in (GOOD, OLD)]
    return ca, {
        GOOD: ca.server(*names, 'mx.dane.example', 'mx.good.example'),
        SELF: other.server(*names),
        WRONG: ca.server('mx.elsewhere.example'),
        OLD: ca.server(*names, days='-1'),
        CLEAR: None,
    }


def setup():
    need_relay()
    need_directories()
    d = W['dir'] = base.temporary('relay')
    ca, W['tls'] = make_material(d)
    W['sink'] = {k: TlsSink(os.path.join(d, 'sink-' + k), W['tls'][k])
                 for k in MATERIAL}
    zones = Zones(os.path.join(d, 'zones'))
    rules, via, routes = '', '', ''
    for level, words in LEVELS.items():
        for kind in MATERIAL:
            name = domain(level, kind)
            pin = sha256(W['tls'][kind][1]) if W['tls'][kind] else '0' * 64
            rules += '        to mx.%s:%d %s\n' % (
                name, W['sink'][kind].port, words.format(d=name, pin=pin))
            via += '        via %s %s-%s\n' % (name, level, kind)
            routes += ('    route %s-%s {\n        host "mx.%s:%d"\n'
                       '        nearby 127.0.0.0/8\n        rest 0s\n'
                       '    }\n' % (level, kind, name,
                                    W['sink'][kind].port))
    add_zones(zones)
    W['zones'] = zones.start()
    W['lmtp'], W['sure'], W['smtp'] = free_port(), free_port(), free_port()
    W['relay'] = Relay(os.path.join(d, 'relay'), CONF.format(
        client=ca.client('relay@a.example'), ca=ca.crt, lmtp=W['lmtp'],
        sure=W['sure'], smtp=W['smtp'], port=W['sink'][GOOD].port, via=via,
        routes=routes, rules=rules, anchor=zones.anchor, dns=zones.port))
    W['relay'].start()


def add_zones(zones):
    good = W['sink'][GOOD].port
    for level in LEVELS:
        for kind in MATERIAL:
            name = domain(level, kind)
            zones.add(name, 'mx.%s. 300 IN A 127.0.0.1\n' % name,
                      signed=False, anchored=False)
    pin = sha256(W['tls'][GOOD][1])
    for name, record in (('dane', pin), ('liar', '0' * 64)):
        z = name + '.example'
        zones.add(z, '%s. 300 IN MX 10 mx.%s.\nmx.%s. 300 IN A 127.0.0.1\n'
                  '_%d._tcp.mx.%s. 300 IN TLSA 3 0 1 %s\n' %
                  (z, z, z, good, z, record))
    zones.add('plain.example', 'plain.example. 300 IN MX 10 '
              'mx.plain.example.\nmx.plain.example. 300 IN A 127.0.0.1\n',
              signed=False, anchored=False)
    zones.add('null.example', 'null.example. 300 IN MX 0 .\n', signed=False,
              anchored=False)


def lmtp(to, port=None, data=CANARY, sender='alice@a.example'):
    """-> replies to each RCPT and, behind them, to the data."""
    t = Talk(port or W['lmtp'])
    t.reply()
    said = t.mail(sender, to, data, lmtp=True)
    t.say('QUIT')
    t.close()
    return said[1:]


def seen(kind):
    s = W['sink'][kind]
    return [x for x in s.seen if b'the canary sings' in x.data]


# What each level does with each peer: '250' and inside TLS or not, or the
# start of the last reply.
TABLE = {
    'none': {k: 'clear' for k in MATERIAL},
    'may': {GOOD: 'tls', SELF: 'tls', WRONG: 'tls', OLD: 'tls',
            CLEAR: 'clear'},
    'encrypt': {GOOD: 'tls', SELF: 'tls', WRONG: 'tls', OLD: 'tls',
                CLEAR: '451 4.7.4'},
    'verify': {GOOD: 'tls', SELF: '451 4.7.5', WRONG: '451 4.7.5',
               OLD: '451 4.7.5', CLEAR: '451 4.7.4'},
    'secure': {GOOD: 'tls', SELF: '451 4.7.5', WRONG: '451 4.7.5',
               OLD: '451 4.7.5', CLEAR: '451 4.7.4'},
    'fingerprint': {GOOD: 'tls', SELF: 'tls', WRONG: 'tls', OLD: 'tls',
                    CLEAR: '451 4.7.4'},
}


def try_level(level, kind):
    sink = W['sink'][kind]
    sink.forget()
    with sink.lock:
        sink.lines.clear()
    said = lmtp(['bob@' + domain(level, kind)])
    wanted = TABLE[level][kind]
    name = '%s with %s' % (level, kind)
    if wanted in ('tls', 'clear'):
        check(said[-1].startswith('250'), name + ': delivered', said,
              W['relay'].log()[-2000:])
        equal(len(seen(kind)), 1, name + ': messages')
        equal('MAIL' in sink.commands(secure=wanted == 'tls'), True,
              name + ': MAIL where it should be')
        equal('MAIL' in sink.commands(secure=wanted != 'tls'), False,
              name + ': MAIL elsewhere')
        return
    check(any(s.startswith(wanted) for s in said), '%s: wanted %s' %
          (name, wanted), said, W['relay'].log()[-2000:])
    equal([len(seen(kind)), 'MAIL' in sink.commands()], [0, False],
          name + ': no message, no MAIL')
    check(any('postseal.conf:' in s for s in said) or kind == CLEAR,
          name + ': the reason names the rule', said)


@test
def T34_T40_T42_T57_every_level_with_every_kind_of_peer():
    for level in LEVELS:
        for kind in MATERIAL:
            try_level(level, kind)


@test
def T46_T47_dane_is_honoured_and_a_wrong_record_keeps_mail_back():
    W['sink'][GOOD].forget()
    said = lmtp(['bob@dane.example', 'carol@liar.example'])
    check(said[-2:][0].startswith('250') or said[-1].startswith('250'),
          'the good one', said, W['relay'].log()[-2000:])
    check(any(s.startswith('451 4.7.5') for s in said), 'the liar', said)
    equal([x.to() for x in seen(GOOD)], [['bob@dane.example']], 'delivered')
    W['relay'].wait_log(r'dane\.example.*dane')


@test
def T58_null_mx_and_unknown_domains_are_final():
    said = lmtp(['bob@null.example'])
    check(said[0].startswith('556 5.1.10'), 'null MX', said)


@test
def T56_a_listener_that_requires_verified_hops_takes_nothing_less():
    W['sink'][GOOD].forget()
    said = lmtp(['bob@plain.example', 'carol@dane.example'], W['sure'])
    check(any(s.startswith('451 4.7') for s in said), 'refused', said)
    equal([x.to() for x in seen(GOOD)], [['carol@dane.example']],
          'delivered')


@test
def smtp_listener_takes_one_next_hop_a_transaction():
    t = Talk(W['smtp'])
    t.reply()
    ehlo = t.say('EHLO client.example')
    check('RCPTDOMAINMAX=1' in ehlo, 'LIMITS', ehlo)
    t.say('MAIL FROM:<alice@a.example>')
    first = t.say('RCPT TO:<bob@dane.example>')
    second = t.say('RCPT TO:<carol@%s>' % domain('may', CLEAR))
    check(first.startswith('250'), 'first', first)
    check(second.startswith('452 4.5.3'), 'second', second)
    t.close()


@test
def T12_a_client_that_is_cut_off_leaves_no_message():
    W['sink'][GOOD].forget()
    for n in (0, 1, 10, len(CANARY) - 1, len(CANARY)):
        t = Talk(W['lmtp'])
        t.reply()
        t.say('LHLO client.example')
        t.say('MAIL FROM:<alice@a.example>')
        t.say('RCPT TO:<bob@dane.example>')
        check(t.say('DATA').startswith('354'), 'DATA')
        t.send(CANARY[:n])
        t.close()
    time.sleep(0.5)
    equal(len(seen(GOOD)), 0, 'messages')


@test
def T61_connections_are_kept_for_the_same_policy():
    before = W['relay'].counter('hop_reused_total')
    t = Talk(W['lmtp'])
    t.reply()
    for _ in range(5):
        said = t.mail(to=['bob@dane.example'], data=CANARY, lmtp=True)
        check(said[-1].startswith('250'), 'delivered', said)
    t.close()
    check(W['relay'].counter('hop_reused_total') >= before + 4, 'reused')


def lost_and_taken():
    """How many clients were lost, and how many recipients taken."""
    log = W['relay'].log()
    return (log.count('event=client-lost'),
            len(re.findall(r' result=(?:sent|accepted-orphan) ', log)))


@test
def ledger_no_second_copy_for_a_retry_after_a_lost_answer():
    """The next hop takes it, its answer comes too late for the client."""
    sink = W['sink'][GOOD]
    sink.forget()
    data = b'Subject: once\r\n\r\nthe canary sings once\r\n'
    before = lost_and_taken()
    t = Talk(W['lmtp'])
    t.reply()
    t.say('LHLO client.example')
    t.say('MAIL FROM:<alice@a.example>')
    t.say('RCPT TO:<bob@dane.example>')
    t.say('DATA')
    t.send(data + b'.\r\n')
    t.close()  # nobody reads the answer
    base.wait_for(lambda: len(seen(GOOD)) == 1, 'the first copy')
    base.wait_for(lambda: all(map(int.__gt__, lost_and_taken(), before)),
                  'the client to be missed, and the answer to be known')
    said = lmtp(['bob@dane.example'], data=data)
    check(said[-1].startswith('250'), 'second', said)
    equal(len(seen(GOOD)), 1, 'copies')
    check(W['relay'].counter('ledger_hits_total') >= 1, 'counted')
    said = lmtp(['bob@dane.example'], data=data)
    equal(len(seen(GOOD)), 2, 'an entry counts once')


@test
def T35_T36_next_hop_that_injects_answers_before_tls():
    """attack T36: answers in clear behind the 220 of STARTTLS, as if they
    came from inside TLS.
    verdict: not believed, no MAIL, 451 4.7.5"""
    got = []

    def peer(c):
        c.sendall(b'220 mx\r\n')
        c.recv(1000)
        c.sendall(b'250-mx\r\n250 STARTTLS\r\n')
        c.recv(1000)
        c.sendall(b'220 go\r\n250-mx\r\n250 AUTH PLAIN\r\n250 ok\r\n')
        while True:
            x = c.recv(4096)
            got.append(x)
            if not x:
                return
    p = Listener(peer)
    conf = W['relay']
    text = open(conf.conf, encoding='utf-8').read()
    open(conf.conf, 'w', encoding='utf-8').write(text.replace(
        '    tls-policy {', '    route inject {\n        host "127.0.0.1:%d" '
        'tls encrypt\n        rest 0s\n    }\n    listen inject {\n'
        '        protocol lmtp\n        on "unix:%s/run/inject" mode 0666\n'
        '        route inject\n    }\n    tls-policy {' % (p.port,
                                                        conf.dir)))
    conf.reload()
    said = lmtp(['bob@b.example'], conf.path('run/inject'))
    check(any(s.startswith('451 4.7.5') for s in said), 'refused', said)
    check(b'MAIL' not in b''.join(got), 'no MAIL', got)


def is_taken(t, data):
    try:
        said = t.mail(to=['bob@dane.example'], data=data, lmtp=True)
        return said[-1].startswith('250')
    except OSError:  # he went while we spoke
        return False


@test
def reloads_under_load_lose_and_double_nothing():
    """Who is told 421 comes again with the same message, as MTAs do."""
    W['sink'][GOOD].forget()
    t, calls = None, 0
    for i in range(40):
        if i % 8 == 0:
            W['relay'].child.send_signal(1)
        data = b'Subject: %d\r\n\r\nthe canary sings %d\r\n' % (i, i)
        while t is None or not is_taken(t, data):
            calls += 1
            check(calls < 40, 'most go over a connection that is there')
            t = Talk(W['lmtp'])
            t.reply()
    t.close()
    found = sorted(int(re.search(rb'sings (\d+)', x.data).group(1))
                   for x in seen(GOOD))
    equal(found, list(range(40)), 'delivered')


if __name__ == '__main__':
    base.main(setup)
