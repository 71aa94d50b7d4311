# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Kill a program at its n-th call that changes files (tests/e2e/killing.c),
and look at what it leaves. each() does all: the folder is put back as it was
and the command is killed at one step after the other.

    for r in killing.each(argv, folder):
        killing.store_is_whole(db, r.where())

The programs of sanitizers cannot be preloaded into: need() skips the test."""
import contextlib
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import tempfile
import time

from base import BUILD, SANITIZER, Skip, check, must_run, show, temporary

PRELOAD = os.path.join(BUILD, 'tests', 'killing.so')
LINE = 64
HEAD = '@Lll'  # calls, first process, is it over


def need():
    """Call it in setup()."""
    if SANITIZER:
        raise Skip('nothing can be preloaded into sanitized programs')
    if not os.path.exists(PRELOAD):
        raise Skip('%s: not built; make bench-tools' % PRELOAD)


class Run:
    """One run: exit status (-9 when it was killed), outputs, and the names
    of the calls that it made, the last one being that where it ended."""

    def __init__(self, argv, at, mode, data, env, cwd, timeout):
        with tempfile.NamedTemporaryFile(prefix='killing-') as shared:
            env = dict(os.environ if env is None else env,
                       LD_PRELOAD=PRELOAD, POSTSEAL_KILL_FILE=shared.name,
                       POSTSEAL_KILL_AT=str(at), POSTSEAL_KILL_MODE=mode)
            with tempfile.TemporaryFile() as stdin, \
                    tempfile.TemporaryFile() as out, \
                    tempfile.TemporaryFile() as err:
                stdin.write(data)
                stdin.seek(0)
                child = subprocess.Popen(argv, stdin=stdin, stdout=out,
                                         stderr=err, env=env, cwd=cwd,
                                         start_new_session=True)
                self.wait(child, shared, timeout)
                self.status = child.returncode
                out.seek(0)
                err.seek(0)
                self.out, self.err = out.read(), err.read()
            shared.seek(0)
            head = shared.read(LINE)
            check(len(head) == LINE, '%s: preloaded nothing' % argv[0],
                  self.err)
            self.n = struct.unpack(HEAD, head[:struct.calcsize(HEAD)])[0]
            lines = shared.read(LINE * self.n)
        self.calls = [lines[i:i + LINE].split(b'\0', 1)[0].decode(
            'utf-8', 'backslashreplace') for i in range(0, len(lines), LINE)]

    @staticmethod
    def wait(child, shared, timeout):
        """Until its end, or until one of its processes is at its step: then
        all of them die."""
        end = time.monotonic() + timeout
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.005)
            head = os.pread(shared.fileno(), struct.calcsize(HEAD), 0)
            over = len(head) == struct.calcsize(HEAD) and struct.unpack(
                HEAD, head)[2] != 0
            late = time.monotonic() > end
            if over or late:
                with contextlib.suppress(OSError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            check(not late, 'not over after %d s' % timeout)
            if child.returncode is not None:
                return

    def where(self):
        return 'step %d, %s' % (self.n, self.calls[-1] if self.calls else '')


def steps(argv, data=b'', env=None, cwd=None, timeout=600, wanted=0):
    """Run to the end; -> how many steps it takes. wanted: exit status."""
    r = run(argv, data, env, cwd, timeout)
    check(r.status == wanted, '%s: exit status %d, wanted %d' %
          (' '.join(argv), r.status, wanted), r.err, r.out)
    return r.n


def run(argv, data=b'', env=None, cwd=None, timeout=600):
    """The same, -> Run."""
    return Run(argv, 0, 'before', data, env, cwd, timeout)


def kill_at(argv, n, mode='before', data=b'', env=None, cwd=None,
            timeout=600, may_end=False):
    """Run and kill at the n-th step: before it, after it, or when half of
    what it writes is there. -> Run. may_end: fewer steps are fine, too."""
    r = Run(argv, n, mode, data, env, cwd, timeout)
    check(r.status == -signal.SIGKILL or (may_end and r.n < n),
          '%s: not killed at step %d but exit status %d after %d' %
          (' '.join(argv), n, r.status, r.n), r.err)
    return r


def sample(n, most=80):
    """Steps 1..n; of more than most (at least 12) the first and last five
    and others evenly between, in order."""
    if n <= most:
        return list(range(1, n + 1))
    inner = most - 10
    chosen = set(range(1, 6)) | set(range(n - 4, n + 1))
    chosen.update(6 + i * (n - 11) // (inner - 1) for i in range(inner))
    return sorted(chosen)


class Before:
    """A folder as it is now, with owners and modes, to come back to."""

    def __init__(self, folder):
        self.folder = folder
        self.copy = os.path.join(temporary('before'), 'copy')
        must_run(['cp', '-a', folder, self.copy])

    def back(self):
        shutil.rmtree(self.folder)
        must_run(['cp', '-a', self.copy, self.folder])


def each(argv, folder, most=80, modes=('before', 'half'), data=b''):
    """Kill the command at up to most of its steps, the modes in turn, every
    time with the folder (or all of a list) as it is now; yields each Run
    after its death."""
    before = [Before(f) for f in
              ([folder] if isinstance(folder, str) else folder)]
    n = steps(argv, data)
    runs = [(at, modes[i % len(modes)])
            for i, at in enumerate(sample(n, most))] + [(n, 'after')]
    for at, mode in runs:
        for b in before:
            b.back()
        yield kill_at(argv, at, mode, data)
    for b in before:
        b.back()


# What must hold in every store: (name, query that finds what breaks it).
RULES = [
    ('an address of no certificate',
     'SELECT address FROM cert_address a WHERE NOT EXISTS'
     ' (SELECT 1 FROM cert c WHERE c.id = a.cert)'),
    ('an entry of no list',
     'SELECT crl FROM crl_entry r WHERE NOT EXISTS'
     ' (SELECT 1 FROM crl l WHERE l.id = r.crl)'),
    ('a list with fewer entries than it says',
     'SELECT l.id FROM crl l WHERE l.entries <>'
     ' (SELECT COUNT(*) FROM crl_entry r WHERE r.crl = l.id)'),
    ('a sealed key of an unknown kind',
     "SELECT hex(sealed) FROM key WHERE substr(sealed, 1, 2) <> x'5053'"),
    ('no schema version, generation or trust',
     "SELECT 1 WHERE (SELECT COUNT(*) FROM meta WHERE name IN"
     " ('schema', 'generation', 'trust')) <> 3"),
]


@contextlib.contextmanager
def copied(db):
    """A connection to a copy with its log: who opens the file itself puts
    away the log, and nothing of the folder is to be changed by looking."""
    with tempfile.TemporaryDirectory(prefix='killing-') as d:
        for tail in ('', '-wal', '-journal'):
            if os.path.exists(db + tail):
                shutil.copyfile(db + tail, os.path.join(d, 'db' + tail))
        with contextlib.closing(sqlite3.connect(
                os.path.join(d, 'db'))) as c:
            yield c


def store_is_whole(db, what=''):
    """The database passes SQLite's own checks and the keystore's rules."""
    with copied(db) as c:
        found = c.execute('PRAGMA integrity_check').fetchall()
        check(found == [('ok',)], '%s %s: integrity_check' % (db, what),
              show(found))
        found = c.execute('PRAGMA foreign_key_check').fetchall()
        check(not found, '%s %s: foreign_key_check' % (db, what),
              show(found))
        tables = {r[0] for r in c.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'")}
        check({'meta', 'cert', 'key'} <= tables, '%s %s: tables' %
              (db, what), show(tables))
        for name, query in RULES:
            if 'crl' in query and 'crl' not in tables:
                continue
            found = c.execute(query).fetchmany(5)
            check(not found, '%s %s: %s' % (db, what, name), show(found))


def rows(db, table):
    """How many rows; 'SELECT ...' counts what a query gives."""
    with copied(db) as c:
        if table.upper().startswith('SELECT'):
            return len(c.execute(table).fetchall())
        return c.execute('SELECT COUNT(*) FROM "%s"' % table).fetchone()[0]
