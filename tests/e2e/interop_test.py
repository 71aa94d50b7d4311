#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: long
"""The interoperability run with this machine's openssl and gpgsm; and that
the run itself sees what is wrong."""
import contextlib
import io
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

INTEROP = os.path.join(lib.TOP, 'tests', 'interop')
sys.path.insert(0, INTEROP)
import cells  # noqa: E402
import interop  # noqa: E402
import mime  # noqa: E402
import peer  # noqa: E402
import table  # noqa: E402


def run(*argv):
    """-> (exit status, output)"""
    status, out, err = lib.run(
        [os.path.join(INTEROP, 'interop.py'), '--suites', 'host', *argv],
        timeout=600)
    return status, (out + err).decode('utf-8', 'replace')


def passed(out):
    m = re.search(r'(?m)^(\d+) passed, 0 failed, 0 skipped$', out)
    return int(m.group(1)) if m else 0


@test
def I23_I24_I26_I27_openssl_reads_every_profile_and_we_what_it_writes():
    lib.need('openssl')
    status, out = run('--peers', 'openssl')
    equal(status, 0, out)
    check(passed(out) > 150, 'too few cells', out)
    check('known' not in out, 'openssl reads everything', out)


@test
def I12_gpgsm_reads_the_default_and_we_what_it_writes():
    lib.need('gpgsm')
    status, out = run('--peers', 'gpgsm', '--cells', '*rsa:2048')
    equal(status, 0, out)
    check(passed(out) >= 15, 'too few cells', out)


@test
def without_root_the_folders_are_skipped_in_so_many_words():
    lib.need_root()
    # Another account may not enter the folder that this project is in.
    d = lib.temporary()
    for name in ('tests/interop', 'tests/e2e'):
        shutil.copytree(os.path.join(lib.TOP, name), os.path.join(d, name))
    os.makedirs(os.path.join(d, 'build'))
    shutil.copy(lib.POSTSEAL, os.path.join(d, 'build'))
    lib.must_run(['chmod', '-R', 'a+rX', d])
    status, out, err = lib.run(
        ['setpriv', '--reuid', 'nobody', '--clear-groups',
         os.path.join(d, 'tests/interop/interop.py'), '--cells', 'clear t*'],
        env={'PATH': os.environ['PATH'], 'PYTHONDONTWRITEBYTECODE': '1'})
    equal(status, 0, lib.show(err))
    check(b'trixie: skipped: folders need root\n' in out, 'why', out)
    check(out.endswith(b'\n0 passed, 0 failed, 3 skipped\n'), 'end', out)


# ---- the run itself ----

class Fake(peer.Peer):
    """Says what it is told to."""
    name = title = 'fake'
    answer = fact = None

    def __init__(self):
        super().__init__(None, None)

    def known(self, cell):
        return self.fact

    def read(self, message, cell, who):
        if self.answer is None:
            raise peer.Refused('no')
        return self.answer


class Message:
    """As interop.Written, without a program."""

    def __init__(self, form='clear+enc', protect='off'):
        self.cell = cells.Cell('cell', form, protect=protect)
        self.original = self.octets = cells.message(self.cell)


def state(answer, fact=None, w=None):
    p, rows = Fake(), []
    p.answer, p.fact = answer, fact
    interop.read_cell(p, w or Message(), rows)
    equal(len(rows), 1, 'rows')
    return rows[0].state, rows[0].why


def right(**more):
    w = Message()
    got = {'content': w.original, 'decrypted': True,
           'signer': w.cell.sender}
    got.update(more)
    return peer.Result(**got)


@test
def a_cell_is_ok_only_with_content_and_verdict():
    equal(state(right())[0], 'ok', 'all is right')
    for what, answer in (
            ('refused', None),
            ('no content', right(content=None)),
            ('not decrypted', right(decrypted=False)),
            ('no signer', right(signer=None)),
            ('another signer', right(signer='bob@example.com')),
            ('one octet', right(content=right().content.replace(
                b'dich', b'mich'))),
            ('blanks', right(content=right().content.replace(
                b'end   \n', b'end\n'))),
            ('a part less', right(content=re.sub(
                rb'(?s)--outer\nContent-Type: text/html.*?(?=--outer)', b'',
                right().content))),
            ('other text', right(content=None, text='Grüße'))):
        equal(state(answer)[0], 'broken', what)
    equal(state(right(content=None, text=cells.TEXT))[0], 'ok', 'text')


@test
def S148_S150_protected_headers_are_looked_at():
    w = Message('clear', protect='copy')
    answer = right(decrypted=False)
    equal(state(answer, w=w), ('broken', 'no hp=clear inside'), 'none')
    answer.content = w.original.replace(
        b'boundary="outer"', b'boundary="outer"; hp="clear"')
    equal(state(answer, w=w)[0], 'ok', 'hp')
    answer.content = answer.content.replace(b'from the run', b'from him')
    equal(state(answer, w=w)[0], 'broken', 'another subject')
    w = Message('clear+enc', protect='shy')
    answer = right(content=w.original.replace(
        b'boundary="outer"', b'boundary="outer"; hp="cipher"'))
    equal(state(answer, w=w)[0], 'broken', 'the subject is outside')


def report(t, unwritten):
    """-> (exit status, the last line)"""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = table.report([t], unwritten)
    return status, out.getvalue().strip().split('\n')[-1]


@test
def a_fact_excuses_a_failure_and_a_success_is_told():
    equal(state(None, 'I12: why'), ('known', 'I12: why'), 'known')
    equal(state(right(), 'I12: why')[0], 'now works', 'now works')
    t = table.Table('host')
    interop.read_cell(Fake(), Message(), t)
    equal(report(t, 0), (1, '0 passed, 1 failed, 0 skipped'), 'broken')
    t[0].known('I12: why')
    equal(report(t, 0), (0, '1 passed, 0 failed, 0 skipped'), 'known')
    equal(report(t, 1), (1, '1 passed, 1 failed, 0 skipped'), 'unwritten')


@test
def a_control_that_passes_as_valid_is_broken():
    for answer, wanted in ((right(), 'broken'), (None, 'ok'),
                           (right(signer=None), 'ok')):
        p, rows = Fake(), []
        p.answer = answer
        interop.control(p, Message(), rows)
        equal(rows[0].state, wanted, 'control')


@test
def a_changed_copy_is_changed_in_the_signed_octets():
    entity = mime.crlf(cells.entity('text'))
    for octets in (mime.clear(entity, b'signature'),
                   mime.opaque(b'0123' + entity, 'signed-data'),
                   mime.opaque(os.urandom(999), 'enveloped-data')):
        octets = mime.message('alice@example.com', ['bob@example.org'],
                              octets)
        changed = interop.tampered(octets)
        check(changed is not None and changed != octets, 'not changed')
        equal(mime.kind(changed), mime.kind(octets), 'kind')
    equal(interop.tampered(mime.message('a', ['b'], mime.opaque(
        b'no such word', 'signed-data'))), None, 'nothing to change')


@test
def we_must_say_the_right_thing_of_what_they_write():
    kind = peer.Kind('k', 'bob@example.org', ['alice@example.com'])
    entity = mime.crlf(cells.entity('text'))

    def said(result='pass', signer='bob@example.org', match=True,
             decryption='decrypted', back=entity):
        return interop.wrong(kind, 'bob@example.org', entity, back, {
            'signature': {'result': result, 'signer': signer,
                          'from_match': match, 'reason': None},
            'decryption': {'result': decryption, 'reason': None}})
    equal(said(), None, 'right')
    for more in ({'result': 'policy'}, {'signer': 'x'}, {'match': False},
                 {'decryption': 'none'}, {'back': None},
                 {'back': entity.replace(b'dich', b'mich')}):
        check(said(**more), 'not seen: %s' % more)
    kind.expect = 'policy'
    equal(said(result='policy'), None, 'expected')
    check(said(), 'a pass that must not be')


@test
def the_page_is_the_same_in_every_order():
    tables = [table.Table(s) for s in ('bookworm', 'trixie')]
    for t in tables:
        interop.read_cell(Fake(), Message(), t)
        t.append(table.Row('write', 'k', t[0].peer))
        t[1].set('ok')
    tables[0][0].known('a fact')
    page = '\n'.join(table.Page(tables).lines())
    check('1. a fact\n' in page, 'facts', page)
    check('| cell | 12: [1]; 13: broken |' in page, 'cells', page)
    for t in tables:
        t.reverse()
    equal('\n'.join(table.Page(tables).lines()), page, 'reversed')


if __name__ == '__main__':
    lib.main()
