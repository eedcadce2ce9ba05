#!/usr/bin/env bash
# Updates wait for the window of the descriptor and for the lock that an application holds, on a real engine.
source "$(dirname "$0")/lib.sh"
start_docker
start_controller
join_node edge-1 "$socket" >/dev/null || exit 1
start_agent edge-1 "$socket"
cd "$work" || exit 1
descriptor() { # sleep time, window
    cat >app.yaml <<Y
name: app
x-icos: {${2:+window: "$2"}}
components:
  - {name: main, type: docker, manifests: [{name: main}]}
manifests:
  - name: main
    manifest:
      services:
        main: {image: "busybox:1", command: ["sleep", "$1"], stop_grace_period: 1s, restart: always}
Y
}
descriptor 1000001 ""
check "the application runs" icos apply -f app.yaml --wait --timeout 60s
before=$(identity app)

# A window that opens in twelve hours, whatever time it is.
hour=$(date -u +%H)
window=$(printf '%02d:00-%02d:30' $(((10#$hour + 12) % 24)) $(((10#$hour + 12) % 24)))
descriptor 1000002 "$window"
check "an update with a window is accepted" icos apply -f app.yaml
says() { icos status app | grep -qF -- "$1"; }
eventually "it waits, and says for what" 20 says "waits for its window ($window UTC)"
contains "what runs is shown as running" "running" "$(icos get placements)"
equal "nothing was restarted" "$before" "$(identity app)"

icos exec app/main -- touch /tmp/icos-update.lock
descriptor 1000003 ""
check "a descriptor without a window is accepted" icos apply -f app.yaml
eventually "the application's lock holds it" 20 says "holds its lock"
equal "still nothing was restarted" "$before" "$(identity app)"
icos exec app/main -- rm /tmp/icos-update.lock
updated() { docker_ ps --no-trunc --filter label=app.icos.eu/name=app --format '{{.Command}}' | grep -q 1000003; }
eventually "it goes on when the lock is gone" 60 updated
check "and ends" icos rollout status app --wait --timeout 60s
finish
