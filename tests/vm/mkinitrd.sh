#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the initramfs of a test guest: busybox, bash, ip, ss, tc, nft and what the caller adds,
# with the shared libraries of this machine; the kernel modules tests need; /init. All programs
# are in /usr/bin (/bin, /sbin and /usr/sbin lead there). Not compressed: a guest under TCG
# unpacks slower than the host writes.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$here/lib.sh"

# Besides the tools of the trade: dd, for busybox's does not say how many bytes it copied, which
# /init wants to know; and whatever runs other programs, for busybox's prefer its own applets to
# a real ip.
programs=(bash dash ip bridge ss tc nft dd env nice nohup nsenter setsid timeout unshare xargs)

# Loaded at boot, so that a tracer finds their functions and BTF. A kernel may lack some: they
# are built in, or part of another module.
modules_loaded=(
	af_packet ipv6 veth dummy sch_netem sch_tbf sch_ingress
	inet_diag tcp_diag udp_diag unix_diag
	nf_conntrack nf_tables nft_ct nft_nat nft_chain_nat nft_masq nft_redir nft_counter
	nft_limit nft_reject nft_reject_ipv4 nft_reject_ipv6 nft_reject_inet
)

# Shipped: the kernel asks for them (modprobe) when they are used.
modules_shipped=(
	bridge br_netfilter tun macvlan ipvlan vxlan vrf tls tcp_bbr tcp_dctcp raw_diag netlink_diag
	sch_fq sch_fq_codel sch_htb sch_prio sch_red cls_u32 cls_bpf cls_matchall
	act_mirred act_gact act_bpf
	nft_log nf_log_syslog nft_queue nft_quota nft_socket nft_tproxy nft_synproxy nft_hash
	nft_numgen nft_fib nft_fib_ipv4 nft_fib_ipv6 nft_fib_inet nft_tunnel nft_compat
	nfnetlink_log nfnetlink_queue nf_conntrack_netlink nf_tproxy_ipv4 nf_tproxy_ipv6
	ip_tables iptable_filter ip6_tables ip6table_filter x_tables ipt_REJECT ip6t_REJECT
	xt_conntrack xt_tcpudp xt_mark xt_statistic xt_REDIRECT xt_nat xt_TPROXY
)

usage() {
	cat <<'EOF'
usage: mkinitrd.sh --kernel DIR --output FILE [--bin PROG]... [--file SRC:DST]...
                   [--module NAME]... [--ship-out] [-- COMMAND ARGS...]

--kernel DIR     what kernels.sh printed
--bin PROG       a program, by name or path: becomes /usr/bin/PROG
--file SRC:DST   a file or directory of the host: becomes DST, an absolute path
--module NAME    load this module too; it is an error if the kernel has none
--ship-out       send /out to the host when COMMAND has ended
Programs and shared objects bring their shared libraries along.
EOF
}

# Makes the directories and the small files every guest has.
make_skeleton() {
	mkdir -p "$root"/{dev,proc,sys,tmp,run,out,root,var,etc/vm,etc/iproute2,usr/bin,usr/lib}
	mkdir -p "$root/usr/lib64"
	ln -s usr/bin "$root/bin"
	ln -s usr/bin "$root/sbin"
	ln -s bin "$root/usr/sbin"
	ln -s usr/lib "$root/lib"
	ln -s usr/lib64 "$root/lib64"
	ln -s ../run "$root/var/run"
	ln -s ../tmp "$root/var/tmp"
	ln -s /proc/mounts "$root/etc/mtab"
	install -m 755 "$here/init" "$root/init"
	printf '%s\n' root:x:0:0:root:/root:/bin/bash daemon:x:1:1::/:/bin/false \
		guest:x:1000:1000::/tmp:/bin/bash \
		nobody:x:65534:65534::/:/bin/false >"$root/etc/passwd"
	printf '%s\n' root:x:0: daemon:x:1: guest:x:1000: nogroup:x:65534: >"$root/etc/group"
	printf '%s\n' '127.0.0.1 localhost' '::1 localhost' >"$root/etc/hosts"
	printf '%s\n' 'passwd: files' 'group: files' 'hosts: files' 'services: files' \
		'protocols: files' >"$root/etc/nsswitch.conf"
	local dir
	for dir in /usr/share/iproute2 /etc/iproute2; do
		[[ ! -d $dir ]] || cp -rL "$dir/." "$root/etc/iproute2/"
	done
	for dir in /etc/services /etc/protocols; do
		[[ ! -e $dir ]] || cp "$dir" "$root/etc/"
	done
	# The delay distributions of netem, and a locale which knows UTF-8.
	for dir in /usr/lib/tc /usr/lib/locale/C.utf8; do
		[[ ! -d $dir ]] || { mkdir -p "$root${dir%/*}" && cp -rL "$dir" "$root$dir"; }
	done
}

add_program() {
	local path

	path=$(command -v "$1") || vm_die "program '$1' not found"
	[[ -f $path && -x $path ]] || vm_die "'$1' is not a program"
	cp -L --remove-destination "$path" "$root/usr/bin/${path##*/}"
	chmod 755 "$root/usr/bin/${path##*/}"
}

# add_file SRC:DST
add_file() {
	local src=${1%:*} dst=${1##*:}

	[[ $1 == *:* && $dst == /* && $src ]] || vm_die "--file $1: not SRC:/DST"
	if [[ -d $src ]]; then
		mkdir -p "$root$dst"
		cp -r --preserve=mode,links,timestamps "$src/." "$root$dst/" ||
			vm_die "--file $1: cannot copy"
	elif [[ -e $src ]]; then
		[[ $dst != */ ]] || dst+=${src##*/}
		mkdir -p "$root${dst%/*}"
		cp -L --remove-destination --preserve=mode,timestamps "$src" "$root$dst" ||
			vm_die "--file $1: cannot copy"
	else
		vm_die "--file $1: no such file"
	fi
}

# Copies the shared libraries of every ELF file put in so far, to the paths they have here.
add_libraries() {
	local LC_ALL=C elf=() libs wanted=() file magic lib missing

	while IFS= read -r -d '' file; do
		IFS= read -r -N 4 magic 2>/dev/null <"$file" || :
		[[ $magic != $'\x7fELF' ]] || elf+=("$file")
	done < <(find "$root" -path "$root/usr/lib/modules" -prune -o -type f \
		\( -perm /111 -o -name '*.so' -o -name '*.so.*' \) -print0)
	# ldd fails for a static program, which needs nothing.
	ldd "${elf[@]}" >"$work/ldd" 2>/dev/null || :
	missing=$(sed -n 's/^[[:space:]]*\(.*\) => not found$/\1/p' "$work/ldd" | sort -u)
	[[ -z $missing ]] ||
		printf 'mkinitrd.sh: not on this machine: %s\n' "${missing//$'\n'/ }" >&2
	mapfile -t libs < <(sed -nE 's/^[[:space:]]*([^ ]* => )?(\/.*) \(0x[0-9a-f]+\)$/\2/p' \
		"$work/ldd" | sort -u)
	# Loaded at run time by pthread_cancel() and pthread_exit().
	lib=/lib/x86_64-linux-gnu/libgcc_s.so.1
	[[ ! -e $lib ]] || libs+=("$lib")
	for lib in "${libs[@]}"; do
		[[ -e $root$lib ]] || wanted+=("$lib")
	done
	cp -L --parents -t "$root" "${wanted[@]}"
}

# Links for every applet which no real program has taken.
add_busybox() {
	local busybox

	busybox=$(command -v busybox) || vm_die "busybox is missing (package busybox-static)"
	! ldd "$busybox" >/dev/null 2>&1 || vm_die "$busybox is not static (package busybox-static)"
	cp -L "$busybox" "$root/usr/bin/busybox"
	ln -s dash "$root/usr/bin/sh"
	# Complains of the names which are taken. The links lead to its path here, /bin/busybox.
	"$busybox" --install -s "$root/usr/bin" 2>/dev/null || :
}

# Prints, for those NAMEs the kernel has as modules, the paths of the module and of what it
# depends on (modules.dep lists all of it). A file may have dashes where a name has underscores.
module_paths() {
	printf '%s\n' "$@" | awk '
		function name(path) {
			sub(/.*\//, "", path); sub(/\.ko:?$/, "", path); gsub(/-/, "_", path)
			return path
		}
		NR == FNR { wanted[name($1)]; next }
		name($1) in wanted { sub(/:$/, "", $1); for (i = 1; i <= NF; i++) print $i }
	' - "$modules/modules.dep" | sort -u
}

add_modules() {
	local dst=$root/usr/lib/modules/$release name path paths
	local required=(virtio_mmio virtio_console "${modules_extra[@]}")
	local -A has=()

	mapfile -t paths < <(module_paths "${required[@]}" "${modules_loaded[@]}" \
		"${modules_shipped[@]}")
	for path in "${paths[@]}"; do
		name=${path##*/}
		name=${name%.ko}
		has[${name//-/_}]=1
	done
	for name in "${required[@]}"; do
		[[ ${has[${name//-/_}]:-} ]] ||
			tr - _ <"$modules/modules.builtin" | grep "/${name//-/_}\.ko$" >/dev/null ||
			vm_die "$release has no module $name"
	done
	mkdir -p "$dst"
	(cd "$modules" && cp --parents -t "$dst" "${paths[@]}" modules.{dep,alias,symbols,builtin})
	for name in "${modules_loaded[@]}" "${modules_extra[@]}"; do
		[[ -z ${has[${name//-/_}]:-} ]] || echo "$name"
	done >"$root/etc/vm/modules"
}

kernel='' output='' ship=false
bins=() files=() modules_extra=()
while [[ $# -gt 0 ]]; do
	case $1 in
	--kernel | --output | --bin | --file | --module)
		[[ $# -ge 2 ]] || vm_die "$1 needs a value"
		;;&
	--kernel) kernel=$2 ;;
	--output) output=$2 ;;
	--bin) bins+=("$2") ;;
	--file) files+=("$2") ;;
	--module) modules_extra+=("$2") ;;
	--ship-out) ship=true && shift && continue ;;
	-h | --help) usage && exit 0 ;;
	--) shift && break ;;
	*) vm_die "unknown argument '$1'" ;;
	esac
	shift 2
done
[[ -n $kernel && -n $output ]] || vm_die "--kernel and --output are needed"
[[ $(uname -m) == x86_64 ]] || vm_die "the guest's programs are this machine's: x86_64 is needed"
release=$(cat "$kernel/release") || vm_die "$kernel is no directory of kernels.sh"
modules=$kernel/lib/modules/$release
vm_need cpio ldd awk

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
root=$work/root
make_skeleton
for name in "${programs[@]}" "${bins[@]}"; do
	add_program "$name"
done
for name in "${files[@]}"; do
	add_file "$name"
done
add_libraries
add_busybox
add_modules
{
	echo 'cd /root'
	printf 'exec'
	[[ $# -gt 0 ]] || set -- true
	printf ' %q' "$@"
	echo
} >"$root/etc/vm/command"
! $ship || : >"$root/etc/vm/ship"
(cd "$root" && find . -print0 | cpio -0 -o -H newc -R 0:0 --quiet) >"$output" ||
	vm_die "cannot write $output"
