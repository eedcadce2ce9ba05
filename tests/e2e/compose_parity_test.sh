#!/usr/bin/env bash
# The same compose files by us and by docker-compose 1.29.2 (Debian's): `docker inspect` says the same of containers, networks
# and volumes. The deny-list is in compose_parity.py, the fixtures and what differs on purpose in compose/.
source "$(dirname "$0")/lib.sh"
here=$root/tests/e2e
parity() { python3 "$here/compose_parity.py" "$@"; }
count_failures() { # prints the lines of a command that ends with 1 if it printed FAIL
    "$@" || failures=$((failures + 1))
}
command -v docker-compose >/dev/null || bash "$root/packaging/install-tools.sh" test || exit 1
contains "docker-compose is the version this is written for" "1.29.2" "$(docker-compose --version)"

export DOCKERD_ADDRESS_POOL=base=10.212.0.0/16,size=26
start_docker
start_controller
join_node edge-1 "$socket" >/dev/null
start_agent edge-1 "$socket"
is_ready() { icos get nodes | grep -qE '^edge-1 +ready'; }
eventually "the node becomes ready" 10 is_ready
for name in parity-outside parity-renamed; do
    docker_ network create "$name" >/dev/null
    docker_ volume create "$name" >/dev/null
done

mkdir "$work/compose" "$work/apps" "$work/made"
for file in "$here"/compose/*; do sed "s#/made/by/the/test#$work/made#" "$file" >"$work/compose/$(basename "$file")"; done
if ! docker_ run --rm --privileged --network none busybox:1 true 2>"$work/check.out"; then
    for fixture in $(grep -l '^# needs: privileged' "$work"/compose/*.yaml); do
        echo "skip $(basename "$fixture" .yaml): this machine has no privileged containers: $(head -n 1 "$work/check.out")"
        rm "$fixture"
    done
fi
name_of() { basename "$1" .yaml; }
for fixture in "$work"/compose/*.yaml; do
    name=$(name_of "$fixture")
    parity descriptor "$fixture" >"$work/apps/$name.yaml"
    icos apply -f "$work/apps/$name.yaml" >"$work/apps/$name.out" 2>&1 || fail "$name is accepted" "$(cat "$work/apps/$name.out")"
done
for fixture in "$work"/compose/*.yaml; do
    name=$(name_of "$fixture")
    icos apply -f "$work/apps/$name.yaml" --wait --timeout 60s >"$work/apps/$name.out" 2>&1 || fail "$name runs" "$(cat "$work/apps/$name.out")"
done
settled() { ! docker_ ps -a --format '{{.Status}}' | grep -E 'health: starting|^Created|Restarting'; }
eventually "our containers settle" 20 settled
check "ours can be inspected" parity snapshot "$socket" ours "$work/ours.json"
count_failures parity expectations "$work/ours.json" "$socket" "$work/compose"
# Host ports and addresses are needed again. Removing is not what is tested here, and nobody in a container waits for SIGTERM.
stop_agent edge-1
docker_ ps -aq --filter label=icos.eu/managed-by | xargs -r docker -H "unix://$socket" rm -fv >/dev/null
docker_ network ls -q --filter label=icos.eu/managed-by | xargs -r docker -H "unix://$socket" network rm >/dev/null
docker_ volume ls -q --filter label=icos.eu/managed-by | xargs -r docker -H "unix://$socket" volume rm >/dev/null
check "ours are gone" nothing_left

up() { # fixture
    local name options
    name=$(name_of "$1")
    options=$(parity header "$1" docker-compose)
    [ "$options" = cannot ] && return 0
    # shellcheck disable=SC2086
    DOCKER_HOST=unix://$socket docker-compose $options -p "parity-$name" -f "$1" up -d >"$work/apps/$name.peer" 2>&1 || cat "$work/apps/$name.peer"
}
export -f up parity name_of
export here work socket
printf '%s\n' "$work"/compose/*.yaml | xargs -P 3 -I{} bash -c 'up {}'
eventually "docker-compose's containers settle" 20 settled
check "docker-compose's can be inspected" parity snapshot "$socket" peer "$work/peer.json"
[ -n "${PARITY_KEEP:-}" ] && cp "$work/ours.json" "$work/peer.json" "$PARITY_KEEP"
count_failures parity compare "$work/ours.json" "$work/peer.json" "$work/compose"
count_failures parity mutations "$work/ours.json" "$work/peer.json" "$work/compose"
finish
