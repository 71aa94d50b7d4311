# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""What must hold with every mail server: tests that postfix_test.py and
sendmail_test.py run, each with its own. example.com has alice (RSA),
example.org has bob (EC). What crosses the wire between them is caught by a
sink, looked at, and carried over as it is."""
import contextlib
import os
import re
import threading

import lib
from lib import check, equal, test
from sink import Sink

ALICE, BOB = 'alice@example.com', 'bob@example.org'
CANARY = b'CANARY-51c0-in-clear'

RULES_A = '''
outbound to carol@example.org : sign, encrypt
outbound to @signed.example   : sign
outbound to @nocert.example   : sign, encrypt
outbound to @percent.example  : refuse "not %s, nor 100 % of %n"
outbound to @plain.example    : pass
outbound to desk@example.org  : sign, encrypt, protect-headers shy
outbound                      : sign or plain, encrypt or plain
internal                      : pass
inbound                       : decrypt, verify
'''
RULES_B = '''
outbound                      : sign or plain, encrypt or plain
inbound from @outside.example : verify or quarantine
inbound                       : decrypt, verify
'''

a = b = wire = back = None


def begin(base, make):
    """make(site, folder, source, routes) -> its mail server, not started,
    with a sink behind it."""
    global a, b, wire, back
    lib.limits()
    a, b = lib.two_sites(base, RULES_A, RULES_B, postfix=False)
    for user in 'dave@example.org', 'desk@example.org':
        a.must('ca', 'issue', '--email', user, '--algorithm', 'ec:p256')
        lib.share(a, b, ALICE, user)
    a.own()
    b.own()
    wire, back = Sink(base + '/wire'), Sink(base + '/back')
    a.mta = make(a, base + '/mta-a', '127.0.0.2',
                 {x: wire.port for x in (
                      'example.org', 'signed.example', 'nocert.example',
                      'percent.example', 'plain.example')})
    b.mta = make(b, base + '/mta-b', '127.0.0.3',
                 {'example.com': back.port, 'outside.example': back.port})
    a.mta.aliases['team'] = 'one@signed.example, two@signed.example'
    for s in (a, b):
        s.milter = 'reinject smtp "127.0.0.1:%d"' % s.mta.plain
        s.set_conf()
        s.mta.ready()
        s.start()
        s.mta.start()


def fresh():
    lib.wait_for(lambda: not a.mta.queued() and not b.mta.queued(),
                 lambda: 'empty queues: ' + str(a.mta.queue_files() +
                                                b.mta.queue_files()))
    for sink in (wire, back, a.mta.sink, b.mta.sink):
        sink.forget()
    wire.offers = ['8BITMIME', 'DSN']
    for s in (a, b):
        for user in os.listdir(os.path.join(s.mta.dir, 'mail')) \
                if os.path.isdir(os.path.join(s.mta.dir, 'mail')) else []:
            s.mta.empty(user)


def text(words, sender=ALICE, to=BOB, subject='hello'):
    return lib.crlf(
        ('From: %s\nTo: %s\nSubject: %s\nMIME-Version: 1.0\n'
         'Content-Type: text/plain; charset=utf-8\n'
         'Content-Transfer-Encoding: 8bit\n\n%s\n' %
         (sender, to, subject, words)).encode())


def send(mta, sender, to, octets, login=None, **more):
    """One message in one session. -> (code, text)"""
    c = mta.connect(login)
    try:
        return c.submit_raw(sender, to, octets, **more)
    finally:
        with contextlib.suppress(Exception):
            c.quit()


def from_alice(octets, to=BOB, **more):
    return send(a.mta, ALICE, to, octets, login='alice', **more)


def on_the_wire(sink=None):
    sink = sink or wire
    lib.wait_for(lambda: sink.seen, lambda: 'mail on the wire; log:\n' +
                 a.mta.log()[-3000:])
    return sink.seen[-1]


def carry(seen, to=BOB, user='bob'):
    """What crossed the wire into example.org. -> as delivered"""
    code, said = send(b.mta, ALICE, to, seen.data)
    equal(code, 250, said)
    return b.mta.wait_mail(user)[0]


def through(octets, name=''):
    """alice to bob. -> (the wire, as delivered)"""
    fresh()
    code, said = from_alice(octets)
    equal(code, 250, '%s: %s' % (name, said))
    seen = on_the_wire()
    got = carry(seen)
    equal(result(got), 'pass', name + ': smime=')
    check(not sealed(got), name + ': not opened', got)
    return seen, got


def sealed(data):
    kind = lib.header(data, 'Content-Type')
    return bool(kind) and kind[0].startswith('application/pkcs7-mime')


def result(data):
    for v in lib.header(data, 'Authentication-Results'):
        m = re.search(r'\bsmime=(\w+)', v)
        if m:
            return m.group(1)
    return None


def same_leaves(found, original, what):
    f, o = lib.leaves(found), lib.leaves(original)
    equal([k for k, _ in f], [k for k, _ in o], what + ': types')
    for (kind, x), (_, y) in zip(f, o):
        equal(x, y, '%s: %s' % (what, kind))


@test
def S1_S3_alice_to_bob_and_every_leaf_is_equal():
    for name in ('plain', 'utf8', 'latin1', 'no-mime', 'attachment',
                 'nested', 'no-final-newline', 'fragile-lines', 'html',
                 'forwarded'):
        with open(os.path.join(lib.SAMPLES, 'messages', name + '.eml'),
                  'rb') as f:
            original = f.read()
        seen, got = through(lib.crlf(original), name)
        check(sealed(seen.lf()), name + ': not sealed on the wire',
              seen.data)
        for kind, leaf in lib.leaves(original):
            if len(leaf) > 15:
                check(leaf not in seen.lf(), name + ': in clear')
        if name == 'no-final-newline':
            original += b'\n'  # SMTP cannot carry less
        same_leaves(got, original, name)


@test
def S1_bob_replies_with_an_ec_key():
    fresh()
    words = 'Grüße zurück, ' + CANARY.decode()
    code, said = send(b.mta, BOB, ALICE, text(words, BOB, ALICE),
                               login='bob')
    equal(code, 250, said)
    seen = on_the_wire(back)
    check(sealed(seen.lf()) and CANARY not in seen.data, 'in clear')
    code, said = send(a.mta, BOB, ALICE, seen.data)
    equal(code, 250, said)
    got = a.mta.wait_mail('alice')[0]
    check(words.encode() in lib.leaves(got)[0][1], 'text lost', got)
    equal(result(got), 'pass', 'smime=')


@test
def M1_several_messages_in_one_session_the_second_given_up_by_RSET():
    fresh()
    c = a.mta.connect('alice')
    equal(c.submit_raw(ALICE, BOB, text('first'))[0], 250, 'first')
    c.mail(ALICE)
    c.rcpt('dave@example.org')
    equal(c.rset()[0], 250, 'RSET')
    equal(c.submit_raw(ALICE, BOB, text('third'))[0], 250, 'third')
    c.quit()
    lib.wait_for(lambda: len(wire.seen) >= 2, 'two messages')
    for seen in list(wire.seen):
        equal(send(b.mta, ALICE, BOB, seen.data)[0], 250, 'carry')
    got = b''.join(b.mta.wait_mail('bob', 2))
    check(b'first' in got and b'third' in got, 'wrong texts', got)
    equal(len(wire.seen), 2, 'messages')


@test
def M3_blanks_after_the_colon_are_kept():
    for head in (b'Subject:x', b'Subject:  x', b'Subject:\tx',
                 b'Subject: x y\r\n\t folded'):
        seen, got = through(head + b'\r\nFrom: alice@example.com\r\n'
                            b'To: bob@example.org\r\n\r\nblanks\r\n')
        for where, data in ('wire', seen.data), ('opened', lib.crlf(got)):
            check(b'\r\n' + head + b'\r\n' in data, where, data)


@test
def M5_A27_three_fields_of_a_name_and_the_right_ones_go():
    fresh()
    fields = (b'Authentication-Results: mx.example.org; smime=pass 1\r\n'
              b'Authentication-Results: mx.example.net; spf=pass 2\r\n'
              b'Authentication-Results: mx.example.org; smime=pass 3\r\n'
              b'Authentication-Results: mx.example.net; dkim=pass 4\r\n'
              b'Authentication-Results: mx.example.org; smime=pass 5\r\n')
    code, said = send(b.mta, 'x@partner.example', BOB,
                               fields + text('no signature'))
    equal(code, 250, said)
    got = lib.header(b.mta.wait_mail('bob')[0], 'Authentication-Results')
    left = ' '.join(got)
    check('spf=pass 2' in left and 'dkim=pass 4' in left,
          'those of others went', left)
    check('smime=pass' not in left, 'a forged one stayed', left)


@test
def A41_M5_two_content_types_are_never_sent_in_clear():
    """attack A41: the Content-Type field three times
    verdict: refused, or sealed with a single one"""
    fresh()
    octets = b'Content-Type: text/html\r\n' * 2 + text(CANARY.decode())
    code, said = from_alice(octets)
    if code == 250:
        seen = on_the_wire()
        equal(len(lib.header(seen.lf(), 'Content-Type')), 1, 'fields')
        check(sealed(seen.lf()), 'not sealed', seen.data)
        return
    equal((code, said[:5]), (554, '5.6.0'), said)
    check(not wire.seen, 'sent')


@test
def M6_M40_a_thousand_recipients_in_the_To_field():
    """60 kB of addresses; those of one form are one message."""
    to = b',\r\n '.join(b'a-person-with-a-long-name-%04d@example.org' % i
                        for i in range(1000))
    octets = (b'From: alice@example.com\r\nTo: bob@example.org,\r\n ' + to +
              b'\r\nSubject: many\r\n\r\nto very many\r\n')
    seen, got = through(octets)
    for where, data in ('wire', seen.data), ('opened', lib.crlf(got)):
        field = lib.header(data.replace(b'\r\n', b'\n'), 'To')
        equal(len(re.findall('person-with-a-long-name', field[0])), 1000,
              where + ': recipients in To')
        check(max(map(len, data.split(b'\r\n'))) <= 998, where +
              ': too long a line')


@test
def S1_two_hundred_recipients_of_one_form():
    fresh()
    to = ['p%d@signed.example' % i for i in range(200)]
    code, said = from_alice(text('signed for many', to=to[0]), to)
    equal(code, 250, said)
    lib.wait_for(lambda: sum(len(s.rcpts) for s in wire.seen) >= 200,
                 'all recipients')
    equal(sorted(x for s in wire.seen for x in s.to()), sorted(to),
          'recipients')
    for s in wire.seen:
        check(b'pkcs7-signature' in s.data, 'not signed', s.data)


@test
def S49_M22_parameters_for_notices_stay():
    fresh()
    code, said = from_alice(
        text('notify'), options=['RET=HDRS', 'ENVID=abc+2B1'],
        rcpt_options=['NOTIFY=SUCCESS,FAILURE',
                      'ORCPT=rfc822;Bob@example.org'])
    equal(code, 250, said)
    seen = on_the_wire()
    check(sealed(seen.lf()), 'not sealed', seen.data)
    for word in (b'RET=HDRS', b'ENVID=abc+2B1'):
        check(word in seen.mail, 'lost', seen.mail)
    for word in (b'NOTIFY=SUCCESS,FAILURE', b'ORCPT=rfc822;Bob@example.org'):
        check(word in seen.rcpts[0], 'lost', seen.rcpts[0])


@test
def M10_A50_no_certificate_is_550_573_with_its_text():
    """attack A50: no certificate for one who must get it encrypted
    verdict: 550 5.7.3, nothing sent"""
    fresh()
    code, said = from_alice(text(CANARY.decode(), to='carol@example.org'),
                            'carol@example.org')
    equal((code, said[:5]), (550, '5.7.3'), said)
    check('carol@example.org' in said, 'recipient not named', said)
    check(not wire.seen and not a.mta.queued(), 'sent or queued')


@test
def M7_M14_killed_in_the_middle_of_a_message():
    fresh()
    c = a.mta.connect('alice')
    for code, said in (c.mail(ALICE), c.rcpt(BOB), c.docmd('DATA')):
        check(code < 400, 'refused', said)
    c.send(text(CANARY.decode()))
    a.stop(lib.signal.SIGKILL)
    c.send(b'.\r\n')
    code, said = c.getreply()
    check(400 <= code < 500, 'not a temporary failure: %d' % code, said)
    check(not wire.seen and not a.mta.grep(CANARY), 'in clear')
    a.start()


@test
def M42_what_a_rule_holds_is_held():
    fresh()
    code, said = send(b.mta, 'x@outside.example', BOB,
                               text('unsigned', 'x@outside.example'))
    equal(code, 250, said)
    lib.wait_for(b.mta.held, 'a held message')
    check(not b.mta.boxes('bob'), 'delivered')
    for f in b.mta.held():
        os.unlink(f)


@test
def S2_M29_M34_a_next_hop_without_8BITMIME_breaks_nothing():
    fresh()
    wire.offers = ['DSN']
    code, said = from_alice(text('Grüße, signiert', to='x@signed.example'),
                            'x@signed.example', options=['BODY=8BITMIME'])
    equal(code, 250, said)
    seen = on_the_wire()
    check(b'multipart/signed' in seen.data, 'not signed', seen.data)
    check(not any(c > 127 for c in seen.data), 'eight bits', seen.data)
    got = carry(seen)
    equal(result(got), 'pass', 'smime=')
    check('Grüße'.encode() in lib.leaves(got)[0][1], 'text', got)


@test
def S9_M35_lines_longer_than_the_mailer_allows():
    """Sendmail breaks lines at 990 octets; what is signed has none."""
    fresh()
    long_line = 'x' * 5000 + ' end'
    code, said = from_alice(text(long_line, to='x@signed.example'),
                            'x@signed.example')
    equal(code, 250, said)
    seen = on_the_wire()
    check(max(map(len, seen.data.split(b'\r\n'))) <= 998, 'long lines')
    got = carry(seen)
    equal(result(got), 'pass', 'smime=')
    check(long_line.encode() in lib.leaves(got)[0][1], 'text', got)


@test
def S9_from_and_dots_at_the_start_of_a_line():
    original = text('From here\n.\n..\n.x\n>From there\nend ')
    seen, got = through(original)
    check(sealed(seen.lf()), 'not sealed')
    same_leaves(got, original, 'fragile')


@test
def M36_bare_cr_and_bare_lf():
    """What becomes of them, the signature holds; one may be refused."""
    for bad in (b'one\rtwo\r\n', b'one\ntwo\r\n', b'\r\r\nx\r\n'):
        fresh()
        code, said = from_alice(
            text('').rstrip(b'\r\n').replace(BOB.encode(),
                                             b'x@signed.example') +
            b'\r\n\r\n' + bad, 'x@signed.example')
        if code != 250:
            check(code < 600 and said[:1] in '45', said)
            continue
        got = carry(on_the_wire())
        equal(result(got), 'pass', '%r: smime=' % bad)


@test
def M37_nul_in_the_body_and_in_the_header():
    fresh()
    code, said = from_alice(text('a\0b', to='x@signed.example'),
                            'x@signed.example')
    if code == 250:
        got = carry(on_the_wire())
        equal(result(got), 'pass', 'smime=')
    else:
        check(said[:1] == '5', said)
    fresh()
    code, said = from_alice(text('x', subject='a\0b'))
    if code == 250:  # Sendmail took it out
        check(b'\0' not in on_the_wire().data, 'still there')
    else:
        check(said[:1] == '5', said)


@test
def M38_no_body_and_no_final_newline():
    head = (b'From: alice@example.com\r\nTo: bob@example.org\r\n'
            b'Subject: empty\r\n')
    for octets in (head + b'\r\n', head, head + b'\r\nno end'):
        seen, got = through(octets, repr(octets[-10:]))
        check(sealed(seen.lf()), 'not sealed', seen.data)
        equal(lib.leaves(got)[0][1].strip(), octets[len(head) + 2:], 'body')


@test
def M19_without_a_login_the_sender_is_nobody():
    fresh()
    code, said = send(a.mta, ALICE, 'x@signed.example',
                               text('nobody', to='x@signed.example'))
    if code == 250:
        check(b'pkcs7' not in on_the_wire().data, 'signed')


@test
def M20_a_name_in_EHLO_is_no_login():
    fresh()
    c = a.mta.connect()
    c.ehlo('alice@example.com')
    code, said = c.submit_raw(ALICE, 'x@signed.example', text('spoof'))
    c.quit()
    if code == 250:
        check(b'pkcs7' not in on_the_wire().data, 'signed')


@test
def M12_S47_a_bounce_of_an_opened_message_has_headers_only():
    """The server's own notice passes no filter and has no plaintext."""
    fresh()
    b.mta.sink.refuse['dave'] = '550 5.2.2 the mailbox is full'
    code, said = from_alice(text(CANARY.decode(), to='dave@example.org',
                                 subject='for dave'), 'dave@example.org')
    equal(code, 250, said)
    code, said = send(b.mta, ALICE, 'dave@example.org', on_the_wire().data)
    equal(code, 250, said)
    bounce = on_the_wire(back)
    check(b'mailbox is full' in bounce.data, 'not the bounce', bounce.data)
    check(CANARY not in bounce.data, 'plaintext came back', bounce.data)
    check(b'for dave' in bounce.data, 'no headers came back', bounce.data)


@test
def M9_a_reply_with_percent_signs():
    fresh()
    code, said = from_alice(text('x', to='x@percent.example'),
                            'x@percent.example')
    equal(code, 550, said)
    check('not %s, nor 100 % of %n' in said, 'text', said)


@test
def M9_a_reply_of_several_lines():
    fresh()
    to = ['somebody-with-a-long-name-%02d@nocert.example' % i
          for i in range(30)]
    code, said = from_alice(text('x', to=to[0]), to)
    equal(code, 550, said)
    lines = said.splitlines()
    check(len(lines) > 1, 'one line', said)
    for line in lines:
        check(line.startswith('5.7.'), 'no enhanced code', line)
    check('somebody-with-a-long-name-00' in said, 'nobody named', said)


@test
def M15_a_header_line_of_ninety_kilobytes():
    """A clean answer, never clear text, and the next message is as good as
    ever."""
    for fold in (b'', b'\r\n '):
        fresh()
        field = fold.join(b'x' * 900 for _ in range(100))
        code, said = from_alice(b'X-Long: ' + field + b'\r\n' +
                                text(CANARY.decode()))
        if code == 250:
            check(sealed(on_the_wire().lf()), 'not sealed')
        else:
            check(400 <= code < 600, said)
            check(not wire.seen, 'sent')
    through(text('and the next'))


@test
def M39_what_grows_beyond_the_limit_is_refused_at_once():
    """8 MB that would be 15 MB signed and encrypted, 10 MB allowed."""
    fresh()
    a.stop()
    with open(a.conf, encoding='utf-8') as f:
        conf = f.read()
    with open(a.conf, 'w', encoding='utf-8') as f:
        f.write(conf.replace('max-message-size 600M',
                             'max-message-size 10M'))
    a.start()
    try:
        line = b'0123456789abcdef' * 4 + b'\r\n'
        for size, wanted in (8, 552), (4, 250):
            code, said = from_alice(text('large') +
                                    line * (size * 1000000 // len(line)))
            equal(code, wanted, '%d MB: %s' % (size, said))
            if wanted == 552:
                check(said.startswith('5.3.4'), said)
    finally:
        a.stop()
        a.set_conf()
        a.start()


@test
def A45_what_was_encrypted_holds_no_command_for_the_next_hop():
    """attack A45: an end of data and SMTP commands inside encrypted content
    verdict: one message with clean line ends"""
    fresh()
    evil = (b'Content-Type: text/plain\r\n\r\nhello\n.\nMAIL FROM:<x@x>\n'
            b'\r.\rRCPT TO:<y@y>\r\n.\nDATA\n\r\n.end\r\n')
    for name in ('-binary', '-stream'):
        out = lib.must_run(
            ['openssl', 'cms', '-encrypt', '-binary', name, '-aes256',
             '-from', 'x@partner.example', '-to', BOB, '-subject', 'evil',
             a.path(BOB + '.pem')], evil)
        code, said = send(b.mta, 'x@partner.example', BOB, lib.crlf(out))
        equal(code, 250, said)
    b.mta.wait_mail('bob', 2)
    equal(len(b.mta.sink.seen), 2, 'messages')
    for seen in b.mta.sink.seen:
        octets = seen.data.replace(b'\r\n', b'')
        check(b'\r' not in octets and b'\n' not in octets, 'bare',
              seen.data)
        opened = lib.leaves(seen.data)[-1][1]
        check(b'RCPT TO:<y@y>' in opened, 'content', seen.data)


def arrived(n):
    """{recipient: what went there} once n recipients were served; each of
    them once."""
    lib.wait_for(lambda: sum(len(s.rcpts) for s in wire.seen) >= n,
                 lambda: '%d recipients, there are %s; queues: %s %s' %
                 (n, [s.to() for s in wire.seen], a.mta.queued(),
                  a.milter_log()[-1500:] + a.mta.log()[-2500:]))
    lib.wait_for(lambda: not a.mta.queued(), 'an empty queue')
    found = [to for s in wire.seen for to in s.to()]
    equal(len(found), n, 'recipients: ' + ' '.join(found))
    return {to: s.lf() for s in wire.seen for to in s.to()}


def form(data):
    kind = lib.header(data, 'Content-Type')
    for word in ('pkcs7-mime', 'multipart/signed'):
        if kind and word in kind[0]:
            return word
    return 'plain'


@test
def M21_M23_five_recipients_in_three_forms():
    """Each gets one mail, in his form, to the octets that were given."""
    fresh()
    to = [BOB, 'Dave@Example.ORG', 'No.Body@signed.example',
          'x+Tag@signed.example', 'Clear@plain.example']
    code, said = from_alice(text(CANARY.decode(), to=', '.join(to)), to)
    equal(code, 250, said)
    got = arrived(5)
    equal({k.lower(): form(v) for k, v in got.items()},
          dict(zip([t.lower() for t in to],
                   ['pkcs7-mime'] * 2 + ['multipart/signed'] * 2 +
                   ['plain'])), 'forms')
    for k in got:
        check(k.split('@')[0] in [t.split('@')[0] for t in to],
              'local part changed: ' + k)
        check(CANARY not in got[k] or form(got[k]) != 'pkcs7-mime',
              'in clear for ' + k)


@test
def M21_addresses_with_odd_characters():
    fresh()
    odd = ["o'dd/Name={x}|y*!#$&^`~-_=1@plain.example",
           'a+b=c@signed.example', BOB]
    code, said = from_alice(text(CANARY.decode()), odd)
    equal(code, 250, said)
    got = {k: form(v) for k, v in arrived(3).items()}
    equal(got, dict(zip(odd, ['plain', 'multipart/signed', 'pkcs7-mime'])),
          'forms')


@test
def M21_M27_who_stands_behind_an_alias_gets_one_mail():
    """The alias is expanded by the server, before the filter or after."""
    for to in (['team@example.com', BOB, 'x@plain.example'],
               [BOB, 'x@plain.example', 'team@example.com'],
               [BOB, 'team@example.com'], ['team@example.com', BOB]):
        fresh()
        code, said = from_alice(text(CANARY.decode()), to)
        equal(code, 250, said)
        got = arrived(len(to) + 1)
        equal(form(got[BOB]), 'pkcs7-mime', 'for bob')
        check('one@signed.example' in got and 'two@signed.example' in got,
              'not expanded', str(list(got)))


@test
def S49_M22_copies_keep_the_parameters_for_notices():
    fresh()
    code, said = from_alice(
        text('notify'), [BOB, 'x@plain.example', 'y@signed.example'],
        options=['RET=HDRS', 'ENVID=abc'],
        rcpt_options=['NOTIFY=FAILURE,DELAY', 'ORCPT=rfc822;An@x.example'])
    equal(code, 250, said)
    arrived(3)
    for seen in wire.seen:
        for word in (b'RET=HDRS', b'ENVID=abc'):
            check(word in seen.mail, 'lost', seen.mail)
        check(b'NOTIFY=FAILURE,DELAY' in seen.rcpts[0] and
              b'ORCPT=rfc822;An@x.example' in seen.rcpts[0], 'lost',
              seen.rcpts[0])


@test
def S129_M23_a_hidden_recipient_is_named_nowhere():
    fresh()
    to = [BOB, 'dave@example.org']
    code, said = from_alice(text(CANARY.decode(), to=BOB), to)
    equal(code, 250, said)
    got = arrived(2)
    equal([form(v) for v in got.values()], ['pkcs7-mime'] * 2, 'forms')
    check(b'dave' not in got[BOB], 'bob learns of dave', got[BOB])
    check(got[BOB] != got['dave@example.org'], 'one message for both')


@test
def A53_only_recipients_of_the_envelope_get_copies():
    """attack A53: other addresses in To, Cc and Bcc fields of a message that
    is sent in several forms
    verdict: copies go to recipients of the transaction alone"""
    fresh()
    code, said = from_alice(
        b'Cc: other@plain.example\r\nBcc: third@signed.example\r\n'
        b'Resent-To: fourth@plain.example\r\n' +
        text(CANARY.decode(), to=BOB + ', else@plain.example'),
        [BOB, 'x@plain.example'])
    equal(code, 250, said)
    equal(sorted(arrived(2)), [BOB, 'x@plain.example'], 'recipients')


@test
def M26_A52_no_field_says_that_it_was_sealed_already():
    """attack A52: marks that gateways put into what they have done
    verdict: sealed like any other"""
    fresh()
    code, said = from_alice(
        b'X-Postseal: done\r\nX-Postseal-Id: abcdefgh\r\n'
        b'X-Encrypted: yes\r\nX-Loop: postseal\r\n'
        b'Received: from [127.0.0.1] by postseal; '
        b'Thu, 1 Jan 2026 12:00:00 +0000\r\n' + text(CANARY.decode()))
    equal(code, 250, said)
    seen = on_the_wire()
    check(sealed(seen.lf()) and CANARY not in seen.data, 'in clear',
          seen.data)


@test
def M43_without_Message_ID_and_Date_but_with_a_protected_header():
    """The server adds them after the filter; the signature does not mind
    and nobody gets a field twice."""
    fresh()
    code, said = from_alice(text('no id', to='desk@example.org'),
                            'desk@example.org')
    equal(code, 250, said)
    seen = on_the_wire()
    check(b'hello' not in seen.data, 'the subject is in clear', seen.data)
    got = carry(seen, 'desk@example.org', 'desk')
    equal(result(got), 'pass', 'smime=')
    head = got.split(b'\n\n', 1)[0]
    for name in 'Message-ID', 'Date', 'From', 'Subject':
        equal(len(lib.header(head + b'\n\n', name)), 1, name)
    equal(lib.header(got, 'Subject'), ['hello'], 'Subject')


@test
def M18_forty_sessions_at_once():
    fresh()
    n, said = 40, []

    def session(i):
        try:
            said.append(from_alice(text('number %d.' % i)))
        except Exception as e:
            said.append((0, repr(e)))
    threads = [threading.Thread(target=session, args=(i,))
               for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    bad = [x for x in said if x[0] != 250]
    check(not bad, '%d of %d failed' % (len(bad), n), *bad[:5])
    lib.wait_for(lambda: len(wire.seen) >= n, 'all on the wire', 60)
    equal(len(wire.seen), n, 'messages')
    check(all(sealed(s.lf()) for s in wire.seen), 'not all sealed')


def A54_no_content_in_the_logs():
    """attack A54: content and subjects looked for in the logs
    verdict: neither is there"""
    for s in (a, b):
        check(CANARY.decode() not in s.milter_log(), 'content in the log')
        check('for dave' not in s.milter_log(), 'subject in the log')


def they_end_when_told_and_no_sanitizer_complained():
    for s in (a, b):
        equal(s.stop(), 0, 'exit status; log:\n' + s.milter_log()[-2000:])
        bad = [x for x in s.milter_log().splitlines()
               if 'Sanitizer' in x or 'runtime error' in x]
        check(not bad, 'sanitizer', *bad[:10])
