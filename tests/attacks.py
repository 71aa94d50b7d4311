#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Writes doc/ATTACKS.md out of the tests, or says that it is not current.

A test that shows an attack has this comment directly above its function
(C), or this docstring (Python):

    attack A17: a detached signature that carries content of its own
    verdict: permerror at S64

usage: attacks.py [--check]
"""
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(ROOT, 'doc', 'ATTACKS.md')

WORDS = re.compile(r'attack ((?:[AT]\d+[ ,]*)+): (.+?) verdict: (.+)')
C_TEST = re.compile(r'/\* (attack [AT]\d(?:(?!\*/).)+)\*/\s*'
                    r'static void\s+(\w+)\(', re.S)
PY_TEST = re.compile(r'def (\w+)\([^)]*\):\s*"""(attack [AT]\d.+?)"""', re.S)

HEAD = """# Attacks

What is known to be tried on S/MIME gateways, mail readers and TLS hops,
what postseal answers, and the test that shows it. Made by `make attacks`
from the comments above the tests; `make lint` fails when it is not current.
The numbers group the attacks: A1 to A15 on decryption and content, A16 to
A40 on signatures and identity, A41 to A55 on parsers and transport, A56 to
A64 on certificates and the fetching of them, A65 to A73 on TLS hops; T is
what submission, next hops and their policy must stand.

| | attack | postseal's verdict | test |
|---|---|---|---|
"""


def squeeze(text):
    lines = (re.sub(r'^\s*\*? ?', '', line) for line in text.split('\n'))
    return ' '.join(' '.join(lines).split())


def found(path):
    with open(path, encoding='utf-8') as f:
        source = f.read()
    marks = len(re.findall(r'/\* attack [AT]\d', source))
    if len(C_TEST.findall(source)) != marks:
        sys.exit('%s: a comment on an attack is not above a test' % path)
    for text, name in C_TEST.findall(source):
        yield squeeze(text), name
    for name, text in PY_TEST.findall(source):
        yield squeeze(text), name


def rows():
    paths = (glob.glob(os.path.join(ROOT, 'tests/unit/*_test.c')) +
             glob.glob(os.path.join(ROOT, 'tests/e2e/*_test.py')) +
             [os.path.join(ROOT, 'tests/e2e/suite.py')])
    for path in sorted(paths):
        test = re.sub(r'(_test)?\.(c|py)$', '', os.path.relpath(
            path, os.path.join(ROOT, 'tests')))
        for text, name in found(path):
            m = WORDS.fullmatch(text)
            if m is None:
                sys.exit('%s: %s: the comment has no "verdict:"'
                         % (path, name))
            for i in re.findall(r'[AT]\d+', m.group(1)):
                yield (i, m.group(2).strip(), m.group(3).strip(),
                       '%s %s' % (test, name))


def cell(text):
    return text.replace('|', '\\|').replace('<', '&lt;')


def page():
    out = [HEAD]
    for row in sorted(set(rows()), key=lambda r: (r[0][0], int(r[0][1:]), r[3],
                                               r[1])):
        i, attack, verdict, test = row
        out.append('| %s | %s | %s | `%s` |\n'
                   % (i, cell(attack), cell(verdict), test))
    return ''.join(out)


def main():
    wanted = page()
    if sys.argv[1:] == ['--check']:
        try:
            with open(PAGE, encoding='utf-8') as f:
                have = f.read()
        except FileNotFoundError:
            have = ''
        if have != wanted:
            sys.exit('doc/ATTACKS.md is not what the tests say: '
                     'make attacks')
        return
    with open(PAGE, 'w', encoding='utf-8') as f:
        f.write(wanted)


if __name__ == '__main__':
    main()
