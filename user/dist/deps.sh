#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What synfin needs from the distribution, and how to get it: apt, or dnf
# where apt is absent. A need is asked for by what it does, not by the name of
# a package, so whatever else provides it counts. Called by the Makefile.
#
#     deps.sh install build|more|check|bench|deb...   install what is missing; DRY_RUN=1 only says what
#     deps.sh missing build|more|check|bench|deb...    one line naming what is missing, exit 1 if anything is
#     deps.sh bpftool                   print where bpftool is, exit 1 if nowhere
#     deps.sh fuzzer                    print which clang has libFuzzer, exit 1 if none
#
# From the environment: CC, CLANG, BPFTOOL, PKG_CONFIG, LIBBPF_DIR (as in the Makefile).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# need | how it is recognised | apt: the first that exists | dnf
# Several packages for one need are joined by "+".
# shellcheck disable=SC2034 # used by name, in missing_rows
build_needs='
C compiler       | cc                      | gcc                   | gcc
libc headers     | header:stdio.h          | libc6-dev             | glibc-devel
make             | command:make            | make                  | make
pkg-config       | command:pkg-config      | pkg-config pkgconf    | pkgconf-pkg-config
clang >= 15      | clang                   | clang-16 clang-19 clang-18 clang-17 clang-15 clang | clang
bpftool          | bpftool                 | bpftool linux-tools-generic | bpftool
libbpf >= 1.1    | libbpf                  | libbpf-dev            | libbpf-devel
libelf           | library:libelf          | libelf-dev            | elfutils-libelf-devel
zlib             | library:zlib            | zlib1g-dev            | zlib-devel
'
# What a synfin can be built without.
# shellcheck disable=SC2034
more_needs='
ncurses          | library:ncursesw        | libncurses-dev        | ncurses-devel
libsystemd       | library:libsystemd      | libsystemd-dev        | systemd-devel
libmicrohttpd    | library:libmicrohttpd   | libmicrohttpd-dev     | libmicrohttpd-devel
libcurl          | library:libcurl         | libcurl4-openssl-dev  | libcurl-devel
'
# shellcheck disable=SC2034
check_needs='
cmocka           | library:cmocka          | libcmocka-dev         | libcmocka-devel
sanitizers       | links:-fsanitize=address,undefined | gcc        | libasan+libubsan
static C library | links:-static           | libc6-dev             | glibc-static
static libbpf    | links:-static -lbpf     | libbpf-dev            | libbpf-static
static libelf    | links:-static -lelf     | libelf-dev            | elfutils-libelf-devel-static
static ncurses   | links:-static -lncursesw -ltinfo | libncurses-dev | ncurses-static
static zlib      | links:-static -lz       | zlib1g-dev            | zlib-static
libFuzzer        | fuzzer                  | clang-16+libclang-rt-16-dev clang | clang+compiler-rt
bats             | command:bats            | bats                  | bats
mandoc           | command:mandoc          | mandoc                | mandoc
shellcheck       | command:shellcheck      | shellcheck            | ShellCheck
clang-format     | command:clang-format-14 clang-format | clang-format-14 clang-format | clang-tools-extra
python3          | python:json             | python3               | python3
protobuf classes | python:google.protobuf  | python3-protobuf      | python3-protobuf
jsonschema       | python:jsonschema       | python3-jsonschema    | python3-jsonschema
qemu             | command:qemu-system-x86_64 | qemu-system-x86       | qemu-system-x86-core
busybox, static  | static:busybox          | busybox-static        | busybox
xz               | command:xz              | xz-utils              | xz
lz4              | command:lz4             | lz4                   | lz4
Debian keys      | file:/usr/share/keyrings/debian-archive-keyring.gpg | debian-archive-keyring | debian-keyring
/etc/services    | file:/etc/services      | netbase               | setup
cpio             | command:cpio            | cpio                  | cpio
zstd             | command:zstd            | zstd                  | zstd
ip, ss           | command:ip              | iproute2              | iproute
nft              | command:nft             | nftables              | nftables
tcpdump          | command:tcpdump         | tcpdump               | tcpdump
rsyslogd         | command:rsyslogd        | rsyslog               | rsyslog
logrotate        | command:logrotate       | logrotate             | logrotate
systemd-journald | file:/lib/systemd/systemd-journald | systemd    | systemd
prometheus       | command:prometheus      | prometheus            | golang-github-prometheus
promtool         | command:promtool        | prometheus            | golang-github-prometheus
OpenMetrics parser | python:prometheus_client | python3-prometheus-client | python3-prometheus_client
curl             | command:curl            | curl                  | curl
node             | command:node            | nodejs                | nodejs
npm              | command:npm             | npm                   | npm
systemd-analyze  | command:systemd-analyze | systemd               | systemd
strace           | command:strace          | strace                | strace
valgrind         | command:valgrind        | valgrind              | valgrind
tmux             | command:tmux            | tmux                  | tmux
capsh            | command:capsh           | libcap2-bin           | libcap
setpriv, unshare | command:setpriv         | util-linux            | util-linux
ps               | command:ps              | procps                | procps-ng
tcpstates        | command:tcpstates tcpstates-libbpf bpf-tcpstates | libbpf-tools | libbpf-tools
tcplife          | command:tcplife tcplife-libbpf bpf-tcplife       | libbpf-tools | libbpf-tools
wrk              | command:wrk             | wrk                   | wrk
nginx            | command:nginx           | nginx-light           | nginx-core
'
# shellcheck disable=SC2034
bench_needs='
python3          | python:json             | python3               | python3
tcpstates        | command:tcpstates tcpstates-libbpf bpf-tcpstates | libbpf-tools | libbpf-tools
tcplife          | command:tcplife tcplife-libbpf bpf-tcplife       | libbpf-tools | libbpf-tools
bpftrace         | command:bpftrace        | bpftrace              | bpftrace
tcpdump          | command:tcpdump         | tcpdump               | tcpdump
wrk              | command:wrk             | wrk                   | wrk
nginx            | command:nginx           | nginx-light           | nginx-core
ss               | command:ss              | iproute2              | iproute
'

# A package for Debian is made where apt is: elsewhere there is nothing to install for it.
# shellcheck disable=SC2034
deb_needs='
dpkg-buildpackage | command:dpkg-buildpackage | dpkg-dev              | -
debhelper        | command:dh_installsysusers | debhelper             | -
lintian          | command:lintian         | lintian               | -
'

say() { printf 'synfin: %s\n' "$*"; }
die() {
	say "$@" >&2
	exit 1
}

# ---- is it there ----

have() { command -v "$1" >/dev/null 2>&1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cc=${CC:-gcc}
pkg_config=${PKG_CONFIG:-pkg-config}

# Compiles standard input as C; the flags are the arguments.
compiles() {
	# shellcheck disable=SC2086 # CC may hold flags
	$cc -x c - -o "$scratch/out" "$@" >"$scratch/log" 2>&1
}

have_libbpf() {
	local header
	if [ -z "${LIBBPF_DIR:-}" ]; then
		"$pkg_config" --atleast-version=1.1 libbpf 2>/dev/null
		return
	fi
	header=$LIBBPF_DIR/include/bpf/libbpf_version.h
	[ -r "$header" ] && awk '/_MAJOR_VERSION/ { major = $3 } /_MINOR_VERSION/ { minor = $3 }
		END { exit !(major > 1 || (major == 1 && minor >= 1)) }' "$header"
}

# A user's PATH often lacks /usr/sbin; Ubuntu's /usr/sbin/bpftool works only with the running
# kernel's own package, whereas any kernel's bpftool does for us.
find_bpftool() {
	local tool
	for tool in ${BPFTOOL:-bpftool /usr/lib/linux-tools*/bpftool /usr/lib/linux-tools/*/bpftool}; do
		if "$tool" version >/dev/null 2>&1; then
			command -v "$tool"
			return
		fi
	done
	return 1
}

# The fuzzer's library is a package of its own, and not every clang's is there.
find_fuzzer() {
	local tool
	for tool in clang-16 clang-19 clang-18 clang-17 clang-15 clang clang-14; do
		if have "$tool" && echo 'int LLVMFuzzerTestOneInput(const char *d, long n) { return 0; }' |
			"$tool" -x c - -fsanitize=fuzzer,address -o "$scratch/out" >"$scratch/log" 2>&1; then
			printf '%s\n' "$tool"
			return
		fi
	done
	return 1
}

have_any() {
	local name
	for name in "$@"; do
		! have "$name" || return 0
	done
	return 1
}

# Without a compiler to ask, the usual place answers.
have_header() {
	if have "${cc%% *}"; then
		echo "#include <$1>" | compiles -E
	else
		[ -e "/usr/include/$1" ]
	fi
}

# Links an empty program; the flags are the arguments.
links() {
	echo 'int main(void) { return 0; }' | compiles "$@"
}

# shellcheck disable=SC2086 # CLANG and some rows hold several words
present() {
	local what=${1#*:}
	case $1 in
	cc) have "${cc%% *}" ;;
	clang) V=0 "$root/bpf/find-clang.sh" "${CLANG_CACHE:--}" ${CLANG:-} >/dev/null 2>&1 ;;
	bpftool) find_bpftool >/dev/null ;;
	fuzzer) find_fuzzer >/dev/null ;;
	libbpf) have_libbpf ;;
	command:*) have_any $what ;;
	header:*) have_header "$what" ;;
	library:*) "$pkg_config" --exists "$what" 2>/dev/null ;;
	links:*) links $what ;;
	python:*) /usr/bin/python3 -c "import $what" 2>/dev/null ;;
	file:*) [ -e "$what" ] ;;
	static:*) have "$what" && ! ldd "$(command -v "$what")" >/dev/null 2>&1 ;;
	*) die "deps.sh: no such test: $1" ;;
	esac
}

# Splits one row of a table into need, probe, apt, dnf.
split() {
	IFS='|' read -r need probe apt dnf <<<"$1"
	need=$(trim "$need") probe=$(trim "$probe") apt=$(trim "$apt") dnf=$(trim "$dnf")
}

trim() {
	local text=$1
	text=${text#"${text%%[![:space:]]*}"}
	printf '%s' "${text%"${text##*[![:space:]]}"}"
}

# Prints the rows of the groups named (build, more, check, bench, deb) whose need is not met.
missing_rows() {
	local group row need probe apt dnf
	for group in "$@"; do
		case $group in
		deb) have apt-get || continue ;;&
		build | more | check | bench | deb) local -n rows=${group}_needs ;;
		*) die "deps.sh: no such group: $group" ;;
		esac
		while read -r row; do
			[ -n "$row" ] || continue
			split "$row"
			present "$probe" || printf '%s\n' "$row"
		done <<<"$rows"
	done
}

# The needs of some rows in words, with what stands in the way where something half is there.
names() {
	local row need probe apt dnf version list=
	while read -r row; do
		split "$row"
		case $probe in
		cc) need="$need ($cc)" ;;
		libbpf)
			version=$("$pkg_config" --modversion libbpf 2>/dev/null) || version=
			if [ -n "${LIBBPF_DIR:-}" ]; then
				need="$need (not in LIBBPF_DIR=$LIBBPF_DIR)"
			elif [ -n "$version" ]; then
				need="$need ($version is here; another can be given with LIBBPF_DIR=)"
			fi
			;;
		clang) [ -z "${CLANG:-}" ] || need="$need (CLANG=$CLANG is not)" ;;
		esac
		list="$list, $need"
	done <<<"$1"
	printf '%s' "${list:2}"
}

# ---- getting it ----

# Runs a command as root, or says it when DRY_RUN=1.
as_root() {
	local sudo=()
	[ "$(id -u)" = 0 ] || sudo=(sudo)
	if [ "${DRY_RUN:-}" = 1 ]; then
		say "would run: ${sudo[*]} $*" | tr -s ' '
		return
	fi
	"${sudo[@]}" "$@" </dev/null
}

apt_knows() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }

# The first of several packages that apt can install; the first at all when it knows none.
apt_choice() {
	local package
	for package in "$@"; do
		if apt_knows "${package%%+*}"; then
			printf '%s' "$package"
			return
		fi
	done
	printf '%s' "$1"
}

apt_install() {
	local row need probe apt dnf packages=()
	as_root apt-get -q update ||
		say "apt-get update failed; trying with the lists that are there" >&2
	while read -r row; do
		split "$row"
		# shellcheck disable=SC2086 # several names
		read -ra more <<<"$(apt_choice $apt | tr + ' ')"
		packages+=("${more[@]}")
	done <<<"$1"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 \
		-o Dpkg::Use-Pty=0 install --no-install-recommends "${packages[@]}"
}

dnf_install() {
	local row need probe apt dnf packages=()
	while read -r row; do
		split "$row"
		read -ra more <<<"${dnf//+/ }"
		packages+=("${more[@]}")
	done <<<"$1"
	as_root dnf -y --setopt=install_weak_deps=False install "${packages[@]}"
}

install() {
	local rows installer
	rows=$(missing_rows "$@")
	if [ -z "$rows" ]; then
		[ "${QUIET:-}" = 1 ] || say "nothing to install: all that is needed is there"
		return
	fi
	say "missing: $(names "$rows")"
	if have apt-get; then
		installer=apt_install
	elif have dnf; then
		installer=dnf_install
	else
		die "neither apt-get nor dnf is here: install these by hand"
	fi
	if [ "$(id -u)" != 0 ] && ! have sudo && [ "${DRY_RUN:-}" != 1 ]; then
		DRY_RUN=1 $installer "$rows" >&2
		die "cannot install as this user and there is no sudo: run 'make deps' as root"
	fi
	$installer "$rows" || die "the package manager failed: see above"
	[ "${DRY_RUN:-}" != 1 ] || return 0
	rows=$(missing_rows "$@")
	if [ -n "$rows" ]; then
		die "installed, but still missing: $(names "$rows")"
	fi
}

missing() {
	local rows
	rows=$(missing_rows "$@")
	[ -n "$rows" ] || return 0
	die "missing: $(names "$rows") ('make deps' installs what is missing)"
}

verb=${1:-}
shift || true
case $verb in
install | missing) "$verb" "$@" ;;
bpftool) find_bpftool ;;
fuzzer) find_fuzzer ;;
*) die "usage: deps.sh install|missing build|more|check|bench|deb... | deps.sh bpftool|fuzzer" ;;
esac
