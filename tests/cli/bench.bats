#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# make bench, with so few connections that its figures mean nothing: each row is there, has counted
# what it saw, and lost nothing. Needs root.

load common

root=$BATS_TEST_DIRNAME/../..

bench() {
	"$root/tests/bench/bench.py" --build "$(dirname "$SYNFIN")" --rounds 1 --connections 400 \
		--seconds 0.2 --json "$BATS_TEST_TMPDIR/json" "$@" >"$BATS_TEST_TMPDIR/table" \
		2>"$BATS_TEST_TMPDIR/err" || { cat "$BATS_TEST_TMPDIR/err"; return 1; }
	cat "$BATS_TEST_TMPDIR/table"
}

# holds EXPRESSION: of the JSON, r; median(ROW, FIELD) is a figure's
holds() {
	python3 -c '
import json, sys
r = json.load(open(sys.argv[1]))
def median(row, field):
    return r["rows"][row][field]["median"]
if not eval(sys.argv[2]):
    sys.exit("not so: " + sys.argv[2])' "$BATS_TEST_TMPDIR/json" "$1"
}

@test "a short bench: each part, plausible figures" {
	local row
	bench --sockets 200 \
		--only "floor record,synfin conns,synfin -w,synfin serve,tcplife,tcpdump"
	[ "$(tail -n +2 "$BATS_TEST_TMPDIR/table" | LC_ALL=C.UTF-8 wc -L)" -le 80 ]
	for row in "floor record" "synfin conns" "synfin -w" "synfin serve" tcplife tcpdump; do
		grep -q "^$row " "$BATS_TEST_TMPDIR/table"
		holds "0 < median('$row', 'rate_share') < 10"
	done
	for row in "floor record" "synfin conns" tcplife; do
		holds "0 < median('$row', 'kernel_ns') < 1e7"
	done
	for row in "synfin conns" tcplife tcpdump; do
		holds "0 < median('$row', 'wrk_rate_share') < 10"
	done
	for row in "synfin conns" "synfin serve"; do
		# the other connections of this host are told, too
		holds "1.9 < median('$row', 'lines_per_connection') < 3"
	done
	for row in "synfin conns" "synfin -w" "synfin serve"; do
		holds "median('$row', 'lost_share') == 0"
		holds "50 < median('$row', 'bytes_per_connection') < 6000"
		holds "0 < median('$row', 'user_s_per_100k') < 1000"
	done
	holds "r['snapshots']['200']['synfin stuck']['seconds']['median'] < 10"
}

@test "a connection costs the kernel less with conns than with tcpstates" {
	bench --parts kernel --only "synfin conns,tcpstates"
	holds "median('synfin conns', 'kernel_ns') < median('tcpstates', 'kernel_ns')"
}

@test "a tracer that does not run here is told, with its reason" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\necho no such device >&2\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/tcpdump"
	chmod +x "$BATS_TEST_TMPDIR/bin/tcpdump"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH bench --parts loop --only tcpdump
	grep -q '^tcpdump  *does not run here: .*no such device$' "$BATS_TEST_TMPDIR/table"
}

@test "a row that there is not: one line that names those there are" {
	run "$root/tests/bench/bench.py" --build "$(dirname "$SYNFIN")" --only nonsense
	[ "$status" -ne 0 ]
	[[ $output == *"no such row: nonsense"*"synfin conns"* ]]
}
