#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""What an administrator is told: status, notices by mail, metrics, and who
changed what."""
import json
import os
import sqlite3
import sys
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE, BOB, CAROL = ('alice@example.com', 'bob@example.org',
                     'carol@example.com')
NOTICES = '''
notices {{
    to      postmaster@example.com
    via     "127.0.0.1:{port}"
    every   1d
    before  30d
}}
'''
site = None


def setup():
    global site
    site = lib.Site(os.path.join(lib.temporary(), 'a'), 'example.com')
    site.must('ca', 'init', '--name', 'Test CA', '--no-passphrase',
              '--permit', 'any')
    site.must('ca', 'issue', '--email', ALICE, '--algorithm', 'ec:p256',
              '--days', '10')
    site.must('ca', 'issue', '--email', CAROL, '--algorithm', 'ec:p256')
    site.must('ca', 'issue', '--email', BOB, '--algorithm', 'ec:p256',
              '--days', '20')
    # a partner's key is not ours
    pem = site.path('bob.pem')
    site.must('cert', 'export', BOB, '--out', pem)
    site.must('cert', 'remove', '--yes', BOB)
    site.must('cert', 'import', pem)
    site.own()


def status(*argv):
    return json.loads(site.must('status', '--json', *argv))


@test
def status_names_who_needs_something():
    said = status()
    found = {(a['kind'], a['what']) for a in said['attention']}
    equal(found, {('user', ALICE), ('partner', BOB)}, 'attention')
    equal(said['partners'], {'valid': 0, 'ending': 1, 'ended': 0,
                             'next_end': said['partners']['next_end']},
          'partners')
    check(said['certificates']['with_key'] >= 2, 'keys', str(said))
    text = site.must('status').decode()
    check('alice@example.com: certificate ends ' in text, 'alice', text)
    check(CAROL not in text, 'carol has all', text)


@test
def status_looks_as_far_ahead_as_it_is_told():
    equal(status('--days', '5')['attention'], [], 'attention')
    code, _, err = site.cmd('status', '--days', 'soon')
    equal(code, 64, lib.show(err))


@test
def a_user_whose_certificate_is_distrusted_lacks_one():
    sha = json.loads(site.must('cert', 'list', '--json', CAROL))[0]['sha256']
    site.must('cert', 'distrust', sha)
    try:
        lacks = [a['text'] for a in status()['attention']
                 if a['what'] == CAROL]
        check(lacks and 'cannot sign and cannot be encrypted to: ' in
              lacks[0], 'carol', str(lacks))
    finally:
        site.must('cert', 'trust', sha)
    check(CAROL not in [a['what'] for a in status()['attention']], 'carol')


@test
def the_audit_says_who_did_what_from_where():
    rows = json.loads(site.must('audit', '--json', CAROL))
    equal(rows[0]['action'], 'change state', str(rows[0]))
    equal(rows[0]['origin'], 'postseal cert trust', str(rows[0]))
    check('(uid %d)' % os.getuid() in rows[0]['who'], 'who', str(rows[0]))
    check(rows[0]['id'] > rows[-1]['id'], 'the newest is first', str(rows))
    actions = {r['action'] for r in rows}
    check('add certificate' in actions, 'issued', str(actions))
    text = site.must('audit', '--last', '1', CAROL).decode().splitlines()
    equal(len(text), 2, 'lines')
    check('postseal cert trust' in text[1], 'the last one', text)
    equal(site.must('audit', 'nobody@example.net'), b'no changes\n', 'none')


@test
def a_failed_command_leaves_no_note():
    before = json.loads(site.must('audit', '--json', '--all'))
    code, _, _ = site.cmd('cert', 'distrust', '0' * 64)
    check(code != 0, 'distrust of nothing')
    equal(json.loads(site.must('audit', '--json', '--all')), before,
          'the audit')


@test
def a_notice_needs_its_block():
    code, _, err = site.cmd('notice')
    equal(code, 78, lib.show(err))
    check(b'notices' in err, 'the word', err)


@test
def a_notice_arrives_with_the_null_sender():
    lib.need_postfix()
    postfix = site.with_postfix()
    postfix.configure({})
    postfix.start()
    site.set_conf(NOTICES.format(port=postfix.plain))
    shown = site.must('notice').decode()
    check('bob@example.org: ends' in shown, 'bob', shown)
    site.must('notice', '--send')
    mail = postfix.wait_mail('postmaster')[0]
    check(b'Return-Path: <>' in mail, 'null sender', mail)
    check(b'Auto-Submitted: auto-generated' in mail, 'RFC 3834', mail)
    check(b'alice@example.com: certificate ends' in mail, 'alice', mail)
    check(lib.header(mail, 'Subject'), 'a subject', mail)
    postfix.stop()
    code, _, err = site.cmd('notice', '--send')
    equal(code, 75, lib.show(err))


@test
def a_notice_is_sent_by_itself_and_once():
    lib.need_postfix()
    postfix = site.with_postfix()
    postfix.configure({})
    postfix.start()
    postfix.empty('postmaster')
    site.set_conf(NOTICES.format(port=postfix.plain))
    # as if nobody had been told yet
    site.must('cert', 'import', '--use', 'encrypt', site.path('bob.pem'))
    db = sqlite3.connect(site.path('keystore.db'))
    with db:
        db.execute("DELETE FROM meta WHERE name = 'notice'")
    db.close()
    site.own()
    site.start()
    mail = postfix.wait_mail('postmaster')[0]
    check(b'Return-Path: <>' in mail, 'null sender', mail)
    lib.wait_for(lambda: 'event=notice-sent' in site.milter_log(),
                 'the log to say so')
    site.stop()
    site.start()
    time.sleep(1)
    equal(len(postfix.mails('postmaster')), 1, 'mails')
    site.stop()
    postfix.stop()
    site.set_conf('')


def metrics_page():
    """None while its process only begins; mail can come before that."""
    try:
        with urllib.request.urlopen('http://127.0.0.1:%d/metrics' %
                                    site.metrics, timeout=60) as reply:
            return reply.read().decode()
    except OSError:
        return None


@test
def metrics_have_ends_and_what_waits():
    if os.getuid() != 0:
        raise lib.Skip('needs root')
    site.own()
    site.start()
    text = lib.wait_for(metrics_page, 'the page of the metrics')
    site.stop()
    for line in ('postseal_certificates{of="own"} 2',
                 'postseal_partner_addresses{certificate="ending"} 1',
                 'postseal_partner_addresses{certificate="valid"} 0',
                 'postseal_certificates_pending 0',
                 'postseal_requests_waiting 0', 'postseal_crls_stale 0',
                 'postseal_fetch_failing 0'):
        check(line + '\n' in text, line, text)
    check('postseal_certificate_expiry_seconds{sha256="' in text, 'own',
          text)
    check('postseal_ca_expiry_seconds{subject="CN=Test CA' in text, 'CA',
          text)


if __name__ == '__main__':
    lib.main(setup)
