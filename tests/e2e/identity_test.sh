#!/usr/bin/env bash
# Trouble with identities, on real engines: a cloned image, two agents on one engine, a node that lost its disk; and who was
# refused what.
source "$(dirname "$0")/lib.sh"
start_docker
start_docker docker2
second=$work/docker2/docker.sock
start_controller --set modules.fleet.suspect_after=6s --set modules.fleet.lease=10s
join_node edge-1 "$socket" >/dev/null || exit 1
start_agent edge-1 "$socket"
cd "$work" || exit 1
cat >data.yaml <<'Y'
name: data
components:
  - {name: main, type: docker, manifests: [{name: main}]}
manifests:
  - name: main
    manifest:
      services:
        main: {image: "busybox:1", command: ["sleep", "1000000"], stop_grace_period: 1s, restart: always, volumes: ["kept:/kept"]}
      volumes: {kept: {}}
Y
check "the application runs" icos apply -f data.yaml --wait --timeout 60s
icos exec data/main -- sh -c 'echo precious >/kept/file'
state_is() { icos node ls | grep -qE "^$1 +$2"; }
condition() { icos get nodes -o json | jq -r --arg node "$1" '.[] | select(.name == $node) | .conditions[].code'; }
has_condition() { condition "$1" | grep -qx "$2"; }
before=$(identity data)

# A cloned image: the same state on another machine, here with another engine.
cp -a edge-1 copy
start_agent copy "$second"
eventually "the controller shows that the node was cloned" 20 has_condition edge-1 cloned
contains "with what to do" "icos-agent reset-identity" "$(icos node describe edge-1)"
contains "and tells both machines apart" "a second agent" "$(icos events --kind node.duplicate_refused)"
equal "the first one is ready still" ready "$(icos get nodes -o json | jq -r '.[0].status')"
copy_says() { "$bin/icos-agent" status --state-dir "$work/copy" | grep -q "$1"; }
eventually "the copy says why it has no link" 10 copy_says "is connected already"
contains "and what to do" "reset-identity" "$("$bin/icos-agent" status --state-dir "$work/copy")"
refused=$("$bin/icos-agent" reset-identity --state-dir "$work/copy" --secrets-dir "$secrets_dir/copy" --yes 2>&1); code=$?
equal "an identity in use is not reset" "1" "$code"
contains "and it says why" "an agent already runs" "$refused"
stop_agent copy
refused=$("$bin/icos-agent" reset-identity --state-dir "$work/copy" --secrets-dir "$secrets_dir/copy" --docker-socket "$second" </dev/null 2>&1); code=$?
equal "nothing is reset unasked" 2 "$code"
check "the copy's identity is reset" "$bin/icos-agent" reset-identity --state-dir "$work/copy" --secrets-dir "$secrets_dir/copy" --docker-socket "$second" --yes
equal "nothing of the node it was is left" "" "$(ls "$work/copy" | grep -v '^lock$')$(ls "$secrets_dir/copy" 2>/dev/null)"
command=$(icos node token -o json | jq -r .command)
# shellcheck disable=SC2086
check "the copy joins as a node of its own" "$bin"/$command --name edge-2 --state-dir "$work/copy" --docker-socket "$second" --no-start
start_agent copy "$second"
eventually "both are ready" 20 state_is edge-2 ready
contains "their machine id is the same, which is shown" machine_id_shared "$(condition edge-2)"
equal "the first machine's containers were never touched" "$before" "$(identity data)"

# Two agents on one engine.
join_node edge-3 "$socket" >/dev/null || exit 1
start_agent edge-3 "$socket"
eventually "a second agent on one engine is refused it" 20 state_is edge-3 "no engine"
contains "the controller says by whom" "used by the agent of node edge-1" "$(icos node describe edge-3)"
contains "and what to do" "one engine serves one node" "$(icos node describe edge-3)"
contains "the agent says so too" "used by the agent of node edge-1" "$("$bin/icos-agent" status --state-dir "$work/edge-3")"
stop_agent edge-3
check "its node is removed" icos node rm edge-3

# A node that lost its disk; what ran on the engine survived.
contains "a node that answers cannot be taken over" node.in_use "$(
    token=$(icos node token --replace edge-1 -o json | jq -r .command)
    "$bin"/$token --state-dir "$work/thief" --docker-socket "$second" --no-start 2>&1
)"
stop_agent edge-1 KILL
rm -rf "$work/edge-1"
eventually "the node is lost" 30 state_is edge-1 lost
command=$(icos node token --replace edge-1 -o json | jq -r .command)
# shellcheck disable=SC2086
check "it joins again as itself" "$bin"/$command --state-dir "$work/edge-1" --docker-socket "$socket" --no-start
start_agent edge-1 "$socket"
running() { icos status data | grep -q 'running 1/1'; }
eventually "it is ready" 20 state_is edge-1 ready
eventually "the application is its own again" 20 running
equal "nothing was restarted" "$before" "$(identity data)"
equal "its data is there" precious "$(icos exec data/main -- cat /kept/file)"
contains "the event says so" "joined again" "$(icos events --kind node.rejoined)"

# Who did what, and who was refused.
equal "a change without a token is refused" 401 "$(curl -s -o /dev/null -w '%{http_code}' -X DELETE "http://127.0.0.1:$plain_port/api/v1/apps/data")"
recorded() { icos events --kind access. | grep -q "DELETE /api/v1/apps/data"; }
eventually "the refusal is recorded" 10 recorded
contains "exec is recorded without its words" "ran cat in service main" "$(icos events --kind component.exec)"
contains "with its caller" "local:root" "$(icos events --kind component.exec -o wide)"
equal "the last hour has both joins" 2 "$(icos events --since 1h -o json | jq '[.[] | select(.kind == "node.joined") | .node] | map(select(. == "edge-1" or . == "edge-2")) | length')"
finish
