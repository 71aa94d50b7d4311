#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
#
# The figures of doc/BENCHMARKS.md, measured on this machine.
#
# usage: tests/bench/bench.sh [BUILD]
#
# A folder of its own with a test CA and two milters, one for mail that
# leaves example.com and one for mail that comes to example.org, beside a
# null milter; all on unix sockets. Every figure of ours stands beside those
# of the null milter and of the bare OpenSSL calls from the same round, so
# that a slow moment of the machine hits all three. Set
#
#   ROUNDS=3 SECONDS_EACH=0.6 SIZES="5K 1M" CONNECTIONS="1 16"
#   OPERATIONS="sign-rsa ..." MEMORY="10M 200M" BENCH_KEEP=1 WORKERS=4
#
# to change what is run. What was started is ended by its process id.
set -eu
cd "$(dirname "$0")/../.."

build=${1:-build}
rounds=${ROUNDS:-3}
seconds=${SECONDS_EACH:-0.6}
sizes=${SIZES-5K 1M}
connections=${CONNECTIONS:-1 16}
operations=${OPERATIONS:-sign-rsa sign-ec encrypt-rsa encrypt-ec both-rsa \
both-ec open-rsa open-ec openboth-ec}
memory=${MEMORY-10M 200M}
workers=${WORKERS:-4}

postseal=$build/postseal
milter=$build/postseal-milter
mfload=$build/tests/bench/mfload
nullmilter=$build/tests/bench/nullmilter
cryptobase=$build/tests/bench/cryptobase
cores=$(getconf _NPROCESSORS_ONLN)
hertz=$(getconf CLK_TCK)
user=proxy
keys_user=backup

fail() {
	echo "bench: $*" >&2
	exit 1
}

# ---- folder and processes ----

pids=
tmp=
stop_all() {
	for p in $pids; do
		kill "$p" 2>/dev/null || :
	done
	for p in $pids; do
		wait "$p" 2>/dev/null || :
	done
	pids=
	if [ -n "$tmp" ] && [ -z "${BENCH_KEEP:-}" ]; then
		rm -rf "$tmp"
	fi
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say() {
	[ ! -t 2 ] || printf '\r\033[K%s' "$*" >&2
}

# The process given last in $!, which must come to listen on $1.
await() {
	p=$!
	pids="$pids $p"
	n=0
	until [ -S "$1" ]; do
		n=$((n + 1))
		kill -0 "$p" 2>/dev/null || fail "$1: $(tail -n 3 "$1.log")"
		[ $n -lt 200 ] || fail "nobody listens on $1"
		sleep 0.05
	done
}

# ---- configuration ----

# conf NAME DOMAIN
conf() {
	cat <<EOF
local-domains    $2
keystore         sqlite "$tmp/ca/keystore.db"
secret           file "$tmp/ca/secret"
rules            "$tmp/$1.rules"
authserv-id      mx.$2
spool            "$tmp/spool"
max-message-size 600M
administrator    postmaster@$2
milter {
    listen            "unix:$tmp/run/$1" mode 0666
    workers           $workers
    outbound-networks 127.0.0.0/8
$(if [ "$(id -u)" -eq 0 ]; then
	echo "    user $user"
	echo "    keys-user $keys_user"
fi)
}
EOF
}

prepare() {
	tmp=$(mktemp -d)
	chmod 755 "$tmp"
	mkdir "$tmp/run" "$tmp/spool"
	"$postseal" init --dir "$tmp/ca" --domain example.com >/dev/null
	conf out example.com >"$tmp/out.conf"
	conf in example.org >"$tmp/in.conf"
	cat >"$tmp/out.rules" <<-EOF
		outbound to @example.net        : sign
		outbound from bob@example.com   : encrypt
		outbound                        : sign, encrypt
		inbound                         : pass
	EOF
	cat >"$tmp/in.rules" <<-EOF
		outbound                        : pass
		inbound                         : decrypt, verify
	EOF
	ca="$postseal -c $tmp/out.conf ca"
	$ca init --name "Bench CA" >/dev/null
	for x in alice@example.com,rsa:2048 carol@example.com,ec:p256 \
	    bob@example.org,ec:p256 dave@example.org,rsa:2048; do
		$ca issue --email "${x%,*}" --algorithm "${x#*,}" >/dev/null
	done
	if [ "$(id -u)" -eq 0 ]; then
		chown -R "$user:" "$tmp/ca" "$tmp/run" "$tmp/spool"
		chown root: "$tmp/ca/secret"
	fi
	"$nullmilter" replace "$tmp/run/null" 2>"$tmp/run/null.log" &
	await "$tmp/run/null"
	null_pid=$p
	start_milter out
	out_pid=$p
	start_milter in
	in_pid=$p
}

# start_milter out|in; its pid is then in $p
start_milter() {
	"$milter" -c "$tmp/$1.conf" >"$tmp/run/$1.log" 2>&1 &
	await "$tmp/run/$1"
}

# ---- messages ----

octets() {
	case $1 in
	*K) echo $((${1%K} * 1024)) ;;
	*M) echo $((${1%M} * 1048576)) ;;
	*) echo "$1" ;;
	esac
}

# message FROM SIZE: small ones are text, large ones have an attachment.
message() {
	cat <<-EOF
		From: $1
		To: undisclosed-recipients:;
		Subject: Figures of the third quarter
		Date: Sat, 21 Nov 2026 10:00:00 +0000
		Message-ID: <bench-$2@example.com>
		MIME-Version: 1.0
	EOF
	want=$(octets "$2")
	if [ "$want" -lt 65536 ]; then
		printf 'Content-Type: text/plain; charset=us-ascii\n\n'
		awk -v n=$((want - 260)) 'BEGIN {
			s = "Some words that stand for the text of a letter."
			for (i = 0; i < n; i += length(s) + 1)
				print s
		}'
		return
	fi
	cat <<-EOF
		Content-Type: multipart/mixed; boundary=b1

		--b1
		Content-Type: text/plain; charset=us-ascii

		See the attachment.
		--b1
		Content-Type: application/octet-stream; name=f.bin
		Content-Transfer-Encoding: base64

	EOF
	head -c $((want * 57 / 78)) /dev/zero | openssl enc -aes-128-ctr \
	    -K 00112233445566778899aabbccddeeff -iv 00 2>/dev/null | base64
	printf -- '--b1--\n'
}

# What each operation sends: side, sender, recipient, login.
parameters() {
	case $1 in
	sign-rsa) echo out alice@example.com carol@example.net alice ;;
	sign-ec) echo out carol@example.com bob@example.net carol ;;
	encrypt-rsa) echo out bob@example.com dave@example.org bob ;;
	encrypt-ec) echo out bob@example.com bob@example.org bob ;;
	both-rsa) echo out alice@example.com dave@example.org alice ;;
	both-ec) echo out alice@example.com bob@example.org alice ;;
	open-rsa) echo in bob@example.com dave@example.org - ;;
	open-ec) echo in bob@example.com bob@example.org - ;;
	openboth-ec) echo in alice@example.com bob@example.org - ;;
	*) fail "no operation $1" ;;
	esac
}

title() {
	case $1 in
	sign-rsa) echo "sign, RSA-2048" ;;
	sign-ec) echo "sign, P-256" ;;
	encrypt-rsa) echo "encrypt to RSA-2048" ;;
	encrypt-ec) echo "encrypt to P-256" ;;
	both-rsa) echo "sign + encrypt, RSA, to RSA" ;;
	both-ec) echo "sign + encrypt, RSA, to P-256" ;;
	open-rsa) echo "open, RSA-2048" ;;
	open-ec) echo "open, P-256" ;;
	openboth-ec) echo "open + verify, P-256, RSA" ;;
	esac
}

# load OPERATION SOCKET FILE [options]: mfload as this operation's MTA
load() {
	what=$1 sock=$2 eml=$3
	shift 3
	# shellcheck disable=SC2046 # four words
	set -- $(parameters "$what") "$@"
	from=$2 to=$3 login=$4
	shift 4
	if [ "$login" = - ]; then
		set -- --client 192.0.2.1 "$@"
	else
		set -- --client 127.0.0.1 --auth "$login" "$@"
	fi
	"$mfload" -s "$sock" --from "$from" --rcpt "$to" "$@" "$eml"
}

side() {
	# shellcheck disable=SC2046 # four words
	set -- $(parameters "$1")
	echo "$1"
}

side_pid() {
	case $(side "$1") in
	out) echo "$out_pid" ;;
	in) echo "$in_pid" ;;
	esac
}

# What seals the input of an operation that opens.
source_of() {
	case $1 in
	open-*) echo "encrypt-${1#open-}" ;;
	openboth-*) echo "both-${1#openboth-}" ;;
	esac
}

# input OPERATION SIZE: its message, made when it is first wanted. What is
# opened was sealed by the outgoing side.
input() {
	[ ! -f "$tmp/$1.$2" ] || return 0
	if [ -n "$(source_of "$1")" ]; then
		input "$(source_of "$1")" "$2"
		from_op=$(source_of "$1")
		load "$from_op" "$tmp/run/out" "$tmp/$from_op.$2" \
		    -o "$tmp/$1.$2" --expect replaced >"$tmp/report" 2>&1 ||
		    fail "$from_op $2: $(cat "$tmp/report")"
		return 0
	fi
	f=$tmp/$1.$2
	# shellcheck disable=SC2046 # four words
	set -- $(parameters "$1") "$2"
	message "$2" "$5" >"$f"
}

# ---- rates ----

# A process and all below it.
family() {
	cat /proc/[0-9]*/stat 2>/dev/null | awk -v top="$1" '
		{
			pid = $1
			sub(/^.*[)] . /, "")
			above[pid] = $1
		}
		END {
			print top
			for (p in above) {
				x = p
				while (x in above && above[x] != top)
					x = above[x]
				if (x in above)
					print p
			}
		}'
}

# Clock ticks that a process and all below it have used.
ticks() {
	for q in $(family "$1"); do
		cat "/proc/$q/stat" 2>/dev/null || :
	done | awk '{ sub(/^.*[)] /, ""); n += $12 + $13 } END { print n + 0 }'
}

# cost PID OPERATION SOCKET FILE options: as load, and the processor time of
# that filter, ms a message, behind it.
cost() {
	pid=$1
	shift
	before=$(ticks "$pid")
	figures=$(load "$@" --brief --expect replaced)
	after=$(ticks "$pid")
	echo "$figures $((after - before)) $hertz" |
	    awk '{ print $1, $2, $3, 1000 * $5 / $6 / ($4 ? $4 : 1) }'
}

# One row: rounds of null, ours and bare calls, then the medians.
row() {
	op=$1 size=$2 conns=$3
	input "$op" "$size"
	file=$tmp/$op.$size
	procs=$cores
	[ "$conns" -ge "$cores" ] || procs=$conns
	: >"$tmp/rows"
	n=0
	while [ $n -lt "$rounds" ]; do
		n=$((n + 1))
		say "$op $size, $conns connections, round $n of $rounds"
		null=$(cost "$null_pid" "$op" "$tmp/run/null" "$file" \
		    -c "$conns" -t "$seconds" -w 0.1)
		ours=$(cost "$(side_pid "$op")" "$op" \
		    "$tmp/run/$(side "$op")" "$file" -c "$conns" \
		    -t "$seconds" -w 0.2)
		bare=$("$cryptobase" -t 0.3 -p "$procs" \
		    -s "$(octets "$size")" "$op")
		echo "$null $ours $bare" >>"$tmp/rows"
	done
	say ""
	# null: 1 rate, 2 p50, 3 p99, 4 cost; ours: 5 to 8; bare: 12 rate, 13
	awk -v t="$(title "$op")" -v size="$size" -v c="$conns" \
	    -v costs="$tmp/costs" '
		function median(v, n,   i, j, x) {
			for (i = 2; i <= n; i++)
				for (j = i; j > 1 && v[j - 1] > v[j]; j--) {
					x = v[j]; v[j] = v[j - 1]
					v[j - 1] = x
				}
			return v[int((n + 1) / 2)]
		}
		function show(x) {
			return sprintf(x < 100 ? "%.1f" : "%.0f", x)
		}
		{
			null[NR] = $1; null99[NR] = $3
			ours[NR] = $5; p50[NR] = $6; p99[NR] = $7
			cost[NR] = $8; nullcost[NR] = $4; barecost[NR] = $13
			share[NR] = $8 > 0 ? ($4 + $13) / $8 : 0
			bare[NR] = $12
			comp[NR] = 1 / (1 / $1 + 1 / $12)
			ratio[NR] = $5 / comp[NR]
		}
		END {
			printf "| %s | %s | %s | %s | %s | %s | %s | %.2f " \
			    "| %.2f | %.2f | %.2f |\n", t, size, c,
			    show(median(ours, NR)), show(median(null, NR)),
			    show(median(bare, NR)), show(median(comp, NR)),
			    median(ratio, NR), median(p50, NR),
			    median(p99, NR), median(null99, NR)
			printf "| %s | %s | %s | %.2f | %.2f | %.2f | %.2f " \
			    "|\n", t, size, c, median(cost, NR),
			    median(nullcost, NR), median(barecost, NR),
			    median(share, NR) >>costs
		}' "$tmp/rows"
}

table() {
	cat <<-EOF
		Rates in messages per second; null: a milter that hands the
		same body back; bare: the OpenSSL calls alone; together:
		1/(1/null + 1/bare); ratio: ours / together, median of the
		rounds; p50 and p99 of one message in ms.

	EOF
	echo "| operation | size | conn | ours | null | bare | together |" \
	    "ratio | p50 | p99 | null p99 |"
	echo "|---|---|---|---|---|---|---|---|---|---|---|"
	: >"$tmp/costs"
	for size in $sizes; do
		for op in $operations; do
			for conns in $connections; do
				row "$op" "$size" "$conns"
			done
		done
	done
	cat <<-EOF

		Processor time in ms a message, which other programs on the
		machine do not change much: all our processes, the null
		milter, the OpenSSL calls alone; ratio: (null + bare) / ours.

		| operation | size | conn | ours | null | bare | ratio |
		|---|---|---|---|---|---|---|
	EOF
	cat "$tmp/costs"
	echo
}

# 25 MB signed and encrypted, beside what touches every octet.
bulk() {
	input both-ec 25M
	say "25M"
	ours=$(load both-ec "$tmp/run/out" "$tmp/both-ec.25M" -n 8 --brief \
	    --expect replaced)
	b64=$("$cryptobase" -t 0.5 -p 1 -s "$(octets 25M)" base64)
	aes=$("$cryptobase" -t 0.5 -p 1 -s "$(octets 25M)" sha-aes)
	say ""
	echo "$ours $b64 $aes" | awk '{
		slow = $8 < $13 ? $8 : $13
		printf "25M, sign + encrypt, one connection: %.0f MB/s; " \
		    "base64 alone %.0f, SHA-256 + AES-256-CBC alone %.0f; " \
		    "to the slower: %.2f\n\n", $1 * 25, $8 * 25, $13 * 25,
		    $1 / slow
	}'
}

# ---- memory ----

# Peak resident memory in MiB by kind of process; workers: the largest.
peaks() {
	for q in $(family "$1"); do
		name=$(cat "/proc/$q/comm")
		case $name in
		postseal:*) name=${name#postseal:} ;;
		*) name=parent ;;
		esac
		echo "$name $(awk '/^VmHWM/ { print $2 }' \
		    "/proc/$q/status")"
	done | awk '{
		if ($2 > max[$1]) max[$1] = $2
		n[$1]++
	}
	function show(k) {
		return k in max ? sprintf("%.1f", max[k] / 1024) : "-"
	}
	END {
		printf "| %s | %s | %s | %s |", show("parent"),
		    show("front"), show("worker"), show("keys")
		print " " show("store") " |"
	}'
}

# A new milter of that side, its socket $fresh, its pid $p. The last one is
# not waited for, as libmilter takes seconds to end.
serial=0
start_fresh() {
	serial=$((serial + 1))
	fresh=$1-$serial
	sed "s|run/$1\"|run/$fresh\"|" "$tmp/$1.conf" >"$tmp/$fresh.conf"
	start_milter "$fresh"
}

# measure_memory OPERATION SIZE: one message
measure_memory() {
	input "$1" "$2"
	say "memory: $1 $2"
	start_fresh "$(side "$1")"
	load "$1" "$tmp/run/$fresh" "$tmp/$1.$2" --brief \
	    --expect replaced >/dev/null
	say ""
	echo "| $(title "$1"), $2 $(peaks "$p")"
	kill "$p"
}

memory_table() {
	echo "Peak resident memory, MiB (of the workers: the largest), after"
	echo "one message in a new milter."
	echo
	echo "| | parent | front | worker | keys | store |"
	echo "|---|---|---|---|---|---|"
	start_fresh out
	sleep 1
	echo "| idle $(peaks "$p")"
	kill "$p"
	for op in sign-rsa encrypt-ec both-ec openboth-ec; do
		for size in $memory; do
			measure_memory "$op" "$size"
		done
		rm -f "$tmp"/sign-*.*M "$tmp"/encrypt-*.*M
	done
	echo
}

for x in "$postseal" "$milter" "$mfload" "$nullmilter" "$cryptobase"; do
	[ -x "$x" ] || fail "no $x: make bench builds it"
done
prepare
echo "$cores cores; $("$postseal" --version 2>/dev/null | head -n 1);" \
    "$(openssl version | cut -d' ' -f1,2); $workers workers;" \
    "$rounds rounds of $seconds s"
echo
[ -z "$sizes" ] || table
[ -n "${NO_BULK:-}" ] || bulk
[ -z "$memory" ] || memory_table
