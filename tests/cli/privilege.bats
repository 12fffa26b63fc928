#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What synfin may do and needs to: capabilities, before and after it has loaded; who may read what it
# writes; that it starts nothing and leaves nothing elsewhere. Needs root.

load common
load service

# bits of /proc/PID/status
CAP_DAC_OVERRIDE=$((1 << 1)) CAP_NET_BIND_SERVICE=$((1 << 10)) CAP_BPF=$((1 << 39))

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	pids=()
	# so that nobody may come here
	chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" \
		2>/dev/null || true
}

teardown() {
	kill_pids
	lines_are_valid
}

# start COMMAND...: any program, in the background; waits until it traces; $pid
start() {
	: >err # it may hold what one before this one said
	set -m
	"$@" >out 2>err </dev/null 3>&- &
	pid=$!
	set +m
	pids+=("$pid")
	wait_for_text err '^synfin: tracing'
}

# end: it still knows what was lost
end() {
	kill -INT "$pid"
	wait "$pid"
	grep -q 'events lost$' err
}

# as_nobody CAPABILITIES COMMAND...: becomes it, with these and no others, as "bpf,perfmon"; or none
as_nobody() {
	local caps=-all${1:+,+${1//,/,+}}
	shift
	[ -x synfin ] || install -m 755 "$SYNFIN" synfin
	exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps="$caps" --ambient-caps="$caps" \
		--bounding-set="$caps" -- "$@"
}

# nobody CAPABILITIES ARGUMENT...: $status, $out, $err of a synfin that ends by itself
nobody() {
	local caps=$1
	shift
	status=0
	(as_nobody "$caps" timeout 30 ./synfin "$@") >out 2>err </dev/null || status=$?
	# shellcheck disable=SC2034 # one_clear_line reads it
	out=$(<out)
	err=$(<err)
}

# Of all threads: what they have or could get.
caps_of() { # PID
	sed -nE 's/^Cap(Inh|Prm|Eff|Amb):\t//p' /proc/"$1"/task/*/status | sort -u
}

# has_no_caps_but BITS: of which each set is a part
has_no_caps_but() {
	local set
	for set in $(caps_of "$pid"); do
		[ $((0x$set & ~$1)) -eq 0 ] || { echo "capabilities $set"; return 1; }
	done
	[ "$(sed -n 's/^NoNewPrivs:\t//p' /proc/"$pid"/task/*/status | sort -u)" = 1 ]
}

@test "once it traces it has no capability any more, whatever it was given" {
	local rest=0
	# where each command of bpf() asks for it (5.10): what unprivileged ones may do tells
	start "$SYNFIN" trace -o json
	[ "$(caps_of "$pid")" = 0000000000000000 ] || rest=$CAP_BPF
	has_no_caps_but "$rest"
	knock
	wait_for_text out tcp.failed
	end
	for command in conns ladder "conns -w recording"; do
		# shellcheck disable=SC2086 # words
		start "$SYNFIN" $command
		has_no_caps_but "$rest"
		knock
		end
	done
	start as_nobody bpf,perfmon,sys_admin,sys_ptrace ./synfin trace
	has_no_caps_but "$rest"
	end
}

@test "serve keeps two, as root: for others' folders and for low ports, in all its threads" {
	install -d -m 700 -o 65534 theirs
	start "$SYNFIN" serve --to file:theirs/log,rotate=4K,keep=1 --to prometheus:unix:theirs/metrics \
		--to syslog rport 1
	has_no_caps_but $((CAP_DAC_OVERRIDE | CAP_NET_BIND_SERVICE | CAP_BPF))
	[ "$(find /proc/"$pid"/task -maxdepth 1 -name '[0-9]*' | wc -l)" -ge 4 ]
	knock 20
	wait_for_text theirs/log.1 tcp.failed
	curl -sf --unix-socket theirs/metrics http://localhost/metrics >page
	grep -q '^synfin_connections_ended_total' page
	end
	# as its unit has it: none
	start as_nobody bpf,perfmon ./synfin serve --to prometheus:unix:/dev/shm/synfin-$$
	has_no_caps_but "$CAP_BPF"
	end
}

@test "CAP_BPF and CAP_PERFMON are enough to tell of everybody's connections" {
	for command in trace conns; do
		start as_nobody bpf,perfmon ./synfin "$command" -o json --rport 1
		knock
		wait_for_text out tcp.failed
		end
		grep -F '"tcp.failed"' out | head -n 1 >event
		grep -qF "\"process_executable_name\":\"bash\",\"process_owner_uid\":0" event
		grep -qF '"role":"client","role_source":"connect"' event
	done
}

@test "either of the two alone, or others: status 77 and what to grant, in one line" {
	local caps command
	for caps in "" bpf perfmon bpf,net_admin,sys_ptrace; do
		for command in trace conns "serve --to file:x" doctor; do
			# shellcheck disable=SC2086 # words
			nobody "$caps" $command
			[ "$status" = 77 ] || { echo "$caps: $command: status $status: $err"; return 1; }
			one_clear_line
			[[ $err == *"run it as root"*"cap_bpf,cap_perfmon"* ]]
		done
		for command in stuck listeners ports; do
			nobody "$caps" "$command"
			[ "$status" = 77 ] || { echo "$caps: $command: status $status: $err"; return 1; }
			one_clear_line
			[[ $err == *"run it as root"*"cap_bpf,cap_perfmon,cap_sys_admin"* ]]
		done
	done
}

@test "looking at sockets: what of other namespaces needs more is named, with it nothing is missing" {
	local command
	for command in stuck listeners ports "stuck --no-bpf" "listeners -d 100ms"; do
		# shellcheck disable=SC2086 # words
		nobody bpf,perfmon $command
		[[ $status = [03] ]] || { echo "$command: status $status: $err"; return 1; }
		[ "$(grep -c 'CAP_SYS_ADMIN, CAP_SYS_PTRACE' err)" = 1 ] || { echo "$command: $err"; return 1; }
		absent -i libbpf err
		# shellcheck disable=SC2086 # words
		nobody bpf,perfmon,sys_admin,sys_ptrace $command
		[[ $status = [03] ]] || { echo "$command: status $status: $err"; return 1; }
		absent CAP_ err
	done
	# what others hold may be asked of BPF, not of /proc
	nobody bpf,perfmon,sys_admin listeners -o json
	[[ $status = [03] ]]
}

@test "what it writes is for its owner and group, whatever the umask" {
	umask 0
	start "$SYNFIN" trace -w recording
	knock
	end
	[ "$(stat -c %a recording)" = 640 ]
	start "$SYNFIN" serve --to file:log,rotate=4K --to prometheus:unix:metrics rport 1
	knock 20
	wait_for_text log.1 tcp.failed
	[ "$(stat -c %a log log.1 metrics | tr '\n' ' ')" = '640 640 660 ' ]
	end
}

# Of a run: what was made or changed in the file system, what was started.
traces_of() {
	local calls=open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,symlink,symlinkat,link,linkat
	calls=$calls,rename,renameat,renameat2,chmod,fchmod,fchmodat,chown,fchown,fchownat,unlink,unlinkat
	# leaks cannot be looked for while another one traces
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e signal=none -e trace="$calls",execve,execveat,fork,vfork -o calls \
		"$SYNFIN" "$@" >out 2>err </dev/null
	# the first is its own start
	sed 1d calls | grep -vE 'open(at2?)?\(' || true
	grep -E 'O_CREAT|O_TMPFILE|O_(WRONLY|RDWR)' calls || true
}

@test "it starts no program, makes no file but those that were asked for, and none that can be guessed" {
	traces_of trace -d 300ms -w recording >found
	cat found
	[ "$(wc -l <found)" = 1 ]
	grep -q '"recording", O_WRONLY|O_CREAT|O_NOCTTY|O_NOFOLLOW|O_CLOEXEC, 0640' found
	for command in stuck "conns -d 300ms" "listeners -d 300ms" "-r recording -o json" doctor; do
		# shellcheck disable=SC2086 # words
		traces_of $command >found || [ $? = 3 ]
		[ ! -s found ] || { cat found; return 1; }
	done
	traces_of serve --to file:log -d 1500ms >found
	absent -v '"log"' found
}
