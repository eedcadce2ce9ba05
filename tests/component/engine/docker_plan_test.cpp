// SPDX-License-Identifier: Apache-2.0
#include "docker_fixture.hpp"

using namespace icos;
using namespace icos::agent;
using icos::test::DockerFixture;

namespace {

/// Creates and starts everything of a plan, in its order; returns the containers' ids by service.
std::map<std::string, std::string> carry_out(DockerFixture& docker, const PlacementPlan& plan) {
    Engine& engine = docker.engine();
    for (const NetworkPlan& network : plan.networks)
        docker.ok(engine.create_network(network.name, network.body));
    for (const VolumePlan& volume : plan.volumes) docker.ok(engine.create_volume(volume.name, volume.body));
    std::map<std::string, std::string> ids;
    for (const ContainerPlan& container : plan.containers) {
        const std::string id = docker.ok(engine.create_container(container.name, container.body));
        for (const NetworkAttachment& more : container.more_networks) {
            docker.ok(engine.connect_network(more.network, id, more.endpoint));
        }
        if (!container.files.empty()) {
            const auto tar = make_tar(container.files);
            REQUIRE(tar.has_value());
            docker.ok(engine.put_archive(id, "/", *tar));
        }
        docker.ok(engine.start(id));
        ids[container.service] = id;
    }
    return ids;
}

DesiredPlacement placement_of(const DockerFixture& docker, std::string component, std::string compose) {
    DesiredPlacement out;
    out.placement = {"p-" + component};
    out.app_id = {"12345678-0000-4000-8000-00000000000" + docker.tag().substr(0, 1)};
    out.app = "app" + docker.tag();
    out.component = std::move(component);
    out.digest = "d1";
    out.environment = {{"ICOS_APP_COMPONENT", out.component}};
    out.manifests = {{"m", std::move(compose)}};
    return out;
}

}  // namespace

TEST_CASE(
    "a planned application runs: names resolve, ports answer, files, limits and volumes are there",
    "[docker][plan]"
) {
    DockerFixture docker;
    const std::string label = R"("labels":{"icos.test":")" + docker.tag() + "\"}";
    const std::string networks = R"("networks":{"default":{)" + label + R"(},"back":{)" + label + "}}";
    const auto web = plan_placement(
        placement_of(
            docker,
            "front",
            R"({"services":{"web":{"image":"busybox:1","command":["sh","-c","cp /page.html /www/index.html; exec httpd -f -p 80 -h /www"],
                "ports":[{"target":80,"host_ip":"127.0.0.1","protocol":"tcp"}],"configs":[{"source":"page","target":"/page.html"}],
                "limits":{"memory":33554432,"nano_cpus":500000000,"pids":50},"networks":{"default":{},"back":{}},
                "ulimits":{"nofile":{"soft":128,"hard":256}},"sysctls":{"net.core.somaxconn":"99"},"init":true,
                "volumes":[{"type":"volume","source":"data","target":"/data"},{"type":"tmpfs","long":true,"target":"/t","size":65536}],)" +
                label + R"(}},"configs":{"page":{"content":"planned"}},"volumes":{"data":{)" + label + "}}," +
                networks + "}"
        ),
        "node-1"
    );
    const auto client = plan_placement(
        placement_of(
            docker,
            "back",
            R"({"services":{"client":{"image":"busybox:1","command":["sleep","60"],)" + label + R"(}},)" +
                networks + "}"
        ),
        "node-1"
    );
    REQUIRE(web.has_value());
    REQUIRE(client.has_value());

    const auto front = carry_out(docker, *web);
    const auto back = carry_out(docker, *client);

    const std::string fetch =
        "for i in $(seq 50); do wget -qO- http://web.front/ && exit 0; sleep 0.1; done; exit 1";
    CHECK(docker.exec(back.at("client"), {"sh", "-c", fetch}).out == "planned");
    CHECK(docker.exec(back.at("client"), {"wget", "-qO-", "http://web/"}).out == "planned");
    const ContainerState state = docker.ok(docker.engine().inspect(front.at("web")));
    REQUIRE(state.ports.size() == 1);
    CHECK(state.ports[0].starts_with("127.0.0.1:"));
    CHECK(state.ports[0].ends_with("->80/tcp"));
    CHECK(state.network_ips.size() == 2);
    CHECK_FALSE(state.network_ips.at(web->application_network).empty());
    CHECK(
        docker
            .exec(
                front.at("web"),
                {"sh",
                 "-c",
                 "awk '/open files/ { print $4, $5 }' /proc/1/limits; echo $ICOS_APP_COMPONENT; cat "
                 "/proc/sys/net/core/somaxconn"}
            )
            .out == "128 256\nfront\n99\n"
    );
    CHECK(
        docker
            .exec(
                front.at("web"),
                {"sh", "-c", "grep -c ' /data ' /proc/mounts; grep ' /t ' /proc/mounts | grep -c tmpfs"}
            )
            .out == "1\n1\n"
    );
    const auto mine = docker.ok(docker.engine().containers(placement_labels({"p-front"}, "node-1")));
    REQUIRE(mine.size() == 1);
    CHECK(mine[0].id == front.at("web"));
}

TEST_CASE("a published port answers on the host", "[docker][plan]") {
    DockerFixture docker;
    const std::string label = R"("labels":{"icos.test":")" + docker.tag() + "\"}";
    const auto plan = plan_placement(
        placement_of(
            docker,
            "front",
            R"({"services":{"web":{"image":"busybox:1","command":["sh","-c","echo hi >/www/index.html; exec httpd -f -p 80 -h /www"],
                "ports":[{"target":80,"host_ip":"127.0.0.1","protocol":"tcp"}],)" +
                label + R"(},"caller":{"image":"busybox:1","network_mode":"host","command":["sleep","60"],)" +
                label + R"(}},"networks":{"default":{)" + label + "}}}"
        ),
        "node-1"
    );
    REQUIRE(plan.has_value());

    const auto ids = carry_out(docker, *plan);

    const std::string port = docker.ok(docker.engine().inspect(ids.at("web"))).ports.at(0);
    const std::string address = port.substr(0, port.find("->"));
    const std::string fetch =
        "for i in $(seq 50); do wget -qO- http://" + address + "/ && exit 0; sleep 0.1; done; exit 1";
    CHECK(docker.exec(ids.at("caller"), {"sh", "-c", fetch}).out == "hi\n");
}
