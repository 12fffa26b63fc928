# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What is shown of the golden recording, one text per line of golden_cases: file name, then the
# arguments. golden.bats compares, regenerate.sh writes.

golden_cases() {
	cat <<-'END'
		trace.table trace -T utc
		trace.wide trace -o wide -T utc
		trace.json trace -o json
		trace.csv trace -o csv
		trace.relative trace -T relative
		trace.delta trace -T delta --no-header
		conns.table conns
		conns.wide conns -o wide -T utc
		conns.json conns -o json
		conns.csv conns -o csv
		conns.failed conns -o csv failed
		ladder.table ladder
		ladder.half-closed ladder port 43216
	END
}

# golden_show PROGRAM FILE ARGUMENT...: as on a terminal of 80 columns, in UTC, in UTF-8
golden_show() {
	local program=$1 file=$2
	shift 2
	env -u NO_COLOR LC_ALL=C.UTF-8 TZ=UTC0 COLUMNS=80 "$program" -r "$file" "$@"
}
