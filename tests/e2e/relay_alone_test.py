#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""The command for who runs postseal-relay and no milter: a postseal.conf with
nothing but relay { }."""
import json
import os
import pwd
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import base  # noqa: E402
from base import check, equal, free_port, run, test  # noqa: E402
from directories import write  # noqa: E402
from relay import CA, RELAY, Relay, need_relay  # noqa: E402

W = {}  # the world of this file

POP3 = '''
    pki mail {{
        cert "{crt}"
        key  "{key}"
    }}
    listen pop3 {{
        protocol pop3
        on "127.0.0.1:{port}" implicit
        pki mail
        backend "127.0.0.1:{plain}" proxy-v2
    }}
'''
EGRESS = '''
    listen egress {
        protocol lmtp
        on "unix:{d}/run/\\" event=x result=sent y=\\"" mode 0666
        route egress
    }
    route egress {
        mx
    }
'''

# What each verb that is about the milter's part is called with.
VERBS = (['status'], ['report'], ['explain', 'abc'], ['rules', 'check'],
         ['rules', 'explain', '--from', 'alice@a.example', '--to',
          'bob@b.example'], ['cert', 'list'], ['key', 'list'], ['ca', 'list'],
         ['crl', 'list'], ['secret', 'check'], ['backup', '-'], ['audit'],
         ['seal', '--from', 'alice@a.example', '--to', 'bob@b.example'],
         ['quarantine', 'list'], ['notice'])


def setup():
    need_relay()
    W['dir'] = base.temporary()
    key, crt = CA(os.path.join(W['dir'], 'ca')).server(
        'mail.example.com', days='100')
    W.update(key=key, crt=crt, port=free_port(), plain=free_port())
    W['relay'] = Relay(os.path.join(W['dir'], 'relay'), POP3.format(**W))


def postseal(*args, conf=None):
    """-> (status, out, err)."""
    status, out, err = run([base.POSTSEAL, '-c', conf or W['relay'].conf,
                            *args])
    return status, out.decode(), err.decode()


def doctor(*args, conf=None, status=0):
    """-> {check: level}, of one that is there twice the last."""
    got, out, err = postseal('doctor', '--json', *args, conf=conf)
    equal((got, err), (status, ''), out)
    return {r['check']: r['level'] for r in json.loads(out)}


@test
def doctor_looks_at_the_relay_alone():
    r = W['relay']
    found = doctor()
    equal(found.pop('relay-chain'), 'hint', 'a CA of our own')
    equal(found, {'relay-not-running': 'warning'}, 'before it runs')
    r.start()
    equal(set(doctor()), {'relay-chain'}, 'while it runs')
    status, out, err = postseal('doctor')
    equal((status, err), (0, ''), out)
    check(out.endswith('\n0 dangerous, 0 warnings, 1 hints\n'), 'text', out)
    r.stop()
    os.chmod(r.conf, 0o666)
    equal(doctor(status=78).get('config-mode'), 'danger', 'for everybody')
    os.chmod(r.conf, 0o644)


@test
def doctor_asks_a_postfix_about_the_relay_and_no_more():
    r = W['relay']
    place = os.path.join(W['dir'], 'queue/postseal/egress')
    with open(r.conf, encoding='utf-8') as f:
        text = f.read()
    conf = write(os.path.join(W['dir'], 'egress.conf'), text.replace(
        'listen pop3', 'listen egress {\n protocol lmtp\n on "unix:%s"\n '
        'route egress\n}\nroute egress {\n mx\n}\nlisten pop3' % place))
    main = ('queue_directory = %s/queue\nmilter_default_action = accept\n'
            'milter_content_timeout = 60s\nsmtpd_milters =\n' % W['dir'])
    write(os.path.join(W['dir'], 'main.cf'), '')
    program = os.path.join(W['dir'], 'postconf')
    for more, unused in (
            ('', 'warning'), ('transport_maps = hash:/x\n', 'hint'),
            ('default_transport = lmtp:unix:postseal/egress\n', None)):
        write(program, '#!/bin/sh\n[ "$*" = "${*#*-M}" ] || { echo '
              '"submission inet n - n - - smtpd"; exit 0; }\n[ "$*" = '
              '"${*#*-P}" ] || exit 0\ncat <<END\n%sEND\n' % (main + more))
        os.chmod(program, 0o755)
        found = doctor('--postconf', program, '--config-dir', W['dir'],
                       conf=conf)
        equal(found.get('relay-unused'), unused, more)
        check(all(x.startswith('relay-') for x in found), 'of the milter',
              found)
    found = doctor('--mta', 'sendmail', conf=conf)
    equal(found.get('mta-unread'), 'hint', 'Sendmail')


@test
def what_is_about_the_milter_says_so_in_one_line():
    for verb in VERBS:
        status, out, err = postseal(*verb)
        equal((status, out), (78, ''), ' '.join(verb))
        equal(err.count('\n'), 1, err)
        check('only relay { } is configured here' in err and
              '"postseal %s' % verb[0] in err and 'postseal doctor' in err,
              'what to do', err)
    status, _, err = run([base.MILTER, '-n', '-c', W['relay'].conf])
    equal((status, err.count(b'\n')), (78, 2), err)
    check(b'nothing but relay { }' in err and b'missing: ' not in err, 'milter',
          err)


@test
def a_fault_of_the_file_is_said_as_it_is():
    path = os.path.join(W['dir'], 'wrong.conf')
    for text, status, wanted in (
            ('relay {\n socketmap "127.0.0.1:1"\n', 78, 'has no }'),
            ('relay {\n}\ncolour blue\n', 78, ':3:1: unknown statement'),
            ('log stderr\n', 78, 'missing: rules'),
            ('relay {\n}\nrules "r"\n', 78, 'missing: keystore')):
        write(path, text)
        for verb in ('doctor', 'status'):
            got, out, err = postseal(verb, conf=path)
            equal((got, out), (status, ''), err)
            check(wanted in err, wanted, err)
    write(path, 'relay {\n colour blue\n}\n')
    equal(doctor(conf=path), {'relay-config': 'warning'}, 'in relay { }')


@test
def what_import_prints_goes_into_the_one_block():
    conf = os.path.join(W['dir'], 'more.conf')
    for name, line in (('a', 'default may'), ('b', 'to a.example encrypt')):
        write(os.path.join(W['dir'], name + '.inc'), '# from a file\n'
              'tls-policy {\n    %s\n}\n' % line)
    socketmap = ' socketmap "unix:%s/run/map"\n' % W['relay'].dir
    write(conf, 'relay {\n%s include "a.inc"\n include "b.inc"\n}\n' %
          socketmap)
    status, _, err = postseal('relay', 'check', conf=conf)
    equal(status, 78, err)
    check(re.search(r'b\.inc:2:1: tls-policy stands in \S*a\.inc, line 2 '
                    'already: write the lines of both into one block', err),
          'both places', err)
    write(conf, 'relay {\n%s}\ninclude "a.inc"\n' % socketmap)
    for argv in ([base.POSTSEAL, '-c', conf, 'relay', 'check'],
                 [RELAY, '-n', '-c', conf]):
        status, _, err = run(argv)
        equal(status, 78, err)
        check(b'expected within the braces of relay { }' in err, 'beside it',
              err)


@test
def A42_a_warning_in_the_log_is_one_value():
    """attack A42: a name in the configuration that has quotes and a pair of
    its own
    verdict: escaped, in the log of a start and of a reload"""
    r = Relay(os.path.join(W['dir'], 'quotes'), EGRESS)
    r.start()
    r.reload()
    said = re.findall(r'event=(\w+) warning="listen egress: .*', r.log())
    equal(said, ['start', 'reload'], r.log())
    check(r'run/\" event=x result=sent y=\" lets' in r.log(), 'not escaped',
          r.log())
    r.stop()


SUBMISSION = '''
    pki mail {{
        cert "{crt}"
        key  "{key}"
    }}
    listen submission {{
        protocol submission
        on "127.0.0.1:{port}" implicit
        pki mail
        auth passwd "passwd"
        route mta
    }}
    route mta {{
        host "127.0.0.1:{plain}" tls none xclient
    }}
'''


@test
def a_password_file_that_is_read_but_once_is_said():
    if os.getuid() != 0:
        raise base.Skip('not root')
    r = Relay(os.path.join(W['dir'], 'submission'), SUBMISSION.format(**W))
    base.must_run([base.POSTSEAL, 'relay', 'passwd', '--password-file', '-',
                   r.path('passwd'), 'alice@a.example'],
                  b'seven-mauve-kites-41\n')
    for mode, group, wanted in ((0o600, 0, True), (0o640, 0, True), (
            0o640, pwd.getpwnam(base.MILTER_USER).pw_gid, False)):
        os.chown(r.path('passwd'), 0, group)
        os.chmod(r.path('passwd'), mode)
        status, _, err = r.check_conf()
        equal(status, 0, err)
        equal(b'a password that changes counts after a reload' in err, wanted,
              '%o %d' % (mode, group))
    equal(set(doctor(conf=r.conf)), {'relay-chain', 'relay-not-running'},
          'doctor')


@test
def a_file_that_is_not_there_is_said_alike():
    usual = 'names another'
    for verb in (['relay', 'check'], ['policy', 'explain', 'a.example'],
                 ['doctor'], ['status']):
        for conf, words in (('/nonexistent', usual), ('/tmp', 'a folder; ')):
            status, out, err = postseal(*verb, conf=conf)
            equal((status, out, err.count('\n')), (78, '', 1), err)
            check(err.startswith('postseal: configuration ' + conf) and
                  words in err, ' '.join(verb), err)
    status, _, err = run([base.POSTSEAL, 'relay', 'check', '-c', '/x'])
    equal(status, 64, err)
    check(b'-c FILE stands before the verb' in err, 'behind the verb', err)


@test
def the_sample_of_tunnels_is_one():
    sample = os.path.join(base.SAMPLES, 'relay-tunnels.conf')
    status, out, err = postseal('relay', 'check', conf=sample)
    equal((status, err), (0, ''), out)
    check('5 listeners' in out, 'listeners', out)
    found = doctor(conf=sample)
    check(all(x.startswith('relay-') for x in found), 'of the milter', found)


if __name__ == '__main__':
    base.main(setup)
