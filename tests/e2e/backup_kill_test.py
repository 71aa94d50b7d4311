#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: long
"""postseal backup and restore, killed at each step: what was there is there,
and the next one works."""
import glob
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import backup_test as w  # noqa: E402
import killing  # noqa: E402
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

lib.forget_tests()  # those of backup_test.py


@test
def a_backup_killed_at_every_step():
    killing.need()
    out = os.path.join(w.base, 'k', 'out')
    os.makedirs(os.path.dirname(out))
    argv = [lib.POSTSEAL, '-c', w.a.conf, 'backup', out, '--with-secret',
            '--password-file', w.words]
    n = 0
    for r in killing.each(argv, [os.path.dirname(out), w.a.dir], 20):
        n += 1
        where = r.where()
        killing.store_is_whole(w.a.path('keystore.db'), where)
        equal(w.facts(w.a.dir)[1]['do_not_open'], 0, where)
        left = os.listdir(os.path.dirname(out))
        check(set(left) <= {'out', 'out.unfinished'}, where, left)
        if 'out' not in left:
            check(lib.run(argv)[0] == 0, where + ': the next one')
        w.a.must('backup', '--verify', out, '--password-file', w.words)
        check(not os.path.exists(out + '.unfinished'), where)
    check(n >= 20, 'only %d steps' % n)
    check(not glob.glob(w.a.path('spool/*')), 'left in the spool',
          glob.glob(w.a.path('spool/*')))


@test
def a_restore_killed_at_every_step():
    killing.need()
    d = os.path.join(w.base, 'r', 'dir')
    os.makedirs(os.path.dirname(d))
    argv = [lib.POSTSEAL, '-c', w.a.conf, 'restore', w.full, '--dir', d,
            '--password-file', w.words]
    wanted = w.facts(w.restored(w.full, 'whole')[0])
    for r in killing.each(argv, os.path.dirname(d), 20):
        where = r.where()
        check(not os.path.exists(d) or r.n > 20, where + ': half there')
        if not os.path.exists(d):
            check(lib.run(argv)[0] == 0, where + ': the next one')
        killing.store_is_whole(os.path.join(d, 'keystore.db'), where)
        equal(w.facts(d), wanted, where)
        check(os.listdir(os.path.dirname(d)) == ['dir'], where + ': left')


@test
def a_replacement_killed_at_every_step():
    killing.need()
    argv = [lib.POSTSEAL, '-c', w.a.conf, 'restore', w.full, '--replace',
            '--yes', '--password-file', w.words]
    w.a.must('secret', 'rotate')
    old = w.facts(w.a.dir)[1]
    for r in killing.each(argv, w.a.dir, 24):
        where = r.where()
        killing.store_is_whole(w.a.path('keystore.db'), where)
        status, _, err = lib.run([lib.POSTSEAL, '-c', w.a.conf, 'cert',
                                  'list'])
        equal(status, 0, where + lib.show(err))
        status, _, err = lib.run(argv)
        equal(status, 0, where + ': the next one: ' + lib.show(err))
        equal(w.facts(w.a.dir)[1], old, where)
        check(not glob.glob(w.a.path('*.restoring*')), where + ': left over')
    w.opens(w.a.dir, 'after all that')


if __name__ == '__main__':
    lib.main(w.setup)
