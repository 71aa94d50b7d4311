#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""The trees that our MIME reader makes of 107 mails, and what their leaves
say, against what another MIME parser gives for them."""
import glob
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
import material  # noqa: E402
from lib import check, equal, must_run, test  # noqa: E402
from material import read  # noqa: E402

# Where we say that a message has no single reading, ours need not be the
# other parser's: file, what we say, and what there is to see.
AMBIGUOUS = {
    'malformed/001': ('multipart without a part',
                      'boundary "a" of the inner one begins "ab" of the '
                      'outer one'),
    'malformed/002': ('multipart without a part', 'no delimiter at all'),
    'malformed/003': ('boundary of an enclosing multipart',
                      'both have the same boundary'),
    'malformed/004': ('text after the boundary',
                      '"--ab" where the boundary is "a"'),
    'malformed/005': ('boundary of an enclosing multipart',
                      'both have the same boundary'),
    'malformed/006': ('missing close-delimiter',
                      'the inner one is ended by the outer one'),
    'malformed/007': ('text after the boundary',
                      'the header runs into the delimiter'),
    'malformed/008': ('missing close-delimiter',
                      'the inner one is ended by the outer one'),
    'malformed/009': ('missing close-delimiter',
                      'nothing is closed; a delimiter of the outer one ends '
                      'the inner one (RFC 2046 5.1.2), to us'),
    'malformed/011': ('missing close-delimiter', 'as 009'),
    'malformed/012': ('missing close-delimiter', 'as 009, with messages'),
    'malformed/013': ('boundary of an enclosing multipart',
                      'four multiparts of one boundary'),
    'malformed/014': ('missing close-delimiter',
                      'a last delimiter that begins an empty part, to us'),
    'malformed/016': ('missing close-delimiter',
                      'each boundary begins the one of the multipart around '
                      'it'),
    'malformed/017': ("where ';' was expected",
                      'no semicolon before boundary='),
    'malformed/019': ('line that is no field', 'a message torn to pieces'),
    'malformed/020': ('given twice', 'two Content-Type fields in a part'),
    'malformed/021': ('given twice', 'two Content-Type fields in a part'),
    'malformed/022': ('line that is no field',
                      'message/rfc822 that holds no message'),
    'rfc/008': ('transfer encoding on a composite type',
                'message/rfc822 in base64; not entered'),
    'thirdparty/004': ('Content-Transfer-Encoding: unparsable',
                       'an encoding that nobody knows'),
    'thirdparty/005': ('missing close-delimiter',
                       'the close-delimiter is not at the start of a line'),
    'thirdparty/010': ('text after a parameter', 'junk behind charset='),
    'thirdparty/015': ('multipart without a body',
                       'attached messages that were cut off within their '
                       'header'),
}
# Both are sure, and differ.
DIFFERENT = {
    'malformed/000': 'the parts have fields and no blank line, as RFC 2046 '
                     '5.1.1 allows; the other parser sees no part',
}
# Same tree, but a leaf says something else: file, part, why.
OTHER_TEXT = {
    ('rfc/000', '3.1'): 'no base64 behind the label; the other parser shows '
                        'what is there',
    ('rfc/000', '3.2'): 'as 3.1',
    ('thirdparty/002', '2'): 'text behind the padding is not read, to us',
    ('thirdparty/002', '3'): 'no base64 behind the label',
}


def our_tree(data):
    """-> ([(number, type, body, end, content or None)], defect)"""
    tool = os.path.join(lib.BUILD, 'tests/unit/smime_mime_trees_test')
    if not os.path.exists(tool):
        raise lib.Skip('no %s: make unit' % tool)
    rows, defect = [], ''
    for line in must_run([tool, '-'], data).decode().splitlines():
        if line.startswith('! '):
            defect = line[2:]
            continue
        f = line.split(' ! ')[0].split(' ')
        rows.append((f[0], f[1], int(f[3]), int(f[4]), None
                     if f[5] == '+' else bytes.fromhex(f[5])))
    return rows, defect


def their_tree(message, number='', attached=False):
    """[(number, part, kind of body, body)] of the other parser's JSON."""
    parts, rows = message['parts'], []

    def walk(i, n):
        p = parts[i]
        kind, body = next(iter(p['body'].items()))
        rows.append((n, p, kind, body))
        if kind == 'Multipart':
            for k, child in enumerate(body, 1):
                walk(child, n + '.%d' % k if n else str(k))
        if kind == 'Message':
            rows.extend(their_tree(body, n, True))

    # The only part of an attached message has the number 1 below it.
    if attached and 'Multipart' not in parts[0]['body']:
        number = number + '.1' if number else '1'
    walk(0, number)
    return rows


def their_type(part):
    """type/subtype and charset, as far as the field was understood."""
    for h in part['headers']:
        if h['name'] == 'content_type' and isinstance(h['value'], dict):
            c = h['value']['ContentType']
            names = {a['name']: a['value'] for a in c['attributes'] or []}
            return ('%s/%s' % (c['c_type'], c['c_subtype'])).lower(), \
                names.get('charset', 'utf-8')
    return None, 'utf-8'


def same_text(ours, kind, theirs, charset):
    """Is it the same? None: nobody here knows the charset."""
    if kind in ('Binary', 'InlineBinary'):
        return ours == bytes(theirs)
    try:
        return lib.lf(ours.decode(charset).encode()) == \
            lib.lf(theirs.encode())
    except (LookupError, UnicodeError):
        return None


def compare(name, data, message):
    """-> (defect, what differs, leaves compared, leaves of unknown
    charset)"""
    ours, defect = our_tree(data)
    theirs = their_tree(message)
    bad, good, unknown = [], 0, 0
    if len(ours) != len(theirs):
        return defect, ['%d and %d parts' % (len(ours), len(theirs))], 0, 0
    for (n, kind, body, end, text), (m, p, what, content) in \
            zip(ours, theirs):
        their, charset = their_type(p)
        # Of an empty part, the blank line may be the delimiter's.
        empty = body == end and p['offset_body'] == p['offset_end']
        if (n, kind) != (m or '0', their or kind) or not (
                empty or (body, end) == (p['offset_body'],
                                         p['offset_end'])):
            bad.append('part %s: %s %d %d, %s %s %d %d' % (
                n, kind, body, end, m, their, p['offset_body'],
                p['offset_end']))
        elif text is not None and what in ('Text', 'Html', 'Binary',
                                           'InlineBinary'):
            same = same_text(text, what, content, charset)
            unknown += same is None
            good += bool(same)
            if same is False and (name, n) not in OTHER_TEXT:
                bad.append('part %s: %s, %s' % (n, text[:200],
                                                content[:200]))
    return defect, bad, good, unknown


@test
def A41_trees_are_those_of_another_parser():
    d = os.path.join(material.need('mime-stalwart'), 'eml')
    paths = sorted(glob.glob(os.path.join(d, '*', '*.eml')))
    equal(len(paths), 107, 'messages')
    leaves = unknown = 0
    for path in paths:
        name = os.path.relpath(path, d)[:-4]
        defect, bad, good, n = compare(
            name, lib.crlf(read(path)),
            json.loads(read(path[:-4] + '.crlf.json')))
        leaves, unknown = leaves + good, unknown + n
        word = AMBIGUOUS.get(name, ('', ''))[0]
        check(word in defect and bool(word) == bool(defect),
              '%s: found "%s", wanted "%s"' % (name, defect, word))
        equal(bool(bad) and not defect, name in DIFFERENT, '%s: %s' %
              (name, bad))
    check(leaves > 180, 'only %d leaves compared' % leaves)
    check(unknown < 12, '%d leaves of unknown charset' % unknown)


if __name__ == '__main__':
    lib.main()
