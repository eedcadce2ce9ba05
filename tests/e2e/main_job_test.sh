#!/usr/bin/env bash
# The transcripts of a first day: join, init, validate, plan, apply, status, logs, exec, update, stop, explain, delete.
source "$(dirname "$0")/lib.sh"
start_docker
start_controller

contains "without nodes, the next step is named" "icos node token" "$(icos get nodes)"
token=$(icos node token --expires 1h --label site=lab)
contains "a token says how long and how often" "valid for 1h, once" "$token"
command=$(sed -n '2s/^ *//p' <<<"$token")
joined=$("$bin"/$command --name edge-1 --state-dir "$work/edge-1" --docker-socket "$socket" --no-start 2>&1)
contains "join checks the controller" "its certificate matches the token" "$joined"
contains "join names the node" "edge-1" "$joined"
again=$("$bin"/$command --name edge-9 --state-dir "$work/edge-9" --docker-socket "$socket" --no-start 2>&1); code=$?
equal "a spent token is refused" 1 $code
contains "a spent token says so" "[node.token_spent]" "$again"
start_agent edge-1 "$socket"
is_ready() { icos get nodes | grep -qE '^edge-1 +ready'; }
eventually "the node becomes ready" 10 is_ready
contains "labels come from the token" "site=lab" "$(icos get nodes -o wide)"

cd "$work" || exit 1
icos init --type docker web >web.yaml
check "the starter is valid" icos validate web.yaml
cat >bad.yaml <<'Y'
name: bad
components:
  - name: web
    type: docker
    manifests:
      - name: wbe
    requirements:
      memory: 200Q
manifests:
  - name: web
    manifest: {services: {web: {image: busybox:1}}}
Y
out=$(icos validate bad.yaml); code=$?
equal "validate ends with 3 on errors" 3 $code
contains "validate gives line and column" "bad.yaml:8:15: error:" "$out"
contains "validate suggests the nearest name" '"web"' "$out"

hello=$root/config/examples/hello.yaml
plan=$(icos plan -f "$hello")
contains "plan shows the node" "-> edge-1" "$plan"
contains "plan changes nothing" "Nothing was changed." "$plan"
equal "plan left no application" "" "$(icos get apps -o name)"
out=$(icos apply -f "$hello" --wait --timeout 60s); code=$?
equal "apply --wait ends with 0" 0 $code
contains "apply names the generation" "hello generation 1 accepted" "$out"
contains "apply says when it runs" "hello is running (2/2)" "$out"
before=$(identity hello)
contains "the same text is unchanged" "hello unchanged (generation 1)" "$(icos apply -f "$hello")"
equal "applying the same text restarts nothing" "$before" "$(identity hello)"
contains "status shows components" "frontend" "$(icos status hello)"
port=$(sed -nE 's/^ *- *"?([0-9]+):[0-9]+"?.*/\1/p' "$hello" | head -n 1)
check "the frontend answers" curl -sf -m 5 --retry 3 --retry-connrefused "http://127.0.0.1:$port/"
equal "get -o json is machine readable" hello "$(icos get apps -o json | jq -r '.[0].name')"

equal "exec prints what the command prints" hi "$(icos exec hello/backend -- sh -c 'echo hi')"
icos exec hello/backend -- sh -c 'exit 7'; equal "exec ends with the command's code" 7 $?
equal "exec passes standard input" "through" "$(echo through | icos exec -i hello/backend -- cat)"
cat >talk.yaml <<'Y'
name: talk
components:
  - {name: talker, type: docker, manifests: [{name: talker}]}
manifests:
  - name: talker
    manifest:
      services:
        talker:
          image: busybox:1
          command: ["sh", "-c", "i=0; while true; do echo line $$i; i=$$((i+1)); sleep 0.2; done"]
Y
check "a talking application runs" icos apply -f talk.yaml --wait --timeout 30s
contains "logs prints lines" "line 0" "$(icos logs talk/talker)"
timeout 3 "$bin/icos" --controller "unix://$work/controller/controller.sock" logs -f --tail 1 talk/talker >"$work/follow.txt"
check "logs -f follows" test "$(wc -l <"$work/follow.txt")" -ge 5

sed 's/line \$\$i/row $$i/' talk.yaml >talk2.yaml
check "a new generation is accepted" icos apply -f talk2.yaml --wait --timeout 60s
has_row() { icos logs --tail 3 talk/talker | grep -q row; }
eventually "the new generation runs" 20 has_row
equal "nothing else restarted" "$before" "$(identity hello)"
check "stop" icos stop talk --wait --timeout 30s
equal "a stopped application has no running container" "" "$(docker_ ps -q --filter label=app.icos.eu/name=talk)"
check "start" icos start talk --wait --timeout 30s

cat >big.yaml <<'Y'
name: big
components:
  - name: worker
    type: docker
    manifests: [{name: worker}]
    requirements: {memory: 7000Gi}
manifests:
  - name: worker
    manifest: {services: {worker: {image: busybox:1, command: ["sleep", "1000"]}}}
Y
out=$(icos apply -f big.yaml --wait --timeout 2s 2>&1); code=$?
equal "what cannot run ends with 5 after the timeout" 5 $code
contains "it says what is missing where" "memory: needs 7000Gi" "$out"
contains "it stays pending" "[app.not_running]; it stays pending and starts when a node fits" "$out"
contains "explain names the rule" "memory: needs 7000Gi" "$(icos explain big/worker)"
cat >cube.yaml <<'Y'
name: cube
components:
  - {name: pod, type: kubernetes, manifests: [{name: pod}]}
manifests:
  - name: pod
    manifest: {apiVersion: v1, kind: Pod, metadata: {name: pod}, spec: {containers: [{name: c, image: busybox:1}]}}
Y
check "an application for an engine that no target has is accepted" icos apply -f cube.yaml
contains "and stays pending with that reason" "kubernetes" "$(icos status cube)"

for app in big cube talk; do check "delete $app" icos delete "$app" --wait --timeout 30s; done
out=$(icos delete hello --wait --timeout 30s); code=$?
equal "delete --wait ends with 0" 0 $code
contains "delete says from where it removed" "removed from edge-1" "$out"
out=$(icos delete hello 2>&1); code=$?
equal "a second delete ends with 1" 1 $code
contains "a second delete says not found" "there is no application named hello [app.not_found]" "$out"
check "no container, network or volume is left" nothing_left
contains "the events tell the story" "app.deleted" "$(icos events --app hello)"
"$bin/icos" --controller "unix://$work/nobody.sock" get apps >/dev/null 2>&1; equal "an unreachable controller ends with 4" 4 $?
equal "anonymous callers are refused on TCP" 401 "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$plain_port/api/v1/apps")"
equal "the admin token opens TCP" 200 "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $(cat "$work/controller/admin.token")" "http://127.0.0.1:$plain_port/api/v1/apps")"
equal "the admin token is readable by its owner only" 600 "$(stat -c %a "$work/controller/admin.token")"
finish
