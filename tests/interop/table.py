# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""The cells of a run: counted, printed, and written as doc/INTEROP.md."""
import os
import sys
import time

STATES = ('ok', 'known', 'now works', 'broken')
DEBIAN = {'bookworm': '12', 'trixie': '13', 'sid': 'sid', 'host': 'host'}
WAYS = ('setup', 'read', 'control', 'write')

HEAD = '''# Interoperability

Made by `make interop-doc` on %s with postseal %s.

Every line is a message that one program wrote and another one read. *ok*
says that every decoded leaf was equal and that the reader called the
signature that of the author; a number names why it cannot be so, below. A
column holds all suites in which the program was asked; where they differ,
each is named: 12, 13 and sid are Debian's.

%d cells: %s.

## Programs

'''
FACTS = '''## What cannot be read, and why

I-rows are those of the project's requirements, part E.

'''
READ = '''## We write, they read

*enc* is the outer layer, the signature is inside; *clear* is
multipart/signed, *opaque* is one part. Where keys are named, signer and
recipient have such keys; else both have RSA-2048. *changed* and *by a
stranger* are controls: there *ok* says that the program did not call the
message valid.

'''
WRITE = '''## They write, we read

*ok* says that `postseal open` decrypted it, called the signature valid and
its signer the author, and gave equal leaves; or, for what must not pass,
that it said so.

'''


class Row:
    def __init__(self, way, name, peer):
        self.way, self.name, self.peer = way, name, peer
        self.state = self.why = None
        self.said = b''

    def set(self, state, why=None, said=b''):
        self.state, self.why, self.said = state, why, said

    def known(self, fact):
        """A fact says that this fails."""
        if fact:
            self.why = fact
            self.state = 'known' if self.state == 'broken' else 'now works'


class Table(list):
    """The rows of one suite; skipped is why there are none."""

    def __init__(self, suite):
        super().__init__()
        self.suite, self.skipped, self.absent = suite, None, []

    def progress(self, peer, seconds, verbose):
        mine = [r for r in self if r.peer is peer]
        print('%s: %s: %s: %s (%d s)' % (
            self.suite, peer.name, peer.title, counts(mine), seconds))
        for r in mine:
            if verbose or r.state in ('broken', 'now works'):
                print('  %s %s: %s%s' % (r.way, r.name, r.state,
                                         ': ' + r.why if r.why else ''))
                said = r.said.decode('utf-8', 'replace').strip()
                for line in said.split('\n')[-6:] if said else []:
                    print('    | ' + line)
        sys.stdout.flush()


def counts(rows):
    return ', '.join('%d %s' % (sum(r.state == s for r in rows), s)
                     for s in STATES if s == 'ok' or
                     any(r.state == s for r in rows))


def grid(head, rows):
    yield '| %s |' % ' | '.join(head)
    yield '|%s' % ('---|' * len(head))
    for row in rows:
        yield '| %s |' % ' | '.join(row)
    yield ''


class Page:
    """doc/INTEROP.md: the same order whatever ran first."""

    def __init__(self, tables):
        self.tables = [t for t in tables if not t.skipped]
        self.rows = [(t.suite, r) for t in self.tables for r in t]
        self.peers = sorted({r.peer.name for _, r in self.rows})
        self.facts = sorted({r.why for _, r in self.rows
                             if r.state == 'known'})

    def mark(self, row):
        if row.state == 'known':
            return '[%d]' % (self.facts.index(row.why) + 1)
        return row.state

    def cell(self, way, name, peer):
        """What all suites say, in few words."""
        found = [(suite, self.mark(r)) for suite, r in self.rows
                 if (r.way, r.name, r.peer.name) == (way, name, peer)]
        marks = {m for _, m in found}
        if len(marks) == 1:
            return marks.pop()
        return '; '.join('%s: %s' % (
            ', '.join(DEBIAN[s] for s, m in found if m == mark), mark)
            for mark in dict.fromkeys(m for _, m in found))

    def programs(self):
        for p in self.peers:
            titles = {s: r.peer.title for s, r in self.rows
                      if r.peer.name == p}
            mine = [r for _, r in self.rows if r.peer.name == p]
            yield [p] + [titles.get(t.suite, '-') for t in self.tables] + \
                [counts(mine)]

    def names(self, *ways):
        return list(dict.fromkeys(
            (r.way, r.name) for way in ways for _, r in self.rows
            if r.way == way))

    def lines(self):
        yield from grid(
            ['program'] + ['Debian ' + DEBIAN[t.suite]
                           for t in self.tables] + ['cells'],
            self.programs())
        yield FACTS
        for n, fact in enumerate(self.facts, 1):
            yield '%d. %s' % (n, fact)
        yield ''
        yield READ
        yield from grid(['message'] + self.peers, (
            [name] + [self.cell(way, name, p) for p in self.peers]
            for way, name in self.names('read', 'control')))
        yield WRITE
        for p in self.peers:
            mine = [n for n in self.names('write')
                    if self.cell('write', n[1], p)]
            if mine:
                yield from grid([p, 'we'], (
                    [name, self.cell('write', name, p)]
                    for _, name in mine))


def date():
    """Of the run, or what SOURCE_DATE_EPOCH says."""
    now = int(os.environ.get('SOURCE_DATE_EPOCH', time.time()))
    return time.strftime('%Y-%m-%d', time.gmtime(now))


def write_page(path, tables, version):
    page = Page(tables)
    rows = [r for _, r in page.rows]
    text = HEAD % (date(), version, len(rows), counts(rows)) + \
        '\n'.join(page.lines())
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text.rstrip('\n').replace('\n\n\n', '\n\n') + '\n')
    print('written: %s' % os.path.relpath(path))


def report(tables, unwritten):
    """The last lines; -> exit status. A known one counts as passed."""
    bad = unwritten + sum(r.state == 'broken' for t in tables for r in t)
    good = sum(len(t) for t in tables) - bad + unwritten
    for t in tables:
        if t.skipped:
            print('%s: skipped: %s' % (t.suite, t.skipped))
        elif t.absent:
            print('%s: absent: %s' % (t.suite, ', '.join(t.absent)))
    print('%d passed, %d failed, %d skipped' % (
        good, bad, sum(t.skipped is not None for t in tables)))
    return 1 if bad else 0
