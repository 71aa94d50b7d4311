#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""The second door: Postfix gives mail to an LMTP door that opens it for a real
Dovecot, and to an SMTP door, its content filter, that seals it and gives it
back. Attackers speak to the doors themselves."""
import contextlib
import os
import re
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import dovecot  # noqa: E402
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402
from talk import Next, Talk, submit_to  # noqa: E402

ALICE, BOB = 'alice@example.com', 'bob@example.org'
CAROL, DAVE = 'carol@example.org', 'dave@example.org'
CANARY = b'CANARY-19c2-in-clear'
OUTSIDE = '192.0.2.7'

RULES_A = '''
outbound to postmaster@example.org : sign or plain, encrypt or plain
outbound to nobody@example.net     : pass
outbound                           : sign, encrypt
internal                           : pass
inbound                            : decrypt, verify
'''

DOOR_OUT = '''
door out {{
    listen    smtp "127.0.0.1:{port}"
    next-hop  smtp "127.0.0.1:{back}"
    direction outbound
    login     envelope-from
    dsn       yes
}}
door split {{
    listen    smtp "127.0.0.1:{split}"
    next-hop  smtp "127.0.0.1:{target}"
    direction outbound
    login     envelope-from
}}
door hosts {{
    listen    smtp "127.0.0.1:{hosts}"
    next-hop  smtp "127.0.0.1:{target}"
    direction outbound
    limit     2 connections
}}
sign-for alice@example.com network 192.0.2.8/32
'''

DOORS_IN = '''
door in {{
    listen    lmtp "unix:{d}/run/in.sock" mode 0666
    next-hop  lmtp "unix:{box}"
    direction inbound
    limit     300 connections
}}
door fake {{
    listen    lmtp "unix:{d}/run/fake.sock" mode 0666
    next-hop  lmtp "unix:{d}/run/next.sock"
    direction inbound
    dsn       yes
}}
door tcp {{
    listen    smtp "127.0.0.1:{tcp}"
    next-hop  smtp "127.0.0.1:{next}"
    direction inbound
    clients   127.0.0.1/32
    limit     300 connections
}}
door gated {{
    listen    lmtp "127.0.0.1:{gated}"
    next-hop  lmtp "unix:{d}/run/next.sock"
    direction inbound
    clients   192.0.2.0/24
    limit     2 connections
}}
'''

a = b = box = None
out_port = tcp_port = next_port = gated_port = 0
split_port = target_port = hosts_port = 0


def setup():
    global a, b, box, out_port, tcp_port, next_port, gated_port
    global split_port, target_port, hosts_port
    lib.limits()
    lib.need_postfix()
    dovecot.need_dovecot()
    base = lib.temporary()
    out_port, tcp_port = lib.free_port(), lib.free_port()
    next_port, gated_port = lib.free_port(), lib.free_port()
    split_port, target_port = lib.free_port(), lib.free_port()
    hosts_port = lib.free_port()
    a, b = lib.two_sites(base, RULES_A)
    for who in (CAROL, DAVE):
        a.must('ca', 'issue', '--email', who, '--algorithm', 'ec:p256')
        lib.share(a, b, ALICE, who)
    box = dovecot.Dovecot(os.path.join(base, 'box'), 'example.org',
                          ('alice', 'bob', 'carol', 'dave', 'postmaster'))
    os.makedirs(box.dir)
    box.configure()
    a.set_conf(DOOR_OUT.format(port=out_port, back=a.postfix.plain,
                               split=split_port, target=target_port,
                               hosts=hosts_port))
    b.set_conf(DOORS_IN.format(d=b.dir, box=box.socket, tcp=tcp_port,
                               next=next_port, gated=gated_port))
    a.postfix.configure({}, None,
                        content_filter='smtp:[127.0.0.1]:%d' % out_port,
                        smtp_send_xforward_command='yes')
    b.postfix.users += ['nobody', 'team']
    b.postfix.configure(
        {}, None, virtual_transport='lmtp:unix:%s' % b.path('run/in.sock'),
        lmtp_send_xforward_command='yes', lmtp_connection_cache_on_demand='no',
        virtual_alias_maps='inline:{ { team@example.org = %s, %s } }' %
        (BOB, CAROL))
    box.start()
    for s in (a, b):
        s.start()
        s.postfix.start()


def fresh():
    lib.wait_for(lambda: not a.postfix.queued() and not b.postfix.queued(),
                 lambda: 'empty queues: %s %s' % (
                     a.postfix.queued(), b.postfix.log()[-2000:]))
    for user in box.users:
        box.empty(user)


def text(words, sender=ALICE, to=BOB, subject='hello'):
    return ('From: %s\nTo: %s\nSubject: %s\nMessage-ID: <%d.%d@a.example>\n'
            'MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n'
            'Content-Transfer-Encoding: 8bit\n\n%s\n' %
            (sender, to, subject, os.getpid(), time.monotonic_ns(),
             words)).encode()


def sealed_by_a(message, to=BOB):
    """As a's gateway would send it to to."""
    return a.must('seal', '--from', ALICE, '--to', to, '--auth', ALICE,
                  data=message)


def into_b(message, to, sender=ALICE):
    return lib.send(b.postfix.port, sender, to, message, addr=OUTSIDE)


def fake(answer=None):
    return Next(b.path('run/next.sock'), answer)


def only(verb, reply):
    """The default, but this to lines that begin so."""
    return lambda n, line: reply if line.upper().startswith(verb) \
        else b'default'


def through_fake(message, to=(BOB,), where='run/fake.sock'):
    """-> replies of the door, one a recipient."""
    t = Talk(b.path(where)).ready(to)
    try:
        t.s.sendall(lib.crlf(message) + b'.\r\n')
        return [t.reply() for _ in to]
    finally:
        t.close()


# ---- opening, in front of a mailbox server ----

@test
def M25_ciphertext_in_the_queue_and_plain_in_the_mailbox():
    fresh()
    wire = sealed_by_a(text(CANARY.decode()))
    check(CANARY not in wire, 'not sealed', wire)
    box.child.send_signal(signal.SIGSTOP)  # it must wait in the queue
    stopped = lib.children(box.child.pid)
    for p in stopped:
        os.kill(p, signal.SIGSTOP)
    try:
        code, said = into_b(wire, BOB)
        equal(code, 250, said)
        lib.wait_for(b.postfix.queued, 'mail in the queue')
        time.sleep(1)
        equal(b.postfix.grep(CANARY), [], 'in clear in the queue')
    finally:
        for p in stopped + [box.child.pid]:
            os.kill(p, signal.SIGCONT)
    got = box.wait_mail('bob')[0]
    check(CANARY in got, 'not opened', got)
    results = ' '.join(lib.header(got, 'Authentication-Results'))
    check('smime=pass' in results, 'no smime=pass', got)
    trace = lib.header(got, 'Received')
    check(any('(postseal) with LMTP id' in r for r in trace),
          'no Received field of ours', trace)
    lib.wait_for(lambda: not b.postfix.queued(), 'an empty queue')


@test
def S203_each_recipient_is_a_transaction_of_its_own():
    fresh()
    # bob's key opens it; carol has one, too, but it is not for her
    wire = sealed_by_a(text(CANARY.decode()))
    replies = through_box(wire, (BOB, CAROL, 'nobody@example.org'))
    equal([r[:3] for r in replies], ['250', '250', '550'], 'replies')
    check('5.1.1' in replies[2], 'not what Dovecot said', replies[2])
    for said in replies:  # each can be explained later
        known = re.search(r'\(id (\w+)\)', said)
        check(known, 'no id', said)
        lib.wait_for(lambda: b.cmd('explain', known.group(1))[0] == 0,
                     'explain to know ' + said)
    check(CANARY in box.wait_mail('bob')[0], 'bob: not opened')
    got = box.wait_mail('carol')[0]
    check(CANARY not in got and
          lib.header(got, 'Content-Type')[0].startswith(
              'application/pkcs7-mime'), 'carol: opened', got)


def through_box(message, to):
    return through_fake(message, to, 'run/in.sock')


@test
def M25_an_alias_is_expanded_before_the_door():
    fresh()
    wire = a.must('seal', '--from', ALICE, '--to', BOB, '--to', CAROL,
                  '--auth', ALICE, data=text(CANARY.decode(),
                                             to=BOB + ', ' + CAROL))
    code, said = into_b(wire, 'team@example.org')
    equal(code, 250, said)
    for user in ('bob', 'carol'):
        check(CANARY in box.wait_mail(user)[0], user + ': not opened')


@test
def S204_a_second_pass_changes_nothing():
    fresh()
    through_box(sealed_by_a(text('once')), (BOB,))
    first = box.wait_mail('bob')[0]
    box.empty('bob')
    equal(through_box(first, (BOB,))[0][:3], '250', 'second pass')
    second = box.wait_mail('bob')[0]
    equal(lib.body(second), lib.body(first), 'body')
    for name in ('Subject', 'From', 'To', 'Content-Type', 'Message-ID'):
        equal(lib.header(second, name), lib.header(first, name), name)


@test
def M10_replies_of_the_next_hop_are_passed_on():
    table = [
        (b'RCPT', b'552 5.2.2 mailbox of bob is full\r\n', '552', '5.2.2'),
        (b'RCPT', b'450 4.2.1 later\r\n', '450', '4.2.1'),
        (b'MAIL', b'550 5.7.1 no\r\n', '550', '5.7.1'),
        (b'.', b'554 5.6.0 bad\r\n', '554', '5.6.0'),
        (b'.', b'452-4.3.1 full\r\n452 4.3.1 come again\r\n', '452',
         '4.3.1'),
        (b'RCPT', b'550 \x1b[2Jevil\x07\r\n', '550', '5.'),
        (b'RCPT', b'421 4.3.2 bye\r\n', '451', '4.'),
        (b'.', b'421 4.3.2 bye\r\n', '451', '4.'),
        (b'LHLO', b'450 4.3.0 what\r\n', '450', '4.3.0'),
        (b'LHLO', b'554 5.3.2 nothing here\r\n', '451', '4.'),
        (b'MAIL', b'530 5.7.0 STARTTLS first\r\n', '451', '4.'),
        (b'DATA', b'250 2.0.0 no data wanted\r\n', '451', '4.'),
        (b'DATA', None, '451', '4.'),
        (b'RCPT', b'hello\r\n', '451', '4.'),
    ]
    for verb, reply, code, enhanced in table:
        n = fake(only(verb, reply))
        said = through_fake(text('x'))[0]
        n.close()
        what = '%s %s' % (verb, reply)
        equal(said[:3], code, what + ': ' + said)
        check(said[4:].startswith(enhanced), what + ': ' + said)
        check(re.fullmatch(r'[ -~\r\n]+', said), what + ': ' + said)


@test
def M24_next_hop_down_is_451_and_later_it_is_delivered_once():
    fresh()
    message = text('down')
    equal(through_fake(message)[0][:4], '451 ', 'nobody listens')
    n = fake()
    equal(through_fake(message)[0][:3], '250', 'later')
    equal(len(n.mails), 1, 'deliveries')
    n.close()


@test
def M24_mailbox_server_away_the_queue_waits_and_delivers_once():
    fresh()
    box.stop()
    try:
        code, said = into_b(sealed_by_a(text(CANARY.decode())), BOB)
        equal(code, 250, said)
        lib.wait_for(lambda: re.search('status=deferred.*451 4', b.postfix
                                       .log()), 'it to be deferred')
        equal(b.postfix.grep(CANARY), [], 'in clear in the queue')
    finally:
        box.start()
    check(CANARY in box.wait_mail('bob')[0], 'not opened')
    lib.wait_for(lambda: not b.postfix.queued(), 'an empty queue')
    equal(len(box.mails('bob')), 1, 'deliveries')


@test
def observe_decides_and_changes_nothing():
    d = lib.temporary()
    s = lib.Site(os.path.join(d, 's'), 'example.net')
    s.set_rules('outbound : sign, encrypt\ninbound : verify or reject\n')
    s.set_conf('door one {\n listen lmtp "unix:%s/run/one.sock" mode 0600\n'
               ' next-hop lmtp "unix:%s/run/next.sock"\n'
               ' direction inbound\n observe yes\n}\n' % (s.dir, s.dir))
    s.start()
    n = Next(s.path('run/next.sock'))
    t = Talk(s.path('run/one.sock')).ready(('x@example.net',))
    said = t.say(b'Subject: x\r\n\r\nx\r\n.\r\n')
    equal(said[:3], '250', said)
    check(n.mails[0].endswith(b'Subject: x\r\n\r\nx\r\n'), 'changed',
          n.mails)
    lib.wait_for(lambda: 'would' in s.milter_log(), 'the log to tell')
    # another door is for the next start
    s.set_conf(s.extra.replace('observe yes', 'observe no'))
    s.child.send_signal(signal.SIGHUP)
    lib.wait_for(lambda: 'another listen or door needs a restart' in
                 s.milter_log(), 'the warning')
    t.close()
    n.close()
    s.stop()


@test
def M24_killed_before_the_answer_it_is_delivered_once():
    """The next hop has taken it, and says so after the front died: the
    client, which heard nothing, tries again."""
    fresh()
    go = threading.Event()

    def slow(_n, line):
        if line == b'.':
            go.wait(300)
        return b'default'

    n = fake(slow)
    message = text('killed')
    t = Talk(b.path('run/fake.sock')).ready()
    t.s.sendall(lib.crlf(message) + b'.\r\n')
    lib.wait_for(lambda: n.mails, 'the next hop to have it')
    front = b.processes('front')
    os.kill(front[0], signal.SIGKILL)
    equal(t.end(), '', 'an answer of the dead')
    go.set()
    lib.wait_for(lambda: b.processes('front') and
                 b.processes('front') != front, 'another front')
    lib.wait_for(lambda: through_fake(message)[0].startswith('250'),
                 'the answer at last', every=0.3)
    equal(len(n.mails), 1, 'deliveries')
    n.close()


@test
def M24_two_equal_mails_are_two():
    n = fake()
    message = b'From: a@a.example\nSubject: no id\n\nx\n'
    for _ in range(2):
        equal(through_fake(message)[0][:3], '250', 'equal')
    equal(len(n.mails), 2, 'deliveries')
    n.close()


@test
def S49_M22_dsn_parameters_and_8bit_go_on():
    n = fake()
    t = Talk(b.path('run/fake.sock'))
    t.reply()
    t.say(b'LHLO x\r\n')
    equal(t.say(b'MAIL FROM:<a@a.example> RET=FULL ENVID=Q+2Bx SMTPUTF8 '
                b'BODY=8BITMIME\r\n')[:3], '250', 'MAIL')
    equal(t.say(b'RCPT TO:<%s> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;B+40x\r\n' %
                BOB.encode())[:3], '250', 'RCPT')
    t.say(b'DATA\r\n')
    equal(t.say('Subject: ä\r\n\r\nö\r\n.\r\n'.encode())[:3], '250', 'DATA')
    t.close()
    mail = next(x for x in n.lines if x.startswith(b'MAIL')).decode()
    rcpt = next(x for x in n.lines if x.startswith(b'RCPT')).decode()
    for word in ('RET=FULL', 'ENVID=Q+2Bx', 'SMTPUTF8', 'BODY=8BITMIME'):
        check(' ' + word in mail, word, mail)
    for word in ('NOTIFY=SUCCESS,DELAY', 'ORCPT=rfc822;B+40x'):
        check(' ' + word in rcpt, word, rcpt)
    n.close()


@test
def S47_what_was_opened_is_not_returned():
    """attack S47: a captured message is sent again where it will bounce
    verdict: RET=HDRS on the way to the mailbox, and no body in what is said"""
    n = fake(only(b'.', b'552 5.2.2 full\r\n'))
    said = through_fake(sealed_by_a(text(CANARY.decode())))[0]
    check(any(b'RET=HDRS' in x for x in n.lines if x.startswith(b'MAIL')),
          'RET=HDRS is missing', n.lines)
    check(CANARY.decode() not in said, 'in the reply', said)
    check(CANARY in n.mails[0], 'it was not opened', n.mails[0])
    n.close()


@test
def a_loop_ends():
    n = fake()
    hops = b'Received: from a by b; Sat, 21 Nov 2026 10:00:00 +0000\n'
    said = through_fake(hops * 101 + text('x'))[0]
    check(said.startswith('554 5.4.6'), 'a loop', said)
    said = through_fake(hops * 100 + text('x') + hops * 50)[0]
    equal(said[:3], '250', 'no loop: ' + said)
    n.close()


# ---- sealing, as a content filter ----

@test
def S129_three_groups_and_each_has_exactly_one():
    fresh()
    message = text(CANARY.decode(), to='%s, %s, postmaster@example.org' %
                   (BOB, CAROL))
    code, said = lib.send(a.postfix.port, ALICE,
                          [BOB, CAROL, DAVE, 'postmaster@example.org'],
                          message, login=ALICE, addr=OUTSIDE)
    equal(code, 250, said)
    for user in ('bob', 'carol', 'dave', 'postmaster'):
        got = box.wait_mail(user)[0]
        check(CANARY in got, user + ': not readable', got)
    lib.wait_for(lambda: not a.postfix.queued() and not b.postfix.queued(),
                 'empty queues')
    for user in ('bob', 'carol', 'dave', 'postmaster'):
        equal(len(box.mails(user)), 1, 'deliveries to ' + user)
    for user in ('bob', 'carol', 'dave'):
        results = ' '.join(lib.header(box.mails(user)[0],
                                      'Authentication-Results'))
        check('smime=pass' in results, user, results)
    check(DAVE.encode() not in box.mails('bob')[0], 'Bcc is seen')


@test
def A35_the_login_is_the_envelope_sender_alone():
    fresh()
    # carol has no certificate at a, and may not write as alice
    code, said = lib.send(a.postfix.port, 'carol@example.com', BOB,
                          text('as alice'), login='carol@example.com',
                          addr=OUTSIDE)
    equal(code, 250, said)  # the filter is after the queue
    lib.wait_for(lambda: 'may not sign' in a.postfix.log(),
                 lambda: 'a refusal: ' + a.postfix.log()[-2000:])
    equal(box.mails('bob'), [], 'delivered')


@test
def A50_must_encrypt_never_leaves_in_clear():
    fresh()
    code, said = lib.send(a.postfix.port, ALICE, 'erin@example.org',
                          text(CANARY.decode(), to='erin@example.org'),
                          login=ALICE, addr=OUTSIDE)
    equal(code, 250, said)
    lib.wait_for(lambda: '5.7.3' in a.postfix.log(),
                 lambda: 'a refusal: ' + a.postfix.log()[-2000:])
    lib.wait_for(lambda: not a.postfix.queued(), 'an empty queue')
    check('erin' not in b.postfix.log(), 'it got to b')


@test
def M24_a_failure_in_the_middle_is_451_and_nobody_gets_two():
    """The second of three groups is refused for now, the third never got
    its turn; the client comes again."""
    tries = []

    def second_fails(n, line):
        if line != b'.':
            return b'default'
        tries.append(n)
        return b'451 4.3.0 not now\r\n' if len(tries) == 2 else b'default'

    n = Next(target_port, second_fails)
    message = text(CANARY.decode(), to='%s, postmaster@example.org' % BOB)
    to = (BOB, DAVE, 'postmaster@example.org')
    said = submit_to(split_port, message, to)
    equal(said[:3], '451', said)
    said = submit_to(split_port, message, to)
    equal(said[:3], '250', said)
    n.close()
    equal(len(tries), 4, 'messages at the next hop')
    rcpts = [x.strip() for x in n.lines if x.startswith(b'RCPT')]
    equal(len(rcpts), 4, 'recipients at the next hop')
    check(all(x.count(b'postmaster') == 0 or CANARY in m for x, m in
              zip(rcpts, n.mails)) and
          sum(CANARY in m for m in n.mails) == sum(
              b'postmaster' in x for x in rcpts), 'in clear', rcpts)


@test
def A35_hosts_that_cannot_log_in_sign_by_XFORWARD_alone():
    n = Next(target_port)
    message = text('from a host')
    said = submit_to(hosts_port, message, (BOB,))
    check(said.startswith('550 5.7.1'), 'nobody is logged in', said)
    said = submit_to(hosts_port, message, (BOB,),
                     b'XFORWARD ADDR=192.0.2.9 NAME=x.example\r\n')
    check(said.startswith('550 5.7.1'), 'another host', said)
    equal(n.mails, [], 'what the next hop got')
    said = submit_to(hosts_port, message, (BOB,),
                     b'XFORWARD ADDR=192.0.2.8 NAME=x.example\r\n')
    equal(said[:3], '250', said)
    equal(len(n.mails), 1, 'deliveries')
    n.close()


@test
def M45_more_connections_than_the_limit_are_421():
    def two():  # those of other tests may take a moment to go
        some = [Talk(hosts_port) for _ in range(2)]
        if all(t.reply().startswith('220') for t in some):
            return some
        for t in some:
            t.close()
        return None

    some = lib.wait_for(two, 'two greetings')
    t = Talk(hosts_port)
    check(t.end().startswith('421 4.3.2'), 'a third one')
    for x in some + [t]:
        x.close()


@test
def M42_what_must_be_held_and_cannot_be_is_451():
    n = fake()
    b.set_rules('inbound to %s : verify or quarantine\n'
                'inbound : decrypt, verify\noutbound : pass\n' % CAROL)
    b.own()
    b.child.send_signal(signal.SIGHUP)
    try:
        lib.wait_for(lambda: through_fake(text('unsigned'), (CAROL,))[0]
                     .startswith('451 4.7.1'), 'the new rules', every=0.3)
        replies = through_fake(text('unsigned'), (CAROL, BOB))
        equal([r[:3] for r in replies], ['451', '250'], 'replies')
        # and with one it is kept, and the next hop does not see it
        b.set_conf(b.extra + 'quarantine { size 10M }\n')
        b.child.send_signal(signal.SIGHUP)
        had = len(n.mails)
        lib.wait_for(lambda: through_fake(text('to be held'), (CAROL,))[0]
                     .startswith('250'), 'the quarantine', every=0.3)
        equal(len(n.mails), had, 'it went on')
        held = b.must('quarantine', 'list')
        check(CAROL.encode() in held, 'not listed', held)
    finally:
        b.set_rules(lib.RULES)
        b.own()
        b.child.send_signal(signal.SIGHUP)
        lib.wait_for(lambda: through_fake(text('x'), (CAROL,))[0]
                     .startswith('250'), 'the old rules', every=0.3)
        n.close()


# ---- attacks ----

SMUGGLED = (b'MAIL FROM:<evil@a.example>\r\nRCPT TO:<%s>\r\nDATA\r\n'
            b'Subject: smuggled\r\n\r\nevil\r\n.\r\n' % BOB.encode())


@test
def A44_smuggling_through_the_door():
    """attack A44: an end of a message that only others see, and another
    message behind it
    verdict: 550 5.5.2 and the connection is closed; the next hop hears of
    neither"""
    n = fake()
    for end in (b'\n.\n', b'\n.\r\n', b'\r.\r', b'\r\n.\r', b'\r\n.\n',
                b'\r.\r\n', b'\r\r\n.\r\r\n', b'\n\n.\r\n', b'a\nb'):
        t = Talk(b.path('run/fake.sock')).ready()
        t.s.sendall(b'Subject: x\r\n\r\ntext' + end + SMUGGLED)
        got = t.end()
        t.close()
        check(got.startswith('550 5.5.2'), repr(end), got)
        equal(got.count('\n'), 1, repr(end) + ': replies')
    equal(n.mails, [], 'what the next hop got')
    n.close()


@test
def A45_decrypted_octets_cannot_smuggle():
    """attack A45: what is encrypted holds ends of messages and commands
    verdict: it arrives as one message with CRLF line ends alone"""
    n = fake()
    evil = (b'From: %s\r\nTo: %s\r\nSubject: x\r\nMIME-Version: 1.0\r\n'
            b'Content-Type: text/plain\r\n\r\nbefore\n.\nMAIL FROM:<e@e>\r\n'
            b'.\r\nMAIL FROM:<evil@a.example>\r\rend\r\n' %
            (ALICE.encode(), BOB.encode()))
    wire = sealed_by_a(evil)
    equal(through_fake(wire)[0][:3], '250', 'evil')
    equal(len(n.mails), 1, 'messages at the next hop')
    check(not re.search(rb'\r(?!\n)|(?<!\r)\n', n.mails[0]),
          'bare CR or LF', n.mails[0])
    equal(sum(x.startswith(b'MAIL') for x in n.lines), 1, 'MAIL commands')
    n.close()


@test
def A46_who_speaks_out_of_turn_is_closed():
    """attack A46: commands before the greeting and behind what must be
    waited for
    verdict: 503 or 521, and the connection is closed"""
    n = fake()
    t = Talk(b.path('run/fake.sock'))
    t.reply()
    t.s.sendall(b'LHLO x\r\nMAIL FROM:<a@a.example>\r\n')
    check('503 5.5.0' in t.end(), 'behind LHLO')
    t.close()
    t = Talk(b.path('run/fake.sock'))
    t.reply()
    t.say(b'LHLO x\r\n')
    t.s.sendall(b'MAIL FROM:<a@a.example>\r\nRCPT TO:<%s>\r\nDATA\r\n'
                b'Subject: early\r\n\r\n.\r\n' % BOB.encode())
    check('503 5.5.0' in t.end(), 'behind DATA')
    t.close()
    t = Talk(tcp_port)
    t.reply()
    t.s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    check(t.end().startswith('503 5.5.0'), 'HTTP')
    t.close()
    equal(n.mails, [], 'what the next hop got')
    n.close()


@test
def A47_addresses_do_not_become_commands():
    """attack A47: control octets and blanks in addresses and parameters
    verdict: refused at once; a quoted local part is one address"""
    n = fake()
    t = Talk(b.path('run/fake.sock'))
    t.reply()
    t.say(b'LHLO x\r\n')
    for bad in (b'<a b@x>', b'<a@x> FOO=1', b'<a@x', b'<a@x>,<b@x>',
                b'<a@x> ENVID=a=b', b'<a@x> RET=FULL\tX'):
        said = t.say(b'MAIL FROM:%s\r\n' % bad)
        check(said[0] == '5', repr(bad), said)
        if b'\t' in bad:
            break
    t.close()
    t = Talk(b.path('run/fake.sock')).ready(('"x RSET"@example.org',))
    t.s.sendall(b'Subject: x\r\n\r\n.\r\n')
    t.reply()
    t.close()
    equal([x for x in n.lines if x.startswith(b'RSET')], [], 'commands')
    n.close()


@test
def A46_giant_lines_and_headers():
    """attack A46: a command, a header and a body without any line end
    verdict: the command is refused and closed; the message is decided about
    like any, in memory that does not grow with it"""
    n = fake()
    t = Talk(b.path('run/fake.sock'))
    t.reply()
    with contextlib.suppress(OSError):  # it may hang up before the end
        t.s.sendall(b'LHLO ' + b'x' * 100000)
    check(t.end().startswith('500 5.5.2'), 'a giant command')
    t.close()
    front = b.processes('front')[0]
    before = lib.status_kib(front, 'VmRSS')
    t = Talk(b.path('run/fake.sock')).ready()
    t.s.sendall(b'Subject: x\r\n\r\n')
    for _ in range(60):
        t.s.sendall(b'y' * (1 << 20))
    said = t.say(b'\r\n.\r\n')
    t.close()
    equal(said[:3], '250', said)
    equal(len(n.mails[0]) > 60 << 20, True, 'size')
    if not lib.SANITIZER:
        grown = lib.status_kib(front, 'VmHWM') - before
        check(grown < 32 << 10, 'the front grew by %d KiB' % grown)
    n.close()


@test
def A46_slow_connections_do_not_stop_a_good_one():
    """attack A46: 200 clients that say a part of a command and no more
    verdict: others are served; the door's limit is for all, and beyond it
    421"""
    fresh()
    slow = []
    try:
        for i in range(200):
            t = Talk(b.path('run/in.sock'))
            t.s.sendall(b'LHLO x' if i % 2 else b'')
            slow.append(t)
        replies = through_box(text('beside slow ones'), (BOB,))
        equal(replies[0][:3], '250', replies[0])
        box.wait_mail('bob')
    finally:
        for t in slow:
            t.close()


@test
def A53_only_clients_that_are_named():
    """attack A53: somebody else connects to a door over TCP
    verdict: 554 5.7.1, and nothing is read from him"""
    t = Talk(gated_port)
    said = t.end()
    t.close()
    check(said.startswith('554 5.7.1'), 'not welcome', said)


@test
def A46_a_lost_client_delivers_nothing():
    n = fake()
    t = Talk(b.path('run/fake.sock')).ready()
    t.s.sendall(b'Subject: half\r\n\r\nhalf\r\n')
    t.close()
    time.sleep(0.5)
    equal(n.mails, [], 'half a message')
    n.close()


# ---- setting it up ----

@test
def M25_doors_alone_and_what_n_says():
    d = lib.temporary()
    s = lib.Site(os.path.join(d, 's'), 'example.net')
    s.set_conf('door one {\n listen lmtp "unix:%s/run/one.sock" mode 0600\n'
               ' next-hop lmtp "unix:%s/run/next.sock"\n'
               ' direction inbound\n}\n' % (s.dir, s.dir))
    with open(s.conf, encoding='utf-8') as f:
        conf = f.read()
    conf = re.sub(r'\n +listen  .*', '', conf)
    with open(s.conf, 'w', encoding='utf-8') as f:
        f.write(conf)
    status, out, err = lib.run([lib.MILTER, '-n', '-c', s.conf])
    equal(status, 0, err)
    check(b'door.one.listen lmtp unix:' in out, 'door in -n', out)
    s.socket = s.path('run/one.sock')
    s.start()
    equal(os.stat(s.socket).st_mode & 0o777, 0o600, 'mode')
    n = Next(s.path('run/next.sock'))
    t = Talk(s.socket).ready(('x@example.net',))
    equal(t.say(b'Subject: x\r\n\r\n.\r\n')[:3], '250', 'door alone')
    # a stop tells who is connected, and takes the socket away
    equal(s.stop(), 0, 'exit status')
    check(t.end().startswith('421 4.3.2'), 'not told of the stop')
    t.close()
    check(not os.path.exists(s.socket), 'socket left behind')
    n.close()
    for bad in ('listen lmtp "unix:rel"', 'limit 3 things', 'login none',
                'next-hop smtp "localhost:25"', 'direction both'):
        with open(s.conf, 'w', encoding='utf-8') as f:
            f.write(conf.replace('direction inbound',
                                 'direction inbound\n ' + bad))
        status, out, err = lib.run([lib.MILTER, '-n', '-c', s.conf])
        equal(status, 78, bad)


@test
def M18_a_stop_waits_for_a_message_that_is_on_its_way():
    d = lib.temporary()
    s = lib.Site(os.path.join(d, 's'), 'example.net')
    s.set_conf('door one {\n listen lmtp "unix:%s/run/one.sock" mode 0600\n'
               ' next-hop lmtp "unix:%s/run/next.sock"\n'
               ' direction inbound\n}\n' % (s.dir, s.dir))
    s.start()

    def slow(_n, line):
        if line == b'.':
            time.sleep(2)
        return b'default'

    n = Next(s.path('run/next.sock'), slow)
    t = Talk(s.path('run/one.sock')).ready(('x@example.net',))
    t.s.sendall(b'Subject: x\r\n\r\n.\r\n')
    lib.wait_for(lambda: n.mails, 'the next hop to have it')
    s.child.send_signal(signal.SIGTERM)
    equal(t.reply()[:3], '250', 'the answer')
    check(t.end().startswith('421 '), 'not told of the stop')
    equal(s.stop(), 0, 'exit status')
    t.close()
    n.close()


if __name__ == '__main__':
    lib.main(setup)
