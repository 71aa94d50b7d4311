#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""The tree follows the house rules, and the check finds each kind of sin."""
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lint  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))

# Rule and file in tests/lint/bad that breaks it.
SINS = [
    ('spdx', 'util/bad.h'),
    ('global', 'util/bad.h'),
    ('must-check', 'util/bad.h'),
    ('unnamed', 'util/bad.h'),
    ('parameters', 'util/bad.h'),
    ('typedef', 'util/bad.h'),
    ('own-header', 'util/bad.c'),
    ('openssl', 'util/bad.c'),
    ('arrow', 'util/bad.c'),
    ('include-path', 'util/bad.c'),
    ('xxx', 'util/bad.c'),
    ('banned', 'util/bad.c'),
    ('columns', 'util/bad.c'),
    ('blanks', 'util/bad.c'),
    ('file-length', 'util/bad.c'),
    ('function-length', 'util/bad.c'),
    ('banned', 'milter/bad.c'),
]


def main():
    if shutil.which('mandoc'):
        SINS.append(('mandoc', 'doc/bad.1'))
    print('1..%d' % (len(SINS) + 2))
    rows = lint.lint(os.path.normpath(os.path.join(HERE, '..', '..')))
    print('%sok 1 - the_tree_follows_the_house_rules' %
          ('not ' if rows else ''))
    for row in rows:
        print('# %s:%d: %s: %s' % row)
    rows = lint.lint(os.path.join(HERE, 'bad'))
    found = {(rule, path) for path, _, rule, _ in rows}
    for n, sin in enumerate(SINS, 2):
        print('%sok %d - lint_finds_%s_in_%s' % (
            '' if sin in found else 'not ', n, sin[0], sin[1]))
    odd = found - set(SINS)
    print('%sok %d - lint_finds_nothing_else' % (
        'not ' if odd else '', len(SINS) + 2))
    for sin in sorted(odd):
        print('# %s in %s' % sin)
    sys.exit(0)


if __name__ == '__main__':
    main()
