// SPDX-License-Identifier: Apache-2.0
#include "places.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

using namespace icos::descriptor;

namespace {

/// A compose file of one service `s`, its keys given in flow style.
std::string service(std::string_view keys, std::string_view sections = {}) {
    return fmt::format(
        "name: a\ncomponents: [{{name: c, type: docker, manifests: [{{name: m}}]}}]\nmanifests:\n  - name: "
        "m\n    manifest:\n      services:\n        s:\n          image: x\n{}{}",
        keys.empty() ? std::string() : fmt::format("          {}\n", keys),
        sections
    );
}

/// The canonical form of the service, without image and default network.
boost::json::object canonical(const std::string& text) {
    const Parsed parsed = test::parsed(text);
    for (const Diagnostic& diagnostic : parsed.diagnostics) {
        if (diagnostic.severity == Severity::error) FAIL_CHECK(to_line(diagnostic));
    }
    if (!parsed.application) return {};
    boost::json::object object =
        boost::json::parse(parsed.application->components[0].manifests[0].compose).as_object();
    boost::json::object result = object["services"].as_object()["s"].as_object();
    result.stable_erase("image");
    if (result.contains("networks") &&
        result["networks"] == boost::json::object{{"default", boost::json::object()}})
        result.stable_erase("networks");
    return result;
}

struct Spelling {
    std::string_view written;
    std::string_view canonical;
};

void check(const std::vector<Spelling>& spellings, std::string_view sections = {}) {
    for (const Spelling& spelling : spellings) {
        INFO(spelling.written);
        CHECK(
            boost::json::serialize(canonical(service(spelling.written, sections))) ==
            boost::json::serialize(boost::json::parse(spelling.canonical))
        );
    }
}

}  // namespace

TEST_CASE("commands are lists of words", "[descriptor][compose]") {
    check({
        {"command: echo 'a b' \"c $$d\" e\\ f", R"({"command": ["echo", "a b", "c $d", "e f"]})"},
        {"command: [echo, 1, true]", R"({"command": ["echo", "1", "true"]})"},
        {"command: []", R"({"command": []})"},
        {"command: ''", R"({"command": []})"},
        {"command:", "{}"},
        {"entrypoint: /bin/sh -c", R"({"entrypoint": ["/bin/sh", "-c"]})"},
    });
}

TEST_CASE("environments are maps", "[descriptor][compose]") {
    check({
        {"environment: {A: 1, B: yes, C: '', D: a=b}",
         R"({"environment": {"A": "1", "B": "yes", "C": "", "D": "a=b"}})"},
        {"environment: [A=1, 'B=', C=d=e]", R"({"environment": {"A": "1", "B": "", "C": "d=e"}})"},
        {"environment: [A]", R"({"environment": {}})"},
        {"environment: {A: , B: 2}", R"({"environment": {"B": "2"}})"},
    });
    CHECK(test::places(service("environment: {A: , B: 2}")) == std::vector<std::string>{"C101 9:28"});
}

TEST_CASE("ports are one list of mappings", "[descriptor][compose]") {
    check({
        {"ports: ['80']", R"({"ports": [{"target": 80, "protocol": "tcp"}]})"},
        {"ports: [80]", R"({"ports": [{"target": 80, "protocol": "tcp"}]})"},
        {"ports: ['8080:80']", R"({"ports": [{"target": 80, "published": 8080, "protocol": "tcp"}]})"},
        {"ports: [22:22]", R"({"ports": [{"target": 22, "published": 22, "protocol": "tcp"}]})"},
        {"ports: ['0:80']", R"({"ports": [{"target": 80, "protocol": "tcp"}]})"},
        {"ports: ['127.0.0.1:8080:80/udp']",
         R"({"ports": [{"target": 80, "published": 8080, "host_ip": "127.0.0.1", "protocol": "udp"}]})"},
        {"ports: ['127.0.0.1::80']",
         R"({"ports": [{"target": 80, "host_ip": "127.0.0.1", "protocol": "tcp"}]})"},
        {"ports: ['[::1]:80:80']",
         R"({"ports": [{"target": 80, "published": 80, "host_ip": "::1", "protocol": "tcp"}]})"},
        {"ports: ['3000-3001:4000-4001/sctp']",
         R"({"ports": [{"target": 4000, "published": 3000, "protocol": "sctp"}, {"target": 4001, "published": 3001, "protocol": "sctp"}]})"
        },
        {"ports: ['3000-3001']",
         R"({"ports": [{"target": 3000, "protocol": "tcp"}, {"target": 3001, "protocol": "tcp"}]})"},
        {"ports: [{target: 80, published: '8080', host_ip: 127.0.0.1, protocol: udp, mode: host}]",
         R"({"ports": [{"target": 80, "published": 8080, "host_ip": "127.0.0.1", "protocol": "udp"}]})"},
        {"expose: [80, '81/udp', 90-91]",
         R"({"expose": [{"target": 80, "protocol": "tcp"}, {"target": 81, "protocol": "udp"}, {"target": 90, "protocol": "tcp"}, {"target": 91, "protocol": "tcp"}]})"
        },
    });
}

TEST_CASE("mounts are one list, whatever key they came from", "[descriptor][compose]") {
    check(
        {
            {"volumes: [data:/data]",
             R"({"volumes": [{"type": "volume", "source": "data", "target": "/data"}]})"},
            {"volumes: ['data:/data:ro,nocopy']",
             R"({"volumes": [{"type": "volume", "source": "data", "target": "/data", "options": "ro,nocopy"}]})"
            },
            {"volumes: [/srv]", R"({"volumes": [{"type": "volume", "target": "/srv"}]})"},
            {"volumes: ['/etc:/host:ro,rslave']",
             R"({"volumes": [{"type": "bind", "source": "/etc", "target": "/host", "create_host_path": true, "options": "ro,rslave"}]})"
            },
            {"volumes: [{type: bind, source: /etc, target: /host, bind: {propagation: shared, "
             "create_host_path: false}}]",
             R"({"volumes": [{"type": "bind", "long": true, "source": "/etc", "target": "/host", "propagation": "shared", "create_host_path": false}]})"
            },
            {"volumes: [{type: bind, source: /etc, target: /host}]",
             R"({"volumes": [{"type": "bind", "long": true, "source": "/etc", "target": "/host"}]})"},
            {"volumes: [{type: volume, source: data, target: /d, read_only: true, volume: {nocopy: true}}]",
             R"({"volumes": [{"type": "volume", "long": true, "source": "data", "target": "/d", "read_only": true, "nocopy": true}]})"
            },
            {"volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 01777}}]",
             R"({"volumes": [{"type": "tmpfs", "long": true, "target": "/t", "size": 1048576, "mode": 1023}]})"
            },
            {"tmpfs: /run", R"({"volumes": [{"type": "tmpfs", "target": "/run"}]})"},
            {"tmpfs: ['/run:size=64k,mode=1777']",
             R"({"volumes": [{"type": "tmpfs", "target": "/run", "options": "size=64k,mode=1777"}]})"},
        },
        "      volumes: {data: }\n"
    );
}

TEST_CASE("networks and dependencies are maps", "[descriptor][compose]") {
    check(
        {
            {"networks: [front]", R"({"networks": {"front": {}}})"},
            {"networks: {front: {aliases: [web], ipv4_address: 10.0.0.2}, default: }",
             R"({"networks": {"front": {"aliases": ["web"], "ipv4_address": "10.0.0.2"}, "default": {}}})"},
            {"network_mode: host", R"({"network_mode": "host"})"},
        },
        "      networks: {front: }\n"
    );
    const std::string_view other = "        t: {image: y}\n        u: {image: y}\n";
    check(
        {
            {"depends_on: [t]", R"({"depends_on": {"t": {"condition": "service_started", "required": true}}})"
            },
            {"depends_on: {t: , u: {condition: service_healthy, required: false}}",
             R"({"depends_on": {"t": {"condition": "service_started", "required": true}, "u": {"condition": "service_healthy", "required": false}}})"
            },
            {"depends_on: {t: {condition: service_completed_successfully}}",
             R"({"depends_on": {"t": {"condition": "service_completed_successfully", "required": true}}})"},
        },
        other
    );
}

TEST_CASE("a service without networks is on the default one", "[descriptor][compose]") {
    const Parsed parsed = test::parsed(service(""));

    REQUIRE(parsed.application.has_value());
    CHECK(
        parsed.application->components[0].manifests[0].compose ==
        R"({"services":{"s":{"image":"x","networks":{"default":{}}}}})"
    );
}

TEST_CASE("health checks have a list as test and nanoseconds as times", "[descriptor][compose]") {
    check({
        {"healthcheck: {test: curl -f http://x, interval: 1m30s, timeout: 500ms, start_period: 1.5s, "
         "retries: 3}",
         R"({"healthcheck": {"test": ["CMD-SHELL", "curl -f http://x"], "interval_ns": 90000000000, "timeout_ns": 500000000, "start_period_ns": 1500000000, "retries": 3}})"
        },
        {"healthcheck: {test: [CMD, a, b]}", R"({"healthcheck": {"test": ["CMD", "a", "b"]}})"},
        {"healthcheck: {test: [CMD-SHELL, a b]}", R"({"healthcheck": {"test": ["CMD-SHELL", "a b"]}})"},
        {"healthcheck: {test: [NONE]}", R"({"healthcheck": {"test": ["NONE"]}})"},
        {"healthcheck: {disable: true}", R"({"healthcheck": {"test": ["NONE"]}})"},
    });
}

TEST_CASE("restart policies have one spelling", "[descriptor][compose]") {
    check({
        {"restart: 'no'", R"({"restart": "no"})"},
        {"restart: no", R"({"restart": "no"})"},
        {"restart: always", R"({"restart": "always"})"},
        {"restart: on-failure:3", R"({"restart": "on-failure", "restart_max_retries": 3})"},
        {"deploy: {restart_policy: {condition: any}}", R"({"restart": "always"})"},
        {"deploy: {restart_policy: {condition: none}}", R"({"restart": "no"})"},
        {"deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}",
         R"({"restart": "on-failure", "restart_max_retries": 2})"},
    });
}

TEST_CASE("resources are numbers, whichever generation of keys they came from", "[descriptor][compose]") {
    check({
        {"deploy: {replicas: 2, resources: {limits: {cpus: '0.5', memory: 200M, pids: 10}}}",
         R"({"replicas": 2, "limits": {"nano_cpus": 500000000, "memory": 209715200, "pids": 10}})"},
        {"deploy: {resources: {reservations: {cpus: 0.25, memory: 1gb, devices: [{driver: nvidia, count: "
         "all, capabilities: [gpu]}]}}}",
         R"({"reservations": {"nano_cpus": 250000000, "memory": 1073741824, "devices": [{"driver": "nvidia", "count": -1, "capabilities": ["gpu"]}]}})"
        },
        {"deploy: {resources: {reservations: {devices: [{device_ids: ['0'], capabilities: [gpu]}]}}}",
         R"({"reservations": {"devices": [{"device_ids": ["0"], "capabilities": ["gpu"]}]}})"},
        {"cpus: 1.5", R"({"limits": {"nano_cpus": 1500000000}})"},
        {"mem_limit: 64m", R"({"limits": {"memory": 67108864}})"},
        {"mem_limit: 1048576", R"({"limits": {"memory": 1048576}})"},
        {"pids_limit: 5", R"({"limits": {"pids": 5}})"},
        {"cpu_shares: 512", R"({"cpu_shares": 512})"},
        {"memswap_limit: -1", R"({"memswap_limit": -1})"},
        {"memswap_limit: 1g", R"({"memswap_limit": 1073741824})"},
        {"oom_score_adj: -500", R"({"oom_score_adj": -500})"},
        {"oom_kill_disable: true", R"({"oom_kill_disable": true})"},
        {"cpuset: 0-3", R"({"cpuset": "0-3"})"},
        {"device_cgroup_rules: ['c 1:3 mr']", R"({"device_cgroup_rules": ["c 1:3 mr"]})"},
        {"mem_reservation: 1k", R"({"reservations": {"memory": 1024}})"},
        {"scale: 3", R"({"replicas": 3})"},
        {"shm_size: 64Mb", R"({"shm_size": 67108864})"},
    });
}

TEST_CASE("the other keys of a service are carried over", "[descriptor][compose]") {
    check({
        {"labels: {a: 1, b: true, c: }", R"({"labels": {"a": "1", "b": "true", "c": ""}})"},
        {"labels: [a=1, b]", R"({"labels": {"a": "1", "b": ""}})"},
        {"user: 1000:1000", R"({"user": "1000:1000"})"},
        {"working_dir: /srv", R"({"working_dir": "/srv"})"},
        {"hostname: web", R"({"hostname": "web"})"},
        {"domainname: example.org", R"({"domainname": "example.org"})"},
        {"extra_hosts: ['a:10.0.0.1', 'b=host-gateway', 'c:[::1]']",
         R"({"extra_hosts": ["a:10.0.0.1", "b:host-gateway", "c:::1"]})"},
        {"extra_hosts: {a: 10.0.0.1, b: [10.0.0.2, 10.0.0.3]}",
         R"({"extra_hosts": ["a:10.0.0.1", "b:10.0.0.2", "b:10.0.0.3"]})"},
        {"dns: 1.1.1.1", R"({"dns": ["1.1.1.1"]})"},
        {"dns: [1.1.1.1, 8.8.8.8]", R"({"dns": ["1.1.1.1", "8.8.8.8"]})"},
        {"dns_search: example.org", R"({"dns_search": ["example.org"]})"},
        {"dns_opt: [ndots:1]", R"({"dns_opt": ["ndots:1"]})"},
        {"cap_add: [NET_ADMIN]", R"({"cap_add": ["NET_ADMIN"]})"},
        {"cap_drop: [ALL]", R"({"cap_drop": ["ALL"]})"},
        {"privileged: true", R"({"privileged": true})"},
        {"read_only: 'false'", R"({"read_only": false})"},
        {"security_opt: ['no-new-privileges:true']", R"({"security_opt": ["no-new-privileges:true"]})"},
        {"devices: [/dev/video0]",
         R"({"devices": [{"source": "/dev/video0", "target": "/dev/video0", "permissions": "rwm"}]})"},
        {"devices: ['/dev/video0:/dev/cam:r']",
         R"({"devices": [{"source": "/dev/video0", "target": "/dev/cam", "permissions": "r"}]})"},
        {"devices: [{source: /dev/a, target: /dev/b, permissions: rw}]",
         R"({"devices": [{"source": "/dev/a", "target": "/dev/b", "permissions": "rw"}]})"},
        {"sysctls: [net.core.somaxconn=1024]", R"({"sysctls": {"net.core.somaxconn": "1024"}})"},
        {"sysctls: {net.core.somaxconn: 1024}", R"({"sysctls": {"net.core.somaxconn": "1024"}})"},
        {"ulimits: {nproc: 65535, nofile: {soft: 20000, hard: -1}}",
         R"({"ulimits": {"nproc": {"soft": 65535, "hard": 65535}, "nofile": {"soft": 20000, "hard": -1}}})"},
        {"stop_signal: SIGUSR1", R"({"stop_signal": "SIGUSR1"})"},
        {"stop_grace_period: 1m", R"({"stop_grace_period_ns": 60000000000})"},
        {"init: true", R"({"init": true})"},
        {"tty: true", R"({"tty": true})"},
        {"stdin_open: true", R"({"stdin_open": true})"},
        {"group_add: [audio, 1001]", R"({"group_add": ["audio", "1001"]})"},
        {"pid: host", R"({"pid": "host"})"},
        {"ipc: private", R"({"ipc": "private"})"},
        {"userns_mode: host", R"({"userns_mode": "host"})"},
        {"logging: {driver: local, options: {max-size: 10m, max-file: 3}}",
         R"({"logging": {"driver": "local", "options": {"max-size": "10m", "max-file": "3"}}})"},
        {"pull_policy: if_not_present", R"({"pull_policy": "missing"})"},
        {"x-anything: [1, {a: '${UNSET}'}]", "{}"},
    });
}

TEST_CASE("configs and secrets carry their content", "[descriptor][compose]") {
    check(
        {
            {"configs: [c]", R"({"configs": [{"source": "c", "target": "/c"}]})"},
            {"configs: [{source: c, target: /etc/c, uid: '1', gid: '2', mode: 0440}]",
             R"({"configs": [{"source": "c", "target": "/etc/c", "uid": "1", "gid": "2", "mode": 288}]})"},
            {"secrets: [k]", R"({"secrets": [{"source": "k", "target": "/run/secrets/k"}]})"},
            {"secrets: [{source: k, target: other}]",
             R"({"secrets": [{"source": "k", "target": "/run/secrets/other"}]})"},
        },
        "      configs: {c: {content: a$$b}}\n      secrets: {k: {content: s}}\n"
    );
}

TEST_CASE("top-level sections are carried over", "[descriptor][compose]") {
    const Parsed parsed = test::parsed(service(
        "",
        "      networks:\n        n: {driver: bridge, internal: true, labels: [a=b], driver_opts: {x: 1}, "
        "ipam: {config: [{subnet: 10.1.0.0/16, gateway: 10.1.0.1, ip_range: 10.1.1.0/24, aux_addresses: {a: "
        "10.1.0.9}}]}}\n"
        "        e: {external: true, name: shared}\n"
        "      volumes: {v: {driver: local, driver_opts: {type: nfs}, labels: {a: b}}, w: }\n      version: "
        "'3.8'\n      x-more: 1\n"
    ));

    REQUIRE(parsed.application.has_value());
    const auto object =
        boost::json::parse(parsed.application->components[0].manifests[0].compose).as_object();
    CHECK(
        object.at("networks") ==
        boost::json::parse(
            R"({"n": {"driver": "bridge", "driver_opts": {"x": "1"}, "labels": {"a": "b"}, "internal": true,
                               "ipam": {"config": [{"subnet": "10.1.0.0/16", "gateway": "10.1.0.1",
                                                     "ip_range": "10.1.1.0/24", "aux_addresses": {"a": "10.1.0.9"}}]}}, "e": {"external": true, "name": "shared"}})"
        )
    );
    CHECK(
        object.at("volumes") ==
        boost::json::parse(
            R"({"v": {"driver": "local", "driver_opts": {"type": "nfs"}, "labels": {"a": "b"}}, "w": {}})"
        )
    );
    CHECK_FALSE(object.contains("version"));
}

TEST_CASE("anchors and merge keys are resolved, a map's own keys win", "[descriptor][compose]") {
    const std::string text =
        "name: a\ncomponents: [{name: c, type: docker, manifests: [{name: m}]}]\nmanifests:\n  - name: m\n   "
        " manifest:\n"
        "      x-a: &a {restart: always, labels: {k: a}}\n      x-b: &b {restart: 'no', user: b}\n"
        "      services:\n        s:\n          <<: [*a, *b]\n          image: x\n          labels: {k: "
        "own}\n";

    CHECK(
        canonical(text) ==
        boost::json::parse(R"({"restart": "always", "user": "b", "labels": {"k": "own"}})").as_object()
    );
}

TEST_CASE("services keep the order of the text", "[descriptor][compose]") {
    const Parsed parsed = test::parsed(
        "name: a\ncomponents: [{name: c, type: docker, manifests: [{name: m}]}]\nmanifests: [{name: m, "
        "manifest: {services: {z: {image: x}, b: {image: y}, a: {image: x}}}}]\n"
    );

    REQUIRE(parsed.application.has_value());
    CHECK(parsed.application->components[0].services == std::vector<std::string>{"z", "b", "a"});
    CHECK(parsed.application->components[0].images == std::vector<std::string>{"x", "y"});
}
