#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Finds a clang that can build the kernel side: the first candidate that
# compiles the CO-RE question "does this type match the kernel's"; clang 14
# and older die on it. Prints its name and the include flags that let
# -target bpf see <linux/types.h>. The answer is kept in the file CACHE.
#
#     find-clang.sh CACHE|- CANDIDATE...    "-" keeps nothing; exit 1: none, and why, in one line
set -euo pipefail

cache=$1
shift
if [ $# = 0 ]; then
	set -- clang-16 clang-19 clang-18 clang-17 clang-15 clang
fi

say() { printf 'synfin: %s\n' "$*" >&2; }

# The line "asked for", then the answer; good as long as that clang is there.
if [ -f "$cache" ] && { read -r asked && read -r answer; } <"$cache" && [ "$asked" = "$*" ] &&
	command -v "${answer%% *}" >/dev/null; then
	[ "${V:-0}" != 1 ] || say "BPF is compiled by ${answer%% *} (kept in $cache)"
	printf '%s\n' "$answer"
	exit 0
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# Kind 2 is TYPE_MATCHES (enum bpf_type_info_kind, LLVM since 15).
cat >"$dir/probe.c" <<'EOF'
struct probe {
	int a;
} __attribute__((preserve_access_index));
int probe(void)
{
	return __builtin_preserve_type_info(*(struct probe *)0, 2);
}
EOF

# A refused clang crashes: keep what it leaves behind in our directory.
compiles() {
	TMPDIR=$dir LLVM_DISABLE_SYMBOLIZATION=1 "$1" -target bpf -mcpu=v2 -O2 -g \
		-c "$dir/probe.c" -o "$dir/probe.o" >"$dir/log" 2>&1
}

include_flags() {
	"$1" -v -E -x c - </dev/null 2>&1 | sed -n \
		'/<\.\.\.> search starts/,/^End of search/ s| \(/[^ ]*\)$|-idirafter \1|p' | tr '\n' ' '
}

# Whole or not at all: another make may read it now. Only ever a file of our own.
keep() {
	[ "$cache" != - ] || return 0
	[ ! -e "$cache" ] || [ -f "$cache" ] || return 0
	mkdir -p "$(dirname "$cache")"
	printf '%s\n' "$@" >"$cache.$$"
	mv "$cache.$$" "$cache"
}

refused=()
for clang in "$@"; do
	if ! command -v "$clang" >/dev/null; then
		refused+=("$clang: not installed")
	elif ! compiles "$clang"; then
		version=$("$clang" -dumpversion 2>/dev/null) || version=unknown
		refused+=("$clang: version $version cannot compile CO-RE type matches")
	else
		answer="$clang $(include_flags "$clang")"
		keep "$*" "$answer"
		if [ "${V:-0}" = 1 ]; then
			say "BPF is compiled by $clang"
			for why in "${refused[@]}"; do say "  not by $why"; done
		fi
		printf '%s\n' "$answer"
		exit 0
	fi
done
why=$(printf '; %s' "${refused[@]}")
say "no clang can compile the kernel side (15 or newer is needed): ${why:2}"
exit 1
