# SPDX-License-Identifier: GPL-2.0-or-later
#
# Counts what one runner of tests printed as TAP, and believes nothing else:
# a plan that is not kept, a result out of its place, "Bail out!", an exit
# status without a failed test, no test at all: each is one failure more.
# Used by tests/run.sh; any awk will do (Debian's is mawk).
#
#     awk -v runner=NAME -v status=EXIT -f tap.awk FILE
#
# Prints "fail TEXT" and "skip TEXT" lines, last "count PASSED FAILED SKIPPED".
# A runner may print several streams one after another, as cmocka does for
# several groups; the plan may stand before or behind its results.

function fail(text)
{
	failed++
	print "fail " runner ": " text
}

# The results since the last plan are over; planned is -1 when there was no plan.
function finish(    i)
{
	if (planned < 0 && nr_results > 0) {
		fail(nr_results " results and no plan")
	} else if (planned >= 0 && nr_results != planned) {
		fail("planned " planned ", ran " nr_results)
	}
	planned = -1
	nr_results = 0
}

function result(line, is_ok,    number, text)
{
	sub(/^(not )?ok[ \t]*/, "", line)
	nr_results++
	if (match(line, /^[0-9]+/)) {
		number = substr(line, 1, RLENGTH) + 0
		line = substr(line, RLENGTH + 1)
		if (number != nr_results) {
			fail("result " number " where " nr_results " was due")
		}
	}
	text = line
	sub(/^[ \t]*-?[ \t]*/, "", text)
	# cmocka says a skipped test "not ok 2 # SKIP name"; from others that is a failure.
	if (is_ok ? tolower(line) ~ /#[ \t]*skip/ : line ~ /^ # SKIP [^ ]+$/) {
		skipped++
		print "skip " runner ": " text
	} else if (is_ok) {
		passed++
	} else {
		fail(text == "" ? "test " nr_results : text)
	}
}

BEGIN {
	planned = -1
	nr_results = nr_streams = passed = failed = skipped = 0
}

{ sub(/\r$/, "") }

/^1\.\.[0-9]+/ {
	nr_streams++
	plan = substr($1, 4) + 0
	if (planned < 0 && nr_results > 0) { # a plan behind its results
		planned = plan
		finish()
		next
	}
	finish()
	if (plan == 0) {
		# A whole runner that cannot run here must say why.
		if (tolower($0) ~ /^1\.\.0[ \t]*#[ \t]*skip[^ \t]*[ \t]+[^ \t]/) {
			skipped++
			sub(/^1\.\.0[ \t]*#[ \t]*[^ \t]*[ \t]*/, "")
			print "skip " runner ": " $0
		} else {
			fail("a plan of no tests")
		}
		next
	}
	planned = plan
	next
}

/^ok([ \t]|$)/ { result($0, 1) }
/^not ok([ \t]|$)/ { result($0, 0) }
/^Bail out!/ { fail($0) }

END {
	finish()
	if (nr_streams == 0 && passed + failed + skipped == 0) {
		fail("no test ran")
	}
	if (status == 124) {
		fail("took too long and was ended")
	} else if (status != 0 && failed == 0) {
		fail("exit status " status " though no test failed")
	}
	print "count " passed + 0, failed + 0, skipped + 0
}
