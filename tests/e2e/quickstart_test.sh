#!/usr/bin/env bash
# The README's first command: one command to a running application, twice in a row, and --down leaves nothing.
source "$(dirname "$0")/lib.sh"
export ICOS_QUICKSTART_DIR=$work/quickstart DOCKER_SOCKET=$work/no-engine.sock
port=$(sed -nE 's/^ *- *"?([0-9]+):[0-9]+"?.*/\1/p' "$root/config/examples/hello.yaml" | head -n 1)

first=$(bash "$root/packaging/quickstart.sh" --yes 2>&1); code=$?
equal "quickstart ends with 0" 0 $code
[ $code -eq 0 ] || echo "$first" | tail -n 40
contains "it prints that the application runs" "hello is running" "$first"
contains "it prints the topology" "controller " "$first"
check "the application answers HTTP" curl -sf -m 5 "http://127.0.0.1:$port/"
engine=$work/quickstart/docker/docker.sock
before=$(docker -H "unix://$engine" ps -q --no-trunc | sort)

second=$(bash "$root/packaging/quickstart.sh" --yes 2>&1); code=$?
equal "a second run ends with 0" 0 $code
contains "the second run finds the application unchanged" "hello unchanged" "$second"
equal "the second run restarted nothing" "$before" "$(docker -H "unix://$engine" ps -q --no-trunc | sort)"

pids=$(cat "$work"/quickstart/*.pid "$work"/quickstart/docker/*.pid 2>/dev/null)
down=$(bash "$root/packaging/quickstart.sh" --down 2>&1); code=$?
equal "--down ends with 0" 0 $code
check "--down removes the state" test ! -e "$work/quickstart"
left=""
for pid in $pids; do kill -0 "$pid" 2>/dev/null && left="$left $(ps -o args= -p "$pid")"; done
equal "--down leaves no process" "" "$left"
equal "--down leaves no mount" "" "$(grep "$work/quickstart" /proc/mounts)"
finish
