#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
#
# A new bare Debian folder, a fresh clone of this project in it, and there
# ./run COMMAND (check by default). Root only; nothing outside build/ changes.
# Packages are kept in build/debs-SUITE, so that a second run is quick; the
# folder itself is new every time.
#
# POSTSEAL_TESTDATA is there, too, read-only.
set -eu
cd "$(dirname "$0")/.."

suite=${1:?usage: tests/debian.sh bookworm|trixie [./run command]}
command=${2:-check}
top=$PWD
folder=$top/build/debian-$suite
. tests/debian_folder.sh
own_mounts tests/debian.sh "$@"
make_folder

# A fresh clone: what is committed, nothing else.
git -c safe.directory='*' clone -q "file://$top" "$folder/root/postseal"

# What others published, where the tests look for it, if it is here.
data=${POSTSEAL_TESTDATA:-$top/../shared/testdata}
if [ -d "$data" ]; then
	mkdir -p "$folder/root/shared/testdata"
	mount --bind "$data" "$folder/root/shared/testdata"
	mount -o remount,bind,ro "$folder/root/shared/testdata"
fi

echo "./run $command in $folder"
in_folder sh -c "cd /root/postseal && ./run $command"
