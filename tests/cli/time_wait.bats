#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The one end of TIME_WAIT that has to be waited for: a minute. Needs root.

load common

@test "TIME_WAIT ends when its time is over, and is told so" {
	[ "$(id -u)" = 0 ] || skip "not root"
	"$BATS_TEST_DIRNAME/../net/time_wait.py" "$SYNFIN" tracepoints >"$BATS_TEST_TMPDIR/told" || {
		cat "$BATS_TEST_TMPDIR/told"
		return 1
	}
}
