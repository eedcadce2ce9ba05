#!/usr/bin/env bash
# Each bad input gives one clear error with its place and its exit code, and leaves nothing behind.
source "$(dirname "$0")/lib.sh"
start_docker
start_controller
join_node edge-1 "$socket" >/dev/null || exit 1
start_agent edge-1 "$socket"
is_ready() { icos get nodes | grep -qE '^edge-1 +ready'; }
eventually "the node is ready" 10 is_ready
cd "$work" || exit 1

refused() { # name, file, code, text
    local out code
    out=$(icos apply -f "$2" 2>&1); code=$?
    equal "$1: exit code" "$3" "$code"
    contains "$1: place and reason" "$4" "$out"
}
manifest() { # compose body on standard input -> app.yaml
    { printf 'name: app\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\nmanifests:\n  - name: m\n    manifest:\n'; sed 's/^/      /'; } >app.yaml
}
printf 'name: app\ncomponents: [{name: c' >cut.yaml
refused "truncated YAML" cut.yaml 3 "[E001]"
python3 -c 'print("name: app\ncomponents: " + "[" * 200 + "]" * 200)' >deep.yaml
refused "deep YAML" deep.yaml 3 "[E007]"
python3 -c 'print("name: app\ndescription: \"" + "x" * 1100000 + "\"")' >huge.yaml
refused "huge YAML" huge.yaml 3 "[E007]"
printf 'name: app\ncomponents: &a [*a]\n' >cycle.yaml
refused "cyclic alias" cycle.yaml 3 "cycle.yaml:2:"
head -c 2000 /bin/true >binary.yaml
refused "binary" binary.yaml 3 "binary.yaml:"
printf 'services:\n  web:\n    image: busybox:1\n    comand: ls\n' | manifest
refused "unknown compose key" app.yaml 3 'app.yaml:10:11: error:'
contains "the nearest supported key is named" '"command"' "$(icos apply -f app.yaml 2>&1)"
printf 'services:\n  web:\n    image: busybox:1\n    env_file: [x.env]\n' | manifest
refused "env_file" app.yaml 3 "app.yaml:10:21"
printf 'name: app\ncomponents:\n  - {name: a, type: docker, manifests: [{name: m}]}\n  - {name: b, type: kubernetes, manifests: [{name: k}]}\nmanifests:\n  - {name: m, manifest: {services: {s: {image: "busybox:1"}}}}\n  - {name: k, manifest: {apiVersion: v1, kind: Pod, metadata: {name: k}}}\n' >mixed.yaml
refused "mixed engines" mixed.yaml 3 "[E027]"
printf 'name: app\ncomponents:\n  - {name: A_b, type: docker, manifests: [{name: m}]}\nmanifests:\n  - {name: m, manifest: {services: {s: {image: "busybox:1"}}}}\n' >name.yaml
refused "a name that breaks RFC 1123" name.yaml 3 "[E012]"
printf 'services:\n  a: {image: "busybox:1", ports: ["18081:80"]}\n  b: {image: "busybox:1", ports: ["18081:81"]}\n' | manifest
refused "two services claim one host port" app.yaml 3 "18081"
equal "no application was stored" "" "$(icos get apps -o name)"

pending_reason() { # name, text: of application "app"
    eventually "$1" 30 grep_status "$2"
}
grep_status() { icos status app | grep -qF -- "$1"; }
printf 'services:\n  web: {image: "no.registry.invalid/nothing:1"}\n' | manifest
check "an image that does not exist is accepted" icos apply -f app.yaml
pending_reason "and named with its reason" "no.registry.invalid/nothing:1"
check "it can be deleted" icos delete app --wait --timeout 30s

docker_ save busybox:1 | python3 "$root/tests/support/foreign_image.py" foreign:1 arm64 | docker_ load >/dev/null
printf 'services:\n  web: {image: "foreign:1", command: ["/busybox", "sleep", "1000"]}\n' | manifest
check "a wrong-architecture image is accepted" icos apply -f app.yaml
pending_reason "and refused before it is started, with both architectures" "arm64"
check "it can be deleted, too" icos delete app --wait --timeout 30s

printf 'services:\n  web: {image: "busybox:1", command: ["sh", "-c", "exit 3"], restart: always}\n' | manifest
check "a container that exits at once, for ever, is accepted" icos apply -f app.yaml
pending_reason "and shown with its exit code" "code 3"
check "and deleted" icos delete app --wait --timeout 30s
check "no container, network or volume is left" nothing_left

printf 'services:\n  web: {image: "busybox:1", command: ["sleep", "1000"], ports: ["18082:80"]}\n' | manifest
check "an application takes a host port" icos apply -f app.yaml --wait --timeout 30s
sed 's/^name: app/name: rival/' app.yaml >rival.yaml
icos apply -f rival.yaml --wait --timeout 2s >out.txt 2>&1; equal "a second one for the port stays pending" 5 $?
contains "with the port named" 18082 "$(cat out.txt)"
check "delete both" bash -c "true"
icos delete app --wait >/dev/null; icos delete rival --wait >/dev/null

foreign=$(icos node token -o name | sed -E 's/^icos1\.[^.]+/icos1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/')
out=$("$bin/icos-agent" join --controller "127.0.0.1:$tls_port" --token "$foreign" --name x --state-dir "$work/x" --docker-socket "$socket" --no-start 2>&1); code=$?
equal "a foreign token is refused" 1 $code
contains "because the controller is not the one of the token" "certificate" "$out"
check "a refused join leaves no identity" test ! -e "$work/x/identity.json"
expired=$(icos node token --expires 1s -o name); sleep 1.2
out=$("$bin/icos-agent" join --controller "127.0.0.1:$tls_port" --token "$expired" --name x --state-dir "$work/x" --docker-socket "$socket" --no-start 2>&1); code=$?
equal "an expired token is refused" 1 $code
contains "and says so" "[node.token_expired]" "$out"

join_node blind "$work/no-engine.sock" >/dev/null 2>&1
start_agent blind "$work/no-engine.sock"
no_engine() { icos get nodes | grep -qE '^blind +no engine'; }
eventually "a node without an engine is shown as such" 15 no_engine
printf 'log:\n  levle: debug\nlisteners:\n  plain_port: high\n' >wrong.yaml
out=$("$bin/icos-controller" check-config --config wrong.yaml 2>&1); code=$?
equal "check-config ends with 2" 2 $code
contains "it names line and column of an unknown key" "wrong.yaml:2:3" "$out"
contains "and of a wrong value, in the same run" "wrong.yaml:4:" "$out"
finish
