# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Medians, numbers and Markdown tables; progress on a terminal; and the
figures that the table of targets at the end is made of."""
import os
import sys

# name: value, put there by the parts
found = {}


def option(name, default):
    """A variable of the environment, of the default's type."""
    text = os.environ.get(name)
    return default if text is None else type(default)(text)


def words(name, default):
    return option(name, default).split()


def progress(text=''):
    if sys.stderr.isatty():
        sys.stderr.write('\r\033[K' + text)
        sys.stderr.flush()


def median(values):
    values = sorted(values)
    n = len(values)
    return (values[(n - 1) // 2] + values[n // 2]) / 2


def short(x):
    """A number with about three digits."""
    if x >= 100:
        return '%.0f' % x
    return '%.1f' % x if x >= 10 else '%.2f' % x


def octets(size):
    units = {'K': 1 << 10, 'M': 1 << 20}
    return int(size[:-1]) * units[size[-1]] if size[-1] in units \
        else int(size)


def heading(text):
    progress()
    print('## %s\n' % text, flush=True)


def say(text):
    progress()
    print(text + '\n', flush=True)


def table(about, head, rows):
    """rows may be made one after the other while it is printed; without any
    there is no table."""
    rows = iter(rows)
    row = next(rows, None)
    if row is None:
        return
    progress()
    if about:
        print(about + '\n')
    print('| %s |' % ' | '.join(head))
    print('|%s' % ('---|' * len(head)))
    while row is not None:
        progress()
        print('| %s |' % ' | '.join(
            x if isinstance(x, str) else short(x) for x in row), flush=True)
        row = next(rows, None)
    progress()
    print(flush=True)
