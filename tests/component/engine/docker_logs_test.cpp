// SPDX-License-Identifier: Apache-2.0
#include "docker_fixture.hpp"

using namespace icos;
using namespace icos::agent;
using icos::test::DockerFixture;

namespace {

Task<Result<std::vector<LogLine>>> read_all(Engine* engine, std::string id, LogQuery query) {
    Result<std::unique_ptr<EngineStream<LogLine>>> stream = co_await engine->logs(id, query);
    if (stream.has_error()) co_return stream.error();
    std::vector<LogLine> out;
    while (true) {
        Result<std::optional<LogLine>> line = co_await (*stream)->next();
        if (line.has_error()) co_return line.error();
        if (!line->has_value()) co_return out;
        out.push_back(std::move(**line));
    }
}

bool has_exited(const ContainerState& state) {
    return state.state == "exited";
}

}  // namespace

TEST_CASE("logs carry both streams with their times", "[docker][logs]") {
    DockerFixture docker;
    const std::string id = docker.started("logs", "echo out; echo err >&2");
    docker.until(id, has_exited);

    auto lines = docker.ok(read_all(&docker.engine(), id, {}));

    REQUIRE(lines.size() == 2);
    if (lines[0].is_stderr) std::swap(lines[0], lines[1]);
    CHECK(lines[0].text == "out");
    CHECK(lines[1].text == "err");
    CHECK(lines[1].is_stderr);
    const auto state = docker.ok(docker.engine().inspect(id));
    CHECK(lines[0].at_ms >= state.started_ms - 1000);
    CHECK(lines[0].at_ms <= state.finished_ms + 1000);
}

TEST_CASE("logs can start at the last lines or at a time", "[docker][logs]") {
    DockerFixture docker;
    const std::string id = docker.started("tail", "for i in 1 2 3 4 5; do echo $i; sleep 0.05; done");
    docker.until(id, has_exited);
    const auto all = docker.ok(read_all(&docker.engine(), id, {}));
    REQUIRE(all.size() == 5);
    LogQuery tail;
    tail.tail = 2;
    LogQuery since;
    since.since_ms = all[3].at_ms;

    const auto last = docker.ok(read_all(&docker.engine(), id, tail));
    const auto later = docker.ok(read_all(&docker.engine(), id, since));

    REQUIRE(last.size() == 2);
    CHECK(last[0].text == "4");
    REQUIRE(later.size() == 2);
    CHECK(later[0].text == "4");
}

TEST_CASE("followed logs come while they are written and end with the container", "[docker][logs]") {
    DockerFixture docker;
    const std::string id =
        docker.started("follow", "echo one; while [ ! -f /tmp/go ]; do sleep 0.05; done; echo two");
    LogQuery query;
    query.follow = true;
    auto stream = docker.ok(docker.engine().logs(id, query));

    const auto first = docker.ok(stream->next());
    REQUIRE(first.has_value());
    CHECK(first->text == "one");
    docker.exec(id, {"touch", "/tmp/go"});
    const auto second = docker.ok(stream->next());
    REQUIRE(second.has_value());
    CHECK(second->text == "two");
    CHECK_FALSE(docker.ok(stream->next()).has_value());
}

TEST_CASE("a silent container's logs can be followed before it says anything", "[docker][logs]") {
    DockerFixture docker;
    const std::string id = docker.started("silent", "while [ ! -f /tmp/go ]; do sleep 0.05; done; echo hi");
    LogQuery query;
    query.follow = true;

    auto stream = docker.ok(docker.engine().logs(id, query));
    docker.exec(id, {"touch", "/tmp/go"});

    const auto line = docker.ok(stream->next());
    REQUIRE(line.has_value());
    CHECK(line->text == "hi");
}

TEST_CASE("logs of a container with a terminal are lines too", "[docker][logs]") {
    DockerFixture docker;
    auto body = docker.body("echo on a terminal");
    body["Tty"] = true;
    const std::string id = docker.created("tty", std::move(body));
    docker.ok(docker.engine().start(id));
    docker.until(id, has_exited);

    const auto lines = docker.ok(read_all(&docker.engine(), id, {}));

    REQUIRE(lines.size() == 1);
    CHECK(lines[0].text == "on a terminal");
    CHECK(lines[0].at_ms > 0);
}

TEST_CASE("logs of a container that is not there are not found", "[docker][logs]") {
    DockerFixture docker;

    const auto stream = docker.run(docker.engine().logs("nobody", {}));

    REQUIRE(stream.has_error());
    CHECK(stream.error().code == engine_errc::not_found);
}
