// SPDX-License-Identifier: Apache-2.0
#include "controller_world.hpp"
#include "icos/core/log.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using icos::test::Behaviour;
using icos::test::ControllerWorld;
using Notes = std::vector<std::string>;

namespace {

class QuietLog {
public:
    QuietLog() { configure_logging({LogLevel::error, LogFormat::text, false}); }
    ~QuietLog() { configure_logging({LogLevel::warning, LogFormat::text, true}); }
};

}  // namespace

TEST_CASE("all modules configure before any starts, and stop runs in reverse", "[controller]") {
    ControllerWorld world;
    const std::vector<ModuleDescriptor> modules{world.module("a"), world.module("b")};

    REQUIRE(world.application.configure(world.pointers(modules)));
    CHECK_FALSE(world.application.is_running());
    REQUIRE(test::run(world.runtime, world.application.start()));
    CHECK(world.application.is_running());
    CHECK(world.take_notes() == Notes{"configure a", "configure b", "start a", "start b"});
    test::run(world.runtime, world.application.stop(Duration{5000}));

    CHECK(world.take_notes() == Notes{"stop b", "stopped b", "stop a", "stopped a"});
    CHECK_FALSE(world.application.is_running());
    test::run(world.runtime, world.application.stop(Duration{5000}));
    CHECK(world.notes.empty());
}

TEST_CASE("a module gets its own section", "[controller]") {
    ControllerWorld world;
    const std::vector<ModuleDescriptor> modules{world.module("a"), world.module("b")};
    config::Schema schema{{{"note", config::Type::text, " with its note", "A note."}}};
    world.config.sections.emplace("modules.b", config::defaults(schema));

    REQUIRE(world.application.configure(world.pointers(modules)));

    CHECK(world.notes == Notes{"configure a", "configure b with its note"});
}

TEST_CASE("nothing starts when one module cannot be configured", "[controller]") {
    ControllerWorld world;
    const std::vector<ModuleDescriptor> modules{
        world.module("a"), world.module("b", {}, Behaviour{.fails_to_configure = true})
    };

    const Result<void> configured = world.application.configure(world.pointers(modules));

    REQUIRE(configured.has_error());
    CHECK(configured.error().detail == "b is wrong");
    CHECK(world.notes == Notes{"configure a", "configure b"});
}

TEST_CASE("when one module cannot start, those that did are stopped in reverse", "[controller]") {
    const QuietLog quiet;
    const bool throws = GENERATE(false, true);
    ControllerWorld world;
    Behaviour bad;
    bad.fails_to_start = !throws;
    bad.throws_at_start = throws;
    const std::vector<ModuleDescriptor> modules{
        world.module("a"), world.module("b"), world.module("c", {}, bad), world.module("d")
    };
    REQUIRE(world.application.configure(world.pointers(modules)));
    world.take_notes();

    const Result<void> started = test::run(world.runtime, world.application.start());

    REQUIRE(started.has_error());
    CHECK(started.error().detail == (throws ? "c threw" : "c cannot"));
    CHECK(
        world.notes == Notes{"start a", "start b", "start c", "stop b", "stopped b", "stop a", "stopped a"}
    );
    CHECK_FALSE(world.application.is_running());
}

TEST_CASE(
    "a module that does not stop in time is left behind, and all is over by the deadline", "[controller]"
) {
    const QuietLog quiet;
    ControllerWorld world;
    const std::vector<ModuleDescriptor> modules{
        world.module("a"),
        world.module("slow", {}, Behaviour{.stop_time = std::chrono::hours(1)}),
        world.module("slower", {}, Behaviour{.stop_time = std::chrono::hours(2)}),
    };
    REQUIRE(world.application.configure(world.pointers(modules)));
    REQUIRE(test::run(world.runtime, world.application.start()));
    world.take_notes();
    const BootTime before = world.runtime.boot();

    test::run(world.runtime, world.application.stop(Duration{4800}));

    CHECK(world.notes == Notes{"stop slower", "stop slow", "stop a", "stopped a"});
    CHECK(world.runtime.boot() - before <= Duration{5000});
}

TEST_CASE("an exception while one module stops does not keep the others from stopping", "[controller]") {
    const QuietLog quiet;
    ControllerWorld world;
    const std::vector<ModuleDescriptor> modules{
        world.module("a"), world.module("b", {}, Behaviour{.throws_at_stop = true})
    };
    REQUIRE(world.application.configure(world.pointers(modules)));
    REQUIRE(test::run(world.runtime, world.application.start()));
    world.take_notes();

    test::run(world.runtime, world.application.stop(Duration{5000}));

    CHECK(world.notes == Notes{"stop b", "stop a", "stopped a"});
}
