#!/usr/bin/env bash
# 200 applies while the controller is killed (-9) at random moments: what was acknowledged is there, and runs.
source "$(dirname "$0")/lib.sh"
applies=${APPLIES:-200}
export DOCKERD_ADDRESS_POOL=base=10.224.0.0/16,size=26
start_docker
start_controller
join_node edge-1 "$socket" >/dev/null || exit 1
start_agent edge-1 "$socket"
cd "$work" || exit 1
seed=${SEED:-$RANDOM}
RANDOM=$seed
echo "     SEED=$seed"

# The controller dies every 30 to 270 ms, and is started again at once, as a service manager does.
keep_killing() {
    local pid
    while [ ! -e "$work/enough" ]; do
        "$bin/icos-controller" run --data-dir "$work/controller" --set listeners.tls_address=127.0.0.1 --set "listeners.tls_port=$tls_port" \
            --set "listeners.plain_port=$plain_port" --set controller.advertise=127.0.0.1 >>"$work/controller.log" 2>&1 &
        pid=$!
        echo "$pid" >"$work/controller.pid"
        sleep "0.$(printf %02d $((RANDOM % 25 + 3)))"
        [ -e "$work/enough" ] && break
        kill -9 "$pid"
        wait "$pid" 2>/dev/null
        echo x >>"$work/kills"
    done
}
kill -9 "$controller_pid"; wait "$controller_pid" 2>/dev/null
controller_pid=
keep_killing &
killer=$!
extra_pids+=("$killer")

# One of 20 applications after the other gets its next content. What is not acknowledged is sent again, as a script would.
apply_one() { # application, revision
    sed -e "s/NAME/$1/" -e "s/CONTENT/$2/" >"$1.yaml" <<'Y'
name: NAME
components:
  - {name: main, type: docker, manifests: [{name: main}]}
manifests:
  - name: main
    manifest:
      services:
        main: {image: "busybox:1", command: ["sleep", "1000000"], environment: {REVISION: "CONTENT"}, stop_grace_period: 1s}
Y
    until icos apply -f "$1.yaml" >/dev/null 2>>"$work/retries"; do sleep 0.05; done
    acknowledged[$1]=$2
}
declare -A acknowledged
for i in $(seq "$applies"); do apply_one "app-$((i % 20))" "$i"; done
touch "$work/enough"
controller_pid=$(cat "$work/controller.pid")
wait "$killer"
kills=$(wc -l <"$work/kills")
check "the controller was killed many times (here $kills)" [ "$kills" -ge $((applies / 20)) ]
if ! kill -0 "$controller_pid" 2>/dev/null; then start_controller; fi
extra_pids+=("$controller_pid")

all_acknowledged() {
    local app
    for app in "${!acknowledged[@]}"; do
        icos get app "$app" --descriptor | grep -q "REVISION: \"${acknowledged[$app]}\"" || { echo "$app"; return 1; }
    done
}
eventually "every acknowledged text is the one that is kept" 30 all_acknowledged
all_run() {
    local app
    for app in "${!acknowledged[@]}"; do
        [ "$(docker_ ps -q --filter "label=app.icos.eu/name=$app" | xargs -r docker -H "unix://$socket" inspect -f '{{.Config.Env}}' | grep -o 'REVISION=[0-9]*')" \
            = "REVISION=${acknowledged[$app]}" ] || { echo "$app"; return 1; }
    done
}
eventually "and it is what runs, once" 120 all_run
running() { [ "$(icos get apps -o json | jq '[.[] | select(.state == "running")] | length')" = 20 ]; }
eventually "the controller says so" 60 running
equal "nothing else runs" 20 "$(containers | wc -l)"
finish
