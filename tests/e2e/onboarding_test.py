#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""A whole company at once: keys and requests for everybody in a file,
certificates of somebody else's CA (made with openssl) matched to them, the
CA of one's own, and what users and partners get."""
import csv
import glob
import io
import json
import os
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, must_run, test  # noqa: E402

USERS = 300
ODD = ['a/b@example.com', '"../../etc/passwd"@example.com',
       '"-rf"@example.com', 'ä@example.com', 'Ä@example.com',
       'x' * 64 + '@example.com']
EXT = '''basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
'''
CA_CONF = '''[ca]
default_ca = x
[x]
database = {d}/index
serial = {d}/serial
new_certs_dir = {out}
certificate = {d}/sub.pem
private_key = {d}/sub.key
default_days = 300
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
email_in_dn = no
x509_extensions = own
[any]
commonName = supplied
[own]
basicConstraints = critical,CA:FALSE
'''
a = b = base = ca = None


def setup():
    global a, b, base, ca
    base = lib.temporary()
    a = lib.Site(os.path.join(base, 'a'), 'example.com')
    b = lib.Site(os.path.join(base, 'b'), 'example.org')
    ca = OtherCa(os.path.join(base, 'ca'))


class OtherCa:
    """Somebody else's: a root and an issuing CA, by the openssl program."""

    def __init__(self, folder):
        self.dir = folder
        os.makedirs(folder)
        with open(self.path('ext'), 'w', encoding='ascii') as f:
            f.write(EXT)
        for name, of in (('root', None), ('sub', 'root')):
            must_run(['openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt',
                      'ec_paramgen_curve:P-256', '-nodes', '-keyout',
                      self.path(name + '.key'), '-out',
                      self.path(name + '.csr'), '-subj', '/CN=Other ' +
                      name])
            self.sign(name, of, 'ext')

    def path(self, name):
        return os.path.join(self.dir, name)

    def sign(self, name, of, ext=None):
        argv = ['openssl', 'x509', '-req', '-in', self.path(name + '.csr'),
                '-days', '365', '-out', self.path(name + '.pem')]
        argv += ['-extfile', self.path(ext)]
        argv += ['-signkey', self.path(name + '.key')] if of is None else \
            ['-CA', self.path(of + '.pem'), '-CAkey',
             self.path(of + '.key'), '-CAcreateserial']
        must_run(argv)

    def answer(self, folder, out):
        """To all requests of a folder, as most CAs do: with the extensions
        that were asked for. Files 1000.pem, 1001.pem ... in their order."""
        os.mkdir(out)
        for name, text in (('index', ''), ('serial', '1000\n'),
                           ('conf', CA_CONF.format(d=self.dir, out=out))):
            with open(self.path(name), 'w', encoding='ascii') as f:
                f.write(text)
        must_run(['openssl', 'ca', '-batch', '-notext', '-config',
                  self.path('conf'), '-infiles'] +
                 sorted(glob.glob(os.path.join(folder, '*.csr'))))


def put(name, text):
    path = os.path.join(base, name)
    with open(path, 'w', encoding='utf-8', newline='') as f:
        f.write(text)
    return path


def users_file(name, addresses):
    out = io.StringIO()
    w = csv.writer(out)
    w.writerow(['address', 'name'])
    for i, x in enumerate(addresses):
        w.writerow([x, 'User "%d", Größe' % i])
    return put(name, out.getvalue())


def everybody():
    return ['user%d@example.com' % i for i in range(USERS)]


def requests(site=None):
    return json.loads((site or a).must('key', 'requests', '--json'))


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def refused(site, *argv):
    """-> what was said"""
    status, _, err = site.cmd(*argv)
    check(status != 0, ' '.join(argv) + ': was done')
    return err.decode()


# ---- the file ----

@test
def every_mistake_is_named_with_its_line_and_nothing_is_made():
    bad = put('bad.csv', 'address,name\r\n'
              'alice@example.com,Alice\r\n'
              'no address,X\r\n'
              'ALICE@example.com,Alice\r\n'
              'eve@evil.example,Eve\r\n'
              'long@example.com,' + 'n' * 65 + '\r\n'
              '"open@example.com,Y\r\n')
    said = refused(a, 'key', 'generate', '--users', bad, '--out',
                   os.path.join(base, 'never'))
    for line, why in ((3, 'RFC 5321'), (4, 'stands in line 2 already'),
                      (5, 'local-domains'), (6, 'RFC 5280'),
                      (7, 'never closed')):
        check(any('line %d' % line in x and why in x
                  for x in said.splitlines()), 'line %d' % line, said)
    check('5 mistakes; nothing was made' in said, 'the sum', said)
    equal(requests(), [], 'requests')
    check(not os.path.exists(os.path.join(base, 'never')), 'a folder')


# ---- somebody else's CA ----

def folder():
    return os.path.join(base, 'requests')


@test
def killed_at_any_time_the_same_command_goes_on():
    users = users_file('users.csv', everybody())
    argv = [lib.POSTSEAL, '-c', a.conf, 'key', 'generate', '--users', users,
            '--out', folder(), '--algorithm', 'ec:p256']
    for delay in (0.03, 0.05, 0.07, 0.09, 0.11):
        p = subprocess.Popen(argv, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        time.sleep(delay)
        p.kill()
        p.wait()
    two = [subprocess.Popen(argv, stdout=subprocess.DEVNULL)
           for _ in range(2)]
    equal([p.wait() for p in two], [0, 0], 'two at once')
    rows = requests()
    equal(sorted(r['address'] for r in rows), sorted(everybody()),
          'who waits')
    files = os.listdir(folder())
    equal(sorted(f for f in files if f.endswith('.csr')),
          sorted('%s-%s.csr' % (r['address'], r['key'][:16]) for r in rows),
          'files')
    out = a.must(*argv[3:])
    check(b'0 keys made' in out and b'%d wait' % USERS in out, 'again', out)
    equal(len(requests()), USERS, 'after one more run')


@test
def A48_A64_no_address_is_a_path_and_no_link_is_followed():
    """attack A48: addresses that hold .. and /, begin with a dash or a dot,
    and differ in case alone, are in the file of users; a link waits where a
    file would be made.
    verdict: every file is in the folder, under an escaped name of its own;
    the link is left alone and so is what it points to."""
    odd = users_file('odd.csv', ODD)
    out = os.path.join(base, 'odd')
    a.must('key', 'generate', '--users', odd, '--out', out, '--algorithm',
           'ec:p256')
    names = os.listdir(out)
    equal(len(names), len(ODD), 'files')
    equal(len({n.lower() for n in names}), len(ODD), 'names without case')
    for n in names:
        check(n[0] not in '.-' and len(n) < 150 and n.isascii() and
              '"' not in n and ' ' not in n, 'name ' + n)
        equal(mode(os.path.join(out, n)), 0o644, 'mode of ' + n)
    check(any(n.startswith('a%2fb@example.com-') for n in names),
          'the slash', names)

    victim = put('victim', 'untouched')
    other = os.path.join(base, 'odd2')
    os.mkdir(other)
    os.symlink(victim, os.path.join(other, names[0]))
    a.must('key', 'csr', '--all', '--out', other)
    with open(victim, encoding='ascii') as f:
        equal(f.read(), 'untouched', 'behind the link')
    check(os.path.islink(os.path.join(other, names[0])), 'the link')
    os.chmod(other, 0o777)
    said = refused(a, 'key', 'csr', '--all', '--out', other)
    check('not writable by' in said, 'an open folder', said)
    for x in ODD:
        a.must('key', 'drop', '--yes', x)
    equal(len(requests()), USERS, 'after the drop')


def csr_of(address):
    found = glob.glob(os.path.join(folder(), address + '-*.csr'))
    equal(len(found), 1, 'requests of ' + address)
    return found[0]


@test
def a_request_asks_for_what_mail_needs():
    text = must_run(['openssl', 'req', '-in', csr_of('user7@example.com'),
                     '-noout', '-text', '-verify', '-nameopt', 'utf8'])
    # Versions differ in blanks and quotes around a name.
    plain = ''.join(c for c in text.decode() if c not in ' "\\')
    for x in ('CN=User7,Größe', 'email:user7@example.com',
              'E-mailProtection', 'DigitalSignature,KeyAgreement'):
        check(x in plain, x, text)
    both = a.must('key', 'generate', '--email', 'two@example.com', '--name',
                  'Two', '--separate', '--algorithm', 'ec:p256', '--out',
                  '-')
    equal(both.count(b'BEGIN CERTIFICATE REQUEST'), 2, 'requests')
    again = a.must('key', 'csr', '--email', 'two@example.com')
    equal(sorted(again.split(b'-----BEGIN')),
          sorted(both.split(b'-----BEGIN')), 'printed again')
    uses = sorted(r['use'] for r in requests()
                  if r['address'] == 'two@example.com')
    equal(uses, ['encrypt', 'sign'], 'uses')
    said = refused(a, 'key', 'drop', 'two@example.com')
    check('--yes' in said, 'drop without a terminal', said)
    a.must('key', 'drop', '--yes', 'two@example.com')
    said = refused(a, 'key', 'csr', '--email', 'two@example.com')
    check('no key waits' in said, 'csr of nobody', said)


@test
def A32_an_answer_for_another_address_is_refused_by_name():
    """attack A32: a certificate comes for the key that waits for one user,
    but it names another one.
    verdict: it is not taken, the key waits on."""
    csr = csr_of('user0@example.com')
    ext = put('boss.ext', 'subjectAltName=email:boss@example.com\n'
              'extendedKeyUsage=emailProtection\n')
    wrong = os.path.join(base, 'wrong.pem')
    must_run(['openssl', 'x509', '-req', '-in', csr, '-CA',
              ca.path('sub.pem'), '-CAkey', ca.path('sub.key'),
              '-CAcreateserial', '-out', wrong, '-extfile', ext])
    said = refused(a, 'cert', 'import', wrong)
    check('user0@example.com' in said and 'another address' in said,
          'the reason', said)
    equal(json.loads(a.must('cert', 'list', '--json', '@example.com')), [],
          'certificates')
    equal(len(requests()), USERS, 'requests')


@test
def three_hundred_answers_find_their_keys():
    answers = os.path.join(base, 'answers')
    ca.answer(folder(), answers)
    # One comes as PKCS#7 with its chain.
    one = os.path.join(answers, '1000.pem')
    must_run(['openssl', 'crl2pkcs7', '-nocrl', '-certfile', one,
              '-certfile', ca.path('sub.pem'), '-outform', 'DER', '-out',
              os.path.join(answers, 'one.p7b')])
    os.unlink(one)
    a.must('cert', 'trust', ca.path('root.pem'))
    a.must('cert', 'import', answers)
    equal(requests(), [], 'who still waits')
    rows = json.loads(a.must('cert', 'list', '--json', '@example.com'))
    equal(len(rows), USERS, 'certificates')
    check(all(r['has_key'] for r in rows), 'one has no key')
    a.must('cert', 'check', 'user0@example.com')
    out = a.must('key', 'generate', '--users', os.path.join(
        base, 'users.csv'), '--out', folder(), '--algorithm', 'ec:p256')
    check(b'0 keys made' in out and b'%d have a certificate' % USERS in out,
          'nobody gets a second key', out)
    said = a.must('audit').decode()
    check('match' in said or 'answer' in said, 'the audit', said[:2000])


# ---- the CA of one's own ----

@test
def killed_while_the_own_ca_issues_nobody_gets_two():
    n = 200
    words = put('passphrase', 'correct horse battery staple\n')
    b.must('ca', 'init', '--name', 'Own CA', '--password-file', words)
    users = put('many.csv', ''.join('u%d@example.org\n' % i
                                    for i in range(n)))
    argv = ('ca', 'issue', '--users', users, '--algorithm', 'ec:p256',
            '--password-file', words)
    for delay in (0.1, 0.2, 0.3, 0.4):
        p = subprocess.Popen([lib.POSTSEAL, '-c', b.conf, *argv],
                             stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        time.sleep(delay)
        p.kill()
        p.wait()
    got = json.loads(b.must(*argv, '--json'))
    equal(got['issued'] + got['had_one'], n, 'all of them')
    rows = json.loads(b.must('cert', 'list', '--json', '@example.org'))
    mine = [r['addresses'][0] for r in rows
            if r['addresses'][0].startswith('u')]
    equal(sorted(mine), sorted('u%d@example.org' % i for i in range(n)),
          'certificates')
    check(all(r['has_key'] for r in rows), 'one has no key')
    b.must('cert', 'remove', '--yes', '@example.org')


@test
def S122_two_certificates_for_one_user_leave_in_two_files():
    users = put('two.csv', 'two@example.org,Two\n')
    b.must('ca', 'issue', '--users', users, '--separate', '--algorithm',
           'ec:p256', '--password-file', os.path.join(base, 'passphrase'))
    rows = json.loads(b.must('cert', 'list', '--json', 'two@example.org'))
    equal(sorted(sorted(r['use']) for r in rows),
          [['encrypt', 'storage'], ['sign']], 'uses')
    out, words = os.path.join(base, 'two'), os.path.join(base, 'two.words')
    b.must('key', 'export', '--users', users, '--out', out,
           '--password-list-out', words)
    equal(sorted(r[1] for r in read_list(words)), sorted(os.listdir(out)),
          'files')
    equal(len(os.listdir(out)), 2, 'files')
    b.must('cert', 'remove', '--yes', 'two@example.org')


@test
def the_own_ca_issues_for_a_file_and_goes_on_where_it_was():
    words = os.path.join(base, 'passphrase')
    users = put('b.csv', 'bob@example.org;Bob\ncarol@example.org;Carol\n'
                'dave@example.org;\n')
    argv = ('ca', 'issue', '--users', users, '--algorithm', 'ec:p256',
            '--password-file', words)
    out = b.must(*argv, '--dry-run')
    check(b'3 certificates would be issued' in out, 'dry run', out)
    equal(json.loads(b.must('cert', 'list', '--json', '@example.org')), [],
          'after the dry run')
    out = b.must(*argv)
    check(b'3 certificates issued' in out, 'issued', out)
    got = json.loads(b.must(*argv, '--json'))
    equal((got['issued'], got['had_one'], got['refused']), (0, 3, 0),
          'once more')
    equal({u['result'] for u in got['users']}, {'has one'}, 'results')
    rows = json.loads(b.must('cert', 'list', '--json', '@example.org'))
    equal(len(rows), 3, 'certificates')
    got = json.loads(b.must(*argv, '--json', '--again'))
    equal(got['issued'], 3, '--again')


# ---- what partners and users get ----

@test
def bundles_go_to_the_partner_and_mail_goes_through():
    for n, (form, name) in enumerate((('pem', 'b.pem'), ('p7b', 'b.p7b'),
                                      ('ldif', 'b.ldif'))):
        out = os.path.join(base, name)
        b.must('cert', 'export', '@example.org', '--bundle', '--format',
               form, '--out', out)
        a.must('cert', 'import', '--strict', out)
        equal(mode(out), 0o644, 'mode of ' + name)
        rows = json.loads(a.must('cert', 'list', '--json', '@example.org'))
        equal(len(rows), 6, 'certificates after %s' % name)
        check(not any(r['has_key'] for r in rows), 'a key in a bundle')
    listed = must_run(['openssl', 'pkcs7', '-inform', 'DER', '-in',
                       os.path.join(base, 'b.p7b'), '-print_certs'])
    check(listed.count(b'BEGIN CERTIFICATE') >= 7, 'openssl reads it',
          listed)
    many = os.path.join(base, 'cer', '')
    b.must('cert', 'export', '--all', '--bundle', '--format', 'der',
           '--out', many)
    equal(len(os.listdir(many)), 6, 'files')
    must_run(['openssl', 'x509', '-inform', 'DER', '-noout', '-in',
              glob.glob(many + '*.cer')[0]])
    said = refused(b, 'cert', 'export', '--all', '--bundle', '--format',
                   'der', '--out', os.path.join(base, 'one.cer'))
    check('name a folder' in said, 'six in one file', said)

    a.must('cert', 'trust', lib.root_certificate(b))
    pem = os.path.join(base, 'a.pem')
    a.must('cert', 'export', 'user3@example.com', '--bundle', '--out', pem)
    b.must('cert', 'import', pem)
    b.must('cert', 'trust', ca.path('root.pem'))
    with open(os.path.join(lib.SAMPLES, 'messages', 'plain.eml'), 'rb') as f:
        mail = f.read().replace(b'alice@example.com', b'user3@example.com')
    verdict = os.path.join(base, 'verdict.json')
    envelope = ['--from', 'user3@example.com', '--to', 'bob@example.org']
    status, out, err = a.cmd('seal', *envelope, data=mail)
    equal(status, 0, 'seal: ' + lib.show(err))
    check(b'application/pkcs7-mime' in out, 'not sealed', out[:500])
    status, back, err = b.cmd('open', *envelope, '--json', verdict,
                              data=out)
    equal(status, 0, 'open: ' + lib.show(err))
    with open(verdict, encoding='utf-8') as f:
        v = json.load(f)
    equal((v['decryption']['result'], v['signature']['result']),
          ('decrypted', 'pass'), str(v))
    equal(lib.leaves(back), lib.leaves(mail), 'the mail')


def read_list(path):
    with open(path, encoding='utf-8', newline='') as f:
        return list(csv.reader(f))


@test
def A64_keys_of_many_leave_with_a_password_each():
    few = put('few.csv', ''.join(x + '\n' for x in everybody()[:4]))
    out, words = os.path.join(base, 'p12'), os.path.join(base, 'words')
    argv = ('key', 'export', '--users', few, '--out', out,
            '--password-list-out')
    a.must(*argv, words)
    equal(mode(words), 0o600, 'mode of the list')
    equal(mode(out), 0o700, 'mode of the folder')
    rows = read_list(words)
    equal([r[0] for r in rows], everybody()[:4], 'whom')
    equal(len({r[2] for r in rows}), 4, 'passwords')
    for address, name, password in rows:
        path = os.path.join(out, name)
        equal(mode(path), 0o600, 'mode of ' + name)
        check(len(password) == 24, 'short: ' + password)
        text = must_run(['openssl', 'pkcs12', '-in', path, '-passin',
                         'stdin', '-nodes', '-info'],
                        password.encode() + b'\n')
        equal((text.count(b'PRIVATE KEY') // 2,
               text.count(b'BEGIN CERTIFICATE')), (1, 3), address)
    said = refused(a, *argv, words)
    check('there already' in said, 'the list again', said)
    said = a.must(*argv, words + '2').decode()
    check('4 were there already' in said, 'the files again', said)
    check(not os.path.exists(words + '2'), 'an empty list of passwords')

    link = os.path.join(base, 'link')
    os.symlink(os.path.join(base, 'elsewhere'), link)
    said = refused(a, 'key', 'export', '--email', 'user5@example.com',
                   '--out', link, '--password-file', put('pw', 'test\n'))
    check(not os.path.exists(os.path.join(base, 'elsewhere')),
          'through a link', said)


@test
def old_clients_get_what_they_read():
    pw = put('pw', 'test\n')
    for more, want in (((), 'AES-256-CBC'),
                       (('--old-clients',),
                        'pbeWithSHA1And3-KeyTripleDES-CBC')):
        out = os.path.join(base, 'one%d.p12' % len(more))
        a.must('key', 'export', '--email', 'user5@example.com', '--out',
               out, '--password-file', pw, *more)
        status, _, said = lib.run(['openssl', 'pkcs12', '-in', out,
                                   '-passin', 'file:' + pw, '-nodes',
                                   '-info', '-noout'])
        equal(status, 0, lib.show(said))
        check(want in said.decode(), want, said)
        check('Shrouded Keybag: ' in said.decode(), 'the key', said)


@test
def status_says_who_lacks_what():
    a.must('key', 'generate', '--email', 'new@example.com', '--algorithm',
           'ec:p256', '--out', os.path.join(base, 'new.csr'))
    said = a.must('status').decode()
    check('new@example.com' in said, 'who waits', said)
    check('user5@example.com' not in said, 'who lacks nothing', said)


if __name__ == '__main__':
    lib.main(setup)
