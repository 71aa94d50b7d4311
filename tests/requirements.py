#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""One line per requirement ID that a test names: ID, test, result.

Reads what tests/runner.py wrote. A test names requirements by the leading
words of its name: S3_S4_eight_bit_leaf_becomes_qp proves S3 and S4.
"""
import re
import sys

LEAD = re.compile(r'^(?:[SMTAI]\d+_)*[SMTAI]\d+(?=_|\s|$)')


def ids(name):
    m = LEAD.match(name)
    return m.group(0).split('_') if m else []


def order(row):
    return 'SMTAI'.index(row[0][0]), int(row[0][1:]), row[1]


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else 'build/results.tsv'
    rows = []
    with open(path, encoding='utf-8') as f:
        for line in f:
            test, status, _ = line.rstrip('\n').split('\t')
            for i in ids(test.rsplit('/', 1)[-1]):
                rows.append((i, test, status))
    for row in sorted(rows, key=order):
        print('%s\t%s\t%s' % row)


if __name__ == '__main__':
    main()
