#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""What works on mail and certificates has nothing to call the network
with; the libraries that fetch are called in fetch/ only."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import base  # noqa: E402
from base import check, equal, test  # noqa: E402

# Of libc, and what of libcrypto or libcurl would do it for us.
NETWORK = re.compile(
    r'^(socket|socketpair|connect|bind|listen|accept4?|sendto|'
    r'getaddrinfo|getnameinfo|gethostby\w+|res_n?\w+|__res_\w+|'
    r'BIO_(new_)?(connect|accept|socket|dgram)\w*|BIO_s_(connect|accept|'
    r'socket|datagram)|OSSL_HTTP_\w+|OCSP_sendreq\w*|OCSP_REQ_CTX_\w+|'
    r'X509(_CRL)?_load_http|X509_LOOKUP_\w+|X509_STORE_load\w*|'
    r'X509_STORE_set_default_paths\w*|OSSL_STORE_\w+|curl_\w+|'
    r'ldap_(?!filter_check|url_read)\w+|ub_\w+|'
    r'system|popen|posix_spawnp?|exec[lv]\w*|fexecve)$')


def wanted_symbols(name):
    """What an archive needs and nobody in it gives, by object."""
    out = base.must_run([base.need('nm'), '-A', '-u',
                         os.path.join(base.BUILD, name)])
    for line in out.decode('utf-8', 'replace').splitlines():
        path, _, symbol = line.rpartition(' U ')
        if path:
            yield path.split(':')[1], symbol.split('@')[0]


def check_archive(name, may=()):
    """may: symbols, or (object, symbol)."""
    seen = 0
    for place, symbol in wanted_symbols(name):
        seen += 1
        check(symbol in may or (place, symbol) in may or
              not NETWORK.match(symbol), '%s: %s needs %s' %
              (name, place, symbol))
    check(seen > 20, '%s: only %d symbols seen' % (name, seen))


@test
def A56_no_network_call_in_the_libraries_that_read_mail():
    for name in ('libsmime.a', 'libkeystore.a', 'libgateway.a'):
        check_archive(name)
    # what daemons begin with; no program that reads mail calls it then
    check_archive('libutil.a', may=[(o, s) for o in ('child.o', 'listen.o',
                                                     'notify.o')
                                    for s in ('socket', 'socketpair',
                                              'connect', 'bind', 'listen',
                                              'sendto')] +
                  [('metrics_http.o', 'accept4')])


@test
def A56_no_network_call_in_the_command():
    # to a child of its own; doctor asks whether our own sockets answer, and
    # postconf, without a shell; policy writes addresses as numbers, and
    # policy probe is a try of a host that somebody asked for
    check_archive('libcli.a', may=('socketpair',
                                   ('policy.o', 'getnameinfo'),
                                   ('probe_hosts.o', 'getaddrinfo'),
                                   ('probe_hosts.o', 'getnameinfo'),
                                   ('doctor_own.o', 'socket'),
                                   ('doctor_own.o', 'connect'),
                                   ('doctor_relay.o', 'socket'),
                                   ('doctor_relay.o', 'connect'),
                                   ('postconf_run.o', 'execve')))


@test
def A56_nobody_but_fetch_calls_what_fetches():
    def clients(name):
        return {s for _, s in wanted_symbols(name)
                if re.match(r'(curl|ldap|ub)_', s)}
    equal(clients('libmilter-side.a'), set(), 'of the milter')
    check({'curl_easy_init', 'ldap_initialize', 'ub_resolve_async'} <=
          clients('libfetch.a'), 'of fetch', str(clients('libfetch.a')))


@test
def A56_this_check_knows_a_network_call():
    found = [s for _, s in wanted_symbols('libmilter-side.a')
             if NETWORK.match(s)]
    check('accept4' in found, 'doors are listened at, but: %s' % found)


if __name__ == '__main__':
    base.main()
