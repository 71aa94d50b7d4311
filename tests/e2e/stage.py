# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""What a demo says on the terminal."""
import os
import re
import sys
import textwrap

from base import Failed

COLOUR = sys.stdout.isatty() and not os.environ.get('NO_COLOR')
count = 0


def paint(code, text):
    return '\033[%sm%s\033[0m' % (code, text) if COLOUR else text


def step(title):
    global count
    count += 1
    print('\n' + paint('1;36', '%d. %s' % (count, title)))
    print(paint('36', '-' * (len(title) + 3 + count // 10)))
    sys.stdout.flush()


def say(text):
    print(textwrap.fill(' '.join(text.split()), 76))


def good(text):
    print(paint('32', 'ok  ') + text)


def show(data, name, lines=14, only=None, width=100):
    """A piece of a file, indented; the fields named in only, and the start
    of the body."""
    text = data.decode('utf-8', 'replace') if isinstance(data, bytes) \
        else data
    rows = text.splitlines()
    if only:
        head, _, body = text.partition('\n\n')
        fields = re.split(r'\n(?![ \t])', head)
        rows = [r for f in fields if f.split(':')[0].lower() in only
                for r in f.splitlines()] + [''] + body.splitlines()
    print(paint('2', '    ' + name))
    for r in rows[:lines]:
        r = r if len(r) <= width else r[:width - 3] + '...'
        print(paint('33', '  | ') + r)
    if len(rows) > lines:
        print(paint('33', '  | ') + paint('2', '... %d more lines' %
                                         (len(rows) - lines)))


def expect(condition, what):
    """The demo is also a test: it stops where it does not show what it
    says."""
    if not condition:
        raise Failed(what)
    good(what)
