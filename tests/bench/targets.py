# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""What was found beside what is wanted. Only what was measured is shown."""
from figures import found, heading, octets, table

SMALL = '5K'


def span(values):
    return '%.2f to %.2f' % (min(values), max(values))


def of_rates(field, size=None, connections=None):
    return [v[field] for k, v in found.items()
            if len(k) == 3 and isinstance(v, dict) and 'share' in v and
            (size is None or k[1] == size) and
            (connections is None or k[2] == connections)]


def small(pick):
    if of_rates('ratio', SMALL):
        yield ('5 KB, any operation: 0.75 of null and bare together',
               '%s by rate, %s by processor time' %
               (span(of_rates('ratio', SMALL)),
                span(of_rates('share', SMALL))),
               pick(min(of_rates('share', SMALL)) >= 0.75))
    if of_rates('late', SMALL, 16):
        late = max(of_rates('late', SMALL, 16))
        yield ('added p99 at most 3 times the bare time (5 KB, 16 '
               'connections)', '%.1f times at most' % late, pick(late <= 3))


def large(pick):
    if 'bulk' in found:
        yield ('25 MB sign + encrypt: half of the slower of base64 and '
               'SHA-256 + AES', '%.2f' % found['bulk'],
               pick(found['bulk'] >= 0.5))
    more = [v for k, v in found.items() if k[0] == 'at once']
    if more:
        yield ('100 messages of 25 MB at once: at most 64 MiB over idle',
               '%.0f MiB' % max(more), pick(max(more) <= 64))
    worker = [(octets(k[2]), v) for k, v in found.items()
              if k[0] == 'memory']
    if worker:
        big = max(n for n, _ in worker)
        most = max(v for n, v in worker if n == big)
        least = max(v for n, v in worker if n == min(x for x, _ in worker))
        yield ('200 MB, any operation: at most 32 MiB a worker, no more than '
               'for 10 MB', '%.1f MiB, %.1f MiB' % (most, least),
               pick(most <= 32 and most <= least + 0.5))


def linear(pick):
    """ms a unit of the largest to ms a unit of the one before it."""
    sizes = sorted((octets(k[1]), v) for k, v in found.items()
                   if k[0] == 'size')
    if len(sizes) > 1:
        r = max(b / a for a, b in zip(sizes[-2][1], sizes[-1][1]))
        yield ('linear in size', 'the largest a MiB: %.2f of the one before'
               % r, pick(r <= 1.3))
    for kind in ('rsa', 'ec'):
        n = sorted((k[2], v / k[2]) for k, v in found.items()
                   if k[0] == 'recipients' and k[1] == kind)
        if len(n) > 1:
            r = n[-1][1] / n[-2][1]
            yield ('linear in recipients, ' + kind.upper(),
                   'with %d, each: %.2f of with %d' % (n[-1][0], r,
                                                       n[-2][0]),
                   pick(r <= 1.3))
    n = sorted((k[1], [c / k[1] for c in v]) for k, v in found.items()
               if k[0] == 'parts')
    if len(n) > 1:
        r = max(b / a for a, b in zip(n[-2][1], n[-1][1]))
        yield ('linear in parts', 'with %d, each: %.2f of with %d' %
               (n[-1][0], r, n[-2][0]), pick(r <= 1.3))


def lookups(pick):
    n = sorted((k[1], v) for k, v in found.items() if k[0] == 'lookup')
    if len(n) > 1:
        r = max(b / a for a, b in zip(n[0][1], n[-1][1]))
        yield ('lookup with %d certificates: at most 2 times that with %d' %
               (n[-1][0], n[0][0]), '%.2f' % r, pick(r <= 2))
    n = sorted((k[1], v) for k, v in found.items() if k[0] == 'change')
    if len(n) > 1:
        for i, what in enumerate(('start', 'import of one certificate',
                                  'message after it')):
            r = n[-1][1][i] / n[0][1][i]
            yield ('%s with %d certificates: as with %d' % (
                what, n[-1][0], n[0][0]), '%.2f' % r, pick(r <= 1.5))
    rules = [v for k, v in found.items() if k[0] == 'rules']
    if rules:
        yield ('10,000 rules: at most 2 times 10', '%.2f' % max(rules),
               pick(max(rules) <= 2))
    if 'postfix' in found:
        yield ('Postfix, 5 KB, 8 sessions, sign RSA: half of it without a '
               'filter', '%.2f' % found['postfix'],
               pick(found['postfix'] >= 0.5))


def print_targets():
    def pick(good):
        return 'reached' if good else 'not reached'
    rows = [r for part in (small, large, linear, lookups)
            for r in part(pick)]
    if rows:
        heading('Against the targets')
        table('', ('target', 'found', ''), rows)
