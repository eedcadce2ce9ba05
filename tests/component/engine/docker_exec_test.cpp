// SPDX-License-Identifier: Apache-2.0
#include "docker_fixture.hpp"

using namespace icos;
using namespace icos::agent;
using icos::test::DockerFixture;

namespace {

Task<Result<std::string>> read_until(ExecSession* session, std::string wanted) {
    std::string out;
    while (wanted.empty() || out.find(wanted) == std::string::npos) {
        Result<std::optional<ExecSession::Output>> piece = co_await session->read();
        if (piece.has_error()) co_return piece.error();
        if (!piece->has_value()) break;
        out += (*piece)->bytes;
    }
    co_return out;
}

}  // namespace

TEST_CASE("a command's streams and exit code come back", "[docker][exec]") {
    DockerFixture docker;
    const std::string id = docker.started("exec", "sleep 60");

    const auto ran = docker.exec(id, {"sh", "-c", "echo out; echo err >&2; exit 42"});

    CHECK(ran.out == "out\n");
    CHECK(ran.err == "err\n");
    CHECK(ran.exit_code == 42);
    CHECK(docker.exec(id, {"true"}).exit_code == 0);
}

TEST_CASE("a command that does not exist ends with 126 or 127 and says so", "[docker][exec]") {
    DockerFixture docker;
    const std::string id = docker.started("noexec", "sleep 60");

    const auto ran = docker.exec(id, {"/no/such/program"});

    CHECK((ran.exit_code == 126 || ran.exit_code == 127));
    CHECK((ran.out + ran.err).find("/no/such/program") != std::string::npos);
}

TEST_CASE("a command reads its input until that is closed", "[docker][exec]") {
    DockerFixture docker;
    const std::string id = docker.started("cat", "sleep 60");
    ExecQuery query;
    query.command = {"sh", "-c", "cat; echo end"};
    query.interactive = true;

    auto session = docker.ok(docker.engine().exec(id, query));
    docker.ok(session->write("hello\n"));
    CHECK(docker.ok(read_until(session.get(), "hello\n")) == "hello\n");
    docker.ok(session->write("more\n"));
    session->close_input();

    CHECK(docker.ok(read_until(session.get(), "")) == "more\nend\n");
    CHECK(docker.ok(session->exit_code()) == 0);
}

TEST_CASE("megabytes of output arrive whole", "[docker][exec]") {
    DockerFixture docker;
    const std::string id = docker.started("big", "sleep 60");

    const auto ran = docker.exec(id, {"sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x"});

    CHECK(ran.out.size() == 3'000'000);
    CHECK(ran.out.find_first_not_of('x') == std::string::npos);
}

TEST_CASE("a terminal has the size that it is given", "[docker][exec]") {
    DockerFixture docker;
    const std::string id = docker.started("term", "sleep 60");
    ExecQuery query;
    query.command = {"sh", "-c", "read line; stty size"};
    query.interactive = true;
    query.tty = true;

    auto session = docker.ok(docker.engine().exec(id, query));
    docker.ok(session->resize(33, 77));
    docker.ok(session->write("go\n"));

    CHECK(docker.ok(read_until(session.get(), "33 77")).find("33 77") != std::string::npos);
    docker.ok(read_until(session.get(), ""));
    CHECK(docker.ok(session->exit_code()) == 0);
}

TEST_CASE("no command runs in a container that has stopped", "[docker][exec]") {
    DockerFixture docker;
    const std::string id = docker.created("stopped", docker.body("true"));
    ExecQuery query;
    query.command = {"true"};

    const auto session = docker.run(docker.engine().exec(id, query));

    REQUIRE(session.has_error());
    CHECK(session.error().code == engine_errc::conflict);
}
