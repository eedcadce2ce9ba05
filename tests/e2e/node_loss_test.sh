#!/usr/bin/env bash
# A node goes silent and returns, and is drained: where its work runs meanwhile, on two real engines.
source "$(dirname "$0")/lib.sh"
start_docker
start_docker docker2
second=$work/docker2/docker.sock
docker2_() { docker -H "unix://$second" "$@"; }
tls_port=$(free_port) plain_port=$(free_port) proxy_port=$(free_port)
start_proxy "$proxy_port" "$tls_port"
start_controller --set modules.fleet.suspect_after=6s --set modules.fleet.lease=12s --set "controller.advertise=127.0.0.1:$proxy_port"
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
join_port=$tls_port join_node edge-2 "$second" >/dev/null || exit 1
start_agent edge-2 "$second"
state_is() { icos get nodes | grep -qE "^$1 +$2"; }
eventually "the second node is ready" 20 state_is edge-2 ready
on() { # app: nodes of its copies, with their states
    icos get placements -o json | jq -r --arg app "$1" '[.[] | select(.app == $app) | .node + " " + .state] | sort | join(", ")'
}
runs() { [ "$(on "$1")" = "$2" ]; }
running_on() { docker -H "unix://$1" ps -q --filter "label=app.icos.eu/name=$2" | wc -l; }

watch_copies() { # counts running copies of "single" on both engines, as fast as it can
    local most=0 now
    while [ ! -e "$work/watched" ]; do
        now=$(($(running_on "$socket" single) + $(running_on "$second" single)))
        [ "$now" -gt "$most" ] && most=$now
        echo "$most" >"$work/most.copies"
    done
}
watch_copies & watcher=$!
extra_pids+=("$watcher")
before=$(identity data)
# The node is cut off; its agent and its clock go on.
kill -STOP "$proxy_pid"
eventually "a silent node is lost" 40 state_is edge-1 lost
eventually "what may be replaced runs on the other node" 30 runs job "edge-1 removing, edge-2 running"
contains "the events say why" "edge-1 -> edge-2, cause: node lost" "$(icos events --app job)"
eventually "the cut-off node stops what may run at most once" 20 eval '[ "$(running_on "$socket" single)" = 0 ]'
equal "and leaves the rest alone" "1 1" "$(running_on "$socket" job) $(running_on "$socket" data)"
eventually "then it runs on the other node" 30 runs single "edge-1 removing, edge-2 running"
equal "what keeps data stays" "edge-1 unreachable" "$(on data)"
equal "and does not start empty elsewhere" 0 "$(running_on "$second" data)"

kill -CONT "$proxy_pid"
eventually "the node is back" 60 state_is edge-1 ready
eventually "one copy remains" 30 runs job "edge-2 running"
eventually "one copy remains of what runs at most once" 30 runs single "edge-2 running"
equal "nothing of it is left on the node that returned" "0 0" "$(running_on "$socket" job) $(running_on "$socket" single)"
equal "what stayed was not restarted" "$before" "$(identity data)"
touch "$work/watched"
wait "$watcher"
equal "exclusive never ran twice" 1 "$(cat "$work/most.copies")"

# An agent that is stopped cannot stop anything when its lease ends, and the controller knows.
stop_agent edge-2
equal "stopping an agent stops no container" "1 1" "$(running_on "$second" job) $(running_on "$second" single)"
contains "it is on record" node.agent_stopping "$(icos events --since 10s)"
eventually "its node is lost" 40 state_is edge-2 lost
eventually "what may be replaced is" 30 runs job "edge-1 running, edge-2 removing"
sleep 12
equal "what runs at most once is not" "edge-2 unreachable" "$(on single)"
start_agent edge-2 "$second"
eventually "the agent is back" 30 state_is edge-2 ready
eventually "and so is its component, never restarted" 20 runs single "edge-2 running"

refused=$(icos node confirm-lost edge-1 2>&1); code=$?
equal "the loss of a node that answers cannot be confirmed" 1 "$code"
contains "and the answer says what to do instead" "icos node drain edge-1" "$refused"

check "drain" icos node drain edge-2
eventually "a drain moves what may move" 40 runs single "edge-1 running"
contains "the node is shown as draining" draining "$(icos get nodes)"
check "uncordon ends the drain" icos node uncordon edge-2
eventually "the node takes placements again" 10 state_is edge-2 ready

# Cut off, with an engine that does not answer: the agent ends what may run at most once without it.
process=$(docker_ inspect -f '{{.State.Pid}}' "$(docker_ ps -q --filter label=app.icos.eu/name=single)")
engine_pid=$(cat "$work"/docker/dockerd.pid)
kill -STOP "$proxy_pid" "$engine_pid"
eventually "without its engine the cut-off node ends it too" 40 eval '! kill -0 "$process"'
eventually "and it runs on the other node" 30 runs single "edge-1 removing, edge-2 running"
kill -CONT "$engine_pid" "$proxy_pid"
eventually "the node is back again" 60 state_is edge-1 ready
eventually "with one copy" 30 runs single "edge-2 running"
equal "which is not on the node that returned" 0 "$(running_on "$socket" single)"
contains "the agent said what it did" "killed, because the lease ended" "$(cat "$work/edge-1.log")"
drained=$(icos -o json node drain edge-2 --wait --timeout 90s 2>/dev/null | jq -r .name)
equal "drain the node that has it, answered as a document" edge-2 "$drained"
equal "after the wait" "" "$(icos get placements -o json | jq -r '.[] | select(.node == "edge-2") | .app')"
eventually "it goes back" 40 runs single "edge-1 running"
check "uncordon" icos node uncordon edge-2
eventually "the node takes placements" 10 state_is edge-2 ready
drained=$(icos node drain edge-1 --wait --timeout 90s 2>&1); code=$?
equal "drain the other, and wait" 0 "$code"
contains "it says when" "node edge-1 is drained after" "$drained"
contains "and what stays" "data/main  stays: what it keeps is on the node" "$drained"
equal "by then nothing else is there" "edge-1 running" "$(icos get placements -o json | jq -r '[.[] | select(.node == "edge-1") | .node + " " + .state] | sort | join(", ")')"
eventually "a drain moves without a gap" 30 runs job "edge-2 running"
eventually "an exclusive component is stopped here, then started there" 40 runs single "edge-2 running"
equal "it is gone from the drained node" 0 "$(running_on "$socket" single)"
equal "what keeps data stays on a drained node" "edge-1 running" "$(on data)"
for app in job single data; do check "delete $app" icos delete $app --wait --timeout 60s; done
eventually "nothing is left on the first engine" 20 nothing_left
finish
