#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
#
# build/interop-SUITE: a bare Debian with the programs that make interop
# talks to. Made once; made again when the list of packages changes or with
# --new. Nothing outside build/ changes, and no mail server is installed.
set -eu
cd "$(dirname "$0")/../.."

new=
if [ "${1-}" = --new ]; then
	new=1
	shift
fi
suite=${1:?usage: tests/interop/folder.sh [--new] bookworm|trixie|sid}
top=$PWD
folder=$top/build/interop-$suite
stamp=$folder/complete

packages="openssl gpgsm gpg-agent gnupg libnss3-tools mutt neomutt notmuch
    s-nail libcrypt-smime-perl"
# One suite has Java.
if [ "$suite" = trixie ]; then
	packages="$packages default-jdk-headless libbcmail-java
	    libbcpkix-java libbcprov-java"
fi
# shellcheck disable=SC2086 # names are words
packages=$(printf '%s ' $packages)

[ -z "$new" ] || rm -f "$stamp"
if [ "$(cat "$stamp" 2>/dev/null)" = "${packages% }" ]; then
	exit 0
fi
# shellcheck source=tests/debian_folder.sh
. tests/debian_folder.sh
own_mounts tests/interop/folder.sh "$@"
make_folder

echo "installing the peers in $folder"
log=$folder.log
# shellcheck disable=SC2086 # names are words
# A mirror that stands still has an expired list of sid; it is signed.
if ! { in_folder apt-get -q -o Acquire::Check-Valid-Until=false update &&
    in_folder apt-get -q -y \
    --no-install-recommends install $packages; } >>"$log" 2>&1; then
	tail -n 5 "$log" >&2
	stopped "apt-get failed in $folder; all it said is in $log"
fi
# shellcheck disable=SC2016 # dpkg-query's variables
if in_folder dpkg-query -W -f '${Status} ${Provides}\n' |
    grep '^install ok installed.*mail-transport-agent'; then
	stopped "a mail server came with the packages of $suite"
fi
keep_packages
in_folder apt-get clean
echo "${packages% }" >"$stamp"
