#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Each filter lets through just what it names, and the kernel side sends no more. Needs root.

load common

judged() {
	timeout -k 5 200 "$BATS_TEST_DIRNAME/filters_stage.py" "$SYNFIN" "$1" >"$BATS_TEST_TMPDIR/judged" ||
		{ cat "$BATS_TEST_TMPDIR/judged"; return 1; }
	[ "$(grep -c '^ok ' "$BATS_TEST_TMPDIR/judged")" -ge 17 ]
}

@test "trace: by process, port, role, IP version, address and namespace" {
	judged trace
}

@test "conns: by process, port, role, IP version, address and namespace" {
	judged conns
}
