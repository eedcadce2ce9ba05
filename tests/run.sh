#!/usr/bin/env bash
# Installs what is missing and runs all tests; the last line is "N passed, N failed".
#   --quick        the inner loop: dev build and its tests only
#   --stage NAME   only this stage (lint, dev, asan, tsan, release, e2e); may be repeated.
set -u
cd "$(dirname "$0")/.."
export CCACHE_DIR="${CCACHE_DIR:-$HOME/.cache/icos-ccache}" CMAKE_BUILD_PARALLEL_LEVEL="${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}"

stages=()
while [ $# -gt 0 ]; do
    case "$1" in
        --quick) stages=(dev) ;;
        --stage) stages+=("$2"); shift ;;
        *) echo "usage: tests/run.sh [--quick] [--stage lint|dev|asan|tsan|release|e2e]..." >&2; exit 2 ;;
    esac
    shift
done
[ ${#stages[@]} -eq 0 ] && stages=(lint dev asan tsan release e2e)

passed=0
failed=0
report=()
started=$SECONDS
failures=$(mktemp)  # what failed and how, told again at the end: the output is long
trap 'rm -f "$failures"' EXIT

stage_begin() { stage=$1; stage_start=$SECONDS; echo; echo "=== $stage"; }
stage_end() { report+=("$(printf '%-8s %5.1f min' "$stage" "$(echo "($SECONDS - $stage_start) / 60" | bc -l 2>/dev/null || awk "BEGIN{print ($SECONDS-$stage_start)/60}")")"); }
count() { # passed failed
    passed=$((passed + $1)); failed=$((failed + $2))
}
check() { # name, command…
    local name=$1; shift
    if "$@"; then echo "ok   $name"; count 1 0; else failed_at "$name"; fi
}
failed_at() { # name, [file with details]
    echo "FAIL $1"
    count 0 1
    { echo "$stage: $1"; [ $# -gt 1 ] && head -c 6000 "$2"; } >>"$failures"
}
configure_and_build() { # preset
    cmake --preset "$1" >"build-$1.log" 2>&1 || { cat "build-$1.log"; rm -f "build-$1.log"; return 1; }
    rm -f "build-$1.log"
    cmake --build --preset "$1" -- -k 0 2>&1 | grep -vE '^\[[0-9]+/[0-9]+\] (Building|Linking|Automatic)' | tail -n 60
    return "${PIPESTATUS[0]}"
}
run_ctest() { # preset, ctest arguments…
    local preset=$1; shift
    local log="build/$preset/ctest.log"
    ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$(nproc)" "$@" >"$log" 2>&1
    local total bad
    total=$(sed -nE 's/.*tests failed out of ([0-9]+).*/\1/p' "$log" | tail -n 1)
    bad=$(sed -nE 's/.*, ([0-9]+) tests? failed out of.*/\1/p' "$log" | tail -n 1)
    if [ -z "$total" ]; then tail -n 40 "$log" >"$log.end"; cat "$log.end"; failed_at "$preset: ctest told no result" "$log.end"; return; fi
    [ "${bad:-0}" -gt 0 ] && { grep -nE -A12 'FAILED:|(WARNING|ERROR): [A-Za-z]+Sanitizer|runtime error:' "$log" | head -n 120; sed -n '/The following tests FAILED/,$p' "$log"; }
    # Of each failed test the name and the end of its output, which is where assertions are.
    awk '/^ *[0-9]+\/[0-9]+ Test +#/ { keep = /\*\*\*/ } /^ *Start +[0-9]+:/ { keep = 0 } keep' "$log" | sed "s/^/$preset: /" | cut -c1-300 | tail -n 120 >>"$failures"
    tail -n 5 "$log"
    count $((total - bad)) "$bad"
}

for name in "${stages[@]}"; do
    stage_begin "$name"
    case "$name" in
        lint)
            bash packaging/install-tools.sh build run test || exit 1
            check "clang-format" bash tests/lint/format.sh
            check "include directions" bash tests/lint/includes.sh
            check "file habits" bash tests/lint/habits.sh
            ;;
        dev)
            bash packaging/install-tools.sh build run test || exit 1
            if configure_and_build dev; then count 1 0; run_ctest dev -LE seeds; else failed_at "dev build"; fi
            ;;
        asan)
            if configure_and_build asan; then count 1 0; run_ctest asan -LE 'seeds|scale'; else failed_at "asan build"; fi
            ;;
        tsan)
            if configure_and_build tsan; then count 1 0; run_ctest tsan -LE 'seeds|scale'; else failed_at "tsan build"; fi
            ;;
        release)
            if configure_and_build release; then count 1 0; run_ctest release -L seeds; else failed_at "release build"; fi
            ;;
        e2e)
            [ -x build/release/bin/icos-controller ] || configure_and_build release || { failed_at "release build"; stage_end; continue; }
            for script in tests/e2e/*_test.sh; do
                echo "--- $script"
                output=$(timeout 900 bash "$script" 2>&1); code=$?
                echo "$output" | tail -n 60
                good=$(grep -c '^ok ' <<<"$output"); bad=$(grep -c '^FAIL ' <<<"$output")
                [ "$code" -ne 0 ] && [ "$bad" -eq 0 ] && { echo "FAIL $script ended with $code"; bad=1; }
                # Of each failed check its details, and of a script that just ended the last lines.
                if [ "$bad" -gt 0 ]; then
                    echo "$script ended with $code"
                    grep -q '^FAIL ' <<<"$output" || tail -n 20 <<<"$output"
                    awk '/^FAIL / { keep = 1 } /^(ok |--- )/ { keep = 0 } keep' <<<"$output"
                    awk '/^--- / { keep = 1 } keep' <<<"$output" | tail -n 40
                fi | cut -c1-300 >>"$failures"
                count "$good" "$bad"
            done
            ;;
        *) echo "unknown stage $name" >&2; exit 2 ;;
    esac
    stage_end
done

echo
[ -s "$failures" ] && { echo "=== what failed"; cat "$failures"; echo; }
printf '%s\n' "${report[@]}"
printf '%-8s %5.1f min\n' all "$(awk "BEGIN{print ($SECONDS-$started)/60}")"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
