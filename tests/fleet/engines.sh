#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Prints the folder whose node_modules has the engines that package-lock.json
# pins, with their checksums. What is not there is fetched once, by npm, into a
# cache outside the tree; nothing of it is run on the way.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/synfin/fleet
engines=$cache/$(sha256sum <"$here/package-lock.json" | cut -c 1-16)

die() {
	echo "engines.sh: $*" >&2
	exit 1
}

command -v node >/dev/null || die "node is missing ('make deps' installs it)"
command -v npm >/dev/null || die "npm is missing ('make deps' installs it)"
mkdir -p "$cache"
exec 9>"$cache/lock"
flock -w 600 9 || die "$cache/lock is held"
if [ ! -e "$engines" ]; then
	stage=$(mktemp -d -p "$cache")
	trap 'rm -rf "$stage"' EXIT
	cp "$here"/package{,-lock}.json "$stage/"
	npm install --prefix "$stage" --cache "$stage/cache" --ignore-scripts --no-audit --no-fund \
		>"$stage/log" 2>&1 9>&- ||
		die "npm: $(grep -m 1 '^npm error' "$stage/log" || tail -n 1 "$stage/log")"
	rm -r "$stage/cache"
	mv -T "$stage" "$engines"
fi
echo "$engines"
