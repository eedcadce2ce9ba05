// SPDX-License-Identifier: Apache-2.0
#include "access_audit.hpp"

#include "icos/http/router.hpp"
#include "manual_runtime.hpp"
#include "memory_store.hpp"

#include <catch2/catch.hpp>

using namespace icos;

namespace {

http::Request request(const std::string& subject, const std::string& path) {
    http::Request out;
    out.method = http::Method::del;
    out.path = path;
    out.caller.subject = subject;
    out.remote = "192.0.2.7:4711";
    out.request_id = "r-1";
    return out;
}

struct World {
    test::ManualRuntime runtime;
    test::MemoryStore store{runtime};
    AccessAudit audit{runtime, store};

    void refuse(const std::string& subject, const std::string& path) {
        audit.refused(
            request(subject, path), Error{http::auth_errc::forbidden, "no", "use a caller with that role"}
        );
        runtime.advance(Duration{100});
    }
};

}  // namespace

TEST_CASE("a refusal is recorded with who, what and from where", "[controller][audit]") {
    World world;
    world.refuse("local:1000", "/api/v1/apps/hello");

    REQUIRE(world.store.recorded().size() == 1);
    const Event& event = world.store.recorded().front();
    CHECK(event.kind == "access.denied");
    CHECK(event.layer == Layer::security);
    CHECK(event.actor == "local:1000");
    CHECK(event.message == "DELETE /api/v1/apps/hello from 192.0.2.7:4711: auth.forbidden");
}

TEST_CASE("who is refused again and again fills no event table, and is counted", "[controller][audit]") {
    World world;
    for (int i = 0; i < 50; ++i) world.refuse("anonymous", "/api/v1/apps/hello");
    CHECK(world.store.recorded().size() == 1);
    for (int i = 0; i < 50; ++i) world.refuse("anonymous", "/api/v1/apps/" + std::to_string(i));
    CHECK(world.store.recorded().size() == 10);

    world.runtime.advance(std::chrono::minutes(2));
    world.refuse("anonymous", "/api/v1/apps/hello");

    REQUIRE(world.store.recorded().size() == 11);
    // Every one that was left out is in the number of some later event.
    CHECK_THAT(world.store.recorded().at(1).message, Catch::Contains("49 more were not recorded"));
    CHECK_THAT(world.store.recorded().back().message, Catch::Contains("41 more were not recorded"));
    CHECK_THAT(world.audit.metrics(), Catch::Contains("icos_http_denied_total 101\n"));
}

TEST_CASE(
    "what a caller sends reaches the event table printable and short, and without its query",
    "[controller][audit]"
) {
    World world;
    world.refuse("anonymous", "/\x1b[31m" + std::string(5000, 'x'));

    const std::string& message = world.store.recorded().front().message;
    CHECK(message.size() < 300);
    CHECK(message.find('\x1b') == std::string::npos);
}

TEST_CASE(
    "an agent that asks for what is not its own is recorded, but not as a subject to be kept",
    "[controller][audit]"
) {
    World world;
    http::Request asked = request("agent:abc", "/api/v1/tokens");
    asked.caller.peer = http::PeerKey{};
    world.audit.refused(asked, Error{http::auth_errc::forbidden, "no"});
    world.runtime.advance(Duration{100});

    REQUIRE(world.store.recorded().size() == 1);
    CHECK(world.store.recorded().front().actor == "agent:abc");
    CHECK(world.store.recorded().front().subject.empty());
}
