#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: long
"""The trees that our MIME reader makes of 107 mails, and what their leaves
say, against what another MIME parser gives for them; and the same mails, by
alice, sealed and opened again."""
import glob
import json
import os
import re
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


# ---- sealed and opened ----

RULES = '''
outbound to signed@example.org    : sign
outbound to encrypted@example.org : encrypt
outbound                          : sign, encrypt
inbound                           : decrypt, verify
'''
FOR = ('signed@example.org', 'encrypted@example.org', 'bob@example.org')
# Mails that must not be sealed: what the refusal says, what there is to see.
REFUSED = {
    'eml/malformed/001': ('multipart without a part',
                          AMBIGUOUS['malformed/001'][1]),
    'eml/malformed/002': ('multipart without a part',
                          AMBIGUOUS['malformed/002'][1]),
    'eml/malformed/003': ('boundary of an enclosing multipart',
                          AMBIGUOUS['malformed/003'][1]),
    'eml/malformed/004': ('text after the boundary',
                          AMBIGUOUS['malformed/004'][1]),
    'eml/malformed/005': ('boundary of an enclosing multipart',
                          AMBIGUOUS['malformed/005'][1]),
    'eml/malformed/007': ('text after the boundary',
                          AMBIGUOUS['malformed/007'][1]),
    'eml/malformed/013': ('MIME-Version: unparsable',
                          'MIME-Version: abc in a part, beside four '
                          'multiparts of one boundary'),
    'eml/malformed/017': ("text where ';' was expected",
                          AMBIGUOUS['malformed/017'][1]),
    'eml/malformed/019': ('more than one field Subject',
                          'two messages torn and joined'),
    'eml/malformed/020': ('Content-Type: given twice',
                          AMBIGUOUS['malformed/020'][1]),
    'eml/malformed/021': ('Content-Type: given twice',
                          AMBIGUOUS['malformed/021'][1]),
    'eml/rfc/001': ('message/external-body is no complete content',
                    'S19: the content is elsewhere'),
    'eml/rfc/008': ('transfer encoding on a composite type',
                    AMBIGUOUS['rfc/008'][1]),
    'eml/thirdparty/004': ('Content-Transfer-Encoding: unparsable',
                           AMBIGUOUS['thirdparty/004'][1]),
    'eml/thirdparty/009': ('message/partial is no complete content',
                           'S19: a piece of a message'),
    'eml/thirdparty/010': ('text after a parameter',
                           AMBIGUOUS['thirdparty/010'][1]),
}
NO_MAIL = 'a line of the header is no field'  # maildir files with one "a"
# PGP/MIME, which is not signed (S43).
FOREIGN = {'eml/malformed/015'}
# Python reads the mail itself otherwise than what we made of it; we and the
# other parser read both alike.
PYTHON_DIFFERS = {
    'eml/malformed/000': 'parts with fields and no blank line',
    'eml/thirdparty/003': 'blanks behind quoted-printable, which Python does '
                          'not decode then',
    'eml/thirdparty/012': 'a boundary that is folded, which is no boundary '
                          'to Python',
}
if lib.leaves(b'Content-Transfer-Encoding: quoted-printable \n\n=41')[0][1] \
        == b'A':
    del PYTHON_DIFFERS['eml/thirdparty/003']  # not so since 3.13


def of_alice(data):
    """The same mail, sent by alice."""
    head, blank, body = lib.lf(data).partition(b'\n\n')
    head = re.sub(rb'(?im)^(from|sender|return-path|resent-[a-z-]+)[ \t]*:'
                  rb'.*(\n[ \t].*)*\n?', b'', head + b'\n')
    return b'From: alice@example.com\n' + head.rstrip(b'\n') + \
        (blank or b'\n') + body


def our_leaves(data):
    return [(kind, text) for _, kind, _, _, text in
            our_tree(lib.crlf(data))[0] if text is not None and
            kind != 'application/pkcs7-signature']


def python_leaves(data):
    """Line ends at the end are the delimiter's, more or less."""
    return [(kind, lib.lf(text).rstrip(b'\n'))
            for kind, text in lib.leaves(data)]


_sites = []


def sites():
    """alice's and the others' gateway; made once."""
    if not _sites:
        a, b = lib.two_sites(lib.temporary(), RULES, postfix=False)
        a.must('ca', 'issue', '--email', FOR[1], '--algorithm', 'rsa:2048')
        lib.share(a, b, 'alice@example.com', FOR[1])
        _sites.extend((a, b))
    return _sites


def there_and_back(a, b, name, mail, to):
    """-> what became of it: a refusal, "unchanged" or "equal"."""
    out = a.path('verdict.json')
    status, wire, err = a.cmd('seal', '--from', 'alice@example.com', '--to',
                              to, '--json', out, data=mail)
    if status != 0:
        equal((status, wire), (69, b''), name + ': ' + lib.show(err))
        return err.decode()
    with open(out, encoding='utf-8') as f:
        if json.load(f)['action'] == 'unchanged':
            equal(wire, mail, name + ': touched')
            return 'unchanged'
    check(max(wire.partition(b'\n\n')[2]) < 0x80, name + ': not 7-bit')
    status, back, err = b.cmd('open', '--from', 'alice@example.com', '--to',
                              to, '--json', out, data=wire)
    equal(status, 0, '%s: open: %s' % (name, lib.show(err)))
    with open(out, encoding='utf-8') as f:
        verdict = json.load(f)
    signed = to != FOR[1] and name not in FOREIGN
    equal((verdict['signature']['result'], verdict['decryption']['result']),
          ('pass' if signed else 'none',
           'none' if to == FOR[0] else 'decrypted'), name)
    equal(our_leaves(back), our_leaves(mail), name + ': leaves')
    equal(python_leaves(back) == python_leaves(mail),
          name not in PYTHON_DIFFERS, name + ': leaves in Python')
    return 'equal'


def all_mails():
    """[(name, octets)]"""
    d = material.need('mime-stalwart')
    found = []
    for folder, _, files in sorted(os.walk(d)):
        for f in sorted(files):
            path = os.path.join(folder, f)
            name = os.path.relpath(path, d)
            if name.endswith('.eml') or name.startswith('maildir/'):
                found.append((name[:-4] if name.endswith('.eml') else name,
                              read(path)))
    return found


@test
def S3_S17_S18_S19_real_mails_come_back_or_their_defect_is_named():
    mails = all_mails()
    equal(len(mails), 113, 'mails')
    a, b = sites()
    count = {}
    for name, data in mails:
        mail = of_alice(data)
        for to in FOR:
            became = there_and_back(a, b, name, mail, to)
            want = NO_MAIL if name.startswith('maildir/') else \
                REFUSED.get(name, ('unchanged' if name in FOREIGN and
                                   to == FOR[0] else 'equal',))[0]
            check(want in became, '%s to %s: %s, wanted %s' % (
                name, to, became, want))
            count[want] = count.get(want, 0) + 1
    equal(count.pop('equal'), 272, 'there and back')
    for want, n in sorted(count.items()):
        print('# %d: %s' % (n, want))


def sealed(mail, to):
    return sites()[0].must('seal', '--from', 'alice@example.com', '--to', to,
                           data=mail)


def opened(mail, to):
    """-> (message, verdict)"""
    b = sites()[1]
    out = b.path('verdict.json')
    back = b.must('open', '--from', 'alice@example.com', '--to', to,
                  '--json', out, data=mail)
    with open(out, encoding='utf-8') as f:
        return back, json.load(f)


def without_8bit(data):
    return bytes(x & 0x7f for x in data)


# What mail servers do to lines; one after the other, a few for each mail.
DAMAGE = (
    lambda data: re.sub(rb'(?m)[ \t]+$', b'', data),
    lambda data: re.sub(rb'(?m)^(>*From )', rb'>\1', data),
    lambda data: re.sub(rb'(?m)^>(>*From )', rb'\1', data),
    lambda data: re.sub(rb'(?m)^\.', b'', data),
    lambda data: re.sub(rb'(?m)^\.', b'..', data),
    lambda data: re.sub(rb'(?m)^(.{990})', rb'\1!\n ', data),
    without_8bit,
    lib.crlf,
    lib.lf,
    lambda data: data + b'\n\n\n',
    lambda data: data.rstrip(b'\r\n'),
)


@test
def S6_S7_S8_S9_signed_real_mails_survive_what_mail_servers_do():
    a = sites()[0]
    root = lib.root_certificate(a)
    done = 0
    for n, (name, data) in enumerate(all_mails()):
        if name.startswith('maildir/') or name in REFUSED or name in FOREIGN:
            continue
        mail = of_alice(data)
        wire = sealed(mail, FOR[0])
        harmed = wire
        for k in range(4):
            harmed = DAMAGE[(n * 7 + k * (n + 3)) % len(DAMAGE)](harmed)
        back, verdict = opened(harmed, FOR[0])
        equal(verdict['signature']['result'], 'pass', name)
        equal(our_leaves(back), our_leaves(mail), name)
        if n % 3 == 0:
            lib.must_run(['openssl', 'cms', '-verify', '-CAfile', root],
                         harmed)
        done += 1
    equal(done, 90, 'mails')


HEAD = b'From: alice@example.com\nTo: bob@example.org\nSubject: x\n'


@test
def S16_there_is_one_MIME_Version():
    for head in (b'', b'Content-Type: text/html\n', b'MIME-Version: 1.0\n',
                 b'Mime-version: 1.0 (made by hand)\n',
                 b'MIME-Version: 1.0\nContent-Type: text/html\n'):
        mail = HEAD + head + b'\nGr\xc3\xbc\xc3\x9fe\n'
        for to in FOR:
            wire = sealed(mail, to)
            back = opened(wire, to)[0]
            for what in (wire, back):
                equal(lib.header(what, 'MIME-Version'), ['1.0'],
                      '%s to %s' % (head, to))
            want = 'text/html' if b'html' in head else 'text/plain'
            check(lib.leaves(back)[0] == (want, lib.body(mail)), 'text',
                  back)


@test
def S21_micalg_is_a_hint():
    wire = sealed(HEAD + b'\nhello\n', FOR[0])
    check(b'micalg=sha-256' in wire, 'no micalg', wire)
    for word in (b'micalg=foo', b'micalg=rsa-sha1', b'micalg=SHA256',
                 b'micalg="sha1,md5"', b'micalg=sha-512', b'x-other=y'):
        mail = wire.replace(b'micalg=sha-256', word)
        back, verdict = opened(mail, FOR[0])
        equal(verdict['signature']['result'], 'pass', word)
        equal(lib.leaves(back)[0][1], b'hello\n', word)


@test
def S20_white_space_counts():
    wire = sealed(HEAD + b'\nhello, bob\n\nalice\n', FOR[0])
    for was, became in ((b'hello, bob', b'hello,  bob'),
                        (b'hello, bob\n', b'hello, bob \n'),
                        (b'bob\n\nalice', b'bob\n\n\nalice'),
                        (b'hello, bob', b'hello,\tbob'),
                        (b'hello', b'Hello')):
        equal(wire.count(was), 1, was)
        verdict = opened(wire.replace(was, became), FOR[0])[1]
        equal(verdict['signature']['result'], 'fail', became)


@test
def S30_names_of_files_are_short_and_agree():
    for to, names in ((FOR[0], ['smime.p7s']), (FOR[1], ['smime.p7m'])):
        wire = sealed(HEAD + b'\nhello\n', to).decode()
        equal(re.findall(r'\bname="?([^";\n]+)', wire), names, to)
        equal(re.findall(r'\bfilename="?([^";\n]+)', wire), names, to)


@test
def S190_S191_addresses_in_utf8_are_left_as_they_are():
    """Names and addresses in UTF-8 on top, and in an attached message."""
    head = ('From: "Älice" <alice@example.com>\n'
            'To: grüße@example.org, Bob <bob@example.org>\n'
            'Cc: <x@bücher.example>\nSubject: Grüße\n').encode()
    attached = ('From: grüße@bücher.example\nSubject: Ä\n\nÄ\n').encode()
    mail = head + b'Content-Type: multipart/mixed; boundary=b\n\n--b\n' \
        b'Content-Type: text/plain; charset=utf-8\n\n\xc3\x84\n--b\n' \
        b'Content-Type: message/rfc822\n\n' + attached + b'\n--b--\n'
    for to in FOR:
        wire = sealed(mail, to)
        check(max(lib.body(wire)) < 0x80, 'not 7-bit', wire)
        back, verdict = opened(wire, to)
        equal(verdict['signature']['result'],
              'none' if to == FOR[1] else 'pass', to)
        equal(our_leaves(back), our_leaves(mail), to)
        check('From: grüße@bücher.example\n'.encode() in back,
              'attached address changed', back)
        for what in (wire, back):
            for line in head.splitlines():
                check(b'\n' + line + b'\n' in b'\n' + what,
                      'changed: %s' % line.decode(), what)


if __name__ == '__main__':
    lib.main()
