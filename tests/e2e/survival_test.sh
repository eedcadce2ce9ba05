#!/usr/bin/env bash
# What must go on while parts are gone: agent killed under load, engine and agent restarted without a controller, delete
# while the node is away, logs and exec without an inbound port.
source "$(dirname "$0")/lib.sh"
start_docker
start_controller
join_node edge-1 "$socket" >/dev/null || exit 1
start_agent edge-1 "$socket"
cd "$work" || exit 1
cat >web.yaml <<'Y'
name: web
components:
  - {name: front, type: docker, manifests: [{name: front}]}
manifests:
  - name: front
    manifest:
      services:
        front:
          image: busybox:1
          command: ["sh", "-c", "mkdir -p /www && echo hello >/www/index.html && exec httpd -f -p 8080 -h /www"]
          ports: ["18080:8080"]
          restart: unless-stopped
Y
check "the application runs" icos apply -f web.yaml --wait --timeout 60s
eventually "it answers" 10 curl -sf -m 2 http://127.0.0.1:18080/
before=$(identity web)

# Load from a client all the while; every answer that is not 200 is a line in bad.txt.
(for _ in $(seq 600); do code=$(curl -s -o /dev/null -m 2 -w '%{http_code}' http://127.0.0.1:18080/); [ "$code" = 200 ] || echo "$code"; [ -e "$work/stop-load" ] && break; sleep 0.02; done) >"$work/bad.txt" &
load=$!
for round in 1 2 3; do
    stop_agent edge-1 KILL
    start_agent edge-1 "$socket"
done
connected() { icos get nodes | grep -qE '^edge-1 +ready' && icos status web | grep -q 'running 1/1'; }
eventually "the killed agent is back" 20 connected
touch "$work/stop-load"; wait $load
equal "no request failed while the agent was killed three times" "" "$(sort "$work/bad.txt" | uniq -c)"
equal "containers and their start times are unchanged" "$before" "$(identity web)"

kill -9 "$controller_pid"; wait "$controller_pid" 2>/dev/null
stop_agent edge-1 KILL
bash "$root/packaging/dockerd.sh" stop "$work/docker"
bash "$root/packaging/dockerd.sh" start "$work/docker"
start_agent edge-1 "$socket"
eventually "without a controller, the application runs again after engine and agent restarted" 30 curl -sf -m 2 http://127.0.0.1:18080/
after=$(identity web)
start_controller
eventually "the controller sees it running" 20 connected
equal "the controller's return restarted nothing" "$after" "$(identity web)"

equal "the agent listens on no port" "" "$(ss -Hltnp | grep "pid=${agent_pids[edge-1]},")"
# Ready by its lease, the node may still be on its way back to the controller.
exec_reaches() { [ "$(icos exec web/front -- echo reached)" = reached ]; }
eventually "exec reaches the component through the link" 30 exec_reaches
check "logs reach the component through the link" icos logs web/front

stop_agent edge-1 KILL
check "delete is accepted while the node is away" icos delete web
contains "it stays deleting" deleting "$(icos get apps)"
check "the container still runs" curl -sf -m 2 http://127.0.0.1:18080/
start_agent edge-1 "$socket"
is_gone() { ! icos get apps -o name | grep -q web; }
eventually "the node's return completes the delete" 30 is_gone
check "nothing is left on the node" nothing_left

check "it can be applied again" icos apply -f web.yaml --wait --timeout 60s
before=$(identity web)
kill -TERM "$controller_pid"
SECONDS=0; wait "$controller_pid"; code=$?
equal "SIGTERM ends the controller with 0" 0 $code
check "within 5 s" test $SECONDS -le 5
start_controller
eventually "after a restart it knows what runs" 20 connected
equal "a controller restart restarts nothing" "$before" "$(identity web)"
finish
