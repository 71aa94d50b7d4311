#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: long
"""Certificates that only directories know: a real OpenLDAP, really signed
zones of NSD, and servers that lie, hang or are gone."""
import base64
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import directories  # noqa: E402
import lib  # noqa: E402
from directories import CA, Silent, Slapd, Zones, decrypt  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE = 'alice@example.com'
BOB = 'bob@partner.example'
TEXT = b'''From: alice@example.com
To: bob@partner.example, dave@partner.example, no@lenient.example
Subject: hello
Date: Sat, 21 Nov 2026 10:00:00 +0000
Message-ID: <1@example.com>

only for one pair of eyes
'''
RULES = '''outbound to @lenient.example : sign, encrypt or plain
outbound                     : sign, encrypt
inbound                      : decrypt, verify
'''
base = site = None
ca = tls = slapd = other = zones = None
people = {}


def setup():
    global base, site, ca, tls
    directories.need_directories()
    base = lib.temporary()
    site = lib.Site(os.path.join(base, 'a'), 'example.com', RULES)
    ca = CA(os.path.join(base, 'partner'), 'Partner CA')
    tls = CA(os.path.join(base, 'tls'), 'TLS CA')
    os.chmod(tls.dir, 0o755)
    site.must('cert', 'trust', ca.crt)
    key, crt = ca.person(ALICE)
    p12 = os.path.join(base, 'alice.p12')
    password = directories.write(os.path.join(base, 'password'), 'test\n')
    lib.must_run(['openssl', 'pkcs12', '-export', '-inkey', key, '-in', crt,
                  '-out', p12, '-passout', 'file:' + password])
    site.must('key', 'import', p12, '--email', ALICE, '--password-file',
              password)
    for who in (BOB, 'carol@partner.example', 'dave@partner.example',
                'rob@lenient.example', 'bob@signed.example',
                'dane@signed.example', 'alice@signed.example',
                'bob@forged.example', 'mallory@forged.example',
                'bob@stripped.example', 'bob@plain.example',
                'bob@sub.signed.example'):
        people[who] = ca.person(who)
    start_servers()
    site.own()


def start_servers():
    global slapd, other
    ldif = ''.join(directories.entry(who, [directories.der(
        people[who][1])]) for who in (BOB, 'dave@partner.example',
                                      'rob@lenient.example'))
    ldif += directories.entry('carol@partner.example', [directories.der(
        people['carol@partner.example'][1])], 'closed')
    # seventeen entries of one address
    for i in range(17):
        ldif += directories.entry('crowd@partner.example', []).replace(
            'cn=crowd', 'cn=crowd%d' % i).replace('cn: crowd',
                                                  'cn: crowd%d' % i)
    for n in (256, 257):
        ldif += directories.entry('values%d@partner.example' % n, []).strip(
            ) + ''.join('\ndescription: %d' % i for i in range(n)) + '\n\n'
    for n in (3, 5):
        ldif += directories.entry('photo%d@partner.example' % n, []).strip(
            ) + '\njpegPhoto:: ' + base64.b64encode(
                b'\0' * (n << 20)).decode() + '\n\n'
    slapd = Slapd(os.path.join(base, 'slapd'), ldif, tls).start()
    other = Slapd(os.path.join(base, 'other'), ldif, tls,
                  'DNS:elsewhere.example').start()
    start_zones()


def start_zones():
    global zones
    zones = Zones(os.path.join(base, 'zones'))
    data = {who: directories.der(crt) for who, (_, crt) in people.items()}
    stranger = CA(os.path.join(base, 'stranger'), 'Unknown CA')
    people['dane@signed.example'] = stranger.person('dane@signed.example')
    data['dane@signed.example'] = directories.der(
        people['dane@signed.example'][1])
    hashed = bytes.fromhex('00' * 32)
    zones.add('signed.example', directories.smimea(
        'bob@signed.example', data['bob@signed.example'], usage=1) +
        directories.smimea('dane@signed.example',
                           data['dane@signed.example']) +
        directories.smimea('alice@signed.example', hashed, 3, 0, 1) +
        'sub.signed.example. 300 IN NS ns.signed.example.\n' + ''.join(
            directories.smimea('many%d@signed.example' % n,
                               i.to_bytes(32, 'big'), 3, 0, 1)
            for n in (64, 65) for i in range(n)))
    zones.add('sub.signed.example', directories.smimea(
        'bob@sub.signed.example', data['bob@sub.signed.example']),
        signed=False, anchored=False)
    mallory = data['mallory@forged.example'].hex()
    zones.add('forged.example', directories.smimea(
        'bob@forged.example', data['bob@forged.example']),
        change=lambda t: t.replace(data['bob@forged.example'].hex(),
                                   mallory))
    zones.add('stripped.example', directories.smimea(
        'bob@stripped.example', data['bob@stripped.example']), signed=False)
    zones.add('plain.example', directories.smimea(
        'bob@plain.example', data['bob@plain.example']), signed=False,
        anchored=False)
    zones.start()
    os.chmod(zones.dir, 0o755)


# ---- one run ----

def directory(kind, domains='@partner.example @lenient.example', more='',
              timeout=20):
    """timeout: less where somebody does not answer."""
    return ('directory {\n    %s\n    for %s\n    timeout %ds\n%s\n}\n' %
            (kind, domains, timeout, more))


def ldap(urls, more='', **kw):
    """A directory of the partner's on these servers."""
    return directory('ldap ' + ' '.join('"%s"' % u for u in urls),
                     more='    base "o=partner"\n' + more, **kw)


def smimea(more=''):
    return directory('smimea', '@signed.example @*.signed.example '
                     '@forged.example @stripped.example @plain.example',
                     '    resolver "127.0.0.1@%d"\n    anchor "%s"\n%s' %
                     (zones.port, zones.anchor, more))


def ca_line():
    return '    ca "%s"\n' % tls.crt


def seal(conf, *to, text=TEXT):
    """-> (exit status, output, error, verdict)"""
    site.set_conf(conf)
    out = os.path.join(base, 'verdict.json')
    args = [x for t in to for x in ('--to', t)]
    status, mail, err = site.cmd('seal', '--from', ALICE, *args, '--json',
                                 out, data=text)
    with open(out, encoding='utf-8') as f:
        return status, mail, err.decode(), json.load(f)


def sealed(conf, who):
    """Sealed for who, whom only a directory knows; opened by openssl."""
    status, mail, err, verdict = seal(conf, who)
    equal(status, 0, 'seal: ' + err + str(verdict['recipients']))
    inside = decrypt(mail, *people[who])
    check(b'only for one pair of eyes' in inside, 'not the text', inside)
    equal(verdict['recipients'][0]['outcome'], 'sealed', 'outcome')
    return verdict['recipients'][0]


def deferred(conf, who, *words):
    start = time.monotonic()
    status, mail, err, verdict = seal(conf, who)
    took = time.monotonic() - start
    equal(status, 75, 'seal: ' + err + str(verdict['recipients']))
    equal(mail, b'', 'output')
    equal(verdict['action'], 'deferred', 'action')
    check('451 4.4.3 Not sent yet' in err, 'reply', err)
    for w in words:
        check(w in err, 'the reply does not say "%s"' % w, err)
    check(took < 60, 'took %.1f s' % took)
    return verdict


# ---- LDAP ----

@test
def S187_the_whole_way_by_ldaps():
    r = sealed(ldap([slapd.ldaps], ca_line()), BOB)
    equal(r['certificates'][0]['source'], 'ldap ' + slapd.ldaps, 'source')
    equal(slapd.searches()[-1], '(mail=' + BOB + ')', 'filter')


@test
def S187_the_whole_way_by_start_tls():
    r = sealed(ldap([slapd.ldap], ca_line() + '    start-tls\n'), BOB)
    equal(r['certificates'][0]['source'], 'ldap ' + slapd.ldap, 'source')
    check('STARTTLS' in slapd.log(), 'no StartTLS', slapd.log()[-2000:])


@test
def S187_a_filter_of_ones_own():
    sealed(ldap([slapd.ldap], '    filter "(&(objectClass=inetOrgPerson)'
                '(mail=%s))"\n    attribute "usercertificate"\n'), BOB)
    check(slapd.searches()[-1].startswith('(&(objectClass=inetOrgPerson)'),
          'filter', slapd.searches()[-1])


@test
def S187_nobody_by_that_name_is_refused_where_it_must_be_encrypted():
    status, _, err, verdict = seal(ldap([slapd.ldap]),
                                   'nobody@partner.example')
    equal(status, 69, 'seal: ' + err)
    check('550 5.7.3' in err and 'no certificate is known' in err, err)
    equal(verdict['recipients'][0]['certificates'], [], 'certificates')


@test
def S187_an_address_that_would_change_the_filter():
    """attack A56: a recipient "*)(uid=*"@partner.example, which would end
    the filter and ask for everybody
    verdict: every octet of it is escaped; nobody is found"""
    before = len(slapd.searches())
    status, _, err, verdict = seal(ldap([slapd.ldap]),
                                   '"*)(uid=*"@partner.example')
    equal(status, 69, 'seal: ' + err)
    asked = slapd.searches()[before:]
    equal(len(asked), 1, 'searches')
    check('uid=' in asked[0] and asked[0].count('(') == 1, 'filter',
          asked[0])
    equal(verdict['recipients'][0]['passed_over'], [], 'passed over')


@test
def S187_what_a_directory_gives_is_judged_as_any_other():
    """attack A56: a directory that answers with somebody else's certificate
    verdict: passed over, because the address differs; refused"""
    status, _, err, verdict = seal(ldap(
        [slapd.ldap], '    filter "(|(uid=dave)(mail=%s))"\n'),
        'nobody@partner.example')
    equal(status, 69, 'seal: ' + err)
    over = verdict['recipients'][0]['passed_over']
    equal(len(over), 1, 'passed over')
    check('address differs' in over[0]['reason'], 'reason', str(over))


@test
def S187_a_search_that_is_too_wide_or_fails_is_no_answer():
    deferred(ldap([slapd.ldap]), 'crowd@partner.example', '16 entries')
    sealed(ldap([slapd.ldap], '    filter "(&(cn=bob)(mail=%s))"\n'), BOB)
    # one less of each is an answer, if of no use
    equal(seal(ldap([slapd.ldap], '    filter "(&(!(cn=crowd0))(mail=%s))"\n'
                    ), 'crowd@partner.example')[0], 69, '16 entries')
    conf = ldap([slapd.ldap], '    attribute "description"\n')
    equal(seal(conf, 'values256@partner.example')[0], 69, '256 values')
    deferred(conf, 'values257@partner.example', '256 values')
    conf = ldap([slapd.ldap], '    attribute "jpegPhoto"\n')
    equal(seal(conf, 'photo3@partner.example')[0], 69, '3 MiB')
    deferred(conf, 'photo5@partner.example', slapd.ldap)
    conf = directory('ldap "%s"' % slapd.ldap,
                     more='    base "o=nowhere"\n')
    deferred(conf, BOB, 'No such object')


@test
def S187_servers_of_another_CA_are_not_believed():
    """attack A56: somebody on the way answers for the LDAP server
    verdict: his certificate is not of the configured CA; deferred"""
    conf = ldap([slapd.ldaps], '    ca "%s"\n' % ca.crt)
    deferred(conf, BOB, slapd.ldaps)
    deferred(conf, 'rob@lenient.example', slapd.ldaps)
    deferred(ldap([slapd.ldap], '    start-tls\n    ca "%s"\n' % ca.crt),
             BOB, 'StartTLS')


@test
def S187_servers_of_another_name_are_not_believed():
    deferred(ldap([other.ldaps], ca_line()), BOB, other.ldaps)
    deferred(ldap([other.ldap], ca_line() + '    start-tls\n'), BOB,
             'StartTLS')


@test
def S187_a_server_that_never_answers_costs_its_time_and_no_more():
    silent = Silent()
    for url in ('ldap', 'ldaps'):
        deferred(ldap(['%s://127.0.0.1:%d' % (url, silent.port)],
                      ca_line(), timeout=4), 'rob@lenient.example', url)
    check(silent.connections >= 2, 'connections %d' % silent.connections)
    silent.stop()


@test
def S187_a_server_that_sends_octet_by_octet_is_left():
    # a message of LDAP that is 100,000 octets long; a record of TLS
    for url, say in (('ldap', b'\x30\x83\x01\x86\xa0'), ('ldaps',
                                                         b'\x16\x03\x03')):
        slow = Silent(say + b'\x02' * 1000)
        deferred(ldap(['%s://127.0.0.1:%d' % (url, slow.port)],
                      ca_line(), timeout=4), BOB, url)
        slow.stop()


@test
def S187_the_second_server_takes_over():
    silent = Silent()
    dead = 'ldap://127.0.0.1:%d' % lib.free_port()
    hangs = 'ldap://127.0.0.1:%d' % silent.port
    r = sealed(ldap([dead, hangs, slapd.ldap]), BOB)
    equal(r['certificates'][0]['source'], 'ldap ' + slapd.ldap, 'source')
    silent.stop()


@test
def S187_a_directory_that_is_away_never_means_in_clear():
    """attack A56: the directory is blocked, so that mail goes in clear to
    whom it "should be encrypted, or plain"
    verdict: deferred with 451 4.4.3, unless on-failure ignore says so"""
    dead = 'ldap://127.0.0.1:%d' % lib.free_port()
    verdict = deferred(ldap([dead]), 'rob@lenient.example', dead)
    check(dead in verdict['recipients'][0]['reason'], 'reason',
          str(verdict['recipients']))
    deferred(ldap([dead]), BOB, dead)
    conf = ldap([dead], '    on-failure ignore\n')
    status, mail, err, verdict = seal(conf, 'rob@lenient.example')
    equal(status, 0, 'seal: ' + err)
    check(b'multipart/signed' in mail, 'not signed', mail)
    check(any(dead in w for w in verdict['warnings']), 'warnings',
          str(verdict['warnings']))
    equal(seal(conf, BOB)[0], 69, 'must be encrypted, and ignored')


@test
def S187_other_domains_are_not_asked_for():
    silent = Silent()
    conf = ldap(['ldap://127.0.0.1:%d' % silent.port],
                domains='@partner.example @*.partner.example', timeout=4)
    for who in ('bob@elsewhere.example', 'bob@xpartner.example'):
        equal(seal(conf, who)[0], 69, who)
    equal(silent.connections, 0, 'connections')
    deferred(conf, 'bob@a.partner.example')
    equal(silent.connections, 1, 'connections')
    silent.stop()


@test
def S187_the_keystore_comes_first():
    before = len(slapd.searches())
    conf = ldap([slapd.ldap], domains='any')
    status, mail, err, verdict = seal(conf, ALICE)
    equal(status, 0, 'seal: ' + err)
    check(b'enveloped' in mail, 'not sealed', mail[:1000])
    check('source' not in verdict['recipients'][0]['certificates'][0],
          'source', str(verdict['recipients']))
    equal(len(slapd.searches()), before, 'searches')


@test
def S187_an_answer_is_asked_for_once():
    before = len(slapd.searches())
    status, _, err, _ = seal(ldap([slapd.ldap]), BOB, BOB,
                             'dave@partner.example')
    equal(status, 0, 'seal: ' + err)
    equal(len(slapd.searches()) - before, 2, 'searches')
    before = len(slapd.searches())
    seal(ldap([slapd.ldap], '    cache 0s\n'), BOB, BOB)
    equal(len(slapd.searches()) - before, 2, 'searches without cache')
    before = len(slapd.searches())
    seal(ldap([slapd.ldap]), 'no@lenient.example', 'no@lenient.example')
    equal(len(slapd.searches()) - before, 1, 'searches for nobody')


@test
def A64_a_password_is_used_and_never_shown():
    password = directories.write(os.path.join(base, 'ldap-password'),
                                 'reader-password\n')
    os.chmod(password, 0o600)
    carol = 'carol@partner.example'
    bind = ca_line() + ('    bind "cn=postseal,o=partner" password-file '
                        '"%s"\n' % password)
    equal(seal(ldap([slapd.ldaps], ca_line()), carol)[0], 69, 'anonymous')
    sealed(ldap([slapd.ldaps], bind), carol)
    _, out, err = lib.run([lib.MILTER, '-n', '-c', site.conf])
    if b'directory' in out:
        check(password.encode() in out, 'the file is not named', out)
    check(b'reader-password' not in out + err, 'password printed', out)
    directories.write(password, 'another-password\n')
    verdict = deferred(ldap([slapd.ldaps], bind), carol,
                       'Invalid credentials')
    check('another-password' not in str(verdict), 'password in verdict')
    os.chmod(password, 0o644)
    status, _, err = site.cmd('seal', '--from', ALICE, '--to', carol,
                              data=TEXT)
    equal(status, 78, 'a password for everybody: ' + err.decode())


# ---- SMIMEA ----

@test
def S181_S182_S184_the_whole_way_by_DNSSEC():
    r = sealed(smimea(), 'bob@signed.example')
    equal(r['certificates'][0]['source'], 'smimea ' +
          directories.smimea_name('bob@signed.example').rstrip('.'),
          'source')


@test
def S181_local_parts_are_not_mapped():
    status, _, err, _ = seal(smimea(), 'Bob@signed.example')
    equal(status, 69, 'seal: ' + err)


@test
def S184_usage_3_needs_a_path_unless_DNSSEC_is_trusted():
    who = 'dane@signed.example'
    status, _, err, verdict = seal(smimea(), who)
    equal(status, 69, 'seal: ' + err)
    equal(len(verdict['recipients'][0]['passed_over']), 1, 'passed over')
    sealed(smimea('    trust dnssec\n'), who)
    # usage 1 is not vouched for
    sealed(smimea('    trust dnssec\n'), 'bob@signed.example')


@test
def S184_a_hash_is_no_certificate():
    status, _, err, verdict = seal(smimea(), 'alice@signed.example')
    equal(status, 69, 'seal: ' + err)
    check(any('hash or key only' in w for w in verdict['warnings']),
          'warnings', str(verdict['warnings']))


@test
def S184_more_records_than_anybody_needs_are_no_answer():
    equal(seal(smimea(), 'many64@signed.example')[0], 69, '64 records')
    deferred(smimea(), 'many65@signed.example', 'more than 64')


@test
def S182_a_forged_record_is_never_used():
    """attack A56: the certificate in a signed zone is exchanged on the way
    for one of a CA that is trusted here
    verdict: bogus, deferred with 451 4.4.3; not used, and not "no
    certificate" either"""
    deferred(smimea(), 'bob@forged.example', 'DNSSEC does not hold')


@test
def S182_a_zone_without_its_signatures_is_bogus():
    """attack A56: DNSSEC is stripped from a zone that is signed
    verdict: bogus, deferred with 451 4.4.3"""
    deferred(smimea(), 'bob@stripped.example', 'DNSSEC does not hold')


@test
def S182_a_zone_that_nobody_signed_does_not_count():
    status, _, err, verdict = seal(smimea(), 'bob@plain.example')
    equal(status, 69, 'seal: ' + err)
    check(any('not signed' in w for w in verdict['warnings']), 'warnings',
          str(verdict['warnings']))
    # nor one below a zone that is signed and says that it is not
    for who in ('bob@plain.example', 'bob@sub.signed.example'):
        status, _, err, verdict = seal(smimea('    trust dnssec\n'), who)
        equal(status, 69, 'trust dnssec: ' + err)
        check(any('not signed' in w for w in verdict['warnings']),
              'warnings', str(verdict['warnings']))


@test
def S182_A56_an_anchor_file_without_a_key_is_no_answer():
    """attack A56: the file of the anchor is empty, as a full disk leaves it,
    so that nothing is secured any more and mail goes in clear where it "should
    be encrypted, or plain"
    verdict: deferred with 451 4.4.3, as without the file"""
    empty = directories.write(os.path.join(base, 'empty.key'), '')
    said = directories.write(os.path.join(base, 'said.key'),
                             '; the key was here\n$TTL 86400\n')
    for path in (empty, said):
        os.chmod(path, 0o644)
        conf = smimea().replace(zones.anchor, path)
        check(path in conf, 'configuration', conf)
        deferred(conf, 'bob@signed.example', 'anchor', 'no key')


@test
def S182_signed_absence_is_an_answer():
    status, _, err, verdict = seal(smimea(), 'nobody@signed.example')
    equal(status, 69, 'seal: ' + err)
    equal(verdict['warnings'], [], 'warnings')


@test
def S182_a_resolver_that_is_silent_or_gone_defers():
    silent = Silent()
    for port in (silent.port, lib.free_port()):
        conf = directory('smimea', '@signed.example', '    resolver '
                         '"127.0.0.1@%d"\n    anchor "%s"\n' %
                         (port, zones.anchor), timeout=4)
        deferred(conf, 'bob@signed.example')
    silent.stop()


# ---- what postseal rules explain says ----

@test
def S187_rules_explain_asks_too():
    def explain(conf, who):
        site.set_conf(conf)
        return site.must('rules', 'explain', '--from', ALICE, '--to',
                         who).decode()
    text = explain(ldap([slapd.ldap]), BOB)
    check('ldap ' + slapd.ldap in text and 'signed and encrypted' in text,
          text)
    text = explain(ldap([slapd.ldap]), 'nobody@partner.example')
    check('knows no certificate' in text and 'refused' in text, text)
    dead = 'ldap://127.0.0.1:%d' % lib.free_port()
    text = explain(ldap([dead]), 'rob@lenient.example')
    check(dead in text and 'deferred: whether' in text, text)


# ---- the milter: a process of its own asks ----

def send(who, *expect):
    """What the MTA gets from the milter, as files and words."""
    message = directories.write(os.path.join(base, 'mail.eml'),
                                TEXT.decode())
    out = os.path.join(base, 'milter-out')
    found = lib.run([os.path.join(lib.BUILD, 'tests', 'bench', 'mfload'),
                     '-s', 'unix:' + site.socket, '-o', out, '--from', ALICE,
                     '--rcpt', who, '--auth', ALICE, message])
    text = (found[1] + found[2]).decode()
    for x in expect:
        check(x in text, 'no "%s"' % x, text, site.milter_log()[-3000:])
    return directories.read(out)


@test
def S182_S187_the_milter_asks_and_remembers():
    for name in ('postseal-milter', 'tests/bench/mfload'):
        if not os.path.exists(os.path.join(lib.BUILD, name)):
            raise lib.Skip('no ' + name)
    third = Slapd(os.path.join(base, 'third'), directories.entry(
        BOB, [directories.der(people[BOB][1])]), tls).start()
    site.set_conf(ldap([third.ldaps], ca_line()) +
                  smimea('    trust dnssec\n'))
    site.start()
    inside = decrypt(send(BOB), *people[BOB])
    check(b'only for one pair of eyes' in inside, inside)
    check(b'multipart/signed' in send('no@lenient.example'), 'not signed')
    for who in ('bob@signed.example', 'dane@signed.example'):
        decrypt(send(who), *people[who])
    third.stop()
    zones.stop()
    # what is known stays known, found and not found
    decrypt(send(BOB), *people[BOB])
    check(b'multipart/signed' in send('no@lenient.example'), 'not signed')
    decrypt(send('bob@signed.example'), *people['bob@signed.example'])
    # and what is not is asked for in vain
    send('rob@lenient.example', '451', '4.4.3', third.ldaps)
    third.start()
    zones.start()
    site.stop()


@test
def S187_a_connection_that_died_is_opened_again():
    if not os.path.exists(lib.MILTER):
        raise lib.Skip('no postseal-milter')
    site.set_conf(ldap([slapd.ldaps], ca_line() + '    cache 0s\n'))
    site.start()
    before = len(slapd.searches()), slapd.log().count('ACCEPT from')
    for _ in range(3):
        decrypt(send(BOB), *people[BOB])
    equal(len(slapd.searches()) - before[0], 3, 'searches')
    equal(slapd.log().count('ACCEPT from') - before[1], 1, 'connections')
    slapd.stop()
    slapd.start()
    decrypt(send(BOB), *people[BOB])
    site.stop()


# ---- what mail names is not fetched ----

@test
def A56_nothing_that_mail_names_is_asked():
    """attack A56: signed mail whose certificate points with AIA, OCSP and
    CRL addresses to servers inside
    verdict: zero connections, also where directories are configured"""
    silent = Silent()
    at = '127.0.0.1:%d' % silent.port
    key, crt = ca.person(
        'eve@partner.example',
        'authorityInfoAccess=caIssuers;URI:ldap://%s/o=x?cACertificate,'
        'caIssuers;URI:http://%s/ca,OCSP;URI:http://%s/\n'
        'crlDistributionPoints=URI:http://%s/crl\n' % (at, at, at, at))
    mail = lib.must_run(['openssl', 'cms', '-sign', '-signer', crt, '-inkey',
                         key, '-text', '-from', 'eve@partner.example', '-to',
                         ALICE, '-subject', 'x'], b'hello\n')
    site.set_conf(ldap([slapd.ldap], domains='any'))
    before = len(slapd.searches())
    out = os.path.join(base, 'open.json')
    status, _, err = site.cmd('open', '--from', 'eve@partner.example', '--to',
                              ALICE, '--json', out, data=mail)
    equal(status, 0, 'open: ' + err.decode())
    with open(out, encoding='utf-8') as f:
        signature = json.load(f)['signature']
    equal(signature['result'], 'pass', str(signature))
    equal(silent.connections, 0, 'connections')
    equal(len(slapd.searches()), before, 'searches')
    silent.stop()


if __name__ == '__main__':
    lib.main(setup)
