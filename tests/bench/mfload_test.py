#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""mfload against a filter that is scripted here, octet by octet: what the
load generator says of a message is relied upon by other tests."""
import contextlib
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(
    os.path.abspath(__file__)), '..', 'e2e'))
from base import BUILD, check, equal, main, need, temporary, test  # noqa: E402

MFLOAD = os.path.join(BUILD, 'tests', 'bench', 'mfload')
ALL = 0x1ff
# Every NR flag and HDR_LEADSPC.
QUIET = 0x80 | 0xff000 | 0x100000

MESSAGE = b'''A: 1
X: first
B: 2
X: second
X: third

body
'''


class Filter:
    """Answers the end of each message with the given packets."""

    def __init__(self, edits, actions=ALL, protocol=QUIET, symbols=b''):
        self.edits, self.seen = edits, []
        self.offer = struct.pack('>III', 6, actions, protocol) + symbols
        self.quiet = protocol == QUIET
        self.ended = threading.Event()
        self.path = os.path.join(temporary('mfload'), 's')
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            s, _ = self.socket.accept()
            with s, s.makefile('rb') as f, contextlib.suppress(OSError):
                self.talk(s, f)
            self.ended.set()

    def talk(self, s, f):
        while True:
            head = f.read(5)
            if len(head) < 5:
                self.seen.append((b'', b''))
                return
            code = head[4:]
            data = f.read(struct.unpack('>I', head[:4])[0] - 1)
            self.seen.append((code, data))
            if code == b'O':
                self.send(s, b'O' + self.offer)
            elif code == b'E':
                for x in self.edits:
                    self.send(s, x)
            elif code == b'Q':
                return
            elif code not in b'DA' and not self.quiet:
                self.send(s, b'c')

    @staticmethod
    def send(s, x):
        s.sendall(struct.pack('>I', len(x)) + x)

    def codes(self):
        return b''.join(c for c, _ in self.seen if c != b'D').decode()


def change(index, name, value=b''):
    return b'm' + struct.pack('>I', index) + name + b'\0' + value + b'\0'


def insert(index, name, value):
    return b'i' + struct.pack('>I', index) + name + b'\0' + value + b'\0'


def mfload(f, *options, message=MESSAGE, status=0):
    with tempfile.NamedTemporaryFile() as m, \
            tempfile.NamedTemporaryFile() as o:
        m.write(message)
        m.flush()
        r = subprocess.run([MFLOAD, '-s', f.path, '-o', o.name, *options,
                            m.name], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=300, check=False)
        # What was sent last may still be on its way to the filter.
        check(f.ended.wait(120), 'connection not closed')
        equal(r.returncode, status, 'exit status, %s' %
              r.stderr.decode('utf-8', 'replace'))
        return o.read(), r.stdout.decode('utf-8', 'replace')


def names(out):
    """Field values before the body, in their order."""
    return [line.split(b':')[1].strip().decode()
            for line in out.split(b'\n\n')[0].split(b'\n')]


@test
def message_without_edits_is_the_same_octet_for_octet():
    for message in (MESSAGE, MESSAGE.replace(b'\n', b'\r\n'),
                    b'A:x\nB:  y\n folded\n\tmore\n\n\n.\n', b'A: only\n\n'):
        out, report = mfload(Filter([b'c']), message=message)
        equal(out, message, 'message')
        check('outcome unchanged' in report, report)


@test
def leading_space_goes_and_comes_when_it_is_not_negotiated():
    f = Filter([insert(0, b'N', b' v'), b'c'])
    mfload(f)
    check((b'L', b'A\0 1\0') in f.seen, 'leading space kept', str(f.seen))
    f = Filter([insert(0, b'N', b'v'), b'c'], protocol=0)
    out, _ = mfload(f)
    check((b'L', b'A\x001\0') in f.seen, 'leading space eaten', str(f.seen))
    equal(out, b'N: v\n' + MESSAGE, 'message')


@test
def postfix_indexes_shift_when_a_field_is_deleted():
    low = [change(1, b'x'), change(2, b'X'), b'c']
    high = [change(2, b'x'), change(1, b'X'), b'c']
    out, _ = mfload(Filter(low))
    equal(names(out), ['1', '2', 'second'], 'low first')
    out, _ = mfload(Filter(high))
    equal(names(out), ['1', '2', 'third'], 'high first')


@test
def sendmail_indexes_do_not_shift():
    low = [change(1, b'x'), change(2, b'X'), b'c']
    out, _ = mfload(Filter(low), '--sendmail')
    equal(names(out), ['1', '2', 'third'], 'low first')


@test
def insert_and_append():
    edits = [insert(0, b'T', b' top'), insert(99, b'E', b' end'),
             change(9, b'X', b' appended'), change(9, b'X'),
             change(2, b'X', b' changed'), b'hH\0 last\0', b'c']
    out, report = mfload(Filter(edits))
    equal(names(out), ['top', '1', 'first', '2', 'changed', 'third', 'end',
                       'appended', 'last'], 'fields')
    check('outcome edited' in report, report)
    # Sendmail's own Received is above what the filter saw.
    out, _ = mfload(Filter([insert(1, b'T', b' x'), b'c']), '--sendmail')
    equal(names(out)[0], 'x', 'index 1 of Sendmail')
    out, _ = mfload(Filter([insert(1, b'T', b' x'), b'c']))
    equal(names(out)[:2], ['1', 'x'], 'index 1 of Postfix')


@test
def body_is_replaced_by_all_pieces():
    out, report = mfload(Filter([b'bone\r\n', b'btwo\r\n', b'p', b'a']),
                         '--expect', 'replaced')
    equal(out.split(b'\n\n')[1], b'one\ntwo\n', 'body')
    check('replbody 10' in report, report)


@test
def edit_between_pieces_of_body_breaks():
    f = Filter([b'bone\r\n', change(1, b'X'), b'btwo\r\n', b'c'])
    _, report = mfload(f, '--expect', 'broken')
    check('between two pieces' in report, report)


@test
def edits_that_no_mta_takes_break():
    bad = {'CR': insert(0, b'N', b' a\r\n b'),
           'no fold': insert(0, b'N', b' a\nb'),
           'field name': insert(0, b'N:', b' a'),
           'above 2048': insert(0, b'N', b'a' * 2100),
           'without its end': b'i\0\0\0\0N',
           'no index': b'i\0\0', 'answer 0x7a': b'z'}
    for why, edit in bad.items():
        _, report = mfload(Filter([edit, b'c']), '--expect', 'broken')
        check(why in report, '%s: %s' % (why, report))
    f = Filter([insert(0, b'N', b' a'), b'c'], actions=2)
    _, report = mfload(f, '--expect', 'broken')
    check('not negotiated' in report, report)


@test
def envelope_changes_are_reported():
    edits = [b'-<bob@example.org>\0', b'+<carol@example.org>\0',
             b'2<dave@example.org>\0NOTIFY=NEVER\0',
             b'e<alice@example.com>\0RET=HDRS\0', b'qheld\0', b'c']
    _, report = mfload(Filter(edits), '--expect', 'quarantined')
    for x in ('delrcpt <bob@example.org>\n', 'addrcpt <carol@example.org>\n',
              'addrcpt <dave@example.org> NOTIFY=NEVER\n',
              'chgfrom <alice@example.com> RET=HDRS\n', 'reply held\n'):
        check(x in report, x + report)


@test
def replies_and_expectations():
    refused = b'y550 5.7.3 no certificate\0'
    _, report = mfload(Filter([refused]), '--expect', '550')
    check('outcome 550 5.7.3\nreply 550 5.7.3 no certificate' in report,
          report)
    mfload(Filter([refused]), '--expect', '550 5.7.3')
    mfload(Filter([refused]), '--expect', '550 5.7.1', status=1)
    mfload(Filter([b'y550-5.7.3 a\r\n550 5.7.3 b\0']), '--expect', '550')
    mfload(Filter([b't']), '--expect', '451')
    mfload(Filter([b'd']), '--expect', 'discarded')
    mfload(Filter([b'y250 fine\0']), '--expect', 'broken')
    mfload(Filter([b'y421 4.3.2 away\0']), '--expect', 'broken')


@test
def envelope_and_macros_go_out():
    f = Filter([b'c'])
    mfload(f, '--from', 'alice@example.com BODY=8BITMIME', '--rcpt',
           'bob@example.org NOTIFY=NEVER ORCPT=rfc822;b', '--rcpt',
           '<carol@example.org>', '--auth', 'alice', '--client', '::1',
           '--macro', 'mail:{x}=y')
    check((b'M', b'<alice@example.com>\0BODY=8BITMIME\0') in f.seen,
          'MAIL', str(f.seen))
    check((b'R', b'<bob@example.org>\0NOTIFY=NEVER\0ORCPT=rfc822;b\0')
          in f.seen, 'RCPT', str(f.seen))
    check((b'R', b'<carol@example.org>\0') in f.seen, 'RCPT', str(f.seen))
    check(any(c == b'C' and d.endswith(b'\0006\x9c@IPv6:::1\0')
              for c, d in f.seen), 'connect', str(f.seen))
    macros = [d for c, d in f.seen if c == b'D']
    for stage in b'MTNE':
        check(any(m[0] == stage and b'{auth_authen}\0alice\0' in m
                  for m in macros), 'auth at %c' % stage, str(macros))
    check(any(m.startswith(b'M') and b'{x}\0y\0' in m for m in macros),
          'own macro', str(macros))
    f = Filter([b'c'])
    mfload(f, '--bare')
    check(b'D' not in dict(f.seen), 'bare: no macros', str(f.seen))
    want = struct.pack('>I', 2) + b'{mail_addr}\0'
    f = Filter([b'c'], symbols=want)
    mfload(f, '--auth', 'alice')
    macros = [d for c, d in f.seen if c == b'D' and d[:1] == b'M']
    equal(macros, [b'M{mail_addr}\0alice@example.com\0'], 'only asked ones')


@test
def no_answers_are_awaited_or_all():
    for protocol in (QUIET, 0):
        f = Filter([b'c'], protocol=protocol)
        mfload(f, '-n', '2', '-k', '2', '--chunk', '3')
        equal(f.codes(), 'OCH' + 2 * 'MRTLLLLLNBBE' + 'Q', 'commands')
    f = Filter([b'c'], protocol=QUIET | 0x1 | 0x20 | 0x200)
    f.quiet = True
    mfload(f)
    equal(f.codes(), 'OHMRNBEQ', 'commands without those not wanted')


@test
def mischief():
    f = Filter([b'c'])
    _, report = mfload(f, '-n', '3', '-k', '3', '--abort', 'body', '--nth',
                       '2')
    equal(f.codes(), 'OCHMRTLLLLLNBEMRTLLLLLNBAMRTLLLLLNBEQ', 'abort')
    equal([x.split()[1] for x in report.split('\n')
           if x.startswith('outcome')],
          ['unchanged', 'aborted', 'unchanged'], 'outcomes')
    f = Filter([b'c'])
    mfload(f, '--drop', 'header', '--expect', 'dropped')
    equal(f.codes(), 'OCHMRTLLL', 'drop')
    f = Filter([b'c'])
    mfload(f, '--actions', '1', '--expect', 'broken')
    equal(f.seen[0], (b'O', struct.pack('>III', 6, 1, 0x1fffff)), 'offer')


if __name__ == '__main__':
    main(lambda: need(MFLOAD))
