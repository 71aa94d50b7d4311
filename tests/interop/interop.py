#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Write with us and read with the others, and the other way round: a table
of cells, README.md. Ends with 1 if one is broken."""
import argparse
import fnmatch
import glob
import importlib
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import cells  # noqa: E402
import material  # noqa: E402
import mime  # noqa: E402
import peer  # noqa: E402
import table  # noqa: E402
from material import lib  # noqa: E402

SUITES = ('bookworm', 'trixie', 'sid')
STRANGER = 'stranger'


def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--suites', default=','.join(SUITES),
                   help='of host,' + ','.join(SUITES))
    p.add_argument('--peers', help='names, default all')
    p.add_argument('--cells', default='*', help='pattern of cells')
    p.add_argument('--keep', action='store_true',
                   help='keep the messages, and say where')
    p.add_argument('--write', action='store_true',
                   help='write doc/INTEROP.md')
    p.add_argument('--list', action='store_true', help='name the cells')
    p.add_argument('--verbose', action='store_true',
                   help='name every cell as it is done')
    return p.parse_args()


def classes(wanted):
    found = []
    for path in sorted(glob.glob(os.path.join(HERE, 'peer_*.py'))):
        module = importlib.import_module(os.path.basename(path)[:-3])
        found += getattr(module, 'PEERS', [])
    if wanted:
        names = wanted.split(',')
        unknown = set(names) - {c.name for c in found}
        if unknown:
            sys.exit('no such peer: ' + ', '.join(sorted(unknown)))
        found = [c for c in found if c.name in names]
    return found


def version():
    """'postseal 0.1, OpenSSL 3.0.22': the first line of --version."""
    out = lib.must_run([lib.POSTSEAL, '--version']).decode()
    return ', '.join(out.strip().split('\n')).replace('postseal ', '')


# ---- folders ----

def own_mounts():
    """/proc of the folders is for this process and those below alone, so
    that nothing stays mounted however the run ends."""
    if os.environ.get('POSTSEAL_OWN_MOUNTS'):
        return None
    if os.getuid() != 0:
        return 'folders need root'
    try:
        lib.must_run(['unshare', '-m', '--propagation', 'private', 'true'])
    except (OSError, lib.Failed):
        return "this machine does not allow mounts of one's own"
    os.environ['POSTSEAL_OWN_MOUNTS'] = '1'
    sys.stdout.flush()
    os.execvp('unshare', ['unshare', '-m', '--propagation', 'private',
                          sys.executable] + sys.argv)


def folder(suite):
    """-> (root, None) or (None, why not)"""
    if suite == 'host':
        return '', None
    root = os.path.join(lib.TOP, 'build', 'interop-' + suite)
    status, out, err = lib.run([os.path.join(HERE, 'folder.sh'), suite],
                               timeout=1800)
    if status != 0:
        lines = (err.strip() or out.strip() or b'no reason').splitlines()
        return None, lines[-1].decode('utf-8', 'replace')
    if not os.path.ismount(root + '/proc'):
        status, _, err = lib.run(['mount', '-t', 'proc', 'proc',
                                  root + '/proc'])
        if status != 0:
            return None, err.decode('utf-8', 'replace').strip()
    return root, None


def peers_of(suite, root, wanted, base, stuff):
    """The peers that are there, and the names of those that are not."""
    found, absent = [], []
    for c in classes(wanted):
        name = 'interop-%s-%d' % (c.name, os.getpid())
        inside = '/tmp/' + name if root else os.path.join(
            base, name)
        p = c(peer.Place(suite, root, inside), stuff)
        p.title = p.version()
        if p.title is None:
            absent.append(c.name)
            p.place.gone()
            continue
        found.append(p)
        lib.at_exit(p.end)
    return found, absent


def set_up(p, rows):
    """False, and a broken row, when a peer cannot begin."""
    try:
        p.setup()
    except (peer.Refused, OSError, subprocess.TimeoutExpired) as e:
        rows.append(table.Row('setup', 'keys and anchors', p))
        rows[-1].set('broken', type(e).__name__, str(e).encode())
        return False
    return True


# ---- we write, they read ----

class Written:
    """A cell and its message; why is set when we could not write it."""

    def __init__(self, cell, stuff, site=None):
        self.cell, self.why = cell, None
        self.original = cells.message(cell)
        self.octets, said = stuff.seal(cell, self.original, site)
        if self.octets is None:
            self.why = said.decode('utf-8', 'replace').strip()
            return
        kind = mime.kind(self.octets)
        if kind is None:
            self.why = 'the message was left as it is'
            return
        der = mime.clear_parts(self.octets)[1] if kind == 'clear' else \
            mime.der(self.octets)
        for name in cell.outer():
            if cells.oid(name) not in der:
                self.why = 'the message is not what the cell says: no ' + \
                    name


def fault(got, w, has_headers):
    """Why a result is not what the cell must give; None if it is."""
    c = w.cell
    if c.is_encrypted and not got.decrypted:
        return 'nothing was decrypted'
    if c.is_signed and got.signer != c.sender:
        return 'signer %s, not %s' % (got.signer, c.sender)
    if got.content is not None:
        found, wanted = (material.leaves(x) for x in
                         (got.content, w.original))
        if c.is_hidden():
            found = without_legacy(found)
        if found != wanted:
            return 'the content differs'
        return unprotected(c, mime.head(got.content), w) \
            if has_headers else None
    elif got.text is not None:
        if squeezed(got.text) != squeezed(cells.TEXT):
            return 'the text differs'
    else:
        return 'no content'
    return None


def unprotected(c, inside, w):
    """Why the headers inside are not as the cell says (S148-S150)."""
    if c.protect == 'off' or not c.is_signed:
        return None
    wanted = 'cipher' if c.is_encrypted else 'clear'
    if inside.get_param('hp') != wanted:
        return 'no hp=%s inside' % wanted
    original = mime.head(w.original)
    if inside['Subject'] != original['Subject']:
        return 'the subject inside is ' + str(inside['Subject'])
    outside = mime.head(w.octets)['Subject']
    if (outside == '[...]') != c.is_hidden():
        return 'the subject outside is ' + str(outside)
    return None


def without_legacy(leaves):
    """The fields that stand in the text for old programs (S151)."""
    out = []
    for kind, octets in leaves:
        octets = re.sub(rb'\A(?:[A-Z][A-Za-z-]*: [^\n]*\n)+\n', b'',
                        octets)
        out.append((kind, re.sub(
            rb'<div class="header-protection-legacy-display">.*?</div>\s*',
            b'', octets, flags=re.DOTALL)))
    return out


def squeezed(text):
    return ' '.join(text.split())


def read_one(p, w, who):
    """-> (None or why not, what the peer said)"""
    try:
        got = p.read(w.octets, w.cell, who)
    except peer.Refused as e:
        return 'refused', e.said
    except subprocess.TimeoutExpired:
        return 'no end in time', b''
    except (ValueError, OSError) as e:
        return '%s: %s' % (type(e).__name__, e), b''
    return fault(got, w, p.keeps_headers), got.said


def read_cell(p, w, rows):
    if not p.reads(w.cell) or \
            (w.cell.message in cells.SAMPLES and not p.keeps_headers):
        return
    for who in w.cell.to if w.cell.is_encrypted else w.cell.to[:1]:
        name = w.cell.name
        if len(w.cell.to) > 1:
            name += ' (%s)' % material.KEYS[who.split('@')[0]]
        row = table.Row('read', name, p)
        rows.append(row)
        w.cell.who = who
        why, said = read_one(p, w, who)
        if why is None:
            row.set('ok')
        else:
            row.set('broken', why, said)
        row.known(p.known(w.cell))


# ---- controls: what must not be read as valid ----

def tampered(octets, find=b'dich', put=b'mich'):
    """One octet of the message changed, where it hurts."""
    if mime.kind(octets) == 'clear':
        text = octets.replace(find, put)
        return text if text != octets else None
    der = mime.der(octets)
    if mime.kind(octets) == 'opaque':
        new = der.replace(find, put)
    else:
        at = len(der) * 2 // 3
        new = der[:at] + bytes([der[at] ^ 1]) + der[at + 1:]
    if new == der:
        return None
    h = re.split(rb'\n\n', octets, maxsplit=1)[0]
    return h + b'\n\n' + mime.lf(mime.base64_lines(new))


def controls(stuff):
    """Changed copies of one cell of each form, and one that a stranger
    signed."""
    for form in ('clear', 'opaque', 'clear+enc', 'opaque+enc'):
        w = Written(cells.Cell('changed ' + form, form), stuff)
        if w.octets is not None:
            w.octets = tampered(w.octets)
        if w.octets is None:
            w.why = w.why or 'nothing to change'
        yield w
    for form in ('clear', 'opaque'):
        yield Written(cells.Cell('signed by a stranger ' + form, form),
                      stuff, stuff.stranger)


def control(p, w, rows):
    if not p.reads(w.cell):
        return
    row = table.Row('control', w.cell.name, p)
    rows.append(row)
    w.cell.who = w.cell.to[0]
    why, said = read_one(p, w, w.cell.to[0])
    if why is None:
        row.set('broken', 'it passes as valid', said)
    else:
        row.set('ok')


# ---- they write, we read ----

def open_one(p, kind, stuff, row):
    sender = kind.signer or 'alice@' + material.THEIRS
    to = kind.to or ('alice@' + material.OURS,)
    entity = mime.crlf(cells.entity(kind.more.get('message', 'parts')))
    octets = p.write(kind, entity)
    keep(stuff, 'write %s %s %s' % (p.place.suite, p.name, kind.name),
         octets)
    for who in to:
        back, verdict, said = stuff.open(sender, who, octets)
        why = wrong(kind, sender, entity, back, verdict)
        if why:
            row.set('broken', why, said)
            return
    row.set('ok', None if kind.expect == 'ok' else
            'refused as it must be: ' + kind.expect)


def wrong(kind, sender, entity, back, verdict):
    if verdict is None:
        return 'no verdict'
    signature, decryption = verdict['signature'], verdict['decryption']
    if kind.expect != 'ok':
        found = '%s %s %s %s' % (
            signature['result'], signature['reason'],
            decryption['result'], decryption['reason'])
        return None if kind.expect in found else found
    if kind.to and decryption['result'] != 'decrypted':
        return 'decryption %s: %s' % (decryption['result'],
                                      decryption['reason'])
    if kind.signer:
        if signature['result'] != 'pass':
            return 'signature %s: %s' % (signature['result'],
                                         signature['reason'])
        if sender not in str(signature['signer']) or \
                not signature['from_match']:
            return 'signer %s' % signature['signer']
    elif signature['result'] != 'none':
        return 'signature %s of nobody' % signature['result']
    if back is None:
        return 'no message'
    if material.leaves(back) != material.leaves(entity):
        return 'the content differs'
    return None


def write_all(p, stuff, rows, pattern):
    for kind in p.kinds():
        if not fnmatch.fnmatch(kind.name, pattern):
            continue
        row = table.Row('write', kind.name, p)
        rows.append(row)
        try:
            open_one(p, kind, stuff, row)
        except peer.Refused as e:
            row.set('broken', 'the peer did not write it', e.said)
        except subprocess.TimeoutExpired:
            row.set('broken', 'no end in time')
        row.known(p.known_write(kind))


# ---- all of it ----

def keep(stuff, name, octets):
    path = os.path.join(stuff.folder, 'messages', name.replace(' ', '_'))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + '.eml', 'wb') as f:
        f.write(octets or b'')


def run_suite(suite, written, wrong_ones, stuff, o):
    rows = table.Table(suite)
    root, why = folder(suite)
    if root is None:
        rows.skipped = why
        return rows
    found, rows.absent = peers_of(suite, root, o.peers, stuff.folder, stuff)
    for p in found:
        start = time.monotonic()
        if set_up(p, rows):
            for w in written:
                read_cell(p, w, rows)
            for w in wrong_ones:
                control(p, w, rows)
            write_all(p, stuff, rows, o.cells)
        p.end()
        rows.progress(p, time.monotonic() - start, o.verbose)
    return rows


def main():
    o = options()
    chosen = [c for c in cells.CELLS if fnmatch.fnmatch(c.name, o.cells)]
    if o.list:
        for c in chosen:
            print('%-40s %s' % (c.name, c.rule()))
        return 0
    suites = o.suites.split(',')
    why = own_mounts() if suites != ['host'] else None
    lib.prepare()
    if o.keep:
        os.environ['POSTSEAL_KEEP'] = '1'
    base = lib.temporary('interop')
    stuff = material.Material(base)
    written = [Written(c, stuff) for c in chosen]
    for w in written:
        keep(stuff, 'read ' + w.cell.name, w.octets)
    wrong_ones = list(controls(stuff))
    for w in wrong_ones:
        keep(stuff, 'control ' + w.cell.name, w.octets)
    unwritten = [w for w in written + wrong_ones if w.why]
    for w in unwritten:
        print('not written: %s: %s' % (w.cell.name, w.why.split('\n')[0]))
    written = [w for w in written if not w.why]
    wrong_ones = [w for w in wrong_ones if not w.why]
    if o.keep:
        print('the messages are in %s/messages' % base)
    tables = []
    for suite in suites:
        if why and suite != 'host':
            tables.append(table.Table(suite))
            tables[-1].skipped = why
        else:
            tables.append(run_suite(suite, written, wrong_ones, stuff, o))
    if o.write:
        table.write_page(os.path.join(lib.TOP, 'doc', 'INTEROP.md'), tables,
                         version())
    return table.report(tables, len(unwritten))


if __name__ == '__main__':
    sys.exit(main())
