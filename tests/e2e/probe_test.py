#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""postseal policy probe and postseal relay import --probe: live tries of next
hops that are good, wrong, old, silent and lying."""
import json
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
import relay  # noqa: E402
from directories import write  # noqa: E402
from lib import POSTSEAL, check, equal, free_port  # noqa: E402
from lib import must_run, run, test  # noqa: E402

base = ca = good = None


def config(name, rules, port):
    """relay { } whose one route goes to that port."""
    return relay.Relay(os.path.join(base, name), '''
    ca corp { file "%s"
    }
    socketmap "unix:{d}/run/map"
    route out {
        host "127.0.0.1:%d"
    }
    tls-policy {
        %s
    }
''' % (ca.crt, port, rules.replace('PORT', str(port)))).conf


def probe(conf, dest, *more):
    return run([POSTSEAL, '-c', conf, 'policy', 'probe', dest, *more])


def probed(conf, dest, status=0):
    """-> the first host of --json."""
    rc, out, err = probe(conf, dest, '--json')
    equal(rc, status, 'probe: %s %s' % (out, err))
    return json.loads(out)['hosts'][0]


def sink(name, names=('mx.a.example',), **more):
    tls = ca.server(*names, days=more.pop('days', '20'))
    return relay.TlsSink(os.path.join(base, name), tls, **more), tls[1]


def never_mail(s):
    """No probe says more than it must."""
    equal(set(s.commands()) - {'EHLO', 'STARTTLS', 'QUIT', ''}, set(),
          'commands of a probe')


@test
def T45_a_host_is_asked_for_by_the_name_of_its_line():
    s, _ = sink('servername')
    asked = []
    s.context.sni_callback = lambda _sock, name, _c: asked.append(name)
    for name, wanted in (('', 'localhost'), ('servername hostname',
                                             'localhost'),
                         ('servername b.example', 'b.example')):
        conf = config('sni' + wanted + name[-3:], 'to [localhost]:PORT '
                      'encrypt ' + name, s.port)
        probe(conf, '[localhost]:%d' % s.port)
        equal(asked.pop(), wanted, name)


@test
def a_host_that_is_as_the_policy_asks():
    s, crt = sink('good')
    conf = config('good', 'to "[127.0.0.1]:PORT" secure match mx.a.example '
                  'ca corp', s.port)
    for dest in ('[127.0.0.1]:%d' % s.port, 'b.example'):
        h = probed(conf, dest)
        equal((h['result'], h['reached'], h['match'], h['asked']),
              ('success', 'secure', 'mx.a.example', 'secure'), dest)
        equal(h['chain'][0]['sha256'], relay.sha256(crt), 'certificate')
        equal(h['chain'][0]['subject'], 'CN=server', 'subject')
        check(h['connected'] and h['tls'], 'TLS', h)
    rc, out, _ = probe(conf, 'b.example')
    equal(rc, 0, 'status')
    for text in (b'asked       secure', b'reached     secure',
                 b'match       mx.a.example', b'verdict     success',
                 b'issuer CN=Test root', relay.sha256(crt).encode()):
        check(text in out, text.decode(), out)
    never_mail(s)


@test
def T34_what_a_policy_refuses_is_said_by_its_name():
    s, _ = sink('bad')
    for rules, result in (
            ('secure match mx.b.example ca corp',
             'certificate-host-mismatch'),
            ('secure match mx.a.example', 'certificate-not-trusted'),
            ('fingerprint sha256:' + '0' * 64, 'certificate-not-trusted'),
            ('verify ca corp', 'certificate-host-mismatch')):
        conf = config('bad', 'to "[127.0.0.1]:PORT" ' + rules, s.port)
        h = probed(conf, 'b.example', 69)
        equal(h['result'], result, rules)
        check(h['reason'] and h['reached'] == 'encrypt', 'reason', h)
        check(h['chain'], 'the chain is shown', h)
    never_mail(s)


@test
def T34_no_starttls_and_nobody_there():
    s, _ = sink('plain', starttls=False)
    must = 'to "[127.0.0.1]:PORT" encrypt'
    h = probed(config('plain', must, s.port), 'b.example', 69)
    equal(h['result'], 'starttls-not-supported', 'result')
    h = probed(config('may', 'to "[127.0.0.1]:PORT" may', s.port),
               'b.example')
    check(not h['tls'], 'may goes on in plaintext', h)
    s.starttls, s.starttls_answer = True, b'454 4.7.0 not now'
    h = probed(config('plain', must, s.port), 'b.example', 69)
    equal(h['result'], 'starttls-not-supported', 'result')
    check('454' in h['reason'], 'reason', h)
    h = probed(config('away', must, free_port()), 'b.example', 75)
    check(not h['connected'] and h['error'], 'nobody', h)
    never_mail(s)


def scripted(answers):
    """A server that says these things, one after each line."""
    listener = socket.create_server(('127.0.0.1', 0))

    def serve():
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            with c, c.makefile('rb') as f:
                for i, a in enumerate(answers):
                    if i > 0 and not f.readline():
                        break
                    c.sendall(a)
    threading.Thread(target=serve, daemon=True).start()
    return listener, listener.getsockname()[1]


@test
def T36_A66_octets_behind_the_answer_to_starttls():
    """attack A66: replies are injected before the handshake
    verdict: no TLS is begun; validation-failure"""
    for first, second in ((b'220 go\r\n250-x\r\n250 AUTH PLAIN\r\n', b''),
                          (b'220-go\r\n250 x\r\n', b''),
                          (b'220 go\r\n', b'\x16\x03junk')):
        listener, port = scripted([b'220 mx ESMTP\r\n',
                                   b'250-mx\r\n250 STARTTLS\r\n',
                                   first, second])
        conf = config('inject', 'to "[127.0.0.1]:PORT" encrypt', port)
        h = probed(conf, 'b.example', 69)
        check(not h['tls'], 'no TLS', h)
        listener.close()


@test
def T37_greetings_and_replies_that_are_none():
    for answers in ([b'554 go away\r\n'], [b'\x1b[2Jhello\r\n'],
                    [b'220 mx\r\n', b'500 what\r\n', b'500 what\r\n'],
                    [b'220 mx\r\n', b'250-x\r\n' * 5000]):
        listener, port = scripted(answers)
        conf = config('odd', 'to "[127.0.0.1]:PORT" encrypt', port)
        rc, out, err = probe(conf, 'b.example')
        check(rc in (69, 75), 'status %d' % rc, out, err)
        check(b'\x1b' not in out + err, 'no escapes', out)
        listener.close()


@test
def T13_implicit_tls():
    s, _ = sink('implicit', implicit=True)
    conf = config('implicit', 'to "[127.0.0.1]:PORT" secure match '
                  'mx.a.example ca corp implicit', s.port)
    equal(probed(conf, '[127.0.0.1]:%d' % s.port)['result'], 'success',
          'result')
    never_mail(s)


@test
def T42_a_pin_that_is_printed_is_one_that_holds():
    s, crt = sink('pin')
    dest = '[127.0.0.1]:%d' % s.port
    conf = config('pin', 'default encrypt', s.port)
    rc, out, err = probe(conf, dest, '--pin')
    equal(rc, 0, 'status %s' % err)
    line = out.decode().strip().split('\n')[-1]
    equal(line, 'to %s fingerprint sha256:%s' % (dest, relay.sha256(crt)),
          'the line')
    conf = config('pinned', line, s.port)
    equal(probed(conf, dest)['reached'], 'fingerprint', 'level')
    s.context.load_cert_chain(*reversed(ca.server('mx.a.example')))
    equal(probed(conf, dest, 69)['result'], 'certificate-not-trusted',
          'another certificate')


@test
def T42_a_pin_is_for_the_next_hop_of_the_route():
    s, crt = sink('pin-route')
    hop = '[127.0.0.1]:%d' % s.port
    conf = config('pin-route', 'default encrypt', s.port)
    rc, out, err = probe(conf, 'a.example', '--pin', '--route', 'out')
    equal(rc, 0, 'status %s' % err)
    equal(out.decode().strip().split('\n')[-1], 'to %s fingerprint sha256:%s'
          % (hop, relay.sha256(crt)), 'the line')


def digest(crt, kind):
    out = must_run(['openssl', 'x509', '-in', crt, '-noout', '-fingerprint',
                    '-' + kind]).decode()
    return out.strip().split('=')[1]


@test
def T42_an_old_fingerprint_is_compared_once():
    s, crt = sink('old')
    dest = '[127.0.0.1]:%d' % s.port
    for kind in ('md5', 'sha1', 'sha512'):
        path = write(os.path.join(base, 'table'), '%s fingerprint match=%s\n'
                     % (dest, digest(crt, kind)))
        rc, out, err = run([POSTSEAL, 'relay', 'import', 'tls_policy', path])
        equal(rc, 65, 'without --probe')
        check(b'NOT KEPT' in out and b'--probe' in out, 'said', out)
        check(('line 1 is NOT KEPT, mail for %s WAITS: ' % dest).encode()
              in err, 'said on standard error', err)
        rc, out, err = run([POSTSEAL, 'relay', 'import', 'tls_policy', path,
                            '--probe'])
        equal(rc, 0, 'with --probe %s %s' % (out, err))
        check(('    to %s fingerprint sha256:%s\n' % (
            dest, relay.sha256(crt))).encode() in out, 'SHA-256', out)
        write(path, '%s fingerprint match=%s\n' % (
            dest, digest(good, kind)))
        rc, out, _ = run([POSTSEAL, 'relay', 'import', 'tls_policy', path,
                          '--probe'])
        equal(rc, 65, 'another certificate')
        check(b'another certificate' in out, 'said', out)
    check(len([c for c in s.commands() if c == 'STARTTLS']) == 6,
          'once for each run', s.commands())
    never_mail(s)


@test
def what_is_imported_is_a_configuration():
    path = write(os.path.join(base, 'dests'),
                 '=mx.a.example:%s\n*:\n!b.example:\n' % ca.crt)
    rc, out, err = run([POSTSEAL, 'relay', 'import', 'tlsdestinations',
                        path])
    equal(rc, 0, 'import %s' % err)
    conf = write(os.path.join(base, 'whole.conf'), 'relay {\n    socketmap '
                 '"unix:/run/map"\n    route out {\n        mx\n    }\n' +
                 out.decode() + '}\n')
    rc, out, err = run([POSTSEAL, 'relay', 'check', conf])
    equal(rc, 0, 'check %s %s' % (out, err))
    check(b'1 routes, 3 lines' in out, 'counts', out)
    rc, _, err = run([POSTSEAL, 'relay', 'check', path])
    equal(rc, 78, 'no configuration')


@test
def T70_mail_of_a_line_that_is_not_kept_waits():
    """It may not leave by the line of the domain above it."""
    s, crt = sink('waits')
    path = write(os.path.join(base, 'lost'), '[127.0.0.1]:%d secure x=y\n'
                 % s.port)
    rc, out, err = run([POSTSEAL, 'relay', 'import', 'tls_policy', path])
    equal(rc, 65, 'import %s' % err)
    conf = write(os.path.join(base, 'waits.conf'), 'relay {\n    route out {'
                 '\n        mx\n        nearby 127.0.0.0/8\n    }\n    '
                 'socketmap "unix:/run/map"\n' +
                 out.decode().replace('# default may', 'default may') + '}\n')
    rc, out, err = run([POSTSEAL, '-c', conf, 'policy', 'probe',
                        '[127.0.0.1]:%d' % s.port])
    equal(rc, 69, 'probe %s %s' % (out, err))
    check(b'asked       secure' in out, 'what is asked', out)
    rc, out, err = run([POSTSEAL, 'relay', 'check', conf])
    equal(rc, 0, 'check %s %s' % (out, err))
    check(b'this mail waits' in out + err, 'warned', out, err)
    never_mail(s)


def setup():
    global base, ca, good
    base = lib.temporary('probe')
    os.chmod(base, 0o755)
    ca = relay.CA(os.path.join(base, 'ca'))
    good = ca.server('mx.a.example')[1]


if __name__ == '__main__':
    lib.main(setup)
