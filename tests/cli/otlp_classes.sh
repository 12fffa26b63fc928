#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Prints the folder that holds OpenTelemetry's own protobuf classes for
# /usr/bin/python3, for PYTHONPATH; nothing if the system has them. Debian 12 has the package in
# backports only: it is fetched with an apt state of its own, as tests/vm/kernels.sh does, into
# a cache outside the tree; the system's package lists are neither read nor changed.
#
# SYNFIN_DEBIAN_MIRROR     URI of a Debian archive (default: from the system's apt sources)
set -euo pipefail

package=python3-opentelemetry-proto
cache=${XDG_CACHE_HOME:-$HOME/.cache}/synfin/otlp
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../vm/lib.sh disable=SC1091
. "$here/../vm/lib.sh"
# shellcheck source-path=SCRIPTDIR source=../vm/apt.sh disable=SC1091
. "$here/../vm/apt.sh"

# has_classes [FOLDER]
has_classes() {
	PYTHONPATH=${1:-} /usr/bin/python3 -c \
		'import opentelemetry.proto.collector.logs.v1.logs_service_pb2' 2>/dev/null
}

fetch() {
	local uri
	uri=$(mirror archive)
	[ -n "$uri" ] || vm_die "no Debian archive in the apt sources: set SYNFIN_DEBIAN_MIRROR"
	apt_begin "$(dpkg --print-architecture)"
	apt_source "$uri" bookworm-backports >"$stage/sources.list"
	must_apt apt-get --error-on=any update >"$stage/log"
	(cd "$stage" && must_apt apt-get download "$package" >"$stage/log")
	dpkg-deb -x "$stage/$package"_*.deb "$stage/x"
}

! has_classes || exit 0
/usr/bin/python3 -c 'import google.protobuf' 2>/dev/null || vm_die "python3-protobuf is missing"
if ! has_classes "$cache/classes"; then
	mkdir -p "$cache"
	stage=$(mktemp -d -p "$cache")
	trap 'rm -rf "$stage"' EXIT
	fetch
	rm -rf "$cache/classes"
	mv "$stage/x/usr/lib/python3/dist-packages" "$cache/classes"
	has_classes "$cache/classes" || vm_die "$package cannot be used by this python3"
fi
echo "$cache/classes"
