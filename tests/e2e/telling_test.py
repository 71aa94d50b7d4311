#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""What is told: observe mode through a real Postfix, and what report,
explain, rules explain and doctor say of it. alice@example.com writes to
example.org, whose Postfix has no milter: what arrives there was on the
wire."""
import grp
import json
import os
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE, BOB = 'alice@example.com', 'bob@example.org'
CAROL, DAVE = 'carol@example.org', 'dave@example.org'
OUTSIDE = '192.0.2.7'
RULES = '''
outbound to carol@example.org : sign, encrypt
outbound                      : sign or plain, encrypt or plain
inbound  from trusted@example.net : decrypt, verify or reject
inbound                       : decrypt, verify
'''
a = b = None


def setup():
    global a, b
    lib.limits()
    lib.need_postfix()
    a, b = lib.two_sites(lib.temporary(), RULES)
    b.postfix.configure({'example.com': a.postfix.port})
    for s in (a, b):
        s.postfix.start()
    observe(True)
    start()


def observe(on, more=''):
    """Write a's configuration; a running milter is told."""
    a.set_conf()
    with open(a.conf, encoding='utf-8') as f:
        conf = f.read()
    conf = conf.replace('milter {\n', 'milter {\n    observe %s\n%s' %
                        ('yes' if on else 'no', more))
    with open(a.conf, 'w', encoding='utf-8') as f:
        f.write(conf)
    a.own()


def restart(on, more=''):
    a.stop()
    observe(on, more)
    start()


def start():
    """And wait until it takes signals, which is after it listens."""
    starts = a.milter_log().count('event=started')
    a.start()
    lib.wait_for(lambda: a.milter_log().count('event=started') > starts,
                 'the milter to have started')


def end(pids):
    """Those of them that are still workers of ours."""
    for p in set(pids) & set(a.processes('worker')):
        os.kill(p, signal.SIGKILL)


def fresh():
    lib.wait_for(lambda: not a.postfix.queued() and not b.postfix.queued(),
                 'empty queues')
    for s in (a, b):
        for user in s.postfix.users:
            s.postfix.empty(user)


def text(words, to=BOB, sender=ALICE, more=''):
    return ('From: %s\nTo: %s\nSubject: hello\nMessage-ID: <%d@x.example>\n'
            'Date: Sat, 21 Nov 2026 10:00:00 +0000\n%s\n%s\n' %
            (sender, to, next(number), more, words)).encode()


def count():
    n = 0
    while True:
        n += 1
        yield n


number = count()


def send(message, to=BOB, port=None, login=ALICE, sender=ALICE):
    return lib.send(port or a.postfix.port, sender, to, message, login=login,
                    addr=OUTSIDE)


def without_trace(mail):
    """All but what mail servers put on top."""
    lines = lib.lf(mail).split(b'\n')
    while lines and (lines[0][:1] in b' \t' or re.match(
            rb'(?i)(return-path|delivered-to|x-original-to|received):',
            lines[0])):
        lines.pop(0)
    return b'\n'.join(lines)


def queue_id(said):
    m = re.search(r'queued as (\w+)', said)
    check(m, 'no queue id in the reply', said)
    return m.group(1)


def record(of):
    """The verdict of a message by the mail server's queue id."""
    return json.loads(lib.wait_for(lambda: a.cmd('explain', '--json', of)[1],
                                   'explain to know %s' % of))


def report(*more):
    return json.loads(a.must('report', '--json', *more))


CASES = [
    ('could be sealed', text('one'), BOB, ALICE, 'replaced', None),
    ('would be refused', text('two', CAROL), CAROL, ALICE, 'rejected', 550),
    ('no certificate', text('three', DAVE), DAVE, ALICE, 'replaced', None),
    ('8-bit, long and odd lines', text('gr\u00fc\u00dfe\n' + 'x' * 900 +
                                       '\n.\n..\n \t\n'), BOB, ALICE,
     'replaced', None),
    ('forged results', text('five', more='Authentication-Results: '
                            'mx.example.com; smime=pass\n'), BOB, ALICE,
     'replaced', None),
]


@test
def observe_leaves_mail_as_it_is_and_knows_what_would_have_been():
    for name, mail, to, sender, action, code in CASES:
        fresh()
        user = to.split('@')[0]
        equal(send(mail, to, port=a.postfix.plain)[0], 250, name)
        plain = b.postfix.wait_mail(user)[0]
        fresh()
        status, said = send(mail, to)
        equal(status, 250, '%s: %s' % (name, said))
        seen = b.postfix.wait_mail(user)[0]
        equal(without_trace(seen), without_trace(plain), name)
        r = record(queue_id(said))
        equal((r['observed'], r['action'], r['reply']),
              (True, 'unchanged', None), name)
        equal((r['would']['action'], r['would']['code']), (action, code),
              '%s: %s' % (name, json.dumps(r)))
        equal((r['sender'], r['login']), (sender, ALICE), name)


@test
def observe_keeps_mail_from_outside_as_it_is():
    fresh()
    mail = text('from outside', ALICE, 'trusted@example.net')
    code, said = send(mail, ALICE, login=None, sender='trusted@example.net')
    equal(code, 250, said)
    got = a.postfix.wait_mail('alice')[0]
    check(without_trace(got).startswith(b'From: trusted'), 'changed', got)
    check(b'Authentication-Results' not in got, 'a result was added', got)
    r = record(queue_id(said))
    equal((r['would']['action'], r['direction']), ('rejected', 'inbound'),
          json.dumps(r))


@test
def M41_the_log_line_says_what_would_have_been():
    fresh()
    equal(send(text('log', CAROL), CAROL)[0], 250, 'reply')
    line = lib.wait_for(lambda: [x for x in a.milter_log().splitlines()
                                 if 'carol' in x and 'observe=yes' in x],
                        'the log line')[-1]
    for word in ('action=unchanged', 'would=rejected', 'would-reply=550',
                 'outcome=refused'):
        check(word in line, 'no %s' % word, line)


@test
def report_says_what_would_have_happened():
    fresh()
    for _, mail, to, *_ in CASES:
        equal(send(mail, to)[0], 250, to)
    lib.wait_for(lambda: report()['messages'] >= len(CASES), 'the records')
    r = report()
    equal(r['messages'], r['observed'], 'observed')
    rows = {x['name']: x for x in r['domain']['rows']}
    d = rows['example.org']
    check(d['sealed'] >= 3 and d['refused'] >= 1, 'by domain',
          json.dumps(d))
    partners = {x['name']: x for x in r['partner']['rows']}
    check(CAROL in partners and DAVE in partners and BOB not in partners,
          'partners', json.dumps(partners))
    check(partners[CAROL]['examples'], 'no example', json.dumps(partners))
    reasons = r['reason']['rows']
    check(any('550' in x['name'] and x['observed'] for x in reasons),
          'reasons', json.dumps(reasons))
    check('alice@example.com' in {x['name'] for x in r['user']['rows']},
          'users', json.dumps(r['user']))
    out = a.must('report').decode()
    check('only observed' in out and CAROL in out, 'report', out)
    out = a.must('report', '--by', 'partner').decode()
    check(CAROL in out and 'example.org\n' not in out, 'by partner', out)
    equal(report('--since', '2020-01-01', '--until',
                 '2020-02-01')['messages'], 0, 'another period')
    for bad in (['--days', '0'], ['--by', 'x'], ['--until', '2026-01-01'],
                ['--since', 'x'], ['--days', '1', '--since', '2020-01-01']):
        equal(a.cmd('report', *bad)[0], 64, ' '.join(bad))


@test
def explain_tells_an_observed_message():
    fresh()
    code, said = send(text('tell', CAROL), [CAROL, BOB])
    equal(code, 250, said)
    i = queue_id(said)
    record(i)
    out = a.must('explain', i).decode()
    for words in ('observed      nothing was done; it would have been '
                  'rejected', 'would say     550', 'carol@example.org: '
                  'refused', 'rule ', 'from          <alice@example.com>, '
                  'logged in as alice@example.com', i):
        check(words in out, 'not told: ' + words, out)
    equal(a.cmd('explain', 'nothing')[0], 65, 'unknown id')


def passes(what):
    """One message goes through as it is, whatever is dead."""
    fresh()
    mail = text(what, CAROL)
    code, said = send(mail, CAROL)
    equal(code, 250, '%s: %s' % (what, said))
    got = b.postfix.wait_mail('carol')[0]
    check(what.encode() in got, what + ': changed', got)


@test
def observe_passes_mail_while_workers_and_keys_die():
    """attack A50: the processes that decide are killed
    verdict: in observe mode mail passes as it is"""
    for kind in ('worker', 'keys', 'store'):
        for p in a.processes(kind):
            os.kill(p, signal.SIGKILL)
        passes('killed ' + kind)


@test
def observe_passes_mail_when_nobody_answers():
    """attack A50: workers hang, so that no verdict comes
    verdict: in observe mode mail passes as it is, after 20 s"""
    stopped = a.wait_workers()
    for p in stopped:
        os.kill(p, signal.SIGSTOP)
    try:
        passes('hanging workers')
    finally:
        end(stopped)
    lib.wait_for(lambda: record_of_new('after that'), 'a verdict', every=1)


def record_of_new(words):
    fresh()
    code, said = send(text(words))
    equal(code, 250, said)
    return record(queue_id(said))['would']['action'] == 'replaced'


@test
def observe_passes_mail_when_there_is_too_much():
    restart(True, '    waiting 0\n')
    stopped = a.wait_workers()
    for p in stopped:
        os.kill(p, signal.SIGSTOP)
    try:
        for n in range(3):  # the first two hold the workers
            passes('too much %d' % n)
    finally:
        end(stopped)
    restart(True)


@test
def observe_ends_with_a_reload():
    observe(False)
    os.kill(a.child.pid, signal.SIGHUP)

    def sealed():
        fresh()
        equal(send(text('sealed now'))[0], 250, 'reply')
        return b'pkcs7' in b.postfix.wait_mail('bob')[0]
    lib.wait_for(sealed, 'sealing to begin', every=0.5)
    code, said = send(text('refused now', CAROL), CAROL)
    equal(code, 550, said)
    m = re.search(r'\bid (\w+)', said)
    r = record(m.group(1))
    equal((r['observed'], r['would'], r['action']), (False, None,
                                                     'rejected'), 'record')
    out = a.must('explain', m.group(1)).decode()
    check('action        rejected' in out and 'reply         550' in out and
          'observed' not in out, 'explain', out)


@test
def explain_tells_who_had_which_copy():
    observe(False, '    reinject smtp "127.0.0.1:%d"\n' % a.postfix.plain)
    os.kill(a.child.pid, signal.SIGHUP)

    def split():
        fresh()
        code, said = send(text('two copies'), [BOB, DAVE])
        return code == 250 and queue_id(said)
    i = lib.wait_for(split, 'a message to be split', every=0.5)
    check(b'pkcs7' in b.postfix.wait_mail('bob')[0], 'bob: in clear')
    check(b'two copies' in b.postfix.wait_mail('dave')[0], 'dave: sealed')
    r = record(i)
    equal(r['action'], 'split', json.dumps(r))
    out = a.must('explain', i).decode()
    for words in ('action        split', BOB + ': encrypted',
                  DAVE + ': signed, in clear', 'group       1, a copy alone',
                  'group       2, a copy alone'):
        check(words in out, 'not told: ' + words, out)
    rows = json.loads(rules_explain('--to', BOB, '--to', DAVE, '--json'))
    equal([r['group'] for r in rows], [1, 2], 'groups')
    equal([r['same_copy_for'] for r in rows], [[], []], 'who shares')
    check(all(isinstance(r['alone'], str) for r in rows), 'why alone',
          json.dumps(rows))


@test
def observe_in_a_door_passes_mail_on_and_loses_none():
    """attack A50: the next hop of a door that only looks on is away
    verdict: 4xx, never 250 for mail that went nowhere"""
    port, dead = lib.free_port(), lib.free_port()
    words = ('door look {\n listen smtp "127.0.0.1:%d"\n next-hop smtp '
             '"127.0.0.1:%d"\n direction outbound\n login envelope-from\n'
             ' observe yes\n}\n')
    a.extra = words % (port, a.postfix.plain)
    restart(False)
    fresh()
    mail = text('by the door', CAROL)
    code, said = lib.send(port, ALICE, CAROL, mail)
    equal(code, 250, said)
    got = without_trace(b.postfix.wait_mail('carol')[0])
    check(got.startswith(b'From: alice') and b'by the door' in got,
          'changed', got)
    check(b'would=rejected' in a.milter_log().encode(), 'not observed',
          a.milter_log()[-2000:])
    a.extra = words % (port, dead)
    restart(False)
    fresh()
    code, said = lib.send(port, ALICE, CAROL, mail)
    check(400 <= code < 500, 'lost: %d' % code, said)
    a.extra = ''
    restart(False)


# ---- rules explain ----

def rules_explain(*more, data=b''):
    return a.must('rules', 'explain', '--from', ALICE, *more,
                  data=data).decode()


@test
def M41_rules_explain_tells_groups_and_the_reply():
    rows = json.loads(rules_explain('--to', BOB, '--to', DAVE, '--json'))
    equal([r['address'] for r in rows], [BOB, DAVE], 'addresses')
    check(all('reply' in r for r in rows), 'reply', json.dumps(rows))
    out = rules_explain('--to', CAROL)
    check('reply: 550 5.7.3' in out, 'no reply', out)
    out = rules_explain('--to', 'a%b@example.com')
    check('outbound' in out and 'internal' not in out and
          'refused' in out, 'not readable', out)
    status, _, err = a.cmd('rules', 'explain', '--from', ALICE, '--to', 'x@')
    equal(status, 64, err)


@test
def rules_explain_of_a_message_changes_nothing():
    before = report()['messages']
    mail = text('a message', BOB)
    path = a.path('message.eml')
    with open(path, 'wb') as f:
        f.write(mail)
    out = rules_explain('--to', BOB, path)
    for words in ('action        would be replaced', 'class         normal',
                  'bob@example.org: encrypted', 'cipher', 'certificate'):
        check(words in out, 'not told: ' + words, out)
    r = json.loads(rules_explain('--to', BOB, '--json', '-', data=mail))
    equal(r['recipients'][0]['outcome'], 'sealed', 'outcome')
    equal(report()['messages'], before, 'records')
    status, _, err = a.cmd('rules', 'explain', '--from', ALICE, '--to', BOB,
                           path, path)
    equal(status, 64, err)


# ---- doctor ----

def postconf():
    """Runs the private Postfix's postconf in the environment it needs."""
    path = a.path('postconf')
    with open(path, 'w', encoding='utf-8') as f:
        f.write('#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' %
                (a.postfix.libraries(), a.postfix.program('postconf')))
    os.chmod(path, 0o755)
    return path


def doctor(main=(), services='', **more):
    """-> (exit status, {check: level} of the worst)."""
    d = os.path.join(a.postfix.dir, 'etc')
    keep = {}
    for name in ('main.cf', 'master.cf'):
        with open(os.path.join(d, name), encoding='utf-8') as f:
            keep[name] = f.read()
    try:
        cf = keep['main.cf']
        for line in main:
            cf = re.sub(r'(?m)^%s *=.*\n' % line.split()[0], '', cf)
            cf += line + '\n'
        a.postfix.write('etc/main.cf', cf)
        a.postfix.write('etc/master.cf', keep['master.cf'] + services)
        status, out, err = a.cmd('doctor', '--json', '--config-dir', d,
                                 '--postconf', postconf(), **more)
    finally:
        for name, was in keep.items():
            a.postfix.write('etc/' + name, was)
    order = ['danger', 'warning', 'hint', 'ok']
    found = {}
    for r in json.loads(out):
        check(r['where'] and r['why'], 'a row says nothing', json.dumps(r))
        old = found.get(r['check'], 'ok')
        found[r['check']] = min(old, r['level'], key=order.index)
    equal(status, 78 if 'danger' in found.values() else 0, err)
    return found


@test
def M14_M30_A53_doctor_finds_each_dangerous_setting():
    observe(False)
    base = doctor()
    check('milter-unused' not in base and 'mta-unread' not in base,
          'not looked at', json.dumps(base))
    equal(base['default-action'], 'ok', 'tempfail')
    ours = 'unix:' + a.socket
    table = [
        ('default-action', 'danger',
         ['smtpd_milters = { %s, default_action=accept }' % ours], ''),
        ('default-action', 'danger', ['smtpd_milters = ' + ours,
                                      'milter_default_action = accept'], ''),
        ('milter-unused', 'danger', ['smtpd_milters ='], ''),
        ('milter-missing', 'danger', [],
         'submission inet n - n - - smtpd\n  -o smtpd_milters=\n'),
        ('dkim-order', 'danger', [],
         'submission inet n - n - - smtpd\n'
         '  -o { smtpd_milters = inet:127.0.0.1:8891, %s }\n' % ours),
        ('dkim-order', 'warning', [],
         'smtp inet n - n - - smtpd\n'
         '  -o { smtpd_milters = %s, inet:127.0.0.1:8891 }\n' % ours),
        ('non-smtpd', 'warning', ['non_smtpd_milters ='], ''),
        ('chroot', 'warning', [], 'submission inet n - y - - smtpd\n'),
        ('open-relay', 'danger', ['mynetworks = 0.0.0.0/0'], ''),
        ('content-timeout', 'warning', ['milter_content_timeout = 60s'],
         ''),
        ('message-size', 'hint', ['message_size_limit = 10240000'], ''),
        ('line-length', 'warning', ['smtp_line_length_limit = 500'], ''),
        ('internal-mail', 'warning',
         ['internal_mail_filter_classes = bounce'], ''),
        ('missing-headers', 'hint', ['always_add_missing_headers = yes'],
         ''),
        ('header-checks', 'hint',
         ['milter_header_checks = pcre:/etc/x'], ''),
        ('milter-maps', 'warning', ['smtpd_milter_maps = cidr:/etc/x'], ''),
        ('stray-cr-lf', 'warning', ['cleanup_replace_stray_cr_lf = no'],
         ''),
    ]
    for check_name, level, main, services in table:
        equal(doctor(main, services).get(check_name), level,
              '%s %s %s' % (check_name, main, services))


@test
def A53_doctor_looks_at_the_port_for_copies():
    port = a.postfix.plain
    observe(False, '    reinject smtp "127.0.0.1:%d"\n' % port)
    found = doctor()
    check(not [c for c, l in found.items()
               if c.startswith('reinject') and l == 'danger'],
          'the port is right', json.dumps(found))
    equal(found.get('reinject-mappings'), None, json.dumps(found))
    found = doctor(['receive_override_options = no_address_mappings'], '')
    equal(found.get('reinject-mappings'), 'hint', json.dumps(found))
    for check_name, line in (
            ('reinject-open', '%d inet n - n - - smtpd\n'
             '  -o smtpd_milters=\n'),
            ('reinject-loop', '[::1]:%d inet n - n - - smtpd\n'),
            ('reinject-networks', '[::1]:%d inet n - n - - smtpd\n'
             '  -o smtpd_milters=\n  -o mynetworks=0.0.0.0/0\n')):
        main = ['inet_interfaces = all'] if 'open' in check_name else []
        equal(doctor(main, line % port).get(check_name), 'danger', line)
    observe(False, '    reinject smtp "127.0.0.1:%d"\n' % lib.free_port())
    equal(doctor().get('reinject-missing'), 'warning', 'no such port')
    observe(False)


@test
def M16_doctor_looks_at_our_own_files():
    # the socket of the tests is open to all, and the secret beside the store
    found = doctor()
    equal(found.get('socket-mode'), 'danger', json.dumps(found))
    equal(found.get('secret-place'), 'warning', json.dumps(found))
    for name, wanted, mode in (('secret', 'secret-mode', 0o644),
                               ('keystore.db', 'keystore-mode', 0o666),
                               ('rules', 'rules-mode', 0o666)):
        old = os.stat(a.path(name)).st_mode & 0o7777
        os.chmod(a.path(name), mode)
        equal(doctor().get(wanted), 'danger', name)
        os.chmod(a.path(name), old)
    os.chmod(a.socket, 0o660)
    found = doctor()
    check('socket-mode' not in found, 'a closed socket')
    equal(found.get('socket-owner'), 'warning', 'closed for Postfix, too')
    os.chown(a.socket, -1, grp.getgrnam(lib.MAIL_OWNER).gr_gid)
    check('socket-owner' not in doctor(), 'open for its group')
    os.chmod(a.socket, 0o666)
    a.stop()
    equal(doctor().get('not-running'), 'warning', 'not running')
    with open(a.path('rules'), encoding='utf-8') as f:
        old = f.read()
    a.set_rules('nonsense\n')
    equal(doctor().get('rules'), 'danger', 'rules')
    a.set_rules(old)


@test
def M46_doctor_reads_a_sendmail_cf():
    d = a.path('mail')
    os.makedirs(d)

    def sendmail(text):
        with open(os.path.join(d, 'sendmail.cf'), 'w',
                  encoding='utf-8') as f:
            f.write(text)
        _, out, _ = a.cmd('doctor', '--json', '--mta', 'sendmail',
                          '--config-dir', d)
        return {r['check']: r['level'] for r in json.loads(out)
                if 'sendmail.cf' in r['where']}
    good = ('O DaemonPortOptions=Name=MTA, Port=25\n'
            'O InputMailFilters=postseal\nXpostseal, S=unix:%s, F=T, '
            'T=C:30s;S:2m;R:2m;E:10m\n' % a.socket)
    equal(sendmail(good), {'default-action': 'ok'}, 'good')
    equal(sendmail(good.replace('F=T, ', ''))['default-action'], 'danger',
          'no flag')
    equal(sendmail(good.replace('=postseal\n', '=\n'))['milter-missing'],
          'danger', 'not asked')
    equal(sendmail('')['milter-unused'], 'danger', 'empty')


if __name__ == '__main__':
    lib.main(setup)
