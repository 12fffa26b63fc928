#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Proves that tests/vm/run does what it says, on every kernel of the matrix (or those named): what
# tests rely on in the guest, and the way of bytes and exit statuses back. Run without arguments
# on the host; it runs itself, with --guest, in the guest.
# shellcheck disable=SC2016,SC2059 # what is quoted is for another shell, or for printf
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
data_bytes=8000003
guest_status=37

fail() {
	echo "selftest: $*" >&2
	exit 1
}

# until_s SECONDS COMMAND...: repeats the command until it succeeds.
until_s() {
	local deadline=$((SECONDS + $1))

	shift
	until "$@"; do
		((SECONDS < deadline)) || return 1
		sleep 0.05
	done
}

# --- in the guest -------------------------------------------------------------------------------

guest_mounts() {
	local dir

	[[ -s /sys/kernel/btf/vmlinux ]] || fail "no BTF"
	[[ -d /sys/kernel/tracing/events/sock ]] || fail "no tracefs"
	[[ -d /sys/kernel/debug/tracing ]] || fail "no debugfs"
	[[ -e /sys/fs/cgroup/cgroup.procs ]] || fail "no cgroup2"
	for dir in /sys/fs/bpf /tmp /run /dev/shm; do
		touch "$dir/x" 2>/dev/null || mkdir "$dir/x" || fail "cannot write to $dir"
	done
	grep -q ' /sys/fs/bpf bpf ' /proc/mounts || fail "no bpffs"
	until_s 10 grep -qx tsc /sys/devices/system/clocksource/clocksource0/current_clocksource ||
		fail "the clock is not the TSC"
}

# Namespace a (10.9.0.1) and b (10.9.0.2), 20 ms from a to b.
guest_net() {
	ip netns add a
	ip netns add b
	ip link add va netns a type veth peer name vb netns b
	ip -n a address add 10.9.0.1/24 dev va
	ip -n b address add 10.9.0.2/24 dev vb
	ip -n a link set va up
	ip -n b link set vb up
	ip -n b link set lo up
	tc -n a qdisc add dev va root netem delay 20ms
}

# The mean round trip of 3 pings, whole ms.
guest_ping_ms() {
	ip netns exec a ping -c 3 -i 0.2 -W 2 10.9.0.2 |
		sed -nE 's|^round-trip [^=]*= [0-9.]+/([0-9]+).*|\1|p'
}

listens() {
	ip netns exec b ss -Htln "sport = :$1" | grep -q .
}

guest_tcp() {
	local got

	ip netns exec b sh -c 'echo question answered | nc -l -p 7777 >/tmp/heard' &
	until_s 10 listens 7777 || fail "ss sees no listener (tcp_diag)"
	got=$(echo question | ip netns exec a nc -w 5 10.9.0.2 7777)
	[[ $got == 'question answered' ]] || fail "TCP: got '$got'"
	wait
	[[ $(cat /tmp/heard) == question ]] || fail "TCP: '$(cat /tmp/heard)' arrived"
}

guest_nft() {
	ip netns exec b nft -f - <<-'EOF'
		table inet t {
			chain in {
				type filter hook input priority 0
				ct state established counter accept
				tcp dport 7778 counter reject with tcp reset
				tcp dport 7779 reject with icmpx type admin-prohibited
			}
			chain pre {
				type nat hook prerouting priority -100
				tcp dport 7780 redirect to :7777
			}
		}
	EOF
	! ip netns exec a nc -w 5 10.9.0.2 7778 </dev/null 2>/tmp/nc.err ||
		fail "nft did not reject"
	grep -q refused /tmp/nc.err || fail "no reset: $(cat /tmp/nc.err)"
	ip netns exec b nft list chain inet t in | grep -q 'counter packets 1 .*reject' ||
		fail "the reject rule counted nothing"
}

guest() {
	local ping_ms

	uname -r
	guest_mounts
	guest_net
	ping_ms=$(guest_ping_ms)
	((ping_ms >= 20 && ping_ms < 200)) || fail "ping took '$ping_ms' ms, not 20"
	guest_tcp
	guest_nft
	tc -n b qdisc add dev vb root fq || fail "a module is not loaded on demand"
	[[ $(printf '%s|' "$@") == 'two words|$HOME|*|' ]] || fail "arguments changed: $*"
	[[ ! -t 0 && -z $(cat) ]] || fail "there is something on standard input"
	mkdir -p '/out/a b'
	head -c "$data_bytes" /dev/urandom >'/out/a b/data'
	: >/out/empty
	sha256sum <'/out/a b/data'
	echo to stderr >/dev/stderr
	exit "$guest_status"
}

# --- on the host --------------------------------------------------------------------------------

# Sets $status, and leaves what was printed in $work/out and $work/err.
run() {
	status=0
	"$here/run" "$@" >"$work/out" 2>"$work/err" || status=$?
}

bad() {
	sed 's/^/    /' "$work/out" "$work/err" >&2
	fail "$@"
}

check_kernel() {
	local kernel=$1 release sum

	release=$("$here/kernels.sh" "$kernel" | cut -f 2)
	rm -rf "$work/dir"
	run "$kernel" --verbose --out "$work/dir" --file "$here/selftest.sh:/test/selftest.sh" -- \
		bash /test/selftest.sh --guest 'two words' '$HOME' '*'
	[[ $status == "$guest_status" ]] || bad "$kernel: status $status, not $guest_status"
	[[ $(head -n 1 "$work/out") == "$release" ]] || bad "$kernel: not $release"
	sum=$(sha256sum <"$work/dir/a b/data")
	[[ $(tail -n 1 "$work/out") == "$sum" ]] || bad "$kernel: /out differs"
	[[ $(stat -c %s "$work/dir/a b/data") == "$data_bytes" ]] || bad "$kernel: /out is cut off"
	[[ -e $work/dir/empty ]] || bad "$kernel: no empty file in /out"
	[[ $(grep -v '^run: ' "$work/err") == 'to stderr' ]] || bad "$kernel: noise in stderr"
	echo "ok $(sed -n 's/^run: //p' "$work/err")"
}

# What does not depend on the kernel: bytes on stdout, the ways to fail.
check_run() {
	local kernel=$1

	# A megabyte of every byte, read by someone slow.
	"$here/run" "$kernel" -- bash -c 'for i in {1..64}; do
		printf "$(printf "\\\\x%02x" {0..255})"
		done >b; for i in {1..64}; do cat b; done' |
		{ sleep 1 && cat; } >"$work/out"
	for _ in {1..64}; do
		printf "$(printf '\\x%02x' {0..255})"
	done >"$work/block"
	for _ in {1..64}; do
		cat "$work/block"
	done | cmp - "$work/out" || fail "stdout differs"
	echo "ok $kernel: stdout, byte for byte"

	run "$kernel" -- bash -c 'sleep 1000 & echo left; exit 3'
	[[ $status == 3 && $(cat "$work/out") == left ]] || bad "a process left behind: $status"
	echo "ok $kernel: a process left behind"

	run "$kernel" --timeout 2 -- bash -c 'echo before; sleep 1000'
	[[ $status == 124 && $(cat "$work/out") == before ]] || bad "timeout: status $status"
	grep -q '^run: .*timeout' "$work/err" || bad "timeout: not said"
	echo "ok $kernel: timeout"

	run "$kernel" --timeout 30 -- bash -c 'echo before; echo c >/proc/sysrq-trigger; sleep 60'
	[[ $status == 125 && $(cat "$work/out") == before ]] || bad "panic: status $status"
	grep -q '^run: .*panicked' "$work/err" || bad "panic: not said"
	echo "ok $kernel: panic"

	run "$kernel" --bin /no/such -- true
	[[ $status == 125 ]] || bad "a program which is not there: status $status"
	echo "ok $kernel: mistakes of the caller"
}

if [[ ${1:-} == --guest ]]; then
	shift
	guest "$@"
fi
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$here/lib.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[[ $# -gt 0 ]] || set -- "${VM_KERNELS[@]}"
for kernel in "$@"; do
	check_kernel "$kernel"
done
check_run "$1"
