#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh [TIER...]: drives and judges real connections on this host's kernel,
# in network namespaces of its own; TAP on standard output, exit 1 if a check
# failed. Without a TIER: the one that this kernel allows, as synfin picks it.
# Environment: SYNFIN, SFGEN (the programs; nothing is built here), OUT (keeps
# what was written there; a temporary directory is removed if all went well).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
export SYNFIN=${SYNFIN:-$root/.output/synfin}
export SFGEN=${SFGEN:-$root/.output/tests/sfgen}
bound_s=300

if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP network namespaces need root"
	exit 0
fi
for program in "$SYNFIN" "$SFGEN"; do
	if [ ! -x "$program" ]; then
		echo "Bail out! $program is missing: run make first"
		exit 1
	fi
done
[ $# -gt 0 ] || set -- auto

base=${OUT:-$(mktemp -d)}
failed=0
echo "# the judge itself"
"$here/check_selftest.py" || failed=1
# judged_there TAP ERR: what has judged itself; it must have come to its end
judged_there() {
	cat "$1"
	if ! grep -q '^1\.\.' "$1"; then
		echo "not ok 999 - ${1##*/} came to its end"
		sed 's/^/# /' "$2" | tail -n 10
		return 1
	fi
	! grep -q '^not ok' "$1"
}

for tier; do
	out=$base/$tier
	echo "# tier $tier on $(uname -r), output in $out"
	timeout -k 10 "$bound_s" "$here/drive.sh" "$SYNFIN" "$out" "${tier/auto/full}" \
		2>"$out.err" || sed 's/^/# /' "$out.err"
	if [ "$tier" = auto ]; then
		tier=$(sed -n 's/^hooks=//p' "$out/status")
		echo "# hooks: $tier"
	fi
	"$here/check.py" "$out" "$tier" "$(uname -r)" || failed=1
	judged_there "$out/scenes.tap" "$out/scenes.err" || failed=1
	"$here/wire.py" "$SYNFIN" "$tier" 200 || failed=1
done
if [ "$failed" = 0 ] && [ -z "${OUT:-}" ]; then
	rm -r "$base"
fi
exit "$failed"
