# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""What a peer is: a program that reads and writes S/MIME (README.md)."""
import contextlib
import os
import re
import shutil
import subprocess

import mime

LAYERS = 4
SECONDS = 120


class Refused(Exception):
    """The program gave no content; said is its output."""

    def __init__(self, said):
        super().__init__(said)
        self.said = said if isinstance(said, bytes) else str(said).encode()


class Result:
    def __init__(self, content=None, text=None, decrypted=False,
                 signer=None, said=b''):
        self.content, self.text = content, text
        self.decrypted, self.signer = decrypted, signer
        self.said = said


class Kind:
    """Something that a peer writes."""

    def __init__(self, name, signer=None, to=(), expect='ok', **more):
        self.name, self.signer, self.to = name, signer, tuple(to)
        self.expect = expect
        self.more = more


class Place:
    """Where a program runs: root is a folder with a Debian, or '' for this
    machine; folder is the peer's own, as seen from inside."""

    def __init__(self, suite, root, folder):
        self.suite, self.root, self.folder = suite, root, folder
        self.ends = []  # what is called in the end
        os.makedirs(root + folder, mode=0o700)

    def has(self, program):
        for d in ('/usr/bin', '/bin', '/usr/sbin', '/usr/local/bin'):
            if os.access(self.root + os.path.join(d, program), os.X_OK):
                return True
        return not self.root and shutil.which(program) is not None

    def path(self, name):
        return os.path.join(self.folder, name)

    def put(self, name, octets):
        outside = self.root + self.path(name)
        os.makedirs(os.path.dirname(outside), exist_ok=True)
        with open(outside, 'wb') as f:
            f.write(octets)
        return self.path(name)

    def get(self, name):
        with open(self.root + self.path(name), 'rb') as f:
            return f.read()

    def remove(self, name):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.root + self.path(name))

    def gone(self):
        while self.ends:
            self.ends.pop()()
        shutil.rmtree(self.root + self.folder, ignore_errors=True)

    def command(self, argv, env=None):
        """-> (arguments, environment) that start a program in here"""
        full = {'PATH': '/usr/bin:/bin:/usr/sbin:/sbin',
                'HOME': self.folder, 'LC_ALL': 'C.UTF-8', 'TERM': 'dumb'}
        full.update(env or {})
        argv = ['env', '-C', self.folder] + argv
        if self.root:
            argv = ['chroot', self.root] + argv
        return argv, full

    def run(self, argv, data=b'', env=None, seconds=SECONDS):
        """-> (exit status, output, error output)"""
        argv, full = self.command(argv, env)
        # A descendant that stays (an agent) must not hold a pipe open.
        r = subprocess.run(argv, input=data, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=full,
                           timeout=seconds, check=False)
        return r.returncode, r.stdout, r.stderr

    def must(self, argv, data=b'', env=None):
        status, out, err = self.run(argv, data, env)
        if status != 0:
            raise Refused('%s: exit status %d\n%s' % (
                ' '.join(argv), status,
                (err + out).decode('utf-8', 'replace')))
        return out


class Peer:
    name = ''
    # False: the content is put together of the parts that are shown.
    keeps_headers = True

    def __init__(self, place, material):
        self.place, self.material = place, material

    def version(self):
        """What the table names, or None: not installed."""
        return None

    def setup(self):
        pass

    def close(self):
        pass

    def end(self):
        """Once, also when the run is stopped."""
        if os.path.exists(self.place.root + self.place.folder):
            # After a broken setup there may be nothing to close.
            with contextlib.suppress(AttributeError):
                self.close()
            self.place.gone()

    def reads(self, cell):
        return True

    def known(self, cell):
        """Why a cell must be unreadable, its row first; or None."""
        return None

    def kinds(self):
        return []

    def known_write(self, kind):
        """Why it cannot write that kind; or None."""
        return None

    def write(self, kind, entity):
        raise NotImplementedError

    def decrypt(self, der, who):
        raise NotImplementedError

    def verify(self, der, content):
        raise NotImplementedError

    def read(self, message, cell, who):
        """The layers from outside in, with decrypt() and verify()."""
        got = Result(content=message)
        for _ in range(LAYERS):
            what = mime.kind(got.content)
            if what is None:
                break
            if what == 'encrypted':
                got.content = self.decrypt(mime.der(got.content), who)
                got.decrypted = True
                continue
            if what == 'clear':
                content, der = mime.clear_parts(got.content)
            else:
                content, der = None, mime.der(got.content)
            got.content, got.signer = self.verify(der, content)
        return got


def first_line(octets):
    return octets.decode('utf-8', 'replace').strip().split('\n')[0]


def numbers(version):
    """'OpenSSL 3.0.22' -> (3, 0, 22)"""
    m = re.search(r'\d+(?:\.\d+)+', version or '')
    return tuple(int(x) for x in m.group(0).split('.')) if m else ()
