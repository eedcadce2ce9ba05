// SPDX-License-Identifier: Apache-2.0
#include "job_manager/rows.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::job_manager;

namespace {

Row row(const Change& change) {
    return {change.kind, change.id, change.body.value_or(""), 1};
}

}  // namespace

TEST_CASE("an application is read as it was written", "[job_manager]") {
    App app;
    app.id = AppId{"a1"};
    app.project = "red";
    app.name = "hello";
    app.name_space = "ns";
    app.description = "with \"quotes\"";
    app.generation = 7;
    app.version = 9;
    app.desired = Desired::stopped;
    app.created_at = from_ms(1000);
    app.updated_at = from_ms(2000);
    app.since = from_ms(3000);
    app.state = AppState::degraded;
    app.replicas = 4;
    app.overlays["web"] = Overlay{3U, 1.5, {"edge-9"}};

    const auto read = read_app(row(to_row(app)));

    REQUIRE(read.has_value());
    CHECK(read->id == app.id);
    CHECK(read->project == "red");
    CHECK(read->name == "hello");
    CHECK(read->name_space == "ns");
    CHECK(read->description == app.description);
    CHECK(read->generation == 7);
    CHECK(read->version == 9);
    CHECK(read->desired == Desired::stopped);
    CHECK(read->created_at == app.created_at);
    CHECK(read->updated_at == app.updated_at);
    CHECK(read->since == app.since);
    CHECK(read->state == AppState::degraded);
    CHECK(read->replicas == 4);
    CHECK(read->overlays.at("web").replicas == 3U);
    CHECK(read->overlays.at("web").resource_factor == 1.5);
    CHECK(read->overlays.at("web").excluded_nodes == std::vector<std::string>{"edge-9"});
}

TEST_CASE("a placement is read as it was written, but for its progress", "[job_manager]") {
    Placement placement;
    placement.id = PlacementId{"p1"};
    placement.app = AppId{"a1"};
    placement.component = "web";
    placement.replica = 2;
    placement.node = NodeId{"n1"};
    placement.node_name = "edge-1";
    placement.cluster = "lab";
    placement.engine = descriptor::Engine::kubernetes;
    placement.label_value = "roof";
    placement.generation = 5;
    placement.digest = "abc";
    placement.claim = Claim{500, 1024, {"gpu"}, {{"127.0.0.1", 8080, "tcp"}}};
    placement.removing = true;
    placement.wanted_at = from_ms(10);
    placement.since = from_ms(20);
    placement.observed.emplace();
    placement.observed->placement = placement.id;
    placement.observed->state = agent::PlacementState::unhealthy;
    placement.observed->reason = "health check fails";
    placement.observed->progress = "pulling";

    const auto read = read_placement(row(to_row(placement)));

    REQUIRE(read.has_value());
    CHECK(read->id == placement.id);
    CHECK(read->app == placement.app);
    CHECK(read->component == "web");
    CHECK(read->replica == 2);
    CHECK(read->node == placement.node);
    CHECK(read->node_name == "edge-1");
    CHECK(read->cluster == "lab");
    CHECK(read->engine == descriptor::Engine::kubernetes);
    CHECK(read->orchestrator == "icos");
    CHECK(read->label_value == "roof");
    CHECK(read->generation == 5);
    CHECK(read->digest == "abc");
    CHECK(read->claim.cpu_milli == 500);
    CHECK(read->claim.memory_bytes == 1024);
    CHECK(read->claim.devices == placement.claim.devices);
    CHECK(read->claim.host_ports == placement.claim.host_ports);
    CHECK(read->removing);
    CHECK(read->wanted_at == placement.wanted_at);
    CHECK(read->since == placement.since);
    REQUIRE(read->observed);
    CHECK(read->observed->state == agent::PlacementState::unhealthy);
    CHECK(read->observed->reason == "health check fails");
    CHECK(read->observed->progress.empty());
}

TEST_CASE("a descriptor's text is stored whatever it contains", "[job_manager]") {
    const std::string text = "a: \"b\"\n\t# \xc3\xa9\r\n";

    const auto read = read_revision(row(revision_row(AppId{"a1"}, 12, text)));

    REQUIRE(read.has_value());
    CHECK(read->app == AppId{"a1"});
    CHECK(read->generation == 12);
    CHECK(read->text == text);
    CHECK_FALSE(revision_removal(AppId{"a1"}, 12).body);
    CHECK(revision_removal(AppId{"a1"}, 12).id == "a1/12");
}

TEST_CASE("a generation is stored with its time, actor and number of components", "[job_manager]") {
    const RevisionInfo info{from_ms(1'700'000'000'123), "token:ops", 3};

    const auto read = read_revision(row(revision_row(AppId{"a1"}, 2, "text", info)));

    REQUIRE(read.has_value());
    CHECK(read->info.at == info.at);
    CHECK(read->info.actor == "token:ops");
    CHECK(read->info.components == 3);
}

TEST_CASE("a generation of which only the text was stored has neither time nor actor", "[job_manager]") {
    const auto read = read_revision(Row{"app_revision", "a1/2", R"({"text":"t"})", 1});

    REQUIRE(read.has_value());
    CHECK(read->text == "t");
    CHECK_FALSE(read->info.at);
    CHECK(read->info.actor.empty());
    CHECK_FALSE(read->info.components);
}

TEST_CASE("a row that does not fit is an error that names it", "[job_manager]") {
    for (const char* body :
         {"",
          "[]",
          "{",
          R"({"desired":"sleeping"})",
          R"({"desired":"running","state":"odd"})",
          R"({"generation":"x"})"}) {
        INFO(body);
        const auto read = read_app(Row{"app", "a1", body, 1});
        REQUIRE(read.has_error());
        CHECK(read.error().code == store_errc::corrupt);
        CHECK(read.error().detail.find("app a1") != std::string::npos);
    }
    CHECK(read_placement(Row{"placement", "p1", "{}", 1}).has_error());
    CHECK(read_revision(Row{"app_revision", "no-generation", "{}", 1}).has_error());
    CHECK(read_revision(Row{"app_revision", "a/x", "{}", 1}).has_error());
}
