#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""The house rules that a program can check; doc/HACKING.md has them all.

usage: tests/lint/lint.py [--root FOLDER]

Prints FILE:LINE: RULE: what, and exits 1 if there is anything. Exceptions
stand in tests/lint/allow, each with its reason; one that is not needed any
more is a finding as well. It reads the house style, not C: a function's
braces are in the first column.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys

FILE_LINES = 800
FUNCTION_LINES = 80
MAIN_LINES = 120
PARAMETERS = 6
COLUMNS = 80

CODE = ('util', 'smime', 'keystore', 'fetch', 'smtp', 'gateway', 'milter',
        'cli', 'relay', 'tests/unit', 'tests/fuzz', 'tests/bench')
ROOMS = ('util', 'smime', 'keystore', 'fetch', 'smtp', 'gateway', 'milter',
         'cli', 'relay')
# Which room may include which: arrows go down only.
CORE = {'util', 'smime', 'keystore', 'fetch', 'smtp', 'gateway'}
ARROWS = {
    'util': {'util'},
    'smime': {'smime', 'util'},
    'keystore': {'keystore', 'util'},
    'fetch': {'fetch', 'util'},
    'smtp': {'smtp', 'util'},
    'gateway': CORE,
    'milter': CORE | {'milter'},
    'cli': CORE | {'cli', 'relay'},
    'relay': {'relay', 'util', 'smtp', 'keystore', 'fetch'},
}
OPENSSL = re.compile(r'^(smime/|keystore/|util/(ossl|cert)[a-z_]*\.[ch]$|'
                     r'(smtp|relay)/tls[a-z_]*\.[ch]$|tests/)')
BANNED = ('strcpy', 'strcat', 'sprintf', 'vsprintf', 'strncpy', 'strncat',
          'strtok', 'atoi', 'atol', 'alloca', 'system', 'popen', 'gets')
TYPES = {'void', 'char', 'short', 'int', 'long', 'float', 'double',
         'signed', 'unsigned', 'bool', '_Bool', 'size_t', 'T'}


class Findings:
    def __init__(self, allow):
        self.allow = allow
        self.used = set()
        self.rows = []

    def add(self, path, line, rule, text, name=None):
        for key in ((rule, path), (rule, '%s:%s' % (path, name))):
            if key in self.allow:
                self.used.add(key)
                return
        self.rows.append((path, line, rule, text))


def blank(m):
    return re.sub(r'[^\n]', ' ', m.group(0))


def without_comments(text):
    """Comments, strings and character constants as blanks."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'
                  r"'(?:\\.|[^'\\\n])*'", blank, text, flags=re.DOTALL)


def split_top(text):
    """Split at commas outside brackets."""
    out, depth, cur = [], 0, ''
    for c in text:
        if c in '([{':
            depth += 1
        elif c in ')]}':
            depth -= 1
        if c == ',' and depth == 0:
            out.append(cur)
            cur = ''
        else:
            cur += c
    out.append(cur)
    return [p.strip() for p in out if p.strip()]


def parameters(head):
    """'int f(a b, c d)' -> (name, [parameters]); None if no function."""
    m = re.search(r'\b([A-Za-z_]\w*)\s*\(', head)
    if not m:
        return None
    depth, i = 0, m.end() - 1
    for j in range(i, len(head)):
        depth += {'(': 1, ')': -1}.get(head[j], 0)
        if depth == 0:
            return m.group(1), split_top(head[i + 1:j])
    return None


def weight(pars):
    """How many parameters; the error object at the end is none."""
    if pars and re.match(r'struct err \*', pars[-1]):
        return len(pars) - 1
    return len(pars)


def is_named(par):
    if par in ('void', '...'):
        return True
    if re.search(r'\(\s*\*\s*(const\s+)?\w+', par):
        return True
    par = re.sub(r'\[[^\]]*\]', '', par).strip()
    par = re.sub(r'\b(const|volatile|restrict|static)\b', ' ', par)
    par = re.sub(r'\b(struct|enum|union)\s+\w+', 'T', par)
    if not re.search(r'\w$', par):
        return False
    words = re.findall(r'[A-Za-z_]\w*', par)
    return len(words) >= 2 and words[-1] not in TYPES


def functions(lines):
    """-> (name, first line, last line, parameters) of each definition."""
    start = None
    for n, line in enumerate(lines):
        if line.rstrip() == '{' or re.match(r'^\w.*\)\s*\{\s*$', line):
            start = n
        elif line.startswith('}') and start is not None:
            first = start
            while first > 0 and not re.match(
                    r'^\s*$|^[}#]|.*;\s*$', lines[first - 1]):
                first -= 1
            head = ' '.join(lines[first:start + 1])
            got = parameters(head)
            if got:
                yield got[0], first, n, got[1]
            start = None


def check_text(f, path, lines):
    if not any('SPDX-License-Identifier: ISC' in x for x in lines[:3]):
        f.add(path, 1, 'spdx', 'no SPDX line at the head')
    if len(lines) > FILE_LINES:
        f.add(path, len(lines), 'file-length', '%d lines, at most %d' %
              (len(lines), FILE_LINES))
    for n, line in enumerate(lines, 1):
        width = len(line.rstrip('\n').expandtabs(8))
        if width > COLUMNS:
            f.add(path, n, 'columns', '%d columns' % width)
        if line != line.rstrip():
            f.add(path, n, 'blanks', 'blanks at the end of the line')
        if re.search(r'\b(XXX|TODO|FIXME)\b(?!.*(#|issue )\d)', line) and \
                not path.startswith('tests/lint'):
            f.add(path, n, 'xxx', 'without an issue number')


def check_includes(f, path, raw):
    room = path.split('/')[0]
    first = None
    for n, line in enumerate(raw, 1):
        m = re.match(r'#\s*include\s+([<"])([^>"]+)[>"]', line)
        if not m:
            continue
        what = m.group(2)
        first = first or what
        if m.group(1) == '<':
            if what.startswith('openssl/') and not OPENSSL.match(path):
                f.add(path, n, 'openssl', '<%s> here' % what)
            continue
        target = what.split('/')[0]
        if room == 'tests' and '/' not in what:
            continue  # helpers beside the test
        if '/' not in what or target not in ROOMS + ('tests',):
            f.add(path, n, 'include-path',
                  '"%s": by path from the root' % what)
        elif room in ARROWS:
            if target not in ARROWS[room]:
                f.add(path, n, 'arrow', '%s must not include %s' %
                      (room, what))
            if what.endswith('_int.h') and target != room:
                f.add(path, n, 'arrow', '%s is private to its room' % what)
    return first


def first_of(root, header):
    """What a private header includes first: through it, a file may include
    its own."""
    if not (header or '').endswith('_int.h'):
        return None
    with open(os.path.join(root, header), encoding='utf-8') as fh:
        m = re.search(r'^#\s*include\s+"([^"]+)"', fh.read(), re.MULTILINE)
    return m.group(1) if m else None


def check_code(f, path, raw, root):
    text = without_comments('\n'.join(raw))
    lines = text.split('\n')
    first = check_includes(f, path, raw)
    own = path[:-2] + '.h'
    if path.endswith('.c') and os.path.exists(os.path.join(root, own)) and \
            first not in (own, os.path.basename(own)) and \
            first_of(root, first) != own:
        f.add(path, 1, 'own-header', 'includes %s first, not %s' %
              (first, own))
    for n, line in enumerate(lines, 1):
        for w in BANNED:
            if re.search(r'(?<![\w.>])%s\s*\(' % w, line):
                f.add(path, n, 'banned', w)
        if re.search(r'\bsnprintf\s*\(', line) and \
                not path.startswith(('util/', 'tests/')):
            f.add(path, n, 'banned', 'snprintf outside util/')
        # Function types, and names that other headers of the system own
        # ("typedef struct x509_st X509;"), are no typedefs of ours.
        if re.match(r'^\s*typedef\b', line) and '(' not in line and \
                not re.search(r'\bstruct \w+ [A-Z0-9_]+;', line):
            f.add(path, n, 'typedef', 'only for function types')
        if re.search(r'\bPKCS7_(?!type_is_)\w+\s*\(', line):
            f.add(path, n, 'banned', 'PKCS7_*: use CMS_*')
    for name, a, b, pars in functions(lines):
        limit = MAIN_LINES if name == 'main' else FUNCTION_LINES
        if b - a + 1 > limit:
            f.add(path, a + 1, 'function-length', '%s: %d lines, at most %d'
                  % (name, b - a + 1, limit), name)
        if weight(pars) > PARAMETERS:
            f.add(path, a + 1, 'parameters', '%s: %d, at most %d' %
                  (name, weight(pars), PARAMETERS), name)
    if path.endswith('.h'):
        check_header(f, path, text)


def check_header(f, path, text):
    # What stands in braces is no prototype; directives are none either.
    text = re.sub(r'^#(?:[^\n\\]|\\.|\\\n)*', blank, text,
                  flags=re.MULTILINE)
    while re.search(r'\{[^{}]*\}', text):
        text = re.sub(r'\{[^{}]*\}', blank, text)
    at = 0
    for st in re.findall(r'[^;]*;', text):
        lead = len(st) - len(st.lstrip())
        line = text.count('\n', 0, at + lead) + 1
        at += len(st)
        st = ' '.join(st.split())
        if st.startswith('extern') and '(' not in st and \
                'const' not in st:
            f.add(path, line, 'global', 'a variable in a header')
        if st.startswith('typedef') or '(' not in st:
            continue
        st = re.sub(r'\b(PRINTF_LIKE|__attribute__)\s*\([^;]*\)', '', st)
        got = parameters(st)
        if not got:
            continue
        name, pars = got
        for p in pars:
            if not is_named(p):
                f.add(path, line, 'unnamed', '%s: parameter "%s"' %
                      (name, p), name)
        if weight(pars) > PARAMETERS:
            f.add(path, line, 'parameters', '%s: %d, at most %d' %
                  (name, weight(pars), PARAMETERS), name)
        if st.startswith('int ') and pars and \
                re.match(r'struct err \*', pars[-1]) and \
                'MUST_CHECK' not in st and not name.endswith('_fail'):
            f.add(path, line, 'must-check', name, name)


def check_tool(f, argv, paths, rule, root):
    if not paths or not shutil.which(argv[0]):
        return
    r = subprocess.run(argv + paths, cwd=root, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, check=False)
    for line in r.stdout.decode('utf-8', 'replace').splitlines():
        m = re.match(r'(?:mandoc: )?([^:]+):(\d+):(.*)$', line)
        if m:
            f.add(m.group(1), int(m.group(2)), rule, m.group(3).strip())


def listing(root, folders, ends):
    for folder in folders:
        top = os.path.join(root, folder)
        if not os.path.isdir(top):
            continue
        for name in sorted(os.listdir(top)):
            if name.endswith(ends):
                yield os.path.join(folder, name)


def read_allow(root):
    allow = set()
    path = os.path.join(root, 'tests/lint/allow')
    if not os.path.exists(path):
        return allow
    with open(path, encoding='utf-8') as fh:
        for line in fh:
            line = line.strip()
            if not line or line.startswith('#'):
                continue
            entry, _, reason = line.partition('#')
            words = entry.split()
            if len(words) != 2 or not reason.strip():
                sys.exit('tests/lint/allow: "%s": RULE FILE[:FUNCTION] '
                         '# reason' % line)
            allow.add(tuple(words))
    return allow


def lint(root):
    f = Findings(read_allow(root))
    scripts = [p for p in ('run', '.ci/run') if
               os.path.exists(os.path.join(root, p))]
    scripts += listing(root, ('tests',), '.sh')
    pythons = list(listing(root, ('tests', 'tests/e2e', 'tests/lint',
                                  'tests/bench'), '.py'))
    code = list(listing(root, CODE, ('.c', '.h')))
    for path in code + scripts + pythons:
        with open(os.path.join(root, path), encoding='utf-8') as fh:
            raw = fh.read().split('\n')[:-1]
        check_text(f, path, raw)
        if path.endswith(('.c', '.h')):
            check_code(f, path, raw, root)
    pages = list(listing(root, ('doc',), tuple('.%d' % i
                                               for i in range(1, 9))))
    check_tool(f, ['mandoc', '-T', 'lint', '-W', 'warning'], pages, 'mandoc',
               root)
    check_tool(f, ['shellcheck', '-f', 'gcc'], scripts, 'shellcheck', root)
    for key in sorted(f.allow - f.used):
        f.add('tests/lint/allow', 1, 'allow', 'not needed: %s %s' % key)
    return f.rows


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--root', default=os.path.join(
        os.path.dirname(os.path.abspath(__file__)), '..', '..'))
    rows = lint(os.path.normpath(ap.parse_args().root))
    for row in rows:
        print('%s:%d: %s: %s' % row)
    sys.exit(1 if rows else 0)


if __name__ == '__main__':
    main()
