// SPDX-License-Identifier: Apache-2.0
#include "places.hpp"

#include <catch2/catch.hpp>

using namespace icos::descriptor;
using test::first;
using test::places;
using Places = std::vector<std::string>;

namespace {

/// The keys stand on line 9, column 11.
std::string service(std::string_view keys, std::string_view sections = {}) {
    return fmt::format(
        "name: a\ncomponents: [{{name: c, type: docker, manifests: [{{name: m}}]}}]\nmanifests:\n  - name: "
        "m\n    manifest:\n      services:\n        s:\n          image: x\n          {}\n{}",
        keys,
        sections
    );
}

}  // namespace

TEST_CASE("compose keys that are not supported are refused at the key", "[descriptor][compose]") {
    const std::vector<test::Row> rows{
        {"of a service", "imag: x", {"C001 9:11"}},
        {"a container's name", "container_name: x", {"C001 9:11"}},
        {"of a port", "ports: [{target: 1, app_protocol: http}]", {"C001 9:31"}},
        {"of a mount", "volumes: [{type: tmpfs, target: /a, consistency: cached}]", {"C001 9:47"}},
        {"of a bind", "volumes: [{type: bind, source: /a, target: /b, bind: {selinux: z}}]", {"C001 9:65"}},
        {"of a volume mount", "volumes: [{type: volume, target: /b, volume: {subpath: z}}]", {"C001 9:57"}},
        {"of a health check", "healthcheck: {test: a, start_interval: 1s}", {"C001 9:34"}},
        {"of deploy", "deploy: {mode: global}", {"C001 9:20"}},
        {"of a restart policy", "deploy: {restart_policy: {delay: 5s}}", {"C001 9:37"}},
        {"of limits", "deploy: {resources: {limits: {cpu: 1}}}", {"C001 9:41"}},
        {"of a dependency", "depends_on: {s2: {restart: true}}", {"C001 9:29", "C005 9:24"}},
        {"of logging", "logging: {drivr: x}", {"C001 9:21"}},
        {"of a service's network", "networks: {default: {priority: 1}}", {"C001 9:32"}},
        {"of ulimits", "ulimits: {a: {soft: 1, hard: 1, x: 1}}", {"C001 9:43"}},
    };
    for (const test::Row& row : rows) {
        INFO(row.what);
        Places found = places(service(row.text));
        Places expected = row.expected;
        std::sort(found.begin(), found.end());
        std::sort(expected.begin(), expected.end());
        CHECK(found == expected);
    }
    CHECK(places(service("user: a", "      servics: {}\n")) == Places{"C001 10:7"});
    CHECK(places(service("user: a", "      name: x\n")) == Places{"C001 10:7"});
    CHECK(places(service("user: a", "      networks: {n: {attachable: true}}\n")) == Places{"C001 10:22"});
    CHECK(places(service("user: a", "      volumes: {n: {drivr: x}}\n")) == Places{"C001 10:21"});
    CHECK(first(service("imag: x"), "C001").hint == "did you mean \"image\"?");
    CHECK(first(service("volume: x"), "C001").hint == "did you mean \"volumes\"?");
    CHECK(
        first(service("container_name: x"), "C001").hint ==
        "names of containers are made by the system; remove it"
    );
    CHECK(first(service("imag: x"), "C001").path == "manifests[0].manifest.services.s.imag");
}

TEST_CASE("compose values that do not fit are refused at the value", "[descriptor][compose]") {
    const std::vector<std::string_view> values{
        "command: \"echo 'a\"",
        "environment: x",
        "environment: {A: [1]}",
        "environment: ['=x']",
        "ports: x",
        "ports: ['a:80']",
        "ports: ['70000']",
        "ports: ['8080:80/icmp']",
        "ports: ['1-2:80']",
        "ports: ['5-3']",
        "ports: ['::1:80:80']",
        "ports: ['x.y:80:80']",
        "ports: ['1:2:3:4']",
        "ports: [{published: 80}]",
        "ports: [{target: 0}]",
        "ports: [{target: 80, published: 1-2}]",
        "ports: ['1-2000']",
        "expose: ['80:80']",
        "volumes: [a:/b:/c:d]",
        "volumes: ['/a:/b:z']",
        "volumes: ['/a:b']",
        "volumes: ['a b:/c']",
        "volumes: [/a, /a]",
        "volumes: [{type: npipe, source: a, target: /b}]",
        "volumes: [{type: tmpfs, source: a, target: /b}]",
        "volumes: [{type: bind, target: /b}]",
        "volumes: [{type: volume, target: /b, bind: {propagation: shared}}]",
        "volumes: [{target: /b}]",
        "tmpfs: '/run:noexec'",
        "tmpfs: run",
        "networks: 5",
        "network_mode: bridge",
        "depends_on: 5",
        "depends_on: {s2: {condition: healthy}}",
        "healthcheck: {test: [a, b]}",
        "healthcheck: {test: [CMD]}",
        "healthcheck: {interval: 5}",
        "healthcheck: {interval: 5 s}",
        "healthcheck: {interval: ''}",
        "healthcheck: {retries: -1}",
        "healthcheck: {test: a, disable: true}",
        "restart: sometimes",
        "restart: always:3",
        "restart: on-failure:x",
        "deploy: {replicas: many}",
        "deploy: {restart_policy: {condition: any, max_attempts: 3}}",
        "deploy: {resources: {limits: {memory: 5q}}}",
        "deploy: {resources: {limits: {cpus: 0}}}",
        "deploy: {resources: {reservations: {devices: [{count: 1}]}}}",
        "deploy: {resources: {reservations: {devices: [{count: 1, device_ids: [a], capabilities: [gpu]}]}}}",
        "labels: {app.icos.eu/name: x}",
        "labels: [icos.eu/target=x]",
        "labels: 5",
        "extra_hosts: [a]",
        "cap_add: NET_ADMIN",
        "privileged: yes",
        "devices: [video0]",
        "devices: ['/dev/a:/dev/b:x']",
        "ulimits: {nofile: {soft: 1}}",
        "ulimits: {nofile: x}",
        "shm_size: big",
        "stop_grace_period: 10",
        "init: 1",
        "pid: service:x",
        "ipc: x",
        "pull_policy: daily",
        "logging: x",
        "user: [a]",
        "<<: 5",
    };
    for (const std::string_view value : values) {
        INFO(value);
        const Diagnostic error = first(service(value), "C002");
        CHECK(error.severity == Severity::error);
        CHECK(error.line == 9);
        CHECK(error.column > 11);
    }
    CHECK(places(service("network_mode: host\n          networks: [default]")) == Places{"C002 9:11"});
    CHECK(
        places(service("mem_limit: 1m\n          deploy: {resources: {limits: {memory: 2m}}}")) ==
        Places{"C002 10:49"}
    );
    CHECK(
        places(service("restart: always\n          deploy: {restart_policy: {condition: any}}")) ==
        Places{"C002 10:36"}
    );
    CHECK(places(service("user: a", "        'a b': {image: x}\n")) == Places{"C002 10:9"});
}

TEST_CASE("interpolation needs defaults, for there is no environment", "[descriptor][compose]") {
    CHECK(places(service("user: ${USER_ID:-1000}")) == Places{});
    CHECK(places(service("user: ${USER_ID}")) == Places{"C003 9:17"});
    CHECK(places(service("command: [a, $X]")) == Places{"C003 9:24"});
    CHECK(first(service("user: ${USER_ID}"), "C003").hint == "set a default: ${USER_ID:-...}");
    CHECK(first(service("user: ${USER_ID:?who}"), "C003").message == "\"${USER_ID:?who}\": USER_ID: who");
}

TEST_CASE("files that are not part of the descriptor are refused", "[descriptor][compose]") {
    CHECK(places(service("env_file: .env")) == Places{"C004 9:21"});
    CHECK(places(service("build: .")) == Places{"C004 9:18"});
    CHECK(places(service("volumes: [./a:/b]")) == Places{"C004 9:21"});
    CHECK(places(service("volumes: ['~/a:/b']")) == Places{"C004 9:21"});
    CHECK(places(service("user: a", "      configs: {c: {file: ./x}}\n")) == Places{"C004 10:27"});
    CHECK(places(service("user: a", "      secrets: {c: {environment: X}}\n")) == Places{"C004 10:34"});
    CHECK(places(service("user: a", "      secrets: {c: {external: true}}\n")) == Places{"C004 10:31"});
    CHECK(places(service("user: a", "      secrets: {c: {}}\n")) == Places{"C002 10:20"});
}

TEST_CASE("references must lead somewhere", "[descriptor][compose]") {
    CHECK(places(service("volumes: [data:/data]")) == Places{"C005 9:21"});
    CHECK(places(service("networks: [front]")) == Places{"C005 9:22"});
    CHECK(places(service("networks: {front: }")) == Places{"C005 9:22"});
    CHECK(places(service("configs: [c]")) == Places{"C005 9:21"});
    CHECK(places(service("secrets: [{source: c}]")) == Places{"C005 9:30"});
    CHECK(places(service("depends_on: [t]")) == Places{"C005 9:24"});
    CHECK(
        first(service("volumes: [dta:/data]", "      volumes: {data: }\n"), "C005").hint ==
        "did you mean \"data\"?"
    );
}

TEST_CASE("a cycle of dependencies is refused once", "[descriptor][compose]") {
    const std::string text = service(
        "depends_on: [t]", "        t: {image: x, depends_on: [u]}\n        u: {image: x, depends_on: [s]}\n"
    );

    CHECK(places(text) == Places{"C006 11:36"});
    CHECK(first(text, "C006").message == "depends_on: s -> t -> u -> s is a cycle");
    CHECK(places(service("depends_on: [s]")) == Places{"C006 9:24"});
}

TEST_CASE("one host port has one owner, across services and components", "[descriptor][compose]") {
    const auto two = [](std::string_view a, std::string_view b) {
        return fmt::format(
            "name: a\ncomponents:\n  - {{name: c, type: docker, manifests: [{{name: m}}]}}\n  - {{name: d, "
            "type: docker, manifests: [{{name: n}}]}}\nmanifests:\n"
            "  - {{name: m, manifest: {{services: {{s: {{image: x, ports: ['{}']}}}}}}}}\n  - {{name: n, "
            "manifest: {{services: {{t: {{image: x, ports: ['{}']}}}}}}}}\n",
            a,
            b
        );
    };

    CHECK(places(two("80:80", "80:81")) == Places{"C007 7:59"});
    CHECK(first(two("80:80", "80:81"), "C007").related.at(0).line == 6);
    CHECK(places(two("127.0.0.1:80:80", "80:80")) == Places{"C007 7:59"});
    CHECK(places(two("127.0.0.1:80:80", "127.0.0.2:80:80")) == Places{});
    CHECK(places(two("80:80/udp", "80:80")) == Places{});
    CHECK(places(two("80", "80")) == Places{});
    CHECK(places(two("80-90:80-90", "90:1")) == Places{"C007 7:59"});
    CHECK(places(service("ports: ['80:80', '80:81']")) == Places{"C007 9:28"});
    CHECK(places(service("ports: ['80:80']\n          deploy: {replicas: 2}")) == Places{"C007 9:19"});
}

TEST_CASE("ranges of ports count against the limit of nodes", "[descriptor][compose]") {
    std::string services;
    for (int i = 0; i < 20; ++i) services += fmt::format("        t{}: {{image: x, expose: [1-1000]}}\n", i);

    CHECK(places(service("user: a", services)) == Places{"E007 20:34"});
}

TEST_CASE("a service needs an image", "[descriptor][compose]") {
    CHECK(places(service("user: a", "        t: {user: b}\n")) == Places{"C008 10:13"});
    CHECK(places(service("user: a", "        t:\n")) == Places{"C008 10:11"});
    CHECK(places(service("user: a", "        t: {image: }\n")) == Places{"C008 10:13"});
}

TEST_CASE("services of one component have different names", "[descriptor][compose]") {
    CHECK(
        places("name: a\ncomponents: [{name: c, type: docker, manifests: [{name: m}, {name: "
               "n}]}]\nmanifests:\n  - {name: m, manifest: {services: {s: {image: x}}}}\n"
               "  - {name: n, manifest: {services: {s: {image: x}}}}\n") == Places{"C009 5:37"}
    );
}
