# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# shellcheck shell=sh
#
# Sourced: a bare Debian in a folder of build/, from the mirrors that apt of
# this machine knows, with packages kept in build/debs-SUITE. What is missing
# ends the script with 69 and a sentence.
: "${top:?the root of this project}" "${suite:?}" "${folder:?}"

stopped() {
	echo "$*" >&2
	exit 69
}

# Mounts that nobody else sees and that go with the last process, however
# it ends: call first, with "$0" "$@".
own_mounts() {
	[ "$(id -u)" -eq 0 ] || stopped "debootstrap needs root"
	command -v debootstrap >/dev/null ||
	    stopped "debootstrap is not installed"
	[ -z "${POSTSEAL_OWN_MOUNTS-}" ] || return 0
	unshare -m --propagation private true 2>/dev/null ||
	    stopped "this machine does not allow mounts of one's own"
	POSTSEAL_OWN_MOUNTS=1 exec unshare -m --propagation private "$@"
}

# The mirrors of this machine, whatever they are: of each Debian suite that
# apt knows the address, once for the main archive and once for security.
find_mirrors() {
	# shellcheck disable=SC2016 # apt's variables
	targets=$(apt-get indextargets \
	    --format '$(ORIGIN)|$(SUITE)|$(LABEL)|$(SITE)' \
	    'Created-By: Packages' 2>/dev/null | grep '^Debian|' || :)
	main=$(printf '%s\n' "$targets" | grep -v -i security | head -n 1)
	main=${main##*|}
	security=$(printf '%s\n' "$targets" | grep -i '|Debian-Security|' |
	    head -n 1)
	security=${security##*|}
	[ -n "$main" ] || stopped "apt knows no Debian mirror: apt-get update"
}

keep_packages() {
	if [ -d "$folder/var/cache/apt/archives" ]; then
		mkdir -p "$cache"
		find "$folder/var/cache/apt/archives" -maxdepth 1 \
		    -name '*.deb' -exec cp -u {} "$cache/" \;
	fi
}

leave() {
	status=$?
	trap - EXIT INT TERM
	keep_packages
	exit "$status"
}

apt_sources() {
	echo "deb $main $suite main"
	[ "$suite" != sid ] || return 0
	echo "deb $main $suite-updates main"
	if [ -n "$security" ]; then
		echo "deb $security $suite-security main"
	fi
}

# make_folder: anew, with the way to the mirrors and /proc.
make_folder() {
	cache=$top/build/debs-$suite
	find_mirrors
	rm -rf --one-file-system "$folder"
	mkdir -p "$folder" "$cache"
	trap leave EXIT
	trap 'exit 130' INT TERM
	echo "debootstrap $suite from $main"
	debootstrap --variant=minbase --cache-dir="$cache" "$suite" \
	    "$folder" "$main" >"$folder.log" 2>&1 || {
		tail -n 5 "$folder.log" >&2
		exit 69
	}
	apt_sources >"$folder/etc/apt/sources.list"
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
	# debootstrap made the few devices that are needed; where a
	# container did not let it, this says so.
	[ -c "$folder/dev/null" ] ||
	    stopped "cannot make devices in $folder/dev"
	# its root is a mount, so that what runs there can have its own ones
	mount --bind "$folder" "$folder"
	mount -t proc proc "$folder/proc"
	# terminals, for what asks at one
	mkdir -p "$folder/dev/pts"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts \
	    "$folder/dev/pts" || echo "no terminals in $folder" >&2
	ln -sf pts/ptmx "$folder/dev/ptmx"
}

in_folder() {
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
	    TERM=dumb DEBIAN_FRONTEND=noninteractive chroot "$folder" "$@"
}
