#!/usr/bin/env bash
# The directions of docs/architecture.md: what a folder must not include.
set -u
cd "$(dirname "$0")/../.."
bad=0
forbid() { # what, pattern, paths…
    local what=$1 pattern=$2; shift 2
    local hits
    hits=$(git grep -nE "$pattern" -- "$@" 2>/dev/null)
    if [ -n "$hits" ]; then echo "$what:"; echo "$hits"; bad=1; fi
}
forbid "Beast outside src/http" '#include <boost/beast' include modules src/core src/async src/bus src/config src/store src/link src/descriptor src/runtime src/agent src/shell src/controller
forbid "SQLite outside src/store" '#include <sqlite3.h>' include modules src/core src/async src/bus src/config src/http src/link src/descriptor src/runtime src/agent src/shell src/controller
forbid "yaml-cpp in a public header or a module" '#include <yaml-cpp' include modules src/agent
forbid "spdlog outside src/core" '#include <spdlog' include modules src/async src/bus src/config src/store src/http src/link src/descriptor src/runtime src/agent src/shell src/controller
for module in modules/*/; do
    name=$(basename "$module")
    others=$(ls modules | grep -vxE "$name|CMakeLists.txt" | paste -sd'|')
    forbid "module $name includes another module" "#include \"(modules/)?($others)/" "modules/$name"
    forbid "module $name includes src" '#include "(src/|\.\./\.\./src)' "modules/$name"
done
exit $bad
