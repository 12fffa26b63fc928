#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Recordings in, text out, to the byte, without root: each version's recording must be shown as it
# always was. `make golden` writes the texts anew when they are meant to change.

# shellcheck source=tests/golden/golden.bash
load golden

SYNFIN=${SYNFIN:-$BATS_TEST_DIRNAME/../../.output/synfin}
cd "$BATS_TEST_DIRNAME" || exit 1

# same_texts FILE: every text of every version, as golden_show makes it of FILE; "-": its recording
same_texts() {
	local version name arguments nr=0
	for version in v*; do
		while read -r name arguments; do
			[ "$(wc -c <"$version/$name")" -gt 0 ]
			# shellcheck disable=SC2086 # words
			golden_show "$SYNFIN" "$1" -q $arguments <"$version/recording" \
				>"$BATS_TEST_TMPDIR/out"
			diff -a "$version/$name" "$BATS_TEST_TMPDIR/out"
			nr=$((nr + 1))
		done < <(golden_cases)
	done
	[ "$nr" -ge 13 ]
}

# as nobody, who may not trace
unprivileged() {
	setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all -- "$@"
}

@test "each view, format and time of each version's recording, through a pipe" {
	same_texts -
}

@test "the same from the file" {
	cp v1/recording "$BATS_TEST_TMPDIR/recording"
	same_texts "$BATS_TEST_TMPDIR/recording"
}

@test "the same from what -r and -w made of it" {
	"$SYNFIN" -q -r v1/recording -w "$BATS_TEST_TMPDIR/copy"
	same_texts "$BATS_TEST_TMPDIR/copy"
	# and of that again nothing but the same
	"$SYNFIN" -q -r "$BATS_TEST_TMPDIR/copy" -w - >"$BATS_TEST_TMPDIR/again"
	cmp "$BATS_TEST_TMPDIR/copy" "$BATS_TEST_TMPDIR/again"
}

@test "no root: nobody reads it" {
	[ "$(id -u)" = 0 ] || skip "this user is not root anyway"
	chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" "$(dirname "$BATS_TEST_TMPDIR")" 2>/dev/null
	cp "$SYNFIN" "$BATS_TEST_TMPDIR/synfin"
	chmod 755 "$BATS_TEST_TMPDIR/synfin"
	(cd / && unprivileged "$BATS_TEST_TMPDIR/synfin" -q -r - conns -o json) <v1/recording |
		diff -a v1/conns.json -
}

@test "its JSON is valid" {
	/usr/bin/python3 - ../../user/dist/schema/synfin.schema.json v*/*.json <<-'EOF2'
		import json, sys
		from jsonschema import Draft202012Validator
		validator = Draft202012Validator(json.load(open(sys.argv[1])))
		lines = 0
		for name in sys.argv[2:]:
		    for line in open(name):
		        validator.validate(json.loads(line))
		        lines += 1
		assert lines >= 30, lines
	EOF2
}

@test "what is lost leaves a gap in the numbers, and is told where it was" {
	/usr/bin/python3 - v1/trace.json <<-'EOF2'
		import json, sys
		lines = [json.loads(line) for line in open(sys.argv[1])]
		seqs = [line["seq"] for line in lines]
		gap = [b - a for a, b in zip(seqs, seqs[1:])]
		assert sum(step - 1 for step in gap) == lines[-1]["lost_ring"] == 3, gap
		at = gap.index(4)
		assert lines[at + 1]["event_name"] == "synfin.stats", lines[at + 1]
	EOF2
}

@test "cut off after each of its blocks' bytes it shows what is whole, and says where it ends" {
	local size bytes nr_shown=0 before=0
	size=$(stat -c %s v1/recording)
	for ((bytes = 0; bytes < size; bytes += 97)); do
		status=0
		head -c "$bytes" v1/recording | "$SYNFIN" -r - -q --no-header >"$BATS_TEST_TMPDIR/out" \
			2>"$BATS_TEST_TMPDIR/err" || status=$?
		[ "$status" -eq 1 ]
		[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
		grep -qE '^synfin: standard input (.* byte [0-9]+|is empty|is not a recording)' \
			"$BATS_TEST_TMPDIR/err" || { cat "$BATS_TEST_TMPDIR/err"; return 1; }
		nr_shown=$(wc -l <"$BATS_TEST_TMPDIR/out")
		[ "$nr_shown" -ge "$before" ]
		before=$nr_shown
	done
	[ "$nr_shown" -ge 15 ]
}
