#!/usr/bin/env bash
# Secrets of an application and of a registry: the container reads them, and nothing else that is kept, shown or logged holds
# them; they are there again after the node lost its memory; a changed one restarts its component alone.
source "$(dirname "$0")/lib.sh"
start_docker
start_controller
join_node edge-1 "$socket" >/dev/null || exit 1
start_agent edge-1 "$socket"

docker_ save busybox:1 >"$work/busybox.tar"
python3 "$root/tests/support/registry.py" "$work/busybox.tar" "$work/ports" &
extra_pids=($!)
for _ in $(seq 100); do [ -s "$work/ports" ] && break; sleep 0.1; done
read -r _ private <"$work/ports"

secret="value-$(head -c 12 /dev/urandom | base64 | tr -dc 'A-Za-z0-9')"
password=secret  # of the test registry, too common a word to look for
mkdir "$work/in"; cd "$work/in" || exit 1
printf '%s' "$secret" >db.txt
cat >vault.yaml <<Y
name: vault
components:
  - {name: reader, type: docker, manifests: [{name: reader}]}
  - {name: puller, type: docker, manifests: [{name: puller}], x-icos: {registryCredentials: [site]}}
manifests:
  - name: reader
    manifest:
      services:
        reader:
          image: busybox:1
          command: ["sh", "-c", "cat /run/secrets/db >/dev/null && exec sleep 100000"]
          secrets: [{source: db, mode: 0400}]
          restart: unless-stopped
          stop_grace_period: 0s
      secrets: {db: {file: ./db.txt}}
  - name: puller
    manifest:
      services:
        puller: {image: "127.0.0.1:$private/open/web:1", command: [sleep, "100000"], restart: unless-stopped, stop_grace_period: 0s}
Y
refused=$(icos apply -f vault.yaml 2>&1)
contains "a credential that is not stored is named, with what to do" "icos credential set site" "$refused"
echo "$password" >password.txt
check "a registry credential is stored" icos credential set site --registry "127.0.0.1:$private" --username me --password-file password.txt
check "an application with a secret and an image of a private registry runs" icos apply -f vault.yaml --wait --timeout 90s
equal "the container reads the secret" "$secret" "$(icos exec vault/reader -- cat /run/secrets/db)"
equal "with the mode that was asked for" "400" "$(icos exec vault/reader -- stat -L -c %a /run/secrets/db)"
check "it cannot write it" bash -c "! '$bin/icos' --controller unix://$work/controller/controller.sock exec vault/reader -- sh -c 'echo x >/run/secrets/db' 2>/dev/null"

absent() { # name, paths…
    local name=$1; shift
    equal "$name" "" "$(grep -rlaF -- "$secret" "$@" 2>/dev/null)"
}
check "it stops" icos stop vault --wait --timeout 60s
runs() { icos get nodes | grep -qE '^edge-1 +ready' && [ "$(icos get app vault -o json | jq -r .state)" = running ]; }
check "and starts again" icos start vault --wait --timeout 60s
absent "nothing of it is in the controller's data directory" "$work/controller"
absent "nor in the node's state" "$work/edge-1"
absent "nor on the engine's disk" "$work/docker"
absent "nor in a log" "$work/controller.log" "$work/edge-1.log"
shown=$(icos get apps -o yaml; icos get app vault -o yaml; icos get app vault -o json; icos get app vault --descriptor
    icos get components -o yaml; icos get placements -o yaml; icos events -o json; icos rollout history vault --generation 1
    icos describe app vault; icos plan -f vault.yaml; icos get credentials -o yaml; icos explain vault/reader
    curl -s "http://127.0.0.1:$plain_port/metrics"; docker_ ps -aq | xargs docker -H "unix://$socket" inspect)
equal "nor in anything that is shown" "" "$(grep -F -- "$secret" <<<"$shown")"
contains "a masked value stands in its place" '**masked**' "$(icos get app vault --descriptor)"
contains "an administrator may read it" "$secret" "$(icos get app vault -o yaml --reveal)"
contains "and that is recorded" "app.revealed" "$(icos events --app vault -o json)"
check "a support bundle is written" icos support-bundle "$work/bundle.tar"
absent "without the secret" "$work/bundle.tar"
contains "with the masked descriptor" '**masked**' "$(tar xOf "$work/bundle.tar" descriptors/vault.yaml)"
icos get app vault --descriptor >masked.yaml
icos apply -f masked.yaml >/dev/null 2>masked.err; code=$?
equal "a masked text is refused as an invalid descriptor" 3 $code
contains "at its place" "C011" "$(cat masked.err)"
equal "credentials are listed without their passwords" "" "$(icos get credentials -o json | grep password)"
check "one that is in use stays" bash -c "! '$bin/icos' --controller unix://$work/controller/controller.sock credential rm site 2>/dev/null"

of_component() { docker_ ps -q --no-trunc --filter "label=app.icos.eu/component=$1" | xargs -r docker -H "unix://$socket" inspect -f '{{.Id}} {{.State.StartedAt}}'; }
before=$(of_component reader; of_component puller)
stop_agent edge-1 KILL; start_agent edge-1 "$socket"
kill -TERM "$controller_pid"; wait "$controller_pid" 2>/dev/null; start_controller
eventually "controller and agent know it after their restarts" 30 runs
equal "which restarted nothing" "$before" "$(of_component reader; of_component puller)"
check "the same text is unchanged" bash -c "'$bin/icos' --controller unix://$work/controller/controller.sock apply -f vault.yaml | grep -q unchanged"

# The node loses its memory, as at a reboot, and the controller is away.
kill -9 "$controller_pid"; wait "$controller_pid" 2>/dev/null
stop_agent edge-1 KILL
bash "$root/packaging/dockerd.sh" stop "$work/docker"
rm -rf "$secrets_dir/edge-1"
bash "$root/packaging/dockerd.sh" start "$work/docker"
equal "without its secret the container is not started" "" "$(of_component reader)"
start_agent edge-1 "$socket"
reads() { [ "$(docker_ ps -q --filter label=app.icos.eu/component=reader | xargs -r -I{} docker -H "unix://$socket" exec {} cat /run/secrets/db)" = "$secret" ]; }
eventually "without a controller, the agent brings the secret back and the container reads it" 60 reads
stop_agent edge-1 KILL
bash "$root/packaging/dockerd.sh" stop "$work/docker"
rm -rf "$secrets_dir/edge-1"
check "icos-agent prepare makes the files before the engine" "$bin/icos-agent" prepare --state-dir "$work/edge-1" --secrets-dir "$secrets_dir/edge-1"
bash "$root/packaging/dockerd.sh" start "$work/docker"
eventually "so that the engine starts the container by itself" 20 reads
start_agent edge-1 "$socket"
start_controller
eventually "the controller sees it running" 30 runs

puller=$(of_component puller); reader=$(of_component reader)
secret="changed-$secret"; printf '%s' "$secret" >db.txt
check "a changed secret is applied" icos apply -f vault.yaml --wait --timeout 60s
eventually "the container reads the new one" 30 reads
equal "the other component was not restarted" "$puller" "$(of_component puller)"
equal "the reading one was" no "$([ "$reader" = "$(of_component reader)" ] && echo yes || echo no)"
equal "one file of one generation is left" 1 "$(find "$secrets_dir/edge-1" -type f | wc -l)"

chmod 644 "$work/controller/seal.key"
kill -TERM "$controller_pid"; wait "$controller_pid" 2>/dev/null
refusal=$("$bin/icos-controller" run --data-dir "$work/controller" 2>&1); code=$?
equal "a key that others may read is refused" 1 $code
contains "with what to do" "chmod 600" "$refusal"
mv "$work/controller/seal.key" "$work/kept.key"
refusal=$("$bin/icos-controller" run --data-dir "$work/controller" 2>&1)
contains "without its key a controller does not start, and makes no new one" "restore it from a backup" "$refusal"
check "none was made" test ! -e "$work/controller/seal.key"
mv "$work/kept.key" "$work/controller/seal.key"; chmod 600 "$work/controller/seal.key"
start_controller
check "with it everything is there" icos status vault
check "it can be deleted" icos delete vault --wait --timeout 60s
equal "and no file of a secret is left" 0 "$(find "$secrets_dir" -type f 2>/dev/null | wc -l)"
check "the credential is free now" icos credential rm site
finish
