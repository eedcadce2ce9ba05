#!/usr/bin/env bash
# Installs what building, testing and the quickstart need on Debian 12. Does nothing when all of it is there.
# Usage: install-tools.sh [build] [run] [test] [coverage]
set -eu
build=(clang-19 lld-19 libclang-rt-19-dev ccache ninja-build cmake pkg-config libboost1.81-dev libboost-json1.81-dev
       libboost-url1.81-dev libboost-system1.81-dev libyaml-cpp-dev libyaml-dev libsqlite3-dev libspdlog-dev libfmt-dev libssl-dev zlib1g-dev
       libcli11-dev git)
run=(docker.io busybox-static curl jq procps)
test=(catch2 libbenchmark-dev clang-format-19 clang-tidy-19 sqlite3 iproute2 prometheus-node-exporter docker-compose
      python3-jsonschema python3-yaml)
coverage=(gcovr llvm-19)
wanted=()
for group in "${@:-build}"; do
    case "$group" in
        build) wanted+=("${build[@]}") ;;
        run) wanted+=("${run[@]}") ;;
        test) wanted+=("${test[@]}") ;;
        coverage) wanted+=("${coverage[@]}") ;;
        *) echo "install-tools.sh: unknown group '$group' (build, run, test, coverage)" >&2; exit 2 ;;
    esac
done
missing=()
for package in "${wanted[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "missing packages: ${missing[*]}" >&2
    echo "install them with: sudo apt-get install -y ${missing[*]}" >&2
    exit 1
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
