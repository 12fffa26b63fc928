#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# guest.sh TIER...: runs in a guest, once per tier: tests/net/drive.sh with its scenes, what it wrote
# left in /out/TIER, and in the full one wire.py, with its TAP there, too.
set -u

export PYTHONHOME=/usr PYTHONPATH=/usr/lib/python.zip
status=0
uname -r >/out/uname
hostname synfin-guest
# What it is at stands in the host's log: there it is found if the guest hangs.
at() {
	echo "guest: $(cut -d ' ' -f 1 /proc/uptime) s: $*" >&2
}

for tier; do
	at "$tier: drive"
	mkdir -p "/out/$tier"
	SFGEN=/usr/bin/sfgen SCENES=/usr/lib/scenes.py TABLE=no DEADLINE=120 MANY=40 SOME=16 STORM=400 \
		bash /usr/bin/drive.sh /usr/bin/synfin "/out/$tier" "$tier" || status=$?
	# the times are taken in the same places in the other tiers, but for what the table in it says
	if [ "$tier" = full ]; then
		at "$tier: wire"
		python3 /usr/lib/wire.py /usr/bin/synfin "$tier" 1000 >"/out/$tier/wire.tap" 2>&1
	fi
done
# It lasts a minute, most of which what is next takes.
python3 /usr/lib/time_wait.py /usr/bin/synfin full >/out/time_wait 2>&1 &
at doctor
{
	# the one to copy to a host, too: all that it needs is in it
	for program in synfin synfin-static; do
		if "$program" doctor >"/out/$program" 2>&1 && ! grep -q WRONG "/out/$program" &&
			[ "$(grep -c '^  right ' "/out/$program")" -ge 8 ]; then
			echo "ok $program doctor: its self-test is right"
		else
			echo "not ok $program doctor: its self-test is right"
			sed 's/^/# /' "/out/$program"
		fi
	done
} >/out/doctor
at stuck
bash /usr/bin/stuck.sh >/out/stuck 2>&1
at half_open
unshare -n python3 /usr/lib/half_open.py /usr/bin/synfin full >/out/half_open 2>&1
at skipped
unshare -n python3 /usr/lib/skipped.py /usr/bin/synfin >/out/skipped 2>&1
at hotplug
python3 /usr/lib/hotplug.py /usr/bin/synfin full >/out/hotplug 2>&1
at 'the end of TIME_WAIT'
wait
at end
exit "$status"
