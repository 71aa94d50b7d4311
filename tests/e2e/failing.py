# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Make the n-th call of a kind fail (tests/e2e/failing.c), in a command or in
a daemon that runs.

    with failing.Faults() as f:
        f.order('alloc', at=7)
        lib.run(argv, env=f.env())
        f.fired, f.seen, f.what

The programs of sanitizers cannot be preloaded into: need() skips the test."""
import mmap
import os
import platform
import struct
import tempfile

from base import BUILD, SANITIZER, Skip

PRELOAD = os.path.join(BUILD, 'tests', 'failing.so')
KINDS = {'alloc': 1, 'crypto': 2, 'files': 3, 'disk': 4, 'sockets': 5,
         'lock': 6, 'clock': 7}
LAYOUT = '@6l16s64s'  # kind at stays seen fired jump process what


def need():
    """Call it in setup()."""
    if SANITIZER:
        raise Skip('nothing can be preloaded into sanitized programs')
    if platform.machine() != 'x86_64':
        raise Skip('tests/e2e/failing.c is for x86-64')
    if not os.path.exists(PRELOAD):
        raise Skip('%s: not built; make bench-tools' % PRELOAD)


class Faults:
    """One shared file, for one program and its children."""

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix='failing-')
        os.chmod(self.file.name, 0o666)
        self.file.truncate(mmap.PAGESIZE)
        self.map = mmap.mmap(self.file.fileno(), mmap.PAGESIZE)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.map.close()
        self.file.close()

    def env(self, env=None):
        return dict(os.environ if env is None else env, LD_PRELOAD=PRELOAD,
                    POSTSEAL_FAIL_FILE=self.file.name)

    def order(self, kind, at=0, stays=False, process='', jump=0):
        """at 0: only count."""
        self.map[:struct.calcsize(LAYOUT)] = struct.pack(
            LAYOUT, 0, at, stays, 0, 0, jump, process.encode(), b'')
        # the kind last: it is what makes it count
        self.map[:struct.calcsize('@l')] = struct.pack('@l', KINDS[kind])

    def stop(self):
        """Nothing fails any more. -> (seen, fired, what)"""
        self.map[:struct.calcsize('@l')] = struct.pack('@l', 0)
        return self.seen, self.fired, self.what

    def _get(self, i):
        value = struct.unpack(LAYOUT,
                              self.map[:struct.calcsize(LAYOUT)])[i]
        return value.split(b'\0')[0].decode() if isinstance(value, bytes) \
            else value

    seen = property(lambda self: self._get(3))
    fired = property(lambda self: self._get(4))
    what = property(lambda self: self._get(7))
