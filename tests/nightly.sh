#!/usr/bin/env bash
# The long runs: seeds of the simulation, sweeps over every byte, fuzzers, coverage. Writes docs/reports/nightly.md.
# Runs all seeds, then prints those that broke an invariant with the command that reproduces each, and stops there.
# Interrupted, it goes on where it was: what is done is kept in build/nightly/<commit>.
#   --seeds N            how many seeds (20000), from --first N (1) on
#   --fuzz-minutes N     per fuzzer (10); 0: none
#   --coverage WHAT      all (every test but the seeds), simulation (seeds only), none        (all)
#   --jobs N             processes at once (all cores)
#   --nice N             niceness of what it starts (0)
#   --report FILE        (docs/reports/nightly.md)
#   --report-only        writes the report of what has been done so far; with --of COMMIT of that commit
set -u
cd "$(dirname "$0")/.."
export CCACHE_DIR="${CCACHE_DIR:-$HOME/.cache/icos-ccache}"

seeds=20000 first=1 fuzz_minutes=10 coverage=all jobs=$(nproc) niceness=0 report=docs/reports/nightly.md report_only= commit=
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }
while [ $# -gt 0 ]; do
    case "$1" in
        --seeds) seeds=$2; shift ;;
        --first) first=$2; shift ;;
        --fuzz-minutes) fuzz_minutes=$2; shift ;;
        --coverage) coverage=$2; shift ;;
        --jobs) jobs=$2; shift ;;
        --nice) niceness=$2; shift ;;
        --report) report=$2; shift ;;
        --report-only) report_only=1 ;;
        --of) commit=$2; shift ;;
        *) usage ;;
    esac
    shift
done
case "$coverage" in all | simulation | none) ;; *) usage ;; esac

readonly kChunk=50
fuzzers=(fuzz_http_request fuzz_link_frames fuzz_client_hello fuzz_descriptor fuzz_compose fuzz_accepted_log fuzz_docker_stream)
if [ -z "$commit" ]; then
    commit=$(git rev-parse --short=12 HEAD)
    [ -z "$(git status --porcelain -- src modules include tests cmake CMakeLists.txt)" ] || commit="$commit-modified"
elif [ -z "$report_only" ]; then
    usage
fi
work=build/nightly/$commit
mkdir -p "$work/seeds" "$work/fuzz" "$work/corpus"

build() { # preset, targets…
    local preset=$1; shift
    cmake --preset "$preset" >"$work/build-$preset.log" 2>&1 &&
        nice -n "$niceness" cmake --build --preset "$preset" -j "$jobs" --target "$@" >>"$work/build-$preset.log" 2>&1 ||
        { tail -n 40 "$work/build-$preset.log"; echo "FAILED: the build of $preset" >&2; exit 1; }
}

run_seeds() {
    build release icos-sim
    # A copy: whoever builds meanwhile does not change what is tested.
    [ -x "$work/icos-sim" ] || cp build/release/bin/icos-sim "$work/icos-sim"
    run_chunk() { # work, first, count, niceness
        local log=$1/seeds/$2 TIMEFORMAT='cpu %U %S %R'
        [ -e "$log.ok" ] && return 0
        { time nice -n "$4" "$1/icos-sim" --vary --seed "$2" --count "$3" >"$log.log" 2>&1; } 2>"$log.time" &&
            mv "$log.log" "$log.ok" || echo "$log.log" >>"$1/failed"
    }
    export -f run_chunk
    rm -f "$work/failed"
    local at last=$((first + seeds - 1))
    for ((at = first; at <= last; at += kChunk)); do
        echo "$at $((at + kChunk - 1 > last ? last - at + 1 : kChunk))"
    done | xargs -P "$jobs" -L 1 bash -c 'run_chunk "$0" "$2" "$3" "$1"' "$work" "$niceness"
    if [ -e "$work/failed" ]; then
        local log
        while read -r log; do
            echo "a seed broke an invariant: $log" >&2
            grep -E '^FAILED|^reproduce' "$log" >&2 || tail -n 20 "$log" >&2
        done <"$work/failed"
        write_report
        exit 1
    fi
}

run_sweeps() {
    [ -e "$work/sweeps.ok" ] && return
    build dev icos_durable_sweep_tests
    if nice -n "$niceness" build/dev/bin/icos_durable_sweep_tests "[sweep],[.nightly]" -s -d yes >"$work/sweeps.log" 2>&1; then
        mv "$work/sweeps.log" "$work/sweeps.ok"
    else
        tail -n 40 "$work/sweeps.log" >&2
        echo "FAILED: a power cut or a full disk lost something: $work/sweeps.log" >&2
        exit 1
    fi
}

run_fuzzers() {
    [ "$fuzz_minutes" -gt 0 ] || return 0
    build fuzz "${fuzzers[@]}"
    fuzz_one() { # work, fuzzer, seconds, niceness
        [ -e "$1/fuzz/$2.ok" ] && return 0
        mkdir -p "$1/corpus/$2"
        nice -n "$4" "build/fuzz/bin/$2" -max_total_time="$3" -print_final_stats=1 -timeout=25 -rss_limit_mb=4096 \
            -artifact_prefix="$1/fuzz/$2-" "$1/corpus/$2" "tests/fuzz/corpus/$2" >"$1/fuzz/$2.log" 2>&1 &&
            mv "$1/fuzz/$2.log" "$1/fuzz/$2.ok" ||
            { echo "FAILED: $2 found something: $1/fuzz/$2.log" >&2; tail -n 5 "$1/fuzz/$2.log" >&2; return 255; }
    }
    export -f fuzz_one
    printf '%s\n' "${fuzzers[@]}" |
        xargs -P "$jobs" -I{} bash -c 'fuzz_one "$@"' fuzz "$work" {} $((fuzz_minutes * 60)) "$niceness" || exit 1
}

run_coverage() {
    [ "$coverage" = none ] && return
    [ -e "$work/coverage.$coverage" ] && return
    bash packaging/install-tools.sh coverage || exit 1
    if [ "$coverage" = all ]; then
        build coverage all
        ctest --test-dir build/coverage -j "$jobs" -LE 'seeds|scale' >"$work/coverage.log" 2>&1 ||
            echo "some tests failed with coverage: $work/coverage.log" >&2
    else
        build coverage icos-sim
        nice -n "$niceness" build/coverage/bin/icos-sim --count 5 >"$work/coverage.log" 2>&1 || exit 1
    fi
    nice -n "$niceness" gcovr --root . --filter src/ --filter modules/ --filter include/ --exclude-throw-branches \
        --gcov-executable "llvm-cov-19 gcov" --object-directory build/coverage --print-summary build/coverage \
        >"$work/gcovr.txt" 2>"$work/gcovr.log" || { tail -n 5 "$work/gcovr.log" >&2; exit 1; }
    cp "$work/gcovr.txt" "$work/coverage.$coverage"
}

# "  12  fault.x" lines of all finished chunks, summed.
totals() { cat "$work"/seeds/*.ok 2>/dev/null | awk '$1 ~ /^[0-9]+$/ && NF >= 2 {n=$1; $1=""; sub(/^ +/,""); sum[$0]+=n} END {for (k in sum) print k "\t" sum[k]}' | sort; }

write_report() {
    mkdir -p "$(dirname "$report")"
    local done_seeds timed_seeds failing cpu
    done_seeds=$(cat "$work"/seeds/*.ok "$work"/seeds/*.log 2>/dev/null | grep -c '^seed .*: ok')
    timed_seeds=$(cat "$work"/seeds/*.ok 2>/dev/null | grep -c '^seed .*: ok')
    # A process that died says nothing of the kind: then its last lines.
    failing=$(for log in $(cat "$work/failed" 2>/dev/null); do grep -E '^FAILED|^reproduce' "$log" || tail -n 3 "$log"; done)
    cpu=$(cat "$work"/seeds/*.time 2>/dev/null | awk '/^cpu/ {s += $2 + $3} END {printf "%.0f", s}')
    {
        echo "# Nightly run"
        echo
        echo "Written by \`bash tests/nightly.sh\`; see [testing](../testing.md)."
        echo
        echo "| | |"
        echo "|---|---|"
        echo "| commit | $commit |"
        echo "| date | $(date -u +%Y-%m-%dT%H:%MZ) |"
        echo "| machine | $(nproc) cores, $(sed -nE 's/^model name\s*: //p' /proc/cpuinfo | head -n 1) |"
        echo "| asked for | $seeds seeds from $first on, $fuzz_minutes minutes per fuzzer, coverage: $coverage |"
        echo
        echo "## Seeds"
        echo
        echo "A seed draws its size: one of forty is a simulated hour of 50 nodes with all kinds of faults, the others are 6 to 16 nodes for 8 to 24"
        echo "minutes, mostly with a choice of the faults; then each has 12 minutes to settle (\`icos-sim --vary\`)."
        echo
        if [ "$timed_seeds" -gt 0 ]; then
            echo "- $done_seeds of $seeds seeds ran and broke no invariant"
            echo "- $timed_seeds of them, in finished chunks of $kChunk, took $cpu CPU seconds and are counted below: $(awk "BEGIN{printf \"%.2f\", $cpu / $timed_seeds}") per seed"
        else
            echo "- not run"
        fi
        if [ -n "$failing" ]; then printf -- '- **broken**:\n\n```\n%s\n```\n' "$failing"; fi
        echo
        echo "| fault | fired |"
        echo "|---|---|"
        totals | awk -F'\t' '/^fault\./ {sub(/^fault\./,"",$1); print "| " $1 " | " $2 " |"}'
        echo
        echo "| checked, or asked by the user | times |"
        echo "|---|---|"
        totals | awk -F'\t' '/^(check|user|acknowledged)\./ {print "| " $1 " | " $2 " |"}'
        echo
        echo "## Power cuts and full disks at every write"
        echo
        if [ -e "$work/sweeps.ok" ]; then
            echo '```'
            grep -E '^[0-9.]+ s: |images after' "$work/sweeps.ok" | sed -E 's/^ +//'
            echo '```'
        else
            echo "Not run."
        fi
        echo
        echo "## Fuzzers"
        echo
        echo "libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer. Coverage: edges and features reached."
        echo
        echo "| fuzzer | seconds | executions | per second | edges | features | found |"
        echo "|---|---|---|---|---|---|---|"
        local fuzzer log
        for fuzzer in "${fuzzers[@]}"; do
            log=$work/fuzz/$fuzzer.ok
            [ -e "$log" ] || { echo "| $fuzzer | not run | | | | | |"; continue; }
            awk -v name="$fuzzer" '
                /^stat::number_of_executed_units/ {runs = $2}
                /^stat::average_exec_per_sec/ {rate = $2}
                match($0, /cov: [0-9]+/) {cov = substr($0, RSTART + 5, RLENGTH - 5)}
                match($0, /ft: [0-9]+/) {ft = substr($0, RSTART + 4, RLENGTH - 4)}
                /^Done [0-9]+ runs in/ {seconds = $5}
                END {printf "| %s | %s | %s | %s | %s | %s | nothing |\n", name, seconds, runs, rate, cov, ft}' "$log"
        done
        echo
        echo "## Coverage"
        echo
        local what found=
        for what in all simulation; do
            [ -e "$work/coverage.$what" ] || continue
            found=1
            echo "By $([ "$what" = all ] && echo "all tests but the seeds" || echo "five seeds of the simulation alone"), of src, modules and include:"
            echo
            grep -E '^(lines|functions|branches):' "$work/coverage.$what" | sed 's/^/- /'
        done
        [ -n "$found" ] || echo "Not run."
    } >"$report"
    echo "$report written"
}

if [ -z "$report_only" ]; then
    run_seeds
    write_report
    run_sweeps
    run_fuzzers
    run_coverage
fi
write_report
