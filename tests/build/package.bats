#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# make deb, on the real tree: what lintian says and what is in it. Then it is installed, and its
# service run within what its unit allows, on a copy of this system that is gone afterwards. Where
# there is no apt there is nothing to make a package with.

setup_file() {
	load tree
	can_package || return 0
	export OUT=$BATS_FILE_TMPDIR/out
	forget_make
	make -C "${real:?}" deb O="$OUT" >"$BATS_FILE_TMPDIR/log" 2>&1 || {
		tail -n 50 "$BATS_FILE_TMPDIR/log"
		return 1
	}
}

# The caller's make must not reach in.
forget_make() {
	unset MAKEFLAGS MFLAGS MAKELEVEL O V WERROR CC CFLAGS CLANG BPFTOOL LIBBPF_DIR DESTDIR PREFIX
}

can_package() { command -v apt-get && command -v lintian; } >/dev/null

setup() {
	load tree
	can_package || skip "no apt, or no lintian"
	deb=$(echo "$OUT"/deb/synfin_*.deb)
	unit=$real/user/dist/synfin.service
	version=$(sed -n 's/^VERSION := //p' "$real/Makefile")
	cd "$BATS_TEST_TMPDIR" || return
}

@test "make deb: lintian has nothing to say" {
	# It would not be run by root.
	run lintian --allow-root --fail-on error,warning "$OUT"/deb/synfin_*.changes
	echo "$output"
	[ "$status" = 0 ]
	[ -z "$output" ]
}

@test "the package has all there is to install, root's, and nothing else" {
	# Units are below /lib or /usr/lib, as the release has it.
	dpkg-deb -c "$deb" | awk '$6 !~ /\/$/ { print $1, $2, $6 }' |
		sed 's|\./lib/systemd|./usr/lib/systemd|' | LC_ALL=C sort -k 3 >have
	diff - have <<-'END'
		-rw-r--r-- root/root ./etc/logrotate.d/synfin
		-rw-r--r-- root/root ./etc/synfin/synfin.conf
		-rw-r--r-- root/root ./usr/lib/systemd/system/synfin.service
		-rw-r--r-- root/root ./usr/lib/sysusers.d/synfin.conf
		-rwxr-xr-x root/root ./usr/sbin/synfin
		-rw-r--r-- root/root ./usr/share/bash-completion/completions/synfin
		-rw-r--r-- root/root ./usr/share/doc/synfin/README.md.gz
		-rw-r--r-- root/root ./usr/share/doc/synfin/changelog.gz
		-rw-r--r-- root/root ./usr/share/doc/synfin/copyright
		-rw-r--r-- root/root ./usr/share/man/man5/synfin.conf.5.gz
		-rw-r--r-- root/root ./usr/share/man/man8/synfin.8.gz
		-rw-r--r-- root/root ./usr/share/synfin/fleet/README.md
		-rw-r--r-- root/root ./usr/share/synfin/fleet/calls.sql
		-rw-r--r-- root/root ./usr/share/synfin/fleet/clickhouse.sql
		-rw-r--r-- root/root ./usr/share/synfin/fleet/duckdb.sql
		-rw-r--r-- root/root ./usr/share/synfin/fleet/hosts.sql
		-rw-r--r-- root/root ./usr/share/synfin/fleet/parts.sql
		-rw-r--r-- root/root ./usr/share/synfin/fleet/who-is-slow.sql
		-rw-r--r-- root/root ./usr/share/synfin/schema/synfin.schema.json
	END
	diff <(printf '%s\n' /etc/logrotate.d/synfin /etc/synfin/synfin.conf) \
		<(dpkg-deb -I "$deb" conffiles | LC_ALL=C sort)
	dpkg-deb -x "$deb" tree
	# Each installed file is the tree's.
	cmp tree/etc/synfin/synfin.conf "$real/user/dist/synfin.conf"
	cmp tree/etc/logrotate.d/synfin "$real/user/dist/synfin.logrotate"
	cmp tree/*/systemd/system/synfin.service "$unit" ||
		cmp tree/usr/lib/systemd/system/synfin.service "$unit"
}

@test "its version is the Makefile's; it asks for the libraries, and for what makes its user" {
	[ "$(dpkg-deb -f "$deb" Version)" = "$version" ]
	dpkg-deb -x "$deb" tree
	[ "$(tree/usr/sbin/synfin --version)" = "synfin $version" ]
	dpkg-deb -f "$deb" Depends >depends
	grep -q 'libbpf1 ' depends
	grep -q 'libncursesw6 ' depends
	grep -q 'libsystemd0' depends
	grep -q 'libmicrohttpd12' depends
	# which is loaded only when it is asked for
	dpkg-deb -f "$deb" Recommends | grep -q libcurl4
	grep -q 'systemd-sysusers' depends
}

@test "its copyright file has the licences of the tree, and the whole text of the one Debian lacks" {
	dpkg-deb -x "$deb" tree
	copyright=tree/usr/share/doc/synfin/copyright
	grep -qx 'License: GPL-2.0-or-later' $copyright
	grep -A 3 '^Files: bpf/\*' $copyright | grep -qx 'License: GPL-2.0-only or BSD-2-Clause'
	diff <(sed -n '/^Redistribution and use/,/DAMAGE\.$/p' "$real/LICENSE") \
		<(sed -n '/^ Redistribution and use/,/DAMAGE\.$/s/^ \.\{0,1\}//p' $copyright)
}

# What a copy of this system takes.
can_copy() {
	[ "$(id -u)" = 0 ] || skip "not root"
	grep -qw overlay /proc/filesystems || skip "no overlayfs"
}

# aside: standard input is a script for bash, run as root in a system that has all of this one below
# it; what it writes there is gone with it, and what it began is ended. The package is
# /tmp/synfin.deb, and what it leaves in /tmp/out is left here.
aside() {
	mkdir -p out
	cat >script
	cat >outside <<-'END'
		set -eu
		mount --make-rprivate /
		mkdir top
		mount -t tmpfs t top
		mkdir top/upper top/work top/root
		mount -t overlay -o "lowerdir=/,upperdir=$PWD/top/upper,workdir=$PWD/top/work" t top/root
		mount -t proc t top/root/proc
		mount -t sysfs t top/root/sys
		mount -t tmpfs t top/root/run
		mount -t tmpfs t top/root/tmp
		mount --rbind /dev top/root/dev
		cp "$deb" top/root/tmp/synfin.deb
		cp script top/root/tmp/script
		mkdir top/root/tmp/out
		mount --bind out top/root/tmp/out
		cd top/root
		exec chroot . env -i PATH="$PATH:/usr/sbin:/sbin" HOME=/root DEBIAN_FRONTEND=noninteractive \
			bash -eu /tmp/script
	END
	deb=$deb unshare -mpf --kill-child bash outside 3>&- >aside.log 2>&1 || {
		cat aside.log out/serve.err
		return 1
	}
}

@test "installed: its user is there, nothing is enabled or begun; what was edited is kept" {
	can_copy
	aside <<-'END'
		dpkg --force-unsafe-io -i /tmp/synfin.deb
		getent passwd synfin | grep -q ':/usr/sbin/nologin$'
		synfin --version
		[ -z "$(find /etc/systemd -name synfin.service)" ]
		[ -z "$(pgrep -u synfin)" ]
		dpkg --verify synfin
		echo '# mine' >>/etc/synfin/synfin.conf
		dpkg --force-unsafe-io -i /tmp/synfin.deb
		tail -n 1 /etc/synfin/synfin.conf | grep -qx '# mine'
		mkdir -p /var/log/synfin
		touch /var/log/synfin/synfin.jsonl
		dpkg --remove synfin
		[ ! -e /usr/sbin/synfin ]
		[ -e /etc/synfin/synfin.conf ]
		[ -e /var/log/synfin/synfin.jsonl ]
		dpkg --purge synfin
		[ ! -e /etc/synfin ]
		[ ! -e /etc/logrotate.d/synfin ]
		[ ! -e /var/log/synfin ]
	END
}

# What the unit makes of synfin, by hand, since no systemd runs here: its user, capabilities, limits,
# the disk read-only; and of its system calls a list, /tmp/out/calls.
service() {
	cat <<-'END'
		dpkg --force-unsafe-io -i /tmp/synfin.deb
		unit=/lib/systemd/system/synfin.service
		of() { sed -n "s/^$1=//p" "$unit"; }
		caps=$(of AmbientCapabilities | tr A-Z a-z | sed 's/cap_/+/g; s/ /,/g')
		[ "$caps" = "$(of CapabilityBoundingSet | tr A-Z a-z | sed 's/cap_/+/g; s/ /,/g')" ]
		logs=/var/log/$(of LogsDirectory)
		install -d -o "$(of User)" -g "$(of Group)" -m "$(of LogsDirectoryMode)" "$logs"
		mount --bind "$logs" "$logs"
		install -d -o "$(of User)" -g "$(of Group)" "/run/$(of RuntimeDirectory)"
		# To be changed by a test.
		conf=/etc/synfin/synfin.conf
		cp $conf /tmp/conf
		mount --bind /tmp/conf $conf
		mount -o remount,bind,ro /
		[ "$(touch /etc/synfin/more 2>&1 | grep -c 'Read-only')" = 1 ]
		ulimit -l "$(of LimitMEMLOCK | sed s/infinity/unlimited/)" || true # some hosts forbid it
		umask "$(of UMask)"
		begin() {
			strace -f -qq -o /tmp/out/calls setpriv --reuid "$(of User)" --regid "$(of Group)" \
				--clear-groups --no-new-privs --bounding-set "-all,$caps" \
				--inh-caps "-all,$caps" --ambient-caps "-all,$caps" \
				bash -c "exec $(of ExecStart)" >/tmp/out/serve.out 2>/tmp/out/serve.err &
			strace=$!
			until grep -sq '^synfin: tracing' /tmp/out/serve.err; do
				kill -0 $strace
				sleep 0.1
			done
			synfin=$(pgrep -P $strace)
		}
		log=/var/log/synfin/synfin.jsonl
		# A connection in a network namespace of its own, before synfin begins.
		older() {
			unshare -n bash -c 'ip link set lo up; exec /usr/bin/python3 -c "
		import os, socket, time
		listener = socket.create_server((\"127.0.0.1\", 0))
		near = socket.create_connection(listener.getsockname())
		far = listener.accept()[0]
		open(\"/tmp/port\", \"w\").write(\"%d,\" % listener.getsockname()[1])
		os.rename(\"/tmp/port\", \"/tmp/older\")
		while not os.path.exists(\"/tmp/go\"):
		    time.sleep(0.05)
		near.close()
		far.close()"' &
			until [ -e /tmp/older ]; do sleep 0.1; done
		}
		# It ends: both its lines are left in /tmp/out/older.
		end_older() {
			touch /tmp/go
			wait_for $log "_port\":$(cat /tmp/older)" 2
			grep -F "_port\":$(cat /tmp/older)" $log >/tmp/out/older
		}
		# dial N: prints the port
		dial() {
			/usr/bin/python3 -c '
		import socket, sys
		listener = socket.create_server(("127.0.0.1", 0))
		for _ in range(int(sys.argv[1])):
		    near = socket.create_connection(listener.getsockname())
		    far = listener.accept()[0]
		    near.close()
		    far.close()
		print(listener.getsockname()[1])' "$1"
		}
		# wait_for FILE TEXT NUMBER: so many lines have it
		wait_for() {
			for _ in $(seq 300); do
				n=$(grep -scF -- "$2" "$1") || true
				[ "${n:-0}" -lt "$3" ] || return 0
				sleep 0.1
			done
			echo "not $3 times in $1: $2"
			return 1
		}
	END
	cat
}

@test "the service traces, writes and ends within what its unit allows; logrotate moves its file away" {
	can_copy
	service <<-'END' | aside
		# What needs libraries of others, too.
		printf 'to = %s\n' prometheus:unix:/run/synfin/metrics otlp:http://127.0.0.1:1 >>"$conf"
		printf '%s\n' 'watch = yes' 'interval = 1s' 'threshold = close_wait=100ms' >>"$conf"
		older
		begin
		end_older
		curl -sf --unix-socket /run/synfin/metrics http://localhost/metrics | grep -q ^synfin_
		wait_for /tmp/out/serve.err 'otlp:http://127.0.0.1:1: ' 1
		port=$(dial 20)
		wait_for $log "\"server_port\":$port," 40
		# its peer has closed, it does not
		/usr/bin/python3 -c '
		import socket, time
		listener = socket.create_server(("127.0.0.1", 0))
		socket.create_connection(listener.getsockname()).close()
		far = listener.accept()[0]
		print(listener.getsockname()[1], flush=True)
		time.sleep(60)' >/tmp/half &
		wait_for $log '"stuck_rule":"close_wait"' 1
		grep '"stuck_rule":"close_wait"' $log | grep -qF "\"server_port\":$(cat /tmp/half),"
		kill $!
		wait_for $log '"stuck_change":"ended"' 1
		[ "$(stat -c '%a %U %G' $log)" = '640 synfin synfin' ]
		[ "$(stat -c '%a %U %G' /var/log/synfin)" = '750 synfin synfin' ]
		# systemctl of a system that runs: is-active, kill
		mkdir /tmp/bin
		printf '%s\n' '#!/bin/sh' 'echo "$*" >>/tmp/out/systemctl' \
			"[ \"\$1\" != kill ] || kill -\$3 $synfin" >/tmp/bin/systemctl
		chmod +x /tmp/bin/systemctl
		umask 022
		PATH=/tmp/bin:$PATH logrotate -f -s /tmp/state /etc/logrotate.d/synfin
		wait_for /tmp/out/serve.err 'was read again' 1
		other=$(dial 20)
		wait_for $log "\"server_port\":$other," 40
		[ "$(grep -cF "\"server_port\":$port," $log.1)" = 40 ]
		[ "$(stat -c '%a %U %G' $log $log.1 | sort -u)" = '640 synfin synfin' ]
		kill -TERM "$synfin"
		wait $strace
		tail -n 1 $log >/tmp/out/stats
	END
	grep -qx 'kill -s HUP synfin.service' out/systemctl
	# Where it may not look it knows that it does not know: that is no loss.
	[ "$(grep -c '"begin_unknown":true' out/older)" = 2 ]
	grep -q '"event_name":"synfin.stats".*"lost_nested":0,' out/stats
	calls_are_allowed
}

# Each call that it made is one that the unit's filter lets pass.
calls_are_allowed() {
	/usr/bin/python3 - "$unit" out/calls <<-'EOF'
		import re, subprocess, sys
		def members(name):
		    if not name.startswith("@"):
		        return {name}
		    text = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True,
		                          capture_output=True, text=True).stdout
		    words = [line.strip() for line in text.splitlines()[1:]]
		    return set().union(*(members(word) for word in words if word and word[0] != "#"))
		def whole(calls):
		    """A call that another thread's came between stands in two lines."""
		    begun, lines = {}, []
		    for line in calls.splitlines():
		        pid, _, call = line.partition(" ")
		        rest = re.match(r"<\.\.\. \w+ resumed>(.*)", call.lstrip())
		        if call.endswith("<unfinished ...>"):
		            begun[pid] = call.removesuffix("<unfinished ...>")
		        elif rest:
		            lines.append(pid + " " + begun.pop(pid, "") + rest[1])
		        else:
		            lines.append(line)
		    return "\n".join(lines) + "\n"
		allowed = set()
		for line in open(sys.argv[1]):
		    if line.startswith("SystemCallFilter="):
		        value = line.split("=", 1)[1].strip()
		        found = set().union(*(members(word) for word in value.lstrip("~").split()))
		        allowed = allowed - found if value[0] == "~" else allowed | found
		calls = open(sys.argv[2]).read()
		calls = whole(calls[calls.rindex('execve("/usr/sbin/synfin"'):])
		made = set(re.findall(r"^\d+ +([a-z0-9_]+)\(", calls, re.M)) - {"execve"}
		assert {"bpf", "write", "clone3"} <= made | {"clone3"}, made
		assert not made - allowed, sorted(made - allowed)
		families = set(re.findall(r"socket\((AF_\w+)", calls))
		unit = open(sys.argv[1]).read()
		assert families <= set(re.search("^RestrictAddressFamilies=(.*)", unit, re.M)[1].split())
		# What is refused for want of a privilege: looking into others' namespaces, and what the
		# kernel lacks. Standard output is a file here, which cannot be polled.
		refused = re.findall(r"^\d+ +(.*) = -1 E(?:PERM|ACCES|ROFS) ", calls, re.M)
		assert not [call for call in refused if "/ns/net" not in call and
		            not call.startswith(("bpf(BPF_PROG_LOAD", "epoll_ctl("))], refused
	EOF
}

@test "with what synfin(8) says it lacks, it sees what is older in other network namespaces" {
	mkdir -p out
	sed -n 's/^AmbientCapabilities=//p' "$real/user/dist/synfin.8" | tr '[:upper:]' '[:lower:]' >out/more
	[ "$(wc -w <out/more)" = 2 ]
	can_copy
	service <<-'END' | aside
		caps=$caps,$(sed 's/cap_/+/g; s/ /,/g' /tmp/out/more)
		older
		begin
		end_older
		kill -TERM "$synfin"
		wait $strace
	END
	[ "$(grep -c '"preexisting":true' out/older)" = 2 ]
	# which takes the last of those lines
	grep -Eq 'setns\(.*CLONE_NEWNET\) += 0' out/calls
	grep -qx 'RestrictNamespaces=net' "$real/user/dist/synfin.8"
}

@test "a service with wrong configuration ends with a status that does not restart it" {
	can_copy
	service <<-'END' | aside
		echo 'lgo = conns' >/tmp/wrong
		status=0
		synfin serve --config /tmp/wrong || status=$?
		of RestartPreventExitStatus | tr ' ' '\n' | grep -qx $status
	END
}

@test "the unit: what systemd-analyze makes of it is at most what README says" {
	figure=$(systemd-analyze security --offline=true "$unit" --no-pager |
		sed -nE 's/.*exposure level for synfin.service: ([0-9.]+) .*/\1/p')
	told=$(sed -nE 's/.*exposure level for synfin.service: ([0-9.]+) .*/\1/p' "$real/README.md")
	echo "$figure, README: $told"
	awk -v figure="$figure" -v told="$told" 'BEGIN { exit !(figure != "" && told != "" && figure + 0 <= told + 0) }'
}

@test "the unit: systemd takes each of its lines" {
	dpkg-deb -x "$deb" tree
	sed "s|=/usr/sbin|=$PWD/tree/usr/sbin|; /^Documentation=/d" "$unit" >synfin.service
	systemd-analyze verify --man=no ./synfin.service >said 2>&1 || { cat said; return 1; }
	cat said
	run grep synfin said
	[ "$status" = 1 ]
}
