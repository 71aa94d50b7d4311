# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""How time grows: with the size (by the command), with recipients and parts
(by the milter), with certificates in the store and with rules."""
import os
import shutil
import subprocess
import time

import figures
from base import POSTSEAL, check, must_run, status_kib
from figures import median, option, progress, table, words
from memory import held
from stage import (ALICE, BOB, GROWBASE, OPERATIONS, PEOPLE, TEXT, TO_EC,
                   Operation, bare, head, now, text, write_message)


def numbers(name, default):
    return [int(x) for x in words(name, default)]


# ---- size ----

def run_command(argv, source, target):
    """-> (ms of processor time, peak MiB). ru_maxrss would count what this
    program held when it forked."""
    peak = pid = 0
    with open(source, 'rb') as i, open(target, 'wb') as o:
        p = subprocess.Popen(argv, stdin=i, stdout=o)
        while pid == 0:
            pid, status, usage = os.wait4(p.pid, os.WNOHANG)
            peak = max(peak, status_kib(p.pid, 'VmHWM')) if pid == 0 else peak
            time.sleep(0.002)
        p.returncode = os.waitstatus_to_exitcode(status)
    check(p.returncode == 0, '%s: exit status %d' % (' '.join(argv),
                                                     p.returncode))
    return (usage.ru_utime + usage.ru_stime) * 1000, peak / 1024


def seal_and_open(stage, size):
    """-> [(ms, MiB) of seal, (ms, MiB) of open]"""
    conf_in = stage.write_conf('in-command', 'in', stage.store,
                               stage.path('run', 'none'))
    plain, sealed, opened = (stage.path('in', 'grow-%s.%s' % (x, size))
                             for x in ('plain', 'sealed', 'opened'))
    write_message(plain, ALICE, size)
    envelope = ['--from', ALICE, '--to', TO_EC]
    times = 3 if figures.octets(size) < 5 << 20 else 1
    out = []
    for conf, verb, source, target in (
            (stage.conf(), ['seal', *envelope, '--auth', 'alice'], plain,
             sealed), (conf_in, ['open', *envelope], sealed, opened)):
        got = [run_command([POSTSEAL, '-c', conf, *verb], source, target)
               for _ in range(times)]
        out.append((median([g[0] for g in got]), max(g[1] for g in got)))
    with open(opened, 'rb') as f:
        top = f.read(10000)
    check(TEXT.encode() in top and b'smime=pass' in top,
          'opening %s' % size, top)
    check(os.path.getsize(opened) >= os.path.getsize(plain),
          'opening %s: less came out' % size)
    for f in (plain, sealed, opened):
        os.unlink(f)
    return out


def size_rows(stage):
    for size in words('GROW_SIZES', '10K 100K 1M 10M 100M'):
        progress('growth: size %s' % size)
        seal, open_ = seal_and_open(stage, size)
        mib = figures.octets(size) / (1 << 20)
        figures.found['size', size] = (seal[0] / mib, open_[0] / mib)
        yield (size, seal[0], seal[0] / mib, '%.1f' % seal[1], open_[0],
               open_[0] / mib, '%.1f' % open_[1])


# ---- recipients ----

def person(i, domain):
    """As tests/bench/growbase.c names them."""
    return 'u%d@d%d.%s' % (i, i % 1000, domain)


def import_people(stage, n, kind, domain, folder=None):
    """n certificates of one CA into a store. -> seconds of the import"""
    d = stage.path('people')
    os.makedirs(d, exist_ok=True)
    must_run([GROWBASE, 'certs', str(n), d, kind, domain], timeout=600)
    stage.postseal('cert', 'trust', os.path.join(d, 'ca.der'), folder=folder)
    start = now()
    stage.postseal('cert', 'import', os.path.join(d, 'certs.der'),
                   folder=folder, timeout=1800)
    took = now() - start
    os.unlink(os.path.join(d, 'certs.der'))
    stage.own(folder)
    return took


def count_recipients(eml):
    """RecipientInfos of a sealed message, by openssl."""
    out = must_run(['openssl', 'cms', '-cmsout', '-print', '-inform',
                    'SMIME', '-in', eml])
    return out.count(b'd.ktri') + out.count(b'd.kari')


def recipients_row(stage, kind, n):
    to = [person(i, kind + '.example') for i in range(n)]
    op = Operation('', 'out', BOB, to)
    eml, out = stage.path('in', 'to.grow'), stage.path('out', 'to.grow')
    write_message(eml, BOB, '5K', ',\n '.join(to))
    stage.load(op, stage.ours('out'), eml, '-o', out, brief=False)
    check(count_recipients(out) == n, '%d recipients are not %d' %
          (count_recipients(out), n))
    rounds = []
    timed = ('-t', str(option('SECONDS_EACH', 0.5)), '-w', '0.1') \
        if n <= 100 else ('-n', '6')
    for r in range(option('ROUNDS', 3)):
        progress('growth: %d recipients, %s, round %d' % (n, kind, r + 1))
        null = stage.load(op, stage.null, eml, *timed)
        ours = stage.load(op, stage.ours('out'), eml, *timed)
        rounds.append((null, ours, bare('encrypt-' + kind, '5K',
                                        recipients=n)[1]))
    null, ours, alone = zip(*rounds)
    cost = median([o.cost for o in ours])
    figures.found['recipients', kind, n] = cost
    return (kind.upper(), str(n), cost, median([x.cost for x in null]),
            median(alone), '%.2f' % median(
                [(x.cost + b) / o.cost for x, o, b in zip(null, ours,
                                                          alone)]),
            cost / n, median([o.p50 for o in ours]))


def recipients_rows(stage):
    counts = numbers('GROW_RECIPIENTS', '1 10 100 1000')
    for kind in ('rsa', 'ec') if counts else ():
        progress('growth: certificates of recipients')
        import_people(stage, max(counts), kind, kind + '.example')
        for n in counts:
            yield recipients_row(stage, kind, n)


# ---- copies ----

COPY_RECIPIENTS = 1000


def copies_row(stage, size, groups):
    """Recipients whom To does not name get a copy each, all others one."""
    to = [person(i, 'rsa.example') for i in range(COPY_RECIPIENTS)]
    eml, out = stage.path('in', 'copies'), stage.path('out', 'copies')
    write_message(eml, ALICE, size, ',\n '.join(to[groups - 1:]))
    argv = [POSTSEAL, '-c', stage.conf(), 'seal', '--from', ALICE, '--auth',
            'alice', '--out-dir', out]
    for address in to:
        argv += ['--to', address]
    got = []
    for _ in range(3):
        progress('growth: %s in %d copies' % (size, groups))
        shutil.rmtree(out, ignore_errors=True)
        got.append(run_command(argv, eml, os.devnull))
        made = len([f for f in os.listdir(out) if f.endswith('.eml')])
        check(made == groups, '%d copies, wanted %d' % (made, groups))
    shutil.rmtree(out)
    ms = median([g[0] for g in got])
    return (size, str(COPY_RECIPIENTS), str(groups), ms, ms / groups,
            '%.1f' % max(g[1] for g in got))


def copies_rows(stage):
    counts = numbers('GROW_COPIES', '1 10 50')
    if counts:
        progress('growth: certificates of recipients')
        import_people(stage, COPY_RECIPIENTS, 'rsa', 'rsa.example')
    for size in ('5K', '1M') if counts else ():
        for groups in counts:
            yield copies_row(stage, size, groups)


# ---- parts ----

def write_parts(path, n):
    with open(path, 'wb') as f:
        f.write(head(ALICE, 'parts') +
                b'Content-Type: multipart/mixed; boundary=b1\n\n')
        for i in range(n):
            f.write(b'--b1\nContent-Type: text/plain; charset=us-ascii\n'
                    b'Content-Description: part %d\n\n' % i + text(150))
        f.write(b'--b1--\n')


def parts_row(stage, n):
    eml, sealed = stage.path('in', 'parts.plain'), stage.path('in', 'parts')
    write_parts(eml, n)
    stage.load('both-ec', stage.ours('out'), eml, '-o', sealed, brief=False)
    costs = []
    for name, source in (('sign-rsa', eml), ('both-ec', eml),
                         ('openboth-ec', sealed)):
        milter = stage.ours(OPERATIONS[name].side)
        stage.prove(name, source, '%d parts' % n)
        progress('growth: %d parts, %s' % (n, name))
        timed = ('-t', str(option('SECONDS_EACH', 0.5)), '-w', '0.1')
        costs.append(median([stage.load(name, milter, source, *timed).cost
                             for _ in range(option('ROUNDS', 3))]))
    figures.found['parts', n] = costs
    return [str(n), '%.1f' % (os.path.getsize(eml) / 1024)] + costs + \
        [1000 * c / n for c in costs]


# ---- certificates ----

def one_change(stage, folder, milter, op, eml):
    """Import a certificate that the store has not, then send a message.
    -> (ms of the command, ms of the message), medians."""
    took = []
    for i, (who, _) in enumerate(PEOPLE[:3]):
        pem = stage.path('in', 'change-%d.pem' % i)
        stage.postseal('cert', 'export', who, '--out', pem)
        begin = now()
        stage.postseal('cert', 'import', pem, folder=folder)
        changed = now()
        stage.load(op, milter, eml, '-n', '1')
        took.append(((changed - begin) * 1000, (now() - changed) * 1000))
        os.unlink(pem)
    return [median(x) for x in zip(*took)]


def start_to_first(stage, folder, op, eml):
    """-> (a milter, ms from its start to the answer to a first message)"""
    took, milter = [], None
    for _ in range(3):
        if milter:
            milter.end()
        begin = now()
        milter = stage.fresh('out', folder)
        stage.load(op, milter, eml, '-n', '1')
        took.append((now() - begin) * 1000)
    return milter, median(took)


def change_row(stage, n):
    """Of a store that lookup_row() made."""
    progress('growth: start and change with %d certificates' % n)
    folder = stage.path('store-%d' % n)
    op = Operation('', 'out', BOB, person(7, 'ec.example'))
    eml = stage.message('encrypt-ec', '5K')
    # a flush would wait for all that was written while the store was filled
    os.sync()
    milter, start = start_to_first(stage, folder, op, eml)
    command, message = one_change(stage, folder, milter, op, eml)
    stage.load(op, milter, eml, '-t', '0.6', '-w', '0.2')
    memory = held(milter.pid)[1]
    milter.end()
    figures.found['change', n] = (start, command, message, memory)
    return (str(n), start, command, message, '%.1f' % memory)


def lookup_row(stage, n):
    progress('growth: %d certificates' % n)
    folder = stage.path('store-%d' % n)
    stage.new_store(folder)
    took = import_people(stage, n, 'ec', 'ec.example', folder)
    store = os.path.join(folder, 'keystore.db')
    # While another has the store open, the WAL is not written back by each
    # of the many that open and close it.
    milter = stage.fresh('out', folder)
    first, again, nobody = map(float, must_run(
        [GROWBASE, 'select', store, str(n), 'ec.example']).split())
    op = Operation('', 'out', BOB, person(7, 'ec.example'))
    eml = stage.message('encrypt-ec', '5K')
    ours = [stage.load(op, milter, eml, '-t', '0.6', '-w', '0.2').cost
            for _ in range(option('ROUNDS', 3))]
    milter.end()
    figures.found['lookup', n] = (first, again, nobody, median(ours))
    return (str(n), '%.1f' % took, first, again, nobody, median(ours))


# ---- rules ----

def rule_file(kind, i):
    """-> (lines before all rules, line of rule i, who is decided by it)"""
    d = 'd%d.example' % i
    return {
        'addresses': ('', 'to u%d@x.example' % i, 'u%d@x.example' % i),
        'domains': ('', 'to @' + d, 'a@' + d),
        'subdomains': ('', 'to @*.' + d, 'a@b.c.' + d),
        'groups': ('group g%d @%s b@e%d.example' % (i, d, i), 'to g%d' % i,
                   'a@' + d),
        'senders, one domain': ('', 'from %s to @x.example' % (
            ALICE if i % 1000 == 9 else 'u%d@example.com' % i),
                                'a@x.example'),
    }[kind]


KINDS = ('addresses', 'domains', 'subdomains', 'groups',
         'senders, one domain')


def measure_rules(stage, kind, n):
    """-> ns of a decision. Each question says which line must decide."""
    path = stage.path('grow.rules')
    before, rules, who = zip(*(rule_file(kind, i) for i in range(n)))
    before = [b for b in before if b]
    with open(path, 'w', encoding='ascii') as f:
        f.write('\n'.join(before + ['outbound %s : sign' % r for r in rules] +
                          ['outbound : pass', 'inbound : pass', '']))
    if kind == 'senders, one domain':
        asked = [9]
    else:
        asked = [j * n // 200 for j in range(200)]
    return float(must_run([GROWBASE, 'rules', path] + [
        '%s=%d' % (who[j], len(before) + j + 1) for j in asked] +
        ['nobody@else.example=%d' % (len(before) + n + 1)]))


def rules_rows(stage):
    counts = numbers('GROW_RULES', '10 10000')
    for kind in KINDS if counts else ():
        progress('growth: rules, %s' % kind)
        ns = [measure_rules(stage, kind, n) for n in counts]
        figures.found['rules', kind] = ns[-1] / ns[0]
        yield [kind] + ['%.0f' % x for x in ns] + ['%.2f' % (ns[-1] / ns[0])]


# ---- all ----

def grown(key, counts, index):
    """Last to first, as text."""
    first, last = (figures.found[key, n][index] for n in
                   (counts[0], counts[-1]))
    return '%.2f' % (last / first)


def run(stage):
    figures.heading('Growth')
    table('Size: sign + encrypt, and open + verify, by the command '
          '(seal, open), ms of\nprocessor time with its start, ms a '
          'MiB, peak MiB.',
          ('size', 'seal', 'a MiB', 'peak', 'open', 'a MiB', 'peak'),
          size_rows(stage))
    table('Recipients: 5 KB encrypted, ms of processor time of all our '
          'processes, of the\nnull filter, of CMS_encrypt; ratio: (null '
          '+ bare) / ours; ms a recipient; p50 in ms.',
          ('key', 'recipients', 'ours', 'null', 'bare', 'ratio',
           'a recipient', 'p50'), recipients_rows(stage))
    table('Copies: one message to 1,000 recipients, sign + encrypt by the '
          'command (seal\n--out-dir), all but so many of them named in To; '
          'ms of processor time with its\nstart, ms a copy, peak MiB.',
          ('size', 'recipients', 'copies', 'ms', 'a copy', 'peak'),
          copies_rows(stage))
    table('MIME parts of 150 octets: ms of processor time, and '
          'microseconds a part.',
          ('parts', 'KiB', 'sign', 'sign + encrypt', 'open + verify',
           'sign a part', 'both a part', 'open a part'),
          (parts_row(stage, n) for n in numbers('GROW_PARTS',
                                                '1 10 100 999')))
    counts = numbers('GROW_CERTIFICATES', '100 100000')
    table('Certificates in the store: seconds to import them by the '
          'command; microseconds\n(of processor time) of a lookup, '
          'asked first, asked again, for an address that\nhas none; '
          'ms of processor time of a message of 5 KB encrypted by the '
          'milter.',
          ('certificates', 'import', 'first', 'again', 'none', 'message'),
          (lookup_row(stage, n) for n in counts))
    if counts:
        figures.say('The last to the first: %s, %s, %s; message %s.' % tuple(
            grown('lookup', counts, i) for i in range(4)))
    table('Start and change: ms from the start of the milter to the answer '
          'to its first\nmessage (the time of mfload with it); ms of '
          'importing one certificate by the command,\nms of the message '
          'after it; MiB of all processes together, shared memory once.',
          ('certificates', 'start', 'import of one', 'message after it',
           'memory'), (change_row(stage, n) for n in counts))
    if counts:
        figures.say('The last to the first: start %s, import %s, message '
                    '%s, memory %s.' % tuple(
                        grown('change', counts, i) for i in range(4)))
    counts = numbers('GROW_RULES', '10 10000')
    table('Rules: nanoseconds of processor time of a decision.',
          ['rules about'] + ['%d rules' % n for n in counts] + ['ratio'],
          rules_rows(stage))
