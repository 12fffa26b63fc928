#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What make does, on a tree of stand-ins.

setup_file() {
	load tree
	export TREE=$BATS_FILE_TMPDIR/tree
	make_tree "$TREE"
}

setup() {
	load tree
	cd "$TREE" || return
	# The caller's make must not reach in.
	unset MAKEFLAGS MFLAGS MAKELEVEL O V WERROR CC CFLAGS CLANG BPFTOOL LIBBPF_DIR DESTDIR PREFIX
}

# No bats "run" for what must not fail: its output is shown when it does.
build() {
	make -j2 "$@" >"$BATS_TEST_TMPDIR/log" 2>&1 || {
		cat "$BATS_TEST_TMPDIR/log"
		return 1
	}
	output=$(cat "$BATS_TEST_TMPDIR/log")
}

@test "make: one short line per step, no command, a program that runs" {
	build
	[ "$(grep -c '^  CC  ' <<<"$output")" = 4 ]
	grep -qx '  BPF     bpf/synfin.bpf.c' <<<"$output"
	grep -qx '  LD      .output/synfin' <<<"$output"
	lacks -v '^  [A-Z]* *[^ ]*$' <<<"$output"
	run .output/synfin
	[ "${lines[0]}" = "synfin $(sed -n 's/^VERSION := //p' Makefile) answer 42" ]
	[ "${lines[1]}" = 'programs 1' ]
}

@test "make again: nothing to do, nothing said" {
	build
	build
	[ -z "$output" ]
}

@test "everything that is built is in .output" {
	build all static unit sfgen
	run find . -newer Makefile -type f -name '*.[od]' ! -path './.output/*'
	[ -z "$output" ]
}

@test "a changed header rebuilds its users, and only them" {
	build
	touch user/base/text.h
	build
	grep -q 'CC *user/base/text.c' <<<"$output"
	grep -q 'CC *user/main.c' <<<"$output"
	lacks 'user/kernel/load.c' <<<"$output"
}

@test "the shared header rebuilds the kernel side and who includes it" {
	build
	touch bpf/story.h
	build
	grep -q 'BPF *bpf/synfin.bpf.c' <<<"$output"
	grep -q 'CC *user/kernel/load.c' <<<"$output"
	lacks 'user/base/text.c' <<<"$output"
}

@test "other flags rebuild, the same flags do not" {
	build
	build CFLAGS=-O1
	[ "$(grep -c '^  CC  ' <<<"$output")" = 4 ]
	lacks BPF <<<"$output"
	build CFLAGS=-O1
	[ -z "$output" ]
	build BPF_CFLAGS=-O1 CFLAGS=-O1
	grep -q 'BPF *bpf/synfin.bpf.c' <<<"$output"
	build
}

@test "a removed source leaves the program and the tests' library" {
	write user/base/more.c <<<$'int sf_more(void);\nint sf_more(void) { return 1; }'
	build all unit
	nm .output/synfin | grep -q sf_more
	rm user/base/more.c
	build all unit
	nm .output/synfin | lacks sf_more
	ar t .output/asan/libsynfin.a | lacks more
}

@test "a removed header is no error" {
	build
	write user/base/gone.h <<<'#define GONE 1'
	sed -i '/text.h/a #include "base/gone.h"' user/base/text.c
	build
	rm user/base/gone.h
	sed -i '/gone.h/d' user/base/text.c
	touch user/base/text.c
	build
}

@test "V=1 shows commands and the clang that was chosen" {
	rm -rf .output
	build V=1
	grep -q '^gcc .*-fstack-protector-strong .*user/main.c' <<<"$output"
	grep -q -- '-target bpf .*-mcpu=v2 .*bpf/synfin.bpf.c' <<<"$output"
	grep -q 'synfin: BPF is compiled by clang' <<<"$output"
}

@test "a warning is an error with WERROR=1, and only then" {
	sed -i 's/return SF_ANSWER;/int unused; return SF_ANSWER;/' user/base/text.c
	build
	run make WERROR=1
	sed -i 's/int unused; //' user/base/text.c
	[ "$status" != 0 ]
	[[ $output == *unused* ]]
	build
}

@test "an error of the compiler ends make and leaves no program" {
	rm -f .output/synfin
	sed -i 's/return SF_ANSWER;/return SF_ANSWER/' user/base/text.c
	run make
	sed -i 's/return SF_ANSWER$/return SF_ANSWER;/' user/base/text.c
	[ "$status" != 0 ]
	[ ! -e .output/synfin ]
	build
}

@test "clang builds the user side too" {
	run bpf/find-clang.sh -
	[ "$status" = 0 ]
	build O=.output/by-clang CC="${output%% *}" WERROR=1
	.output/by-clang/synfin | grep -qx 'programs 1'
}

@test "the same sources give the same bytes in any folder" {
	build
	make_tree "$BATS_TEST_TMPDIR/elsewhere"
	build
	cmp .output/bpf/synfin.bpf.o "$TREE/.output/bpf/synfin.bpf.o"
	cmp .output/synfin "$TREE/.output/synfin"
}

@test "the program is hardened" {
	build
	readelf -h .output/synfin | grep -q 'DYN '
	readelf -l .output/synfin | grep -q GNU_RELRO
	readelf -d .output/synfin | grep -q BIND_NOW
}

@test "the object names the kernel side's licence and holds no DWARF" {
	build
	strings -a .output/bpf/synfin.bpf.o | grep -qx 'Dual BSD/GPL'
	readelf -S .output/bpf/synfin.bpf.o | lacks '\.debug_'
	readelf -S .output/bpf/synfin.bpf.o | grep -q '\.BTF'
}

@test "make static: needs no library" {
	build static
	readelf -l .output/synfin-static | lacks INTERP
	.output/synfin-static | grep -qx 'programs 1'
}

@test "make sfgen: static" {
	build sfgen
	readelf -l .output/tests/sfgen | lacks INTERP
	[ "$(.output/tests/sfgen)" = generated ]
}

@test "unit tests run under the sanitizers, without main" {
	build unit
	nm .output/asan/tests/unit/test_text | grep -q __asan_init
	.output/asan/tests/unit/test_text
}

@test "LIBBPF_DIR: another libbpf, linked statically" {
	local dir=$BATS_TEST_TMPDIR/libbpf
	mkdir -p "$dir/include" "$dir/lib"
	cp -r "$(pkg-config --variable=includedir libbpf)/bpf" "$dir/include/"
	cp "$(gcc -print-file-name=libbpf.a)" "$dir/lib/"
	build O=.output/other LIBBPF_DIR="$dir"
	readelf -d .output/other/synfin | lacks libbpf
	.output/other/synfin | grep -qx 'programs 1'
}

@test "LIBBPF_DIR: one that is too old is refused in one line" {
	local dir=$BATS_TEST_TMPDIR/libbpf
	mkdir -p "$dir/include/bpf"
	printf '#define LIBBPF_%s_VERSION %d\n' MAJOR 1 MINOR 0 >"$dir/include/bpf/libbpf_version.h"
	run make O=.output/old LIBBPF_DIR="$dir"
	[ "$status" != 0 ]
	[[ ${lines[0]} == "synfin: missing: libbpf >= 1.1 "* ]]
}

@test "what is missing is named in one line with make deps, all at once" {
	run make O=.output/none CLANG=no-such-clang BPFTOOL=/no/bpftool CC=no-such-cc
	[ "$status" != 0 ]
	[[ ${lines[0]} == "synfin: missing: C compiler (no-such-cc), clang "*", bpftool "* ]]
	[[ ${lines[0]} == *"'make deps'"* ]]
	[[ ${lines[1]} == make:* ]]
	[ ${#lines[@]} = 2 ]
}

@test "a tool that goes away after a build is named too" {
	cp "$(user/dist/deps.sh bpftool)" "$BATS_TEST_TMPDIR/bpftool"
	build BPFTOOL="$BATS_TEST_TMPDIR/bpftool"
	rm "$BATS_TEST_TMPDIR/bpftool"
	run make BPFTOOL="$BATS_TEST_TMPDIR/bpftool"
	[ "$status" != 0 ]
	[[ ${lines[0]} == "synfin: missing: bpftool "* ]]
}

@test "a clang that cannot do CO-RE type matches is passed over" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	write "$BATS_TEST_TMPDIR/bin/clang-16" <<<$'#!/bin/sh\necho broken >&2; exit 1'
	chmod +x "$BATS_TEST_TMPDIR/bin/clang-16"
	run bpf/find-clang.sh -
	good=${output%% *}
	ln -s "$(command -v "$good")" "$BATS_TEST_TMPDIR/bin/clang-good"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run bpf/find-clang.sh - clang-16 clang-good
	[ "$status" = 0 ]
	[[ $output == "clang-good "* ]]
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run bpf/find-clang.sh - clang-16
	[ "$status" = 1 ]
	[[ $output == *"clang-16: version "*" cannot compile CO-RE type matches" ]]
}

@test "the answer about clang is kept in a file of its own and asked for again when it is gone" {
	run bpf/find-clang.sh "$BATS_TEST_TMPDIR/kept"
	good=${output%% *}
	sed -i '2s/.*/gone-clang -I x/' "$BATS_TEST_TMPDIR/kept"
	run bpf/find-clang.sh "$BATS_TEST_TMPDIR/kept"
	[[ $output == "$good "* ]]
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	run timeout 20 bpf/find-clang.sh "$BATS_TEST_TMPDIR/pipe"
	[ "$status" = 0 ]
	[ -p "$BATS_TEST_TMPDIR/pipe" ] # never replaces what is no plain file
}

@test "make needs no root" {
	if [ "$(id -u)" != 0 ]; then
		build
		return
	fi
	local dir
	dir=$(mktemp -d)
	make_tree "$dir/tree"
	chmod -R a+rwX "$dir"
	run setpriv --reuid=65534 --regid=65534 --clear-groups make
	rm -rf "$dir"
	[ "$status" = 0 ]
}

@test "make, where root has built: one line says whose it is and what to do" {
	[ "$(id -u)" = 0 ] || skip "not root"
	local dir
	dir=$(mktemp -d)
	make_tree "$dir/tree"
	make >/dev/null
	chmod a+rx "$dir"
	touch user/main.c
	run setpriv --reuid=65534 --regid=65534 --clear-groups make
	rm -rf "$dir"
	[ "$status" != 0 ]
	printf '%s\n' "$output"
	[ "$(grep -vc '^make: ' <<<"$output")" = 1 ]
	[[ ${lines[0]} == "synfin: .output is root's and cannot be written: "*'sudo chown'*'make O=FOLDER'* ]]
}

@test "make run: builds, passes ARGS" {
	rm -rf .output
	if [ "$(id -u)" != 0 ]; then
		mkdir "$BATS_TEST_TMPDIR/bin"
		write "$BATS_TEST_TMPDIR/bin/sudo" <<<$'#!/bin/sh\nexec "$@"'
		chmod +x "$BATS_TEST_TMPDIR/bin/sudo"
		PATH=$BATS_TEST_TMPDIR/bin:$PATH
	fi
	run make run ARGS=hello
	[ "$status" = 0 ]
	grep -qx 'argument hello' <<<"$output"
}

@test "make install and uninstall: below DESTDIR and PREFIX" {
	# deps.sh stays the tree's
	cp -rn "${real:?}"/user/dist/. user/dist/
	build install DESTDIR="$BATS_TEST_TMPDIR/to" PREFIX=/usr
	cd "$BATS_TEST_TMPDIR/to"
	diff - <(find . -type f -printf '%m %P\n' | LC_ALL=C sort -k 2) <<-'END'
		644 etc/logrotate.d/synfin
		644 etc/synfin/synfin.conf
		644 usr/lib/systemd/system/synfin.service
		644 usr/lib/sysusers.d/synfin.conf
		755 usr/sbin/synfin
		644 usr/share/bash-completion/completions/synfin
		644 usr/share/doc/synfin/LICENSE
		644 usr/share/doc/synfin/README.md
		644 usr/share/man/man5/synfin.conf.5
		644 usr/share/man/man8/synfin.8
		644 usr/share/synfin/fleet/README.md
		644 usr/share/synfin/fleet/calls.sql
		644 usr/share/synfin/fleet/clickhouse.sql
		644 usr/share/synfin/fleet/duckdb.sql
		644 usr/share/synfin/fleet/hosts.sql
		644 usr/share/synfin/fleet/parts.sql
		644 usr/share/synfin/fleet/who-is-slow.sql
		644 usr/share/synfin/schema/synfin.schema.json
	END
	cmp usr/lib/systemd/system/synfin.service "$real/user/dist/synfin.service"
	cd "$TREE" || return
	build uninstall DESTDIR="$BATS_TEST_TMPDIR/to" PREFIX=/usr
	[ -z "$(find "$BATS_TEST_TMPDIR/to" -type f)" ]
	# nor a folder that was ours alone
	[ -z "$(find "$BATS_TEST_TMPDIR/to" -name 'synfin*')" ]
}

@test "make install: the unit names the program and the configuration where they are" {
	cp -rn "${real:?}"/user/dist/. user/dist/
	build install DESTDIR="$BATS_TEST_TMPDIR/to"
	grep -qx 'ExecStart=/usr/local/sbin/synfin serve --config /etc/synfin/synfin.conf' \
		"$BATS_TEST_TMPDIR/to/usr/local/lib/systemd/system/synfin.service"
	build install DESTDIR="$BATS_TEST_TMPDIR/more" PREFIX=/opt/synfin SYSCONFDIR=/opt/etc
	grep -qx 'ExecStart=/opt/synfin/sbin/synfin serve --config /opt/etc/synfin/synfin.conf' \
		"$BATS_TEST_TMPDIR/more/opt/synfin/lib/systemd/system/synfin.service"
	[ -f "$BATS_TEST_TMPDIR/more/opt/etc/synfin/synfin.conf" ]
	[ -f "$BATS_TEST_TMPDIR/more/opt/etc/logrotate.d/synfin" ]
	[ ! -e "$BATS_TEST_TMPDIR/more/etc" ]
}

@test "make install and uninstall: a blank in a path is refused, one in DESTDIR is none of theirs" {
	local to="$BATS_TEST_TMPDIR/to us" what
	cp -rn "${real:?}"/user/dist/. user/dist/
	for what in install uninstall; do
		! make "$what" DESTDIR="$to" PREFIX='/opt/a b' >"$BATS_TEST_TMPDIR/log" 2>&1 || return 1
		grep -qF "PREFIX is '/opt/a b': give a path without blanks" "$BATS_TEST_TMPDIR/log"
	done
	! make install DESTDIR="$to" SYSCONFDIR='/e f' >"$BATS_TEST_TMPDIR/log" 2>&1 || return 1
	grep -qF "SYSCONFDIR is '/e f': give" "$BATS_TEST_TMPDIR/log"
	[ ! -e "$to" ]
	build install DESTDIR="$to"
	[ -x "$to/usr/local/sbin/synfin" ]
	build uninstall DESTDIR="$to"
	[ -z "$(find "$to" -type f)" ]
}

@test "make install and uninstall: configuration that was edited stays as it is" {
	local to=$BATS_TEST_TMPDIR/to
	cp -rn "${real:?}"/user/dist/. user/dist/
	write "$to/etc/synfin/synfin.conf" <<<'to = syslog'
	build install DESTDIR="$to"
	[ "$(cat "$to/etc/synfin/synfin.conf")" = 'to = syslog' ]
	echo '# mine' >>"$to/etc/logrotate.d/synfin"
	build install DESTDIR="$to"
	[ "$(tail -n 1 "$to/etc/logrotate.d/synfin")" = '# mine' ]
	build uninstall DESTDIR="$to"
	diff <(printf '%s\n' etc/logrotate.d/synfin etc/synfin/synfin.conf) \
		<(cd "$to" && find . -type f -printf '%P\n' | LC_ALL=C sort)
}

@test "make help names targets, make clean takes all away" {
	build help
	[[ $output == *"make check"* ]]
	build
	build clean
	[ ! -e .output ]
}

@test "make clean takes neither the sources nor a stranger's folder for its output" {
	run make clean O=..
	[ "$status" != 0 ]
	[ -e Makefile ]
	mkdir "$BATS_TEST_TMPDIR/mine"
	run make clean O="$BATS_TEST_TMPDIR/mine"
	[ "$status" != 0 ]
	[ -d "$BATS_TEST_TMPDIR/mine" ]
}
