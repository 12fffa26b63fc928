#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Many hosts, one log: what the synfin of each of three hosts writes (tests/fleet/stage.py: network
# namespaces, NAT between them) goes into real engines, DuckDB and ClickHouse, by the SQL that is
# installed; what that tells is held against what the programs on the stage did. Needs root.

load common

here=$BATS_TEST_DIRNAME/../fleet
sql=$BATS_TEST_DIRNAME/../../user/dist/fleet
engines=(duckdb clickhouse)

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	cd "$BATS_FILE_TMPDIR" || return 1
	export ENGINES
	ENGINES=$("$here/engines.sh" 2>engines.err) || return 0
	echo 'SELECT * FROM calls' >all-calls.sql
	echo 'SELECT * FROM parts' >all-parts.sql
	echo 'SELECT * FROM lines LIMIT 1' >columns.sql
	echo "SELECT host_name FROM lines WHERE hooks_missing LIKE '%\"syn_asked\"%'" >blind.sql
	"$here/cases.py" write cases.json
	ask_each cases "$PWD/cases.json" all-parts.sql 3>&- &
	timeout -k 5 100 "$here/stage.py" "$SYNFIN" \
		"${SFGEN:-$BATS_TEST_DIRNAME/../../.output/tests/sfgen}" "$PWD" >stage.log 2>&1 3>&- || true
	wait
	[ -s truth.json ] || return 0
	# As they may be found in one place: one of them has been compressed there.
	mkdir logs
	gzip <gw.jsonl >logs/gw.jsonl.gz
	cp {web,db}.jsonl logs/
	ask_each stage "$PWD/logs/*.jsonl*" {all-calls,all-parts,columns,blind}.sql
}

# ask_each NAME FILES SCRIPT...: what each engine finds by what is installed, then by the scripts;
# NAME.ENGINE, empty if it fails
ask_each() {
	local name=$1 files=$2 engine
	shift 2
	for engine in "${engines[@]}"; do
		node "$here/engine.mjs" "$engine" "$files" "$sql"/{calls,parts,who-is-slow,hosts}.sql "$@" \
			>"$name.$engine" 2>>engines.err || true
	done
}

setup() {
	[ "$(id -u)" = 0 ] || skip "not root"
	cd "$BATS_FILE_TMPDIR" || return 1
	# Without the engines, or if the stage fell, nothing was looked at.
	[ -s truth.json ] || { tail -n 20 engines.err stage.log ./*.said 2>&1; return 1; }
}

judge() { # WHAT, of each engine
	local engine
	for engine in "${engines[@]}"; do
		[ -s "stage.$engine" ] || { cat engines.err; return 1; }
		"$here/judge.py" "$1" . "stage.$engine" || { echo "by $engine"; return 1; }
	done
}

@test "every line that the synfin of each host sent is a row, and no other" {
	judge lines
}

@test "each connection is one call with both its sides, through NAT too" {
	judge calls
}

@test "what a call waited for is told in true lengths, and where the delay was made" {
	judge times
}

@test "who is slow: client, network, accept queue, server; the one that is well is not accused" {
	judge verdicts
}

@test "each host: what it told, and of how much of that the other end is told" {
	judge hosts
}

@test "who is slow, of what no stage can be relied on to have; one answer by all engines" {
	local engine
	for engine in "${engines[@]}"; do
		[ -s "cases.$engine" ] || { cat engines.err; return 1; }
		"$here/cases.py" check "cases.$engine" || { echo "by $engine"; return 1; }
	done
	/usr/bin/python3 - <<-'EOF'
		import json
		def answer(engine):
		    rows = json.load(open("cases." + engine))["who-is-slow.sql"]
		    return sorted(str([None if v is None else str(v) for v in row.values()]) for row in rows)
		assert answer("duckdb") == answer("clickhouse")
	EOF
}

@test "the table has each field that a line has, as the schema has it" {
	/usr/bin/python3 - "$sql/../schema/synfin.schema.json" <<-'EOF'
		import glob, json, sys
		from jsonschema import Draft202012Validator
		schema = json.load(open(sys.argv[1]))
		lines = [json.loads(line) for name in glob.glob("*.jsonl") + ["cases.json"]
		         for line in open(name)]
		validator = Draft202012Validator(schema)
		for line in lines:
		    validator.validate(line)
		told = set().union(*lines)
		# time_us is ours
		tables = [set(json.load(open("stage." + engine))["columns.sql"][0]) - {"time_us"}
		          for engine in ("duckdb", "clickhouse")]
		assert len(told) > 60
		for table in tables:
		    assert told <= table, told - table
		    assert table <= set(schema["properties"]), table - set(schema["properties"])
		assert tables[0] == tables[1]
	EOF
}
