#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Makes the golden recording anew and what is shown of it; look at `git diff`
# before you commit that. Called by `make golden`.
#
#     regenerate.sh SYNFIN GENERATOR
#
# Once a version is released its recording stays as it is, for ever: newer
# versions must read it. Then a new name is chosen here, and the old one is
# only shown again.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/golden/golden.bash
. ./golden.bash

synfin=$1 generator=$2 version=v1
mkdir -p "$version"
"$generator" >"$version/recording.new"
mv "$version/recording.new" "$version/recording"
for version in v*; do
	golden_cases | while read -r name arguments; do
		# shellcheck disable=SC2086 # words
		golden_show "$synfin" "$version/recording" -q $arguments >"$version/$name" </dev/null
	done
done
