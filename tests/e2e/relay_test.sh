#!/usr/bin/env bash
# Components on different nodes reach each other at an address that stays, while the provider moves: three real engines.
source "$(dirname "$0")/lib.sh"
# Three engines in one network namespace: they must not give out the same addresses.
DOCKERD_ADDRESS_POOL=base=10.221.0.0/16,size=24 start_docker
DOCKERD_ADDRESS_POOL=base=10.222.0.0/16,size=24 start_docker docker2
DOCKERD_ADDRESS_POOL=base=10.223.0.0/16,size=24 start_docker docker3
engine_b=$work/docker2/docker.sock
engine_c=$work/docker3/docker.sock
start_controller --set modules.job_manager.drain=2s --set modules.fleet.suspect_after=6s --set modules.fleet.lease=12s
cd "$work" || exit 1
state_is() { icos get nodes | grep -qE "^$1 +$2"; }
for node in a:docker b:docker2 c:docker3; do
    name=edge-${node%%:*} engine=$work/${node##*:}/docker.sock
    site=far; [ "$name" = edge-a ] && site=near
    join_node "$name" "$engine" --label "site=$site" >/dev/null || exit 1
    start_agent "$name" "$engine"
    eventually "$name is ready" 20 state_is "$name" ready
done

# The consumer asks 50 times a second, each time on a new connection, and writes down what fails.
cat >shop.yaml <<'Y'
name: shop
components:
  - name: web
    type: docker
    manifests: [{name: web}]
    requirements: {nodelabel: {key: site, values: near}}
    communication: [{incoming: api}]
  - name: api
    type: docker
    manifests: [{name: api}]
    requirements: {nodelabel: {key: site, values: far}}
    communication: [{outgoing: api}]
manifests:
  - name: web
    manifest:
      services:
        web:
          image: busybox:1
          stop_grace_period: 1s
          command:
            - sh
            - -c
            - |
              ask() {
                while true; do
                  if timeout 20 wget -q -O /dev/null "http://$$ICOS_SVC_API_HOST:$$ICOS_SVC_API_PORT/"; then echo . >>/asked.$$1; else date >>/failed; fi
                  usleep 35000
                done
              }
              : >/failed
              for i in 1 2 3; do ask $$i & done
              wait
  - name: api
    manifest:
      services:
        api:
          image: busybox:1
          stop_grace_period: 1s
          ports: ["8080"]
          command: ["sh", "-c", "mkdir /www; hostname >/www/index.html; exec httpd -f -p 8080 -h /www"]
          healthcheck: {test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/"], interval: 1s, timeout: 2s, retries: 5}
Y
check "apply an application whose components are on different nodes" icos apply -f shop.yaml --wait --timeout 90s
web() { docker_ ps -q --filter label=app.icos.eu/component=web; }
inside() { docker_ exec "$(web)" sh -c "$1"; }
asked() { inside 'cat /asked.* 2>/dev/null | wc -l'; }
failed() { inside 'cat /failed'; }
has_asked() { [ "$(asked)" -ge "$1" ]; }
eventually "requests pass between the nodes" 20 has_asked 20
[ "$failures" -eq 0 ] || exit 1
equal "the address is one of the consumer's own network" "$(docker_ inspect -f '{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}' "$(web)")" \
    "$(inside 'echo $ICOS_SVC_API_HOST')"
before=$(identity shop)
address=$(inside 'echo $ICOS_SVC_API_HOST:$ICOS_SVC_API_PORT')

api_on() { icos get placements -o json | jq -e --arg node "$1" '[.[] | select(.component == "api")] | length == 1 and .[0].node == $node and .[0].state == "running"' >/dev/null; }
here=edge-b
api_on edge-b || here=edge-c
moved=0
started=$(date +%s%N) asked_before=$(asked)
for _ in 1 2 3 4 5 6 7 8 9 10; do
    there=edge-b; [ "$here" = edge-b ] && there=edge-c
    icos node drain "$here" >/dev/null
    end=$((SECONDS + 60))
    until api_on "$there" || [ $SECONDS -ge $end ]; do sleep 0.2; done
    api_on "$there" && moved=$((moved + 1))
    icos node uncordon "$here" >/dev/null
    here=$there
done
took=$((($(date +%s%N) - started) / 1000000)) requests=$(($(asked) - asked_before))
equal "the provider moved ten times" 10 "$moved"
equal "no request failed" "" "$(failed)"
rate=$((requests * 1000 / took))
echo "     $requests requests in $took ms: $rate a second"
check "there were about 50 a second" [ "$rate" -ge 35 ]
equal "the consumer was not restarted" "$before" "$(identity shop)"
equal "and its address stayed" "$address" "$(inside 'echo $ICOS_SVC_API_HOST:$ICOS_SVC_API_PORT')"

# The provider's node is killed, engine and all, and returns.
there=edge-b dead=docker3; [ "$here" = edge-b ] && there=edge-c dead=docker2
stop_agent "$here" KILL
bash "$root/packaging/dockerd.sh" stop "$work/$dead"
has_home() { icos get placements -o json | jq -e --arg node "$1" '[.[] | select(.component == "api" and .state == "running")] | length == 1 and .[0].node == $node' >/dev/null; }
eventually "what ran on a killed node runs on another" 60 has_home "$there"
count=$(asked)
eventually "and is reached there, at the same address" 30 has_asked $((count + 50))
bash "$root/packaging/dockerd.sh" start "$work/$dead"
start_agent "$here" "$work/$dead/docker.sock"
eventually "the killed node is back" 40 state_is "$here" ready
eventually "one copy remains" 40 api_on "$there"
copies() { docker -H "unix://$1" ps -q --filter label=app.icos.eu/component=api | wc -l; }
one_copy() { [ $(($(copies "$engine_b") + $(copies "$engine_c"))) = 1 ]; }
eventually "on the engines too" 30 one_copy
equal "the consumer was not restarted for that either" "$before" "$(identity shop)"

# The consumer's agent is replaced: the address is served again.
stop_agent edge-a
start_agent edge-a "$socket"
count=$(asked)
eventually "an agent that was restarted relays at the same address" 30 has_asked $((count + 50))
equal "the consumer runs on" "$before" "$(identity shop)"

sed -e 's/name: shop/name: closed/' -e '/ports:/d' shop.yaml >closed.yaml
icos apply -f closed.yaml >/dev/null
contains "without a published port it waits and says why" communication "$(icos explain closed/web)"
for app in shop closed; do check "delete $app" icos delete $app --wait --timeout 60s; done
eventually "nothing is left on the first engine" 20 nothing_left
finish
