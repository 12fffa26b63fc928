#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Fetches the BTF of the stock Debian cloud kernels that synfin is tried on, for amd64 and arm64,
# into a directory; verify.py checks vmlinux.h against it. The amd64 kernels are those of
# tests/vm/kernels.sh; arm64 ones come through an apt state of their own, from the mirrors that the
# system uses. What is there already costs no network: delete a file to fetch it anew.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../tests/vm/lib.sh disable=SC1091
. "$here/../tests/vm/lib.sh"
# shellcheck source-path=SCRIPTDIR source=../tests/vm/apt.sh disable=SC1091
. "$here/../tests/vm/apt.sh"

stage=

usage() {
	cat <<'EOF'
usage: fetch-btf.sh DIR     prints the files, DIR/RELEASE.btf, one a line

SYNFIN_CACHE, SYNFIN_DEBIAN_MIRROR, SYNFIN_SECURITY_MIRROR: see tests/vm/kernels.sh --help
EOF
}

# Prints the BTF file of a kernel (6.1) and architecture, if it is there.
cached() {
	local file

	for file in "$dir/$1".*-"$2".btf; do
		[[ ! -e $file ]] || echo "$file"
	done
}

# extract IMAGE RELEASE: takes the BTF out of a vmlinux or an arm64 vmlinuz.
extract() {
	python3 -B "$here/btf.py" "$1" "$dir/.$2.tmp" || vm_die "no BTF in the kernel $2"
	mv "$dir/.$2.tmp" "$dir/$2.btf"
}

fetch_amd64() {
	local kernel=$1 release path

	# Two statements: a failure inside of <<< would go unseen.
	path=$("$here/../tests/vm/kernels.sh" "$kernel")
	IFS=$'\t' read -r _ release _ path <<<"$path"
	extract "$path/vmlinux" "$release"
}

# Prints lines of the sources.list for arm64: the suites of all kernels, at the system's mirrors.
arm64_sources() {
	local archive security suite

	archive=$(mirror archive)
	security=$(mirror security)
	[[ -n $archive ]] ||
		vm_die "no Debian archive in the apt sources: set SYNFIN_DEBIAN_MIRROR"
	for suite in bullseye bookworm trixie trixie-backports; do
		apt_source "$archive" "$suite" arm64
		[[ -z $security || $suite == *-backports ]] ||
			apt_source "$security" "$suite-security" arm64
	done
}

# Makes the private apt state for arm64 in $stage, once.
arm64_apt_init() {
	[[ -z $stage ]] || return 0
	vm_need apt-get apt-cache dpkg-deb
	stage=$(mktemp -d)
	apt_begin arm64
	arm64_sources >"$stage/sources.list"
	must_apt apt-get --error-on=any update >/dev/null
}

# Prints the releases of a kernel that the archive lists, newest first.
arm64_releases() {
	private_apt apt-cache show linux-image-cloud-arm64 |
		awk -v want="$1." '
			/^Version: / { ok = index($2, want) == 1 }
			/^Depends: / && ok && match($0, /linux-image-[0-9][^ ,]*/) {
				print substr($0, RSTART + 12, RLENGTH - 12)
			}'
}

# Fetches vmlinuz of release $1 to $stage/vmlinuz. Since 7.x another package than the image has it.
arm64_vmlinuz() {
	local package=linux-image-$1 shown

	shown=$(private_apt apt-cache show "$package") || return 1
	[[ $shown != *" linux-binary-$1 "* ]] || package=linux-binary-$1
	rm -f "$stage"/*.deb
	(cd "$stage" && private_apt apt-get download "$package" >/dev/null) || return 1
	dpkg-deb --fsys-tarfile "$stage"/*.deb |
		tar -xO --wildcards '*/vmlinuz*' >"$stage/vmlinuz" || return 1
}

fetch_arm64() {
	local kernel=$1 release releases

	arm64_apt_init
	releases=$(arm64_releases "$kernel")
	[[ -n $releases ]] || vm_die "the archive lists no arm64 kernel $kernel"
	# The index may list a package that the archive does not hold: then the one before it.
	for release in $releases; do
		if arm64_vmlinuz "$release"; then
			extract "$stage/vmlinuz" "$release"
			return
		fi
		echo "fetch-btf.sh: $release could not be had: $(<"$stage/apt.why")" >&2
	done
	vm_die "no arm64 kernel $kernel could be fetched"
}

if [[ $# -ne 1 || $1 == -* ]]; then
	usage >&2
	exit 2
fi
mkdir -p "$1"
dir=$(cd "$1" && pwd)
vm_need python3
trap '[[ -z $stage ]] || rm -rf "$stage"' EXIT
for arch in amd64 arm64; do
	for k in "${VM_KERNELS[@]}"; do
		[[ -n $(cached "$k" "$arch") ]] || "fetch_$arch" "$k"
		cached "$k" "$arch"
	done
done
