# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the scripts of tests/vm share: the names of the kernels, where the cache is, the Debian
# packages they need, and how they fail (one line on standard error, exit status 125).
# Sourced, never run.

# Short names, oldest first. kernels.sh says which Debian suite each one comes from.
# shellcheck disable=SC2034 # for the scripts which source this
VM_KERNELS=(5.10 6.1 6.12 7)

# Debian packages, printed by kernels.sh --packages. lz4, xz and zstd unpack kernels and modules;
# gcc and libc6-dev build tsc_khz.c; netbase has the /etc/services and /etc/protocols of the guest.
# shellcheck disable=SC2034
VM_PACKAGES=(
	qemu-system-x86 busybox-static cpio debian-archive-keyring gcc libc6-dev
	bash iproute2 nftables netbase lz4 xz-utils zstd
)

vm_die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 125
}

# vm_need PROGRAM...: dies unless all of them can be found.
vm_need() {
	local prog

	PATH=$PATH:/usr/sbin:/sbin
	for prog in "$@"; do
		command -v "$prog" >/dev/null ||
			vm_die "$prog is missing (packages needed: ${VM_PACKAGES[*]})"
	done
}

# Prints the cache directory, made if need be. It is outside the tree and may be deleted at will.
vm_cache() {
	local dir=${SYNFIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/synfin/vm}

	mkdir -p "$dir" || vm_die "cannot make the cache directory $dir"
	(cd "$dir" && pwd -P)
}

# vm_is_kernel NAME: is it one of the matrix?
vm_is_kernel() {
	local k

	for k in "${VM_KERNELS[@]}"; do
		[[ $k != "$1" ]] || return 0
	done
	return 1
}
