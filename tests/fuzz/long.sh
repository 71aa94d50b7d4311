#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
#
# make fuzz: every target named, one after the other, for FUZZ_SECONDS each.
# With libFuzzer, if clang has it, and a growing corpus in build-fuzz/corpus;
# else with tests/fuzz/driver.c. What ends a target stays in
# tests/fuzz/TARGET/regression-*. Ends badly if anything was found.
set -eu
cd "$(dirname "$0")/../.."

MAKE=${MAKE:-make}
seconds=${FUZZ_SECONDS:-1800}
san=$FUZZ_SAN
found=0

has_libfuzzer() {
	command -v clang >/dev/null 2>&1 || return 1
	mkdir -p build-fuzz
	printf '%s\n' '#include <stddef.h>' \
	    'int LLVMFuzzerTestOneInput(const char *p, size_t n);' \
	    'int LLVMFuzzerTestOneInput(const char *p, size_t n)' \
	    '{ return p != 0 && n == 1 ? 0 : 0; }' >build-fuzz/try.c
	clang -fsanitize=fuzzer -o build-fuzz/try build-fuzz/try.c \
	    >/dev/null 2>&1
}

build() {
	if [ "$mode" = libfuzzer ]; then
		# The driver writes what targets make themselves.
		$MAKE -s BUILD=build-fuzz CC=clang HARDEN= OPT="-O1 -g" \
		    SAN="$san -fsanitize=fuzzer-no-link" fuzz-clang
		$MAKE -s BUILD=build-fuzz/plain fuzz-build
	else
		$MAKE -s BUILD=build-fuzz/plain SAN="$san" HARDEN= \
		    OPT="-O1 -g" fuzz-build
	fi
}

testdata() {
	case $1 in
	fuzz_cms*) echo "${POSTSEAL_TESTDATA:-../shared/testdata}/fuzz-cms" ;;
	esac
}

with_libfuzzer() {
	corpus=build-fuzz/corpus/$1
	mkdir -p "$corpus" "tests/fuzz/$1"
	build-fuzz/plain/tests/fuzz/"$1" --seeds "$corpus"
	set -- "$1" "$corpus" "tests/fuzz/$1"
	more=$(testdata "$1")
	if [ -d "$more" ]; then
		set -- "$@" "$more"
	fi
	name=$1
	shift
	build-fuzz/fuzz/"$name" -max_total_time="$seconds" -timeout=60 \
	    -max_len=16384 -rss_limit_mb=2048 -report_slow_units=1000 \
	    -print_final_stats=1 -dict="tests/fuzz/$name.dict" \
	    -artifact_prefix="tests/fuzz/$name/regression-" "$@"
}

if has_libfuzzer; then mode=libfuzzer; else mode=driver; fi
build
for t in "$@"; do
	echo "== $t: $seconds s, $mode"
	if [ "$mode" = libfuzzer ]; then
		with_libfuzzer "$t" </dev/null || found=1
	else
		FUZZ_SECONDS=$seconds build-fuzz/plain/tests/fuzz/"$t" \
		    </dev/null || found=1
	fi
done
[ "$found" -eq 0 ] || echo "found something: see tests/fuzz/*/regression-*"
exit "$found"
