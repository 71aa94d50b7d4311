#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
#
# Run several of the test tiers one after the other and count them together:
# check asan fuzz tsan interop bookworm trixie. The last line is
# "N passed, N failed, N skipped"; a tier that ends without such a line, or
# badly without a failed test, counts as one failed.
set -eu
cd "$(dirname "$0")/.."
mkdir -p build

passed=0 failed=0 skipped=0
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)

tier() {
	case $1 in
	check) ./run check ;;
	asan | tsan) make -s -j "$jobs" "$1" ;;
	fuzz) make -s -j "$jobs" fuzz-smoke ;;
	interop) make -s -j "$jobs" interop \
	    INTEROP="--peers openssl,gpgsm,nss,bc" ;;
	bookworm | trixie) tests/debian.sh "$1" check ;;
	*) echo "no such tier: $1" && return 64 ;;
	esac
}

for t in "$@"; do
	echo "== $t"
	log=build/tier-$t.log
	# The status of the tier, not of tee.
	{ tier "$t" 2>&1 && echo 0 >"$log.status" ||
	    echo $? >"$log.status"; } | tee "$log"
	status=$(cat "$log.status")
	last=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' \
	    "$log" | tail -n 1)
	if [ -n "$last" ]; then
		p=${last%% passed*}
		f=${last%% failed*} f=${f##* }
		s=${last%% skipped*} s=${s##* }
	else
		p=0 f=0 s=0
	fi
	if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
		echo "$t ended with status $status"
		f=1
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
