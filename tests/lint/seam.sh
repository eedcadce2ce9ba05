#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Modules and the agent's logic reach time, timers, randomness and threads only through icos::Runtime, so that the
# simulation can replace them (docs/testing.md). Prints every place that goes past it; exit code 1 if there is one.
set -euo pipefail
cd "$(dirname "$0")/../.."

forbidden=(
  'system_clock::now' 'steady_clock::now' 'high_resolution_clock' 'utc_clock::now'
  'std::random_device' 'std::mt19937' '\brand\(\)' 'getrandom\(' 'RAND_bytes'
  'this_thread::' 'std::thread\b' 'std::jthread' 'std::async\b' '\busleep\(' 'nanosleep\(' '\bsleep\('
  '\btime\((nullptr|NULL|0)\)' 'gettimeofday\(' 'clock_gettime\(' '\blocaltime\('
  'steady_timer' 'system_timer' 'asio::thread_pool' 'asio::detached'
)
# The composition of the agent program, and the sources of facts about the machine, are behind the seam.
allowed='^src/agent/(main|program)[a-z_]*\.cpp:'

pattern=$(IFS='|'; echo "${forbidden[*]}")
search() { # folders… ; a search that fails is not a search without a finding
  local lines status=0
  lines=$(grep -rnE --include='*.cpp' --include='*.hpp' "$pattern" "$@") || status=$?
  [ "$status" -le 1 ] || { echo "the search itself failed" >&2; exit 2; }
  printf '%s' "$lines"
}
# The production runtime is what does these things: a pattern that does not find them there finds them nowhere.
[ -n "$(search src/async)" ] || { echo "the patterns find nothing even in src/async"; exit 1; }
found=$(search modules src/agent | awk -v allowed="$allowed" '$0 !~ allowed && $0 !~ /:[0-9]+: *\/\/\/?/')
if [ -n "$found" ]; then
  echo "These go past icos::Runtime (include/icos/async/runtime.hpp):"
  echo "$found"
  exit 1
fi
files=$(find modules src/agent -name '*.cpp' | wc -l)
[ "$files" -gt 0 ] || { echo "nothing to look at"; exit 1; }
echo "seam: $files files look at time, timers, randomness and threads through the runtime only"
