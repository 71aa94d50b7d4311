#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
#
# A new bare Debian folder, a fresh clone of this project in it, and there
# ./run COMMAND (check by default). Root only; nothing outside build/ changes.
# Packages are kept in build/debs-SUITE, so that a second run is quick; the
# folder itself is new every time.
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

echo "./run $command in $folder"
in_folder sh -c "cd /root/postseal && ./run $command"
