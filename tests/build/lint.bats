#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each rule of tests/lint.sh is broken once, on a tree that keeps them all:
# that rule must fail, must name the place, and no other rule may.

setup() {
	load tree
	make_tree "$BATS_TEST_TMPDIR/tree"
	# The lint under test is the real one; its copy would only be one more script to check.
	rm tests/lint.sh tests/run.sh user/dist/deps.sh bpf/find-clang.sh
}

lint() { "${real:?}/tests/lint.sh" .; }

# broken RULE-TEXT PLACE: exactly this rule fails, and names the place.
broken() {
	run lint
	echo "$output"
	[ "$status" = 1 ]
	[ "$(grep -c '^not ok' <<<"$output")" = 1 ]
	grep -q "^not ok [0-9]* - .*$1" <<<"$output"
	grep -qF "# $2" <<<"$output"
}

c_file() {
	write "$1" <<<"/* SPDX-License-Identifier: ${2:-GPL-2.0-or-later} */"
	cat >>"$1"
}

script() {
	write "$1" <<<$'#!/usr/bin/env bash\n# SPDX-License-Identifier: GPL-2.0-or-later'
	cat >>"$1"
	chmod +x "$1"
}

@test "a tree that keeps the rules passes" {
	run lint
	echo "$output"
	[ "$status" = 0 ]
	[ "${lines[0]}" = "1..$(grep -c '^ok ' <<<"$output")" ]
}

@test "what is built, and git's own, is not looked at" {
	write .output/obj/x.c <<<'no licence'
	write .git/x.c <<<'no licence'
	run lint
	[ "$status" = 0 ]
}

@test "rule: top level" {
	write extra.txt <<<x
	broken 'top level' extra.txt
}

@test "rule: licence, of C" {
	write user/base/x.h <<<'#define X 1'
	broken 'licence' user/base/x.h:1
}

@test "rule: licence, of a script's second line" {
	write tests/x.sh <<<$'#!/bin/bash\n:\n# SPDX-License-Identifier: GPL-2.0-or-later'
	chmod +x tests/x.sh
	broken 'licence' tests/x.sh:1
}

@test "rule: licence, the other side's" {
	c_file bpf/x.bpf.h </dev/null
	broken 'licence' bpf/x.bpf.h:1
}

@test "rule: no path of a machine" {
	printf 'see /%s/notes\n' work >>README.md
	broken 'path of a machine' README.md:2
}

@test "rule: no host of a mirror" {
	printf 'from %s.debian.org\n' deb >>README.md
	broken 'path of a machine' README.md:2
}

@test "rule: nothing left for later" {
	printf '/* %s%s: later */\n' TO DO >>user/base/text.c
	broken 'left for later' user/base/text.c:8
}

@test "rule: file length" {
	yes '/* x */' | head -n 600 | c_file user/base/long.h
	broken '600 lines' 'user/base/long.h: 601'
}

@test "rule: line length, tabs count 8" {
	printf '\t/* %089d */\n' 0 | c_file user/base/wide.h
	run lint
	grep -q '^not ok .*100 columns' <<<"$output"
	grep -qF '# user/base/wide.h:2' <<<"$output"
	printf '\t/* %086d */\n' 0 | c_file user/base/wide.h
	lint | lacks '^not ok .*100 columns'
}

@test "rule: includes are rooted" {
	sed -i 's|"base/text.h"|"text.h"|' user/base/text.c
	broken 'start at user' user/base/text.c:2
}

@test "rule: rooms, base includes nothing above" {
	c_file user/story/names.h </dev/null
	sed -i '2a #include "story/names.h"' user/base/text.c
	broken 'rooms below' user/base/text.c:3
}

@test "rule: rooms, the whole table" {
	local order='base story filter diagnose view sink kernel cmd' from to
	# room: what it may not include
	local -A refused=(
		[base]='story filter diagnose view sink kernel cmd'
		[story]='filter diagnose view sink kernel cmd'
		[filter]='diagnose view sink kernel cmd'
		[diagnose]='filter view sink kernel cmd'
		[view]='sink kernel cmd'
		[sink]='kernel cmd'
		[kernel]='filter diagnose view sink cmd'
		[cmd]=''
	)
	for to in $order; do
		c_file "user/$to/room.h" </dev/null
	done
	for from in $order; do
		for to in $order; do
			printf '#include "%s/room.h"\n' "$to"
		done | c_file "user/$from/user.c"
	done
	run lint
	for from in $order; do
		for to in $order; do
			if [[ " ${refused[$from]} " == *" $to "* ]]; then
				grep -q "^# user/$from/user.c:[0-9]*: $from may not include $to/" <<<"$output"
			else
				lacks "^# user/$from/user.c:[0-9]*: $from may not include $to/" <<<"$output"
			fi
		done
	done
}

@test "rule: rooms, main.c finds commands and nothing else" {
	sed -i '/cmd.show.h/a #include "kernel/load.h"' user/main.c
	broken 'rooms below' user/main.c:6
}

@test "rule: rooms, there are no others" {
	echo '#include <stdio.h>' | c_file user/attic/x.c
	broken 'rooms below' 'user/attic/x.c:2: "attic" is no room'
}

@test "rule: libbpf outside kernel/" {
	sed -i '2a #include <bpf/libbpf.h>' user/cmd/show.c
	broken 'sees libbpf' user/cmd/show.c:3
}

@test "rule: the skeleton outside kernel/" {
	sed -i '2a #include "synfin.skel.h"' user/cmd/show.c
	broken 'sees libbpf' user/cmd/show.c:3
}

@test "rule: what bpf/ does not share" {
	c_file bpf/emit.bpf.h 'GPL-2.0-only OR BSD-2-Clause' </dev/null
	sed -i '2a #include "bpf/emit.bpf.h"' user/kernel/load.c
	broken 'are shared' user/kernel/load.c:3
}

@test "rule: base needs libc only" {
	sed -i '2a #include "bpf/story.h"' user/base/text.c
	broken 'are shared' user/base/text.c:3
}

@test "rule: bpf/ includes nothing of user/" {
	sed -i '6a #include "base/text.h"' bpf/synfin.bpf.c
	broken 'nothing of user' bpf/synfin.bpf.c:7
}

@test "rule: a shared header includes no kernel types" {
	sed -i 's|#include <linux/types.h>|#include <vmlinux.h>|' bpf/story.h
	broken 'nothing of user' bpf/story.h
}

@test "rule: filter prints nothing" {
	printf '\nint sf_f(void)\n{\n\treturn puts("x");\n}\n' | c_file user/filter/x.c
	broken 'no I/O' user/filter/x.c:5
}

@test "rule: diagnose reads no clock, allocates nothing" {
	printf '\nlong sf_d(void)\n{\n\treturn time(NULL);\n}\n' | c_file user/diagnose/x.c
	broken 'no clock' user/diagnose/x.c:5
	printf '\nvoid *sf_d(void)\n{\n\treturn malloc(1);\n}\n' | c_file user/diagnose/x.c
	broken 'no clock' user/diagnose/x.c:5
}

@test "rule: pure rooms may format, and may speak of clocks" {
	{
		printf '\n/* no time() here */\nint sf_f(char *to)\n{\n'
		printf '\treturn snprintf(to, 9, "time(%%d)", 1);\n}\n'
	} | c_file user/filter/x.c
	run lint
	[ "$status" = 0 ]
}

@test "rule: errors are printed by commands only" {
	printf '\nint sf_b(void)\n{\n\treturn sf_err(-1, "x");\n}\n' | c_file user/story/x.c
	broken 'print errors' user/story/x.c:5
}

@test "rule: forbidden calls, each of them" {
	local name
	for name in sprintf vsprintf strcpy strcat strtok atoi atol gets strtol strtoull strtod; do
		printf '\nlong sf_b_%s(void)\n{\n\treturn (long)%s(0);\n}\n' "$name" "$name"
	done | c_file user/view/x.c
	broken 'forbidden calls' user/view/x.c:5
	[ "$(grep -c '^# user/view/x.c:[0-9]*:.*return' <<<"$output")" = 11 ]
}

@test "rule: base/text.c may call strtoull" {
	printf '\nlong sf_b(void)\n{\n\treturn strtoull(0);\n}\n' >>user/base/text.c
	run lint
	[ "$status" = 0 ]
}

@test "rule: forbidden calls behind a comment's end or a string are seen" {
	printf '\nlong sf_b(void)\n{\n\treturn "/*" && /* x */ atoi("*/");\n}\n' | c_file user/view/x.c
	broken 'forbidden calls' user/view/x.c:5
}

@test "rule: scripts can be executed" {
	script tests/x.sh <<<':'
	chmod -x tests/x.sh
	broken 'executed' tests/x.sh
}

@test "rule: shellcheck, of scripts, of bats, of .ci/run" {
	# shellcheck disable=SC2016 # not to be expanded
	local bad='echo $1'
	script tests/x.sh <<<"$bad"
	broken 'shellcheck' tests/x.sh:3
	rm tests/x.sh
	printf '@test "x" {\n\t%s\n}\n' "$bad" >>tests/cli/version.bats
	broken 'shellcheck' tests/cli/version.bats:8
	sed -i '/"x"/,$d' tests/cli/version.bats
	printf '@test "x" {\n\t! true\n\ttrue\n}\n' >>tests/cli/version.bats # asserts nothing
	broken 'shellcheck' tests/cli/version.bats:8:2
	sed -i '/"x"/,$d' tests/cli/version.bats
	echo "$bad" >>.ci/run
	broken 'shellcheck' .ci/run:
}

@test "rule: a shellcheck that is missing or breaks down is no pass" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	write "$BATS_TEST_TMPDIR/bin/shellcheck" <<<$'#!/bin/sh\nexit 4'
	chmod +x "$BATS_TEST_TMPDIR/bin/shellcheck"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
	broken 'shellcheck' 'shellcheck ended with status 4'
}

# lint.sh itself asks for version 14: others format otherwise.
have_clang_format() {
	local tool
	for tool in clang-format-14 clang-format; do
		! "$tool" --version 2>/dev/null | grep -q 'version 14\.' || return 0
	done
	return 1
}

@test "rule: clang-format" {
	have_clang_format || skip "no clang-format of version 14"
	sed -i 's/^\treturn/    return/' user/base/text.c
	broken 'clang-format' user/base/text.c:5
}

@test "rule: a clang-format that breaks down is no pass" {
	have_clang_format || skip "no clang-format of version 14"
	echo 'NoSuchKey: 1' >>.clang-format
	broken 'clang-format' 'clang-format itself failed'
}
