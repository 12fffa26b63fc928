# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# apt with a state of its own, for what the system's suites do not have: its package lists are
# neither read nor changed; proxies and the like still come from the system's apt.conf.d, mirrors
# from its sources. Whoever sources this has sourced lib.sh, and $stage, a folder of its own.

APT_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# mirror archive|security: prints the URI from which the system itself gets that archive.
mirror() {
	local set uri release
	# shellcheck disable=SC2016 # apt expands those
	local format='$(REPO_URI) $(RELEASE)'

	case $1 in
	archive) set=${SYNFIN_DEBIAN_MIRROR:-} ;;
	security) set=${SYNFIN_SECURITY_MIRROR:-} ;;
	esac
	if [[ -n $set ]]; then
		echo "$set"
		return
	fi
	while read -r uri release; do
		[[ $uri != cdrom:* ]] || continue
		case $1:$release in
		archive:*-security) continue ;;
		security:bullseye-security | security:bookworm-security) ;;
		security:trixie-security | security:forky-security) ;;
		security:*stable-security | security:testing-security) ;;
		archive:bullseye* | archive:bookworm* | archive:trixie* | archive:forky*) ;;
		archive:*stable* | archive:testing* | archive:sid) ;;
		*) continue ;; # not Debian's
		esac
		echo "$uri"
		return
	done < <(apt-get indextargets --format "$format" \
		'Created-By: Packages' 'Component: main')
}

# apt_begin ARCHITECTURE: writes $stage/apt.conf; the sources.list is the caller's.
apt_begin() {
	[[ -r $APT_KEYRING ]] || vm_die "$APT_KEYRING is missing (package debian-archive-keyring)"
	mkdir -p "$stage"/apt/{lists/partial,cache/archives/partial}
	: >"$stage/apt/status"
	cat >"$stage/apt.conf" <<-EOF
		Dir::State "$stage/apt/";
		Dir::State::lists "$stage/apt/lists/";
		Dir::State::status "$stage/apt/status";
		Dir::Cache "$stage/apt/cache/";
		Dir::Cache::srcpkgcache "";
		Dir::Etc::sourcelist "$stage/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		APT::Architecture "$1";
		APT::Architectures { "$1"; };
		APT::Sandbox::User "$(id -un)";
		Acquire::Languages "none";
		Acquire::Check-Valid-Until "false";
		Acquire::Retries "2";
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	EOF
}

# apt_source URI SUITE [ARCHITECTURE]: a line of sources.list.
apt_source() {
	echo "deb [${3:+arch=$3 }signed-by=$APT_KEYRING] $1 $2 main"
}

# private_apt PROGRAM ARGS...: apt-get or apt-cache on the state of its own; 1 with $stage/apt.why.
private_apt() {
	local prog=$1

	shift
	"$prog" -q -c "$stage/apt.conf" "$@" 2>"$stage/apt.err" && return 0
	{ grep -m1 '^E:' "$stage/apt.err" || tail -n1 "$stage/apt.err"; } >"$stage/apt.why" || true
	return 1
}

# must_apt PROGRAM ARGS...: the same, dies with its error.
must_apt() {
	local why

	private_apt "$@" && return 0
	why=$(<"$stage/apt.why")
	vm_die "$1: ${why:-failed}"
}
