#!/usr/bin/env bash
# A node goes silent and returns, and is drained: where its work runs meanwhile, on two real engines.
source "$(dirname "$0")/lib.sh"
start_docker
start_docker docker2
second=$work/docker2/docker.sock
docker2_() { docker -H "unix://$second" "$@"; }
start_controller --set modules.fleet.suspect_after=6s --set modules.fleet.lease=10s
join_node edge-1 "$socket" >/dev/null || exit 1
start_agent edge-1 "$socket"
cd "$work" || exit 1
component() { # name, rule
    cat >"$1.yaml" <<Y
name: $1
x-icos: {onNodeLoss: $2}
components:
  - {name: main, type: docker, manifests: [{name: main}]}
manifests:
  - name: main
    manifest:
      services:
        main: {image: "busybox:1", command: ["sleep", "1000000"], stop_grace_period: 1s, restart: always}
Y
}
component job replace
component single exclusive
component data keep
for app in job single data; do check "apply $app" icos apply -f $app.yaml --wait --timeout 60s; done
join_node edge-2 "$second" >/dev/null || exit 1
start_agent edge-2 "$second"
state_is() { icos get nodes | grep -qE "^$1 +$2"; }
eventually "the second node is ready" 20 state_is edge-2 ready
on() { # app: nodes of its copies, with their states
    icos get placements -o json | jq -r --arg app "$1" '[.[] | select(.app == $app) | .node + " " + .state] | sort | join(", ")'
}
runs() { [ "$(on "$1")" = "$2" ]; }
running_on() { docker -H "unix://$1" ps -q --filter "label=app.icos.eu/name=$2" | wc -l; }

kill -STOP "${agent_pids[edge-1]}"
eventually "a silent node is lost" 30 state_is edge-1 lost
eventually "what may be replaced runs on the other node" 30 runs job "edge-1 removing, edge-2 running"
sleep 3
equal "what runs at most once stays" "edge-1 unreachable" "$(on single)"
equal "what keeps data stays" "edge-1 unreachable" "$(on data)"
equal "the silent node's containers were left alone" 1 "$(running_on "$socket" single)"
contains "the events say why" "edge-1 -> edge-2, cause: node lost" "$(icos events --app job)"

before=$(identity data)$(identity single)
kill -CONT "${agent_pids[edge-1]}"
eventually "the node is back" 30 state_is edge-1 ready
eventually "one copy remains" 30 runs job "edge-2 running"
equal "nothing of it is left on the node that returned" 0 "$(running_on "$socket" job)"
equal "what stayed was not restarted" "$before" "$(identity data)$(identity single)"

refused=$(icos node confirm-lost edge-1 2>&1); code=$?
equal "the loss of a node that answers cannot be confirmed" 1 "$code"
contains "and the answer says what to do instead" "icos node drain edge-1" "$refused"

check "drain" icos node drain edge-2
eventually "a drain moves what may move" 30 runs job "edge-1 running"
contains "the node is shown as draining" draining "$(icos get nodes)"
check "uncordon ends the drain" icos node uncordon edge-2
eventually "the node takes placements again" 10 state_is edge-2 ready
check "drain the other" icos node drain edge-1
eventually "an exclusive component is stopped here, then started there" 40 runs single "edge-2 running"
equal "it is gone from the drained node" 0 "$(running_on "$socket" single)"
equal "what keeps data stays on a drained node" "edge-1 running" "$(on data)"
for app in job single data; do check "delete $app" icos delete $app --wait --timeout 60s; done
eventually "nothing is left on the first engine" 20 nothing_left
finish
