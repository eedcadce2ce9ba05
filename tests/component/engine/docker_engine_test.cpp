// SPDX-License-Identifier: Apache-2.0
#include "docker_fixture.hpp"

#include <boost/json/parse.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace icos;
using namespace icos::agent;
using icos::test::DockerFixture;

namespace {

/// A listener on a port that the system chose; closed with the object.
class Listener {
public:
    Listener() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(socket_, generic, size) == 0);
        REQUIRE(::listen(socket_, 1) == 0);
        REQUIRE(::getsockname(socket_, generic, &size) == 0);
        port_ = ntohs(address.sin_port);
    }
    ~Listener() { ::close(socket_); }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    std::string port() const { return std::to_string(port_); }

private:
    int socket_;
    std::uint16_t port_ = 0;
};

}  // namespace

TEST_CASE("an engine says what it is", "[docker]") {
    DockerFixture docker;

    const EngineInfo info = docker.ok(docker.engine().info());

    CHECK(info.kind == "docker");
    CHECK_FALSE(info.version.empty());
    CHECK(info.api_version >= "1.40");
    CHECK((info.architecture == "x86_64" || info.architecture == "arm64"));
    CHECK_FALSE(info.id.empty());
    CHECK(docker.ok(docker.engine().info()).id == info.id);
}

TEST_CASE("a container lives through created, running, exited and gone", "[docker]") {
    DockerFixture docker;
    Engine& engine = docker.engine();
    const std::string id =
        docker.created("life", docker.body("trap 'exit 7' TERM; while :; do sleep 0.1; done"));

    CHECK(docker.ok(engine.inspect(id)).state == "created");
    docker.ok(engine.start(id));
    docker.ok(engine.start(id));
    const ContainerState running = docker.ok(engine.inspect(id));
    CHECK(running.state == "running");
    CHECK(running.started_ms > 0);
    CHECK(running.name == docker.name("life"));
    docker.ok(engine.rename(id, docker.name("renamed")));
    docker.ok(engine.stop(id, Duration(5'000)));
    docker.ok(engine.stop(id, Duration(5'000)));
    const ContainerState exited = docker.ok(engine.inspect(id));
    CHECK(exited.state == "exited");
    CHECK(exited.exit_code == 7);
    CHECK(exited.name == docker.name("renamed"));
    docker.ok(engine.remove_container(id));
    docker.ok(engine.remove_container(id));
    const auto gone = docker.run(engine.inspect(id));
    REQUIRE(gone.has_error());
    CHECK(gone.error().code == engine_errc::not_found);
}

TEST_CASE("only containers with all labels are listed, stopped ones too", "[docker]") {
    DockerFixture docker;
    for (int i = 0; i < 12; ++i) docker.created("many" + std::to_string(i), docker.body("true"));

    const auto mine = docker.ok(docker.engine().containers(docker.labels()));
    const auto none = docker.ok(docker.engine().containers({{"icos.test", docker.tag()}, {"other", ""}}));

    CHECK(mine.size() == 12);
    CHECK(none.empty());
    CHECK(mine.front().labels.at("icos.test") == docker.tag());
}

TEST_CASE("a running container is removed with its anonymous volumes", "[docker]") {
    DockerFixture docker;
    auto body = docker.body("sleep 60");
    body["Volumes"] = boost::json::parse(R"({"/data":{}})");
    const auto before = docker.ok(docker.engine().volumes({}));
    const std::string id = docker.created("anonymous", std::move(body));
    docker.ok(docker.engine().start(id));
    CHECK(docker.ok(docker.engine().volumes({})).size() == before.size() + 1);

    docker.ok(docker.engine().remove_container(id));

    CHECK(docker.ok(docker.engine().volumes({})).size() == before.size());
}

TEST_CASE("health is told as the engine sees it", "[docker]") {
    DockerFixture docker;
    auto body = docker.body("touch /tmp/ok; sleep 60");
    body["Healthcheck"] = boost::json::parse(
        R"({"Test":["CMD","test","-f","/tmp/ok"],"Interval":200000000,"Timeout":1000000000,"Retries":1})"
    );
    const std::string id = docker.created("health", std::move(body));
    docker.ok(docker.engine().start(id));

    CHECK(
        docker.until(id, [](const ContainerState& s) { return s.health != "starting"; }).health == "healthy"
    );
    docker.exec(id, {"rm", "/tmp/ok"});
    CHECK(
        docker.until(id, [](const ContainerState& s) { return s.health != "healthy"; }).health == "unhealthy"
    );
}

TEST_CASE("a port that something else listens on is a taken port", "[docker]") {
    DockerFixture docker;
    const Listener taken;
    boost::json::object network;
    network["Labels"] = boost::json::object{{"icos.test", docker.tag()}};
    docker.ok(docker.engine().create_network(docker.name("net"), std::move(network)));
    auto body = docker.body("sleep 60");
    boost::json::object host;
    host["NetworkMode"] = docker.name("net");
    host["PortBindings"] =
        boost::json::parse(R"({"80/tcp":[{"HostIp":"127.0.0.1","HostPort":")" + taken.port() + "\"}]}");
    body["HostConfig"] = std::move(host);
    body["ExposedPorts"] = boost::json::parse(R"({"80/tcp":{}})");
    const std::string id = docker.created("taken", std::move(body));

    const auto started = docker.run(docker.engine().start(id));

    REQUIRE(started.has_error());
    CHECK(started.error().code == engine_errc::port_taken);
    CHECK(started.error().detail.find(taken.port()) != std::string::npos);
}

TEST_CASE("a name that is taken is a conflict", "[docker]") {
    DockerFixture docker;
    docker.created("twice", docker.body("true"));

    const auto again =
        docker.run(docker.engine().create_container(docker.name("twice"), docker.body("true")));

    REQUIRE(again.has_error());
    CHECK(again.error().code == engine_errc::conflict);
    CHECK(again.error().detail.find(docker.name("twice")) != std::string::npos);
}

TEST_CASE("a container of an image that is not there is refused with the image", "[docker]") {
    DockerFixture docker;
    auto body = docker.body("true");
    body["Image"] = "ghost:404";

    const auto created = docker.run(docker.engine().create_container(docker.name("ghost"), std::move(body)));

    REQUIRE(created.has_error());
    CHECK(created.error().code == engine_errc::image_not_found);
    CHECK(created.error().detail.find("ghost:404") != std::string::npos);
}

TEST_CASE("a program that is not in the image is the engine's refusal", "[docker]") {
    DockerFixture docker;
    auto body = docker.body("");
    body["Cmd"] = boost::json::array{"/no/such/program"};
    const std::string id = docker.created("noprogram", std::move(body));

    const auto started = docker.run(docker.engine().start(id));

    REQUIRE(started.has_error());
    CHECK(started.error().code == engine_errc::refused);
    CHECK(started.error().detail.find("/no/such/program") != std::string::npos);
}

TEST_CASE("an image is found by its reference or told to be absent", "[docker]") {
    DockerFixture docker;

    const ImageState image = docker.ok(docker.engine().image("busybox:1"));
    const auto absent = docker.run(docker.engine().image("ghost:404"));

    CHECK(image.id.starts_with("sha256:"));
    CHECK(image.architecture == docker.ok(docker.engine().info()).architecture);
    REQUIRE(absent.has_error());
    CHECK(absent.error().code == engine_errc::image_not_found);
}

TEST_CASE("a registry that does not answer is named", "[docker]") {
    DockerFixture docker;

    const auto pulled = docker.run(docker.engine().pull("localhost:1/demo/web:1", "", {}));

    REQUIRE(pulled.has_error());
    CHECK(pulled.error().code == engine_errc::failed);
    CHECK(pulled.error().detail.find("localhost:1") != std::string::npos);
    CHECK(pulled.error().hint.find("registry") != std::string::npos);
}

TEST_CASE("networks are made once and only by their owner", "[docker]") {
    DockerFixture docker;
    Engine& engine = docker.engine();
    const auto body = [&](const std::string& app) {
        boost::json::object labels;
        labels["icos.test"] = docker.tag();
        labels["app.icos.eu/name"] = app;
        boost::json::object out;
        out["CheckDuplicate"] = true;
        out["Labels"] = std::move(labels);
        return out;
    };

    docker.ok(engine.create_network(docker.name("net"), body("one")));
    docker.ok(engine.create_network(docker.name("net"), body("one")));
    const auto stolen = docker.run(engine.create_network(docker.name("net"), body("two")));

    REQUIRE(stolen.has_error());
    CHECK(stolen.error().code == engine_errc::conflict);
    CHECK(docker.ok(engine.networks(docker.labels())) == std::vector<std::string>{docker.name("net")});
    docker.ok(engine.remove_network(docker.name("net")));
    docker.ok(engine.remove_network(docker.name("net")));
}

TEST_CASE("a network in use stays", "[docker]") {
    DockerFixture docker;
    Engine& engine = docker.engine();
    boost::json::object network;
    network["Labels"] = boost::json::object{{"icos.test", docker.tag()}};
    docker.ok(engine.create_network(docker.name("busy"), network));
    auto body = docker.body("sleep 60");
    body["HostConfig"].as_object()["NetworkMode"] = docker.name("busy");
    docker.ok(engine.start(docker.created("user", std::move(body))));

    const auto removed = docker.run(engine.remove_network(docker.name("busy")));

    REQUIRE(removed.has_error());
    CHECK(removed.error().code == engine_errc::conflict);
}

TEST_CASE("a volume keeps its data and its owner", "[docker]") {
    DockerFixture docker;
    Engine& engine = docker.engine();
    const auto body = [&](const std::string& app) {
        boost::json::object labels;
        labels["icos.test"] = docker.tag();
        labels["app.icos.eu/name"] = app;
        boost::json::object out;
        out["Labels"] = std::move(labels);
        return out;
    };

    docker.ok(engine.create_volume(docker.name("v"), body("one")));
    docker.ok(engine.create_volume(docker.name("v"), body("one")));
    const auto stolen = docker.run(engine.create_volume(docker.name("v"), body("two")));

    REQUIRE(stolen.has_error());
    CHECK(stolen.error().code == engine_errc::conflict);
    CHECK(docker.ok(engine.volumes(docker.labels())) == std::vector<std::string>{docker.name("v")});
    docker.ok(engine.remove_volume(docker.name("v")));
    docker.ok(engine.remove_volume(docker.name("v")));
}

TEST_CASE(
    "files are in a container before it starts, with owner and mode, below folders that others can enter",
    "[docker]"
) {
    DockerFixture docker;
    auto body = docker.body("stat -c '%a %u %g' /run/secrets/key /etc/app/a.conf; cat /etc/app/a.conf");
    body["User"] = "65534";
    const std::string id = docker.created("files", std::move(body));
    const auto tar = make_tar({{"/run/secrets/key", "s3cret", 0400, 65534, 0}, {"/etc/app/a.conf", "a=1\n"}});
    REQUIRE(tar.has_value());

    docker.ok(docker.engine().put_archive(id, "/", *tar));
    docker.ok(docker.engine().start(id));

    CHECK(docker.until(id, [](const ContainerState& s) { return s.state == "exited"; }).exit_code == 0);
}

TEST_CASE("events tell what happens to labelled containers and to no others", "[docker]") {
    DockerFixture docker;
    Engine& engine = docker.engine();
    auto stream = docker.ok(engine.events(docker.labels()));
    auto foreign = docker.body("true");
    foreign.erase("Labels");
    const std::string other = docker.created("foreign", std::move(foreign));
    docker.ok(engine.remove_container(other));
    const std::string id = docker.started("seen", "exit 3");

    std::vector<std::string> actions;
    std::string exit_code;
    while (actions.empty() || actions.back() != "die") {
        const auto event = docker.ok(stream->next());
        REQUIRE(event.has_value());
        CHECK(event->id == id);
        CHECK(event->type == "container");
        CHECK(event->at_ms > 0);
        actions.push_back(event->action);
        if (event->action == "die") exit_code = event->attributes.at("exitCode");
    }

    CHECK(actions == std::vector<std::string>{"create", "start", "die"});
    CHECK(exit_code == "3");
}

TEST_CASE("an engine that is not there is unreachable with what to do", "[docker]") {
    DockerFixture docker;
    const auto engine = make_docker_engine(docker.runtime(), "/nonexistent/docker.sock");

    const auto info = docker.run(engine->info());

    REQUIRE(info.has_error());
    CHECK(info.error().code == engine_errc::unreachable);
    CHECK(info.error().detail.find("/nonexistent/docker.sock") != std::string::npos);
    CHECK(info.error().hint.find("install") != std::string::npos);
}

TEST_CASE("a file that an application made is seen from outside", "[docker]") {
    DockerFixture docker;
    Engine& engine = docker.engine();
    const std::string id = docker.started("lock", "touch /tmp/icos-update.lock; while :; do sleep 0.1; done");
    docker.until(id, [](const ContainerState& container) { return container.state == "running"; });
    docker.exec(id, {"sh", "-c", "while [ ! -e /tmp/icos-update.lock ]; do sleep 0.05; done"});

    CHECK(docker.ok(engine.has_path(id, "/tmp/icos-update.lock")));
    CHECK_FALSE(docker.ok(engine.has_path(id, "/tmp/other")));
    docker.exec(id, {"rm", "/tmp/icos-update.lock"});
    CHECK_FALSE(docker.ok(engine.has_path(id, "/tmp/icos-update.lock")));
    CHECK_FALSE(docker.ok(engine.has_path("no-such-container", "/tmp")));
}

TEST_CASE("an image in use cannot be removed, and one that is not there is fine", "[docker]") {
    DockerFixture docker;
    Engine& engine = docker.engine();
    docker.started("uses", "while :; do sleep 0.1; done");

    const Result<void> used = docker.run(engine.remove_image(docker.ok(engine.image("busybox:1")).id));
    REQUIRE(used.has_error());
    CHECK(used.error().code == engine_errc::conflict);
    docker.ok(engine.remove_image("icos-test/no-such-image:1"));
    CHECK(docker.ok(engine.image("busybox:1")).id.size() > 10);
    CHECK_FALSE(docker.ok(engine.info()).data_root.empty());
}
