#!/usr/bin/env bash
# Every C++ file is as clang-format 19 would write it.
set -eu
cd "$(dirname "$0")/../.."
git ls-files '*.cpp' '*.hpp' | xargs -r clang-format-19 --dry-run --Werror
