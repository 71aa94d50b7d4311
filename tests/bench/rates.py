# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Messages a second and processor time a message, beside a null milter and
the bare OpenSSL calls of the same minute."""
import figures
from figures import median, octets, option, progress, table, words
from stage import CORES, OPERATIONS, bare, chosen

RATES = ('operation', 'size', 'conn', 'ours', 'null', 'bare', 'together',
         'ratio', 'p50', 'p99', 'null p99')
COSTS = ('operation', 'size', 'conn', 'ours', 'null', 'bare', 'ratio')
SIZES = '5K 1M 25M'
LARGE = 8 << 20  # messages of this size are counted, not timed


def how(size, connections, seconds, warm):
    """Options of mfload: how long, over how many connections."""
    out = ['-c', str(connections)]
    if octets(size) < LARGE:
        return out + ['-t', str(seconds), '-w', str(warm)]
    return out + ['-n', str(max(3, 2 * connections))]


def one_round(stage, name, size, connections, seconds):
    """{connections: (null, ours, bare)}"""
    op, eml = OPERATIONS[name], stage.message(name, size)
    alone = {}
    out = {}
    for c in connections:
        procs = min(c, CORES)
        if procs not in alone:
            alone[procs] = bare(name, size, procs)
        null = stage.load(name, stage.null, eml,
                          *how(size, c, seconds, 0.1))
        ours = stage.load(name, stage.ours(op.side), eml,
                          *how(size, c, seconds, 0.2))
        out[c] = (null, ours, alone[procs])
    return out


def row(name, size, c, rounds):
    """-> (row of rates, row of costs) of the medians."""
    null, ours, alone = zip(*rounds)
    both = [1 / (1 / n.rate + 1 / b[0]) for n, b in zip(null, alone)]
    rate = [o.rate for o in ours]
    cost = [o.cost for o in ours]
    ratio = median([r / b for r, b in zip(rate, both)])
    share = median([(n.cost + b[1]) / o if o > 0 else 0
                    for n, o, b in zip(null, cost, alone)])
    p99, null99 = (median([x.p99 for x in v]) for v in (ours, null))
    where = (OPERATIONS[name].title, size, str(c))
    figures.found[name, size, c] = {
        'ratio': ratio, 'share': share, 'rate': median(rate),
        'cost': median(cost),
        'late': (p99 - null99) / median([b[1] for b in alone])}
    return where + (median(rate), median([n.rate for n in null]),
                    median([b[0] for b in alone]), median(both),
                    '%.2f' % ratio, median([o.p50 for o in ours]), p99,
                    null99), \
        where + (median(cost), median([n.cost for n in null]),
                 median([b[1] for b in alone]), '%.2f' % share)


def all_rows(stage, costs):
    seconds = option('SECONDS_EACH', 0.5)
    for size in words('SIZES', SIZES):
        large = octets(size) >= LARGE
        times = option('ROUNDS', 3) if not large else \
            min(option('ROUNDS', 3), 2)
        connections = [int(c) for c in words('CONNECTIONS', '1 4 16')
                       if not large or int(c) <= 4]
        for name in chosen():
            rounds = []
            for n in range(times):
                progress('%s %s, round %d of %d' % (name, size, n + 1,
                                                    times))
                rounds.append(one_round(stage, name, size, connections,
                                        seconds))
            for c in connections:
                rate, cost = row(name, size, c, [r[c] for r in rounds])
                costs.append(cost)
                yield rate
            if large:
                stage.forget(size)


def bulk(stage):
    """25 MB signed and encrypted, beside what touches every octet."""
    progress('25M, sign + encrypt')
    eml = stage.message('both-ec', '25M')
    ours = stage.load('both-ec', stage.ours('out'), eml, '-n', '8').rate * 25
    b64 = bare('base64', '25M', seconds=0.5)[0] * 25
    aes = bare('sha-aes', '25M', seconds=0.5)[0] * 25
    stage.forget('25M')
    ratio = ours / min(b64, aes)
    figures.found['bulk'] = ratio
    figures.say('25M, sign + encrypt, one connection: %.0f MB/s; base64 alone '
                '%.0f, SHA-256 + AES-256-CBC alone %.0f; to the slower: %.2f'
                % (ours, b64, aes, ratio))


def run(stage):
    figures.heading('Rates')
    costs = []
    table('Messages a second; together: 1/(1/null + 1/bare); ratio: ours to '
          'that,\nmedian of the rounds; p50 and p99 of one message in ms.',
          RATES, all_rows(stage, costs))
    figures.heading('Processor time')
    table('ms a message, of all our processes, of the null filter, of '
          'the bare calls;\nratio: (null + bare) / ours.', COSTS, costs)
    if '25M' in words('SIZES', SIZES):
        figures.heading('Large messages')
        bulk(stage)
