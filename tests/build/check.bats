#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# make check must not be able to say "passed" of what did not pass: runners
# that crash, lie, hang or print nothing are given to the real tests/run.sh.

# shellcheck disable=SC2317,SC2016 # commands are written down here for runners to run

setup() {
	load tree
	make_tree "$BATS_TEST_TMPDIR/tree"
	PATH=${PATH#"$BATS_LIBEXEC":} # or the bats we start would be an inner part of this one
	unset MAKEFLAGS MFLAGS MAKELEVEL O V WERROR STAGES CC CHECK_TIMEOUT MAKE_COMMAND
}

# runner: standard input becomes the program of the stage "lint", which needs no build.
runner() {
	write tests/lint.sh <<<'#!/usr/bin/env bash'
	cat >>tests/lint.sh
	chmod +x tests/lint.sh
}

# sum PASSED FAILED SKIPPED: what the last line must say, and the exit status with it.
sum() {
	run tests/run.sh lint
	echo "$output"
	[ "${lines[-1]}" = "$1 passed, $2 failed, $3 skipped" ]
	[ "$(cat .output/check/summary)" = "${lines[-1]}" ]
	if [ "$2" = 0 ] && [ "$1" -gt 0 ]; then
		[ "$status" = 0 ]
	else
		[ "$status" = 1 ]
	fi
}

says() { grep -qF "$1" <<<"$output"; }

@test "counts passed and skipped, shows the reason, keeps a log" {
	runner <<<'printf "1..3\nok 1 - a\nok 2 - b # SKIP no such thing\nok 3\n"; echo noise >&2'
	sum 2 0 1
	says 'skipped: lint, tests/lint.sh: b # SKIP no such thing'
	grep -q noise .output/check/lint.log
	grep -q '^ok 1 - a$' .output/check/lint.log
}

@test "a failed test" {
	runner <<<'printf "1..2\nok 1 - a\nnot ok 2 - b\n"; exit 1'
	sum 1 1 0
	says 'failed: lint, tests/lint.sh: b'
}

@test "a failed test, exit status 0 all the same" {
	runner <<<'printf "1..2\nok 1 - a\nnot ok 2 - b\n"'
	sum 1 1 0
}

@test "a failed test is not saved by a directive" {
	runner <<<'printf "1..2\nnot ok 1 - a # SKIP why\nnot ok 2 - b # TO""DO later\n"; exit 1'
	sum 0 2 0
}

@test "killed before its first test" {
	runner <<<'echo 1..2; kill -SEGV $$'
	sum 0 1 0
	says 'planned 2, ran 0'
}

@test "killed between two tests" {
	runner <<<'printf "1..2\nok 1 - a\n"; kill -KILL $$'
	sum 1 1 0
	says 'planned 2, ran 1'
}

@test "killed behind its last test" {
	runner <<<'printf "1..1\nok 1 - a\n"; kill -ABRT $$'
	sum 1 1 0
	says 'exit status 134 though no test failed'
}

@test "leaves early with exit status 0" {
	runner <<<'printf "1..3\nok 1 - a\n"; exit 0'
	sum 1 1 0
}

@test "prints nothing" {
	runner <<<':'
	sum 0 1 0
	says 'no test ran'
}

@test "prints anything but TAP" {
	runner <<<'echo all fine'
	sum 0 1 0
}

@test "results without a plan" {
	runner <<<'printf "ok 1 - a\nok 2 - b\n"'
	sum 2 1 0
	says '2 results and no plan'
}

@test "more results than planned" {
	runner <<<'printf "1..1\nok 1 - a\nok 2 - b\n"'
	sum 2 1 0
}

@test "one result twice, another not at all" {
	runner <<<'printf "1..2\nok 1 - a\nok 1 - a\n"'
	sum 2 1 0
	says 'result 1 where 2 was due'
}

@test "Bail out!" {
	runner <<<'printf "1..1\nok 1 - a\nBail out! no disk\n"'
	sum 1 1 0
	says 'Bail out! no disk'
}

@test "a plan of no tests" {
	runner <<<'echo 1..0'
	sum 0 1 0
}

@test "a whole runner skipped must say why" {
	runner <<<'echo "1..0 # SKIP no KVM"'
	sum 0 0 1 # and is no success: nothing passed
	runner <<<'echo "1..0 # SKIP"'
	sum 0 1 0
}

@test "the plan at the end" {
	runner <<<'printf "ok 1 - a\nok 2 - b\n1..2\n"'
	sum 2 0 0
	runner <<<'printf "ok 1 - a\n1..2\n"'
	sum 1 1 0
}

@test "several streams, each with its plan, one of them cut" {
	runner <<<'printf "1..1\nok 1 - a\n1..2\nok 1 - b\nok 2 - c\n"'
	sum 3 0 0
	runner <<<'printf "1..2\nok 1 - a\n1..2\nok 1 - b\nok 2 - c\n"'
	sum 3 1 0
}

@test "results on standard error are no results" {
	runner <<<'echo 1..1; echo "ok 1 - a" >&2'
	sum 0 1 0
}

@test "lines that end as a serial console ends them" {
	runner <<<'printf "1..2\r\nok 1 - a\r\nnot ok 2 - b\r\n"'
	sum 1 1 0
}

@test "hangs: ended, and a failure" {
	runner <<<'printf "1..2\nok 1 - a\n"; sleep 1000'
	export CHECK_TIMEOUT=1
	sum 1 2 0
	says 'took too long'
}

@test "leaves a child behind: not waited for, and ended" {
	runner <<<'sleep 1234 & echo $! >child; printf "1..1\nok 1 - a\n"'
	sum 1 0 0
	# Gone, or dead and not yet collected.
	for _ in $(seq 50); do
		ended=$(ps -o stat= -p "$(cat child)" || echo Z)
		[[ $ended != Z* ]] || break
		sleep 0.1
	done
	[[ $ended == Z* ]]
}

@test "interrupted: ends the runner too" {
	runner <<<'echo $$ >runner; echo 1..1; sleep 1234'
	set -m # or SIGINT would be ignored from the start
	tests/run.sh lint >log 2>&1 &
	set +m
	for _ in $(seq 100); do
		[ ! -s runner ] || break
		sleep 0.1
	done
	kill -INT $!
	wait $! || status=$?
	[ "$status" = 130 ]
	[ "$(tail -n 1 log)" = interrupted ]
	sleep 0.2
	ended=$(ps -o stat= -p "$(cat runner)" || echo Z)
	[[ $ended == Z* ]]
}

@test "runners keep the default for SIGINT" {
	runner <<<'echo 1..1; (kill -INT $BASHPID; echo "not ok 1") || echo "ok 1 - died of it"'
	sum 1 0 0
}

@test "cannot be executed" {
	chmod -x tests/lint.sh
	sum 0 1 0
}

@test "no such stage" {
	run tests/run.sh nonsense
	[ "$status" = 1 ]
	[ "${lines[-1]}" = '0 passed, 1 failed, 0 skipped' ]
}

@test "later stages run though one failed" {
	runner <<<'exit 3'
	rm tests/vm/matrix.sh
	run tests/run.sh lint unit cli net vm
	echo "$output"
	[ "$status" = 1 ]
	# lint and vm fail; unit, cli and net have one passed each, net one skipped
	[ "${lines[-1]}" = '3 passed, 2 failed, 1 skipped' ]
	says 'failed: vm: no tests/vm/matrix.sh to run'
}

@test "a unit test that fails, one that crashes, one of several groups, one skipped" {
	local body n=0
	for body in 'assert_int_equal(1, 2);' '*(volatile int *)8 = 1;' 'skip();'; do
		n=$((n + 1))
		sed "s|assert_int_equal(sf_answer(), 42);|$body|" tests/unit/test_text.c \
			>"tests/unit/test_x$n.c"
	done
	sed 's|return \(cmocka.*\);|return \1 + \1;|' tests/unit/test_text.c >tests/unit/test_y.c
	run tests/run.sh unit
	echo "$output"
	[ "$status" = 1 ]
	[ "${lines[-1]}" = '3 passed, 2 failed, 1 skipped' ]
}

@test "a unit test with a leak or an overflow fails though its asserts hold" {
	sed 's|(void)state;|volatile char *p = test_malloc(1); (void)state; p[1] = 0;|' \
		tests/unit/test_text.c | sed 's/test_malloc/malloc/; 2i #include <stdlib.h>' \
		>tests/unit/test_over.c
	sed 's|(void)state;|volatile int i = 2147483647; (void)state; i += 1;|' \
		tests/unit/test_text.c >tests/unit/test_signed.c
	run tests/run.sh unit
	echo "$output"
	[ "$status" = 1 ]
	says 'failed: unit, test_over'
	says 'failed: unit, test_signed'
}

@test "a unit test that does not compile fails, the others run" {
	cp tests/unit/test_text.c tests/unit/test_z.c
	sed -i 's/42);/42)/' tests/unit/test_text.c
	run tests/run.sh unit
	echo "$output"
	[ "$status" = 1 ]
	[[ ${lines[-1]} == '1 passed, '*' failed, 0 skipped' ]]
	says 'failed: unit: tests/unit/test_text.c was not built'
}

@test "a bats file with a syntax error, and one that fails" {
	sed -i 's/grep -q/grep -qv/' tests/cli/version.bats
	write tests/cli/broken.bats <<<$'#!/usr/bin/env bats\n@test "x" {'
	run tests/run.sh cli
	echo "$output"
	[ "$status" = 1 ]
}

@test "no unit test, no bats file, no runner: failures" {
	rm -rf tests/unit tests/cli tests/net/run.sh
	run tests/run.sh unit cli net
	echo "$output"
	[ "$status" = 1 ]
	[ "${lines[-1]}" = '0 passed, 3 failed, 0 skipped' ]
}

@test "make check STAGES=: the sum is the last line of its output" {
	mkdir bin
	run make check STAGES="lint net"
	echo "$output"
	[ "$status" != 0 ] # "bin" is not allowed at the top level
	rmdir bin
	run make check STAGES="lint net"
	[ "$status" = 0 ]
	[[ ${lines[-1]} =~ ^[0-9]+\ passed,\ 0\ failed,\ 1\ skipped$ ]]
}

@test ".ci/run: from any folder; ends with the sum, whatever make says behind it" {
	# The stages but "build", which is what runs here.
	sed -i 's/set -- lint build unit cli$/set -- lint unit cli/' tests/run.sh
	cd /
	run "$BATS_TEST_TMPDIR/tree/.ci/run"
	echo "$output"
	[ "$status" = 0 ]
	[[ ${lines[-1]} =~ ^[0-9]+\ passed,\ 0\ failed,\ 1\ skipped$ ]]
	cd "$BATS_TEST_TMPDIR/tree"
	echo 'not ok' >>tests/net/run.sh
	run .ci/run
	[ "$status" != 0 ]
	[[ ${lines[-1]} =~ ^[0-9]+\ passed,\ [1-9][0-9]*\ failed,\ 1\ skipped$ ]]
}

@test ".ci/run: tests that could not begin are a failure, an old sum is not shown" {
	write .output/check/summary <<<'9 passed, 0 failed, 0 skipped'
	write user/dist/deps.sh <<<$'#!/bin/sh\necho no network; exit 1'
	run .ci/run
	[ "$status" != 0 ]
	[ "${lines[-1]}" = '0 passed, 1 failed, 0 skipped' ]
}
