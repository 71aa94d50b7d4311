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
cache=$top/build/debs-$suite
stopped() {
	echo "$*" >&2
	exit 69
}

[ "$(id -u)" -eq 0 ] || stopped "debootstrap needs root"
command -v debootstrap >/dev/null || stopped "debootstrap is not installed"

# The mirrors of this machine, whatever they are: of each Debian suite that
# apt knows the address, once for the main archive and once for security.
# shellcheck disable=SC2016 # apt's variables
targets=$(apt-get indextargets --format '$(ORIGIN)|$(SUITE)|$(LABEL)|$(SITE)' \
    'Created-By: Packages' 2>/dev/null | grep '^Debian|' || :)
main=$(printf '%s\n' "$targets" | grep -v -i security | head -n 1)
main=${main##*|}
security=$(printf '%s\n' "$targets" | grep -i '|Debian-Security|' |
    head -n 1)
security=${security##*|}
[ -n "$main" ] || stopped "apt knows no Debian mirror: run apt-get update"

# What a run mounted goes before anything is removed.
unmount() {
	if mountpoint -q "$folder/proc"; then
		umount "$folder/proc" || umount -l "$folder/proc"
	fi
}
leave() {
	status=$?
	trap - EXIT INT TERM
	unmount
	if [ -d "$folder/var/cache/apt/archives" ]; then
		mkdir -p "$cache"
		find "$folder/var/cache/apt/archives" -maxdepth 1 \
		    -name '*.deb' -exec cp -u {} "$cache/" \;
	fi
	exit "$status"
}
unmount
rm -rf --one-file-system "$folder"
mkdir -p "$folder" "$cache"
trap leave EXIT
trap 'exit 130' INT TERM

echo "debootstrap $suite from $main"
debootstrap --variant=minbase --cache-dir="$cache" "$suite" "$folder" \
    "$main" >"$folder.log" 2>&1 || {
	tail -n 5 "$folder.log" >&2
	exit 69
}
{
	echo "deb $main $suite main"
	echo "deb $main $suite-updates main"
	if [ -n "$security" ]; then
		echo "deb $security $suite-security main"
	fi
} >"$folder/etc/apt/sources.list"
# Keep what is downloaded: copied back to the cache at the end.
rm -f "$folder/etc/apt/apt.conf.d/docker-clean"
find "$cache" -maxdepth 1 -name '*.deb' \
    -exec cp -t "$folder/var/cache/apt/archives" {} +
# A way to the mirror, if this machine needs one.
for f in /etc/resolv.conf /etc/hosts; do
	cp -L "$f" "$folder$f" 2>/dev/null || :
done
apt-config dump | grep -E '^Acquire::https?::(proxy|timeout)' \
    >"$folder/etc/apt/apt.conf.d/99machine" || :

# A fresh clone: what is committed, nothing else.
git -c safe.directory='*' clone -q "file://$top" "$folder/root/postseal"

mount -t proc proc "$folder/proc"
# debootstrap made the few devices that are needed; where a container did not
# let it, this says so.
[ -c "$folder/dev/null" ] || stopped "cannot make devices in $folder/dev"

echo "./run $command in $folder"
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    TERM=dumb chroot "$folder" sh -c "cd /root/postseal && ./run $command"
