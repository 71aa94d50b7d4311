#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""./run demo-relay: alice submits mail to a postseal-relay in front of a
private Postfix; Postfix hands what goes out to the relay's LMTP port. Shows a
submission, a verified delivery, and a policy refusal that leaves the mail in
the sender's queue. Ends all it started, and leaves the folder."""
import base64
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'e2e'))
import base  # noqa: E402
from directories import Zones, need_directories  # noqa: E402
from mta import Postfix  # noqa: E402
from relay import (CA, Relay, Talk, TlsSink, need_relay,  # noqa: E402
                   sha256)
from stage import (expect, good, paint, say, show,  # noqa: E402
                   step)

ALICE, BOB, CAROL = 'alice@example.com', 'bob@bank.example', \
    'carol@cafe.example'
PASSWORD = 'seven-mauve-kites-41'

CONF = '''    pki mx {{
        cert "{crt}"
        key "{key}"
    }}
    listen submission {{
        protocol submission
        on "127.0.0.1:{tls}" implicit
        on "127.0.0.1:{start}" starttls-required
        pki mx
        auth passwd "passwd"
        route local-mta
    }}
    listen egress {{
        protocol lmtp
        on "unix:{{d}}/run/egress" mode 0666
        route egress
        ledger yes
    }}
    route local-mta {{
        host "127.0.0.1:{mta}" tls none
    }}
    route egress {{
        mx port {port}
        nearby 127.0.0.0/8
    }}
    tls-policy {{
        default encrypt then dane
    }}
    resolver {{
        anchor "{anchor}"
        forward "127.0.0.1@{dns}"
    }}'''


def letter(to, subject):
    return ('From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: %s\r\n\r\n'
            'The figures: 1250.\r\n' % (ALICE, to, subject, time.strftime(
                '%a, %d %b %Y %H:%M:%S +0000', time.gmtime()))).encode()


def world(folder):
    step('A throw-away world in %s' % folder)
    say('''One company, example.com, with a private Postfix and a
        postseal-relay. Two others: bank.example has a signed zone with a TLSA
        record for its mail server, and TLS; cafe.example has a mail server
        without TLS. The company's rule: encrypt, or wait.''')
    ca = CA(os.path.join(folder, 'ca'))
    mx = ca.server('mx.bank.example')
    bank = TlsSink(os.path.join(folder, 'bank'), mx)
    cafe = TlsSink(os.path.join(folder, 'cafe'))
    zones = Zones(os.path.join(folder, 'zones'))
    zones.add('bank.example', 'bank.example. 300 IN MX 10 mx.bank.example.\n'
              'mx.bank.example. 300 IN A 127.0.0.1\n_%d._tcp.'
              'mx.bank.example. 300 IN TLSA 3 0 1 %s\n' %
              (bank.port, sha256(mx[1])))
    zones.add('cafe.example', 'cafe.example. 300 IN A 127.0.0.1\n',
              signed=False, anchored=False)
    zones.start()
    postfix = Postfix(os.path.join(folder, 'postfix'), 'example.com')
    os.makedirs(postfix.dir)
    relay = make_relay(folder, ca, postfix, bank, cafe, zones)
    postfix.configure({}, default_transport='lmtp:unix:' +
                      relay.path('run/egress'),
                      smtpd_relay_restrictions='permit_mynetworks, reject')
    relay.start()
    postfix.start()
    good('Postfix on 127.0.0.1:%d, postseal-relay on 127.0.0.1:%d '
         '(submission over TLS)' % (postfix.port, relay.tls))
    return relay, postfix, bank, cafe


def make_relay(folder, ca, postfix, bank, cafe, zones):
    own = ca.server('mx.example.com')
    tls, start = base.free_port(), base.free_port()
    text = CONF.format(crt=own[1], key=own[0], tls=tls, start=start,
                       mta=postfix.port, port=bank.port,
                       anchor=zones.anchor, dns=zones.port)
    # the cafe's server has a port of its own on this one machine
    text = text.replace('        nearby', '        via cafe.example cafe\n'
                        '        nearby').replace(
        '    tls-policy', '    route cafe {\n        host '
        '"cafe.example:%d"\n        nearby 127.0.0.0/8\n    }\n'
        '    tls-policy' % cafe.port)
    relay = Relay(os.path.join(folder, 'relay'), text)
    relay.tls, relay.start_port = tls, start
    base.must_run([base.POSTSEAL, 'relay', 'passwd', '--password-file', '-',
                   relay.path('passwd'), ALICE], (PASSWORD + '\n').encode())
    show(text.replace('{d}', relay.dir), 'relay { } of relay/postseal.conf', 60)
    return relay


def without_tls(relay):
    step('Before TLS nobody gets a word in')
    t = Talk(relay.start_port)
    rows = [t.reply()]
    for c in ('EHLO laptop.example.com', 'MAIL FROM:<%s>' % ALICE,
              'AUTH PLAIN AGFsaWNlAHNlY3JldA=='):
        rows += ['> ' + c, t.say(c)]
    t.close()
    show('\n'.join(rows), 'port 587, in clear', 20)
    expect(rows[-1].startswith('530 5.7.0') and 'AUTH' not in rows[2],
           'no AUTH offered, every command but a few: 530')


def submit(relay, to, subject):
    t = Talk(relay.tls, implicit=True)
    t.reply()
    t.say('EHLO laptop.example.com')
    t.say('AUTH PLAIN ' + base64.b64encode(
        ('\0%s\0%s' % (ALICE, PASSWORD)).encode()).decode())
    said = t.mail(ALICE, [to], letter(to, subject), hello=False)
    t.say('QUIT')
    t.close()
    return said[-1]


def delivered(relay, bank):
    step('alice writes to bob@bank.example')
    said = submit(relay, BOB, 'Figures')
    expect(said.startswith('250'), 'submitted over TLS, with her password: '
           + said)
    base.wait_for(lambda: bank.seen, 'the mail at the bank')
    got = bank.seen[0].data
    show(got.replace(b'\r\n', b'\n'), 'what the bank got', 24)
    expect(b'with ESMTPSA' in got and 'MAIL' not in bank.commands(
        secure=False), 'TLS all the way: with ESMTPSA from alice, and no '
        'MAIL outside of TLS at the bank')
    line = relay.wait_log(r'event=rcpt .*to=%s hop=bank.*' % BOB).group(0)
    show(line, 'relay.log', width=500)
    expect('tls=' in line and 'dane-only' in line,
           'the bank was proven to be the bank, by DANE')


def kept_back(relay, postfix, cafe):
    step('alice writes to carol@cafe.example, who has no TLS')
    said = submit(relay, CAROL, 'Salary')
    expect(said.startswith('250'), 'submitted: ' + said)
    base.wait_for(lambda: 'status=deferred' in postfix.log(),
                  'Postfix to defer it')
    out = postfix.command('postqueue', '-c',
                          os.path.join(postfix.dir, 'etc'), '-p')[1]
    show(out, 'postqueue -p', 12, width=300)
    expect(CAROL.encode() in out and b'4.7.4' in out,
           'it stays in the queue, and the reason says why')
    expect('MAIL' not in cafe.commands() and not cafe.seen,
           'the cafe saw no MAIL command, and not one octet of it')
    story = base.must_run([base.POSTSEAL, '-c', relay.conf, 'policy',
                           'explain', '--route', 'egress', CAROL])
    show(story, 'postseal policy explain ' + CAROL, 30)


def main():
    base.need_root()
    base.need_postfix()
    need_relay()
    need_directories()
    base.prepare()
    folder = tempfile.mkdtemp(prefix='postseal-demo-relay-')
    os.chmod(folder, 0o755)
    base.at_exit(lambda: print(
        '\nAll that was started has ended. To look around: %s' % folder,
        flush=True))
    try:
        relay, postfix, bank, cafe = world(folder)
        without_tls(relay)
        delivered(relay, bank)
        kept_back(relay, postfix, cafe)
    except base.Failed as e:
        print(paint('31', 'This should not happen: ') + str(e))
        return 1
    finally:
        base.clean_up()
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except base.Skip as e:
        sys.exit('demo: %s' % e)
