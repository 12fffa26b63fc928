#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The manual page and README.md against the program: what they name exists, what exists is named,
# what they show is what the program prints. The tests that run it need root.
# shellcheck disable=SC2016 # backquotes are Markdown's

load common

root=$BATS_TEST_DIRNAME/../..
man=$root/user/dist/synfin.8
readme=$root/README.md
schema=$root/user/dist/schema/synfin.schema.json

# same A B: two lists, one item per line, are equal in any order and not empty
same() {
	if [ -z "$1" ] || [ -z "$2" ]; then
		echo "an empty list"
		return 1
	fi
	diff <(sort -u <<<"$1") <(sort -u <<<"$2")
}

# within A B: each line of A is one of B's; A is not empty
within() {
	local extra
	[ -n "$1" ] || { echo "an empty list"; return 1; }
	extra=$(comm -23 <(sort -u <<<"$1") <(sort -u <<<"$2"))
	[ -z "$extra" ] || { echo "not there: $extra"; return 1; }
}

# the options in --help, as "-o --output" or "--color"
help_options() {
	"$SYNFIN" --help | sed -nE 's/^  (-.), (--[a-z0-9-]+).*/\1 \2/p; s/^ {6}(--[a-z0-9-]+).*/\1/p'
}

help_words() {
	help_options | grep -oE -- '--[a-z0-9-]+'
}

help_commands() {
	"$SYNFIN" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

# man_section NAME: the source of one section
man_section() {
	awk -v name=".Sh $1" '/^\.Sh / { inside = $0 == name; next } inside' "$man"
}

schema_fields() {
	/usr/bin/python3 -c 'import json, sys
for name in json.load(open(sys.argv[1]))["properties"]: print(name)' "$schema"
}

# readme_block REGEX: the fenced block whose first line matches
readme_block() {
	awk -v first="$1" '
		/^```/ { inside = !inside; at = 0; shown = 0; next }
		inside && !at++ { shown = $0 ~ first }
		inside && shown' "$readme"
}

# What is shown as typed at a prompt: a line each, from "synfin" on, without what explains it.
examples() {
	{
		sed -nE 's/^\.Dl # (synfin .*)/\1/p' "$man"
		sed -nE 's/^ {4}(sudo )?(synfin .*)/\2/p' "$readme"
	} | sed -E 's/ {2,}.*//; s/ > [a-z.]+$//'
}

@test "man page: the options of --help, with the same letters, and no others" {
	local described
	described=$(sed -nE 's/^\.It Fl (.) , Fl -([a-z0-9-]+).*/-\1 --\2/p
		s/^\.It Fl -([a-z0-9-]+).*/--\1/p' "$man")
	same "$(help_options)" "$described"
	[ "$(wc -l <<<"$described")" -ge 20 ]
	within "$(grep -oE 'Fl -[a-z0-9-]+' "$man" | sed 's/^Fl -/--/')" "$(help_words)"
}

@test "man page: the commands of --help, and no others" {
	same "$(help_commands)" "$(man_section COMMANDS | sed -n 's/^\.It Cm //p')"
}

@test "man page: the conditions of the filter, and no others" {
	synfin trace no-such-condition
	[ "$status" -eq 2 ]
	same "$(sed -E 's/.*there are //; s/ \(commands.*//; s/,? and |, /\n/g' <<<"$err")" \
		"$(man_section 'FILTER EXPRESSION' | sed -n 's/^\.It Cm //p' |
			sed -E 's/ Ar .*//; s/ , /\n/g')"
}

@test "man page: the exit statuses of --help" {
	same "$("$SYNFIN" --help | sed -n '/^Exit status:/,$p' | grep -oE '[0-9]+')" \
		"$(man_section 'EXIT STATUS' | sed -nE 's/^\.It ([0-9]+)$/\1/p')"
}

@test "man page: its JSON fields are the schema's" {
	local named
	named=$({ man_section JSON; man_section OUTPUT; } | grep -E '^\.(It )?Cm ' |
		grep -oE '[a-z]+_[a-z0-9_]+')
	[ "$(wc -l <<<"$named")" -ge 50 ]
	within "$named" "$(schema_fields)"
}

@test "man pages: mandoc has nothing to say" {
	local page
	command -v mandoc || { echo "mandoc is missing: make deps installs it"; return 1; }
	for page in "$root"/user/dist/*.[1-8]; do
		mandoc -Tlint "$page" >"$BATS_TEST_TMPDIR/lint" 2>/dev/null || true
		# Which manuals this machine has is not the page's fault.
		absent -v ': referenced manual not found: ' "$BATS_TEST_TMPDIR/lint"
	done
	mandoc -Tmarkdown "$man" | grep -q OVERHEAD
}

@test "the configuration that is installed: taken, with all that it has commented out" {
	cd "$BATS_TEST_TMPDIR"
	sed 's|/var/log/synfin/||; s/^#\([a-z]\)/\1/' "$root/user/dist/synfin.conf" |
		grep -v '^to = [js]' >conf
	[ "$(grep -c '^[a-z]' conf)" = 4 ]
	synfin serve --config conf -q -d 1ms
	[ "$status" -eq 0 ]
	[ -s synfin.jsonl ]
	# the other sinks are at least spelled right: an error names the line behind them
	sed 's/^#\([a-z]\)/\1/' "$root/user/dist/synfin.conf" >all
	echo wrong >>all
	synfin serve --config all
	[[ $err == "synfin: all:$(wc -l <all): want KEY = VALUE" ]]
}

@test "README: make run, make check, and only targets that are there" {
	grep -q 'make run' "$readme"
	grep -q 'make check' "$readme"
	within "$(grep -oE '(`|^ {4}(sudo )?)make [a-z]+' "$readme" | sed 's/.*make //')" \
		"$(sed -n 's/^\.PHONY: //p' "$root/Makefile" | tr ' ' '\n')"
}

@test "README: its options are in --help" {
	within "$(grep -oE -- '(^|[^-a-z])--[a-z][a-z-]+' <(grep -v "make bench ARGS" "$readme") | grep -oE -- '--.*')" \
		"$(help_words)"
}

@test "README: its JSON lines are valid and have no field that the schema lacks" {
	grep '^{' "$readme" >"$BATS_TEST_TMPDIR/sample"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/sample")" -ge 2 ]
	/usr/bin/python3 - "$schema" "$BATS_TEST_TMPDIR/sample" <<-'EOF'
		import json, sys
		from jsonschema import Draft202012Validator
		schema = json.load(open(sys.argv[1]))
		validator = Draft202012Validator(schema)
		for line in open(sys.argv[2]):
		    record = json.loads(line)
		    validator.validate(record)
		    unknown = set(record) - set(schema["properties"])
		    assert not unknown, unknown
	EOF
}

@test "README: the folders it lists are there, and no room is left out" {
	local listed rooms
	listed=$(sed -nE 's|^ {4}([a-z/]+)/ .*|\1|p' "$readme")
	rooms=$(cd "$root" && find user -mindepth 2 -type f | cut -d/ -f1,2)
	same "$listed" "$(printf '%s\n' bpf vmlinux tests "$rooms")"
}

@test "README: its tables have the heading the program prints, within 80 columns" {
	local command block
	for command in trace conns; do
		status=0
		env -u COLUMNS timeout 30 "$SYNFIN" "$command" -q -d 1ms \
			>"$BATS_TEST_TMPDIR/$command" </dev/null || status=$?
		[ "$status" -eq 0 ]
		block=$(readme_block "$(head -n 1 "$BATS_TEST_TMPDIR/$command")")
		[ "$(wc -l <<<"$block")" -ge 5 ] || { echo "no such block: $command"; return 1; }
		[ "$(LC_ALL=C.UTF-8 wc -L <<<"$block")" -eq 80 ]
	done
}

@test "README: what doctor says of the tracepoints tier is what it shows" {
	synfin doctor --hooks tracepoints
	[ "$status" -eq 0 ]
	diff <(sed -n '/^Hooks:/,/^Tier:/p' <<<"$out") \
		<(readme_block '^Kernel: ' | sed -n '/^Hooks:/,/^Tier:/p')
}

# limits WORD: the item of README's Limits that begins with it, in one line
limits() {
	awk -v word="$1" '
		/^## / { limits = $0 == "## Limits" }
		limits && /^- / { item = index($0, "- " word) == 1 }
		limits && item' "$readme" | tr -s '\n ' ' '
}

@test "what is counted as sent again and who sees a denied connect(): as the code has it" {
	[[ $(limits '`retransmits`') == *'refused'*'`retransmits_unsent`'* ]]
	# the tiers whose alternative is the return of the system call
	sed -n '/\[SF_HOOK_CONNECT_END\]/,/^\t},/p' "$root/user/kernel/plan.c" >"$BATS_TEST_TMPDIR/hook"
	grep -q sys_exit "$BATS_TEST_TMPDIR/hook"
	absent -q KPROBE "$BATS_TEST_TMPDIR/hook"
	[[ $(limits 'A `connect()` that an LSM') == *'kprobe and tracepoints tiers'* ]]
}

@test "man page: what runs at each send and read is said of all that has it run" {
	grep -q SF_WANT_FIRST_BYTE "$root/user/cmd/ladder.c"
	man_section OVERHEAD | tr '\n' ' ' | grep -q 'Fl -first-byte , and always in .Cm ladder , a program'
}

# has_line FILE LINE: the source has this line
has_line() {
	grep -qxF -- "$2" "$root/user/cmd/$1" || { echo "no '$2' in $1"; return 1; }
}

@test "how long an end waits for the other, and how many do: as the code has it" {
	local both
	has_line show.c '#define WAIT_NS (SF_NS_PER_S / 4)'
	has_line show.c '#define ENDS_MAX 8192'
	has_line serve.c '#define WAIT_NS SF_NS_PER_S'
	has_line serve.c '#define ENDS_MAX 4096'
	has_line ladder.c '#define WAIT_NS SF_NS_PER_S'
	has_line ladder.c '#define ENDS_MAX 1024'
	[[ $(limits 'Both ends on this host') == *' 250 ms of '*'(`ladder`, `serve`: 1 s)'* ]]
	both=$(man_section OUTPUT | sed -n '/^\.Ss Both ends/,/^\.Ss Losses/p' | tr '\n' ' ')
	[[ $both == *'within 250 milliseconds'*'within a second'*8192*serve*4096*ladder*1024* ]]
}

@test "the examples of both are taken by the program" {
	local line words stop
	cd "$BATS_TEST_TMPDIR" # where they may write
	examples >"$BATS_TEST_TMPDIR/examples"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/examples")" -ge 10 ]
	# the configuration that README shows, but for its places
	sed -nE 's/^    ((to|log) = )/\1/p' "$readme" | grep -v journald |
		sed "s|/var/log/synfin/|$BATS_TEST_TMPDIR/|" >conf
	[ "$(wc -l <conf)" = 2 ]
	while IFS= read -r line; do
		eval "words=(${line#synfin })"
		words=("${words[@]/#\/etc\/synfin\/synfin.conf/$BATS_TEST_TMPDIR/conf}")
		stop=(-d 1ms)
		[[ $line != *" -r "* ]] || stop=() # a recording ends by itself
		synfin "${words[@]}" -q "${stop[@]}"
		# What is stuck on this host is not the example's fault.
		[ "$status" -eq 0 ] || [[ ${words[0]} == stuck && $status -eq 3 ]] ||
			{ echo "$line: status $status, $err"; return 1; }
	done <"$BATS_TEST_TMPDIR/examples"
}
