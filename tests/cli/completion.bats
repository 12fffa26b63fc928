#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion for bash: what Tab offers is what --help has, asked of the function as bash asks it, and
# once of a real bash at a terminal.

load common

completion=$BATS_TEST_DIRNAME/../../user/dist/completions/synfin

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	# shellcheck source=../../user/dist/completions/synfin
	source "$completion"
}

# offered TEXT: what is offered behind it, one a line; TEXT begins behind "synfin "
offered() {
	local COMP_LINE="$SYNFIN $1"
	local COMP_POINT=${#COMP_LINE}
	_synfin
	printf '%s\n' "${COMPREPLY[@]}"
}

# offers TEXT WORD...: these, in any order, and no others
offers() {
	diff <(printf '%s\n' "${@:2}" | sort) <(offered "$1" | sort)
}

# of --help: the commands, and the long options, by other means than the completion's
commands() { "$SYNFIN" --help | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'; }
long_options() { "$SYNFIN" --help | grep -oE '^ {2,6}(-., )?--[a-z0-9-]+' | grep -oE -- '--.*'; }

@test "commands where there is none yet, also behind options and their values" {
	[ "$(commands | wc -l)" -ge 9 ]
	local text
	for text in '' '-q ' '-o json ' '--output=json ' '--output json -v ' '-d 3 -- '; do
		diff <(commands | sort) <(offered "$text" | sort)
	done
	offers 's' serve stuck
	offers 'conns ' ''
	offers '-o json conns c' ''
}

@test "all long options of --help, before and behind the command" {
	[ "$(long_options | wc -l)" -ge 30 ]
	diff <(long_options | sort) <(offered '--' | sort)
	diff <(long_options | sort) <(offered 'trace --' | sort)
	offers '--no-h' --no-header
}

@test "the values of each option that --help lists values of" {
	offers '-o ' table wide json csv
	offers '--output=' table wide json csv
	offers 'trace --output w' wide
	offers '--hooks ' full kprobe tracepoints
	offers '-T ' local utc relative delta none
	offers '--color ' auto always never
	offers '--log ' conns steps failures
	offers '--role ' client server both listener unknown
	# and where it lists none, or a bracket holds something else
	offers '--buffer ' ''
	offers '--interval ' ''
	offers '--pid=x' ''
}

@test "values that the program tells when it is given a wrong one" {
	offers 'serve --to ' file: syslog syslog:unix: syslog:tcp: journald otlp:http:// prometheus: \
		prometheus:unix:
	offers 'stuck --threshold un' unacked= unread=
	local name
	offers 'stuck --threshold po' ports=
	for name in $(offered 'stuck --threshold '); do
		synfin -r /dev/null --threshold "${name}1"
		[[ $err != *threshold* ]]
	done
}

@test "files, namespaces and processes" {
	mkdir some
	touch 'some/a file' some/other
	offers '-r some/' 'some/a file' some/other
	offers '--config=some/o' some/other
	offers "--pid $BASHPID" "$BASHPID"
	mkdir netns
	# shellcheck disable=SC2016 # it must not be run
	local name='$(touch bad)'
	touch netns/blue "netns/$name"
	# the function that lists them, elsewhere
	cd() { if [ "$1" = /run/netns ]; then builtin cd "$BATS_TEST_TMPDIR/netns"; else builtin cd "$@"; fi; }
	offers '--netns b' blue
	offers '--netns $' "$name"
	[ ! -e bad ] && [ ! -e netns/bad ]
}

@test "where bash ends words at a colon or an equals sign, and where not" {
	mkdir some
	touch some/log
	offers 'serve --to file:some/' some/log
	offers 'serve --to=file:some/' some/log
	offers 'serve --to prometheus:unix:some/' some/log
	offers 'serve --to syslog:' unix: tcp:
	COMP_WORDBREAKS=$' \t\n'
	offers 'serve --to file:some/' file:some/log
	offers 'serve --to=file:some/' --to=file:some/log
	offers 'serve --to syslog:' syslog:unix: syslog:tcp:
	offers '--output=w' --output=wide
}

@test "a program that is not there, or is none of ours: nothing offered, nothing said" {
	SYNFIN=$PWD/none
	offers '--' ''
	offers '-o ' ''
	SYNFIN=/bin/false
	offers '' ''
}

@test "in a bash at a terminal, Tab completes commands, options, values" {
	mkdir bin
	ln -s "$SYNFIN" bin/synfin
	/usr/bin/python3 - "$completion" <<-'EOF'
		import os, pty, select, sys, time
		pid, fd = pty.fork()
		if pid == 0:
		    os.environ["PATH"] = os.getcwd() + "/bin:" + os.environ["PATH"]
		    os.environ.update(PS1="$ ", TERM="dumb", INPUTRC="/dev/null")
		    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
		def until(text, seconds=20):
		    got, end = "", time.monotonic() + seconds
		    while text not in got:
		        left = end - time.monotonic()
		        assert left > 0 and select.select([fd], [], [], left)[0], (text, got)
		        got += os.read(fd, 4096).decode()
		def typed(text, want):
		    os.write(fd, text.encode())
		    until(want)
		    os.write(fd, b"\x15\r") # forgets the line
		typed(f"source {sys.argv[1]}; echo re''ady\r", "ready\r\n")
		typed("synfin con\t#", "synfin conns #")
		typed("synfin trace --no-h\t#", "--no-header #")
		typed("synfin -o js\t#", "-o json #")
		typed("synfin --output=wi\t#", "--output=wide #")
		typed("synfin serve --to fi\t#", "--to file:#")
	EOF
}
