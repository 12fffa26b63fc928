#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# make deps, with package managers that only write down what they are asked.
# What is missing is made up: BPFTOOL and CLANG name tools that do not exist.

# shellcheck disable=SC2016 # the commands of a fake are expanded by the fake
setup() {
	load tree
	cd "${real:?}" || return
	unset MAKEFLAGS MFLAGS MAKELEVEL CC LIBBPF_DIR DRY_RUN QUIET
	unset BPFTOOL CLANG
	bin=$BATS_TEST_TMPDIR/bin
	asked=$BATS_TEST_TMPDIR/asked
	: >"$asked"
	mkdir "$bin"
	fake id 'echo "${FAKE_UID:-0}"'
	fake apt-get "echo \"apt-get \$* [\${DEBIAN_FRONTEND:-}]\" >>$asked"
	fake apt-cache 'case $2 in clang-19|bpftool) c=1;; *) c="(none)";; esac; echo "  Candidate: $c"'
}

# fake NAME COMMANDS: the commands are for sh, later.
fake() {
	write "$bin/$1" <<<"#!/bin/sh
$2"
	chmod +x "$bin/$1"
}

# deps VERB GROUP...: on a machine that has our package managers only.
deps() { PATH=$bin:$PATH run user/dist/deps.sh "$@"; }

# A PATH with everything but the package managers and sudo.
hide_managers() {
	local dir name
	mkdir "$BATS_TEST_TMPDIR/path"
	for dir in /bin /usr/bin /usr/local/bin; do
		cp -sf "$dir"/* "$BATS_TEST_TMPDIR/path/" 2>/dev/null || true
	done
	for name in apt-get apt-cache dnf sudo; do
		rm -f "$BATS_TEST_TMPDIR/path/$name"
	done
	# shellcheck disable=SC2123 # it is meant
	PATH=$BATS_TEST_TMPDIR/path
}

@test "nothing missing: asks no package manager, not even for an update" {
	deps install build
	[ "$status" = 0 ]
	[[ $output == *"nothing to install"* ]]
	[ ! -s "$asked" ]
}

@test "something missing: updates once, installs only that" {
	export BPFTOOL=$bin/bpftool
	fake apt-get "echo \"apt-get \$* [\${DEBIAN_FRONTEND:-}]\" >>$asked
		case \$* in *install*) printf '#!/bin/sh\n' >$bin/bpftool; chmod +x $bin/bpftool;; esac"
	deps install build
	[ "$status" = 0 ]
	[ "${lines[0]}" = 'synfin: missing: bpftool' ]
	[ "$(wc -l <"$asked")" = 2 ]
	grep -q '^apt-get -q update ' "$asked"
	grep -q -- '-y .*install --no-install-recommends bpftool \[noninteractive\]$' "$asked"
}

@test "of several names, apt is asked for the first that it knows" {
	CLANG=no-such-clang deps install build
	grep -q -- 'install --no-install-recommends clang-19 ' "$asked"
}

@test "installed and still missing is an error that names it" {
	BPFTOOL=/no/bpftool deps install build
	[ "$status" = 1 ]
	[ "${lines[-1]}" = 'synfin: installed, but still missing: bpftool' ]
}

@test "a package manager that fails is an error" {
	fake apt-get 'case $* in *install*) exit 100;; esac'
	BPFTOOL=/no/bpftool deps install build
	[ "$status" = 1 ]
	[ "${lines[-1]}" = 'synfin: the package manager failed: see above' ]
}

@test "lists that cannot be updated are no reason to stop" {
	fake apt-get "case \$* in *update*) exit 100;; esac; echo \"\$*\" >>$asked"
	BPFTOOL=/no/bpftool deps install build
	[[ $output == *'apt-get update failed'* ]]
	grep -q 'install .* bpftool' "$asked"
}

@test "DRY_RUN=1 says all and does nothing" {
	BPFTOOL=/no/bpftool DRY_RUN=1 deps install build
	[ "$status" = 0 ]
	[ "${lines[1]}" = 'synfin: would run: apt-get -q update' ]
	[[ ${lines[2]} == 'synfin: would run: '*' install --no-install-recommends bpftool' ]]
	[ ! -s "$asked" ]
}

@test "make deps DRY_RUN=1 does the same" {
	PATH=$bin:$PATH run make deps DRY_RUN=1 BPFTOOL=/no/bpftool
	[ "$status" = 0 ]
	[[ $output == *'synfin: would run: apt-get -q update'* ]]
	[ ! -s "$asked" ]
}

@test "make deps, make help and make clean need no tool to be there" {
	local target
	for target in deps help clean; do
		PATH=$bin:$PATH run make "$target" DRY_RUN=1 O=.output/bare CLANG=no-such-clang \
			BPFTOOL=/no/bpftool CC=no-such-cc PKG_CONFIG=no-such-pkg-config
		[ "$status" = 0 ]
		[[ $output != *'***'* ]]
	done
}

@test "not root: through sudo" {
	fake sudo "echo \"sudo \$*\" >>$asked"
	FAKE_UID=1000 BPFTOOL=/no/bpftool deps install build
	[ "$(grep -c '^sudo ' "$asked")" = 2 ]
	grep -q '^sudo env DEBIAN_FRONTEND=noninteractive apt-get .*install' "$asked"
}

@test "not root and no sudo: says what to run, does nothing" {
	hide_managers
	FAKE_UID=1000 BPFTOOL=/no/bpftool deps install build
	[ "$status" = 1 ]
	[[ $output == *'would run: '*'install --no-install-recommends bpftool'* ]]
	[[ ${lines[-1]} == *"run 'make deps' as root" ]]
	[ ! -s "$asked" ]
}

@test "dnf where apt is absent, with its own names" {
	hide_managers
	rm "$bin/apt-get" "$bin/apt-cache"
	fake dnf "echo \"dnf \$*\" >>$asked"
	CLANG=no-such-clang LIBBPF_DIR=/no/such deps install build
	[ "$(cat "$asked")" = 'dnf -y --setopt=install_weak_deps=False install clang libbpf-devel' ]
}

@test "neither apt nor dnf: says so" {
	hide_managers
	rm "$bin/apt-get" "$bin/apt-cache"
	BPFTOOL=/no/bpftool deps install build
	[ "$status" = 1 ]
	[[ ${lines[-1]} == *'neither apt-get nor dnf'* ]]
}

@test "make run asks for what building needs, make check for the tests' needs too" {
	make_tree "$BATS_TEST_TMPDIR/tree"
	write user/dist/deps.sh <<<"#!/bin/sh
echo \"\$*\" >>$asked; exit 1"
	run make run
	[ "$status" != 0 ]
	[ "$(cat "$asked")" = 'install build more' ]
	run make check
	[ "$status" != 0 ]
	[ "$(tail -n 1 "$asked")" = 'install build more check deb' ]
	run make deb
	[ "$status" != 0 ]
	[ "$(tail -n 1 "$asked")" = 'install build more deb' ]
}

@test "what a Debian package takes is asked for where apt is, and only there" {
	hide_managers
	rm -f "$BATS_TEST_TMPDIR/path/lintian"
	deps missing deb
	[ "$status" = 1 ]
	[[ ${lines[0]} == "synfin: missing: lintian "* ]]
	rm "$bin/apt-get"
	deps missing deb
	[ "$status" = 0 ]
}

@test "each package list names a package for apt and one for dnf" {
	awk -F'|' '/_needs=/ { on = 1; next } /^.$/ { on = 0 }
		on { n++; if (NF != 4 || $3 ~ /^ *$/ || $4 ~ /^ *$/) { print; bad = 1 } }
		END { exit bad || n < 20 }' user/dist/deps.sh
}
