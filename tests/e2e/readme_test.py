#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Every command line of README.md: what can be run is run, in order, in one
shell, with folders of ours in place of those of the system; of the rest the
words are checked. A new line that no test here knows is a failure."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402
from relay import CA  # noqa: E402

TRY, INSTALL = 'Try it by command', 'Install and attach'
WRITTEN = 'How mail is written'
WATCH, COPIES = 'Watch first', 'Recipients who need different copies'
DOORS, HELD = 'Which door for whom', 'Mail that is held'
LANGUAGES = 'In the sender\'s language'
RELAY = 'Only over TLS'
base = text = None


def setup():
    global base, text
    base = lib.temporary()
    with open(os.path.join(lib.TOP, 'README.md'), encoding='utf-8') as f:
        text = f.read()


def section(title):
    """The text below a heading that begins so."""
    for part in re.split(r'^## ', text, flags=re.MULTILINE)[1:]:
        if part.startswith(title):
            return part
    raise lib.Failed('README has no section "%s"' % title)


def code(part):
    """Lines of indented code; in a list the indentation is deeper."""
    found, in_list, after_blank = [], False, False
    for line in part.splitlines():
        if re.match(r'\d+\. ', line):
            in_list = True
        elif re.match(r'\S', line):
            in_list = False
        depth = 7 if in_list else 4
        if line.startswith(' ' * depth) and (after_blank or found and
                                             found[-1] is not None):
            found.append(line.strip())
        elif found and found[-1] is not None:
            found.append(None)
        after_blank = not line.strip()
    return [x for x in found if x is not None]


def inline(part):
    """Commands between backquotes, also those broken over two lines."""
    return [re.sub(r'\s+', ' ', x) for x in
            re.findall(r'(?<!`)`(postseal[ -][^`]+)`(?!`)', part)]


def shell(lines):
    return lib.must_run(['sh', '-ec', '\n'.join(lines)], cwd=lib.TOP)


def tried(lines):
    """With the programs of this build and a folder of ours."""
    return [x.replace('$PWD/build', lib.BUILD)
            .replace('/tmp/try', os.path.join(base, 'try'))
            for x in lines if x != 'make']


@test
def try_it_by_command():
    lines = code(section(TRY))
    check(len(lines) >= 9 and lines[0] == 'make', 'commands', *lines)
    out = shell(tried(lines)).decode()
    check('result      signed and encrypted' in out, 'rules explain', out)
    check('smime=pass' in out, 'not opened', out)
    for word in ('trusted root', 'alice@example.com', 'bob@example.org'):
        check(word in out, 'cert list: no ' + word, out)
    with open(os.path.join(base, 'try', 'sealed.eml'), 'rb') as f:
        check(b'application/pkcs7-mime' in f.read(), 'not sealed')
    with open(os.path.join(base, 'try', 'verdict.json'),
              encoding='utf-8') as f:
        verdict = json.load(f)
    equal(verdict['signature']['result'], 'pass', 'signature')
    equal(verdict['decryption']['result'], 'decrypted', 'decryption')


@test
def a_second_try_needs_the_first_removed():
    lines = tried(code(section(TRY)))
    remove = re.search(r'`(rm -r /tmp/try)`', section(TRY))
    check(remove, 'README does not say how to begin again')
    path, init = lines[0], lines[1]
    status, _, err = lib.run(['sh', '-ec', path + '\n' + init], cwd=lib.TOP)
    equal(status, 73, lib.show(err))
    check(b'there already' in err, 'no reason', err)
    shell([path] + tried([remove.group(1)]) + [init])


@test
def two_commands():
    lines = code(section('Two commands'))
    usage = lib.run(['./run', 'help'], cwd=lib.TOP)
    for line in lines:
        name = line.split()[1]
        check(line.startswith('./run ') and
              ('run ' + name).encode() in usage[2], 'unknown: ' + line,
              usage[2])
    lib.must_run(['sh', '-n', './run'], cwd=lib.TOP)


# ---- install ----

def account():
    """-> (user, options): root gives the files away, others cannot."""
    if os.getuid() == 0:
        return lib.MILTER_USER, ['--user', lib.MILTER_USER]
    return None, []


def ours(x):
    """A line of README with folders of ours and an account that exists."""
    for old in ('/etc/postseal', '/var/lib/postseal',
                '/var/spool/postfix'):
        x = x.replace(old, os.path.join(base, 'root') + old)
    user, _ = account()
    if user is None:
        return re.sub(r' --user \S+| -[og] \S+| group \S+', '', x)
    x = re.sub(r'(--user |-o )postseal\b', r'\g<1>' + user, x)
    return re.sub(r'(-g |group )postfix\b', r'\g<1>' + lib.SETGID_GROUP, x)


def postseal(*argv, **more):
    return lib.must_run([lib.POSTSEAL, '-c', os.path.join(
        base, 'root/etc/postseal/postseal.conf'), *argv], **more)


def only(lines, start):
    found = [x for x in lines if x.startswith(start)]
    equal(len(found), 1, 'lines that begin with "%s"' % start)
    return found[0]


@test
def no_line_is_unknown():
    known = (r'make( install)?$', r'adduser --system --group \S+ \S+$',
             r'postseal init ', r'install -d ', r'listen "unix:',
             r'systemctl (daemon-reload|enable --now postseal-milter)$',
             r'(non_)?smtpd_milters = ', r'INPUT_MAIL_FILTER\(`postseal')
    for line in code(section(INSTALL)):
        check(any(re.match(k, line) for k in known),
              'no test knows this line of README: ' + line)


@test
def make_install():
    root = os.path.join(base, 'destdir')
    check('make install' in code(section(INSTALL)), 'no "make install"')
    lib.must_run(['make', '-s', 'install', 'DESTDIR=' + root, 'BUILD=' +
                  os.environ.get('POSTSEAL_BUILD', 'build')],
                 cwd=lib.TOP, timeout=600)
    for place in ('/usr/local/bin/postseal',
                  '/usr/local/sbin/postseal-milter',
                  '/usr/local/lib/systemd/system/postseal-milter.service',
                  '/usr/local/share/doc/postseal/samples',
                  '/usr/local/share/man/man1/postseal.1'):
        check(os.path.exists(root + place), 'not installed: ' + place)
    for place in re.findall(r'`(/usr/local/\w+|lib/\S+|share/\S+)`',
                            section(INSTALL)):
        if not place.startswith('/'):
            place = '/usr/local/' + place
        check(os.path.isdir(root + place), 'README names ' + place)
    for name in re.findall(r'^Man pages: (.*?)\. ', text,
                           re.MULTILINE | re.DOTALL)[0].split(','):
        page, chapter = re.match(r'\s*(\S+)\((\d)\)', name).groups()
        check(os.path.exists('%s/usr/local/share/man/man%s/%s.%s' %
                             (root, chapter, page, chapter)),
              'no man page ' + name)


@test
def init_for_a_mail_server():
    lines = code(section(INSTALL))
    user = only(lines, 'adduser ').split()[-1]
    line = only(lines, 'postseal init ')
    check('--user ' + user in line, 'the user made is not the one used',
          line)
    # The unit's folders are those of init.
    with open(os.path.join(lib.TOP, 'contrib', 'postseal-milter.service'),
              encoding='utf-8') as f:
        unit = f.read()
    for option, place in (('--dir', '/etc/postseal'),
                          ('--state', '/var/lib/postseal')):
        check('%s %s ' % (option, place) in line and place in unit,
              '%s is not the folder of the unit' % option, line)
    check('StateDirectoryMode=0755' in unit,
          'the user of the milter does not get into the state folder')
    for x in ('etc', 'var/lib', 'var/spool/postfix'):
        os.makedirs(os.path.join(base, 'root', x))
    shell(['PATH=%s:$PATH' % lib.BUILD, ours(line)])
    with open(os.path.join(base, 'root/etc/postseal/postseal.conf'),
              encoding='utf-8') as f:
        conf = f.read()
    check('"unix:/run/postseal/milter.sock"' in conf, 'Sendmail\'s socket',
          conf)
    check('S=unix:/run/postseal/milter.sock,' in only(lines, 'INPUT'),
          'Sendmail connects to another socket')


@test
def certificates_and_rules():
    known = {'postseal cert trust CA.pem', 'postseal key import alice.p12',
             'postseal ca init', 'postseal cert import partners/',
             'postseal rules check', 'postseal-milter -n',
             'postseal rules explain --from alice@example.com '
             '--to bob@example.org', 'postseal-milter'}
    said = set(inline(section(INSTALL))) - {'postseal explain'}
    for x in said:
        check(x in known or not x.startswith('postseal '),
              'no test knows this command of README: ' + x)
    for x in known - {'postseal-milter'}:
        check(x in said, 'README does not say ' + x)
    # Somebody else's CA, a user's key, a partner's folder.
    other = os.path.join(base, 'other')
    lib.must_run([lib.POSTSEAL, 'init', '--dir', other, '--domain',
                  'example.org'])
    conf = os.path.join(other, 'postseal.conf')
    cmd = [lib.POSTSEAL, '-c', conf]
    lib.must_run(cmd + ['ca', 'init', '--no-passphrase', '--permit', 'any',
                         '--name', 'Other'])
    password = os.path.join(base, 'password')
    with open(password, 'w', encoding='ascii') as f:
        f.write('test\n')
    os.makedirs(os.path.join(base, 'partners'))
    for who in ('alice@example.com', 'bob@example.org'):
        lib.must_run(cmd + ['ca', 'issue', '--email', who])
    root = json.loads(lib.must_run(cmd + ['cert', 'list', '--json']))
    root = [r['sha256'] for r in root if r['is_anchor']][0]
    lib.must_run(cmd + ['cert', 'export', root, '--out',
                        os.path.join(base, 'CA.pem')])
    lib.must_run(cmd + ['cert', 'export', 'bob@example.org', '--out',
                        os.path.join(base, 'partners', 'bob.pem')])
    lib.must_run(cmd + ['key', 'export', '--email', 'alice@example.com',
                        '--out', os.path.join(base, 'alice.p12'),
                        '--password-file', password])
    postseal('cert', 'trust', 'CA.pem', cwd=base)
    postseal('key', 'import', 'alice.p12', '--password-file', password,
             cwd=base)
    postseal('cert', 'import', 'partners/', cwd=base)
    postseal('ca', 'init', '--no-passphrase')
    postseal('rules', 'check')
    out = postseal('rules', 'explain', '--from', 'alice@example.com',
                   '--to', 'bob@example.org').decode()
    check('result      signed and encrypted' in out, 'explain', out)


PEOPLE = 'Certificates for everybody'


def answers(folder):
    """What another CA makes of our requests, by openssl."""
    os.makedirs(os.path.join(folder, 'answers'))
    ca = [os.path.join(folder, x) for x in ('ca.key', 'ca.pem')]
    lib.must_run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                  'ec_paramgen_curve:P-256', '-nodes', '-keyout', ca[0],
                  '-out', ca[1], '-days', '99', '-subj', '/CN=Another'])
    requests = sorted(os.listdir(os.path.join(folder, 'requests')))
    for i, name in enumerate(requests):
        lib.must_run(['openssl', 'x509', '-req', '-in',
                      os.path.join(folder, 'requests', name), '-CA', ca[1],
                      '-CAkey', ca[0], '-set_serial', str(i + 2), '-days',
                      '90', '-copy_extensions', 'copy', '-out',
                      os.path.join(folder, 'answers', name + '.pem')])
    return len(requests)


@test
def certificates_for_everybody():
    lines = code(section(PEOPLE))
    commands = [x for x in lines if x.startswith('postseal ')]
    check(len(commands) >= 11, 'commands', *lines)
    folder = os.path.join(base, 'people')
    for d in ('', 'backup'):
        os.makedirs(os.path.join(folder, d))
    with open(os.path.join(folder, 'users.csv'), 'w', encoding='utf-8') as f:
        f.write('erin@example.com,Erin\nfrank@example.com,"Frank, Jr."\n')
    for name in ('ca.pass', 'backup.pass'):
        with open(os.path.join(folder, name), 'w', encoding='ascii') as f:
            f.write('a long enough password\n')
        os.chmod(os.path.join(folder, name), 0o600)
    lib.must_run([lib.POSTSEAL, 'init', '--dir', os.path.join(
        folder, 'store'), '--domain', 'example.com'])
    cmd = [lib.POSTSEAL, '-c', os.path.join(folder, 'store/postseal.conf')]
    for line in commands:
        if 'key generate' in line:
            # the users have keys of our own CA by now
            line += ' --again'
        if 'cert import' in line:
            equal(answers(folder), 2, 'requests')
            lib.must_run(cmd + ['cert', 'trust', folder + '/ca.pem'])
        lib.must_run(['sh', '-ec', line.replace('postseal', ' '.join(cmd), 1)
                      .replace('/backup/', folder + '/backup/')], cwd=folder)
    equal(len(os.listdir(os.path.join(folder, 'p12'))), 2, 'PKCS#12 files')
    out = lib.must_run(cmd + ['key', 'requests']).decode()
    check('erin@' not in out, 'an answer did not find its key', out)


@test
def the_blocks_of_certificates_for_everybody():
    lines = code(section(PEOPLE))
    block = lines[lines.index('# postseal.conf') + 1:]
    check(block[-1] == '}' and len(block) > 12, 'blocks', *block)
    folder = os.path.join(base, 'blocks')
    lib.must_run([lib.POSTSEAL, 'init', '--dir', folder, '--domain',
                  'example.com'])
    path = os.path.join(folder, 'postseal.conf')
    with open(path, 'a', encoding='utf-8') as f:
        f.write('\n' + '\n'.join(block) + '\n')
    rule = re.search(r'`(inbound from [^`]*)`', section(PEOPLE)).group(1)
    rules = os.path.join(folder, 'rules')
    with open(rules, encoding='utf-8') as f:
        before = f.read()
    with open(rules, 'w', encoding='utf-8') as f:
        f.write(re.sub(r'\s+', ' ', rule) + '\n' + before)
    cmd = [lib.POSTSEAL, '-c', path]
    lib.must_run(cmd + ['rules', 'check'])
    out = lib.must_run(cmd + ['status']).decode()
    check('notices        postmaster@example.com' in out, 'status', out)


# What "rules explain" says of each profile: by an RSA key, to one, unknown.
PROFILES = {
    'compat': ('RSASSA-PKCS1-v1_5-SHA256', 'AES-256-CBC, RSAES-PKCS1-v1_5'),
    'modern': ('RSASSA-PKCS1-v1_5-SHA256', 'AES-256-GCM, RSAES-OAEP-SHA256'),
    'edi-energy': ('RSASSA-PSS-SHA256', 'AES-128-GCM, RSAES-OAEP-SHA256'),
    'legacy': ('RSASSA-PKCS1-v1_5-SHA256', 'AES-128-CBC, RSAES-PKCS1-v1_5'),
}


def explain_with(rules, to):
    """What is said of mail to this address under these rules."""
    path = os.path.join(base, 'root/etc/postseal/rules')
    with open(path, encoding='utf-8') as f:
        before = f.read()
    with open(path, 'w', encoding='utf-8') as f:
        f.write('\n'.join(rules + ['outbound : sign, encrypt',
                                   'inbound : decrypt, verify', '']))
    postseal('rules', 'check')
    out = postseal('rules', 'explain', '--from', 'alice@example.com',
                   '--to', to).decode()
    with open(path, 'w', encoding='utf-8') as f:
        f.write(before)
    return out


@test
def profiles_are_what_the_table_says():
    part = section(WRITTEN)
    rows = re.findall(r'^\| `([\w-]+)`[^|]*\| ([^|]*) \| ([^|]*) \| ([^|]*) \|',
                      part, re.MULTILINE)
    rows = [r for r in rows if r[0] != 'profile']
    equal(sorted(r[0] for r in rows), sorted(PROFILES), 'rows')
    for name, signed, cipher, transport in rows:
        signature, written = PROFILES[name]
        out = explain_with(['outbound to @example.org : sign, encrypt, '
                            'profile ' + name], 'bob@example.org')
        check('signature   %s\n' % signature in out, name, out)
        check('cipher      %s (' % written in out, name, out)
        # and the words of the table
        check(('PSS' in signed) == ('PSS' in signature), name, signed)
        check(cipher.startswith(written.split(',')[0]), name, cipher)
        check(transport.startswith('OAEP') == ('OAEP' in written), name,
              transport)


@test
def rules_and_commands_of_how_mail_is_written():
    part = section(WRITTEN)
    rules = code(part)
    check(len(rules) >= 3, 'rules', *rules)
    for domain, words in (('grid', 'profile grid'),
                          ('partner', 'protect-headers shy'),
                          ('bank', 'min-cipher')):
        out = explain_with(rules, 'bob@%s.example' % domain)
        check(words in out, 'wrong line', out)
    with open(os.path.join(lib.TOP, 'Makefile'), encoding='utf-8') as f:
        makefile = f.read()
    for target in re.findall(r'`make (\w+)`', part):
        check(re.search('^%s:' % target, makefile, re.MULTILINE),
              'no target ' + target)
    said = inline(part)
    equal(len(said), 2, 'commands')
    for x in said:
        out = postseal(*x.split()[1:]).decode()
        check('bob@example.org' in out, x, out)


@test
def socket_for_postfix_and_check():
    lines = code(section(INSTALL))
    make, listen = only(lines, 'install -d '), only(lines, 'listen ')
    where = re.search(r'unix:(\S+)"', listen).group(1)
    check(make.endswith(' ' + os.path.dirname(where)), 'the folder made '
          'is not the one of the socket', make, listen)
    check('unix:%s,' % os.path.relpath(where, '/var/spool/postfix') in
          only(lines, 'smtpd_milters'), 'Postfix connects elsewhere')
    check('default_action=tempfail' in only(lines, 'smtpd_milters'),
          'mail leaves in clear while postseal is down')
    for line in lines:
        if line.startswith(('smtpd_milters', 'non_smtpd_milters')):
            with open(os.path.join(lib.SAMPLES, 'postfix-main.cf'),
                      encoding='utf-8') as f:
                check(line in f.read().splitlines(),
                      'not in samples/postfix-main.cf: ' + line)
    with open(os.path.join(lib.SAMPLES, 'sendmail.mc'),
              encoding='utf-8') as f:
        check(only(lines, 'INPUT') + 'dnl' in f.read().splitlines(),
              'not in samples/sendmail.mc')
    shell([ours(make)])
    path = os.path.join(base, 'root/etc/postseal/postseal.conf')
    with open(path, encoding='utf-8') as f:
        conf = f.read()
    conf, n = re.subn(r'(?m)^( +)listen .*$', lambda m: m.group(1) +
                      ours(listen), conf)
    equal(n, 1, 'lines "listen"')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(conf)
    out = lib.must_run([lib.MILTER, '-n', '-c', path]).decode()
    check('private keys: 1' in out and 'postseal/milter.sock' in out,
          'postseal-milter -n', out)


# ---- what a site of several kinds of mail needs ----

class Own:
    """A folder with keys of alice, bob and dave, and its command."""

    def __init__(self, name, rules=None):
        self.dir = os.path.join(base, name)
        self.conf = os.path.join(self.dir, 'postseal.conf')
        lib.must_run([lib.POSTSEAL, 'init', '--dir', self.dir, '--domain',
                      'example.com'])
        self.must('ca', 'init', '--no-passphrase', '--permit', 'any')
        for who in ('alice@example.com', 'bob@example.org',
                    'dave@example.org'):
            self.must('ca', 'issue', '--email', who, '--algorithm',
                      'ec:p256')
        if rules:
            with open(os.path.join(self.dir, 'rules'), 'w',
                      encoding='ascii') as f:
                f.write(rules)

    def must(self, *argv, **more):
        return lib.must_run([lib.POSTSEAL, '-c', self.conf, *argv],
                            **more).decode()

    def run(self, line, data=b''):
        """A line of README, from its own folder."""
        line = line.replace('postseal', '%s -c %s' % (
            lib.POSTSEAL, self.conf), 1)
        return lib.run(['sh', '-c', line.replace(
            'samples/', lib.SAMPLES + '/')], data, cwd=self.dir)

    def add(self, lines, block=False):
        """Lines at the end of the configuration, or of milter { }."""
        with open(self.conf, encoding='utf-8') as f:
            conf = f.read()
        more = '\n'.join(lines) + '\n'
        with open(self.conf, 'w', encoding='utf-8') as f:
            f.write(conf.replace('milter {\n', 'milter {\n' + more)
                    if block else conf + more)


@test
def every_section_has_a_test():
    known = (TRY, INSTALL, WRITTEN, WATCH, COPIES, DOORS, HELD, LANGUAGES,
             RELAY, PEOPLE, 'Two commands', 'When you want to know why')
    for part in re.split(r'^## ', text, flags=re.MULTILINE)[1:]:
        check(not code(part) or part.startswith(known),
              'no test knows the commands of: ' + part.splitlines()[0])


@test
def watch_first():
    part = section(WATCH)
    own = Own('watch')
    own.add([re.search(r'`(observe yes)`', part).group(1)], True)
    lines = code(part)
    equal(len(lines), 3, 'commands')
    for line in lines:
        status, out, err = own.run(line)
        check(status in ((0, 78) if 'doctor' in line else (0,)), line, err)
        check(out, 'nothing is said', line)
    check(b'observe no' in out, 'doctor does not see it', out)
    check('`observe no`' in part and '`systemctl reload postseal-milter`'
          in re.sub(r'\s+', ' ', part), 'how to end it', part)


@test
def different_copies():
    own = Own('copies')
    reinject, explain, seal = code(section(COPIES))
    status, out, err = own.run(explain)
    equal(status, 0, err)
    check(b'need different copies' in out and b'a blind copy' in out,
          'no groups, or no refusal', out)
    own.add([reinject], True)
    out = own.run(explain)[1]
    check(b'need different copies' not in out and b'reply' not in out,
          'still refused', out)
    status, out, err = own.run(seal)
    equal((status, out), (0, b''), lib.show(err))
    found = sorted(os.listdir(os.path.join(own.dir, 'copies')))
    equal(found, ['group-1.eml', 'group-1.rcpt', 'group-2.eml',
                  'group-2.rcpt', 'verdict.json'], 'copies')


@test
def doors():
    part, own = section(DOORS), Own('doors')
    lines = code(part)
    postconf = only(lines, 'postconf -e ').split()[2:]
    block = [x for x in lines if not x.startswith('postconf')]
    equal((block[0], block[-1]), ('door in {', '}'), 'block')
    where = re.search(r'lmtp "unix:/var/spool/postfix/([^"]+)"',
                      block[1]).group(1)
    check('virtual_transport=lmtp:unix:' + where in postconf,
          'Postfix connects elsewhere', *lines)
    with open(os.path.join(lib.TOP, 'contrib/postfix/dovecot.main.cf'),
              encoding='utf-8') as f:
        snippet = f.read()
    for x in [x.replace('=', ' = ', 1) for x in postconf] + [where]:
        check(x in snippet, 'contrib says something else', x)
    own.add([re.sub('unix:/[^"]*/', 'unix:%s/' % own.dir, x).replace(
        'group postfix', 'group ' + lib.SETGID_GROUP) for x in block])
    if os.getuid() == 0:
        lib.must_run(['chown', '-R', lib.MILTER_USER, own.dir])
        own.add(['user ' + lib.MILTER_USER], True)
    out = lib.must_run([lib.MILTER, '-n', '-c', own.conf])
    check(b'door.in' in out, 'no door', out)
    lib.need_postfix()
    p = lib.Postfix(os.path.join(base, 'pf'), 'example.com')
    p.configure({})
    etc = os.path.join(p.dir, 'etc')
    equal(p.command('postconf', '-c', etc, '-e', *postconf)[0], 0, 'set')
    _, out, err = p.command('postconf', '-c', etc, '-n')
    check(b'unused' not in err and where.encode() in out, 'unknown', err)


@test
def a_shared_mailbox():
    own = Own('shared')
    line = re.search(r'`(info@[^`]*)`', section(DOORS)).group(1)
    with open(os.path.join(own.dir, 'map'), 'w', encoding='ascii') as f:
        f.write(re.sub(r'\s+', ' ', line) + '\n')
    name = os.path.join(lib.SAMPLES, 'messages', 'plain.eml')
    with open(name, 'rb') as f:
        sealed = own.must('seal', '--from', 'alice@example.com', '--to',
                          'bob@example.org', data=f.read()).encode()
    for words, opened in ([], False), (['address-map file "map"'], True):
        own.add(words)
        out = own.must('open', '--from', 'alice@example.net', '--to',
                       'info@example.com', data=sealed)
        equal('was encrypted' in out, opened, out)


@test
def held_mail():
    own = Own('held', 'outbound : sign, encrypt or quarantine\n'
              'inbound : decrypt, verify or quarantine\n')
    lines = code(section(HELD))
    block = lines[lines.index('quarantine {'):lines.index('}') + 1]
    commands = [x for x in lines if x not in block]
    status, _, err = own.run('postseal rules check')
    equal(status, 78, 'rules without a quarantine')
    check(b'quarantine { }' in err, 'no reason', err)
    own.add(block)
    own.add(code(section(COPIES))[:1], True)
    own.must('rules', 'check')
    equal(len(commands), 6, 'commands')
    for line in commands:
        status, out, err = own.run(line)
        if line.endswith(('init', 'list')):
            equal(status, 0, line + lib.show(err))
            continue
        # of nothing that is held
        equal(status, 65, line + lib.show(err))
        check(b'no held mail with the id ID' in err, line, err)


@test
def languages():
    own = Own('languages', 'outbound : sign, encrypt\n'
              'inbound : decrypt, verify\n')
    lines = code(section(LANGUAGES))
    texts = os.path.join(lib.TOP, 'share', 'texts')
    own.add(['texts "%s"' % texts] + lines)
    own.must('rules', 'check')
    status, _, err = own.run('postseal seal --from alice@example.com --to '
                             'nobody@example.org < '
                             'samples/messages/plain.eml')
    equal(status, 69, lib.show(err))
    check(b'Nicht gesendet' in err, 'not in German', err)
    for name, short in (('English', 'en'), ('German', 'de'),
                        ('French', 'fr'), ('Polish', 'pl')):
        check(name in section(LANGUAGES) and os.path.exists(
            os.path.join(texts, short)), name)


@test
def files_that_readme_names_are_there():
    names = re.findall(r'`((?:samples|doc|gateway|milter|contrib|util|'
                       r'share/texts)/[\w./-]+)`', text)
    names += re.findall(r'man \./(\S+?)`', text)
    names += re.findall(r'(?:Security|Speed):\s+(\S+\.md)\.', text)
    check(len(names) >= 8, 'few names', *names)
    for name in names:
        check(os.path.exists(os.path.join(lib.TOP, name)),
              'README names %s, which is not there' % name)


@test
def when_you_want_to_know_why():
    lines = code(section('When you want to know why'))
    check(len(lines) >= 3, 'lines', *lines)
    for line in lines:
        words = re.split(r'\s{2,}', line)[0].split()
        words = [w for w in words[1:] if re.match(r'[a-z]+$', w)]
        status, out, err = lib.run([lib.POSTSEAL, *words, '--help'])
        equal(status, 0, line + ': ' + lib.show(err))
        check(out.startswith(b'usage: postseal ' +
                             ' '.join(words).encode()), line, out)
    out = postseal('status').decode()
    check('trusted root' in out, 'status', out)


# ---- the relay ----

def relay_conf(lines, own):
    """The block of README, with our certificate, places and ports."""
    block = lines[lines.index('relay {'):]
    depth = n = 0
    for n, line in enumerate(block, 1):
        depth += line.endswith('{') - (line == '}')
        if depth == 0:
            break
    conf = '\n'.join(block[:n]) + '\n'
    os.makedirs(own, exist_ok=True)
    key, crt = CA(os.path.join(own, 'ca')).server('mx.example.com')
    for old, new in (('"/etc/postseal/mx.pem"', '"%s"' % crt),
                     ('"/etc/postseal/mx.key"', '"%s"' % key),
                     ('/etc/postseal/passwd', own + '/passwd'),
                     ('/var/lib/postseal-relay', own + '/state'),
                     ('/var/spool/postfix/postseal/', own + '/')):
        check(old in conf, 'not in README: ' + old, conf)
        conf = conf.replace(old, new)
    conf = re.sub(r'0\.0\.0\.0:\d+', lambda m: '127.0.0.1:%d' %
                  lib.free_port(), conf)
    user, _ = account()
    conf = re.sub(r'user  \S+', 'user ' + user if user else '', conf)
    conf = re.sub('group postfix', 'group ' + lib.SETGID_GROUP, conf)
    path = os.path.join(own, 'postseal.conf')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(conf)
    return path, lines[:lines.index('relay {')] + \
        lines[lines.index('relay {') + n:]


@test
def the_relays_block_is_one():
    own = os.path.join(base, 'relay')
    path, _ = relay_conf(code(section(RELAY)), own)
    os.makedirs(own + '/state', exist_ok=True)
    line = only(code(section(RELAY)), 'postseal relay passwd ').replace(
        '/etc/postseal', own).split()
    lib.must_run([lib.POSTSEAL, *line[1:], '--password-file', '-'],
                 b'seven-mauve-kites-41\n')
    if os.getuid() == 0:
        lib.must_run(['chown', lib.MILTER_USER, own, own + '/state'])
    relay = os.path.join(lib.BUILD, 'postseal-relay')
    out = lib.must_run([relay, '-n', '-c', path]).decode()
    for name in ('submission', 'egress', 'pop3'):
        check(name in out, 'postseal-relay -n says nothing of ' + name, out)


# what an administrator does besides, which no test may
ADMIN = '|'.join((
    r'adduser --system --group --no-create-home postseal-relay$',
    r'install -d -o postseal-relay -m 0750 /var/lib/postseal-relay$',
    r'apt install dns-root-data$',
    r'chown root:postseal-relay /etc/postseal/passwd$',
    r'chmod 0640 /etc/postseal/passwd$',
    r'postseal-relay -n$',
    r'systemctl enable --now postseal-relay$',
    r'tls-route smtp "'))


@test
def the_relays_commands_are_there():
    part = section(RELAY)
    _, lines = relay_conf(code(part), os.path.join(base, 'relay-words'))
    usage = lib.run(['./run', 'help'], cwd=lib.TOP)[2]
    for line in lines:
        words = line.split()
        if words[0] == './run':
            check(('run ' + words[1]).encode() in usage, line, usage)
        elif words[0] == 'postseal':
            status, out, err = lib.run([lib.POSTSEAL, *words[1:3], '--help'])
            equal(status, 0, line + ': ' + lib.show(err))
            for w in words[3:]:
                check(not w.startswith('--') or w.encode() in out, line, out)
            check(words[1] != 'policy' or ':' not in words[-1], 'only '
                  '[host] has a port: ' + line)
        else:
            check(re.match(ADMIN, line), 'no test knows: ' + line)
    with open(os.path.join(lib.TOP, 'contrib/postfix/tls-policy.main.cf'),
              encoding='utf-8') as f:
        snippet = re.sub(r'\n# +', ' ', f.read())
    socketmap = re.search(r'`(socketmap [^`]*)`', part).group(1)
    check(re.sub(r'\s+', ' ', socketmap) in snippet, 'contrib says '
          'something else', socketmap)
    with open(os.path.join(lib.TOP, 'contrib/postfix/tls-route.master.cf'),
              encoding='utf-8') as f:
        check(only(lines, 'tls-route ') in f.read(), 'another port')


@test
def files_of_older_programs_are_read():
    files = {
        'stunnel': '[pop3s]\naccept = 995\nconnect = 110\ncert = /x.pem\n',
        'tlsdestinations': '=bank.example:/etc/ca.pem\n',
        'domaincerts': 'example.com:/x.pem|/x.key|\n',
        'tls_policy': 'bank.example secure match=mx.bank.example\n'}
    lines = [x for x in code(section(RELAY)) if ' relay import ' in x]
    equal(len(lines), len(files), 'commands')
    for line in lines:
        words = line.split()
        path = os.path.join(base, words[3])
        with open(path, 'w', encoding='ascii') as f:
            f.write(files[words[3]])
        out = lib.must_run([lib.POSTSEAL, *words[1:4], path]).decode()
        check('for relay { }' in out and 'NOT KEPT' not in out, line, out)


@test
def encrypt_or_tls_wants_its_port():
    own = Own('tls', 'outbound : sign, encrypt or tls\n'
              'inbound : decrypt, verify\n')
    status, _, err = own.run('postseal rules check')
    check(status == 78 and b'tls-route' in err, 'without tls-route', err)
    own.add([only(code(section(RELAY)), 'tls-route ')], True)
    own.must('rules', 'check')


if __name__ == '__main__':
    lib.main(setup)
