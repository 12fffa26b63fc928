#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The real tree, whole, with both compilers and no warning.

setup() {
	load tree
	cd "${real:?}" || return
}

build_with() {
	make -j"$(nproc)" O="${O:-.output}/check/$1" CC="$2" WERROR=1 all sfgen
}

@test "gcc builds synfin and sfgen without a warning" {
	build_with gcc gcc
}

@test "clang builds synfin and sfgen without a warning, also without what can be left out" {
	run bpf/find-clang.sh "${O:-.output}/clang"
	[ "$status" = 0 ]
	export WITH_NCURSES=no WITH_MICROHTTPD=no
	clang=${output%% *}
	build_with clang "$clang"
	! ldd "${O:-.output}/check/clang/synfin" | grep -q ncurses || false
	run "${O:-.output}/check/clang/synfin" top
	[ "$status" = 69 ]
	[[ $output == 'synfin: this synfin was built without ncurses: '* ]]
	! ldd "${O:-.output}/check/clang/synfin" | grep -q microhttpd || false
	run "${O:-.output}/check/clang/synfin" serve --to prometheus:9435
	[ "$status" = 2 ]
	[[ $output == 'synfin: --to'*'this synfin was built without libmicrohttpd' ]]
	unset WITH_NCURSES WITH_MICROHTTPD
	export WITH_CURL=no WITH_SYSTEMD=no
	build_with clang "$clang"
	run "${O:-.output}/check/clang/synfin" serve --to otlp:http://127.0.0.1:1
	[ "$status" = 2 ]
	[[ $output == 'synfin: --to'*'this synfin was built without libcurl' ]]
	run "${O:-.output}/check/clang/synfin" serve --to journald
	[ "$status" = 2 ]
	[[ $output == 'synfin: --to'*'this synfin was built without libsystemd' ]]
}

@test "the programs build for x86-64 and arm64, with the types of the running kernel" {
	run make -j"$(nproc)" O="${O:-.output}/check/gcc" CC=gcc WERROR=1 vmlinux-check
	printf '%s\n' "$output"
	[ "$status" = 0 ]
	[[ $output == *'1..'* && $output != *'not ok'* ]]
}
