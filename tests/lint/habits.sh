#!/usr/bin/env bash
# What reviewers would otherwise say again and again.
set -u
cd "$(dirname "$0")/../.."
bad=0
complain() { [ -n "$2" ] && { echo "$1:"; echo "$2"; bad=1; }; }
complain "left for later" "$(git grep -nE '\b(TODO|FIXME|XXX|HACK)\b' -- src include modules packaging)"
complain "no SPDX line" "$(git ls-files 'src/*.cpp' 'src/*.hpp' 'include/*.hpp' 'modules/*.cpp' 'modules/*.hpp' 'tests/*.cpp' 'tests/*.hpp' |
    while read -r f; do head -n 3 "$f" | grep -q 'SPDX-License-Identifier' || echo "$f"; done)"
complain "more than 700 lines" "$(git ls-files '*.cpp' '*.hpp' | xargs wc -l | awk '$1 > 700 && $2 != "total"')"
complain "detached tasks" "$(git grep -nE 'asio::detached' -- src modules)"
exit $bad
