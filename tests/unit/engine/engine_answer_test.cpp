// SPDX-License-Identifier: Apache-2.0
#include "agent/engine/engine_error.hpp"
#include "agent/engine/engine_json.hpp"
#include "agent/engine/pull_progress.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::agent;

TEST_CASE("the engine's refusals get the code that callers branch on", "[engine][errors]") {
    struct Row {
        unsigned status;
        std::string words;
        engine_errc code;
    };
    const Row row = GENERATE(values<Row>(
        {{500,
          "driver failed programming external connectivity on endpoint x: Bind for 0.0.0.0:8080 failed: port "
          "is already allocated",
          engine_errc::port_taken},
         {500,
          "Error starting userland proxy: listen tcp4 0.0.0.0:8080: bind: address already in use",
          engine_errc::port_taken},
         {404, "No such image: ghost:1", engine_errc::image_not_found},
         {404,
          "manifest for busybox:nope not found: manifest unknown: manifest unknown",
          engine_errc::image_not_found},
         {404,
          "pull access denied for ghost, repository does not exist or may require 'docker login': denied: "
          "requested access to the resource is denied",
          engine_errc::image_not_found},
         {500,
          "Get \"https://r.io/v2/x/manifests/1\": unauthorized: authentication required",
          engine_errc::image_denied},
         {500, "Get https://r.io/v2/: no basic auth credentials", engine_errc::image_denied},
         {404,
          "no matching manifest for linux/amd64 in the manifest list entries",
          engine_errc::wrong_architecture},
         {400,
          "OCI runtime create failed: exec /bin/x: exec format error: unknown",
          engine_errc::wrong_architecture},
         {500, "write /var/lib/docker/tmp/x: no space left on device", engine_errc::no_space},
         {409,
          "Conflict. The container name \"/x\" is already in use by container \"y\"",
          engine_errc::conflict},
         {409, "conflict: unable to remove repository reference: no such image", engine_errc::conflict},
         {404, "No such container: x", engine_errc::not_found},
         {404, "network x not found", engine_errc::not_found},
         {400, "invalid reference format", engine_errc::refused},
         {500, "something odd", engine_errc::failed},
         {500, "Get https://r.io/v2/: dial tcp: lookup r.io: no such host", engine_errc::failed}}
    ));
    CAPTURE(row.words);
    const std::string body = boost::json::serialize(boost::json::object{{"message", row.words}});

    const Error error = engine_error(row.status, body, "do it");

    CHECK(error.code == row.code);
    CHECK(error.detail == "cannot do it: " + row.words);
}

TEST_CASE("errors that a person can mend say how", "[engine][errors]") {
    for (const engine_errc code :
         {engine_errc::port_taken,
          engine_errc::image_not_found,
          engine_errc::image_denied,
          engine_errc::wrong_architecture,
          engine_errc::no_space,
          engine_errc::conflict}) {
        CHECK_FALSE(engine_error_from_words("words", "do it", code).hint.empty());
    }
    CHECK(
        engine_error(500, "{\"message\":\"lookup r.io: no such host\"}", "pull").hint.find("registry") !=
        std::string::npos
    );
}

TEST_CASE("a socket that does not answer says what to do about it", "[engine][errors]") {
    const Error absent = unreachable_error({errc::io, "connect: No such file or directory"}, "/run/x.sock");
    const Error denied = unreachable_error({errc::io, "connect: Permission denied"}, "/run/x.sock");
    const Error down = unreachable_error({errc::io, "connect: Connection refused"}, "/run/x.sock");

    CHECK(absent.code == engine_errc::unreachable);
    CHECK(absent.detail.find("/run/x.sock") != std::string::npos);
    CHECK(absent.hint.find("install") != std::string::npos);
    CHECK(denied.hint.find("group") != std::string::npos);
    CHECK(down.hint.find("start it") != std::string::npos);
}

TEST_CASE("every engine code has a stable name", "[engine][errors]") {
    CHECK(stable_code(Error{engine_errc::unreachable, ""}) == "engine.unreachable");
    CHECK(stable_code(Error{engine_errc::wrong_architecture, ""}) == "engine.wrong_architecture");
    CHECK(stable_code(Error{engine_errc::failed, ""}) == "engine.failed");
    CHECK(kind_of(Error{engine_errc::no_space, ""}) == ErrorKind::storage_full);
}

TEST_CASE("the API version is the newest that both sides know", "[engine][json]") {
    CHECK(negotiate_api("1.41", "1.12") == "1.41");
    CHECK(negotiate_api("1.50", "1.24") == "1.43");
    CHECK(negotiate_api("1.52", "1.44") == "1.44");
    CHECK(negotiate_api("1.40", "") == "1.40");
    CHECK_FALSE(negotiate_api("1.39", "1.12").has_value());
    CHECK_FALSE(negotiate_api("", "").has_value());
    CHECK_FALSE(negotiate_api("latest", "").has_value());
}

TEST_CASE("an inspected container becomes its state", "[engine][json]") {
    const auto inspected =
        boost::json::parse(R"({"Id":"abc","Name":"/icos-x","Image":"sha256:1","RestartCount":3,
        "Config":{"Image":"busybox:1","Labels":{"a":"b"}},
        "State":{"Status":"exited","ExitCode":137,"OOMKilled":true,"Error":"e","StartedAt":"1970-01-01T00:00:01Z",
                 "FinishedAt":"1970-01-01T00:00:02.5Z","Health":{"Status":"unhealthy"}},
        "NetworkSettings":{"Networks":{"n":{"IPAddress":"172.18.0.2"}},
            "Ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}],"81/tcp":null}}})"
        );

    const ContainerState state = container_state(inspected);

    CHECK(state.id == "abc");
    CHECK(state.name == "icos-x");
    CHECK(state.image == "busybox:1");
    CHECK(state.image_id == "sha256:1");
    CHECK(state.state == "exited");
    CHECK(state.exit_code == 137);
    CHECK(state.restarts == 3);
    CHECK(state.started_ms == 1000);
    CHECK(state.finished_ms == 2500);
    CHECK(state.oom_killed);
    CHECK(state.error == "e");
    CHECK(state.health == "unhealthy");
    CHECK(state.labels == LabelMap{{"a", "b"}});
    CHECK(state.network_ips.at("n") == "172.18.0.2");
    CHECK(state.ports == std::vector<std::string>{"0.0.0.0:8080->80/tcp", "[::]:8080->80/tcp"});
}

TEST_CASE("a running container has no exit code, and what is missing is empty", "[engine][json]") {
    CHECK_FALSE(container_state(boost::json::parse(R"({"State":{"Status":"running","ExitCode":0}})"))
                    .exit_code.has_value());
    CHECK(container_state(boost::json::parse(R"({"State":{"Status":"configured"}})")).state == "created");
    CHECK(container_state(boost::json::parse("[]")).id.empty());
    CHECK(
        container_state(boost::json::parse(R"({"State":{"StartedAt":"0001-01-01T00:00:00Z"}})")).started_ms ==
        0
    );
}

TEST_CASE("an event keeps its subject's labels", "[engine][json]") {
    const EngineEvent event = engine_event(boost::json::parse(
        R"({"Type":"container","Action":"health_status: healthy","Actor":{"ID":"c1","Attributes":{"icos.eu/target":"t"}},"time":5,"timeNano":5250000000})"
    ));

    CHECK(event.type == "container");
    CHECK(event.action == "health_status: healthy");
    CHECK(event.id == "c1");
    CHECK(event.attributes.at("icos.eu/target") == "t");
    CHECK(event.at_ms == 5250);
}

TEST_CASE("label filters ask for a value or for presence", "[engine][json]") {
    CHECK(label_filter({{"a", "b"}, {"c", ""}}) == R"({"label":["a=b","c"]})");
    CHECK(label_filter({}, "container") == R"({"label":[],"type":["container"]})");
}

TEST_CASE("a pull is summed over its layers and never runs backwards", "[engine][pull]") {
    PullTally tally;
    std::uint64_t last = 0;
    const auto line = [&](std::string_view text) {
        REQUIRE(tally.line(boost::json::parse(text), "i").has_value());
        CHECK(tally.current() >= last);
        CHECK(tally.current() <= tally.total());
        last = tally.current();
    };

    line(R"({"status":"Pulling from library/i","id":"latest"})");
    line(R"({"status":"Pulling fs layer","progressDetail":{},"id":"a"})");
    CHECK(tally.total() == 0);
    line(R"({"status":"Already exists","progressDetail":{},"id":"z"})");
    line(R"({"status":"Downloading","progressDetail":{"current":50,"total":100},"id":"a"})");
    CHECK(tally.current() == 25);
    line(R"({"status":"Downloading","progressDetail":{"current":10,"total":300},"id":"b"})");
    CHECK(tally.total() == 400);
    line(R"({"status":"Download complete","progressDetail":{},"id":"a"})");
    line(R"({"status":"Extracting","progressDetail":{"current":100,"total":100},"id":"a"})");
    line(R"({"status":"Pull complete","progressDetail":{},"id":"a"})");
    line(R"({"status":"Pull complete","progressDetail":{},"id":"b"})");
    line(R"({"status":"Digest: sha256:1"})");
    CHECK(tally.current() == 400);
}

TEST_CASE("an error inside a pull's stream is the pull's error", "[engine][pull]") {
    PullTally tally;

    const auto failed = tally.line(
        boost::json::parse(
            R"({"errorDetail":{"message":"no matching manifest for linux/arm64/v8"},"error":"no matching"})"
        ),
        "demo/web:1"
    );

    REQUIRE(failed.has_error());
    CHECK(failed.error().code == engine_errc::wrong_architecture);
    CHECK(failed.error().detail.find("demo/web:1") != std::string::npos);
}
