#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Fetches stock Debian cloud kernels into a cache outside the tree: vmlinux and modules of the
# newest version in each suite. Owns that cache. Uses apt with a state of its own, so that the
# system's package lists are neither read nor changed; the mirrors are those the system uses.
# A kernel already there costs no network; concurrent calls are safe.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$here/lib.sh"
# shellcheck source-path=SCRIPTDIR source=apt.sh disable=SC1091
. "$here/apt.sh"

stage=

usage() {
	cat <<'EOF'
usage: kernels.sh [--refresh] [KERNEL...]     KERNEL: 5.10 6.1 6.12 7 (default: all)
       kernels.sh --packages                  print the Debian packages tests/vm needs

Prints a line per kernel: name, release, package version, directory, separated by tabs.
--refresh   fetch what the suite has now, and drop the version it replaces

SYNFIN_CACHE             the cache (default ${XDG_CACHE_HOME:-~/.cache}/synfin/vm)
SYNFIN_DEBIAN_MIRROR     URI of a Debian archive (default: from the system's apt sources)
SYNFIN_SECURITY_MIRROR   URI of a Debian security archive (the same)
EOF
}

# Prints the suites of a kernel: the one of the archive, then the one of the security archive.
suites_of() {
	case $1 in
	5.10) echo bullseye bullseye-security ;;
	6.1) echo bookworm bookworm-security ;;
	6.12) echo trixie trixie-security ;;
	7) echo trixie-backports ;;
	esac
}

# Writes $stage/sources.list for kernel $1.
write_sources() {
	local kernel=$1 suite uri

	for suite in $(suites_of "$kernel"); do
		if [[ $suite == *-security ]]; then
			uri=$(mirror security)
			if [[ -z $uri ]]; then
				echo "kernels.sh: no Debian security archive in the apt sources:" \
					"$kernel comes from plain ${suite%-security}" >&2
				continue
			fi
		else
			uri=$(mirror archive)
			[[ -n $uri ]] || vm_die "no Debian archive in the apt sources:" \
				"set SYNFIN_DEBIAN_MIRROR"
		fi
		apt_source "$uri" "$suite" amd64
	done >"$stage/sources.list"
}

# Prints the packages a kernel is made of: up to trixie one, later several, so follow the
# dependencies of the metapackage whose names have a version in them.
kernel_packages() {
	local queue=(linux-image-cloud-amd64) pkg deps dep seen=' '

	while [[ ${#queue[@]} -gt 0 ]]; do
		pkg=${queue[0]}
		queue=("${queue[@]:1}")
		[[ $seen != *" $pkg "* ]] || continue
		seen+="$pkg "
		must_apt apt-cache show --no-all-versions "$pkg" >"$stage/show"
		[[ $pkg == linux-image-cloud-amd64 ]] || echo "$pkg"
		deps=$(sed -nE 's/^(Pre-)?Depends: //p' "$stage/show")
		while read -r dep; do
			queue+=("$dep")
		done < <(grep -oE 'linux-(image|base|binary|modules)-[0-9][^ ,()|]*' \
			<<<"$deps" || :)
	done
}

u32_at() {
	od -An -tu4 -j "$2" -N4 "$1" | tr -d ' '
}

# unpack_bzimage BZIMAGE VMLINUX: the ELF kernel inside, which QEMU boots by its PVH entry: that
# spares the guest, which is slow, the decompression. Offsets: Documentation/arch/x86/boot.rst.
unpack_bzimage() {
	local setup_sects offset length unpack

	setup_sects=$(od -An -tu1 -j $((0x1f1)) -N1 "$1" | tr -d ' ')
	offset=$(((setup_sects + 1) * 512 + $(u32_at "$1" $((0x248)))))
	length=$(u32_at "$1" $((0x24c)))
	tail -c +$((offset + 1)) "$1" >"$stage/payload"
	truncate -s "$length" "$stage/payload"
	case $(od -An -tx1 -N4 "$stage/payload" | tr -d ' ') in
	1f8b*) unpack=gzip ;;
	02214c18) unpack=lz4 ;;
	28b52ffd) unpack=zstd ;;
	fd377a58) unpack=xz ;;
	*) vm_die "$1 is compressed in an unknown way" ;;
	esac
	# All but gzip are followed by the unpacked size, 4 bytes.
	[[ $unpack == gzip ]] || truncate -s -4 "$stage/payload"
	"$unpack" -dc <"$stage/payload" >"$2" 2>"$stage/unpack.err" ||
		vm_die "cannot unpack $1: $(tail -n1 "$stage/unpack.err")"
	[[ $(od -An -tx1 -N4 "$2" | tr -d ' ') == 7f454c46 ]] || vm_die "no ELF kernel in $1"
	rm "$stage/payload"
}

# Makes $stage/new (vmlinux, config, lib/modules/RELEASE, release) of the packages under $stage/x.
build_kernel_dir() {
	local modules release file

	modules=$(find "$stage/x" -type d -path '*/lib/modules/*' -name kernel -prune -print -quit)
	[[ -n $modules ]] || vm_die "no modules in the kernel package"
	modules=${modules%/kernel}
	release=${modules##*/}
	mkdir -p "$stage/new/lib/modules"
	for file in "$stage/x/boot/vmlinuz-$release" "$modules/vmlinuz"; do
		[[ ! -e $file ]] || unpack_bzimage "$file" "$stage/new/vmlinux"
	done
	[[ -e $stage/new/vmlinux ]] || vm_die "no vmlinuz in the packages of $release"
	for file in "$stage/x/boot/config-$release" "$modules/config"; do
		[[ ! -e $file ]] || cp "$file" "$stage/new/config"
	done
	rm -f "$modules/vmlinuz"
	mv "$modules" "$stage/new/lib/modules/"
	find "$stage/new/lib" -name '*.ko.xz' -print0 | xargs -0r -P2 -n64 xz -dq
	find "$stage/new/lib" -name '*.ko.zst' -print0 | xargs -0r -n64 zstd -dq --rm
	find "$stage/new/lib" -name '*.ko.gz' -print0 | xargs -0r -n64 gzip -dq
	busybox depmod -b "$stage/new" "$release" || vm_die "depmod failed for $release"
	echo "$release" >"$stage/new/release"
}

# Puts $stage/new in the place of the kernel's present directory, if any. The caller holds the
# lock, so no guest is booting from the old one.
publish() {
	local kernel=$1 version=$2 old='' dir

	dir=$(cat "$stage/new/release")_$version
	echo "$version" >"$stage/new/version"
	[[ ! -L $cache/$kernel ]] || old=$(readlink "$cache/$kernel")
	rm -rf "${cache:?}/$dir"
	mv "$stage/new" "$cache/$dir"
	ln -sfn "$dir" "$stage/link"
	mv -T "$stage/link" "$cache/$kernel"
	[[ -z $old || $old == "$dir" ]] || rm -rf "${cache:?}/$old"
}

fetch() {
	local kernel=$1 version packages deb

	rm -rf "$cache/.new-$kernel"
	stage=$cache/.new-$kernel
	mkdir "$stage"
	echo "kernels.sh: fetching $kernel" >&2
	apt_begin amd64
	write_sources "$kernel"
	must_apt apt-get --error-on=any update >"$stage/apt.out"
	must_apt apt-cache show --no-all-versions linux-image-cloud-amd64 >"$stage/show"
	version=$(sed -n 's/^Version: //p' "$stage/show")
	[[ $version == "$kernel".* ]] ||
		vm_die "$(suites_of "$kernel") now has version '$version', not $kernel"
	if [[ $version != "$(cat "$cache/$kernel/version" 2>/dev/null)" ]]; then
		packages=$(kernel_packages)
		[[ -n $packages ]] || vm_die "linux-image-cloud-amd64 $version names no kernel"
		# shellcheck disable=SC2086 # a list of names without blanks
		(cd "$stage" && must_apt apt-get download $packages >apt.out)
		mkdir "$stage/x"
		for deb in "$stage"/*.deb; do
			dpkg-deb -x "$deb" "$stage/x" || vm_die "cannot unpack ${deb##*/}"
		done
		build_kernel_dir
		publish "$kernel" "$version"
	fi
	rm -rf "$stage"
	stage=
}

is_cached() {
	[[ -e $cache/$1/version ]]
}

# Fetches kernel $1 if it is missing, or --refresh was given, and prints its line.
ensure() {
	local kernel=$1

	if $refresh || ! is_cached "$kernel"; then
		# A boot holds the lock shared (see run) and ends; so does another fetch.
		exec 9>"$cache/$kernel.lock"
		flock -w 900 9 || vm_die "$kernel is in use ($cache/$kernel.lock)"
		# Another call may have fetched it while this one waited.
		if $refresh || ! is_cached "$kernel"; then
			vm_need apt-get apt-cache dpkg-deb busybox xz lz4 zstd gzip
			fetch "$kernel"
		fi
		exec 9>&-
	fi
	printf '%s\t%s\t%s\t%s\n' "$kernel" "$(cat "$cache/$kernel/release")" \
		"$(cat "$cache/$kernel/version")" "$cache/$kernel"
}

refresh=false
wanted=()
while [[ $# -gt 0 ]]; do
	case $1 in
	--refresh) refresh=true ;;
	--packages)
		echo "${VM_PACKAGES[@]}"
		exit 0
		;;
	-h | --help)
		usage
		exit 0
		;;
	*)
		vm_is_kernel "$1" || vm_die "'$1' is not one of ${VM_KERNELS[*]}"
		wanted+=("$1")
		;;
	esac
	shift
done
[[ ${#wanted[@]} -gt 0 ]] || wanted=("${VM_KERNELS[@]}")
vm_need flock
cache=$(vm_cache)
trap '[[ -z $stage ]] || rm -rf "$stage"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
for k in "${wanted[@]}"; do
	ensure "$k"
done
