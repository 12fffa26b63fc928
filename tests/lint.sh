#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The rules of the sources, as TAP: one test per rule, each violation as
# "# file:line: what". Reads the tree, changes nothing, needs no git.
# tests/build/lint.bats breaks each rule and looks that it is seen.
#
#     lint.sh [ROOT]        ROOT: the tree to look at, default: this one
set -euo pipefail

cd "${1:-"$(dirname "${BASH_SOURCE[0]}")/.."}"
export LC_ALL=C.UTF-8

code=$(mktemp -d) # C sources without comments and strings, same lines
trap 'rm -rf "$code"' EXIT

# files TEST...: the tree's files that match, sorted, one per line.
files() {
	find . \( -path ./.git -o -path ./.output -o -name __pycache__ \) -prune -o \
		-type f \( "$@" \) -print | sed 's|^\./||' | LC_ALL=C sort
}

# Those of the files named on standard input that begin with "#!".
with_shebang() {
	local file
	while read -r file; do
		if [ "$(head -c 2 "$file" | tr -d '\0')" = '#!' ]; then
			printf '%s\n' "$file"
		fi
	done
}

# with_shebang_of SHELLS: those whose interpreter matches.
with_shebang_of() {
	local file
	while read -r file; do
		if head -n 1 "$file" | grep -qE "^#!.*($1)"; then
			printf '%s\n' "$file"
		fi
	done
}

mapfile -t c_files < <(files -name '*.[ch]')
mapfile -t own_c < <(printf '%s\n' "${c_files[@]}" | grep -E '^(bpf|user|tests)/')
mapfile -t scripts < <(files ! -name '*.o' | with_shebang)

# The code of all files at once, each below $code: an awk for each would take longer.
strip_comments() {
	printf '%s\n' "${own_c[@]}" | sed "s|^|$code/|; s|/[^/]*\$||" | sort -u | xargs -r mkdir -p
	awk -v code="$code" 'FNR == 1 {
		if (to) close(to)
		to = code "/" FILENAME
		comment = 0
	}
	{
		out = ""
		for (i = 1; i <= length($0); i++) {
			c = substr($0, i, 1)
			two = substr($0, i, 2)
			if (comment) {
				if (two == "*/") { comment = 0; i++ }
			} else if (quote != "") {
				if (c == "\\") i++
				else if (c == quote) { quote = ""; out = out c }
			} else if (two == "/*") { comment = 1; i++; out = out " " }
			else if (two == "//") break
			else { if (c == "\"" || c == "\047") quote = c; out = out c }
		}
		quote = ""
		print out >to
	}' "$@"
}

[ ${#own_c[@]} = 0 ] || strip_comments "${own_c[@]}"

# calls REGEX FOLDER...: where the code calls one of these functions.
calls() {
	local names=$1
	shift
	(cd "$code" && grep -rnE "(^|[^A-Za-z0-9_.>])($names)[[:space:]]*\(" "$@" 2>/dev/null) || true
}

# ---- the rules: each prints its violations, nothing when it is kept ----

rule_top_level() {
	local entry
	for entry in *; do
		case $entry in
		Makefile | bpf | user | vmlinux | tests | README.md | LICENSE) ;;
		*) printf '%s: not at the top level\n' "$entry" ;;
		esac
	done
}

rule_licence() {
	# shellcheck disable=SC2016 # the expressions are awk's
	{
		files -name '*.[ch]' -o -name '*.sh' -o -name '*.bash' -o -name '*.bats' -o \
			-name '*.awk' -o -name '*.py' -o -name '*.mjs' -o -name '*.sql' -o -name '*.mk' -o \
			-name Makefile -o -path './user/dist/completions/*'
		printf '%s\n' "${scripts[@]}"
	} | grep . | LC_ALL=C sort -u | xargs -d '\n' awk '
		function judge() {
			if (file == "") return
			want = "GPL-2.0-or-later"
			# bpf/ and vmlinux/ but for its tools, which are no part of the object
			if (file ~ /^(bpf|vmlinux)\// && file !~ /^vmlinux\/.*\.(py|sh)$/)
				want = "GPL-2.0-only OR BSD-2-Clause"
			sub(/ \*\/$/, "", line)
			if (line != "# SPDX-License-Identifier: " want &&
			    line != "/* SPDX-License-Identifier: " want &&
			    line != "// SPDX-License-Identifier: " want &&
			    line != "-- SPDX-License-Identifier: " want)
				printf "%s:1: no \"SPDX-License-Identifier: %s\"\n", file, want
		}
		FNR == 1 { judge(); file = FILENAME; line = ""; at = 1 }
		FNR == 1 && /^#(!|compdef)/ { at = 2 }
		FNR == at { line = $0; nextfile }
		END { judge() }'
}

rule_machine() {
	local hosts='(deb|security|ftp)\.debian\.org|(archive|security)\.ubuntu\.com'
	hosts="$hosts|registry\\.npmjs|pypi\\.org|pythonhosted\\.org|proxy\\.golang\\.org|crates\\.io"
	grep -rnIE --exclude-dir=.git --exclude-dir=.output \
		"(^|[^.a-z])/(work|farm)/|$hosts" . | sed 's|^\./||' || true
}

rule_unfinished() {
	local sources
	mapfile -t sources < <(
		files -name '*.[ch]' -o -name '*.awk' -o -name '*.py' -o -name '*.bash' -o \
			-name '*.sh' -o -name '*.bats' -o -name Makefile -o -path './.ci/*'
	)
	[ ${#sources[@]} = 0 ] || grep -HnE 'TO[D]O|FIX[M]E|X[X]X|HA[C]K' "${sources[@]}" || true
}

rule_file_length() {
	wc -l /dev/null "${own_c[@]}" | awk '$1 > 600 && $2 != "total" { print $2 ": " $1 " lines" }'
}

rule_line_length() {
	local file
	wc -L /dev/null "${own_c[@]}" | awk '$1 > 100 && $2 != "total" { print $2 }' |
		while read -r file; do
			expand -t 8 "$file" | grep -nE '^.{101,}' | cut -d: -f1 |
				sed "s|.*|$file:&: past 100 columns|"
		done
}

# All includes of C files as "file:line path", a path in angle brackets with the brackets.
includes() {
	grep -nE '^[[:space:]]*#[[:space:]]*include' /dev/null "${own_c[@]}" |
		sed -E 's/^([^:]+:[0-9]+):[^<"]*("[^"]*"|<[^>]*>).*/\1 \2/; s/ "(.*)"$/ \1/'
}

rule_rooted() {
	local where path
	includes | while read -r where path; do
		case $path in
		'<'*) continue ;;
		synfin.skel.h | snapshot.skel.h | vmlinux.h) continue ;;
		esac
		if [ -e "user/$path" ] || [ -e "$path" ]; then
			continue
		fi
		case $where in
		tests/*) [ ! -e "$(dirname "$where")/$path" ] || continue ;;
		esac
		printf '%s: "%s" is not below user/ or the root\n' "$where" "$path"
	done
}

room_of() {
	case $1 in
	user/main.c*) echo main ;;
	user/*/*) set -- "${1#user/}" && echo "${1%%/*}" ;;
	esac
}

# What a room may include; the order is base < story < filter, diagnose < view < sink < cmd.
rooms_below() {
	case $1 in
	base) echo base ;;
	story) echo base story ;;
	filter) echo base story filter ;;
	diagnose) echo base story diagnose ;;
	kernel) echo base story kernel ;;
	view) echo base story filter diagnose view ;;
	sink) echo base story filter diagnose view sink ;;
	cmd) echo base story filter diagnose view sink kernel cmd ;;
	main) echo base cmd ;;
	esac
}

rule_rooms() {
	local where path room target
	includes | grep '^user/' | while read -r where path; do
		room=$(room_of "$where")
		if [ -z "$(rooms_below "$room")" ]; then
			printf '%s: "%s" is no room of the design\n' "$where" "$room"
		fi
		target=${path%%/*}
		[ -d "user/$target" ] || continue
		case " $(rooms_below "$room") " in
		*" $target "*) ;;
		*) printf '%s: %s may not include %s\n' "$where" "$room" "$path" ;;
		esac
	done
}

rule_libbpf() {
	local where path
	includes | grep '^user/' | grep -v '^user/kernel/' | while read -r where path; do
		case $path in
		bpf/story.h | bpf/config.h | bpf/sock.h) ;;
		'<bpf/'* | bpf/* | *.skel.h* | '<linux/bpf.h>' | '<linux/btf.h>' | '<'*elf.h'>')
			printf '%s: only user/kernel/ includes %s\n' "$where" "$path"
			;;
		esac
	done
}

rule_shared() {
	local where path
	includes | grep -E '^(user|tests/unit)/' | while read -r where path; do
		case $path in
		bpf/story.h | bpf/config.h | bpf/sock.h)
			[ "$(room_of "$where")" != base ] ||
				printf '%s: base needs libc only, not %s\n' "$where" "$path"
			;;
		bpf/* | '<bpf/'*)
			path=${path#<}
			path=${path%>}
			[ ! -e "$path" ] || printf '%s: %s is not shared\n' "$where" "$path"
			;;
		esac
	done
}

rule_kernel_side() {
	local where path
	includes | grep '^bpf/' | while read -r where path; do
		case $path in
		bpf/* | '<bpf/'* | '<vmlinux'* | vmlinux* | '<linux/types.h>') ;;
		*) printf '%s: bpf/ may not include %s\n' "$where" "$path" ;;
		esac
	done
	includes | grep -E '^bpf/(story|config|sock)\.h:' | while read -r where path; do
		case $path in
		bpf/story.h | bpf/config.h | bpf/sock.h | '<linux/types.h>') ;;
		*) printf '%s: a shared header may not include %s\n' "$where" "$path" ;;
		esac
	done
}

rule_pure() {
	local io='v?f?printf|v?dprintf|f?puts|f?putc|putchar|perror|fwrite|write|writev|open|openat|fopen'
	io="$io|read|fread|fgets|getline|socket|syslog|system|popen|sf_(err|warn|notice|verbose|dbg)"
	local clock='time|clock|clock_gettime|gettimeofday|times|sleep|usleep|nanosleep|localtime(_r)?'
	clock="$clock|getenv|sf_boottime_ns|sf_realtime_offset_ns|sf_time_local"
	calls "$io|$clock" user/filter user/diagnose
	calls 'malloc|calloc|realloc|reallocarray|strn?dup|v?asprintf|free' user/diagnose
}

rule_errors() {
	calls 'sf_err|sf_warn|sf_notice|perror' user |
		grep -vE '^user/(cmd/|main\.c:|base/log\.[ch]:)' || true
}

rule_forbidden() {
	calls 'v?sprintf|strcpy|stpcpy|strcat|strtok|atoi|atol|atoll|atof|gets|alloca' user
	calls 'strto(l|ll|ul|ull|d|f|ld|imax|umax)' user | grep -v '^user/base/text\.c:' || true
}

rule_executable() {
	local file
	for file in "${scripts[@]}"; do
		case $file in
		*.bats) ;; # bats reads them
		*) [ -x "$file" ] || printf '%s: begins with #! and cannot be executed\n' "$file" ;;
		esac
	done
}

rule_shellcheck() {
	local plain tests libraries
	mapfile -t plain < <(printf '%s\n' "${scripts[@]}" | grep . | with_shebang_of '[/ ](bash|sh)$')
	mapfile -t tests < <(printf '%s\n' "${scripts[@]}" | grep . | with_shebang_of 'bats$')
	mapfile -t libraries < <(
		files -name '*.bash' -o -name '*.sh' -o -path './user/dist/completions/synfin' |
			grep -vxF -f <(printf '%s\n' "${plain[@]}"))
	{
		shell_check "${plain[@]}"
		# It cannot follow "load", nor see that setup and test are one process.
		shell_check -e SC2030,SC2031,SC2154 "${tests[@]}"
		shell_check -e SC2034,SC2154 -s bash "${libraries[@]}"
	} | LC_ALL=C sort -u
}

# shell_check [-e CODES] [-s SHELL] FILE...: what it says, and also that it broke down.
shell_check() {
	local options=() status=0
	while [[ ${1:-} == -[es] ]]; do
		options+=("$1" "$2")
		shift 2
	done
	[ -n "${1:-}" ] || return 0
	shellcheck -x -P SCRIPTDIR -f gcc "${options[@]}" "$@" 2>&1 || status=$?
	[ "$status" -le 1 ] || printf 'shellcheck ended with status %d\n' "$status"
}

clang_format_14() {
	local tool
	for tool in clang-format-14 clang-format; do
		if "$tool" --version 2>/dev/null | grep -q 'version 14\.'; then
			echo "$tool"
			return
		fi
	done
	return 1
}

rule_format() {
	local said status=0
	said=$("$(clang_format_14)" --dry-run -Werror "${own_c[@]}" 2>&1) || status=$?
	[ "$status" != 0 ] || return 0
	# Lines like "FILE:LINE:COLUMN: error: code should be clang-formatted".
	printf '%s\n' "$said" | awk -F: '
		/^[^ :]+:[0-9]+:[0-9]+: error: code should/ {
			if (!($1 in first)) first[$1] = $2
			places[$1]++
		}
		END {
			for (file in first) {
				n++
				printf "%s:%d: %d places not as .clang-format has it (make format)\n",
					file, first[file], places[file]
			}
			if (!n) print "clang-format itself failed"
		}' | LC_ALL=C sort
}

# ---- all of them ----

rules=(
	'top_level the top level holds only what the design names'
	'licence the first line of each source is its licence'
	'machine no path of a machine, no host of a mirror'
	'unfinished nothing is marked as left for later'
	'file_length no C file is past 600 lines'
	'line_length no C line is past 100 columns'
	'rooted quoted includes start at user/ or at the root'
	'rooms a room includes only the rooms below it'
	'libbpf only user/kernel/ sees libbpf and the skeleton'
	'shared of bpf/ only story.h, config.h and sock.h are shared'
	'kernel_side bpf/ includes nothing of user/'
	'pure filter and diagnose do no I/O and read no clock'
	'errors only cmd/ and main.c print errors'
	'forbidden no forbidden calls in user/'
	'executable scripts can be executed'
	'shellcheck shellcheck has nothing to say'
	'format clang-format has nothing to change'
)

printf '1..%d\n' ${#rules[@]}
number=0 failed=0
for rule in "${rules[@]}"; do
	number=$((number + 1))
	text=${rule#* }
	if [ "${rule%% *}" = format ] && ! clang_format_14 >/dev/null; then
		printf 'ok %d - %s # SKIP no clang-format of version 14 (others format otherwise)\n' \
			"$number" "$text"
		continue
	fi
	if ! found=$("rule_${rule%% *}"); then
		found="$found"$'\n'"the rule itself could not be run"
	fi
	if [ -z "$found" ]; then
		printf 'ok %d - %s\n' "$number" "$text"
	else
		failed=$((failed + 1))
		printf 'not ok %d - %s\n' "$number" "$text"
		printf '%s\n' "$found" | sed 's/^/# /'
	fi
done
[ "$failed" = 0 ]
