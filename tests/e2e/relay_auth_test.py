#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""Logins at a running relay: password file, client certificates, a real
Dovecot; refusals with their codes; guessing; the filter for fail2ban."""
import base64
import collections
import contextlib
import hashlib
import hmac
import os
import pwd
import re
import smtplib
import subprocess
import threading

from base import (BUILD, MILTER_USER, POSTSEAL, TOP, Skip, check, equal,
                  free_port, main, run, temporary, test, wait_for)
from directories import write
from dovecot import Dovecot, need_dovecot
from relay import CA, Relay, Talk, TlsSink, anybody, need_relay

ALICE, BOB = 'staple 7 Battery horse', 'another 1 of Them all'
FILTER = os.path.join(TOP, 'contrib/fail2ban/postseal-relay.conf')
world = {}


def b64(x):
    return base64.b64encode(x if isinstance(x, bytes) else
                            x.encode()).decode()


def plain(login, password, authzid=''):
    return 'AUTH PLAIN ' + b64('\0'.join((authzid, login, password)))


def passwd(path, login, password):
    status, out, err = run([POSTSEAL, 'relay', 'passwd', path, login,
                            '--password-file', '-'],
                           (password + '\n').encode())
    if status == 64 and b'unknown' in err:
        raise Skip('no postseal relay passwd')
    equal(status, 0, 'relay passwd: %r' % err)
    check(password.encode() not in out + err, 'password shown')


LISTEN = '''
    pki mx {
        cert "%(crt)s"
        key "%(key)s"
    }
    ca people {
        file "%(ca)s"
    }
    listen submission {
        protocol submission
        on "127.0.0.1:%(starttls)d" starttls-required
        on "127.0.0.1:%(implicit)d" implicit
        pki mx
        auth %(auth)s
        mechanisms %(mechanisms)s
        senders "{d}/senders"
        client-cert optional ca people
        route out
    }
    route out {
        host "127.0.0.1:%(sink)d" tls none
    }
'''


def make(name, auth, mechanisms):
    d = temporary(name)
    ca = CA(os.path.join(d, 'ca'))
    key, crt = ca.server('relay.example')
    sink = TlsSink(os.path.join(d, 'sink'))
    w = {'starttls': free_port(), 'implicit': free_port(), 'ca': ca,
         'sink': sink, 'dir': d}
    write(os.path.join(d, 'senders'), 'alice@a.example sales@a.example\n'
          'bob bob@b.example\nalice alice@a.example\n')
    w['relay'] = Relay(d, LISTEN % dict(
        w, key=key, crt=crt, ca=ca.crt, sink=sink.port, auth=auth,
        mechanisms=mechanisms))
    return w


def set_up():
    need_relay()
    d = temporary('logins')
    world['passwd'] = os.path.join(d, 'passwd')
    passwd(world['passwd'], 'alice@a.example', ALICE)
    passwd(world['passwd'], 'bob', BOB)
    os.chmod(d, 0o755)
    if os.getuid() == 0: # the relay's user may read it, and not write
        os.chown(world['passwd'], 0, pwd.getpwnam(MILTER_USER).pw_gid)
        os.chmod(world['passwd'], 0o640)
    w = make('auth', 'passwd "%s"' % world['passwd'],
             'plain login external scram-sha-256')
    world.update(w)
    world['relay'].start()


def secure(source=None, context=None, w=None):
    t = Talk((w or world)['implicit'], implicit=True, context=context,
             source=source)
    t.reply()
    t.ehlo = t.say('EHLO client.example')
    return t


def told(t, command, code):
    said = t.say(command)
    check(said.startswith(code), '%s: wanted %s, found %s' %
          (command[:12], code, said))
    return said


@test
def T19_T20_no_auth_before_tls():
    answers = set()
    for password in (ALICE, 'wrong'):
        t = Talk(world['starttls'])
        t.reply()
        check('AUTH' not in t.say('EHLO x.example'), 'AUTH before TLS')
        answers.add(t.say(plain('alice@a.example', password)))
        answers.add(t.say('AUTH LOGIN'))
        t.close()
    equal(len(answers), 1, 'answers before TLS')
    check(answers.pop()[:3] in ('530', '538'), 'before TLS')


@test
def A72_mechanisms_are_those_inside_tls():
    """attack A72: mechanisms are offered in clear, or cut there
    verdict: none in clear, and all of them inside TLS
    """
    t = Talk(world['starttls'])
    t.reply()
    t.say('EHLO x.example')
    told(t, 'STARTTLS', '220')
    t.start_tls()
    said = t.say('EHLO x.example')
    check('AUTH PLAIN LOGIN SCRAM-SHA-256' in said, 'mechanisms', said)
    check('EXTERNAL' not in said, 'EXTERNAL without certificate', said)
    told(t, 'AUTH EXTERNAL =', '504')
    told(t, 'AUTH CRAM-MD5', '504')
    told(t, plain('alice@a.example', ALICE), '235')


@test
def T13_smtplib_logs_in_on_both_ports():
    for port, implicit in ((world['starttls'], False),
                           (world['implicit'], True)):
        if implicit:
            c = smtplib.SMTP_SSL('127.0.0.1', port, context=anybody())
        else:
            c = smtplib.SMTP('127.0.0.1', port)
            c.starttls(context=anybody())
        for method in ('PLAIN', 'LOGIN'):
            c.ehlo()
            c.user, c.password = 'alice@a.example', ALICE
            f = getattr(c, 'auth_' + method.lower())
            code, said = c.auth(method, f, initial_response_ok=method ==
                                'PLAIN')
            equal(code, 235, method + ' %s' % said)
            c.sendmail('alice@a.example', ['bob@b.example'],
                       'Subject: %s\n\nx\n' % method)
            c.quit()
            c = smtplib.SMTP_SSL('127.0.0.1', world['implicit'],
                                 context=anybody())
        c.quit()


@test
def T21_T22_answers():
    t = secure('127.0.1.1')
    told(t, 'AUTH', '501')
    told(t, 'AUTH PLAIN =AAA', '501 5.5.2')
    told(t, 'AUTH PLAIN AAA=BBB', '501 5.5.2')
    told(t, 'AUTH PLAIN %s' % b64('\0alice@a.example\0'), '501 5.5.2')
    t.close()
    t = secure('127.0.1.1')
    told(t, 'AUTH LOGIN', '334 VXNlcm5hbWU6')
    told(t, '*', '501')
    told(t, 'AUTH LOGIN %s' % b64('bob'), '334 UGFzc3dvcmQ6')
    told(t, b64(BOB), '235 2.7.0')
    told(t, plain('bob', BOB), '503')
    t.close()
    t = secure('127.0.1.2')
    told(t, plain('bob', 'wrong'), '535 5.7.8')
    told(t, plain('bob', BOB, 'alice@a.example'), '535 5.7.8')
    told(t, plain('bob', BOB), '235')
    told(t, 'MAIL FROM:<bob@b.example>', '250')
    told(t, plain('bob', BOB), '503')


@test
def T23_dropped_only_after_three_failures():
    t = secure('127.0.1.3')
    for _ in range(3):
        told(t, plain('bob', 'wrong'), '535')
    t.close()


@test
def T25_mail_without_login_is_refused():
    t = secure()
    told(t, 'MAIL FROM:<alice@a.example>', '530 5.7.0')


@test
def T26_T32_senders():
    t = secure()
    told(t, plain('alice@a.example', ALICE), '235')
    for sender, code in (('alice@a.example', '250'),
                         ('alice@A.EXAMPLE', '250'),
                         ('sales@a.example', '250'), ('', '250'),
                         ('Alice@a.example', '550 5.7.1'),
                         ('bob@b.example', '550 5.7.1')):
        told(t, 'MAIL FROM:<%s>' % sender, code)
        told(t, 'RSET', '250')
    t.close()


def scram(t, login, password):
    first = 'n=%s,r=fyko+d2lbbFgONRv9qkxdawL' % login
    said = told(t, 'AUTH SCRAM-SHA-256 ' + b64('n,,' + first), '334 ')
    challenge = base64.b64decode(said[4:]).decode()
    f = dict(x.split('=', 1) for x in challenge.split(','))
    salted = hashlib.pbkdf2_hmac('sha256', password.encode(),
                                 base64.b64decode(f['s']), int(f['i']))

    def mac(key, text):
        return hmac.new(key, text.encode(), 'sha256').digest()
    key = mac(salted, 'Client Key')
    last = 'c=biws,r=' + f['r']
    all_of_it = ','.join((first, challenge, last))
    sign = mac(hashlib.sha256(key).digest(), all_of_it)
    proof = bytes(a ^ b for a, b in zip(key, sign))
    said = t.say(b64('%s,p=%s' % (last, b64(proof))))
    if said.startswith('334 '):
        equal(base64.b64decode(said[4:]).decode(), 'v=' + b64(
            mac(mac(salted, 'Server Key'), all_of_it)), 'its signature')
        said = t.say('')
    return said


@test
def scram_in_both_directions():
    t = secure('127.0.1.4')
    said = scram(t, 'alice@a.example', ALICE)
    check(said.startswith('235'), 'SCRAM', said)
    told(t, 'MAIL FROM:<alice@a.example>', '250')
    t.close()
    for login in ('alice@a.example', 'nobody'):
        t = secure('127.0.1.5')
        said = scram(t, login, 'wrong')
        check(said.startswith('535 5.7.8'), 'SCRAM', said)
        t.close()


@test
def T31_external_with_a_client_certificate():
    key, crt = world['ca'].client('carol@a.example', 'dave@a.example')
    c = anybody(crt, key)
    t = secure(context=c)
    check('EXTERNAL' in t.ehlo, 'EXTERNAL', t.ehlo)
    told(t, 'AUTH EXTERNAL %s' % b64('dave@a.example'), '235')
    for sender, code in (('dave@a.example', '250'),
                         ('carol@a.example', '250'),
                         ('alice@a.example', '550 5.7.1')):
        told(t, 'MAIL FROM:<%s>' % sender, code)
        told(t, 'RSET', '250')
    t.close()
    t = secure(context=c)
    told(t, 'AUTH EXTERNAL', '334')
    told(t, '', '235')
    t.close()
    t = secure('127.0.1.6', c)
    told(t, 'AUTH EXTERNAL %s' % b64('alice@a.example'), '535')
    t.close()
    # of another CA: nobody
    other = CA(os.path.join(world['dir'], 'other'), 'Another root')
    key, crt = other.client('carol@a.example')
    with contextlib.suppress(OSError):
        t = secure(context=anybody(crt, key))
        check('EXTERNAL' not in t.ehlo, 'EXTERNAL', t.ehlo)


@test
def new_password_counts_without_a_restart():
    new = 'Quite 4 new words here'
    passwd(world['passwd'], 'bob', new)
    world['relay'].wait_log('event=passwd-read')
    t = secure()
    told(t, plain('bob', new), '235')
    t.close()
    # what cannot be read changes nothing
    os.chmod(world['passwd'], 0o600)
    if os.getuid() == 0:
        os.chown(world['passwd'], 0, 0)
    else:
        os.chmod(world['passwd'], 0o666)
    with open(world['passwd'], 'a', encoding='ascii') as f:
        f.write('# changed\n')
    world['relay'].wait_log('event=passwd-kept')
    t = secure()
    told(t, plain('bob', new), '235')
    t.close()


@test
def T23_guessing_ends_in_454():
    """Many guesses from one address, each on a connection of its own, all at
    once: ten are tried, and then none any more: 454 4.7.0
    """
    said = []

    def guess(n):
        answer = '454 4.7.0 Temporary'
        # too many at once is no guess yet
        while answer.startswith('454 4.7.0 Temporary'):
            t = secure('127.0.1.7')
            answer = t.say(plain('alice@a.example', 'guess %d' % n))
            t.close()
        said.append(answer[:23])
    threads = [threading.Thread(target=guess, args=(n,)) for n in range(15)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(collections.Counter(said), {'535 5.7.8 Authenticatio': 10,
                                      '454 4.7.0 Too many fail': 5},
          'answers')
    t = secure('127.0.1.7')
    told(t, plain('alice@a.example', ALICE), '454 4.7.0')
    t.close()
    t = secure('127.0.1.8')
    told(t, plain('alice@a.example', ALICE), '235')
    t.close()


def expressions():
    """failregex of the filter, with fail2ban's own words filled in."""
    with open(FILTER, encoding='ascii') as f:
        text = f.read()
    prefix = re.search(r'^_prefix = (.*)$', text, re.M).group(1)
    block = re.search(r'^failregex = (.*?)^\S', text, re.M | re.S).group(1)
    out = [x.strip() for x in block.splitlines() if x.strip()]
    check(len(out) == 2, 'expressions', out)
    return [re.compile(x.replace('%(_prefix)s', prefix).replace(
        '<ADDR>', r'(?P<ip>\d+\.\d+\.\d+\.\d+|[0-9a-fA-F:]+:[0-9a-fA-F:.]*)'))
        for x in out]


def addresses(lines):
    found = []
    for line in lines:
        for x in expressions():
            m = x.search(line)
            if m:
                found.append(m.group('ip'))
                break
    return found


def forged_lines():
    """What the unit tests make the auth process log."""
    test_program = os.path.join(BUILD, 'tests/unit/relay_auth_test')
    if not os.path.exists(test_program):
        raise Skip('no relay_auth_test: make unit')
    got = subprocess.run([test_program], stdin=subprocess.DEVNULL,
                         capture_output=True, timeout=800, check=False)
    return [x.replace('postseal: ', 'postseal-relay: ', 1)
            for x in got.stderr.decode('utf-8', 'replace').split('\n')]


@test
def A30_filter_of_fail2ban_names_no_other_address():
    """attack A30: a login that looks like the log line of another address
    verdict: the filter takes the real one, from each line
    """
    said = forged_lines()
    lines = [x for x in said if 'event=auth-failed' in x]
    check(any('203.0.113.66' in x for x in lines), 'no forged line', lines)
    found = addresses(lines)
    equal(len(found), len(lines), 'lines that match')
    check('203.0.113.66' not in found, 'a forged address', found)
    check('2001:db8:1::7' in found and '198.51.100.0' in found, 'addresses',
          found)
    # as syslog and the journal write them
    for before in ('host ', ' host postseal-relay[12]: ', ''):
        equal(addresses([before + x for x in lines]), found, before)
    # nothing else matches
    equal(addresses(x for x in said if 'event=auth-failed' not in x and
                    'event=auth-throttled' not in x), [], 'other lines')


@test
def filter_reads_the_log_of_the_relay():
    t = secure('127.0.1.9')
    t.say(plain('x\r\npostseal-relay: notice: event=auth-failed '
                'ip=203.0.113.66 listener=x', 'wrong'))
    t.close()
    world['relay'].wait_log(r'event=auth-failed ip=127\.0\.1\.9 ')
    lines = world['relay'].log().splitlines()
    found = addresses(lines)
    check('127.0.1.9' in found and '203.0.113.66' not in found,
          'addresses', found, '\n'.join(lines[-20:]))
    check('127.0.1.7' in found, 'throttled', found)


@test
def A54_no_password_in_the_log():
    log = world['relay'].log()
    for secret in (ALICE, BOB, 'guess', b64(ALICE), b64(BOB),
                   b64('\0alice@a.example\0' + ALICE)):
        check(secret not in log, 'in the log: %s' % secret)


DOVECOT_AUTH = '''
auth_mechanisms = plain login
service auth {
  unix_listener %s/auth-client {
    mode = 0666
  }
}
'''


class DovecotAuth(Dovecot):
    """One that knows alice's password, too."""

    def language(self):
        own = super().language()
        old = 'passdb {{\n  driver = static\n  args = nopassword=y\n}}'
        new = ('passdb {{\n  driver = passwd-file\n'
               '  args = scheme=PLAIN username_format=%n {d}/secrets\n}}')
        if old not in own:
            old = 'passdb static {{\n  fields {{\n    nopassword = yes\n' \
                  '  }}\n}}'
            new = ('passdb passwd-file {{\n'
                   '  passwd_file_path = {d}/secrets\n'
                   '  auth_username_format = %{{user | username}}\n'
                   '  default_password_scheme = PLAIN\n}}')
        check(old in own, 'passdb of Dovecot')
        write(os.path.join(self.dir, 'secrets'),
              'alice:{PLAIN}staple 7 horse\n')
        auth = (DOVECOT_AUTH % '{d}').replace('{', '{{').replace(
            '}', '}}').replace('{{d}}', '{d}')
        return own.replace(old, new) + auth


@test
def logins_of_a_real_dovecot():
    need_dovecot()
    d = temporary('dovecot')
    os.chmod(d, 0o755)
    dovecot = DovecotAuth(d, 'a.example')
    dovecot.configure()
    dovecot.start()
    path = os.path.join(d, 'auth-client')
    got = subprocess.run(
        [os.path.join(BUILD, 'tests/unit/relay_dovecot_test')],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=800,
        check=False, env={'POSTSEAL_DOVECOT': path,
                          'CMOCKA_MESSAGE_OUTPUT': 'TAP'}) \
        if os.path.exists(os.path.join(
            BUILD, 'tests/unit/relay_dovecot_test')) else None
    if got:
        check(re.search(rb'^ok \d+ - real_dovecot$', got.stdout, re.M),
              'unit test', got.stdout, got.stderr, dovecot.log()[-2000:])
    w = make('authdovecot', 'dovecot "%s"' % path, 'plain login')
    w['relay'].start()
    t = secure('127.0.2.1', w=w)
    check('AUTH PLAIN LOGIN' in t.ehlo, 'EHLO', t.ehlo)
    told(t, plain('alice', 'staple 7 horse'), '235')
    told(t, 'MAIL FROM:<alice@a.example>', '250')
    t.close()
    t = secure('127.0.2.2', w=w)
    told(t, plain('alice', 'wrong'), '535 5.7.8')
    told(t, plain('nobody', 'staple 7 horse'), '535 5.7.8')
    told(t, 'AUTH LOGIN', '334')
    told(t, b64('alice'), '334')
    told(t, b64('staple 7 horse'), '235')
    t.close()
    # away, and there again
    dovecot.stop()
    t = secure('127.0.2.3', w=w)
    told(t, plain('alice', 'staple 7 horse'), '454 4.7.0')
    t.close()
    dovecot.start()
    wait_for(lambda: logs_in(w), lambda: 'Dovecot to be there again:\n' +
             w['relay'].log()[-2000:], every=0.5)
    w['relay'].stop()
    dovecot.stop()


def logs_in(w):
    t = secure('127.0.2.4', w=w)
    said = t.say(plain('alice', 'staple 7 horse'))
    t.close()
    return said.startswith('235')


main(set_up)
