// SPDX-License-Identifier: Apache-2.0
#include "icos/http/event_stream.hpp"

#include "run_task.hpp"

#include <catch2/catch.hpp>

namespace icos::http {

TEST_CASE("Events are framed, each line of data on its own", "[http][sse]") {
    icos::test::ManualRuntime runtime;
    EventStream stream(runtime);

    CHECK(stream.push("app", "7", "{\"a\":1}\nsecond"));
    CHECK(stream.push("", "", "bare"));

    CHECK(
        icos::test::run(runtime, stream.next()) ==
        "id: 7\nevent: app\ndata: {\"a\":1}\ndata: second\n\ndata: bare\n\n"
    );
}

TEST_CASE("A field's value cannot start another event", "[http][sse]") {
    icos::test::ManualRuntime runtime;
    EventStream stream(runtime);

    stream.push("a\nb", "1\r\n2", "x");

    CHECK(icos::test::run(runtime, stream.next()) == "id: 1  2\nevent: a b\ndata: x\n\n");
}

TEST_CASE("What is queued is sent before the stream ends", "[http][sse]") {
    icos::test::ManualRuntime runtime;
    EventStream stream(runtime);
    stream.push("a", "", "1");
    stream.end();

    CHECK_FALSE(stream.push("a", "", "2"));
    CHECK(icos::test::run(runtime, stream.next()) == "event: a\ndata: 1\n\n");
    CHECK_FALSE(icos::test::run(runtime, stream.next()).has_value());
}

TEST_CASE("Silence is filled by a comment", "[http][sse]") {
    icos::test::ManualRuntime runtime;
    EventStream stream(runtime);
    const BootTime before = runtime.boot();

    CHECK(icos::test::run(runtime, stream.next()) == ": keep-alive\n\n");
    CHECK(runtime.boot() - before == std::chrono::seconds(15));
}

TEST_CASE("A client that does not keep up has its stream ended", "[http][sse]") {
    icos::test::ManualRuntime runtime;
    EventStreamSettings settings;
    settings.max_queued_bytes = 40;
    EventStream stream(runtime, settings);

    CHECK(stream.push("a", "1", "first"));
    CHECK_FALSE(stream.push("a", "2", "the second is too long for the queue"));

    CHECK(stream.has_ended());
    CHECK(icos::test::run(runtime, stream.next()) == "id: 1\nevent: a\ndata: first\n\n");
    CHECK_FALSE(icos::test::run(runtime, stream.next()).has_value());
}

}  // namespace icos::http
